package geo

import (
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
	rings  []orb.Ring // closed
	starts []uint32   // rings[starts[i]:starts[i+1]] are those of zone i
	bound  orb.Bound
	grids  []grid                         // the first covers the set, the others one crowded cell each
	cells  []span                         // of all grids
	chains []chain                        // of all cells
	tree   rtree.RTreeGN[float64, uint32] // boxes of the zones
	room   int                            // for edges that pass through several cells; without any, no more grids
}

// A grid divides a box into cells, from south to north and from west to east.
type grid struct {
	west, south float64
	perX, perY  float64 // cells per metre
	cols, rows  int32
	first       uint32 // its cells are cells[first:]
	coarse      bool   // its cells are far larger than the rounding of coordinates
}

// A span is chains[first:first+n], in the order of their zones; or, when n is negative, the grid number first.
type span struct{ first, n int32 }

// A chain is edges of a zone that follow one another through a cell: those of a ring from its point number first.
// A zone may have several in one cell, or one without edges when the cell is all inside. It has the centre of the
// cell when an odd number of them is marked centred.
type chain struct {
	zone, ring, first uint32
	edges             uint32 // how many, and centred
}

const centred = 1 << 31

const (
	cellsPerZone = 4
	crowd        = 24   // edges in a cell that are worth a grid of their own,
	edgesPerCell = 4    // of cells for so many edges each,
	gridDepth    = 6    // unless it is already that deep
	roomPerEdge  = 4    // passages through cells for each edge, beyond the first: what bounds the memory
	spare        = 1e-6 // of a cell: more than rounding may put in the next one
)

// NewLocator prepares a set to be searched. Zones without geometry are nowhere.
func NewLocator(set *ZoneSet) *Locator {
	l := &Locator{starts: make([]uint32, len(set.Zones)+1), bound: emptyBound}
	var all []chain
	zones := 0
	for i := range set.Zones {
		l.starts[i] = uint32(len(l.rings))
		b := Box(set.Zones[i].Geom)
		if !(b.Min[0] < b.Max[0] && b.Min[1] < b.Max[1] && finite(b.Max[0]-b.Min[0]) && finite(b.Max[1]-b.Min[1])) {
			continue
		}
		zones++
		for _, poly := range set.Zones[i].Geom {
			for _, ring := range poly {
				if len(ring) < 3 {
					continue
				}
				if ring[0] != ring[len(ring)-1] {
					ring = append(ring[:len(ring):len(ring)], ring[0])
				}
				all = append(all, chain{uint32(i), uint32(len(l.rings)), 0, uint32(len(ring) - 1)})
				l.rings = append(l.rings, ring)
				l.room += roomPerEdge * len(ring)
			}
		}
		l.bound = unite(l.bound, b)
		l.tree.Insert(b.Min, b.Max, uint32(i))
	}
	l.starts[len(set.Zones)] = uint32(len(l.rings))
	if zones > 0 {
		l.addGrid(l.bound, cellsPerZone*zones, all, nil, 1)
	}
	l.grids, l.cells, l.chains = slices.Clip(l.grids), slices.Clip(l.cells), slices.Clip(l.chains)
	return l
}

