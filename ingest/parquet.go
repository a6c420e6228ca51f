package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmemory "github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	pq "github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"observatoire/geo"
)

// A parquetFile gives the records of a Parquet file, a few thousand rows at a time.
type parquetFile struct {
	f       *file
	r       *pq.Reader
	schema  *arrow.Schema
	records pqarrow.RecordReader
	rows    int64 // that the file says it has
	read    int64
}

const (
	parquetBatch = 4096
	// maxParquetBlock bounds what the reader takes at once: a page of a column, unpacked.
	maxParquetBlock = 256 << 20
)

var errParquetBlock = fmt.Errorf("a page of more than %d MiB", maxParquetBlock>>20)

// parquetMemory refuses the sizes that only a damaged file asks for; the panic is an error of the file, see guard.
type parquetMemory struct{ arrowmemory.Allocator }

func (m parquetMemory) Allocate(size int) []byte {
	if size > maxParquetBlock {
		panic(errParquetBlock)
	}
	return m.Allocator.Allocate(size)
}

func (m parquetMemory) Reallocate(size int, b []byte) []byte {
	if size > 2*maxParquetBlock {
		panic(errParquetBlock)
	}
	return m.Allocator.Reallocate(size, b)
}

// guard runs what reads the file: the library panics on some damaged ones.
func (p *parquetFile) guard(run func() error) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v", e)
		}
		if err != nil {
			text, _, _ := strings.Cut(err.Error(), "\n")
			if strings.Contains(text, "EOF") {
				text = "it breaks off"
			}
			err = fmt.Errorf("%s: damaged or incomplete Parquet file (%s): download or copy it again", p.f.path, text)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return run()
}

// openParquetFile reads the schema. columns chooses those that are read, after it is known.
func openParquetFile(f *file) (*parquetFile, error) {
	at, size, err := f.random()
	if err != nil {
		return nil, err
	}
	p := &parquetFile{f: f}
	err = p.guard(func() error {
		props := parquet.NewReaderProperties(parquetMemory{arrowmemory.DefaultAllocator})
		props.BufferedStreamEnabled = true // a column of a group of rows need not fit in memory
		var err error
		if p.r, err = pq.NewParquetReader(io.NewSectionReader(at, 0, size), pq.WithReadProps(props)); err != nil {
			return err
		}
		fr, err := pqarrow.NewFileReader(p.r, pqarrow.ArrowReadProperties{BatchSize: parquetBatch}, parquetMemory{arrowmemory.DefaultAllocator})
		if err != nil {
			return err
		}
		if p.schema, err = fr.Schema(); err != nil {
			return err
		}
		if p.rows = p.r.NumRows(); p.rows < 0 {
			return errors.New("a count of rows under zero")
		}
		return nil
	})
	return p, err
}

// start begins to read the columns of those positions.
func (p *parquetFile) start(fields []int) error {
	return p.guard(func() error {
		fr, err := pqarrow.NewFileReader(p.r, pqarrow.ArrowReadProperties{BatchSize: parquetBatch}, parquetMemory{arrowmemory.DefaultAllocator})
		if err != nil {
			return err
		}
		p.records, err = fr.GetRecordReader(context.Background(), fields, nil)
		return err
	})
}

// next is the next record, nil at the end.
func (p *parquetFile) next() (rec arrow.Record, err error) {
	err = p.guard(func() error {
		if p.read >= p.rows {
			return nil
		}
		rec, err = p.records.Read()
		if err == io.EOF || err == nil && rec.NumRows() == 0 {
			rec = nil
			return fmt.Errorf("%d rows of %d", p.read, p.rows)
		}
		if err == nil {
			p.read += rec.NumRows()
		}
		return err
	})
	return rec, err
}

// close frees the memory of the reader.
func (p *parquetFile) close() {
	p.guard(func() error {
		if p.records != nil {
			p.records.Release()
		}
		return p.r.Close()
	})
}

// plainColumns are the positions of the columns that hold one value a row, which are columns of the file too; the
// names of the others.
func (p *parquetFile) plainColumns() (positions []int, nested []string) {
	leaf := 0
	for _, field := range p.schema.Fields() {
		n := leaves(field.Type)
		if _, ok := field.Type.(arrow.NestedType); ok {
			nested = append(nested, field.Name)
		} else {
			positions = append(positions, leaf)
		}
		leaf += n
	}
	return positions, nested
}

