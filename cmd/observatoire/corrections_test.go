package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

const correctionsHeader = "fiche;variable;code;millesime;sexe;valeur;motif;auteur;jusqu_au\n"

func correctionsIn(t *testing.T, dir, rows string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "corrections.csv"), []byte(correctionsHeader+rows), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCorrections(t *testing.T) {
	dir := demoProject(t)
	correctionsIn(t, dir, "demo-commune;population;13039;2015;T;15860;arrondi du bulletin;L. Martin;2020-12-31\n"+
		"demo-qpv;population;QP013061;inconnu;;retirer;contredit par le recensement;L. Martin;\n"+
		"demo-ops;ops_logements;RES-01;2014;T;121;un logement oublié;L. Martin;\n")
	must(t, "-C", dir, "run", "--date", "2020-12-31", "--publish", "--by", "test")
	rows := readCSV(t, must(t, "-C", dir, "series", "--indicator", "population", "--zone", "13039", "--format", "csv"))
	last := rows[len(rows)-1]
	if last["valeur"] != "15860" || !strings.HasSuffix(last["source"], "(corrigé)") {
		t.Errorf("Fos-sur-Mer: %v", last)
	}
	if got := seriesOf(t, dir, "population", "--zone", "QP013061"); got["QP013061 T "] != "non_disponible" && got["QP013061 T"] != "non_disponible" {
		t.Errorf("Le Prépaou, taken out: %v", got)
	}
	if got := seriesOf(t, dir, "ops_logements")["QP013061 T 2014"]; got != "217" {
		t.Errorf("a corrected residence: %s dwellings in Le Prépaou, want 217", got)
	}
	review := must(t, "-C", dir, "review")
	if !strings.Contains(review, "corrigé : 13039, population, 2015, T : 15860 au lieu de 15859 (arrondi du bulletin ; L. Martin, jusqu'au 2020-12-31)") {
		t.Errorf("review:\n%s", review)
	}
	note := ""
	for _, v := range readDemoEdition(t, dir, nil).Values {
		if v.Code == "13039" && v.Indicateur == "population" && v.Millesime == 2015 {
			note = v.Note
		}
	}
	if !strings.Contains(note, "corrigé : arrondi du bulletin (L. Martin)") {
		t.Errorf("note of the value: %q", note)
	}
	snap := filepath.Join(t.TempDir(), "s.csv")
	must(t, "-C", dir, "export", "--format", "csv", "--what", "series", "-o", snap)

	must(t, "-C", dir, "run", "--date", "2021-01-01", "--publish", "--by", "test")
	rows = readCSV(t, must(t, "-C", dir, "series", "--indicator", "population", "--zone", "13039", "--format", "csv"))
	if v := rows[len(rows)-1]["valeur"]; v != "15859" {
		t.Errorf("after its last day: %s, want the producer's 15859", v)
	}
	if review := must(t, "-C", dir, "review"); !strings.Contains(review, "la correction de 13039, population, 2015, T (L. Martin) a pris fin le 2020-12-31 et n'est plus appliquée") {
		t.Errorf("review:\n%s", review)
	}
}

// A workbook of corrections reads as the text file does, with dates as Excel keeps them.
func TestCorrectionsWorkbook(t *testing.T) {
	dir := demoProject(t)
	f := excelize.NewFile()
	for i, h := range correctionColumns {
		cell, err := excelize.CoordinatesToCellName(i+1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetCellValue("Sheet1", cell, h); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.SetSheetRow("Sheet1", "A2", &[]any{"demo-commune", "population", "13039", 2015, "T", 15861, "essai", "L. Martin", 44196}); err != nil {
		t.Fatal(err)
	}
	if err := f.SaveAs(filepath.Join(dir, "corrections.xlsx")); err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]string{"2020-12-31": "15861", "2021-01-01": "15859"} {
		must(t, "-C", dir, "run", "--date", day, "--publish", "--by", "test")
		rows := readCSV(t, must(t, "-C", dir, "series", "--indicator", "population", "--zone", "13039", "--format", "csv"))
		if v := rows[len(rows)-1]["valeur"]; v != want {
			t.Errorf("on %s: %s, want %s", day, v, want)
		}
	}
}

func TestCorrectionsRefused(t *testing.T) {
	for _, tt := range []struct{ name, rows, want string }{
		{"no reason", "demo-commune;population;13039;2015;T;1;;A;\n", "corrections.csv:2: motif: empty"},
		{"no author", "demo-commune;population;13039;2015;T;1;x;;\n", "corrections.csv:2: auteur: empty"},
		{"no value", "demo-commune;population;13039;2015;T;;x;A;\n", "corrections.csv:2: valeur: empty: the right figure; or retirer"},
		{"not a number", "demo-commune;population;13039;2015;T;mille;x;A;\n", `corrections.csv:2: valeur: "mille"`},
		{"not a year", "demo-commune;population;13039;15;T;1;x;A;\n", `corrections.csv:2: millesime: "15" is not a year`},
		{"not a sex", "demo-commune;population;13039;2015;X;1;x;A;\n", `corrections.csv:2: sexe: "X"`},
		{"not a day", "demo-commune;population;13039;2015;T;1;x;A;fin 2020\n", `corrections.csv:2: jusqu_au: "fin 2020" is not a day`},
		{"twice", "demo-commune;population;13039;2015;T;1;x;A;\ndemo-commune;population;13039;2015;T;2;x;A;\n", "corrections.csv:3: code: this cell is corrected on line 2 already"},
		{"no such zone", "demo-commune;population;13001;2015;T;1;x;A;\n", "corrections.csv:2: no such cell: 13001, population, 2015, T: the variable is there for demo-commune T"},
		{"no such variable", "demo-commune;populations;13039;2015;T;1;x;A;\n", "no table of the project has this variable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := demoProject(t)
			correctionsIn(t, dir, tt.rows)
			code, _, errs := cli(t, "-C", dir, "run")
			if code != exitRefused || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, want %q:\n%s", code, tt.want, errs)
			}
		})
	}
}
