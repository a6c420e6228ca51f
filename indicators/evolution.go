package indicators

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"observatoire/geo"
)

// An Evolution is how a value of a quarter, or its gap to a reference, moved between two millésimes: from Depuis to
// Millesime. Without a reference it is that of the value.
type Evolution struct {
	Key
	Depuis        int
	Code          string
	Reference     geo.Layer // at Millesime; empty: the evolution of the value
	ReferenceCode string
	Comparaison   bool // the reference is a comparison territory: the evolution is relative, and says nothing of causes
	Avant, Apres  Opt  // the value, or the gap; those of gaps in % move by points
	Evolution     Opt
	Unite         string // "points", "%" or the indicator's own unit
	Seuil         Opt    // what the evolution has to exceed, in Unite, for the verdict to be another than "stable"
	Verdict       string // "hausse", "baisse", "se réduit", "se creuse", "stable"; "non concluant" within the noise; "non qualifiée" where nobody knows the noise
	Lecture       string // "favorable" or "défavorable" to the quarter, by the direction of the indicator; else empty
	Statut        Statut // Disponible when Evolution is present
	Motif         string // in French: why there is none or no conclusion, what the threshold rests on, which decision waived a guard
	Garde         string // the guard that refuses it
	Convention    string // as that of the values
}

// Conclusive says whether the verdict is one that may be quoted.
func (e *Evolution) Conclusive() bool {
	return e.Statut == Disponible && e.Verdict != nonConcluant && e.Verdict != nonQualifiee
}

// The verdicts that conclude nothing.
const (
	nonConcluant = "non concluant"
	nonQualifiee = "non qualifiée"
)

// A Rang is the place of a quarter among those of its layer, 1 being the highest value.
type Rang struct {
	Key
	Code       string
	Valeur     Opt
	Rang       int // 0 when there is none
	ExAequo    int // how many share it, the quarter included
	Sur        int // quarters ranked
	Statut     Statut
	Motif      string
	Garde      string
	Convention string
}

// An EcartSexe is the gap of women to men in a zone. The Sexe of its key is F.
type EcartSexe struct {
	Key
	Code           string
	Femmes, Hommes Opt
	Ecart          Opt // women less men: in points, in % for an amount; none for a count
	Unite          string
	Rapport        Opt // women over men
	Statut         Statut
	Motif          string
	Convention     string
}

// A Concentration compares what the quarters of a territory hold of a count to what they hold of its people.
type Concentration struct {
	Key
	Reference           geo.Layer // layer of the territory; Couche is that of the quarters
	ReferenceCode       string
	Quartiers           int // how many
	PartQuartiers       Opt // share of the territory's count that is in its quarters, between 0 and 1
	PartPopulation      Opt // share of its people
	MillesimePopulation int
	Indice              Opt // the first over the second
	Statut              Statut
	Motif               string
	Convention          string
}

// Below these a move is called stable, however precise the figures: one point of a percentage, 2 % of anything else, and
// ten of what a count counts, since a register of a quarter moves by a few people a year with no reason to look for.
const (
	floorPoints   = 1
	floorRelative = 2
	floorCount    = 10
)

