package geo

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"

	"github.com/paulmach/orb"
)

const (
	displayUnit = 100.0 // steps in a metre: what is simplified is first put on a grid of 1 cm
	displaySnap = 1.0   // steps: a border this near to a neighbour's vertex passes through it

	// displayLoss is the share of its area that a zone may lose or gain.
	displayLoss = 0.01

	// displayReach is the largest side of a layer, in metres, that the grid can hold.
	displayReach = 1e7
)

// ZoomTolerance is the tolerance, in metres, that suits a zoom of the web's maps: half a pixel, 256 to the side
// of a tile, at 45° of latitude.
func ZoomTolerance(zoom int) float64 {
	return 2 * math.Pi * semiMajor / 256 / 2 * math.Cos(45*radian) / math.Exp2(float64(zoom))
}

// Simplify returns the zones of one layer, all together, drawn with fewer vertices for display. Each border is
// simplified once for the zones it parts, so that neighbours stay side by side, without gap or overlap. A bend is
// straightened when the triangle it makes has less than the square of the tolerance, the smallest first
// (Visvalingam's algorithm), unless a border would then cross or touch another, or a zone lose or gain more than
// 1 % of its area.
//
// Islands and holes smaller than the square of the tolerance are dropped where no other zone borders them, within
// the same 1 %; the largest part of a zone always stays. Coordinates are rounded to the centimetre, and rings begin at their
// westernmost point. The geometries
// returned are valid if those given are; one with coordinates that are not finite is returned as it is.
//
// Borders drawn differently on both sides, by more than a centimetre, are two borders.
func Simplify(zones []orb.MultiPolygon, toleranceMetres float64) []orb.MultiPolygon {
	c := newCoverage(zones)
	if c == nil {
		return slices.Clone(zones)
	}
	limit := toleranceMetres * displayUnit
	c.dropTiny(limit * limit)
	c.cutArcs()
	c.straighten(limit * limit)
	return c.rebuild(zones)
}

// A gridPoint is a vertex, in steps from the south-west corner of the layer. Products of two differences are exact
// in an int64.
type gridPoint struct{ x, y int64 }

// A coverage is a layer as arcs: pieces of border between the vertices where borders meet.
type coverage struct {
	origin orb.Point
	pts    []gridPoint
	rings  []coverageRing
	budget []float64 // by zone: what the area may still change, in square steps…
	change []float64 // and what it did change

	arcs []arc
}

// A coverageRing is a ring of a zone: the numbers of its vertices, the last not being the first again, then its
// arcs.
type coverageRing struct {
	zone, poly int32
	shell      bool
	dropped    bool
	vertices   []int32
	arcs       []int32 // numbers of arcs, ^ for one run backwards
}

// An arc is the numbers of its vertices in order, both ends included; they are the same for a whole ring.
type arc struct {
	vertices []int32
	sides    []side
}

// A side is a zone that an arc borders: on its left, or on its right.
type side struct {
	zone int32
	left bool
}

// newCoverage puts the zones on the grid. It returns nil when there is nothing to put, or it does not fit.
func newCoverage(zones []orb.MultiPolygon) *coverage {
	box := emptyBound
	ok := make([]bool, len(zones))
	n := 0
	for i, mp := range zones {
		if ok[i] = numeric(mp) == ""; ok[i] {
			box = unite(box, Box(mp))
			for _, poly := range mp {
				for _, ring := range poly {
					n += len(ring)
				}
			}
		}
	}
	if n == 0 || box.Max[0]-box.Min[0] > displayReach || box.Max[1]-box.Min[1] > displayReach {
		return nil
	}
	c := &coverage{
		// A whole number of steps, so that the grid is the same whatever the layer.
		origin: orb.Point{math.Floor(box.Min[0]), math.Floor(box.Min[1])},
		budget: make([]float64, len(zones)),
		change: make([]float64, len(zones)),
	}
	number := make(map[gridPoint]int32, n)
	for i, mp := range zones {
		if !ok[i] {
			continue
		}
		for k, poly := range Orient(mp) {
			for j, ring := range poly {
				r := coverageRing{zone: int32(i), poly: int32(k), shell: j == 0, vertices: make([]int32, 0, len(ring))}
				for _, p := range ring[:len(ring)-1] {
					g := gridPoint{
						int64(math.Round((p[0] - c.origin[0]) * displayUnit)),
						int64(math.Round((p[1] - c.origin[1]) * displayUnit)),
					}
					v, known := number[g]
					if !known {
						v = int32(len(c.pts))
						number[g] = v
						c.pts = append(c.pts, g)
					}
					r.vertices = append(r.vertices, v)
				}
				c.rings = append(c.rings, r)
			}
		}
		area := Area(Orient(mp)) * displayUnit * displayUnit
		c.budget[i] = displayLoss * area
		c.change[i] = -area
	}
	c.passThrough()
	for i := range c.rings {
		r := &c.rings[i]
		r.tidy(c.pts)
		if len(r.vertices) < 3 {
			r.dropped = true // it has no area on the grid
			continue
		}
		c.change[r.zone] += r.area(c.pts)
	}
	return c
}

