package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"observatoire/geo"
	"observatoire/indicators"
)

// A wideLayer is a layer as those who draw maps want it: a row a zone, columns for the latest figures of each indicator
// and its gaps. It holds what everybody may see.
type wideLayer struct {
	set        *geo.ZoneSet
	table      string // of its zones in a GeoPackage
	indicators []wideIndicator
}

type wideIndicator struct {
	id, label, unit string
	rule            indicators.Rule
	levels          []string // of the references to which some zone has a gap
}

// name of the view of a layer.
func (l *wideLayer) name() string { return viewPrefix + l.table }

const viewPrefix = "vue_"

// columns of an indicator: what each is called, and what it is, in French.
func (w *wideIndicator) columns() (names, comments []string) {
	add := func(suffix, comment string) {
		names, comments = append(names, shortName(w.id+suffix)), append(comments, comment)
	}
	add("", strings.TrimSuffix(w.label+" ("+w.unit+")", " ()"))
	add("_statut", "disponible, secret, non_significatif, non_disponible ou sans_objet : "+w.label)
	add("_fiabilite", "bonne, moyenne, fragile ou insuffisante : "+w.label)
	add("_millesime", "Année des chiffres ; négative, celle du fichier : le producteur ne dit pas la leur : "+w.label)
	for _, level := range w.levels {
		add("_ecart_"+level, "Écart à la référence ("+level+") : "+w.label)
	}
	return names, comments
}

