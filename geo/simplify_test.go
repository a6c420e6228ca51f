package geo

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"
	"pgregory.net/rapid"
)

func TestSimplify(t *testing.T) {
	for _, tt := range []struct {
		name      string
		zones     []string
		tolerance float64
		want      []string
	}{
		{"nothing", nil, 1, nil},
		{"a square stays", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0))"}, 3,
			[]string{"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"}},
		{"a square smaller than the tolerance", []string{"POLYGON((0 0,10 0,10 10,0 10,0 0))"}, 1000,
			[]string{"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))"}},
		{"a small bend", []string{"POLYGON((0 0,50 1,100 0,100 100,0 100,0 0))"}, 10,
			[]string{"MULTIPOLYGON(((0 0,100 0,100 100,0 100,0 0)))"}},
		{"a bend worth more than 1 %", []string{"POLYGON((0 0,50 3,100 0,100 100,0 100,0 0))"}, 20,
			[]string{"MULTIPOLYGON(((0 0,50 3,100 0,100 100,0 100,0 0)))"}},
		{"a common border", []string{"POLYGON((0 0,100 0,101 50,100 100,0 100,0 0))", "POLYGON((100 0,200 0,200 100,100 100,101 50,100 0))"}, 10,
			[]string{"MULTIPOLYGON(((0 0,100 0,100 100,0 100,0 0)))", "MULTIPOLYGON(((100 0,200 0,200 100,100 100,100 0)))"}},
		{"a vertex that the neighbour lacks", []string{"POLYGON((0 0,100 0,100 50,100 100,0 100,0 0))", "POLYGON((100 0,200 0,200 100,100 100,100 0))"}, 10,
			[]string{"MULTIPOLYGON(((0 0,100 0,100 100,0 100,0 0)))", "MULTIPOLYGON(((100 0,200 0,200 100,100 100,100 0)))"}},
		{"an enclave stays in its hole", []string{"POLYGON((0 0,100 0,100 100,0 100,0 0),(50 50,50 51,51 51,51 50,50 50))", "POLYGON((50 50,51 50,51 51,50 51,50 50))"}, 10,
			[]string{"MULTIPOLYGON(((0 0,100 0,100 100,0 100,0 0),(50 50,50 51,51 51,51 50,50 50)))", "MULTIPOLYGON(((50 50,51 50,51 51,50 51,50 50)))"}},
		{"small islands and holes go", []string{"MULTIPOLYGON(((200 0,201 0,201 1,200 1,200 0)),((0 0,100 0,100 100,0 100,0 0),(50 50,50 51,51 51,51 50,50 50)),((300 0,320 0,320 20,300 20,300 0)))"}, 10,
			[]string{"MULTIPOLYGON(((0 0,100 0,100 100,0 100,0 0)),((300 0,320 0,320 20,300 20,300 0)))"}},
		{"the largest island stays", []string{"MULTIPOLYGON(((200 0,201 0,201 1,200 1,200 0)),((0 0,2 0,2 2,0 2,0 0)))"}, 10,
			[]string{"MULTIPOLYGON(((200 0,201 0,201 1,200 1,200 0)),((0 0,2 0,2 2,0 2,0 0)))"}},
		{"to the centimetre", []string{"POLYGON((0.001 0.004,10.126 0,10 10,0 10,0.001 0.004))"}, 0,
			[]string{"MULTIPOLYGON(((0 0,10.13 0,10 10,0 10,0 0)))"}},
		{"smaller than that", []string{"POLYGON((0 0,0.001 0,0.001 0.001,0 0))", "POLYGON((5 5,6 5,6 6,5 5))"}, 1,
			[]string{"MULTIPOLYGON(((0 0,0.001 0,0.001 0.001,0 0)))", "MULTIPOLYGON(((5 5,6 5,6 6,5 5)))"}},
		// The bend of the second zone has to go round the third.
		{"what a bend holds", []string{"POLYGON((0 0,100 0,100 100,0 100,0 0))", "POLYGON((-50 -50,150 -50,150 -1,52 -1,50 3,48 -1,-50 -1,-50 -50))",
			"POLYGON((49.5 -0.9,50.5 -0.9,50 1,49.5 -0.9))"}, 10,
			[]string{"MULTIPOLYGON(((0 0,100 0,100 100,0 100,0 0)))", "MULTIPOLYGON(((-50 -50,150 -50,150 -1,52 -1,50 3,48 -1,-50 -1,-50 -50)))",
				"MULTIPOLYGON(((49.5 -0.9,50.5 -0.9,50 1,49.5 -0.9)))"}},
	} {
		var zones []orb.MultiPolygon
		for _, s := range tt.zones {
			zones = append(zones, parse(t, s))
		}
		var got []string
		for _, mp := range Simplify(zones, tt.tolerance) {
			got = append(got, wkt.MarshalString(mp))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	bad := orb.MultiPolygon{{{{0, 0}, {math.NaN(), 0}, {1, 1}, {0, 0}}}}
	got := Simplify([]orb.MultiPolygon{bad, nil, multi(rect(0, 0, 1, 1))}, 1)
	if len(got[0]) != 1 || got[1] != nil || Area(got[2]) != 1 {
		t.Errorf("beside what is not numbers: %v", got)
	}
}

func TestZoomTolerance(t *testing.T) {
	// From the definition of the tiles: 156 543.03 m to a pixel on the equator at zoom 0.
	for zoom, want := range map[int]float64{0: 156543.03 * math.Sqrt2 / 4, 12: 13.512} {
		if got := ZoomTolerance(zoom); math.Abs(got-want) > 1e-4*want {
			t.Errorf("zoom %d: %g m, want %g", zoom, got, want)
		}
	}
}

// checkSimplified holds what is true of a layer simplified: valid zones of nearly their areas, that share and leave
// out no more ground than they did.
func checkSimplified(t rapid.TB, name string, before, after []orb.MultiPolygon) {
	t.Helper()
	sets := [2]*ZoneSet{{}, {}}
	for i := range before {
		if err := toGeom(after[i]).Validate(); err != nil {
			t.Errorf("%s: zone %d is not valid: %v", name, i, err)
		}
		was, is := Area(before[i]), Area(after[i])
		if math.Abs(is-was) > 0.0101*was {
			t.Errorf("%s: zone %d: %.1f m² became %.1f", name, i, was, is)
		}
		for _, poly := range after[i] {
			for k, ring := range poly {
				if want := orb.CCW; len(ring) < 4 || (ring.Orientation() == want) != (k == 0) {
					t.Errorf("%s: zone %d: ring %d: %v", name, i, k, ring)
				}
			}
		}
		sets[0].Zones = append(sets[0].Zones, Zone{Code: fmt.Sprint(i), Geom: before[i]})
		sets[1].Zones = append(sets[1].Zones, Zone{Code: fmt.Sprint(i), Geom: after[i]})
	}
	var common [2]float64 // area of pairs
	var holes [2]int
	for k, set := range sets {
		pairs, err := Overlaps(context.Background(), set, set)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, o := range pairs {
			if o.From < o.To {
				common[k] += o.Area
			}
		}
		_, holes[k] = count(Dissolve([][]orb.MultiPolygon{before, after}[k]))
	}
	if common[1] > common[0]*1.02+1 {
		t.Errorf("%s: zones overlap by %.2f m², before by %.2f", name, common[1], common[0])
	}
	if holes[1] > holes[0] {
		t.Errorf("%s: %d gaps, before %d", name, holes[1], holes[0])
	}
}

func TestSimplifyPatchwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		side := math.Pow(10, 1+3*rnd.Float64())
		var zones []orb.MultiPolygon
		for _, z := range patchwork(rnd, 5, side) {
			zones = append(zones, z.Geom)
		}
		after := Simplify(zones, side*math.Pow(10, -3*rnd.Float64()))
		checkSimplified(t, "patchwork", zones, after)
	})
}

