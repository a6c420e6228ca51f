package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// realCell reads one cell of a real table by means of its own: the row of a code, the column of a header.
func realCell(t *testing.T, name, key, code, header string) float64 {
	t.Helper()
	lines := realLines(t, name)
	columns := strings.Split(lines[0], ";")
	k, h := slices.Index(columns, key), slices.Index(columns, header)
	if k < 0 || h < 0 {
		t.Fatalf("%s: no column %s or %s", name, key, header)
	}
	for _, line := range lines[1:] {
		if cells := strings.Split(line, ";"); len(cells) > max(k, h) && cells[k] == code {
			v, err := strconv.ParseFloat(strings.NewReplacer(",", ".", "\u202f", "", " ", "").Replace(cells[h]), 64)
			if err != nil {
				t.Fatalf("%s: %s of %s: %v", name, header, code, err)
			}
			return v
		}
	}
	t.Fatalf("%s: no row of %s", name, code)
	return 0
}

// The three quarters, method by method, against the raw files read by other means: the kit for the producer, the medians of the IRIS
// each quarter cuts (the share of the quarter's area in them is that of the oracle), the commune for the gap.
func TestRealMethods(t *testing.T) {
	dir := realRun(t)
	rows := readCSV(t, must(t, "-C", dir, "methods", "--zone", "QP013061,QP013062", "--zone", "QP013063", "--all-years", "--format", "csv"))
	find := func(indicateur, code, year, method, reference string) map[string]string {
		t.Helper()
		for _, r := range rows {
			if r["indicateur"] == indicateur && r["code"] == code && r["millesime"] == year && r["methode"] == method && r["code_reference"] == reference && r["sexe"] == "T" {
				return r
			}
		}
		t.Fatalf("no row %s %s %s %s %s", indicateur, code, year, method, reference)
		return nil
	}
	same := func(what, got string, want float64) {
		t.Helper()
		if v, err := strconv.ParseFloat(got, 64); err != nil || math.Abs(v-want) > 1e-6*max(1, math.Abs(want)) {
			t.Errorf("%s: %q, want %v", what, got, want)
		}
	}
	filo, kit := "iris_stats/BASE_TD_FILO_DISP_IRIS_2019.csv.gz", "qpv_kits/REVN_2022.csv.gz"
	for _, q := range []struct {
		code, commune string
		iris          []string // the largest first
		value, gap    string   // verdicts of 2019 on 2015: of the value, and of the gap to the contrat's perimeter
	}{
		{"QP013061", "13047", []string{"130470116", "130470107"}, "hausse", "se creuse"},
		{"QP013062", "13063", []string{"130630107", "130630108"}, "hausse", "se creuse"},
		{"QP013063", "13063", []string{"130630102", "130630103", "130630105"}, "hausse", "stable"},
	} {
		own := realCell(t, kit, "CODGEO", q.code, "DISP_Q2")
		mean := 0.0
		for _, iris := range q.iris {
			mean += realCell(t, filo, "IRIS", iris, "DISP_MED19") / float64(len(q.iris))
		}
		r := find("niveau_de_vie_median", q.code, "2019", "producteur", "")
		same(q.code+": producer", r["valeur"], own)
		if r["retenue"] != "oui" || r["depuis"] != "2015" || r["verdict"] != q.value || r["erreur"] != "" {
			t.Errorf("%s: producer: %v", q.code, r)
		}
		same(q.code+": evolution", r["evolution"], 100*(own/realCell(t, "qpv_kits/REVN_2019.csv.gz", "CODGEO", q.code, "DISP_Q2")-1))
		for method, v := range map[string]float64{"iris_moyenne": mean, "iris_principal": realCell(t, filo, "IRIS", q.iris[0], "DISP_MED19")} {
			r := find("niveau_de_vie_median", q.code, "2019", method, "")
			same(q.code+": "+method, r["valeur"], v)
			same(q.code+": error of "+method, r["erreur"], 100*(v/own-1))
			if r["retenue"] != "non" || r["unite_erreur"] != "%" || r["fiabilite"] != "insuffisante" {
				t.Errorf("%s: %v", q.code, r)
			}
		}
		ref := realCell(t, "commune_stats/FILO2019_DISP_COM.csv.gz", "CODGEO", q.commune, "Q219")
		r = find("niveau_de_vie_median", q.code, "2019", "producteur", q.commune)
		same(q.code+": reference", r["valeur_reference"], ref)
		same(q.code+": gap", r["ecart"], 100*(own/ref-1))
		if r := find("niveau_de_vie_median", q.code, "2019", "producteur", "OUEST-PROVENCE"); r["verdict"] != q.gap || r["depuis"] != "2015" {
			t.Errorf("%s: gap to the contrat's perimeter: %v", q.code, r)
		}
		// Where the producer has no figure the estimate shown is the best there is, unfit for a gap, which says so.
		r = find("niveau_de_vie_median", q.code, "2021", "mediane_ponderee", "13")
		if r["retenue"] != "oui" || r["ecart"] != "" || !strings.Contains(r["motif"], "estimation trop incertaine") {
			t.Errorf("%s: 2021: %v", q.code, r)
		}
	}

	// The calibration of a method is the mean of the errors shown beside it.
	type method struct{ indicateur, methode string }
	errs := map[method][]float64{}
	said := map[method]map[string]string{}
	indicateurs := map[string]bool{}
	for _, r := range rows {
		indicateurs[r["indicateur"]] = true
		k := method{r["indicateur"], r["methode"]}
		if v, err := strconv.ParseFloat(r["erreur"], 64); err == nil {
			errs[k], said[k] = append(errs[k], v), r
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(errs), func(a, b method) int {
		return strings.Compare(a.indicateur+a.methode, b.indicateur+b.methode)
	}) {
		mean, absolute := 0.0, 0.0
		for _, v := range errs[k] {
			mean, absolute = mean+v, absolute+math.Abs(v)
		}
		n := float64(len(errs[k]))
		same(fmt.Sprint(k, ": mean error"), said[k]["calage_moyen"], mean/n)
		same(fmt.Sprint(k, ": mean absolute error"), said[k]["calage_absolu"], absolute/n)
		if said[k]["calage_nombre"] != strconv.Itoa(len(errs[k])) {
			t.Errorf("%v: %s comparisons, %d shown", k, said[k]["calage_nombre"], len(errs[k]))
		}
	}
	t.Logf("%d rows of %d indicators; %d methods measured", len(rows), len(indicateurs), len(errs))
	if len(indicateurs) < 60 || len(errs) < 40 {
		t.Errorf("%d indicators, %d methods measured", len(indicateurs), len(errs))
	}

	// The same, as JSON and as a table for people.
	var list []map[string]any
	args := []string{"-C", dir, "methods", "--zone", "QP013063", "--indicator", "taux_pauvrete"}
	if err := json.Unmarshal([]byte(must(t, append(args, "--format", "json")...)), &list); err != nil || len(list) == 0 || list[0]["methode"] != "producteur" {
		t.Errorf("JSON: %v %v", err, list)
	}
	table := must(t, args...)
	for _, want := range []string{"taux_pauvrete, La Maille (QP013063), 2019, T", "→  producteur", "mediane_par_deciles", "points (", "comparaisons)", "écart à Miramas", "pas d'écart à "} {
		if !strings.Contains(table, want) {
			t.Errorf("the table has no %q:\n%s", want, table)
		}
	}
}

// No figure is shown without its method, source, nature, reliability and unit. A millésime may be unknown, where the producer does not
// give it: those are counted, column by column, and have no gap.
func TestRealFiguresHaveAnOrigin(t *testing.T) {
	dir := realRun(t)
	n, unknown := 0, map[string]int{}
	for _, r := range readCSV(t, must(t, "-C", dir, "series", "--format", "csv")) {
		if r["statut"] != "disponible" {
			if r["valeur"] != "" || r["fiabilite"] != "" {
				t.Errorf("%s %s %s: %s, yet %q, %q", r["indicateur"], r["code"], r["millesime"], r["statut"], r["valeur"], r["fiabilite"])
			}
			continue
		}
		n++
		for _, column := range []string{"valeur", "methode", "source", "nature", "fiabilite", "unite", "sexe", "couche"} {
			if r[column] == "" {
				t.Errorf("%s %s %s %s: no %s", r["indicateur"], r["couche"], r["code"], r["millesime"], column)
			}
		}
		if (r["nature"] == "producteur") != (r["methode"] == "producteur") {
			t.Errorf("%s %s %s: %s by %s", r["indicateur"], r["code"], r["millesime"], r["nature"], r["methode"])
		}
		if r["millesime"] == "" {
			unknown[r["indicateur"]+" "+r["source"]]++
		}
	}
	total := 0
	for _, column := range slices.Sorted(maps.Keys(unknown)) {
		t.Logf("millésime unknown: %d figures of %s", unknown[column], column)
		total += unknown[column]
	}
	t.Logf("%d figures shown, %d of an unknown millésime, in %d columns", n, total, len(unknown))
	if n < 100_000 || total != 91 || len(unknown) != 34 {
		t.Errorf("%d figures shown, %d without a millésime in %d columns: 91 in 34 are known", n, total, len(unknown))
	}
	for _, r := range readCSV(t, must(t, "-C", dir, "methods", "--zone", "QP013061,QP013062,QP013063", "--format", "csv")) {
		if r["millesime"] == "" && (r["ecart"] != "" || r["verdict"] != "" || r["reference"] != "" && r["motif"] == "") {
			t.Errorf("an unknown millésime is compared: %v", r)
		}
	}
}

func TestMethodsUsage(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--zone: missing"},
		{[]string{"--zone", "QP013061,QP999999,X"}, `no zone "QP999999", "X" in edition`},
		{[]string{"--zone", "QP013061", "--indicator", "nul"}, `no indicator "nul"`},
		{[]string{"--zone", "QP013061", "--sex", "X"}, "--sex X"},
		{[]string{"--zone", "QP013061", "--format", "xlsx"}, "--format xlsx"},
	} {
		code, out, errs := cli(t, append([]string{"-C", dir, "methods"}, tt.args...)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: exit %d, %q, %s", tt.args, code, out, errs)
		}
	}
	if a, b := must(t, "-C", dir, "series", "--zone", "QP013061", "--zone", "QP013062", "--format", "csv"),
		must(t, "-C", dir, "series", "--zone", "QP013061,QP013062", "--format", "csv"); a != b || !strings.Contains(a, "QP013062") {
		t.Error("two zones of series are not the same, named together or apart")
	}
}
