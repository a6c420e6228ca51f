package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"observatoire/ingest"
)

// A fullError says that a disk is full, and what to do.
type fullError struct {
	message string
	err     error
}

func (e *fullError) Error() string { return e.message }
func (e *fullError) Unwrap() error { return e.err }

// fullStore says where the store is when a write to it failed for want of room. SQLite and PostgreSQL do not.
func fullStore(err error, url, dir string) error {
	var sqlite interface{ Code() int }
	var postgres interface{ SQLState() string }
	switch {
	case errors.As(err, &postgres) && postgres.SQLState() == "53100":
		return &fullError{"the disk of the PostgreSQL server is full: have room made there, then run the command again; the published edition is unchanged", err}
	case errors.As(err, &sqlite) && sqlite.Code()&0xff == 13, // SQLITE_FULL
		errors.As(err, &sqlite) && ingest.DiskFull(err):
	case ingest.DiskFull(err) && !strings.Contains(url, "://"):
		var at *fs.PathError
		if errors.As(err, &at) && !strings.Contains(filepath.Base(at.Path), filepath.Base(url)) {
			return err // of another file
		}
	default:
		return err
	}
	if !filepath.IsAbs(url) {
		url = filepath.Join(dir, url)
	}
	return &fullError{fmt.Sprintf("%s: the disk is full: make room there, then run the command again; the published edition is unchanged", url), err}
}

// fullDisk is an error as it is; or, where a disk is full, one line that says which and what to do.
func fullDisk(err error) error {
	var told *fullError
	if errors.As(err, &told) {
		return told
	}
	if !ingest.DiskFull(err) {
		return err
	}
	var at *fs.PathError
	var link *os.LinkError
	path := ""
	if errors.As(err, &at) {
		path = at.Path
	} else if errors.As(err, &link) {
		path = link.New
	}
	switch {
	case path == "":
		return &fullError{"the disk is full: make room, then run the command again", err}
	case path == os.Stdout.Name():
		return &fullError{"the standard output: no room left where it is written: make room there, or write elsewhere", err}
	case filepath.Dir(path) == filepath.Clean(os.TempDir()):
		return &fullError{fmt.Sprintf("%s, the folder of temporary files: the disk is full: make room there, or name another folder by TMPDIR (TMP on Windows), then run the command again",
			os.TempDir()), err}
	}
	return &fullError{fmt.Sprintf("%s: the disk is full: make room there, or write elsewhere, then run the command again", filepath.Dir(path)), err}
}
