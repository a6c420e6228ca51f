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

// A source gives the terms of an indicator for the zones of one layer, one sex, one millésime.
type terms struct {
	b     *book
	def   *Definition
	layer geo.Layer
	sexe  string
	mil   int
	pop   []float64 // persons of each zone, for weights, or unknownPopulation; nil when none is known

	threshold       Opt // under which a person is poor, where the definition counts them
	thresholdSource string
}

// value is the indicator itself in a source zone: the producer's, or the ratio of its terms.
func (t *terms) value(zone int) (v float64, st Statut, source string, flagged bool) {
	if t.def.Value != "" {
		v, st, source, flagged = t.b.sum([]string{t.def.Value}, t.sexe, t.mil, t.layer, zone)
		if st == Disponible || len(t.def.Numerator) == 0 {
			return v, st, source, flagged
		}
	}
	num, s1, source, f1 := t.b.sum(t.def.Numerator, t.sexe, t.mil, t.layer, zone)
	if s1 != Disponible {
		if st == Disponible { // there is no value variable
			st = s1
		}
		return 0, st, "", false
	}
	if len(t.def.Denominator) == 0 {
		return num, Disponible, source, f1
	}
	den, s2, source2, f2 := t.b.sum(t.def.Denominator, t.sexe, t.mil, t.layer, zone)
	if s2 != Disponible {
		return 0, s2, "", false
	}
	if den == 0 {
		return 0, SansObjet, "", false
	}
	return t.scale() * num / den, Disponible, joinSources(source, source2), f1 || f2
}

func (t *terms) scale() float64 {
	if t.def.Scale == 0 {
		return 1
	}
	return t.def.Scale
}

// hasTerms says whether a ratio has both its terms among the sources of this layer.
func (t *terms) hasTerms() bool {
	if len(t.def.Numerator) == 0 || len(t.def.Denominator) == 0 {
		return false
	}
	for _, list := range [][]string{t.def.Numerator, t.def.Denominator} {
		for _, name := range list {
			if t.b.facts[factKey{name, t.sexe, t.mil, t.layer}] == nil {
				return false
			}
		}
	}
	return true
}

