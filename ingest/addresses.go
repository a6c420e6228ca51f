package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// An AddressBook is one or more files of the Base Adresse Nationale (BAN) in memory, indexed to match addresses:
// about 40 bytes a number, whatever the length of its row. It does not change once read.
type AddressBook struct {
	Rows    int // addresses read
	Skipped int // rows without coordinates, left out

	streets []street
	numbers []houseNumber       // ordered by street, number, suffix
	byName  map[string][]int32  // core of the name → streets
	byTown  map[string][]int32  // INSEE code → streets
	towns   map[string][]string // core of a commune's name, former ones included → INSEE codes
	posts   map[string][]string // postcode → INSEE codes
}

type street struct {
	name, full, core      string // as the BAN writes it; [words] with and without articles
	insee, town, postcode string
	former                string // core of the name of the former commune
	other                 string // other postcodes of the street, each after a space
	first, last           int32  // its numbers: numbers[first:last]
}

type houseNumber struct {
	street, num int32
	suffix      string // "", "bis", "a"; one string for all that are equal
	lon, lat    float64
}

// An Address is what is to be matched. Text may hold all of it; a part that has its own column is given apart.
type Address struct {
	Text     string // "12 bis av. Jean Jaurès, 13140 Miramas", or the street alone
	Number   string // "12", "12 bis"
	Postcode string
	Insee    string // INSEE code of the commune
	Town     string
}

// How exactly an address was matched.
const (
	MatchNumber  = "numero"         // the very number
	MatchSuffix  = "indice_voisin"  // the number, with another suffix or none
	MatchNearest = "numero_proche"  // the nearest known number of the street
	MatchStreet  = "voie"           // the middle of the street
	MatchNone    = "non_rapprochee" // not matched: Reason says why
)

// A Match is where an address is, or why nobody can say. An address that fits two places equally well has none.
type Match struct {
	Lon, Lat float64 // degrees
	Score    float64 // 0–1: 1 for the very number of the very street of the commune said; 0 when not matched
	Kind     string
	Label    string // the address of the BAN, empty when not matched
	Reason   string // in French, when not matched
}

// Parts of a score, multiplied: how the street's name, the number and the commune were recognised.
const (
	nameArticles = 0.98 // articles differ: "rue Paix" for "rue de la Paix"
	nameTypo     = 0.85 // one letter out of six at most, never a digit
	nameInitial  = 0.85 // "av. J. Jaurès"
	nameNoType   = 0.85 // "12 Jean Jaurès"
	namePartial  = 0.80 // "rue Jaurès" for "rue Jean Jaurès"
	nameType     = 0.55 // avenue for boulevard: under the least score asked for by default

	numberLetter  = 0.97 // "12 B" for "12 bis"
	numberSuffix  = 0.90
	numberNearest = 0.80 // at most nearestGap away
	numberNone    = 0.70 // the address has no number
	numberFar     = 0.60 // it has one, far from all those known

	townPostcode = 0.95 // the postcode alone is recognised
	townDiffers  = 0.90 // postcode and commune contradict each other
	townUnsaid   = 0.90 // neither is given: the street is the only one of its name

	nearestGap = 10
)

