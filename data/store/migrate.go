package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The roles of a schema, named after it: <schema>_lecteur reads what everybody may see, <schema>_editeur writes and
// publishes. They have no password: an administrator grants them to people and to services.
const (
	readerSuffix = "_lecteur"
	editorSuffix = "_editeur"
)

// readable are the views and tables that hold nothing but the published edition's open data. The views vue_* are granted
// as they are made.
var readable = []string{"serie_publiee", "ecart_publie", "recouvrement_publie", "indicateur_publie", "valeur_recente", "ecart_recent", "layer_styles"}

// grantRead lets the schema's readers see a view, where there are any.
func grantRead(ctx context.Context, tx pgx.Tx, view string) error {
	var reader *string
	if err := tx.QueryRow(ctx, "SELECT (SELECT rolname::text FROM pg_roles WHERE rolname = current_schema() || $1)", readerSuffix).Scan(&reader); err != nil || reader == nil {
		return err
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("GRANT SELECT ON %s TO %s", quote(view), quote(*reader)))
	return err
}

// rolesSQL creates the roles of a schema, and grants each what it is for. It may be run again.
func rolesSQL(schema string) string {
	reader, editor := quote(schema+readerSuffix), quote(schema+editorSuffix)
	create := func(role string) string {
		return fmt.Sprintf("DO $$ BEGIN CREATE ROLE %s NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n", role)
	}
	in := func(name string) string { return quote(schema) + "." + quote(name) }
	var b strings.Builder
	b.WriteString(create(reader) + create(editor))
	fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA %s TO %s, %s;\n", quote(schema), reader, editor)
	for _, name := range readable {
		fmt.Fprintf(&b, "GRANT SELECT ON %s TO %s;\n", in(name), reader)
	}
	fmt.Fprintf(&b, `DO $$ DECLARE v record; BEGIN
  FOR v IN SELECT nom FROM %s LOOP EXECUTE format('GRANT SELECT ON %%I.%%I TO %%I', %s, v.nom, %s); END LOOP;
END $$;
GRANT CREATE ON SCHEMA %s TO %s;
GRANT ALL ON ALL TABLES IN SCHEMA %s TO %s;
GRANT ALL ON ALL SEQUENCES IN SCHEMA %s TO %s;
ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT ALL ON TABLES TO %s;
ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT ALL ON SEQUENCES TO %s;
`, in("vue"), text(schema), text(schema+readerSuffix), quote(schema), editor, quote(schema), editor, quote(schema), editor, quote(schema), editor, quote(schema), editor)
	return b.String()
}

func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// MigrationSQL is all that a database administrator runs, with psql, to make the schema that an address names, or to bring
// it up to date from the migration after the first done: nothing is asked of a server.
func MigrationSQL(address string, done int) (string, error) {
	_, schema, err := cutSchema(address)
	if err != nil {
		return "", err
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return "", err
	}
	if done < 0 || done > len(files) {
		return "", fmt.Errorf("migration %d: they are numbered from 1 to %d, 0 being a schema that is not there yet", done, len(files))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- Schema %s of the observatory: migrations %d to %d. Run it with psql -v ON_ERROR_STOP=1 as the account that will own it.\nBEGIN;\n", schema, done+1, len(files))
	b.WriteString("-- A superuser, or the owner of the database, has done this once: CREATE EXTENSION postgis;\n")
	fmt.Fprintf(&b, "CREATE SCHEMA IF NOT EXISTS %s;\n", quote(schema))
	// PostGIS may be in a schema of its own: it stays on the path.
	fmt.Fprintf(&b, "SELECT set_config('search_path', %s || ', ' || quote_ident(n.nspname), true)\n  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis';\n",
		text(quote(schema)))
	b.WriteString("CREATE TABLE IF NOT EXISTS migration (version bigint PRIMARY KEY);\n")
	for i := done; i < len(files); i++ {
		content, err := migrations.ReadFile(files[i])
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n-- %s\n%s\nINSERT INTO migration VALUES (%d);\n", strings.TrimPrefix(files[i], "migrations/"), content, i+1)
	}
	fmt.Fprintf(&b, "COMMIT;\n\n-- Roles: they ask for the right CREATEROLE.\n%s", rolesSQL(schema))
	return b.String(), nil
}

// Migrate brings the schema that an address names up to date, and creates its roles. Where the account may not create
// roles, roles is the SQL for someone who may, else empty.
func Migrate(ctx context.Context, address, dir string) (version int, roles string, err error) {
	s, err := Open(ctx, address, dir) // which migrates
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p, ok := s.(*postgis)
	if !ok {
		return 0, "", fmt.Errorf("a GeoPackage needs no migration: its tables are made with each edition")
	}
	_, schema, err := cutSchema(address)
	if err != nil {
		return 0, "", err
	}
	err = p.write(ctx, func(tx pgx.Tx) error {
		if version, err = schemaVersion(ctx, tx, schema); err != nil {
			return err
		}
		err := pgx.BeginFunc(ctx, tx, func(sub pgx.Tx) error {
			_, err := sub.Conn().PgConn().Exec(ctx, rolesSQL(schema)).ReadAll()
			return err
		})
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "42501" { // insufficient_privilege
			roles = rolesSQL(schema)
			err = nil
		}
		if err != nil {
			return err
		}
		id, err := publishedID(ctx, tx)
		if err != nil || id == "" {
			return err
		}
		return refreshViews(ctx, tx, id)
	})
	return version, roles, err
}
