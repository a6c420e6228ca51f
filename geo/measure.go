package geo

import (
	"math"
	"slices"
	"sync"

	"github.com/paulmach/orb"
)

// Area is the area of mp in m², its shells counted counter-clockwise and its holes clockwise. It is as
// precise far from the origin of the projection as near it.
func Area(mp orb.MultiPolygon) float64 { return Prepare(mp).Area() }

// noise is the share of the smaller of two areas below which a measured intersection is rounding alone.
const noise = 1e-9

// A Shape is a geometry ready to be measured. It keeps the coordinates it was made from, which must not
// change any more. It may be measured by several goroutines at once.
//
// The area two shapes have in common is found without building it. For each x a zone is the sum of what lies
// under its upper edges less what lies under its lower ones, so that
//
//	area(A∩B) = Σ over edges e of A, f of B: sₑ·s_f·∫ min(yₑ, y_f) dx over the x they share
//
// where s is +1 for an edge that runs west (the zone is below it) and -1 for one that runs east. Each term is
// continuous in the coordinates: edges that touch, cross or coincide need no decision.
//
// One of the two has its edges in an index, made once. Of the other only what lies in the box of the first
// counts. So heights are taken from the foot of that box, edges below or beside it are left out, and a chain
// of edges above it is as good as one level segment at its top.
type Shape struct {
	bound orb.Bound
	area  float64
	runs  []run
	edges int
}

// A run is a few consecutive edges of a ring: pts[0] to pts[1], pts[1] to pts[2]…
type run struct {
	bound orb.Bound
	pts   []orb.Point
}

const runEdges = 32

// Prepare makes a Shape of mp: valid, shells counter-clockwise, holes clockwise (see [Orient]). A ring whose
// last point is not its first is closed.
func Prepare(mp orb.MultiPolygon) *Shape {
	s := new(Shape)
	s.init(mp)
	return s
}

// runsOf is how many runs the rings of mp are cut into, at most.
func runsOf(mp orb.MultiPolygon) int {
	n := 0
	for _, poly := range mp {
		for _, ring := range poly {
			n += len(ring)/runEdges + 2
		}
	}
	return n
}

// init makes s the shape of mp, in the memory of the runs s already has where there is room.
func (s *Shape) init(mp orb.MultiPolygon) {
	s.bound, s.edges = emptyBound, 0
	s.runs = slices.Grow(s.runs[:0], runsOf(mp))
	var twice float64
	var ox, oy float64
	for _, poly := range mp {
		for _, ring := range poly {
			if len(ring) < 3 {
				continue
			}
			if len(s.runs) == 0 {
				ox, oy = ring[0][0], ring[0][1]
			}
			for i := 0; i+1 < len(ring); i += runEdges {
				twice += s.appendRun(ring[i:min(i+runEdges+1, len(ring))], ox, oy)
			}
			// Looked at last, when it has been read.
			if last := ring[len(ring)-1]; last != ring[0] {
				twice += s.appendRun([]orb.Point{last, ring[0]}, ox, oy)
			}
		}
	}
	s.area = twice / 2
}

// appendRun makes a run of the points, and returns twice the signed area swept from (ox, oy) along them. That
// is not finite when a coordinate is not, and the box means nothing then.
func (s *Shape) appendRun(pts []orb.Point, ox, oy float64) float64 {
	s.runs = append(s.runs, run{pts: pts})
	s.edges += len(pts) - 1
	r := &s.runs[len(s.runs)-1]
	twice := sweep(pts, ox, oy, &r.bound)
	s.bound = unite(s.bound, r.bound)
	return twice
}

// sweepGeneric is sweep, for any processor: the edges are summed in two lanes.
func sweepGeneric(pts []orb.Point, ox, oy float64, box *orb.Bound) float64 {
	*box = boundOf(pts)
	var sums [2]float64
	for i := 1; i < len(pts); i++ {
		px, py, qx, qy := pts[i-1][0]-ox, pts[i-1][1]-oy, pts[i][0]-ox, pts[i][1]-oy
		sums[(i-1)%2] += float64(px*qy) - float64(py*qx)
	}
	return sums[0] + sums[1]
}