// ReadAddressBook reads files of the BAN as published on adresse.data.gouv.fr ("adresses-13.csv.gz"). The error
// joins the bad cells (a [*CellError] each, a hundred at most).
func ReadAddressBook(paths ...string) (*AddressBook, error) {
	b := &AddressBook{byName: map[string][]int32{}, byTown: map[string][]int32{}, towns: map[string][]string{}, posts: map[string][]string{}}
	var errs []error
	known := map[string]int32{}
	suffixes := map[string]string{}
	for _, path := range paths {
		if err := b.read(path, known, suffixes); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if b.Rows == 0 {
		return nil, fmt.Errorf("%s: no address with its coordinates: download the file again", strings.Join(paths, ", "))
	}
	slices.SortStableFunc(b.numbers, func(x, y houseNumber) int {
		return cmp.Or(cmp.Compare(x.street, y.street), cmp.Compare(x.num, y.num), cmp.Compare(x.suffix, y.suffix))
	})
	for i := range b.numbers {
		s := &b.streets[b.numbers[i].street]
		if s.last == 0 {
			s.first = int32(i)
		}
		s.last = int32(i) + 1
	}
	for i := range b.streets {
		b.index(int32(i))
	}
	return b, nil
}

// banColumns are those of the published file; the first seven are needed.
var banColumns = []string{"numero", "nom_voie", "code_postal", "code_insee", "nom_commune", "lon", "lat", "rep", "id", "nom_ancienne_commune"}

func (b *AddressBook) read(path string, known map[string]int32, suffixes map[string]string) error {
	rows, _, err := OpenRows(path, Layout{})
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() && blank(rows.Cells()) {
	}
	if err := rows.Err(); err != nil {
		return err
	}
	header := rows.Cells()
	at := make([]int, len(banColumns))
	var missing []string
	for i, name := range banColumns {
		at[i] = slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(strings.Trim(h, blanks), name) })
		if at[i] < 0 && i < 7 {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return fmt.Errorf("%s:%d: no column %s: this is not a BAN file: take adresses-NN.csv.gz of the département on adresse.data.gouv.fr",
			path, rows.Line(), strings.Join(missing, ", "))
	}
	get := func(i int) string {
		if at[i] < 0 {
			return ""
		}
		return strings.Trim(cell(rows.Cells(), at[i]), blanks)
	}
	var bad []error
	more := 0
	report := func(column int, format string, args ...any) {
		if len(bad) == maxBad {
			more++
			return
		}
		bad = append(bad, &CellError{path, rows.Line(), banColumns[column], fmt.Errorf(format, args...)})
	}
	last, lastKey := int32(-1), ""
	for rows.Next() {
		if blank(rows.Cells()) {
			continue
		}
		if get(5) == "" || get(6) == "" {
			b.Skipped++
			continue
		}
		num, err := strconv.ParseUint(get(0), 10, 31)
		if err != nil {
			report(0, "%q is not a house number: take the published file as it is", get(0))
			continue
		}
		lon, errLon := ParseNumber(get(5))
		lat, errLat := ParseNumber(get(6))
		switch {
		case errLon != nil:
			report(5, "%q %v: degrees are expected", get(5), errLon)
			continue
		case errLat != nil:
			report(6, "%q %v: degrees are expected", get(6), errLat)
			continue
		case math.Abs(lon) > 180 || math.Abs(lat) > 90:
			report(5, "%g, %g are not degrees: the columns lon and lat are, x and y are not", lon, lat)
			continue
		}
		id := get(8)
		if i := strings.LastIndexByte(id, '_'); i >= 0 && strings.Count(id, "_") > 1 {
			id = strings.Join(strings.SplitN(id, "_", 3)[:2], "_") // the street's own part
		}
		key := get(3) + "|" + id + "|" + get(1) + "|" + get(9)
		if key != lastKey {
			i, ok := known[key]
			if !ok {
				i = int32(len(b.streets))
				known[strings.Clone(key)] = i
				full := typed(words(get(1)))
				b.streets = append(b.streets, street{name: strings.Clone(get(1)), full: strings.Join(full, " "), core: core(full),
					insee: strings.Clone(get(3)), town: strings.Clone(get(4)), postcode: strings.Clone(get(2)), former: core(words(get(9)))})
			}
			last, lastKey = i, key
		}
		s := &b.streets[last]
		if p := get(2); p != s.postcode && !strings.Contains(s.other, " "+p) {
			s.other += " " + p
		}
		suffix := strings.ToLower(get(7))
		if known, ok := suffixes[suffix]; ok {
			suffix = known
		} else {
			suffix = strings.Clone(suffix)
			suffixes[suffix] = suffix
		}
		b.numbers = append(b.numbers, houseNumber{last, int32(num), suffix, lon, lat})
		b.Rows++
	}
	if err := rows.Err(); err != nil {
		bad = append(bad, err)
	}
	if more > 0 {
		bad = append(bad, fmt.Errorf("%s: %d more bad cells", path, more))
	}
	return errors.Join(bad...)
}

