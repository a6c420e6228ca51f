package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// passageProject is the demonstration with its figures of communes in an older geography, where Istres was two communes.
func passageProject(t *testing.T) string {
	t.Helper()
	dir := demoProject(t)
	edit(t, filepath.Join(dir, "cards", "demo-commune.yaml"), "vintage: 2015", "vintage: 2013")
	if err := os.WriteFile(filepath.Join(dir, "donnees", "passage.csv"), []byte("avant;apres;part\n13047;13047;\n13900;13047;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(dir, "donnees", "contrat-commune-2015.csv")
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table, append(text, []byte("13900;Entressen;population;T;2015;1000;inventé;\n")...), 0o600); err != nil {
		t.Fatal(err)
	}
	change(t, dir, "\nreferences:", "\npassages:\n  - {file: donnees/passage.csv, level: commune, from: 2013, to: 2015}\n\nreferences:")
	return dir
}

func TestPassageOnBothStores(t *testing.T) {
	check := func(t *testing.T, store ...string) {
		args := append([]string{"-C", passageProject(t)}, store...)
		must(t, append(args, "run", "--publish", "--by", "essai")...)
		merged, refused := 0, 0
		for _, row := range readCSV(t, must(t, append(args, "series", "--zone", "13047", "--format", "csv")...)) {
			switch {
			case strings.HasPrefix(row["indicateur"], "RE-"), strings.HasPrefix(row["indicateur"], "ops_"): // of today's communes
			case row["indicateur"] == "population" && row["millesime"] == "2015":
				merged++
				if row["methode"] != "passage" || row["nature"] != "estimation" || row["valeur"] != "43944" { // 42 944 and 1 000
					t.Errorf("population of 2015: %v", row)
				}
			case row["statut"] == "disponible":
				t.Errorf("a figure of one of the two communes stands for both: %v", row)
			default:
				refused++
			}
		}
		if merged != 1 || refused == 0 {
			t.Errorf("%d merged, %d refused", merged, refused)
		}
		review := must(t, append(args, "review")...)
		if !strings.Contains(review, "portées de commune-2013 à commune-2015 : 1 zone(s) fusionnées, 0 scindées, 1 à qui il manque des chiffres ; incomplètes : 13047") {
			t.Errorf("review:\n%s", review)
		}
	}
	t.Run("geopackage", func(t *testing.T) { check(t) })
	t.Run("postgis", func(t *testing.T) { check(t, "--store", postgis(t)) })
}

func TestPassageConfig(t *testing.T) {
	one := "{file: donnees/passage.csv, level: commune, from: 2013, to: 2015}"
	tests := []struct{ name, with, want string }{
		{"no file", "{level: commune, from: 2013, to: 2015}", "passages[0]: file: missing"},
		{"held contours", "{file: donnees/passage.csv, level: commune, from: 2015, to: 2013}", "passages[0]: the project has the contours commune-2015"},
		{"nowhere", "{file: donnees/passage.csv, level: commune, from: 2013, to: 2014}", `passages[0]: no layer "commune-2014" under layers`},
		{"same", "{file: donnees/passage.csv, level: commune, from: 2013, to: 2013}", "passages[0]: from and to are the same geography, 2013"},
		{"twice", one + "\n  - " + one, "passages[1]: commune-2013 has a passage already"},
		{"no table", "{file: donnees/absent.csv, level: commune, from: 2013, to: 2015}", "absent.csv: no such file"},
		{"another card", "{file: donnees/passage.csv, card: passage-iris, level: commune, from: 2013, to: 2015}", "the card passage-iris is of level iris, not commune"},
		{"no card", "{file: donnees/passage.csv, card: passages, level: commune, from: 2013, to: 2015}", `no card "passages"`},
	}
	for _, tt := range tests {
		dir := passageProject(t)
		change(t, dir, one, tt.with)
		if code, _, errs := cli(t, "-C", dir, "run"); code != exitRefused || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit %d, %s\nwant %s", tt.name, code, errs, tt.want)
		}
	}
}

// Contours given under two years are reported by the run and by the review.
func TestSameContoursUnderTwoYears(t *testing.T) {
	dir := demoProject(t)
	change(t, dir, "\ntables:", "\n  - {card: demo-contours, level: iris, vintage: 2012, file: contours/iris.geojson}\n\ntables:")
	_, _, errs := cli(t, "-C", dir, "run")
	if !strings.Contains(errs, "warning: layers iris-2010 and iris-2012 have the same contours") {
		t.Errorf("run:\n%s", errs)
	}
	if review := must(t, "-C", dir, "review"); !strings.Contains(review, "les contours iris-2010 et iris-2012 sont les mêmes, au point près") {
		t.Errorf("review:\n%s", review)
	}
}

// Between the editions of 2013 and 2016 some codes of IRIS of the Bouches-du-Rhône changed place.
func TestRealCodesThatMoved(t *testing.T) {
	dir := realRun(t)
	review := must(t, "-C", dir, "review")
	if !strings.Contains(review, "31 codes communs à iris-2013 et iris-2016 n'y désignent pas le même lieu") {
		t.Errorf("review:\n%s", review)
	}
}
