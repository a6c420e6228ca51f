package ingest

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"observatoire/indicators"
)

// An Examination says what is known of a table before its rows are looked at.
type Examination struct {
	Card        *Card                   // nil: none fits, and the next three say what is known
	Layout      Layout                  // with header_row; 0: the first row that holds the key
	Key         string                  // column of the zone codes; empty: not known
	Level       string                  // level of the zones; empty: not known
	Scope       []string                // the project's départements; empty: any
	Definitions []indicators.Definition // they say which variables are percentages, counts, euros
}

// The thresholds of a diagnosis: indicators/METHOD.md lists them with their reasons.
const (
	shownLines    = 3       // lines named in an alert
	keptRows      = 500_000 // rows among which a repeated one is looked for: 8 bytes each
	enough        = 20      // figures under which a column says nothing of its unit
	shareOfCodes  = 0.5     // codes that must have the shape of their level
	mostly        = 0.9     // of a column: what holds for so many is how it was made
	sumTolerance  = 1.5     // units between a total and its parts: rounding of each to the unit
	sumToleranceR = 0.005   // the same, relative: rounding of large figures
	thousands     = 200     // €/an under which an income is in thousands
	monthly       = 3500    // €/an under which an income is a month's
)

// Diagnose reads a table once, every row of it, and says what is likely wrong with the file itself: its encoding, its
// codes, its rows, its units and its totals. Its memory does not grow with the file beyond a few megabytes. What cannot
// be read at all is Open's to refuse: such a cell is passed over here. The alerts are ordered by id.
func Diagnose(ctx context.Context, path string, x Examination) ([]indicators.Alerte, error) {
	d, err := newDiagnosis(path, x)
	if err != nil {
		return nil, err
	}
	defer d.rows.Close()
	for n := 0; d.rows.Next(); n++ {
		if n%batchRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d.row(d.rows.Cells(), d.rows.Line())
	}
	if err := d.rows.Err(); err != nil {
		return nil, err
	}
	return d.alertes(), nil
}

// largeWorkbook is how many bytes a workbook has before it is not read twice at a time: each reading keeps its texts.
const largeWorkbook = 16 << 20

// Examine begins to look at the file of a table as [Diagnose] does, on another processor while the table is read; after it
// for a large workbook. wait gives what is found; stop, which comes last, ends what is under way.
func (t *Table) Examine(ctx context.Context, x Examination) (wait func() ([]indicators.Alerte, error), stop func()) {
	ctx, stop = context.WithCancel(ctx)
	wait = sync.OnceValues(func() ([]indicators.Alerte, error) { return Diagnose(ctx, t.path, x) })
	if t.info.Format == "csv" || t.source.Bytes < largeWorkbook {
		cancel := stop
		stop = func() { cancel(); wait() }
		go wait()
	}
	return wait, stop
}

// A diagnosis gathers, row by row, what tells a sound table from a damaged one.
type diagnosis struct {
	Examination
	file    string
	table   Table // the resolved columns, and how to read a cell; never opened
	rows    Rows
	keyed   bool // the column of the codes is known
	level   string
	edition int
	seen    map[uint64]bool // of whole rows

	measures []*tally
	totals   []*addition

	n            int
	damaged      lines // U+FFFD
	damagedAt    string
	garbled      lines // UTF-8 read as another encoding
	garbledAt    string
	garbledMeant string
	repeated     lines
	short        lines // codes one digit short
	shortAt      string
	shifted      lines
	shiftedBy    string
	shapes       map[string]int // level → codes of its shape
	departements map[string]int
}

// lines are the first lines where something was met, and how often it was.
type lines struct {
	first []int
	n     int
}

func (l *lines) add(line int) {
	l.n++
	if len(l.first) < shownLines && (len(l.first) == 0 || l.first[len(l.first)-1] != line) {
		l.first = append(l.first, line)
	}
}

