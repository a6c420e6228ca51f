package indicators

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// statements are the figures of the contrat, whose notes tell the funder or the landlord a figure is of.
func statements(t *testing.T, rows [][]string, col map[string]int) []Statement {
	t.Helper()
	table := [][]string{{"territoire", "niveau", "indicateur", "sexe", "annee", "valeur", "unite", "ligne", "base"}}
	lines := []int{1}
	for i, r := range rows {
		base := ""
		for _, mark := range []string{"funder: ", "landlord "} {
			if _, rest, ok := strings.Cut(r[col["method_note"]], mark); ok {
				base, _, _ = strings.Cut(rest, ";")
			}
		}
		table = append(table, []string{r[col["territory"]], r[col["level"]], r[col["indicator"]], r[col["sex"]], r[col["year"]], r[col["value"]], r[col["unit"]], r[col["line"]], base})
		lines = append(lines, i+2)
	}
	list, _, skipped, err := ReadStatements(table, lines)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d figures, %d left out: %v", len(list), len(skipped), skipped)
	return list
}

func TestContradictions(t *testing.T) {
	base := Statement{Zone: "A", Niveau: "qpv", Indicateur: "taux", Sexe: "T", Annee: "2010", Unite: "%", Ligne: "1"}
	with := func(f func(*Statement)) Statement { s := base; f(&s); return s }
	tests := []struct {
		name string
		list []Statement
		want string
	}{
		{"the same to its rounding", []Statement{with(func(s *Statement) { s.Valeur = 11 }), with(func(s *Statement) { s.Valeur, s.Decimales = 11.1, 1 })}, ""},
		{"two values", []Statement{with(func(s *Statement) { s.Valeur = 11 }), with(func(s *Statement) { s.Valeur = 13 })}, "deux_valeurs"},
		{"two years", []Statement{with(func(s *Statement) { s.Valeur = 11 }), with(func(s *Statement) { s.Valeur, s.Annee = 13, "2011" })}, ""},
		{"an index in two units", []Statement{with(func(s *Statement) { s.Valeur = 96 }), with(func(s *Statement) { s.Valeur, s.Unite, s.Decimales = 1.2, "ratio", 1 })}, "deux_valeurs"},
		{"outside women and men", []Statement{with(func(s *Statement) { s.Valeur = 12 }), with(func(s *Statement) { s.Valeur, s.Sexe = 19, "F" }), with(func(s *Statement) { s.Valeur, s.Sexe = 15, "H" })}, "hors_des_sexes"},
		{"between women and men", []Statement{with(func(s *Statement) { s.Valeur = 17 }), with(func(s *Statement) { s.Valeur, s.Sexe = 19, "F" }), with(func(s *Statement) { s.Valeur, s.Sexe = 15, "H" })}, ""},
		{"higher, said lower", []Statement{with(func(s *Statement) { s.Valeur, s.Sens, s.Reference = 12, "inférieur", "B" }), with(func(s *Statement) { s.Valeur, s.Zone = 11, "B" })}, "sens"},
		{"a lost comma", []Statement{with(func(s *Statement) { s.Valeur = 41 }), with(func(s *Statement) { s.Valeur, s.Zone = 2, "B" })}, "echelle"},
		{"a gap", []Statement{with(func(s *Statement) { s.Valeur = 64 }), with(func(s *Statement) { s.Valeur, s.Zone, s.Niveau = 69, "B", "commune" }), with(func(s *Statement) { s.Valeur, s.Indicateur = 2, "ecart_taux" })}, "ecart"},
		{"a gap that is right", []Statement{with(func(s *Statement) { s.Valeur = 64 }), with(func(s *Statement) { s.Valeur, s.Zone, s.Niveau = 69, "B", "commune" }), with(func(s *Statement) { s.Valeur, s.Indicateur = 5, "ecart_taux" })}, ""},
		{"a zone unknown", []Statement{with(func(s *Statement) { s.Zone, s.Niveau = "Maille 3", "iris" })}, "zone_inconnue"},
	}
	for _, tt := range tests {
		var kinds []string
		for _, c := range Contradictions(tt.list, nil, map[string][]string{"iris": {"La Rousse 1"}}) {
			kinds = append(kinds, c.Genre)
		}
		if got := strings.Join(kinds, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The known inconsistencies of the contrat de ville that its figures show, each found by the review of the whole document.
// C15 is the gap of a monthly income, whose reference is printed by the year; C21 is told by its order of women and men, which no other zone has, and is
// consistent with the gap printed beside it.
func TestRealContradictionsOfTheContrat(t *testing.T) {
	if dir := os.Getenv("OBSERVATOIRE_REAL"); dir != "" {
		if _, err := os.Stat(dir + "/../contrat/figures.csv"); err != nil {
			t.Skip("the figures of the contrat are not beside the real files")
		}
	}
	rows, col := realTable(t, "../contrat/figures.csv", ',')
	list := statements(t, rows, col)
	// What the text says of a figure, which the figures alone do not: line, zone, indicator, sex.
	claims := []struct{ line, zone, indicateur, sexe, sens, reference string }{
		{"798", "Les Échoppes", "part_temps_partiel", "H", "inférieur", "Istres"},                                       // C5
		{"772", "Centre Miramas", "taux_chomage", "H", "inférieur", "Miramas"},                                          // C6
		{"846", "Croizat/Jolivet/Allende", "part_population_bas_revenu", "T", "supérieur", "Port-Saint-Louis-du-Rhône"}, // C22
		{"1354", "Istres", "indice_morbidite_ald", "T", "supérieur", "Bouches-du-Rhône"},                                // C24
		{"730", "La Maille", "revenu_median_uc", "T", "minimum", ""},                                                    // C4
	}
	for _, c := range claims {
		i := slices.IndexFunc(list, func(s Statement) bool {
			return s.Ligne == c.line && s.Zone == c.zone && s.Indicateur == c.indicateur && s.Sexe == c.sexe
		})
		if i < 0 {
			t.Fatalf("no figure %+v", c)
		}
		list[i].Sens, list[i].Reference = c.sens, c.reference
	}
	istres, miramas, psl, san := "Istres", "Miramas", "Port-Saint-Louis-du-Rhône", "SAN Ouest Provence"
	sums := []Decomposition{
		{san, "nb_reaap_qpv", [][2]string{{istres, "nb_reaap_qpv"}, {miramas, "nb_reaap_qpv"}}},
		{san, "nb_educateurs_specialises", [][2]string{{istres, "nb_mediateurs_sociaux"}, {miramas, "nb_mediateurs_sociaux"}, {psl, "nb_mediateurs_sociaux"},
			{istres, "nb_apprentis_mediation"}, {miramas, "nb_apprentis_mediation"}}}}
	overlaps, ocol := realTable(t, "../contrat/overlaps.csv", ',')
	known := map[string][]string{}
	for _, r := range overlaps {
		known["iris"] = append(known["iris"], r[ocol["iris"]])
	}
	found := Contradictions(list, sums, known)
	for _, c := range found {
		t.Logf("%-14s l. %s: %s", c.Genre, c.Lignes, c.Message)
	}
	for _, want := range []struct{ id, genre, lines, zone, indicateur string }{
		{"C1", "deux_valeurs", "709, 738", miramas, "part_sans_diplome"}, {"C2", "hors_des_sexes", "738, 711", "La Carraire", "part_cmuc"},
		{"C3", "deux_valeurs", "711, 1264", san, "part_cmuc"}, {"C4", "sens", "730, 812", "La Maille", "revenu_median_uc"},
		{"C5", "sens", "798", "Les Échoppes", "part_temps_partiel"}, {"C6", "sens", "772", "Centre Miramas", "taux_chomage"},
		{"C7", "ecart", "821", "Vauban", "taux_activite_25_64_ans"}, {"C8", "echelle", "819", "Vauban", "part_menages_plus_6_personnes"},
		{"C9", "deux_valeurs", "610, 634", istres, "part_logement_social"}, {"C10", "deux_valeurs", "583, 632", "Bouches-du-Rhône", "part_65_ans_plus"},
		{"C11", "deux_valeurs", "584, 817", psl, "indice_jeunesse"}, {"C12", "deux_valeurs", "632, 1105", "Bouches-du-Rhône", "part_demandeurs_emploi_moins_25_ans"},
		{"C13", "deux_valeurs", "1105, 1715", san, "taux_chomage_moins_25_ans"}, {"C14", "hors_des_sexes", "634, 703", "Le Prépaou", "taux_chomage"},
		{"C15", "ecart", "772, 711", "Centre Miramas", "revenu_median_uc"}, {"C21", "ordre_des_sexes", "709", "Carraire", "part_temps_partiel"},
		{"C16", "deux_valeurs", "213, 721", "La Maille", "nb_logements_sociaux_rehabilites"}, {"C16", "deux_valeurs", "219, 724", "La Maille", "nb_logements_accession_privee"},
		{"C17", "deux_valeurs", "586, 976", san, "part_diplome_niveau_v"}, {"C18", "somme", "974", san, "nb_reaap_qpv"},
		{"C19", "somme", "1376, 1409", san, "nb_educateurs_specialises"}, {"C20", "croissance", "630", istres, "taux_croissance_annuel_moyen"},
		{"C22", "sens", "846", "Croizat/Jolivet/Allende", "part_population_bas_revenu"}, {"C23", "zone_inconnue", "738", "Maille 3", "taux_chomage"},
		{"C24", "sens", "1354", istres, "indice_morbidite_ald"},
	} {
		if !slices.ContainsFunc(found, func(c Contradiction) bool {
			return c.Genre == want.genre && c.Zone == want.zone && c.Indic == want.indicateur && strings.HasPrefix(c.Lignes, strings.Split(want.lines, ",")[0])
		}) {
			t.Errorf("%s is not found: %+v", want.id, want)
		}
	}

	// The figures of a quarter that the IRIS printed beside it allow to check are their plain mean (R38), to the rounding.
	for _, c := range []struct {
		quarter, indicateur, sexe string
		iris                      []string
	}{{"Les Échoppes", "part_temps_partiel", "H", []string{"Centre ancien", "Peyreguet", "Bardin"}}} {
		at := func(zone string) *Statement {
			i := slices.IndexFunc(list, func(s Statement) bool { return s.Zone == zone && s.Indicateur == c.indicateur && s.Sexe == c.sexe })
			if i < 0 {
				t.Fatalf("no figure of %s", zone)
			}
			return &list[i]
		}
		mean := 0.0
		for _, name := range c.iris {
			mean += at(name).Valeur / float64(len(c.iris))
		}
		if own := at(c.quarter); math.Abs(mean-own.Valeur) > own.margin() {
			t.Errorf("%s, %s: %v, and the mean of its IRIS is %v", c.quarter, c.indicateur, own.Valeur, mean)
		}
	}
	// Le Prépaou is said to be the mean of two IRIS printed to a tenth: its figures are multiples of 0.05.
	n := 0
	for _, s := range list {
		if s.Zone == "Le Prépaou" && s.Annee == "2010" && s.Decimales == 2 {
			n++
			if x := s.Valeur / 0.05; math.Abs(x-math.Round(x)) > 1e-6 {
				t.Errorf("%s %s: %v is no mean of two figures to a tenth", s.Zone, s.Indicateur, s.Valeur)
			}
		}
	}
	t.Logf("%d figures read, %d contradictions; %d figures of Le Prépaou are by %s", len(list), len(found), n, MethodeMoyenne)
	if n < 4 {
		t.Errorf("%d figures of Le Prépaou to the hundredth", n)
	}
}
