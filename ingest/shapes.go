package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"golang.org/x/sync/errgroup"

	"observatoire/geo"
)

// A Finding is something a reader mended or noticed, for the review.
type Finding struct {
	Kind    string // "geometrie", "doublon", "projection" or "texte"
	File    string // base name
	Code    string // of the zone; empty when it is about the whole file
	Row     int    // 1-based feature or record; 0 when it is about the whole file
	Message string // in French
}

// A feature is a row of a layer file, in the file's own coordinates.
type feature struct {
	row    int
	attrs  [attributes]string // those a card asks for
	cells  []string           // of every column, where there is no card
	geom   orb.MultiPolygon
	points []orb.Point // where there is no card: with one, a zone needs a polygon
}

// The attributes a zone takes from its row.
const (
	attrCode = iota
	attrName
	attrCommune
	attrType
	attributes
)

// wanted gives the names each attribute may have, by preference. Without a card it is none of them: the readers
// then keep the cells of every column, and points as well as polygons.
func (c *Card) wanted() (names [attributes][]string) {
	if c != nil {
		names = [attributes][]string{c.Code, c.Name, c.Commune, c.Type}
	}
	return names
}

// system is the coordinate system the card gives to a file that does not name its own, or "".
func (c *Card) system() string {
	if c == nil {
		return ""
	}
	return c.CRS
}

// orSystem ends the remedy of a file that does not name its coordinate system.
func (c *Card) orSystem() string {
	if c == nil {
		return ""
	}
	return ", or say crs: EPSG:2154 in the card"
}

// pickColumn finds the column a card asks for: the first of its names that the file has, else the same but for
// case and spacing.
func pickColumn(columns, names []string) int {
	for _, n := range names {
		if i := slices.Index(columns, n); i >= 0 {
			return i
		}
	}
	plain := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	for _, n := range names {
		n = plain(n)
		if i := slices.IndexFunc(columns, func(c string) bool { return plain(c) == n }); i >= 0 {
			return i
		}
	}
	return -1
}

// A layerFile is a layer as its file has it.
type layerFile struct {
	format   string // "geojson", "topojson", "shapefile", "geopackage" or "geoparquet"
	crs      geo.CRS
	columns  []string // names of the attributes, of the first row for a format that names them row by row
	features []feature
	findings []Finding
}

// ReadLayer reads a layer file, GeoJSON, shapefile or GeoPackage, as its card says: zones in the legal projection,
// in m, repaired, one per code, ordered by code. Of a GeoPackage with several layers it takes the one the card
// names under table: sheet, else the only one with its column of codes. What was mended is in the findings, those about the whole file first; a
// zone without geometry is kept, known by its code alone. Of a file that spans several legal projections, the
// zones of the most frequent one are kept. Every row without a code is in the error.
func ReadLayer(ctx context.Context, path string, c *Card, layer geo.Layer) (*geo.ZoneSet, []Finding, error) {
	return ReadLayerIn(ctx, path, c, layer, 0)
}

