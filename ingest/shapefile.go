package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"golang.org/x/text/encoding/charmap"

	"observatoire/geo"
)

// readShapefile reads polygons (.shp) with their attributes (.dbf) and system (.prj). The records of the .shp
// follow one another, so its index (.shx) is not needed. A file without .prj is in the system its card says.
func readShapefile(ctx context.Context, f *file, c *Card) (*layerFile, error) {
	lf := &layerFile{format: "shapefile"}
	var err error
	if lf.crs, err = shapefileSystem(f, c); err != nil {
		return nil, err
	}
	attrs, err := openDBF(f, c)
	if err != nil {
		return nil, err
	}
	defer attrs.f.Close()
	lf.columns = attrs.columns

	var head [100]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, brokenShape(f, 0, err)
	}
	// Lengths are in words of two bytes.
	left := 2*int64(binary.BigEndian.Uint32(head[24:])) - int64(len(head))
	if f.size >= 0 && f.size < left+int64(len(head)) {
		return nil, fmt.Errorf("%s: incomplete: %d bytes, where its header says %d; copy the .shp again", f.path, f.size, left+int64(len(head)))
	}
	if kind := binary.LittleEndian.Uint32(head[32:]); kind != 5 && kind != 15 && kind != 25 && kind != 0 && !(c == nil && isPoints(kind)) {
		return nil, fmt.Errorf("%s: a shapefile of %s: zones need polygons", f.path, shapeName(kind))
	}
	var body bytes.Buffer
	for record := 1; left > 0; record++ {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		if _, err := io.ReadFull(f, head[:8]); err != nil {
			return nil, brokenShape(f, record, err)
		}
		size := 2 * int64(binary.BigEndian.Uint32(head[4:]))
		if left -= 8 + size; left < 0 {
			return nil, brokenShape(f, record, errors.New("longer than what is left of the file"))
		}
		body.Reset() // grows with what is really there, whatever the length says
		if n, err := io.CopyN(&body, f, size); err != nil || n < size {
			return nil, brokenShape(f, record, err)
		}
		var mp orb.MultiPolygon
		var points []orb.Point
		if b := body.Bytes(); c == nil && len(b) >= 4 && isPoints(binary.LittleEndian.Uint32(b)) {
			points, err = decodePoints(b)
		} else {
			mp, err = decodePolygon(b)
		}
		if err != nil {
			return nil, brokenShape(f, record, err)
		}
		row, live, err := attrs.next()
		if err != nil {
			return nil, err
		}
		if live {
			lf.features = append(lf.features, feature{row: record, attrs: row, cells: attrs.cells, geom: mp, points: points})
		}
	}
	if attrs.left > 0 {
		return nil, fmt.Errorf("%s: %d rows more than shapes in the .shp: copy both files again", attrs.f.path, attrs.left)
	}
	return lf, attrs.decode(lf.features)
}

func brokenShape(f *file, record int, err error) error {
	if f.err != nil {
		return f.err
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it breaks off")
	}
	return fmt.Errorf("%s: record %d: damaged or incomplete (%w): copy the .shp again", f.path, record, err)
}

func shapeName(kind uint32) string {
	switch kind % 10 {
	case 1:
		return "points"
	case 3:
		return "lines"
	case 8:
		return "groups of points"
	}
	return fmt.Sprintf("type %d", kind)
}

// isPoints says whether a type of shape is of points, with or without heights and measures.
func isPoints(kind uint32) bool { return kind < 30 && (kind%10 == 1 || kind%10 == 8) }

// decodePoints reads the content of a record of points.
func decodePoints(b []byte) ([]orb.Point, error) {
	coords, n := b[4:], int64(1)
	if binary.LittleEndian.Uint32(b)%10 == 8 { // a box, then the count
		if len(b) < 40 {
			return nil, errors.New("short record")
		}
		coords, n = b[40:], int64(binary.LittleEndian.Uint32(b[36:]))
	}
	if 16*n > int64(len(coords)) {
		return nil, fmt.Errorf("%d points do not fit in it", n)
	}
	points := make([]orb.Point, n)
	for i := range points {
		points[i] = shapePoint(coords, i)
	}
	return points, nil
}

// shapePoint is the point of rank i in a run of coordinates.
func shapePoint(coords []byte, i int) orb.Point {
	return orb.Point{
		math.Float64frombits(binary.LittleEndian.Uint64(coords[16*i:])),
		math.Float64frombits(binary.LittleEndian.Uint64(coords[16*i+8:])),
	}
}

