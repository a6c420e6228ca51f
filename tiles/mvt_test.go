package tiles

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"observatoire/indicators"
)

// A vectorTile is a tile as our own reader of the specification (2.1) finds it, which shares nothing with what draws.
type vectorTile []*vectorTileLayer

type vectorTileLayer struct {
	name            string
	version, extent uint64
	keys            []string
	values          []any // string, float64, int64, uint64, bool
	features        []vectorFeature

	seen map[int]bool // fields met
}

type vectorFeature struct {
	id     uint64
	hasID  bool
	kind   uint64 // 0 unknown, 1 point, 2 linestring, 3 polygon
	tags   map[string]any
	points []orb.Point
	lines  []orb.LineString
	shells []orb.Polygon
}

// layer finds a layer by its name.
func (t vectorTile) layer(name string) *vectorTileLayer {
	for _, l := range t {
		if l.name == name {
			return l
		}
	}
	return nil
}

// protoFields goes through the fields of a protocol buffer: n is a varint's or a fixed number's bits, b a field with a
// length.
func protoFields(data []byte, do func(field int, wire byte, n uint64, b []byte) error) error {
	for len(data) > 0 {
		tag, w := binary.Uvarint(data)
		if w <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return errors.New("a field's tag is no varint")
		}
		data = data[w:]
		var n uint64
		var b []byte
		switch wire := tag & 7; wire {
		case 0:
			if n, w = binary.Uvarint(data); w <= 0 {
				return errors.New("a varint is cut")
			}
		case 1:
			if w = 8; len(data) < w {
				return errors.New("a fixed64 is cut")
			}
			n = binary.LittleEndian.Uint64(data)
		case 2:
			size, k := binary.Uvarint(data)
			if k <= 0 || size > uint64(len(data)-k) {
				return errors.New("a length goes past the end")
			}
			b, w = data[k:k+int(size)], k+int(size)
		case 5:
			if w = 4; len(data) < w {
				return errors.New("a fixed32 is cut")
			}
			n = uint64(binary.LittleEndian.Uint32(data))
		default:
			return fmt.Errorf("wire type %d", wire)
		}
		data = data[w:]
		if err := do(int(tag>>3), byte(tag&7), n, b); err != nil {
			return err
		}
	}
	return nil
}

// readTile reads a tile and refuses whatever the specification forbids in its version 2.
func readTile(data []byte) (vectorTile, error) {
	var t vectorTile
	err := protoFields(data, func(field int, wire byte, _ uint64, b []byte) error {
		if field != 3 || wire != 2 {
			return fmt.Errorf("field %d of the tile", field)
		}
		l, err := readTileLayer(b)
		if err != nil {
			return fmt.Errorf("layer %q: %w", l.name, err)
		}
		if t.layer(l.name) != nil {
			return fmt.Errorf("two layers are named %q", l.name)
		}
		t = append(t, l)
		return nil
	})
	return t, err
}

func readTileLayer(data []byte) (*vectorTileLayer, error) {
	l := &vectorTileLayer{extent: 4096, seen: map[int]bool{}}
	wires := map[int]byte{15: 0, 1: 2, 2: 2, 3: 2, 4: 2, 5: 0}
	var features [][]byte
	err := protoFields(data, func(field int, wire byte, n uint64, b []byte) (err error) {
		if want, ok := wires[field]; !ok || wire != want {
			return fmt.Errorf("field %d of a layer, wire type %d", field, wire)
		}
		if (field == 15 || field == 1 || field == 5) && l.seen[field] {
			return fmt.Errorf("field %d of a layer is there twice", field)
		}
		l.seen[field] = true
		switch field {
		case 15:
			l.version = n
		case 1:
			l.name = string(b)
		case 2:
			features = append(features, b)
		case 3:
			if !utf8.Valid(b) {
				return errors.New("a key is not UTF-8")
			}
			l.keys = append(l.keys, string(b))
		case 4:
			var v any
			if v, err = readTileValue(b); err == nil {
				l.values = append(l.values, v)
			}
		case 5:
			l.extent = n
		}
		return err
	})
	switch {
	case err != nil:
		return l, err
	case l.version != 1 && l.version != 2:
		return l, fmt.Errorf("version %d", l.version)
	case l.name == "" || !utf8.ValidString(l.name):
		return l, errors.New("no name")
	case l.extent == 0 || l.extent > math.MaxUint32:
		return l, fmt.Errorf("extent %d", l.extent)
	}
	ids := map[uint64]bool{}
	for i, b := range features {
		f, err := l.readFeature(b)
		if err != nil {
			return l, fmt.Errorf("feature %d: %w", i, err)
		}
		if f.hasID && ids[f.id] {
			return l, fmt.Errorf("two features have the id %d", f.id)
		}
		ids[f.id] = f.hasID
		l.features = append(l.features, f)
	}
	return l, nil
}

