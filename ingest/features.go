package ingest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/paulmach/orb"

	"observatoire/geo"
)

// Features are the rows of a vector file with all their attributes, in the coordinates of the file: what is
// read without a card.
type Features struct {
	Path     string // of the file; "file.gpkg:layer" where a layer was named
	CRS      geo.CRS
	Columns  []string // names of the attributes
	Rows     []Feature
	Findings []Finding // contours that were mended
}

// A Feature is a row: an area, points, or neither.
type Feature struct {
	Row    int              // 1-based feature or record of the file
	Geom   orb.MultiPolygon // valid, shells counter-clockwise
	Points []orb.Point
	cells  []string // by column; the last ones may be missing
}

// ReadFeatures reads a vector file with its attributes: GeoJSON or shapefile, inside gzip or not, or GeoPackage.
// layer names a layer of a GeoPackage that has several; else it is empty. Rows keep the order of the file and
// contours are repaired. Lines, and coordinates that contradict the system the file declares, are errors.
func ReadFeatures(ctx context.Context, path, layer string) (*Features, error) {
	lf, err := readLayerFile(ctx, path, layer, nil)
	if err != nil {
		return nil, err
	}
	if err := lf.check(path, nil); err != nil {
		return nil, err
	}
	faults, err := lf.repair(ctx, lf.crs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	fs := &Features{Path: path, CRS: lf.crs, Columns: lf.columns, Findings: lf.findings}
	if layer != "" {
		fs.Path += ":" + layer
	}
	for i := range lf.features {
		f := &lf.features[i]
		if len(f.geom) == 0 {
			f.geom = nil
		}
		if fault := faults[i]; fault.Kind != "" && f.geom == nil {
			return nil, fmt.Errorf("%s: row %d: its contour cannot be used: %s: draw it again, or remove the row", fs.Path, f.row, fault.Kind)
		} else if fault.Kind != "" {
			fs.Findings = append(fs.Findings, Finding{"geometrie", filepath.Base(path), "", f.row, repaired(fault)})
		}
		fs.Rows = append(fs.Rows, Feature{f.row, f.geom, f.points, f.cells})
	}
	return fs, nil
}

// Project brings the rows to a legal projection. Of a file in another system it keeps the places of the territory the
// projection serves: the other rows, which it counts, stay without area and points. It is an error when none is there.
func (fs *Features) Project(ctx context.Context, legal geo.CRS) (elsewhere int, err error) {
	if fs.CRS.EPSG == legal.EPSG {
		return 0, nil
	}
	lf := &layerFile{crs: fs.CRS, features: make([]feature, len(fs.Rows))}
	placed := 0
	for i := range fs.Rows {
		row := &fs.Rows[i]
		if row.Geom == nil && len(row.Points) == 0 {
			continue
		}
		at := orb.MultiPoint(row.Points).Bound().Center()
		if row.Geom != nil {
			at = row.Geom.Bound().Center()
		}
		placed++
		if crs, err := geo.Legal(fs.CRS.Inverse(at[0], at[1])); err != nil || crs.EPSG != legal.EPSG {
			row.Geom, row.Points = nil, nil
			elsewhere++
			continue
		}
		for k, p := range row.Points {
			x, y := legal.Forward(fs.CRS.Inverse(p[0], p[1]))
			row.Points[k] = orb.Point{x, y}
		}
		lf.features[i].geom = row.Geom
	}
	if elsewhere == placed {
		return elsewhere, fmt.Errorf("%s: in %v, none of its places is in the territory of %v, that of the layers: name the file of that territory", fs.Path, fs.CRS, legal)
	}
	faults, err := lf.repair(ctx, legal)
	if err != nil {
		return elsewhere, fmt.Errorf("%s: %w", fs.Path, err)
	}
	for i := range fs.Rows {
		if row := &fs.Rows[i]; row.Geom != nil {
			if row.Geom = lf.features[i].geom; len(row.Geom) == 0 {
				return elsewhere, fmt.Errorf("%s: row %d: its contour cannot be used: %s: draw it again, or remove the row", fs.Path, row.Row, faults[i].Kind)
			}
		}
	}
	fs.CRS = legal
	return elsewhere, nil
}

// Cell is the text of a row in a column, given by its position; empty when there is none.
func (f *Feature) Cell(column int) string {
	if column >= len(f.cells) {
		return ""
	}
	return f.cells[column]
}

// Column finds a column by its name, or by its name but for case when there is only one such. The error gives
// the nearest names.
func (fs *Features) Column(name string) (int, error) {
	if i := slices.Index(fs.Columns, name); i >= 0 {
		return i, nil
	}
	found := -1
	for i, c := range fs.Columns {
		if strings.EqualFold(c, name) {
			if found >= 0 {
				found = -1
				break
			}
			found = i
		}
	}
	if found >= 0 {
		return found, nil
	}
	if len(fs.Columns) == 0 {
		return 0, fmt.Errorf("%s: no column %q: it has none", fs.Path, name)
	}
	return 0, fmt.Errorf("%s: no column %q: the nearest are %s", fs.Path, name, quoteList(Nearest(name, fs.Columns, 5)))
}

// idColumns are the usual names of the column of codes, less their case, by preference: the part of a code that
// some files give apart ("IRIS", "DEP") is not one.
var idColumns = []string{"code_iris", "dcomiris", "codeiris", "code_qp", "code_qpv", "codgeo", "code", "code_insee", "insee_com", "depcom",
	"code_epci", "siren_epci", "id", "identifiant", "ident", "zone", "code_zone", "fid", "ogc_fid", "objectid", "gid"}

// IDs are the identifiers of the rows, and the name of their column: the one of that name, or when it is empty
// the first with a usual name, else the first whose name begins with "code" or "id". Rows without identifier,
// or with that of another row, are all in the error.
func (fs *Features) IDs(name string) (ids []string, column string, err error) {
	k := -1
	if name != "" {
		if k, err = fs.Column(name); err != nil {
			return nil, "", err
		}
	}
	for _, usual := range idColumns {
		if k < 0 {
			k = slices.IndexFunc(fs.Columns, func(c string) bool { return strings.EqualFold(c, usual) })
		}
	}
	for _, prefix := range []string{"code", "id"} {
		if k < 0 {
			k = slices.IndexFunc(fs.Columns, func(c string) bool { return strings.HasPrefix(strings.ToLower(c), prefix) })
		}
	}
	if k < 0 {
		return nil, "", fmt.Errorf("%s: no column of codes among %s: name it", fs.Path, quoteList(fs.Columns))
	}
	column = fs.Columns[k]
	first := map[string]int{}
	var bad []error
	for i := range fs.Rows {
		f := &fs.Rows[i]
		id := plainCode(f.Cell(k))
		switch row, seen := first[id]; {
		case id == "":
			bad = append(bad, fmt.Errorf("%s: row %d: %s: empty: give the zone a code, or name another column", fs.Path, f.Row, column))
		case seen:
			bad = append(bad, fmt.Errorf("%s: row %d: %s: %q is that of row %d already: unite the two zones, or name another column", fs.Path, f.Row, column, id, row))
		default:
			first[id] = f.Row
		}
		ids = append(ids, id)
	}
	return ids, column, errors.Join(bad...)
}

// Numbers reads a column of figures, one a row. An empty cell, and the usual marks of a withheld figure (s, ns,
// nd, ///), are absences; any other text is in the error, with its row.
func (fs *Features) Numbers(name string) ([]geo.Figure, error) {
	k, err := fs.Column(name)
	if err != nil {
		return nil, err
	}
	figures := make([]geo.Figure, len(fs.Rows))
	var bad []error
	present := 0
	for i := range fs.Rows {
		f := &fs.Rows[i]
		text := strings.Trim(f.Cell(k), blanks)
		if _, mark := tokens[strings.ToLower(text)]; text == "" || mark {
			continue
		}
		v, err := parseNumber(text, "")
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: row %d: %s: %q %w: correct the cell, or empty it", fs.Path, f.Row, fs.Columns[k], text, err))
			continue
		}
		figures[i] = geo.Figure{V: v, OK: true}
		present++
	}
	if len(bad) > 1 && present == 0 { // a column of names, not one of figures with bad cells
		f := &fs.Rows[0]
		for i := range fs.Rows {
			if f = &fs.Rows[i]; strings.Trim(f.Cell(k), blanks) != "" {
				break
			}
		}
		return nil, fmt.Errorf("%s: row %d: %s: %q is not a number, nor is any cell of this column: name a column of figures", fs.Path, f.Row, fs.Columns[k], f.Cell(k))
	}
	return figures, errors.Join(bad...)
}