// decodePolygon reads the content of a record. A null shape gives nothing.
func decodePolygon(b []byte) (orb.MultiPolygon, error) {
	if len(b) < 4 {
		return nil, errors.New("no type of shape")
	}
	switch kind := binary.LittleEndian.Uint32(b); kind {
	case 0:
		return nil, nil
	case 5, 15, 25: // heights and measures follow the points, and are left out
	default:
		return nil, fmt.Errorf("a shape of %s among polygons", shapeName(kind))
	}
	if len(b) < 44 {
		return nil, errors.New("short record")
	}
	parts, points := int64(binary.LittleEndian.Uint32(b[36:])), int64(binary.LittleEndian.Uint32(b[40:]))
	if 44+4*parts+16*points > int64(len(b)) {
		return nil, fmt.Errorf("%d parts and %d points do not fit in it", parts, points)
	}
	starts, coords := b[44:], b[44+4*parts:]
	rings := make([]orb.Ring, 0, parts)
	for i := range parts {
		from, to := int64(binary.LittleEndian.Uint32(starts[4*i:])), points
		if i+1 < parts {
			to = int64(binary.LittleEndian.Uint32(starts[4*(i+1):]))
		}
		if from > to || to > points {
			return nil, fmt.Errorf("part %d begins at point %d and ends at %d", i+1, from, to)
		}
		ring := make(orb.Ring, 0, to-from)
		for p := from; p < to; p++ {
			ring = append(ring, shapePoint(coords, int(p)))
		}
		if len(ring) > 0 {
			rings = append(rings, ring)
		}
	}
	return groupRings(rings), nil
}

// groupRings makes polygons of the rings of a shape, which come in any order: shells are clockwise, holes the
// other way. The largest ring is a shell whatever its direction, since some programs write them all reversed. A
// hole belongs to the smallest shell around it; one outside every shell is a shell badly drawn.
func groupRings(rings []orb.Ring) orb.MultiPolygon {
	if len(rings) == 1 {
		return orb.MultiPolygon{{rings[0]}}
	}
	areas := make([]float64, len(rings))
	largest := 0
	for i, r := range rings {
		areas[i] = signedArea(r)
		if math.Abs(areas[i]) > math.Abs(areas[largest]) {
			largest = i
		}
	}
	var mp orb.MultiPolygon
	var shells []int
	for i, r := range rings {
		if areas[i] != 0 && (areas[i] < 0) == (areas[largest] < 0) {
			mp = append(mp, orb.Polygon{r})
			shells = append(shells, i)
		}
	}
	bounds := make([]orb.Bound, len(shells))
	for k, i := range shells {
		bounds[k] = rings[i].Bound()
	}
	shellCount := len(shells)
	for i, r := range rings {
		if areas[i] == 0 || (areas[i] < 0) == (areas[largest] < 0) {
			continue
		}
		best := -1
		for k := range shellCount {
			s := shells[k]
			if (best < 0 || math.Abs(areas[s]) < math.Abs(areas[shells[best]])) && bounds[k].Intersects(r.Bound()) && ringIn(r, rings[s]) {
				best = k
			}
		}
		if best < 0 {
			mp = append(mp, orb.Polygon{r})
		} else {
			mp[best] = append(mp[best], r)
		}
	}
	return mp
}

// ringIn says whether most of a ring's points are in a shell: a hole may touch its shell, and one badly drawn
// cross it.
func ringIn(hole, shell orb.Ring) bool {
	in := 0
	for _, p := range hole {
		if planar.RingContains(shell, p) {
			in++
		}
	}
	return 2*in > len(hole)
}

// signedArea is positive when the ring is counter-clockwise. It is measured from the ring's first point: far
// from the origin products lose the digits that tell a thin ring's direction.
func signedArea(r orb.Ring) float64 {
	a := 0.0
	for i := 1; i < len(r); i++ {
		a += (r[i-1][0]-r[0][0])*(r[i][1]-r[0][1]) - (r[i][0]-r[0][0])*(r[i-1][1]-r[0][1])
	}
	return a / 2
}

// sibling finds the file beside a .shp that has its name and another extension, whatever its case; "" when there
// is none.
func sibling(shp, ext string) string {
	dir, base := filepath.Split(shp)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return ""
	}
	for _, want := range siblings(base, ext) {
		for _, e := range entries {
			if strings.EqualFold(e.Name(), want) {
				return dir + e.Name()
			}
		}
	}
	return ""
}

