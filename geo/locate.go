package geo

import (
	"context"
	"math"
	"slices"

	"github.com/paulmach/orb"
	"github.com/tidwall/rtree"
)

// A Locator finds the zones of a set in which a point lies, and the nearest one. It may be used by several
// goroutines at once, and keeps the coordinates of the set, which must not change any more.
//
// A point on a border is taken a little to the east of it, and to the north where the border is level: of zones
// side by side, just one has it. Every decision is taken in exact arithmetic.
type Locator struct {
	zones []located
	grids []grid                         // the first covers the set, the others one crowded cell each
	tree  rtree.RTreeGN[float64, uint32] // boxes of the zones
}

// A grid lists, for each of its cells, the zones whose box meets it.
type grid struct {
	bound      orb.Bound
	cols, rows int
	perX, perY float64 // cells per metre
	cells      []span
	zones      []uint32 // of all cells
}

// A span is zones[first:first+n] of a grid, in order; or, when n is negative, the grid number first.
type span struct{ first, n int32 }

// located is a zone whose edges are sorted by strips from south to north.
type located struct {
	bound orb.Bound
	rings []orb.Ring
	perY  float64 // strips per metre
	// edges[starts[i]:starts[i+1]] pass through strip i. An edge is the place of its first point, when the points
	// of all rings are numbered in a row.
	starts []uint32
	edges  []uint32
}

const (
	stripEdges   = 4 // edges of a zone for each of its strips
	cellsPerZone = 4
	crowd        = 6 // zones in a cell that are worth a grid of their own,
	gridDepth    = 4 // unless it is already that deep
)

// NewLocator prepares a set to be searched. Zones without geometry are nowhere.
func NewLocator(set *ZoneSet) *Locator {
	l := &Locator{zones: make([]located, len(set.Zones))}
	var all, work []uint32
	whole := emptyBound
	for i := range l.zones {
		z := &l.zones[i]
		work = z.init(set.Zones[i].Geom, work)
		if len(z.rings) > 0 {
			whole = unite(whole, z.bound)
			all = append(all, uint32(i))
			l.tree.Insert(z.bound.Min, z.bound.Max, uint32(i))
		}
	}
	if len(all) > 0 {
		l.addGrid(whole, all, 1)
	}
	return l
}

// addGrid adds a grid of the zones listed, all of which meet its bound.
func (l *Locator) addGrid(b orb.Bound, zones []uint32, depth int) {
	width, height := b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]
	cells := float64(cellsPerZone * len(zones))
	g := grid{
		bound: b,
		cols:  1 + int(min(cells, math.Sqrt(cells*width/height))),
		rows:  1 + int(min(cells, math.Sqrt(cells*height/width))),
	}
	g.perX, g.perY = float64(g.cols)/width, float64(g.rows)/height
	g.cells = make([]span, g.cols*g.rows)
	each := func(do func(c *span, zone uint32)) {
		for _, i := range zones {
			z := l.zones[i].bound
			west, south := g.cell(max(b.Min[0], z.Min[0]), max(b.Min[1], z.Min[1]))
			east, north := g.cell(min(b.Max[0], z.Max[0]), min(b.Max[1], z.Max[1]))
			for row := south; row <= north; row++ {
				for col := west; col <= east; col++ {
					do(&g.cells[row*g.cols+col], i)
				}
			}
		}
	}
	each(func(c *span, _ uint32) { c.n++ })
	n := int32(0)
	for i := range g.cells {
		g.cells[i].first = n
		n += g.cells[i].n
		g.cells[i].n = 0
	}
	g.zones = make([]uint32, n)
	each(func(c *span, zone uint32) {
		g.zones[c.first+c.n] = zone
		c.n++
	})
	l.grids = append(l.grids, g)
	if depth == gridDepth {
		return
	}
	for i := range g.cells {
		c := &g.cells[i]
		if c.n <= crowd || int(c.n) == len(zones) { // the second is no use dividing
			continue
		}
		col, row := float64(i%g.cols), float64(i/g.cols)
		inner := orb.Bound{ // of the cell, and a little more for what rounding puts there
			Min: orb.Point{b.Min[0] + (col-1e-6)/g.perX, b.Min[1] + (row-1e-6)/g.perY},
			Max: orb.Point{b.Min[0] + (col+1+1e-6)/g.perX, b.Min[1] + (row+1+1e-6)/g.perY},
		}
		crowded := g.zones[c.first : c.first+c.n]
		*c = span{int32(len(l.grids)), -1}
		l.addGrid(inner, crowded, depth+1)
	}
}

