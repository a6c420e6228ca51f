package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmemory "github.com/apache/arrow/go/v17/arrow/memory"

	"observatoire/indicators"
)

// A wide table of separated text is read by blocks of whole lines, on all processors: each block becomes a record, in
// the order of the file. A block in which anything is wrong is given back as it is, to be read cell by cell by
// [Table.read], which alone says what is wrong and where. So is the rest of a file from its first quote on.

// blockBytes is how much text makes a record: some 1 000 rows of 100 columns.
const blockBytes = 256 << 10

// A block is some lines, and what a processor made of them.
type block struct {
	text  []byte
	first int // line of the file
	done  chan struct{}

	clean   bool
	rows    int // of the source
	codes   []string
	lines   []int    // of the file, of each code
	unknown []string // codes no layer holds
	at      []int    // their lines
	notes   []string // codes of NOTE columns that the card does not explain
	record  arrow.Record
	mark    byte // the first decimal mark that is not followed by three digits, and its line
	markAt  int
	doubt   [2]bool // "," and "." are followed by three digits somewhere
}

// blocks reads ahead.
type blocks struct {
	queue chan *block // in the order of the file
	quit  chan struct{}
	wg    sync.WaitGroup
}

// readAhead begins to read a table by blocks, or returns nil when it cannot be.
func (t *Table) readAhead() *blocks {
	r, ok := t.rows.(*csvRows)
	if !ok || t.long != nil || t.register != nil || len(t.where) > 0 || t.keyRest != nil ||
		slices.ContainsFunc(t.columns, func(m measure) bool { return len(m.plus) > 0 }) {
		return nil
	}
	n := runtime.GOMAXPROCS(0)
	b := &blocks{queue: make(chan *block, 2*n), quit: make(chan struct{})}
	work := make(chan *block, 2*n)
	b.wg.Go(func() {
		defer close(b.queue)
		defer close(work)
		for {
			text, first := r.block(blockBytes)
			if text == nil {
				return
			}
			next := &block{text: text, first: first, done: make(chan struct{})}
			select {
			case <-b.quit:
				return
			case b.queue <- next:
				work <- next
			}
		}
	})
	for range n {
		b.wg.Go(func() {
			p := newBlockParser(t, r.sep)
			for next := range work {
				p.parse(next)
				close(next.done)
			}
		})
	}
	return b
}

// stop ends the reading, and frees what nobody will ask for.
func (b *blocks) stop() {
	close(b.quit)
	for next := range b.queue {
		<-next.done
		if next.record != nil {
			next.record.Release()
		}
	}
	b.wg.Wait()
}

// block takes the next whole lines, at most so many bytes of them, and the number of the first. It returns nil when what
// comes next has a quote, is not in one encoding, ends the file or cannot be read: Next reads it.
func (r *csvRows) block(size int) ([]byte, int) {
	if r.err != nil {
		return nil, 0
	}
	head, _ := r.r.Peek(size)
	head = head[:bytes.LastIndexByte(head, '\n')+1]
	if len(head) == 0 || bytes.IndexByte(head, '"') >= 0 {
		return nil, 0
	}
	lines := bytes.Count(head, []byte("\n"))
	if lines > batchRows {
		lines = batchRows
		n := 0
		for range lines {
			n += bytes.IndexByte(head[n:], '\n') + 1
		}
		head = head[:n]
	}
	first := r.read + 1
	var text []byte
	if r.latin {
		text = appendLatin(make([]byte, 0, len(head)+len(head)/8), head)
	} else {
		if !utf8.Valid(head) {
			return nil, 0
		}
		r.utf8Seen = r.utf8Seen || !ascii(head)
		text = bytes.Clone(head)
	}
	r.read += lines
	r.r.Discard(len(head))
	return text, first
}

// A blockParser reads blocks of one table.
type blockParser struct {
	t      *Table
	sep    byte
	named  int   // columns of the header up to the last that has a name
	slots  []int // for each column of the file: 0, or one more than the place of its measure
	notes  []int // for each column of the file that is a NOTE: one more than its place in meanings
	ofNote []int // for each measure: the place in meanings of its NOTE, -1 when there is none

	ends     []int // of the cells of a row
	key      []string
	meanings []meaning

	// The columns of the record being made, each with room for all the lines of the block.
	room    int
	values  []float64
	statuts []byte
	valid   []byte // a bit a figure, as Arrow has them
	flags   []byte
	absent  []int
	rows    int // kept so far
}

// A meaning is what a NOTE says: the statut of an empty cell, or that a figure is flagged.
type meaning struct {
	explained, flags bool
	statut           indicators.Statut
}

