package store

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"observatoire/indicators"
)

// A parsed table is kept as it comes. A wide one has a row a zone: its code, a number v1, v2… for each measured
// column, NULL where the figure is absent, and two texts with one character a measured column: statuts says why
// a figure is absent (see statutMarks) and signales marks with ! the ones that are present but flagged. Either
// is NULL when it has nothing to say, which is most rows. A long table has a row a figure.

// statutMarks has the character of each statut in the column statuts.
const statutMarks = ".sndo"

const (
	statutSuffix  = "__statut"
	signaleSuffix = "__signale"
)

// A columnRow describes a measured column of a source: a row of lecture_colonne.
type columnRow struct {
	source           string
	position         int
	variable, sexe   string
	millesime        int
	header, inRecord string
}

func (c *columnRow) fields() []field {
	return []field{{"source", &c.source}, {"position", &c.position}, {"variable", &c.variable}, {"sexe", &c.sexe},
		{"millesime", (*year)(&c.millesime)}, {"entete", &c.header}, {"colonne", &c.inRecord}}
}

// A sourceRow is one row of a parsed table, wide or long.
type sourceRow struct {
	code              string
	v                 []indicators.Opt
	statuts, signales string

	variable, sexe  string
	millesime       int
	statut          indicators.Statut
	reference, note string
}

func (r *sourceRow) fields(long bool) []field {
	if long {
		return []field{{"code", &r.code}, {"variable", &r.variable}, {"sexe", &r.sexe},
			{"millesime", (*year)(&r.millesime)}, {"valeur", &r.v[0]}, {"statut", &r.statut},
			{"reference", &r.reference}, {"note", &r.note}}
	}
	fs := []field{{"code", &r.code}, {"statuts", &r.statuts}, {"signales", &r.signales}}
	for i := range r.v {
		fs = append(fs, field{"v" + strconv.Itoa(i+1), &r.v[i]})
	}
	return fs
}

// A sourceReader turns the records of a parsed table into rows.
type sourceReader struct {
	source  indicators.Source
	long    bool
	columns []columnRow // of a long table, once it is read: in order of first appearance
	row     sourceRow

	r    array.RecordReader
	rec  arrow.Record
	i    int
	rows int // read so far

	code, variable, sexe, reference, note int // fields of the record, -1 when it has none
	millesime                             int
	value, statut, signale                []int

	// The columns of the record, as their types.
	values  []*array.Float64
	statuts []*array.Uint8
	flags   []*array.Boolean // nil where there is none

	seen  map[columnRow]bool
	marks []byte
}

// newSourceReader reads the schema of r; the rows are read by next.
func newSourceReader(src indicators.Source, r array.RecordReader) (*sourceReader, error) {
	s := &sourceReader{source: src, r: r, seen: map[columnRow]bool{}}
	schema := r.Schema()
	at := func(name string, types ...arrow.Type) (int, error) {
		is := schema.FieldIndices(name)
		if len(is) == 0 {
			return -1, nil
		}
		if id := schema.Field(is[0]).Type.ID(); !slices.Contains(types, id) {
			return -1, fmt.Errorf("source %s: column %s has type %s, want %s", src.ID, name, id, types[0])
		}
		return is[0], nil
	}
	need := func(to *int, name string, types ...arrow.Type) error {
		i, err := at(name, types...)
		if err == nil && i < 0 {
			err = fmt.Errorf("source %s: the table has no column %s", src.ID, name)
		}
		*to = i
		return err
	}
	if err := need(&s.code, "code", arrow.STRING); err != nil {
		return nil, err
	}
	kind, _ := schema.Metadata().GetValue("kind")
	if s.long = kind == "long"; s.long {
		s.value, s.statut, s.row.v = []int{0}, []int{0}, make([]indicators.Opt, 1)
		return s, cmp.Or(need(&s.variable, "variable", arrow.STRING), need(&s.sexe, "sexe", arrow.STRING),
			need(&s.millesime, "millesime", arrow.INT16), need(&s.value[0], "value", arrow.FLOAT64),
			need(&s.statut[0], "value"+statutSuffix, arrow.UINT8), need(&s.reference, "reference", arrow.STRING),
			need(&s.note, "note", arrow.STRING))
	}
	for i, f := range schema.Fields() {
		if i == s.code || strings.HasSuffix(f.Name, statutSuffix) || strings.HasSuffix(f.Name, signaleSuffix) {
			continue
		}
		if f.Type.ID() != arrow.FLOAT64 {
			return nil, fmt.Errorf("source %s: column %s has type %s, want %s", src.ID, f.Name, f.Type.ID(), arrow.FLOAT64)
		}
		var statut int
		if err := need(&statut, f.Name+statutSuffix, arrow.UINT8); err != nil {
			return nil, err
		}
		signale, err := at(f.Name+signaleSuffix, arrow.BOOL)
		if err != nil {
			return nil, err
		}
		c, err := describe(f)
		if err != nil {
			return nil, fmt.Errorf("source %s: column %s: %w", src.ID, f.Name, err)
		}
		c.source, c.position = src.ID, len(s.columns)+1
		s.columns = append(s.columns, c)
		s.value, s.statut, s.signale = append(s.value, i), append(s.statut, statut), append(s.signale, signale)
	}
	s.row.v = make([]indicators.Opt, len(s.columns))
	s.marks = make([]byte, len(s.columns))
	return s, nil
}

