package geo

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/paulmach/orb/encoding/wkt"
	"github.com/paulmach/orb/planar"
)

func TestRepair(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name, wkt string
		kind      string
		want      string // as polygons in any form; empty to expect the drawing itself
	}{
		{"square", "POLYGON((0 0,10 0,10 10,0 10,0 0))", "", ""},
		{"clockwise square", "POLYGON((0 0,0 10,10 10,10 0,0 0))", "", "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"repeated points", "POLYGON((0 0,10 0,10 0,10 10,0 10,0 0,0 0))", "", "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"hole that turns as the shell", "POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,4 2,4 4,2 2))", "", "POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,4 4,4 2,2 2))"},
		{"hole touching the shell at a point", "POLYGON((0 0,10 0,10 10,0 10,0 0),(0 5,4 6,4 4,0 5))", "", ""},
		{"hole touching the shell at a corner", "POLYGON((0 0,10 0,10 10,0 10,0 0),(0 0,4 6,6 4,0 0))", "", ""},
		{"two polygons touching at a point", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((10 10,20 10,20 20,10 20,10 10)))", "", ""},
		{"island in a hole", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0),(1 1,1 9,9 9,9 1,1 1)),((2 2,8 2,8 8,2 8,2 2)))", "", ""},
		{"three holes in a row", "POLYGON((0 0,10 0,10 10,0 10,0 0),(1 5,2 6,3 5,2 4,1 5),(3 5,4 6,5 5,4 4,3 5),(5 5,6 6,7 5,6 4,5 5))", "", ""},

		{"bow-tie", "POLYGON((0 0,10 10,10 0,0 10,0 0))", FaultSelfCross, "MULTIPOLYGON(((0 0,5 5,0 10,0 0)),((5 5,10 0,10 10,5 5)))"},
		{"lopsided bow-tie", "POLYGON((0 0,12 12,12 0,0 6,0 0))", FaultSelfCross, "MULTIPOLYGON(((0 0,4 4,0 6,0 0)),((4 4,12 0,12 12,4 4)))"},
		{"figure of eight, with a vertex", "POLYGON((0 0,5 5,10 0,10 10,5 5,0 10,0 0))", FaultSelfCross, "MULTIPOLYGON(((0 0,5 5,0 10,0 0)),((5 5,10 0,10 10,5 5)))"},
		{"ring around a hole it touches", "POLYGON((0 0,10 0,10 10,0 10,0 5,4 6,4 4,0 5,0 0))", FaultSelfCross, "POLYGON((0 0,10 0,10 10,0 10,0 5,0 0),(0 5,4 6,4 4,0 5))"},
		{"double winding", "POLYGON((0 0,10 0,10 10,0 10,0 0,10 0,10 10,0 10,0 0))", FaultSelfCross, "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"partial double winding", "POLYGON((0 0,10 0,10 10,2 10,2 2,4 2,4 8,8 8,8 4,0 4,0 0))", FaultSelfCross, ""},
		{"spike", "POLYGON((0 0,10 0,10 5,15 5,10 5,10 10,0 10,0 0))", FaultSelfCross, "POLYGON((0 0,10 0,10 5,10 10,0 10,0 0))"},
		{"spike within", "POLYGON((0 0,10 0,10 5,5 5,10 5,10 10,0 10,0 0))", FaultSelfCross, "POLYGON((0 0,10 0,10 5,10 10,0 10,0 0))"},
		{"hole crossing the shell", "POLYGON((0 0,10 0,10 10,0 10,0 0),(8 4,12 4,12 6,8 6,8 4))", FaultHole, "POLYGON((0 0,10 0,10 4,8 4,8 6,10 6,10 10,0 10,0 0))"},
		{"hole along the shell", "POLYGON((0 0,10 0,10 10,0 10,0 0),(8 4,10 4,10 6,8 6,8 4))", FaultHole, "POLYGON((0 0,10 0,10 4,8 4,8 6,10 6,10 10,0 10,0 0))"},
		{"hole cutting the shell in two", "POLYGON((0 0,10 0,10 10,0 10,0 0),(0 5,5 6,10 5,5 4,0 5))", FaultHole,
			"MULTIPOLYGON(((0 0,10 0,10 5,5 4,0 5,0 0)),((0 5,5 6,10 5,10 10,0 10,0 5)))"},
		{"hole as large as the shell", "POLYGON((0 0,10 0,10 10,0 10,0 0),(0 0,10 0,10 10,0 10,0 0))", FaultHole, "POLYGON EMPTY"},
		{"hole around the shell", "POLYGON((0 0,10 0,10 10,0 10,0 0),(-1 -1,11 -1,11 11,-1 11,-1 -1))", FaultHole, "POLYGON EMPTY"},
		{"hole outside", "POLYGON((0 0,10 0,10 10,0 10,0 0),(20 0,30 0,30 10,20 10,20 0))", FaultHole,
			"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((20 0,30 0,30 10,20 10,20 0)))"},
		{"hole outside, touching at a point", "POLYGON((0 0,10 0,10 10,0 10,0 0),(10 5,20 0,20 10,10 5))", FaultHole, "POLYGON((0 0,10 0,10 5,10 10,0 10,0 0))"},
		{"holes that overlap", "POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,5 1,5 5,1 5,1 1),(4 4,8 4,8 8,4 8,4 4))", FaultHole,
			"POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,1 5,4 5,4 8,8 8,8 4,5 4,5 1,1 1))"},
		{"hole in a hole", "POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,9 1,9 9,1 9,1 1),(4 4,6 4,6 6,4 6,4 4))", FaultHole,
			"POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,9 1,9 9,1 9,1 1))"},
		{"bow-tie as a hole", "POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,5 5,5 1,1 5,1 1))", FaultSelfCross,
			"POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,1 5,3 3,1 1),(3 3,5 5,5 1,3 3))"},
		{"polygon twice", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((0 0,10 0,10 10,0 10,0 0)))", FaultOverlap, "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"polygon in another", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((2 2,4 2,4 4,2 2)))", FaultOverlap, "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"polygons that overlap", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((5 5,15 5,15 15,5 15,5 5)))", FaultOverlap,
			"POLYGON((0 0,10 0,10 5,15 5,15 15,5 15,5 10,0 10,0 0))"},
		{"polygons side by side", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((10 2,20 2,20 8,10 8,10 2)))", FaultOverlap,
			"POLYGON((0 0,10 0,10 2,20 2,20 8,10 8,10 10,0 10,0 0))"},
		{"hole covered by another polygon", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0),(2 2,2 8,8 8,8 2,2 2)),((1 1,9 1,9 5,1 5,1 1)))", FaultOverlap,
			"POLYGON((0 0,10 0,10 10,0 10,0 0),(2 5,2 8,8 8,8 5,2 5))"},
		{"no area", "POLYGON((0 0,10 0,20 0,0 0))", FaultSelfCross, "POLYGON EMPTY"},
		{"one part without area", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((20 0,30 0,20 0,20 0)))", FaultDegenerate, "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"hole without area", "POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,4 4,2 2))", FaultDegenerate, "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"shell without area, with a hole", "POLYGON((0 0,10 0,20 0,0 0),(0 0,1 0,1 1,0 1,0 0))", FaultSelfCross, "POLYGON EMPTY"},
		{"open ring", "POLYGON((0 0,10 0,10 10,0 10))", FaultOpen, "POLYGON((0 0,10 0,10 10,0 10,0 0))"},
		{"nothing", "POLYGON EMPTY", "", "POLYGON EMPTY"},
	}
	for _, tt := range tests {
		mp := parse(t, tt.wkt)
		got, fault := Repair(mp)
		if fault.Kind != tt.kind {
			t.Errorf("%s: fault %q, want %q", tt.name, fault.Kind, tt.kind)
		}
		if math.Abs(fault.After-Area(got)) > 1e-12 {
			t.Errorf("%s: area after %g, is %g", tt.name, fault.After, Area(got))
		}
		mustBeValid(t, tt.name, got)
		want := parse(t, tt.want)
		if tt.want == "" {
			if tt.kind != "" {
				continue // measured against PostGIS only
			}
			want = mp
		}
		if !slices.Equal(sortedRings(got), sortedRings(Orient(want))) {
			t.Errorf("%s:\n got %v\nwant %v", tt.name, wkt.MarshalString(got), wkt.MarshalString(want))
		}
	}
	for _, bad := range []orb.Point{{nan, 0}, {0, nan}, {inf, 0}, {0, -inf}} {
		mp := orb.MultiPolygon{{{{0, 0}, {10, 0}, bad, {0, 0}}}, {{{0, 0}, {1, 0}, {0, 1}, {0, 0}}}}
		if got, fault := Repair(mp); len(got) != 0 || fault.Kind != FaultNotNumbers {
			t.Errorf("%v: %v, %q", bad, got, fault.Kind)
		}
	}
	if got, fault := Repair(orb.MultiPolygon{{{{0, 0}, {1e12, 0}, {0, 1}, {0, 0}}}}); len(got) != 0 || fault.Kind != FaultOffGlobe {
		t.Errorf("off the globe: %v, %q", got, fault.Kind)
	}

	t.Run("PostGIS", func(t *testing.T) {
		db := postgis(t)
		for _, tt := range tests {
			if mp := parse(t, tt.wkt); tt.kind != FaultOpen && tt.name != "hole without area" && tt.name != "nothing" {
				compare(t, db, tt.name, mp)
			}
		}
	})
}

