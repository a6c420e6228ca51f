package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"observatoire/geo"
	"observatoire/indicators"
)

// publishedDemo is a demonstration project whose edition is published.
func publishedDemo(t *testing.T) string {
	t.Helper()
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	return dir
}

// write puts a file in a folder of its own.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Places of the demonstration, in Lambert-93.
const (
	inPrepaou  = "859300;6271300"
	inCarraire = "861950;6278000"
	inMaille   = "864200;6277750"
	nowhere    = "855000;6270000"
)

// people writes a file of invented persons: n[i] rows at place[i], with the same sex and age.
func peopleFile(t testing.TB, groups ...any) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("nom;X;Y;Sexe;Âge\r\n")
	k := 0
	for i := 0; i < len(groups); i += 3 {
		for range groups[i].(int) {
			fmt.Fprintf(&b, "Personne %d;%s;%s\r\n", k, groups[i+1], groups[i+2])
			k++
		}
	}
	return write(t, "usagers.csv", b.String())
}

// counted are the counts of a CSV by "layer/code/sex/age"; a withheld one is "secret".
func counted(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, row := range readCSV(t, text) {
		v := row["effectif"]
		if row["statut"] != "disponible" {
			if v != "" {
				t.Errorf("%v: a figure although it is %s", row, row["statut"])
			}
			v = row["statut"]
		}
		out[row["couche"]+"/"+row["code"]+"/"+row["sexe"]+"/"+row["age"]] = v
	}
	return out
}