// compare makes what compares values and gaps: evolutions, ranks, women and men, concentration. Guards that refuse a gap take it out.
func (r *Result) compare(in *Input) {
	c := &comparer{Input: in, defs: map[string]*Definition{}, counts: map[string]string{}, guards: newGuards(in, r.Values), shown: newShownIndex(r.Values),
		measured: map[measure]Calibration{}}
	for i := range r.Indicators {
		d := &r.Indicators[i]
		c.defs[d.ID] = d
		if d.Rule == Somme && d.Value != "" {
			c.counts[d.Value] = d.ID
		}
	}
	for _, x := range r.Calibrations {
		if x.Millesime != 0 {
			continue
		}
		at := measure{x.Indicateur, x.Methode, slices.Contains(in.Studied, x.Couche.Level())}
		all := c.measured[at]
		all.Absolue = (all.Absolue*float64(all.N) + x.Absolue*float64(x.N)) / float64(all.N+x.N)
		all.N += x.N
		c.measured[at] = all
	}
	ecarts := map[string][]Ecart{}
	for _, x := range runs(len(r.Ecarts), func(i, j int) bool { return r.Ecarts[i].Indicateur == r.Ecarts[j].Indicateur }) {
		ecarts[r.Ecarts[x[0]].Indicateur] = r.Ecarts[x[0]:x[1]]
	}
	list := runs(len(r.Values), func(i, j int) bool { return r.Values[i].Indicateur == r.Values[j].Indicateur })
	parts := make([]Result, len(list))
	each(len(list), func(k int) { // an indicator at a time: results are ordered by it first
		own := *c
		own.guards = c.guards.alike()
		p := &parts[k]
		p.Values = r.Values[list[k][0]:list[k][1]]
		p.Ecarts = ecarts[p.Values[0].Indicateur]
		for i := range p.Ecarts {
			own.guardGap(&p.Ecarts[i])
		}
		p.Evolutions, p.Rangs, p.EcartsSexe = own.evolutions(p), own.ranks(p), own.sexes(p)
	})
	var evolutions, ranks, sexes int
	for i := range parts {
		evolutions, ranks, sexes = evolutions+len(parts[i].Evolutions), ranks+len(parts[i].Rangs), sexes+len(parts[i].EcartsSexe)
	}
	r.Evolutions, r.Rangs, r.EcartsSexe = slices.Grow(r.Evolutions, evolutions), slices.Grow(r.Rangs, ranks), slices.Grow(r.EcartsSexe, sexes)
	for i := range parts {
		r.Evolutions = append(r.Evolutions, parts[i].Evolutions...)
		r.Rangs = append(r.Rangs, parts[i].Rangs...)
		r.EcartsSexe = append(r.EcartsSexe, parts[i].EcartsSexe...)
	}
	r.Concentrations = c.concentrations(r)
}

// A comparer holds what the comparisons share.
type comparer struct {
	*Input
	defs     map[string]*Definition
	counts   map[string]string // variable that counts → its indicator
	guards   *guards
	shown    *shownIndex
	measured map[measure]Calibration
}

// A measure is of the errors of a method on an indicator: for the quarters, or for what they are compared to.
type measure struct {
	indicateur, methode string
	studied             bool
}

// ends are the two values of a gap; nil where there is none.
func (c *comparer) ends(x *Ecart) (own, ref *Value) {
	k := x.Key
	k.Couche = x.Reference
	return c.shown.at(x.Key, x.Code), c.shown.at(k, x.ReferenceCode)
}

func (c *comparer) guardGap(x *Ecart) {
	if x.Statut != Disponible {
		return
	}
	own, ref := c.ends(x)
	if own == nil || ref == nil {
		return
	}
	found := c.guards.together(c.defs[x.Indicateur], own, ref)
	x.Motif = joinNotes(x.Motif, found.motif)
	if found.refused {
		x.Statut, x.Ecart, x.Rapport = SansObjet, Opt{}, Opt{}
	}
}