// shortName keeps a name within the 63 bytes PostgreSQL allows, and apart from the others.
func shortName(name string) string {
	const most = 63
	if len(name) <= most {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s_%08x", strings.ToValidUTF8(name[:most-9], ""), h.Sum32())
}

// maxWide is how many columns a view may have besides the zone's own: PostgreSQL allows 1600, SQLite 2000.
const maxWide = 1500

// wideLayers lists the layers to show, from what says which indicators and gaps each has.
func wideLayers(sets []geo.ZoneSet, defs []indicators.Definition, has func(l geo.Layer, indicateur string) (levels []string, ok bool)) []wideLayer {
	var out []wideLayer
	for i := range sets {
		l := wideLayer{set: &sets[i], table: tableName(sets[i].Layer)}
		columns := 0
		for _, d := range defs {
			levels, ok := has(sets[i].Layer, d.ID)
			if columns += 4 + len(levels); !ok || columns > maxWide {
				continue
			}
			slices.Sort(levels)
			l.indicators = append(l.indicators, wideIndicator{d.ID, d.Label, d.Unit, d.Rule, slices.Compact(levels)})
		}
		out = append(out, l)
	}
	return out
}

// styleOwner marks the styles that are ours, to be made again with each publication; those that people save are theirs.
const styleOwner = "observatoire"

// A style is a choropleth of one indicator, for QGIS.
type style struct {
	name, qml string
	byDefault bool
}

// styles makes a choropleth of each indicator that is not a count: a map of counts by colour misleads. values gives the
// figures of a column.
func (l *wideLayer) styles(values func(column string) ([]float64, error)) ([]style, error) {
	var out []style
	for i := range l.indicators {
		w := &l.indicators[i]
		if w.rule == indicators.Somme {
			continue
		}
		column := shortName(w.id)
		v, err := values(column)
		if err != nil {
			return nil, err
		}
		if len(v) > 0 {
			out = append(out, style{name: w.label, qml: choropleth(w, column, v)})
		}
	}
	if len(out) == 0 {
		return []style{{name: "Contours", qml: outlines(), byDefault: true}}, nil
	}
	out[0].byDefault = true
	return out, nil
}

// classColors go from light to dark: YlGnBu, which those who do not see all colours tell apart.
var classColors = []string{"255,255,204", "161,218,180", "65,182,196", "44,127,184", "37,52,148"}

// A qmlRule is what is drawn of the zones that a filter keeps.
type qmlRule struct{ filter, label, fill, pattern string }

// choropleth draws five classes of as many zones each, and hatches those without a figure.
func choropleth(w *wideIndicator, column string, values []float64) string {
	slices.Sort(values)
	var limits []float64 // of the classes, from the lowest to the highest
	for k := range len(classColors) + 1 {
		v := values[min(k*len(values)/len(classColors), len(values)-1)]
		if len(limits) == 0 || v > limits[len(limits)-1] {
			limits = append(limits, v)
		}
	}
	if len(limits) == 1 {
		limits = append(limits, limits[0])
	}
	var rules []qmlRule
	for k := range len(limits) - 1 {
		low, high := indicators.FormatNumber(limits[k]), indicators.FormatNumber(limits[k+1])
		upper, word := "<", "à moins de"
		if k == len(limits)-2 {
			upper, word = "<=", "à"
		}
		if k == 0 { // the ends are open: written figures are rounded
			low = "-1e300"
		}
		if k == len(limits)-2 {
			high = "1e300"
		}
		label := strings.ReplaceAll(fmt.Sprintf("%s %s %s %s", indicators.FormatNumber(limits[k]), word, indicators.FormatNumber(limits[k+1]), w.unit), ".", ",")
		rules = append(rules, qmlRule{fmt.Sprintf("%s >= %s AND %s %s %s", quote(column), low, quote(column), upper, high), label,
			classColors[min(k*len(classColors)/max(len(limits)-1, 1), len(classColors)-1)], "solid"})
	}
	return qml(append(rules, qmlRule{quote(column) + " IS NULL", "Secret ou non disponible", "150,150,150", "b_diagonal"}))
}

// outlines draws the zones without filling them.
func outlines() string { return qml([]qmlRule{{"", "Zones", "0,0,0", "no"}}) }

// qml is a QGIS style (3.16 and later) of rules.
func qml(rules []qmlRule) string {
	esc := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace
	var b strings.Builder
	b.WriteString("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" +
		`<qgis version="3.16" styleCategories="Symbology">` + "\n" + `<renderer-v2 type="RuleRenderer" symbollevels="0" forceraster="0" enableorderby="0">` + "\n<rules key=\"racine\">\n")
	for i, r := range rules {
		filter := ""
		if r.filter != "" {
			filter = ` filter="` + esc(r.filter) + `"`
		}
		fmt.Fprintf(&b, `<rule key="r%d" symbol="%d" label="%s"%s/>`+"\n", i, i, esc(r.label), filter)
	}
	b.WriteString("</rules>\n<symbols>\n")
	for i, r := range rules {
		fmt.Fprintf(&b, `<symbol type="fill" name="%d" alpha="1" clip_to_extent="1" force_rhr="0"><layer class="SimpleFill" enabled="1" locked="0" pass="0">`, i)
		for _, p := range [][2]string{{"color", r.fill + ",255"}, {"style", r.pattern}, {"outline_color", "110,110,110,255"}, {"outline_style", "solid"},
			{"outline_width", "0.16"}, {"outline_width_unit", "MM"}, {"joinstyle", "bevel"}} {
			fmt.Fprintf(&b, `<prop k="%s" v="%s"/>`, p[0], p[1])
		}
		b.WriteString("</layer></symbol>\n")
	}
	b.WriteString("</symbols>\n</renderer-v2>\n<layerGeometryType>2</layerGeometryType>\n</qgis>\n")
	return b.String()
}

// refreshViews makes the views of the published edition's layers, and their styles. A view that someone's own is built on
// stays as it is: it shows the published edition all the same, without the columns that are new.
func refreshViews(ctx context.Context, tx pgx.Tx, id string) error {
	rows, err := tx.Query(ctx, "SELECT nom FROM vue ORDER BY nom")
	if err != nil {
		return err
	}
	old, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM layer_styles WHERE owner = $1 AND f_table_schema = current_schema()", styleOwner); err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, name := range old {
		err := pgx.BeginFunc(ctx, tx, func(sub pgx.Tx) error {
			_, err := sub.Exec(ctx, "DROP VIEW IF EXISTS "+quote(name))
			return err
		})
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && (pg.Code == "2BP01" || pg.Code == "42501") { // another depends on it, or it is not ours
			kept[name] = true
			continue
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM vue WHERE nom = $1", name); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM millesime_recent; DELETE FROM zone_recente"); err != nil || id == "" {
		return err
	}
	e := &indicators.Edition{}
	tables := editionTables(e)
	if err := queryTables(ctx, tx, id, e, tables[:outlineTables]); err != nil {
		return err
	}
	e.Layers = indicators.Withhold(e).Layers
	for i := range tables {
		if tables[i].name == "indicateur" {
			if err := queryRows(ctx, tx, &tables[i], "WHERE edition = $1 ORDER BY rang", id); err != nil {
				return err
			}
		}
	}
	levels := map[geo.Layer]map[string][]string{}
	if err := summarize(ctx, tx, id, e.Layers); err != nil {
		return err
	}
	found, err := tx.Query(ctx, `SELECT r.couche, r.indicateur, '' FROM millesime_recent r
		UNION SELECT z.couche, split_part(k, ' ', 1), split_part(k, ' ', 2) FROM zone_recente z, jsonb_object_keys(z.ecarts) k ORDER BY 1, 2, 3`)
	if err != nil {
		return err
	}
	var couche, indicateur, level string
	if _, err := pgx.ForEachRow(found, []any{&couche, &indicateur, &level}, func() error {
		of := levels[geo.Layer(couche)]
		if of == nil {
			of = map[string][]string{}
			levels[geo.Layer(couche)] = of
		}
		if of[indicateur] = append(of[indicateur], level); level == "" {
			of[indicateur] = of[indicateur][:len(of[indicateur])-1]
		}
		return nil
	}); err != nil {
		return err
	}
	for _, l := range wideLayers(e.Layers, e.Indicators, func(l geo.Layer, id string) ([]string, bool) { v, ok := levels[l][id]; return v, ok }) {
		if kept[l.name()] {
			continue
		}
		if err := createView(ctx, tx, &l); err != nil {
			return fmt.Errorf("view %s: %w", l.name(), err)
		}
	}
	return nil
}

// summarize fills the tables millesime_recent and zone_recente with the open figures of an edition on its open layers.
func summarize(ctx context.Context, tx pgx.Tx, id string, open []geo.ZoneSet) error {
	layers := make([]string, len(open))
	for i := range open {
		layers[i] = string(open[i].Layer)
	}
	for _, text := range []string{
		`INSERT INTO millesime_recent SELECT couche, indicateur, millesime FROM (
			SELECT couche, indicateur, millesime, row_number() OVER (PARTITION BY couche, indicateur ORDER BY millesime > 0 DESC, abs(millesime) DESC) AS place
			FROM (SELECT couche, indicateur, millesime, count(valeur) AS n, max(count(valeur)) OVER (PARTITION BY couche, indicateur) AS best FROM serie
				WHERE edition = $1 AND couche = ANY ($2) AND retenue AND sexe = 'T' AND convention IS NULL AND millesime IS NOT NULL
				GROUP BY couche, indicateur, millesime) n WHERE 2 * n >= best) r WHERE place = 1`,
		`INSERT INTO zone_recente SELECT couche, code, jsonb_object_agg(indicateur, jsonb_build_array(valeur, statut, fiabilite, millesime))
			FROM serie JOIN millesime_recent USING (couche, indicateur, millesime)
			WHERE edition = $1 AND couche = ANY ($2) AND code IS NOT NULL AND retenue AND sexe = 'T' AND convention IS NULL GROUP BY couche, code`,
		`INSERT INTO zone_recente AS z (couche, code, ecarts) SELECT couche, code,
				jsonb_object_agg(indicateur || ' ' || regexp_replace(couche_reference, '-[0-9]+$', ''), ecart ORDER BY couche_reference, code_reference DESC)
			FROM ecart JOIN millesime_recent USING (couche, indicateur, millesime)
			WHERE edition = $1 AND couche = ANY ($2) AND couche_reference = ANY ($2) AND sexe = 'T' AND ecart IS NOT NULL AND convention IS NULL
			GROUP BY couche, code ON CONFLICT (couche, code) DO UPDATE SET ecarts = EXCLUDED.ecarts`,
	} {
		if _, err := tx.Exec(ctx, text, id, layers); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "ANALYZE millesime_recent, zone_recente") // they are refilled whole: statistics of before would mislead
	return err
}

// createView makes the view of one layer, whose integer key is its fid, and its styles.
func createView(ctx context.Context, tx pgx.Tx, l *wideLayer) error {
	literal := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	var cols, comments strings.Builder
	comment := func(column, text string) {
		fmt.Fprintf(&comments, "COMMENT ON COLUMN %s.%s IS %s;\n", quote(l.name()), quote(column), literal(text))
	}
	for i := range l.indicators {
		w := &l.indicators[i]
		names, texts := w.columns()
		for k, name := range names {
			var value string
			switch {
			case k == 0:
				value = "(f.valeurs -> %s ->> 0)::double precision"
			case k == 3:
				value = "(f.valeurs -> %s ->> 3)::integer"
			case k < 4:
				value = fmt.Sprintf("f.valeurs -> %%s ->> %d", k)
			default:
				value = "(f.ecarts ->> %s)::double precision"
			}
			key := w.id
			if k > 3 {
				key += " " + w.levels[k-4]
			}
			fmt.Fprintf(&cols, ",\n    "+value+" AS %s", literal(key), quote(name))
			comment(name, texts[k])
		}
	}
	comment("fid", "Rang de la zone dans la couche : clé entière, stable dans une édition")
	comment("geom", fmt.Sprintf("Contour dans la projection légale, EPSG:%d", l.set.EPSG))
	comment("code", "Code de la zone")
	comment("aire_m2", "Surface, en m²")
	layer := literal(string(l.set.Layer))
	// A figure goes through JSON and back without loss: PostgreSQL writes the shortest number that reads as the same.
	text := fmt.Sprintf(`CREATE VIEW %s AS SELECT z.fid::integer AS fid, z.geom::geometry(MultiPolygon, %d) AS geom, z.code, z.nom, z.communes, z.type, z.aire_m2%s
FROM zone z
JOIN edition e ON e.id = z.edition AND e.etat = 'publiée'
LEFT JOIN zone_recente f ON f.couche = z.couche AND f.code = z.code
WHERE z.couche = %s;
COMMENT ON VIEW %s IS %s;
%s`, quote(l.name()), l.set.EPSG, cols.String(), layer, quote(l.name()),
		literal(cmp.Or(l.set.Title, string(l.set.Layer))+" : édition publiée, millésimes les plus récents, données ouvertes"), comments.String())
	if _, err := tx.Conn().PgConn().Exec(ctx, text).ReadAll(); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO vue VALUES ($1, $2)", l.name(), string(l.set.Layer)); err != nil {
		return err
	}
	if err := grantRead(ctx, tx, l.name()); err != nil {
		return err
	}
	styles, err := l.styles(func(column string) ([]float64, error) {
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE %s IS NOT NULL", quote(column), quote(l.name()), quote(column)))
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[float64])
	})
	if err != nil {
		return err
	}
	for _, s := range styles {
		if _, err := tx.Exec(ctx, `INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, stylename, styleqml,
			useasdefault, description, owner, type) VALUES (current_database(), current_schema(), $1, 'geom', $2, $3::text::xml, $4, $2, $5, 'Polygon')`,
			l.name(), s.name, strings.SplitN(s.qml, "\n", 2)[1], s.byDefault, styleOwner); err != nil { // a DOCTYPE is no XML content
			return err
		}
	}
	return nil
}

