package ingest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"observatoire/geo"
)

// packageBlob is a geometry as a GeoPackage stores it: a header with the envelope asked for (0 to 4), then WKB.
func packageBlob(envelope int, wkb []byte) []byte {
	b := []byte{'G', 'P', 0, byte(1 | envelope<<1), 0x6A, 8, 0, 0}
	b = append(b, make([]byte, [5]int{0, 32, 48, 48, 64}[envelope])...)
	return append(b, wkb...)
}

// wkbOf writes a geometry; extra values, heights and measures, follow each point.
func wkbOf(order binary.AppendByteOrder, kind uint32, extra int, parts ...any) []byte {
	b := []byte{0}
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b[0] = 1
	}
	b = order.AppendUint32(b, kind)
	point := func(p orb.Point) {
		for _, v := range append([]float64{p[0], p[1]}, make([]float64, extra)...) {
			b = order.AppendUint64(b, math.Float64bits(v))
		}
	}
	if kind%1000 != 1 {
		b = order.AppendUint32(b, uint32(len(parts)))
	}
	for _, part := range parts {
		switch part := part.(type) {
		case orb.Point:
			point(part)
		case orb.Ring:
			b = order.AppendUint32(b, uint32(len(part)))
			for _, p := range part {
				point(p)
			}
		case []byte:
			b = append(b, part...)
		}
	}
	return b
}

// writePackage makes a GeoPackage of the statements given, after those of its own tables.
func writePackage(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zones à voir.gpkg")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range append([]string{
		`CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT, organization_coordsys_id INTEGER, definition TEXT, description TEXT)`,
		`INSERT INTO gpkg_spatial_ref_sys VALUES ('Lambert-93', 2154, 'EPSG', 2154, '', NULL), ('Lambert II', 27572, 'EPSG', 27572, 'LOCAL_CS["x"]', NULL),
			('WGS 84', 4326, 'EPSG', 4326, '', NULL), ('plan', -1, 'NONE', -1, 'undefined', NULL)`,
		`CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT, identifier TEXT, srs_id INTEGER)`,
		`CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT, srs_id INTEGER, z TINYINT, m TINYINT)`,
	}, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return path
}

// layerSQL declares a layer of a code, a name and a figure, with rows of values written in SQL.
func layerSQL(table string, srs int, rows ...string) []string {
	s := []string{
		fmt.Sprintf(`INSERT INTO gpkg_contents VALUES ('%s', 'features', '%s', %d)`, table, table, srs),
		fmt.Sprintf(`INSERT INTO gpkg_geometry_columns VALUES ('%s', 'geom', 'POLYGON', %d, 0, 0)`, table, srs),
		fmt.Sprintf(`CREATE TABLE "%s" (fid INTEGER PRIMARY KEY, geom BLOB, code TEXT, "nom ""usuel""" TEXT, pop REAL)`, table),
	}
	for _, r := range rows {
		s = append(s, fmt.Sprintf(`INSERT INTO "%s" VALUES (%s)`, table, r))
	}
	return s
}

func hexSQL(blob []byte) string { return fmt.Sprintf("X'%x'", blob) }

