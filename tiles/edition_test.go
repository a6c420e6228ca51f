package tiles

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file, which -update rewrites.
func golden(t *testing.T, file string, got []byte) string {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(want)
}

// rect is a rectangle of the legal projection, in metres from a corner near Istres, with square holes.
func rect(x, y, w, h float64, holes ...orb.Ring) orb.MultiPolygon {
	const ox, oy = 861000, 6271000
	ring := func(x, y, w, h float64) orb.Ring {
		return orb.Ring{{ox + x, oy + y}, {ox + x + w, oy + y}, {ox + x + w, oy + y + h}, {ox + x, oy + y + h}, {ox + x, oy + y}}
	}
	poly := orb.Polygon{ring(x, y, w, h)}
	for _, hole := range holes {
		r := slices.Clone(hole)
		for i := range r {
			r[i][0] += ox
			r[i][1] += oy
		}
		poly = append(poly, r)
	}
	return orb.MultiPolygon{poly}
}

// hole is a square hole: clockwise.
func hole(x, y, side float64) orb.Ring {
	return orb.Ring{{x, y}, {x, y + side}, {x + side, y + side}, {x + side, y}, {x, y}}
}

// sample is a small invented territory: n × n IRIS of 1 km, two QPV, a quarter under watch, a commune.
func sample(n int) *indicators.Edition {
	iris := geo.ZoneSet{Layer: "iris-2016", Title: "IRIS, géographie au 01/01/2016", EPSG: 2154, Schematic: true, Source: "contours"}
	for i := range n * n {
		z := geo.Zone{Code: fmt.Sprintf("13047%04d", i+101), Name: fmt.Sprintf("Îlot %d", i+1), Commune: "13047", Type: "H"}
		x, y := float64(i%n)*1000, float64(i/n)*1000
		if i == 0 { // a hole, to see it go round the other way
			z.Geom = rect(x, y, 1000, 1000, hole(300, 300, 200))
		} else {
			z.Geom = rect(x, y, 1000, 1000)
		}
		iris.Zones = append(iris.Zones, z)
	}
	iris.Zones = append(iris.Zones, geo.Zone{Code: "139990000", Name: "Sans contour", Commune: "13999", Type: "Z"})
	e := &indicators.Edition{
		ID: "ed-test", Title: "Observatoire d'essai <& fils>", Schematic: true,
		Layers: []geo.ZoneSet{
			{Layer: "commune-2018", Title: "Communes, géographie au 01/01/2018", EPSG: 2154, Zones: []geo.Zone{
				{Code: "13047", Name: "Istres", Geom: rect(0, 0, float64(n)*1000, float64(n)*1000)}}},
			iris,
			{Layer: "qpv-2015", Title: "Quartiers prioritaires, géographie 2015", EPSG: 2154, Schematic: true, Source: "contours", Zones: []geo.Zone{
				{Code: "QP013061", Name: "Le Prépaou", Commune: "13047", Geom: rect(800, 1200, 500, 400)},
				{Code: "QP013062", Name: "La Carraire", Commune: "13047", Geom: rect(1500, 400, 300, 300)}}},
			{Layer: "veille-2015", Title: "Quartiers de veille active 2015", EPSG: 2154, Zones: []geo.Zone{
				{Code: "VEILLE1", Name: "Les Échoppes", Commune: "13047", Geom: rect(2200, 2200, 400, 300)}}},
		},
		Overlaps: []indicators.OverlapSet{{From: "qpv-2015", To: "iris-2016", Pairs: []geo.Overlap{
			{From: 0, To: n, Area: 80000, ShareFrom: 0.4, ShareTo: 0.08, Margin: 0.02},
			{From: 0, To: n + 1, Area: 119999, ShareFrom: 0.599995, ShareTo: 0.119999, Margin: 0.02},
			{From: 1, To: 0, Area: 10, ShareFrom: 0.0001, ShareTo: 0.00001, Margin: 0.01, Note: "liseré"},
			{From: 1, To: 1, Area: 90000, ShareFrom: 0.9999, ShareTo: 0.09, Margin: 0.01}}}},
		Indicators: []indicators.Definition{
			{ID: "population", Label: "Population", Unit: "habitants", Rule: indicators.Somme, Sexes: []string{"T", "F"}},
			{ID: "part_cmuc", Label: "Part des bénéficiaires de la CMU-C", Unit: "%", Rule: indicators.Ratio, Decimals: 2},
		},
		Sources: []indicators.Source{{ID: "contours", Title: "Contours d'essai", Producer: "IGN", Caption: "Source : IGN, contours d'essai", File: "contours.geojson"},
			{ID: "cnam/essai.csv", Title: "CMU-C", Producer: "CNAM", Caption: "Cnam, régimes d'assurance maladie, 2014", File: "essai.csv", SHA256: "abc", Rows: 12, Kept: 4}},
		Alertes: []indicators.Alerte{{ID: "couverture/QP013061", Kind: "couverture", Gravite: "attention", Objet: "QP013061", Message: "=1+1 ne doit pas être calculé."}},
	}
	add := func(l geo.Layer, code, id, sexe string, year int, v float64, st indicators.Statut) {
		e.Values = append(e.Values, indicators.Value{Key: indicators.Key{Indicateur: id, Couche: l, Millesime: year, Sexe: sexe}, Code: code,
			V: v, Statut: st, Methode: indicators.MethodeProducteur, Retenue: true, Couverture: indicators.Some(1), Fiabilite: indicators.Bonne, Source: "cnam/essai.csv:" + id})
	}
	for i, z := range iris.Zones {
		switch i {
		case 2:
			add(iris.Layer, z.Code, "part_cmuc", "T", 2014, 0, indicators.Secret)
		case 3: // nothing is known of it
		default:
			add(iris.Layer, z.Code, "part_cmuc", "T", 2014, float64(i%50)+0.25, indicators.Disponible)
		}
		add(iris.Layer, z.Code, "population", "T", 2013, float64(2000+i), indicators.Disponible)
	}
	for _, q := range []struct {
		layer geo.Layer
		code  string
		v     float64
		st    indicators.Statut
	}{{"qpv-2015", "QP013061", 18.45, indicators.Disponible}, {"qpv-2015", "QP013062", 27.2, indicators.Disponible},
		{"veille-2015", "VEILLE1", 0, indicators.NonDisponible}, {"commune-2018", "13047", 12.45, indicators.Disponible}} {
		add(q.layer, q.code, "part_cmuc", "T", 2014, q.v, q.st)
	}
	v := &e.Values[len(e.Values)-4]
	v.Nature, v.Methode, v.Min, v.Max, v.Fiabilite = indicators.Estimation, indicators.MethodeMoyenne, indicators.Some(15), indicators.Some(20), indicators.Moyenne
	alt := *v
	alt.Retenue, alt.Methode, alt.V = false, indicators.MethodePrincipal, 20
	e.Values = append(e.Values, alt)
	add("qpv-2015", "QP013061", "part_cmuc", "T", 2011, 17.5, indicators.Disponible)
	add("qpv-2015", "QP013061", "population", "T", 2013, 3048, indicators.Disponible)
	slices.SortFunc(e.Values, indicators.CompareValues)
	key := indicators.Key{Indicateur: "part_cmuc", Couche: "qpv-2015", Millesime: 2014, Sexe: "T"}
	e.Ecarts = []indicators.Ecart{
		{Key: key, Code: "QP013061", Reference: "commune-2018", ReferenceCode: "13047", Valeur: indicators.Some(18.45),
			ValeurReference: indicators.Some(12.45), Ecart: indicators.Some(6), Unite: "points", Rapport: indicators.Some(1.4819277), ReferenceInclut: true},
		{Key: key, Code: "QP013062", Reference: "commune-2018", ReferenceCode: "13047", Valeur: indicators.Some(27.2),
			Unite: "points", ReferenceInclut: true, Statut: indicators.NonDisponible, Motif: "Aucune valeur de la commune pour ce millésime."},
	}
	return e
}

func snapshot(t testing.TB, e *indicators.Edition) *Snapshot {
	t.Helper()
	s, err := NewSnapshot(e, "1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
