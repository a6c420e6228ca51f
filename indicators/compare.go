package indicators

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"observatoire/geo"
)

// A shownIndex finds the values that are shown, among values in order.
type shownIndex struct {
	values []Value
	by     map[string]map[zoneKey][2]int32 // indicator, then zone: where its values begin and end
}

// newShownIndex looks through values in order.
func newShownIndex(values []Value) *shownIndex {
	s := &shownIndex{values, map[string]map[zoneKey][2]int32{}}
	list := runs(len(values), func(i, j int) bool { return values[i].Indicateur == values[j].Indicateur })
	found := make([]map[zoneKey][2]int32, len(list))
	each(len(list), func(k int) {
		zones := map[zoneKey][2]int32{}
		from := list[k][0]
		for _, x := range runs(list[k][1]-from, func(i, j int) bool {
			a, b := &values[from+i], &values[from+j]
			return a.Code == b.Code && a.Couche == b.Couche
		}) {
			zones[zoneKey{values[from+x[0]].Couche, values[from+x[0]].Code}] = [2]int32{int32(from + x[0]), int32(from + x[1])}
		}
		found[k] = zones
	})
	for k, x := range list {
		s.by[values[x[0]].Indicateur] = found[k]
	}
	return s
}

// at is the value shown for a key and a zone; nil when there is none.
func (s *shownIndex) at(k Key, code string) *Value {
	x := s.by[k.Indicateur][zoneKey{k.Couche, code}]
	lo, hi := x[0], x[1]
	for lo < hi { // the one that is shown is the first of its millésime and sex
		m := lo + (hi-lo)/2
		if v := &s.values[m]; v.Millesime < k.Millesime || v.Millesime == k.Millesime && v.Sexe < k.Sexe {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < x[1] {
		if v := &s.values[lo]; v.Millesime == k.Millesime && v.Sexe == k.Sexe && v.Retenue {
			return v
		}
	}
	return nil
}

// runs cuts n things into runs of alike neighbours: where each begins and ends.
func runs(n int, alike func(i, j int) bool) (out [][2]int) {
	for i := 0; i < n; {
		j := i + 1
		for j < n && alike(j-1, j) {
			j++
		}
		out, i = append(out, [2]int{i, j}), j
	}
	return out
}

// A target is what a zone is compared to: a reference, or a comparison territory.
type target struct {
	layer    geo.Layer
	zone     int
	code     string
	includes bool
}

// targets are those of a zone, in the order of its gaps.
func (c *computation) targets(layer geo.Layer, z int) []target {
	if !c.compared(layer, z) {
		return nil
	}
	var out []target
	for _, ref := range c.refs {
		if ref.Level() == layer.Level() {
			continue
		}
		if rz, ok := c.links.reference(layer, z, ref); ok {
			out = append(out, target{ref, rz, c.layers[ref].Zones[rz].Code, true})
		}
	}
	for _, code := range c.Comparisons[c.layers[layer].Zones[z].Code] {
		l, rz, _ := c.find(code)
		out = append(out, target{l, rz, code, false})
	}
	slices.SortStableFunc(out, func(a, b target) int {
		return compareEcarts(c.References, Ecart{Reference: a.layer, ReferenceCode: a.code}, Ecart{Reference: b.layer, ReferenceCode: b.code})
	})
	return out
}

// gaps compares every shown value of the quarters, and of the project's IRIS and communes, with the same
// indicator, millésime and sex of each reference. Where one of the two is missing the gap says why.
func (c *computation) gaps(r Result) []Ecart {
	defs := map[string]*Definition{}
	for i := range r.Indicators {
		defs[r.Indicators[i].ID] = &r.Indicators[i]
	}
	targets := map[geo.Layer][][]target{}
	for _, layer := range c.order {
		targets[layer] = make([][]target, len(c.layers[layer].Zones))
		for z := range targets[layer] {
			targets[layer][z] = c.targets(layer, z)
		}
	}
	// each zone of each indicator in turn, with what it is compared to
	zones := func(x [2]int, do func(list []Value, to []target)) {
		values := r.Values[x[0]:x[1]]
		if defs[values[0].Indicateur].Registre {
			return
		}
		for _, y := range runs(len(values), func(i, j int) bool {
			return values[i].Code == values[j].Code && values[i].Couche == values[j].Couche
		}) {
			v := &values[y[0]]
			if z, ok := c.layers[v.Couche].Index(v.Code); ok && targets[v.Couche][z] != nil {
				do(values[y[0]:y[1]], targets[v.Couche][z])
			}
		}
	}
	list := runs(len(r.Values), func(i, j int) bool { return r.Values[i].Indicateur == r.Values[j].Indicateur })
	upTo := make([]int, len(list)+1)
	each(len(list), func(k int) {
		zones(list[k], func(values []Value, to []target) {
			for i := range values {
				if values[i].Retenue {
					upTo[k+1] += len(to)
				}
			}
		})
	})
	for k := range list {
		upTo[k+1] += upTo[k]
	}
	shown := newShownIndex(r.Values)
	out := make([]Ecart, upTo[len(list)])
	unheld := map[string][]int{} // level → years whose composition the project does not have
	var lock sync.Mutex
	each(len(list), func(k int) {
		at := upTo[k]
		zones(list[k], func(values []Value, to []target) {
			for i := range values {
				v := &values[i]
				if !v.Retenue {
					continue
				}
				def := defs[v.Indicateur]
				for _, t := range to {
					key := v.Key
					key.Couche = t.layer
					ref := shown.at(key, t.code)
					e := &out[at]
					at++
					*e = gap(def, v, t.layer, t.code, ref, t.includes)
					if !t.includes || e.Statut != Disponible {
						continue
					}
					z, _ := c.layers[v.Couche].Index(v.Code)
					if why, between := c.outOfForce(v.Couche, z, t.layer, t.zone, v.Millesime, ref); why != "" {
						e.Statut, e.Motif, e.Ecart, e.Rapport = SansObjet, why, Opt{}, Opt{}
						if between {
							e.Statut = NonDisponible
							lock.Lock()
							unheld[t.layer.Level()] = append(unheld[t.layer.Level()], v.Millesime)
							lock.Unlock()
						}
					}
				}
			}
		})
	})
	for level, years := range unheld {
		slices.Sort(years)
		years = slices.Compact(years)
		c.alerts = append(c.alerts, Alerte{ID: "composition:" + level, Kind: "composition", Gravite: "attention", Objet: level,
			Message: fmt.Sprintf("%s : la composition en vigueur en %s n'est pas au projet, qui en a une avant et une après, différentes : pas d'écart ces "+
				"années-là, sauf à une valeur publiée. À faire : ajouter aux couches la composition d'une de ces années.", level, yearList(years))})
	}
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
	for _, o := range c.refs {
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
	case v.Millesime <= 0:
		e.Motif = "le producteur ne donne pas le millésime"
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
