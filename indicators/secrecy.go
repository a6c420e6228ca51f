package indicators

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// A Place is a zone that figures are given for: its level and the vintage of its boundaries, 0 when not said, and code.
type Place struct {
	Level   string
	Vintage int
	Code    string
}

// A Nesting says that zones lie in another without overlapping: what they hold adds up to no more than it holds. Whole
// says that they make all of it.
type Nesting struct {
	Outer Place
	Inner []Place
	Whole bool
}

// A Disclosure is what is about to be shown under a convention, and what whoever sees it knows.
type Disclosure struct {
	Columns     []Column            // given under the convention
	Parts       []Column            // never shown: the counts that some of Columns are sums of
	Open        []Column            // open data
	Counted     map[string]bool     // variables that count units
	Totals      map[string][]string // variables that others add up to
	Definitions []Definition        // ratios tell each of their terms from the other
	Nestings    []Nesting
	Rule        SecrecyRule
}

// Withhold withholds, in the columns, counts that are small and as few others as it takes (see [Suppress]): over zones and
// what lies outside of them, sexes, the parts of a total, and the terms of a ratio. A ratio is withheld with either of its
// terms, and a median or a ratio with the count it rests on. It returns how many figures are withheld by source, and how
// many small counts remain within reach of somebody who has the open data, whatever is withheld.
//
// It protects the figures of one convention and of one millésime, against whoever knows nothing more than what is
// published: not between millésimes, versions or conventions, nor against somebody who knows the persons.
func (in *Disclosure) Withhold() (withheld map[string]int, exposed int) {
	withheld = map[string]int{}
	years := map[int]bool{}
	for i := range in.Columns {
		c := &in.Columns[i]
		c.V, c.Statut = slices.Clone(c.V), slices.Clone(c.Statut)
		years[c.Millesime] = true
	}
	for _, year := range slices.Sorted(maps.Keys(years)) {
		exposed += in.year(year, withheld)
	}
	return withheld, exposed
}

// A figure is where a count stands in the columns.
type figure struct{ column, row int }

// approximate is the variable that a rate and its denominator give.
func approximate(rate string) string { return "≈" + rate }