// readTileValue reads the one variant that a value has.
func readTileValue(data []byte) (v any, err error) {
	count := 0
	err = protoFields(data, func(field int, wire byte, n uint64, b []byte) error {
		wires := [...]byte{1: 2, 2: 5, 3: 1, 4: 0, 5: 0, 6: 0, 7: 0}
		if field >= len(wires) || wires[field] != wire {
			return fmt.Errorf("field %d of a value, wire type %d", field, wire)
		}
		count++
		switch field {
		case 1:
			if !utf8.Valid(b) {
				return errors.New("a value is not UTF-8")
			}
			v = string(b)
		case 2:
			v = float64(math.Float32frombits(uint32(n)))
		case 3:
			v = math.Float64frombits(n)
		case 4:
			v = int64(n)
		case 5:
			v = n
		case 6:
			v = int64(n>>1) ^ -int64(n&1)
		case 7:
			v = n != 0
		}
		return nil
	})
	if err == nil && count != 1 {
		err = fmt.Errorf("a value has %d variants", count)
	}
	return v, err
}

// packed reads a list of uint32.
func packed(data []byte) (list []uint32, err error) {
	for len(data) > 0 {
		n, w := binary.Uvarint(data)
		if w <= 0 || n > math.MaxUint32 {
			return nil, errors.New("a packed number is no uint32")
		}
		list, data = append(list, uint32(n)), data[w:]
	}
	return list, nil
}

func (l *vectorTileLayer) readFeature(data []byte) (f vectorFeature, err error) {
	var tags, geometry []uint32
	seen := map[int]bool{}
	err = protoFields(data, func(field int, wire byte, n uint64, b []byte) (err error) {
		wires := [...]byte{1: 0, 2: 2, 3: 0, 4: 2}
		if field >= len(wires) || wires[field] != wire {
			return fmt.Errorf("field %d of a feature, wire type %d", field, wire)
		}
		if seen[field] {
			return fmt.Errorf("field %d of a feature is there twice", field)
		}
		seen[field] = true
		switch field {
		case 1:
			f.id, f.hasID = n, true
		case 2:
			tags, err = packed(b)
		case 3:
			f.kind = n
		case 4:
			geometry, err = packed(b)
		}
		return err
	})
	switch {
	case err != nil:
		return f, err
	case !seen[3] || f.kind > 3:
		return f, fmt.Errorf("its type is missing, or %d", f.kind)
	case len(geometry) == 0:
		return f, errors.New("no geometry")
	case len(tags)%2 != 0:
		return f, errors.New("a tag has no value")
	}
	f.tags = map[string]any{}
	for i := 0; i < len(tags); i += 2 {
		if int(tags[i]) >= len(l.keys) || int(tags[i+1]) >= len(l.values) {
			return f, fmt.Errorf("tag %d, %d of %d keys and %d values", tags[i], tags[i+1], len(l.keys), len(l.values))
		}
		if _, twice := f.tags[l.keys[tags[i]]]; twice {
			return f, fmt.Errorf("the key %q is there twice", l.keys[tags[i]])
		}
		f.tags[l.keys[tags[i]]] = l.values[tags[i+1]]
	}
	return f, f.draw(geometry)
}

