package geo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

// A CRS is a coordinate reference system. Its coordinates are eastings and northings in metres or, when it is
// [CRS.Geographic], longitude then latitude in degrees, whatever the order the authority gives to its axes.
// Two values of the same system are equal. The zero CRS is no system: use [ByEPSG], [ParseWKT] or [ParseURN].
//
// The French legal datums, ETRS89 and WGS 84 are taken as one: they agree within the metre, as contours do not.
type CRS struct {
	EPSG int
	Name string

	projection projection
	area       orb.Bound // where the system serves, in degrees
	datums     string    // how definitions name its datum, apart from the world ones; separated by spaces
}

// A projection goes between degrees and metres.
type projection interface {
	forward(lon, lat float64) (x, y float64)
	inverse(x, y float64) (lon, lat float64)
}

func box(west, south, east, north float64) orb.Bound {
	return orb.Bound{Min: orb.Point{west, south}, Max: orb.Point{east, north}}
}

const rgf93Datum = "rgf1993 rgf93 francais1993"

var (
	metropole = box(-5.6, 41.2, 9.8, 51.3)

	wgs84    = CRS{EPSG: 4326, Name: "CRS84", area: box(-180, -90, 180, 90)}
	mercator = CRS{EPSG: 3857, Name: "Web Mercator", projection: webMercator{}, area: box(-180, -85.06, 180, 85.06)}

	// legal holds the systems prescribed by the décret n° 2000-1276, modified, each with the territory it
	// serves.
	legal = []CRS{
		{EPSG: 2154, Name: "Lambert-93", area: metropole, datums: rgf93Datum,
			projection: newLambert(46.5, 3, 44, 49, 700000, 6600000)},
		{EPSG: 5490, Name: "RGAF09 UTM 20N", area: box(-63.3, 14.2, -60.6, 18.3),
			datums: "rgaf09 rraf1991 antillesfrancaises", projection: newUTM(20, false)},
		{EPSG: 2972, Name: "RGFG95 UTM 22N", area: box(-54.8, 2, -51.4, 6),
			datums: "rgfg1995 rgfg95 guyane1995", projection: newUTM(22, false)},
		{EPSG: 2975, Name: "RGR92 UTM 40S", area: box(55, -21.6, 56, -20.7),
			datums: "rgr1992 rgr92 reunion1992", projection: newUTM(40, true)},
		{EPSG: 4471, Name: "RGM04 UTM 38S", area: box(44.8, -13.2, 45.5, -12.4),
			datums: "rgm2004 rgm04 mayotte2004", projection: newUTM(38, true)},
		{EPSG: 3297, Name: "RGPF UTM 6S", area: box(-155, -28.5, -134, -7.5),
			datums: "rgpf polynesiefrancaise", projection: newUTM(6, true)},
	}

	// known is every system, in the order in which unexplained coordinates are tried against them.
	known = slices.Concat(legal, conical(), []CRS{wgs84, mercator})

	// geographicCodes are the longitude–latitude systems on the datums taken as one with WGS 84.
	geographicCodes = []int{4326, 4171, 4258, 4470, 4624, 4627, 4687, 5489}

	// ignf are the systems known here under the names of IGN's own register: QGIS and GDAL write them where a .prj says
	// RGF93_Lambert_93 without a code.
	ignf = map[string]int{"LAMB93": 2154, "RGF93LAMB93": 2154, "RGAF09UTM20": 5490, "UTM22RGFG95": 2972, "RGFG95UTM22": 2972,
		"RGR92UTM40S": 2975, "RGM04UTM38S": 4471, "RGPFUTM6S": 3297, "RGF93CC42": 3942, "RGF93CC43": 3943, "RGF93CC44": 3944,
		"RGF93CC45": 3945, "RGF93CC46": 3946, "RGF93CC47": 3947, "RGF93CC48": 3948, "RGF93CC49": 3949, "RGF93CC50": 3950,
		"WGS84G": 4326, "WGS84GDD": 4326, "RGF93G": 4326, "RGF93GDD": 4326}
)

