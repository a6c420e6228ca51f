package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A decision that names no guard, no author, no reason and no day is refused, cell by cell; a good one is read.
func TestDerogations(t *testing.T) {
	p := &project{dir: t.TempDir()}
	guards, err := p.guards()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.dir, decisionsFile)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("garde;portee;auteur;motif;date\nenquetes_communes;QP013061;comité de pilotage;lu avec prudence;2026-01-15\n")
	list, err := p.derogations(guards)
	if err != nil || len(list) != 1 || list[0].Auteur != "comité de pilotage" || list[0].Portee != "QP013061" {
		t.Errorf("read %+v, %v", list, err)
	}
	write("garde;portee;auteur;motif;date\nx;;;;hier\nenquetes_communes;inconnu:QP013061;a;b;2026-01-15\n")
	_, err = p.derogations(guards)
	for _, want := range []string{`:2: garde: no guard "x"`, ":2: portee: empty", ":2: auteur: empty", ":2: motif: empty", `:2: date: "hier" is not a day`, `:3: portee: no indicator "inconnu"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
