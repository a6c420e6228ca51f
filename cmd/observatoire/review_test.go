package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	x := indicators.Alerte{ID: `autre_departement:a;b,"c"`, Kind: "autre_departement", Gravite: "bloquante", Objet: "f.csv", Message: "aucune des 12 lignes n'est du département 13"}
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
	e.Alertes[0].Message = "sur 12 lignes, aucune du 13"
	if err := p.undecided(e); err != nil {
		t.Errorf("said otherwise, of the same figures: %v", err)
	}
	for _, message := range []string{"aucune des 14 lignes n'est du département 13", "aucune des 12 lignes n'est du département 84", "aucune des 12 lignes de TX_F n'est du département 13"} {
		e.Alertes[0].Message = message
		if err := p.undecided(e); err == nil {
			t.Errorf("%s: its content changed, and the decision still holds", message)
		}
	}
}

// onBothStores runs a test on a GeoPackage, and on PostGIS where there is one; its arguments name the store.
func onBothStores(t *testing.T, f func(t *testing.T, store ...string)) {
	t.Run("geopackage", func(t *testing.T) { f(t) })
	t.Run("postgis", func(t *testing.T) { f(t, "--store", postgis(t)) })
}

// A table of another département, all of whose rows are of a zone the project holds, blocks: publish stops until someone decides, and what was
// decided goes with the edition.
func TestPublishStopsOnWhatBlocks(t *testing.T) {
	onBothStores(t, func(t *testing.T, store ...string) {
		dir := demoProject(t)
		at := append([]string{"-C", dir}, store...)
		for _, file := range []string{"contours/qpv.geojson", "observatoire.yaml"} {
			rewrite(t, filepath.Join(dir, file), "QP013063", "QP084063")
		}
		rewrite(t, filepath.Join(dir, "observatoire.yaml"), `(?m)^tables:`, "tables:\n  - {card: demo-qpv, file: donnees/autre.csv}")
		table := "code;territoire;indicateur;sexe;millesime;valeur;reference;note\nQP084063;La Maille;population;T;2012;5%d00;ailleurs;\n"
		write := func(n int) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "donnees/autre.csv"), fmt.Appendf(nil, table, n), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(4)
		draft := strings.TrimSpace(must(t, append(at, "run")...))
		code, _, errs := cli(t, append(at, "publish", "--by", "A")...)
		if code != exitFailed || !strings.Contains(errs, "aucune des 1 lignes") {
			t.Fatalf("publish: exit %d, %s", code, errs)
		}
		var rows []reviewRow
		read := func() (blocking reviewRow) {
			t.Helper()
			rows = nil
			if err := json.Unmarshal([]byte(must(t, append(at, "review", "--format", "json")...)), &rows); err != nil {
				t.Fatal(err)
			}
			if rows[0].Gravite != "bloquante" {
				t.Fatalf("what blocks is not first: %+v", rows[0])
			}
			return rows[0]
		}
		x := read()
		if code, _, errs := cli(t, append(at, "review", "--decide", x.Numero, "--as", "oui", "--by", "L. Martin", "--why", "r")...); code != exitUsage {
			t.Errorf("an unknown decision: exit %d, %s", code, errs)
		}
		must(t, append(at, "review", "--decide", x.Numero, "--as", "accepte", "--by", "L. Martin", "--why", "vu au téléphone")...)
		if x = read(); !strings.HasPrefix(x.Decision, "accepte par L. Martin le ") || !strings.HasSuffix(x.Decision, "vu au téléphone") {
			t.Errorf("review: %q", x.Decision)
		}
		must(t, append(at, "publish", "--by", "A")...)
		shown := must(t, append(at, "editions", draft)...)
		for _, want := range []string{draft + ", publiée par A", "accepte", x.ID, "L. Martin", "vu au téléphone"} {
			if !strings.Contains(shown, want) {
				t.Errorf("editions: no %q in\n%s", want, shown)
			}
		}
		// The published edition keeps its decision when the project has it no more; the same inputs are the same edition.
		decisions := filepath.Join(dir, decisionsFile)
		kept, err := os.ReadFile(decisions)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(decisions); err != nil {
			t.Fatal(err)
		}
		if again := strings.TrimSpace(must(t, append(at, "run")...)); again != draft {
			t.Errorf("another edition, %s and %s, of the same inputs", draft, again)
		}
		if x = read(); !strings.HasPrefix(x.Decision, "accepte par L. Martin") {
			t.Errorf("review of the published edition: %q", x.Decision)
		}
		// Other figures of the same anomaly do not reopen it, a row more does.
		if err := os.WriteFile(decisions, kept, 0o644); err != nil {
			t.Fatal(err)
		}
		write(5)
		must(t, append(at, "run", "--publish", "--by", "A")...)
		table += "QP084063;La Maille;population;T;2011;5100;ailleurs;\n"
		write(6)
		must(t, append(at, "run")...)
		if code, _, errs := cli(t, append(at, "publish", "--by", "A")...); code != exitFailed || !strings.Contains(errs, "aucune des 2 lignes") {
			t.Errorf("publish of what changed: exit %d, %s", code, errs)
		}
		if x = read(); !strings.Contains(x.Decision, "à revoir") {
			t.Errorf("review of what changed: %q", x.Decision)
		}
	})
}

