package geo

import (
	"compress/gzip"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"
	"github.com/paulmach/orb/geojson"
	"pgregory.net/rapid"
)

func TestDissolve(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parts []string
		want  string
	}{
		{"nothing", nil, "MULTIPOLYGON EMPTY"},
		{"one", []string{"POLYGON((10 0,10 10,0 10,0 0,10 0))"}, "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"},
		{"side by side", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((10 0,20 0,20 10,10 10,10 0))"},
			"MULTIPOLYGON(((0 0,10 0,20 0,20 10,10 10,0 10,0 0)))"},
		{"turning the wrong way", []string{"POLYGON((0 0,0 10,10 10,10 0,0 0))", "POLYGON((10 0,20 0,20 10,10 10,10 0))"},
			"MULTIPOLYGON(((0 0,10 0,20 0,20 10,10 10,0 10,0 0)))"},
		{"a border with a vertex one of them lacks", []string{"POLYGON((0 0,10 0,10 5,10 10,0 10,0 0))", "POLYGON((10 0,20 0,20 10,10 10,10 0))"},
			"MULTIPOLYGON(((0 0,10 0,20 0,20 10,10 10,0 10,0 0)))"},
		{"apart", []string{"POLYGON((20 0,30 0,30 10,20 10,20 0))", "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
			"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((20 0,30 0,30 10,20 10,20 0)))"},
		{"touching at a corner", []string{"POLYGON((10 10,20 10,20 20,10 20,10 10))", "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
			"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((10 10,20 10,20 20,10 20,10 10)))"},
		{"an enclave filled", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,2 8,8 8,8 2,2 2))", "POLYGON((2 2,8 2,8 8,2 8,2 2))"},
			"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"},
		{"an enclave filled in part", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,2 8,8 8,8 2,2 2))", "POLYGON((3 3,6 3,6 6,3 6,3 3))"},
			"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0),(2 2,2 8,8 8,8 2,2 2)),((3 3,6 3,6 6,3 6,3 3)))"},
		{"a gap", []string{"POLYGON((0 0,10 0,10 2,8 5,10 8,10 10,0 10,0 0))", "POLYGON((10 0,20 0,20 10,10 10,10 8,12 5,10 2,10 0))"},
			"MULTIPOLYGON(((0 0,10 0,20 0,20 10,10 10,0 10,0 0),(8 5,10 8,12 5,10 2,8 5)))"},
		{"a gap as long as the border", []string{"POLYGON((0 0,10 0,8 5,10 10,0 10,0 0))", "POLYGON((10 0,20 0,20 10,10 10,12 5,10 0))"},
			"MULTIPOLYGON(((0 0,10 0,8 5,10 10,0 10,0 0)),((10 0,20 0,20 10,10 10,12 5,10 0)))"},
		{"an overlap", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((5 5,15 5,15 15,5 15,5 5))"},
			"MULTIPOLYGON(((0 0,10 0,10 5,15 5,15 15,5 15,5 10,0 10,0 0)))"},
		{"the same twice", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
			"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"},
		{"a hole over another part", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((-5 -5,15 -5,15 15,-5 15,-5 -5),(1 1,1 5,5 5,5 1,1 1))"},
			"MULTIPOLYGON(((-5 -5,15 -5,15 15,-5 15,-5 -5)))"},
	} {
		var parts []orb.MultiPolygon
		for _, s := range tt.parts {
			parts = append(parts, parse(t, s))
		}
		if diff := cmp.Diff(tt.want, wkt.MarshalString(Dissolve(parts))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		slices.Reverse(parts)
		if diff := cmp.Diff(tt.want, wkt.MarshalString(Dissolve(parts))); diff != "" {
			t.Errorf("%s, in the other order (-want +got):\n%s", tt.name, diff)
		}
	}
	parts := []orb.MultiPolygon{{{{{0, 0}, {math.NaN(), 0}, {1, 1}, {0, 0}}}}, parse(t, "POLYGON((0 0,10 0,10 10,0 10,0 0))")}
	if got := Area(Dissolve(parts)); got != 100 {
		t.Errorf("beside a part that is not numbers, the area is %g", got)
	}
}

// A patchwork of squares of a grid, some left out, loses no area and has no border within.
func TestDissolveGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 6
		taken := rapid.SliceOfN(rapid.Bool(), n*n, n*n).Draw(t, "taken")
		var parts []orb.MultiPolygon
		var area float64
		for i, ok := range taken {
			if ok {
				x, y := 880000+float64(i%n)/3, 6250000+float64(i/n)/7
				ex, ey := 880000+float64(i%n+1)/3, 6250000+float64(i/n+1)/7
				parts = append(parts, orb.MultiPolygon{{{{x, y}, {ex, y}, {ex, ey}, {x, ey}, {x, y}}}})
				area += Area(parts[len(parts)-1])
			}
		}
		got := Dissolve(parts)
		if math.Abs(Area(got)-area) > 1e-12*area {
			t.Errorf("area %g, want %g", Area(got), area)
		}
		if err := toGeom(got).Validate(); err != nil {
			t.Errorf("%v: %v", err, wkt.MarshalString(got))
		}
	})
}

