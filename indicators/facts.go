package indicators

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"observatoire/geo"
)

// A factKey names the figures of one variable on one layer.
type factKey struct {
	Variable  string
	Sexe      string
	Millesime int
	Layer     geo.Layer
}

// facts are the figures of one variable for every zone of one layer, by position of the zone.
type facts struct {
	V          []float64
	Statut     []Statut // NonDisponible where no source says anything
	Signale    []bool
	Source     []string  // where each figure comes from: "file : column", or its own reference
	Edition    int       // edition_source of the file they were first read from
	Precedence int       // of that file
	Somme      []bool    // made of points; nil when none is
	Notes      []string  // why figures were corrected, and how they were carried; nil when none was
	Passed     []Passed  // nil when no table of passage brought any
	Survey     survey    // of the census, that they come from
	As         geo.Layer // the layer the producer's codes refer to, when it is not the one they were met with
}

// A book holds every figure that was read, placed on the layers of the project.
type book struct {
	layers map[geo.Layer]*geo.ZoneSet
	order  []geo.Layer
	facts  map[factKey]*facts
	keys   []factKey            // sorted
	totals map[string][]factKey // by variable, of keys: both sexes together and a known millésime
	passed bool                 // some figures came by a table of passage
	alerts []Alerte
}

// place finds the layer a column's codes are met with: their own vintage, or another by an explicit
// geography_as. ok is false when the project has none.
func place(c Column, layers map[geo.Layer]*geo.ZoneSet, as map[geo.Layer]geo.Layer) (own, met geo.Layer, ok bool) {
	own = geo.Layer(c.Level)
	if c.Vintage != 0 {
		own = geo.Layer(fmt.Sprintf("%s-%d", c.Level, c.Vintage))
	}
	if _, held := layers[own]; held {
		return own, own, true
	}
	if to, said := as[own]; said {
		_, held := layers[to]
		return own, to, held
	}
	if c.Vintage != 0 {
		return own, own, false
	}
	// A file that does not say its geography meets the only layer of its level.
	for l := range layers {
		if l.Level() == c.Level {
			if ok {
				return own, own, false
			}
			met, ok = l, true
		}
	}
	return own, met, ok
}

// CompleteLayers adds, for every vintage that figures refer to and no layer or geography_as provides, a layer
// of codes without geometry, so that its figures are kept but never drawn nor split. There is at least one layer.
func CompleteLayers(layers []geo.ZoneSet, columns []Column, as map[geo.Layer]geo.Layer) []geo.ZoneSet {
	held := map[geo.Layer]*geo.ZoneSet{}
	for i := range layers {
		held[layers[i].Layer] = &layers[i]
	}
	missing := map[geo.Layer]map[string]bool{}
	under := map[geo.Layer][]string{} // conventions
	for _, c := range columns {
		own, _, ok := place(c, held, as)
		if ok {
			continue
		}
		if missing[own] == nil {
			missing[own] = map[string]bool{}
		}
		if !slices.Contains(under[own], c.Convention) {
			under[own] = append(under[own], c.Convention)
		}
		for _, code := range c.Codes {
			missing[own][code] = true
		}
	}
	for layer, codes := range missing {
		set := geo.ZoneSet{Layer: layer, Title: fmt.Sprintf("%s (sans contours)", layer), EPSG: layers[0].EPSG, Source: RestrictedLayer(under[layer]...)}
		for code := range codes {
			set.Zones = append(set.Zones, geo.Zone{Code: code})
		}
		slices.SortFunc(set.Zones, func(a, b geo.Zone) int { return cmp.Compare(a.Code, b.Code) })
		layers = append(layers, set)
	}
	slices.SortFunc(layers, func(a, b geo.ZoneSet) int { return cmp.Compare(a.Layer, b.Layer) })
	return layers
}

