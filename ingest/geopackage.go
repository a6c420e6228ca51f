package ingest

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"
	_ "modernc.org/sqlite" // the driver of GeoPackage files

	"observatoire/geo"
)

// A packageLayer is a layer of features of a GeoPackage.
type packageLayer struct {
	table, geometry  string // names of its table and of the column of its geometry
	key              string // name of its primary key, by which rows are ordered; may be empty
	columns          []string
	srs              int64
	authority, codes string
	definition       string // WKT
}

// readGeoPackage reads a layer of a GeoPackage: the one of that name, else its only one, else the only one with
// the card's column of codes. Nothing is written, not even beside the file.
func readGeoPackage(ctx context.Context, f *file, name string, c *Card) (*layerFile, error) {
	path := f.path
	db, err := f.database()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	damaged := func(err error) error {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", path, ctx.Err())
		}
		return fmt.Errorf("%s: damaged or incomplete GeoPackage (%w): download or copy it again", path, err)
	}
	layers, err := packageLayers(ctx, db)
	switch {
	case errors.Is(err, errNotPackage):
		return nil, fmt.Errorf("%s: an SQLite database that is not a GeoPackage: export the layer as GeoPackage or GeoJSON", path)
	case err != nil:
		return nil, damaged(err)
	}
	l, err := pickLayer(layers, name, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	lf := &layerFile{format: "geopackage", columns: l.columns}
	if lf.crs, err = l.system(c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := lf.readRows(ctx, db, path, l, c); err != nil {
		var bad *rowError
		if errors.As(err, &bad) {
			return nil, err
		}
		return nil, damaged(err)
	}
	return lf, nil
}

// database opens the file as an SQLite database.
func (f *file) database() (*sql.DB, error) {
	disk, err := f.onDisk()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", geoPackageURI(disk))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// geoPackageURI opens a file for reading alone. Unless a log beside it says that a program has it open, it is
// taken as immutable: its folder may be read-only, and SQLite would write there.
func geoPackageURI(path string) string {
	params := "?mode=ro"
	if _, err := os.Stat(path + "-wal"); err != nil {
		params += "&immutable=1"
	}
	p, err := filepath.Abs(path)
	if err != nil {
		p = path
	}
	if p = filepath.ToSlash(p); !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/…
	}
	return "file://" + (&url.URL{Path: p}).EscapedPath() + params
}

var errNotPackage = errors.New("not a GeoPackage")

// packageLayers lists the layers of features, by name, with their columns.
func packageLayers(ctx context.Context, db *sql.DB) ([]packageLayer, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name IN ('gpkg_contents', 'gpkg_geometry_columns', 'gpkg_spatial_ref_sys')`).Scan(&n)
	if err != nil {
		return nil, err
	}
	if n < 3 {
		return nil, errNotPackage
	}
	rows, err := db.QueryContext(ctx, `SELECT c.table_name, g.column_name, coalesce(g.srs_id, 0), coalesce(s.organization, ''),
		coalesce(s.organization_coordsys_id, ''), coalesce(s.definition, '')
		FROM gpkg_contents c JOIN gpkg_geometry_columns g ON lower(g.table_name) = lower(c.table_name)
		LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id
		WHERE c.data_type = 'features' ORDER BY c.table_name, g.column_name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var layers []packageLayer
	for rows.Next() {
		var l packageLayer
		if err := rows.Scan(&l.table, &l.geometry, &l.srs, &l.authority, &l.codes, &l.definition); err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i := range layers {
		if err := layers[i].readColumns(ctx, db); err != nil {
			return nil, err
		}
	}
	return layers, nil
}

func (l *packageLayer) readColumns(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT name, pk FROM pragma_table_info(?)", l.table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var pk int
		if err := rows.Scan(&name, &pk); err != nil {
			return err
		}
		if pk == 1 {
			l.key = name
		}
		if !strings.EqualFold(name, l.geometry) {
			l.columns = append(l.columns, name)
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// pickLayer finds the layer that is meant.
func pickLayer(layers []packageLayer, name string, c *Card) (*packageLayer, error) {
	var names []string
	var found []*packageLayer
	for i := range layers {
		l := &layers[i]
		names = append(names, l.table)
		if l.table == name {
			return l, nil
		}
		if c != nil && pickColumn(l.columns, c.Code) >= 0 {
			found = append(found, l)
		}
	}
	switch {
	case len(layers) == 0:
		return nil, errors.New("a GeoPackage without a layer of features: download or copy it again")
	case name != "":
		return nil, fmt.Errorf("no layer %q: it has %s", name, quoteList(names))
	case len(layers) == 1:
		return &layers[0], nil
	case len(found) == 1:
		return found[0], nil
	case c == nil:
		return nil, fmt.Errorf("it has several layers, %s: add the name of one after #, such as file.gpkg#%s", quoteList(names), names[0])
	}
	return nil, fmt.Errorf("it has several layers, %s, of which %d have a column of codes (%s): name one after #, such as file.gpkg#%s, or in the card %s, table: {sheet: %s}",
		quoteList(names), len(found), strings.Join(c.Code, ", "), names[0], c.ID, names[0])
}

// system is the layer's coordinate system; the card's, when the layer has none.
func (l *packageLayer) system(c *Card) (geo.CRS, error) {
	var crs geo.CRS
	var err error
	switch {
	case l.srs <= 0 && c.system() == "": // the numbers the standard gives to systems not known
		return crs, fmt.Errorf("layer %s has no coordinate system: write it again from a map program in EPSG:2154%s", l.table, c.orSystem())
	case l.srs <= 0:
		if crs, err = geo.ParseURN(c.CRS); err != nil {
			err = fmt.Errorf("crs of the card %s: %w: write it as EPSG:2154", c.ID, err)
		}
		return crs, err
	case strings.EqualFold(l.authority, "EPSG"):
		code, e := strconv.Atoi(l.codes)
		if e != nil {
			code = int(l.srs)
		}
		if crs, err = geo.ByEPSG(code); err == nil {
			return crs, nil
		}
	}
	if fromText, e := geo.ParseWKT(l.definition); e == nil {
		return fromText, nil
	} else if err == nil {
		err = e
	}
	return crs, fmt.Errorf("layer %s: %w: export it again in EPSG:2154", l.table, err)
}

// A rowError is a fault of one row, as a person should read it.
type rowError struct {
	path, layer string
	row         int // 1 is the first
	err         error
}

func (e *rowError) Error() string {
	return fmt.Sprintf("%s: layer %s: row %d: %v", e.path, e.layer, e.row, e.err)
}
func (e *rowError) Unwrap() error { return e.err }

// readRows reads the features, in the order of their primary key.
func (lf *layerFile) readRows(ctx context.Context, db *sql.DB, path string, l *packageLayer, c *Card) error {

	asked := []string{l.geometry}
	var attrs [attributes]int // position of each in asked; 0 when there is none
	if c == nil {
		asked = append(asked, l.columns...)
	}
	for i, names := range c.wanted() {
		if k := pickColumn(l.columns, names); k >= 0 {
			attrs[i] = len(asked)
			asked = append(asked, l.columns[k])
		}
	}
	var query strings.Builder
	for i, name := range asked {
		// The sign is no operation: it makes the driver give what is stored, whatever type the column declares.
		query.WriteString([]string{"SELECT +", ", +"}[min(i, 1)] + quoteName(name))
	}
	query.WriteString(" FROM " + quoteName(l.table))
	if l.key != "" {
		query.WriteString(" ORDER BY " + quoteName(l.key))
	}
	rows, err := db.QueryContext(ctx, query.String())
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]any, len(asked))
	targets := make([]any, len(asked))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		f := feature{row: len(lf.features) + 1}
		refuse := func(err error) error { return &rowError{path, l.table, f.row, err} }
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		texts := make([]string, len(values))
		for i := 1; i < len(values); i++ {
			var err error
			if texts[i], err = sqliteText(values[i]); err != nil {
				return refuse(fmt.Errorf("%s: %w", asked[i], err))
			}
		}
		for i, at := range attrs {
			f.attrs[i] = texts[at] // texts[0] is empty
		}
		if c == nil {
			f.cells = texts[1:]
		}
		switch blob := values[0].(type) {
		case nil:
		case []byte:
			wkb, err := packageWKB(blob)
			if err == nil {
				err = lf.addWKB(&f, path, wkb, c)
			}
			if err != nil {
				return refuse(err)
			}
		default:
			return refuse(errors.New("its geometry is not binary: export the layer again"))
		}
		lf.features = append(lf.features, f)
	}
	return rows.Err()
}

// sqliteText writes a stored value as text: numbers in the shortest form, without exponent; NULL is empty.
func sqliteText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return numberText(v), nil
	case string:
		if !utf8.ValidString(v) {
			return "", errors.New("not UTF-8, which a GeoPackage is: export the layer again")
		}
		return strings.TrimSpace(v), nil
	case []byte:
		return "(binary)", nil
	}
	return fmt.Sprint(v), nil
}

