//go:build !amd64 || purego

package geo

import "github.com/paulmach/orb"

// sweep is twice the signed area swept from (ox, oy) along the points, and their box.
func sweep(pts []orb.Point, ox, oy float64, box *orb.Bound) float64 {
	return sweepGeneric(pts, ox, oy, box)
}

// clip appends the parts of the edges from point to point that are above the foot of the box and within its
// width.
func (l *segments) clip(pts []orb.Point, west, south, width float64) {
	l.clipGeneric(pts, west, south, width)
}

// under is twice the signed area between y = 0 and the lower of e and f, summed over the segments e and the
// pieces f, each for the x they share.
func (ix *index) under(l *segments) float64 { return ix.underGeneric(l) }
