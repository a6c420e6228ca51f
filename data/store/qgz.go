package store

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"observatoire/geo"
)

// A mapLayer is a view as a QGIS project opens it.
type mapLayer struct {
	view, title string
	layer       geo.Layer
	epsg        int
	bound       [4]float64 // west, south, east, north, in the projection
	source      string     // as QGIS writes it
	qml         string     // of the style by default
}

// WriteQGIS writes a QGIS project (3.16 and later) that opens the views of the published edition, each under its style. folder is
// where the project will be: a GeoPackage is named from there. service, or else the one that the store's address names, is a
// connection of pg_service.conf; without any, the server is named, and neither the account nor its password ever is.
func WriteQGIS(ctx context.Context, w io.Writer, s Store, address, folder, service string) error {
	outline, err := s.Outline(ctx, "")
	if err != nil {
		return err
	}
	var layers []mapLayer
	provider := "postgres"
	switch s := s.(type) {
	case *gpkg:
		provider = "ogr"
		layers, err = s.mapLayers(ctx, folder)
	case *postgis:
		var schema string
		if _, schema, err = cutSchema(address); err == nil {
			layers, err = s.mapLayers(ctx, schema, cmp.Or(service, serviceOf(address)))
		}
	default:
		return fmt.Errorf("no QGIS project of a %T", s)
	}
	if err != nil {
		return fmt.Errorf("QGIS project: %w", err)
	}
	if len(layers) == 0 {
		return fmt.Errorf("QGIS project: edition %s has no layer with contours", outline.ID)
	}
	for i := range layers {
		for _, set := range outline.Layers {
			if set.Layer == layers[i].layer {
				layers[i].title = cmp.Or(set.Title, string(set.Layer))
			}
		}
	}
	slices.SortStableFunc(layers, func(a, b mapLayer) int { // the ones above first, the last vintage of each
		return cmp.Or(cmp.Compare(drawRank(a.layer), drawRank(b.layer)), strings.Compare(a.layer.Level(), b.layer.Level()), cmp.Compare(b.layer.Vintage(), a.layer.Vintage()))
	})
	z := zip.NewWriter(w)
	f, err := z.Create("observatoire.qgs") // without a date: the same edition gives the same bytes
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, qgs(outline.Title, provider, layers)); err != nil {
		return err
	}
	return z.Close()
}

// drawOrder is the order of levels on a map, from above; those not named come before communes.
var drawOrder = []string{"qpv", "veille", "quartier_vecu", "zus", "poche_pauvrete", "iris", "", "commune", "epci", "departement", "region"}

func drawRank(l geo.Layer) int {
	level := l.Level()
	if strings.HasPrefix(level, "quartier_vecu") { // and its distances
		level = "quartier_vecu"
	}
	if i := slices.Index(drawOrder, level); i >= 0 {
		return i
	}
	return slices.Index(drawOrder, "")
}

// qgs is the project's document.
func qgs(title, provider string, layers []mapLayer) string {
	var b strings.Builder
	crs := func(epsg int) string {
		_, wkt, _ := srsDefinition(epsg) // QGIS takes the definition first: without it the project would have no system
		return fmt.Sprintf("<spatialrefsys><wkt>%s</wkt><srid>%d</srid><authid>EPSG:%d</authid></spatialrefsys>", escape(wkt), epsg, epsg)
	}
	bound := layers[0].bound // the project opens on the quarters
	fmt.Fprintf(&b, "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis projectname=\"%s\" version=\"3.16.0\">\n<title>%s</title>\n<projectCrs>%s</projectCrs>\n<layer-tree-group>\n",
		escape(title), escape(title), crs(layers[0].epsg))
	shown := map[string]bool{}
	for i := range layers {
		l := &layers[i]
		checked := "Qt::Unchecked"
		if level := l.layer.Level(); !shown[level] && slices.Contains([]string{"qpv", "veille", "quartier_vecu", "iris"}, level) { // its last vintage
			checked, shown[level] = "Qt::Checked", true
		}
		fmt.Fprintf(&b, "<layer-tree-layer id=\"%s\" name=\"%s\" source=\"%s\" providerKey=\"%s\" checked=\"%s\" expanded=\"0\"/>\n", l.view, escape(l.title), escape(l.source), provider, checked)
	}
	fmt.Fprintf(&b, "</layer-tree-group>\n<mapcanvas name=\"theMapCanvas\"><units>meters</units><extent><xmin>%f</xmin><ymin>%f</ymin><xmax>%f</xmax><ymax>%f</ymax></extent><rotation>0</rotation><destinationsrs>%s</destinationsrs></mapcanvas>\n<projectlayers>\n",
		bound[0], bound[1], bound[2], bound[3], crs(layers[0].epsg))
	for i := range layers {
		l := &layers[i]
		fmt.Fprintf(&b, "<maplayer type=\"vector\" geometry=\"Polygon\" wkbType=\"MultiPolygon\" styleCategories=\"Symbology\">\n<id>%s</id>\n<datasource>%s</datasource>\n<layername>%s</layername>\n<srs>%s</srs>\n<provider encoding=\"UTF-8\">%s</provider>\n%s\n</maplayer>\n",
			l.view, escape(l.source), escape(l.title), crs(l.epsg), provider, renderer.FindString(l.qml))
	}
	b.WriteString("</projectlayers>\n<properties><SpatialRefSys><ProjectionsEnabled type=\"int\">1</ProjectionsEnabled></SpatialRefSys></properties>\n</qgis>\n")
	return b.String()
}

