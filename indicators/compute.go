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
	Compared    *Comparison // what the columns that no definition uses have told; nil: nothing

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

// A Territory is figures placed on their zones, and what the zones have in common: all that the methods ask for.
type Territory = computation

// A computation holds what the methods share.
type computation struct {
	Input
	*book
	links links
	scope map[string]bool // communes of the project; nil: all
	parts map[partsKey][][]part
	cuts  map[partsKey][]cut  // of the same
	refs  []geo.Layer         // the layers of the references, in the order they are named
	whole map[wholeKey][]part // the components of references, with what each is of the whole
	lock  sync.Mutex          // held to look into whole
	room  sync.Pool           // of estimates

	surveyed  map[layerYear][]Opt // part of each zone's people that is surveyed by sample
	surveying sync.Mutex          // held to look into surveyed
}

type wholeKey struct {
	layer  geo.Layer
	zone   int
	source geo.Layer
	pop    *facts
}

type partsKey struct{ target, source geo.Layer }

// series makes the series of figures that may all be shown together, and their gaps. base, when there is one, is what
// open data give: wherever they have a figure it stands, and the others are said to be of the convention.
func series(in Input, base *Result, convention string) (Result, error) {
	c, err := NewTerritory(in)
	if err != nil {
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

// NewTerritory places the figures of an input, and checks what it names.
func NewTerritory(in Input) (*Territory, error) {
	c := &computation{Input: in, book: newBook(in.Layers, in.Columns, in.Sources, in.GeographyAs),
		parts: map[partsKey][][]part{}, cuts: map[partsKey][]cut{}, whole: map[wholeKey][]part{}}
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
	c.refs = c.referenceLayers()
	for _, layer := range c.order {
		for z := range c.layers[layer].Zones {
			for _, ref := range c.refs {
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
	return c, errors.Join(bad...)
}

// indicators makes the values of every indicator that has one, in order, on all processors.
func (c *computation) indicators() Result {
	type made struct {
		def      Definition
		slots    []slot
		values   []Value
		compared []Calibration
	}
	list := make([]made, len(c.Definitions))
	order := make([]int, len(list))
	for i := range list {
		list[i].def, order[i] = c.Definitions[i], i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(list[i].def.ID, list[j].def.ID) })
	each(len(list), func(i int) { list[i].slots = c.slots(&list[i].def) })
	var rooms sync.Pool // an indicator has far fewer values than it may
	each(len(list), func(i int) {
		m := &list[i]
		room, _ := rooms.Get().(*[]Value)
		if room == nil {
			room = new([]Value)
		}
		*room = slices.Grow((*room)[:0], c.most(&m.def, m.slots))
		var values []Value
		values, m.compared = c.indicator(&m.def, m.slots, *room)
		m.values, m.slots = append([]Value(nil), values...), nil
		rooms.Put(room)
	})
	var r Result
	n := 0
	for i := range list {
		if len(list[i].values) > 0 {
			r.Indicators = append(r.Indicators, list[i].def)
			r.Calibrations = append(r.Calibrations, list[i].compared...)
			n += len(list[i].values)
		}
	}
	r.Values = make([]Value, 0, n)
	for _, i := range order { // values are ordered by indicator first
		r.Values = append(r.Values, list[i].values...)
		list[i].values = nil
	}
	return r
}

// each does n things, on all processors.
func each(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
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
	cuts := make([]cut, len(list))
	for z, parts := range list {
		cuts[z] = newCut(parts, to)
	}
	c.parts[partsKey{set.From, set.To}], c.cuts[partsKey{set.From, set.To}] = list, cuts
}

// A slot is one sex and one millésime of an indicator, and its terms wherever a source has them.
type slot struct {
	sexe  string
	mil   int
	order int      // in which the sources name them
	terms []*terms // by layer, in order; nil where no source speaks of it
	known []*facts // the population of the quarters, by layer
}

// slots lists those of an indicator by millésime and sex.
func (c *computation) slots(def *Definition) []slot {
	var vars []string
	if def.Value != "" {
		vars = append(vars, def.Value)
	}
	vars = append(vars, def.Numerator...)
	if def.Rule == Quantile && len(def.Deciles) == 9 { // where the producer gives the distribution alone
		vars = append(vars, def.Deciles[0])
	}
	sexes := def.Sexes
	if len(sexes) == 0 {
		sexes = []string{"T"}
	}
	var slots []slot
	for _, k := range c.keys {
		if !slices.Contains(vars, k.Variable) || !slices.Contains(sexes, k.Sexe) {
			continue
		}
		i := slices.IndexFunc(slots, func(s slot) bool { return s.sexe == k.Sexe && s.mil == k.Millesime })
		if i < 0 {
			i = len(slots)
			slots = append(slots, slot{k.Sexe, k.Millesime, i, make([]*terms, len(c.order)), make([]*facts, len(c.order))})
		}
		if l, _ := slices.BinarySearch(c.order, k.Layer); slots[i].terms[l] == nil {
			slots[i].terms[l] = c.terms(def, k.Layer, k.Sexe, k.Millesime)
		}
	}
	for i := range slots {
		for l, layer := range c.order {
			if slices.Contains(c.Studied, layer.Level()) {
				slots[i].known[l] = c.nearest(populationVariable, layer, slots[i].mil)
			}
		}
	}
	slices.SortFunc(slots, func(a, b slot) int { return cmp.Or(cmp.Compare(a.mil, b.mil), cmp.Compare(a.sexe, b.sexe)) })
	return slots
}

// Estimates are what the zones beneath say of the quarters and of the references, by every method that applies: the
// weighted sums, before one is chosen.
type Estimates struct {
	slots []slot
	upTo  []int // in list, for each layer that is estimated, zone and slot, in this order
	list  []estimate
}

// Len is how many there are.
func (e *Estimates) Len() int { return len(e.list) }

// Estimates makes those of an indicator, in the room of others that are needed no more.
func (c *computation) Estimates(def *Definition, e *Estimates) { c.estimates(def, c.slots(def), e) }

func (c *computation) estimates(def *Definition, slots []slot, e *Estimates) {
	e.slots, e.list, e.upTo = slots, e.list[:0], e.upTo[:0]
	spots := 0
	for _, layer := range c.order {
		if c.estimated(layer) {
			spots += len(c.layers[layer].Zones) * len(e.slots)
		}
	}
	e.upTo = slices.Grow(e.upTo, spots)
	for l, layer := range c.order {
		if !c.estimated(layer) {
			continue
		}
		studied := slices.Contains(c.Studied, layer.Level())
		var scaled scaling
		for z := range c.layers[layer].Zones {
			for i := range e.slots {
				s := &e.slots[i]
				switch {
				case def.Registre && s.terms[l] == nil:
				case studied:
					e.list = c.quarter(e.list, layer, z, s, l, &scaled)
				default: // beside what the producer says, too: that is how the methods are measured
					e.list = c.aggregate(e.list, layer, z, s, l)
				}
				e.upTo = append(e.upTo, len(e.list))
			}
		}
	}
}

// estimated says whether the zones of a layer are, from those beneath.
func (c *computation) estimated(layer geo.Layer) bool {
	return slices.Contains(c.Studied, layer.Level()) || slices.Contains(c.References, layer.Level())
}

// most is how many values an indicator has at the most.
func (c *computation) most(def *Definition, slots []slot) int {
	n := 0
	for l, layer := range c.order {
		zones := len(c.layers[layer].Zones)
		for i := range slots {
			if slots[i].terms[l] != nil {
				n += zones
			}
			switch {
			case slices.Contains(c.Studied, layer.Level()):
				n += zones * (len(methodOrder[def.Rule]) + 1)
			case slices.Contains(c.References, layer.Level()):
				n += 2 * zones
			}
		}
	}
	return n
}

// indicator makes every value of one indicator, in order: what producers say of each zone, and for the quarters and the
// references what can be made of the zones beneath. The definition is told the order its methods were found to deserve.
// out is the room for the values.
func (c *computation) indicator(def *Definition, slots []slot, out []Value) ([]Value, []Calibration) {
	made, _ := c.room.Get().(*Estimates)
	if made == nil {
		made = &Estimates{}
	}
	defer c.room.Put(made)
	c.estimates(def, slots, made)
	all := make([]candidates, 0, cap(out))
	spot, from := 0, 0
	for l, layer := range c.order {
		estimated := c.estimated(layer)
		studied := slices.Contains(c.Studied, layer.Level())
		if !estimated && !slices.ContainsFunc(made.slots, func(s slot) bool { return s.terms[l] != nil }) {
			continue
		}
		set := c.layers[layer]
		for z := range set.Zones {
			for i := range made.slots {
				s := &made.slots[i]
				var list []estimate
				if estimated {
					list = made.list[from:made.upTo[spot]]
					from = made.upTo[spot]
					spot++
				}
				own := s.terms[l]
				if own == nil && (!estimated || def.Registre) {
					continue
				}
				key := Key{def.ID, layer, s.mil, s.sexe}
				first := len(out)
				if own != nil {
					if v, said := c.producer(own, key, z); said {
						out = append(out, v)
					}
				}
				for j := range list {
					out = append(out, c.estimate(&list[j], key, set.Zones[z].Code, def, studied))
				}
				found := out[first:]
				if len(found) == 0 && (def.Registre || !studied && !c.links.referenced(layer, z)) {
					continue
				}
				// A year the producer does not say is expected of nobody: nothing is missing there.
				if s.mil <= 0 && !slices.ContainsFunc(found, func(v Value) bool { return v.Statut == Disponible || v.Nature == Producteur }) {
					out = out[:first]
					continue
				}
				if !showable(def, found) {
					out = append(out, absent(key, set.Zones[z].Code, found))
				}
				all = append(all, candidates{int32(s.order), int32(l), int32(first), int32(len(out))})
			}
		}
	}
	var compared, quarters []fault
	for _, x := range all {
		n := len(compared)
		if compared = faults(compared, def, out[x.from:x.to]); slices.Contains(c.Studied, c.order[x.layer].Level()) {
			for _, f := range compared[n:] {
				f.slot = int(x.slot)
				quarters = append(quarters, f)
			}
		}
	}
	slices.SortStableFunc(quarters, func(a, b fault) int { return cmp.Compare(a.slot, b.slot) })
	ranked := rank(def, quarters)
	for _, x := range all {
		c.choose(def, x, out[x.from:x.to], &ranked)
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

// candidates are what is known of one zone for one key, before one is chosen: some of the values of the indicator.
type candidates struct {
	slot     int32 // its order
	layer    int32
	from, to int32
}

func (c *computation) terms(def *Definition, layer geo.Layer, sexe string, mil int) *terms {
	t := &terms{b: c.book, def: def, layer: layer, sexe: sexe, mil: mil, plain: true}
	for _, name := range []string{def.Weight, populationVariable} {
		if t.pop == nil && name != "" {
			t.pop = c.nearest(name, layer, mil)
		}
	}
	if def.Value != "" {
		t.own = c.term([]string{def.Value}, sexe, mil, layer)
	}
	if len(def.Numerator) > 0 {
		t.num = c.term(def.Numerator, sexe, mil, layer)
	}
	if len(def.Denominator) > 0 {
		t.den = c.term(def.Denominator, sexe, mil, layer)
	}
	if t.count = t.num; t.count == nil {
		t.count = t.own
	}
	held := func(name string) *facts { return c.facts[factKey{name, sexe, mil, layer}] }
	t.divided = t.num != nil && t.den != nil
	for i, list := range [][]string{{def.Value}, def.Numerator, def.Denominator} {
		for _, name := range list {
			f := held(name)
			if f == nil {
				t.divided = t.divided && i == 0
				continue
			}
			t.behind = append(t.behind, f)
			t.plain = t.plain && f.Somme == nil && f.Passed == nil && f.Notes == nil
			if i < 2 && t.as == "" {
				t.as = f.As
			}
		}
	}
	if len(def.Deciles) == 9 {
		for _, name := range def.Deciles {
			if f := held(name); f != nil {
				t.deciles = append(t.deciles, f)
			}
		}
		if len(t.deciles) < 9 {
			t.deciles = nil
		}
	}
	t.threshold, t.thresholdSource = c.threshold(def, sexe, mil)
	t.sampling = c.sampling(t)
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
	for _, k := range c.totals[variable] {
		if k.Layer != layer {
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

func hasAvailable(vs []Value) bool {
	return slices.ContainsFunc(vs, func(v Value) bool { return v.Statut == Disponible })
}

// producer is what a source says of the zone itself; said is false when none mentions it.
func (c *computation) producer(t *terms, key Key, z int) (Value, bool) {
	v, st, source, flagged := t.value(z)
	if st == NonDisponible && t.mention(z) == "" {
		return Value{}, false
	}
	out := Value{Key: key, Code: c.layers[key.Couche].Zones[z].Code, V: v, Statut: st, Nature: Producteur,
		Methode: MethodeProducteur, Source: source}
	if st != Disponible {
		somme, _, note := t.made(z, false)
		out.V, out.Source, out.Note = 0, t.mention(z), note
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
	case t.def.Rule == Somme && (t.def.Unit == "habitants" || t.sampling != nil) && v < censusSmall:
		out.Fiabilite, out.Note = Fragile, "effectif inférieur à 200"
	}
	if t.sampling != nil {
		variance, why := t.varianceOf(z, v)
		out.interval(t.def, variance, why)
	}
	somme, passed, note := t.made(z, true)
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
	if t.as != "" {
		out.Fiabilite = min(out.Fiabilite, Moyenne)
		out.Note = joinNotes(out.Note, fmt.Sprintf("%s %s, vue sur les contours %s", Rapprochee, t.as, key.Couche))
	}
	out.undated()
	return out, true
}

// undated says of a figure whose producer does not give the year that nothing is compared to it.
func (v *Value) undated() {
	if v.Millesime > 0 {
		return
	}
	file := ""
	if v.Millesime < 0 {
		file = fmt.Sprintf(", le fichier est de %d", -v.Millesime)
	}
	v.Fiabilite = min(v.Fiabilite, Moyenne)
	v.Note = joinNotes(v.Note, "millésime inconnu"+file+" : ni écart, ni évolution, ni rang")
}

// made says whether a figure is a sum of points, what a table of passage did to it, and what there is to say of those of its
// terms that are there, or that are not.
func (t *terms) made(z int, there bool) (somme bool, passed Passed, note string) {
	if t.plain {
		return false, Stayed, ""
	}
	for _, f := range t.behind {
		if there != (f.Statut[z] == Disponible) {
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
	if !c.passed || t.plain {
		return nil
	}
	var codes []string
	for _, p := range parts {
		if _, passed, _ := t.made(p.zone, true); passed == Shared {
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

// mention is where a source speaks of the zone, be it to say that there is no figure; empty when none does.
func (t *terms) mention(z int) string {
	for _, f := range t.behind {
		if f.Source[z] != "" {
			return f.Source[z]
		}
	}
	return ""
}

// quarter estimates a quarter from the IRIS it cuts, by every method that applies, on every vintage of
// contours that has figures; where several have, the latest contours are kept.
func (c *computation) quarter(out []estimate, layer geo.Layer, z int, s *slot, l int, scaled *scaling) []estimate {
	first := len(out)
	var known Opt // the population a producer gives for the quarter, of the closest millésime
	if f := s.known[l]; f != nil && f.Statut[z] == Disponible {
		known = Some(f.V[z])
	}
	for i, source := range slices.Backward(c.order) {
		t := s.terms[i]
		if t == nil {
			continue
		}
		list := c.cuts[partsKey{layer, source}]
		if list == nil || len(list[z].parts) == 0 {
			continue
		}
		n := len(out)
		out = t.estimates(out, &list[z], known, scaled)
		more := out[n:]
		out = out[:n]
		for _, e := range more {
			if slices.ContainsFunc(out[first:], func(x estimate) bool { return x.method == e.method }) {
				continue
			}
			e.from, e.parts = t, list[z].parts
			out = append(out, e)
		}
	}
	return out
}

// estimate is the value an estimate gives to a zone.
func (c *computation) estimate(e *estimate, key Key, code string, def *Definition, studied bool) Value {
	v := e.value(key, code, def)
	if v.Statut != Disponible {
		return v
	}
	if !studied && e.cover < 0.98 {
		v.Fiabilite = min(v.Fiabilite, Moyenne)
	}
	if as := e.from.as; as != "" {
		v.Fiabilite = min(v.Fiabilite, Moyenne)
		v.Note = joinNotes(v.Note, fmt.Sprintf("%s %s, vue sur les contours %s", Rapprochee, as, e.from.layer))
	}
	v.share(c.shared(e.from, e.parts))
	v.undated()
	return v
}

// value turns an estimate into a value. Its reliability follows from how much of the source zones it used
// lies inside the zone: an IRIS of which a tenth is in the quarter mostly speaks of others.
func (e *estimate) value(key Key, code string, def *Definition) Value {
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
	if e.sampled {
		v.interval(def, e.variance, e.why)
	}
	return v
}

// aggregate makes a reference's value from the zones that compose it: communes first, then IRIS. A sum needs
// nearly all of them; a median comes from their deciles. What is absent is said only where nothing else is known.
func (c *computation) aggregate(out []estimate, layer geo.Layer, z int, s *slot, l int) []estimate {
	var known Value // what its producer says
	told := false
	if s.terms[l] != nil {
		known, told = c.producer(s.terms[l], Key{Couche: layer}, z)
	}
	first := len(out)
	var absent estimate
	for _, level := range []string{"commune", "iris"} {
		if level == layer.Level() {
			continue
		}
		for i, source := range slices.Backward(c.order) {
			t := s.terms[i]
			if t == nil || source.Level() != level {
				continue
			}
			parts := c.components(layer, z, source, t.pop)
			if len(parts) == 0 {
				continue
			}
			n := len(out)
			out = t.aggregate(out, parts)
			more := out[n:]
			out = out[:n]
			for _, e := range more {
				e.from, e.parts = t, parts
				if told && known.Methode == e.method && (known.Statut == Disponible || e.statut != Disponible) {
					continue
				}
				if e.statut != Disponible {
					if absent.from == nil && (!told || known.Statut != Disponible) {
						absent = e
					}
					continue
				}
				out = append(out, e)
			}
			if len(out) > first {
				return out
			}
		}
	}
	if absent.from != nil {
		out = append(out, absent)
	}
	return out
}

// components are those of a reference, with what each is of the whole: by population where that of every one is known, else
// by number.
func (c *computation) components(layer geo.Layer, z int, source geo.Layer, pop *facts) []part {
	key := wholeKey{layer, z, source, pop}
	c.lock.Lock()
	defer c.lock.Unlock()
	parts, ok := c.whole[key]
	if ok {
		return parts
	}
	parts = c.links.components(layer, z, source)
	t := terms{pop: pop}
	sum, known := 0.0, t.populated(parts)
	if known {
		for _, p := range parts {
			sum += t.persons(p.zone)
		}
	}
	for i, p := range parts {
		parts[i].inside = 1
		if known && sum > 0 {
			parts[i].of = t.persons(p.zone) / sum
		} else {
			parts[i].of = 1 / float64(len(parts))
		}
	}
	c.whole[key] = parts
	return parts
}

// aggregate sums whole components, or reads the mixture of their distributions.
func (t *terms) aggregate(out []estimate, parts []part) []estimate {
	switch t.def.Rule {
	case Somme:
		return append(out, t.combine(MethodeAgregation, parts, nil))
	case Ratio:
		if t.divided {
			return append(out, t.combine(MethodeAgregation, parts, nil))
		}
	case Mediane, Quantile:
		for _, e := range t.quantile(parts, nil) {
			if e.statut == Disponible {
				out = append(out, e)
			}
		}
	}
	return out
}

// working says whether a value stays in working tables.
func working(def *Definition, v *Value) bool {
	return def.Rule == Somme && v.Methode == MethodeSurface && v.Fiabilite == Insuffisante
}

// showable says whether one of the values may be shown, be it to say that the producer has none.
func showable(def *Definition, found []Value) bool {
	for i := range found {
		if v := &found[i]; v.Methode == MethodeProducteur || v.Statut == Disponible && !working(def, v) {
			return true
		}
	}
	return false
}

// absent is the value of a zone where nothing is available: its statut says why.
func absent(key Key, code string, found []Value) Value {
	v := Value{Key: key, Code: code, Statut: NonDisponible, Nature: Estimation}
	for i := range found {
		if f := &found[i]; f.Statut == Secret || f.Statut == NonSignificatif {
			v.Statut, v.Source = f.Statut, f.Source
		}
	}
	return v
}

// choose marks the value that is shown, gives it the range of the methods, and puts it first.
func (c *computation) choose(def *Definition, x candidates, found []Value, ranked *ranking) {
	named := c.Methods[found[0].Code]
	rank := func(m string) int {
		switch m {
		case MethodeProducteur:
			return 0
		case MethodePassage:
			return 1
		case MethodeAgregation:
			return 2
		case named:
			return 3
		}
		if i := slices.Index(ranked.order, m); i >= 0 {
			return 4 + i
		}
		return 4 + len(ranked.order)
	}
	best := -1
	var lo, hi Opt
	for i := range found {
		v := &found[i]
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
		if !working(def, v) && (best < 0 || rank(v.Methode) < rank(found[best].Methode)) {
			best = i
		}
	}
	if best < 0 { // what the producer says of the absence, else that nothing is known, which comes last
		if best = slices.IndexFunc(found, func(v Value) bool { return v.Methode == MethodeProducteur }); best < 0 {
			best = len(found) - 1
		}
	}
	v := &found[best]
	v.Retenue = true
	if v.Nature == Estimation && v.Statut == Disponible {
		v.Min, v.Max = lo, hi
		switch m := v.Methode; {
		case !slices.Contains(c.Studied, c.order[x.layer].Level()):
		case m == named:
			v.Note = joinNotes(v.Note, "méthode nommée par le projet")
		default:
			v.Note = joinNotes(v.Note, ranked.said[m])
		}
	}
	if len(found) > 1 {
		slices.SortFunc(found, CompareValues)
	}
}
