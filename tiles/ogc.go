package tiles

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"observatoire/geo"
)

// Coordinate reference systems, by the URIs of OGC API – Features: what a request may ask for in crs and bbox-crs.
const (
	crs84   = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
	epsgURI = "http://www.opengis.net/def/crs/EPSG/0/"
)

// conformance are the classes of the OGC standards that the service keeps to.
var conformance = []string{
	"http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
	"http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/html",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
	"http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/geodata-tilesets",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/mvt",
}

var (
	//go:embed ogc.html.tmpl
	documentSource string

	_ = template.Must(pageTemplate.Parse(documentSource))
)

// A document is an answer of the API as a page.
type document struct {
	CSS                           template.CSS
	Service, Edition, Title, Lead string
	Trail, Links                  []link
	Tables                        []docTable
}

type docTable struct {
	Caption string
	Head    []string
	Rows    [][]docCell
}

type docCell struct{ Text, Href string }

// title is what the service calls itself.
func (p *published) title(s *Server) string {
	if s.o.Title != "" {
		return s.o.Title
	}
	return p.edition.Title
}

// writeDocument answers the page, with the way to the other form of it.
func (s *Server) writeDocument(w http.ResponseWriter, r *http.Request, p *published, d *document, other string) error {
	d.CSS, d.Service, d.Edition = template.CSS(pageCSS), p.title(s), p.edition.ID
	base := s.base(r)
	d.Trail = append([]link{{Href: base + "/", Title: "Accueil"}}, d.Trail...)
	d.Links = append(d.Links, link{Href: s.inForm(r, "json"), Rel: "alternate", Type: other, Title: "json"})
	var buf bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&buf, "document", d); err != nil {
		return fmt.Errorf("page of %s: %w", r.URL.Path, err)
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	return send(w, typeHTML, buf.Bytes())
}

const typeHTML = "text/html; charset=utf-8"

// inForm is the address of the request in a form.
func (s *Server) inForm(r *http.Request, f string) string {
	values := r.URL.Query()
	values.Set("f", f)
	return s.base(r) + r.URL.EscapedPath() + "?" + values.Encode()
}

// forms are the links of an answer to itself and to its other form.
func (s *Server) formLinks(r *http.Request, contentType string) []link {
	return []link{
		{Href: s.base(r) + r.URL.RequestURI(), Rel: "self", Type: contentType, Title: "Ce document"},
		{Href: s.inForm(r, "html"), Rel: "alternate", Type: "text/html", Title: "Ce document, en page"}}
}

// handleLanding is the first page, or for programs what the service offers.
func (s *Server) handleLanding(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	if q["f"] != "json" {
		return s.handleFirstPage(w, r, p, q)
	}
	base := s.base(r)
	return writeJSON(w, typeJSON, object{"title": p.title(s), "description": "Zones, tuiles et chiffres de l'édition " + p.edition.ID + ".", "attribution": p.attribution(p.layers),
		"links": append(s.formLinks(r, "application/json"), []link{
			{Href: base + "/api", Rel: "service-desc", Type: typeOpenAPI, Title: "Description de l'interface (OpenAPI 3.0)"},
			{Href: base + "/api?f=html", Rel: "service-doc", Type: "text/html", Title: "Description de l'interface"},
			{Href: base + "/conformance", Rel: "conformance", Type: "application/json", Title: "Classes de conformité"},
			{Href: base + "/collections", Rel: "data", Type: "application/json", Title: "Couches de zones"},
			{Href: base + "/tileMatrixSets", Rel: "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", Type: "application/json", Title: "Grilles de tuiles"},
		}...)})
}

func (s *Server) handleConformance(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	if q["f"] != "html" {
		return writeJSON(w, typeJSON, object{"conformsTo": conformance, "links": s.formLinks(r, "application/json")})
	}
	t := docTable{Caption: "Classes de conformité", Head: []string{"Classe"}}
	for _, c := range conformance {
		t.Rows = append(t.Rows, []docCell{{c, c}})
	}
	return s.writeDocument(w, r, p, &document{Title: "Conformité", Lead: "Parties des standards de l'OGC que le service respecte.", Tables: []docTable{t}}, "application/json")
}

