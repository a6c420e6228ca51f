package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A percentage or a count that cannot be holds publication back, until it is corrected or someone answers for it; what rounding may
// explain, and what may lie out of bounds by its definition, does not.
func TestOutOfBounds(t *testing.T) {
	onBothStores(t, func(t *testing.T, store ...string) {
		dir := demoProject(t)
		at := append([]string{"-C", dir}, store...)
		file := filepath.Join(dir, "donnees/contrat-qpv-2015.csv")
		rewrite(t, file, `(QP013061;Le Prépaou;part_logement_social;T;inconnu;)72;`, "${1}541;")
		rewrite(t, file, `(QP013061;Le Prépaou;part_menages_non_imposables;T;inconnu;)53,9;`, "${1}101,4;")
		rewrite(t, file, `(QP013061;Le Prépaou;population;T;inconnu;)3100;`, "${1}-3100;")
		draft := strings.TrimSpace(must(t, append(at, "run")...))
		publish := func() string {
			code, _, errs := cli(t, append(at, "publish", "--by", "A", "--edition", draft)...)
			if (code == exitFailed) != (strings.Contains(errs, "is not published")) {
				t.Fatalf("publish: exit %d, %s", code, errs)
			}
			return errs
		}
		errs := publish()
		for _, want := range []string{"hors de 0 à 100 % : QP013061 : 541,0", "négatives, alors que ce sont des effectifs : QP013061"} {
			if !strings.Contains(errs, want) {
				t.Errorf("no %q in %s", want, errs)
			}
		}
		for _, no := range []string{"101,4", "evolution_population"} {
			if strings.Contains(errs, no) {
				t.Errorf("%s is held back: %s", no, errs)
			}
		}
		var rows []reviewRow
		if err := json.Unmarshal([]byte(must(t, append(at, "review", "--format", "json")...)), &rows); err != nil {
			t.Fatal(err)
		}
		for _, x := range rows {
			if x.Gravite == "bloquante" && strings.HasPrefix(x.ID, "bornes:part_logement_social:") {
				must(t, append(at, "review", "--decide", x.Numero, "--as", "accepte", "--by", "L. Martin", "--why", "confirmé par le bailleur")...)
			}
		}
		if errs := publish(); strings.Contains(errs, "541") || !strings.Contains(errs, "négatives") {
			t.Errorf("with one of the two decided: %s", errs)
		}
		correction := "fiche;variable;code;millesime;sexe;valeur;motif;auteur;jusqu_au\ndemo-qpv;population;QP013061;inconnu;T;3100;signe;L. Martin;\n"
		if err := os.WriteFile(filepath.Join(dir, "corrections.csv"), []byte(correction), 0o644); err != nil {
			t.Fatal(err)
		}
		draft = strings.TrimSpace(must(t, append(at, "run")...))
		if errs := publish(); strings.Contains(errs, "is not published") {
			t.Errorf("decided and corrected: %s", errs)
		}
	})
}
