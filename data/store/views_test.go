package store

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"observatoire/indicators"
)

// mapEdition has what views show: two years of an indicator, the last known of too few zones; a gap to a reference in two
// vintages; a figure that a partner gave.
func mapEdition(id string, more ...indicators.Definition) *indicators.Edition {
	e := sampleEdition(id)
	e.Values, e.Ecarts = nil, nil
	e.Indicators = append([]indicators.Definition{{ID: "population", Label: "Population", Unit: "habitants", Rule: indicators.Somme},
		{ID: "part_cmuc", Label: `Part des "bénéficiaires" <d'1 an`, Unit: "%", Rule: indicators.Ratio}}, more...)
	add := func(code, id string, year int, v float64, st indicators.Statut, convention string) {
		e.Values = append(e.Values, indicators.Value{Key: indicators.Key{Indicateur: id, Couche: "iris-2016", Millesime: year, Sexe: "T"}, Code: code, V: v, Statut: st,
			Methode: "producteur", Retenue: true, Fiabilite: indicators.Moyenne, Convention: convention})
	}
	for i, z := range []string{"130470101", "130470102", "130470103"} {
		add(z, "part_cmuc", 2014, 0.1+float64(i), indicators.Disponible, "")
	}
	add("130470101", "part_cmuc", 2015, 99, indicators.Disponible, "")
	add("130470101", "population", 2013, 3048, indicators.Disponible, "")
	add("130470103", "population", 2013, 0, indicators.Secret, "")
	add("130470102", "population", 2014, 77, indicators.Disponible, "partenaire")
	for _, d := range more {
		add("130470102", d.ID, 2020, 5, indicators.Disponible, "")
	}
	key := indicators.Key{Indicateur: "part_cmuc", Couche: "iris-2016", Millesime: 2014, Sexe: "T"}
	e.Ecarts = []indicators.Ecart{{Key: key, Code: "130470101", Reference: "epci-2015", ReferenceCode: "241300417", Ecart: indicators.Some(-1.5), Unite: "points"}}
	slices.SortFunc(e.Values, indicators.CompareValues)
	return e
}

// Both stores show the same: the latest year that describes enough zones, its gaps, and nothing that a partner gave.
const wantView = "1|130470101|3048|disponible|2013|0.1|disponible|moyenne|2014|-1.5\n" +
	"2|130470102||||1.1|disponible|moyenne|2014|\n3|130470103||secret|2013|2.1|disponible|moyenne|2014|"

