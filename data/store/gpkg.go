package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/paulmach/orb"
	"modernc.org/sqlite"

	"observatoire/geo"
	"observatoire/indicators"
)

// gpkg is the store in files. Beside the published edition, which is the file people open in QGIS and which only
// ever changes whole, by a rename, it keeps the editions in a folder, one immutable file each, and a working
// file with the parsed tables, the list of editions and the journal. The published file is a copy: QGIS may
// write to it, and the edition must not change.
//
// What is published is what the published file holds; the journal follows. Whoever writes holds the write lock
// of the working file, so that runs on one machine take turns.
type gpkg struct {
	path     string // of the published edition
	editions string // folder
	db       *sql.DB
	readOnly bool
	writing  sync.Mutex

	mu     sync.Mutex
	seen   fs.FileInfo // the published file when its id was last read
	seenID string
}

const workingSchema = `
CREATE TABLE IF NOT EXISTS lecture_forme (source TEXT PRIMARY KEY, numero INTEGER NOT NULL UNIQUE, longue BOOLEAN NOT NULL);
CREATE TABLE IF NOT EXISTS edition (rang INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, titre TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (rang INTEGER PRIMARY KEY AUTOINCREMENT, jour TEXT NOT NULL, par TEXT NOT NULL,
	action TEXT NOT NULL, edition TEXT NOT NULL, reste TEXT NOT NULL, fait BOOLEAN NOT NULL);`

func openGPKG(ctx context.Context, path string) (Store, error) {
	if fi, err := os.Stat(filepath.Dir(path)); err != nil || !fi.IsDir() {
		return nil, fmt.Errorf("store %s: there is no folder %s: create it, or correct the store's path", path, filepath.Dir(path))
	}
	base := strings.TrimSuffix(path, filepath.Ext(path))
	s := &gpkg{path: path, editions: base + ".editions"}
	if _, err := s.published(ctx); err != nil {
		return nil, err
	}
	if !writable(filepath.Dir(path)) { // a web server needs no more than to read
		if err := s.openReadOnly(ctx, base+".sources.gpkg"); err != nil {
			return nil, fmt.Errorf("store %s: %w", path, err)
		}
		return s, nil
	}
	if err := os.MkdirAll(s.editions, 0o777); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	// No WAL: the folder may be on a network drive.
	working := base + ".sources.gpkg"
	const params = "_txlock=immediate&_pragma=journal_mode(DELETE)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-16384)"
	db, err := sql.Open("sqlite", sqliteURI(working, params+"&_pragma=busy_timeout(60000)"))
	if err != nil {
		return nil, err
	}
	s.db = db
	db.SetMaxOpenConns(4)
	if err := s.createWorking(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", working, err), db.Close())
	}
	// Another process may be writing: then what it has under way is left alone.
	once, err := sql.Open("sqlite", sqliteURI(working, params+"&_pragma=busy_timeout(0)"))
	if err == nil {
		err = s.tidy(ctx, once)
		err = errors.Join(err, once.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), db.Close())
	}
	return s, nil
}

// writable says whether files can be made in a folder.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".observatoire-*")
	if err != nil {
		return false
	}
	f.Close()
	os.Remove(f.Name())
	return true
}

// openReadOnly opens the working file to read; where there is none an empty one, in memory, stands in.
func (s *gpkg) openReadOnly(ctx context.Context, working string) error {
	uri := sqliteURI(working, "mode=ro&immutable=1")
	if _, err := os.Stat(working); errors.Is(err, fs.ErrNotExist) {
		uri = ":memory:"
	}
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	s.db = db
	if uri == ":memory:" {
		if err := s.createWorking(ctx); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	s.readOnly = true
	return nil
}

func (s *gpkg) Close() error { return s.db.Close() }

// createWorking makes the tables of the working file, a GeoPackage too, when it has none.
func (s *gpkg) createWorking(ctx context.Context) error {
	var n, app int
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n); err != nil {
		return err
	}
	if err := s.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return err
	}
	if n > 0 && app != applicationID {
		return fmt.Errorf("this file is not ours: give the store another name")
	}
	if n > 0 {
		return s.upgradeWorking(ctx)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		var src indicators.Source
		var col columnRow
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n); err != nil || n > 0 {
			return err
		}
		for _, t := range []*table{{name: "lecture", fields: sourceFields(&src)}, {name: "lecture_colonne", fields: col.fields()}} {
			if err := createTable(ctx, tx, t, ""); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("%s%s; PRAGMA application_id = %d; PRAGMA user_version = %d",
			gpkgTables, workingSchema, applicationID, userVersion))
		return err
	})
}

