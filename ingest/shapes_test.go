package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"observatoire/geo"
)

var cardZones = &Card{ID: "zones", Kind: "layer", Title: "Zones dessinées", Code: []string{"code"}, Name: []string{"nom"}}

// layerCard reads a card of the catalogue, by the name of its file.
func layerCard(t *testing.T, file string) *Card {
	t.Helper()
	name := filepath.Join("..", "data", "catalogue", "layers", file+".yaml")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := LoadCard(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLayerCards gives each published name to the card that is meant for it.
func TestLayerCards(t *testing.T) {
	for file, names := range map[string][]string{
		"contours-iris":    {"CONTOURS-IRIS.shp", "CONTOURS-IRIS_2-1__SHP_LAMB93_FXX-2020.shp", "iris_13_contours_iris_2016.geojson.gz", "iris_13_contours_iris_2013_lb93.geojson.gz", "iris_13_older_multirow_lb93.geojson.gz"},
		"qpv":              {"QP_METROPOLE_LB93.shp", "QP_METROPOLEOUTREMER_WGS84_EPSG4326.shp", "QN2024_FRANCE.geojson"},
		"communes":         {"COMMUNE.shp", "COMMUNE_CARTO.shp", "communes_13_osm_lb93.geojson.gz", "communes_13_adminexpress2018_simplified.geojson"},
		"epci-composition": {"EPCI_2020.csv.gz", "EPCI_leading_zero_lost.csv.gz"},
		"zones":            nil,
	} {
		c := layerCard(t, file)
		if c.Title == "" || c.Licence == "" || c.Caption == "" {
			t.Errorf("%s: %+v", file, c)
		}
		for _, n := range names {
			if _, ok := c.edition(n); !ok {
				t.Errorf("%s does not match %s", c.ID, n)
			}
		}
	}
	if year, _ := layerCard(t, "epci-composition").edition("EPCI_2020.csv.gz"); year != 2020 {
		t.Errorf("EPCI_2020: edition %d", year)
	}
}

func TestPublishedLayers(t *testing.T) {
	tests := []struct {
		file             string
		card             string
		layer            geo.Layer
		epsg             int
		zones            int
		mended, repeated int
		code             string // one of the zones
		want             geo.Zone
		area             float64 // m², that of the zone as the README of the files or another program gives it
	}{
		{"iris_geo/iris_13_contours_iris_2016.geojson.gz", "contours-iris", "iris-2016", 2154, 840, 0, 0, "130470107",
			geo.Zone{Name: "Le Prepaou", Commune: "13047", Type: "H"}, 0},
		{"iris_geo/iris_13_contours_iris_2013_lb93.geojson.gz", "contours-iris", "iris-2013", 2154, 840, 0, 0, "130470115",
			geo.Zone{Name: "PREPAOU 2", Commune: "13047", Type: "H"}, 0},
		{"iris_geo/iris_13_older_multirow_lb93.geojson.gz", "contours-iris", "iris-2012", 2154, 834, 0, 74, "130010101",
			geo.Zone{Name: "MAZARIN", Commune: "13001", Type: "H"}, 0},
		{"qpv_geo/QP_METROPOLE_LB93.shp", "qpv", "qpv-2015", 2154, 1296, 25, 0, "QP013061", geo.Zone{Name: "Le Prépaou"}, 172639},
		{"qpv_geo/QP_METROPOLE_LB93.shp", "qpv", "qpv-2015", 2154, 1296, 25, 0, "QP084012", geo.Zone{Name: ""}, 447161.23},
		{"qpv_geo/QP_METROPOLEOUTREMER_WGS84_EPSG4326.shp", "qpv", "qpv-2015", 2154, 1296, 25, 0, "QP013063", geo.Zone{Name: "La Maille"}, 266800},
		{"qpv_geo/QP_LAREUNION_RGR92_UTM40S.shp", "qpv", "qpv-2015", 2975, 49, 2, 0, "QP974001", geo.Zone{Name: "Le Gol"}, 0},
		{"admin/communes_13_osm_lb93.geojson.gz", "communes", "commune-2019", 2154, 119, 0, 0, "13047", geo.Zone{Name: "Istres", Commune: "13047"}, 0},
		{"admin/communes_13_adminexpress2018_simplified.geojson", "communes", "commune-2018", 2154, 119, 0, 0, "13063", geo.Zone{Name: "Miramas", Commune: "13063"}, 0},
	}
	for _, tt := range tests {
		set, findings, err := ReadLayer(context.Background(), realFile(t, tt.file), layerCard(t, tt.card), tt.layer)
		if err != nil {
			t.Error(err)
			continue
		}
		kinds := map[string]int{}
		for _, f := range findings {
			kinds[f.Kind]++
		}
		if len(set.Zones) != tt.zones || set.EPSG != tt.epsg || kinds["geometrie"] != tt.mended || kinds["doublon"] != tt.repeated {
			t.Errorf("%s: %d zones in EPSG:%d, findings %v", tt.file, len(set.Zones), set.EPSG, kinds)
		}
		if !slices.IsSortedFunc(set.Zones, func(a, b geo.Zone) int { return strings.Compare(a.Code, b.Code) }) {
			t.Errorf("%s: not ordered", tt.file)
		}
		for i := range set.Zones {
			if z := &set.Zones[i]; z.Code == "" || len(z.Geom) == 0 || !geo.Prepare(z.Geom).SelfConsistent() {
				t.Errorf("%s: zone %q is not valid", tt.file, z.Code)
			}
		}
		i, ok := set.Index(tt.code)
		if !ok {
			t.Errorf("%s: no %s", tt.file, tt.code)
			continue
		}
		z := set.Zones[i]
		if tt.want.Name == "" {
			z.Name = ""
		}
		if area := geo.Area(z.Geom); tt.area != 0 && math.Abs(area-tt.area) > 1 {
			t.Errorf("%s: %s has %.1f m², want %.1f", tt.file, tt.code, area, tt.area)
		}
		if z.Box != geo.Box(z.Geom) {
			t.Errorf("%s: %s: box %v", tt.file, tt.code, z.Box)
		}
		z.Code, z.Geom, z.Box = "", nil, orb.Bound{}
		if diff := cmp.Diff(tt.want, z); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", tt.file, tt.code, diff)
		}
		if tt.layer == "qpv-2015" && tt.epsg == 2154 && strings.Contains(tt.file, "WGS84") {
			if f := findings[0]; f.Kind != "projection" || !strings.HasPrefix(f.Message, "218 zones") {
				t.Errorf("%s: %+v", tt.file, f)
			}
		}
	}
}

// square is a ring of 100 m, its south-west corner at x, y, counter-clockwise.
func square(x, y, side float64) orb.Ring {
	return orb.Ring{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}}
}

