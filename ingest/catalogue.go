package ingest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"golang.org/x/text/unicode/norm"

	"observatoire/indicators"
)

// UnmarshalStrict reads YAML into v, a pointer. A key that v has no place for is an error, with its line and
// the nearest key there is; so are a key given twice, a value of another kind than its key's, a code whose zeros YAML
// would take for octal, and a second document. All but a key given twice are reported at once.
func UnmarshalStrict(name string, b []byte, v any) error {
	for i, line := range bytes.Split(b, []byte("\n")) {
		if !utf8.Valid(line) {
			return fmt.Errorf("%s:%d: not UTF-8: save the file as UTF-8", name, i+1)
		}
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return yamlError(name, err)
	}
	var bad []error
	first := true
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if !first {
			bad = append(bad, fmt.Errorf("%s:%d: a second document after ---: one is read: put it in a file of its own", name, doc.Body.GetToken().Position.Line))
			break
		}
		first = false
		bad = append(bad, faults(name, "", doc.Body, reflect.TypeOf(v))...)
		for _, tag := range ast.Filter(ast.TagType, doc.Body) { // which the library cannot all read
			t := tag.GetToken()
			bad = append(bad, fmt.Errorf("%s:%d: %s: a YAML tag, which has no use here: put the text in quotes if the mark is part of it", name, t.Position.Line, t.Value))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	if err := yaml.Unmarshal(b, v); err != nil {
		return yamlError(name, err)
	}
	return nil
}

// yamlError words an error of the YAML reader as ours are: file, line, what is wrong.
func yamlError(name string, err error) error {
	var te *yaml.TypeError
	if errors.As(err, &te) && te.Token != nil {
		return fmt.Errorf("%s:%d: %q: not the kind of value this key takes", name, te.Token.Position.Line, te.Token.Value)
	}
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		return fmt.Errorf("%s:%d: %s", name, ye.GetToken().Position.Line, yamlRemedy(ye.GetMessage()))
	}
	return fmt.Errorf("%s: %w", name, err)
}

var keyTwice = regexp.MustCompile(`^mapping key ("[^"]*") already defined at \[(\d+):\d+\]`)

// yamlRemedy says what to do about what the YAML reader met.
func yamlRemedy(message string) string {
	if m := keyTwice.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("the key %s is on line %s already: keep one of the two", m[1], m[2])
	}
	if strings.Contains(message, "'\t'") {
		return "a tab at the start of the line: indent with spaces"
	}
	if strings.Contains(message, "where sequence is expected") {
		return "a list is expected: write it in brackets, [a, b]"
	}
	return "not YAML here, or just above (" + message + "): check the indentation, and that each bracket, brace and quote is closed"
}

// LineOf is the line of a key of a YAML text, written as in layers[1].vintage, or of the nearest key around it; 0 when it
// has none.
func LineOf(b []byte, key string) int {
	file, err := parser.ParseBytes(b, 0)
	for ; err == nil && key != ""; key = key[:max(0, strings.LastIndexAny(key, ".["))] {
		at, err := yaml.PathString("$." + key)
		if err != nil {
			continue
		}
		if node, err := at.FilterFile(file); err == nil && node != nil {
			token := node.GetToken()
			if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
				token = m.Values[0].Key.GetToken()
			}
			return token.Position.Line
		}
	}
	return 0
}

var (
	selfReading = reflect.TypeFor[yaml.InterfaceUnmarshaler]()
	textReading = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// faults compares the keys of a node with the fields of the type it is meant for, and its values with what they hold.
// A type that reads itself is left to do so.
func faults(name, key string, node ast.Node, t reflect.Type) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(selfReading) || reflect.PointerTo(t).Implements(textReading) {
		return nil
	}
	switch n := node.(type) {
	case *ast.AnchorNode:
		return faults(name, key, n.Value, t)
	case *ast.AliasNode, *ast.TagNode, *ast.NullNode:
		return nil
	}
	token := node.GetToken()
	no := func(format string, args ...any) []error {
		at := fmt.Sprintf("%s:%d: ", name, token.Position.Line)
		if key != "" {
			at += key + ": "
		}
		return []error{errors.New(at + fmt.Sprintf(format, args...))}
	}
	var bad []error
	list, isList := node.(*ast.SequenceNode)
	_, isScalar := node.(ast.ScalarNode)
	isMap := !isList && !isScalar
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if !isList {
			return no("a list is expected: write it in brackets, [a, b], or a line beginning with - for each")
		}
		for _, v := range list.Values {
			bad = append(bad, faults(name, key, v, t.Elem())...)
		}
	case reflect.Map:
		if !isMap {
			return no("keys with their values are expected, such as key: value")
		}
		for _, kv := range pairs(node) {
			k := kv.Key.GetToken().Value
			if t.Key().Kind() == reflect.String {
				bad = append(bad, octal(name, key, kv.Key)...)
			}
			bad = append(bad, faults(name, k, kv.Value, t.Elem())...)
		}
	case reflect.Struct:
		fields := map[string]reflect.Type{}
		addFields(fields, t)
		if !isMap {
			return no("keys with their values are expected: %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		for _, kv := range pairs(node) {
			token := kv.Key.GetToken()
			ft, ok := fields[token.Value]
			if !ok {
				bad = append(bad, fmt.Errorf("%s:%d: unknown key %q: %s", name, token.Position.Line, token.Value,
					didYouMean(token.Value, slices.Sorted(maps.Keys(fields)))))
				continue
			}
			bad = append(bad, faults(name, token.Value, kv.Value, ft)...)
		}
	case reflect.String:
		switch {
		case isList:
			return no("one text is expected, not a list")
		case isMap:
			return no("one text is expected, not keys with values: quote it if it holds a colon")
		}
		return octal(name, key, node)
	case reflect.Int, reflect.Int64:
		if _, err := strconv.Atoi(token.Value); !isScalar || err != nil {
			return no("%q is not a whole number", token.Value)
		}
	case reflect.Float64:
		if v, err := strconv.ParseFloat(token.Value, 64); !isScalar || err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return no("%q is not a number: write it with a point", token.Value)
		}
	case reflect.Bool:
		if _, ok := node.(*ast.BoolNode); !ok {
			return no("%q: true or false", token.Value)
		}
	}
	return bad
}

