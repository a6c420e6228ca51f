package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A national table of 2 GB, of which a row in 500 is of the territory, is taken in by a run in less than 300 MB: what the
// system counts, the store's own memory included. OBSERVATOIRE_BIG asks for it; above 1 it is a size in megabytes.
func TestBigTable(t *testing.T) {
	asked := os.Getenv("OBSERVATOIRE_BIG")
	if asked == "" {
		t.Skip("OBSERVATOIRE_BIG is not set: a table of 2 GB is written and read")
	}
	size := int64(2048)
	if n, err := strconv.ParseInt(asked, 10, 64); err == nil && n > 1 {
		size = n
	}
	size <<= 20
	dir := demoProject(t)
	const figures = 93
	var card, header strings.Builder
	card.WriteString("id: large\nkind: table\nlevel: iris\nvintage: 2022\nfiles: [\"large_{AAAA}.csv\"]\ncaption: \"Source : essai {AAAA}\"\nkey: [IRIS]\nvariables:\n")
	header.WriteString("IRIS;LIBIRIS")
	for i := range figures {
		fmt.Fprintf(&card, "  - {id: v%d, columns: C%d, millesime: edition}\n", i, i)
		fmt.Fprintf(&header, ";C%d", i)
	}
	config := filepath.Join(dir, "observatoire.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("\ntables:\n"), []byte("\ntables:\n  - {card: large, file: donnees/large_2022.csv}\n"), 1)
	path := filepath.Join(dir, "donnees", "large_2022.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	n, _ := fmt.Fprintln(w, header.String())
	row := make([]byte, 0, 1024)
	for i, wrote := 0, int64(n); wrote < size; i++ {
		departement := 20_000_000 + i // elsewhere
		if i%500 == 0 {
			departement = 130_000_000 + i/500
		}
		row = fmt.Appendf(row[:0], "%09d;Quartier n° %d", departement, i)
		for k := range figures {
			row = strconv.AppendInt(append(row, ';'), int64((i*7919+k*104729)%4999), 10)
			if k%3 > 0 {
				row = append(row, ',', '0'+byte(i+k)%10)
			}
		}
		k, _ := w.Write(append(row, '\n'))
		wrote += int64(k)
	}
	err = errors.Join(w.Flush(), f.Close(), os.WriteFile(config, text, 0o666),
		os.WriteFile(filepath.Join(dir, "cards", "large.yaml"), []byte(card.String()), 0o666))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-C", dir, "run")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	most := usage.Maxrss >> 10
	t.Logf("a table of %d MB: %d MB at the most, %v of processors\n%s", size>>20, most, cmd.ProcessState.UserTime(), said)
	if most >= 300 {
		t.Errorf("the run took %d MB of memory", most)
	}
}