// Area is the area of the shape, in m².
func (s *Shape) Area() float64 { return s.area }

// IntersectionArea is the area the two shapes have in common, in m²: between 0 and the smaller of the two
// areas, and exactly 0 where they only touch. Its error is below 1e-9 of the smaller area. It is NaN when a
// coordinate is not finite.
func (s *Shape) IntersectionArea(t *Shape) float64 {
	if s.edges < t.edges {
		s, t = t, s
	}
	m := measurers.Get().(*measurer)
	defer measurers.Put(m)
	m.hold(t)
	return m.intersection(s, 0, 0)
}

// SelfConsistent tells whether the intersection of the shape with itself has the shape's own area, which
// fails for rings that are wrongly oriented, cross themselves or each other, or cover some ground twice.
func (s *Shape) SelfConsistent() bool {
	if !(s.area > 0 && finite(s.area)) {
		return false
	}
	m := measurers.Get().(*measurer)
	defer measurers.Put(m)
	m.hold(s)
	return math.Abs(m.measure(s, 0, 0)-s.area) <= noise*s.area
}

// touchesBox tells whether an edge of s may cross b; it errs on the side of true.
func (s *Shape) touchesBox(b orb.Bound) bool {
	for i := range s.runs {
		if !s.runs[i].bound.Intersects(b) {
			continue
		}
		pts := s.runs[i].pts
		for j := 1; j < len(pts); j++ {
			if boundOf(pts[j-1 : j+1]).Intersects(b) {
				return true
			}
		}
	}
	return false
}

// perimeter is the length of all the rings, in metres.
func (s *Shape) perimeter() float64 {
	var sum float64
	for _, r := range s.runs {
		for i := 1; i < len(r.pts); i++ {
			sum += math.Hypot(r.pts[i][0]-r.pts[i-1][0], r.pts[i][1]-r.pts[i-1][1])
		}
	}
	return sum
}

// A measurer measures what shapes have in common with one that it holds, always in the same memory.
type measurer struct {
	held     *Shape
	index    index
	segments segments // the parts of the other shape that count

	runs []run    // of a shape that does not last
	near []uint32 // the zones it may meet
}

var measurers = sync.Pool{New: func() any { return new(measurer) }}

// hold makes t the shape to measure with.
func (m *measurer) hold(t *Shape) {
	m.held = t
	if finite(t.area) {
		t.segments(&m.segments, t.bound)
		m.index.build(&m.segments, t.bound.Max[0]-t.bound.Min[0])
	}
}

// intersection is the area that s, moved by (dx, dy) metres, and the shape held have in common.
func (m *measurer) intersection(s *Shape, dx, dy float64) float64 {
	if !finite(s.area) || !finite(m.held.area) {
		return math.NaN()
	}
	area, smaller := m.measure(s, dx, dy), min(s.area, m.held.area)
	if area <= noise*smaller {
		return 0
	}
	return min(area, smaller)
}

// measure is the intersection with its rounding: it may be a little below 0 or above the smaller area.
func (m *measurer) measure(s *Shape, dx, dy float64) float64 {
	// Coordinates are taken from a corner of the box of the shape held. With no move the subtraction is exact,
	// and the precision does not depend on where the zones lie.
	b := m.held.bound
	b.Min[0], b.Min[1], b.Max[0], b.Max[1] = b.Min[0]-dx, b.Min[1]-dy, b.Max[0]-dx, b.Max[1]-dy
	if !(s.bound.Min[0] < b.Max[0] && s.bound.Max[0] > b.Min[0] && s.bound.Min[1] < b.Max[1] && s.bound.Max[1] > b.Min[1]) {
		return 0
	}
	s.segments(&m.segments, b)
	return m.index.under(&m.segments) / 2
}

