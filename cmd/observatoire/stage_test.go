package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"observatoire/data"
	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// BenchmarkStage is the overlaps as a stage of a run: it reads the zones from the store, measures what they have in
// common, and writes that to the store. The zones are sixty copies side by side of the real IRIS and quarters
// of the Bouches-du-Rhône. The reference makes a table of the same areas inside PostGIS.
//
//	go test ./cmd/observatoire -run '^$' -bench Stage -benchtime 1x
func BenchmarkStage(b *testing.B) {
	zones := stageZones(b, 60)
	b.Run("GeoPackage", func(b *testing.B) {
		benchmarkStage(b, filepath.Join(b.TempDir(), "observatoire.gpkg"), zones)
	})
	b.Run("PostGIS", func(b *testing.B) {
		address, _ := stageSchema(b)
		benchmarkStage(b, address, zones)
	})
	b.Run("reference", func(b *testing.B) {
		address, conn := stageSchema(b)
		s := stageStore(b, address, zones)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		exec := func(sql string) {
			b.Helper()
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				b.Fatalf("%s: %v", sql, err)
			}
		}
		for _, level := range []string{"qpv", "iris"} {
			exec(fmt.Sprintf("CREATE TABLE %s AS SELECT fid AS id, geom FROM zone WHERE couche LIKE '%s-%%'", level, level))
			exec(fmt.Sprintf("CREATE INDEX ON %s USING gist (geom)", level))
			exec("VACUUM FULL ANALYZE " + level)
		}
		exec("SET max_parallel_workers_per_gather = 2")
		// Without these the tables are too small for the planner to share the work.
		exec("SET min_parallel_table_scan_size = 0")
		exec("SET parallel_setup_cost = 0")
		measure := func() {
			exec(`CREATE TABLE commun AS SELECT q.id AS de, i.id AS vers, ST_Area(ST_Intersection(q.geom, i.geom)) AS aire
				FROM qpv q JOIN iris i ON ST_Intersects(q.geom, i.geom)`)
		}
		measure() // warm
		for b.Loop() {
			b.StopTimer()
			exec("DROP TABLE commun")
			b.StartTimer()
			measure()
		}
	})
}

func benchmarkStage(b *testing.B, address string, zones *indicators.Edition) {
	ctx := context.Background()
	s := stageStore(b, address, zones)
	defer s.Close()
	var spent [3]time.Duration // reading, measuring, writing
	n := 0
	for b.Loop() {
		began := time.Now()
		lap := func(i int) {
			spent[i] += time.Since(began)
			began = time.Now()
		}
		qpv, _, err := s.Zones(ctx, zones.ID, zones.Layers[1].Layer, nil)
		if err != nil {
			b.Fatal(err)
		}
		// As the reference does through its index, only the IRIS whose box meets a quarter's are read.
		near := make([]orb.Bound, len(qpv.Zones))
		for i := range near {
			near[i] = qpv.Zones[i].Geom.Bound()
		}
		iris, _, err := s.Zones(ctx, zones.ID, zones.Layers[0].Layer, near)
		if err != nil {
			b.Fatal(err)
		}
		lap(0)
		pairs, err := geo.Overlaps(ctx, qpv, iris)
		if err != nil {
			b.Fatal(err)
		}
		lap(1)
		// The overlaps are kept with the codes of the zones that have some, whose contours are in the store already.
		keepCrossed(qpv, pairs, func(o *geo.Overlap) *int { return &o.From })
		keepCrossed(iris, pairs, func(o *geo.Overlap) *int { return &o.To })
		n++
		out := &indicators.Edition{ID: fmt.Sprintf("recouvrements-%d", n), Layers: []geo.ZoneSet{*qpv, *iris},
			Overlaps: []indicators.OverlapSet{{From: qpv.Layer, To: iris.Layer, Pairs: pairs}}}
		if err := s.PutEdition(ctx, out); err != nil {
			b.Fatal(err)
		}
		lap(2)
		if len(pairs) < 60*300 {
			b.Fatalf("%d pairs", len(pairs))
		}
	}
	for i, name := range []string{"ms-read", "ms-measure", "ms-write"} {
		b.ReportMetric(float64(spent[i].Milliseconds())/float64(b.N), name)
	}
}

