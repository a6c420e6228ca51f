package indicators

import (
	"cmp"
	"slices"
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
			out = append(out, gap(defs[v.Indicateur], v, ref, code, shown[at{key, code}], true))
		}
		for _, code := range c.Comparisons[v.Code] {
			key := v.Key
			key.Couche, _, _ = c.find(code)
			out = append(out, gap(defs[v.Indicateur], v, key.Couche, code, shown[at{key, code}], false))
		}
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
