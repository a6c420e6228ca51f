package geo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"
)

func rect(x0, y0, x1, y1 float64) orb.Polygon {
	return orb.Polygon{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}}
}

// framed is a rectangle with a rectangular hole.
func framed(x0, y0, x1, y1, hx0, hy0, hx1, hy1 float64) orb.Polygon {
	hole := rect(hx0, hy0, hx1, hy1)[0]
	hole.Reverse()
	return append(rect(x0, y0, x1, y1), hole)
}

func multi(polys ...orb.Polygon) orb.MultiPolygon { return polys }

func moved(mp orb.MultiPolygon, dx, dy float64) orb.MultiPolygon {
	out := mp.Clone()
	for _, poly := range out {
		for _, ring := range poly {
			for i := range ring {
				ring[i][0] += dx
				ring[i][1] += dy
			}
		}
	}
	return out
}

func TestIntersectionArea(t *testing.T) {
	square := multi(rect(0, 0, 100, 100))
	diamond := multi(orb.Polygon{{{50, 0}, {100, 50}, {50, 100}, {0, 50}, {50, 0}}})
	tests := []struct {
		name string
		a, b orb.MultiPolygon
		want float64 // m²
	}{
		{"same square", square, square, 10000},
		{"inside", square, multi(rect(10, 20, 30, 50)), 600},
		{"west half", square, multi(rect(0, 0, 50, 100)), 5000},
		{"corner", square, multi(rect(60, 70, 200, 200)), 1200},
		{"cross", square, multi(rect(40, -50, 60, 150)), 2000},
		{"touching edge", square, multi(rect(100, 0, 200, 100)), 0},
		{"touching edge, other levels", square, multi(rect(-50, 100, 150, 200)), 0},
		{"touching corner", square, multi(rect(100, 100, 200, 200)), 0},
		{"apart", square, multi(rect(300, 0, 400, 100)), 0},
		{"above", square, multi(rect(20, 300, 80, 400)), 0},
		{"diamond", square, diamond, 5000},
		{"diamond, half out", diamond, moved(diamond, 50, 0), 1250},
		{"diamonds, higher", diamond, moved(diamond, 0, 50), 1250},
		{"triangle above the diagonal", square, multi(orb.Polygon{{{0, 0}, {100, 100}, {0, 100}, {0, 0}}}), 5000},
		{"in the hole", multi(framed(0, 0, 100, 100, 20, 20, 80, 80)), multi(rect(30, 30, 70, 70)), 0},
		{"filling the hole", multi(framed(0, 0, 100, 100, 20, 20, 80, 80)), multi(rect(20, 20, 80, 80)), 0},
		{"over the hole", multi(framed(0, 0, 100, 100, 20, 20, 80, 80)), multi(rect(10, 10, 90, 90)), 2800},
		{"two frames", multi(framed(0, 0, 100, 100, 20, 20, 80, 80)),
			multi(framed(50, 0, 150, 100, 70, 20, 130, 80)), 2 * 50 * 20},
		{"island in a hole", multi(framed(0, 0, 100, 100, 20, 20, 80, 80), rect(40, 40, 60, 60)), square, 6800},
		{"two parts", multi(rect(0, 0, 10, 10), rect(90, 90, 100, 100)), multi(rect(5, 5, 95, 95)), 50},
		{"nothing", square, nil, 0},
		{"open ring", square, multi(orb.Polygon{{{0, 0}, {50, 0}, {50, 50}, {0, 50}}}), 2500},
		{"wide over narrow", multi(rect(-1e6, -1e6, 1e6, 50)), square, 5000},
		{"almost vertical edges", multi(orb.Polygon{{{0, 0}, {100, 0}, {100 + 1e-9, 100}, {1e-9, 100}, {0, 0}}}),
			square, 10000},
	}
	for _, tt := range tests {
		for _, by := range [][2]float64{{0, 0}, {892345, 6247816}, {-700000, -6600000}} {
			a, b := Prepare(moved(tt.a, by[0], by[1])), Prepare(moved(tt.b, by[0], by[1]))
			if ab, ba := a.IntersectionArea(b), b.IntersectionArea(a); math.Abs(ab-tt.want) > 1e-6 || math.Abs(ba-tt.want) > 1e-6 {
				t.Errorf("%s, moved by %v: %v and %v m², want %v", tt.name, by, ab, ba, tt.want)
			} else if tt.want == 0 && ab+ba != 0 {
				t.Errorf("%s, moved by %v: %v and %v m², want exactly 0", tt.name, by, ab, ba)
			}
		}
	}
}