// Segments are edges, or the parts of them that count, seen from west to east: y = slope·x + c/2 for
// 0 ≤ x0 ≤ x ≤ x1. The side is +1 when the shape lies below the edge, -1 above.
//
// On a steep edge y has a large error, but over so small a width that it does not show in an area: relative
// to the box, it is below the rounding of one coordinate.
type segments struct {
	n int // how many there are

	x0, x1, slope, c, side []float64 // equally long, with the lanes of one group more than they need
}

const (
	lanes    = 4    // numbers are gone through four at a time
	steepest = 1e18 // the slope past which an edge counts as vertical: its trapezoid is below rounding
)

// make empties the list and makes room for n segments.
func (l *segments) make(n int) {
	l.n = 0
	n += lanes
	if len(l.x0) >= n {
		return
	}
	memory := make([]float64, 5*n)
	l.x0, l.x1, l.slope, l.c, l.side = memory[:n], memory[n:2*n], memory[2*n:3*n], memory[3*n:4*n], memory[4*n:]
}

// segments makes l the list of those of s that count in a box, relative to its south-west corner.
func (s *Shape) segments(l *segments, box orb.Bound) {
	west, south, width, height := box.Min[0], box.Min[1], box.Max[0]-box.Min[0], box.Max[1]-box.Min[1]
	l.make(s.edges + len(s.runs))
	// A chain of edges above the box, from x to x. NaN: there is none.
	chain, end := math.NaN(), math.NaN()
	for i := range s.runs {
		r := &s.runs[i]
		if r.bound.Max[0] <= west || r.bound.Min[0] >= box.Max[0] || r.bound.Max[1] <= south {
			continue
		}
		if r.bound.Min[1] >= box.Max[1] {
			if end != r.pts[0][0] {
				l.level(chain-west, end-west, height, width)
				chain = r.pts[0][0]
			}
			end = r.pts[len(r.pts)-1][0]
			continue
		}
		l.clip(r.pts, west, south, width)
	}
	l.level(chain-west, end-west, height, width)
}

// level appends the part in 0 ≤ x ≤ width of the edge from (px, y) to (qx, y), unless a coordinate is NaN.
func (l *segments) level(px, qx, y, width float64) {
	x0, x1 := max(0, min(px, qx)), min(width, max(px, qx))
	if x0 < x1 {
		l.x0[l.n], l.x1[l.n], l.slope[l.n], l.c[l.n], l.side[l.n] = x0, x1, 0, 2*y, math.Copysign(1, px-qx)
		l.n++
	}
}

// clipGeneric appends the parts of the edges from point to point that are above the foot of the box and within
// its width, for any processor. Its products are rounded, whatever the processor.
func (l *segments) clipGeneric(pts []orb.Point, west, south, width float64) {
	for i := 1; i < len(pts); i++ {
		px, py, qx, qy := pts[i-1][0]-west, pts[i-1][1]-south, pts[i][0]-west, pts[i][1]-south
		slope := (qy - py) / (qx - px)
		if !(math.Abs(slope) <= steepest) || !(py > 0 || qy > 0) {
			continue
		}
		n := l.n
		l.slope[n], l.c[n], l.side[n] = slope, 2*(py-float64(slope*px)), math.Copysign(1, px-qx)
		if py < 0 {
			px -= py / slope
		} else if qy < 0 {
			qx = px - py/slope
		}
		l.x0[n], l.x1[n] = max(0, min(px, qx)), min(width, max(px, qx))
		if l.x0[n] < l.x1[n] {
			l.n++
		}
	}
}

// An index holds the segments of a shape, seen from the south-west corner of its box, cut into vertical strips
// of equal width.
type index struct {
	strips int
	perM   float64 // strips per metre
	starts []int32 // the pieces from starts[i] to starts[i+1] are in strip i
	pieces segments
}