// describe reads what a measured column is from its metadata.
func describe(f arrow.Field) (columnRow, error) {
	get := func(key string) string { v, _ := f.Metadata.GetValue(key); return v }
	c := columnRow{variable: get("variable"), sexe: get("sexe"), header: get("header"), inRecord: f.Name}
	if c.variable == "" || c.sexe == "" {
		return c, fmt.Errorf("its metadata do not say its variable and sexe")
	}
	if m := get("millesime"); m != "" {
		var err error
		if c.millesime, err = strconv.Atoi(m); err != nil {
			return c, fmt.Errorf("its millésime %q is not a year", m)
		}
	}
	return c, nil
}

// next loads the next row in s.row; false is the end.
func (s *sourceReader) next() (bool, error) {
	for s.rec == nil || s.i == int(s.rec.NumRows()) {
		if !s.r.Next() {
			if err := s.r.Err(); err != nil {
				return false, err
			}
			return false, nil
		}
		s.rec, s.i = s.r.Record(), 0
		s.values, s.statuts, s.flags = s.values[:0], s.statuts[:0], s.flags[:0]
		for j := range s.value {
			s.values = append(s.values, s.rec.Column(s.value[j]).(*array.Float64))
			s.statuts = append(s.statuts, s.rec.Column(s.statut[j]).(*array.Uint8))
		}
		for _, k := range s.signale {
			var a *array.Boolean
			if k >= 0 {
				a = s.rec.Column(k).(*array.Boolean)
			}
			s.flags = append(s.flags, a)
		}
	}
	s.rows++
	s.row.code = s.text(s.code)
	var err error
	if s.long {
		err = s.loadLong()
	} else {
		err = s.loadWide()
	}
	s.i++
	return err == nil, err
}

func (s *sourceReader) loadWide() error {
	s.row.statuts, s.row.signales = "", ""
	absent, flagged := false, false
	for j := range s.value {
		st, err := s.load(j)
		if err != nil {
			return s.wrong(s.columns[j].inRecord, err)
		}
		s.marks[j] = statutMarks[st]
		absent = absent || st != indicators.Disponible
	}
	if absent {
		s.row.statuts = string(s.marks)
	}
	for j, a := range s.flags {
		s.marks[j] = '.'
		if a != nil && a.IsValid(s.i) && a.Value(s.i) {
			s.marks[j], flagged = '!', true
		}
	}
	if flagged {
		s.row.signales = string(s.marks)
	}
	return nil
}

func (s *sourceReader) loadLong() (err error) {
	if s.row.statut, err = s.load(0); err != nil {
		return s.wrong("value", err)
	}
	s.row.variable, s.row.sexe = s.text(s.variable), s.text(s.sexe)
	s.row.reference, s.row.note = s.text(s.reference), s.text(s.note)
	s.row.millesime = 0
	if a := s.rec.Column(s.millesime).(*array.Int16); a.IsValid(s.i) {
		s.row.millesime = int(a.Value(s.i))
	}
	key := columnRow{variable: s.row.variable, sexe: s.row.sexe, millesime: s.row.millesime}
	if !s.seen[key] {
		s.seen[key] = true
		s.columns = append(s.columns, columnRow{s.source.ID, len(s.columns) + 1, key.variable, key.sexe,
			key.millesime, key.variable, "value"})
	}
	return nil
}

// load reads measured column j: its statut and, when it is there, its figure.
func (s *sourceReader) load(j int) (indicators.Statut, error) {
	statuts, values := s.statuts[j], s.values[j]
	s.row.v[j] = indicators.Opt{}
	if statuts.IsNull(s.i) {
		return 0, fmt.Errorf("the figure has no statut")
	}
	st := statuts.Value(s.i)
	switch {
	case int(st) >= len(statutMarks):
		return 0, fmt.Errorf("statut %d has no meaning", st)
	case st != 0:
		return indicators.Statut(st), nil
	case values.IsNull(s.i):
		return 0, fmt.Errorf("no figure, though its statut is %s", indicators.Disponible)
	}
	s.row.v[j] = indicators.Some(values.Value(s.i))
	return indicators.Disponible, nil
}

