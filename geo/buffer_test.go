package geo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"
	"github.com/paulmach/orb/planar"
	"pgregory.net/rapid"
)

func TestBuffer(t *testing.T) {
	const x, y = 870_000, 6_250_000 // a place in Lambert-93
	disc := func(r float64) float64 { return math.Pi * r * r }
	for _, tt := range []struct {
		name   string
		mp     orb.MultiPolygon
		radius float64
		want   float64 // area of the true buffer, m²
		parts  int
		holes  int
	}{
		{"square", multi(rect(x, y, x+100, y+100)), 100, 100*100 + 400*100 + disc(100), 1, 0},
		{"square, far", multi(rect(x, y, x+100, y+100)), 500, 100*100 + 400*500 + disc(500), 1, 0},
		{"nearly a point", multi(rect(x, y, x+0.5, y+0.5)), 500, 0.25 + 2*500 + disc(500), 1, 0},
		{"apart", multi(rect(x, y, x+100, y+100), rect(x+400, y, x+500, y+100)), 100, 2 * (100*100 + 400*100 + disc(100)), 2, 0},
		{"dissolved", multi(rect(x, y, x+100, y+100), rect(x+200, y, x+300, y+100)), 100,
			// As a bar of 300 m, but for the two notches between the corners.
			300*100 + 800*100 + disc(100) - 2*(100*100-(50*math.Sqrt(7500)+100*100*math.Asin(0.5))), 1, 0},
		{"hole kept", multi(framed(x, y, x+1000, y+1000, x+100, y+100, x+900, y+900)), 300,
			1000*1000 + 4000*300 + disc(300) - 200*200, 1, 1},
		{"hole filled, as wide as two radii", multi(framed(x, y, x+1000, y+1000, x+200, y+100, x+800, y+900)), 300,
			1000*1000 + 4000*300 + disc(300), 1, 0},
		{"hole filled, far smaller", multi(framed(x, y, x+1000, y+1000, x+499, y+499, x+501, y+501)), 300,
			1000*1000 + 4000*300 + disc(300), 1, 0},
		{"notch", orb.MultiPolygon{{{{x, y}, {x + 900, y}, {x + 900, y + 900}, {x + 600, y + 900}, {x + 600, y + 300},
			{x + 300, y + 300}, {x + 300, y + 900}, {x, y + 900}, {x, y}}}}, 100,
			// Six corners are rounded; in the two of the bottom of the notch, a square was counted twice.
			900*900 - 300*600 + 100*(4*900+2*600) + 6.0/4*disc(100) - 2*100*100, 1, 0},
		{"other direction", orb.MultiPolygon{{{{x, y}, {x, y + 100}, {x + 100, y + 100}, {x + 100, y}, {x, y}}}}, 100,
			100*100 + 400*100 + disc(100), 1, 0},
		{"nothing", nil, 100, 0, 0, 0},
	} {
		got, err := Buffer(tt.mp, tt.radius)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		mustBeValid(t, tt.name, got)
		parts, holes := count(got)
		if area := Area(got); math.Abs(area-tt.want) > 0.001*tt.want || parts != tt.parts || holes != tt.holes {
			t.Errorf("%s: %.1f m², want %.1f; %d parts, %d holes, want %d, %d", tt.name, area, tt.want, parts, holes, tt.parts, tt.holes)
		}
	}
}

func TestBufferRefused(t *testing.T) {
	square := multi(rect(0, 0, 1, 1))
	for _, tt := range []struct {
		name   string
		mp     orb.MultiPolygon
		radius float64
		want   string
	}{
		{"zero", square, 0, "buffer: radius 0 m: not a positive distance"},
		{"negative", square, -1, "buffer: radius -1 m: not a positive distance"},
		{"NaN", square, math.NaN(), "buffer: radius NaN m: not a positive distance"},
		{"infinite", square, math.Inf(1), "buffer: radius +Inf m: not a positive distance"},
		{"coordinates", multi(rect(0, 0, math.NaN(), 1)), 1, "buffer: coordonnées non numériques"},
	} {
		if _, err := Buffer(tt.mp, tt.radius); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
		}
	}
}