// leaves counts the columns of the file that a type takes.
func leaves(t arrow.DataType) int {
	nested, ok := t.(arrow.NestedType)
	if !ok {
		return 1
	}
	n := 0
	for _, f := range nested.Fields() {
		n += leaves(f.Type)
	}
	return n
}

// parquetRows reads a Parquet file as a table: the names of its columns, then its rows. Dates are written as
// "2022-01-01", true and false as 1 and 0.
type parquetRows struct {
	p     *parquetFile
	names []string
	rec   arrow.Record
	at    int
	line  int
	cells []string
	err   error
}

func openParquet(f *file, info *Info) (Rows, error) {
	p, err := openParquetFile(f)
	if err != nil {
		return nil, err
	}
	positions, nested := p.plainColumns()
	if len(nested) > 0 {
		p.close()
		return nil, fmt.Errorf("%s: the columns %s hold lists or structures, not one value a row: export the table without them", f.path, quoteList(nested))
	}
	r := &parquetRows{p: p}
	for _, field := range p.schema.Fields() {
		r.names = append(r.names, field.Name)
	}
	if err := p.start(positions); err != nil {
		p.close()
		return nil, err
	}
	return r, nil
}

func (r *parquetRows) Cells() []string { return r.cells }
func (r *parquetRows) Line() int       { return r.line }
func (r *parquetRows) Err() error      { return r.err }

func (r *parquetRows) Close() error {
	r.drop()
	r.p.close()
	return r.p.f.Close()
}

func (r *parquetRows) drop() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}

func (r *parquetRows) Next() bool {
	if r.line == 0 {
		r.line = 1
		r.cells = append(r.cells[:0], r.names...)
		return true
	}
	for r.err == nil && (r.rec == nil || r.at == int(r.rec.NumRows())) {
		r.drop()
		r.at = 0
		if r.rec, r.err = r.p.next(); r.rec == nil {
			r.cells = nil
			return false
		}
	}
	if r.err != nil {
		return false
	}
	r.err = r.p.guard(func() error {
		for i, c := range r.rec.Columns() {
			r.cells[i] = parquetText(c, r.at)
		}
		return nil
	})
	r.at++
	r.line++
	return r.err == nil
}

// parquetText writes a value as a cell.
func parquetText(c arrow.Array, i int) string {
	if c.IsNull(i) {
		return ""
	}
	switch c := c.(type) {
	case *array.String:
		return strings.Clone(c.Value(i))
	case *array.LargeString:
		return strings.Clone(c.Value(i))
	case *array.Binary:
		return string(c.Value(i))
	case *array.Boolean:
		if c.Value(i) {
			return "1"
		}
		return "0"
	case *array.Float64:
		return number(c.Value(i))
	case *array.Float32:
		v, _ := strconv.ParseFloat(strconv.FormatFloat(float64(c.Value(i)), 'g', -1, 32), 64) // 0.1, not 0.10000000149
		return number(v)
	case *array.Dictionary:
		return parquetText(c.Dictionary(), c.GetValueIndex(i))
	}
	return c.ValueStr(i)
}

// geoMetadata is the part of the metadata of a GeoParquet file that says where its geometry is.
type geoMetadata struct {
	Primary string                   `json:"primary_column"`
	Columns map[string]geoColumnMeta `json:"columns"`
}

type geoColumnMeta struct {
	Encoding string          `json:"encoding"`
	CRS      json.RawMessage `json:"crs"`
}

