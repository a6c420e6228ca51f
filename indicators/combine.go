package indicators

import (
	"cmp"
	"math"
	"slices"

	"observatoire/geo"
)

// A part is what one source zone (an IRIS) has in common with the zone being estimated.
type part struct {
	zone   int     // position of the source zone in its layer
	of     float64 // share of the estimated zone's area, between 0 and 1
	inside float64 // share of the source zone's area, between 0 and 1
	people Opt     // share of the source zone's people by the weight layer, between 0 and 1
	sliver bool
}

// An estimate is what a method gives.
type estimate struct {
	method  string
	v       float64
	statut  Statut
	cover   float64 // share of the zone behind v
	n       int     // source zones used
	partMax float64 // largest weight of one of them
	inside  float64 // how much of the source zones used lies in the zone, weighted as v is
	source  string
	flagged bool

	from  *terms // what it was made of
	parts []part

	sampled  bool    // of the census
	variance float64 // that of v, by sampling; why says why it is not known
	why      string
}

// The share of a zone that must be behind an estimate for it to stand. A rate may rest on half of the zone,
// with its coverage beside it; a count with a part missing is simply too low.
const (
	minCoverage      = 0.5
	minCoverageCount = 0.98
)

// publishableInside is the share of its source zones' population a zone must hold for a count carried
// by surface to leave the working tables.
const publishableInside = 0.8

// surfaceWeights are the shares of each source zone's area that lie in the zone.
func surfaceWeights(parts []part) []float64 {
	w := make([]float64, len(parts))
	for i, p := range parts {
		w[i] = p.inside
	}
	return w
}

// peopleWeights are the shares of each source zone's people that the weight layer puts in the zone; nil where
// it does not speak of every part.
func peopleWeights(parts []part) []float64 {
	w := make([]float64, len(parts))
	for i, p := range parts {
		if !p.people.OK {
			return nil
		}
		w[i] = p.people.V
	}
	return w
}

// CalageWeights scales surface shares to a known population: zone i receives total·shares[i] persons, no
// more than pop[i]; what exceeds is shared out among the others. The weights are what part of pop[i] is
// taken. Shares need not sum to 1: they are taken relative to their sum. ok is false when the
// source zones together hold fewer persons than total.
func CalageWeights(total float64, shares, pop []float64) (w []float64, ok bool) {
	w = make([]float64, len(shares))
	full := make([]bool, len(shares))
	left := total
	for {
		free := 0.0
		for i, s := range shares {
			if !full[i] {
				free += s
			}
		}
		if free <= 0 {
			return w, left <= 1e-9*total
		}
		capped := false
		for i, s := range shares {
			if !full[i] && left*s/free >= pop[i] {
				full[i], capped = true, true
			}
		}
		if !capped {
			for i, s := range shares {
				if !full[i] {
					w[i] = left * s / free / pop[i]
				}
			}
			return w, true
		}
		left = total
		for i := range shares {
			if full[i] {
				w[i] = 1
				if pop[i] == 0 {
					w[i] = 0
				}
				left -= pop[i]
			}
		}
		if left <= 0 {
			return w, true
		}
	}
}

// A Distribution is the nine deciles of a source zone and the persons behind them.
type Distribution struct {
	Deciles [9]float64 // D1…D9, increasing
	Weight  float64
}

// MixtureQuantile is the quantile q (between 0 and 1) of the union of several populations known by their
// deciles: each is a piecewise-linear distribution through (0.4·D1, 0), (D1, 0.1) … (D9, 0.9), (2.2·D9, 1);
// they are mixed by weight and inverted. ok is false when no weight is positive.
func MixtureQuantile(ds []Distribution, q float64) (v float64, ok bool) {
	total := 0.0
	var knots []float64
	for _, d := range ds {
		if d.Weight <= 0 {
			continue
		}
		total += d.Weight
		knots = append(knots, 0.4*d.Deciles[0], 2.2*d.Deciles[8])
		knots = append(knots, d.Deciles[:]...)
	}
	if total == 0 {
		return 0, false
	}
	slices.Sort(knots)
	knots = slices.Compact(knots)
	// The mixture is linear between two knots: find where it reaches q.
	cdf := func(x float64) float64 {
		s := 0.0
		for _, d := range ds {
			if d.Weight > 0 {
				s += d.Weight * d.cdf(x)
			}
		}
		return s / total
	}
	i, _ := slices.BinarySearchFunc(knots, q, func(x, q float64) int { return cmp.Compare(cdf(x), q) })
	switch {
	case i == 0:
		return knots[0], true
	case i == len(knots):
		return knots[len(knots)-1], true
	}
	x0, x1 := knots[i-1], knots[i]
	f0, f1 := cdf(x0), cdf(x1)
	if f1 == f0 {
		return x1, true
	}
	return x0 + (x1-x0)*(q-f0)/(f1-f0), true
}