func TestGeoPackageGeometries(t *testing.T) {
	le, be := binary.AppendByteOrder(binary.LittleEndian), binary.AppendByteOrder(binary.BigEndian)
	sq, hole := square(0, 0, 10), reversed(square(2, 2, 3))
	poly := orb.MultiPolygon{{sq}}
	tests := []struct {
		name   string
		blob   []byte
		want   orb.MultiPolygon
		points []orb.Point
		err    string
	}{
		{"polygon", packageBlob(0, wkbOf(le, 3, 0, sq)), poly, nil, ""},
		{"envelope", packageBlob(1, wkbOf(le, 3, 0, sq, hole)), orb.MultiPolygon{{sq, hole}}, nil, ""},
		{"big endian, Z", packageBlob(4, wkbOf(be, 1003, 1, sq)), poly, nil, ""},
		{"ZM", packageBlob(2, wkbOf(le, 3003, 2, sq)), poly, nil, ""},
		{"M of PostGIS", packageBlob(0, wkbOf(le, 0x40000003, 1, sq)), poly, nil, ""},
		{"multipolygon Z of mixed byte orders", packageBlob(0, wkbOf(le, 1006, 0, wkbOf(be, 1003, 1, sq), wkbOf(le, 1003, 1, hole))), orb.MultiPolygon{{sq}, {hole}}, nil, ""},
		{"collection", packageBlob(0, wkbOf(le, 7, 0, wkbOf(le, 1, 0, orb.Point{1, 2}), wkbOf(le, 3, 0, sq))), poly, nil, ""},
		{"empty", []byte{'G', 'P', 0, 0x11, 0, 0, 0, 0}, nil, nil, ""},
		{"empty polygon", packageBlob(0, wkbOf(le, 3, 0)), nil, nil, ""},
		{"point", packageBlob(0, wkbOf(le, 1, 0, orb.Point{1, 2})), nil, []orb.Point{{1, 2}}, ""},
		{"empty point", packageBlob(0, wkbOf(le, 1, 0, orb.Point{math.NaN(), math.NaN()})), nil, nil, ""},
		{"multipoint", packageBlob(0, wkbOf(le, 1004, 0, wkbOf(le, 1001, 1, orb.Point{1, 2}), wkbOf(le, 1001, 1, orb.Point{3, 4}))), nil, []orb.Point{{1, 2}, {3, 4}}, ""},
		{"line", packageBlob(0, wkbOf(le, 2, 0)), nil, nil, "a geometry of type LineString: a zone needs a polygon"},
		{"lines", packageBlob(0, wkbOf(le, 5, 0)), nil, nil, "a geometry of type MultiLineString: a zone needs a polygon"},
		{"collection of points", packageBlob(0, wkbOf(le, 7, 0, wkbOf(le, 1, 0, orb.Point{1, 2}))), nil, nil, "a collection without a polygon: a zone needs a polygon"},
		{"curves", packageBlob(0, wkbOf(le, 10, 0)), nil, nil, "a geometry with curves or faces: export the layer again as plain polygons"},
		{"cut", packageBlob(0, wkbOf(le, 3, 0, sq)[:40]), nil, nil, errBrokenWKB.Error()},
		{"too many rings", packageBlob(0, append(wkbOf(le, 3, 0)[:5], 255, 255, 255, 255)), nil, nil, errBrokenWKB.Error()},
		{"no header", wkbOf(le, 3, 0, sq), nil, nil, "its geometry is not in the form of a GeoPackage: export the layer again"},
	}
	for _, tt := range tests {
		p, err := takePackage(tt.blob, nil)
		if got := fmt.Sprint(err); tt.err != "" && got != tt.err || tt.err == "" && err != nil {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.err)
		}
		if tt.err == "" {
			if diff := cmp.Diff(tt.want, p.geom); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
			if diff := cmp.Diff(tt.points, p.points); diff != "" {
				t.Errorf("%s: points (-want +got):\n%s", tt.name, diff)
			}
		}
	}
	if _, err := takePackage(packageBlob(0, wkbOf(le, 1, 0, orb.Point{1, 2})), cardZones); err == nil || err.Error() != "a geometry of type Point: a zone needs a polygon" {
		t.Errorf("a point where a card asks for zones: %v", err)
	}
}

// takePackage reads a geometry as a GeoPackage stores it.
func takePackage(blob []byte, c *Card) (f feature, err error) {
	wkb, err := packageWKB(blob)
	if err == nil {
		err = new(layerFile).addWKB(&f, "a.gpkg", wkb, c)
	}
	return f, err
}

func FuzzWKB(f *testing.F) {
	le := binary.AppendByteOrder(binary.LittleEndian)
	f.Add(packageBlob(1, wkbOf(le, 6, 0, wkbOf(le, 1003, 1, square(0, 0, 1)))))
	f.Add(packageBlob(0, wkbOf(le, 7, 0, wkbOf(le, 4, 0, wkbOf(le, 1, 0, orb.Point{1, 2})))))
	f.Fuzz(func(t *testing.T, blob []byte) {
		p, err := takePackage(blob, nil)
		if err != nil {
			return
		}
		n := len(p.points)
		for _, poly := range p.geom {
			for _, r := range poly {
				n += len(r)
			}
		}
		if 16*n > len(blob) {
			t.Fatalf("%d points from %d bytes", n, len(blob))
		}
	})
}

