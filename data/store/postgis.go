package store

import (
	"cmp"
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"net"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/paulmach/orb"
	"github.com/tidwall/rtree"

	"observatoire/geo"
	"observatoire/indicators"
)

// migrations brings a schema up to date, one file after the other. The runner is ours: it must look only inside
// the schema, ask for no right when there is nothing to do, and do all or nothing.
//
//go:embed migrations/*.sql
var migrations embed.FS

// postgis is the store in a schema of a PostgreSQL database that has PostGIS. Whoever writes holds one advisory
// lock, so that runs take turns.
type postgis struct {
	pool *pgxpool.Pool
	lock int64
}

// channel is notified of the id of the published edition, "" when there is none any more.
const channel = "observatoire_edition"

func openPostGIS(ctx context.Context, address string) (Store, error) {
	address, schema, err := cutSchema(address)
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("the PostGIS address cannot be read: %w", err) // pgx hides the password
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 4 * time.Second
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, unreachable(cfg.ConnConfig, err)
	}
	path, err := prepare(ctx, conn, schema)
	if e := conn.Close(context.WithoutCancel(ctx)); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("PostGIS, database %s, schema %s: %w", cfg.ConnConfig.Database, schema, err)
	}
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET search_path TO "+path)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, unreachable(cfg.ConnConfig, err)
	}
	return &postgis{pool, lockKey(schema)}, nil
}

var schemaKeyword = regexp.MustCompile(`(?:^|\s)schema\s*=\s*('[^']*'|\S+)`)

// cutSchema takes the option schema, ours, out of an address.
func cutSchema(address string) (rest, schema string, err error) {
	const byDefault = "observatoire"
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		if m := schemaKeyword.FindStringSubmatch(address); m != nil {
			schema = strings.Trim(m[1], "'")
		}
		return schemaKeyword.ReplaceAllString(address, ""), cmp.Or(schema, byDefault), nil
	}
	rest, query, found := strings.Cut(address, "?")
	if !found {
		return address, byDefault, nil
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return "", "", fmt.Errorf("the options of the PostGIS address, after ?, cannot be read")
	}
	schema = options.Get("schema")
	options.Del("schema")
	if len(options) > 0 {
		rest += "?" + options.Encode()
	}
	return rest, cmp.Or(schema, byDefault), nil
}

// unreachable words a failed connection. No password is in it.
func unreachable(c *pgx.ConnConfig, err error) error {
	where := net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return fmt.Errorf("PostgreSQL at %s refuses database %s to user %s (%s): check the names, and the password in .pgpass",
			where, c.Database, c.User, pg.Message)
	}
	cause := err
	if connect := (*pgconn.ConnectError)(nil); errors.As(err, &connect) {
		cause = connect.Unwrap()
	}
	message, _, _ := strings.Cut(cause.Error(), "\n") // one line a host tried
	return fmt.Errorf("PostGIS unreachable at %s (%s): check the address, or use the default GeoPackage store", where, message)
}

func lockKey(schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("observatoire " + schema))
	return int64(h.Sum64())
}

// prepare checks PostGIS, brings the schema up to date and gives the search path to use.
func prepare(ctx context.Context, conn *pgx.Conn, schema string) (path string, err error) {
	var ext string
	err = conn.QueryRow(ctx, `SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
		WHERE e.extname = 'postgis'`).Scan(&ext)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("the database has no PostGIS: ask its administrator for CREATE EXTENSION postgis")
	}
	if err != nil {
		return "", err
	}
	path = quote(schema) + ", " + quote(ext)
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return "", err
	}
	if n, err := schemaVersion(ctx, conn, schema); err != nil || n == len(files) {
		return path, err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey(schema)); err != nil {
		return "", err
	}
	n, err := schemaVersion(ctx, tx, schema) // another run may have done it meanwhile
	if err != nil {
		return "", err
	}
	if n > len(files) {
		return "", fmt.Errorf("it is of a later version of the program: update observatoire")
	}
	if err := createSchema(ctx, tx, schema); err != nil {
		return "", err
	}
	if _, err := tx.Exec(ctx, "SET LOCAL search_path TO "+path); err != nil {
		return "", err
	}
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS migration (version bigint PRIMARY KEY)"); err != nil {
		return "", err
	}
	for i := n; i < len(files); i++ {
		text, err := migrations.ReadFile(files[i])
		if err != nil {
			return "", err
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, string(text)).ReadAll(); err != nil {
			return "", fmt.Errorf("%s: %w", files[i], err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO migration VALUES ($1)", i+1); err != nil {
			return "", err
		}
	}
	return path, tx.Commit(ctx)
}

