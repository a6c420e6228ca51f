package main

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// writeText writes a file of a test.
func writeText(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func irisTable(rows int) string {
	var b strings.Builder
	b.WriteString("IRIS;LIBIRIS;P18_POP;P18_MEN\n")
	for i := range rows {
		fmt.Fprintf(&b, "13047%04d;Quartier %d;1 %03d,5;%d\n", 101+i, i, i, i)
	}
	return b.String()
}

// Each file has an answer, a pattern is expanded, and a bad file does not hide the others.
func TestInspectCommand(t *testing.T) {
	dir := t.TempDir()
	good := writeText(t, filepath.Join(dir, "a_2018.csv"), irisTable(30))
	bad := writeText(t, filepath.Join(dir, "b.csv"), "<html><body>403</body></html>")
	code, out, errs := cli(t, "inspect", "--format", "json", filepath.Join(dir, "*.csv"))
	if code != exitRefused || !strings.Contains(errs, "1 of 2 files refused: "+bad) || !strings.Contains(errs, "this is a web page") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	var list []struct {
		File, Format, Key, Level string
		Rows                     int
		HeaderRow                int `json:"header_row"`
		Millesime                *int
		Card                     string
		ProposedCard             string `json:"proposed_card"`
		Refused                  bool
		Problems                 []string
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].File != good || list[0].Refused || list[0].Rows != 30 || list[0].Level != "iris" || list[0].Key != "IRIS" ||
		list[0].Millesime == nil || *list[0].Millesime != 2018 || list[0].Problems == nil || list[0].ProposedCard == "" && list[0].Card == "" {
		t.Errorf("%+v", list)
	}
	if len(list) == 2 && (!list[1].Refused || len(list[1].Problems) != 1) {
		t.Errorf("%+v", list[1])
	}
	// The same in French, for a person: no line is longer than 100 columns.
	text := must(t, "inspecter", good)
	for _, line := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(line); n > 100 && !strings.Contains(line, dir) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{`"IRIS": iris, 30 different codes`, "millésime  2018", "P18_POP  number", "1000.5 … 1029.5"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if code, _, _ := cli(t, "inspect"); code != exitUsage {
		t.Errorf("without a file: exit %d", code)
	}
	if code, _, _ := cli(t, "inspect", "--format", "xml", good); code != exitUsage {
		t.Errorf("--format xml: exit %d", code)
	}
}

// In a project the keys are looked up in its layers, and a proposed card is written where the next inspection, and the
// run, find it.
func TestInspectInProject(t *testing.T) {
	dir := demoProject(t)
	var lists struct {
		Features []struct {
			Properties map[string]any
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "contours", "iris.geojson"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &lists); err != nil {
		t.Fatal(err)
	}
	known := ""
	for _, v := range lists.Features[0].Properties {
		if s, ok := v.(string); ok && len(s) == 9 && strings.Trim(s, "0123456789") == "" {
			known = s
		}
	}
	if known == "" {
		t.Fatalf("no code in %v", lists.Features[0].Properties)
	}
	file := writeText(t, filepath.Join(dir, "sources", "mesures.csv"), "IRIS;MESURE\n"+known+";12,5\n"+known[:5]+"9998;3\n010010000;4\n")
	out := must(t, "-C", dir, "inspect", "--write-card", file)
	for _, want := range []string{"1 codes of the territory are in no layer iris", known[:5] + "9998 (line 3)", "1 keys of the territory are unknown"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	card := filepath.Join(dir, "cards", "mesures.yaml")
	if _, err := os.Stat(card); err != nil {
		t.Fatal(err)
	}
	if out = must(t, "-C", dir, "inspect", file); !strings.Contains(out, "mesures (fits at") {
		t.Errorf("the card that was written is not the one that fits:\n%s", out)
	}
	// A card that is there is not written over.
	other := writeText(t, filepath.Join(dir, "ailleurs", "mesures.csv"), "COM;AUTRE\n13047;1\n13063;2\n")
	if code, _, errs := cli(t, "-C", dir, "inspect", "--write-card", other); code != exitRefused || !strings.Contains(errs, "there is a card already") {
		t.Errorf("exit %d: %s", code, errs)
	}
	// Without a project the card goes beside the file.
	alone := writeText(t, filepath.Join(t.TempDir(), "seul.csv"), "COM;AUTRE\n13047;1\n13063;2\n")
	must(t, "inspect", "--write-card", alone)
	if _, err := os.Stat(filepath.Join(filepath.Dir(alone), "seul.yaml")); err != nil {
		t.Error(err)
	}
	// A folder named for a project, and that is none.
	if code, _, errs := cli(t, "-C", t.TempDir(), "inspect", alone); code != exitRefused || !strings.Contains(errs, "no project here") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// Every published file is recognised, all in one command.
func TestInspectPublishedFiles(t *testing.T) {
	root := os.Getenv("OBSERVATOIRE_REAL")
	if root == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the real files are not at hand")
	}
	code, out, errs := cli(t, "inspect", filepath.Join(root, "qpv_kits", "*"), filepath.Join(root, "qpv_geo", "*"), filepath.Join(root, "iris_geo", "*"))
	if code != exitDone {
		t.Errorf("exit %d: %s", code, errs)
	}
	if n := strings.Count(out, "\nmillésime"); strings.Contains(out, "REFUSED") || n > 0 {
		t.Errorf("refused:\n%s", out)
	}
}

// A layer or a sheet is named after # or after a colon, wherever a file is.
func TestLayerOfAFile(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	book := filepath.Join(t.TempDir(), "e.xlsx")
	must(t, "-C", dir, "export", "--format", "xlsx", "-o", book)
	gpkg := filepath.Join(dir, "contours.gpkg")
	if err := os.Rename(filepath.Join(dir, "observatoire.gpkg"), gpkg); err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{"#", ":"} {
		for file, want := range map[string]string{gpkg + mark + "iris_2010": `"name": "aire_m2"`, book + mark + "Recouvrements": `"format": "xlsx"`} {
			if out := must(t, "inspect", file, "--format", "json"); !strings.Contains(out, want) {
				t.Errorf("inspect %s:\n%s\nwant %s", file, out, want)
			}
		}
		if code, _, errs := cli(t, "inspect", gpkg+mark+"quartiers"); code != exitRefused || !strings.Contains(errs, `no table "quartiers": it has `) {
			t.Errorf("inspect of a layer that is not there: exit %d\n%s", code, errs)
		}
		out := must(t, "interpolate", "--source", gpkg+mark+"iris_2010", "--target", gpkg+mark+"qpv_2015", "--extensive", "aire_m2")
		if rows := readCSV(t, out); len(rows) != 3 {
			t.Errorf("interpolate by %s:\n%s", mark, out)
		}
	}
	edit(t, filepath.Join(dir, projectFile), "contours/qpv.geojson", "contours.gpkg:qpv_2015")
	must(t, "-C", dir, "run")
}

// A member of an archive that is refused is a refusal, whatever the others are.
func TestInspectRefusesAMember(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lot.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range map[string]string{"pop_2019.csv": "IRIS;POP\n130470101;12\n130470102;15\n", "page.csv": "<!DOCTYPE html><html><body>404</body></html>"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	code, out, errs := cli(t, "inspect", path)
	if code != exitRefused || !strings.Contains(errs, "this is a web page") || !strings.Contains(errs, "1 of 2 tables and layers refused: "+path+" (page.csv)") || !strings.Contains(out, "POP") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}