func newBlockParser(t *Table, sep byte) *blockParser {
	p := &blockParser{t: t, sep: sep, named: named(t.header), key: make([]string, t.key+1)}
	p.slots, p.notes, p.ofNote = make([]int, len(t.header)), make([]int, len(t.header)), make([]int, len(t.columns))
	for i, m := range t.columns {
		p.ofNote[i] = -1
		if m.note >= 0 {
			if p.notes[m.note] == 0 {
				p.meanings = append(p.meanings, meaning{})
				p.notes[m.note] = len(p.meanings)
			}
			p.ofNote[i] = p.notes[m.note] - 1
		}
	}
	return p
}

var errNotPlain = errors.New("not a plain block")

// parse reads a block: a record of the rows that are kept, unless something is wrong.
func (p *blockParser) parse(b *block) {
	t, n := p.t, len(p.t.columns)
	// Room for a multiple of 8 lines, so that the bits of a column begin with a byte.
	p.room, p.rows = (bytes.Count(b.text, []byte("\n"))+7)&^7, 0
	p.values, p.statuts = make([]float64, n*p.room), make([]byte, n*p.room)
	p.valid, p.flags, p.absent = make([]byte, n*p.room/8), make([]byte, n*p.room/8), make([]int, n)
	text, line := b.text, b.first-1
	for len(text) > 0 {
		i := bytes.IndexByte(text, '\n')
		row := bytes.TrimSuffix(text[:i], []byte("\r"))
		text = text[i+1:]
		line++
		p.split(row)
		keep, err := p.accept(b, row, line)
		if err != nil {
			return
		}
		if !keep {
			continue
		}
		for j, k := range p.notes {
			if k == 0 {
				continue
			}
			p.meanings[k-1] = p.meaning(b, p.cell(row, j), j)
		}
		for j := range t.columns {
			cell := p.cell(row, t.columns[j].at)
			v, frac, mark, ok := plainNumber(cell)
			statut := indicators.Disponible
			if len(cell) == 0 {
				statut = indicators.NonDisponible
			} else if !ok || mark != 0 && t.decimal != "" && mark != t.decimal[0] {
				s := strings.Trim(string(cell), blanks+"\r\n")
				if v, statut, err = t.figure(s); err != nil {
					return
				}
				if at := strings.IndexAny(s, ",."); at >= 0 && statut == indicators.Disponible {
					mark, frac = s[at], len(s)-at-1
				} else {
					mark = 0
				}
				ok = s != ""
			}
			switch {
			case mark == 0 || t.decimal != "":
			case frac == 3:
				b.doubt[btoi(mark == '.')] = true
			case b.mark == 0:
				b.mark, b.markAt = mark, line
			}
			flag := false
			if k := p.ofNote[j]; k >= 0 {
				m := p.meanings[k]
				if !ok && m.explained && !m.flags {
					statut = m.statut
				}
				flag = m.flags && statut == indicators.Disponible
			}
			at := j*p.room + p.rows
			if p.statuts[at] = byte(statut); statut == indicators.Disponible {
				p.values[at] = v
				p.valid[at>>3] |= 1 << (at & 7)
			} else {
				p.absent[j]++
			}
			if flag {
				p.flags[at>>3] |= 1 << (at & 7)
			}
		}
		p.rows++
	}
	if b.clean = true; p.rows > 0 {
		b.record = p.record(b)
	}
}

// split finds where the cells of a row end.
func (p *blockParser) split(row []byte) {
	// Eight bytes at a time: cells are too short for IndexByte. A byte of same is 0 where the row has a separator, and the
	// top bit of a byte of found is set there; a wrong one may follow a true one, and is looked at again.
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	ends, seps := p.ends[:0], ones*uint64(p.sep)
	i := 0
	for ; i+8 <= len(row); i += 8 {
		same := binary.LittleEndian.Uint64(row[i:]) ^ seps
		for found := (same - ones) &^ same & tops; found != 0; found &= found - 1 {
			if k := i + bits.TrailingZeros64(found)>>3; row[k] == p.sep {
				ends = append(ends, k)
			}
		}
	}
	for ; i < len(row); i++ {
		if row[i] == p.sep {
			ends = append(ends, i)
		}
	}
	p.ends = append(ends, len(row))
}

func (p *blockParser) cell(row []byte, i int) []byte {
	switch {
	case i >= len(p.ends):
		return nil
	case i == 0:
		return row[:p.ends[0]]
	}
	return row[p.ends[i-1]+1 : p.ends[i]]
}

