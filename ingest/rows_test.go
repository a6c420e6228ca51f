package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// realFile gives the path of a file as it was published, or skips the test.
func realFile(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("OBSERVATOIRE_REAL")
	if root == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: this test reads the published files in that folder")
	}
	return filepath.Join(root, filepath.FromSlash(name))
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// readRows reads a table whole, each row after its line.
func readRows(path string, l Layout) ([]string, Info, error) {
	r, info, err := OpenRows(path, l)
	if err != nil {
		return nil, info, err
	}
	defer r.Close()
	var all []string
	for r.Next() {
		all = append(all, fmt.Sprintf("%d %s", r.Line(), strings.Join(r.Cells(), "·")))
	}
	if r.Next() {
		return nil, info, errors.New("a row after the end")
	}
	return all, info, r.Err()
}

// inMemory is a file that is not on disk.
func inMemory(data []byte) *file {
	return &file{path: "fuzz", at: bytes.NewReader(data), size: int64(len(data)), Reader: bufio.NewReaderSize(bytes.NewReader(data), 64<<10),
		beside: func(string) (*file, error) { return nil, nil }}
}

func TestCSV(t *testing.T) {
	const u = "utf-8"
	tests := []struct {
		name, text string
		layout     Layout
		want       []string
		info       Info
	}{
		{"no final newline", "a;b\n1;2", Layout{}, []string{"1 a·b", "2 1·2"}, Info{Encoding: u, Separator: ";"}},
		{"BOM and CRLF", bom + "a;b\r\n1;2\r\n", Layout{}, []string{"1 a·b", "2 1·2"}, Info{Encoding: u, Separator: ";", BOM: true}},
		{"old Macintosh", "a;b\r1;2\r", Layout{}, []string{"1 a·b", "2 1·2"}, Info{Encoding: u, Separator: ";"}},
		{"tabs", "a\tb\n1,5\t2\n", Layout{}, []string{"1 a·b", "2 1,5·2"}, Info{Encoding: u, Separator: "tab"}},
		{"bars", "a|b\n1|2\n", Layout{}, []string{"1 a·b", "2 1·2"}, Info{Encoding: u, Separator: "|"}},
		{"decimal commas do not separate", "code;v;w\n13047;1,5;2,5\n13063;3,5;4,5\n", Layout{},
			[]string{"1 code·v·w", "2 13047·1,5·2,5", "3 13063·3,5·4,5"}, Info{Encoding: u, Separator: ";"}},
		{"quoted decimal commas", "code,v,w\n13047,\"1,5\",\"2,5\"\n13063,\"3,5\",\"4;5\"\n", Layout{},
			[]string{"1 code·v·w", "2 13047·1,5·2,5", "3 13063·3,5·4;5"}, Info{Encoding: u, Separator: ","}},
		{"one column", "code\n13047\n", Layout{}, []string{"1 code", "2 13047"}, Info{Encoding: u, Separator: ";"}},
		{"title rows", "Revenus, pauvreté, emploi\n\ncode;v\n13047;1\n13063;2\n", Layout{HeaderRow: 3},
			[]string{"1 Revenus, pauvreté, emploi", "2 ", "3 code·v", "4 13047·1", "5 13063·2"}, Info{Encoding: u, Separator: ";", HeaderRow: 3}},
		{"the layout names the separator", "a;b,c\n1;2,3\n", Layout{Separator: ","}, []string{"1 a;b·c", "2 1;2·3"}, Info{Encoding: u, Separator: ","}},
		{"quotes", "a;b;c\n\"x;y\";\"dit \"\"le Mas\"\"\";\"\"\n\"sur\ndeux lignes\";2;3\nz;5\" de plus;\"un \"mot\" ouvert\"\n", Layout{},
			[]string{"1 a·b·c", "2 x;y·dit \"le Mas\"·", "3 sur\ndeux lignes·2·3", "5 z·5\" de plus·un \"mot\" ouvert"}, Info{Encoding: u, Separator: ";"}},
		{"empty trailing columns", "a;b;;;\n1;2;;;\n", Layout{}, []string{"1 a·b···", "2 1·2···"}, Info{Encoding: u, Separator: ";"}},
		{"Windows-1252", "nom;v\nc\x9cur \x96 Pr\xe9paou;1\n", Layout{}, []string{"1 nom·v", "2 cœur – Prépaou·1"}, Info{Encoding: "windows-1252", Separator: ";"}},
		{"Windows-1252 after a long ASCII beginning", strings.Repeat("abcdefgh;1234567\n", 70000) + "Pr\xe9paou;1\n", Layout{},
			nil, Info{Encoding: u, Separator: ";"}},
		{"Windows-1252 that looks like UTF-8", "nom;v\nC\xc3\xa9;1\n", Layout{Encoding: "windows-1252"}, []string{"1 nom·v", "2 CÃ©·1"}, Info{Encoding: "windows-1252", Separator: ";"}},
		{"UTF-16 of a spreadsheet", "\xff\xfea\x00\t\x00\xe9\x00\r\x00\n\x001\x00\t\x002\x00", Layout{},
			[]string{"1 a·é", "2 1·2"}, Info{Encoding: "utf-16", Separator: "tab", BOM: true}},
		{"UTF-16 that the card takes for UTF-8", "\xff\xfea\x00\t\x00\xe9\x00\r\x00\n\x001\x00\t\x002\x00", Layout{Encoding: "utf-8"},
			[]string{"1 a·é", "2 1·2"}, Info{Encoding: "utf-16", Separator: "tab", BOM: true}},
		{"UTF-16 without its mark", "a\x00;\x00\xe9\x00\r\x00\n\x001\x00;\x00\x53\x01\r\x00\n\x00", Layout{},
			[]string{"1 a·é", "2 1·œ"}, Info{Encoding: "utf-16", Separator: ";"}},
		{"UTF-16 without its mark, high bytes first, named by the card", "\x00a\x00;\x00\xe9\x00\n\x001\x00;\x01\x53\x00\n", Layout{Encoding: "UTF-16"},
			[]string{"1 a·é", "2 1·œ"}, Info{Encoding: "utf-16", Separator: ";"}},
	}
	for _, tt := range tests {
		tt.info.Format = "csv"
		for name, data := range map[string][]byte{"table.csv": []byte(tt.text), "table.csv.gz": gzipped([]byte(tt.text))} {
			got, info, err := readRows(writeFile(t, name, data), tt.layout)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if tt.want == nil {
				got, tt.want = got[len(got)-1:], []string{"70001 Prépaou·1"}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
			if diff := cmp.Diff(tt.info, info); diff != "" {
				t.Errorf("%s: info (-want +got):\n%s", tt.name, diff)
			}
			tt.want = slices.Clone(tt.want)
			if len(tt.text) > 1<<20 {
				break
			}
		}
	}
}

// xlsx makes a workbook: an empty sheet, a sheet of cells.
func xlsx(t testing.TB, password string) []byte {
	t.Helper()
	x := excelize.NewFile()
	x.NewSheet("Données")
	for cell, v := range map[string]any{"A1": "Titre", "A3": "code", "C3": "valeur", "A4": "01001", "B4": 1001.0,
		"C4": 20099.944418714, "A5": "a\r\nb", "B5": true, "C5": 0.3} {
		if err := x.SetCellValue("Données", cell, v); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := x.Write(&b, excelize.Options{Password: password}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestXLSX(t *testing.T) {
	want := []string{"1 Titre", "2 ", "3 code··valeur", "4 01001·1001·20099.944418714", "5 a\r\nb·1·0.3"}
	for name, data := range map[string][]byte{"w.xlsx": xlsx(t, ""), "gzipped, under another name.csv": gzipped(xlsx(t, ""))} {
		got, info, err := readRows(writeFile(t, name, data), Layout{})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if info.Format != "xlsx" || info.Sheet != "Données" || len(info.Sheets) != 2 {
			t.Errorf("%s: %+v", name, info)
		}
	}
	if got, _, err := readRows(writeFile(t, "w.xlsx", xlsx(t, "")), Layout{Sheet: "Sheet1"}); err != nil || len(got) != 0 {
		t.Errorf("empty sheet: %q, %v", got, err)
	}
}

// rec is one record of a BIFF workbook.
func rec(kind uint16, parts ...any) []byte {
	var data bytes.Buffer
	for _, p := range parts {
		if s, ok := p.(string); ok {
			data.WriteString(s)
			continue
		}
		if err := binary.Write(&data, binary.LittleEndian, p); err != nil {
			panic(err)
		}
	}
	head := binary.LittleEndian.AppendUint16(nil, kind)
	return append(binary.LittleEndian.AppendUint16(head, uint16(data.Len())), data.Bytes()...)
}

func wide(s string) []uint16 { return utf16.Encode([]rune(s)) }

// container puts a stream in an OLE file: header, one FAT sector, directory, then the stream, which is padded to
// the size from which streams have sectors of their own.
func container(name string, stream []byte) []byte {
	const free, end = 0xFFFFFFFF, 0xFFFFFFFE
	stream = append(stream, make([]byte, max(0, 4096-len(stream)))...)
	size := len(stream)
	stream = append(stream, make([]byte, (512-size%512)%512)...)
	var b bytes.Buffer
	put := func(v ...any) {
		for _, v := range v {
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	put([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), [16]byte{}, uint16(0x3E), uint16(3), uint16(0xFFFE), uint16(9), uint16(6), [6]byte{},
		uint32(0), uint32(1), uint32(1), uint32(0), uint32(4096), uint32(end), uint32(0), uint32(end), uint32(0), uint32(0))
	for range 108 {
		put(uint32(free))
	}
	fat := []uint32{0xFFFFFFFD, end}
	for i := range len(stream) / 512 {
		fat = append(fat, uint32(3+i))
	}
	fat[len(fat)-1] = end
	for len(fat) < 128 {
		fat = append(fat, free)
	}
	put(fat)
	entry := func(name string, kind byte, child, start, size uint32) {
		var raw [32]uint16
		copy(raw[:], wide(name))
		put(raw, uint16(2*len(name)+2), kind, byte(1), uint32(free), uint32(free), child, [16]byte{}, uint32(0), [16]byte{}, start, size, uint32(0))
	}
	entry("Root Entry", 5, 1, end, 0)
	entry(name, 2, free, 2, uint32(size))
	put(make([]byte, 256))
	b.Write(stream)
	return b.Bytes()
}

// xls makes a workbook with an empty sheet, then one with a cell of every kind. globals come before its texts.
func xls(globals ...[]byte) []byte {
	bof := func(kind uint16) []byte { return rec(recBOF, uint16(0x0600), kind, uint32(0), uint32(0), uint32(0)) }
	sheet1 := slices.Concat(bof(0x10), rec(recEOF))
	cell := func(kind, row, col uint16, rest ...any) []byte {
		return rec(kind, append([]any{row, col, uint16(0)}, rest...)...)
	}
	// An integer is shifted by two bits, with 2 added: ^25 is -26, that is -7.
	sheet2 := slices.Concat(bof(0x10),
		cell(recNumber, 2, 1, 3048.0), // rows out of order
		cell(recLabelSST, 0, 0, uint32(0)),
		cell(recLabelSST, 0, 2, uint32(1)),
		cell(recRK, 2, 0, ^uint32(25)),
		rec(recMulRK, uint16(2), uint16(2), uint16(0), uint32(12345<<2|3), uint16(0), uint32(math.Float64bits(1.5)>>32), uint16(3)),
		cell(0x0201, 3, 0), // blank
		cell(recLabel, 3, 1, uint16(5), byte(1), wide("Étang")),
		cell(recFormula, 4, 0, 0.3, uint16(0), uint32(0)),
		cell(recFormula, 4, 1, [8]byte{0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, uint16(0), uint32(0)),
		rec(0x04BC, uint32(0)), // a formula shared by several cells, between a formula and its text
		rec(recString, uint16(3), byte(0), "abc"),
		cell(recFormula, 4, 2, [8]byte{2, 0, 7, 0, 0, 0, 0xFF, 0xFF}, uint16(0), uint32(0)),
		cell(recBoolErr, 4, 3, byte(1), byte(0)),
		bof(0x20), cell(recNumber, 9, 9, 1.0), rec(recEOF), // a chart has cells of its own
		rec(recEOF))
	sheetName := func(at int, name string) []byte {
		return rec(recBoundSheet, uint32(at), uint16(0), byte(len(wide(name))), byte(1), wide(name))
	}
	sst := slices.Concat(
		// A rich text, then one cut in the middle and going on in two bytes a character.
		rec(recSST, uint32(2), uint32(2), uint16(6), byte(8), uint16(1), "Rassue", uint32(0), uint16(10), byte(0), "Le Pr"),
		rec(recContinue, byte(1), wide("épaou")))
	size := len(bof(5)) + len(slices.Concat(globals...)) + len(sheetName(0, "Vide")) + len(sheetName(0, "Données")) + len(sst) + len(rec(recEOF))
	return slices.Concat(bof(5), slices.Concat(globals...), sheetName(size, "Vide"), sheetName(size+len(sheet1), "Données"), sst, rec(recEOF), sheet1, sheet2)
}

func TestXLS(t *testing.T) {
	want := []string{"1 Rassue··Le Prépaou", "2 ", "3 -7·3048·123.45·1.5", "4 ·Étang", "5 0.3·abc·#DIV/0!·1"}
	for name, data := range map[string][]byte{"w.xls": container("Workbook", xls()), "w.xls.gz": gzipped(container("Workbook", xls()))} {
		got, info, err := readRows(writeFile(t, name, data), Layout{})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if info.Format != "xls" || info.Sheet != "Données" || len(info.Sheets) != 2 {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

func TestBadTables(t *testing.T) {
	long := []byte("a;b\n" + strings.Repeat("1;2\n", 30000))
	for i := range long { // text that does not compress, so that a cut falls in the data
		if long[i] == '2' {
			long[i] = byte('0' + (i*i/7)%10)
		}
	}
	zipped, cut := xlsx(t, ""), gzipped(long)
	flipped := slices.Clone(cut)
	flipped[len(flipped)-6] ^= 0xFF
	brokenSheet := bytes.Clone(zipped)
	copy(brokenSheet[bytes.Index(brokenSheet, []byte("xl/worksheets/sheet2.xml"))+40:], "\xFF\xFF\xFF\xFF")
	ole := container("Workbook", xls())
	badSST := container("Workbook", bytes.Replace(xls(), rec(recLabelSST, uint16(0), uint16(2), uint16(0), uint32(1)), rec(recLabelSST, uint16(0), uint16(2), uint16(0), uint32(9)), 1))
	tests := []struct {
		name   string
		data   []byte
		layout Layout
		want   string // part of the error, after the name of the file
	}{
		{"empty.csv", nil, Layout{}, ": the file is empty: download or copy it again"},
		{"blank.csv", []byte(bom + "\r\n \r\n"), Layout{}, ": the file is empty: download or copy it again"},
		{"empty.csv.gz", gzipped(nil), Layout{}, ": the file is empty: download or copy it again"},
		{"page.csv", []byte("\n<!DOCTYPE html><html><body>Connexion"), Layout{}, ": this is a web page, not a table: the download failed or asked to sign in; download the file itself"},
		{"page.xlsx", []byte("<html xmlns:o='urn'><table><tr><td>1"), Layout{}, ": this is a web page, not a table: "},
		{"report.csv", []byte("%PDF-1.7\n%\xe2\xe3"), Layout{}, ": this is a PDF document, not a table: ask for the figures as CSV or XLSX"},
		{"t.parquet", []byte("PAR1\x15\x04"), Layout{}, ": damaged or incomplete Parquet file ("},
		{"t.json", []byte("[{\"a\":1},"), Layout{}, ":1: damaged or incomplete JSON (it breaks off): download or copy it again"},
		{"t.gpkg", []byte("SQLite format 3\x00\x10"), Layout{}, ": damaged or incomplete SQLite database ("},
		{"t.dat", []byte("a\x00\x01\x02"), Layout{}, ": this is neither text nor a workbook: save it as CSV or XLSX"},
		{"t.xml", []byte("<?xml version='1.0'?><Workbook>"), Layout{}, ": this is an XML file, not a table: save it as XLSX or CSV"},
		{"cut.csv.gz", cut[:len(cut)/2], Layout{}, ": damaged or incomplete gzip (it breaks off): download or copy it again"},
		{"sum.csv.gz", flipped, Layout{}, ": damaged or incomplete gzip (gzip: invalid checksum): download or copy it again"},
		{"header.csv.gz", []byte("\x1f\x8b\x08"), Layout{}, ": damaged or incomplete gzip (it breaks off): download or copy it again"},
		{"quote.csv", []byte("a;b\n1;\"deux\n3;4\n"), Layout{}, ":2: a quote opened on this line is not closed: close it, or remove it"},
		{"mixed.csv", []byte("a;b\n1;é\n2;\xe9\n"), Layout{}, ":3: not UTF-8 here although the text before it is: save the file in one encoding, or say encoding: windows-1252 in the card"},
		{"said.csv", []byte("a;b\n1;\xe9\n"), Layout{Encoding: "utf-8"}, ":2: not UTF-8, which it is said to be: save it as UTF-8, or say encoding: windows-1252 in the card"},
		{"line.csv", bytes.Repeat([]byte("a;b;"), maxRecordBytes/2), Layout{}, ":1: a line of more than 16 MiB: this is not a table"},
		{"enc.csv", []byte("a;b\n"), Layout{Encoding: "ebcdic"}, ": unknown encoding \"ebcdic\": the card may say utf-8 or windows-1252"},
		{"sep.csv", []byte("a;b\n"), Layout{Separator: "::"}, ": unusable separator \"::\": the card may say one character, or tab"},
		{"locked.xlsx", xlsx(t, "secret"), Layout{}, ": the workbook is protected by a password: save it without one"},
		{"locked.xls", container("Workbook", xls(rec(recFilePass, uint16(1), make([]byte, 52)))), Layout{}, ": the workbook is protected by a password: save it without one"},
		{"half.xlsx", zipped[:len(zipped)/2], Layout{}, ": damaged or incomplete workbook or archive: download or copy it again"},
		{"sheet.xlsx", brokenSheet, Layout{}, ": sheet \"Données\": after row 0: damaged workbook (flate: "},
		{"name.xlsx", zipped, Layout{Sheet: "COM"}, ": no sheet \"COM\": the workbook has \"Sheet1\", \"Données\""},
		{"name.xls", ole, Layout{Sheet: "COM"}, ": no sheet \"COM\": the workbook has \"Vide\", \"Données\""},
		{"half.xls", ole[:2048], Layout{}, ": damaged or incomplete workbook ("},
		{"header.xls", ole[:100], Layout{}, ": damaged or incomplete workbook ("},
		{"stream.xls", container("Workbook", xls()[:300]), Layout{}, ": sheet \"Données\": damaged workbook ("},
		{"text.xls", badSST, Layout{}, ": sheet \"Données\": damaged workbook (text of a cell at byte "},
		{"1995.xls", container("Book", xls()), Layout{}, ": a workbook of Excel 95 or before: open it and save it as XLSX"},
		{"biff5.xls", container("Workbook", rec(recBOF, uint16(0x0500), uint16(5))), Layout{}, ": a workbook of Excel 95 or before: open it and save it as XLSX"},
		{"letter.doc", container("WordDocument", nil), Layout{}, ": an Office document that is not a workbook: save the table as XLSX or CSV"},
	}
	for _, tt := range tests {
		path := writeFile(t, tt.name, tt.data)
		rows, _, err := readRows(path, tt.layout)
		if err == nil {
			t.Errorf("%s: no error, %d rows", tt.name, len(rows))
		} else if got := err.Error(); !strings.HasPrefix(got, path+tt.want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n got %s\nwant %s%s", tt.name, got, path, tt.want)
		}
	}
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                              ": this is a folder: name a file in it",
		filepath.Join(dir, "absent.csv"): ": no such file: check the path in the project file, or fetch it",
	} {
		if _, _, err := OpenRows(path, Layout{}); err == nil || err.Error() != path+want {
			t.Errorf("%v, want %s%s", err, path, want)
		}
	}
}

// TestSheetBreaksOff holds the reader to its reason for reading the XML itself: a sheet cut in a row is an error,
// not a shorter sheet.
func TestSheetBreaksOff(t *testing.T) {
	x := excelize.NewFile()
	x.SetCellValue("Sheet1", "A1", "code")
	x.SetCellValue("Sheet1", "A2", "13047")
	x.Pkg.Store("xl/worksheets/sheet1.xml", nil)
	x.Sheet.Clear()
	x.Pkg.Store("xl/worksheets/sheet1.xml", []byte(`<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="A2">`))
	var b bytes.Buffer
	if err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, "w.xlsx", b.Bytes())
	rows, _, err := readRows(path, Layout{})
	want := path + `: sheet "Sheet1": after row 2: damaged workbook (it breaks off): open it, save it again`
	if err == nil || err.Error() != want || len(rows) != 1 {
		t.Errorf("%d rows, %v, want %s", len(rows), err, want)
	}
}

// TestPublishedTables opens every table as published.
func TestPublishedTables(t *testing.T) {
	tests := []struct {
		file        string
		rows, width int // all of them, titles and empty columns included
		encoding    string
		bom         bool
		separator   string
		sheet       string
		first       string // beginning of the last row
	}{
		{"admin/EPCI_2020.csv.gz", 34969, 6, "utf-8", true, ";", "", "97617·Tsingoni"},
		{"admin/EPCI_leading_zero_lost.csv.gz", 34966, 6, "utf-8", false, ";", "", "97617·Tsingoni"},
		{"admin/commune_2021.csv.gz", 37743, 12, "utf-8", false, ",", "", "COM·97617"},
		{"admin/iris_2021.csv.gz", 49407, 9, "utf-8", true, ";", "", "976170400·Miréréni"},
		{"commune_stats/FILO2019_DISP_METROPOLE.csv", 2, 31, "utf-8", true, ";", "", "1·France métropolitaine"},
		{"commune_stats/P13_POP_insee.csv.gz", 36684, 3, "utf-8", false, ";", "", "75120·Paris 20e"},
		{"iris_stats/BASE_TD_FILO_DISP_IRIS_2017.csv.gz", 12346, 99, "utf-8", true, ";", "", "974221203·Bourg Murat"},
		{"iris_stats/revenus-2015_comma_quoted.csv.gz", 12228, 32, "utf-8", false, ",", "", "974221203·Bourg Murat"},
		{"iris_stats/ptod_agg_iris_13_rp2011_2016_2022.csv.gz", 841, 264, "utf-8", false, ";", "", "132160403·13216"},
		{"kits_cget/comepci2018.csv", 1261, 5, "windows-1252", false, ";", "", "97422·249740085·Le Tampon"},
		{"qpv_kits/REVN_2022.csv.gz", 1353, 1024, "utf-8", true, ";", "", "QP974049·Domenjod"},
		{"qpv_kits/DEMO_2017.csv.gz", 1347, 239, "utf-8", true, ";", "", "QP974049·Domenjod"},
		{"qpv_kits/data_DEMO_2021_V1_QP.csv.gz", 1401, 32, "utf-8", false, ";", "", "QP974049·848"},
		{"commune_stats/Table_EPCI_SCoT_logement2018_PACA.xls", 1006, 93, "", false, "", "COM 2018 PACA", "··Total"},
		{"commune_stats/Fichier_CEREMA_Art_2009-2020_PACA.xls", 947, 85, "", false, "", "Feuil1", "84151·Vitrolles"},
		{"qpv_kits/pop_qp_2013.xls", 1523, 8, "", false, "", "pop_qp", "QP987076·ATIUE"},
		{"admin/table-appartenance-geo-communes-21.xlsx", 34971, 17, "", false, "", "COM", "97617·Tsingoni"},
		{"admin/Intercommunalite_Metropole_au_01-01-2022.xlsx", 1263, 4, "", false, "", "EPCI", ""},
		{"kits_cget/tableau portrait 201913.xlsx", 1260, 50, "", false, "", "tableau_portrait_201913", "242020105·CC de Calvi"},
		{"kits_cget/meta.xlsx", 12, 11, "", false, "", "Feuil1", ""},
	}
	for _, tt := range tests {
		r, info, err := OpenRows(realFile(t, tt.file), Layout{})
		if err != nil {
			t.Error(err)
			continue
		}
		rows, width, last := 0, 0, ""
		for r.Next() {
			rows++
			width = max(width, len(r.Cells()))
			last = strings.Join(r.Cells(), "·")
		}
		if r.Err() != nil || rows != tt.rows || width != tt.width || !strings.HasPrefix(last, tt.first) {
			t.Errorf("%s: %d rows × %d, the last %.40q, %v; want %d × %d, %q", tt.file, rows, width, last, r.Err(), tt.rows, tt.width, tt.first)
		}
		if info.Encoding != tt.encoding || info.BOM != tt.bom || info.Separator != tt.separator || info.Sheet != tt.sheet {
			t.Errorf("%s: %+v", tt.file, info)
		}
		r.Close()
	}
	root := realFile(t, "")
	for _, pattern := range []string{"*/*.csv", "*/*.csv.gz", "*/*/*.csv", "*/*/*.csv.gz"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, f := range files {
			if rows, _, err := readRows(f, Layout{}); err != nil || len(rows) < 2 {
				t.Errorf("%s: %d rows, %v", f, len(rows), err)
			}
		}
	}
}

// TestSamePopulations reads one table published both as XLS and as CSV.
func TestSamePopulations(t *testing.T) {
	read := func(name string) map[string][]string {
		r, _, err := OpenRows(realFile(t, name), Layout{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		m := map[string][]string{}
		for r.Next() {
			if c := r.Cells(); len(c) > 0 && strings.HasPrefix(c[0], "QP") {
				m[c[0]] = slices.Clone(c)
			}
		}
		return m
	}
	a, b := read("qpv_kits/pop_qp_2013.xls"), read("qpv_kits/pop_qp_2013.csv")
	if len(a) != 1514 || len(b) != 1514 {
		t.Fatalf("%d and %d quarters, want 1514", len(a), len(b))
	}
	for code, want := range map[string]string{"QP013061": "3048", "QP013062": "1623", "QP013063": "5769"} {
		if !slices.Contains(a[code], want) || !slices.Contains(b[code], want) {
			t.Errorf("%s: %q and %q, want %s", code, a[code], b[code], want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a;b\n1;2", bom + "a,b\r\n\"1\n2\",3\r\n", "a\tb\r1\t2", "\xe9;\"\"\"x", "é;\xe9\n", "\xff\xfea\x00", ";;;\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		info := Info{}
		r, err := openCSV(inMemory(data), Layout{}, &info)
		if err != nil {
			return
		}
		line := 0
		for r.Next() {
			if r.Line() <= line {
				t.Fatalf("line %d after line %d", r.Line(), line)
			}
			line = r.Line()
		}
		if line > len(data) {
			t.Fatalf("%d lines of %d bytes", line, len(data))
		}
	})
}

func FuzzXLS(f *testing.F) {
	f.Add(container("Workbook", xls()))
	f.Add(container("Workbook", xls(rec(recFilePass))))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, container("Workbook", data[:min(len(data), 60000)])} {
			r, err := openXLS(inMemory(data), Layout{}, &Info{})
			for n := 0; err == nil && r.Next(); n++ {
				if n > 1<<16 {
					t.Fatal("more rows than a sheet has")
				}
			}
		}
	})
}

func FuzzXLSX(f *testing.F) {
	f.Add(xlsx(f, ""), []byte(`<worksheet><sheetData><row r="2"><c r="B2" t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>`))
	f.Fuzz(func(t *testing.T, data, sheet []byte) {
		if r, err := openZipped(inMemory(data), Layout{}, &Info{}); err == nil {
			for r.Next() {
			}
		}
		r := sheetReader(sheet)
		for r.Next() {
		}
	})
}

// sheetReader reads the XML of a sheet.
func sheetReader(text []byte) *xlsxRows {
	shared := &sharedTexts{most: memoryTexts}
	shared.add("a")
	shared.end()
	return &xlsxRows{f: &file{}, dec: xml.NewDecoder(bytes.NewReader(text)), shared: shared}
}
