package tiles

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A built viewer takes the place of the page drawn by the server, which stays at /page; its files are sent under the
// policy that lets the map's worker ask for tiles.
func TestViewerFiles(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>carte</title>")}, "assets/a-1.js": {Data: []byte(strings.Repeat("export const a = 1;\n", 200))}}
	s := NewServer(Options{Viewer: files, Background: &Background{Tiles: "https://tuiles.exemple.fr/{z}/{x}/{y}.png", Attribution: "© Exemple"}})
	s.Swap(snapshot(t, sample(3)))
	ts := httptest.NewServer(s.Handler())
	t.Cleanup(ts.Close)
	resp, body := fetch(t, ts, "GET", "/", "Accept", "text/html")
	policy := resp.Header.Get("Content-Security-Policy")
	if resp.StatusCode != 200 || string(body) != string(files["index.html"].Data) || !strings.Contains(policy, "connect-src 'self' https://tuiles.exemple.fr;") || strings.Contains(policy, "unsafe") {
		t.Errorf("/: %d %q, policy %q", resp.StatusCode, body, policy)
	}
	if resp, _ := fetch(t, ts, "GET", "/", "Accept", "text/html", "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusNotModified {
		t.Errorf("/ again: %d", resp.StatusCode)
	}
	if resp, body := fetch(t, ts, "GET", "/page"); resp.StatusCode != 200 || !strings.Contains(string(body), "Le Prépaou") {
		t.Errorf("/page: %d", resp.StatusCode)
	}
	resp, body = fetch(t, ts, "GET", "/assets/a-1.js")
	if resp.StatusCode != 200 || len(body) != 4000 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || resp.Header.Get("Content-Security-Policy") != policy {
		t.Errorf("a file: %d, %d bytes, %v", resp.StatusCode, len(body), resp.Header)
	}
	if resp, body := fetch(t, ts, "GET", "/assets/a-1.js", "Accept-Encoding", "gzip"); resp.Header.Get("Content-Encoding") != "gzip" || len(body) > 200 {
		t.Errorf("a file, packed: %q, %d bytes", resp.Header.Get("Content-Encoding"), len(body))
	}
	if resp, _ := fetch(t, ts, "GET", "/assets/autre.js"); resp.StatusCode != 404 {
		t.Errorf("a file that is not there: %d", resp.StatusCode)
	}
}

// Where the viewer was not built, the page drawn by the server says so.
func TestViewerAbsent(t *testing.T) {
	s := NewServer(Options{Viewer: fstest.MapFS{"absent.txt": {Data: []byte("Pas de carte ici.\n")}}})
	s.Swap(snapshot(t, sample(3)))
	ts := httptest.NewServer(s.Handler())
	t.Cleanup(ts.Close)
	if resp, body := fetch(t, ts, "GET", "/"); resp.StatusCode != 200 || !strings.Contains(string(body), "Pas de carte ici.") || !strings.Contains(string(body), "Le Prépaou") {
		t.Errorf("/: %d", resp.StatusCode)
	}
	if Viewer() == nil {
		t.Error("neither the viewer nor what stands for it is embedded")
	}
}

// The columns of a layer are in the order of its tiles' ids, absences and gaps included.
func TestColumns(t *testing.T) {
	ts := server(t, sample(3))
	type year struct {
		Millesime string
		Valeurs   []*float64
		Statuts   []int
		Estimees  []int
		Ecarts    map[string][]*float64
	}
	type columns struct {
		Codes, Noms, Statuts []string
		References           []struct{ Couche, Nom string }
		Annees               []year
	}
	read := func(path string) (c columns) {
		t.Helper()
		resp, body := fetch(t, ts, "GET", path)
		if err := json.Unmarshal(body, &c); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
		}
		return c
	}
	iris := read("/api/carte/iris-2016?indicateur=part_cmuc")
	if len(iris.Codes) != 10 || iris.Codes[2] != "130470103" || len(iris.Annees) != 1 {
		t.Fatalf("%+v", iris)
	}
	y := iris.Annees[0]
	if *y.Valeurs[0] != 0.25 || y.Valeurs[2] != nil || iris.Statuts[y.Statuts[2]] != "secret" || y.Valeurs[3] != nil || iris.Statuts[y.Statuts[3]] != "non_disponible" {
		t.Errorf("%+v", y)
	}
	qpv := read("/api/carte/qpv-2015?indicateur=part_cmuc&sexe=T")
	if got := []string{qpv.Annees[0].Millesime, qpv.Annees[1].Millesime}; !slices.Equal(got, []string{"2011", "2014"}) {
		t.Errorf("years %v", got)
	}
	last := qpv.Annees[1]
	if *last.Valeurs[0] != 18.45 || last.Estimees[0] != 1 || last.Estimees[1] != 0 || *last.Ecarts["commune-2018"][0] != 6 || last.Ecarts["commune-2018"][1] != nil || qpv.References[0].Nom != "commune" {
		t.Errorf("%+v", last)
	}
	for path, want := range map[string]int{"/api/carte/rien?indicateur=part_cmuc": 404, "/api/carte/iris-2016": 400, "/api/carte/iris-2016?indicateur=part_cmuc,population": 400, "/api/carte/iris-2016?indicateur=x": 400} {
		if resp, _ := fetch(t, ts, "GET", path); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}
