package indicators

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"observatoire/geo"
)

// gaps compares every shown value of the quarters, and of the project's IRIS and communes, with the same
// indicator, millésime and sex of each reference. Where one of the two is missing the gap says why.
func (c *computation) gaps(r Result) []Ecart {
	defs := map[string]*Definition{}
	for i := range r.Indicators {
		defs[r.Indicators[i].ID] = &r.Indicators[i]
	}
	type at struct {
		Key
		code string
	}
	shown := map[at]*Value{}
	for i := range r.Values {
		if v := &r.Values[i]; v.Retenue {
			shown[at{v.Key, v.Code}] = v
		}
	}
	var out []Ecart
	unheld := map[string][]int{} // level → years whose composition the project does not have
	for i := range r.Values {
		v := &r.Values[i]
		if !v.Retenue || defs[v.Indicateur].Registre {
			continue
		}
		set := c.layers[v.Couche]
		z, _ := set.Index(v.Code)
		if !c.compared(v.Couche, z) {
			continue
		}
		for _, ref := range c.referenceLayers() {
			if ref.Level() == v.Couche.Level() {
				continue
			}
			rz, ok := c.links.reference(v.Couche, z, ref)
			if !ok {
				continue
			}
			key := v.Key
			key.Couche = ref
			code := c.layers[ref].Zones[rz].Code
			e := gap(defs[v.Indicateur], v, ref, code, shown[at{key, code}], true)
			if why, between := c.outOfForce(v.Couche, z, ref, rz, v.Millesime, shown[at{key, code}]); why != "" && e.Statut == Disponible {
				e.Statut, e.Motif, e.Ecart, e.Rapport = SansObjet, why, Opt{}, Opt{}
				if between {
					e.Statut = NonDisponible
					unheld[ref.Level()] = append(unheld[ref.Level()], v.Millesime)
				}
			}
			out = append(out, e)
		}
		for _, code := range c.Comparisons[v.Code] {
			key := v.Key
			key.Couche, _, _ = c.find(code)
			out = append(out, gap(defs[v.Indicateur], v, key.Couche, code, shown[at{key, code}], false))
		}
	}
	for level, years := range unheld {
		slices.Sort(years)
		years = slices.Compact(years)
		c.alerts = append(c.alerts, Alerte{ID: "composition:" + level, Kind: "composition", Gravite: "attention", Objet: level,
			Message: fmt.Sprintf("%s : la composition en vigueur en %s n'est pas au projet, qui en a une avant et une après, différentes : pas d'écart ces "+
				"années-là, sauf à une valeur publiée. À faire : ajouter aux couches la composition d'une de ces années.", level, yearList(years))})
	}
	slices.SortStableFunc(out, func(a, b Ecart) int { return compareEcarts(c.References, a, b) })
	return out
}

// compareEcarts orders gaps by key and zone, then by reference, levels in the order given.
func compareEcarts(levels []string, a, b Ecart) int {
	return cmp.Or(cmp.Compare(a.Indicateur, b.Indicateur), cmp.Compare(a.Couche, b.Couche), cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.Millesime, b.Millesime), cmp.Compare(a.Sexe, b.Sexe),
		cmp.Compare(slices.Index(levels, a.Reference.Level()), slices.Index(levels, b.Reference.Level())),
		cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.ReferenceCode, b.ReferenceCode))
}

// outOfForce says why a dated composition is not what a figure of that year is compared to; "" when it is. Of several compositions of a
// level that differ around a zone, the one in force is the latest that is not after the year, or the first of all. Between two that
// differ nobody knows which was (between): only a figure that a producer published for that very zone and year tells it.
func (c *computation) outOfForce(layer geo.Layer, z int, ref geo.Layer, rz, year int, r *Value) (why string, between bool) {
	zone := &c.layers[ref].Zones[rz]
	if year <= 0 || year == ref.Vintage() || year < ref.Vintage() && year >= c.since(ref) || zone.Members == nil || r != nil && r.Methode == MethodeProducteur && r.Statut == Disponible {
		return "", false
	}
	var other geo.Layer // the composition that differs, next to this one on the side of the year
	var code string
	for _, o := range c.referenceLayers() {
		side := year > ref.Vintage() && o.Vintage() > ref.Vintage() || year < ref.Vintage() && o.Vintage() < ref.Vintage()
		if o.Level() != ref.Level() || !side || other != "" && abs(o.Vintage()-ref.Vintage()) > abs(other.Vintage()-ref.Vintage()) {
			continue
		}
		if oz, ok := c.links.reference(layer, z, o); ok {
			if x := &c.layers[o].Zones[oz]; x.Code != zone.Code || !slices.Equal(x.Members, zone.Members) {
				other, code = o, x.Code
			}
		}
	}
	switch {
	case other == "":
		return "", false
	case year > ref.Vintage() && year >= c.since(other), year < ref.Vintage() && year <= other.Vintage():
		return fmt.Sprintf("composition de %d : en %d, c'est celle de %d (%s) qui est prise", ref.Vintage(), year, other.Vintage(), code), false
	}
	return fmt.Sprintf("la composition en vigueur en %d n'est pas au projet : celles de %d (%s) et de %d (%s) diffèrent", year,
		min(ref.Vintage(), other.Vintage()), first(ref.Vintage() < other.Vintage(), zone.Code, code),
		max(ref.Vintage(), other.Vintage()), first(ref.Vintage() < other.Vintage(), code, zone.Code)), true
}

