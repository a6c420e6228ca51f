package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"observatoire/geo"
)

// geoJSONFeature is a feature as its text says.
type geoJSONFeature struct {
	Type       string                     `json:"type"`
	Properties map[string]json.RawMessage `json:"properties"`
	Geometry   *geoJSONGeometry           `json:"geometry"`
}

type geoJSONGeometry struct {
	Type        string            `json:"type"`
	Coordinates json.RawMessage   `json:"coordinates"`
	Geometries  []geoJSONGeometry `json:"geometries"`
}

// readGeoJSON reads a FeatureCollection, one feature at a time: its members come in any order, the coordinate
// system possibly last. A file that does not name its system is in longitude and latitude, as the standard has
// it, unless the card says otherwise. Of a TopoJSON, which is told by its type, layer names an object.
func readGeoJSON(ctx context.Context, f *file, layer string, c *Card) (*layerFile, error) {
	if head, _ := f.Peek(len(bom)); string(head) == bom {
		f.Discard(len(bom))
	}
	lf := &layerFile{format: "geojson"}
	d := json.NewDecoder(f)
	damaged := func(err error) error {
		switch {
		case f.err != nil:
			return f.err
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("it breaks off")
		}
		return fmt.Errorf("%s: after row %d: damaged or incomplete GeoJSON (%w): download or copy it again", f.path, len(lf.features), err)
	}
	if t, err := d.Token(); err != nil {
		return nil, damaged(err)
	} else if t != json.Delim('{') {
		return nil, fmt.Errorf("%s: a list of JSON values, not a layer: write it as a GeoJSON FeatureCollection", f.path)
	}
	kind, hasFeatures := "", false
	var crs json.RawMessage
	topo := topology{f: f}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, damaged(err)
		}
		switch key {
		case "type":
			if err := d.Decode(&kind); err != nil {
				return nil, damaged(err)
			}
		case "crs":
			if err := d.Decode(&crs); err != nil {
				return nil, damaged(err)
			}
		case "features":
			hasFeatures = true
			if layer != "" && (c == nil || f.part != "") {
				return nil, fmt.Errorf("%s: it holds one layer only: leave out %q", f.path, layer)
			}
			if t, err := d.Token(); err != nil {
				return nil, damaged(err)
			} else if t != json.Delim('[') {
				return nil, fmt.Errorf("%s: its features are not a list: write the file again as GeoJSON", f.path)
			}
			for d.More() {
				if err := ctx.Err(); err != nil {
					return nil, fmt.Errorf("%s: %w", f.path, err)
				}
				var raw json.RawMessage
				if err := d.Decode(&raw); err != nil {
					return nil, damaged(err)
				}
				if err := lf.addGeoJSON(f.path, raw, c); err != nil {
					return nil, err
				}
			}
			if _, err := d.Token(); err != nil {
				return nil, damaged(err)
			}
		default:
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return nil, damaged(err)
			}
			topo.member(key, raw)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, damaged(err)
	}
	if t, err := d.Token(); err != io.EOF {
		if err != nil && f.err != nil {
			return nil, f.err
		}
		return nil, fmt.Errorf("%s: more text after the end of the collection (%v): two files were glued together; keep one", f.path, t)
	}
	if kind == "Topology" {
		return topo.read(ctx, layer, crs, c)
	}
	if kind != "FeatureCollection" || !hasFeatures {
		return nil, fmt.Errorf("%s: JSON of type %q, not a GeoJSON FeatureCollection: export the layer as GeoJSON", f.path, kind)
	}
	var err error
	if lf.crs, err = geoJSONSystem(crs, c); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return lf, nil
}