func (b *AddressBook) index(i int32) {
	add := func(m map[string][]string, key, code string) {
		if key != "" && !slices.Contains(m[key], code) {
			m[key] = append(m[key], code)
		}
	}
	s := &b.streets[i]
	b.byName[s.core] = append(b.byName[s.core], i)
	b.byTown[s.insee] = append(b.byTown[s.insee], i)
	town := words(s.town)
	add(b.towns, core(town), s.insee)
	add(b.towns, s.former, s.insee)
	if n := len(town); n > 2 && town[n-1] == "arrondissement" { // Paris, Lyon, Marseille
		add(b.towns, core(town[:n-2]), s.insee)
		add(b.towns, core(town[:n-1]), s.insee)
		add(b.towns, core(append(slices.Clone(town[:n-2]), strings.TrimRight(town[n-2], "erm"))), s.insee)
	}
	for p := range strings.FieldsSeq(s.postcode + s.other) {
		add(b.posts, p, s.insee)
	}
}

// Match finds where an address is. It never guesses: two places that fit equally well are none.
func (b *AddressBook) Match(a Address) Match {
	readings := b.readings(a)
	if len(readings) == 0 {
		return Match{Kind: MatchNone, Reason: "adresse vide"}
	}
	var best Match
	found := int32(-1)
	tie, unknownTown := false, true
	for _, r := range readings {
		// Between communes the name of the street decides, never a number that one of them happens to lack.
		s, score, several := int32(-1), 0.0, false
		for _, scope := range b.scopes(a, r) {
			unknownTown = false
			i, likeness, more := b.find(r, scope)
			switch likeness *= scope.score; {
			case likeness > score:
				s, score, several = i, likeness, more
			case i >= 0 && likeness == score:
				several = true
			}
		}
		if s < 0 {
			continue
		}
		m := b.place(s, r)
		m.Score = math.Round(m.Score*score*100) / 100
		switch {
		case m.Score > best.Score:
			best, found, tie = m, s, several
		case m.Score == best.Score && (s != found || several):
			tie = true
		}
	}
	switch {
	case unknownTown:
		return Match{Kind: MatchNone, Reason: "commune ou code postal absents du fichier d'adresses"}
	case found < 0:
		return Match{Kind: MatchNone, Reason: "voie introuvable"}
	case tie:
		return Match{Kind: MatchNone, Reason: "adresse ambiguë : plusieurs voies conviennent"}
	}
	return best
}

// A reading is one way to understand an address.
type reading struct {
	num            int // -1: none
	suffix         string
	street         []string // words of the street
	full, core     string
	town, postcode string // core of the commune's name, and postcode, when they are said
}

