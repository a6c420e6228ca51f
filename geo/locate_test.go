package geo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"pgregory.net/rapid"
)

func TestLocator(t *testing.T) {
	l := NewLocator(&ZoneSet{Zones: []Zone{
		{Code: "a", Geom: multi(rect(0, 0, 10, 10))},
		{Code: "b", Geom: multi(rect(10, 0, 20, 10))},
		{Code: "c", Geom: multi(framed(0, 10, 20, 30, 5, 15, 15, 25))},
		{Code: "d", Geom: multi(rect(2, 2, 12, 8), rect(100, 100, 110, 110))}, // over a and b, and far away
		{Code: "e"},
	}})
	for _, tt := range []struct {
		x, y float64
		want string
	}{
		{1, 1, "[0]"}, {15, 5, "[1]"}, {1, 20, "[2]"}, {5, 5, "[0 3]"}, {11, 5, "[1 3]"}, {105, 105, "[3]"},
		{10, 20, "[]"}, {-1, 5, "[]"}, {50, 50, "[]"}, {1e300, 0, "[]"}, {math.NaN(), 0, "[]"}, {0, math.Inf(1), "[]"},
		// On borders: to the east, and to the north.
		{0, 5, "[0]"}, {10, 1, "[1]"}, {20, 5, "[]"}, {5, 10, "[2]"}, {10, 10, "[2]"}, {0, 0, "[0]"}, {10, 0, "[1]"},
		{20, 10, "[]"}, {10, 30, "[]"}, {5, 20, "[]"}, {15, 20, "[2]"}, {10, 15, "[]"}, {10, 25, "[2]"},
	} {
		all := l.All(nil, tt.x, tt.y)
		if got := fmt.Sprint(all); got != tt.want {
			t.Errorf("at %g, %g: %s, want %s", tt.x, tt.y, got, tt.want)
		}
		if zone, ok := l.At(tt.x, tt.y); ok != (len(all) > 0) || ok && zone != all[0] || !ok && zone != -1 {
			t.Errorf("at %g, %g: %d, %v of %v", tt.x, tt.y, zone, ok, all)
		}
	}
	for _, tt := range []struct {
		x, y, max float64
		zone      int
		distance  float64
		ok        bool
	}{
		{1, 1, 0, 0, 0, true}, {5, 5, 100, 0, 0, true}, {-3, 5, 100, 0, 3, true}, {-3, -4, 100, 0, 5, true},
		{-3, -4, 5, 0, 5, true}, {-3, -4, 4.9, -1, 0, false}, {10, -2, 100, 0, 2, true}, {10, 20, 100, 2, 5, true},
		{95, 105, 100, 3, 5, true}, {20, 5, 0, 1, 0, true}, {math.NaN(), 0, 100, -1, 0, false},
		{23, 34, math.Inf(1), 2, 5, true}, {1, -1, -1, -1, 0, false}, {1, -1, math.NaN(), -1, 0, false},
	} {
		zone, distance, ok := l.Nearest(tt.x, tt.y, tt.max)
		if zone != tt.zone || distance != tt.distance || ok != tt.ok {
			t.Errorf("nearest to %g, %g within %g: %d, %g, %v, want %d, %g, %v", tt.x, tt.y, tt.max, zone, distance, ok, tt.zone, tt.distance, tt.ok)
		}
	}
	for _, zones := range [][]Zone{nil, {{Code: "a"}}, {{Code: "a", Geom: multi(rect(0, 0, math.NaN(), 1))}}} {
		if _, ok := NewLocator(&ZoneSet{Zones: zones}).At(0, 0); ok {
			t.Error("found in a set of nothing")
		}
	}
}

