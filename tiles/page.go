package tiles

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

var (
	//go:embed page.html.tmpl
	pageSource string
	//go:embed page.css
	pageCSS string

	pageTemplate = template.Must(template.New("page").Parse(pageSource))

	// pagePolicy lets in the page's own style sheet, by its hash, and a form to itself: nothing else.
	pagePolicy = func() string {
		sum := sha256.Sum256([]byte(pageCSS))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	}()
)

const (
	mapWidth, mapHeight     = 760, 480
	thumbWidth, thumbHeight = 132, 80
	maxThumbs               = 12 // small maps drawn, in a territory of many quarters
	classes                 = 5
	mapMargin               = 0.12 // of the quarters' extent, around it
)

// A pageView is all the landing page shows.
type pageView struct {
	CSS       template.CSS
	Title     string
	Edition   string
	Schematic bool
	Warning   string // schematic contours
	Notice    string // what could not be shown as asked
	Absent    string // why the interactive map is not there

	Indicateurs []option
	Millesimes  []option
	Sexes       []option
	Couches     []option
	Vues        []option

	Map      *mapView
	Overlaps overlapTable
	Values   valueTable
	Links    []pageLink
	Layers   []layerLink
}

type option struct {
	Value, Label string
	Selected     bool
}

type pageLink struct{ Href, Label string }

type layerLink struct {
	Name, Title string
	Zones       int
	Drawn       bool
}

// A mapView is a map drawn in SVG: pixels, y down.
type mapView struct {
	Width, Height int
	Title         string
	Desc          string
	Shapes        []shape // filled
	Outlines      []shape
	Labels        []label
	ScaleWidth    float64 // of the scale bar
	ScaleLabel    string
	Legend        []legendEntry
	Caption       string
	Unit          string
	Rows          []mapRow // the same figures as the map's
}

// A mapRow is a zone of the map in its table.
type mapRow struct{ Code, Name, Value, Statut string }

type shape struct{ D, Class, Title string }

type label struct {
	X, Y   float64
	Anchor string
	Text   string
}

type legendEntry struct{ Class, Label string }

type overlapTable struct {
	From, To string
	Rows     []overlapRow
}

type overlapRow struct {
	First        bool
	Span         int
	Code, Name   string
	Commune      string
	Thumb        *mapView
	To, ToCode   string
	Share, Other string
	Note         string
}

type valueTable struct {
	References []string
	Silent     []string // references to which no gap can be given
	Rows       []valueRow
	Empty      string
}

type valueRow struct {
	Code, Name, Level string
	Millesime         string
	Value, Range      string
	Statut            string
	Method            string
	Fiabilite         string
	Estimate          bool
	Gaps              []gapCell
}

type gapCell struct{ Gap, Reference, Motif string }

// A choice is what the reader asked to see, completed.
type choice struct {
	def       *indicators.Definition
	layer     *layer
	sexe      string
	millesime int
	vue       string // code of a quarter, allQuarters, or "" for the QPV
	notice    string
}

func (s *Server) handlePage(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	view, err := p.page(q)
	if err != nil {
		return err
	}
	if s.o.Title != "" {
		view.Title = s.o.Title
	}
	view.Absent = s.viewer.absent
	var buf bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&buf, "page", view); err != nil {
		return fmt.Errorf("landing page: %w", err)
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	return send(w, "text/html; charset=utf-8", buf.Bytes())
}

func writeErrorPage(w http.ResponseWriter, title string, p *problem) {
	if title == "" {
		title = "Observatoire"
	}
	var buf bytes.Buffer
	err := pageTemplate.ExecuteTemplate(&buf, "error", map[string]any{"CSS": template.CSS(pageCSS), "Title": title, "Problem": p})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
	if err == nil {
		_, _ = w.Write(buf.Bytes())
	}
}

func (p *published) page(q query) (*pageView, error) {
	c, err := p.choose(q)
	if err != nil {
		return nil, err
	}
	e := p.edition
	v := &pageView{CSS: template.CSS(pageCSS), Title: e.Title, Edition: e.ID, Schematic: e.Schematic, Notice: c.notice}
	if e.Schematic {
		v.Warning = schematicWarning
	}
	p.options(v, c)
	var fill *fill
	if c.layer != nil {
		fill = p.fill(c)
		v.Map = p.mainMap(c, fill)
	}
	v.Overlaps = p.overlapTable(c, fill)
	v.Values = p.valueTable(c)
	if c.def != nil {
		sel := url.Values{"indicateur": {c.def.ID}}
		v.Links = append(v.Links,
			pageLink{"/api/series.csv?" + sel.Encode(), "Séries de l'indicateur (CSV)"},
			pageLink{"/api/series.xlsx?" + sel.Encode(), "Séries de l'indicateur (classeur)"},
			pageLink{"/api/ecarts.csv?" + sel.Encode(), "Écarts de l'indicateur (CSV)"},
			pageLink{"/api/series?" + sel.Encode(), "Séries (JSON)"})
	}
	v.Links = append(v.Links, pageLink{"/api/recouvrements.csv", "Recouvrements (CSV)"}, pageLink{"/api/recouvrements.xlsx", "Recouvrements (classeur)"},
		pageLink{"/calibration", "Écart des méthodes aux producteurs"}, pageLink{"/api/indicateurs", "Indicateurs (JSON)"}, pageLink{"/api/editions", "Édition et sources (JSON)"},
		pageLink{"/collections", "Couches (GeoJSON)"}, pageLink{"/tiles/style.json", "Style des tuiles"})
	for _, l := range p.layers {
		v.Layers = append(v.Layers, layerLink{string(l.set.Layer), l.title(), len(l.zones), l.drawn > 0})
	}
	return v, nil
}

