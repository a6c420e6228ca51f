package ingest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/go-cmp/cmp"

	"observatoire/indicators"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const tableCard = `id: essai
kind: table
level: iris
vintage: edition+1
files: ["essai_{AAAA}.csv"]
caption: "Source : essai {AAAA}"
key: [IRIS]
key_width: 9
drop: [Ensemble]
tokens: {"-": sans_objet}
notes: {"1": signale, "2": secret}
variables:
  - {id: niveau, columns: "MED{AA}", millesime: edition, note: ["NOTE{AA}", note]}
  - {id: chomeurs, columns: {T: ABC, F: [ABC_F, FEMMES]}, millesime: edition-1}
  - {id: population, columns: "P{AA}_POP", millesime: column}
  - {id: part, columns: PART, millesime: inconnu, optional: true}
`

const tableText = "\uFEFFTableau d'essai;;\r\n\r\n" +
	"IRIS;LIBELLE;MED19;NOTE19; ABC ;FEMMES;P16_POP;P22_POP;;;\r\n" +
	"Ensemble;Tous;20 000;0;99;50;1;1;;;\r\n" +
	"010010000;Un;21\u202F470,5;0;12;5;3048.0;2894;;;\r\n" +
	"10020000;Zéro perdu;15000;1;0;;1 623;1 734  ;;;\r\n" +
	"010030000;\"Caché; deux\";;2;s;NS;nd;///;;;\r\n" +
	"010040000;Vide;;;;-;\"22,6\";n.d.\r\n" +
	"750560000;Ailleurs;pas lu;0;1;1;1;1\r\n" +
	"019990000;Inconnu;1;0;1;1;1;1\r\n" +
	";;;;;;;\r\n" +
	";Source : essai;;;;;;"

func openText(t *testing.T, card, name, text string, s Scope) (*Table, error) {
	t.Helper()
	c, err := LoadCard("essai.yaml", []byte(card))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(context.Background(), path, c, s)
}

// dump prints a table as lines of code, column, value, statut.
func dump(t *testing.T, table *Table) string {
	t.Helper()
	defer table.Release()
	var b strings.Builder
	for table.Next() {
		rec := table.Record()
		for r := range int(rec.NumRows()) {
			for i, f := range rec.Schema().Fields() {
				v, ok := rec.Column(i).(*array.Float64)
				if !ok {
					continue
				}
				fmt.Fprintf(&b, "%s;%s;%s;%s", rec.Column(0).ValueStr(r), f.Name, strings.TrimPrefix(v.ValueStr(r), array.NullValueStr),
					indicators.Statut(rec.Column(i+1).(*array.Uint8).Value(r)))
				if i+2 < int(rec.NumCols()) && strings.HasSuffix(rec.ColumnName(i+2), "__signale") && rec.Column(i+2).(*array.Boolean).Value(r) {
					b.WriteString(";signalé")
				}
				b.WriteByte('\n')
			}
		}
	}
	if err := table.Err(); err != nil {
		t.Error(err)
	}
	return b.String()
}

func TestTableGolden(t *testing.T) {
	scope := Scope{
		Keep:  func(_, code string) bool { return strings.HasPrefix(code, "01") },
		Known: func(_ string, vintage int, code string) bool { return vintage == 2020 && code != "019990000" },
	}
	table, err := openText(t, tableCard, "essai_2019.csv", tableText, scope)
	if err != nil {
		t.Fatal(err)
	}
	got := dump(t, table)
	src, _ := table.Source()
	if len(src.SHA256) != 64 || len(src.CardHash) != 64 || src.Bytes != int64(len(tableText)) {
		t.Errorf("source %+v", src)
	}
	got += fmt.Sprintf("\n%s : %d, géographie %d, « %s », %d lignes, %d retenues, inconnus %v\n",
		src.ID, src.Edition, src.Vintage, src.Caption, src.Rows, src.Kept, src.Unknown)
	for _, remarque := range src.Remarques {
		got += remarque + "\n"
	}
	const golden = "testdata/table.golden"
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTableRefuses(t *testing.T) {
	swap := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(tableText) }
	tests := []struct {
		name, card, text string
		want             []string
	}{
		{"not a number", tableCard, swap("21\u202F470,5", "12,5,6", "1 623", "1e5"), []string{
			`essai_2019.csv:5: MED19: "12,5,6" is not a number: correct the cell, or say what it means under tokens in the card essai`,
			`essai_2019.csv:6: P16_POP: "1e5" is written with an exponent: write all its digits`,
			`essai_2019.csv:9: MED19: "pas lu" is not a number`}},
		{"same key twice", tableCard, swap("010040000", "010010000", "pas lu", "1"), []string{
			`essai_2019.csv:8: IRIS: "010010000" is on line 5 already: keep one of the two rows`}},
		{"no code", tableCard, swap("010040000;Vide;;", ";Vide;3;", "pas lu", "1"), []string{"essai_2019.csv:8: IRIS: empty code"}},
		{"missing column", tableCard, swap("MED19", "MEDIANE", "FEMMES", "ABC_H"), []string{
			`essai_2019.csv:3: no column "MED19" for niveau (nearest:`, `no column "ABC_F", "FEMMES" for chomeurs (nearest: ABC_H`}},
		{"missing key", tableCard, swap("IRIS;", "CODE_IRIS;"), []string{`no header with a column "IRIS" (nearest: CODE_IRIS`}},
		{"column twice", tableCard, swap("LIBELLE", "ABC"), []string{`essai_2019.csv:3: two columns are named "ABC" (2 and 5): rename one`}},
		{"row cut short", tableCard, swap("pas lu", "1") + "\r\n010090000;Fin;12", []string{": IRIS: 3 cells where the header has", "the row was cut"}},
		{"a separator too many", tableCard, swap("pas lu", "1", "\r\n019990000", ";;;;;;de trop\r\n019990000"), []string{": IRIS: ", "quote the cells that hold the separator"}},
		{"thousands by a point", tableCard, swap("pas lu", "17.470"), []string{`essai_2019.csv:9: MED19: "17.470"`, "write it without a mark between thousands"}},
		{"decimal mark", strings.Replace(tableCard, "drop:", "table: {decimal: \",\"}\ndrop:", 1), swap("pas lu", "1"), []string{
			`essai_2019.csv:5: P16_POP: "3048.0" is not a number: the card essai says that the decimal mark is ","`}},
	}
	for _, tt := range tests {
		table, err := openText(t, tt.card, "essai_2019.csv", tt.text, Scope{})
		if err == nil {
			for table.Next() {
			}
			if _, err = table.Source(); !errors.Is(table.Err(), err) {
				t.Errorf("%s: Err and Source differ: %v", tt.name, table.Err())
			}
			table.Release()
		}
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", tt.name, err, want)
			}
		}
	}
}

