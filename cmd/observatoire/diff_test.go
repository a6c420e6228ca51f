package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/tiles"
)

// rewrite changes a file of the project; what it looks for must be there.
func rewrite(t *testing.T, path, pattern, with string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile(pattern)
	if !re.Match(text) {
		t.Fatalf("%s: no %s", path, pattern)
	}
	if err := os.WriteFile(path, re.ReplaceAll(text, []byte(with)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// moved reads `diff --format csv`, by "objet indicateur code sexe millesime".
func movedBy(t *testing.T, args ...string) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for _, r := range readCSV(t, must(t, append(args, "diff", "--format", "csv")...)) {
		key := strings.Join([]string{r["objet"], r["indicateur"], r["code"], r["sexe"], r["millesime"]}, " ")
		if r["objet"] == indicators.ObjetEcart {
			key += " " + r["code_reference"]
		}
		out[key] = r
	}
	return out
}

// Each input that changes is told as the cause of the figures that rest on it, and of no other.
func TestDiff(t *testing.T) {
	stores := map[string]func(t *testing.T) []string{
		"geopackage": func(*testing.T) []string { return nil },
		"postgis":    func(t *testing.T) []string { return []string{"--store", postgis(t)} },
	}
	cell := func(t *testing.T, dir string) {
		rewrite(t, filepath.Join(dir, "donnees/contrat-iris-2015.csv"), `(?m)^(13047D001;[^;]*;part_cmuc;F;2010;)21,4`, "${1}31,4")
	}
	perimeter := func(t *testing.T, dir string) { moveQuarter(t, filepath.Join(dir, "contours/qpv.geojson"), "QP013063") }
	method := func(t *testing.T, dir string) {
		rewrite(t, filepath.Join(dir, "observatoire.yaml"), `QP013062: iris_principal`, "QP013061: iris_principal\n  QP013062: iris_principal")
	}
	correct := func(t *testing.T, dir string) {
		correctionsIn(t, dir, "demo-commune;population;13039;2015;T;15860;arrondi du bulletin;L. Martin;\n")
	}
	card := func(t *testing.T, dir string) {
		rewrite(t, filepath.Join(dir, "cards/demo-qpv.yaml"), `(?m)^key: \[code\]`, "tokens: {\"3100\": non_disponible}\nkey: [code]")
	}
	withheld := func(t *testing.T, dir string) {
		rewrite(t, filepath.Join(dir, "donnees/contrat-iris-2015.csv"), `(?m)^(13047D001;[^;]*;part_cmuc;F;2010;)21,4`, "${1}s")
	}
	decide := func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, decisionsFile), []byte("garde;portee;auteur;motif;date\nmethodes_differentes;part_cmuc;comité;lu avec prudence;2020-01-01\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	overtake := func(t *testing.T, dir string) {
		rewrite(t, filepath.Join(dir, "donnees/contrat-veille-2015.csv"), `(?m)^(VAUBAN;[^;]*;revenu_median_uc;T;2009;)[0-9 ]+`, "${1}19329")
	}
	tests := []struct {
		name   string
		change []func(*testing.T, string)
		want   map[string]string // movements that must be, with their causes
		only   string            // every cause is among these
	}{
		{"a cell", []func(*testing.T, string){cell}, map[string]string{
			"valeur part_cmuc 13047D001 F 2010": "donnees", "valeur part_cmuc QP013061 F 2010": "donnees"}, "donnees"},
		{"a perimeter", []func(*testing.T, string){perimeter}, map[string]string{}, "perimetre"},
		{"a method", []func(*testing.T, string){method}, map[string]string{"valeur part_cmuc QP013061 F 2010": "methode"}, "methode"},
		{"a correction", []func(*testing.T, string){correct}, map[string]string{"valeur population 13039 T 2015": "correction"}, "correction"},
		{"a card", []func(*testing.T, string){card}, map[string]string{}, "fiche"},
		{"a cell and a correction", []func(*testing.T, string){cell, correct}, map[string]string{
			"valeur part_cmuc QP013061 F 2010": "donnees", "valeur population 13039 T 2015": "correction"}, "donnees correction"},
		{"a cell and the method of its quarter", []func(*testing.T, string){cell, method}, map[string]string{
			"valeur part_cmuc 13047D001 F 2010": "donnees", "valeur part_cmuc QP013061 F 2010": "donnees+methode",
			"valeur part_cmuc QP013061 H 2010": "methode"}, "donnees methode donnees+methode"},
		{"a figure withheld", []func(*testing.T, string){withheld}, map[string]string{
			"valeur part_cmuc 13047D001 F 2010": "donnees", "valeur part_cmuc QP013061 F 2010": "donnees"}, "donnees"},
		{"a decision", []func(*testing.T, string){decide}, map[string]string{
			"rang part_cmuc QP013061 F 2010": "decision", "rang part_cmuc QP013062 F 2010": "decision"}, "decision"},
		{"the place of another quarter", []func(*testing.T, string){overtake}, map[string]string{
			"valeur revenu_median_uc VAUBAN T 2009": "donnees", "rang revenu_median_uc VAUBAN T 2009": "donnees", "rang revenu_median_uc CROIZAT T 2009": "donnees"}, "donnees"},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					dir := demoProject(t)
					base := append([]string{"-C", dir}, open(t)...)
					must(t, append(base, "run", "--date", "2020-01-01", "--publish", "--by", "test")...)
					for _, f := range tt.change {
						f(t, dir)
					}
					must(t, append(base, "run", "--date", "2020-01-01")...)
					got := movedBy(t, base...)
					if len(got) == 0 {
						t.Fatal("nothing moved")
					}
					for k, r := range got {
						if !strings.Contains(" "+tt.only+" ", " "+r["cause"]+" ") {
							t.Errorf("%s: %s (%s), want only %s", k, r["cause"], r["detail"], tt.only)
						}
						if r["detail"] == "" {
							t.Errorf("%s: no detail", k)
						}
					}
					for k, cause := range tt.want {
						if got[k]["cause"] != cause {
							t.Errorf("%s: cause %q (%s), want %q", k, got[k]["cause"], got[k]["detail"], cause)
						}
					}
				})
			}
		})
	}
}

