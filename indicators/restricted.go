package indicators

import (
	"maps"
	"slices"
	"strings"

	"observatoire/geo"
)

// Compute makes the series of every indicator that has a figure, and their gaps. It reads no file and no
// clock: the same input gives the same result.
//
// What a partner gave under a convention never enters an open figure: the series of open data are made first, without
// it; those of each convention are then made of open data and of its own, never of two conventions, and only stand
// where open data have no figure.
func Compute(in Input) (Result, error) {
	var err error
	if in.Definitions, in.national, err = distributed(in.Definitions); err != nil {
		return Result{}, err
	}
	r, err := allSeries(in)
	if err != nil {
		return r, err
	}
	r.compare(&in)
	return r, nil
}

// allSeries makes the values and gaps of open data, then of each convention.
func allSeries(in Input) (Result, error) {
	byConvention := map[string][]Column{}
	for _, c := range in.Columns {
		byConvention[c.Convention] = append(byConvention[c.Convention], c)
	}
	open := in
	open.Columns = byConvention[""]
	sources := func(convention string) []Source {
		return slices.DeleteFunc(slices.Clone(in.Sources), func(s Source) bool { return s.Convention != "" && s.Convention != convention })
	}
	open.Sources = sources("")
	r, err := series(open, nil, "")
	if err != nil || len(byConvention) == 0 || len(byConvention) == 1 && byConvention[""] != nil {
		return r, err
	}
	m := newMerger(r)
	for _, convention := range slices.Sorted(maps.Keys(byConvention)) {
		if convention == "" {
			continue
		}
		under := in
		under.Columns = slices.Concat(open.Columns, byConvention[convention])
		under.Sources = sources(convention)
		under.Definitions = concerned(in.Definitions, byConvention[convention])
		part, err := series(under, &r, convention)
		if err != nil {
			return Result{}, err
		}
		m.add(convention, part)
	}
	return m.result(in), nil
}

// concerned are the definitions that some of the columns are a term of.
func concerned(defs []Definition, columns []Column) []Definition {
	given := map[string]bool{}
	for _, c := range columns {
		given[c.Variable] = true
	}
	var out []Definition
	for _, d := range defs {
		if slices.ContainsFunc(slices.Concat([]string{d.Value}, d.Numerator, d.Denominator, d.Deciles), func(v string) bool { return given[v] }) {
			out = append(out, d)
		}
	}
	return out
}

// A spot is what one value is shown for: a key, and the code of a zone.
type spot struct {
	Key
	code string
}

// spots groups values: those of one key and zone are alternatives.
func spots(values []Value) map[spot][]Value {
	out := map[spot][]Value{}
	for _, v := range values {
		at := spot{v.Key, v.Code}
		out[at] = append(out[at], v)
	}
	return out
}

// under is what to show of values made with the figures of a convention: those of the base wherever it has one, or
// where the convention changes nothing.
func (r *Result) under(convention string, values []Value, detail []string) []Value {
	base := spots(r.Values)
	var out []Value
	for at, list := range spots(values) {
		open := base[at]
		switch {
		case hasAvailable(open) || slices.Equal(open, list):
			out = append(out, open...)
		case detail != nil && !slices.Contains(detail, at.Couche.Level()):
			out = append(out, open...) // the convention says no figure at that level
		default:
			for _, v := range list {
				v.Convention = convention
				out = append(out, v)
			}
		}
	}
	slices.SortFunc(out, CompareValues)
	return out
}

// A merger puts together what open data and each convention give.
type merger struct {
	base    Result
	values  map[spot][]Value
	ecarts  map[ecartSpot]Ecart
	alertes map[string]Alerte
	defs    map[string]bool
}

type ecartSpot struct {
	spot
	reference geo.Layer
	code      string
}

func newMerger(base Result) *merger {
	m := &merger{base: base, values: spots(base.Values), ecarts: map[ecartSpot]Ecart{}, alertes: map[string]Alerte{}, defs: map[string]bool{}}
	for _, x := range base.Ecarts {
		m.ecarts[spotOf(x)] = x
	}
	for _, a := range base.Alertes {
		m.alertes[a.ID] = a
	}
	for _, d := range base.Indicators {
		m.defs[d.ID] = true
	}
	return m
}

func spotOf(x Ecart) ecartSpot {
	return ecartSpot{spot{x.Key, x.Code}, x.Reference, x.ReferenceCode}
}

// add takes what a convention brings. A figure that a former convention brought already stays.
func (m *merger) add(convention string, part Result) {
	brought := map[spot]bool{}
	for at, list := range spots(part.Values) {
		if list[0].Convention == "" || m.values[at] != nil && m.values[at][0].Convention != "" {
			continue
		}
		m.values[at] = list
		m.defs[at.Indicateur] = true
		brought[at] = true
	}
	for _, x := range part.Ecarts {
		ref := spot{x.Key, x.ReferenceCode}
		ref.Couche = x.Reference
		own := brought[spot{x.Key, x.Code}]
		held, ok := m.ecarts[spotOf(x)]
		if !own && !(brought[ref] && held.Convention == "" && m.values[spot{x.Key, x.Code}] != nil && m.values[spot{x.Key, x.Code}][0].Convention == "") {
			continue
		}
		if ok && !own && held.Statut == Disponible {
			continue
		}
		x.Convention = convention
		m.ecarts[spotOf(x)] = x
	}
	for _, a := range part.Alertes {
		if _, known := m.alertes[a.ID]; !known {
			a.Convention = convention
			m.alertes[a.ID] = a
		}
	}
}

