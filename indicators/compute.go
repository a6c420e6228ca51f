package indicators

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"observatoire/geo"
)

// An Input is everything a computation reads: figures, zones, how they overlap, and what is asked.
type Input struct {
	Layers   []geo.ZoneSet
	Overlaps []OverlapSet
	// People are, beside the pairs of an overlap set, the share of the second zone's people that lies in the first,
	// by a weight layer; absent where the layer has nobody in the second zone.
	People      map[[2]geo.Layer][]Opt
	Columns     []Column
	Sources     []Source
	Definitions []Definition

	Studied     []string                // levels of the quarters: "qpv", "veille", "quartier_vecu"
	References  []string                // levels they are compared to, in order
	Communes    []string                // the project's communes; empty: all
	Methods     map[string]string       // zone → method preferred there, after the producer's own value
	Comparisons map[string][]string     // zone → its comparison territories
	GeographyAs map[geo.Layer]geo.Layer // figures of the first layer meet the contours of the second

	national map[string]string // indicator → the variable of its national value

	Own    []string            // levels of zones of the partners' own, shared out among quarters as the IRIS are
	Detail map[string][]string // convention → levels at which its figures may be shown; absent: all

	Since map[geo.Layer]int // compositions known to have held since a year before their vintage

	Guards      []Guard
	Derogations []Derogation // by which a guard does not hold
}

// A Result is what a computation gives, ordered.
type Result struct {
	Indicators []Definition
	Values     []Value
	Ecarts     []Ecart
	Alertes    []Alerte

	Calibrations   []Calibration // of open data
	Evolutions     []Evolution
	Rangs          []Rang
	EcartsSexe     []EcartSexe
	Concentrations []Concentration
}

// populationVariable is the variable that holds the persons of a zone.
const populationVariable = "population"

// Rapprochee begins the note of a figure whose codes refer to other contours than those it is met with.
const Rapprochee = "géographie"

// unknownPopulation marks a zone whose population no source gives.
const unknownPopulation = -1

// methodOrder is the order in which methods are preferred, by rule, after the producer's value and an exact sum.
var methodOrder = map[Rule][]string{
	Somme:    {MethodePopulation, MethodeCalage, MethodeSurface},
	Ratio:    {MethodePopulation, MethodeCalage, MethodeConsolides, MethodeMoyenne, MethodePrincipal, MethodeSurface},
	Mediane:  {MethodeDeciles, MethodeMedPonderee, MethodeMoyenne, MethodePrincipal},
	Quantile: {MethodeDeciles, MethodeMoyenne, MethodePrincipal},
	Aucune:   {MethodeMoyenne, MethodePrincipal},
}

// A computation holds what the methods share.
type computation struct {
	Input
	*book
	links links
	scope map[string]bool // communes of the project; nil: all
	parts map[partsKey][][]part
}

type partsKey struct{ target, source geo.Layer }

