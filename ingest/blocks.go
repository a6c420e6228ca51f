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

// blockBytes is how much text makes a record: some 500 rows of 100 columns.
const blockBytes = 256 << 10

// wordBytes are read at once, and so there is room for as many behind a text.
const wordBytes = 8

// A block is some lines, and what a processor made of them.
type block struct {
	text  []byte // whole lines, with room for a word behind them
	first int    // line of the file
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
	texts spares // of blocks
	slabs spares // of records
}

// spares are buffers that have served and will again: the memory of a table is that of the few blocks under way.
type spares chan []byte

// take gives a buffer of so many bytes, whatever they are, with at least 8 more behind them.
func (s spares) take(size int) []byte {
	select {
	case b := <-s:
		if size+wordBytes <= cap(b) {
			return b[:size]
		}
	default:
	}
	return make([]byte, size, size+size/8+wordBytes)
}

func (s spares) give(b []byte) {
	select {
	case s <- b:
	default:
	}
}

// Allocate and Reallocate complete the interface of an Arrow allocator, of which records use Free: when the last of their
// columns is released.
func (s spares) Allocate(size int) []byte             { return s.take(size) }
func (s spares) Reallocate(size int, b []byte) []byte { return append(s.take(size)[:0], b...)[:size] }
func (s spares) Free(b []byte)                        { s.give(b) }