// conical returns the nine systems CC42 to CC50, which towns use for their large-scale maps.
func conical() []CRS {
	var all []CRS
	for parallel := 42; parallel <= 50; parallel++ {
		lat := float64(parallel)
		all = append(all, CRS{EPSG: 3900 + parallel, Name: fmt.Sprintf("CC%d", parallel), datums: rgf93Datum,
			area:       box(metropole.Min[0], lat-1, metropole.Max[0], lat+1),
			projection: newLambert(lat, 3, lat-0.75, lat+0.75, 1700000, (lat-41)*1e6+200000)})
	}
	return all
}

// ByEPSG returns the system of an EPSG code: 2154, 5490, 2972, 2975, 4471, 3297, the conical systems 3942 to
// 3950, 3857, and 4326 or another geographic code of the same datums, which all give 4326. Any other code is an
// error.
func ByEPSG(code int) (CRS, error) {
	if slices.Contains(geographicCodes, code) {
		return wgs84, nil
	}
	for _, c := range known {
		if c.EPSG == code {
			return c, nil
		}
	}
	return CRS{}, fmt.Errorf("EPSG:%d is not a coordinate system known here", code)
}

// Legal returns the system in which areas and distances are legally measured at a place, given in degrees:
// 2154 in metropolitan France and Corsica, 5490 in the Antilles, 2972 in Guyane, 2975 in La Réunion, 4471 in
// Mayotte, 3297 in Polynésie française. Elsewhere it is an error.
func Legal(lon, lat float64) (CRS, error) {
	for _, c := range legal {
		if c.area.Contains(orb.Point{lon, lat}) {
			return c, nil
		}
	}
	return CRS{}, fmt.Errorf("no French legal projection covers longitude %g, latitude %g", lon, lat)
}

// Geographic tells whether the coordinates are degrees.
func (c CRS) Geographic() bool { return c.projection == nil }

// String names the system as an error message should: "EPSG:2154 (Lambert-93)".
func (c CRS) String() string {
	if c.EPSG == 4326 {
		return c.Name
	}
	return fmt.Sprintf("EPSG:%d (%s)", c.EPSG, c.Name)
}

// Forward gives the coordinates of a place known by its longitude and latitude in degrees. Near the territory
// the system serves they are within a micrometre of PROJ's.
func (c CRS) Forward(lon, lat float64) (x, y float64) {
	if c.projection == nil {
		return lon, lat
	}
	return c.projection.forward(lon, lat)
}

// Inverse gives the longitude and latitude, in degrees, of the place with these coordinates.
func (c CRS) Inverse(x, y float64) (lon, lat float64) {
	if c.projection == nil {
		return x, y
	}
	return c.projection.inverse(x, y)
}

// Transform returns a copy of mp, whose coordinates are in the system from, in the system to.
func Transform(mp orb.MultiPolygon, from, to CRS) orb.MultiPolygon {
	mp = mp.Clone()
	if from.EPSG == to.EPSG {
		return mp
	}
	for _, poly := range mp {
		for _, ring := range poly {
			for i, p := range ring {
				lon, lat := from.Inverse(p[0], p[1])
				x, y := to.Forward(lon, lat)
				ring[i] = orb.Point{x, y}
			}
		}
	}
	return mp
}

const (
	degreeSlack = 1e-6 // degrees: a world box written with rounding
	areaSlack   = 4.0  // degrees: the sea and the neighbours around a territory
)