// patchwork is n × n zones side by side, of irregular shape, over a square.
func patchwork(rnd *rand.Rand, n int, side float64) []Zone {
	const bends = 3 // on each border
	corner := func(i, j int) orb.Point {
		r := rand.New(rand.NewPCG(uint64(i), uint64(j)))
		return orb.Point{side * (float64(i) + 0.3*r.Float64()), side * (float64(j) + 0.3*r.Float64())}
	}
	type border [bends]orb.Point
	bent := func(a, b orb.Point) (out border) {
		for k := range out {
			f := float64(k+1) / (bends + 1)
			out[k] = orb.Point{a[0] + f*(b[0]-a[0]) + 0.05*side*rnd.Float64(), a[1] + f*(b[1]-a[1]) + 0.05*side*rnd.Float64()}
		}
		return out
	}
	east, north := map[[2]int]border{}, map[[2]int]border{}
	for i := range n + 1 {
		for j := range n + 1 {
			east[[2]int{i, j}] = bent(corner(i, j), corner(i+1, j))
			north[[2]int{i, j}] = bent(corner(i, j), corner(i, j+1))
		}
	}
	var zones []Zone
	for i := range n {
		for j := range n {
			var ring orb.Ring
			walk := func(from orb.Point, b border, back bool) {
				ring = append(ring, from)
				for k := range b {
					if back {
						k = bends - 1 - k
					}
					ring = append(ring, b[k])
				}
			}
			walk(corner(i, j), east[[2]int{i, j}], false)
			walk(corner(i+1, j), north[[2]int{i + 1, j}], false)
			walk(corner(i+1, j+1), east[[2]int{i, j + 1}], true)
			walk(corner(i, j+1), north[[2]int{i, j}], true)
			zones = append(zones, Zone{Code: fmt.Sprintf("%03d%03d", i, j), Geom: orb.MultiPolygon{{append(ring, ring[0])}}})
		}
	}
	return zones
}

// Every point of a patchwork, its corners and borders too, is in one zone: a point off the borders in the one
// that casting a ray finds.
func TestLocatorPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		zones := patchwork(rnd, 6, 100)
		l := NewLocator(&ZoneSet{Zones: zones})
		one := func(p orb.Point) int {
			all := l.All(nil, p[0], p[1])
			if len(all) != 1 {
				t.Fatalf("%v is in %v", p, all)
			}
			return all[0]
		}
		for _, z := range zones {
			if p := z.Geom[0][0]; z.Code[2] == '0' || z.Code[2] == '5' || z.Code[5] == '0' || z.Code[5] == '5' {
				continue // on the outside
			} else {
				for i := range len(p) - 1 {
					one(p[i])
					f := rnd.Float64()
					one(orb.Point{p[i][0] + f*(p[i+1][0]-p[i][0]), p[i][1] + f*(p[i+1][1]-p[i][1])})
				}
			}
		}
		points := make([]orb.Point, 100)
		for i := range points {
			points[i] = orb.Point{100 + 350*rnd.Float64(), 100 + 350*rnd.Float64()}
		}
		for _, p := range points {
			if i := one(p); !planar.MultiPolygonContains(zones[i].Geom, p) {
				t.Fatalf("%v is not in %s", p, zones[i].Code)
			}
		}
	})
}

// Of stars with holes, over one another, the locator finds those a ray finds, and the nearest.
func TestLocatorStars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var zones []Zone
		for range 1 + rnd.IntN(20) {
			var mp orb.MultiPolygon
			for k := range 1 + rnd.IntN(2) {
				mp = append(mp, star(rnd, 100*rnd.Float64()+1e3*float64(k), 100*rnd.Float64(), 1+50*rnd.Float64(), 12+rnd.IntN(50), rnd.IntN(2) == 0))
			}
			zones = append(zones, Zone{Geom: mp})
		}
		l := NewLocator(&ZoneSet{Zones: zones})
		for range 50 {
			p := orb.Point{-50 + 200*rnd.Float64(), -50 + 200*rnd.Float64()}
			var want []int
			nearest := math.Inf(1)
			for i, z := range zones {
				if planar.MultiPolygonContains(z.Geom, p) {
					want = append(want, i)
					nearest = 0
				}
				for _, poly := range z.Geom {
					for _, ring := range poly {
						nearest = min(nearest, planar.DistanceFrom(ring, p))
					}
				}
			}
			if got := l.All(nil, p[0], p[1]); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%v is in %v, want %v", p, got, want)
			}
			reach := 60 * rnd.Float64()
			_, d, ok := l.Nearest(p[0], p[1], reach)
			if ok != (nearest <= reach) || ok && math.Abs(d-nearest) > 1e-9 {
				t.Fatalf("nearest to %v within %v: %v, %v, want %v", p, reach, d, ok, nearest)
			}
		}
	})
}