// The invalid perimeters of the national files, and the area PostGIS gives them once repaired.
func TestRepairQPV(t *testing.T) {
	for _, tt := range []struct {
		file   string
		n      int
		faults int
		area   float64 // of all the repaired perimeters: m², or square degrees
	}{
		{"QP_METROPOLE_LB93.shp", 1296, 25, 11532306.5192},
		{"QP_METROPOLEOUTREMER_WGS84_EPSG4326.shp", 1514, 34, 0.00213996258952},
		{"QP_LAREUNION_RGR92_UTM40S.shp", 49, 2, 351759.485591},
	} {
		t.Run(tt.file, func(t *testing.T) {
			perimeters := readShapefile(t, realFile(t, "qpv_geo", tt.file))
			if len(perimeters) != tt.n {
				t.Errorf("%d perimeters, want %d", len(perimeters), tt.n)
			}
			var invalid []int
			var area float64
			for i, mp := range perimeters {
				got, fault := Repair(mp)
				if fault.Kind == "" {
					continue
				}
				invalid = append(invalid, i)
				area += fault.After
				name := fmt.Sprintf("record %d", i+1)
				mustBeValid(t, name, got)
				if again, f := Repair(got); f.Kind != "" || math.Abs(Area(again)-Area(got)) > 1e-12*Area(got) {
					t.Errorf("%s: repaired, it is still at fault: %q", name, f.Kind)
				}
			}
			if len(invalid) != tt.faults {
				t.Errorf("%d faults, want %d", len(invalid), tt.faults)
			}
			if math.Abs(area-tt.area) > 1e-9*tt.area {
				t.Errorf("repaired area %.12g, want %.12g", area, tt.area)
			}
			t.Run("PostGIS", func(t *testing.T) {
				db := postgis(t)
				for i, mp := range perimeters {
					if slices.Contains(invalid, i) {
						compare(t, db, fmt.Sprintf("record %d", i+1), mp)
					} else if valid := query[bool](t, db, "SELECT ST_IsValid($1::geometry)", hexWKB(t, mp)); !valid {
						t.Errorf("record %d is valid only here", i+1)
					}
				}
			})
		})
	}
}

