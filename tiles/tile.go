package tiles

import (
	"math"
	"slices"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"

	"observatoire/geo"
	"observatoire/indicators"
)

const (
	maxZoom = 18
	extent  = 4096 // grid units a tile
	buffer  = 64   // grid units drawn beyond the tile's edge
)

// A tileRequest names a tile and what its features carry.
type tileRequest struct {
	layers     []*layer // of zones, of pieces, of facilities
	z, x, y    uint32
	indicators []string
	millesime  *int // nil: the latest of each series
	sexe       string
}

// tile draws a tile: Mapbox Vector Tile 2.1, zones in the order of their codes. It is empty when no zone of
// the layers meets it.
func (s *Snapshot) tile(q tileRequest) ([]byte, error) {
	var out mvt.Layers
	scale := math.Exp2(float64(q.z))
	box := orb.Bound{
		Min: orb.Point{(float64(q.x) - buffer/float64(extent)) / scale, (float64(q.y) - buffer/float64(extent)) / scale},
		Max: orb.Point{(float64(q.x) + 1 + buffer/float64(extent)) / scale, (float64(q.y) + 1 + buffer/float64(extent)) / scale},
	}
	g := grid{
		sx: scale * extent, ox: -float64(q.x) * extent,
		sy: scale * extent, oy: -float64(q.y) * extent,
		box: orb.Bound{Min: orb.Point{-buffer, -buffer}, Max: orb.Point{extent + buffer, extent + buffer}},
	}
	for _, l := range q.layers {
		cols := s.tileColumns(l, q)
		ml := &mvt.Layer{Name: string(l.set.Layer), Version: 2, Extent: extent}
		hits := l.search(box)
		if len(hits) == 0 {
			continue
		}
		shown := l.zonesAt(q.z)
		for _, i := range hits {
			var drawn orb.Geometry
			if l.points != nil {
				at := g.point(l.points[i])
				if !g.box.Contains(at) {
					continue
				}
				drawn = at
			} else {
				world := l.zones[i].world
				if shown != nil {
					world = shown[i]
				}
				mp := g.multiPolygon(world)
				if len(mp) == 0 {
					continue
				}
				drawn = mp
			}
			props := geojson.Properties{"code": l.set.Zones[i].Code, "nom": l.set.Zones[i].Name}
			if l.describe != nil {
				l.describe(i, props)
			}
			for k := range cols {
				cols[k].describe(i, props)
			}
			// The feature's id is its rank in the layer: stable within an edition, and a number as the format asks.
			ml.Features = append(ml.Features, &geojson.Feature{ID: uint64(i + 1), Geometry: drawn, Properties: props})
		}
		if len(ml.Features) > 0 {
			out = append(out, ml)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return mvt.Marshal(out)
}

// A tileColumn is an indicator's values over a layer, as the features of a tile carry them.
type tileColumn struct {
	column
	*gapTable
}

// A gapTable is the gaps of a series to each of its references.
type gapTable struct {
	references []geo.Layer       // in order
	gaps       map[int][]float64 // by zone, in the order of references; NaN where there is none
}

// tileColumns are the indicators asked for; only zones have figures.
func (s *Snapshot) tileColumns(l *layer, q tileRequest) []tileColumn {
	if l.describe != nil {
		return nil
	}
	cols := make([]tileColumn, len(q.indicators))
	for i, id := range q.indicators {
		c := s.column(seriesID{id, l.set.Layer, q.sexe}, q.millesime)
		cols[i] = tileColumn{c, s.gapsOf(l, c.Key)}
	}
	return cols
}

// gapsOf are the gaps of a series: those of a zone that lies in two zones of a reference are to the first of them.
func (s *Snapshot) gapsOf(l *layer, key indicators.Key) *gapTable {
	g := &s.gapRows
	if t, ok := g.tables.Load(key); ok {
		return t.(*gapTable)
	}
	g.once.Do(func() {
		g.of = map[indicators.Key][]int32{}
		for i := range s.edition.Ecarts {
			if x := &s.edition.Ecarts[i]; x.Statut == indicators.Disponible && x.Ecart.OK {
				g.of[x.Key] = append(g.of[x.Key], int32(i))
			}
		}
	})
	t := &gapTable{gaps: map[int][]float64{}}
	rows := g.of[key]
	for _, r := range rows {
		if ref := s.edition.Ecarts[r].Reference; !slices.Contains(t.references, ref) {
			t.references = append(t.references, ref)
		}
	}
	slices.Sort(t.references)
	for _, r := range rows {
		x := &s.edition.Ecarts[r]
		z, ok := l.set.Index(x.Code)
		if !ok {
			continue
		}
		if t.gaps[z] == nil {
			t.gaps[z] = slices.Repeat([]float64{math.NaN()}, len(t.references))
		}
		if k := slices.Index(t.references, x.Reference); math.IsNaN(t.gaps[z][k]) {
			t.gaps[z][k] = x.Ecart.V
		}
	}
	if len(rows) > 0 { // a year that no series has is not worth the memory
		g.tables.Store(key, t)
	}
	return t
}

// describe writes what a zone's feature carries of the indicator: its value when it has one, why it has none when it has
// not, how far it may be relied on, and its gaps.
func (c *tileColumn) describe(zone int, props geojson.Properties) {
	props[c.Indicateur+"_statut"] = c.statut(zone).String()
	v := c.value(zone)
	if v == nil || v.Statut != indicators.Disponible {
		return
	}
	props[c.Indicateur] = rounded(v.V)
	if v.Fiabilite != indicators.SansFiabilite {
		props[c.Indicateur+"_fiabilite"] = v.Fiabilite.String()
	}
	for k, gap := range c.gaps[zone] {
		if !math.IsNaN(gap) {
			props[gapName(c.Indicateur, c.references[k])] = rounded(gap)
		}
	}
}

// gapName is the property that holds a gap.
func gapName(indicateur string, reference geo.Layer) string {
	return indicateur + "_ecart_" + string(reference)
}

// A grid is an affine map onto integer coordinates, y down, and the box outside which nothing is kept.
type grid struct {
	sx, ox, sy, oy float64
	box            orb.Bound
	room           orb.Ring // used again for each ring
}

// point snaps a point to the grid.
func (g *grid) point(p orb.Point) orb.Point {
	return orb.Point{math.Round(p[0]*g.sx + g.ox), math.Round(p[1]*g.sy + g.oy)}
}

// multiPolygon snaps a geometry to the grid and cuts it to the box. Each vertex is rounded by itself, so a
// border that two zones share stays shared; no vertex is dropped unless it lies on the line between its
// neighbours. Shells come out with positive area in grid coordinates, holes with negative; what has no area
// left is dropped.
func (g *grid) multiPolygon(src orb.MultiPolygon) orb.MultiPolygon {
	var out orb.MultiPolygon
	for _, poly := range src {
		var kept orb.Polygon
		for i, ring := range poly {
			r, area := g.ring(ring)
			if len(r) == 0 {
				if i == 0 {
					break // without its shell the polygon is nothing
				}
				continue
			}
			if (i == 0) != (area > 0) {
				slices.Reverse(r)
			}
			kept = append(kept, r)
		}
		if len(kept) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

// ring returns the snapped ring, closed, and twice its signed area; nothing when it has none.
func (g *grid) ring(src orb.Ring) (orb.Ring, float64) {
	if len(src) < 3 {
		return nil, 0
	}
	r, inside := g.near(src)
	if r[0] != r[len(r)-1] {
		r = append(r, r[0])
	}
	g.room = r[:0]
	if r = compact(r); !inside && len(r) > 0 {
		r = clip.Ring(g.box, r)
		for i, p := range r {
			r[i] = orb.Point{math.Round(p[0]), math.Round(p[1])}
		}
		r = compact(r)
	}
	r = slices.Clone(r) // out of the room
	if len(r) == 0 {
		return nil, 0
	}
	var area float64
	for i := 1; i < len(r); i++ {
		area += r[i-1][0]*r[i][1] - r[i][0]*r[i-1][1]
	}
	if area == 0 {
		return nil, 0
	}
	return r, area
}

// near snaps a ring to the grid. Of vertices that follow one another beyond the same side of the box it keeps the first and the
// last: what lies between would be cut off whole. inside says that none is outside.
func (g *grid) near(src orb.Ring) (r orb.Ring, inside bool) {
	const left, right, top, bottom = 1, 2, 4, 8
	r = g.room[:0]
	inside = true
	last, run := 0, 0 // sides beyond which the last vertex kept lies, and those that the last two have in common
	for _, p := range src {
		q := g.point(p)
		side := 0
		if q[0] < g.box.Min[0] {
			side = left
		} else if q[0] > g.box.Max[0] {
			side = right
		}
		if q[1] < g.box.Min[1] {
			side |= top
		} else if q[1] > g.box.Max[1] {
			side |= bottom
		}
		if side == 0 {
			r, last, run = append(r, q), 0, 0
			continue
		}
		inside = false
		if run &= side; run != 0 {
			r[len(r)-1] = q
		} else {
			r, run = append(r, q), last&side
		}
		last = side
	}
	return r, inside
}

// compact removes, in place, repeated points, points on the line between their neighbours, and spikes: nothing
// that changes the area covered. The ring is closed, before and after; nil when less than a triangle is left.
func compact(r orb.Ring) orb.Ring {
	if len(r) < 4 {
		return nil
	}
	n := 0
	for _, p := range r[:len(r)-1] {
		for n >= 2 && flat(r[n-2], r[n-1], p) {
			n--
		}
		if n == 1 && r[0] == p {
			continue
		}
		r[n] = p
		n++
	}
	first := 0
	for { // the same across the seam
		switch {
		case n-first < 3:
			return nil
		case flat(r[n-2], r[n-1], r[first]):
			n--
		case flat(r[n-1], r[first], r[first+1]):
			first++
		default:
			return append(r[first:n:n], r[first])
		}
	}
}

// flat says that the three points lie on one line, whichever their order. Coordinates are integers: exact.
func flat(a, b, c orb.Point) bool {
	return (b[0]-a[0])*(c[1]-a[1]) == (b[1]-a[1])*(c[0]-a[0])
}
