package tiles

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt/vectortile"
	"github.com/paulmach/orb/geojson"

	"observatoire/geo"
	"observatoire/indicators"
)

// realIRIS is the 840 IRIS of the Bouches-du-Rhône, in the legal projection.
func realIRIS(t testing.TB) *indicators.Edition {
	t.Helper()
	dir := os.Getenv("OBSERVATOIRE_REAL")
	if dir == "" {
		t.Skip("OBSERVATOIRE_REAL does not name the folder of the real files")
	}
	f, err := os.Open(filepath.Join(dir, "iris_geo", "iris_13_contours_iris_2013_lb93.geojson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var fc geojson.FeatureCollection
	if err := json.NewDecoder(z).Decode(&fc); err != nil {
		t.Fatal(err)
	}
	set := geo.ZoneSet{Layer: "iris-2013", EPSG: 2154}
	for _, f := range fc.Features {
		mp, ok := f.Geometry.(orb.MultiPolygon)
		if !ok {
			mp = orb.MultiPolygon{f.Geometry.(orb.Polygon)}
		}
		set.Zones = append(set.Zones, geo.Zone{Code: f.Properties.MustString("DCOMIRIS"), Name: f.Properties.MustString("NOM_IRIS"), Geom: geo.Orient(mp)})
	}
	slices.SortFunc(set.Zones, func(a, b geo.Zone) int { return strings.Compare(a.Code, b.Code) })
	return &indicators.Edition{ID: "reel", Layers: []geo.ZoneSet{set}}
}

// Every tile of the real contours around Miramas decodes, its rings turned as the specification asks, and no
// zone covers more or less than its area on the ground, within the grid's precision.
func TestRealTiles(t *testing.T) {
	s := snapshot(t, realIRIS(t))
	l := s.byName["iris-2013"]
	if l.drawn != 840 {
		t.Fatalf("%d zones drawn", l.drawn)
	}
	for z := uint32(5); z <= 15; z++ {
		x, y := tileAt(z, 5.0, 43.58)
		data, err := s.tile(tileRequest{layers: []*layer{l}, z: z, x: x, y: y})
		if err != nil {
			t.Fatal(err)
		}
		mustRead(t, data)
		var tile vectortile.Tile
		if err := tile.Unmarshal(data); err != nil {
			t.Fatal(err)
		}
		// Metres on the ground per grid unit, at that latitude.
		unit := 40075016.686 * math.Cos(43.58*math.Pi/180) / math.Exp2(float64(z)) / extent
		for _, f := range tile.Layers[0].Features {
			var twice, perimeter float64
			whole := true
			for i, r := range ringsOf(t, f) {
				a := surveyor(r)
				if a == 0 || i == 0 && a < 0 {
					t.Errorf("zoom %d, feature %d: ring %d has area %g", z, f.GetId(), i, a)
				}
				twice += a
				for k := 1; k < len(r); k++ {
					perimeter += math.Hypot(r[k][0]-r[k-1][0], r[k][1]-r[k-1][1])
					whole = whole && r[k][0] > -buffer && r[k][0] < extent+buffer && r[k][1] > -buffer && r[k][1] < extent+buffer
				}
			}
			want := l.zones[f.GetId()-1].area / unit / unit
			if whole && math.Abs(twice/2-want) > 0.02*want+perimeter { // 2 %: the scale changes over the territory
				t.Errorf("zoom %d, feature %d: %g square units, want %g", z, f.GetId(), twice/2, want)
			}
		}
	}
}

// The zones of the small scales have fewer vertices, and still lie side by side: they overlap no more than the
// contours do, and their union leaves no hole that the contours do not. Whichever zoom is asked for first, and by
// however many at once, the tiles are the same.
func TestRealDrawings(t *testing.T) {
	e := realIRIS(t)
	l := snapshot(t, e).byName["iris-2013"]
	// Mercator's metres, at which geo measures what lies in the unit square.
	const world = 2 * math.Pi * 6378137
	type measure struct{ sum, union, common, vertices, holes float64 }
	survey := func(shown []orb.MultiPolygon) (m measure) {
		set := &geo.ZoneSet{Layer: "iris-2013"}
		var all []orb.MultiPolygon
		for i := range l.zones {
			src := l.zones[i].world
			if shown != nil {
				src = shown[i]
			}
			mp := src.Clone()
			for _, poly := range mp {
				for _, ring := range poly {
					for k, p := range ring {
						ring[k] = orb.Point{p[0] * world, -p[1] * world}
					}
					m.vertices += float64(len(ring) - 1)
				}
			}
			all = append(all, mp)
			m.sum += geo.Area(mp)
			set.Zones = append(set.Zones, geo.Zone{Code: l.set.Zones[i].Code, Geom: mp})
		}
		pairs, err := geo.Overlaps(t.Context(), set, set)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range pairs {
			if o.From < o.To {
				m.common += o.Area
			}
		}
		union := geo.Dissolve(all)
		m.union = geo.Area(union)
		for _, poly := range union {
			m.holes += float64(len(poly) - 1)
		}
		return m
	}
	was := survey(nil)
	last := was.vertices
	for _, z := range []uint32{13, 10, 8} {
		is := survey(l.zonesAt(z))
		t.Logf("zoom %d: %+v of %+v", z, is, was)
		if is.vertices >= 0.75*last {
			t.Errorf("zoom %d: %g vertices, %g at the scale above", z, is.vertices, last)
		}
		last = is.vertices
		if is.common > was.common+1 || is.holes > was.holes {
			t.Errorf("zoom %d: %g m² in two zones and %g holes between them; the contours have %g m² and %g", z, is.common, is.holes, was.common, was.holes)
		}
		// Zones that leave no gap and do not overlap cover as much together as one by one.
		if gap := is.union - (is.sum - is.common); math.Abs(gap) > 1e-9*is.sum+1 {
			t.Errorf("zoom %d: the zones cover %.2f m² together, %.2f one by one", z, is.union, is.sum-is.common)
		}
		if math.Abs(is.union-was.union) > 0.01*was.union {
			t.Errorf("zoom %d: the layer covers %g m², its contours %g", z, is.union, was.union)
		}
	}
	if l.zonesAt(15) != nil {
		t.Error("zoom 15: simplified, although that saves little")
	}
	if s := l.zonesAt(l.coarse); l.coarse == 0 || &s[0] != &l.zonesAt(0)[0] {
		t.Errorf("zooms below %d have drawings of their own", l.coarse)
	}

	// The zone of a drawing lies in the box by which tiles find it, but for the centimetre of its grid.
	for i, mp := range l.zonesAt(8) {
		if b := l.zones[i].box.Pad(0.02 / world * 2); !b.Contains(mp.Bound().Min) || !b.Contains(mp.Bound().Max) {
			t.Errorf("zone %s leaves its box", l.set.Zones[i].Code)
		}
	}

	zooms := []uint32{5, 8, 9, 10, 11, 12, 13, 14}
	draw := func(s *Snapshot, z uint32) []byte {
		x, y := tileAt(z, 5.0, 43.58)
		data, err := s.tile(tileRequest{layers: []*layer{s.byName["iris-2013"]}, z: z, x: x, y: y})
		if err != nil {
			t.Error(err)
		}
		return data
	}
	one, many := snapshot(t, e), snapshot(t, e)
	want := make([][]byte, len(zooms))
	for k, z := range zooms {
		want[k] = draw(one, z)
	}
	var wait sync.WaitGroup
	for n := range 3 * len(zooms) {
		wait.Go(func() {
			k := len(zooms) - 1 - n%len(zooms)
			if got := draw(many, zooms[k]); !bytes.Equal(got, want[k]) {
				t.Errorf("zoom %d: not the same bytes among several requests", zooms[k])
			}
		})
	}
	wait.Wait()
}

func BenchmarkRealTile(b *testing.B) {
	s := snapshot(b, realIRIS(b))
	l := s.byName["iris-2013"]
	for _, z := range []uint32{8, 10, 12, 14} {
		x, y := tileAt(z, 5.0, 43.58)
		b.Run(fmt.Sprintf("z%d", z), func(b *testing.B) {
			q := tileRequest{layers: []*layer{l}, z: z, x: x, y: y}
			data, err := s.tile(q) // the zoom's drawing is made once: BenchmarkRealDrawing
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := s.tile(q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data)), "bytes")
		})
	}
}

// BenchmarkRealDrawing is what the first tile of a zoom waits for, once an edition.
func BenchmarkRealDrawing(b *testing.B) {
	e := realIRIS(b)
	for b.Loop() {
		b.StopTimer()
		l := snapshot(b, e).byName["iris-2013"]
		b.StartTimer()
		l.zonesAt(8)
	}
}