// combine carries the indicator from the parts to the zone with weights w, the weight of part i being the
// share of its source zone that is taken. Counts are Σw·N; ratios Σw·num/Σw·den.
func (t *terms) combine(method string, parts []part, w []float64) estimate {
	e := estimate{method: method}
	num, den, cover, weight, inside := 0.0, 0.0, 0.0, 0.0, 0.0
	missing := NonDisponible
	for i, p := range parts {
		if w[i] == 0 {
			continue
		}
		n, st, source, flagged := t.b.sum(t.countVars(), t.sexe, t.mil, t.layer, p.zone)
		d, st2 := 1.0, Disponible
		source2, flagged2 := "", false
		if len(t.def.Denominator) > 0 {
			d, st2, source2, flagged2 = t.b.sum(t.def.Denominator, t.sexe, t.mil, t.layer, p.zone)
		}
		if st != Disponible || st2 != Disponible {
			missing = max(st, st2)
			continue
		}
		num += w[i] * n
		den += w[i] * d
		mass := w[i] * d
		if len(t.def.Denominator) == 0 {
			mass = w[i] * n
		}
		weight += mass
		if method == MethodeConsolides || method == MethodeAgregation { // whole zones, of which a part is inside
			inside += mass * p.inside
		} else {
			inside += mass * w[i]
		}
		e.partMax = max(e.partMax, mass)
		cover += p.of
		e.n++
		e.source = joinSources(joinSources(e.source, source), source2)
		e.flagged = e.flagged || flagged || flagged2
	}
	e.cover = min(1, cover)
	need := minCoverage
	if len(t.def.Denominator) == 0 {
		need = minCoverageCount
		if !t.populated(parts) {
			need = 1 // nobody knows how much the missing part weighs
		}
	}
	if e.n == 0 || cover < need*total(parts)-1e-9 {
		e.statut = missing
		return e
	}
	if weight > 0 {
		e.partMax /= weight
		e.inside = inside / weight
	}
	switch {
	case len(t.def.Denominator) == 0:
		e.v = num
	case den == 0:
		e.statut = SansObjet
	default:
		e.v = t.scale() * num / den
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
	return t.pop != nil && !slices.ContainsFunc(parts, func(p part) bool { return t.pop[p.zone] < 0 })
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
	sum, cover, inside := 0.0, 0.0, 0.0
	missing := NonDisponible
	for _, p := range parts {
		v, st, source, flagged := t.value(p.zone)
		if st != Disponible {
			missing = st
			continue
		}
		sum += v
		cover += p.of
		inside += p.inside
		e.n++
		e.source = joinSources(e.source, source)
		e.flagged = e.flagged || flagged
	}
	e.cover = min(1, cover)
	if e.n == 0 || cover < need {
		e.statut = missing
		return e
	}
	e.v = sum / float64(e.n)
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
		mass := w[i] * t.pop[p.zone]
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
			deciles.source = joinSources(deciles.source, source)
			deciles.flagged = deciles.flagged || flagged
		}
		if v, st, source, flagged := t.value(p.zone); st == Disponible {
			sum += mass * v
			weight += mass
			mean.n++
			mean.inside += mass * p.inside
			mean.partMax = max(mean.partMax, mass)
			mean.source = joinSources(mean.source, source)
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
			deciles.source = joinSources(deciles.source, t.thresholdSource)
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
	if len(t.def.Deciles) != 9 {
		return d, "", false, false
	}
	for k, name := range t.def.Deciles {
		f := t.b.facts[factKey{name, t.sexe, t.mil, t.layer}]
		v, st := f.at(zone)
		if st != Disponible || k > 0 && v < d.Deciles[k-1] || v <= 0 {
			return d, "", false, false
		}
		d.Deciles[k] = v
		flagged = flagged || f.signale(zone)
		if k == 0 || k == 8 {
			source = joinSources(source, f.Source[zone])
		}
	}
	return d, source, flagged, true
}

// estimates runs every method that applies to the indicator over the parts of a zone. known is the zone's
// population, where a producer gives it.
func (t *terms) estimates(parts []part, known Opt) []estimate {
	var kept []part // the IRIS the zone is said to cut: slivers and undivided communes apart
	whole := true   // an undivided commune is commune data, never split by surface
	for _, p := range parts {
		if !p.sliver {
			kept = append(kept, p)
		}
		if t.b.layers[t.layer].Zones[p.zone].Type == "Z" && p.inside < 0.9999 {
			whole = false
		}
	}
	if len(kept) == 0 {
		return nil
	}
	principal := []part{slices.MaxFunc(kept, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(b.zone, a.zone))
	})}

	var calage []float64
	if known.OK && t.populated(parts) {
		shares, pop := make([]float64, len(parts)), make([]float64, len(parts))
		for i, p := range parts {
			shares[i], pop[i] = p.of, t.pop[p.zone]
		}
		if w, ok := CalageWeights(known.V, shares, pop); ok {
			calage = w
		}
	}
	var out []estimate
	people := peopleWeights(parts)
	split := func(f func(method string, w []float64)) {
		if people != nil { // the weight layer says where the people of an undivided commune are, too
			f(MethodePopulation, people)
		}
		if !whole {
			return
		}
		if calage != nil && !slices.Contains(t.countVars(), populationVariable) { // which it is scaled to
			f(MethodeCalage, calage)
		}
		f(MethodeSurface, surfaceWeights(parts))
	}
	ones := func(ps []part) []float64 { return slices.Repeat([]float64{1}, len(ps)) }
	switch t.def.Rule {
	case Somme:
		split(func(m string, w []float64) { out = append(out, t.combine(m, parts, w)) })
	case Ratio:
		if t.hasTerms() {
			split(func(m string, w []float64) { out = append(out, t.combine(m, parts, w)) })
			out = append(out, t.combine(MethodeConsolides, kept, ones(kept)))
		}
		out = append(out, t.mean(MethodeMoyenne, kept, minCoverage), t.mean(MethodePrincipal, principal, 0))
	case Mediane, Quantile:
		w := people
		if w == nil {
			w = calage
		}
		if w == nil && whole {
			w = surfaceWeights(parts)
		}
		if w != nil {
			out = append(out, t.quantile(parts, w)...)
		}
		out = append(out, t.mean(MethodeMoyenne, kept, minCoverage), t.mean(MethodePrincipal, principal, 0))
	case Aucune:
		out = append(out, t.mean(MethodeMoyenne, kept, minCoverage), t.mean(MethodePrincipal, principal, 0))
	}
	for i := range out {
		if out[i].statut == Disponible && (math.IsNaN(out[i].v) || math.IsInf(out[i].v, 0)) {
			out[i] = estimate{method: out[i].method, statut: NonDisponible}
		}
	}
	return out
}
