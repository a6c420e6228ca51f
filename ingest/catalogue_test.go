package ingest

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const smallCard = `id: petit
kind: table
level: iris
vintage: edition+1
files: ["petit_{AAAA}.csv"]
key: [IRIS]
variables:
  - {id: revenu, columns: "MED{AA}", millesime: edition}
`

func TestLoadCardSaysWhereItIsWrong(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"unknown key", "level: iris", "levle: iris", `fiche.yaml:3: unknown key "levle": did you mean "level"?`},
		{"unknown key below", "columns:", "colums:", `fiche.yaml:8: unknown key "colums": did you mean "columns"?`},
		{"far from any", "level: iris", "zzzzzzzzz: 1", `fiche.yaml:3: unknown key "zzzzzzzzz": the known ones are`},
		{"key given twice", "level: iris", "kind: table", "fiche.yaml:3:"},
		{"bad year", "edition+1", "l'an prochain", "no rule for a year"},
		{"bad offset", "edition+1", "edition1", "no rule for a year"},
		{"not a year", "edition+1", "20", "20 is not a year"},
		{"bad kind", "kind: table", "kind: tableau", `kind: "tableau": one of table, layer, composition, passage, reference`},
		{"accents in a level", "level: iris", "level: Îlot regroupé", `level: "Îlot regroupé": small letters without accents, digits and _, the same everywhere, such as ilot_regroupe`},
		{"a dash in a level", "level: iris", "level: iris-2016", `such as iris_2016`},
		{"no key", "key: [IRIS]", "drop: [Total]", "key: missing"},
		{"sex", `"MED{AA}"`, `{Z: "MED{AA}"}`, `"Z" is no sex`},
		{"year in no name", `"MED{AA}", millesime: edition`, "MED, millesime: column", "which has no {AA}"},
		{"note", "key: [IRIS]", "key: [IRIS]\nnotes: {\"1\": bof}", `notes: 1: unknown statut "bof"`},
		{"not YAML", "key: [IRIS]", "key: [IRIS", "fiche.yaml:"},
		{"not a list", "files: [\"petit_{AAAA}.csv\"]", "files: {a: b}", "fiche.yaml:5"},
	}
	for _, tt := range tests {
		_, err := LoadCard("fiche.yaml", []byte(strings.Replace(smallCard, tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestLoadCard(t *testing.T) {
	c, err := LoadCard("fiche.yaml", []byte(smallCard+"  - {id: chomeurs, columns: {T: [ABC, C_ABC], F: ABC_F}, millesime: &a {2019: 2015}}\n  - {id: autre, columns: [X], millesime: *a}\n  - {id: perdu, columns: Y, millesime: inconnu}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(SexColumns{"T": {"ABC", "C_ABC"}, "F": {"ABC_F"}}, c.Variables[1].Columns); diff != "" {
		t.Error(diff)
	}
	for i, want := range []int{2019, 2015, 2015, 0} {
		if got := c.Variables[i].Millesime.Year(2019); got != want {
			t.Errorf("millésime of %s for the file of 2019 = %d, want %d", c.Variables[i].ID, got, want)
		}
	}
	if got := c.Variables[1].Millesime.Year(2018); got != 0 {
		t.Errorf("an edition that is not in the map gives %d, want unknown", got)
	}
	if got := c.Vintage.Year(2019); got != 2020 {
		t.Errorf("vintage = %d, want 2020", got)
	}
	if len(c.Hash) != 64 {
		t.Errorf("hash %q", c.Hash)
	}
}

func TestCatalogueMatch(t *testing.T) {
	own := strings.Replace(smallCard, "level: iris", "level: commune", 1)
	cat, err := LoadCatalogue(fstest.MapFS{"a/petit.yaml": {Data: []byte(smallCard)}, "indicators.yaml": {Data: []byte("- x")}, "lisez.md": {}},
		fstest.MapFS{"petit.yaml": {Data: []byte(own)}})
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := cat.Card("petit"); !ok || c.Level != "commune" {
		t.Errorf("the project's card does not replace the catalogue's: %+v", c)
	}
	for name, want := range map[string]int{"petit_2019.csv": 1, "petit_2019.csv.gz": 1, "PETIT_2019.CSV": 1, "petit_19.csv": 0, "mon_petit_2019.csv": 0} {
		if got := len(cat.Match(name)); got != want {
			t.Errorf("%s: %d cards fit, want %d", name, got, want)
		}
	}
	_, err = LoadCatalogue(fstest.MapFS{"a.yaml": {Data: []byte(smallCard)}, "b.yaml": {Data: []byte(smallCard)}})
	if err == nil || !strings.Contains(err.Error(), "b.yaml: id: petit is the card a.yaml already") {
		t.Errorf("two cards of one id: %v", err)
	}
}

// The indicators of the catalogue load, and each of their variables is in a card or is the indicator's own id.
func TestBundledIndicators(t *testing.T) {
	b, err := os.ReadFile("../data/catalogue/indicators.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defs, err := LoadDefinitions("indicators.yaml", b)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range bundled(t).Cards() {
		for _, v := range c.Variables {
			known[v.ID] = true
		}
		if c.Count != nil {
			for v := range c.Count.Series {
				known[v] = true
			}
		}
	}
	for _, d := range defs {
		for _, list := range [][]string{{d.Value}, d.Numerator, d.Denominator, d.Deciles, {d.Weight}} {
			for _, v := range list {
				if v != "" && v != d.ID && !known[v] {
					t.Errorf("%s: no card gives the variable %s", d.ID, v)
				}
			}
		}
	}
	_, err = LoadDefinitions("i.yaml", []byte("- {id: a, label: A, unit: '%', rule: moyenne, direction: neutre, value: a}\n- {id: a, label: A, unit: '%', rule: ratio, direction: neutre, denominator: [b]}\n"))
	for _, want := range []string{`i.yaml:1: a: rule: "moyenne"`, "given twice", "value or numerator", "a denominator needs one"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzLoadCard(f *testing.F) {
	f.Add(smallCard)
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := LoadCard("f.yaml", []byte(s)); err == nil && c.ID == "" {
			t.Errorf("a card without an id")
		}
	})
}
