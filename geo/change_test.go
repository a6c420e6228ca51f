package geo

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"pgregory.net/rapid"
)

func layerOf(layer Layer, zones ...Zone) *ZoneSet {
	return &ZoneSet{Layer: layer, EPSG: 2154, Zones: zones}
}

// The perimeters are invented: no layer of the quarters of 2024 is at hand.
func TestChanges(t *testing.T) {
	square := func(x0, y0, x1, y1 float64) orb.MultiPolygon { return multi(rect(x0, y0, x1, y1)) }
	before := func(zones ...Zone) *ZoneSet { return layerOf("qpv-2015", zones...) }
	after := func(zones ...Zone) *ZoneSet { return layerOf("qpv-2024", zones...) }
	for _, tt := range []struct {
		name          string
		before, after *ZoneSet
		masses        []Mass
		want          string // from to kept left added Jaccard [masses], a line each, the whole last
		pieces        string
	}{
		{"the same", before(Zone{Code: "a", Geom: square(0, 0, 100, 100)}), after(Zone{Code: "A", Geom: square(0, 0, 100, 100)}), nil,
			"0 0 10000 0 0 1\n-1 -1 10000 0 0 1", "conservé a A 10000"},
		{"shifted", before(Zone{Code: "a", Geom: square(0, 0, 100, 100)}), after(Zone{Code: "A", Geom: square(50, 0, 150, 100)}), nil,
			"0 0 5000 5000 5000 0.3333\n-1 -1 5000 5000 5000 0.3333", "conservé a A 5000\nsorti a  5000\nentré  A 5000"},
		{"one wholly out, one wholly in, one without geometry",
			before(Zone{Code: "a", Geom: square(0, 0, 100, 100)}, Zone{Code: "b"}), after(Zone{Code: "A", Geom: square(200, 0, 300, 200)}), nil,
			"0 -1 0 10000 0 0\n-1 0 0 0 20000 0\n-1 -1 0 10000 20000 0", "sorti a  10000\nentré  A 20000"},
		{"cut in two, and more",
			before(Zone{Code: "a", Geom: square(0, 0, 100, 100)}),
			after(Zone{Code: "A", Geom: square(0, 0, 50, 100)}, Zone{Code: "B", Geom: square(60, 0, 200, 100)}), nil,
			"0 0 5000 1000 0 0.5\n0 1 4000 1000 10000 0.2\n-1 -1 9000 1000 10000 0.45",
			"conservé a A 5000\nconservé a B 4000\nsorti a  1000\nentré  B 10000"},
		{"zones over one another count once",
			before(Zone{Code: "a", Geom: square(0, 0, 100, 100)}, Zone{Code: "b", Geom: square(50, 0, 150, 100)}),
			after(Zone{Code: "A", Geom: square(0, 0, 60, 100)}, Zone{Code: "B", Geom: square(40, 0, 90, 100)}), nil,
			"0 0 6000 1000 0 0.6\n0 1 5000 1000 0 0.5\n1 0 1000 6000 0 0.0667\n1 1 4000 6000 0 0.3636\n-1 -1 9000 6000 0 0.6",
			"conservé a A 6000\nconservé a B 5000\nsorti a  1000\nconservé b A 1000\nconservé b B 4000\nsorti b  6000"},
		{"by population", before(Zone{Code: "a", Geom: square(0, 0, 100, 100)}), after(Zone{Code: "A", Geom: square(50, 0, 150, 100)}),
			[]Mass{{X: 25, Y: 50, W: 3}, {X: 75, Y: 50, W: 40}, {X: 125, Y: 50, W: 500}, {W: 30, Cell: square(0, 0, 150, 100)}},
			"0 0 5000 5000 5000 0.3333 50 13 510\n-1 -1 5000 5000 5000 0.3333 50 13 510", "conservé a A 5000\nsorti a  5000\nentré  A 5000"},
		{"by population, zones over one another",
			before(Zone{Code: "a", Geom: square(0, 0, 100, 100)}),
			after(Zone{Code: "A", Geom: square(0, 0, 60, 100)}, Zone{Code: "B", Geom: square(40, 0, 90, 100)}),
			[]Mass{{X: 50, Y: 50, W: 7}, {W: 100, Cell: square(0, 0, 100, 100)}},
			"0 0 6000 1000 0 0.6 67 10 0\n0 1 5000 1000 0 0.5 57 10 0\n-1 -1 9000 1000 0 0.9 97 10 0",
			"conservé a A 6000\nconservé a B 5000\nsorti a  1000"},
		{"nothing", before(), after(), nil, "-1 -1 0 0 0 0", ""},
	} {
		changes, total, err := Changes(context.Background(), tt.before, tt.after, tt.masses...)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var lines []string
		for _, c := range append(changes, total) {
			line := fmt.Sprintf("%d %d %.0f %.0f %.0f %.4g", c.From, c.To, c.Kept, c.Left, c.Added, math.Round(c.Jaccard*1e4)/1e4)
			if tt.masses != nil {
				line += fmt.Sprintf(" %.0f %.0f %.0f", c.KeptMass, c.LeftMass, c.AddedMass)
			}
			lines = append(lines, line)
		}
		if diff := cmp.Diff(tt.want, strings.Join(lines, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		pieces, err := ChangePieces(context.Background(), tt.before, tt.after)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		lines = nil
		for _, p := range pieces {
			mustBeValid(t, tt.name, p.Geom)
			lines = append(lines, fmt.Sprintf("%s %s %s %.0f", p.Kind, p.From, p.To, Area(p.Geom)))
		}
		if diff := cmp.Diff(tt.pieces, strings.Join(lines, "\n")); diff != "" {
			t.Errorf("%s: pieces (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestChangesRefused(t *testing.T) {
	a := layerOf("zus-1996", Zone{Code: "a", Geom: multi(rect(0, 0, 1, 1))})
	b := layerOf("qpv-2015", Zone{Code: "b", Geom: multi(rect(0, 0, 1, 1))})
	b.EPSG = 4471
	if _, _, err := Changes(context.Background(), a, b); err == nil || !strings.HasPrefix(err.Error(), "changes from zus-1996 to qpv-2015: ") {
		t.Errorf("projections that differ: %v", err)
	}
	if _, err := ChangePieces(context.Background(), a, b); err == nil {
		t.Error("pieces of projections that differ: no error")
	}
	b.EPSG = a.EPSG
	b.Zones[0].Geom[0][0].Reverse()
	if _, _, err := Changes(context.Background(), a, b); err == nil {
		t.Error("a ring that turns the wrong way: no error")
	}
	b.Zones[0].Geom[0][0].Reverse()
	if _, _, err := Changes(context.Background(), a, b, Mass{W: -1}); err == nil {
		t.Error("a negative mass: no error")
	}
}

// What the pieces cover is what is measured, and each zone is kept or left, with its mass, without loss.
func TestChangesBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		const x, y = 880_000, 6_250_000
		layer := func(name Layer) *ZoneSet {
			set := &ZoneSet{Layer: name}
			for i := range 1 + rnd.IntN(6) { // stars that may lie over one another
				set.Zones = append(set.Zones, Zone{Code: fmt.Sprint(i),
					Geom: multi(star(rnd, x+500*rnd.Float64(), y+500*rnd.Float64(), 50+150*rnd.Float64(), 12+rnd.IntN(30), rnd.IntN(2) == 0))})
			}
			return set
		}
		before, after := layer("qpv-2015"), layer("qpv-2024")
		masses := drawMasses(rnd, x, y, 500)
		changes, total, err := Changes(context.Background(), before, after, masses...)
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := ChangePieces(context.Background(), before, after)
		if err != nil {
			t.Fatal(err)
		}
		drawn := map[string]float64{}
		parts := map[string][]orb.MultiPolygon{}
		for _, p := range pieces {
			if err := toGeom(p.Geom).Validate(); err != nil {
				t.Fatal(err)
			}
			drawn[p.Kind+p.From+">"+p.To] = Area(p.Geom)
			parts[p.Kind] = append(parts[p.Kind], p.Geom)
		}
		same := func(what string, got, want float64) {
			if math.Abs(got-want) > 1.001 { // pieces under 1 m² are not drawn
				t.Fatalf("%s: %v, %v drawn", what, got, want)
			}
		}
		for _, c := range changes {
			if c.From >= 0 && c.To >= 0 {
				same("kept", c.Kept, drawn[fmt.Sprintf("conservé%d>%d", c.From, c.To)])
			}
			if c.From >= 0 {
				same("left", c.Left, drawn[fmt.Sprintf("sorti%d>", c.From)])
			}
			if c.To >= 0 {
				same("added", c.Added, drawn[fmt.Sprintf("entré>%d", c.To)])
			}
		}
		n := float64(len(pieces))
		for kind, got := range map[string]float64{PieceKept: total.Kept, PieceLeft: total.Left, PieceAdded: total.Added} {
			if want := Area(Dissolve(parts[kind])); math.Abs(got-want) > 1.001*n+0.001 {
				t.Fatalf("whole, %s: %v, %v drawn", kind, got, want)
			}
		}
		var union []orb.MultiPolygon
		for _, z := range before.Zones {
			union = append(union, z.Geom)
		}
		in, err := MassIn(context.Background(), &ZoneSet{Zones: []Zone{{Geom: Dissolve(union)}}}, masses)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(total.KeptMass+total.LeftMass-in[0]) > 1e-6 {
			t.Fatalf("mass kept %v, left %v, of %v", total.KeptMass, total.LeftMass, in[0])
		}
	})
}

// Between two editions of the IRIS, the département hardly moves while its zones do.
func TestChangesIRIS(t *testing.T) {
	_, before := real13(t, "2013-14")
	_, after := real13(t, "2016")
	changes, total, err := Changes(context.Background(), before, after)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for _, c := range changes {
		if c.From >= 0 && c.To >= 0 && before.Zones[c.From].Code == after.Zones[c.To].Code && c.Jaccard >= 0.5 {
			same++
		}
	}
	// Some codes were given to other places from one edition to the next.
	if moved := len(before.Zones) - same; moved != 31 || total.Jaccard < 0.98 {
		t.Errorf("%d zones mostly elsewhere, want 31; Jaccard of the whole %v", moved, total.Jaccard)
	}
}

func BenchmarkChangesIRIS(b *testing.B) {
	_, before := real13(b, "2013-14")
	_, after := real13(b, "2016")
	for b.Loop() {
		if _, _, err := Changes(context.Background(), before, after); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChangePieces(b *testing.B) {
	qpv, iris := copies13(b, 1)
	for b.Loop() {
		if _, err := ChangePieces(context.Background(), qpv, iris); err != nil {
			b.Fatal(err)
		}
	}
}
