package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmemory "github.com/apache/arrow/go/v17/arrow/memory"

	"observatoire/indicators"
)

// Scope says which rows of a table are the project's. The functions may be nil: everything is kept, and known. They are
// called by several goroutines at once.
type Scope struct {
	// Keep says whether the zone is of the project's territory.
	Keep func(level, code string) bool
	// Known says whether the geography of that vintage (0: not said) has the zone. One that is kept but not
	// known is reported, and its figures are left out.
	Known func(level string, vintage int, code string) bool
	// Strict says whether an unknown zone is an error: the project holds the very contours the file refers to.
	Strict func(level string, vintage int) bool
}

// A CellError says where in a file a figure could not be read, and what to do.
type CellError struct {
	File   string
	Line   int // 1 is the first line of the file
	Column string
	Err    error
}

func (e *CellError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %v", e.File, e.Line, e.Column, e.Err)
}
func (e *CellError) Unwrap() error { return e.Err }

const (
	batchRows = 4096 // rows in a record
	maxBad    = 100  // bad cells listed for one file
)

// A Table reads a file as its card says: a stream of records of some thousand rows. It implements
// [array.RecordReader].
//
// A wide table has a text field "code" and, for each measured column, a float64 field named
// variable.S.AAAA (0000: millésime unknown) with metadata variable, sexe, millesime and header, its companion
// …__statut, and …__signale where the producer flags figures that are present. A long table has the fields
// code, variable, sexe, millesime (0: unknown), value, value__statut, reference, note. The metadata of the
// schema say which (kind: wide or long), and what the source is.
type Table struct {
	ctx   context.Context
	path  string
	card  *Card
	scope Scope
	rows  Rows
	info  Info

	header  []string
	key     int   // position of the zone code, or of its first part
	keyRest []int // of its other parts, where columns make it together
	widths  []int // of all its parts then
	where   []condition
	columns []measure
	long    *longColumns
	count   *counter // of a table whose rows are counted

	register *registerColumns // of a register; what it says of each indicator, and the targets it gives
	entries  map[string]*registerRow
	targets  map[string]string

	decimal string

	schema  *arrow.Schema
	builder *array.RecordBuilder
	record  arrow.Record
	begun   bool
	ahead   *blocks // what is read on the other processors; nil when the table is read row by row
	refs    atomic.Int64

	source   indicators.Source
	unknown  map[string]int // line of each code no layer holds
	mark     byte           // the decimal mark of a text file, once a cell has shown it
	markLine int
	doubtful []doubtful
	lines    keyLines
	notes    map[string]bool // unexplained codes of NOTE columns
	bad      []error
	badMore  int
	done     bool
	err      error
}

// A measure is a measured column and where it is.
type measure struct {
	at, note  int   // positions in the row; note is -1 when there is none
	plus      []int // positions of the columns that are added to it
	header    string
	variable  string
	sexe      string
	millesime int
	field     int // of its values; its statut follows, then its flag if it has one
	flagged   bool
}

func (m measure) name() string { return fmt.Sprintf("%s.%s.%04d", m.variable, m.sexe, m.millesime) }

// longColumns are positions in the row of a long table; -1 when it has no such column.
type longColumns struct {
	variable, sexe, millesime, value, statut, reference, note int

	series []series // by id, where the card tells the variables by the values of other columns
	year   int      // where there is no column of the millésime
}

// A series is a variable and the rows that are its own.
type series struct {
	id   string
	rows []condition
}

// A condition holds for a row whose cell is one of the words.
type condition struct {
	at    int
	words []string
}

func (t *Table) meets(cells []string, conditions []condition) bool {
	for _, c := range conditions {
		if !slices.Contains(c.words, t.text(cells, c.at)) {
			return false
		}
	}
	return true
}

// conditions finds the columns that a card sets values for.
func (t *Table) conditions(where map[string]Words) ([]condition, error) {
	var list []condition
	var bad []error
	for _, column := range slices.Sorted(maps.Keys(where)) {
		at := slices.Index(t.header, column)
		if at < 0 {
			bad = append(bad, fmt.Errorf("%s:%d: no column %q%s: correct where, level_column or series in the card %s",
				t.path, t.rows.Line(), column, near([]string{column}, t.header), t.card.ID))
			continue
		}
		bad = append(bad, t.single(column))
		list = append(list, condition{at, where[column]})
	}
	return list, errors.Join(bad...)
}

var _ array.RecordReader = (*Table)(nil)

// Open finds the header and the columns of a table, and is ready to read its records. The file is read twice:
// for its sha256, then for its rows. Every column that is missing is in the error.
func Open(ctx context.Context, path string, c *Card, s Scope) (*Table, error) {
	return OpenDigested(ctx, path, "", 0, c, s)
}

