package geo

import (
	"cmp"
	"math"
	"math/big"
	"slices"

	"github.com/paulmach/orb"
)

// A mesh is the plane cut into faces by closed rings. Every face knows how many times each ring winds around it,
// so that repairing a polygon and uniting several are one thing: choose the faces to keep, and trace their
// outline.
//
// Coordinates are rounded only where two segments cross; afterwards every decision (which side, which order
// around a vertex, what contains what) is taken from exact predicates, so that the outline is always valid.
type mesh struct {
	tolerance float64 // vertices nearer than this are one, segments as near to a vertex pass through it; may be 0
	pts       []orb.Point
	at        map[orb.Point]int32 // by exact coordinates; with a tolerance, of the points taken for another
	cells     map[[2]int64]int32  // with a tolerance, the last vertex of each square of the plane,
	beside    []int32             // and by vertex the one before it in its square, else -1

	edges    []edge
	edgeOf   map[uint64]int32 // by a<<32 | b
	repeated bool             // some segment was there twice

	// Half-edge 2e runs along edge e from a to b, and 2e+1 back; the face of a half-edge is on its left.
	// A cycle is one closed walk of half-edges around a face; a face has several when it has holes.
	next    []int32
	cycleOf []int32
	faces   [][]turns // by cycle
	parent  []int32   // by cycle: for the outer walk of a connected part, another cycle of the same face; else -1
}

// An edge joins two vertices, a < b, and is run over by rings.
type edge struct {
	a, b int32
	runs []turns // by ring: times run over from a to b, less times from b to a; without any, there is no edge
	new  bool    // not compared with all others yet
}

// turns is how many times a ring winds around a face, or runs over an edge.
type turns struct{ ring, n int32 }

// sum returns v + sign·w, two lists ordered by ring, without zeros. It shares no memory with them.
func sum(v, w []turns, sign int32) []turns {
	out := make([]turns, 0, len(v)+len(w))
	for len(v) > 0 || len(w) > 0 {
		switch {
		case len(w) == 0 || len(v) > 0 && v[0].ring < w[0].ring:
			out = append(out, v[0])
			v = v[1:]
		case len(v) == 0 || w[0].ring < v[0].ring:
			out = append(out, turns{w[0].ring, sign * w[0].n})
			w = w[1:]
		default:
			if n := v[0].n + sign*w[0].n; n != 0 {
				out = append(out, turns{v[0].ring, n})
			}
			v, w = v[1:], w[1:]
		}
	}
	return out
}

// arrange cuts the plane by closed rings of finite coordinates, each counted under a number of its own or of its
// group.
func arrange(rings []orb.Ring, number func(i int) int32) *mesh {
	size := 0.0
	for _, r := range rings {
		for _, p := range r {
			size = max(size, math.Abs(p[0]), math.Abs(p[1]))
		}
	}
	// Some hundred times the rounding of a crossing: 0.4 µm in Lambert-93. Growing, it ends by merging whatever
	// does not settle.
	for tolerance := size * 0x1p-44; ; tolerance *= 8 {
		m := newMesh(tolerance, rings)
		for i, r := range rings {
			m.addRing(number(i), r)
		}
		if m.node() {
			m.build()
			return m
		}
	}
}

// newMesh returns an empty mesh with room for rings.
func newMesh(tolerance float64, rings []orb.Ring) *mesh {
	n := 0
	for _, r := range rings {
		n += len(r)
	}
	m := &mesh{
		tolerance: tolerance,
		pts:       make([]orb.Point, 0, n),
		edges:     make([]edge, 0, n),
		edgeOf:    make(map[uint64]int32, n),
	}
	if tolerance > 0 {
		m.at = make(map[orb.Point]int32)
		m.cells = make(map[[2]int64]int32, n)
		m.beside = make([]int32, 0, n)
	} else {
		m.at = make(map[orb.Point]int32, n)
	}
	return m
}

// vertex returns the number of the vertex at p, which is new unless one stands within the tolerance.
func (m *mesh) vertex(p orb.Point) int32 {
	if v, ok := m.at[p]; ok {
		return v
	}
	v := int32(len(m.pts))
	if m.tolerance == 0 {
		m.at[p] = v
	} else {
		if v := m.near(p); v >= 0 {
			if m.pts[v] != p {
				m.at[p] = v
			}
			return v
		}
		c := m.cell(p[0], p[1])
		last, ok := m.cells[c]
		if !ok {
			last = -1
		}
		m.cells[c] = v
		m.beside = append(m.beside, last)
	}
	m.pts = append(m.pts, p)
	return v
}