func reversed(r orb.Ring) orb.Ring {
	r = slices.Clone(r)
	slices.Reverse(r)
	return r
}

// A place near Istres, in Lambert-93.
const istresX, istresY = 862000.0, 6270000.0

func ringText(r orb.Ring) string {
	var b strings.Builder
	for i, p := range r {
		fmt.Fprintf(&b, "%s[%v, %v,7]", strings.Repeat(",\n", min(i, 1)), p[0], p[1])
	}
	return "[" + b.String() + "]"
}

func featureText(properties, geometry string) string {
	return fmt.Sprintf(`{"type":"Feature","properties":%s,"geometry":%s}`, properties, geometry)
}

func polygonText(rings ...orb.Ring) string {
	var parts []string
	for _, r := range rings {
		parts = append(parts, ringText(r))
	}
	return `{"type":"Polygon","coordinates":[` + strings.Join(parts, ",") + `]}`
}

const lambert = `"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}}`

func collection(members string, features ...string) string {
	return fmt.Sprintf(`{"features":[%s],%s"type":"FeatureCollection"}`, strings.Join(features, ",\n"), members)
}

func TestGeoJSON(t *testing.T) {
	bowTie := orb.Ring{{istresX, istresY}, {istresX + 100, istresY + 100}, {istresX + 100, istresY}, {istresX, istresY + 100}, {istresX, istresY}}
	text := collection(lambert+",",
		featureText(`{"CODE":" B ","nom de\n la zone":"Le Prépaou","autre":null}`, polygonText(square(istresX, istresY, 100), reversed(square(istresX+20, istresY+20, 10)))),
		featureText(`{"CODE":1004.0,"nom de\n la zone":null}`, "null"),
		featureText(`{"CODE":"B","nom de\n la zone":"autre"}`, polygonText(square(istresX+100, istresY, 100))),
		featureText(`{"CODE":"A","nom de\n la zone":"Saint-\ufffdtienne"}`,
			`{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]},`+polygonText(bowTie)+`]}`),
		featureText(`{"CODE":"B"}`, polygonText(square(istresX+150, istresY, 100))),
		featureText(`{"CODE":"C","nom de\n la zone":"vide"}`, `{"type":"MultiPolygon","coordinates":[]}`))
	card := &Card{ID: "zones", Title: "Zones", Code: []string{"id", "code"}, Name: []string{"nom de la zone"}, Width: 5}
	for name, data := range map[string][]byte{"zones.geojson": []byte(bom + text), "zones.json.gz": gzipped([]byte(text))} {
		set, findings, err := ReadLayer(context.Background(), writeFile(t, name, data), card, "zone-2024")
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, z := range set.Zones {
			got = append(got, fmt.Sprintf("%s|%s|%.0f", z.Code, z.Name, geo.Area(z.Geom)))
		}
		want := []string{"01004||0", "A|Saint-\uFFFDtienne|5000", "B|Le Prépaou|24900", "C|vide|0"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		got = nil
		for _, f := range findings {
			got = append(got, fmt.Sprintf("%s %s %d: %s", f.Kind, f.Code, f.Row, f.Message))
		}
		want = []string{
			"geometrie A 4: Les points et les lignes mêlés au contour ont été laissés de côté.",
			"geometrie 01004 2: Aucun contour dans le fichier : la zone n'est connue que par son code.",
			"geometrie A 4: Contour invalide réparé (auto-intersection) : 0,0\u00a0m² avant, 5\u202f000,0\u00a0m² après.",
			"texte A 4: Nom altéré avant publication du fichier : « Saint-\uFFFDtienne ».",
			"doublon B 1: Code présent sur 3 lignes (1, 3, 5), réunies : 24\u202f900,0\u00a0m², dont 5\u202f000,0\u00a0m² en double retirés.",
			"geometrie C 6: Aucun contour dans le fichier : la zone n'est connue que par son code.",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s", name, diff)
		}
		if set.EPSG != 2154 || set.Title != "Zones, géographie au 01/01/2024" || set.Source != "zones/"+name {
			t.Errorf("%s: %+v", name, set)
		}
	}
}

const prj = `PROJCS["RGF93_Lambert_93",GEOGCS["GCS_RGF_1993",DATUM["D_RGF_1993",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic"],PARAMETER["False_Easting",700000.0],PARAMETER["False_Northing",6600000.0],PARAMETER["Central_Meridian",3.0],PARAMETER["Standard_Parallel_1",44.0],PARAMETER["Standard_Parallel_2",49.0],PARAMETER["Latitude_Of_Origin",46.5],UNIT["Meter",1.0]]`

// shpRecord is the content of a record: a polygon of the kind 5, 15 or 25, or a null shape.
func shpRecord(kind uint32, rings ...orb.Ring) []byte {
	b := binary.LittleEndian.AppendUint32(nil, kind)
	if kind == 0 {
		return b
	}
	b = append(b, make([]byte, 32)...)
	points := 0
	for _, r := range rings {
		points += len(r)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rings)))
	b = binary.LittleEndian.AppendUint32(b, uint32(points))
	n := 0
	for _, r := range rings {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
		n += len(r)
	}
	for _, r := range rings {
		for _, p := range r {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p[0]))
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p[1]))
		}
	}
	if kind != 5 { // heights or measures
		b = append(b, make([]byte, 16+8*points)...)
	}
	return b
}

