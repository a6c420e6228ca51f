package geo

import (
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
	pairs, err := candidates(ctx, from, to)
	if err != nil {
		return nil, err
	}
	near := [2][]bool{make([]bool, len(from.Zones)), make([]bool, len(to.Zones))}
	for _, p := range pairs {
		near[0][p.from()], near[1][p.to()] = true, true
	}
	fromShapes, err := prepareAll(ctx, from, near[0])
	if err != nil {
		return nil, err
	}
	toShapes := fromShapes
	if from != to {
		if toShapes, err = prepareAll(ctx, to, near[1]); err != nil {
			return nil, err
		}
	}

	all := make([]Overlap, len(pairs))
	err = parallel(ctx, len(pairs), 32, func(lo, hi int) {
		m := measurers.Get().(*measurer)
		defer measurers.Put(m)
		for i := lo; i < hi; i++ {
			f, t := pairs[i].from(), pairs[i].to()
			all[i] = overlap(m, &fromShapes[f], &toShapes[t], &from.Zones[f], &to.Zones[t], cfg)
			all[i].From, all[i].To = f, t
		}
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(o Overlap) bool { return o.Area == 0 }), nil
}

// Coverage is, for each of the n zones of the first set, the share of its area that the overlaps cover.
func Coverage(overlaps []Overlap, n int) []float64 {
	covered := make([]float64, n)
	for _, o := range overlaps {
		covered[o.From] += o.ShareFrom
	}
	return covered
}

// A pair is the positions of two zones in their sets, the first one in the high bits: its order is the
// order of the result.
type pair uint64

func (p pair) from() int { return int(p >> 32) }
func (p pair) to() int   { return int(p & math.MaxUint32) }

// candidates lists in order the pairs whose boxes meet.
func candidates(ctx context.Context, from, to *ZoneSet) ([]pair, error) {
	// The tree is of the smaller set: it is made by one processor and searched by all.
	few, many := from, to
	if len(from.Zones) > len(to.Zones) {
		few, many = to, from
	}
	boxes, err := bounds(ctx, few)
	if err != nil {
		return nil, err
	}
	var tree rtree.RTreeGN[float64, uint32]
	for i, b := range boxes {
		if b.Min[0] < b.Max[0] {
			tree.Insert(b.Min, b.Max, uint32(i))
		}
	}
	boxes, err = bounds(ctx, many)
	if err != nil {
		return nil, err
	}
	const block = 256
	found := make([][]pair, len(boxes)/block+1)
	err = parallel(ctx, len(boxes), block, func(lo, hi int) {
		var here []pair
		for i := lo; i < hi; i++ {
			tree.Search(boxes[i].Min, boxes[i].Max, func(_, _ [2]float64, j uint32) bool {
				if few == from {
					here = append(here, pair(j)<<32|pair(i))
				} else {
					here = append(here, pair(i)<<32|pair(j))
				}
				return true
			})
		}
		found[lo/block] = here
	})
	if err != nil {
		return nil, err
	}
	pairs := slices.Concat(found...)
	slices.Sort(pairs)
	return pairs, nil
}

// bounds is the box of each zone, which is empty where it has no geometry.
func bounds(ctx context.Context, set *ZoneSet) ([]orb.Bound, error) {
	boxes := make([]orb.Bound, len(set.Zones))
	err := parallel(ctx, len(boxes), 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			boxes[i] = bound(set.Zones[i].Geom)
		}
	})
	if err != nil {
		return nil, err
	}
	for i, b := range boxes {
		if b != emptyBound && !finite(b.Min[0]+b.Min[1]+b.Max[0]+b.Max[1]) {
			return nil, fmt.Errorf("%s: zone %s: a coordinate is not finite", set.Layer, set.Zones[i].Code)
		}
	}
	return boxes, nil
}

// prepareAll makes a shape of each zone that is asked for.
func prepareAll(ctx context.Context, set *ZoneSet, asked []bool) ([]Shape, error) {
	shapes := make([]Shape, len(set.Zones))
	first := make([]int, len(shapes)+1) // of the runs of each shape, which lie in one slice
	for i, z := range set.Zones {
		first[i+1] = first[i]
		if asked[i] {
			first[i+1] += runsOf(z.Geom)
		}
	}
	runs := make([]run, first[len(shapes)])
	err := parallel(ctx, len(shapes), 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			if asked[i] {
				shapes[i].init(set.Zones[i].Geom, runs[first[i]:first[i]:first[i+1]])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range shapes {
		if a := shapes[i].area; asked[i] && !(a > 0 && finite(a)) {
			return nil, fmt.Errorf("%s: zone %s: area %g m²: its rings are not oriented",
				set.Layer, set.Zones[i].Code, a)
		}
	}
	return shapes, nil
}

func overlap(m *measurer, a, b *Shape, from, to *Zone, cfg overlapConfig) Overlap {
	area := m.intersection(a, b, 0, 0)
	if area == 0 {
		return Overlap{}
	}
	o := Overlap{Area: area, ShareFrom: area / a.area, ShareTo: area / b.area}
	if cfg.margins {
		o.Margin = margin(m, a, b, area)
	}
	if isSliver(a, b, from, to, &o) {
		o.Note = Sliver
	}
	return o
}

// margin is the largest change of the share of a in b, whose common area is given, when b moves by 10 m
// towards one of the eight points of the compass.
func margin(m *measurer, a, b *Shape, area float64) float64 {
	// A zone farther than 10 m from any border of the other keeps its place in it.
	if area >= (1-noise)*a.area && !b.touchesBox(a.bound.Pad(marginShift)) ||
		area >= (1-noise)*b.area && !a.touchesBox(b.bound.Pad(marginShift)) {
		return 0
	}
	const d = marginShift * math.Sqrt2 / 2
	var most float64
	for _, v := range [8][2]float64{
		{marginShift, 0}, {d, d}, {0, marginShift}, {-d, d},
		{-marginShift, 0}, {-d, -d}, {0, -marginShift}, {d, -d},
	} {
		most = max(most, math.Abs(m.intersection(b, a, v[0], v[1])-area))
	}
	return most / a.area
}

func isSliver(a, b *Shape, from, to *Zone, o *Overlap) bool {
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