// noise is how far a value may be from the truth, at the 95 % level where the sampling error is known; why says what it rests on.
// It is absent when nobody knows: no verdict then. A producer's value, or a sum over what makes the zone up, is known to its rounding
// or its sampling; an estimate by the errors of its method, where it was compared with the producer often enough, else by the range of
// the methods, which says nothing where all of them take whole zones for the quarter.
func (c *comparer) noise(def *Definition, v *Value) (n Opt, why string) {
	if v.Fiabilite == Insuffisante {
		return Opt{}, "fiabilité insuffisante"
	}
	sampled := v.IC95Bas.OK && v.IC95Haut.OK
	if _, _, ofCensus := c.guards.census(def, v); !sampled && (ofCensus || strings.Contains(v.Note, noInterval)) && !strings.Contains(v.Note, exhaustif) {
		return Opt{}, "recensement dont la marge d'échantillonnage n'est pas connue"
	}
	if sampled {
		n, why = Some(max(v.IC95Haut.V-v.V, v.V-v.IC95Bas.V)), "intervalle de confiance à 95 %" // a bound may have been clipped
	}
	if v.Nature != Estimation || v.Methode == MethodeAgregation || v.Methode == MethodePassage {
		if !sampled {
			n, why = Some(0.5*math.Pow10(-def.Decimals)), "arrondi"
		}
		return n, why
	}
	all := c.measured[measure{v.Indicateur, v.Methode, slices.Contains(c.Studied, v.Couche.Level())}]
	compared := all.N >= minComparisons
	ranged := v.Min.OK && v.Max.OK && v.Max.V > v.Min.V
	switch {
	case compared:
		own := all.Absolue
		if errorUnit(def) == "%" && def.Unit != "%" {
			own *= math.Abs(v.V) / 100
		}
		if !n.OK || own > n.V {
			n, why = Some(own), "erreur moyenne de la méthode, comparée au producteur"
		}
	case !ranged || wholeZones(v.Methode):
		return Opt{}, fmt.Sprintf("évolution non qualifiée : la méthode « %s » n'est pas calée sur cet indicateur (%s au producteur, il en faut %d)",
			v.Methode, comparisons(all.N), minComparisons)
	}
	if half := (v.Max.V - v.Min.V) / 2; ranged && (!n.OK || half > n.V) {
		n, why = Some(half), "étendue des méthodes"
	}
	return n, why
}

// wholeZones says whether a method takes whole source zones for the zone: it speaks of them, and their sampling is not its error.
func wholeZones(method string) bool {
	return method == MethodeConsolides || method == MethodeMoyenne || method == MethodePrincipal
}

// countFloor is, of a percentage of a count that is shown too, the points that are worth ten of those counted; 0 for others.
func (c *comparer) countFloor(def *Definition, v *Value) float64 {
	if def.Unit != "%" || len(def.Denominator) != 1 || v.IC95Bas.OK {
		return 0
	}
	k := v.Key
	k.Indicateur = c.counts[def.Denominator[0]]
	base := c.shown.at(k, v.Code)
	if base == nil || base.Statut != Disponible || base.V <= 0 {
		return 0
	}
	return 100 * floorCount / base.V
}

// A point is a value or a gap of one year, with its noise.
type point struct {
	year       int
	v          float64
	noise      Opt
	why        string
	convention string
	own, ref   *Value // ref is nil for a value
	gap        *Ecart
}

// lineOf names what moves: the value of a zone, or its gap to a reference.
type lineOf struct {
	indicateur, sexe, code string
	level                  string // of the quarters: a perimeter that did not move may be followed from one vintage to the next
	reference              string // level, or layer and code of a comparison territory
	comparison             bool
}

func (c *comparer) evolutions(r *Result) []Evolution {
	lines := map[lineOf][]point{}
	for i := range r.Values {
		v := &r.Values[i]
		if !v.Retenue || v.Statut != Disponible || v.Millesime <= 0 || !slices.Contains(c.Studied, v.Couche.Level()) {
			continue
		}
		def := c.defs[v.Indicateur]
		l := lineOf{indicateur: v.Indicateur, sexe: v.Sexe, code: v.Code, level: v.Couche.Level()}
		n, why := c.noise(def, v)
		lines[l] = append(lines[l], point{v.Millesime, v.V, n, why, v.Convention, v, nil, nil})
	}
	for i := range r.Ecarts {
		x := &r.Ecarts[i]
		if x.Statut != Disponible || !slices.Contains(c.Studied, x.Couche.Level()) {
			continue
		}
		own, ref := c.ends(x)
		if own == nil || ref == nil {
			continue
		}
		l := lineOf{x.Indicateur, x.Sexe, x.Code, x.Couche.Level(), x.Reference.Level(), !x.ReferenceInclut}
		if l.comparison {
			l.reference = string(x.Reference) + " " + x.ReferenceCode
		}
		n, why := c.gapNoise(c.defs[x.Indicateur], own, ref)
		lines[l] = append(lines[l], point{x.Millesime, x.Ecart.V, n, why, x.Convention, own, ref, x})
	}
	var out []Evolution
	for l, list := range lines {
		slices.SortFunc(list, func(a, b point) int {
			return cmp.Or(cmp.Compare(a.year, b.year), cmp.Compare(a.own.Couche, b.own.Couche), cmp.Compare(refLayer(a), refLayer(b)))
		})
		for j := range list {
			b := &list[j]
			// Against the year before; where that is refused, against the latest that is not.
			for i := j - 1; i >= 0; i-- {
				a := &list[i]
				if a.year == b.year || i < j-1 && a.own.Couche != b.own.Couche {
					continue
				}
				if a.convention != "" && b.convention != "" && a.convention != b.convention {
					continue // figures of two conventions are never shown together
				}
				e := c.evolution(l, a, b)
				if e.Statut == Disponible || i == j-1 {
					out = append(out, e)
				}
				if e.Statut == Disponible {
					break
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Evolution) int {
		return cmp.Or(cmp.Compare(a.Indicateur, b.Indicateur), cmp.Compare(a.Couche, b.Couche), cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Sexe, b.Sexe), cmp.Compare(slices.Index(c.References, a.Reference.Level()), slices.Index(c.References, b.Reference.Level())),
			cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.ReferenceCode, b.ReferenceCode),
			cmp.Compare(a.Millesime, b.Millesime), cmp.Compare(a.Depuis, b.Depuis))
	})
	return out
}