// String is how readers see them: "lignes 3, 8, 12 et 40 autres".
func (l lines) String() string {
	var b strings.Builder
	b.WriteString("ligne")
	if l.n > 1 {
		b.WriteString("s")
	}
	for i, n := range l.first {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " %d", n)
	}
	if more := l.n - len(l.first); more > 0 {
		fmt.Fprintf(&b, " et %d autres", more)
	}
	return b.String()
}

// A tally is what a measured column looks like.
type tally struct {
	at                  int
	plus                []int  // positions of the columns added to it
	name                string // variable and column, for readers
	id                  string
	unit                string // "%", "€/an", "effectif", "indice", "" when not known
	n, fractions, zeros int
	upTo1, upTo100      int // between 0 and 1, between 0 and 100
	poor, modest        int // €/an too low for a year: thousands, months
	min, max            float64
	negative, over      lines // under 0; over 100
	v                   float64
	here                bool // the row being read has a figure
}

// An addition is a total and the columns that should make it up.
type addition struct {
	total  *tally
	parts  []*tally
	kind   string
	n      int
	step   float64 // greatest common divisor of the figures: 5 or 10 where the producer rounds so
	wrong  lines
	first  string
	rounds [2]lines // differences that rounding to 5, and to 10, does not explain
	firsts [2]string
}

func newDiagnosis(path string, x Examination) (*diagnosis, error) {
	d := &diagnosis{Examination: x, file: Name(path), level: x.Level, seen: map[uint64]bool{},
		shapes: map[string]int{}, departements: map[string]int{}}
	layout := x.Layout
	keys := []string{x.Key}
	card := x.Card
	if card != nil {
		edition, _ := card.edition(d.file)
		card = card.AtName(d.file)
		layout, keys, d.level, d.edition = card.Layout, card.Key, card.Level, edition
		if card.Kind == "composition" {
			keys, d.level = card.Commune, "commune"
		}
	} else {
		card = &Card{ID: "aucune", Kind: "table", Layout: layout}
	}
	var info Info
	var err error
	if d.rows, info, err = OpenRows(path, layout); err != nil {
		return nil, err
	}
	d.table = Table{path: path, card: card, rows: d.rows, info: info}
	if info.Format == "csv" {
		d.table.decimal = layout.Decimal
	}
	if err := d.findHeader(keys, layout.HeaderRow); err != nil {
		d.rows.Close()
		return nil, err
	}
	d.choose()
	return d, nil
}

// findHeader goes to the row of the names, as Open does; without a key, to the first row that is not blank.
func (d *diagnosis) findHeader(keys []string, row int) error {
	if keys[0] == "" {
		keys = nil
	}
	for n := 0; (n < 200 || row > 0) && d.rows.Next(); n++ {
		if row > 0 && d.rows.Line() < row || blank(d.rows.Cells()) {
			continue
		}
		header := slices.Clone(d.rows.Cells())
		for i := range header {
			header[i] = strings.Trim(header[i], blanks+"\r\n\uFEFF")
			d.text(header[i], d.rows.Line())
		}
		d.table.header = header
		for _, k := range keys {
			if d.keyed, _ = d.table.findKey(k); d.keyed {
				break
			}
		}
		if d.keyed || keys == nil || row > 0 {
			return nil
		}
	}
	if err := d.rows.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%s: no header with a column %s: add its name under key in the card %s", d.table.path, quoteList(keys), d.table.card.ID)
}

