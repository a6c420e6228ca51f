package tiles

import (
	"encoding/json"
	"strings"
	"testing"

	"observatoire/indicators"
)

func TestFacilities(t *testing.T) {
	e := sample(3)
	e.Equipements = []indicators.Equipement{
		{Code: "1", Nom: "École A", Theme: "école, maternelle", X: 861900, Y: 6272300, Source: "e.geojson", Zones: []indicators.EquipementZone{
			{Couche: "commune-2018", Code: "13047"}, {Couche: "iris-2016", Code: "130470104"}, {Couche: "qpv-2015", Code: "QP013061"}}},
		{Code: "2", Nom: "Gymnase B", Theme: "gymnase", X: 863500, Y: 6271500, Source: "e.geojson", Zones: []indicators.EquipementZone{
			{Couche: "commune-2018", Code: "13047"}}},
	}
	ts := server(t, e)
	for _, tt := range []struct {
		path   string
		status int
		want   string
	}{
		{"/api/equipements", 200, `"numberMatched":2`},
		{"/api/equipements?zone=QP013061", 200, `"numberMatched":1`},
		{"/api/equipements?zone=QP013061", 200, `{"code":"1","nom":"École A","theme":"école, maternelle","lon":5.00229`},
		{"/api/equipements?couche=qpv", 200, `{"couche":"qpv-2015","code":"QP013061","nom":"Le Prépaou"}]}]`},
		{"/api/equipements?theme=%C3%A9cole,+maternelle", 200, `"numberMatched":1`},
		{"/api/equipements?zone=QP013062", 200, `"equipements":[]`},
		{"/api/equipements?couche=iris&zone=QP013061", 200, `"numberMatched":0`},
		{"/api/equipements?limit=1", 200, `"rel":"next"`},
		{"/api/equipements?zone=rien", 400, "Zone inconnue"},
		{"/api/equipements?couche=rien", 400, "Couche inconnue"},
		{"/api/equipements?theme=rien", 400, "Thèmes des équipements de l'édition : gymnase ; école, maternelle."},
		{"/api/equipements?rayon=3", 400, "Paramètre inconnu"},
	} {
		resp, body := fetch(t, ts, "GET", tt.path)
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) || !json.Valid(body) {
			t.Errorf("%s: %d, no %s in %s", tt.path, resp.StatusCode, tt.want, body)
		}
	}
	if _, body := fetch(t, server(t, sample(1)), "GET", "/api/equipements"); !strings.Contains(string(body), `"equipements":[]`) {
		t.Errorf("an edition without facilities: %s", body)
	}
}
