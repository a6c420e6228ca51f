package tiles

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"
	"github.com/paulmach/orb/encoding/mvt/vectortile"

	"observatoire/geo"
	"observatoire/indicators"
)

// tileAt is the tile that holds a longitude and latitude.
func tileAt(z uint32, lon, lat float64) (x, y uint32) {
	p := mercator(lon, lat)
	n := math.Exp2(float64(z))
	return uint32(p[0] * n), uint32(p[1] * n)
}

// ringsOf decodes a feature's geometry commands by the letter of the specification, and checks them.
func ringsOf(t *testing.T, f *vectortile.Tile_Feature) (rings []orb.Ring) {
	t.Helper()
	var x, y int32
	zigzag := func(v uint32) int32 { return int32(v>>1) ^ -int32(v&1) }
	g := f.Geometry
	var ring orb.Ring
	for i := 0; i < len(g); {
		command, count := g[i]&7, int(g[i]>>3)
		i++
		switch command {
		case 1, 2:
			if command == 1 && count != 1 {
				t.Fatalf("MoveTo of %d points in a polygon", count)
			}
			for range count {
				dx, dy := zigzag(g[i]), zigzag(g[i+1])
				if command == 2 && dx == 0 && dy == 0 {
					t.Error("two equal points in a row")
				}
				x, y = x+dx, y+dy
				ring = append(ring, orb.Point{float64(x), float64(y)})
				i += 2
			}
		case 7:
			if len(ring) < 3 || ring[0] == ring[len(ring)-1] {
				t.Errorf("ring of %d points, or closed twice: %v", len(ring), ring)
			}
			rings = append(rings, append(ring, ring[0]))
			ring = nil
		default:
			t.Fatalf("unknown command %d", command)
		}
	}
	if ring != nil {
		t.Error("a ring is not closed")
	}
	return rings
}

// surveyor is twice the area of a ring by the formula the specification names: positive for shells.
func surveyor(r orb.Ring) (a float64) {
	for i := 1; i < len(r); i++ {
		a += r[i-1][0]*r[i][1] - r[i][0]*r[i-1][1]
	}
	return a
}

func TestTile(t *testing.T) {
	s := snapshot(t, sample(3))
	x, y := tileAt(13, s.byName["iris-2016"].bound.Min[0]+0.004, s.byName["iris-2016"].bound.Min[1]+0.005)
	q := tileRequest{layers: []*layer{s.byName["iris-2016"], s.byName["qpv-2015"]}, z: 13, x: x, y: y, indicators: []string{"part_cmuc", "population"}, sexe: "T"}
	data, err := s.tile(q)
	if err != nil {
		t.Fatal(err)
	}
	again, err := snapshot(t, sample(3)).tile(tileRequest{layers: []*layer{s.byName["iris-2016"], s.byName["qpv-2015"]}, z: 13, x: x, y: y, indicators: q.indicators, sexe: "T"})
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the same edition gives other bytes (%v)", err)
	}
	mustRead(t, data)
	var tile vectortile.Tile
	if err := tile.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, l := range tile.Layers {
		fmt.Fprintf(&out, "couche %s, version %d, étendue %d\n", l.GetName(), l.GetVersion(), l.GetExtent())
		for _, f := range l.Features {
			fmt.Fprintf(&out, "  %d", f.GetId())
			for i := 0; i < len(f.Tags); i += 2 {
				v := l.Values[f.Tags[i+1]]
				if v.StringValue != nil {
					fmt.Fprintf(&out, " %s=%s", l.Keys[f.Tags[i]], v.GetStringValue())
				} else {
					fmt.Fprintf(&out, " %s=%g", l.Keys[f.Tags[i]], v.GetDoubleValue())
				}
			}
			out.WriteByte('\n')
			for i, r := range ringsOf(t, f) {
				if area := surveyor(r); i == 0 && area <= 0 || i > 0 && area >= 0 {
					t.Errorf("feature %d: ring %d has area %g", f.GetId(), i, area)
				}
				fmt.Fprintf(&out, "    %v\n", r)
			}
		}
	}
	if diff := cmp.Diff(golden(t, "testdata/tile.txt", []byte(out.String())), out.String()); diff != "" {
		t.Errorf("tile (-want +got):\n%s", diff)
	}
}