func TestDissolveCommunes(t *testing.T) {
	l93 := mustCRS(t, 2154)
	istres := []string{"13047", "13063", "13039", "13078", "13044", "13029"}
	for _, tt := range []struct {
		file, code string
		only       []string
		n          int
		from       CRS
		polygons   int
		holes      int
	}{
		// On the shore of the étang de Berre, which the whole département surrounds in the first file.
		{"communes_13_adminexpress2018_simplified.geojson", "code", istres, 6, wgs84, 2, 0},
		{"communes_13_adminexpress2018_simplified.geojson", "code", nil, 119, wgs84, 10, 1},
		{"communes_13_osm_lb93.geojson.gz", "insee", istres, 6, l93, 1, 0},
		{"communes_13_osm_lb93.geojson.gz", "insee", nil, 119, l93, 64, 0},
	} {
		parts := readGeoJSON(t, realFile(t, "admin", tt.file), tt.code, tt.only)
		if len(parts) != tt.n {
			t.Fatalf("%s: %d communes, want %d", tt.file, len(parts), tt.n)
		}
		var sum float64
		for i := range parts {
			parts[i] = Transform(parts[i], tt.from, l93)
			sum += Area(Orient(parts[i]))
		}
		got := Dissolve(parts)
		mustBeValid(t, tt.file, got)
		if math.Abs(Area(got)-sum) > 1e-14*sum {
			t.Errorf("%s, %d communes: area %.15g, want %.15g", tt.file, tt.n, Area(got), sum)
		}
		if polygons, holes := count(got); polygons != tt.polygons || holes != tt.holes {
			t.Errorf("%s, %d communes: %d polygons and %d holes, want %d and %d", tt.file, tt.n, polygons, holes, tt.polygons, tt.holes)
		}
		t.Run("PostGIS", func(t *testing.T) { compareUnion(t, postgis(t), tt.file, parts, got) })
		slices.Reverse(parts)
		if diff := cmp.Diff(got, Dissolve(parts)); diff != "" {
			t.Errorf("%s: in another order (-want +got):\n%s", tt.file, diff)
		}
	}
}

// Neighbours whose borders come from different surveys overlap here and leave gaps there.
func TestDissolveMismatch(t *testing.T) {
	var parts []orb.MultiPolygon
	var sum float64
	for i, code := range []string{"13047", "13063", "13039", "13078", "13044", "13029"} {
		var p []orb.MultiPolygon
		if i%2 == 0 {
			p = readGeoJSON(t, realFile(t, "admin", "communes_13_osm_lb93.geojson.gz"), "insee", []string{code})
		} else {
			p = readGeoJSON(t, realFile(t, "admin", "communes_13_adminexpress2018_simplified.geojson"), "code", []string{code})
			p[0] = Transform(p[0], wgs84, mustCRS(t, 2154))
		}
		parts = append(parts, p...)
		sum += Area(Orient(p[0]))
	}
	got := Dissolve(parts)
	mustBeValid(t, "union", got)
	polygons, holes := count(got)
	if polygons != 2 || holes != 54 || math.Abs(sum-Area(got)-189919) > 1 {
		t.Errorf("%d polygons, %d holes, %.0f m² covered twice", polygons, holes, sum-Area(got))
	}
	t.Run("PostGIS", func(t *testing.T) { compareUnion(t, postgis(t), "union", parts, got) })
}

func count(mp orb.MultiPolygon) (polygons, holes int) {
	for _, poly := range mp {
		holes += len(poly) - 1
	}
	return len(mp), holes
}

func compareUnion(t *testing.T, db *pgx.Conn, name string, parts []orb.MultiPolygon, got orb.MultiPolygon) {
	t.Helper()
	var all []string
	for _, p := range parts {
		all = append(all, hexWKB(t, p))
	}
	const union = "(SELECT ST_Union(g::geometry) FROM unnest($1::text[]) g)"
	want := query[float64](t, db, "SELECT ST_Area("+union+")", all)
	if math.Abs(want-Area(got)) > 1e-9*want {
		t.Errorf("%s: area %.12g, PostGIS %.12g", name, Area(got), want)
	}
	if !query[bool](t, db, "SELECT ST_IsValid($1::geometry)", hexWKB(t, got)) {
		t.Errorf("%s: PostGIS does not find the union valid", name)
	}
}

func FuzzDissolve(f *testing.F) {
	f.Add([]byte{0, 0, 0, 10, 10, 10, 0, 0, 10, 254, 2, 2, 4, 4, 4, 2})
	f.Add([]byte{2, 0, 0, 1, 15, 2, 0, 3, 15, 254, 4, 0, 5, 15, 6, 0, 7, 15, 8, 8, 0, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		var parts []orb.MultiPolygon
		for _, poly := range draw(b) {
			mp, _ := Repair(orb.MultiPolygon{poly})
			parts = append(parts, mp)
		}
		mustBeValid(t, "union", Dissolve(parts))
	})
}

func BenchmarkDissolveCommunes(b *testing.B) {
	parts := readGeoJSON(b, realFile(b, "admin", "communes_13_osm_lb93.geojson.gz"), "insee", nil)
	for b.Loop() {
		Dissolve(parts)
	}
}

// readGeoJSON reads the zones of a file, or only those with certain values of the property named code.
func readGeoJSON(t testing.TB, path, code string, only []string) []orb.MultiPolygon {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	fc, err := geojson.UnmarshalFeatureCollection(b)
	if err != nil {
		t.Fatal(err)
	}
	var all []orb.MultiPolygon
	for _, feature := range fc.Features {
		if only != nil && !slices.Contains(only, feature.Properties.MustString(code, "")) {
			continue
		}
		switch g := feature.Geometry.(type) {
		case orb.Polygon:
			all = append(all, orb.MultiPolygon{g})
		case orb.MultiPolygon:
			all = append(all, g)
		}
	}
	return all
}
