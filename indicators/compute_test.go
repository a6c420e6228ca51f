package indicators

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"observatoire/geo"
)

func TestCalageWeights(t *testing.T) {
	tests := []struct {
		name        string
		total       float64
		shares, pop []float64
		want        []float64
		ok          bool
	}{
		{"one zone", 500, []float64{1}, []float64{2000}, []float64{0.25}, true},
		{"two zones by surface", 1000, []float64{0.6, 0.4}, []float64{2000, 1000}, []float64{0.3, 0.4}, true},
		{"a full zone passes its excess on", 1000, []float64{0.5, 0.5}, []float64{200, 2000}, []float64{1, 0.4}, true},
		{"shares along the sea are relative", 1000, []float64{0.3, 0.2}, []float64{2000, 1000}, []float64{0.3, 0.4}, true},
		{"not enough people", 1000, []float64{0.5, 0.5}, []float64{200, 300}, []float64{1, 1}, false},
		{"an empty zone takes nobody", 100, []float64{0.5, 0.5}, []float64{0, 400}, []float64{0, 0.25}, true},
	}
	for _, tt := range tests {
		got, ok := CalageWeights(tt.total, tt.shares, tt.pop)
		if ok != tt.ok {
			t.Errorf("%s: ok = %v, want %v", tt.name, ok, tt.ok)
		}
		for i := range got {
			if math.Abs(got[i]-tt.want[i]) > 1e-12 {
				t.Errorf("%s: weights = %v, want %v", tt.name, got, tt.want)
				break
			}
		}
	}
}

// Whatever the shares, the weights bring exactly the known population, and never more than a zone holds.
func TestCalageBringsTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		shares, pop := make([]float64, n), make([]float64, n)
		held := 0.0
		for i := range n {
			shares[i] = rapid.Float64Range(0.001, 1).Draw(t, "share")
			pop[i] = rapid.Float64Range(0, 5000).Draw(t, "pop")
			held += pop[i]
		}
		total := held * rapid.Float64Range(0.01, 0.999).Draw(t, "part")
		w, ok := CalageWeights(total, shares, pop)
		if !ok {
			t.Fatalf("not enough people: %v of %v", total, held)
		}
		sum := 0.0
		for i := range w {
			if w[i] < 0 || w[i] > 1 {
				t.Fatalf("weight %v outside [0, 1]", w[i])
			}
			sum += w[i] * pop[i]
		}
		if math.Abs(sum-total) > 1e-6*max(1, total) {
			t.Fatalf("Σw·pop = %v, want %v", sum, total)
		}
	})
}

func TestMixtureQuantile(t *testing.T) {
	uniform := func(lo, step, weight float64) Distribution {
		d := Distribution{Weight: weight}
		for k := range d.Deciles {
			d.Deciles[k] = lo + step*float64(k+1)
		}
		return d
	}
	one := uniform(1000, 100, 10) // D1 1 100 … D5 1 500 … D9 1 900
	tests := []struct {
		name string
		ds   []Distribution
		q    float64
		want float64
	}{
		{"median of one is its own", []Distribution{one}, 0.5, 1500},
		{"decile of one is its own", []Distribution{one}, 0.9, 1900},
		{"between deciles", []Distribution{one}, 0.55, 1550},
		{"same twice", []Distribution{one, uniform(1000, 100, 3)}, 0.5, 1500},
		{"no weight no voice", []Distribution{one, uniform(9000, 100, 0)}, 0.5, 1500},
		// Half of each population is under 1 700 when the two are shifted by 400 and weigh the same.
		{"two shifted", []Distribution{one, uniform(1400, 100, 10)}, 0.5, 1700},
	}
	for _, tt := range tests {
		got, ok := MixtureQuantile(tt.ds, tt.q)
		if !ok || math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, ok, tt.want)
		}
	}
	if _, ok := MixtureQuantile(nil, 0.5); ok {
		t.Error("a quantile of nobody")
	}
}