type collection struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Extent      object   `json:"extent,omitempty"`
	ItemType    string   `json:"itemType"`
	CRS         []string `json:"crs"`
	StorageCRS  string   `json:"storageCrs"`
	Count       int      `json:"nombre"` // zones, drawn or not
	Drawn       int      `json:"nombre_avec_contour"`
	Schematic   bool     `json:"schematique"`
	Links       []link   `json:"links"`
}

// crsList are the coordinate reference systems that the layer comes in.
func (l *layer) crsList() []string {
	if l.drawn == 0 {
		return []string{crs84}
	}
	return []string{crs84, epsgURI + strconv.Itoa(l.set.EPSG)}
}

func (p *published) collection(l *layer, base string) collection {
	name := string(l.set.Layer)
	self := base + "/collections/" + url.PathEscape(name)
	crs := l.crsList()
	c := collection{ID: name, Title: l.title(), Description: p.attribution([]*layer{l}), ItemType: "feature", CRS: crs, StorageCRS: crs[len(crs)-1],
		Count: len(l.zones), Drawn: l.drawn, Schematic: l.set.Schematic, Links: []link{
			{Href: self, Rel: "self", Type: "application/json", Title: l.title()},
			{Href: self + "?f=html", Rel: "alternate", Type: "text/html", Title: l.title() + ", en page"},
			{Href: self + "/items", Rel: "items", Type: "application/geo+json", Title: l.title()},
			{Href: self + "/items?f=html", Rel: "items", Type: "text/html", Title: l.title() + ", en page"},
			{Href: base + "/tiles/" + name + ".json", Rel: "describedby", Type: "application/json", Title: "TileJSON"},
			{Href: self + "/tiles", Rel: relTilesets, Type: "application/json", Title: "Tuiles vectorielles"},
		}}
	if l.drawn > 0 {
		c.Extent = object{"spatial": object{"crs": crs84, "bbox": [][]float64{{l.bound.Min[0], l.bound.Min[1], l.bound.Max[0], l.bound.Max[1]}}}}
	}
	return c
}

func (s *Server) handleCollections(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	base := s.base(r)
	if q["f"] == "html" {
		t := docTable{Caption: "Couches de l'édition", Head: []string{"Couche", "Titre", "Zones", "Avec contour"}}
		for _, l := range p.layers {
			name := string(l.set.Layer)
			t.Rows = append(t.Rows, []docCell{{name, base + "/collections/" + url.PathEscape(name) + "?f=html"}, {Text: l.title()}, {Text: strconv.Itoa(len(l.zones))}, {Text: strconv.Itoa(l.drawn)}})
		}
		return s.writeDocument(w, r, p, &document{Title: "Couches de zones", Tables: []docTable{t}}, "application/json")
	}
	list := make([]collection, len(p.layers))
	for i, l := range p.layers {
		list[i] = p.collection(l, base)
	}
	return writeJSON(w, typeJSON, object{"collections": list, "links": s.formLinks(r, "application/json")})
}

func (s *Server) handleCollection(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	c := p.collection(l, s.base(r))
	if q["f"] != "html" {
		return writeJSON(w, typeJSON, c)
	}
	t := docTable{Caption: "La couche " + c.ID, Head: []string{"Propriété", "Valeur"}, Rows: [][]docCell{
		{{Text: "Zones"}, {strconv.Itoa(c.Count), s.base(r) + "/collections/" + url.PathEscape(c.ID) + "/items?f=html"}},
		{{Text: "Avec contour"}, {Text: strconv.Itoa(c.Drawn)}},
		{{Text: "Source"}, {Text: c.Description}},
		{{Text: "Systèmes de coordonnées"}, {Text: strings.Join(c.CRS, " ; ")}},
	}}
	if c.Extent != nil {
		t.Rows = append(t.Rows, []docCell{{Text: "Emprise (degrés)"}, {Text: fmt.Sprintf("%g, %g, %g, %g", l.bound.Min[0], l.bound.Min[1], l.bound.Max[0], l.bound.Max[1])}})
	}
	return s.writeDocument(w, r, p, &document{Title: c.Title, Trail: []link{{Href: s.base(r) + "/collections?f=html", Title: "Couches de zones"}}, Tables: []docTable{t}}, "application/json")
}