// choose reads the reader's choice and completes it.
func (p *published) choose(q query) (c choice, err error) {
	ids, err := q.indicateurs(p, "indicateur")
	if err != nil {
		return c, err
	}
	asked, err := q.millesime()
	if err != nil {
		return c, err
	}
	c.sexe = q.sexe("T")
	if name := q["couche"]; name != "" {
		if c.layer = p.byName[geo.Layer(name)]; c.layer == nil {
			return c, badRequest("couche", "Couche inconnue : « %s ». Couches de l'édition : %s.", name, p.layerList())
		}
	}
	if c.vue = q["vue"]; c.vue != "" && c.vue != allQuarters && !slices.ContainsFunc(p.quarters(), func(z quarter) bool { return z.code() == c.vue }) {
		return c, badRequest("vue", "Quartier inconnu : « %s ».", c.vue)
	}
	if len(ids) > 1 {
		return c, badRequest("indicateur", "La page montre un indicateur à la fois.")
	}
	if len(ids) == 1 {
		c.def = p.defs[ids[0]]
	}

	c.complete(p, q["sexe"] != "")
	if c.layer != nil && c.layer.drawn == 0 {
		c.notice = fmt.Sprintf("La couche « %s » n'a pas de contours : ses valeurs sont dans les tables seulement.", c.layer.title())
	}
	if c.def == nil || c.layer == nil {
		return c, nil
	}
	id := seriesID{c.def.ID, c.layer.set.Layer, c.sexe}
	latest, known := p.latest(id)
	if year, ok := p.latestOfQuarters(id); ok {
		latest = year
	}
	c.millesime = latest
	switch {
	case asked != nil && slices.Contains(p.years[id], *asked):
		c.millesime = *asked
	case asked != nil && known:
		c.notice = strings.TrimSpace(c.notice + fmt.Sprintf(" Aucune valeur pour le millésime %s sur cette couche : la carte montre %s.", indicators.LabelMillesime(*asked), indicators.LabelMillesime(latest)))
	case !known && c.notice == "":
		c.notice = "Cet indicateur n'a aucune valeur sur cette couche pour ce choix : zones hachurées."
	}
	return c, nil
}

// latestOfQuarters is the last millésime of a series for which the producer describes the quarters themselves: what a
// reader should meet first, rather than a later year of estimates.
func (p *published) latestOfQuarters(id seriesID) (int, bool) {
	for _, y := range slices.Backward(p.years[id]) {
		if y <= 0 {
			break
		}
		for _, z := range p.quarters() {
			own := id
			own.couche = z.layer.set.Layer
			col := p.column(own, &y)
			if v := col.value(z.i); v != nil && v.Nature == indicators.Producteur && v.Statut == indicators.Disponible {
				return y, true
			}
		}
	}
	return 0, false
}

