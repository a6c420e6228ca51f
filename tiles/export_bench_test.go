package tiles

import (
	"bytes"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/xuri/excelize/v2"

	"observatoire/indicators"
)

// manyValues is an edition of 50 000 values: a million cells of the sheet of series.
func manyValues() *indicators.Edition {
	e := sample(224)
	e.Values = indicators.Shown(e.Values)[:50_000]
	return e
}

// BenchmarkWorkbook writes a million cells, and the same cells with the library's bare stream writer.
func BenchmarkWorkbook(b *testing.B) {
	e := manyValues()
	names := indicators.NewNames(e)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			var buf bytes.Buffer
			if err := WriteWorkbook(&buf, e, WorkbookOptions{Sheets: []string{SheetSeries}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			f := excelize.NewFile()
			sw, err := f.NewStreamWriter("Sheet1")
			if err != nil {
				b.Fatal(err)
			}
			for i := range e.Values {
				v := &e.Values[i]
				at, _ := excelize.CoordinatesToCellName(1, i+1)
				if err := sw.SetRow(at, []any{v.Indicateur, "Part des bénéficiaires de la CMU-C", string(v.Couche), v.Code, names.Zone(v.Couche, v.Code), v.Millesime, v.Sexe, v.V, "%",
					v.Statut.String(), v.Nature.String(), v.Methode, v.Couverture.V, nil, nil, nil, nil, v.Fiabilite.String(), v.Source, v.Note}); err != nil {
					b.Fatal(err)
				}
			}
			if err := sw.Flush(); err != nil {
				b.Fatal(err)
			}
			var buf bytes.Buffer
			if err := f.Write(&buf); err != nil {
				b.Fatal(err)
			}
			f.Close() //nolint:errcheck // only removes temporary files
		}
	})
}

// BenchmarkParquet writes the same values as Parquet, and with the bare Arrow writer.
func BenchmarkParquet(b *testing.B) {
	e := manyValues()
	names := indicators.NewNames(e)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			var buf bytes.Buffer
			if err := WriteSeriesParquet(&buf, e, e.Values); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			text, number := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64
			var fields []arrow.Field
			for i, name := range append([]string{}, append(indicators.SeriesHeader, "note")...) {
				f := arrow.Field{Name: name, Type: text, Nullable: true}
				switch i {
				case 4:
					f.Type = arrow.PrimitiveTypes.Int32
				case 6, 11, 12, 13, 14, 15:
					f.Type = number
				}
				fields = append(fields, f)
			}
			schema := arrow.NewSchema(fields, nil)
			rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			for i := range e.Values {
				v := &e.Values[i]
				for k, s := range [...]string{0: v.Indicateur, 1: string(v.Couche), 2: v.Code, 3: names.Zone(v.Couche, v.Code), 5: v.Sexe, 7: "%", 8: v.Statut.String(), 9: v.Nature.String(),
					10: v.Methode, 16: v.Fiabilite.String(), 17: v.Source, 18: v.Note} {
					switch k {
					case 4:
						rb.Field(k).(*array.Int32Builder).Append(int32(v.Millesime))
					case 6:
						rb.Field(k).(*array.Float64Builder).Append(v.V)
					case 11:
						rb.Field(k).(*array.Float64Builder).Append(v.Couverture.V)
					case 12, 13, 14, 15:
						rb.Field(k).AppendNull()
					default:
						rb.Field(k).(*array.StringBuilder).Append(s)
					}
				}
			}
			rec := rb.NewRecord()
			var buf bytes.Buffer
			w, err := pqarrow.NewFileWriter(schema, &buf, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd)), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Write(rec); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			rec.Release()
			rb.Release()
		}
	})
}