// readGeoParquet reads a GeoParquet file: its geometry in well-known binary, in the system its metadata give as
// PROJJSON; where they say nothing, in longitude and latitude, as the standard has it.
func readGeoParquet(ctx context.Context, f *file, c *Card) (lf *layerFile, err error) {
	p, err := openParquetFile(f)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var meta geoMetadata
	text := p.r.MetaData().KeyValueMetadata().FindValue("geo")
	if text == nil {
		return nil, fmt.Errorf("%s: a Parquet file without contours: it needs a card of kind table, or its geometry as GeoParquet", f.path)
	}
	if err := json.Unmarshal([]byte(*text), &meta); err != nil {
		return nil, fmt.Errorf("%s: its geo metadata are not those of a GeoParquet: export it again as GeoParquet", f.path)
	}
	column, ok := meta.Columns[meta.Primary]
	geometry := -1
	lf = &layerFile{format: "geoparquet"}
	var positions []int // in the file, of the columns that are read
	var at []int        // in lf.columns, of each of those; -1 is the geometry
	leaf := 0
	for _, field := range p.schema.Fields() {
		_, nested := field.Type.(arrow.NestedType)
		switch {
		case field.Name == meta.Primary && !nested:
			geometry = leaf
			positions, at = append(positions, leaf), append(at, -1)
		case !nested && meta.Columns[field.Name].Encoding == "":
			positions, at = append(positions, leaf), append(at, len(lf.columns))
			lf.columns = append(lf.columns, field.Name)
		}
		leaf += leaves(field.Type)
	}
	switch {
	case !ok || geometry < 0 && !strings.EqualFold(column.Encoding, "WKB") && column.Encoding != "":
		return nil, fmt.Errorf("%s: its geometry is encoded as %q: export it again as GeoParquet in WKB", f.path, column.Encoding)
	case geometry < 0:
		return nil, fmt.Errorf("%s: its geo metadata name a column %q that it does not have: export it again as GeoParquet", f.path, meta.Primary)
	case !strings.EqualFold(column.Encoding, "WKB"):
		return nil, fmt.Errorf("%s: its geometry is encoded as %q: export it again as GeoParquet in WKB", f.path, column.Encoding)
	}
	if lf.crs, err = projJSON(column.CRS, c); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	var attrs [attributes]int
	for i, names := range c.wanted() {
		attrs[i] = pickColumn(lf.columns, names)
	}
	if err := p.start(positions); err != nil {
		return nil, err
	}
	cells := make([]string, len(lf.columns))
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		rec, err := p.next()
		if err != nil {
			return nil, err
		}
		if rec == nil {
			return lf, nil
		}
		var bad error
		err = p.guard(func() error {
			defer rec.Release()
			for row := range int(rec.NumRows()) {
				ft := feature{row: len(lf.features) + 1}
				var blob []byte
				for i, col := range rec.Columns() {
					if at[i] >= 0 {
						cells[at[i]] = strings.TrimSpace(parquetText(col, row))
						continue
					}
					binary, ok := col.(interface{ Value(int) []byte })
					if !ok {
						bad = fmt.Errorf("%s: its column %q is not binary: export it again as GeoParquet in WKB", f.path, meta.Primary)
						return nil
					}
					if !col.IsNull(row) {
						blob = binary.Value(row)
					}
				}
				for i, k := range attrs {
					if k >= 0 {
						ft.attrs[i] = cells[k]
					}
				}
				if c == nil {
					ft.cells = append([]string(nil), cells...)
				}
				if bad = lf.addWKB(&ft, f.path, blob, c); bad != nil {
					bad = fmt.Errorf("%s: row %d: %w", f.path, ft.row, bad)
					return nil
				}
				lf.features = append(lf.features, ft)
			}
			return nil
		})
		if err != nil || bad != nil {
			return nil, errors.Join(err, bad)
		}
	}
}

// projJSON reads a coordinate system: absent means longitude and latitude, null that it is not known.
func projJSON(raw json.RawMessage, c *Card) (geo.CRS, error) {
	var m struct {
		Name string
		ID   *struct {
			Authority string
			Code      json.RawMessage
		}
	}
	switch {
	case len(raw) == 0:
		return geo.ByEPSG(4326)
	case string(raw) == "null" && c.system() == "":
		return geo.CRS{}, fmt.Errorf("its coordinate system is said not to be known: export it again in EPSG:2154%s", c.orSystem())
	case string(raw) == "null":
		crs, err := geo.ParseURN(c.CRS)
		if err != nil {
			err = fmt.Errorf("crs of the card %s: %w: write it as EPSG:2154", c.ID, err)
		}
		return crs, err
	}
	if raw[0] == '"' { // earlier versions of the format have WKT here
		var text string
		json.Unmarshal(raw, &text)
		crs, err := geo.ParseWKT(text)
		if err != nil {
			err = fmt.Errorf("%w: export it again in EPSG:2154", err)
		}
		return crs, err
	}
	if err := json.Unmarshal(raw, &m); err != nil || m.ID == nil {
		return geo.CRS{}, fmt.Errorf("its coordinate system %q has no code: export it again in EPSG:2154", m.Name)
	}
	crs, err := geo.ParseURN(m.ID.Authority + ":" + strings.Trim(string(m.ID.Code), `"`))
	if err != nil {
		err = fmt.Errorf("its coordinate system %q: %w: export it again in EPSG:2154", m.Name, err)
	}
	return crs, err
}
