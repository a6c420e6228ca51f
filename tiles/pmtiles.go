package tiles

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/paulmach/orb"

	"observatoire/indicators"
)

const (
	pmZoom     = 13       // the last level of an archive: a grid unit is a metre there, and viewers draw the next ones from it
	pmRoot     = 16 << 10 // with its root directory, the header of an archive is read at once: 16 KiB
	pmHeader   = 127
	pmLeafSize = 4096 // entries of a leaf directory
)

// A pmEntry is a run of tiles of the same content. One of a leaf directory has no run.
type pmEntry struct {
	id, offset, length, run uint64
}

// WritePMTiles writes every layer that has contours as a PMTiles archive (version 3) of vector tiles, from zoom 0 to 13: those the service answers for all these
// layers together, with each zone's code and name and the indicators named, at their latest year. What partners gave is not in it.
func WritePMTiles(ctx context.Context, w io.Writer, e *indicators.Edition, ids []string) error {
	s, err := NewSnapshot(e, "")
	if err != nil {
		return err
	}
	for _, id := range ids {
		if s.defs[id] == nil {
			return fmt.Errorf("no indicator %s in edition %s", id, e.ID)
		}
	}
	q := tileRequest{indicators: ids, sexe: "T"}
	for _, l := range s.layers {
		if l.drawn > 0 {
			q.layers = append(q.layers, l)
		}
	}
	if len(q.layers) == 0 {
		return fmt.Errorf("edition %s has no contour to draw", e.ID)
	}
	return s.writePMTiles(ctx, w, q)
}

// writePMTiles writes the tiles of some layers, which all have something to draw.
func (s *Snapshot) writePMTiles(ctx context.Context, w io.Writer, q tileRequest) error {
	e, bound := s.edition, q.layers[0].bound
	described := []vectorLayer{}
	for _, l := range q.layers {
		bound = bound.Union(l.bound)
		fields := map[string]string{"code": "Code de la zone", "nom": "Nom de la zone"}
		maps.Copy(fields, l.fields)
		for _, c := range s.tileColumns(l, q) {
			fields[c.Indicateur] = s.defs[c.Indicateur].Label + " (" + s.defs[c.Indicateur].Unit + ")"
		}
		described = append(described, vectorLayer{string(l.set.Layer), l.title(), 0, pmZoom, fields})
	}

	var data bytes.Buffer
	var entries []pmEntry
	var addressed, contents uint64
	seen := map[[sha256.Size]byte]pmEntry{}
	for _, t := range pmTiles(q.layers) {
		if err := ctx.Err(); err != nil {
			return err
		}
		q.z, q.x, q.y = t.z, t.x, t.y
		raw, err := s.tile(q)
		if err != nil {
			return fmt.Errorf("tile %d/%d/%d: %w", t.z, t.x, t.y, err)
		}
		if len(raw) == 0 {
			continue
		}
		addressed++
		sum := sha256.Sum256(raw)
		at, ok := seen[sum]
		if !ok {
			packed, err := pmPacked(raw)
			if err != nil {
				return err
			}
			at = pmEntry{offset: uint64(data.Len()), length: uint64(len(packed))}
			data.Write(packed)
			seen[sum] = at
			contents++
		}
		if n := len(entries); n > 0 && entries[n-1].offset == at.offset && entries[n-1].id+entries[n-1].run == t.id {
			entries[n-1].run++
			continue
		}
		entries = append(entries, pmEntry{t.id, at.offset, at.length, 1})
	}

	root, leaves, err := pmDirectories(entries)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"name": e.Title, "description": "Édition " + e.ID + ". " + Mention(e), "attribution": s.attribution(q.layers), "type": "overlay", "version": "2", "format": "pbf", "vector_layers": described})
	if err != nil {
		return err
	}
	meta, err := pmPacked(text)
	if err != nil {
		return err
	}
	h := make([]byte, 0, pmHeader)
	h = append(h, "PMTiles\x03"...)
	at := uint64(pmHeader)
	for _, n := range []int{len(root), len(meta), len(leaves), data.Len()} {
		h = binary.LittleEndian.AppendUint64(h, at)
		h = binary.LittleEndian.AppendUint64(h, uint64(n))
		at += uint64(n)
	}
	for _, n := range []uint64{addressed, uint64(len(entries)), contents} {
		h = binary.LittleEndian.AppendUint64(h, n)
	}
	const gz, mvt = 2, 1
	h = append(h, 1, gz, gz, mvt, 0, pmZoom) // clustered: the tiles stand in the order of their ids
	degrees := func(v float64) { h = binary.LittleEndian.AppendUint32(h, uint32(int32(math.Round(v*1e7)))) }
	for _, v := range []float64{bound.Min[0], bound.Min[1], bound.Max[0], bound.Max[1]} {
		degrees(v)
	}
	wide := max(bound.Max[0]-bound.Min[0], 1e-6)
	h = append(h, byte(min(max(math.Log2(360/wide), 0), pmZoom)))
	degrees(bound.Center()[0])
	degrees(bound.Center()[1])
	for _, part := range [][]byte{h, root, meta, leaves, data.Bytes()} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// A pmTile is a tile and its place on the Hilbert curve.
