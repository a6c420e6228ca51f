//go:build !purego

package geo

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paulmach/orb"
)

// The loops that take four numbers at a time give what the generic ones give, to the bit.
func TestLanesAgree(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	rnd := rand.New(rand.NewPCG(7, 11))
	same := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a == 0 && b == 0 }
	coordinate := func() float64 {
		switch rnd.IntN(6) {
		case 0:
			return float64(rnd.IntN(5)) // on the edges of the box, and edges without width or slope
		case 1:
			return -rnd.Float64() * 10
		default:
			return rnd.Float64() * 12
		}
	}
	for range 20_000 {
		pts := make([]orb.Point, 2+rnd.IntN(40))
		for i := range pts {
			pts[i] = orb.Point{900_000 + coordinate(), 6_250_000 + coordinate()}
		}
		var got, want orb.Bound
		a, b := sweep(pts, pts[0][0], pts[0][1], &got), sweepGeneric(pts, pts[0][0], pts[0][1], &want)
		if !same(a, b) || got != want {
			t.Fatalf("sweep of %v: %v %v, want %v %v", pts, a, got, b, want)
		}
		var l, m segments
		l.make(len(pts))
		m.make(len(pts))
		l.clip(pts, 900_000, 6_250_000, 9)
		m.clipGeneric(pts, 900_000, 6_250_000, 9)
		if l.n != m.n {
			t.Fatalf("clip of %v: %d segments, want %d", pts, l.n, m.n)
		}
		for k, pair := range [][2][]float64{{l.x0, m.x0}, {l.x1, m.x1}, {l.slope, m.slope}, {l.c, m.c}, {l.side, m.side}} {
			if !slices.EqualFunc(pair[0][:l.n], pair[1][:m.n], same) {
				t.Fatalf("clip of %v: array %d: %v, want %v", pts, k, pair[0][:l.n], pair[1][:m.n])
			}
		}
		others := make([]orb.Point, 2+rnd.IntN(40))
		for i := range others {
			others[i] = orb.Point{900_000 + coordinate(), 6_250_000 + coordinate()}
		}
		m.make(len(others))
		m.clipGeneric(others, 900_000, 6_250_000, 9)
		var ix index
		ix.build(&m, 9)
		if a, b := ix.under(&l), ix.underGeneric(&l); !same(a, b) {
			t.Fatalf("under of %v and %v: %v, want %v", pts, others, a, b)
		}
	}
}