// system reads a coordinate reference system of the layer; legal says that it is the one of its contours.
func (l *layer) system(q query, name string) (uri string, legal bool, err error) {
	v, ok := q[name]
	if !ok {
		return crs84, false, nil
	}
	known := l.crsList()
	i := slices.Index(known, v)
	if i < 0 {
		return "", false, badRequest(name, "Système de coordonnées inconnu de « %s » : « %s ». Valeurs admises pour la couche %s : %s.", name, v, l.set.Layer, strings.Join(known, ", "))
	}
	return v, i > 0, nil
}

// selected returns the positions, ascending, of the zones that the parameters keep.
func (l *layer) selected(q query) ([]int, error) {
	_, legal, err := l.system(q, "bbox-crs")
	if err != nil {
		return nil, err
	}
	if err := checkDatetime(q); err != nil {
		return nil, err
	}
	var hits []int
	if bbox, ok := q["bbox"]; ok {
		boxes, err := readBoxes(bbox, legal)
		if err != nil {
			return nil, err
		}
		for _, b := range boxes {
			hits = append(hits, l.meeting(b, legal)...)
		}
		slices.Sort(hits)
		hits = slices.Compact(hits)
	} else {
		hits = make([]int, len(l.zones))
		for i := range hits {
			hits[i] = i
		}
	}
	keep := func(name string, is func(z *geo.Zone, v string) bool) {
		if v, ok := q[name]; ok && v != "" {
			hits = slices.DeleteFunc(hits, func(i int) bool { return !is(&l.set.Zones[i], v) })
		}
	}
	codes := q.list("code")
	keep("code", func(z *geo.Zone, _ string) bool { return slices.Contains(codes, z.Code) })
	keep("nom", func(z *geo.Zone, v string) bool { return strings.EqualFold(z.Name, v) })
	keep("type", func(z *geo.Zone, v string) bool { return z.Type == v })
	keep("commune", func(z *geo.Zone, v string) bool {
		return slices.Contains(strings.FieldsFunc(z.Commune, func(c rune) bool { return c == ' ' || c == ',' || c == ';' }), v)
	})
	return hits, nil
}

// readBoxes reads minx,miny,maxx,maxy; with heights (six numbers), these are left aside. In longitudes, a west beyond
// the east goes across the antimeridian: two boxes.
func readBoxes(s string, legal bool) ([]orb.Bound, error) {
	const want = "Quatre nombres sont attendus : ouest,sud,est,nord"
	unit := ", en degrés."
	if legal {
		unit = ", en mètres."
	}
	parts := strings.Split(s, ",")
	v := make([]float64, len(parts))
	for i, part := range parts {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || f != f || math.Abs(f) > 1e9 {
			return nil, badRequest("bbox", "« bbox » : « %s » n'est pas un nombre. "+want+unit, part)
		}
		v[i] = f
	}
	switch len(v) {
	case 4:
	case 6:
		if v[2] > v[5] {
			return nil, badRequest("bbox", "« bbox » est à l'envers : la hauteur la plus basse vient d'abord.")
		}
		v = []float64{v[0], v[1], v[3], v[4]}
	default:
		return nil, badRequest("bbox", "« bbox » a %d nombres. "+want+unit, len(v))
	}
	if v[1] > v[3] || legal && v[0] > v[2] {
		return nil, badRequest("bbox", "« bbox » est à l'envers : l'ordre attendu est ouest,sud,est,nord.")
	}
	if legal {
		return []orb.Bound{{Min: orb.Point{v[0], v[1]}, Max: orb.Point{v[2], v[3]}}}, nil
	}
	if min(v[0], v[2]) < -180 || max(v[0], v[2]) > 180 || v[1] < -90 || v[3] > 90 {
		return nil, badRequest("bbox", "« bbox » sort du globe : des longitudes et latitudes en degrés sont attendues (et non des mètres, sauf avec bbox-crs).")
	}
	if v[0] > v[2] {
		return []orb.Bound{{Min: orb.Point{v[0], v[1]}, Max: orb.Point{180, v[3]}}, {Min: orb.Point{-180, v[1]}, Max: orb.Point{v[2], v[3]}}}, nil
	}
	return []orb.Bound{{Min: orb.Point{v[0], v[1]}, Max: orb.Point{v[2], v[3]}}}, nil
}

