package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	_ "modernc.org/sqlite" // the SQLite driver

	"observatoire/geo"
	"observatoire/indicators"
)

// An edition's file is a GeoPackage 1.3: a feature table with its R-tree for each layer, an attribute table for
// each table of the schema. It holds no clock: the same edition gives the same bytes.
const (
	applicationID = 0x47504B47 // "GPKG"
	userVersion   = 10300
	lastChange    = "2000-01-01T00:00:00.000Z"
)

// srsText holds, one a line, the definitions (WKT 1) of WGS 84 and of the legal projections of France.
//
//go:embed srs.txt
var srsText string

var srsName = regexp.MustCompile(`^(?:GEOGCS|PROJCS)\["([^"]+)"`)
var srsCode = regexp.MustCompile(`AUTHORITY\["EPSG","(\d+)"\]\]$`)

// srsDefinition gives the name and the WKT of a reference system.
func srsDefinition(epsg int) (name, wkt string, err error) {
	var known []string
	for line := range strings.Lines(srsText) {
		line = strings.TrimSpace(line)
		code := srsCode.FindStringSubmatch(line)[1]
		if code == strconv.Itoa(epsg) {
			return srsName.FindStringSubmatch(line)[1], line, nil
		}
		known = append(known, code)
	}
	return "", "", fmt.Errorf("EPSG:%d is not one of the legal projections %s", epsg, strings.Join(known, ", "))
}

// gpkgTables are the tables every GeoPackage has.
const gpkgTables = `
CREATE TABLE gpkg_spatial_ref_sys (
	srs_name TEXT NOT NULL,
	srs_id INTEGER NOT NULL PRIMARY KEY,
	organization TEXT NOT NULL,
	organization_coordsys_id INTEGER NOT NULL,
	definition TEXT NOT NULL,
	description TEXT
);
INSERT INTO gpkg_spatial_ref_sys VALUES
	('Undefined cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined cartesian coordinate reference system'),
	('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system');
CREATE TABLE gpkg_contents (
	table_name TEXT NOT NULL PRIMARY KEY,
	data_type TEXT NOT NULL,
	identifier TEXT UNIQUE,
	description TEXT DEFAULT '',
	last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
	min_x DOUBLE,
	min_y DOUBLE,
	max_x DOUBLE,
	max_y DOUBLE,
	srs_id INTEGER,
	CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
);
CREATE TABLE gpkg_geometry_columns (
	table_name TEXT NOT NULL,
	column_name TEXT NOT NULL,
	geometry_type_name TEXT NOT NULL,
	srs_id INTEGER NOT NULL,
	z TINYINT NOT NULL,
	m TINYINT NOT NULL,
	CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
	CONSTRAINT uk_gc_table_name UNIQUE (table_name),
	CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
	CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id)
);
CREATE TABLE gpkg_extensions (
	table_name TEXT,
	column_name TEXT,
	extension_name TEXT NOT NULL,
	definition TEXT NOT NULL,
	scope TEXT NOT NULL,
	CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
);`

