package ingest

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/richardlehane/mscfb"
)

// xlsRows reads one sheet of a BIFF8 workbook (Excel 97 to 2003). The format has 65 536 rows at most: the
// sheet's cells are held in memory, put in order, and handed out by row.
type xlsRows struct {
	f     *file
	rows  []sheetRow // those that have cells, ordered
	line  int
	cells []string
}

func (r *xlsRows) Cells() []string { return r.cells }
func (r *xlsRows) Line() int       { return r.line }
func (r *xlsRows) Err() error      { return nil } // the sheet was read whole before its first row
func (r *xlsRows) Close() error    { return r.f.Close() }

func (r *xlsRows) Next() bool {
	r.cells = nil
	if len(r.rows) == 0 {
		return false
	}
	if r.line++; r.line == r.rows[0].line {
		r.cells = r.rows[0].cells
		r.rows = r.rows[1:]
	}
	return true
}

// biff reads what the sheets of a workbook share.
func (f *file) biff() (*biff, error) {
	at, size, err := f.random()
	if err != nil {
		return nil, err
	}
	if size > maxXLS {
		return nil, fmt.Errorf("%s: more than %d MiB: save it as XLSX or CSV", f.path, maxXLS>>20)
	}
	stream, err := workbookStream(at, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	b := &biff{stream: stream}
	if err := b.globals(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return b, nil
}

// maxXLS bounds a workbook of this format in bytes: its texts and the cells of a sheet are held in memory.
const maxXLS = 128 << 20

func (b *biff) names() []string {
	var names []string
	for _, s := range b.sheets {
		names = append(names, s.name)
	}
	return names
}

func openXLS(f *file, l Layout, info *Info) (*xlsRows, error) {
	b, err := f.biff()
	if err != nil {
		return nil, err
	}
	info.Sheets = b.names()
	sheets := b.sheets
	if l.Sheet != "" {
		i, err := pickSheet(f.path, l.Sheet, info.Sheets)
		if err != nil {
			return nil, err
		}
		sheets = sheets[i : i+1]
	}
	for i, s := range sheets {
		rows, err := b.sheet(s.at)
		if err != nil {
			return nil, fmt.Errorf("%s: sheet %q: %w", f.path, s.name, err)
		}
		if len(rows) > 0 || i == len(sheets)-1 {
			info.Sheet = s.name
			return &xlsRows{f: f, rows: rows}, nil
		}
	}
	return nil, fmt.Errorf("%s: the workbook has no sheet of cells: save the table as CSV", f.path)
}

// workbookStream takes the workbook out of its OLE container. Its length in the container's directory is not
// trusted beyond the size of the file.
func workbookStream(at io.ReaderAt, size int64) (stream []byte, err error) {
	defer func() { // the container's reader is written for whole files: on a damaged one it may index out of range
		if p := recover(); p != nil {
			stream, err = nil, fmt.Errorf("damaged workbook (%v): open it, save it again as XLSX", p)
		}
	}()
	doc, err := mscfb.New(io.NewSectionReader(at, 0, size))
	if err != nil && strings.Contains(err.Error(), "EOF") {
		err = errors.New("it breaks off")
	}
	if err != nil {
		return nil, fmt.Errorf("damaged or incomplete workbook (%w): copy it again", err)
	}
	found := map[string]*mscfb.File{}
	for _, f := range doc.File {
		if len(f.Path) == 0 && found[f.Name] == nil {
			found[f.Name] = f
		}
	}
	switch {
	case found["EncryptedPackage"] != nil:
		return nil, errProtected
	case found["Workbook"] != nil:
		w := found["Workbook"]
		if w.Size > size {
			return nil, fmt.Errorf("damaged or incomplete workbook (%d bytes of %d): copy it again", size, w.Size)
		}
		stream := make([]byte, w.Size)
		if n, err := io.ReadFull(w, stream); err != nil && n < len(stream) {
			return nil, fmt.Errorf("damaged or incomplete workbook (%w): copy it again", err)
		}
		return stream, nil
	case found["Book"] != nil:
		return nil, errOldBIFF
	}
	return nil, errors.New("an Office document that is not a workbook: save the table as XLSX or CSV")
}

var (
	errProtected = errors.New("the workbook is protected by a password: save it without one")
	errOldBIFF   = errors.New("a workbook of Excel 95 or before: open it and save it as XLSX")
)

// biff is the records of a workbook.
type biff struct {
	stream []byte
	texts  []string
	sheets []struct {
		name string
		at   int
	}
}

// The records that are read.
const (
	recFormula    = 0x0006
	recEOF        = 0x000A
	recFilePass   = 0x002F
	recContinue   = 0x003C
	recBoundSheet = 0x0085
	recMulRK      = 0x00BD
	recRString    = 0x00D6
	recSST        = 0x00FC
	recLabelSST   = 0x00FD
	recNumber     = 0x0203
	recLabel      = 0x0204
	recBoolErr    = 0x0205
	recString     = 0x0207
	recRK         = 0x027E
	recBOF        = 0x0809
)

func damagedAt(what string, at int) error {
	return fmt.Errorf("damaged workbook (%s at byte %d): open it, save it again as XLSX", what, at)
}

// next returns the record at a position and the position of the one after it.
func (b *biff) next(at int) (kind uint16, data []byte, after int, err error) {
	if at < 0 || at+4 > len(b.stream) {
		return 0, nil, 0, damagedAt("it breaks off", at)
	}
	kind = binary.LittleEndian.Uint16(b.stream[at:])
	after = at + 4 + int(binary.LittleEndian.Uint16(b.stream[at+2:]))
	if after > len(b.stream) {
		return 0, nil, 0, damagedAt("it breaks off", at)
	}
	return kind, b.stream[at+4 : after], after, nil
}

// continued returns the data of the CONTINUE records from a position on, and the position after them.
func (b *biff) continued(at int) (parts [][]byte, after int) {
	for {
		kind, data, next, err := b.next(at)
		if err != nil || kind != recContinue {
			return parts, at
		}
		parts = append(parts, data)
		at = next
	}
}

// globals reads what the sheets share: their names and places, and the texts of cells.
func (b *biff) globals() error {
	kind, data, at, err := b.next(0)
	switch {
	case err != nil:
		return err
	case kind != recBOF && kind&0xFF == 0x09: // the BOF of BIFF2 to BIFF4
		return errOldBIFF
	case kind != recBOF || len(data) < 4:
		return damagedAt("no workbook begins there", 0)
	case binary.LittleEndian.Uint16(data) != 0x0600:
		return errOldBIFF
	}
	for {
		from := at
		if kind, data, at, err = b.next(at); err != nil {
			return err
		}
		switch kind {
		case recEOF:
			return nil
		case recFilePass:
			return errProtected
		case recBoundSheet:
			if len(data) < 8 {
				return damagedAt("name of a sheet", from)
			}
			if data[5] != 0 { // a chart or macros
				continue
			}
			t := texts{parts: [][]byte{data[7:]}}
			name, ok := t.read(int(data[6]), false)
			if !ok {
				return damagedAt("name of a sheet", from)
			}
			b.sheets = append(b.sheets, struct {
				name string
				at   int
			}{name, int(binary.LittleEndian.Uint32(data))})
		case recSST:
			if len(data) < 8 {
				return damagedAt("texts", from)
			}
			more, after := b.continued(at)
			at = after
			t := texts{parts: append([][]byte{data[8:]}, more...)}
			for n := binary.LittleEndian.Uint32(data[4:]); n > 0; n-- {
				size, ok := t.uint16()
				var s string
				if ok {
					s, ok = t.read(size, true)
				}
				if !ok {
					return damagedAt("texts", from)
				}
				b.texts = append(b.texts, s)
			}
		}
	}
}

// A cell of a sheet, counted from 0.
type xlsCell struct {
	row, col int
	text     string
}

// sheet reads the cells of the sheet that begins at a position of the stream.
func (b *biff) sheet(at int) ([]sheetRow, error) {
	kind, data, at, err := b.next(at)
	if err != nil {
		return nil, err
	}
	if kind != recBOF || len(data) < 4 {
		return nil, damagedAt("no sheet begins there", at)
	}
	var cells []xlsCell
	put := func(row, col int, text string) {
		if text != "" {
			cells = append(cells, xlsCell{row, col, text})
		}
	}
	pending := false // the text of the last formula comes in a record of its own
	row, col := 0, 0
	for depth := 1; depth > 0; { // a chart in the sheet is a sheet within it
		from := at
		if kind, data, at, err = b.next(at); err != nil {
			return nil, err
		}
		least := 0
		switch kind {
		case recBOF:
			depth++
			continue
		case recEOF:
			depth--
			continue
		case recLabelSST, recRK:
			least = 10
		case recNumber:
			least = 14
		case recFormula:
			least = 14
		case recLabel, recRString, recBoolErr, recMulRK:
			least = 8
		case recString:
			least = 3
		default:
			continue
		}
		if depth > 1 {
			continue
		}
		if len(data) < least {
			return nil, damagedAt("short cell", from)
		}
		if kind != recString {
			row, col = int(binary.LittleEndian.Uint16(data)), int(binary.LittleEndian.Uint16(data[2:]))
			if col > 255 {
				return nil, damagedAt("column out of range", from)
			}
			pending = false
		}
		switch kind {
		case recLabelSST:
			i := binary.LittleEndian.Uint32(data[6:])
			if int64(i) >= int64(len(b.texts)) {
				return nil, damagedAt("text of a cell", from)
			}
			put(row, col, b.texts[i])
		case recLabel, recRString:
			more, after := b.continued(at)
			at = after
			t := texts{parts: append([][]byte{data[8:]}, more...)}
			s, ok := t.read(int(binary.LittleEndian.Uint16(data[6:])), false)
			if !ok {
				return nil, damagedAt("text of a cell", from)
			}
			put(row, col, s)
		case recNumber:
			put(row, col, number(math.Float64frombits(binary.LittleEndian.Uint64(data[6:]))))
		case recRK:
			put(row, col, number(rk(binary.LittleEndian.Uint32(data[6:]))))
		case recMulRK:
			n := (len(data) - 6) / 6
			if col+n > 256 {
				return nil, damagedAt("column out of range", from)
			}
			for i := range n {
				put(row, col+i, number(rk(binary.LittleEndian.Uint32(data[4+6*i+2:]))))
			}
		case recBoolErr:
			put(row, col, boolErr(data[6], data[7] != 0))
		case recFormula:
			v := data[6:14]
			switch {
			case v[6] != 0xFF || v[7] != 0xFF:
				put(row, col, number(math.Float64frombits(binary.LittleEndian.Uint64(v))))
			case v[0] == 0:
				pending = true
			case v[0] == 1 || v[0] == 2:
				put(row, col, boolErr(v[2], v[0] == 2))
			}
		case recString:
			if !pending {
				continue
			}
			pending = false
			more, after := b.continued(at)
			at = after
			t := texts{parts: append([][]byte{data[2:]}, more...)}
			s, ok := t.read(int(binary.LittleEndian.Uint16(data)), false)
			if !ok {
				return nil, damagedAt("text of a formula", from)
			}
			put(row, col, s)
		}
	}
	slices.SortStableFunc(cells, func(a, b xlsCell) int { return cmp.Or(a.row-b.row, a.col-b.col) })
	var rows []sheetRow
	for _, c := range cells {
		if len(rows) == 0 || rows[len(rows)-1].line != c.row+1 {
			rows = append(rows, sheetRow{line: c.row + 1})
		}
		r := &rows[len(rows)-1]
		for len(r.cells) <= c.col {
			r.cells = append(r.cells, "")
		}
		r.cells[c.col] = c.text
	}
	return rows, nil
}

// rk decodes a number packed in 32 bits.
func rk(v uint32) float64 {
	x := math.Float64frombits(uint64(v&^3) << 32)
	if v&2 != 0 {
		x = float64(int32(v) >> 2)
	}
	if v&1 != 0 {
		x /= 100
	}
	return x
}

// boolErr writes a boolean as 0 or 1, an error as Excel shows it.
func boolErr(v byte, isErr bool) string {
	if !isErr {
		return string('0' + rune(v&1))
	}
	switch v {
	case 0x00:
		return "#NULL!"
	case 0x07:
		return "#DIV/0!"
	case 0x0F:
		return "#VALUE!"
	case 0x17:
		return "#REF!"
	case 0x1D:
		return "#NAME?"
	case 0x24:
		return "#NUM!"
	}
	return "#N/A"
}

// texts reads strings that may go on from one record to the next.
type texts struct {
	parts [][]byte
}

// take returns the next n bytes, which must lie in one record.
func (t *texts) take(n int) ([]byte, bool) {
	for len(t.parts) > 0 && len(t.parts[0]) == 0 {
		t.parts = t.parts[1:]
	}
	if len(t.parts) == 0 || len(t.parts[0]) < n {
		return nil, n == 0
	}
	p := t.parts[0][:n]
	t.parts[0] = t.parts[0][n:]
	return p, true
}

func (t *texts) uint16() (int, bool) {
	p, ok := t.take(2)
	if !ok {
		return 0, false
	}
	return int(binary.LittleEndian.Uint16(p)), true
}

// read reads a string of n characters: a byte of flags, then one or two bytes a character. A text cut by the
// end of its record goes on in the next one after flags of its own. rich: formatting and phonetic data follow,
// and are skipped.
func (t *texts) read(n int, rich bool) (string, bool) {
	p, ok := t.take(1)
	if !ok {
		return "", false
	}
	flags := p[0]
	skip := 0
	if rich && flags&8 != 0 {
		runs, ok := t.uint16()
		if !ok {
			return "", false
		}
		skip = 4 * runs
	}
	if rich && flags&4 != 0 {
		p, ok := t.take(4)
		if !ok {
			return "", false
		}
		size := binary.LittleEndian.Uint32(p)
		if size > 1<<24 {
			return "", false
		}
		skip += int(size)
	}
	var wide []uint16
	for n > 0 {
		if len(t.parts) == 0 {
			return "", false
		}
		if len(t.parts[0]) == 0 {
			t.parts = t.parts[1:]
			p, ok := t.take(1)
			if !ok {
				return "", false
			}
			flags = flags&^1 | p[0]&1
			continue
		}
		width := 1 + int(flags&1)
		m := min(n, len(t.parts[0])/width)
		if m == 0 {
			return "", false
		}
		for i := range m {
			if width == 1 {
				wide = append(wide, uint16(t.parts[0][i]))
			} else {
				wide = append(wide, binary.LittleEndian.Uint16(t.parts[0][2*i:]))
			}
		}
		t.parts[0] = t.parts[0][m*width:]
		n -= m
	}
	s := string(utf16.Decode(wide))
	for skip > 0 {
		if len(t.parts) == 0 {
			return "", false
		}
		m := min(skip, len(t.parts[0]))
		t.parts[0] = t.parts[0][m:]
		if skip -= m; skip > 0 {
			t.parts = t.parts[1:]
		}
	}
	return s, true
}
