package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"observatoire/indicators"
)

// A Convention is what a partner and the observatory agreed on the partner's data: an entry of conventions.yaml. A
// deposit is only read under one.
type Convention struct {
	ID         string   `yaml:"id"`      // small letters, digits and dashes: what tokens and exports name
	Partner    string   `yaml:"partner"` // who gives
	Purpose    string   `yaml:"purpose"` // what the figures may serve
	LegalBasis string   `yaml:"legal_basis"`
	Recipients []string `yaml:"recipients"` // who may see them
	Fiscal     bool     `yaml:"fiscal"`     // made from tax returns: the threshold is 11 units, or more
	Threshold  int      `yaml:"threshold"`  // counts under it are withheld; 1 withholds none
	// Dominance and P are rules on who contributes to a count: the n largest make more than k per cent of it, or the
	// second largest would know the largest one's part within p per cent.
	Dominance *Dominance `yaml:"dominance"`
	P         float64    `yaml:"p_percent"`
	Start     string     `yaml:"start"`    // AAAA-MM-JJ, may be left out
	End       string     `yaml:"end"`      // last day, AAAA-MM-JJ
	Detail    []string   `yaml:"detail"`   // levels at which figures may be shown; empty: all
	Datasets  []Dataset  `yaml:"datasets"` // what is expected
	Contact   string     `yaml:"contact"`
	Note      string     `yaml:"note"`

	Line int `yaml:"-"`
}

// Dominance is the rule (n, k): a count of which the N largest contributors make more than K per cent is withheld.
type Dominance struct {
	N int     `yaml:"n"`
	K float64 `yaml:"k"`
}

// Rule is what the convention asks to withhold.
func (c *Convention) Rule() indicators.SecrecyRule {
	r := indicators.SecrecyRule{Threshold: c.Threshold, P: c.P}
	if c.Dominance != nil {
		r.N, r.K = c.Dominance.N, c.Dominance.K
	}
	return r
}

// A Dataset is what a partner owes: a table that a card describes, for some years.
type Dataset struct {
	Card       string    `yaml:"card"`
	Level      string    `yaml:"level"` // where the card is of several: a word of its levels, such as QPV
	Millesimes []int     `yaml:"millesimes"`
	Due        string    `yaml:"due"`   // day by which each is expected, the year after: MM-JJ
	Zones      *OwnZones `yaml:"zones"` // where its zones are, unless they are zones of the project
}

// OwnZones are zones of the partner's own: residences, schools, cadastral sections, points. Points are counted in the
// quarters they lie in; areas are shared out as IRIS are.
type OwnZones struct {
	File  string `yaml:"file"`  // a vector file; or, with x and y, a table
	Layer string `yaml:"layer"` // the layer of a GeoPackage that holds several
	Code  string `yaml:"code"`
	Name  string `yaml:"name"`
	X     string `yaml:"x"` // of a table: its column of eastings, or longitudes
	Y     string `yaml:"y"`
	CRS   string `yaml:"crs"` // of a table, such as EPSG:4326
}

// A Deposit is a file a partner handed in: depot.yaml beside it, or an entry under deposits in the project.
type Deposit struct {
	Card       string    `yaml:"card"`
	Convention string    `yaml:"convention"`
	Millesime  int       `yaml:"millesime"` // the year it answers for
	File       string    `yaml:"file"`      // beside depot.yaml, or from the project's folder
	Date       string    `yaml:"date"`      // day it was handed in, AAAA-MM-JJ
	Zones      *OwnZones `yaml:"zones"`     // as in the convention, where they changed
	Supersedes string    `yaml:"supersedes"`
	Note       string    `yaml:"note"`

	Where string `yaml:"-"` // file and line, for messages
}

// fiscalThreshold is the least number of tax units a figure may rest on.
const fiscalThreshold = 11

