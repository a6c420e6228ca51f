package indicators

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"observatoire/geo"
)

// catalogueGuards are the guards of the catalogue, as they are shipped.
func catalogueGuards(t *testing.T) []Guard {
	t.Helper()
	text, err := os.ReadFile("../data/catalogue/guards.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list []Guard
	if err := yaml.UnmarshalWithOptions(text, &list, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, g := range list {
		if err := g.Check(); err != nil {
			t.Errorf("%s: %v", g.ID, err)
		}
	}
	return list
}

// guardFigure is an invented one of the quarter Q, from a column of its own.
type guardFigure struct {
	variable, card, exploitation string
	millesime                    int
	v                            float64
	enquetes                     []int
	layer                        geo.Layer // qpv-2015 when empty
	methode                      string    // producteur when empty
}

func guardInput(t *testing.T, def Definition, figures ...guardFigure) (*Input, *Result) {
	t.Helper()
	square := orb.MultiPolygon{{{{0, 0}, {1, 0}, {1, 1}, {0, 0}}}}
	in := &Input{Guards: catalogueGuards(t), Definitions: []Definition{def}, Studied: []string{"qpv"}, Layers: []geo.ZoneSet{
		{Layer: "qpv-2015", Zones: []geo.Zone{{Code: "Q", Geom: square}}},
		{Layer: "qpv-2024", Zones: []geo.Zone{{Code: "Q", Geom: orb.MultiPolygon{{{{0, 0}, {2, 0}, {1, 1}, {0, 0}}}}}}}}}
	r := &Result{Indicators: []Definition{def, {ID: populationVariable, Rule: Somme, Unit: "habitants", Value: populationVariable}}}
	for _, f := range figures {
		if f.layer == "" {
			f.layer = "qpv-2015"
		}
		if f.methode == "" {
			f.methode = MethodeProducteur
		}
		id := f.card + FormatMillesime(f.millesime)
		in.Sources = append(in.Sources, Source{ID: id, Card: f.card, File: id})
		in.Columns = append(in.Columns, Column{Source: id, Variable: f.variable, Header: "X", Sexe: "T", Millesime: f.millesime,
			Exploitation: f.exploitation, Enquetes: f.enquetes, Codes: []string{"Q"}, V: []float64{f.v}, Statut: []Statut{Disponible}})
		indicateur := def.ID
		if f.variable == populationVariable {
			indicateur = populationVariable
		}
		r.Values = append(r.Values, Value{Key: Key{indicateur, f.layer, f.millesime, "T"}, Code: "Q", V: f.v, Methode: f.methode, Retenue: true,
			Fiabilite: Bonne, Source: id + " : X"})
	}
	slices.SortFunc(r.Values, CompareValues)
	return in, r
}

// TestGuards trips each guard of the catalogue with invented figures, shows that the comparison next to it passes, and that a named
// decision waives it.
func TestGuards(t *testing.T) {
	rate := func(id string) Definition { return Definition{ID: id, Value: id, Unit: "%", Rule: Ratio, Decimals: 1} }
	cycle := func(m int) []int { return []int{m - 2, m - 1, m, m + 1, m + 2} }
	tests := []struct {
		guard  string
		def    Definition
		refuse []guardFigure
		pass   []guardFigure // nil: no such comparison
		quote  string
	}{
		{"enquetes_communes", rate("taux_chomage"), // the survey of 2021 was put off: 2022 rests on 2019, 2020, 2022 to 2024
			[]guardFigure{{variable: "taux_chomage", card: "rp", millesime: 2017, v: 10, enquetes: cycle(2017)}, {variable: "taux_chomage", card: "rp", millesime: 2022, v: 20, enquetes: []int{2019, 2020, 2022, 2023, 2024}}},
			[]guardFigure{{variable: "taux_chomage", card: "rp", millesime: 2016, v: 10, enquetes: cycle(2016)}, {variable: "taux_chomage", card: "rp", millesime: 2022, v: 20, enquetes: []int{2019, 2020, 2022, 2023, 2024}}},
			"Les recensements 2017 et 2022 partagent des enquêtes annuelles (2019)"},
		{"complementaire_2000", rate("part_monoparentales"),
			[]guardFigure{{variable: populationVariable, card: "rp", millesime: 2011, v: 1999}, {variable: "part_monoparentales", card: "c", millesime: 2011, v: 1, exploitation: "complementaire"}, {variable: "part_monoparentales", card: "c", millesime: 2016, v: 9, exploitation: "complementaire"}},
			[]guardFigure{{variable: populationVariable, card: "rp", millesime: 2011, v: 2000}, {variable: "part_monoparentales", card: "c", millesime: 2011, v: 1, exploitation: "complementaire"}, {variable: "part_monoparentales", card: "c", millesime: 2016, v: 9, exploitation: "complementaire"}},
			"La zone compte 1 999 habitants"},
		{"cnam_annees_consecutives", rate("part_c2s_sans_participation"),
			[]guardFigure{{variable: "part_c2s_sans_participation", card: "cnam", millesime: 2020, v: 1}, {variable: "part_c2s_sans_participation", card: "cnam", millesime: 2021, v: 9}},
			[]guardFigure{{variable: "part_c2s_sans_participation", card: "cnam", millesime: 2020, v: 1}, {variable: "part_c2s_sans_participation", card: "cnam", millesime: 2022, v: 9}},
			"2020 et 2021 se suivent"},
		{"filosofi_2019_2021", rate("taux_pauvrete"),
			[]guardFigure{{variable: "taux_pauvrete", card: "filosofi-iris", millesime: 2019, v: 1}, {variable: "taux_pauvrete", card: "filosofi-iris", millesime: 2021, v: 9}},
			[]guardFigure{{variable: "taux_pauvrete", card: "filosofi-iris", millesime: 2018, v: 1}, {variable: "taux_pauvrete", card: "filosofi-iris", millesime: 2019, v: 9}},
			"Filosofi 2019 et 2021 ne se comparent pas"},
		{"filosofi_2022", rate("taux_pauvrete"),
			[]guardFigure{{variable: "taux_pauvrete", card: "filosofi-iris", millesime: 2021, v: 1}, {variable: "taux_pauvrete", card: "filosofi-iris", millesime: 2022, v: 9}},
			nil, "Filosofi n'a pas de millésime 2022"},
		{"defm_2025", Definition{ID: "defm_abc", Value: "defm_abc", Rule: Somme, Unit: "personnes"},
			[]guardFigure{{variable: "defm_abc", card: "defm", millesime: 2024, v: 100}, {variable: "defm_abc", card: "defm", millesime: 2025, v: 200}},
			[]guardFigure{{variable: "defm_abc", card: "defm", millesime: 2023, v: 100}, {variable: "defm_abc", card: "defm", millesime: 2024, v: 200}},
			"depuis janvier 2025"},
		{"defm_trimestres", Definition{ID: "defm_abc", Value: "defm_abc", Rule: Somme, Unit: "personnes"},
			[]guardFigure{{variable: "defm_abc", card: "partenaire", millesime: 2018, v: 100}, {variable: "defm_abc", card: "defm", millesime: 2019, v: 200}},
			[]guardFigure{{variable: "defm_abc", card: "qpv-insertion", millesime: 2018, v: 100}, {variable: "defm_abc", card: "defm", millesime: 2019, v: 200}},
			"du 2018 (trimestre inconnu) et du 2019 (4e trimestre)"},
		{"qpv_2015_2024", rate("taux_pauvrete"),
			[]guardFigure{{variable: "taux_pauvrete", card: "a", millesime: 2015, v: 1}, {variable: "taux_pauvrete", card: "a", millesime: 2018, v: 9, layer: "qpv-2024"}},
			[]guardFigure{{variable: "taux_pauvrete", card: "a", millesime: 2015, v: 1}, {variable: "taux_pauvrete", card: "a", millesime: 2018, v: 9}},
			"Les périmètres qpv-2015 et qpv-2024 du quartier diffèrent"},
		{"methodes_differentes", rate("taux_pauvrete"),
			[]guardFigure{{variable: "taux_pauvrete", card: "a", millesime: 2015, v: 1, methode: MethodeCalage}, {variable: "taux_pauvrete", card: "a", millesime: 2018, v: 9}},
			[]guardFigure{{variable: "taux_pauvrete", card: "a", millesime: 2015, v: 1}, {variable: "taux_pauvrete", card: "a", millesime: 2018, v: 9}},
			"(calage en 2015, producteur en 2018)"},
	}
	tripped := map[string]bool{"rang_bases": true} // TestRanks
	for _, tt := range tests {
		tripped[tt.guard] = true
		last := func(waived []Derogation, figures []guardFigure) Evolution {
			in, r := guardInput(t, tt.def, figures...)
			in.Derogations = waived
			r.compare(in)
			for _, e := range r.Evolutions {
				if e.Indicateur == tt.def.ID {
					return e
				}
			}
			t.Fatalf("%s: no evolution", tt.guard)
			return Evolution{}
		}
		if e := last(nil, tt.refuse); e.Garde != tt.guard || e.Statut != SansObjet || e.Evolution.OK || !strings.Contains(strings.ReplaceAll(e.Motif, "\u202f", " "), tt.quote) {
			t.Errorf("%s: %+v, want it refused with %q", tt.guard, e, tt.quote)
		}
		if tt.pass != nil {
			if e := last(nil, tt.pass); e.Garde != "" || e.Statut != Disponible {
				t.Errorf("%s: %+v, want it to pass", tt.guard, e)
			}
		}
		e := last([]Derogation{{tt.guard, tt.def.ID + ":Q", "la commission", "lu avec prudence", "2026-01-15"}}, tt.refuse)
		if e.Statut != Disponible || !strings.Contains(e.Motif, "Dérogation de la commission (2026-01-15) : lu avec prudence") {
			t.Errorf("%s: waived: %+v", tt.guard, e)
		}
		if e := last([]Derogation{{tt.guard, "autre", "la commission", "lu avec prudence", "2026-01-15"}}, tt.refuse); e.Statut == Disponible {
			t.Errorf("%s: waived by a decision about something else", tt.guard)
		}
	}
	for _, g := range catalogueGuards(t) {
		if !tripped[g.ID] {
			t.Errorf("%s: nothing trips it here", g.ID)
		}
	}
}

// TestEvolutions: the example of METHOD.md and its neighbours.
func TestEvolutions(t *testing.T) {
	def := Definition{ID: "taux_pauvrete", Value: "taux_pauvrete", Unit: "%", Rule: Ratio, Decimals: 1, Direction: "hausse_defavorable"}
	ref := geo.Layer("departement-2018")
	tests := []struct {
		name          string
		before, after float64 // of the quarter; the département is at 18, then 17
		ic            float64 // half-width of the quarter's interval
		value, gap    string
		lecture       string // of the gap
	}{
		{"beyond the floor", 40, 42.5, 0, "hausse", "se creuse", "défavorable"},
		{"the gap alone moves", 40, 40.5, 0, "stable", "se creuse", "défavorable"},
		{"it shrinks", 40, 37, 0, "baisse", "se réduit", "favorable"},
		{"within the interval", 40, 43, 3, "non concluant", "non concluant", ""},
		{"below the département, and nearer", 10, 13, 0, "hausse", "se réduit", "défavorable"},
	}
	for _, tt := range tests {
		in, r := guardInput(t, def, guardFigure{variable: def.ID, card: "a", millesime: 2014, v: tt.before}, guardFigure{variable: def.ID, card: "a", millesime: 2018, v: tt.after})
		in.References = []string{"departement"}
		for i := range r.Values {
			v := &r.Values[i]
			if tt.ic > 0 {
				v.IC95Bas, v.IC95Haut = Some(v.V-tt.ic), Some(v.V+tt.ic)
			}
			d := *v
			d.Couche, d.Code, d.V, d.IC95Bas, d.IC95Haut = ref, "13", 18-float64(i), Opt{}, Opt{}
			r.Values = append(r.Values, d)
			r.Ecarts = append(r.Ecarts, gap(&def, v, ref, "13", &d, true))
		}
		r.compare(in)
		if len(r.Evolutions) != 2 {
			t.Fatalf("%s: %+v", tt.name, r.Evolutions)
		}
		value, g := r.Evolutions[0], r.Evolutions[1]
		if value.Verdict != tt.value || g.Verdict != tt.gap || g.Lecture != tt.lecture {
			t.Errorf("%s: value %q (%v, seuil %v), gap %q, %q (%v, seuil %v)", tt.name, value.Verdict, value.Evolution, value.Seuil, g.Verdict, g.Lecture, g.Evolution, g.Seuil)
		}
	}
}

// Ten persons are the least that is said of a count, though they be 4 % of it.
func TestEvolutionOfASmallCount(t *testing.T) {
	def := Definition{ID: "defm_abc", Value: "defm_abc", Unit: "demandeurs d'emploi", Rule: Somme, Direction: "hausse_defavorable"}
	for after, want := range map[float64]string{259: "stable", 263: "hausse", 242: "stable", 241: "baisse"} {
		in, r := guardInput(t, def, guardFigure{variable: def.ID, card: "a", millesime: 2014, v: 252}, guardFigure{variable: def.ID, card: "a", millesime: 2018, v: after})
		r.compare(in)
		if len(r.Evolutions) != 1 || r.Evolutions[0].Verdict != want {
			t.Errorf("252 → %v: %+v, want %s", after, r.Evolutions, want)
		}
	}
}

// An estimate has a verdict where its method was compared with the producer often enough, or where the methods give a range and do not
// take whole zones for the quarter; its threshold is then the widest of what is known of it.
func TestEvolutionOfAnEstimate(t *testing.T) {
	def := Definition{ID: "taux_chomage", Value: "taux_chomage", Unit: "%", Rule: Ratio, Decimals: 1, Direction: "hausse_defavorable"}
	tests := []struct {
		name, methode    string
		compared         int
		absolute, ic, by float64 // mean error, half-width of the interval, half-range of the methods
		want             string
		motif            string
	}{
		{"whole IRIS, never compared", MethodeMoyenne, 0, 0, 1, 1, "non qualifiée", "(0 comparaison au producteur, il en faut 10)"},
		{"whole IRIS, compared too little", MethodePrincipal, 9, 0.5, 1, 1, "non qualifiée", "(9 comparaisons au producteur"},
		{"whole IRIS, compared", MethodeMoyenne, 10, 0.5, 1, 1, "baisse", "intervalle de confiance"},
		{"compared, and far off", MethodeMoyenne, 10, 6, 1, 1, "non concluant", "erreur moyenne de la méthode"},
		{"weighted, with a range", MethodeCalage, 0, 0, 0, 2, "baisse", "étendue des méthodes"},
		{"weighted, and a wide range", MethodeCalage, 0, 0, 1, 6, "non concluant", "étendue des méthodes"},
		{"weighted, alone", MethodeCalage, 0, 0, 1, 0, "non qualifiée", "n'est pas calée"},
	}
	for _, tt := range tests {
		in, r := guardInput(t, def, guardFigure{variable: def.ID, card: "a", millesime: 2014, v: 20, methode: tt.methode},
			guardFigure{variable: def.ID, card: "a", millesime: 2018, v: 15, methode: tt.methode})
		for i := range r.Values {
			v := &r.Values[i]
			v.Nature, v.Min, v.Max = Estimation, Some(v.V-tt.by), Some(v.V+tt.by)
			if tt.ic > 0 {
				v.IC95Bas, v.IC95Haut = Some(v.V-tt.ic), Some(v.V+tt.ic)
			}
		}
		if tt.compared > 0 {
			r.Calibrations = []Calibration{{Indicateur: def.ID, Couche: "qpv-2015", Methode: tt.methode, N: tt.compared, Absolue: tt.absolute, Unite: "points"}}
		}
		r.compare(in)
		if len(r.Evolutions) != 1 {
			t.Fatalf("%s: %+v", tt.name, r.Evolutions)
		}
		e := r.Evolutions[0]
		if e.Verdict != tt.want || !strings.Contains(e.Motif, tt.motif) || e.Conclusive() != (tt.want == "baisse") || (e.Lecture != "") != e.Conclusive() || e.Seuil.OK == (tt.want == "non qualifiée") {
			t.Errorf("%s: %+v, want %s", tt.name, e, tt.want)
		}
	}
}

// Ten of those a share counts are the least that is said of it, where its base is known: 5 points of 200 recipients, 1 of 1 000.
func TestEvolutionOfASmallShare(t *testing.T) {
	def := Definition{ID: "part_rsa", Unit: "%", Rule: Ratio, Decimals: 1, Numerator: []string{"rsa"}, Denominator: []string{"allocataires"}, Scale: 100}
	count := Definition{ID: "allocataires", Unit: "allocataires", Rule: Somme, Value: "allocataires"}
	for _, tt := range []struct {
		base, after float64
		want        string
	}{{200, 34.9, "stable"}, {200, 35.1, "hausse"}, {2000, 30.9, "stable"}, {2000, 31.1, "hausse"}, {0, 31.1, "hausse"}} {
		in, r := guardInput(t, def, guardFigure{variable: "rsa", card: "a", millesime: 2014, v: 30}, guardFigure{variable: "rsa", card: "a", millesime: 2018, v: tt.after})
		if tt.base > 0 {
			r.Indicators = append(r.Indicators, count)
			for _, v := range slices.Clone(r.Values) {
				v.Indicateur, v.V = count.ID, tt.base
				r.Values = append(r.Values, v)
			}
			slices.SortFunc(r.Values, CompareValues)
		}
		r.compare(in)
		i := slices.IndexFunc(r.Evolutions, func(e Evolution) bool { return e.Indicateur == def.ID })
		if i < 0 || r.Evolutions[i].Verdict != tt.want {
			t.Errorf("30 → %v %% of %v: %+v, want %s", tt.after, tt.base, r.Evolutions, tt.want)
		}
	}
}

func TestRanks(t *testing.T) {
	def := Definition{ID: "revenu", Value: "revenu", Unit: "€/an", Rule: Mediane}
	rank := func(cards [3]string, v [3]float64) []Rang {
		in := &Input{Guards: catalogueGuards(t), Studied: []string{"qpv"}}
		r := &Result{Indicators: []Definition{def}}
		for i, code := range []string{"A", "B", "C"} {
			in.Sources = append(in.Sources, Source{ID: code, Card: cards[i], File: code})
			in.Columns = append(in.Columns, Column{Source: code, Variable: "revenu", Millesime: 2019, Header: "X"})
			r.Values = append(r.Values, Value{Key: Key{"revenu", "qpv-2015", 2019, "T"}, Code: code, V: v[i], Methode: MethodeProducteur, Retenue: true, Fiabilite: Bonne, Source: code + " : X"})
		}
		r.compare(in)
		return r.Rangs
	}
	var got [][3]int
	for _, x := range rank([3]string{"f", "f", "f"}, [3]float64{10, 12, 10}) {
		got = append(got, [3]int{x.Rang, x.ExAequo, x.Sur})
	}
	if diff := cmp.Diff([][3]int{{2, 2, 3}, {1, 1, 3}, {2, 2, 3}}, got); diff != "" {
		t.Errorf("rank, ties, of (-want +got):\n%s", diff)
	}
	for _, x := range rank([3]string{"f", "g", "f"}, [3]float64{10, 12, 10}) {
		if x.Rang != 0 || x.Garde != "rang_bases" || !strings.Contains(x.Motif, "(f, g)") {
			t.Errorf("ranked across publications: %+v", x)
		}
	}
}

// TestConcentrationAndSexes: the examples of METHOD.md.
func TestConcentrationAndSexes(t *testing.T) {
	defs := []Definition{{ID: "nb", Value: "nb", Rule: Somme, Unit: "personnes"}, {ID: populationVariable, Rule: Somme, Unit: "habitants"}, {ID: "taux", Rule: Ratio, Unit: "%"}}
	in := &Input{Studied: []string{"qpv"}, Communes: []string{"13047"}, Layers: []geo.ZoneSet{{Layer: "commune-2018", Zones: []geo.Zone{{Code: "13047"}, {Code: "13063"}}}}}
	r := &Result{Indicators: defs}
	put := func(id string, layer geo.Layer, mil int, sexe, code string, v float64) {
		r.Values = append(r.Values, Value{Key: Key{id, layer, mil, sexe}, Code: code, V: v, Methode: MethodeProducteur, Retenue: true, Fiabilite: Bonne})
		if layer.Level() == "qpv" && sexe == "T" {
			r.Ecarts = append(r.Ecarts, Ecart{Key: Key{id, layer, mil, sexe}, Code: code, Reference: "commune-2018", ReferenceCode: "13047", ReferenceInclut: true, Statut: SansObjet})
		}
	}
	put("nb", "qpv-2015", 2018, "T", "A", 300)
	put("nb", "qpv-2015", 2018, "T", "B", 100)
	put("nb", "commune-2018", 2018, "T", "13047", 1000)
	put(populationVariable, "qpv-2015", 2013, "T", "A", 3000)
	put(populationVariable, "qpv-2015", 2013, "T", "B", 1000)
	put(populationVariable, "commune-2018", 2013, "T", "13047", 40000)
	put("taux", "qpv-2015", 2018, "F", "A", 18)
	put("taux", "qpv-2015", 2018, "H", "A", 24)
	put("taux", "qpv-2015", 2018, "F", "B", 18)
	r.compare(in)
	if len(r.Concentrations) != 1 || r.Concentrations[0].Indice != Some(4) || r.Concentrations[0].Quartiers != 2 || r.Concentrations[0].MillesimePopulation != 2013 {
		t.Errorf("concentration: %+v", r.Concentrations)
	}
	if len(r.EcartsSexe) != 2 || r.EcartsSexe[0].Ecart != Some(-6) || r.EcartsSexe[0].Rapport != Some(0.75) || r.EcartsSexe[1].Statut != NonDisponible {
		t.Errorf("women and men: %+v", r.EcartsSexe)
	}
}

// A guard names a variable, or an indicator that is made of several.
func TestGuardOfAnIndicator(t *testing.T) {
	in := Input{Sources: []Source{{ID: "s", Card: "fiche", File: "f.csv"}}, Columns: []Column{
		{Source: "s", Variable: "assures", Millesime: 2019, Header: "A"}, {Source: "s", Variable: "beneficiaires", Millesime: 2019, Header: "B"}}}
	g := newGuards(&in, nil)
	v := Value{Key: Key{Millesime: 2019}, Source: "f.csv : B ; f.csv : A"}
	for _, tt := range []struct {
		indicateur string
		variables  []string
		cards      []string
		want       bool
	}{
		{"part_beneficiaires", []string{"part_beneficiaires"}, nil, true},
		{"part_beneficiaires", []string{"part_beneficiaires"}, []string{"autre"}, false},
		{"part_beneficiaires", []string{"assures"}, nil, true},
		{"part_beneficiaires", []string{"part_autre"}, nil, false},
		{"part_autre", []string{"part_beneficiaires"}, nil, false},
	} {
		def := &Definition{ID: tt.indicateur, Numerator: []string{"beneficiaires"}, Denominator: []string{"assures"}}
		if got := (Guard{Variables: tt.variables, Cards: tt.cards}).concern(g.of(def, &v), ""); got != tt.want {
			t.Errorf("%s, guard on %v of %v: %v", tt.indicateur, tt.variables, tt.cards, got)
		}
	}
}
