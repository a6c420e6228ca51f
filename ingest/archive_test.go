package ingest

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz/lzma"
)

// A packed file is a member of an archive made for a test.
type packed struct {
	name string
	data []byte
}

func zipped(t testing.TB, members ...packed) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m.name)
		if err == nil {
			_, err = f.Write(m.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sevenZipped makes a solid 7z archive: one stream of all the members, packed by LZMA or only copied. dictionary is
// the size the archive declares, in bytes.
func sevenZipped(t testing.TB, pack bool, dictionary uint32, members ...packed) []byte {
	t.Helper()
	var plain bytes.Buffer
	for _, m := range members {
		plain.Write(m.data)
	}
	stream, coder := plain.Bytes(), []byte{0x01, 0x00}
	if pack {
		var b bytes.Buffer
		w, err := lzma.WriterConfig{Size: int64(plain.Len()), DictCap: 1 << 16}.NewWriter(&b)
		if err == nil {
			_, err = w.Write(plain.Bytes())
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		stream = b.Bytes()[13:] // after properties and size, which 7z keeps elsewhere
		coder = append([]byte{0x23, 0x03, 0x01, 0x01, 5, b.Bytes()[0]}, binary.LittleEndian.AppendUint32(nil, dictionary)...)
	}
	number := func(n int) []byte { return binary.LittleEndian.AppendUint64([]byte{0xFF}, uint64(n)) }
	var names, sums, sizes []byte
	for i, m := range members {
		for _, c := range append(wide(m.name), 0) {
			names = binary.LittleEndian.AppendUint16(names, c)
		}
		sums = binary.LittleEndian.AppendUint32(sums, crc32.ChecksumIEEE(m.data))
		if i < len(members)-1 {
			sizes = append(sizes, number(len(m.data))...)
		}
	}
	header := slices.Concat([]byte{0x01, 0x04},
		[]byte{0x06}, number(0), number(1), []byte{0x09}, number(len(stream)), []byte{0x00},
		[]byte{0x07, 0x0B}, number(1), []byte{0x00, 0x01}, coder, []byte{0x0C}, number(plain.Len()), []byte{0x00},
		[]byte{0x08, 0x0D}, number(len(members)), []byte{0x09}, sizes, []byte{0x0A, 0x01}, sums, []byte{0x00},
		[]byte{0x00},
		[]byte{0x05}, number(len(members)), []byte{0x11}, number(len(names)+1), []byte{0x00}, names, []byte{0x00},
		[]byte{0x00})
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(stream)))
	start = binary.LittleEndian.AppendUint64(start, uint64(len(header)))
	start = binary.LittleEndian.AppendUint32(start, crc32.ChecksumIEEE(header))
	return slices.Concat([]byte("7z\xBC\xAF\x27\x1C\x00\x04"), binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(start)), start, stream, header)
}