// choose says which columns are figures and of what unit, and which add up.
func (d *diagnosis) choose() {
	t := &d.table
	units := indicators.VariableUnits(d.Definitions)
	if d.Card == nil || d.Card.Kind != "table" || d.Card.Long != nil || d.Card.Count != nil {
		for i, h := range t.header {
			if (!d.keyed || i != t.key) && h != "" && d.Card == nil {
				d.measures = append(d.measures, &tally{at: i, name: "la colonne " + h, id: h})
			}
		}
		return
	}
	t.where, _ = t.conditions(t.card.Where) // a column that is missing is Open's to refuse
	_ = t.resolve(d.edition)
	byName := map[string]*tally{}
	for _, m := range t.columns {
		x := &tally{at: m.at, plus: m.plus, name: fmt.Sprintf("%s (colonne %s)", m.variable, m.header), id: m.header, unit: units[m.variable]}
		byName[m.name()] = x
		d.measures = append(d.measures, x)
	}
	if d.Card.Protection.Of(d.edition) == "perturbation" { // its totals are drawn apart from their parts
		return
	}
	add := func(kind string, m measure, names ...string) {
		a := &addition{total: byName[m.name()], kind: kind}
		for _, n := range names {
			if byName[n] == nil || byName[n].unit != "" && byName[n].unit != "effectif" {
				return
			}
			a.parts = append(a.parts, byName[n])
		}
		if a.total.unit == "" || a.total.unit == "effectif" {
			d.totals = append(d.totals, a)
		}
	}
	for _, m := range t.columns {
		if m.sexe == "T" {
			f, h := m, m
			f.sexe, h.sexe = "F", "H"
			add("sexes", m, f.name(), h.name())
		}
		if list := d.Card.Totals[m.variable]; list != nil {
			var names []string
			for _, v := range list {
				part := m
				part.variable = v
				names = append(names, part.name())
			}
			add("somme", m, names...)
		}
	}
}

// row looks at one row.
func (d *diagnosis) row(cells []string, line int) {
	if blank(cells) {
		return
	}
	code := ""
	if d.keyed {
		code = d.table.code(cells)
	}
	if slices.Contains(d.table.card.Drop, code) || !d.table.meets(cells, d.table.where) {
		return
	}
	d.n++
	for _, s := range cells {
		d.text(s, line)
	}
	if len(d.seen) < keptRows {
		h := rowHash(cells)
		if d.seen[h] {
			d.repeated.add(line)
		}
		d.seen[h] = true
	}
	if d.keyed && !d.code(cells, code, line) {
		return
	}
	for _, m := range d.measures {
		m.here = false
		s := d.table.text(cells, m.at)
		if s == "" {
			continue
		}
		v, statut, err := d.table.figure(s)
		m.here = err == nil && statut == indicators.Disponible
		for _, at := range m.plus {
			more, statut, err := d.table.figure(d.table.text(cells, at))
			v += more
			m.here = m.here && err == nil && statut == indicators.Disponible
		}
		if m.here {
			m.add(v, line)
		}
	}
	for _, a := range d.totals {
		a.add(code, line)
	}
}

// rowHash is FNV-1a over the cells.
func rowHash(cells []string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range cells {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h = (h ^ 0xFF) * 1099511628211
	}
	return h
}

// text looks for characters lost or garbled before the file was published.
func (d *diagnosis) text(s string, line int) {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return
	}
	if strings.ContainsRune(s, utf8.RuneError) {
		if d.damaged.add(line); d.damagedAt == "" {
			d.damagedAt = s
		}
	}
	if meant, ok := ungarble(s); ok {
		if d.garbled.add(line); d.garbledAt == "" {
			d.garbledAt, d.garbledMeant = s, meant
		}
	}
}

// ungarble gives back a text whose UTF-8 bytes were read in another encoding: "Ã©" and "├®" are é.
func ungarble(s string) (string, bool) {
	if !strings.ContainsAny(s, "ÃÂâÅ├┬Ôõ╔") {
		return "", false
	}
	for _, page := range []*charmap.Charmap{charmap.Windows1252, charmap.CodePage850, charmap.CodePage437} {
		// Encode byte by byte: one character that the page lacks says it was not this one.
		b, ok := make([]byte, 0, len(s)), true
		for _, r := range s {
			c, found := page.EncodeRune(r)
			if !found && r < 0x100 && page == charmap.Windows1252 {
				c, found = byte(r), true // the five holes of the page are passed through as they are
			}
			if ok = found; !ok {
				break
			}
			b = append(b, c)
		}
		if ok && utf8.Valid(b) && utf8.RuneCount(b) < utf8.RuneCountInString(s) {
			return string(b), true
		}
	}
	return "", false
}