// checkDatetime reads an instant or an interval of RFC 3339. Zones have no date of their own: any keeps them all.
func checkDatetime(q query) error {
	v, ok := q["datetime"]
	if !ok {
		return nil
	}
	wrong := badRequest("datetime", "Date invalide : « %s ». Un instant (2024-01-01T00:00:00Z) ou un intervalle (2020-01-01T00:00:00Z/2024-01-01T00:00:00Z, ou ../2024-01-01T00:00:00Z) est attendu.", v)
	parts := strings.Split(v, "/")
	if len(parts) > 2 {
		return wrong
	}
	var at [2]time.Time
	for i, part := range parts {
		if len(parts) == 2 && (part == "" || part == "..") {
			continue
		}
		t, err := time.Parse(time.RFC3339, part)
		if err != nil {
			if t, err = time.Parse(time.DateOnly, part); err != nil {
				return wrong
			}
		}
		at[i] = t
	}
	if !at[0].IsZero() && !at[1].IsZero() && at[1].Before(at[0]) {
		return wrong
	}
	return nil
}

// meeting returns the positions of the zones that have a point in a box, of longitudes and latitudes or, when legal is
// set, of the projection of the contours.
func (l *layer) meeting(b orb.Bound, legal bool) []int {
	if legal {
		var hits []int
		l.legal.Search(b.Min, b.Max, func(_, _ [2]float64, i int) bool {
			if meets(l.set.Zones[i].Geom, b) {
				hits = append(hits, i)
			}
			return true
		})
		return hits
	}
	nw, se := mercator(b.Min[0], b.Max[1]), mercator(b.Max[0], b.Min[1])
	box := orb.Bound{Min: nw, Max: se}
	return slices.DeleteFunc(l.search(box), func(i int) bool { return !meets(l.zones[i].world, box) })
}

// meets says whether a polygon and a box have a point in common.
func meets(mp orb.MultiPolygon, b orb.Bound) bool {
	for _, poly := range mp {
		for _, ring := range poly {
			for k := 1; k < len(ring); k++ {
				if crosses(ring[k-1], ring[k], b) {
					return true
				}
			}
		}
	}
	return planar.MultiPolygonContains(mp, b.Min) // no side meets the box: it is wholly inside or outside
}

// crosses says whether a segment has a point in a box: the part of it left by each side in turn is not empty.
func crosses(p, q orb.Point, b orb.Bound) bool {
	from, to := 0.0, 1.0
	for axis := range 2 {
		d := q[axis] - p[axis]
		if d == 0 {
			if p[axis] < b.Min[axis] || p[axis] > b.Max[axis] {
				return false
			}
			continue
		}
		in, out := (b.Min[axis]-p[axis])/d, (b.Max[axis]-p[axis])/d
		if in > out {
			in, out = out, in
		}
		if from, to = max(from, in), min(to, out); from > to {
			return false
		}
	}
	return true
}

// appendZone writes a zone's feature in a system, left open after its last property.
func (l *layer) appendZone(b []byte, i int, legal bool) []byte {
	if !legal {
		return append(b, l.feature(i)...)
	}
	z := &l.set.Zones[i]
	var mp orb.MultiPolygon
	if len(z.Geom) > 0 {
		mp = z.Geom.Clone()
		for _, poly := range mp {
			for _, ring := range poly {
				for k, pt := range ring {
					ring[k] = orb.Point{math.Round(pt[0]*1e3) / 1e3, math.Round(pt[1]*1e3) / 1e3} // millimetres
				}
			}
		}
	}
	return appendFeature(b, l.set.Layer, z, mp, l.zones[i].area)
}