// OpenDigested is [Open] for a file whose [Digest] was taken, so that it is read once; an empty sum is none.
func OpenDigested(ctx context.Context, path, sum string, size int64, c *Card, s Scope) (*Table, error) {
	base := Name(path)
	if c.Kind == "reference" {
		return nil, fmt.Errorf("%s: the card %s describes a reference, from which no figures are read: take it out of tables", path, c.ID)
	}
	if c.Kind != "table" {
		return nil, fmt.Errorf("%s: the card %s describes a %s, not a table", path, c.ID, c.Kind)
	}
	edition, _ := c.edition(base)
	c = c.AtName(base)
	if c.LevelColumn != "" {
		return nil, fmt.Errorf("%s: its rows are of several levels, says the card %s: name one of %s", path, c.ID, strings.Join(c.LevelsOf(base), ", "))
	}
	if c.Level == "" && !c.byKey() {
		return nil, fmt.Errorf("%s: the file's name does not hold the level that the card %s needs: name it as one of %s, with {NIVEAU} one of %s",
			path, c.ID, strings.Join(c.Files, ", "), strings.Join(slices.Sorted(maps.Keys(c.Levels)), ", "))
	}
	t := &Table{ctx: ctx, path: path, card: c, scope: s, unknown: map[string]int{}, notes: map[string]bool{}}
	t.source = indicators.Source{ID: c.ID + "/" + base, Card: c.ID, CardHash: c.Hash, Title: c.Title, Producer: c.Producer,
		Licence: c.Licence, Page: c.Page, File: base, Edition: edition, Level: c.Level, Vintage: c.Vintage.Year(edition),
		Caption: c.Caption}
	if edition != 0 {
		t.source.Caption = withYear(c.Caption, edition)
	}
	if edition == 0 && c.yearNeeded() {
		return nil, fmt.Errorf("%s: the file's name does not hold the year that the card %s needs: name it as one of %s",
			path, c.ID, strings.Join(c.Files, ", "))
	}
	var err error
	if t.rows, t.info, err = OpenRows(path, c.Layout); err != nil {
		return nil, err
	}
	if t.info.Format == "csv" { // a workbook's numbers have a point whatever they are shown with
		t.decimal = c.Layout.Decimal
	}
	if t.source.SHA256, t.source.Bytes = sum, size; sum == "" {
		t.source.SHA256, t.source.Bytes, err = Digest(path)
	}
	if err == nil {
		if err = t.findHeader(); err == nil {
			if c.byKey() {
				if at, ok := c.AtWord(t.header[t.key]); ok {
					c = at
				}
				t.card, t.source.Level, t.source.Vintage = c, c.Level, c.Vintage.Year(edition)
			}
			if t.where, err = t.conditions(c.Where); err == nil && c.Long != nil {
				err = t.resolveLong(edition)
			} else if err == nil && c.Count != nil {
				err = t.resolveCount(edition)
			} else if err == nil {
				err = t.resolve(edition)
			}
		}
	}
	if err != nil {
		t.rows.Close()
		return nil, err
	}
	t.builder = array.NewRecordBuilder(arrowmemory.DefaultAllocator, t.schema)
	t.refs.Store(1)
	return t, nil
}

// findHeader goes to the row the card names, else to the first one that holds the key.
func (t *Table) findHeader() error {
	const search = 200 // rows looked at: title rows are a few
	var seen []string
	for n := 0; (n < search || t.card.Layout.HeaderRow > 0) && t.rows.Next(); n++ {
		header := slices.Clone(t.rows.Cells())
		for i := range header {
			header[i] = strings.Trim(header[i], blanks+"\r\n\uFEFF")
		}
		if row := t.card.Layout.HeaderRow; row > 0 && t.rows.Line() < row {
			continue
		}
		t.header = header
		for _, k := range t.card.Key {
			if found, err := t.findKey(k); found {
				return err
			}
		}
		if t.card.Layout.HeaderRow > 0 {
			return fmt.Errorf("%s:%d: the header has no column %s%s: correct header_row or key in the card %s",
				t.path, t.rows.Line(), quoteList(t.card.Key), near(t.card.Key, header), t.card.ID)
		}
		for _, h := range header {
			if h != "" && len(seen) < 2000 {
				seen = append(seen, h)
			}
		}
	}
	if err := t.rows.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%s: no header with a column %s%s: add its name under key in the card %s",
		t.path, quoteList(t.card.Key), near(t.card.Key, seen), t.card.ID)
}

// findKey looks for the columns of the zone code in the header.
func (t *Table) findKey(key string) (bool, error) {
	parts, _ := parseKey(key) // checked with the card
	var at, widths []int
	var bad []error
	for _, p := range parts {
		i := slices.Index(t.header, p.column)
		for n := 1; n < p.nth && i >= 0; n++ {
			next := slices.Index(t.header[i+1:], p.column)
			if next < 0 {
				return false, nil
			}
			i += 1 + next
		}
		if i < 0 {
			return false, nil
		}
		at, widths = append(at, i), append(widths, p.width)
		if p.nth == 0 {
			bad = append(bad, t.single(p.column))
		}
	}
	if t.key = at[0]; len(at) > 1 {
		t.keyRest, t.widths = at[1:], widths
	}
	return true, errors.Join(bad...)
}