// geoJSONSystem reads the crs member, which may be absent.
func geoJSONSystem(raw json.RawMessage, c *Card) (geo.CRS, error) {
	if len(raw) == 0 || string(raw) == "null" {
		if c.system() == "" {
			return geo.ByEPSG(4326)
		}
		crs, err := geo.ParseURN(c.CRS)
		if err != nil {
			err = fmt.Errorf("crs of the card %s: %w: write it as EPSG:2154", c.ID, err)
		}
		return crs, err
	}
	var m struct {
		Type       string
		Properties struct{ Name string }
	}
	if err := json.Unmarshal(raw, &m); err != nil || m.Type != "name" {
		return geo.CRS{}, errors.New("its crs member does not name a coordinate system: export the layer again as GeoJSON")
	}
	crs, err := geo.ParseURN(m.Properties.Name)
	if err != nil {
		err = fmt.Errorf("crs: %w: export the layer again in EPSG:2154", err)
	}
	return crs, err
}

// addGeoJSON takes what a layer needs from one feature.
func (lf *layerFile) addGeoJSON(path string, raw json.RawMessage, c *Card) error {
	row := len(lf.features) + 1
	if !utf8.Valid(raw) {
		return fmt.Errorf("%s: row %d: not UTF-8, which GeoJSON is: save the file as UTF-8", path, row)
	}
	var g geoJSONFeature
	if err := json.Unmarshal(raw, &g); err != nil || g.Type != "Feature" {
		return fmt.Errorf("%s: row %d: not a GeoJSON feature: export the layer again", path, row)
	}
	columns := slices.Sorted(maps.Keys(g.Properties))
	f := feature{row: row}
	lf.addProperties(&f, g.Properties, columns, c)
	if g.Geometry != nil {
		p := polygons{takePoints: c == nil}
		if err := p.add(g.Geometry, 0); err != nil {
			return fmt.Errorf("%s: row %d: %w", path, row, err)
		}
		lf.take(&f, &p, path)
	}
	lf.features = append(lf.features, f)
	return nil
}

// take gives a feature the geometry that was gathered for it.
func (lf *layerFile) take(f *feature, p *polygons, path string) {
	f.geom, f.points = p.mp, p.points
	if p.others > 0 {
		lf.findings = append(lf.findings, Finding{"geometrie", filepath.Base(path), f.attrs[attrCode], f.row,
			"Les points et les lignes mêlés au contour ont été laissés de côté."})
	}
}

// addProperties gives a feature its attributes: those the card asks for, or all of them.
func (lf *layerFile) addProperties(f *feature, properties map[string]json.RawMessage, columns []string, c *Card) {
	if c == nil {
		lf.addCells(f, properties, columns)
	}
	for i, names := range c.wanted() {
		if k := pickColumn(columns, names); k >= 0 {
			f.attrs[i] = jsonText(properties[columns[k]])
			if i == attrCode && pickColumn(lf.columns, names) < 0 {
				lf.columns = columns
			}
		}
	}
	if lf.columns == nil {
		lf.columns = columns
	}
}

// addCells keeps every property of a feature, in the columns of the file met so far and new ones.
func (lf *layerFile) addCells(f *feature, properties map[string]json.RawMessage, names []string) {
	f.cells = make([]string, len(lf.columns), max(len(lf.columns), len(names)))
	at := 0 // most features have the same properties, in the order of the columns
	for _, name := range names {
		if at >= len(lf.columns) || lf.columns[at] != name {
			if at = slices.Index(lf.columns, name); at < 0 {
				at = len(lf.columns)
				lf.columns = append(lf.columns, name)
				f.cells = append(f.cells, "")
			}
		}
		text := jsonText(properties[name])
		if text != "" && properties[name][0] != '"' && strings.ContainsAny(text, "eE") {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				text = numberText(v)
			}
		}
		f.cells[at] = text
		at++
	}
}