// has tells whether a point is in the bound.
func (g *grid) has(x, y float64) bool {
	return x >= g.bound.Min[0] && x <= g.bound.Max[0] && y >= g.bound.Min[1] && y <= g.bound.Max[1]
}

// cell is the column and the row of a point of the bound.
func (g *grid) cell(x, y float64) (col, row int) {
	return max(0, min(g.cols-1, int((x-g.bound.Min[0])*g.perX))), max(0, min(g.rows-1, int((y-g.bound.Min[1])*g.perY)))
}

// init prepares the zone; fill is memory to work in, returned to be used again.
func (z *located) init(mp orb.MultiPolygon, fill []uint32) []uint32 {
	z.bound = bound(mp)
	if !(z.bound.Min[0] < z.bound.Max[0] && z.bound.Min[1] < z.bound.Max[1]) {
		return fill
	}
	n := 0
	for _, poly := range mp {
		for _, ring := range poly {
			if len(ring) < 3 {
				continue
			}
			if ring[0] != ring[len(ring)-1] {
				ring = append(ring[:len(ring):len(ring)], ring[0])
			}
			z.rings = append(z.rings, ring)
			n += len(ring)
		}
	}
	strips := n/stripEdges + 1
	z.perY = float64(strips) / (z.bound.Max[1] - z.bound.Min[1])
	z.starts = make([]uint32, strips+1)
	for _, ring := range z.rings {
		for i := 1; i < len(ring); i++ {
			lo, hi := z.strips(ring[i-1], ring[i])
			for s := lo; s <= hi; s++ {
				z.starts[s+1]++
			}
		}
	}
	for s := range strips {
		z.starts[s+1] += z.starts[s]
	}
	z.edges = make([]uint32, z.starts[strips])
	fill = append(fill[:0], z.starts...)
	first := uint32(0)
	for _, ring := range z.rings {
		for i := 1; i < len(ring); i++ {
			lo, hi := z.strips(ring[i-1], ring[i])
			for s := lo; s <= hi; s++ {
				z.edges[fill[s]] = first + uint32(i) - 1
				fill[s]++
			}
		}
		first += uint32(len(ring))
	}
	return fill
}

// strips is the first and the last strip of an edge; a level one has none.
func (z *located) strips(a, b orb.Point) (lo, hi int) {
	if a[1] == b[1] {
		return 0, -1
	}
	return z.strip(min(a[1], b[1])), z.strip(max(a[1], b[1]))
}

func (z *located) strip(y float64) int {
	return min(len(z.starts)-2, int((y-z.bound.Min[1])*z.perY))
}

// has tells whether the zone has the point.
func (z *located) has(x, y float64) bool {
	if !(x >= z.bound.Min[0] && x <= z.bound.Max[0] && y >= z.bound.Min[1] && y <= z.bound.Max[1]) {
		return false
	}
	s := z.strip(y)
	inside := false
	for _, e := range z.edges[z.starts[s]:z.starts[s+1]] {
		k := 0
		for int(e) >= len(z.rings[k]) {
			e -= uint32(len(z.rings[k]))
			k++
		}
		a, b := z.rings[k][e], z.rings[k][e+1]
		// Does the edge cross the ray from the point to the east, which runs just above it?
		if (a[1] > y) == (b[1] > y) || x > a[0] && x > b[0] {
			continue
		}
		if a[1] > b[1] {
			a, b = b, a
		}
		if x < a[0] && x < b[0] || orientation(a, b, orb.Point{x, y}) > 0 {
			inside = !inside
		}
	}
	return inside
}

