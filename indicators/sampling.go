package indicators

import (
	"math"
	"slices"
	"strings"

	"observatoire/geo"
)

// The sampling error of the census. Since 2004 communes of 10 000 inhabitants and more are surveyed by a sample of 8 % of
// their dwellings a year, 40 % over the five years of a millésime; the others entirely, once in five years. The
// complementary exploitation draws one household in four in the latter. Source: Insee, recensement de la population, law 2002-276 and
// « La qualité du recensement » (Cézard and Lefebvre, 2008). Insee's own tables of precision, by commune and variable, are not used: this is
// an order of magnitude, simple random sampling of dwellings with a cluster effect, without what calibration on the register of buildings gains.
const (
	largeCommune    = 10000 // inhabitants, from which a commune is surveyed by sample
	sampledLarge    = 0.4   // of dwellings over five years
	sampledSmall    = 0.25  // of households, in the complementary exploitation of other communes
	rotatingSince   = 2006  // first millésime of the rotating census
	householdSize   = 2.2   // persons: all those of a dwelling are drawn together, hence the cluster effect on persons
	normal95        = 1.96
	censusSmall     = 200 // persons or households under which a census count is fragile
	preciseEnough   = 5   // points: a percentage known within them is not worse than fragile
	halfMoyenne     = 0.1 // half-widths relative to the value beyond which reliability is at most moyenne,
	halfFragile     = 0.25
	halfInsuffisant = 0.5
)

// exhaustif begins the note of a census figure without sampling error.
const exhaustif = "recensement exhaustif : pas d'erreur d'échantillonnage"

// noInterval begins the note of a census figure that has no interval, and goes on with the reason.
const noInterval = "pas d'intervalle de confiance : "

// A Base is whom a published percentage is of, where its counts are not: a variable of the zone, and which part of it.
type Base struct {
	Own      string  `yaml:"own,omitempty" json:"own,omitempty"` // the variable that counts them: taken where the same zones, year and sex have it
	Variable string  `yaml:"variable" json:"variable"`
	Part     float64 `yaml:"part,omitempty" json:"part,omitempty"` // 0 stands for the whole
}

// A survey is how a census figure was made.
type survey uint8

const (
	noSurvey survey = iota
	principale
	complementaire
)

func (c *Column) survey() survey {
	switch {
	case c.Exploitation == "complementaire":
		return complementaire
	case c.Census || c.Exploitation != "" || len(c.Enquetes) > 0:
		return principale
	}
	return noSurvey
}

// A sampling is what the zones of a layer owe to the census sample, for one indicator: the variance of a count N is k·N.
type sampling struct {
	k    []float64 // of each zone; negative where its commune's population is not known
	base []Opt     // persons or households a published percentage of each zone is of
}

// sampling is nil for what is not of the census.
func (c *computation) sampling(t *terms) *sampling {
	kind := noSurvey
	for _, list := range [][]string{{t.def.Value}, t.def.Numerator} {
		own := noSurvey
		for _, name := range list {
			f := c.facts[factKey{name, t.sexe, t.mil, t.layer}]
			if f == nil || f.Survey == noSurvey {
				own = noSurvey
				break
			}
			own = max(own, f.Survey)
		}
		kind = max(kind, own)
	}
	if kind == noSurvey {
		return nil
	}
	large, small := (1-sampledLarge)/sampledLarge, 0.0
	if kind == complementaire {
		small = (1 - sampledSmall) / sampledSmall
	}
	if t.mil > 0 && t.mil < rotatingSince { // the census was of everybody, everywhere
		large = small
	}
	if !t.def.ofHouseholds() {
		large, small = large*householdSize, small*householdSize
	}
	zones := c.layers[t.layer].Zones
	s := &sampling{k: make([]float64, len(zones)), base: make([]Opt, len(zones))}
	parts := c.inLarge(t.layer, t.mil)
	base := c.base(t)
	for z := range zones {
		s.k[z] = -1
		if part := parts[z]; part.OK {
			s.k[z] = part.V*large + (1-part.V)*small
		}
		if base != nil {
			s.base[z] = base(z)
		}
	}
	return s
}

// ofHouseholds says whether an indicator counts households, dwellings or families, and not persons.
func (d *Definition) ofHouseholds() bool {
	if d.Base != nil {
		return d.Base.Variable == "menages"
	}
	words := append([]string{d.Unit}, d.Denominator...)
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.ContainsFunc([]string{"ménages", "logements", "résidences", "familles", "menages", "residences", "voitures"}, func(stem string) bool {
			return strings.HasPrefix(w, stem)
		})
	})
}

// communePeople are the inhabitants of every commune, in the year nearest to mil: as published, else those of its IRIS.
func (c *computation) communePeople(mil int) map[string]float64 {
	out := map[string]float64{}
	for _, level := range []string{"commune", "iris"} {
		for _, layer := range slices.Backward(c.order) {
			f := c.nearest(populationVariable, layer, mil)
			if layer.Level() != level || f == nil {
				continue
			}
			sums, gaps := map[string]float64{}, map[string]bool{}
			for z := range c.layers[layer].Zones {
				commune := arrondissements(c.links.commune(layer, z))
				sums[commune] += f.V[z]
				gaps[commune] = gaps[commune] || f.Statut[z] != Disponible
			}
			for commune, n := range sums {
				if _, held := out[commune]; !held && !gaps[commune] {
					out[commune] = n
				}
			}
		}
	}
	return out
}