// packageWKB is the geometry that a GeoPackage stores after a header of its own; nil when it is empty.
func packageWKB(b []byte) ([]byte, error) {
	if len(b) < 8 || b[0] != 'G' || b[1] != 'P' {
		return nil, errors.New("its geometry is not in the form of a GeoPackage: export the layer again")
	}
	flags := b[3]
	if flags&0x20 != 0 {
		return nil, errors.New("a geometry of an extended type: export the layer again as plain polygons")
	}
	envelope := flags >> 1 & 7
	if envelope > 4 {
		return nil, errBrokenWKB
	}
	at := 8 + [5]int{0, 32, 48, 48, 64}[envelope]
	if at > len(b) || at == len(b) && flags&0x10 == 0 {
		return nil, errBrokenWKB
	}
	return b[at:], nil
}

// addWKB gives a feature its geometry, well-known binary; none at all is no geometry.
func (lf *layerFile) addWKB(f *feature, path string, wkb []byte, c *Card) error {
	if len(wkb) == 0 {
		return nil
	}
	p := polygons{takePoints: c == nil}
	r := wkbReader{b: wkb}
	if err := r.geometry(&p, 0); err != nil {
		return err
	}
	if len(p.mp) == 0 && len(p.points) == 0 && p.others > 0 {
		return errors.New("a collection without a polygon: a zone needs a polygon")
	}
	lf.take(f, &p, path)
	return nil
}

