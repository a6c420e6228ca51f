package indicators

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"observatoire/geo"
)

// The mean error beyond which a method is not fit for a gap: in points for a percentage, in per cent otherwise.
const (
	maxErrorPoints   = 5
	maxErrorRelative = 10
)

// minComparisons is the number of comparisons with a producer from which a method is ranked by its error.
const minComparisons = 10

// Disqualified is how the note of a value begins when its method was found too far from the producer's values.
const Disqualified = "écart au producteur"

// A Calibration is how far one method is from the producer, over the zones of a layer for which both give a value of
// an indicator. Errors are signed, estimate less producer: in points for percentages, in per cent of the producer's
// value otherwise.
type Calibration struct {
	Indicateur string
	Couche     geo.Layer
	Millesime  int    // 0: all together
	Sexe       string // empty: all together, beside Millesime 0
	Methode    string
	N          int // comparisons
	Unite      string
	Moyenne    float64 // of the signed errors
	Absolue    float64 // of their absolute values
	Mediane    float64 // of the signed errors
	Pire       string  // code of the zone whose error is largest
	PireErreur float64 // signed
	Rang       int     // of the method among the quarters' for the indicator, when it was ranked by its error; else 0
}

// A fault is the error of one method for one zone.
type fault struct {
	couche    geo.Layer
	millesime int
	sexe      string
	methode   string
	code      string
	err       float64
	slot      int // of the indicator
}

// faults adds to a list the errors of every estimate beside a producer's value of the same spot.
func faults(out []fault, def *Definition, found []Value) []fault {
	i := slices.IndexFunc(found, func(v Value) bool { return v.Methode == MethodeProducteur && v.Statut == Disponible })
	if i < 0 || len(found) == 1 || found[i].Millesime <= 0 {
		return out
	}
	for j := range found {
		v := &found[j]
		if v.Nature != Estimation || v.Statut != Disponible {
			continue
		}
		if e := errorOf(def, v.V, found[i].V); e.OK {
			out = append(out, fault{couche: v.Couche, millesime: v.Millesime, sexe: v.Sexe, methode: v.Methode, code: v.Code, err: e.V})
		}
	}
	return out
}

// errorOf is how far an estimate is from the producer's value, in [errorUnit]; absent beside a zero that is no percentage.
func errorOf(def *Definition, v, producer float64) Opt {
	switch {
	case def.Unit == "%":
		return Some(v - producer)
	case producer == 0:
		return Opt{}
	}
	return Some((v - producer) * (100 / math.Abs(producer)))
}

// errorUnit is the unit of the errors on an indicator.
func errorUnit(def *Definition) string {
	if def.Unit == "%" {
		return "points"
	}
	return "%"
}

// summary is the calibration of comparisons of one method; there is at least one.
func summary(def *Definition, list []fault) Calibration {
	c := Calibration{Indicateur: def.ID, Couche: list[0].couche, Methode: list[0].methode, N: len(list), Unite: errorUnit(def)}
	errs := make([]float64, len(list))
	for i, x := range list {
		errs[i] = x.err
		c.Moyenne += x.err
		c.Absolue += math.Abs(x.err)
		if i == 0 || math.Abs(x.err) > math.Abs(c.PireErreur) {
			c.Pire, c.PireErreur = x.code, x.err
		}
	}
	n := float64(len(list))
	c.Moyenne, c.Absolue = c.Moyenne/n, c.Absolue/n
	slices.Sort(errs)
	c.Mediane = (errs[(len(errs)-1)/2] + errs[len(errs)/2]) / 2
	return c
}

// groups cuts what is sorted into runs of equals.
func groups(list []fault, same func(a, b fault) int) [][]fault {
	var out [][]fault
	for len(list) > 0 {
		n := 1
		for n < len(list) && same(list[0], list[n]) == 0 {
			n++
		}
		out, list = append(out, list[:n]), list[n:]
	}
	return out
}

// calibrations sums the comparisons of an indicator up, by layer and method: all together, then by millésime and sex.
func calibrations(def *Definition, list []fault) []Calibration {
	whole := func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.couche, b.couche), cmp.Compare(a.methode, b.methode))
	}
	each := func(a, b fault) int {
		return cmp.Or(whole(a, b), cmp.Compare(a.millesime, b.millesime), cmp.Compare(a.sexe, b.sexe))
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b fault) int { return cmp.Or(each(a, b), cmp.Compare(a.code, b.code)) })
	var out []Calibration
	for _, all := range groups(list, whole) {
		out = append(out, summary(def, all))
		for _, part := range groups(all, each) {
			c := summary(def, part)
			c.Millesime, c.Sexe = part[0].millesime, part[0].sexe
			out = append(out, c)
		}
	}
	return out
}

