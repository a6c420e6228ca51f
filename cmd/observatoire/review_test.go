package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"observatoire/geo"
	"observatoire/indicators"
)

// What blocks holds an edition back until it is decided, and again once its content has changed; a row that waives
// a guard stays beside the decision, whose reason comes back as it was written.
func TestUndecided(t *testing.T) {
	p := &project{dir: t.TempDir()}
	path := filepath.Join(p.dir, decisionsFile)
	if err := os.WriteFile(path, []byte("garde;portee;auteur;motif;date\nenquetes_communes;QP013061;comité;prudence;2026-01-15\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	x := indicators.Alerte{ID: `autre_departement:a;b,"c"`, Kind: "autre_departement", Gravite: "bloquante", Objet: "f.csv", Message: "m"}
	e := &indicators.Edition{Alertes: []indicators.Alerte{x}}
	if err := p.undecided(e); err == nil || !strings.Contains(err.Error(), number(x)) {
		t.Errorf("undecided: %v", err)
	}
	why := "vu ; « oui », \"sûr\"\nsigné"
	if err := p.decide(decision{x.ID, "accepte", "L. Martin", why, "2026-01-15", contentOf(x)}); err != nil {
		t.Fatal(err)
	}
	if err := p.undecided(e); err != nil {
		t.Errorf("decided, and yet: %v", err)
	}
	if d, err := p.decisions(); err != nil || d[x.ID].Motif != why {
		t.Errorf("decisions: %+v, %v", d, err)
	}
	guards, _, err := p.guards()
	if err != nil {
		t.Fatal(err)
	}
	if list, err := p.derogations(guards, []geo.ZoneSet{{Zones: []geo.Zone{{Code: "QP013061"}}}}); err != nil || len(list) != 1 || list[0].Motif != "prudence" {
		t.Errorf("derogations: %+v, %v", list, err)
	}
	e.Alertes[0].Message = "n"
	if err := p.undecided(e); err == nil {
		t.Error("its content changed, and the decision still holds")
	}
}