// renderer is the part of a style that a project holds.
var renderer = regexp.MustCompile(`(?s)<renderer-v2 .*</renderer-v2>`)

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// mapLayers are the views of the file, named from a folder.
func (s *gpkg) mapLayers(ctx context.Context, folder string) ([]mapLayer, error) {
	path := s.path
	if rel, err := filepath.Rel(folder, path); err == nil { // not to another Windows drive
		if path = filepath.ToSlash(rel); !strings.HasPrefix(path, "../") {
			path = "./" + path
		}
	}
	db, err := openEditionFile(s.path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT c.table_name, c.srs_id, c.min_x, c.min_y, c.max_x, c.max_y, y.styleQML FROM gpkg_contents c
		JOIN layer_styles y ON y.f_table_name = c.table_name AND y.useAsDefault AND y.owner = ? WHERE c.table_name LIKE ? || '%' AND c.min_x IS NOT NULL ORDER BY 1`, styleOwner, viewPrefix)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []mapLayer
	for rows.Next() {
		l := mapLayer{}
		if err := rows.Scan(&l.view, &l.epsg, &l.bound[0], &l.bound[1], &l.bound[2], &l.bound[3], &l.qml); err != nil {
			return nil, err
		}
		l.layer = viewLayer(l.view)
		l.source = path + "|layername=" + l.view
		out = append(out, l)
	}
	return out, rows.Err()
}

// viewLayer is the layer that a view of a GeoPackage shows.
func viewLayer(view string) geo.Layer {
	name := strings.TrimPrefix(view, viewPrefix)
	if i := strings.LastIndexByte(name, '_'); i >= 0 {
		name = name[:i] + "-" + name[i+1:]
	}
	return geo.Layer(name)
}

// mapLayers are the views of the schema.
func (s *postgis) mapLayers(ctx context.Context, schema, service string) ([]mapLayer, error) {
	literal := func(v string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(v) + "'" }
	c := s.pool.Config().ConnConfig
	where := "service=" + literal(service)
	if service == "" {
		ssl := "prefer"
		if c.TLSConfig == nil {
			ssl = "disable"
		}
		where = fmt.Sprintf("dbname=%s host=%s port=%d sslmode=%s", literal(c.Database), literal(c.Host), c.Port, ssl)
	}
	rows, err := s.pool.Query(ctx, `SELECT v.nom, v.couche, g.srid, y.styleqml::text FROM vue v
		JOIN geometry_columns g ON g.f_table_schema = current_schema() AND g.f_table_name = v.nom
		JOIN layer_styles y ON y.f_table_schema = current_schema() AND y.f_table_name = v.nom AND y.useasdefault AND y.owner = $1 ORDER BY 1`, styleOwner)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (mapLayer, error) {
		l, name := mapLayer{}, ""
		err := row.Scan(&l.view, &name, &l.epsg, &l.qml)
		l.layer = geo.Layer(name)
		return l, err
	})
	if err != nil {
		return nil, err
	}
	var out []mapLayer
	for _, l := range found {
		var box [4]*float64
		if err := s.pool.QueryRow(ctx, "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT ST_Extent(geom) AS b FROM "+quote(l.view)+") x").Scan(&box[0], &box[1], &box[2], &box[3]); err != nil {
			return nil, err
		}
		if box[0] == nil { // zones known by their code alone
			continue
		}
		for i := range box {
			l.bound[i] = *box[i]
		}
		l.source = fmt.Sprintf("%s key='fid' estimatedmetadata=true srid=%d type=MultiPolygon checkPrimaryKeyUnicity='0' table=%s.%s (geom)", where, l.epsg, quote(schema), quote(l.view))
		out = append(out, l)
	}
	return out, nil
}

var serviceKeyword = regexp.MustCompile(`(?:^|\s)service\s*=\s*('[^']*'|\S+)`)

// serviceOf is the connection of pg_service.conf that an address names, or "".
func serviceOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Scheme != "" {
		return u.Query().Get("service")
	}
	if m := serviceKeyword.FindStringSubmatch(address); m != nil {
		return strings.Trim(m[1], "'")
	}
	return ""
}