// ReadLayerIn is ReadLayer for a territory, told by its legal projection: of a file that spans several, it keeps the
// zones of this one when there are any. A finding of the kind "projection" says how many were left out.
func ReadLayerIn(ctx context.Context, path string, c *Card, layer geo.Layer, epsg int) (*geo.ZoneSet, []Finding, error) {
	lf, err := readLayerFile(ctx, path, c.Layout.Sheet, c)
	if err != nil {
		return nil, nil, err
	}
	if err := lf.check(path, c); err != nil {
		return nil, nil, err
	}
	base := filepath.Base(path)
	legal, err := lf.keepLegal(path, base, epsg)
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(lf.features, func(a, b feature) int { return cmp.Compare(a.attrs[attrCode], b.attrs[attrCode]) })
	faults, err := lf.repair(ctx, legal)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}

	set := &geo.ZoneSet{Layer: layer, Title: c.Title, EPSG: legal.EPSG, Schematic: c.Schematic, Source: c.ID + "/" + base}
	if v := layer.Vintage(); v != 0 {
		set.Title = fmt.Sprintf("%s, géographie au 01/01/%d", c.Title, v)
	}
	findings := lf.findings
	note := func(kind string, f *feature, format string, args ...any) {
		findings = append(findings, Finding{kind, base, f.attrs[attrCode], f.row, fmt.Sprintf(format, args...)})
	}
	for from := 0; from < len(lf.features); {
		first := &lf.features[from]
		to := from
		z := geo.Zone{Code: first.attrs[attrCode]}
		var parts []orb.MultiPolygon
		var rows []string
		area := 0.0 // of the parts, one by one
		for ; to < len(lf.features) && lf.features[to].attrs[attrCode] == z.Code; to++ {
			f := &lf.features[to]
			rows = append(rows, strconv.Itoa(f.row))
			z.Name = cmp.Or(z.Name, f.attrs[attrName])
			z.Type = cmp.Or(z.Type, f.attrs[attrType])
			z.Commune = cmp.Or(z.Commune, f.attrs[attrCommune])
			switch fault := faults[to]; {
			case fault.Kind != "" && len(f.geom) == 0:
				note("geometrie", f, "Contour inutilisable (%s) : la zone n'est connue que par son code.", fault.Kind)
			case fault.Kind != "":
				note("geometrie", f, "%s", repaired(fault))
			case len(f.geom) == 0:
				note("geometrie", f, "Aucun contour dans le fichier : la zone n'est connue que par son code.")
			}
			if len(f.geom) > 0 {
				parts = append(parts, f.geom)
				area += geo.Area(f.geom)
			}
		}
		switch {
		case len(parts) == 1:
			z.Geom = parts[0]
		case len(parts) > 1:
			z.Geom = geo.Dissolve(parts)
		}
		if z.Geom != nil {
			z.Box = geo.Box(z.Geom)
		}
		if to-from > 1 {
			// Beyond the square metre, some part was counted twice.
			if union := geo.Area(z.Geom); len(parts) > 1 && area-union > 1 {
				note("doublon", first, "Code présent sur %d lignes (%s), réunies : %s, dont %s en double retirés.",
					to-from, strings.Join(rows, ", "), squareMetres(union), squareMetres(area-union))
			} else {
				note("doublon", first, "Code présent sur %d lignes (%s), réunies.", to-from, strings.Join(rows, ", "))
			}
		}
		if strings.ContainsRune(z.Name, '\uFFFD') {
			note("texte", first, "Nom altéré avant publication du fichier : « %s ».", z.Name)
		}
		set.Zones = append(set.Zones, z)
		from = to
	}
	return set, findings, nil
}

// repair brings every contour to a system, and makes it valid there; the faults are those of the features.
func (lf *layerFile) repair(ctx context.Context, to geo.CRS) ([]geo.Fault, error) {
	faults := make([]geo.Fault, len(lf.features))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	const block = 32
	for lo := 0; lo < len(lf.features); lo += block {
		g.Go(func() error {
			for i := lo; i < min(lo+block, len(lf.features)); i++ {
				if f := &lf.features[i]; len(f.geom) > 0 {
					f.geom, faults[i] = geo.Repair(geo.Transform(f.geom, lf.crs, to))
				}
			}
			return ctx.Err()
		})
	}
	return faults, g.Wait()
}

func repaired(fault geo.Fault) string {
	return fmt.Sprintf("Contour invalide réparé (%s) : %s avant, %s après.", fault.Kind, squareMetres(fault.Before), squareMetres(fault.After))
}

// readLayerFile reads the file as it is, its format told by its content: the attributes the card asks for, or
// every column when there is none. layer is the name of one of its layers, for a format that holds several.
func readLayerFile(ctx context.Context, path, layer string, c *Card) (*layerFile, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lf, err := f.layer(ctx, layer, c)
	if f.err != nil {
		err = f.err
	}
	return lf, err
}

