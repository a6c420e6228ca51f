package geo

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
)

// The benchmarks measure the overlaps of the quarters and IRIS of the Bouches-du-Rhône, and of sixty copies of
// them side by side, here and in PostGIS: the ratio of the two, in one run, is the figure to watch.
//
//	go test ./geo -run '^$' -bench Overlaps13 -benchtime 5x

func BenchmarkOverlaps13(b *testing.B)           { benchmarkOverlaps(b, 1) }
func BenchmarkOverlaps13x60(b *testing.B)        { benchmarkOverlaps(b, 60) }
func BenchmarkOverlaps13Margins(b *testing.B)    { benchmarkOverlaps(b, 1, WithMargins()) }
func BenchmarkOverlaps13PostGIS(b *testing.B)    { benchmarkPostGIS(b, 1) }
func BenchmarkOverlaps13x60PostGIS(b *testing.B) { benchmarkPostGIS(b, 60) }

func benchmarkOverlaps(b *testing.B, copies int, opts ...OverlapOption) {
	from, to := copies13(b, copies)
	if _, err := Overlaps(context.Background(), from, to, opts...); err != nil { // warm
		b.Fatal(err)
	}
	runtime.GC() // of what the reading left
	b.ReportAllocs()
	var rows int
	for b.Loop() {
		overlaps, err := Overlaps(context.Background(), from, to, opts...)
		if err != nil {
			b.Fatal(err)
		}
		rows = len(overlaps)
	}
	b.ReportMetric(float64(rows), "rows")
	points := 0
	for _, set := range []*ZoneSet{from, to} {
		for _, z := range set.Zones {
			for _, poly := range z.Geom {
				for _, ring := range poly {
					points += len(ring)
				}
			}
		}
	}
	b.ReportMetric(float64(points)*16, "coordinate-bytes")
}

func benchmarkPostGIS(b *testing.B, copies int) {
	db := openPostGIS(b)
	from, to := copies13(b, copies)
	db.load(b, "qpv", from.Zones)
	db.load(b, "iris", to.Zones)
	db.overlaps(b) // warm
	var rows int
	for b.Loop() {
		rows = len(db.overlaps(b))
	}
	b.ReportMetric(float64(rows), "rows")
}

// copies13 is so many copies of the quarters and of the IRIS of 2013–14, side by side.
func copies13(t testing.TB, copies int) (qpv, iris *ZoneSet) {
	qpv, iris = real13(t, "2013-14")
	side := int(math.Ceil(math.Sqrt(float64(copies))))
	repeat := func(set *ZoneSet) *ZoneSet {
		out := &ZoneSet{Layer: set.Layer, EPSG: set.EPSG}
		for i := range copies {
			for _, z := range set.Zones {
				z.Code = fmt.Sprintf("%02d-%s", i, z.Code)
				z.Geom = moved(z.Geom, float64(i%side)*200_000, float64(i/side)*-200_000)
				z.Box = Box(z.Geom) // as the readers of layers leave it, and as PostGIS keeps it with a geometry
				out.Zones = append(out.Zones, z)
			}
		}
		return out
	}
	return repeat(qpv), repeat(iris)
}

// A postGIS is a schema of its own in the database to compare with.
type postGIS struct{ *pgx.Conn }

func openPostGIS(t testing.TB) postGIS {
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		t.Skip("OBSERVATOIRE_TEST_PG, a PostGIS database to compare with, is not set")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := postGIS{conn}
	schema := fmt.Sprintf("geo_test_%d", os.Getpid())
	t.Cleanup(func() {
		db.exec(t, "DROP SCHEMA "+schema+" CASCADE")
		conn.Close(ctx)
	})
	db.exec(t, "CREATE SCHEMA "+schema)
	db.exec(t, "SET search_path TO "+schema+", public")
	db.exec(t, "SET max_parallel_workers_per_gather = 2")
	// Without these the tables are too small for the planner to share the work.
	db.exec(t, "SET min_parallel_table_scan_size = 0")
	db.exec(t, "SET parallel_setup_cost = 0")
	return db
}