func (s *sourceReader) text(column int) string {
	if a := s.rec.Column(column).(*array.String); a.IsValid(s.i) {
		// The record's memory is not ours to keep.
		return strings.Clone(a.Value(s.i))
	}
	return ""
}

func (s *sourceReader) wrong(column string, err error) error {
	return fmt.Errorf("source %s: row %d of the table, zone %s: column %s: %w", s.source.ID, s.rows, s.row.code, column, err)
}

// table is the table the rows go to.
func (s *sourceReader) table(name string) *table {
	return &table{name: name, fields: s.row.fields(s.long), next: s.next}
}

// columnTable writes the measured columns.
func (s *sourceReader) columnTable() *table {
	var c columnRow
	return &table{name: "lecture_colonne", fields: c.fields(), next: over(s.columns, &c)}
}

// finish asks for the counts known at the end of the stream.
func (s *sourceReader) finish(done func() (indicators.Source, error)) (indicators.Source, error) {
	if done == nil {
		return s.source, nil
	}
	src, err := done()
	if err == nil && src.ID != s.source.ID {
		err = fmt.Errorf("source %s: it ends as another one, %s", s.source.ID, src.ID)
	}
	return src, err
}

// readColumns gives a table that fills the measured columns of a source from its rows: those of the variables that are wanted.
// It is nil when none is.
func readColumns(src indicators.Source, long bool, cols []columnRow, want func(variable string) bool) (t *table, out []indicators.Column) {
	out = make([]indicators.Column, len(cols))
	at := map[columnRow]int{}
	var wanted []int
	for i, c := range cols {
		if want == nil || want(c.variable) {
			wanted = append(wanted, i)
		}
		out[i] = indicators.Column{Source: src.ID, Level: src.Level, Vintage: src.Vintage, Variable: c.variable,
			Sexe: c.sexe, Millesime: c.millesime, Header: c.header}
		at[columnRow{variable: c.variable, sexe: c.sexe, millesime: c.millesime}] = i
	}
	if len(wanted) == 0 {
		return nil, out
	}
	row := &sourceRow{v: make([]indicators.Opt, len(cols))}
	if long {
		row.v = make([]indicators.Opt, 1)
		known := map[string]string{} // codes: a zone has many rows
		return &table{fields: row.fields(true), add: func() error {
			if want != nil && !want(row.variable) {
				return nil
			}
			i, ok := at[columnRow{variable: row.variable, sexe: row.sexe, millesime: row.millesime}]
			if !ok {
				return fmt.Errorf("source %s: %s %s %d is not among its columns", src.ID, row.variable, row.sexe, row.millesime)
			}
			code, met := known[row.code]
			if !met {
				code = row.code
				known[code] = code
			}
			c := &out[i]
			c.Codes, c.V, c.Statut = append(c.Codes, code), append(c.V, row.v[0].V), append(c.Statut, row.statut)
			c.Signale = flag(c.Signale, len(c.Codes), row.note != "")
			if row.reference != "" && c.Ref == nil {
				c.Ref = make([]string, len(c.Codes)-1)
			}
			if c.Ref != nil {
				c.Ref = append(c.Ref, row.reference)
			}
			return nil
		}}, out
	}
	all := row.fields(false)
	fields := slices.Clone(all[:len(all)-len(cols)])
	for _, i := range wanted {
		fields = append(fields, all[len(all)-len(cols)+i])
	}
	var codes []string // one array for all the columns
	return &table{fields: fields, add: func() error {
		codes = append(codes, row.code)
		if (row.statuts != "" && len(row.statuts) != len(out)) || (row.signales != "" && len(row.signales) != len(out)) {
			return fmt.Errorf("source %s: zone %s: statuts or signales has not one character a column", src.ID, row.code)
		}
		for _, i := range wanted {
			c, st := &out[i], 0
			if row.statuts != "" {
				st = strings.IndexByte(statutMarks, row.statuts[i])
			}
			if st < 0 || (st == 0) != row.v[i].OK {
				return fmt.Errorf("source %s: zone %s: %s has a figure or a statut, not both", src.ID, row.code, c.Header)
			}
			c.Codes, c.V, c.Statut = codes, append(c.V, row.v[i].V), append(c.Statut, indicators.Statut(st))
			c.Signale = flag(c.Signale, len(codes), row.signales != "" && row.signales[i] == '!')
		}
		return nil
	}}, out
}

// flag adds a flag to those of a column that now has n figures; they stay nil until one is raised.
func flag(flags []bool, n int, raised bool) []bool {
	if flags == nil && raised {
		flags = make([]bool, n-1, n)
	}
	if flags == nil {
		return nil
	}
	return append(flags, raised)
}
