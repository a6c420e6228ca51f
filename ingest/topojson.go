package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"
)

// A topology is a TopoJSON: layers ("objects") of which the contours are made of arcs they share.
type topology struct {
	f                        *file
	objects, arcs, transform json.RawMessage
}

// A topoGeometry is a geometry of an object. Its arcs are lists of numbers, deeper or not by its type.
type topoGeometry struct {
	Type        string                     `json:"type"`
	ID          json.RawMessage            `json:"id"`
	Properties  map[string]json.RawMessage `json:"properties"`
	Arcs        json.RawMessage            `json:"arcs"`
	Coordinates json.RawMessage            `json:"coordinates"`
	Geometries  []topoGeometry             `json:"geometries"`
}

// member keeps a member of the file that a topology has.
func (t *topology) member(key json.Token, raw json.RawMessage) {
	switch key {
	case "objects":
		t.objects = raw
	case "arcs":
		t.arcs = raw
	case "transform":
		t.transform = raw
	}
}

// topologyNames lists the objects of a TopoJSON; none when the file is something else.
func (f *file) topologyNames() ([]string, error) {
	head := f.peek(64 << 10)
	if !strings.Contains(string(head), "Topology") && !strings.Contains(string(head), "arcs") {
		return nil, nil
	}
	var t struct {
		Type    string                     `json:"type"`
		Objects map[string]json.RawMessage `json:"objects"`
	}
	if bytes := f.peek(len(bom)); string(bytes) == bom {
		f.Discard(len(bom))
	}
	if err := json.NewDecoder(f).Decode(&t); err != nil {
		if f.err != nil {
			return nil, f.err
		}
		return nil, fmt.Errorf("%s: damaged or incomplete JSON (%w): download or copy it again", f.path, err)
	}
	if t.Type != "Topology" {
		return nil, nil
	}
	return slices.Sorted(maps.Keys(t.Objects)), nil
}

// read reads the object of that name, else the only one with polygons, else the only one with the card's column of
// codes. A geometry within the object is a row, with its id as a column unless its properties have one.
func (t *topology) read(ctx context.Context, name string, crs json.RawMessage, c *Card) (*layerFile, error) {
	path := t.f.path
	lf := &layerFile{format: "topojson"}
	var err error
	if lf.crs, err = geoJSONSystem(crs, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var objects map[string]topoGeometry
	if err := json.Unmarshal(t.objects, &objects); err != nil || len(objects) == 0 {
		return nil, fmt.Errorf("%s: a TopoJSON without objects: export the layer again", path)
	}
	object, err := pickObject(objects, name, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := stitcher{}
	if err := s.decode(t.arcs, t.transform); err != nil {
		return nil, fmt.Errorf("%s: %w: export the layer again", path, err)
	}
	rows := object.Geometries
	if object.Type != "GeometryCollection" {
		rows = []topoGeometry{object}
	}
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		g := &rows[i]
		f := feature{row: i + 1}
		if g.Properties == nil {
			g.Properties = map[string]json.RawMessage{}
		}
		if _, ok := g.Properties["id"]; !ok && g.ID != nil {
			g.Properties["id"] = g.ID
		}
		columns := slices.Sorted(maps.Keys(g.Properties))
		for _, k := range columns {
			if !utf8.Valid(g.Properties[k]) {
				return nil, fmt.Errorf("%s: row %d: not UTF-8, which TopoJSON is: save the file as UTF-8", path, f.row)
			}
		}
		lf.addProperties(&f, g.Properties, columns, c)
		p := polygons{takePoints: c == nil}
		if err := s.add(&p, g, 0); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, f.row, err)
		}
		lf.take(&f, &p, path)
		lf.features = append(lf.features, f)
	}
	return lf, nil
}

// pickObject finds the object that is meant.
func pickObject(objects map[string]topoGeometry, name string, c *Card) (topoGeometry, error) {
	names := slices.Sorted(maps.Keys(objects))
	if name != "" {
		if o, ok := objects[name]; ok {
			return o, nil
		}
		return topoGeometry{}, fmt.Errorf("no object %q: it has %s", name, quoteList(names))
	}
	var polygons, coded []string
	for _, n := range names {
		o := objects[n]
		rows := o.Geometries
		if o.Type != "GeometryCollection" {
			rows = []topoGeometry{o}
		}
		if slices.ContainsFunc(rows, func(g topoGeometry) bool { return strings.HasSuffix(g.Type, "Polygon") }) {
			polygons = append(polygons, n)
			if c != nil && len(rows) > 0 && pickColumn(slices.Sorted(maps.Keys(rows[0].Properties)), c.Code) >= 0 {
				coded = append(coded, n)
			}
		}
	}
	switch {
	case len(names) == 1:
		return objects[names[0]], nil
	case len(polygons) == 1:
		return objects[polygons[0]], nil
	case len(coded) == 1:
		return objects[coded[0]], nil
	}
	return topoGeometry{}, fmt.Errorf("it has several objects, %s: add the name of one after #, such as file.topojson#%s", quoteList(names), names[0])
}