var errBrokenWKB = errors.New("its geometry is damaged: export the layer again")

// A wkbReader reads well-known binary, ISO's or PostGIS's, and leaves out heights and measures.
type wkbReader struct {
	b     []byte
	order binary.ByteOrder
	skip  int  // bytes of each point after x and y
	multi bool // the points read are those of a MultiPoint, not of a collection
}

func (r *wkbReader) uint32() (int, bool) {
	if len(r.b) < 4 {
		return 0, false
	}
	n := r.order.Uint32(r.b)
	r.b = r.b[4:]
	return int(n), true
}

// count reads a count of items that take at least size bytes each.
func (r *wkbReader) count(size int) (int, bool) {
	n, ok := r.uint32()
	return n, ok && n <= len(r.b)/size
}

func (r *wkbReader) point() (orb.Point, bool) {
	if len(r.b) < 16+r.skip {
		return orb.Point{}, false
	}
	pt := orb.Point{math.Float64frombits(r.order.Uint64(r.b)), math.Float64frombits(r.order.Uint64(r.b[8:]))}
	r.b = r.b[16+r.skip:]
	return pt, true
}

func (r *wkbReader) polygon() (orb.Polygon, bool) {
	rings, ok := r.count(4)
	if !ok {
		return nil, false
	}
	var poly orb.Polygon
	for range rings {
		n, ok := r.count(16 + r.skip)
		if !ok {
			return nil, false
		}
		ring := make(orb.Ring, n)
		for i := range ring {
			ring[i], _ = r.point() // counted
		}
		if n > 0 {
			poly = append(poly, ring)
		}
	}
	return poly, true
}

