package geo

import (
	"math"

	"github.com/paulmach/orb"
)

// A Fault says what was wrong with a geometry, and what its repair changed.
type Fault struct {
	Kind   string  // in French, for readers; empty when the geometry was valid
	Before float64 // m² (square degrees of a geographic system), the areas of shells less those of holes, as drawn
	After  float64 // m², likewise
}

// The kinds of faults, from the one that hides the others.
const (
	FaultNotNumbers = "coordonnées non numériques" // NaN or infinite: nothing is left
	FaultOffGlobe   = "coordonnées aberrantes"     // larger than any projection gives: nothing is left
	FaultSelfCross  = "auto-intersection"          // a ring crosses, touches or follows itself
	FaultHole       = "trou mal placé"             // a hole crosses or leaves its shell, or another hole
	FaultOverlap    = "parties superposées"        // polygons of one zone cover one another
	FaultDegenerate = "anneau dégénéré"            // fewer than three distinct points: the ring is dropped
	FaultOpen       = "anneau non fermé"           // the last point is not the first: the ring is closed
)

const largestCoordinate = 1e9 // metres or degrees; the equator is 4e7 m long

// Repair returns mp as a valid geometry, shells counter-clockwise and holes clockwise, and the fault it had. A
// geometry valid but for the direction of its rings or repeated points is returned as [Orient] does, without
// fault.
//
// The repair is that of PostGIS's ST_MakeValid(g, 'method=structure keepcollapsed=false'): a ring becomes the
// region it winds around, in whatever direction and however many times; holes are taken from their shell, except
// one wholly outside it, which is added; the polygons are united. What collapses is dropped.
func Repair(mp orb.MultiPolygon) (orb.MultiPolygon, Fault) {
	if kind := numeric(mp); kind != "" {
		return orb.MultiPolygon{}, Fault{Kind: kind}
	}
	d := read(mp)
	if d.valid() {
		out := Orient(d.mp)
		area := Area(out)
		return out, Fault{Kind: d.kind, Before: area, After: area}
	}
	fault := Fault{Kind: d.diagnose()}
	for _, poly := range d.mp {
		for i, ring := range poly {
			if a := math.Abs(Area(orb.MultiPolygon{{ring}})); i == 0 {
				fault.Before += a
			} else {
				fault.Before -= a
			}
		}
	}
	m := arrange(d.rings, func(i int) int32 { return int32(i) })
	out := m.outline(d.rule(m))
	fault.After = Area(out)
	return out, fault
}

// numeric returns the fault of coordinates that cannot be computed with, if any.
func numeric(mp orb.MultiPolygon) string {
	for _, poly := range mp {
		for _, ring := range poly {
			for _, p := range ring {
				if !finite(p[0]) || !finite(p[1]) {
					return FaultNotNumbers
				}
				if math.Abs(p[0]) > largestCoordinate || math.Abs(p[1]) > largestCoordinate {
					return FaultOffGlobe
				}
			}
		}
	}
	return ""
}

// A drawing is a geometry as drawn, its rings closed and without repeated points, numbered in order.
type drawing struct {
	mp    orb.MultiPolygon
	rings []orb.Ring
	shell []int // by ring, the number of its polygon's shell
	kind  string
}

func read(mp orb.MultiPolygon) *drawing {
	d := &drawing{}
	for _, poly := range mp {
		var rings orb.Polygon
		shell := len(d.rings)
		for i, drawn := range poly {
			ring := make(orb.Ring, 0, len(drawn)+1)
			for _, p := range drawn {
				if len(ring) == 0 || ring[len(ring)-1] != p {
					ring = append(ring, p)
				}
			}
			if n := len(ring); n > 1 && ring[0] == ring[n-1] {
				ring = ring[:n-1]
			} else if n > 0 && d.kind == "" {
				d.kind = FaultOpen
			}
			if len(ring) < 3 {
				d.kind = FaultDegenerate
				if i == 0 {
					break // a polygon goes with its shell
				}
				continue
			}
			ring = append(ring, ring[0])
			rings = append(rings, ring)
			d.rings = append(d.rings, ring)
			d.shell = append(d.shell, shell)
		}
		if rings != nil {
			d.mp = append(d.mp, rings)
		}
	}
	return d
}

// valid tells whether the drawing is valid in the sense of OGC, in exact arithmetic: its rings nowhere cross or
// follow one another, and the outline of what it covers is made of as many polygons and rings. There is only one
// way to write an area validly, so they are then the same.
func (d *drawing) valid() bool {
	m := newMesh(0, d.rings)
	for i, r := range d.rings {
		m.addRing(int32(i), r)
	}
	if m.repeated || !m.node() || m.repeated {
		return false
	}
	m.build()
	keep := d.rule(m)
	kept := make([]bool, len(m.faces))
	for c, face := range m.faces {
		kept[c] = keep(face)
	}
	for h := 0; h < len(m.next); h += 2 {
		if kept[m.cycleOf[h]] == kept[m.cycleOf[h+1]] {
			return false
		}
	}
	out := m.outline(keep)
	rings := 0
	for _, poly := range out {
		rings += len(poly)
	}
	return len(out) == len(d.mp) && rings == len(d.rings)
}

// diagnose names the fault of a drawing that is not valid.
func (d *drawing) diagnose() string {
	for _, ring := range d.rings {
		if !read(orb.MultiPolygon{{ring}}).valid() {
			return FaultSelfCross
		}
	}
	for _, poly := range d.mp {
		if !read(orb.MultiPolygon{poly}).valid() {
			return FaultHole
		}
	}
	return FaultOverlap
}

// rule returns which faces of m, made of the drawing's rings, the drawing covers.
func (d *drawing) rule(m *mesh) func(face []turns) bool {
	hole := make([]bool, len(d.rings)) // rings that take away
	if len(d.rings) > len(d.mp) {
		d.findHoles(m, hole)
	}
	covers := make([]bool, len(d.rings)) // shells that wind around something
	for _, face := range m.faces {
		for _, t := range face {
			covers[t.ring] = true
		}
	}
	return func(face []turns) bool {
		for i := 0; i < len(face); {
			// The rings of one polygon follow one another.
			shell := d.shell[face[i].ring]
			inShell, inHole, added := false, false, false
			for ; i < len(face) && d.shell[face[i].ring] == shell; i++ {
				switch r := int(face[i].ring); {
				case r == shell:
					inShell = true
				case hole[r]:
					inHole = true
				default:
					added = covers[shell]
				}
			}
			if inShell && !inHole || added {
				return true
			}
		}
		return false
	}
}

// findHoles marks the rings drawn as holes that meet their shell, be it at a point. In a mesh, what meets shares a
// vertex.
func (d *drawing) findHoles(m *mesh, hole []bool) {
	type corner struct {
		shell int
		v     int32
	}
	covered := make(map[corner]bool)
	eachCorner := func(do func(ring int, c corner)) {
		for h := range int32(len(m.next)) {
			for _, t := range m.faces[m.cycleOf[h]] {
				do(int(t.ring), corner{d.shell[t.ring], m.origin(h)})
			}
		}
	}
	eachCorner(func(ring int, c corner) {
		if ring == c.shell {
			covered[c] = true
		}
	})
	eachCorner(func(ring int, c corner) {
		if ring != c.shell && covered[c] {
			hole[ring] = true
		}
	})
}