// passThrough makes each border pass through the vertices of others that it runs over.
func (c *coverage) passThrough() {
	g := newVertexGrid(c.pts)
	type stop struct {
		at float64
		v  int32
	}
	var stops []stop
	for i := range c.rings {
		r := &c.rings[i]
		var out []int32
		for k, a := range r.vertices {
			b := r.vertices[(k+1)%len(r.vertices)]
			stops = stops[:0]
			p, q := c.pts[a], c.pts[b]
			dx, dy := float64(q.x-p.x), float64(q.y-p.y)
			length2 := dx*dx + dy*dy
			g.search(min(p.x, q.x)-1, min(p.y, q.y)-1, max(p.x, q.x)+1, max(p.y, q.y)+1, func(v int32) bool {
				ux, uy := float64(c.pts[v].x-p.x), float64(c.pts[v].y-p.y)
				along, across := ux*dx+uy*dy, ux*dy-uy*dx
				if v != a && v != b && along > 0 && along < length2 && across*across <= displaySnap*displaySnap*length2 {
					stops = append(stops, stop{along, v})
				}
				return true
			})
			if len(stops) > 0 && out == nil {
				out = append(make([]int32, 0, len(r.vertices)+8), r.vertices[:k]...)
			}
			if out != nil {
				slices.SortFunc(stops, func(s, t stop) int { return cmp.Or(cmp.Compare(s.at, t.at), cmp.Compare(s.v, t.v)) })
				out = append(out, a)
				for _, s := range stops {
					out = append(out, s.v)
				}
			}
		}
		if out != nil {
			r.vertices = out
		}
	}
}

// tidy leaves out repeated vertices, and where the ring comes straight back.
func (r *coverageRing) tidy(pts []gridPoint) {
	out := r.vertices[:0]
	for _, v := range r.vertices {
		if n := len(out); n > 0 && out[n-1] == v {
			continue
		} else if n > 1 && out[n-2] == v {
			out = out[:n-1]
			continue
		}
		out = append(out, v)
	}
	for len(out) > 1 {
		if n := len(out); out[0] == out[n-1] {
			out = out[:n-1]
		} else if out[0] == out[n-2] {
			out = out[:n-2]
		} else if out[1] == out[n-1] {
			out = out[1 : n-1]
		} else {
			break
		}
	}
	r.vertices = out
}

// area is the area of the ring in square steps, positive when it turns counter-clockwise.
func (r *coverageRing) area(pts []gridPoint) float64 {
	var twice int64
	o := pts[r.vertices[0]]
	for i := 2; i < len(r.vertices); i++ {
		p, q := pts[r.vertices[i-1]], pts[r.vertices[i]]
		twice += (p.x-o.x)*(q.y-o.y) - (p.y-o.y)*(q.x-o.x)
	}
	return float64(twice) / 2
}

// edgeKey names the edge between two vertices, in either direction.
func edgeKey(a, b int32) uint64 { return uint64(min(a, b))<<32 | uint64(max(a, b)) }

// edgeUse is the passage of a ring along an edge.
type edgeUse struct {
	key  uint64
	ring int32
}

