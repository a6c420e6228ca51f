package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// Geometries are kept as well-known binary: behind a header in a GeoPackage, with their EPSG code in PostGIS. The codec
// is ours because a layer of France is hundreds of megabytes of coordinates: encoding/wkb and go-geom take two to four
// times as long, an allocation for each ring.

// Types of well-known binary, and the mark of a geometry that says its reference system (EWKB).
const (
	wkbPoint        = 1
	wkbPolygon      = 3
	wkbMultiPolygon = 6
	wkbSRID         = 0x20000000
)

var errCut = errors.New("it is cut short")

// appendHead begins a geometry; srid 0 is not written.
func appendHead(b []byte, kind uint32, srid int) []byte {
	b = append(b, 1) // little endian
	if srid == 0 {
		return binary.LittleEndian.AppendUint32(b, kind)
	}
	b = binary.LittleEndian.AppendUint32(b, kind|wkbSRID)
	return binary.LittleEndian.AppendUint32(b, uint32(srid))
}

func appendPoint(b []byte, p orb.Point) []byte {
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(p[0]))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(p[1]))
}

func appendMultiPolygon(b []byte, mp orb.MultiPolygon, srid int) []byte {
	b = binary.LittleEndian.AppendUint32(appendHead(b, wkbMultiPolygon, srid), uint32(len(mp)))
	for _, poly := range mp {
		b = binary.LittleEndian.AppendUint32(appendHead(b, wkbPolygon, 0), uint32(len(poly)))
		for _, ring := range poly {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(ring)))
			for _, p := range ring {
				b = appendPoint(b, p)
			}
		}
	}
	return b
}

// sizeOf is how many bytes appendMultiPolygon adds, at most.
func sizeOf(mp orb.MultiPolygon) int {
	n := 13
	for _, poly := range mp {
		n += 9
		for _, ring := range poly {
			n += 4 + 16*len(ring)
		}
	}
	return n
}

// A decoder reads geometries. What it gives shares a few large arrays.
type decoder struct {
	b     []byte // what remains
	order binary.ByteOrder

	points   []orb.Point
	rings    []orb.Ring
	polygons []orb.Polygon
}

// take is n elements of their own at the end of *all, which is begun anew when there is no room.
func take[T any](all *[]T, n int) []T {
	const block = 4096
	if cap(*all)-len(*all) < n {
		*all = make([]T, 0, max(n, block))
	}
	from := len(*all)
	*all = (*all)[:from+n]
	return (*all)[from : from+n : from+n]
}

func (d *decoder) uint32() (uint32, error) {
	if len(d.b) < 4 {
		return 0, errCut
	}
	v := d.order.Uint32(d.b)
	d.b = d.b[4:]
	return v, nil
}

// head reads the beginning of a geometry: its type.
func (d *decoder) head() (uint32, error) {
	if len(d.b) < 5 {
		return 0, errCut
	}
	switch d.b[0] {
	case 0:
		d.order = binary.BigEndian
	case 1:
		d.order = binary.LittleEndian
	default:
		return 0, fmt.Errorf("it begins with the byte %d", d.b[0])
	}
	d.b = d.b[1:]
	kind, err := d.uint32()
	if err == nil && kind&wkbSRID != 0 {
		kind &^= wkbSRID
		_, err = d.uint32()
	}
	return kind, err
}

// count reads how many elements follow, each of so many bytes or more.
func (d *decoder) count(size int) (int, error) {
	n, err := d.uint32()
	if err == nil && int64(n)*int64(size) > int64(len(d.b)) {
		err = errCut
	}
	return int(n), err
}

// multiPolygon decodes a polygon or a multipolygon; nil when it is empty.
func (d *decoder) multiPolygon(b []byte) (orb.MultiPolygon, error) {
	d.b = b
	kind, err := d.head()
	if err != nil {
		return nil, err
	}
	switch kind {
	case wkbPolygon:
		p, err := d.polygon()
		if err != nil || len(p) == 0 {
			return nil, err
		}
		mp := take(&d.polygons, 1)
		mp[0] = p
		return mp, d.end()
	case wkbMultiPolygon:
		n, err := d.count(9)
		if err != nil || n == 0 {
			return nil, err
		}
		mp := take(&d.polygons, n)
		for i := range mp {
			kind, err := d.head()
			if err == nil && kind != wkbPolygon {
				err = fmt.Errorf("it holds a geometry of type %d, not a polygon", kind)
			}
			if err != nil {
				return nil, err
			}
			if mp[i], err = d.polygon(); err != nil {
				return nil, err
			}
		}
		return mp, d.end()
	}
	return nil, fmt.Errorf("it is of type %d, not a polygon", kind)
}