// rtreeTriggers keep the R-tree right when someone edits the layer: the GeoPackage's own text. They call ST_
// functions that QGIS and GDAL have and we have not, so they are created once the rows are written.
const rtreeTriggers = `
CREATE TRIGGER "rtree_{t}_geom_insert" AFTER INSERT ON "{t}"
	WHEN (new."geom" NOT NULL AND NOT ST_IsEmpty(NEW."geom"))
BEGIN
	INSERT OR REPLACE INTO "rtree_{t}_geom" VALUES (NEW."fid",
		ST_MinX(NEW."geom"), ST_MaxX(NEW."geom"), ST_MinY(NEW."geom"), ST_MaxY(NEW."geom"));
END;
CREATE TRIGGER "rtree_{t}_geom_update1" AFTER UPDATE OF "geom" ON "{t}"
	WHEN OLD."fid" = NEW."fid" AND (NEW."geom" NOTNULL AND NOT ST_IsEmpty(NEW."geom"))
BEGIN
	INSERT OR REPLACE INTO "rtree_{t}_geom" VALUES (NEW."fid",
		ST_MinX(NEW."geom"), ST_MaxX(NEW."geom"), ST_MinY(NEW."geom"), ST_MaxY(NEW."geom"));
END;
CREATE TRIGGER "rtree_{t}_geom_update2" AFTER UPDATE OF "geom" ON "{t}"
	WHEN OLD."fid" = NEW."fid" AND (NEW."geom" ISNULL OR ST_IsEmpty(NEW."geom"))
BEGIN
	DELETE FROM "rtree_{t}_geom" WHERE id = OLD."fid";
END;
CREATE TRIGGER "rtree_{t}_geom_update3" AFTER UPDATE ON "{t}"
	WHEN OLD."fid" != NEW."fid" AND (NEW."geom" NOTNULL AND NOT ST_IsEmpty(NEW."geom"))
BEGIN
	DELETE FROM "rtree_{t}_geom" WHERE id = OLD."fid";
	INSERT OR REPLACE INTO "rtree_{t}_geom" VALUES (NEW."fid",
		ST_MinX(NEW."geom"), ST_MaxX(NEW."geom"), ST_MinY(NEW."geom"), ST_MaxY(NEW."geom"));
END;
CREATE TRIGGER "rtree_{t}_geom_update4" AFTER UPDATE ON "{t}"
	WHEN OLD."fid" != NEW."fid" AND (NEW."geom" ISNULL OR ST_IsEmpty(NEW."geom"))
BEGIN
	DELETE FROM "rtree_{t}_geom" WHERE id IN (OLD."fid", NEW."fid");
END;
CREATE TRIGGER "rtree_{t}_geom_delete" AFTER DELETE ON "{t}"
	WHEN old."geom" NOT NULL
BEGIN
	DELETE FROM "rtree_{t}_geom" WHERE id = OLD."fid";
END;`

// sqliteURI is the address of a file for the driver, whatever its path holds: accents, spaces, ? or #.
func sqliteURI(path string, params string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/… on Windows; a UNC path already begins with //
	}
	return "file://" + (&url.URL{Path: p}).EscapedPath() + "?" + params
}

// writeEditionFile writes an edition to a new file.
func writeEditionFile(ctx context.Context, path string, e *indicators.Edition) (err error) {
	// A killed run leaves a temporary file, never a broken edition: no journal is needed.
	db, err := sql.Open("sqlite", sqliteURI(path, "_pragma=page_size(4096)&_pragma=journal_mode(OFF)"+
		"&_pragma=synchronous(OFF)&_pragma=locking_mode(EXCLUSIVE)&_pragma=cache_size(-65536)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	for _, q := range []string{fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", userVersion)} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := writeEdition(ctx, tx, e); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func writeEdition(ctx context.Context, tx *sql.Tx, e *indicators.Edition) error {
	if _, err := tx.ExecContext(ctx, gpkgTables); err != nil {
		return err
	}
	if err := insertSRS(ctx, tx, 4326); err != nil {
		return err
	}
	known := map[int]bool{4326: true}
	for i := range e.Layers {
		s := &e.Layers[i]
		if !known[s.EPSG] {
			if err := insertSRS(ctx, tx, s.EPSG); err != nil {
				return fmt.Errorf("%s: %w", s.Layer, err)
			}
			known[s.EPSG] = true
		}
		if err := writeLayer(ctx, tx, s); err != nil {
			return err
		}
	}
	tables := editionTables(e)
	if len(e.Equipements) > 0 {
		if err := writeFacilities(ctx, tx, e); err != nil {
			return err
		}
		tables = append(tables, facilityZoneTable(e))
	}
	for i := range tables {
		t := &tables[i]
		if err := createTable(ctx, tx, t, `"rang" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL`); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO gpkg_contents
			(table_name, data_type, identifier, description, last_change, srs_id) VALUES (?, 'attributes', ?, ?, ?, 0)`,
			t.name, t.name, t.title, lastChange); err != nil {
			return err
		}
		if err := insertRows(ctx, tx, t); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `CREATE INDEX serie_code ON serie (code, indicateur)`); err != nil {
		return err
	}
	return writeViews(ctx, tx, e)
}

func insertSRS(ctx context.Context, tx *sql.Tx, epsg int) error {
	name, wkt, err := srsDefinition(epsg)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, 'EPSG', ?, ?, NULL)`,
			name, epsg, epsg, wkt)
	}
	return err
}