// MixtureShare is the share, between 0 and 1, of the union of several populations that lies under x, by the
// distributions of [MixtureQuantile]. ok is false when no weight is positive.
func MixtureShare(ds []Distribution, x float64) (share float64, ok bool) {
	under, total := 0.0, 0.0
	for _, d := range ds {
		if d.Weight > 0 {
			under += d.Weight * d.cdf(x)
			total += d.Weight
		}
	}
	if total == 0 {
		return 0, false
	}
	return under / total, true
}

// cdf is the share of the population under x.
func (d *Distribution) cdf(x float64) float64 {
	x0, f0 := 0.4*d.Deciles[0], 0.0
	if x < x0 {
		return 0
	}
	for k := range 10 {
		x1, f1 := 2.2*d.Deciles[8], 1.0
		if k < 9 {
			x1, f1 = d.Deciles[k], float64(k+1)/10
		}
		if x < x1 {
			return f0 + (f1-f0)*(x-x0)/(x1-x0)
		}
		x0, f0 = x1, f1
	}
	return 1
}

// terms are those of an indicator for the zones of one layer, one sex, one millésime.
type terms struct {
	b     *book
	def   *Definition
	layer geo.Layer
	sexe  string
	mil   int
	pop   *facts // persons of each zone, for weights; nil when none is known

	own, num, den *term     // the indicator itself, as a producer gives it; what is divided, or counted; what by. Nil: no variable
	count         *term     // what adds up
	deciles       []*facts  // nil when one is missing
	behind        []*facts  // of every variable
	as            geo.Layer // the layer the producer's codes refer to, when it is not the one they were met with
	divided       bool      // a ratio has both its terms among the sources of this layer
	plain         bool      // no figure is a sum of points, carried or corrected

	threshold       Opt // under which a person is poor, where the definition counts them
	thresholdSource string
	sampling        *sampling // nil for what is not of the census

	joined [8]joining // the latest lists of sources that were made
	next   int
}

// A joining is what joinSources gave.
type joining struct{ list, source, out string }

// join is joinSources, without writing twice the lists that come again for each zone.
func (t *terms) join(list, source string) string {
	switch {
	case source == "" || list == source:
		return list
	case list == "":
		return source
	}
	for i := range t.joined {
		if j := &t.joined[i]; j.list == list && j.source == source {
			return j.out
		}
	}
	out := joinSources(list, source)
	t.joined[t.next] = joining{list, source, out}
	t.next = (t.next + 1) % len(t.joined)
	return out
}

// persons in a source zone, or unknownPopulation.
func (t *terms) persons(zone int) float64 {
	if t.pop.Statut[zone] != Disponible {
		return unknownPopulation
	}
	return t.pop.V[zone]
}

// value is the indicator itself in a source zone: the producer's, or the ratio of its terms.
func (t *terms) value(zone int) (v float64, st Statut, source string, flagged bool) {
	if t.own != nil {
		v, st, source, flagged = t.own.at(zone)
		if st == Disponible || t.num == nil {
			return v, st, source, flagged
		}
	}
	if t.num == nil { // an indicator that its deciles alone give
		return 0, Disponible, "", false
	}
	num, s1, source, f1 := t.num.at(zone)
	if s1 != Disponible {
		if st == Disponible { // there is no value variable
			st = s1
		}
		return 0, st, "", false
	}
	if t.den == nil {
		return num, Disponible, source, f1
	}
	den, s2, source2, f2 := t.den.at(zone)
	if s2 != Disponible {
		return 0, s2, "", false
	}
	if den == 0 {
		return 0, SansObjet, "", false
	}
	return t.scale() * num / den, Disponible, t.join(source, source2), f1 || f2
}

