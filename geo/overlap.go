package geo

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/paulmach/orb"
	"github.com/peterstace/simplefeatures/geom"
	"github.com/tidwall/rtree"
)

// Sliver is the Note of an overlap that comes from the drawing of the borders rather than from the ground:
// under 0.5 % of the first zone and less than 100 m wide (twice the area over the perimeter), or under 2 % of
// it and outside its commune. A zone that lies wholly in the other is never one.
const Sliver = "liseré"

const (
	sliverShare        = 0.005
	sliverShareOutside = 0.02
	sliverWidth        = 100.0 // metres
	whole              = 0.995 // share from which a zone counts as wholly inside another

	marginShift = 10.0 // metres: the precision of contours made for 1:25 000 to 1:100 000
)

// An OverlapOption asks more of [Overlaps].
type OverlapOption func(*overlapConfig)

type overlapConfig struct{ margins bool }

// WithMargins fills Margin, which multiplies by up to nine the time taken by the zones that cut each other.
func WithMargins() OverlapOption { return func(c *overlapConfig) { c.margins = true } }

// Overlaps returns every pair of zones with an area in common, ordered by From then To. Areas are in m² and
// their error is below 1e-9 of the smaller zone. Zones without geometry are passed over. The result does not
// depend, to the bit, on the number of processors, all of which are used.
//
// It is an error for the two sets to be in different projections, for a coordinate not to be finite, or for a
// zone whose box meets another's not to have a positive area.
func Overlaps(ctx context.Context, from, to *ZoneSet, opts ...OverlapOption) ([]Overlap, error) {
	var cfg overlapConfig
	for _, o := range opts {
		o(&cfg)
	}
	if from.EPSG != to.EPSG {
		return nil, fmt.Errorf("overlaps of %s and %s: projections differ: EPSG:%d, EPSG:%d",
			from.Layer, to.Layer, from.EPSG, to.EPSG)
	}
	// The smaller set is put in a tree. The zones of the other go by one at a time, to find what each may meet.
	few, many, swapped := from, to, false
	if len(from.Zones) > len(to.Zones) {
		few, many, swapped = to, from, true
	}
	boxes, err := boxesOf(ctx, few)
	if err != nil {
		return nil, err
	}
	var tree rtree.RTreeGN[float64, uint32]
	for i, b := range boxes {
		if b.Min[0] < b.Max[0] {
			tree.Insert(b.Min, b.Max, uint32(i))
		}
	}
	const block = 32
	meets := make([][]Overlap, (len(many.Zones)+block-1)/block)
	errs := make([]error, len(meets))
	err = parallel(ctx, len(many.Zones), block, func(lo, hi int) {
		m := measurers.Get().(*measurer)
		defer measurers.Put(m)
		var here []Overlap
		for i := lo; i < hi; i++ {
			box, err := boxOf(many, &many.Zones[i])
			if err != nil {
				errs[lo/block] = err
				return
			}
			m.near = m.near[:0]
			tree.Search(box.Min, box.Max, func(_, _ [2]float64, j uint32) bool {
				m.near = append(m.near, j)
				return true
			})
			for _, j := range m.near {
				here = append(here, Overlap{From: int(j), To: i})
			}
		}
		meets[lo/block] = here
	})
	if err := cmp.Or(err, cmp.Or(errs...)); err != nil {
		return nil, err
	}
	pairs := byFrom(slices.Concat(meets...), len(few.Zones))

	// Then the pairs of one zone of the tree are measured together, a few hundred at most.
	const together = 256
	var groups []int // where each begins
	for i := range pairs {
		if i == 0 || pairs[i].From != pairs[i-1].From || i-groups[len(groups)-1] == together {
			groups = append(groups, i)
		}
	}
	groups = append(groups, len(pairs))
	errs = make([]error, len(groups))
	err = parallel(ctx, len(groups)-1, 4, func(lo, hi int) {
		m := measurers.Get().(*measurer)
		defer measurers.Put(m)
		for g := lo; g < hi && errs[lo] == nil; g++ {
			errs[lo] = measureGroup(m, few, many, pairs[groups[g]:groups[g+1]], swapped, cfg)
		}
	})
	if err := cmp.Or(err, cmp.Or(errs...)); err != nil {
		return nil, err
	}
	pairs = slices.DeleteFunc(pairs, func(o Overlap) bool { return o.Area == 0 })
	if swapped {
		pairs = byFrom(pairs, len(from.Zones))
	}
	return pairs, nil
}

