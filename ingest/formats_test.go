package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmemory "github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"observatoire/geo"
)

// ods makes a workbook of a body in OpenDocument.
func ods(t testing.TB, body string) []byte {
	return zipped(t, packed{"mimetype", []byte("application/vnd.oasis.opendocument.spreadsheet")},
		packed{"content.xml", []byte(`<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" ` +
			`xmlns:table="` + odsTable + `" xmlns:text="` + odsText + `"><office:body>` + body + `</office:body></office:document-content>`)})
}

const odsBody = `<office:spreadsheet><table:table table:name="Vide"><table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>
<table:table table:name="Données"><table:table-column table:number-columns-repeated="3"/>
<table:table-header-rows><table:table-row><table:table-cell office:value-type="string"><text:p>code</text:p></table:table-cell><table:table-cell/><table:table-cell office:value-type="string"><office:annotation><text:p>note</text:p></office:annotation><text:p>deux<text:s text:c="2"/>mots</text:p><text:p>ici</text:p></table:table-cell></table:table-row></table:table-header-rows>
<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>
<table:table-row-group><table:table-row table:number-rows-repeated="2"><table:table-cell office:value-type="string"><text:p>01001</text:p></table:table-cell><table:table-cell office:value-type="float" office:value="3048.0" table:number-columns-repeated="2"><text:p>3 048</text:p></table:table-cell></table:table-row></table:table-row-group>
<table:table-row><table:covered-table-cell/><table:table-cell office:value-type="percentage" office:value="0.125"><text:p>12,5 %</text:p></table:table-cell><table:table-cell office:value-type="boolean" office:boolean-value="true"/><table:table-cell office:value-type="date" office:date-value="2022-01-01"><text:p>01/01/22</text:p></table:table-cell></table:table-row>
<table:table-row table:number-rows-repeated="1000000"><table:table-cell/></table:table-row></table:table></office:spreadsheet>`

func TestODS(t *testing.T) {
	want := []string{"1 code··deux  mots\nici", "2 ", "3 ", "4 01001·3048·3048", "5 01001·3048·3048", "6 ·0.125·1·2022-01-01"}
	for name, data := range map[string][]byte{"w.ods": ods(t, odsBody), "w.ods.gz": gzipped(ods(t, odsBody)), "w.zip": zipped(t, packed{"w.ods", ods(t, odsBody)})} {
		got, info, err := readRows(writeFile(t, name, data), Layout{})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if info.Format != "ods" || info.Sheet != "Données" || len(info.Sheets) != 2 {
			t.Errorf("%s: %+v", name, info)
		}
	}
	path := writeFile(t, "w.ods", ods(t, odsBody))
	if got, _, err := readRows(path, Layout{Sheet: "Vide"}); err != nil || len(got) != 0 {
		t.Errorf("empty sheet: %q, %v", got, err)
	}
	if got, _, err := readRows(path+"#Données", Layout{Sheet: "Vide"}); err != nil || len(got) != 6 {
		t.Errorf("the path names the sheet: %q, %v", got, err)
	}
	sheet := func(rows string) []byte {
		return ods(t, `<office:spreadsheet><table:table table:name="F">`+rows+`</table:table></office:spreadsheet>`)
	}
	one := `<table:table-cell office:value-type="float" office:value="1"/>`
	locked := zipped(t, packed{"mimetype", nil}, packed{"content.xml", []byte("\x01\x02")}, packed{"META-INF/manifest.xml", []byte("<manifest:encryption-data>")})
	for want, data := range map[string][]byte{
		": the workbook is protected by a password: save it without one":                    locked,
		": an OpenDocument file that is not a workbook: save the table as ODS, XLSX or CSV": ods(t, `<office:text><text:p>x</text:p></office:text>`),
		`: sheet "F": after row 0: damaged workbook (more than 16384 columns): open it, save it again`: sheet(
			`<table:table-row><table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="99999"/></table:table-row>`),
		`: sheet "F": after row 0: damaged workbook (more than 33554432 repeated cells): open it, save it again`: sheet(
			`<table:table-row table:number-rows-repeated="1000000">` + strings.Repeat(one, 40) + `</table:table-row>`),
		`: sheet "F": after row 0: damaged workbook (more than 1048576 rows): open it, save it again`: sheet(
			`<table:table-row table:number-rows-repeated="1000000000"><table:table-cell/></table:table-row><table:table-row>` + one + `</table:table-row>`),
		`: sheet "F": after row 1: damaged workbook (number "douze"): open it, save it again`: sheet(`<table:table-row>` + one + `</table:table-row>` +
			`<table:table-row><table:table-cell office:value-type="float" office:value="douze"/></table:table-row>`),
		`: damaged workbook (content.xml: missing): open it, save it again`: zipped(t, packed{"mimetype", []byte("application/vnd.oasis.opendocument.spreadsheet")},
			packed{"META-INF/manifest.xml", []byte("<manifest/>")}),
		`: damaged workbook (content.xml: `:    ods(t, `<office:spreadsheet><table:table table:name="F"></office:spreadsheet`),
		`: no sheet "G": the workbook has "F"`: sheet(""),
	} {
		path := writeFile(t, "w.ods", data)
		layout := Layout{}
		if strings.Contains(want, "G") {
			layout.Sheet = "G"
		}
		if rows, _, err := readRows(path, layout); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%d rows, %v\nwant %s", len(rows), err, want)
		}
	}
}