// series makes the series of figures that may all be shown together, and their gaps. base, when there is one, is what
// open data give: wherever they have a figure it stands, and the others are said to be of the convention.
func series(in Input, base *Result, convention string) (Result, error) {
	c := &computation{Input: in, book: newBook(in.Layers, in.Columns, in.Sources, in.GeographyAs),
		parts: map[partsKey][][]part{}}
	if len(in.Communes) > 0 {
		c.scope = map[string]bool{}
		for _, code := range in.Communes {
			c.scope[code] = true
		}
	}
	c.links = newLinks(c.book, in.Overlaps)
	for _, set := range in.Overlaps {
		c.addParts(set)
	}
	for _, layer := range c.order {
		for z := range c.layers[layer].Zones {
			for _, ref := range c.referenceLayers() {
				if i, ok := c.links.reference(layer, z, ref); ok && slices.Contains(in.Studied, layer.Level()) {
					c.links.note(ref, i)
				}
			}
		}
	}
	var bad []error
	for _, zone := range slices.Sorted(maps.Keys(in.Comparisons)) {
		for _, code := range append([]string{zone}, in.Comparisons[zone]...) {
			if _, _, ok := c.find(code); !ok {
				bad = append(bad, fmt.Errorf("comparisons: no layer of quarters has a zone %q", code))
			}
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(in.Methods)) {
		if _, _, ok := c.find(zone); !ok {
			bad = append(bad, fmt.Errorf("methods: no layer of quarters has a zone %q", zone))
		}
		if method := in.Methods[zone]; !knownMethod(method) {
			bad = append(bad, fmt.Errorf("methods: %s: unknown method %q: one of %s", zone, method, strings.Join(allMethods(), ", ")))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return Result{}, err
	}

	r := c.indicators()
	disqualified := disqualify(&r)
	if base != nil {
		r.Values = base.under(convention, r.Values, in.Detail[convention])
	}
	r.Ecarts = c.gaps(r)
	r.Alertes = append(append(c.alerts, c.review(r)...), disqualified...)
	slices.SortFunc(r.Alertes, func(a, b Alerte) int { return cmp.Compare(a.ID, b.ID) })
	return r, nil
}

// indicators makes the values of every indicator that has one, in order, on all processors.
func (c *computation) indicators() Result {
	type made struct {
		def      Definition
		values   []Value
		compared []Calibration
	}
	list := make([]made, len(c.Definitions))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				m := &list[i]
				m.def = c.Definitions[i]
				m.values, m.compared = c.indicator(&m.def)
				slices.SortFunc(m.values, CompareValues)
			}
		})
	}
	wg.Wait()
	var r Result
	n := 0
	order := make([]int, 0, len(list))
	for i := range list {
		if len(list[i].values) > 0 {
			r.Indicators = append(r.Indicators, list[i].def)
			r.Calibrations = append(r.Calibrations, list[i].compared...)
			n += len(list[i].values)
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(list[i].def.ID, list[j].def.ID) })
	r.Values = make([]Value, 0, n)
	for _, i := range order { // values are ordered by indicator first
		r.Values = append(r.Values, list[i].values...)
		list[i].values = nil
	}
	return r
}

// distributed gives the definitions read from another's distribution its deciles and its weight, and tells which
// variable holds the value of each indicator.
func distributed(defs []Definition) ([]Definition, map[string]string, error) {
	out, variable := slices.Clone(defs), map[string]string{}
	for i := range out {
		d := &out[i]
		variable[d.ID] = d.Value
		if d.Of == "" {
			continue
		}
		k := slices.IndexFunc(defs, func(x Definition) bool { return x.ID == d.Of })
		if k < 0 || len(defs[k].Deciles) != 9 {
			return nil, nil, fmt.Errorf("indicators: %s: of: no indicator %q with nine deciles", d.ID, d.Of)
		}
		d.Deciles, d.Weight = defs[k].Deciles, cmp.Or(d.Weight, defs[k].Weight)
	}
	return out, variable, nil
}

// nationalLevel is the level whose one zone gives the national value of an indicator.
const nationalLevel = "metropole"

// threshold is the amount under which persons are counted by an indicator such as a poverty rate, and where it stands.
func (c *computation) threshold(def *Definition, sexe string, mil int) (Opt, string) {
	if def.Under <= 0 {
		return Opt{}, ""
	}
	if mil > 0 {
		for _, layer := range slices.Backward(c.order) {
			f := c.facts[factKey{c.national[def.Of], sexe, mil, layer}]
			if layer.Level() == nationalLevel && f != nil && len(f.V) == 1 && f.Statut[0] == Disponible {
				return Some(def.Under * f.V[0]), f.Source[0]
			}
		}
	}
	if v, ok := def.Thresholds[mil]; ok {
		return Some(v), fmt.Sprintf("seuil %d : %s €/an", mil, FormatNumber(v))
	}
	return Opt{}, ""
}

// find is the layer and position of a quarter.
func (c *computation) find(code string) (geo.Layer, int, bool) {
	for _, l := range c.order {
		if slices.Contains(c.Studied, l.Level()) {
			if i, ok := c.layers[l].Index(code); ok {
				return l, i, true
			}
		}
	}
	return "", 0, false
}