func (s *Server) handleItems(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	limit, offset := q.integer(paramLimitItems), q.integer(paramOffset)
	cols, err := p.columns(q, l)
	if err != nil {
		return err
	}
	uri, legal, err := l.system(q, "crs")
	if err != nil {
		return err
	}
	hits, err := l.selected(q)
	if err != nil {
		return err
	}
	page := hits[min(offset, len(hits)):min(offset+limit, len(hits))]
	links := s.formLinks(r, "application/geo+json")
	links = append(links, link{Href: s.base(r) + "/collections/" + url.PathEscape(string(l.set.Layer)), Rel: "collection", Type: "application/json", Title: l.title()})
	if offset+len(page) < len(hits) && len(page) > 0 {
		links = append(links, link{Href: s.nextPage(r, q, offset+len(page)), Rel: "next", Type: "application/geo+json", Title: "Page suivante"})
	}
	if offset > 0 {
		links = append(links, link{Href: s.nextPage(r, q, max(0, min(offset, len(hits))-limit)), Rel: "prev", Type: "application/geo+json", Title: "Page précédente"})
	}
	if q["f"] == "html" {
		return s.itemsPage(w, r, p, l, page, len(hits), cols, links)
	}
	b := make([]byte, 0, 2048)
	b = append(b, `{"type":"FeatureCollection","numberMatched":`...)
	b = strconv.AppendInt(b, int64(len(hits)), 10)
	b = append(b, `,"numberReturned":`...)
	b = strconv.AppendInt(b, int64(len(page)), 10)
	b = append(b, `,"links":[`...)
	b = appendLinks(b, links)
	b = append(b, `],"features":[`...)
	const end = "]}\n"
	w.Header().Set("Content-Type", typeGeoJSON)
	w.Header().Set("Content-Crs", "<"+uri+">")
	if n := len(page); n > 0 && len(cols) == 0 && !legal && page[n-1]-page[0] == n-1 { // zones in a row, as they stand
		text := l.text[l.start[page[0]] : l.start[page[n-1]+1]-1]
		w.Header().Set("Content-Length", strconv.Itoa(len(b)+len(text)+len(end)))
		for _, part := range [][]byte{b, text, []byte(end)} {
			if _, err := w.Write(part); err != nil {
				return nil // the client is gone
			}
		}
		return nil
	}
	size := len(b) + len(end)
	for _, i := range page {
		size += len(l.feature(i)) + 3 + 80*len(cols)
	}
	b = slices.Grow(b, size)
	for k, i := range page {
		if k > 0 {
			b = append(b, ',')
		}
		b = l.appendZone(b, i, legal)
		b = appendColumns(b, cols, i)
		b = append(b, featureEnd...)
	}
	return send(w, typeGeoJSON, append(b, end...))
}