// upgradeWorking adds the columns that the working file of an earlier version lacks.
func (s *gpkg) upgradeWorking(ctx context.Context) error {
	var src indicators.Source
	t := &table{name: "lecture", fields: sourceFields(&src)}
	if lacking, err := missing(ctx, s.db, t); err != nil || len(lacking) == 0 {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		lacking, err := missing(ctx, tx, t) // another process may have done it meanwhile
		if err != nil {
			return err
		}
		for _, f := range lacking {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("ALTER TABLE lecture ADD COLUMN %s TEXT", quote(f.name))); err != nil {
				return err
			}
		}
		return nil
	})
}

// write runs f in one transaction that holds the store's write lock.
func (s *gpkg) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	if s.readOnly {
		return fmt.Errorf("the folder %s cannot be written in: give this account the right to, or choose another store with --store",
			filepath.Dir(s.path))
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return inTx(ctx, s.db, f)
}

func inTx(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) {
			err = errors.Join(err, e)
		}
		return cmp.Or(ctx.Err(), err)
	}
	return tx.Commit()
}

// tidy clears what a killed run left, and brings list and journal in line with the files.
func (s *gpkg) tidy(ctx context.Context, db *sql.DB) error {
	err := inTx(ctx, db, func(tx *sql.Tx) error {
		for dir, prefix := range map[string]string{filepath.Dir(s.path): s.tempPrefix(s.path), s.editions: "."} {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			for _, d := range entries {
				if strings.HasPrefix(d.Name(), prefix) && strings.HasSuffix(d.Name(), tempSuffix) {
					if err := os.Remove(filepath.Join(dir, d.Name())); err != nil {
						return err
					}
				}
			}
		}
		published, err := s.published(ctx)
		if err != nil {
			return err
		}
		// The published file may have come alone, copied from elsewhere.
		if published != "" {
			if _, err := os.Stat(s.file(published)); errors.Is(err, fs.ErrNotExist) {
				if err := s.copyTo(s.path, s.file(published)); err != nil {
					return err
				}
			}
		}
		if err := s.listFiles(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE journal SET fait = 1 WHERE NOT fait AND reste = ?", published); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM journal WHERE NOT fait")
		return err
	})
	if busy := (*sqlite.Error)(nil); errors.As(err, &busy) && busy.Code()&0xff == 5 { // SQLITE_BUSY
		return nil
	}
	return err
}

// listFiles makes the list of editions hold those that have a file.
func (s *gpkg) listFiles(ctx context.Context, tx *sql.Tx) error {
	entries, err := os.ReadDir(s.editions)
	if err != nil {
		return err
	}
	files := map[string]bool{}
	for _, d := range entries {
		if id, ok := strings.CutSuffix(d.Name(), ".gpkg"); ok && validID.MatchString(id) {
			files[id] = true
		}
	}
	listed, err := s.list(ctx, tx)
	if err != nil {
		return err
	}
	for _, info := range listed {
		if !files[info.ID] {
			if _, err := tx.ExecContext(ctx, "DELETE FROM edition WHERE id = ?", info.ID); err != nil {
				return err
			}
		}
		delete(files, info.ID)
	}
	var missing []string
	for id := range files {
		missing = append(missing, id)
	}
	slices.Sort(missing)
	for _, id := range missing {
		_, title, err := editionFileInfo(ctx, s.file(id))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO edition (id, titre) VALUES (?, ?)", id, title); err != nil {
			return err
		}
	}
	return nil
}

func (s *gpkg) file(id string) string { return filepath.Join(s.editions, id+".gpkg") }

const tempSuffix = ".tmp"

func (s *gpkg) tempPrefix(path string) string { return "." + filepath.Base(path) + "." }

// HasSource implements [Store].
func (s *gpkg) HasSource(ctx context.Context, id, sha256, cardHash string) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM lecture WHERE id = ? AND sha256 = ? AND coalesce(fiche_sha256, '') = ?",
		id, sha256, cardHash).Scan(&n)
	return n > 0, err
}

