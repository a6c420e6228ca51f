package geo

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	_ "modernc.org/sqlite"
	"pgregory.net/rapid"
)

func TestMassWeights(t *testing.T) {
	square := multi(rect(0, 0, 2, 2))
	cell := multi(rect(1, 1, 2, 2))
	rest := orb.MultiPolygon{{{{0, 0}, {2, 0}, {2, 1}, {1, 1}, {1, 2}, {0, 2}, {0, 0}}}}
	from := layerOf("s-2020", Zone{Code: "s", Geom: square}, Zone{Code: "v", Geom: multi(rect(10, 0, 12, 2))})
	to := layerOf("t-2020", Zone{Code: "1", Geom: cell}, Zone{Code: "2", Geom: rest}, Zone{Code: "3", Geom: multi(rect(11, -1, 15, 3))})
	for _, tt := range []struct {
		name   string
		masses []Mass
		want   []Weight // s in 1, s in 2, v in 3
	}{
		{"twenty over a square: eighteen in the cell of weight 9, two in the remainder of weight 1",
			[]Mass{{W: 9, Cell: cell}, {W: 1, Cell: rest}},
			[]Weight{{Share: 0.9, Mass: 9}, {Share: 0.1, Mass: 1}, {Share: 0.5, BySurface: true}}},
		{"points", []Mass{{X: 1.5, Y: 1.5, W: 3}, {X: 0.5, Y: 0.5, W: 1}, {X: 50, Y: 50, W: 7}, {X: 10.5, Y: 1, W: 2}},
			[]Weight{{Share: 0.75, Mass: 3}, {Share: 0.25, Mass: 1}, {Share: 0, Mass: 0}}},
		{"a point on the border is in one zone", []Mass{{X: 1, Y: 1.5, W: 1}, {X: 1.5, Y: 1, W: 1}},
			[]Weight{{Share: 1, Mass: 2}, {Share: 0, Mass: 0}, {Share: 0.5, BySurface: true}}},
		{"a cell that all borders cut", []Mass{{W: 16, Cell: multi(rect(0, 0, 4, 4))}, {W: 8, Cell: multi(rect(9, 0, 13, 2))}},
			[]Weight{{Share: 0.25, Mass: 1}, {Share: 0.75, Mass: 3}, {Share: 0.5, Mass: 2}}},
		{"cells and points", []Mass{{W: 4, Cell: square}, {X: 1.5, Y: 1.5, W: 4}},
			[]Weight{{Share: 5.0 / 8, Mass: 5}, {Share: 3.0 / 8, Mass: 3}, {Share: 0.5, BySurface: true}}},
		{"nothing", nil, []Weight{{Share: 0.25, BySurface: true}, {Share: 0.75, BySurface: true}, {Share: 0.5, BySurface: true}}},
		{"no one", []Mass{{W: 0, Cell: square}}, []Weight{{Share: 0.25, BySurface: true}, {Share: 0.75, BySurface: true}, {Share: 0.5, BySurface: true}}},
	} {
		pairs, err := Overlaps(context.Background(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		got, err := MassWeights(context.Background(), from, to, pairs, tt.masses)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for i, w := range got {
			if math.Abs(w.Share-tt.want[i].Share) > 1e-12 || math.Abs(w.Mass-tt.want[i].Mass) > 1e-12 || w.BySurface != tt.want[i].BySurface {
				t.Errorf("%s: pair %d: %+v, want %+v", tt.name, i, w, tt.want[i])
			}
		}
	}
}

func TestMassWeightsRefused(t *testing.T) {
	set := layerOf("s-2020", Zone{Code: "s", Geom: multi(rect(0, 0, 2, 2))})
	ok := Mass{W: 1, X: 1, Y: 1}
	for _, tt := range []struct {
		mass Mass
		want string
	}{
		{Mass{W: -1}, "weight layer: row 2: weight -1: not a positive number"},
		{Mass{W: math.NaN()}, "weight layer: row 2: weight NaN: not a positive number"},
		{Mass{W: 1, X: math.Inf(1)}, "weight layer: row 2: point (+Inf, 0): not finite"},
		{Mass{W: 1, Cell: orb.MultiPolygon{{{{0, 0}, {0, 1}, {1, 1}, {0, 0}}}}}, "weight layer: row 2: area -0.5 m²: its rings are not oriented or not finite"},
	} {
		if _, err := MassWeights(context.Background(), set, set, nil, []Mass{ok, tt.mass}); err == nil || err.Error() != tt.want {
			t.Errorf("error %v, want %s", err, tt.want)
		}
		if _, err := MassIn(context.Background(), set, []Mass{ok, tt.mass}); err == nil || err.Error() != tt.want {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
}

// drawMasses is cells and points over a square.
func drawMasses(rnd *rand.Rand, x, y, side float64) []Mass {
	var masses []Mass
	for range rnd.IntN(30) {
		px, py := x+rnd.Float64()*side, y+rnd.Float64()*side
		switch rnd.IntN(3) {
		case 0:
			masses = append(masses, Mass{X: px, Y: py, W: 10 * rnd.Float64()})
		case 1:
			masses = append(masses, Mass{W: 10 * rnd.Float64(), Cell: multi(rect(px, py, px+side/10, py+side/10))})
		default:
			masses = append(masses, Mass{W: 10 * rnd.Float64(), Cell: multi(star(rnd, px, py, side/4, 12+rnd.IntN(20), rnd.IntN(2) == 0))})
		}
	}
	return masses
}

// No mass is lost from one patchwork to another over the same ground, and each pair has what can be built of it.
func TestMassIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		const x, y = 880_000, 6_250_000
		from, to := &ZoneSet{Layer: "s-2020", Zones: patchwork(rnd, 4, 100)}, &ZoneSet{Layer: "t-2020"}
		for i, z := range from.Zones {
			from.Zones[i].Geom = moved(z.Geom, x, y)
		}
		for i := range 10 { // a tiling of more than that
			for j := range 10 {
				to.Zones = append(to.Zones, Zone{Code: fmt.Sprintf("%d%d", i, j),
					Geom: multi(rect(x-100+float64(i)*63, y-100+float64(j)*63, x-100+float64(i+1)*63, y-100+float64(j+1)*63))})
			}
		}
		masses := drawMasses(rnd, x, y, 400)
		pairs, err := Overlaps(context.Background(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		weights, err := MassWeights(context.Background(), from, to, pairs, masses)
		if err != nil {
			t.Fatal(err)
		}
		inFrom, err := MassIn(context.Background(), from, masses)
		if err != nil {
			t.Fatal(err)
		}
		sum, share := make([]float64, len(from.Zones)), make([]float64, len(from.Zones))
		for i, o := range pairs {
			sum[o.From] += weights[i].Mass
			share[o.From] += weights[i].Share
			both, err := Clip(from.Zones[o.From].Geom, to.Zones[o.To].Geom)
			if err != nil {
				t.Fatal(err)
			}
			in, err := MassIn(context.Background(), &ZoneSet{Zones: []Zone{{Geom: both}}}, masses)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(in[0]-weights[i].Mass) > 1e-6 {
				t.Fatalf("pair %d: mass %v, of the piece built %v", i, weights[i].Mass, in[0])
			}
		}
		for i := range sum {
			// Areas are precise to 1e-9 of the cell, which may hardly reach into the zone.
			if math.Abs(sum[i]-inFrom[i]) > 1e-8 || math.Abs(share[i]-1)*inFrom[i] > 1e-8 {
				t.Fatalf("zone %d: mass %v in pairs of %v, shares %v", i, sum[i], inFrom[i], share[i])
			}
		}
	})
}

// readGrid200 is the squares of 200 m of Marseille, with their inhabitants.
func readGrid200(t testing.TB) []Mass {
	db, err := sql.Open("sqlite", "file:"+realFile(t, "qpv_geo", "icu_marseille_qpv_grid200m.gpkg")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT geom, num_people FROM enriched_grid ORDER BY fid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var masses []Mass
	for rows.Next() {
		var blob []byte
		var people float64
		if err := rows.Scan(&blob, &people); err != nil {
			t.Fatal(err)
		}
		g, err := wkb.Unmarshal(blob[8+[]int{0, 32, 48, 48, 64}[blob[3]>>1&7]:])
		if err != nil {
			t.Fatal(err)
		}
		masses = append(masses, Mass{W: people, Cell: Orient(orb.MultiPolygon{g.(orb.Polygon)})})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return masses
}

// The inhabitants of the quarters of Marseille, from the grid of 2017 by way of the IRIS, against those published for
// 2013: shares by population come near, shares by surface do not.
func TestMassWeightsMarseille(t *testing.T) {
	masses := readGrid200(t)
	qpv, iris := real13(t, "2016")
	marseille := &ZoneSet{Layer: qpv.Layer, EPSG: qpv.EPSG}
	published := map[string]float64{}
	for _, row := range readCSV(t, realFile(t, "qpv_kits", "pop_qp_2013.csv")) {
		if p, err := strconv.ParseFloat(row[len(row)-1], 64); err == nil {
			published[row[0]] = p
		}
	}
	for _, z := range qpv.Zones {
		mp, _ := Repair(z.Geom)
		in, err := MassIn(context.Background(), &ZoneSet{EPSG: 2154, Zones: []Zone{{Geom: mp}}}, masses)
		if err != nil {
			t.Fatal(err)
		}
		if in[0] > 0 { // the grid covers Marseille alone
			z.Geom = mp
			marseille.Zones = append(marseille.Zones, z)
		}
	}
	pairs, err := Overlaps(context.Background(), iris, marseille)
	if err != nil {
		t.Fatal(err)
	}
	weights, err := MassWeights(context.Background(), iris, marseille, pairs, masses)
	if err != nil {
		t.Fatal(err)
	}
	inIRIS, err := MassIn(context.Background(), iris, masses)
	if err != nil {
		t.Fatal(err)
	}
	inQPV, err := MassIn(context.Background(), marseille, masses)
	if err != nil {
		t.Fatal(err)
	}
	byMass, bySurface := make([]float64, len(marseille.Zones)), make([]float64, len(marseille.Zones))
	for i, o := range pairs {
		byMass[o.To] += weights[i].Share * inIRIS[o.From]
		bySurface[o.To] += o.ShareFrom * inIRIS[o.From]
	}
	var grid, surface, known float64
	for i, z := range marseille.Zones {
		// Some quarters reach beyond the IRIS, over the sea or the edge of the grid.
		if math.Abs(byMass[i]-inQPV[i]) > 0.02*inQPV[i]+1 {
			t.Errorf("%s: %.1f inhabitants by way of the IRIS, %.1f on the grid", z.Code, byMass[i], inQPV[i])
		}
		if !strings.HasPrefix(z.Code, "QP013") || published[z.Code] == 0 {
			t.Errorf("%s: no population published", z.Code)
		}
		grid += byMass[i]
		surface += bySurface[i]
		known += published[z.Code]
	}
	t.Logf("%d quarters: %.0f by the grid, %.0f by surface, %.0f published", len(marseille.Zones), grid, surface, known)
	if math.Abs(grid-known) > math.Abs(surface-known) {
		t.Errorf("%.0f by the grid, %.0f by surface, %.0f published", grid, surface, known)
	}
}

func BenchmarkMassWeightsMarseille(b *testing.B) {
	masses := readGrid200(b)
	qpv, iris := real13(b, "2016")
	pairs, err := Overlaps(context.Background(), iris, qpv)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := MassWeights(context.Background(), iris, qpv, pairs, masses); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(masses)), "cells")
}
