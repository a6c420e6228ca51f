package geo

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/paulmach/orb"
)

// A Mass is a weight somewhere: the inhabitants of a square of a grid, the dwellings at an address.
type Mass struct {
	X, Y float64          // metres; of no use with a cell
	W    float64          // in any unit, not negative
	Cell orb.MultiPolygon // ground over which W is spread evenly; nil for a point
}

// A Weight says what part of a source zone a target zone has, for one pair of them.
type Weight struct {
	Share float64 // mass(i∩t) over mass(i), between 0 and 1
	Mass  float64 // mass(i∩t)

	// BySurface: the source zone has no mass, and Share is that of its surface.
	BySurface bool
}

// MassWeights returns, for each pair of [Overlaps] of two sets, the share of the first zone's mass that the second
// has. A cell counts for the share of its surface in both zones; a point, where [Locator] finds it in both.
//
// It is an error for a mass to be negative or not finite, or for a cell not to have a positive area.
func MassWeights(ctx context.Context, from, to *ZoneSet, pairs []Overlap, masses []Mass) ([]Weight, error) {
	m, err := newMassLayer(masses, from.EPSG)
	if err != nil {
		return nil, err
	}
	inFrom, err := m.partsIn(ctx, from)
	if err != nil {
		return nil, err
	}
	inTo, err := m.partsIn(ctx, to)
	if err != nil {
		return nil, err
	}
	weights := make([]Weight, len(pairs))
	var once sync.Once
	var failed error
	err = parallel(ctx, len(pairs), 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			o := pairs[i]
			mass, err := m.common(&o, from.Zones[o.From].Geom, to.Zones[o.To].Geom, inFrom[o.From], inTo[o.To])
			if err != nil {
				once.Do(func() {
					failed = fmt.Errorf("weights of %s %s in %s %s: %w", from.Layer, from.Zones[o.From].Code, to.Layer, to.Zones[o.To].Code, err)
				})
			}
			weights[i].Mass = mass
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}

	total := m.sums(inFrom)
	place := make(map[[2]int]int, len(pairs))
	for i, o := range pairs {
		place[[2]int{o.From, o.To}] = i
	}
	byFrom, byTo := m.zonesAt(from), m.zonesAt(to)
	for k, p := range m.points {
		for _, f := range byFrom(k) {
			total[f] += p.W
			for _, t := range byTo(k) {
				if i, ok := place[[2]int{f, t}]; ok {
					weights[i].Mass += p.W
				}
			}
		}
	}
	for i, o := range pairs {
		w := &weights[i]
		if total[o.From] > 0 {
			w.Share = min(1, w.Mass/total[o.From])
		} else {
			w.Share, w.BySurface = o.ShareFrom, true
		}
	}
	return weights, nil
}

// MassIn returns the mass in each zone of a set. Its errors are those of [MassWeights].
func MassIn(ctx context.Context, set *ZoneSet, masses []Mass) ([]float64, error) {
	m, err := newMassLayer(masses, set.EPSG)
	if err != nil {
		return nil, err
	}
	parts, err := m.partsIn(ctx, set)
	if err != nil {
		return nil, err
	}
	total := m.sums(parts)
	at := m.zonesAt(set)
	for k, p := range m.points {
		for _, i := range at(k) {
			total[i] += p.W
		}
	}
	return total, nil
}

// A massLayer is masses, the cells apart from the points.
type massLayer struct {
	cells  *ZoneSet
	w      []float64 // of the cells
	shapes []*Shape  // of the cells
	points []Mass
}

func newMassLayer(masses []Mass, epsg int) (*massLayer, error) {
	m := &massLayer{cells: &ZoneSet{Layer: "weights", EPSG: epsg}}
	for i, mass := range masses {
		if !(mass.W >= 0 && finite(mass.W)) {
			return nil, fmt.Errorf("weight layer: row %d: weight %g: not a positive number", i+1, mass.W)
		}
		if mass.Cell == nil {
			if !finite(mass.X) || !finite(mass.Y) {
				return nil, fmt.Errorf("weight layer: row %d: point (%g, %g): not finite", i+1, mass.X, mass.Y)
			}
			m.points = append(m.points, mass)
			continue
		}
		s := Prepare(mass.Cell)
		if a := s.Area(); !(a > 0 && finite(a)) {
			return nil, fmt.Errorf("weight layer: row %d: area %g m²: its rings are not oriented or not finite", i+1, a)
		}
		m.cells.Zones = append(m.cells.Zones, Zone{Code: strconv.Itoa(i + 1), Geom: mass.Cell})
		m.w = append(m.w, mass.W)
		m.shapes = append(m.shapes, s)
	}
	return m, nil
}

// A cellPart is the part of a cell in a zone, in m².
type cellPart struct {
	cell int
	area float64
}

// partsIn lists the parts of cells in each zone of a set, in the order of the cells.
func (m *massLayer) partsIn(ctx context.Context, set *ZoneSet) ([][]cellPart, error) {
	overlaps, err := Overlaps(ctx, m.cells, set)
	if err != nil {
		return nil, err
	}
	parts := make([][]cellPart, len(set.Zones))
	for _, o := range overlaps {
		parts[o.To] = append(parts[o.To], cellPart{o.From, o.Area})
	}
	return parts, nil
}

// sums adds up the masses of the parts of cells in each zone.
func (m *massLayer) sums(parts [][]cellPart) []float64 {
	total := make([]float64, len(parts))
	for i, list := range parts {
		for _, p := range list {
			total[i] += m.mass(p)
		}
	}
	return total
}

func (m *massLayer) mass(p cellPart) float64 { return m.w[p.cell] * p.area / m.shapes[p.cell].Area() }

// zonesAt returns what tells the zones in which a point, by its number, lies.
func (m *massLayer) zonesAt(set *ZoneSet) func(k int) []int {
	if len(m.points) == 0 {
		return nil
	}
	l := NewLocator(set)
	var zones []int
	return func(k int) []int {
		zones = l.All(zones[:0], m.points[k].X, m.points[k].Y)
		return zones
	}
}

// common is the mass of the cells in both zones of a pair, whose parts of cells are given.
func (m *massLayer) common(o *Overlap, from, to orb.MultiPolygon, inFrom, inTo []cellPart) (float64, error) {
	var sum float64
	var both *Shape // the intersection of the two zones, when it has to be built
	for len(inFrom) > 0 && len(inTo) > 0 {
		a, b := inFrom[0], inTo[0]
		if a.cell < b.cell {
			inFrom = inFrom[1:]
			continue
		} else if b.cell < a.cell {
			inTo = inTo[1:]
			continue
		}
		inFrom, inTo = inFrom[1:], inTo[1:]
		if m.w[a.cell] == 0 {
			continue
		}
		cell := m.shapes[a.cell].Area()
		switch {
		case a.area >= (1-noise)*cell || o.ShareTo >= 1-noise: // the cell lies in the first zone, or the second zone does
			sum += m.mass(b)
		case b.area >= (1-noise)*cell || o.ShareFrom >= 1-noise:
			sum += m.mass(a)
		default:
			if both == nil {
				mp, err := Clip(from, to)
				if err != nil {
					return 0, err
				}
				both = Prepare(mp)
			}
			a.area = min(a.area, b.area, both.IntersectionArea(m.shapes[a.cell]))
			sum += m.mass(a)
		}
	}
	return sum, nil
}