// shapesOf are the codes of each level, most particular first.
var shapesOf = []struct {
	level string
	sizes []int // of a code, looked at first
	re    *regexp.Regexp
	words string
}{
	{"qpv", []int{8, 9}, regexp.MustCompile(`^Q[PN][0-9]{3}[0-9A-Z]{3}$|^QN[0-9]{5}[A-Z]$|^QN[0-9A-Z]{6,7}$`), "QP ou QN suivi de six caractères"},
	{"epci", []int{9}, regexp.MustCompile(`^2(00|4[0-9])[0-9]{6}$`), "neuf chiffres, 200… ou 24…"},
	{"iris", []int{9}, regexp.MustCompile(`^([0-9]{2}|2[AB])[0-9]{7}$`), "neuf caractères"},
	{"commune", []int{5}, regexp.MustCompile(`^([0-9]{2}|2[AB])[0-9]{3}$`), "cinq caractères"},
	{"departement", []int{2, 3}, regexp.MustCompile(`^([0-9]{2}|2[AB]|97[0-9])$`), "deux caractères, trois outre-mer"},
	{"region", []int{2}, regexp.MustCompile(`^[0-9]{2}$`), "deux chiffres"},
}

// codeWidths are the widths of the codes that lose a leading zero.
var codeWidths = map[string]int{"commune": 5, "iris": 9, "departement": 2}

// code looks at the code of a row: its shape, its département, a zero lost. It is false where a neighbouring cell has the
// code instead: the figures of the row are not in their columns.
func (d *diagnosis) code(cells []string, code string, line int) bool {
	width := codeWidths[d.level]
	if d.level == "" {
		width = max(len(code)+1, 5)
		if width != 5 && width != 9 {
			width = 0
		}
	}
	if width > 2 && len(code) == width-1 && strings.Trim(code, "0123456789") == "" && code[0] != '0' {
		if d.short.add(line); d.shortAt == "" {
			d.shortAt = code
		}
	}
	whole := restoreZeros(code, width)
	shaped := false
	for _, s := range shapesOf {
		if slices.Contains(s.sizes, len(whole)) && s.re.MatchString(whole) {
			d.shapes[s.level]++
			shaped = true
			// The first two characters of an intercommunal code are no département.
			if s.level == d.level && (s.level == "qpv" || s.level == "iris" || s.level == "commune") {
				d.departements[indicators.Departement(whole)]++
			}
		}
	}
	if shaped {
		return true
	}
	for _, by := range []int{-1, 1} {
		next := plainCode(cell(cells, d.table.key+by))
		for _, s := range shapesOf {
			if s.level == d.level && len(next) > 3 && s.re.MatchString(next) {
				if d.shifted.add(line); d.shiftedBy == "" {
					d.shiftedBy = map[int]string{-1: "la colonne de gauche", 1: "la colonne de droite"}[by]
				}
				return false
			}
		}
	}
	return true
}

func (m *tally) add(v float64, line int) {
	if m.n == 0 {
		m.min, m.max = v, v
	}
	m.n++
	m.v = v
	m.min, m.max = min(m.min, v), max(m.max, v)
	if v != math.Trunc(v) {
		m.fractions++
	}
	switch {
	case v == 0:
		m.zeros++
	case v < 0:
		m.negative.add(line)
	case v < thousands:
		m.poor++
	case v < monthly:
		m.modest++
	}
	if v >= 0 && v <= 1 {
		m.upTo1++
	}
	if v >= 0 && v <= 100 {
		m.upTo100++
	}
	if v > 100 {
		m.over.add(line)
	}
}

// add compares a total with its parts, where the row has them all.
func (a *addition) add(code string, line int) {
	if !a.total.here {
		return
	}
	sum := 0.0
	for _, p := range a.parts {
		if !p.here {
			return
		}
		sum += p.v
		a.step = gcd(a.step, p.v)
	}
	a.step = gcd(a.step, a.total.v)
	a.n++
	diff := math.Abs(sum - a.total.v)
	said := func() string {
		return fmt.Sprintf("%s : %s contre %s", code, indicators.FormatNumber(a.total.v), indicators.FormatNumber(sum))
	}
	slack := sumToleranceR * a.total.v
	if diff > max(sumTolerance, slack) {
		if a.wrong.add(line); a.wrong.n == 1 {
			a.first = said()
		}
	}
	for i, step := range [...]float64{5, 10} { // each figure rounded by itself
		if diff > max(step*float64(len(a.parts)+1)/2, slack) {
			if a.rounds[i].add(line); a.rounds[i].n == 1 {
				a.firsts[i] = said()
			}
		}
	}
}

