package tiles

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"observatoire/indicators"
)

func post(t *testing.T, ts *httptest.Server, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", ts.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := ts.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read whole
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// lambert is a GeoJSON polygon that says it is in the legal projection.
func lambert(ring string) string {
	return `{"type":"Polygon","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::2154"}},"coordinates":[[` + ring + `]]}`
}

func TestEstimation(t *testing.T) {
	ts := server(t, sample(3))
	type answer struct {
		Aire          float64 `json:"aire_m2"`
		Repare        *string
		Recouvrements []struct {
			Vers   string  `json:"couche_vers"`
			Code   string  `json:"code_vers"`
			Aire   float64 `json:"aire_m2"`
			PartDe float64 `json:"part_de"`
		}
		Estimations []indicators.SeriesRow
	}
	ask := func(body string) (a answer) {
		t.Helper()
		code, got := post(t, ts, "/api/estimation", body)
		if err := json.Unmarshal([]byte(got), &a); err != nil || code != 200 {
			t.Fatalf("%d %v %s", code, err, got)
		}
		return a
	}
	// Half of the fifth IRIS and half of the sixth: 2004 and 2005 inhabitants, 4.25 % and 5.25 %.
	a := ask(lambert("[862500,6272000],[863500,6272000],[863500,6273000],[862500,6273000],[862500,6272000]"))
	found := map[string]float64{}
	for _, x := range a.Recouvrements {
		found[x.Vers+" "+x.Code] = x.PartDe
	}
	if a.Aire != 1e6 || a.Repare != nil || math.Abs(found["iris-2016 130470105"]-0.5) > 1e-9 || math.Abs(found["iris-2016 130470106"]-0.5) > 1e-9 || found["commune-2018 13047"] != 1 {
		t.Errorf("%v m², overlaps %v", a.Aire, found)
	}
	values := map[string]float64{}
	for _, v := range a.Estimations {
		if v.Nature != "estimation" || v.Valeur != nil && v.Fiabilite == "" || v.Couche != "dessin-0" {
			t.Errorf("%+v", v)
		}
		if v.Valeur != nil {
			values[v.Indicateur+" "+v.Methode] = *v.Valeur
		}
	}
	if values["population surface"] != 2004.5 || math.Abs(values["part_cmuc iris_moyenne"]-4.75) > 1e-9 {
		t.Errorf("estimates: %v", values)
	}
	// The same in longitudes and latitudes; a figure of eight is repaired.
	code, body := post(t, ts, "/api/estimation?indicateur=population", `{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[5.0,43.53],[5.005,43.535],[5.005,43.53],[5.0,43.535],[5.0,43.53]]]}}`)
	if code != 200 || !strings.Contains(body, `"repare":"auto-intersection"`) || strings.Contains(body, "part_cmuc") {
		t.Errorf("%d %s", code, body)
	}
	for body, says := range map[string]string{
		"": "GeoJSON", "rien": "GeoJSON", `{"type":"Point","coordinates":[1,2]}`: "Point", `{"type":"FeatureCollection","features":[]}`: "en a 0",
		`{"type":"Polygon","coordinates":[[[5,43],[5,43],[5,43]]]}`: "pas de surface", `{"type":"Polygon","coordinates":[[[861000,6271000],[862000,6271000],[862000,6272000],[861000,6271000]]]}`: "degrés",
		`{"type":"Polygon","coordinates":[[[0,40],[8,40],[8,48],[0,48],[0,40]]]}`: "km²", `{"type":"Polygon","crs":{"properties":{"name":"EPSG:4326"}},"coordinates":[]}`: "EPSG:4326",
		`{"type":"Polygon","coordinates":[[` + strings.Repeat("[5,43],", maxDrawnVertices) + `[5,43]]]}`: "sommets", `{"type":"Feature","geometry":null}`: "géométrie", `{"type":"Polygon","coordinates":[]}`: "surface",
	} {
		if code, got := post(t, ts, "/api/estimation", body); code != 400 || !strings.Contains(got, says) {
			t.Errorf("%.80s: %d %.300s, want %q", body, code, got, says)
		}
	}
	if code, got := post(t, ts, "/api/estimation", strings.Repeat(" ", maxBody+1)); code != 413 {
		t.Errorf("a long body: %d %s", code, got)
	}
	if resp, _ := fetch(t, ts, "GET", "/api/estimation"); resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("GET: %d, Allow %s", resp.StatusCode, resp.Header.Get("Allow"))
	}
	if code, got := post(t, ts, "/api/estimation?x=1", "{}"); code != 400 || !strings.Contains(got, "« x »") {
		t.Errorf("unknown parameter: %d %s", code, got)
	}
}

// What partners gave is not in an estimate without a token.
func TestEstimationWithheld(t *testing.T) {
	_, ts := guarded(t, Options{})
	body := lambert("[861000,6271000],[864000,6271000],[864000,6274000],[861000,6274000],[861000,6271000]")
	e := restricted(3)
	code, got := post(t, ts, "/api/estimation", body)
	if code != 200 {
		t.Fatalf("%d %s", code, got)
	}
	open := indicators.Withhold(e)
	for _, d := range e.Indicators {
		shown := false
		for _, o := range open.Indicators {
			shown = shown || o.ID == d.ID
		}
		if !shown && strings.Contains(got, `"`+d.ID+`"`) {
			t.Errorf("%s is in what anybody reads", d.ID)
		}
	}
	for _, id := range e.Conventions() {
		if strings.Contains(got, id) {
			t.Errorf("the convention %s is named", id)
		}
	}
	if code, _ := post(t, ts, "/api/estimation", body, "Authorization", "Bearer faux"); code != 401 {
		t.Errorf("a wrong token: %d", code)
	}
}

func TestZone(t *testing.T) {
	ts := server(t, sample(3))
	_, body := fetch(t, ts, "GET", "/api/zones/qpv-2015/QP013061")
	var z struct {
		Code, Nom                     string
		Series, Ecarts, Recouvrements []map[string]any
	}
	if err := json.Unmarshal(body, &z); err != nil || z.Nom != "Le Prépaou" || len(z.Series) != 3 || len(z.Ecarts) != 1 || len(z.Recouvrements) != 2 || z.Ecarts[0]["ecart"] != 6.0 {
		t.Errorf("%v %s", err, body)
	}
	for path, want := range map[string]int{"/api/zones/qpv-2015/rien": 404, "/api/zones/rien/QP013061": 404, "/api/zones/qpv-2015/QP013061?zone=1": 400, "/api/zones/qpv-2015/QP013061?sexe=F": 200} {
		if resp, _ := fetch(t, ts, "GET", path); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}
