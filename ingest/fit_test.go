package ingest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFit(t *testing.T) {
	const wide = `id: large
kind: table
level: iris
files: ["large_{AAAA}.csv"]
key: [CODE_IRIS, IRIS]
blocks:
  - millesime: edition
    note: [NOTE]
    variables:
      mediane: "MED{AA}"
      actifs: "P{AA}_{S}ACT"
  - {millesime: edition, optional: true, variables: {rare: "RARE{AA}"}}
`
	const long = `id: longue
kind: table
levels: {COM: commune, QPV2024: {level: qpv, vintage: 2024}}
level_column: OBJET
files: ["longue_*.csv"]
key: [GEO]
where: {FREQ: A}
long: {sexe: SEX, sexes: {_T: T, M: H}, millesime: PERIODE, value: VALEUR, series: {population: {AGE: _T}, jeunes: {AGE: [Y0T14, Y15T24]}}}
`
	cat, err := LoadCatalogue(fstest.MapFS{"a.yaml": {Data: []byte(wide)}, "b.yaml": {Data: []byte(long)}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		base   string
		header []string
		card   string // the best; "" when none fits
		found  int
		year   int
		level  string
		miss   []string
		extra  []string
	}{
		{"all there", "large_2019.csv", []string{"IRIS", "MED19", "P19_ACT", "P19_FACT", "P19_HACT", "NOTE"}, "large", 4, 2019, "iris", nil, nil},
		{"another name, the header dates it", "export.csv", []string{"\uFEFFIRIS ", "LIB", "MED17", "P17_ACT", "P17_FACT", "P17_HACT"}, "large", 4, 2017, "iris", nil, []string{"LIB"}},
		{"optional one too", "large_2019.csv", []string{"IRIS", "MED19", "P19_ACT", "P19_FACT", "P19_HACT", "RARE19"}, "large", 5, 2019, "iris", nil, nil},
		{"columns of another year", "large_2019.csv", []string{"IRIS", "MED18"}, "large", 0, 2019, "iris", []string{"MED19", "P19_ACT", "P19_FACT", "P19_HACT"}, []string{"MED18"}},
		{"too few columns", "export.csv", []string{"IRIS", "MED18"}, "", 0, 0, "", nil, nil},
		{"name alone", "large_2020.csv.gz", nil, "large", 0, 2020, "iris", []string{"MED20", "P20_ACT", "P20_FACT", "P20_HACT"}, nil},
		{"long", "donnees.csv", []string{"GEO", "OBJET", "SEX", "AGE", "FREQ", "PERIODE", "VALEUR"}, "longue", 6, 0, "commune", nil, nil},
		{"nothing in common", "x.csv", []string{"a", "b"}, "", 0, 0, "", nil, nil},
	}
	for _, tt := range tests {
		fits := cat.Fit(tt.base, tt.header)
		if len(fits) == 0 || tt.card == "" {
			if len(fits) != 0 || tt.card != "" {
				t.Errorf("%s: %d cards fit, want %q", tt.name, len(fits), tt.card)
			}
			continue
		}
		f := fits[0]
		if f.Card.ID != tt.card || f.Found != tt.found || f.Edition != tt.year || !slices.Contains(f.Levels, tt.level) ||
			!slices.Equal(f.Missing, tt.miss) || !slices.Equal(f.Extra, tt.extra) || f.Score <= 0 || f.Score > 1 {
			t.Errorf("%s: %s: %+v", tt.name, f.Card.ID, f)
		}
	}
	if a, b := cat.Fit("large_2019.csv", tests[0].header)[0], cat.Fit("x.csv", tests[1].header)[0]; a.Score != 1 || a.Score <= b.Score {
		t.Errorf("scores %v and %v: want 1, and less under another name", a.Score, b.Score)
	}
}

// A table opened in a spreadsheet and saved keeps its name but for the extension: its card and its year are found.
func TestSavedInAnotherFormat(t *testing.T) {
	table := func(id string, files ...string) *Card {
		return &Card{ID: id, Kind: "table", Level: "qpv", Files: files, Variables: []Variable{{ID: "a", Traits: Traits{Millesime: YearRule{Offset: new(int)}}}}}
	}
	c := &Catalogue{cards: map[string]*Card{"demo": table("demo", "DEMO_{AAAA}.csv"), "iris": table("iris", "iris_{AAAA}.csv"), "passage": table("passage", "iris_{AAAA}.xlsx")},
		ids: []string{"demo", "iris", "passage"}}
	for name, want := range map[string]string{
		"DEMO_2022.csv.gz": "demo", "DEMO_2022.ods": "demo", "demo_2022.XLSX": "demo", "DEMO_2022.ods#Feuille1": "demo", "kit.zip/DEMO_2022.xls": "demo",
		"DEMO_2022.shp": "", "DEMO_2022.ods.zip": "", "DEMO_22.ods": "", "iris_2021.csv": "iris", "iris_2021.xlsx": "passage", "iris_2021.ods": "iris passage",
		"DEMO_2022 #1.csv": "",
	} {
		var got []string
		for _, card := range c.Match(name) {
			if year, ok := card.edition(name); !ok || year < 2021 {
				t.Errorf("%s: the card %s reads the year %d, %v", name, card.ID, year, ok)
			}
			got = append(got, card.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: cards %v, want %q", name, got, want)
		}
	}
}