// A point is in the buffer when it is near the zone, and only then.
func TestBufferIsNearness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		a, b := starsNear(rnd)
		mp := Dissolve([]orb.MultiPolygon{a, b})
		box := Box(mp)
		r := (box.Max[0] - box.Min[0]) * math.Pow(10, -2.5*rnd.Float64())
		got, err := Buffer(mp, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := toGeom(got).Validate(); err != nil {
			t.Fatalf("radius %v: %v: %s", r, err, wkt.MarshalString(mp))
		}
		box = box.Pad(1.2 * r)
		for range 100 {
			p := orb.Point{box.Min[0] + rnd.Float64()*(box.Max[0]-box.Min[0]), box.Min[1] + rnd.Float64()*(box.Max[1]-box.Min[1])}
			d := 0.0
			if !planar.MultiPolygonContains(mp, p) {
				d = math.Inf(1)
				for _, poly := range mp {
					for _, ring := range poly {
						d = min(d, planar.DistanceFrom(ring, p))
					}
				}
			}
			if math.Abs(d-r) > 0.006*r && (d < r) != planar.MultiPolygonContains(got, p) {
				t.Fatalf("radius %v: point %v at %v: %s", r, p, d, wkt.MarshalString(mp))
			}
		}
	})
}

func TestBufferQPV(t *testing.T) {
	qpv, _ := real13(t, "2016")
	for _, z := range qpv.Zones {
		mp, _ := Repair(z.Geom)
		inner := Prepare(mp)
		for _, radius := range []float64{100, 300, 500} {
			got, err := Buffer(mp, radius)
			if err != nil {
				t.Fatal(err)
			}
			mustBeValid(t, z.Code, got)
			outer := Prepare(got)
			if in := outer.IntersectionArea(inner); math.Abs(in-inner.Area()) > 1e-9*inner.Area() {
				t.Errorf("%s at %g m: %g m² of %g inside", z.Code, radius, in, inner.Area())
			}
			inner = outer
		}
	}
}

func TestBufferAgainstPostGIS(t *testing.T) {
	db := postgis(t)
	qpv, _ := real13(t, "2016")
	var worst, apart float64
	for _, z := range qpv.Zones {
		mp, _ := Repair(z.Geom)
		for _, radius := range []float64{100, 300, 500} {
			got, err := Buffer(mp, radius)
			if err != nil {
				t.Fatal(err)
			}
			// PostGIS first simplifies the hollows of what it buffers, by 1 % of the radius: it is no exact reference.
			want := query[float64](t, db, "SELECT ST_Area(ST_Buffer($1::geometry, $2, 'quad_segs=64'))", hexWKB(t, mp), radius)
			worst = max(worst, math.Abs(Area(got)-want)/want)
			diff := query[float64](t, db, "SELECT ST_Area(ST_SymDifference($3::geometry, ST_Buffer($1::geometry, $2, 'quad_segs=64')))",
				hexWKB(t, mp), radius, hexWKB(t, got))
			apart = max(apart, diff/want)
			parts, holes := count(got)
			if n := query[int](t, db, "SELECT ST_NRings(ST_Buffer($1::geometry, $2, 'quad_segs=64'))", hexWKB(t, mp), radius); n != parts+holes {
				t.Errorf("%s at %g m: %d rings, PostGIS %d", z.Code, radius, parts+holes, n)
			}
		}
	}
	t.Logf("worst difference of area %.2e, of shape %.2e", worst, apart)
	if worst > 0.001 || apart > 0.003 {
		t.Errorf("worst difference of area %.2e, of shape %.2e", worst, apart)
	}
}

