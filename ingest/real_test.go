package ingest

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"observatoire/indicators"
)

func realDir(t *testing.T) string {
	dir := os.Getenv("OBSERVATOIRE_REAL")
	if dir == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the published files are not read")
	}
	return dir
}

func bundled(t *testing.T) *Catalogue {
	t.Helper()
	cat, err := LoadCatalogue(os.DirFS("../data/catalogue"))
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// rawTable reads a gzipped table without anything of the reader under test.
func rawTable(t *testing.T, path string) (header []string, rows map[string][]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	rows = map[string][]string{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		cells := strings.Split(strings.ReplaceAll(strings.TrimRight(strings.TrimPrefix(sc.Text(), "\uFEFF"), "\r"), `"`, ""), ";")
		if header == nil {
			header = cells
			continue
		}
		rows[cells[0]] = cells
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return header, rows
}

// The figures of the three quarters of Istres and Miramas are the ones in the files, whatever the card says.
func TestRealKitsGiveTheirOwnFigures(t *testing.T) {
	dir := realDir(t)
	cat := bundled(t)
	quarters := []string{"QP013061", "QP013062", "QP013063"}
	files, _ := filepath.Glob(filepath.Join(dir, "qpv_kits", "*_20*.csv.gz"))
	if len(files) < 14 {
		t.Fatalf("%d kits in %s, want 14 or more", len(files), dir)
	}
	for _, path := range files {
		base := filepath.Base(path)
		cards := cat.Match(base)
		if len(cards) != 1 {
			t.Errorf("%s: %d cards fit, want 1", base, len(cards))
			continue
		}
		header, rows := rawTable(t, path)
		table, err := Open(context.Background(), path, cards[0], Scope{Keep: func(_, code string) bool { return slices.Contains(quarters, code) }})
		if err != nil {
			t.Error(err)
			continue
		}
		figures := 0
		for table.Next() {
			rec := table.Record()
			codes := rec.Column(0).(*array.String)
			for i, f := range rec.Schema().Fields() {
				name, _ := f.Metadata.GetValue("header")
				if name == "" {
					continue
				}
				values, statuts := rec.Column(i).(*array.Float64), rec.Column(i+1).(*array.Uint8)
				at := slices.IndexFunc(header, func(h string) bool { return strings.TrimSpace(h) == name })
				for r := range int(rec.NumRows()) {
					raw := strings.NewReplacer("\u202F", "", ",", ".").Replace(rows[codes.Value(r)][at])
					want, err := strconv.ParseFloat(raw, 64)
					absent := raw == ""
					if !absent && err != nil {
						t.Fatalf("%s: %s: %q", base, name, raw)
					}
					if absent != values.IsNull(r) || absent != (indicators.Statut(statuts.Value(r)) != indicators.Disponible) {
						t.Errorf("%s: %s: %s: %q read as null=%v, %s", base, codes.Value(r), name, raw, values.IsNull(r), indicators.Statut(statuts.Value(r)))
					}
					if !absent && math.Abs(values.Value(r)-want) > 0 {
						t.Errorf("%s: %s: %s = %v, want %v", base, codes.Value(r), name, values.Value(r), want)
					}
					if !absent {
						figures++
					}
				}
			}
		}
		src, err := table.Source()
		if err != nil {
			t.Error(err)
		}
		delete(rows, "Ensemble")
		if src.Kept != 3 || src.Rows != len(rows) || figures < 3*8 {
			t.Errorf("%s: %d rows, %d kept, %d figures; want %d rows, 3 kept", base, src.Rows, src.Kept, figures, len(rows))
		}
		table.Release()
	}
}

// Every published table that a card describes is read to the end without a bad cell.
func TestRealTablesParse(t *testing.T) {
	dir := realDir(t)
	cat := bundled(t)
	used := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, c := range cat.Match(d.Name()) {
			if c.Kind != "table" {
				continue
			}
			used[c.ID] = true
			table, err := Open(context.Background(), path, c, Scope{})
			if err != nil {
				t.Error(err)
				continue
			}
			var rows int64
			for table.Next() {
				rows += table.Record().NumRows()
			}
			src, err := table.Source()
			if err != nil || rows == 0 || int64(src.Kept) != rows || src.Edition == 0 || src.Vintage == 0 {
				t.Errorf("%s: %d rows, %+v: %v", d.Name(), rows, src, err)
			}
			for _, remarque := range src.Remarques {
				t.Log(remarque)
			}
			table.Release()
			t.Logf("%-55s %-22s %6d rows, %3d fields", d.Name(), c.ID, rows, len(table.Schema().Fields()))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cat.Cards() {
		if c.Kind == "table" && !used[c.ID] {
			t.Errorf("no file for the card %s", c.ID)
		}
	}
}