func (in *Disclosure) year(year int, withheld map[string]int) (exposed int) {
	type cellKey struct {
		variable, sexe string
		place          Place
	}
	given := map[cellKey][]figure{}
	hide := func(f figure) {
		c := &in.Columns[f.column]
		if c.Statut[f.row] == Disponible {
			c.V[f.row], c.Statut[f.row] = 0, Secret
			withheld[c.Source]++
		}
	}
	counted := map[string]bool{}
	places := map[Place]bool{}
	for k, c := range in.Columns {
		if c.Millesime != year {
			continue
		}
		for i, code := range c.Codes {
			key := cellKey{c.Variable, c.Sexe, Place{c.Level, c.Vintage, code}}
			given[key] = append(given[key], figure{k, i})
			places[key.place] = true
			if in.Counted[c.Variable] {
				counted[c.Variable] = true
			}
		}
	}
	// What is known besides: open figures, of the places that hold those of the convention too, and the parts.
	for _, n := range in.Nestings {
		if slices.ContainsFunc(n.Inner, func(p Place) bool { return places[p] }) {
			places[n.Outer] = true
		}
	}
	type known struct {
		v      float64
		statut Statut
		state  CellState
	}
	besides := map[cellKey]known{}
	add := func(columns []Column, state CellState) {
		for _, c := range columns {
			if c.Millesime != year || !in.Counted[c.Variable] {
				continue
			}
			for i, code := range c.Codes {
				key := cellKey{c.Variable, c.Sexe, Place{c.Level, c.Vintage, code}}
				if state == Implicit {
					places[key.place] = true
				} else if !places[key.place] {
					continue
				}
				if _, twice := besides[key]; !twice && given[key] == nil {
					besides[key] = known{c.V[i], c.Statut[i], state}
					counted[c.Variable] = true
				}
			}
		}
	}
	add(in.Parts, Implicit)
	add(in.Open, Fixed)

	// A rate and its denominator give a numerator that nobody gave.
	rates := map[string]Definition{}
	for _, d := range in.Definitions {
		if d.Value == "" || len(d.Denominator) == 0 || in.Counted[d.Value] || slices.ContainsFunc(d.Numerator, func(v string) bool { return counted[v] }) {
			continue
		}
		rates[approximate(d.Value)] = d
	}
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		d := rates[name]
		for key, list := range given {
			if key.variable != d.Value || in.Columns[list[0].column].Statut[list[0].row] != Disponible {
				continue
			}
			den, ok := 0.0, true
			for _, v := range d.Denominator {
				at := cellKey{v, key.sexe, key.place}
				if list := given[at]; list != nil && in.Columns[list[0].column].Statut[list[0].row] == Disponible {
					den += in.Columns[list[0].column].V[list[0].row]
				} else if k, held := besides[at]; held && k.statut == Disponible {
					den += k.v
				} else {
					ok = false
				}
			}
			if ok {
				f := list[0]
				besides[cellKey{name, key.sexe, key.place}] = known{math.Round(in.Columns[f.column].V[f.row] * den / cmp.Or(d.Scale, 1)), Disponible, Open}
				counted[name], places[key.place] = true, true
			}
		}
	}

	// Variables that sums or ratios tie together make one table.
	variables := slices.Sorted(maps.Keys(counted))
	var ties [][]tie
	for _, total := range slices.Sorted(maps.Keys(in.Totals)) {
		if parts := in.Totals[total]; counted[total] && !slices.ContainsFunc(parts, func(v string) bool { return !counted[v] }) {
			t := []tie{{total, -1}}
			for _, v := range parts {
				t = append(t, tie{v, 1})
			}
			ties = append(ties, t)
		}
	}
	for _, d := range in.Definitions {
		numerator := d.Numerator
		if _, ok := rates[approximate(d.Value)]; ok && counted[approximate(d.Value)] {
			numerator = []string{approximate(d.Value)}
		}
		if len(numerator) == 0 || len(d.Denominator) == 0 || d.Unit != "%" || d.Unbounded || slices.ContainsFunc(numerator, func(v string) bool { return slices.Contains(d.Denominator, v) }) ||
			slices.ContainsFunc(slices.Concat(numerator, d.Denominator), func(v string) bool { return !counted[v] }) {
			continue
		}
		others := strings.Join(d.Denominator, "+") + "−" + strings.Join(numerator, "−")
		if slices.ContainsFunc(ties, func(t []tie) bool { return t[0].variable == others }) {
			continue
		}
		t := []tie{{others, 1}} // those of the denominator that are not in the numerator
		for _, v := range numerator {
			t = append(t, tie{v, 1})
		}
		for _, v := range d.Denominator {
			t = append(t, tie{v, -1})
		}
		ties = append(ties, t)
	}
	groups := tied(variables, ties)
	for _, group := range groups {
		var own [][]tie
		names := slices.Clone(group)
		for _, t := range ties {
			if slices.ContainsFunc(t, func(x tie) bool { return slices.Contains(group, x.variable) }) {
				own = append(own, t)
				if !slices.Contains(names, t[0].variable) {
					names = append(names, t[0].variable)
				}
			}
		}
		used := map[Place]bool{}
		sexes := []string{}
		note := func(key cellKey) {
			if slices.Contains(group, key.variable) {
				used[key.place] = true
				if !slices.Contains(sexes, key.sexe) {
					sexes = append(sexes, key.sexe)
				}
			}
		}
		for key := range given {
			note(key)
		}
		for key := range besides {
			note(key)
		}
		slices.Sort(sexes)
		list := slices.SortedFunc(maps.Keys(used), comparePlaces)
		zones := CountAxis{Size: len(list)}
		index := map[Place]int{}
		for i, p := range list {
			index[p] = i
		}
		inside := map[int][]int{} // of what is whole: its parts
		for _, n := range in.Nestings {
			outer, ok := index[n.Outer]
			if !ok {
				continue
			}
			r := []Term{{outer, -1}}
			whole := n.Whole
			for _, p := range n.Inner {
				if i, ok := index[p]; ok {
					r = append(r, Term{i, 1})
				} else {
					whole = false
				}
			}
			if len(r) == 1 {
				continue
			}
			if whole {
				for _, x := range r[1:] {
					inside[outer] = append(inside[outer], x.At)
				}
			} else {
				r = append(r, Term{zones.Size, 1}) // what lies outside of them
				zones.Size++
			}
			zones.Relations = append(zones.Relations, r)
		}
		table := &CountTable{Axes: []CountAxis{zones, tieAxis(names, own), {Size: len(sexes)}}}
		if slices.Equal(sexes, []string{"F", "H", "T"}) {
			table.Axes[2].Relations = [][]Term{{{0, 1}, {1, 1}, {2, -1}}}
		}
		table.Cells = make([]CountCell, zones.Size*len(names)*len(sexes))
		cell := func(z, v, s int) *CountCell { return &table.Cells[(z*len(names)+v)*len(sexes)+s] }
		for z, place := range list {
			for v, name := range names {
				for s, sexe := range sexes {
					c, key := cell(z, v, s), cellKey{name, sexe, place}
					read := func(x float64, statut Statut, state CellState) {
						switch statut {
						case Disponible:
							c.V, c.State = x, state
						case Secret:
							c.State = Sealed
						}
					}
					if l := given[key]; l != nil {
						read(in.Columns[l[0].column].V[l[0].row], in.Columns[l[0].column].Statut[l[0].row], Open)
					} else if k, ok := besides[key]; ok {
						read(k.v, k.statut, k.state)
					}
				}
			}
		}
		var sealed []int
		for i := range table.Cells {
			if table.Cells[i].State == Sealed {
				sealed = append(sealed, i)
			}
		}
		table.infer()
		for z := range zones.Size {
			for v, name := range names {
				for s := range sexes {
					c := cell(z, v, s)
					if c.State != Open && c.State != Implicit || !counted[name] {
						continue // those out of a numerator bound it; they are not what the figures are about
					}
					var by []float64
					for _, part := range inside[z] {
						by = append(by, cell(part, v, s).V)
					}
					c.Down, c.Up, c.Primary = in.Rule.Primary(c.V, by)
				}
			}
		}
		// What the partner withheld and the rest would tell is protected whatever its size.
		for _, i := range sealed {
			if c := &table.Cells[i]; c.State == Implicit && !c.Primary && c.V > 0 {
				room := max(1, math.Ceil(c.V/10))
				c.Down, c.Up, c.Primary = min(room, c.V), room, true
			}
		}
		out, bare := Suppress(table)
		exposed += len(bare)
		for z, place := range list {
			for v, name := range names {
				for s, sexe := range sexes {
					if !out[(z*len(names)+v)*len(sexes)+s] {
						continue
					}
					if d, ok := rates[name]; ok {
						name = d.Value
					}
					for _, f := range given[cellKey{name, sexe, place}] {
						hide(f)
					}
				}
			}
		}
	}

	// What rests on a count that is withheld.
	for _, d := range in.Definitions {
		terms := slices.Concat(d.Numerator, d.Denominator)
		if d.Weight != "" {
			terms = append(terms, d.Weight)
		}
		for _, variable := range append([]string{d.Value}, d.Deciles...) {
			if variable == "" || in.Counted[variable] {
				continue
			}
			for key, list := range given {
				if key.variable != variable {
					continue
				}
				rests := func(v string) bool {
					l := given[cellKey{v, key.sexe, key.place}]
					return l != nil && in.Columns[l[0].column].Statut[l[0].row] == Secret
				}
				if slices.ContainsFunc(terms, rests) {
					for _, f := range list {
						hide(f)
					}
				}
			}
		}
	}
	return exposed
}