// readings lists the ways to understand an address, the likeliest first.
func (b *AddressBook) readings(a Address) []reading {
	var parts [][]string
	for part := range strings.FieldsFuncSeq(a.Text, func(r rune) bool { return r == ',' || r == ';' || r == '\n' || r == '\r' || r == '|' }) {
		if w := words(part); len(w) > 0 {
			parts = append(parts, w)
		}
	}
	town := core(trimCedex(words(a.Town)))
	postcode := strings.Join(words(a.Postcode), "")
	// The last five-digit word is the postcode, and what follows it the commune.
	if k := len(parts) - 1; a.Postcode == "" || a.Town == "" {
	search:
		for ; k >= 0; k-- {
			for i := len(parts[k]) - 1; i >= 0; i-- {
				if w := parts[k][i]; len(w) != 5 || !digits(w) || k+i == 0 {
					continue
				}
				if postcode == "" {
					postcode = parts[k][i]
				}
				after := slices.Clone(parts[k][i+1:])
				for _, p := range parts[k+1:] {
					after = append(after, p...)
				}
				if town == "" {
					town = core(trimCedex(after))
				}
				if parts = slices.Clone(parts[:k+1]); i > 0 {
					parts[k] = parts[k][:i]
				} else {
					parts = parts[:k]
				}
				break search
			}
		}
	}
	type split struct {
		parts [][]string
		town  string
	}
	splits := []split{{parts, town}}
	if town == "" {
		// Without a postcode to mark it, the commune may end the text: both readings are tried.
		if n := len(parts); n > 1 && b.towns[core(trimCedex(parts[n-1]))] != nil {
			splits = append(splits, split{parts[:n-1], core(trimCedex(parts[n-1]))})
		} else if n > 0 {
			w := trimCedex(parts[n-1])
			for i := max(2, len(w)-townWords); i < len(w); i++ {
				if t := core(w[i:]); b.towns[t] != nil && !articles[w[i-1]] && !articles[w[i]] {
					splits = append(splits, split{append(slices.Clone(parts[:n-1]), w[:i]), t})
				}
			}
		}
	}
	var out []reading
	for _, s := range splits {
		add := func(num int, suffix string, street []string) {
			if len(out) == maxReadings {
				return
			}
			for i, w := range street { // what follows is inside the building
				if i > 0 && complements[w] {
					street = street[:i]
					break
				}
			}
			if c := core(street); c != "" {
				out = append(out, reading{num, suffix, street, strings.Join(street, " "), c, s.town, postcode})
			}
		}
		for _, p := range s.parts {
			if a.Number != "" {
				w := words(a.Number)
				num, suffix, used := houseNumberOf(w)
				if used == 0 {
					num = -1
				}
				if n, _, again := houseNumberOf(p); again > 0 && n == num && again < len(p) {
					p = p[again:] // the number stands in both columns
				}
				add(num, suffix, typed(p))
				continue
			}
			for i := range p {
				if num, suffix, used := houseNumberOf(p[i:]); used > 0 && i+used < len(p) {
					rest := p[i+used:]
					for len(rest) > 1 && digits(rest[0]) && streetTypes[rest[1]] != "" {
						rest = rest[1:] // "12-14 rue…": the first number stands for the range
					}
					add(num, suffix, typed(rest))
					if used == 2 && len(suffix) == 1 { // "12 r Voltaire": the letter belongs to the street
						add(num, "", typed(p[i+1:]))
					}
				}
			}
			if n := len(p); n > 2 && digits(p[n-1]) { // "rue Voltaire 12"
				if num, _, used := houseNumberOf(p[n-1:]); used > 0 {
					add(num, "", typed(p[:n-1]))
				}
			}
			if !digits(p[0]) {
				add(-1, "", typed(p))
			}
		}
		// "12, rue Voltaire": the number has a part of its own.
		for i := 1; i < len(s.parts) && a.Number == ""; i++ {
			if num, suffix, used := houseNumberOf(s.parts[i-1]); used > 0 && used == len(s.parts[i-1]) {
				add(num, suffix, typed(s.parts[i]))
			}
		}
	}
	return out
}

const (
	maxReadings = 32 // bounds the work on a cell that is no address at all
	townWords   = 8  // in the name of a commune
)

// houseNumberOf reads "12", "12 bis", "12bis", "12 b" at the beginning of w, and says how many words it took.
func houseNumberOf(w []string) (num int, suffix string, used int) {
	if len(w) == 0 {
		return 0, "", 0
	}
	i := 0
	for i < len(w[0]) && w[0][i] >= '0' && w[0][i] <= '9' {
		i++
	}
	if i == 0 || i > 5 {
		return 0, "", 0
	}
	num, _ = strconv.Atoi(w[0][:i])
	if rest := w[0][i:]; rest != "" {
		if !isSuffix(rest) {
			return 0, "", 0
		}
		return num, rest, 1
	}
	if len(w) > 1 && isSuffix(w[1]) {
		return num, w[1], 2
	}
	return num, "", 1
}

func isSuffix(s string) bool {
	return s == "bis" || s == "ter" || s == "quater" || len(s) == 1 && s[0] >= 'a' && s[0] <= 'z'
}

// A scope is where a street is looked for: communes, or everywhere.
type scope struct {
	towns    []string // INSEE codes; nil: everywhere
	postcode string   // tells apart streets of one name
	town     string   // core of the name said, which may be a former commune's
	score    float64
}