// readSibling reads the beginning of a small file beside a .shp; without one its path is empty.
func readSibling(shp *file, ext string) (path, text string, err error) {
	f, err := shp.beside(ext)
	if f == nil || err != nil {
		return "", "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return f.path, "", f.readError(err)
	}
	return f.path, strings.TrimSpace(strings.TrimPrefix(string(b), bom)), nil
}

func shapefileSystem(shp *file, c *Card) (geo.CRS, error) {
	path, text, err := readSibling(shp, ".prj")
	switch {
	case err != nil:
		return geo.CRS{}, err
	case text != "":
		crs, err := geo.ParseWKT(text)
		if err != nil {
			err = fmt.Errorf("%s: %w: export the layer again in EPSG:2154", path, err)
		}
		return crs, err
	case c.system() != "":
		crs, err := geo.ParseURN(c.CRS)
		if err != nil {
			err = fmt.Errorf("%s: crs of the card %s: %w: write it as EPSG:2154", shp.path, c.ID, err)
		}
		return crs, err
	case path != "":
		return geo.CRS{}, fmt.Errorf("%s: empty: copy the .prj again%s", path, c.orSystem())
	}
	return geo.CRS{}, fmt.Errorf("%s: no .prj beside it, so its coordinate system is not known: copy the .prj too%s", shp.path, c.orSystem())
}

// A dbf is the attributes of a shapefile, read row by row in step with its shapes.
type dbf struct {
	f       *file
	columns []string
	fields  [attributes]struct{ from, to int } // of the attributes the card asks for; empty when there is none
	every   []dbfField                         // every column, where there is no card
	cells   []string                           // of the row read last, likewise
	record  []byte
	left    int // rows not read yet
	row     int
	charset string // "utf-8", "windows-1252", another one of charsets, or "" when the file does not say
}

// A dbfField is where a column stands in a row, and its type: 'N' and 'F' are numbers.
type dbfField struct {
	from, to int
	kind     byte
}

// charsets are those a .dbf may be in, besides UTF-8.
var charsets = map[string]*charmap.Charmap{
	"windows-1252": charmap.Windows1252, "cp850": charmap.CodePage850, "cp437": charmap.CodePage437,
	"macintosh": charmap.Macintosh, "iso-8859-15": charmap.ISO8859_15,
}

// openDBF opens the attributes of a .shp and finds the card's columns.
func openDBF(shp *file, c *Card) (*dbf, error) {
	f, err := shp.beside(".dbf")
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fmt.Errorf("%s: no .dbf beside it, so its zones have no codes: copy the .dbf too", shp.path)
	}
	d := &dbf{f: f}
	if err := d.header(c); err != nil {
		f.Close()
		return nil, err
	}
	if d.charset, err = dbfCharset(shp, d.charset); err != nil {
		f.Close()
		return nil, err
	}
	return d, nil
}

func (d *dbf) damaged(what string) error {
	if d.f.err != nil {
		return d.f.err
	}
	return fmt.Errorf("%s: damaged or incomplete (%s): copy the .dbf again", d.f.path, what)
}

func (d *dbf) header(c *Card) error {
	var head [32]byte
	if _, err := io.ReadFull(d.f, head[:]); err != nil {
		return d.damaged("no header")
	}
	rows := int64(binary.LittleEndian.Uint32(head[4:]))
	headSize, rowSize := int64(binary.LittleEndian.Uint16(head[8:])), int64(binary.LittleEndian.Uint16(head[10:]))
	if size := d.f.size; size >= 0 && size < headSize+rows*rowSize {
		return d.damaged(fmt.Sprintf("%d bytes, where its header says %d", size, headSize+rows*rowSize))
	}
	switch head[29] {
	case 0x57, 0x03:
		d.charset = "windows-1252"
	case 0x01:
		d.charset = "cp437"
	case 0x02:
		d.charset = "cp850"
	case 0x04:
		d.charset = "macintosh"
	}
	var ends []int
	var types []byte
	at := 1 // the first byte of a row tells whether it is deleted
	for read := int64(32); ; read += 32 {
		mark, err := d.f.Peek(1)
		if err != nil {
			return d.damaged("no columns")
		}
		if mark[0] == '\r' || read+32 > headSize {
			if n, err := io.CopyN(io.Discard, d.f, headSize-read); headSize < read || err != nil || n != headSize-read {
				return d.damaged("no rows")
			}
			break
		}
		if _, err := io.ReadFull(d.f, head[:]); err != nil {
			return d.damaged("no columns")
		}
		name, _, _ := bytes.Cut(head[:11], []byte{0})
		text := string(name)
		if !utf8.ValidString(text) {
			text, _ = charmap.Windows1252.NewDecoder().String(text)
		}
		d.columns = append(d.columns, strings.TrimSpace(text))
		at += int(head[16])
		types = append(types, head[11])
		ends = append(ends, at)
	}
	if int64(at) > rowSize {
		return d.damaged("its columns are wider than its rows")
	}
	for i, names := range c.wanted() {
		if k := pickColumn(d.columns, names); k >= 0 {
			d.fields[i].from, d.fields[i].to = 1, ends[k]
			if k > 0 {
				d.fields[i].from = ends[k-1]
			}
		}
	}
	if c == nil {
		from := 1
		for k, to := range ends {
			d.every = append(d.every, dbfField{from, to, types[k]})
			from = to
		}
	}
	d.left, d.record = int(rows), make([]byte, rowSize)
	return nil
}

