package indicators

import (
	"fmt"
	"math"
	"slices"

	"observatoire/geo"
)

// The mean error beyond which a method is not fit for a gap: in points for a percentage, relative otherwise.
const (
	maxErrorPoints   = 5
	maxErrorRelative = 0.1
)

// Disqualified is how the note of a value begins when its method was found too far from the producer's values.
const Disqualified = "écart au producteur"

// calibrate compares each method with the producer, wherever both give a value of the same indicator on the same layer
// for the same zone, millésime and sex. An estimate by a method that errs too much on average is of insufficient
// reliability, says by how much, and has no gap: what it would show is its own error. The alerts sum it up.
func calibrate(r Result) []Alerte {
	units := map[string]string{}
	for _, d := range r.Indicators {
		units[d.ID] = d.Unit
	}
	type at struct {
		Key
		code string
	}
	published := map[at]float64{}
	for _, v := range r.Values {
		if v.Methode == MethodeProducteur && v.Statut == Disponible && v.Millesime > 0 {
			published[at{v.Key, v.Code}] = v.V
		}
	}
	type group struct {
		indicateur string
		couche     geo.Layer
		methode    string
	}
	type errs struct{ signed, abs, n float64 }
	found := map[group]*errs{}
	for _, v := range r.Values {
		p, both := published[at{v.Key, v.Code}]
		if !both || v.Nature != Estimation || v.Statut != Disponible {
			continue
		}
		e := v.V - p
		if units[v.Indicateur] != "%" {
			if p == 0 {
				continue
			}
			e /= p
		}
		g := group{v.Indicateur, v.Couche, v.Methode}
		if found[g] == nil {
			found[g] = &errs{}
		}
		found[g].signed += e
		found[g].abs += math.Abs(e)
		found[g].n++
	}
	said := map[group]string{}
	for g, e := range found {
		limit, scale, unit := maxErrorRelative, 100.0, "%"
		if units[g.indicateur] == "%" {
			limit, scale, unit = maxErrorPoints, 1, "points"
		}
		if e.abs/e.n > limit {
			said[g] = fmt.Sprintf("%s : là où il publie aussi, cette méthode s'en écarte de %s %s en moyenne (%d comparaisons)",
				Disqualified, FrenchSigned(scale*e.signed/e.n, 1), unit, int(e.n))
		}
	}
	var alerts []Alerte
	shown := map[group]bool{}
	for i := range r.Values {
		v := &r.Values[i]
		g := group{v.Indicateur, v.Couche, v.Methode}
		if said[g] == "" || v.Nature != Estimation || v.Statut != Disponible {
			continue
		}
		v.Fiabilite, v.Note = Insuffisante, joinNotes(said[g], v.Note)
		if v.Retenue && !shown[g] {
			shown[g] = true
			label := v.Indicateur
			if k := slices.IndexFunc(r.Indicators, func(d Definition) bool { return d.ID == v.Indicateur }); k >= 0 {
				label = r.Indicators[k].Label
			}
			alerts = append(alerts, Alerte{ID: fmt.Sprintf("calage:%s:%s:%s", g.indicateur, g.couche, g.methode), Kind: "calibration",
				Gravite: "attention", Objet: g.indicateur, Message: fmt.Sprintf("%s, méthode « %s » : %s ; fiabilité insuffisante, pas d'écart",
					label, g.methode, said[g])})
		}
	}
	return alerts
}
