package ingest

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

// BenchmarkTable reads a table of 50 000 rows and 100 columns into Arrow records; the reference is a bare scan of the same
// bytes by encoding/csv.
func BenchmarkTable(b *testing.B) {
	const rows, figures = 50_000, 93
	path := filepath.Join(b.TempDir(), "large_2022.csv")
	var text bytes.Buffer
	if err := writeWide(&text, rows, figures); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	card, err := LoadCard("large.yaml", []byte(wideCard(figures)))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			t, err := Open(context.Background(), path, card, Scope{})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for t.Next() {
				n += int(t.Record().NumRows())
			}
			if err := t.Err(); err != nil || n != rows {
				b.Fatalf("%d rows, %v", n, err)
			}
			t.Release()
		}
	})
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(text.Len()))
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
			if n != rows+1 {
				b.Fatalf("%d rows", n)
			}
		}
	})
}
