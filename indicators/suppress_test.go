package indicators

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A testAxis has leaves, and positions that are sums of some. Positions named hidden are never published.
type testAxis struct {
	leaves int
	sums   [][]int // of each position after the leaves: leaves that it is the sum of
	hidden []int
}

// countTable makes a table of additive axes from the counts of its leaves.
func countTable(rule SecrecyRule, axes []testAxis, leaf func(at []int) float64) *CountTable {
	t := &CountTable{}
	n := 1
	for _, a := range axes {
		size := a.leaves + len(a.sums)
		x := CountAxis{Size: size}
		for i, members := range a.sums {
			r := []Term{{a.leaves + i, -1}}
			for _, m := range members {
				r = append(r, Term{m, 1})
			}
			x.Relations = append(x.Relations, r)
		}
		t.Axes = append(t.Axes, x)
		n *= size
	}
	t.Cells = make([]CountCell, n)
	var sum func(k int, pos, at []int) float64
	sum = func(k int, pos, at []int) float64 {
		if k == len(axes) {
			return leaf(at)
		}
		if pos[k] < axes[k].leaves {
			return sum(k+1, pos, append(at, pos[k]))
		}
		v := 0.0
		for _, m := range axes[k].sums[pos[k]-axes[k].leaves] {
			v += sum(k+1, pos, append(at[:len(at):len(at)], m))
		}
		return v
	}
	for i := range t.Cells {
		pos := make([]int, len(axes))
		hidden := false
		for k, rest := len(axes)-1, i; k >= 0; k-- {
			size := axes[k].leaves + len(axes[k].sums)
			pos[k], rest = rest%size, rest/size
			hidden = hidden || slices.Contains(axes[k].hidden, pos[k])
		}
		c := &t.Cells[i]
		c.V, c.State = sum(0, pos, nil), Open
		if hidden {
			c.State = Implicit
		}
		c.Down, c.Up, c.Primary = rule.Primary(c.V, nil)
	}
	return t
}

// simplex is max c·x subject to a·x = b and x ≥ 0, by two phases with Bland's rule. ok is false when there is none;
// an unbounded maximum is +Inf.
func simplex(a [][]float64, b, c []float64) (best float64, ok bool) {
	const eps = 1e-7
	m, n := len(a), len(c)
	rows := make([][]float64, m)
	basis := make([]int, m)
	for i := range a {
		row := make([]float64, n+m+1)
		sign := 1.0
		if b[i] < 0 {
			sign = -1
		}
		for j, v := range a[i] {
			row[j] = sign * v
		}
		row[n+i], row[n+m] = 1, sign*b[i]
		rows[i], basis[i] = row, n+i
	}
	solve := func(cost []float64, width int) bool {
		for {
			enter := -1
			for j := 0; j < width && enter < 0; j++ {
				red := cost[j]
				for i := range rows {
					if k := basis[i]; k < len(cost) {
						red -= cost[k] * rows[i][j]
					}
				}
				if red > eps {
					enter = j
				}
			}
			if enter < 0 {
				return true
			}
			leave, ratio := -1, math.Inf(1)
			for i := range rows {
				if v := rows[i][enter]; v > eps {
					if q := rows[i][n+m] / v; q < ratio-1e-12 || q < ratio+1e-12 && leave >= 0 && basis[i] < basis[leave] {
						leave, ratio = i, q
					}
				}
			}
			if leave < 0 {
				return false
			}
			pivot(rows, leave, enter)
			basis[leave] = enter
		}
	}
	phase := make([]float64, n+m)
	for j := n; j < n+m; j++ {
		phase[j] = -1
	}
	solve(phase, n+m)
	for i := range rows {
		if basis[i] < n {
			continue
		}
		if rows[i][n+m] > 1e-6 {
			return 0, false
		}
		for j := range n { // an artificial variable at zero leaves, or its row says nothing
			if math.Abs(rows[i][j]) > eps {
				pivot(rows, i, j)
				basis[i] = j
				break
			}
		}
	}
	full := append(slices.Clone(c), make([]float64, m)...)
	if !solve(full, n) {
		return math.Inf(1), true
	}
	for i, k := range basis {
		best += full[k] * rows[i][n+m]
	}
	return best, true
}

func pivot(rows [][]float64, r, c int) {
	by := rows[r][c]
	for j := range rows[r] {
		rows[r][j] /= by
	}
	for i := range rows {
		if f := rows[i][c]; i != r && f != 0 {
			for j := range rows[i] {
				rows[i][j] -= f * rows[r][j]
			}
		}
	}
}

