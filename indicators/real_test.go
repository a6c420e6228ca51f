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

// The 65 quarters of the département: how far each method is from what the producers publish of them. Census 2016 by IRIS
// against the population of the kit of 2022 (census 2018), taken as the same year here; Filosofi 2019 against the kit of 2019.
func TestRealCalibrationOfTheQuarters(t *testing.T) {
	pairs, ocol := realTable(t, "oracle/qpv_iris_overlap_13.csv", ';')
	population, pcol := realTable(t, "iris_stats/ptod_agg_iris_13_rp2011_2016_2022.csv.gz", ';')
	filo, fcol := realTable(t, "iris_stats/BASE_TD_FILO_DISP_IRIS_2019.csv.gz", ';')
	demo, dcol := realTable(t, "qpv_kits/DEMO_2022.csv.gz", ';')
	revn, rcol := realTable(t, "qpv_kits/REVN_2019.csv.gz", ';')
	caf, ccol := realTable(t, "iris_stats/data_CAF_2019_IRIS.csv.gz", ';')
	kit, kcol := realTable(t, "qpv_kits/DEMO_2021.csv.gz", ';')
	in13 := func(code string) bool { return strings.HasPrefix(code, "13") }
	ours := func(code string) bool { return strings.HasPrefix(code, "QP013") }

	pop := realColumn(t, population, pcol, "code", "P16_POP", "rp", "iris", 2016, "population", 2016, in13)
	iris := codesOf("iris-2016", slices.Clone(pop.Codes), func(c string) string { return c[:5] })
	qpv := realColumn(t, demo, dcol, "CODGEO", "POP_MUN", "demo", "qpv", 2015, "population", 2016, ours)
	quarters := codesOf("qpv-2015", slices.Clone(qpv.Codes), func(string) string { return "" })
	columns := []Column{pop, qpv,
		realColumn(t, caf, ccol, "CODGEO", "A", "caf", "iris", 2016, "allocataires", 2019, in13),
		realColumn(t, caf, ccol, "CODGEO", "AM", "caf", "iris", 2016, "monoparents", 2019, in13),
		realColumn(t, kit, kcol, "CODGEO", "A", "kit", "qpv", 2015, "allocataires", 2019, ours),
		realColumn(t, kit, kcol, "CODGEO", "AM", "kit", "qpv", 2015, "monoparents", 2019, ours),
		realColumn(t, filo, fcol, "IRIS", "DISP_TP6019", "filo", "iris", 2016, "tp60", 2019, in13),
		realColumn(t, revn, rcol, "CODGEO", "DISP_Q2", "revn", "qpv", 2015, "d5", 2019, ours),
		realColumn(t, revn, rcol, "CODGEO", "DISP_D1", "revn", "qpv", 2015, "d1", 2019, ours),
		realColumn(t, revn, rcol, "CODGEO", "DISP_D9", "revn", "qpv", 2015, "d9", 2019, ours),
		realColumn(t, revn, rcol, "CODGEO", "TP60", "revn", "qpv", 2015, "tp60", 2019, ours)}
	for k := range 9 {
		name := fmt.Sprintf("D%d", k+1)
		header := "DISP_" + name + "19"
		if k == 4 {
			header = "DISP_MED19"
		}
		columns = append(columns, realColumn(t, filo, fcol, "IRIS", header, "filo", "iris", 2016, strings.ToLower(name), 2019, in13))
	}
	set := OverlapSet{From: "qpv-2015", To: "iris-2016"}
	number := func(s string) float64 { v, _ := strconv.ParseFloat(s, 64); return v }
	for _, row := range pairs {
		a, ok := quarters.Index(row[ocol["code_qp"]])
		b, ok2 := iris.Index(row[ocol["code_iris"]])
		if row[ocol["iris_vintage"]] != "2016" || !ok || !ok2 {
			continue
		}
		o := geo.Overlap{From: a, To: b, ShareFrom: number(row[ocol["share_of_qpv_pct"]]) / 100, ShareTo: number(row[ocol["share_of_iris_pct"]]) / 100}
		if o.ShareFrom < 0.005 {
			o.Note = "liseré"
		}
		set.Pairs = append(set.Pairs, o)
	}
	slices.SortFunc(set.Pairs, func(x, y geo.Overlap) int { return 10000*(x.From-y.From) + x.To - y.To })
	niveau := Definition{ID: "niveau_de_vie_median", Unit: "€/an", Rule: Mediane, Value: "d5", Deciles: []string{"d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"}}
	r, err := Compute(Input{Layers: []geo.ZoneSet{iris, quarters}, Overlaps: []OverlapSet{set}, Columns: columns,
		Sources: []Source{{ID: "rp"}, {ID: "filo"}, {ID: "demo"}, {ID: "revn"}, {ID: "caf"}, {ID: "kit"}}, Studied: []string{"qpv"},
		Definitions: []Definition{{ID: "population", Unit: "habitants", Rule: Somme, Value: "population"}, niveau,
			{ID: "allocataires", Unit: "allocataires", Rule: Somme, Value: "allocataires"},
			{ID: "part_monoparents", Unit: "%", Rule: Ratio, Numerator: []string{"monoparents"}, Denominator: []string{"allocataires"}, Scale: 100},
			{ID: "niveau_de_vie_d1", Unit: "€/an", Rule: Quantile, Value: "d1", Of: niveau.ID, Quantile: 0.1},
			{ID: "niveau_de_vie_d9", Unit: "€/an", Rule: Quantile, Value: "d9", Of: niveau.ID, Quantile: 0.9},
			{ID: "taux_pauvrete", Unit: "%", Rule: Quantile, Value: "tp60", Of: niveau.ID, Under: 0.6, Scale: 100, Thresholds: map[int]float64{2019: 13158}}}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Calibration{}
	for _, c := range r.Calibrations {
		if c.Millesime == 0 {
			got[c.Indicateur+" "+c.Methode] = c
			t.Logf("%-22s %-20s %2d comparisons: mean %+6.1f, absolute %5.1f, median %+6.1f %s, worst %s %+.1f, rank %d", c.Indicateur, c.Methode,
				c.N, c.Moyenne, c.Absolue, c.Mediane, c.Unite, c.Pire, c.PireErreur, c.Rang)
		}
	}
	if c := got["population "+MethodeSurface]; c.N < 60 || c.Moyenne > -45 || c.Moyenne < -60 || c.PireErreur > -95 {
		t.Errorf("population by surface: %+v", c)
	}
	// Scaled to the known population, a count comes within reach; a rate is nearly as good by any method.
	if c, s := got["allocataires "+MethodeCalage], got["allocataires "+MethodeSurface]; c.N < 40 || c.Absolue > 0.4*s.Absolue || s.Moyenne > -40 {
		t.Errorf("recipients: by calage %+v, by surface %+v", c, s)
	}
	// Medians of the quarters' IRIS are too high, as the quarters are poorer; the order follows the errors.
	order := map[string][]string{}
	for _, d := range r.Indicators {
		order[d.ID] = d.Methodes
	}
	for _, id := range []string{"niveau_de_vie_median", "taux_pauvrete"} {
		last := 0.0
		for _, m := range order[id] {
			c := got[id+" "+m]
			if c.N < minComparisons || c.Absolue < last {
				t.Errorf("%s: %s is not in the order of the errors: %+v", id, m, c)
			}
			last = c.Absolue
		}
		if c := got[id+" "+MethodeDeciles]; id == "niveau_de_vie_median" && (c.N < 60 || c.Moyenne < 0) {
			t.Errorf("income by deciles: %+v", c)
		}
	}
	// Calage scales the surface shares to the known population: what it brings is that population, to the person.
	parts := make([][]part, len(quarters.Zones))
	for _, o := range set.Pairs {
		parts[o.From] = append(parts[o.From], part{zone: o.To, of: o.ShareFrom})
	}
	n := 0
	for z, list := range parts {
		i := slices.Index(qpv.Codes, quarters.Zones[z].Code)
		var shares, held []float64
		for _, p := range list {
			shares = append(shares, p.of)
			held = append(held, pop.V[slices.Index(pop.Codes, iris.Zones[p.zone].Code)])
		}
		w, ok := CalageWeights(qpv.V[i], shares, held)
		if !ok || len(list) == 0 {
			continue
		}
		brought := 0.0
		for k := range w {
			brought += w[k] * held[k]
		}
		if math.Abs(brought-qpv.V[i]) > 1e-6 {
			t.Errorf("%s: calage brings %v of %v", quarters.Zones[z].Code, brought, qpv.V[i])
		}
		n++
	}
	t.Logf("calage can bring the population of %d of %d quarters", n, len(quarters.Zones))
	if n < 55 {
		t.Errorf("calage stands for %d quarters only", n)
	}
}