func TestGeoPackageLayers(t *testing.T) {
	le := binary.AppendByteOrder(binary.LittleEndian)
	blob := hexSQL(packageBlob(1, wkbOf(le, 3, 0, square(istresX, istresY, 100))))
	one := layerSQL("zone l'été", 2154, "2, "+blob+", 'B', 'Bé', 12.5", "1, NULL, 'A', NULL, NULL")
	one[0] = strings.ReplaceAll(one[0], "l'été", "l''été")
	one[1] = strings.ReplaceAll(one[1], "l'été", "l''été")
	path := writePackage(t, one...)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fs, err := ReadFeatures(context.Background(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fid", "code", `nom "usuel"`, "pop"}, fs.Columns); diff != "" || fs.CRS.EPSG != 2154 {
		t.Errorf("%v, columns (-want +got):\n%s", fs.CRS, diff)
	}
	for i, want := range []string{"1·A··", "2·B·Bé·12.5"} {
		f := &fs.Rows[i]
		if got := strings.Join([]string{f.Cell(0), f.Cell(1), f.Cell(2), f.Cell(3)}, "·"); got != want || f.Row != i+1 || (f.Geom != nil) != (i == 1) {
			t.Errorf("row %d: %s, want %s", f.Row, got, want)
		}
	}
	// A card finds the same layer.
	set, findings, err := ReadLayer(context.Background(), path, cardZones, "zone-2024")
	if err != nil || len(set.Zones) != 2 || set.Zones[1].Code != "B" || math.Abs(geo.Area(set.Zones[1].Geom)-1e4) > 1e-6 || len(findings) != 1 {
		t.Errorf("ReadLayer: %+v, %v, %v", set, findings, err)
	}
	// Nothing is left beside the file, and the file is as it was.
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was written to: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("beside the file: %v, %v", entries, err)
	}

	two := append(layerSQL("a", 2154, "1, "+blob+", 'A', 'a', 1"), layerSQL("b", 2154, "1, "+blob+", 'B', 'b', 1")...)
	other := append(two, `ALTER TABLE a RENAME COLUMN code TO numero`)
	sheet := *cardZones
	sheet.Layout.Sheet = "b"
	for _, tt := range []struct {
		name  string
		made  []string
		layer string
		card  *Card
		want  string // part of the error, after the path; or the code of the zone read
	}{
		{"by name", two, "b", nil, "B"},
		{"by the card", two, "", &sheet, "B"},
		{"by its columns", other, "", cardZones, "B"},
		{"not named", two, "", nil, `: it has several layers, "a", "b": add the name of one after #, such as file.gpkg#a`},
		{"not named by the card", two, "", cardZones, `: it has several layers, "a", "b", of which 2 have a column of codes (code): name one after #, such as file.gpkg#a, or in the card zones, table: {sheet: a}`},
		{"unknown", two, "c", nil, `: no layer "c": it has "a", "b"`},
		{"none", nil, "", nil, ": a GeoPackage without a layer of features: download or copy it again"},
		{"empty", layerSQL("a", 2154), "", nil, ": no zone in the file: download or copy it again"},
		{"no system", layerSQL("a", -1, "1, "+blob+", 'A', 'a', 1"), "", nil, ": layer a has no coordinate system: write it again from a map program in EPSG:2154"},
		{"unknown system", layerSQL("a", 27572, "1, "+blob+", 'A', 'a', 1"), "", nil, ": layer a: EPSG:27572 is not a coordinate system known here: export it again in EPSG:2154"},
		{"degrees that are metres", layerSQL("a", 4326, "1, "+blob+", 'A', 'a', 1"), "", nil, ": coordinates 862050, 6270050 are not degrees: the file declares CRS84, they look like EPSG:2154 (Lambert-93): write the layer again from a map program with the right system"},
		{"geometry as text", layerSQL("a", 2154, "1, 'POLYGON EMPTY', 'A', 'a', 1"), "", nil, ": layer a: row 1: its geometry is not binary: export the layer again"},
		{"broken geometry", layerSQL("a", 2154, "1, "+blob+", 'A', 'a', 1", "2, X'4750', 'B', 'a', 1"), "", nil, ": layer a: row 2: its geometry is not in the form of a GeoPackage: export the layer again"},
		{"no table", append(layerSQL("a", 2154), "DROP TABLE a"), "", nil, ": damaged or incomplete GeoPackage ("},
	} {
		path := writePackage(t, tt.made...)
		code, err := "", error(nil)
		if tt.card != nil {
			var set *geo.ZoneSet
			if set, _, err = ReadLayer(context.Background(), path, tt.card, "zone-2024"); err == nil {
				code = set.Zones[0].Code
			}
		} else {
			var fs *Features
			if fs, err = ReadFeatures(context.Background(), path, tt.layer); err == nil {
				code = fs.Rows[0].Cell(1)
			}
		}
		if err != nil && !strings.HasPrefix(err.Error(), path+tt.want) || err == nil && code != tt.want {
			t.Errorf("%s: %q, %v, want %s", tt.name, code, err, tt.want)
		}
	}
	if _, err := ReadFeatures(context.Background(), writeFile(t, "a.gpkg", before[:len(before)/2]), ""); err == nil || !strings.Contains(err.Error(), ": damaged or incomplete GeoPackage (") {
		t.Errorf("half a file: %v", err)
	}
	if fs, err := ReadFeatures(context.Background(), writeFile(t, "a.gpkg.gz", gzipped(before)), ""); err != nil || len(fs.Rows) != 2 {
		t.Errorf("in gzip: %v", err)
	}
}