// moveQuarter moves the outline of a quarter 150 m to the east.
func moveQuarter(t *testing.T, path, code string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var fc map[string]any
	if err := json.Unmarshal(text, &fc); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range fc["features"].([]any) {
		f := f.(map[string]any)
		if !strings.Contains(strings.ToUpper(string(mustJSON(t, f["properties"]))), code) {
			continue
		}
		found = true
		g := f["geometry"].(map[string]any)
		g["coordinates"] = shifted(g["coordinates"])
	}
	if !found {
		t.Fatalf("%s: no %s", path, code)
	}
	if err := os.WriteFile(path, mustJSON(t, fc), 0o644); err != nil {
		t.Fatal(err)
	}
}

func shifted(v any) any {
	list := v.([]any)
	if x, ok := list[0].(float64); ok {
		by := 150.0
		if x < 180 { // degrees
			by = 0.0018
		}
		list[0] = x + by
		return list
	}
	for i := range list {
		list[i] = shifted(list[i])
	}
	return list
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is asked wrongly is told; two editions that are the same have no difference; the page stands alone and holds nothing
// of the partners.
func TestDiffPages(t *testing.T) {
	dir := demoProject(t)
	if code, _, errs := cli(t, "-C", dir, "diff"); code != exitFailed || !strings.Contains(errs, "no edition is published") {
		t.Errorf("no edition: %d %s", code, errs)
	}
	before := strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2020-01-01", "--publish", "--by", "test"))
	if code, _, errs := cli(t, "-C", dir, "diff"); code != exitFailed || !strings.Contains(errs, "no draft to compare with") {
		t.Errorf("no draft: %d %s", code, errs)
	}
	if out := must(t, "-C", dir, "diff", before, before[:7]); !strings.Contains(out, "Aucune différence") {
		t.Errorf("an edition and itself:\n%s", out)
	}
	if code, _, errs := cli(t, "-C", dir, "diff", before, "1999-x"); code != exitUsage || !strings.Contains(errs, `no edition "1999-x": `) {
		t.Errorf("no such edition: %d %s", code, errs)
	}
	rewrite(t, filepath.Join(dir, "donnees/contrat-qpv-2015.csv"), `;3100;`, ";3200;")
	after := strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2020-01-01"))
	if code, _, errs := cli(t, "-C", dir, "diff", "2015-", after); code != exitUsage || !strings.Contains(errs, before) || !strings.Contains(errs, after) {
		t.Errorf("a name that two begin with: %d %s", code, errs)
	}
	if code, _, errs := cli(t, "-C", dir, "diff", "--convention", "aucune"); code != exitUsage || !strings.Contains(errs, "neither edition") {
		t.Errorf("no such convention: %d %s", code, errs)
	}
	table := must(t, "-C", dir, "diff")
	if !strings.Contains(table, "données           1        0       0") || !strings.Contains(table, "3100   3200   100") {
		t.Errorf("table:\n%s", table)
	}
	var read struct {
		De, A      string
		Causes     map[string]map[string]int
		Mouvements []map[string]any
	}
	if err := json.Unmarshal([]byte(must(t, "-C", dir, "diff", "--format", "json")), &read); err != nil {
		t.Fatal(err)
	}
	if read.De != before || read.A != after || read.Causes["valeur"]["donnees"] != 1 || len(read.Mouvements) != 1 || read.Mouvements[0]["difference"] != 100.0 {
		t.Errorf("json: %+v", read)
	}
	file := filepath.Join(t.TempDir(), "comite.html")
	must(t, "-C", dir, "diff", "--format", "html", "-o", file)
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 100", "3 200", "+100", "Le Prépaou", "contenu changé", "@media print"} {
		if !strings.Contains(strings.ReplaceAll(strings.ReplaceAll(string(page), "\u202f", " "), "\u00a0", " "), strings.ReplaceAll(want, "+", "&#43;")) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if regexp.MustCompile(`(?i)https?://|<script|src=`).Match(page) {
		t.Error("the page asks for something outside itself")
	}

	ctx := t.Context()
	st, err := store.Open(ctx, "observatoire.gpkg", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	srv := tiles.NewServer(tiles.Options{Editions: st})
	e, err := st.Edition(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Publish(e, "1"); err != nil {
		t.Fatal(err)
	}
	get := func(path string) (int, string) {
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec.Code, rec.Body.String()
	}
	if code, body := get("/editions/diff?de=" + before + "&a=" + before); code != http.StatusOK || !strings.Contains(body, "Aucune différence") {
		t.Errorf("served, the same: %d %s", code, body)
	}
	if code, body := get("/editions/diff?de=" + before + "&a=" + after); code != http.StatusBadRequest || strings.Contains(body, "3 200") {
		t.Errorf("a draft is served: %d", code)
	}
	for _, bad := range []string{"/editions/diff", "/editions/diff?de=" + before, "/editions/diff?de=x&a=y", "/editions/diff?quoi=1"} {
		if code, _ := get(bad); code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, code)
		}
	}
	must(t, "-C", dir, "publish", "--by", "test")
	if code, body := get("/editions/diff?de=" + before + "&a=" + after); code != http.StatusOK || !strings.Contains(body, "données") {
		t.Errorf("published: %d %s", code, body)
	}
}
