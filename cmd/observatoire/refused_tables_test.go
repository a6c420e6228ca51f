package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// Text files: encodings, headers, keys, figures, statuts.
func badTables() []badInput {
	manyBad := strings.Builder{}
	for i := range 130 {
		fmt.Fprintf(&manyBad, "QP013061;Le Prépaou;i%d;T;2015;x%d;l. 1;\n", i, i)
	}
	return []badInput{
		{name: "table: empty file", make: put(qpvTable, "")},
		{name: "table: blanks only", make: put(qpvTable, "\n\n  \n")},
		{name: "table: header only", make: put(qpvTable, qpvHead)},
		{name: "table: web page", make: put(qpvTable, "<!DOCTYPE html><html><body>Service indisponible</body></html>")},
		{name: "table: PDF", make: put(qpvTable, "%PDF-1.7\n1 0 obj\n")},
		{name: "table: XML", make: put(qpvTable, "<?xml version=\"1.0\"?>\n<lignes/>\n")},
		{name: "table: RAR", make: put(qpvTable, "Rar!\x1a\x07\x01\x00----")},
		{name: "table: picture", make: put(qpvTable, "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00")},
		{name: "table: a layer in GeoJSON", make: put(qpvTable, `{"type":"FeatureCollection","features":[]}`)},
		{name: "table: JSON cut short", make: put(qpvTable, `[{"code":"QP013061","indicateur":"population"`)},
		{name: "table: JSON of one value", make: put(qpvTable, `["QP013061"]`)},
		{name: "table: JSON empty list", make: put(qpvTable, `[]`)},
		{name: "table: JSON glued to another", make: put(qpvTable, `[{"code":"QP013061","indicateur":"population","sexe":"T","millesime":2015,"valeur":1}][]`)},
		{name: "table: JSON bad figure", make: put(qpvTable, `[{"code":"QP013061","indicateur":"population","sexe":"T","millesime":2015,"valeur":"douze","reference":"","note":""}]`)},
		{name: "table: JSON figure nested", make: put(qpvTable, `[{"code":"QP013061","indicateur":"population","sexe":"T","millesime":2015,"valeur":{"v":1},"reference":"","note":""}]`)},
		{name: "table: Parquet cut short", make: put(qpvTable, "PAR1\x00\x00\x00\x00PAR1")},
		{name: "table: SQLite cut short", make: put(qpvTable, "SQLite format 3\x00\x10\x00")},
		{name: "table: TSV that lost its tabs", make: put(qpvTable, strings.ReplaceAll(qpvHead+qpvRow, ";", " "))},
		{name: "table: comma for a card that says semicolon", make: put(qpvTable, strings.ReplaceAll(qpvHead+qpvRow, ";", ","))},
		{name: "table: Windows-1252 declared UTF-8", make: put(qpvTable, qpvHead+"QP013061;Le Pr\xe9paou;population;T;2015;3100;l. 683;\n")},
		{name: "table: UTF-8 declared UTF-16", make: swap(qpvCard, "encoding: utf-8", "encoding: utf-16")},
		{name: "table: UTF-16 of other columns", make: put(qpvTable, "\xff\xfec\x00o\x00d\x00e\x00;\x00v\x00\n\x00")},
		{name: "table: bytes of two encodings", make: all(swap(qpvCard, "encoding: utf-8, ", ""), put(qpvTable, qpvHead+fillers(12000)+"QP013062;La Carri\xe8re;population;T;2015;1;;\n"))},
		{name: "table: quote never closed", make: figures("QP013061;\"Le Prépaou;population;T;2015;3100;l. 683;\n" + qpvRow)},
		{name: "table: text after a quote", make: figures("QP013061;\"Le\" Prépaou;population;T;2015;x;l. 683;\n")},
		{name: "table: separator in a cell", make: figures("QP013061;Le Prépaou;population;T;2015;3100;l. 683; voir aussi ; l. 684;fin\n")},
		{name: "table: row cut short", make: figures(qpvRow + "QP013062;La Carr")},
		{name: "table: no column of codes", make: swap(qpvTable, "code;", "CODGEO;")},
		{name: "table: header in capitals", make: swap(qpvTable, "code;territoire;indicateur;sexe;millesime;valeur", "CODE;TERRITOIRE;INDICATEUR;SEXE;MILLESIME;VALEUR")},
		{name: "table: no header", make: put(qpvTable, qpvRow)},
		{name: "table: no column of figures", make: swap(qpvTable, ";valeur;", ";val;")},
		{name: "table: two columns of figures", make: swap(qpvTable, ";reference;", ";valeur;")},
		{name: "table: two columns of codes", make: swap(qpvTable, ";territoire;", ";code;")},
		{name: "table: no column of the year", make: swap(qpvTable, ";millesime;", ";annee;")},
		{name: "table: no column of the indicator", make: swap(qpvTable, ";indicateur;", ";variable;")},
		{name: "table: header shifted by a column", make: put(qpvTable, "rang;"+qpvHead+qpvRow)},
		{name: "table: header row that is not", make: swap(qpvCard, `table: {separator`, `table: {header_row: 3, separator`)},
		{name: "table: empty code", make: figures(";Le Prépaou;population;T;2015;3100;;\n" + qpvRow)},
		{name: "table: same row twice", make: figures(qpvRow + qpvRow)},
		{name: "table: quarters of another département", make: figures("QP069001;Ailleurs;population;T;2015;1;;\nQP069002;Là;population;T;2015;1;;\n")},
		{name: "table: codes of communes among quarters", make: figures("13047;Istres;population;T;2015;1;;\n")},
		{name: "table: codes that lost zeros", make: put("donnees/contrat-commune-2015.csv", qpvHead+"1004;Ambérieu;population;T;2015;1;;\n")},
		{name: "table: quarters of many départements", make: figures("QP069001;A;population;T;2015;1;;\nQN02A01M;B;population;T;2015;1;;\nQP974001;C;population;T;2015;1;;\nQP075001;D;population;T;2015;1;;\n")},
		{name: "table: unknown IRIS", make: put("donnees/contrat-iris-2015.csv", qpvHead+"130479999;Nulle part;population;T;2010;1;;\n130471234;Là;population;T;2010;2;;\n")},
		{name: "table: unknown département", make: put("donnees/contrat-departement-2015.csv", qpvHead+"84;Vaucluse;population;T;2015;1;;\n")},
		{name: "figure: text", make: value("beaucoup")},
		{name: "figure: two marks", make: value("12,5,6")},
		{name: "figure: English thousands", make: value("3,100.5")},
		{name: "figure: point where the card says comma", make: value("12.5")},
		{name: "figure: percent sign", make: value("12,5 %")},
		{name: "figure: euro sign", make: value("10 700 €")},
		{name: "figure: approximate", make: value("~3100")},
		{name: "figure: less than", make: value("<5")},
		{name: "figure: range", make: value("10-20")},
		{name: "figure: exponent", make: value("3,1e3")},
		{name: "figure: NaN", make: value("NaN")},
		{name: "figure: infinity", make: value("inf")},
		{name: "figure: overflow", make: value(strings.Repeat("9", 400))},
		{name: "figure: sign alone", make: value("-")},
		{name: "figure: mark alone", make: value(",")},
		{name: "figure: nothing after the mark", make: value("12,")},
		{name: "figure: thousands out of place", make: value("1 23 456")},
		{name: "figure: two minus signs", make: value("--4")},
		{name: "figure: in parentheses", make: value("(4,7)")},
		{name: "figure: a date", make: value("01/02/2015")},
		{name: "figure: a date put by a spreadsheet", make: value("12-mars")},
		{name: "figure: #REF!", make: value("#REF!")},
		{name: "figure: #DIV/0!", make: value("#DIV/0!")},
		{name: "figure: #N/A", make: value("#N/A")},
		{name: "figure: a formula", make: value("=SOMME(A1:A3)")},
		{name: "figure: hexadecimal", make: value("0x1F")},
		{name: "figure: a fraction", make: value("1/2")},
		{name: "figure: letter O for zero", make: value("31OO")},
		{name: "figure: not a figure's digits", make: value("３１００")},
		{name: "figure: mojibake", make: value("3Â 100")},
		{name: "figure: token the card does not know", make: value("conf.")},
		{name: "figure: a dash for nothing", make: value("–")},
		{name: "figure: yes", make: value("oui")},
		{name: "figure: every bad cell is listed", make: figures("QP013061;P;a;T;2015;x;;\nQP013062;C;a;Z;2015;y;;\nQP013063;M;;T;20;z;;\n")},
		{name: "figure: more bad cells than are listed", make: figures(manyBad.String())},
		{name: "row: sex", make: figures("QP013061;Le Prépaou;population;homme;2015;1;;\n")},
		{name: "row: year of two digits", make: figures("QP013061;Le Prépaou;population;T;15;1;;\n")},
		{name: "row: year in words", make: figures("QP013061;Le Prépaou;population;T;l'an dernier;1;;\n")},
		{name: "row: year far away", make: figures("QP013061;Le Prépaou;population;T;3015;1;;\n")},
		{name: "row: years in one cell", make: figures("QP013061;Le Prépaou;population;T;2014-2015;1;;\n")},
		{name: "row: no indicator", make: figures("QP013061;Le Prépaou;;T;2015;1;;\n")},
		{name: "statut: unknown word", make: all(swap(qpvCard, "reference: reference", "statut: note\n  reference: reference"), figures("QP013061;P;population;T;2015;;l. 1;cachée\n"))},
		{name: "statut: figure said secret", make: all(swap(qpvCard, "reference: reference", "statut: note\n  reference: reference"), figures("QP013061;P;population;T;2015;12;l. 1;secret\n"))},
		{name: "statut: no figure said available", make: all(swap(qpvCard, "reference: reference", "statut: note\n  reference: reference"), figures("QP013061;P;population;T;2015;;l. 1;disponible\n"))},
		{name: "statut: code that is not explained", make: all(swap(qpvCard, "reference: reference", "statut: note\n  statuts: {A: disponible}\n  reference: reference"), figures("QP013061;P;population;T;2015;1;l. 1;B\n"))},
	}
}

