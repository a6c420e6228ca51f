package tiles

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"observatoire/geo"
	"observatoire/indicators"
)

// parquetBatch is how many rows are held before they are written.
const parquetBatch = 64 << 10

// A parquetTable is written a row at a time. An absent number is null; numbers keep their full precision.
type parquetTable struct {
	w *pqarrow.FileWriter
	b *array.RecordBuilder
	n int
}

// parquetMetadata says what a table holds, to those who find it alone: edition, sources, and every indicator's label, unit, formula and limits;
// the methods too.
func parquetMetadata(e *indicators.Edition, table string, more ...string) (arrow.Metadata, error) {
	type definition struct {
		ID      string `json:"id"`
		Label   string `json:"libelle"`
		Unit    string `json:"unite"`
		Theme   string `json:"theme"`
		Sens    string `json:"sens"`
		Formula string `json:"formule"`
		Note    string `json:"note,omitempty"`
	}
	defs := []definition{}
	for _, d := range e.Indicators {
		defs = append(defs, definition{d.ID, d.Label, d.Unit, d.Theme, d.Direction, d.Formula(), d.Note})
	}
	named := map[string]string{}
	for _, m := range methodes {
		named[m.id] = m.long
	}
	list, err := json.Marshal(defs)
	if err != nil {
		return arrow.Metadata{}, err
	}
	methods, err := json.Marshal(named)
	if err != nil {
		return arrow.Metadata{}, err
	}
	pairs := append([]string{"table", table, "titre", e.Title, "edition", e.ID, "sources", joinFR(mergedYears(captions(e.Sources))), "indicateurs", string(list), "methodes", string(methods)}, more...)
	var keys, values []string
	for i := 0; i < len(pairs); i += 2 {
		keys, values = append(keys, pairs[i]), append(values, pairs[i+1])
	}
	return arrow.NewMetadata(keys, values), nil
}

func newParquetTable(w io.Writer, fields []arrow.Field, meta arrow.Metadata) (*parquetTable, error) {
	schema := arrow.NewSchema(fields, nil)
	only := struct{ io.Writer }{w} // it would close a file that is not its own
	out, err := pqarrow.NewFileWriter(schema, only, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCreatedBy("observatoire")),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, err
	}
	for i, key := range meta.Keys() { // of the file, where readers that are not Arrow's look
		if err := out.AppendKeyValueMetadata(key, meta.Values()[i]); err != nil {
			return nil, err
		}
	}
	return &parquetTable{w: out, b: array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// row adds a row; its cells are of the types of the fields, or point to them: what stands in memory already is not copied to be boxed.
func (t *parquetTable) row(cells ...any) error {
	for i, c := range cells {
		f := t.b.Field(i)
		switch c := c.(type) {
		case nil:
			f.AppendNull()
		case string:
			f.(*array.StringBuilder).Append(c)
		case *string:
			f.(*array.StringBuilder).Append(*c)
		case bool:
			f.(*array.BooleanBuilder).Append(c)
		case int:
			f.(*array.Int32Builder).Append(int32(c))
		case []byte:
			f.(*array.BinaryBuilder).Append(c)
		case float64:
			f.(*array.Float64Builder).Append(c)
		case indicators.Opt:
			appendOpt(f, c)
		case *indicators.Opt:
			appendOpt(f, *c)
		default:
			return fmt.Errorf("column %d: a %T", i+1, c)
		}
	}
	if t.n++; t.n >= parquetBatch {
		return t.flush()
	}
	return nil
}

func appendOpt(f array.Builder, v indicators.Opt) {
	if !v.OK {
		f.AppendNull()
		return
	}
	f.(*array.Float64Builder).Append(v.V)
}

func (t *parquetTable) flush() error {
	rec := t.b.NewRecord()
	defer rec.Release()
	t.n = 0
	return t.w.Write(rec)
}

func (t *parquetTable) close() error {
	defer t.b.Release()
	if t.n > 0 {
		if err := t.flush(); err != nil {
			return err
		}
	}
	return t.w.Close()
}

func column32(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int32, Nullable: true}
}
func column64(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true}
}
func columnText(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
}

// knownYear is a year, or null when the producer does not give it.
func knownYear(year int) any {
	if year <= 0 {
		return nil
	}
	return year
}