// draw follows the commands, and turns rings into polygons by the way they turn.
func (f *vectorFeature) draw(g []uint32) error {
	var x, y int64
	var path []orb.Point
	end := func() error {
		if path == nil {
			return nil
		}
		switch f.kind {
		case 2:
			if len(path) < 2 {
				return errors.New("a line of one point")
			}
			f.lines = append(f.lines, path)
		case 3:
			return errors.New("a ring is not closed")
		}
		path = nil
		return nil
	}
	last := uint32(0)
	for i := 0; i < len(g); {
		command, count := g[i]&7, int(g[i]>>3)
		i++
		if command != 7 && len(g)-i < 2*count {
			return fmt.Errorf("command %d announces %d points, and %d numbers follow", command, count, len(g)-i)
		}
		if last == 0 && command != 1 {
			return errors.New("it does not begin with a MoveTo")
		}
		switch {
		case f.kind == 0: // what it may hold is not said
		case count == 0:
			return fmt.Errorf("command %d of no point", command)
		case f.kind == 1 && (command != 1 || last == 1):
			return fmt.Errorf("command %d in a point", command)
		case f.kind > 1 && command == 1 && (count != 1 || last == 1):
			return errors.New("a MoveTo that begins nothing")
		case command == 2 && last != 1:
			return errors.New("a LineTo after no MoveTo")
		case command == 7 && (f.kind != 3 || count != 1 || last != 2):
			return errors.New("a ClosePath that closes nothing, or more than once")
		}
		switch command {
		case 1, 2:
			if command == 1 {
				if err := end(); err != nil {
					return err
				}
			}
			for range count {
				dx, dy := int64(int32(g[i]>>1)^-int32(g[i]&1)), int64(int32(g[i+1]>>1)^-int32(g[i+1]&1))
				if command == 2 && dx == 0 && dy == 0 && f.kind > 0 {
					return errors.New("two equal points in a row")
				}
				x, y, i = x+dx, y+dy, i+2
				if f.kind == 1 {
					f.points = append(f.points, orb.Point{float64(x), float64(y)})
				} else {
					path = append(path, orb.Point{float64(x), float64(y)})
				}
			}
		case 7:
			if f.kind == 3 {
				if len(path) < 3 || path[0] == path[len(path)-1] {
					return fmt.Errorf("a ring of %d points, or closed twice", len(path))
				}
				ring := append(orb.Ring(path), path[0])
				path = nil
				switch area := surveyor(ring); {
				case area > 0:
					f.shells = append(f.shells, orb.Polygon{ring})
				case area == 0:
					return errors.New("a ring without area")
				case len(f.shells) == 0:
					return errors.New("a hole before any shell")
				default:
					k := len(f.shells) - 1
					f.shells[k] = append(f.shells[k], ring)
				}
			}
		default:
			return fmt.Errorf("unknown command %d", command)
		}
		last = command
	}
	return end()
}

// mustRead reads a tile that must be right, and drawn as ours are: layers that say their extent, features with ids, no
// value that no feature has, nothing beyond the buffer.
func mustRead(t *testing.T, data []byte) vectorTile {
	t.Helper()
	tile, err := readTile(data)
	if err != nil {
		t.Fatalf("tile: %v", err)
	}
	for _, l := range tile {
		if !l.seen[5] || l.extent != extent || l.version != 2 || len(l.features) == 0 {
			t.Errorf("layer %s: extent %d, version %d, %d features", l.name, l.extent, l.version, len(l.features))
		}
		for _, f := range l.features {
			if !f.hasID || f.id == 0 {
				t.Errorf("layer %s: a feature without id", l.name)
			}
			for _, p := range f.points {
				if p[0] < -buffer || p[1] < -buffer || p[0] > extent+buffer || p[1] > extent+buffer {
					t.Errorf("layer %s, feature %d: %v is beyond the buffer", l.name, f.id, p)
				}
			}
			for _, shell := range f.shells {
				if b := shell.Bound(); b.Min[0] < -buffer || b.Min[1] < -buffer || b.Max[0] > extent+buffer || b.Max[1] > extent+buffer {
					t.Errorf("layer %s, feature %d: %v is beyond the buffer", l.name, f.id, b)
				}
			}
		}
	}
	return tile
}

