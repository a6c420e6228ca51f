package indicators

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"observatoire/geo"
)

// A Cause is why a figure is not the same in two editions.
type Cause string

const (
	CauseDonnees    Cause = "donnees"    // a file behind the figure changed, came or went
	CausePerimetre  Cause = "perimetre"  // the zone, or its share of the zones it is made of, changed
	CauseMethode    Cause = "methode"    // its definition, its method or a parameter of the project changed
	CauseFiche      Cause = "fiche"      // the card reads the same file otherwise
	CauseCorrection Cause = "correction" // a correction of the project began, changed or ended
	CauseDecision   Cause = "decision"   // a named decision waives a guard, or does so no more
	CauseProgramme  Cause = "programme"  // nothing else explains it
)

// Causes lists the causes, in the order they are told.
var Causes = []Cause{CauseDonnees, CausePerimetre, CauseMethode, CauseFiche, CauseCorrection, CauseDecision, CauseProgramme}

// Label is the cause in French, for readers.
func (c Cause) Label() string {
	return map[Cause]string{CauseDonnees: "données", CausePerimetre: "périmètre", CauseMethode: "méthode", CauseFiche: "fiche de lecture",
		CauseCorrection: "correction", CauseDecision: "décision", CauseProgramme: "programme"}[c]
}

// The objects of a [Mouvement].
const (
	ObjetValeur    = "valeur"
	ObjetEcart     = "ecart"
	ObjetEvolution = "evolution"
	ObjetRang      = "rang"
)

// Objets lists them in the order they are told, with what readers call many of them.
var Objets = []struct{ ID, Titre string }{{ObjetValeur, "Valeurs"}, {ObjetEcart, "Écarts"}, {ObjetEvolution, "Évolutions"}, {ObjetRang, "Rangs"}}

// A Mouvement is a figure that is not the same in two editions.
type Mouvement struct {
	Objet string // a shown value, a gap, an evolution, or a rank
	Key
	Depuis        int // of an evolution: its first year
	Code, Nom     string
	Reference     geo.Layer // of a gap
	ReferenceCode string
	Unite         string
	Avant, Apres  Opt
	StatutAvant   string // empty: the edition has no such figure
	StatutApres   string
	Causes        []Cause // those that touch the figure, in the order of [Causes]; at least one
	Detail        string  // in French: what changed
}

// Difference is the movement, where there is a figure on both sides.
func (m Mouvement) Difference() Opt {
	if !m.Avant.OK || !m.Apres.OK {
		return Opt{}
	}
	return Some(m.Apres.V - m.Avant.V)
}

// size orders movements: by how much of itself a figure moved; those that came or went, or whose statut alone moved, are last.
func (m Mouvement) size() float64 {
	d := m.Difference()
	if !d.OK {
		return -1
	}
	return math.Abs(d.V) / max(math.Abs(m.Avant.V), math.Abs(m.Apres.V), math.SmallestNonzeroFloat64)
}

// CausesText lists the causes in French.
func (m Mouvement) CausesText() string {
	var list []string
	for _, c := range m.Causes {
		list = append(list, c.Label())
	}
	return strings.Join(list, " + ")
}

// Differences are what moved between two editions.
type Differences struct {
	De, A      string // ids
	Comparees  int    // figures that one edition or the other shows
	Notes      []string
	Mouvements []Mouvement // values, gaps, evolutions, then ranks, in the order of the series
}

// Counts are how many movements of a kind have each cause; one of two causes counts under both.
func (d *Differences) Counts(objet string) map[Cause]int {
	out := map[Cause]int{}
	for _, m := range d.Mouvements {
		if m.Objet == objet {
			for _, c := range m.Causes {
				out[c]++
			}
		}
	}
	return out
}

// Of are the movements of a kind.
func (d *Differences) Of(objet string) []Mouvement {
	var list []Mouvement
	for _, m := range d.Mouvements {
		if m.Objet == objet {
			list = append(list, m)
		}
	}
	return list
}

// Largest are the n movements that are largest, in proportion to the figure; those that came or went are last.
func Largest(list []Mouvement, n int) []Mouvement {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(x, y Mouvement) int { return cmp.Compare(y.size(), x.size()) })
	return list[:min(n, len(list))]
}

// FindEdition finds the one edition whose id begins with name.
func FindEdition(list []EditionInfo, name string) (EditionInfo, error) {
	var found []string
	var last EditionInfo
	for _, e := range list {
		if e.ID == name {
			return e, nil
		}
		if name != "" && strings.HasPrefix(e.ID, name) {
			found, last = append(found, e.ID), e
		}
	}
	switch len(found) {
	case 1:
		return last, nil
	case 0:
		return last, fmt.Errorf("no edition %q: `observatoire editions` lists them", name)
	}
	return last, fmt.Errorf("%q may be any of %s: write more of it", name, strings.Join(found, ", "))
}

