package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"observatoire/indicators"
)

const diagnosedCard = `
id: essai
kind: table
level: commune
key: [CODGEO]
protection: aucune
totals: {total: [jeunes, vieux]}
variables:
  - {id: part, columns: PART, millesime: 2019, optional: true}
  - {id: total, columns: {T: TOT, F: TOT_F, H: TOT_H}, millesime: 2019, optional: true}
  - {id: jeunes, columns: JEUNES, millesime: 2019, optional: true}
  - {id: vieux, columns: VIEUX, millesime: 2019, optional: true}
  - {id: revenu, columns: REV, millesime: 2019, optional: true}
  - {id: gini, columns: GINI, millesime: 2019, optional: true}
`

var diagnosedDefinitions = []indicators.Definition{
	{ID: "part", Unit: "%", Rule: indicators.Ratio, Value: "part"},
	{ID: "total", Unit: "personnes", Rule: indicators.Somme, Value: "total"},
	{ID: "revenu", Unit: "€/an", Rule: indicators.Mediane, Value: "revenu"},
	{ID: "gini", Unit: "indice", Rule: indicators.Aucune, Value: "gini"},
}

// cleanTable is a table of 30 communes where nothing is wrong, as rows of cells.
func cleanTable() [][]string {
	rows := [][]string{{"CODGEO", "LIBGEO", "PART", "TOT", "TOT_F", "TOT_H", "JEUNES", "VIEUX", "REV", "GINI"}}
	for i := range 30 {
		f, h := 100+7*i, 90+11*i
		rows = append(rows, []string{fmt.Sprintf("13%03d", i+1), fmt.Sprintf("Fos-lès-Étangs %d", i), fmt.Sprintf("%d,%d", 10+i, i%10),
			fmt.Sprint(f + h), fmt.Sprint(f), fmt.Sprint(h), fmt.Sprint(f + h - 40), "40", fmt.Sprint(18000 + 100*i), fmt.Sprintf("0,2%02d", i)})
	}
	return rows
}

