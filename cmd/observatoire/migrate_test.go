package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMigrate(t *testing.T) {
	code, out, errs := cli(t, "migrate", "--sql", "--store", "postgres://dsi@sig/base?schema=sop")
	if code != exitDone || !strings.Contains(out, `CREATE SCHEMA IF NOT EXISTS "sop"`) || !strings.Contains(out, `CREATE ROLE "sop_lecteur"`) || errs != "" {
		t.Errorf("%d, %s\n%.300s", code, errs, out)
	}
	if code, _, errs := cli(t, "migrate", "--from", "2", "--store", "postgres://dsi@sig/base"); code != exitUsage || !strings.Contains(errs, "--sql") {
		t.Errorf("--from alone: %d, %s", code, errs)
	}
	if code, _, errs := cli(t, "migrate", "--sql", "--from", "99", "--store", "postgres://dsi@sig/base"); code != exitUsage || !strings.Contains(errs, "99") {
		t.Errorf("--from 99: %d, %s", code, errs)
	}
	if code, _, errs := cli(t, "migrate", "--store", filepath.Join(t.TempDir(), "a.gpkg")); code != exitFailed || !strings.Contains(errs, "needs no migration") {
		t.Errorf("a GeoPackage: %d, %s", code, errs)
	}
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		t.Skip("OBSERVATOIRE_TEST_PG, a PostGIS database, is not set")
	}
	code, out, errs = cli(t, "migrate", "--store", dsn+"&schema=essai_migrate")
	if code != exitDone || !strings.Contains(errs, "the schema is at version") || !strings.Contains(out, "essai_migrate_editeur") {
		t.Errorf("%d, %s %s", code, errs, out)
	}
}
