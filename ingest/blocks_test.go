package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
)

// A table read by blocks on all processors is what it is read row by row: figures, statuts, counts and errors.
func TestBlocksAgreeWithRows(t *testing.T) {
	plain := []string{"12", "0", "-8,4", "36,6", "0,208", "1234567,5", "", "", "3048", "-0,0"}
	odd := []string{"1 623", "21\u202f470,5", "s", "NS", "nd", "///", " 7 ", "+4", "\u22123,5", "123456789012345678", "00012", "-", ",5", "0,1234567890123456"}
	wrong := []string{"12,5,6", "1e5", "abc", "12%", "5,", "17.470"}
	for _, tt := range []struct {
		name    string
		odd     float64 // share of cells
		wrong   int     // cells in all
		quotes  bool
		latin   bool
		decimal string
		tokens  string
	}{
		{name: "plain"},
		{name: "odd", odd: 0.02},
		{name: "wrong", odd: 0.02, wrong: 5},
		{name: "more wrong than are listed", wrong: 300},
		{name: "quotes", odd: 0.02, wrong: 3, quotes: true},
		{name: "windows-1252", latin: true},
		{name: "decimal comma said", odd: 0.01, wrong: 5, decimal: ","},
		{name: "numbers that are tokens", odd: 0.01, tokens: `{"-": sans_objet, "3048": secret, "-8,4": sans_objet, "0": non_significatif}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			const rows = 12_000
			bad := map[int]bool{}
			for range tt.wrong {
				bad[r.IntN(rows*5)] = true
			}
			var b strings.Builder
			b.WriteString("Tableau\r\n\r\nIRIS;LIBELLE;MED19;NOTE19;ABC;FEMMES;P16_POP;P22_POP;;;\r\n")
			for i := range rows {
				cell := func(k int) string {
					switch {
					case bad[i*5+k]:
						return wrong[r.IntN(len(wrong))]
					case r.Float64() < tt.odd:
						return strings.ReplaceAll(odd[r.IntN(len(odd))], "-", "")
					}
					return plain[r.IntN(len(plain))]
				}
				name := "Prépaou"
				if tt.quotes && i > rows/2 && i%10 == 0 {
					name = "\"a; \"\"b\"\"\nc\""
				}
				code := fmt.Sprintf("%09d", 10_010_000+i)
				switch {
				case i%5000 == 4999 && tt.wrong > 0:
					code = "010010007" // a second time
				case i%3000 == 2999:
					b.WriteString(";;;;\r\n\r\n")
				case i%1000 == 999:
					code = "Ensemble"
				case i%700 == 699:
					code = fmt.Sprintf("9%08d", i) // elsewhere
				case i%900 == 899:
					code = fmt.Sprintf("8%08d", i) // unknown
				}
				note := []string{"0", "0", "1", "2", ""}[r.IntN(5)]
				if i == 7000 {
					note = "9"
				}
				fmt.Fprintf(&b, "%s;%s;%s;%s;%s;%s;%s;%s;;\r\n", code, name, cell(0), note, cell(1), cell(2), cell(3), cell(4))
			}
			text, card := b.String(), tableCard
			if tt.latin {
				var err error
				if text, err = charmap.Windows1252.NewEncoder().String(text); err != nil {
					t.Fatal(err)
				}
			}
			if tt.decimal != "" {
				card += "table: {decimal: \"" + tt.decimal + "\"}\n"
			}
			if tt.tokens != "" {
				card = strings.Replace(card, `tokens: {"-": sans_objet}`, "tokens: "+tt.tokens, 1)
			}
			scope := Scope{
				Keep:  func(_, code string) bool { return code[0] != '9' },
				Known: func(_ string, _ int, code string) bool { return code[0] != '8' },
			}
			read := func(byRows bool) string {
				table, err := openText(t, card, "essai_2019.csv", text, scope)
				if err != nil {
					t.Fatal(err)
				}
				table.begun = byRows
				var out bytes.Buffer
				if tt.wrong == 0 {
					out.WriteString(dump(t, table))
				} else { // figures of a table that is refused go nowhere
					for table.Next() {
					}
					table.Release()
				}
				src, err := table.Source()
				fmt.Fprintf(&out, "%+v\n%v\n", src, err)
				return strings.ReplaceAll(out.String(), table.path, "essai_2019.csv")
			}
			want := read(true)
			if lines := strings.Count(want, "\n"); tt.wrong == 0 && lines < 5*rows*9/10 || tt.wrong > 0 && lines < tt.wrong/3 {
				t.Fatalf("%d lines: %.500s", lines, want)
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(read(false), "\n")); diff != "" {
				t.Errorf("(-row by row +by blocks)\n%.2000s", diff)
			}
		})
	}
}

// A table given up in the middle leaves nobody behind.
func TestBlocksStopped(t *testing.T) {
	var text bytes.Buffer
	if err := writeWide(&text, 20_000, 20); err != nil {
		t.Fatal(err)
	}
	table, err := openText(t, wideCard(20), "large_2022.csv", text.String(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if !table.Next() {
		t.Fatal(table.Err())
	}
	table.Release()
}

// A record that is retained keeps its figures, whatever is read after it.
func TestBlocksRetained(t *testing.T) {
	var text bytes.Buffer
	if err := writeWide(&text, 20_000, 20); err != nil {
		t.Fatal(err)
	}
	table, err := openText(t, wideCard(20), "large_2022.csv", text.String(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	var kept []arrow.Record
	var said []string
	for table.Next() {
		if len(said)%3 == 0 {
			table.Record().Retain()
			kept = append(kept, table.Record())
		} else {
			kept = append(kept, nil)
		}
		said = append(said, fmt.Sprint(table.Record()))
	}
	if table.Err() != nil || len(said) < 10 {
		t.Fatalf("%d records, %v", len(said), table.Err())
	}
	for i, r := range kept {
		if r == nil {
			continue
		}
		if fmt.Sprint(r) != said[i] {
			t.Errorf("record %d changed after it was given", i)
		}
		r.Release()
	}
}

// The short ways to read a number give the same bits as the long one, or leave the cell to it.
func TestPlainNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const alphabet = "001234567890123456789012345678901234567890123456789,,..- /:;s\xc3\xae\x00"
	n, short := 0, 0
	for range 1_000_000 {
		b := make([]byte, 0, 32)
		for range r.IntN(17) {
			b = append(b, alphabet[r.IntN(len(alphabet))])
		}
		s := string(b)
		want, err := parseNumber(s, "")
		check := func(way string, v float64, fraction int, mark byte) {
			if err != nil || math.Float64bits(v) != math.Float64bits(want) {
				t.Fatalf("%q is read as %v the %s way; the long way %v, %v", s, v, way, want, err)
			}
			if at := strings.IndexAny(s, ",."); at < 0 != (mark == 0) || at >= 0 && (mark != s[at] || fraction != len(s)-at-1) {
				t.Fatalf("%q: mark %q, %d digits after it, the %s way", s, mark, fraction, way)
			}
		}
		v, fraction, mark, ok := plainNumber(b)
		if ok {
			n++
			check("plain", v, fraction, mark)
		}
		if len(b) == 0 || len(b) > wordBytes {
			continue
		}
		after := append(b, ";12,5.-\xff"...) // what stands behind a cell is not of it
		v, fraction, mark, taken := shortNumber(binary.LittleEndian.Uint64(after), len(b))
		if taken {
			short++
			check("short", v, fraction, mark)
		}
		if taken != ok && (taken || b[0] != '-') {
			t.Fatalf("%q: taken the short way %v, the plain way %v", s, taken, ok)
		}
	}
	if n < 50_000 || short < 50_000 {
		t.Fatalf("%d and %d numbers only", n, short)
	}
}
