package indicators

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"observatoire/geo"
)

// A Passage is a table of passage: where the zones of one geography went in another of the same level.
type Passage struct {
	From, To geo.Layer
	// Parts are, of each zone that did not simply stay, the zones that have it now, ordered by code. A zone of which nothing
	// is said kept its code and its ground.
	Parts map[string][]PassagePart
	File  string // base name of the table
}

// A PassagePart is a zone after, and the share of the zone before that went there, by people; absent where the
// table does not say it.
type PassagePart struct {
	Code  string
	Share Opt
}

// Passed is what a table of passage did to a figure.
type Passed uint8

const (
	Stayed Passed = iota // nothing, or a change of code
	Merged               // it is the sum of zones that merged
	Shared               // it is a share of a zone that was split
)

// Before gives the passage the other way: from the later geography to the earlier one. What had merged is split, what had been
// split is merged. A zone after of which the table says the origins had no other.
func (p Passage) Before() Passage {
	back := Passage{From: p.To, To: p.From, File: p.File, Parts: map[string][]PassagePart{}}
	for code, parts := range p.Parts {
		for _, part := range parts {
			back.Parts[part.Code] = append(back.Parts[part.Code], PassagePart{Code: code})
		}
	}
	for _, parts := range back.Parts {
		if len(parts) == 1 {
			parts[0].Share = Some(1)
		}
		slices.SortFunc(parts, func(a, b PassagePart) int { return cmp.Compare(a.Code, b.Code) })
	}
	return back
}

// Carry brings the columns of one geography to another by tables of passage. Counts of zones that merged add up; those of a
// zone that was split go by the share the table gives, else by the people of the zones it became. A rate, a median, a count whose
// shares are not known, or of which a zone is missing, is non_disponible there, and its note says why. Every figure that changed
// says how. Figures of zones that stayed are their producer's, untouched. Which variables are counts, the definitions say.
func Carry(columns []Column, passages []Passage, defs []Definition) ([]Column, []Alerte) {
	counts := Additive(defs)
	columns = slices.Clone(columns)
	var alerts []Alerte
	for _, p := range passages { // in the order of the project: one may continue another
		c := newCarrier(p, columns, counts)
		for i := range columns {
			if columnLayer(columns[i]) == p.From {
				columns[i] = c.carry(columns[i])
			}
		}
		alerts = append(alerts, c.alertes()...)
	}
	return columns, alerts
}

// columnLayer is the geography a column's codes refer to.
func columnLayer(c Column) geo.Layer {
	if c.Vintage == 0 {
		return geo.Layer(c.Level)
	}
	return geo.Layer(fmt.Sprintf("%s-%d", c.Level, c.Vintage))
}

// A carrier applies one passage.
type carrier struct {
	Passage
	counts  map[string]bool
	sources map[string][]string // of a zone after: the zones before, sorted
	people  map[string]float64  // of the zones after
	columns int
	merged  map[string]bool // zones after
	split   map[string]bool // zones before
	refused map[string]bool // zones after that lack some figure, and why
}

func newCarrier(p Passage, columns []Column, counts map[string]bool) *carrier {
	c := &carrier{Passage: p, counts: counts, sources: map[string][]string{}, people: map[string]float64{},
		merged: map[string]bool{}, split: map[string]bool{}, refused: map[string]bool{}}
	for _, before := range slices.Sorted(maps.Keys(p.Parts)) {
		for _, part := range p.Parts[before] {
			c.sources[part.Code] = append(c.sources[part.Code], before)
		}
	}
	// The people of the zones after, that all may see: of the millésime closest to the change.
	best := map[string]int{}
	for _, x := range columns {
		if columnLayer(x) != p.To || x.Variable != populationVariable || x.Sexe != "T" || x.Millesime <= 0 || x.Convention != "" {
			continue
		}
		for i, code := range x.Codes {
			far := abs(x.Millesime - p.To.Vintage())
			if had, ok := best[code]; x.Statut[i] == Disponible && (!ok || far < had) {
				best[code], c.people[code] = far, x.V[i]
			}
		}
	}
	return c
}

// carry brings one column.
func (c *carrier) carry(x Column) Column {
	c.columns++
	at := make(map[string]int, len(x.Codes))
	for i, code := range x.Codes {
		at[code] = i
	}
	after := map[string]bool{}
	for _, code := range x.Codes {
		parts, moved := c.Parts[code]
		if !moved {
			after[code] = true
		}
		for _, p := range parts {
			after[p.Code] = true
		}
	}
	out := x
	out.Vintage = c.To.Vintage()
	out.Codes, out.V, out.Statut = nil, nil, nil
	out.Signale, out.Ref, out.Corrections, out.Carried, out.Passed = nil, nil, nil, nil, nil
	for _, code := range slices.Sorted(maps.Keys(after)) {
		f := c.figure(x, at, code)
		out.Codes, out.V, out.Statut = append(out.Codes, code), append(out.V, f.v), append(out.Statut, f.statut)
		out.Carried, out.Passed = append(out.Carried, f.note), append(out.Passed, f.passed)
		if x.Signale != nil {
			out.Signale = append(out.Signale, f.signale)
		}
		if x.Ref != nil {
			out.Ref = append(out.Ref, f.ref)
		}
		if x.Corrections != nil {
			out.Corrections = append(out.Corrections, f.correction)
		}
	}
	return out
}

// A carried figure.
type carried struct {
	v          float64
	statut     Statut
	signale    bool
	ref, note  string
	correction string
	passed     Passed
}