// A stitcher makes rings of arcs.
type stitcher struct {
	arcs             []orb.LineString
	scale, translate orb.Point
	quantised        bool
	points           int // of the arcs
	made             int // of the rings so far
}

// Two zones share an arc; an arc in hundreds of them makes a small file swell.
const maxArcUses = 100

func (s *stitcher) decode(arcs, transform json.RawMessage) error {
	if len(transform) > 0 && string(transform) != "null" {
		var t struct{ Scale, Translate []float64 }
		if err := json.Unmarshal(transform, &t); err != nil || len(t.Scale) < 2 || len(t.Translate) < 2 {
			return errors.New("its transform is not a scale and a translation")
		}
		s.quantised = true
		s.scale, s.translate = orb.Point{t.Scale[0], t.Scale[1]}, orb.Point{t.Translate[0], t.Translate[1]}
	}
	if len(arcs) == 0 {
		return nil
	}
	c := coordinates{text: arcs}
	if !c.list(func() bool {
		var line orb.LineString
		x, y := 0.0, 0.0
		ok := c.list(func() bool {
			p, ok := c.point()
			if s.quantised { // each point is the step from the one before
				x, y = x+p[0], y+p[1]
				p = orb.Point{x*s.scale[0] + s.translate[0], y*s.scale[1] + s.translate[1]}
			}
			line = append(line, p)
			return ok
		})
		s.arcs = append(s.arcs, line)
		s.points += len(line)
		return ok
	}) {
		return errors.New("its arcs are not lists of points")
	}
	return nil
}

// add gathers the polygons of a geometry.
func (s *stitcher) add(p *polygons, g *topoGeometry, depth int) error {
	switch g.Type {
	case "", "null":
		return nil
	case "Polygon":
		var rings [][]int
		if json.Unmarshal(g.Arcs, &rings) != nil {
			return errors.New("the arcs of this Polygon are not lists of numbers: export the layer again")
		}
		return s.polygon(p, rings)
	case "MultiPolygon":
		var polys [][][]int
		if json.Unmarshal(g.Arcs, &polys) != nil {
			return errors.New("the arcs of this MultiPolygon are not lists of numbers: export the layer again")
		}
		for _, rings := range polys {
			if err := s.polygon(p, rings); err != nil {
				return err
			}
		}
		return nil
	case "GeometryCollection":
		if depth > deepestCollections {
			return errors.New("collections within collections: export the layer again as polygons")
		}
		for i := range g.Geometries {
			if err := s.add(p, &g.Geometries[i], depth+1); err != nil {
				return err
			}
		}
		if depth == 0 && len(p.mp) == 0 && p.others > 0 {
			return errors.New("a collection without a polygon: a zone needs a polygon")
		}
		return nil
	case "LineString", "MultiLineString":
		if depth > 0 {
			p.others++
			return nil
		}
	case "Point", "MultiPoint":
		before := len(p.points)
		err := p.add(&geoJSONGeometry{Type: g.Type, Coordinates: g.Coordinates}, depth)
		if s.quantised {
			for i := before; i < len(p.points); i++ {
				p.points[i] = orb.Point{p.points[i][0]*s.scale[0] + s.translate[0], p.points[i][1]*s.scale[1] + s.translate[1]}
			}
		}
		return err
	default:
		return fmt.Errorf("unknown type of geometry %q: export the layer again", g.Type)
	}
	return fmt.Errorf("a geometry of type %s: a zone needs a polygon", g.Type)
}

// polygon joins the arcs of each ring end to end: a number below zero is an arc taken backwards, from its complement.
func (s *stitcher) polygon(p *polygons, rings [][]int) error {
	var poly orb.Polygon
	for _, numbers := range rings {
		var ring orb.Ring
		for _, n := range numbers {
			i := n
			if n < 0 {
				i = ^n
			}
			if i < 0 || i >= len(s.arcs) {
				return fmt.Errorf("its outline follows arc %d, and the file has %d arcs: export the layer again", n, len(s.arcs))
			}
			arc := s.arcs[i]
			if s.made += len(arc) + 1; s.made > 1<<20 && s.made > maxArcUses*cmp.Or(s.points, 1) {
				return fmt.Errorf("arcs used more than %d times: export the layer again", maxArcUses)
			}
			from := len(ring)
			ring = append(ring, arc...)
			if n < 0 {
				slices.Reverse(ring[from:])
			}
			if from > 0 && len(arc) > 0 { // an arc begins where the one before ends
				ring = slices.Delete(ring, from, from+1)
			}
		}
		if len(ring) > 0 {
			poly = append(poly, ring)
		}
	}
	if len(poly) > 0 {
		p.mp = append(p.mp, poly)
	}
	return nil
}