// A CorrectionStamp is what the manifest of an edition keeps of a correction it was made with.
type CorrectionStamp struct {
	Fiche     string `json:"fiche,omitempty"`
	Variable  string `json:"variable"`
	Code      string `json:"code"`
	Millesime int    `json:"millesime,omitempty"`
	Sexe      string `json:"sexe"`
	Valeur    string `json:"valeur,omitempty"` // not kept of what came under a convention
	Motif     string `json:"motif"`
	Auteur    string `json:"auteur"`
	JusquAu   string `json:"jusqu_au,omitempty"`

	Convention string `json:"convention,omitempty"`
}

// A SourceStamp is what the manifest of an edition keeps of a file of figures.
type SourceStamp struct {
	ID     string `json:"id"`
	Card   string `json:"fiche_sha256"`
	SHA256 string `json:"sha256"`
	Rows   int    `json:"lignes"`
	Kept   int    `json:"lignes_retenues"`
	// Columns are digests of the figures that were read, by [ColumnKey], before any correction; not kept of what came under a
	// convention, whose figures are few.
	Columns map[string]string `json:"colonnes,omitempty"`
}

// ColumnKey names the columns of a variable, a sex and a millésime in a manifest.
func ColumnKey(variable, sexe string, millesime int) string {
	return fmt.Sprintf("%s %s %d", variable, sexe, millesime)
}

// A need is what a value is made of: the variables of its indicator, for its sex and year, and those it may be weighted by,
// of any.
type need struct {
	own, weights []string
	sexe         string
	millesime    int
}

// of says whether a column of a source may be behind the value.
func (n need) of(key string) bool {
	name, rest, _ := strings.Cut(key, " ")
	sexe, year, _ := strings.Cut(rest, " ")
	if slices.Contains(n.own, name) && sexe == n.sexe && (year == strconv.Itoa(n.millesime) || n.millesime <= 0 && year == "0") {
		return true
	}
	return slices.Contains(n.weights, name)
}

// all are the variables.
func (n need) all() []string { return slices.Concat(n.own, n.weights) }

// A LayerStamp is what the manifest of an edition keeps of a layer.
type LayerStamp struct {
	Layer    geo.Layer `json:"couche"`
	Zones    int       `json:"zones"`
	Hash     string    `json:"sha256"`             // of the codes, names and compositions
	Contours string    `json:"contours,omitempty"` // sha256 of the geometries
}

// A FileStamp says which bytes a layer was read from.
type FileStamp struct {
	Layer  geo.Layer `json:"couche"`
	File   string    `json:"fichier"`
	SHA256 string    `json:"sha256"`
	Zones  int       `json:"zones"`
}

// manifest is what two editions are compared by. An edition made before a field existed has none of it.
type manifest struct {
	Program     string                            `json:"programme"`
	Communes    []string                          `json:"communes"`
	References  []string                          `json:"references"`
	GeographyAs map[geo.Layer]geo.Layer           `json:"geographie_rapprochee"`
	Passages    []FileStamp                       `json:"passages"`
	Methods     map[string]string                 `json:"methodes"`
	Comparisons json.RawMessage                   `json:"comparaisons"`
	Vecus       json.RawMessage                   `json:"quartiers_vecus"`
	Weights     *struct{ Layer, Variable string } `json:"poids"`
	Since       map[geo.Layer]int                 `json:"compositions_depuis"`
	Definitions map[string]string                 `json:"definitions_sha256"`
	Guards      string                            `json:"gardes_sha256"`
	Corrections []CorrectionStamp                 `json:"corrections"`
	Decisions   []Derogation                      `json:"decisions"`
	Files       []FileStamp                       `json:"fichiers_de_contours"`
	Layers      []LayerStamp                      `json:"couches"`
	Sources     []SourceStamp                     `json:"sources"`

	sources map[string]*SourceStamp
}

// A side is one of the two editions.
type side struct {
	e       *Edition
	m       manifest
	defs    map[string]*Definition
	shown   ShownIndex
	files   map[string][]*Source // by base name
	pairs   map[zoneKey]map[zoneKey]float64
	missing bool // the manifest does not say what moved: an edition of an older program
}

func newSide(e *Edition, sees []string) (*side, error) {
	s := &side{defs: map[string]*Definition{}, files: map[string][]*Source{}}
	if err := json.Unmarshal(e.Manifest, &s.m); err != nil {
		return nil, fmt.Errorf("edition %s: its manifest cannot be read: %w", e.ID, err)
	}
	s.e = Withhold(e, sees...)
	s.shown = NewShown(s.e)
	s.missing = s.m.Definitions == nil
	s.m.sources = map[string]*SourceStamp{}
	for i := range s.m.Sources {
		s.m.sources[s.m.Sources[i].ID] = &s.m.Sources[i]
	}
	for i := range s.e.Indicators {
		s.defs[s.e.Indicators[i].ID] = &s.e.Indicators[i]
	}
	for i := range s.e.Sources {
		x := &s.e.Sources[i]
		s.files[x.File] = append(s.files[x.File], x)
	}
	s.m.Corrections = slices.DeleteFunc(s.m.Corrections, func(c CorrectionStamp) bool {
		return c.Convention != "" && !slices.Contains(sees, c.Convention)
	})
	return s, nil
}

