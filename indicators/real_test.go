package indicators

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"observatoire/geo"
)

// realTable reads a real CSV file by column name; the test is skipped where there is none.
func realTable(t *testing.T, name string, comma rune) (rows [][]string, col map[string]int) {
	t.Helper()
	dir := os.Getenv("OBSERVATOIRE_REAL")
	if dir == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: no real files to compute with")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	c := csv.NewReader(r)
	c.Comma, c.FieldsPerRecord = comma, -1
	if rows, err = c.ReadAll(); err != nil {
		t.Fatal(err)
	}
	col = map[string]int{}
	for i, h := range rows[0] {
		col[strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))] = i
	}
	return rows[1:], col
}

// realColumn makes a measured column of one column of a real table, for the codes that keep accepts.
func realColumn(t *testing.T, rows [][]string, col map[string]int, key, header, source, level string, vintage int, variable string, mil int, keep func(string) bool) Column {
	t.Helper()
	k, ok := col[header]
	if !ok {
		t.Fatalf("%s has no column %s", source, header)
	}
	c := Column{Source: source, Level: level, Vintage: vintage, Variable: variable, Sexe: "T", Millesime: mil, Header: header}
	for _, row := range rows {
		code := row[col[key]]
		if !keep(code) {
			continue
		}
		v, err := strconv.ParseFloat(strings.NewReplacer(",", ".", "\u202f", "").Replace(row[k]), 64)
		st := Disponible
		if err != nil {
			v, st = 0, NonDisponible
		}
		c.Codes, c.V, c.Statut = append(c.Codes, code), append(c.V, v), append(c.Statut, st)
	}
	return c
}

func codesOf(l geo.Layer, codes []string, commune func(string) string) geo.ZoneSet {
	set := geo.ZoneSet{Layer: l}
	slices.Sort(codes)
	for _, code := range slices.Compact(codes) {
		set.Zones = append(set.Zones, geo.Zone{Code: code, Commune: commune(code), Type: "H"})
	}
	return set
}

