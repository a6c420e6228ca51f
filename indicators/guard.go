package indicators

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"observatoire/geo"
)

// A Guard refuses a comparison that the sources do not allow: data, read from guards.yaml.
type Guard struct {
	ID        string   `yaml:"id"`
	Rule      string   `yaml:"rule"`       // one of [GuardRules]
	Variables []string `yaml:"variables"`  // those it is about, or the id of an indicator made of several; a final * stands for any ending; none: all
	Cards     []string `yaml:"cards"`      // as for variables: ids of cards
	Levels    []string `yaml:"levels"`     // levels of zones it is not about
	Millesime []int    `yaml:"millesimes"` // years of the rule
	Threshold float64  `yaml:"threshold"`  // inhabitants
	// Quarters are the quarters of the year that the figures of a card are of.
	Quarters map[string]string `yaml:"quarters"`
	// Sentence is the reason, in French, to be quoted as it is; {avant}, {apres} and {quoi} are what it was tripped by.
	Sentence string `yaml:"sentence"`
	Source   string `yaml:"source"` // who says so, in French
}

// GuardRules are what a guard may look at.
var GuardRules = []string{
	"enquetes",       // two millésimes of the census that share annual surveys
	"complementaire", // complementary exploitation of the census, in a zone of fewer inhabitants than the threshold
	"consecutifs",    // two consecutive years
	"rupture",        // two years on either side of one of the millésimes, which is of the later side
	"inexistant",     // a millésime that the producer never published
	"trimestre",      // figures of different quarters of a year
	"perimetre",      // two vintages of a quarter's perimeter, unless it did not move or a year is published for both
	"methode",        // values made by different methods
	"bases",          // a ranking of figures that do not come from the same publication
}

// Check says what is wrong with a guard.
func (g Guard) Check() error {
	switch {
	case g.ID == "":
		return fmt.Errorf("id: missing")
	case !slices.Contains(GuardRules, g.Rule):
		return fmt.Errorf("rule: %q: one of %s", g.Rule, strings.Join(GuardRules, ", "))
	case g.Sentence == "" || g.Source == "":
		return fmt.Errorf("sentence and source are needed: why, and who says so")
	case (g.Rule == "rupture" || g.Rule == "inexistant") && len(g.Millesime) == 0:
		return fmt.Errorf("millesimes: missing: the years of the rule")
	case g.Rule == "complementaire" && g.Threshold <= 0:
		return fmt.Errorf("threshold: missing: in inhabitants")
	case g.Rule == "trimestre" && len(g.Quarters) == 0:
		return fmt.Errorf("quarters: missing: card: quarter")
	}
	return nil
}

// A Derogation is the named decision by which a guard does not hold.
type Derogation struct {
	Garde  string `json:"garde"`
	Portee string `json:"portee"` // an indicator, the code of a zone, both as "indicateur:code", or "*"
	Auteur string `json:"auteur"`
	Motif  string `json:"motif"`
	Date   string `json:"date"` // AAAA-MM-JJ
}

func (d Derogation) covers(guard, indicateur, code string) bool {
	return d.Garde == guard && (d.Portee == "*" || d.Portee == indicateur || d.Portee == code || d.Portee == indicateur+":"+code)
}

func (d Derogation) french(sentence string) string {
	return fmt.Sprintf("%s Dérogation de %s (%s) : %s", sentence, d.Auteur, d.Date, d.Motif)
}

// guarded is what the guards say of a comparison. Refused: by is the guard, and motif its sentence. Else motif says
// which decisions let it pass, if any was needed.
type guarded struct {
	refused bool
	by      string
	motif   string
}

// An origin is a column behind a figure.
type origin struct {
	card, variable, exploitation string
	enquetes                     []int
	breaks                       []Break

	indicateur string // asked of, that the variable is a term of
}