// complete picks what the reader did not: the newest layer of IRIS that has figures, among the rates and medians
// about as well filled as any the one that tells most of the quarters' gaps (counts mislead on a map), women and
// men together where that exists.
func (c *choice) complete(p *published, askedSexe bool) {
	layers := []*layer{c.layer}
	if c.layer == nil {
		layers = slices.Clone(p.layers)
		slices.SortStableFunc(layers, func(a, b *layer) int {
			return cmp.Or(cmp.Compare(layerRank(a), layerRank(b)), cmp.Compare(b.set.Layer.Vintage(), a.set.Layer.Vintage()))
		})
	}
	var rates, counts []*indicators.Definition
	for i := range p.edition.Indicators {
		switch d := &p.edition.Indicators[i]; {
		case c.def != nil && c.def != d:
		case d.Rule == indicators.Somme:
			counts = append(counts, d)
		default:
			rates = append(rates, d)
		}
	}
	sexes := []string{c.sexe}
	for _, x := range []string{"T", "F", "H"} {
		if x != c.sexe {
			sexes = append(sexes, x)
		}
	}
	for _, l := range layers {
		if l.drawn == 0 {
			continue
		}
		for _, sexe := range sexes {
			for _, defs := range [][]*indicators.Definition{rates, counts} {
				filled := make([]int, len(defs))
				for i, d := range defs {
					id := seriesID{d.ID, l.set.Layer, sexe}
					if year, ok := p.latest(id); ok {
						filled[i] = p.available(id, year)
					}
				}
				// The one that tells most of the quarters' gaps; of those that tell about as much, a median.
				best := -1
				for i := range defs {
					if filled[i] == 0 || 2*filled[i] < slices.Max(filled) {
						continue
					}
					if best < 0 || headline(defs[i], p.gaps[defs[i].ID]) > headline(defs[best], p.gaps[defs[best].ID]) {
						best = i
					}
				}
				if best < 0 {
					continue
				}
				if sexe != c.sexe && askedSexe {
					c.notice = fmt.Sprintf("Pas de chiffre pour ce choix de sexe sur cette couche : la carte montre « %s ».", sexeFR(sexe))
				}
				c.layer, c.def, c.sexe = l, defs[best], sexe
				return
			}
		}
	}
	if c.layer == nil && len(layers) > 0 && layers[0].drawn > 0 {
		c.layer = layers[0]
	}
	if c.def == nil {
		if all := append(rates, counts...); len(all) > 0 {
			c.def = all[0]
		}
	}
}

func layerRank(l *layer) int {
	switch {
	case l.drawn == 0:
		return 9
	case l.set.Layer.Level() == "iris":
		return 0
	case isQuarter(l.set.Layer.Level()):
		return 2
	default:
		return 1
	}
}

func (p *published) options(v *pageView, c choice) {
	for i := range p.edition.Indicators {
		d := &p.edition.Indicators[i]
		v.Indicateurs = append(v.Indicateurs, option{d.ID, d.Label, d == c.def})
	}
	for _, x := range [][2]string{{"T", "Ensemble"}, {"F", "Femmes"}, {"H", "Hommes"}} {
		v.Sexes = append(v.Sexes, option{x[0], x[1], x[0] == c.sexe})
	}
	for _, l := range p.layers {
		if l.drawn > 0 {
			v.Couches = append(v.Couches, option{string(l.set.Layer), l.title(), l == c.layer})
		}
	}
	if c.def != nil && c.layer != nil {
		for _, y := range slices.Backward(p.years[seriesID{c.def.ID, c.layer.set.Layer, c.sexe}]) {
			v.Millesimes = append(v.Millesimes, option{yearParam(y), indicators.LabelMillesime(y), y == c.millesime})
		}
	}
	v.Vues = append(v.Vues, option{"", "Quartiers prioritaires", c.vue == ""}, option{allQuarters, "Tous les quartiers", c.vue == allQuarters})
	for _, z := range p.quarters() {
		v.Vues = append(v.Vues, option{z.code(), z.layer.name(z.i), z.code() == c.vue})
	}
}

// allQuarters frames the map on every quarter, not on the QPV alone.
const allQuarters = "tous"

// one says whether the reader asked for a single quarter.
func (c *choice) one() bool { return c.vue != "" && c.vue != allQuarters }

// framed are the quarters the map is framed on.
func (p *published) framed(c choice) []quarter {
	all := p.quarters()
	if c.vue == allQuarters {
		return all
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(z quarter) bool {
		if c.vue == "" {
			return z.layer.set.Layer.Level() != "qpv"
		}
		return z.code() != c.vue
	})
	if len(kept) == 0 {
		return all
	}
	return kept
}

// A quarter is a zone of a layer of quarters.
type quarter struct {
	layer *layer
	i     int
}

func (z quarter) code() string { return z.layer.set.Zones[z.i].Code }

// name is a zone's name, or its code.
func (l *layer) name(i int) string {
	if n := l.set.Zones[i].Name; n != "" {
		return n
	}
	return l.set.Zones[i].Code
}

// quarters are the zones of the newest layer of each level of quarters, those of the QPV first.
func (s *Snapshot) quarters() []quarter {
	var list []quarter
	for _, level := range []string{"qpv", "veille", "quartier_vecu"} {
		for _, l := range s.layers {
			if l.set.Layer.Level() == level && s.newest(l) {
				for i := range l.zones {
					list = append(list, quarter{l, i})
				}
			}
		}
	}
	return list
}

// A fill classes the zones of the coloured layer.
type fill struct {
	col    column
	unit   string
	places int         // decimals
	breaks []float64   // upper bound of each class but the last
	span   [][]float64 // smallest and largest value of each class
	absent map[indicators.Statut]bool
}

// fill makes the classes of the page's map.
func (p *published) fill(c choice) *fill {
	if c.def == nil {
		return nil
	}
	return p.fillIn(c, p.view(c))
}