// writeLayer writes the feature table of one layer, and its R-tree.
func writeLayer(ctx context.Context, tx *sql.Tx, s *geo.ZoneSet) error {
	t := zoneTable(s, tableName(s.Layer), marshalGPKG)
	return writeFeatures(ctx, tx, &t, string(s.Layer), s.EPSG, func(yield func(int, orb.Bound) bool) {
		for i, z := range s.Zones {
			if len(z.Geom) > 0 && !yield(i+1, z.Geom.Bound()) {
				return
			}
		}
	})
}

// writeFacilities writes the points of the facilities.
func writeFacilities(ctx context.Context, tx *sql.Tx, e *indicators.Edition) error {
	t := facilityTable(e, marshalPointGPKG, nil)
	return writeFeatures(ctx, tx, &t, t.name, e.EPSG(), func(yield func(int, orb.Bound) bool) {
		for i, q := range e.Equipements {
			if !yield(i+1, orb.Point{q.X, q.Y}.Bound()) {
				return
			}
		}
	})
}

// writeFeatures writes a feature table and its R-tree. bounds are those of the rows that have a geometry, by fid.
func writeFeatures(ctx context.Context, tx *sql.Tx, t *table, identifier string, epsg int, bounds iter.Seq2[int, orb.Bound]) error {
	if err := createTable(ctx, tx, t, `"fid" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL`); err != nil {
		return err
	}
	if err := insertRows(ctx, tx, t); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(
		`CREATE VIRTUAL TABLE "rtree_%s_geom" USING rtree(id, minx, maxx, miny, maxy)`, t.name)); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, fmt.Sprintf(`INSERT INTO "rtree_%s_geom" VALUES (?, ?, ?, ?, ?)`, t.name))
	if err != nil {
		return err
	}
	defer insert.Close()
	bound := [4]any{} // min_x, min_y, max_x, max_y of the layer; NULL when it has no contour
	var all orb.Bound
	for fid, b := range bounds {
		if bound[0] != nil {
			all = all.Union(b)
		} else {
			all = b
		}
		bound = [4]any{all.Min[0], all.Min[1], all.Max[0], all.Max[1]}
		if _, err := insert.ExecContext(ctx, fid, b.Min[0], b.Max[0], b.Min[1], b.Max[1]); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, strings.ReplaceAll(rtreeTriggers, "{t}", t.name)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.name, identifier, t.title, lastChange, bound[0], bound[1], bound[2], bound[3], epsg); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)`,
		t.name, t.geometry, epsg); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO gpkg_extensions VALUES (?, 'geom', 'gpkg_rtree_index',
		'http://www.geopackage.org/spec120/#extension_rtree', 'write-only')`, t.name)
	return err
}

// createTable creates a table for the fields of t, after its key.
func createTable(ctx context.Context, tx *sql.Tx, t *table, key string) error {
	cols := make([]string, 0, len(t.fields)+1)
	if key != "" {
		cols = append(cols, key)
	}
	for _, f := range t.fields {
		cols = append(cols, quote(f.name)+" "+[...]string{kText: "TEXT", kInt: "INTEGER", kReal: "DOUBLE",
			kBool: "BOOLEAN", kGeom: t.geometry}[kindOf(f.ptr)])
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("CREATE TABLE %s (%s)", quote(t.name), strings.Join(cols, ", ")))
	return err
}