// octal finds a code without quotes that YAML takes for a number in base eight or sixteen: 01004 is 516 to it.
func octal(name, key string, node ast.Node) []error {
	n, ok := node.(*ast.IntegerNode)
	if text := node.GetToken().Value; ok && len(text) > 1 && text[0] == '0' {
		at := fmt.Sprintf("%s:%d: ", name, n.GetToken().Position.Line)
		if key != "" {
			at += key + ": "
		}
		return []error{fmt.Errorf("%s%s is a number to YAML, and would lose its zeros: quote it, \"%s\"", at, text, text)}
	}
	return nil
}

// addFields adds the keys of a struct, those of the structs it takes inline among them.
func addFields(fields map[string]reflect.Type, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported():
		case option == "inline":
			addFields(fields, f.Type)
		case key != "" && key != "-":
			fields[key] = f.Type
		}
	}
}

// pairs are the keys and values of a mapping; a mapping of one key is a node of its own kind.
func pairs(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// didYouMean names the nearest of the known words, or all of them when none is near.
func didYouMean(word string, known []string) string {
	best := Nearest(word, known, 1)
	if len(best) == 1 && distance(strings.ToLower(word), strings.ToLower(best[0])) <= max(2, len(word)/2) {
		return fmt.Sprintf("did you mean %q?", best[0])
	}
	return "the known ones are " + strings.Join(known, ", ")
}

// Nearest returns the n known words with the fewest letters to change, nearest first; one that holds the word is
// nearer than any other ("CODE_IRIS" for "IRIS").
func Nearest(word string, known []string, n int) []string {
	word = strings.ToLower(word)
	far := func(k string) int {
		k = strings.ToLower(k)
		if k != word && strings.Contains(k, word) {
			return 1
		}
		return distance(word, k)
	}
	known = slices.Clone(known)
	slices.SortStableFunc(known, func(a, b string) int { return cmp.Or(cmp.Compare(far(a), far(b)), cmp.Compare(a, b)) })
	return known[:min(n, len(known))]
}

// distance counts the letters to add, drop or change to go from a to b.
func distance(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	row := make([]int, len(rb)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range ra {
		before := row[0]
		row[0] = i + 1
		for j, y := range rb {
			change := before
			if x != y {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(rb)]
}

// UnmarshalYAML reads a year, "edition", "edition-4", "column", "inconnu", or a map edition_source → year.
func (r *YearRule) UnmarshalYAML(unmarshal func(any) error) error {
	var year int
	if unmarshal(&year) == nil {
		r.Fixed = year
		return checkYear(year)
	}
	var byEdition map[int]int
	if unmarshal(&byEdition) == nil && byEdition != nil {
		for e, y := range byEdition {
			if err := cmp.Or(checkYear(e), checkYear(y)); err != nil {
				return err
			}
		}
		r.ByEdition = byEdition
		return nil
	}
	var word string
	if err := unmarshal(&word); err != nil {
		return err
	}
	switch rest, isEdition := strings.CutPrefix(word, "edition"); {
	case word == "inconnu":
		return nil
	case word == "column":
		r.Column = true
		return nil
	case isEdition:
		offset := 0
		if rest != "" {
			var err error
			if offset, err = strconv.Atoi(rest); err != nil || rest[0] != '+' && rest[0] != '-' {
				break
			}
		}
		r.Offset = &offset
		return nil
	}
	return fmt.Errorf("%q is no rule for a year: a year, edition, edition-1, column, inconnu, or a map edition: year", word)
}

func checkYear(y int) error {
	if y < 1900 || y > 2100 {
		return fmt.Errorf("%d is not a year", y)
	}
	return nil
}

// Year gives the year for a file of this edition_source; 0 when it is not known.
func (r YearRule) Year(edition int) int {
	switch {
	case r.Fixed != 0:
		return r.Fixed
	case r.Offset != nil && edition != 0:
		return edition + *r.Offset
	}
	return r.ByEdition[edition]
}

// UnmarshalYAML reads the names of columns by sex; a string or a list stands for sex T, or for the three when {S} is
// in one.
func (s *SexColumns) UnmarshalYAML(unmarshal func(any) error) error {
	var list nameList
	if unmarshal(&list) == nil {
		*s = SexColumns{"T": list}
		if slices.ContainsFunc(list, func(n string) bool { return strings.Contains(n, "{S}") }) {
			*s = SexColumns{}
			for sexe, letter := range map[string]string{"T": "", "F": "F", "H": "H"} {
				for _, n := range list {
					(*s)[sexe] = append((*s)[sexe], strings.ReplaceAll(n, "{S}", letter))
				}
			}
		}
		return nil
	}
	var any map[string]nameList
	if err := unmarshal(&any); err != nil {
		return err
	}
	*s = SexColumns{}
	for sexe, names := range any {
		if !slices.Contains(sexes, sexe) {
			return fmt.Errorf("%q is no sex: T, F or H", sexe)
		}
		(*s)[sexe] = names
	}
	return nil
}

// sexes in the order of their columns.
var sexes = []string{"T", "F", "H"}

// A nameList is a name or a list of names.
type nameList []string

func (l *nameList) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if unmarshal(&one) == nil {
		*l = nameList{one}
		return nil
	}
	return unmarshal((*[]string)(l))
}

// UnmarshalYAML reads a word or a list of words.
func (w *Words) UnmarshalYAML(unmarshal func(any) error) error {
	return (*nameList)(w).UnmarshalYAML(unmarshal)
}

// UnmarshalYAML reads the name of a level, or {level: …, vintage: …}.
func (r *LevelRule) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&r.Level) == nil {
		return nil
	}
	var keys map[string]any
	if err := unmarshal(&keys); err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if k != "level" && k != "vintage" {
			return fmt.Errorf("unknown key %q: a level, or level and vintage", k)
		}
	}
	type plain LevelRule
	return unmarshal((*plain)(r))
}

