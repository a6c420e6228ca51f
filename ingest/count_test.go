package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A file of one row a facility gives figures by zone and by category; what is not known of one row is not known of its zone. The files are
// invented.
func TestCount(t *testing.T) {
	const card = `
key: [IRIS]
tokens: {_U: non_disponible}
drop: [HZ]
count:
  year: edition
  weight: [NB]
  empty: [DPE]
  unplaced: ["*IND"]
  series: {tous: {}, ecoles: {T: [C1, C2]}, ecoles_publiques: {T: [C1, C2], S: P}, classes_f_g: {DPE: [F, G]}}
  sums: {surface: SURF}`
	const head = "IRIS;T;S;DPE;SURF\n"
	for _, tt := range []struct{ name, text, want, remark, err string }{
		{"rows, categories and sums", head + "A1;C1;P;F;10,5\nA2;D1;P;;1\nA1;C2;Q;A;2\n",
			"A1 classes_f_g.T.2020 1\nA1 ecoles.T.2020 2\nA1 ecoles_publiques.T.2020 1\nA1 surface.T.2020 12.5\nA1 tous.T.2020 2\n" +
				"A2 classes_f_g.T.2020 0\nA2 ecoles.T.2020 0\nA2 ecoles_publiques.T.2020 0\nA2 surface.T.2020 1\nA2 tous.T.2020 1", "", ""},
		{"a category that is not said", head + "A1;;P;A;1\nA1;_U;Q;A;1\n",
			"A1 classes_f_g.T.2020 0\nA1 ecoles.T.2020 non_disponible\nA1 ecoles_publiques.T.2020 non_disponible\nA1 surface.T.2020 2\nA1 tous.T.2020 2", "", ""},
		{"secret before all else, whatever the order", head + "A1;C1;s;A;s\nA1;C1;;A;\n",
			"A1 classes_f_g.T.2020 0\nA1 ecoles.T.2020 2\nA1 ecoles_publiques.T.2020 secret\nA1 surface.T.2020 secret\nA1 tous.T.2020 2", "", ""},
		{"another category, whatever the rest", head + "A1;D1;;A;1\n",
			"A1 classes_f_g.T.2020 0\nA1 ecoles.T.2020 0\nA1 ecoles_publiques.T.2020 0\nA1 surface.T.2020 1\nA1 tous.T.2020 1", "", ""},
		{"rows that stand for several", "IRIS;T;S;DPE;SURF;NB\nA1;C1;P;A;1;3\nA1;C1;P;A;1;s\n",
			"A1 classes_f_g.T.2020 0\nA1 ecoles.T.2020 secret\nA1 ecoles_publiques.T.2020 secret\nA1 surface.T.2020 2\nA1 tous.T.2020 secret", "", ""},
		{"rows in no zone", head + ";C1;P;A;1\n13IND;C1;P;A;1\nHZ;C1;P;A;1\n", "", "2 lignes sans zone (niveau iris) ne sont comptées dans aucune", ""},
		{"a figure that is none", head + "A1;C1;P;A;douze\nA1;C1;P;A;treize\n", "", "", `f_2020.csv:3: SURF: "treize" is not a number`},
		{"a column that is missing", "IRIS;TT;S;DPE;SURF\n", "", "", `f_2020.csv:1: no column "T" (nearest: S, TT`},
	} {
		c, err := LoadCard("essai.yaml", []byte("id: essai\nkind: table\nlevel: iris\nfiles: [\"f_{AAAA}.csv\"]"+card+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		table, err := openNamed(t, c, "f_2020.csv", tt.text)
		got, err := figuresOf(t, table, err)
		if tt.err != "" {
			if err == nil || strings.Count(err.Error(), tt.err) != 1 {
				t.Errorf("%s: %v, want %q once", tt.name, err, tt.err)
			}
			continue
		}
		src, _ := table.Source()
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil || strings.Join(src.Remarques, "") != tt.remark {
			t.Errorf("%s: %v, %q\n%s", tt.name, err, src.Remarques, diff)
		}
	}
}

// More zones than a record holds come in several, by code.
func TestCountManyZones(t *testing.T) {
	c, err := LoadCard("essai.yaml", []byte("id: essai\nkind: table\nlevel: iris\nkey: [IRIS]\ncount: {year: 2020, series: {tous: {}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var text, want strings.Builder
	text.WriteString("IRIS\n")
	for i := range 2 * batchRows {
		fmt.Fprintf(&text, "%06d\n%06d\n", 2*batchRows-1-i, i)
		fmt.Fprintf(&want, "%06d tous.T.2020 2\n", i)
	}
	table, err := openNamed(t, c, "f.csv", text.String())
	got, err := figuresOf(t, table, err)
	if err != nil || got+"\n" != want.String() {
		t.Errorf("%v: %d bytes, want %d", err, len(got), want.Len())
	}
	if src, _ := table.Source(); src.Rows != 4*batchRows {
		t.Errorf("%d rows", src.Rows)
	}
}

// The catalogue's own: each key a file has gives its own zones, of their own vintage.
func TestCountedByEachKey(t *testing.T) {
	const bpe = "AN;DEPCOM;DCIRIS;QP2024;TYPEQU;LAMBERT_X;LAMBERT_Y\n2024;13047;130470101;QN01361I;D265;1;2\n2024;13047;130470101;_Z;C107;1;2\n2024;13063;_U;HZ;A128;;\n"
	const rpls = "DEPCOM;PLG_IRIS;PLG_QP;NBPIECE;DPEENERGIE\n1004;101;HZ;3;\n01004;0101;QP001001;1;G\n01005;CSZ;;2;C\n"
	for _, tt := range []struct{ card, file, text, want string }{
		{"bpe", "BPE24.csv", bpe, "commune-2024 13047 equipements_ecoles.T.2024 1\ncommune-2024 13063 equipements.T.2024 1\n" +
			"iris-2024 130470101 equipements.T.2024 2\niris-2024 130470101 equipements_medecins_generalistes.T.2024 1\nqpv-2024 QN01361I equipements.T.2024 1\n" +
			"qpv-2024 QN01361I equipements_medecins_generalistes.T.2024 1"},
		{"bpe", "bpe18_ensemble.csv", "DEPCOM;DCIRIS;AN;TYPEQU;NB_EQUIP\n01001;010010000;2018;D201;3\n", "commune-2018 01001 equipements_medecins_generalistes.T.2018 3\niris-2018 010010000 equipements.T.2018 3"},
		{"rpls-logements", "RPLS_2020_logements.csv", rpls, "commune-2020 01004 logements_sociaux.T.2020 1\niris-2020 010040101 logements_sociaux.T.2020 2\n" +
			"iris-2020 010040101 logements_sociaux_dpe_connu.T.2020 1\nqpv-2015 QP001001 logements_sociaux_1_2_pieces.T.2020 1"},
	} {
		c, _ := bundled(t).Card(tt.card)
		table, err := openNamed(t, c, tt.file, tt.text)
		if err != nil {
			t.Error(err)
			continue
		}
		table.Release()
		list, err := c.Counted(table.path)
		var all []string
		for _, at := range list {
			table, err := openNamed(t, at, tt.file, tt.text)
			src, _ := table.Source()
			got, err := figuresOf(t, table, err)
			if err != nil {
				t.Error(err)
			}
			for line := range strings.SplitSeq(got, "\n") {
				all = append(all, fmt.Sprintf("%s-%d %s", src.Level, src.Vintage, line))
			}
		}
		if err != nil {
			t.Error(err)
		}
		text := strings.Join(all, "\n") + "\n"
		for line := range strings.SplitSeq(tt.want, "\n") {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s: no %s in\n%s", tt.file, line, text)
			}
		}
	}
}

func TestLoadCardRefusesCounts(t *testing.T) {
	const good = "id: f\nkind: table\nlevel: iris\nkey: [IRIS]\ncount: {year: 2020, series: {a: {T: X}}, sums: {b: B}, empty: [T]}\n"
	if _, err := LoadCard("f.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{"series: {a: {T: X}}, sums: {b: B}, empty: [T]", "weight: [NB]", "f.yaml:5: count: series or sums"},
		{"sums: {b: B}", "sums: {a: B}", "count: a: given under series and under sums"},
		{"sums: {b: B}", "sums: {b: \"\"}", "count: sums: b: the column to add"},
		{"empty: [T]", "empty: [U]", "count: empty: U: no variable asks"},
		{"empty: [T]", "unplaced: [\"[\"]", `count: unplaced: "[" is no pattern`},
		{"year: 2020", "year: column", "count: year"},
		{"year: 2020", "an: 2020", `f.yaml:5: unknown key "an"`},
		{"\ncount", "\nvariables: [{id: v, columns: V, millesime: 2020}]\ncount", "either variables, long or count"},
	} {
		_, err := LoadCard("f.yaml", []byte(strings.Replace(good, tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.new, err, tt.want)
		}
	}
}