// insertRows writes the rows of t by prepared statements of many rows each, while the next ones are made ready.
func insertRows(ctx context.Context, tx *sql.Tx, t *table) error {
	const maxParams = 32766 // of SQLite
	n := len(t.fields)
	batch := min(max(maxParams/n, 1), 200)
	row := "(" + strings.Repeat("?, ", n-1) + "?)"
	prepare := func(rows int) (*sql.Stmt, error) {
		return tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", quote(t.name), columnList(t.fields),
			strings.Repeat(row+", ", rows-1)+row))
	}

	// Two batches take turns: one is written, the other filled.
	ready, empty, failed := make(chan []any), make(chan []any, 2), make(chan error, 1)
	empty <- nil
	empty <- nil
	go func() {
		defer close(ready)
		for args := range empty {
			args, err := encodeRows(args[:0], t, batch*n)
			if err != nil {
				failed <- err
				return
			}
			if len(args) > 0 {
				ready <- args
			}
			if len(args) < batch*n {
				return
			}
		}
	}()
	// Nobody reads the rows any more once this returns.
	defer func() {
		close(empty)
		for range ready {
		}
	}()
	var full *sql.Stmt
	for args := range ready {
		stmt := full
		if rows := len(args) / n; rows < batch || full == nil {
			var err error
			if stmt, err = prepare(rows); err != nil {
				return err
			}
			defer stmt.Close()
			if rows == batch {
				full = stmt
			}
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		empty <- args
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// encodeRows appends the values of the next rows of t, until there are so many or the rows end.
func encodeRows(args []any, t *table, values int) ([]any, error) {
	for len(args) < values {
		ok, err := t.next()
		if err != nil || !ok {
			return args, err
		}
		if args, err = encodeRow(args, t); err != nil {
			return args, err
		}
	}
	return args, nil
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// missing lists the fields that a table does not have: one of an earlier version of the program.
func missing(ctx context.Context, db querier, t *table) ([]field, error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM pragma_table_info(?)", t.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	has := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		has[name] = true
	}
	var out []field
	for _, f := range t.fields {
		if !has[f.name] && len(has) > 0 {
			out = append(out, f)
		}
	}
	return out, rows.Err()
}

// readRows gives t the rows of a query of its columns. One that the table does not have is NULL: SQLite would take its
// quoted name for a text.
func readRows(ctx context.Context, db querier, t *table, where string, args ...any) error {
	lacking, err := missing(ctx, db, t)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	list := columnList(t.fields)
	for _, f := range lacking {
		list = strings.Replace(list, quote(f.name), "NULL", 1)
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s %s", list, quote(t.name), where), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	defer rows.Close()
	dest := scratch(t.fields)
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if err := decode(t.fields, dest); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if err := t.add(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// openEditionFile opens an edition's file to read it, leaving no trace beside it.
func openEditionFile(path string) (*sql.DB, error) {
	return sql.Open("sqlite", sqliteURI(path, "mode=ro&immutable=1"))
}

// editionFileInfo reads which edition a file holds.
func editionFileInfo(ctx context.Context, path string) (id, title string, err error) {
	db, err := openEditionFile(path)
	if err != nil {
		return "", "", err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT id, coalesce(titre, '') FROM edition").Scan(&id, &title)
	if err != nil {
		return "", "", fmt.Errorf("%s is not an edition of the observatory (%w): give the store another name", path, err)
	}
	return id, title, nil
}

// readEditionFile reads the edition a file holds.
func readEditionFile(ctx context.Context, path string) (*indicators.Edition, error) {
	db, err := openEditionFile(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	e := &indicators.Edition{}
	tables := editionTables(e)
	for i := range tables {
		var there int // a file of an earlier version of the program lacks the tables that came since
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = ?", tables[i].name).Scan(&there); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if there == 0 && i >= outlineTables {
			continue
		}
		if err := readRows(ctx, db, &tables[i], "ORDER BY rang"); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	for i := range e.Layers {
		if _, err := readZones(ctx, db, path, &e.Layers[i], nil); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var facilities int // an edition without facilities has no table of them
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM gpkg_contents WHERE table_name = ?", facilityName).Scan(&facilities); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if facilities > 0 {
		points, zones := facilityTable(e, nil, unmarshalPointGPKG), facilityZoneTable(e)
		if err := readRows(ctx, db, &points, "ORDER BY fid"); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if err := readRows(ctx, db, &zones, "ORDER BY rang"); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return e, nil
}