type pmTile struct {
	id      uint64
	z, x, y uint32
}

// pmTiles are the tiles that zones of the layers may meet, in the order of an archive.
func pmTiles(layers []*layer) []pmTile {
	found := map[pmTile]bool{}
	for z := uint32(0); z <= pmZoom; z++ {
		n := math.Exp2(float64(z))
		place := func(v float64) uint32 { return uint32(min(max(math.Floor(v), 0), n-1)) }
		const margin = float64(buffer) / extent
		for _, l := range layers {
			boxes := make([]orb.Bound, 0, len(l.zones)+len(l.points))
			for i := range l.zones {
				if len(l.zones[i].world) > 0 {
					boxes = append(boxes, l.zones[i].box)
				}
			}
			for _, p := range l.points {
				boxes = append(boxes, p.Bound())
			}
			for _, b := range boxes {
				for x := place(b.Min[0]*n - margin); x <= place(b.Max[0]*n+margin); x++ {
					for y := place(b.Min[1]*n - margin); y <= place(b.Max[1]*n+margin); y++ {
						found[pmTile{hilbert(z, x, y), z, x, y}] = true
					}
				}
			}
		}
	}
	list := make([]pmTile, 0, len(found))
	for t := range found {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b pmTile) int { return cmp.Compare(a.id, b.id) })
	return list
}

// hilbert is the number of a tile: the levels one after the other, each along its Hilbert curve.
func hilbert(z, x, y uint32) uint64 {
	id := (uint64(1)<<(2*z) - 1) / 3
	for s := uint32(1) << z >> 1; s > 0; s >>= 1 {
		var rx, ry uint32
		if x&s > 0 {
			rx = 1
		}
		if y&s > 0 {
			ry = 1
		}
		id += uint64(s) * uint64(s) * uint64((3*rx)^ry)
		x, y = x&(s-1), y&(s-1)
		if ry == 0 {
			if rx == 1 {
				x, y = s-1-x, s-1-y
			}
			x, y = y, x
		}
	}
	return id
}

// pmDirectories packs the entries: in the root where they fit, else in leaves that the root names.
func pmDirectories(entries []pmEntry) (root, leaves []byte, err error) {
	if root, err = pmDirectory(entries); err != nil || len(root) <= pmRoot-pmHeader {
		return root, nil, err
	}
	for size := pmLeafSize; ; size *= 2 {
		var top []pmEntry
		leaves = leaves[:0]
		for chunk := range slices.Chunk(entries, size) {
			leaf, err := pmDirectory(chunk)
			if err != nil {
				return nil, nil, err
			}
			top = append(top, pmEntry{id: chunk[0].id, offset: uint64(len(leaves)), length: uint64(len(leaf))})
			leaves = append(leaves, leaf...)
		}
		if root, err = pmDirectory(top); err != nil || len(root) <= pmRoot-pmHeader {
			return root, leaves, err
		}
	}
}

func pmDirectory(entries []pmEntry) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(entries)))
	last := uint64(0)
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.id-last)
		last = e.id
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.run)
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.length)
	}
	for i, e := range entries {
		if i > 0 && e.offset == entries[i-1].offset+entries[i-1].length {
			b = binary.AppendUvarint(b, 0) // right after the one before
		} else {
			b = binary.AppendUvarint(b, e.offset+1)
		}
	}
	return pmPacked(b)
}

func pmPacked(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}
