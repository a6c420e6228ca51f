package indicators

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// deposited makes a column of a convention; a negative figure is one the partner withheld.
func deposited(level, variable, sexe string, codes string, v ...float64) Column {
	c := Column{Source: "dep/" + level, Level: level, Variable: variable, Sexe: sexe, Millesime: 2014, Codes: strings.Fields(codes), V: v, Statut: make([]Statut, len(v)), Convention: "c"}
	for i, x := range v {
		if x < 0 {
			c.V[i], c.Statut[i] = 0, Secret
		}
	}
	return c
}

// printed are the figures as somebody sees them.
func printed(columns []Column) (out []string) {
	for _, c := range columns {
		s := c.Level + " " + c.Variable + " " + c.Sexe
		for i := range c.V {
			if c.Statut[i] == Secret {
				s += " –"
			} else {
				s += " " + FormatNumber(c.V[i])
			}
		}
		out = append(out, s)
	}
	return out
}

func TestWithholdColumns(t *testing.T) {
	counted := map[string]bool{"n": true, "num": true, "den": true, "young": true, "old": true}
	commune := Nesting{Outer: Place{Level: "commune", Code: "X"}, Inner: []Place{{Level: "qpv", Code: "A"}, {Level: "qpv", Code: "B"}}}
	rate := Definition{ID: "taux", Value: "taux", Numerator: []string{"num"}, Denominator: []string{"den"}, Scale: 100, Unit: "%"}
	for _, tt := range []struct {
		name    string
		in      Disclosure
		want    []string
		exposed int
	}{
		{"the other sex", Disclosure{Columns: []Column{deposited("qpv", "n", "T", "A B", 20, 30), deposited("qpv", "n", "F", "A B", 3, 10), deposited("qpv", "n", "H", "A B", 17, 20)}},
			[]string{"qpv n T 20 30", "qpv n F – 10", "qpv n H – 20"}, 0},
		{"all under", Disclosure{Columns: []Column{deposited("qpv", "n", "T", "A B", 4, 6), deposited("qpv", "n", "F", "A B", 0, 6), deposited("qpv", "n", "H", "A B", 4, 0)}},
			[]string{"qpv n T – 6", "qpv n F 0 6", "qpv n H – 0"}, 0},
		{"what lies outside takes the other side", Disclosure{Nestings: []Nesting{commune}, Columns: []Column{deposited("qpv", "n", "T", "A B", 3, 30), deposited("commune", "n", "T", "X", 90)}},
			[]string{"qpv n T – 30", "commune n T 90"}, 0},
		{"nobody lives outside", Disclosure{Nestings: []Nesting{commune}, Columns: []Column{deposited("qpv", "n", "T", "A B", 3, 30), deposited("commune", "n", "T", "X", 33)}},
			[]string{"qpv n T – –", "commune n T 33"}, 0},
		{"three live outside", Disclosure{Nestings: []Nesting{commune}, Columns: []Column{deposited("qpv", "n", "T", "A B", 20, 30), deposited("commune", "n", "T", "X", 53)}},
			[]string{"qpv n T – 30", "commune n T 53"}, 0},
		{"the commune is open", Disclosure{Nestings: []Nesting{commune}, Columns: []Column{deposited("qpv", "n", "T", "A B", 3, 30)}, Open: []Column{deposited("commune", "n", "T", "X", 33)}},
			[]string{"qpv n T – –"}, 0},
		{"a total of parts", Disclosure{Totals: map[string][]string{"n": {"young", "old"}}, Columns: []Column{deposited("qpv", "n", "T", "A", 20), deposited("qpv", "young", "T", "A", 2), deposited("qpv", "old", "T", "A", 18)}},
			[]string{"qpv n T 20", "qpv young T –", "qpv old T –"}, 0},
		{"a rate beside its terms", Disclosure{Definitions: []Definition{rate}, Columns: []Column{deposited("qpv", "num", "T", "A B", 3, 12), deposited("qpv", "den", "T", "A B", 40, 50), deposited("qpv", "taux", "T", "A B", 7.5, 24)}},
			[]string{"qpv num T – 12", "qpv den T 40 50", "qpv taux T – 24"}, 0},
		{"a rate beside its denominator", Disclosure{Definitions: []Definition{rate}, Columns: []Column{deposited("qpv", "den", "T", "A B", 40, 50), deposited("qpv", "taux", "T", "A B", 7.5, 24)}},
			[]string{"qpv den T 40 50", "qpv taux T – 24"}, 0},
		{"an open denominator", Disclosure{Definitions: []Definition{rate}, Columns: []Column{deposited("qpv", "taux", "T", "A B", 7.5, 24)}, Open: []Column{deposited("qpv", "den", "T", "A B", 40, 50)}},
			[]string{"qpv taux T – 24"}, 0},
		{"withheld by the partner", Disclosure{Columns: []Column{deposited("qpv", "n", "T", "A", 30), deposited("qpv", "n", "F", "A", -1), deposited("qpv", "n", "H", "A", 10)}},
			[]string{"qpv n T 30", "qpv n F –", "qpv n H –"}, 0},
		{"one part makes most of it", Disclosure{Nestings: []Nesting{{commune.Outer, commune.Inner, true}}, Columns: []Column{deposited("commune", "n", "T", "X", 100)}, Parts: []Column{deposited("qpv", "n", "T", "A B", 94, 6)},
			Rule: SecrecyRule{Threshold: 5, N: 1, K: 85}}, []string{"commune n T –"}, 0},
		{"open data tell it", Disclosure{Columns: []Column{deposited("qpv", "n", "F", "A", 3)}, Open: []Column{deposited("qpv", "n", "T", "A", 20), deposited("qpv", "n", "H", "A", 17)}},
			[]string{"qpv n F –"}, 1},
	} {
		tt.in.Counted = counted
		if tt.in.Rule == (SecrecyRule{}) {
			tt.in.Rule.Threshold = 5
		}
		before := fmt.Sprint(tt.in.Columns)
		columns := slices.Clone(tt.in.Columns)
		_, exposed := tt.in.Withhold()
		if diff := cmp.Diff(tt.want, printed(tt.in.Columns)); diff != "" || exposed != tt.exposed {
			t.Errorf("%s: %d exposed (-want +got):\n%s", tt.name, exposed, diff)
		}
		if before != fmt.Sprint(columns) {
			t.Errorf("%s: the deposit itself is changed", tt.name)
		}
	}
}

