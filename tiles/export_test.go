package tiles

import (
	"bytes"
	"encoding/json"
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
	if diff := cmp.Diff([]string{SheetReadme, SheetSeries, SheetEcarts, SheetEvolutions, SheetRangs, SheetSexes, SheetConcentration, SheetOverlaps, SheetCalibration, SheetSources, SheetAlertes}, f.GetSheetList()); diff != "" {
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
	if filters != 10 {
		t.Errorf("%d filters", filters)
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
