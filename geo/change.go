package geo

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/paulmach/orb"
)

// A Change says what became of a zone of one layer in another: what two zones have in common, or that a zone of the
// one has nothing in common with any of the other.
type Change struct {
	From, To int // positions in the two sets, -1 for none

	// Areas, m². Several changes of one zone have the same Left, or Added: only Kept may be added up.
	Kept  float64 // in both zones
	Left  float64 // in the first zone, and in none of the layer after
	Added float64 // in the second zone, and in none of the layer before

	Jaccard float64 // Kept over the area of the two zones together: 1 when they are the same

	// The same by population, or whatever the weight layer counts; 0 without one.
	KeptMass, LeftMass, AddedMass float64

	Note string // "liseré" when what they have in common is a sliver, as of an [Overlap]
}

// Changes compares the perimeters of two layers: every pair of zones with an area in common, in order, and in their
// place the zones of the layer before that have none; then the zones of the layer after that have none. The second
// result is about the two layers as a whole, where ground covered by several zones counts once. Zones without
// geometry are passed over. Masses are as for [MassWeights], and may be left out.
func Changes(ctx context.Context, before, after *ZoneSet, masses ...Mass) ([]Change, Change, error) {
	fail := func(err error) ([]Change, Change, error) {
		return nil, Change{}, fmt.Errorf("changes from %s to %s: %w", before.Layer, after.Layer, err)
	}
	pairs, err := Overlaps(ctx, before, after)
	if err != nil {
		return fail(err)
	}
	var weights []Weight
	if len(masses) > 0 {
		if weights, err = MassWeights(ctx, before, after, pairs, masses); err != nil {
			return fail(err)
		}
	} else {
		weights = make([]Weight, len(pairs))
	}
	old, err := newFooting(ctx, before, masses)
	if err != nil {
		return fail(err)
	}
	young, err := newFooting(ctx, after, masses)
	if err != nil {
		return fail(err)
	}
	partners := func(n int, own, other func(o Overlap) int) [][]int {
		out := make([][]int, n)
		for i, o := range pairs {
			out[own(o)] = append(out[own(o)], i)
		}
		return out
	}
	fromOf, toOf := func(o Overlap) int { return o.From }, func(o Overlap) int { return o.To }
	ofOld, ofYoung := partners(len(before.Zones), fromOf, toOf), partners(len(after.Zones), toOf, fromOf)
	left, err := old.uncovered(ctx, young, ofOld, pairs, toOf, weights, masses)
	if err != nil {
		return fail(err)
	}
	added, err := young.uncovered(ctx, old, ofYoung, pairs, fromOf, weights, masses)
	if err != nil {
		return fail(err)
	}

	var changes []Change
	for i := range before.Zones {
		for _, k := range ofOld[i] {
			o := pairs[k]
			changes = append(changes, Change{
				From: i, To: o.To, Kept: o.Area, Left: left[i].area, Added: added[o.To].area,
				Jaccard:  o.Area / (old.area[i] + young.area[o.To] - o.Area),
				KeptMass: weights[k].Mass, LeftMass: left[i].mass, AddedMass: added[o.To].mass,
				Note: o.Note,
			})
		}
		if len(ofOld[i]) == 0 && old.area[i] > 0 {
			changes = append(changes, Change{From: i, To: -1, Left: left[i].area, LeftMass: left[i].mass})
		}
	}
	for j := range after.Zones {
		if len(ofYoung[j]) == 0 && young.area[j] > 0 {
			changes = append(changes, Change{From: -1, To: j, Added: added[j].area, AddedMass: added[j].mass})
		}
	}
	total, err := totalChange(ctx, old, young, pairs, weights, masses)
	if err != nil {
		return fail(err)
	}
	return changes, total, nil
}

// A footing is the ground of a layer.
type footing struct {
	set   *ZoneSet
	area  []float64 // by zone, m²
	mass  []float64 // by zone
	twice [][]int   // by zone, the others that overlap it
	apart bool      // no zone overlaps another
}