// addGrid adds a grid of about so many cells, which holds the parts within its bound of the chains given, and
// returns its number. These are those of a cell around the point centre; or whole zones, when that is nil.
func (l *Locator) addGrid(b orb.Bound, cells int, chains []chain, centre *orb.Point, depth int) int32 {
	width, height := b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]
	n := float64(cells)
	g := grid{west: b.Min[0], south: b.Min[1], first: uint32(len(l.cells))}
	g.cols = 1 + int32(min(n, math.Sqrt(n*width/height)))
	g.rows = 1 + int32(min(n, math.Sqrt(n*height/width)))
	g.perX, g.perY = float64(g.cols)/width, float64(g.rows)/height
	size := max(math.Abs(b.Min[0]), math.Abs(b.Min[1]), math.Abs(b.Max[0]), math.Abs(b.Max[1]))
	g.coarse = 1/max(g.perX, g.perY) > 1e-9*size
	number := int32(len(l.grids))
	l.grids = append(l.grids, g)
	cells = int(g.cols * g.rows)
	l.cells = append(l.cells, make([]span, cells)...)

	// The chains are found by zone, then sorted by cell.
	type part struct {
		cell uint32
		chain
	}
	var parts []part
	last := make([]int32, cells) // 1 + its last part
	add := func(cell uint32, c chain) {
		parts = append(parts, part{cell, c})
		last[cell] = int32(len(parts))
	}
	for _, c := range chains {
		l.room += max(1, int(c.edges&^centred))
	}
	var inside []bool
	for len(chains) > 0 {
		zone := chains[0].zone
		of := chains[:1]
		for len(of) < len(chains) && chains[len(of)].zone == zone {
			of = chains[:len(of)+1]
		}
		chains = chains[len(of):]
		for _, c := range of {
			for i, end := c.first, c.first+c.edges&^centred; i < end; i++ {
				g.eachCell(b, l.rings[c.ring][i], l.rings[c.ring][i+1], func(cell uint32) {
					if k := last[cell]; k > 0 {
						if p := &parts[k-1]; p.ring == c.ring && p.zone == zone && p.first+p.edges == i {
							p.edges++
							return
						}
					}
					add(cell, chain{zone, c.ring, i, 1})
				})
			}
		}
		west, south, east, north := int32(0), int32(0), g.cols-1, g.rows-1
		if centre == nil {
			zb := emptyBound
			for _, c := range of {
				zb = unite(zb, boundOf(l.rings[c.ring]))
			}
			west, south = g.cell(zb.Min[0], zb.Min[1])
			east, north = g.cell(zb.Max[0], zb.Max[1])
		}
		inside = l.centresInside(inside, &g, of, west, south, east, north, centre)
		for row := south; row <= north; row++ {
			for col := west; col <= east; col++ {
				if !inside[(row-south)*(east-west+1)+col-west] {
					continue
				}
				cell := uint32(row*g.cols + col)
				if k := last[cell]; k > 0 && parts[k-1].zone == zone {
					parts[k-1].edges |= centred
				} else {
					add(cell, chain{zone: zone, edges: centred})
				}
			}
		}
	}

	starts := make([]int32, cells+1)
	edges := last // from here on, how many each cell has
	clear(edges)
	for i := range parts {
		starts[parts[i].cell+1]++
		edges[parts[i].cell] += int32(parts[i].edges &^ centred)
		l.room -= max(1, int(parts[i].edges&^centred))
	}
	for i := range cells {
		starts[i+1] += starts[i]
	}
	sorted := make([]chain, len(parts))
	for i := range parts {
		cell := parts[i].cell
		sorted[starts[cell]] = parts[i].chain
		starts[cell]++ // ends as the start of the next
	}
	var from int32
	for i := range cells {
		here := sorted[from:starts[i]]
		from = starts[i]
		if edges[i] <= crowd || depth == gridDepth || !g.coarse || l.room <= 0 {
			l.cells[int(g.first)+i] = span{int32(len(l.chains)), int32(len(here))}
			l.chains = append(l.chains, here...)
			continue
		}
		col, row := int32(i)%g.cols, int32(i)/g.cols
		p := g.centre(col, row)
		reach := orb.Point{(0.5 + spare) / g.perX, (0.5 + spare) / g.perY}
		inner := orb.Bound{Min: orb.Point{p[0] - reach[0], p[1] - reach[1]}, Max: orb.Point{p[0] + reach[0], p[1] + reach[1]}}
		l.cells[int(g.first)+i] = span{l.addGrid(inner, int(edges[i])/edgesPerCell, here, &p, depth+1), -1}
	}
	return number
}

// cell is the column and the row of a point. The further east or north the point, the higher they are.
func (g *grid) cell(x, y float64) (col, row int32) {
	return int32(max(0, min(float64(g.cols-1), (x-g.west)*g.perX))), int32(max(0, min(float64(g.rows-1), (y-g.south)*g.perY)))
}