func (t *terms) scale() float64 {
	if t.def.Scale == 0 {
		return 1
	}
	return t.def.Scale
}

// combine carries the indicator from the parts to the zone with weights w, the weight of part i being the
// share of its source zone that is taken; all of it when w is nil. Counts are Σw·N; ratios Σw·num/Σw·den.
func (t *terms) combine(method string, parts []part, w []float64) estimate {
	e := estimate{method: method}
	num, den, cover, weight, inside, total := 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
	var sp spread
	missing := NonDisponible
	whole := method == MethodeConsolides || method == MethodeAgregation // whole zones, of which a part is inside
	var source, source2 string                                          // of the part before
	told := false                                                       // they add nothing to what e.source says
	for i := range parts {
		p := &parts[i]
		total += p.of
		share := 1.0
		if w != nil {
			if share = w[i]; share == 0 {
				continue
			}
		}
		st, st2 := t.count.statut[p.zone], Disponible
		if t.den != nil {
			st2 = t.den.statut[p.zone]
		}
		if st != Disponible || st2 != Disponible {
			missing = max(st, st2)
			continue
		}
		n, d := t.count.v[p.zone], 1.0
		s, s2 := t.count.source[p.zone], ""
		e.flagged = e.flagged || t.count.signale != nil && t.count.signale[p.zone]
		mass := share * n
		if t.den != nil {
			d, s2 = t.den.v[p.zone], t.den.source[p.zone]
			e.flagged = e.flagged || t.den.signale != nil && t.den.signale[p.zone]
			mass = share * d
		}
		num += share * n
		den += share * d
		if t.sampling != nil {
			sp.add(t.sampling, share, n, d, p.zone)
		}
		weight += mass
		if whole {
			inside += mass * p.inside
		} else {
			inside += mass * share
		}
		e.partMax = max(e.partMax, mass)
		cover += p.of
		e.n++
		if !told || s != source || s2 != source2 {
			list := t.join(t.join(e.source, s), s2)
			told = list == e.source
			e.source, source, source2 = list, s, s2
		}
	}
	e.cover = min(1, cover)
	need := minCoverage
	if t.den == nil {
		need = minCoverageCount
		if !t.populated(parts) {
			need = 1 // nobody knows how much the missing part weighs
		}
	}
	if e.n == 0 || cover < need*total-1e-9 {
		e.statut = missing
		return e
	}
	if weight > 0 {
		e.partMax /= weight
		e.inside = inside / weight
	}
	switch {
	case t.den == nil:
		e.v = num
	case den == 0:
		e.statut = SansObjet
	default:
		e.v = t.scale() * num / den
	}
	if t.sampling != nil && e.statut == Disponible {
		e.sampled = true
		e.variance, e.why = t.variance(sp, num, den)
	}
	return e
}

// total is the share of the zone that its parts cover: less than 1 along the sea.
func total(parts []part) float64 {
	s := 0.0
	for _, p := range parts {
		s += p.of
	}
	return s
}

// populated says whether the population of every part is known.
func (t *terms) populated(parts []part) bool {
	if t.pop == nil {
		return false
	}
	for i := range parts {
		if t.persons(parts[i].zone) < 0 {
			return false
		}
	}
	return true
}

// countVars are the variables that add up: the numerator, or the value of a count.
func (t *terms) countVars() []string {
	if len(t.def.Numerator) > 0 {
		return t.def.Numerator
	}
	return []string{t.def.Value}
}