// readAhead begins to read a table by blocks, or returns nil when it cannot be.
func (t *Table) readAhead() *blocks {
	r, ok := t.rows.(*csvRows)
	if !ok || t.long != nil || t.register != nil || len(t.where) > 0 || t.keyRest != nil ||
		slices.ContainsFunc(t.columns, func(m measure) bool { return len(m.plus) > 0 }) {
		return nil
	}
	n := runtime.GOMAXPROCS(0)
	b := &blocks{queue: make(chan *block, 2*n), quit: make(chan struct{}), texts: make(spares, 4*n), slabs: make(spares, 4*n)}
	work := make(chan *block, 2*n)
	b.wg.Go(func() {
		defer close(b.queue)
		defer close(work)
		for {
			text, first := r.block(blockBytes, b.texts)
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
			p := newBlockParser(t, r.sep, b.slabs)
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
func (r *csvRows) block(size int, texts spares) ([]byte, int) {
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
		text = slices.Grow(appendLatin(texts.take(len(head))[:0], head), wordBytes)
	} else {
		if !utf8.Valid(head) {
			return nil, 0
		}
		r.utf8Seen = r.utf8Seen || !ascii(head)
		text = texts.take(len(head))
		copy(text, head)
	}
	r.read += lines
	r.r.Discard(len(head))
	return text, first
}

// A blockParser reads blocks of one table.
type blockParser struct {
	t       *Table
	sep     byte
	decimal byte   // the mark that the card says, 0 when it says none
	coded   bool   // the card takes a number for a token, such as -999
	named   int    // columns of the header up to the last that has a name
	at      []int  // for each measure: its column of the file
	ofNote  []int  // for each measure: the place in meanings of its NOTE, -1 when there is none
	flagged []int  // the measures that have flags
	noted   []int  // the columns of the file that are NOTEs
	slabs   spares // memory of the records

	ends     []int // of the cells of a row in the text of its block; before them, that of the row before
	key      []string
	meanings []meaning // of the NOTEs of a row
	usual    [utf8.RuneSelf]usual

	// The columns of the record being made, one after the other, each with room for all the lines of the block.
	room    int
	slab    []byte // what they are parts of
	values  []float64
	statuts []byte
	valid   []byte // a bit a figure, as Arrow has them
	flags   []byte
	rows    int // kept so far
}

// A meaning is what a NOTE says: the statut of an empty cell, or that a figure is flagged.
type meaning struct {
	explained, flags bool
	statut           indicators.Statut
}

// A usual meaning is that of a NOTE of one character, once it was met.
type usual struct {
	meaning
	known bool
}

func newBlockParser(t *Table, sep byte, slabs spares) *blockParser {
	p := &blockParser{t: t, sep: sep, named: named(t.header), slabs: slabs, key: make([]string, t.key+1)}
	if t.decimal != "" {
		p.decimal = t.decimal[0]
	}
	for token := range t.card.Tokens {
		p.coded = p.coded || looksNumeric.MatchString(token)
	}
	for i, m := range t.columns {
		p.at = append(p.at, m.at)
		place := slices.Index(p.noted, m.note)
		if m.note >= 0 && place < 0 {
			place = len(p.noted)
			p.noted = append(p.noted, m.note)
		}
		p.ofNote = append(p.ofNote, place)
		if m.flagged {
			p.flagged = append(p.flagged, i)
		}
	}
	p.meanings = make([]meaning, len(p.noted))
	return p
}

var errNotPlain = errors.New("not a plain block")

// reserve makes room for the columns of a record of at most so many rows.
func (p *blockParser) reserve(rows int) {
	// A multiple of 8, so that the bits of a column begin with a byte.
	p.room, p.rows = (rows+7)&^7, 0
	n := len(p.at) * p.room
	p.slab = p.slabs.take(8*n + n + n/8 + len(p.flagged)*p.room/8)
	p.values = arrow.Float64Traits.CastFromBytes(p.slab[:8*n])
	p.statuts, p.valid, p.flags = p.slab[8*n:9*n], p.slab[9*n:9*n+n/8], p.slab[9*n+n/8:]
	clear(p.flags)
}

// parse reads a block: a record of the rows that are kept, unless something is wrong.
func (p *blockParser) parse(b *block) {
	p.reserve(bytes.Count(b.text, []byte("\n")))
	if b.clean = p.parseRows(b); b.clean && p.rows > 0 {
		b.record = p.record(b)
	} else {
		p.slabs.give(p.slab)
	}
}

// parseRows fills the columns; false when something is wrong.
func (p *blockParser) parseRows(b *block) bool {
	text := b.text[:len(b.text)+wordBytes]
	for from, line := 0, b.first; from < len(b.text); line++ {
		next := from + bytes.IndexByte(text[from:], '\n') + 1
		to := next - 1
		if to > from && text[to-1] == '\r' {
			to--
		}
		p.split(text, from, to)
		from = next
		keep, err := p.accept(b, line)
		if err != nil {
			return false
		}
		if !keep {
			continue
		}
		flags := false
		for k, column := range p.noted {
			p.meanings[k] = p.meaning(b, p.cell(b, column), column)
			flags = flags || p.meanings[k].flags
		}
		ends, place := p.ends, p.rows
		for j, column := range p.at {
			cell := ends[column] + 1
			size := ends[column+1] - cell
			var v float64
			var frac int
			var mark byte
			statut, ok := indicators.Disponible, false
			if uint(size-1) < wordBytes {
				v, frac, mark, ok = shortNumber(binary.LittleEndian.Uint64(text[cell:]), size)
			}
			if size == 0 {
				statut = indicators.NonDisponible
				if k := p.ofNote[j]; k >= 0 && p.meanings[k].explained && !p.meanings[k].flags {
					statut = p.meanings[k].statut
				}
			} else if !ok || p.coded || mark != 0 && p.decimal != 0 && mark != p.decimal {
				if v, statut, frac, mark, ok = p.figure(text[cell:cell+size], j); !ok {
					return false
				}
			}
			if mark != 0 && p.decimal == 0 {
				if frac == 3 {
					b.doubt[btoi(mark == '.')] = true
				} else if b.mark == 0 {
					b.mark, b.markAt = mark, line
				}
			}
			p.values[place], p.statuts[place] = v, byte(statut)
			place += p.room
		}
		for k, j := range p.flagged {
			if flags && p.meanings[p.ofNote[j]].flags && p.statuts[j*p.room+p.rows] == byte(indicators.Disponible) {
				at := k*p.room + p.rows
				p.flags[at>>3] |= 1 << (at & 7)
			}
		}
		p.rows++
	}
	return true
}

// figure reads a cell that is not a short number; false when nothing can be made of it.
func (p *blockParser) figure(cell []byte, measure int) (v float64, statut indicators.Statut, frac int, mark byte, ok bool) {
	if v, frac, mark, ok = plainNumber(cell); ok && !p.coded && (mark == 0 || p.decimal == 0 || mark == p.decimal) {
		return v, indicators.Disponible, frac, mark, true
	}
	s := strings.Trim(string(cell), blanks+"\r\n")
	v, statut, err := p.t.figure(s)
	if err != nil {
		return 0, 0, 0, 0, false
	}
	if k := p.ofNote[measure]; s == "" && k >= 0 && p.meanings[k].explained && !p.meanings[k].flags {
		statut = p.meanings[k].statut
	}
	if at := strings.IndexAny(s, ",."); at >= 0 && statut == indicators.Disponible {
		return v, statut, len(s) - at - 1, s[at], true
	}
	return v, statut, 0, 0, true
}

// split finds where the cells of a row end, which is text[from:to].
func (p *blockParser) split(text []byte, from, to int) {
	// Eight bytes at a time: cells are too short for IndexByte. The top bit of a byte of found is set where the row has a
	// separator, and there alone.
	const ones, lows = 0x0101010101010101, 0x7F7F7F7F7F7F7F7F
	ends, seps := append(p.ends[:0], from-1), ones*uint64(p.sep)
	for i := from; i < to; i += wordBytes {
		differ := binary.LittleEndian.Uint64(text[i:]) ^ seps
		found := ^(differ&lows + lows | differ | lows)
		if to-i < wordBytes {
			found &= 1<<(8*(to-i)) - 1
		}
		for ; found != 0; found &= found - 1 {
			ends = append(ends, i+bits.TrailingZeros64(found)>>3)
		}
	}
	p.ends = append(ends, to)
}

// cells is how many cells the row has.
func (p *blockParser) cells() int { return len(p.ends) - 1 }

func (p *blockParser) cell(b *block, i int) []byte {
	if i >= p.cells() {
		return nil
	}
	return b.text[p.ends[i]+1 : p.ends[i+1]]
}

// accept says whether a row is kept, as [Table.read] does; an error for one that it would refuse.
func (p *blockParser) accept(b *block, line int) (bool, error) {
	t := p.t
	p.key[t.key] = string(p.cell(b, t.key))
	code := t.code(p.key)
	switch {
	case code == "":
		row := string(b.text[p.ends[0]+1 : p.ends[p.cells()]])
		if strings.TrimSpace(strings.ReplaceAll(row, string(p.sep), " ")) == "" {
			return false, nil // a blank line
		}
		return false, errNotPlain
	case slices.Contains(t.card.Drop, code):
		return false, nil
	case p.cells() < p.named:
		return false, errNotPlain
	}
	for i := len(t.header); i < p.cells(); i++ {
		if len(p.cell(b, i)) > 0 {
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
	short := len(cell) == 1 && cell[0] > ' ' && cell[0] < utf8.RuneSelf
	if short && p.usual[cell[0]].known {
		return p.usual[cell[0]].meaning
	}
	note := plainCode(string(cell))
	said, explained := p.t.card.Notes[note]
	if !explained && note != "" && note != "0" {
		if what := unexplained(note, p.t.header[column]); !slices.Contains(b.notes, what) {
			b.notes = append(b.notes, what)
		}
		return meaning{}
	}
	m := meaning{explained: explained, flags: said == signale}
	if explained && !m.flags {
		m.statut, _ = indicators.ParseStatut(said) // checked with the card
	}
	if short {
		p.usual[cell[0]] = usual{m, true}
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
	slab := arrowmemory.NewBufferWithAllocator(p.slab, p.slabs)
	defer slab.Release()
	from := func(part []byte, at, size int) *arrowmemory.Buffer {
		return arrowmemory.SliceBuffer(slab, cap(p.slab)-cap(part)+at, size)
	}
	column := func(kind arrow.DataType, valid, values *arrowmemory.Buffer, absent int) {
		data := array.NewData(kind, p.rows, []*arrowmemory.Buffer{valid, values}, nil, absent, 0)
		columns = append(columns, array.MakeFromData(data))
		data.Release()
		values.Release()
		if valid != nil {
			valid.Release()
		}
	}
	flag := 0
	for j, m := range t.columns {
		at := j * p.room
		var valid *arrowmemory.Buffer
		absent := p.mark(j)
		if absent > 0 {
			valid = from(p.valid, at/8, p.room/8)
		}
		column(arrow.PrimitiveTypes.Float64, valid, from(p.slab, 8*at, 8*p.rows), absent)
		column(arrow.PrimitiveTypes.Uint8, nil, from(p.statuts, at, p.rows), 0)
		if m.flagged {
			column(arrow.FixedWidthTypes.Boolean, nil, from(p.flags, flag*p.room/8, p.room/8), 0)
			flag++
		}
	}
	return array.NewRecord(t.schema, columns, int64(p.rows))
}

// mark sets the bits of the figures of a measure that are available, and says how many are not.
func (p *blockParser) mark(measure int) (absent int) {
	const lows, tops, gather = 0x7F7F7F7F7F7F7F7F, 0x8080808080808080, 0x0102040810204080
	from, to := measure*p.room, measure*p.room+p.rows
	for at := from; at < to; at += 8 { // statuts at once: a byte that is 0, disponible, becomes a bit
		word := binary.LittleEndian.Uint64(p.statuts[at:])
		zero := ^(word&lows + lows | word | lows) & tops
		if to-at < 8 {
			zero &= 1<<(8*(to-at)) - 1
		}
		p.valid[at/8] = byte(zero >> 7 * gather >> 56)
		absent += min(8, to-at) - bits.OnesCount64(zero)
	}
	return absent
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