// layerStylesTable is the table in which QGIS finds the styles of a GeoPackage.
const layerStylesTable = `CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
	f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
	description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))`

// recentValues and recentGaps are the views valeur_recente and ecart_recent of PostGIS, for an edition's file.
const recentValues = `WITH v AS (SELECT * FROM serie WHERE retenue AND sexe = 'T' AND convention IS NULL AND millesime IS NOT NULL),
	n AS (SELECT couche, indicateur, millesime, count(valeur) AS n FROM v GROUP BY couche, indicateur, millesime),
	b AS (SELECT n.*, max(n) OVER (PARTITION BY couche, indicateur) AS best FROM n),
	r AS (SELECT couche, indicateur, millesime, row_number() OVER (PARTITION BY couche, indicateur
		ORDER BY millesime > 0 DESC, abs(millesime) DESC) AS place FROM b WHERE 2 * n >= best)
	SELECT v.* FROM v JOIN r USING (couche, indicateur, millesime) WHERE place = 1`

// writeViews adds, to an edition's file, the view of each layer: its zones beside a table of their latest figures.
func writeViews(ctx context.Context, tx *sql.Tx, e *indicators.Edition) error {
	open := indicators.Withhold(&indicators.Edition{Layers: e.Layers}).Layers
	if _, err := tx.ExecContext(ctx, "CREATE TEMP TABLE recente AS "+recentValues); err != nil {
		return err
	}
	type cell struct {
		value              indicators.Opt
		statut, fiabilite  string
		millesime          int
		gaps               map[string]float64
		couche, code, indi string
	}
	cells := map[[3]string]*cell{}
	levels := map[[2]string][]string{} // by layer and indicator
	rows, err := tx.QueryContext(ctx, `SELECT couche, indicateur, coalesce(code, ''), valeur, statut, coalesce(fiabilite, ''), millesime FROM recente`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c cell
		var v sql.NullFloat64
		if err := rows.Scan(&c.couche, &c.indi, &c.code, &v, &c.statut, &c.fiabilite, &c.millesime); err != nil {
			return err
		}
		c.value = indicators.Opt{V: v.Float64, OK: v.Valid}
		cells[[3]string{c.couche, c.indi, c.code}] = &c
		if _, ok := levels[[2]string{c.couche, c.indi}]; !ok {
			levels[[2]string{c.couche, c.indi}] = nil
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	shown := map[geo.Layer]bool{}
	for _, s := range open {
		shown[s.Layer] = true
	}
	gaps, err := tx.QueryContext(ctx, `SELECT couche, indicateur, coalesce(x.code, ''), couche_reference, ecart FROM ecart x
		JOIN (SELECT DISTINCT couche, indicateur, millesime FROM recente) USING (couche, indicateur, millesime)
		WHERE sexe = 'T' AND ecart IS NOT NULL AND convention IS NULL ORDER BY couche_reference DESC, code_reference`)
	if err != nil {
		return err
	}
	defer gaps.Close()
	for gaps.Next() {
		var couche, indi, code, ref string
		var gap float64
		if err := gaps.Scan(&couche, &indi, &code, &ref, &gap); err != nil {
			return err
		}
		c := cells[[3]string{couche, indi, code}]
		if c == nil || !shown[geo.Layer(ref)] {
			continue
		}
		level := geo.Layer(ref).Level()
		if c.gaps == nil {
			c.gaps = map[string]float64{}
		}
		if _, ok := c.gaps[level]; !ok {
			c.gaps[level] = gap
		}
		if of := levels[[2]string{couche, indi}]; !slices.Contains(of, level) {
			levels[[2]string{couche, indi}] = append(of, level)
		}
	}
	if err := gaps.Err(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DROP TABLE recente"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, layerStylesTable); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id)
		VALUES ('layer_styles', 'attributes', 'layer_styles', 'Styles des couches, lus par QGIS', ?, 0)`, lastChange); err != nil {
		return err
	}
	for _, l := range wideLayers(open, e.Indicators, func(l geo.Layer, id string) ([]string, bool) {
		v, ok := levels[[2]string{string(l), id}]
		return v, ok
	}) {
		if len(l.set.Zones) == 0 { // of an empty view GDAL cannot tell the key
			continue
		}
		// The row of zone i, whose fid is i + 1.
		i := -1
		var fid int
		t := &table{name: "valeurs_" + l.table, fields: []field{{"fid", &fid}}}
		var fill []func(code string)
		names := []string{`z."fid" AS "OGC_FID"`, `z."geom"`, `z."code"`, `z."nom"`, `z."communes"`, `z."type"`, `z."aire_m2"`}
		for k := range l.indicators {
			w := &l.indicators[k]
			cols, _ := w.columns()
			var value indicators.Opt
			var statut, fiabilite string
			var millesime year
			gap := make([]indicators.Opt, len(w.levels))
			pv, ps, pf, pm := &value, &statut, &fiabilite, &millesime
			t.fields = append(t.fields, field{cols[0], pv}, field{cols[1], ps}, field{cols[2], pf}, field{cols[3], pm})
			for n := range gap {
				t.fields = append(t.fields, field{cols[4+n], &gap[n]})
			}
			fill = append(fill, func(code string) {
				*pv, *ps, *pf, *pm = indicators.Opt{}, "", "", 0
				clear(gap)
				if c := cells[[3]string{string(l.set.Layer), w.id, code}]; c != nil {
					*pv, *ps, *pf, *pm = c.value, c.statut, c.fiabilite, year(c.millesime)
					for n, level := range w.levels {
						if v, ok := c.gaps[level]; ok {
							gap[n] = indicators.Some(v)
						}
					}
				}
			})
			for _, c := range cols {
				names = append(names, "v."+quote(c))
			}
		}
		t.next = func() (bool, error) {
			if i++; i >= len(l.set.Zones) {
				return false, nil
			}
			fid = i + 1
			for _, f := range fill {
				f(l.set.Zones[i].Code)
			}
			return true, nil
		}
		if err := createTable(ctx, tx, &table{name: t.name, fields: t.fields[1:]}, `"fid" INTEGER PRIMARY KEY NOT NULL`); err != nil {
			return err
		}
		if err := insertRows(ctx, tx, t); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`CREATE VIEW %s AS SELECT %s FROM %s z JOIN %s v ON v."fid" = z."fid"`,
			quote(l.name()), strings.Join(names, ", "), quote(l.table), quote(t.name))); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO gpkg_contents SELECT ?, 'features', ?, ?, last_change, min_x, min_y, max_x, max_y, srs_id
			FROM gpkg_contents WHERE table_name = ?`, l.name(), l.name(), cmp.Or(l.set.Title, string(l.set.Layer))+" : millésimes les plus récents", l.table); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO gpkg_geometry_columns SELECT ?, column_name, geometry_type_name, srs_id, z, m
			FROM gpkg_geometry_columns WHERE table_name = ?`, l.name(), l.table); err != nil {
			return err
		}
		styles, err := l.styles(func(column string) (out []float64, err error) {
			rows, err := tx.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE %s IS NOT NULL", quote(column), quote(t.name), quote(column)))
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			for rows.Next() {
				var v float64
				if err := rows.Scan(&v); err != nil {
					return nil, err
				}
				out = append(out, v)
			}
			return out, rows.Err()
		})
		if err != nil {
			return err
		}
		for _, s := range styles {
			if _, err := tx.ExecContext(ctx, `INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML,
				styleSLD, useAsDefault, description, owner, ui, update_time) VALUES ('', '', ?, 'geom', ?, ?, '', ?, ?, ?, '', ?)`,
				l.name(), s.name, s.qml, s.byDefault, s.name, styleOwner, lastChange); err != nil {
				return err
			}
		}
	}
	return nil
}