// The median of a mixture lies between the medians of its parts.
func TestMixtureQuantileIsBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ds []Distribution
		lo, hi := math.Inf(1), math.Inf(-1)
		for range rapid.IntRange(1, 5).Draw(t, "n") {
			d := Distribution{Weight: rapid.Float64Range(1, 1000).Draw(t, "w")}
			x := rapid.Float64Range(1000, 9000).Draw(t, "d1")
			for k := range d.Deciles {
				d.Deciles[k] = x
				x += rapid.Float64Range(1, 3000).Draw(t, "step")
			}
			lo, hi = min(lo, d.Deciles[4]), max(hi, d.Deciles[4])
			ds = append(ds, d)
		}
		got, ok := MixtureQuantile(ds, 0.5)
		if !ok || got < lo-1e-6 || got > hi+1e-6 {
			t.Fatalf("median %v not between %v and %v", got, lo, hi)
		}
	})
}

// The small territory of the tests: one commune of two IRIS of 1 000 and 3 000 people, and a quarter that holds
// 40 % of the first's surface and 10 % of the second's.
func territory(columns ...Column) Input {
	square := orb.MultiPolygon{{{{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}}}}
	return Input{
		Layers: []geo.ZoneSet{
			{Layer: "iris-2016", EPSG: 2154, Zones: []geo.Zone{
				{Code: "130470001", Name: "Un", Commune: "13047", Type: "H", Geom: square},
				{Code: "130470002", Name: "Deux", Commune: "13047", Type: "H", Geom: square}}},
			{Layer: "commune-2018", EPSG: 2154, Zones: []geo.Zone{{Code: "13047", Name: "Istres", Geom: square}}},
			{Layer: "epci-2020", Zones: []geo.Zone{{Code: "200054807", Name: "Métropole", Members: []string{"13001", "13047"}}}},
			{Layer: "qpv-2015", EPSG: 2154, Zones: []geo.Zone{{Code: "QP013061", Name: "Le Prépaou", Commune: "13047", Geom: square}}},
		},
		Overlaps: []OverlapSet{{From: "qpv-2015", To: "iris-2016", Pairs: []geo.Overlap{
			{From: 0, To: 0, ShareFrom: 0.5, ShareTo: 0.4}, {From: 0, To: 1, ShareFrom: 0.5, ShareTo: 0.1}}}},
		Columns: append([]Column{
			column("rp.csv", "iris", 2016, "population", "T", 2016, []string{"130470001", "130470002"}, 1000, 3000)}, columns...),
		Sources: []Source{{ID: "rp.csv", File: "rp.csv", Edition: 2016}, {ID: "kit.csv", File: "kit.csv", Edition: 2019},
			{ID: "old.csv", File: "old.csv", Edition: 2017}},
		Studied:    []string{"qpv"},
		References: []string{"commune", "epci"},
		Definitions: []Definition{
			{ID: "population", Label: "Population", Unit: "habitants", Rule: Somme, Value: "population"},
			{ID: "taux", Label: "Taux", Unit: "%", Rule: Ratio, Value: "taux", Numerator: []string{"num"}, Denominator: []string{"den"},
				Scale: 100, Sexes: []string{"T", "F"}},
			{ID: "niveau", Label: "Niveau de vie", Unit: "€/an", Rule: Mediane, Value: "d5",
				Deciles: []string{"d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"}},
		},
	}
}

func column(source, level string, vintage int, variable, sexe string, mil int, codes []string, v ...float64) Column {
	return Column{Source: source, Level: level, Vintage: vintage, Variable: variable, Sexe: sexe, Millesime: mil,
		Header: strings.ToUpper(variable), Codes: codes, V: v, Statut: make([]Statut, len(v))}
}

