package main

import (
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/xuri/excelize/v2"

	"observatoire/indicators"
)

// Every value of the dashboard of the demonstration's workbook is the edition's, of the same quarter, indicator and sex.
func TestDashboardTraced(t *testing.T) {
	dir, out := publishedDemo(t), filepath.Join(t.TempDir(), "classeur.xlsx")
	must(t, "-C", dir, "export", "-o", out)
	e := openEdition(t, dir)
	type key struct{ code, couche, label, sexe string }
	held := map[key][]float64{}
	labels := map[string]string{}
	for _, d := range e.Indicators {
		labels[d.ID] = d.Label
	}
	for _, v := range e.Values {
		if v.Retenue && v.Statut == indicators.Disponible {
			k := key{v.Code, string(v.Couche), labels[v.Indicateur], v.Sexe}
			held[k] = append(held[k], v.V)
		}
	}
	f, err := excelize.OpenFile(out, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	if first := f.GetSheetList()[0]; first != "Lisez-moi" {
		t.Errorf("the first sheet is %q", first)
	}
	rows, err := f.GetRows("Tableau de bord")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 50 {
		t.Fatalf("%d rows: too few to have looked", len(rows))
	}
	for _, r := range rows[1:] {
		got, err := strconv.ParseFloat(r[7], 64)
		found := false
		for _, v := range held[key{r[1], r[2], r[4], r[5]}] {
			found = found || math.Abs(v-got) < 1e-9*math.Max(1, math.Abs(v))
		}
		if err != nil || !found {
			t.Errorf("%v: the edition has %v", r[:8], held[key{r[1], r[2], r[4], r[5]}])
		}
	}
}
