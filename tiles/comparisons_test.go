package tiles

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"observatoire/indicators"
)

// Each kind of comparison is served as JSON, CSV and a workbook, narrowed by its parameters.
func TestComparisons(t *testing.T) {
	e := sample(3)
	v := e.Values[0]
	e.Rangs = append(e.Rangs, indicators.Rang{Key: v.Key, Code: v.Code, Valeur: indicators.Some(1), Rang: 1, ExAequo: 1, Sur: 3})
	ts := server(t, e)
	if _, body := fetch(t, ts, "GET", "/api/rangs?indicateur="+v.Indicateur); !strings.Contains(string(body), `"ex_aequo":1`) {
		t.Errorf("rangs: %s", body)
	}
	for name, header := range map[string][]string{"evolutions": indicators.EvolutionsHeader, "rangs": indicators.RangsHeader,
		"femmes-hommes": indicators.FemmesHommesHeader, "concentration": indicators.ConcentrationHeader} {
		w, body := fetch(t, ts, "GET", "/api/"+name)
		if !json.Valid(body) || w.StatusCode != http.StatusOK {
			t.Errorf("%s: %d, %s", name, w.StatusCode, body)
		}
		w, body = fetch(t, ts, "GET", "/api/"+name+".csv")
		if line, _, _ := strings.Cut(string(body), "\r\n"); w.StatusCode != http.StatusOK || line != strings.Join(header, ",") {
			t.Errorf("%s.csv: %d, %q", name, w.StatusCode, line)
		}
		if w, body = fetch(t, ts, "GET", "/api/"+name+".xlsx"); w.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "PK") {
			t.Errorf("%s.xlsx: %d", name, w.StatusCode)
		}
		if w, _ = fetch(t, ts, "GET", "/api/"+name+"?indicateur=inconnu"); w.StatusCode != http.StatusBadRequest {
			t.Errorf("%s of an unknown indicator: %d", name, w.StatusCode)
		}
	}
}
