package tiles

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/tidwall/rtree"

	"observatoire/geo"
	"observatoire/indicators"
)

// A Snapshot is an edition prepared to be served: its geometries in both coordinate systems, indexed, and its
// shown values by zone. What it answers does not change, and it may be read by any number of goroutines; drawings
// for the small scales are made when a tile first needs them.
type Snapshot struct {
	edition *indicators.Edition
	version string
	names   indicators.Names
	defs    map[string]*indicators.Definition
	layers  []*layer // in the edition's order
	byName  map[geo.Layer]*layer

	// shown holds, for each zone of the key's layer, the position of its shown value, or -1.
	shown map[indicators.Key][]int32
	years map[seriesID][]int // millésimes of the shown values, ascending
	gaps  map[string]int     // available gaps of the quarters, by indicator

	gapValues indicators.ShownIndex // the values gaps are made of
	last      map[seriesID]int      // the one to show when none is asked for

	portraits struct { // once a portrait is asked for
		once sync.Once
		of   map[quarterID]*zoneFacts
	}
	extras  extras
	gapRows struct { // once a tile shows some
		once   sync.Once
		of     map[indicators.Key][]int32 // positions of the available gaps
		tables sync.Map                   // indicators.Key → *gapTable
	}
}

// A seriesID is a [indicators.Key] without its millésime.
type seriesID struct {
	indicateur string
	couche     geo.Layer
	sexe       string
}

// A layer is a set of zones ready to be drawn.
type layer struct {
	set   *geo.ZoneSet
	zones []zone            // parallel to set.Zones
	index rtree.RTreeG[int] // of zone.box
	legal rtree.RTreeG[int] // of the contours in the legal projection
	bound orb.Bound         // longitudes and latitudes; meaningless when drawn is 0
	drawn int               // zones that have a geometry

	crs geo.CRS // of set; meaningless when drawn is 0

	// drawings are the zones simplified for the zooms from coarse on, one a zoom. Above them the zones are drawn as
	// they are, below them as in the first.
	drawings []drawing
	coarse   uint32
	making   sync.Mutex // one drawing at a time: each takes several times the memory of what it leaves

	points   []orb.Point                           // of facilities: in place of the zones' contours, in the same coordinates
	describe func(i int, props geojson.Properties) // adds what the features of tiles carry besides; nil: nothing
	fields   map[string]string                     // what each of those properties is, in French

	// text is every zone's GeoJSON feature, each followed by a comma; the one of zone i begins at start[i].
	text  []byte
	start []int
}

// A drawing is the zones of a layer simplified for a zoom.
type drawing struct {
	once  sync.Once
	world []orb.MultiPolygon // parallel to the layer's zones, in the coordinates of zone.world
}

type zone struct {
	area  float64          // m², in the legal projection
	world orb.MultiPolygon // web Mercator, the world being the unit square with y down
	box   orb.Bound        // of world
}

// featureEnd closes the properties and the feature.
const featureEnd = "}}"

// feature is a zone's GeoJSON up to its last property, to be closed by featureEnd.
func (l *layer) feature(i int) []byte {
	end := l.start[i+1] - len(featureEnd) - 1
	return l.text[l.start[i]:end:end]
}

// NewSnapshot prepares an edition. version is the store's, which changes with each publication. What partners gave
// under a convention is not in it: nothing that is served can show it.
func NewSnapshot(e *indicators.Edition, version string) (*Snapshot, error) {
	return newSnapshot(indicators.Withhold(e), version, nil)
}

// with prepares the same edition, whole, with what partners gave under some conventions. The layers that s has are
// shared.
func (s *Snapshot) with(whole *indicators.Edition, conventions []string) (*Snapshot, error) {
	return newSnapshot(indicators.Withhold(whole, conventions...), s.version, s.byName)
}

func newSnapshot(e *indicators.Edition, version string, ready map[geo.Layer]*layer) (*Snapshot, error) {
	s := &Snapshot{
		edition: e, version: version, names: indicators.NewNames(e),
		defs:   map[string]*indicators.Definition{},
		byName: map[geo.Layer]*layer{},
		shown:  map[indicators.Key][]int32{},
		years:  map[seriesID][]int{}, gaps: map[string]int{}, gapValues: indicators.NewShown(e),
		last: map[seriesID]int{},
	}
	for i := range e.Indicators {
		s.defs[e.Indicators[i].ID] = &e.Indicators[i]
	}
	for i := range e.Layers {
		l := ready[e.Layers[i].Layer]
		if l == nil {
			var err error
			if l, err = newLayer(&e.Layers[i]); err != nil {
				return nil, fmt.Errorf("edition %s: %w", e.ID, err)
			}
		}
		s.layers = append(s.layers, l)
		s.byName[l.set.Layer] = l
	}
	for i, v := range e.Values {
		l := s.byName[v.Couche]
		if !v.Retenue || l == nil {
			continue
		}
		z, ok := l.set.Index(v.Code)
		if !ok {
			continue
		}
		row := s.shown[v.Key]
		if row == nil {
			row = make([]int32, len(l.zones))
			for j := range row {
				row[j] = -1
			}
			s.shown[v.Key] = row
			id := seriesID{v.Indicateur, v.Couche, v.Sexe}
			s.years[id] = append(s.years[id], v.Millesime)
		}
		row[z] = int32(i)
	}
	for _, y := range s.years {
		slices.Sort(y)
	}
	for i := range e.Ecarts {
		if x := &e.Ecarts[i]; x.Statut == indicators.Disponible && isQuarter(x.Couche.Level()) {
			s.gaps[x.Indicateur]++
		}
	}
	s.findLatest()
	return s, nil
}

