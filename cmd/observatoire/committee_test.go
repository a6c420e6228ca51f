package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The committee receives one dated folder: workbook, note, a portrait a quarter, the maps.
func TestCommittee(t *testing.T) {
	dir, out := publishedDemo(t), t.TempDir()
	must(t, "-C", dir, "export", "--what", "comite", "-o", out)
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 1 || !regexp.MustCompile(`^comite-\d{4}-\d\d-\d\d$`).MatchString(entries[0].Name()) {
		t.Fatalf("%v %v", entries, err)
	}
	folder := filepath.Join(out, entries[0].Name())
	for _, name := range []string{"observatoire.xlsx", "note-de-synthese.html", "note-de-synthese.docx", "portraits/QP013061.html", "portraits/MOLIERES-1.html",
		"cartes/geographie.svg", "cartes/veille.svg", "cartes/equipements.svg"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() < 2000 {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := t.TempDir()
	must(t, "-C", dir, "export", "--what", "comite", "-o", again)
	compared := 0
	err = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		a, errA := os.ReadFile(path)
		b, errB := os.ReadFile(filepath.Join(again, rel))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%s: not the same bytes twice (%v, %v)", rel, errA, errB)
		}
		if strings.Contains(string(a), "ops-exemple") {
			t.Errorf("%s names what came under a convention", rel)
		}
		compared++
		return nil
	})
	if err != nil || compared < 14 {
		t.Errorf("%d files compared (%v)", compared, err)
	}
	report := filepath.Join(out, "annexe.html")
	must(t, "-C", dir, "export", "--what", "rapport-annuel", "-o", report)
	if b, err := os.ReadFile(report); err != nil || !strings.Contains(string(b), "Annexe statistique du rapport annuel") || !strings.Contains(string(b), "<th scope=\"col\"") {
		t.Errorf("the annex: %v", err)
	}
	if code, _, errs := cli(t, "-C", dir, "export", "--what", "comite", "--convention", "ops-exemple", "-o", out); code != exitUsage || !strings.Contains(errs, "recipients") {
		t.Errorf("with a convention: exit %d, %s", code, errs)
	}
}

// Parquet files are whole, a table or a layer each.
func TestExportParquet(t *testing.T) {
	dir, out := publishedDemo(t), t.TempDir()
	must(t, "-C", dir, "export", "--format", "parquet", "-o", out)
	for _, name := range []string{"series", "evolutions", "rangs", "qpv-2015", "iris-2010"} {
		b, err := os.ReadFile(filepath.Join(out, name+".parquet"))
		if err != nil || !strings.HasPrefix(string(b), "PAR1") || !strings.HasSuffix(string(b), "PAR1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := filepath.Join(t.TempDir(), "s.parquet")
	must(t, "-C", dir, "export", "--what", "series", "--format", "parquet", "-o", one)
	a, errA := os.ReadFile(one)
	b, errB := os.ReadFile(filepath.Join(out, "series.parquet"))
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("the series alone are not those of the whole (%v, %v)", errA, errB)
	}
}
