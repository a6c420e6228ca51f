package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"observatoire/data/store"
	"observatoire/indicators"
)

// The memory that reading a table and keeping it take does not grow with the file, but for the place of its keys.
// OBSERVATOIRE_LARGE is the size to try, in megabytes: 2000 takes some minutes and twice as much room on the disk.
func TestMemoryIsBounded(t *testing.T) {
	large := 60
	if s := os.Getenv("OBSERVATOIRE_LARGE"); s != "" {
		var err error
		if large, err = strconv.Atoi(s); err != nil {
			t.Fatalf("OBSERVATOIRE_LARGE: %v", err)
		}
	} else if testing.Short() {
		t.Skip("a table of 60 MB is written and read")
	}
	const figures = 93
	card, err := LoadCard("large.yaml", []byte(wideCard(figures)))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	// peak reads a table of so many megabytes into a store, and gives the most memory in use meanwhile, in megabytes.
	peak := func(megabytes int) uint64 {
		dir := t.TempDir()
		path := filepath.Join(dir, "large_2022.csv")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		rows := megabytes * 1_000_000 / 474 // bytes a row
		if err := errors.Join(writeWide(f, rows, figures), f.Close()); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(ctx, filepath.Join(dir, "observatoire.gpkg"), "")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		runtime.GC()
		table, err := Open(ctx, path, card, Scope{})
		if err != nil {
			t.Fatal(err)
		}
		defer table.Release()
		watched := &watch{RecordReader: table}
		src, _ := table.Source()
		if err := s.PutSource(ctx, src, watched, func() (indicators.Source, error) { return table.Source() }); err != nil {
			t.Fatal(err)
		}
		if src, _ := table.Source(); src.Kept != rows {
			t.Fatalf("%d rows kept of %d", src.Kept, rows)
		}
		os.Remove(path)
		return watched.most >> 20
	}
	small, big := peak(10), peak(large)
	t.Logf("%d MB for a file of 10 MB, %d MB for one of %d MB", small, big, large)
	if big > 300 || big > small+60+uint64(large)/10 {
		t.Errorf("a file of %d MB takes %d MB of memory, one of 10 MB takes %d", large, big, small)
	}
}

// A watch looks at the memory in use at each record.
type watch struct {
	array.RecordReader
	most uint64
}

func (w *watch) Next() bool {
	ok := w.RecordReader.Next()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.most = max(w.most, m.HeapInuse+m.StackInuse)
	return ok
}
