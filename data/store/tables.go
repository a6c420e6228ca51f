package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// WriteTable writes a table of the database, "schema.table" or one of the path's, as GeoJSON in its own projection: the
// layers that people edit in QGIS are sources like files. The order of the rows is that of what they hold, so that the same
// rows give the same bytes.
func (s *postgis) WriteTable(ctx context.Context, table string, w io.Writer) error {
	err := s.read(ctx, func(tx pgx.Tx) error {
		schema, name, ok := strings.Cut(table, ".")
		if !ok {
			schema, name = "", table
		}
		rows, err := tx.Query(ctx, `SELECT f_table_schema, f_geometry_column, srid FROM geometry_columns
			WHERE f_table_name = $1 AND ($2 = '' OR f_table_schema = $2) ORDER BY 1, 2`, name, schema)
		if err != nil {
			return err
		}
		type column struct {
			Schema, Name string
			SRID         int
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return errors.New("no such table with a geometry that this account may read: check its name, schema.table, and ask for GRANT SELECT on it")
		case len(found) > 1:
			return fmt.Errorf("%d geometries are called so (%s.%s, %s.%s…): write schema.table, of a table or view that has one",
				len(found), found[0].Schema, found[0].Name, found[1].Schema, found[1].Name)
		case found[0].SRID == 0:
			return fmt.Errorf("its column %s does not say its projection: ALTER TABLE … ALTER COLUMN … TYPE geometry(…, 2154) USING ST_SetSRID(…, 2154)", found[0].Name)
		}
		c := found[0]
		lines, err := tx.Query(ctx, fmt.Sprintf(`SELECT line FROM (SELECT jsonb_build_object('type', 'Feature', 'properties', to_jsonb(t) - $1::text,
			'geometry', ST_AsGeoJSON(ST_CurveToLine(t.%s), 9, 0)::jsonb)::text AS line
			FROM %s.%s t) AS features ORDER BY line COLLATE "C"`,
			quote(c.Name), quote(c.Schema), quote(name)), c.Name)
		if err != nil {
			return err
		}
		out := bufio.NewWriter(w)
		fmt.Fprintf(out, `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::%d"}},"features":[`, c.SRID)
		separator := "\n"
		var line string
		if _, err := pgx.ForEachRow(lines, []any{&line}, func() error {
			_, err := out.WriteString(separator + line)
			separator = ",\n"
			return err
		}); err != nil {
			return err
		}
		out.WriteString("\n]}\n")
		return out.Flush()
	})
	if err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	return nil
}
