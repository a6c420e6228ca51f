package tiles

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
)

// OGC API – Tiles: the tiles of a layer, and the grid they are cut by.
const (
	matrixSet   = "WebMercatorQuad"
	relTilesets = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
	relScheme   = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
	schemeURI   = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
	mercatorURI = epsgURI + "3857"
)

// tileset describes the tiles of a layer.
func (s *Server) tileset(r *http.Request, l *layer) object {
	base := s.base(r)
	self := base + "/collections/" + url.PathEscape(string(l.set.Layer)) + "/tiles/" + matrixSet
	t := object{"title": l.title(), "dataType": "vector", "crs": mercatorURI, "tileMatrixSetURI": schemeURI,
		"links": []link{
			{Href: self, Rel: "self", Type: "application/json", Title: "Description des tuiles"},
			{Href: base + "/tileMatrixSets/" + matrixSet, Rel: relScheme, Type: "application/json", Title: "Grille " + matrixSet},
		}}
	item := object{"href": self + "/{tileMatrix}/{tileRow}/{tileCol}", "rel": "item", "type": typeTile, "templated": true, "title": "Tuile"}
	t["links"] = []any{t["links"].([]link)[0], t["links"].([]link)[1], item}
	if l.drawn > 0 {
		t["boundingBox"] = object{"lowerLeft": l.bound.Min, "upperRight": l.bound.Max, "crs": crs84}
	}
	return t
}

func (s *Server) handleTilesets(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	return writeJSON(w, typeJSON, object{"tilesets": []object{s.tileset(r, l)},
		"links": []link{{Href: s.base(r) + r.URL.RequestURI(), Rel: "self", Type: "application/json", Title: "Tuiles de la couche"}}})
}

func (s *Server) handleTileset(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	t := s.tileset(r, l)
	t["layers"] = []object{{"id": string(l.set.Layer), "title": l.title(), "dataType": "vector", "geometryDimension": 2, "minTileMatrix": "0", "maxTileMatrix": fmt.Sprint(maxZoom),
		"propertiesSchema": object{"type": "object", "properties": object{"code": object{"type": "string"}, "nom": object{"type": "string"}}}}}
	return writeJSON(w, typeJSON, t)
}

// handleMatrixTile answers a tile at its address by zoom, row and column. One outside the grid is not found.
func (s *Server) handleMatrixTile(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	err := s.handleTile(w, r, p, q)
	if out := new(problem); errors.As(err, &out) && (out.Parametre == "z" || out.Parametre == "x" || out.Parametre == "y") {
		return notFound("%s", out.Detail)
	}
	return err
}

func (s *Server) handleMatrixSets(w http.ResponseWriter, r *http.Request, _ *published, _ query) error {
	base := s.base(r)
	return writeJSON(w, typeJSON, object{"tileMatrixSets": []object{{"id": matrixSet, "title": "Web Mercator, tuiles de Google", "uri": schemeURI, "crs": mercatorURI,
		"links": []link{{Href: base + "/tileMatrixSets/" + matrixSet, Rel: "self", Type: "application/json", Title: matrixSet}}}}})
}

// handleMatrixSet describes WebMercatorQuad as its registry does (OGC 17-083r4, annex D).
func (s *Server) handleMatrixSet(w http.ResponseWriter, _ *http.Request, _ *published, _ query) error {
	const (
		half  = math.Pi * 6378137 // metres from the middle of the world to its edge
		tile  = 256
		pixel = 0.00028 // metres, of a standard screen
	)
	matrices := make([]object, maxZoom+1)
	for z := range matrices {
		n := 1 << z
		cell := 2 * half / tile / float64(n)
		matrices[z] = object{"id": fmt.Sprint(z), "scaleDenominator": cell / pixel, "cellSize": cell, "cornerOfOrigin": "topLeft",
			"pointOfOrigin": []float64{-half, half}, "tileWidth": tile, "tileHeight": tile, "matrixWidth": n, "matrixHeight": n}
	}
	return writeJSON(w, typeJSON, object{"id": matrixSet, "title": "Web Mercator, tuiles de Google", "uri": schemeURI, "crs": mercatorURI,
		"wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible", "orderedAxes": []string{"X", "Y"}, "tileMatrices": matrices})
}