func TestLocatePoints(t *testing.T) {
	dir := publishedDemo(t)
	// Nine women of 17 to 60, twelve men; an unknown age; two rows without a place.
	file := peopleFile(t, 9, inPrepaou, "F;30", 8, inPrepaou, "H;17", 6, inCarraire, "Mme;18", 7, inCarraire, "h;24 ans",
		10, inMaille, "Femme;60", 6, inMaille, "1;59,5", 5, inMaille, "2;", 11, nowhere, "M;25", 2, ";", ";")
	code, out, errs := cli(t, "-C", dir, "locate", file, "--sex", "sexe", "--age", "âge", "--format", "csv")
	if code != exitDone {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	got := counted(t, out)
	for key, want := range map[string]string{
		"/ensemble/T/T":                   "62",
		"/ensemble/F/T":                   "30",
		"qpv-2015/QP013061/T/T":           "17",
		"qpv-2015/QP013061/F/T":           "9",
		"qpv-2015/QP013061/H/0-17":        "8",
		"qpv-2015/QP013061/F/0-17":        "0",
		"qpv-2015/QP013062/T/18-24":       "13",
		"qpv-2015/QP013063/F/60+":         "10",
		"qpv-2015/QP013063/T/25-59":       "6",
		"qpv-2015/QP013063/F/inconnu":     "5",
		"qpv-2015/hors/T/T":               "11",
		"veille-2015/VAUBAN/T/T":          "0",
		"veille-2015/CENTRE-MIRAMAS/H/T":  "0",
		"veille-2015/hors/T/T":            "62",
		"qpv-2015/QP013061/inconnu/18-24": "0",
	} {
		if got[key] != want {
			t.Errorf("%s = %q, want %s", key, got[key], want)
		}
	}
	for _, want := range []string{"64 rows, 62 located, 2 not", "sans coordonnées : 2, lignes 64-65", "EPSG:2154 (Lambert-93)", "schématiques"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr lacks %q:\n%s", want, errs)
		}
	}
	if strings.Contains(out+errs, "Personne") {
		t.Error("a person is in the output")
	}

	table := must(t, "-C", dir, "localiser", file, "--sex", "Sexe", "--age", "Âge", "--layers", "qpv")
	if diff := cmp.Diff(golden(t, "testdata/locate.txt", table), table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	var j struct {
		NonLocalises int `json:"non_localises"`
		Effectifs    []struct{ Effectif *int }
	}
	if err := json.Unmarshal([]byte(must(t, "-C", dir, "locate", file, "--format", "json")), &j); err != nil || j.NonLocalises != 2 || len(j.Effectifs) != 1+4+3*4+6 || *j.Effectifs[0].Effectif != 62 {
		t.Errorf("JSON: %v, %+v", err, j)
	}
}

// golden reads a golden file, written again first with -update.
func golden(t *testing.T, path, got string) string {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// The same places give the same counts however their coordinates are written.
func TestLocateSystems(t *testing.T) {
	dir := publishedDemo(t)
	lambert, err := geo.ByEPSG(2154)
	if err != nil {
		t.Fatal(err)
	}
	mercator, err := geo.ByEPSG(3857)
	if err != nil {
		t.Fatal(err)
	}
	lon, lat := lambert.Inverse(859300, 6271300)
	mx, my := mercator.Forward(lon, lat)
	repeat := func(header string, v ...float64) string {
		return header + strings.Repeat(fmt.Sprintf("%.7f;%.7f\n", v[0], v[1]), 6)
	}
	tests := []struct {
		name, text string
		args       []string
	}{
		{"degrees", repeat("lon;lat\n", lon, lat), nil},
		{"full names", repeat("Longitude;LATITUDE\n", lon, lat), nil},
		{"degrees called x and y", repeat("x;y\n", lon, lat), nil},
		{"latitude first", repeat("lat;lon\n", lat, lon), nil},
		{"decimal comma", strings.ReplaceAll(repeat("lon;lat\n", lon, lat), ".", ","), nil},
		{"title rows", "Usagers du service\n\n" + repeat("lon;lat\n", lon, lat), nil},
		{"named columns", repeat("a;b\n", lon, lat), []string{"--x", "a", "--y", "b"}},
		{"Lambert-93", repeat("X_L93;Y_L93\n", 859300, 6271300), nil},
		{"declared", repeat("x;y\n", 859300, 6271300), []string{"--crs", "EPSG:2154"}},
		{"web Mercator", repeat("x;y\n", mx, my), []string{"--crs", "EPSG:3857"}},
	}
	for _, tt := range tests {
		code, out, errs := cli(t, append([]string{"-C", dir, "locate", write(t, "p.csv", tt.text), "--format", "csv"}, tt.args...)...)
		if code != exitDone {
			t.Errorf("%s: exit %d\n%s", tt.name, code, errs)
			continue
		}
		if n := counted(t, out)["qpv-2015/QP013061/T/T"]; n != "6" {
			t.Errorf("%s: %s in the quarter, want 6", tt.name, n)
		}
	}
}

func TestLocateRefuses(t *testing.T) {
	dir := publishedDemo(t)
	const header = "x;y;sexe;age;naissance\n"
	line := inPrepaou + ";F;30;02/03/1990\n"
	tests := []struct {
		name, text string
		args       []string
		code       int
		want       []string // on stderr
	}{
		{"no file", "", []string{"--register", ""}, exitUsage, nil},
		{"half a pair", header + line, []string{"--x", "x"}, exitUsage, []string{"--x and --y go together"}},
		{"addresses without a BAN file", header + line, []string{"--address", "x"}, exitUsage, []string{"--address and --ban go together"}},
		{"rows without a file", header + line, []string{"--rows"}, exitUsage, []string{"--rows and -o FILE go together"}},
		{"birth without a day", header + line, []string{"--birth", "naissance"}, exitUsage, []string{"--birth and --on go together"}},
		{"bad day", header + line, []string{"--birth", "naissance", "--on", "31/12/2024"}, exitUsage, []string{"AAAA-MM-JJ"}},
		{"threshold", header + line, []string{"--threshold", "0"}, exitUsage, []string{"--threshold 0"}},
		{"system", header + line, []string{"--crs", "EPSG:99999"}, exitUsage, []string{"EPSG:99999"}},
		{"layer", header + line, []string{"--layers", "canton"}, exitUsage, []string{`no layer or level "canton"`}},
		{"no such edition", header + line, []string{"--edition", "x"}, exitFailed, []string{`no edition "x"`}},
		{"no coordinates", "a;b\n1;2\n", nil, exitRefused, []string{"p.csv:1: no columns of coordinates", `the file has "a", "b"`}},
		{"no header", "trente;859300;6271300\n", nil, exitRefused, []string{"p.csv:1: no columns of coordinates", "give the columns a header"}},
		{"no such column", header + line, []string{"--sex", "genre"}, exitRefused, []string{`p.csv:1: no column "genre" (--sex)`}},
		{"empty", "", nil, exitRefused, []string{"empty"}},
		{"swapped degrees", "lon;lat\n43.5;5.0\n", nil, exitRefused, []string{`p.csv:2: lon: latitude and longitude are swapped: the column "lon" holds latitudes`}},
		{"swapped metres", "x;y\n6271300;859300\n", nil, exitRefused, []string{`p.csv:2: x: easting and northing are swapped`}},
		{"out of range", "x;y\n859300;6271300\n859300;16271300\n", nil, exitRefused, []string{"p.csv:3: x: outside the area of EPSG:2154", "1 bad cells"}},
		{"degrees out of range", "lon;lat\n5;95\n", nil, exitRefused, []string{"p.csv:2: lat: a latitude lies between -90 and 90"}},
		{"declared otherwise", header + line, []string{"--crs", "EPSG:4326"}, exitRefused, []string{"p.csv:2: x: not degrees"}},
		{"two systems", "x;y\n859300;6271300\n5.0;43.5\n", nil, exitRefused, []string{"p.csv:3: x: degrees, whereas"}},
		{"bad cells, all of them", header + "a;6271300;Z;trente;\n859300;;F;-1;\n0;0;F;200;\n" + line, []string{"--sex", "sexe", "--age", "age"}, exitRefused,
			[]string{"p.csv:2: x: is not a number", "p.csv:2: sexe: not a sex", "p.csv:2: age: is not a number", "p.csv:3: y: empty although",
				"p.csv:3: age: not an age", "p.csv:4: x: coordinates 0, 0", "p.csv:4: age: not an age", "7 bad cells"}},
		{"dates", header + inPrepaou + ";F;;1990\n" + inPrepaou + ";F;;31/02/1990\n" + inPrepaou + ";F;;2030-01-01\n" + inPrepaou + ";F;;01/01/1850\n",
			[]string{"--birth", "naissance", "--on", "2024-12-31"}, exitRefused,
			[]string{"p.csv:2: naissance: a year alone", "p.csv:3: naissance: not a date", "p.csv:4: naissance: born after 2024-12-31", "p.csv:5: naissance: more than 120 years"}},
	}
	for _, tt := range tests {
		args := []string{"-C", dir, "locate"}
		if tt.name != "no file" {
			args = append(args, write(t, "p.csv", tt.text))
		}
		code, out, errs := cli(t, append(args, tt.args...)...)
		if code != tt.code || out != "" {
			t.Errorf("%s: exit %d, want %d; stdout %q\n%s", tt.name, code, tt.code, out, errs)
		}
		for _, want := range tt.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: stderr lacks %q:\n%s", tt.name, want, errs)
			}
		}
		for _, value := range []string{"trente", "31/02/1990"} {
			if strings.Contains(errs, value) {
				t.Errorf("%s: stderr says what somebody's cell holds:\n%s", tt.name, errs)
			}
		}
	}
}

