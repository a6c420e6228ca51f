package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// A badInput is something wrong in a project that was run and published, and the command that has to refuse it. The
// answers are in testdata/refused.txt, by name.
type badInput struct {
	name string
	make func(t *testing.T, dir string)
	args []string // after -C DIR; run by default. {} is the project's folder
	code int      // exitRefused by default
}

// The table, the layer and the project that most cases damage.
const (
	qpvTable = "donnees/contrat-qpv-2015.csv"
	qpvLayer = "contours/qpv.geojson"
	qpvCard  = "cards/demo-qpv.yaml"
	qpvHead  = "code;territoire;indicateur;sexe;millesime;valeur;reference;note\n"
	qpvRow   = "QP013061;Le Prépaou;population;T;2015;3100;l. 683;\n"
)

// put writes a file of the project whole.
func put[T string | []byte](name string, content T) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// swap replaces a text of a file, each that is there.
func swap(name string, pairs ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for i := 0; i < len(pairs); i += 2 {
			edit(t, filepath.Join(dir, filepath.FromSlash(name)), pairs[i], pairs[i+1])
		}
	}
}

// add writes after the end of a file.
func add(name, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		put(name, string(b)+text)(t, dir)
	}
}

func gone(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
}

func all(steps ...func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for _, step := range steps {
			step(t, dir)
		}
	}
}

// figures is the table of the quarters with these rows alone; value, with one figure.
func figures(rows string) func(*testing.T, string) { return put(qpvTable, qpvHead+rows) }
func value(v string) func(*testing.T, string) {
	return figures("QP013061;Le Prépaou;population;T;2015;" + v + ";l. 683;\n")
}

// config replaces a text of the project's file; also adds to it.
func config(pairs ...string) func(*testing.T, string) { return swap(projectFile, pairs...) }
func also(text string) func(*testing.T, string)       { return add(projectFile, text) }

