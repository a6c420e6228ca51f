package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"observatoire/indicators"
)

// has says whether a variable is one of the counted; of no count it is not.
func (n *Count) has(variable string) bool {
	return n != nil && (n.Series[variable] != nil || n.Sums[variable] != "")
}

// columns are those that tell the categories, and those that are added.
func (n *Count) columns() map[string]bool {
	columns := map[string]bool{}
	for _, rows := range n.Series {
		for column := range rows {
			columns[column] = true
		}
	}
	for _, column := range n.Sums {
		columns[column] = true
	}
	return columns
}

func (n *Count) check() (bad []error) {
	no := func(format string, args ...any) { bad = append(bad, fmt.Errorf(format, args...)) }
	if len(n.Series)+len(n.Sums) == 0 {
		no("count: series or sums: one is needed: the variables, each with the rows it counts or the column it adds")
	}
	if n.Year.Column {
		no("count: year: it is not read from the name of a column: a year, edition, edition-1, inconnu, or a map edition: year")
	}
	for _, v := range slices.Sorted(maps.Keys(n.Sums)) {
		if n.Series[v] != nil {
			no("count: %s: given under series and under sums: keep one", v)
		}
		if n.Sums[v] == "" {
			no("count: sums: %s: the column to add is missing", v)
		}
	}
	for _, column := range n.Empty {
		if !n.columns()[column] {
			no("count: empty: %s: no variable asks for this column", column)
		}
	}
	for _, p := range n.Unplaced {
		if _, err := path.Match(p, ""); err != nil {
			no("count: unplaced: %q is no pattern: a code in which * is anything", p)
		}
	}
	return bad
}

// nowhere says whether a code is that of rows that are in no one zone.
func (n *Count) nowhere(code string) bool {
	return slices.ContainsFunc(n.Unplaced, func(p string) bool { ok, _ := path.Match(p, code); return ok })
}

// Counted gives the card narrowed to each of its keys that a file has: one row is then counted once in an IRIS, once in a commune.
func (c *Card) Counted(file string) ([]*Card, error) {
	if c.Count == nil || !c.byKey() {
		return []*Card{c}, nil
	}
	var list []*Card
	var missing error
	for _, key := range c.Key {
		at, rule := *c, c.Levels[key]
		at.Level, at.Levels, at.Key = rule.Level, nil, []string{key}
		if rule.Vintage != nil {
			at.Vintage = *rule.Vintage
		}
		rows, info, err := OpenRows(file, c.Layout)
		if err != nil {
			return nil, err
		}
		t := Table{path: file, card: &at, rows: rows, info: info}
		if err = t.findHeader(); err == nil {
			list = append(list, &at)
		} else if missing = cmp.Or(missing, err); rows.Err() != nil {
			missing = rows.Err()
		}
		rows.Close()
	}
	if len(list) == 0 {
		return nil, missing
	}
	return list, nil
}

// A counter counts the rows of a table, zone by zone.
type counter struct {
	weight   int // position of the column that says how many a row stands for; -1: one
	empty    map[int]bool
	series   []countedColumn
	zones    map[string][]amount
	codes    []string // of the zones, sorted once all the rows are read
	given    int      // zones whose record was given
	unplaced int      // rows that are in no one zone
}

// A countedColumn is a variable of a counter: the rows it is made of, and what it adds of them.
type countedColumn struct {
	rows []condition
	at   int // position of the column that is added; -1: the weight of the row
}

// An amount is what was counted so far; v has a meaning while the statut is disponible.
type amount struct {
	v      float64
	statut indicators.Statut
}

// add adds to an amount, which takes the statut of what it cannot know: secret before all else, whatever the order of the rows.
func (a *amount) add(v float64, statut indicators.Statut) {
	a.v += v
	if statut != indicators.Disponible && (a.statut == indicators.Disponible || statut < a.statut) {
		a.statut = statut
	}
}