// mean is the plain mean of the indicator over the parts, each whole source zone counting once; those that
// have a value must cover at least need of the zone.
func (t *terms) mean(method string, parts []part, need float64) estimate {
	e := estimate{method: method}
	sum, variance, cover, inside := 0.0, 0.0, 0.0, 0.0
	missing := NonDisponible
	for _, p := range parts {
		v, st, source, flagged := t.value(p.zone)
		if st != Disponible {
			missing = st
			continue
		}
		sum += v
		if t.sampling != nil {
			x, why := t.varianceOf(p.zone, v)
			variance += x
			e.why = cmp.Or(e.why, why)
		}
		cover += p.of
		inside += p.inside
		e.n++
		e.source = t.join(e.source, source)
		e.flagged = e.flagged || flagged
	}
	e.cover = min(1, cover)
	if e.n == 0 || cover < need {
		e.statut = missing
		return e
	}
	e.v = sum / float64(e.n)
	e.sampled, e.variance = t.sampling != nil, variance/float64(e.n)/float64(e.n)
	e.partMax = 1 / float64(e.n)
	e.inside = inside / float64(e.n)
	return e
}

// quantile reads what the definition asks for from the deciles of the parts, mixed with weights w·population: a
// quantile, a ratio of two, a share under a threshold. For a median there is also the mean of medians weighted the
// same way, which is a last resort and named so.
func (t *terms) quantile(parts []part, w []float64) []estimate {
	if !t.populated(parts) {
		return nil
	}
	deciles := estimate{method: MethodeDeciles}
	mean := estimate{method: MethodeMedPonderee}
	var ds []Distribution
	sum, weight, dw, total := 0.0, 0.0, 0.0, 0.0
	missing := NonDisponible
	for i, p := range parts {
		mass := t.persons(p.zone)
		if w != nil {
			mass *= w[i]
		}
		if mass <= 0 {
			continue
		}
		total += mass
		if d, source, flagged, ok := t.distribution(p.zone); ok {
			d.Weight = mass
			ds = append(ds, d)
			dw += mass
			deciles.n++
			deciles.inside += mass * p.inside
			deciles.partMax = max(deciles.partMax, mass)
			deciles.source = t.join(deciles.source, source)
			deciles.flagged = deciles.flagged || flagged
		}
		if v, st, source, flagged := t.value(p.zone); st == Disponible {
			sum += mass * v
			weight += mass
			mean.n++
			mean.inside += mass * p.inside
			mean.partMax = max(mean.partMax, mass)
			mean.source = t.join(mean.source, source)
			mean.flagged = mean.flagged || flagged
		} else {
			missing = st
		}
	}
	finish := func(e *estimate, v, weight float64) {
		if total > 0 {
			e.cover = weight / total
		}
		if e.n == 0 || e.cover < minCoverage {
			e.statut = missing
			return
		}
		e.v = v
		e.partMax /= weight
		e.inside /= weight
	}
	var out []estimate
	if v, ok := t.read(ds); ok {
		finish(&deciles, v, dw)
		if t.def.Under > 0 {
			deciles.source = t.join(deciles.source, t.thresholdSource)
		}
		out = append(out, deciles)
	}
	if t.def.Rule == Mediane {
		v := 0.0
		if weight > 0 {
			v = sum / weight
		}
		finish(&mean, v, weight)
		out = append(out, mean)
	}
	return out
}

// read is what the definition asks of a mixture of distributions.
func (t *terms) read(ds []Distribution) (v float64, ok bool) {
	switch {
	case t.def.Rule == Mediane:
		return MixtureQuantile(ds, 0.5)
	case t.def.Under > 0:
		if !t.threshold.OK {
			return 0, false
		}
		v, ok = MixtureShare(ds, t.threshold.V)
		return t.scale() * v, ok
	case t.def.Quantile > 0:
		v, ok = MixtureQuantile(ds, t.def.Quantile)
		if ok && t.def.Over > 0 {
			d, _ := MixtureQuantile(ds, t.def.Over) // positive, as every decile is
			v /= d
		}
		return v, ok
	}
	return 0, false
}

// distribution reads the nine deciles of a source zone.
func (t *terms) distribution(zone int) (d Distribution, source string, flagged, ok bool) {
	if t.deciles == nil {
		return d, "", false, false
	}
	for k, f := range t.deciles {
		v := f.V[zone]
		if f.Statut[zone] != Disponible || k > 0 && v < d.Deciles[k-1] || v <= 0 {
			return d, "", false, false
		}
		d.Deciles[k] = v
		flagged = flagged || f.signale(zone)
		if k == 0 || k == 8 {
			source = t.join(source, f.Source[zone])
		}
	}
	return d, source, flagged, true
}

