package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/tiles"
)

const (
	opsFile      = "depots/bailleur-exemple/2014-rectifie/ops-residences-2014.csv"
	opsDeposit   = "depots/bailleur-exemple/2014-rectifie/depot.yaml"
	registerFile = "depots/pilotes/2014/registre-2014.csv"
)

// seriesOf gives the shown values of an indicator by zone, or their statut.
func seriesOf(t *testing.T, dir, indicator string, args ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, row := range readCSV(t, must(t, append([]string{"-C", dir, "series", "--indicator", indicator, "--format", "csv"}, args...)...)) {
		if strings.HasPrefix(row["couche"], levelVecu) {
			continue
		}
		v := row["valeur"]
		if v == "" {
			v = row["statut"]
		}
		out[strings.Trim(row["code"]+" "+row["sexe"]+" "+row["millesime"], " ")] = v
	}
	return out
}

// Residences are counted into the quarters they lie in, in the version that was handed in last.
func TestDemoDeposit(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	got := seriesOf(t, dir, "ops_logements")
	want := map[string]string{"13029 T 2014": "0", "13039 T 2014": "0", "13044 T 2014": "0", "13047 T 2014": "409", "13063 T 2014": "570", "13078 T 2014": "12",
		"SAN-OUEST-PROVENCE T 2014": "991", "QP013061 T 2014": "216", "QP013062 T 2014": "144", "QP013063 T 2014": "362",
		"CENTRE-MIRAMAS T 2014": "64", "CROIZAT T 2014": "0", "ECHOPPES T 2014": "90", "MOLIERES-1 T 2014": "0", "VAUBAN T 2014": "12"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ops_logements (-want +got):\n%s", diff)
	}
	// In the version before, one residence counted twice.
	rates := seriesOf(t, dir, "ops_part_menages_monoparentaux")
	if v := rates["QP013063 T 2014"]; !strings.HasPrefix(v, "33.836858") {
		t.Errorf("La Maille: %s, want 112 of 331", v)
	}
	// Three single parents in Vauban, all of its commune: neither is shown. The perimeter's own count would give them away:
	// its rate is estimated from what is shown, 267 of 908.
	if rates["VAUBAN T 2014"] != "secret" || rates["13078 T 2014"] != "secret" || !strings.HasPrefix(rates["13047 T 2014"], "26.943") || !strings.HasPrefix(rates["SAN-OUEST-PROVENCE T 2014"], "29.405") {
		t.Errorf("under the threshold: %v", rates)
	}
	review := must(t, "-C", dir, "review")
	if !strings.Contains(review, "remplace le dépôt du 2015-03-20 : 3 chiffre(s) diffèrent, 4 ajouté(s), 0 retiré(s)") {
		t.Errorf("what the new version changed is not said:\n%s", review)
	}
}

// A register gives targets and yearly values, of the zones it names only.
func TestDemoRegister(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	for indicator, want := range map[string]map[string]string{
		"EM-1.1.2-plie":       {"SAN-OUEST-PROVENCE T 2013": "6.2", "SAN-OUEST-PROVENCE T 2014": "7.5"},
		"EM-1.1.2-plie_cible": {"SAN-OUEST-PROVENCE T 2019": "10"},
		"RE-1.2.3-places":     {"13047 T 2014": "48", "13063 T 2014": "36"},
		"RE-3.1.1-licenciees": {"SAN-OUEST-PROVENCE F 2014": "112", "SAN-OUEST-PROVENCE H 2014": "245"},
		"SA-2.2.1":            {"SAN-OUEST-PROVENCE T 2014": "non_disponible"},
	} {
		if diff := cmp.Diff(want, seriesOf(t, dir, indicator)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", indicator, diff)
		}
	}
}

// secretWords are what only a deposit of the demonstration says.
var secretWords = []string{"ops_", "EM-1.1.2", "RE-1.2.3-places", "ops-exemple", "suivi-contrat", "Amandiers", "RES-0", "registre-2014", "ops-residences", "PLIE"}