// createSchema creates the schema where it is missing: who may not create one may use one made for them.
func createSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := tx.Exec(ctx, "CREATE SCHEMA "+quote(schema))
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "42501" { // insufficient_privilege
		return fmt.Errorf("the schema is missing and this user may not create it: ask the administrator for CREATE SCHEMA %s AUTHORIZATION %s",
			quote(schema), quote(tx.Conn().Config().User))
	}
	return err
}

type pgQuerier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// schemaVersion is the number of migrations the schema has had.
func schemaVersion(ctx context.Context, db pgQuerier, schema string) (n int, err error) {
	var exists bool
	// Not to_regclass, which may remember what it saw before another run's transaction.
	if err := db.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'migration')",
		schema).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	err = db.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+quote(schema)+".migration").Scan(&n)
	return n, err
}

func (s *postgis) Close() error { s.pool.Close(); return nil }

// write runs f in one transaction that holds the store's write lock.
func (s *postgis) write(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", s.lock); err != nil {
			return err
		}
		return f(tx)
	})
}

// read runs f in one transaction that sees the store as it was at its beginning.
func (s *postgis) read(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f)
}

// HasSource implements [Store].
func (s *postgis) HasSource(ctx context.Context, id, sha256, cardHash string) (has bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM lecture
		WHERE id = $1 AND sha256 = $2 AND coalesce(fiche_sha256, '') = $3)`, id, sha256, cardHash).Scan(&has)
	return has, err
}

// maxColumns of a row: PostgreSQL allows 1600, but 8 bytes each must fit in a page of 8 kB.
const maxColumns = 900

// PutSource implements [Store].
func (s *postgis) PutSource(ctx context.Context, src indicators.Source, r array.RecordReader,
	done func() (indicators.Source, error)) error {
	reader, err := newSourceReader(src, r)
	if err != nil {
		return err
	}
	if !reader.long && len(reader.columns) > maxColumns {
		return fmt.Errorf("source %s has %d measured columns, and PostGIS holds %d: name fewer in its card, or use the GeoPackage store",
			src.ID, len(reader.columns), maxColumns)
	}
	err = s.write(ctx, func(tx pgx.Tx) error {
		if err := dropReading(ctx, tx, src.ID); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(numero), 0) + 1 FROM lecture_forme").Scan(&n); err != nil {
			return err
		}
		rows := numbered(reader.table(fmt.Sprintf("src_%d", n)))
		cols := make([]string, len(rows.fields))
		for i, f := range rows.fields {
			cols[i] = quote(f.name) + " " + [...]string{kText: "text", kInt: "bigint", kReal: "double precision",
				kBool: "boolean"}[kindOf(f.ptr)]
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (%s)", rows.name, strings.Join(cols, ", "))); err != nil {
			return err
		}
		if err := copyRows(ctx, tx, rows); err != nil {
			return err
		}
		src, err := reader.finish(done)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO lecture_forme VALUES ($1, $2, $3)", src.ID, n, reader.long); err != nil {
			return err
		}
		if err := copyRows(ctx, tx, reader.columnTable()); err != nil {
			return err
		}
		return copyRows(ctx, tx, readingTable(&src))
	})
	if err != nil {
		return fmt.Errorf("source %s is not kept: %w", src.ID, err)
	}
	return nil
}

func dropReading(ctx context.Context, tx pgx.Tx, id string) error {
	var n int
	err := tx.QueryRow(ctx, "DELETE FROM lecture_forme WHERE source = $1 RETURNING numero", id).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, q := range []string{"DELETE FROM lecture WHERE id = $1", "DELETE FROM lecture_colonne WHERE source = $1"} {
		if _, err := tx.Exec(ctx, q, id); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, fmt.Sprintf("DROP TABLE src_%d", n))
	return err
}

// DropSource implements [Store].
func (s *postgis) DropSource(ctx context.Context, id string) error {
	return s.write(ctx, func(tx pgx.Tx) error { return dropReading(ctx, tx, id) })
}

// Sources implements [Store].
func (s *postgis) Sources(ctx context.Context) ([]indicators.Source, error) {
	// Byte by byte, as the GeoPackage does, whatever the order of the database's language.
	return readings(ctx, s.pool, `ORDER BY id COLLATE "C"`)
}

func readings(ctx context.Context, q pgQuerier, where string, args ...any) (out []indicators.Source, err error) {
	var row indicators.Source
	t := &table{name: "lecture", fields: sourceFields(&row), add: into(&out, &row)}
	err = queryRows(ctx, q, t, where, args...)
	return out, err
}

// Columns implements [Store].
func (s *postgis) Columns(ctx context.Context, id string, want func(variable string) bool) (out []indicators.Column, err error) {
	err = s.read(ctx, func(tx pgx.Tx) error {
		srcs, err := readings(ctx, tx, "WHERE id = $1", id)
		if err != nil {
			return err
		}
		if len(srcs) == 0 {
			return fmt.Errorf("source %s: %w", id, ErrNotFound)
		}
		var n int
		var long bool
		if err := tx.QueryRow(ctx, "SELECT numero, longue FROM lecture_forme WHERE source = $1", id).Scan(&n, &long); err != nil {
			return err
		}
		var cols []columnRow
		var col columnRow
		if err := queryRows(ctx, tx, &table{name: "lecture_colonne", fields: col.fields(), add: into(&cols, &col)},
			"WHERE source = $1 ORDER BY position", id); err != nil {
			return err
		}
		var t *table
		if t, out = readColumns(srcs[0], long, cols, want); t == nil {
			return nil
		}
		t.name = fmt.Sprintf("src_%d", n)
		return queryRows(ctx, tx, t, "ORDER BY rang")
	})
	return out, err
}

// PutEdition implements [Store].
func (s *postgis) PutEdition(ctx context.Context, e *indicators.Edition) error {
	if err := checkEdition(e); err != nil {
		return err
	}
	err := s.write(ctx, func(tx pgx.Tx) error {
		var etat indicators.Etat
		err := tx.QueryRow(ctx, "SELECT etat FROM edition WHERE id = $1", e.ID).Scan(&etat)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if etat == indicators.Publiee || etat == indicators.Ancienne {
			return nil // what was published once does not change
		}
		tables := editionTables(e)
		for i := range tables {
			t, key := &tables[i], "edition"
			if t.name == "edition" {
				key = "id"
			}
			if etat != "" {
				if _, err := tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s = $1", t.name, key), e.ID); err != nil {
					return err
				}
			}
			if t.name != "edition" {
				t = prefixed(numbered(t), field{"edition", &e.ID})
			}
			if err := copyRows(ctx, tx, t); err != nil {
				return err
			}
		}
		for _, name := range []string{"zone", facilityName, facilityZoneName} {
			if _, err := tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE edition = $1", name), e.ID); err != nil {
				return err
			}
		}
		for i := range e.Layers {
			l := &e.Layers[i]
			if _, _, err := srsDefinition(l.EPSG); err != nil {
				return fmt.Errorf("%s: %w", l.Layer, err)
			}
			zones := zoneTable(l, "zone", marshalEWKB)
			t := numbered(&zones)
			t.fields[0].name = "fid"
			if err := copyRows(ctx, tx, prefixed(t, field{"edition", &e.ID}, field{"couche", (*string)(&l.Layer)})); err != nil {
				return err
			}
			if !l.Drawn() {
				continue
			}
			if _, err := tx.Exec(ctx, "UPDATE couche SET boites = $3 WHERE edition = $1 AND couche = $2", e.ID, string(l.Layer), boxesOf(l)); err != nil {
				return err
			}
		}
		points, zones := facilityTable(e, marshalPointEWKB, nil), facilityZoneTable(e)
		for _, t := range []*table{&points, &zones} {
			if err := copyRows(ctx, tx, prefixed(numbered(t), field{"edition", &e.ID})); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("edition %s is not kept: %w", e.ID, err)
	}
	return nil
}

// Edition implements [Store].
func (s *postgis) Edition(ctx context.Context, id string) (*indicators.Edition, error) {
	e := &indicators.Edition{}
	err := s.read(ctx, func(tx pgx.Tx) error {
		if err := queryTables(ctx, tx, id, e, editionTables(e)); err != nil {
			return err
		}
		for i := range e.Layers {
			if _, err := s.queryZones(ctx, tx, e.ID, &e.Layers[i], nil); err != nil {
				return err
			}
		}
		points, zones := facilityTable(e, nil, unmarshalPointEWKB), facilityZoneTable(e)
		for _, t := range []*table{&points, &zones} {
			if err := queryRows(ctx, tx, t, "WHERE edition = $1 ORDER BY rang", e.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Outline implements [Store].
func (s *postgis) Outline(ctx context.Context, id string) (*indicators.Edition, error) {
	e := &indicators.Edition{}
	err := s.read(ctx, func(tx pgx.Tx) error { return queryTables(ctx, tx, id, e, editionTables(e)[:outlineTables]) })
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Zones implements [Store].
func (s *postgis) Zones(ctx context.Context, id string, layer geo.Layer, near []orb.Bound) (set *geo.ZoneSet, at []int, err error) {
	err = s.read(ctx, func(tx pgx.Tx) error {
		e := &indicators.Edition{}
		if err := queryTables(ctx, tx, id, e, editionTables(e)[:outlineTables]); err != nil {
			return err
		}
		if set = e.Layer(layer); set == nil {
			return fmt.Errorf("edition %s has no layer %s: %w", e.ID, layer, ErrNotFound)
		}
		at, err = s.queryZones(ctx, tx, e.ID, set, near)
		return err
	})
	return set, at, err
}

// queryTables reads tables of an edition, the published one when id is empty.
func queryTables(ctx context.Context, tx pgx.Tx, id string, e *indicators.Edition, tables []table) error {
	if id == "" {
		var err error
		if id, err = publishedID(ctx, tx); err != nil {
			return err
		}
		if id == "" {
			return fmt.Errorf("no edition is published: %w", ErrNotFound)
		}
	}
	for i := range tables {
		t, where := &tables[i], "WHERE edition = $1 ORDER BY rang"
		if t.name == "edition" {
			where = "WHERE id = $1"
		}
		if err := queryRows(ctx, tx, t, where, id); err != nil {
			return err
		}
		if e.ID == "" {
			return fmt.Errorf("edition %s: %w", id, ErrNotFound)
		}
	}
	return nil
}

// boxesOf are the boxes of the zones of a layer, as the table couche keeps them.
func boxesOf(set *geo.ZoneSet) []byte {
	out := make([]byte, 0, 32*len(set.Zones))
	for i := range set.Zones {
		z := &set.Zones[i]
		box := z.Box
		if box == (orb.Bound{}) && z.Geom != nil {
			box = geo.Box(z.Geom)
		}
		for _, v := range [4]float64{box.Min[0], box.Min[1], box.Max[0], box.Max[1]} {
			if z.Geom == nil {
				v = math.Float64frombits(0x7FF8 << 48) // NaN as PostgreSQL has it
			}
			out = binary.BigEndian.AppendUint64(out, math.Float64bits(v))
		}
	}
	return out
}

// pgBlock is how many zones one query reads: enough to make little of its cost, few enough to share the work.
const pgBlock = 1024

// queryZones reads the zones of a layer, and their positions in it, by several connections that see what tx sees.
func (s *postgis) queryZones(ctx context.Context, tx pgx.Tx, id string, set *geo.ZoneSet, near []orb.Bound) (at []int, err error) {
	// The results are asked for in binary, which is what a geometry is kept in but for its header, and read in the
	// memory of the connection.
	// Each zone is looked up by its key, whatever the planner knows of the table: OFFSET keeps it from anything else.
	const sql = `SELECT z.* FROM unnest($3::bigint[]) AS wanted, LATERAL (SELECT fid, geom, code, nom, communes, membres, type
		FROM zone WHERE edition = $1 AND couche = $2 AND fid = wanted OFFSET 0) AS z`
	var fids []int64
	if near == nil {
		for fid := range cap(set.Zones) {
			fids = append(fids, int64(fid+1))
		}
	} else {
		var boxes []byte
		if err := tx.QueryRow(ctx, "SELECT boites FROM couche WHERE edition = $1 AND couche = $2", id, string(set.Layer)).Scan(&boxes); err != nil {
			return nil, fmt.Errorf("%s: %w", set.Layer, err)
		}
		fids = boxesNear(boxes, near)
	}
	blocks := slices.Collect(slices.Chunk(fids, pgBlock))

	found, errs := make([][]numberedZone, len(blocks)), make([]error, len(blocks))
	var next atomic.Int64
	work := func(tx pgx.Tx) {
		var d decoder
		for i := int(next.Add(1)) - 1; i < len(blocks); i = int(next.Add(1)) - 1 {
			if found[i], errs[i] = queryBlock(ctx, tx, &d, sql, pgx.QueryResultFormats{pgx.BinaryFormatCode}, id, string(set.Layer), blocks[i]); errs[i] != nil {
				return
			}
		}
	}
	if n := min(runtime.GOMAXPROCS(0), len(blocks)); n < 2 {
		work(tx)
	} else if err := s.share(ctx, tx, n, work); err != nil {
		return nil, err
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", set.Layer, err)
	}
	for _, block := range found {
		for _, f := range block {
			set.Zones, at = append(set.Zones, f.zone), append(at, f.fid-1)
		}
	}
	return at, nil
}

// share runs work n times at once, with tx and with transactions of other connections that see the same. One that cannot
// be had, because all are taken or go to another server, is done without: work must be what any of them can finish alone.
func (s *postgis) share(ctx context.Context, tx pgx.Tx, n int, work func(tx pgx.Tx)) error {
	var snapshot string
	if err := tx.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
		return err
	}
	waiting, enough := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range n - 1 {
		wg.Go(func() {
			conn, err := s.pool.Acquire(waiting)
			if err != nil {
				return
			}
			defer conn.Release()
			other, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
			if err != nil {
				return
			}
			defer other.Rollback(context.WithoutCancel(ctx))
			if _, err := other.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+snapshot+"'"); err == nil {
				work(other)
			}
		})
	}
	work(tx)
	enough() // whoever still waits for a connection has nothing left to do
	wg.Wait()
	return nil
}

// A numberedZone is a zone and its fid.
type numberedZone struct {
	fid  int
	zone geo.Zone
}

// queryBlock reads some zones, in the order of their fid.
func queryBlock(ctx context.Context, tx pgx.Tx, d *decoder, sql string, args ...any) (found []numberedZone, err error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := rows.RawValues()
		z := geo.Zone{Code: string(v[2]), Name: string(v[3]), Commune: string(v[4]), Type: string(v[6])}
		if len(v[5]) > 0 {
			z.Members = strings.Split(string(v[5]), ",")
		}
		if v[1] != nil {
			if z.Geom, err = d.multiPolygon(v[1]); err != nil {
				return nil, fmt.Errorf("zone %s: its geometry: %w", z.Code, err)
			}
			z.Box = geo.Box(z.Geom)
		}
		found = append(found, numberedZone{int(binary.BigEndian.Uint64(v[0])), z})
	}
	return found, rows.Err()
}

// boxesNear are the fids of the zones whose box meets one of near, in order.
func boxesNear(boxes []byte, near []orb.Bound) []int64 {
	var tree rtree.RTreeG[struct{}]
	for _, b := range near {
		tree.Insert(b.Min, b.Max, struct{}{})
	}
	var fids []int64
	for i := 0; i+32 <= len(boxes); i += 32 {
		side := func(k int) float64 { return math.Float64frombits(binary.BigEndian.Uint64(boxes[i+8*k:])) }
		if math.IsNaN(side(0)) {
			continue
		}
		tree.Search([2]float64{side(0), side(1)}, [2]float64{side(2), side(3)}, func(_, _ [2]float64, _ struct{}) bool {
			fids = append(fids, int64(i/32+1))
			return false
		})
	}
	return fids
}

func publishedID(ctx context.Context, q pgQuerier) (id string, err error) {
	err = q.QueryRow(ctx, "SELECT coalesce((SELECT id FROM edition WHERE etat = 'publiée'), '')").Scan(&id)
	return id, err
}

// Editions implements [Store].
func (s *postgis) Editions(ctx context.Context) ([]indicators.EditionInfo, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, coalesce(titre, ''), etat, coalesce(publiee_par, ''),
		coalesce(to_char(publiee_le, 'YYYY-MM-DD'), '') FROM edition ORDER BY etat <> 'publiée', rang DESC`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (info indicators.EditionInfo, err error) {
		err = row.Scan(&info.ID, &info.Title, &info.Etat, &info.PublieePar, &info.PublieeLe)
		return info, err
	})
}

