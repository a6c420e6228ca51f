package tiles

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/xuri/excelize/v2"

	"observatoire/indicators"
)

func server(t testing.TB, e *indicators.Edition) *httptest.Server {
	t.Helper()
	s := NewServer(Options{})
	if e != nil {
		s.Swap(snapshot(t, e))
	}
	ts := httptest.NewServer(s.Handler())
	t.Cleanup(ts.Close)
	return ts
}

// fetch asks for a path without compression, with optional headers in pairs.
func fetch(t testing.TB, ts *httptest.Server, method, path string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, ts.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := ts.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read whole
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

func TestNothingPublished(t *testing.T) {
	ts := server(t, nil)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/": 503, "/collections": 503, "/api/series": 503, "/tiles/iris-2016/0/0/0.mvt": 503} {
		resp, body := fetch(t, ts, "GET", path)
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
		if want == 503 && path != "/readyz" && !strings.Contains(string(body), "Aucune édition n'est encore publiée") && !strings.Contains(string(body), "Aucune édition n&#39;est encore publiée") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestRefused(t *testing.T) {
	ts := server(t, sample(3))
	tests := []struct {
		path, says string
		status     int
	}{
		{"/nulle-part", "Aucune ressource", 404},
		{"/tiles/iris-1999.json", "iris-1999", 404},
		{"/tiles/iris-1999/0/0/0.mvt", "iris-1999", 404},
		{"/tiles/iris-2016,iris-2016/0/0/0.mvt", "deux fois", 400},
		{"/tiles/iris-2016/19/0/0.mvt", "de 0 à 18", 400},
		{"/tiles/iris-2016/2/4/0.mvt", "de 0 à 3", 400},
		{"/tiles/iris-2016/2/0/-1.mvt", "« y »", 400},
		{"/tiles/iris-2016/2/0/0.mvt?indicateurs=rien", "Indicateur inconnu : « rien »", 400},
		{"/tiles/iris-2016/2/0/0.mvt?indicateur=population", "Paramètre inconnu : « indicateur »", 400},
		{"/tiles/iris-2016/2/0/0.mvt?sexe=X", "Sexe invalide", 400},
		{"/collections/rien/items", "Couche inconnue : « rien »", 404},
		{"/collections/iris-2016/items?limit=0", "de 1 à 10000", 400},
		{"/collections/iris-2016/items?limit=beaucoup", "« beaucoup »", 400},
		{"/collections/iris-2016/items?offset=-1", "« offset »", 400},
		{"/collections/iris-2016/items?bbox=1,2,3", "3 nombres", 400},
		{"/collections/iris-2016/items?bbox=4,44,5,43", "à l'envers", 400},
		{"/collections/iris-2016/items?bbox=861000,6271000,862000,6272000", "degrés", 400},
		{"/collections/iris-2016/items?bbox=NaN,1,2,3", "nombre", 400},
		{"/collections/iris-2016/items?bbx=1,2,3,4", "Paramètre inconnu : « bbx »", 400},
		{"/collections/iris-2016/items/inconnue", "Zone inconnue", 404},
		{"/api/series?indicateur=rien", "Indicateur inconnu", 400},
		{"/api/series?couche=rien", "Couche inconnue", 400},
		{"/api/series?zone=rien", "Zone inconnue", 400},
		{"/api/series?millesime=deux", "Millésime invalide", 400},
		{"/api/series?methodes=toutes", "« methodes »", 400},
		{"/api/series?sexe=F&sexe=H", "donné 2 fois", 400},
		{"/api/series.csv?limit=3", "Paramètre inconnu : « limit »", 400},
		{"/api/recouvrements?de=iris&vers=qpv", "Couples de l'édition", 400},
		{"/api/series?a=%zz", "mal formés", 400},
	}
	for _, tt := range tests {
		resp, body := fetch(t, ts, "GET", tt.path)
		var p problem
		if err := json.Unmarshal(body, &p); err != nil || resp.Header.Get("Content-Type") != "application/problem+json; charset=utf-8" {
			t.Errorf("%s: not a problem: %s %s", tt.path, resp.Header.Get("Content-Type"), body)
			continue
		}
		if resp.StatusCode != tt.status || p.Status != tt.status || !strings.Contains(p.Detail, tt.says) || p.Title == "" || resp.Header.Get("ETag") != "" {
			t.Errorf("%s: %d %+v, want %d naming %q", tt.path, resp.StatusCode, p, tt.status, tt.says)
		}
	}
	if resp, _ := fetch(t, ts, "POST", "/api/series"); resp.StatusCode != 405 || resp.Header.Get("Allow") == "" {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	if resp, body := fetch(t, ts, "GET", "/?sexe=X"); resp.StatusCode != 400 || !strings.Contains(string(body), "Sexe invalide") || !strings.Contains(string(body), "<html") {
		t.Errorf("page: %d %s", resp.StatusCode, body)
	}
	if resp, _ := fetch(t, ts, "OPTIONS", "/api/series"); resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestItems(t *testing.T) {
	ts := server(t, sample(3))
	var page struct {
		Matched  int `json:"numberMatched"`
		Returned int `json:"numberReturned"`
		Links    []link
		Features []struct{ ID string }
	}
	var codes []string
	next := "/collections/iris-2016/items?limit=4"
	pages := 0
	for next != "" && pages < 10 {
		resp, body := fetch(t, ts, "GET", next)
		page.Links, page.Features = nil, nil
		if err := json.Unmarshal(body, &page); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %d %v %s", next, resp.StatusCode, err, body)
		}
		if page.Matched != 10 || page.Returned != len(page.Features) {
			t.Errorf("%s: %d matched, %d returned, %d features", next, page.Matched, page.Returned, len(page.Features))
		}
		for _, f := range page.Features {
			codes = append(codes, f.ID)
		}
		next = ""
		for _, l := range page.Links {
			if l.Rel == "next" {
				next = strings.TrimPrefix(l.Href, ts.URL)
			}
		}
		pages++
	}
	if pages != 3 || len(codes) != 10 || codes[0] != "130470101" || codes[9] != "139990000" {
		t.Errorf("%d pages: %v", pages, codes)
	}

	_, body := fetch(t, ts, "GET", "/collections/iris-2016/items?limit=10000&indicateurs=part_cmuc")
	fc, err := geojson.UnmarshalFeatureCollection(body)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range fc.Features {
		if i == 9 {
			if f.Geometry != nil || f.Properties["aire_m2"] != nil {
				t.Errorf("a zone without contours has %v", f.Geometry)
			}
			continue
		}
		for _, poly := range f.Geometry.(orb.MultiPolygon) {
			for k, r := range poly {
				if want := map[bool]orb.Orientation{true: orb.CCW, false: orb.CW}[k == 0]; r.Orientation() != want || !r.Closed() {
					t.Errorf("feature %d: ring %d is turned %d", i, k, r.Orientation())
				}
			}
		}
	}
	p := fc.Features[0].Properties
	if p["part_cmuc"] != 0.25 || p["part_cmuc_statut"] != "disponible" || p["part_cmuc_millesime"] != 2014.0 || p["aire_m2"] != 960000.0 || p["type"] != "H" {
		t.Errorf("properties: %v", p)
	}
	if p := fc.Features[2].Properties; p["part_cmuc"] != nil || p["part_cmuc_statut"] != "secret" {
		t.Errorf("a secret figure: %v", p)
	}
	if p := fc.Features[3].Properties; p["part_cmuc"] != nil || p["part_cmuc_statut"] != "non_disponible" {
		t.Errorf("a figure unknown: %v", p)
	}
	if m := regexp.MustCompile(`\d+\.\d{8,}`).Find(body[:2000]); m != nil {
		t.Errorf("a coordinate has more than 7 decimals: %s", m)
	}
	// Istres lies at about 5° east, 43.5° north.
	if c := fc.Features[0].Geometry.Bound().Center(); c[0] < 4.8 || c[0] > 5.1 || c[1] < 43.4 || c[1] > 43.6 {
		t.Errorf("the zone is at %v", c)
	}

	resp, body := fetch(t, ts, "GET", "/collections/qpv-2015/items/QP013061?indicateurs=part_cmuc")
	var f struct {
		ID         string
		Properties map[string]any
		Links      []link
	}
	if err := json.Unmarshal(body, &f); err != nil || f.ID != "QP013061" || f.Properties["nom"] != "Le Prépaou" || f.Properties["part_cmuc"] != 18.45 || len(f.Links) != 3 {
		t.Errorf("item: %v %s", err, body)
	}
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/geo+json") {
		t.Errorf("item: %s", ct)
	}
}

func TestBox(t *testing.T) {
	e := sample(3)
	s := snapshot(t, e)
	ts := server(t, e)
	l := s.byName["iris-2016"]
	first := l.zones[0].world.Bound()
	lonlat := func(p orb.Point) orb.Point { // the other way round from mercator, near enough for the test
		w, h := l.bound.Max[0]-l.bound.Min[0], l.bound.Max[1]-l.bound.Min[1]
		all := l.zones[0].box
		for i := range l.zones[:9] {
			all = all.Union(l.zones[i].box)
		}
		return orb.Point{l.bound.Min[0] + w*(p[0]-all.Min[0])/(all.Max[0]-all.Min[0]), l.bound.Max[1] - h*(p[1]-all.Min[1])/(all.Max[1]-all.Min[1])}
	}
	c := lonlat(first.Center())
	w := l.bound.Max[0] - l.bound.Min[0]
	tests := []struct {
		name string
		box  orb.Bound
		want int
	}{
		{"all", l.bound, 9},
		{"within the first", orb.Bound{Min: orb.Point{c[0] - w/7, c[1]}, Max: orb.Point{c[0] - w/8, c[1] + 1e-6}}, 1},
		{"in its hole", orb.Bound{Min: orb.Point{c[0] - w/30, c[1] - w/300}, Max: orb.Point{c[0] - w/40, c[1] - w/400}}, 0},
		{"far away", orb.Bound{Min: orb.Point{2, 48}, Max: orb.Point{3, 49}}, 0},
		{"the world", orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}, 9},
	}
	for _, tt := range tests {
		b := tt.box
		num := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
		_, body := fetch(t, ts, "GET", "/collections/iris-2016/items?bbox="+strings.Join([]string{num(b.Min[0]), num(b.Min[1]), num(b.Max[0]), num(b.Max[1])}, ","))
		fc, err := geojson.UnmarshalFeatureCollection(body)
		if err != nil || len(fc.Features) != tt.want {
			t.Errorf("%s: %d zones, want %d (%v)", tt.name, len(fc.Features), tt.want, err)
		}
	}
	if _, body := fetch(t, ts, "GET", "/collections/iris-2016/items?code=130470103,130470101"); !strings.Contains(string(body), `"numberMatched":2`) {
		t.Errorf("by code: %s", body)
	}
}

func TestConditional(t *testing.T) {
	e := sample(3)
	s := NewServer(Options{})
	s.Swap(snapshot(t, e))
	ts := httptest.NewServer(s.Handler())
	defer ts.Close()
	tags := map[string]string{}
	for _, path := range []string{"/", "/tiles/iris-2016/8/131/93.mvt", "/collections/iris-2016/items", "/api/series.csv", "/tiles/iris-2016.json"} {
		for _, encoding := range []string{"identity", "gzip", "zstd"} {
			resp, body := fetch(t, ts, "GET", path, "Accept-Encoding", encoding)
			tag := resp.Header.Get("ETag")
			if resp.StatusCode != 200 || len(body) == 0 || !strings.HasPrefix(tag, `"`) || resp.Header.Get("Cache-Control") == "" {
				t.Fatalf("%s: %d, ETag %s", path, resp.StatusCode, tag)
			}
			if resp.Header.Get("Content-Encoding") == "gzip" {
				if _, err := gzip.NewReader(bytes.NewReader(body)); err != nil || !strings.HasSuffix(tag, `-gzip"`) {
					t.Errorf("%s: compressed under ETag %s: %v", path, tag, err)
				}
			}
			resp, body = fetch(t, ts, "GET", path, "If-None-Match", `"other", `+tag, "Accept-Encoding", encoding)
			if resp.StatusCode != 304 || len(body) != 0 || resp.Header.Get("ETag") != tag {
				t.Errorf("%s, %s: %d, %d bytes, ETag %s", path, encoding, resp.StatusCode, len(body), resp.Header.Get("ETag"))
			}
			tags[path] = strings.NewReplacer("-gzip", "", "-zstd", "").Replace(tag)
		}
		resp, body := fetch(t, ts, "HEAD", path)
		if resp.StatusCode != 200 || len(body) != 0 || resp.Header.Get("ETag") != tags[path] {
			t.Errorf("HEAD %s: %d, %d bytes", path, resp.StatusCode, len(body))
		}
	}
	e = sample(3)
	e.ID = "ed-other"
	s.Swap(snapshot(t, e))
	for path, tag := range tags {
		if resp, _ := fetch(t, ts, "GET", path, "If-None-Match", tag); resp.StatusCode != 200 {
			t.Errorf("%s: %d once another edition is published", path, resp.StatusCode)
		}
	}
	resp, body := fetch(t, ts, "GET", "/tiles/iris-2016/8/0/0.mvt")
	if resp.StatusCode != 204 || len(body) != 0 {
		t.Errorf("empty tile: %d", resp.StatusCode)
	}
}

func TestAPI(t *testing.T) {
	ts := server(t, sample(3))
	tests := []struct{ path, want string }{
		{"/api/series?indicateur=part_cmuc&zone=QP013061&millesime=2014", `"numberMatched":1`},
		{"/api/series?indicateur=part_cmuc&zone=QP013061&millesime=2014", `"valeur":18.45,"unite":"%","statut":"disponible","nature":"estimation","methode":"iris_moyenne","retenue":true,"couverture":1,"methode_min":15,"methode_max":20,"ic95_bas":null`},
		{"/api/series?indicateur=part_cmuc&zone=QP013061&methodes=all", `"numberMatched":3`},
		{"/api/series?couche=qpv&sexe=T", `"numberMatched":4`},
		{"/api/series?zone=VEILLE1", `"valeur":null,"unite":"%","statut":"non_disponible"`},
		{"/api/series?limit=2", `"rel":"next"`},
		{"/api/series?sexe=F", `"series":[]`},
		{"/api/ecarts?zone=QP013061", `"ecart":6,"unite":"points"`},
		{"/api/ecarts?zone=QP013062&reference=commune", `"ecart":null`},
		{"/api/recouvrements?de=qpv&vers=iris", `"part_de":0.599995`},
		{"/api/editions", `"id":"ed-test"`},
		{"/api/indicateurs", `{"couche":"qpv-2015","sexe":"T","millesimes":[2011,2014]}`},
		{"/collections", `"nombre_avec_contour":9`},
		{"/tiles/iris-2016.json?indicateurs=part_cmuc", `/tiles/iris-2016/{z}/{x}/{y}.mvt?indicateurs=part_cmuc`},
		{"/tiles/iris-2016,qpv-2015.json", `"attribution":"Source : IGN, contours d'essai – contours schématiques"`},
		{"/tiles/style.json", `"id":"qpv-2015-contour"`},
		{"/api/series.csv?zone=QP013061&millesime=2013", "\r\npopulation,qpv-2015,QP013061,Le Prépaou,2013,T,3048,habitants,disponible,producteur,"},
		{"/api/ecarts.csv", "indicateur,couche,code,"},
		{"/api/recouvrements.csv", ",0.599995,"},
	}
	for _, tt := range tests {
		resp, body := fetch(t, ts, "GET", tt.path)
		if resp.StatusCode != 200 || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s: %d, no %s in %.600s", tt.path, resp.StatusCode, tt.want, body)
		}
		if strings.Contains(resp.Header.Get("Content-Type"), "json") && !json.Valid(body) {
			t.Errorf("%s: invalid JSON", tt.path)
		}
	}
	for path, sheet := range map[string]string{"/api/series.xlsx?indicateur=population": SheetSeries, "/api/ecarts.xlsx": SheetEcarts, "/api/recouvrements.xlsx": SheetOverlaps} {
		resp, body := fetch(t, ts, "GET", path)
		f, err := excelize.OpenReader(bytes.NewReader(body))
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %d %v", path, resp.StatusCode, err)
			continue
		}
		if diff := cmp.Diff([]string{SheetReadme, sheet, SheetSources}, f.GetSheetList()); diff != "" {
			t.Errorf("%s: sheets (-want +got):\n%s", path, diff)
		}
	}
}