// accept says whether a row is kept, as [Table.read] does; an error for one that it would refuse.
func (p *blockParser) accept(b *block, row []byte, line int) (bool, error) {
	t := p.t
	p.key[t.key] = string(p.cell(row, t.key))
	code := t.code(p.key)
	switch {
	case code == "":
		if strings.TrimSpace(strings.ReplaceAll(string(row), string(p.sep), " ")) == "" {
			return false, nil // a blank line
		}
		return false, errNotPlain
	case slices.Contains(t.card.Drop, code):
		return false, nil
	case len(p.ends) < p.named:
		return false, errNotPlain
	}
	for i := len(t.header); i < len(p.ends); i++ {
		if len(p.cell(row, i)) > 0 {
			return false, errNotPlain
		}
	}
	b.rows++
	if t.scope.Keep != nil && !t.scope.Keep(t.card.Level, code) {
		return false, nil
	}
	if t.scope.Known != nil && !t.scope.Known(t.card.Level, t.source.Vintage, code) {
		if t.scope.Strict != nil && t.scope.Strict(t.card.Level, t.source.Vintage) {
			return false, errNotPlain
		}
		b.unknown, b.at = append(b.unknown, code), append(b.at, line)
		return false, nil
	}
	b.codes, b.lines = append(b.codes, code), append(b.lines, line)
	return true, nil
}

// meaning is what a NOTE says.
func (p *blockParser) meaning(b *block, cell []byte, column int) meaning {
	note := ""
	if len(cell) == 1 && cell[0] > ' ' {
		note = string(cell)
	} else if len(cell) > 0 {
		note = plainCode(string(cell))
	}
	said, explained := p.t.card.Notes[note]
	if !explained {
		if note != "" && note != "0" {
			if what := unexplained(note, p.t.header[column]); !slices.Contains(b.notes, what) {
				b.notes = append(b.notes, what)
			}
		}
		return meaning{}
	}
	m := meaning{explained: true, flags: said == signale}
	if !m.flags {
		m.statut, _ = indicators.ParseStatut(said) // checked with the card
	}
	return m
}

// record makes a record of the columns that were filled, without a copy.
func (p *blockParser) record(b *block) arrow.Record {
	t := p.t
	codes := array.NewStringBuilder(arrowmemory.DefaultAllocator)
	defer codes.Release()
	codes.AppendValues(b.codes, nil)
	columns := make([]arrow.Array, 0, t.schema.NumFields())
	columns = append(columns, codes.NewStringArray())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	column := func(kind arrow.DataType, valid, values []byte, absent int) {
		buffers := []*arrowmemory.Buffer{nil, arrowmemory.NewBufferBytes(values)}
		if absent > 0 {
			buffers[0] = arrowmemory.NewBufferBytes(valid)
		}
		data := array.NewData(kind, p.rows, buffers, nil, absent, 0)
		defer data.Release()
		columns = append(columns, array.MakeFromData(data))
	}
	for j, m := range t.columns {
		from, to := j*p.room, (j+1)*p.room
		column(arrow.PrimitiveTypes.Float64, p.valid[from/8:to/8:to/8], arrow.Float64Traits.CastToBytes(p.values[from:to:to]), p.absent[j])
		column(arrow.PrimitiveTypes.Uint8, nil, p.statuts[from:to:to], 0)
		if m.flagged {
			column(arrow.FixedWidthTypes.Boolean, nil, p.flags[from/8:to/8:to/8], 0)
		}
	}
	return array.NewRecord(t.schema, columns, int64(p.rows))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// settle takes a block into the table: its record, which may be nil. false: it must be read cell by cell.
func (t *Table) settle(b *block) (arrow.Record, bool) {
	if !b.clean {
		return nil, false
	}
	// Three digits after a mark are decimals where the same mark was met before, with fewer or more.
	if b.doubt[0] && t.mark != ',' || b.doubt[1] && t.mark != '.' || t.mark == 0 && b.mark != 0 && len(t.doubtful) > 0 {
		if b.record != nil {
			b.record.Release()
		}
		return nil, false
	}
	if t.mark == 0 && b.mark != 0 {
		t.mark, t.markLine = b.mark, b.markAt
	}
	t.source.Rows += b.rows
	for i, code := range b.unknown {
		if t.unknown[code] == 0 {
			t.unknown[code] = b.at[i]
		}
	}
	for _, what := range b.notes {
		t.notes[what] = true
	}
	for i, code := range b.codes {
		if line := t.lines.meet(code, b.lines[i]); line > 0 {
			t.wrongAt(b.lines[i], t.header[t.key], errTwice(code, line))
			continue
		}
		t.source.Kept++
	}
	return b.record, true
}

// A lineRows is the rows of a block.
type lineRows struct {
	*csvRows // its separator, and the error and the end of the file
	text     []byte
	at       int
	row      []string
}

func (r *lineRows) Next() bool {
	i := bytes.IndexByte(r.text, '\n')
	if i < 0 {
		return false
	}
	line := string(bytes.TrimSuffix(r.text[:i], []byte("\r")))
	r.text, r.at, r.row = r.text[i+1:], r.at+1, r.row[:0]
	for len(line) > 0 {
		cell, rest, more := strings.Cut(line, string(r.sep))
		r.row = append(r.row, cell)
		if line = rest; more && rest == "" {
			r.row = append(r.row, "")
		}
	}
	return true
}

func (r *lineRows) Cells() []string { return r.row }
func (r *lineRows) Line() int       { return r.at }
func (r *lineRows) Err() error      { return nil }