// scopes are the communes an address may be in. None: the book does not cover it.
func (b *AddressBook) scopes(a Address, r reading) []scope {
	in := func(codes []string, score float64) scope { return scope{codes, r.postcode, r.town, score} }
	if code := strings.ToUpper(strings.Join(words(a.Insee), "")); code != "" {
		if b.byTown[code] != nil {
			return []scope{in([]string{code}, 1)}
		}
		if prefix := arrondissements[code]; prefix != "" {
			var all []string
			for c := range b.byTown {
				if strings.HasPrefix(c, prefix) {
					all = append(all, c)
				}
			}
			if all != nil {
				slices.Sort(all)
				return b.narrow(in(all, 1))
			}
		}
		return nil
	}
	named, posted := b.towns[r.town], b.posts[r.postcode]
	var both []string
	for _, c := range named {
		if slices.Contains(posted, c) {
			both = append(both, c)
		}
	}
	switch {
	case both != nil:
		return []scope{in(both, 1)}
	case named != nil && posted != nil:
		return []scope{{named, "", r.town, townDiffers}, {posted, r.postcode, "", townDiffers}}
	case named != nil && r.postcode == "":
		return []scope{in(named, 1)}
	case named != nil:
		return []scope{{named, "", r.town, townDiffers}}
	case posted != nil:
		return []scope{in(posted, townPostcode)}
	case r.town == "" && r.postcode == "":
		return []scope{in(nil, townUnsaid)}
	}
	return nil
}

// narrow keeps the arrondissement a postcode names.
func (b *AddressBook) narrow(s scope) []scope {
	var kept []string
	for _, c := range s.towns {
		if slices.Contains(b.posts[s.postcode], c) {
			kept = append(kept, c)
		}
	}
	if kept != nil {
		s.towns = kept
	}
	return []scope{s}
}

// arrondissements gives the beginning of their codes by the code of the commune.
var arrondissements = map[string]string{"13055": "132", "69123": "6938", "75056": "751"}

// find looks for the street of a reading; -1 when there is none. several says that another one fits as well.
func (b *AddressBook) find(r reading, sc scope) (found int32, score float64, several bool) {
	found = -1
	consider := func(i int32, s float64) {
		st := &b.streets[i]
		// Between streets of one name in one commune, the former commune or the postcode decides.
		if sc.town != "" && st.former == sc.town {
			s += 2e-6
		}
		if sc.postcode != "" && (st.postcode == sc.postcode || strings.Contains(st.other, " "+sc.postcode)) {
			s += 1e-6
		}
		switch {
		case s > score:
			found, score, several = i, s, false
		case s == score:
			several = true
		}
	}
	for _, i := range b.byName[r.core] {
		if sc.towns != nil && !slices.Contains(sc.towns, b.streets[i].insee) {
			continue
		}
		if b.streets[i].full == r.full {
			consider(i, 1)
		} else {
			consider(i, nameArticles)
		}
	}
	if found >= 0 || sc.towns == nil {
		return found, min(score, 1), several
	}
	q := nameOf(r.core)
	for _, code := range sc.towns {
		for _, i := range b.byTown[code] {
			if s := q.likeness(b.streets[i].core); s > 0 {
				consider(i, s)
			}
		}
	}
	return found, math.Round(score*100) / 100, several
}

// A streetName is the core of a name, apart from its type of street.
type streetName struct {
	kind, body string
}

func nameOf(core string) streetName {
	if kind, body, ok := strings.Cut(core, " "); ok && isType[kind] {
		return streetName{kind, body}
	}
	return streetName{"", core}
}

// likeness says how well a name stands for another, 0 when it does not.
func (q streetName) likeness(core string) float64 {
	s := nameOf(core)
	switch {
	case q.body == s.body && q.kind == "":
		return nameNoType
	case q.body == s.body:
		return nameType
	case q.kind != s.kind:
		return 0
	case len(q.body) > 3 && strings.HasSuffix(s.body, " "+q.body):
		return namePartial
	case initials(q.body, s.body):
		return nameInitial
	}
	if n := max(len(q.body), len(s.body)); n >= 6 && sameDigits(q.body, s.body) && alike(q.body, s.body, 1+min(n/12, 1)) {
		return nameTypo
	}
	return 0
}