var protections = []string{"aucune", "blanchiment", "perturbation"}

// UnmarshalYAML reads a word, or a map edition_source → word.
func (p *Protection) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		*p = Protection{0: word}
	} else if err := unmarshal((*map[int]string)(p)); err != nil {
		return err
	}
	for _, from := range slices.Sorted(maps.Keys(*p)) {
		if !slices.Contains(protections, (*p)[from]) {
			return fmt.Errorf("protection: %q: one of %s", (*p)[from], strings.Join(protections, ", "))
		}
		if from != 0 && checkYear(from) != nil {
			return fmt.Errorf("protection: %w", checkYear(from))
		}
	}
	return nil
}

// Of gives the protection of the figures of an edition_source: "" when it is not known.
func (p Protection) Of(edition int) string {
	word, since := p[0], 0
	for from, w := range p {
		if from > since && from <= edition {
			word, since = w, from
		}
	}
	return word
}

// UnmarshalYAML reads "cycle", or a map millésime → years.
func (s *Surveys) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		if s.Cycle = word == "cycle"; !s.Cycle {
			return fmt.Errorf("enquetes: %q: cycle, or a map millésime: [years of the surveys]", word)
		}
		return nil
	}
	return unmarshal(&s.ByMillesime)
}

// Of lists the annual census surveys behind a millésime, in order; nil when it is not said.
//
// The cycle is five surveys: those of the year, the two before and the two after. That of 2021 did not take place (it was put off to 2022
// because of the epidemic), so that from the millésime 2019 on the five are the last that took place up to the second year after:
// 2016 to 2020 for 2019; 2019, 2020, 2022, 2023 and 2024 for 2022. The first survey is that of 2004.
func (s Surveys) Of(millesime int) []int {
	if !s.Cycle {
		return s.ByMillesime[millesime]
	}
	if millesime < 2006 {
		return nil
	}
	var years []int
	for y := millesime + 2; len(years) < 5; y-- {
		if y != 2021 {
			years = append(years, y)
		}
	}
	slices.Reverse(years)
	return years
}

// LoadCard reads a card. The error names the line of what cannot be understood.
func LoadCard(name string, b []byte) (*Card, error) {
	c := &Card{}
	if err := UnmarshalStrict(name, b, c); err != nil {
		return nil, err
	}
	for _, block := range c.Blocks {
		for _, id := range slices.Sorted(maps.Keys(block.Variables)) {
			c.Variables = append(c.Variables, Variable{ID: id, Columns: block.Variables[id], Traits: block.Traits})
		}
	}
	sum := sha256.Sum256(withoutDownloads(b))
	c.Hash = hex.EncodeToString(sum[:])
	if err := c.check(); err != nil {
		var bad []error
		for line := range strings.SplitSeq(err.Error(), "\n") {
			key, _, _ := strings.Cut(line, ":")
			at := name
			if n := LineOf(b, key); n > 0 && path.Ext(name) == ".yaml" {
				at = fmt.Sprintf("%s:%d", name, n)
			}
			bad = append(bad, fmt.Errorf("%s: %s", at, line))
		}
		return nil, errors.Join(bad...)
	}
	return c, nil
}