// Neighbours keep their border in common, and a layer's zones leave neither gap nor overlap: at every zoom
// their areas on the grid add up to that of their outline.
func TestSharedBorders(t *testing.T) {
	s := snapshot(t, sample(4))
	iris, commune := s.byName["iris-2016"], s.byName["commune-2018"]
	for z := uint32(8); z <= 14; z++ {
		n := math.Exp2(float64(z)) * extent
		g := grid{sx: n, sy: n, box: orb.Bound{Min: orb.Point{0, 0}, Max: orb.Point{n, n}}}
		var sum float64
		for i := range iris.zones {
			for _, poly := range g.multiPolygon(iris.zones[i].world) {
				for _, r := range poly {
					sum += surveyor(r)
				}
			}
		}
		for _, r := range iris.zones[0].world[0][1:] { // the hole is no one's
			if _, a := g.ring(r); a != 0 {
				sum += math.Abs(a)
			}
		}
		// The commune's own corners alone would miss the projection's bend along its sides.
		outline := g.multiPolygon(commune.zones[0].world)
		want := surveyor(outline[0][0])
		if math.Abs(sum-want) > 4*math.Sqrt(want) {
			t.Errorf("zoom %d: the IRIS cover %g, their commune %g", z, sum, want)
		}
	}
	g := grid{sx: 1, sy: 1, box: orb.Bound{Min: orb.Point{-1e6, -1e6}, Max: orb.Point{1e6, 1e6}}}
	left := g.multiPolygon(orb.MultiPolygon{{{{0, 0}, {10, 0}, {10.3, 5.2}, {9.8, 10}, {0, 10}, {0, 0}}}})
	right := g.multiPolygon(orb.MultiPolygon{{{{10, 0}, {20, 0}, {20, 10}, {9.8, 10}, {10.3, 5.2}, {10, 0}}}})
	if a, b := surveyor(left[0][0]), surveyor(right[0][0]); a+b != 400 {
		t.Errorf("two neighbours cover %g + %g, not 400", a, b)
	}
}

// A winding border is drawn with fewer vertices at the small scales, the same for both zones, and as it is at the
// large ones.
func TestDrawings(t *testing.T) {
	const x, y, size, steps = 862000, 6274000, 10000, 2000 // metres, but for the steps
	var border orb.Ring
	for k := range steps + 1 {
		at := float64(k) / steps
		border = append(border, orb.Point{x + 300*math.Sin(20*at) + 40*math.Sin(400*at), y + size*at})
	}
	west, east := border.Clone(), border.Clone()
	west = append(west, orb.Point{x - size, y + size}, orb.Point{x - size, y}, west[0])
	east.Reverse()
	east = append(east, orb.Point{x + size, y}, orb.Point{x + size, y + size}, east[0])
	set := geo.ZoneSet{Layer: "iris-2016", EPSG: 2154, Zones: []geo.Zone{
		{Code: "E", Geom: geo.Orient(orb.MultiPolygon{{east}})}, {Code: "N"}, {Code: "W", Geom: geo.Orient(orb.MultiPolygon{{west}})}}}
	l := snapshot(t, &indicators.Edition{ID: "essai", Layers: []geo.ZoneSet{set}}).byName["iris-2016"]
	last := 2*steps + 10
	for z := uint32(maxZoom); ; z -= 2 {
		shown := l.zonesAt(z)
		if z >= 16 && shown != nil {
			t.Errorf("zoom %d is simplified", z)
		}
		if shown != nil {
			if len(shown) != 3 || len(shown[1]) != 0 {
				t.Fatalf("zoom %d: %d zones, the one without contour being %v", z, len(shown), shown[1])
			}
			n := len(shown[0][0][0]) + len(shown[2][0][0])
			if n > last {
				t.Errorf("zoom %d: %d vertices, %d at the scale above", z, n, last)
			}
			last = n
			// The two zones alone have the corners of the square, two each, and the ends of the border are of both.
			of := map[orb.Point]int{}
			for _, i := range []int{0, 2} {
				for _, p := range shown[i][0][0][1:] {
					of[p]++
				}
			}
			alone := 0
			for _, count := range of {
				if count == 1 {
					alone++
				}
			}
			if alone != 4 {
				t.Errorf("zoom %d: %d vertices are of one zone alone", z, alone)
			}
		}
		if z == 0 {
			break
		}
	}
	if last > steps/4 {
		t.Errorf("%d vertices at the smallest scale", last)
	}
}