// gcd of integers; 1 as soon as a figure is not one.
func gcd(a, b float64) float64 {
	if a != math.Trunc(a) || b != math.Trunc(b) || a == 1 {
		return 1
	}
	a, b = math.Abs(a), math.Abs(b)
	for b != 0 {
		a, b = b, math.Mod(a, b)
	}
	return a
}

// alertes says what was found.
func (d *diagnosis) alertes() []indicators.Alerte {
	var out []indicators.Alerte
	say := func(kind, gravite, about, format string, args ...any) {
		out = append(out, indicators.Alerte{ID: strings.Join([]string{"diagnostic", kind, d.file, about}, ":"), Kind: kind,
			Gravite: gravite, Objet: d.file, Message: fmt.Sprintf(format, args...)})
	}
	d.sayText(say)
	d.sayCodes(say)
	for _, m := range d.measures {
		m.say(say)
	}
	for _, a := range d.totals {
		a.say(say)
	}
	slices.SortFunc(out, func(x, y indicators.Alerte) int { return strings.Compare(x.ID, y.ID) })
	return out
}

type sayer func(kind, gravite, about, format string, args ...any)

func (d *diagnosis) sayText(say sayer) {
	if d.garbled.n > 0 {
		say("encodage", "attention", "mojibake", "%d texte(s) abîmés (%s) : « %s » se lit « %s ». Cause probable : de l'UTF-8 ouvert dans "+
			"un autre encodage, puis enregistré. À faire : redemander le fichier d'origine ; les chiffres n'en souffrent pas, les noms si.",
			d.garbled.n, d.garbled, d.garbledAt, d.garbledMeant)
	}
	if d.damaged.n > 0 {
		say("encodage", "attention", "perdu", "%d texte(s) où un caractère est perdu (%s) : « %s ». Cause probable : un accent qui n'a pas "+
			"survécu à une conversion. À faire : ne joindre que sur les codes, ou redemander le fichier.", d.damaged.n, d.damaged, d.damagedAt)
	}
	if d.repeated.n > 0 {
		say("doublon_ligne", "attention", "", "%d ligne(s) répètent une ligne entière (%s). Cause probable : un collage fait deux fois, ou deux "+
			"extractions mises bout à bout. À faire : n'en garder qu'une.", d.repeated.n, d.repeated)
	}
}