// Check tells whether coordinates that fill the box b can be of the system c, which a file declares. The error
// names the declared system and, when there is one, the system the coordinates look like. An empty box passes.
func (c CRS) Check(b orb.Bound) error {
	if b.IsEmpty() {
		return nil
	}
	x, y := b.Center()[0], b.Center()[1]
	if !finite(b.Min[0]) || !finite(b.Min[1]) || !finite(b.Max[0]) || !finite(b.Max[1]) {
		return fmt.Errorf("coordinates are not finite numbers: the file declares %v", c)
	}
	degrees := within(b, wgs84.area, degreeSlack)
	switch {
	case c.Geographic() && !degrees:
		return fmt.Errorf("coordinates %.0f, %.0f are not degrees: the file declares %v, %s", x, y, c, lookLike(x, y))
	case c.Geographic():
		// Latitude written first puts France in the Indian Ocean, where it can be told.
		if _, err := Legal(x, y); err != nil {
			if _, err := Legal(y, x); err == nil {
				return fmt.Errorf("coordinates %.4f, %.4f have latitude before longitude: the file declares %v", x, y, c)
			}
		}
	case degrees:
		return fmt.Errorf("coordinates %.4f, %.4f are not metres: the file declares %v, they look like %v (degrees)", x, y, c, wgs84)
	default:
		lon, lat := c.Inverse(x, y)
		if !c.area.Pad(areaSlack).Contains(orb.Point{lon, lat}) {
			return fmt.Errorf("coordinates %.0f, %.0f are outside the area of %v, which the file declares: %s", x, y, c, lookLike(x, y))
		}
	}
	return nil
}

func within(inner, outer orb.Bound, slack float64) bool {
	outer = outer.Pad(slack)
	return outer.Contains(inner.Min) && outer.Contains(inner.Max)
}

// lookLike guesses the projected system of a point in metres: the first one under which it falls on the
// territory served.
func lookLike(x, y float64) string {
	for _, c := range known {
		if c.Geographic() || c == mercator {
			continue
		}
		lon, lat := c.Inverse(x, y)
		if c.area.Contains(orb.Point{lon, lat}) {
			return fmt.Sprintf("they look like %v", c)
		}
	}
	if _, err := Legal(mercator.Inverse(x, y)); err == nil {
		return fmt.Sprintf("they look like %v", mercator)
	}
	return "they look like no system known here"
}

// ParseURN reads the name of a system as GeoJSON and the web write it: "urn:ogc:def:crs:EPSG::2154",
// "urn:ogc:def:crs:OGC:1.3:CRS84", "http://www.opengis.net/def/crs/EPSG/0/2154", "EPSG:4326",
// "urn:ogc:def:crs:IGNF::LAMB93".
func ParseURN(s string) (CRS, error) {
	fields := strings.FieldsFunc(strings.ToUpper(strings.TrimSpace(s)), func(r rune) bool { return r == ':' || r == '/' || r == '#' })
	if len(fields) == 0 {
		return CRS{}, errors.New("empty name of coordinate system")
	}
	last := fields[len(fields)-1]
	if last == "CRS84" {
		return wgs84, nil
	}
	if code, ok := ignf[last]; ok && slices.Contains(fields, "IGNF") {
		return ByEPSG(code)
	}
	code, err := strconv.Atoi(last)
	if err != nil || !slices.Contains(fields, "EPSG") && !slices.Contains(fields, "EPSG.XML") {
		return CRS{}, fmt.Errorf("%q is not a name of coordinate system known here", s)
	}
	return ByEPSG(code)
}