func TestArea(t *testing.T) {
	const far = 6_247_816.125
	frame := multi(framed(far, far, far+100, far+50, far+10, far+10, far+20, far+20), rect(far+200, far, far+201, far+1))
	if got := Area(frame); got != 4901 {
		t.Errorf("Area = %v m², want 4901", got)
	}
	if got := Area(nil); got != 0 {
		t.Errorf("Area(nil) = %v, want 0", got)
	}
}

func TestIntersectionAreaNotFinite(t *testing.T) {
	square := Prepare(multi(rect(0, 0, 100, 100)))
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		bad := Prepare(multi(orb.Polygon{{{0, 0}, {50, v}, {50, 50}, {0, 0}}}))
		if got := bad.IntersectionArea(square); !math.IsNaN(got) {
			t.Errorf("with a coordinate %v: %v, want NaN", v, got)
		}
		if bad.SelfConsistent() {
			t.Errorf("with a coordinate %v: self-consistent", v)
		}
	}
}

func TestSelfConsistent(t *testing.T) {
	clockwise := rect(0, 0, 100, 100)
	clockwise[0].Reverse()
	tests := []struct {
		name string
		mp   orb.MultiPolygon
		want bool
	}{
		{"square", multi(rect(0, 0, 100, 100)), true},
		{"frame", multi(framed(0, 0, 100, 100, 20, 20, 80, 80)), true},
		{"parts that touch", multi(rect(0, 0, 100, 100), rect(100, 0, 200, 100)), true},
		{"clockwise", multi(clockwise), false},
		{"hole counter-clockwise", multi(append(rect(0, 0, 100, 100), rect(20, 20, 80, 80)[0])), false},
		{"bow-tie", multi(orb.Polygon{{{0, 0}, {100, 100}, {100, 0}, {0, 200}, {0, 0}}}), false},
		{"even bow-tie", multi(orb.Polygon{{{0, 0}, {100, 100}, {100, 0}, {0, 100}, {0, 0}}}), false},
		{"parts that overlap", multi(rect(0, 0, 100, 100), rect(50, 0, 150, 100)), false},
		{"wound twice", multi(orb.Polygon{append(rect(0, 0, 100, 100)[0], rect(0, 0, 100, 100)[0]...)}), false},
		{"hole outside", multi(framed(0, 0, 100, 100, 200, 0, 300, 50)), false},
		{"empty", nil, false},
	}
	for _, tt := range tests {
		if got := Prepare(tt.mp).SelfConsistent(); got != tt.want {
			t.Errorf("%s: SelfConsistent = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOrient(t *testing.T) {
	given := orb.MultiPolygon{
		{
			{{0, 0}, {0, 100}, {0, 100}, {100, 100}, {100, 0}, {0, 0}}, // clockwise, with a repeat
			{{20, 20}, {80, 20}, {80, 80}, {20, 80}},                   // counter-clockwise, open
			{{5, 5}, {6, 6}, {7, 7}, {5, 5}},                           // flat
			{{9, 9}, {9, 9}},
		},
		{
			{{200, 0}, {300, 0}, {200, 0}}, // a shell without area goes with its hole
			{{210, 0}, {220, 0}, {220, 10}, {210, 0}},
		},
		{},
	}
	kept := given.Clone()
	got := Orient(given)
	if len(got) != 1 || len(got[0]) != 2 || len(got[0][0]) != 5 || len(got[0][1]) != 5 {
		t.Fatalf("Orient = %v, want one square with one hole", got)
	}
	if got[0][0].Orientation() != orb.CCW || got[0][1].Orientation() != orb.CW || Area(got) != 6400 {
		t.Errorf("Orient = %v, area %v", got, Area(got))
	}
	if !Prepare(got).SelfConsistent() {
		t.Error("Orient: not self-consistent")
	}
	if !given.Equal(kept) {
		t.Error("Orient changed its argument")
	}
	if again := Orient(got); !again.Equal(got) {
		t.Errorf("Orient twice = %v", again)
	}
}

// star is a polygon of n vertices around (x, y), each seen from there between r/3 and r, with a star-shaped
// hole or none.
func star(rnd *rand.Rand, x, y, r float64, n int, hole bool) orb.Polygon {
	ring := func(lo, hi float64, n int) orb.Ring {
		out := make(orb.Ring, 0, n+1)
		for i := range n {
			a := 2 * math.Pi * (float64(i) + 0.9*rnd.Float64()) / float64(n)
			d := lo + (hi-lo)*rnd.Float64()
			out = append(out, orb.Point{x + d*math.Cos(a), y + d*math.Sin(a)})
		}
		return append(out, out[0])
	}
	// With a dozen vertices, no chord between two neighbours comes nearer to the centre than r/4.
	poly := orb.Polygon{ring(r/3, r, n)}
	if hole {
		h := ring(r/60, r/15, max(5, n/2))
		h.Reverse()
		poly = append(poly, h)
	}
	return poly
}

// starsNear draws two stars whose boxes most often meet, in Lambert-93.
func starsNear(rnd *rand.Rand) (a, b orb.MultiPolygon) {
	x, y := 100_000+1_100_000*rnd.Float64(), 6_100_000+1_000_000*rnd.Float64()
	r := math.Pow(10, 1+3*rnd.Float64())
	one := func() orb.MultiPolygon {
		s := r * math.Pow(10, rnd.Float64()-0.5)
		return multi(star(rnd, x+r*(2*rnd.Float64()-1), y+r*(2*rnd.Float64()-1), s, 12+rnd.IntN(80), rnd.IntN(2) == 0))
	}
	return one(), one()
}

func drawStars(t *rapid.T) (a, b orb.MultiPolygon) {
	return starsNear(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
}

func near(t *rapid.T, what string, got, want, scale float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*scale {
		t.Fatalf("%s: %v, want %v: %g of the smaller area", what, got, want, math.Abs(got-want)/scale)
	}
}

// TestIntersectionAreaOnGrid measures shapes whose corners and edges often coincide.
func TestIntersectionAreaOnGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Each shape is some cells of a grid of one metre, rows of them joined into rectangles.
		const n = 6
		draw := func(name string) (orb.MultiPolygon, [n][n]bool) {
			var mp orb.MultiPolygon
			var cells [n][n]bool
			for y := range n {
				for x := 0; x < n; x++ {
					w := rapid.IntRange(0, n-x).Draw(t, name)
					for i := range w {
						cells[y][x+i] = true
					}
					if w > 0 {
						mp = append(mp, rect(float64(x), float64(y), float64(x+w), float64(y+1)))
					}
					x += w
				}
			}
			return mp, cells
		}
		a, inA := draw("a")
		b, inB := draw("b")
		want := 0.0
		for y := range n {
			for x := range n {
				if inA[y][x] && inB[y][x] {
					want++
				}
			}
		}
		shear := float64(rapid.IntRange(-3, 3).Draw(t, "shear")) // keeps areas, and slants the edges
		turned := rapid.Bool().Draw(t, "turned")
		for _, mp := range []orb.MultiPolygon{a, b} {
			for _, poly := range mp {
				for i, p := range poly[0] {
					p[0] += shear * p[1]
					if turned {
						p[0], p[1] = -p[1], p[0]
					}
					poly[0][i] = p
				}
			}
		}
		if got := Prepare(a).IntersectionArea(Prepare(b)); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v m², want %v", got, want)
		}
	})
}