func TestPublishedGeoPackage(t *testing.T) {
	path := realFile(t, "qpv_geo/icu_marseille_qpv_grid200m.gpkg")
	set, findings, err := ReadLayer(context.Background(), path, layerCard(t, "qpv"), "qpv-2015")
	if err != nil || len(set.Zones) != 37 || len(findings) != 1 || set.EPSG != 2154 {
		t.Fatalf("qpvs: %v, findings %v", err, findings)
	}
	// The perimeters are those of the national shapefile, to the millimetre.
	all, _, err := ReadLayer(context.Background(), realFile(t, "qpv_geo/QP_METROPOLE_LB93.shp"), layerCard(t, "qpv"), "qpv-2015")
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range set.Zones {
		i, ok := all.Index(z.Code)
		if !ok || math.Abs(geo.Area(all.Zones[i].Geom)-geo.Area(z.Geom)) > 5 || all.Zones[i].Name != z.Name {
			t.Errorf("%s %s: %.1f m², unlike that of the shapefile", z.Code, z.Name, geo.Area(z.Geom))
		}
	}
	fs, err := ReadFeatures(context.Background(), path, "enriched_grid")
	if err != nil || len(fs.Rows) != 7282 {
		t.Fatalf("enriched_grid: %v", err)
	}
	people, err := fs.Numbers("num_people")
	ids, column, err2 := fs.IDs("")
	sum := 0.0
	for _, p := range people {
		sum += p.V
	}
	if err != nil || err2 != nil || column != "id" || ids[0] != "CRS3035RES200mN2239000E3962600" || sum != 1016133 {
		t.Errorf("%v people, ids %s of %q, %v, %v", sum, ids[0], column, err, err2)
	}
}

