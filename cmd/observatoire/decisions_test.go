package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"observatoire/geo"
)

// A decision that names no guard, no author, no reason and no day is refused, cell by cell; a good one is read.
func TestDerogations(t *testing.T) {
	p := &project{dir: t.TempDir()}
	guards, own, err := p.guards()
	if err != nil {
		t.Fatal(err)
	}
	if len(own) != 0 {
		t.Errorf("guards of a project that has none: %v", own)
	}
	sets := []geo.ZoneSet{{Layer: "qpv-2015", Zones: []geo.Zone{{Code: "QP013061"}}}}
	path := filepath.Join(p.dir, decisionsFile)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("garde;portee;auteur;motif;date\nenquetes_communes;QP013061;comité de pilotage;lu avec prudence;2026-01-15\n")
	list, err := p.derogations(guards, sets)
	if err != nil || len(list) != 1 || list[0].Auteur != "comité de pilotage" || list[0].Portee != "QP013061" {
		t.Errorf("read %+v, %v", list, err)
	}
	write("garde;portee;auteur;motif;date\nx;;;;hier\nenquetes_communes;inconnu:QP013061;a;b;2026-01-15\n")
	_, err = p.derogations(guards, sets)
	for _, want := range []string{`:2: garde: no guard "x"`, ":2: portee: empty", ":2: auteur: empty", ":2: motif: empty", `:2: date: "hier" is not a day`, `:3: portee: no indicator "inconnu"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// A project adds guards to those of the catalogue, or takes the place of one; what is wrong with them is told.
func TestProjectGuards(t *testing.T) {
	dir := demoProject(t)
	id := latestEdition(t, dir)
	var row map[string]string // a gap
	for _, r := range readCSV(t, must(t, "-C", dir, "methods", "--edition", id, "--zone", "QP013061", "--all-years", "--format", "csv")) {
		if r["ecart"] != "" && row == nil && !strings.Contains(r["source"], "convention") {
			row = r
		}
	}
	if row == nil {
		t.Fatal("the demonstration has no gap")
	}
	text := "- id: enquete_locale\n  rule: inexistant\n  millesimes: [" + row["millesime"] + "]\n" +
		"  sentence: \"L'enquête locale n'a pas eu lieu en {quoi}.\"\n  source: \"Service des études\"\n"
	path := filepath.Join(dir, guardsFile)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	id = latestEdition(t, dir)
	found := false
	for _, r := range readCSV(t, must(t, "-C", dir, "methods", "--edition", id, "--zone", row["code"], "--indicator", row["indicateur"], "--all-years", "--format", "csv")) {
		if r["code_reference"] == row["code_reference"] && r["millesime"] == row["millesime"] && r["sexe"] == row["sexe"] {
			found = true
			if r["ecart"] != "" || !strings.Contains(r["motif"], "L'enquête locale n'a pas eu lieu en "+row["millesime"]+". (Service des études)") {
				t.Errorf("not refused: %v", r)
			}
		}
	}
	if !found {
		t.Error("the row is gone")
	}
	if review := must(t, "-C", dir, "review", "--edition", id); !strings.Contains(review, "garde du projet") {
		t.Errorf("the review does not name the guard of the project:\n%s", review)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, "  rule:", "  variables: [inconnue]\n  rule:", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if review := must(t, "-C", dir, "review", "--edition", latestEdition(t, dir)); !strings.Contains(review, "elle ne concerne aucun chiffre du projet : voir ses variables (inconnue)") {
		t.Errorf("the review does not say that the guard is about nothing:\n%s", review)
	}
	for _, tt := range []struct{ text, want string }{
		{"- id: x\n  rule: nulle\n  sentence: a\n  source: b\n", `guards.yaml: x: rule: "nulle": one of enquetes`},
		{"- id: x\n  rule: consecutifs\n  sentence: a\n", "guards.yaml: x: sentence and source are needed"},
		{"- id: x\n  regle: consecutifs\n", "regle"},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := cli(t, "-C", dir, "run"); code != exitRefused || !strings.Contains(errs, tt.want) {
			t.Errorf("%q: exit %d, %s", tt.text, code, errs)
		}
	}
}

// latestEdition is the id of the last edition of a project.
func latestEdition(t *testing.T, dir string) string {
	t.Helper()
	rows := strings.Fields(must(t, "-C", dir, "run"))
	return rows[len(rows)-1]
}