// figure makes the figure of a zone after.
func (c *carrier) figure(x Column, at map[string]int, code string) carried {
	from := slices.Clone(c.sources[code])
	if _, moved := c.Parts[code]; !moved && !slices.Contains(from, code) {
		if _, had := at[code]; had || len(from) == 0 {
			from = append(from, code) // it stayed
			slices.Sort(from)
		}
	}
	own := func(i int) carried {
		f := carried{v: x.V[i], statut: x.Statut[i]}
		f.signale = x.Signale != nil && x.Signale[i]
		if x.Ref != nil {
			f.ref = x.Ref[i]
		}
		if x.Carried != nil {
			f.note = x.Carried[i]
		}
		if x.Corrections != nil {
			f.correction = x.Corrections[i]
		}
		if x.Passed != nil {
			f.passed = x.Passed[i]
		}
		return f
	}
	no := func(format string, args ...any) carried {
		c.refused[code] = true
		return carried{statut: NonDisponible, note: fmt.Sprintf(Rapprochee+" "+string(c.From)+" : "+format, args...)}
	}
	whole := func(before string) bool { return len(c.Parts[before]) <= 1 }
	if len(from) == 1 && whole(from[0]) {
		i, had := at[from[0]]
		if !had {
			return no("%s n'y a pas de chiffre", from[0])
		}
		f := own(i)
		if from[0] != code {
			f.note = joinNotes(f.note, fmt.Sprintf("%s %s : code %s", Rapprochee, c.From, from[0]))
		}
		return f
	}
	if !c.counts[x.Variable] {
		for _, before := range from {
			if !whole(before) {
				return no("scission de %s ; ce chiffre n'est pas un effectif, il ne se partage pas", before)
			}
		}
		return no("fusion de %s ; ce chiffre n'est pas un effectif, il ne s'additionne pas", strings.Join(from, ", "))
	}
	f := carried{passed: Merged}
	var words, refs []string
	for _, before := range from {
		i, had := at[before]
		if !had {
			return no("il manque %s, dont une part est dans %s", before, code)
		}
		g := own(i)
		share, how := 1.0, before
		if !whole(before) {
			s, by := c.share(before, code)
			if by == "" {
				return no("scission de %s dont aucune part n'est connue : ni dans %s, ni par la population des zones d'arrivée", before, c.File)
			}
			share, f.passed = s, Shared
			how = fmt.Sprintf("%s %% de %s (%s)", FrenchNumber(100*s, 1), before, by)
			c.split[before] = true
		}
		if share == 0 {
			continue
		}
		if g.statut != Disponible {
			return carried{statut: g.statut, ref: g.ref, note: fmt.Sprintf("%s %s : %s y est %s", Rapprochee, c.From, before, g.statut.french())}
		}
		f.v += share * g.v
		f.signale = f.signale || g.signale
		f.passed = max(f.passed, g.passed)
		f.note = joinNotes(f.note, g.note)
		if g.correction != f.correction {
			f.correction = joinNotes(f.correction, g.correction)
		}
		words = append(words, how)
		if g.ref != "" && !slices.Contains(refs, g.ref) {
			refs = append(refs, g.ref)
		}
	}
	if len(from) > 1 {
		c.merged[code] = true
	}
	f.ref = strings.Join(refs, " ; ")
	f.note = joinNotes(f.note, fmt.Sprintf("%s %s, par %s : %s", Rapprochee, c.From, c.File, strings.Join(words, " + ")))
	return f
}

// share is the part of a zone that went to another, and by what it is known; "" when it is not.
func (c *carrier) share(before, code string) (share float64, by string) {
	parts := c.Parts[before]
	known, sum := true, 0.0
	for _, p := range parts {
		known = known && p.Share.OK
		if p.Code == code {
			share = p.Share.V
		}
	}
	if known {
		return share, "part de la table"
	}
	for _, p := range parts { // the people of a zone tell the share only where it has no other origin
		n, ok := c.people[p.Code]
		if !ok || len(c.sources[p.Code]) != 1 {
			return 0, ""
		}
		sum += n
	}
	if sum <= 0 {
		return 0, ""
	}
	return c.people[code] / sum, "population des zones d'arrivée"
}

// alertes says what the passage did.
func (c *carrier) alertes() []Alerte {
	id := fmt.Sprintf("passage:%s:%s", c.From, c.To)
	if c.columns == 0 {
		return []Alerte{{ID: id, Kind: "passage", Gravite: "attention", Objet: c.File,
			Message: fmt.Sprintf("aucun chiffre n'est en géographie %s : ce passage vers %s ne sert à rien, ou vintage est à corriger dans une fiche", c.From, c.To)}}
	}
	a := Alerte{ID: id, Kind: "passage", Gravite: "information", Objet: c.File,
		Message: fmt.Sprintf("%d colonne(s) portées de %s à %s : %d zone(s) fusionnées, %d scindées, %d à qui il manque des chiffres", c.columns,
			c.From, c.To, len(c.merged), len(c.split), len(c.refused))}
	if len(c.split)+len(c.refused) > 0 {
		a.Gravite = "attention"
	}
	if list := slices.Sorted(maps.Keys(c.split)); len(list) > 0 {
		a.Message += " ; scindées : " + some(list, 5)
	}
	if list := slices.Sorted(maps.Keys(c.refused)); len(list) > 0 {
		a.Message += " ; incomplètes : " + some(list, 5)
	}
	return []Alerte{a}
}
