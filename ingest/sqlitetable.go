package ingest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// sqliteRows reads a table of a GeoPackage, or of another SQLite database, in the order of its rows: the names of its
// columns, then its rows. The contours of a layer are left out.
type sqliteRows struct {
	f       *file
	db      *sql.DB
	rows    *sql.Rows
	table   string
	columns []string
	values  []any
	targets []any
	line    int
	cells   []string
	err     error
}

// databaseNames lists the layers of features of a GeoPackage, and the tables without contours of a database, by name.
func (f *file) databaseNames() (layers, tables []string, err error) {
	db, err := f.database()
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	return f.tablesOf(db)
}

func (f *file) tablesOf(db *sql.DB) (layers, tables []string, err error) {
	ctx := context.Background()
	damaged := func(err error) error {
		return fmt.Errorf("%s: damaged or incomplete SQLite database (%w): download or copy it again", f.path, err)
	}
	found, err := packageLayers(ctx, db)
	if err != nil && !errors.Is(err, errNotPackage) {
		return nil, nil, damaged(err)
	}
	for _, l := range found {
		layers = append(layers, l.table)
	}
	// Views and virtual tables are computed: no data of a producer.
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'gpkg\_%' ESCAPE '\' AND name NOT LIKE 'rtree\_%' ESCAPE '\'
		AND name NOT IN ('layer_styles', 'spatial_ref_sys', 'geometry_columns') ORDER BY name`)
	if err != nil {
		return nil, nil, damaged(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, nil, damaged(err)
		}
		if !slices.Contains(layers, name) {
			tables = append(tables, name)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, damaged(err)
	}
	return layers, tables, nil
}

func openSQLite(f *file, l Layout, info *Info) (Rows, error) {
	db, err := f.database()
	if err != nil {
		return nil, err
	}
	r := &sqliteRows{f: f, db: db}
	if err := r.open(l, info); err != nil {
		db.Close()
		return nil, err
	}
	return r, nil
}

// open finds the table that is named, else the only one, else the only layer of features.
func (r *sqliteRows) open(l Layout, info *Info) error {
	layers, tables, err := r.f.tablesOf(r.db)
	if err != nil {
		return err
	}
	all := append(slices.Clone(tables), layers...)
	switch {
	case l.Sheet != "" && slices.Contains(all, l.Sheet):
		r.table = l.Sheet
	case l.Sheet != "":
		return fmt.Errorf("%s: no table %q: it has %s", r.f.path, l.Sheet, quoteList(all))
	case len(tables) == 1:
		r.table = tables[0]
	case len(tables) == 0 && len(layers) == 1:
		r.table = layers[0]
	case len(all) == 0:
		return fmt.Errorf("%s: a database without a table: download or copy it again", r.f.path)
	default:
		return fmt.Errorf("%s: it has several tables, %s: add the name of one after #, such as file.gpkg#%s, or in the card, table: {sheet: %s}",
			r.f.path, quoteList(all), all[0], all[0])
	}
	info.Sheet, info.Sheets, info.Encoding = r.table, all, "utf-8"
	ctx := context.Background()
	geometry := ""
	if found, err := packageLayers(ctx, r.db); err == nil {
		for _, l := range found {
			if l.table == r.table {
				geometry = l.geometry
			}
		}
	}
	t := packageLayer{table: r.table, geometry: geometry}
	if err := t.readColumns(ctx, r.db); err != nil {
		return r.damaged(err)
	}
	if len(t.columns) == 0 {
		return fmt.Errorf("%s: the table %q has no column but its contours: it is read with a card of kind layer", r.f.path, r.table)
	}
	r.columns = t.columns
	r.values, r.targets = make([]any, len(t.columns)), make([]any, len(t.columns))
	for i := range r.values {
		r.targets[i] = &r.values[i]
	}
	query := "SELECT "
	for i, c := range t.columns {
		if i > 0 {
			query += ", "
		}
		query += "+" + quoteName(c) // the sign: see readRows
	}
	query += " FROM " + quoteName(r.table)
	if t.key != "" {
		query += " ORDER BY " + quoteName(t.key)
	}
	if r.rows, err = r.db.QueryContext(ctx, query); err != nil {
		return r.damaged(err)
	}
	return nil
}

// quoteName writes a name of SQL.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (r *sqliteRows) damaged(err error) error {
	return fmt.Errorf("%s: table %q: after row %d: damaged or incomplete SQLite database (%w): download or copy it again", r.f.path, r.table, r.line, err)
}

func (r *sqliteRows) Cells() []string { return r.cells }
func (r *sqliteRows) Line() int       { return r.line }
func (r *sqliteRows) Err() error      { return r.err }

func (r *sqliteRows) Close() error {
	return errors.Join(r.rows.Close(), r.db.Close(), r.f.Close())
}

func (r *sqliteRows) Next() bool {
	if r.line == 0 {
		r.line = 1
		r.cells = append(r.cells[:0], r.columns...)
		return true
	}
	if r.err != nil || !r.rows.Next() {
		if err := r.rows.Err(); r.err == nil && err != nil {
			r.err = r.damaged(err)
		}
		r.cells = nil
		return false
	}
	r.line++
	err := r.rows.Scan(r.targets...)
	for i := 0; err == nil && i < len(r.values); i++ {
		if r.cells[i], err = sqliteText(r.values[i]); err != nil {
			r.err = fmt.Errorf("%s: table %q: row %d: %s: %w", r.f.path, r.table, r.line, r.columns[i], err)
			return false
		}
	}
	if err != nil {
		r.err = r.damaged(err)
	}
	return r.err == nil
}