func TestPage(t *testing.T) {
	ts := server(t, sample(3))
	resp, body := fetch(t, ts, "GET", "/")
	page := string(body)
	for _, want := range []string{
		"Observatoire d&#39;essai &lt;&amp; fils&gt;", "ed-test", "Contours schématiques",
		"Part de la surface de chaque quartier", "60,0\u00a0%", "40,0\u00a0%", "&lt;\u00a00,1\u00a0%", "liseré",
		"18,45\u00a0%", "de 15,00 à 20,00 selon la méthode", "moyenne des IRIS", "&#43;6,00 points", "Istres : 12,45",
		"Aucune valeur de la commune pour ce millésime.", `class="secret"`, `class="absent"`, "secret statistique",
		"Cnam, régimes d&#39;assurance maladie, 2014", `<option value="part_cmuc" selected>`, "Îlot 1 : 0,25\u00a0%",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if m := regexp.MustCompile(`(?i)(https?:)?//[a-z]|<script|@import| style=| on[a-z]+=`).FindString(page); m != "" {
		t.Errorf("the page goes outside, runs a script or sets a style: %q", m)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy: %s", csp)
	}
	for _, path := range []string{"/?couche=qpv-2015", "/?couche=commune-2018&indicateur=population&sexe=F", "/?vue=QP013062", "/?millesime=1999",
		"/?indicateur=population&couche=iris-2016&millesime=2013&sexe=T&vue=VEILLE1"} {
		if resp, body := fetch(t, ts, "GET", path); resp.StatusCode != 200 || !strings.Contains(string(body), "<svg") || strings.Contains(string(body), "ZgotmplZ") {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if _, body := fetch(t, ts, "GET", "/?millesime=1999"); !strings.Contains(string(body), "Aucune valeur pour le millésime 1999") {
		t.Error("a millésime without values is not announced")
	}
	// An edition may have nothing of all this.
	for _, e := range []*indicators.Edition{{ID: "vide"}, {ID: "sans-indicateur", Layers: sample(2).Layers}, {ID: "sans-couche", Indicators: sample(2).Indicators}} {
		if resp, body := fetch(t, server(t, e), "GET", "/"); resp.StatusCode != 200 {
			t.Errorf("edition %s: %d %s", e.ID, resp.StatusCode, body)
		}
	}
}

func TestQuantiles(t *testing.T) {
	p := &published{Snapshot: snapshot(t, sample(3))}
	c, err := p.choose(query{"vue": allQuarters})
	if err != nil {
		t.Fatal(err)
	}
	f := p.fill(c)
	// Seven of the nine drawn IRIS have a figure: 0.25, 1.25, 4.25 … 8.25.
	if diff := cmp.Diff([]float64{1.25, 4.25, 6.25, 7.25}, f.breaks); diff != "" {
		t.Errorf("breaks (-want +got):\n%s", diff)
	}
	if f.css(0) != "c0" || f.css(8) != "c4" || f.css(2) != "secret" || f.css(3) != "absent" {
		t.Errorf("classes: %s %s %s %s", f.css(0), f.css(8), f.css(2), f.css(3))
	}
}

func TestPanic(t *testing.T) {
	s := NewServer(Options{})
	h := s.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/series", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "Erreur interne") || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("panic: %d %s", w.Code, w.Body)
	}
}