// guards look at comparisons.
type guards struct {
	list     []Guard
	waived   []Derogation
	origins  map[string]map[int][]origin // by how Value.Source writes the column, then millésime
	people   map[zoneKey]map[int]float64 // inhabitants of a zone, by millésime
	outlines map[geo.Layer]*geo.ZoneSet
	studied  []string
	behind   map[madeOf]*origins // those asked for already, by one processor
}

// madeOf is what the columns behind the values of an indicator depend on.
type madeOf struct {
	indicateur, source string
	millesime          int
}

// origins are the columns behind a value, with what they tell of the census.
type origins struct {
	list          []origin
	enquetes      []int
	complementary bool
	ofCensus      bool
}

// alike is the same guards for another processor.
func (g *guards) alike() *guards {
	out := *g
	out.behind = map[madeOf]*origins{}
	return &out
}

type zoneKey struct {
	layer geo.Layer
	code  string
}

func newGuards(in *Input, values []Value) *guards {
	g := &guards{list: in.Guards, waived: in.Derogations, origins: map[string]map[int][]origin{}, people: map[zoneKey]map[int]float64{},
		outlines: map[geo.Layer]*geo.ZoneSet{}, studied: in.Studied, behind: map[madeOf]*origins{}}
	sources := map[string]Source{}
	for _, s := range in.Sources {
		sources[s.ID] = s
	}
	for _, c := range in.Columns {
		s := sources[c.Source]
		where := columnName(c, s)
		mil := c.Millesime
		if mil == 0 {
			mil = -s.Edition
		}
		if g.origins[where] == nil {
			g.origins[where] = map[int][]origin{}
		}
		o := origin{card: s.Card, variable: c.Variable, exploitation: c.Exploitation, enquetes: c.Enquetes, breaks: s.Breaks}
		if !slices.ContainsFunc(g.origins[where][mil], func(x origin) bool { return x.card == o.card && x.variable == o.variable }) {
			g.origins[where][mil] = append(g.origins[where][mil], o)
		}
	}
	for _, v := range values {
		if v.Indicateur == populationVariable && v.Retenue && v.Statut == Disponible && v.Sexe == "T" {
			z := zoneKey{v.Couche, v.Code}
			if g.people[z] == nil {
				g.people[z] = map[int]float64{}
			}
			g.people[z][v.Millesime] = v.V
		}
	}
	for i := range in.Layers {
		g.outlines[in.Layers[i].Layer] = &in.Layers[i]
	}
	return g
}

// of gives the columns behind a value, as far as its source names them.
func (g *guards) of(def *Definition, v *Value) []origin { return g.origin(def, v).list }

// census is that of the columns behind a value.
func (g *guards) census(def *Definition, v *Value) (enquetes []int, complementary, ok bool) {
	x := g.origin(def, v)
	return x.enquetes, x.complementary, x.ofCensus
}

func (g *guards) origin(def *Definition, v *Value) *origins {
	key := madeOf{def.ID, v.Source, v.Millesime}
	if x := g.behind[key]; x != nil {
		return x
	}
	vars := slices.Concat([]string{def.Value}, def.Numerator, def.Denominator, def.Deciles)
	x := &origins{}
	for name := range strings.SplitSeq(v.Source, " ; ") {
		for _, o := range g.origins[strings.TrimSuffix(name, corrected)][v.Millesime] {
			if slices.Contains(vars, o.variable) {
				o.indicateur = def.ID
				x.list = append(x.list, o)
			}
		}
	}
	x.enquetes, x.complementary, x.ofCensus = census(x.list)
	g.behind[key] = x
	return x
}

// census is the exploitation and the surveys behind a value; ok is false for a figure that is not of the census.
func census(list []origin) (enquetes []int, complementary, ok bool) {
	for _, o := range list {
		enquetes = append(enquetes, o.enquetes...)
		complementary = complementary || o.exploitation == "complementaire"
	}
	slices.Sort(enquetes)
	return slices.Compact(enquetes), complementary, len(enquetes) > 0 || complementary
}

func matches(patterns []string, word string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		stem, open := strings.CutSuffix(p, "*")
		return p == word || open && strings.HasPrefix(word, stem)
	})
}

