package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of one row a facility gives its counts by commune, IRIS and quarter in the same run, and a zone it does not name has none. The
// facilities are invented.
func TestRunCounts(t *testing.T) {
	base, err := publishedOnce()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "p")
	if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
		t.Fatal(err)
	}
	const table = "  - {card: bpe, file: donnees/bpe15_ensemble_xy.csv}\n"
	all(swap(projectFile, "tables:\n", "tables:\n"+table), put("donnees/bpe15_ensemble_xy.csv",
		"AN;DEPCOM;DCIRIS;QP;TYPEQU;LAMBERT_X;LAMBERT_Y\n2015;13047;13047D001;QP013061;D201;1;2\n2015;13047;13047D001;QP013061;C107;1;2\n"+
			"2015;13063;_U;_Z;;1;2\n2015;75056;751010101;HZ;D301;1;2\n"))(t, dir)
	id := strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2026-01-15"))
	series := func(indicator string) string {
		return must(t, "-C", dir, "series", "--edition", id, "--indicator", indicator, "--format", "csv")
	}
	for indicator, want := range map[string][]string{
		"equipements": {"commune-2015,13047,Istres,2015,T,2,", "commune-2015,13063,Miramas,2015,T,1,", "commune-2015,13078,Port-Saint-Louis-du-Rhône,2015,T,,équipements,non_disponible",
			"qpv-2015,QP013061,Le Prépaou,2015,T,2,", "iris-2015,13047D001,"},
		"equipements_pharmacies": {"commune-2015,13047,Istres,2015,T,0,", "commune-2015,13063,Miramas,2015,T,,équipements,non_disponible"},
	} {
		got := series(indicator)
		for _, line := range want {
			if !strings.Contains(got, indicator+","+line) {
				t.Errorf("%s: no %s in\n%s", indicator, line, got)
			}
		}
	}
	swap(projectFile, table, "")(t, dir)
	swap(projectFile, "tables:\n", "tables:\n  - {card: rpls-logements, file: donnees/RPLS_2015_logements.csv}\n")(t, dir)
	put("donnees/RPLS_2015_logements.csv", "DEPCOM;NBPIECE;DPEENERGIE\n13047;3;F\n13047;3;\n13047;2;C\n")(t, dir)
	id = strings.TrimSpace(must(t, "-C", dir, "run", "--date", "2026-01-15"))
	for indicator, want := range map[string]string{"logements_sociaux": ",3,logements,", "part_logements_sociaux_dpe_f_g": `,50,%,`} {
		if got := series(indicator); !strings.Contains(got, indicator+",commune-2015,13047,Istres,2015,T"+want) {
			t.Errorf("%s: %s", indicator, got)
		}
	}
}
