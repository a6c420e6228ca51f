package geo

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/paulmach/orb"
)

// Places and their coordinates as PROJ 9.1.1 gives them, on the ellipsoid GRS 80.
var projected = []struct {
	epsg           int
	lon, lat, x, y float64
}{
	{2154, 5, 43.5, 861802.455760, 6268817.607575},
	{2154, -4.7, 48.4, 130974.986531, 6838844.677249},
	{2154, 9.2, 42.1, 1213338.715444, 6131231.847052},
	{3944, 5, 43.5, 1861729.855306, 3146411.331859},
	{5490, -61.5, 16.2, 660342.312389, 1791644.131495},
	{5490, -61, 14.6, 715447.875264, 1615033.118941},
	{2972, -52.3, 4.9, 355855.438441, 541750.163564},
	{2975, 55.5, -21.1, 344197.575410, 7666050.711042},
	{4471, 45.2, -12.8, 521705.548031, 8584972.962468},
	{3297, -149.5, -17.6, 234683.909505, 8052316.997077},
	{3297, -140.1, -8.9, 1260377.214361, 9009094.273982},
	{3857, 5, 43.5, 556597.453966, 5388389.272819},
	{4326, 5, 43.5, 5, 43.5},
}

func TestForwardInverse(t *testing.T) {
	for _, tt := range projected {
		c := mustCRS(t, tt.epsg)
		if x, y := c.Forward(tt.lon, tt.lat); math.Hypot(x-tt.x, y-tt.y) > 2e-6 {
			t.Errorf("%v: Forward(%g, %g) = %.6f, %.6f, want %.6f, %.6f", c, tt.lon, tt.lat, x, y, tt.x, tt.y)
		}
		if lon, lat := c.Inverse(tt.x, tt.y); math.Hypot(lon-tt.lon, lat-tt.lat) > 2e-11 {
			t.Errorf("%v: Inverse(%f, %f) = %.12f, %.12f, want %g, %g", c, tt.x, tt.y, lon, lat, tt.lon, tt.lat)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, c := range known {
		for range 2000 {
			p := somewhere(c, rnd)
			x, y := c.Forward(p[0], p[1])
			if lon, lat := c.Inverse(x, y); !(math.Hypot(lon-p[0], lat-p[1]) < 1e-11) {
				t.Fatalf("%v: %v comes back as %.14f, %.14f", c, p, lon, lat)
			}
		}
	}
}

// somewhere draws a place in the area of c or up to two degrees around it.
func somewhere(c CRS, rnd *rand.Rand) orb.Point {
	b := c.area
	if c.EPSG != 3857 && c.EPSG != 4326 {
		b = b.Pad(2)
	}
	return orb.Point{b.Min[0] + rnd.Float64()*(b.Max[0]-b.Min[0]), b.Min[1] + rnd.Float64()*(b.Max[1]-b.Min[1])}
}

func TestForwardAgainstPROJ(t *testing.T) {
	if _, err := exec.LookPath("cs2cs"); err != nil {
		t.Skip("cs2cs is not installed (package proj-bin)")
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	worst := 0.0
	for _, c := range known {
		if c.Geographic() {
			continue
		}
		var places []orb.Point
		var in bytes.Buffer
		for range 200 {
			p := somewhere(c, rnd)
			places = append(places, p)
			fmt.Fprintf(&in, "%.17g %.17g\n", p[0], p[1])
		}
		cmd := exec.Command("cs2cs", append([]string{"-f", "%.7f", "+proj=longlat", "+ellps=GRS80", "+to"}, projString(c)...)...)
		cmd.Stdin = &in
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != len(places) {
			t.Fatalf("%v: cs2cs gave %d lines", c, len(lines))
		}
		for i, p := range places {
			var wx, wy float64
			if _, err := fmt.Sscan(lines[i], &wx, &wy); err != nil {
				t.Fatal(err)
			}
			x, y := c.Forward(p[0], p[1])
			d := math.Hypot(x-wx, y-wy)
			if worst = max(worst, d); !(d < 1e-6) {
				t.Errorf("%v: Forward(%v) = %.7f, %.7f, PROJ says %.7f, %.7f", c, p, x, y, wx, wy)
			}
		}
	}
	t.Logf("largest distance to PROJ: %.1e m", worst)
}

// projString is the system in PROJ's words, without shift of datum.
func projString(c CRS) []string {
	switch {
	case c.EPSG == 2154:
		return strings.Fields("+proj=lcc +lat_0=46.5 +lon_0=3 +lat_1=49 +lat_2=44 +x_0=700000 +y_0=6600000 +ellps=GRS80")
	case c.EPSG >= 3942 && c.EPSG <= 3950:
		z := c.EPSG - 3900
		return strings.Fields(fmt.Sprintf("+proj=lcc +lat_0=%d +lon_0=3 +lat_1=%f +lat_2=%f +x_0=1700000 +y_0=%d +ellps=GRS80",
			z, float64(z)-0.75, float64(z)+0.75, (z-41)*1e6+200000))
	case c.EPSG == 3857:
		// On the sphere PROJ would turn the latitudes: tell it to take them as they are.
		return strings.Fields("+proj=webmerc +datum=WGS84")
	}
	utm := map[int]string{5490: "+zone=20", 2972: "+zone=22", 2975: "+zone=40 +south", 4471: "+zone=38 +south", 3297: "+zone=6 +south"}
	return strings.Fields("+proj=utm +ellps=GRS80 " + utm[c.EPSG])
}

func TestTransformCopies(t *testing.T) {
	src := orb.MultiPolygon{{{{5, 43.5}, {5.1, 43.5}, {5.1, 43.6}, {5, 43.5}}}}
	l93 := mustCRS(t, 2154)
	got := Transform(src, wgs84, l93)
	if src[0][0][0] != (orb.Point{5, 43.5}) {
		t.Error("Transform changed its argument")
	}
	if p := got[0][0][0]; math.Hypot(p[0]-861802.455760, p[1]-6268817.607575) > 1e-5 {
		t.Errorf("first point = %v", p)
	}
	if same := Transform(src, wgs84, wgs84); &same[0][0][0] == &src[0][0][0] {
		t.Error("Transform to the same system shares its points with the source")
	}
}

func TestByEPSG(t *testing.T) {
	for _, code := range []int{2154, 3857, 5490, 2972, 2975, 4471, 3297, 3942, 3950} {
		if c := mustCRS(t, code); c.EPSG != code || c.Geographic() {
			t.Errorf("ByEPSG(%d) = %v", code, c)
		}
	}
	if c := mustCRS(t, 4171); c != wgs84 || !c.Geographic() {
		t.Errorf("ByEPSG(4171) = %v, want %v", c, wgs84)
	}
	if _, err := ByEPSG(27572); err == nil || !strings.Contains(err.Error(), "27572") {
		t.Errorf("ByEPSG(27572): %v", err)
	}
}

func TestLegal(t *testing.T) {
	for _, tt := range []struct {
		place    string
		lon, lat float64
		want     int
	}{
		{"Istres", 4.99, 43.51, 2154}, {"Ajaccio", 8.74, 41.92, 2154}, {"Brest", -4.49, 48.39, 2154}, {"Dunkerque", 2.38, 51.03, 2154},
		{"Pointe-à-Pitre", -61.53, 16.24, 5490}, {"Fort-de-France", -61.07, 14.6, 5490}, {"Cayenne", -52.33, 4.92, 2972},
		{"Saint-Denis", 55.45, -20.88, 2975}, {"Mamoudzou", 45.23, -12.78, 4471}, {"Papeete", -149.57, -17.54, 3297},
	} {
		if c, err := Legal(tt.lon, tt.lat); err != nil || c.EPSG != tt.want {
			t.Errorf("%s: %v, %v, want %d", tt.place, c, err, tt.want)
		}
	}
	if c, err := Legal(-74, 40.7); err == nil {
		t.Errorf("New York: %v", c)
	}
}

func TestCheck(t *testing.T) {
	around := func(c CRS, lon, lat float64) orb.Bound {
		x, y := c.Forward(lon, lat)
		d := 1000.0
		if c.Geographic() {
			d = 0.01
		}
		return orb.Point{x, y}.Bound().Pad(d)
	}
	for _, tt := range []struct {
		name     string
		declared int
		box      orb.Bound
		want     string // part of the error; empty when there is none
	}{
		{"degrees as degrees", 4326, around(wgs84, 5, 43.5), ""},
		{"whole world", 4326, box(-180, -90, 180.0000001, 90), ""},
		{"Lambert as Lambert", 2154, around(mustCRS(t, 2154), 5, 43.5), ""},
		{"Tahiti", 3297, around(mustCRS(t, 3297), -149.5, -17.6), ""},
		{"nothing", 2154, orb.MultiPolygon{}.Bound().Pad(-1), ""},
		{"metres as degrees", 4326, box(896000, 6249000, 898000, 6251000),
			"coordinates 897000, 6250000 are not degrees: the file declares CRS84, they look like EPSG:2154 (Lambert-93)"},
		{"degrees as metres", 2154, around(wgs84, 5, 43.5), "5.0000, 43.5000 are not metres: the file declares EPSG:2154 (Lambert-93), they look like CRS84"},
		{"Réunion as degrees", 4326, around(mustCRS(t, 2975), 55.5, -21.1), "they look like EPSG:2975"},
		{"Mayotte as degrees", 4326, around(mustCRS(t, 4471), 45.2, -12.8), "they look like EPSG:4471"},
		{"Guyane as Lambert", 2154, around(mustCRS(t, 2972), -52.3, 4.9), "outside the area of EPSG:2154 (Lambert-93), which the file declares: they look like EPSG:2972"},
		{"CC44 as Lambert", 2154, around(mustCRS(t, 3944), 5, 43.5), "they look like EPSG:3944 (CC44)"},
		{"web as Lambert", 2154, around(mercator, 5, 43.5), "they look like EPSG:3857"},
		{"latitude first", 4326, box(43.4, 4.9, 43.6, 5.1), "latitude before longitude"},
		{"no metres at all", 4326, box(1e8, 1e8, 2e8, 2e8), "no system known"},
		{"not numbers", 2154, orb.Bound{Min: orb.Point{math.NaN(), 0}, Max: orb.Point{1, 1}}, "not finite"},
	} {
		err := mustCRS(t, tt.declared).Check(tt.box)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestParseURN(t *testing.T) {
	for s, want := range map[string]int{
		"urn:ogc:def:crs:EPSG::2154": 2154, "urn:ogc:def:crs:OGC:1.3:CRS84": 4326, "EPSG:4326": 4326, "epsg:5490": 5490,
		"urn:ogc:def:crs:EPSG:6.9:4471": 4471, "http://www.opengis.net/def/crs/EPSG/0/2975": 2975,
		"http://www.opengis.net/def/crs/OGC/1.3/CRS84": 4326, "http://www.opengis.net/gml/srs/epsg.xml#2154": 2154,
		"urn:ogc:def:crs:IGNF::LAMB93": 2154, "IGNF:UTM22RGFG95": 2972, "IGNF:RGF93CC44": 3944, "IGNF:RGF93G": 4326,
	} {
		if c, err := ParseURN(s); err != nil || c.EPSG != want {
			t.Errorf("ParseURN(%q) = %v, %v", s, c, err)
		}
	}
	for _, s := range []string{"", ":", "2154", "EPSG:", "EPSG:lambert", "EPSG:27572", "urn:ogc:def:crs:IGNF::LAMBE", "urn:ogc:def:crs:OGC::LAMB93"} {
		if c, err := ParseURN(s); err == nil {
			t.Errorf("ParseURN(%q) = %v, want an error", s, c)
		}
	}
}

func esri(title, datum, method, parameters string) string {
	return `PROJCS["` + title + `",GEOGCS["GCS",DATUM["` + datum + `",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],` +
		`UNIT["Degree",0.0174532925199433]],PROJECTION["` + method + `"],` + parameters + `,UNIT["Meter",1.0]]`
}

func utmParameters(meridian, northing string) string {
	return `PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",` + northing + `],PARAMETER["Central_Meridian",` + meridian +
		`],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0]`
}

const lambert93Parameters = `PARAMETER["False_Easting",700000.0],PARAMETER["False_Northing",6600000.0],PARAMETER["Central_Meridian",3.0],` +
	`PARAMETER["Standard_Parallel_1",44.0],PARAMETER["Standard_Parallel_2",49.0],PARAMETER["Latitude_Of_Origin",46.5]`

func TestParseWKT(t *testing.T) {
	for _, tt := range []struct {
		name, wkt string
		want      int
	}{
		{"ESRI WGS 84", `GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`, 4326},
		{"with a title that lies", `GEOGCS["RGR92_UTM40S",DATUM["D_RGR_1992",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`, 4326},
		{"ESRI Lambert-93", esri("RGF93_Lambert_93", "D_RGF_1993", "Lambert_Conformal_Conic", lambert93Parameters), 2154},
		{"parallels the other way, title that lies", esri("RGR_1992_UTM_40S", "D_RGF_1993", "Lambert_Conformal_Conic",
			strings.NewReplacer("44.0", "49.00000000001", "49.0", "44").Replace(lambert93Parameters)), 2154},
		{"GDAL", "\ufeff" + strings.Replace(esri("RGF93 v1 / Lambert-93", "Reseau_Geodesique_Francais_1993_v1", "Lambert_Conformal_Conic_2SP",
			strings.ToLower(strings.ReplaceAll(lambert93Parameters, "PARAMETER", "\n  PARAMETER"))), "parameter", "PARAMETER", -1), 2154},
		{"CC44", esri("RGF_1993_CC44", "D_RGF_1993", "Lambert_Conformal_Conic", `PARAMETER["False_Easting",1700000.0],PARAMETER["False_Northing",3200000.0],`+
			`PARAMETER["Central_Meridian",3.0],PARAMETER["Standard_Parallel_1",43.25],PARAMETER["Standard_Parallel_2",44.75],PARAMETER["Latitude_Of_Origin",44.0]`), 3944},
		{"Antilles", esri("RGAF09_UTM_Zone_20N", "Reseau_Geodesique_des_Antilles_Francaises_2009", "Transverse_Mercator", utmParameters("-63.0", "0.0")), 5490},
		{"Antilles, WGS 84", esri("WGS_1984_UTM_Zone_20N", "D_WGS_1984", "Transverse_Mercator", utmParameters("-63.0", "0.0")), 5490},
		{"Guyane", esri("RGFG_1995_UTM_22N", "D_RGFG_1995", "Transverse_Mercator", utmParameters("-51.0", "0.0")), 2972},
		{"Réunion", esri("RGR_1992_UTM_40S", "D_RGR_1992", "Transverse_Mercator", utmParameters("57.0", "10000000.0")), 2975},
		{"Mayotte", esri("RGM_2004_UTM_Zone_38S", "D_Reseau_Geodesique_de_Mayotte_2004", "Transverse_Mercator", utmParameters("45.0", "10000000.0")), 4471},
		{"Polynésie", esri("RGPF_UTM_Zone_6S", "D_Reseau_Geodesique_de_la_Polynesie_Francaise", "Transverse_Mercator", utmParameters("-147.0", "10000000.0")), 3297},
		{"ESRI web", esri("WGS_1984_Web_Mercator_Auxiliary_Sphere", "D_WGS_1984", "Mercator_Auxiliary_Sphere",
			`PARAMETER["False_Easting",0.0],PARAMETER["Central_Meridian",0.0],PARAMETER["Auxiliary_Sphere_Type",0.0]`), 3857},
		{"GDAL web", esri("WGS 84 / Pseudo-Mercator", "WGS_1984", "Mercator_1SP", `PARAMETER["central_meridian",0],PARAMETER["scale_factor",1],`+
			`EXTENSION["PROJ4","+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +units=m +nadgrids=@null"]`), 3857},
		{"WKT 2", `PROJCRS["RGF93 v1 / Lambert-93", BASEGEOGCRS["RGF93 v1", DATUM["Reseau Geodesique Francais 1993 v1",
			ELLIPSOID["GRS 1980",6378137,298.257222101,LENGTHUNIT["metre",1]]], PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]]],
			CONVERSION["Lambert-93", METHOD["Lambert Conic Conformal (2SP)",ID["EPSG",9802]],
			PARAMETER["Latitude of false origin",46.5,ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",8821]],
			PARAMETER["Longitude of false origin",3], PARAMETER["Latitude of 1st standard parallel",49], PARAMETER["Latitude of 2nd standard parallel",44],
			PARAMETER["Easting at false origin",700000], PARAMETER["Northing at false origin",6600000]],
			CS[Cartesian,2], AXIS["easting (X)",east,ORDER[1],LENGTHUNIT["metre",1]], AXIS["northing (Y)",north,ORDER[2],LENGTHUNIT["metre",1]]]`, 2154},
	} {
		if c, err := ParseWKT(tt.wkt); err != nil || c.EPSG != tt.want {
			t.Errorf("%s: %v, %v, want %d", tt.name, c, err, tt.want)
		}
	}
	for _, tt := range []struct{ name, wkt, want string }{
		{"empty", "", "keyword"},
		{"cut", `PROJCS["RGF93_Lambert_93",GEOGCS["GCS`, "quote not closed"},
		{"deep", strings.Repeat("A[", 1000), "deep"},
		{"Lambert II", `PROJCS["NTF_Paris_Lambert_Zone_II",GEOGCS["GCS_NTF_Paris",DATUM["D_NTF",SPHEROID["Clarke_1880_IGN",6378249.2,293.466021293627]],` +
			`PRIMEM["Paris",2.33722917],UNIT["Grad",0.0157079632679489]],PROJECTION["Lambert_Conformal_Conic"],` + lambert93Parameters + `,UNIT["Meter",1.0]]`, "Paris"},
		{"old datum", esri("ED50_UTM_Zone_20N", "D_European_1950", "Transverse_Mercator", utmParameters("-63.0", "0.0")), "D_European_1950"},
		{"grads", `GEOGCS["X",DATUM["D_RGF_1993",SPHEROID["GRS_1980",6378137,298.257]],UNIT["Grad",0.0157079632679489]]`, "Grad"},
		{"kilometres", strings.Replace(esri("X", "D_RGF_1993", "Lambert_Conformal_Conic", lambert93Parameters), `UNIT["Meter",1.0]`, `UNIT["Kilometer",1000]`, 1), "Kilometer"},
		{"parameter missing", esri("X", "D_RGF_1993", "Lambert_Conformal_Conic", `PARAMETER["Central_Meridian"]`), "not known"},
		{"other zone", esri("WGS_1984_UTM_Zone_31N", "D_WGS_1984", "Transverse_Mercator", utmParameters("3.0", "0.0")), "not known"},
		{"local", `LOCAL_CS["plan",UNIT["metre",1]]`, "datum"},
	} {
		if c, err := ParseWKT(tt.wkt); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want an error with %q", tt.name, c, err, tt.want)
		}
	}
}

func FuzzParseWKT(f *testing.F) {
	f.Add(esri("RGF93_Lambert_93", "D_RGF_1993", "Lambert_Conformal_Conic", lambert93Parameters))
	f.Add(`GEOGCS["X",DATUM["D"],UNIT["Degree",(1)]]`)
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseWKT(s); err == nil && c.EPSG == 0 {
			t.Errorf("%q: neither a system nor an error", s)
		}
	})
}

func mustCRS(t testing.TB, code int) CRS {
	t.Helper()
	c, err := ByEPSG(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func BenchmarkForward(b *testing.B) {
	for _, code := range []int{2154, 5490} {
		c := mustCRS(b, code)
		lon, lat := c.area.Center()[0], c.area.Center()[1]
		b.Run(fmt.Sprint(code), func(b *testing.B) {
			for b.Loop() {
				c.Forward(lon, lat)
			}
		})
		x, y := c.Forward(lon, lat)
		b.Run(fmt.Sprint(code, " inverse"), func(b *testing.B) {
			for b.Loop() {
				c.Inverse(x, y)
			}
		})
	}
}