// newBook places every column on its layer. Where two files give the same figure the one of higher precedence is
// kept, then the latest edition, and a difference is reported.
func newBook(layers []geo.ZoneSet, columns []Column, sources []Source, as map[geo.Layer]geo.Layer) *book {
	b := &book{layers: map[geo.Layer]*geo.ZoneSet{}, facts: map[factKey]*facts{}}
	for i := range layers {
		b.layers[layers[i].Layer] = &layers[i]
		b.order = append(b.order, layers[i].Layer)
	}
	slices.Sort(b.order)
	bySource := map[string]Source{}
	for _, s := range sources {
		bySource[s.ID] = s
	}
	columns = slices.Clone(columns)
	slices.SortStableFunc(columns, func(x, y Column) int { // open data before what a partner gave, then the one that wins first
		carried := 0 // a figure of the very geography before one brought to it
		if (x.Passed != nil) != (y.Passed != nil) {
			carried = 1
			if y.Passed != nil {
				carried = -1
			}
		}
		return cmp.Or(cmp.Compare(x.Convention, y.Convention), carried,
			cmp.Compare(bySource[y.Source].Precedence, bySource[x.Source].Precedence),
			cmp.Compare(bySource[y.Source].Edition, bySource[x.Source].Edition),
			cmp.Compare(x.Source, y.Source))
	})
	type clash struct {
		n          int
		first, why string
	}
	clashes := map[string]*clash{}
	strangers := map[geo.Layer][]string{} // codes a table of passage led to, that the layer has not
	var at placed
	for _, c := range columns {
		own, layer, ok := place(c, b.layers, as)
		if !ok {
			continue
		}
		set := b.layers[layer]
		if c.Millesime == 0 { // two files that do not say their year do not speak of the same year
			c.Millesime = -bySource[c.Source].Edition
		}
		key := factKey{c.Variable, c.Sexe, c.Millesime, layer}
		f := b.facts[key]
		if f == nil {
			f = &facts{V: make([]float64, len(set.Zones)), Statut: make([]Statut, len(set.Zones)),
				Source: make([]string, len(set.Zones)), Edition: bySource[c.Source].Edition, Precedence: bySource[c.Source].Precedence}
			for i := range f.Statut {
				f.Statut[i] = NonDisponible
			}
			b.facts[key] = f
		}
		if own != layer {
			f.As = own
		}
		f.Survey = max(f.Survey, c.survey())
		where := columnName(c, bySource[c.Source])
		positions := at.of(c.Codes, set)
		for i, code := range c.Codes {
			z := int(positions[i])
			if z < 0 {
				if c.Passed != nil && !slices.Contains(strangers[layer], code) {
					strangers[layer] = append(strangers[layer], code)
				}
				continue
			}
			b.passed = b.passed || c.Passed != nil
			ref := where
			if c.Ref != nil && c.Ref[i] != "" {
				ref = c.Ref[i]
			}
			if c.Corrections != nil && c.Corrections[i] != "" {
				ref += corrected // estimates name their sources too
			}
			if f.Source[z] != "" && (f.Statut[z] == Disponible || c.Statut[i] != Disponible) {
				if f.Statut[z] == Disponible && c.Statut[i] == Disponible && !near(f.V[z], c.V[i]) {
					id := fmt.Sprintf("%s|%s", f.Source[z], where)
					if clashes[id] == nil {
						why := "la plus récente"
						if f.Precedence > bySource[c.Source].Precedence {
							why = "celle dont la fiche a la précédence"
						}
						clashes[id] = &clash{why: why, first: fmt.Sprintf("%s, %s %s : %s contre %s", code, c.Variable,
							FormatMillesime(c.Millesime), FormatNumber(f.V[z]), FormatNumber(c.V[i]))}
					}
					clashes[id].n++
				}
				continue
			}
			f.V[z], f.Statut[z], f.Source[z] = c.V[i], c.Statut[i], ref
			if f.Notes != nil { // of the absence that this figure fills
				f.Notes[z] = ""
			}
			if f.Passed != nil {
				f.Passed[z] = Stayed
			}
			if c.Somme {
				if f.Somme == nil {
					f.Somme = make([]bool, len(set.Zones))
				}
				f.Somme[z] = true
			}
			if c.Corrections != nil && c.Corrections[i] != "" {
				if f.Notes == nil {
					f.Notes = make([]string, len(set.Zones))
				}
				f.Notes[z] = c.Corrections[i]
			}
			if c.Carried != nil && c.Carried[i] != "" {
				if f.Notes == nil {
					f.Notes = make([]string, len(set.Zones))
				}
				f.Notes[z] = joinNotes(f.Notes[z], c.Carried[i])
			}
			if c.Passed != nil && c.Passed[i] != Stayed {
				if f.Passed == nil {
					f.Passed = make([]Passed, len(set.Zones))
				}
				f.Passed[z] = c.Passed[i]
			}
			if c.Signale != nil && c.Signale[i] {
				if f.Signale == nil {
					f.Signale = make([]bool, len(set.Zones))
				}
				f.Signale[z] = true
			}
		}
	}
	b.keys = slices.AppendSeq(make([]factKey, 0, len(b.facts)), maps.Keys(b.facts))
	slices.SortFunc(b.keys, func(x, y factKey) int {
		return cmp.Or(cmp.Compare(x.Variable, y.Variable), cmp.Compare(x.Layer, y.Layer),
			cmp.Compare(x.Millesime, y.Millesime), cmp.Compare(x.Sexe, y.Sexe))
	})
	b.totals = map[string][]factKey{}
	for _, k := range b.keys {
		if k.Sexe == "T" && k.Millesime > 0 {
			b.totals[k.Variable] = append(b.totals[k.Variable], k)
		}
	}
	for layer, codes := range strangers {
		b.alerts = append(b.alerts, Alerte{ID: "passage_inconnu:" + string(layer), Kind: "code_inconnu", Gravite: "attention", Objet: string(layer),
			Message: fmt.Sprintf("%d code(s) d'arrivée d'une table de passage sont absents de %s, leurs chiffres sont laissés de côté : %s", len(codes), layer, some(codes, 5))})
	}
	for id, c := range clashes {
		kept, other, _ := strings.Cut(id, "|")
		b.alerts = append(b.alerts, Alerte{ID: "precedence:" + id, Kind: "precedence", Gravite: "information",
			Objet: kept, Message: fmt.Sprintf("%d valeur(s) diffèrent de « %s » ; %s est retenue (première : %s)",
				c.n, other, c.why, c.first)})
	}
	return b
}

