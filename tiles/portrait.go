package tiles

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"observatoire/geo"
	"observatoire/indicators"
)

var (
	//go:embed portrait.html.tmpl
	portraitSource string
	//go:embed portrait.css
	portraitCSS string

	// portraitPolicy lets in the styles of the portrait alone.
	portraitPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"

	portraitTemplate = template.Must(template.New("portrait").Funcs(template.FuncMap{"inc": func(n int) int { return n + 1 }}).Parse(portraitSource))
)

// What two A4 pages hold.
const (
	portraitRows     = 9 // key figures
	portraitFacts    = 5 // sentences
	portraitMoves    = 5
	portraitSexes    = 6
	portraitCharts   = 6
	portraitOverlaps = 6
	portraitComment  = 1100 // letters of the comment
	portraitOthers   = 14   // figures of the second page, where it has no series
)

// A PortraitZone is a quarter that a portrait can be made of.
type PortraitZone struct {
	Layer geo.Layer
	Code  string
	Name  string
	z     quarter
}

// Portraits are the quarters of an edition that have figures: priority quarters, those under watch, drawn quartiers vécus. Of a
// code that several vintages have it is the newest that has figures.
func (s *Snapshot) Portraits() []PortraitZone {
	figures := map[geo.Layer]map[string]bool{}
	for i := range s.edition.Values {
		if v := &s.edition.Values[i]; v.Retenue && v.Statut == indicators.Disponible && isQuarter(v.Couche.Level()) {
			if figures[v.Couche] == nil {
				figures[v.Couche] = map[string]bool{}
			}
			figures[v.Couche][v.Code] = true
		}
	}
	var list []PortraitZone
	for _, level := range []string{"qpv", "veille", "quartier_vecu"} {
		var layers []*layer
		for _, l := range s.layers {
			if l.set.Layer.Level() == level && figures[l.set.Layer] != nil {
				layers = append(layers, l)
			}
		}
		slices.SortStableFunc(layers, func(a, b *layer) int { return cmp.Compare(b.set.Layer.Vintage(), a.set.Layer.Vintage()) })
		held := map[string]bool{}
		from := len(list)
		for _, l := range layers {
			for i := range l.set.Zones {
				if code := l.set.Zones[i].Code; figures[l.set.Layer][code] && !held[code] {
					held[code] = true
					list = append(list, PortraitZone{l.set.Layer, code, l.name(i), quarter{l, i}})
				}
			}
		}
		slices.SortFunc(list[from:], func(a, b PortraitZone) int { return strings.Compare(a.Code, b.Code) })
	}
	return list
}

// A portraitView is all a portrait shows.
type portraitView struct {
	CSS      template.CSS
	Title    string // of the project
	Edition  string
	Code     string
	Name     string
	Kind     string
	Place    string
	Layer    string
	Warning  string
	Facts    []string
	Map      template.HTML
	Locator  template.HTML
	Vecu     bool // the map shows perimeters of use
	Overlaps []portraitPart
	More     int // parts left out
	Refs     []portraitRef
	Rows     []portraitRow
	Notes    []string
	Sexes    []portraitSex
	Ages     []portraitAge
	AgeYear  string
	AgeRef   string
	Charts   []template.HTML
	Others   []portraitOther
	OtherRef string // the reference beside them
	Themes   []portraitTheme
	Around   []string // titles of the perimeters facilities are counted in
	Comment  []string
	Author   string
	Reread   string // why the comment has to be read again
	Moves    []string
	Unsaid   []string
	Caption  string
}

type portraitPart struct {
	N           int
	Name, Code  string
	Share, Part string
	Sliver      bool
}

type portraitRef struct{ Title, Name string }

// A portraitFigure is a figure with where it stands in the edition, which the tests read.
type portraitFigure struct {
	Text                   string
	Indicateur, Sexe, Code string
	Couche                 geo.Layer
	Millesime              int
}

type portraitCell struct {
	portraitFigure
	Gap  string
	Note int // 0: none
}

type portraitRow struct {
	Theme   string
	Label   string
	Year    string
	Value   portraitFigure
	Range   string
	Mark    string // how it was made and how far it may be relied on, when not plain
	Weak    bool
	Refs    []portraitCell
	Rank    string
	RankTip string
}

// A portraitOther is a figure that is no key figure, beside its nearest reference.
type portraitOther struct {
	Label, Year, Mark string
	Value, Ref        portraitFigure
	Weak              bool
}

type portraitSex struct {
	Label, Base, Year string
	Women, Men        portraitFigure
	Gap               string
	Plot              template.HTML
	Mark              string
}

type portraitAge struct {
	Label    string
	Own, Ref portraitFigure
	Plot     template.HTML
}

type portraitTheme struct {
	Theme  string
	Counts []string
	Names  string
}

// A zoneFacts is what the edition says of one zone, by indicator.
type zoneFacts struct {
	values     map[string][]*indicators.Value // shown, ascending by millésime then sex
	ecarts     map[indicators.Key][]*indicators.Ecart
	evolutions map[string][]*indicators.Evolution
	rangs      map[indicators.Key]*indicators.Rang
	sexes      map[string][]*indicators.EcartSexe
}

// facts is what the edition says of each quarter, gathered once.
func (s *Snapshot) facts() map[quarterID]*zoneFacts {
	s.portraits.once.Do(func() { s.portraits.of = quarterFacts(s.edition) })
	return s.portraits.of
}

// quarterFacts gathers what an edition says of each quarter.
func quarterFacts(e *indicators.Edition) map[quarterID]*zoneFacts {
	all := map[quarterID]*zoneFacts{}
	of := func(l geo.Layer, code string) *zoneFacts {
		if !isQuarter(l.Level()) {
			return nil
		}
		f := all[quarterID{l, code}]
		if f == nil {
			f = &zoneFacts{map[string][]*indicators.Value{}, map[indicators.Key][]*indicators.Ecart{}, map[string][]*indicators.Evolution{},
				map[indicators.Key]*indicators.Rang{}, map[string][]*indicators.EcartSexe{}}
			all[quarterID{l, code}] = f
		}
		return f
	}
	for i := range e.Values {
		if v := &e.Values[i]; v.Retenue {
			if f := of(v.Couche, v.Code); f != nil {
				f.values[v.Indicateur] = append(f.values[v.Indicateur], v)
			}
		}
	}
	for i := range e.Ecarts {
		if x := &e.Ecarts[i]; !isQuarter(x.Reference.Level()) {
			if f := of(x.Couche, x.Code); f != nil {
				f.ecarts[x.Key] = append(f.ecarts[x.Key], x)
			}
		}
	}
	for i := range e.Evolutions {
		if f := of(e.Evolutions[i].Couche, e.Evolutions[i].Code); f != nil {
			f.evolutions[e.Evolutions[i].Indicateur] = append(f.evolutions[e.Evolutions[i].Indicateur], &e.Evolutions[i])
		}
	}
	for i := range e.Rangs {
		if f := of(e.Rangs[i].Couche, e.Rangs[i].Code); f != nil {
			f.rangs[e.Rangs[i].Key] = &e.Rangs[i]
		}
	}
	for i := range e.EcartsSexe {
		if f := of(e.EcartsSexe[i].Couche, e.EcartsSexe[i].Code); f != nil {
			f.sexes[e.EcartsSexe[i].Indicateur] = append(f.sexes[e.EcartsSexe[i].Indicateur], &e.EcartsSexe[i])
		}
	}
	return all
}