// WriteSeriesParquet writes values as Parquet: the columns of the series CSV, and the notes.
func WriteSeriesParquet(w io.Writer, e *indicators.Edition, values []indicators.Value) error {
	var fields []arrow.Field
	for _, name := range indicators.SeriesHeader {
		switch name {
		case "millesime":
			fields = append(fields, column32(name))
		case "valeur", "couverture", "methode_min", "methode_max", "ic95_bas", "ic95_haut":
			fields = append(fields, column64(name))
		default:
			fields = append(fields, columnText(name))
		}
	}
	meta, err := parquetMetadata(e, "series")
	if err != nil {
		return err
	}
	t, err := newParquetTable(w, append(fields, columnText("note")), meta)
	if err != nil {
		return err
	}
	names := indicators.NewNames(e)
	for i := range values {
		v := &values[i]
		if err := t.row(&v.Indicateur, string(v.Couche), &v.Code, names.Zone(v.Couche, v.Code), knownYear(v.Millesime), &v.Sexe, v.Valeur(), names.Unit(v.Indicateur), v.Statut.String(),
			v.Nature.String(), &v.Methode, &v.Couverture, &v.Min, &v.Max, &v.IC95Bas, &v.IC95Haut, v.Fiabilite.String(), &v.Source, &v.Note); err != nil {
			return err
		}
	}
	return t.close()
}

// WriteRowsParquet writes comparisons of one kind as Parquet: the columns of their CSV.
func WriteRowsParquet[T indicators.Rower](w io.Writer, e *indicators.Edition, table string, header []string, list []T) error {
	var one T
	fields := make([]arrow.Field, len(header))
	for i, c := range one.Row(indicators.NewNames(e)) {
		switch c.(type) {
		case int:
			fields[i] = column32(header[i])
		case indicators.Opt:
			fields[i] = column64(header[i])
		default:
			fields[i] = columnText(header[i])
		}
	}
	meta, err := parquetMetadata(e, table)
	if err != nil {
		return err
	}
	t, err := newParquetTable(w, fields, meta)
	if err != nil {
		return err
	}
	names := indicators.NewNames(e)
	for _, x := range list {
		cells := x.Row(names)
		for i, c := range cells {
			if year, ok := c.(int); ok && header[i] == "millesime" {
				cells[i] = knownYear(year)
			}
		}
		if err := t.row(cells...); err != nil {
			return err
		}
	}
	return t.close()
}

// writeCells writes n rows as Parquet under the header of their CSV; numbers are the columns of figures, years those of years.
func writeCells(w io.Writer, e *indicators.Edition, table string, header, numbers, years []string, n int, row func(i int, put func(...any) error) error) error {
	fields := make([]arrow.Field, len(header))
	for i, name := range header {
		switch {
		case slices.Contains(numbers, name):
			fields[i] = column64(name)
		case slices.Contains(years, name):
			fields[i] = column32(name)
		default:
			fields[i] = columnText(name)
		}
	}
	meta, err := parquetMetadata(e, table)
	if err != nil {
		return err
	}
	t, err := newParquetTable(w, fields, meta)
	if err != nil {
		return err
	}
	for i := range n {
		if err := row(i, t.row); err != nil {
			return err
		}
	}
	return t.close()
}

// WriteEcartsParquet writes gaps as Parquet: the columns of their CSV.
func WriteEcartsParquet(w io.Writer, e *indicators.Edition, ecarts []indicators.Ecart) error {
	names, shown := indicators.NewNames(e), indicators.NewShown(e)
	return writeCells(w, e, "ecarts", indicators.EcartsHeader, []string{"valeur", "valeur_reference", "ecart", "rapport"}, []string{"millesime"}, len(ecarts), func(i int, put func(...any) error) error {
		x := &ecarts[i]
		own, ref := shown.Of(*x)
		inclut := "non"
		if x.ReferenceInclut {
			inclut = "oui"
		}
		return put(x.Indicateur, string(x.Couche), x.Code, names.Zone(x.Couche, x.Code), knownYear(x.Millesime), x.Sexe, x.Valeur, string(x.Reference), x.ReferenceCode,
			names.Zone(x.Reference, x.ReferenceCode), x.ValeurReference, x.Ecart, x.Unite, x.Rapport, inclut, x.Statut.String(), x.Motif,
			own.Methode, own.Fiabilite.String(), ref.Methode, ref.Fiabilite.String())
	})
}

