package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/go-cmp/cmp"

	"observatoire/indicators"
)

// figures reads a table as lines "code variable.sexe.millesime value-or-statut", sorted, those of a long table among them.
func figuresOf(t *testing.T, table *Table, err error) (string, error) {
	t.Helper()
	if err != nil {
		return "", err
	}
	defer table.Release()
	var lines []string
	line := func(code, name string, v *array.Float64, s *array.Uint8, r int) {
		value := indicators.Statut(s.Value(r)).String()
		if !v.IsNull(r) {
			value = fmt.Sprint(v.Value(r))
		}
		lines = append(lines, code+" "+name+" "+value)
	}
	for table.Next() {
		rec := table.Record()
		for r := range int(rec.NumRows()) {
			code := rec.Column(0).ValueStr(r)
			if table.long != nil {
				line(code, fmt.Sprintf("%s.%s.%s", rec.Column(1).ValueStr(r), rec.Column(2).ValueStr(r), rec.Column(3).ValueStr(r)),
					rec.Column(4).(*array.Float64), rec.Column(5).(*array.Uint8), r)
				continue
			}
			for i, f := range rec.Schema().Fields() {
				if v, ok := rec.Column(i).(*array.Float64); ok {
					line(code, f.Name, v, rec.Column(i+1).(*array.Uint8), r)
				}
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), table.Err()
}

func openNamed(t *testing.T, c *Card, name, text string) (*Table, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(context.Background(), path, c, Scope{})
}

// What a card says of a family is enough to read each of its files.
func TestFamilies(t *testing.T) {
	tests := []struct{ name, card, file, text, want, err string }{
		{"two columns make the code, each with its lost zeros", `
key: ["DEPCOM:5 + IRIS:4"]
variables: [{id: a, columns: A, millesime: 2015}]`, "f.csv", "DEPCOM;IRIS;A\n1001;0;4\n2A004;0103;5\n;0103;\n", "010010000 a.T.2015 4\n2A0040103 a.T.2015 5", ""},
		{"half a code", `
key: ["DEPCOM:5 + IRIS:4"]
variables: [{id: a, columns: A, millesime: 2015}]`, "f.csv", "DEPCOM;IRIS;A\n1001;;4\n", "", "f.csv:2: DEPCOM: empty code"},
		{"the second column of a name", `
key: ["CODGEO#2"]
variables: [{id: a, columns: A, millesime: 2015}]`, "f.csv", "CODGEO;LIB;CODGEO;A\nx;y;13047;4\n", "13047 a.T.2015 4", ""},
		{"a prefix", `
key: [GEO]
key_prefix: ["{AAAA}-COM-", "COM-"]
variables: [{id: a, columns: A, millesime: 2015}]`, "f.csv", "GEO;A\n2024-COM-13047;4\nCOM-13063;5\n13039;6\n", "13039 a.T.2015 6\n13047 a.T.2015 4\n13063 a.T.2015 5", ""},
		{"some rows only", `
key: [C]
where: {AGE: _T, SEXE: [F, H]}
variables: [{id: a, columns: A, millesime: 2015}]`, "f.csv", "C;AGE;SEXE;A\n1;_T;F;4\n1;Y15;F;5\n2;_T;X;6\n", "1 a.T.2015 4", ""},
		{"a column of where is not there", `
key: [C]
where: {AGGE: _T}
variables: [{id: a, columns: A, millesime: 2015}]`, "f.csv", "C;AGE;A\n1;_T;4\n", "", `f.csv:1: no column "AGGE" (nearest: AGE`},
		{"sums, and names that drift", `
key: [C]
variables: [{id: sup, columns: ["P{AA}_SUP2 + P{AA}_SUP34", "P{AA}_SUP"], millesime: column}]`, "f.csv",
			"C;P17_SUP2;P17_SUP34;P14_SUP\n1;3;4;5\n2;3;s;\n", "1 sup.T.2014 5\n1 sup.T.2017 7\n2 sup.T.2014 non_disponible\n2 sup.T.2017 secret", ""},
		{"the sexes by a letter", `
key: [C]
files: ["f_{AAAA}.csv"]
blocks: [{millesime: edition, variables: {act: "P{AA}_{S}ACT"}}]`, "f_2015.csv", "C;P15_ACT;P15_FACT;P15_HACT\n1;7;3;4\n", "1 act.F.2015 3\n1 act.H.2015 4\n1 act.T.2015 7", ""},
		{"a column of a block is missing", `
key: [C]
files: ["f_{AAAA}.csv"]
blocks: [{millesime: edition, variables: {act: "P{AA}_{S}ACT"}}]`, "f_2015.csv", "C;P15_ACT;P15_FACT\n1;7;3\n", "", `no column "P15_HACT" for act`},
		{"a bad term of a sum is named", `
key: [C]
variables: [{id: a, columns: "A + B", millesime: 2015}]`, "f.csv", "C;A;B\n1;7;bof\n", "", `f.csv:2: B: "bof" is not a number`},
		{"long, variables by dimensions", `
key: [GEO]
long: {sexe: SEX, sexes: {_T: T, M: H}, millesime: PERIODE, value: V, statut: ST, statuts: {A: disponible, C: secret},
  series: {pop: {AGE: _T}, jeunes: {AGE: [Y0T14, Y_LT15]}}}`, "f.csv",
			"GEO;SEX;AGE;PERIODE;V;ST\n1;_T;_T;2020;10;A\n1;M;_T;2020;4,5;A\n1;F;Y_LT15;2020;;C\n1;F;Y90;2020;1;A\n",
			"1 jeunes.F.2020 secret\n1 pop.H.2020 4.5\n1 pop.T.2020 10", ""},
		{"long, a statut that is not explained", `
key: [GEO]
long: {millesime: PERIODE, value: V, statut: ST, statuts: {A: disponible}, series: {pop: {AGE: _T}}}`, "f.csv",
			"GEO;AGE;PERIODE;V;ST\n1;_T;2020;10;Z\n", "", `f.csv:2: ST: "Z" is not explained`},
		{"long, a figure said to be withheld", `
key: [GEO]
long: {millesime: PERIODE, value: V, statut: ST, statuts: {C: secret}, series: {pop: {AGE: _T}}}`, "f.csv",
			"GEO;AGE;PERIODE;V;ST\n1;_T;2020;10;C\n", "", "the figure is there, and said to be secret (C)"},
		{"long, a row of two variables", `
key: [GEO]
long: {millesime: PERIODE, value: V, series: {a: {AGE: _T}, b: {AGE: [_T, Y]}}}`, "f.csv",
			"GEO;AGE;PERIODE;V\n1;_T;2020;10\n", "", "f.csv:2: V: the row is both a and b"},
		{"long, the year of the file", `
key: [GEO]
files: ["f_{AAAA}.csv"]
long: {variable: IND, year: edition-1, value: V}`, "f_2020.csv", "GEO;IND;V\n1;pop;10\n", "1 pop.T.2019 10", ""},
	}
	for _, tt := range tests {
		c, err := LoadCard("essai.yaml", []byte("id: essai\nkind: table\nlevel: iris"+tt.card+"\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		table, err := openNamed(t, c, tt.file, tt.text)
		got, err := figuresOf(t, table, err)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
}

// A family of several levels: the file's name says which, or each row.
func TestLevels(t *testing.T) {
	byName, err := LoadCard("a.yaml", []byte(`id: a
kind: table
files: ["F{AAAA}_{NIVEAU}.csv"]
levels: {COM: commune, QPV: {level: qpv, vintage: 2024}}
vintage: edition+1
key: [CODGEO]
variables: [{id: a, columns: A, millesime: edition}]
`))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"F2019_COM.csv": "commune 2020", "f2019_qpv.csv": "qpv 2024"} {
		table, err := openNamed(t, byName, file, "CODGEO;A\n1;2\n")
		if err != nil {
			t.Error(err)
			continue
		}
		src, _ := table.Source()
		table.Release()
		if got := fmt.Sprintf("%s %d", src.Level, src.Vintage); got != want || !slices.Equal(byName.LevelsOf(file), []string{src.Level}) {
			t.Errorf("%s: %s, levels %v, want %s", file, got, byName.LevelsOf(file), want)
		}
	}
	if _, err := openNamed(t, byName, "F2019_ARR.csv", "CODGEO;A\n1;2\n"); err == nil || !strings.Contains(err.Error(), "does not hold the level that the card a needs") {
		t.Errorf("a level that is not known: %v", err)
	}
	byKey, err := LoadCard("k.yaml", []byte(`id: k
kind: table
files: ["*.csv"]
levels: {IRIS: iris, CODGEO: {level: commune, vintage: 2019}}
vintage: 2020
key: [IRIS, CODGEO]
variables: [{id: a, columns: A, millesime: 2018}]
`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"LIB;CODGEO;A\nx;13047;2\n": "commune 2019", "IRIS;A\n130470101;2\n": "iris 2020"} {
		table, err := openNamed(t, byKey, "x.csv", text)
		if err != nil {
			t.Error(err)
			continue
		}
		src, _ := table.Source()
		table.Release()
		if got := fmt.Sprintf("%s %d", src.Level, src.Vintage); got != want {
			t.Errorf("by key: %s, want %s", got, want)
		}
	}
	byRow, err := LoadCard("b.yaml", []byte(`id: b
kind: table
files: ["*.csv"]
levels: {COM: commune, ARM: commune, DEP: departement}
level_column: OBJET
where: {FREQ: A}
key: [GEO]
variables: [{id: a, columns: A, millesime: 2020}]
`))
	if err != nil {
		t.Fatal(err)
	}
	const text = "GEO;OBJET;FREQ;A\n13;DEP;A;1\n13047;COM;A;2\n13201;ARM;A;3\n13;REG;A;4\n13;DEP;M;5\n"
	if _, err := openNamed(t, byRow, "x.csv", text); err == nil || !strings.Contains(err.Error(), "name one of commune, departement") {
		t.Errorf("several levels at once: %v", err)
	}
	for level, want := range map[string]string{"commune": "13047 a.T.2020 2\n13201 a.T.2020 3", "departement": "13 a.T.2020 1"} {
		table, err := openNamed(t, byRow.At(level), "x.csv", text)
		if got, err := figuresOf(t, table, err); err != nil || got != want {
			t.Errorf("%s: %v\n%s", level, err, cmp.Diff(want, got))
		}
	}
}

// Two words may be one level of two vintages: the word in the name says which.
func TestWordsOfOneLevel(t *testing.T) {
	c, err := LoadCard("q.yaml", []byte(`id: q
kind: table
files: ["q_{AAAA}_{NIVEAU}.csv"]
levels: {QP24: {level: qpv, vintage: 2024}, QPV: {level: qpv, vintage: 2015}, IRIS: iris}
vintage: edition
key: [CODE]
variables: [{id: a, columns: A, millesime: edition}]
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"q_2022_QPV.csv": "qpv-2015", "q_2022_qp24.csv": "qpv-2024", "q_2022_IRIS.csv": "iris-2022"} {
		table, err := openNamed(t, c, name, "CODE;A\nX;1\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s-%d", table.source.Level, table.source.Vintage); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		table.Release()
	}
}

func TestLoadCardRefusesFamilies(t *testing.T) {
	const good = `id: f
kind: table
level: iris
files: ["f_{AAAA}.csv"]
key: [IRIS]
protection: {2015: blanchiment, 2024: perturbation}
breaks: [{millesime: 2019, variables: [a], text: "Changement de méthode"}]
blocks: [{millesime: edition, exploitation: complementaire, enquetes: cycle, variables: {a: A}}]
`
	c, err := LoadCard("f.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for edition, want := range map[int]string{2014: "", 2015: "blanchiment", 2023: "blanchiment", 2024: "perturbation", 2030: "perturbation"} {
		if got := c.Protection.Of(edition); got != want {
			t.Errorf("protection in %d: %q, want %q", edition, got, want)
		}
	}
	src := indicators.Source{Edition: 2024}
	columns := []indicators.Column{{Variable: "a", Millesime: 2022}, {Variable: "b", Millesime: 2022}}
	c.Describe(&src, columns)
	if src.Protection != "perturbation" || len(src.Breaks) != 1 || columns[0].Exploitation != "complementaire" || len(columns[0].Enquetes) != 5 || columns[1].Enquetes != nil {
		t.Errorf("described as %+v, %+v", src, columns)
	}
	tests := []struct{ old, new, want string }{
		{"level: iris", "levels: {IC: iris}", "say where a level is found"},
		{"level: iris", "levels: {IC: {niveau: iris}}\nlevel_column: N", `unknown key "niveau"`},
		{"level: iris", "level: iris\nlevel_column: N", "levels: missing"},
		{"key: [IRIS]", "key: [\"DEP + COM\"]", "a joined key is written COLUMN:WIDTH"},
		{"blanchiment", "flou", `protection: "flou"`},
		{"2015: blanchiment", "15: blanchiment", "15 is not a year"},
		{"variables: [a]", "variables: [z]", "breaks: z: no such variable"},
		{"text: \"Changement de méthode\"", "text: \"\"", "millesime and text are needed"},
		{"exploitation: complementaire", "exploitation: C", `exploitation: "C"`},
		{"exploitation: complementaire", "exploitacion: C", `f.yaml:8: unknown key "exploitacion": did you mean "exploitation"?`},
		{"enquetes: cycle", "enquetes: toutes", "cycle, or a map"},
		{"level: iris", "level: iris\nrelease_month: 13", "release_month: 13"},
		{"blocks:", "long: {value: V, variable: I}\nblocks:", "either variables, long or count"},
	}
	for _, tt := range tests {
		if !strings.Contains(good, tt.old) {
			t.Fatalf("no %q", tt.old)
		}
		_, err := LoadCard("f.yaml", []byte(strings.Replace(good, tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.new, err, tt.want)
		}
	}
}

// Five surveys a millésime, that of 2021 having been put off: 2017 and 2022 share the survey of 2019, 2016 and 2022 none.
func TestSurveys(t *testing.T) {
	cycle := Surveys{Cycle: true}
	for millesime, want := range map[int][]int{2005: nil, 2006: {2004, 2005, 2006, 2007, 2008}, 2016: {2014, 2015, 2016, 2017, 2018},
		2017: {2015, 2016, 2017, 2018, 2019}, 2019: {2016, 2017, 2018, 2019, 2020}, 2020: {2017, 2018, 2019, 2020, 2022},
		2022: {2019, 2020, 2022, 2023, 2024}, 2023: {2020, 2022, 2023, 2024, 2025}, 2024: {2022, 2023, 2024, 2025, 2026}} {
		if got := cycle.Of(millesime); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", millesime, got, want)
		}
	}
}