// A ranking is the order of the methods for an indicator, and what it rests on.
type ranking struct {
	order    []string
	measured map[string]Calibration // those ranked by their error, all quarters together
	said     map[string]string      // in French, of those, what put each first: its measured error
}

// rank orders the methods of an indicator: those that were compared with the producer often enough and are fit for a gap,
// the least mean absolute error first; those nobody measured, in the order of their rule; those that err too much. The order
// of the rule settles ties.
func rank(def *Definition, quarters []fault) ranking {
	r := ranking{order: slices.Clone(methodOrder[def.Rule]), measured: map[string]Calibration{}, said: map[string]string{}}
	for _, m := range r.order {
		var own []fault
		for _, x := range quarters {
			if x.methode == m {
				own = append(own, x)
			}
		}
		if len(own) >= minComparisons {
			c := summary(def, own)
			r.measured[m] = c
			r.said[m] = fmt.Sprintf("méthode classée par calage : %s %s d'écart absolu moyen au producteur sur %d comparaisons", FrenchNumber(c.Absolue, 1), c.Unite, c.N)
		}
	}
	tier := func(m string) int {
		c, ok := r.measured[m]
		switch {
		case !ok:
			return 1
		case c.Absolue > errorLimit(def):
			return 2
		}
		return 0
	}
	slices.SortStableFunc(r.order, func(a, b string) int {
		return cmp.Or(cmp.Compare(tier(a), tier(b)), cmp.Compare(r.measured[a].Absolue, r.measured[b].Absolue))
	})
	return r
}

// comparisons counts them, in French.
func comparisons(n int) string {
	if n < 2 {
		return fmt.Sprintf("%d comparaison", n)
	}
	return fmt.Sprintf("%d comparaisons", n)
}

// errorLimit is the mean error beyond which a method is not fit for a gap.
func errorLimit(def *Definition) float64 {
	if def.Unit == "%" {
		return maxErrorPoints
	}
	return maxErrorRelative
}

// place is the method's among those that were measured, from 1.
func (r ranking) place(method string) int {
	n := 1
	for _, m := range r.order {
		if m == method {
			break
		}
		if _, ok := r.measured[m]; ok {
			n++
		}
	}
	return n
}

// disqualify says of the estimates by a method that errs too much on average, where the producer publishes too, by how much:
// they are of insufficient reliability and have no gap, which would show their own error. The alerts sum it up.
func disqualify(r *Result) []Alerte {
	type group struct {
		indicateur string
		couche     geo.Layer
		methode    string
	}
	defs := map[string]*Definition{}
	for i := range r.Indicators {
		defs[r.Indicators[i].ID] = &r.Indicators[i]
	}
	said := map[group]string{}
	for _, c := range r.Calibrations {
		if c.Millesime == 0 && c.Absolue > errorLimit(defs[c.Indicateur]) {
			said[group{c.Indicateur, c.Couche, c.Methode}] = fmt.Sprintf("%s : là où il publie aussi, cette méthode s'en écarte de %s %s en moyenne (%s)",
				Disqualified, FrenchSigned(c.Moyenne, 1), c.Unite, comparisons(c.N))
		}
	}
	if len(said) == 0 {
		return nil
	}
	var alerts []Alerte
	shown := map[group]bool{}
	for i := range r.Values {
		v := &r.Values[i]
		if v.Nature != Estimation || v.Statut != Disponible {
			continue
		}
		g := group{v.Indicateur, v.Couche, v.Methode}
		if said[g] == "" {
			continue
		}
		v.Fiabilite, v.Note = Insuffisante, joinNotes(said[g], v.Note)
		if v.Retenue && !shown[g] {
			shown[g] = true
			alerts = append(alerts, Alerte{ID: fmt.Sprintf("calage:%s:%s:%s", g.indicateur, g.couche, g.methode), Kind: "calibration",
				Gravite: "attention", Objet: g.indicateur, Message: fmt.Sprintf("%s, méthode « %s » : %s ; fiabilité insuffisante, pas d'écart",
					defs[g.indicateur].Label, g.methode, said[g])})
		}
	}
	return alerts
}