// inLarge is the part of each zone's people that lives in communes surveyed by sample, absent where they are not all known.
func (c *computation) inLarge(layer geo.Layer, mil int) []Opt {
	c.surveying.Lock()
	defer c.surveying.Unlock()
	key := layerYear{layer, mil}
	if out, held := c.surveyed[key]; held {
		return out
	}
	people := c.communePeople(mil)
	zones := c.layers[layer].Zones
	out := make([]Opt, len(zones))
	for z := range zones {
		members := zones[z].Members
		if commune := c.links.commune(layer, z); commune != "" {
			members = []string{commune}
		}
		all, large, known := 0.0, 0.0, true
		for _, m := range members {
			n, ok := people[arrondissements(m)]
			known = known && ok
			all += n
			if n >= largeCommune {
				large += n
			}
		}
		if known && all > 0 {
			out[z] = Some(large / all)
		}
	}
	if c.surveyed == nil {
		c.surveyed = map[layerYear][]Opt{}
	}
	c.surveyed[key] = out
	return out
}

type layerYear struct {
	layer geo.Layer
	mil   int
}

// base gives whom a published percentage of each zone is of: its denominator, else what the definition names.
func (c *computation) base(t *terms) func(z int) Opt {
	of := func(f *facts, z int, part float64) Opt {
		if f != nil && f.Statut[z] == Disponible {
			return Some(f.V[z] * part)
		}
		return Opt{}
	}
	b := t.def.Base
	if b == nil {
		return nil
	}
	part := b.Part
	if part == 0 {
		part = 1
	}
	held := func(variable, sexe string) *facts { return c.facts[factKey{variable, sexe, t.mil, t.layer}] }
	counted, own := held(b.Own, t.sexe), held(b.Variable, t.sexe)
	half := part
	if t.sexe != "T" {
		half /= 2 // the base of women is half of everybody, near enough for an error
	}
	all, people := c.nearest(b.Variable, t.layer, t.mil), c.nearest(populationVariable, t.layer, t.mil)
	return func(z int) Opt {
		n := of(counted, z, 1)
		if !n.OK {
			n = of(own, z, part)
		}
		if !n.OK {
			n = of(all, z, half)
		}
		if !n.OK && b.Variable == "menages" {
			n = of(people, z, half/householdSize)
		}
		return n
	}
}

// floor is the least p·(1 − p) that a share has, p between 0 and 1: of n persons drawn of whom none, or all, are counted, the next
// might not be. It is that of the share of Agresti and Coull, (x + 2)/(n + 4), at x = 0.
func floor(n float64) float64 {
	q := 2 / (n + 4)
	return q * (1 - q)
}

// A spread gathers the variance of an estimate from its parts.
type spread struct {
	num, den float64 // Σ w²·k·N of the numerator and of the denominator
	why      string  // in French: why there is none
}

func (s *spread) add(in *sampling, w, num, den float64, zone int) {
	k := in.k[zone]
	if k < 0 {
		s.why = "population de la commune inconnue"
		return
	}
	s.num += w * w * k * num
	s.den += w * w * k * den
}

// variance is that of Σw·num, or of Σw·num/Σw·den where the second term holds the first (delta method: that of num − p·den over den²).
func (t *terms) variance(s spread, num, den float64) (float64, string) {
	switch {
	case s.why != "":
		return 0, s.why
	case t.den == nil:
		if num == 0 {
			return 0, "effectif nul"
		}
		return s.num, ""
	case t.def.Unit != "%":
		return 0, "rapport dont un terme ne contient pas l'autre"
	case den <= 0 || num < 0 || num > den*(1+1e-9):
		return 0, "part hors de 0 à 100 %"
	}
	p, x := min(1, num/den), t.scale()/den
	v := s.num*(1-2*p) + p*p*s.den
	if s.den > 0 {
		v = max(v, floor(den*den/s.den)*s.den)
	}
	return x * x * v, ""
}

// varianceOf is that of the value v of one source zone.
func (t *terms) varianceOf(zone int, v float64) (float64, string) {
	k := t.sampling.k[zone]
	switch {
	case k < 0:
		return 0, "population de la commune inconnue"
	case t.def.Rule == Somme:
		if v == 0 {
			return 0, "effectif nul"
		}
		return k * v, ""
	case t.def.Unit != "%":
		return 0, "rapport dont un terme ne contient pas l'autre"
	case v < 0 || v > 100:
		return 0, "part hors de 0 à 100 %"
	}
	n := t.sampling.base[zone]
	if t.den != nil {
		if d, st, _, _ := t.den.at(zone); st == Disponible {
			n = Some(d)
		}
	}
	if !n.OK || n.V <= 0 {
		return 0, "effectif de la base inconnu"
	}
	if k == 0 {
		return 0, ""
	}
	return max(k*v*(100-v)/n.V, 1e4*floor(n.V/k)*k/n.V), ""
}

// interval gives a census value its interval, and the reliability that goes with it; why is what there is to say where it has none.
func (v *Value) interval(def *Definition, variance float64, why string) {
	switch {
	case v.Statut != Disponible || v.IC95Bas.OK:
		return
	case why != "":
		v.Note = joinNotes(v.Note, noInterval+why)
		return
	case variance <= 0:
		v.Note = joinNotes(v.Note, exhaustif)
		return
	}
	half := normal95 * math.Sqrt(variance)
	lo, hi := max(0, v.V-half), v.V+half
	if def.Unit == "%" {
		hi = min(100, hi)
	}
	v.IC95Bas, v.IC95Haut = Some(lo), Some(hi)
	relative := half / math.Abs(v.V)
	switch {
	case relative > halfInsuffisant && (def.Unit != "%" || half > preciseEnough):
		v.Fiabilite = min(v.Fiabilite, Insuffisante)
	case relative > halfFragile:
		v.Fiabilite = min(v.Fiabilite, Fragile)
	case relative > halfMoyenne:
		v.Fiabilite = min(v.Fiabilite, Moyenne)
	}
}