// Ages are reckoned on the day given; a date of a workbook is the number of its day.
func TestLocateBirth(t *testing.T) {
	dir := publishedDemo(t)
	days := []string{"01/07/2006", "2006-07-02", "30.06.1999", "1/7/1964 00:00:00", "1964-07-02T00:00:00", ""}
	text := "x;y;naissance\n"
	x := excelize.NewFile()
	defer x.Close()
	put := func(row int, cells ...any) {
		if err := x.SetSheetRow("Sheet1", fmt.Sprintf("A%d", row), &cells); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "x", "y", "naissance")
	dates := []string{"2006-07-01", "2006-07-02", "1999-06-30", "1964-07-01", "1964-07-02", ""}
	for i, d := range days {
		for k := range 5 {
			text += inPrepaou + ";" + d + "\n"
			var cell any
			if day, err := time.Parse(time.DateOnly, dates[i]); err == nil {
				cell = day
			}
			put(2+5*i+k, 859300, 6271300, cell)
		}
	}
	book := filepath.Join(t.TempDir(), "usagers.xlsx")
	if err := x.SaveAs(book); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{write(t, "p.csv", text), book} {
		got := counted(t, must(t, "-C", dir, "locate", file, "--birth", "naissance", "--on", "2024-07-01", "--format", "csv"))
		for band, want := range map[string]string{"0-17": "5", "18-24": "5", "25-59": "10", "60+": "5", "inconnu": "5"} {
			if n := got["qpv-2015/QP013061/T/"+band]; n != want {
				t.Errorf("%s: %s = %s, want %s", filepath.Ext(file), band, n, want)
			}
		}
	}
}

