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

// A code that a table of passage leads to, and that no contour has, is told with where its figures came from.
func TestPassageToNowhere(t *testing.T) {
	dir := passageProject(t)
	put("donnees/passage.csv", "avant;apres;part\n13900;13047;0,6\n13900;13999;0,4\n13901;13998;\n")(t, dir)
	must(t, "-C", dir, "run")
	review := must(t, "-C", dir, "review")
	if want := "la table de passage mène à 1 code(s) que la couche commune-2015 n'a pas : 13999 (de 13900) ; leurs chiffres ne sont sur aucun contour"; !strings.Contains(review, want) {
		t.Errorf("no %q in\n%s", want, review)
	}
}

// A split commune goes by its shares, whole; the count of its second half is added to the commune that takes it.
func TestPassageOfASplit(t *testing.T) {
	dir := passageProject(t)
	put("donnees/passage.csv", "avant;apres;part\n13900;13047;0,6\n13900;13063;0,4\n")(t, dir)
	must(t, "-C", dir, "run", "--publish", "--by", "essai")
	for code, want := range map[string]string{"13047": "43544", "13063": "25464"} { // 42 944 + 600, 25 064 + 400
		found := false
		for _, row := range readCSV(t, must(t, "-C", dir, "series", "--indicator", "population", "--zone", code, "--format", "csv")) {
			if row["millesime"] == "2015" && row["couche"] == "commune-2015" {
				found = true
				if row["valeur"] != want || row["methode"] != "passage" || row["nature"] != "estimation" {
					t.Errorf("%s: %v, want %s by passage", code, row, want)
				}
			}
		}
		if !found {
			t.Errorf("%s: no population of 2015", code)
		}
	}
}

// An intercommunalité that changed its code keeps the figures it had under the other: the SAN Ouest Provence, 241300177, merged into the
// métropole, 200054807, on 1 January 2016. The figures are invented.
func TestPassageOfAnEPCIThatChangedCode(t *testing.T) {
	for _, tt := range []struct{ name, table, passage, want, method string }{
		{"code alone", "241300177;SAN;97000;1\n", "241300177;200054807;\n", "97000", "producteur"},
		{"merged with another", "241300177;SAN;97000;1\n241300391;CPA;3000;1\n", "241300177;200054807;\n241300391;200054807;\n", "100000", "passage"},
		{"one of two is missing", "241300177;SAN;97000;1\n", "241300177;200054807;\n241300391;200054807;\n", "", "passage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := demoProject(t)
			change(t, dir, "\ntables:", "\n  - {level: epci, vintage: 2016, code: \"200054807\", name: Métropole, dissolve: commune-2015, members: perimetre_contrat}\n\ntables:\n  - {card: epci-essai, file: donnees/epci.csv}")
			change(t, dir, "\nreferences:", "\npassages:\n  - {file: donnees/passage-epci.csv, level: epci, from: 2015, to: 2016}\n\nreferences:")
			put("cards/epci-essai.yaml", "id: epci-essai\nkind: table\ntitle: Essai\nproducer: Essai\nlicence: Essai\ncaption: Essai\nfiles: [\"epci.csv\"]\nlevel: epci\nvintage: 2015\n"+
				"table: {separator: \";\"}\nkey: [code]\nprotection: aucune\nvariables: [{id: population, columns: POP, millesime: 2015}]\n")(t, dir)
			put("donnees/epci.csv", "code;nom;POP;X\n"+tt.table)(t, dir)
			put("donnees/passage-epci.csv", "avant;apres;part\n"+tt.passage)(t, dir)
			must(t, "-C", dir, "run", "--publish", "--by", "essai")
			found := false
			for _, row := range readCSV(t, must(t, "-C", dir, "series", "--indicator", "population", "--zone", "200054807", "--format", "csv")) {
				if row["millesime"] == "2015" {
					found = true
					if row["valeur"] != tt.want || tt.want != "" && row["methode"] != tt.method {
						t.Errorf("%v, want %q by %s", row, tt.want, tt.method)
					}
				}
			}
			if !found {
				t.Error("no population of 2015 under 200054807")
			}
		})
	}
}
