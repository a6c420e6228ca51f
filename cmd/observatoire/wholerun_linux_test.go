package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/paulmach/orb"

	"observatoire/ingest"
)

// copiedDepartements are the départements that the copies of a territory are put in the place of, the first its own.
var copiedDepartements = []string{"13", "30", "31", "33", "34", "38", "42", "44", "59", "67"}

// BenchmarkWholeRun is the command run, from the files to the draft edition, on the files of the project Ouest Provence less Marseille (whose
// arrondissements no other département has), then on a territory of ten copies of theirs: ten times the IRIS, the
// communes, the quarters, the rows. Each run is a process of its own, its memory what the system counts.
//
//	go test ./cmd/observatoire -run '^$' -bench WholeRun -benchtime 1x
func BenchmarkWholeRun(b *testing.B) {
	real := os.Getenv("OBSERVATOIRE_REAL")
	if real == "" {
		b.Skip("OBSERVATOIRE_REAL is not set: the real files are needed")
	}
	for _, copies := range []int{1, 10} {
		b.Run(fmt.Sprintf("x%d", copies), func(b *testing.B) {
			dir := b.TempDir()
			if err := writeTerritory(dir, copies); err != nil {
				b.Fatal(err)
			}
			most := int64(0)
			for b.Loop() {
				b.StopTimer()
				for _, old := range []string{"observatoire.sources.gpkg", "observatoire.editions"} {
					if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
						b.Fatal(err)
					}
				}
				cmd := exec.Command(os.Args[0], "-C", dir, "run", "--date", "2026-01-15")
				cmd.Env = append(os.Environ(), asProgram+"=1")
				b.StartTimer()
				if said, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, said)
				} else {
					b.Logf("%s", said)
				}
				most = max(most, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss>>10)
			}
			b.ReportMetric(float64(most), "MB-rss")
		})
	}
}

// writeTerritory writes a project of so many copies of the real territory.
func writeTerritory(dir string, copies int) error {
	if err := writeTree(os.DirFS("../../data/projects/ouest-provence"), dir); err != nil {
		return err
	}
	p, err := loadProject(dir)
	if err != nil {
		return err
	}
	for _, sub := range []string{"contours", "tables"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o777); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, projectFile))
	if err != nil {
		return err
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	var communes []string
	for k := range copies {
		for _, code := range p.Scope.Communes {
			communes = append(communes, copiedDepartements[k]+code[2:])
		}
	}
	config["scope"] = map[string]any{"communes": communes}
	config["perimeters"] = map[string]any{"perimetre_contrat": communes}
	var layers, tables []any
	for i, l := range p.Layers {
		entry := config["layers"].([]any)[i].(map[string]any)
		switch {
		case l.File == "":
		case l.Level == "epci":
			if entry["file"], err = copyTable(dir, l.File, copies); err != nil {
				return err
			}
		default:
			name := filepath.Join("contours", string(l.layer())+".geojson")
			if err := copyLayer(p, l, filepath.Join(dir, name), copies); err != nil {
				return err
			}
			entry = map[string]any{"level": l.Level, "vintage": l.Vintage, "file": name, "code": "code", "name": "nom"}
		}
		layers = append(layers, entry)
	}
	for _, t := range p.Tables {
		files, err := p.files(t.File)
		if err != nil {
			return err
		}
		for _, path := range files {
			if filepath.Ext(path) == ".xls" { // the same figures as the text beside it
				continue
			}
			name, err := copyTable(dir, path, copies)
			if err != nil {
				return err
			}
			tables = append(tables, map[string]any{"card": t.Card, "file": name})
		}
	}
	config["layers"], config["tables"] = layers, tables
	if text, err = yaml.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, projectFile), text, 0o666)
}

// copyLayer writes copies of the zones of the Bouches-du-Rhône, 200 km apart.
func copyLayer(p *project, l layerConfig, path string, copies int) error {
	files, err := p.files(l.File)
	if err != nil {
		return err
	}
	card, err := p.layerCard(l, files[0])
	if err != nil {
		return err
	}
	set, _, err := ingest.ReadLayer(context.Background(), files[0], card, l.layer())
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprint(w, `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"features":[`)
	n := 0
	for k := range copies {
		for _, z := range set.Zones {
			code, here := copiedCode(z.Code, k)
			if !here {
				continue
			}
			g := z.Geom.Clone()
			for _, polygon := range g {
				for _, ring := range polygon {
					for i := range ring {
						ring[i] = orb.Point{ring[i][0] - float64(k%4)*200_000, ring[i][1] + float64(k/4)*200_000}
					}
				}
			}
			feature, err := json.Marshal(map[string]any{"type": "Feature", "properties": map[string]any{"code": code, "nom": z.Name},
				"geometry": map[string]any{"type": "MultiPolygon", "coordinates": g}})
			if err != nil {
				return err
			}
			if n++; n > 1 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, "\n%s", feature)
		}
	}
	fmt.Fprintln(w, "]}")
	return errors.Join(w.Flush(), f.Close())
}

var copiedShape = regexp.MustCompile(`^(QP0)?13([0-9]{3}|[0-9]{7})$`)

// Codes of IRIS, communes and quarters, and those of intercommunalities, which look like IRIS of the Dordogne.
var (
	zoneShape     = regexp.MustCompile(`^([0-9][0-9AB][0-9]{3}([0-9]{4})?|Q[PN][0-9AB]{6})$`)
	intercommunal = regexp.MustCompile(`^2(00|4[0-9])[0-9]{6}$`)
)

// copiedCode is a code of the Bouches-du-Rhône in a copy; ok is false for the others, and for Marseille.
func copiedCode(code string, k int) (string, bool) {
	if !copiedShape.MatchString(code) || strings.HasPrefix(code, "132") || strings.HasPrefix(code, "13055") {
		return code, false
	}
	at := strings.Index(code, "13")
	return code[:at] + copiedDepartements[k] + code[at+2:], true
}

// copyTable writes a table with copies of its rows of the Bouches-du-Rhône, and gives its name in the project. Rows of larger zones
// are kept once, those of other places left out.
func copyTable(dir, path string, copies int) (string, error) {
	name := filepath.Join("tables", strings.TrimSuffix(filepath.Base(path), ".gz"))
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	var r io.Reader = in
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(in); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	lines := strings.SplitAfter(string(text), "\n")
	separator := ";"
	if strings.Count(lines[0], ",") > strings.Count(lines[0], ";") {
		separator = ","
	}
	out := make([][]string, copies)
	key := -1 // which of the first two columns holds the code of a zone
	for i, line := range lines {
		if line != "" && !strings.HasSuffix(line, "\n") {
			line += "\n"
		}
		cells := strings.Split(line, separator)
		zone := func(c string) bool {
			c = strings.Trim(c, "\"\r\n ")
			return zoneShape.MatchString(c) && !intercommunal.MatchString(c)
		}
		if key < 0 && i > 0 {
			key = slices.IndexFunc(cells[:min(2, len(cells))], zone)
		}
		if i == 0 || key < 0 || key >= len(cells) || !zone(cells[key]) { // a header, a total, a larger zone
			out[0] = append(out[0], line)
			continue
		}
		plain := strings.Trim(cells[key], "\"\r\n ")
		for k := range copies {
			if code, here := copiedCode(plain, k); here {
				copied := slices.Clone(cells)
				copied[key] = strings.Replace(cells[key], plain, code, 1)
				out[k] = append(out[k], strings.Join(copied, separator))
			}
		}
	}
	return name, os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(slices.Concat(out...), "")), 0o666)
}
