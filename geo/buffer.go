package geo

import (
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// bufferSegments is how many sides a quarter of a circle has. They leave the true circle by up to 0.4 % of the
// radius, now outwards, now inwards, so that its area is kept. (The 8 that PostGIS has by default lie inside, by up
// to 0.5 %.)
const bufferSegments = 7

// bufferStep is the turn, in radians, below which a corner is cut straight: less than 0.04 % of its sector is lost.
const bufferStep = math.Pi / 64

// bufferHollow is the width, in radii, up to which the hollows of a zone are filled first. The true buffer has
// notches above their mouths, of a depth of w²/8 and a surface of w³/12 at most: 0.08 % of what is drawn there.
const bufferHollow = 0.1

// bufferPrecision is the width, in radii, below which a hole, or a part, of a buffer comes from the approximations
// above.
const bufferPrecision = 0.006

// Buffer returns the points at most radiusMetres from mp, whose coordinates are in metres and which is valid (see
// [Repair]): one valid geometry, its parts dissolved, shells counter-clockwise and holes clockwise. Its area is
// within 0.1 % of that of the true buffer, and its outline nowhere farther from the true one than 0.6 % of the
// radius.
//
// It is an error for the radius not to be a positive number, or for a coordinate not to be finite. The buffer of
// an empty geometry is empty.
func Buffer(mp orb.MultiPolygon, radiusMetres float64) (orb.MultiPolygon, error) {
	if !(radiusMetres > 0 && radiusMetres <= largestCoordinate) {
		return nil, fmt.Errorf("buffer: radius %g m: not a positive distance", radiusMetres)
	}
	if kind := numeric(mp); kind != "" {
		return nil, fmt.Errorf("buffer: %s", kind)
	}
	// Around a point p, a disc meets the inside of a shell in pieces without holes. The winding number of the
	// shell's parallel curve around p is the number of those pieces: positive just where the shell is near. The
	// parallel curve of a hole takes one away just where the hole is farther than the radius from its border,
	// except around a hole that a disc could contain, where it would be wrong and which is filled in any case.
	var rings []orb.Ring
	for _, poly := range Orient(mp) {
		for i, ring := range poly {
			if i > 0 {
				b := boundOf(ring)
				if min(b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]) <= 2*radiusMetres {
					continue
				}
			} else {
				ring = fillHollows(ring, bufferHollow*radiusMetres)
			}
			rings = append(rings, parallelCurve(ring, radiusMetres))
		}
	}
	m := arrange(rings, func(int) int32 { return 0 })
	return dropThin(m.outline(func(face []turns) bool { return len(face) > 0 && face[0].n > 0 }), bufferPrecision*radiusMetres), nil
}

// parallelCurve is the curve at r metres on the right of a closed ring without repeated points: outside a shell
// that turns counter-clockwise. It goes round the corners. Where the ring turns to the right, it leaves out the
// loop between two edges that are long enough to cross, around which it winds once more than needed; else it goes
// straight from one to the next: whatever that adds is within r of the corner.
func parallelCurve(ring orb.Ring, r float64) orb.Ring {
	n := len(ring) - 1
	normal := func(i int) (x, y, length float64) {
		dx, dy := ring[i+1][0]-ring[i][0], ring[i+1][1]-ring[i][1]
		length = math.Hypot(dx, dy)
		return dy / length, -dx / length, length
	}
	out := make(orb.Ring, 0, 2*n+4*bufferSegments+2)
	px, py, before := normal(n - 1)
	for i := range n {
		v := ring[i]
		qx, qy, after := normal(i)
		sin, cos := px*qy-py*qx, px*qx+py*qy
		// To the right by this turn the parallels cross after the first has lost r·tan(turn/2), and the second as
		// much; they may lose half at each end.
		if sin < 0 && -sin*r <= (1+cos)*min(before, after)/2 {
			out = append(out, orb.Point{v[0] + r*(px+qx)/(1+cos), v[1] + r*(py+qy)/(1+cos)})
			px, py, before = qx, qy, after
			continue
		}
		out = append(out, orb.Point{v[0] + r*px, v[1] + r*py})
		if turn := math.Atan2(sin, cos); turn > bufferStep {
			// The corners of the arc but the first and the last are put a little outside, where together with
			// these they make up the area of the sector: ½·turn = ½·sin(step)·((steps-2)·f² + 2·f).
			steps := max(2, math.Ceil(turn/(math.Pi/2/bufferSegments)))
			f := turn / math.Sin(turn/steps) / 2
			if steps > 2 {
				f = (math.Sqrt(1+2*(steps-2)*f) - 1) / (steps - 2)
			}
			for k := 1.0; k < steps; k++ {
				sin, cos := math.Sincos(turn * k / steps)
				out = append(out, orb.Point{v[0] + r*f*(px*cos-py*sin), v[1] + r*f*(py*cos+px*sin)})
			}
		}
		out = append(out, orb.Point{v[0] + r*qx, v[1] + r*qy})
		px, py, before = qx, qy, after
	}
	return append(out, out[0])
}