// levelName is what a level may be called: its name is in those of files, tables and addresses, and joins cards, layers and conventions.
var levelName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// CheckLevel says what is wrong with the name of a level; empty is nothing to say.
func CheckLevel(level string) error {
	if level == "" || levelName.MatchString(level) {
		return nil
	}
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, norm.NFD.String(strings.ToLower(strings.TrimSpace(level))))
	if plain = strings.Trim(plain, "_"); !levelName.MatchString(plain) {
		plain = "residence"
	}
	return fmt.Errorf("%q: small letters without accents, digits and _, the same everywhere, such as %s", level, plain)
}

// check finds what a card lacks or contradicts.
func (c *Card) check() error {
	var bad []error
	no := func(format string, args ...any) { bad = append(bad, fmt.Errorf(format, args...)) }
	if c.ID == "" {
		no("id: missing: a short name of the card, such as filosofi-iris")
	}
	if err := CheckLevel(c.Level); err != nil {
		no("level: %w", err)
	}
	for _, word := range slices.Sorted(maps.Keys(c.Levels)) {
		if err := CheckLevel(c.Levels[word].Level); err != nil {
			no("levels: %s: %w", word, err)
		}
	}
	switch c.Kind {
	case "table":
		if (c.Level == "") == (len(c.Levels) == 0) {
			no("level: the level of the zones, such as iris; or levels, where the family covers several")
		}
		named := slices.ContainsFunc(c.Files, func(f string) bool { return strings.Contains(f, "{NIVEAU}") })
		if len(c.Levels) > 0 && named && c.LevelColumn != "" {
			no("levels: a level is found in one place: {NIVEAU} in the patterns of files, or level_column")
		}
		if len(c.Levels) > 0 && !named && c.LevelColumn == "" {
			for _, k := range c.Key {
				if c.Levels[k].Level == "" {
					no("levels: say where a level is found: {NIVEAU} in the patterns of files, level_column, or the name of each key; %q is none of them", k)
				}
			}
		}
		if len(c.Levels) == 0 && (named || c.LevelColumn != "") {
			no("levels: missing: what {NIVEAU} or level_column may hold, each with its level")
		}
		if len(c.Key) == 0 {
			no("key: missing: the column of the zone code")
		}
		given := 0
		for _, is := range []bool{len(c.Variables) > 0, c.Long != nil, c.Count != nil} {
			if is {
				given++
			}
		}
		if given != 1 {
			no("give either variables, long or count")
		}
		if c.Register != nil && (c.Long == nil || c.Long.Variable == "" || c.Register.Label == "") {
			no("register: it says which columns of a long table tell its indicators: long.variable and label are needed")
		}
	case "layer":
		if len(c.Code) == 0 {
			no("code: missing: the attribute that holds the code of a zone")
		}
	case "composition":
		if len(c.Key) == 0 && len(c.Code) == 0 || len(c.Commune) == 0 {
			no("key and commune: both are needed: the code of the zone, that of the commune")
		}
	case "passage":
		if len(c.Before) == 0 || len(c.After) == 0 || c.Level == "" {
			no("level, before and after are needed: the level of the zones, the columns of their codes")
		}
	case "reference":
		if len(c.Key) == 0 && len(c.Columns) == 0 {
			no("key or columns: one is needed: what the file is known by")
		}
	default:
		no("kind: %q: one of table, layer, composition, passage, reference", c.Kind)
	}
	for _, word := range slices.Sorted(maps.Keys(c.Levels)) {
		if r := c.Levels[word]; r.Level == "" || r.Vintage != nil && r.Vintage.Column {
			no("levels: %s: a level, and a vintage that is not read in a column", word)
		}
	}
	if c.ReleaseMonth < 0 || c.ReleaseMonth > 12 {
		no("release_month: %d: from 1 to 12", c.ReleaseMonth)
	}
	for _, k := range c.Key {
		if _, err := parseKey(k); err != nil {
			no("key: %w", err)
		} else if c.Kind != "table" && strings.Contains(k, " + ") {
			no("key: %s: only a table may join columns", k)
		}
	}
	for i, b := range c.Breaks {
		if checkYear(b.Millesime) != nil || b.Text == "" {
			no("breaks[%d]: millesime and text are needed: from which year on, and why", i)
		}
	}
	if !slices.Contains([]string{"", ",", "."}, c.Layout.Decimal) {
		no(`table.decimal: %q: "," or "."`, c.Layout.Decimal)
	}
	if c.Vintage.Column {
		no("vintage: the geography is not read from the name of a column: a year, edition, edition+1, or a map edition: year")
	}
	for _, token := range slices.Sorted(maps.Keys(c.Tokens)) {
		if _, err := indicators.ParseStatut(c.Tokens[token]); err != nil {
			no("tokens: %s: %w", token, err)
		}
	}
	for _, note := range slices.Sorted(maps.Keys(c.Notes)) {
		if _, err := indicators.ParseStatut(c.Notes[note]); err != nil && c.Notes[note] != signale {
			no("notes: %s: %w, or %q", note, err, signale)
		}
	}
	seen := map[string]bool{}
	for _, v := range c.Variables {
		if v.ID == "" || len(v.Columns) == 0 {
			no("variables: %q: an id and columns are needed", v.ID)
		}
		if seen[v.ID] && !v.Millesime.Column { // the same variable twice is two years of it
			no("variables: %s: given twice: list its columns under one", v.ID)
		}
		seen[v.ID] = true
		if !slices.Contains([]string{"", "principale", "complementaire"}, v.Exploitation) {
			no("variables: %s: exploitation: %q: principale or complementaire", v.ID, v.Exploitation)
		}
		for _, names := range v.Columns {
			for _, n := range names {
				if v.Millesime.Column && !strings.Contains(n, "{AA}") && !strings.Contains(n, "{AAAA}") {
					no("variables: %s: %s: the year is said to be in the name of the column, which has no {AA} or {AAAA}", v.ID, n)
				}
			}
		}
	}
	for _, total := range slices.Sorted(maps.Keys(c.Totals)) {
		for _, v := range append([]string{total}, c.Totals[total]...) {
			if !seen[v] {
				no("totals: %s: no variable %q in the card", total, v)
			}
		}
	}
	for _, b := range c.Breaks {
		for _, v := range b.Variables {
			if !seen[v] && (c.Long == nil || c.Long.Series != nil && c.Long.Series[v] == nil) && !c.Count.has(v) {
				no("breaks: %s: no such variable in the card", v)
			}
		}
	}
	if l := c.Long; l != nil {
		if (l.Variable == "") == (len(l.Series) == 0) || l.Value == "" {
			no("long: value, and either variable (a column) or series, are needed")
		}
		if (l.Millesime == "") == (l.Year == nil) || l.Year != nil && l.Year.Column {
			no("long: give millesime, the column of the year, or year, a rule")
		}
		for _, code := range slices.Sorted(maps.Keys(l.Sexes)) {
			if !slices.Contains(sexes, l.Sexes[code]) {
				no("long.sexes: %s: %q is no sex: T, F or H", code, l.Sexes[code])
			}
		}
		for _, code := range slices.Sorted(maps.Keys(l.Statuts)) {
			if _, err := indicators.ParseStatut(l.Statuts[code]); err != nil {
				no("long.statuts: %s: %w", code, err)
			}
		}
		if !slices.Contains([]string{"", "principale", "complementaire"}, l.Exploitation) {
			no("long.exploitation: %q: principale or complementaire", l.Exploitation)
		}
	}
	if c.Count != nil {
		bad = append(bad, c.Count.check()...)
	}
	if err := c.checkDownloads(); err != nil {
		bad = append(bad, err)
	}
	return errors.Join(bad...)
}