func appendLinks(b []byte, links []link) []byte {
	for i, l := range links {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"rel":`...)
		b = appendString(b, l.Rel)
		b = append(b, `,"type":`...)
		b = appendString(b, l.Type)
		b = append(b, `,"title":`...)
		b = appendString(b, l.Title)
		b = append(b, `,"href":`...)
		b = appendString(b, l.Href)
		b = append(b, '}')
	}
	return b
}

// cells are a zone's figures for a page: why there is none in its place.
func cells(cols []column, i int) (head []string, row []docCell) {
	for k := range cols {
		c := &cols[k]
		head = append(head, c.Indicateur)
		if v := c.value(i); c.statut(i) == 0 && v != nil {
			row = append(row, docCell{Text: v.Valeur().String()})
		} else {
			row = append(row, docCell{Text: statutFR(c.statut(i))})
		}
	}
	return head, row
}

func (s *Server) itemsPage(w http.ResponseWriter, r *http.Request, p *published, l *layer, page []int, matched int, cols []column, links []link) error {
	d := document{Title: l.title(), Lead: fmt.Sprintf("%d zones, dont %d sur cette page.", matched, len(page)), Trail: s.trail(r, l)}
	t := docTable{Caption: "Zones", Head: []string{"Code", "Nom", "Communes", "Type"}}
	for k, i := range page {
		z := &l.set.Zones[i]
		head, row := cells(cols, i)
		if k == 0 {
			t.Head = append(t.Head, head...)
		}
		t.Rows = append(t.Rows, append([]docCell{{z.Code, s.base(r) + "/collections/" + url.PathEscape(string(l.set.Layer)) + "/items/" + url.PathEscape(z.Code) + "?f=html"},
			{Text: z.Name}, {Text: z.Commune}, {Text: z.Type}}, row...))
	}
	d.Tables = []docTable{t}
	for _, l := range links {
		if l.Rel == "prev" || l.Rel == "next" {
			d.Links = append(d.Links, l)
		}
	}
	return s.writeDocument(w, r, p, &d, "application/geo+json")
}

func (s *Server) trail(r *http.Request, l *layer) []link {
	return []link{{Href: s.base(r) + "/collections?f=html", Title: "Couches de zones"},
		{Href: s.base(r) + "/collections/" + url.PathEscape(string(l.set.Layer)) + "?f=html", Title: l.title()}}
}

// nextPage is the address of the request with another offset.
func (s *Server) nextPage(r *http.Request, q query, offset int) string {
	values := url.Values{}
	for name, v := range q {
		values.Set(name, v)
	}
	values.Set("offset", strconv.Itoa(offset))
	if offset == 0 {
		values.Del("offset")
	}
	if len(values) == 0 {
		return s.base(r) + r.URL.EscapedPath()
	}
	return s.base(r) + r.URL.EscapedPath() + "?" + values.Encode()
}

func (s *Server) handleItem(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	cols, err := p.columns(q, l)
	if err != nil {
		return err
	}
	uri, legal, err := l.system(q, "crs")
	if err != nil {
		return err
	}
	code := param(r, "code")
	i, ok := l.set.Index(code)
	if !ok {
		return notFound("Zone inconnue : « %s » n'est pas dans la couche %s.", code, l.set.Layer)
	}
	if q["f"] == "html" {
		z := &l.set.Zones[i]
		t := docTable{Caption: "La zone " + z.Code, Head: []string{"Propriété", "Valeur"}, Rows: [][]docCell{
			{{Text: "Code"}, {Text: z.Code}}, {{Text: "Nom"}, {Text: z.Name}}, {{Text: "Communes"}, {Text: z.Commune}}, {{Text: "Type"}, {Text: z.Type}},
			{{Text: "Aire (m²)"}, {Text: strconv.FormatFloat(l.zones[i].area, 'f', 0, 64)}}}}
		head, row := cells(cols, i)
		for k := range head {
			t.Rows = append(t.Rows, []docCell{{Text: head[k]}, row[k]})
		}
		t.Rows = append(t.Rows, []docCell{{Text: "Chiffres"}, {"toutes les séries", s.base(r) + "/api/series.csv?zone=" + url.QueryEscape(z.Code)}})
		return s.writeDocument(w, r, p, &document{Title: p.names.Zone(l.set.Layer, z.Code), Trail: s.trail(r, l), Tables: []docTable{t}}, "application/geo+json")
	}
	b := appendColumns(l.appendZone(nil, i, legal), cols, i)
	b = append(b, `},"links":[`...)
	b = appendLinks(b, append(s.formLinks(r, "application/geo+json"),
		link{Href: s.base(r) + "/collections/" + url.PathEscape(string(l.set.Layer)), Rel: "collection", Type: "application/json", Title: l.title()}))
	w.Header().Set("Content-Crs", "<"+uri+">")
	return send(w, typeGeoJSON, append(b, "]}\n"...))
}
