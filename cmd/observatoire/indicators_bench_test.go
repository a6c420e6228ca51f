package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"observatoire/geo"
	"observatoire/indicators"
)

// BenchmarkIndicators makes 60 indicators (20 counts, 40 rates) × 3 sexes × 10 years of the real IRIS and quarters of the
// Bouches-du-Rhône, their communes and département. sums makes the estimates of the quarters and references from the IRIS, by every
// method, with their coverage and sources, on figures placed on their zones; whole is the computation of a run: placing, estimates, the
// value chosen, calibration, gaps, comparisons and review. The reference makes the weighted sums alone (two methods, no coverage),
// by one statement for each layer, from the tables our store keeps the same figures in: indexed, analysed, warm. The ×10 is ten
// copies of the territory; all that a run makes of them would fill 24 GB for 60 indicators, and is made of 6 (whole6), with one territory beside it.
//
//	go test ./cmd/observatoire -run '^$' -bench Indicators -benchtime 1x
func BenchmarkIndicators(b *testing.B) {
	for _, copies := range []int{1, 10} {
		b.Run(fmt.Sprintf("sums%d", copies), func(b *testing.B) {
			in := indicatorsInput(b, copies, 60)
			territory, err := indicators.NewTerritory(in)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var n atomic.Int64
			rooms := make([]indicators.Estimates, runtime.GOMAXPROCS(0))
			for b.Loop() {
				n.Store(0)
				var g errgroup.Group
				var next atomic.Int64
				for w := range rooms {
					g.Go(func() error {
						for i := next.Add(1) - 1; i < int64(len(in.Definitions)); i = next.Add(1) - 1 {
							territory.Estimates(&in.Definitions[i], &rooms[w])
							n.Add(int64(rooms[w].Len()))
						}
						return nil
					})
				}
				_ = g.Wait()
			}
			if want := int64(copies * (65*30*(20*1+40*4) + 1800)); n.Load() < want { // surface; with whole, mean and largest IRIS for rates; the département
				b.Fatalf("%d estimates, want %d at least", n.Load(), want)
			}
			b.ReportMetric(float64(n.Load()), "estimates")
		})
		copies = min(copies, 3) // an edition of ten such territories holds 20 million values: 24 GB
	}
	for _, w := range []struct {
		name            string
		copies, defined int
	}{{"whole1", 1, 60}, {"whole6of1", 1, 6}, {"whole6of10", 10, 6}} {
		b.Run(w.name, func(b *testing.B) {
			in := indicatorsInput(b, w.copies, w.defined)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r, err := indicators.Compute(in)
				if err != nil {
					b.Fatal(err)
				}
				n = len(r.Values)
			}
			if n < w.copies*w.defined*30*1000 {
				b.Fatalf("%d values", n)
			}
			b.ReportMetric(float64(n), "values")
		})
	}
	b.Run("SQL", func(b *testing.B) {
		address, conn := stageSchema(b)
		in := indicatorsInput(b, 1, 60)
		e := &indicators.Edition{ID: "chiffres", Layers: in.Layers, Overlaps: in.Overlaps}
		for _, c := range in.Columns {
			for i, code := range c.Codes {
				e.Values = append(e.Values, indicators.Value{Key: indicators.Key{Indicateur: c.Variable, Couche: in.Layers[1].Layer, Millesime: c.Millesime, Sexe: c.Sexe},
					Code: code, V: c.V[i], Retenue: true})
			}
		}
		if err := stageStore(b, address, e).Close(); err != nil {
			b.Fatal(err)
		}
		exec := func(sql string) {
			b.Helper()
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				b.Fatalf("%s: %v", sql, err)
			}
		}
		exec("CREATE INDEX ON serie (couche, code)")
		exec("CREATE INDEX ON recouvrement (couche_de, code_vers)")
		exec("CREATE TABLE appartient AS SELECT code, left(code, 8) AS commune FROM zone WHERE couche LIKE 'iris-%'")
		exec("VACUUM ANALYZE serie")
		exec("VACUUM ANALYZE recouvrement")
		exec("VACUUM ANALYZE appartient")
		exec("SET max_parallel_workers_per_gather = 2")
		measure := func() {
			exec(`CREATE TEMP TABLE sommes AS
				SELECT r.code_de AS code, s.indicateur, s.millesime, s.sexe, sum(r.part_vers * s.valeur) AS surface, sum(s.valeur) AS entier
				FROM recouvrement r JOIN serie s ON s.code = r.code_vers WHERE r.couche_de LIKE 'qpv-%' AND s.couche LIKE 'iris-%' GROUP BY 1, 2, 3, 4`)
			exec(`CREATE TEMP TABLE communes AS
				SELECT a.commune AS code, s.indicateur, s.millesime, s.sexe, sum(s.valeur) AS entier
				FROM appartient a JOIN serie s ON s.code = a.code WHERE s.couche LIKE 'iris-%' GROUP BY 1, 2, 3, 4`)
			exec(`CREATE TEMP TABLE departement AS
				SELECT indicateur, millesime, sexe, sum(entier) AS entier FROM communes GROUP BY 1, 2, 3`)
			exec(`CREATE TEMP TABLE taux AS
				SELECT n.code, n.indicateur, n.millesime, n.sexe, 100 * n.surface / d.surface AS surface, 100 * n.entier / d.entier AS consolide
				FROM sommes n JOIN sommes d ON d.code = n.code AND d.indicateur = 'd' || substr(n.indicateur, 2) AND d.millesime = n.millesime AND d.sexe = n.sexe
				WHERE n.indicateur LIKE 'n%'`)
		}
		measure() // warm
		for b.Loop() {
			b.StopTimer()
			exec("DROP TABLE sommes, communes, departement, taux")
			b.StartTimer()
			measure()
		}
	})
}