var conventionID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// LoadConventions reads conventions.yaml. Every error there is names its line.
func LoadConventions(name string, b []byte) ([]Convention, error) {
	var list []Convention
	if err := UnmarshalStrict(name, b, &list); err != nil {
		return nil, err
	}
	items, err := itemsOf(name, b)
	if err != nil {
		return nil, err
	}
	var bad []error
	lines := map[string]int{}
	for i := range list {
		c, item := &list[i], items[i]
		c.Line = item.GetToken().Position.Line
		no := func(key, format string, args ...any) {
			bad = append(bad, fmt.Errorf("%s:%d: %s: %w", name, lineOf(item, key), key, fmt.Errorf(format, args...)))
		}
		if c.ID == "" {
			no("id", "missing: a short name, such as ops-habitat: small letters, digits, dashes")
		} else if !conventionID.MatchString(c.ID) {
			no("id", "%q: small letters, digits and dashes only, such as ops-habitat", c.ID)
		} else if line, twice := lines[c.ID]; twice {
			no("id", "%s is the convention of line %d already: choose another", c.ID, line)
		}
		lines[c.ID] = c.Line
		if c.Partner == "" {
			no("partner", "missing: who gives the figures")
		}
		if c.Purpose == "" {
			no("purpose", "missing: what the figures may serve, as the convention says")
		}
		if len(c.Recipients) == 0 {
			no("recipients", "missing: who may see the figures")
		}
		switch {
		case c.Fiscal && c.Threshold == 0:
			c.Threshold = fiscalThreshold
		case c.Fiscal && c.Threshold < fiscalThreshold:
			no("threshold", "%d: at least %d for fiscal data", c.Threshold, fiscalThreshold)
		case c.Threshold < 0:
			no("threshold", "%d: a number of units, such as 5: counts under it are withheld; 1 where the convention sets none", c.Threshold)
		case c.Threshold < 1:
			no("threshold", "missing: counts under it are withheld; %d for fiscal data (fiscal: true), 1 where the convention sets none", fiscalThreshold)
		}
		if d := c.Dominance; d != nil && (d.N < 1 || d.K <= 0 || d.K >= 100) {
			no("dominance", "{n: %d, k: %g}: n contributors, 1 or more, and a percentage between 0 and 100, such as {n: 1, k: 85}", d.N, d.K)
		}
		if c.P < 0 || c.P >= 100 {
			no("p_percent", "%g: a percentage between 0 and 100, such as 10", c.P)
		}
		if c.End == "" {
			no("end", "missing: the last day of the convention, AAAA-MM-JJ")
		}
		for _, d := range []struct{ key, day string }{{"start", c.Start}, {"end", c.End}} {
			if _, err := time.Parse(time.DateOnly, d.day); err != nil && d.day != "" {
				no(d.key, "%q is not a day: AAAA-MM-JJ, such as 2026-12-31", d.day)
			}
		}
		if c.Start != "" && c.End != "" && c.Start > c.End {
			no("end", "%s comes before start, %s", c.End, c.Start)
		}
		seen := map[string]bool{}
		for k, d := range c.Datasets {
			if id := d.Card + "\x00" + strings.ToLower(d.Level); d.Card == "" || seen[id] {
				no("datasets", "[%d]: card: %q: name the card of each dataset, once for each level", k, d.Card)
			} else {
				seen[id] = true
			}
			for j, y := range d.Millesimes {
				if err := checkYear(y); err != nil || slices.Contains(d.Millesimes[:j], y) {
					no("datasets", "%s: millesimes: %d: a list of years, each once, such as [2024, 2025]", d.Card, y)
				}
			}
			if _, err := time.Parse("2006-01-02", "2000-"+d.Due); err != nil && d.Due != "" {
				no("datasets", "%s: due: %q is not a day of the year: MM-JJ, such as 03-31", d.Card, d.Due)
			}
			for _, err := range d.Zones.check() {
				no("datasets", "%s: zones: %w", d.Card, err)
			}
		}
	}
	return list, errors.Join(bad...)
}

// check finds what own zones lack.
func (z *OwnZones) check() []error {
	if z == nil {
		return nil
	}
	var bad []error
	if z.File == "" {
		bad = append(bad, errors.New("file: missing: the file that says where they are"))
	}
	if (z.X == "") != (z.Y == "") {
		bad = append(bad, errors.New("x and y go together: the two columns of coordinates of a table"))
	}
	if z.X != "" && (z.Code == "" || z.Layer != "") {
		bad = append(bad, errors.New("x and y name columns of a table: code is needed too, and layer is not"))
	}
	if z.X == "" && z.CRS != "" {
		bad = append(bad, errors.New("crs is for a table with x and y: a vector file says its own"))
	}
	return bad
}

// LoadDeposit reads a depot.yaml: one deposit.
func LoadDeposit(name string, b []byte) (*Deposit, error) {
	d := &Deposit{}
	if err := UnmarshalStrict(name, b, d); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil || len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s:1: empty: say card, convention, millesime, file and date", name)
	}
	d.Where = name
	return d, d.check(func(key string) string { return fmt.Sprintf("%s:%d: %s", name, lineOf(file.Docs[0].Body, key), key) })
}

// Check finds what a deposit declared in the project lacks; where says which one it is.
func (d *Deposit) Check(where string) error {
	d.Where = where
	return d.check(func(key string) string { return where + ": " + key })
}

func (d *Deposit) check(at func(key string) string) error {
	var bad []error
	no := func(key, format string, args ...any) {
		bad = append(bad, fmt.Errorf("%s: %w", at(key), fmt.Errorf(format, args...)))
	}
	if d.Card == "" {
		no("card", "missing: the card that describes the file")
	}
	if d.Convention == "" {
		no("convention", "missing: a deposit is read under a convention only: name one of conventions.yaml, or write it there "+
			"(id, partner, purpose, recipients, threshold, end)")
	}
	if d.File == "" {
		no("file", "missing: the file handed in")
	}
	if checkYear(d.Millesime) != nil {
		no("millesime", "%d is not a year: the year of the figures, such as 2025", d.Millesime)
	}
	if _, err := time.Parse(time.DateOnly, d.Date); err != nil {
		no("date", "%q is not a day: the day the file was handed in, AAAA-MM-JJ", d.Date)
	}
	for _, err := range d.Zones.check() {
		no("zones", "%w", err)
	}
	return errors.Join(bad...)
}

// itemsOf are the items of a list in YAML; a file that holds none is an empty list.
func itemsOf(name string, b []byte) ([]ast.Node, error) {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, yamlError(name, err)
	}
	for _, doc := range file.Docs {
		if s, ok := doc.Body.(*ast.SequenceNode); ok {
			return s.Values, nil
		}
	}
	return nil, nil
}

// lineOf is the line of a key of a mapping, or of the mapping itself where it lacks the key.
func lineOf(node ast.Node, key string) int {
	first := 0
	for _, kv := range pairs(node) {
		t := kv.Key.GetToken()
		if t.Value == key {
			return t.Position.Line
		}
		if first == 0 || t.Position.Line < first {
			first = t.Position.Line
		}
	}
	if node != nil && !reflect.ValueOf(node).IsNil() {
		first = cmp.Or(first, node.GetToken().Position.Line)
	}
	return first
}