// PutSource implements [Store].
func (s *gpkg) PutSource(ctx context.Context, src indicators.Source, r array.RecordReader,
	done func() (indicators.Source, error)) error {
	reader, err := newSourceReader(src, r)
	if err != nil {
		return err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		if err := dropSource(ctx, tx, src.ID); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(numero), 0) + 1 FROM lecture_forme").Scan(&n); err != nil {
			return err
		}
		rows := reader.table(fmt.Sprintf("src_%d", n))
		if err := createTable(ctx, tx, rows, `"rang" INTEGER PRIMARY KEY`); err != nil {
			return err
		}
		if err := insertRows(ctx, tx, rows); err != nil {
			return err
		}
		src, err := reader.finish(done)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO lecture_forme VALUES (?, ?, ?)", src.ID, n, reader.long); err != nil {
			return err
		}
		if err := insertRows(ctx, tx, reader.columnTable()); err != nil {
			return err
		}
		return insertRows(ctx, tx, readingTable(&src))
	})
	if err != nil {
		return fmt.Errorf("source %s is not kept: %w", src.ID, err)
	}
	return nil
}

// readingTable writes one source among those that were read.
func readingTable(src *indicators.Source) *table {
	var row indicators.Source
	return &table{name: "lecture", fields: sourceFields(&row), next: over([]indicators.Source{*src}, &row)}
}

func dropSource(ctx context.Context, tx *sql.Tx, id string) error {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT numero FROM lecture_forme WHERE source = ?", id).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, q := range []string{"DELETE FROM lecture WHERE id = ?", "DELETE FROM lecture_colonne WHERE source = ?",
		"DELETE FROM lecture_forme WHERE source = ?"} {
		if _, err := tx.ExecContext(ctx, q, id); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("DROP TABLE src_%d", n))
	return err
}

// DropSource implements [Store].
func (s *gpkg) DropSource(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *sql.Tx) error { return dropSource(ctx, tx, id) })
}

// Sources implements [Store].
func (s *gpkg) Sources(ctx context.Context) ([]indicators.Source, error) {
	return s.sources(ctx, s.db, "ORDER BY id")
}

func (s *gpkg) sources(ctx context.Context, q querier, where string, args ...any) (out []indicators.Source, err error) {
	var row indicators.Source
	t := &table{name: "lecture", fields: sourceFields(&row), add: into(&out, &row)}
	err = readRows(ctx, q, t, where, args...)
	return out, err
}

// Columns implements [Store].
func (s *gpkg) Columns(ctx context.Context, id string, want func(variable string) bool) ([]indicators.Column, error) {
	// One transaction: the source may be replaced meanwhile. It reads only, and so waits for no writer.
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return nil, err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	srcs, err := s.sources(ctx, conn, "WHERE id = ?", id)
	if err != nil {
		return nil, err
	}
	if len(srcs) == 0 {
		return nil, fmt.Errorf("source %s: %w", id, ErrNotFound)
	}
	var n int
	var long bool
	if err := conn.QueryRowContext(ctx, "SELECT numero, longue FROM lecture_forme WHERE source = ?", id).Scan(&n, &long); err != nil {
		return nil, err
	}
	var cols []columnRow
	var col columnRow
	if err := readRows(ctx, conn, &table{name: "lecture_colonne", fields: col.fields(), add: into(&cols, &col)},
		"WHERE source = ? ORDER BY position", id); err != nil {
		return nil, err
	}
	t, out := readColumns(srcs[0], long, cols, want)
	if t == nil {
		return out, nil
	}
	t.name = fmt.Sprintf("src_%d", n)
	if err := readRows(ctx, conn, t, "ORDER BY rang"); err != nil {
		return nil, fmt.Errorf("source %s: %w", id, err)
	}
	return out, nil
}

// PutEdition implements [Store].
func (s *gpkg) PutEdition(ctx context.Context, e *indicators.Edition) error {
	if err := checkEdition(e); err != nil {
		return err
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		journal, err := s.journal(ctx, tx)
		if err != nil {
			return err
		}
		published, err := s.published(ctx)
		if err != nil {
			return err
		}
		was := slices.ContainsFunc(journal, func(a act) bool { return a.edition == e.ID })
		if was || published == e.ID { // what was published once does not change; a file that was damaged is written again
			if kept, err := readEditionFile(ctx, s.file(e.ID)); err == nil && kept.ID == e.ID {
				return nil
			} else if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		temp, err := s.temp(s.file(e.ID))
		if err != nil {
			return err
		}
		defer os.Remove(temp)
		if err := writeEditionFile(ctx, temp, e); err != nil {
			return err
		}
		if err := syncPath(temp); err != nil {
			return err
		}
		if err := replace(temp, s.file(e.ID)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM edition WHERE id = ?", e.ID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO edition (id, titre) VALUES (?, ?)", e.ID, e.Title)
		return err
	})
	if err != nil {
		return fmt.Errorf("edition %s is not kept: %w", e.ID, err)
	}
	return nil
}