// weights are the shares by which a zone takes from the zones it overlaps.
func (s *side) weights(at zoneKey) map[zoneKey]float64 {
	if s.pairs == nil {
		s.pairs = map[zoneKey]map[zoneKey]float64{}
		for _, o := range s.e.Overlaps {
			from, to := s.e.Layer(o.From), s.e.Layer(o.To)
			if from == nil || to == nil || o.To.Level() != "iris" && o.To.Level() != "commune" {
				continue
			}
			for _, p := range o.Pairs {
				k := zoneKey{o.From, from.Zones[p.From].Code}
				if s.pairs[k] == nil {
					s.pairs[k] = map[zoneKey]float64{}
				}
				s.pairs[k][zoneKey{o.To, to.Zones[p.To].Code}] = p.ShareTo
			}
		}
	}
	return s.pairs[at]
}

func (s *side) zone(at zoneKey) (geo.Zone, bool) {
	if set := s.e.Layer(at.layer); set != nil {
		if i, ok := set.Index(at.code); ok {
			return set.Zones[i], true
		}
	}
	return geo.Zone{}, false
}

// sources are the ids of the files a value rests on: those its source names; where it names a document, or nothing, those
// that hold a variable of its definition.
func (s *side) sources(v *Value, needed need) []string {
	var ids []string
	guess := v.Source == ""
	for part := range strings.SplitSeq(v.Source, " ; ") {
		file, _, _ := strings.Cut(strings.TrimSuffix(part, corrected), " : ")
		if len(s.files[file]) == 0 {
			file, _, _ = strings.Cut(file, " (convention ")
		}
		for _, x := range s.files[file] {
			ids = append(ids, x.ID)
		}
		guess = guess || len(s.files[file]) == 0
	}
	if guess {
		for _, x := range s.e.Sources {
			stamp := s.m.sources[x.ID]
			if stamp == nil || v.Nature == Producteur && x.Level != "" && x.Level != v.Couche.Level() {
				continue
			}
			if stamp.Columns == nil {
				ids = append(ids, x.ID)
			}
			for key := range stamp.Columns {
				if needed.of(key) {
					ids = append(ids, x.ID)
					break
				}
			}
		}
	}
	return ids
}

// reasons are the causes found for a figure, each with what changed.
type reasons map[Cause][]string

func (r reasons) add(c Cause, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r[c], text) {
		r[c] = append(r[c], text)
	}
}

func (r reasons) join(other reasons) {
	for c, list := range other {
		for _, text := range list {
			r.add(c, "%s", text)
		}
	}
}

// into writes the reasons into a movement.
func (r reasons) into(m *Mouvement) {
	var text []string
	for _, c := range Causes {
		if list, ok := r[c]; ok {
			m.Causes = append(m.Causes, c)
			text = append(text, list...)
		}
	}
	more := ""
	if len(text) > 6 {
		more, text = fmt.Sprintf(" ; et %d autres raisons", len(text)-6), text[:6]
	}
	m.Detail = strings.Join(text, " ; ") + more
}

// A comparator sets side by side two editions.
type comparator struct {
	a, b        *side
	corrections []CorrectionStamp // in one edition only
	decisions   []Derogation      // in one edition only
	moved       map[shownKey]reasons
	out         *Differences
}

// Diff tells what moved from one edition to another, and why: each figure is set against the inputs it rests on, as both
// editions name them. Nothing that came under a convention is told, but under those that sees names. Inputs that changed
// without touching the figure are no cause of it; several that touch it are all told.
func Diff(from, to *Edition, sees ...string) (*Differences, error) {
	a, err := newSide(from, sees)
	if err != nil {
		return nil, err
	}
	b, err := newSide(to, sees)
	if err != nil {
		return nil, err
	}
	d := &comparator{a: a, b: b, moved: map[shownKey]reasons{}, out: &Differences{De: from.ID, A: to.ID}}
	d.corrections = apart(a.m.Corrections, b.m.Corrections)
	d.decisions = apart(a.m.Decisions, b.m.Decisions)
	for _, s := range []*side{a, b} {
		if s.missing {
			d.out.Notes = append(d.out.Notes, fmt.Sprintf("L'édition %s a été faite par un programme qui ne gardait ni les corrections, ni les décisions, ni le détail des variables et des définitions : une cause de cet ordre y est comptée comme « programme », ou avec la cause la plus proche.", s.e.ID))
		}
	}
	if a.m.Program != b.m.Program {
		d.out.Notes = append(d.out.Notes, fmt.Sprintf("Le programme a changé : %s, puis %s.", a.m.Program, b.m.Program))
	}
	d.values()
	d.ecarts()
	d.evolutions()
	d.rangs()
	return d.out, nil
}

