package ingest

import (
	"fmt"
	"slices"
	"strings"
)

// Rows is a table as text cells, one row at a time: every row of the file, titles and blank rows included. A
// blank row has no cells; rows may differ in length. Numbers of a workbook are written in the shortest form
// that gives them back ("3048", not "3048.0"), with a point, whatever their display format; an Excel date is
// the number of its day. A format that names its columns (JSON, Parquet, SQLite) gives the names as its first row.
type Rows interface {
	Next() bool      // false at the end, or on an error that Err returns
	Cells() []string // valid until Next; the strings themselves may be kept
	Line() int       // 1-based line of the text where the row begins, or row of the sheet, that of the names being 1
	Err() error      // names the file, the line or row, and a remedy
	Close() error
}

// Info tells what a reader found out about a table, for inspection and messages.
type Info struct {
	Format    string // "csv", "xlsx", "xls", "ods", "parquet", "json" or "sqlite"
	Encoding  string // "utf-8", "windows-1252" or "utf-16"; empty for a workbook
	Separator string // ";", ",", "tab" or "|"; empty for a workbook
	Sheet     string // or table of a database
	HeaderRow int    // as the layout says; 0 when it does not
	BOM       bool
	Sheets    []string // names of all the sheets of a workbook, or tables of a database
}

// OpenRows opens a table: CSV, XLSX, XLS (BIFF8), ODS, Parquet, a list of JSON objects, or a table of a GeoPackage or
// other SQLite database, told by its content whatever its name, in gzip or not, on disk or in a zip or 7z archive
// (see [Files]). The layout overrides what is found out, and what follows # in the path names the sheet before it does;
// otherwise the sheet of a workbook is the first that is not empty.
func OpenRows(path string, l Layout) (Rows, Info, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, Info{}, err
	}
	rows, info, err := f.rows(l)
	if f.err != nil { // reading what is in a damaged gzip says less than the damage itself
		err = f.err
	}
	if err != nil {
		f.Close()
		return nil, Info{}, err
	}
	return rows, info, nil
}

// rows reads the file as a table.
func (f *file) rows(l Layout) (rows Rows, info Info, err error) {
	if f.part != "" {
		l.Sheet = f.part
	}
	info = Info{HeaderRow: l.HeaderRow}
	switch kind := sniff(f.head()); kind {
	case "text", "utf-16":
		info.Format = "csv"
		rows, err = openCSV(f, l, &info)
	case "zip":
		rows, err = openZipped(f, l, &info)
	case "ole":
		info.Format = "xls"
		rows, err = openXLS(f, l, &info)
	case "parquet":
		info.Format = "parquet"
		rows, err = openParquet(f, &info)
	case "json":
		info.Format = "json"
		rows, err = openJSON(f, &info)
	case "sqlite":
		info.Format = "sqlite"
		rows, err = openSQLite(f, l, &info)
	default:
		err = fmt.Errorf("%s: %s", f.path, notATable(kind))
	}
	if err != nil {
		return nil, info, err
	}
	if f.part != "" && info.Sheet == "" {
		return nil, info, fmt.Errorf("%s: it holds one table only: leave out #%s", f.path, f.part)
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
	case "layer":
		return "this is a layer in JSON, not a table: it is read with a card of kind layer"
	case "xml":
		return "this is an XML file, not a table: save it as XLSX or CSV"
	case "shp":
		return "this is a shapefile, not a table: it is read with a card of kind layer"
	case "rar":
		return "this is a RAR archive, which is not read: unpack it, or pack it as zip"
	}
	return "this is neither text nor a workbook: save it as CSV or XLSX"
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