// Every layer at once, the pieces and the facilities among them: each feature carries what its layer promises.
func TestTileOfEverything(t *testing.T) {
	e := sample(3)
	e.Equipements = []indicators.Equipement{{Code: "1", Nom: "École A", Theme: "école", X: 861900, Y: 6272300, Source: "e.geojson"},
		{Code: "2", Nom: "Gymnase B", Theme: "gymnase", X: 900000, Y: 6271500, Source: "e.geojson"}}
	ts := server(t, e)
	const pieces = "recouvrement_qpv-2015_iris-2016"
	layers := "iris-2016,qpv-2015," + pieces + ",equipements"
	resp, body := fetch(t, ts, "GET", "/tiles/"+layers+".json?indicateurs=part_cmuc")
	var doc struct {
		Bounds       []float64
		VectorLayers []struct {
			ID     string
			Fields map[string]string
		} `json:"vector_layers"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || resp.StatusCode != 200 || len(doc.VectorLayers) != 4 {
		t.Fatalf("TileJSON: %v %s", err, body)
	}
	promised := map[string]map[string]string{}
	for _, l := range doc.VectorLayers {
		promised[l.ID] = l.Fields
	}
	for z := uint32(8); z <= 16; z++ {
		x, y := tileAt(z, 5.0022, 43.5133)
		address := fmt.Sprintf("/tiles/%s/%d/%d/%d.mvt?indicateurs=part_cmuc", layers, z, x, y)
		resp, data := fetch(t, ts, "GET", address)
		if resp.StatusCode == 204 && z > 10 {
			continue
		}
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", address, resp.StatusCode, data)
		}
		tile := mustRead(t, data)
		for _, l := range tile {
			for _, f := range l.features {
				for name := range f.tags {
					if promised[l.name][name] == "" {
						t.Errorf("zoom %d: %s: the TileJSON does not say what %q is", z, l.name, name)
					}
				}
			}
		}
		if z != 12 {
			continue
		}
		if l := tile.layer("equipements"); l == nil || len(l.features) != 1 || len(l.features[0].points) != 1 || l.features[0].tags["theme"] != "école" {
			t.Errorf("facilities: %+v", l)
		}
		if l := tile.layer("qpv-2015"); l == nil || l.features[0].tags["part_cmuc_ecart_commune-2018"] != 6.0 || l.features[0].tags["part_cmuc_fiabilite"] != "bonne" ||
			l.features[1].tags["part_cmuc_ecart_commune-2018"] != nil {
			t.Errorf("quarters: %+v", l)
		}
		l := tile.layer(pieces)
		if l == nil || len(l.features) != 3 { // of four, one is a sliver with nothing to draw
			t.Fatalf("pieces: %+v", l)
		}
		// The pieces of a quarter make it whole.
		var whole, sum float64
		for _, p := range tile.layer("qpv-2015").features[0].shells {
			whole += surveyor(p[0])
		}
		for _, f := range l.features {
			if f.tags["code_de"] == "QP013061" {
				for _, p := range f.shells {
					sum += surveyor(p[0])
				}
			}
		}
		if math.Abs(sum-whole) > 0.1*whole || l.features[0].tags["part_de"] != 0.4 || l.features[0].tags["code_vers"] != "130470104" {
			t.Errorf("the pieces of a quarter cover %g of its %g; %v", sum, whole, l.features[0].tags)
		}
	}
	for _, address := range []string{"/tiles/recouvrement_iris-2016_qpv-2015.json", "/tiles/recouvrement_.json"} {
		if resp, body := fetch(t, ts, "GET", address); resp.StatusCode != 404 || !strings.Contains(string(body), pieces+", equipements") {
			t.Errorf("%s: %d %s", address, resp.StatusCode, body)
		}
	}
	if resp, _ := fetch(t, server(t, sample(1)), "GET", "/tiles/equipements.json"); resp.StatusCode != 404 {
		t.Errorf("facilities where there are none: %d", resp.StatusCode)
	}
}

// npmFolder is where the packages of package-lock.json in testdata/npm are installed, once a run of the tests.
func npmFolder(t *testing.T) string {
	t.Helper()
	if os.Getenv("OBSERVATOIRE_NPM") == "" {
		t.Skip("OBSERVATOIRE_NPM does not name the folder of the npm packages the tiles are checked with: `make test` sets it where npm is installed")
	}
	return filepath.Join(os.Getenv("OBSERVATOIRE_NPM"), "node_modules")
}

// Our reader is proved on the fixtures of the specification's authors: it takes every tile that is valid in version 2, and
// refuses every one that is not. Two of the valid ones contradict an invalid one, and are refused: a feature without a
// type, whose bytes are those of 003, and a MoveTo of 2²⁹−1 points followed by one, as in 051.
func TestReadTileFixtures(t *testing.T) {
	folder := filepath.Join(npmFolder(t), "@mapbox", "mvt-fixtures", "fixtures")
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	contradicted := map[string]string{"016": "003", "057": "051"}
	var valid, invalid int
	for _, d := range entries {
		text, err := os.ReadFile(filepath.Join(folder, d.Name(), "info.json"))
		if err != nil {
			t.Fatal(err)
		}
		var info struct {
			Description string
			Validity    struct{ V2 bool }
		}
		if err := json.Unmarshal(text, &info); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(folder, d.Name(), "tile.mvt"))
		if err != nil {
			t.Fatal(err)
		}
		if info.Validity.V2 {
			valid++
		} else {
			invalid++
		}
		other := contradicted[d.Name()]
		if other != "" {
			info.Validity.V2 = false
		}
		if other == "003" {
			if same, err := os.ReadFile(filepath.Join(folder, other, "tile.mvt")); err != nil || string(same) != string(data) {
				t.Errorf("%s is no longer %s (%v)", d.Name(), other, err)
			}
		}
		if _, err := readTile(data); (err == nil) != info.Validity.V2 {
			t.Errorf("%s: %v, although valid is %v: %s", d.Name(), err, info.Validity.V2, info.Description)
		}
	}
	if valid != 46 || invalid != 28 {
		t.Errorf("%d valid and %d invalid tiles, want 46 and 28", valid, invalid)
	}
}

// The style is one that the validator of MapLibre takes; a style with a fault is not, so that it is known to look.
func TestStyleIsValid(t *testing.T) {
	cli := filepath.Join(npmFolder(t), "@maplibre", "maplibre-gl-style-spec", "dist", "gl-style-validate.mjs")
	ts := server(t, sample(2))
	_, style := fetch(t, ts, "GET", "/tiles/style.json")
	for _, tt := range []struct {
		name  string
		style []byte
		ok    bool
	}{{"ours", style, true}, {"faulty", []byte(strings.Replace(string(style), `"line-width"`, `"line-girth"`, 1)), false}} {
		path := filepath.Join(t.TempDir(), tt.name+".json")
		if err := os.WriteFile(path, tt.style, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("node", cli, path).CombinedOutput()
		if (err == nil && len(out) == 0) != tt.ok {
			t.Errorf("%s: %v %s", tt.name, err, out)
		}
	}
}

// Whatever the bytes, reading ends and does not panic; and what we draw is always read.
func FuzzReadTile(f *testing.F) {
	f.Add([]byte{0x1a, 3, 0x78, 2, 0x0a})
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = readTile(data) })
}