// cutsPerSegment is how many times an index cuts a segment, on average and at most.
const cutsPerSegment = 0.25 // how many times an index cuts a segment, on average and at most

// build makes the index one of these segments, of which none passes 0 ≤ x ≤ width.
func (ix *index) build(l *segments, width float64) {
	var length float64
	for i := range l.n {
		length += l.x1[i] - l.x0[i]
	}
	ix.strips = 1
	if length > 0 {
		ix.strips += int(float64(l.n) * min(1, cutsPerSegment*width/length))
	}
	ix.perM = float64(ix.strips) / width
	ix.starts = slices.Grow(ix.starts[:0], ix.strips+1)[:ix.strips+1]
	clear(ix.starts)
	metres := width / float64(ix.strips)
	pieces := 0
	for i := range l.n {
		lo, hi := ix.strip(l.x0[i]), ix.strip(l.x1[i])
		for j := lo; j <= hi; j++ {
			ix.starts[j]++
		}
		pieces += hi - lo + 1
	}
	var start int32
	for i := range ix.starts {
		start += ix.starts[i]
		ix.starts[i] = start
	}
	p := &ix.pieces
	p.make(pieces)
	p.n = pieces
	// What follows the last piece shares no x with anything.
	for i := range lanes {
		k := pieces + i
		p.x0[k], p.x1[k], p.slope[k], p.c[k], p.side[k] = 0, 0, 0, 0, 0
	}
	for i := range l.n {
		x := l.x0[i]
		lo, hi := ix.strip(x), ix.strip(l.x1[i])
		for j := lo; j <= hi; j++ {
			end := l.x1[i]
			if j < hi {
				end = float64(j+1) * metres
			}
			ix.starts[j]--
			k := ix.starts[j]
			p.x0[k], p.x1[k], p.slope[k], p.c[k], p.side[k] = x, end, l.slope[i], l.c[i], l.side[i]
			x = end
		}
	}
}

// strip is the number of the strip x is in; the first and the last have no end.
func (ix *index) strip(x float64) int {
	return min(ix.strips-1, int(x*ix.perM))
}

// underGeneric is under, for any processor. Its products are rounded, whatever the processor.
func (ix *index) underGeneric(l *segments) float64 {
	p := &ix.pieces
	var sums [lanes]float64
	for i := range l.n {
		ex0, ex1, slope, c, side := l.x0[i], l.x1[i], l.slope[i], l.c[i], l.side[i]
		lo, hi := int(ix.starts[ix.strip(ex0)]), int(ix.starts[ix.strip(ex1)+1])
		// The last group may reach into the strips that follow. Their pieces share no x with e, or do and count.
		for j := lo; j < hi; j += lanes {
			for k := range lanes {
				west := max(ex0, p.x0[j+k])
				east := max(west, min(ex1, p.x1[j+k]))
				x, width := west+east, east-west // x is twice the middle, and so are the heights there
				ye, yf := float64(slope*x)+c, float64(p.slope[j+k]*x)+p.c[j+k]
				gap := ye - yf
				turn := float64((slope - p.slope[j+k]) * width) // at the ends the gap is more, and less, by this much
				gap2, turn2 := float64(gap*gap), float64(turn*turn)
				low := min(ye, yf)
				if turn2 > gap2 { // they cross
					low = (ye + yf - (gap2+turn2)/math.Abs(turn+turn)) / 2
				}
				sums[k] += float64(float64(width*low) * (side * p.side[j+k]))
			}
		}
	}
	return (sums[0] + sums[2]) + (sums[1] + sums[3])
}