// Of a zone whose edges crowd one place, the locator has the points that a ray finds inside, however near the border,
// and every vertex in one of the zone and what is left around it: through grids in grids, and when so many edges
// would pass through so many cells that the room for them runs out.
func TestLocatorCrowded(t *testing.T) {
	for _, edges := range []int{300, 20_000} {
		rnd := rand.New(rand.NewPCG(1, 1))
		const x, y = 870_123.4, 6_270_123.4
		zone := star(rnd, x, y, 1000, edges, true)
		rest, err := Difference(multi(rect(x-3000, y-3000, x+3000, y+3000)), multi(zone))
		if err != nil {
			t.Fatal(err)
		}
		l := NewLocator(&ZoneSet{Zones: []Zone{{Geom: multi(zone)}, {Geom: rest}}})
		passages := 0
		for _, c := range l.chains {
			passages += int(c.edges &^ centred)
		}
		if len(l.grids) < 2 || l.room > 0 == (edges > 1000) || passages > 20*4*edges {
			t.Fatalf("%d edges: %d grids, %d passages, room for %d more", edges, len(l.grids), passages, l.room)
		}
		for _, ring := range zone {
			for i, p := range ring {
				if all := l.All(nil, p[0], p[1]); len(all) != 1 {
					t.Fatalf("%v is in %v", p, all)
				}
				if i%(edges/100) > 0 {
					continue
				}
				near := orb.Point{p[0] + rnd.NormFloat64(), p[1] + rnd.NormFloat64()}
				want := "[1]"
				if planar.PolygonContains(zone, near) {
					want = "[0]"
				}
				if got := fmt.Sprint(l.All(nil, near[0], near[1])); got != want {
					t.Fatalf("%v is in %v, want %v", near, got, want)
				}
			}
		}
	}
}

func BenchmarkLocatorNew(b *testing.B) {
	_, iris := copies13(b, 60)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var l *Locator
	for b.Loop() {
		l = NewLocator(iris)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
	runtime.KeepAlive(l)
}

// Points drawn over the territory, and points drawn in the boxes of zones, so more often where these are small.

func BenchmarkLocatorAnywhere(b *testing.B) { benchmarkLocator(b, false) }
func BenchmarkLocatorDense(b *testing.B)    { benchmarkLocator(b, true) }

func benchmarkLocator(b *testing.B, dense bool) {
	_, iris := copies13(b, 60)
	l := NewLocator(iris)
	rnd := rand.New(rand.NewPCG(1, 1))
	points := make([]orb.Point, 1<<20)
	for i := range points {
		box := l.bound
		if dense {
			box = Box(iris.Zones[rnd.IntN(len(iris.Zones))].Geom)
		}
		points[i] = orb.Point{box.Min[0] + rnd.Float64()*(box.Max[0]-box.Min[0]), box.Min[1] + rnd.Float64()*(box.Max[1]-box.Min[1])}
	}
	runtime.GC()
	n := 0
	for b.Loop() {
		n += len(points)
		for _, p := range points {
			l.At(p[0], p[1])
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}

func BenchmarkLocatorNearest(b *testing.B) {
	qpv, _ := copies13(b, 60)
	l := NewLocator(qpv)
	rnd := rand.New(rand.NewPCG(1, 1))
	box := l.bound
	for b.Loop() {
		x := box.Min[0] + rnd.Float64()*(box.Max[0]-box.Min[0])
		y := box.Min[1] + rnd.Float64()*(box.Max[1]-box.Min[1])
		l.Nearest(x, y, 5000)
	}
}