// newLayer projects and indexes a set of zones.
func newLayer(set *geo.ZoneSet) (*layer, error) {
	l := &layer{set: set, zones: make([]zone, len(set.Zones)), start: make([]int, len(set.Zones)+1)}
	for i := range set.Zones {
		src, z := &set.Zones[i], &l.zones[i]
		if len(src.Geom) == 0 {
			l.append(i, nil)
			continue
		}
		if l.drawn == 0 {
			var err error
			if l.crs, err = geo.ByEPSG(set.EPSG); err != nil {
				return nil, fmt.Errorf("layer %s: %w", set.Layer, err)
			}
		}
		lonlat, world := make(orb.MultiPolygon, len(src.Geom)), make(orb.MultiPolygon, len(src.Geom))
		for p, poly := range src.Geom {
			lonlat[p], world[p] = make(orb.Polygon, len(poly)), make(orb.Polygon, len(poly))
			for r, ring := range poly {
				a, b := make(orb.Ring, len(ring)), make(orb.Ring, len(ring))
				for k, pt := range ring {
					lon, lat := l.crs.Inverse(pt[0], pt[1])
					if math.IsNaN(lon) || math.IsNaN(lat) || math.IsInf(lon, 0) || math.IsInf(lat, 0) {
						return nil, fmt.Errorf("layer %s: zone %s: the point (%g, %g) is outside EPSG:%d: check the coordinates of the contours", set.Layer, src.Code, pt[0], pt[1], set.EPSG)
					}
					a[k] = orb.Point{round7(lon), round7(lat)}
					b[k] = mercator(lon, lat)
				}
				lonlat[p][r], world[p][r] = a, b
			}
		}
		z.area, z.world, z.box = geo.Area(src.Geom), world, world.Bound()
		l.append(i, lonlat)
		l.index.Insert(z.box.Min, z.box.Max, i)
		b := src.Geom.Bound()
		l.legal.Insert(b.Min, b.Max, i)
		if l.drawn == 0 {
			l.bound = lonlat.Bound()
		} else {
			l.bound = l.bound.Union(lonlat.Bound())
		}
		l.drawn++
	}
	l.planDrawings()
	return l, nil
}

// planDrawings chooses the zooms the layer is simplified for. From the zoom where less than half of its vertices make,
// with their neighbours on the ring, a triangle smaller than what is shown, simplifying would save little. At the other
// end, zones keep their area within 1 %: no triangle of more than 2 % of the largest is ever given up, and zooms that
// show less than that would all have the same drawing. All the drawings of the IRIS of a département hold together
// 2.1 times the vertices of the layer.
func (l *layer) planDrawings() {
	const little, most = 0.5, 0.02
	var limit [maxZoom + 1]float64 // area of a triangle, m²
	for z := range limit {
		limit[z] = math.Pow(geo.ZoomTolerance(z), 2)
	}
	var smaller [maxZoom + 1]int // vertices
	total := 0
	largest := 0.0 // m²
	for i := range l.set.Zones {
		largest = max(largest, l.zones[i].area)
		for _, poly := range l.set.Zones[i].Geom {
			for _, ring := range poly {
				for k := 1; k < len(ring); k++ {
					a, b, c := ring[k-1], ring[k], ring[1]
					if k+1 < len(ring) {
						c = ring[k+1]
					}
					area := math.Abs((b[0]-a[0])*(c[1]-a[1])-(b[1]-a[1])*(c[0]-a[0])) / 2
					for z := 0; z <= maxZoom && area < limit[z]; z++ {
						smaller[z]++
					}
					total++
				}
			}
		}
	}
	fine := 0
	for z, n := range smaller {
		if limit[z] >= most*largest {
			l.coarse = uint32(z)
		}
		if total > 0 && float64(n) >= little*float64(total) {
			fine = z + 1
		}
	}
	l.drawings = make([]drawing, max(0, fine-int(l.coarse)))
}

