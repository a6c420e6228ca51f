//go:build !purego

package geo

import (
	"github.com/paulmach/orb"
	"golang.org/x/sys/cpu"
)

// With AVX2 the three loops that go over vertices take four numbers at a time. The results are the same to the
// bit as those of the generic ones, which tests compare.
var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func sweepAVX2(pts *orb.Point, n int, ox, oy float64, box *orb.Bound) float64

// clipAVX2 returns how many segments it appends, of a multiple of four edges.
//
//go:noescape
func clipAVX2(l *segments, pts *orb.Point, edges int, west, south, width float64) int

//go:noescape
func underAVX2(ix *index, l *segments) float64

// sweep is twice the signed area swept from (ox, oy) along the points, and their box.
func sweep(pts []orb.Point, ox, oy float64, box *orb.Bound) float64 {
	if hasAVX2 && len(pts) > 1 {
		return sweepAVX2(&pts[0], len(pts), ox, oy, box)
	}
	return sweepGeneric(pts, ox, oy, box)
}

// clip appends the parts of the edges from point to point that are above the foot of the box and within its
// width.
func (l *segments) clip(pts []orb.Point, west, south, width float64) {
	if hasAVX2 && len(pts) > lanes {
		n := (len(pts) - 1) / lanes * lanes
		_ = l.x0[l.n+n+lanes-1]
		l.n += clipAVX2(l, &pts[0], n, west, south, width)
		pts = pts[n:]
	}
	l.clipGeneric(pts, west, south, width)
}

// under is twice the signed area between y = 0 and the lower of e and f, summed over the segments e and the
// pieces f, each for the x they share.
func (ix *index) under(l *segments) float64 {
	if hasAVX2 && l.n > 0 {
		return underAVX2(ix, l)
	}
	return ix.underGeneric(l)
}