// move is the latest evolution of an indicator that the edition gives, and concludes on when conclusive is asked for.
func (f *zoneFacts) move(id, sexe string, conclusive bool) *indicators.Evolution {
	var best *indicators.Evolution
	for _, x := range f.evolutions[id] {
		if x.Reference == "" && x.Statut == indicators.Disponible && x.Sexe == sexe && (!conclusive || x.Conclusive()) &&
			(best == nil || x.Millesime > best.Millesime || x.Millesime == best.Millesime && x.Depuis < best.Depuis) {
			best = x
		}
	}
	return best
}

type quarterID struct {
	couche geo.Layer
	code   string
}

// WritePortrait writes the portrait of a quarter as a page that stands alone: two A4 pages, drawings included.
func (s *Snapshot) WritePortrait(w io.Writer, zone PortraitZone) error {
	p, err := s.portrait(zone)
	if err != nil {
		return fmt.Errorf("portrait of %s: %w", zone.Code, err)
	}
	return portraitTemplate.Execute(w, p.v)
}

// PortraitDocument is the same portrait as a document: to be edited as DOCX, or printed as PDF without a browser.
func (s *Snapshot) PortraitDocument(zone PortraitZone) (*Document, error) {
	p, err := s.portrait(zone)
	if err != nil {
		return nil, fmt.Errorf("portrait of %s: %w", zone.Code, err)
	}
	return p.document(), nil
}

// portraitist prepares the portrait of a quarter.
func (s *Snapshot) portraitist(zone PortraitZone) *portraitist {
	set := zone.z.layer.set
	f := s.facts()[quarterID{zone.Layer, zone.Code}]
	if f == nil {
		f = &zoneFacts{}
	}
	v := &portraitView{CSS: template.CSS(portraitCSS), Title: s.edition.Title, Edition: s.edition.ID, Code: zone.Code, Name: zone.Name, Kind: kindFR(set.Layer.Level()),
		Layer: zone.z.layer.title(), Place: s.communes(set.Zones[zone.z.i].Commune)}
	if set.Schematic {
		v.Warning = schematicWarning
	}
	return &portraitist{s: s, z: zone.z, f: f, v: v, used: map[*indicators.Value]bool{}}
}

func (s *Snapshot) portrait(zone PortraitZone) (*portraitist, error) {
	p := s.portraitist(zone)
	p.choose()
	p.rows()
	if err := p.maps(); err != nil {
		return nil, err
	}
	p.sentences()
	p.womenAndMen()
	p.ages()
	p.charts()
	p.others()
	p.facilities()
	p.comment()
	p.unsaid()
	p.sources()
	return p, nil
}

// portraitMethod is how to read the figures, in the words of the page.
var portraitMethod = []string{
	"Estimation : un quartier ne suit pas les limites des IRIS ; quand aucun producteur ne publie le chiffre du quartier, il est estimé à partir des IRIS qu'il recoupe, par la méthode nommée. Méthodes : étendue des résultats selon les méthodes applicables, qui n'est pas un intervalle de confiance. IC 95 % : intervalle de confiance, quand l'erreur de sondage est connue.",
	"Fiabilité : un chiffre fragile est arrondi dans les phrases (« environ ») ; un chiffre de fiabilité insuffisante n'y figure pas. Une évolution ou un écart n'est commenté qu'au-delà de l'incertitude ; rien ici n'établit de cause.",
}

// document lays the portrait out as blocks, in the order of its two pages.
func (p *portraitist) document() *Document {
	v := p.v
	d := &Document{Title: v.Name, Subtitle: "Portrait du quartier – " + v.Kind, Caption: v.Caption, Pages: 2}
	if v.Place != "" {
		d.Subtitle += ", " + v.Place
	}
	d.Subtitle += " – " + v.Code + " – " + v.Title + ", édition " + v.Edition
	add := func(heading string, b Block) {
		if b.Text == "" && b.List == nil && b.Rows == nil && b.drawings == nil {
			return
		}
		if heading != "" {
			d.Blocks = append(d.Blocks, Block{Level: 1, Heading: heading, printed: b.printed})
		}
		d.Blocks = append(d.Blocks, b)
	}
	add("", Block{Text: v.Warning})
	if p.drawn.perimeter != nil {
		b := Block{printed: true, drawings: []*drawing2D{p.drawn.perimeter}}
		if p.drawn.locator != nil {
			b.drawings = append(b.drawings, p.drawn.locator)
		}
		add("Le périmètre et le territoire", b)
	}
	parts := Block{Head: []string{"IRIS", "Code", "Part du quartier", "Part de l'IRIS"}, Numbers: 2}
	for _, x := range v.Overlaps {
		name := strconv.Itoa(x.N) + ". " + x.Name
		if x.Sliver {
			name += " (liseré)"
		}
		parts.Rows = append(parts.Rows, []string{name, x.Code, x.Share, x.Part})
	}
	add("", parts)
	add("En bref", Block{List: v.Facts})
	figures := p.table()
	figures.Head = append(figures.Head, "Rang")
	for i, r := range v.Rows {
		if r.Range != "" {
			figures.Rows[i][2] += " (" + r.Range + ")"
		}
		figures.Rows[i] = append(figures.Rows[i], r.Rank)
	}
	add("Chiffres clés et écarts", figures)
	for i, note := range v.Notes {
		add("", Block{Text: "(" + strconv.Itoa(i+1) + ") " + note})
	}
	d.Blocks = append(d.Blocks, Block{Break: true})
	for i := 0; i < len(p.drawn.charts); i += 3 {
		heading := "Évolution"
		if i > 0 {
			heading = ""
		}
		add(heading, Block{printed: true, drawings: p.drawn.charts[i:min(i+3, len(p.drawn.charts))]})
	}
	if len(p.drawn.charts) > 0 {
		add("", Block{printed: true, Text: "Point plein : chiffre du producteur ; point creux : estimation ; trait vertical : incertitude ; ligne orange : années que l'édition compare ; ligne grise : référence la plus proche ; tirets : rupture de série."})
	}
	if v.Moves == nil {
		add("Ce qui a changé", Block{Text: "Aucune évolution ne dépasse l'incertitude des chiffres, ou l'édition n'a qu'une année."})
	}
	add("Ce qui a changé", Block{List: v.Moves})
	others := Block{Head: []string{"Indicateur", "Année", "Quartier"}, Numbers: 1}
	if v.OtherRef != "" {
		others.Head = append(others.Head, v.OtherRef)
	}
	for _, x := range v.Others {
		row := []string{strings.TrimSuffix(x.Label+" – "+x.Mark, " – "), x.Year, x.Value.Text}
		if v.OtherRef != "" {
			row = append(row, x.Ref.Text)
		}
		others.Rows = append(others.Rows, row)
	}
	add("Autres chiffres", others)
	sexes := Block{Head: []string{"Indicateur", "Année", "Femmes", "Hommes", "Écart"}, Numbers: 1}
	for _, x := range v.Sexes {
		label := x.Label
		if x.Base != "" {
			label += " (" + x.Base + ")"
		}
		sexes.Rows = append(sexes.Rows, []string{strings.TrimSuffix(label+" – "+x.Mark, " – "), x.Year, x.Women.Text, x.Men.Text, x.Gap})
	}
	add("Femmes et hommes", sexes)
	ages := Block{Head: []string{"Part des habitants, en %", "Quartier"}, Numbers: 1}
	if v.AgeRef != "" {
		ages.Head = append(ages.Head, capital(v.AgeRef))
	}
	for _, x := range v.Ages {
		row := []string{x.Label, x.Own.Text}
		if v.AgeRef != "" {
			row = append(row, x.Ref.Text)
		}
		ages.Rows = append(ages.Rows, row)
	}
	add("Âges en "+v.AgeYear, ages)
	for i, para := range v.Comment {
		heading := "Commentaire"
		if i > 0 {
			heading = ""
		}
		add(heading, Block{Text: para})
	}
	add("", Block{Text: strings.Trim(v.Author+". "+v.Reread, ". ")})
	around := Block{Head: append([]string{"Équipements"}, v.Around...), Numbers: 1}
	for _, x := range v.Themes {
		around.Rows = append(around.Rows, append([]string{strings.TrimSuffix(x.Theme+" : "+x.Names, " : ")}, x.Counts...))
	}
	add("Équipements", around)
	add("Ce qui ne peut pas être dit", Block{List: v.Unsaid})
	d.Blocks = append(d.Blocks, Block{Level: 1, Heading: "Méthode et sources"})
	for _, text := range portraitMethod {
		d.Blocks = append(d.Blocks, Block{Text: text})
	}
	return d
}

