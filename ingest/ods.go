package ingest

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// odsRows streams one sheet of an OpenDocument workbook. Rows and cells said to be repeated are written out. A date is
// as the document has it ("2022-01-01"), a boolean 0 or 1.
type odsRows struct {
	f     *file
	sheet string
	part  io.ReadCloser
	dec   *xml.Decoder
	line  int
	blank int // blank rows to hand out before the next one
	left  int // times the row is still to be handed out
	row   []string
	cells []string
	total int // cells written out so far in place of repeated ones
	done  bool
	err   error
}

const (
	odsTable = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
	odsText  = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"

	// maxRepeated bounds the cells written out in place of repeated ones: of a few bytes one could make billions.
	maxRepeated = 32 << 20
)

// odsPart opens a part of an OpenDocument workbook.
func odsPart(f *file, z *zip.Reader, name string) (io.ReadCloser, error) {
	for _, p := range z.File {
		if p.Name == name {
			rc, err := p.Open()
			if err != nil {
				return nil, fmt.Errorf("%s: damaged workbook (%s: %w): open it, save it again", f.path, name, err)
			}
			return readCloser{&bounded{r: rc, f: f, packed: int64(min(p.CompressedSize64, maxUnpacked))}, rc}, nil
		}
	}
	return nil, fmt.Errorf("%s: damaged workbook (%s: missing): open it, save it again", f.path, name)
}

// odsNames lists the sheets.
func odsNames(f *file, z *zip.Reader) ([]string, error) {
	if rc, err := odsPart(f, z, "META-INF/manifest.xml"); err == nil {
		text, err := io.ReadAll(io.LimitReader(rc, 1<<20))
		rc.Close()
		if err == nil && strings.Contains(string(text), "encryption-data") {
			return nil, fmt.Errorf("%s: %w", f.path, errProtected)
		}
	}
	rc, err := odsPart(f, z, "content.xml")
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	var names []string
	depth, spreadsheet := 0, false // of tables: a table may stand in a cell
	for d := xml.NewDecoder(rc); ; {
		t, err := d.RawToken() // names with their prefix: "table" is the usual one
		if err == io.EOF {
			break
		}
		if err != nil {
			if f.err != nil {
				return nil, f.err
			}
			return nil, fmt.Errorf("%s: damaged workbook (content.xml: %w): open it, save it again", f.path, xmlFault(err))
		}
		switch t := t.(type) {
		case xml.StartElement:
			spreadsheet = spreadsheet || t.Name.Local == "spreadsheet"
			if t.Name.Local == "table" {
				if depth == 0 {
					names = append(names, attr(t, "name"))
				}
				depth++
			}
		case xml.EndElement:
			if t.Name.Local == "table" {
				depth--
			}
		}
	}
	if !spreadsheet || len(names) == 0 {
		return nil, fmt.Errorf("%s: an OpenDocument file that is not a workbook: save the table as ODS, XLSX or CSV", f.path)
	}
	return names, nil
}

func openODS(f *file, z *zip.Reader, l Layout, info *Info) (Rows, error) {
	var err error
	if info.Sheets, err = odsNames(f, z); err != nil {
		return nil, err
	}
	first := 0
	if l.Sheet != "" {
		if first, err = pickSheet(f.path, l.Sheet, info.Sheets); err != nil {
			return nil, err
		}
	}
	for i := first; ; i++ {
		r, err := odsSheet(f, z, info.Sheets, i)
		if err != nil {
			return nil, err
		}
		if l.Sheet == "" && i < len(info.Sheets)-1 {
			found := false
			for !found && r.Next() {
				found = !blank(r.cells)
			}
			r.part.Close()
			if r.err != nil {
				return nil, r.err
			}
			if !found {
				continue
			}
			if r, err = odsSheet(f, z, info.Sheets, i); err != nil {
				return nil, err
			}
		}
		info.Sheet = r.sheet
		return r, nil
	}
}

