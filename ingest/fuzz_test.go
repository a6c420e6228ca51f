package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// readAny reads what bytes hold, out of their archives and gzip, as a table and as a layer. Whatever they are it must
// end, without a panic, with rows in bounds or an error of one line for each fault that begins with the name of the file.
func readAny(t *testing.T, data []byte) {
	t.Helper()
	open := func() *file {
		f := inMemory(data)
		if err := f.resolve("", false); err != nil {
			checkFault(t, err)
			f.Close()
			return nil
		}
		return f
	}
	if f := open(); f != nil {
		defer f.Close()
		rows, _, err := f.rows(Layout{})
		if err == nil {
			defer rows.Close()
			n, cells := 0, 0
			for rows.Next() {
				n++
				cells += len(rows.Cells())
				// Beyond this the file swells, which is within bounds, and long to read.
				if cells > 1<<22 || n > maxRows+len(data) {
					break
				}
			}
			err = rows.Err()
		}
		if err != nil {
			checkFault(t, err)
		}
	}
	if f := open(); f != nil {
		defer f.Close()
		if _, err := f.layer(context.Background(), "", nil); err != nil {
			checkFault(t, err)
		}
	}
}

func checkFault(t *testing.T, err error) {
	t.Helper()
	if !strings.HasPrefix(err.Error(), "fuzz") {
		t.Fatalf("an error that does not name its file: %v", err)
	}
}

// addReal adds the beginnings of published files as seeds, where there are some.
func addReal(f *testing.F, names ...string) {
	root := os.Getenv("OBSERVATOIRE_REAL")
	if root == "" {
		return
	}
	for _, name := range names {
		r, err := os.Open(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			f.Fatal(err)
		}
		data, err := io.ReadAll(io.LimitReader(r, 4096))
		r.Close()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("code;v\n13047;1,5\n"))
	addReal(f, "qpv_kits/pop_qp_2013.csv", "kits_cget/comepci2018.csv", "qpv_kits/DEMO_2017.csv.gz", "qpv_kits/pop_qp_2013.xls",
		"kits_cget/meta.xlsx", "admin/epci_2025_simplified.topojson.gz", "admin/npm_decoupage_6.0.0_departements.json")
	f.Fuzz(readAny)
}

func FuzzODS(f *testing.F) {
	f.Add(odsBody)
	f.Add(`<office:spreadsheet><table:table table:name="F"><table:table-row table:number-rows-repeated="3"><table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="9"/></table:table-row></table:table></office:spreadsheet>`)
	f.Fuzz(func(t *testing.T, body string) { readAny(t, ods(t, body)) })
}