// indicatorsInput is copies of the territory with invented figures of some indicators, a third of them counts, the same each time.
func indicatorsInput(b *testing.B, copies, defined int) indicators.Input {
	b.Helper()
	zones := stageZones(b, copies)
	iris, qpv := &zones.Layers[0], &zones.Layers[1]
	for _, set := range []*geo.ZoneSet{iris, qpv} {
		slices.SortFunc(set.Zones, func(x, y geo.Zone) int {
			if x.Code < y.Code {
				return -1
			}
			return 1
		})
	}
	pairs, err := geo.Overlaps(context.Background(), qpv, iris)
	if err != nil {
		b.Fatal(err)
	}
	communes, departement := geo.ZoneSet{Layer: "commune-2013", EPSG: iris.EPSG}, geo.ZoneSet{Layer: "departement-2013", EPSG: iris.EPSG}
	for i := range iris.Zones {
		z := &iris.Zones[i]
		z.Commune = z.Code[:8] // "00-13001"
		z.Geom = nil
		if n := len(communes.Zones); n == 0 || communes.Zones[n-1].Code != z.Commune {
			communes.Zones = append(communes.Zones, geo.Zone{Code: z.Commune})
		}
	}
	for i := range copies {
		d := geo.Zone{Code: fmt.Sprintf("%02d-13", i)}
		for _, z := range communes.Zones {
			if z.Code[:2] == d.Code[:2] {
				d.Members = append(d.Members, z.Code)
			}
		}
		departement.Zones = append(departement.Zones, d)
	}
	for _, p := range pairs { // a quarter is of the commune of an IRIS it cuts
		qpv.Zones[p.From].Commune = iris.Zones[p.To].Commune
	}
	for i := range qpv.Zones {
		qpv.Zones[i].Geom = nil
	}
	in := indicators.Input{Layers: []geo.ZoneSet{communes, *iris, *qpv, departement},
		Overlaps: []indicators.OverlapSet{{From: qpv.Layer, To: iris.Layer, Pairs: pairs}},
		Sources:  []indicators.Source{{ID: "f", File: "figures.csv"}}, Studied: []string{"qpv"}, References: []string{"commune", "departement"}}
	codes := make([]string, len(iris.Zones))
	for i, z := range iris.Zones {
		codes[i] = z.Code
	}
	seed := uint64(1)
	column := func(variable, sexe string, mil int, scale float64) {
		c := indicators.Column{Source: "f", Variable: variable, Sexe: sexe, Level: "iris", Vintage: 2013, Millesime: mil, Header: variable,
			Codes: codes, V: make([]float64, len(codes)), Statut: make([]indicators.Statut, len(codes))}
		for i := range c.V {
			seed = seed*6364136223846793005 + 1442695040888963407
			c.V[i] = scale * (1 + float64(seed>>40)/(1<<24))
		}
		in.Columns = append(in.Columns, c)
	}
	column("population", "T", 2013, 2000)
	sexes := []string{"T", "F", "H"}
	for k := range defined {
		d := indicators.Definition{ID: fmt.Sprintf("i%02d", k), Label: "Essai", Unit: "%", Rule: indicators.Ratio, Scale: 100, Sexes: sexes,
			Numerator: []string{fmt.Sprintf("n%02d", k)}, Denominator: []string{fmt.Sprintf("d%02d", k)}}
		if k < defined/3 {
			d = indicators.Definition{ID: d.ID, Label: "Essai", Unit: "personnes", Rule: indicators.Somme, Sexes: sexes, Value: fmt.Sprintf("c%02d", k)}
		}
		in.Definitions = append(in.Definitions, d)
		for _, sexe := range sexes {
			for mil := 2010; mil < 2020; mil++ {
				if k < defined/3 {
					column(d.Value, sexe, mil, 500)
					continue
				}
				column(d.Numerator[0], sexe, mil, 100)
				column(d.Denominator[0], sexe, mil, 500)
			}
		}
	}
	return in
}