func TestPostGISViews(t *testing.T) {
	ctx := context.Background()
	address := pgAddress(t)
	s := open(t, address, "")
	if err := errors.Join(s.PutEdition(ctx, mapEdition("e")), s.Publish(ctx, "e", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	pool := s.(*postgis).pool
	row := func(sql string, args ...any) (out string) {
		t.Helper()
		if err := pool.QueryRow(ctx, sql, args...).Scan(&out); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return out
	}
	got := row(`SELECT string_agg(concat_ws('|', fid, code, coalesce(population::text, ''), coalesce(population_statut, ''), coalesce(population_millesime::text, ''),
		part_cmuc, part_cmuc_statut, part_cmuc_fiabilite, part_cmuc_millesime, coalesce(part_cmuc_ecart_epci::text, '')), E'\n' ORDER BY fid) FROM vue_iris_2016`)
	if got != wantView {
		t.Errorf("the view holds\n%s\nwant\n%s", got, wantView)
	}
	if got := row(`SELECT concat_ws('|', (SELECT type || ' ' || srid FROM geometry_columns WHERE f_table_schema = current_schema() AND f_table_name = 'vue_iris_2016'),
		pg_typeof(fid), ST_Area(geom)::integer, obj_description('vue_iris_2016'::regclass), col_description('vue_iris_2016'::regclass, 12))
		FROM vue_iris_2016 WHERE fid = 1`); got != "MULTIPOLYGON 2154|integer|9901|IRIS, géographie au 01/01/2016 : édition publiée, millésimes les plus récents, données ouvertes|Part des \"bénéficiaires\" <d'1 an (%)" {
		t.Errorf("the view is %s", got)
	}
	if got := row(`SELECT count(*)::text FROM serie_publiee WHERE code = '130470102' AND indicateur = 'population'`); got != "0" {
		t.Errorf("%s figures that a partner gave are in serie_publiee", got)
	}

	// The styles are those of the views, one by default; one that a person saved stays.
	if got := row(`SELECT string_agg(f_table_name || ':' || stylename || ':' || useasdefault, ' ' ORDER BY f_table_name) FROM layer_styles`); !strings.Contains(got, `vue_iris_2016:Part des "bénéficiaires" <d'1 an:true`) ||
		!strings.Contains(got, "vue_qpv_2015:Contours:true") || strings.Contains(got, "Population") {
		t.Errorf("styles: %s", got)
	}
	row(`INSERT INTO layer_styles (f_table_schema, f_table_name, stylename, owner) VALUES (current_schema(), 'vue_iris_2016', 'Le mien', 'zoe') RETURNING ''`)

	// A view built on ours does not stop the next publication, which shows in it.
	if _, err := pool.Exec(ctx, "CREATE VIEW la_mienne AS SELECT code, part_cmuc FROM vue_iris_2016"); err != nil {
		t.Fatal(err)
	}
	next := mapEdition("f", indicators.Definition{ID: "neuf", Label: "Neuf", Unit: "%", Rule: indicators.Ratio})
	for i := range next.Values {
		if next.Values[i].Indicateur == "part_cmuc" {
			next.Values[i].V += 10
		}
	}
	if err := errors.Join(s.PutEdition(ctx, next), s.Publish(ctx, "f", "Zoé", "2026-11-02")); err != nil {
		t.Fatal(err)
	}
	if got := row("SELECT part_cmuc::text FROM la_mienne WHERE code = '130470101'"); got != "10.1" {
		t.Errorf("a view on ours shows %s", got)
	}
	if _, err := pool.Exec(ctx, "DROP VIEW la_mienne"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Migrate(ctx, address, ""); err != nil {
		t.Fatal(err)
	}
	if got := row("SELECT neuf::text FROM vue_iris_2016 WHERE fid = 2"); got != "5" {
		t.Errorf("the new column holds %s", got)
	}
	if got := row("SELECT count(*)::text FROM layer_styles WHERE stylename IN ('Le mien', 'Neuf')"); got != "2" {
		t.Errorf("%s of the two styles", got)
	}
	// Withdrawn, the view is that of the edition before.
	if _, err := s.Withdraw(ctx, "Zoé", "2026-11-03"); err != nil {
		t.Fatal(err)
	}
	if got := row("SELECT part_cmuc || ' ' || (SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = 'vue_iris_2016' AND column_name = 'neuf') FROM vue_iris_2016 WHERE fid = 1"); got != "0.1 0" {
		t.Errorf("after the withdrawal: %s", got)
	}
}

// An account that may not create roles is told what to ask; the roles see what they should, and no more.
func TestPostGISRoles(t *testing.T) {
	ctx := context.Background()
	address := pgAddress(t)
	_, schema, err := cutSchema(address)
	if err != nil {
		t.Fatal(err)
	}
	version, sql, err := Migrate(ctx, address, "")
	if err != nil || version < 5 {
		t.Fatalf("version %d, %v", version, err)
	}
	if sql == "" || !strings.Contains(sql, `CREATE ROLE "`+schema+`_lecteur"`) {
		t.Fatalf("an account without CREATEROLE is not told what to ask: %q", sql)
	}
	super := superuser(t)
	pgExec(t, super, sql)
	t.Cleanup(func() {
		for _, role := range []string{schema + readerSuffix, schema + editorSuffix} {
			pgExec(t, super, "DROP OWNED BY "+quote(role)+"; DROP ROLE "+quote(role))
		}
	})
	s := open(t, address, "")
	if err := errors.Join(s.PutEdition(ctx, mapEdition("e")), s.Publish(ctx, "e", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, super)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, tt := range []struct {
		role, sql string
		ok        bool
	}{
		{readerSuffix, "SELECT count(*) FROM vue_iris_2016", true},
		{readerSuffix, "SELECT count(*) FROM serie_publiee", true},
		{readerSuffix, "SELECT count(*) FROM layer_styles", true},
		{readerSuffix, "SELECT count(*) FROM serie", false}, // partners' figures are there
		{readerSuffix, "SELECT count(*) FROM zone", false},
		{readerSuffix, "DELETE FROM layer_styles", false},
		{readerSuffix, "CREATE TABLE essai (a int)", false},
		{editorSuffix, "SELECT count(*) FROM serie", true},
		{editorSuffix, "INSERT INTO layer_styles (stylename) VALUES ('essai')", true},
	} {
		_, err := conn.Exec(ctx, fmt.Sprintf("BEGIN; SET LOCAL search_path TO %s, public; SET LOCAL ROLE %s; %s; ROLLBACK", quote(schema), quote(schema+tt.role), tt.sql))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %s: %v", tt.role, tt.sql, err)
		}
		if err != nil {
			if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// superuser is the address of the test cluster's superuser; the test is skipped where there is none to be.
func superuser(t *testing.T) string {
	u, err := url.Parse(os.Getenv("OBSERVATOIRE_TEST_PG"))
	if err != nil || u.Scheme == "" {
		t.Skip("needs OBSERVATOIRE_TEST_PG as a URL")
	}
	u.User = url.User("postgres")
	conn, err := pgx.Connect(context.Background(), u.String())
	if err != nil {
		t.Skipf("needs the cluster's superuser: %v", err)
	}
	_ = conn.Close(context.Background())
	return u.String()
}

// What the DBA runs gives the schema that the program makes, and the program has nothing left to do there.
func TestMigrationSQL(t *testing.T) {
	ctx := context.Background()
	address := pgAddress(t)
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	text, err := MigrationSQL(address, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ = strings.Cut(text, "-- Roles:") // by another account: TestPostGISRoles
	cmd := exec.Command(psql, "-v", "ON_ERROR_STOP=1", "-q", os.Getenv("OBSERVATOIRE_TEST_PG"))
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := open(t, address, "")
	if err := errors.Join(s.PutEdition(ctx, mapEdition("e")), s.Publish(ctx, "e", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	if _, err := MigrationSQL(address, 99); err == nil {
		t.Error("a migration that does not exist is taken")
	}
	if text, err := MigrationSQL(address, 4); err != nil || strings.Contains(text, "0004_") || !strings.Contains(text, "0005_") {
		t.Errorf("from the fourth on: %v\n%s", err, text)
	}
}

func TestGPKGViews(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, "v.gpkg", dir)
	if err := errors.Join(s.PutEdition(ctx, mapEdition("e")), s.Publish(ctx, "e", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "v.gpkg")
	db, err := openEditionFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got string
	if err := db.QueryRow(`SELECT group_concat(line, char(10)) FROM (SELECT OGC_FID || '|' || code || '|' || coalesce(cast(population AS INTEGER), '') || '|' || coalesce(population_statut, '') || '|' ||
		coalesce(population_millesime, '') || '|' || part_cmuc || '|' || part_cmuc_statut || '|' || part_cmuc_fiabilite || '|' || part_cmuc_millesime || '|' ||
		coalesce(part_cmuc_ecart_epci, '') AS line FROM vue_iris_2016 ORDER BY OGC_FID)`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != wantView {
		t.Errorf("the view holds\n%s\nwant\n%s", got, wantView)
	}
	rows, err := db.Query("SELECT f_table_name, styleName, styleQML, useAsDefault FROM layer_styles ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	defaults := map[string]int{}
	for rows.Next() {
		var layer, name, text string
		var byDefault bool
		if err := rows.Scan(&layer, &name, &text, &byDefault); err != nil {
			t.Fatal(err)
		}
		if byDefault {
			defaults[layer]++
		}
		var doc struct {
			Renderer struct {
				Rules struct {
					Rule []struct {
						Filter string `xml:"filter,attr"`
						Label  string `xml:"label,attr"`
					} `xml:"rule"`
				} `xml:"rules"`
			} `xml:"renderer-v2"`
		}
		if err := xml.Unmarshal([]byte(text), &doc); err != nil {
			t.Errorf("%s, %s: %v", layer, name, err)
		}
		if layer != "vue_iris_2016" {
			continue
		}
		// Every zone falls in one class.
		for _, z := range []string{"130470101", "130470102", "130470103"} {
			n := 0
			for _, r := range doc.Renderer.Rules.Rule {
				var in int
				if err := db.QueryRow("SELECT count(*) FROM vue_iris_2016 WHERE code = ? AND ("+r.Filter+")", z).Scan(&in); err != nil {
					t.Fatalf("%s: %v", r.Filter, err)
				}
				n += in
			}
			if n != 1 {
				t.Errorf("%s is in %d classes of %s", z, n, name)
			}
		}
	}
	if len(defaults) != 3 || defaults["vue_iris_2016"] != 1 {
		t.Errorf("styles by default: %v", defaults)
	}
	if ogrinfo, err := exec.LookPath("ogrinfo"); err == nil {
		out, err := exec.Command(ogrinfo, "-ro", "-al", path, "vue_iris_2016").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "FID Column = OGC_FID") || !strings.Contains(string(out), "Feature Count: 3") ||
			!strings.Contains(string(out), "MULTIPOLYGON") || strings.Contains(string(out), "Warning") || strings.Contains(string(out), "ERROR") {
			t.Errorf("GDAL reads the view so: %v\n%s", err, out)
		}
	}
}
