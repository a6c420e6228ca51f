package indicators

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// years makes the columns of a count by sex for 12 communes, a year after another, with a source each.
func years(mils ...int) ([]Column, []Source) {
	var columns []Column
	var sources []Source
	for _, mil := range mils {
		id := fmt.Sprintf("essai/base_%d.csv", mil)
		sources = append(sources, Source{ID: id, Card: "essai", File: fmt.Sprintf("base_%d.csv", mil)})
		for _, sexe := range []string{"T", "F", "H"} {
			c := Column{Source: id, Level: "commune", Variable: "actifs", Sexe: sexe, Millesime: mil, Header: "ACT_" + sexe}
			for i := range 12 {
				f, h := float64(400+31*i+mil%7), float64(700+53*i+mil%5)
				c.Codes = append(c.Codes, fmt.Sprintf("13%03d", i))
				c.V = append(c.V, map[string]float64{"T": f + h, "F": f, "H": h}[sexe])
				c.Statut = append(c.Statut, Disponible)
			}
			columns = append(columns, c)
		}
	}
	return columns, sources
}

func TestDiagnoseYears(t *testing.T) {
	each := func(mil int, sexe string, f func(float64) float64) func([]Column) {
		return func(cs []Column) {
			for k := range cs {
				if cs[k].Millesime == mil && (sexe == "" || cs[k].Sexe == sexe) {
					for i := range cs[k].V {
						cs[k].V[i] = f(cs[k].V[i])
					}
				}
			}
		}
	}
	tests := []struct {
		name   string
		damage func([]Column)
		want   []string
	}{
		{"nothing", func([]Column) {}, nil},
		{"thousands", each(2019, "T", func(v float64) float64 { return v / 1000 }), []string{
			"echelle base_2019.csv actifs : les valeurs sont divisées par", "echelle base_2020.csv actifs : les valeurs sont multipliées par"}},
		{"a month for a year", each(2020, "T", func(v float64) float64 { return v * 12 }), []string{
			"echelle base_2020.csv actifs : les valeurs sont multipliées par 12,"}},
		{"one zone", func(cs []Column) { cs[6].V[3] *= 10.5 }, []string{
			"saut_10 base_2020.csv actifs : 1 zone(s) changent d'un facteur 10 ou plus entre 2019 (base_2019.csv : ACT_T) et 2020 (base_2020.csv : ACT_T), seules parmi 12 : 13003"}},
		{"a small zone", func(cs []Column) { cs[3].V[3], cs[6].V[3] = 3, 40 }, nil},
		{"zeros", each(2019, "H", func(float64) float64 { return 0 }), []string{"colonne_nulle base_2019.csv actifs (base_2019.csv : ACT_H) n'a que des zéros en 2019"}},
		{"women and men exchanged", func(cs []Column) { cs[7].V, cs[8].V = cs[8].V, cs[7].V }, []string{
			"sexes_echanges base_2020.csv actifs : en 2020 (base_2020.csv : ACT_F et base_2020.csv : ACT_H), les femmes ressemblent aux hommes de 2019"}},
		{"a year copied", func(cs []Column) {
			for i := range 3 {
				copy(cs[6+i].V, cs[i].V)
			}
		}, []string{"copie base_2020.csv base_2018.csv et base_2020.csv donnent les mêmes chiffres sous deux millésimes (2018 et 2020) : 36 sur 36, dans 3 colonne(s) sur 3"}},
	}
	defs := []Definition{{ID: "actifs", Unit: "personnes", Rule: Somme, Value: "actifs"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			columns, sources := years(2018, 2019, 2020)
			tt.damage(columns)
			var got []string
			whole := NewComparison(sources, defs, nil)
			whole.Add(columns)
			for _, a := range whole.Alertes() {
				got = append(got, a.Kind+" "+a.Objet+" "+a.Message)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%d alerts, want %d:\n%s", len(got), len(tt.want), strings.Join(got, "\n"))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], tt.want[i])
				}
			}
		})
	}
}

func TestRemarque(t *testing.T) {
	a := Alerte{Gravite: "attention", Kind: "saut_10", Message: "x : 3 zones"}
	gravite, kind, message, ok := remarked(a.Remarque())
	if !ok || gravite != a.Gravite || kind != a.Kind || message != a.Message {
		t.Errorf("%q %q %q %v", gravite, kind, message, ok)
	}
	if _, _, _, ok := remarked("le code 9 de la colonne NOTE_RP n'est pas expliqué : à voir"); ok {
		t.Error("an ordinary remark was taken for an alert")
	}
}

// Columns compared a few variables at a time, in any order, tell what they tell together.
func TestComparisonByVariable(t *testing.T) {
	first, sources := years(2018, 2019, 2020)
	second, _ := years(2018, 2019, 2020)
	for i := range second {
		second[i].Variable = "inactifs"
		for k := range second[i].V {
			second[i].V[k] = 2*second[i].V[k] + 1
		}
	}
	for _, columns := range [][]Column{first, second} { // a year copied, and a column of zeros
		for i := range 3 {
			copy(columns[6+i].V, columns[i].V)
		}
		clear(columns[5].V)
	}
	defs := []Definition{{ID: "actifs", Unit: "personnes", Rule: Somme, Value: "actifs"}}
	whole := NewComparison(sources, defs, nil)
	whole.Add(slices.Concat(first, second))
	if n := len(whole.Alertes()); n < 3 {
		t.Fatalf("%d alerts", n)
	}
	for _, order := range [][][]Column{{first, second}, {second, first}} {
		begun := NewComparison(sources, defs, nil)
		begun.Add(order[0])
		told := begun.Alertes()
		rest := NewComparison(sources, defs, begun)
		rest.Add(order[1])
		if diff := cmp.Diff(whole.Alertes(), rest.Alertes()); diff != "" {
			t.Errorf("by variable (-together +apart):\n%s", diff)
		}
		if diff := cmp.Diff(told, begun.Alertes()); diff != "" {
			t.Errorf("the first has changed:\n%s", diff)
		}
	}
	all := slices.Concat(first[:3], second)
	if got := Comparable(all); got["actifs"] || !got["inactifs"] {
		t.Errorf("Comparable = %v: actifs has one year", got)
	}
}