// placed are the positions of some codes on a layer, -1 where it has none: the columns of a table share theirs.
type placed struct {
	codes     []string
	set       *geo.ZoneSet
	positions []int32
}

func (p *placed) of(codes []string, set *geo.ZoneSet) []int32 {
	if len(codes) > 0 && len(p.codes) == len(codes) && &p.codes[0] == &codes[0] && p.set == set {
		return p.positions
	}
	p.codes, p.set, p.positions = codes, set, slices.Grow(p.positions[:0], len(codes))
	for _, code := range codes {
		z, known := set.Index(code)
		if !known {
			z = -1
		}
		p.positions = append(p.positions, int32(z))
	}
	return p.positions
}

// corrected ends the source of a figure that the project corrected.
const corrected = " (corrigé)"

// columnName is how the source of a figure names its column.
func columnName(c Column, s Source) string {
	where := s.File
	if where == "" {
		where = c.Source
	}
	if c.Header != "" {
		where += " : " + c.Header
	}
	if c.Convention != "" {
		where += " (convention " + c.Convention + ")"
	}
	return where
}

// near says whether two printed figures are the same up to the rounding of a unit in the last place.
func near(a, b float64) bool {
	d := a - b
	if d < 0 {
		d = -d
	}
	return d <= 1e-9*max(1, a, -a)
}

func (f *facts) signale(i int) bool { return f.Signale != nil && f.Signale[i] }

// A term is a sum of variables, for every zone of a layer by position: the first variable that is absent makes the sum
// absent, with its statut.
type term struct {
	v       []float64
	statut  []Statut
	signale []bool // nil when none is
	source  []string
}

// term adds variables up. One alone is not copied.
func (b *book) term(vars []string, sexe string, mil int, layer geo.Layer) *term {
	if len(vars) == 1 {
		if f := b.facts[factKey{vars[0], sexe, mil, layer}]; f != nil {
			return &term{f.V, f.Statut, f.Signale, f.Source}
		}
	}
	n := len(b.layers[layer].Zones)
	t := &term{v: make([]float64, n), statut: make([]Statut, n), source: make([]string, n)}
	for _, name := range vars {
		f := b.facts[factKey{name, sexe, mil, layer}]
		for z := range n {
			switch {
			case t.statut[z] != Disponible:
			case f == nil:
				t.statut[z] = NonDisponible
			case f.Statut[z] != Disponible:
				t.statut[z] = f.Statut[z]
			default:
				t.v[z] += f.V[z]
				t.source[z] = joinSources(t.source[z], f.Source[z])
				if f.signale(z) {
					if t.signale == nil {
						t.signale = make([]bool, n)
					}
					t.signale[z] = true
				}
			}
		}
	}
	return t
}

// at is the sum in a zone.
func (t *term) at(z int) (v float64, st Statut, source string, flagged bool) {
	if t.statut[z] != Disponible {
		return 0, t.statut[z], "", false
	}
	return t.v[z], Disponible, t.source[z], t.signale != nil && t.signale[z]
}

// joinSources adds a source to a list written "a ; b", once.
func joinSources(list, source string) string {
	if source == "" || list == source {
		return list
	}
	if list == "" {
		return source
	}
	for s := range strings.SplitSeq(list, " ; ") {
		if s == source {
			return list
		}
	}
	return list + " ; " + source
}
