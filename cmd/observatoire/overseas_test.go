package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"observatoire/geo"
)

// overseas are places of each territory that has a legal projection of its own.
var overseas = []struct {
	name, commune string
	epsg          int
	lon, lat      float64
}{
	{"Guadeloupe", "97105", 5490, -61.73, 16.00},
	{"Martinique", "97209", 5490, -61.07, 14.60},
	{"Guyane", "97302", 2972, -52.33, 4.92},
	{"La Réunion", "97411", 2975, 55.45, -20.89},
	{"Mayotte", "97611", 4471, 45.23, -12.78},
	{"Polynésie française", "98735", 3297, -149.57, -17.55},
}

// generated writes a layer of rectangles, each given by a code, the code of its commune, its corner and its sides, in
// metres from a place in its legal projection; in degrees when the layer is of WGS 84.
func generated(t *testing.T, path, code string, wgs84 bool, zones ...rectangle) {
	t.Helper()
	var features []string
	system := ""
	for _, z := range zones {
		crs, err := geo.ByEPSG(z.epsg)
		if err != nil {
			t.Fatal(err)
		}
		x, y := crs.Forward(z.lon, z.lat)
		var ring []string
		for _, c := range [][2]float64{{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}} {
			px, py := x+z.x+c[0]*z.width, y+z.y+c[1]*z.height
			if wgs84 {
				px, py = crs.Inverse(px, py)
			}
			ring = append(ring, fmt.Sprintf("[%.9f,%.9f]", px, py))
		}
		features = append(features, fmt.Sprintf(`{"type":"Feature","properties":{%q:%q,"insee_com":%q},"geometry":{"type":"Polygon","coordinates":[[%s]]}}`,
			code, z.code, z.commune, strings.Join(ring, ",")))
		if system = fmt.Sprintf("urn:ogc:def:crs:EPSG::%d", z.epsg); wgs84 {
			system = "urn:ogc:def:crs:OGC:1.3:CRS84"
		}
	}
	text := fmt.Sprintf(`{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":%q}},"features":[%s]}`, system, strings.Join(features, ",\n"))
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

type rectangle struct {
	code, commune       string
	epsg                int
	lon, lat            float64
	x, y, width, height float64
}

// generatedPeople writes a national layer of weights in degrees: squares of 500 m, or the places at their middle.
func generatedPeople(t *testing.T, path string, grid bool, squares ...square500) {
	t.Helper()
	var features []string
	for _, s := range squares {
		crs, err := geo.ByEPSG(s.epsg)
		if err != nil {
			t.Fatal(err)
		}
		x, y := crs.Forward(s.lon, s.lat)
		at := func(dx, dy float64) string {
			lon, lat := crs.Inverse(x+s.x+dx, y+s.y+dy)
			return fmt.Sprintf("[%.9f,%.9f]", lon, lat)
		}
		geometry := `{"type":"Point","coordinates":` + at(250, 250) + "}"
		if grid {
			geometry = `{"type":"Polygon","coordinates":[[` + strings.Join([]string{at(0, 0), at(500, 0), at(500, 500), at(0, 500), at(0, 0)}, ",") + "]]}"
		}
		features = append(features, fmt.Sprintf(`{"type":"Feature","properties":{"ind":%d},"geometry":%s}`, s.persons, geometry))
	}
	text := `{"type":"FeatureCollection","features":[` + strings.Join(features, ",\n") + "]}"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

type square500 struct {
	epsg     int
	lon, lat float64
	x, y     float64 // of the corner, in metres from the place
	persons  int
}

// TestOverseas runs a project of each territory with one national file of the quarters and one of the people, in degrees:
// the contours are generated, since none overseas is at hand but the quarters themselves.
func TestOverseas(t *testing.T) {
	national := filepath.Join(t.TempDir(), "QP_METROPOLEOUTREMER_WGS84_EPSG4326.geojson")
	var quarters []rectangle
	for i := range 9 { // most quarters are in metropolitan France
		quarters = append(quarters, rectangle{fmt.Sprintf("QP01300%d", i), "13047", 2154, 4.98, 43.51, float64(i) * 2000, 0, 1000, 500})
	}
	for _, o := range overseas {
		// Half of the quarter is in each IRIS.
		quarters = append(quarters, rectangle{"QP" + o.commune[:3] + "001", o.commune, o.epsg, o.lon, o.lat, 500, 250, 1000, 500})
	}
	generated(t, national, "CODE_QP", true, quarters...)

	people := []square500{{2154, 4.98, 43.51, 0, 0, 1000}, {2154, 4.98, 43.51, 500, 0, 1000}}
	for _, o := range overseas { // beside the quarter, in its western half, in its eastern half
		people = append(people, square500{o.epsg, o.lon, o.lat, 0, 250, 20}, square500{o.epsg, o.lon, o.lat, 500, 250, 30}, square500{o.epsg, o.lon, o.lat, 1000, 250, 10})
	}

	// The population of every quarter, as published.
	population := filepath.Join(filepath.Dir(national), "pop_qp_2013.csv")
	text := "qp;nom_qp;population_municipale_2013\n"
	for _, q := range quarters {
		text += q.code + ";;1500\n"
	}
	if err := os.WriteFile(population, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}

	for _, o := range overseas {
		for _, scope := range []string{"", fmt.Sprintf("scope: {communes: [%q]}\n", o.commune)} {
			dir := t.TempDir()
			at := func(code string, x, width float64) rectangle {
				return rectangle{code, o.commune, o.epsg, o.lon, o.lat, x, 0, width, 1000}
			}
			generated(t, filepath.Join(dir, "iris.geojson"), "CODE_IRIS", false, at(o.commune+"0101", 0, 1000), at(o.commune+"0102", 1000, 1000))
			generated(t, filepath.Join(dir, "communes.geojson"), "code", false, at(o.commune, 0, 2000))
			generatedPeople(t, filepath.Join(dir, "personnes.geojson"), scope == "", people...)
			project := "title: " + o.name + "\nstore: observatoire.gpkg\n" + scope + fmt.Sprintf(`layers:
  - {card: contours-qpv, level: qpv, vintage: 2015, file: %q}
  - {level: iris, vintage: 2016, file: iris.geojson, code: CODE_IRIS}
  - {level: commune, vintage: 2018, file: communes.geojson, code: code}
  - {level: logement, vintage: 2024, file: personnes.geojson}
weights: {layer: logement-2024, variable: ind}
tables: [{card: qpv-population, file: %q}]
`, national, population)
			if err := os.WriteFile(filepath.Join(dir, "observatoire.yaml"), []byte(project), 0o666); err != nil {
				t.Fatal(err)
			}
			code, _, errs := cli(t, "-C", dir, "run", "--publish", "--by", "test")
			if code != exitDone || !strings.Contains(errs, "zones situées hors du territoire de EPSG:"+strconv.Itoa(o.epsg)) {
				t.Errorf("%s: exit %d\n%s", o.name, code, errs)
				continue
			}
			here := 0
			for _, p := range people {
				if p.epsg == o.epsg {
					here++
				}
			}
			if want := fmt.Sprintf("weights logement-2024: %d places with people from personnes.geojson; %d rows outside the territory of EPSG:%d", here, len(people)-here, o.epsg); !strings.Contains(errs, want) {
				t.Errorf("%s: no %q in\n%s", o.name, want, errs)
			}
			counted := map[string]string{}
			for _, row := range readCSV(t, must(t, "-C", dir, "changes", "--from", "qpv", "--to", "iris", "--format", "csv")) {
				counted[row["code_vers"]] = row["conserve_pop"] + " kept, " + row["entre_pop"] + " beside"
			}
			if counted[o.commune+"0101"] != "30.00 kept, 20.00 beside" || counted[o.commune+"0102"] != "10.00 kept, 0.00 beside" {
				t.Errorf("%s: persons counted as %v", o.name, counted)
			}
			rows, err := csv.NewReader(strings.NewReader(must(t, "-C", dir, "overlaps", "--from", "qpv", "--to", "iris", "--format", "csv"))).ReadAll()
			if err != nil || len(rows) != 3 {
				t.Errorf("%s: %d lines of overlaps, %v", o.name, len(rows), err)
				continue
			}
			for _, row := range rows[1:] {
				area, err := strconv.ParseFloat(row[6], 64)
				if err != nil || row[1] != "QP"+o.commune[:3]+"001" || math.Abs(area-250_000) > 1 {
					t.Errorf("%s: %v", o.name, row)
				}
			}
		}
	}
}

// TestOverseasReal has the official national file in degrees, of which only the quarters of La Réunion are kept.
func TestOverseasReal(t *testing.T) {
	root := os.Getenv("OBSERVATOIRE_REAL")
	if root == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	// In degrees, then as published in the projection of the island.
	var areas []string
	for _, file := range []string{"QP_METROPOLEOUTREMER_WGS84_EPSG4326.shp", "QP_LAREUNION_RGR92_UTM40S.shp"} {
		dir := t.TempDir()
		// One zone generated over the whole island stands for its IRIS, of which no contour is at hand.
		generated(t, filepath.Join(dir, "iris.geojson"), "CODE_IRIS", false,
			rectangle{"974110101", "97411", 2975, 55.53, -21.13, -50_000, -50_000, 100_000, 100_000})
		project := fmt.Sprintf(`title: La Réunion
store: observatoire.gpkg
layers:
  - {card: contours-qpv, level: qpv, vintage: 2015, file: %q}
  - {level: iris, vintage: 2016, file: iris.geojson, code: CODE_IRIS}
tables: [{card: qpv-population, file: %q}]
`, filepath.Join(root, "qpv_geo", file), filepath.Join(root, "qpv_kits/pop_qp_2013.csv"))
		if err := os.WriteFile(filepath.Join(dir, "observatoire.yaml"), []byte(project), 0o666); err != nil {
			t.Fatal(err)
		}
		must(t, "-C", dir, "run", "--publish", "--by", "test")
		rows, err := csv.NewReader(strings.NewReader(must(t, "-C", dir, "overlaps", "--from", "qpv", "--to", "iris", "--format", "csv"))).ReadAll()
		if err != nil || len(rows) != 50 {
			t.Fatalf("%s: %d lines of overlaps, %v", file, len(rows), err)
		}
		var list []string
		for _, row := range rows[1:] {
			area, err := strconv.ParseFloat(row[6], 64)
			if err != nil || row[7] != "1.000000" {
				t.Errorf("%s: %v, %v", file, row, err)
			}
			list = append(list, fmt.Sprintf("%s %.0f", row[1], area))
		}
		areas = append(areas, strings.Join(list, "\n"))
	}
	if areas[0] != areas[1] {
		t.Errorf("the national file gives\n%s\nand that of the island\n%s", areas[0], areas[1])
	}
}

// TestWeightsElsewhere: people of another territory than that of the layers are no weights.
func TestWeightsElsewhere(t *testing.T) {
	dir := t.TempDir()
	reunion := overseas[3]
	generated(t, filepath.Join(dir, "iris.geojson"), "CODE_IRIS", false, rectangle{reunion.commune + "0101", reunion.commune, 2975, reunion.lon, reunion.lat, 0, 0, 1000, 1000})
	generated(t, filepath.Join(dir, "qpv.geojson"), "CODE_QP", true, rectangle{"QP974001", reunion.commune, 2975, reunion.lon, reunion.lat, 500, 250, 1000, 500})
	generatedPeople(t, filepath.Join(dir, "personnes.geojson"), false, square500{2154, 4.98, 43.51, 0, 0, 1000})
	if err := os.WriteFile(filepath.Join(dir, "pop_qp_2013.csv"), []byte("qp;nom_qp;population_municipale_2013\nQP974001;;1500\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	project := `title: Ailleurs
store: observatoire.gpkg
layers:
  - {card: contours-qpv, level: qpv, vintage: 2015, file: qpv.geojson}
  - {level: iris, vintage: 2016, file: iris.geojson, code: CODE_IRIS}
  - {level: logement, vintage: 2024, file: personnes.geojson}
weights: {layer: logement-2024, variable: ind}
tables: [{card: qpv-population, file: pop_qp_2013.csv}]
`
	if err := os.WriteFile(filepath.Join(dir, "observatoire.yaml"), []byte(project), 0o666); err != nil {
		t.Fatal(err)
	}
	want := "personnes.geojson: in CRS84, none of its places is in the territory of EPSG:2975 (RGR92 UTM 40S), that of the layers: name the file of that territory"
	if code, _, errs := cli(t, "-C", dir, "run"); code != exitRefused || !strings.Contains(errs, want) {
		t.Errorf("exit %d\n%s\nwant %s", code, errs, want)
	}
}