func (m *merger) result(in Input) Result {
	var r Result
	for _, d := range in.Definitions {
		if m.defs[d.ID] {
			if i := slices.IndexFunc(m.base.Indicators, func(b Definition) bool { return b.ID == d.ID }); i >= 0 {
				d = m.base.Indicators[i]
			}
			r.Indicators = append(r.Indicators, d)
		}
	}
	r.Calibrations = m.base.Calibrations
	for _, list := range m.values {
		r.Values = append(r.Values, list...)
	}
	slices.SortFunc(r.Values, CompareValues)
	r.Ecarts = slices.SortedFunc(maps.Values(m.ecarts), func(a, b Ecart) int { return compareEcarts(in.References, a, b) })
	for _, id := range slices.Sorted(maps.Keys(m.alertes)) {
		r.Alertes = append(r.Alertes, m.alertes[id])
	}
	return r
}

const restrictedLayer = "convention "

// RestrictedLayer is the source of a layer that only figures of conventions speak of: its zones are shown to those who
// see all of them. It is empty when open data speak of it too.
func RestrictedLayer(conventions ...string) string {
	if len(conventions) == 0 || slices.Contains(conventions, "") {
		return ""
	}
	conventions = slices.Clone(conventions)
	slices.Sort(conventions)
	return restrictedLayer + strings.Join(conventions, ",")
}

// Conventions are the conventions that some figure, gap, source, alert or layer of the edition came under, in order.
func (e *Edition) Conventions() []string {
	found := map[string]bool{}
	for _, v := range e.Values {
		found[v.Convention] = true
	}
	for _, x := range e.Ecarts {
		found[x.Convention] = true
	}
	for _, x := range e.Evolutions {
		found[x.Convention] = true
	}
	for _, x := range e.Rangs {
		found[x.Convention] = true
	}
	for _, x := range e.EcartsSexe {
		found[x.Convention] = true
	}
	for _, x := range e.Concentrations {
		found[x.Convention] = true
	}
	for _, s := range e.Sources {
		found[s.Convention] = true
	}
	for _, a := range e.Alertes {
		found[a.Convention] = true
	}
	for _, s := range e.Layers {
		for _, id := range layerConventions(s.Source) {
			found[id] = true
		}
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

func layerConventions(source string) []string {
	list, ok := strings.CutPrefix(source, restrictedLayer)
	if !ok {
		return nil
	}
	return strings.Split(list, ",")
}

// Withhold is the edition for those who see the figures of some conventions only: no value, gap, source, alert, zone or
// definition that came under another is in it. Without conventions, it is what everybody may see. What comes out is
// what goes to the server and into files.
func Withhold(e *Edition, sees ...string) *Edition {
	hidden := func(convention string) bool { return convention != "" && !slices.Contains(sees, convention) }
	if !slices.ContainsFunc(e.Conventions(), hidden) {
		return e
	}
	out := *e
	// The manifest names every file that was read, and the conventions.
	out.Manifest = nil
	gone := map[geo.Layer]bool{}
	out.Layers = nil
	for _, s := range e.Layers {
		if slices.ContainsFunc(layerConventions(s.Source), hidden) {
			gone[s.Layer] = true
			continue
		}
		out.Layers = append(out.Layers, s)
	}
	out.Overlaps = slices.DeleteFunc(slices.Clone(e.Overlaps), func(o OverlapSet) bool { return gone[o.From] || gone[o.To] })
	out.Values = slices.DeleteFunc(slices.Clone(e.Values), func(v Value) bool { return hidden(v.Convention) || gone[v.Couche] })
	out.Ecarts = slices.DeleteFunc(slices.Clone(e.Ecarts), func(x Ecart) bool { return hidden(x.Convention) || gone[x.Couche] || gone[x.Reference] })
	out.Evolutions = slices.DeleteFunc(slices.Clone(e.Evolutions), func(x Evolution) bool { return hidden(x.Convention) || gone[x.Couche] || gone[x.Reference] })
	out.Rangs = slices.DeleteFunc(slices.Clone(e.Rangs), func(x Rang) bool { return hidden(x.Convention) || gone[x.Couche] })
	out.EcartsSexe = slices.DeleteFunc(slices.Clone(e.EcartsSexe), func(x EcartSexe) bool { return hidden(x.Convention) || gone[x.Couche] })
	out.Concentrations = slices.DeleteFunc(slices.Clone(e.Concentrations), func(x Concentration) bool { return hidden(x.Convention) || gone[x.Couche] || gone[x.Reference] })
	out.Sources = slices.DeleteFunc(slices.Clone(e.Sources), func(s Source) bool { return hidden(s.Convention) })
	out.Alertes = slices.DeleteFunc(slices.Clone(e.Alertes), func(a Alerte) bool { return hidden(a.Convention) })
	out.Decisions = slices.DeleteFunc(slices.Clone(e.Decisions), func(d Decision) bool { return hidden(d.Convention) })
	out.Commentaires = slices.DeleteFunc(slices.Clone(e.Commentaires), func(c Commentaire) bool {
		return !slices.ContainsFunc(out.Layers, func(s geo.ZoneSet) bool { _, ok := s.Index(c.Code); return ok })
	})
	told := map[string]bool{}
	for _, v := range out.Values {
		told[v.Indicateur] = true
	}
	out.Indicators = slices.DeleteFunc(slices.Clone(e.Indicators), func(d Definition) bool { return !told[d.ID] })
	return &out
}