// A keyPart is a column of the zone code, and the width its zeros are restored to; 0: as it is.
type keyPart struct {
	column string
	nth    int // which of the columns of that name, 1 being the first; 0: there must be one only
	width  int
}

var nthColumn = regexp.MustCompile(`^(.+)#([1-9])$`)

// parseKey reads "IRIS", "CODGEO#2" for the second column of a name, or "DEP:2 + COM:3": columns that make the code together.
func parseKey(s string) ([]keyPart, error) {
	if !strings.Contains(s, " + ") {
		if m := nthColumn.FindStringSubmatch(s); m != nil {
			return []keyPart{{column: m[1], nth: int(m[2][0] - '0')}}, nil
		}
		return []keyPart{{column: s}}, nil
	}
	var parts []keyPart
	for part := range strings.SplitSeq(s, " + ") {
		column, width, ok := strings.Cut(strings.TrimSpace(part), ":")
		n, err := strconv.Atoi(width)
		if !ok || err != nil || n < 1 || column == "" {
			return nil, fmt.Errorf("%q: a joined key is written COLUMN:WIDTH + COLUMN:WIDTH, such as DEP:2 + COM:3", s)
		}
		parts = append(parts, keyPart{column: column, width: n})
	}
	return parts, nil
}

// At is the card narrowed to one of its levels: of a table that holds several, the rows of that level. A card of one level is
// returned as it is.
func (c *Card) At(level string) *Card {
	if len(c.Levels) == 0 {
		return c
	}
	at := *c
	at.Level, at.Levels, at.LevelColumn = level, nil, ""
	var words Words
	for _, word := range slices.Sorted(maps.Keys(c.Levels)) {
		if r := c.Levels[word]; r.Level == level {
			words = append(words, word)
			if r.Vintage != nil {
				at.Vintage = *r.Vintage
			}
		}
	}
	if c.LevelColumn != "" {
		at.Where = maps.Clone(c.Where)
		if at.Where == nil {
			at.Where = map[string]Words{}
		}
		at.Where[c.LevelColumn] = words
		if c.Register != nil { // a partner writes it by hand: a word of no level is a mistake
			at.levelColumn, at.levelWords = c.LevelColumn, slices.Sorted(maps.Keys(c.Levels))
		}
	}
	return &at
}

