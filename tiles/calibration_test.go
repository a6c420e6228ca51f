package tiles

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"observatoire/indicators"
)

// The errors of the methods are a page, a table and files.
func TestCalibration(t *testing.T) {
	e := sample(4)
	e.Calibrations = []indicators.Calibration{
		{Indicateur: "part_cmuc", Couche: "qpv-2015", Methode: indicators.MethodeMoyenne, N: 12, Unite: "points", Moyenne: -1.25, Absolue: 2, Mediane: -1, Pire: "QP013061", PireErreur: -7.5, Rang: 1},
		{Indicateur: "part_cmuc", Couche: "qpv-2015", Millesime: 2014, Sexe: "T", Methode: indicators.MethodeMoyenne, N: 12, Unite: "points", Moyenne: -1.25, Absolue: 2, Mediane: -1, Pire: "QP013061", PireErreur: -7.5},
		{Indicateur: "part_cmuc", Couche: "qpv-2015", Methode: indicators.MethodePrincipal, N: 3, Unite: "points", Moyenne: 4, Absolue: 4, Mediane: 4, Pire: "QP013062", PireErreur: 5}}
	ts := server(t, e)
	_, body := fetch(t, ts, http.MethodGet, "/api/calibration.csv?indicateur=part_cmuc")
	want := "indicateur,couche,millesime,sexe,methode,nombre,unite,ecart_moyen,ecart_absolu_moyen,ecart_median,code_extreme,nom_extreme,ecart_extreme,rang\r\n" +
		"part_cmuc,qpv-2015,,,iris_moyenne,12,points,-1.25,2,-1,QP013061,Le Prépaou,-7.5,1\r\n" +
		"part_cmuc,qpv-2015,2014,T,iris_moyenne,12,points,-1.25,2,-1,QP013061,Le Prépaou,-7.5,\r\n" +
		"part_cmuc,qpv-2015,,,iris_principal,3,points,4,4,4,QP013062,La Carraire,5,\r\n"
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("csv (-want +got):\n%s", diff)
	}
	if _, body = fetch(t, ts, http.MethodGet, "/api/calibration?limit=1"); !strings.Contains(string(body), `"numberMatched":3`) || !strings.Contains(string(body), `"nom_extreme":"Le Prépaou"`) {
		t.Errorf("json: %s", body)
	}
	if r, _ := fetch(t, ts, http.MethodGet, "/api/calibration.xlsx"); r.StatusCode != http.StatusOK {
		t.Errorf("workbook: %s", r.Status)
	}
	if r, _ := fetch(t, ts, http.MethodGet, "/calibration?indicateur=rien"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("unknown indicator: %s", r.Status)
	}
	_, body = fetch(t, ts, http.MethodGet, "/calibration")
	for _, part := range []string{"Part des bénéficiaires de la CMU-C", "−1,2", "&#43;4,0", "La Carraire", `<rect x="412.5"`, "/api/calibration.csv?indicateur=part_cmuc"} {
		if !strings.Contains(string(body), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if _, body = fetch(t, server(t, sample(4)), http.MethodGet, "/calibration"); !strings.Contains(string(body), "Aucune comparaison dans cette édition") {
		t.Error("an edition without comparisons does not say so")
	}
}