// concern says whether a guard is about a figure.
func (g Guard) concern(list []origin, level string) bool {
	if slices.Contains(g.Levels, level) {
		return false
	}
	if len(g.Variables) == 0 && len(g.Cards) == 0 {
		return true
	}
	return slices.ContainsFunc(list, func(o origin) bool {
		return (matches(g.Variables, o.variable) || slices.Contains(g.Variables, o.indicateur)) && matches(g.Cards, o.card)
	})
}

// Applies says whether a guard may refuse a comparison of a card's variable: that of a census figure or not, of the complementary
// exploitation or not.
func (g Guard) Applies(card, variable string, census, complementary bool) bool {
	switch g.Rule {
	case "enquetes":
		return census && g.concern([]origin{{card: card, variable: variable}}, "")
	case "complementaire":
		return complementary && g.concern([]origin{{card: card, variable: variable}}, "")
	}
	return g.concern([]origin{{card: card, variable: variable}}, "")
}

// General is the sentence of a guard before anything tripped it: of two years A and B, or of those it names.
func (g Guard) General() string {
	what := "…"
	if len(g.Millesime) > 0 {
		what = yearList(g.Millesime)
	}
	return strings.NewReplacer("{avant}", "A", "{apres}", "B", "{quoi}", what).Replace(g.Sentence)
}

// inhabitants of a zone in the year nearest to mil.
func (g *guards) inhabitants(v *Value) (float64, bool) {
	best, found := 0, false
	years := g.people[zoneKey{v.Couche, v.Code}]
	for y := range years {
		if !found || abs(y-v.Millesime) < abs(best-v.Millesime) || abs(y-v.Millesime) == abs(best-v.Millesime) && y > best {
			best, found = y, true
		}
	}
	return years[best], found
}

// alone looks at one value: may it be compared with anything?
func (g *guards) alone(def *Definition, v *Value) guarded {
	list := g.of(def, v)
	return g.decide(def, v, func(r Guard) (string, string, string, bool) {
		switch r.Rule {
		case "complementaire":
			_, complementary, _ := census(list)
			n, known := g.inhabitants(v)
			return "", "", FrenchNumber(n, 0), complementary && known && n < r.Threshold && r.concern(list, v.Couche.Level())
		case "inexistant":
			return "", "", strconv.Itoa(v.Millesime), slices.Contains(r.Millesime, v.Millesime) && r.concern(list, v.Couche.Level())
		}
		return "", "", "", false
	})
}

// between looks at two values of an indicator and a zone, of different years, the earlier first.
func (g *guards) between(def *Definition, a, b *Value) guarded {
	before, after := g.of(def, a), g.of(def, b)
	waived := ""
	for _, v := range []*Value{a, b} {
		x := g.alone(def, v)
		if x.refused {
			return x
		}
		waived = joinOnce(waived, x.motif)
	}
	level := b.Couche.Level()
	from, to := strconv.Itoa(a.Millesime), strconv.Itoa(b.Millesime)
	x := g.decide(def, b, func(r Guard) (string, string, string, bool) {
		if !r.concern(before, level) || !r.concern(after, level) {
			return "", "", "", false
		}
		switch r.Rule {
		case "enquetes":
			own, _, _ := census(before)
			others, _, _ := census(after)
			var both []int
			for _, y := range own {
				if slices.Contains(others, y) {
					both = append(both, y)
				}
			}
			return from, to, yearList(both), len(both) > 0
		case "consecutifs":
			return from, to, "", b.Millesime-a.Millesime == 1
		case "rupture":
			for _, y := range r.Millesime {
				if a.Millesime < y && y <= b.Millesime {
					return from, to, strconv.Itoa(y), true
				}
			}
		case "trimestre":
			p, q := r.quarter(before), r.quarter(after)
			return from + " (" + p + ")", to + " (" + q + ")", "", p != q
		case "perimetre":
			studied := slices.Contains(g.studied, level) // a reference that changes is told apart
			return string(a.Couche), string(b.Couche), "", studied && a.Couche != b.Couche && !g.unmoved(a, b)
		case "methode":
			return from, to, fmt.Sprintf("%s en %s, %s en %s", a.Methode, from, b.Methode, to), a.Methode != b.Methode
		}
		return "", "", "", false
	})
	if x.refused {
		return x
	}
	x.motif = joinOnce(waived, x.motif)
	for _, o := range slices.Concat(before, after) { // what the cards say of their own series
		for _, r := range o.breaks {
			if a.Millesime < r.Millesime && r.Millesime <= b.Millesime && (len(r.Variables) == 0 || slices.Contains(r.Variables, o.variable)) {
				w := g.decideOne("rupture_de_serie", def, b, r.Text)
				if w.refused {
					return w
				}
				x.motif = joinOnce(x.motif, w.motif)
			}
		}
	}
	return x
}