// AtWord is the card narrowed to a word of its levels, written in any case: the level and the vintage that a file whose name
// holds that word is of. ok is false where the card has no such word.
func (c *Card) AtWord(word string) (at *Card, ok bool) {
	for w, r := range c.Levels {
		if !strings.EqualFold(w, word) {
			continue
		}
		at = c.At(r.Level)
		at.word = w
		if r.Vintage != nil { // two words may be one level of two vintages
			at.Vintage = *r.Vintage
		} else {
			at.Vintage = c.Vintage
		}
		if c.byKey() {
			at.Key = []string{w}
		} else if c.LevelColumn != "" {
			at.Where[c.LevelColumn] = Words{w}
		}
		return at, true
	}
	return nil, false
}

// Word is the word of levels that [Card.AtWord] narrowed the card to; empty where it did not.
func (c *Card) Word() string { return c.word }

// InName says whether the level of a file is told by a word in its name.
func (c *Card) InName() bool { return len(c.Levels) > 0 && c.LevelColumn == "" && !c.byKey() }

// AtName is the card narrowed by the word of its levels that stands at {NIVEAU} in a name; the card as it is where there is none.
func (c *Card) AtName(name string) *Card {
	if !c.InName() {
		return c
	}
	_, word, _ := c.named(name)
	if at, ok := c.AtWord(word); ok {
		return at
	}
	return c
}

// byKey says whether the key a file has tells its level.
func (c *Card) byKey() bool {
	return len(c.Levels) > 0 && c.LevelColumn == "" && !slices.ContainsFunc(c.Files, func(f string) bool { return strings.Contains(f, "{NIVEAU}") })
}

// LevelsOf lists the levels a file of that base name may hold by the card: one, but for a table whose rows or whose key
// say their level.
func (c *Card) LevelsOf(base string) []string {
	switch {
	case len(c.Levels) == 0 && c.Level == "":
		return nil
	case len(c.Levels) == 0:
		return []string{c.Level}
	}
	var levels []string
	for _, r := range c.Levels {
		levels = append(levels, r.Level)
	}
	if c.LevelColumn == "" && !c.byKey() {
		_, word, _ := c.named(base)
		levels = nil
		if r, ok := c.Levels[word]; ok {
			levels = []string{r.Level}
		}
	}
	slices.Sort(levels)
	return slices.Compact(levels)
}

// Describe completes a source and its columns, as a store gives them back, with what the card says of them.
func (c *Card) Describe(s *indicators.Source, columns []indicators.Column) {
	s.Protection, s.Precedence, s.Breaks, s.Unverified = c.Protection.Of(s.Edition), c.Precedence, c.Breaks, c.Unverified
	for i := range columns {
		col := &columns[i]
		if c.Long != nil {
			col.Census, col.Exploitation, col.Enquetes = c.Long.Census, c.Long.Exploitation, c.Long.Enquetes.Of(col.Millesime)
			continue
		}
		for _, v := range c.Variables {
			if v.ID == col.Variable {
				col.Census, col.Exploitation, col.Enquetes = v.Census, v.Exploitation, v.Enquetes.Of(col.Millesime)
			}
		}
	}
}

// signale in Card.Notes: the figure is present, but its producer flags it.
const signale = "signale"

// yearNeeded says whether the card cannot be read without the edition_source.
func (c *Card) yearNeeded() bool {
	hasYear := false
	for _, f := range c.Files {
		hasYear = hasYear || strings.Contains(f, "{AA")
	}
	if !hasYear {
		return false
	}
	for _, v := range c.Variables {
		if v.Millesime.dated() {
			return true
		}
	}
	return c.Vintage.Offset != nil || c.Long != nil && c.Long.Year != nil && c.Long.Year.dated() || c.Count != nil && c.Count.Year.dated()
}

// dated says whether a year is told from the edition_source.
func (r YearRule) dated() bool { return !r.Column && (r.Offset != nil || len(r.ByEdition) > 0) }

// edition is the year a base name gives by the card's patterns; ok is false when none fits.
func (c *Card) edition(base string) (year int, ok bool) {
	year, _, ok = c.named(base)
	return year, ok
}

// named reads the year and the word of levels in the name of a source (see [Name]); ok is false when no pattern fits.
// An archive's name may hold the year that the name of its member does not.
func (c *Card) named(name string) (year int, word string, ok bool) {
	for _, base := range namesToMatch(name) {
		y, w, fits := c.namedBase(base)
		if fits && (!ok || year == 0 && y != 0) {
			year, word, ok = y, cmp.Or(w, word), true
		}
	}
	return year, word, ok
}

// namedBase is named for one name. A table saved in another format keeps its name less the extension: it is matched so
// when no pattern fits the whole.
func (c *Card) namedBase(base string) (year int, word string, ok bool) {
	if year, word, ok = c.namedAs(c.Files, base); ok || tableExt(base) == "" {
		return year, word, ok
	}
	var stems []string
	for _, p := range c.Files {
		if ext := tableExt(p); ext != "" {
			stems = append(stems, strings.TrimSuffix(p, ext)+".csv")
		}
	}
	return c.namedAs(stems, base[:len(base)-len(tableExt(base))]+".csv")
}