func TestJSONTable(t *testing.T) {
	want := []string{"1 code·nom·part·x", "2 13047·Is\ntres·1.5·", "3 13063··1000·1", "4 13077·Port··[1,{\"a\":2}]"}
	rows := `{"code":"13047","nom":"Is\ntres","part":1.50}` + "\n" + `{"code":"13063","nom":null,"part":1e3,"x":true}` + "\n" + `{"code":"13077", "nom":"Port","x": [1, {"a": 2}]}`
	for name, text := range map[string]string{
		"lines":  rows,
		"list":   bom + "[" + strings.ReplaceAll(rows, "\n", ",") + "]\n",
		"pretty": "[" + strings.ReplaceAll(rows, "\n", ",\n") + "\n]",
	} {
		got, info, err := readRows(writeFile(t, "t.json", []byte(text)), Layout{})
		for i := range got {
			_, cells, _ := strings.Cut(got[i], " ")
			got[i] = fmt.Sprint(i+1, " ", cells)
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" || info.Format != "json" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for text, want := range map[string]string{
		`[{"a":1}`:                            ":1: damaged or incomplete JSON (it breaks off): download or copy it again",
		`[{"a":1},`:                           ":1: damaged or incomplete JSON (it breaks off): download or copy it again",
		"[{\"a\":1},\n{\"a\":\"x":             ":2: damaged or incomplete JSON (it breaks off): download or copy it again",
		`[{"a":1},2]`:                         ":1: not a JSON object where a row is one: write the table as a list of objects",
		"[{\"a\":1}\n,{\"a\":01}]":            ":2: damaged JSON (invalid character '1' after object key:value pair): download or copy the file again",
		`[{"a":1}][{"a":1}]`:                  ":1: more text after the end of the list: two files were glued together; keep one",
		`[{"a":1,"a":2}]`:                     `:1: the field "a" is there twice: keep one`,
		"[{\"a\":\"\xe9\"}]":                  ":1: not UTF-8, which JSON is: save the file as UTF-8",
		`[]`:                                  ": a list of JSON objects without a field: download or copy the file again",
		`{"n":2,"results":[{"a":1}]}`:         `: a JSON object that holds its rows under "results": save that list alone as the file`,
		`{"type":"FeatureCollection"}`:        ": this is a layer in JSON, not a table: it is read with a card of kind layer",
		`{"type":"Topology","objects":{}}`:    ": this is a layer in JSON, not a table: it is read with a card of kind layer",
		strings.Repeat(" ", 10) + `[{"a":1}{`: ":1: not a JSON object where a row is one: write the table as a list of objects",
	} {
		path := writeFile(t, "t.json", []byte(text))
		if rows, _, err := readRows(path, Layout{}); err == nil || err.Error() != path+want {
			t.Errorf("%s: %q, %v\nwant %s", text, rows, err, want)
		}
	}
}

// parquetFrom makes a Parquet file of two groups of rows.
func parquetFrom(t testing.TB, meta map[string]string, fields []arrow.Field, columns func(b *array.RecordBuilder)) []byte {
	t.Helper()
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, schema)
	defer b.Release()
	columns(b)
	rec := b.NewRecord()
	defer rec.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	half := rec.NumRows() / 2
	for _, r := range []arrow.Record{rec.NewSlice(0, half), rec.NewSlice(half, rec.NumRows())} {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	for k, v := range meta {
		if err := w.AppendKeyValueMetadata(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func parquetTable(t testing.TB) []byte {
	return parquetFrom(t, nil, []arrow.Field{
		{Name: "code", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "v", Type: arrow.PrimitiveTypes.Float64, Nullable: true}, {Name: "f", Type: arrow.PrimitiveTypes.Float32},
		{Name: "b", Type: arrow.FixedWidthTypes.Boolean}, {Name: "d", Type: arrow.FixedWidthTypes.Date32},
	}, func(b *array.RecordBuilder) {
		b.Field(0).(*array.StringBuilder).AppendValues([]string{"01001", "", "Prépaou", "2A004"}, []bool{true, false, true, true})
		b.Field(1).(*array.Int64Builder).AppendValues([]int64{3048, -1, 0, 1 << 53}, []bool{true, true, false, true})
		b.Field(2).(*array.Float64Builder).AppendValues([]float64{3048, 0.3, math.NaN(), 1e-7}, []bool{true, true, true, true})
		b.Field(3).(*array.Float32Builder).AppendValues([]float32{0.1, 2, 3, 4}, nil)
		b.Field(4).(*array.BooleanBuilder).AppendValues([]bool{true, false, true, false}, nil)
		b.Field(5).(*array.Date32Builder).AppendValues([]arrow.Date32{0, 18993, 1, 2}, nil)
	})
}

func TestParquet(t *testing.T) {
	want := []string{"1 code·n·v·f·b·d", "2 01001·3048·3048·0.1·1·1970-01-01", "3 ·-1·0.3·2·0·2022-01-01", "4 Prépaou··#NUM!·3·1·1970-01-02",
		"5 2A004·9007199254740992·0.0000001·4·0·1970-01-03"}
	data := parquetTable(t)
	for name, data := range map[string][]byte{"t.parquet": data, "t.gz": gzipped(data), "t.zip": zipped(t, packed{"t.parquet", data})} {
		got, info, err := readRows(writeFile(t, name, data), Layout{})
		if diff := cmp.Diff(want, got); err != nil || diff != "" || info.Format != "parquet" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	nested := parquetFrom(t, nil, []arrow.Field{{Name: "code", Type: arrow.BinaryTypes.String}, {Name: "postes", Type: arrow.ListOf(arrow.BinaryTypes.String)}},
		func(b *array.RecordBuilder) {
			b.Field(0).(*array.StringBuilder).Append("a")
			l := b.Field(1).(*array.ListBuilder)
			l.Append(true)
			l.ValueBuilder().(*array.StringBuilder).Append("x")
		})
	for want, data := range map[string][]byte{
		`: the columns "postes" hold lists or structures, not one value a row: export the table without them`: nested,
		": damaged or incomplete Parquet file (": data[:len(data)/2],
	} {
		path := writeFile(t, "t.parquet", data)
		if _, _, err := readRows(path, Layout{}); err == nil || !strings.HasPrefix(err.Error(), path+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	path := writeFile(t, "t.parquet", data)
	if _, _, err := ReadLayer(context.Background(), path, cardZones, "zone-2024"); err == nil || err.Error() != path+": a Parquet file without contours: it needs a card of kind table, or its geometry as GeoParquet" {
		t.Errorf("a table as a layer: %v", err)
	}
}

// geoParquet makes a layer of two zones; geo is its metadata.
func geoParquet(t testing.TB, geoMeta string) []byte {
	return parquetFrom(t, map[string]string{"geo": geoMeta}, []arrow.Field{
		{Name: "bbox", Type: arrow.StructOf(arrow.Field{Name: "xmin", Type: arrow.PrimitiveTypes.Float64})},
		{Name: "code", Type: arrow.BinaryTypes.String}, {Name: "geometry", Type: arrow.BinaryTypes.Binary, Nullable: true}, {Name: "nom", Type: arrow.BinaryTypes.String},
	}, func(b *array.RecordBuilder) {
		for i, code := range []string{"B", "A"} {
			s := b.Field(0).(*array.StructBuilder)
			s.Append(true)
			s.FieldBuilder(0).(*array.Float64Builder).Append(1)
			b.Field(1).(*array.StringBuilder).Append(code)
			b.Field(3).(*array.StringBuilder).Append("zone " + code)
			if i == 0 {
				b.Field(2).(*array.BinaryBuilder).Append(wkbOf(binary.LittleEndian, 3, 0, square(istresX, istresY, 100)))
			} else {
				b.Field(2).(*array.BinaryBuilder).AppendNull()
			}
		}
	})
}

func TestGeoParquet(t *testing.T) {
	const wkb = `{"version":"1.0.0","primary_column":"geometry","columns":{"geometry":{"encoding":"WKB","geometry_types":[]`
	path := writeFile(t, "z.parquet", geoParquet(t, wkb+`,"crs":{"name":"RGF93 v1 / Lambert-93","id":{"authority":"EPSG","code":2154}}}}}`))
	set, findings, err := ReadLayer(context.Background(), path, cardZones, "zone-2024")
	if err != nil || len(set.Zones) != 2 || set.Zones[1].Code != "B" || set.Zones[1].Name != "zone B" || math.Abs(geo.Area(set.Zones[1].Geom)-1e4) > 1e-6 || len(findings) != 1 {
		t.Errorf("%+v, %v, %v", set, findings, err)
	}
	fs, err := ReadFeatures(context.Background(), path, "")
	if err != nil || strings.Join(fs.Columns, " ") != "code nom" || len(fs.Rows) != 2 || fs.Rows[1].Cell(1) != "zone A" {
		t.Errorf("%+v, %v", fs, err)
	}
	for meta, want := range map[string]string{
		wkb + `}}}`:                       ": coordinates 862050, 6270050 are not degrees: the file declares CRS84, ",
		wkb + `,"crs":null}}}`:            ": its coordinate system is said not to be known: export it again in EPSG:2154, or say crs: EPSG:2154 in the card",
		wkb + `,"crs":{"name":"plan"}}}}`: `: its coordinate system "plan" has no code: export it again in EPSG:2154`,
		wkb + `,"crs":{"name":"NTF","id":{"authority":"EPSG","code":27572}}}}}`: `: its coordinate system "NTF": EPSG:27572 is not a coordinate system known here: export it again in EPSG:2154`,
		strings.Replace(wkb, "WKB", "polygon", 1) + `}}}`:                       `: its geometry is encoded as "polygon": export it again as GeoParquet in WKB`,
		`{"primary_column":"geom","columns":{"geom":{"encoding":"WKB"}}}`:       `: its geo metadata name a column "geom" that it does not have: export it again as GeoParquet`,
		`{`: ": its geo metadata are not those of a GeoParquet: export it again as GeoParquet",
	} {
		path := writeFile(t, "z.parquet", geoParquet(t, meta))
		if _, _, err := ReadLayer(context.Background(), path, cardZones, "zone-2024"); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// smallTopology is two squares with a side in common, as quantised arcs, and a layer of points.
const smallTopology = `{"type":"Topology","transform":{"scale":[0.01,0.01],"translate":[5,43]},"objects":{
"communes":{"type":"GeometryCollection","geometries":[
 {"type":"Polygon","id":"A","properties":{"nom":"ouest"},"arcs":[[0,1]]},
 {"type":"MultiPolygon","properties":{"code":"B","nom":"est"},"arcs":[[[2,-1]]]}]},
"villes":{"type":"GeometryCollection","geometries":[{"type":"Point","properties":{"code":"V"},"coordinates":[50,50]}]}},
"arcs":[[[100,0],[0,100]],[[100,100],[-100,0],[0,-100],[100,0]],[[100,0],[100,0],[0,100],[-100,0]]]}`

func TestTopoJSON(t *testing.T) {
	card := &Card{ID: "zones", Kind: "layer", Code: []string{"code", "id"}, Name: []string{"nom"}}
	set, _, err := ReadLayer(context.Background(), writeFile(t, "c.topojson", []byte(smallTopology)), card, "commune-2024")
	if err != nil || len(set.Zones) != 2 || set.Zones[0].Code != "A" || set.Zones[1].Name != "est" {
		t.Fatalf("%+v, %v", set, err)
	}
	fs, err := ReadFeatures(context.Background(), writeFile(t, "c.json", []byte(smallTopology)), "communes")
	if err != nil || len(fs.Rows) != 2 {
		t.Fatal(err)
	}
	for i, want := range []orb.Bound{{Min: orb.Point{5, 43}, Max: orb.Point{6, 44}}, {Min: orb.Point{6, 43}, Max: orb.Point{7, 44}}} {
		g := fs.Rows[i].Geom
		if b := g.Bound(); len(g) != 1 || len(g[0]) != 1 || len(g[0][0]) != 5 || math.Abs(b.Min[0]-want.Min[0])+math.Abs(b.Max[0]-want.Max[0])+math.Abs(b.Max[1]-want.Max[1]) > 1e-9 {
			t.Errorf("row %d: %v, want %v", i+1, g, want)
		}
	}
	if fs, err = ReadFeatures(context.Background(), writeFile(t, "c.json", []byte(smallTopology))+"#villes", ""); err != nil || fs.Rows[0].Points[0] != (orb.Point{5.5, 43.5}) {
		t.Errorf("points: %+v, %v", fs, err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{`[[0,1]]`, `[[0,9]]`, ": row 1: its outline follows arc 9, and the file has 3 arcs: export the layer again"},
		{`[[0,1]]`, `[0,1]`, ": row 1: the arcs of this Polygon are not lists of numbers: export the layer again"},
		{`[0.01,0.01]`, `[0.01]`, ": its transform is not a scale and a translation: export the layer again"},
		{`[[100,0],[0,100]]`, `[100,0]`, ": its arcs are not lists of points: export the layer again"},
		{`"type":"Point"`, `"type":"Polygon","arcs":[[0,1]]`, `: it has several objects, "communes", "villes": add the name of one after #, such as file.topojson#communes`},
		{`"objects"`, `"objets"`, ": a TopoJSON without objects: export the layer again"},
		{`-100,0],[0,-100]`, `-100,0],[0,-100`, ": after row 0: damaged or incomplete GeoJSON ("},
	} {
		path := writeFile(t, "c.json", []byte(strings.Replace(smallTopology, tt.old, tt.new, 1)))
		if _, err := ReadFeatures(context.Background(), path, ""); err == nil || !strings.HasPrefix(err.Error(), path+tt.want) {
			t.Errorf("%s: %v\nwant %s", tt.new, err, tt.want)
		}
	}
}

func TestSQLiteTable(t *testing.T) {
	blob := hexSQL(packageBlob(1, wkbOf(binary.LittleEndian, 3, 0, square(istresX, istresY, 100))))
	layer := layerSQL("a", 2154, "2, "+blob+", '01001', 'b', 3048.0", "1, NULL, 'A', NULL, 0.5")
	figures := []string{`CREATE TABLE chiffres (code TEXT, v)`, `INSERT INTO chiffres VALUES ('01001', 12.5), ('01002', NULL), ('01003', 's')`}
	for _, tt := range []struct {
		name   string
		made   []string
		part   string
		layout Layout
		want   []string
		err    string
	}{
		{"the only layer", layer, "", Layout{}, []string{`1 fid·code·nom "usuel"·pop`, "2 1·A··0.5", "3 2·01001·b·3048"}, ""},
		{"the only table", append(layer, figures...), "", Layout{}, []string{"1 code·v", "2 01001·12.5", "3 01002·", "4 01003·s"}, ""},
		{"by name", append(layer, figures...), "#a", Layout{}, []string{`1 fid·code·nom "usuel"·pop`, "2 1·A··0.5", "3 2·01001·b·3048"}, ""},
		{"by the card", append(layer, figures...), "", Layout{Sheet: "a"}, []string{`1 fid·code·nom "usuel"·pop`, "2 1·A··0.5", "3 2·01001·b·3048"}, ""},
		{"several", append(append(layer, figures...), `CREATE TABLE autre (x)`), "", Layout{}, nil, `: it has several tables, "autre", "chiffres", "a": add the name of one after #, such as file.gpkg#autre, or in the card, table: {sheet: autre}`},
		{"unknown", layer, "#b", Layout{}, nil, `: no table "b": it has "a"`},
		{"none", nil, "", Layout{}, nil, ": a database without a table: download or copy it again"},
	} {
		path := writePackage(t, tt.made...)
		got, _, err := readRows(path+tt.part, tt.layout)
		if diff := cmp.Diff(tt.want, got); err == nil && diff != "" || err != nil && (tt.err == "" || err.Error() != path+tt.err) {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

func TestPublishedFormats(t *testing.T) {
	a, b := map[string]string{}, map[string]string{}
	for name, into := range map[string]map[string]string{"ptod_agg_iris_13_rp2011_2016_2022.parquet": a, "ptod_agg_iris_13_rp2011_2016_2022.csv.gz": b} {
		r, _, err := OpenRows(realFile(t, "iris_stats/"+name), Layout{})
		if err != nil {
			t.Fatal(err)
		}
		var header []string
		code := -1
		for r.Next() {
			if header == nil {
				header = append(header, r.Cells()...)
				for i, h := range header {
					if h == "code" {
						code = i
					}
				}
				continue
			}
			for i, c := range r.Cells() {
				if v, err := parseNumber(c, ""); err == nil {
					c = number(v)
				}
				into[r.Cells()[code]+" "+header[i]] = c
			}
		}
		if err := r.Err(); err != nil || len(into) != 840*264 {
			t.Errorf("%s: %d cells, %v", name, len(into), err)
		}
		r.Close()
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("CSV and Parquet (-CSV +Parquet):\n%.2000s", diff)
	}
	for name, want := range map[string]int{"npm_decoupage_6.0.0_communes.json.gz": 37590, "npm_decoupage_6.0.0_epci.json.gz": 1255, "npm_decoupage_6.0.0_departements.json": 109} {
		rows, _, err := readRows(realFile(t, "admin/"+name), Layout{})
		if err != nil || len(rows) != want+1 {
			t.Errorf("%s: %d rows, %v, want %d", name, len(rows)-1, err, want)
		}
	}
	fs, err := ReadFeatures(context.Background(), realFile(t, "admin/epci_2025_simplified.topojson.gz"), "")
	if err != nil || len(fs.Rows) != 1244 {
		t.Fatalf("TopoJSON: %v", err)
	}
	area := 0.0
	for i := range fs.Rows {
		area += geo.Area(geo.Transform(fs.Rows[i].Geom, fs.CRS, mustEPSG(t, 2154)))
	}
	if area < 4e11 || area > 7e11 {
		t.Errorf("the EPCI cover %.0f km²", area/1e6)
	}
}

func mustEPSG(t *testing.T, code int) geo.CRS {
	crs, err := geo.ByEPSG(code)
	if err != nil {
		t.Fatal(err)
	}
	return crs
}