// measureGroup measures pairs of one zone of few, which is From, and zones of many, which are To; swapped, these
// are exchanged at the end.
func measureGroup(m *measurer, few, many *ZoneSet, pairs []Overlap, swapped bool, cfg overlapConfig) error {
	var held Shape
	zone := &few.Zones[pairs[0].From]
	held.init(zone.Geom)
	if err := checkArea(few, zone, &held); err != nil {
		return err
	}
	if zone.Box != (orb.Bound{}) && zone.Box != held.bound {
		return staleBox(few, zone)
	}
	m.hold(&held)
	shape := Shape{runs: m.runs}
	for i := range pairs {
		o := &pairs[i]
		other := &many.Zones[o.To]
		shape.init(other.Geom)
		m.runs = shape.runs
		if err := checkArea(many, other, &shape); err != nil {
			return err
		}
		if other.Box != (orb.Bound{}) && other.Box != shape.bound {
			return staleBox(many, other)
		}
		o.Area = m.intersection(&shape, 0, 0)
		if o.Area == 0 {
			continue
		}
		first, second, a, b := zone, other, held.area, shape.area
		if swapped {
			o.From, o.To, first, second, a, b = o.To, o.From, second, first, b, a
		}
		o.ShareFrom, o.ShareTo = o.Area/a, o.Area/b
		if cfg.margins {
			o.Margin = margin(m, &shape, o.Area) / a
		}
		if isSliver(first, second, o) {
			o.Note = Sliver
		}
	}
	return nil
}

// byFrom orders by their From, which is below n, overlaps already in the order of their To.
func byFrom(overlaps []Overlap, n int) []Overlap {
	starts := make([]int, n+1)
	for _, o := range overlaps {
		starts[o.From+1]++
	}
	for i := range n {
		starts[i+1] += starts[i]
	}
	ordered := make([]Overlap, len(overlaps))
	for _, o := range overlaps {
		ordered[starts[o.From]] = o
		starts[o.From]++
	}
	return ordered
}

// boxesOf is the box of each zone.
func boxesOf(ctx context.Context, set *ZoneSet) ([]orb.Bound, error) {
	const block = 16
	boxes := make([]orb.Bound, len(set.Zones))
	errs := make([]error, (len(boxes)+block-1)/block)
	err := parallel(ctx, len(boxes), block, func(lo, hi int) {
		for i := lo; i < hi && errs[lo/block] == nil; i++ {
			boxes[i], errs[lo/block] = boxOf(set, &set.Zones[i])
		}
	})
	return boxes, cmp.Or(err, cmp.Or(errs...))
}

// boxOf is the box of a zone.
func boxOf(set *ZoneSet, z *Zone) (orb.Bound, error) {
	box := z.Box
	if box == (orb.Bound{}) {
		box = Box(z.Geom)
	}
	if math.IsNaN(box.Min[0]) {
		return box, notFinite(set, z)
	}
	return box, nil
}

func notFinite(set *ZoneSet, z *Zone) error {
	return fmt.Errorf("%s: zone %s: a coordinate is not finite", set.Layer, z.Code)
}

func staleBox(set *ZoneSet, z *Zone) error {
	return fmt.Errorf("%s: zone %s: its box is not that of its contour", set.Layer, z.Code)
}

func checkArea(set *ZoneSet, z *Zone, s *Shape) error {
	switch {
	case !finite(s.area):
		return notFinite(set, z)
	case s.area <= 0:
		return fmt.Errorf("%s: zone %s: area %g m²: its rings are not oriented", set.Layer, z.Code, s.area)
	}
	return nil
}