func TestGridRing(t *testing.T) {
	g := grid{sx: 1, sy: 1, box: orb.Bound{Min: orb.Point{-64, -64}, Max: orb.Point{4160, 4160}}}
	tests := []struct {
		name string
		in   orb.Ring
		want orb.Ring
	}{
		{"collinear and repeated points", orb.Ring{{5, 0}, {10, 0}, {10, 0.2}, {10, 10}, {5, 10}, {0, 10}, {0, 0}, {5, 0}}, orb.Ring{{10, 0}, {10, 10}, {0, 10}, {0, 0}, {10, 0}}},
		{"spike", orb.Ring{{0, 0}, {10, 0}, {30, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}}, orb.Ring{{0, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}}},
		{"less than a unit", orb.Ring{{0.1, 0.1}, {0.3, 0.1}, {0.3, 0.3}, {0.1, 0.1}}, nil},
		{"flat", orb.Ring{{0, 0}, {100, 0.2}, {200, 0.1}, {0, 0}}, nil},
		{"two points", orb.Ring{{0, 0}, {1, 1}}, nil},
		{"outside", orb.Ring{{5000, 5000}, {6000, 5000}, {6000, 6000}, {5000, 5000}}, nil},
		{"around", orb.Ring{{-1000, -1000}, {9000, -1000}, {9000, 9000}, {-1000, 9000}, {-1000, -1000}},
			orb.Ring{{4160, 4160}, {-64, 4160}, {-64, -64}, {4160, -64}, {4160, 4160}}},
	}
	for _, tt := range tests {
		got, _ := g.ring(tt.in)
		if got == nil && tt.want == nil {
			continue
		}
		// The same ring may start anywhere.
		same := false
		for k := 0; len(got) == len(tt.want) && k+1 < len(got); k++ {
			turned := append(append(orb.Ring{}, got[k:len(got)-1]...), got[:k]...)
			same = same || cmp.Equal(append(turned, turned[0]), tt.want)
		}
		if !same {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Whatever the ring, what comes out is closed, on the grid, inside the box, without a flat corner.
func TestGridRingRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	g := grid{sx: 1, sy: 1, box: orb.Bound{Min: orb.Point{-64, -64}, Max: orb.Point{4160, 4160}}}
	for range 5000 {
		n := 3 + rnd.IntN(20)
		size := []float64{3, 100, 9000}[rnd.IntN(3)]
		ring := make(orb.Ring, 0, n+1)
		for range n {
			ring = append(ring, orb.Point{rnd.Float64()*size - size/4, rnd.Float64()*size - size/4})
		}
		in := append(ring, ring[0])
		r, area := g.ring(in)
		if r == nil {
			continue
		}
		if len(r) < 4 || r[0] != r[len(r)-1] || area == 0 {
			t.Fatalf("%v gives %v, area %g", in, r, area)
		}
		for i, p := range r[:len(r)-1] {
			next := r[i+1]
			prev := r[(i+len(r)-2)%(len(r)-1)]
			if p != (orb.Point{math.Trunc(p[0]), math.Trunc(p[1])}) || !g.box.Contains(p) || flat(prev, p, next) {
				t.Fatalf("%v gives %v: point %d", in, r, i)
			}
		}
	}
}

func TestTileZooms(t *testing.T) {
	s := snapshot(t, sample(3))
	l := s.byName["qpv-2015"]
	c := l.zones[0].box.Center()
	for z := uint32(0); z <= maxZoom; z++ {
		x, y := uint32(c[0]*math.Exp2(float64(z))), uint32(c[1]*math.Exp2(float64(z)))
		data, err := s.tile(tileRequest{layers: []*layer{l}, z: z, x: x, y: y, sexe: "T"})
		if err != nil {
			t.Fatal(err)
		}
		if z < 12 && len(data) > 400 || z == 16 && len(data) == 0 {
			t.Errorf("zoom %d: %d bytes", z, len(data))
		}
		if len(data) > 0 {
			mustRead(t, data)
		}
	}
	if data, err := s.tile(tileRequest{layers: []*layer{l}, z: 10, x: 3, y: 3}); err != nil || data != nil {
		t.Errorf("far away: %d bytes, %v", len(data), err)
	}
}

// What a ring loses beyond the sides of a tile changes nothing of what lies within; rings drawn after it leave it as it is.
func TestNear(t *testing.T) {
	g := grid{sx: 1, sy: 1, box: orb.Bound{Min: orb.Point{-buffer, -buffer}, Max: orb.Point{extent + buffer, extent + buffer}}}
	rng := rand.New(rand.NewPCG(1, 2))
	area := func(r orb.Ring) (a float64) {
		for i := 1; i < len(r); i++ {
			a += r[i-1][0]*r[i][1] - r[i][0]*r[i-1][1]
		}
		return a / 2
	}
	dropped, met := 0, 0
	var last orb.Ring
	var was orb.Ring
	for n := range 2000 {
		// A star around a point of the tile or near it, larger or smaller than the tile.
		cx, cy, size := rng.Float64()*3*extent-extent, rng.Float64()*3*extent-extent, math.Exp2(4+rng.Float64()*11)
		src := orb.Ring{}
		for k := range 60 {
			a, d := 2*math.Pi*float64(k)/60, size*(0.3+rng.Float64())
			src = append(src, orb.Point{math.Round(cx + d*math.Cos(a)), math.Round(cy + d*math.Sin(a))})
		}
		src = append(src, src[0])
		kept, inside := g.near(src)
		kept = slices.Clone(kept)
		if kept[0] != kept[len(kept)-1] {
			kept = append(kept, kept[0])
		}
		dropped += len(src) - len(kept)
		want := area(clip.Ring(g.box, slices.Clone(src)))
		got := area(clip.Ring(g.box, slices.Clone(kept)))
		if math.Abs(got-want) > 1e-6*(1+math.Abs(want)) || inside != (len(kept) == len(src) && g.box.Contains(src.Bound().Min) && g.box.Contains(src.Bound().Max)) {
			t.Fatalf("star %d: %g square units of %g, %d vertices of %d, inside %v", n, got, want, len(kept), len(src), inside)
		}
		if want != 0 {
			met++
		}
		r, _ := g.ring(src)
		if !slices.Equal(last, was) {
			t.Fatalf("star %d changes the one before", n)
		}
		last, was = r, slices.Clone(r)
	}
	if dropped < 10_000 || met < 500 {
		t.Errorf("%d vertices dropped, %d stars in the tile: this tests little", dropped, met)
	}
}