func refLayer(p point) geo.Layer {
	if p.gap == nil {
		return ""
	}
	return p.gap.Reference
}

// gapNoise is that of a gap, in its unit: the two noises taken as independent.
func (c *comparer) gapNoise(def *Definition, own, ref *Value) (Opt, string) {
	a, why := c.noise(def, own)
	b, other := c.noise(def, ref)
	switch {
	case !a.OK:
		return Opt{}, why
	case !b.OK:
		return Opt{}, "référence : " + other
	}
	if why != other {
		why += ", et " + other + " de la référence"
	}
	if isEuro(def.Unit) { // 100·(v/r − 1)
		if ref.V == 0 {
			return Opt{}, "la référence est nulle"
		}
		return Some(100 / math.Abs(ref.V) * math.Hypot(a.V, own.V/ref.V*b.V)), why
	}
	return Some(math.Hypot(a.V, b.V)), why
}

// evolution is the move from a to b.
func (c *comparer) evolution(l lineOf, a, b *point) Evolution {
	def := c.defs[l.indicateur]
	e := Evolution{Key: b.own.Key, Depuis: a.year, Code: b.own.Code, Comparaison: l.comparison, Avant: Some(a.v), Apres: Some(b.v),
		Convention: cmp.Or(a.convention, b.convention)}
	if b.gap != nil {
		e.Reference, e.ReferenceCode, e.Unite = b.gap.Reference, b.gap.ReferenceCode, b.gap.Unite
		if !c.guards.sameReference(a.gap, b.gap) {
			e.Statut, e.Motif = SansObjet, fmt.Sprintf("la référence change : %s (%s) en %d, %s (%s) en %d", a.gap.ReferenceCode, a.gap.Reference, a.year,
				b.gap.ReferenceCode, b.gap.Reference, b.year)
			return e
		}
	}
	found := c.guards.between(def, a.own, b.own)
	if b.gap != nil {
		if !found.refused {
			other := c.guards.between(def, a.ref, b.ref)
			if !other.refused {
				other.motif = joinOnce(found.motif, other.motif)
			}
			found = other
		}
	}
	e.Garde, e.Motif = found.by, found.motif
	if found.refused {
		e.Statut = SansObjet
		return e
	}
	floor, scale := 0.0, 1.0
	switch {
	case b.gap == nil && def.Unit == "%":
		e.Unite, e.Evolution, floor = "points", Some(b.v-a.v), max(floorPoints, c.countFloor(def, a.own), c.countFloor(def, b.own))
	case b.gap == nil:
		e.Unite, floor = "%", floorRelative
		if a.v == 0 {
			e.Statut, e.Motif = SansObjet, joinNotes(e.Motif, fmt.Sprintf("la valeur est nulle en %d : pas d'évolution relative", a.year))
			return e
		}
		scale = 100 / math.Abs(a.v)
		e.Evolution = Some(scale * (b.v - a.v))
		if def.Rule == Somme {
			floor = max(floor, scale*floorCount)
		}
	default:
		e.Evolution, floor = Some(b.v-a.v), max(floorPoints, c.countFloor(def, a.own), c.countFloor(def, b.own))
		if e.Unite == "%" {
			e.Unite, floor = "points", floorRelative // from 30 % under the reference to 32 %: 2 points more
		} else if e.Unite != "points" {
			floor = math.Abs(b.ref.V) * floorRelative / 100
		}
	}
	noise := Opt{V: scale * math.Hypot(a.noise.V, b.noise.V), OK: a.noise.OK && b.noise.OK}
	if b.gap == nil && def.Unit != "%" && noise.OK { // of b/a, both known up to their noise
		noise.V = scale * math.Hypot(b.noise.V, b.v/a.v*a.noise.V)
	}
	why := a.why
	if !b.noise.OK {
		why = b.why
	}
	size := math.Abs(e.Evolution.V)
	switch {
	case !noise.OK:
		e.Verdict, e.Motif = nonQualifiee, joinNotes(e.Motif, why)
		return e
	case size <= max(noise.V, floor) && noise.V <= floor:
		e.Verdict = "stable"
	case size <= noise.V:
		e.Verdict = nonConcluant
	case b.gap == nil:
		e.Verdict = sign(e.Evolution.V, "hausse", "baisse")
	case math.Abs(a.v) == math.Abs(b.v):
		e.Verdict = "stable"
	default:
		e.Verdict = sign(math.Abs(b.v)-math.Abs(a.v), "se creuse", "se réduit")
	}
	e.Seuil = Some(max(noise.V, floor))
	if noise.V > floor {
		e.Motif = joinNotes(e.Motif, "seuil : "+why)
	} else {
		e.Motif = joinNotes(e.Motif, "seuil : plus petite évolution qui se commente")
	}
	if e.Verdict != "stable" && e.Verdict != nonConcluant {
		switch def.Direction {
		case "hausse_favorable":
			e.Lecture = sign(e.Evolution.V, "favorable", "défavorable")
		case "hausse_defavorable":
			e.Lecture = sign(e.Evolution.V, "défavorable", "favorable")
		}
	}
	return e
}

