package indicators

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// VariableUnits says what each variable of the definitions is: "%", "€/an", "effectif" (a count: it adds up),
// "indice" (between 0 and 1). Of the others, and of those two definitions disagree on, nothing is said.
func VariableUnits(defs []Definition) map[string]string {
	units := map[string]string{}
	set := func(variable, unit string) {
		if old, said := units[variable]; said && old != unit {
			unit = ""
		}
		if variable != "" {
			units[variable] = unit
		}
	}
	for _, d := range defs {
		switch {
		case d.Rule == Somme:
			set(d.Value, "effectif")
		case d.Unbounded:
			set(d.Value, "")
		case d.Unit == "%" || isEuro(d.Unit):
			set(d.Value, d.Unit)
		case d.Unit == "indice":
			set(d.Value, d.Unit)
		default:
			set(d.Value, "")
		}
		for _, v := range append(append(slices.Clone(d.Numerator), d.Denominator...), d.Weight) {
			set(v, "effectif")
		}
		for _, v := range d.Deciles {
			set(v, d.Unit)
		}
	}
	return units
}

// Additive says which variables are counts, that add up over zones.
func Additive(defs []Definition) map[string]bool {
	out := map[string]bool{}
	for v, unit := range VariableUnits(defs) {
		out[v] = unit == "effectif"
	}
	return out
}

// Remarque writes an alert as a remark on its file, so that it is kept with it; reviewSources reads it back.
func (a Alerte) Remarque() string {
	return a.Gravite + ", " + a.Kind + " : " + a.Message
}

// remarked reads what Remarque wrote; ok is false for an ordinary remark.
func remarked(s string) (gravite, kind, message string, ok bool) {
	head, message, ok := strings.Cut(s, " : ")
	gravite, kind, two := strings.Cut(head, ", ")
	return gravite, kind, message, ok && two && slices.Contains([]string{"information", "attention", "bloquante"}, gravite) &&
		strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// The thresholds of the comparisons between files: METHOD.md lists them with their reasons.
const (
	scaleChange  = 7.0  // median ratio of two years beyond which the unit has changed: months against years is 12
	zoneChange   = 10.0 // ratio of one zone, apart from that of all
	smallCount   = 20.0 // under which a count may well be multiplied by ten
	copied       = 20   // figures that must be the same in two years for one to be a copy of the other
	copiedValues = 10   // distinct ones among them
	swapped      = 0.5  // women and men are closer crossed than straight, by this factor
	swappedLevel = 0.05 // and differ straight by more than this
)

// A Comparison compares the columns of one variable over the years, and says what looks like a change of unit, a zone that
// jumps, women and men exchanged, a column of zeros, or a year that is another's copy. What a file says wrong by itself is found
// when it is read.
type Comparison struct {
	files, cards map[string]string // by source
	units        map[string]string
	same         map[[2]string]*sameness
	out          []Alerte

	codes   []string // room for pairs
	x, y    []float64
	inOrder map[*string]order // by their first
}

// NewComparison compares columns of some files; begun, when there is one, is what others of the same files have told.
func NewComparison(sources []Source, defs []Definition, begun *Comparison) *Comparison {
	d := &Comparison{files: map[string]string{}, units: VariableUnits(defs), cards: map[string]string{}, same: map[[2]string]*sameness{}}
	for _, s := range sources {
		d.files[s.ID], d.cards[s.ID] = s.File, s.Card
	}
	if begun != nil {
		d.out = slices.Clone(begun.out)
		for key, s := range begun.same {
			told := *s
			told.values = maps.Clone(s.values)
			d.same[key] = &told
		}
	}
	return d
}

// A line is the columns that are compared with one another.
type line struct{ level, variable, sexe string }

func (a line) compare(b line) int {
	return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.variable, b.variable), cmp.Compare(a.sexe, b.sexe))
}

// Comparable are the variables that some of the columns, read without their figures or with them, have to be compared for.
func Comparable(columns []Column) map[string]bool {
	n, out := map[line]int{}, map[string]bool{}
	for i := range columns {
		c := &columns[i]
		l := line{c.Level, c.Variable, c.Sexe}
		if n[l]++; n[l] > 1 {
			out[c.Variable] = true
		}
	}
	return out
}

