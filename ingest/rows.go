package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Rows is a table as text cells, one row at a time: every row of the file, titles and blank rows included. A
// blank row has no cells; rows may differ in length. Numbers of a workbook are written in the shortest form
// that gives them back ("3048", not "3048.0"), with a point, whatever their display format; an Excel date is
// the number of its day.
type Rows interface {
	Next() bool      // false at the end, or on an error that Err returns
	Cells() []string // valid until Next; the strings themselves may be kept
	Line() int       // 1-based line of the file where the row begins, or row of the sheet
	Err() error      // names the file, the line or row, and a remedy
	Close() error
}

// Info tells what a reader found out about a table, for inspection and messages.
type Info struct {
	Format    string // "csv", "xlsx" or "xls"
	Encoding  string // "utf-8", "windows-1252" or "utf-16"; empty for a workbook
	Separator string // ";", ",", "tab" or "|"; empty for a workbook
	Sheet     string
	HeaderRow int // as the layout says; 0 when it does not
	BOM       bool
	Sheets    []string // names of all the sheets of a workbook
}

// OpenRows opens a table: CSV, XLSX or XLS (BIFF8), told by its content whatever its name, inside gzip or not.
// The layout overrides what is found out; the sheet of a workbook is the first that is not empty.
func OpenRows(path string, l Layout) (Rows, Info, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, Info{}, err
	}
	info := Info{HeaderRow: l.HeaderRow}
	var rows Rows
	switch kind := sniff(f.head()); kind {
	case "text", "utf-16":
		info.Format = "csv"
		rows, err = openCSV(f, l, &info)
	case "zip":
		info.Format = "xlsx"
		rows, err = openXLSX(f, l, &info)
	case "ole":
		info.Format = "xls"
		rows, err = openXLS(f, l, &info)
	default:
		err = fmt.Errorf("%s: %s", path, notATable(kind))
	}
	if err == nil && f.err != nil { // reading what is in a damaged gzip says less than the damage itself
		err = f.err
	}
	if err != nil {
		f.Close()
		return nil, Info{}, err
	}
	return rows, info, nil
}

// notATable says what a file is that cannot be read as a table, and what to do about it.
func notATable(kind string) string {
	switch kind {
	case "empty":
		return "the file is empty: download or copy it again"
	case "html":
		return "this is a web page, not a table: the download failed or asked to sign in; download the file itself"
	case "pdf":
		return "this is a PDF document, not a table: ask for the figures as CSV or XLSX"
	case "parquet":
		return "this is a Parquet file, which is not read yet: save it as CSV"
	case "sqlite":
		return "this is an SQLite database or GeoPackage, which is not read as a table: export the table as CSV"
	case "json":
		return "this is a JSON file, not a table: a layer of zones is read as one, with a card of kind layer"
	case "xml":
		return "this is an XML file, not a table: save it as XLSX or CSV"
	case "shp":
		return "this is a shapefile, not a table: it is read with a card of kind layer"
	case "7z":
		return "this is a 7z archive: unpack it and name the file inside"
	}
	return "this is neither text nor a workbook: save it as CSV or XLSX"
}

// sniff tells a file's kind by its first bytes.
func sniff(head []byte) string {
	for _, m := range [...]struct{ magic, kind string }{
		{"PK\x03\x04", "zip"}, {"PK\x05\x06", "zip"}, {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "ole"}, {"%PDF-", "pdf"},
		{"PAR1", "parquet"}, {"SQLite format 3\x00", "sqlite"}, {"7z\xBC\xAF\x27\x1C", "7z"},
		{"\xFF\xFE", "utf-16"}, {"\xFE\xFF", "utf-16"}, {"\x00\x00\x27\x0A", "shp"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n")
	low := bytes.ToLower(text[:min(len(text), 512)])
	switch {
	case len(text) == 0:
		return "empty"
	case bytes.HasPrefix(low, []byte("<!doctype html")), bytes.HasPrefix(low, []byte("<html")),
		low[0] == '<' && bytes.Contains(low, []byte("<html")):
		return "html"
	case bytes.HasPrefix(low, []byte("<?xml")):
		return "xml"
	case text[0] == '{' || text[0] == '[':
		return "json"
	case bytes.IndexByte(head, 0) >= 0:
		return "binary"
	}
	return "text"
}

const bom = "\xEF\xBB\xBF"

// A file is an input, out of its gzip if it has one.
type file struct {
	*bufio.Reader
	path string
	raw  *os.File
	gz   bool
	err  error // what is wrong with the gzip, once met
}

// openFile opens a file and unwraps gzip, told by its first bytes. Errors name the file.
func openFile(path string) (*file, error) {
	raw, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file: check the path in the project file, or fetch it", path)
	case err != nil:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("%s: cannot be opened (%w): check its permissions, and that no other program holds it", path, err)
	}
	if st, err := raw.Stat(); err == nil && st.IsDir() {
		raw.Close()
		return nil, fmt.Errorf("%s: this is a folder: name a file in it", path)
	}
	f := &file{path: path, raw: raw}
	f.Reader = bufio.NewReaderSize(raw, sniffSize)
	if head, _ := f.Peek(2); len(head) == 2 && head[0] == 0x1F && head[1] == 0x8B {
		f.gz = true
		zr, err := gzip.NewReader(f.Reader)
		if err != nil {
			raw.Close()
			return nil, f.damaged(err)
		}
		f.Reader = bufio.NewReaderSize(gunzip{zr, f}, sniffSize)
	}
	return f, nil
}

// sniffSize is how much of a file is looked at to tell its encoding and separator, in bytes.
const sniffSize = 1 << 20

func (f *file) Close() error { return f.raw.Close() }

// head is the beginning of the file, as much as the buffer holds.
func (f *file) head() []byte {
	head, _ := f.Peek(sniffSize)
	return head
}

func (f *file) damaged(err error) error {
	f.err = fmt.Errorf("%s: damaged or incomplete gzip (%w): download or copy it again", f.path, err)
	return f.err
}

// all reads the whole file into memory, where its format needs random access.
func (f *file) all() ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxWorkbook+1))
	if err != nil {
		return nil, f.readError(err)
	}
	if len(data) > maxWorkbook {
		return nil, fmt.Errorf("%s: more than %d MiB: save it as CSV", f.path, maxWorkbook>>20)
	}
	return data, nil
}

const maxWorkbook = 512 << 20

// readError names the file in an error met while reading it.
func (f *file) readError(err error) error {
	if f.err != nil {
		return f.err
	}
	return fmt.Errorf("%s: cannot be read (%w): copy it again", f.path, err)
}

// gunzip turns the errors of a gzip stream into one that names its file.
type gunzip struct {
	*gzip.Reader
	f *file
}

func (g gunzip) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = g.f.damaged(err)
	}
	return n, err
}

// A sheetRow is a row of a workbook, 1 being the first.
type sheetRow struct {
	line  int
	cells []string
}

// blank says whether a row holds no text at all.
func blank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" })
}

// pickSheet finds the sheet a layout names.
func pickSheet(path, want string, sheets []string) (int, error) {
	if i := slices.Index(sheets, want); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%s: no sheet %q: the workbook has %s", path, want, quoteList(sheets))
}

// quoteList writes names for a message, the first ones only when they are many.
func quoteList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, n := range names {
		if i == 30 {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", n)
	}
	return b.String()
}