func (c *coverage) edgeUses() []edgeUse {
	var uses []edgeUse
	for i, r := range c.rings {
		if r.dropped {
			continue
		}
		for k, a := range r.vertices {
			uses = append(uses, edgeUse{edgeKey(a, r.vertices[(k+1)%len(r.vertices)]), int32(i)})
		}
	}
	slices.SortFunc(uses, func(s, t edgeUse) int { return cmp.Or(cmp.Compare(s.key, t.key), cmp.Compare(s.ring, t.ring)) })
	return uses
}

// dropTiny drops the islands and the holes under an area, in square steps, that no other ring borders.
func (c *coverage) dropTiny(least float64) {
	shared := make([]bool, len(c.rings))
	uses := c.edgeUses()
	for i := 1; i < len(uses); i++ {
		if uses[i].key == uses[i-1].key {
			shared[uses[i].ring], shared[uses[i-1].ring] = true, true
		}
	}
	largest := make([]int, len(c.budget)) // by zone, 1 + the ring to keep
	for i, r := range c.rings {
		if !r.dropped && r.shell && (largest[r.zone] == 0 || r.area(c.pts) > c.rings[largest[r.zone]-1].area(c.pts)) {
			largest[r.zone] = i + 1
		}
	}
	drop := func(i int) bool {
		r := &c.rings[i]
		area := r.area(c.pts)
		if shared[i] || math.Abs(area) >= least || math.Abs(c.change[r.zone]-area) > c.budget[r.zone] {
			return false
		}
		c.change[r.zone] -= area
		r.dropped = true
		return true
	}
	var order []int
	for i, r := range c.rings {
		if !r.dropped && i+1 != largest[r.zone] {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(math.Abs(c.rings[i].area(c.pts)), math.Abs(c.rings[j].area(c.pts)))
	})
	for _, i := range order {
		r := c.rings[i]
		// An island with a lake goes only once its lake is gone: the lake is smaller, and came first.
		if r.shell && i+1 < len(c.rings) && slices.ContainsFunc(c.rings[i+1:min(i+1+c.holes(i), len(c.rings))], func(h coverageRing) bool { return !h.dropped }) {
			continue
		}
		drop(i)
	}
	// The holes of a shell that has no area on the grid go with it.
	for i, r := range c.rings {
		if r.shell && r.dropped {
			for k := range c.holes(i) {
				c.rings[i+1+k].dropped = true
			}
		}
	}
}

// holes is the number of holes that follow a shell.
func (c *coverage) holes(shell int) int {
	n := 0
	for shell+1+n < len(c.rings) && !c.rings[shell+1+n].shell {
		n++
	}
	return n
}

// cutArcs cuts the rings into arcs, at the vertices where other than two edges meet, or two that do not part the
// same zones.
func (c *coverage) cutArcs() {
	uses := c.edgeUses()
	type around struct {
		edges int32
		first int32 // place in uses of the first of its edges
		node  bool
	}
	meeting := make([]around, len(c.pts))
	for lo := 0; lo < len(uses); {
		hi := lo + 1
		for hi < len(uses) && uses[hi].key == uses[lo].key {
			hi++
		}
		for _, v := range [2]int32{int32(uses[lo].key >> 32), int32(uses[lo].key & math.MaxUint32)} {
			m := &meeting[v]
			m.edges++
			if m.edges == 1 {
				m.first = int32(lo)
				continue
			}
			// The rings of the first edge must be those of this one.
			k := 0
			for k < hi-lo && int(m.first)+k < len(uses) && uses[int(m.first)+k].key == uses[m.first].key &&
				uses[int(m.first)+k].ring == uses[lo+k].ring {
				k++
			}
			if m.edges > 2 || k < hi-lo || int(m.first)+k < len(uses) && uses[int(m.first)+k].key == uses[m.first].key {
				m.node = true
			}
		}
		lo = hi
	}
	known := make(map[[2]int32]int32) // arcs by their first two vertices, ^ by the last two
	for i := range c.rings {
		r := &c.rings[i]
		if r.dropped {
			continue
		}
		n := len(r.vertices)
		start := -1
		for k, v := range r.vertices {
			if meeting[v].node {
				start = k
				break
			}
		}
		if start < 0 {
			// A ring that meets no other, but maybe its own twin in another zone, begins at its westernmost vertex.
			start = 0
			for k, v := range r.vertices {
				p, q := c.pts[v], c.pts[r.vertices[start]]
				if cmp.Or(cmp.Compare(p.x, q.x), cmp.Compare(p.y, q.y)) < 0 {
					start = k
				}
			}
		}
		at := func(k int) int32 { return r.vertices[(start+k)%n] }
		for from := 0; from < n; {
			to := from + 1
			for to < n && !meeting[at(to)].node {
				to++
			}
			a, ok := known[[2]int32{at(from), at(from + 1)}]
			if !ok {
				a = int32(len(c.arcs))
				vertices := make([]int32, 0, to-from+1)
				for k := from; k <= to; k++ {
					vertices = append(vertices, at(k))
				}
				c.arcs = append(c.arcs, arc{vertices: vertices})
				known[[2]int32{at(from), at(from + 1)}] = a
				known[[2]int32{at(to), at(to - 1)}] = ^a
			}
			r.arcs = append(r.arcs, a)
			if a >= 0 {
				c.arcs[a].sides = append(c.arcs[a].sides, side{r.zone, true})
			} else {
				c.arcs[^a].sides = append(c.arcs[^a].sides, side{r.zone, false})
			}
			from = to
		}
	}
}

