package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// A ColumnProfile is what the cells of a column look like, over the whole table.
type ColumnProfile struct {
	Name         string         `json:"name"`
	Label        string         `json:"label,omitempty"` // of the row above the codes, where there are two header rows
	Kind         string         `json:"kind"`            // "code", "number", "note", "text" or "empty"
	Level        string         `json:"level,omitempty"` // of the zones a column of codes names
	Values       int            `json:"values"`          // cells that are filled in
	Missing      int            `json:"missing"`         // cells that are empty
	Statuts      map[string]int `json:"statuts,omitempty"`
	Distinct     int            `json:"distinct"` // different values; no more than 1000 are counted
	MoreDistinct bool           `json:"more_distinct,omitempty"`
	Min          *float64       `json:"min,omitempty"`
	Max          *float64       `json:"max,omitempty"`
	Decimal      string         `json:"decimal,omitempty"`   // "," or "."; "mixed" when both occur
	Thousands    string         `json:"thousands,omitempty"` // the character that parts them, such as "U+202F"
	Marks        []string       `json:"marks,omitempty"`     // cells of a column of figures that are neither numbers nor usual marks

	numbers, others int
	commas, points  int
	padded          bool // a number written with a leading zero: a code
	whole           bool // no number has decimals
	signs           int  // U+FFFD and the like
	firstSign       int
	parted          map[rune]int
	seen            map[uint64]struct{}
	marks           map[string]int // at most maxMarks of them
}

const (
	maxDistinct = 1000    // values of an ordinary column counted apart
	maxKeys     = 1 << 19 // keys counted apart: beyond, "more than"
	maxMarks    = 4
	headRows    = 400 // rows looked at to find the header and the columns of codes
)

// A codeShape is how the codes of a level are written.
type codeShape struct {
	level   string
	shape   *regexp.Regexp
	lost    *regexp.Regexp // the same without its leading zeros
	width   int            // with them
	names   *regexp.Regexp // usual names of its column, in upper case
	confirm func(codes []string) bool
}

// codeShapes are the levels known by the look of their codes, the finest first.
var codeShapes = []codeShape{
	{level: "carreau200", shape: regexp.MustCompile(`^(CRS3035RES)?200mN\d+E\d+$`), names: regexp.MustCompile(`INSPIRE|CARREAU|GRID|IDCAR`)},
	{level: "carreau1000", shape: regexp.MustCompile(`^(CRS3035RES)?(1000m|1km)N\d+E\d+$`), names: regexp.MustCompile(`INSPIRE|CARREAU|GRID|IDCAR`)},
	{level: "qpv", shape: regexp.MustCompile(`^Q[PN](\d{3}|2[AB]\d|02[AB])\d{2,3}[A-Z]?$`), names: regexp.MustCompile(`QP|QN|CODGEO|^CODE$`)},
	{level: "iris", shape: regexp.MustCompile(`^(0[1-9]|[1-8]\d|9[0-5]|2[AB])\d{7}$|^97\d{7}$`), lost: regexp.MustCompile(`^[1-9]\d{7}$`), width: 9,
		names: regexp.MustCompile(`IRIS|CODGEO|^CODE$|^GEO`), confirm: func(codes []string) bool { return share(codes, siren) < 0.5 }},
	{level: "epci", shape: regexp.MustCompile(`^2[04]\d{7}$`), names: regexp.MustCompile(`EPCI|SIREN|CODGEO|^CODE$`),
		confirm: func(codes []string) bool { return share(codes, siren) >= 0.9 }},
	{level: "commune", shape: regexp.MustCompile(`^(0[1-9]|[1-8]\d|9[0-5]|2[AB])\d{3}$|^9[78]\d{3}$`), lost: regexp.MustCompile(`^[1-9]\d{3}$`), width: 5,
		names: regexp.MustCompile(`^(CODGEO|CODE_?GEO|COM|COM\d+|DEPCOM|ID_?COM|COMMUNE|CODE|CODE_?COM(MUNE)?|.*INSEE.*|GEO)$`)},
	{level: "departement", shape: regexp.MustCompile(`^(0[1-9]|[1-8]\d|9[0-5]|2[AB]|97[1-8])$`), lost: regexp.MustCompile(`^[1-9]$`), width: 2,
		names: regexp.MustCompile(`^(DEP|ID_?DEP|DEPARTEMENT|CODE_?DEP(ARTEMENT)?|CODGEO|CODE|GEO)$`)},
	{level: "region", shape: regexp.MustCompile(`^(0[1-6]|11|24|27|28|32|44|52|53|75|76|84|93|94)$`), lost: regexp.MustCompile(`^[1-6]$`), width: 2,
		names: regexp.MustCompile(`^(REG|ID_?REG|REGION|CODE_?REG(ION)?|CODGEO|CODE|GEO)$`), confirm: func(codes []string) bool { return len(codes) >= 5 }},
}