// ParseWKT reads a definition in well-known text, such as the .prj file beside a shapefile. The system is known
// by its projection, its parameters and its datum, for titles and codes are often wrong or missing. A
// definition of another system is an error that says what is not known in it.
func ParseWKT(prj string) (CRS, error) {
	root, err := parseWKT(prj)
	if err != nil {
		return CRS{}, err
	}
	datum := cmpName(root.find("DATUM", "GEODETICDATUM", "TRF", "ENSEMBLE").text())
	if datum == "" {
		return CRS{}, errors.New("coordinate system without a datum")
	}
	if m := root.find("PRIMEM", "PRIMEMERIDIAN"); m != nil && m.number() != 0 {
		return CRS{}, fmt.Errorf("coordinate system from the meridian of %s: not known here", m.text())
	}
	switch root.key {
	case "GEOGCS", "GEOGCRS", "GEODCRS":
		// The unit of the system follows those inside its datum and meridian: the root's own child.
		if u := root.child("UNIT", "ANGLEUNIT"); u != nil && math.Abs(u.number()-math.Pi/180) > 1e-9 {
			return CRS{}, fmt.Errorf("coordinates in %s: only degrees are known here", u.text())
		}
		for _, c := range known {
			if namesDatum(datum, c.datums) {
				return wgs84, nil
			}
		}
		return CRS{}, fmt.Errorf("geographic system of datum %q: not known here", root.find("DATUM").text())
	case "PROJCS", "PROJCRS":
	default:
		return CRS{}, fmt.Errorf("not a coordinate system of the plane: %s", root.key)
	}
	if u := root.child("UNIT", "LENGTHUNIT"); u != nil && math.Abs(u.number()-1) > 1e-9 {
		return CRS{}, fmt.Errorf("coordinates in %s: only metres are known here", u.text())
	}
	declared, err := root.projection()
	if err != nil {
		return CRS{}, err
	}
	for _, c := range known {
		if sameProjection(c, declared) && namesDatum(datum, c.datums) {
			return c, nil
		}
	}
	return CRS{}, fmt.Errorf("projected system %q (%s, datum %s): not known here", root.text(),
		root.find("PROJECTION", "METHOD").text(), root.find("DATUM", "GEODETICDATUM", "TRF", "ENSEMBLE").text())
}

// sameProjection tells whether p gives the system's own coordinates, to the centimetre, in two corners of its
// area: definitions round their parameters.
func sameProjection(c CRS, p projection) bool {
	if c.Geographic() {
		return false
	}
	for _, corner := range []orb.Point{c.area.Min, c.area.Max} {
		x, y := c.Forward(corner[0], corner[1])
		px, py := p.forward(corner[0], corner[1])
		if !(math.Hypot(x-px, y-py) < 0.01) { // a parameter missing or out of range gives NaN
			return false
		}
	}
	return true
}

// namesDatum tells whether a datum, as [cmpName] gives it, is one of the world or of the list.
func namesDatum(datum, list string) bool {
	for name := range strings.FieldsSeq("wgs1984 wgs84 worldgeodeticsystem1984 etrs1989 etrs89 " +
		"europeanterrestrialreferencesystem1989 " + list) {
		if strings.Contains(datum, name) {
			return true
		}
	}
	return false
}

// cmpName leaves of a name what definitions agree on: small letters and digits.
func cmpName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// A wktNode is a KEY["text",number,NODE[…]…]; its quoted and bare words are in order in words.
type wktNode struct {
	key      string
	words    []string
	children []*wktNode
}

func (n *wktNode) text() string {
	if n == nil || len(n.words) == 0 {
		return ""
	}
	return n.words[0]
}