// code is the zone code of a row, as the card mends it.
func (t *Table) code(cells []string) string {
	code := plainCode(cell(cells, t.key))
	if t.keyRest != nil {
		code = restoreZeros(code, t.widths[0])
		for i, at := range t.keyRest {
			part := restoreZeros(plainCode(cell(cells, at)), t.widths[i+1])
			if part == "" || code == "" { // half a code is none
				return ""
			}
			code += part
		}
	}
	for _, p := range t.card.KeyPrefix {
		if rest, ok := trimPattern(code, p); ok {
			code = rest
			break
		}
	}
	return restoreZeros(code, t.card.Width)
}

// trimPattern takes off a code the prefix of a pattern in which {AAAA} is any year.
func trimPattern(code, pattern string) (string, bool) {
	before, after, dated := strings.Cut(pattern, "{AAAA}")
	rest, ok := strings.CutPrefix(code, before)
	if ok && dated {
		if len(rest) < 4 || strings.Trim(rest[:4], "0123456789") != "" {
			return code, false
		}
		rest, ok = strings.CutPrefix(rest[4:], after)
	}
	if !ok {
		return code, false
	}
	return rest, true
}

// near adds to a message the headers closest to the names looked for.
func near(names, header []string) string {
	var known []string
	for _, h := range header {
		if h != "" && !slices.Contains(known, h) {
			known = append(known, h)
		}
	}
	if len(known) == 0 || len(names) == 0 {
		return ""
	}
	return " (nearest: " + strings.Join(Nearest(names[0], known, 3), ", ") + ")"
}

// single makes sure that a column in use has its name to itself.
func (t *Table) single(name string) error {
	if first := slices.Index(t.header, name); slices.Contains(t.header[first+1:], name) {
		second := first + 1 + slices.Index(t.header[first+1:], name)
		return fmt.Errorf("%s:%d: two columns are named %q (%d and %d): rename one",
			t.path, t.rows.Line(), name, first+1, second+1)
	}
	return nil
}

// resolve finds the measured columns of a wide table and makes its schema.
func (t *Table) resolve(edition int) error {
	var bad []error
	for _, v := range t.card.Variables {
		for _, sexe := range sexes {
			names, asked := v.Columns[sexe]
			if !asked {
				continue
			}
			found := t.years(v, names, edition)
			if len(found) == 0 && !v.Optional {
				bad = append(bad, fmt.Errorf("%s:%d: no column %s for %s%s: add its name in the card %s, or mark the variable optional",
					t.path, t.rows.Line(), quoteList(expanded(names, v.Millesime.Year(edition))), v.ID, near(names, t.header), t.card.ID))
			}
			for _, m := range found {
				for _, h := range strings.Split(m.header, " + ") {
					bad = append(bad, t.single(h))
				}
				m.variable, m.sexe, m.note = v.ID, sexe, -1
				for _, n := range expanded(v.Note, cmp.Or(m.millesime, edition)) {
					if m.note = slices.Index(t.header, n); m.note >= 0 {
						break
					}
				}
				t.columns = append(t.columns, m)
			}
		}
	}
	fields := []arrow.Field{{Name: "code", Type: arrow.BinaryTypes.String}}
	flags := slices.Contains(slices.Collect(maps.Values(t.card.Notes)), signale)
	taken := map[string]string{}
	for i := range t.columns {
		m := &t.columns[i]
		if other, ok := taken[m.name()]; ok {
			bad = append(bad, fmt.Errorf("%s: the columns %s and %s are both %s: correct the card %s", t.path, other, m.header, m.name(), t.card.ID))
		}
		taken[m.name()] = m.header
		m.field, m.flagged = len(fields), flags && m.note >= 0
		fields = append(fields, arrow.Field{Name: m.name(), Type: arrow.PrimitiveTypes.Float64, Nullable: true,
			Metadata: arrow.NewMetadata([]string{"variable", "sexe", "millesime", "header"},
				[]string{m.variable, m.sexe, strconv.Itoa(m.millesime), m.header})},
			arrow.Field{Name: m.name() + "__statut", Type: arrow.PrimitiveTypes.Uint8})
		if m.flagged {
			fields = append(fields, arrow.Field{Name: m.name() + "__signale", Type: arrow.FixedWidthTypes.Boolean})
		}
	}
	if len(t.columns) == 0 && errors.Join(bad...) == nil {
		bad = append(bad, fmt.Errorf("%s: none of the columns of the card %s is there", t.path, t.card.ID))
	}
	t.setSchema("wide", fields)
	return errors.Join(bad...)
}