func (m *mesh) cell(x, y float64) [2]int64 {
	side := 64 * m.tolerance
	return [2]int64{int64(math.Floor(x / side)), int64(math.Floor(y / side))}
}

// near is the vertex nearest to p within the tolerance, -1 when there is none.
func (m *mesh) near(p orb.Point) int32 {
	best, nearest := int32(-1), m.tolerance
	lo, hi := m.cell(p[0]-m.tolerance, p[1]-m.tolerance), m.cell(p[0]+m.tolerance, p[1]+m.tolerance)
	for x := lo[0]; x <= hi[0]; x++ {
		for y := lo[1]; y <= hi[1]; y++ {
			v, ok := m.cells[[2]int64{x, y}]
			for ; ok && v >= 0; v = m.beside[v] {
				if d := math.Hypot(m.pts[v][0]-p[0], m.pts[v][1]-p[1]); d < nearest || d == nearest && (best < 0 || v < best) {
					best, nearest = v, d
				}
			}
		}
	}
	return best
}

// addRing adds the segments of a closed ring, counted under the number given.
func (m *mesh) addRing(number int32, ring orb.Ring) {
	there, back := []turns{{number, 1}}, []turns{{number, -1}}
	var last int32
	for i, p := range ring {
		v := m.vertex(p)
		if i > 0 && last < v {
			m.addEdge(last, v, there)
		} else if i > 0 && v < last {
			m.addEdge(v, last, back)
		}
		last = v
	}
}

// addEdge adds runs, which must not change any more, to the edge between two vertices, a < b.
func (m *mesh) addEdge(a, b int32, runs []turns) {
	key := uint64(a)<<32 | uint64(b)
	i, ok := m.edgeOf[key]
	if !ok {
		m.edgeOf[key] = int32(len(m.edges))
		m.edges = append(m.edges, edge{a: a, b: b, runs: runs, new: true})
		return
	}
	m.repeated = true
	e := &m.edges[i]
	if len(e.runs) == 0 {
		e.runs, e.new = runs, true
	} else {
		e.runs = sum(e.runs, runs, 1)
	}
}

const nodingRounds = 40

// node splits the edges until they meet only at their ends. Rounding a crossing may make new ones, which the
// next round finds among the edges that changed; it returns false when the rounds run out. With no tolerance,
// where nothing may be rounded, it returns false at the first crossing.
func (m *mesh) node() bool {
	for range nodingRounds {
		cuts, ok := m.cuts()
		if !ok {
			return false
		}
		for i := range m.edges {
			m.edges[i].new = false
		}
		if len(cuts) == 0 {
			// Where rings ran there and back, nothing remains.
			m.edges = slices.DeleteFunc(m.edges, func(e edge) bool { return len(e.runs) == 0 })
			return true
		}
		slices.SortFunc(cuts, func(s, t cut) int {
			if s.e != t.e {
				return int(s.e) - int(t.e)
			}
			return cmp.Or(cmp.Compare(s.along, t.along), int(s.v)-int(t.v))
		})
		for len(cuts) > 0 {
			e := m.edges[cuts[0].e]
			m.edges[cuts[0].e].runs = nil
			last := e.a
			split := func(v int32) {
				if last < v {
					m.addEdge(last, v, e.runs)
				} else if v < last {
					m.addEdge(v, last, sum(nil, e.runs, -1))
				}
				last = v
			}
			for of := cuts[0].e; len(cuts) > 0 && cuts[0].e == of; cuts = cuts[1:] {
				split(cuts[0].v)
			}
			split(e.b)
		}
	}
	return false
}

// A cut is a vertex v through which the edge e has to pass.
type cut struct {
	e, v  int32
	along float64 // from the start of the edge, growing with the distance
}

