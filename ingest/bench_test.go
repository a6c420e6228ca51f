package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"observatoire/data/store"
	"observatoire/indicators"
)

// wideCard describes what writeWide writes.
func wideCard(figures int) string {
	var b strings.Builder
	b.WriteString("id: large\nkind: table\nlevel: iris\nvintage: 2022\nfiles: [\"large_{AAAA}.csv\"]\ncaption: \"Source : essai {AAAA}\"\nkey: [IRIS]\n" +
		"notes: {\"1\": signale, \"2\": secret}\nvariables:\n")
	for i := range figures {
		fmt.Fprintf(&b, "  - {id: v%d, columns: C%d, millesime: edition, note: [NOTE%d]}\n", i, i, i%5)
	}
	return b.String()
}

// writeWide writes so many rows of a table like those of INSEE: a code and a label, figures with a decimal comma, some of
// them missing with a NOTE that says why.
func writeWide(w io.Writer, rows, figures int) error {
	r := rand.New(rand.NewPCG(7, 7))
	var b bytes.Buffer
	b.WriteString("IRIS;LIBIRIS;NOTE0;NOTE1;NOTE2;NOTE3;NOTE4")
	for i := range figures {
		fmt.Fprintf(&b, ";C%d", i)
	}
	b.WriteString("\r\n")
	for i := range rows {
		fmt.Fprintf(&b, "%09d;Quartier n° %d", 10_010_101+i, i)
		var notes [5]int
		for k := range notes {
			if r.IntN(20) == 0 {
				notes[k] = 2
			}
			fmt.Fprintf(&b, ";%d", notes[k])
		}
		for k := range figures {
			switch {
			case notes[k%5] == 2:
				b.WriteByte(';')
			case k%3 == 0:
				fmt.Fprintf(&b, ";%d", r.IntN(5000))
			default:
				fmt.Fprintf(&b, ";%d,%d", r.IntN(100), r.IntN(10))
			}
		}
		b.WriteString("\r\n")
		if b.Len() > 1<<20 || i == rows-1 {
			if _, err := b.WriteTo(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// benchTable writes a table of 50 000 rows and 100 columns, and its card.
func benchTable(b *testing.B) (path string, card *Card, bytes int64) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "large_2022.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(writeWide(f, benchRows, benchFigures), f.Close()); err != nil {
		b.Fatal(err)
	}
	if card, err = LoadCard("large.yaml", []byte(wideCard(benchFigures))); err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return path, card, st.Size()
}

const benchRows, benchFigures = 50_000, 93

// BenchmarkTable reads a table of 50 000 rows and 100 columns into Arrow records; the reference is a bare scan of the same
// bytes by encoding/csv.
func BenchmarkTable(b *testing.B) {
	path, card, size := benchTable(b)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			t, err := Open(context.Background(), path, card, Scope{})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for t.Next() {
				n += int(t.Record().NumRows())
			}
			if err := t.Err(); err != nil || n != benchRows {
				b.Fatalf("%d rows, %v", n, err)
			}
			t.Release()
		}
	})
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			r := csv.NewReader(f)
			r.Comma, r.ReuseRecord = ';', true
			n := 0
			for ; ; n++ {
				if _, err := r.Read(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
			f.Close()
			if n != benchRows+1 {
				b.Fatalf("%d rows", n)
			}
		}
	})
}

// BenchmarkKeep brings the same table from its file into the store; the references are the loaders of the two databases,
// which keep every cell as text.
func BenchmarkKeep(b *testing.B) {
	path, card, size := benchTable(b)
	keep := func(b *testing.B, address string) {
		ctx := context.Background()
		s, err := store.Open(ctx, address, "")
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		b.SetBytes(size)
		for b.Loop() {
			t, err := Open(ctx, path, card, Scope{})
			if err != nil {
				b.Fatal(err)
			}
			src, _ := t.Source()
			if err := s.PutSource(ctx, src, t, func() (indicators.Source, error) { return t.Source() }); err != nil {
				b.Fatal(err)
			}
			t.Release()
			b.StopTimer()
			if err := s.DropSource(ctx, src.ID); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	run := func(b *testing.B, name string, args ...string) {
		b.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			b.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	b.Run("GeoPackage", func(b *testing.B) { keep(b, filepath.Join(b.TempDir(), "observatoire.gpkg")) })
	b.Run("sqlite3", func(b *testing.B) {
		if _, err := exec.LookPath("sqlite3"); err != nil {
			b.Skip("sqlite3 is not installed")
		}
		b.SetBytes(size)
		for b.Loop() {
			to := filepath.Join(b.TempDir(), "import"+strconv.Itoa(b.N)+".db")
			run(b, "sqlite3", to, ".mode csv", ".separator ;", ".import "+path+" t")
			b.StopTimer()
			os.Remove(to)
			b.StartTimer()
		}
	})
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	schema := fmt.Sprintf("banc_%d_%d", os.Getpid(), time.Now().UnixNano())
	psql := func(b *testing.B, commands ...string) {
		args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", "SET client_min_messages = warning"}
		for _, c := range commands {
			args = append(args, "-c", c)
		}
		run(b, "psql", args...)
	}
	b.Run("PostGIS", func(b *testing.B) {
		if dsn == "" {
			b.Skip("OBSERVATOIRE_TEST_PG, a PostGIS database, is not set")
		}
		b.Cleanup(func() { psql(b, "DROP SCHEMA IF EXISTS "+schema+" CASCADE") })
		keep(b, dsn+"&schema="+schema)
	})
	b.Run("psql", func(b *testing.B) {
		if dsn == "" {
			b.Skip("OBSERVATOIRE_TEST_PG, a PostGIS database, is not set")
		}
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		header, err := bufio.NewReader(f).ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		table := "CREATE TABLE t (" + strings.ReplaceAll(strings.TrimSpace(header), ";", " text, ") + " text)"
		b.Cleanup(func() { psql(b, "DROP SCHEMA IF EXISTS "+schema+" CASCADE") })
		b.SetBytes(size)
		for b.Loop() {
			b.StopTimer()
			psql(b, "DROP SCHEMA IF EXISTS "+schema+" CASCADE", "CREATE SCHEMA "+schema)
			b.StartTimer()
			psql(b, "SET search_path TO "+schema, table, "\\copy t FROM '"+path+"' WITH (FORMAT csv, DELIMITER ';', HEADER)")
		}
	})
}
