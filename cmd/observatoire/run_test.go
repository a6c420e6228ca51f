package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"observatoire/data"
	"observatoire/ingest"
)

// cli runs one command line in this process, as a user types it.
func cli(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// must runs a command line that has to succeed, and returns what it printed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := cli(t, args...)
	if code != exitDone {
		t.Fatalf("observatoire %s: exit %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// demoProject writes the bundled project into a folder of its own.
func demoProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeTree(data.Demo(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// realProject copies the real project; it is skipped where the real files are not at hand.
func realProject(t *testing.T) string {
	t.Helper()
	if os.Getenv("OBSERVATOIRE_REAL") == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	dir := t.TempDir()
	if err := writeTree(os.DirFS("../../data/projects/ouest-provence"), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// realRun is the real project, run and published once for all the tests that only read it.
func realRun(t *testing.T) string {
	t.Helper()
	if os.Getenv("OBSERVATOIRE_REAL") == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	dir, err := publishedReal()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var publishedReal = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(testFolder, "ouest-provence")
	if err := writeTree(os.DirFS("../../data/projects/ouest-provence"), dir); err != nil {
		return "", err
	}
	var out, errs bytes.Buffer
	if code := execute(context.Background(), []string{"-C", dir, "run", "--publish", "--by", "test"}, &out, &errs); code != exitDone {
		return "", fmt.Errorf("exit %d: %s", code, errs.String())
	}
	return dir, nil
})

// testFolder holds what several tests share.
var testFolder string

// asProgram in the environment makes this binary the program, for a test that has to kill it.
const asProgram = "OBSERVATOIRE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	flag.Parse()
	var err error
	if testFolder, err = os.MkdirTemp("", "observatoire-test"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(testFolder)
	os.Exit(code)
}

// postgis gives the address of a schema of its own in the test cluster, dropped at the end.
func postgis(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		t.Skip("OBSERVATOIRE_TEST_PG is not set: no PostGIS to test with")
	}
	schema := fmt.Sprintf("essai_%d_%d", os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("schema", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func readCSV(t *testing.T, text string) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

// The contrat's table of shares, and the header the contract of the product fixes.
func TestDemoOverlaps(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	text := must(t, "-C", dir, "overlaps", "--from", "qpv", "--to", "iris", "--format", "csv")
	if header, _, _ := strings.Cut(text, "\r\n"); header != "couche_de,code_de,nom_de,couche_vers,code_vers,nom_vers,aire_m2,part_de,part_vers,marge_part,note" {
		t.Errorf("header: %s", header)
	}
	got := map[string]string{}
	for _, row := range readCSV(t, text) {
		share, err := strconv.ParseFloat(row["part_de"], 64)
		if err != nil {
			t.Fatal(err)
		}
		got[row["nom_de"]+" / "+row["nom_vers"]] = strconv.FormatFloat(100*share, 'f', 1, 64)
	}
	want := map[string]string{
		"Le Prépaou / Rassuen": "50.8", "Le Prépaou / Prépaou": "49.2",
		"La Carraire / Carraire": "78.9", "La Carraire / Mas Neuf-Monteau": "21.1",
		"La Maille / La Rousse 3": "58.8", "La Maille / La Rousse 2": "29.7", "La Maille / La Rousse 1": "11.4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contrat, l. 667-674 (-want +got):\n%s", diff)
	}

	// Those of the IRIS in the quarters are not in the edition, and are measured.
	areas := func(text, from, to string) map[string]string {
		out := map[string]string{}
		for _, row := range readCSV(t, text) {
			area, err := strconv.ParseFloat(row["aire_m2"], 64)
			if err != nil {
				t.Fatal(err)
			}
			out[row[from]+" / "+row[to]] = strconv.FormatFloat(area, 'f', 3, 64)
		}
		return out
	}
	back := must(t, "-C", dir, "overlaps", "--from", "iris", "--to", "qpv", "--format", "csv")
	if diff := cmp.Diff(areas(text, "nom_de", "nom_vers"), areas(back, "nom_vers", "nom_de")); diff != "" {
		t.Errorf("the other way round (-want +got):\n%s", diff)
	}
}

// Every figure the contrat prints of a quarter comes out, by the method that produced it, with its line.
func TestDemoGivesThePrintedFigures(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	expected, err := os.ReadFile(filepath.Join(dir, "attendu.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := readCSV(t, must(t, "-C", dir, "series", "--methods", "all", "--format", "csv"))
	shown := map[string]map[string]string{}
	for _, row := range readCSV(t, must(t, "-C", dir, "series", "--format", "csv")) {
		if !strings.HasPrefix(row["couche"], levelVecu) { // its surroundings have the code of the quarter
			shown[row["indicateur"]+row["code"]+row["millesime"]+row["sexe"]] = row
		}
	}
	if len(rows) <= len(shown) {
		t.Errorf("--methods all gives %d rows, the shown ones are %d", len(rows), len(shown))
	}
	walked := 0
	for _, want := range readCSV(t, string(expected)) {
		year := want["millesime"]
		if year == "0" || year == "inconnu" {
			year = ""
		}
		name := want["indicateur"] + " " + want["code"] + " " + year + " " + want["sexe"]
		got := shown[want["indicateur"]+want["code"]+year+want["sexe"]]
		if got == nil {
			t.Errorf("%s: not in the series", name)
			continue
		}
		walked++
		printed := want["valeur_imprimee"]
		decimals := 0
		if _, frac, ok := strings.Cut(printed, "."); ok {
			decimals = len(frac)
		}
		v, err := strconv.ParseFloat(got["valeur"], 64)
		if err != nil || strconv.FormatFloat(v, 'f', decimals, 64) != printed {
			t.Errorf("%s: %q, the contrat prints %s (l. %s)", name, got["valeur"], printed, want["ligne"])
		}
		if got["methode"] != want["methode"] {
			t.Errorf("%s: by %q, want %q", name, got["methode"], want["methode"])
		}
		if !strings.Contains(got["source"], "l. "+want["ligne"]) {
			t.Errorf("%s: source %q does not name the contrat's line %s", name, got["source"], want["ligne"])
		}
	}
	if walked < 60 {
		t.Errorf("only %d printed figures walked", walked)
	}
}

// The same project gives the same series on both stores, on any number of cores, run twice.
func TestSameBytes(t *testing.T) {
	for _, project := range []struct {
		name string
		dir  func(*testing.T) string
	}{{"demo", demoProject}, {"ouest-provence", realProject}} {
		t.Run(project.name, func(t *testing.T) {
			dir := project.dir(t)
			outputs := func(args ...string) (id, series, ecarts, overlaps string) {
				id = must(t, append([]string{"-C", dir, "run", "--publish", "--by", "test"}, args...)...)
				series = must(t, append([]string{"-C", dir, "series", "--methods", "all", "--format", "csv"}, args...)...)
				overlaps = must(t, append([]string{"-C", dir, "overlaps", "--format", "csv"}, args...)...)
				out := filepath.Join(t.TempDir(), "ecarts.csv")
				must(t, append([]string{"-C", dir, "export", "--what", "ecarts", "--format", "csv", "-o", out}, args...)...)
				b, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				return id, series, string(b), overlaps
			}
			id1, series1, ecarts1, overlaps1 := outputs()
			first, err := os.ReadFile(filepath.Join(dir, "observatoire.gpkg"))
			if err != nil {
				t.Fatal(err)
			}
			before := runtime.GOMAXPROCS(1)
			id2, series2, ecarts2, overlaps2 := outputs("--store", filepath.Join(t.TempDir(), "autre.gpkg"))
			runtime.GOMAXPROCS(before)
			if id1 != id2 || series1 != series2 || ecarts1 != ecarts2 || overlaps1 != overlaps2 {
				t.Errorf("one core, another file: not the same bytes (%s, %s)", id1, id2)
			}
			outputs()
			if again, err := os.ReadFile(filepath.Join(dir, "observatoire.gpkg")); err != nil || !bytes.Equal(first, again) {
				t.Errorf("the edition's file changed when the same project ran again (%v)", err)
			}
			t.Run("PostGIS", func(t *testing.T) {
				id3, series3, ecarts3, overlaps3 := outputs("--store", postgis(t))
				if id1 != id3 || series1 != series3 || ecarts1 != ecarts3 || overlaps1 != overlaps3 {
					t.Errorf("not the same bytes on PostGIS (%s, %s)\n%s", id1, id3, cmp.Diff(firstLines(series1), firstLines(series3)))
				}
			})
		})
	}
}

func firstLines(s string) []string { return strings.SplitN(s, "\n", 50) }

// The series of the three quarters equal the kits' figures, read from the raw files by other means.
func TestRealQuartersEqualTheKits(t *testing.T) {
	dir := realRun(t)
	series := map[string]map[string]string{}
	for _, row := range readCSV(t, must(t, "-C", dir, "series", "--format", "csv")) {
		if row["couche"] == "qpv-2015" {
			year := row["millesime"]
			if year == "" { // not said by the producer: known by its file
				_, rest, _ := strings.Cut(row["source"], "_")
				year = "-" + rest[:min(4, len(rest))]
			}
			series[row["indicateur"]+" "+row["code"]+" "+year+" "+row["sexe"]] = row
		}
	}
	checks := []struct{ indicateur, sexe, millesime, file, column string }{
		{"population", "T", "2013", "DEMO_2019", "POP_MUN"},
		{"population", "T", "2018", "DEMO_2022", "POP_MUN"},
		{"part_femmes", "T", "2018", "DEMO_2022", "TX_F"},
		{"part_etrangers", "F", "2017", "DEMO_2021", "TX_F_ET"},
		{"indice_jeunesse", "T", "2018", "DEMO_2022", "IND_JEUNE"},
		{"niveau_de_vie_median", "T", "2014", "REVN_2018", "DISP_Q2"},
		{"niveau_de_vie_median", "T", "2015", "REVN_2019", "DISP_Q2"},
		{"niveau_de_vie_median", "T", "2019", "REVN_2022", "DISP_Q2"},
		{"taux_pauvrete", "T", "2019", "REVN_2022", "TP60"},
		{"nb_cmuc", "T", "-2017", "REVN_2017", "CCMUC"},
		{"nb_cmuc", "T", "-2019", "REVN_2019", "CCMUC"},
		{"nb_c2s_sans_participation", "T", "-2022", "REVN_2022", "C_C2SNP"},
		{"defm_abc", "T", "2019", "IPRO_2020", "ABC"},
		{"defm_abc", "F", "2019", "IPRO_2020", "ABC_F"},
		{"defm_abc", "H", "2021", "IPRO_2022", "ABC_H"},
		{"allocataires", "T", "2020", "DEMO_2022", "A"},
	}
	for _, c := range checks {
		raw := rawKit(t, c.file)
		for _, code := range []string{"QP013061", "QP013062", "QP013063"} {
			name := c.indicateur + " " + code + " " + c.millesime + " " + c.sexe
			got := series[name]
			cell := strings.NewReplacer("\u202f", "", "\u00a0", "", " ", "", ",", ".").Replace(raw[code][c.column])
			switch {
			case got == nil:
				t.Errorf("%s: not in the series", name)
			case cell == "" && (got["statut"] == "disponible" || got["valeur"] != ""):
				t.Errorf("%s: %s is empty in %s, the series say %s", name, c.column, c.file, got["valeur"])
			case cell != "":
				want, err := strconv.ParseFloat(cell, 64)
				v, err2 := strconv.ParseFloat(got["valeur"], 64)
				if err != nil || err2 != nil || v != want || got["nature"] != "producteur" || got["methode"] != "producteur" {
					t.Errorf("%s: %s %s %s, the kit says %s", name, got["valeur"], got["statut"], got["methode"], cell)
				}
				if !strings.Contains(got["source"], c.column) {
					t.Errorf("%s: source %q does not name %s", name, got["source"], c.column)
				}
			}
		}
	}
}

// realLines are those of a real file, with nothing of ours.
func realLines(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(os.Getenv("OBSERVATOIRE_REAL"), name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.ReplaceAll(strings.TrimPrefix(string(b), "\ufeff"), "\r", ""), "\n")
}

// rawKit reads a kit with nothing of ours: gunzip, lines, semicolons.
func rawKit(t *testing.T, name string) map[string]map[string]string {
	t.Helper()
	lines := realLines(t, "qpv_kits/"+name+".csv.gz")
	header := strings.Split(lines[0], ";")
	out := map[string]map[string]string{}
	for _, line := range lines[1:] {
		cells := strings.Split(line, ";")
		row := map[string]string{}
		for i, c := range cells {
			if i < len(header) && header[i] != "" {
				row[header[i]] = c
			}
		}
		out[cells[0]] = row
	}
	return out
}

// The published GeoPackage opens in GDAL, with its layers, counts and projection.
func TestRealGeoPackageOpensInGDAL(t *testing.T) {
	if _, err := exec.LookPath("ogrinfo"); err != nil {
		t.Skip("ogrinfo is not installed")
	}
	dir := realRun(t)
	out, err := exec.Command("ogrinfo", "-ro", "-al", "-so", filepath.Join(dir, "observatoire.gpkg")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "Warning") || strings.Contains(string(out), "ERROR") {
		t.Fatalf("ogrinfo: %v\n%s", err, out)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(out), "\nLayer name: ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		sections[name] = rest
	}
	for layer, count := range map[string]int{"iris_2013": 840, "iris_2016": 840, "qpv_2015": 3, "commune_2018": 119,
		"perimetre_contrat_2015": 1, "departement_2018": 1} {
		if !strings.Contains(sections[layer], fmt.Sprintf("Feature Count: %d\n", count)) {
			t.Errorf("%s: want %d features:\n%.300s", layer, count, sections[layer])
		}
		if !strings.Contains(sections[layer], "Multi Polygon") || !strings.Contains(sections[layer], "RGF93") {
			t.Errorf("%s: want multipolygons in RGF93 / Lambert-93:\n%.600s", layer, sections[layer])
		}
	}
}

// A run makes a draft; nothing is served before it is published; withdrawing goes back.
func TestEditionsLife(t *testing.T) {
	dir := demoProject(t)
	for _, st := range []struct {
		name  string
		store func(t *testing.T) string
	}{{"GeoPackage", func(*testing.T) string { return filepath.Join(dir, "vie.gpkg") }}, {"PostGIS", postgis}} {
		t.Run(st.name, func(t *testing.T) {
			s := []string{"-C", dir, "--store", st.store(t)}
			do := func(args ...string) (int, string, string) { return cli(t, append(s, args...)...) }
			if code, _, errs := do("series"); code != exitFailed || !strings.Contains(errs, "no edition is published") {
				t.Errorf("before any run: %d %s", code, errs)
			}
			_, first, _ := do("run")
			first = strings.TrimSpace(first)
			if code, _, _ := do("series"); code != exitFailed {
				t.Error("a draft is served")
			}
			if code, out, _ := do("review"); code != exitDone || !strings.Contains(out, "MOLIERES-1") {
				t.Errorf("review does not name the quarters that cannot be told apart: %d\n%s", code, out)
			}
			if code, _, errs := do("publish", "--by", "Camille"); code != exitDone {
				t.Fatalf("publish: %s", errs)
			}
			if _, again, errs := do("run"); strings.TrimSpace(again) != first || !strings.Contains(errs, "unchanged") {
				t.Errorf("the same project run again: %s\n%s", again, errs)
			}
			change(t, dir, "title: SAN", "title: Le SAN")
			defer change(t, dir, "title: Le SAN", "title: SAN")
			if code, _, errs := do("publish", "--by", "Camille"); code != exitFailed || !strings.Contains(errs, "no draft") {
				t.Errorf("publishing again goes back to something: %d %s", code, errs)
			}
			_, second, _ := do("run", "--publish", "--by", "Dominique")
			second = strings.TrimSpace(second)
			if first == second {
				t.Fatalf("another title, the same edition %s", first)
			}
			if _, out, _ := do("editions"); !strings.Contains(strings.Split(out, "\n")[1], second) || !strings.Contains(out, "Camille") {
				t.Errorf("editions:\n%s", out)
			}
			if code, _, errs := do("withdraw", "--by", "Camille"); code != exitDone || !strings.Contains(errs, first) {
				t.Errorf("withdraw: %d %s", code, errs)
			}
			if code, _, _ := do("series"); code != exitDone {
				t.Error("nothing is served after the withdrawal")
			}
			do("withdraw", "--by", "Camille")
			if code, _, _ := do("series"); code != exitFailed {
				t.Error("something is served after everything is withdrawn")
			}
			if code, _, _ := do("withdraw", "--by", "Camille"); code != exitFailed {
				t.Error("withdrawing nothing succeeds")
			}
		})
	}
}

// change replaces a text in the project's file.
func change(t *testing.T, dir, old, new string) {
	t.Helper()
	edit(t, filepath.Join(dir, projectFile), old, new)
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(old)) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(new), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A card of one's own, whose columns no indicator uses: the answer holds the definition that shows them.
func TestNoIndicatorForACard(t *testing.T) {
	dir := demoProject(t)
	text, err := os.ReadFile(filepath.Join(dir, projectFile))
	if err != nil {
		t.Fatal(err)
	}
	head, tables, _ := strings.Cut(string(text), "\ntables:\n")
	_, after, _ := strings.Cut(tables, "\n\n")
	for name, text := range map[string]string{
		projectFile:     head + "\ntables:\n  - {card: loyers, file: donnees/loyers-2016.csv}\n\n" + after,
		conventionsFile: "[]\n",
		"cards/loyers.yaml": "id: loyers\nkind: table\ntitle: Loyers\nproducer: essai\nfiles: [\"loyers-{AAAA}.csv\"]\nlevel: qpv\nvintage: 2015\nkey: [CODE]\n" +
			"variables:\n  - {id: loyer_median, columns: LOYER, millesime: edition}\n  - {id: charges, columns: CHARGES, millesime: edition}\n",
		"donnees/loyers-2016.csv": "CODE;LOYER;CHARGES\nQP013061;7,2;1\nQP013062;6,9;2\nQP013063;7,5;3\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{depositsFolder, "indicators.yaml", "corrections.csv", "decisions.csv"} {
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	code, _, errs := cli(t, "-C", dir, "run")
	_, sample, ok := strings.Cut(errs, "such as\n")
	if code != exitRefused || !ok || !strings.Contains(errs, "no indicator uses these columns of the tables: charges, loyer_median: write one on them in "+filepath.Join(dir, "indicators.yaml")+", such as") {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	if err := os.WriteFile(filepath.Join(dir, "indicators.yaml"), []byte(strings.ReplaceAll(sample, "charges", "loyer_median")), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	if got := seriesOf(t, dir, "loyer_median"); got["QP013062 T 2016"] != "6.9" {
		t.Errorf("the rents: %v", got)
	}
}

// The next command that init tells can be pasted as it is.
func TestInitInAFolderWithSpaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "politique de la ville")
	if _, _, errs := cli(t, "init", dir); !strings.Contains(errs, "`observatoire -C \""+dir+"\" run`") {
		t.Errorf("init:\n%s", errs)
	}
}

func TestUnknownCommand(t *testing.T) {
	for args, want := range map[string]string{
		"portail -o p":           `unknown command "portail" (the nearest: `,
		"-C x expotr --format c": `unknown command "expotr" (the nearest: export, `,
		"recouvrement":           `unknown command "recouvrement" (the nearest: recouvrements, `,
		"--frmat json":           "unknown flag: --frmat",
	} {
		if code, _, errs := cli(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s want %s", args, code, errs, want)
		}
	}
}

// Bad input: one clear error naming file, line or row and remedy; a refused run; and what was published and what
// the store holds exactly as before.
func TestBadInput(t *testing.T) {
	iris := filepath.Join("donnees", "contrat-iris-2015.csv")
	tests := []struct {
		name string
		do   func(t *testing.T, dir string) // spoils the project
		code int
		want []string // what the error must say
	}{
		{"unknown key", func(t *testing.T, dir string) { change(t, dir, "references:", "referances:") }, exitRefused,
			[]string{"observatoire.yaml:", "referances", "references"}},
		{"missing table", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, iris)) }, exitRefused,
			[]string{"contrat-iris-2015.csv", "no such file"}},
		{"missing layer", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "contours", "qpv.geojson")) }, exitRefused,
			[]string{"qpv.geojson", "no such file"}},
		{"not a number", func(t *testing.T, dir string) { edit(t, filepath.Join(dir, iris), ";21,4;", ";21,4,6;") }, exitRefused,
			[]string{"contrat-iris-2015.csv:2: valeur", `"21,4,6"`}},
		{"unknown IRIS", func(t *testing.T, dir string) { edit(t, filepath.Join(dir, iris), "\n13047D001;", "\n13047D999;") }, exitRefused,
			[]string{"contrat-iris-2015.csv:2: code", "13047D999", "iris-2010", "geography_as"}},
		{"header only", func(t *testing.T, dir string) {
			path := filepath.Join(dir, iris)
			b, _ := os.ReadFile(path)
			header, _, _ := strings.Cut(string(b), "\n")
			os.WriteFile(path, []byte(header+"\n"), 0o644)
		}, exitRefused, []string{"contrat-iris-2015.csv", "no row under its header"}},
		{"cut in the middle of a row", func(t *testing.T, dir string) {
			path := filepath.Join(dir, iris)
			b, _ := os.ReadFile(path)
			i := bytes.LastIndex(b[:len(b)-2], []byte("\n"))
			os.WriteFile(path, b[:i+16], 0o644)
		}, exitRefused, []string{"contrat-iris-2015.csv:", "the row was cut"}},
		{"unknown commune in scope", func(t *testing.T, dir string) { change(t, dir, `communes: ["13029"`, `communes: ["99999"`) }, exitRefused,
			[]string{"scope.communes", "99999"}},
		{"unknown reference", func(t *testing.T, dir string) { change(t, dir, "references: [commune", "references: [comune") }, exitRefused,
			[]string{"references", `"comune"`}},
		{"geography_as to nowhere", func(t *testing.T, dir string) {
			change(t, dir, "references:", "geography_as: {iris-2019: iris-2011}\nreferences:")
		},
			exitRefused, []string{"geography_as", `"iris-2011"`}},
		{"an indicator twice", func(t *testing.T, dir string) {
			change(t, dir, "indicators: default", "indicators: [part_cmuc, part_cmuc]")
		},
			exitRefused, []string{"part_cmuc is there twice"}},
		{"a commune twice", func(t *testing.T, dir string) {
			change(t, dir, `perimetre_contrat: ["13029"`, `perimetre_contrat: ["13039"`)
		},
			exitRefused, []string{"13039 is there twice"}},
		{"no figure", func(t *testing.T, dir string) { change(t, dir, "indicators: default", "indicators: [gini]") }, exitRefused,
			[]string{"no indicator has a figure"}},
		{"every bad cell is listed", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, iris), ";21,4;", ";beaucoup;")
			edit(t, filepath.Join(dir, iris), ";14,6;", ";peu;")
			edit(t, filepath.Join(dir, "donnees", "contrat-veille-2015.csv"), ";2419;", ";2419hab;")
		}, exitRefused, []string{"contrat-iris-2015.csv:2", "beaucoup", "contrat-iris-2015.csv:3", "peu", "contrat-veille-2015.csv", "2419hab"}},
		{"no card", func(t *testing.T, dir string) { change(t, dir, "card: demo-iris,", "card: demo-irises,") }, exitRefused,
			[]string{"demo-irises", "cards/"}},
		{"metres declared as degrees", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "contours", "qpv.geojson"), "urn:ogc:def:crs:EPSG::2154", "urn:ogc:def:crs:OGC:1.3:CRS84")
		}, exitRefused, []string{"qpv.geojson", "CRS84", "2154"}},
		{"broken GeoJSON", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "contours", "iris.geojson")
			b, _ := os.ReadFile(path)
			os.WriteFile(path, b[:len(b)/2], 0o644)
		}, exitRefused, []string{"iris.geojson"}},
		{"no such commune", func(t *testing.T, dir string) {
			change(t, dir, `perimetre_contrat: ["13029"`, `perimetre_contrat: ["13999"`)
		},
			exitRefused, []string{"13999", "perimetre_contrat"}},
		{"unknown method", func(t *testing.T, dir string) { change(t, dir, "iris_principal\n", "au_pif\n") }, exitRefused,
			[]string{"au_pif", "iris_principal"}},
		{"variable not set", func(t *testing.T, dir string) {
			change(t, dir, "file: contours/qpv.geojson", "file: ${NULLE_PART_DU_TOUT}/qpv.geojson")
		},
			exitRefused, []string{"NULLE_PART_DU_TOUT", "observatoire.yaml:"}},
		{"password-protected workbook", func(t *testing.T, dir string) { table(t, dir, "classeur.xlsx", protectedWorkbook()) }, exitRefused,
			[]string{"classeur.xlsx", "password"}},
		{"corrupt workbook", func(t *testing.T, dir string) { table(t, dir, "classeur.xlsx", []byte("PK\x03\x04rien de bon")) }, exitRefused,
			[]string{"classeur.xlsx"}},
		{"truncated shapefile", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, "contours", "qpv.shp"), []byte{0, 0, 0x27, 0x0a, 0, 0}, 0o644)
			change(t, dir, "contours/qpv.geojson", "contours/qpv.shp")
		}, exitRefused, []string{"qpv.shp"}},
	}
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	published := snapshotTree(t, dir, "observatoire.gpkg")
	held := heldSources(t, dir)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := t.TempDir()
			if err := os.CopyFS(bad, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			tt.do(t, bad)
			code, _, errs := cli(t, "-C", bad, "run", "--publish", "--by", "test")
			if code != tt.code {
				t.Errorf("exit %d, want %d\n%s", code, tt.code, errs)
			}
			_, message, _ := strings.Cut(errs, "error: ")
			for _, want := range tt.want {
				if !strings.Contains(message, want) {
					t.Errorf("the error does not say %q:\n%s", want, errs)
				}
			}
			if strings.Contains(errs, "goroutine") {
				t.Errorf("a panic reached the user:\n%s", errs)
			}
			if diff := cmp.Diff(published, snapshotTree(t, bad, "observatoire.gpkg")); diff != "" {
				t.Error("what is published moved")
			}
			if err := os.CopyFS(filepath.Join(bad, "depart"), data.Demo()); err != nil {
				t.Fatal(err)
			}
			os.Rename(filepath.Join(bad, "depart", projectFile), filepath.Join(bad, projectFile))
			if diff := cmp.Diff(held, heldSources(t, bad)); diff != "" {
				t.Errorf("the store's sources moved (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("unreachable PostGIS", func(t *testing.T) {
		code, _, errs := cli(t, "-C", dir, "--store", "postgres://nobody:motdepasse@127.0.0.1:1/rien", "run")
		if code != exitFailed || !strings.Contains(errs, "127.0.0.1:1") || strings.Contains(errs, "motdepasse") {
			t.Errorf("exit %d\n%s", code, errs)
		}
	})
	t.Run("no project", func(t *testing.T) {
		code, _, errs := cli(t, "-C", t.TempDir(), "run")
		if code != exitRefused || !strings.Contains(errs, "observatoire init") {
			t.Errorf("exit %d\n%s", code, errs)
		}
	})
	t.Run("usage", func(t *testing.T) {
		for _, args := range [][]string{{"danser"}, {"run", "--vite"}, {"series", "--sex", "X"}, {"overlaps", "--format", "pdf"},
			{"export", "--what", "tout", "-o", "x"}, {"init"}} {
			if code, _, errs := cli(t, append([]string{"-C", dir}, args...)...); code != exitUsage {
				t.Errorf("%v: exit %d\n%s", args, code, errs)
			}
		}
	})
}