// fillIn makes classes of equal numbers of zones (quantiles) among those a map shows.
func (p *published) fillIn(c choice, view orb.Bound) *fill {
	f := &fill{col: p.column(seriesID{c.def.ID, c.layer.set.Layer, c.sexe}, &c.millesime), unit: c.def.Unit, places: c.def.Decimals,
		absent: map[indicators.Statut]bool{}}
	var values []float64
	for i := range c.layer.zones {
		geom := c.layer.set.Zones[i].Geom
		if len(geom) == 0 || !view.Intersects(geom.Bound()) {
			continue
		}
		if st := f.col.statut(i); st != indicators.Disponible {
			f.absent[st] = true
			continue
		}
		values = append(values, f.col.value(i).V)
	}
	slices.Sort(values)
	for k := 1; k < classes && len(values) > 0; k++ {
		b := values[(len(values)*k-1)/classes]
		if b < values[len(values)-1] && (len(f.breaks) == 0 || b > f.breaks[len(f.breaks)-1]) {
			f.breaks = append(f.breaks, b)
		}
	}
	if len(values) > 0 {
		f.span = make([][]float64, len(f.breaks)+1)
		for _, v := range values {
			k := f.class(v)
			if f.span[k] == nil {
				f.span[k] = []float64{v, v}
			}
			f.span[k][1] = v
		}
	}
	return f
}

// class is the rank of the class that holds v.
func (f *fill) class(v float64) int {
	k := 0
	for k < len(f.breaks) && v > f.breaks[k] {
		k++
	}
	return k
}

// css is the class of a zone's shape. Fewer classes than colours spread over the whole ramp.
func (f *fill) css(i int) string {
	if f == nil {
		return "vide"
	}
	switch st := f.col.statut(i); st {
	case indicators.Disponible:
		return f.color(f.class(f.col.value(i).V))
	case indicators.Secret, indicators.NonSignificatif:
		return "secret"
	default:
		return "absent"
	}
}

func (f *fill) color(k int) string {
	n := len(f.breaks)
	if n == 0 {
		return "c2"
	}
	return "c" + strconv.Itoa(k*(classes-1)/n)
}

// text says what is known of a zone, for the reader who points at it.
func (f *fill) text(i int) string {
	if f == nil {
		return ""
	}
	if f.col.statut(i) != indicators.Disponible {
		return " : " + statutFR(f.col.statut(i))
	}
	return " : " + withUnit(f.col.value(i).V, f.places, f.unit)
}

func (f *fill) row(l *layer, i int) mapRow {
	r := mapRow{Code: l.set.Zones[i].Code, Name: l.name(i), Statut: statutFR(f.col.statut(i))}
	if v := f.col.value(i); v != nil && v.Statut == indicators.Disponible {
		r.Value = withUnit(v.V, f.places, f.unit)
	}
	return r
}

// view is the extent of the map, in the legal projection.
func (p *published) view(c choice) orb.Bound {
	var b orb.Bound
	found := false
	margin := mapMargin
	for _, z := range p.framed(c) {
		if z.layer.set.EPSG != c.layer.set.EPSG || len(z.layer.set.Zones[z.i].Geom) == 0 {
			continue
		}
		zb := z.layer.set.Zones[z.i].Geom.Bound()
		if !found {
			b, found = zb, true
		} else {
			b = b.Union(zb)
		}
	}
	if c.one() {
		margin = 0.6
	}
	if !found {
		margin = 0.02
		for i := range c.layer.set.Zones {
			g := c.layer.set.Zones[i].Geom
			switch {
			case len(g) == 0:
			case !found:
				b, found = g.Bound(), true
			default:
				b = b.Union(g.Bound())
			}
		}
	}
	return pad(b, margin, mapWidth, mapHeight)
}

// pad adds a margin around a box and gives it the proportions of the picture.
func pad(b orb.Bound, margin float64, width, height int) orb.Bound {
	c := b.Center()
	w := max(b.Max[0]-b.Min[0], 100) * (1 + 2*margin)
	h := max(b.Max[1]-b.Min[1], 100) * (1 + 2*margin)
	if ratio := float64(width) / float64(height); w < h*ratio {
		w = h * ratio
	} else {
		h = w / ratio
	}
	return orb.Bound{Min: orb.Point{c[0] - w/2, c[1] - h/2}, Max: orb.Point{c[0] + w/2, c[1] + h/2}}
}

// A canvas draws zones of the legal projection in a picture, on a grid of a tenth of a pixel.
type canvas struct {
	g      grid
	view   orb.Bound
	places float64 // grid units a pixel
}

func newCanvas(view orb.Bound, width, height int) *canvas {
	const places = 10
	k := float64(width) * places / (view.Max[0] - view.Min[0])
	return &canvas{view: view, places: places, g: grid{sx: k, ox: -view.Min[0] * k, sy: -k, oy: view.Max[1] * k,
		box: orb.Bound{Min: orb.Point{-80, -80}, Max: orb.Point{float64(width)*places + 80, float64(height)*places + 80}}}}
}

