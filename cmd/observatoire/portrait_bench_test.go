package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// BenchmarkPortraits makes the portraits of the 65 quarters of the Bouches-du-Rhône, the edition read from its GeoPackage; run is the run that makes
// that edition, from the real files.
func BenchmarkPortraits(b *testing.B) {
	if os.Getenv("OBSERVATOIRE_REAL") == "" {
		b.Skip("OBSERVATOIRE_REAL is not set: the real files are needed")
	}
	dir := b.TempDir()
	if err := writeTree(os.DirFS("../../data/projects/ouest-provence"), dir); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, projectFile)
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	all, err := os.ReadFile(filepath.Join(os.Getenv("OBSERVATOIRE_REAL"), "admin", "communes_13_adminexpress2018_simplified.geojson"))
	if err != nil {
		b.Fatal(err)
	}
	var codes []string
	for _, m := range regexp.MustCompile(`"(?i:insee_com|code|code_insee)": ?"(13\d\d\d)"`).FindAllSubmatch(all, -1) {
		codes = append(codes, `"`+string(m[1])+`"`)
	}
	text = regexp.MustCompile(`communes: \[[^\]]*\]`).ReplaceAll(text, []byte("communes: ["+strings.Join(codes, ", ")+"]"))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		b.Fatal(err)
	}
	run := func(args ...string) {
		var errs strings.Builder
		if code := execute(b.Context(), append([]string{"-C", dir}, args...), io.Discard, &errs); code != exitDone {
			b.Fatalf("observatoire %v: exit %d: %s", args, code, errs.String())
		}
	}
	b.Run("run", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			for _, old := range []string{"observatoire.gpkg", "observatoire.sources.gpkg", "observatoire.editions"} {
				if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
			run("run", "--publish", "--by", "bench")
		}
	})
	out := b.TempDir()
	b.Run("portraits", func(b *testing.B) {
		for b.Loop() {
			run("portrait", "-o", out)
		}
	})
	if pages, err := filepath.Glob(filepath.Join(out, "*.html")); err != nil || len(pages) != 65 {
		b.Fatalf("%d portraits, want 65 (%v)", len(pages), err)
	}
}