// Whatever the drawing, its repair is valid and stays as it is.
func FuzzRepair(f *testing.F) {
	f.Add([]byte{0, 0, 0, 10, 10, 10, 0, 0, 10, 255, 2, 2, 4, 4, 4, 2})
	f.Add([]byte{1, 0, 0, 10, 10, 10, 0, 0, 10, 0, 0, 254, 20, 20, 30, 30, 20, 30, 30, 20})
	f.Add([]byte{2, 0, 0, 1, 15, 2, 0, 3, 15, 4, 0, 5, 15, 6, 0, 7, 15, 8, 8, 0, 7})
	f.Add([]byte{3, 9, 1, 1, 9, 200, 3, 100, 100, 7, 77, 13, 250})
	f.Fuzz(func(t *testing.T, b []byte) {
		mp := draw(b)
		got, fault := Repair(mp)
		mustBeValid(t, "repair", got)
		if again, f := Repair(got); f.Kind != "" {
			t.Errorf("repaired, %v is still at fault: %q\nthen %v", wkt.MarshalString(got), f.Kind, wkt.MarshalString(again))
		}
		if valid := validates(mp); valid != (fault.Kind == "") && fault.Kind != FaultOpen && fault.Kind != FaultDegenerate {
			t.Errorf("fault %q, but validity is %v: %v", fault.Kind, valid, wkt.MarshalString(mp))
		}
	})
}

