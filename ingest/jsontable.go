package ingest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonRows reads a list of JSON objects, or objects that follow one another, a row each. The file is read twice: for
// the names of all its fields, which are the first row, then for its rows. A field that is missing or null is an
// empty cell; true and false are 1 and 0; a list or an object within a field keeps its JSON text, which no figure is.
type jsonRows struct {
	f       *file
	values  *jsonValues
	columns []string
	at      map[string]int
	line    int
	rows    int // handed out so far, less the names
	cells   []string
	err     error
}

const (
	maxJSONValue   = 16 << 20 // bytes of one row
	maxJSONColumns = 16384
)

func openJSON(f *file, info *Info) (Rows, error) {
	if _, _, err := f.random(); err != nil {
		return nil, err
	}
	r := &jsonRows{f: f, at: map[string]int{}}
	r.values = &jsonValues{r: f.again()}
	rows, only := 0, []byte(nil)
	for r.err == nil && r.values.next() {
		if rows++; rows == 1 {
			only = bytes.Clone(r.values.value)
		}
		r.fields(r.values.value, func(name string, _ json.RawMessage) error {
			if _, ok := r.at[name]; !ok {
				if len(r.columns) == maxJSONColumns {
					return fmt.Errorf("more than %d fields: this is not a table", maxJSONColumns)
				}
				r.at[name] = len(r.columns)
				r.columns = append(r.columns, name)
			}
			return nil
		})
	}
	if err := r.ended(); err != nil {
		return nil, err
	}
	if len(r.columns) == 0 {
		return nil, fmt.Errorf("%s: a list of JSON objects without a field: download or copy the file again", f.path)
	}
	if rows == 1 && !r.values.list {
		if err := r.holder(only); err != nil {
			return nil, err
		}
	}
	r.values, r.err = &jsonValues{r: f.again()}, nil
	info.Encoding = "utf-8"
	return r, nil
}

// holder refuses an object that is no row itself: a layer, or one that holds a list of rows.
func (r *jsonRows) holder(object []byte) (err error) {
	r.fields(object, func(name string, raw json.RawMessage) error {
		text := jsonText(raw)
		switch {
		case name == "type" && (text == "FeatureCollection" || text == "Topology" || text == "Feature"):
			err = fmt.Errorf("%s: %s", r.f.path, notATable("layer"))
		case err == nil && len(raw) > 1 && raw[0] == '[' && strings.HasPrefix(strings.TrimLeft(string(raw[1:]), " \t\r\n"), "{"):
			err = fmt.Errorf("%s: a JSON object that holds its rows under %q: save that list alone as the file", r.f.path, name)
		}
		return nil
	})
	return err
}

// fields gives the fields of an object in their order; what is wrong with it is in r.err.
func (r *jsonRows) fields(object []byte, take func(name string, raw json.RawMessage) error) {
	refuse := func(err error) {
		r.err = fmt.Errorf("%s:%d: %w", r.f.path, r.values.line, err)
	}
	if !utf8.Valid(object) {
		refuse(errors.New("not UTF-8, which JSON is: save the file as UTF-8"))
		return
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		refuse(errors.New("not a JSON object where a row is one: write the table as a list of objects"))
		return
	}
	for d.More() {
		name, err := d.Token()
		var raw json.RawMessage
		if err == nil {
			err = d.Decode(&raw)
		}
		if err != nil {
			refuse(fmt.Errorf("damaged JSON (%w): download or copy the file again", err))
			return
		}
		if err := take(name.(string), raw); err != nil {
			refuse(err)
			return
		}
	}
	if _, err := d.Token(); err != nil {
		refuse(fmt.Errorf("damaged JSON (%w): download or copy the file again", err))
	}
}

// ended is what stopped the reading, if it was not the end.
func (r *jsonRows) ended() error {
	switch {
	case r.err != nil:
		return r.err
	case r.values.err == nil:
		return nil
	case r.f.err != nil:
		return r.f.err
	}
	return fmt.Errorf("%s:%d: %w", r.f.path, r.values.line, r.values.err)
}

