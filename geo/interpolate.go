package geo

import (
	"context"
	"fmt"
	"math"
)

// A Figure is a number that may be absent.
type Figure struct {
	V  float64
	OK bool
}

// A Carried is the figure of a target zone made from those of source zones. Coverage is the share of the target
// behind it, between 0 and 1; a target with none has no figure.
type Carried struct {
	Figure
	Coverage float64
}

// A Divisor is what the part of a source zone in a target is compared with to split its count.
type Divisor uint8

const (
	// BySum divides by what the targets cover of the source together: all of its count is carried, and targets
	// that share it split it between them.
	BySum Divisor = iota
	// ByTotal divides by the whole source: what lies in no target stays behind.
	ByTotal
)

// A Transfer carries figures from the zones of one set, the sources, to those of another, the targets, by the
// mass they have in common: an area in m², or a weight such as persons.
type Transfer struct {
	Parts   []Part    // ordered by From, To
	Sources []float64 // mass of each source
	Targets []float64 // mass of each target

	covered []float64 // mass that the targets hold of each source together
}

// A Part is the mass that a source and a target have in common.
type Part struct {
	From, To int // positions in the two sets
	Mass     float64
}

// NewTransfer makes a transfer of parts, ordered by From then To, and of the masses of whole zones.
func NewTransfer(parts []Part, sources, targets []float64) *Transfer {
	t := &Transfer{parts, sources, targets, make([]float64, len(sources))}
	for _, p := range parts {
		t.covered[p.From] += p.Mass
	}
	return t
}

// AreaTransfer is the transfer by area, in m²: everything is taken as spread evenly over its zone. It is an
// error for the two sets to be in different projections.
func AreaTransfer(ctx context.Context, from, to *ZoneSet) (*Transfer, error) {
	overlaps, err := Overlaps(ctx, from, to)
	if err != nil {
		return nil, err
	}
	parts := make([]Part, len(overlaps))
	for i, o := range overlaps {
		parts[i] = Part{o.From, o.To, o.Area}
	}
	var areas [2][]float64
	for i, set := range []*ZoneSet{from, to} {
		areas[i] = make([]float64, len(set.Zones))
		if err := parallel(ctx, len(set.Zones), 64, func(lo, hi int) {
			for k := lo; k < hi; k++ {
				areas[i][k] = Area(set.Zones[k].Geom)
			}
		}); err != nil {
			return nil, fmt.Errorf("areas of %s: %w", set.Layer, err)
		}
	}
	return NewTransfer(parts, areas[0], areas[1]), nil
}

// MassTransfer is the transfer by masses: a figure is taken as spread over its zone as they are. What they leave
// empty has no part in it: a source without mass carries nothing. The errors are those of [Overlaps] and of
// [MassWeights].
func MassTransfer(ctx context.Context, from, to *ZoneSet, masses []Mass) (*Transfer, error) {
	pairs, err := Overlaps(ctx, from, to)
	if err != nil {
		return nil, err
	}
	weights, err := MassWeights(ctx, from, to, pairs, masses)
	if err != nil {
		return nil, err
	}
	sources, err := MassIn(ctx, from, masses)
	if err != nil {
		return nil, err
	}
	targets, err := MassIn(ctx, to, masses)
	if err != nil {
		return nil, err
	}
	var parts []Part
	for i, o := range pairs {
		if weights[i].Mass > 0 {
			parts = append(parts, Part{o.From, o.To, weights[i].Mass})
		}
	}
	return NewTransfer(parts, sources, targets), nil
}

// Share is the share of its source's count that a part takes.
func (t *Transfer) Share(p Part, by Divisor) float64 {
	whole := t.Sources[p.From]
	if by == BySum {
		whole = t.covered[p.From]
	}
	if !(whole > 0) {
		return 0
	}
	return p.Mass / whole
}