// Publish implements [Store].
func (s *postgis) Publish(ctx context.Context, id, by, day string) error {
	if err := checkDay(day); err != nil {
		return err
	}
	err := s.write(ctx, func(tx pgx.Tx) error {
		published, err := publishedID(ctx, tx)
		if err != nil || (published == id && id != "") {
			return err
		}
		return switchEdition(ctx, tx, act{"publier", id, day, by}, id)
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Withdraw implements [Store].
func (s *postgis) Withdraw(ctx context.Context, by, day string) (previous string, err error) {
	if err := checkDay(day); err != nil {
		return "", err
	}
	err = s.write(ctx, func(tx pgx.Tx) error {
		published, err := publishedID(ctx, tx)
		if err != nil {
			return err
		}
		if published == "" {
			return fmt.Errorf("no edition is published: %w", ErrNotFound)
		}
		rows, err := tx.Query(ctx, "SELECT action, edition FROM journal ORDER BY rang")
		if err != nil {
			return err
		}
		journal, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a act, err error) {
			err = row.Scan(&a.action, &a.edition)
			return a, err
		})
		if err != nil {
			return err
		}
		previous = before(journal, published)
		return switchEdition(ctx, tx, act{"retirer", published, day, by}, previous)
	})
	if err != nil {
		return "", fmt.Errorf("withdraw: %w", err)
	}
	return previous, nil
}

// switchEdition makes id the published edition, or none when it is empty, and tells those who listen.
func switchEdition(ctx context.Context, tx pgx.Tx, a act, id string) error {
	if _, err := tx.Exec(ctx, "UPDATE edition SET etat = 'ancienne' WHERE etat = 'publiée'"); err != nil {
		return err
	}
	if id != "" || a.action == "publier" {
		sql, args := "UPDATE edition SET etat = 'publiée' WHERE id = $1", []any{id}
		if a.action == "publier" {
			sql, args = "UPDATE edition SET etat = 'publiée', publiee_par = $2, publiee_le = $3 WHERE id = $1",
				[]any{id, a.by, a.day}
		}
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("edition %s: %w", id, ErrNotFound)
		}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO journal (jour, par, action, edition) VALUES ($1, $2, $3, $4)",
		a.day, a.by, a.action, a.edition); err != nil {
		return err
	}
	if err := refreshViews(ctx, tx, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "SELECT pg_notify($1, $2)", channel, id)
	return err
}