// Nothing of a deposit is served or exported, unless its convention is named.
func TestDepositsAreNotPublished(t *testing.T) {
	for name, address := range stores(t) {
		t.Run(name, func(t *testing.T) {
			dir := demoProject(t)
			at := func(args ...string) []string {
				args = append([]string{"-C", dir}, args...)
				if address != nil {
					args = append(args, "--store", address(t))
				}
				return args
			}
			run := at("run", "--publish", "--by", "test")
			must(t, run...)
			storeArgs := run[len(run)-2:]
			if address == nil {
				storeArgs = nil
			}
			check := func(where, text string) {
				for _, word := range secretWords {
					if i := strings.Index(text, word); i >= 0 {
						t.Errorf("%s says %q: …%s…", where, word, text[max(0, i-60):min(len(text), i+60)])
					}
				}
			}
			out := filepath.Join(t.TempDir(), "x")
			for _, format := range []string{"csv", "geojson"} {
				must(t, append([]string{"-C", dir, "export", "--format", format, "-o", out}, storeArgs...)...)
			}
			files, err := filepath.Glob(filepath.Join(out, "*"))
			if err != nil || len(files) < 6 {
				t.Fatalf("%v, %v", files, err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				check(filepath.Base(f), string(b))
			}
			e := readDemoEdition(t, dir, storeArgs)
			if got := e.Conventions(); !slices.Equal(got, []string{"ops-exemple", "suivi-contrat"}) {
				t.Errorf("conventions of the edition: %v", got)
			}
			snap, err := tiles.NewSnapshot(e, "1")
			if err != nil {
				t.Fatal(err)
			}
			srv := tiles.NewServer(tiles.Options{Title: "essai"})
			srv.Swap(snap)
			web := httptest.NewServer(srv.Handler())
			defer web.Close()
			for _, path := range []string{"/api/series.csv", "/api/series", "/api/indicateurs", "/api/ecarts.csv", "/api/editions", "/api/recouvrements.csv", "/collections",
				"/collections/qpv-2015/items?indicateurs=population", "/collections/commune-2015/items"} {
				res, err := http.Get(web.URL + path)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK {
					t.Fatalf("%s: %v, %v", path, res.Status, err)
				}
				check(path, string(b))
			}

			must(t, append([]string{"-C", dir, "export", "--format", "csv", "--what", "series", "--convention", "ops-exemple", "-o", filepath.Join(out, "c.csv")}, storeArgs...)...)
			b, err := os.ReadFile(filepath.Join(out, "c.csv"))
			if err != nil || !strings.Contains(string(b), "ops_logements,qpv-2015,QP013061") || strings.Contains(string(b), "EM-1.1.2") {
				t.Errorf("the export under ops-exemple: %v: it has not its figures, or has those of another", err)
			}
			code, _, errs := cli(t, append([]string{"-C", dir, "export", "--convention", "caf", "-o", filepath.Join(out, "c.xlsx")}, storeArgs...)...)
			if code != exitUsage || !strings.Contains(errs, "holds nothing under it; its conventions: ops-exemple, suivi-contrat") {
				t.Errorf("unknown convention: exit %d, %s", code, errs)
			}
		})
	}
}

// stores are the stores a test runs on, each with the address to give it; nil is the project's own.
func stores(t *testing.T) map[string]func(t *testing.T) string {
	out := map[string]func(t *testing.T) string{"GeoPackage": nil}
	if os.Getenv("OBSERVATOIRE_TEST_PG") != "" {
		address := ""
		out["PostGIS"] = func(t *testing.T) string {
			if address == "" {
				address = postgis(t)
			}
			return address
		}
	} else {
		t.Log("OBSERVATOIRE_TEST_PG is not set: not run on PostGIS")
	}
	return out
}

func readDemoEdition(t *testing.T, dir string, storeArgs []string) *indicators.Edition {
	t.Helper()
	url := "observatoire.gpkg"
	if len(storeArgs) == 2 {
		url = storeArgs[1]
	}
	st, err := store.Open(context.Background(), url, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	e, err := st.Edition(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// An ended convention takes its figures out and says so; the day itself is not in the edition.
func TestEndedConvention(t *testing.T) {
	dir := demoProject(t)
	edit(t, filepath.Join(dir, "conventions.yaml"), "end: 2099-12-31     #", "end: 2020-12-31     #")
	lastDay := strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2020-12-31", "--publish", "--by", "test"))
	if v := seriesOf(t, dir, "ops_logements")["QP013061 T 2014"]; v != "216" {
		t.Errorf("on the last day: %q, want 216", v)
	}
	after := strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2021-01-01", "--publish", "--by", "test"))
	if again := strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2026-06-30")); again != after || after == lastDay {
		t.Errorf("editions %s on the last day, %s after it, %s later", lastDay, after, again)
	}
	if code, _, _ := cli(t, "-C", dir, "series", "--indicator", "ops_logements"); code != exitUsage {
		t.Errorf("series of an ended convention: exit %d", code)
	}
	review := must(t, "-C", dir, "review", "--edition", after)
	if !strings.Contains(review, "la convention ops-exemple a pris fin le 2020-12-31 : 2 dépôt(s) exclus (ops-residences-2014.csv, ops-residences-2014.csv)") {
		t.Errorf("review:\n%s", review)
	}
	var excluded []string
	for _, s := range readDemoEdition(t, dir, nil).Sources {
		if s.Convention == "ops-exemple" {
			excluded = append(excluded, s.Depose+" "+strings.Join(s.Remarques, " "))
		}
	}
	want := []string{"2015-03-20 exclu : la convention ops-exemple a pris fin le 2020-12-31", "2015-05-04 exclu : la convention ops-exemple a pris fin le 2020-12-31"}
	if diff := cmp.Diff(want, excluded); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if code, _, errs := cli(t, "-C", dir, "run", "--date", "31/12/2020"); code != exitUsage || !strings.Contains(errs, "AAAA-MM-JJ") {
		t.Errorf("--date 31/12/2020: exit %d, %s", code, errs)
	}
}

func TestDepositsRefused(t *testing.T) {
	for _, tt := range []struct{ name, file, old, new, want string }{
		{"no convention", opsDeposit, "convention: ops-exemple\n", "", "depot.yaml:1: convention: missing: a deposit is read under a convention only: name one of conventions.yaml"},
		{"unknown convention", opsDeposit, "convention: ops-exemple", "convention: ops", `no "ops" in conventions.yaml (it has: ops-exemple, suivi-contrat)`},
		{"unknown card", opsDeposit, "card: demo-ops", "card: ops", `depot.yaml: card: no card "ops"`},
		{"another year", opsDeposit, "millesime: 2014", "millesime: 2015", "supersedes: no other deposit of demo-ops for 2015"},
		{"wrong year", "depots/pilotes/2014/depot.yaml", "millesime: 2014", "millesime: 2012", "millesime: 2012, while the figures of"},
		{"same day", opsDeposit, "date: 2015-05-04\nsupersedes: ../2014/ops-residences-2014.csv\n", "date: 2015-03-20\n", "say which one replaces the other (supersedes: FILE)"},
		{"superseded later", opsDeposit, "date: 2015-05-04", "date: 2015-01-04", "was handed in on 2015-03-20, after this one (2015-01-04)"},
		{"no file", opsDeposit, "file: ops-residences-2014.csv", "file: ops-residences-2013.csv", "ops-residences-2013.csv"},
		{"unknown residence", opsFile, "RES-12", "RES-13", `ops-residences-2014.csv:13: RESIDENCE: "RES-13" is not a zone of`},
		{"part of a household", opsFile, "RES-01;Résidence des Amandiers (inventée);120", "RES-01;Résidence des Amandiers (inventée);120,5", "RES-01, LOGEMENTS: 120.5 is not a count"},
		{"bad cell", opsFile, ";112;34", ";cent douze;34", `ops-residences-2014.csv:2: MENAGES: "cent douze"`},
		{"no zones file", "conventions.yaml", "file: contours/residences.geojson", "file: contours/res.geojson", "contours/res.geojson: no such file"},
		{"zones without that column", "conventions.yaml", "code: id, name: nom", "code: ident, name: nom", `no column "ident"`},
		{"zones twice", "contours/residences.geojson", `"id": "RES-02"`, `"id": "RES-01"`, `"RES-01" is that of row 1 already`},
		{"dataset without card", "conventions.yaml", "card: demo-ops", "card: demo-op", `conventions.yaml:4: datasets: no card "demo-op"`},
		{"line of a key", "conventions.yaml", "  threshold: 5 ", "  seuil: 5 ", `conventions.yaml:9: unknown key "seuil"`},
		{"register: a key for two", registerFile, "EM-1.1.2-plie;Emploi, insertion, formation;Mobiliser les dispositifs d'accompagnement;Part des publics du PLIE venant des quartiers prioritaires;Pôle Emploi, Mission Locale, PLIE, UT DIRECCTE;%;perimetre;SAN-OUEST-PROVENCE;T;2014",
			"EM-1.1.2-plie;Emploi, insertion, formation;Mobiliser les dispositifs d'accompagnement;Autre chose;Pôle Emploi, Mission Locale, PLIE, UT DIRECCTE;%;perimetre;SAN-OUEST-PROVENCE;T;2014",
			`registre-2014.csv:3: indicateur: "Autre chose", while line 2 says "Part des publics du PLIE venant des quartiers prioritaires" of EM-1.1.2-plie`},
		{"register: two targets", registerFile, "2014;10;2019", "2014;12;2019", `registre-2014.csv:3: cible: "12", while another row says "10"`},
		{"register: a key it may not have", registerFile, "SA-2.2.1;", "SA 2.2.1;", `registre-2014.csv:8: cle: "SA 2.2.1"`},
		{"register: a value said to be néant", registerFile, "2014;;;48;;", "2014;;;48;néant;", "registre-2014.csv:4: valeur: the figure is there, and said to be néant"},
		{"register: a key of the catalogue", registerFile, "SA-2.2.1;", "population;", "population is an indicator of indicators.yaml already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := demoProject(t)
			edit(t, filepath.Join(dir, filepath.FromSlash(tt.file)), tt.old, tt.new)
			code, _, errs := cli(t, "-C", dir, "run")
			if code != exitRefused || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, want %d and %q:\n%s", code, exitRefused, tt.want, errs)
			}
		})
	}
}

// Areas of the partner's own are shared out among the quarters by surface, and are not drawn for others.
func TestOwnAreas(t *testing.T) {
	dir := demoProject(t)
	square := func(x, y, w float64) any {
		return map[string]any{"type": "Polygon", "coordinates": [][][2]float64{{{x, y}, {x + w, y}, {x + w, y + w}, {x, y + w}, {x, y}}}}
	}
	type object = map[string]any
	fc := object{"type": "FeatureCollection", "crs": object{"type": "name", "properties": object{"name": "urn:ogc:def:crs:EPSG::2154"}},
		"features": []any{ // one inside Le Prépaou, one far from any quarter
			object{"type": "Feature", "properties": object{"id": "AB"}, "geometry": square(859250, 6271300, 50)},
			object{"type": "Feature", "properties": object{"id": "AC"}, "geometry": square(856000, 6273000, 50)}}}
	b, err := json.Marshal(fc)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("depots/cadastre/sections.geojson", string(b))
	write("depots/cadastre/sections-2014.csv", "id;LOGEMENTS\nAB;40\nAC;3\n")
	write("depots/cadastre/depot.yaml", "card: sections\nconvention: ops-exemple\nmillesime: 2014\nfile: sections-2014.csv\ndate: 2015-06-01\nzones: {file: sections.geojson, code: id}\n")
	write("cards/sections.yaml", "id: sections\nkind: table\nfiles: [\"sections-{AAAA}.csv\"]\nlevel: section_cadastrale\nkey: [id]\nvariables:\n  - {id: logements_section, columns: LOGEMENTS, millesime: edition}\n")
	f, err := os.OpenFile(filepath.Join(dir, "indicators.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n- {id: logements_section, label: Logements, theme: Logement, unit: logements, direction: neutre, rule: somme, value: logements_section}\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "conventions.yaml"), "  detail: [qpv, veille, commune, perimetre_contrat]\n", "")
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	e := readDemoEdition(t, dir, nil)
	values := map[string]string{}
	for _, v := range e.Values {
		if v.Indicateur == "logements_section" && (v.Couche.Level() == "section_cadastrale" || v.Code == "QP013061" && v.Couche == "qpv-2015" && v.Methode == "surface") {
			values[v.Code] = v.Statut.String() + " " + indicators.FormatNumber(v.V) + " " + v.Convention
		}
	}
	// Three dwellings are under the threshold of five.
	want := map[string]string{"AB": "disponible 40 ops-exemple", "AC": "secret 0 ops-exemple", "QP013061": "disponible 40 ops-exemple"}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e.Layer("section_cadastrale-2014") == nil || indicators.Withhold(e).Layer("section_cadastrale-2014") != nil {
		t.Error("the sections are to be drawn for the recipients only")
	}
}
