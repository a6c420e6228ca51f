package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// csvRows reads separated text. A quote has a meaning only at the beginning of a field; inside a quoted field a
// quote that closes nothing is text, as spreadsheets read it.
//
// The encoding is settled by the first byte that is not ASCII: until then UTF-8 and Windows-1252 agree, so
// nothing has to be read again. Windows-1252 stands for ISO-8859-1 too, which it contains.
type csvRows struct {
	path     string
	r        *bufio.Reader
	f        *file
	sep      byte
	latin    bool // the text is in Windows-1252
	utf8Seen bool // text that is not ASCII was met and was UTF-8
	declared bool // the layout names the encoding
	line     int  // line where the current record begins
	read     int  // lines read so far
	long     []byte
	text     []byte // a line brought to UTF-8
	rec      []byte // a record with quotes
	ends     []int  // where its fields end
	cells    []string
	err      error
}

const (
	maxRecordBytes = 16 << 20 // beyond it a quote was surely left open, or this is no table
	maxRecordLines = 2000
)

func openCSV(f *file, l Layout, info *Info) (*csvRows, error) {
	r := &csvRows{path: f.path, f: f, r: f.Reader}
	head := f.head()
	if sniff(head) == "utf-16" {
		// Whatever the card says: these bytes are in no other encoding.
		order, unmarked := unmarkedUTF16(head)
		r.r = bufio.NewReaderSize(transform.NewReader(f.Reader, unicode.UTF16(order, unicode.UseBOM).NewDecoder()), sniffSize)
		head, _ = r.r.Peek(sniffSize)
		info.Encoding, info.BOM, r.declared = "utf-16", !unmarked, true
	} else {
		if bytes.HasPrefix(head, []byte(bom)) {
			info.BOM = true
			r.r.Discard(len(bom))
			head = head[len(bom):]
		}
		switch strings.ToLower(strings.ReplaceAll(l.Encoding, "_", "-")) {
		case "utf-8", "utf8":
			r.declared = true
		case "windows-1252", "cp1252", "iso-8859-1", "latin-1", "iso-8859-15":
			r.declared, r.latin = true, true
		case "":
			r.declared = info.BOM
		case "utf-16", "utf-16le", "utf-16be":
			return nil, fmt.Errorf("%s: not in UTF-16 as the card says: take encoding out of it, the file tells its own", f.path)
		default:
			return nil, fmt.Errorf("%s: unknown encoding %q: the card may say utf-8 or windows-1252", f.path, l.Encoding)
		}
		info.Encoding = "utf-8"
		if r.latin || !r.declared && !firstAccentsUTF8(head) {
			info.Encoding = "windows-1252"
		}
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 { // line ends of old Macintoshes
		r.r = bufio.NewReaderSize(oldMac{r.r}, sniffSize)
		head = bytes.ReplaceAll(head, []byte("\r"), []byte("\n"))
	}
	switch l.Separator {
	case "":
		r.sep = sniffSeparator(head)
	case "tab", `\t`:
		r.sep = '\t'
	default:
		if len(l.Separator) != 1 || strings.ContainsAny(l.Separator, "\"\r\n") || l.Separator[0] >= 0x80 {
			return nil, fmt.Errorf("%s: unusable separator %q: the card may say one character, or tab", f.path, l.Separator)
		}
		r.sep = l.Separator[0]
	}
	info.Separator = string(r.sep)
	if r.sep == '\t' {
		info.Separator = "tab"
	}
	return r, nil
}

// firstAccentsUTF8 says whether the first line that is not ASCII is UTF-8; true when there is none.
func firstAccentsUTF8(head []byte) bool {
	for line := range bytes.Lines(head) {
		if !ascii(line) {
			// The last line may be cut in the middle of a letter.
			return utf8.Valid(line) || line[len(line)-1] != '\n' && utf8.Valid(line[:max(0, len(line)-utf8.UTFMax)])
		}
	}
	return true
}

type oldMac struct{ r io.Reader }

func (m oldMac) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	for i := range p[:n] {
		if p[i] == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// sniffSeparator finds the separator that cuts most of the first records into the same number of fields, not
// counting what is between quotes. A decimal comma does not cut the header, so a true ";" wins over it.
func sniffSeparator(head []byte) byte {
	const records = 200
	candidates := []byte(";,\t|")
	var counts [4][]int
	var n [4]int
	quoted, any := false, false
	end := func() {
		for k := range counts {
			if any {
				counts[k] = append(counts[k], n[k])
			}
			n[k] = 0
		}
		any = false
	}
	for i, c := range head {
		if c == '"' && (quoted || !any || bytes.IndexByte(candidates, head[i-1]) >= 0) {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			if end(); len(counts[0]) == records {
				break
			}
			continue
		}
		any = any || c != '\r'
		if k := bytes.IndexByte(candidates, c); k >= 0 && !quoted {
			n[k]++
		}
	}
	if len(counts[0]) == 0 || any && len(head) < sniffSize-len(bom) {
		end() // the last line counts when it is whole
	}
	best, bestAgree, bestFields := byte(';'), 0, 0
	for k, c := range candidates {
		seen := map[int]int{}
		agree, fields := 0, 0
		for _, m := range counts[k] {
			seen[m]++
			if s := seen[m]; m > 0 && (s > agree || s == agree && m > fields) {
				agree, fields = s, m
			}
		}
		if agree > bestAgree || agree == bestAgree && agree > 0 && fields > bestFields {
			best, bestAgree, bestFields = c, agree, fields
		}
	}
	return best
}

func (r *csvRows) Cells() []string { return r.cells }
func (r *csvRows) Line() int       { return r.line }
func (r *csvRows) Err() error      { return r.err }
func (r *csvRows) Close() error    { return r.f.Close() }

func (r *csvRows) Next() bool {
	if r.err != nil {
		return false
	}
	line, ok := r.readLine()
	if !ok {
		r.cells = nil
		return false
	}
	r.line = r.read
	r.cells = r.cells[:0]
	if len(line) == 0 {
		return true
	}
	if bytes.IndexByte(line, '"') >= 0 {
		return r.quoted(line)
	}
	s := string(line)
	for {
		i := strings.IndexByte(s, r.sep)
		if i < 0 {
			r.cells = append(r.cells, s)
			return true
		}
		r.cells = append(r.cells, s[:i])
		s = s[i+1:]
	}
}

// quoted splits a record that has quotes in it, going on over the next lines while one is open.
func (r *csvRows) quoted(line []byte) bool {
	rec, ends := r.rec[:0], r.ends[:0]
	stray := false      // text after a quote that closed a cell
	for i := 0; ; i++ { // i is where a field begins
		if i < len(line) && line[i] == '"' {
			i++
			for {
				j := bytes.IndexByte(line[i:], '"')
				if j < 0 {
					rec = append(append(rec, line[i:]...), '\n')
					var ok bool
					if line, ok = r.readLine(); !ok || len(rec) > maxRecordBytes || r.read-r.line > maxRecordLines {
						if r.err == nil {
							r.err = fmt.Errorf("%s:%d: a quote opened on this line is not closed: close it, or remove it", r.path, r.line)
							if stray {
								r.err = fmt.Errorf("%s:%d: text after the quote that closes a cell: double the quotes within a cell, or remove them", r.path, r.line)
							}
						}
						return false
					}
					i = 0
					continue
				}
				rec = append(rec, line[i:i+j]...)
				i += j + 1
				if i == len(line) || line[i] == r.sep {
					break
				}
				rec = append(rec, '"')
				if line[i] == '"' {
					i++
				} else {
					stray = true
				}
			}
		} else {
			j := bytes.IndexByte(line[i:], r.sep)
			if j < 0 {
				j = len(line) - i
			}
			rec = append(rec, line[i:i+j]...)
			i += j
		}
		ends = append(ends, len(rec))
		if i >= len(line) {
			break
		}
	}
	r.rec, r.ends = rec, ends
	s, from := string(rec), 0
	for _, to := range ends {
		r.cells = append(r.cells, s[from:to])
		from = to
	}
	return true
}

// readLine returns the next line without its end, in UTF-8; false at the end of the file or on an error.
func (r *csvRows) readLine() ([]byte, bool) {
	line, err := r.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = r.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			if r.long = append(r.long, line...); len(r.long) > maxRecordBytes {
				r.err = fmt.Errorf("%s:%d: a line of more than %d MiB: this is not a table", r.path, r.read+1, maxRecordBytes>>20)
				return nil, false
			}
			line, err = r.r.ReadSlice('\n')
		}
		r.long = append(r.long, line...)
		line = r.long
	}
	if err != nil && err != io.EOF {
		r.err = r.f.readError(err)
		return nil, false
	}
	if err == io.EOF && len(line) == 0 {
		return nil, false
	}
	r.read++
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if !r.latin {
		if utf8.Valid(line) {
			r.utf8Seen = r.utf8Seen || !ascii(line)
			return line, true
		}
		if r.declared || r.utf8Seen {
			r.err = fmt.Errorf("%s:%d: not UTF-8 here although the text before it is: save the file in one encoding, or say encoding: windows-1252 in the card", r.path, r.read)
			if r.declared && !r.utf8Seen {
				r.err = fmt.Errorf("%s:%d: not UTF-8, which it is said to be: save it as UTF-8, or say encoding: windows-1252 in the card", r.path, r.read)
			}
			return nil, false
		}
		r.latin = true
	}
	r.text = appendLatin(r.text[:0], line)
	return r.text, true
}

// appendLatin appends a text in Windows-1252 in UTF-8.
func appendLatin(to, text []byte) []byte {
	for _, c := range text {
		if c < 0x80 {
			to = append(to, c)
		} else {
			to = utf8.AppendRune(to, charmap.Windows1252.DecodeByte(c))
		}
	}
	return to
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
