package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A layer drawn in QGIS, in the DSI's own schema, is a source: what is edited there is in the next edition.
func TestTableLayer(t *testing.T) {
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		t.Skip("OBSERVATOIRE_TEST_PG, a PostGIS database, is not set")
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const drop = "DROP SCHEMA IF EXISTS essai_dsi CASCADE; DROP SCHEMA IF EXISTS essai_obs CASCADE"
	exec(drop)
	t.Cleanup(func() {
		if c, err := pgx.Connect(t.Context(), dsn); err == nil {
			_, _ = c.Exec(t.Context(), drop)
			_ = c.Close(t.Context())
		}
	})
	defer conn.Close(t.Context())
	dir := demoProject(t)
	write := func(name string, change func(string) string) {
		t.Helper()
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-C", dir, "--store", dsn + "&schema=essai_obs"}
	must(t, append(args, "run", "--publish", "--by", "essai")...)
	exec(`CREATE SCHEMA essai_dsi; CREATE TABLE essai_dsi."Secteurs" (fid serial PRIMARY KEY, code text, nom text, geom geometry(MultiPolygon, 2154));
		INSERT INTO essai_dsi."Secteurs" (code, nom, geom) SELECT 'S2', 'L''île', geom FROM essai_obs.zone WHERE couche LIKE 'qpv-%' AND geom IS NOT NULL ORDER BY code LIMIT 1;
		INSERT INTO essai_dsi."Secteurs" (code, nom, geom) SELECT 'S1', 'Nord', geom FROM essai_obs.zone WHERE couche LIKE 'commune-%' AND geom IS NOT NULL ORDER BY code LIMIT 1`)
	const entry = "{level: secteur, vintage: 2026, table: essai_dsi.Secteurs, code: code, name: nom}"
	write(projectFile, func(s string) string { return strings.Replace(s, "\nlayers:\n", "\nlayers:\n  - "+entry+"\n", 1) })
	must(t, append(args, "run", "--publish", "--by", "essai")...)
	zones := func() string {
		return must(t, append(args, "overlaps", "--from", "secteur", "--to", "qpv", "--format", "csv")...)
	}
	first := zones()
	if !strings.Contains(first, "secteur-2026,S2,L'île,qpv-") || !strings.Contains(first, ",1.000000,1.000000,") {
		t.Errorf("overlaps of the table's zones:\n%s", first)
	}
	edition := servedEdition(t, args)
	exec(`UPDATE essai_dsi."Secteurs" SET nom = nom`) // moves the rows: the same edition
	must(t, append(args, "run", "--publish", "--by", "essai")...)
	if again := servedEdition(t, args); again != edition {
		t.Errorf("the same rows give %s, then %s", edition, again)
	}
	exec(`UPDATE essai_dsi."Secteurs" SET geom = ST_Multi(ST_Translate(geom, 50, 0)) WHERE code = 'S2'`)
	must(t, append(args, "run", "--publish", "--by", "essai")...)
	if zones() == first {
		t.Error("what is edited in the table does not change the overlaps")
	}
	for _, tt := range []struct{ sql, want string }{
		{`ALTER TABLE essai_dsi."Secteurs" ADD COLUMN autre geometry(Point, 2154)`, "2 geometries are called so"},
		{`DROP TABLE essai_dsi."Secteurs"`, "table essai_dsi.Secteurs: no such table"},
	} {
		exec(tt.sql)
		if code, _, errs := cli(t, append(args, "run")...); code != exitRefused || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: %d, %s", tt.sql, code, errs)
		}
	}
	if code, _, errs := cli(t, "-C", dir, "run"); code != exitRefused || !strings.Contains(errs, "for a layer of a GeoPackage give file: NAME.gpkg#LAYER") {
		t.Errorf("a table without PostGIS: %d, %s", code, errs)
	}
}
