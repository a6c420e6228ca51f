package geo

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/paulmach/orb"
)

// block is a rectangle, its south-west corner at x, y.
func block(x, y, width, height float64) orb.MultiPolygon {
	return orb.MultiPolygon{{{{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}, {x, y}}}}
}

func setFrom(geoms ...orb.MultiPolygon) *ZoneSet {
	set := &ZoneSet{Layer: "essai-2024", EPSG: 2154}
	for i, g := range geoms {
		set.Zones = append(set.Zones, Zone{Code: strconv.Itoa(i), Geom: g})
	}
	return set
}

func figuresOf(vs ...float64) []Figure { // NaN: absent
	out := make([]Figure, len(vs))
	for i, v := range vs {
		if !math.IsNaN(v) {
			out[i] = Figure{v, true}
		}
	}
	return out
}

func transfer(t *testing.T, from, to *ZoneSet) *Transfer {
	t.Helper()
	tr, err := AreaTransfer(context.Background(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func same(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(1, math.Abs(b)) }

// TestTransfer holds the worked examples: two unit squares, one over the other, worth 1 and 2.
func TestTransfer(t *testing.T) {
	nan := math.NaN()
	sources := setFrom(block(2, 3, 1, 1), block(2, 4, 1, 1))
	tests := []struct {
		name      string
		target    orb.MultiPolygon
		counts    []Figure
		by        Divisor
		extensive Carried
		intensive Carried
	}{
		{"over both", block(2, 3, 1, 2), figuresOf(1, 2), BySum, Carried{Figure{3, true}, 1}, Carried{Figure{1.5, true}, 1}},
		{"over both, total", block(2, 3, 1, 2), figuresOf(1, 2), ByTotal, Carried{Figure{3, true}, 1}, Carried{Figure{1.5, true}, 1}},
		{"aside, total", block(1.5, 2.5, 1, 2), figuresOf(1, 2), ByTotal, Carried{Figure{1, true}, 0.375}, Carried{Figure{4. / 3, true}, 0.375}},
		{"aside, sum", block(1.5, 2.5, 1, 2), figuresOf(1, 2), BySum, Carried{Figure{3, true}, 0.375}, Carried{Figure{4. / 3, true}, 0.375}},
		{"one without a figure", block(2, 3, 1, 2), figuresOf(nan, 2), BySum, Carried{Figure{2, true}, 0.5}, Carried{Figure{2, true}, 0.5}},
		{"none with a figure", block(2, 3, 1, 2), figuresOf(nan, nan), BySum, Carried{}, Carried{}},
		{"zeros", block(2, 3, 1, 2), figuresOf(0, 0), BySum, Carried{Figure{0, true}, 1}, Carried{Figure{0, true}, 1}},
		{"beside", block(3, 3, 1, 2), figuresOf(1, 2), BySum, Carried{}, Carried{}},
	}
	for _, tt := range tests {
		tr := transfer(t, sources, setFrom(tt.target))
		for _, c := range []struct {
			rule      string
			got, want Carried
		}{
			{"extensive", tr.Extensive(tt.counts, tt.by)[0], tt.extensive},
			{"intensive", tr.Intensive(tt.counts)[0], tt.intensive},
		} {
			if c.got.OK != c.want.OK || !same(c.got.V, c.want.V) || !same(c.got.Coverage, c.want.Coverage) {
				t.Errorf("%s: %s %+v, want %+v", tt.name, c.rule, c.got, c.want)
			}
		}
	}
}

func TestTransferRatio(t *testing.T) {
	tr := transfer(t, setFrom(block(2, 3, 1, 1), block(2, 4, 1, 1)), setFrom(block(2, 3, 1, 2), block(2.5, 3, 0.5, 1), block(9, 9, 1, 1)))
	nan := math.NaN()
	tests := []struct {
		name     string
		num, den []Figure
		want     []Carried
	}{
		{"means are not averaged", figuresOf(1, 1), figuresOf(1, 9), []Carried{{Figure{0.2, true}, 1}, {Figure{1, true}, 1}, {}}},
		{"both terms are needed", figuresOf(1, 1), figuresOf(nan, 4), []Carried{{Figure{0.25, true}, 0.5}, {}, {}}},
		{"over zero", figuresOf(1, 1), figuresOf(0, 0), []Carried{{Coverage: 1}, {Coverage: 1}, {}}},
		{"zero over zero", figuresOf(0, 0), figuresOf(0, 0), []Carried{{Coverage: 1}, {Coverage: 1}, {}}},
	}
	for _, tt := range tests {
		for i, got := range tr.Ratio(tt.num, tt.den, ByTotal) {
			if want := tt.want[i]; got.OK != want.OK || !same(got.V, want.V) || !same(got.Coverage, want.Coverage) {
				t.Errorf("%s: target %d: %+v, want %+v", tt.name, i, got, want)
			}
		}
	}
}

// TestMassTransfer: 20 over a square of side 2, whose one cell holds 9 of the weight and the rest 1.
func TestMassTransfer(t *testing.T) {
	cell := block(0, 0, 1, 1)
	rest := orb.MultiPolygon{{{{1, 0}, {2, 0}, {2, 2}, {0, 2}, {0, 1}, {1, 1}, {1, 0}}}}
	mixed := setFrom(block(0, 0, 2, 1), block(0, 1, 2, 1)) // a target that halves both weights, and another
	tests := []struct {
		name    string
		sources *ZoneSet
		targets *ZoneSet
		masses  []Mass
		counts  []Figure
		want    []float64
	}{
		{"areas", setFrom(block(0, 0, 2, 2)), setFrom(cell, rest), []Mass{{W: 9, Cell: cell}, {W: 1, Cell: rest}}, figuresOf(20), []float64{18, 2}},
		{"points", setFrom(block(0, 0, 2, 2)), setFrom(cell, rest),
			[]Mass{{X: 0.5, Y: 0.5, W: 5}, {X: 0.1, Y: 0.9, W: 4}, {X: 1.5, Y: 1.5, W: 1}, {X: 7, Y: 7, W: 8}}, figuresOf(20), []float64{18, 2}},
		{"both", setFrom(block(0, 0, 2, 2)), setFrom(cell, rest),
			[]Mass{{W: 9, Cell: cell}, {X: 1.5, Y: 0.5, W: 1}}, figuresOf(20), []float64{18, 2}},
		// Of the weight, 9 + 1/3 is in the south and 2/3 in the north.
		{"cut weights", setFrom(block(0, 0, 2, 2)), mixed, []Mass{{W: 9, Cell: cell}, {W: 1, Cell: rest}}, figuresOf(30), []float64{28, 2}},
		// The parts are drawn: the west half holds 9 and a third of the weight, of which 4.5 south of 0.5.
		{"drawn parts", setFrom(block(0, 0, 1, 2)), setFrom(block(-1, -1, 3, 1.5)), []Mass{{W: 9, Cell: cell}, {W: 1, Cell: rest}}, figuresOf(28), []float64{28 * 4.5 / (9 + 1./3)}},
		{"no weight there", setFrom(block(0, 0, 2, 2)), setFrom(rest), []Mass{{W: 9, Cell: cell}}, figuresOf(20), []float64{math.NaN()}},
	}
	for _, tt := range tests {
		tr, err := MassTransfer(context.Background(), tt.sources, tt.targets, tt.masses)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for i, got := range tr.Extensive(tt.counts, ByTotal) {
			if want := figuresOf(tt.want[i])[0]; got.OK != want.OK || math.Abs(got.V-want.V) > 1e-5 {
				t.Errorf("%s: target %d: %+v, want %+v", tt.name, i, got, want)
			}
		}
	}
}

func TestBalance(t *testing.T) {
	nan := math.NaN()
	sources := setFrom(block(0, 0, 1, 1), block(1, 0, 1, 1), block(2, 0, 1, 1), block(3, 0, 1, 1))
	counts := figuresOf(8, 4, nan, 2)
	tests := []struct {
		name    string
		targets *ZoneSet
		by      Divisor
		want    Balance
	}{
		{"sum", setFrom(block(0, 0, 1.5, 1)), BySum, Balance{Total: 14, Carried: 12, Outside: 2, Missing: 1, Untaken: 1, Partial: 1}},
		{"total", setFrom(block(0, 0, 1.5, 1)), ByTotal, Balance{Total: 14, Carried: 10, Outside: 4, Missing: 1, Untaken: 1, Partial: 1}},
		{"overlapping, sum", setFrom(block(0, 0, 1, 1), block(0, 0, 1, 1)), BySum, Balance{Total: 14, Carried: 8, Outside: 6, Missing: 1, Untaken: 2}},
		{"overlapping, total", setFrom(block(0, 0, 1, 1), block(0, 0, 1, 1)), ByTotal, Balance{Total: 14, Carried: 16, Outside: 6, Repeated: 8, Missing: 1, Untaken: 2}},
	}
	for _, tt := range tests {
		if got := transfer(t, sources, tt.targets).Balance(counts, tt.by); got != tt.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}

// TestTransferConserves: over targets that cover the sources, whatever their grid, counts come back whole, the
// mean of a constant is that constant, and no target is more than covered.
func TestTransferConserves(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		grid := func(n int) *ZoneSet {
			set := &ZoneSet{Layer: "grille-2024", EPSG: 2154}
			cuts := []float64{0}
			for range n {
				cuts = append(cuts, cuts[len(cuts)-1]+rng.Float64())
			}
			scale := 1000 / cuts[n]
			for i := range n {
				for j := range n {
					set.Zones = append(set.Zones, Zone{Geom: block(862000+cuts[i]*scale, 6270000+cuts[j]*scale, (cuts[i+1]-cuts[i])*scale, (cuts[j+1]-cuts[j])*scale)})
				}
			}
			return set
		}
		from, to := grid(2+rng.IntN(6)), grid(2+rng.IntN(6))
		tr := transfer(t, from, to)
		counts, sevens := make([]Figure, len(from.Zones)), make([]Figure, len(from.Zones))
		total := 0.0
		for i := range counts {
			counts[i], sevens[i] = Figure{100 * rng.Float64(), true}, Figure{7, true}
			total += counts[i].V
		}
		for _, by := range []Divisor{BySum, ByTotal} {
			b := tr.Balance(counts, by)
			if math.Abs(b.Carried-total) > 1e-9*total || b.Outside != 0 || b.Repeated != 0 || b.Partial != 0 {
				t.Fatalf("%+v, want all of %g carried", b, total)
			}
		}
		for _, c := range tr.Intensive(sevens) {
			if !c.OK || math.Abs(c.V-7) > 1e-9 || math.Abs(c.Coverage-1) > 1e-9 {
				t.Fatalf("mean of sevens: %+v", c)
			}
		}
	}
}