// draw makes rings of bytes: on a grid where everything meets, or off it, where every crossing is rounded.
func draw(b []byte) orb.MultiPolygon {
	if len(b) == 0 {
		return nil
	}
	place := func(x, y byte) orb.Point { return orb.Point{float64(x % 16), float64(y % 16)} }
	switch b[0] % 4 {
	case 1:
		place = func(x, y byte) orb.Point { return orb.Point{880000 + float64(x%16)/3, 6250000 + float64(y%16)/7} }
	case 2:
		place = func(x, y byte) orb.Point { return orb.Point{5 + math.Sin(float64(x)), 43 + math.Cos(float64(y))} }
	case 3:
		place = func(x, y byte) orb.Point { return orb.Point{math.Exp(float64(x)/12 - 8), 1e6 / (float64(y) + 1)} }
	}
	mp := orb.MultiPolygon{{nil}}
	for b = b[1:]; len(b) > 0; {
		poly := &mp[len(mp)-1]
		ring := &(*poly)[len(*poly)-1]
		switch {
		case b[0] == 255:
			*poly = append(*poly, nil)
			b = b[1:]
		case b[0] == 254:
			mp = append(mp, orb.Polygon{nil})
			b = b[1:]
		case len(b) == 1:
			b = nil
		default:
			*ring = append(*ring, place(b[0], b[1]))
			b = b[2:]
		}
	}
	for _, poly := range mp {
		for i, ring := range poly {
			if len(ring) > 0 {
				poly[i] = append(ring, ring[0])
			}
		}
	}
	return mp
}

func validates(mp orb.MultiPolygon) (valid bool) {
	// The library panics on some overlaps it computes in floating point; they are no valid drawings.
	defer func() {
		if recover() != nil {
			valid = false
		}
	}()
	return toGeom(mp).Validate() == nil
}

func BenchmarkRepairQPV(b *testing.B) {
	perimeters := readShapefile(b, realFile(b, "qpv_geo", "QP_METROPOLE_LB93.shp"))
	n := 0
	for _, mp := range perimeters {
		for _, poly := range mp {
			for _, ring := range poly {
				n += len(ring)
			}
		}
	}
	for b.Loop() {
		for _, mp := range perimeters {
			Repair(mp)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/vertex")
	b.ReportMetric(float64(n), "vertices")
}

// compare holds Repair against PostGIS.
func compare(t *testing.T, db *pgx.Conn, name string, mp orb.MultiPolygon) {
	t.Helper()
	got, fault := Repair(mp)
	drawn, repaired := hexWKB(t, mp), hexWKB(t, got)
	const made = "ST_MakeValid($1::geometry, 'method=structure keepcollapsed=false')"
	if valid := query[bool](t, db, "SELECT ST_IsValid($1::geometry)", drawn); valid != (fault.Kind == "") {
		t.Errorf("%s: fault %q, PostGIS says valid: %v", name, fault.Kind, valid)
	}
	if !query[bool](t, db, "SELECT ST_IsValid($1::geometry)", repaired) {
		t.Errorf("%s: PostGIS does not find the repair valid: %v", name, wkt.MarshalString(got))
	}
	want := query[float64](t, db, "SELECT ST_Area("+made+")", drawn)
	if math.Abs(want-fault.After) > 1e-6*want {
		t.Errorf("%s: area %.9g, PostGIS %.9g", name, fault.After, want)
	}
	if diff := query[float64](t, db, "SELECT ST_Area(ST_SymDifference("+made+", $2::geometry))", drawn, repaired); diff > 1e-6*want {
		t.Errorf("%s: differs from PostGIS's by %g m² of %g", name, diff, want)
	}
}

func query[T any](t *testing.T, db *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func postgis(t *testing.T) *pgx.Conn {
	t.Helper()
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		t.Skip("OBSERVATOIRE_TEST_PG is not set: no PostGIS to compare with")
	}
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(t.Context()) })
	return db
}