// Types of geometry, less the thousands that tell their dimensions.
const (
	wkbPoint           = 1
	wkbLine            = 2
	wkbPolygon         = 3
	wkbMultiPoint      = 4
	wkbMultiLine       = 5
	wkbMultiPolygon    = 6
	wkbCollection      = 7
	wkbFirstCurve      = 8
	wkbLast            = 17
	ewkbZ, ewkbM       = 0x80000000, 0x40000000
	ewkbSRID           = 0x20000000
	deepestCollections = 8
)

// geometry reads one geometry into p.
func (r *wkbReader) geometry(p *polygons, depth int) error {
	if len(r.b) < 5 || r.b[0] > 1 {
		return errBrokenWKB
	}
	r.order = binary.ByteOrder(binary.BigEndian)
	if r.b[0] == 1 {
		r.order = binary.LittleEndian
	}
	r.b = r.b[1:]
	kind, _ := r.uint32()
	r.skip = 0
	for _, flag := range []int{ewkbZ, ewkbM} {
		if kind&flag != 0 {
			r.skip += 8
		}
	}
	if kind&ewkbSRID != 0 {
		if _, ok := r.uint32(); !ok {
			return errBrokenWKB
		}
	}
	kind &^= ewkbZ | ewkbM | ewkbSRID
	switch kind / 1000 {
	case 0:
	case 1, 2:
		r.skip = 8
	case 3:
		r.skip = 16
	default:
		return errBrokenWKB
	}
	kind %= 1000
	name := map[int]string{wkbPoint: "Point", wkbLine: "LineString", wkbMultiPoint: "MultiPoint", wkbMultiLine: "MultiLineString"}[kind]
	switch kind {
	case wkbPolygon:
		poly, ok := r.polygon()
		if !ok {
			return errBrokenWKB
		}
		if len(poly) > 0 {
			p.mp = append(p.mp, poly)
		}
	case wkbMultiPolygon, wkbCollection, wkbMultiPoint, wkbMultiLine:
		if depth > deepestCollections {
			return errors.New("collections within collections: export the layer again as polygons")
		}
		if name != "" && depth == 0 && !(p.takePoints && kind == wkbMultiPoint) {
			return fmt.Errorf("a geometry of type %s: a zone needs a polygon", name)
		}
		n, ok := r.count(5)
		if !ok {
			return errBrokenWKB
		}
		r.multi = kind == wkbMultiPoint && depth == 0
		for range n {
			if err := r.geometry(p, depth+1); err != nil {
				return err
			}
		}
	case wkbPoint:
		pt, ok := r.point()
		switch {
		case !ok:
			return errBrokenWKB
		case depth > 0 && !r.multi:
			p.others++
		case !p.takePoints:
			return fmt.Errorf("a geometry of type %s: a zone needs a polygon", name)
		case pt[0] == pt[0]: // an empty point is written as NaN
			p.points = append(p.points, pt)
		}
	case wkbLine:
		if depth == 0 {
			return fmt.Errorf("a geometry of type %s: a zone needs a polygon", name)
		}
		n, ok := r.count(16 + r.skip)
		if !ok {
			return errBrokenWKB
		}
		r.b = r.b[n*(16+r.skip):]
		p.others++
	default:
		if kind >= wkbFirstCurve && kind <= wkbLast {
			return errors.New("a geometry with curves or faces: export the layer again as plain polygons")
		}
		return errBrokenWKB
	}
	return nil
}