func (db postGIS) exec(t testing.TB, sql string) {
	t.Helper()
	if _, err := db.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// load makes a table of the zones, numbered as in the slice, with its index and its statistics.
func (db postGIS) load(t testing.TB, table string, zones []Zone) {
	t.Helper()
	db.exec(t, "CREATE TABLE "+table+" (id int PRIMARY KEY, raw bytea, geom geometry(MultiPolygon, 2154))")
	_, err := db.CopyFrom(context.Background(), pgx.Identifier{table}, []string{"id", "raw"},
		pgx.CopyFromSlice(len(zones), func(i int) ([]any, error) {
			raw, err := wkb.Marshal(zones[i].Geom)
			return []any{i, raw}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	db.exec(t, "UPDATE "+table+" SET geom = ST_GeomFromWKB(raw, 2154), raw = NULL")
	db.exec(t, "CREATE INDEX ON "+table+" USING gist (geom)")
	db.exec(t, "VACUUM FULL ANALYZE "+table)
}

// overlaps measures in PostGIS the pairs of the tables qpv and iris that meet.
func (db postGIS) overlaps(t testing.TB) map[[2]int]float64 {
	t.Helper()
	rows, err := db.Query(context.Background(), `
		SELECT q.id, i.id, ST_Area(ST_Intersection(q.geom, i.geom))
		FROM qpv q JOIN iris i ON ST_Intersects(q.geom, i.geom)`)
	if err != nil {
		t.Fatal(err)
	}
	areas := map[[2]int]float64{}
	var from, to int
	var area float64
	if _, err := pgx.ForEachRow(rows, []any{&from, &to, &area}, func() error {
		areas[[2]int{from, to}] = area
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return areas
}

func TestOverlapsAgainstPostGIS(t *testing.T) {
	db := openPostGIS(t)
	from, to := copies13(t, 1)
	db.load(t, "qpv", from.Zones)
	db.load(t, "iris", to.Zones)
	want := db.overlaps(t)
	got, err := Overlaps(context.Background(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	var worst float64
	check := func(p [2]int, got, want float64) {
		f, g := from.Zones[p[0]], to.Zones[p[1]]
		off := math.Abs(got-want) / min(Area(f.Geom), Area(g.Geom))
		if worst = max(worst, off); off > 1e-9 {
			t.Errorf("%s, %s: %v m², PostGIS %v: %.1e of the smaller", f.Code, g.Code, got, want, off)
		}
	}
	for _, o := range got {
		p := [2]int{o.From, o.To}
		check(p, o.Area, want[p])
		delete(want, p)
	}
	for p, area := range want {
		check(p, 0, area)
	}
	t.Logf("%d pairs, worst difference %.1e of the smaller area", len(got), worst)
}

// TestMeasureAgainstPostGIS compares 2 000 pairs, or as many as OBSERVATOIRE_PAIRS says.
func TestMeasureAgainstPostGIS(t *testing.T) {
	db := openPostGIS(t)
	n, err := strconv.Atoi(cmp.Or(os.Getenv("OBSERVATOIRE_PAIRS"), "2000"))
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		n = 200
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var worst float64
	positive := 0
	for done := 0; done < n; done += 2000 {
		size := min(2000, n-done)
		as, bs := make([]orb.MultiPolygon, size), make([]orb.MultiPolygon, size)
		var batch pgx.Batch
		for i := range size {
			as[i], bs[i] = starsNear(rnd)
			batch.Queue("SELECT ST_Area(ST_Intersection(ST_GeomFromWKB($1), ST_GeomFromWKB($2)))",
				wkb.MustMarshal(as[i]), wkb.MustMarshal(bs[i]))
		}
		results := db.SendBatch(context.Background(), &batch)
		for i := range size {
			var want float64
			if err := results.QueryRow().Scan(&want); err != nil {
				t.Fatal(err)
			}
			a, b := Prepare(as[i]), Prepare(bs[i])
			got := a.IntersectionArea(b)
			if want > 0 {
				positive++
			}
			off := math.Abs(got-want) / min(a.Area(), b.Area())
			if worst = max(worst, off); off > 1e-9 {
				t.Errorf("pair %d: %v m², PostGIS %v: %.1e of the smaller", done+i, got, want, off)
			}
		}
		if err := results.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d pairs, %d of them overlap, worst difference %.1e of the smaller area", n, positive, worst)
}