func FuzzParquet(f *testing.F) {
	f.Add(parquetTable(f))
	f.Add(geoParquet(f, `{"primary_column":"geometry","columns":{"geometry":{"encoding":"WKB"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		readAny(t, data)
		if len(data) > 12 { // the metadata are found from the end: keep what leads to them whole
			whole := bytes.Clone(data)
			copy(whole, "PAR1")
			copy(whole[len(whole)-4:], "PAR1")
			binary.LittleEndian.PutUint32(whole[len(whole)-8:], min(binary.LittleEndian.Uint32(whole[len(whole)-8:]), uint32(len(whole)-12)))
			readAny(t, whole)
		}
	})
}

func FuzzGeoMetadata(f *testing.F) {
	f.Add(`{"primary_column":"geometry","columns":{"geometry":{"encoding":"WKB","crs":{"id":{"authority":"EPSG","code":2154}}}}}`)
	f.Fuzz(func(t *testing.T, meta string) {
		if utf8.ValidString(meta) { // as the writer asks
			readAny(t, geoParquet(t, meta))
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`[{"code":"13047","v":1.5e3,"x":[1,{"a":null}]},{"code":null}]`))
	f.Add([]byte("{\"a\":1}\n{\"a\":true,\"b\":\"\\u00e9\"}"))
	f.Fuzz(readAny)
}

func FuzzTopoJSON(f *testing.F) {
	f.Add([]byte(smallTopology))
	f.Add([]byte(`{"type":"Topology","objects":{"a":{"type":"GeometryCollection","geometries":[{"type":"GeometryCollection","geometries":[{"type":"Polygon","arcs":[[-1]]}]}]}},"arcs":[[[0,0],[1,0],[1,1],[0,0]]]}`))
	f.Fuzz(readAny)
}

func FuzzPackageFile(f *testing.F) {
	blob := hexSQL(packageBlob(1, wkbOf(binary.LittleEndian, 3, 0, square(istresX, istresY, 100))))
	path := writePackage(f, append(layerSQL("a", 2154, "1, "+blob+", 'A', 'a', 1"), `PRAGMA page_size = 512`, `VACUUM`)...)
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16 {
			copy(data, "SQLite format 3\x00")
		}
		readAny(t, data)
	})
}

func FuzzZip(f *testing.F) {
	f.Add(zipped(f, packed{"d/t.csv", []byte("code;v\n1;2\n")}, packed{"meta_t.csv", nil}))
	f.Add(zipped(f, packed{"t.csv.gz", gzipped([]byte("code;v\n1;2\n"))}))
	f.Add(zipped(f, packed{"in.zip", zipped(f, packed{"t.json", []byte(`[{"a":1}]`)})}))
	f.Fuzz(readAny)
}

func FuzzSevenZip(f *testing.F) {
	for _, pack := range []bool{true, false} {
		f.Add(sevenZipped(f, pack, 1<<16, packed{"t.csv", []byte("code;v\n1;2\n")}, packed{"meta_t.csv", []byte("x")}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readAny(t, data)
		// The sums that guard the headers, made right: what is behind them must stand by itself.
		if at := 32 + binary.LittleEndian.Uint64(append(bytes.Clone(data), make([]byte, 32)...)[12:]); len(data) > 32 && at < uint64(len(data)) {
			fixed := bytes.Clone(data)
			copy(fixed, "7z\xBC\xAF\x27\x1C")
			binary.LittleEndian.PutUint64(fixed[20:], uint64(len(data))-at)
			binary.LittleEndian.PutUint32(fixed[28:], crc32.ChecksumIEEE(fixed[at:]))
			binary.LittleEndian.PutUint32(fixed[8:], crc32.ChecksumIEEE(fixed[12:32]))
			readAny(t, fixed)
		}
	})
}

func FuzzGzip(f *testing.F) {
	f.Add(gzipped([]byte("code;v\n1;2\n")))
	f.Add(gzipped(gzipped([]byte("code;v\n1;2\n"))))
	f.Fuzz(readAny)
}

func FuzzDBF(f *testing.F) {
	f.Add(dbfFile(0x57, [2]string{"A", "B"}))
	f.Fuzz(func(t *testing.T, table []byte) {
		for _, card := range []*Card{nil, cardZones} {
			d := &dbf{f: inMemory(table)}
			if d.header(card) != nil {
				return
			}
			for n := 0; d.left > 0; n++ {
				if _, _, err := d.next(); err != nil {
					break
				}
				if n > len(table) {
					t.Fatalf("%d rows of %d bytes", n, len(table))
				}
			}
		}
	})
}

func FuzzSharedTexts(f *testing.F) {
	f.Add("Étang\x00\x00de l'Olivier", uint16(40))
	f.Add(strings.Repeat("mot ", 60)+"\x00", uint16(3000))
	f.Fuzz(func(t *testing.T, text string, n uint16) {
		for _, most := range []int64{memoryTexts, 100, 0} { // in memory, half of it, in a file
			words := strings.Split(text, "\x00")
			f := &file{}
			s := &sharedTexts{f: f, most: most}
			for i := range int(n) {
				if err := s.add(words[i%len(words)]); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.end(); err != nil {
				t.Fatal(err)
			}
			for i := range int(n) {
				k := i * 7919 % int(n)
				if got, err := s.at(k); err != nil || got != words[k%len(words)] {
					t.Fatalf("most %d: text %d: %q, %v, want %q", most, k, got, err, words[k%len(words)])
				}
			}
			f.Close()
		}
	})
}

// Whatever the text, a change is made and reads back as it was meant, or the text stays as it was; the comments before the first key stay.
func FuzzYAMLSet(f *testing.F) {
	f.Add(sampleYAML, "0/label", "Habitants", uint8(0))
	f.Add(sampleYAML, "2/deciles/1", "", uint8(1))
	f.Add("# a\na: {b: [1, 2]} # c\nd: &x 1\ne: *x\n", "a/b/2", "0012", uint8(2))
	f.Add("a: |\n  x\n  # no comment\nb:\n- c: 1\n- [d]\n", "b/0/e", "y", uint8(3))
	f.Fuzz(func(t *testing.T, text, at, value string, kind uint8) {
		y, err := ParseYAML("fuzz.yaml", []byte(text))
		if err != nil {
			checkFault(t, err)
			return
		}
		var path []any
		for step := range strings.SplitSeq(at, "/") {
			if n, err := strconv.Atoi(step); err == nil && n >= 0 {
				path = append(path, n)
			} else {
				path = append(path, step)
			}
		}
		v := []any{value, nil, []any{value, "x"}, yaml.MapSlice{{Key: "k", Value: value}}}[kind%4]
		old, err := y.Value()
		if err != nil {
			return
		}
		if err := y.Set(v, path...); err != nil {
			checkFault(t, err)
			if string(y.Bytes()) != text {
				t.Fatalf("refused, and yet changed:\n%s", y.Bytes())
			}
			return
		}
		now, err := y.Value()
		if err != nil || canonical(now) != canonical(change(old, v, path)) {
			t.Fatalf("%v: %s, want %s", err, canonical(now), canonical(change(old, v, path)))
		}
		head := text[:len(text)-len(strings.TrimLeft(text, "\n"))]
		for line := range strings.SplitAfterSeq(text[len(head):], "\n") {
			if !strings.HasPrefix(line, "#") || !strings.HasSuffix(line, "\n") {
				break
			}
			head += line
		}
		if !strings.HasPrefix(string(y.Bytes()), head) {
			t.Fatalf("the comments %q are gone:\n%s", head, y.Bytes())
		}
	})
}
