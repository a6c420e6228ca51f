package ingest

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// writeWorkbook writes an XLSX of so many rows of 20 figures and 2 texts of their own, shared as Excel shares them, and
// gives the bytes of its XML.
func writeWorkbook(t *testing.T, path string, rows int) int64 {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	z := zip.NewWriter(out)
	xml := int64(0)
	part := func(name string, write func(w io.Writer)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		b := bufio.NewWriterSize(w, 1<<16)
		count := &counting{w: b}
		write(count)
		xml += count.n
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	text := func(s string) func(io.Writer) { return func(w io.Writer) { io.WriteString(w, s) } }
	part("[Content_Types].xml", text(`<Types/>`))
	part("_rels/.rels", text(`<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>`))
	part("xl/workbook.xml", text(`<workbook xmlns:r="r"><sheets><sheet name="F" r:id="r1"/></sheets></workbook>`))
	part("xl/_rels/workbook.xml.rels", text(`<Relationships><Relationship Id="r1" Type="x/worksheet" Target="s.xml"/><Relationship Id="r2" Type="x/sharedStrings" Target="t.xml"/></Relationships>`))
	part("xl/s.xml", func(w io.Writer) {
		io.WriteString(w, `<worksheet><sheetData>`)
		for i := range rows {
			fmt.Fprintf(w, `<row r="%d"><c t="s"><v>%d</v></c><c t="s"><v>%d</v></c>`, i+1, 2*i, 2*i+1)
			for k := range 20 {
				fmt.Fprintf(w, `<c><v>%d.%d</v></c>`, (i*7919+k*104729)%1000003, k)
			}
			io.WriteString(w, `</row>`)
		}
		io.WriteString(w, `</sheetData></worksheet>`)
	})
	part("xl/t.xml", func(w io.Writer) {
		io.WriteString(w, `<sst>`)
		for i := range rows {
			fmt.Fprintf(w, `<si><t>%s</t></si><si><t>%s</t></si>`, bigText(2*i), bigText(2*i+1))
		}
		io.WriteString(w, `</sst>`)
	})
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return xml
}

// bigText is the shared text of that number: one of 150 to 160 bytes.
func bigText(i int) string {
	return fmt.Sprintf("%09d", i*7919) + strings.Repeat("Étang de l'Olivier, ", 7)
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}

// heapOf reads a table whole and gives the most memory in use meanwhile, in MiB, and its rows.
func heapOf(t *testing.T, path string, check func(row int, cells []string)) (peak uint64, rows int) {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base := m.HeapAlloc
	r, _, err := OpenRows(path, Layout{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	look := func() {
		runtime.ReadMemStats(&m)
		peak = max(peak, (max(m.HeapAlloc, base)-base)>>20)
	}
	for look(); r.Next(); rows++ {
		if check != nil {
			check(rows, r.Cells())
		}
		if rows%1000 == 0 {
			look()
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return peak, rows
}

// TestLargeFiles reads a workbook and a CSV, and the memory it takes does not follow their size. With OBSERVATOIRE_BIG
// set they are of 0.8 GB of XML and 2 GB; a third of the workbook is its shared texts, which then go to a file.
func TestLargeFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("a file of many megabytes")
	}
	rows, csvMB := 6_000, int64(10)
	if os.Getenv("OBSERVATOIRE_BIG") != "" {
		rows, csvMB = 1_000_000, 2048
	}
	dir := t.TempDir()
	book := filepath.Join(dir, "w.xlsx")
	xml := writeWorkbook(t, book, rows)
	peak, n := heapOf(t, book, func(row int, cells []string) {
		if cells[0] != bigText(2*row) || cells[1] != bigText(2*row+1) || len(cells) != 22 {
			t.Fatalf("row %d: %q", row, cells)
		}
	})
	t.Logf("workbook of %d MB of XML, %d rows: %d MiB", xml>>20, n, peak)
	if n != rows || peak > 200 {
		t.Errorf("%d rows, %d MiB", n, peak)
	}

	table := filepath.Join(dir, "t.csv")
	f, err := os.Create(table)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	size, want := int64(0), 0
	for ; size < csvMB<<20; want++ {
		k, _ := fmt.Fprintf(w, "%09d;Étang de l'Olivier;%d,%d;\"%d\";s;;%d\n", want, want*7919%1000003, want%10, want*104729, want)
		size += int64(k)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	peak, n = heapOf(t, table, nil)
	t.Logf("CSV of %d MB, %d rows: %d MiB", size>>20, n, peak)
	if n != want || peak > 64 {
		t.Errorf("%d rows, want %d, %d MiB", n, want, peak)
	}
}