func TestFeatures(t *testing.T) {
	area := polygonText(square(istresX, istresY, 100))
	ctx := context.Background()
	path := writeFile(t, "z.geojson", []byte(collection(lambert+",",
		featureText(`{"NOM":"x","CODE_IRIS":"A","pop":1.5e3,"taux":"12,5","vide":null}`, area),
		featureText(`{"CODE_IRIS":"B","pop":"1 234","taux":"ns","IRIS":"0101"}`, area),
		featureText(`{"CODE_IRIS":"C","pop":"","taux":"douze"}`, `{"type":"Point","coordinates":[862000,6270000]}`))))
	fs, err := ReadFeatures(ctx, path, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CODE_IRIS", "NOM", "pop", "taux", "vide", "IRIS"}, fs.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	ids, column, err := fs.IDs("")
	if diff := cmp.Diff([]string{"A", "B", "C"}, ids); diff != "" || column != "CODE_IRIS" || err != nil {
		t.Errorf("ids of %s, %v (-want +got):\n%s", column, err, diff)
	}
	pop, err := fs.Numbers("POP")
	if diff := cmp.Diff([]geo.Figure{{V: 1500, OK: true}, {V: 1234, OK: true}, {}}, pop); diff != "" || err != nil {
		t.Errorf("pop: %v (-want +got):\n%s", err, diff)
	}
	if n := len(fs.Rows[2].Points); n != 1 || fs.Rows[0].Geom == nil {
		t.Errorf("%d points, %v", n, fs.Rows[0].Geom)
	}
	for name, want := range map[string]string{
		"taux":     `: row 3: taux: "douze" is not a number: correct the cell, or empty it`,
		"code_iri": `: no column "code_iri": the nearest are "CODE_IRIS", `,
		"NOM":      `: row 1: NOM: "x" is not a number: correct the cell, or empty it`,
		"CODE_IRIS": `: row 1: CODE_IRIS: "A" is not a number, nor is any cell of this column: ` +
			`name a column of figures`,
	} {
		if _, err := fs.Numbers(name); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if _, _, err := fs.IDs("IRIS"); err == nil || !strings.Contains(err.Error(), "row 1: IRIS: empty: ") || !strings.Contains(err.Error(), "row 3: IRIS: empty: ") {
		t.Errorf("ids in a column with holes: %v", err)
	}

	// The cells of a shapefile: text in its charset, numbers in any form.
	shape := shp(5, shpRecord(5, reversed(square(istresX, istresY, 100))), shpRecord(5, reversed(square(istresX, istresY, 100))))
	table := dbfFile(0x57, [2]string{"A", "Pr\xe9paou"}, [2]string{"A", "1.25000000000e+002"})
	path = writeShapefile(t, map[string][]byte{".shp": shape, ".dbf": table, ".prj": []byte(prj)})
	if fs, err = ReadFeatures(ctx, path, ""); err != nil {
		t.Fatal(err)
	}
	if got := fs.Rows[0].Cell(1) + " " + fs.Rows[1].Cell(1); got != "Prépaou 1.25000000000e+002" {
		t.Error(got) // a column of text stays as it is
	}
	if _, _, err := fs.IDs(""); err == nil || err.Error() != path+`: row 2: CODE: "A" is that of row 1 already: unite the two zones, or name another column` {
		t.Errorf("the same code twice: %v", err)
	}
	table[32+32+11] = 'F' // the second column is now of numbers
	path = writeShapefile(t, map[string][]byte{".shp": shape, ".dbf": table, ".prj": []byte(prj)})
	if fs, err = ReadFeatures(ctx, path, ""); err != nil || fs.Rows[1].Cell(1) != "125" {
		t.Errorf("a number with an exponent: %v", err)
	}

	points := shp(1, append([]byte{1, 0, 0, 0}, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(istresX)), math.Float64bits(istresY))...))
	path = writeShapefile(t, map[string][]byte{".shp": points, ".dbf": dbfFile(0, [2]string{"A", "a"}), ".prj": []byte(prj)})
	if fs, err = ReadFeatures(ctx, path, ""); err != nil || len(fs.Rows[0].Points) != 1 || fs.Rows[0].Points[0] != (orb.Point{istresX, istresY}) {
		t.Errorf("a shapefile of points: %v, %+v", err, fs)
	}
	if _, _, err := ReadLayer(ctx, path, cardZones, "zone-2024"); err == nil || !strings.HasSuffix(err.Error(), "a shapefile of points: zones need polygons") {
		t.Errorf("points as a layer: %v", err)
	}
	for text, want := range map[string]string{
		collection(lambert+",", featureText(`{"id":1}`, `{"type":"LineString","coordinates":[[1,2],[3,4]]}`)): ": row 1: a geometry of type LineString: a zone needs a polygon",
		collection(lambert+",", featureText(`{"id":1}`, `{"type":"Point","coordinates":["a"]}`)):              ": row 1: the coordinates of this Point are not lists of points: export the layer again as GeoJSON",
		collection(lambert + ","): ": no zone in the file: download or copy it again",
	} {
		path := writeFile(t, "z.geojson", []byte(text))
		if _, err := ReadFeatures(ctx, path, ""); err == nil || err.Error() != path+want {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := ReadFeatures(ctx, path, "couche"); err == nil || err.Error() != path+`: it holds one layer only: leave out "couche"` {
			t.Errorf("a layer of a GeoJSON file: %v", err)
		}
	}
}