func hexWKB(t *testing.T, mp orb.MultiPolygon) string {
	t.Helper()
	s, err := wkb.MarshalToHex(mp)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t testing.TB, s string) orb.MultiPolygon {
	t.Helper()
	if s == "" {
		return nil
	}
	g, err := wkt.Unmarshal(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	switch g := g.(type) {
	case orb.Polygon:
		if len(g) == 0 {
			return nil
		}
		return orb.MultiPolygon{g}
	case orb.MultiPolygon:
		return g
	}
	t.Fatalf("%s: not polygons", s)
	return nil
}

// sortedRings is every ring of mp as text, from its westernmost point, in order.
func sortedRings(mp orb.MultiPolygon) []string {
	var all []string
	for _, poly := range mp {
		for j, ring := range poly {
			kind := "shell"
			if j > 0 {
				kind = "hole"
			}
			all = append(all, kind+fmt.Sprint(canonical(ring[:len(ring)-1])))
		}
	}
	slices.Sort(all)
	return all
}

func mustBeValid(t testing.TB, name string, mp orb.MultiPolygon) {
	t.Helper()
	if err := toGeom(mp).Validate(); err != nil {
		t.Errorf("%s: not valid: %v\n%s", name, err, wkt.MarshalString(mp))
	}
	for _, poly := range mp {
		for i, ring := range poly {
			if want := orb.CCW; i > 0 && ring.Orientation() == want || i == 0 && ring.Orientation() != want {
				t.Errorf("%s: ring %d turns the wrong way", name, i)
			}
		}
	}
}

// readShapefile reads the polygons of a .shp.
func readShapefile(t testing.TB, path string) []orb.MultiPolygon {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []orb.MultiPolygon
	for b = b[100:]; len(b) >= 8; {
		size := 8 + 2*int(binary.BigEndian.Uint32(b[4:]))
		record := b[8:size]
		b = b[size:]
		u32 := func(at int) int { return int(binary.LittleEndian.Uint32(record[at:])) }
		f64 := func(at int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(record[at:])) }
		if u32(0) == 0 {
			all = append(all, nil)
			continue
		}
		parts, points := u32(36), u32(40)
		var mp orb.MultiPolygon
		var holes []orb.Ring
		for i := range parts {
			first, end := u32(44+4*i), points
			if i+1 < parts {
				end = u32(48 + 4*i)
			}
			var ring orb.Ring
			for k := first; k < end; k++ {
				at := 44 + 4*parts + 16*k
				ring = append(ring, orb.Point{f64(at), f64(at + 8)})
			}
			if i == 0 || ring.Orientation() == orb.CW {
				mp = append(mp, orb.Polygon{ring})
			} else {
				holes = append(holes, ring)
			}
		}
		for _, hole := range holes {
			best := -1
			for i, poly := range mp {
				if planar.RingContains(poly[0], hole[0]) && planar.RingContains(poly[0], hole[len(hole)/2]) &&
					(best < 0 || planar.Area(poly[0]) < planar.Area(mp[best][0])) {
					best = i
				}
			}
			if best >= 0 {
				mp[best] = append(mp[best], hole)
			} else {
				mp = append(mp, orb.Polygon{hole})
			}
		}
		all = append(all, mp)
	}
	return all
}