// apart are the elements that one of the lists alone has.
func apart[T comparable](a, b []T) []T {
	var out []T
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			out = append(out, x)
		}
	}
	return out
}

// same says whether two figures read alike: what differs beyond ten digits says nothing.
func same(x, y Opt) bool { return x.String() == y.String() }

func (d *comparator) values() {
	type pair struct{ a, b *Value }
	pairs := map[shownKey]pair{}
	for k, v := range d.a.shown {
		pairs[k] = pair{a: v}
	}
	for k, v := range d.b.shown {
		p := pairs[k]
		p.b = v
		pairs[k] = p
	}
	d.out.Comparees = len(pairs)
	keys := slices.SortedFunc(maps.Keys(pairs), func(x, y shownKey) int {
		return CompareValues(Value{Key: x.Key, Code: x.code}, Value{Key: y.Key, Code: y.code})
	})
	for _, k := range keys {
		p := pairs[k]
		if p.a != nil && p.b != nil && p.a.Statut == p.b.Statut && same(p.a.Valeur(), p.b.Valeur()) {
			continue
		}
		m := Mouvement{Objet: ObjetValeur, Key: k.Key, Code: k.code}
		if p.a != nil {
			m.Avant, m.StatutAvant = p.a.Valeur(), p.a.Statut.String()
		}
		if p.b != nil {
			m.Apres, m.StatutApres = p.b.Valeur(), p.b.Statut.String()
		}
		why := d.why(p.a, p.b)
		d.moved[k] = why
		d.tell(m, why)
	}
}

// tell keeps a movement, with the names readers know.
func (d *comparator) tell(m Mouvement, why reasons) {
	for _, s := range []*side{d.b, d.a} {
		if z, ok := s.zone(zoneKey{m.Couche, m.Code}); ok && m.Nom == "" {
			m.Nom = cmp.Or(z.Name, m.Code)
		}
		if def := s.defs[m.Indicateur]; def != nil && m.Unite == "" {
			m.Unite = def.Unit
		}
	}
	m.Nom = cmp.Or(m.Nom, m.Code)
	why.into(&m)
	d.out.Mouvements = append(d.out.Mouvements, m)
}

// why finds the causes of a value that moved; one of a or b may be nil.
func (d *comparator) why(a, b *Value) reasons {
	r := reasons{}
	v := cmp.Or(b, a)
	at := zoneKey{v.Couche, v.Code}
	estimated := a != nil && a.Nature == Estimation || b != nil && b.Nature == Estimation
	by := func(methods ...string) bool {
		return a != nil && slices.Contains(methods, a.Methode) || b != nil && slices.Contains(methods, b.Methode)
	}
	needed := d.needed(v, estimated)
	variables := needed.all()
	d.zoneReasons(r, at, estimated)
	weak := reasons{}
	d.sourceReasons(r, weak, a, b, needed)
	for _, c := range d.corrections {
		if slices.Contains(variables, c.Variable) && (c.Code == v.Code || estimated && d.within(at, c.Code)) {
			r.add(CauseCorrection, "correction de %s, %s, %s, %s (%s ; %s)", c.Code, c.Variable, LabelMillesime(c.Millesime), c.Sexe, c.Motif, c.Auteur)
		}
	}
	d.methodReasons(r, weak, a, b)

	ma, mb := &d.a.m, &d.b.m
	if ma.Weights != nil && mb.Weights != nil && by(MethodePopulation, MethodeDeciles, MethodeMedPonderee) {
		if x, y := stampOf(ma.Files, geo.Layer(ma.Weights.Layer)), stampOf(mb.Files, geo.Layer(mb.Weights.Layer)); x.SHA256 != y.SHA256 {
			r.add(CauseDonnees, "la couche de poids %s a changé de fichier ou de contenu", mb.Weights.Layer)
		}
	}
	if !reflect.DeepEqual(ma.Passages, mb.Passages) {
		to := weak
		if by(MethodePassage) {
			to = r
		}
		to.add(CausePerimetre, "les tables de passage ont changé")
	}
	if len(r) == 0 {
		d.parameters(weak)
		r = weak
	}
	if len(r) == 0 {
		d.program(r)
	}
	return r
}

func (d *comparator) program(r reasons) {
	if d.a.m.Program != d.b.m.Program {
		r.add(CauseProgramme, "le programme a changé : %s, puis %s", d.a.m.Program, d.b.m.Program)
	} else {
		r.add(CauseProgramme, "aucune entrée dont ce chiffre dépend n'a changé")
	}
}