// Filosofi gives the deciles of the IRIS and those of communes and arrondissements: what the first make of the second,
// weighted by the census, against what is published.
func TestRealMediansFromIRIS(t *testing.T) {
	in13 := func(code string) bool { return strings.HasPrefix(code, "13") }
	population, pcol := realTable(t, "iris_stats/ptod_agg_iris_13_rp2011_2016_2022.csv.gz", ';')
	pop := realColumn(t, population, pcol, "code", "P16_POP", "rp", "iris", 2016, "population", 2016, in13)
	niveau := Definition{ID: "niveau_de_vie_median", Unit: "€/an", Rule: Mediane, Value: "d5", Deciles: []string{"d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"}}
	defs := []Definition{niveau,
		{ID: "niveau_de_vie_d1", Unit: "€/an", Rule: Quantile, Value: "d1", Of: niveau.ID, Quantile: 0.1},
		{ID: "niveau_de_vie_q1", Unit: "€/an", Rule: Quantile, Value: "q1", Of: niveau.ID, Quantile: 0.25},
		{ID: "niveau_de_vie_q3", Unit: "€/an", Rule: Quantile, Value: "q3", Of: niveau.ID, Quantile: 0.75},
		{ID: "niveau_de_vie_d9", Unit: "€/an", Rule: Quantile, Value: "d9", Of: niveau.ID, Quantile: 0.9},
		{ID: "rapport_interdecile", Unit: "ratio", Rule: Quantile, Value: "rd", Of: niveau.ID, Quantile: 0.9, Over: 0.1},
		{ID: "taux_pauvrete", Unit: "%", Rule: Quantile, Value: "tp60", Of: niveau.ID, Under: 0.6, Scale: 100, Thresholds: map[int]float64{2019: 13158}}}
	for _, mil := range []int{2018, 2019} {
		yy := strconv.Itoa(mil % 100)
		iris, icol := realTable(t, fmt.Sprintf("iris_stats/BASE_TD_FILO_DISP_IRIS_%d.csv.gz", mil), ';')
		communes, ccol := realTable(t, fmt.Sprintf("commune_stats/FILO%d_DISP_COM.csv.gz", mil), ';')
		count := map[string]int{}
		for _, row := range iris {
			if code := row[icol["IRIS"]]; in13(code) && row[icol["DISP_D1"+yy]] != "" {
				count[code[:5]]++
			}
		}
		large := func(code string) bool { return count[code] >= 6 }
		columns := []Column{pop, realColumn(t, iris, icol, "IRIS", "DISP_TP60"+yy, "filo", "iris", 2016, "tp60", mil, in13)}
		for k := range 9 {
			x := fmt.Sprintf("D%d", k+1)
			at, of := "DISP_"+x+yy, x+yy
			if k == 4 {
				at, of = "DISP_MED"+yy, "Q2"+yy
			}
			columns = append(columns, realColumn(t, iris, icol, "IRIS", at, "filo", "iris", 2016, strings.ToLower(x), mil, in13),
				realColumn(t, communes, ccol, "CODGEO", of, "com", "commune", 2018, strings.ToLower(x), mil, large))
		}
		for variable, header := range map[string]string{"q1": "Q1" + yy, "q3": "Q3" + yy, "rd": "RD"} {
			columns = append(columns, realColumn(t, communes, ccol, "CODGEO", header, "com", "commune", 2018, variable, mil, large))
		}
		in := Input{Layers: []geo.ZoneSet{codesOf("iris-2016", pop.Codes, func(c string) string { return c[:5] })}, Columns: columns,
			Sources: []Source{{ID: "rp"}, {ID: "filo"}, {ID: "com"}}, Definitions: defs, References: []string{"commune"}}
		in.Layers = append(in.Layers, codesOf("commune-2018", slices.Clone(columns[3].Codes), func(string) string { return "" }))
		r, err := Compute(in)
		if err != nil {
			t.Fatal(err)
		}
		// The mean error of each method, as the edition itself measures it.
		errs := map[string]Calibration{}
		for _, x := range r.Calibrations {
			if x.Couche == "commune-2018" && x.Millesime == mil {
				errs[x.Indicateur+" "+x.Methode] = x
				t.Logf("%d: %-22s %-20s mean error %+.2f, absolute %.2f %s over %d, worst %s %+.2f", mil, x.Indicateur, x.Methode,
					x.Moyenne, x.Absolue, x.Unite, x.N, x.Pire, x.PireErreur)
			}
		}
		deciles, mean := errs["niveau_de_vie_median "+MethodeDeciles], errs["niveau_de_vie_median "+MethodeMedPonderee]
		if deciles.N < 25 || mean.N != deciles.N || deciles.Absolue > 0.6 || deciles.Absolue > 0.5*mean.Absolue {
			t.Errorf("%d: median by deciles off by %.3f %% over %d, mean of medians by %.3f %%", mil, deciles.Absolue, deciles.N, mean.Absolue)
		}
		// The tails are straight lines to 0.4·D1 and 2.2·D9: they cost the ninth decile most.
		for id, most := range map[string]float64{"niveau_de_vie_d1": 4, "niveau_de_vie_q1": 2, "niveau_de_vie_q3": 2, "niveau_de_vie_d9": 8, "rapport_interdecile": 12} {
			if x := errs[id+" "+MethodeDeciles]; x.N < 25 || x.Absolue > most {
				t.Errorf("%d: %s off by %.2f %% over %d", mil, id, x.Absolue, x.N)
			}
		}
		// The poverty rate of an IRIS from its own deciles, against the one published beside them.
		if mil != 2019 {
			continue
		}
		n, sum := 0, 0.0
		for _, row := range iris {
			published, err := strconv.ParseFloat(strings.Replace(row[icol["DISP_TP60"+yy]], ",", ".", 1), 64)
			if code := row[icol["IRIS"]]; !in13(code) || err != nil {
				continue
			}
			d := Distribution{Weight: 1}
			for k := range 9 {
				name := fmt.Sprintf("DISP_D%d%s", k+1, yy)
				if k == 4 {
					name = "DISP_MED" + yy
				}
				d.Deciles[k], _ = strconv.ParseFloat(row[icol[name]], 64)
			}
			share, _ := MixtureShare([]Distribution{d}, 13158)
			sum += math.Abs(100*share - published)
			n++
		}
		t.Logf("%d: poverty rate of an IRIS from its deciles: off by %.2f points over %d IRIS", mil, sum/float64(n), n)
		if n < 400 || sum/float64(n) > 1 {
			t.Errorf("poverty rate of an IRIS: off by %.2f points over %d", sum/float64(n), n)
		}
	}
}