// Edition implements [Store].
func (s *gpkg) Edition(ctx context.Context, id string) (*indicators.Edition, error) {
	path, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return readEditionFile(ctx, path)
}

// Outline implements [Store].
func (s *gpkg) Outline(ctx context.Context, id string) (*indicators.Edition, error) {
	path, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return readOutline(ctx, path)
}

// Zones implements [Store].
func (s *gpkg) Zones(ctx context.Context, id string, layer geo.Layer, near []orb.Bound) (*geo.ZoneSet, []int, error) {
	path, err := s.find(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	return readLayer(ctx, path, layer, near)
}

// find is the file of an edition, the published one when id is empty.
func (s *gpkg) find(ctx context.Context, id string) (string, error) {
	if id == "" {
		var err error
		if id, err = s.published(ctx); err != nil {
			return "", err
		}
		if id == "" {
			return "", fmt.Errorf("no edition is published: %w", ErrNotFound)
		}
	}
	if !validID.MatchString(id) {
		return "", fmt.Errorf("edition %q: %w", id, ErrNotFound)
	}
	// The edition's own file: someone may be editing the published copy.
	if _, err := os.Stat(s.file(id)); errors.Is(err, fs.ErrNotExist) {
		if published, err := s.published(ctx); err == nil && published == id && s.readOnly { // it came alone
			return s.path, nil
		}
		return "", fmt.Errorf("edition %s: %w", id, ErrNotFound)
	}
	return s.file(id), nil
}

// list is the editions as they were put, the latest first; their state is for the caller to tell.
func (s *gpkg) list(ctx context.Context, q querier) (out []indicators.EditionInfo, err error) {
	var row indicators.EditionInfo
	t := &table{name: "edition", fields: []field{{"id", &row.ID}, {"titre", &row.Title}}, add: into(&out, &row)}
	err = readRows(ctx, q, t, "ORDER BY rang DESC")
	return out, err
}

// journal is what was done, in order.
func (s *gpkg) journal(ctx context.Context, q querier) (out []act, err error) {
	var a act
	t := &table{name: "journal", fields: []field{{"action", &a.action}, {"edition", &a.edition}, {"jour", &a.day},
		{"par", &a.by}}, add: into(&out, &a)}
	err = readRows(ctx, q, t, "WHERE fait ORDER BY rang")
	return out, err
}

// Editions implements [Store].
func (s *gpkg) Editions(ctx context.Context) ([]indicators.EditionInfo, error) {
	out, err := s.list(ctx, s.db)
	if err != nil {
		return nil, err
	}
	journal, err := s.journal(ctx, s.db)
	if err != nil {
		return nil, err
	}
	published, err := s.published(ctx)
	if err != nil {
		return nil, err
	}
	for i := range out {
		info := &out[i]
		info.Etat = indicators.Brouillon
		for _, a := range journal {
			if a.action == "publier" && a.edition == info.ID {
				info.Etat, info.PublieePar, info.PublieeLe = indicators.Ancienne, a.by, a.day
			}
		}
		if info.ID == published {
			info.Etat = indicators.Publiee
		}
	}
	slices.SortStableFunc(out, func(a, b indicators.EditionInfo) int {
		return cmp.Compare(btoi(b.Etat == indicators.Publiee), btoi(a.Etat == indicators.Publiee))
	})
	return out, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Publish implements [Store].
func (s *gpkg) Publish(ctx context.Context, id, by, day string) error {
	if err := checkDay(day); err != nil {
		return err
	}
	if !validID.MatchString(id) {
		return fmt.Errorf("edition %q: %w", id, ErrNotFound)
	}
	if _, err := os.Stat(s.file(id)); err != nil {
		return fmt.Errorf("edition %s: %w", id, ErrNotFound)
	}
	published, err := s.published(ctx)
	if err != nil || published == id {
		return err
	}
	return s.switchTo(ctx, act{"publier", id, day, by}, id)
}

// Withdraw implements [Store].
func (s *gpkg) Withdraw(ctx context.Context, by, day string) (string, error) {
	if err := checkDay(day); err != nil {
		return "", err
	}
	published, err := s.published(ctx)
	if err != nil {
		return "", err
	}
	if published == "" {
		return "", fmt.Errorf("no edition is published: %w", ErrNotFound)
	}
	journal, err := s.journal(ctx, s.db)
	if err != nil {
		return "", err
	}
	previous := before(journal, published)
	if previous != "" {
		if _, err := os.Stat(s.file(previous)); err != nil {
			return "", fmt.Errorf("edition %s, published before, has lost its file %s: publish another edition instead",
				previous, s.file(previous))
		}
	}
	if err := s.switchTo(ctx, act{"retirer", published, day, by}, previous); err != nil {
		return "", err
	}
	return previous, nil
}

// switchTo makes id the published edition, or none when it is empty. The intention is in the journal before the
// file changes: whoever is stopped between the two leaves enough for the next opening to complete or to forget.
func (s *gpkg) switchTo(ctx context.Context, a act, id string) error {
	var rang int64
	err := s.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO journal (jour, par, action, edition, reste, fait) VALUES (?, ?, ?, ?, ?, 0)",
			a.day, a.by, a.action, a.edition, id)
		if err == nil {
			rang, err = res.LastInsertId()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", a.action, a.edition, err)
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?, ?, ?, 1)",
			rang, a.day, a.by, a.action, a.edition, id); err != nil {
			return err
		}
		// Changes that another program has not finished writing would be applied to the new file.
		for _, suffix := range []string{"-wal", "-journal"} {
			if fi, err := os.Stat(s.path + suffix); err == nil && fi.Size() > 0 {
				return fmt.Errorf("%s is being edited: close QGIS, then start again", s.path)
			}
		}
		if id != "" {
			return s.copyTo(s.file(id), s.path)
		}
		if err := os.Remove(s.path); err != nil {
			return busyFile(s.path, err)
		}
		return syncDir(filepath.Dir(s.path))
	})
	if err != nil {
		// The intention is forgotten, unless the switch took place; if even that fails, the next opening does it.
		after := context.WithoutCancel(ctx)
		if now, e := s.published(after); e == nil && now != id {
			_, e = s.db.ExecContext(after, "DELETE FROM journal WHERE rang = ? AND NOT fait", rang)
			err = errors.Join(err, e)
		}
		return fmt.Errorf("%s %s: %w", a.action, a.edition, err)
	}
	return nil
}