// Rows are written only when asked, for their owner alone, without anything the file says of the persons.
func TestLocateRows(t *testing.T) {
	dir := publishedDemo(t)
	file := peopleFile(t, 1, inPrepaou, "F;30", 1, nowhere, "H;40", 1, ";", ";")
	out := filepath.Join(t.TempDir(), "lignes.csv")
	code, _, errs := cli(t, "-C", dir, "locate", file, "--rows", "-o", out)
	if code != exitDone || !strings.Contains(errs, "personal data") {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want := "ligne,statut,commune-2015,iris-2010,qpv-2015,quartier_vecu_100m-2015,quartier_vecu_300m-2015,quartier_vecu_500m-2015,veille-2015,quartier_proche,couche_proche,distance_m,rapprochement,score,adresse_trouvee,motif\r\n" +
		"2,localise,13047,13047D002,QP013061,QP013061,QP013061,QP013061,,QP013061,qpv-2015,0,,,,\r\n" +
		"3,localise,13047,13047D006,,,,,,QP013061,qpv-2015,4191,,,,\r\n" +
		"4,non_localise,,,,,,,,,,,,,,sans coordonnées\r\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if st, err := os.Stat(out); err != nil || st.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("mode %v, %v: others may read it", st.Mode(), err)
	}
	// A refused file leaves nothing behind.
	folder := t.TempDir()
	code, _, _ = cli(t, "-C", dir, "locate", write(t, "p.csv", "x;y\n859300;6271300\n0;0\n"), "--rows", "-o", filepath.Join(folder, "lignes.csv"))
	if left, _ := os.ReadDir(folder); code != exitRefused || len(left) > 0 {
		t.Errorf("exit %d, left behind: %v", code, left)
	}
}

// The streets are invented; they lie in the demonstration's quarters.
func TestLocateAddresses(t *testing.T) {
	dir := publishedDemo(t)
	lambert, err := geo.ByEPSG(2154)
	if err != nil {
		t.Fatal(err)
	}
	ban := "id;numero;rep;nom_voie;code_postal;code_insee;nom_commune;x;y;lon;lat\n"
	for i, a := range []struct {
		street, post, insee, town string
		x, y                      float64
	}{
		{"Avenue des Essais", "13800", "13047", "Istres", 859300, 6271300},
		{"Rue Inventée", "13140", "13063", "Miramas", 861950, 6278000},
		{"Rue Double", "13140", "13063", "Miramas", 864200, 6277750},
		{"Rue Double", "13800", "13047", "Istres", 859300, 6271300},
	} {
		lon, lat := lambert.Inverse(a.x, a.y)
		ban += fmt.Sprintf("%s_%04d_00012;12;;%s;%s;%s;%s;%.1f;%.1f;%.7f;%.7f\n", a.insee, i, a.street, a.post, a.insee, a.town, a.x, a.y, lon, lat)
	}
	var b strings.Builder
	b.WriteString("adresse;cp;ville\n")
	for range 6 {
		b.WriteString("12 AV DES ESSAIS;13800;ISTRES\n12, rue Inventee;13140;Miramas\n12 rue double;;\n5 rue de Nulle Part;13140;Miramas\n;13140;Miramas\n12 bd des Essais;13800;Istres\n")
	}
	file := write(t, "usagers.csv", b.String())
	out := filepath.Join(t.TempDir(), "lignes.csv")
	code, text, errs := cli(t, "-C", dir, "locate", file, "--address", "adresse,cp,ville", "--ban", write(t, "adresses-13.csv", ban),
		"--format", "csv", "--rows", "-o", out, "--layers", "qpv")
	if code != exitDone {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	got := counted(t, text)
	if got["qpv-2015/QP013061/T/T"] != "6" || got["qpv-2015/QP013062/T/T"] != "6" || got["qpv-2015/QP013063/T/T"] != "0" {
		t.Errorf("counts: %v", got)
	}
	for _, want := range []string{"36 rows, 12 located, 24 not", "numero : 12", "adresse ambiguë : plusieurs voies conviennent : 6, lignes 4, 10, 16",
		"voie introuvable : 6", "adresse vide : 6", "trop incertain (score sous 0.6) : 6"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr lacks %q:\n%s", want, errs)
		}
	}
	rows, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`2,localise,QP013061,QP013061,qpv-2015,0,numero,1.00,"12 Avenue des Essais, 13800 Istres",`, "4,non_localise,,,,,non_rapprochee,0.00,,adresse ambiguë"} {
		if !strings.Contains(string(rows), want) {
			t.Errorf("rows lack %q:\n%s", want, rows)
		}
	}
	if code, _, errs := cli(t, "-C", dir, "locate", file, "--address", "adresse", "--ban", file); code != exitRefused || !strings.Contains(errs, "not a BAN file") {
		t.Errorf("another file for the BAN: exit %d\n%s", code, errs)
	}
}