func expanded(names []string, year int) []string {
	out := slices.Clone(names)
	if year != 0 {
		for i := range out {
			out[i] = withYear(out[i], year)
		}
	}
	return out
}

// years finds the columns of a variable for one sex: one, or one a year when the year is in their names. Of
// several names for the same year the first is taken.
func (t *Table) years(v Variable, names []string, edition int) []measure {
	if !v.Millesime.Column {
		year := v.Millesime.Year(edition)
		for _, n := range expanded(names, cmp.Or(year, edition)) {
			if m, ok := t.sum(n); ok {
				m.millesime = year
				return []measure{m}
			}
		}
		return nil
	}
	var found []measure
	for _, n := range names {
		first, _, _ := strings.Cut(n, " + ")
		for _, h := range t.header {
			year, ok := matchYear(first, h, "")
			if !ok || year == 0 {
				continue
			}
			m, ok := t.sum(withYear(n, year))
			m.millesime = year
			if ok && !slices.ContainsFunc(found, func(o measure) bool { return o.millesime == year && o.header != m.header }) {
				found = append(found, m)
			}
		}
	}
	slices.SortFunc(found, func(a, b measure) int { return cmp.Or(cmp.Compare(a.millesime, b.millesime), cmp.Compare(a.at, b.at)) })
	return slices.CompactFunc(found, func(a, b measure) bool { return a.header == b.header })
}

// sum finds a column, or the columns whose sum "A + B" is; ok is false when one is not there.
func (t *Table) sum(name string) (m measure, ok bool) {
	m = measure{header: name}
	for i, part := range strings.Split(name, " + ") {
		at := slices.Index(t.header, part)
		switch {
		case at < 0 || part == "":
			return m, false
		case i == 0:
			m.at = at
		default:
			m.plus = append(m.plus, at)
		}
	}
	return m, true
}

// resolveLong finds the columns of a long table and makes its schema.
func (t *Table) resolveLong(edition int) error {
	var bad []error
	at := func(name string, needed bool) int {
		i := slices.Index(t.header, name)
		switch {
		case name == "":
			return -1
		case i >= 0:
			bad = append(bad, t.single(name))
		case needed:
			bad = append(bad, fmt.Errorf("%s:%d: no column %q%s: correct the names under long in the card %s",
				t.path, t.rows.Line(), name, near([]string{name}, t.header), t.card.ID))
		}
		return i
	}
	l := t.card.Long
	t.long = &longColumns{variable: at(l.Variable, true), sexe: at(l.Sexe, true), millesime: at(l.Millesime, true),
		value: at(l.Value, true), statut: at(l.Statut, false), reference: at(l.Reference, false), note: at(l.Note, false)}
	if r := t.card.Register; r != nil {
		t.register = &registerColumns{at(r.Label, true), at(r.Theme, true), at(r.Objective, true), at(r.Unit, true), at(r.Partner, true),
			at(r.Target, true), at(r.TargetYear, true)}
		t.entries, t.targets = map[string]*registerRow{}, map[string]string{}
	}
	if l.Year != nil {
		t.long.year = l.Year.Year(edition)
	}
	for _, id := range slices.Sorted(maps.Keys(l.Series)) {
		rows, err := t.conditions(l.Series[id])
		bad = append(bad, err)
		t.long.series = append(t.long.series, series{id, rows})
	}
	text := arrow.BinaryTypes.String
	t.setSchema("long", []arrow.Field{{Name: "code", Type: text}, {Name: "variable", Type: text}, {Name: "sexe", Type: text},
		{Name: "millesime", Type: arrow.PrimitiveTypes.Int16}, {Name: "value", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "value__statut", Type: arrow.PrimitiveTypes.Uint8}, {Name: "reference", Type: text}, {Name: "note", Type: text}})
	return errors.Join(bad...)
}

func (t *Table) setSchema(kind string, fields []arrow.Field) {
	s := t.source
	meta := arrow.NewMetadata([]string{"kind", "source", "fiche", "fiche_sha256", "sha256", "edition", "niveau", "geographie"},
		[]string{kind, s.ID, s.Card, s.CardHash, s.SHA256, strconv.Itoa(s.Edition), s.Level, strconv.Itoa(s.Vintage)})
	t.schema = arrow.NewSchema(fields, &meta)
}

// Schema implements [array.RecordReader].
func (t *Table) Schema() *arrow.Schema { return t.schema }

// Record is the current record, valid until Next unless it is retained.
func (t *Table) Record() arrow.Record { return t.record }

// Retain implements [array.RecordReader].
func (t *Table) Retain() { t.refs.Add(1) }

// Release closes the file and frees the memory when nobody holds the table any more.
func (t *Table) Release() {
	if t.refs.Add(-1) != 0 {
		return
	}
	t.dropRecord()
	if t.ahead != nil {
		t.ahead.stop()
	}
	t.builder.Release()
	t.rows.Close()
}