// zonesAt are the zones as a zoom shows them, parallel to l.zones; nil says that it shows them as they are. A border
// between zones is simplified once, for both. The vertices are some of the zone's own, so each stays in its box.
func (l *layer) zonesAt(z uint32) []orb.MultiPolygon {
	k := int(max(z, l.coarse) - l.coarse)
	if k >= len(l.drawings) {
		return nil
	}
	d := &l.drawings[k]
	d.once.Do(func() {
		l.making.Lock()
		defer l.making.Unlock()
		zones := make([]orb.MultiPolygon, len(l.zones))
		for i := range zones {
			zones[i] = l.set.Zones[i].Geom
		}
		zones = geo.Simplify(zones, geo.ZoomTolerance(int(l.coarse)+k))
		d.world = make([]orb.MultiPolygon, len(zones))
		for i, mp := range zones {
			d.world[i] = make(orb.MultiPolygon, len(mp))
			for p, poly := range mp {
				d.world[i][p] = make(orb.Polygon, len(poly))
				for r, ring := range poly {
					out := make(orb.Ring, len(ring))
					for n, pt := range ring {
						out[n] = mercator(l.crs.Inverse(pt[0], pt[1]))
					}
					d.world[i][p][r] = out
				}
			}
		}
	})
	return d.world
}

// append writes the feature of zone i after those before it.
func (l *layer) append(i int, lonlat orb.MultiPolygon) {
	l.text = appendFeature(l.text, l.set.Layer, &l.set.Zones[i], lonlat, l.zones[i].area)
	l.text = append(l.text, featureEnd+","...)
	l.start[i+1] = len(l.text)
}

func round7(v float64) float64 { return math.Round(v*1e7) / 1e7 }

// maxLatitude is where web Mercator's square world ends.
const maxLatitude = 85.05112877980659

// mercator places a longitude and latitude in the unit square, y down.
func mercator(lon, lat float64) orb.Point {
	lat = max(-maxLatitude, min(maxLatitude, lat))
	sin := math.Sin(lat * math.Pi / 180)
	return orb.Point{lon/360 + 0.5, 0.5 - math.Log((1+sin)/(1-sin))/(4*math.Pi)}
}

// search returns the positions, ascending, of the zones whose box meets b (unit square).
func (l *layer) search(b orb.Bound) []int {
	var hits []int
	l.index.Search(b.Min, b.Max, func(_, _ [2]float64, i int) bool {
		hits = append(hits, i)
		return true
	})
	sort.Ints(hits) // the tree's order is its own: the answer's must not be
	return hits
}

// available is the number of zones that have a figure for the millésime.
func (s *Snapshot) available(id seriesID, millesime int) int {
	n := 0
	for _, v := range s.shown[indicators.Key{Indicateur: id.indicateur, Couche: id.couche, Millesime: millesime, Sexe: id.sexe}] {
		if v >= 0 && s.edition.Values[v].Statut == indicators.Disponible {
			n++
		}
	}
	return n
}

// findLatest picks the millésime to show of each series when none is asked for: the last one, among those that
// describe at least half as many zones as the best filled, so that a year known of a few zones hides no other.
func (s *Snapshot) findLatest() {
	for id, years := range s.years {
		counts := make([]int, len(years))
		for i, y := range years {
			counts[i] = s.available(id, y)
		}
		best := slices.Max(counts)
		if years[len(years)-1] < 0 { // unknown years are held as less their file's: the latest file comes first
			years, counts = slices.Clone(years), slices.Clone(counts)
			slices.Reverse(years)
			slices.Reverse(counts)
		}
		for i, y := range slices.Backward(years) {
			if 2*counts[i] >= best {
				s.last[id] = y
				break
			}
		}
	}
}

// latest is the millésime to show of a series when none is asked for.
func (s *Snapshot) latest(id seriesID) (int, bool) {
	y, ok := s.last[id]
	return y, ok
}

// A column is one indicator's shown values over the zones of a layer, for one millésime.
type column struct {
	indicators.Key
	s    *Snapshot
	rows []int32 // nil: the layer has no such series
}

// column finds the values to show; a nil millésime is the latest.
func (s *Snapshot) column(id seriesID, millesime *int) column {
	c := column{s: s, Key: indicators.Key{Indicateur: id.indicateur, Couche: id.couche, Sexe: id.sexe}}
	switch {
	case millesime != nil && *millesime == 0: // any year the producer does not say: the latest file
		if years := s.years[id]; len(years) > 0 && years[0] < 0 {
			c.Millesime = years[0]
		}
	case millesime != nil:
		c.Millesime = *millesime
	default:
		c.Millesime, _ = s.latest(id)
	}
	c.rows = s.shown[c.Key]
	return c
}

// value is the shown value of a zone, or nil when nothing is known of it.
func (c *column) value(zone int) *indicators.Value {
	if c.rows == nil || c.rows[zone] < 0 {
		return nil
	}
	return &c.s.edition.Values[c.rows[zone]]
}

// statut says why there is no figure, or that there is one.
func (c *column) statut(zone int) indicators.Statut {
	if v := c.value(zone); v != nil {
		return v.Statut
	}
	return indicators.NonDisponible
}
