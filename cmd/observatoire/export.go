package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/tiles"
)

// exports are what can be written, and in which formats.
var exports = map[string][]string{
	"series":        {"csv", "xlsx", "parquet"},
	"ecarts":        {"csv", "xlsx", "parquet"},
	"evolutions":    {"csv", "xlsx", "parquet"},
	"rangs":         {"csv", "xlsx", "parquet"},
	"femmes-hommes": {"csv", "xlsx", "parquet"},
	"concentration": {"csv", "xlsx", "parquet"},
	"recouvrements": {"csv", "xlsx", "parquet"},
	"calibration":   {"csv", "xlsx", "parquet"},
	"zones":         {"geojson", "parquet"},
	"projet":        {"qgz"},

	"comite":         {"dossier"},
	"rapport-annuel": {"docx", "html"},
	"depot":          {"dossier"},
	"site":           {"dossier"},
	"tuiles":         {"pmtiles"},

	"": {"csv", "xlsx", "geojson", "parquet"},
}

// sheets of a workbook that holds one kind of table; a whole edition has them all.
var sheets = map[string][]string{
	"series":        {tiles.SheetSeries, tiles.SheetSources},
	"ecarts":        {tiles.SheetEcarts, tiles.SheetSources},
	"evolutions":    {tiles.SheetEvolutions, tiles.SheetSources},
	"rangs":         {tiles.SheetRangs, tiles.SheetSources},
	"femmes-hommes": {tiles.SheetSexes, tiles.SheetSources},
	"concentration": {tiles.SheetConcentration, tiles.SheetSources},
	"recouvrements": {tiles.SheetOverlaps},
	"calibration":   {tiles.SheetCalibration, tiles.SheetSources},
}