func (t *Table) dropRecord() {
	if t.record != nil {
		t.record.Release()
		t.record = nil
	}
}

// Err is what stopped the reading. After the last record it joins every bad cell of the file.
func (t *Table) Err() error { return t.err }

// Source describes the file; its counts are complete after the last record. The error joins every bad cell
// (a [*CellError] each).
func (t *Table) Source() (indicators.Source, error) {
	s := t.source
	for _, code := range slices.Sorted(maps.Keys(t.unknown)) {
		s.Unknown = append(s.Unknown, fmt.Sprintf("%s (ligne %d)", code, t.unknown[code]))
	}
	return s, t.err
}

// FirstCodes are the zone codes of the first rows of a table, each once, as the card reads them, and the column they are in.
func FirstCodes(ctx context.Context, path string, c *Card) (column string, codes []string, err error) {
	t, err := Open(ctx, path, c, Scope{})
	if err != nil {
		return "", nil, err
	}
	defer t.Release()
	if t.Next() {
		for i, of := 0, t.Record().Column(0); i < of.Len(); i++ {
			if code := of.ValueStr(i); !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
			if len(codes) == 100 {
				break
			}
		}
	}
	return t.header[t.key], codes, nil
}

// Next reads the next record; false at the end or on an error.
func (t *Table) Next() bool {
	t.dropRecord()
	if t.done {
		return false
	}
	if t.count != nil {
		return t.nextCounted()
	}
	if !t.begun {
		t.begun, t.ahead = true, t.readAhead()
	}
	for t.ahead != nil {
		b, more := <-t.ahead.queue
		if !more { // the rest is read row by row
			t.ahead.wg.Wait()
			t.ahead = nil
			break
		}
		<-b.done
		if err := t.ctx.Err(); err != nil {
			if b.record != nil {
				b.record.Release()
			}
			t.finish(err)
			return false
		}
		record, ok := t.settle(b)
		if !ok {
			file := t.rows
			t.rows = &lineRows{csvRows: file.(*csvRows), text: b.text, at: b.first - 1}
			n := t.readRows(math.MaxInt)
			t.rows = file
			if n > 0 {
				record = t.builder.NewRecord()
			}
		}
		t.ahead.texts.give(b.text)
		if record != nil {
			t.record = record
			return true
		}
	}
	n := t.readRows(batchRows)
	if n < batchRows {
		t.finish(t.rows.Err())
	}
	if err := t.ctx.Err(); err != nil && !t.done {
		t.finish(err)
	}
	if n == 0 || t.err != nil && len(t.bad) == 0 {
		return false
	}
	t.record = t.builder.NewRecord()
	return true
}

// readRows appends the next rows to the record being made, at most so many, and says how many: fewer at the end.
func (t *Table) readRows(most int) int {
	n := 0
	for n < most && t.rows.Next() {
		if cells := t.rows.Cells(); !blank(cells) && t.read(cells) {
			n++
		}
	}
	return n
}

// finish ends the reading: what stopped it, or the bad cells that were met.
func (t *Table) finish(err error) {
	t.done = true
	if err != nil {
		t.err = errors.Join(append(t.bad, err)...)
		return
	}
	if t.badMore > 0 {
		t.bad = append(t.bad, fmt.Errorf("%s: %d more cells cannot be read", t.path, t.badMore))
	}
	t.err = errors.Join(t.bad...)
	for _, what := range slices.Sorted(maps.Keys(t.notes)) {
		t.source.Remarques = append(t.source.Remarques, fmt.Sprintf(
			"%s n'est pas expliqué par la fiche %s ; les cellules vides sont dites non disponibles", what, t.card.ID))
	}
}