// resolveCount finds the columns of the categories and makes the schema, that of a wide table.
func (t *Table) resolveCount(edition int) error {
	n := t.card.Count
	t.count = &counter{weight: -1, empty: map[int]bool{}, zones: map[string][]amount{}}
	var bad []error
	for _, column := range n.Weight {
		if t.count.weight = slices.Index(t.header, column); t.count.weight >= 0 {
			bad = append(bad, t.single(column))
			break
		}
	}
	for _, column := range n.Empty {
		t.count.empty[slices.Index(t.header, column)] = true
	}
	year := n.Year.Year(edition)
	fields := []arrow.Field{{Name: "code", Type: arrow.BinaryTypes.String}}
	field := func(variable, header string, c countedColumn) {
		m := measure{variable: variable, sexe: "T", millesime: year, header: header, field: len(fields), note: -1}
		fields = append(fields, arrow.Field{Name: m.name(), Type: arrow.PrimitiveTypes.Float64, Nullable: true,
			Metadata: arrow.NewMetadata([]string{"variable", "sexe", "millesime", "header"}, []string{variable, "T", fmt.Sprint(year), header})},
			arrow.Field{Name: m.name() + "__statut", Type: arrow.PrimitiveTypes.Uint8})
		t.columns, t.count.series = append(t.columns, m), append(t.count.series, c)
	}
	asked := map[string]Words{}
	for _, rows := range n.Series {
		maps.Copy(asked, rows)
	}
	_, err := t.conditions(asked) // each column that is missing once, whatever the number of its variables
	bad = append(bad, err)
	for _, variable := range slices.Sorted(maps.Keys(n.Series)) {
		rows, _ := t.conditions(n.Series[variable])
		var words []string
		for _, column := range slices.Sorted(maps.Keys(n.Series[variable])) {
			words = append(words, column+" "+strings.Join(n.Series[variable][column], ", "))
		}
		field(variable, cmp.Or(strings.Join(words, " ; "), "lignes"), countedColumn{rows, -1})
	}
	for _, variable := range slices.Sorted(maps.Keys(n.Sums)) {
		column := n.Sums[variable]
		at := slices.Index(t.header, column)
		if at < 0 {
			bad = append(bad, fmt.Errorf("%s:%d: no column %q for %s%s: correct count.sums in the card %s",
				t.path, t.rows.Line(), column, variable, near([]string{column}, t.header), t.card.ID))
		} else {
			bad = append(bad, t.single(column))
		}
		field(variable, column, countedColumn{nil, at})
	}
	t.setSchema("wide", fields)
	return errors.Join(bad...)
}

// readCounted counts a row of a zone.
func (t *Table) readCounted(cells []string, code string) {
	n := t.count
	zone := n.zones[code]
	if zone == nil {
		zone = make([]amount, len(n.series))
		n.zones[strings.Clone(code)] = zone
	}
	figure := func(at int) (float64, indicators.Statut) {
		v, statut, err := t.figure(t.text(cells, at))
		if err != nil {
			t.wrong(t.header[at], err)
		} else if statut == indicators.Disponible {
			t.checkMark(t.header[at], t.text(cells, at))
		}
		return v, statut
	}
	weight, known := 1.0, indicators.Disponible
	if n.weight >= 0 {
		weight, known = figure(n.weight)
	}
	for i, c := range n.series {
		if c.at >= 0 {
			zone[i].add(figure(c.at))
			continue
		}
		is, statut := t.category(cells, c.rows)
		switch {
		case statut != indicators.Disponible:
			zone[i].add(0, statut)
		case is:
			zone[i].add(weight, known)
		}
	}
}

// category says whether a row is of a category; where its cells do not tell, the statut is why.
func (t *Table) category(cells []string, rows []condition) (bool, indicators.Statut) {
	unknown := indicators.Disponible
	for _, c := range rows {
		s := t.text(cells, c.at)
		if slices.Contains(c.words, s) {
			continue
		}
		statut, withheld := tokens[strings.ToLower(s)]
		word, said := t.card.Tokens[s]
		switch {
		case said:
			statut, _ = indicators.ParseStatut(word) // checked with the card
		case s == "" && !t.count.empty[c.at]:
			statut = indicators.NonDisponible
		case !withheld: // of another category
			return false, indicators.Disponible
		}
		if unknown == indicators.Disponible || statut < unknown {
			unknown = statut
		}
	}
	return unknown == indicators.Disponible, unknown
}

// nextCounted reads all the rows, then gives the zones by code, some thousand a record.
func (t *Table) nextCounted() bool {
	n := t.count
	if !t.begun {
		t.begun = true
		for t.readCountedRows() {
			if err := t.ctx.Err(); err != nil {
				t.finish(err)
				return false
			}
		}
		if n.unplaced > 0 {
			t.source.Remarques = append(t.source.Remarques, fmt.Sprintf("%d lignes sans zone (niveau %s) ne sont comptées dans aucune", n.unplaced, t.card.Level))
		}
		n.codes = slices.Sorted(maps.Keys(n.zones))
		if err := t.rows.Err(); err != nil {
			t.finish(err)
			return false
		}
	}
	codes := n.codes[n.given:min(len(n.codes), n.given+batchRows)]
	if n.given += len(codes); n.given == len(n.codes) {
		t.finish(nil)
	}
	if len(codes) == 0 {
		return false
	}
	for _, code := range codes {
		t.builder.Field(0).(*array.StringBuilder).Append(code)
		for i, a := range n.zones[code] {
			t.put(t.columns[i].field, a.v, a.statut)
		}
		delete(n.zones, code)
	}
	t.record = t.builder.NewRecord()
	return true
}

// readCountedRows counts the next rows, some thousand; false at the end.
func (t *Table) readCountedRows() bool {
	for range batchRows {
		if !t.rows.Next() {
			return false
		}
		if cells := t.rows.Cells(); !blank(cells) {
			t.read(cells)
		}
	}
	return true
}