func TestLocateRegister(t *testing.T) {
	dir := demoProject(t)
	path := filepath.Join(t.TempDir(), "registre.xlsx")
	must(t, "-C", dir, "locate", "--register", path, "--threshold", "11")
	f, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("Registre des traitements")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range rows {
		all = append(all, strings.Join(r, " | "))
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"Finalité | ", "Base légale | ", "Catégories de personnes | ", "Catégories de données | ", "Destinataires | ",
		"Durée de conservation | ", "Mesures de sécurité | Seuil de diffusion : 11 personnes", "Délégué à la protection des données |  | Nom", "SAN Ouest Provence"} {
		if !strings.Contains(text, want) {
			t.Errorf("the sheet lacks %q:\n%s", want, text)
		}
	}
	if code, _, errs := cli(t, "-C", dir, "locate", "--register", path); code != exitFailed || !strings.Contains(errs, "there already") {
		t.Errorf("a sheet that is there: exit %d\n%s", code, errs)
	}
}

// A quarter under the threshold is withheld, and another with it: the ensemble would give it away.
func TestLocateWithholds(t *testing.T) {
	dir := publishedDemo(t)
	file := peopleFile(t, 3, inPrepaou, "F;30", 20, inCarraire, "F;30", 30, inMaille, "F;30", 40, nowhere, "H;30")
	got := counted(t, must(t, "-C", dir, "locate", file, "--format", "csv", "--layers", "qpv"))
	want := map[string]string{"/ensemble/T/T": "93", "qpv-2015/QP013061/T/T": "secret", "qpv-2015/QP013062/T/T": "secret",
		"qpv-2015/QP013063/T/T": "30", "qpv-2015/hors/T/T": "40"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got = counted(t, must(t, "-C", dir, "locate", file, "--format", "csv", "--layers", "qpv", "--threshold", "3"))
	if got["qpv-2015/QP013061/T/T"] != "3" {
		t.Errorf("threshold 3: %v", got)
	}
}

func zones(l geo.Layer, n int) *geo.ZoneSet {
	s := &geo.ZoneSet{Layer: l}
	for i := range n {
		s.Zones = append(s.Zones, geo.Zone{Code: strconv.Itoa(i)})
	}
	return s
}

// Whoever has all the counts that are shown, and knows which parts of zones hold people, solves linear programmes over
// them: one unknown a part, a sex and an age. No small count is narrower than from 1, or what its parts leave, to the threshold.
func TestNoLocatedCountIsBounded(t *testing.T) {
	secrets, showed := 0, 0
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(seed, 4))
		// Two generations of quarters, one nearly inside the other, and a mesh that parts them; or zones alone.
		sets := []*geo.ZoneSet{zones("iris-2016", 4), zones("qpv-2015", 2), zones("qpv-2024", 2)}
		if seed%3 == 0 {
			sets = []*geo.ZoneSet{zones("iris-2016", 12)}
		}
		o := locateOptions{threshold: 3 + int(seed%3), sex: "sexe"}
		if seed%2 == 0 {
			o.age = "age"
		}
		c := peopled(o, 10+rng.IntN(150), sets, func() ([]int, int, int) {
			sex, age := rng.IntN(3)*rng.IntN(2), rng.IntN(2)*rng.IntN(5)
			if len(sets) == 1 {
				return []int{min(rng.IntN(13), rng.IntN(13))}, sex, age
			}
			iris := rng.IntN(5) // 4: outside
			old := iris / 2     // 2: outside
			now := old
			if rng.IntN(12) == 0 {
				now = 2
			}
			if rng.IntN(30) == 0 {
				old = 2 - old/2
			}
			return []int{iris, old, now}, sex, age
		})
		cells := c.cells()
		// The leaves of each cell, found again by what the file says.
		const kinds = len(sexNames) * len(ageNames)
		leaves := make([][]int, len(cells))
		truth := make([]int, len(cells))
		parts := make([]int, len(cells)) // leaves where somebody is
		zero := make([]bool, len(c.atoms)*kinds)
		for i, x := range cells {
			region := int32(0)
			for _, l := range c.layers {
				if string(l.set.Layer) == x.Couche {
					z, err := strconv.Atoi(x.Code)
					if err != nil {
						z = len(l.set.Zones)
					}
					region = l.first + int32(z)
				}
			}
			for k := range c.atoms {
				a := &c.atoms[k]
				for s, sex := range sexNames {
					for g, age := range ageNames {
						if slices.Contains(a.regions, region) && (x.Sexe == "T" || x.Sexe == sex) && (x.Age == "T" || x.Age == age) {
							leaves[i] = append(leaves[i], k*kinds+s*len(ageNames)+g)
							truth[i] += a.tally[s][g]
							if a.tally[s][g] > 0 {
								parts[i]++
							}
						}
					}
				}
			}
			if x.Effectif != nil && *x.Effectif == 0 {
				for _, leaf := range leaves[i] {
					zero[leaf] = true
				}
			}
		}
		index, n := make([]int, len(zero)), 0
		for leaf := range zero {
			if index[leaf] = -1; !zero[leaf] {
				index[leaf] = n
				n++
			}
		}
		vector := func(i int) []float64 {
			v := make([]float64, n)
			for _, leaf := range leaves[i] {
				if index[leaf] >= 0 {
					v[index[leaf]] = 1
				}
			}
			return v
		}
		var a [][]float64
		var b []float64
		done := map[string]bool{}
		for i, x := range cells {
			if x.Effectif == nil {
				continue
			}
			showed++
			if *x.Effectif != truth[i] {
				t.Fatalf("seed %d: %+v: %d shown, and it is %d", seed, x, *x.Effectif, truth[i])
			}
			if truth[i] > 0 && truth[i] < o.threshold {
				t.Errorf("seed %d: %+v: %d is shown", seed, x, truth[i])
			}
			if key := fmt.Sprint(vector(i)); truth[i] > 0 && !done[key] {
				done[key] = true
				a, b = append(a, vector(i)), append(b, float64(truth[i]))
			}
		}
		tried := 0
		for _, i := range rng.Perm(len(cells)) {
			if cells[i].Effectif != nil || truth[i] == 0 || truth[i] >= o.threshold || tried == 12 {
				continue
			}
			tried++
			secrets++
			goal := vector(i)
			hi := maximum(a, b, goal)
			for k := range goal {
				goal[k] = -goal[k]
			}
			lo := -maximum(a, b, goal)
			if least := min(truth[i], max(1, parts[i])); hi < float64(o.threshold)-1e-4 || lo > float64(least)+1e-4 {
				t.Errorf("seed %d: %+v: %d is known to be from %g to %g, and must be open from %d to %d", seed, cells[i], truth[i], lo, hi, least, o.threshold)
			}
		}
	}
	t.Logf("%d small counts attacked, %d counts shown", secrets, showed)
	if secrets == 0 || showed == 0 {
		t.Error("nothing was tried")
	}
}