func sign(v float64, up, down string) string {
	if v > 0 {
		return up
	}
	return down
}

// ranks orders the quarters of each layer for every figure that does not count: 1 is the highest.
func (c *comparer) ranks(r *Result) []Rang {
	type group struct {
		Key
		convention string
	}
	groups := map[group][]*Value{}
	for i := range r.Values {
		v := &r.Values[i]
		def := c.defs[v.Indicateur]
		if v.Retenue && v.Millesime > 0 && def.Rule != Somme && slices.Contains(c.Studied, v.Couche.Level()) {
			g := group{v.Key, v.Convention}
			groups[g] = append(groups[g], v)
		}
	}
	var out []Rang
	for _, list := range groups {
		if len(list) < 2 {
			continue
		}
		def := c.defs[list[0].Indicateur]
		var in []*Value
		for _, v := range list {
			if v.Statut == Disponible && v.Fiabilite != Insuffisante && !c.guards.alone(def, v).refused {
				in = append(in, v)
			}
		}
		mixed := c.guards.ranking(def, in)
		for _, v := range list {
			x := Rang{Key: v.Key, Code: v.Code, Valeur: v.Valeur(), Sur: len(in), Convention: v.Convention, Motif: mixed.motif}
			own := c.guards.alone(def, v)
			switch {
			case v.Statut != Disponible:
				x.Statut, x.Motif = v.Statut, "valeur de la zone : "+v.Statut.french()
			case v.Fiabilite == Insuffisante:
				x.Statut, x.Motif = NonSignificatif, "fiabilité insuffisante : pas de rang"
			case own.refused:
				x.Statut, x.Motif, x.Garde = SansObjet, own.motif, own.by
			case mixed.refused:
				x.Statut, x.Garde = SansObjet, mixed.by
			case len(in) < 2:
				x.Statut, x.Motif = SansObjet, "un seul quartier : pas de rang"
			default:
				x.Rang, x.Motif = 1, joinOnce(x.Motif, own.motif)
				for _, o := range in {
					if near(o.V, v.V) {
						x.ExAequo++
					} else if o.V > v.V {
						x.Rang++
					}
				}
			}
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Rang) int {
		return cmp.Or(compareKeys(a.Key, a.Code, b.Key, b.Code), cmp.Compare(a.Convention, b.Convention))
	})
	return out
}