// layer reads the file as a layer.
func (f *file) layer(ctx context.Context, layer string, c *Card) (*layerFile, error) {
	kind := sniff(f.head())
	if f.err != nil {
		return nil, f.err
	}
	if f.part != "" {
		layer = f.part
	}
	path := f.path
	if layer != "" && (c == nil || f.part != "") && (kind == "shp" || kind == "parquet") {
		return nil, fmt.Errorf("%s: it holds one layer only: leave out %q", path, layer)
	}
	switch ext := strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz"))); {
	case kind == "sqlite":
		return readGeoPackage(ctx, f, layer, c)
	case kind == "json":
		return readGeoJSON(ctx, f, layer, c)
	case kind == "parquet":
		return readGeoParquet(ctx, f, c)
	case kind == "shp" && ext == ".shx":
		return nil, fmt.Errorf("%s: this is the index of a shapefile: name the .shp file", path)
	case kind == "shp":
		return readShapefile(ctx, f, c)
	case ext == ".dbf" || ext == ".shx" || ext == ".prj" || ext == ".cpg":
		return nil, fmt.Errorf("%s: this is a part of a shapefile: name the .shp file", path)
	case ext == ".shp" && kind == "empty":
		return nil, fmt.Errorf("%s: the file is empty: copy the .shp again", path)
	case ext == ".shp":
		return nil, fmt.Errorf("%s: not a shapefile, whatever its name: copy the .shp again", path)
	}
	switch kind {
	case "zip":
		return nil, fmt.Errorf("%s: this is a workbook, not a layer: it needs a card of kind table", path)
	case "text", "ole", "utf-16":
		return nil, fmt.Errorf("%s: this is a table, not a layer: it needs a card of kind table", path)
	}
	return nil, fmt.Errorf("%s: not a layer: %s", path, strings.Replace(notATable(kind), ", not a table", "", 1))
}

// check refuses a layer without rows, with coordinates its system contradicts, or with rows without a code; it
// brings the codes to their written form.
func (lf *layerFile) check(path string, c *Card) error {
	if len(lf.features) == 0 {
		return fmt.Errorf("%s: no zone in the file: download or copy it again", path)
	}
	if c != nil && pickColumn(lf.columns, c.Code) < 0 {
		return fmt.Errorf("%s: no column of codes (%s): it has %s; add the right one under code in the card %s",
			path, strings.Join(c.Code, ", "), quoteList(lf.columns), c.ID)
	}
	bound := orb.Bound{Min: orb.Point{1, 1}, Max: orb.Point{0, 0}}
	unite := func(b orb.Bound) {
		if bound.IsEmpty() {
			bound = b
		} else {
			bound = bound.Union(b)
		}
	}
	for i := range lf.features {
		for _, p := range lf.features[i].points {
			unite(p.Bound())
		}
		for _, poly := range lf.features[i].geom {
			for _, ring := range poly {
				if len(ring) > 0 {
					unite(ring.Bound())
				}
			}
		}
	}
	if err := lf.crs.Check(bound); err != nil {
		remedy := "correct the crs member, or write the file again from a map program with the right system"
		switch lf.format {
		case "geopackage", "geoparquet", "topojson":
			remedy = "write the layer again from a map program with the right system"
		case "shapefile":
			remedy = "put the right .prj beside the .shp"
		}
		return fmt.Errorf("%s: %w: %s", path, err, remedy)
	}
	if c == nil {
		return nil
	}
	var bad []error
	for i := range lf.features {
		f := &lf.features[i]
		code := restoreZeros(plainCode(f.attrs[attrCode]), c.Width)
		if f.attrs[attrCode] = code; code == "" {
			bad = append(bad, fmt.Errorf("%s: row %d: no code: give the zone one, or remove the row", path, f.row))
		}
		if f.attrs[attrCommune] = plainCode(f.attrs[attrCommune]); c.Width > 0 {
			f.attrs[attrCommune] = restoreZeros(f.attrs[attrCommune], 5)
		}
	}
	return errors.Join(bad...)
}

// keepLegal finds the legal projection of most zones, or the one wanted where a zone has it, and drops the zones of the
// others.
func (lf *layerFile) keepLegal(path, base string, want int) (geo.CRS, error) {
	of := make([]geo.CRS, len(lf.features))
	count := map[int]int{}
	var best geo.CRS
	var none error
	for i := range lf.features {
		b := lf.features[i].geom.Bound()
		if len(lf.features[i].geom) == 0 {
			continue
		}
		lon, lat := lf.crs.Inverse(b.Center()[0], b.Center()[1])
		crs, err := geo.Legal(lon, lat)
		if err != nil {
			none = err
			continue
		}
		of[i] = crs
		count[crs.EPSG]++
		if crs.EPSG == want || (want == 0 || best.EPSG != want) && count[crs.EPSG] > count[best.EPSG] { // of two as frequent, the first one met
			best = crs
		}
	}
	if best.EPSG == 0 {
		if none != nil {
			return best, fmt.Errorf("%s: %w: this layer is not in France", path, none)
		}
		return best, fmt.Errorf("%s: no zone has a geometry: download or copy the file again", path)
	}
	kept := lf.features[:0]
	for i, f := range lf.features {
		if len(f.geom) == 0 || of[i].EPSG == best.EPSG {
			kept = append(kept, f)
		}
	}
	if n := len(of) - len(kept); n > 0 {
		lf.findings = append(lf.findings, Finding{"projection", base, "", 0, fmt.Sprintf(
			"%d zones situées hors du territoire de %v ont été laissées de côté : une couche n'a qu'une projection légale.", n, best)})
	}
	lf.features = kept
	return best, nil
}