// maximum is max c·x subject to a·x = b ≥ 0 and x ≥ 0, by the simplex method in two phases with Bland's rule.
func maximum(a [][]float64, b, c []float64) float64 {
	m, n := len(a), len(c)
	rows, basis := make([][]float64, m), make([]int, m)
	for i := range a {
		rows[i] = append(append(slices.Clone(a[i]), make([]float64, m)...), b[i])
		rows[i][n+i], basis[i] = 1, n+i
	}
	pivot := func(r, k int) {
		by := rows[r][k]
		for j := range rows[r] {
			rows[r][j] /= by
		}
		for i := range rows {
			if f := rows[i][k]; i != r && f != 0 {
				for j, v := range rows[r] {
					rows[i][j] -= f * v
				}
			}
		}
		basis[r] = k
	}
	solve := func(cost []float64, width int) bool {
		for {
			enter := -1
			for j := 0; j < width && enter < 0; j++ {
				gain := cost[j]
				for i, k := range basis {
					gain -= cost[k] * rows[i][j]
				}
				if gain > 1e-7 {
					enter = j
				}
			}
			if enter < 0 {
				return true
			}
			leave, ratio := -1, math.Inf(1)
			for i := range rows {
				if v := rows[i][enter]; v > 1e-7 {
					if q := rows[i][n+m] / v; q < ratio-1e-12 || q < ratio+1e-12 && basis[i] < basis[leave] {
						leave, ratio = i, q
					}
				}
			}
			if leave < 0 {
				return false
			}
			pivot(leave, enter)
		}
	}
	phase := make([]float64, n+m)
	for j := n; j < n+m; j++ {
		phase[j] = -1
	}
	solve(phase, n+m)
	for i := range rows { // what is left of the artificial variables is at zero: it leaves, or its row says nothing
		if basis[i] < n {
			continue
		}
		if rows[i][n+m] > 1e-6 {
			panic("the true counts are refused")
		}
		for j := range n {
			if math.Abs(rows[i][j]) > 1e-7 {
				pivot(i, j)
				break
			}
		}
	}
	full := append(slices.Clone(c), make([]float64, m)...)
	if !solve(full, n) {
		return math.Inf(1)
	}
	best := 0.0
	for i, k := range basis {
		best += full[k] * rows[i][n+m]
	}
	return best
}