// fillHollows leaves out the corners at which a shell turns to the right between two others at most width apart,
// one after the other. The ring may then run over itself, but never winds the wrong way around anything.
func fillHollows(shell orb.Ring, width float64) orb.Ring {
	out := make(orb.Ring, 0, len(shell))
	// At the end of an edge of the triangle a, c, b that is filled, the border has to go on outside of it.
	fills := func(e, a, c, b, d orb.Point) bool {
		dx, dy := b[0]-a[0], b[1]-a[1]
		return dx*dx+dy*dy <= width*width && orientation(a, c, b) < 0 &&
			!(orientation(b, c, d) >= 0 && orientation(b, d, a) >= 0) &&
			!(orientation(a, b, e) >= 0 && orientation(a, e, c) >= 0)
	}
	for i, p := range shell {
		out = append(out, p)
		for n := len(out); n >= 4 && i+1 < len(shell); n = len(out) {
			if !fills(out[n-4], out[n-3], out[n-2], out[n-1], shell[i+1]) {
				break
			}
			out[n-2] = out[n-1]
			out = out[:n-1]
		}
	}
	return out
}

// dropThin leaves out the parts and the holes of mp narrower than width.
func dropThin(mp orb.MultiPolygon, width float64) orb.MultiPolygon {
	out := mp[:0]
	for _, poly := range mp {
		kept := poly[:0]
		for i, ring := range poly {
			s := Prepare(orb.MultiPolygon{{ring}})
			if 2*math.Abs(s.Area()) >= width*s.perimeter() {
				kept = append(kept, ring)
			} else if i == 0 {
				break
			}
		}
		if len(kept) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

// Clip returns what a and b, valid geometries in metres, have in common: valid, shells counter-clockwise and
// holes clockwise, empty when they only touch. Where they cross, its vertices are rounded by less than a
// micrometre. It is an error for a coordinate not to be finite.
func Clip(a, b orb.MultiPolygon) (orb.MultiPolygon, error) {
	// What is off the box of the other has no part in it.
	a, b = withinReach(a, Box(b)), withinReach(b, Box(a))
	return overlay("clip", a, b, func(inA, inB bool) bool { return inA && inB })
}

// Difference returns what of a is not in b, as [Clip] does what they have in common.
func Difference(a, b orb.MultiPolygon) (orb.MultiPolygon, error) {
	b = withinReach(b, Box(a))
	return overlay("difference", a, b, func(inA, inB bool) bool { return inA && !inB })
}

// withinReach lists the polygons of mp that may meet a box, and those that are not numbers, to be reported.
func withinReach(mp orb.MultiPolygon, b orb.Bound) orb.MultiPolygon {
	var out orb.MultiPolygon
	for _, poly := range mp {
		one := orb.MultiPolygon{poly}
		if numeric(one) != "" || Box(one).Intersects(b) {
			out = append(out, poly)
		}
	}
	return out
}

// overlay returns the region of the plane chosen by keep from what is in a and in b.
func overlay(what string, a, b orb.MultiPolygon, keep func(inA, inB bool) bool) (orb.MultiPolygon, error) {
	var rings []orb.Ring
	var ofA int
	for i, mp := range []orb.MultiPolygon{a, b} {
		if kind := numeric(mp); kind != "" {
			return nil, fmt.Errorf("%s: %s", what, kind)
		}
		for _, poly := range Orient(mp) {
			rings = append(rings, poly...)
		}
		if i == 0 {
			ofA = len(rings)
		}
	}
	m := arrange(rings, func(i int) int32 {
		if i < ofA {
			return 0
		}
		return 1
	})
	return m.outline(func(face []turns) bool {
		var in [2]bool
		for _, t := range face {
			in[t.ring] = t.n > 0
		}
		return keep(in[0], in[1])
	}), nil
}