// table adds a file to the demo's tables.
func table(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "donnees", name), content, 0o644); err != nil {
		t.Fatal(err)
	}
	change(t, dir, "tables:\n", "tables:\n  - {card: demo-iris, file: donnees/"+name+"}\n")
}

func snapshotTree(t *testing.T, dir string, names ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range names {
		sum, _, err := ingest.Digest(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = sum
	}
	return out
}

// heldSources are the sources in the project's store.
func heldSources(t *testing.T, dir string) string {
	t.Helper()
	out := must(t, "-C", dir)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "tables in the store") {
			_, n, _ := strings.Cut(line, "missing, ")
			return n
		}
	}
	t.Fatalf("no count of tables:\n%s", out)
	return ""
}

// Where the 200 m squares say where the people are, the quarters of Marseille are far closer to their published
// population than by surface, which misses half of it.
func TestRealPopulationWeights(t *testing.T) {
	if os.Getenv("OBSERVATOIRE_REAL") == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, projectFile), []byte(`title: Quartiers de Marseille
scope: {communes: ["13055"]}
layers:
  - {card: contours-iris, level: iris, vintage: 2016, file: "${OBSERVATOIRE_REAL}/iris_geo/iris_13_contours_iris_2016.geojson.gz"}
  - {card: contours-qpv, level: qpv, vintage: 2015, file: "${OBSERVATOIRE_REAL}/qpv_geo/QP_METROPOLE_LB93.shp"}
  - {card: contours-communes, level: commune, vintage: 2018, file: "${OBSERVATOIRE_REAL}/admin/communes_13_adminexpress2018_simplified.geojson"}
  - {level: carreau200, vintage: 2017, file: "${OBSERVATOIRE_REAL}/qpv_geo/icu_marseille_qpv_grid200m.gpkg"}
tables:
  - {card: qpv-demographie, file: "${OBSERVATOIRE_REAL}/qpv_kits/DEMO_2022.csv.gz"}
  - {card: recensement-iris, file: "${OBSERVATOIRE_REAL}/iris_stats/ptod_agg_iris_13_rp2011_2016_2022.csv.gz"}
geography_as: {iris-2024: iris-2016}
references: [commune]
weights: {layer: carreau200-2017, variable: num_people, table: enriched_grid}
indicators: [population]
`), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	published, estimated := map[string]float64{}, map[string]map[string]float64{}
	for _, row := range readCSV(t, must(t, "-C", dir, "series", "--indicator", "population", "--methods", "all", "--format", "csv")) {
		v, err := strconv.ParseFloat(row["valeur"], 64)
		switch {
		case row["couche"] != "qpv-2015" || err != nil:
		case row["methode"] == "producteur":
			published[row["code"]] = v
		case row["millesime"] == "2016":
			if estimated[row["methode"]] == nil {
				estimated[row["methode"]] = map[string]float64{}
			}
			estimated[row["methode"]][row["code"]] = v
		}
	}
	mean := func(method string) float64 {
		sum, n := 0.0, 0.0
		for code, v := range estimated[method] {
			if p := published[code]; p > 0 {
				sum, n = sum+(v-p)/p, n+1
			}
		}
		if n < 30 {
			t.Fatalf("%s: only %v quarters", method, n)
		}
		return sum / n
	}
	surface, population := mean("surface"), mean("population")
	t.Logf("mean signed error: surface %+.0f %%, population %+.0f %%", 100*surface, 100*population)
	if surface > -0.4 || population < 0.6*surface {
		t.Errorf("mean signed error: surface %+.2f, population %+.2f: want the weights to mend at least two fifths of it", surface, population)
	}
}

