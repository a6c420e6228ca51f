package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// templateOf writes a workbook whose cells A1, A2… bear the names, and B2 a formula of A1.
func templateOf(t *testing.T, path string, names ...string) {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close() //nolint:errcheck // only removes temporary files
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(f.SetSheetName("Sheet1", "Bilan de l'année"))
	format := "0.000"
	style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format, Font: &excelize.Font{Bold: true}})
	check(err)
	check(f.SetCellStyle("Bilan de l'année", "A1", "A1", style))
	check(f.SetCellFormula("Bilan de l'année", "B2", "A1*2"))
	check(f.SetCellValue("Bilan de l'année", "C1", "à côté"))
	for i, name := range names {
		check(f.SetDefinedName(&excelize.DefinedName{Name: name, RefersTo: "'Bilan de l''année'!$A$" + strconv.Itoa(i+1)}))
	}
	check(f.SetDefinedName(&excelize.DefinedName{Name: "autre", RefersTo: "'Bilan de l''année'!$C$1"}))
	check(f.SaveAs(path))
}

// A workbook of the user's own is filled by the names of its cells, each figure as the edition has it; the rest of it stays.
func TestExportTemplate(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	path, out := filepath.Join(dir, "modele.xlsx"), filepath.Join(dir, "bilan.xlsx")
	templateOf(t, path, "obs.taux_chomage.QP013061.2010.F", "OBS.part_cmuc.qp013061.2010.h", "obs.population.QP013061", "obs.taux_chomage.QP013061.2010.F.methode",
		"obs.nom.ECHOPPES", "obs.edition", "obs.taux_chomage.QP013061.1987", "obs.taux_chomage.QP013061.2010.F.ecart_commune", "obs.nom.MOLIERES_1", "obs.taux_chomage.QP013061.2010.F.source")
	code, _, errs := cli(t, "-C", dir, "export", "--template", path, "-o", out)
	if code != exitDone || !strings.Contains(errs, "Bilan de l'année!A7 (obs.taux_chomage.QP013061.1987): pas de chiffre") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only removes temporary files
	if list := f.GetSheetList(); len(list) != 2 || list[0] != "Lisez-moi" {
		t.Errorf("sheets %v: Lisez-moi comes first", list)
	}
	ecarts := filepath.Join(dir, "ecarts.csv")
	must(t, "-C", dir, "export", "--what", "ecarts", "--format", "csv", "-o", ecarts)
	text, err := os.ReadFile(ecarts)
	if err != nil {
		t.Fatal(err)
	}
	gap := ""
	for _, row := range readCSV(t, string(text)) {
		if row["indicateur"] == "taux_chomage" && row["code"] == "QP013061" && row["sexe"] == "F" && row["millesime"] == "2010" && strings.HasPrefix(row["reference"], "commune") {
			gap = row["ecart"]
			if gap == "" {
				gap = "écart refusé : " + row["motif"]
			}
		}
	}
	series := seriesOf(t, dir, "taux_chomage")
	for cell, want := range map[string]string{"A1": series["QP013061 F 2010"], "A2": seriesOf(t, dir, "part_cmuc")["QP013061 H 2010"], "A3": "3100", "A4": "moyenne des IRIS",
		"A5": "Les Échoppes", "A7": "pas de chiffre", "A8": gap, "C1": "à côté"} {
		got, err := f.GetCellValue("Bilan de l'année", cell, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", cell, got, want)
		}
	}
	if shown, _ := f.GetCellValue("Bilan de l'année", "A1"); shown != "17.000" {
		t.Errorf("A1 is shown %q: its style is the template's", shown)
	}
	if formula, _ := f.GetCellFormula("Bilan de l'année", "B2"); formula != "A1*2" {
		t.Errorf("the formula is %q", formula)
	}
	readme, err := f.GetRows("Lisez-moi")
	if err != nil {
		t.Fatal(err)
	}
	if last := strings.Join(readme[len(readme)-1], "|"); len(readme) < 14 || !strings.Contains(last, "obs.") {
		t.Errorf("Lisez-moi: %d rows, the last %q", len(readme), last)
	}
	must(t, "-C", dir, "export", "--template", path, "-o", out)
	if again, err := os.ReadFile(out); err != nil || !bytes.Equal(first, again) {
		t.Errorf("filled again, it is another file (%v)", err)
	}
}

// Every name that means nothing is told, with its cell; nothing is written.
func TestExportTemplateRefused(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	path, out := filepath.Join(dir, "modele.xlsx"), filepath.Join(dir, "bilan.xlsx")
	templateOf(t, path, "obs.taux_chomag.QP013061", "obs.taux_chomage.QP999999", "obs.taux_chomage", "obs.taux_chomage.QP013061.2010.ecart_lune", "obs.taux_chomage.QP013061.hier")
	code, _, errs := cli(t, "-C", dir, "export", "--template", path, "-o", out)
	for _, want := range []string{"cell A1: the name obs.taux_chomag.QP013061: no indicator taux_chomag", "cell A2: the name obs.taux_chomage.QP999999: no zone", "cell A3: the name", "cell A4: the name", `cell A5: the name obs.taux_chomage.QP013061.hier: "hier" is neither`} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not said:\n%s", want, errs)
		}
	}
	if code != exitRefused || exists(out) {
		t.Errorf("exit %d", code)
	}
	templateOf(t, path)
	if code, _, errs := cli(t, "-C", dir, "export", "--template", path, "-o", out); code != exitRefused || !strings.Contains(errs, "no cell is named obs.") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if err := os.WriteFile(path, []byte("pas un classeur"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := cli(t, "-C", dir, "export", "--template", path, "-o", out); code != exitRefused || !strings.Contains(errs, "cannot be read as a workbook") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, _ := cli(t, "-C", dir, "export", "--template", path, "-o", filepath.Join(dir, "bilan.csv")); code != exitUsage {
		t.Errorf("exit %d for another kind of file", code)
	}
}