// margin is the largest change of the area s and the shape held have in common, which is given, when one of them
// moves by 10 m towards one of the eight points of the compass.
func margin(m *measurer, s *Shape, area float64) float64 {
	t := m.held
	// A zone farther than 10 m from any border of the other keeps its place in it.
	if area >= (1-noise)*s.area && !t.touchesBox(s.bound.Pad(marginShift)) ||
		area >= (1-noise)*t.area && !s.touchesBox(t.bound.Pad(marginShift)) {
		return 0
	}
	const d = marginShift * math.Sqrt2 / 2
	var most float64
	for _, v := range [8][2]float64{
		{marginShift, 0}, {d, d}, {0, marginShift}, {-d, d},
		{-marginShift, 0}, {-d, -d}, {0, -marginShift}, {d, -d},
	} {
		most = max(most, math.Abs(m.intersection(s, v[0], v[1])-area))
	}
	return most
}

func isSliver(from, to *Zone, o *Overlap) bool {
	if o.ShareFrom >= sliverShareOutside || o.ShareTo >= whole {
		return false
	}
	if apart(from.Commune, to.Commune) {
		return true
	}
	if o.ShareFrom >= sliverShare {
		return false
	}
	// No figure of a given area has a shorter perimeter than the disc: 2·area/perimeter ≤ √(area/π). So a
	// piece under 3 ha is always narrow enough, and its perimeter is hardly ever needed.
	if math.Sqrt(o.Area/math.Pi) < sliverWidth {
		return true
	}
	length, err := commonPerimeter(from.Geom, to.Geom)
	// A piece of several hectares that cannot be built is not called a sliver on no evidence.
	return err == nil && 2*o.Area < sliverWidth*length
}

// apart tells whether two lists of communes are known and have none in common. The arrondissements of
// Paris, Lyon and Marseille count as their commune.
func apart(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	for x := range strings.SplitSeq(a, ",") {
		for y := range strings.SplitSeq(b, ",") {
			if communeOf(x) == communeOf(y) {
				return false
			}
		}
	}
	return true
}

func communeOf(code string) string {
	code = strings.TrimSpace(code)
	if len(code) == 5 {
		switch {
		case strings.HasPrefix(code, "751"):
			return "75056"
		case strings.HasPrefix(code, "6938"):
			return "69123"
		case strings.HasPrefix(code, "132"):
			return "13055"
		}
	}
	return code
}

// commonPerimeter builds the intersection of a and b and measures its perimeter, in metres.
func commonPerimeter(a, b orb.MultiPolygon) (float64, error) {
	common, err := geom.Intersection(toGeom(a), toGeom(b))
	if err != nil {
		return 0, err
	}
	var length float64
	for _, g := range common.Dump() {
		if p, ok := g.AsPolygon(); ok {
			length += p.Boundary().Length()
		}
	}
	return length, nil
}

func toGeom(mp orb.MultiPolygon) geom.Geometry {
	polys := make([]geom.Polygon, len(mp))
	for i, poly := range mp {
		rings := make([]geom.LineString, len(poly))
		for j, ring := range poly {
			xy := make([]float64, 0, 2*len(ring))
			for _, p := range ring {
				xy = append(xy, p[0], p[1])
			}
			rings[j] = geom.NewLineString(geom.NewSequence(xy, geom.DimXY))
		}
		polys[i] = geom.NewPolygon(rings)
	}
	return geom.NewMultiPolygon(polys).AsGeometry()
}

// parallel calls do for the blocks lo ≤ i < hi that make up 0 ≤ i < n, on all processors. It stops early with
// the error of ctx.
func parallel(ctx context.Context, n, block int, do func(lo, hi int)) error {
	var next atomic.Int64
	work := func() {
		for ctx.Err() == nil {
			hi := int(next.Add(int64(block)))
			if hi-block >= n {
				return
			}
			do(hi-block, min(hi, n))
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+block-1)/block) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return ctx.Err()
}