// Version implements [Store].
func (s *postgis) Version(ctx context.Context) (v string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce((SELECT id || '-' || (SELECT count(*) FROM journal)
		FROM edition WHERE etat = 'publiée'), '')`).Scan(&v)
	return v, err
}

// prefixed is t with more columns before its own.
func prefixed(t *table, more ...field) *table {
	p := *t
	p.fields = slices.Concat(more, t.fields)
	return &p
}

// numbered is t with a column rang before its own: 1, 2, 3…
func numbered(t *table) *table {
	n := new(int)
	p := prefixed(t, field{"rang", n})
	p.next = func() (bool, error) { *n++; return t.next() }
	return p
}

// copyRows writes the rows of t by COPY, in PostgreSQL's binary format.
func copyRows(ctx context.Context, tx pgx.Tx, t *table) error {
	r := &copyReader{t: t, buf: []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, r, fmt.Sprintf("COPY %s (%s) FROM STDIN BINARY", quote(t.name), columnList(t.fields)))
	if e := r.stop(); e != nil {
		return cmp.Or(ctx.Err(), e) // the server only knows that the copy was given up
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	return nil
}

// A copyReader is the rows of a table as a COPY stream.
type copyReader struct {
	t *table

	mu   sync.Mutex // a broken connection leaves a reader behind for a moment
	buf  []byte
	off  int
	done bool
	err  error
}

// stop ends the stream, and gives the error that interrupted it.
func (c *copyReader) stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.buf, c.off = true, nil, 0
	return c.err
}

func (c *copyReader) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.done && len(c.buf)-c.off < len(p) {
		c.buf, c.off = append(c.buf[:0], c.buf[c.off:]...), 0
		for !c.done && len(c.buf) < 1<<16 {
			c.fill()
		}
		if c.err != nil {
			return 0, c.err
		}
	}
	n := copy(p, c.buf[c.off:])
	c.off += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// fill appends one row, or the end of the stream.
func (c *copyReader) fill() {
	ok, err := c.t.next()
	if err != nil {
		c.done, c.err = true, err
		return
	}
	if !ok {
		c.buf, c.done = binary.BigEndian.AppendUint16(c.buf, math.MaxUint16), true
		return
	}
	c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(len(c.t.fields)))
	for _, f := range c.t.fields {
		// Figures are most of what is copied: they go straight to the buffer.
		if o, ok := f.ptr.(*indicators.Opt); ok && o.OK && !math.IsNaN(o.V) && !math.IsInf(o.V, 0) && o.V != 0 {
			c.buf = binary.BigEndian.AppendUint64(append(c.buf, 0, 0, 0, 8), math.Float64bits(o.V))
			continue
		}
		v, err := encode(f.ptr)
		if err != nil {
			c.done, c.err = true, fmt.Errorf("%s: %s%s: %w", c.t.name, rowName(c.t.fields), f.name, err)
			return
		}
		c.buf = appendCopy(c.buf, v)
	}
}

// appendCopy appends a value as COPY wants it: its length, then its bytes; -1 for NULL.
func appendCopy(buf []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v...)
	case []byte:
		return append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v...)
	case int64:
		return binary.BigEndian.AppendUint64(append(buf, 0, 0, 0, 8), uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(buf, 0, 0, 0, 8), math.Float64bits(v))
	case bool:
		return append(buf, 0, 0, 0, 1, byte(btoi(v)))
	}
	return append(buf, 0xff, 0xff, 0xff, 0xff)
}

// queryRows gives t the rows of a query of its columns.
func queryRows(ctx context.Context, q pgQuerier, t *table, where string, args ...any) error {
	cols := strings.Replace(columnList(t.fields), `"geom"`, `ST_AsEWKB("geom", 'NDR')`, 1)
	rows, err := q.Query(ctx, fmt.Sprintf("SELECT %s FROM %s %s", cols, quote(t.name), where), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	defer rows.Close()
	dest := scratch(t.fields)
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if err := decode(t.fields, dest); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if err := t.add(); err != nil {
			return err
		}
	}
	return rows.Err()
}
