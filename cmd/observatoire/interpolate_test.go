package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// drawn writes a GeoJSON file in Lambert-93 of rows such as `{"id":"a"} 2 3 1 1`: properties, then a rectangle's
// south-west corner, width and height in km from a place in Istres. More rectangles make a MultiPolygon.
func drawn(t *testing.T, name string, rows ...string) string {
	t.Helper()
	var features []string
	for _, row := range rows {
		properties, numbers, _ := strings.Cut(row, "} ")
		var v []float64
		for _, n := range strings.Fields(numbers) {
			f, err := strconv.ParseFloat(n, 64)
			if err != nil {
				t.Fatal(err)
			}
			v = append(v, 1000*f)
		}
		var polygons []string
		for ; len(v) >= 4; v = v[4:] {
			x, y := 862000+v[0], 6270000+v[1]
			polygons = append(polygons, fmt.Sprintf("[[[%f,%f],[%f,%f],[%f,%f],[%f,%f],[%f,%f]]]", x, y, x+v[2], y, x+v[2], y+v[3], x, y+v[3], x, y))
		}
		geometry := fmt.Sprintf(`{"type":"MultiPolygon","coordinates":[%s]}`, strings.Join(polygons, ","))
		if len(v) == 2 {
			geometry = fmt.Sprintf(`{"type":"Point","coordinates":[%f,%f]}`, 862000+v[0], 6270000+v[1])
		}
		features = append(features, fmt.Sprintf(`{"type":"Feature","properties":%s},"geometry":%s}`, properties, geometry))
	}
	path := filepath.Join(t.TempDir(), name)
	text := `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"features":[` + strings.Join(features, ",") + "]}"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInterpolate(t *testing.T) {
	source := drawn(t, "sources.geojson", `{"id":"a","pop":1,"taux":1,"num":1,"den":1,"trou":null} 2 3 1 1`, `{"id":"b","pop":2,"taux":2,"num":1,"den":9,"trou":5} 2 4 1 1`)
	over := drawn(t, "cibles.geojson", `{"code":"T1"} 2 3 1 2`, `{"code":"T0"} 8 8 1 1`)
	aside := drawn(t, "cibles.geojson", `{"code":"T1"} 1.5 2.5 1 2`)
	whole := drawn(t, "sources.geojson", `{"id":"a","pop":20} 0 0 2 2`)
	cut := drawn(t, "cibles.geojson", `{"id":"cellule"} 0 0 1 1`, `{"id":"reste"} 1 0 1 2 0 1 1 1`)
	weights := drawn(t, "poids.geojson", `{"ind":9} 0 0 1 1`, `{"ind":1} 1 0 1 2 0 1 1 1`)
	points := drawn(t, "adresses.geojson", `{"ind":"5"} 0.5 0.5`, `{"ind":"4"} 0.2 0.9`, `{"ind":"1"} 1.5 1.5`, `{"ind":"7"} 5 5`)
	deciles := drawn(t, "revenus.geojson", `{"id":"a","d1":1,"d2":2,"d3":3,"d4":4,"d5":5,"d6":6,"d7":7,"d8":8,"d9":9,"p":10} 2 3 1 1`,
		`{"id":"b","d1":10,"d2":20,"d3":30,"d4":40,"d5":50,"d6":60,"d7":70,"d8":80,"d9":90,"p":0} 2 4 1 1`)
	tests := []struct {
		name string
		args []string
		want string
		says string // part of what stderr says
	}{
		{"over both", []string{"--source", source, "--target", over, "--extensive", "pop", "--intensive", "taux"},
			"code,pop,taux,couverture\nT1,3,1.5,1\nT0,,,0\n", "pop: 3 in the sources, 3 carried, 0 in no target; 0 of 2 sources without a figure; 1 of 2 targets empty\n"},
		{"aside, total", []string{"--source", source, "--target", aside, "--extensive", "pop", "--intensive", "taux", "--weights", "total"},
			"code,pop,taux,couverture\nT1,1,1.333333333,0.375\n", "pop: 3 in the sources, 1 carried, 2 in no target; "},
		{"aside, sum", []string{"--source", source, "--target", aside, "--extensive", "pop"},
			"code,pop,couverture\nT1,3,0.375\n", "2 sources that the targets cover in part were carried whole"},
		{"ratio", []string{"--source", source, "--target", over, "--ratio", "num/den", "--ratio", "part=num/den"},
			"code,num/den,part,couverture\nT1,0.2,0.2,1\nT0,,,0\n", ""},
		{"missing", []string{"--source", source, "--target", over, "--extensive", "pop,trou"},
			"code,pop,trou,couverture\nT1,3,5,0.5\nT0,,,0\n", "trou: 5 in the sources, 5 carried, 0 in no target; 1 of 2 sources without a figure; "},
		{"weights of areas", []string{"--source", whole, "--target", cut, "--extensive", "pop", "--weight-layer", weights + ":ind"},
			"id,pop,couverture\ncellule,18,1\nreste,2,1\n", ""},
		{"weights of points", []string{"--source", whole, "--target", cut, "--extensive", "pop", "--weights", "total", "--weight-layer", points + ":ind"},
			"id,pop,couverture\ncellule,18,1\nreste,2,1\n", ""},
		{"median", []string{"--source", deciles, "--target", over, "--median", "d1,d2,d3,d4,d5,d6,d7,d8,d9:p"},
			"code,mediane,couverture\nT1,5,1\nT0,,0\n", ""},
		{"other ids", []string{"--source", source, "--target", over, "--target-id", "CODE", "--source-id", "pop", "--extensive", "POP"},
			"code,pop,couverture\nT1,3,1\nT0,,0\n", ""},
	}
	for _, tt := range tests {
		code, stdout, stderr := cli(t, append([]string{"interpolate"}, tt.args...)...)
		if code != exitDone || stdout != tt.want || !strings.Contains(stderr, tt.says) {
			t.Errorf("%s: exit %d\n%s\nwant\n%s\nstderr, which should say %q:\n%s", tt.name, code, stdout, tt.want, tt.says, stderr)
		}
	}
}

func TestInterpolateFiles(t *testing.T) {
	source := drawn(t, "sources.geojson", `{"id":"a","pop":4} 2 3 1 1`)
	target := drawn(t, "cibles.geojson", `{"code":"T1"} 2 3 1 2`, `{"code":"T0"} 8 8 1 1`)
	dir := t.TempDir()
	args := []string{"interpoler", "--source", source, "--target", target, "--extensive", "pop", "-o"}
	for _, name := range []string{"r.csv", "r.geojson"} {
		if out := must(t, append(args, filepath.Join(dir, name))...); out != "" {
			t.Errorf("%s: on the standard output: %s", name, out)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "r.csv")); err != nil || string(b) != "code,pop,couverture\nT1,4,0.5\nT0,,0\n" {
		t.Errorf("%v\n%s", err, b)
	}
	b, err := os.ReadFile(filepath.Join(dir, "r.geojson"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Features []struct {
			Properties map[string]any
			Geometry   struct{ Coordinates [][][][2]float64 }
		}
	}
	if err := json.Unmarshal(b, &got); err != nil || len(got.Features) != 2 {
		t.Fatalf("%v\n%s", err, b)
	}
	first := got.Features[0]
	if p := first.Properties; p["code"] != "T1" || p["pop"] != 4.0 || p["couverture"] != 0.5 || got.Features[1].Properties["pop"] != nil {
		t.Errorf("%v", got.Features)
	}
	if p := first.Geometry.Coordinates[0][0][0]; math.Abs(p[0]-5.03) > 0.1 || math.Abs(p[1]-43.5) > 0.1 {
		t.Errorf("not in degrees near Istres: %v", p)
	}
}

func TestInterpolateRefuses(t *testing.T) {
	source := drawn(t, "sources.geojson", `{"id":"a","pop":1,"nom":"x","taux":"1"} 2 3 1 1`, `{"id":"b","pop":2,"nom":"y","taux":"un"} 2 4 1 1`)
	target := drawn(t, "cibles.geojson", `{"code":"T1"} 2 3 1 2`)
	points := drawn(t, "points.geojson", `{"id":"a","pop":1} 2 3`)
	twice := drawn(t, "doubles.geojson", `{"id":"a","pop":1} 2 3 1 1`, `{"id":"a","pop":1} 2 4 1 1`)
	nameless := drawn(t, "anonymes.geojson", `{"pop":1} 2 3 1 1`)
	falling := drawn(t, "revenus.geojson", `{"id":"a","d1":1,"d2":2,"d3":3,"d4":4,"d5":5,"d6":6,"d7":7,"d8":8,"d9":7,"p":10} 2 3 1 1`)
	negative := drawn(t, "poids.geojson", `{"ind":-1} 2 3 1 1`)
	rewrite := func(path, old, new string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.WriteFile(out, []byte(strings.ReplaceAll(string(b), old, new)), 0o644); err != nil {
			t.Fatal(err)
		}
		return out
	}
	mercator := rewrite(rewrite(target, "2154", "3857"), "6270000", "5370000")
	lines := rewrite(points, `"Point","coordinates":[864000.000000,6273000.000000]`, `"LineString","coordinates":[[864000,6273000],[864100,6273000]]`)
	degrees := filepath.Join(t.TempDir(), "degres.geojson")
	if err := os.WriteFile(degrees, []byte(`{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"a","pop":1},"geometry":{"type":"Polygon","coordinates":[[[5,43],[5.1,43],[5.1,43.1],[5,43]]]}}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	lambert := func(f string) []string { return []string{"--source", f, "--target", target, "--extensive", "pop"} }
	tests := []struct {
		name string
		args []string
		exit int
		want string
	}{
		{"degrees", lambert(degrees), exitRefused, degrees + ": coordinates in degrees (CRS84), of which areas cannot be made: export it in a projection, EPSG:2154 in metropolitan France"},
		{"points", lambert(points), exitRefused, points + ": row 1: points, not an area: a zone needs a polygon; points may be given as --weight-layer"},
		{"lines", lambert(lines), exitRefused, lines + ": row 1: a geometry of type LineString: a zone needs a polygon"},
		{"two systems", []string{"--source", source, "--target", mercator, "--extensive", "pop"}, exitRefused,
			source + " is in EPSG:2154 (Lambert-93), " + mercator + " in EPSG:3857 (Web Mercator): export one of them again in the system of the other"},
		{"weights in another system", append(lambert(source), "--weight-layer", mercator+":code"), exitRefused, mercator + " is in EPSG:3857 (Web Mercator), " + source + " in EPSG:2154 (Lambert-93)"},
		{"text", []string{"--source", source, "--target", target, "--extensive", "nom,taux"}, exitRefused,
			source + `: row 1: nom: "x" is not a number, nor is any cell of this column: name a column of figures` + "\n" + source + `: row 2: taux: "un" is not a number: correct the cell, or empty it`},
		{"unknown column", []string{"--source", source, "--target", target, "--ratio", "pop/popu"}, exitRefused, source + `: no column "popu": the nearest are "pop", `},
		{"twice the same id", lambert(twice), exitRefused, twice + `: row 2: id: "a" is that of row 1 already: unite the two zones, or name another column (--source-id names the column)`},
		{"no id", lambert(nameless), exitRefused, nameless + `: no column of codes among "pop": name it (--source-id names the column)`},
		{"no file", lambert("rien.geojson"), exitRefused, "rien.geojson: no such file"},
		{"deciles", []string{"--source", falling, "--target", target, "--median", "d1,d2,d3,d4,d5,d6,d7,d8,d9:p"}, exitRefused, falling + ": row 1 (a): d9 is below d8: give the nine deciles in order, or empty the row"},
		{"negative weight", append(lambert(source), "--weight-layer", negative+":ind"), exitRefused, negative + ": row 1: ind: -1 is negative"},

		{"no files", []string{"--extensive", "pop"}, exitUsage, "--source and --target: name the two files"},
		{"no columns", []string{"--source", source, "--target", target}, exitUsage, "nothing to carry: name columns with --extensive, --intensive, --ratio or --median"},
		{"weights", append(lambert(source), "--weights", "mean"), exitUsage, "--weights mean: sum or total"},
		{"output", append(lambert(source), "-o", "r.xlsx"), exitUsage, "-o r.xlsx: a .csv or .geojson file"},
		{"ratio", []string{"--source", source, "--target", target, "--ratio", "pop"}, exitUsage, "--ratio pop: two columns as NUMERATOR/DENOMINATOR"},
		{"median", []string{"--source", source, "--target", target, "--median", "pop:pop"}, exitUsage, "--median pop:pop: nine columns and that of the persons, as D1,…,D9:WEIGHT"},
		{"twice the same column", append(lambert(source), "--intensive", "POP"), exitUsage, `two columns of the result are named "pop"`},
		{"weight layer without column", append(lambert(source), "--weight-layer", source), exitUsage, "--weight-layer " + source + ": say which column holds the weights, as FILE:COLUMN"},
	}
	for _, tt := range tests {
		code, stdout, stderr := cli(t, append([]string{"interpolate"}, tt.args...)...)
		if code != tt.exit || stdout != "" || !strings.Contains(stderr, "error: "+tt.want) {
			t.Errorf("%s: exit %d, want %d\n%s%s\nwant %s", tt.name, code, tt.exit, stdout, stderr, tt.want)
		}
	}
}

// TestInterpolateReal carries the residents of Marseille's 200 m squares to its quarters: each keeps its code, and
// what they take and what they leave make the whole.
func TestInterpolateReal(t *testing.T) {
	root := os.Getenv("OBSERVATOIRE_REAL")
	if root == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	file := filepath.Join(root, "qpv_geo", "icu_marseille_qpv_grid200m.gpkg")
	code, stdout, stderr := cli(t, "interpolate", "--source", file+":enriched_grid", "--target", file+":qpvs",
		"--extensive", "num_people", "--intensive", "mean_std_living", "--weights", "total")
	if code != exitDone {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 38 || strings.Join(rows[0], " ") != "CODE_QP num_people mean_std_living couverture" {
		t.Fatalf("%v\n%s", err, stdout)
	}
	carried := 0.0
	for _, r := range rows[1:] {
		people, err1 := strconv.ParseFloat(r[1], 64)
		living, err2 := strconv.ParseFloat(r[2], 64)
		coverage, err3 := strconv.ParseFloat(r[3], 64)
		if err1 != nil || err2 != nil || err3 != nil || !strings.HasPrefix(r[0], "QP0130") || people <= 0 || living < 10000 || living > 30000 || coverage <= 0.5 || coverage > 1 {
			t.Errorf("%v", r)
		}
		carried += people
	}
	var total, said, outside float64
	at := strings.Index(stderr, "num_people: ")
	if _, err := fmt.Sscanf(stderr[max(at, 0):], "num_people: %f in the sources, %f carried, %f in no target", &total, &said, &outside); err != nil ||
		total != 1016133 || math.Abs(said-carried) > 1e-3 || math.Abs(carried+outside-total) > 1e-3 {
		t.Errorf("%v: %f carried\n%s", err, carried, stderr)
	}

	// Back from the quarters to themselves by the squares' residents, every one of them comes back.
	code, stdout, stderr = cli(t, "interpolate", "--source", file+":cities", "--target", file+":cities", "--target-id", "INSEE_COM",
		"--extensive", "POPULATION", "--weight-layer", file+":enriched_grid:num_people", "--weights", "total")
	if code != exitDone || !strings.Contains(stdout, "\n13055,870731,1\n") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestInterpolateAnEmptyColumn(t *testing.T) {
	source := drawn(t, "sources.geojson", `{"id":"a","pop":1,"vide":null} 2 3 1 1`, `{"id":"b","pop":2,"vide":""} 2 4 1 1`)
	target := drawn(t, "cibles.geojson", `{"code":"T1"} 2 3 1 2`)
	code, out, errs := cli(t, "interpolate", "--source", source, "--target", target, "--extensive", "pop,vide")
	if want := "warning: " + source + ": vide: no figure in any of its 2 rows: the result has none either"; code != exitDone || !strings.Contains(errs, want) || strings.Contains(errs, ": pop: no figure") {
		t.Errorf("exit %d\n%s\nwant %s", code, errs, want)
	}
	if rows := readCSV(t, out); len(rows) != 1 || rows[0]["pop"] != "3" || rows[0]["vide"] != "" {
		t.Errorf("carried:\n%s", out)
	}
}