// next reads a row, undecoded; false when it is marked as deleted.
func (d *dbf) next() (row [attributes]string, live bool, err error) {
	if d.left == 0 {
		return row, false, fmt.Errorf("%s: %d rows, fewer than the shapes of the .shp: copy both files again", d.f.path, d.row)
	}
	d.left--
	d.row++
	if _, err := io.ReadFull(d.f, d.record); err != nil {
		return row, false, d.damaged(fmt.Sprintf("it breaks off at row %d", d.row))
	}
	for i, f := range d.fields {
		row[i] = string(bytes.Trim(d.record[f.from:f.to], " \x00\t\r\n"))
	}
	if d.every != nil {
		d.cells = make([]string, len(d.every))
	}
	for k, f := range d.every {
		text := string(bytes.Trim(d.record[f.from:f.to], " \x00\t\r\n"))
		if f.kind == 'N' || f.kind == 'F' {
			if strings.Trim(text, "*") == "" { // how a number that does not fit, or is not known, is written
				text = ""
			} else if v, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, "eE") {
				text = numberText(v)
			}
		}
		d.cells[k] = text
	}
	return row, len(d.record) > 0 && d.record[0] != '*', nil
}

// decode brings the attributes to UTF-8. Where neither a .cpg nor the language byte says otherwise they are in
// UTF-8 if all of them are valid so, else in Windows-1252.
func (d *dbf) decode(features []feature) error {
	charset := d.charset
	if charset == "" {
		charset = "utf-8"
		for i := range features {
			for _, a := range features[i].texts() {
				if !utf8.ValidString(a) {
					charset = "windows-1252"
				}
			}
		}
	}
	for i := range features {
		texts := features[i].texts()
		for k, a := range texts {
			if charset == "utf-8" {
				if !utf8.ValidString(a) {
					return fmt.Errorf("%s: row %d: not UTF-8, which its .cpg declares: write 1252 in the .cpg, or export the layer again", d.f.path, features[i].row)
				}
				continue
			}
			text, err := charsets[charset].NewDecoder().String(a)
			if err != nil {
				return fmt.Errorf("%s: row %d: not %s: %w: export the layer again in UTF-8", d.f.path, features[i].row, charset, err)
			}
			texts[k] = strings.TrimSpace(text)
		}
	}
	return nil
}

// texts are the attributes of a feature: those a card asks for, or all.
func (f *feature) texts() []string {
	if f.cells != nil {
		return f.cells
	}
	return f.attrs[:]
}

// dbfCharset reads the .cpg beside a .shp, which wins over the language byte.
func dbfCharset(shp *file, languageByte string) (string, error) {
	path, text, err := readSibling(shp, ".cpg")
	if err != nil || text == "" {
		return languageByte, err
	}
	first, _, _ := strings.Cut(text, "\n")
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "", "\r", "").Replace(first)) {
	case "utf8", "65001":
		return "utf-8", nil
	case "1252", "cp1252", "ansi1252", "windows1252", "iso88591", "88591", "latin1", "cp88591":
		return "windows-1252", nil
	case "iso885915", "885915", "latin9":
		return "iso-8859-15", nil
	case "850", "cp850", "oem850", "ibm850":
		return "cp850", nil
	case "437", "cp437", "oem437", "ibm437":
		return "cp437", nil
	case "macintosh", "macroman":
		return "macintosh", nil
	}
	return "", fmt.Errorf("%s: unknown encoding %q: write UTF-8 or 1252 in it, whichever is true", path, text)
}