// A bend is an inner vertex of an arc, with its neighbours that are left.
type bend struct {
	v, prev, next int32 // vertices
	before, after int32 // the bends there, -1 at the ends of the arc
	arc           int32
	area          float64 // of the triangle, in square steps; at least that of the bends straightened beside it
	place         int32   // in the heap, -1 out of it
}

type bendHeap struct {
	bends []bend
	order []int32
}

func (h *bendHeap) Len() int { return len(h.order) }
func (h *bendHeap) Less(i, j int) bool {
	a, b := h.order[i], h.order[j]
	if h.bends[a].area != h.bends[b].area {
		return h.bends[a].area < h.bends[b].area
	}
	return a < b
}
func (h *bendHeap) Swap(i, j int) {
	h.order[i], h.order[j] = h.order[j], h.order[i]
	h.bends[h.order[i]].place, h.bends[h.order[j]].place = int32(i), int32(j)
}
func (h *bendHeap) Push(x any) {
	h.bends[x.(int32)].place = int32(len(h.order))
	h.order = append(h.order, x.(int32))
}
func (h *bendHeap) Pop() any {
	n := len(h.order) - 1
	b := h.order[n]
	h.order = h.order[:n]
	h.bends[b].place = -1
	return b
}

// straighten takes bends out of the arcs, those of the smallest triangles first, up to an area in square steps.
func (c *coverage) straighten(limit float64) {
	h := &bendHeap{}
	inner := make([]int32, len(c.arcs)) // bends left
	straight := make(map[uint64]bool)   // edges that are a whole arc
	for i, a := range c.arcs {
		n := len(a.vertices)
		inner[i] = int32(n - 2)
		if n == 2 {
			straight[edgeKey(a.vertices[0], a.vertices[1])] = true
		}
		for k := 1; k < n-1; k++ {
			b := int32(len(h.bends))
			one := bend{v: a.vertices[k], prev: a.vertices[k-1], next: a.vertices[k+1], before: b - 1, after: b + 1, arc: int32(i), place: -1}
			if k == 1 {
				one.before = -1
			}
			if k == n-2 {
				one.after = -1
			}
			h.bends = append(h.bends, one)
		}
	}
	for i := range h.bends {
		b := &h.bends[i]
		if b.area = math.Abs(c.triangle(b)); b.area < limit {
			b.place = int32(len(h.order))
			h.order = append(h.order, int32(i))
		}
	}
	heap.Init(h)
	g := newVertexGrid(c.pts)
	for _, r := range c.rings { // what is dropped bars nothing
		if r.dropped {
			for _, v := range r.vertices {
				g.remove(c.pts, v)
			}
		}
	}
	for _, a := range c.arcs {
		for _, v := range a.vertices {
			g.restore(c.pts, v)
		}
	}
	gone := make([]bool, len(h.bends))
	for len(h.order) > 0 {
		i := heap.Pop(h).(int32)
		b := &h.bends[i]
		if !c.mayGo(b, inner[b.arc], straight, g) {
			continue // until a neighbour goes
		}
		area := c.triangle(b)
		for _, s := range c.arcs[b.arc].sides {
			if s.left {
				c.change[s.zone] -= area
			} else {
				c.change[s.zone] += area
			}
		}
		g.remove(c.pts, b.v)
		gone[i] = true
		if inner[b.arc]--; inner[b.arc] == 0 {
			straight[edgeKey(b.prev, b.next)] = true
		}
		if b.before >= 0 {
			h.bends[b.before].next, h.bends[b.before].after = b.next, b.after
		}
		if b.after >= 0 {
			h.bends[b.after].prev, h.bends[b.after].before = b.prev, b.before
		}
		for _, k := range [2]int32{b.before, b.after} {
			if k < 0 {
				continue
			}
			o := &h.bends[k]
			o.area = max(b.area, math.Abs(c.triangle(o)))
			switch {
			case o.place >= 0 && o.area < limit:
				heap.Fix(h, int(o.place))
			case o.place >= 0:
				heap.Remove(h, int(o.place))
			case o.area < limit:
				heap.Push(h, k)
			}
		}
	}
	next := 0
	for i := range c.arcs {
		a := &c.arcs[i]
		n := len(a.vertices)
		out := a.vertices[:1]
		for k := 1; k < n-1; k++ {
			if v := a.vertices[k]; !gone[next] {
				out = append(out, v)
			}
			next++
		}
		a.vertices = append(out, a.vertices[n-1])
	}
}