// fillers are rows of so many indicators, more than is looked at to tell an encoding.
func fillers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "QP013061;Le Prépaou;i%d;T;2015;1;Contrat de ville 2015-2020, ligne du tableau de synthèse;;\n", i)
	}
	return b.String()
}

func badWorkbooks() []badInput {
	formula := func(v, kind string) func(*testing.T, string) {
		return workbook("", func(t *testing.T, f *excelize.File) {
			if err := f.SetCellFormula("Sheet1", "F2", v); err != nil {
				t.Fatal(err)
			}
			setCell(t, f, "Sheet1", "F2", kind)
		})
	}
	return []badInput{
		{name: "workbook: with a password", make: workbook("secret", nil)},
		{name: "workbook: under a password, from another program", make: put(qpvTable, protectedWorkbook())},
		{name: "workbook: old format cut short", make: put(qpvTable, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 incomplet")},
		{name: "workbook: cut short", make: func(t *testing.T, dir string) {
			b := sheet(t, "", nil)
			put(qpvTable, b[:len(b)/2])(t, dir)
		}},
		{name: "workbook: no such sheet", make: all(workbook("", nil), swap(qpvCard, `table: {separator: ";", encoding: utf-8, decimal: ","}`, `table: {sheet: Données}`))},
		{name: "workbook: no such sheet in the path", make: all(workbook("", nil), config("donnees/contrat-qpv-2015.csv", "donnees/contrat-qpv-2015.csv#Données"))},
		{name: "workbook: empty", make: workbook("", func(t *testing.T, f *excelize.File) {
			for _, row := range []int{1, 1} {
				if err := f.RemoveRow("Sheet1", row); err != nil {
					t.Fatal(err)
				}
			}
		})},
		{name: "workbook: first sheet is a note", make: workbook("", func(t *testing.T, f *excelize.File) {
			if err := f.SetSheetName("Sheet1", "Chiffres"); err != nil {
				t.Fatal(err)
			}
			if _, err := f.NewSheet("Lisez-moi"); err != nil {
				t.Fatal(err)
			}
			setCell(t, f, "Lisez-moi", "A1", "Une note")
			if err := f.MoveSheet("Lisez-moi", "Chiffres"); err != nil {
				t.Fatal(err)
			}
		})},
		{name: "workbook: text", make: cellText("beaucoup")},
		{name: "workbook: percent as text", make: cellText("12 %")},
		{name: "workbook: true", make: cellText("VRAI")},
		{name: "workbook: formula that failed", make: formula("A1/0", "#DIV/0!")},
		{name: "workbook: reference lost", make: formula("#REF!", "#REF!")},
		{name: "workbook: key lost", make: workbook("", func(t *testing.T, f *excelize.File) { setCell(t, f, "Sheet1", "A2", "") })},
		{name: "workbook: header renamed", make: workbook("", func(t *testing.T, f *excelize.File) { setCell(t, f, "Sheet1", "F1", "Valeur 2015") })},
		{name: "workbook: header twice", make: workbook("", func(t *testing.T, f *excelize.File) { setCell(t, f, "Sheet1", "B1", "code") })},
		{name: "workbook: year in the format of a date", make: workbook("", func(t *testing.T, f *excelize.File) { setCell(t, f, "Sheet1", "E2", "01/01/2015") })},
	}
}

func badArchives() []badInput {
	bomb := strings.Repeat("0", 70<<20)
	return []badInput{
		{name: "gzip: cut short", make: func(t *testing.T, dir string) {
			b := gzipOf(qpvHead + qpvRow)
			put(qpvTable, b[:len(b)/2])(t, dir)
		}},
		{name: "gzip: damaged", make: func(t *testing.T, dir string) {
			b := gzipOf(qpvHead + qpvRow)
			b[len(b)-6] ^= 0xff
			put(qpvTable, b)(t, dir)
		}},
		{name: "gzip: of nothing", make: func(t *testing.T, dir string) { put(qpvTable, gzipOf(""))(t, dir) }},
		{name: "gzip: of a web page", make: func(t *testing.T, dir string) { put(qpvTable, gzipOf("<html><body>non</body></html>"))(t, dir) }},
		{name: "gzip: of a bad figure", make: func(t *testing.T, dir string) {
			put(qpvTable, gzipOf(qpvHead+"QP013061;P;population;T;2015;x;;\n"))(t, dir)
		}},
		{name: "gzip: that swells", make: func(t *testing.T, dir string) { put(qpvTable, gzipOf(bomb))(t, dir) }},
		{name: "zip: empty", make: zipTable()},
		{name: "zip: of documents", make: zipTable("lisezmoi.txt", "bonjour", "plan.pdf", "%PDF-")},
		{name: "zip: several tables", make: zipTable("a.csv", qpvHead+qpvRow, "b.csv", qpvHead+qpvRow)},
		{name: "zip: no such member", make: all(zipTable("a.csv", qpvHead+qpvRow), config(qpvTable, qpvTable+"/b.csv"))},
		{name: "zip: member that climbs out", make: zipTable("../../a.csv", qpvHead+qpvRow)},
		{name: "zip: bad figure in a member", make: zipTable("a.csv", qpvHead+"QP013061;P;population;T;2015;x;;\n")},
		{name: "zip: member of bad pattern", make: all(zipTable("a.csv", qpvHead), config("file: "+qpvTable, "file: \""+qpvTable+"/[a.csv\""))},
		{name: "zip: cut short", make: func(t *testing.T, dir string) {
			b := zipOf(t, "a.csv", qpvHead+qpvRow)
			put(qpvTable, b[:len(b)-30])(t, dir)
		}},
		{name: "zip: archives too deep", make: func(t *testing.T, dir string) {
			text := qpvHead + qpvRow
			for range 5 {
				text = string(gzipOf(text))
			}
			put(qpvTable, text)(t, dir)
		}},
		{name: "7z: cut short", make: put(qpvTable, "7z\xbc\xaf\x27\x1c\x00\x04")},
		{name: "7z: damaged", make: put(qpvTable, "7z\xbc\xaf\x27\x1c\x00\x04"+strings.Repeat("\x11", 80))},
		{name: "archive: a table is none", make: config(qpvTable, qpvTable+"/a.csv")},
		{name: "archive: a sheet of a text", make: config(qpvTable, qpvTable+"#Feuille")},
	}
}

// Contours.
func badLayers() []badInput {
	head := func(crs string) func(*testing.T, string) {
		return put(qpvLayer, `{"type":"FeatureCollection",`+crs+`"features":[`+zone(`"QP013061"`, prepaou)+`]}`)
	}
	polygon := func(rings string) func(*testing.T, string) {
		return layer(zone(`"QP013061"`, `{"type":"Polygon","coordinates":`+rings+`}`))
	}
	return []badInput{
		{name: "layer: no file", make: gone(qpvLayer)},
		{name: "layer: empty file", make: put(qpvLayer, "")},
		{name: "layer: web page", make: put(qpvLayer, "<html>")},
		{name: "layer: a table", make: put(qpvLayer, qpvHead+qpvRow)},
		{name: "layer: a workbook", make: func(t *testing.T, dir string) { put(qpvLayer, sheet(t, "", nil))(t, dir) }},
		{name: "layer: cut short", make: put(qpvLayer, `{"type":"FeatureCollection","features":[`)},
		{name: "layer: no zone", make: layer()},
		{name: "layer: features that are none", make: put(qpvLayer, `{"type":"FeatureCollection","features":{}}`)},
		{name: "layer: a list", make: put(qpvLayer, `[1,2]`)},
		{name: "layer: JSON of something else", make: put(qpvLayer, `{"type":"Bilan","annee":2015}`)},
		{name: "layer: two glued together", make: add(qpvLayer, `{"type":"FeatureCollection","features":[]}`)},
		{name: "layer: no attribute of codes", make: put(qpvLayer, `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"CODE_QP":"QP013061"},"geometry":`+prepaou+`}]}`)},
		{name: "layer: empty code", make: layer(zone(`""`, prepaou), zone(`null`, prepaou))},
		{name: "layer: points", make: layer(zone(`"QP013061"`, `{"type":"Point","coordinates":[859009,6271221]}`))},
		{name: "layer: lines", make: layer(zone(`"QP013061"`, `{"type":"LineString","coordinates":[[859009,6271221],[859609,6271221]]}`))},
		{name: "layer: polygons and a point", make: layer(zone(`"QP013061"`, prepaou), zone(`"QP013062"`, `{"type":"Point","coordinates":[859009,6271221]}`))},
		{name: "layer: unknown type of geometry", make: layer(zone(`"QP013061"`, `{"type":"Cercle","coordinates":[859009,6271221]}`))},
		{name: "layer: no geometry at all", make: layer(zone(`"QP013061"`, `null`))},
		{name: "layer: coordinates that are not points", make: polygon(`[["a","b"]]`)},
		{name: "layer: coordinates not nested enough", make: polygon(`[[859009,6271221],[859609,6271221]]`)},
		{name: "layer: degrees under Lambert-93", make: polygon(`[[[4.9,43.5],[4.95,43.5],[4.95,43.55],[4.9,43.5]]]`)},
		{name: "layer: Lambert-93 under degrees", make: head("")},
		{name: "layer: latitude before longitude", make: put(qpvLayer, `{"type":"FeatureCollection","features":[`+zone(`"QP013061"`, `{"type":"Polygon","coordinates":[[[43.5,4.9],[43.5,4.95],[43.55,4.95],[43.5,4.9]]]}`)+`]}`)},
		{name: "layer: in New York", make: put(qpvLayer, `{"type":"FeatureCollection","features":[`+zone(`"QP013061"`, `{"type":"Polygon","coordinates":[[[-74,40.7],[-73.9,40.7],[-73.9,40.8],[-74,40.7]]]}`)+`]}`)},
		{name: "layer: out of the world", make: polygon(`[[[1e9,1e9],[2e9,1e9],[2e9,2e9],[1e9,1e9]]]`)},
		{name: "layer: a number too large", make: polygon(`[[[1e999,6271221],[859609,6271221],[859609,6271473],[859009,6271221]]]`)},
		{name: "layer: unknown system", make: head(`"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::27572"}},`)},
		{name: "layer: system without a name", make: head(`"crs":{"type":"link"},`)},
		{name: "layer: system in words", make: head(`"crs":{"type":"name","properties":{"name":"Lambert II étendu"}},`)},
		{name: "layer: of another territory", make: put(qpvLayer, `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2975"}},"features":[`+zone(`"QP974001"`, `{"type":"Polygon","coordinates":[[[338000,7690000],[339000,7690000],[339000,7691000],[338000,7690000]]]}`)+`]}`)},
		{name: "layer: not UTF-8", make: put(qpvLayer, `{"type":"FeatureCollection","features":[`+strings.ReplaceAll(zone(`"QP013061"`, prepaou), "é", "\xe9")+`]}`)},
		{name: "layer: TopoJSON without objects", make: put(qpvLayer, `{"type":"Topology","arcs":[]}`)},
		{name: "layer: TopoJSON of two objects", make: put(qpvLayer, `{"type":"Topology","objects":{"a":{"type":"GeometryCollection","geometries":[]},"b":{"type":"GeometryCollection","geometries":[]}},"arcs":[]}`)},
		{name: "layer: TopoJSON with a missing arc", make: put(qpvLayer, `{"type":"Topology","objects":{"a":{"type":"GeometryCollection","geometries":[{"type":"Polygon","properties":{"code":"QP013061"},"arcs":[[7]]}]}},"arcs":[]}`)},
		{name: "layer: shapefile cut short", make: put(qpvLayer, "\x00\x00\x27\x0a"+strings.Repeat("\x00", 40))},
		{name: "layer: database that is no GeoPackage", make: put(qpvLayer, "SQLite format 3\x00"+strings.Repeat("\x00", 100))},
		{name: "layer: part of one", make: config(qpvLayer, qpvLayer+"#quartiers")},
		{name: "layer: points of facilities without a code", make: swap("contours/equipements.geojson", `"id": "DEMO-02"`, `"ident": "DEMO-02"`)},
		{name: "layer: facility in degrees", make: swap("contours/equipements.geojson", "[859300, 6271350]", "[4.9, 43.5]")},
		{name: "layer: facility twice", make: swap("contours/equipements.geojson", `"id": "DEMO-02"`, `"id": "DEMO-01"`)},
		{name: "layer: facilities that are areas", make: put("contours/equipements.geojson", `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"features":[{"type":"Feature","properties":{"id":"E","nom":"n","theme":"t"},"geometry":`+prepaou+`}]}`)},
		{name: "layer: residence without a code", make: swap("contours/residences.geojson", `"id": "RES-02"`, `"id": ""`)},
		{name: "layer: a collection within a collection", make: layer(`{"type":"FeatureCollection","features":[` + zone(`"QP013061"`, prepaou) + `]}`)},
		{name: "layer: ring of two points", make: polygon(`[[[859009,6271221],[859609,6271221],[859009,6271221]]]`)},
		{name: "layer: polygon without a ring", make: polygon(`[]`)},
		{name: "layer: facilities within a collection", make: put("contours/equipements.geojson", `{"type":"FeatureCollection","features":[{"type":"FeatureCollection","features":[]}]}`)},
		{name: "layer: residences within a collection", make: put("contours/residences.geojson", `{"type":"FeatureCollection","features":[{"type":"FeatureCollection","features":[]}]}`)},
		{name: "layer: a folder", make: config(qpvLayer, "contours")},
		{name: "layer: a pattern of several files", make: config(qpvLayer, "contours/*.geojson")},
	}
}
