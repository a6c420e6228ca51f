package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// tree reads every file of a project.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// exported writes the workbook of a project, and gives it to be changed.
func exported(t *testing.T, dir string, change func(f *excelize.File)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reglages.xlsx")
	must(t, "-C", dir, "spreadsheet", "export", "-o", path)
	f, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(f)
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// cellOf is the name of the cell of a column in the row whose cell in another is a text.
func cellOf(t *testing.T, f *excelize.File, sheet, key, value, column string) string {
	t.Helper()
	rows, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, h := range rows[0] {
		at[h] = i
	}
	for i, row := range rows {
		if at[key] < len(row) && row[at[key]] == value {
			name, err := excelize.CoordinatesToCellName(at[column]+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			return name
		}
	}
	t.Fatalf("%s: no %s %q", sheet, key, value)
	return ""
}

func setCell(t *testing.T, f *excelize.File, sheet, cell string, v any) {
	t.Helper()
	if err := f.SetCellValue(sheet, cell, v); err != nil {
		t.Fatal(err)
	}
}

// A workbook that nobody changed changes no byte, saved again by LibreOffice or not.
func TestSpreadsheetUntouched(t *testing.T) {
	dir := demoProject(t)
	correctionsIn(t, dir, "demo-commune;population;13039;2015;T;15860;arrondi du bulletin;L. Martin;2020-12-31\n")
	before := tree(t, dir)
	path := exported(t, dir, func(*excelize.File) {})
	for _, p := range []string{path, resaved(t, path)} {
		code, _, errs := cli(t, "-C", dir, "spreadsheet", "import", p)
		if code != exitDone || !strings.Contains(errs, "nothing changed") {
			t.Errorf("exit %d: %s", code, errs)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	}
}

// Only what changed is written, and the project still runs.
func TestSpreadsheetChanges(t *testing.T) {
	dir := demoProject(t)
	correctionsIn(t, dir, "")
	before := tree(t, dir)
	path := exported(t, dir, func(f *excelize.File) {
		setCell(t, f, sheetIndicateurs, cellOf(t, f, sheetIndicateurs, "identifiant", "population", "libellé"), "Habitants : population municipale")
		setCell(t, f, sheetIndicateurs, cellOf(t, f, sheetIndicateurs, "identifiant", "taux_chomage", "décimales"), 2)
		setCell(t, f, sheetIndicateurs, cellOf(t, f, sheetIndicateurs, "identifiant", "taux_chomage", "peut sortir de 0–100"), "oui")
		setCell(t, f, sheetIndicateurs, cellOf(t, f, sheetIndicateurs, "identifiant", "taux_chomage", "base du sondage"), "{variable: population}")
		rows, err := f.GetRows(sheetIndicateurs)
		if err != nil {
			t.Fatal(err)
		}
		row := []any{"part_logements_pleins", "Part des logements occupés", "Logement", "%", "neutre", "ratio", "T", 1, "", "ops_menages", "ops_logements", 100}
		if err := f.SetSheetRow(sheetIndicateurs, "A"+strings.TrimLeft(cellOf(t, f, sheetIndicateurs, "identifiant", rows[len(rows)-1][0], "identifiant"), "A"), &row); err != nil {
			t.Fatal(err)
		} // in place of the last one
		if err := f.SetSheetRow(sheetComparaisons, "A9", &[]any{"qpv", "QP013061", "ECHOPPES"}); err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetRow(sheetCorrections, "A2", &[]any{"demo-commune", "population", "13039", 2015, "T", 15860, "arrondi ; bulletin", "L. Martin", "2099-12-31"}); err != nil {
			t.Fatal(err)
		}
		setCell(t, f, sheetFiches, cellOf(t, f, sheetFiches, "fiche", "demo-ops", "titre"), "Occupation du parc social (exemple)")
		setCell(t, f, sheetVariables, cellOf(t, f, sheetVariables, "identifiant", "ops_menages", "libellé"), "Ménages")
	})
	must(t, "-C", dir, "spreadsheet", "import", "--dry-run", path)
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Fatalf("--dry-run wrote:\n%s", diff)
	}
	must(t, "-C", dir, "spreadsheet", "import", resaved(t, path))
	after := tree(t, dir)
	var changed []string
	for name, text := range after {
		if before[name] != text {
			changed = append(changed, name)
			lines := map[string]bool{}
			for line := range strings.SplitSeq(text, "\n") {
				lines[line] = true
			}
			for line := range strings.SplitSeq(before[name], "\n") {
				if strings.HasPrefix(strings.TrimSpace(line), "#") && !lines[line] {
					t.Errorf("%s: the comment %q is gone", name, line)
				}
			}
		}
	}
	if len(changed) != 4 {
		t.Errorf("changed: %v", changed)
	}
	for name, want := range map[string]string{
		"indicators.yaml":     `  label: "Habitants : population municipale"` + "\n  theme: Population\n",
		"observatoire.yaml":   "  qpv: {QP013061: [ECHOPPES]}\n",
		"corrections.csv":     "demo-commune;population;13039;2015;T;15860;\"arrondi ; bulletin\";L. Martin;2099-12-31\r\n",
		"cards/demo-ops.yaml": "title: Occupation du parc social (exemple)\n",
		"./indicators.yaml":   "  base: {variable: population}\n  unbounded: true\n",
	} {
		if !strings.Contains(after[strings.TrimPrefix(name, "./")], want) {
			t.Errorf("%s does not hold %q", name, want)
		}
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	if v := seriesOf(t, dir, "part_logements_pleins")["QP013061 T 2014"]; !strings.HasPrefix(v, "93.5185") {
		t.Errorf("the new indicator: %s, want 202 of 216", v)
	}
	again := exported(t, dir, func(*excelize.File) {})
	if code, _, errs := cli(t, "-C", dir, "classeur", "importer", again); code != exitDone || !strings.Contains(errs, "nothing changed") {
		t.Errorf("once more: exit %d: %s", code, errs)
	}
}

// Whatever is wrong, the error names the sheet and the cell, and no file changes.
func TestSpreadsheetRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, f *excelize.File)
		want   string
	}{
		{"a rule that is none", func(t *testing.T, f *excelize.File) {
			setCell(t, f, sheetIndicateurs, "F7", "moyenne")
		}, `Indicateurs!F7: règle: "moyenne": one of somme, ratio`},
		{"decimals in words", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetIndicateurs, "H3", "deux") }, `Indicateurs!H3: décimales: "deux" is not a number`},
		{"no label", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetIndicateurs, "B4", "") }, `Indicateurs!A4: evolution_population: label and unit are needed`},
		{"twice", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetIndicateurs, "A4", "population") }, `Indicateurs!A4: population is in A2 already`},
		{"no identifier", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetIndicateurs, "A4", "") }, `Indicateurs!A4: empty: name the indicator`},
		{"too many decimals", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetIndicateurs, "H2", 12) }, `Indicateurs!A2: population: decimals: 12`},
		{"no such level", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetComparaisons, "A2", "vielle") }, `Comparaisons!A2: niveau: no layer of level "vielle"`},
		{"itself", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetComparaisons, "C2", "VAUBAN") }, `Comparaisons!C2: comparé à: VAUBAN is the quarter itself`},
		{"a hole", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetComparaisons, "C3", "") }, `Comparaisons!C3: comparé à: empty`},
		{"a correction without reason", func(t *testing.T, f *excelize.File) {
			if err := f.SetSheetRow(sheetCorrections, "A2", &[]any{"demo-commune", "population", "13039", 2015, "T", 1, "", "A"}); err != nil {
				t.Fatal(err)
			}
		}, `Corrections!G2: motif: empty`},
		{"an unknown card", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetFiches, "A2", "demo-comune") }, `Fiches!A2: no card "demo-comune" in the folder cards`},
		{"a variable of no card", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetVariables, "A2", "ops") }, `Variables!A2: no card "ops" in the folder cards`},
		{"a year that is none", func(t *testing.T, f *excelize.File) {
			setCell(t, f, sheetVariables, "G2", "l'an passé")
		}, `Variables!G2: millésime: "l'an passé" is no rule for a year`},
		{"a column renamed", func(t *testing.T, f *excelize.File) { setCell(t, f, sheetIndicateurs, "B1", "nom") }, `Indicateurs!1: no column "libellé"`},
		{"a sheet gone", func(t *testing.T, f *excelize.File) {
			if err := f.DeleteSheet(sheetFiches); err != nil {
				t.Fatal(err)
			}
		}, `no sheet Fiches: export the workbook again`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := demoProject(t)
			before := tree(t, dir)
			path := exported(t, dir, func(f *excelize.File) { tt.change(t, f) })
			code, _, errs := cli(t, "-C", dir, "spreadsheet", "import", path)
			if code != exitRefused || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, want %q:\n%s", code, tt.want, errs)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("files changed:\n%s", diff)
			}
		})
	}
	dir := demoProject(t)
	for _, args := range [][]string{{"spreadsheet"}, {"spreadsheet", "export"}, {"spreadsheet", "import"}, {"spreadsheet", "export", "-o", "x.csv"}} {
		if code, _, errs := cli(t, append([]string{"-C", dir}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
	text := filepath.Join(t.TempDir(), "x.xlsx")
	if err := os.WriteFile(text, []byte("a;b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := cli(t, "-C", dir, "spreadsheet", "import", text); code != exitRefused || !strings.Contains(errs, "not a workbook") {
		t.Errorf("a text: exit %d: %s", code, errs)
	}
}