// A tie is a variable in a sum of variables that is zero.
type tie struct {
	variable string
	sign     int
}

func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Vintage, b.Vintage), cmp.Compare(a.Code, b.Code))
}

// tied groups the variables that ties bring together, in order.
func tied(variables []string, ties [][]tie) [][]string {
	of := map[string]string{}
	for _, v := range variables {
		of[v] = v
	}
	for _, t := range ties {
		first := ""
		for _, x := range t {
			mine, ok := of[x.variable]
			switch {
			case !ok:
			case first == "":
				first = mine
			default:
				for v, g := range of {
					if g == mine {
						of[v] = first
					}
				}
			}
		}
	}
	var out [][]string
	at := map[string]int{}
	for _, v := range variables {
		i, ok := at[of[v]]
		if !ok {
			i = len(out)
			at[of[v]] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], v)
	}
	return out
}

func tieAxis(names []string, ties [][]tie) CountAxis {
	axis := CountAxis{Size: len(names)}
	for _, t := range ties {
		var r []Term
		for _, x := range t {
			r = append(r, Term{slices.Index(names, x.variable), x.sign})
		}
		axis.Relations = append(axis.Relations, r)
	}
	return axis
}

// infer gives every count that the sums tell from the others its value: it is known to whoever knows those.
func (t *CountTable) infer() {
	unknown := func(i int) bool { return t.Cells[i].State == Unknown || t.Cells[i].State == Sealed }
	for again := true; again; {
		again = false
		stride := 1
		for a := len(t.Axes) - 1; a >= 0; a-- {
			axis := &t.Axes[a]
			for base := range t.Cells {
				if base/stride%axis.Size != 0 {
					continue
				}
				for _, terms := range axis.Relations {
					missing, n, sign, sum, state := 0, 0, 0, 0.0, Fixed // of what is published elsewhere alone
					for _, x := range terms {
						if i := base + x.At*stride; unknown(i) {
							missing, sign, n = i, x.Sign, n+1
						} else {
							sum += float64(x.Sign) * t.Cells[i].V
							if t.Cells[i].State != Fixed {
								state = Implicit
							}
						}
					}
					if n != 1 {
						continue
					}
					v := -sum / float64(sign)
					if whole := math.Round(v); math.Abs(v-whole) < 1e-6 {
						v = whole
					}
					t.Cells[missing].V, t.Cells[missing].State = v, state
					again = true
				}
			}
			stride *= axis.Size
		}
	}
}
