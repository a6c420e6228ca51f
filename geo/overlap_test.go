package geo

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
)

func zoneSet(layer Layer, zones ...Zone) *ZoneSet {
	for i := range zones {
		zones[i].Code = fmt.Sprintf("%s%02d", layer.Level(), i)
	}
	return &ZoneSet{Layer: layer, EPSG: 2154, Zones: zones}
}

func TestOverlaps(t *testing.T) {
	from := zoneSet("qpv-2015",
		Zone{Geom: multi(rect(0, 0, 100, 100))},
		Zone{}, // known by its code alone
		Zone{Geom: multi(rect(1000, 1000, 1100, 1100))},
	)
	to := zoneSet("iris-2016",
		Zone{Geom: multi(rect(-100, 0, 25, 100))},
		Zone{Geom: multi(rect(25, 0, 200, 100))},
		Zone{Geom: multi(rect(0, 100, 100, 200))}, // touches
		Zone{},
		Zone{Geom: multi(rect(900, 900, 1200, 1200))},
	)
	got, err := Overlaps(context.Background(), from, to, WithMargins())
	if err != nil {
		t.Fatal(err)
	}
	want := []Overlap{
		{From: 0, To: 0, Area: 2500, ShareFrom: 0.25, ShareTo: 0.2, Margin: 0.1},
		// To the east 10 m of it are lost; to the north-east a little more is.
		{From: 0, To: 1, Area: 7500, ShareFrom: 0.75, ShareTo: 7500. / 17500, Margin: 0.75 - (0.75-math.Sqrt2/20)*(1-math.Sqrt2/20)},
		{From: 2, To: 4, Area: 10000, ShareFrom: 1, ShareTo: 1. / 9},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 1e-12)); diff != "" {
		t.Errorf("Overlaps (-want +got):\n%s", diff)
	}

	back, err := Overlaps(context.Background(), to, from)
	if err != nil || len(back) != 3 || back[0].ShareFrom != got[0].ShareTo || back[2].From != 4 {
		t.Errorf("Overlaps the other way: %v, %v", back, err)
	}
	if same, err := Overlaps(context.Background(), to, to); err != nil || len(same) != 4 {
		t.Errorf("Overlaps of a set with itself: %v, %v", same, err)
	}
	if none, err := Overlaps(context.Background(), from, zoneSet("iris-2016")); err != nil || len(none) != 0 {
		t.Errorf("Overlaps with an empty set: %v, %v", none, err)
	}
}