// needed is what a value is made of; an estimate may rest on the population too.
func (d *comparator) needed(v *Value, estimated bool) need {
	n := need{sexe: v.Sexe, millesime: v.Millesime}
	for _, s := range []*side{d.a, d.b} {
		for def := s.defs[v.Indicateur]; def != nil; def = s.defs[def.Of] {
			n.own = slices.Concat(n.own, []string{def.Value}, def.Numerator, def.Denominator, def.Deciles)
			n.weights = append(n.weights, def.Weight)
			if def.Of == def.ID {
				break
			}
		}
		if def := s.defs["population"]; def != nil && estimated {
			n.weights = slices.Concat(n.weights, []string{def.Value}, def.Numerator)
		}
	}
	for _, list := range []*[]string{&n.own, &n.weights} {
		slices.Sort(*list)
		*list = slices.DeleteFunc(slices.Compact(*list), func(s string) bool { return s == "" })
	}
	return n
}

// within says whether a zone takes part of its figures from another.
func (d *comparator) within(at zoneKey, code string) bool {
	for _, s := range []*side{d.a, d.b} {
		for k := range s.weights(at) {
			if k.code == code {
				return true
			}
		}
		if z, ok := s.zone(at); ok {
			for _, commune := range append(slices.Clone(z.Members), z.Code) {
				if code == commune || len(commune) == 5 && strings.HasPrefix(code, commune) {
					return true
				}
			}
		}
	}
	return false
}

// zoneReasons are what became of the zone, and of its shares of those it is estimated from.
func (d *comparator) zoneReasons(r reasons, at zoneKey, estimated bool) {
	x, inA := d.a.zone(at)
	y, inB := d.b.zone(at)
	switch {
	case inA != inB:
		s, z := d.a, x
		if inB {
			s, z = d.b, y
		}
		if z.Geom != nil || z.Members != nil {
			r.add(CausePerimetre, "la zone %s de %s n'est que dans l'édition %s", at.code, at.layer, s.e.ID)
		}
		return
	case !inA || !estimated:
		return
	}
	if !slices.Equal(x.Members, y.Members) {
		r.add(CausePerimetre, "la composition de %s a changé", cmp.Or(y.Name, at.code))
	}
	own := !reflect.DeepEqual(x.Geom, y.Geom)
	wa, wb := d.a.weights(at), d.b.weights(at)
	changed := !maps.EqualFunc(wa, wb, func(s, t float64) bool { return math.Abs(s-t) <= 1e-9 })
	switch {
	case own && (changed || len(wa) == 0):
		r.add(CausePerimetre, "le contour de %s a changé", cmp.Or(y.Name, at.code))
	case changed:
		r.add(CausePerimetre, "les contours des zones que %s recoupe ont changé", cmp.Or(y.Name, at.code))
	}
}

// sourceReasons are what became of the files a value rests on. Another card that reads the same figures is a weak reason: it
// may say another precedence.
func (d *comparator) sourceReasons(r, weak reasons, a, b *Value, needed need) {
	var ids []string
	if a != nil {
		ids = d.a.sources(a, needed)
	}
	if b != nil {
		ids = append(ids, d.b.sources(b, needed)...)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		x, y := d.a.m.sources[id], d.b.m.sources[id]
		switch {
		case x == nil && y == nil:
		case x == nil:
			r.add(CauseDonnees, "fichier ajouté : %s", id)
		case y == nil:
			r.add(CauseDonnees, "fichier retiré : %s", id)
		case x.SHA256 == y.SHA256 && x.Card == y.Card:
		default:
			read := x.Columns == nil || y.Columns == nil
			for _, columns := range []map[string]string{x.Columns, y.Columns} {
				for key := range columns {
					read = read || needed.of(key) && x.Columns[key] != y.Columns[key]
				}
			}
			if x.SHA256 != y.SHA256 && read {
				r.add(CauseDonnees, "contenu changé : %s", id)
			}
			if x.Card != y.Card {
				to := weak
				if read {
					to = r
				}
				to.add(CauseFiche, "fiche de lecture changée : %s", id)
			}
		}
	}
}