// centre is a point of a cell.
func (g *grid) centre(col, row int32) orb.Point {
	return orb.Point{g.west + (float64(col)+0.5)/g.perX, g.south + (float64(row)+0.5)/g.perY}
}

// eachCell calls do for the cells, within the bound of the grid, that the edge from p to q may meet.
func (g *grid) eachCell(b orb.Bound, p, q orb.Point, do func(cell uint32)) {
	if max(p[0], q[0]) < b.Min[0] || min(p[0], q[0]) > b.Max[0] || max(p[1], q[1]) < b.Min[1] || min(p[1], q[1]) > b.Max[1] {
		return
	}
	if p[1] > q[1] {
		p, q = q, p
	}
	west, south := g.cell(min(p[0], q[0]), p[1])
	east, north := g.cell(max(p[0], q[0]), q[1])
	for row := south; row <= north; row++ {
		from, to := west, east
		if g.coarse && west < east && south < north { // only what the edge passes in this row
			lo := g.south + (float64(row)-spare)/g.perY
			hi := g.south + (float64(row)+1+spare)/g.perY
			at := func(y float64) float64 {
				switch {
				case y <= p[1]:
					return p[0]
				case y >= q[1]:
					return q[0]
				}
				return p[0] + (y-p[1])*((q[0]-p[0])/(q[1]-p[1]))
			}
			x0, x1 := at(lo), at(hi)
			from, _ = g.cell(min(x0, x1)-spare/g.perX, lo)
			to, _ = g.cell(max(x0, x1)+spare/g.perX, lo)
			from, to = max(from, west), min(to, east)
		}
		for col := from; col <= to; col++ {
			do(uint32(row*g.cols + col))
		}
	}
}

// centresInside tells, for the cells of a block, row by row, whether a zone has their centre. The chains are those
// of the zone around a point in the block, which [Locator.has] asks for; or the whole zone, when that is nil.
func (l *Locator) centresInside(inside []bool, g *grid, chains []chain, west, south, east, north int32, centre *orb.Point) []bool {
	cols := east - west + 1
	n := int(cols * (north - south + 1))
	inside = slices.Grow(inside[:0], n)[:n]
	clear(inside)
	// First, whether an odd number of edges pass between the centre of a cell and the next to its east.
	for _, c := range chains {
		pts := l.rings[c.ring][c.first : c.first+c.edges&^centred+1]
		for i := 1; i < len(pts); i++ {
			a, b := pts[i-1], pts[i]
			if a[1] > b[1] {
				a, b = b, a
			}
			_, lo := g.cell(a[0], a[1])
			_, hi := g.cell(b[0], b[1])
			for row := lo; row <= hi; row++ {
				y := g.centre(0, row)[1]
				if a[1] > y || b[1] <= y {
					continue
				}
				col, _ := g.cell(a[0]+(y-a[1])*((b[0]-a[0])/(b[1]-a[1])), y)
				for col < east && isWest(a, b, g.centre(col+1, row)) {
					col++
				}
				for col >= west && !isWest(a, b, g.centre(col, row)) {
					col--
				}
				if col >= west {
					k := (row-south)*cols + col - west
					inside[k] = !inside[k]
				}
			}
		}
	}
	for row := south; row <= north; row++ {
		line := inside[(row-south)*cols:][:cols]
		if centre != nil {
			p := g.centre(east, row)
			line[cols-1] = l.has(chains, p[0], p[1], *centre)
		}
		for k := len(line) - 2; k >= 0; k-- {
			line[k] = line[k] != line[k+1]
		}
	}
	return inside
}

// isWest tells whether an edge from south to north, whose heights take in that of p, passes to the east of it.
func isWest(a, b, p orb.Point) bool {
	if p[0] < a[0] && p[0] < b[0] {
		return true
	}
	return !(p[0] > a[0] && p[0] > b[0]) && orientation(a, b, p) > 0
}

