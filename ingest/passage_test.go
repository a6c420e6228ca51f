package ingest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"observatoire/geo"
	"observatoire/indicators"
)

// passageText writes where each zone went: "13011 → 13010 (1)"; a share that is not known is "?".
func passageText(p indicators.Passage) string {
	var b strings.Builder
	for _, code := range slices.Sorted(maps.Keys(p.Parts)) {
		for _, part := range p.Parts[code] {
			share := "?"
			if part.Share.OK {
				share = indicators.FormatNumber(part.Share.V)
			}
			fmt.Fprintf(&b, "%s → %s (%s)\n", code, part.Code, share)
		}
	}
	return b.String()
}

func writeSheet(t *testing.T, path, sheet string, rows ...[]any) {
	t.Helper()
	x := excelize.NewFile()
	defer x.Close()
	if err := x.SetSheetName("Sheet1", "Documentation"); err != nil {
		t.Fatal(err)
	}
	if _, err := x.NewSheet(sheet); err != nil {
		t.Fatal(err)
	}
	if err := x.SetCellStr(sheet, "A1", "Table de passage, invented"); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows { // the header of these files stands on row 6
		if err := x.SetSheetRow(sheet, fmt.Sprintf("A%d", 6+i), &row); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.SaveAs(path); err != nil {
		t.Fatal(err)
	}
}

// Each family of tables, in the shape its producer gives it, by its bundled card. The codes are invented.
func TestReadPassage(t *testing.T) {
	dir := t.TempDir()
	cat := bundled(t)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("v_mvtcommune_2023.csv", `MOD,DATE_EFF,TYPECOM_AV,COM_AV,LIBELLE_AV,TYPECOM_AP,COM_AP,LIBELLE_AP
10,2016-03-01,COM,13005,Un,COM,13005,Un autre nom
32,2016-01-01,COM,13010,A,COM,13010,A
32,2016-01-01,COM,13011,B,COM,13010,A
32,2016-01-01,COM,13011,B,COMD,13011,B
32,2017-06-30,COM,13010,A,COM,13012,C
32,2017-06-30,COM,13012,C,COM,13012,C
21,2018-01-01,COM,13020,D,COM,13020,D
21,2018-01-01,COM,13020,D,COM,13021,E
41,2014-01-01,COM,13030,F,COM,13031,F
`)
	writeSheet(t, filepath.Join(dir, "table_passage_annuelle_2023.xlsx"), "COM",
		[]any{"NIVGEO", "CODGEO_2013", "CODGEO_2018", "CODGEO_2023", "LIBGEO_2023"},
		[]any{"COM", "01001", "01001", "01001", "Un"}, []any{"COM", "13010", "13010", "13012", "C"}, []any{"COM", "13011", "13010", "13012", "C"},
		[]any{"COM", "13012", "13012", "13012", "C"}, []any{"COM", "13020", "13020", "13020", "D"}, []any{"COM", "13020", "13021", "13021", "E"},
		[]any{"COM", nil, "13099", "13099", "G"})
	writeSheet(t, filepath.Join(dir, "table_passage_geo2003_geo2023.xlsx"), "Table de passage",
		[]any{"NIVGEO", "CODGEO_INI", "LIBGEO_INI", "CODGEO_2023", "LIBGEO_2023"}, []any{"COM", "13010", "A", "13012", "C"},
		[]any{"COM", "13012", "C", "13012", "C"}, []any{"COM", "13040", "H", "13040", "H"})
	writeSheet(t, filepath.Join(dir, "reference_IRIS_geo2021.xlsx"), "Modifications_IRIS",
		[]any{"ANNEE_MODIF", "IRIS_INI", "COM_INI", "LIB_COM_INI", "IRIS_FIN", "COM_FIN", "LIB_COM_FIN", "MODIF_IRIS", "NATURE_MODIF"},
		[]any{2016, "130690101", "13069", "V", "130690102", "13069", "V", 1, "x"}, []any{2016, "130690102", "13069", "V", "130690101", "13069", "V", 1, "x"},
		[]any{2019, "010010000", "01001", "U", "010010101", "01001", "U", 1, "Partage"}, []any{2019, "010010000", "01001", "U", "010010102", "01001", "U", 1, "Partage"},
		[]any{2021, "130690102", "13069", "V", "130690103", "13069", "V", 1, "x"})
	write("maison.csv", "avant;apres;part\nA;A;0,25\nA;B;0,75\nC;C;\nD;C;\n")
	merged := "13010 → 13012 (1)\n13011 → 13012 (1)\n13012 → 13012 (1)\n"
	tests := []struct {
		file, card string
		from, to   geo.Layer
		want       string
		findings   int
	}{
		{"v_mvtcommune_2023.csv", "", "commune-2015", "commune-2018", merged + "13020 → 13020 (?)\n13020 → 13021 (?)\n", 0},
		{"v_mvtcommune_2023.csv", "", "commune-2015", "commune-2017", "13010 → 13010 (1)\n13011 → 13010 (1)\n", 0},
		{"v_mvtcommune_2023.csv", "", "commune-2013", "commune-2014", "13030 → 13031 (1)\n", 0},
		{"v_mvtcommune_2023.csv", "", "commune-2018", "commune-2015", "13012 → 13010 (?)\n13012 → 13011 (?)\n13012 → 13012 (?)\n13020 → 13020 (1)\n13021 → 13020 (1)\n", 0},
		{"table_passage_annuelle_2023.xlsx", "", "commune-2013", "commune-2023", merged + "13020 → 13020 (?)\n13020 → 13021 (?)\n", 1},
		{"table_passage_annuelle_2023.xlsx", "", "commune-2013", "commune-2018", "13010 → 13010 (1)\n13011 → 13010 (1)\n13020 → 13020 (?)\n13020 → 13021 (?)\n", 1},
		{"table_passage_geo2003_geo2023.xlsx", "", "commune-2015", "commune-2023", "13010 → 13012 (1)\n13012 → 13012 (1)\n", 0},
		{"reference_IRIS_geo2021.xlsx", "", "iris-2013", "iris-2016", "130690101 → 130690102 (1)\n130690102 → 130690101 (1)\n", 0},
		{"reference_IRIS_geo2021.xlsx", "", "iris-2013", "iris-2021", "010010000 → 010010101 (?)\n010010000 → 010010102 (?)\n130690101 → 130690103 (1)\n130690102 → 130690101 (1)\n", 0},
		{"maison.csv", "passage", "secteur-2020", "secteur-2022", "A → A (0.25)\nA → B (0.75)\nC → C (1)\nD → C (1)\n", 0},
	}
	for _, tt := range tests {
		var card *Card
		if tt.card != "" {
			card, _ = cat.Card(tt.card)
		} else if cards := cat.Match(tt.file); len(cards) == 1 {
			card = cards[0]
		}
		if card == nil {
			t.Errorf("%s: no card", tt.file)
			continue
		}
		p, findings, err := ReadPassage(filepath.Join(dir, tt.file), card, tt.from, tt.to)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if got := passageText(p); got != tt.want || p.From != tt.from || p.To != tt.to || len(findings) != tt.findings {
			t.Errorf("%s from %s to %s:\n%swant\n%s%v", tt.file, p.From, p.To, got, tt.want, findings)
		}
	}
}

func TestReadPassageRefuses(t *testing.T) {
	cat := bundled(t)
	tests := []struct{ card, text, want string }{
		{"passage", "avant;apres;part\nA;A;0,2\nA;B;0,3\n", "the shares of A add up to 0.5, not 1"},
		{"passage", "avant;apres;part\nA;B;2\n", `p.csv:2: part: "2" is not a share between 0 and 1`},
		{"passage", "avant;apres;part\nA;B;x\n", `p.csv:2: part: "x" is not a number`},
		{"passage", "avant;apres;part\nA;B;0,2\nA;C;0,8\nA;B;0,3\n", "p.csv:4: apres: A goes to B on another row, with another share"},
		{"passage", "avant;apres\n", "no row after the header"},
		{"passage", "code;nom\nA;B\n", "no header with the codes before (avant) and after (apres, après)"},
		{"passage-communes-mouvements", "DATE_EFF,TYPECOM_AV,COM_AV,TYPECOM_AP,COM_AP\n2016-13-45x,COM,13001,COM,13002\n", `p.csv:2: DATE_EFF: "2016-13-45x" is no date`},
		{"passage-communes-mouvements", "DATE_EFF,COM_AV,COM_AP\n2016-01-01,13001,13002\n", `no column "TYPECOM_AP"`},
		{"passage-communes-mouvements", "TYPECOM_AV,COM_AV,TYPECOM_AP,COM_AP\nCOM,13001,COM,13002\n", `no column "DATE_EFF"`},
		{"passage-communes", "CODGEO_2003;CODGEO_2023\n13001;13001\n", "does this table cover 2015 to 2018?"},
		{"filosofi-iris", "a;b\n1;2\n", "describes a table, not a passage"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "p.csv")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		card, ok := cat.Card(tt.card)
		if !ok {
			t.Fatal(tt.card)
		}
		if _, _, err := ReadPassage(path, card, "commune-2015", "commune-2018"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
}
