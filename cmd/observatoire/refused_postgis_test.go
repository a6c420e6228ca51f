package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// On PostGIS too a refusal, early or late, leaves every table of the schema as it was.
func TestRefusedPostGIS(t *testing.T) {
	address := postgis(t)
	base, err := publishedOnce()
	if err != nil {
		t.Fatal(err)
	}
	copied := func(t *testing.T) string {
		dir := filepath.Join(t.TempDir(), "p")
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	must(t, "-C", copied(t), "--store", address, "run", "--date", "2026-01-15", "--publish", "--by", "A")
	before := schemaRows(t, address)
	if len(before) < 5 {
		t.Fatalf("%d tables in the schema", len(before))
	}
	wanted := []string{"figure: text", "table: unknown IRIS", "gzip: cut short", "layer: degrees under Lambert-93", "project: unknown key",
		"register: level that is none", "late: correction of no zone, after a table that changed",
		"late: no figure that all may see, after a table that changed", "late: one table of two is bad"}
	for _, tt := range badInputs() {
		for _, name := range wanted {
			if tt.name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				answer(t, copied(t), tt, []string{"--store", address})
				if diff := cmp.Diff(before, schemaRows(t, address)); diff != "" {
					t.Errorf("the schema moved (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// schemaRows is a digest of the rows of each table of the schema an address names.
func schemaRows(t *testing.T, address string) map[string]string {
	t.Helper()
	ctx := context.Background()
	_, schema, _ := strings.Cut(address, "schema=")
	schema, _, _ = strings.Cut(schema, "&")
	conn, err := pgx.Connect(ctx, os.Getenv("OBSERVATOIRE_TEST_PG"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'BASE TABLE'", schema)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, table := range tables {
		var digest string
		q := fmt.Sprintf("SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM %s AS t", pgx.Identifier{schema, table}.Sanitize())
		if err := conn.QueryRow(ctx, q).Scan(&digest); err != nil {
			t.Fatal(err)
		}
		out[table] = digest
	}
	return out
}