// initials says whether a name is another with first names cut to their initials.
func initials(q, s string) bool {
	if len(q) >= len(s) || strings.Count(q, " ") != strings.Count(s, " ") || !strings.Contains(q, " ") {
		return false
	}
	cut := false
	for {
		qw, qRest, more := strings.Cut(q, " ")
		sw, sRest, _ := strings.Cut(s, " ")
		if qw != sw {
			if len(qw) != 1 || !more || digits(qw) || sw[0] != qw[0] {
				return false
			}
			cut = true
		}
		if !more {
			return cut
		}
		q, s = qRest, sRest
	}
}

// sameDigits says whether two names have the same figures: "8 mai" is not "9 mai".
func sameDigits(a, b string) bool {
	for {
		i := strings.IndexAny(a, "0123456789")
		j := strings.IndexAny(b, "0123456789")
		if i < 0 || j < 0 {
			return i < 0 && j < 0
		}
		if a[i] != b[j] {
			return false
		}
		a, b = a[i+1:], b[j+1:]
	}
}

// alike says whether a and b are at most limit letters apart: one changed, added, lost, or two swapped.
func alike(a, b string, limit int) bool {
	if d := len(a) - len(b); d > limit || -d > limit {
		return false
	}
	const most = 64
	if len(a) >= most || len(b) >= most {
		return false
	}
	var before, last, row [most]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		if least > limit {
			return false
		}
		before, last = last, row
	}
	return last[len(b)] <= limit
}

// place finds the point of an address in its street.
func (b *AddressBook) place(i int32, r reading) Match {
	s := &b.streets[i]
	list := b.numbers[s.first:s.last]
	result := func(h houseNumber, kind string, score float64) Match {
		label := s.name
		if kind != MatchStreet {
			label = strings.Join(strings.Fields(fmt.Sprintf("%d %s %s", h.num, h.suffix, s.name)), " ")
		}
		return Match{Lon: h.lon, Lat: h.lat, Score: score, Kind: kind, Label: label + ", " + s.postcode + " " + s.town}
	}
	if r.num < 0 {
		return result(middle(list), MatchStreet, numberNone)
	}
	num := int32(r.num)
	from, _ := slices.BinarySearchFunc(list, num, func(h houseNumber, n int32) int { return cmp.Compare(h.num, n) })
	to := from
	for to < len(list) && list[to].num == num {
		to++
	}
	if same := list[from:to]; len(same) > 0 {
		long := map[string]string{"b": "bis", "t": "ter", "q": "quater", "bis": "b", "ter": "t", "quater": "q"}[r.suffix]
		for _, h := range same {
			if h.suffix == r.suffix {
				return result(h, MatchNumber, 1)
			}
		}
		for _, h := range same {
			if long != "" && h.suffix == long {
				return result(h, MatchNumber, numberLetter)
			}
		}
		return result(same[0], MatchSuffix, numberSuffix)
	}
	nearest := -1
	distance := func(h houseNumber) int32 { // the other side of the street is further
		d := max(h.num-num, num-h.num)
		return 2*d + d%2
	}
	for k := range list {
		if d := max(list[k].num-num, num-list[k].num); d <= nearestGap && (nearest < 0 || distance(list[k]) < distance(list[nearest])) {
			nearest = k
		}
	}
	if nearest >= 0 {
		return result(list[nearest], MatchNearest, numberNearest)
	}
	return result(middle(list), MatchStreet, numberFar)
}

// middle is the number closest to the mean of a street's: a place on the street, which its mean may not be.
func middle(list []houseNumber) houseNumber {
	var lon, lat float64
	for _, h := range list {
		lon += h.lon / float64(len(list))
		lat += h.lat / float64(len(list))
	}
	narrow := math.Cos(lat * math.Pi / 180)
	best, least := list[0], math.Inf(1)
	for _, h := range list {
		if d := math.Hypot((h.lon-lon)*narrow, h.lat-lat); d < least {
			best, least = h, d
		}
	}
	return best
}

