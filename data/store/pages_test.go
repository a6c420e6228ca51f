package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestPages compares the rows read from the pages of a file with those that SQLite gives: rows of a page and of many, in
// pages of every size, and what someone's edits leave.
func TestPages(t *testing.T) {
	ctx := context.Background()
	for _, size := range []int{512, 1024, 4096, 65536} {
		rng := rand.New(rand.NewPCG(1, uint64(size)))
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.gpkg", size))
		db, err := sql.Open("sqlite", sqliteURI(path, fmt.Sprintf("_pragma=page_size(%d)", size)))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		exec := func(q string, args ...any) {
			t.Helper()
			if _, err := db.ExecContext(ctx, q, args...); err != nil {
				t.Fatal(err)
			}
		}
		exec("CREATE TABLE z (fid INTEGER PRIMARY KEY, geom BLOB, n INTEGER, code TEXT, x DOUBLE)")
		blob := func() []byte {
			b := make([]byte, rng.IntN(1<<rng.IntN(18)))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		}
		exec("BEGIN")
		for i := range 600 {
			exec("INSERT INTO z (geom, n, code, x) VALUES (?, ?, ?, ?)", blob(), int64(rng.Uint64())>>rng.UintN(64), fmt.Sprintf("É%d", i), rng.Float64())
		}
		exec("COMMIT")
		for round := range 2 { // as written, then edited
			rows, err := db.Query("SELECT fid, geom, code FROM z ORDER BY fid")
			if err != nil {
				t.Fatal(err)
			}
			type row struct {
				fid  int64
				geom []byte
				code []byte
			}
			var want, got []row
			for rows.Next() {
				var r row
				if err := rows.Scan(&r.fid, &r.geom, &r.code); err != nil {
					t.Fatal(err)
				}
				want = append(want, r)
			}
			root, places, err := columnPlaces(ctx, db, "z", []string{"geom", "code"})
			if err != nil || !slices.Equal(places, []int{1, 3}) {
				t.Fatalf("%v, %v", places, err)
			}
			p, err := openPages(path)
			if err != nil {
				t.Fatal(err)
			}
			defer p.file.Close()
			leaves, err := p.leaves(root)
			if err != nil {
				t.Fatal(err)
			}
			r := &rowReader{window: window{pages: p}}
			for _, l := range leaves {
				if err := r.rows(l.page, func(int64) bool { return true }, func(fid int64, values [][]byte) error {
					got = append(got, row{fid, bytes.Clone(values[1]), bytes.Clone(values[3])})
					if fid > l.last {
						t.Errorf("row %d is in a leaf that ends at %d", fid, l.last)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.EqualFunc(want, got, func(a, b row) bool {
				return a.fid == b.fid && bytes.Equal(a.geom, b.geom) && bytes.Equal(a.code, b.code)
			}) {
				t.Errorf("pages of %d bytes: %d rows read are not the %d of SQLite", size, len(got), len(want))
			}
			if round == 1 {
				break
			}
			exec("DELETE FROM z WHERE fid % 3 = 0")
			exec("UPDATE z SET geom = zeroblob(7000), fid = fid + 100000 WHERE fid % 5 = 0")
			exec("ALTER TABLE z ADD COLUMN note TEXT")
			exec("INSERT INTO z VALUES (-4, NULL, NULL, NULL, NULL, 'ajout')")
		}
	}
}

// TestPagesDamaged overwrites bytes of a file anywhere: an error or other values, and always an end.
func TestPagesDamaged(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "z.gpkg")
	db, err := sql.Open("sqlite", sqliteURI(path, "_pragma=page_size(512)"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, `CREATE TABLE z (fid INTEGER PRIMARY KEY, geom BLOB, code TEXT);
		WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 300)
		INSERT INTO z SELECT n, zeroblob(n * 7), 'Q' || n FROM i`); err != nil {
		t.Fatal(err)
	}
	root, _, err := columnPlaces(ctx, db, "z", []string{"geom"})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	refused := 0
	for range 500 {
		b := bytes.Clone(whole)
		for range 1 + rng.IntN(40) {
			b[rng.IntN(len(b))] = byte(rng.Uint32() >> rng.UintN(8))
		}
		if rng.IntN(8) == 0 {
			b = b[:rng.IntN(len(b))]
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := func() error {
			p, err := openPages(path)
			if err != nil {
				return err
			}
			defer p.file.Close()
			leaves, err := p.leaves(root)
			if err != nil {
				return err
			}
			r := &rowReader{window: window{pages: p}}
			for _, l := range leaves {
				if err := r.rows(l.page, func(int64) bool { return true }, func(int64, [][]byte) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		}(); err != nil {
			refused++
		}
	}
	if refused < 125 {
		t.Errorf("%d of 500 damaged files were refused", refused)
	}
}
