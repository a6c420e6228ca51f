package main

import (
	"archive/zip"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// The QGIS project opens the published edition from where it is, and holds nothing of what partners gave.
func TestExportQGIS(t *testing.T) {
	dir := demoProject(t)
	if code, _, errs := cli(t, "-C", dir, "export", "--what", "projet", "-o", filepath.Join(dir, "carte.qgz")); code != exitFailed || !strings.Contains(errs, "no edition is published") {
		t.Errorf("nothing published: exit %d, %s", code, errs)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	out := filepath.Join(dir, "cartes", "carte.qgz")
	must(t, "-C", dir, "export", "--what", "projet", "-o", out)
	z, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"<datasource>../observatoire.gpkg|layername=vue_qpv_2015</datasource>", "EPSG:2154", "Quartiers prioritaires 2015"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "ops_") || strings.Contains(text, "ops-") {
		t.Error("the project names what a partner gave")
	}
	for _, args := range [][]string{{"--service", "x"}, {"--what", "projet", "--edition", "x"}, {"--what", "projet", "--format", "csv"}, {"--what", "projet", "--convention", "ops-exemple"}} {
		if code, _, errs := cli(t, append([]string{"-C", dir, "export", "-o", out}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}