// peopled are counts of n persons, in layers that draw gives the zones of.
func peopled(o locateOptions, n int, sets []*geo.ZoneSet, draw func() (zones []int, sex, age int)) *counts {
	var layers []*locatedLayer
	next := int32(1)
	for _, s := range sets {
		layers = append(layers, &locatedLayer{set: s, counted: true, quarter: true, first: next})
		next += int32(len(s.Zones)) + 1
	}
	o.rule.Threshold = o.threshold
	c := newCounts(layers, o)
	for range n {
		at, sex, age := draw()
		regions := []int32{0}
		for i, l := range layers {
			regions = append(regions, l.first+int32(at[i]))
		}
		c.add(regions, sex, age)
	}
	return c
}

// 500 zones of very different sizes, alone and with 60 quarters that lie across them.
func BenchmarkLocateSecrecy(b *testing.B) {
	for _, people := range []int{5_000, 50_000, 500_000} {
		for _, layers := range []int{1, 2} {
			b.Run(fmt.Sprintf("people=%d/layers=%d", people, layers), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(5, 6))
				sets := []*geo.ZoneSet{zones("iris-2016", 500), zones("qpv-2024", 60)}[:layers]
				c := peopled(locateOptions{threshold: 5, sex: "s", age: "a"}, people, sets, func() ([]int, int, int) {
					z := int(501 * math.Pow(rng.Float64(), 1.7))
					q := 60
					if z%5 == 0 && rng.IntN(3) > 0 {
						q = z / 5 % 60
					}
					return []int{z, q}, rng.IntN(2), []int{0, 1, 2, 2, 3, 3, 3}[rng.IntN(7)]
				})
				shown, small, cells := 0, 0, 0
				for b.Loop() {
					shown, small, cells = 0, 0, 0
					t, _ := c.secrets()
					withheld, exposed := indicators.Suppress(t)
					if len(exposed) > 0 {
						b.Fatal(exposed)
					}
					for i, x := range t.Cells {
						if x.State != indicators.Open {
							continue
						}
						if cells++; !withheld[i] {
							shown++
						}
						if x.Primary {
							small++
						}
					}
				}
				b.ReportMetric(float64(cells), "cells")
				b.ReportMetric(float64(small), "primary")
				b.ReportMetric(float64(cells-shown), "withheld")
			})
		}
	}
}