// read appends a row to the record being made; false when the row is not part of it.
func (t *Table) read(cells []string) bool {
	code := t.code(cells)
	if slices.Contains(t.card.Drop, code) {
		return false
	}
	if !t.whole(cells) {
		return false
	}
	if !t.meets(cells, t.where) {
		if c := t.card.levelColumn; c != "" && t.measured(cells) {
			word := strings.TrimSpace(cell(cells, slices.Index(t.header, c)))
			if !slices.Contains(t.card.levelWords, word) {
				t.wrong(c, fmt.Errorf("%q is no level of the register: one of %s", word, strings.Join(t.card.levelWords, ", ")))
			}
		}
		return false
	}
	var variable string // of a row of a long table
	if t.long != nil {
		var ok bool
		if variable, ok = t.longVariable(cells); !ok {
			return false
		}
	}
	if code == "" {
		if t.count != nil {
			t.count.unplaced++
		} else if t.measured(cells) {
			t.wrong(t.header[t.key], errors.New("empty code: fill it in, or remove the row"))
		}
		return false
	}
	t.source.Rows++
	if strings.Contains(code, "E+") && shortenedCode.MatchString(code) {
		t.wrong(t.header[t.key], fmt.Errorf("%q is a code that a spreadsheet made a number and shortened: take it from the producer's file again, as text", code))
		return false
	}
	if t.scope.Keep != nil && !t.scope.Keep(t.card.Level, code) {
		return false
	}
	if t.count != nil && t.card.Count.nowhere(code) {
		t.count.unplaced++
		return false
	}
	if t.scope.Known != nil && !t.scope.Known(t.card.Level, t.source.Vintage, code) {
		if t.scope.Strict != nil && t.scope.Strict(t.card.Level, t.source.Vintage) {
			t.wrong(t.header[t.key], fmt.Errorf("%q is not a zone of %s-%d: correct the code, or say which contours these "+
				"figures meet (vintage in the card, geography_as in the project)", code, t.card.Level, t.source.Vintage))
			return false
		}
		if t.unknown[code] == 0 {
			t.unknown[code] = t.rows.Line()
		}
		return false
	}
	if t.count != nil {
		t.readCounted(cells, code)
		t.source.Kept++
		return true
	}
	key := code
	if t.long != nil {
		key = strings.Join([]string{code, variable, t.text(cells, t.long.sexe), t.text(cells, t.long.millesime)}, " ")
	}
	if line := t.lines.meet(key, t.rows.Line()); line > 0 {
		t.wrong(t.header[t.key], errTwice(key, line))
		return false
	}
	if t.long != nil && !t.readLong(cells, code, variable) {
		return false
	}
	if t.long == nil {
		t.readWide(cells, code)
	}
	t.source.Kept++
	return true
}

var shortenedCode = regexp.MustCompile(`^\d([.,]\d+)?E\+\d+$`)

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}

func (t *Table) text(cells []string, i int) string {
	s := cell(cells, i)
	if s == "" || s[0] > ' ' && s[0] < 0x80 && s[len(s)-1] > ' ' && s[len(s)-1] < 0x80 { // as most are
		return s
	}
	return strings.Trim(s, blanks+"\r\n")
}

// measured says whether a row holds anything where figures are: a row of footnotes does not.
func (t *Table) measured(cells []string) bool {
	if t.long != nil {
		return t.text(cells, t.long.value) != ""
	}
	return slices.ContainsFunc(t.columns, func(m measure) bool { return t.text(cells, m.at) != "" })
}

func errTwice(key string, line int) error {
	return fmt.Errorf("%q is on line %d already: keep one of the two rows", key, line)
}

func (t *Table) wrong(column string, err error) { t.wrongAt(t.rows.Line(), column, err) }

func (t *Table) wrongAt(line int, column string, err error) {
	if len(t.bad) == maxBad {
		t.badMore++
		return
	}
	t.bad = append(t.bad, &CellError{t.path, line, column, err})
}

func (t *Table) readWide(cells []string, code string) {
	t.builder.Field(0).(*array.StringBuilder).Append(code)
	for _, m := range t.columns {
		note := ""
		if m.note >= 0 {
			note = plainCode(cell(cells, m.note))
		}
		v, statut, err := t.figure(t.text(cells, m.at))
		if err != nil {
			t.wrong(t.header[m.at], err)
		} else if statut == indicators.Disponible {
			t.checkMark(t.header[m.at], t.text(cells, m.at))
		}
		for _, at := range m.plus {
			more, st, err := t.figure(t.text(cells, at))
			if err != nil {
				t.wrong(t.header[at], err)
			} else if st == indicators.Disponible {
				t.checkMark(t.header[at], t.text(cells, at))
			}
			if v += more; statut == indicators.Disponible { // a sum lacks what one of its terms lacks
				statut = st
			}
		}
		meaning, explained := t.card.Notes[note]
		if !explained && note != "" && note != "0" {
			t.notes[unexplained(note, t.header[m.note])] = true
		}
		if t.text(cells, m.at) == "" && explained && meaning != signale {
			statut, _ = indicators.ParseStatut(meaning) // checked with the card
		}
		t.put(m.field, v, statut)
		if m.flagged {
			t.builder.Field(m.field + 2).(*array.BooleanBuilder).Append(statut == indicators.Disponible && meaning == signale)
		}
	}
}

func unexplained(note, column string) string {
	return fmt.Sprintf("le code %s de la colonne %s", note, column)
}

func (t *Table) put(field int, v float64, statut indicators.Statut) {
	b := t.builder.Field(field).(*array.Float64Builder)
	if statut == indicators.Disponible {
		b.Append(v)
	} else {
		b.AppendNull()
	}
	t.builder.Field(field + 1).(*array.Uint8Builder).Append(uint8(statut))
}