func newFooting(ctx context.Context, set *ZoneSet, masses []Mass) (*footing, error) {
	f := &footing{set: set, area: make([]float64, len(set.Zones)), mass: make([]float64, len(set.Zones)), twice: make([][]int, len(set.Zones)), apart: true}
	for i, z := range set.Zones {
		if len(z.Geom) == 0 {
			continue
		}
		if f.area[i] = Area(z.Geom); !(f.area[i] > 0 && finite(f.area[i])) {
			return nil, fmt.Errorf("%s: zone %s: area %g m²: its rings are not oriented or not finite", set.Layer, z.Code, f.area[i])
		}
	}
	self, err := Overlaps(ctx, set, set)
	if err != nil {
		return nil, err
	}
	for _, o := range self {
		if o.From != o.To {
			f.twice[o.From] = append(f.twice[o.From], o.To)
			f.apart = false
		}
	}
	if len(masses) > 0 {
		if f.mass, err = MassIn(ctx, set, masses); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// ground is an area in m² and the mass on it.
type ground struct{ area, mass float64 }

// uncovered is, for each zone of f, what of it is in no zone of g. partners lists by zone of f the pairs it is in, and
// otherOf tells the zone of g in a pair.
func (f *footing) uncovered(ctx context.Context, g *footing, partners [][]int, pairs []Overlap, otherOf func(Overlap) int,
	weights []Weight, masses []Mass) ([]ground, error) {
	out := make([]ground, len(f.area))
	var crossed []int // zones whose partners overlap one another
	for i := range out {
		out[i] = ground{f.area[i], f.mass[i]}
		overlapping := false
		for _, k := range partners[i] {
			out[i].area -= pairs[k].Area
			out[i].mass -= weights[k].Mass
			for _, l := range partners[i] {
				overlapping = overlapping || slices.Contains(g.twice[otherOf(pairs[k])], otherOf(pairs[l]))
			}
		}
		if overlapping {
			crossed = append(crossed, i)
		}
	}
	if len(crossed) > 0 {
		rest := &ZoneSet{Layer: f.set.Layer, EPSG: f.set.EPSG}
		for _, i := range crossed {
			var others orb.MultiPolygon
			for _, k := range partners[i] {
				others = append(others, g.set.Zones[otherOf(pairs[k])].Geom...)
			}
			mp, err := Difference(f.set.Zones[i].Geom, others)
			if err != nil {
				return nil, fmt.Errorf("zone %s: %w", f.set.Zones[i].Code, err)
			}
			rest.Zones = append(rest.Zones, Zone{Code: f.set.Zones[i].Code, Geom: mp})
		}
		mass := make([]float64, len(crossed))
		if len(masses) > 0 {
			var err error
			if mass, err = MassIn(ctx, rest, masses); err != nil {
				return nil, err
			}
		}
		for k, i := range crossed {
			out[i] = ground{Area(rest.Zones[k].Geom), mass[k]}
		}
	}
	for i := range out { // what rounding leaves is nothing
		if out[i].area <= noise*f.area[i] {
			out[i] = ground{}
		}
		out[i].mass = max(0, out[i].mass)
	}
	return out, nil
}

// totalChange compares two layers as a whole.
func totalChange(ctx context.Context, old, young *footing, pairs []Overlap, weights []Weight, masses []Mass) (Change, error) {
	var was, is, kept ground
	if old.apart && young.apart {
		for i := range old.area {
			was = ground{was.area + old.area[i], was.mass + old.mass[i]}
		}
		for j := range young.area {
			is = ground{is.area + young.area[j], is.mass + young.mass[j]}
		}
		for k, o := range pairs {
			kept = ground{kept.area + o.Area, kept.mass + weights[k].Mass}
		}
	} else {
		a, b := old.union(), young.union()
		common, err := Clip(a, b)
		if err != nil {
			return Change{}, err
		}
		grounds := []*ground{&was, &is, &kept}
		all := &ZoneSet{EPSG: old.set.EPSG}
		for i, mp := range []orb.MultiPolygon{a, b, common} {
			grounds[i].area = Area(mp)
			all.Zones = append(all.Zones, Zone{Geom: mp})
		}
		if len(masses) > 0 {
			mass, err := MassIn(ctx, all, masses)
			if err != nil {
				return Change{}, err
			}
			for i, g := range grounds {
				g.mass = mass[i]
			}
		}
	}
	c := Change{
		From: -1, To: -1,
		Kept: kept.area, Left: max(0, was.area-kept.area), Added: max(0, is.area-kept.area),
		KeptMass: kept.mass, LeftMass: max(0, was.mass-kept.mass), AddedMass: max(0, is.mass-kept.mass),
	}
	if union := was.area + is.area - kept.area; union > 0 {
		c.Jaccard = kept.area / union
	}
	return c, nil
}

// union is the ground the layer covers.
func (f *footing) union() orb.MultiPolygon {
	var parts []orb.MultiPolygon
	for _, z := range f.set.Zones {
		parts = append(parts, z.Geom)
	}
	return Dissolve(parts)
}

// The kinds of pieces.
const (
	PieceKept  = "conservé"
	PieceLeft  = "sorti"
	PieceAdded = "entré"
)

// A Piece is ground that two layers have in common, or that one of them alone covers.
type Piece struct {
	Kind     string
	From, To string // codes of the zones; empty for the layer that does not cover it
	Geom     orb.MultiPolygon
}

// pieceLeast is the area, in m², under which a piece is not drawn.
const pieceLeast = 1.0

// ChangePieces cuts the ground of two layers into what [Changes] measures, to be drawn: for each zone before, what it
// shares with each zone after, then what left; then for each zone after, what it added. Pieces under 1 m² are left
// out. Where zones of one layer overlap, so do their pieces.
func ChangePieces(ctx context.Context, before, after *ZoneSet) ([]Piece, error) {
	pairs, err := Overlaps(ctx, before, after)
	if err != nil {
		return nil, err
	}
	ofOld, ofYoung := make([]orb.MultiPolygon, len(before.Zones)), make([]orb.MultiPolygon, len(after.Zones))
	type cut struct {
		Piece
		a, b orb.MultiPolygon
	}
	var cuts []cut
	k := 0
	for i, z := range before.Zones {
		for ; k < len(pairs) && pairs[k].From == i; k++ {
			y := after.Zones[pairs[k].To]
			ofOld[i] = append(ofOld[i], y.Geom...)
			ofYoung[pairs[k].To] = append(ofYoung[pairs[k].To], z.Geom...)
			cuts = append(cuts, cut{Piece{Kind: PieceKept, From: z.Code, To: y.Code}, z.Geom, y.Geom})
		}
		cuts = append(cuts, cut{Piece{Kind: PieceLeft, From: z.Code}, z.Geom, ofOld[i]})
	}
	for j, z := range after.Zones {
		cuts = append(cuts, cut{Piece{Kind: PieceAdded, To: z.Code}, z.Geom, ofYoung[j]})
	}
	var once sync.Once
	var failed error
	err = parallel(ctx, len(cuts), 4, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			c := &cuts[i]
			do := Difference
			if c.Kind == PieceKept {
				do = Clip
			}
			var err error
			if c.Geom, err = do(c.a, c.b); err != nil {
				once.Do(func() { failed = fmt.Errorf("%s %s%s: %w", c.Kind, c.From, c.To, err) })
			}
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	var pieces []Piece
	for _, c := range cuts {
		if Area(c.Geom) >= pieceLeast {
			pieces = append(pieces, c.Piece)
		}
	}
	return pieces, nil
}