// anyCode is the look of a code of no known level.
var anyCode = codeShape{level: "", shape: regexp.MustCompile(`^\S+$`)}

// otherCodes are the names of columns whose codes look like those of a level, and are something else.
var otherCodes = regexp.MustCompile(`^(UU|TUU|TDUU|AU|AAV|TAAV|TDAAV|CATEAAV|ZE|BV|CV|CAN|CANTON|ARR|ARRONDISSEMENT|CHEF_?LIEU|POSTAL|CODE_?POSTAL|CP|TNCC|TRIRIS|GRD|SIRET|CTCD)(_|\d|$)`)

// codeNames are the names of columns that hold a code, whatever its look.
var codeNames = regexp.MustCompile(`^(ID|FID|GID|OGC_FID|OBJECTID|CODE.*|TYP.*|NATURE.*|TYPECOM|MODIF_IRIS|LAB_IRIS|IRIS|REG|DEP|ID_?REG|ID_?DEP|REG_.*|ARRONDISSEMENT|NIVGEO|.*VINTAGE|MILLESIME|ANNEE|AN|YEAR|TIME_PERIOD)$`)

var noteNames = regexp.MustCompile(`(?i)^([a-z]+_)?note(_[a-z_]+|\d+)?$`)

// siren says whether nine digits are a number of the SIREN register: the last one is their key (Luhn).
func siren(code string) bool {
	sum := 0
	for i := range len(code) {
		d := int(code[len(code)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func share(codes []string, is func(string) bool) float64 {
	n := 0
	for _, c := range codes {
		if is(c) {
			n++
		}
	}
	return float64(n) / float64(max(1, len(codes)))
}

// A keyProfile is a column whose values look like the codes of a level.
type keyProfile struct {
	at     int
	shape  *codeShape
	score  float64
	fit    int // rows that have such a code
	short  int // of which without their leading zeros
	filled int // rows that have something

	seen    map[uint64]struct{}
	more    bool // more than maxKeys
	twice   int  // rows whose code was met before
	strange []keyAt
	others  int // rows with something else than a code
	repeat  []keyAt

	geography func(code string) (known, covered bool)
	unknown   []keyAt
	nUnknown  int
	nCovered  int
}

// A keyAt is a key and the line it is on.
type keyAt struct {
	Code string `json:"code"`
	Line int    `json:"line"`
}

// A profile is a table gone through once, in bounded memory.
type profile struct {
	header    []string
	headerRow int // line of the file; 0 when the format names its columns itself
	labels    []string
	above     []string // text of the rows above the header
	columns   []ColumnProfile
	keys      []*keyProfile
	rows      int
	footnotes []keyAt // rows with one cell only, after the header
	ragged    int     // rows with more cells than the header
	unnamed   map[int]int
	seed      maphash.Seed
}

// A headRow is a row kept to find the header.
type headRow struct {
	line  int
	cells []string
}

// profileRows goes through a table. header is nil where it is one of the rows. geography gives, for a level, what
// says whether a zone is known; it may return nil.
func profileRows(rows Rows, header []string, geography func(level string) func(string) (bool, bool)) (*profile, error) {
	p := &profile{header: header, unnamed: map[int]int{}, seed: maphash.MakeSeed()}
	var head []headRow
	bytes := 0
	more := true // a reader at its end is not asked again
	for len(head) < headRows && bytes < 8<<20 {
		if more = rows.Next(); !more {
			break
		}
		cells := slices.Clone(rows.Cells())
		for _, c := range cells {
			bytes += len(c)
		}
		head = append(head, headRow{rows.Line(), cells})
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	first := 0
	if header == nil {
		first = p.findHeader(head)
	}
	for i, h := range p.header {
		p.header[i] = strings.Trim(h, blanks+"\r\n\uFEFF")
	}
	p.columns = make([]ColumnProfile, len(p.header))
	for i := range p.columns {
		c := &p.columns[i]
		c.Name, c.whole = p.header[i], true
		if i < len(p.labels) && p.labels[i] != c.Name {
			c.Label = strings.Join(strings.Fields(p.labels[i]), " ")
		}
		c.seen, c.marks, c.parted, c.Statuts = map[uint64]struct{}{}, map[string]int{}, map[rune]int{}, map[string]int{}
	}
	p.findKeys(head[first:])
	for _, k := range p.keys {
		if geography != nil {
			k.geography = geography(k.shape.level)
		}
	}
	for _, r := range head[first:] {
		p.add(r.line, r.cells)
	}
	for more && rows.Next() {
		p.add(rows.Line(), rows.Cells())
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	p.finish()
	return p, nil
}

// findHeader finds the header among the first rows, and returns where the rows after it begin. The columns whose
// cells further down are figures or codes tell: in them the rows of data have such cells, the header has words.
func (p *profile) findHeader(head []headRow) int {
	width := 0
	for _, r := range head {
		width = max(width, len(r.cells))
	}
	filled := func(r headRow) (n int) {
		for _, c := range r.cells {
			if strings.Trim(c, blanks) != "" {
				n++
			}
		}
		return n
	}
	var body []headRow // the last half of what is there, where there is no header any more
	for _, r := range head[len(head)/2:] {
		if filled(r) > 1 || width < 2 && filled(r) > 0 {
			body = append(body, r)
		}
	}
	typed, dated := make([]bool, width), make([]bool, width)
	any := false
	for i := range typed {
		figures, words, years := 0, 0, 0
		for _, r := range body {
			switch s := strings.Trim(cell(r.cells, i), blanks); {
			case s == "":
			case looksTyped(s):
				if figures++; isYear(s) {
					years++
				}
			default:
				words++
			}
		}
		typed[i], dated[i] = figures > 0 && figures >= 4*words, 2*years > figures
		any = any || typed[i]
	}
	// In the header the typed columns hold names; a year may be one, where what is below is not years.
	yearsOnly := func(cells []string) bool {
		for i, t := range typed {
			if s := strings.Trim(cell(cells, i), blanks); t && s != "" && looksTyped(s) && (!isYear(s) || dated[i]) {
				return false
			}
		}
		return true
	}
	isData := func(r headRow) bool {
		figures, words := 0, 0
		for i, t := range typed {
			if s := strings.Trim(cell(r.cells, i), blanks); t && s != "" {
				if looksTyped(s) {
					figures++
				} else {
					words++
				}
			}
		}
		return figures > 0 && figures >= words
	}
	at := -1
	if any {
		for i, r := range head {
			if filled(r) == 0 {
				continue
			}
			if isData(r) {
				if at < 0 || !yearsOnly(r.cells) {
					break
				}
			}
			if filled(r) > 1 || width == 1 {
				at = i
			}
		}
		if at == len(head)-1 && len(head) > 1 || at < 0 { // nothing but words in the first rows, or figures from the first
			at = -1
		}
	}
	if at < 0 { // the first row that is about as wide as the others
		usual := map[int]int{}
		best := 0
		for _, r := range head {
			n := filled(r)
			if usual[n]++; n > 1 && (usual[n] > usual[best] || best == 0) {
				best = n
			}
		}
		for i, r := range head {
			if n := filled(r); n > 0 && 10*n >= 8*best {
				at = i
				break
			}
		}
	}
	if at < 0 {
		p.header = []string{}
		return 0
	}
	p.header, p.headerRow = slices.Clone(head[at].cells), head[at].line
	for i := at - 1; i >= 0; i-- {
		if 3*filled(head[i]) >= 2*filled(head[at]) && p.labels == nil && at > 0 {
			p.labels = head[i].cells
			continue
		}
		if t := strings.TrimSpace(strings.Join(head[i].cells, " ")); t != "" {
			p.above = append([]string{strings.Join(strings.Fields(t), " ")}, p.above...)
		}
	}
	return at + 1
}

// looksTyped says whether a cell is a figure, a usual mark of an absent one, or the code of a zone.
func looksTyped(s string) bool {
	if parses(s) {
		return true
	}
	if _, ok := tokens[strings.ToLower(s)]; ok {
		return true
	}
	for i := range codeShapes {
		if codeShapes[i].shape.MatchString(s) {
			return true
		}
	}
	return false
}

func isYear(s string) bool {
	return len(s) == 4 && (s[:2] == "19" || s[:2] == "20") && parses(s)
}

// findKeys finds the columns that look like codes of zones.
func (p *profile) findKeys(head []headRow) {
	for i, name := range p.header {
		if name == "" || len(head) == 0 {
			continue
		}
		upper := strings.ToUpper(name)
		var filled []string
		for _, r := range head {
			if s := plainCode(cell(r.cells, i)); s != "" {
				filled = append(filled, s)
			}
		}
		if 2*len(filled) < min(len(head), 10) || otherCodes.MatchString(upper) {
			continue
		}
		for k := range codeShapes {
			shape := &codeShapes[k]
			full, short := 0, 0
			var codes []string
			for _, s := range filled {
				switch {
				case shape.shape.MatchString(s):
					full++
					codes = append(codes, s)
				case shape.lost != nil && shape.lost.MatchString(s):
					short++
				}
			}
			named := shape.names.MatchString(upper)
			fit := full
			// Where no code is whole, only a name tells: "1001" may be anything.
			if full > 0 && (named || i == 0) || named && shape.width >= 5 {
				fit += short
			}
			// One or two rows of totals, where the table is short.
			if fit == 0 || float64(fit) < 0.9*float64(len(filled)) && fit < len(filled)-2 || fit <= len(filled)/2 {
				continue
			}
			if shape.confirm != nil && !shape.confirm(codes) {
				continue
			}
			// Five digits are a population as well, two are anything.
			if !named && (shape.width == 5 && i > 0 || shape.width == 2) {
				continue
			}
			key := &keyProfile{at: i, shape: shape, seen: map[uint64]struct{}{}}
			if key.score = -0.02 * float64(min(i, 20)); named {
				key.score += 0.5
			}
			if i == 0 {
				key.score += 0.1
			}
			p.keys = append(p.keys, key)
		}
	}
	slices.SortStableFunc(p.keys, func(a, b *keyProfile) int { return cmp.Compare(b.score, a.score) })
	const most = 8
	p.keys = p.keys[:min(len(p.keys), most)]
	for _, id := range idColumns { // where no code is known, one that has the name of a code
		if i := slices.IndexFunc(p.header, func(h string) bool { return strings.ToLower(h) == id }); i >= 0 && len(head) > 0 {
			p.keys = append(p.keys, &keyProfile{at: i, shape: &anyCode, score: -5, seen: map[uint64]struct{}{}})
			break
		}
	}
}

// add takes a row into account.
func (p *profile) add(line int, cells []string) {
	n, only := 0, ""
	for _, c := range cells {
		if strings.Trim(c, blanks) != "" {
			if n++; n == 1 {
				only = c
			}
		}
	}
	if n == 0 {
		return
	}
	if n == 1 && len(p.header) > 2 && !looksTyped(plainCode(only)) {
		if len(p.footnotes) < maxBad {
			p.footnotes = append(p.footnotes, keyAt{only, line})
		}
		return
	}
	p.rows++
	for i, s := range cells {
		if i >= len(p.columns) {
			if strings.Trim(s, blanks) != "" {
				p.ragged++
				break
			}
			continue
		}
		if p.columns[i].Name == "" {
			if strings.Trim(s, blanks) != "" {
				p.unnamed[i]++
			}
			continue
		}
		p.columns[i].add(p.seed, s, line)
	}
	for _, k := range p.keys {
		k.add(p.seed, plainCode(cell(cells, k.at)), line)
	}
	if p.rows == 10*headRows && len(p.keys) > 3 { // enough seen: the keys that repeat need not be followed
		p.sortKeys()
		for _, k := range p.keys[2 : len(p.keys)-1] {
			p.sayLevel(k)
		}
		p.keys = []*keyProfile{p.keys[0], p.keys[1], p.keys[len(p.keys)-1]}
	}
}

func (c *ColumnProfile) add(seed maphash.Seed, raw string, line int) {
	s := strings.Trim(raw, blanks+"\r\n")
	if s == "" {
		return
	}
	c.Values++
	if c.signs == 0 && strings.ContainsRune(s, '\uFFFD') {
		c.firstSign = line
	}
	if strings.ContainsRune(s, '\uFFFD') {
		c.signs++
	}
	if !c.MoreDistinct {
		if c.seen[maphash.String(seed, s)] = struct{}{}; len(c.seen) > maxDistinct {
			c.MoreDistinct = true
		}
	}
	v, err := parseNumber(s, "")
	if err != nil {
		if statut, ok := tokens[strings.ToLower(s)]; ok {
			c.Statuts[statut.String()]++
			return
		}
		c.others++
		if len(c.marks) < maxMarks || c.marks[s] > 0 {
			c.marks[s]++
		}
		return
	}
	c.numbers++
	if c.Min == nil {
		c.Min, c.Max = new(float64), new(float64)
		*c.Min, *c.Max = v, v
	}
	*c.Min, *c.Max = min(*c.Min, v), max(*c.Max, v)
	if len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9' {
		c.padded = true
	}
	if i := strings.IndexAny(s, ",."); i >= 0 {
		if s[i] == ',' {
			c.commas++
		} else {
			c.points++
		}
		if v != math.Trunc(v) {
			c.whole = false
		}
	}
	if len(s) > 4 {
		for _, r := range s[1:] {
			if strings.ContainsRune(blanks, r) {
				c.parted[r]++
				break
			}
		}
	}
}

func (k *keyProfile) add(seed maphash.Seed, code string, line int) {
	if code == "" {
		return
	}
	k.filled++
	switch {
	case k.shape.shape.MatchString(code):
	case k.shape.lost != nil && k.shape.lost.MatchString(code):
		k.short++
		code = restoreZeros(code, k.shape.width)
	default:
		if k.others++; len(k.strange) < maxBad {
			k.strange = append(k.strange, keyAt{code, line})
		}
		return
	}
	k.fit++
	h := maphash.String(seed, code)
	if _, ok := k.seen[h]; ok {
		if k.twice++; len(k.repeat) < 5 {
			k.repeat = append(k.repeat, keyAt{code, line})
		}
		return
	}
	if len(k.seen) == maxKeys {
		k.more = true
		return
	}
	k.seen[h] = struct{}{}
	if k.geography != nil {
		known, covered := k.geography(code)
		if known {
			k.nCovered++
		} else if covered {
			if k.nUnknown++; len(k.unknown) < 10 {
				k.unknown = append(k.unknown, keyAt{code, line})
			}
		}
	}
}

// sortKeys puts the best key first: one whose codes do not repeat, then the likeliest column, then the finest level.
func (p *profile) sortKeys() {
	rank := func(k *keyProfile) float64 {
		if k.shape == &anyCode {
			return k.score
		}
		r := k.score + float64(k.fit)/float64(max(1, p.rows))
		if k.shape.level == "region" { // their codes are those of départements too
			r += 0.01
		}
		if k.twice == 0 {
			r += 2
		} else {
			r += float64(len(k.seen)) / float64(max(1, k.fit)) // nearly unique comes near
		}
		return r
	}
	slices.SortStableFunc(p.keys, func(a, b *keyProfile) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), slices.IndexFunc(codeShapes, func(s codeShape) bool { return s.level == a.shape.level })-
			slices.IndexFunc(codeShapes, func(s codeShape) bool { return s.level == b.shape.level }))
	})
}

// sayLevel writes with its column that it holds codes of a level.
func (p *profile) sayLevel(k *keyProfile) {
	if c := &p.columns[k.at]; c.Level == "" && 10*k.fit >= 9*k.filled {
		c.Level = k.shape.level
	}
}

func (p *profile) finish() {
	// The rows to come may not be like the first ones.
	p.keys = slices.DeleteFunc(p.keys, func(k *keyProfile) bool {
		return 10*k.fit < 9*k.filled && k.others > 2 && p.rows > 20 && 2*k.fit < 3*k.others
	})
	p.sortKeys()
	for _, k := range p.keys {
		p.sayLevel(k)
	}
	for i := range p.columns {
		c := &p.columns[i]
		c.Distinct, c.Missing = min(len(c.seen), maxDistinct), p.rows-c.Values
		c.seen = nil
		upper := strings.ToUpper(c.Name)
		switch {
		case c.Values == 0:
			c.Kind = "empty"
		case noteNames.MatchString(c.Name):
			c.Kind = "note"
		case c.Level != "" || len(p.keys) > 0 && p.keys[0].at == i || c.padded || otherCodes.MatchString(upper) || codeNames.MatchString(upper) && (c.whole || c.numbers == 0):
			c.Kind = "code"
		case c.numbers > 0 && c.others == 0 || c.numbers >= 3*c.others && len(c.marks) < maxMarks:
			c.Kind = "number"
			c.Marks = slices.Sorted(maps.Keys(c.marks))
		case c.numbers == 0 && c.others == 0:
			c.Kind = "number" // nothing but marks of absence
		default:
			c.Kind = "text"
		}
		if c.Kind != "number" {
			c.Min, c.Max = nil, nil
			if c.Kind != "note" {
				c.Statuts = nil
			}
			continue
		}
		switch {
		case c.commas > 0 && c.points > 0:
			c.Decimal = "mixed"
		case c.commas > 0:
			c.Decimal = ","
		case c.points > 0:
			c.Decimal = "."
		}
		for _, r := range slices.Sorted(maps.Keys(c.parted)) {
			c.Thousands = fmt.Sprintf("U+%04X", r)
		}
		if len(c.Statuts) == 0 {
			c.Statuts = nil
		}
	}
}

// figures counts the columns of figures.
func (p *profile) figures() (n int) {
	for i := range p.columns {
		if p.columns[i].Kind == "number" {
			n++
		}
	}
	return n
}

// column finds a column by its name.
func (p *profile) column(name string) *ColumnProfile {
	for i := range p.columns {
		if p.columns[i].Name == name {
			return &p.columns[i]
		}
	}
	return nil
}

// shown lists keys with their lines, for a message: the first ones.
func shown(keys []keyAt, total int) string {
	var b strings.Builder
	for i, k := range keys {
		if i == 5 {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s (line %d)", k.Code, k.Line)
	}
	if n := total - min(5, len(keys)); n > 0 {
		fmt.Fprintf(&b, " and %d more", n)
	}
	return b.String()
}

var errNoTable = errors.New("no table in it: its rows have no header in common")

// statutCount adds up the marks of absence of all the columns.
func (p *profile) statuts() map[string]int {
	n := map[string]int{}
	for _, c := range p.columns {
		for s, k := range c.Statuts {
			n[s] += k
		}
	}
	return n
}