// longVariable is the variable of a row; ok is false when the card takes no variable from it.
func (t *Table) longVariable(cells []string) (variable string, ok bool) {
	if len(t.long.series) == 0 {
		return t.text(cells, t.long.variable), true
	}
	for _, s := range t.long.series {
		if !t.meets(cells, s.rows) {
			continue
		}
		if variable != "" {
			t.wrong(t.header[t.long.value], fmt.Errorf("the row is both %s and %s: make their conditions exclude one another in the card %s", variable, s.id, t.card.ID))
			return "", false
		}
		variable = s.id
	}
	return variable, variable != ""
}

func (t *Table) readLong(cells []string, code, variable string) bool {
	l := t.long
	if t.register != nil && strings.EqualFold(t.text(cells, l.value), none) { // nobody can inform it
		cells = slices.Clone(cells)
		cells[l.value] = ""
	}
	sexe := cmp.Or(strings.ToUpper(t.text(cells, l.sexe)), "T")
	if known, ok := t.card.Long.Sexes[t.text(cells, l.sexe)]; ok {
		sexe = known
	}
	ok := true
	no := func(column int, err error) {
		t.wrong(t.header[column], err)
		ok = false
	}
	if variable == "" {
		no(l.variable, errors.New("empty: name the indicator"))
	}
	if !slices.Contains(sexes, sexe) {
		no(l.sexe, fmt.Errorf("%q is not a sex: T, F or H", sexe))
	}
	millesime := l.year
	if s := plainCode(cell(cells, l.millesime)); s != "" && s != "inconnu" {
		var err error
		if millesime, err = year(s); err != nil {
			no(l.millesime, err)
		}
	}
	v, statut, err := t.figure(t.text(cells, l.value))
	if err != nil {
		no(l.value, err)
	} else if statut == indicators.Disponible {
		t.checkMark(t.header[l.value], t.text(cells, l.value))
	}
	if s := t.text(cells, l.statut); t.register != nil && strings.EqualFold(s, none) {
		if statut == indicators.Disponible {
			no(l.value, errors.New("the figure is there, and said to be néant: empty it, or correct its statut"))
		}
	} else if s != "" && t.card.Long.Statuts != nil {
		word, known := t.card.Long.Statuts[s]
		said, _ := indicators.ParseStatut(word) // checked with the card
		if !known {
			no(l.statut, fmt.Errorf("%q is not explained: say what it means under long.statuts in the card %s", s, t.card.ID))
		} else if statut != indicators.Disponible && said != indicators.Disponible {
			statut = said
		} else if said != indicators.Disponible {
			no(l.value, fmt.Errorf("the figure is there, and said to be %s (%s): correct the cell, or long.statuts in the card %s", said, s, t.card.ID))
		}
	} else if s != "" {
		said, err := indicators.ParseStatut(s)
		switch {
		case err != nil:
			no(l.statut, err)
		case said == indicators.Disponible && statut != said:
			no(l.value, errors.New("the figure is said to be disponible, and is absent: fill it in, or correct its statut"))
		case said != indicators.Disponible && statut == indicators.Disponible:
			no(l.value, fmt.Errorf("the figure is there, and said to be %s: empty it, or correct its statut", said))
		default:
			statut = said
		}
	}
	if !ok {
		return false
	}
	for i, s := range [...]string{code, variable, sexe} {
		t.builder.Field(i).(*array.StringBuilder).Append(s)
	}
	t.builder.Field(6).(*array.StringBuilder).Append(t.text(cells, l.reference))
	t.builder.Field(7).(*array.StringBuilder).Append(t.text(cells, l.note))
	t.builder.Field(3).(*array.Int16Builder).Append(int16(millesime))
	t.put(4, v, statut)
	return t.register == nil || t.readRegister(cells, code, variable, sexe, millesime)
}

// workbookDay is the day a number is in a workbook, between 1954 and 2064.
func workbookDay(n int) (string, bool) {
	return time.Date(1899, 12, 30+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), n > 20000 && n < 60000
}

// year reads the year of a cell.
func year(s string) (int, error) {
	y, err := strconv.Atoi(s)
	if err != nil || checkYear(y) != nil {
		if day, ok := workbookDay(y); err == nil && ok {
			return 0, fmt.Errorf("%q is not a year but a day, %s, as a workbook counts them: type the year again in a cell formatted as a number", s, day)
		}
		return 0, fmt.Errorf("%q is not a year: a year such as 2019, or inconnu", s)
	}
	return y, nil
}

// whole says whether a row of text has as many cells as the header: one that does not was cut, or a separator
// stands in a cell. Workbooks leave trailing cells out; empty ones too many do no harm anywhere.
func (t *Table) whole(cells []string) bool {
	if t.info.Format != "csv" {
		return true
	}
	named := named(t.header)
	for _, extra := range cells[min(len(cells), len(t.header)):] {
		if strings.Trim(extra, blanks) != "" {
			t.wrong(t.header[t.key], fmt.Errorf("%d cells where the header has %d: quote the cells that hold the separator", len(cells), len(t.header)))
			return false
		}
	}
	if len(cells) < named {
		t.wrong(t.header[t.key], fmt.Errorf("%d cells where the header has %d: the row was cut, get the file again", len(cells), named))
		return false
	}
	return true
}

