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
// Only what lies in the box common to both counts. So heights are taken from the foot of that box, edges
// below or beside it are left out, and a chain of edges above it is as good as one level segment at its top.
type Shape struct {
	bound orb.Bound
	area  float64
	runs  []run
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
	s.bound = emptyBound
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
	px, py := pts[0][0]-ox, pts[0][1]-oy
	var twice float64
	// The bits of positive numbers are compared, in the same order: this goes over every vertex of a layer.
	x0, y0, x1, y1 := bits(math.MaxInt64), bits(math.MaxInt64), bits(0), bits(0)
	for i := range pts {
		x, y := pts[i][0], pts[i][1]
		bx, by := bitsOf(x), bitsOf(y)
		x0, y0, x1, y1 = min(x0, bx), min(y0, by), max(x1, bx), max(y1, by)
		qx, qy := x-ox, y-oy
		twice += px*qy - qx*py
		px, py = qx, qy
	}
	box := orb.Bound{Min: orb.Point{x0.number(), y0.number()}, Max: orb.Point{x1.number(), y1.number()}}
	if x0 < 0 || y0 < 0 { // some number is negative
		box = boundOf(pts)
	}
	s.runs = append(s.runs, run{box, pts})
	s.bound = unite(s.bound, box)
	return twice
}

// Area is the area of the shape, in m².
func (s *Shape) Area() float64 { return s.area }

// IntersectionArea is the area the two shapes have in common, in m²: between 0 and the smaller of the two
// areas, and exactly 0 where they only touch. Its error is below 1e-9 of the smaller area. It is NaN when a
// coordinate is not finite.
func (s *Shape) IntersectionArea(t *Shape) float64 {
	m := measurers.Get().(*measurer)
	defer measurers.Put(m)
	return m.intersection(s, t, 0, 0)
}