// methodReasons are what became of the definition and of the method.
func (d *comparator) methodReasons(r, weak reasons, a, b *Value) {
	v := cmp.Or(b, a)
	x, y := d.a.defs[v.Indicateur], d.b.defs[v.Indicateur]
	ha, hb := d.a.m.Definitions[v.Indicateur], d.b.m.Definitions[v.Indicateur]
	switch {
	case ha != "" && hb != "" && ha != hb, (ha == "" || hb == "") && x != nil && y != nil && !definedAlike(*x, *y):
		r.add(CauseMethode, "la définition de l'indicateur a changé")
	case !d.a.missing && !d.b.missing && (ha == "") != (hb == ""):
		r.add(CauseMethode, "l'indicateur n'est défini que dans une des éditions")
	}
	if d.a.m.Methods[v.Code] != d.b.m.Methods[v.Code] {
		r.add(CauseMethode, "la méthode fixée pour %s a changé : %s, puis %s", v.Code,
			cmp.Or(d.a.m.Methods[v.Code], "aucune"), cmp.Or(d.b.m.Methods[v.Code], "aucune"))
	}
	if a == nil || b == nil || a.Nature != Estimation || b.Nature != Estimation || a.Methode == b.Methode || a.Methode == "" || b.Methode == "" {
		return
	}
	to, why := weak, "une autre méthode s'applique"
	if x != nil && y != nil && !slices.Equal(x.Methodes, y.Methodes) {
		to, why = r, "l'ordre des méthodes, tiré de l'étalonnage, a changé"
	}
	to.add(CauseMethode, "%s : %s, puis %s", why, a.Methode, b.Methode)
}

// definedAlike compares two definitions, but for the order of methods that calibration gave.
func definedAlike(x, y Definition) bool {
	x.Methodes, y.Methodes = nil, nil
	return reflect.DeepEqual(x, y)
}

// parameters are the settings of the whole project that changed.
func (d *comparator) parameters(r reasons) {
	a, b := &d.a.m, &d.b.m
	for _, p := range []struct {
		name  string
		x, y  any
		cause Cause
	}{
		{"les communes étudiées", a.Communes, b.Communes, CausePerimetre},
		{"le rapprochement des géographies (geography_as)", a.GeographyAs, b.GeographyAs, CauseMethode},
		{"les dates des compositions (since)", a.Since, b.Since, CauseMethode},
		{"la couche de poids ou sa variable", a.Weights, b.Weights, CauseMethode},
		{"les réglages des quartiers vécus", string(a.Vecus), string(b.Vecus), CausePerimetre},
	} {
		if !reflect.DeepEqual(p.x, p.y) {
			r.add(p.cause, "changement de paramètre : %s", p.name)
		}
	}
}

func stampOf(list []FileStamp, layer geo.Layer) FileStamp {
	for _, f := range list {
		if f.Layer == layer {
			return f
		}
	}
	return FileStamp{}
}

// comparison adds what may have moved a comparison of values: their own reasons, then the settings of comparisons.
func (d *comparator) comparison(indicateur, code string, guards []string, values ...shownKey) reasons {
	r := reasons{}
	for _, k := range values {
		r.join(d.moved[k])
		// A verdict rests on the method and the uncertainty of figures that may not have moved.
		x, y := d.a.shown[k], d.b.shown[k]
		if d.moved[k] == nil && x != nil && y != nil && (x.Methode != y.Methode || x.Fiabilite != y.Fiabilite || x.IC95Bas != y.IC95Bas || x.IC95Haut != y.IC95Haut ||
			x.Min != y.Min || x.Max != y.Max) {
			r.join(d.why(x, y))
		}
	}
	for _, x := range d.decisions {
		if slices.ContainsFunc(guards, func(g string) bool { return x.covers(g, indicateur, code) }) {
			r.add(CauseDecision, "décision sur la garde %s pour %s (%s, %s)", x.Garde, x.Portee, x.Auteur, x.Date)
		}
	}
	if len(r) > 0 {
		return r
	}
	ma, mb := &d.a.m, &d.b.m
	if ma.Guards != mb.Guards && ma.Guards != "" && mb.Guards != "" {
		r.add(CauseMethode, "les règles de comparaison (gardes) ont changé")
	}
	if !slices.Equal(ma.References, mb.References) || !reflect.DeepEqual(ma.Since, mb.Since) {
		r.add(CauseMethode, "changement de paramètre : les références")
	}
	if string(ma.Comparisons) != string(mb.Comparisons) {
		r.add(CauseMethode, "changement de paramètre : les territoires de comparaison")
	}
	if len(r) == 0 {
		d.program(r)
	}
	return r
}

// reference adds the reasons of a reference that only one edition has.
func (d *comparator) reference(r reasons, layer geo.Layer, code string) {
	if layer != "" && (d.a.e.Layer(layer) == nil) != (d.b.e.Layer(layer) == nil) {
		delete(r, CauseProgramme)
		r.add(CausePerimetre, "la couche %s n'est que dans une des éditions", layer)
	} else if layer != "" {
		d.zoneReasons(r, zoneKey{layer, code}, false)
	}
}