// attack bounds a cell from all that is published: every count shown, every sum, that counts are not negative, that the
// withheld ones are at least 1 where they are not zero. No rule tells an attacker that much.
func attack(t *CountTable, withheld []bool, p int) (lo, hi float64) {
	index := map[int]int{}
	var floor []float64
	for i, c := range t.Cells {
		if withheld[i] || c.State == Implicit {
			index[i] = len(floor)
			least := min(1, c.V)
			if c.State == Implicit && !c.Primary {
				least = 0
			}
			floor = append(floor, least)
		}
	}
	var a [][]float64
	var b []float64
	stride := make([]int, len(t.Axes))
	n := 1
	for k := len(t.Axes) - 1; k >= 0; k-- {
		stride[k] = n
		n *= t.Axes[k].Size
	}
	for k, axis := range t.Axes {
		for base := range t.Cells {
			if base/stride[k]%axis.Size != 0 {
				continue
			}
			for _, terms := range axis.Relations {
				row, right, any := make([]float64, len(floor)), 0.0, false
				for _, x := range terms {
					i := base + x.At*stride[k]
					if j, free := index[i]; free {
						row[j] += float64(x.Sign)
						right -= float64(x.Sign) * floor[j]
						any = true
					} else {
						right -= float64(x.Sign) * t.Cells[i].V
					}
				}
				if any {
					a, b = append(a, row), append(b, right)
				}
			}
		}
	}
	c := make([]float64, len(floor))
	c[index[p]] = 1
	up, ok := simplex(a, b, c)
	if !ok {
		panic("the true table is refused")
	}
	c[index[p]] = -1
	down, _ := simplex(a, b, c)
	return floor[index[p]] - down, floor[index[p]] + up
}

// holds says what an attacker learns that he should not.
func holds(t *CountTable, withheld []bool, exposed []int) error {
	var all []bool
	for i, c := range t.Cells {
		if !c.Primary || slices.Contains(exposed, i) {
			continue
		}
		if c.State == Open && !withheld[i] {
			return fmt.Errorf("cell %d: %g is shown", i, c.V)
		}
		lo, hi := attack(t, withheld, i)
		if lo > c.V-c.Down+1e-4 && all == nil { // its parts, none of which is zero, may be more, whatever is withheld
			all = make([]bool, len(t.Cells))
			for k, x := range t.Cells {
				all[k] = x.State == Open
			}
		}
		least := c.V - c.Down
		if lo > least+1e-4 {
			lowest, _ := attack(t, all, i)
			least = max(least, lowest)
		}
		if lo > least+1e-4 || hi < c.V+c.Up-1e-4 {
			return fmt.Errorf("cell %d: %g is known to be from %g to %g, and must be open from %g to %g", i, c.V, lo, hi, least, c.V+c.Up)
		}
	}
	return nil
}

// nested are quarters of a commune of a perimeter, and what lies outside of them.
func nested(quarters ...int) testAxis {
	a := testAxis{}
	for _, n := range quarters {
		a.leaves += n + 1
	}
	first := 0
	var all []int
	for _, n := range quarters {
		var members []int
		for i := range n + 1 {
			members = append(members, first+i)
		}
		first += n + 1
		a.hidden = append(a.hidden, first-1)
		a.sums, all = append(a.sums, members), append(all, members...)
	}
	a.sums = append(a.sums, all)
	return a
}

func flat(n int) testAxis {
	a := testAxis{leaves: n, sums: [][]int{nil}}
	for i := range n {
		a.sums[0] = append(a.sums[0], i)
	}
	return a
}