func TestArchives(t *testing.T) {
	table, other := []byte("code;v\n13047;1\n"), []byte("code;v\n13063;2\n")
	want := []string{"1 code·v", "2 13047·1"}
	notes := packed{"base/meta_base-ic-2020.CSV", []byte("COD_VAR;LIB\n")}
	made := map[string]func(...packed) []byte{
		"a.zip":     func(m ...packed) []byte { return zipped(t, m...) },
		"a.7z":      func(m ...packed) []byte { return sevenZipped(t, true, 1<<16, m...) },
		"copied.7z": func(m ...packed) []byte { return sevenZipped(t, false, 0, m...) },
		"no name":   func(m ...packed) []byte { return zipped(t, m...) },
		"a.zip.gz":  func(m ...packed) []byte { return gzipped(zipped(t, m...)) },
	}
	for name, pack := range made {
		path := writeFile(t, name, pack(notes, packed{"base/base-ic-2020.CSV", table}, packed{"base/LISEZMOI.txt", []byte("x")}))
		for _, in := range []string{"", "/base/base-ic-2020.CSV", "/base/BASE-*.csv", "/base-ic-2020.CSV", "/*/base*"} {
			got, _, err := readRows(path+in, Layout{})
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s%s: %v (-want +got):\n%s", name, in, err, diff)
			}
		}
		// The documentation can be named.
		if got, _, err := readRows(path+"/base/meta_base-ic-2020.CSV", Layout{}); err != nil || got[0] != "1 COD_VAR·LIB" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		// The identity of a member is that of its bytes, and a source has its name.
		if name != "a.zip.gz" {
			sum, size, err := Digest(path + "/base/base-ic-2020.CSV")
			if err != nil || sum != fmt.Sprintf("%x", sha256.Sum256(table)) || size != int64(len(table)) {
				t.Errorf("%s: %s, %d, %v", name, sum, size, err)
			}
			if only, _, err := Digest(path); err != nil || only != sum {
				t.Errorf("%s: %s, %v, want the digest of its only table", name, only, err)
			}
			files, err := Files(path)
			if err != nil || !slices.Equal(files, []string{path + "/base/base-ic-2020.CSV"}) || Name(files[0]) != "base-ic-2020.CSV" {
				t.Errorf("%s: %q, %v", name, files, err)
			}
		}
	}
	for name, data := range map[string][]byte{
		"gzip in zip":     zipped(t, packed{"t.csv.gz", gzipped(table)}),
		"workbook in zip": zipped(t, packed{"w.xlsx", xlsx(t, "")}),
		"zip in zip":      zipped(t, packed{"in.zip", zipped(t, packed{"t.csv", table})}),
		"text in zip":     zipped(t, packed{"t.txt", table}, packed{"readme.txt", nil}),
	} {
		path := writeFile(t, "a.zip", data)
		got, _, err := readRows(path, Layout{})
		if err != nil || name == "workbook in zip" && len(got) != 5 || name != "workbook in zip" && !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	path := writeFile(t, "in.zip", zipped(t, packed{"in.zip", zipped(t, packed{"t.csv", table}, packed{"u.csv", other})}))
	if got, _, err := readRows(path+"/in.zip/t.csv", Layout{}); err != nil || !slices.Equal(got, want) {
		t.Errorf("a path through two archives: %q, %v", got, err)
	}
}