// Add compares columns: all those of a variable are given together.
func (d *Comparison) Add(columns []Column) {
	d.inOrder = map[*string]order{}
	byLine := map[line][]*Column{}
	var order []line
	for i := range columns {
		c := &columns[i]
		l := line{c.Level, c.Variable, c.Sexe}
		if byLine[l] == nil {
			order = append(order, l)
		}
		byLine[l] = append(byLine[l], c)
	}
	slices.SortFunc(order, line.compare)
	for _, l := range order {
		list := byLine[l]
		slices.SortStableFunc(list, func(a, b *Column) int {
			return cmp.Or(cmp.Compare(a.Millesime, b.Millesime), cmp.Compare(a.Source, b.Source))
		})
		for i := range list {
			for j := i + 1; j < len(list); j++ {
				d.copies(l, list[i], list[j])
			}
		}
		list = slices.DeleteFunc(slices.Clone(list), func(c *Column) bool { return c.Millesime <= 0 })
		for i := 1; i < len(list); i++ {
			if list[i].Millesime != list[i-1].Millesime {
				d.change(list[i-1], list[i])
			}
		}
		d.zeros(list)
		if l.sexe == "F" {
			d.exchange(list, byLine[line{l.level, l.variable, "H"}])
		}
	}
	d.inOrder = nil // what is given next may lie where this did
}