// cuts finds the vertices through which the edges have to pass, by a sweep from west to east that compares the
// new edges with all the others.
func (m *mesh) cuts() ([]cut, bool) {
	// Along x the sweep goes by steps of a 2³² of the width, so that the western ends sort as integers.
	west, east := math.Inf(1), math.Inf(-1)
	for _, p := range m.pts {
		west, east = min(west, p[0]), max(east, p[0])
	}
	perMetre := 0.0
	if west < east {
		perMetre = math.MaxUint32 / (east - west)
	}
	step := func(x float64) uint64 { return uint64(max(0, (x-west)*perMetre)) }

	type extent struct {
		west, east   uint64 // steps
		south, north float64
		e            int32
	}
	order := make([]uint64, 0, len(m.edges)) // western end, edge
	for i, e := range m.edges {
		if len(e.runs) > 0 {
			order = append(order, step(min(m.pts[e.a][0], m.pts[e.b][0])-m.tolerance)<<32|uint64(i))
		}
	}
	slices.Sort(order)
	all := make([]extent, len(order))
	var fresh []extent // the new ones among them
	for i, o := range order {
		e := m.edges[uint32(o)]
		a, b := m.pts[e.a], m.pts[e.b]
		all[i] = extent{o >> 32, step(max(a[0], b[0])), min(a[1], b[1]) - m.tolerance, max(a[1], b[1]), int32(uint32(o))}
		if e.new {
			fresh = append(fresh, all[i])
		}
	}
	var found []cut
	for i := range all {
		s, others := &all[i], fresh
		if m.edges[s.e].new {
			fresh = fresh[1:] // s itself
			others = all[i+1:]
		}
		for j := range others {
			t := &others[j]
			if t.west > s.east {
				break
			}
			if t.south <= s.north && s.south <= t.north {
				var ok bool
				if found, ok = m.meet(found, s.e, t.e); !ok {
					return nil, false
				}
			}
		}
	}
	return found, true
}

// meet appends to found the vertices at which the edges s and t have to be cut for each other. It returns false
// where they cross away from any vertex and nothing may be rounded.
func (m *mesh) meet(found []cut, si, ti int32) ([]cut, bool) {
	s, t := m.edges[si], m.edges[ti]
	before := len(found)
	through := func(e, v int32) {
		a, b, p := m.pts[m.edges[e].a], m.pts[m.edges[e].b], m.pts[v]
		found = append(found, cut{e, v, (p[0]-a[0])*(b[0]-a[0]) + (p[1]-a[1])*(b[1]-a[1])})
	}
	touch := func(e int32, a, b, v int32) {
		if v != a && v != b && m.passes(a, b, v) {
			through(e, v)
		}
	}
	touch(si, s.a, s.b, t.a)
	touch(si, s.a, s.b, t.b)
	touch(ti, t.a, t.b, s.a)
	touch(ti, t.a, t.b, s.b)
	if len(found) > before || s.a == t.a || s.a == t.b || s.b == t.a || s.b == t.b {
		return found, true
	}
	a, b, c, d := m.pts[s.a], m.pts[s.b], m.pts[t.a], m.pts[t.b]
	if orientation(a, b, c)*orientation(a, b, d) >= 0 || orientation(c, d, a)*orientation(c, d, b) >= 0 {
		return found, true
	}
	if m.tolerance == 0 {
		return found, false
	}
	v := m.vertex(crossing(a, b, c, d))
	if v != s.a && v != s.b {
		through(si, v)
	}
	if v != t.a && v != t.b {
		through(ti, v)
	}
	return found, true
}

// passes tells whether the segment from a to b has to pass through the vertex v.
func (m *mesh) passes(a, b, v int32) bool {
	p, q, r := m.pts[a], m.pts[b], m.pts[v]
	if m.tolerance == 0 {
		return r[0] >= min(p[0], q[0]) && r[0] <= max(p[0], q[0]) && r[1] >= min(p[1], q[1]) && r[1] <= max(p[1], q[1]) &&
			orientation(p, q, r) == 0
	}
	dx, dy := q[0]-p[0], q[1]-p[1]
	ux, uy := r[0]-p[0], r[1]-p[1]
	length2, along := dx*dx+dy*dy, ux*dx+uy*dy
	across := ux*dy - uy*dx
	return along > 0 && along < length2 && across*across <= m.tolerance*m.tolerance*length2
}

// crossing returns, rounded, the point where the segments ab and cd cross.
func crossing(a, b, c, d orb.Point) orb.Point {
	ux, uy := b[0]-a[0], b[1]-a[1]
	vx, vy := d[0]-c[0], d[1]-c[1]
	t := ((c[0]-a[0])*vy - (c[1]-a[1])*vx) / (ux*vy - uy*vx)
	if !(t > 0) { // rounding, or parallel for all that can be computed
		return a
	}
	t = min(t, 1)
	return orb.Point{a[0] + t*ux, a[1] + t*uy}
}