func diagnosed(t *testing.T, rows [][]string, x Examination) []indicators.Alerte {
	t.Helper()
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.Join(r, ";") + "\n")
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Diagnose(context.Background(), path, x)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDiagnose(t *testing.T) {
	// column sets a column of every row, by what was there.
	column := func(at int, f func(i int, s string) string) func([][]string) [][]string {
		return func(rows [][]string) [][]string {
			for i := 1; i < len(rows); i++ {
				rows[i][at] = f(i, rows[i][at])
			}
			return rows
		}
	}
	one := func(row, at int, s string) func([][]string) [][]string {
		return func(rows [][]string) [][]string { rows[row][at] = s; return rows }
	}
	tests := []struct {
		name   string
		damage func([][]string) [][]string
		want   []string // kind, gravité and a piece of the message
	}{
		{"nothing", func(rows [][]string) [][]string { return rows }, nil},
		{"UTF-8 read as Windows-1252", column(1, func(_ int, s string) string { return strings.NewReplacer("è", "Ã¨", "É", "Ã‰").Replace(s) }),
			[]string{"encodage attention 30 texte(s) abîmés (lignes 2, 3, 4 et 27 autres) : « Fos-lÃ¨s"}},
		{"UTF-8 read as CP850", one(5, 1, "C├┤te"), []string{"encodage attention 1 texte(s) abîmés (ligne 6) : « C├┤te » se lit « Côte »"}},
		{"a character lost", one(5, 1, "Rh\uFFFDne"), []string{"encodage attention 1 texte(s) où un caractère est perdu (ligne 6)"}},
		{"zeros lost", column(0, func(i int, s string) string {
			if i < 4 {
				return "100" + s[4:]
			}
			return s
		}), []string{"zeros_perdus attention 3 code(s) de la colonne CODGEO ont perdu leur zéro de tête (lignes 2, 3, 4) : « 1001 » pour « 01001 »"}},
		{"another département", column(0, func(_ int, s string) string { return "75" + s[2:] }),
			[]string{"autre_departement bloquante aucune des 30 lignes n'est du département 13 : ce fichier est du département 75"}},
		{"another level", column(0, func(_ int, s string) string { return s + "0101" }),
			[]string{"niveau_cle attention la colonne CODGEO ne tient pas des codes de niveau commune (cinq caractères) : 0 sur 30 en ont la forme ; elle ressemble au niveau iris"}},
		{"cells shifted", func(rows [][]string) [][]string {
			rows[7] = append([]string{"x"}, rows[7][:len(rows[7])-1]...)
			return rows
		}, []string{"decalage attention 1 ligne(s) n'ont pas de code dans la colonne CODGEO mais dans la colonne de droite (ligne 8)"}},
		{"header shifted", func(rows [][]string) [][]string {
			for i := 1; i < len(rows); i++ {
				rows[i][0], rows[i][1] = rows[i][1], rows[i][0]
			}
			return rows
		}, []string{"decalage attention 30 ligne(s) n'ont pas de code"}},
		{"rows twice", func(rows [][]string) [][]string { return append(rows, rows[3], rows[4]) },
			[]string{"doublon_ligne attention 2 ligne(s) répètent une ligne entière (lignes 32, 33)"}},
		{"a count as a percentage", column(2, func(i int, _ string) string { return fmt.Sprint(1000 + 37*i) }),
			[]string{"unite attention part (colonne PART) est dite en %, et 30 valeur(s) sur 30 dépassent 100 (lignes 2, 3, 4 et 27 autres), jusqu'à 2110. Cause probable : un effectif"}},
		{"the decimal comma eaten", column(2, func(_ int, s string) string { return strings.ReplaceAll(s, ",", "") }),
			[]string{"unite attention part (colonne PART) est dite en %, et 29 valeur(s) sur 30 dépassent 100 (lignes 3, 4, 5 et 26 autres), jusqu'à 399. Cause probable : une virgule décimale perdue"}},
		{"shares of one", column(2, func(i int, _ string) string { return fmt.Sprintf("0,%02d", i) }),
			[]string{"unite attention part (colonne PART) est dite en %, et ses 30 valeurs sont entre 0 et 1"}},
		{"a share above 100", one(9, 2, "112,5"), []string{"bornes attention part (colonne PART) : 1 part(s) au-dessus de 100 % (ligne 10), jusqu'à 112.5"}},
		{"a negative share", one(9, 2, "-1"), []string{"negatif attention part (colonne PART) : 1 part(s) négatives (ligne 10)"}},
		{"a percentage as a count", func(rows [][]string) [][]string {
			for i := 1; i < len(rows); i++ {
				rows[i][3], rows[i][4], rows[i][5], rows[i][6], rows[i][7] = fmt.Sprintf("%d,5", 40+i), "", "", "", ""
			}
			return rows
		}, []string{"unite attention total (colonne TOT) est dite un effectif, et ses 30 valeurs sont entre 0 et 100, avec des décimales"}},
		{"women and men", one(4, 5, "900"), []string{"sexes attention total (colonne TOT) diffère de femmes + hommes (TOT_F + TOT_H) sur 1 ligne(s) de 30 (ligne 5 ; 13004 : 244 contre 1021)"}},
		{"rounding of one", one(4, 5, "122"), nil},
		{"the parts", one(4, 7, "90"), []string{"somme attention total (colonne TOT) diffère de la somme de JEUNES + VIEUX sur 1 ligne(s) de 30 (ligne 5 ; 13004 : 244 contre 294)"}},
		{"thousands of euros", column(8, func(i int, _ string) string { return fmt.Sprintf("%d,5", 17+i%5) }),
			[]string{"unite attention revenu (colonne REV) est dite en €/an, et ses valeurs ne dépassent guère 21.5"}},
		{"euros a month", column(8, func(i int, _ string) string { return fmt.Sprint(1500 + i) }),
			[]string{"unite attention revenu (colonne REV) est dite en €/an, et ses valeurs sont celles d'un mois"}},
		{"an index above 1", column(9, func(i int, _ string) string { return fmt.Sprint(200 + i) }),
			[]string{"unite attention gini (colonne GINI) est un indice entre 0 et 1, et va jusqu'à 230"}},
		{"a constant", column(8, func(int, string) string { return "18000" }), []string{"constante attention revenu (colonne REV) vaut 18000 partout (30 lignes)"}},
		{"zeros", column(2, func(int, string) string { return "0" }), []string{"constante attention part (colonne PART) n'a que des zéros (30 lignes)"}},
	}
	card, err := LoadCard("essai.yaml", []byte(diagnosedCard))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := diagnosed(t, tt.damage(cleanTable()), Examination{Card: card, Scope: []string{"13"}, Definitions: diagnosedDefinitions})
			var lines []string
			for _, a := range got {
				lines = append(lines, a.Kind+" "+a.Gravite+" "+a.Message)
				if a.Objet != "table.csv" || !strings.HasPrefix(a.ID, "diagnostic:"+a.Kind+":table.csv:") {
					t.Errorf("objet %q, id %q", a.Objet, a.ID)
				}
			}
			if len(lines) != len(tt.want) {
				t.Fatalf("%d alerts, want %d:\n%s", len(lines), len(tt.want), strings.Join(lines, "\n"))
			}
			for i, w := range tt.want {
				if !strings.HasPrefix(lines[i], w) {
					t.Errorf("got  %s\nwant %s", lines[i], w)
				}
			}
		})
	}
}