func (a *app) exportCmd() *cobra.Command {
	var what, format, out, id, service, template string
	var pdf bool
	var conventions, drawn []string
	c := &cobra.Command{
		Use:     "export --format csv|xlsx|geojson|parquet -o PATH",
		Aliases: []string{"exporter"},
		Short:   "Write an edition as files; without --what, all of it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			formats, ok := exports[what]
			if !ok {
				return usage{fmt.Errorf("--what %s: one of series, ecarts, evolutions, rangs, femmes-hommes, concentration, recouvrements, calibration, zones, projet, tuiles, comite, rapport-annuel, depot, site", what)}
			}
			if !cmd.Flags().Changed("format") && !slices.Contains(formats, format) {
				format = formats[0]
			}
			if !cmd.Flags().Changed("format") && what == "rapport-annuel" && strings.EqualFold(filepath.Ext(out), ".html") {
				format = "html"
			}
			if pdf && what != "comite" {
				return usage{fmt.Errorf("--pdf goes with --what comite")}
			}
			if len(conventions) > 0 && (what == "comite" || what == "rapport-annuel" || what == "depot" || what == "site") {
				return usage{fmt.Errorf("--convention does not go with --what %s: what came under a convention is for its recipients only", what)}
			}
			if len(drawn) > 0 && what != "tuiles" {
				return usage{fmt.Errorf("--indicator goes with --what tuiles")}
			}
			if len(conventions) > 0 && what == "tuiles" {
				return usage{fmt.Errorf("--convention does not go with --what tuiles: the file is for everybody")}
			}
			if service != "" && what != "projet" {
				return usage{fmt.Errorf("--service goes with --what projet")}
			}
			if !slices.Contains(formats, format) {
				return usage{fmt.Errorf("--format %s: one of %v for this export", format, formats)}
			}
			if out == "" {
				return usage{fmt.Errorf("-o PATH: say where to write")}
			}
			if template != "" && (what != "" || format != "xlsx" || !strings.EqualFold(filepath.Ext(template), filepath.Ext(out))) {
				return usage{fmt.Errorf("--template fills a workbook: without --what, and -o names a file of the same kind (%s)", filepath.Ext(template))}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				if what == "projet" {
					if id != "" || len(conventions) > 0 {
						return usage{fmt.Errorf("--what projet: a QGIS project shows what is published, to everybody: neither --edition nor --convention")}
					}
					return a.exportProject(ctx, st, cmp.Or(a.storeURL, p.Store), out, service)
				}
				e, err := readEdition(ctx, st, id)
				if err != nil {
					return err
				}
				e, err = a.shownUnder(e, conventions)
				if err != nil {
					return err
				}
				if template != "" {
					return a.fillTemplate(ctx, st, e, template, out)
				}
				if what == "comite" || what == "rapport-annuel" {
					day, err := publicationDay(ctx, st, e.ID)
					if err != nil {
						return err
					}
					written, err := a.writeCommittee(ctx, e, what, format, day, out, pdf)
					for _, path := range written {
						a.say("%s", path)
					}
					return err
				}
				if what == "tuiles" {
					for _, id := range drawn {
						if !slices.ContainsFunc(e.Indicators, func(d indicators.Definition) bool { return d.ID == id }) {
							return usage{fmt.Errorf("--indicator %s: edition %s has no figure of it: `observatoire indicators` lists them", id, e.ID)}
						}
					}
					if err := writeFile(out, func(w io.Writer) error { return tiles.WritePMTiles(ctx, w, e, drawn) }); err != nil {
						return err
					}
					a.say("%s", out)
					return nil
				}
				if what == "depot" {
					day, by, err := publication(ctx, st, e.ID)
					if err != nil {
						return err
					}
					written, err := writeDepot(ctx, e, day, by, out)
					for _, path := range written {
						a.say("%s", path)
					}
					return err
				}
				if what == "site" {
					day, err := publicationDay(ctx, st, e.ID)
					if err != nil {
						return err
					}
					written, err := writeSite(ctx, e, tiles.SiteOptions{Title: p.Title, Editions: st, Background: p.Publication.Background.tiles()}, day, out)
					for _, path := range written {
						a.say("%s", path)
					}
					return err
				}
				written, err := writeExport(e, what, format, out)
				for _, path := range written {
					a.say("%s", path)
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&what, "what", "", "series, ecarts, evolutions, rangs, femmes-hommes, concentration, recouvrements, calibration, zones; projet, a QGIS project of the published edition; comite, a dated folder with workbook, portraits, maps and note; rapport-annuel, the annex of the yearly report; tuiles, vector tiles as one PMTiles file; depot, an open-data deposit: tables, layers, dictionary, descriptions, checksums; site, the map and all it shows as a folder of files for any web server (default: all the tables and layers)")
	c.Flags().StringVar(&format, "format", "xlsx", "csv, xlsx, geojson, parquet, qgz, pmtiles, docx or html")
	c.Flags().BoolVar(&pdf, "pdf", false, "with --what comite: portraits, maps and note as PDF too")
	c.Flags().StringSliceVar(&drawn, "indicator", nil, "with --what tuiles: indicators that zones carry, at their latest year")
	c.Flags().StringVar(&template, "template", "", "a workbook of yours whose cells named obs.INDICATOR.ZONE… are filled (docs/livrables.md)")
	c.Flags().StringVar(&service, "service", "", "with --what projet: the connection of pg_service.conf by which QGIS reaches the database, as its users call it")
	c.Flags().StringVarP(&out, "output", "o", "", "file to write; a folder where there are several")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	c.Flags().StringSliceVar(&conventions, "convention", nil, "include what came under this convention: for its recipients only")
	return c
}

// fillTemplate writes a workbook of the user's with its named cells filled.
func (a *app) fillTemplate(ctx context.Context, st store.Store, e *indicators.Edition, template, out string) error {
	in, err := os.Open(template)
	if err != nil {
		return refused{err}
	}
	defer in.Close()
	day, err := publicationDay(ctx, st, e.ID)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	missing, err := tiles.FillTemplate(&buf, in, template, e, day)
	if err != nil {
		return refused{err}
	}
	for _, line := range missing {
		a.say("%s", line)
	}
	if err := writeFile(out, func(w io.Writer) error { _, err := w.Write(buf.Bytes()); return err }); err != nil {
		return err
	}
	a.say("%s", out)
	return nil
}

// exportProject writes a QGIS project that opens the published edition where it is.
func (a *app) exportProject(ctx context.Context, st store.Store, address, out, service string) error {
	folder, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return err
	}
	err = writeFile(out, func(w io.Writer) error { return store.WriteQGIS(ctx, w, st, address, folder, service) })
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no edition is published: `observatoire publish --by NAME` publishes the last one: %w", err)
	}
	if err == nil {
		a.say("%s", out)
	}
	return err
}

// shownUnder is the edition with the figures of the conventions named, and of no other.
func (a *app) shownUnder(e *indicators.Edition, conventions []string) (*indicators.Edition, error) {
	held := e.Conventions()
	for _, id := range conventions {
		if !slices.Contains(held, id) {
			return nil, usage{fmt.Errorf("--convention %s: edition %s holds nothing under it; its conventions: %s", id, e.ID, cmp.Or(strings.Join(held, ", "), "none"))}
		}
	}
	for _, id := range held {
		if slices.Contains(conventions, id) {
			a.say("convention %s: its figures are in this export: for its recipients only", id)
		} else {
			a.say("convention %s: its figures are left out (--convention %s includes them)", id, id)
		}
	}
	return indicators.Withhold(e, conventions...), nil
}