func TestOverlapsRefused(t *testing.T) {
	square := multi(rect(0, 0, 100, 100))
	clockwise := square.Clone()
	clockwise[0][0].Reverse()
	ok := zoneSet("iris-2016", Zone{Geom: square})
	overseas := zoneSet("qpv-2015", Zone{Geom: square})
	overseas.EPSG = 2975
	tests := []struct {
		from *ZoneSet
		want string
	}{
		{overseas, "overlaps of qpv-2015 and iris-2016: projections differ: EPSG:2975, EPSG:2154"},
		{zoneSet("qpv-2015", Zone{Geom: clockwise}), "qpv-2015: zone qpv00: area -10000 m²: its rings are not oriented"},
		{zoneSet("qpv-2015", Zone{Geom: multi(orb.Polygon{{{0, 0}, {50, math.Inf(1)}, {50, 50}, {0, 0}}})}),
			"qpv-2015: zone qpv00: a coordinate is not finite"},
		{zoneSet("qpv-2015", Zone{Geom: multi(orb.Polygon{{{0, 0}, {50, math.NaN()}, {50, 50}, {0, 0}}})}),
			"qpv-2015: zone qpv00: a coordinate is not finite"},
	}
	for _, tt := range tests {
		if _, err := Overlaps(context.Background(), tt.from, ok); err == nil || err.Error() != tt.want {
			t.Errorf("Overlaps: %v, want %s", err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Overlaps(ctx, ok, ok); err != context.Canceled {
		t.Errorf("Overlaps, cancelled: %v", err)
	}
}

func TestSliver(t *testing.T) {
	quarter := multi(rect(0, 0, 1000, 200)) // 20 ha
	large := multi(rect(0, 0, 5000, 2000))  // 1 000 ha
	tests := []struct {
		name     string
		geom     orb.MultiPolygon
		commune  string
		to       orb.MultiPolygon
		communes string
		want     string
	}{
		{"0.4 % along a border", quarter, "13047", multi(rect(996, 0, 2000, 200)), "13047", Sliver},
		{"0.6 %", quarter, "13047", multi(rect(994, 0, 2000, 200)), "13047", ""},
		{"1.9 % in another commune", quarter, "13047", multi(rect(981, 0, 2000, 200)), "13063", Sliver},
		{"1.9 % in one of its communes", quarter, "13063, 13047", multi(rect(981, 0, 2000, 200)), "13047", ""},
		{"1.9 % in a commune not known", quarter, "13047", multi(rect(981, 0, 2000, 200)), "", ""},
		{"1.9 % in another arrondissement", quarter, "13216", multi(rect(981, 0, 2000, 200)), "13215", ""},
		{"2.1 % in another commune", quarter, "13047", multi(rect(979, 0, 2000, 200)), "13063", ""},
		{"0.4 % of a large zone, 4 ha, narrow", large, "13047", multi(rect(4980, 0, 9000, 2000)), "13047", Sliver},
		{"0.4 % of a large zone, 3.6 ha, compact", large, "13047", multi(rect(4810, 0, 9000, 190)), "13047", Sliver},
		{"0.45 % of a large zone, 4.5 ha, compact", large, "13047", multi(rect(4788, 0, 9000, 212)), "13047", ""},
		{"a zone wholly inside", large, "13047", multi(rect(100, 100, 200, 200)), "13047", ""},
	}
	for _, tt := range tests {
		from := zoneSet("qpv-2015", Zone{Geom: tt.geom, Commune: tt.commune})
		to := zoneSet("iris-2016", Zone{Geom: tt.to, Commune: tt.communes})
		got, err := Overlaps(context.Background(), from, to)
		if err != nil || len(got) != 1 || got[0].Note != tt.want {
			t.Errorf("%s: %v, %v, want the note %q", tt.name, got, err, tt.want)
		}
	}
}

// TestMarginExact checks the margins that are skipped against those that are computed.
func TestMarginExact(t *testing.T) {
	outer := multi(framed(0, 0, 1000, 1000, 400, 400, 500, 500))
	for _, tt := range []struct {
		inner orb.Polygon
		want  float64
	}{
		{rect(100, 100, 200, 200), 0},
		{rect(10.5, 10.5, 20, 20), 0},
		{rect(5, 100, 105, 200), 0.05},
		{rect(300, 400, 395, 500), 5. / 95},
		{rect(300, 400, 389.5, 500), 0},
	} {
		a, b := Prepare(multi(tt.inner)), Prepare(outer)
		m := new(measurer)
		m.hold(b)
		got := margin(m, a, a.IntersectionArea(b)) / a.Area()
		m.hold(a)
		if back := margin(m, b, b.IntersectionArea(a)) / a.Area(); math.Abs(got-tt.want) > 1e-12 || math.Abs(back-tt.want) > 1e-12 {
			t.Errorf("margin of %v = %v and %v, want %v", tt.inner, got, back, tt.want)
		}
	}
}

// Boxes are found another way where a coordinate is negative.
func TestOverlapsWestAndSouthOfOrigin(t *testing.T) {
	at := func(dx, dy float64) []Overlap {
		square, wide := multi(rect(0, 0, 100, 100)), multi(rect(50, -50, 250, 150))
		got, err := Overlaps(context.Background(),
			zoneSet("qpv-2015", Zone{Code: "Q", Geom: moved(square, dx, dy)}),
			zoneSet("iris-2016", Zone{Code: "I", Geom: moved(wide, dx, dy)}))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := []Overlap{{Area: 5000, ShareFrom: 0.5, ShareTo: 0.125}}
	for _, d := range [][2]float64{{1000, 1000}, {0, 0}, {-75, 0}, {0, -75}, {-1000, -1000}} {
		if diff := cmp.Diff(want, at(d[0], d[1])); diff != "" {
			t.Errorf("moved by %v (-want +got):\n%s", d, diff)
		}
	}
}

func TestOverlapsSameOnAnyNumberOfProcessors(t *testing.T) {
	from, to := real13(t, "2013-14")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want, err := Overlaps(context.Background(), from, to, WithMargins())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 7} {
		runtime.GOMAXPROCS(n)
		got, err := Overlaps(context.Background(), from, to, WithMargins())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("on %d processors: %v, other overlaps than on one", n, err)
		}
	}
	if !slices.IsSortedFunc(want, func(a, b Overlap) int { return (a.From-b.From)*1e6 + a.To - b.To }) {
		t.Error("overlaps are out of order")
	}
}

// TestOverlapsOracle compares the quarters of the Bouches-du-Rhône, in three editions of the IRIS, with areas
// computed by GEOS (rounded to 0.1 m², pieces under 0.5 m² left out).
func TestOverlapsOracle(t *testing.T) {
	type key struct{ from, to string }
	oracle := map[string]map[key]float64{}
	for _, row := range readCSV(t, realFile(t, "oracle", "qpv_iris_overlap_13.csv"))[1:] {
		if oracle[row[0]] == nil {
			oracle[row[0]] = map[key]float64{}
		}
		area, err := strconv.ParseFloat(row[8], 64)
		if err != nil {
			t.Fatal(err)
		}
		oracle[row[0]][key{row[1], row[6]}] = area
	}
	for edition, want := range oracle {
		from, to := real13(t, edition)
		overlaps, err := Overlaps(context.Background(), from, to, WithMargins())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d pairs, %d in the oracle", edition, len(overlaps), len(want))
		for _, o := range overlaps {
			k := key{from.Zones[o.From].Code, to.Zones[o.To].Code}
			ref, found := want[k]
			if !found {
				if o.Area > 0.55 {
					t.Errorf("%s: %v: %.1f m², not in the oracle", edition, k, o.Area)
				}
				continue
			}
			delete(want, k)
			tolerance := 0.1 + 1e-7*ref
			if k.from == "QP013058" { // crosses itself, and the oracle repairs it another way
				tolerance = 0.05 + 1e-4*ref
			}
			if math.Abs(o.Area-ref) > tolerance {
				t.Errorf("%s: %v: %.3f m², want %.1f", edition, k, o.Area, ref)
			}
			if o.Margin < 0 || o.Margin > 1 || o.ShareTo > 1 || o.ShareFrom > 1 {
				t.Errorf("%s: %v: %+v", edition, k, o)
			}
		}
		for k, area := range want {
			t.Errorf("%s: %v: not found, want %.1f m²", edition, k, area)
		}
	}
}

// What follows reads the real files, as the ingestion would, but no more than these tests need.

// realFile is the path of one of the real files.
func realFile(t testing.TB, elem ...string) string {
	dir := os.Getenv("OBSERVATOIRE_REAL")
	if dir == "" {
		t.Skip("OBSERVATOIRE_REAL, the folder of the real files, is not set")
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

var realSets struct {
	sync.Mutex
	qpv  *ZoneSet
	iris map[string]*ZoneSet
}

// real13 is the 65 quarters and the IRIS of the Bouches-du-Rhône in one edition: "2013-14", "2016" or "older".
func real13(t testing.TB, edition string) (qpv, iris *ZoneSet) {
	t.Helper()
	realSets.Lock()
	defer realSets.Unlock()
	if realSets.qpv == nil {
		realSets.qpv = readQPV13(t)
		realSets.iris = map[string]*ZoneSet{}
	}
	if realSets.iris[edition] == nil {
		realSets.iris[edition] = readIRIS13(t, edition)
	}
	return realSets.qpv, realSets.iris[edition]
}

func readIRIS13(t testing.TB, edition string) *ZoneSet {
	file := map[string]string{
		"2016":    "iris_13_contours_iris_2016.geojson.gz",
		"2013-14": "iris_13_contours_iris_2013_lb93.geojson.gz",
		"older":   "iris_13_older_multirow_lb93.geojson.gz",
	}[edition]
	f, err := os.Open(realFile(t, "iris_geo", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	features, err := geojson.UnmarshalFeatureCollection(raw)
	if err != nil {
		t.Fatal(err)
	}
	geographic, err1 := ByEPSG(4326)
	lambert93, err2 := ByEPSG(2154)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	geoms := map[string]orb.MultiPolygon{}
	communes := map[string]string{}
	for _, f := range features.Features {
		first := func(keys ...string) string {
			for _, k := range keys {
				if v, ok := f.Properties[k].(string); ok {
					return v
				}
			}
			return ""
		}
		var mp orb.MultiPolygon
		switch g := f.Geometry.(type) {
		case orb.Polygon:
			mp = orb.MultiPolygon{g}
		case orb.MultiPolygon:
			mp = g
		}
		if edition == "2016" {
			mp = Transform(mp, geographic, lambert93)
		}
		code := first("CODE_IRIS", "DCOMIRIS", "DComIris")
		geoms[code] = append(geoms[code], Orient(mp)...) // the parts of a code on several rows are disjoint
		communes[code] = first("INSEE_COM", "DEPCOM", "DepCom")
	}
	set := &ZoneSet{Layer: Layer("iris-" + edition), EPSG: 2154}
	for code, mp := range geoms {
		set.Zones = append(set.Zones, Zone{Code: code, Commune: communes[code], Geom: mp})
	}
	slices.SortFunc(set.Zones, func(a, b Zone) int { return strings.Compare(a.Code, b.Code) })
	checkConsistent(t, set)
	return set
}

func checkConsistent(t testing.TB, set *ZoneSet) {
	for _, z := range set.Zones {
		if s := Prepare(z.Geom); !s.SelfConsistent() {
			t.Errorf("%s %s is not consistent: area %v", set.Layer, z.Code, s.Area())
		}
	}
}

// readQPV13 reads the polygons of the shapefile whose code, in the DBF, is in département 13.
func readQPV13(t testing.TB) *ZoneSet {
	shp, err := os.ReadFile(realFile(t, "qpv_geo", "QP_METROPOLE_LB93.shp"))
	if err != nil {
		t.Fatal(err)
	}
	dbf, err := os.ReadFile(realFile(t, "qpv_geo", "QP_METROPOLE_LB93.dbf"))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	header, width := int(le.Uint16(dbf[8:])), int(le.Uint16(dbf[10:]))
	var codeAt, codeWidth int
	for at, d := 1, dbf[32:]; d[0] != '\r'; d = d[32:] {
		if strings.TrimRight(string(d[:11]), "\x00") == "CODE_QP" {
			codeAt, codeWidth = at, int(d[16])
		}
		at += int(d[16])
	}
	if codeWidth == 0 {
		t.Fatal("no column CODE_QP")
	}

	set := &ZoneSet{Layer: "qpv-2015", EPSG: 2154}
	for row, rest := 0, shp[100:]; len(rest) > 0; row++ {
		size := 2 * int(binary.BigEndian.Uint32(rest[4:]))
		shape := rest[8 : 8+size]
		rest = rest[8+size:]
		at := header + row*width + codeAt
		code := strings.TrimSpace(string(dbf[at : at+codeWidth]))
		if !strings.HasPrefix(code, "QP013") {
			continue
		}
		parts, points := int(le.Uint32(shape[36:])), int(le.Uint32(shape[40:]))
		coords := shape[44+4*parts:]
		var mp orb.MultiPolygon
		for i := range parts {
			lo, hi := int(le.Uint32(shape[44+4*i:])), points
			if i+1 < parts {
				hi = int(le.Uint32(shape[48+4*i:]))
			}
			var ring orb.Ring
			for j := lo; j < hi; j++ {
				ring = append(ring, orb.Point{
					math.Float64frombits(le.Uint64(coords[16*j:])), math.Float64frombits(le.Uint64(coords[16*j+8:]))})
			}
			// In a shapefile shells are clockwise, and these quarters have each hole after its shell.
			if ring.Orientation() == orb.CW || len(mp) == 0 {
				mp = append(mp, orb.Polygon{ring})
			} else {
				mp[len(mp)-1] = append(mp[len(mp)-1], ring)
			}
		}
		mp, fault := Repair(mp)
		if fault.Kind != "" && code != "QP013058" {
			t.Errorf("%s: %s", code, fault.Kind)
		}
		set.Zones = append(set.Zones, Zone{Code: code, Geom: mp})
	}
	slices.SortFunc(set.Zones, func(a, b Zone) int { return strings.Compare(a.Code, b.Code) })
	checkConsistent(t, set)
	if len(set.Zones) != 65 {
		t.Fatalf("%d quarters, want 65", len(set.Zones))
	}
	return set
}

func readCSV(t testing.TB, path string) [][]string {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
