package tiles

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unpacked reads what an archive holds compressed.
func unpacked(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readPMTiles gives the tiles of an archive by their id, as the specification says to find them, and its metadata.
func readPMTiles(t *testing.T, b []byte) (found map[uint64][]byte, meta []byte) {
	t.Helper()
	if string(b[:8]) != "PMTiles\x03" {
		t.Fatalf("it begins with %q", b[:8])
	}
	part := func(i int) []byte {
		at, n := binary.LittleEndian.Uint64(b[8+16*i:]), binary.LittleEndian.Uint64(b[16+16*i:])
		return b[at : at+n]
	}
	root, leaves, data := part(0), part(2), part(3)
	found = map[uint64][]byte{}
	var walk func(packed []byte)
	walk = func(packed []byte) {
		r := bytes.NewReader(unpacked(t, packed))
		next := func() uint64 {
			v, err := binary.ReadUvarint(r)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		list := make([]pmEntry, next())
		id := uint64(0)
		for i := range list {
			id += next()
			list[i].id = id
		}
		for i := range list {
			list[i].run = next()
		}
		for i := range list {
			list[i].length = next()
		}
		for i := range list {
			if v := next(); v > 0 {
				list[i].offset = v - 1
			} else {
				list[i].offset = list[i-1].offset + list[i-1].length
			}
		}
		for _, e := range list {
			if e.run == 0 {
				walk(leaves[e.offset : e.offset+e.length])
			}
			for k := range e.run {
				found[e.id+k] = unpacked(t, data[e.offset:e.offset+e.length])
			}
		}
	}
	walk(root)
	if n := binary.LittleEndian.Uint64(b[72:]); int(n) != len(found) {
		t.Errorf("%d tiles addressed, %d found", n, len(found))
	}
	return found, unpacked(t, part(1))
}

// The numbers of the specification's examples.
func TestHilbert(t *testing.T) {
	for _, tt := range []struct {
		z, x, y uint32
		want    uint64
	}{{0, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 2}, {1, 1, 1, 3}, {1, 1, 0, 4}, {2, 0, 0, 5}, {12, 3423, 1763, 19078479}} {
		if got := hilbert(tt.z, tt.x, tt.y); got != tt.want {
			t.Errorf("%d/%d/%d: %d, want %d", tt.z, tt.x, tt.y, got, tt.want)
		}
	}
}

// Every tile of an archive is that of the service, there is no other, and the npm package reads them.
func TestPMTiles(t *testing.T) {
	e := sample(60)
	var b, again bytes.Buffer
	ids := []string{"part_cmuc"}
	if err := WritePMTiles(t.Context(), &b, e, ids); err != nil {
		t.Fatal(err)
	}
	if err := WritePMTiles(t.Context(), &again, e, ids); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("not the same bytes twice (%v)", err)
	}
	found, meta := readPMTiles(t, b.Bytes())
	var said struct {
		Layers []vectorLayer `json:"vector_layers"`
	}
	if err := json.Unmarshal(meta, &said); err != nil || len(said.Layers) == 0 {
		t.Fatalf("metadata: %v %s", err, meta)
	}
	var names []string
	for _, l := range said.Layers {
		names = append(names, l.ID)
	}
	ts := server(t, e)
	var middle [3]uint32
	served := 0
	for z := uint32(0); z <= pmZoom; z++ {
		s, err := NewSnapshot(e, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, tile := range pmTiles(s.layers) {
			if tile.z != z {
				continue
			}
			if z > 10 && tile.x%7 != 0 && found[tile.id] != nil {
				served++
				continue // enough of them
			}
			resp, body := fetch(t, ts, "GET", fmt.Sprintf("/tiles/%s/%d/%d/%d.mvt?indicateurs=part_cmuc", strings.Join(names, ","), z, tile.x, tile.y))
			if resp.StatusCode == http.StatusNoContent {
				body = nil
			} else {
				served++
				middle = [3]uint32{z, tile.x, tile.y}
			}
			if !bytes.Equal(body, found[tile.id]) {
				t.Fatalf("tile %d/%d/%d: %d bytes, the service answers %d", z, tile.x, tile.y, len(found[tile.id]), len(body))
			}
		}
	}
	if served != len(found) || served < 100 {
		t.Errorf("%d tiles in the archive, %d of the service", len(found), served)
	}

	folder := npmFolder(t)
	path := filepath.Join(t.TempDir(), "a.pmtiles")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`import { PMTiles } from %q; import { open } from "node:fs/promises";
const f = await open(%q);
const p = new PMTiles({ getKey: () => "a", getBytes: async (offset, length) => { const b = Buffer.alloc(length); const { bytesRead } = await f.read(b, 0, length, offset); return { data: b.buffer.slice(b.byteOffset, b.byteOffset + bytesRead) }; } });
const h = await p.getHeader(), m = await p.getMetadata(), t = await p.getZxy(%d, %d, %d);
console.log(JSON.stringify({ tiles: h.numAddressedTiles, type: h.tileType, layers: m.vector_layers.length, hex: Buffer.from(t.data).toString("hex") }));
await f.close();`, "file://"+filepath.Join(folder, "pmtiles", "dist", "esm", "index.js"), path, middle[0], middle[1], middle[2])
	out, err := exec.Command("node", "--input-type=module", "-e", script).Output()
	if err != nil {
		t.Fatalf("node: %v %s", err, out)
	}
	var read struct {
		Tiles, Type, Layers int
		Hex                 string
	}
	want := fmt.Sprintf("%x", found[hilbert(middle[0], middle[1], middle[2])])
	if err := json.Unmarshal(out, &read); err != nil || read.Tiles != len(found) || read.Type != 1 || read.Layers != len(said.Layers) || read.Hex != want {
		t.Errorf("npm pmtiles reads %v, %v", read, err)
	}
}

// With more tiles than a root can name there are leaves, and every entry is found.
func TestPMDirectories(t *testing.T) {
	var entries []pmEntry
	for i := range uint64(60_000) {
		entries = append(entries, pmEntry{i * i % 977 * 3, 0, 1 + i*7919%5000, 1})
	}
	id := uint64(0)
	for i := range entries {
		id += 1 + entries[i].id
		entries[i].id, entries[i].offset = id, id*31
	}
	root, leaves, err := pmDirectories(entries)
	if err != nil || len(root) > pmRoot-pmHeader || len(leaves) == 0 {
		t.Fatalf("root of %d bytes, leaves of %d (%v)", len(root), len(leaves), err)
	}
	if plain, _, _ := pmDirectories(slices.Clone(entries[:10])); len(plain) == 0 {
		t.Error("ten entries need no leaf")
	}
}