// Zones over one another, with holes and islands, some hardly larger than the grid, stay valid.
func TestSimplifyStars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		size := math.Pow(10, 5*rnd.Float64()-1)
		var zones []orb.MultiPolygon
		for range 1 + rnd.IntN(12) {
			var mp orb.MultiPolygon
			for k := range 1 + rnd.IntN(3) {
				mp = append(mp, star(rnd, size*rnd.Float64()+3*size*float64(k), size*rnd.Float64(), size*rnd.Float64(), 12+rnd.IntN(60), rnd.IntN(2) == 0))
			}
			zones = append(zones, mp)
		}
		for i, mp := range Simplify(zones, size*math.Pow(10, -4*rnd.Float64())) {
			if err := toGeom(mp).Validate(); err != nil {
				t.Fatalf("%v: %s", err, wkt.MarshalString(mp))
			}
			was, is := Area(zones[i]), Area(mp)
			// Rounding to the centimetre may by itself change a small zone by more than 1 %.
			if is <= 0 || math.Abs(is-was) > 0.0101*was+0.01*Prepare(zones[i]).perimeter() {
				t.Fatalf("%.6f m² became %.6f: %s", was, is, wkt.MarshalString(mp))
			}
		}
	})
}

func TestSimplifyIRIS(t *testing.T) {
	for _, edition := range []string{"2016", "2013-14", "older"} {
		qpv, iris := real13(t, edition)
		layers := map[string][]orb.MultiPolygon{}
		for _, z := range iris.Zones {
			layers["iris"] = append(layers["iris"], z.Geom)
		}
		for _, z := range qpv.Zones {
			mp, _ := Repair(z.Geom)
			layers["qpv"] = append(layers["qpv"], mp)
		}
		for layer, zones := range layers {
			for _, zoom := range []int{6, 9, 12, 15} {
				after := Simplify(zones, ZoomTolerance(zoom))
				name := fmt.Sprintf("%s %s, zoom %d", layer, edition, zoom)
				checkSimplified(t, name, zones, after)
				t.Logf("%s: %d vertices of %d", name, vertices(after), vertices(zones))
			}
		}
	}
}

func vertices(zones []orb.MultiPolygon) int {
	n := 0
	for _, mp := range zones {
		for _, poly := range mp {
			for _, ring := range poly {
				n += len(ring) - 1
			}
		}
	}
	return n
}

func BenchmarkSimplifyIRIS(b *testing.B) {
	_, iris := real13(b, "2013-14")
	var zones []orb.MultiPolygon
	for _, z := range iris.Zones {
		zones = append(zones, z.Geom)
	}
	for _, zoom := range []int{6, 9, 12, 15} {
		b.Run(fmt.Sprint("zoom", zoom), func(b *testing.B) {
			for b.Loop() {
				Simplify(zones, ZoomTolerance(zoom))
			}
		})
	}
}

func BenchmarkSimplifyPatchwork(b *testing.B) {
	var zones []orb.MultiPolygon
	for _, z := range patchwork(rand.New(rand.NewPCG(1, 1)), 71, 500) {
		zones = append(zones, z.Geom)
	}
	for b.Loop() {
		Simplify(zones, ZoomTolerance(10))
	}
	b.ReportMetric(float64(len(zones)), "zones")
}
