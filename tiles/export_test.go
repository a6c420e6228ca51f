package tiles

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"observatoire/indicators"
)

func TestWriteWorkbook(t *testing.T) {
	e := sample(3)
	var buf, again bytes.Buffer
	if err := WriteWorkbook(&buf, e, WorkbookOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again.Reset()
		if err := WriteWorkbook(&again, e, WorkbookOptions{}); err != nil || !bytes.Equal(buf.Bytes(), again.Bytes()) {
			t.Fatalf("the same edition gives another workbook (%v)", err)
		}
	}
	f, err := excelize.OpenReader(bytes.NewReader(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{SheetReadme, SheetTableau, SheetSeries, SheetEcarts, SheetEvolutions, SheetRangs, SheetSexes, SheetConcentration, SheetOverlaps, SheetCalibration, SheetSources, SheetAlertes}, f.GetSheetList()); diff != "" {
		t.Errorf("sheets (-want +got):\n%s", diff)
	}
	rows, err := f.GetRows(SheetSeries, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, v := range e.Values {
		if v.Retenue {
			shown++
		}
	}
	if len(rows) != shown+1 || rows[0][5] != "Millésime" {
		t.Errorf("%d rows for %d values: %v", len(rows), shown, rows[0])
	}
	for i, r := range rows {
		at, _ := excelize.CoordinatesToCellName(8, i+1)
		kind, err := f.GetCellType(SheetSeries, at)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r[3] == "QP013061" && r[5] == "2014" && (r[7] != "18.45" || r[9] != "disponible" || r[11] != "moyenne des IRIS" || r[13] != "15"):
			t.Errorf("row %d: %v", i+1, r)
		case r[9] == "secret statistique" && r[7] != "":
			t.Errorf("row %d: a withheld figure shows %q", i+1, r[7])
		case r[9] == "disponible" && kind != excelize.CellTypeUnset && kind != excelize.CellTypeNumber:
			t.Errorf("row %d: the figure is not a number (%d)", i+1, kind)
		}
	}
	for _, name := range []string{SheetSeries, SheetEcarts, SheetOverlaps, SheetCalibration, SheetSources, SheetAlertes} {
		p, err := f.GetPanes(name)
		if err != nil || !p.Freeze || p.YSplit != 1 {
			t.Errorf("%s: the header is not frozen: %+v %v", name, p, err)
		}
		if w, err := f.GetColWidth(name, "A"); err != nil || w < 12 {
			t.Errorf("%s: column A is %g wide (%v)", name, w, err)
		}
	}
	filters := 0
	for _, n := range f.GetDefinedName() {
		if n.Name == "_xlnm._FilterDatabase" {
			filters++
		}
	}
	if filters != 11 {
		t.Errorf("%d filters", filters)
	}
	names := map[string]string{}
	for _, n := range f.GetDefinedName() {
		names[n.Name] = n.RefersTo
	}
	if got := names["femmes_hommes"]; got != "'Femmes-hommes'!$A$1:$L$2" {
		t.Errorf("defined names: %v", names)
	}
	if p, err := f.GetPageLayout(SheetEcarts); err != nil || *p.Orientation != "landscape" || *p.Size != 8 || *p.FitToWidth != 1 {
		t.Errorf("print set-up: %+v %v", p, err)
	}
	if rules, err := f.GetConditionalFormats(SheetEcarts); err != nil || len(rules) != 2 {
		t.Errorf("colours: %v %v", rules, err)
	}
	if got, err := f.GetCellValue(SheetAlertes, "E2"); err != nil || got != "'=1+1 ne doit pas être calculé." {
		t.Errorf("a text that looks like a formula: %q %v", got, err)
	}
	if got, err := f.GetCellValue(SheetEcarts, "L2"); err != nil || got != "+6.00" {
		t.Errorf("gap: %q %v", got, err)
	}
	if got, err := f.GetCellValue(SheetOverlaps, "H3"); err != nil || got != "60.0%" {
		t.Errorf("share: %q %v", got, err)
	}
	readme, err := f.GetRows(SheetReadme)
	if err != nil || readme[1][1] != "ed-test" || readme[4][1] != schematicWarning {
		t.Errorf("Lisez-moi: %v %v", readme, err)
	}
	if err := WriteWorkbook(&buf, &indicators.Edition{ID: "vide"}, WorkbookOptions{}); err != nil {
		t.Errorf("empty edition: %v", err)
	}
}

// The dashboard has each quarter's figure, its gap and how it reads; what uncertainty covers is not read.
func TestDashboard(t *testing.T) {
	e := sample(3)
	e.Indicators[1].Direction = "hausse_defavorable"
	e.Evolutions = []indicators.Evolution{{Key: indicators.Key{Indicateur: "part_cmuc", Couche: "qpv-2015", Millesime: 2014, Sexe: "T"}, Code: "QP013061", Depuis: 2011,
		Avant: indicators.Some(17.5), Apres: indicators.Some(18.45), Evolution: indicators.Some(0.95), Unite: "points", Verdict: "stable"}}
	row := func() map[string]string {
		var buf bytes.Buffer
		if err := WriteWorkbook(&buf, e, WorkbookOptions{Sheets: []string{SheetTableau}}); err != nil {
			t.Fatal(err)
		}
		f, err := excelize.OpenReader(&buf)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.GetRows(SheetTableau, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows[1:] {
			if r[1] == "QP013061" && r[4] == "Part des bénéficiaires de la CMU-C" {
				out := map[string]string{}
				for i, c := range r {
					out[rows[0][i]] = c
				}
				return out
			}
		}
		t.Fatal("no row of Le Prépaou")
		return nil
	}
	got := row()
	for column, want := range map[string]string{"Quartier": "Le Prépaou", "Millésime": "2014", "Valeur": "18.45", "Commune": "12.45", "Écart : commune": "6",
		"Lecture de l'écart : commune": "défavorable", "Depuis": "2011", "Évolution": "0.95", "Verdict": "stable", "Nature": "estimation"} {
		if got[column] != want {
			t.Errorf("%s: %q, want %q", column, got[column], want)
		}
	}
	for i := range e.Values {
		if v := &e.Values[i]; v.Code == "QP013061" && v.Millesime == 2014 {
			v.Min = indicators.Some(12)
		}
	}
	if got := row(); got["Écart : commune"] != "6" || got["Lecture de l'écart : commune"] != "" {
		t.Errorf("a gap that the methods cover: %q reads %q", got["Écart : commune"], got["Lecture de l'écart : commune"])
	}
}

// LibreOffice opens the workbook and gives back every figure, and no formula.
func TestWorkbookInLibreOffice(t *testing.T) {
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("no LibreOffice here: the workbook is read back by our own library alone")
	}
	e := sample(3)
	dir := t.TempDir()
	var buf bytes.Buffer
	if err := WriteWorkbook(&buf, e, WorkbookOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "e.xlsx"), buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	// every sheet, values as they are held, quoted
	out, err := exec.Command(office, "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1",
		"--outdir", dir, filepath.Join(dir, "e.xlsx")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read := func(sheet string) [][]string {
		b, err := os.ReadFile(filepath.Join(dir, "e-"+sheet+".csv"))
		if err != nil {
			t.Fatalf("%v: LibreOffice said %s", err, out)
		}
		rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	values := indicators.Shown(e.Values)
	rows := read(SheetSeries)
	if len(rows) != len(values)+1 {
		t.Fatalf("%d rows for %d values", len(rows), len(values))
	}
	for i, v := range values {
		got, err := strconv.ParseFloat(rows[i+1][7], 64)
		if v.Statut != indicators.Disponible {
			if rows[i+1][7] != "" {
				t.Errorf("%v %s: withheld, and shows %q", v.Key, v.Code, rows[i+1][7])
			}
			continue
		}
		if err != nil || math.Abs(got-v.V) > 1e-9 {
			t.Errorf("%v %s: LibreOffice has %q, the edition %g", v.Key, v.Code, rows[i+1][7], v.V)
		}
	}
	if got := read(SheetAlertes)[1][4]; got != "'=1+1 ne doit pas être calculé." {
		t.Errorf("a text that looks like a formula: %q", got)
	}
}

func TestWriteGeoJSON(t *testing.T) {
	e := sample(3)
	var buf bytes.Buffer
	if err := WriteGeoJSON(&buf, e, "qpv-2015"); err != nil || !json.Valid(buf.Bytes()) {
		t.Fatalf("%v: %s", err, buf.Bytes())
	}
	if diff := cmp.Diff(golden(t, "testdata/qpv.geojson", buf.Bytes()), buf.String()); diff != "" {
		t.Errorf("GeoJSON (-want +got):\n%s", diff)
	}
	if err := WriteGeoJSON(&buf, e, "qpv-1999"); err == nil {
		t.Error("an unknown layer is no error")
	}
}
