package tiles

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

// WriteGeoJSON writes a whole layer as a FeatureCollection: longitude and latitude (CRS84), rings by the
// right-hand rule, one feature a zone, its code as id.
func WriteGeoJSON(w io.Writer, e *indicators.Edition, name geo.Layer) error {
	set := e.Layer(name)
	if set == nil {
		return fmt.Errorf("edition %s: no layer %q: one of %v", e.ID, name, layerNames(e))
	}
	l, err := newLayer(set)
	if err != nil {
		return fmt.Errorf("edition %s: %w", e.ID, err)
	}
	buf := []byte(`{"type":"FeatureCollection","name":`)
	buf = appendString(buf, string(name))
	buf = append(buf, `,"title":`...)
	buf = appendString(buf, set.Title)
	buf = append(buf, `,"schematique":`...)
	buf = strconv.AppendBool(buf, set.Schematic)
	buf = append(buf, ",\"features\":[\n"...)
	for i := range l.zones {
		if i > 0 {
			buf = append(buf, ",\n"...)
		}
		buf = append(append(buf, l.feature(i)...), featureEnd...)
		if len(buf) > 1<<16 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err = w.Write(append(buf, "\n]}\n"...))
	return err
}

func layerNames(e *indicators.Edition) []geo.Layer {
	names := make([]geo.Layer, len(e.Layers))
	for i := range e.Layers {
		names[i] = e.Layers[i].Layer
	}
	return names
}

// appendFeature writes a zone as a GeoJSON feature, left open after its last property. aire is in m².
func appendFeature(b []byte, l geo.Layer, z *geo.Zone, lonlat orb.MultiPolygon, aire float64) []byte {
	b = append(b, `{"type":"Feature","id":`...)
	b = appendString(b, z.Code)
	b = append(b, `,"geometry":`...)
	b = appendMultiPolygon(b, lonlat)
	b = append(b, `,"properties":{"code":`...)
	b = appendString(b, z.Code)
	b = append(b, `,"nom":`...)
	b = appendOptional(b, z.Name)
	b = append(b, `,"communes":`...)
	b = appendOptional(b, z.Commune)
	b = append(b, `,"type":`...)
	b = appendOptional(b, z.Type)
	b = append(b, `,"couche":`...)
	b = appendString(b, string(l))
	b = append(b, `,"aire_m2":`...)
	if lonlat == nil {
		return append(b, "null"...)
	}
	return append(b, indicators.FormatNumber(aire)...)
}

// appendMultiPolygon writes the geometry, or null when there is none.
func appendMultiPolygon(b []byte, mp orb.MultiPolygon) []byte {
	if mp == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"type":"MultiPolygon","coordinates":[`...)
	for p, poly := range mp {
		if p > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for r, ring := range poly {
			if r > 0 {
				b = append(b, ',')
			}
			want := orb.CCW // RFC 7946: shells counter-clockwise, holes clockwise
			if r > 0 {
				want = orb.CW
			}
			if ring.Orientation() != want {
				ring = slices.Clone(ring)
				slices.Reverse(ring)
			}
			b = append(b, '[')
			for k, pt := range ring {
				if k > 0 {
					b = append(b, ',')
				}
				b = append(b, '[')
				b = strconv.AppendFloat(b, pt[0], 'f', -1, 64)
				b = append(b, ',')
				b = strconv.AppendFloat(b, pt[1], 'f', -1, 64)
				b = append(b, ']')
			}
			b = append(b, ']')
		}
		b = append(b, ']')
	}
	return append(b, "]}"...)
}

// appendColumns adds a zone's figures to an open feature: the value, its statut and its millésime.
func appendColumns(b []byte, cols []column, zone int) []byte {
	for k := range cols {
		c := &cols[k]
		st := c.statut(zone)
		b = append(b, `,"`...)
		b = append(b, c.Indicateur...)
		b = append(b, `":`...)
		if st == indicators.Disponible {
			b = append(b, indicators.FormatNumber(c.value(zone).V)...)
		} else {
			b = append(b, "null"...)
		}
		b = append(b, `,"`...)
		b = append(b, c.Indicateur...)
		b = append(b, `_statut":"`...)
		b = append(b, st.String()...)
		b = append(b, `","`...)
		b = append(b, c.Indicateur...)
		b = append(b, `_millesime":`...)
		if c.Millesime <= 0 {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendInt(b, int64(c.Millesime), 10)
		}
	}
	return b
}

func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendString writes s as JSON, leaving <, > and & as they are.
func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(b, `""`...) // a string always encodes
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

// rounded drops what the last bits of a sum add to a figure, as the CSV does.
func rounded(v float64) float64 {
	r, _ := strconv.ParseFloat(indicators.FormatNumber(v), 64)
	return r
}