// tableExt is the extension of a name, a final .gz included, when it is that of a table.
func tableExt(name string) string {
	plain := name
	if strings.EqualFold(path.Ext(name), ".gz") {
		plain = name[:len(name)-len(".gz")]
	}
	ext := path.Ext(plain)
	switch strings.ToLower(ext) {
	case ".csv", ".tsv", ".txt", ".xls", ".xlsx", ".ods", ".parquet", ".json":
		return name[len(plain)-len(ext):]
	}
	return ""
}

// exactly says whether a pattern of the card fits a name as it is, with its extension.
func (c *Card) exactly(name string) bool {
	for _, base := range namesToMatch(name) {
		if _, _, ok := c.namedAs(c.Files, base); ok {
			return true
		}
	}
	return false
}

func (c *Card) namedAs(patterns []string, base string) (year int, word string, ok bool) {
	for _, p := range patterns {
		year, word, ok := matchName(p, base, `(?:\.gz)?`)
		if !ok {
			continue
		}
		if word == "" || len(c.Levels) == 0 { // a card narrowed to a level took its file by the word already
			return year, "", true
		}
		for w := range c.Levels {
			if strings.EqualFold(w, word) {
				return year, w, true
			}
		}
	}
	return 0, "", false
}

// matchYear matches a name with a pattern in which {AAAA} or {AA} is a year and * is anything. The year is 0
// when the pattern has none.
func matchYear(pattern, name, suffix string) (year int, ok bool) {
	year, _, ok = matchName(pattern, name, suffix)
	return year, ok
}

var patternMark = regexp.MustCompile(`\\\{(?:AAAA|AA|NIVEAU)\\\}|\\\*`)

// A namePattern is a pattern made ready; year and word are the groups that hold them, -1 without.
type namePattern struct {
	re         *regexp.Regexp
	year, word int
}

var namePatterns sync.Map // of pattern and suffix: the same few are tried on every name

func readyPattern(pattern, suffix string) *namePattern {
	key := pattern + "\x00" + suffix
	if p, ok := namePatterns.Load(key); ok {
		return p.(*namePattern)
	}
	marks := map[string]string{`\{AAAA\}`: `(?P<a>\d{4})`, `\{AA\}`: `(?P<a>\d{2})`, `\{NIVEAU\}`: `(?P<n>[\pL\d]+)`, `\*`: `.*`}
	p := patternMark.ReplaceAllStringFunc(regexp.QuoteMeta(pattern), func(mark string) string {
		re := marks[mark]
		if strings.HasPrefix(re, "(?P<a>") { // a name may say its year twice
			marks[`\{AAAA\}`], marks[`\{AA\}`] = `\d{4}`, `\d{2}`
		}
		return re
	})
	re := regexp.MustCompile(`^(?i:` + p + suffix + `)$`)
	made, _ := namePatterns.LoadOrStore(key, &namePattern{re, re.SubexpIndex("a"), re.SubexpIndex("n")})
	return made.(*namePattern)
}

// matchName is matchYear, with the word that stands at {NIVEAU}.
func matchName(pattern, name, suffix string) (year int, word string, ok bool) {
	p := readyPattern(pattern, suffix)
	m := p.re.FindStringSubmatch(name)
	if m == nil {
		return 0, "", false
	}
	if p.year > 0 {
		year, _ = strconv.Atoi(m[p.year])
		if len(m[p.year]) == 2 {
			year += 1900
			if year < 1960 {
				year += 100
			}
		}
	}
	if p.word > 0 {
		word = m[p.word]
	}
	return year, word, true
}

// withYear puts a year in the place of {AAAA} and {AA}.
func withYear(s string, year int) string {
	four := fmt.Sprintf("%04d", year)
	return strings.NewReplacer("{AAAA}", four, "{AA}", four[2:]).Replace(s)
}

// A Catalogue is a set of cards.
type Catalogue struct {
	cards map[string]*Card
	ids   []string // sorted
}

// LoadCatalogue reads the cards of several folders: *.yaml at any depth, except indicators.yaml. A card replaces
// that of the same id in a folder before. Every card that cannot be read is in the error.
func LoadCatalogue(fsys ...fs.FS) (*Catalogue, error) {
	cat := &Catalogue{cards: map[string]*Card{}}
	var bad []error
	for _, folder := range fsys {
		from := map[string]string{}
		err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.EqualFold(path.Ext(name), ".yml") {
				bad = append(bad, fmt.Errorf("%s: a card is read from a file whose name ends in .yaml: rename it", name))
				return nil
			}
			if err != nil || d.IsDir() || path.Ext(name) != ".yaml" || path.Base(name) == "indicators.yaml" || path.Base(name) == "guards.yaml" {
				return err
			}
			b, err := fs.ReadFile(folder, name)
			if err != nil {
				return err
			}
			c, err := LoadCard(name, b)
			if err != nil {
				bad = append(bad, err)
				return nil
			}
			if other := from[c.ID]; other != "" {
				bad = append(bad, fmt.Errorf("%s: id: %s is the card %s already: choose another", name, c.ID, other))
				return nil
			}
			from[c.ID] = name
			cat.cards[c.ID] = c
			return nil
		})
		if err != nil {
			bad = append(bad, fmt.Errorf("catalogue: %w", err))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	cat.ids = slices.Sorted(maps.Keys(cat.cards))
	return cat, nil
}