// A comment survives runs as it was written, and is flagged when the figures it speaks of moved.
func TestComments(t *testing.T) {
	onBothStores(t, func(t *testing.T, store ...string) {
		dir := demoProject(t)
		at := append([]string{"-C", dir}, store...)
		path := filepath.Join(dir, commentsFolder, "QP013061.md")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		const text = "La part de la CMU-C **dépasse** celle d'Istres.\n\n---\n\nÀ suivre.\n"
		write(text)
		flagged := func() string {
			t.Helper()
			must(t, append(at, "run")...)
			var rows []reviewRow
			if err := json.Unmarshal([]byte(must(t, append(at, "review", "--format", "json")...)), &rows); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(rows, func(r reviewRow) bool { return r.Nature == "commentaire" })
			if i < 0 {
				return ""
			}
			return rows[i].Message
		}
		if got := flagged(); !strings.Contains(got, "rien ne dit sur quels chiffres") {
			t.Errorf("not signed: %q", got)
		}
		must(t, append(at, "review", "--comment", "QP013061", "--by", "L. Martin")...)
		signed, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(signed), "---\n\n"+text) || !strings.Contains(string(signed), "auteur: L. Martin\n") {
			t.Errorf("the text is not as written:\n%s, %v", signed, err)
		}
		if got := flagged(); got != "" {
			t.Errorf("nothing moved: %q", got)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(signed) {
			t.Errorf("a run wrote into the comment: %v\n%s", err, now)
		}
		id := strings.TrimSpace(must(t, append(at, "run", "--publish", "--by", "A")...))
		if shown := must(t, append(at, "editions", id)...); !strings.Contains(shown, "QP013061") || !strings.Contains(shown, "L. Martin") {
			t.Errorf("editions:\n%s", shown)
		}
		rewrite(t, filepath.Join(dir, "donnees/contrat-iris-2015.csv"), `(?m)^(13047D001;[^;]*;part_cmuc;F;2010;)21,4`, "${1}31,4")
		if got := flagged(); !strings.Contains(got, "part_cmuc") || strings.Contains(got, "taux_chomage") {
			t.Errorf("part_cmuc moved: %q", got)
		}
		write(strings.Replace(string(signed), "auteur:", "indicateurs: [taux_chomage]\nauteur:", 1))
		if got := flagged(); got != "" {
			t.Errorf("it speaks of the unemployment alone: %q", got)
		}
		for _, tt := range []struct{ text, want string }{
			{"---\nauteur: A\n", "is not closed|does not end"}, {"---\nautor: A\n---\nb", "autor"}, {"---\nauteur: A\ndate: hier\n---\nb", `"hier" is not a day`},
			{"---\nauteur: A\n---\n", "no text"}, {"---\nauteur: A\nindicateurs: [x]\n---\nb", `no indicator "x"`}} {
			write(tt.text)
			if code, _, errs := cli(t, append(at, "run")...); code != exitRefused || !regexp.MustCompile(tt.want).MatchString(errs) {
				t.Errorf("%q: exit %d, %s", tt.text, code, errs)
			}
		}
		write(text)
		if err := os.Rename(path, filepath.Join(dir, commentsFolder, "QP999999.md")); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := cli(t, append(at, "run")...); code != exitRefused || !strings.Contains(errs, `no zone "QP999999"`) {
			t.Errorf("a comment of no zone: exit %d, %s", code, errs)
		}
	})
}