// TestIntersectionAreaComb measures combs whose teeth are almost vertical, so that the edges cover little width.
func TestIntersectionAreaComb(t *testing.T) {
	for _, width := range []float64{1e-3, 1e-6, 1e-9} { // of a tooth's slope, in metres
		comb := orb.Ring{{1000, 0}, {1000, 1}}
		for x := 999.0; x >= 1; x -= 2 {
			comb = append(comb, orb.Point{x, 1}, orb.Point{x - width, 100}, orb.Point{x - 1 + width, 100}, orb.Point{x - 1, 1})
		}
		comb = append(comb, orb.Point{0, 0}, orb.Point{1000, 0})
		a := Prepare(Orient(multi(orb.Polygon{comb})))
		if want := 1000 + 500*99*(1-width); math.Abs(a.Area()-want) > 1e-6 {
			t.Fatalf("area %v, want %v", a.Area(), want)
		}
		if !a.SelfConsistent() {
			t.Errorf("comb of slope width %g: not self-consistent", width)
		}
		flat := make(orb.Ring, len(comb)) // the same lying on its side
		for i, p := range comb {
			flat[i] = orb.Point{p[1], p[0]}
		}
		b := Prepare(Orient(multi(orb.Polygon{flat})))
		ab, ba := a.IntersectionArea(b), b.IntersectionArea(a)
		if math.Abs(ab-ba) > 1e-9*ab || !b.SelfConsistent() {
			t.Errorf("combs across: %v and %v", ab, ba)
		}
		// Only slopes of teeth, nothing else, in a box as wide as the comb.
		slopes := Prepare(multi(orb.Polygon{{{0, 50}, {1000, 50}, {1000, 50.5}, {0, 50.5}, {0, 50}}}))
		if got, want := a.IntersectionArea(slopes), 250-250*2*width*49.25/99; math.Abs(got-want) > 1e-7 {
			t.Errorf("comb and band: %v, want %v", got, want)
		}
	}
}