func shp(kind uint32, records ...[]byte) []byte {
	var body []byte
	for i, r := range records {
		body = binary.BigEndian.AppendUint32(body, uint32(i+1))
		body = binary.BigEndian.AppendUint32(body, uint32(len(r)/2))
		body = append(body, r...)
	}
	head := make([]byte, 100)
	binary.BigEndian.PutUint32(head, 9994)
	binary.BigEndian.PutUint32(head[24:], uint32(100+len(body))/2)
	binary.LittleEndian.PutUint32(head[28:], 1000)
	binary.LittleEndian.PutUint32(head[32:], kind)
	return append(head, body...)
}

// dbfFile has the columns CODE, of 8 characters, and NOM, of 254. A row that begins with * is deleted.
func dbfFile(languageByte byte, rows ...[2]string) []byte {
	head := make([]byte, 32)
	head[0], head[29] = 3, languageByte
	binary.LittleEndian.PutUint32(head[4:], uint32(len(rows)))
	binary.LittleEndian.PutUint16(head[8:], 32+2*32+1)
	binary.LittleEndian.PutUint16(head[10:], 1+8+254)
	column := func(name string, size byte) {
		c := make([]byte, 32)
		copy(c, name)
		c[11], c[16] = 'C', size
		head = append(head, c...)
	}
	column("CODE", 8)
	column("NOM", 254)
	b := bytes.NewBuffer(append(head, '\r'))
	for _, r := range rows {
		mark := " "
		if strings.HasPrefix(r[0], "*") {
			mark, r[0] = "*", r[0][1:]
		}
		fmt.Fprintf(b, "%s%s%s%s%s", mark, r[0], strings.Repeat(" ", 8-len(r[0])), r[1], strings.Repeat(" ", 254-len(r[1])))
	}
	return append(b.Bytes(), 0x1A)
}