// number is the value after the name, NaN when there is none.
func (n *wktNode) number() float64 {
	if n == nil || len(n.words) < 2 {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(n.words[1], 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

func (n *wktNode) child(keys ...string) *wktNode {
	for _, c := range n.children {
		if slices.Contains(keys, c.key) {
			return c
		}
	}
	return nil
}

// find returns the first node of that key below n, itself excluded.
func (n *wktNode) find(keys ...string) *wktNode {
	if c := n.child(keys...); c != nil {
		return c
	}
	for _, c := range n.children {
		if f := c.find(keys...); f != nil {
			return f
		}
	}
	return nil
}

// each calls f on the nodes of that key below n.
func (n *wktNode) each(key string, f func(*wktNode)) {
	for _, c := range n.children {
		if c.key == key {
			f(c)
		}
		c.each(key, f)
	}
}

// wktParameters gives the several names of a parameter the one of WKT 1.
var wktParameters = map[string]string{
	"latitudeoffalseorigin":         "latitudeoforigin",
	"latitudeofnaturalorigin":       "latitudeoforigin",
	"longitudeoffalseorigin":        "centralmeridian",
	"longitudeofnaturalorigin":      "centralmeridian",
	"longitudeofcenter":             "centralmeridian",
	"latitudeof1ststandardparallel": "standardparallel1",
	"latitudeof2ndstandardparallel": "standardparallel2",
	"eastingatfalseorigin":          "falseeasting",
	"northingatfalseorigin":         "falsenorthing",
	"scalefactoratnaturalorigin":    "scalefactor",
}

// projection builds the projection that a projected system defines.
func (n *wktNode) projection() (projection, error) {
	method := n.find("PROJECTION", "METHOD").text()
	values := map[string]float64{"scalefactor": 1}
	n.each("PARAMETER", func(p *wktNode) {
		name := cmpName(p.text())
		if plain, ok := wktParameters[name]; ok {
			name = plain
		}
		values[name] = p.number()
	})
	v := func(name string) float64 { return values[name] }
	switch cmpName(method) {
	case "lambertconformalconic", "lambertconformalconic2sp", "lambertconicconformal2sp":
		if v("scalefactor") == 1 {
			return newLambert(v("latitudeoforigin"), v("centralmeridian"), v("standardparallel1"), v("standardparallel2"),
				v("falseeasting"), v("falsenorthing")), nil
		}
	case "transversemercator", "gausskruger":
		return newTransverseMercator(v("latitudeoforigin"), v("centralmeridian"), v("scalefactor"),
			v("falseeasting"), v("falsenorthing")), nil
	case "mercatorauxiliarysphere", "popularvisualisationpseudomercator":
		return webMercator{}, nil
	case "mercator1sp":
		// GDAL writes the web's Mercator as an ordinary one with the sphere in an extension.
		if ext := n.find("EXTENSION"); ext != nil && len(ext.words) > 1 && strings.Contains(ext.words[1], "+b=6378137") {
			return webMercator{}, nil
		}
	}
	return nil, fmt.Errorf("projection %q of %q: not known here", method, n.text())
}

func parseWKT(s string) (*wktNode, error) {
	p := wktParser{rest: strings.TrimPrefix(s, "\ufeff")}
	n, err := p.node(0)
	if err != nil {
		return nil, fmt.Errorf("definition of coordinate system: %w", err)
	}
	return n, nil
}

type wktParser struct{ rest string }

const wktDepth = 32 // deeper than any definition, so that a hostile file does not exhaust the stack

func (p *wktParser) node(depth int) (*wktNode, error) {
	if depth > wktDepth {
		return nil, errors.New("nested too deep")
	}
	n := &wktNode{key: strings.ToUpper(p.word())}
	if n.key == "" || !p.accept("[(") {
		return nil, errors.New("no bracket after a keyword")
	}
	for {
		p.space()
		switch {
		case strings.HasPrefix(p.rest, `"`):
			end := strings.IndexByte(p.rest[1:], '"')
			if end < 0 {
				return nil, errors.New("quote not closed")
			}
			n.words = append(n.words, p.rest[1:1+end])
			p.rest = p.rest[end+2:]
		default:
			before := p.rest
			word := p.word()
			if word == "" {
				return nil, errors.New("value missing")
			}
			if p.space(); strings.HasPrefix(p.rest, "[") || strings.HasPrefix(p.rest, "(") {
				p.rest = before
				c, err := p.node(depth + 1)
				if err != nil {
					return nil, err
				}
				n.children = append(n.children, c)
			} else {
				n.words = append(n.words, word)
			}
		}
		if p.accept("])") {
			return n, nil
		}
		if !p.accept(",") {
			return nil, errors.New("bracket not closed")
		}
	}
}

func (p *wktParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *wktParser) word() string {
	p.space()
	end := strings.IndexAny(p.rest, "[](),\" \t\r\n")
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return w
}

func (p *wktParser) accept(one string) bool {
	p.space()
	if p.rest == "" || !strings.ContainsRune(one, rune(p.rest[0])) {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// The ellipsoid GRS 80. WGS 84's differs from it by 0.1 mm at the pole.
const (
	semiMajor  = 6378137.0
	flattening = 1 / 298.257222101
	radian     = math.Pi / 180
)

var (
	eccentricity2 = flattening * (2 - flattening)
	eccentricity  = math.Sqrt(eccentricity2)
)

// isometric returns the isometric latitude of the latitude with this sine: Snyder, Map Projections (USGS PP
// 1395), formula 3-7.
func isometric(sin float64) float64 {
	return math.Atanh(sin) - eccentricity*math.Atanh(eccentricity*sin)
}

// latitude returns in radians the latitude whose conformal latitude has the tangent t: Newton's method on the
// tangents, after Karney, Transverse Mercator with an accuracy of a few nanometers (2011), formulae 19–21.
func latitude(t float64) float64 {
	tau := t / (1 - eccentricity2)
	for range 6 {
		secant := math.Sqrt(1 + tau*tau)
		sigma := math.Sinh(eccentricity * math.Atanh(eccentricity*tau/secant))
		ti := tau*math.Sqrt(1+sigma*sigma) - sigma*secant
		delta := (t - ti) / math.Sqrt(1+ti*ti) * (1 + (1-eccentricity2)*tau*tau) / ((1 - eccentricity2) * secant)
		tau += delta
		if math.Abs(delta) < 1e-12*max(1, math.Abs(tau)) {
			break
		}
	}
	return math.Atan(tau)
}

// turn brings a difference of longitudes, in degrees, between -180 and 180.
func turn(d float64) float64 {
	if d < -180 || d > 180 {
		return math.Remainder(d, 360)
	}
	return d
}

// lambert is the conformal conic projection with two standard parallels: Snyder, formulae 14-15 to 15-11; EPSG
// method 9802.
type lambert struct {
	meridian, x0   float64
	exponent, a, y float64 // of the cone; radius at the equator; ordinate of its apex
}

func newLambert(lat0, lon0, lat1, lat2, x0, y0 float64) projection {
	if lat2 < lat1 { // EPSG and ESRI list the parallels in opposite orders
		lat1, lat2 = lat2, lat1
	}
	scale := func(lat float64) (m, psi float64) {
		sin, cos := math.Sincos(lat * radian)
		return cos / math.Sqrt(1-eccentricity2*sin*sin), isometric(sin)
	}
	m1, psi1 := scale(lat1)
	m2, psi2 := scale(lat2)
	n := math.Sin(lat1 * radian)
	if lat1 != lat2 {
		n = math.Log(m1/m2) / (psi2 - psi1)
	}
	a := semiMajor * m1 / n * math.Exp(n*psi1)
	_, psi0 := scale(lat0)
	return lambert{meridian: lon0, x0: x0, exponent: n, a: a, y: y0 + a*math.Exp(-n*psi0)}
}

func (p lambert) forward(lon, lat float64) (x, y float64) {
	radius := p.a * math.Exp(-p.exponent*isometric(math.Sin(lat*radian)))
	sin, cos := math.Sincos(p.exponent * turn(lon-p.meridian) * radian)
	return p.x0 + radius*sin, p.y - radius*cos
}

func (p lambert) inverse(x, y float64) (lon, lat float64) {
	dx, dy := x-p.x0, p.y-y
	psi := -math.Log(math.Hypot(dx, dy)/p.a) / p.exponent
	return p.meridian + math.Atan2(dx, dy)/p.exponent/radian, latitude(math.Sinh(psi)) / radian
}

// transverseMercator is Krüger's series to the sixth order in the third flattening: Karney (2011), formulae 7–15
// and 35–36.
type transverseMercator struct{ meridian, scale, x0, y0 float64 }

func newUTM(zone int, south bool) projection {
	y0 := 0.0
	if south {
		y0 = 1e7
	}
	return newTransverseMercator(0, float64(zone)*6-183, 0.9996, 500000, y0)
}

func newTransverseMercator(lat0, lon0, scale, x0, y0 float64) projection {
	p := transverseMercator{meridian: lon0, scale: scale * rectifying, x0: x0}
	_, base := p.forward(lon0, lat0)
	p.y0 = y0 - base
	return p
}

const (
	n1 = flattening / (2 - flattening) // third flattening
	n2 = n1 * n1
	n3 = n2 * n1
	n4 = n2 * n2
	n5 = n4 * n1
	n6 = n3 * n3

	rectifying = semiMajor / (1 + n1) * (1 + n2/4 + n4/64 + n6/256) // radius, m
)

var (
	krugerForward = [6]float64{
		n1/2 - 2*n2/3 + 5*n3/16 + 41*n4/180 - 127*n5/288 + 7891*n6/37800,
		13*n2/48 - 3*n3/5 + 557*n4/1440 + 281*n5/630 - 1983433*n6/1935360,
		61*n3/240 - 103*n4/140 + 15061*n5/26880 + 167603*n6/181440,
		49561*n4/161280 - 179*n5/168 + 6601661*n6/7257600,
		34729*n5/80640 - 3418889*n6/1995840,
		212378941 * n6 / 319334400,
	}
	krugerInverse = [6]float64{
		-(n1/2 - 2*n2/3 + 37*n3/96 - n4/360 - 81*n5/512 + 96199*n6/604800),
		-(n2/48 + n3/15 - 437*n4/1440 + 46*n5/105 - 1118711*n6/3870720),
		-(17*n3/480 - 37*n4/840 - 209*n5/4480 + 5569*n6/90720),
		-(4397*n4/161280 - 11*n5/504 - 830251*n6/7257600),
		-(4583*n5/161280 - 108847*n6/3991680),
		-(20648693 * n6 / 638668800),
	}
)

// kruger adds to xi + i·eta the sum of c[k]·sin(2(k+1)(xi + i·eta)), by Clenshaw's recurrence.
func kruger(c *[6]float64, xi, eta float64) (float64, float64) {
	s, k := math.Sincos(2 * xi)
	sh, ch := math.Sinh(2*eta), math.Cosh(2*eta)
	// 2·cos(2ζ), with ζ = xi + i·eta
	re, im := 2*k*ch, -2*s*sh
	var b1r, b1i, b2r, b2i float64
	for j := len(c) - 1; j >= 0; j-- {
		b1r, b1i, b2r, b2i = re*b1r-im*b1i-b2r+c[j], re*b1i+im*b1r-b2i, b1r, b1i
	}
	// times sin(2ζ)
	sr, si := s*ch, k*sh
	return xi + sr*b1r - si*b1i, eta + sr*b1i + si*b1r
}

func (p transverseMercator) forward(lon, lat float64) (x, y float64) {
	t := math.Sinh(isometric(math.Sin(lat * radian))) // tangent of the conformal latitude
	sin, cos := math.Sincos(turn(lon-p.meridian) * radian)
	xi, eta := kruger(&krugerForward, math.Atan2(t, cos), math.Asinh(sin/math.Hypot(t, cos)))
	return p.x0 + p.scale*eta, p.y0 + p.scale*xi
}

func (p transverseMercator) inverse(x, y float64) (lon, lat float64) {
	xi, eta := kruger(&krugerInverse, (y-p.y0)/p.scale, (x-p.x0)/p.scale)
	sin, cos := math.Sincos(xi)
	sh := math.Sinh(eta)
	return p.meridian + math.Atan2(sh, cos)/radian, latitude(sin/math.Hypot(sh, cos)) / radian
}

// webMercator is the Mercator projection of the sphere, fed with latitudes of the ellipsoid: EPSG method 1024.
type webMercator struct{}

func (webMercator) forward(lon, lat float64) (x, y float64) {
	return semiMajor * lon * radian, semiMajor * math.Atanh(math.Sin(lat*radian))
}

func (webMercator) inverse(x, y float64) (lon, lat float64) {
	return x / semiMajor / radian, math.Atan(math.Sinh(y/semiMajor)) / radian
}