// Buffers are a named approximation of the quartiers vécus: wider ones hold narrower ones, within their commune.
func TestDemoBuffers(t *testing.T) {
	dir := demoProject(t)
	replaceIn(t, filepath.Join(dir, projectFile), "buffer_m: [100, 300, 500], clip: true}", "buffer_m: [100, 1500], clip: true, drawn: vecus.geojson}")
	drawn, err := os.ReadFile(filepath.Join(dir, "contours", "veille.geojson"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "vecus.geojson"), drawn, 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	shares := func(from, to string) map[string]float64 {
		out := map[string]float64{}
		for _, row := range readCSV(t, must(t, "-C", dir, "overlaps", "--from", from, "--to", to, "--format", "csv")) {
			v, err := strconv.ParseFloat(row["part_de"], 64)
			if err != nil {
				t.Fatal(err)
			}
			out[row["code_de"]+" "+row["code_vers"]] = v
		}
		return out
	}
	for _, code := range []string{"QP013061", "QP013062", "QP013063"} {
		if got := shares("qpv", "quartier_vecu_100m")[code+" "+code]; got != 1 {
			t.Errorf("%s: %v of it in its buffer", code, got)
		}
		if got := shares("quartier_vecu_100m", "quartier_vecu_1500m")[code+" "+code]; got != 1 {
			t.Errorf("%s: %v of the 100 m buffer in the 1 500 m one", code, got)
		}
	}
	communes := map[string]float64{}
	for pair, v := range shares("quartier_vecu_1500m", "commune") {
		communes[strings.Fields(pair)[0]] += v
		if code := strings.Fields(pair); code[0] == "QP013061" && code[1] != "13047" {
			t.Errorf("%s: the buffer was to be kept within its commune", pair)
		}
	}
	for code, v := range communes {
		if v < 0.999999 || v > 1.000001 {
			t.Errorf("%s: %v of the buffer in communes", code, v)
		}
	}
	// The two quarters of Miramas are less than 3 km apart: their surroundings share some ground.
	if shared := shares("quartier_vecu_1500m", "quartier_vecu_1500m"); shared["QP013062 QP013063"] <= 0 || shared["QP013062 QP013062"] != 0 {
		t.Errorf("what neighbours share: %v", shared)
	}
	if drawn := shares("quartier_vecu-2015", "iris"); len(drawn) == 0 {
		t.Error("the drawn quartiers vécus overlap no IRIS")
	}
}