// writeShapefile writes the files of a shapefile, given by their extensions, and returns the path of the .shp.
func writeShapefile(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for ext, data := range files {
		if err := os.WriteFile(filepath.Join(dir, "zones"+ext), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "zones.shp")
}

func TestShapefile(t *testing.T) {
	at := func(dx, side float64) orb.Ring { return reversed(square(istresX+dx, istresY+dx, side)) } // clockwise, as shells are
	shapes := [][]byte{
		// Two shells, an island in a hole and two holes, in any order.
		shpRecord(5, reversed(at(30, 10)), at(0, 100), at(200, 50), reversed(at(10, 50)), reversed(at(210, 10)), at(35, 2)),
		shpRecord(0), shpRecord(5, at(500, 10)), shpRecord(15, reversed(at(600, 20)), at(605, 5)), shpRecord(25, reversed(at(700, 30)))}
	rows := func(name string) [][2]string {
		return [][2]string{{"A", name}, {"B", "sans contour"}, {"*C", "supprimée"}, {"D", "à l'envers"}, {"E", ""}}
	}
	latin := func(rows [][2]string) [][2]string {
		for i := range rows {
			rows[i][1] = strings.NewReplacer("é", "\xe9", "à", "\xe0").Replace(rows[i][1])
		}
		return rows
	}
	base := map[string][]byte{".shp": shp(5, shapes...), ".prj": []byte(prj)}
	tests := []struct {
		name string
		add  map[string][]byte
	}{
		{"language byte", map[string][]byte{".dbf": dbfFile(0x57, latin(rows("Prépaou"))...)}},
		{"neither, Windows-1252", map[string][]byte{".DBF": dbfFile(0, latin(rows("Prépaou"))...)}},
		{"neither, UTF-8", map[string][]byte{".dbf": dbfFile(0, rows("Prépaou")...)}},
		{"cpg UTF-8 over the language byte", map[string][]byte{".dbf": dbfFile(0x57, rows("Prépaou")...), ".CPG": []byte("utf-8\r\n")}},
		{"cpg 1252", map[string][]byte{".dbf": dbfFile(0, latin(rows("Prépaou"))...), ".cpg": []byte("ANSI 1252")}},
		{"gzip", map[string][]byte{".dbf.gz": gzipped(dbfFile(0x57, latin(rows("Prépaou"))...)), ".shp": gzipped(shp(5, shapes...))}},
	}
	for _, tt := range tests {
		files := map[string][]byte{}
		for _, m := range []map[string][]byte{base, tt.add} {
			for k, v := range m {
				files[k] = v
			}
		}
		set, _, err := ReadLayer(context.Background(), writeShapefile(t, files), cardZones, "zone-2024")
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []string
		for _, z := range set.Zones {
			holes := 0
			for _, p := range z.Geom {
				holes += len(p) - 1
			}
			got = append(got, fmt.Sprintf("%s|%s|%.0f m²|%d polygons, %d holes", z.Code, z.Name, geo.Area(z.Geom), len(z.Geom), holes))
		}
		// The hole in the hole adds nothing: the region is that of the larger one. The island in it is kept.
		want := []string{"A|Prépaou|9904 m²|3 polygons, 2 holes", "B|sans contour|0 m²|0 polygons, 0 holes",
			"D|à l'envers|375 m²|1 polygons, 1 holes", "E||900 m²|1 polygons, 0 holes"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestBadLayers(t *testing.T) {
	good := featureText(`{"code":"A"}`, polygonText(square(istresX, istresY, 100)))
	whole := collection(lambert+",", good, good)
	shape := shp(5, shpRecord(5, reversed(square(istresX, istresY, 100))))
	table := dbfFile(0, [2]string{"A", "x"})
	degrees := collection("", featureText(`{"code":"A"}`, polygonText(square(istresX, istresY, 100))))
	tests := []struct {
		name  string // of the file; a shapefile when it ends in .shp
		data  string
		files map[string][]byte
		card  *Card
		want  string // part of the error, after the name of the file
	}{
		{"cut.geojson", whole[:len(whole)/2], nil, nil, ": after row 1: damaged or incomplete GeoJSON (it breaks off): download or copy it again"},
		{"tail.geojson", whole[:len(whole)-1], nil, nil, ": after row 2: damaged or incomplete GeoJSON (it breaks off): download or copy it again"},
		{"syntax.geojson", strings.Replace(whole, "[[[", "[[[[[}", 1), nil, nil, ": after row 0: damaged or incomplete GeoJSON (invalid character '}'"},
		{"glued.geojson", whole + whole, nil, nil, ": more text after the end of the collection ({): two files were glued together; keep one"},
		{"cut.geojson.gz", string(gzipped([]byte(whole))[:100]), nil, nil, ": damaged or incomplete gzip (it breaks off): download or copy it again"},
		{"none.geojson", collection(lambert + ","), nil, nil, ": no zone in the file: download or copy it again"},
		{"object.geojson", `{"error":"not found"}`, nil, nil, `: JSON of type "", not a GeoJSON FeatureCollection: export the layer as GeoJSON`},
		{"list.geojson", `[1]`, nil, nil, ": a list of JSON values, not a layer: write it as a GeoJSON FeatureCollection"},
		{"topo.geojson", `{"type":"Topology","arcs":[]}`, nil, nil, ": a TopoJSON without objects: export the layer again"},
		{"code.geojson", strings.ReplaceAll(whole, `"code"`, `"numéro"`), nil, nil, `: no column of codes (code): it has "numéro"; add the right one under code in the card zones`},
		{"row.geojson", collection(lambert+",", good, strings.Replace(good, `"A"`, `" "`, 1)), nil, nil, ": row 2: no code: give the zone one, or remove the row"},
		{"metres.geojson", degrees, nil, nil, ": coordinates 862050, 6270050 are not degrees: the file declares CRS84, they look like EPSG:2154 (Lambert-93): correct the crs member, or write the file again from a map program with the right system"},
		{"degrees.geojson", collection(lambert+",", featureText(`{"code":"A"}`, polygonText(square(5, 43.5, 0.01)))), nil, nil,
			": coordinates 5.0050, 43.5050 are not metres: the file declares EPSG:2154 (Lambert-93), they look like CRS84 (degrees): "},
		{"swapped.geojson", collection("", featureText(`{"code":"A"}`, polygonText(square(43.5, 5, 0.01)))), nil, nil, ": coordinates 43.5050, 5.0050 have latitude before longitude: the file declares CRS84: "},
		{"abroad.geojson", collection("", featureText(`{"code":"A"}`, polygonText(square(-74, 40, 0.01)))), nil, nil, ": no French legal projection covers longitude -73.995, latitude 40.0"},
		{"crs.geojson", strings.Replace(whole, "2154", "27572", 1), nil, nil, ": crs: EPSG:27572 is not a coordinate system known here: export the layer again in EPSG:2154"},
		{"card.geojson", collection("", good), nil, &Card{ID: "zones", Code: []string{"code"}, CRS: "Lambert"}, `: crs of the card zones: "Lambert" is not a name of coordinate system known here: write it as EPSG:2154`},
		{"point.geojson", collection(lambert+",", featureText(`{"code":"A"}`, `{"type":"Point","coordinates":[1,2]}`)), nil, nil, ": row 1: a geometry of type Point: a zone needs a polygon"},
		{"flat.geojson", collection(lambert+",", featureText(`{"code":"A"}`, `{"type":"Polygon","coordinates":[1,2]}`)), nil, nil, ": row 1: the coordinates of this Polygon are not lists of points: export the layer again as GeoJSON"},
		{"text.geojson", strings.Replace(whole, "862000", `"862000"`, 1), nil, nil, ": row 1: the coordinates of this Polygon are not lists of points: "},
		{"latin.geojson", strings.Replace(whole, `"A"`, "\"\xe9\"", 1), nil, nil, ": row 1: not UTF-8, which GeoJSON is: save the file as UTF-8"},
		{"nothing.geojson", collection(lambert+",", featureText(`{"code":"A"}`, "null")), nil, nil, ": no zone has a geometry: download or copy the file again"},
		{"page.geojson", "<!DOCTYPE html>", nil, nil, ": not a layer: this is a web page: the download failed or asked to sign in; download the file itself"},
		{"table.csv", "code;x;y\nA;1;2\n", nil, nil, ": this is a table, not a layer: it needs a card of kind table"},
		{"layer.zip", "PK\x03\x04", nil, nil, ": damaged or incomplete workbook or archive: download or copy it again"},

		{"zones.shp", "", map[string][]byte{".shp": shape[:len(shape)-20], ".dbf": table, ".prj": []byte(prj)}, nil, ".shp: incomplete: 216 bytes, where its header says 236; copy the .shp again"},
		{"zones.shp", "", map[string][]byte{".shp": gzipped(shape[:len(shape)-20]), ".dbf": table, ".prj": []byte(prj)}, nil, ".shp: record 1: damaged or incomplete (it breaks off): copy the .shp again"},
		{"zones.shp", "", map[string][]byte{".shp": shape[:60], ".dbf": table, ".prj": []byte(prj)}, nil, ".shp: record 0: damaged or incomplete (it breaks off): copy the .shp again"},
		{"zones.shp", "", map[string][]byte{".shp": nil, ".dbf": table, ".prj": []byte(prj)}, nil, ".shp: the file is empty: copy the .shp again"},
		{"zones.shp", "", map[string][]byte{".shp": []byte("hello"), ".dbf": table, ".prj": []byte(prj)}, nil, ".shp: not a shapefile, whatever its name: copy the .shp again"},
		{"zones.shp", "", map[string][]byte{".shp": shp(3), ".dbf": table, ".prj": []byte(prj)}, nil, ".shp: a shapefile of lines: zones need polygons"},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".prj": []byte(prj)}, nil, ".shp: no .dbf beside it, so its zones have no codes: copy the .dbf too"},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".dbf": table}, nil, ".shp: no .prj beside it, so its coordinate system is not known: copy the .prj too, or say crs: EPSG:2154 in the card"},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".dbf": table, ".prj": []byte(`PROJCS["Lambert`)}, nil, ".prj: "},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".dbf": table[:150], ".prj": []byte(prj)}, nil, ".dbf: damaged or incomplete (150 bytes, where its header says 360): copy the .dbf again"},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".dbf": dbfFile(0), ".prj": []byte(prj)}, nil, ".dbf: 0 rows, fewer than the shapes of the .shp: copy both files again"},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".dbf": dbfFile(0, [2]string{"A"}, [2]string{"B"}), ".prj": []byte(prj)}, nil, ".dbf: 1 rows more than shapes in the .shp: copy both files again"},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".dbf": dbfFile(0, [2]string{"A", "\xe9"}), ".prj": []byte(prj), ".cpg": []byte("UTF-8")}, nil,
			".dbf: row 1: not UTF-8, which its .cpg declares: write 1252 in the .cpg, or export the layer again"},
		{"zones.shp", "", map[string][]byte{".shp": shape, ".dbf": table, ".prj": []byte(prj), ".cpg": []byte("EBCDIC")}, nil, `.cpg: unknown encoding "EBCDIC": write UTF-8 or 1252 in it, whichever is true`},
		{"zones.shp", "", map[string][]byte{".shp": shp(5, shpRecord(5, square(5, 43, 0.1))), ".dbf": table, ".prj": []byte(prj)}, nil,
			".shp: coordinates 5.0500, 43.0500 are not metres: the file declares EPSG:2154 (Lambert-93), they look like CRS84 (degrees): put the right .prj beside the .shp"},
	}
	for _, tt := range tests {
		card := tt.card
		if card == nil {
			card = cardZones
		}
		var path, stem string
		if tt.files != nil {
			path = writeShapefile(t, tt.files)
			stem = strings.TrimSuffix(path, ".shp")
		} else {
			path = writeFile(t, tt.name, []byte(tt.data))
			stem = path
		}
		set, _, err := ReadLayer(context.Background(), path, card, "zone-2024")
		if err == nil {
			t.Errorf("%s: no error, %d zones, want %s", tt.name, len(set.Zones), tt.want)
		} else if got := err.Error(); !strings.HasPrefix(got, stem+tt.want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n got %s\nwant %s%s", tt.name, got, stem, tt.want)
		}
	}
}