func (d *decoder) polygon() (orb.Polygon, error) {
	n, err := d.count(4)
	if err != nil {
		return nil, err
	}
	p := take(&d.rings, n)
	for i := range p {
		n, err := d.count(16)
		if err != nil {
			return nil, err
		}
		ring := take(&d.points, n)
		b := d.b[:16*n]
		d.b = d.b[16*n:]
		if d.order == binary.LittleEndian {
			for j := range ring { // an ordinary load each, where a call of the interface would be ten times slower
				ring[j][0] = math.Float64frombits(binary.LittleEndian.Uint64(b[16*j:]))
				ring[j][1] = math.Float64frombits(binary.LittleEndian.Uint64(b[16*j+8:]))
			}
		} else {
			for j := range ring {
				ring[j][0] = math.Float64frombits(binary.BigEndian.Uint64(b[16*j:]))
				ring[j][1] = math.Float64frombits(binary.BigEndian.Uint64(b[16*j+8:]))
			}
		}
		p[i] = ring
	}
	return p, nil
}

func (d *decoder) point(b []byte) (p orb.Point, err error) {
	d.b = b
	kind, err := d.head()
	switch {
	case err != nil:
		return p, err
	case kind != wkbPoint:
		return p, fmt.Errorf("it is of type %d, not a point", kind)
	case len(d.b) < 16:
		return p, errCut
	}
	for i := range p {
		p[i] = math.Float64frombits(d.order.Uint64(d.b[8*i:]))
	}
	if d.b = d.b[16:]; math.IsNaN(p[0]) || math.IsNaN(p[1]) {
		return p, errors.New("the point is empty")
	}
	return p, d.end()
}

func (d *decoder) end() error {
	if len(d.b) > 0 {
		return fmt.Errorf("%d bytes follow it", len(d.b))
	}
	return nil
}

// marshalGPKG encodes a geometry as a GeoPackage does: a header with the envelope, then WKB.
func marshalGPKG(mp orb.MultiPolygon, epsg int) ([]byte, error) {
	if err := checkGeometry(mp); err != nil {
		return nil, err
	}
	b := mp.Bound()
	out := make([]byte, 0, 40+sizeOf(mp))
	out = append(out, 'G', 'P', 0, 0b0000_0011) // version 1; little endian, envelope [minx, maxx, miny, maxy]
	out = binary.LittleEndian.AppendUint32(out, uint32(epsg))
	for _, v := range [4]float64{b.Min[0], b.Max[0], b.Min[1], b.Max[1]} {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return appendMultiPolygon(out, mp, 0), nil
}

// marshalPointGPKG encodes a point as a GeoPackage does: a header, then WKB.
func marshalPointGPKG(p orb.Point, epsg int) ([]byte, error) {
	out := binary.LittleEndian.AppendUint32([]byte{'G', 'P', 0, 0b0000_0001}, uint32(epsg)) // little endian, no envelope
	return appendPoint(appendHead(out, wkbPoint, 0), p), nil
}

// wkbOfGPKG takes the header off a geometry of a GeoPackage.
func wkbOfGPKG(b []byte) ([]byte, error) {
	if len(b) < 8 || b[0] != 'G' || b[1] != 'P' || b[2] != 0 {
		return nil, fmt.Errorf("not a GeoPackage geometry")
	}
	envelope := [...]int{0, 32, 48, 48, 64, -1, -1, -1}[b[3]>>1&7]
	if envelope < 0 || len(b) < 8+envelope {
		return nil, errCut
	}
	return b[8+envelope:], nil
}

func (d *decoder) multiPolygonGPKG(b []byte) (mp orb.MultiPolygon, err error) {
	if b, err = wkbOfGPKG(b); err == nil {
		mp, err = d.multiPolygon(b)
	}
	if err != nil {
		return nil, fmt.Errorf("a GeoPackage geometry: %w", err)
	}
	return mp, nil
}

// unmarshalPointGPKG decodes what marshalPointGPKG, QGIS or GDAL wrote.
func unmarshalPointGPKG(b []byte) (p orb.Point, err error) {
	if b, err = wkbOfGPKG(b); err == nil {
		p, err = new(decoder).point(b)
	}
	if err != nil {
		return orb.Point{}, fmt.Errorf("a GeoPackage geometry: %w", err)
	}
	return p, nil
}

// marshalEWKB encodes a geometry as PostGIS takes it.
func marshalEWKB(mp orb.MultiPolygon, epsg int) ([]byte, error) {
	if err := checkGeometry(mp); err != nil {
		return nil, err
	}
	return appendMultiPolygon(make([]byte, 0, 4+sizeOf(mp)), mp, epsg), nil
}

func marshalPointEWKB(p orb.Point, epsg int) ([]byte, error) {
	return appendPoint(appendHead(nil, wkbPoint, epsg), p), nil
}

func unmarshalPointEWKB(b []byte) (orb.Point, error) { return new(decoder).point(b) }