// sheet is a workbook whose cells are the rows of the table of the quarters.
func sheet(t *testing.T, password string, change func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	for i, line := range strings.Split(strings.TrimSpace(qpvHead+qpvRow), "\n") {
		for j, v := range strings.Split(line, ";") {
			name, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err == nil {
				err = f.SetCellValue("Sheet1", name, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if change != nil {
		change(f)
	}
	var b bytes.Buffer
	if err := f.Write(&b, excelize.Options{Password: password}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// workbook puts such a workbook in the place of the table.
func workbook(password string, change func(t *testing.T, f *excelize.File)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		put(qpvTable, sheet(t, password, func(f *excelize.File) {
			if change != nil {
				change(t, f)
			}
		}))(t, dir)
	}
}

// cellText puts a value in the cell F2, the figure.
func cellText(v any) func(*testing.T, string) {
	return workbook("", func(t *testing.T, f *excelize.File) { setCell(t, f, "Sheet1", "F2", v) })
}

func zipOf(t *testing.T, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		m, err := w.Create(members[i])
		if err == nil {
			_, err = m.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipTable(members ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { put(qpvTable, zipOf(t, members...))(t, dir) }
}

func gzipOf(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.Bytes()
}

// layer puts features in the place of the quarters, in Lambert-93 unless the head says otherwise.
func layer(features ...string) func(*testing.T, string) {
	return put(qpvLayer, `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"features":[`+
		strings.Join(features, ",\n")+"]}\n")
}

func zone(code, geometry string) string {
	return `{"type":"Feature","properties":{"code":` + code + `,"nom":"Le Prépaou"},"geometry":` + geometry + `}`
}

const prepaou = `{"type":"Polygon","coordinates":[[[859009,6271221],[859609,6271221],[859609,6271473],[859009,6271473],[859009,6271221]]]}`

// sheetImport changes the project's workbook, and reads it back.
func sheetImport(change func(t *testing.T, f *excelize.File)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := exported(t, dir, func(f *excelize.File) { change(t, f) })
		if err := os.Rename(path, filepath.Join(dir, "reglages.xlsx")); err != nil {
			t.Fatal(err)
		}
	}
}

var importArgs = []string{"spreadsheet", "import", "{}/reglages.xlsx"}

// badInputs are given by subject below.
func badInputs() []badInput {
	lists := [][]badInput{badTables(), badWorkbooks(), badArchives(), badLayers(), badProjects(), badCards(), badSettings(), badCommands(), badFormats(), badKeys()}
	var all []badInput
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// publishedOnce is a demonstration project, run and published, that cases copy.
var publishedOnce = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(testFolder, "refus")
	var out, errs bytes.Buffer
	if code := execute(context.Background(), []string{"demo", "--dir", dir, "--no-serve"}, &out, &errs); code != exitDone {
		return "", fmt.Errorf("exit %d: %s", code, errs.String())
	}
	return dir, nil
})

// held are the digests of what a store holds: its files, but not the settings and inputs around them.
func held(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, content := range tree(t, dir) {
		if strings.HasPrefix(name, "observatoire.") && name != projectFile && name != lockFile {
			out[name] = fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
		}
	}
	if len(out) < 3 {
		t.Fatalf("a store, its sources and an edition: %v", out)
	}
	return out
}

// rowsOf is all that the tables of a database hold.
func rowsOf(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	query := func(q string) (rows [][]any) {
		list, err := db.Query(q)
		if err != nil {
			t.Fatal(err)
		}
		defer list.Close()
		names, err := list.Columns()
		for err == nil && list.Next() {
			row, at := make([]any, len(names)), make([]any, len(names))
			for i := range row {
				at[i] = &row[i]
			}
			err = list.Scan(at...)
			rows = append(rows, row)
		}
		if err := errors.Join(err, list.Err()); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	var b strings.Builder
	for _, table := range query("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name") {
		fmt.Fprintf(&b, "%s %s\n", table...)
		var lines []string
		for _, row := range query(fmt.Sprintf("SELECT * FROM %q", table[0])) {
			lines = append(lines, fmt.Sprintf("  %v\n", row))
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

// What no message may hold: words of the language the program is written in, and of libraries.
var jargon = regexp.MustCompile(`cannot unmarshal|unmarshal|interface ?\{|strconv|\bEOF\b|\bnil\b|%!|goroutine|runtime error|panic|\[\]string|map\[|main\.|ingest\.|sql:|SQLITE|unexpected end of`)

var editionID = regexp.MustCompile(`\b\d{4}-[0-9a-f]{8}\b`)

// Whatever is wrong with an input, the program says so in one line a fault, naming what and where, and neither the store
// nor what is published moves.
func TestRefused(t *testing.T) {
	base, err := publishedOnce()
	if err != nil {
		t.Fatal(err)
	}
	cases := badInputs()
	answers := make([]string, len(cases))
	seen := map[string]bool{}
	t.Run("cases", func(t *testing.T) {
		for i, tt := range cases {
			if seen[tt.name] {
				t.Errorf("%s: two cases of that name", tt.name)
			}
			seen[tt.name] = true
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "p")
				if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
					t.Fatal(err)
				}
				answers[i] = answer(t, dir, tt, nil)
			})
		}
	})
	var b strings.Builder
	for i, tt := range cases {
		fmt.Fprintf(&b, "%s\n%s\n", tt.name, answers[i])
	}
	if diff := cmp.Diff(golden(t, "testdata/refused.txt", b.String()), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(cases) < 200 {
		t.Errorf("%d bad inputs, at least 200 are asked for", len(cases))
	}
}

// What can be mended is, and is said among the things to look at.
func TestMended(t *testing.T) {
	base, err := publishedOnce()
	if err != nil {
		t.Fatal(err)
	}
	const start, end = "[859009.1, 6271221.3], [859155.7, 6271126.3]", ", [859009.1, 6271221.3]]]}}"
	for _, tt := range []struct {
		name, want string // in review; "" for what changes nothing
		make       func(*testing.T, string)
	}{
		{"crossing itself", "Contour invalide réparé", swap(qpvLayer, "[859155.7, 6271126.3]", "[P]", "[859443.3, 6271544]", "[859155.7, 6271126.3]", "[P]", "[859443.3, 6271544]")},
		{"ring not closed", "Contour invalide réparé (anneau non fermé)", swap(qpvLayer, end, "]]}}")},
		{"repeated code", "Code présent sur 2 lignes (1, 2), réunies", swap(qpvLayer, `"features": [`, `"features": [`+zone(`"QP013061"`, prepaou)+",")},
		{"heights", "", swap(qpvLayer, start, "[859009.1, 6271221.3, 12], [859155.7, 6271126.3, 14]")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "p")
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			tt.make(t, dir)
			id := strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2026-01-15"))
			out := must(t, "-C", dir, "review", "--edition", id)
			_, line, _ := strings.Cut(out, "QP013061  ")
			line, _, _ = strings.Cut(line, "\n")
			if tt.want == "" && strings.Contains(line, "Contour") || !strings.Contains(line, tt.want) {
				t.Errorf("review says %q, want %q", line, tt.want)
			}
		})
	}
}

// answer runs a case in its copy of the project, and gives its exit code and errors, without the folder's name.
func answer(t *testing.T, dir string, tt badInput, store []string) string {
	t.Helper()
	tt.make(t, dir)
	before, sources := held(t, dir), filepath.Join(dir, "observatoire.sources.gpkg")
	bytesBefore, err := os.ReadFile(sources)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-C", dir}, store...)
	if tt.args == nil {
		args = append(args, "run", "--date", "2026-01-15")
	}
	for _, a := range tt.args {
		args = append(args, strings.ReplaceAll(a, "{}", dir))
	}
	code, stdout, stderr := cli(t, args...)
	want := tt.code
	if want == 0 {
		want = exitRefused
	}
	_, text, found := strings.Cut(stderr, "error: ")
	text = strings.TrimSpace(strings.ReplaceAll(filepath.ToSlash(text), filepath.ToSlash(dir)+"/", ""))
	text = strings.ReplaceAll(text, filepath.ToSlash(dir), "PROJECT")
	text = editionID.ReplaceAllString(text, "EDITION") // follows the inputs and the methods
	if code != want || !found || text == "" {
		t.Errorf("exit %d, want %d: %s", code, want, stderr)
	}
	if stdout != "" {
		t.Errorf("refused, and yet a result: %s", stdout)
	}
	if word := jargon.FindString(text); word != "" {
		t.Errorf("%q is no word for a reader: %s", word, text)
	}
	after := held(t, dir)
	if name := filepath.Base(sources); after[name] != before[name] { // taken and given back: the same rows, if not the same pages
		was := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(was, bytesBefore, 0o644); err != nil {
			t.Fatal(err)
		}
		before[name], after[name] = rowsOf(t, was), rowsOf(t, sources)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what is stored or published moved (-before +after):\n%s", diff)
	}
	return fmt.Sprintf("  exit %d\n  %s\n", code, strings.ReplaceAll(text, "\n", "\n  "))
}
