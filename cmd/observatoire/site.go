package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"observatoire/indicators"
	"observatoire/tiles"
)

// writeSite writes an edition as a site of files in the folder out: the map, what it reads, portraits and tables. The
// folder is there whole, or not at all. day is that of its publication, AAAA-MM-JJ; empty for a draft.
func writeSite(ctx context.Context, e *indicators.Edition, o tiles.SiteOptions, day, out string) ([]string, error) {
	if found, err := os.ReadDir(out); err == nil && len(found) > 0 {
		return nil, refused{fmt.Errorf("%s: the folder holds something already: name a new one", out)}
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(filepath.Dir(out), "."+filepath.Base(out)+".*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(made)
	var written []string
	put := func(name string, f func(io.Writer) error) error {
		path := filepath.FromSlash(name)
		written = append(written, filepath.Join(out, path))
		return writeFile(filepath.Join(made, path), f)
	}
	if err := tiles.WriteSite(ctx, e, o, put); err != nil {
		if errors.Is(err, tiles.ErrNoViewer) {
			return nil, refused{err}
		}
		return nil, err
	}
	if err := put("LISEZ-MOI.txt", func(w io.Writer) error { _, err := io.WriteString(w, tiles.SiteReadme(e, day)); return err }); err != nil {
		return nil, err
	}
	for _, x := range [][2]string{{"csv", "tables"}, {"parquet", "tables"}, {"xlsx", filepath.Join("tables", "observatoire.xlsx")}} {
		more, err := writeExport(e, "", x[0], filepath.Join(made, x[1]))
		if err != nil {
			return nil, err
		}
		for _, path := range more {
			name, err := filepath.Rel(made, path)
			if err != nil {
				return nil, err
			}
			written = append(written, filepath.Join(out, name))
		}
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return nil, err
	}
	if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) { // it is empty
		return nil, err
	}
	return written, os.Rename(made, out)
}
