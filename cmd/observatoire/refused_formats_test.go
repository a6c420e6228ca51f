package main

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/xuri/excelize/v2"
)

// odsOf is an OpenDocument workbook of one sheet, Chiffres, whose cells are the rows of the table of the quarters.
func odsOf(t *testing.T, rows string, change ...string) []byte {
	t.Helper()
	var body strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(qpvHead+rows), "\n") {
		body.WriteString("<table:table-row>")
		for v := range strings.SplitSeq(line, ";") {
			fmt.Fprintf(&body, `<table:table-cell office:value-type="string"><text:p>%s</text:p></table:table-cell>`, v)
		}
		body.WriteString("</table:table-row>")
	}
	content := `<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" ` +
		`xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet><table:table table:name="Chiffres">` + body.String() +
		`</table:table></office:spreadsheet></office:body></office:document-content>`
	manifest := `<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>`
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(content+manifest, change[i]) {
			t.Fatalf("no %q in the workbook", change[i])
		}
		content, manifest = strings.ReplaceAll(content, change[i], change[i+1]), strings.ReplaceAll(manifest, change[i], change[i+1])
	}
	return zipOf(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "META-INF/manifest.xml", manifest, "content.xml", content)
}

func ods(rows string, change ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { put(qpvTable, odsOf(t, rows, change...))(t, dir) }
}

// lockedZip is an archive whose members are said to be under a password.
func lockedZip(t *testing.T, members ...string) []byte {
	b := zipOf(t, members...)
	for at, mark := range map[int]string{6: "PK\x03\x04", 8: "PK\x01\x02"} { // in its own header, in the list of members
		for from := 0; ; {
			i := bytes.Index(b[from:], []byte(mark))
			if i < 0 {
				break
			}
			b[from+i+at] |= 1
			from += i + len(mark)
		}
	}
	return b
}

// lockedSevenZip is a 7z archive with one member under a password; or whose list of members is.
func lockedSevenZip(list bool) []byte {
	stream := bytes.Repeat([]byte{0x5A}, 32)
	aes := []byte{0x24, 0x06, 0xF1, 0x07, 0x01, 0x02, 0x53, 0x0F} // a coder with properties: AES-256 and SHA-256, 2^19 rounds
	aes = append(aes, bytes.Repeat([]byte{0x11}, 16)...)
	aes[5] = byte(len(aes) - 6)
	folder := slices.Concat([]byte{0x06, 0x00, 0x01, 0x09, byte(len(stream)), 0x00, 0x07, 0x0B, 0x01, 0x00, 0x01}, aes, []byte{0x0C, 20})
	header := slices.Concat([]byte{0x17}, folder, []byte{0x00, 0x00})
	if !list {
		name := []byte("t\x00.\x00c\x00s\x00v\x00\x00\x00")
		header = slices.Concat([]byte{0x01, 0x04}, folder, []byte{0x00, 0x08, 0x0A, 0x01, 1, 2, 3, 4, 0x00, 0x00},
			[]byte{0x05, 0x01, 0x11, byte(len(name) + 1), 0x00}, name, []byte{0x00, 0x00})
	}
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(stream)))
	start = binary.LittleEndian.AppendUint64(start, uint64(len(header)))
	start = binary.LittleEndian.AppendUint32(start, crc32.ChecksumIEEE(header))
	return slices.Concat([]byte("7z\xBC\xAF\x27\x1C\x00\x04"), binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(start)), start, stream, header)
}

// geoParquet puts a Parquet file of one quarter in the place of the layer; meta are its geo metadata, none for "".
func geoParquet(meta string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
			{Name: "code", Type: arrow.BinaryTypes.String}, {Name: "nom", Type: arrow.BinaryTypes.String}, {Name: "geometry", Type: arrow.BinaryTypes.Binary}}, nil))
		defer b.Release()
		wkb := []byte{1, 3, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0}
		for _, v := range []float64{859009, 6271221, 859609, 6271221, 859609, 6271473, 859009, 6271221} {
			wkb, _ = binary.Append(wkb, binary.LittleEndian, v)
		}
		b.Field(0).(*array.StringBuilder).Append("QP013061")
		b.Field(1).(*array.StringBuilder).Append("Le Prépaou")
		b.Field(2).(*array.BinaryBuilder).Append(wkb)
		rec := b.NewRecord()
		defer rec.Release()
		var out bytes.Buffer
		w, err := pqarrow.NewFileWriter(rec.Schema(), &out, nil, pqarrow.DefaultWriterProps())
		if err == nil {
			err = w.Write(rec)
		}
		if err == nil && meta != "" {
			err = w.AppendKeyValueMetadata("geo", meta)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		put(qpvLayer, out.Bytes())(t, dir)
	}
}