// Extensive carries counts, one a source: the figure of a target is the sum of the shares it takes. Sources
// without a figure leave the sum and lower the coverage.
func (t *Transfer) Extensive(counts []Figure, by Divisor) []Carried {
	return t.carry(func(p Part) (float64, bool) {
		return counts[p.From].V * t.Share(p, by), counts[p.From].OK
	}, nil)
}

// Intensive carries means, densities and the like, one a source: the figure of a target is their mean over the
// part of it that sources with a figure cover, weighted by mass.
func (t *Transfer) Intensive(means []Figure) []Carried {
	return t.carry(func(p Part) (float64, bool) {
		return means[p.From].V * p.Mass, means[p.From].OK
	}, func(p Part) float64 { return p.Mass })
}

// Ratio carries both terms as counts, over the sources that have the two, then divides them. A target whose
// denominator is zero has no figure.
func (t *Transfer) Ratio(numerators, denominators []Figure, by Divisor) []Carried {
	return t.carry(func(p Part) (float64, bool) {
		return numerators[p.From].V * t.Share(p, by), numerators[p.From].OK && denominators[p.From].OK
	}, func(p Part) float64 { return denominators[p.From].V * t.Share(p, by) })
}

// carry adds what term gives over the parts of each target that have one, and divides by the sum of divisor.
func (t *Transfer) carry(term func(Part) (float64, bool), divisor func(Part) float64) []Carried {
	out := make([]Carried, len(t.Targets))
	behind := make([]float64, len(t.Targets))
	below := make([]float64, len(t.Targets))
	for _, p := range t.Parts {
		v, ok := term(p)
		if !ok {
			continue
		}
		out[p.To].V += v
		behind[p.To] += p.Mass
		if divisor != nil {
			below[p.To] += divisor(p)
		}
	}
	for i := range out {
		out[i].Coverage = shareBehind(behind[i], t.Targets[i])
		out[i].OK = out[i].Coverage > 0
		if divisor != nil {
			out[i].V /= below[i]
		}
		if !finite(out[i].V) {
			out[i].OK = false
		}
		if !out[i].OK {
			out[i].V = 0
		}
	}
	return out
}

// Coverage is the share of each target that lies in the sources for which has is true.
func (t *Transfer) Coverage(has func(source int) bool) []float64 {
	covered := make([]float64, len(t.Targets))
	for _, p := range t.Parts {
		if has(p.From) {
			covered[p.To] += p.Mass
		}
	}
	for i := range covered {
		covered[i] = shareBehind(covered[i], t.Targets[i])
	}
	return covered
}

func shareBehind(behind, whole float64) float64 {
	if !(whole > 0) {
		return 0
	}
	return min(1, behind/whole)
}

// A Balance is where a count went: Total = Carried + Outside − Repeated, to rounding.
type Balance struct {
	Total    float64 // sum of the sources
	Carried  float64 // sum of the targets
	Outside  float64 // lies in no target
	Repeated float64 // carried more than once, to targets that overlap
	Missing  int     // sources without a figure
	Untaken  int     // sources with a figure of which no target takes anything
	Partial  int     // sources with a figure that the targets cover in part
}

// balanceNoise is a share of a zone: borders that differ by less, from rounding, are the same.
const balanceNoise = 1e-7

// Balance accounts for the counts that Extensive carries.
func (t *Transfer) Balance(counts []Figure, by Divisor) Balance {
	var b Balance
	for i, f := range counts {
		if !f.OK {
			b.Missing++
			continue
		}
		b.Total += f.V
		share := 0.0 // of the source that is in a target
		if t.Sources[i] > 0 {
			share = t.covered[i] / t.Sources[i]
		}
		switch {
		case t.covered[i] == 0:
			b.Untaken++
			b.Outside += f.V
		case math.Abs(share-1) <= balanceNoise:
		case share < 1:
			b.Partial++
			if by == ByTotal {
				b.Outside += f.V * (1 - share)
			}
		case by == ByTotal:
			b.Repeated += f.V * (share - 1)
		}
	}
	for _, c := range t.Extensive(counts, by) {
		b.Carried += c.V
	}
	return b
}
