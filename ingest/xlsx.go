package ingest

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// xlsxRows streams one sheet of a workbook. It reads the XML itself: a library that hands out text alone loses
// what tells the code "01001" from the number 1001.0, and a sheet that breaks off would look complete.
type xlsxRows struct {
	path   string
	sheet  string
	f      *file
	shared *sharedTexts
	part   io.ReadCloser
	dec    *xml.Decoder
	ahead  *sheetRow // a row read before the blank ones that lead to it were handed out
	line   int
	last   int // number of the last row read
	ended  bool
	cells  []string
	err    error
}

const (
	maxColumns = 16384
	maxRows    = 1 << 20
)

// openZipped opens a workbook, which is a zip of its parts.
func openZipped(f *file, l Layout, info *Info) (Rows, error) {
	z, err := f.zip()
	if err != nil {
		return nil, err
	}
	if zipKind(z) == "opendocument" {
		info.Format = "ods"
		return openODS(f, z, l, info)
	}
	info.Format = "xlsx"
	return openXLSX(f, z, l, info)
}

// zip lists the parts of a workbook.
func (f *file) zip() (*zip.Reader, error) {
	at, size, err := f.random()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil, fmt.Errorf("%s: damaged or incomplete workbook or archive: download or copy it again", f.path)
	}
	return z, nil
}

// sheetNames lists the sheets of a workbook.
func (f *file) sheetNames(kind string) ([]string, error) {
	if kind == "ole" {
		b, err := f.biff()
		if err != nil {
			return nil, err
		}
		return b.names(), nil
	}
	z, err := f.zip()
	if err != nil {
		return nil, err
	}
	if zipKind(z) == "opendocument" {
		return odsNames(f, z)
	}
	w, err := newWorkbook(f, z)
	if err != nil {
		return nil, err
	}
	return w.names, nil
}

func newWorkbook(f *file, z *zip.Reader) (*workbook, error) {
	for _, p := range z.File {
		if p.Name == "xl/workbook.bin" {
			return nil, fmt.Errorf("%s: this is a binary workbook (XLSB): save it as XLSX", f.path)
		}
	}
	w := &workbook{f: f, z: z}
	return w, w.index()
}

func openXLSX(f *file, z *zip.Reader, l Layout, info *Info) (Rows, error) {
	w, err := newWorkbook(f, z)
	if err != nil {
		return nil, err
	}
	info.Sheets = w.names
	try := make([]int, 0, len(w.names))
	if l.Sheet != "" {
		i, err := pickSheet(f.path, l.Sheet, w.names)
		if err != nil {
			return nil, err
		}
		try = append(try, i)
	} else {
		for i := range w.names {
			try = append(try, i)
		}
	}
	shared, err := w.sharedStrings()
	if err != nil {
		return nil, err
	}
	for n, i := range try {
		r := &xlsxRows{path: f.path, f: f, shared: shared, sheet: w.names[i]}
		found := l.Sheet != "" || n == len(try)-1 // the last one is taken even when it is empty
		if !found {
			if err := r.open(w, i); err != nil {
				return nil, err
			}
			for !found && r.Next() {
				found = !blank(r.cells)
			}
			r.part.Close()
			if r.err != nil {
				return nil, r.err
			}
			r = &xlsxRows{path: f.path, f: f, shared: shared, sheet: w.names[i]}
		}
		if found {
			info.Sheet = r.sheet
			return r, r.open(w, i)
		}
	}
	return nil, fmt.Errorf("%s: the workbook has no sheet of cells: save the table as CSV", f.path)
}

func (r *xlsxRows) open(w *workbook, i int) (err error) {
	if r.part, err = w.open(w.parts[i]); err == nil {
		r.dec = xml.NewDecoder(r.part)
	}
	return err
}

func (r *xlsxRows) Cells() []string { return r.cells }
func (r *xlsxRows) Line() int       { return r.line }
func (r *xlsxRows) Err() error      { return r.err }

func (r *xlsxRows) Close() error {
	return errors.Join(r.part.Close(), r.f.Close())
}

// xmlFault words that a text in XML ends too early as a reader should be told.
func xmlFault(err error) error {
	var syntax *xml.SyntaxError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &syntax) && syntax.Msg == "unexpected EOF" {
		return errors.New("it breaks off")
	}
	return err
}

