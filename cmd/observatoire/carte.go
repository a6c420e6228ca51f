package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
	"observatoire/tiles"
)

var mapNames = []string{tiles.MapGeography, tiles.MapWatch, tiles.MapFacilities}

func (a *app) carteCmd() *cobra.Command {
	var out, id, size string
	var o tiles.SheetOptions
	c := &cobra.Command{
		Use:     "carte NAME -o FILE",
		Aliases: []string{"map"},
		Short:   "A map for print: geographie, veille, equipements, or an indicator",
		Long: `Draw a map for print, A4 or A3 landscape, with title, legend, scale, north and sources:
  geographie    the priority geography, each vintage the edition has
  veille        the quarters under watch, listed by commune
  equipements   facilities by theme, with the quartiers vécus
  INDICATOR     an indicator of the edition on a layer, the quarters over it
FILE ends in .svg, .pdf or .png; the last two take the Chromium, Chrome or Edge of the machine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := strings.ToLower(filepath.Ext(out))
			switch {
			case out == "":
				return usage{fmt.Errorf("-o FILE: say where to write: a .svg, .pdf or .png file")}
			case !slices.Contains([]string{".svg", ".pdf", ".png"}, kind):
				return usage{fmt.Errorf("-o %s: a map is a .svg, .pdf or .png file", out)}
			case !slices.Contains([]string{"A4", "A3"}, strings.ToUpper(size)):
				return usage{fmt.Errorf("--size %s: A4 or A3", size)}
			case !slices.Contains([]string{"", "F", "H", "T"}, o.Sexe):
				return usage{fmt.Errorf("--sex %s: one of F, H, T", o.Sexe)}
			}
			o.A3 = strings.EqualFold(size, "A3")
			return a.withStore(cmd.Context(), func(ctx context.Context, _ *project, st store.Store) error {
				e, err := readEdition(ctx, st, id)
				if err != nil {
					return err
				}
				if err := knownMap(e, args[0], o); err != nil {
					return err
				}
				snap, err := tiles.NewSnapshot(e, "")
				if err != nil {
					return err
				}
				return a.writeMap(ctx, snap, args[0], o, out)
			})
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write: .svg, .pdf or .png")
	c.Flags().StringVar(&size, "size", "A4", "A4 or A3")
	c.Flags().StringVar(&o.Layer, "layer", "", "layer coloured by an indicator (default: the newest IRIS that have it)")
	c.Flags().StringVar(&o.Millesime, "millesime", "", "year of the figures (default: the latest)")
	c.Flags().StringVar(&o.Sexe, "sex", "", "F, H or T")
	c.Flags().StringVar(&o.Quarter, "zone", "", "code of the quarter to frame (default: all of them)")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

// knownMap refuses a map, a layer or a quarter that the edition does not have.
func knownMap(e *indicators.Edition, name string, o tiles.SheetOptions) error {
	known := slices.Clone(mapNames)
	for _, d := range e.Indicators {
		known = append(known, d.ID)
	}
	if !slices.Contains(known, name) {
		return usage{fmt.Errorf("carte %s: one of %s, or an indicator of the edition; nearest: %s", name, strings.Join(mapNames, ", "), strings.Join(ingest.Nearest(name, known, 3), ", "))}
	}
	if o.Layer != "" && e.Layer(geo.Layer(o.Layer)) == nil {
		var layers []string
		for i := range e.Layers {
			layers = append(layers, string(e.Layers[i].Layer))
		}
		return usage{fmt.Errorf("--layer %s: the edition has %s", o.Layer, strings.Join(layers, ", "))}
	}
	if o.Quarter != "" && !slices.ContainsFunc(e.Layers, func(s geo.ZoneSet) bool {
		_, ok := s.Index(o.Quarter)
		return ok && slices.Contains([]string{"qpv", "veille", "quartier_vecu"}, s.Layer.Level())
	}) {
		return usage{fmt.Errorf("--zone %s: the edition has no quarter of that code", o.Quarter)}
	}
	return nil
}

// writeMap draws a map, and prints it when it is not to stay a drawing.
func (a *app) writeMap(ctx context.Context, snap *tiles.Snapshot, name string, o tiles.SheetOptions, out string) error {
	draw := func(w io.Writer) error { return snap.WriteMap(w, name, o) }
	kind := strings.ToLower(filepath.Ext(out))
	if kind == ".svg" {
		return writeFile(out, draw)
	}
	path, err := browser()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "observatoire-carte-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	paper, width, height := "A4", 1123, 794 // points of the screen, 96 an inch
	if o.A3 {
		paper, width, height = "A3", 1587, 1123
	}
	page := filepath.Join(dir, "carte.html")
	if err := writeFile(page, func(w io.Writer) error {
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="fr"><meta charset="utf-8"><title>Carte</title><style>@page{size:%s landscape;margin:0}body{margin:0}svg{display:block}body>svg{width:100vw;height:auto;max-height:100vh}</style>`, paper) //nolint:errcheck // draw fails too
		return draw(w)
	}); err != nil {
		return err
	}
	var b []byte
	if kind == ".pdf" {
		b, err = printPage(ctx, path, dir, page)
	} else {
		b, err = picture(ctx, path, dir, page, width, height)
	}
	if err != nil {
		return err
	}
	return writeFile(out, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