// Card returns the card of that id.
func (c *Catalogue) Card(id string) (*Card, bool) {
	card, ok := c.cards[id]
	return card, ok
}

// Cards lists all the cards, by id.
func (c *Catalogue) Cards() []*Card {
	list := make([]*Card, len(c.ids))
	for i, id := range c.ids {
		list[i] = c.cards[id]
	}
	return list
}

// Match lists the cards of which a file pattern fits a base name, by id: those that name its extension, else those of a
// table saved in another format.
func (c *Catalogue) Match(baseName string) []*Card {
	var fit, exact []*Card
	for _, card := range c.Cards() {
		if _, ok := card.edition(baseName); ok {
			fit = append(fit, card)
			if card.exactly(baseName) {
				exact = append(exact, card)
			}
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return fit
}

// LoadGuards reads the comparisons that sources do not allow. Every one that is wrong is reported.
func LoadGuards(name string, b []byte) ([]indicators.Guard, error) {
	var list []indicators.Guard
	if err := UnmarshalStrict(name, b, &list); err != nil {
		return nil, err
	}
	var bad []error
	seen := map[string]bool{}
	for i, g := range list {
		err := g.Check()
		if err == nil && seen[g.ID] {
			err = errors.New("this id is there twice")
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %s: %w", name, cmp.Or(g.ID, fmt.Sprintf("guard %d", i+1)), err))
		}
		seen[g.ID] = true
	}
	return list, errors.Join(bad...)
}

// LoadDefinitions reads a list of indicators. Ids are unique; the rule and what it needs are checked.
func LoadDefinitions(name string, b []byte) ([]indicators.Definition, error) {
	var defs []indicators.Definition
	if err := UnmarshalStrict(name, b, &defs); err != nil {
		return nil, err
	}
	items, err := itemsOf(name, b)
	if err != nil {
		return nil, err
	}
	var bad []error
	seen := map[string]bool{}
	for i, d := range defs {
		at := name
		if path.Ext(name) == ".yaml" {
			at = fmt.Sprintf("%s:%d", name, lineOf(items[i], "id"))
		}
		no := func(format string, args ...any) {
			bad = append(bad, fmt.Errorf("%s: %s: "+format, append([]any{at, cmp.Or(d.ID, fmt.Sprintf("indicator %d", i+1))}, args...)...))
		}
		switch {
		case d.ID == "":
			no("id: missing")
		case seen[d.ID]:
			no("given twice: keep one")
		}
		seen[d.ID] = true
		if d.Label == "" || d.Unit == "" {
			no("label and unit are needed")
		}
		switch d.Rule {
		case indicators.Somme, indicators.Ratio, indicators.Mediane, indicators.Quantile, indicators.Aucune:
		default:
			no("rule: %q: one of somme, ratio, mediane, quantile, aucune", d.Rule)
		}
		if !slices.Contains([]string{"hausse_favorable", "hausse_defavorable", "neutre"}, d.Direction) {
			no("direction: %q: one of hausse_favorable, hausse_defavorable, neutre", d.Direction)
		}
		if d.Value == "" && len(d.Numerator) == 0 {
			no("value or numerator: one is needed: the variable the figures come from")
		}
		if len(d.Denominator) > 0 && len(d.Numerator) == 0 {
			no("numerator: missing: a denominator needs one")
		}
		if len(d.Deciles) != 0 && len(d.Deciles) != 9 {
			no("deciles: %d variables: D1 to D9 are nine", len(d.Deciles))
		}
		if d.Of == "" && (d.Quantile != 0 || d.Over != 0 || d.Under != 0) {
			no("of: missing: quantile, over and under are read from the distribution of another indicator")
		}
		if d.Of != "" && d.Rule != indicators.Quantile {
			no("rule: %q: what is read from a distribution has rule quantile", d.Rule)
		}
		if d.Of != "" && (d.Quantile == 0) == (d.Under == 0) {
			no("of: give either quantile (0.1 for the first decile) or under (0.6 for the poverty rate)")
		}
		if d.Quantile < 0 || d.Quantile >= 1 || d.Over < 0 || d.Over >= 1 {
			no("quantile, over: between 0 and 1")
		}
		if d.Under < 0 || d.Over != 0 && d.Quantile == 0 || len(d.Thresholds) > 0 && d.Under == 0 {
			no("under is positive; over needs quantile, and thresholds need under")
		}
		for _, s := range d.Sexes {
			if !slices.Contains(sexes, s) {
				no("sexes: %q: T, F or H", s)
			}
		}
		if d.Decimals < 0 || d.Decimals > 9 {
			no("decimals: %d: between 0 and 9", d.Decimals)
		}
	}
	return defs, errors.Join(bad...)
}