// plainCode takes off the blanks around a code, and the decimals of one stored as a number.
func plainCode(s string) string {
	s = strings.ReplaceAll(s, "\uFEFF", "") // left by files put end to end
	s = strings.Trim(s, " \t\r\n\u00A0\u202F\x00")
	if whole, decimals, ok := strings.Cut(s, "."); ok && whole != "" && strings.Trim(decimals, "0") == "" && strings.Trim(whole, "0123456789") == "" {
		return whole
	}
	return s
}

// restoreZeros gives a code of digits the leading zeros a spreadsheet took, up to a width.
func restoreZeros(code string, width int) string {
	if code == "" || len(code) >= width || strings.Trim(code, "0123456789") != "" {
		return code
	}
	return strings.Repeat("0", width-len(code)) + code
}

// squareMetres writes an area for readers: "172 639,2 m²".
func squareMetres(a float64) string {
	whole, tenth, _ := strings.Cut(strconv.FormatFloat(a, 'f', 1, 64), ".")
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 && whole[i-1] != '-' {
			b.WriteRune('\u202F')
		}
		b.WriteRune(d)
	}
	return b.String() + "," + tenth + "\u00A0m²"
}

// ReadComposition reads which communes make up each zone, from a table with one commune a row: the column of the
// zone is the card's key, those of the commune and of the zone's name its commune and name. It returns the
// communes of each zone, sorted, and the names of the zones. The card's key_width is that of a commune's code.
func ReadComposition(path string, c *Card) (map[string][]string, map[string]string, error) {
	rows, _, err := OpenRows(path, c.Layout)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	members, names := map[string][]string{}, map[string]string{}
	seen := map[string]struct {
		zone string
		line int
	}{}
	var header []string
	zone, commune, name := -1, -1, -1
	keys := c.Key
	if len(keys) == 0 {
		keys = c.Code
	}
	var bad []error
	for n := 1; rows.Next(); n++ {
		cells := rows.Cells()
		if header == nil {
			if c.Layout.HeaderRow != 0 && n != c.Layout.HeaderRow {
				continue
			}
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			zone, commune, name = pickColumn(cells, keys), pickColumn(cells, c.Commune), pickColumn(cells, c.Name)
			if zone < 0 || commune < 0 {
				if c.Layout.HeaderRow != 0 {
					break
				}
				zone, commune = -1, -1
				continue
			}
			header = slices.Clone(cells)
			continue
		}
		if blank(cells) {
			continue
		}
		at := func(column int) string {
			if column < 0 || column >= len(cells) {
				return ""
			}
			return plainCode(cells[column])
		}
		z, com := at(zone), restoreZeros(at(commune), c.Width)
		if slices.Contains(c.Drop, z) {
			continue
		}
		if z == "" || com == "" {
			column := zone
			if z != "" {
				column = commune
			}
			bad = append(bad, fmt.Errorf("%s:%d: %s: empty code: fill it in, or remove the row", path, rows.Line(), header[column]))
			continue
		}
		if s, ok := seen[com]; ok {
			if s.zone != z {
				bad = append(bad, fmt.Errorf("%s:%d: %s: the commune %s is in %s here and in %s on line %d: keep one",
					path, rows.Line(), header[commune], com, z, s.zone, s.line))
			}
			continue
		}
		seen[com] = struct {
			zone string
			line int
		}{z, rows.Line()}
		members[z] = append(members[z], com)
		if names[z] == "" {
			names[z] = at(name)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	if header == nil {
		return nil, nil, fmt.Errorf("%s: no header with a column of zones (%s) and one of communes (%s): add their names under key and commune in the card %s",
			path, strings.Join(keys, ", "), strings.Join(c.Commune, ", "), c.ID)
	}
	if len(bad) == 0 && len(members) == 0 {
		bad = append(bad, fmt.Errorf("%s: no commune after the header: download or copy the file again", path))
	}
	if err := errors.Join(bad...); err != nil {
		return nil, nil, err
	}
	for _, m := range members {
		slices.Sort(m)
	}
	return members, names, nil
}