func compareKeys(a Key, code string, b Key, other string) int {
	return cmp.Or(cmp.Compare(a.Indicateur, b.Indicateur), cmp.Compare(a.Couche, b.Couche), cmp.Compare(code, other),
		cmp.Compare(a.Millesime, b.Millesime), cmp.Compare(a.Sexe, b.Sexe))
}

// ranking looks at the values of a ranking together.
func (g *guards) ranking(def *Definition, list []*Value) guarded {
	if len(list) == 0 {
		return guarded{}
	}
	what := func(of func(*Value) string) (string, bool) {
		var words []string
		for _, v := range list {
			if w := of(v); w != "" && !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
		slices.Sort(words)
		return strings.Join(words, ", "), len(words) > 1
	}
	return g.decide(def, list[0], func(r Guard) (string, string, string, bool) {
		switch r.Rule {
		case "methode":
			words, mixed := what(func(v *Value) string { return v.Methode })
			return "", "", words, mixed
		case "bases":
			words, mixed := what(func(v *Value) string {
				var cards []string
				for _, o := range g.of(def, v) {
					if !slices.Contains(cards, o.card) {
						cards = append(cards, o.card)
					}
				}
				slices.Sort(cards)
				return strings.Join(cards, " + ")
			})
			return "", "", words, mixed
		}
		return "", "", "", false
	})
}

// sexes compares women to men, in every zone that has a figure of women.
func (c *comparer) sexes(r *Result) []EcartSexe {
	var out []EcartSexe
	for i := range r.Values {
		f := &r.Values[i]
		if !f.Retenue || f.Sexe != "F" || f.Millesime <= 0 || f.Couche.Level() == "iris" {
			continue
		}
		def := c.defs[f.Indicateur]
		k := f.Key
		k.Sexe = "H"
		h := c.shown.at(k, f.Code)
		x := EcartSexe{Key: f.Key, Code: f.Code, Femmes: f.Valeur(), Convention: f.Convention}
		if h != nil {
			if h.Convention != "" && f.Convention != "" && h.Convention != f.Convention {
				continue
			}
			x.Hommes, x.Convention = h.Valeur(), cmp.Or(f.Convention, h.Convention)
		}
		switch {
		case !x.Femmes.OK:
			x.Statut, x.Motif = f.Statut, "valeur des femmes : "+f.Statut.french()
		case h == nil:
			x.Statut, x.Motif = NonDisponible, "la source ne donne pas la valeur des hommes"
		case !x.Hommes.OK:
			x.Statut, x.Motif = h.Statut, "valeur des hommes : "+h.Statut.french()
		case f.Methode != h.Methode:
			x.Statut, x.Motif = SansObjet, fmt.Sprintf("les deux valeurs ne sont pas de même méthode : %s, %s", f.Methode, h.Methode)
		default:
			if def.Rule != Somme {
				x.Ecart, x.Unite = Some(f.V-h.V), def.Unit
				switch {
				case def.Unit == "%":
					x.Unite = "points"
				case isEuro(def.Unit):
					x.Unite = "%"
					if x.Ecart = (Opt{}); h.V != 0 {
						x.Ecart = Some(100 * (f.V - h.V) / h.V)
					}
				}
			}
			if h.V != 0 {
				x.Rapport = Some(f.V / h.V)
			}
			if !x.Ecart.OK && !x.Rapport.OK {
				x.Statut, x.Motif = SansObjet, "la valeur des hommes est nulle"
			}
		}
		out = append(out, x)
	}
	return out // in the order of the values
}

// concentrations compares the quarters of a territory to its people, for every count, where the project has all of its quarters.
func (c *comparer) concentrations(r *Result) []Concentration {
	type group struct {
		Key
		reference geo.Layer
		code      string
	}
	type held struct {
		in, all    float64
		n          int
		missing    string
		convention string
	}
	whole := map[zoneKey]bool{}
	for i := range c.Layers {
		set := &c.Layers[i]
		for _, z := range set.Zones {
			members := z.Members
			if set.Layer.Level() == "commune" {
				members = []string{z.Code}
			}
			// The composition of an EPCI moves; that of a commune or of a perimeter of the project does not.
			whole[zoneKey{set.Layer, z.Code}] = len(members) > 0 && set.Layer.Level() != "epci" &&
				!slices.ContainsFunc(members, func(m string) bool { return len(c.Communes) > 0 && !slices.Contains(c.Communes, m) })
		}
	}
	groups := map[group]*held{}
	years := map[group][]int{} // of the population, by a group without indicator, year and sex
	for i := range r.Ecarts {
		x := &r.Ecarts[i]
		if c.defs[x.Indicateur].Rule != Somme || !x.ReferenceInclut || x.Millesime <= 0 || !slices.Contains(c.Studied, x.Couche.Level()) ||
			strings.HasPrefix(x.Couche.Level(), "quartier_vecu") || !whole[zoneKey{x.Reference, x.ReferenceCode}] {
			continue
		}
		g := group{x.Key, x.Reference, x.ReferenceCode}
		if groups[g] == nil {
			groups[g] = &held{}
		}
		h := groups[g]
		own, ref := c.ends(x)
		h.n++
		switch {
		case own == nil || own.Statut != Disponible:
			h.missing = x.Code + " : valeur non disponible"
		case own.Fiabilite == Insuffisante:
			h.missing = x.Code + " : fiabilité insuffisante"
		case ref == nil || ref.Statut != Disponible || ref.V == 0:
			h.missing = "pas de valeur du territoire"
		default:
			h.in += own.V
			h.all = ref.V
			for _, convention := range []string{own.Convention, ref.Convention} {
				if convention != "" && h.convention != "" && convention != h.convention {
					h.missing = "chiffres de deux conventions"
				}
				h.convention = cmp.Or(h.convention, convention)
			}
		}
	}
	for g, h := range groups {
		if g.Indicateur == populationVariable && g.Sexe == "T" && h.missing == "" && h.convention == "" {
			at := group{Key{Couche: g.Couche}, g.reference, g.code}
			years[at] = append(years[at], g.Millesime)
		}
	}
	var out []Concentration
	for g, h := range groups {
		if g.Indicateur == populationVariable {
			continue
		}
		x := Concentration{Key: g.Key, Reference: g.reference, ReferenceCode: g.code, Quartiers: h.n, Convention: h.convention}
		near := 0
		for _, y := range years[group{Key{Couche: g.Couche}, g.reference, g.code}] {
			if d := abs(y-g.Millesime) - abs(near-g.Millesime); near == 0 || d < 0 || d == 0 && y > near {
				near = y
			}
		}
		switch {
		case h.missing != "":
			x.Statut, x.Motif = NonDisponible, h.missing
		case near == 0:
			x.Statut, x.Motif = NonDisponible, "population des quartiers ou du territoire inconnue"
		default:
			k := g
			k.Indicateur, k.Millesime, k.Sexe = populationVariable, near, "T"
			people := groups[k]
			x.PartQuartiers, x.PartPopulation, x.MillesimePopulation = Some(h.in/h.all), Some(people.in/people.all), near
			if people.in == 0 {
				x.Statut, x.Motif = SansObjet, "aucun habitant dans les quartiers"
				break
			}
			x.Indice = Some(x.PartQuartiers.V / x.PartPopulation.V)
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Concentration) int {
		return cmp.Or(cmp.Compare(a.Indicateur, b.Indicateur), cmp.Compare(a.Couche, b.Couche), cmp.Compare(a.Millesime, b.Millesime),
			cmp.Compare(a.Sexe, b.Sexe), cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.ReferenceCode, b.ReferenceCode))
	})
	return out
}