// numberText writes a number in the shortest form that gives it back, without exponent.
func numberText(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// jsonText writes a property as text; null is empty.
func jsonText(raw json.RawMessage) string {
	var s string
	switch {
	case string(raw) == "null":
		return ""
	case len(raw) > 0 && raw[0] == '"':
		if json.Unmarshal(raw, &s) == nil {
			return strings.TrimSpace(s)
		}
	}
	return string(raw)
}

// polygons gathers the polygons of a geometry.
type polygons struct {
	mp         orb.MultiPolygon
	takePoints bool // a geometry may be of points
	points     []orb.Point
	others     int // points and lines of a collection, which cover nothing
}

func (p *polygons) add(g *geoJSONGeometry, depth int) error {
	c := coordinates{text: g.Coordinates}
	ok := true
	switch g.Type {
	case "Polygon":
		var poly orb.Polygon
		if poly, ok = c.polygon(); ok && len(poly) > 0 {
			p.mp = append(p.mp, poly)
		}
	case "MultiPolygon":
		ok = c.list(func() bool {
			poly, ok := c.polygon()
			if ok && len(poly) > 0 {
				p.mp = append(p.mp, poly)
			}
			return ok
		})
	case "GeometryCollection":
		if depth > 8 {
			return errors.New("collections within collections: export the layer again as polygons")
		}
		for i := range g.Geometries {
			if err := p.add(&g.Geometries[i], depth+1); err != nil {
				return err
			}
		}
		if depth == 0 && len(p.mp) == 0 && p.others > 0 {
			return errors.New("a collection without a polygon: a zone needs a polygon")
		}
	case "Point", "MultiPoint", "LineString", "MultiLineString":
		point := func() bool {
			pt, ok := c.point()
			p.points = append(p.points, pt)
			return ok
		}
		switch {
		case depth == 0 && p.takePoints && g.Type == "Point":
			if c.blanks() == '[' && strings.TrimSpace(string(c.text[c.at+1:])) != "]" { // an empty point has no place
				ok = point()
			}
		case depth == 0 && p.takePoints && g.Type == "MultiPoint":
			ok = c.list(point)
		case depth == 0:
			return fmt.Errorf("a geometry of type %s: a zone needs a polygon", g.Type)
		default:
			p.others++
		}
	default:
		return fmt.Errorf("unknown type of geometry %q: export the layer again as GeoJSON", g.Type)
	}
	if !ok {
		return fmt.Errorf("the coordinates of this %s are not lists of points: export the layer again as GeoJSON", g.Type)
	}
	return nil
}

// coordinates reads nested lists of numbers, several times faster than a general JSON reader. Its text is valid
// JSON, of unknown structure.
type coordinates struct {
	text []byte
	at   int
}

func (c *coordinates) blanks() byte {
	for ; c.at < len(c.text); c.at++ {
		if b := c.text[c.at]; b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			return b
		}
	}
	return 0
}

// list reads a list, each item by a call of item.
func (c *coordinates) list(item func() bool) bool {
	if c.blanks() != '[' {
		return false
	}
	c.at++
	if c.blanks() == ']' {
		c.at++
		return true
	}
	for {
		if !item() {
			return false
		}
		switch c.blanks() {
		case ',':
			c.at++
		case ']':
			c.at++
			return true
		default:
			return false
		}
	}
}

func (c *coordinates) polygon() (orb.Polygon, bool) {
	var poly orb.Polygon
	ok := c.list(func() bool {
		var ring orb.Ring
		if !c.list(func() bool {
			p, ok := c.point()
			ring = append(ring, p)
			return ok
		}) {
			return false
		}
		if len(ring) > 0 {
			poly = append(poly, ring)
		}
		return true
	})
	return poly, ok
}

// point reads x, y and leaves out any other dimension.
func (c *coordinates) point() (p orb.Point, ok bool) {
	n := 0
	ok = c.list(func() bool {
		c.blanks()
		end := bytes.IndexAny(c.text[c.at:], ",] \n\t\r")
		if end <= 0 {
			return false
		}
		v, err := strconv.ParseFloat(string(c.text[c.at:c.at+end]), 64)
		if n < 2 {
			p[n] = v
		}
		n++
		c.at += end
		return err == nil
	})
	return p, ok && n >= 2
}