// writeExport writes one file, or a folder where the format holds one table, and returns what it wrote.
func writeExport(e *indicators.Edition, what, format, out string) ([]string, error) {
	shown := indicators.Shown(e.Values)
	tables := map[string]func(io.Writer) error{
		"series": func(w io.Writer) error { return indicators.WriteSeriesCSV(w, e, shown) },
		"ecarts": func(w io.Writer) error { return indicators.WriteEcartsCSV(w, e, e.Ecarts) },
		"evolutions": func(w io.Writer) error {
			return indicators.WriteRowsCSV(w, e, indicators.EvolutionsHeader, e.Evolutions)
		},
		"rangs": func(w io.Writer) error { return indicators.WriteRowsCSV(w, e, indicators.RangsHeader, e.Rangs) },
		"femmes-hommes": func(w io.Writer) error {
			return indicators.WriteRowsCSV(w, e, indicators.FemmesHommesHeader, e.EcartsSexe)
		},
		"concentration": func(w io.Writer) error {
			return indicators.WriteRowsCSV(w, e, indicators.ConcentrationHeader, e.Concentrations)
		},
		"recouvrements": func(w io.Writer) error { return indicators.WriteOverlapsCSV(w, e, e.Overlaps) },
		"calibration":   func(w io.Writer) error { return indicators.WriteCalibrationCSV(w, e, e.Calibrations) },
	}
	columnar := map[string]func(io.Writer) error{
		"series":        func(w io.Writer) error { return tiles.WriteSeriesParquet(w, e, shown) },
		"ecarts":        func(w io.Writer) error { return tiles.WriteEcartsParquet(w, e, e.Ecarts) },
		"recouvrements": func(w io.Writer) error { return tiles.WriteOverlapsParquet(w, e, e.Overlaps) },
		"calibration":   func(w io.Writer) error { return tiles.WriteCalibrationParquet(w, e, e.Calibrations) },
		"evolutions": func(w io.Writer) error {
			return tiles.WriteRowsParquet(w, e, "evolutions", indicators.EvolutionsHeader, e.Evolutions)
		},
		"rangs": func(w io.Writer) error {
			return tiles.WriteRowsParquet(w, e, "rangs", indicators.RangsHeader, e.Rangs)
		},
		"femmes-hommes": func(w io.Writer) error {
			return tiles.WriteRowsParquet(w, e, "femmes-hommes", indicators.FemmesHommesHeader, e.EcartsSexe)
		},
		"concentration": func(w io.Writer) error {
			return tiles.WriteRowsParquet(w, e, "concentration", indicators.ConcentrationHeader, e.Concentrations)
		},
	}
	var written []string
	put := func(path string, f func(io.Writer) error) error {
		if err := writeFile(path, f); err != nil {
			return err
		}
		written = append(written, path)
		return nil
	}
	switch {
	case format == "xlsx":
		err := put(out, func(w io.Writer) error {
			return tiles.WriteWorkbook(w, e, tiles.WorkbookOptions{Sheets: sheets[what]})
		})
		return written, err
	case format == "csv" && what != "":
		err := put(out, tables[what])
		return written, err
	case format == "csv":
		for _, name := range []string{"series", "ecarts", "evolutions", "rangs", "femmes-hommes", "concentration", "recouvrements", "calibration"} {
			if err := put(filepath.Join(out, name+".csv"), tables[name]); err != nil {
				return written, err
			}
		}
	case format == "parquet" && what != "" && what != "zones":
		err := put(out, columnar[what])
		return written, err
	default:
		if format == "parquet" && what == "" {
			for _, name := range []string{"series", "ecarts", "evolutions", "rangs", "femmes-hommes", "concentration", "recouvrements", "calibration"} {
				if err := put(filepath.Join(out, name+".parquet"), columnar[name]); err != nil {
					return written, err
				}
			}
		}
		write := tiles.WriteGeoJSON
		if format == "parquet" {
			write = tiles.WriteZonesParquet
		}
		for _, s := range e.Layers {
			if !s.Drawn() {
				continue // zones known by their code alone
			}
			if err := put(filepath.Join(out, string(s.Layer)+"."+format), func(w io.Writer) error {
				return write(w, e, s.Layer)
			}); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// writeFile writes a whole file that anyone may read, or none of it.
func writeFile(path string, f func(io.Writer) error) error { return writeFileMode(path, 0o644, f) }

// writeFileMode writes a whole file or none of it; nobody but its owner reads it before it is whole. On Windows a
// workbook that Excel holds cannot be replaced.
func writeFileMode(path string, mode os.FileMode, f func(io.Writer) error) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	var tmp *os.File
	if err == nil {
		tmp, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: the folder cannot be written in: give this account the right to, or write elsewhere", path)
	}
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := f(tmp); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(mode); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("%s cannot be replaced: close it where it is open, such as in Excel: %w", path, err)
	}
	return nil
}