// Alertes says what was found, ordered by id.
func (d *Comparison) Alertes() []Alerte {
	out := append(slices.Clone(d.out), d.copied()...)
	slices.SortFunc(out, func(a, b Alerte) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// order says of a list of codes whether it is in order, each once.
type order struct {
	n   int
	yes bool
}

// A sameness counts the figures two files give for the same zones, under two years.
type sameness struct {
	figures, equal int
	columns, whole int // columns compared, and equal everywhere
	values         map[float64]bool
	first          line // the first of them in order, and the years it was compared for
	years          string
}

func (d *Comparison) say(kind, id, objet, format string, args ...any) {
	d.out = append(d.out, suspicion(kind, id, objet, format, args...))
}

func suspicion(kind, id, objet, format string, args ...any) Alerte {
	return Alerte{ID: "diagnostic:" + kind + ":" + id, Kind: kind, Gravite: "attention", Objet: objet, Message: fmt.Sprintf(format, args...)}
}

// name is a column as readers know it.
func (d *Comparison) name(c *Column) string {
	file := cmp.Or(d.files[c.Source], c.Source)
	if c.Header != "" {
		file += " : " + c.Header
	}
	return file
}

// pairs are the figures two columns both give, ordered by zone: to be read before others are asked for.
func (d *Comparison) pairs(a, b *Column) (codes []string, x, y []float64) {
	codes, x, y = d.codes[:0], d.x[:0], d.y[:0]
	both := func(i, j int) {
		if a.Statut[i] == Disponible && b.Statut[j] == Disponible {
			codes, x, y = append(codes, a.Codes[i]), append(x, a.V[i]), append(y, b.V[j])
		}
	}
	if d.ordered(a.Codes) && d.ordered(b.Codes) {
		for i, j := 0, 0; i < len(a.Codes) && j < len(b.Codes); {
			switch {
			case a.Codes[i] == b.Codes[j]:
				both(i, j)
				i, j = i+1, j+1
			case a.Codes[i] < b.Codes[j]:
				i++
			default:
				j++
			}
		}
	} else {
		at := make(map[string]int, len(b.Codes))
		for i, code := range b.Codes {
			at[code] = i
		}
		for i, code := range a.Codes {
			if j, ok := at[code]; ok {
				both(i, j)
			}
		}
	}
	d.codes, d.x, d.y = codes, x, y
	return codes, x, y
}

// ordered says whether codes are in order, each once: the columns of a table share theirs.
func (d *Comparison) ordered(codes []string) bool {
	if len(codes) == 0 {
		return true
	}
	known, ok := d.inOrder[&codes[0]]
	if !ok || known.n != len(codes) {
		known.n, known.yes = len(codes), true
		for i := 1; i < len(codes) && known.yes; i++ {
			known.yes = codes[i-1] < codes[i]
		}
		d.inOrder[&codes[0]] = known
	}
	return known.yes
}

// change looks for a change of unit between two years, then for zones that move by ten apart from the others.
func (d *Comparison) change(a, b *Column) {
	if d.units[a.Variable] == "" {
		return
	}
	codes, x, y := d.pairs(a, b)
	type moved struct {
		code string
		x, y float64
	}
	all, ratios := make([]moved, 0, len(codes)), make([]float64, 0, len(codes))
	for i := range codes {
		if x[i] > 0 && y[i] > 0 {
			all = append(all, moved{codes[i], x[i], y[i]})
			ratios = append(ratios, y[i]/x[i])
		}
	}
	if len(ratios) < 3 {
		return
	}
	slices.Sort(ratios)
	middle := ratios[len(ratios)/2]
	if middle >= scaleChange || middle <= 1/scaleChange {
		factor := middle
		up := "multipliées"
		if factor < 1 {
			factor, up = 1/factor, "divisées"
		}
		cause := "un changement d'unité, ou un autre champ"
		switch {
		case factor > 9 && factor < 11, factor > 90 && factor < 110:
			cause = "une virgule décimale perdue, ou un changement d'unité"
		case factor >= 11 && factor < 13:
			cause = "un montant mensuel d'un côté, annuel de l'autre"
		case factor > 700 && factor < 1400:
			cause = "des milliers d'un côté, des unités de l'autre (k€ et €)"
		}
		d.say("echelle", fmt.Sprintf("%s:%s:%s:%d", a.Level, a.Variable, a.Sexe, b.Millesime), cmp.Or(d.files[b.Source], b.Source),
			"%s : les valeurs sont %s par %s (médiane de %d zones) entre %d (%s) et %d (%s). Cause probable : %s. À faire : vérifier l'unité de la colonne dans les deux fichiers.",
			a.Variable, up, FrenchNumber(factor, 1), len(ratios), a.Millesime, d.name(a), b.Millesime, d.name(b), cause)
		return
	}
	var odd []string
	for _, m := range all {
		r := m.y / m.x / middle
		small := d.units[a.Variable] == "effectif" && min(m.x, m.y) < smallCount || d.units[a.Variable] == "%" && max(m.x, m.y) < smallCount
		if (r >= zoneChange || r <= 1/zoneChange) && !small {
			odd = append(odd, fmt.Sprintf("%s (de %s à %s)", m.code, FormatNumber(m.x), FormatNumber(m.y)))
		}
	}
	if len(odd) > 0 {
		d.say("saut_10", fmt.Sprintf("%s:%s:%s:%d", a.Level, a.Variable, a.Sexe, b.Millesime), cmp.Or(d.files[b.Source], b.Source),
			"%s : %d zone(s) changent d'un facteur 10 ou plus entre %d (%s) et %d (%s), seules parmi %d : %s. Cause probable : une faute de saisie, une "+
				"virgule perdue, ou un code qui désigne un autre lieu. À faire : vérifier ces lignes.", a.Variable, len(odd), a.Millesime, d.name(a),
			b.Millesime, d.name(b), len(ratios), some(odd, 3))
	}
}

// zeros looks for a column of zeros among years that are not.
func (d *Comparison) zeros(list []*Column) {
	var empty []*Column
	other := 0
	for _, c := range list {
		n, zero := 0, 0
		for i, st := range c.Statut {
			if st == Disponible {
				n++
				if c.V[i] == 0 {
					zero++
				}
			}
		}
		switch {
		case n >= 3 && zero == n:
			empty = append(empty, c)
		case n >= 3 && zero < n/2:
			other++
		}
	}
	if other == 0 {
		return
	}
	for _, c := range empty {
		d.say("colonne_nulle", fmt.Sprintf("%s:%s:%s:%d:%s", c.Level, c.Variable, c.Sexe, c.Millesime, c.Source), cmp.Or(d.files[c.Source], c.Source),
			"%s (%s) n'a que des zéros en %d, et des chiffres les autres années. Cause probable : un chiffre absent écrit 0. À faire : vider la colonne, ou la "+
				"faire confirmer par le producteur.", c.Variable, d.name(c), c.Millesime)
	}
}

// exchange looks for a year whose women are the others' men.
func (d *Comparison) exchange(women, men []*Column) {
	beside := func(f *Column) *Column {
		i := slices.IndexFunc(men, func(h *Column) bool { return h.Source == f.Source && h.Millesime == f.Millesime })
		if i < 0 {
			return nil
		}
		return men[i]
	}
	for i := 1; i < len(women); i++ {
		f1, f2 := women[i-1], women[i]
		h1, h2 := beside(f1), beside(f2)
		if h1 == nil || h2 == nil || f1.Millesime == f2.Millesime {
			continue
		}
		distance := func(a, b *Column) (gap, size float64, n int) {
			_, x, y := d.pairs(a, b)
			for i := range x {
				gap += math.Abs(x[i] - y[i])
				size += (math.Abs(x[i]) + math.Abs(y[i])) / 2
			}
			return gap, size, len(x)
		}
		a, size, n := distance(f1, f2)
		b, size2, _ := distance(h1, h2)
		c, _, _ := distance(f1, h2)
		e, _, _ := distance(h1, f2)
		if n >= 3 && a+b > swappedLevel*(size+size2) && c+e < swapped*(a+b) {
			d.say("sexes_echanges", fmt.Sprintf("%s:%s:%d", f1.Level, f1.Variable, f2.Millesime), cmp.Or(d.files[f2.Source], f2.Source),
				"%s : en %d (%s et %s), les femmes ressemblent aux hommes de %d (%s) et les hommes aux femmes, sur %d zones. Cause probable : les deux colonnes "+
					"échangées dans un des fichiers. À faire : comparer leurs en-têtes.", f1.Variable, f2.Millesime, d.name(f2), d.name(h2), f1.Millesime, d.name(f1), n)
		}
	}
}

// copies counts what two files say alike under two years.
func (d *Comparison) copies(l line, a, b *Column) {
	if a.Source == b.Source || a.Millesime == b.Millesime && a.Millesime != 0 || d.cards[a.Source] != d.cards[b.Source] {
		return
	}
	key := [2]string{a.Source, b.Source}
	if a.Source > b.Source {
		key = [2]string{b.Source, a.Source}
	}
	_, x, y := d.pairs(a, b)
	if len(x) == 0 {
		return
	}
	s := d.same[key]
	if s == nil {
		s = &sameness{values: map[float64]bool{}}
		d.same[key] = s
	}
	if s.years == "" || l.compare(s.first) < 0 {
		s.first, s.years = l, fmt.Sprintf("%s et %s", yearWord(a.Millesime), yearWord(b.Millesime))
	}
	equal := 0
	for i := range x {
		if x[i] == y[i] {
			equal++
			if len(s.values) < copiedValues {
				s.values[x[i]] = true
			}
		}
	}
	s.figures += len(x)
	s.equal += equal
	s.columns++
	if equal == len(x) {
		s.whole++
	}
}

func yearWord(millesime int) string {
	if millesime <= 0 {
		return "millésime inconnu"
	}
	return fmt.Sprint(millesime)
}

func (d *Comparison) copied() (out []Alerte) {
	for key, s := range d.same {
		if s.equal < copied || len(s.values) < copiedValues || float64(s.equal) < 0.98*float64(s.figures) {
			continue
		}
		out = append(out, suspicion("copie", key[0]+"|"+key[1], cmp.Or(d.files[key[1]], key[1]),
			"%s et %s donnent les mêmes chiffres sous deux millésimes (%s) : %d sur %d, dans %d colonne(s) sur %d. Cause probable : un fichier d'une année enregistré "+
				"sous le nom d'une autre. À faire : reprendre les deux fichiers chez le producteur.", cmp.Or(d.files[key[0]], key[0]), cmp.Or(d.files[key[1]], key[1]),
			s.years, s.equal, s.figures, s.whole, s.columns))
	}
	return out
}
