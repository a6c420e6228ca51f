package tiles

import (
	"cmp"
	"errors"
	"fmt"
	"html"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

// The maps that are printed besides those of an indicator.
const (
	MapGeography  = "geographie"  // the priority geography, one vintage over the other
	MapWatch      = "veille"      // quarters under watch, by commune
	MapFacilities = "equipements" // facilities, with the quartiers vécus
)

// SheetOptions say how a map is printed.
type SheetOptions struct {
	A3        bool   // A4 by default, landscape
	Layer     string // of an indicator: the layer coloured; by default the newest IRIS that have it
	Millesime string
	Sexe      string
	Quarter   string // code of the quarter framed; by default all of them
}

// sheetStyle is in each map: it needs no other file.
const sheetStyle = `text{font-family:"Source Sans 3","Segoe UI",Roboto,"Noto Sans","Liberation Sans","DejaVu Sans",Arial,sans-serif;fill:#1d2733}
.t1{font-size:25px;font-weight:700;fill:#16324f}.t2{font-size:14px;fill:#55606c}.l1{font-size:13.5px;font-weight:700;fill:#16324f}.l2{font-size:12px}.src{font-size:10px;fill:#55606c}
.cadre{fill:#e6edf2;stroke:#16324f;stroke-width:1.2}.c0{fill:#eff3ff}.c1{fill:#bdd7e7}.c2{fill:#6baed6}.c3{fill:#3182bd}.c4{fill:#08519c}.vide{fill:#f7f7f5}.secret{fill:url(#h-secret)}.absent{fill:url(#h-absent)}
.zone{stroke:#66727f;stroke-width:.5;stroke-linejoin:round}.commune{fill:none;stroke:#2b3541;stroke-width:1.2;stroke-dasharray:7 3 1.5 3}.terre{fill:#fbfaf6;stroke:#8c96a1;stroke-width:.8}
.halo{fill:none;stroke:#fff;stroke-width:5;stroke-linejoin:round}.nom{font-size:13px;font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:3.5px;stroke-linejoin:round}.commune-nom{font-size:12px;font-style:italic;fill:#55606c;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:3px}
.equipement{stroke:#fff;stroke-width:.8}.pastille{fill:#fff;stroke:#4a1d6b;stroke-width:1.6}.numero{font-size:12px;font-weight:700;text-anchor:middle}.echelle{fill:none;stroke:#14202c;stroke-width:2}.avis{font-size:12px;font-weight:700;fill:#92400e}`

const hatches = `<defs><pattern id="h-secret" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#fff"/><path d="M1.5 0V6" stroke="#555f6b" stroke-width="1.6"/></pattern><pattern id="h-absent" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect width="8" height="8" fill="#f4f4f2"/><path d="M2 0V8" stroke="#b9c0c7" stroke-width="1"/></pattern></defs>`

// outlines are how layers of quarters are drawn, the first ones told apart by vintage.
var outlines = []string{"fill:#c2410c22;stroke:#c2410c;stroke-width:2.6", "fill:#2563eb1c;stroke:#1d4ed8;stroke-width:2.2;stroke-dasharray:7 3",
	"fill:none;stroke:#047857;stroke-width:2;stroke-dasharray:2.5 2.5", "fill:none;stroke:#7c2d12;stroke-width:1.8;stroke-dasharray:9 3 2 3", "fill:none;stroke:#525252;stroke-width:1.6;stroke-dasharray:1.5 3"}

const watchOutline, useOutline = "fill:#4a1d6b24;stroke:#4a1d6b;stroke-width:2.2", "fill:none;stroke:#4a1d6b;stroke-width:1.6;stroke-dasharray:6 3"

// themeColours tell themes of facilities apart; a theme beyond them shares the last.
var themeColours = []string{"#b91c1c", "#1d4ed8", "#047857", "#b45309", "#7e22ce", "#0e7490", "#be185d", "#4d7c0f", "#334155", "#a16207"}

// A mapSheet is a printed map: a title, a map, its legend, a scale, the north, the sources.
type mapSheet struct {
	drawing2D
	s      *Snapshot
	cv     *canvas
	view   orb.Bound
	mapW   int
	mapH   int
	legend strings.Builder
	row    float64 // of the legend
	taken  []orb.Bound
}

const (
	sheetMargin, sheetHead, sheetFoot, sheetLegend = 30, 66, 48, 250
)

// WriteMap writes a map for print as SVG: one of the three above, or an indicator by its id.
func (s *Snapshot) WriteMap(w io.Writer, name string, o SheetOptions) error {
	m := &mapSheet{s: s}
	m.width, m.height = 1123, 794 // A4 at 96 points an inch
	page := `width="297mm" height="210mm"`
	if o.A3 {
		m.width, m.height = 1587, 1123
		page = `width="420mm" height="297mm"`
	}
	m.mapW, m.mapH = m.width-2*sheetMargin-sheetLegend-14, m.height-2*sheetMargin-sheetHead-sheetFoot
	m.row = 8
	var title, sub, source string
	var err error
	switch name {
	case MapGeography:
		title, sub, source, err = m.geography(o)
	case MapWatch:
		title, sub, source, err = m.watch(o)
	case MapFacilities:
		title, sub, source, err = m.equipment(o)
	default:
		title, sub, source, err = m.indicator(name, o)
	}
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" %s viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title><style>%s</style>%s<rect width="%d" height="%d" fill="#fff"/>`,
		page, m.width, m.height, html.EscapeString(title), html.EscapeString(title), sheetStyle, hatches, m.width, m.height)
	y := float64(sheetMargin + 22)
	size := min(25, float64(m.width-2*sheetMargin)/(0.52*float64(len([]rune(title))))) // on one line
	fmt.Fprintf(&b, `<text class="t1" style="font-size:%spx" x="%d" y="%s">%s</text>`, px(size), sheetMargin, px(y), html.EscapeString(title))
	y += 26
	fmt.Fprintf(&b, `<text class="t2" x="%d" y="%s">%s</text>`, sheetMargin, px(y-4), html.EscapeString(sub))
	fmt.Fprintf(&b, `<svg x="%d" y="%d" width="%d" height="%d" viewBox="0 0 %d %d"><rect class="cadre" width="%d" height="%d"/>%s`, sheetMargin, sheetMargin+sheetHead, m.mapW, m.mapH, m.mapW, m.mapH, m.mapW, m.mapH, m.b.String())
	length, label := scaleLength(m.view)
	bar := length / (m.view.Max[0] - m.view.Min[0]) * float64(m.mapW)
	fmt.Fprintf(&b, `<path class="echelle" d="M16 %dV%dH%sV%d"/><text class="nom" x="%s" y="%d" text-anchor="middle">%s</text>`, m.mapH-22, m.mapH-14, px(16+bar), m.mapH-22, px(16+bar/2), m.mapH-20, html.EscapeString(label))
	fmt.Fprintf(&b, `<g transform="translate(%d 34)"><path d="M0 -20L8 10L0 4L-8 10Z" fill="#14202c"/><text class="nom" x="0" y="25" text-anchor="middle">N</text></g><rect fill="none" stroke="#16324f" stroke-width="1.2" width="%d" height="%d"/></svg>`, m.mapW-26, m.mapW, m.mapH)
	fmt.Fprintf(&b, `<g transform="translate(%d %d)">%s</g>`, m.width-sheetMargin-sheetLegend, sheetMargin+sheetHead, m.legend.String())
	y = float64(m.height - sheetMargin - sheetFoot + 18)
	for i, line := range wrap(source, (m.width-2*sheetMargin)*10/49) {
		if i < 4 {
			fmt.Fprintf(&b, `<text class="src" x="%d" y="%s">%s</text>`, sheetMargin, px(y), html.EscapeString(line))
			y += 12.5
		}
	}
	b.WriteString("</svg>\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// frame sets what the map shows.
func (m *mapSheet) frame(b orb.Bound, margin float64) {
	m.view = pad(b, margin, m.mapW, m.mapH)
	m.cv = newCanvas(m.view, m.mapW, m.mapH)
}

// boundOf is the extent of some layers; ok is false when none is drawn.
func boundOf(layers ...*layer) (b orb.Bound, ok bool) {
	for _, l := range layers {
		for i := range l.set.Zones {
			g := l.set.Zones[i].Geom
			switch {
			case len(g) == 0:
			case !ok:
				b, ok = g.Bound(), true
			default:
				b = b.Union(g.Bound())
			}
		}
	}
	return b, ok
}

// layersOf are the drawn layers of a level, the newest first.
func (s *Snapshot) layersOf(level string) []*layer {
	var list []*layer
	for _, l := range s.layers {
		if l.drawn > 0 && l.set.Layer.Level() == level {
			list = append(list, l)
		}
	}
	slices.SortStableFunc(list, func(a, b *layer) int { return cmp.Compare(b.set.Layer.Vintage(), a.set.Layer.Vintage()) })
	return list
}

// newestOf is the newest drawn layer of a level: a list of one, or of none.
func (s *Snapshot) newestOf(level string) []*layer {
	list := s.layersOf(level)
	return list[:min(1, len(list))]
}

// studiedBound is the extent of the quarters that have figures, or of one of them.
func (s *Snapshot) studiedBound(only string) (b orb.Bound, ok bool) {
	for _, z := range s.Portraits() {
		g := z.z.layer.set.Zones[z.z.i].Geom
		if len(g) == 0 || only != "" && z.Code != only {
			continue
		}
		if !ok {
			b, ok = g.Bound(), true
		} else {
			b = b.Union(g.Bound())
		}
	}
	return b, ok
}

// ground draws the communes beneath, and their names.
func (m *mapSheet) ground() {
	for _, l := range m.s.newestOf("commune") {
		for i := range l.set.Zones {
			m.path("terre", m.cv.path(l.set.Zones[i].Geom))
		}
	}
}

func (m *mapSheet) communeNames() {
	for _, l := range m.s.newestOf("commune") {
		for i := range l.set.Zones {
			g := l.set.Zones[i].Geom
			if len(g) == 0 || !m.view.Intersects(g.Bound()) {
				continue
			}
			c, ok := middle(g)
			if !ok || !m.view.Contains(c) {
				continue
			}
			at := m.cv.pixels(c.Bound()).Min
			w := 6.2 * float64(len([]rune(l.name(i))))
			box := orb.Bound{Min: orb.Point{at[0] - w/2, at[1] - 11}, Max: orb.Point{at[0] + w/2, at[1] + 4}}
			if box.Min[0] < 4 || box.Max[0] > float64(m.mapW)-4 || slices.ContainsFunc(m.taken, box.Intersects) {
				continue
			}
			m.taken = append(m.taken, box)
			m.text("commune-nom", at[0], at[1], l.name(i))
		}
	}
}

// heading begins a part of the legend; entry adds a line to it, swatch being what is drawn in a box of 28 by 15.
func (m *mapSheet) heading(text string) {
	if m.row > 8 {
		m.row += 10
	}
	for _, line := range wrap(text, 36) {
		fmt.Fprintf(&m.legend, `<text class="l1" x="0" y="%s">%s</text>`, px(m.row+4), html.EscapeString(line))
		m.row += 17
	}
	m.row += 4
}

func (m *mapSheet) entry(swatch, text string) {
	fmt.Fprintf(&m.legend, `<g transform="translate(0 %s)">%s</g>`, px(m.row-7), swatch)
	for _, line := range wrap(text, 34) {
		fmt.Fprintf(&m.legend, `<text class="l2" x="38" y="%s">%s</text>`, px(m.row+5), html.EscapeString(line))
		m.row += 15
	}
	m.row += 5
}

func boxSwatch(style string) string {
	return `<rect width="28" height="15" style="` + style + `"/>`
}

func (m *mapSheet) warning() {
	if m.s.edition.Schematic {
		m.row += 8
		for _, line := range wrap(schematicWarning, 40) {
			fmt.Fprintf(&m.legend, `<text class="avis" x="0" y="%s">%s</text>`, px(m.row+4), html.EscapeString(line))
			m.row += 15
		}
	}
}

// outline draws the quarters of a layer.
func (m *mapSheet) outline(l *layer, style string) {
	for i := range l.set.Zones {
		if path := m.cv.path(l.set.Zones[i].Geom); path != "" {
			fmt.Fprintf(&m.b, `<path style="%s" d="%s"/>`, style, path)
		}
	}
}

// named writes the names of the quarters of a layer where there is room.
func (m *mapSheet) named(l *layer) {
	for i := range l.set.Zones {
		if lb, ok := m.cv.place(l.set.Zones[i].Geom, l.name(i), &m.taken); ok {
			fmt.Fprintf(&m.b, `<text class="nom" x="%s" y="%s" text-anchor="%s">%s</text>`, px(lb.X), px(lb.Y), lb.Anchor, html.EscapeString(lb.Text))
		}
	}
}

// contours is the caption of a map of contours alone.
func (m *mapSheet) contours(layers ...*layer) string {
	var used []indicators.Source
	var titles []string
	for _, l := range layers {
		titles = append(titles, l.title())
		for _, src := range m.s.edition.Sources {
			if src.ID == l.set.Source && !slices.ContainsFunc(used, func(u indicators.Source) bool { return u.ID == src.ID }) {
				used = append(used, src)
			}
		}
	}
	text := "Contours : " + strings.Join(titles, " ; ") + "."
	if list := mergedYears(captions(used)); len(list) > 0 {
		text = "Source : " + strings.Join(list, " ; ") + ". " + text
	}
	return text + " Carte de l'observatoire, édition " + m.s.edition.ID + "."
}

// geography draws each vintage of the priority geography over the ones before.
func (m *mapSheet) geography(o SheetOptions) (title, sub, source string, err error) {
	var layers []*layer
	for _, level := range []string{"qpv", "cucs", "zus", "zru", "zfu"} {
		layers = append(layers, m.s.layersOf(level)...)
	}
	watch := m.s.layersOf("veille")
	if len(layers)+len(watch) == 0 {
		return "", "", "", errors.New("the edition has no contour of a priority geography: no layer of level qpv, veille, zus, zru, zfu or cucs is drawn")
	}
	b, ok := m.s.studiedBound(o.Quarter)
	if !ok {
		b, _ = boundOf(append(slices.Clone(layers), watch...)...)
	} else if w, drawn := boundOf(watch...); drawn && o.Quarter == "" {
		b = b.Union(w)
	}
	m.frame(b, 0.12)
	m.ground()
	m.heading("Géographie prioritaire")
	for k, l := range slices.Backward(layers) {
		m.outline(l, outlines[min(k, len(outlines)-1)])
	}
	for k, l := range layers {
		m.entry(boxSwatch(outlines[min(k, len(outlines)-1)]), l.title())
	}
	for _, l := range watch {
		m.outline(l, watchOutline)
		m.entry(boxSwatch(watchOutline), l.title())
	}
	if len(layers) > 0 {
		m.named(layers[0])
	}
	for _, l := range watch {
		m.named(l)
	}
	m.communeNames()
	m.warning()
	vintages := []string{}
	for _, l := range layers {
		vintages = append(vintages, strconv.Itoa(l.set.Layer.Vintage()))
	}
	slices.Sort(vintages)
	sub = "Quartiers prioritaires et territoires qui les ont précédés ou entourent"
	if len(slices.Compact(vintages)) < 2 {
		sub = "L'édition n'a qu'un millésime de la géographie prioritaire"
	}
	return "Évolution de la géographie prioritaire", sub, m.contours(append(layers, watch...)...), nil
}

// watch draws the quarters under watch, listed by commune.
func (m *mapSheet) watch(o SheetOptions) (title, sub, source string, err error) {
	layers := m.s.layersOf("veille")
	if len(layers) == 0 {
		return "", "", "", errors.New("the edition has no drawn layer of level veille: nothing to map")
	}
	l := layers[0]
	b, _ := boundOf(l)
	m.frame(b, 0.15)
	m.ground()
	qpv := m.s.newestOf("qpv")
	for _, q := range qpv {
		m.outline(q, outlines[0])
	}
	m.outline(l, watchOutline)
	by := map[string][]int{}
	var communes []string
	for i := range l.set.Zones {
		name := cmp.Or(m.s.communes(l.set.Zones[i].Commune), m.s.communeAt(&l.set.Zones[i]), "Commune non précisée")
		if by[name] == nil {
			communes = append(communes, name)
		}
		by[name] = append(by[name], i)
	}
	slices.Sort(communes)
	n := 0
	for _, name := range communes {
		m.heading(name)
		for _, i := range by[name] {
			n++
			m.entry(fmt.Sprintf(`<circle class="pastille" cx="14" cy="7" r="9"/><text class="numero" x="14" y="11">%d</text>`, n), l.name(i))
			if g := l.set.Zones[i].Geom; len(g) > 0 { // beside it: the contour is to be seen
				box := m.cv.pixels(g.Bound())
				at := orb.Point{box.Max[0] + 12, (box.Min[1] + box.Max[1]) / 2}
				m.badge(at, strconv.Itoa(n))
				m.taken = append(m.taken, orb.Bound{Min: orb.Point{at[0] - 10, at[1] - 10}, Max: orb.Point{at[0] + 10, at[1] + 10}})
			}
		}
	}
	m.heading("Légende")
	m.entry(boxSwatch(watchOutline), "quartier de veille active")
	if len(qpv) > 0 {
		m.entry(boxSwatch(outlines[0]), qpv[0].title())
	}
	m.communeNames()
	m.warning()
	return "Quartiers de veille active, par commune", l.title(), m.contours(append([]*layer{l}, qpv...)...), nil
}

// communeAt is the name of the commune where the middle of a zone lies.
func (s *Snapshot) communeAt(z *geo.Zone) string {
	c, ok := middle(z.Geom)
	if !ok {
		return ""
	}
	for _, l := range s.layersOf("commune") {
		for _, h := range geo.NewLocator(l.set).All(nil, c[0], c[1]) {
			return l.name(h)
		}
	}
	return ""
}

// equipment draws the facilities by theme, the quarters and the perimeters of use around them.
func (m *mapSheet) equipment(o SheetOptions) (title, sub, source string, err error) {
	list := m.s.edition.Equipements
	if len(list) == 0 {
		return "", "", "", errors.New("the edition has no facility: the project names none (facilities: in observatoire.yaml)")
	}
	b, ok := m.s.studiedBound(o.Quarter)
	if !ok {
		b = orb.Point{list[0].X, list[0].Y}.Bound()
	}
	margin := 0.18
	if o.Quarter != "" { // what is around it
		margin = 0.9
	}
	m.frame(b, margin)
	m.ground()
	var layers []*layer
	m.heading("Quartiers")
	uses := false
	for _, l := range m.s.layers {
		if strings.HasPrefix(l.set.Layer.Level(), "quartier_vecu") && l.drawn > 0 {
			m.outline(l, useOutline)
			layers, uses = append(layers, l), true
		}
	}
	for _, level := range []string{"veille", "qpv"} {
		for _, l := range m.s.newestOf(level) {
			style := outlines[0]
			if level == "veille" {
				style = watchOutline
			}
			m.outline(l, style)
			layers = append(layers, l)
			m.entry(boxSwatch(style), l.title())
		}
	}
	if uses {
		m.entry(boxSwatch(useOutline), "quartier vécu : dessiné, ou approché par la distance")
	}
	themes := indicators.EquipementThemes(m.s.edition)
	counts := make([]int, len(themes))
	for i := range list {
		q := &list[i]
		k := slices.Index(themes, q.Theme)
		if !m.view.Contains(orb.Point{q.X, q.Y}) {
			continue
		}
		counts[k]++
		at := m.cv.pixels(orb.Point{q.X, q.Y}.Bound()).Min
		fmt.Fprintf(&m.b, `<circle class="equipement" style="fill:%s" cx="%s" cy="%s" r="4.5"><title>%s</title></circle>`, themeColours[min(k, len(themeColours)-1)], px(at[0]), px(at[1]), html.EscapeString(q.Nom+" ("+q.Theme+")"))
	}
	m.heading("Équipements sur la carte")
	for k, theme := range themes {
		if counts[k] > 0 && k < 24 {
			m.entry(`<circle class="equipement" style="fill:`+themeColours[min(k, len(themeColours)-1)]+`" cx="14" cy="7" r="5.5"/>`, capital(theme)+" : "+strconv.Itoa(counts[k]))
		}
	}
	for _, l := range layers {
		if isQuarter(l.set.Layer.Level()) {
			m.named(l)
		}
	}
	m.communeNames()
	m.warning()
	var files []string
	for i := range list {
		if !slices.Contains(files, list[i].Source) {
			files = append(files, list[i].Source)
		}
	}
	return "Équipements et quartiers vécus", plural(len(list), "équipement", "équipements") + " dans les fichiers du projet ; l'absence n'y dit pas qu'il n'y en a pas", "Équipements : " + strings.Join(files, ", ") + ". " + m.contours(layers...), nil
}

// has says whether there is any figure of what was chosen.
func (p *published) has(c choice) bool {
	return p.available(seriesID{c.def.ID, c.layer.set.Layer, c.sexe}, c.millesime) > 0
}

// indicator draws an indicator on a layer, the quarters over it.
func (m *mapSheet) indicator(id string, o SheetOptions) (title, sub, source string, err error) {
	p := &published{Snapshot: m.s}
	q := query{"indicateur": id}
	for name, value := range map[string]string{"couche": o.Layer, "millesime": o.Millesime, "sexe": o.Sexe, "vue": cmp.Or(o.Quarter, allQuarters)} {
		if value != "" {
			q[name] = value
		}
	}
	c, err := p.choose(q)
	if err != nil {
		return "", "", "", err
	}
	if c.layer == nil || c.layer.drawn == 0 {
		return "", "", "", fmt.Errorf("%s: no drawn layer has it", id)
	}
	if !p.has(c) || o.Millesime != "" && o.Millesime != strconv.Itoa(c.millesime) || o.Sexe != "" && o.Sexe != c.sexe {
		return "", "", "", fmt.Errorf("%s: no figure on layer %s for the millésime and the sex asked", id, c.layer.set.Layer)
	}
	b, ok := m.s.studiedBound(o.Quarter)
	if !ok {
		b, _ = boundOf(c.layer)
	}
	margin := 0.12
	if o.Quarter != "" {
		margin = 0.8
	}
	m.frame(b, margin)
	f := p.fillIn(c, m.view)
	for i := range c.layer.set.Zones {
		if path := m.cv.path(c.layer.set.Zones[i].Geom); path != "" {
			fmt.Fprintf(&m.b, `<path class="zone %s" d="%s"><title>%s</title></path>`, f.css(i), path, html.EscapeString(c.layer.name(i)+f.text(i)))
		}
	}
	for _, l := range m.s.newestOf("commune") {
		if l == c.layer {
			continue
		}
		for i := range l.set.Zones {
			m.path("commune", m.cv.path(l.set.Zones[i].Geom))
		}
	}
	m.heading(capital(c.def.Label) + unitSuffix(c.def.Unit))
	for k, span := range f.span {
		if span == nil {
			continue
		}
		text := indicators.FrenchNumber(span[0], f.places)
		if span[0] != span[1] {
			text += " à " + indicators.FrenchNumber(span[1], f.places)
		}
		m.entry(`<rect class="zone `+f.color(k)+`" width="28" height="15"/>`, text)
	}
	if f.absent[indicators.Secret] || f.absent[indicators.NonSignificatif] {
		m.entry(`<rect class="zone secret" width="28" height="15"/>`, "secret statistique ou non significatif")
	}
	if f.absent[indicators.NonDisponible] || f.absent[indicators.SansObjet] {
		m.entry(`<rect class="zone absent" width="28" height="15"/>`, "non disponible")
	}
	m.heading("Quartiers")
	styles := map[string]string{"qpv": "fill:none;stroke:#c2410c;stroke-width:2.6", "veille": "fill:none;stroke:#4a1d6b;stroke-width:2.2;stroke-dasharray:5 2.5", "quartier_vecu": useOutline}
	for _, level := range []string{"quartier_vecu", "veille", "qpv"} {
		for _, l := range m.s.newestOf(level) {
			m.outline(l, "fill:none;stroke:#fff;stroke-width:5")
			m.outline(l, styles[level])
			m.entry(boxSwatch(styles[level]), kindFR(level))
		}
	}
	for _, level := range []string{"qpv", "veille", "quartier_vecu"} {
		for _, l := range m.s.newestOf(level) {
			m.named(l)
		}
	}
	m.warning()
	sub = fmt.Sprintf("%s ; millésime %s ; %s", c.layer.title(), indicators.LabelMillesime(c.millesime), sexeFR(c.sexe))
	return c.def.Label, sub, p.caption(c), nil
}