// near lists the zones that may have the point.
func (l *Locator) near(x, y float64) []uint32 {
	if len(l.grids) == 0 {
		return nil
	}
	g := &l.grids[0]
	if !g.has(x, y) {
		return nil
	}
	for {
		col, row := g.cell(x, y)
		c := g.cells[row*g.cols+col]
		if c.n >= 0 {
			return g.zones[c.first : c.first+c.n]
		}
		g = &l.grids[c.first]
	}
}

// At returns the position of the zone at a point, the first when several overlap there. A point whose
// coordinates are not numbers is nowhere.
func (l *Locator) At(x, y float64) (zone int, ok bool) {
	for _, i := range l.near(x, y) {
		if l.zones[i].has(x, y) {
			return int(i), true
		}
	}
	return -1, false
}

// AtEach returns, for each of many points, what [Locator.At] does, -1 for nowhere. It takes them in the order of
// the ground, on all processors, which spares most of the waiting for memory.
func (l *Locator) AtEach(ctx context.Context, points []orb.Point) ([]int, error) {
	zones := make([]int, len(points))
	const block = 1 << 16 // points, so that the memory needed beside does not grow with them
	err := parallel(ctx, len(points), block, func(lo, hi int) {
		order := make([]uint64, 0, hi-lo) // cell, place
		for i := lo; i < hi; i++ {
			zones[i] = -1
			if x, y := points[i][0], points[i][1]; len(l.grids) > 0 && l.grids[0].has(x, y) {
				col, row := l.grids[0].cell(x, y)
				order = append(order, uint64(row*l.grids[0].cols+col)<<32|uint64(i-lo))
			}
		}
		slices.Sort(order)
		for _, o := range order {
			i := lo + int(o&math.MaxUint32)
			zones[i], _ = l.At(points[i][0], points[i][1])
		}
	})
	return zones, err
}

// All appends to dst the positions of all the zones at a point, in order.
func (l *Locator) All(dst []int, x, y float64) []int {
	for _, i := range l.near(x, y) {
		if l.zones[i].has(x, y) {
			dst = append(dst, int(i))
		}
	}
	return dst
}

// Nearest returns the position of the zone nearest to a point and its distance in metres: that of [Locator.At]
// and 0 for a point in a zone, else the first of the nearest. ok is false when there is none at maxMetres or
// less.
func (l *Locator) Nearest(x, y, maxMetres float64) (zone int, distance float64, ok bool) {
	if zone, ok := l.At(x, y); ok {
		return zone, 0, true
	}
	if !finite(x) || !finite(y) || !(maxMetres >= 0) {
		return -1, 0, false
	}
	zone, distance = -1, maxMetres
	toBox := func(lo, hi [2]float64, _ uint32, _ bool) float64 {
		return math.Hypot(max(lo[0]-x, x-hi[0], 0), max(lo[1]-y, y-hi[1], 0))
	}
	l.tree.Nearby(toBox, func(_, _ [2]float64, i uint32, toBox float64) bool {
		if toBox > distance {
			return false
		}
		if d := l.zones[i].distance(x, y); d < distance || d == distance && (zone < 0 || int(i) < zone) {
			zone, distance = int(i), d
		}
		return true
	})
	if zone < 0 {
		return -1, 0, false
	}
	return zone, distance, true
}

// distance is the distance of a point to the border of the zone, in metres.
func (z *located) distance(x, y float64) float64 {
	best := math.Inf(1) // squared
	for _, ring := range z.rings {
		px, py := ring[0][0]-x, ring[0][1]-y
		for _, q := range ring[1:] {
			qx, qy := q[0]-x, q[1]-y
			dx, dy := qx-px, qy-py
			if t := -(px*dx + py*dy); t > 0 {
				if length2 := dx*dx + dy*dy; t < length2 {
					cross := px*dy - py*dx
					best = min(best, cross*cross/length2)
				}
			}
			best = min(best, qx*qx+qy*qy)
			px, py = qx, qy
		}
	}
	return math.Sqrt(best)
}