func TestComposition(t *testing.T) {
	card := &Card{ID: "epci", Key: []string{"EPCI"}, Commune: []string{"CODGEO", "COM"}, Name: []string{"LIBEPCI"}, Width: 5, Drop: []string{"ZZZZZZZZZ"}}
	path := writeFile(t, "epci.csv", []byte("Composition des EPCI\n\nCOM;LIBGEO;EPCI;LIBEPCI\n13047;Istres;241300177;SAN\n1001;L'Abergement;200069193;CC\n\n13029;Fos;241300177;SAN\n13047;Istres;241300177;SAN\n22016;Bréhat;ZZZZZZZZZ;Sans objet\n"))
	members, names, err := ReadComposition(path, card)
	if diff := cmp.Diff(map[string][]string{"241300177": {"13029", "13047"}, "200069193": {"01001"}}, members); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(map[string]string{"241300177": "SAN", "200069193": "CC"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"CODGEO;EPCI\n13047;1\n13047;2\n": ":3: CODGEO: the commune 13047 is in 2 here and in 1 on line 2: keep one",
		"CODGEO;EPCI\n;1\n":               ":2: CODGEO: empty code: fill it in, or remove the row",
		"commune;zone\n13047;1\n":         ": no header with a column of zones (EPCI) and one of communes (CODGEO, COM): add their names under key and commune in the card epci",
		"CODGEO;EPCI\n":                   ": no commune after the header: download or copy the file again",
	} {
		path := writeFile(t, "epci.csv", []byte(text))
		if _, _, err := ReadComposition(path, card); err == nil || err.Error() != path+want {
			t.Errorf("%v, want %s%s", err, path, want)
		}
	}
}

func TestPublishedCompositions(t *testing.T) {
	card := layerCard(t, "epci-composition")
	for file, want := range map[string]int{"admin/EPCI_2020.csv.gz": 34964, "admin/EPCI_leading_zero_lost.csv.gz": 34961} {
		members, names, err := ReadComposition(realFile(t, file), card)
		if err != nil {
			t.Error(err)
			continue
		}
		n := 0
		for _, m := range members {
			for _, code := range m {
				if n++; len(code) != 5 {
					t.Errorf("%s: commune %q", file, code)
				}
			}
		}
		metropole := members["200054807"]
		if n != want || len(metropole) != 92 || !slices.Contains(metropole, "13047") || !strings.Contains(names["200054807"], "Aix-Marseille") {
			t.Errorf("%s: %d communes, %d of them in %q", file, n, len(metropole), names["200054807"])
		}
	}
}

func FuzzGeoJSON(f *testing.F) {
	f.Add([]byte(collection(lambert+",", featureText(`{"code":"A"}`, polygonText(square(0, 0, 1))))))
	f.Add([]byte(collection("", featureText(`{"code":1}`, `{"type":"GeometryCollection","geometries":[{"type":"MultiPolygon","coordinates":[[[[1,2e5],[3]]]]}]}`))))
	f.Fuzz(func(t *testing.T, data []byte) {
		readGeoJSON(context.Background(), inMemory(data), "", cardZones)
	})
}

func FuzzShapefile(f *testing.F) {
	f.Add(shpRecord(5, square(0, 0, 10), reversed(square(1, 1, 2)), square(20, 0, 1)), dbfFile(0x57, [2]string{"A", "B"}))
	f.Add(shpRecord(15, square(0, 0, 1)), dbfFile(0))
	f.Fuzz(func(t *testing.T, record, table []byte) {
		mp, err := decodePolygon(record)
		points := 0
		for _, p := range mp {
			for _, r := range p {
				points += len(r)
			}
		}
		if err == nil && 16*points > len(record) {
			t.Fatalf("%d points from %d bytes", points, len(record))
		}
		d := &dbf{f: inMemory(table)}
		if d.header(cardZones) != nil {
			return
		}
		for d.left > 0 {
			if _, _, err := d.next(); err != nil {
				return
			}
		}
	})
}
