package ingest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleConventions = `# Les conventions.
- id: ops-habitat
  partner: Habitat
  purpose: suivi de l'occupation sociale
  recipients: [comité technique]
  threshold: 5
  end: 2020-12-31
  detail: [qpv, commune]
  datasets:
    - {card: ops, millesimes: [2015, 2016], due: 03-31, zones: {file: residences.geojson, code: id}}
- id: caf
  partner: Caf
  purpose: diagnostic
  recipients: [comité technique]
  fiscal: true
  end: 2020-12-31
`

func TestLoadConventions(t *testing.T) {
	got, err := LoadConventions("conventions.yaml", []byte(sampleConventions))
	if err != nil {
		t.Fatal(err)
	}
	want := []Convention{
		{ID: "ops-habitat", Partner: "Habitat", Purpose: "suivi de l'occupation sociale", Recipients: []string{"comité technique"},
			Threshold: 5, End: "2020-12-31", Detail: []string{"qpv", "commune"}, Line: 2,
			Datasets: []Dataset{{Card: "ops", Millesimes: []int{2015, 2016}, Due: "03-31", Zones: &OwnZones{File: "residences.geojson", Code: "id"}}}},
		{ID: "caf", Partner: "Caf", Purpose: "diagnostic", Recipients: []string{"comité technique"}, Fiscal: true, Threshold: 11, End: "2020-12-31", Line: 11},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConventionsRefused(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "  partner: Habitat", "  parter: Habitat", `conventions.yaml:3: unknown key "parter": did you mean "partner"?`},
		{"no id", "- id: caf\n  partner", "- partner", `conventions.yaml:11: id: missing`},
		{"bad id", "id: caf", "id: Caf 13", `conventions.yaml:11: id: "Caf 13": small letters`},
		{"twice", "id: caf", "id: ops-habitat", `conventions.yaml:11: id: ops-habitat is the convention of line 2 already`},
		{"no partner", "  partner: Caf\n", "", `conventions.yaml:11: partner: missing`},
		{"no purpose", "  purpose: diagnostic\n", "", `conventions.yaml:11: purpose: missing`},
		{"no recipients", "  recipients: [comité technique]\n  fiscal", "  fiscal", `conventions.yaml:11: recipients: missing`},
		{"no threshold", "  threshold: 5\n", "", `conventions.yaml:2: threshold: missing: counts under it are withheld; 11 for fiscal data`},
		{"low fiscal threshold", "fiscal: true", "fiscal: true\n  threshold: 5", `conventions.yaml:16: threshold: 5: at least 11 for fiscal data`},
		{"dominance of nobody", "fiscal: true", "fiscal: true\n  dominance: {n: 0, k: 85}", `conventions.yaml:16: dominance: {n: 0, k: 85}: n contributors`},
		{"all within p", "fiscal: true", "fiscal: true\n  p_percent: 100", `conventions.yaml:16: p_percent: 100: a percentage`},
		{"no end", "  fiscal: true\n  end: 2020-12-31\n", "  fiscal: true\n", `conventions.yaml:11: end: missing`},
		{"bad end", "  fiscal: true\n  end: 2020-12-31", "  fiscal: true\n  end: 31/12/2020", `conventions.yaml:16: end: "31/12/2020" is not a day: AAAA-MM-JJ`},
		{"impossible end", "  fiscal: true\n  end: 2020-12-31", "  fiscal: true\n  end: 2021-02-29", `end: "2021-02-29" is not a day`},
		{"end before start", "  fiscal: true", "  fiscal: true\n  start: 2021-01-01", `conventions.yaml:17: end: 2020-12-31 comes before start, 2021-01-01`},
		{"year twice", "[2015, 2016]", "[2015, 2015]", `conventions.yaml:9: datasets: ops: millesimes: 2015`},
		{"bad due", "due: 03-31", "due: 31-03", `datasets: ops: due: "31-03" is not a day of the year: MM-JJ`},
		{"zones without file", "{file: residences.geojson, code: id}", "{code: id}", `datasets: ops: zones: file: missing`},
		{"half coordinates", "{file: residences.geojson, code: id}", "{file: r.csv, code: id, x: lon}", `zones: x and y go together`},
	} {
		text := strings.Replace(sampleConventions, tt.old, tt.new, 1)
		if text == sampleConventions {
			t.Fatalf("%s: nothing changed", tt.name)
		}
		_, err := LoadConventions("conventions.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestLoadDeposit(t *testing.T) {
	const text = "card: ops\nconvention: ops-habitat\nmillesime: 2015\nfile: ops.csv\ndate: 2016-03-14\n"
	d, err := LoadDeposit("depot.yaml", []byte(text))
	if err != nil || d.Card != "ops" || d.Date != "2016-03-14" {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{"card: ops\n", "", "depot.yaml:1: card: missing"},
		{"convention: ops-habitat\n", "", "depot.yaml:1: convention: missing: a deposit is read under a convention only"},
		{"millesime: 2015", "millesime: 15", "depot.yaml:3: millesime: 15 is not a year"},
		{"file: ops.csv\n", "", "depot.yaml:1: file: missing"},
		{"date: 2016-03-14", "date: mars 2016", `depot.yaml:5: date: "mars 2016" is not a day`},
		{"date:", "dat:", `depot.yaml:5: unknown key "dat": did you mean "date"?`},
		{text, "", "depot.yaml:1: empty"},
	} {
		if _, err := LoadDeposit("depot.yaml", []byte(strings.Replace(text, tt.old, tt.new, 1))); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.new, err, tt.want)
		}
	}
}