func compute(t *testing.T, in Input) Result {
	t.Helper()
	r, err := Compute(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Values {
		if math.IsNaN(v.V) || math.IsInf(v.V, 0) || v.Statut != Disponible && v.V != 0 {
			t.Errorf("an absence that is not one: %+v", v)
		}
		if v.Statut == Disponible && (v.Methode == "" || v.Source == "" || v.Fiabilite == SansFiabilite || !v.Couverture.OK) {
			t.Errorf("a figure that does not say how it came about: %+v", v)
		}
	}
	if !slices.IsSortedFunc(r.Values, CompareValues) {
		t.Error("the values are not in order")
	}
	return r
}

// shown is the value shown for a zone, and all the values by method.
func shown(r Result, indicateur, code string, mil int, sexe string) (Value, map[string]Value) {
	var out Value
	all := map[string]Value{}
	for _, v := range r.Values {
		if v.Indicateur == indicateur && v.Code == code && v.Millesime == mil && v.Sexe == sexe {
			all[v.Methode] = v
			if v.Retenue {
				out = v
			}
		}
	}
	return out, all
}

func near4(a, b float64) bool { return math.Abs(a-b) < 1e-9*max(1, math.Abs(b)) }

func TestCountBySurfaceStaysInWorkingTables(t *testing.T) {
	r := compute(t, territory())
	v, all := shown(r, "population", "QP013061", 2016, "T")
	if v.Statut != NonDisponible || v.Methode != "" {
		t.Errorf("shown: %+v, want nothing: the quarter holds far less than 80 %% of its IRIS", v)
	}
	if s := all[MethodeSurface]; !near4(s.V, 0.4*1000+0.1*3000) || s.Retenue || s.Fiabilite != Insuffisante {
		t.Errorf("surface: %+v", s)
	}
	if v, _ := shown(r, "population", "13047", 2016, "T"); !near4(v.V, 4000) || v.Methode != MethodeAgregation || v.Fiabilite != Bonne {
		t.Errorf("commune: %+v", v)
	}
	// Part of the EPCI lies outside what the project holds: its sum would be too low.
	if v, _ := shown(r, "population", "200054807", 2016, "T"); v.Statut != NonDisponible {
		t.Errorf("epci: %+v", v)
	}
}

// A commune that no source speaks of that year is not a commune without people.
func TestSumWithAComponentMissing(t *testing.T) {
	in := territory(column("kit.csv", "commune", 2018, "population", "T", 1968, []string{"13047"}, 13400))
	in.Layers[1].Zones = []geo.Zone{{Code: "13001", Name: "Aix"}, {Code: "13047", Name: "Istres"}}
	in.Layers[1].Zones = append(in.Layers[1].Zones, geo.Zone{Code: "13999", Name: "Ailleurs"})
	if v, _ := shown(compute(t, in), "population", "200054807", 1968, "T"); v.Statut != NonDisponible {
		t.Errorf("the EPCI is said to hold the people of one of its communes: %+v", v)
	}
}

func TestRatioByEveryMethod(t *testing.T) {
	codes := []string{"130470001", "130470002"}
	in := territory(
		column("kit.csv", "qpv", 2015, "population", "T", 2013, []string{"QP013061"}, 600),
		column("rp.csv", "iris", 2016, "num", "T", 2016, codes, 100, 60),
		column("rp.csv", "iris", 2016, "den", "T", 2016, codes, 500, 1500))
	r := compute(t, in)
	v, all := shown(r, "taux", "QP013061", 2016, "T")
	// 600 people shared by surface, half and half: 300 of 1 000 and 300 of 3 000.
	want := map[string]float64{
		MethodeCalage:     100 * (0.3*100 + 0.1*60) / (0.3*500 + 0.1*1500),
		MethodeSurface:    100 * (0.4*100 + 0.1*60) / (0.4*500 + 0.1*1500),
		MethodeConsolides: 100 * 160.0 / 2000,
		MethodeMoyenne:    (20.0 + 4.0) / 2,
		MethodePrincipal:  20, // the first of two equal shares
	}
	for m, w := range want {
		if !near4(all[m].V, w) {
			t.Errorf("%s: %v, want %v", m, all[m].V, w)
		}
	}
	if v.Methode != MethodeCalage || !v.Min.OK || !near4(v.Min.V, 8) || !near4(v.Max.V, 20) {
		t.Errorf("shown: %+v", v)
	}
	in.Methods = map[string]string{"QP013061": MethodePrincipal}
	if v, _ := shown(compute(t, in), "taux", "QP013061", 2016, "T"); v.Methode != MethodePrincipal {
		t.Errorf("the project's method is not followed: %+v", v)
	}
	in.Methods = map[string]string{"QP013061": "au_jugé"}
	if _, err := Compute(in); err == nil || !strings.Contains(err.Error(), "au_jugé") {
		t.Errorf("an unknown method: %v", err)
	}
}

// Where a weight layer says where the people are, its shares come before surface; a zone it leaves empty has none.
func TestPopulationWeights(t *testing.T) {
	in := territory(column("kit.csv", "qpv", 2015, "population", "T", 2013, []string{"QP013061"}, 600))
	in.People = map[[2]geo.Layer][]Opt{{"qpv-2015", "iris-2016"}: {Some(0.7), Some(0.05)}}
	v, all := shown(compute(t, in), "population", "QP013061", 2016, "T")
	if v.Methode != MethodePopulation || !near4(v.V, 0.7*1000+0.05*3000) {
		t.Errorf("shown: %+v", v)
	}
	if _, circular := all[MethodeCalage]; circular {
		t.Error("the population is estimated from itself")
	}
	in.People[[2]geo.Layer{"qpv-2015", "iris-2016"}][1] = Opt{}
	if _, all := shown(compute(t, in), "population", "QP013061", 2016, "T"); all[MethodePopulation].Methode != "" {
		t.Errorf("weights without a word of one IRIS: %+v", all)
	}
}

func TestProducerComesFirstAndAbsenceStays(t *testing.T) {
	codes := []string{"130470001", "130470002"}
	kit := column("kit.csv", "qpv", 2015, "taux", "F", 2016, []string{"QP013061"}, 12.5)
	secret := column("kit.csv", "qpv", 2015, "taux", "T", 2016, []string{"QP013061"}, 0)
	secret.Statut[0] = Secret
	iris := column("rp.csv", "iris", 2016, "taux", "F", 2016, codes, 10, 0)
	iris.Statut[1] = Secret
	r := compute(t, territory(kit, secret, iris))
	if v, _ := shown(r, "taux", "QP013061", 2016, "F"); v.V != 12.5 || v.Nature != Producteur || v.Source != "kit.csv : TAUX" {
		t.Errorf("producer: %+v", v)
	}
	if v, _ := shown(r, "taux", "QP013061", 2016, "T"); v.Statut != Secret {
		t.Errorf("a withheld figure became %+v", v)
	}
	if v, _ := shown(r, "taux", "130470002", 2016, "F"); v.Statut != Secret || v.V != 0 {
		t.Errorf("a withheld IRIS became %+v", v)
	}
	// The mean over the one IRIS that answers covers half of the quarter: it stands, and says so.
	if _, all := shown(r, "taux", "QP013061", 2016, "F"); all[MethodeMoyenne].Couverture.V != 0.5 || all[MethodeMoyenne].Fiabilite > Fragile {
		t.Errorf("mean: %+v", all[MethodeMoyenne])
	}
}

func TestMedianOfAReferenceComesFromDeciles(t *testing.T) {
	codes := []string{"130470001", "130470002"}
	var cols []Column
	for k := range 9 {
		name := "d" + string(rune('1'+k))
		cols = append(cols, column("rp.csv", "iris", 2016, name, "T", 2016, codes, 1000+100*float64(k+1), 1400+100*float64(k+1)))
	}
	in := territory(cols...)
	in.Columns[0].V = []float64{1000, 1000}
	r := compute(t, in)
	if v, _ := shown(r, "niveau", "13047", 2016, "T"); v.Methode != MethodeDeciles || !near4(v.V, 1700) || v.Nature != Estimation {
		t.Errorf("commune: %+v, want the median of the mixture, 1700", v)
	}
	if _, all := shown(r, "niveau", "QP013061", 2016, "T"); !near4(all[MethodeMedPonderee].V, (0.4*1500+0.1*1900)/0.5) {
		t.Errorf("quarter: %+v", all)
	}
}

func TestGaps(t *testing.T) {
	codes := []string{"130470001", "130470002"}
	in := territory(
		column("kit.csv", "qpv", 2015, "taux", "T", 2016, []string{"QP013061"}, 30),
		column("kit.csv", "qpv", 2015, "d5", "T", 2016, []string{"QP013061"}, 12000),
		column("kit.csv", "qpv", 2015, "taux", "F", 0, []string{"QP013061"}, 30),
		column("kit.csv", "commune", 2018, "d5", "T", 2016, []string{"13047"}, 16000),
		column("kit.csv", "commune", 2018, "taux", "F", 0, []string{"13047"}, 10),
		column("rp.csv", "iris", 2016, "num", "T", 2016, codes, 100, 60),
		column("rp.csv", "iris", 2016, "den", "T", 2016, codes, 500, 1500))
	r := compute(t, in)
	got := map[string]Ecart{}
	for _, e := range r.Ecarts {
		if e.Code == "QP013061" {
			got[e.Indicateur+" "+e.Sexe+" "+string(e.Reference)] = e
		}
	}
	if e := got["taux T commune-2018"]; !near4(e.Ecart.V, 30-8) || e.Unite != "points" || !near4(e.Rapport.V, 30.0/8) || !e.ReferenceInclut {
		t.Errorf("points: %+v", e)
	}
	if e := got["niveau T commune-2018"]; !near4(e.Ecart.V, -25) || e.Unite != "%" {
		t.Errorf("euros: %+v", e)
	}
	if e := got["taux F commune-2018"]; e.Ecart.OK || e.Statut != NonDisponible || !strings.Contains(e.Motif, "millésime") {
		t.Errorf("unknown millésime: %+v", e)
	}
	if e := got["taux T epci-2020"]; e.Ecart.OK || e.Statut != NonDisponible || e.Motif == "" {
		t.Errorf("no reference: %+v", e)
	}
	if e := got["population T commune-2018"]; e.Ecart.OK || e.Statut != SansObjet {
		t.Errorf("a count: %+v", e)
	}
}

// Where the producer publishes too and a method is far from it, its estimates of other years have no gap.
func TestCalibrationDecides(t *testing.T) {
	codes := []string{"130470001", "130470002"}
	build := func(published float64) Result {
		return compute(t, territory(
			column("kit.csv", "qpv", 2015, "taux", "T", 2016, []string{"QP013061"}, published),
			column("kit.csv", "commune", 2018, "taux", "T", 2018, []string{"13047"}, 15),
			column("rp.csv", "iris", 2016, "taux", "T", 2016, codes, 10, 20),
			column("rp.csv", "iris", 2016, "taux", "T", 2018, codes, 12, 20)))
	}
	gapOf := func(r Result) Ecart {
		i := slices.IndexFunc(r.Ecarts, func(e Ecart) bool {
			return e.Code == "QP013061" && e.Indicateur == "taux" && e.Millesime == 2018 && e.Reference == "commune-2018"
		})
		return r.Ecarts[i]
	}
	r := build(30) // the mean of the IRIS is 15: 15 points too low
	v, _ := shown(r, "taux", "QP013061", 2018, "T")
	if v.V != 16 || v.Fiabilite != Insuffisante || !strings.HasPrefix(v.Note, Disqualified) {
		t.Errorf("%+v", v)
	}
	if e := gapOf(r); e.Ecart.OK || e.Statut != NonSignificatif || !strings.Contains(e.Motif, "−15,0 points") {
		t.Errorf("gap: %+v", e)
	}
	if !slices.ContainsFunc(r.Alertes, func(a Alerte) bool { return a.Kind == "calibration" }) {
		t.Error("not reported")
	}
	if e := gapOf(build(16)); !near4(e.Ecart.V, 1) {
		t.Errorf("a method close to the producer: %+v", e)
	}
}

func TestLatestFileWinsAndSaysSo(t *testing.T) {
	r := compute(t, territory(
		column("old.csv", "qpv", 2015, "population", "T", 2013, []string{"QP013061"}, 3048),
		column("kit.csv", "qpv", 2015, "population", "T", 2013, []string{"QP013061"}, 3050)))
	if v, _ := shown(r, "population", "QP013061", 2013, "T"); v.V != 3050 || v.Source != "kit.csv : POPULATION" {
		t.Errorf("shown: %+v", v)
	}
	if !slices.ContainsFunc(r.Alertes, func(a Alerte) bool { return a.Kind == "precedence" && strings.Contains(a.Message, "3048") }) {
		t.Errorf("the difference is not reported: %+v", r.Alertes)
	}
}

func TestVintageIsNeverGuessed(t *testing.T) {
	in := territory(column("kit.csv", "iris", 2020, "taux", "T", 2019, []string{"130470001", "130470002"}, 10, 20))
	in.Layers = CompleteLayers(in.Layers, in.Columns, in.GeographyAs)
	r := compute(t, in)
	if v, _ := shown(r, "taux", "130470001", 2019, "T"); v.Couche != "iris-2020" || v.V != 10 {
		t.Errorf("kept on its own layer: %+v", v)
	}
	if v, _ := shown(r, "taux", "QP013061", 2019, "T"); v.Statut != NonDisponible {
		t.Errorf("a figure of 2020 met the contours of 2016 unasked: %+v", v)
	}
	if !slices.ContainsFunc(r.Alertes, func(a Alerte) bool {
		return a.Kind == "contours" && strings.Contains(a.Message, "geography_as: {iris-2020: iris-2016}")
	}) {
		t.Errorf("nothing says what to write: %+v", r.Alertes)
	}
	in = territory(in.Columns[1:]...)
	in.GeographyAs = map[geo.Layer]geo.Layer{"iris-2020": "iris-2016"}
	r = compute(t, in)
	if v, _ := shown(r, "taux", "QP013061", 2019, "T"); v.Methode != MethodeMoyenne || v.V != 15 || v.Fiabilite > Moyenne {
		t.Errorf("asked for: %+v", v)
	}
	if !slices.ContainsFunc(r.Alertes, func(a Alerte) bool { return a.Kind == "geographie" }) {
		t.Error("the rapprochement is not reported")
	}
}

func TestUndividedCommuneIsNotSplit(t *testing.T) {
	in := territory(column("kit.csv", "qpv", 2015, "population", "T", 2013, []string{"QP013061"}, 600))
	in.Layers[0].Zones[1].Type = "Z"
	_, all := shown(compute(t, in), "population", "QP013061", 2016, "T")
	if _, split := all[MethodeSurface]; split {
		t.Errorf("commune data split by surface: %+v", all)
	}
}

func TestIdenticalQuartersAreSaid(t *testing.T) {
	in := territory(column("rp.csv", "iris", 2016, "taux", "T", 2016, []string{"130470001", "130470002"}, 10, 20))
	in.Layers[3].Zones = append(in.Layers[3].Zones, geo.Zone{Code: "QP013062", Name: "Autre", Commune: "13047"})
	in.Overlaps[0].Pairs = append(in.Overlaps[0].Pairs, geo.Overlap{From: 1, To: 0, ShareFrom: 0.7, ShareTo: 0.2},
		geo.Overlap{From: 1, To: 1, ShareFrom: 0.3, ShareTo: 0.2})
	r := compute(t, in)
	v, _ := shown(r, "taux", "QP013062", 2016, "T")
	if v.Fiabilite != Insuffisante || !strings.Contains(v.Note, "mêmes IRIS") {
		t.Errorf("%+v", v)
	}
	if !slices.ContainsFunc(r.Alertes, func(a Alerte) bool { return a.Kind == "identique" && a.Objet == "QP013061, QP013062" }) {
		t.Errorf("not reported: %+v", r.Alertes)
	}
}

// The order of the columns and of the layers does not change a byte.
func TestComputeDoesNotDependOnOrder(t *testing.T) {
	codes := []string{"130470001", "130470002"}
	build := func() Input {
		return territory(
			column("kit.csv", "qpv", 2015, "population", "T", 2013, []string{"QP013061"}, 600),
			column("old.csv", "qpv", 2015, "population", "T", 2013, []string{"QP013061"}, 601),
			column("rp.csv", "iris", 2016, "num", "T", 2016, codes, 100, 60),
			column("rp.csv", "iris", 2016, "den", "T", 2016, codes, 500, 1500))
	}
	want := compute(t, build())
	in := build()
	slices.Reverse(in.Columns)
	slices.Reverse(in.Layers)
	if diff := cmp.Diff(want, compute(t, in)); diff != "" {
		t.Errorf("(-in order +reversed):\n%s", diff)
	}
}

func TestFrenchNumber(t *testing.T) {
	tests := []struct {
		v        float64
		decimals int
		want     string
	}{{1234567.891, 1, "1\u202f234\u202f567,9"}, {-0.04, 1, "0,0"}, {-12.5, 1, "−12,5"}, {999, 0, "999"}, {1000, 0, "1\u202f000"}}
	for _, tt := range tests {
		if got := FrenchNumber(tt.v, tt.decimals); got != tt.want {
			t.Errorf("FrenchNumber(%v, %d) = %q, want %q", tt.v, tt.decimals, got, tt.want)
		}
	}
	if got := FrenchSigned(2, 1); got != "+2,0" {
		t.Errorf("FrenchSigned: %q", got)
	}
}

// A quantile, a rapport interdécile and a poverty rate of a quarter are read from the mixture its median comes from.
func TestReadFromTheDistribution(t *testing.T) {
	codes := []string{"130470001", "130470002"}
	in := territory()
	for k := range 9 {
		name := "d" + string(rune('1'+k))
		in.Columns = append(in.Columns, column("kit.csv", "iris", 2016, name, "T", 2019, codes, 1000+100*float64(k+1), 1400+100*float64(k+1)))
	}
	in.Definitions = append(in.Definitions,
		Definition{ID: "d9", Unit: "€/an", Rule: Quantile, Value: "d9", Of: "niveau", Quantile: 0.9},
		Definition{ID: "interdecile", Unit: "ratio", Rule: Quantile, Value: "rd", Of: "niveau", Quantile: 0.9, Over: 0.1},
		Definition{ID: "pauvrete", Unit: "%", Rule: Quantile, Value: "tp60", Of: "niveau", Under: 0.6, Scale: 100, Thresholds: map[int]float64{2019: 1500}})
	r := compute(t, in)
	// Surface weights: 0.4 × 1 000 and 0.1 × 3 000 persons. Under 1 500: half of the first and a tenth of the second;
	// 90 % of the 700 persons are under 2 157.14: 400 + 300 × 0.7667 = 630 (the first's tail ends at 2.2 × 1 900).
	_, all := shown(r, "pauvrete", "QP013061", 2019, "T")
	if got, want := all[MethodeDeciles].V, 100*(400*0.5+300*0.1)/700; math.Abs(got-want) > 1e-9 {
		t.Errorf("poverty rate %v, want %v", got, want)
	}
	first := Distribution{Weight: 400, Deciles: [9]float64{1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900}}
	second := Distribution{Weight: 300, Deciles: [9]float64{1500, 1600, 1700, 1800, 1900, 2000, 2100, 2200, 2300}}
	for _, q := range []float64{0.1, 0.9} {
		x, _ := MixtureQuantile([]Distribution{first, second}, q)
		if p, _ := MixtureShare([]Distribution{first, second}, x); math.Abs(p-q) > 1e-12 {
			t.Errorf("%v %% are under the quantile %v", p, q)
		}
	}
	d9, _ := MixtureQuantile([]Distribution{first, second}, 0.9)
	d1, _ := MixtureQuantile([]Distribution{first, second}, 0.1)
	if _, all = shown(r, "d9", "QP013061", 2019, "T"); math.Abs(all[MethodeDeciles].V-d9) > 1e-9 {
		t.Errorf("D9 %v, want %v", all[MethodeDeciles].V, d9)
	}
	if _, all = shown(r, "interdecile", "QP013061", 2019, "T"); math.Abs(all[MethodeDeciles].V-d9/d1) > 1e-9 {
		t.Errorf("D9/D1 %v, want %v", all[MethodeDeciles].V, d9/d1)
	}

	// The national value, where a source gives it, passes before the amount of the definition.
	in.Columns = append(in.Columns, column("kit.csv", "metropole", 2020, "d5", "T", 2019, []string{"1"}, 2000))
	in.Layers = append(in.Layers, geo.ZoneSet{Layer: "metropole-2020", Zones: []geo.Zone{{Code: "1"}}})
	_, all = shown(compute(t, in), "pauvrete", "QP013061", 2019, "T")
	if got, want := all[MethodeDeciles].V, 100*(400*0.2+300*0.1*600/900)/700; math.Abs(got-want) > 1e-9 {
		t.Errorf("poverty rate under 1 200: %v, want %v", got, want)
	}
}

// The order of the methods of an indicator is that of their errors where they could be measured often enough; the order
// of the rule settles ties, and stands for those nobody measured.
func TestMethodsAreRankedByTheirError(t *testing.T) {
	def := &Definition{ID: "taux", Unit: "%", Rule: Ratio}
	var list []fault
	for i := range 12 {
		code := string(rune('a' + i))
		sign := float64(1 - 2*(i%2))
		list = append(list, fault{"qpv-2015", 2016, "T", MethodeSurface, code, 1 * sign, 0}, fault{"qpv-2015", 2016, "T", MethodePopulation, code, 8, 0},
			fault{"qpv-2015", 2016, "T", MethodeCalage, code, 2 * sign, 0}, fault{"qpv-2015", 2016, "T", MethodeMoyenne, code, 2, 0})
	}
	list = append(list, fault{"qpv-2015", 2016, "T", MethodePrincipal, "a", 0, 0}) // once: not enough
	r := rank(def, list)
	want := []string{MethodeSurface, MethodeCalage, MethodeMoyenne, MethodeConsolides, MethodePrincipal, MethodePopulation}
	if diff := cmp.Diff(want, r.order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if why := r.said[MethodeCalage]; !strings.Contains(why, "2,0 points d'écart absolu moyen au producteur sur 12 comparaisons") || r.said[MethodePrincipal] != "" {
		t.Errorf("why: %q", why)
	}
	all := calibrations(def, list)
	i := slices.IndexFunc(all, func(c Calibration) bool { return c.Methode == MethodeCalage && c.Millesime == 0 })
	if c := all[i]; c.N != 12 || c.Moyenne != 0 || c.Absolue != 2 || c.Mediane != 0 || c.Pire != "a" || c.PireErreur != 2 || c.Unite != "points" {
		t.Errorf("calibration: %+v", c)
	}
	if c := all[i+1]; c.Millesime != 2016 || c.Sexe != "T" || c.N != 12 {
		t.Errorf("of the year: %+v", c)
	}
	// Nothing measured: the order of the rule. A method named by the project stands whatever the errors.
	if r := rank(def, list[:9]); !slices.Equal(r.order, methodOrder[Ratio]) {
		t.Errorf("order of the rule: %v", r.order)
	}
	in := territory(column("rp.csv", "iris", 2016, "taux", "T", 2018, []string{"130470001", "130470002"}, 12, 20))
	in.Methods = map[string]string{"QP013061": MethodePrincipal}
	if v, _ := shown(compute(t, in), "taux", "QP013061", 2018, "T"); v.Methode != MethodePrincipal || !strings.Contains(v.Note, "nommée par le projet") {
		t.Errorf("named: %+v", v)
	}
}

// An edition of which every figure is withheld has nothing but absences, each with its statut: no gap, no evolution, no rank, no
// calibration; and it differs in nothing from itself.
func TestEverythingIsSecret(t *testing.T) {
	iris, quarter, commune := []string{"130470001", "130470002"}, []string{"QP013061"}, []string{"13047"}
	var columns []Column
	for _, mil := range []int{2013, 2016, 2019} {
		for _, variable := range []string{"taux", "num", "den", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"} {
			columns = append(columns, column("rp.csv", "iris", 2016, variable, "T", mil, iris, 0, 0),
				column("kit.csv", "qpv", 2015, variable, "T", mil, quarter, 0), column("rp.csv", "commune", 2018, variable, "T", mil, commune, 0))
		}
	}
	in := territory(columns...)
	for i := range in.Columns {
		for j := range in.Columns[i].Statut {
			in.Columns[i].Statut[j] = Secret
		}
	}
	r := compute(t, in)
	secret := 0
	for _, v := range r.Values {
		if v.Statut == Disponible || v.Fiabilite != SansFiabilite {
			t.Errorf("made of nothing: %+v", v)
		}
		if v.Retenue && v.Statut == Secret {
			secret++
		}
	}
	for _, x := range r.Ecarts {
		if x.Statut == Disponible || x.Ecart.OK || x.Motif == "" {
			t.Errorf("gap: %+v", x)
		}
	}
	for _, x := range r.Rangs {
		if x.Rang != 0 {
			t.Errorf("rank: %+v", x)
		}
	}
	if secret < 3*3*2 || len(r.Ecarts) == 0 || len(r.Evolutions) != 0 || len(r.Calibrations) != 0 {
		t.Errorf("%d withheld, %d gaps, %d evolutions, %d calibrations", secret, len(r.Ecarts), len(r.Evolutions), len(r.Calibrations))
	}
	e := &Edition{ID: "a", Manifest: []byte("{}"), Layers: in.Layers, Indicators: r.Indicators, Values: r.Values, Ecarts: r.Ecarts, Sources: in.Sources, Rangs: r.Rangs}
	other := *e
	other.ID = "b"
	for _, to := range []*Edition{e, &other} {
		if d, err := Diff(e, to); err != nil || len(d.Mouvements) != 0 || d.Comparees == 0 {
			t.Errorf("from itself: %v, %+v", err, d)
		}
	}
	elsewhere := other
	elsewhere.Layers, elsewhere.Values, elsewhere.Ecarts, elsewhere.Rangs, elsewhere.Indicators = nil, nil, nil, nil, nil
	if d, err := Diff(e, &elsewhere); err != nil || len(d.Mouvements) == 0 {
		t.Errorf("to an edition of nothing: %v, %d movements", err, len(d.Mouvements))
	}
}