// A million points in the real IRIS and quarters; the target is a minute.
func BenchmarkLocateMillion(b *testing.B) {
	const points = 1_000_000
	dir := b.TempDir()
	project, layers := `title: Banc d'essai
layers:
  - {card: contours-iris, level: iris, vintage: 2016, file: "${OBSERVATOIRE_REAL}/iris_geo/iris_13_contours_iris_2016.geojson.gz"}
  - {card: contours-qpv, level: qpv, vintage: 2015, file: "${OBSERVATOIRE_REAL}/qpv_geo/QP_METROPOLE_LB93.shp"}
indicators: []
`, "qpv,iris"
	if os.Getenv("OBSERVATOIRE_REAL") == "" {
		b.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	if err := os.WriteFile(filepath.Join(dir, "observatoire.yaml"), []byte(project), 0o644); err != nil {
		b.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := execute(b.Context(), []string{"-C", dir, "run", "--publish", "--by", "bench"}, &out, &errs); code != exitDone {
		b.Fatal(errs.String())
	}
	file, err := os.Create(filepath.Join(b.TempDir(), "p.csv"))
	if err != nil {
		b.Fatal(err)
	}
	w := csv.NewWriter(file)
	rng := rand.New(rand.NewPCG(1, 2))
	w.Write([]string{"lon", "lat", "sexe", "age"})
	for range points {
		w.Write([]string{strconv.FormatFloat(4.9+0.7*rng.Float64(), 'f', 6, 64), strconv.FormatFloat(43.25+0.4*rng.Float64(), 'f', 6, 64),
			"FH"[rng.IntN(2):][:1], strconv.Itoa(rng.IntN(100))})
	}
	w.Flush()
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	for _, mode := range []string{"counts", "rows"} {
		b.Run(mode, func(b *testing.B) {
			for range b.N {
				args := []string{"-C", dir, "locate", file.Name(), "--layers", layers, "--sex", "sexe", "--age", "age", "--format", "csv"}
				if mode == "rows" {
					args = append(args, "--rows", "-o", filepath.Join(b.TempDir(), "lignes.csv"))
				}
				var out, errs bytes.Buffer
				if code := execute(b.Context(), args, &out, &errs); code != exitDone {
					b.Fatal(errs.String())
				}
			}
			b.ReportMetric(points*float64(b.N)/b.Elapsed().Minutes(), "points/min")
		})
	}
}

// The same bytes whatever the number of processors, of what is counted and of what is said.
func TestLocateOnAllProcessors(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	var points, bad strings.Builder
	points.WriteString("x;y;sexe;age\n")
	for i := range 9000 {
		switch {
		case i%97 == 0:
			points.WriteString(";;F;20\n")
		default:
			fmt.Fprintf(&points, "%d;%d;%s;%d\n", 858000+i*37%9000, 6265000+i*53%16000, []string{"F", "H"}[i%2], i%90)
		}
	}
	bad.WriteString(points.String())
	bad.WriteString("1;2;F;20\n860000;6270000;zut;20\n")
	for name, text := range map[string]string{"points.csv": points.String(), "bad.csv": bad.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(procs int) (results []string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		rows := filepath.Join(dir, "rows.csv")
		for _, args := range [][]string{{"points.csv", "--format", "csv"}, {"points.csv", "--rows", "-o", rows}, {"bad.csv", "--format", "csv"}} {
			args[0] = filepath.Join(dir, args[0])
			code, out, errs := cli(t, append([]string{"-C", dir, "locate", "--sex", "sexe", "--age", "age"}, args...)...)
			results = append(results, fmt.Sprint(code, "\n", out, errs))
		}
		text, err := os.ReadFile(rows)
		if err != nil {
			t.Fatal(err)
		}
		return append(results, string(text))
	}
	one, many := run(1), run(4)
	if diff := cmp.Diff(one, many); diff != "" {
		t.Errorf("on one processor and on four (-one +four):\n%s", diff)
	}
	if n := strings.Count(one[3], "\n"); n != 9001 || !strings.HasPrefix(one[0], "0\n") || !strings.HasPrefix(one[2], "3\n") || !strings.Contains(one[2], "bad.csv:9003: sexe: ") {
		t.Errorf("%d lines of rows\n%.300s\n%s", n, one[0], one[2])
	}
}