// Version implements [Store]. It needs no more than the date of the published file, most of the time.
func (s *gpkg) Version(ctx context.Context) (string, error) {
	id, err := s.published(ctx)
	if err != nil || id == "" {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s-%x", s.seenID, s.seen.ModTime().UnixNano()), nil
}

// published is the id of the edition that the published file holds, "" when there is no such file.
func (s *gpkg) published(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fi, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if s.seen != nil && os.SameFile(fi, s.seen) && fi.ModTime().Equal(s.seen.ModTime()) && fi.Size() == s.seen.Size() {
		return s.seenID, nil
	}
	id, _, err := editionFileInfo(ctx, s.path)
	if err != nil {
		return "", err
	}
	if !validID.MatchString(id) {
		return "", fmt.Errorf("%s is not an edition of the observatory: give the store another name", s.path)
	}
	s.seen, s.seenID = fi, id
	return id, nil
}

// temp makes an empty file in the folder of path, to be renamed over it.
func (s *gpkg) temp(path string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), s.tempPrefix(path)+"*"+tempSuffix)
	if err != nil {
		return "", err
	}
	// As any file the user makes: CreateTemp's are for their owner alone, and QGIS may be run by another.
	if err := f.Chmod(0o644); err != nil && runtime.GOOS != "windows" {
		return "", errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f.Name(), f.Close()
}

// copyTo puts a copy of one file in the place of another, whole or not at all.
func (s *gpkg) copyTo(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	temp, err := s.temp(to)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	dst, err := os.OpenFile(temp, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err := errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return err
	}
	return replace(temp, to)
}

// replace renames a file over another, and makes it last. Windows refuses while the other is open: a reader of
// ours has done with it in a moment.
func replace(temp, path string) error {
	err := os.Rename(temp, path)
	for i := 0; err != nil && runtime.GOOS == "windows" && i < 20; i++ {
		time.Sleep(100 * time.Millisecond)
		err = os.Rename(temp, path)
	}
	if err != nil {
		return busyFile(path, err)
	}
	return syncDir(filepath.Dir(path))
}

func busyFile(path string, err error) error {
	return fmt.Errorf("%s cannot be replaced: close QGIS, or whatever holds it, then start again: %w", path, err)
}

func syncPath(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir makes a rename last through a power cut.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Some network drives refuse to sync a folder; the rename is done all the same.
	_ = d.Sync()
	return d.Close()
}
