package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"observatoire/indicators"
)

// bareProject is a project with the catalogue alone.
func bareProject(t *testing.T) *project {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, projectFile), []byte("title: t\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := loadProject(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every built-in indicator says whom it is of, and which cards give it; what none gives is printed by documents alone, and its
// note says so or what it is. The nucleus of the contrat and the themes of the national observatory are there.
func TestBuiltInDefinitions(t *testing.T) {
	p := bareProject(t)
	guards, _, err := p.guards()
	if err != nil {
		t.Fatal(err)
	}
	// Of these the contrat prints figures, and no open source has any today.
	printed := []string{"revenu_median_uc", "part_cmuc", "part_sans_diplome", "part_logement_social", "part_population_bas_revenu", "part_foyers_non_imposables", "part_menages_allocation_chomage"}
	themes, sexed := map[string]int{}, map[string][]string{}
	for _, d := range p.definitions {
		themes[d.Theme]++
		sexed[d.ID] = d.Sexes
		doc := p.document(d, guards)
		if d.Unit == "%" && doc.Base == "" && !strings.Contains(d.Label, "parmi les revenus") {
			t.Errorf("%s: %q does not state its base", d.ID, d.Label)
		}
		if len(d.Sexes) == 0 || d.Theme == "" || doc.Formule == "" {
			t.Errorf("%s: sexes %v, theme %q, formula %q", d.ID, d.Sexes, d.Theme, doc.Formule)
		}
		if slices.Contains(printed, d.ID) {
			if len(doc.Sources) > 0 || d.Note == "" {
				t.Errorf("%s: said to be of no card: %d cards, note %q", d.ID, len(doc.Sources), d.Note)
			}
			continue
		}
		if len(doc.Sources) == 0 {
			t.Errorf("%s: no card gives %v", d.ID, doc.Absentes)
		}
		for _, s := range doc.Sources {
			if _, ok := p.catalogue.Card(s.Fiche); !ok || len(s.Niveaux) == 0 || len(s.Millesimes) == 0 {
				t.Errorf("%s: source %+v", d.ID, s)
			}
		}
		for _, v := range doc.Absentes { // an own value that only a document prints beside the terms of the cards
			if v != d.Value {
				t.Errorf("%s: no card gives %s", d.ID, v)
			}
		}
	}
	for _, theme := range []string{"Population", "Familles et ménages", "Revenus et pauvreté", "Prestations", "Santé", "Emploi", "Formation", "Logement", "Équipements"} {
		if themes[theme] < 3 {
			t.Errorf("%s: %d indicators", theme, themes[theme])
		}
	}
	for _, id := range []string{"population", "revenu_median_uc", "part_familles_monoparentales", "part_0_24_ans", "indice_jeunesse", "part_menages_imposes", "part_foyers_non_imposables",
		"part_logement_social", "part_menages_allocation_chomage", "part_ouvriers_employes", "part_population_bas_revenu"} {
		if sexed[id] == nil {
			t.Errorf("the nucleus has no %s", id)
		}
	}
	for _, id := range []string{"part_cmuc", "taux_chomage", "part_temps_partiel", "part_sans_diplome", "part_diplome_superieur_long", "taux_activite_25_64_ans"} {
		if !slices.Equal(sexed[id], []string{"T", "F", "H"}) {
			t.Errorf("%s: sexes %v", id, sexed[id])
		}
	}
	// The breaks and guards of the sources reach the indicator.
	says := func(id, want string) {
		t.Helper()
		i := slices.IndexFunc(p.definitions, func(d indicators.Definition) bool { return d.ID == id })
		doc := p.document(p.definitions[i], guards)
		if !strings.Contains(strings.Join(slices.Concat(doc.Ruptures, doc.Gardes), "\n"), want) {
			t.Errorf("%s does not say %q: %v %v", id, want, doc.Ruptures, doc.Gardes)
		}
	}
	says("taux_chomage", "enquetes_communes")
	says("part_familles_monoparentales", "complementaire_2000")
	says("part_sans_diplome_ou_brevet", "2013 : La question sur le diplôme")
	says("taux_pauvrete", "filosofi_2022")
	says("defm_abc", "defm_trimestres")
	says("part_c2s", "cnam_annees_consecutives")
}

// One indicator is documented by the command, with the order its calibration gave in the latest edition.
func TestIndicatorDocumentation(t *testing.T) {
	dir := demoProject(t)
	if out := must(t, "-C", dir, "indicators", "niveau_de_vie_median"); !strings.Contains(out, "ordre de la règle « mediane »") {
		t.Errorf("before any edition:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "observatoire.gpkg")); err == nil {
		t.Error("the documentation made a store")
	}
	latestEdition(t, dir)
	out := must(t, "-C", dir, "indicators", "taux_pauvrete")
	for _, want := range []string{"base         parmi les personnes", "filosofi-iris — ", "Ruptures de la série", "filosofi_2022", "methodes_differentes"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	var doc struct {
		ID      string
		Sources []struct{ Fiche string }
	}
	if err := json.Unmarshal([]byte(must(t, "-C", dir, "indicators", "taux_pauvrete", "--format", "json")), &doc); err != nil || doc.ID != "taux_pauvrete" || len(doc.Sources) < 3 {
		t.Errorf("json: %+v, %v", doc, err)
	}
	if code, _, errs := cli(t, "-C", dir, "indicators", "taux_pauvreté"); code != exitUsage || !strings.Contains(errs, "nearest are taux_pauvrete") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