// Plain writes a text without accents, case or punctuation, its words parted by one space: how names of streets,
// communes and columns are compared.
func Plain(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case unicode.Is(unicode.Mn, r): // an accent apart from its letter
			continue
		case r < 0x80:
			r = 0
		default:
			plain, ok := unaccented[unicode.ToLower(r)]
			if !ok {
				r = 0
				break
			}
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteString(plain)
			continue
		}
		if r == 0 {
			space = true
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteByte(byte(r))
	}
	return b.String()
}

var unaccented = func() map[rune]string {
	m := map[rune]string{'œ': "oe", 'æ': "ae", 'ß': "ss"}
	for plain, accented := range map[string]string{"a": "àâäáãå", "c": "ç", "e": "éèêë", "i": "îïíì", "n": "ñ", "o": "ôöóòõø", "u": "ùûüú", "y": "ÿý"} {
		for _, r := range accented {
			m[r] = plain
		}
	}
	return m
}()

// ParseNumber reads a figure as French producers write it: "1 234,5", "1234.5". The error completes a sentence
// that begins with the cell.
func ParseNumber(s string) (float64, error) { return parseNumber(s, "") }

// words are the plain words of a name, abbreviations written out.
func words(s string) []string {
	w := strings.Fields(Plain(s))
	out := w[:0]
	for _, x := range w {
		if n := len(out); n > 0 && (out[n-1] == "rond" && x == "point" || out[n-1] == "notre" && x == "dame") {
			out[n-1] += x
			continue
		}
		out = append(out, cmp.Or(abbreviations[x], x))
	}
	return out
}

// typed writes out the abbreviations that only mean a type of street at the beginning: "ch", "pl", "r".
func typed(w []string) []string {
	if len(w) < 2 || streetTypes[w[0]] == "" {
		return w
	}
	w = slices.Clone(w)
	w[0] = streetTypes[w[0]]
	return w
}

// core is a name without its articles.
func core(w []string) string {
	w = typed(w)
	var b strings.Builder
	for _, x := range w {
		if articles[x] {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(x)
	}
	return b.String()
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// trimCedex takes "cedex 3" and "france" off the end of a commune's name.
func trimCedex(w []string) []string {
	if n := len(w); n > 1 && w[n-1] == "france" {
		w = w[:n-1]
	}
	if i := slices.Index(w, "cedex"); i > 0 {
		w = w[:i]
	}
	return w
}

var articles = set("de du des d la le les l a au aux et en")

// complements begin what is inside a building, or is no address at all.
var complements = set("bat batiment bt appt apt app appartement esc escalier etage etg porte hall bp cs chez entree ent boite")

// abbreviations have one meaning wherever they stand in a name.
var abbreviations = wordPairs(`av avenue ave avenue aven avenue bd boulevard bld boulevard blvd boulevard boul boulevard bvd boulevard
	rte route imp impasse res residence fbg faubourg fg faubourg sq square trav traverse lotis lotissement
	all allee allees allee chem chemin che chemin crs cours rpt rondpoint st saint ste sainte gal general gen general
	cdt commandant cne capitaine cpt capitaine dr docteur mal marechal mgr monseigneur pdt president prof professeur
	sgt sergent lt lieutenant col colonel me maitre ham hameau dom domaine qai quai esp esplanade prom promenade
	nd notredame`)

// streetTypes are the words that begin the name of a street, and what they stand for there.
var streetTypes = func() map[string]string {
	m := wordPairs("r rue ch chemin pl place q quai qu quartier quart quartier lot lotissement rt route rpt rondpoint pce place")
	for t := range set(`rue avenue boulevard place chemin route impasse allee cours quai square traverse residence lotissement
		faubourg quartier passage montee sentier voie esplanade promenade hameau domaine rondpoint villa ruelle venelle
		mail parvis cite clos descente calade rampe draille zone parc`) {
		m[t] = t
	}
	return m
}()

// isType are the types of street once written out.
var isType = func() map[string]bool {
	m := map[string]bool{}
	for _, t := range streetTypes {
		m[t] = true
	}
	return m
}()

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

func wordPairs(list string) map[string]string {
	m := map[string]string{}
	w := strings.Fields(list)
	for i := 0; i+1 < len(w); i += 2 {
		m[w[i]] = w[i+1]
	}
	return m
}