func (d *comparator) ecarts() {
	type id struct {
		Key
		code string
		ref  geo.Layer
		of   string
	}
	index := func(e *Edition) map[id]*Ecart {
		out := make(map[id]*Ecart, len(e.Ecarts))
		for i := range e.Ecarts {
			x := &e.Ecarts[i]
			out[id{x.Key, x.Code, x.Reference, x.ReferenceCode}] = x
		}
		return out
	}
	before, after := index(d.a.e), index(d.b.e)
	compare := func(x, y *Ecart) {
		if x != nil && y != nil && x.Statut == y.Statut && same(x.Ecart, y.Ecart) {
			return
		}
		v := cmp.Or(y, x)
		m := Mouvement{Objet: ObjetEcart, Key: v.Key, Code: v.Code, Reference: v.Reference, ReferenceCode: v.ReferenceCode, Unite: v.Unite}
		if x != nil {
			m.Avant, m.StatutAvant = x.Ecart, x.Statut.String()
		}
		if y != nil {
			m.Apres, m.StatutApres = y.Ecart, y.Statut.String()
		}
		of := v.Key
		of.Couche = v.Reference
		why := d.comparison(v.Indicateur, v.Code, nil, shownKey{v.Key, v.Code}, shownKey{of, v.ReferenceCode})
		if x == nil || y == nil {
			d.reference(why, v.Reference, v.ReferenceCode)
		}
		d.tell(m, why)
	}
	for i := range d.a.e.Ecarts {
		x := &d.a.e.Ecarts[i]
		compare(x, after[id{x.Key, x.Code, x.Reference, x.ReferenceCode}])
	}
	for i := range d.b.e.Ecarts {
		if y := &d.b.e.Ecarts[i]; before[id{y.Key, y.Code, y.Reference, y.ReferenceCode}] == nil {
			compare(nil, y)
		}
	}
}

func (d *comparator) evolutions() {
	type id struct {
		Key
		depuis int
		code   string
		ref    geo.Layer
		of     string
		than   bool
	}
	key := func(x *Evolution) id {
		return id{x.Key, x.Depuis, x.Code, x.Reference, x.ReferenceCode, x.Comparaison}
	}
	index := func(e *Edition) map[id]*Evolution {
		out := make(map[id]*Evolution, len(e.Evolutions))
		for i := range e.Evolutions {
			out[key(&e.Evolutions[i])] = &e.Evolutions[i]
		}
		return out
	}
	before, after := index(d.a.e), index(d.b.e)
	compare := func(x, y *Evolution) {
		if x != nil && y != nil && x.Statut == y.Statut && same(x.Evolution, y.Evolution) && x.Verdict == y.Verdict {
			return
		}
		v := cmp.Or(y, x)
		m := Mouvement{Objet: ObjetEvolution, Key: v.Key, Depuis: v.Depuis, Code: v.Code, Reference: v.Reference, ReferenceCode: v.ReferenceCode, Unite: v.Unite}
		var guards []string
		if x != nil {
			m.Avant, m.StatutAvant, guards = x.Evolution, said(x), append(guards, x.Garde)
		}
		if y != nil {
			m.Apres, m.StatutApres, guards = y.Evolution, said(y), append(guards, y.Garde)
		}
		then, of := v.Key, v.Key
		then.Millesime, of.Couche = v.Depuis, v.Reference
		ofThen := of
		ofThen.Millesime = v.Depuis
		why := d.comparison(v.Indicateur, v.Code, guards, shownKey{v.Key, v.Code}, shownKey{then, v.Code},
			shownKey{of, v.ReferenceCode}, shownKey{ofThen, v.ReferenceCode})
		if x == nil || y == nil {
			d.reference(why, v.Reference, v.ReferenceCode)
		}
		if _, unexplained := why[CauseProgramme]; unexplained {
			d.around(why, v)
		}
		d.tell(m, why)
	}
	for i := range d.a.e.Evolutions {
		x := &d.a.e.Evolutions[i]
		compare(x, after[key(x)])
	}
	for i := range d.b.e.Evolutions {
		if y := &d.b.e.Evolutions[i]; before[key(y)] == nil {
			compare(nil, y)
		}
	}
}

// around adds to an evolution that its own figures do not explain what it may owe to others: a year between the two that came or went,
// so that another is the one before; the inhabitants that a guard counts; the perimeter of the quarter.
func (d *comparator) around(why reasons, x *Evolution) {
	found := reasons{}
	for _, at := range []zoneKey{{x.Couche, x.Code}, {x.Reference, x.ReferenceCode}} {
		if at.layer == "" {
			continue
		}
		for year := x.Depuis + 1; year < x.Millesime; year++ {
			found.join(d.moved[shownKey{Key{x.Indicateur, at.layer, year, x.Sexe}, at.code}])
		}
		for year := x.Depuis - 10; year <= x.Millesime+10; year++ {
			found.join(d.moved[shownKey{Key{populationVariable, at.layer, year, "T"}, at.code}])
		}
		d.zoneReasons(found, at, true)
	}
	if len(found) > 0 {
		delete(why, CauseProgramme)
		why.join(found)
	}
}

