package indicators

import (
	"fmt"
	"slices"
	"testing"

	"observatoire/geo"
)

// A year that went between two others makes an evolution of two figures that have not moved: it is of the data, not of the program; so is one
// that a guard refused for the inhabitants, which moved. What nothing touches is of the program.
func TestDiffOfEvolutions(t *testing.T) {
	some := func(v float64) Opt { return Some(v) }
	edition := func(id string, years []int, inhabitants float64, verdict string) *Edition {
		e := &Edition{ID: id, Layers: []geo.ZoneSet{{Layer: "qpv-2015", Zones: []geo.Zone{{Code: "Q1"}, {Code: "Q2"}}}},
			Indicators: []Definition{{ID: "population", Value: "population", Unit: "habitants"}, {ID: "taux", Value: "taux", Unit: "%"}}}
		sources := ""
		for _, code := range []string{"Q1", "Q2"} {
			for _, y := range years {
				file := fmt.Sprintf("f%d.csv", y)
				e.Values = append(e.Values, Value{Key: Key{"taux", "qpv-2015", y, "T"}, Code: code, V: float64(y - 2000), Methode: MethodeProducteur, Retenue: true, Fiabilite: Bonne, Source: file + " : t"})
				if code == "Q1" {
					e.Sources = append(e.Sources, Source{ID: "c/" + file, File: file, SHA256: "s", Level: "qpv"})
					sources += fmt.Sprintf(`{"id":"c/%s","sha256":"s","fiche_sha256":"c"},`, file)
				}
			}
			for i := 1; i < len(years) && code == "Q1"; i++ {
				e.Evolutions = append(e.Evolutions, Evolution{Key: Key{"taux", "qpv-2015", years[i], "T"}, Depuis: years[i-1], Code: code, Evolution: some(float64(years[i] - years[i-1])), Verdict: "hausse"})
			}
		}
		e.Values = append(e.Values, Value{Key: Key{"population", "qpv-2015", 2013, "T"}, Code: "Q2", V: inhabitants, Methode: MethodeProducteur, Retenue: true, Fiabilite: Bonne, Source: "p.csv : P"})
		e.Evolutions = append(e.Evolutions, Evolution{Key: Key{"taux", "qpv-2015", 2015, "T"}, Depuis: 2010, Code: "Q2", Evolution: some(5), Verdict: verdict})
		e.Sources = append(e.Sources, Source{ID: "c/p.csv", File: "p.csv"})
		slices.SortFunc(e.Values, CompareValues)
		e.Manifest = fmt.Appendf(nil, `{"programme":"p","definitions_sha256":{"taux":"d","population":"d"},"sources":[%s{"id":"c/p.csv","sha256":"%v","fiche_sha256":"c"}]}`, sources, inhabitants)
		return e
	}
	causes := func(a, b *Edition) map[string]string {
		t.Helper()
		d, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, m := range d.Of(ObjetEvolution) {
			out[fmt.Sprintf("%s %d-%d", m.Code, m.Depuis, m.Millesime)] = joinCauses(m.Causes)
		}
		return out
	}
	before := edition("a", []int{2010, 2012, 2015}, 1900, "hausse")
	got := causes(before, edition("b", []int{2010, 2015}, 1900, "hausse"))
	for _, k := range []string{"Q1 2010-2012", "Q1 2012-2015", "Q1 2010-2015"} {
		if got[k] != "donnees" {
			t.Errorf("a year less: %s is of %q", k, got[k])
		}
	}
	if got := causes(before, edition("b", []int{2010, 2012, 2015}, 2100, "stable")); len(got) != 1 || got["Q2 2010-2015"] != "donnees" {
		t.Errorf("other inhabitants: %v", got)
	}
	if got := causes(before, edition("b", []int{2010, 2012, 2015}, 1900, "stable")); len(got) != 1 || got["Q2 2010-2015"] != "programme" {
		t.Errorf("nothing else changed: %v", got)
	}
}
