package ingest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"observatoire/indicators"
)

// UnmarshalStrict reads YAML into v, a pointer. A key that v has no place for is an error, with its line and
// the nearest key there is; so is a key given twice. Every unknown key is reported at once.
func UnmarshalStrict(name string, b []byte, v any) error {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return yamlError(name, err)
	}
	var bad []error
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bad = append(bad, unknownKeys(name, doc.Body, reflect.TypeOf(v))...)
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
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		return fmt.Errorf("%s:%d: %s", name, ye.GetToken().Position.Line, ye.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

var selfReading = reflect.TypeFor[yaml.InterfaceUnmarshaler]()

// unknownKeys compares the keys of a node with the fields of the type it is meant for. A type that reads itself
// is left to do so.
func unknownKeys(name string, node ast.Node, t reflect.Type) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(selfReading) {
		return nil
	}
	if a, ok := node.(*ast.AnchorNode); ok {
		return unknownKeys(name, a.Value, t)
	}
	var bad []error
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if s, ok := node.(*ast.SequenceNode); ok {
			for _, v := range s.Values {
				bad = append(bad, unknownKeys(name, v, t.Elem())...)
			}
		}
	case reflect.Map:
		for _, kv := range pairs(node) {
			bad = append(bad, unknownKeys(name, kv.Value, t.Elem())...)
		}
	case reflect.Struct:
		fields := map[string]reflect.Type{}
		for i := range t.NumField() {
			f := t.Field(i)
			if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); f.IsExported() && key != "" && key != "-" {
				fields[key] = f.Type
			}
		}
		for _, kv := range pairs(node) {
			token := kv.Key.GetToken()
			ft, ok := fields[token.Value]
			if !ok {
				bad = append(bad, fmt.Errorf("%s:%d: unknown key %q: %s", name, token.Position.Line, token.Value,
					didYouMean(token.Value, slices.Sorted(maps.Keys(fields)))))
				continue
			}
			bad = append(bad, unknownKeys(name, kv.Value, ft)...)
		}
	}
	return bad
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
	best := nearest(word, known, 1)
	if len(best) == 1 && distance(strings.ToLower(word), strings.ToLower(best[0])) <= max(2, len(word)/2) {
		return fmt.Sprintf("did you mean %q?", best[0])
	}
	return "the known ones are " + strings.Join(known, ", ")
}

// nearest returns the n known words with the fewest letters to change, nearest first; one that holds the word is
// nearer than any other ("CODE_IRIS" for "IRIS").
func nearest(word string, known []string, n int) []string {
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

// UnmarshalYAML reads the names of columns by sex; a string or a list stands for sex T.
func (s *SexColumns) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if unmarshal(&one) == nil {
		*s = SexColumns{"T": {one}}
		return nil
	}
	var list []string
	if unmarshal(&list) == nil {
		*s = SexColumns{"T": list}
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

// LoadCard reads a card. The error names the line of what cannot be understood.
func LoadCard(name string, b []byte) (*Card, error) {
	c := &Card{}
	if err := UnmarshalStrict(name, b, c); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	c.Hash = hex.EncodeToString(sum[:])
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// check finds what a card lacks or contradicts.
func (c *Card) check() error {
	var bad []error
	no := func(format string, args ...any) { bad = append(bad, fmt.Errorf(format, args...)) }
	if c.ID == "" {
		no("id: missing: a short name of the card, such as filosofi-iris")
	}
	switch c.Kind {
	case "table":
		if c.Level == "" {
			no("level: missing: the level of the zones, such as iris")
		}
		if len(c.Key) == 0 {
			no("key: missing: the column of the zone code")
		}
		if (len(c.Variables) == 0) == (c.Long == nil) {
			no("give either variables or long")
		}
	case "layer":
		if len(c.Code) == 0 {
			no("code: missing: the attribute that holds the code of a zone")
		}
	case "composition":
		if len(c.Key) == 0 && len(c.Code) == 0 || len(c.Commune) == 0 {
			no("key and commune: both are needed: the code of the zone, that of the commune")
		}
	default:
		no("kind: %q: one of table, layer, composition", c.Kind)
	}
	if !slices.Contains([]string{"", "aucune", "blanchiment", "perturbation"}, c.Protection) {
		no("protection: %q: one of aucune, blanchiment, perturbation", c.Protection)
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
		for _, names := range v.Columns {
			for _, n := range names {
				if v.Millesime.Column && !strings.Contains(n, "{AA}") && !strings.Contains(n, "{AAAA}") {
					no("variables: %s: %s: the year is said to be in the name of the column, which has no {AA} or {AAAA}", v.ID, n)
				}
			}
		}
	}
	if l := c.Long; l != nil && (l.Variable == "" || l.Millesime == "" || l.Value == "") {
		no("long: variable, millesime and value are needed")
	}
	if err := c.checkDownloads(); err != nil {
		bad = append(bad, err)
	}
	return errors.Join(bad...)
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
		if !v.Millesime.Column && (v.Millesime.Offset != nil || len(v.Millesime.ByEdition) > 0) {
			return true
		}
	}
	return c.Vintage.Offset != nil
}

// edition is the year a base name gives by the card's patterns; ok is false when none fits.
func (c *Card) edition(base string) (year int, ok bool) {
	for _, p := range c.Files {
		if year, ok := matchYear(p, base, `(?:\.gz)?`); ok {
			return year, true
		}
	}
	return 0, false
}

// matchYear matches a name with a pattern in which {AAAA} or {AA} is a year and * is anything. The year is 0
// when the pattern has none.
func matchYear(pattern, name, suffix string) (year int, ok bool) {
	p := regexp.QuoteMeta(pattern)
	p = strings.NewReplacer(`\{AAAA\}`, `(\d{4})`, `\{AA\}`, `(\d{2})`, `\*`, `.*`).Replace(p)
	m := regexp.MustCompile(`^(?i:` + p + suffix + `)$`).FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	if len(m) > 1 {
		year, _ = strconv.Atoi(m[1])
		if len(m[1]) == 2 {
			year += 1900
			if year < 1960 {
				year += 100
			}
		}
	}
	return year, true
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
			if err != nil || d.IsDir() || path.Ext(name) != ".yaml" || path.Base(name) == "indicators.yaml" {
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

// Match lists the cards of which a file pattern fits a base name, by id.
func (c *Catalogue) Match(baseName string) []*Card {
	var fit []*Card
	for _, card := range c.Cards() {
		if _, ok := card.edition(baseName); ok {
			fit = append(fit, card)
		}
	}
	return fit
}

// LoadDefinitions reads a list of indicators. Ids are unique; the rule and what it needs are checked.
func LoadDefinitions(name string, b []byte) ([]indicators.Definition, error) {
	var defs []indicators.Definition
	if err := UnmarshalStrict(name, b, &defs); err != nil {
		return nil, err
	}
	var bad []error
	seen := map[string]bool{}
	for i, d := range defs {
		no := func(format string, args ...any) {
			bad = append(bad, fmt.Errorf("%s: %s: "+format, append([]any{name, cmp.Or(d.ID, fmt.Sprintf("indicator %d", i+1))}, args...)...))
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