// path is the outline of a geometry, "" when the picture shows none of it.
func (c *canvas) path(mp orb.MultiPolygon) string {
	if len(mp) == 0 || !c.view.Intersects(mp.Bound()) {
		return ""
	}
	var b []byte
	number := func(v float64) { b = strconv.AppendFloat(b, v/c.places, 'f', -1, 64) }
	for _, poly := range c.g.multiPolygon(mp) {
		for _, ring := range poly {
			for k, pt := range ring[:len(ring)-1] {
				if k == 0 {
					b = append(b, 'M')
				} else {
					b = append(b, 'L')
				}
				number(pt[0])
				b = append(b, ' ')
				number(pt[1])
			}
			b = append(b, 'Z')
		}
	}
	return string(b)
}

func (p *published) mainMap(c choice, f *fill) *mapView {
	view := p.view(c)
	cv := newCanvas(view, mapWidth, mapHeight)
	m := &mapView{Width: mapWidth, Height: mapHeight}
	layer := c.layer.set
	if c.def != nil {
		m.Title = c.def.Label
		m.Unit = c.def.Unit
		m.Desc = fmt.Sprintf("%s ; millésime %s ; %s", c.layer.title(), indicators.LabelMillesime(c.millesime), sexeFR(c.sexe))
	} else {
		m.Title, m.Desc = c.layer.title(), "Contours seuls : l'édition n'a pas d'indicateur"
	}
	for i := range layer.Zones {
		if d := cv.path(layer.Zones[i].Geom); d != "" {
			m.Shapes = append(m.Shapes, shape{d, f.css(i), c.layer.name(i) + f.text(i)})
			if f != nil {
				m.Rows = append(m.Rows, f.row(c.layer, i))
			}
		}
	}
	for _, l := range p.layers { // communes give their bearings
		if l.set.Layer.Level() == "commune" && p.newest(l) && l != c.layer && l.set.EPSG == layer.EPSG {
			for i := range l.set.Zones {
				if d := cv.path(l.set.Zones[i].Geom); d != "" {
					m.Outlines = append(m.Outlines, shape{d, "commune", ""})
				}
			}
		}
	}
	quarters := slices.Clone(p.quarters())
	var taken []orb.Bound
	for _, z := range quarters { // no name over a quarter
		if g := z.layer.set.Zones[z.i].Geom; len(g) > 0 && z.layer.set.EPSG == layer.EPSG && view.Intersects(g.Bound()) {
			taken = append(taken, cv.pixels(g.Bound()))
		}
	}
	for _, z := range quarters { // labels: the QPV first, where there is room
		if z.layer.set.EPSG == layer.EPSG {
			if lb, ok := cv.place(z.layer.set.Zones[z.i].Geom, z.layer.name(z.i), &taken); ok {
				m.Labels = append(m.Labels, lb)
			}
		}
	}
	levels := map[string]bool{}
	for _, z := range slices.Backward(quarters) { // outlines: the QPV last, above the others
		if z.layer.set.EPSG != layer.EPSG {
			continue
		}
		if d := cv.path(z.layer.set.Zones[z.i].Geom); d != "" {
			level := z.layer.set.Layer.Level()
			levels[level] = true
			m.Outlines = append(m.Outlines, shape{d, "halo", ""}, shape{d, level, z.layer.name(z.i)})
		}
	}
	m.ScaleWidth, m.ScaleLabel = scaleBar(view)
	if f != nil {
		for k, span := range f.span {
			if span == nil {
				continue
			}
			text := indicators.FrenchNumber(span[0], f.places)
			if span[0] != span[1] {
				text += " à " + indicators.FrenchNumber(span[1], f.places)
			}
			m.Legend = append(m.Legend, legendEntry{f.color(k), text})
		}
		if f.absent[indicators.Secret] || f.absent[indicators.NonSignificatif] {
			m.Legend = append(m.Legend, legendEntry{"secret", "secret statistique ou non significatif"})
		}
		if f.absent[indicators.NonDisponible] || f.absent[indicators.SansObjet] {
			m.Legend = append(m.Legend, legendEntry{"absent", "non disponible"})
		}
	}
	for _, x := range [][2]string{{"qpv", "quartier prioritaire (QPV)"}, {"veille", "quartier de veille"}, {"quartier_vecu", "quartier vécu"}} {
		if levels[x[0]] {
			m.Legend = append(m.Legend, legendEntry{x[0], x[1]})
		}
	}
	m.Caption = p.caption(c)
	return m
}

