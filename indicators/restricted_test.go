package indicators

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"observatoire/geo"
)

// under marks columns as a deposit's.
func under(convention string, columns ...Column) []Column {
	for i := range columns {
		columns[i].Convention = convention
	}
	return columns
}

// What a partner gives fills what open data leave empty, under its convention; an open figure stands as it is.
func TestDepositFillsWhatIsOpen(t *testing.T) {
	open := []Column{column("kit.csv", "qpv", 2015, "taux", "T", 2016, []string{"QP013061"}, 20),
		column("old.csv", "commune", 2018, "taux", "T", 2015, []string{"13047"}, 12)}
	deposit := under("ops", column("ops.csv", "qpv", 2015, "taux", "T", 2016, []string{"QP013061"}, 35),
		column("ops.csv", "qpv", 2015, "taux", "T", 2015, []string{"QP013061"}, 30))
	r := compute(t, territory(append(slices.Clone(open), deposit...)...))
	v, _ := shown(r, "taux", "QP013061", 2016, "T")
	if v.V != 20 || v.Convention != "" {
		t.Errorf("2016: %+v, want the open 20", v)
	}
	v, _ = shown(r, "taux", "QP013061", 2015, "T")
	if v.V != 30 || v.Convention != "ops" || !strings.Contains(v.Source, "convention ops") {
		t.Errorf("2015: %+v, want 30 under the convention", v)
	}
	gap := func(r Result, year int) (out Ecart) {
		for _, x := range r.Ecarts {
			if x.Code == "QP013061" && x.Millesime == year && x.Reference == "commune-2018" {
				out = x
			}
		}
		return out
	}
	if x := gap(r, 2015); x.Ecart != Some(18) || x.Convention != "ops" {
		t.Errorf("gap of a deposited figure: %+v, want 18 points under the convention", x)
	}
	if x := gap(compute(t, territory(open...)), 2015); x.Ecart.OK {
		t.Errorf("gap without the deposit: %+v", x)
	}
	var quoted []string
	for _, a := range r.Alertes {
		if strings.Contains(a.Message, "35") {
			quoted = append(quoted, a.Convention)
		}
	}
	if diff := cmp.Diff([]string{"ops"}, quoted); diff != "" {
		t.Errorf("conventions of the alerts that quote the deposit: %s", diff)
	}
}

// Whatever partners give, the edition without their conventions holds exactly the figures and gaps that it would hold
// if they had given nothing, and no figure of theirs; each convention sees its own only.
func TestWithheldEditionIsTheOpenOne(t *testing.T) {
	variables := []string{"population", "taux", "num", "den", "d5"}
	places := map[string][]string{"iris": {"130470001", "130470002"}, "qpv": {"QP013061"}, "commune": {"13047"}, "residence": {"R1", "R2"}}
	vintages := map[string]int{"iris": 2016, "qpv": 2015, "commune": 2018}
	rapid.Check(t, func(t *rapid.T) {
		var open, all []Column
		for i := range rapid.IntRange(0, 8).Draw(t, "columns") {
			level := rapid.SampledFrom([]string{"iris", "qpv", "commune", "residence"}).Draw(t, "level")
			codes := places[level]
			var v []float64
			for range codes {
				v = append(v, float64(rapid.IntRange(1, 500).Draw(t, "v")))
			}
			c := column([]string{"kit.csv", "old.csv"}[i%2], level, vintages[level], rapid.SampledFrom(variables).Draw(t, "variable"),
				rapid.SampledFrom([]string{"T", "F"}).Draw(t, "sex"), rapid.SampledFrom([]int{2015, 2016}).Draw(t, "year"), codes, v...)
			c.Header = fmt.Sprintf("C%d", i)
			c.Convention = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "convention")
			if c.Convention != "" && rapid.Bool().Draw(t, "secret") {
				c.Statut[0], c.V[0] = Secret, 0
			}
			if c.Convention == "" {
				open = append(open, c)
			}
			all = append(all, c)
		}
		edition := func(columns []Column) *Edition {
			in := territory(columns...)
			in.Layers = CompleteLayers(in.Layers, in.Columns, nil)
			r, err := Compute(in)
			if err != nil {
				t.Fatal(err)
			}
			return &Edition{Layers: in.Layers, Overlaps: in.Overlaps, Indicators: r.Indicators, Values: r.Values, Ecarts: r.Ecarts, Alertes: r.Alertes}
		}
		full, want := edition(all), edition(open)
		got := Withhold(full)
		available := func(e *Edition) (vs []Value, xs []Ecart, layers []geo.Layer, alerts []Alerte) {
			for _, v := range e.Values {
				if v.Statut == Disponible {
					vs = append(vs, v)
				}
			}
			for _, x := range e.Ecarts {
				if x.Statut == Disponible {
					xs = append(xs, x)
				}
			}
			for _, s := range e.Layers {
				layers = append(layers, s.Layer)
			}
			return vs, xs, layers, e.Alertes
		}
		gv, gx, gl, ga := available(got)
		wv, wx, wl, wa := available(want)
		if diff := cmp.Diff(wv, gv, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("values (-without the deposits +withheld):\n%s", diff)
		}
		if diff := cmp.Diff(wx, gx, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("gaps (-without the deposits +withheld):\n%s", diff)
		}
		if diff := cmp.Diff(wl, gl, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("layers (-without the deposits +withheld):\n%s", diff)
		}
		if diff := cmp.Diff(wa, ga, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("alerts (-without the deposits +withheld):\n%s", diff)
		}
		for _, v := range Withhold(full, "a").Values {
			if v.Convention == "b" {
				t.Fatalf("seen by the recipients of a: %+v", v)
			}
		}
	})
}