// rangs compares the places of the quarters: one may move because another did.
func (d *comparator) rangs() {
	index := func(e *Edition) (map[shownKey]*Rang, map[Key][]string) {
		out, among := map[shownKey]*Rang{}, map[Key][]string{}
		for i := range e.Rangs {
			x := &e.Rangs[i]
			out[shownKey{x.Key, x.Code}] = x
			among[x.Key] = append(among[x.Key], x.Code)
		}
		return out, among
	}
	before, amongBefore := index(d.a.e)
	after, amongAfter := index(d.b.e)
	place := func(x *Rang) Opt {
		if x == nil || x.Statut != Disponible {
			return Opt{}
		}
		return Some(float64(x.Rang))
	}
	compare := func(x, y *Rang) {
		if x != nil && y != nil && x.Statut == y.Statut && place(x) == place(y) && x.Sur == y.Sur {
			return
		}
		v := cmp.Or(y, x)
		m := Mouvement{Objet: ObjetRang, Key: v.Key, Code: v.Code, Unite: "rang", Avant: place(x), Apres: place(y)}
		var guards []string
		if x != nil {
			m.StatutAvant, guards = x.Statut.String(), append(guards, x.Garde)
		}
		if y != nil {
			m.StatutApres, guards = y.Statut.String(), append(guards, y.Garde)
		}
		keys := []shownKey{{v.Key, v.Code}} // its own reasons first
		others := slices.Concat(amongBefore[v.Key], amongAfter[v.Key])
		slices.Sort(others)
		for _, code := range slices.Compact(others) {
			if code != v.Code {
				keys = append(keys, shownKey{v.Key, code})
			}
		}
		d.tell(m, d.comparison(v.Indicateur, v.Code, guards, keys...))
	}
	for i := range d.a.e.Rangs {
		x := &d.a.e.Rangs[i]
		compare(x, after[shownKey{x.Key, x.Code}])
	}
	for i := range d.b.e.Rangs {
		if y := &d.b.e.Rangs[i]; before[shownKey{y.Key, y.Code}] == nil {
			compare(nil, y)
		}
	}
}

// said is the statut of an evolution, and its verdict where it has one.
func said(x *Evolution) string {
	if x.Statut == Disponible && x.Verdict != "" {
		return x.Verdict
	}
	return x.Statut.String()
}

// MouvementsHeader is the header of the movements as CSV.
var MouvementsHeader = []string{"objet", "indicateur", "couche", "code", "nom", "depuis", "millesime", "sexe", "reference", "code_reference",
	"avant", "apres", "difference", "unite", "statut_avant", "statut_apres", "cause", "detail"}

// WriteMouvementsCSV writes what moved.
func WriteMouvementsCSV(w io.Writer, d *Differences) error {
	return writeCSV(w, MouvementsHeader, len(d.Mouvements), func(i int) []string {
		m := d.Mouvements[i]
		return []string{m.Objet, m.Indicateur, string(m.Couche), m.Code, m.Nom, FormatMillesime(m.Depuis), FormatMillesime(m.Millesime), m.Sexe,
			string(m.Reference), m.ReferenceCode, m.Avant.String(), m.Apres.String(), m.Difference().String(), m.Unite, m.StatutAvant, m.StatutApres,
			joinCauses(m.Causes), m.Detail}
	})
}

func joinCauses(list []Cause) string {
	var out []string
	for _, c := range list {
		out = append(out, string(c))
	}
	return strings.Join(out, "+")
}

// MarshalJSON gives the columns of [MouvementsHeader].
func (m Mouvement) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Objet         string    `json:"objet"`
		Indicateur    string    `json:"indicateur"`
		Couche        geo.Layer `json:"couche"`
		Code          string    `json:"code"`
		Nom           string    `json:"nom"`
		Depuis        *int      `json:"depuis"`
		Millesime     *int      `json:"millesime"`
		Sexe          string    `json:"sexe"`
		Reference     geo.Layer `json:"reference"`
		ReferenceCode string    `json:"code_reference"`
		Avant         *float64  `json:"avant"`
		Apres         *float64  `json:"apres"`
		Difference    *float64  `json:"difference"`
		Unite         string    `json:"unite"`
		StatutAvant   string    `json:"statut_avant"`
		StatutApres   string    `json:"statut_apres"`
		Cause         []Cause   `json:"causes"`
		Detail        string    `json:"detail"`
	}{m.Objet, m.Indicateur, m.Couche, m.Code, m.Nom, positive(m.Depuis), positive(m.Millesime), m.Sexe, m.Reference, m.ReferenceCode,
		m.Avant.pointer(), m.Apres.pointer(), m.Difference().pointer(), m.Unite, m.StatutAvant, m.StatutApres, m.Causes, m.Detail})
}

func positive(year int) *int {
	if year <= 0 {
		return nil
	}
	return &year
}