// caption names the sources of the figures shown, as their producers ask.
func (p *published) caption(c choice) string {
	var used []indicators.Source
	var cited []string
	if c.def != nil {
		col := p.column(seriesID{c.def.ID, c.layer.set.Layer, c.sexe}, &c.millesime)
		for i := range c.layer.zones {
			v := col.value(i)
			if v == nil || v.Source == "" || slices.Contains(cited, v.Source) {
				continue
			}
			cited = append(cited, v.Source)
			for _, src := range p.edition.Sources {
				if src.File != "" && strings.Contains(v.Source, src.File) && !slices.ContainsFunc(used, func(u indicators.Source) bool { return u.ID == src.ID }) {
					used = append(used, src)
				}
			}
		}
	}
	if len(used) == 0 && len(cited) > 0 { // figures cited one by one, from a document: its table
		for _, src := range p.edition.Sources {
			if src.Level == c.layer.set.Layer.Level() && src.Rows > 0 {
				used = append(used, src)
			}
		}
	}
	list := captions(used)
	text := "calculs de l'observatoire, édition " + p.edition.ID
	if len(list) > 0 {
		text = "Source : " + strings.Join(list, " ; ") + " – " + text
	} else {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	text += ". Contours : " + c.layer.title() + "."
	if c.def != nil { // figures of another year's geography say so where they show
		col := p.column(seriesID{c.def.ID, c.layer.set.Layer, c.sexe}, &c.millesime)
		for i := range c.layer.zones {
			if v := col.value(i); v != nil && strings.Contains(v.Note, indicators.Rapprochee) {
				_, note, _ := strings.Cut(" ; "+v.Note, " ; "+indicators.Rapprochee)
				note, _, _ = strings.Cut(note, " ; ")
				text += " Attention : " + indicators.Rapprochee + note + "."
				break
			}
		}
	}
	if c.layer.set.Schematic && !strings.Contains(c.layer.title(), "schématique") {
		text += " Contours schématiques."
	}
	return text
}

// pixels is where a box of the legal projection lies in the picture.
func (c *canvas) pixels(b orb.Bound) orb.Bound {
	return orb.Bound{
		Min: orb.Point{(b.Min[0]*c.g.sx + c.g.ox) / c.places, (b.Max[1]*c.g.sy + c.g.oy) / c.places},
		Max: orb.Point{(b.Max[0]*c.g.sx + c.g.ox) / c.places, (b.Min[1]*c.g.sy + c.g.oy) / c.places},
	}
}

// place finds room for a name beside a zone: below, above, right or left of it.
func (c *canvas) place(mp orb.MultiPolygon, name string, taken *[]orb.Bound) (label, bool) {
	if len(mp) == 0 {
		return label{}, false
	}
	b := c.pixels(mp.Bound())
	left, top, right, bottom := b.Min[0], b.Min[1], b.Max[0], b.Max[1]
	mx, my := (left+right)/2, (top+bottom)/2
	const lineHeight, letter = 15, 7.1 // a little more than an average letter at 13 pixels
	w := letter*float64(len([]rune(name))) + 4
	width, height := (c.g.box.Max[0]-80)/c.places, (c.g.box.Max[1]-80)/c.places
	for _, try := range []struct {
		x, y, shift float64
		anchor      string
	}{
		{mx, bottom + 15, -w / 2, "middle"}, {mx, top - 6, -w / 2, "middle"},
		{right + 6, my + 4, 0, "start"}, {left - 6, my + 4, -w, "end"},
		{mx, top - 26, -w / 2, "middle"}, {mx, bottom + 33, -w / 2, "middle"},
	} {
		box := orb.Bound{Min: orb.Point{try.x + try.shift, try.y - lineHeight + 3}, Max: orb.Point{try.x + try.shift + w, try.y + 3}}
		if box.Min[0] < 2 || box.Min[1] < 2 || box.Max[0] > width-2 || box.Max[1] > height-2 || slices.ContainsFunc(*taken, box.Intersects) {
			continue
		}
		*taken = append(*taken, box)
		return label{math.Round(try.x*10) / 10, math.Round(try.y*10) / 10, try.anchor, name}, true
	}
	return label{}, false
}

// scaleBar is a round length that takes about a fifth of the map's width.
func scaleBar(view orb.Bound) (width float64, text string) {
	length, text := scaleLength(view)
	return math.Round(length/(view.Max[0]-view.Min[0])*mapWidth*10) / 10, text
}

// scaleLength is the length of a scale bar, in metres, and how it is written.
func scaleLength(view orb.Bound) (length float64, text string) {
	metres := (view.Max[0] - view.Min[0]) / 5
	length = math.Pow(10, math.Floor(math.Log10(metres)))
	for _, k := range []float64{5, 2} {
		if length*k <= metres {
			length *= k
			break
		}
	}
	if length >= 1000 {
		return length, indicators.FrenchNumber(length/1000, 0) + " km"
	}
	return length, indicators.FrenchNumber(length, 0) + " m"
}

func sexeFR(s string) string {
	switch s {
	case "F":
		return "femmes"
	case "H":
		return "hommes"
	default:
		return "ensemble"
	}
}

// overlapTable is the parts of each QPV in the IRIS: those of the map, or the newest that were crossed.
func (p *published) overlapTable(c choice, f *fill) (t overlapTable) {
	var set *indicators.OverlapSet
	for i := range p.edition.Overlaps {
		o := &p.edition.Overlaps[i]
		from, to := p.byName[o.From], p.byName[o.To]
		if from == nil || to == nil || o.From.Level() != "qpv" || o.To.Level() != "iris" || !p.newest(from) {
			continue
		}
		if set == nil || c.layer == to || set.To != c.layer.set.Layer && o.To.Vintage() > set.To.Vintage() {
			set = o
		}
	}
	if set == nil {
		return t
	}
	from, to := p.byName[set.From], p.byName[set.To]
	t.From, t.To = from.title(), to.title()
	thumbs := 0
	for k := 0; k < len(set.Pairs); {
		end := k
		for end < len(set.Pairs) && set.Pairs[end].From == set.Pairs[k].From {
			end++
		}
		pairs := slices.Clone(set.Pairs[k:end])
		slices.SortStableFunc(pairs, func(a, b geo.Overlap) int { // the largest part first
			switch {
			case a.ShareFrom > b.ShareFrom:
				return -1
			case a.ShareFrom < b.ShareFrom:
				return 1
			}
			return 0
		})
		z := pairs[0].From
		for n, pair := range pairs {
			row := overlapRow{First: n == 0, Span: len(pairs), Code: from.set.Zones[z].Code, Name: from.name(z),
				Commune: p.communes(from.set.Zones[z].Commune), To: to.name(pair.To), ToCode: to.set.Zones[pair.To].Code,
				Share: shareFR(pair.ShareFrom), Other: shareFR(pair.ShareTo), Note: pair.Note}
			if n == 0 && thumbs < maxThumbs && len(from.set.Zones[z].Geom) > 0 && from.set.EPSG == to.set.EPSG {
				thumbs++
				row.Thumb = thumb(from, z, to, f)
			}
			t.Rows = append(t.Rows, row)
		}
		k = end
	}
	return t
}

// communes are the names of communes given by their codes.
func (s *Snapshot) communes(codes string) string {
	var names []string
	for _, code := range strings.Split(codes, ",") {
		code = strings.TrimSpace(code)
		for _, l := range s.layers {
			if i, ok := l.set.Index(code); ok && l.set.Layer.Level() == "commune" {
				code = l.name(i)
				break
			}
		}
		names = append(names, code)
	}
	return strings.Join(names, ", ")
}

// thumb is a small map of a quarter over the zones that cut it.
func thumb(from *layer, z int, to *layer, f *fill) *mapView {
	g := from.set.Zones[z].Geom
	view := pad(g.Bound(), 0.25, thumbWidth, thumbHeight)
	cv := newCanvas(view, thumbWidth, thumbHeight)
	m := &mapView{Width: thumbWidth, Height: thumbHeight, Title: from.name(z) + " sur les IRIS"}
	for i := range to.set.Zones {
		if d := cv.path(to.set.Zones[i].Geom); d != "" {
			class := "vide"
			if f != nil && f.col.Couche == to.set.Layer {
				class = f.css(i)
			}
			m.Shapes = append(m.Shapes, shape{D: d, Class: class})
		}
	}
	d := cv.path(g)
	m.Outlines = []shape{{d, "halo", ""}, {d, "qpv", ""}}
	return m
}

// headline is how much an indicator tells at first sight: its gaps, half as many again for a median.
func headline(d *indicators.Definition, gaps int) int {
	if d.Rule == indicators.Mediane {
		return 3 * gaps
	}
	return 2 * gaps
}

// valueTable is the selected indicator for every quarter, with its gaps to each reference.
func (p *published) valueTable(c choice) (t valueTable) {
	if c.def == nil {
		t.Empty = "L'édition n'a pas d'indicateur."
		return t
	}
	names := indicators.NewNames(p.edition)
	type gapKey struct {
		indicators.Key
		code      string
		reference geo.Layer
	}
	gaps := map[gapKey]indicators.Ecart{}
	years := map[string]int{} // shown, by quarter
	for _, z := range p.quarters() {
		if year, ok := p.yearOf(seriesID{c.def.ID, z.layer.set.Layer, c.sexe}, z.i, c.millesime); ok {
			years[z.code()] = year
		}
	}
	var references, silent []geo.Layer // those with a gap to show, and those without any
	for _, x := range p.edition.Ecarts {
		// A quarter compared with another may have several references in one layer: they are in /api/ecarts.
		if x.Indicateur != c.def.ID || x.Sexe != c.sexe || !isQuarter(x.Couche.Level()) || isQuarter(x.Reference.Level()) {
			continue
		}
		if year, ok := years[x.Code]; !ok || year != x.Millesime {
			continue
		}
		gaps[gapKey{x.Key, x.Code, x.Reference}] = x
		list := &silent
		if x.Ecart.OK {
			list = &references
		}
		if !slices.Contains(*list, x.Reference) {
			*list = append(*list, x.Reference)
		}
	}
	silent = slices.DeleteFunc(silent, func(l geo.Layer) bool { // another composition of the same level may speak that year
		return slices.ContainsFunc(references, func(r geo.Layer) bool { return r.Level() == l.Level() })
	})
	for _, l := range silent {
		t.Silent = append(t.Silent, referenceFR(l, p.byName[l]))
	}
	slices.SortFunc(references, func(a, b geo.Layer) int { // from the nearest to the widest
		if ra, rb := referenceRank(a), referenceRank(b); ra != rb {
			return ra - rb
		}
		return strings.Compare(string(a), string(b))
	})
	for _, l := range references {
		t.References = append(t.References, referenceFR(l, p.byName[l]))
	}
	for _, z := range p.quarters() {
		if c.one() && z.code() != c.vue {
			continue
		}
		name := z.layer.set.Layer
		id := seriesID{c.def.ID, name, c.sexe}
		year, ok := p.yearOf(id, z.i, c.millesime)
		if !ok {
			continue
		}
		col := p.column(id, &year)
		row := valueRow{Code: z.code(), Name: z.layer.name(z.i), Level: levelFR(name.Level()), Millesime: indicators.LabelMillesime(year),
			Statut: statutFR(col.statut(z.i))}
		if v := col.value(z.i); v != nil {
			row.Method, row.Estimate = methodeFR(v.Methode), v.Nature == indicators.Estimation
			row.Fiabilite = v.Fiabilite.String()
			if v.Statut == indicators.Disponible {
				row.Value = withUnit(v.V, c.def.Decimals, c.def.Unit)
				if v.Min.OK && v.Max.OK && v.Min.V != v.Max.V {
					row.Range = "de " + indicators.FrenchNumber(v.Min.V, c.def.Decimals) + " à " + indicators.FrenchNumber(v.Max.V, c.def.Decimals) + " selon la méthode"
				}
			}
		}
		for _, ref := range references {
			x, ok := gaps[gapKey{col.Key, z.code(), ref}]
			cell := gapCell{Gap: "—"}
			switch {
			case ok && x.Ecart.OK:
				places := c.def.Decimals
				if x.Unite == "%" {
					places = max(places, 1)
				}
				cell.Gap = indicators.FrenchSigned(x.Ecart.V, places) + " " + gapUnit(x)
				if x.ValeurReference.OK {
					cell.Reference = names.Zone(x.Reference, x.ReferenceCode) + " : " + indicators.FrenchNumber(x.ValeurReference.V, c.def.Decimals)
				}
			case ok:
				cell.Gap, cell.Motif = statutFR(x.Statut), x.Motif
			}
			row.Gaps = append(row.Gaps, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		t.Empty = "Aucun quartier n'a de valeur pour ce choix."
	}
	return t
}

// yearOf is the millésime to show for one zone: the one wanted where the zone has a figure for it, else its
// last figure's, else the layer's latest.
func (s *Snapshot) yearOf(id seriesID, zone, wanted int) (int, bool) {
	years := append(slices.Clone(s.years[id]), wanted)
	for _, y := range slices.Backward(years) {
		if col := s.column(id, &y); col.statut(zone) == indicators.Disponible {
			return y, true
		}
	}
	return s.latest(id)
}

// gapUnit is the unit of a gap, singular below 2 as French has it.
func gapUnit(x indicators.Ecart) string {
	if x.Unite == "points" && math.Abs(x.Ecart.V) < 2 {
		return "point"
	}
	return x.Unite
}

var referenceLevels = []struct{ level, text string }{
	{"commune", "commune"}, {"perimetre_contrat", "périmètre du contrat"}, {"epci", "intercommunalité"}, {"departement", "département"},
	{"region", "région"}, {"france", "France"},
}

func referenceRank(l geo.Layer) int {
	for i, x := range referenceLevels {
		if x.level == l.Level() {
			return i
		}
	}
	return 1 // a perimeter of the project: between commune and intercommunality
}

func referenceFR(name geo.Layer, l *layer) string {
	for _, x := range referenceLevels {
		if x.level == name.Level() {
			return x.text
		}
	}
	if l != nil {
		return l.title()
	}
	return string(name)
}

func levelFR(level string) string {
	switch level {
	case "qpv":
		return "QPV"
	case "veille":
		return "veille"
	case "quartier_vecu":
		return "quartier vécu"
	}
	return level
}

func withUnit(v float64, places int, unit string) string {
	if unit == "" {
		return indicators.FrenchNumber(v, places)
	}
	return indicators.FrenchNumber(v, places) + "\u00a0" + unit
}

// shareFR is a share, between 0 and 1, as a percentage.
func shareFR(v float64) string {
	if v > 0 && v < 0.0005 {
		return "<\u00a00,1\u00a0%"
	}
	return indicators.FrenchNumber(v*100, 1) + "\u00a0%"
}