// Orient returns a copy of mp with closed rings, shells counter-clockwise and holes clockwise; repeated points
// and rings without area are dropped, and with a shell its holes. The first ring of a polygon is its shell.
func Orient(mp orb.MultiPolygon) orb.MultiPolygon {
	out := make(orb.MultiPolygon, 0, len(mp))
	for _, poly := range mp {
		var rings orb.Polygon
		for i, ring := range poly {
			want := 1.0
			if i > 0 {
				want = -1
			}
			if r := orientRing(ring, want); r != nil {
				rings = append(rings, r)
			} else if i == 0 {
				break
			}
		}
		if rings != nil {
			out = append(out, rings)
		}
	}
	return out
}

// orientRing is a copy of ring, closed, without repeats, whose area has the sign of want; nil without area.
func orientRing(ring orb.Ring, want float64) orb.Ring {
	out := make(orb.Ring, 0, len(ring)+1)
	for _, p := range ring {
		if len(out) == 0 || out[len(out)-1] != p {
			out = append(out, p)
		}
	}
	for len(out) > 1 && out[0] == out[len(out)-1] {
		out = out[:len(out)-1]
	}
	if len(out) < 3 {
		return nil
	}
	out = append(out, out[0])
	area := Area(orb.MultiPolygon{{out}})
	if area == 0 {
		return nil
	}
	if area*want < 0 {
		out.Reverse()
	}
	return out
}

var emptyBound = orb.Bound{
	Min: orb.Point{math.Inf(1), math.Inf(1)},
	Max: orb.Point{math.Inf(-1), math.Inf(-1)},
}

// boundOf is the box of some points; a coordinate that is not a number makes it so. (That of orb is several
// times slower, which shows over a whole layer.)
func boundOf(pts []orb.Point) orb.Bound {
	// Two points at a time, because each minimum waits for the one before.
	ax0, ay0, ax1, ay1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	bx0, by0, bx1, by1 := ax0, ay0, ax1, ay1
	for ; len(pts) > 1; pts = pts[2:] {
		x, y := pts[0][0], pts[0][1]
		ax0, ay0, ax1, ay1 = min(ax0, x), min(ay0, y), max(ax1, x), max(ay1, y)
		x, y = pts[1][0], pts[1][1]
		bx0, by0, bx1, by1 = min(bx0, x), min(by0, y), max(bx1, x), max(by1, y)
	}
	if len(pts) > 0 {
		x, y := pts[0][0], pts[0][1]
		ax0, ay0, ax1, ay1 = min(ax0, x), min(ay0, y), max(ax1, x), max(ay1, y)
	}
	return orb.Bound{
		Min: orb.Point{min(ax0, bx0), min(ay0, by0)},
		Max: orb.Point{max(ax1, bx1), max(ay1, by1)},
	}
}

// Box is the box of mp, in the units of its coordinates. Its Min is above its Max when there is no point, and all
// is NaN when a coordinate is not finite.
func Box(mp orb.MultiPolygon) orb.Bound {
	b, twice := boxAndArea(mp)
	if !finite(twice) {
		nan := orb.Point{math.NaN(), math.NaN()}
		return orb.Bound{Min: nan, Max: nan}
	}
	return b
}

// boxAndArea is the box of mp, and twice its area; the one means nothing when the other is not finite.
func boxAndArea(mp orb.MultiPolygon) (box orb.Bound, twice float64) {
	box = emptyBound
	for _, poly := range mp {
		for _, ring := range poly {
			if len(ring) > 0 {
				var b orb.Bound
				twice += sweep(ring, ring[0][0], ring[0][1], &b)
				box = unite(box, b)
			}
		}
	}
	return box, twice
}

// unite is the box of two boxes, of which one may be empty.
func unite(a, b orb.Bound) orb.Bound {
	return orb.Bound{
		Min: orb.Point{min(a.Min[0], b.Min[0]), min(a.Min[1], b.Min[1])},
		Max: orb.Point{max(a.Max[0], b.Max[0]), max(a.Max[1], b.Max[1])},
	}
}

func finite(v float64) bool { return v-v == 0 }