// keepCrossed drops the contours of a set, and its zones that are in no pair, and brings the pairs in line.
func keepCrossed(set *geo.ZoneSet, pairs []geo.Overlap, side func(*geo.Overlap) *int) {
	place := make([]int, len(set.Zones))
	for i := range pairs {
		place[*side(&pairs[i])] = 1
	}
	n := 0
	for i, z := range set.Zones {
		if place[i] == 1 {
			z.Geom = nil
			set.Zones[n], place[i] = z, n
			n++
		}
	}
	set.Zones = set.Zones[:n]
	for i := range pairs {
		at := side(&pairs[i])
		*at = place[*at]
	}
}

// stageStore is a store that holds the zones.
func stageStore(b *testing.B, address string, zones *indicators.Edition) store.Store {
	b.Helper()
	s, err := store.Open(context.Background(), address, "")
	if err != nil {
		b.Fatal(err)
	}
	if err := s.PutEdition(context.Background(), zones); err != nil {
		b.Fatal(err)
	}
	return s
}

// stageZones is an edition of so many copies of the real IRIS and quarters, in squares of 200 km.
func stageZones(b *testing.B, copies int) *indicators.Edition {
	b.Helper()
	root := os.Getenv("OBSERVATOIRE_REAL")
	if root == "" {
		b.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	cards, err := ingest.LoadCatalogue(data.Catalogue())
	if err != nil {
		b.Fatal(err)
	}
	e := &indicators.Edition{ID: "zones"}
	for _, l := range []struct {
		card, file string
		layer      geo.Layer
	}{
		{"contours-iris", "iris_geo/iris_13_contours_iris_2013_lb93.geojson.gz", "iris-2013"},
		{"contours-qpv", "qpv_geo/QP_METROPOLE_LB93.shp", "qpv-2015"},
	} {
		card, ok := cards.Card(l.card)
		if !ok {
			b.Fatalf("no card %s in the catalogue", l.card)
		}
		set, _, err := ingest.ReadLayer(context.Background(), filepath.Join(root, l.file), card, l.layer)
		if err != nil {
			b.Fatal(err)
		}
		e.Layers = append(e.Layers, sideBySide(set, copies))
	}
	return e
}

// sideBySide is copies of the zones of the Bouches-du-Rhône.
func sideBySide(set *geo.ZoneSet, copies int) geo.ZoneSet {
	out := *set
	out.Zones = nil
	for i := range copies {
		for _, z := range set.Zones {
			if !strings.HasPrefix(strings.TrimPrefix(z.Code, "QP0"), "13") {
				continue
			}
			z.Code, z.Geom = fmt.Sprintf("%02d-%s", i, z.Code), z.Geom.Clone()
			for _, poly := range z.Geom {
				for _, ring := range poly {
					for j := range ring {
						ring[j][0] += float64(i%8) * 200_000
						ring[j][1] -= float64(i/8) * 200_000
					}
				}
			}
			z.Box = geo.Box(z.Geom)
			out.Zones = append(out.Zones, z)
		}
	}
	return out
}

// stageSchema is the address of a schema of its own in the database to compare with, and a connection to it.
func stageSchema(b *testing.B) (string, *pgx.Conn) {
	b.Helper()
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		b.Skip("OBSERVATOIRE_TEST_PG, a PostGIS database to compare with, is not set")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		b.Fatal(err)
	}
	schema := fmt.Sprintf("etape_%d_%d", os.Getpid(), time.Now().UnixNano())
	b.Cleanup(func() {
		if _, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			b.Error(err)
		}
		conn.Close(ctx)
	})
	if _, err := conn.Exec(ctx, "SET search_path TO "+schema+", public"); err != nil {
		b.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		b.Fatal(err)
	}
	q := u.Query()
	q.Set("schema", schema)
	u.RawQuery = q.Encode()
	return u.String(), conn
}