func TestIntersectionAreaIsMeasure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mpA, mpB := drawStars(t)
		a, b := Prepare(mpA), Prepare(mpB)
		ab, smaller := a.IntersectionArea(b), min(a.Area(), b.Area())
		if ab < 0 || ab > smaller {
			t.Fatalf("area %v of zones of %v and %v", ab, a.Area(), b.Area())
		}
		near(t, "symmetry", b.IntersectionArea(a), ab, smaller)
		if !a.SelfConsistent() || !b.SelfConsistent() {
			t.Fatal("a star differs from itself")
		}

		// The quadrants around a point of b's box share a without loss.
		box := b.bound
		mid := orb.Point{
			box.Min[0] + (box.Max[0]-box.Min[0])*rapid.Float64Range(0.01, 0.99).Draw(t, "x"),
			box.Min[1] + (box.Max[1]-box.Min[1])*rapid.Float64Range(0.01, 0.99).Draw(t, "y"),
		}
		var sum float64
		for _, q := range []orb.Polygon{
			rect(box.Min[0], box.Min[1], mid[0], mid[1]), rect(mid[0], box.Min[1], box.Max[0], mid[1]),
			rect(box.Min[0], mid[1], mid[0], box.Max[1]), rect(mid[0], mid[1], box.Max[0], box.Max[1]),
		} {
			sum += b.IntersectionArea(Prepare(multi(q)))
		}
		near(t, "sum over a partition", sum, b.Area(), b.Area())

		// Moving by whole metres rounds the coordinates anew, by 1e-10 m at most.
		dx, dy := rapid.IntRange(-500_000, 500_000).Draw(t, "dx"), rapid.IntRange(-500_000, 500_000).Draw(t, "dy")
		near(t, "translation", Prepare(moved(mpA, float64(dx), float64(dy))).
			IntersectionArea(Prepare(moved(mpB, float64(dx), float64(dy)))), ab, 100*smaller)

		start := rapid.IntRange(1, len(mpA[0][0])-2).Draw(t, "start")
		turned := mpA.Clone()
		ring := append(append(orb.Ring{}, mpA[0][0][start:len(mpA[0][0])-1]...), mpA[0][0][:start+1]...)
		turned[0][0] = ring
		near(t, "other first vertex", Prepare(turned).IntersectionArea(b), ab, smaller)
	})
}