// odsSheet goes to the beginning of a sheet.
func odsSheet(f *file, z *zip.Reader, names []string, n int) (*odsRows, error) {
	part, err := odsPart(f, z, "content.xml")
	if err != nil {
		return nil, err
	}
	r := &odsRows{f: f, sheet: names[n], part: part, dec: xml.NewDecoder(part)}
	for depth := 0; ; {
		t, err := r.dec.Token()
		if err != nil {
			part.Close()
			return nil, r.damaged(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local == "table" && t.Name.Space == odsTable {
				if depth == 0 {
					if n == 0 {
						return r, nil
					}
					n--
				}
				depth++
			}
		case xml.EndElement:
			if t.Name.Local == "table" && t.Name.Space == odsTable {
				depth--
			}
		}
	}
}

func (r *odsRows) damaged(err error) error {
	if r.f.err != nil {
		return r.f.err
	}
	return fmt.Errorf("%s: sheet %q: after row %d: damaged workbook (%w): open it, save it again", r.f.path, r.sheet, r.line, xmlFault(err))
}

func (r *odsRows) Cells() []string { return r.cells }
func (r *odsRows) Line() int       { return r.line }
func (r *odsRows) Err() error      { return r.err }
func (r *odsRows) Close() error    { return errors.Join(r.part.Close(), r.f.Close()) }

func (r *odsRows) Next() bool {
	for r.err == nil && r.blank == 0 && r.left == 0 && !r.done {
		if err := r.readRow(); err != nil {
			r.err = r.damaged(err)
		}
	}
	r.cells = r.cells[:0]
	switch {
	case r.err != nil:
		return false
	case r.blank > 0 && r.left > 0: // blank rows lead to one that is not; those at the end lead nowhere
		r.blank--
	case r.left > 0:
		r.left--
		r.cells = append(r.cells, r.row...)
	default:
		return false
	}
	r.line++
	return true
}

// readRow reads up to the next row that holds something, and counts the blank ones before it.
func (r *odsRows) readRow() error {
	for {
		t, err := r.dec.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Space != odsTable || t.Name.Local != "table-row" {
				if t.Name.Space == odsTable && strings.HasPrefix(t.Name.Local, "table-") && t.Name.Local != "table-cell" {
					continue // groups of rows and headers, which hold rows; columns
				}
				if err := r.dec.Skip(); err != nil { // shapes, forms, a source
					return err
				}
				continue
			}
			times, err := repeats(t, "number-rows-repeated")
			if err != nil {
				return err
			}
			if r.row, err = r.readCells(r.row[:0]); err != nil {
				return err
			}
			if len(r.row) == 0 {
				r.blank = min(r.blank+times, 1<<40)
				continue
			}
			if r.line+r.blank+times > maxRows {
				return fmt.Errorf("more than %d rows", maxRows)
			}
			if r.total += (times - 1) * len(r.row); r.total > maxRepeated {
				return fmt.Errorf("more than %d repeated cells", maxRepeated)
			}
			r.left = times
			return nil
		case xml.EndElement:
			if t.Name.Space == odsTable && t.Name.Local == "table" {
				r.blank, r.done = 0, true
				return nil
			}
		}
	}
}

// repeats reads how many times a row or a cell stands for itself.
func repeats(e xml.StartElement, name string) (int, error) {
	a := attr(e, name)
	if a == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(a)
	if err != nil || n < 1 || n > 1<<30 {
		return 0, fmt.Errorf("%s is %q", name, a)
	}
	return n, nil
}

// readCells reads the cells of a row, up to its end: those after the last that holds something are left out.
func (r *odsRows) readCells(cells []string) ([]string, error) {
	column := 0
	for {
		t, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return cells, nil // of the row: cells read theirs
		case xml.StartElement:
			if t.Name.Space != odsTable || t.Name.Local != "table-cell" && t.Name.Local != "covered-table-cell" {
				if err := r.dec.Skip(); err != nil {
					return nil, err
				}
				continue
			}
			times, err := repeats(t, "number-columns-repeated")
			if err != nil {
				return nil, err
			}
			text, err := r.readCell(t)
			if err != nil {
				return nil, err
			}
			if text != "" {
				if column+times > maxColumns {
					return nil, fmt.Errorf("more than %d columns", maxColumns)
				}
				if r.total += times - 1; r.total > maxRepeated {
					return nil, fmt.Errorf("more than %d repeated cells", maxRepeated)
				}
				for len(cells) < column {
					cells = append(cells, "")
				}
				for range times {
					cells = append(cells, text)
				}
			}
			column = min(column+times, 1<<40)
		}
	}
}

// readCell reads a cell up to its end: its value, or its text when it has none.
func (r *odsRows) readCell(cell xml.StartElement) (string, error) {
	text, err := r.readText()
	if err != nil {
		return "", err
	}
	value := func(name string) string { return strings.TrimSpace(attr(cell, name)) }
	switch attr(cell, "value-type") {
	case "float", "percentage", "currency":
		x, err := strconv.ParseFloat(value("value"), 64)
		if err != nil {
			return "", fmt.Errorf("number %q", value("value"))
		}
		return number(x), nil
	case "boolean":
		if value("boolean-value") == "true" {
			return "1", nil
		}
		return "0", nil
	case "date":
		return value("date-value"), nil
	case "time":
		return value("time-value"), nil
	case "string":
		if s := attr(cell, "string-value"); s != "" {
			return s, nil
		}
	}
	return text, nil
}

// readText reads the paragraphs of a cell up to its end, each on its line. A note on the cell is not its text.
func (r *odsRows) readText() (string, error) {
	var b strings.Builder
	paragraphs, in := 0, 0
	for depth := 1; depth > 0; {
		t, err := r.dec.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch {
			case t.Name.Local == "annotation" || t.Name.Local == "table" && t.Name.Space == odsTable || t.Name.Local == "frame":
				if err := r.dec.Skip(); err != nil {
					return "", err
				}
				continue
			case t.Name.Space != odsText:
			case t.Name.Local == "p":
				if paragraphs++; paragraphs > 1 {
					b.WriteByte('\n')
				}
				in++
			case t.Name.Local == "s":
				n, err := repeats(t, "c")
				if err != nil || n > 1<<16 {
					return "", errors.New("spaces beyond count")
				}
				if r.total += n - 1; r.total > maxRepeated {
					return "", fmt.Errorf("more than %d repeated cells", maxRepeated)
				}
				b.WriteString(strings.Repeat(" ", n))
			case t.Name.Local == "tab":
				b.WriteByte('\t')
			case t.Name.Local == "line-break":
				b.WriteByte('\n')
			}
			depth++
		case xml.CharData:
			if in > 0 {
				b.Write(t)
			}
		case xml.EndElement:
			if t.Name.Space == odsText && t.Name.Local == "p" {
				in--
			}
			depth--
		}
	}
	return b.String(), nil
}
