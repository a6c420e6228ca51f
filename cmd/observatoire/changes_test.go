package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb/geojson"
)

// changedProject is the demonstration with invented perimeters: no file of the zones of 1996 nor of the quarters of
// 2024 is at hand. With people, invented dwellings say where they live.
func changedProject(t *testing.T, people bool) string {
	t.Helper()
	dir := demoProject(t)
	layer := func(file string, features ...string) {
		text := `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"features":[` + strings.Join(features, ",") + "]}"
		if err := os.WriteFile(filepath.Join(dir, "contours", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Metres from a corner in Istres.
	const x, y = 859000, 6271000
	zone := func(code, name string, x0, y0, x1, y1 int) string {
		return fmt.Sprintf(`{"type":"Feature","properties":{"code":%q,"nom":%q,"commune":"13047"},"geometry":{"type":"Polygon","coordinates":[[[%[3]d,%[4]d],[%[5]d,%[4]d],[%[5]d,%[6]d],[%[3]d,%[6]d],[%[3]d,%[4]d]]]}}`,
			code, name, x+x0, y+y0, x+x1, y+y1)
	}
	dwelling := func(persons, x0, y0 int) string {
		return fmt.Sprintf(`{"type":"Feature","properties":{"code":"%d-%d","personnes":%d},"geometry":{"type":"Point","coordinates":[%d,%d]}}`, x0, y0, persons, x+x0, y+y0)
	}
	layer("zus-1996.geojson", zone("Z1", "Les Pins", 0, 0, 200, 200), zone("Z2", "La Gare", 600, 0, 700, 100), zone("Z3", "Le Port", 0, 500, 100, 600))
	layer("qpv-2024.geojson", zone("N1", "Les Pins Nord", 0, 100, 100, 300), zone("N2", "Les Pins Sud", 100, 0, 300, 100),
		zone("N3", "Le Moulin", 1000, 0, 1100, 200), zone("N4", "Le Port", 0, 500, 100, 600))
	layer("logements.geojson", dwelling(40, 50, 150), dwelling(30, 50, 50), dwelling(20, 150, 50), dwelling(10, 250, 50), dwelling(5, 650, 50), dwelling(7, 1050, 50))
	path := filepath.Join(dir, projectFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	added := `layers:
  - {card: demo-contours, level: zus, vintage: 1996, file: contours/zus-1996.geojson, title: "Périmètres inventés"}
  - {card: demo-contours, level: qpv, vintage: 2024, file: contours/qpv-2024.geojson, title: "Périmètres inventés"}
`
	if people {
		added += "  - {level: logement, vintage: 2024, file: contours/logements.geojson}\n"
	}
	text := strings.NewReplacer("layers:\n", added, "{from: qpv, buffer_m: [100, 300, 500], clip: true}", "{from: qpv-2015, buffer_m: [100]}").Replace(string(b))
	if people {
		text += "weights: {layer: logement-2024, variable: personnes}\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	return dir
}

func TestChanges(t *testing.T) {
	dir := changedProject(t, true)
	pieces := filepath.Join(t.TempDir(), "pieces.geojson")
	text := must(t, "-C", dir, "changes", "--from", "zus", "--to", "qpv-2024", "--format", "csv", "-o", pieces)
	want := `couche_de,code_de,nom_de,couche_vers,code_vers,nom_vers,conserve_m2,sorti_m2,entre_m2,jaccard,conserve_pop,sorti_pop,entre_pop,note
zus-1996,Z1,Les Pins,qpv-2024,N1,Les Pins Nord,10000.00,20000.00,10000.00,0.200000,40.00,30.00,0.00,
zus-1996,Z1,Les Pins,qpv-2024,N2,Les Pins Sud,10000.00,20000.00,10000.00,0.200000,20.00,30.00,10.00,
zus-1996,Z2,La Gare,qpv-2024,,,0.00,10000.00,,0.000000,0.00,5.00,,
zus-1996,Z3,Le Port,qpv-2024,N4,Le Port,10000.00,0.00,0.00,1.000000,,,,
zus-1996,,,qpv-2024,N3,Le Moulin,0.00,,20000.00,0.000000,0.00,,7.00,
zus-1996,,,qpv-2024,,,30000.00,30000.00,40000.00,0.300000,60.00,35.00,17.00,"ensemble, population partielle"
`
	if diff := cmp.Diff(want, strings.ReplaceAll(text, "\r\n", "\n")); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
	table := must(t, "-C", dir, "evolutions", "--from", "zus-1996", "--to", "qpv-2024")
	if diff := cmp.Diff(golden(t, "testdata/changes.txt", table), table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	var rows []struct {
		Code     string   `json:"code_de"`
		Entre    *float64 `json:"entre_m2"`
		SortiPop *float64 `json:"sorti_pop"`
	}
	if err := json.Unmarshal([]byte(must(t, "-C", dir, "changes", "--from", "zus", "--to", "qpv-2024", "--format", "json")), &rows); err != nil ||
		len(rows) != 6 || rows[2].Entre != nil || *rows[2].SortiPop != 5 || rows[3].SortiPop != nil || *rows[3].Entre != 0 {
		t.Errorf("JSON: %v, %+v", err, rows)
	}

	b, err := os.ReadFile(pieces)
	if err != nil {
		t.Fatal(err)
	}
	fc, err := geojson.UnmarshalFeatureCollection(b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fc.Features {
		p := f.Properties
		got = append(got, fmt.Sprintf("%s %s>%s %.0f", p["evolution"], p["code_de"], p["code_vers"], p["aire_m2"]))
		if c := f.Geometry.Bound().Center(); c[0] < 4.9 || c[0] > 5.1 || c[1] < 43.4 || c[1] > 43.6 {
			t.Errorf("%v: at %v, not in degrees at Istres", p, c)
		}
	}
	if diff := cmp.Diff([]string{"conservé Z1>N1 10000", "conservé Z1>N2 10000", "sorti Z1> 20000", "sorti Z2> 10000", "conservé Z3>N4 10000",
		"entré >N1 10000", "entré >N2 10000", "entré >N3 20000"}, got); diff != "" {
		t.Errorf("pieces (-want +got):\n%s", diff)
	}
}

func TestChangesWithoutPeople(t *testing.T) {
	dir := changedProject(t, false)
	table := must(t, "-C", dir, "changes", "--from", "qpv", "--to", "qpv")
	if !strings.HasPrefix(table, "QPV-2015") || strings.Contains(table, "\nQPV-2024") || strings.Contains(table, "hab.") || !strings.Contains(table, "schématiques") {
		t.Errorf("from a level to itself, without weights:\n%s", table)
	}
	// A buffer keeps the whole quarter, and adds the ring around it.
	area := map[string]float64{}
	for _, row := range readCSV(t, must(t, "-C", dir, "overlaps", "--from", "qpv-2015", "--to", "quartier_vecu_100m", "--format", "csv")) {
		inverse, err := strconv.ParseFloat(row["part_vers"], 64)
		if err != nil {
			t.Fatal(err)
		}
		area[row["code_de"]] = inverse
	}
	n := 0
	for _, row := range readCSV(t, must(t, "-C", dir, "changes", "--from", "qpv-2015", "--to", "quartier_vecu_100m", "--format", "csv")) {
		if row["conserve_pop"]+row["sorti_pop"]+row["entre_pop"] != "" {
			t.Errorf("people without weights: %v", row)
		}
		if row["code_de"] == "" {
			continue
		}
		n++
		jaccard, err := strconv.ParseFloat(row["jaccard"], 64)
		if err != nil || row["code_de"] != row["code_vers"] || row["sorti_m2"] != "0.00" || math.Abs(jaccard-area[row["code_de"]]) > 1e-6 {
			t.Errorf("%v: its buffer holds it, with %g of the buffer's area", row, area[row["code_de"]])
		}
	}
	if n != 3 {
		t.Errorf("%d quarters, not 3", n)
	}
	// The quarters of the two kinds have no ground in common.
	for _, row := range readCSV(t, must(t, "-C", dir, "changes", "--from", "qpv-2015", "--to", "veille", "--format", "csv")) {
		if row["conserve_m2"] != "0.00" || row["code_de"] != "" && row["code_vers"] != "" {
			t.Errorf("in common: %v", row)
		}
	}

	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--from and --to"},
		{[]string{"--from", "qpv", "--to", "qpv-1900"}, `no layer or level "qpv-1900"`},
		{[]string{"--from", "veille", "--to", "veille"}, "two different layers"},
		{[]string{"--from", "qpv", "--to", "veille", "--format", "xml"}, "--format xml"},
		{[]string{"--from", "qpv", "--to", "veille", "-o", "pieces.csv"}, "-o pieces.csv"},
	} {
		code, _, errs := cli(t, append([]string{"-C", dir, "changes"}, tt.args...)...)
		if code != exitUsage || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: exit %d, %q, want %q", tt.args, code, errs, tt.want)
		}
	}
}

// On the real contours, what each quarter shares with the IRIS and what it does not make its area.
func TestRealChanges(t *testing.T) {
	if os.Getenv("OBSERVATOIRE_REAL") == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	dir := realRun(t)
	kept, left := map[string]float64{}, map[string]float64{}
	zones := 0
	for _, row := range readCSV(t, must(t, "-C", dir, "changes", "--from", "qpv-2015", "--to", "iris", "--format", "csv")) {
		if row["code_de"] == "" {
			continue
		}
		key := row["code_de"] + " " + row["couche_vers"]
		if _, ok := kept[key]; !ok {
			zones++
		}
		k, err1 := strconv.ParseFloat(row["conserve_m2"], 64)
		l, err2 := strconv.ParseFloat(row["sorti_m2"], 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("%v", row)
		}
		kept[key] += k
		left[key] = l
	}
	// Areas of the oracle: Le Prépaou, La Carraire, La Maille.
	for code, want := range map[string]float64{"QP013061": 172639, "QP013062": 171865, "QP013063": 266800} {
		found := false
		for key := range kept {
			if strings.HasPrefix(key, code+" ") {
				found = true
				if got := kept[key] + left[key]; math.Abs(got-want) > 1 {
					t.Errorf("%s: kept and left make %.1f m², want %.0f", key, got, want)
				}
			}
		}
		if !found {
			t.Errorf("%s: not in the result, of %d zones", code, zones)
		}
	}
}