// named is how many columns there are up to the last that has a name.
func named(header []string) int {
	n := len(header)
	for n > 0 && header[n-1] == "" {
		n--
	}
	return n
}

// checkMark looks at the mark of a figure in a text file whose card fixes none: "17.470" among "22,6" is 17 470, not
// 17.47. Three digits after a mark tell nothing by themselves; the first other cell with a mark does.
func (t *Table) checkMark(column, s string) {
	i := strings.IndexAny(s, ",.")
	if i < 0 || t.decimal != "" || t.info.Format != "csv" {
		return
	}
	mark, line := s[i], t.rows.Line()
	if len(s)-i-1 != 3 {
		if t.mark == 0 {
			t.mark, t.markLine = mark, line
			for _, c := range t.doubtful {
				t.doubt(c)
			}
			t.doubtful = nil
		}
		return
	}
	c := doubtful{line, column, s, mark}
	if t.mark != 0 {
		t.doubt(c)
	} else if len(t.doubtful) < maxBad {
		t.doubtful = append(t.doubtful, c)
	}
}

// A doubtful cell has three digits after its mark: decimals, or thousands.
type doubtful struct {
	line   int
	column string
	text   string
	mark   byte
}

func (t *Table) doubt(c doubtful) {
	if c.mark == t.mark {
		return
	}
	if len(t.bad) == maxBad {
		t.badMore++
		return
	}
	t.bad = append(t.bad, &CellError{t.path, c.line, c.column, fmt.Errorf("%q: %q parts thousands or decimals, while the decimal mark "+
		"is %q on line %d: write it without a mark between thousands", c.text, c.mark, t.mark, t.markLine)})
}

// tokens are the usual marks of an absent figure, in the conventions of INSEE.
var tokens = map[string]indicators.Statut{
	"s": indicators.Secret, "ns": indicators.NonSignificatif, "n.s.": indicators.NonSignificatif,
	"nd": indicators.NonDisponible, "n.d.": indicators.NonDisponible, "...": indicators.NonDisponible, "…": indicators.NonDisponible,
	"so": indicators.SansObjet, "s.o.": indicators.SansObjet, "///": indicators.SansObjet,
}

var (
	looksNumeric  = regexp.MustCompile(`[0-9]`)
	formulaErrors = regexp.MustCompile(`^#(REF!|DIV/0!|VALUE!|VALEUR!|NAME\?|NOM\?|N/A|NUM!|NOMBRE!|NULL!|NUL!|####*)$`)
	looksDate     = regexp.MustCompile(`^(\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}-[\pL]{3,5}\.?(-\d{2,4})?|[\pL]{3,5}\.?-\d{2})$`)
)

// figure reads a trimmed cell: a number, or why there is none. An empty cell is not available.
func (t *Table) figure(s string) (float64, indicators.Statut, error) {
	if s == "" {
		return 0, indicators.NonDisponible, nil
	}
	if word, ok := t.card.Tokens[s]; ok {
		statut, _ := indicators.ParseStatut(word) // checked with the card
		return 0, statut, nil
	}
	if v, _, mark, ok := plainNumber([]byte(s)); ok && (mark == 0 || t.decimal == "" || mark == t.decimal[0]) { // as most are
		return v, indicators.Disponible, nil
	}
	if statut, ok := tokens[strings.ToLower(s)]; ok {
		return 0, statut, nil
	}
	v, err := parseNumber(s, t.decimal)
	if err == nil {
		return v, indicators.Disponible, nil
	}
	remedy := fmt.Sprintf("correct the cell, or say what it means under tokens in the card %s", t.card.ID)
	switch {
	case errors.Is(err, errExponent):
		remedy = "write all its digits"
	case t.decimal != "" && parses(s):
		remedy = fmt.Sprintf("the card %s says that the decimal mark is %q: correct the cell, or decimal in the card", t.card.ID, t.decimal)
	case looksNumeric.MatchString(s) && strings.HasSuffix(s, "%"):
		remedy = "take the % sign off"
	case formulaErrors.MatchString(s):
		remedy = "a formula failed in the workbook this comes from: mend it there and save again, or empty the cell"
	case s[0] == '=':
		remedy = "this is a formula, not its result: save the workbook again with its values"
	case looksDate.MatchString(s):
		remedy = "this is a date: a spreadsheet took the figure for one; type it again in a cell formatted as a number"
	}
	return 0, indicators.NonDisponible, fmt.Errorf("%q %w: %s", s, err, remedy)
}

func parses(s string) bool {
	_, err := parseNumber(s, "")
	return err == nil
}