// isSouth tells whether an edge from west to east, over the meridian of p, passes to the north of it.
func isSouth(a, b, p orb.Point) bool {
	if p[1] < a[1] && p[1] < b[1] {
		return true
	}
	if p[1] > a[1] && p[1] > b[1] {
		return false
	}
	side := orientation(a, b, p)
	return side < 0 || side == 0 && a[1] < b[1] // on the edge, it is taken to the east of it
}

// has tells whether a zone has a point of a cell, from the chains of the zone in that cell and its centre. It counts
// the edges on the way from the point along its parallel, then along the meridian of the centre.
func (l *Locator) has(chains []chain, x, y float64, centre orb.Point) bool {
	inside := false
	west, east := min(x, centre[0]), max(x, centre[0])
	south, north := min(y, centre[1]), max(y, centre[1])
	for _, c := range chains {
		if c.edges&centred != 0 {
			inside = !inside
		}
		n := c.edges &^ centred
		if n == 0 {
			continue
		}
		pts := l.rings[c.ring][c.first : c.first+n+1]
		a := pts[0]
		for _, b := range pts[1:] {
			if (a[1] > y) != (b[1] > y) && !(west > a[0] && west > b[0]) && !(east < a[0] && east < b[0]) {
				lo, hi := a, b
				if a[1] > b[1] {
					lo, hi = b, a
				}
				if isWest(lo, hi, orb.Point{west, y}) && !isWest(lo, hi, orb.Point{east, y}) {
					inside = !inside
				}
			}
			if (a[0] > centre[0]) != (b[0] > centre[0]) && !(south > a[1] && south > b[1]) && !(north < a[1] && north < b[1]) {
				lo, hi := a, b
				if a[0] > b[0] {
					lo, hi = b, a
				}
				if isSouth(lo, hi, orb.Point{centre[0], south}) && !isSouth(lo, hi, orb.Point{centre[0], north}) {
					inside = !inside
				}
			}
			a = b
		}
	}
	return inside
}

// near lists the chains of the cell that has the point, and its centre.
func (l *Locator) near(x, y float64) ([]chain, orb.Point) {
	b := &l.bound
	if !(x >= b.Min[0] && x <= b.Max[0] && y >= b.Min[1] && y <= b.Max[1]) {
		return nil, orb.Point{}
	}
	g := &l.grids[0]
	for {
		col, row := g.cell(x, y)
		c := l.cells[int(g.first)+int(row*g.cols+col)]
		if c.n >= 0 {
			return l.chains[c.first : c.first+c.n], g.centre(col, row)
		}
		g = &l.grids[c.first]
	}
}

// zonesAt calls do for the zones at a point, in order, until it returns false.
func (l *Locator) zonesAt(x, y float64, do func(zone int) bool) {
	chains, centre := l.near(x, y)
	for len(chains) > 0 {
		n := 1
		for n < len(chains) && chains[n].zone == chains[0].zone {
			n++
		}
		if l.has(chains[:n], x, y, centre) && !do(int(chains[0].zone)) {
			return
		}
		chains = chains[n:]
	}
}

// At returns the position of the zone at a point, the first when several overlap there. A point whose
// coordinates are not numbers is nowhere.
func (l *Locator) At(x, y float64) (zone int, ok bool) {
	zone = -1
	l.zonesAt(x, y, func(i int) bool {
		zone = i
		return false
	})
	return zone, zone >= 0
}

// All appends to dst the positions of all the zones at a point, in order.
func (l *Locator) All(dst []int, x, y float64) []int {
	l.zonesAt(x, y, func(i int) bool {
		dst = append(dst, i)
		return true
	})
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
		if d := l.distance(i, x, y); d < distance || d == distance && (zone < 0 || int(i) < zone) {
			zone, distance = int(i), d
		}
		return true
	})
	if zone < 0 {
		return -1, 0, false
	}
	return zone, distance, true
}

// distance is the distance of a point to the border of a zone, in metres.
func (l *Locator) distance(zone uint32, x, y float64) float64 {
	best := math.Inf(1) // squared
	for _, ring := range l.rings[l.starts[zone]:l.starts[zone+1]] {
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