// WriteCalibrationParquet writes how far methods are from the producers as Parquet: the columns of the CSV.
func WriteCalibrationParquet(w io.Writer, e *indicators.Edition, list []indicators.Calibration) error {
	names := indicators.NewNames(e)
	header := indicators.CalibrationHeader
	return writeCells(w, e, "calibration", header, []string{header[7], header[8], header[9], header[12]}, []string{header[2], header[5], header[13]}, len(list), func(i int, put func(...any) error) error {
		c := &list[i]
		return put(c.Indicateur, string(c.Couche), knownYear(c.Millesime), c.Sexe, c.Methode, c.N, c.Unite, c.Moyenne, c.Absolue, c.Mediane,
			c.Pire, names.Zone(c.Couche, c.Pire), c.PireErreur, knownYear(c.Rang))
	})
}

// WriteOverlapsParquet writes every pair of the sets as Parquet, to full precision: the columns of their CSV.
func WriteOverlapsParquet(w io.Writer, e *indicators.Edition, sets []indicators.OverlapSet) error {
	header := indicators.OverlapsHeader
	return writeCells(w, e, "recouvrements", header, header[6:10], nil, len(sets), func(i int, put func(...any) error) error {
		s := &sets[i]
		from, to := e.Layer(s.From), e.Layer(s.To)
		for _, p := range s.Pairs {
			a, b := &from.Zones[p.From], &to.Zones[p.To]
			if err := put(string(s.From), a.Code, a.Name, string(s.To), b.Code, b.Name, p.Area, p.ShareFrom, p.ShareTo, p.Margin, p.Note); err != nil {
				return err
			}
		}
		return nil
	})
}

// lonLatJSON is longitude and latitude on WGS 84, as GeoParquet wants it said.
const lonLatJSON = `{"$schema":"https://proj.org/schemas/v0.7/projjson.schema.json","type":"GeographicCRS","name":"WGS 84 longitude-latitude","datum":{"type":"GeodeticReferenceFrame","name":"World Geodetic System 1984","ellipsoid":{"name":"WGS 84","semi_major_axis":6378137,"inverse_flattening":298.257223563}},"coordinate_system":{"subtype":"ellipsoidal","axis":[{"name":"Geodetic longitude","abbreviation":"Lon","direction":"east","unit":"degree"},{"name":"Geodetic latitude","abbreviation":"Lat","direction":"north","unit":"degree"}]},"id":{"authority":"OGC","code":"CRS84"}}`

// WriteZonesParquet writes a layer as GeoParquet 1.1: longitude and latitude, each zone's code, name, communes and area.
func WriteZonesParquet(w io.Writer, e *indicators.Edition, name geo.Layer) error {
	set := e.Layer(name)
	if set == nil {
		return fmt.Errorf("layer %s: the edition has none of that name", name)
	}
	l, err := newLayer(set)
	if err != nil {
		return err
	}
	description, err := json.Marshal(map[string]any{"version": "1.1.0", "primary_column": "geometry", "columns": map[string]any{"geometry": map[string]any{
		"encoding": "WKB", "geometry_types": []string{"MultiPolygon"}, "orientation": "counterclockwise", "crs": json.RawMessage(lonLatJSON),
		"bbox": []float64{l.bound.Min[0], l.bound.Min[1], l.bound.Max[0], l.bound.Max[1]}}}})
	if err != nil {
		return err
	}
	meta, err := parquetMetadata(e, string(name), "geo", string(description), "couche", set.Title)
	if err != nil {
		return err
	}
	t, err := newParquetTable(w, []arrow.Field{columnText("couche"), columnText("code"), columnText("nom"), columnText("commune"), column64("aire_m2"),
		{Name: "geometry", Type: arrow.BinaryTypes.Binary, Nullable: true}}, meta)
	if err != nil {
		return err
	}
	for i := range set.Zones {
		z := &set.Zones[i]
		var area, shape any
		if len(z.Geom) > 0 {
			lonlat := make(orb.MultiPolygon, len(z.Geom))
			for p, poly := range z.Geom {
				lonlat[p] = make(orb.Polygon, len(poly))
				for r, ring := range poly {
					out := make(orb.Ring, len(ring))
					for k, pt := range ring {
						lon, lat := l.crs.Inverse(pt[0], pt[1])
						out[k] = orb.Point{round7(lon), round7(lat)}
					}
					lonlat[p][r] = out
				}
			}
			b, err := wkb.Marshal(lonlat)
			if err != nil {
				return err
			}
			area, shape = l.zones[i].area, b
		}
		if err := t.row(string(name), z.Code, z.Name, z.Commune, area, shape); err != nil {
			return err
		}
	}
	return t.close()
}