func (d *diagnosis) sayCodes(say sayer) {
	if !d.keyed || d.n == 0 {
		return
	}
	key := d.table.header[d.table.key]
	width := codeWidths[d.level]
	if width == 0 {
		width = len(d.shortAt) + 1
	}
	if d.short.n > 0 && (d.level != "" || d.shapes["commune"]+d.shapes["iris"] >= d.n/2) {
		say("zeros_perdus", "attention", key, "%d code(s) de la colonne %s ont perdu leur zéro de tête (%s) : « %s » pour « 0%s ». Cause probable : "+
			"le fichier est passé par un tableur. À faire : key_width: %d dans la fiche, ou importer la colonne comme du texte.",
			d.short.n, key, d.short, d.shortAt, d.shortAt, width)
	}
	if d.shifted.n > 0 {
		say("decalage", "attention", key, "%d ligne(s) n'ont pas de code dans la colonne %s mais dans %s (%s). Cause probable : une cellule ajoutée "+
			"ou ôtée, ou un en-tête décalé d'une colonne. À faire : remettre les lignes en place.", d.shifted.n, key, d.shiftedBy, d.shifted)
	}
	for _, s := range shapesOf {
		if s.level != d.level || d.n < shownLines || float64(d.shapes[s.level])/float64(d.n) >= shareOfCodes || d.shifted.n > d.n/2 {
			continue
		}
		other, most := "", 0
		for _, o := range shapesOf {
			if d.shapes[o.level] > most {
				other, most = o.level, d.shapes[o.level]
			}
		}
		like := "à aucun niveau connu"
		if most > d.n/2 {
			like = "au niveau " + other
		}
		say("niveau_cle", "attention", key, "la colonne %s ne tient pas des codes de niveau %s (%s) : %d sur %d en ont la forme ; elle ressemble %s. "+
			"À faire : corriger level ou key dans la fiche.", key, d.level, s.words, d.shapes[s.level], d.n, like)
	}
	// An intercommunality is taken for an IRIS of the Dordogne, never for thousands of them.
	if (d.level == "iris" || d.level == "") && d.n >= enough && float64(d.shapes["epci"])/float64(d.n) > mostly && len(d.departements) <= 2 &&
		(len(d.Scope) == 0 || !slices.Contains(d.Scope, "24") && !slices.Contains(d.Scope, "20")) && d.level == "iris" {
		say("niveau_cle", "attention", key, "les codes de la colonne %s commencent tous par 200 ou 24 : ce sont ceux d'intercommunalités, pas d'IRIS. "+
			"À faire : corriger level dans la fiche.", key)
	}
	inside := 0
	for _, dep := range d.Scope {
		inside += d.departements[dep]
	}
	if len(d.Scope) > 0 && len(d.departements) > 0 && inside == 0 {
		var all []string
		for dep := range d.departements {
			all = append(all, dep)
		}
		slices.SortFunc(all, func(a, b string) int {
			if n := d.departements[b] - d.departements[a]; n != 0 {
				return n
			}
			return strings.Compare(a, b)
		})
		more := ""
		if len(all) > 5 {
			more = fmt.Sprintf(" et %d autres", len(all)-5)
			all = all[:5]
		}
		say("autre_departement", "bloquante", key, "aucune des %d lignes n'est du département %s : ce fichier est du département %s%s. "+
			"À faire : prendre le fichier du territoire.", d.n, strings.Join(d.Scope, ", "), strings.Join(all, ", "), more)
	}
}