// triangle is the area of the triangle of a bend in square steps, positive when the arc turns to the left there.
func (c *coverage) triangle(b *bend) float64 {
	p, v, q := c.pts[b.prev], c.pts[b.v], c.pts[b.next]
	return float64((v.x-p.x)*(q.y-p.y)-(v.y-p.y)*(q.x-p.x)) / 2
}

// mayGo tells whether a bend may be straightened.
func (c *coverage) mayGo(b *bend, inner int32, straight map[uint64]bool, g *vertexGrid) bool {
	if inner == 1 && straight[edgeKey(b.prev, b.next)] || b.prev == b.next {
		return false // two arcs would become one
	}
	if ends := c.arcs[b.arc].vertices; ends[0] == ends[len(ends)-1] && inner <= 2 {
		return false // a ring keeps three vertices
	}
	area := c.triangle(b)
	for i, s := range c.arcs[b.arc].sides {
		d := area
		if s.left {
			d = -d
		}
		for k, o := range c.arcs[b.arc].sides { // a zone may be there more than once
			if k != i && o.zone == s.zone {
				if o.left {
					d -= area
				} else {
					d += area
				}
			}
		}
		after := math.Abs(c.change[s.zone] + d)
		if after > c.budget[s.zone] && after > math.Abs(c.change[s.zone]) {
			return false
		}
	}
	// Of borders that do not cross, none crosses the new edge unless one of its vertices is in the triangle. One on
	// its sides would be touched.
	p, v, q := c.pts[b.prev], c.pts[b.v], c.pts[b.next]
	if area < 0 {
		p, q = q, p
	}
	return g.search(min(p.x, v.x, q.x), min(p.y, v.y, q.y), max(p.x, v.x, q.x), max(p.y, v.y, q.y), func(o int32) bool {
		w := c.pts[o]
		return o == b.v || o == b.prev || o == b.next ||
			turns3(p, v, w) < 0 || turns3(v, q, w) < 0 || turns3(q, p, w) < 0
	})
}

// turns3 is twice the area of a triangle, positive when it turns counter-clockwise.
func turns3(a, b, c gridPoint) int64 { return (b.x-a.x)*(c.y-a.y) - (b.y-a.y)*(c.x-a.x) }