// Perturbed figures need not add up, and those a producer rounds to 5 or 10 add up to that.
func TestDiagnoseSpares(t *testing.T) {
	off := cleanTable()
	for i := 1; i < len(off); i++ {
		off[i][5] = fmt.Sprint(95 + 11*i)
	}
	load := func(text string) *Card {
		card, err := LoadCard("essai.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return card
	}
	if got := diagnosed(t, off, Examination{Card: load(diagnosedCard), Definitions: diagnosedDefinitions}); len(got) != 1 || got[0].Kind != "sexes" {
		t.Errorf("%v, want one alert on women and men", got)
	}
	perturbed := load(strings.Replace(diagnosedCard, "protection: aucune", "protection: perturbation", 1))
	if got := diagnosed(t, off, Examination{Card: perturbed, Definitions: diagnosedDefinitions}); len(got) > 0 {
		t.Errorf("perturbed: %v", got)
	}
	rounded := [][]string{{"CODGEO", "TOT", "TOT_F", "TOT_H"}}
	for i := range 30 {
		rounded = append(rounded, []string{fmt.Sprintf("13%03d", i+1), fmt.Sprint(110 + 10*i), fmt.Sprint(60 + 5*i/5*5), fmt.Sprint(45 + (10*i - 5*i/5*5))})
	}
	if got := diagnosed(t, rounded, Examination{Card: load(diagnosedCard), Definitions: diagnosedDefinitions}); len(got) > 0 {
		t.Errorf("rounded to 5: %v", got)
	}
}

// The published files that are known to be damaged say how; the sound ones of the same families say nothing.
func TestRealDiagnose(t *testing.T) {
	dir := realDir(t)
	cat := bundled(t)
	text, err := os.ReadFile("../data/catalogue/indicators.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defs, err := LoadDefinitions("indicators.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	kinds := func(path string, x Examination) []string {
		t.Helper()
		x.Definitions = defs
		got, err := Diagnose(context.Background(), filepath.Join(dir, path), x)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, a := range got {
			out = append(out, a.Kind)
		}
		return slices.Compact(out)
	}
	check := func(path string, x Examination, want ...string) {
		t.Helper()
		if got := kinds(path, x); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	check("admin/EPCI_leading_zero_lost.csv.gz", Examination{Key: "COM", Level: "commune"}, "zeros_perdus")
	check("admin/EPCI_2020.csv.gz", Examination{Key: "CODGEO", Level: "commune"})
	check("commune_stats/Fichier_CEREMA_Art_2009-2020_PACA.xls", Examination{Key: "IDCOM", Level: "commune", Scope: []string{"13"}}, "encodage")
	check("iris_stats/rp_paris/diplomes-2015.csv.gz", Examination{Key: "IRIS", Level: "iris", Scope: []string{"13"}}, "autre_departement")
	check("admin/EPCI_2020.csv.gz", Examination{Key: "EPCI", Level: "commune"}, "niveau_cle")
	for _, pattern := range []string{"qpv_kits/*_20*.csv.gz", "iris_stats/*.csv.gz", "iris_stats/rfdu_13/*.csv", "commune_stats/FILO*.gz"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		if len(files) == 0 {
			t.Errorf("no file %s", pattern)
		}
		for _, path := range files {
			cards := cat.Match(filepath.Base(path))
			if len(cards) != 1 {
				continue
			}
			var want []string
			if strings.HasPrefix(filepath.Base(path), "ptod_agg") { // one share of 101.39 %
				want = []string{"bornes"}
			}
			rel, _ := filepath.Rel(dir, path)
			check(rel, Examination{Card: cards[0], Scope: []string{"13"}}, want...)
		}
	}
}