// A file whose name holds no year cannot be read by a card that needs it, and says so.
func TestTableNeedsItsYear(t *testing.T) {
	if _, err := openText(t, tableCard, "chiffres.csv", tableText, Scope{}); err == nil || !strings.Contains(err.Error(), "does not hold the year") {
		t.Errorf("%v", err)
	}
}

func TestTableListsSoManyBadCells(t *testing.T) {
	var b strings.Builder
	b.WriteString("IRIS;MED19;ABC;ABC_F;P22_POP\n")
	for i := range 2 * maxBad {
		fmt.Fprintf(&b, "%09d;x;1;1;1\n", i+1)
	}
	table, err := openText(t, tableCard, "essai_2019.csv", b.String(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	for table.Next() {
	}
	_, err = table.Source()
	var cell *CellError
	if !errors.As(err, &cell) || cell.Line != 2 || cell.Column != "MED19" {
		t.Errorf("first bad cell: %+v", cell)
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != maxBad+1 || !strings.Contains(err.Error(), "100 more cells cannot be read") {
		t.Errorf("%d lines of errors, want %d and the count of the others", got, maxBad+1)
	}
}

func TestTableBatches(t *testing.T) {
	var b strings.Builder
	b.WriteString("IRIS;MED19;ABC;ABC_F;P22_POP\n")
	for i := range 2*batchRows + 7 {
		fmt.Fprintf(&b, "%09d;%d;1;1;1\n", i, i)
	}
	table, err := openText(t, tableCard, "essai_2019.csv", b.String(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	var sizes []int64
	for table.Next() {
		sizes = append(sizes, table.Record().NumRows())
	}
	if diff := cmp.Diff([]int64{batchRows, batchRows, 7}, sizes); diff != "" || table.Err() != nil {
		t.Errorf("%v %s", table.Err(), diff)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c, _ := LoadCard("essai.yaml", []byte(tableCard))
	stopped, err := Open(ctx, table.path, c, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	defer stopped.Release()
	if stopped.Next() || !errors.Is(stopped.Err(), context.Canceled) {
		t.Errorf("a cancelled reading goes on: %v", stopped.Err())
	}
}

const longCard = `id: long
kind: table
level: qpv
vintage: 2015
files: ["contrat-{AAAA}.csv"]
table: {decimal: ","}
key: [code]
long: {variable: indicateur, sexe: sexe, millesime: millesime, value: valeur, statut: statut, reference: reference, note: note}
`

func TestLongTable(t *testing.T) {
	text := "code;nom;indicateur;sexe;millesime;valeur;reference;note\n" +
		"QP1;Un;part;F;2010;18,45;l. 12;\n" +
		"QP1;Un;part;H;2010;12,45;l. 12;reconstitué\n" +
		"QP1;Un;population;;inconnu;3 100;l. 683;\n" +
		"QP1;Un;absent;T;2012;;;\n"
	table, err := openText(t, longCard, "contrat-2015.csv", text, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	if kind, _ := table.Schema().Metadata().GetValue("kind"); kind != "long" {
		t.Errorf("kind %q", kind)
	}
	var got []string
	for table.Next() {
		rec := table.Record()
		for r := range int(rec.NumRows()) {
			var row []string
			for c := range int(rec.NumCols()) {
				row = append(row, rec.Column(c).ValueStr(r))
			}
			got = append(got, strings.Join(row, "|"))
		}
	}
	want := []string{"QP1|part|F|2010|18.45|0|l. 12|", "QP1|part|H|2010|12.45|0|l. 12|reconstitué",
		"QP1|population|T|0|3100|0|l. 683|", "QP1|absent|T|2012|(null)|3||"}
	if diff := cmp.Diff(want, got); diff != "" || table.Err() != nil {
		t.Errorf("%v (-want +got):\n%s", table.Err(), diff)
	}

	bad, err := openText(t, longCard, "contrat-2015.csv", text+"QP1;Un;part;F;2010;1;;\nQP2;Deux;;X;10;1;;\nQP2;Deux;part;T;2010;un;;\n", Scope{})
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Release()
	for bad.Next() {
	}
	for _, want := range []string{`:6: code: "QP1 part F 2010" is on line 2 already`, ":7: indicateur: empty", `:7: sexe: "X" is not a sex`,
		`:7: millesime: "10" is not a year`, `:8: valeur: "un" is not a number`} {
		if bad.Err() == nil || !strings.Contains(bad.Err().Error(), want) {
			t.Errorf("%v\nwant %s", bad.Err(), want)
		}
	}
}
