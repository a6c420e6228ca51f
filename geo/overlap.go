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
	// The smaller set is prepared and put in a tree. The zones of the other go by one at a time, each
	// measured while it is in the processor's cache, and nothing is kept of it but its overlaps.
	few, many, swapped := from, to, false
	if len(from.Zones) > len(to.Zones) {
		few, many, swapped = to, from, true
	}
	shapes, err := prepareAll(ctx, few)
	if err != nil {
		return nil, err
	}
	var tree rtree.RTreeGN[float64, uint32]
	for i := range shapes {
		if b := shapes[i].bound; b.Min[0] < b.Max[0] {
			tree.Insert(b.Min, b.Max, uint32(i))
		}
	}

	const block = 32
	found := make([][]Overlap, (len(many.Zones)+block-1)/block)
	errs := make([]error, len(found))
	err = parallel(ctx, len(many.Zones), block, func(lo, hi int) {
		m := measurers.Get().(*measurer)
		defer measurers.Put(m)
		var here []Overlap
		for i := lo; i < hi; i++ {
			zone := &many.Zones[i]
			shape := Shape{runs: m.runs[:0]}
			shape.init(zone.Geom)
			m.runs = shape.runs
			if errs[lo/block] = checkFinite(many, zone, &shape); errs[lo/block] != nil {
				return
			}
			m.near = m.near[:0]
			tree.Search(shape.bound.Min, shape.bound.Max, func(_, _ [2]float64, j uint32) bool {
				m.near = append(m.near, j)
				return true
			})
			slices.Sort(m.near)
			for _, j := range m.near {
				errs[lo/block] = cmp.Or(checkPositive(few, &few.Zones[j], &shapes[j]), checkPositive(many, zone, &shape))
				if errs[lo/block] != nil {
					return
				}
				var o Overlap
				if swapped {
					o = overlap(m, &shape, &shapes[j], zone, &few.Zones[j], cfg)
					o.From, o.To = i, int(j)
				} else {
					o = overlap(m, &shapes[j], &shape, &few.Zones[j], zone, cfg)
					o.From, o.To = int(j), i
				}
				if o.Area != 0 {
					here = append(here, o)
				}
			}
		}
		found[lo/block] = here
	})
	if err := cmp.Or(err, cmp.Or(errs...)); err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	if !swapped {
		all = byFrom(all, len(from.Zones))
	}
	return all, nil
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

// prepareAll makes a shape of each zone.
func prepareAll(ctx context.Context, set *ZoneSet) ([]Shape, error) {
	shapes := make([]Shape, len(set.Zones))
	err := parallel(ctx, len(shapes), 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			shapes[i].init(set.Zones[i].Geom)
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range shapes {
		if err := checkFinite(set, &set.Zones[i], &shapes[i]); err != nil {
			return nil, err
		}
	}
	return shapes, nil
}

func checkFinite(set *ZoneSet, z *Zone, s *Shape) error {
	if !finite(s.area) {
		return fmt.Errorf("%s: zone %s: a coordinate is not finite", set.Layer, z.Code)
	}
	return nil
}

func checkPositive(set *ZoneSet, z *Zone, s *Shape) error {
	if s.area <= 0 {
		return fmt.Errorf("%s: zone %s: area %g m²: its rings are not oriented", set.Layer, z.Code, s.area)
	}
	return nil
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