// Whatever is deposited, an attacker with every sum, and every rate as precise as it is, finds no small count: linear
// programmes over what is left in the columns, built here from the deposit and not from the tables of the rule.
func TestNoDepositIsBounded(t *testing.T) {
	small, shown := 0, 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 11))
		threshold := []int{3, 5, 11}[seed%3]
		// Two communes of two and one quarters; beneficiaries of inhabitants, by sex; rates published beside.
		quarters, in := []string{"A", "B", "C"}, []int{0, 0, 1}
		var unknowns [5][2][2]float64 // quarters and what lies outside, sex, beneficiary or not
		for z := range unknowns {
			for s := range 2 {
				for b := range 2 {
					unknowns[z][s][b] = float64(rng.IntN(1 + []int{4, 20, 60}[rng.IntN(3)]))
				}
			}
		}
		at := func(z, s, b int) int { return (z*2+s)*2 + b }
		type published struct {
			coef []float64
			v    float64
		}
		var all []published
		var columns []Column
		collect := func(level string, zones [][]int, codes []string) {
			for s, sexe := range []string{"F", "H", "T"} {
				for _, variable := range []string{"num", "den"} {
					c := deposited(level, variable, sexe, "")
					for i, members := range zones {
						p := published{coef: make([]float64, 20)}
						for _, z := range members {
							for k := range 2 {
								for b := range 2 {
									if (s == 2 || s == k) && (b == 0 || variable == "den") {
										p.coef[at(z, k, b)] = 1
										p.v += unknowns[z][k][b]
									}
								}
							}
						}
						all = append(all, p)
						c.Codes, c.V, c.Statut = append(c.Codes, codes[i]), append(c.V, p.v), append(c.Statut, Disponible)
					}
					columns = append(columns, c)
				}
			}
		}
		collect("qpv", [][]int{{0}, {1}, {2}}, quarters)
		collect("commune", [][]int{{0, 1, 3}, {2, 4}}, []string{"X", "Y"})
		// rates, of what was just given
		rates := map[int]int{} // column of rates → column of numerators; its denominators come next
		for k := range len(columns) {
			if columns[k].Variable != "num" {
				continue
			}
			r := deposited(columns[k].Level, "taux", columns[k].Sexe, "")
			for i, code := range columns[k].Codes {
				v, st := 0.0, NonDisponible
				if d := columns[k+1].V[i]; d > 0 {
					v, st = 100*columns[k].V[i]/d, Disponible
				}
				r.Codes, r.V, r.Statut = append(r.Codes, code), append(r.V, v), append(r.Statut, st)
			}
			rates[len(columns)] = k
			columns = append(columns, r)
		}
		nestings := []Nesting{{Outer: Place{Level: "commune", Code: "X"}}, {Outer: Place{Level: "commune", Code: "Y"}}}
		for i, q := range quarters {
			nestings[in[i]].Inner = append(nestings[in[i]].Inner, Place{Level: "qpv", Code: q})
		}
		d := Disclosure{Columns: slices.Clone(columns), Nestings: nestings, Counted: map[string]bool{"num": true, "den": true}, Rule: SecrecyRule{Threshold: threshold},
			Definitions: []Definition{{Value: "taux", Numerator: []string{"num"}, Denominator: []string{"den"}, Scale: 100, Unit: "%"}}}
		if _, exposed := d.Withhold(); exposed > 0 {
			t.Fatalf("seed %d: %d exposed, and no figure is open", seed, exposed)
		}
		var a [][]float64
		var b []float64
		n := 0
		var targets []published
		for k, c := range d.Columns {
			if k >= 12 { // a rate: num − rate·den = 0
				num := rates[k]
				for i := range c.Codes {
					if c.Statut[i] == Disponible {
						row := make([]float64, 20)
						for j := range row {
							row[j] = all[offset(columns, num)+i].coef[j] - c.V[i]/100*all[offset(columns, num+1)+i].coef[j]
						}
						a, b = append(a, row), append(b, 0)
					}
				}
				continue
			}
			for i := range c.Codes {
				p := all[n]
				n++
				switch {
				case c.Statut[i] == Disponible:
					a, b = append(a, p.coef), append(b, p.v)
					if shown++; p.v > 0 && p.v < float64(threshold) {
						t.Errorf("seed %d: %s %s: %g is shown", seed, c.Level, c.Codes[i], p.v)
					}
				case p.v > 0 && p.v < float64(threshold):
					targets = append(targets, p)
				}
			}
		}
		for _, p := range targets {
			small++
			if hi, ok := simplex(a, b, p.coef); !ok || hi < float64(threshold)-1e-4 {
				t.Errorf("seed %d: a count of %g is known to be at most %g (%v): it must be open up to %d", seed, p.v, hi, ok, threshold)
			}
			minus := make([]float64, 20)
			for j := range minus {
				minus[j] = -p.coef[j]
			}
			if lo, _ := simplex(a, b, minus); -lo > math.Max(1, p.v-1)+1e-4 && p.v > 1 {
				t.Errorf("seed %d: a count of %g is known to be at least %g", seed, p.v, -lo)
			}
		}
	}
	t.Logf("%d small counts, %d figures shown", small, shown)
	if small == 0 || shown == 0 {
		t.Error("nothing was tried")
	}
}

// offset is the number of figures in the columns before one.
func offset(columns []Column, k int) (n int) {
	for _, c := range columns[:k] {
		n += len(c.Codes)
	}
	return n
}