// packageWith changes a copy of the published edition, which is a GeoPackage of several layers, and reads the quarters in it.
func packageWith(statements ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		const name = "contours/tout.gpkg"
		b, err := os.ReadFile(filepath.Join(dir, "observatoire.gpkg"))
		if err != nil {
			t.Fatal(err)
		}
		put(name, b)(t, dir)
		db, err := sql.Open("sqlite", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.Query(`SELECT 'DROP TRIGGER "' || name || '"' FROM sqlite_master WHERE type = 'trigger'`) // they call functions of map programs
		if err != nil {
			t.Fatal(err)
		}
		var drops []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			drops = append(drops, s)
		}
		rows.Close()
		for _, s := range append(drops, statements...) {
			if _, err := db.Exec(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
}

// topology puts a TopoJSON of one quarter, in one arc, in the place of the layer.
func topology(transform, arcs, polygon string) func(*testing.T, string) {
	return put(qpvLayer, `{"type":"Topology",`+transform+`"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"objects":{"q":{"type":"GeometryCollection","geometries":[`+
		`{"type":"Polygon","properties":{"code":"QP013061","nom":"Le Prépaou"},"arcs":`+polygon+`}]}},"arcs":`+arcs+`}`)
}

// Formats that are less common, and those under a password.
func badFormats() []badInput {
	const crs2154 = `"crs":{"name":"RGF93 v1 / Lambert-93","id":{"authority":"EPSG","code":2154}}`
	geometry := func(more string) string {
		return `{"version":"1.0.0","primary_column":"geometry","columns":{"geometry":{` + more + `}}}`
	}
	fromPackage := func(name string) func(*testing.T, string) {
		return config("vintage: 2015, file: "+qpvLayer, "vintage: 2015, file: \"contours/tout.gpkg"+name+"\"")
	}
	const square = `[[[859009,6271221],[600,0],[0,252],[-600,0],[0,-252]]]`
	bpe := func(text string) func(*testing.T, string) {
		return all(config("\ntables:\n", "\ntables:\n  - {card: bpe, file: donnees/bpe15_ensemble_xy.csv}\n"), put("donnees/bpe15_ensemble_xy.csv", text))
	}
	dwellings := func(text string) func(*testing.T, string) {
		return all(config("\ntables:\n", "\ntables:\n  - {card: rpls-logements, file: donnees/RPLS_2015_logements.csv}\n"), put("donnees/RPLS_2015_logements.csv", text))
	}
	return []badInput{
		{name: "ods: cut short", make: func(t *testing.T, dir string) {
			b := odsOf(t, qpvRow)
			put(qpvTable, b[:len(b)/2])(t, dir)
		}},
		{name: "ods: its content cut short", make: ods(qpvRow, "</table:table></office:spreadsheet></office:body></office:document-content>", "")},
		{name: "ods: with a password", make: ods(qpvRow, `manifest:1.0"/>`, `manifest:1.0"><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>`)},
		{name: "ods: no sheet", make: ods(qpvRow, "<table:table ", "<table:autre ", "</table:table>", "</table:autre>")},
		{name: "ods: a text document", make: ods(qpvRow, "office:spreadsheet", "office:text")},
		{name: "ods: no such sheet in the path", make: all(ods(qpvRow), config(qpvTable, qpvTable+"#Données"))},
		{name: "ods: no such sheet", make: all(ods(qpvRow), swap(qpvCard, `table: {separator: ";", encoding: utf-8, decimal: ","}`, `table: {sheet: Données}`))},
		{name: "ods: empty sheet", make: ods(qpvRow, "<table:table-row>", "<table:bord>", "</table:table-row>", "</table:bord>")},
		{name: "ods: bad figures", make: ods("QP013061;Le Prépaou;population;T;2015;beaucoup;l. 683;\n;La Carraire;population;T;2015;12 %;l. 683;\n")},
		{name: "ods: a failed formula", make: ods("QP013061;Le Prépaou;population;T;2015;#REF!;l. 683;\n")},

		{name: "geoparquet: without geo metadata", make: geoParquet("")},
		{name: "geoparquet: geo metadata cut short", make: geoParquet(`{"version":"1.0.0","primary_column":`)},
		{name: "geoparquet: geo metadata of another shape", make: geoParquet(`["geometry"]`)},
		{name: "geoparquet: a column it does not have", make: geoParquet(`{"version":"1.0.0","primary_column":"geom","columns":{"geom":{"encoding":"WKB",` + crs2154 + `}}}`)},
		{name: "geoparquet: encoded as text", make: geoParquet(geometry(`"encoding":"WKT",` + crs2154))},
		{name: "geoparquet: geometry that is text", make: geoParquet(strings.ReplaceAll(geometry(`"encoding":"WKB",`+crs2154), `"geometry"`, `"nom"`))},
		{name: "geoparquet: unknown system", make: geoParquet(geometry(`"encoding":"WKB","crs":{"name":"NTF (Paris) / Lambert zone II","id":{"authority":"EPSG","code":27572}}`))},
		{name: "geoparquet: system without a code", make: geoParquet(geometry(`"encoding":"WKB","crs":{"name":"Mon système"}`))},
		{name: "geoparquet: system said not to be known", make: geoParquet(geometry(`"encoding":"WKB","crs":null`))},
		{name: "geoparquet: no system, which is degrees", make: geoParquet(geometry(`"encoding":"WKB"`))},
		{name: "geoparquet: no column of codes", make: all(geoParquet(geometry(`"encoding":"WKB",`+crs2154)), swap("cards/demo-contours.yaml", "code: [code]", "code: [CODE_QP]"))},

		{name: "zip: under a password", make: func(t *testing.T, dir string) { put(qpvTable, lockedZip(t, "a.csv", qpvHead+qpvRow))(t, dir) }},
		{name: "zip: member under a password, named", make: all(func(t *testing.T, dir string) {
			put(qpvTable, lockedZip(t, "a.csv", qpvHead+qpvRow))(t, dir)
		}, config(qpvTable, qpvTable+"/a.csv"))},
		{name: "zip: workbook under a password", make: func(t *testing.T, dir string) {
			put(qpvTable, zipOf(t, "chiffres.xlsx", string(protectedWorkbook())))(t, dir)
		}},
		{name: "zip: layer under a password", make: func(t *testing.T, dir string) {
			put(qpvLayer, lockedZip(t, "qpv.geojson", `{"type":"FeatureCollection","features":[`+zone(`"QP013061"`, prepaou)+`]}`))(t, dir)
		}},
		{name: "7z: under a password", make: put(qpvTable, lockedSevenZip(false))},
		{name: "7z: its list under a password", make: put(qpvTable, lockedSevenZip(true))},

		{name: "geopackage: several layers, none named", make: all(packageWith(), fromPackage(""))},
		{name: "geopackage: no such layer", make: all(packageWith(), fromPackage("#quartiers"))},
		{name: "geopackage: layer without a system", make: all(packageWith(`UPDATE gpkg_geometry_columns SET srs_id = -1`), fromPackage("#qpv_2015"))},
		{name: "geopackage: geometry that is none", make: all(packageWith(`UPDATE "qpv_2015" SET geom = x'00112233'`), fromPackage("#qpv_2015"))},
		{name: "geopackage: geometry cut short", make: all(packageWith(`UPDATE "qpv_2015" SET geom = substr(geom, 1, length(geom) - 20)`), fromPackage("#qpv_2015"))},
		{name: "geopackage: layer without a row", make: all(packageWith(`DELETE FROM "qpv_2015"`), fromPackage("#qpv_2015"))},
		{name: "geopackage: codes lost", make: all(packageWith(`UPDATE "qpv_2015" SET code = ''`), fromPackage("#qpv_2015"))},
		{name: "geopackage: no layer", make: all(packageWith(`DELETE FROM gpkg_contents`), fromPackage(""))},

		{name: "topojson: steps without their transform", make: topology("", square, "[[0]]")},
		{name: "topojson: transform without a translation", make: topology(`"transform":{"scale":[1,1]},`, square, "[[0]]")},
		{name: "topojson: transform in words", make: topology(`"transform":"oui",`, square, "[[0]]")},
		{name: "topojson: arc out of range", make: topology(`"transform":{"scale":[1,1],"translate":[0,0]},`, square, "[[1]]")},
		{name: "topojson: arc out of range, backwards", make: topology(`"transform":{"scale":[1,1],"translate":[0,0]},`, square, "[[-2]]")},
		{name: "topojson: arcs that are no numbers", make: topology(`"transform":{"scale":[1,1],"translate":[0,0]},`, square, `[["a"]]`)},
		{name: "topojson: arcs that are no points", make: topology(`"transform":{"scale":[1,1],"translate":[0,0]},`, `[["a","b"]]`, "[[0]]")},
		{name: "topojson: no object of that name", make: all(topology(`"transform":{"scale":[1,1],"translate":[0,0]},`, square, "[[0]]"), config("file: "+qpvLayer, "file: \""+qpvLayer+"#quartiers\""))},

		{name: "count: no column of zones", make: bpe("AN;TYPEQU;LAMBERT_X\n2015;D201;1\n")},
		{name: "count: no column of the category", make: bpe("AN;DEPCOM;LAMBERT_X\n2015;13047;1\n")},
		{name: "count: no column of a category among several", make: dwellings("DEPCOM;DPEENERGIE\n13047;F\n")},
		{name: "count: header only", make: bpe("AN;DEPCOM;DCIRIS;TYPEQU\n")},
		{name: "count: weight in words", make: bpe("AN;DEPCOM;TYPEQU;NB_EQUIP\n2015;13047;D201;deux\n")},
	}
}

// What tells one zone from another, the day, the decision, and what became of a zone.
func badKeys() []badInput {
	const communes = "donnees/contrat-commune-2015.csv"
	wide := swap("cards/demo-commune.yaml", "key: [code]", "key: [code]\nkey_width: 5")
	cell := func(name string, v any) func(*testing.T, string) {
		return workbook("", func(t *testing.T, f *excelize.File) { setCell(t, f, "Sheet1", name, v) })
	}
	day := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	decide := func(rows string) func(*testing.T, string) {
		return put(decisionsFile, "garde;portee;auteur;motif;date\n"+rows)
	}
	corr := func(rows string) func(*testing.T, string) {
		return put("corrections.csv", "fiche;variable;code;millesime;sexe;valeur;motif;auteur;jusqu_au\n"+rows)
	}
	// The figures of communes are of 2013, when Entressen (13900, invented) was one.
	passage := func(rows string) func(*testing.T, string) {
		return all(swap("cards/demo-commune.yaml", "vintage: 2015", "vintage: 2013"), put("donnees/passage.csv", "avant;apres;part\n"+rows),
			add(communes, "13900;Entressen;population;T;2015;1000;inventé;\n"), also("\npassages:\n  - {file: donnees/passage.csv, level: commune, from: 2013, to: 2015}\n"))
	}
	// Istres and its code in another département, whose codes begin with a zero.
	inAin := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			put(name, strings.ReplaceAll(string(b), "13047", "01047"))(t, dir)
		}
	}
	const depot = "depots/bailleur-exemple/2014-rectifie/ops-residences-2014.csv"
	return []badInput{
		{name: "key: the same once its zero is restored", make: all(wide, inAin("observatoire.yaml"), inAin("contours/communes.geojson"), inAin("contours/iris.geojson"), inAin("contours/qpv.geojson"),
			inAin("contours/veille.geojson"), inAin("donnees/contrat-iris-2015.csv"), inAin(communes), add(communes, "1047;Istres;population;T;2015;1;;\n"))},
		{name: "key: the same but for blanks", make: figures(qpvRow + " QP013061 ;Le Prépaou;population;T;2015;3101;;\n")},
		{name: "key: the same but for the nature of the cell", make: all(swap("cards/demo-commune.yaml", `table: {separator: ";", encoding: utf-8, decimal: ","}`+"\n", ""), func(t *testing.T, dir string) {
			put(communes, sheet(t, "", func(f *excelize.File) {
				for row, v := range []any{"13047", 13047.0} {
					for i, x := range []any{v, "Istres", "population", "T", 2015, 43000, "l. 1", ""} {
						at, _ := excelize.CoordinatesToCellName(i+1, row+2)
						setCell(t, f, "Sheet1", at, x)
					}
				}
			}))(t, dir)
		})},
		{name: "key: a day that a spreadsheet made of a code", make: cell("A2", day)},
		{name: "key: a code that a spreadsheet made a power of ten", make: all(wide, add(communes, "1,3E+04;Istres;population;T;2015;1;;\n"))},
		{name: "key: a year that a spreadsheet made a day", make: cell("E2", day)},
		{name: "key: a figure that a spreadsheet made a day", make: figures("QP013061;Le Prépaou;population;T;2015;mars-12;l. 683;\n")},
		{name: "deposit: card of a level with an accent", make: swap("cards/demo-ops.yaml", "level: residence", "level: Résidence sociale")},
		{name: "deposit: card of another level", make: swap("cards/demo-ops.yaml", "level: residence", "level: commune")},
		{name: "deposit: codes of communes for residences", make: swap(depot, "RES-01;", "13047;", "RES-02;", "13063;")},
		{name: "deposit: zones that the card's level has already", make: all(swap("cards/demo-ops.yaml", "level: residence", "level: qpv"))},

		{name: "decisions: no column", make: put(decisionsFile, "garde;portee;auteur;date\nenquetes_communes;*;A;2026-01-01\n")},
		{name: "decisions: empty", make: put(decisionsFile, "")},
		{name: "decisions: of anomalies, which is another file", make: put(decisionsFile, "anomalie;decision;qui\nsaut:population;garder;A\n")},
		{name: "decisions: unknown guard", make: decide("enquete;*;A;essai;2026-01-01\n")},
		{name: "decisions: unknown indicator of a zone", make: decide("rupture_de_serie;populaton:QP013061;A;essai;2026-01-01\n")},
		{name: "decisions: unknown zone of an indicator", make: decide("rupture_de_serie;population:QP013999;A;essai;2026-01-01\n")},
		{name: "decisions: neither an indicator nor a zone", make: decide("rupture_de_serie;populaton;A;essai;2026-01-01\n")},
		{name: "decisions: every bad cell", make: decide(";;;;01/02/2026\n")},
		{name: "decisions: twice", make: decide("rupture_de_serie;population;A;essai;2026-01-01\nrupture_de_serie;population;B;essai;2026-01-02\n")},
		{name: "decisions: no name", make: decide("rupture_de_serie;population;;essai;2026-01-01\n")},
		{name: "corrections: no reason", make: corr("demo-commune;population;13039;2015;T;1;;A;\n")},
		{name: "corrections: no year", make: corr("demo-commune;population;13039;;T;1;essai;A;\n")},
		{name: "corrections: card that is none", make: corr("demo-comune;population;13039;2015;T;1;essai;A;\n")},
		{name: "corrections: a day that is none", make: corr("demo-commune;population;13039;2015;T;1;essai;A;2026-02-30\n")},

		{name: "passage: shares that are not the whole", make: passage("13900;13047;0,4\n13900;13063;0,4\n")},
		{name: "passage: twice, with two shares", make: passage("13900;13047;0,4\n13900;13063;0,6\n13900;13047;0,6\n")},
		{name: "passage: header only", make: passage("")},
		{name: "passage: a table of figures", make: all(passage("13900;13047;\n"), put("donnees/passage.csv", qpvHead+qpvRow))},
		{name: "passage: one that leads back", make: also("\npassages:\n  - {file: x.csv, level: commune, from: 2013, to: 2014}\n  - {file: x.csv, level: commune, from: 2014, to: 2013}\n")},
		{name: "passage: of a level without contours", make: also("\npassages: [{file: x.csv, level: epci, from: 2013, to: 2015}]\n")},
		{name: "passage: years in words", make: also("\npassages: [{file: x.csv, level: commune, from: avant, to: 2015}]\n")},
		{name: "passage: unknown key", make: also("\npassages: [{file: x.csv, niveau: commune, from: 2013, to: 2015}]\n")},
		{name: "passage: of a bad share in a workbook's row", make: passage("13900;13047;120 %\n")},
	}
}
