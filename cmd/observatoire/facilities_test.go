package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replaceIn replaces a text that stands once in a file.
func replaceIn(t *testing.T, path, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("%s: %q is not there once", filepath.Base(path), old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, replacement, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withFacilities is the bundled project with other facilities, given as files and as the list under facilities.
func withFacilities(t *testing.T, config string, files map[string]string) string {
	t.Helper()
	dir := demoProject(t)
	replaceIn(t, filepath.Join(dir, projectFile), "  - {file: contours/equipements.geojson, code: id, name: nom, theme: theme}", config)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDemoFacilities(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	const want = `couche,code,nom,theme,equipements
qpv-2015,QP013061,Le Prépaou,centre social,1
qpv-2015,QP013061,Le Prépaou,école,1
quartier_vecu_100m-2015,QP013061,Le Prépaou – à 100 m,centre social,1
quartier_vecu_100m-2015,QP013061,Le Prépaou – à 100 m,gymnase,1
quartier_vecu_100m-2015,QP013061,Le Prépaou – à 100 m,école,1
quartier_vecu_300m-2015,QP013061,Le Prépaou – à 300 m,centre social,1
quartier_vecu_300m-2015,QP013061,Le Prépaou – à 300 m,crèche,1
quartier_vecu_300m-2015,QP013061,Le Prépaou – à 300 m,gymnase,1
quartier_vecu_300m-2015,QP013061,Le Prépaou – à 300 m,école,1
quartier_vecu_500m-2015,QP013061,Le Prépaou – à 500 m,centre social,1
quartier_vecu_500m-2015,QP013061,Le Prépaou – à 500 m,crèche,1
quartier_vecu_500m-2015,QP013061,Le Prépaou – à 500 m,gymnase,1
quartier_vecu_500m-2015,QP013061,Le Prépaou – à 500 m,maison de santé,1
quartier_vecu_500m-2015,QP013061,Le Prépaou – à 500 m,école,1
`
	got := must(t, "-C", dir, "facilities", "--zone", "QP013061", "--format", "csv")
	if diff := cmp.Diff(want, strings.ReplaceAll(got, "\r\n", "\n")); diff != "" {
		t.Errorf("counts around Le Prépaou (-want +got)\n%s", diff)
	}
	const table = `couche    zone                    thème          équipements
qpv-2015  Le Prépaou (QP013061)   centre social  1
                                  école          1
          La Carraire (QP013062)  école          1
          La Maille (QP013063)    centre social  1
                                  école          1
Contours schématiques, dessinés pour la démonstration.
`
	if diff := cmp.Diff(table, must(t, "-C", dir, "equipements", "--layer", "qpv")); diff != "" {
		t.Errorf("table (-want +got)\n%s", diff)
	}
	list := must(t, "-C", dir, "facilities", "--list", "--layer", "qpv", "--format", "csv")
	if header, rest, _ := strings.Cut(list, "\r\n"); header != "code,nom,theme,x,y,epsg,zones,source" || strings.Count(rest, "\r\n") != 5 {
		t.Errorf("list: %s", list)
	}
	var listed []struct {
		Code, Theme string
		Zones       []struct{ Couche, Nom string }
	}
	if err := json.Unmarshal([]byte(must(t, "-C", dir, "facilities", "--list", "--theme", "médiathèque", "--format", "json")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 1 || listed[0].Code != "DEMO-11" || len(listed[0].Zones) != 3 || listed[0].Zones[2].Nom != "Centre Miramas" {
		t.Errorf("the médiathèque: %+v", listed)
	}
	for _, args := range [][]string{{"--zone", "GRANS"}, {"--layer", "zus"}, {"--theme", "piscine"}, {"--format", "xml"}, {"--zone", "QP013061", "--layer", "iris"}} {
		if code, _, errs := cli(t, append([]string{"-C", dir, "facilities"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
}

// Facilities as the BPE gives them: a table, codes for themes, no code of their own.
func TestFacilitiesOfATable(t *testing.T) {
	const bpe = "AN;DEPCOM;TYPEQU;LAMBERT_X;LAMBERT_Y\r\n" +
		"2023;13047;C107;859300,5;6271350\r\n" + // in Le Prépaou
		"2023;13047;F101;;\r\n" + // no coordinates
		"2023;13055;C107;893000;6247000\r\n" + // elsewhere
		"2023;97411;C107;340000;7690000\r\n" + // in the projection of La Réunion
		"2023;13047;D108;859310;6271360"
	const degrees = "titre\n\nlon,lat,quoi\n4.97055,43.52364,crèche\n"
	dir := withFacilities(t, `  - {file: bpe.csv, theme: TYPEQU, x: LAMBERT_X, y: LAMBERT_Y, themes: {C: enseignement, C107: école maternelle}}
  - {file: degres.csv, theme: Quoi, x: lon, y: lat, crs: "EPSG:4326"}`, map[string]string{"bpe.csv": bpe, "degres.csv": degrees})
	code, _, errs := cli(t, "-C", dir, "run", "--publish", "--by", "test")
	if code != exitDone || !strings.Contains(errs, "facilities: 2 of the territory, of 5 in bpe.csv") {
		t.Fatalf("run: exit %d\n%s", code, errs)
	}
	got := must(t, "-C", dir, "facilities", "--list", "--format", "csv", "--layer", "commune")
	place := regexp.MustCompile(`,\d+\.?\d*,\d+\.?\d*,2154,.*`)
	want := []string{"code,nom,theme,x,y,epsg,zones,source", "bpe-2,,école maternelle", "bpe-6,,D108", "degres-4,,crèche", ""}
	var lines []string
	for line := range strings.SplitSeq(got, "\r\n") {
		lines = append(lines, place.ReplaceAllString(line, ""))
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got)\n%s\n%s", diff, got)
	}
	if !strings.Contains(got, ",859300.5,6271350,2154,") {
		t.Errorf("coordinates already in the legal projection moved: %s", got)
	}
	if review := must(t, "-C", dir, "review"); !strings.Contains(review, "équipements sans coordonnées : 1 sur 5 (lignes 3)") {
		t.Errorf("review does not tell of the row without coordinates: %s", review)
	}
}

func TestFacilitiesRefused(t *testing.T) {
	point := func(props, geometry string) string {
		return `{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}, "features": [
{"type": "Feature", "properties": {"id": "1", "theme": "école"}, "geometry": {"type": "Point", "coordinates": [859300, 6271350]}},
{"type": "Feature", "properties": ` + props + `, "geometry": ` + geometry + `}]}`
	}
	const vector, table = "  - {file: f.geojson, code: id, theme: theme}", "  - {file: f.csv, code: id, theme: t, x: x, y: y}"
	const here = `{"type": "Point", "coordinates": [859310, 6271350]}`
	for _, tt := range []struct{ name, config, text, want string }{
		{"code twice", vector, point(`{"id": "1", "theme": "école"}`, here), `f.geojson:2: id: "1" is the code of f.geojson:1 already`},
		{"no code", vector, point(`{"id": "", "theme": "école"}`, here), "f.geojson:2: id: empty: give the facility a code"},
		{"no theme", vector, point(`{"id": "2", "theme": null}`, here), "f.geojson:2: theme: empty: say what this facility is"},
		{"area", vector, point(`{"id": "2", "theme": "école"}`, `{"type": "Polygon", "coordinates": [[[859300, 6271350], [859400, 6271350], [859400, 6271450], [859300, 6271350]]]}`),
			"f.geojson:2: géométrie: an area: a facility is a point"},
		{"two points", vector, point(`{"id": "2", "theme": "école"}`, `{"type": "MultiPoint", "coordinates": [[859300, 6271350], [859400, 6271350]]}`), "f.geojson:2: géométrie: 2 points"},
		{"no column", "  - {file: f.geojson, code: id, theme: genre}", point(`{"id": "2", "theme": "école"}`, here), `no column "genre": the nearest are`},
		{"not a number", table, "id,t,x,y\n1,école,859300,6271350\n2,école,12a,6271350\n3,école,,6271350\n", `f.csv:3: x: "12a" is not a number`},
		{"every bad cell", table, "id,t,x,y\n1,école,859300,6271350\n2,école,12a,6271350\n3,école,,6271350\n", "f.csv:4: x: empty although the other coordinate is there"},
		{"degrees", table, "id,t,x,y\n1,école,4.97,43.5\n", "f.csv:2: x: 4.97, 43.5 are degrees, whereas the coordinates are read as EPSG:2154 (Lambert-93): say their system under crs"},
		{"metres", "  - {file: f.csv, theme: t, x: x, y: y, crs: EPSG:4326}", "id,t,x,y\n1,école,859300,6271350\n", "f.csv:2: x: 859300, 6271350 are not degrees"},
		{"swapped", table, "id,t,x,y\n1,école,6271350,859300\n", "f.csv:2: x: the two coordinates are swapped"},
		{"zero", table, "id,t,x,y\n1,école,0,0\n", "f.csv:2: x: coordinates 0, 0"},
		{"no header", table, "id,t,est,nord\n1,école,6271350,859300\n", `f.csv:1: no column "x" (x): the file has "id", "t", "est", "nord"`},
		{"empty file", table, "\n\n", "f.csv"},
		{"no file", "  - {file: rien.csv, theme: t, x: x, y: y}", "", "facilities[0]: "},
		{"config", "  - {code: id, x: a, crs: EPSG:1, layer: b}", "", "facilities[0]: file: missing"},
		{"config theme", "  - {code: id, x: a, crs: EPSG:1, layer: b}", "", "facilities[0]: theme: missing"},
		{"config x", "  - {code: id, x: a, crs: EPSG:1, layer: b}", "", "facilities[0]: x and y go together"},
		{"config crs", "  - {code: id, x: a, crs: EPSG:1, layer: b}", "", "facilities[0]: crs: EPSG:1 is not"},
		{"unknown key", "  - {file: f.csv, theme: t, themme: a}", "", "themme"},
	} {
		dir := withFacilities(t, tt.config, map[string]string{"f.geojson": tt.text, "f.csv": tt.text})
		code, _, errs := cli(t, "-C", dir, "run")
		if code != exitRefused || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit %d, no %q in\n%s", tt.name, code, tt.want, errs)
		}
	}
}
