package tiles

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

func BenchmarkRealTile(b *testing.B) {
	s := snapshot(b, realIRIS(b))
	l := s.byName["iris-2013"]
	for _, z := range []uint32{8, 10, 12, 14} {
		x, y := tileAt(z, 5.0, 43.58)
		b.Run(fmt.Sprintf("z%d", z), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.tile(tileRequest{layers: []*layer{l}, z: z, x: x, y: y}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