// The attacker knows every sum and solves linear programmes over them.
func TestNoCountIsBounded(t *testing.T) {
	primaries, others, shown := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		rule := SecrecyRule{Threshold: rapid.SampledFrom([]int{3, 5, 11}).Draw(t, "threshold")}
		var axes []testAxis
		switch rapid.IntRange(0, 3).Draw(t, "shape") {
		case 0:
			axes = []testAxis{nested(rapid.IntRange(1, 3).Draw(t, "a"), rapid.IntRange(0, 2).Draw(t, "b")), flat(2)}
		case 1:
			axes = []testAxis{flat(3), flat(2), flat(3)}
		case 2: // two generations of quarters that lie across each other, by the parts they have in common
			axes = []testAxis{{leaves: 5, sums: [][]int{{0, 1}, {1, 2}, {3}, {2, 3}, {0, 1, 2, 3, 4}}, hidden: []int{0, 1, 2, 3, 4}}, flat(2)}
		default: // beneficiaries and those who are not, of all, by sex and quarter
			axes = []testAxis{nested(2, 1), {leaves: 2, sums: [][]int{{0, 1}}, hidden: []int{1}}, flat(2)}
		}
		most := rapid.SampledFrom([]int{3, 12, 60}).Draw(t, "most")
		drawn := map[string]float64{}
		table := countTable(rule, axes, func(at []int) float64 {
			k := fmt.Sprint(at)
			if _, ok := drawn[k]; !ok {
				drawn[k] = float64(rapid.IntRange(0, most).Draw(t, "n"))
			}
			return drawn[k]
		})
		withheld, exposed := Suppress(table)
		if len(exposed) > 0 {
			t.Fatalf("nothing is fixed, and %v are said to be exposed: %+v", exposed, table.Cells[exposed[0]])
		}
		if err := holds(table, withheld, exposed); err != nil {
			t.Fatal(err)
		}
		again, _ := Suppress(table)
		if !slices.Equal(withheld, again) {
			t.Fatal("two runs withhold differently")
		}
		for i, c := range table.Cells {
			switch {
			case c.Primary:
				primaries++
			case withheld[i]:
				others++
			default:
				shown++
			}
		}
	})
	t.Logf("%d primary, %d withheld with them, %d shown", primaries, others, shown)
	if primaries == 0 || others == 0 || shown == 0 {
		t.Error("nothing was tried")
	}
}

// The attacker of these tests finds what weak rules leave: a difference, a bound, one of two withheld.
func TestAttackFindsWhatIsLeft(t *testing.T) {
	table := countTable(SecrecyRule{Threshold: 5}, []testAxis{flat(3)}, func(at []int) float64 { return []float64{3, 1, 40}[at[0]] })
	for _, tt := range []struct {
		withheld []bool
		lo, hi   float64
	}{
		{[]bool{true, false, false, false}, 3, 3},
		{[]bool{true, true, false, false}, 1, 3},
		{[]bool{true, true, true, false}, 1, 42},
	} {
		if lo, hi := attack(table, tt.withheld, 0); math.Abs(lo-tt.lo) > 1e-6 || math.Abs(hi-tt.hi) > 1e-6 {
			t.Errorf("%v: from %g to %g, want from %g to %g", tt.withheld, lo, hi, tt.lo, tt.hi)
		}
	}
}

// The example of METHOD.md.
func TestSuppressExample(t *testing.T) {
	// Quarters A, B and the rest of their commune; women, men, all.
	counts := [][]float64{{3, 17}, {12, 9}, {41, 38}}
	axes := []testAxis{{leaves: 3, sums: [][]int{{0, 1, 2}}, hidden: []int{2}}, flat(2)}
	table := countTable(SecrecyRule{Threshold: 5}, axes, func(at []int) float64 { return counts[at[0]][at[1]] })
	withheld, exposed := Suppress(table)
	var got []string
	for i, name := range []string{"A", "B", "rest", "commune"} {
		row := name
		for s := range 3 {
			switch c := table.Cells[i*3+s]; {
			case c.State == Implicit:
				row += " ?"
			case withheld[i*3+s]:
				row += " –"
			default:
				row += " " + FormatNumber(c.V)
			}
		}
		got = append(got, row)
	}
	// What lies outside of the quarters is published nowhere: it takes the other side of the move.
	want := []string{"A – – 20", "B 12 9 21", "rest ? ? ?", "commune 56 64 120"}
	if diff := cmp.Diff(want, got); diff != "" || len(exposed) > 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := holds(table, withheld, nil); err != nil {
		t.Error(err)
	}
}