func (r *xlsxRows) Next() bool {
	if r.err != nil || r.ended {
		return false
	}
	if r.ahead == nil {
		if r.ahead, r.err = r.readRow(); r.err != nil && r.f.err != nil {
			r.err = r.f.err
		} else if r.err != nil {
			r.err = fmt.Errorf("%s: sheet %q: after row %d: damaged workbook (%w): open it, save it again", r.path, r.sheet, r.last, xmlFault(r.err))
		}
		if r.ahead == nil {
			r.cells, r.ended = nil, true
			return false
		}
	}
	r.line++
	if r.line < r.ahead.line {
		r.cells = r.cells[:0]
		return true
	}
	r.cells, r.ahead = r.ahead.cells, nil
	return true
}

// readRow reads up to the end of the next row; nil at the end of the sheet.
func (r *xlsxRows) readRow() (*sheetRow, error) {
	row := (*sheetRow)(nil)
	column, kind, value, in := 0, "", []byte(nil), ""
	for {
		t, err := r.dec.Token()
		if err != nil { // the end of the sheet has been met before the end of its text
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "row":
				row = &sheetRow{line: r.last + 1, cells: r.cells[:0]}
				if a := attr(t, "r"); a != "" {
					if row.line, err = strconv.Atoi(a); err != nil || row.line <= r.last || row.line > maxRows {
						return nil, fmt.Errorf("row number %q out of order", a)
					}
				}
				r.last, column = row.line, 0
			case "c":
				column++
				if a := attr(t, "r"); a != "" {
					if column = columnNumber(a); column == 0 {
						return nil, fmt.Errorf("cell %q", a)
					}
				}
				if column > maxColumns {
					return nil, fmt.Errorf("more than %d columns", maxColumns)
				}
				kind, value = attr(t, "t"), value[:0]
			case "v", "t":
				in = t.Name.Local
			case "rPh": // how to pronounce the text: not the text
				if err := r.dec.Skip(); err != nil {
					return nil, err
				}
			}
		case xml.CharData:
			if in != "" {
				value = append(value, t...)
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "v", "t":
				in = ""
			case "c":
				if row == nil {
					return nil, errors.New("a cell outside of any row")
				}
				text, err := r.text(kind, string(value))
				if err != nil {
					return nil, err
				}
				if text != "" {
					for len(row.cells) < column {
						row.cells = append(row.cells, "")
					}
					row.cells[column-1] = text
				}
			case "row":
				return row, nil
			case "sheetData":
				return nil, nil
			}
		}
	}
}

// text gives the text of a cell from its type and value.
func (r *xlsxRows) text(kind, v string) (string, error) {
	switch kind {
	case "s":
		i, err := strconv.Atoi(v)
		if err != nil || i < 0 || i >= r.shared.n {
			return "", fmt.Errorf("text number %q of %d", v, r.shared.n)
		}
		return r.shared.at(i)
	case "inlineStr", "str":
		return unescape(v), nil
	case "", "n":
		if v = strings.TrimSpace(v); v == "" {
			return "", nil
		}
		x, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return "", fmt.Errorf("number %q", v)
		}
		return number(x), nil
	}
	return v, nil // booleans 0 and 1, errors such as #N/A, ISO dates
}

// number writes a number of a workbook in the shortest form that gives it back.
func number(x float64) string {
	switch a := max(x, -x); {
	case x != x || a > 1.7976931348623157e308:
		return "#NUM!"
	case a != 0 && (a < 1e-9 || a >= 1e21):
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strconv.FormatFloat(x+0, 'f', -1, 64) // +0: no "-0"
}

// columnNumber reads the column of a reference such as "AB12": 28; 0 when it is none.
func columnNumber(ref string) int {
	n, i := 0, 0
	for ; i < len(ref) && i < 3 && ref[i] >= 'A' && ref[i] <= 'Z'; i++ {
		n = n*26 + int(ref[i]-'A') + 1
	}
	if i == len(ref) || ref[i] < '0' || ref[i] > '9' {
		return 0
	}
	return n
}

// unescape decodes the characters XML cannot hold, written _x000D_.
func unescape(s string) string {
	for from := 0; ; {
		i := strings.Index(s[from:], "_x")
		if i < 0 {
			return s
		}
		if i += from; len(s) >= i+7 && s[i+6] == '_' {
			if c, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				s = s[:i] + string(rune(c)) + s[i+7:]
				from = i + len(string(rune(c)))
				continue
			}
		}
		from = i + 2
	}
}