func (r *jsonRows) Cells() []string { return r.cells }
func (r *jsonRows) Line() int       { return r.line }
func (r *jsonRows) Err() error      { return r.err }
func (r *jsonRows) Close() error    { return r.f.Close() }

func (r *jsonRows) Next() bool {
	if r.cells == nil && r.err == nil {
		r.line = 1
		r.cells = append(r.cells[:0], r.columns...)
		return true
	}
	if r.err != nil || !r.values.next() {
		r.err = r.ended()
		r.cells = []string{}
		return false
	}
	// Objects of one line are told apart by their rank.
	if r.line = max(r.line+1, r.values.line); r.rows == 0 {
		r.line = r.values.line
	}
	r.rows++
	clear(r.cells)
	r.fields(r.values.value, func(name string, raw json.RawMessage) error {
		k := r.at[name]
		if r.cells[k] != "" {
			return fmt.Errorf("the field %q is there twice: keep one", name)
		}
		r.cells[k] = jsonCell(raw)
		return nil
	})
	return r.err == nil
}

// jsonCell writes a value as a cell.
func jsonCell(raw json.RawMessage) string {
	switch raw[0] {
	case 't':
		return "1"
	case 'f':
		return "0"
	case '"':
		var s string
		json.Unmarshal(raw, &s)
		return s
	case '[', '{':
		var b bytes.Buffer
		json.Compact(&b, raw)
		return b.String()
	}
	text := jsonText(raw)
	if strings.ContainsAny(text, "eE.") {
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			return number(v)
		}
	}
	return text
}

// jsonValues cuts a stream into the values of its list, or those that follow one another, without reading what is in
// them.
type jsonValues struct {
	r     *bufio.Reader
	list  bool
	begun bool
	ended bool
	lines int  // line ends met
	full  bool // a value was read since the last comma
	value []byte
	line  int // line where the value begins
	err   error
}

var errJSONCut = errors.New("damaged or incomplete JSON (it breaks off): download or copy it again")

func (v *jsonValues) next() bool {
	if v.err != nil {
		return false
	}
	for {
		c, err := v.skip()
		switch {
		case err == io.EOF && (v.ended || !v.list):
			return false
		case err == io.EOF:
			v.err = errJSONCut
			return false
		case err != nil:
			v.err = err
			return false
		case v.ended:
			v.err = errors.New("more text after the end of the list: two files were glued together; keep one")
			return false
		case c == '[' && !v.begun:
			v.list, v.begun = true, true
		case c == ',' && v.list && v.full:
			v.full = false
		case c == ']' && v.list:
			v.ended = true
		case c == '{' && (!v.list || !v.full):
			v.begun = true
			v.line = v.lines + 1
			return v.object()
		default:
			v.line = v.lines + 1
			v.err = errors.New("not a JSON object where a row is one: write the table as a list of objects")
			return false
		}
	}
}

// skip gives the next character that is not blank.
func (v *jsonValues) skip() (byte, error) {
	for {
		c, err := v.r.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			v.lines++
		case c == 0xEF && !v.begun: // byte order mark
			if rest, _ := v.r.Peek(2); string(rest) == bom[1:] {
				v.r.Discard(2)
				continue
			}
			return c, nil
		case c != ' ' && c != '\t' && c != '\r':
			return c, nil
		}
	}
}

// object reads an object, of which the brace has been read.
func (v *jsonValues) object() bool {
	v.value, v.full = append(v.value[:0], '{'), true
	depth, quoted := 1, false
	for depth > 0 {
		c, err := v.r.ReadByte()
		if err == io.EOF {
			err = errJSONCut
		}
		if err == nil && len(v.value) >= maxJSONValue {
			err = fmt.Errorf("an object of more than %d MiB: this is not a row", maxJSONValue>>20)
		}
		if v.err = err; err != nil {
			return false
		}
		v.value = append(v.value, c)
		switch {
		case c == '\n':
			v.lines++
		case quoted && c == '\\':
			if c, err := v.r.ReadByte(); err == nil {
				v.value = append(v.value, c)
			}
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}