// rebuild makes geometries of the arcs.
func (c *coverage) rebuild(given []orb.MultiPolygon) []orb.MultiPolygon {
	out := make([]orb.MultiPolygon, len(given))
	for i, mp := range given {
		if numeric(mp) != "" {
			out[i] = mp
		}
	}
	poly := int32(-1)
	zone := int32(-1)
	for i := range c.rings {
		r := &c.rings[i]
		if r.dropped {
			continue
		}
		var ring orb.Ring
		for _, a := range r.arcs {
			var vertices []int32
			if a >= 0 {
				vertices = c.arcs[a].vertices
			} else {
				vertices = slices.Clone(c.arcs[^a].vertices)
				slices.Reverse(vertices)
			}
			for _, v := range vertices[:len(vertices)-1] {
				ring = append(ring, orb.Point{
					math.Round(c.origin[0]*displayUnit+float64(c.pts[v].x)) / displayUnit,
					math.Round(c.origin[1]*displayUnit+float64(c.pts[v].y)) / displayUnit,
				})
			}
		}
		ring = canonical(ring)
		if r.zone != zone || r.poly != poly {
			zone, poly = r.zone, r.poly
			out[zone] = append(out[zone], nil)
		}
		last := len(out[zone]) - 1
		out[zone][last] = append(out[zone][last], ring)
	}
	// Rounding to the grid may, very rarely, have made a border touch itself. The check is exact.
	_ = parallel(context.Background(), len(out), 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			if numeric(out[i]) == "" && len(out[i]) > 0 {
				if mp, fault := Repair(out[i]); fault.Kind != "" && len(mp) > 0 {
					out[i] = mp
				}
			}
		}
	})
	for i := range out {
		if len(out[i]) == 0 { // nothing of it is as large as the grid
			out[i] = given[i]
		}
	}
	return out
}

// A vertexGrid holds vertices by square cells.
type vertexGrid struct {
	pts        []gridPoint
	cell       int64 // side, in steps
	cols, rows int64
	starts     []int32 // cell i has vertices[starts[i]:ends[i]], and room up to starts[i+1]
	ends       []int32
	vertices   []int32
}

// newVertexGrid makes a grid of the points, whose coordinates are not negative, with about two in a cell.
func newVertexGrid(pts []gridPoint) *vertexGrid {
	var east, north int64
	for _, p := range pts {
		east, north = max(east, p.x), max(north, p.y)
	}
	g := &vertexGrid{pts: pts}
	g.cell = 1 + int64(math.Sqrt(2*float64(east+1)*float64(north+1)/float64(len(pts))))
	// A layer as thin as a line has no more cells than vertices either.
	g.cell = max(g.cell, 1+(east+north)/int64(len(pts)))
	g.cols, g.rows = east/g.cell+1, north/g.cell+1
	g.starts = make([]int32, g.cols*g.rows+1)
	for _, p := range pts {
		g.starts[g.at(p)+1]++
	}
	for i := range g.cols * g.rows {
		g.starts[i+1] += g.starts[i]
	}
	g.ends = slices.Clone(g.starts[:g.cols*g.rows])
	g.vertices = make([]int32, len(pts))
	for v, p := range pts {
		i := g.at(p)
		g.vertices[g.ends[i]] = int32(v)
		g.ends[i]++
	}
	return g
}

func (g *vertexGrid) at(p gridPoint) int64 { return p.y/g.cell*g.cols + p.x/g.cell }

func (g *vertexGrid) remove(pts []gridPoint, v int32) {
	i := g.at(pts[v])
	for k := g.starts[i]; k < g.ends[i]; k++ {
		if g.vertices[k] == v {
			g.ends[i]--
			g.vertices[k] = g.vertices[g.ends[i]]
			return
		}
	}
}

// restore puts back a vertex that was removed, if it was.
func (g *vertexGrid) restore(pts []gridPoint, v int32) {
	i := g.at(pts[v])
	for k := g.starts[i]; k < g.ends[i]; k++ {
		if g.vertices[k] == v {
			return
		}
	}
	g.vertices[g.ends[i]] = v
	g.ends[i]++
}

// search calls do on the vertices in a box, sides included, until it returns false; it then returns false too.
func (g *vertexGrid) search(west, south, east, north int64, do func(v int32) bool) bool {
	c0, c1 := max(0, west)/g.cell, min(g.cols-1, max(0, east)/g.cell)
	r0, r1 := max(0, south)/g.cell, min(g.rows-1, max(0, north)/g.cell)
	for r := r0; r <= r1; r++ {
		for c := c0; c <= c1; c++ {
			i := r*g.cols + c
			for _, v := range g.vertices[g.starts[i]:g.ends[i]] {
				if p := g.pts[v]; p.x >= west && p.x <= east && p.y >= south && p.y <= north && !do(v) {
					return false
				}
			}
		}
	}
	return true
}