// TestTemporaryFiles makes sure that nothing that was put aside stays.
func TestTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, "a.zip", zipped(t, packed{"w.xlsx", xlsx(t, "")}))
	t.Setenv("TMPDIR", dir)
	r, _, err := OpenRows(path, Layout{})
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) != 1 {
		t.Errorf("beside: %q, want one file", found)
	}
	r.Close()
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) != 0 {
		t.Errorf("left behind: %q", found)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	table := []byte("code;v\n1;2\n")
	for name, data := range map[string][]byte{
		"plain_2019.csv": table, "plain_2020.csv": table, "w.xlsx": xlsx(t, ""),
		"base_2019.zip": zipped(t, packed{"d/data.csv", table}, packed{"d/meta_data.csv", table}),
		"base_2020.zip": zipped(t, packed{"d/IRIS_2020.csv", table}, packed{"d/COM_2020.csv", table}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{
		"plain_*.csv":                 "plain_2019.csv plain_2020.csv",
		"w.xlsx":                      "w.xlsx",
		"w.xlsx#Données":              "w.xlsx#Données",
		"base_2019.zip":               "base_2019.zip/d/data.csv",
		"base_20*.zip/d/*.csv":        "base_2019.zip/d/data.csv base_2020.zip/d/COM_2020.csv base_2020.zip/d/IRIS_2020.csv",
		"base_2020.zip/iris_*.csv":    "base_2020.zip/d/IRIS_2020.csv",
		"base_2019.zip/meta_*":        "base_2019.zip/d/meta_data.csv",
		"absent.csv":                  ": no such file: file does not exist",
		"absent.zip/d/*.csv":          ": no such file: file does not exist",
		"base_2020.zip":               `: an archive with 2 tables or layers, "d/IRIS_2020.csv", "d/COM_2020.csv": name one by going on past the archive, such as base_2020.zip/d/IRIS_2020.csv`,
		"base_2020.zip/d/REG_*.csv":   `base_2020.zip: no "d/REG_*.csv" in the archive: it has "d/IRIS_2020.csv", "d/COM_2020.csv"`,
		"base_2020.zip/REG.csv":       `base_2020.zip: no "REG.csv" in the archive: it has "d/IRIS_2020.csv", "d/COM_2020.csv"`,
		"plain_2019.csv/x":            `plain_2019.csv: not an archive, so there is no "x" in it: check the path`,
		filepath.Join("..", "absent"): ": no such file: file does not exist",
	} {
		found, err := Files(filepath.Join(dir, pattern))
		for i := range found {
			found[i] = strings.TrimPrefix(filepath.ToSlash(found[i]), filepath.ToSlash(dir)+"/")
		}
		got := strings.Join(found, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasSuffix(got, want) || err == nil && got != want {
			t.Errorf("%s: %s\nwant %s", pattern, got, want)
		}
	}
	for path, want := range map[string]string{
		"base_2019.zip/d/data.csv": "base_2019.zip/data.csv", "base_2020.zip/d/IRIS_2020.csv": "IRIS_2020.csv",
		"plain_2019.csv": "plain_2019.csv", "w.xlsx#Données": "w.xlsx#Données", "absent.csv": "absent.csv",
	} {
		if got := Name(filepath.Join(dir, path)); got != want {
			t.Errorf("Name(%s) = %s, want %s", path, got, want)
		}
	}
	card := &Card{Files: []string{"data*.csv", "base_{AAAA}.csv"}}
	if year, ok := card.edition("base_2019.zip/data.csv"); year != 2019 || !ok {
		t.Errorf("the year of the archive: %d, %v", year, ok)
	}
}

func TestShapefileInArchive(t *testing.T) {
	members := []packed{
		{"1_DONNEES/ZONES.shp", shp(5, shpRecord(5, reversed(square(istresX, istresY, 100))))},
		{"1_DONNEES/ZONES.DBF", dbfFile(0x57, [2]string{"A", "Pr\xe9paou"})},
		{"1_DONNEES/ZONES.shx", nil}, {"1_DONNEES/ZONES.prj", []byte(prj)}, {"1_DONNEES/ZONES.cpg", []byte("1252")},
		{"2_METADONNEES/fiche.xml", []byte("<x/>")}, {"LISEZ-MOI.pdf", nil},
	}
	for name, data := range map[string][]byte{"z.zip": zipped(t, members...), "z.7z": sevenZipped(t, true, 1<<16, members...)} {
		path := writeFile(t, name, data)
		set, _, err := ReadLayer(context.Background(), path, cardZones, "zone-2024")
		if err != nil || len(set.Zones) != 1 || set.Zones[0].Name != "Prépaou" || set.EPSG != 2154 {
			t.Errorf("%s: %+v, %v", name, set, err)
		}
	}
	path := writeFile(t, "z.zip", zipped(t, members[0], members[3]))
	if _, _, err := ReadLayer(context.Background(), path, cardZones, "zone-2024"); err == nil ||
		err.Error() != path+"/1_DONNEES/ZONES.shp: no .dbf beside it, so its zones have no codes: copy the .dbf too" {
		t.Errorf("no .dbf: %v", err)
	}
}

func TestBadArchives(t *testing.T) {
	table := []byte("code;v\n" + strings.Repeat("13047;1\n", 500))
	whole, solid := zipped(t, packed{"t.csv", table}), sevenZipped(t, true, 1<<16, packed{"t.csv", table})
	locked := bytes.Clone(whole)
	locked[6] |= 1                                           // in its own header
	locked[bytes.Index(locked, []byte("PK\x01\x02"))+8] |= 1 // in the list of members
	flipped := bytes.Clone(whole)
	flipped[50] ^= 0xFF
	wrong := bytes.Clone(solid)
	wrong[60] ^= 0xFF
	// A bomb: a member of so many zeros.
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	w, err := z.Create("t.csv")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("code;v\n"))
	for range freeBytes>>20 + 2 {
		w.Write(append(bytes.Repeat([]byte("0"), 1<<20-1), '\n'))
	}
	z.Close()
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut.zip", whole[:len(whole)-10], ": damaged or incomplete workbook or archive: download or copy it again"},
		{"flipped.zip", flipped, "/t.csv: damaged or incomplete archive ("},
		{"locked.zip", locked, "/t.csv: protected by a password: pack it without one"},
		{"slip.zip", zipped(t, packed{"../../etc/t.csv", table}), `: its member "../../etc/t.csv" points out of the archive: it was made to do harm; ask for the file again`},
		{"root.zip", zipped(t, packed{"/etc/t.csv", table}), `: its member "/etc/t.csv" points out of the archive: it was made to do harm; ask for the file again`},
		{"bomb.zip", bomb.Bytes(), "/t.csv: it unpacks to more than 64 MiB, "},
		{"empty.zip", zipped(t), ": an archive without a table or a layer: it has none"},
		{"photos.zip", zipped(t, packed{"a.jpg", nil}), `: an archive without a table or a layer: it has "a.jpg"`},
		{"deep.zip", zipped(t, packed{"a.zip", zipped(t, packed{"b.zip", zipped(t, packed{"c.zip", zipped(t, packed{"d.csv", table})})})}), "/a.zip/b.zip/c.zip: archives within archives: unpack it and name the file inside"},
		{"page.zip", zipped(t, packed{"t.csv", []byte("<html><body>")}), "/t.csv: this is a web page, not a table: "},
		{"cut.7z", solid[:len(solid)-10], ": damaged or incomplete 7z archive (it breaks off): download or copy it again"},
		{"head.7z", solid[:20], ": damaged or incomplete 7z archive (it breaks off): download or copy it again"},
		{"wrong.7z", wrong, "/t.csv: damaged or incomplete archive ("},
		{"dictionary.7z", sevenZipped(t, true, 1<<30, packed{"t.csv", table}), "/t.csv: damaged or incomplete archive ("},
		{"a.rar", []byte("Rar!\x1A\x07\x00"), ": this is a RAR archive, which is not read: unpack it, or pack it as zip"},
		{"twice.csv.gz", gzipped(gzipped(gzipped(gzipped(table)))), ": archives within archives: unpack it and name the file inside"},
	} {
		path := writeFile(t, tt.name, tt.data)
		rows, _, err := readRows(path, Layout{})
		if err == nil {
			t.Errorf("%s: no error, %d rows", tt.name, len(rows))
		} else if got := err.Error(); !strings.HasPrefix(got, path+tt.want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n got %s\nwant %s%s", tt.name, got, path, tt.want)
		}
	}
}

func TestContents(t *testing.T) {
	blob := hexSQL(packageBlob(1, wkbOf(binary.LittleEndian, 3, 0, square(istresX, istresY, 100))))
	for path, want := range map[string]string{
		writeFile(t, "a.zip", zipped(t, packed{"d/t.csv", []byte("a\n")}, packed{"d/meta_t.csv", nil})): "member d/t.csv true 2, member d/meta_t.csv false 0",
		writeFile(t, "w.xlsx", xlsx(t, "")):                                                               "sheet Sheet1 true 0, sheet Données true 0",
		writeFile(t, "w.xls", container("Workbook", xls())):                                               "sheet Vide true 0, sheet Données true 0",
		writeFile(t, "t.csv", []byte("a\n")):                                                              "file t.csv true 2",
		writeFile(t, "t.json", []byte(smallTopology)):                                                     "layer communes true 0, layer villes true 0",
		writeFile(t, "w.ods", ods(t, odsBody)):                                                            "sheet Vide true 0, sheet Données true 0",
		writePackage(t, append(layerSQL("a", 2154, "1, "+blob+", 'A', 'a', 1"), `CREATE TABLE t (x)`)...): "layer a true 0, table t true 0",
	} {
		list, err := Contents(path)
		var got []string
		for _, m := range list {
			got = append(got, fmt.Sprint(m.Kind, " ", m.Name, " ", m.Data, " ", m.Size))
			if m.Kind != "layer" && m.Data {
				if r, _, err := OpenRows(m.Path, Layout{}); err != nil {
					t.Errorf("%s: %v", m.Path, err)
				} else {
					r.Close()
				}
			}
		}
		if g := strings.Join(got, ", "); err != nil || g != want {
			t.Errorf("%s: %s, %v, want %s", path, g, err, want)
		}
	}
}