// What is wrong with the decisions is told before anything is read.
func TestDecisionsAreReadFirst(t *testing.T) {
	dir := demoProject(t)
	if err := os.WriteFile(filepath.Join(dir, decisionsFile), []byte("garde;portee;auteur;motif;date;decision;empreinte\nx;*;a;b;2026-01-15;;\nanomalie;i;a;b;hier;peut-être;e\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(dir, "observatoire.yaml"), "contours/iris.geojson", "contours/absent.geojson")
	code, _, errs := cli(t, "-C", dir, "run")
	for _, want := range []string{`:2: garde: no guard "x"`, `:3: decision: "peut-être"`, `:3: date: "hier"`} {
		if code != exitRefused || !strings.Contains(errs, want) {
			t.Errorf("exit %d, no %q: %s", code, want, errs)
		}
	}
	if strings.Contains(errs, "absent.geojson") {
		t.Errorf("the layers were read before: %s", errs)
	}
}

// The figures of a document are checked against each other and against the edition.
func TestReviewAgainst(t *testing.T) {
	dir := demoProject(t)
	latestEdition(t, dir)
	path := filepath.Join(t.TempDir(), "portrait.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("territoire;niveau;indicateur;sexe;annee;valeur;unite;page;sens;par_rapport_a;partie_de\n" +
		"Fos sur Mer;commune;population;T;2015;15 859;habitants;1;;;\n" + // as the edition has it, spelt otherwise
		"13047;commune;population;T;1999;39 983;habitants;2;;;\n" + // not 38 983
		"La Rousse 9;iris;taux;T;2010;12;%;3;;;\n" +
		"A;qpv;taux_b;T;2010;13;%;4;inférieur;B;\nB;ville;taux_b;T;2010;11;%;5;;;\n" +
		"A;ville;ecoles;T;2010;3;nombre;6;;;C:ecoles\nB;ville;ecoles;T;2010;4;nombre;7;;;C:ecoles\nC;ville;ecoles;T;2010;8;nombre;8;;;\n" +
		"A;ville;cout;T;2010;un million;EUR;9;;;\n")
	code, out, errs := cli(t, "-C", dir, "review", "--against", path, "--format", "csv")
	if code != 0 || !strings.Contains(errs, "ligne 10 : valeur « un million »") || !strings.Contains(errs, "8 figures, 2 of them of a producer") {
		t.Errorf("exit %d: %s", code, errs)
	}
	got := map[string]string{}
	for _, r := range readCSV(t, out) {
		got[r["genre"]+" "+r["lignes"]] = r["message"]
	}
	for k, want := range map[string]string{"edition 2": "imprimé 39 983 habitants, l'édition a 38 983 habitants", "zone_inconnue 3": "La Rousse 9", "sens 4, 5": "dit inférieur", "somme 8, 6, 7": "font 7"} {
		if !strings.Contains(strings.ReplaceAll(got[k], "\u202f", " "), want) {
			t.Errorf("%s: %q, want %q", k, got[k], want)
		}
	}
	if !strings.Contains(strings.Join(slices.Collect(maps.Keys(got)), " "), "zone_inconnue 4") || len(got) != 5 { // A is no quarter of the edition
		t.Errorf("found: %v", got)
	}
	for _, tt := range []struct{ text, want string }{{"zone;valeur\na;1\n", "no column indicateur"}, {"zone;indicateur;valeur\na;b;c\n", "no figure that is a number"}} {
		write(tt.text)
		if code, _, errs := cli(t, "-C", dir, "review", "--against", path); code != exitRefused || !strings.Contains(errs, tt.want) {
			t.Errorf("%q: exit %d, %s", tt.text, code, errs)
		}
	}
}

// A decision on what is published already is for the next edition, and says so: the published edition is not changed.
func TestReviewDecidesOnAPublishedEdition(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	var rows []reviewRow
	if err := json.Unmarshal([]byte(must(t, "-C", dir, "review", "--format", "json")), &rows); err != nil || len(rows) == 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	decide := func() string {
		t.Helper()
		code, _, errs := cli(t, "-C", dir, "review", "--decide", rows[0].Numero, "--as", "accepte", "--by", "L. Martin", "--why", "vu")
		if code != exitDone {
			t.Fatalf("exit %d: %s", code, errs)
		}
		return errs
	}
	if errs := decide(); !strings.Contains(errs, "this holds for the next edition") {
		t.Errorf("%q does not say that the published edition is not changed", errs)
	}
	path := filepath.Join(dir, projectFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "title: ", "title: Autre ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "-C", dir, "run") // another title is another edition
	if err := json.Unmarshal([]byte(must(t, "-C", dir, "review", "--format", "json")), &rows); err != nil || !slices.ContainsFunc(rows, func(r reviewRow) bool { return r.Decision != "" }) {
		t.Errorf("the draft does not show it: %v, %+v", err, rows[0])
	}
}
