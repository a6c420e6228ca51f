package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An open-data deposit is whole: every file is listed with its digest, every column described and of its type, nothing of a partner's in it; twice the same bytes.
func TestExportDepot(t *testing.T) {
	dir := demoProject(t)
	out := filepath.Join(dir, "depot")
	must(t, "-C", dir, "run")
	if code, _, errs := cli(t, "-C", dir, "export", "--what", "depot", "--edition", strings.Fields(strings.Split(must(t, "-C", dir, "editions"), "\n")[1])[0], "-o", out); code != exitRefused || !strings.Contains(errs, "is a draft") {
		t.Errorf("a draft: exit %d: %s", code, errs)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "Nadia Essai")
	must(t, "-C", dir, "export", "--what", "depot", "-o", out)
	files := map[string][]byte{}
	if err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(out, path)
		files[filepath.ToSlash(name)] = b
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"tables/series.csv", "tables/series.parquet", "couches/qpv-2015.geojson", "couches/qpv-2015.parquet", "edition.gpkg", "dictionnaire.csv", "LICENCE.txt", "catalogue.jsonld", "tables/indicateurs.csv"} {
		if len(files[want]) == 0 {
			t.Errorf("%s is not there", want)
		}
	}
	for name, b := range files {
		if bytes.Contains(b, []byte("ops_menages")) || bytes.Contains(b, []byte("bailleur-exemple")) {
			t.Errorf("%s holds what a partner gave", name)
		}
	}

	sums := map[string]string{}
	for line := range strings.Lines(string(files["SHA256SUMS"])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	var p struct {
		Name, Created string
		Licenses      []struct{ Title string }
		Resources     []struct {
			Name, Path, Hash string
			Bytes            int
			Schema           struct {
				Fields []struct{ Name, Type, Description string }
			}
		}
	}
	if err := json.Unmarshal(files["datapackage.json"], &p); err != nil || len(p.Licenses) == 0 || len(p.Created) != 20 {
		t.Fatalf("datapackage.json: %v %v", err, p)
	}
	if len(sums) != len(files)-1 || len(p.Resources) != len(files)-3 {
		t.Errorf("%d files, %d sums, %d resources", len(files), len(sums), len(p.Resources))
	}
	names := map[string]bool{}
	for name, b := range files {
		if sum := fmt.Sprintf("%x", sha256.Sum256(b)); name != "SHA256SUMS" && sums[name] != sum {
			t.Errorf("%s: sum %s, %s is written", name, sum, sums[name])
		}
	}
	for _, r := range p.Resources {
		if names[r.Name] || r.Hash != "sha256:"+sums[r.Path] || r.Bytes != len(files[r.Path]) {
			t.Errorf("resource %s: %d bytes, %s", r.Path, r.Bytes, r.Hash)
		}
		names[r.Name] = true
		if r.Schema.Fields == nil {
			continue
		}
		rows, err := csv.NewReader(bytes.NewReader(files[r.Path])).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for k, f := range r.Schema.Fields {
			if len(rows[0]) != len(r.Schema.Fields) || rows[0][k] != f.Name || f.Description == "" || f.Type == "" {
				t.Fatalf("%s: field %v is not column %q", r.Path, f, rows[0][k])
			}
			for i, row := range rows[1:] {
				if _, err := strconv.Atoi(row[k]); row[k] != "" && f.Type == "integer" && err != nil {
					t.Errorf("%s, row %d: %s is %q, no integer", r.Path, i+2, f.Name, row[k])
				}
				if _, err := strconv.ParseFloat(row[k], 64); row[k] != "" && f.Type == "number" && err != nil {
					t.Errorf("%s, row %d: %s is %q, no number", r.Path, i+2, f.Name, row[k])
				}
			}
		}
	}
	var ld struct {
		Distributions []any `json:"dcat:distribution"`
	}
	if err := json.Unmarshal(files["catalogue.jsonld"], &ld); err != nil || len(ld.Distributions) != len(p.Resources) {
		t.Errorf("catalogue.jsonld: %d distributions (%v)", len(ld.Distributions), err)
	}

	must(t, "-C", dir, "export", "--what", "depot", "-o", out+"2")
	again, err := os.ReadFile(filepath.Join(out+"2", "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(files["SHA256SUMS"]), string(again)); diff != "" {
		t.Errorf("not the same bytes twice:\n%s", diff)
	}
	if code, _, errs := cli(t, "-C", dir, "export", "--what", "depot", "-o", out); code != exitRefused || !strings.Contains(errs, "name a new one") {
		t.Errorf("exit %d over another deposit: %s", code, errs)
	}
	if code, _, _ := cli(t, "-C", dir, "export", "--what", "depot", "--convention", "ops-exemple", "-o", out+"3"); code != exitUsage {
		t.Errorf("exit %d with a convention", code)
	}
}

// The layers as one file of tiles, by the command; an indicator that there is not is refused by its name.
func TestExportTuiles(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	out := filepath.Join(dir, "o.pmtiles")
	must(t, "-C", dir, "export", "--what", "tuiles", "--indicator", "taux_chomage", "-o", out)
	if b, err := os.ReadFile(out); err != nil || !bytes.HasPrefix(b, []byte("PMTiles\x03")) {
		t.Errorf("%v: %d bytes", err, len(b))
	}
	if code, _, errs := cli(t, "-C", dir, "export", "--what", "tuiles", "--indicator", "taux_chomag", "-o", out); code != exitUsage || !strings.Contains(errs, "taux_chomag:") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