// say tells a column whose figures do not look like their unit.
func (m *tally) say(say sayer) {
	if m.n < shownLines {
		return
	}
	share := func(n int) float64 { return float64(n) / float64(m.n) }
	nonZero := m.n - m.zeros
	unitSaid := false
	switch {
	case m.unit == "%" && m.n >= enough && m.over.n > 0 && share(m.over.n) > 0.25:
		unitSaid = true
		cause := "un effectif déclaré comme un pourcentage"
		if m.fractions == 0 && m.max <= 1000 {
			cause = "une virgule décimale perdue (« 12,5 » lu 125), ou un effectif déclaré comme un pourcentage"
		}
		say("unite", "attention", m.id, "%s est dite en %%, et %d valeur(s) sur %d dépassent 100 (%s), jusqu'à %s. Cause probable : %s. "+
			"À faire : vérifier l'unité de la colonne, corriger la fiche ou le fichier.", m.name, m.over.n, m.n, m.over, indicators.FormatNumber(m.max), cause)
	case m.unit == "%" && m.n >= enough && nonZero > 0 && m.upTo1 == m.n && m.max > 0:
		unitSaid = true
		say("unite", "attention", m.id, "%s est dite en %%, et ses %d valeurs sont entre 0 et 1. Cause probable : des parts de l'unité, à multiplier "+
			"par 100. À faire : vérifier l'unité de la colonne.", m.name, m.n)
	case m.unit == "effectif" && m.n >= enough && m.upTo100 == m.n && float64(m.fractions) > 0.5*float64(m.n):
		unitSaid = true
		say("unite", "attention", m.id, "%s est dite un effectif, et ses %d valeurs sont entre 0 et 100, avec des décimales. Cause probable : un "+
			"pourcentage déclaré comme un effectif. À faire : vérifier l'unité de la colonne.", m.name, m.n)
	case m.unit == "€/an" && m.n >= enough && float64(m.poor) > mostly*float64(nonZero) && nonZero > 0:
		unitSaid = true
		say("unite", "attention", m.id, "%s est dite en €/an, et ses valeurs ne dépassent guère %s. Cause probable : des milliers d'euros (k€). "+
			"À faire : vérifier l'unité de la colonne.", m.name, indicators.FormatNumber(m.max))
	case m.unit == "€/an" && m.n >= enough && float64(m.poor+m.modest) > mostly*float64(nonZero) && nonZero > 0:
		unitSaid = true
		say("unite", "attention", m.id, "%s est dite en €/an, et ses valeurs sont celles d'un mois (jusqu'à %s). Cause probable : un revenu mensuel. "+
			"À faire : vérifier l'unité de la colonne.", m.name, indicators.FormatNumber(m.max))
	case m.unit == "indice" && m.max > 1:
		unitSaid = true
		say("unite", "attention", m.id, "%s est un indice entre 0 et 1, et va jusqu'à %s. Cause probable : une virgule décimale perdue, ou une "+
			"valeur en %%. À faire : vérifier le format des nombres.", m.name, indicators.FormatNumber(m.max))
	}
	if m.unit == "%" && !unitSaid && m.over.n > 0 {
		say("bornes", "attention", m.id+":plus", "%s : %d part(s) au-dessus de 100 %% (%s), jusqu'à %s. Cause probable : un effectif, une virgule décimale perdue, "+
			"ou un dénominateur d'une autre année. À faire : corriger ces cellules, ou les faire confirmer.", m.name, m.over.n, m.over, indicators.FormatNumber(m.max))
	}
	if m.negative.n > 0 && (m.unit == "%" || m.unit == "effectif" || m.unit == "€/an") {
		what := map[string]string{"%": "part(s) négatives", "effectif": "effectif(s) négatifs", "€/an": "montant(s) négatifs"}[m.unit]
		say("negatif", "attention", m.id, "%s : %d %s (%s), jusqu'à %s. Cause probable : un code d'absence (-1, -999), ou une différence mise à la "+
			"place du chiffre. À faire : vider ces cellules, ou dire leur sens dans tokens.", m.name, m.negative.n, what, m.negative, indicators.FormatNumber(m.min))
	}
	if m.n >= enough && m.min == m.max && m.unit != "" {
		what := "vaut " + indicators.FormatNumber(m.min) + " partout"
		if m.min == 0 {
			what = "n'a que des zéros"
		}
		say("constante", "attention", m.id, "%s %s (%d lignes). Cause probable : une colonne remplie par défaut, ou un collage. "+
			"À faire : la faire confirmer ; si le chiffre manque, vider la colonne.", m.name, what, m.n)
	}
}

// say tells the totals that differ from the sum of their parts, rounding apart.
func (a *addition) say(say sayer) {
	wrong, first := a.wrong, a.first
	if a.step >= 10 && math.Mod(a.step, 10) == 0 {
		wrong, first = a.rounds[1], a.firsts[1]
	} else if a.step >= 5 && math.Mod(a.step, 5) == 0 {
		wrong, first = a.rounds[0], a.firsts[0]
	}
	if a.n == 0 || wrong.n == 0 {
		return
	}
	var names []string
	for _, p := range a.parts {
		names = append(names, p.id)
	}
	what, cause := "la somme de "+strings.Join(names, " + "), "une colonne en trop, en moins ou d'une autre année"
	if a.kind == "sexes" {
		what, cause = "femmes + hommes ("+strings.Join(names, " + ")+")", "une colonne d'un autre champ ou d'une autre année, ou une perturbation"
	}
	say(a.kind, "attention", a.total.id, "%s diffère de %s sur %d ligne(s) de %d (%s ; %s). Cause probable : %s. À faire : vérifier les colonnes ; si le "+
		"producteur brouille ses chiffres, protection: perturbation dans la fiche.", a.total.name, what, wrong.n, a.n, wrong, first, cause)
}
