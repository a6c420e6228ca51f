package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A run takes less than 300 MB, whatever the size of a table and however much of it is of the territory: what the system counts, the
// store's own memory included. OBSERVATOIRE_BIG asks for tables of 2 GB, and a workbook of 1 GB of XML; above 1 it is the size
// of the tables in megabytes.
func TestBigTable(t *testing.T) {
	if testing.Short() {
		t.Skip("tables of many megabytes")
	}
	size := int64(48)
	if asked := os.Getenv("OBSERVATOIRE_BIG"); asked != "" {
		size = 2048
		if n, err := strconv.ParseInt(asked, 10, 64); err == nil && n > 1 {
			size = n
		}
	}
	small := peakOfRun(t, "large_2022.csv", 1<<20, 1)
	for _, tt := range []struct {
		name, file string
		size       int64 // MB
		oneIn      int   // rows, one is of the territory
	}{
		{"a national table", "large_2022.csv", size, 500},
		{"a table of the territory", "large_2022.csv", size, 1},
		{"a workbook of the territory", "large_2022.xlsx", size / 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			most := peakOfRun(t, tt.file, tt.size<<20, tt.oneIn)
			t.Logf("%d MB: %d MB of memory, %d for 1 MB", tt.size, most, small)
			if most >= 300 || most > small+100+tt.size/10 {
				t.Errorf("the run took %d MB of memory, and %d for 1 MB", most, small)
			}
		})
	}
}

// peakOfRun runs the demonstration with a table of so many bytes, of which a row in oneIn is of the territory, and gives
// the most memory it took, in megabytes.
func peakOfRun(t *testing.T, file string, size int64, oneIn int) int64 {
	t.Helper()
	dir := demoProject(t)
	const figures = 93
	var card strings.Builder
	card.WriteString("id: large\nkind: table\nlevel: iris\nvintage: 2022\nfiles: [\"large_{AAAA}.csv\", \"large_{AAAA}.xlsx\"]\ncaption: \"Source : essai {AAAA}\"\nkey: [IRIS]\nvariables:\n")
	header := []string{"IRIS", "LIBIRIS"}
	for i := range figures {
		fmt.Fprintf(&card, "  - {id: v%d, columns: C%d, millesime: edition}\n", i, i)
		header = append(header, "C"+strconv.Itoa(i))
	}
	config := filepath.Join(dir, "observatoire.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("\ntables:\n"), []byte("\ntables:\n  - {card: large, file: donnees/"+file+"}\n"), 1)
	path := filepath.Join(dir, "donnees", file)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(row func([]string) int64) {
		cells := make([]string, figures+2)
		for i, wrote := 0, row(header); wrote < size; i++ {
			departement := 20_000_000 + i // elsewhere
			if i%oneIn == 0 {
				departement = 130_000_000 + i/oneIn
			}
			cells[0], cells[1] = fmt.Sprintf("%09d", departement), fmt.Sprintf("Quartier n° %d", i)
			for k := range figures {
				cells[k+2] = strconv.Itoa((i*7919 + k*104729) % 4999)
				if k%3 > 0 {
					cells[k+2] += "." + strconv.Itoa((i+k)%10)
				}
			}
			wrote += row(cells)
		}
	}
	if filepath.Ext(file) == ".csv" {
		w := bufio.NewWriterSize(f, 1<<20)
		rows(func(cells []string) int64 {
			n, _ := fmt.Fprintln(w, strings.Join(cells, ";"))
			return int64(n)
		})
		err = w.Flush()
	} else {
		err = writeSheet(f, rows)
	}
	err = errors.Join(err, f.Close(), os.WriteFile(config, text, 0o666),
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
	t.Logf("%v of processors\n%s", cmd.ProcessState.UserTime(), said)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
}

// writeSheet writes a workbook of one sheet, its texts in their cells.
func writeSheet(f io.Writer, rows func(row func([]string) int64)) error {
	z := zip.NewWriter(f)
	var errs []error
	part := func(name, text string) io.Writer {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		errs = append(errs, err)
		return w
	}
	part("[Content_Types].xml", `<Types/>`)
	part("_rels/.rels", `<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>`)
	part("xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="F" r:id="r1"/></sheets></workbook>`)
	part("xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="r1" Type="x/worksheet" Target="s.xml"/></Relationships>`)
	w := bufio.NewWriterSize(part("xl/s.xml", `<worksheet><sheetData>`), 1<<20)
	line := 0
	rows(func(cells []string) int64 {
		line++
		n, _ := fmt.Fprintf(w, `<row r="%d">`, line)
		for i, cell := range cells {
			m := 0
			if i < 2 || line == 1 {
				m, _ = fmt.Fprintf(w, `<c t="inlineStr"><is><t>%s</t></is></c>`, cell)
			} else {
				m, _ = fmt.Fprintf(w, `<c><v>%s</v></c>`, cell)
			}
			n += m
		}
		k, _ := w.WriteString(`</row>`)
		return int64(n + k)
	})
	_, err := w.WriteString(`</sheetData></worksheet>`)
	return errors.Join(append(errs, err, w.Flush(), z.Close())...)
}