// together looks at two values of the same year, of two zones.
func (g *guards) together(def *Definition, v, r *Value) guarded {
	alone := g.alone(def, v)
	if alone.refused {
		return alone
	}
	own, other := g.of(def, v), g.of(def, r)
	out := g.decide(def, v, func(x Guard) (string, string, string, bool) {
		if x.Rule != "trimestre" || !x.concern(own, "") || !x.concern(other, "") {
			return "", "", "", false
		}
		p, q := x.quarter(own), x.quarter(other)
		return p, q, "", p != q
	})
	if !out.refused {
		out.motif = joinOnce(alone.motif, out.motif)
	}
	return out
}

// joinOnce adds what a note does not say yet.
func joinOnce(note, more string) string {
	if strings.Contains(note, more) {
		return note
	}
	return joinNotes(note, more)
}

// quarter is that of the figures, or "trimestre inconnu".
func (g Guard) quarter(list []origin) string {
	for _, o := range list {
		if q := g.Quarters[o.card]; q != "" {
			return q
		}
	}
	return "trimestre inconnu"
}

// sameReference says whether two gaps are to the same territory: the same code, and the same composition where it has one.
func (g *guards) sameReference(a, b *Ecart) bool {
	if a.ReferenceCode != b.ReferenceCode || a.Reference == b.Reference {
		return a.ReferenceCode == b.ReferenceCode
	}
	p, q := g.outlines[a.Reference], g.outlines[b.Reference]
	if p == nil || q == nil {
		return false
	}
	i, ok := p.Index(a.ReferenceCode)
	j, there := q.Index(b.ReferenceCode)
	return ok && there && slices.Equal(p.Zones[i].Members, q.Zones[j].Members)
}

// unmoved says whether a quarter has the same perimeter on two layers.
func (g *guards) unmoved(a, b *Value) bool {
	p, q := g.outlines[a.Couche], g.outlines[b.Couche]
	if p == nil || q == nil {
		return false
	}
	i, ok := p.Index(a.Code)
	j, there := q.Index(b.Code)
	if !ok || !there || len(p.Zones[i].Geom) == 0 {
		return false
	}
	return p.Zones[i].Geom.Equal(q.Zones[j].Geom)
}

// decide asks every guard; the first that trips and that no decision waives refuses.
func (g *guards) decide(def *Definition, v *Value, trips func(Guard) (before, after, what string, yes bool)) guarded {
	var out guarded
	for _, r := range g.list {
		before, after, what, yes := trips(r)
		if !yes {
			continue
		}
		sentence := strings.NewReplacer("{avant}", before, "{apres}", after, "{quoi}", what).Replace(r.Sentence)
		x := g.decideOne(r.ID, def, v, sentence+" ("+r.Source+")")
		if x.refused {
			return x
		}
		out.motif = joinNotes(out.motif, x.motif)
	}
	return out
}

func (g *guards) decideOne(id string, def *Definition, v *Value, sentence string) guarded {
	for _, d := range g.waived {
		if d.covers(id, def.ID, v.Code) {
			return guarded{motif: d.french(sentence)}
		}
	}
	return guarded{true, id, sentence}
}