func allMethods() []string {
	var all []string
	for _, rule := range []Rule{Somme, Ratio, Mediane} {
		for _, m := range methodOrder[rule] {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

func knownMethod(m string) bool { return slices.Contains(allMethods(), m) }

func (c *computation) addParts(set OverlapSet) {
	from, to := c.layers[set.From], c.layers[set.To]
	if from == nil || to == nil || to.Layer.Level() != "iris" && !slices.Contains(c.Own, to.Layer.Level()) {
		return
	}
	list := make([][]part, len(from.Zones))
	people := c.People[[2]geo.Layer{set.From, set.To}]
	for i, p := range set.Pairs {
		x := part{zone: p.To, of: p.ShareFrom, inside: p.ShareTo, sliver: p.Note != ""}
		if people != nil {
			x.people = people[i]
		}
		list[p.From] = append(list[p.From], x)
	}
	c.parts[partsKey{set.From, set.To}] = list
}

// indicator makes every value of one indicator: what producers say of each zone, and for the quarters and the
// references what can be made of the zones beneath. The definition is told the order its methods were found to deserve.
func (c *computation) indicator(def *Definition) ([]Value, []Calibration) {
	var vars []string
	if def.Value != "" {
		vars = append(vars, def.Value)
	}
	vars = append(vars, def.Numerator...)
	if def.Rule == Quantile && len(def.Deciles) == 9 { // where the producer gives the distribution alone
		vars = append(vars, def.Deciles[0])
	}
	type slot struct {
		sexe string
		mil  int
	}
	byLayer := map[slot][]geo.Layer{}
	var slots []slot
	sexes := def.Sexes
	if len(sexes) == 0 {
		sexes = []string{"T"}
	}
	for _, k := range c.keys {
		if !slices.Contains(vars, k.Variable) || !slices.Contains(sexes, k.Sexe) {
			continue
		}
		s := slot{k.Sexe, k.Millesime}
		if byLayer[s] == nil {
			slots = append(slots, s)
		}
		if !slices.Contains(byLayer[s], k.Layer) {
			byLayer[s] = append(byLayer[s], k.Layer)
		}
	}
	var lists [][]candidates
	for _, s := range slots {
		held := map[geo.Layer]*terms{}
		for _, layer := range byLayer[s] {
			held[layer] = c.terms(def, layer, s.sexe, s.mil)
		}
		for _, layer := range c.order {
			lists = append(lists, c.layer(def, layer, s.sexe, s.mil, held))
		}
	}
	all := slices.Concat(lists...)
	var compared, quarters []fault
	for _, x := range all {
		list := faults(def, x.key, x.found)
		compared = append(compared, list...)
		if slices.Contains(c.Studied, x.key.Couche.Level()) {
			quarters = append(quarters, list...)
		}
	}
	ranked := rank(def, quarters)
	n := 0
	for _, x := range all {
		n += max(1, len(x.found))
	}
	out := make([]Value, 0, n)
	for _, x := range all {
		out = append(out, c.choose(def, x.key, x.z, x.found, ranked)...)
	}
	list := calibrations(def, compared)
	for i := range list {
		if _, ok := ranked.measured[list[i].Methode]; ok && slices.Contains(c.Studied, list[i].Couche.Level()) {
			list[i].Rang = ranked.place(list[i].Methode)
		}
	}
	if len(ranked.measured) > 0 {
		def.Methodes = ranked.order
	}
	return out, list
}

// candidates are what is known of one zone for one key, before one is chosen.
type candidates struct {
	key   Key
	z     int
	found []Value
}

func (c *computation) terms(def *Definition, layer geo.Layer, sexe string, mil int) *terms {
	t := &terms{b: c.book, def: def, layer: layer, sexe: sexe, mil: mil}
	for _, name := range []string{def.Weight, populationVariable} {
		if f := c.nearest(name, layer, mil); name != "" && f != nil && t.pop == nil {
			t.pop = make([]float64, len(f.V))
			for i := range f.V {
				t.pop[i] = unknownPopulation
				if f.Statut[i] == Disponible {
					t.pop[i] = f.V[i]
				}
			}
		}
	}
	t.threshold, t.thresholdSource = c.threshold(def, sexe, mil)
	return t
}

// nearest finds the figures of a variable for the millésime closest to mil; the later one of two at the same
// distance, the latest of all when mil is not known.
func (c *computation) nearest(variable string, layer geo.Layer, mil int) *facts {
	if mil <= 0 {
		mil = 9999
	}
	var best *facts
	at := 0
	for _, k := range c.keys {
		if k.Variable != variable || k.Layer != layer || k.Sexe != "T" || k.Millesime <= 0 {
			continue
		}
		if best == nil || abs(k.Millesime-mil) < abs(at-mil) || abs(k.Millesime-mil) == abs(at-mil) && k.Millesime > at {
			best, at = c.facts[k], k.Millesime
		}
	}
	return best
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// layer makes the values of one layer, for one sex and one millésime.
func (c *computation) layer(def *Definition, layer geo.Layer, sexe string, mil int, held map[geo.Layer]*terms) []candidates {
	set := c.layers[layer]
	own := held[layer]
	studied := slices.Contains(c.Studied, layer.Level())
	reference := slices.Contains(c.References, layer.Level())
	if own == nil && (!studied && !reference || def.Registre) {
		return nil
	}
	key := Key{def.ID, layer, mil, sexe}
	out := make([]candidates, 0, len(set.Zones))
	for z := range set.Zones {
		var found []Value
		if own != nil {
			if v, said := c.producer(own, key, z); said {
				found = append(found, v)
			}
		}
		switch {
		case studied:
			found = append(found, c.quarter(def, key, z, held)...)
		case reference: // beside what the producer says, too: that is how the methods are measured
			found = append(found, c.aggregate(def, key, z, held, found)...)
		}
		if len(found) == 0 && def.Registre {
			continue
		}
		if len(found) == 0 && !studied && !c.links.referenced(layer, z) {
			continue
		}
		// A year the producer does not say is expected of nobody: nothing is missing there.
		if mil <= 0 && !slices.ContainsFunc(found, func(v Value) bool { return v.Statut == Disponible || v.Nature == Producteur }) {
			continue
		}
		out = append(out, candidates{key, z, found})
	}
	return out
}

func hasAvailable(vs []Value) bool {
	return slices.ContainsFunc(vs, func(v Value) bool { return v.Statut == Disponible })
}

// producer is what a source says of the zone itself; said is false when none mentions it.
func (c *computation) producer(t *terms, key Key, z int) (Value, bool) {
	v, st, source, flagged := t.value(z)
	if st == NonDisponible && c.mention(t, z) == "" {
		return Value{}, false
	}
	out := Value{Key: key, Code: c.layers[key.Couche].Zones[z].Code, V: v, Statut: st, Nature: Producteur,
		Methode: MethodeProducteur, Source: source}
	if st != Disponible {
		somme, _, note := c.made(t, z, false)
		out.V, out.Source, out.Note = 0, c.mention(t, z), note
		if somme {
			out.Nature, out.Methode = Estimation, MethodeAgregation
		}
		return out, true
	}
	out.Couverture, out.Sources, out.PartMax = Some(1), 1, 1
	out.Fiabilite = Bonne
	switch {
	case flagged:
		out.Fiabilite, out.Note = Fragile, "valeur signalée par le producteur"
	case t.def.Rule == Somme && t.def.Unit == "habitants" && v < 200:
		out.Fiabilite, out.Note = Fragile, "effectif inférieur à 200"
	}
	somme, passed, note := c.made(t, z, true)
	switch {
	case passed != Stayed:
		out.Nature, out.Methode = Estimation, MethodePassage
	case somme:
		out.Nature, out.Methode = Estimation, MethodeAgregation
	}
	if passed == Shared {
		out.Fiabilite = min(out.Fiabilite, Moyenne)
	}
	out.Note = joinNotes(out.Note, note)
	if as := c.as(t); as != "" {
		out.Fiabilite = min(out.Fiabilite, Moyenne)
		out.Note = joinNotes(out.Note, fmt.Sprintf("%s %s, vue sur les contours %s", Rapprochee, as, key.Couche))
	}
	return out, true
}

// made says whether a figure is a sum of points, what a table of passage did to it, and what there is to say of those of its
// terms that are there, or that are not.
func (c *computation) made(t *terms, z int, there bool) (somme bool, passed Passed, note string) {
	for _, list := range [][]string{{t.def.Value}, t.def.Numerator, t.def.Denominator} {
		for _, name := range list {
			f := c.facts[factKey{name, t.sexe, t.mil, t.layer}]
			if f == nil || there != (f.Statut[z] == Disponible) {
				continue
			}
			if f.Passed != nil {
				passed = max(passed, f.Passed[z])
			}
			somme = somme || f.Somme != nil && f.Somme[z]
			if f.Notes != nil && f.Notes[z] != "" && !strings.Contains(note, f.Notes[z]) {
				note = joinNotes(note, f.Notes[z])
			}
		}
	}
	return somme, passed, note
}

func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " ; " + b
}

// shared lists the zones whose figure is a share of one that was split.
func (c *computation) shared(t *terms, parts []part) []string {
	if !c.passed {
		return nil
	}
	var codes []string
	for _, p := range parts {
		if _, passed, _ := c.made(t, p.zone, true); passed == Shared {
			codes = append(codes, c.layers[t.layer].Zones[p.zone].Code)
		}
	}
	return codes
}

// share says that an estimate rests on zones whose figure is a share of another's.
func (v *Value) share(codes []string) {
	if len(codes) > 0 && v.Statut == Disponible {
		v.Fiabilite = min(v.Fiabilite, Moyenne)
		v.Note = joinNotes(v.Note, "repose sur des zones scindées depuis : "+some(codes, 5))
	}
}

// as is the layer the producer's codes refer to, when it is not the one they were met with.
func (c *computation) as(t *terms) geo.Layer {
	for _, list := range [][]string{{t.def.Value}, t.def.Numerator} {
		for _, name := range list {
			if f := c.facts[factKey{name, t.sexe, t.mil, t.layer}]; f != nil && f.As != "" {
				return f.As
			}
		}
	}
	return ""
}

// mention is where a source speaks of the zone, be it to say that there is no figure; empty when none does.
func (c *computation) mention(t *terms, z int) string {
	for _, list := range [][]string{{t.def.Value}, t.def.Numerator, t.def.Denominator} {
		for _, name := range list {
			if f := c.facts[factKey{name, t.sexe, t.mil, t.layer}]; f != nil && f.Source[z] != "" {
				return f.Source[z]
			}
		}
	}
	return ""
}

// quarter estimates a quarter from the IRIS it cuts, by every method that applies, on every vintage of
// contours that has figures; where several have, the latest contours are kept.
func (c *computation) quarter(def *Definition, key Key, z int, held map[geo.Layer]*terms) []Value {
	zone := c.layers[key.Couche].Zones[z]
	var out []Value
	for _, source := range slices.Backward(c.order) {
		t := held[source]
		list := c.parts[partsKey{key.Couche, source}]
		if t == nil || list == nil || len(list[z]) == 0 {
			continue
		}
		for _, e := range t.estimates(list[z], c.knownPopulation(key, z)) {
			if slices.ContainsFunc(out, func(v Value) bool { return v.Methode == e.method }) {
				continue
			}
			v := e.value(key, zone.Code, def)
			if as := c.as(t); as != "" && v.Statut == Disponible {
				v.Fiabilite = min(v.Fiabilite, Moyenne)
				v.Note = joinNotes(v.Note, fmt.Sprintf("%s %s, vue sur les contours %s", Rapprochee, as, source))
			}
			v.share(c.shared(t, list[z]))
			out = append(out, v)
		}
	}
	return out
}

// value turns an estimate into a value. Its reliability follows from how much of the source zones it used
// lies inside the zone: an IRIS of which a tenth is in the quarter mostly speaks of others.
func (e estimate) value(key Key, code string, def *Definition) Value {
	v := Value{Key: key, Code: code, Statut: e.statut, Nature: Estimation, Methode: e.method, Source: e.source,
		Sources: e.n, PartMax: e.partMax}
	if e.statut != Disponible {
		return v
	}
	v.V, v.Couverture = e.v, Some(e.cover)
	switch {
	case e.inside >= 0.95:
		v.Fiabilite = Bonne
	case e.inside >= 0.5:
		v.Fiabilite = Moyenne
	case e.inside >= 0.1:
		v.Fiabilite = Fragile
	default:
		v.Fiabilite = Insuffisante
	}
	if e.flagged || e.cover < 0.8 {
		v.Fiabilite = min(v.Fiabilite, Fragile)
	}
	if def.Rule == Somme && e.method == MethodeSurface && e.inside < publishableInside {
		v.Fiabilite = Insuffisante
		v.Note = "effectif réparti au prorata de la surface : table de travail"
	}
	return v
}

// knownPopulation is the population a producer gives for the quarter, of the millésime closest to the key's.
func (c *computation) knownPopulation(key Key, z int) Opt {
	f := c.nearest(populationVariable, key.Couche, key.Millesime)
	if f == nil || f.Statut[z] != Disponible {
		return Opt{}
	}
	return Some(f.V[z])
}

// aggregate makes a reference's value from the zones that compose it: communes first, then IRIS. A sum needs
// nearly all of them; a median comes from their deciles. What is absent is said only where nothing else is known.
func (c *computation) aggregate(def *Definition, key Key, z int, held map[geo.Layer]*terms, known []Value) []Value {
	zone := c.layers[key.Couche].Zones[z]
	said := func(v Value) bool {
		return slices.ContainsFunc(known, func(k Value) bool {
			return k.Methode == v.Methode && (k.Statut == Disponible || v.Statut != Disponible)
		})
	}
	var absent []Value
	for _, level := range []string{"commune", "iris"} {
		if level == key.Couche.Level() {
			continue
		}
		for _, source := range slices.Backward(c.order) {
			t := held[source]
			if source.Level() != level || t == nil {
				continue
			}
			parts := c.links.components(key.Couche, z, source)
			if len(parts) == 0 {
				continue
			}
			t.share(parts)
			var out []Value
			for _, e := range t.aggregate(parts) {
				v := e.value(key, zone.Code, def)
				if said(v) {
					continue
				}
				if v.Statut != Disponible {
					if absent == nil && !hasAvailable(known) {
						absent = []Value{v}
					}
					continue
				}
				if e.cover < 0.98 {
					v.Fiabilite = min(v.Fiabilite, Moyenne)
				}
				if as := c.as(t); as != "" {
					v.Fiabilite = min(v.Fiabilite, Moyenne)
					v.Note = joinNotes(v.Note, fmt.Sprintf("%s %s, vue sur les contours %s", Rapprochee, as, source))
				}
				v.share(c.shared(t, parts))
				out = append(out, v)
			}
			if len(out) > 0 {
				return out
			}
		}
	}
	return absent
}

// share sets what each component is of the whole: by population where that of every one is known, else by number.
func (t *terms) share(parts []part) {
	sum, known := 0.0, t.pop != nil
	for _, p := range parts {
		if known = known && t.pop[p.zone] >= 0; !known {
			break
		}
		sum += t.pop[p.zone]
	}
	for i, p := range parts {
		parts[i].inside = 1
		if known && sum > 0 {
			parts[i].of = t.pop[p.zone] / sum
		} else {
			parts[i].of = 1 / float64(len(parts))
		}
	}
}

// aggregate sums whole components, or reads the mixture of their distributions.
func (t *terms) aggregate(parts []part) []estimate {
	w := slices.Repeat([]float64{1}, len(parts))
	switch t.def.Rule {
	case Somme:
		return []estimate{t.combine(MethodeAgregation, parts, w)}
	case Ratio:
		if t.hasTerms() {
			return []estimate{t.combine(MethodeAgregation, parts, w)}
		}
	case Mediane, Quantile:
		return slices.DeleteFunc(t.quantile(parts, w), func(e estimate) bool { return e.statut != Disponible })
	}
	return nil
}

// choose marks the value that is shown and gives it the range of the methods. Where nothing is available the
// zone still has a value, whose statut says why.
func (c *computation) choose(def *Definition, key Key, z int, found []Value, ranked ranking) []Value {
	zone := c.layers[key.Couche].Zones[z].Code
	order := append([]string{MethodeProducteur, MethodePassage, MethodeAgregation}, c.Methods[zone])
	order = append(order, ranked.order...)
	best := -1
	rank := func(m string) int {
		if i := slices.Index(order, m); i >= 0 {
			return i
		}
		return len(order)
	}
	var lo, hi Opt
	for i, v := range found {
		if v.Statut != Disponible {
			continue
		}
		if v.Nature == Estimation {
			if !lo.OK || v.V < lo.V {
				lo = Some(v.V)
			}
			if !hi.OK || v.V > hi.V {
				hi = Some(v.V)
			}
		}
		working := def.Rule == Somme && v.Methode == MethodeSurface && v.Fiabilite == Insuffisante
		if !working && (best < 0 || rank(v.Methode) < rank(found[best].Methode)) {
			best = i
		}
	}
	if best < 0 { // what the producer says of the absence, else that nothing is known
		if i := slices.IndexFunc(found, func(v Value) bool { return v.Methode == MethodeProducteur }); i >= 0 {
			best = i
		}
	}
	if best < 0 {
		v := Value{Key: key, Code: zone, Statut: NonDisponible, Nature: Estimation}
		for _, f := range found {
			if f.Statut == Secret || f.Statut == NonSignificatif {
				v.Statut, v.Source = f.Statut, f.Source
			}
		}
		found = append(found, v)
		best = len(found) - 1
	}
	found[best].Retenue = true
	if found[best].Nature == Estimation && found[best].Statut == Disponible {
		found[best].Min, found[best].Max = lo, hi
		switch m := found[best].Methode; {
		case !slices.Contains(c.Studied, key.Couche.Level()):
		case m == c.Methods[zone]:
			found[best].Note = joinNotes(found[best].Note, "méthode nommée par le projet")
		default:
			found[best].Note = joinNotes(found[best].Note, ranked.why(m))
		}
	}
	return found
}