func TestSecrecyRules(t *testing.T) {
	type result struct {
		Down, Up float64
		Primary  bool
	}
	for _, tt := range []struct {
		name string
		rule SecrecyRule
		v    float64
		by   []float64
		want result
	}{
		{"zero", SecrecyRule{Threshold: 5}, 0, nil, result{}},
		{"one", SecrecyRule{Threshold: 5}, 1, nil, result{0, 4, true}},
		{"under", SecrecyRule{Threshold: 5}, 4, nil, result{3, 1, true}},
		{"at", SecrecyRule{Threshold: 5}, 5, nil, result{}},
		{"one gives 90 of 100", SecrecyRule{N: 1, K: 85}, 100, []float64{10, 90}, result{6, 6, true}},
		{"one gives 85 of 100", SecrecyRule{N: 1, K: 85}, 100, []float64{85, 15}, result{}},
		{"two give all", SecrecyRule{N: 2, K: 85}, 50, []float64{20, 30}, result{9, 9, true}},
		{"the second knows the first within 10 %", SecrecyRule{P: 10}, 100, []float64{80, 18, 2}, result{6, 6, true}},
		{"and within 2 % only", SecrecyRule{P: 2}, 100, []float64{80, 18, 2}, result{}},
	} {
		var got result
		if got.Down, got.Up, got.Primary = tt.rule.Primary(tt.v, tt.by); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// On tables small enough to try every choice, how much more is withheld than the least there could be.
func TestWithholdsLittleMoreThanLeast(t *testing.T) {
	got, least := 0.0, 0.0
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		leaf := map[string]float64{}
		table := countTable(SecrecyRule{Threshold: 5}, []testAxis{flat(3), flat(2)}, func(at []int) float64 {
			k := fmt.Sprint(at)
			if _, ok := leaf[k]; !ok {
				leaf[k] = float64(rng.IntN(10+20*int(seed%2)) + 1)
			}
			return leaf[k]
		})
		withheld, _ := Suppress(table)
		s := newSuppressor(table)
		price := func(w []bool) (sum float64) {
			for i, out := range w {
				if out {
					sum += s.weight(i)
				}
			}
			return sum
		}
		best := price(withheld)
		for set := range 1 << len(table.Cells) {
			w := make([]bool, len(table.Cells))
			for i := range w {
				w[i] = set>>i&1 == 1
			}
			if price(w) < best && holds(table, w, nil) == nil {
				best = price(w)
			}
		}
		got, least = got+price(withheld), least+best
	}
	t.Logf("withheld %.1f, least %.1f: %.1f %% more", got, least, 100*(got/least-1))
	if got > 1.1*least {
		t.Errorf("withheld %.1f, and %.1f would do", got, least)
	}
}

// 65 quarters in 8 communes, 3 sexes, 10 ages, 5 themes.
func BenchmarkSuppress(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	axes := []testAxis{nested(9, 9, 8, 8, 8, 8, 8, 7), flat(2), flat(9)}
	var themes []*CountTable
	for range 5 {
		leaf := map[[3]int]float64{}
		themes = append(themes, countTable(SecrecyRule{Threshold: 11}, axes, func(at []int) float64 {
			k := [3]int(at)
			if _, ok := leaf[k]; !ok {
				leaf[k] = math.Floor(math.Exp(rng.NormFloat64()*1.1 + 3.6))
			}
			return leaf[k]
		}))
	}
	primary, out, cells := 0, 0, 0
	for b.Loop() {
		primary, out, cells = 0, 0, 0
		for _, t := range themes {
			withheld, exposed := Suppress(t)
			if len(exposed) > 0 {
				b.Fatal(exposed)
			}
			for i, c := range t.Cells {
				if c.State != Open {
					continue
				}
				cells++
				if c.Primary {
					primary++
				}
				if withheld[i] {
					out++
				}
			}
		}
	}
	b.ReportMetric(float64(primary), "primary")
	b.ReportMetric(float64(out), "withheld")
	b.ReportMetric(float64(cells), "cells")
}

// 500 zones and what lies outside of them, women, men and unknown, five ages: most counts of 5 000 persons are small.
func BenchmarkSuppressManyZones(b *testing.B) {
	for _, people := range []int{5_000, 50_000, 500_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(5, 6))
			leaf := map[[3]int]float64{}
			for range people {
				leaf[[3]int{int(501 * math.Pow(rng.Float64(), 1.7)), rng.IntN(2), []int{0, 1, 2, 2, 3, 3, 3}[rng.IntN(7)]}]++
			}
			table := countTable(SecrecyRule{Threshold: 5}, []testAxis{flat(501), flat(3), flat(5)}, func(at []int) float64 { return leaf[[3]int(at)] })
			var withheld []bool
			for b.Loop() {
				var exposed []int
				if withheld, exposed = Suppress(table); len(exposed) > 0 {
					b.Fatal(exposed)
				}
			}
			primary, out := 0, 0
			for i, c := range table.Cells {
				if c.Primary {
					primary++
				}
				if withheld[i] {
					out++
				}
			}
			b.ReportMetric(float64(primary), "primary")
			b.ReportMetric(float64(out), "withheld")
			b.ReportMetric(float64(len(table.Cells)), "cells")
		})
	}
}
