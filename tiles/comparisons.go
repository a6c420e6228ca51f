package tiles

import (
	"bytes"
	"net/http"

	"observatoire/indicators"
)

// handleRows gives comparisons of one kind: as rows of JSON under the names of the CSV's columns, as CSV or as a workbook.
func handleRows[T indicators.Rower](s *Server, format, name, sheet string, header []string, of func(*indicators.Edition) []T,
	key func(T) (indicators.Key, string), put func(*WorkbookOptions, []T)) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published, q query) error {
		f, err := p.filter(q)
		if err != nil {
			return err
		}
		list := []T{}
		for _, x := range of(p.edition) {
			if k, code := key(x); f.keep(k, code) {
				list = append(list, x)
			}
		}
		switch format {
		case ".csv":
			return sendFile(w, name+".csv", typeCSV, func(b *bytes.Buffer) error {
				return indicators.WriteRowsCSV(b, p.edition, header, list)
			})
		case ".parquet":
			return sendFile(w, name+".parquet", typeParquet, func(b *bytes.Buffer) error {
				return WriteRowsParquet(b, p.edition, name, header, list)
			})
		case ".xlsx":
			o := WorkbookOptions{Sheets: []string{sheet, SheetSources}}
			put(&o, list)
			return s.sendWorkbook(w, r, name+".xlsx", p.edition, o)
		}
		from, to := q.window(len(list))
		rows := make([]map[string]any, 0, to-from)
		for _, x := range list[from:to] {
			row := map[string]any{}
			for i, c := range x.Row(p.names) {
				if o, ok := c.(indicators.Opt); ok {
					c = number(o)
				}
				row[header[i]] = c
			}
			rows = append(rows, row)
		}
		return s.writeRows(w, r, p, q, name, rows, from, to, len(list))
	}
}
