package tiles

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"observatoire/indicators"
)

func TestSubject(t *testing.T) {
	for label, want := range map[string]string{
		"Part des familles monoparentales (parmi les familles)":                        "la part des familles monoparentales parmi les familles",
		"Part des étrangers (parmi la population ; pour les femmes, parmi les femmes)": "la part des étrangers parmi la population",
		"Taux de chômage au sens du recensement (parmi les actifs de 15 à 64 ans)":     "le taux de chômage au sens du recensement parmi les actifs de 15 à 64 ans",
		"Indice de jeunesse (moins de 20 ans pour une personne de 60 ans et plus)":     "l'indice de jeunesse (moins de 20 ans pour une personne de 60 ans et plus)",
		"Évolution de la population à bas revenu, 2007-2009":                           "l'évolution de la population à bas revenu, 2007-2009",
		"Revenu médian par unité de consommation (nature non précisée)":                "le revenu médian par unité de consommation (nature non précisée)",
		"Demandeurs d'emploi A":                            "les demandeurs d'emploi A",
		"Bidule (parmi les machins)":                       "",
		"Accessibilité aux médecins":                       "l'accessibilité aux médecins",
		"Premier décile du niveau de vie":                  "le premier décile du niveau de vie",
		"Population municipale":                            "la population municipale",
		"Niveau de vie médian (par unité de consommation)": "le niveau de vie médian (par unité de consommation)",
	} {
		got, _ := subjectOf(&indicators.Definition{Label: label})
		if got.text != want {
			t.Errorf("%q: %q, want %q", label, got.text, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for name, want := range map[string]string{"Istres": "d'Istres", "Miramas": "de Miramas", "Le Puy-Sainte-Réparade": "du Puy-Sainte-Réparade",
		"Les Pennes-Mirabeau": "des Pennes-Mirabeau", "La Ciotat": "de La Ciotat", "Hyères": "d'Hyères", "Éguilles": "d'Éguilles"} {
		if got := deFR(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestSpoken(t *testing.T) {
	pct := &indicators.Definition{Unit: "%", Decimals: 2}
	euro := &indicators.Definition{Unit: "€/an"}
	people := &indicators.Definition{Unit: "habitants"}
	for _, x := range []struct {
		d       *indicators.Definition
		v       float64
		fragile bool
		want    string
	}{
		{pct, 18.45, false, "18,45 %"}, {pct, 18.45, true, "18 %"}, {pct, 18, false, "18 %"}, {pct, 0.4, true, "0 %"},
		{euro, 13389.6, false, "13 390 € par an"}, {euro, 9329, true, "9 300 € par an"}, {euro, 18864, true, "18 900 € par an"},
		{people, 1, false, "1 habitant"}, {people, 2, false, "2 habitants"}, {people, 3104, true, "3 100 habitants"}, {people, 254, true, "250 habitants"},
		{&indicators.Definition{Unit: "ratio", Decimals: 2}, 1.5, false, "1,5"},
	} {
		want := strings.NewReplacer(" %", "\u00a0%", " €", "\u00a0€", " habitant", "\u00a0habitant").Replace(x.want)
		want = strings.Replace(strings.Replace(want, "3 1", "3\u202f1", 1), "13 3", "13\u202f3", 1)
		want = strings.NewReplacer("9 300", "9\u202f300", "18 900", "18\u202f900").Replace(want)
		if got := told(x.d, x.v, x.fragile); got != want {
			t.Errorf("%v %v: %q, want %q", x.v, x.fragile, got, want)
		}
	}
}

// A sentence says what the edition says, and nothing that uncertainty, reliability or a guard forbids.
func TestGapSentence(t *testing.T) {
	e := sample(4)
	value := func(code string) *indicators.Value {
		for i := range e.Values {
			if v := &e.Values[i]; v.Code == code && v.Indicateur == "part_cmuc" && v.Millesime == 2014 && v.Retenue {
				return v
			}
		}
		t.Fatalf("no value of %s", code)
		return nil
	}
	own, ref := value("QP013061"), value("13047")
	x := &e.Ecarts[0]
	plain := *own
	for _, c := range []struct {
		name   string
		change func()
		want   string
	}{
		{"beyond the range of methods", func() {}, "En 2014, la part des bénéficiaires de la CMU-C est de 18,45 %, soit 6 points de plus que dans la commune (12,45 %)."},
		{"fragile", func() { own.Fiabilite = indicators.Fragile }, "En 2014, la part des bénéficiaires de la CMU-C est d'environ 18 %, soit environ 6 points de plus que dans la commune (12,45 %)."},
		{"fragile reference", func() { ref.Fiabilite = indicators.Fragile }, "En 2014, la part des bénéficiaires de la CMU-C est de 18,45 %, soit environ 6 points de plus que dans la commune (12 %)."},
		{"within the range of methods", func() { own.Min = indicators.Some(12) }, "En 2014, la part des bénéficiaires de la CMU-C est de 18,45 %, sans écart assuré avec la valeur relevée dans la commune (12,45 %)."},
		{"within the confidence interval", func() { own.IC95Bas, own.IC95Haut = indicators.Some(11), indicators.Some(25) }, "En 2014, la part des bénéficiaires de la CMU-C est de 18,45 %, sans écart assuré avec la valeur relevée dans la commune (12,45 %)."},
		{"insufficient", func() { own.Fiabilite = indicators.Insuffisante }, ""},
		{"insufficient reference", func() { ref.Fiabilite = indicators.Insuffisante }, "En 2014, la part des bénéficiaires de la CMU-C est de 18,45 %."},
		{"secret", func() { own.Statut = indicators.Secret }, ""},
		{"refused", func() { x.Statut, x.Ecart = indicators.SansObjet, indicators.Opt{} }, "En 2014, la part des bénéficiaires de la CMU-C est de 18,45 %."},
		{"year not known", func() { own.Millesime = -2015 }, ""},
	} {
		*own, *ref = plain, *value("13047")
		ref.Fiabilite, x.Statut, x.Ecart = indicators.Bonne, indicators.Disponible, indicators.Some(6)
		c.change()
		s := snapshot(t, e)
		got := s.gapSentence(s.defs["part_cmuc"], own, []*indicators.Ecart{x})
		if diff := cmp.Diff(c.want, strings.ReplaceAll(got, "\u00a0", " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		own.Millesime = 2014
	}
}

func TestMoveSentence(t *testing.T) {
	s := snapshot(t, sample(4))
	d := &indicators.Definition{Label: "Taux de pauvreté (parmi les personnes)", Unit: "%", Decimals: 1}
	v := func(year int, x float64, f indicators.Fiabilite) *indicators.Value {
		return &indicators.Value{Key: indicators.Key{Millesime: year, Sexe: "T"}, V: x, Fiabilite: f}
	}
	move := indicators.Evolution{Key: indicators.Key{Millesime: 2019, Sexe: "T"}, Depuis: 2015, Avant: indicators.Some(44.7), Apres: indicators.Some(46.6),
		Evolution: indicators.Some(1.9), Unite: "points", Verdict: "hausse"}
	gap := indicators.Evolution{Key: move.Key, Depuis: 2015, Reference: "commune-2018", Verdict: "se creuse"}
	say := func(x indicators.Evolution, f indicators.Fiabilite, gap *indicators.Evolution) string {
		return strings.ReplaceAll(s.moveSentence(d, &x, v(2015, 44.7, f), v(2019, 46.6, indicators.Bonne), gap), "\u00a0", " ")
	}
	if got, want := say(move, indicators.Bonne, &gap), "Entre 2015 et 2019, le taux de pauvreté parmi les personnes a augmenté de 1,9 point (44,7 %, puis 46,6 %) ; l'écart à la commune s'est creusé."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	gap.Reference = "departement-2018"
	gap.Verdict = "non concluant"
	if got, want := say(move, indicators.Fragile, &gap), "Entre 2015 et 2019, le taux de pauvreté parmi les personnes a augmenté d'environ 2 points (45 %, puis 46,6 %)."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for name, x := range map[string]indicators.Evolution{
		"no conclusion": {Key: move.Key, Depuis: 2015, Evolution: move.Evolution, Unite: "points", Verdict: "non concluant"},
		"stable":        {Key: move.Key, Depuis: 2015, Evolution: move.Evolution, Unite: "points", Verdict: "stable"},
		"refused":       {Key: move.Key, Depuis: 2015, Statut: indicators.SansObjet, Verdict: "hausse", Garde: "enquetes_communes"},
	} {
		if got := say(x, indicators.Bonne, nil); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := say(move, indicators.Insuffisante, nil); got != "" {
		t.Errorf("insufficient: %q", got)
	}
}

func TestMergedYears(t *testing.T) {
	got := mergedYears([]string{"Insee, Filosofi 2018", "Insee, Filosofi 2017", "Cnaf, base 2019 des quartiers 2015", "Cnaf, base 2020 des quartiers 2015", "Cnaf, base 2020 des quartiers 2024", "IGN"})
	want := []string{"Insee, Filosofi 2017 et 2018", "Cnaf, base 2019 et 2020 des quartiers 2015", "Cnaf, base 2020 des quartiers 2024", "IGN"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPortraitRoute(t *testing.T) {
	srv := server(t, sample(4))
	get := func(code string) (*http.Response, string) {
		res, err := http.Get(srv.URL + "/api/portrait/" + code)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}
	res, body := get("QP013061")
	if res.StatusCode != http.StatusOK || res.Header.Get("ETag") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%s, %v", res.Status, res.Header)
	}
	for _, want := range []string{"<h1>Le Prépaou</h1>", "Observatoire d&#39;essai &lt;&amp; fils&gt;", "Îlot 5", "Contours schématiques", "18,45"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(body, "http://") || strings.Contains(body, "https://") || strings.Contains(body, "<script") {
		t.Error("the page asks for something else than itself")
	}
	if res, body = get("VEILLE1"); res.StatusCode != http.StatusNotFound || !strings.Contains(body, "VEILLE1") {
		t.Errorf("a quarter without a figure: %s %s", res.Status, body)
	}
}