func TestClipDifference(t *testing.T) {
	for _, tt := range []struct{ name, a, b, clip, difference string }{
		{"cut", "POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((5 -5,20 -5,20 20,5 20,5 -5))",
			"MULTIPOLYGON(((5 0,10 0,10 10,5 10,5 0)))", "MULTIPOLYGON(((0 0,5 0,5 10,0 10,0 0)))"},
		{"same", "POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((0 0,0 10,10 10,10 0,0 0))",
			"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))", "MULTIPOLYGON EMPTY"},
		{"touching", "POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((10 0,20 0,20 10,10 10,10 0))",
			"MULTIPOLYGON EMPTY", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"},
		{"apart", "POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((30 0,40 0,40 10,30 10,30 0))",
			"MULTIPOLYGON EMPTY", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"},
		{"inside", "POLYGON((0 0,10 0,10 10,0 10,0 0))", "POLYGON((2 2,8 2,8 8,2 8,2 2))",
			"MULTIPOLYGON(((2 2,8 2,8 8,2 8,2 2)))", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0),(2 2,2 8,8 8,8 2,2 2)))"},
		{"nothing", "POLYGON((0 0,10 0,10 10,0 10,0 0))", "", "MULTIPOLYGON EMPTY", "MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"},
	} {
		clip, err := Clip(parse(t, tt.a), parse(t, tt.b))
		if got := wkt.MarshalString(clip); err != nil || got != tt.clip {
			t.Errorf("%s: clip %s, %v, want %s", tt.name, got, err, tt.clip)
		}
		diff, err := Difference(parse(t, tt.a), parse(t, tt.b))
		if got := wkt.MarshalString(diff); err != nil || got != tt.difference {
			t.Errorf("%s: difference %s, %v, want %s", tt.name, got, err, tt.difference)
		}
	}
	for _, bad := range []orb.MultiPolygon{multi(rect(0, 0, math.Inf(1), 1)), multi(rect(0, 0, 1, 1), rect(0, 0, math.NaN(), 1))} {
		if _, err := Clip(multi(rect(5, 5, 6, 6)), bad); err == nil {
			t.Error("Clip by what is not numbers: no error")
		}
		if _, err := Difference(multi(rect(5, 5, 6, 6)), bad); err == nil {
			t.Error("Difference with what is not numbers: no error")
		}
	}
}

func TestClipIsMeasured(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawStars(t)
		area := Prepare(a).IntersectionArea(Prepare(b))
		clip, err := Clip(a, b)
		if err != nil {
			t.Fatal(err)
		}
		diff, err := Difference(a, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, mp := range []orb.MultiPolygon{clip, diff} {
			if err := toGeom(mp).Validate(); err != nil {
				t.Fatalf("%v: %s", err, wkt.MarshalString(mp))
			}
		}
		// Crossings are rounded by less than a micrometre.
		slack := 1e-6*Prepare(a).perimeter() + 1e-6
		if got := Area(clip); math.Abs(got-area) > slack {
			t.Fatalf("clip has %v m², measured %v", got, area)
		}
		if got := Area(diff); math.Abs(got+area-Area(a)) > slack {
			t.Fatalf("difference has %v m² and %v in common, of %v", got, area, Area(a))
		}
	})
}

// The benchmarks buffer the quarters of the Bouches-du-Rhône by 100, 300 and 500 m, here and in PostGIS with 8
// sides to a quarter of a circle, its default, and with 32, which bring its area as near to the true one.

func BenchmarkBufferQPV(b *testing.B) {
	zones := repairedQPV(b)
	for b.Loop() {
		for _, z := range zones {
			for _, radius := range []float64{100, 300, 500} {
				if _, err := Buffer(z.Geom, radius); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

func BenchmarkBufferQPVPostGIS(b *testing.B)   { benchmarkBufferPostGIS(b, "quad_segs=8") }
func BenchmarkBufferQPVPostGIS32(b *testing.B) { benchmarkBufferPostGIS(b, "quad_segs=32") }

func benchmarkBufferPostGIS(b *testing.B, params string) {
	db := openPostGIS(b)
	db.load(b, "qpv", repairedQPV(b))
	db.exec(b, "SET max_parallel_workers_per_gather = 0")
	for b.Loop() {
		db.exec(b, "SELECT sum(ST_NPoints(ST_Buffer(geom, r, '"+params+"'))) FROM qpv, (VALUES (100), (300), (500)) AS v (r)")
	}
}

func repairedQPV(t testing.TB) []Zone {
	qpv, _ := real13(t, "2016")
	var out []Zone
	for _, z := range qpv.Zones {
		z.Geom, _ = Repair(z.Geom)
		out = append(out, z)
	}
	return out
}