// SelfConsistent tells whether the intersection of the shape with itself has the shape's own area, which
// fails for rings that are wrongly oriented, cross themselves or each other, or cover some ground twice.
func (s *Shape) SelfConsistent() bool {
	if !(s.area > 0 && finite(s.area)) {
		return false
	}
	m := measurers.Get().(*measurer)
	defer measurers.Put(m)
	return math.Abs(m.measure(s, s, 0, 0)-s.area) <= noise*s.area
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

// A measurer measures intersections, one at a time, in the same memory.
type measurer struct {
	s, t  []segment // the parts of the two shapes that count
	index index     // of the shorter list

	runs []run    // of a shape that does not last
	near []uint32 // the zones it may meet
}

var measurers = sync.Pool{New: func() any { return new(measurer) }}

// intersection is the area that s, moved by (dx, dy) metres, and t have in common.
func (m *measurer) intersection(s, t *Shape, dx, dy float64) float64 {
	if !finite(s.area) || !finite(t.area) {
		return math.NaN()
	}
	area, smaller := m.measure(s, t, dx, dy), min(s.area, t.area)
	if area <= noise*smaller {
		return 0
	}
	return min(area, smaller)
}

// measure is the intersection with its rounding: it may be a little below 0 or above the smaller area.
func (m *measurer) measure(s, t *Shape, dx, dy float64) float64 {
	// Coordinates are taken from a corner of the common box. With no move the subtraction is exact, and the
	// precision does not depend on where the zones lie.
	west, east := max(s.bound.Min[0]+dx, t.bound.Min[0]), min(s.bound.Max[0]+dx, t.bound.Max[0])
	south, north := max(s.bound.Min[1]+dy, t.bound.Min[1]), min(s.bound.Max[1]+dy, t.bound.Max[1])
	if !(west < east && south < north) {
		return 0
	}
	m.s = s.appendSegments(m.s[:0], west-dx, south-dy, east-dx, north-dy)
	if len(m.s) == 0 {
		return 0
	}
	m.t = t.appendSegments(m.t[:0], west, south, east, north)
	if len(m.t) == 0 {
		return 0
	}
	few, many := m.s, m.t
	if len(few) > len(many) {
		few, many = many, few
	}
	m.index.build(few, east-west)
	var sum float64
	for i := range many {
		e := &many[i]
		sum += e.lower(m.index.near(e))
	}
	return sum / 2
}

// A segment is an edge, or the part of it that counts, seen from west to east: y = slope·x + c/2 for
// 0 ≤ x0 ≤ x ≤ x1.
//
// On a steep edge y has a large error, but over so small a width that it does not show in an area: relative
// to the box, it is below the rounding of one coordinate.
type segment struct {
	x0, x1   bits
	slope, c float64
	side     float64 // +1 when the shape lies below the edge, -1 above
}

// steepest is the slope past which an edge counts as vertical: its trapezoid is below rounding.
const steepest = 1e18

// appendSegments appends the segments of s that count in a box, relative to its south-west corner.
func (s *Shape) appendSegments(dst []segment, west, south, east, north float64) []segment {
	width, height := east-west, north-south
	// A chain of edges above the box, from x to x. NaN: there is none.
	chain, end := math.NaN(), math.NaN()
	for i := range s.runs {
		r := &s.runs[i]
		if r.bound.Max[0] <= west || r.bound.Min[0] >= east || r.bound.Max[1] <= south {
			continue
		}
		if r.bound.Min[1] >= north {
			if end != r.pts[0][0] {
				dst = appendSegment(dst, chain-west, height, end-west, height, width)
				chain = r.pts[0][0]
			}
			end = r.pts[len(r.pts)-1][0]
			continue
		}
		px, py := r.pts[0][0], r.pts[0][1]
		for _, q := range r.pts[1:] {
			qx, qy := q[0], q[1]
			if py >= north && qy >= north {
				if end != px {
					dst = appendSegment(dst, chain-west, height, end-west, height, width)
					chain = px
				}
				end = qx
			} else if (py > south || qy > south) && (px > west || qx > west) && (px < east || qx < east) {
				dst = appendSegment(dst, px-west, py-south, qx-west, qy-south, width)
			}
			px, py = qx, qy
		}
	}
	return appendSegment(dst, chain-west, height, end-west, height, width)
}

// appendSegment appends the part of the edge from p to q that is above y = 0 and in 0 ≤ x ≤ width, unless the
// edge is vertical or a coordinate is NaN.
func appendSegment(dst []segment, px, py, qx, qy, width float64) []segment {
	slope := (qy - py) / (qx - px)
	if !(slope >= -steepest && slope <= steepest) {
		return dst
	}
	f := segment{slope: slope, c: 2 * (py - slope*px), side: math.Copysign(1, px-qx)}
	if py < 0 {
		px -= py / slope
	} else if qy < 0 {
		qx = px - py/slope
	}
	x, y := bitsOf(px), bitsOf(qx)
	f.x0 = max(0, min(x, y))
	f.x1 = min(bitsOf(width), max(x, y))
	if f.x0 >= f.x1 {
		return dst
	}
	return append(dst, f)
}

// bits are those of a number that is not negative, read as an integer: the order is the same, and a processor
// finds the larger of two integers without a branch. A negative number comes before all others.
type bits int64

func bitsOf(v float64) bits    { return bits(math.Float64bits(v)) }
func (b bits) number() float64 { return math.Float64frombits(uint64(b)) }

// An index holds segments cut into vertical strips of equal width.
type index struct {
	strips int
	perM   float64   // strips per metre
	pieces []segment // by strip
	starts []int32   // pieces[starts[i]:starts[i+1]] are in strip i
	memory []segment // of the pieces, from one build to the next
}

// cutsPerSegment is how many times an index cuts a segment, on average and at most.
const cutsPerSegment = 0.5

// build makes the index one of these segments, of which none passes 0 ≤ x ≤ width.
func (ix *index) build(segments []segment, width float64) {
	var length float64
	for i := range segments {
		length += segments[i].x1.number() - segments[i].x0.number()
	}
	n := float64(len(segments))
	ix.strips = 1 + int(n*min(1, cutsPerSegment*width/length))
	ix.perM = float64(ix.strips) / width
	ix.starts = slices.Grow(ix.starts[:0], ix.strips+1)[:ix.strips+1]
	if ix.strips == 1 {
		ix.pieces = segments
		ix.starts[0], ix.starts[1] = 0, int32(len(segments))
		return
	}
	metres := width / float64(ix.strips)
	clear(ix.starts)
	pieces := 0
	for i := range segments {
		lo, hi := ix.strip(segments[i].x0), ix.strip(segments[i].x1)
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
	ix.memory = slices.Grow(ix.memory[:0], pieces)[:pieces]
	ix.pieces = ix.memory
	for i := range segments {
		f := segments[i]
		lo, hi := ix.strip(f.x0), ix.strip(f.x1)
		end := f.x1
		for j := lo; j <= hi; j++ {
			if j == hi {
				f.x1 = end
			} else {
				f.x1 = bitsOf(float64(j+1) * metres)
			}
			ix.starts[j]--
			ix.pieces[ix.starts[j]] = f
			f.x0 = f.x1
		}
	}
}

// strip is the number of the strip x is in; the first and the last have no end.
func (ix *index) strip(x bits) int {
	return min(ix.strips-1, int(x.number()*ix.perM))
}

// near lists the pieces that may share some x with e.
func (ix *index) near(e *segment) []segment {
	return ix.pieces[ix.starts[ix.strip(e.x0)]:ix.starts[ix.strip(e.x1)+1]]
}

// lower is twice the signed area between y = 0 and the lower of e and f, summed over the segments f, each
// for the x it shares with e.
func (e *segment) lower(segments []segment) float64 {
	x0, x1, slope, c := e.x0, e.x1, e.slope, e.c
	var sum float64
	for i := range segments {
		f := &segments[i]
		// No branch for the pieces that share no x with e: it would be the wrong one half the time,
		// and cost more than going through with a width of 0.
		west := max(x0, f.x0)
		east := max(west, min(x1, f.x1))
		a, b := west.number(), east.number()
		x, width := a+b, b-a // x is twice the middle, and so are the heights there
		ye, yf := slope*x+c, f.slope*x+f.c
		gap := ye - yf
		turn := (slope - f.slope) * width // at the ends the gap is more, and less, by this much
		low := min(ye, yf)
		if turn*turn > gap*gap { // they cross
			low = (ye + yf - (gap*gap+turn*turn)/(2*math.Abs(turn))) / 2
		}
		sum += f.side * width * low
	}
	return e.side * sum
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

// bound is the box of mp; it is emptyBound when there is no point.
func bound(mp orb.MultiPolygon) orb.Bound {
	b := emptyBound
	for _, poly := range mp {
		for _, ring := range poly {
			b = unite(b, boundOf(ring))
		}
	}
	return b
}

// unite is the box of two boxes, of which one may be empty.
func unite(a, b orb.Bound) orb.Bound {
	return orb.Bound{
		Min: orb.Point{min(a.Min[0], b.Min[0]), min(a.Min[1], b.Min[1])},
		Max: orb.Point{max(a.Max[0], b.Max[0]), max(a.Max[1], b.Max[1])},
	}
}

func finite(v float64) bool { return v-v == 0 }