// orientation is +1 when c is on the left of the line from a to b, -1 on the right, 0 on the line: exactly.
func orientation(a, b, c orb.Point) int {
	// The filter of Shewchuk, Adaptive Precision Floating-Point Arithmetic (1997), answers nearly always.
	const bound, tiny = 3.3306690738754716e-16, 1e-280
	left := float64((a[0] - c[0]) * (b[1] - c[1]))
	right := float64((a[1] - c[1]) * (b[0] - c[0]))
	if det, size := left-right, math.Abs(left)+math.Abs(right); size > tiny && math.Abs(det) > bound*size {
		return sign(det)
	}
	// When the differences are exact, so is the comparison of the rounded products, then of what was rounded off.
	ax, ay, bx, by := a[0]-c[0], a[1]-c[1], b[0]-c[0], b[1]-c[1]
	if isDifference(ax, a[0], c[0]) && isDifference(ay, a[1], c[1]) && isDifference(bx, b[0], c[0]) && isDifference(by, b[1], c[1]) &&
		(math.Abs(left) > tiny || ax == 0 || by == 0) && (math.Abs(right) > tiny || ay == 0 || bx == 0) {
		if left != right {
			return sign(left - right)
		}
		return sign(math.FMA(ax, by, -left) - math.FMA(ay, bx, -right))
	}
	const precision = 4096 // holds any product of differences of coordinates below 2^60 without rounding
	f := func(v float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(v) }
	product := func(p, q, r, s float64) *big.Float {
		return new(big.Float).SetPrec(precision).Mul(f(0).Sub(f(p), f(q)), f(0).Sub(f(r), f(s)))
	}
	return product(a[0], c[0], b[1], c[1]).Cmp(product(a[1], c[1], b[0], c[0]))
}

// isDifference tells whether d is x - y exactly.
func isDifference(d, x, y float64) bool {
	virtual := x - d
	return d+virtual == x && virtual == y
}