// A cut is the source zones that an estimated zone has a part of, and what the methods ask of them.
type cut struct {
	parts     []part
	kept      []part // the IRIS the zone is said to cut: slivers and undivided communes apart
	principal []part // the largest of them
	whole     bool   // an undivided commune is commune data, never split by surface
	surface   []float64
	people    []float64 // nil where the weight layer does not speak of every part
}

func newCut(parts []part, set *geo.ZoneSet) cut {
	c := cut{parts: parts, whole: true, surface: surfaceWeights(parts), people: peopleWeights(parts)}
	for _, p := range parts {
		if !p.sliver {
			c.kept = append(c.kept, p)
		}
		if set.Zones[p.zone].Type == "Z" && p.inside < 0.9999 {
			c.whole = false
		}
	}
	if len(c.kept) > 0 {
		c.principal = []part{slices.MaxFunc(c.kept, func(a, b part) int {
			return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(b.zone, a.zone))
		})}
	}
	return c
}

// A scaling keeps the weights that scale a zone's parts to its population, from one sex and indicator to the next.
type scaling struct {
	cut   *cut
	known Opt
	pop   *facts
	w     []float64 // nil: it cannot be
}

func (s *scaling) weights(x *cut, known Opt, t *terms) []float64 {
	if !known.OK {
		return nil
	}
	if s.cut == x && s.known == known && s.pop == t.pop {
		return s.w
	}
	*s = scaling{cut: x, known: known, pop: t.pop}
	if !t.populated(x.parts) {
		return nil
	}
	shares, pop := make([]float64, len(x.parts)), make([]float64, len(x.parts))
	for i, p := range x.parts {
		shares[i], pop[i] = p.of, t.persons(p.zone)
	}
	if w, ok := CalageWeights(known.V, shares, pop); ok {
		s.w = w
	}
	return s.w
}

// estimates adds to out what every method that applies to the indicator gives over the parts of a zone. known is the zone's
// population, where a producer gives it.
func (t *terms) estimates(out []estimate, x *cut, known Opt, scaled *scaling) []estimate {
	if len(x.kept) == 0 {
		return out
	}
	first := len(out)
	calage := scaled.weights(x, known, t)
	split := func(f func(method string, w []float64)) {
		if x.people != nil { // the weight layer says where the people of an undivided commune are, too
			f(MethodePopulation, x.people)
		}
		if !x.whole {
			return
		}
		if calage != nil && !slices.Contains(t.countVars(), populationVariable) { // which it is scaled to
			f(MethodeCalage, calage)
		}
		f(MethodeSurface, x.surface)
	}
	switch t.def.Rule {
	case Somme:
		split(func(m string, w []float64) { out = append(out, t.combine(m, x.parts, w)) })
	case Ratio:
		if t.divided {
			split(func(m string, w []float64) { out = append(out, t.combine(m, x.parts, w)) })
			out = append(out, t.combine(MethodeConsolides, x.kept, nil))
		}
		out = append(out, t.mean(MethodeMoyenne, x.kept, minCoverage), t.mean(MethodePrincipal, x.principal, 0))
	case Mediane, Quantile:
		w := x.people
		if w == nil {
			w = calage
		}
		if w == nil && x.whole {
			w = x.surface
		}
		if w != nil {
			out = append(out, t.quantile(x.parts, w)...)
		}
		out = append(out, t.mean(MethodeMoyenne, x.kept, minCoverage), t.mean(MethodePrincipal, x.principal, 0))
	case Aucune:
		out = append(out, t.mean(MethodeMoyenne, x.kept, minCoverage), t.mean(MethodePrincipal, x.principal, 0))
	}
	for i := first; i < len(out); i++ {
		if out[i].statut == Disponible && (math.IsNaN(out[i].v) || math.IsInf(out[i].v, 0)) {
			out[i] = estimate{method: out[i].method, statut: NonDisponible}
		}
	}
	return out
}