func attr(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// A workbook is the parts of an XLSX file.
type workbook struct {
	f      *file
	z      *zip.Reader
	names  []string // of the sheets
	parts  []string // theirs
	shared string
}

func (w *workbook) open(name string) (io.ReadCloser, error) {
	for _, p := range w.z.File {
		if p.Name != name {
			continue
		}
		rc, err := p.Open()
		if err != nil {
			return nil, w.damaged(name, err)
		}
		return readCloser{&bounded{r: rc, f: w.f, packed: int64(min(p.CompressedSize64, maxUnpacked))}, rc}, nil
	}
	return nil, w.damaged(name, errors.New("missing"))
}

func (w *workbook) damaged(part string, err error) error {
	if w.f.err != nil {
		return w.f.err
	}
	return fmt.Errorf("%s: damaged workbook (%s: %w): open it, save it again", w.f.path, part, err)
}

func (w *workbook) xml(name string, into any) error {
	rc, err := w.open(name)
	if err != nil {
		return err
	}
	defer rc.Close()
	if err := xml.NewDecoder(rc).Decode(into); err != nil {
		return w.damaged(name, err)
	}
	return nil
}

// relations are the parts a part refers to.
type relations struct {
	Relationship []struct {
		ID     string `xml:"Id,attr"`
		Type   string `xml:"Type,attr"`
		Target string `xml:"Target,attr"`
	}
}

func (w *workbook) relations(part string) (relations, error) {
	var rel relations
	dir, base := path.Split(part)
	err := w.xml(dir+"_rels/"+base+".rels", &rel)
	for i, r := range rel.Relationship {
		if strings.HasPrefix(r.Target, "/") {
			rel.Relationship[i].Target = strings.TrimPrefix(r.Target, "/")
		} else {
			rel.Relationship[i].Target = path.Join(dir, r.Target)
		}
	}
	return rel, err
}

// index finds the sheets of cells, in the order of the workbook, and the shared texts.
func (w *workbook) index() error {
	rel, err := w.relations("")
	if err != nil {
		return err
	}
	main := ""
	for _, r := range rel.Relationship {
		if strings.HasSuffix(r.Type, "/officeDocument") {
			main = r.Target
		}
	}
	var book struct {
		XMLName xml.Name
		Sheets  struct {
			Sheet []struct {
				Attrs []xml.Attr `xml:",any,attr"`
			} `xml:"sheet"`
		} `xml:"sheets"`
	}
	if err := w.xml(main, &book); err != nil {
		return err
	}
	if book.XMLName.Local != "workbook" {
		return fmt.Errorf("%s: an Office document that is not a workbook: save the table as XLSX or CSV", w.f.path)
	}
	if rel, err = w.relations(main); err != nil {
		return err
	}
	for _, s := range book.Sheets.Sheet {
		name, id := "", ""
		for _, a := range s.Attrs {
			switch {
			case a.Name.Local == "name":
				name = a.Value
			case a.Name.Local == "id" && a.Name.Space != "":
				id = a.Value
			}
		}
		for _, r := range rel.Relationship {
			if r.ID == id && strings.HasSuffix(r.Type, "/worksheet") {
				w.names = append(w.names, name)
				w.parts = append(w.parts, r.Target)
			}
		}
	}
	for _, r := range rel.Relationship {
		if strings.HasSuffix(r.Type, "/sharedStrings") {
			w.shared = r.Target
		}
	}
	return nil
}

// sharedStrings reads the texts that cells refer to by number.
func (w *workbook) sharedStrings() (*sharedTexts, error) {
	texts := &sharedTexts{f: w.f, most: memoryTexts}
	if w.shared == "" {
		return texts, nil
	}
	rc, err := w.open(w.shared)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	var b strings.Builder
	in := false
	for d := xml.NewDecoder(rc); ; {
		t, err := d.Token()
		if err == io.EOF {
			if err := texts.end(); err != nil {
				return nil, w.damaged(w.shared, err)
			}
			return texts, nil
		}
		if err != nil {
			return nil, w.damaged(w.shared, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "si":
				b.Reset()
			case "t":
				in = true
			case "rPh":
				if err := d.Skip(); err != nil {
					return nil, w.damaged(w.shared, err)
				}
			}
		case xml.CharData:
			if in {
				b.Write(t)
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "t":
				in = false
			case "si":
				if err := texts.add(unescape(b.String())); err != nil {
					return nil, w.damaged(w.shared, err)
				}
			}
		}
	}
}