func sign(v float64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

func (m *mesh) origin(h int32) int32 {
	if h&1 == 0 {
		return m.edges[h>>1].a
	}
	return m.edges[h>>1].b
}

// build makes the faces out of noded edges.
func (m *mesh) build() {
	n := int32(2 * len(m.edges))

	// Half-edges leaving each vertex, counter-clockwise from the east: out[first[v]:first[v+1]].
	first := make([]int32, len(m.pts)+1)
	for h := range n {
		first[m.origin(h)+1]++
	}
	for v := range m.pts {
		first[v+1] += first[v]
	}
	out, fill := make([]int32, n), slices.Clone(first)
	for h := range n {
		v := m.origin(h)
		out[fill[v]] = h
		fill[v]++
	}
	place := make([]int32, n)
	for v, o := range m.pts {
		around := out[first[v]:first[v+1]]
		order := func(g, h int32) int {
			p, q := m.pts[m.origin(g^1)], m.pts[m.origin(h^1)]
			if a, b := half(o, p), half(o, q); a != b {
				return a - b
			}
			return -orientation(o, p, q)
		}
		if len(around) > 2 {
			slices.SortFunc(around, order)
		} else if len(around) == 2 && order(around[0], around[1]) > 0 {
			around[0], around[1] = around[1], around[0]
		}
		for i, h := range around {
			place[h] = first[v] + int32(i)
		}
	}

	// Keeping the face on the left, one leaves a vertex by the first way clockwise from the way one came.
	m.next = make([]int32, n)
	for h := range n {
		v := m.origin(h ^ 1)
		if i := place[h^1]; i > first[v] {
			m.next[h] = out[i-1]
		} else {
			m.next[h] = out[first[v+1]-1]
		}
	}
	m.cycleOf = make([]int32, n)
	for h := range n {
		m.cycleOf[h] = -1
	}
	var cycles []int32 // a half-edge of each
	for h := range n {
		if m.cycleOf[h] >= 0 {
			continue
		}
		for g := h; m.cycleOf[g] < 0; g = m.next[g] {
			m.cycleOf[g] = int32(len(cycles))
		}
		cycles = append(cycles, h)
	}

	// The outer walk of each connected part passes its westernmost vertex, and the edge just south of that
	// vertex, if any, has the same face on its north.
	part := make([]int32, len(m.pts))
	for v := range part {
		part[v] = -1
	}
	var roots []int32 // of each part, the vertex furthest west, then south
	var stack []int32
	for v := range m.pts {
		if part[v] >= 0 || first[v] == first[v+1] {
			continue
		}
		p, root := int32(len(roots)), int32(v)
		part[v], stack = p, append(stack[:0], int32(v))
		for len(stack) > 0 {
			u := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if comparePoints(m.pts[u], m.pts[root]) < 0 {
				root = u
			}
			for _, h := range out[first[u]:first[u+1]] {
				if w := m.origin(h ^ 1); part[w] < 0 {
					part[w], stack = p, append(stack, w)
				}
			}
		}
		roots = append(roots, root)
	}
	m.parent = make([]int32, len(cycles))
	for c := range m.parent {
		m.parent[c] = -1
	}
	inner := make([][]int32, len(cycles)) // by cycle, the outer walks it is the parent of
	var free []int32                      // outer walks with nothing south of them
	var below *columns
	if len(roots) > 1 {
		below = m.newColumns()
	}
	for p, root := range roots {
		around := out[first[root]:first[root+1]]
		last := around[len(around)-1]
		for _, h := range around { // the last before the north, counted from the south by the east
			if half(m.pts[root], m.pts[m.origin(h^1)]) == 0 {
				last = h
			}
		}
		outer := m.cycleOf[last]
		if below != nil {
			if e := below.find(m.pts[root], func(e int32) bool { return part[m.edges[e].a] != int32(p) }); e >= 0 {
				h := 2 * e
				if comparePoints(m.pts[m.edges[e].b], m.pts[m.edges[e].a]) < 0 {
					h++
				}
				m.parent[outer] = m.cycleOf[h]
				inner[m.cycleOf[h]] = append(inner[m.cycleOf[h]], outer)
				continue
			}
		}
		free = append(free, outer)
	}

	// Winding numbers spread from the outside, where they are zero.
	m.faces = make([][]turns, len(cycles))
	known := make([]bool, len(cycles))
	queue := free
	for _, c := range free {
		known[c] = true
	}
	for len(queue) > 0 {
		c := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		visit := func(d int32, w []turns) {
			known[d] = true
			m.faces[d] = w
			queue = append(queue, d)
		}
		for _, d := range inner[c] {
			if !known[d] {
				visit(d, m.faces[c])
			}
		}
		for h := cycles[c]; ; {
			if d := m.cycleOf[h^1]; !known[d] {
				visit(d, sum(m.faces[c], m.edges[h>>1].runs, 2*(h&1)-1))
			}
			if h = m.next[h]; h == cycles[c] {
				break
			}
		}
	}
}

// half is 0 for directions from the east to just before the west, counter-clockwise, and 1 for the others.
func half(o, p orb.Point) int {
	if p[1] > o[1] || p[1] == o[1] && p[0] > o[0] {
		return 0
	}
	return 1
}

// comparePoints orders points from west to east, then from south to north.
func comparePoints(p, q orb.Point) int {
	return cmp.Or(cmp.Compare(p[0], q[0]), cmp.Compare(p[1], q[1]))
}

// columns holds the edges by vertical strips, to find what is below a point.
type columns struct {
	m           *mesh
	west, width float64
	strips      [][]int32
}

func (m *mesh) newColumns() *columns {
	west, east := math.Inf(1), math.Inf(-1)
	for _, e := range m.edges {
		for _, v := range []int32{e.a, e.b} {
			west, east = min(west, m.pts[v][0]), max(east, m.pts[v][0])
		}
	}
	n := max(1, int(math.Sqrt(float64(len(m.edges)))))
	c := &columns{m: m, west: west, width: (east - west) / float64(n), strips: make([][]int32, n)}
	for i, e := range m.edges {
		a, b := c.strip(m.pts[e.a][0]), c.strip(m.pts[e.b][0])
		for s := min(a, b); s <= max(a, b); s++ {
			c.strips[s] = append(c.strips[s], int32(i))
		}
	}
	return c
}

func (c *columns) strip(x float64) int {
	if i := (x - c.west) / c.width; i > 0 { // false for the NaN of a mesh without width
		return min(int(i), len(c.strips)-1)
	}
	return 0
}

// find returns the first edge met from p southward among those wanted, -1 when there is none. The edge does not
// touch p. It looks just east of p, so that an edge ends where the next begins.
func (c *columns) find(p orb.Point, wanted func(e int32) bool) int32 {
	best := int32(-1)
	var bl, br orb.Point
	for _, e := range c.strips[c.strip(p[0])] {
		l, r := c.m.pts[c.m.edges[e].a], c.m.pts[c.m.edges[e].b]
		if comparePoints(l, r) > 0 {
			l, r = r, l
		}
		if l[0] <= p[0] && p[0] < r[0] && wanted(e) && orientation(l, r, p) > 0 && (best < 0 || isAbove(l, r, bl, br)) {
			best, bl, br = e, l, r
		}
	}
	return best
}

// isAbove tells whether the first segment is above the second, where both are over one meridian and do not
// cross; l are western ends, r eastern ones.
func isAbove(l, r, sl, sr orb.Point) bool {
	var s int
	if l[0] >= sl[0] {
		s = orientation(sl, sr, l)
	} else {
		s = -orientation(l, r, sl)
	}
	if s == 0 { // they leave one point
		if r[0] <= sr[0] {
			s = orientation(sl, sr, r)
		} else {
			s = -orientation(l, r, sr)
		}
	}
	return s > 0
}

// outline returns the region made of the faces to keep, as valid polygons: shells counter-clockwise, holes
// clockwise, every ring from its westernmost point, polygons and holes ordered by that point.
func (m *mesh) outline(keep func(face []turns) bool) orb.MultiPolygon {
	inside := make([]bool, len(m.faces))
	region := make([]int32, len(m.faces)) // cycles of faces joined by an edge or a hole, as a forest
	for c, face := range m.faces {
		inside[c] = keep(face)
		region[c] = int32(c)
	}
	find := func(c int32) int32 {
		for region[c] != c {
			region[c] = region[region[c]]
			c = region[c]
		}
		return c
	}
	for c, p := range m.parent {
		if p >= 0 && inside[c] {
			region[find(int32(c))] = find(p)
		}
	}
	border := make([]bool, len(m.next))
	for h := range m.next {
		left, right := m.cycleOf[h], m.cycleOf[h^1]
		border[h] = inside[left] && !inside[right]
		if inside[left] && inside[right] {
			region[find(left)] = find(right)
		}
	}

	polygons := make(map[int32]orb.Polygon) // by region; the shell is put first at the end
	depth := make([]int32, len(m.pts))      // 1 + place in the walk under way
	var walk []int32
	for start := range m.next {
		if !border[start] {
			continue
		}
		where := find(m.cycleOf[start])
		// Each walk follows the border of one region, and is cut where it comes back to a vertex: rings then
		// touch themselves nowhere.
		emit := func(loop []int32) {
			ring := make(orb.Ring, 0, len(loop)+1)
			for _, v := range loop {
				ring = append(ring, m.pts[v])
				depth[v] = 0
			}
			polygons[where] = append(polygons[where], canonical(ring))
		}
		walk = walk[:0]
		for h := int32(start); border[h]; {
			border[h] = false
			v := m.origin(h)
			if d := depth[v]; d > 0 {
				emit(walk[d-1:])
				walk = walk[:d-1]
			}
			walk = append(walk, v)
			depth[v] = int32(len(walk))
			for h = m.next[h]; inside[m.cycleOf[h^1]]; h = m.next[h^1] { // turn past the edges within the region
			}
		}
		emit(walk)
	}

	mp := make(orb.MultiPolygon, 0, len(polygons))
	for _, poly := range polygons {
		slices.SortFunc(poly, func(r, s orb.Ring) int {
			return cmp.Or(-cmp.Compare(rotation(r), rotation(s)), slices.CompareFunc(r, s, comparePoints))
		})
		mp = append(mp, poly)
	}
	slices.SortFunc(mp, func(p, q orb.Polygon) int { return slices.CompareFunc(p[0], q[0], comparePoints) })
	return mp
}

// canonical closes a ring after turning it so that it begins at its westernmost point.
func canonical(ring orb.Ring) orb.Ring {
	k := 0
	for i, p := range ring {
		if comparePoints(p, ring[k]) < 0 {
			k = i
		}
	}
	out := make(orb.Ring, 0, len(ring)+1)
	out = append(append(out, ring[k:]...), ring[:k]...)
	return append(out, out[0])
}

// rotation is +1 when a canonical ring that does not touch itself turns counter-clockwise, else -1.
func rotation(r orb.Ring) int { return orientation(r[len(r)-2], r[0], r[1]) }