// since is the first year of a dated composition that is known to have held before its vintage, else its vintage.
func (c *computation) since(l geo.Layer) int {
	if y := c.Since[l]; y > 0 {
		return y
	}
	return l.Vintage()
}

// first is the first of two codes, or the second.
func first(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// yearList writes years for readers: "2016, 2017 et 2019".
func yearList(years []int) string {
	var words []string
	for _, y := range years {
		words = append(words, strconv.Itoa(y))
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " et " + words[n-1]
	}
	return strings.Join(words, "")
}

// compared says whether a zone has gaps: the quarters, and the IRIS and communes of the project.
func (c *computation) compared(layer geo.Layer, z int) bool {
	if slices.Contains(c.Studied, layer.Level()) {
		return true
	}
	if layer.Level() != "iris" && layer.Level() != "commune" {
		return false
	}
	return c.scope == nil || c.scope[c.links.commune(layer, z)]
}

func (c *computation) referenceLayers() []geo.Layer {
	var out []geo.Layer
	for _, level := range c.References {
		for _, l := range c.order {
			if l.Level() == level {
				out = append(out, l)
			}
		}
	}
	return out
}

// gap is the gap of a value to its reference: in points for a percentage, in % for an amount in euros, in its
// own unit for a ratio. A count has none: it follows the size of the zone.
func gap(def *Definition, v *Value, ref geo.Layer, code string, r *Value, includes bool) Ecart {
	e := Ecart{Key: v.Key, Code: v.Code, Reference: ref, ReferenceCode: code, Valeur: v.Valeur(),
		ReferenceInclut: includes, Statut: NonDisponible}
	if r != nil {
		e.ValeurReference = r.Valeur()
	}
	switch {
	case def.Rule == Somme:
		e.Statut, e.Motif = SansObjet, "un effectif suit la taille de la zone : pas d'écart"
	case !e.Valeur.OK:
		e.Statut, e.Motif = v.Statut, "valeur de la zone : "+v.Statut.french()
	case !e.ValeurReference.OK && r == nil:
		e.Motif = "aucune valeur de la référence pour ce millésime"
	case !e.ValeurReference.OK:
		e.Motif = "valeur de la référence : " + r.Statut.french()
	case strings.HasPrefix(v.Note, Disqualified):
		e.Statut, e.Motif = NonSignificatif, "estimation trop incertaine : "+v.Note
	case v.Millesime <= 0:
		e.Motif = "millésime non précisé par le producteur : pas de comparaison"
	default:
		e.Statut = Disponible
		switch {
		case def.Unit == "%":
			e.Ecart, e.Unite = Some(v.V-r.V), "points"
		case isEuro(def.Unit):
			e.Unite = "%"
			if r.V == 0 {
				e.Statut, e.Motif = SansObjet, "la référence est nulle"
				break
			}
			e.Ecart = Some(100 * (v.V - r.V) / r.V)
		default:
			e.Ecart, e.Unite = Some(v.V-r.V), def.Unit
		}
		if r.V != 0 {
			e.Rapport = Some(v.V / r.V)
		}
	}
	return e
}

func isEuro(unit string) bool {
	return strings.HasPrefix(unit, "€") || strings.HasPrefix(unit, "EUR")
}

// french is the statut in the words of a sentence.
func (s Statut) french() string {
	return [...]string{"disponible", "couverte par le secret statistique", "non significative",
		"non disponible", "sans objet"}[min(int(s), 4)]
}