// A portraitist makes one portrait.
type portraitist struct {
	s      *Snapshot
	z      quarter
	f      *zoneFacts
	v      *portraitView
	keys   []keyFigure
	levels []string // of the references, from the nearest
	used   map[*indicators.Value]bool
	drawn  struct {
		perimeter, locator *drawing2D
		charts             []*drawing2D
	}
}

// A keyFigure is an indicator as the portrait shows it: its figure of one year and sex.
type keyFigure struct {
	def *indicators.Definition
	v   *indicators.Value
}

// shownYear is the figure to show of an indicator for a sex: the latest that its producer dates, or that is an estimate of fair reliability;
// else the latest fragile estimate, else one the producer does not date, else the latest there is.
func (f *zoneFacts) shownYear(id, sexe string) *indicators.Value {
	var best *indicators.Value
	rank := func(v *indicators.Value) int {
		switch {
		case v.Millesime > 0 && (v.Nature == indicators.Producteur || v.Fiabilite >= indicators.Moyenne):
			return 4
		case v.Millesime > 0 && v.Fiabilite >= indicators.Fragile:
			return 3
		case v.Nature == indicators.Producteur:
			return 2
		}
		return 1
	}
	for _, v := range f.values[id] {
		if v.Sexe != sexe || v.Statut != indicators.Disponible {
			continue
		}
		if best == nil || rank(v) > rank(best) || rank(v) == rank(best) && abs(v.Millesime) > abs(best.Millesime) {
			best = v
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// choose picks the key figures: the first of each theme in turn, those that say most of the quarter before the others. A quarter of which an
// indicator is known for women and men only has two rows of it.
func (p *portraitist) choose() {
	type candidate struct {
		figures []keyFigure
		score   int
		order   int
	}
	themes := map[string][]candidate{}
	var order []string
	for i := range p.s.edition.Indicators {
		d := &p.s.edition.Indicators[i]
		if d.Registre {
			continue
		}
		c := candidate{order: i}
		if v := p.f.shownYear(d.ID, "T"); v != nil {
			c.figures = []keyFigure{{d, v}}
		} else {
			for _, sexe := range []string{"F", "H"} {
				if v := p.f.shownYear(d.ID, sexe); v != nil {
					c.figures = append(c.figures, keyFigure{d, v})
				}
			}
		}
		if len(c.figures) == 0 {
			continue
		}
		v := c.figures[0].v
		for _, x := range p.f.ecarts[v.Key] {
			if x.Statut == indicators.Disponible {
				c.score += 2
				break
			}
		}
		if d.Direction != "neutre" {
			c.score += 2
		}
		if d.Rule == indicators.Mediane {
			c.score++
		}
		if d.Rule == indicators.Somme {
			c.score -= 3
			if d.Unit == "habitants" {
				c.score += 6
			}
		}
		if d.Of != "" && d.Under == 0 {
			c.score -= 2
		}
		if v.Nature == indicators.Producteur && v.Millesime > 0 {
			c.score++
		}
		if v.Fiabilite < indicators.Fragile {
			c.score -= 4
		}
		if themes[d.Theme] == nil {
			order = append(order, d.Theme)
		}
		themes[d.Theme] = append(themes[d.Theme], c)
	}
	for _, theme := range order {
		slices.SortStableFunc(themes[theme], func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	}
	kept := map[string][]candidate{}
	n := 0
	for round := 0; n < portraitRows; round++ {
		any := false
		for _, theme := range order {
			if round < len(themes[theme]) {
				any = true
				if c := themes[theme][round]; n+len(c.figures) <= portraitRows {
					kept[theme] = append(kept[theme], c)
					n += len(c.figures)
				}
			}
		}
		if !any {
			break
		}
	}
	for _, theme := range order {
		slices.SortStableFunc(kept[theme], func(a, b candidate) int { return a.order - b.order })
		for _, c := range kept[theme] {
			p.keys = append(p.keys, c.figures...)
		}
	}
}

// figure is a value as the tables show it, with where it comes from.
func (p *portraitist) figure(d *indicators.Definition, v *indicators.Value) portraitFigure {
	p.used[v] = true
	return portraitFigure{indicators.FrenchNumber(v.V, d.Decimals), v.Indicateur, v.Sexe, v.Code, v.Couche, v.Millesime}
}

// rows makes the table of key figures.
func (p *portraitist) rows() {
	names := map[string][]string{} // of the references of a level
	for _, k := range p.keys {
		for _, x := range p.f.ecarts[k.v.Key] {
			if !x.ReferenceInclut || !x.ValeurReference.OK || outdated(x) {
				continue
			}
			level := x.Reference.Level()
			if !slices.Contains(p.levels, level) {
				p.levels = append(p.levels, level)
			}
			if name := p.s.names.Zone(x.Reference, x.ReferenceCode); !slices.Contains(names[level], name) {
				names[level] = append(names[level], name)
			}
		}
	}
	slices.SortStableFunc(p.levels, func(a, b string) int { return referenceRank(geo.Layer(a)) - referenceRank(geo.Layer(b)) })
	for _, level := range p.levels {
		p.v.Refs = append(p.v.Refs, portraitRef{capital(referenceFR(geo.Layer(level+"-0"), p.layerOf(level))), one(names[level])})
	}
	theme := ""
	for _, k := range p.keys {
		d, v := k.def, k.v
		row := portraitRow{Label: d.Label + strings.TrimPrefix(sexeOf(v.Sexe), " pour"), Year: yearFR(v.Millesime), Value: p.figure(d, v)}
		if sexe := sexeOf(v.Sexe); sexe != "" {
			row.Label = d.Label + " –" + strings.TrimPrefix(sexe, " pour les")
		} else {
			row.Label = d.Label
		}
		if d.Theme != theme {
			row.Theme, theme = d.Theme, d.Theme
		}
		if unit := d.Unit; unit != "" && unit != "ratio" && unit != "indice" {
			row.Value.Text += "\u00a0" + unit
		}
		row.Range, row.Mark = rangeFR(d, v), markFR(v)
		row.Weak = v.Fiabilite == indicators.Insuffisante
		for _, level := range p.levels {
			row.Refs = append(row.Refs, p.reference(d, v, level))
		}
		if r := p.f.rangs[v.Key]; r != nil && r.Statut == indicators.Disponible && r.Rang > 0 {
			row.Rank = ordinalFR(r.Rang, false) + " / " + strconv.Itoa(r.Sur)
		}
		p.v.Rows = append(p.v.Rows, row)
	}
}

// one is the only name of a list; where a reference changed over the years it has none.
func one(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "selon l'année"
}

func (p *portraitist) layerOf(level string) *layer {
	for _, l := range p.s.layers {
		if l.set.Layer.Level() == level {
			return l
		}
	}
	return nil
}

// yearFR is a year in a narrow column.
func yearFR(year int) string {
	if year <= 0 {
		return "inconnue"
	}
	return strconv.Itoa(year)
}

// reference is the cell of a figure's reference: its value and the gap, or why there is none.
func (p *portraitist) reference(d *indicators.Definition, v *indicators.Value, level string) portraitCell {
	var best *indicators.Ecart
	for _, x := range p.f.ecarts[v.Key] {
		if x.ReferenceInclut && x.Reference.Level() == level && x.ValeurReference.OK && !outdated(x) && (best == nil || best.Statut != indicators.Disponible && x.Statut == indicators.Disponible) {
			best = x
		}
	}
	if best == nil {
		return portraitCell{}
	}
	key := best.Key
	key.Couche = best.Reference
	c := portraitCell{portraitFigure: portraitFigure{indicators.FrenchNumber(best.ValeurReference.V, d.Decimals), key.Indicateur, key.Sexe, best.ReferenceCode, key.Couche, key.Millesime}}
	if _, ref := p.s.gapValues.Of(*best); ref.Source != "" {
		p.used[&ref] = true
	}
	switch {
	case best.Statut == indicators.Disponible:
		places := 1
		if best.Unite != "points" && best.Unite != "%" {
			places = d.Decimals
		}
		c.Gap = strings.TrimRight(indicators.FrenchSigned(best.Ecart.V, places)+"\u00a0"+shortUnit(best.Unite), "\u00a0")
	case d.Rule == indicators.Somme: // a count follows the size of the zone
	case best.Motif != "":
		k := slices.Index(p.v.Notes, capital(best.Motif))
		if k < 0 {
			k, p.v.Notes = len(p.v.Notes), append(p.v.Notes, capital(best.Motif))
		}
		c.Note = k + 1
	}
	return c
}

// outdated says whether a gap was refused because the reference had another composition in the year of the figure: its value says nothing.
func outdated(x *indicators.Ecart) bool {
	return x.Statut != indicators.Disponible && strings.HasPrefix(x.Motif, "composition de ")
}

// shortUnit is the unit of a gap in a narrow column.
func shortUnit(unit string) string {
	switch unit {
	case "points":
		return "pt"
	case "ratio", "indice":
		return ""
	}
	return unit
}

// rangeFR is the uncertainty of a figure, for readers.
func rangeFR(d *indicators.Definition, v *indicators.Value) string {
	lo, hi, what := v.IC95Bas, v.IC95Haut, "IC 95 %"
	if !lo.OK || !hi.OK {
		if v.Nature != indicators.Estimation || !v.Min.OK || !v.Max.OK || v.Min.V == v.Max.V {
			return ""
		}
		lo, hi, what = v.Min, v.Max, "méthodes"
	}
	return what + " : " + indicators.FrenchNumber(lo.V, d.Decimals) + " – " + indicators.FrenchNumber(hi.V, d.Decimals)
}

// markFR is how a figure was made and how far it may be relied on; empty for a producer's good one.
func markFR(v *indicators.Value) string {
	var words []string
	if v.Nature == indicators.Estimation {
		words = append(words, "estimation ("+methodeFR(v.Methode)+")")
	}
	switch v.Fiabilite {
	case indicators.Insuffisante, indicators.Fragile:
		words = append(words, "fiabilité "+v.Fiabilite.String())
	}
	return strings.Join(words, ", ")
}

// maps draws the quarter over the IRIS, and where it lies in the territory.
func (p *portraitist) maps() error {
	g := p.z.layer.set.Zones[p.z.i].Geom
	if len(g) == 0 {
		return nil
	}
	var parts []geo.Overlap
	var to *layer
	for i := range p.s.edition.Overlaps {
		o := &p.s.edition.Overlaps[i]
		l := p.s.byName[o.To]
		if o.From != p.z.layer.set.Layer || o.To.Level() != "iris" || l == nil || to != nil && l.set.Layer.Vintage() <= to.set.Layer.Vintage() {
			continue
		}
		var own []geo.Overlap
		for _, x := range o.Pairs {
			if x.From == p.z.i {
				own = append(own, x)
			}
		}
		if own != nil {
			parts, to = own, l
		}
	}
	slices.SortStableFunc(parts, func(a, b geo.Overlap) int { return cmp.Compare(b.ShareFrom, a.ShareFrom) })
	const width, height = 400, 262
	margin := 0.12
	for _, l := range p.s.layers { // room for the perimeters of use around it
		if _, ok := l.set.Index(p.z.code()); ok && strings.HasPrefix(l.set.Layer.Level(), "quartier_vecu") && l != p.z.layer {
			margin = 0.3
		}
	}
	view := pad(g.Bound(), margin, width, height)
	cv := newCanvas(view, width, height)
	d := drawing2D{width: width, height: height, title: "Périmètre " + deFR(p.v.Name) + " sur les IRIS"}
	if to != nil && to.set.EPSG == p.z.layer.set.EPSG {
		cut := map[int]bool{}
		for _, x := range parts {
			cut[x.To] = x.Note == ""
		}
		var hits []int
		to.legal.Search(view.Min, view.Max, func(_, _ [2]float64, i int) bool {
			hits = append(hits, i)
			return true
		})
		slices.Sort(hits) // the tree's order is its own
		for _, i := range hits {
			if path := cv.path(to.set.Zones[i].Geom); path != "" {
				class := "iris"
				if cut[i] {
					class = "iris coupe"
				}
				d.path(class, path)
			}
		}
	}
	for _, l := range p.s.layers { // the perimeters of use around it
		if !strings.HasPrefix(l.set.Layer.Level(), "quartier_vecu") || l == p.z.layer || l.set.EPSG != p.z.layer.set.EPSG {
			continue
		}
		if i, ok := l.set.Index(p.z.code()); ok {
			d.path("vecu", cv.path(l.set.Zones[i].Geom))
			p.v.Vecu = true
		}
	}
	path := cv.path(g)
	d.path("halo", path)
	d.path("quartier", path)
	for i := range p.s.edition.Equipements {
		q := &p.s.edition.Equipements[i]
		if p.s.edition.EPSG() == p.z.layer.set.EPSG && view.Contains(orb.Point{q.X, q.Y}) {
			at := cv.pixels(orb.Point{q.X, q.Y}.Bound()).Min
			d.dot("equipement", at, 2.4)
		}
	}
	for n, x := range parts {
		zone := &to.set.Zones[x.To]
		row := portraitPart{N: n + 1, Name: cmp.Or(zone.Name, zone.Code), Code: zone.Code, Share: shareFR(x.ShareFrom), Part: shareFR(x.ShareTo), Sliver: x.Note != ""}
		if n >= portraitOverlaps {
			p.v.More++
			continue
		}
		p.v.Overlaps = append(p.v.Overlaps, row)
		if row.Sliver || to.set.EPSG != p.z.layer.set.EPSG {
			continue
		}
		piece, err := geo.Clip(g, zone.Geom)
		if err != nil {
			return err
		}
		if at, ok := middle(piece); ok {
			d.badge(cv.pixels(at.Bound()).Min, strconv.Itoa(n+1))
		}
	}
	d.scale(view)
	p.v.Map, p.drawn.perimeter = d.svg(), &d
	p.locator(g)
	return nil
}

// middle is a point for a mark on a geometry: the centroid of its largest part.
func middle(mp orb.MultiPolygon) (orb.Point, bool) {
	var best orb.Point
	largest := 0.0
	for _, poly := range mp {
		if c, area := planar.CentroidArea(poly); area > largest {
			best, largest = c, area
		}
	}
	return best, largest > 0
}

// locator draws the quarter in its territory: the communes of the narrowest reference that is a composition, else all of them.
func (p *portraitist) locator(g orb.MultiPolygon) {
	var communes *layer
	for _, l := range p.s.layers {
		if l.set.Layer.Level() == "commune" && p.s.newest(l) && l.set.EPSG == p.z.layer.set.EPSG {
			communes = l
		}
	}
	if communes == nil {
		return
	}
	own := strings.Split(p.z.layer.set.Zones[p.z.i].Commune, ",")
	for i := range own {
		own[i] = strings.TrimSpace(own[i])
	}
	if own[0] == "" { // the commune that holds it
		at := g.Bound().Center()
		for i := range communes.set.Zones {
			if planar.MultiPolygonContains(communes.set.Zones[i].Geom, at) {
				own = []string{communes.set.Zones[i].Code}
				if p.v.Place == "" {
					p.v.Place = communes.name(i)
				}
			}
		}
	}
	var members []string
	for _, l := range p.s.layers {
		for i := range l.set.Zones {
			if m := l.set.Zones[i].Members; len(m) > 1 && slices.Contains(m, own[0]) && (members == nil || len(m) < len(members)) {
				members = m
			}
		}
	}
	const width, height = 200, 233
	var b orb.Bound
	found := false
	for i := range communes.set.Zones {
		zone := &communes.set.Zones[i]
		if len(zone.Geom) == 0 || members != nil && !slices.Contains(members, zone.Code) {
			continue
		}
		if !found {
			b, found = zone.Geom.Bound(), true
		} else {
			b = b.Union(zone.Geom.Bound())
		}
	}
	if !found {
		return
	}
	view := pad(b, 0.04, width, height)
	cv := newCanvas(view, width, height)
	d := drawing2D{width: width, height: height, title: p.v.Name + " dans le territoire"}
	for i := range communes.set.Zones {
		zone := &communes.set.Zones[i]
		path := cv.path(zone.Geom)
		if path == "" {
			continue
		}
		class := "ailleurs"
		switch {
		case slices.Contains(own, zone.Code):
			class = "sienne"
		case members == nil || slices.Contains(members, zone.Code):
			class = "autre"
		}
		d.path(class, path)
	}
	d.path("quartier plein", cv.path(g))
	at := cv.pixels(g.Bound().Center().Bound()).Min
	d.ring("repere", at, 9)
	var taken []orb.Bound
	order := make([]int, 0, len(communes.set.Zones))
	for i := range communes.set.Zones { // its own first
		if slices.Contains(own, communes.set.Zones[i].Code) {
			order = append(order, i)
		}
	}
	for i := range communes.set.Zones {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	for _, i := range order {
		zone := &communes.set.Zones[i]
		if members != nil && !slices.Contains(members, zone.Code) || len(zone.Geom) == 0 {
			continue
		}
		if members == nil && len(order) > 20 && !slices.Contains(own, zone.Code) {
			break // too many names to be read
		}
		if c, ok := middle(zone.Geom); ok {
			d.name(cv.pixels(c.Bound()).Min, communes.name(i), slices.Contains(own, zone.Code), at, &taken)
		}
	}
	d.scale(view)
	p.v.Locator, p.drawn.locator = d.svg(), &d
}

// sentences writes what the figures say.
func (p *portraitist) sentences() {
	v := p.v
	place := ""
	if v.Place != "" {
		place = ", commune " + deFR(v.Place)
		if strings.Contains(v.Place, ",") {
			place = ", communes de " + v.Place
		}
	}
	intro := capital(v.Name) + " (" + v.Code + ") est un " + v.Kind + place + "."
	for _, k := range p.keys {
		if k.def.Rule != indicators.Somme || k.def.Unit != "habitants" || k.v.Fiabilite < indicators.Fragile || k.v.Sexe != "T" {
			continue
		}
		fragile := k.v.Fiabilite == indicators.Fragile
		about := ""
		if fragile {
			about = "environ "
		}
		intro += " Il compte " + about + told(k.def, k.v.V, fragile)
		if k.v.Millesime > 0 {
			intro += " en " + strconv.Itoa(k.v.Millesime)
		} else {
			intro += " (année non précisée par la source)"
		}
		for _, x := range p.f.ecarts[k.v.Key] {
			if x.Reference.Level() == "commune" && x.ReferenceInclut && x.ValeurReference.OK && x.ValeurReference.V > 0 && !strings.Contains(v.Place, ",") {
				if share := trimmed(100*k.v.V/x.ValeurReference.V, 0); share != "0" {
					intro += ", soit environ " + share + "\u00a0% de la population de la commune"
				}
				break
			}
		}
		intro += "."
		break
	}
	v.Facts = append(v.Facts, intro)
	// One sentence a theme, then a second; the clearest gaps first.
	type said struct {
		theme string
		text  string
		size  float64
	}
	var list []said
	for _, k := range p.keys {
		if k.def.Rule == indicators.Somme {
			continue
		}
		gaps := p.f.ecarts[k.v.Key]
		if len(nearAndFar(gaps)) == 0 || k.def.Direction == "neutre" {
			continue
		}
		if text := p.s.gapSentence(k.def, k.v, gaps); text != "" {
			x := nearAndFar(gaps)[0]
			size := max(x.Ecart.V, -x.Ecart.V)
			if x.Unite == "points" {
				size *= 2
			}
			if size < 2 { // a point, 2 %: below, there is nothing to comment
				continue
			}
			if k.v.Fiabilite == indicators.Fragile {
				size /= 2
			}
			list = append(list, said{k.def.Theme, text, size})
		}
	}
	slices.SortStableFunc(list, func(a, b said) int { return cmp.Compare(b.size, a.size) })
	themes := map[string]int{}
	for round := 0; round < 2; round++ {
		for _, x := range list {
			if len(v.Facts) < portraitFacts && themes[x.theme] == round && !slices.Contains(v.Facts, x.text) {
				themes[x.theme]++
				v.Facts = append(v.Facts, x.text)
			}
		}
	}
	for _, k := range p.keys {
		if r := p.f.rangs[k.v.Key]; r != nil && reliable(k.v) && k.def.Direction != "neutre" {
			if text := rankSentence(k.def, r, k.v.Couche.Level()); text != "" {
				v.Facts = append(v.Facts, text)
				break
			}
		}
	}
	if len(v.Facts) == 1 {
		v.Facts = append(v.Facts, "Ses autres chiffres ne sont pas commentés ici : ils sont de fiabilité insuffisante, sans année connue, ou sans référence à laquelle les comparer.")
	}
	p.moves()
}

// moves tells the latest conclusive evolutions, those of the key figures first.
func (p *portraitist) moves() {
	var defs []*indicators.Definition
	for _, k := range p.keys {
		if !slices.Contains(defs, k.def) {
			defs = append(defs, k.def)
		}
	}
	for i := range p.s.edition.Indicators {
		if d := &p.s.edition.Indicators[i]; !slices.Contains(defs, d) {
			defs = append(defs, d)
		}
	}
	themes := map[string]int{}
	for round := 0; round < 2 && len(p.v.Moves) < portraitMoves; round++ {
		for _, d := range defs {
			if d.Rule == indicators.Somme || d.Direction == "neutre" || themes[d.Theme] > round || len(p.v.Moves) >= portraitMoves {
				continue
			}
			best := p.f.move(d.ID, "T", true)
			var gap *indicators.Evolution
			if best == nil {
				continue
			}
			for _, x := range p.f.evolutions[d.ID] {
				if x.Reference != "" && !x.Comparaison && x.Sexe == best.Sexe && x.Depuis == best.Depuis && x.Millesime == best.Millesime && (gap == nil || referenceRank(x.Reference) < referenceRank(gap.Reference)) {
					gap = x
				}
			}
			text := p.s.moveSentence(d, best, p.f.at(d.ID, best.Sexe, best.Depuis), p.f.at(d.ID, best.Sexe, best.Millesime), gap)
			if text != "" && !slices.Contains(p.v.Moves, text) {
				themes[d.Theme]++
				p.v.Moves = append(p.v.Moves, text)
			}
		}
	}
}

// at is the figure of a year.
func (f *zoneFacts) at(id, sexe string, year int) *indicators.Value {
	for _, v := range f.values[id] {
		if v.Sexe == sexe && v.Millesime == year {
			return v
		}
	}
	return nil
}

// womenAndMen lists the latest gaps of women to men.
func (p *portraitist) womenAndMen() {
	said := false
	for i := range p.s.edition.Indicators {
		d := &p.s.edition.Indicators[i]
		var best *indicators.EcartSexe
		for _, x := range p.f.sexes[d.ID] {
			if x.Statut == indicators.Disponible && x.Ecart.OK && x.Millesime > 0 && (best == nil || x.Millesime > best.Millesime) {
				best = x
			}
		}
		if best == nil || len(p.v.Sexes) >= portraitSexes {
			continue
		}
		w, m := p.f.at(d.ID, "F", best.Millesime), p.f.at(d.ID, "H", best.Millesime)
		if w == nil || m == nil {
			continue
		}
		label, base := d.Label, d.Population()
		if base != "" {
			label, _, _ = strings.Cut(label, " (")
		}
		row := portraitSex{Label: label, Base: base, Year: indicators.LabelMillesime(best.Millesime), Women: p.figure(d, w), Men: p.figure(d, m),
			Gap: indicators.FrenchSigned(best.Ecart.V, 1) + "\u00a0" + shortUnit(best.Unite), Plot: dumbbell(d, w.V, m.V)}
		if w.Fiabilite < indicators.Moyenne || m.Fiabilite < indicators.Moyenne {
			row.Mark = "fiabilité " + min(w.Fiabilite, m.Fiabilite).String()
		}
		p.v.Sexes = append(p.v.Sexes, row)
		if text := sexSentence(d, best, w, m); text != "" && !said {
			said = true
			p.v.Facts = append(p.v.Facts, text)
		}
	}
}

var ageBand = regexp.MustCompile(`^part_(\d+)_(?:(\d+)_ans|ans_plus)$`)

// ages are the bands of age that do not overlap, of the year that has most of them.
func (p *portraitist) ages() {
	type band struct {
		from, to int
		d        *indicators.Definition
		v        *indicators.Value
	}
	years := map[int][]band{}
	for i := range p.s.edition.Indicators {
		d := &p.s.edition.Indicators[i]
		m := ageBand.FindStringSubmatch(d.ID)
		if m == nil || !strings.Contains(d.Label, "(parmi la population") {
			continue
		}
		from, _ := strconv.Atoi(m[1])
		to := 200
		if m[2] != "" {
			to, _ = strconv.Atoi(m[2])
		}
		for _, v := range p.f.values[d.ID] {
			if v.Sexe == "T" && v.Statut == indicators.Disponible && v.Millesime > 0 && v.Fiabilite >= indicators.Fragile {
				years[v.Millesime] = append(years[v.Millesime], band{from, to, d, v})
			}
		}
	}
	var best []band
	for year, list := range years {
		slices.SortFunc(list, func(a, b band) int { return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.from, b.from)) })
		var kept []band
		end := -1
		for _, b := range list {
			if b.from > end {
				kept, end = append(kept, b), b.to
			}
		}
		if len(kept) > len(best) || len(kept) == len(best) && year > best[0].v.Millesime {
			best = kept
		}
	}
	if len(best) < 2 {
		return
	}
	p.v.AgeYear = strconv.Itoa(best[0].v.Millesime)
	if slices.ContainsFunc(best, func(b band) bool { return b.v.Nature == indicators.Estimation }) {
		p.v.AgeYear += " (estimation)"
	}
	for _, b := range best {
		label, _, _ := strings.Cut(b.d.Label, " (")
		row := portraitAge{Label: capital(strings.TrimPrefix(label, "Part des ")), Own: p.figure(b.d, b.v)}
		other := indicators.Opt{}
		for _, x := range p.f.ecarts[b.v.Key] {
			if x.Reference.Level() == "commune" && x.ReferenceInclut && x.ValeurReference.OK {
				other = x.ValeurReference
				key := x.Key
				key.Couche = x.Reference
				row.Ref = portraitFigure{indicators.FrenchNumber(other.V, b.d.Decimals), key.Indicateur, key.Sexe, x.ReferenceCode, key.Couche, key.Millesime}
				p.v.AgeRef = "commune"
			}
		}
		row.Plot = bars(b.v.V, other)
		p.v.Ages = append(p.v.Ages, row)
	}
}

// charts draws the series that have several years.
func (p *portraitist) charts() {
	var defs []*indicators.Definition
	for _, k := range p.keys {
		if !slices.Contains(defs, k.def) {
			defs = append(defs, k.def)
		}
	}
	for i := range p.s.edition.Indicators {
		if d := &p.s.edition.Indicators[i]; !slices.Contains(defs, d) && d.Direction != "neutre" {
			defs = append(defs, d)
		}
	}
	slices.SortStableFunc(defs, func(a, b *indicators.Definition) int { return chartRank(a) - chartRank(b) })
	for _, d := range defs {
		if len(p.v.Charts) == portraitCharts {
			return
		}
		c := p.series(d)
		dated := 0
		for _, x := range c.points {
			if x.v.Fiabilite >= indicators.Fragile {
				dated++
			}
		}
		if dated > 1 {
			drawn := c.draw()
			p.drawn.charts = append(p.drawn.charts, drawn)
			p.v.Charts = append(p.v.Charts, drawn.svg())
		}
	}
}

// others lists figures that are neither key figures nor told by sex, where the series leave room for them.
func (p *portraitist) others() {
	room := portraitOthers - 5*((len(p.v.Charts)+2)/3)
	if len(p.v.Charts) > 3 {
		room = 0
	}
	shown := map[*indicators.Value]bool{}
	for _, k := range p.keys {
		shown[k.v] = true
	}
	for i := range p.s.edition.Indicators {
		d := &p.s.edition.Indicators[i]
		if d.Registre || slices.ContainsFunc(p.v.Sexes, func(x portraitSex) bool { return x.Women.Indicateur == d.ID }) {
			continue
		}
		v := p.f.shownYear(d.ID, "T")
		if v == nil || shown[v] || len(p.v.Others) >= room {
			continue
		}
		row := portraitOther{Label: d.Label, Year: strings.Replace(yearFR(v.Millesime), "inconnue", "année inconnue", 1), Mark: markFR(v), Value: p.figure(d, v), Weak: v.Fiabilite == indicators.Insuffisante}
		if unit := d.Unit; unit != "" && unit != "ratio" && unit != "indice" {
			row.Value.Text += "\u00a0" + unit
		}
		if len(p.levels) > 0 && d.Rule != indicators.Somme {
			row.Ref = p.reference(d, v, p.levels[0]).portraitFigure
		}
		p.v.Others = append(p.v.Others, row)
	}
	if slices.ContainsFunc(p.v.Others, func(x portraitOther) bool { return x.Ref.Text != "" }) {
		p.v.OtherRef = p.v.Refs[0].Title
	}
}

// chartRank ranks what a series tells: rates with a good side, then the others, then counts.
func chartRank(d *indicators.Definition) int {
	switch {
	case d.Rule == indicators.Somme:
		return 2
	case d.Direction == "neutre":
		return 1
	}
	return 0
}

// series gathers the figures of an indicator over the years, with those of the nearest reference.
func (p *portraitist) series(d *indicators.Definition) seriesChart {
	c := seriesChart{def: d}
	for _, v := range p.f.values[d.ID] {
		if v.Sexe != "T" || v.Statut != indicators.Disponible || v.Millesime <= 0 {
			continue
		}
		c.points = append(c.points, seriesPoint{v.Millesime, v})
		p.used[v] = true
		if d.Rule == indicators.Somme {
			continue // a count is not compared
		}
		var near *indicators.Ecart
		for _, x := range p.f.ecarts[v.Key] {
			if x.ReferenceInclut && x.ValeurReference.OK && (near == nil || referenceRank(x.Reference) < referenceRank(near.Reference)) {
				near = x
			}
		}
		if near != nil && near.Reference.Level() == cmp.Or(c.level, near.Reference.Level()) {
			c.level = near.Reference.Level()
			c.refs = append(c.refs, refPoint{v.Millesime, near.ValeurReference.V})
		}
	}
	for _, x := range p.f.evolutions[d.ID] {
		if x.Reference == "" && x.Sexe == "T" && x.Statut == indicators.Disponible && reliable(p.f.at(d.ID, "T", x.Depuis)) && reliable(p.f.at(d.ID, "T", x.Millesime)) {
			c.links = append(c.links, [2]int{x.Depuis, x.Millesime})
		}
	}
	variables := d.Variables()
	for i := range p.s.edition.Sources {
		src := &p.s.edition.Sources[i]
		used := slices.ContainsFunc(c.points, func(x seriesPoint) bool { return src.File != "" && strings.Contains(x.v.Source, src.File) })
		for _, b := range src.Breaks {
			if used && (len(b.Variables) == 0 || slices.ContainsFunc(b.Variables, func(name string) bool { return slices.Contains(variables, name) })) && !slices.Contains(c.breaks, b.Millesime) {
				c.breaks = append(c.breaks, b.Millesime)
			}
		}
	}
	if c.level != "" {
		c.reference = referenceFR(geo.Layer(c.level+"-0"), p.layerOf(c.level))
	}
	return c
}

// facilities counts them in the quarter, and in the perimeters of use around it.
func (p *portraitist) facilities() {
	var layers []geo.Layer
	for _, l := range p.s.layers {
		if l == p.z.layer || strings.HasPrefix(l.set.Layer.Level(), "quartier_vecu") && l.set.Layer != p.z.layer.set.Layer {
			if _, ok := l.set.Index(p.z.code()); ok {
				layers = append(layers, l.set.Layer)
			}
		}
	}
	slices.SortStableFunc(layers, func(a, b geo.Layer) int {
		own := p.z.layer.set.Layer
		switch {
		case a == own:
			return -1
		case b == own:
			return 1
		}
		return 0
	})
	counts := map[string][]int{}
	names := map[string][]string{}
	for i := range p.s.edition.Equipements {
		q := &p.s.edition.Equipements[i]
		for k, l := range layers {
			if !q.In([]geo.Layer{l}, []string{p.z.code()}) || !slices.ContainsFunc(q.Zones, func(z indicators.EquipementZone) bool { return z.Couche == l && z.Code == p.z.code() }) {
				continue
			}
			if counts[q.Theme] == nil {
				counts[q.Theme] = make([]int, len(layers))
			}
			counts[q.Theme][k]++
			if k == 0 && q.Nom != "" {
				names[q.Theme] = append(names[q.Theme], q.Nom)
			}
		}
	}
	for k, l := range layers {
		title := "dans le quartier"
		if k > 0 {
			title = "quartier vécu"
			if m := strings.TrimPrefix(l.Level(), "quartier_vecu_"); m != l.Level() {
				title = "à " + strings.TrimSuffix(m, "m") + "\u00a0m"
			}
		}
		p.v.Around = append(p.v.Around, title)
	}
	var themes []string
	for t := range counts {
		themes = append(themes, t)
	}
	slices.Sort(themes)
	for _, t := range themes {
		row := portraitTheme{Theme: capital(t), Names: strings.Join(names[t], ", ")}
		for _, n := range counts[t] {
			row.Counts = append(row.Counts, strconv.Itoa(n))
		}
		p.v.Themes = append(p.v.Themes, row)
	}
}

// comment is what people wrote, its Markdown taken as plain paragraphs.
func (p *portraitist) comment() {
	for _, c := range p.s.edition.Commentaires {
		if c.Code != p.z.code() {
			continue
		}
		room := portraitComment
		for _, para := range strings.Split(c.Texte, "\n\n") {
			para = strings.TrimSpace(strings.NewReplacer("**", "", "__", "", "\n", " ").Replace(strings.TrimLeft(strings.TrimSpace(para), "#-*> ")))
			if para == "" {
				continue
			}
			if letters := []rune(para); len(letters) > room {
				cut := string(letters[:room])
				if i := strings.LastIndex(cut, " "); i > 0 {
					cut = cut[:i]
				}
				p.v.Comment = append(p.v.Comment, cut+" […]")
				break
			}
			room -= len([]rune(para))
			p.v.Comment = append(p.v.Comment, para)
		}
		p.v.Author = strings.Trim(c.Auteur+", "+dateFR(c.Date), ", ")
		if c.Relire != "" {
			p.v.Reread = "À relire : des chiffres ont changé depuis qu'il a été écrit."
			if !strings.HasPrefix(c.Relire, "depuis") {
				p.v.Reread = "À relire : rien ne dit sur quels chiffres il a été écrit."
			}
		}
	}
}

var months = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}

// dateFR writes AAAA-MM-JJ as people do: 3 mars 2026.
func dateFR(day string) string {
	var y, m, d int
	if n, _ := fmt.Sscanf(day, "%4d-%2d-%2d", &y, &m, &d); n != 3 || m < 1 || m > 12 {
		return day
	}
	text := strconv.Itoa(d)
	if d == 1 {
		text = "1er"
	}
	return text + " " + months[m-1] + " " + strconv.Itoa(y)
}

// unsaid tells what could not be said of the quarter, and why: refused comparisons, secret figures, missing ones.
func (p *portraitist) unsaid() {
	secret, absent := 0, 0
	for i := range p.s.edition.Indicators {
		d := &p.s.edition.Indicators[i]
		if d.Registre {
			continue
		}
		available, hidden := false, false
		for _, v := range p.f.values[d.ID] {
			available = available || v.Statut == indicators.Disponible
			hidden = hidden || v.Statut == indicators.Secret || v.Statut == indicators.NonSignificatif
		}
		switch {
		case available:
		case hidden:
			secret++
		default:
			absent++
		}
	}
	if secret > 0 {
		p.v.Unsaid = append(p.v.Unsaid, plural(secret, "indicateur est couvert", "indicateurs sont couverts")+" par le secret statistique ou non "+first2(secret, "significatif", "significatifs")+".")
	}
	if absent > 0 {
		p.v.Unsaid = append(p.v.Unsaid, plural(absent, "indicateur de l'édition n'est pas connu", "indicateurs de l'édition ne sont pas connus")+" pour ce quartier.")
	}
	type refusal struct {
		garde, motif string
		n            int
	}
	var list []refusal
	for i := range p.s.edition.Indicators {
		for _, x := range p.f.evolutions[p.s.edition.Indicators[i].ID] {
			if x.Garde == "" || x.Reference != "" || x.Statut == indicators.Disponible {
				continue
			}
			k := slices.IndexFunc(list, func(r refusal) bool { return r.garde == x.Garde })
			if k < 0 {
				k, list = len(list), append(list, refusal{x.Garde, x.Motif, 0})
			}
			list[k].n++
		}
	}
	slices.SortStableFunc(list, func(a, b refusal) int { return cmp.Compare(b.n, a.n) })
	for _, r := range list[:min(3, len(list))] {
		p.v.Unsaid = append(p.v.Unsaid, plural(r.n, "évolution n'est pas donnée", "évolutions ne sont pas données")+". Par exemple : "+withoutSource(r.motif))
	}
}

// withoutSource is the reason of a guard less the document it rests on, in brackets at its end.
func withoutSource(motif string) string {
	if at := strings.LastIndex(motif, ". ("); at > 0 && strings.HasSuffix(motif, ")") {
		return motif[:at+1]
	}
	return motif
}

// plural is a count with its words: none, 1 and 1.5 are singular.
func plural(n int, one, many string) string {
	return indicators.FrenchNumber(float64(n), 0) + " " + first2(n, one, many)
}

func first2(n int, one, many string) string {
	if n < 2 {
		return one
	}
	return many
}

// sources writes the caption: the files behind the figures shown.
func (p *portraitist) sources() {
	var used []indicators.Source
	for _, src := range p.s.edition.Sources {
		for v := range p.used {
			if src.File != "" && strings.Contains(v.Source, src.File) {
				used = append(used, src)
				break
			}
		}
	}
	if len(used) == 0 { // figures cited one by one, from a document: the tables of its level
		for _, src := range p.s.edition.Sources {
			if src.Level == p.z.layer.set.Layer.Level() && src.Rows > 0 {
				used = append(used, src)
			}
		}
	}
	text := "calculs de l'observatoire, édition " + p.s.edition.ID + "."
	if list := mergedYears(captions(used)); len(list) > 0 {
		text = "Source : " + strings.Join(list, " ; ") + " – " + text
	} else {
		text = capital(text)
	}
	p.v.Caption = text + " Contours : " + p.z.layer.title() + "."
}

var yearInText = regexp.MustCompile(`\b(?:19|20)\d\d\b`)

// mergedYears joins texts that differ by one year only: "Filosofi 2017, 2018 et 2019".
func mergedYears(list []string) []string {
	type group struct {
		years [][]string
		at    int // the year that differs; -1: none yet
	}
	groups := map[string]*group{}
	var order []string
	for _, text := range list {
		mask := yearInText.ReplaceAllString(text, "\x00")
		years := yearInText.FindAllString(text, -1)
		for { // a text that differs otherwise has a group of its own
			g := groups[mask]
			if g == nil {
				groups[mask] = &group{[][]string{years}, -1}
				order = append(order, mask)
				break
			}
			var differ []int
			for i := range years {
				if years[i] != g.years[0][i] {
					differ = append(differ, i)
				}
			}
			if len(differ) == 1 && (g.at < 0 || g.at == differ[0]) {
				g.at, g.years = differ[0], append(g.years, years)
				break
			}
			mask += "\x01"
		}
	}
	var out []string
	for _, mask := range order {
		g := groups[mask]
		text := strings.TrimRight(mask, "\x01")
		for i, year := range g.years[0] {
			if i == g.at {
				var all []string
				for _, y := range g.years {
					all = append(all, y[i])
				}
				slices.Sort(all)
				year = strings.Join(all[:len(all)-1], ", ") + " et " + all[len(all)-1]
			}
			text = strings.Replace(text, "\x00", year, 1)
		}
		out = append(out, text)
	}
	return out
}

// handlePortrait answers the portrait of a quarter, as a page that may be printed.
func (s *Server) handlePortrait(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
	code := param(r, "code")
	list := p.Portraits()
	k := slices.IndexFunc(list, func(z PortraitZone) bool { return z.Code == code })
	if k < 0 {
		return notFound("Pas de portrait de « %s » : l'édition n'a pas de quartier de ce code, ou n'en a pas de chiffre.", code)
	}
	var b strings.Builder
	if err := p.WritePortrait(&b, list[k]); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", portraitPolicy)
	return send(w, "text/html; charset=utf-8", []byte(b.String()))
}
