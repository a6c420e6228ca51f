package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/ingest"
	"observatoire/tiles"
)

func (a *app) portraitCmd() *cobra.Command {
	var out, id string
	var pdf, docx bool
	c := &cobra.Command{
		Use:     "portrait [CODE…] -o DIR",
		Aliases: []string{"portraits"},
		Short:   "Two pages on each quarter: map, figures and gaps, series, sentences; without CODE, on all of them",
		Long: `Write the portrait of each quarter named, or of every priority quarter, quarter under watch and drawn quartier vécu that has figures: one
HTML page a quarter, CODE.html, that needs no other file and prints on two A4 pages. --pdf writes CODE.pdf beside it: tagged for screen readers by the
Chromium, Chrome or Edge of the machine, else, where there is none, by this program, untagged. --docx writes CODE.docx, the texts and tables for
those who edit. What came under a convention is left out.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, codes []string) error {
			if out == "" {
				return usage{fmt.Errorf("-o DIR: say which folder to write in")}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, _ *project, st store.Store) error {
				e, err := readEdition(ctx, st, id)
				if err != nil {
					return err
				}
				snap, err := tiles.NewSnapshot(e, "")
				if err != nil {
					return err
				}
				zones, err := portraitZones(snap, codes)
				if err != nil {
					return err
				}
				pages, err := writePortraits(snap, zones, out)
				if err != nil {
					return err
				}
				if docx {
					if err := writePortraitDocuments(snap, zones, pages, ".docx", (*tiles.Document).WriteDOCX); err != nil {
						return err
					}
				}
				if pdf {
					if err := a.printPortraits(ctx, snap, zones, pages); err != nil {
						return err
					}
				}
				a.say("portraits: %d in %s", len(pages), out)
				return nil
			})
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "folder to write in")
	c.Flags().BoolVar(&pdf, "pdf", false, "write each as PDF too")
	c.Flags().BoolVar(&docx, "docx", false, "write each as DOCX too, to be edited")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

// portraitZones are the quarters named, or all of them.
func portraitZones(snap *tiles.Snapshot, codes []string) ([]tiles.PortraitZone, error) {
	all := snap.Portraits()
	if len(codes) == 0 {
		if len(all) == 0 {
			return nil, fmt.Errorf("the edition has no figure of any quarter: nothing to portray")
		}
		return all, nil
	}
	var known []string
	for _, z := range all {
		known = append(known, z.Code)
	}
	var zones []tiles.PortraitZone
	for _, code := range codes {
		k := slices.Index(known, code)
		if k < 0 {
			near := ingest.Nearest(code, known, 3)
			if len(near) == 0 {
				near = known
			}
			return nil, usage{fmt.Errorf("%s: the edition has no figure of a quarter of that code; it has %s", code, strings.Join(near, ", "))}
		}
		zones = append(zones, all[k])
	}
	return zones, nil
}

// writePortraits writes one page a quarter and returns their paths.
func writePortraits(snap *tiles.Snapshot, zones []tiles.PortraitZone, dir string) ([]string, error) {
	var pages []string
	for _, z := range zones {
		path := filepath.Join(dir, fileName(z.Code)+".html")
		if err := writeFile(path, func(w io.Writer) error { return snap.WritePortrait(w, z) }); err != nil {
			return pages, err
		}
		pages = append(pages, path)
	}
	return pages, nil
}

// printPortraits writes the PDF of each page: by the browser of the machine, else by the program itself, and says so.
func (a *app) printPortraits(ctx context.Context, snap *tiles.Snapshot, zones []tiles.PortraitZone, pages []string) error {
	err := a.printPages(ctx, pages)
	if !errors.Is(err, errNoBrowser) {
		return err
	}
	a.say("portraits: no Chromium, Chrome or Edge here: PDF written by the program itself, without tags for screen readers")
	return writePortraitDocuments(snap, zones, pages, ".pdf", (*tiles.Document).WritePDF)
}

// writePortraitDocuments writes each portrait as a document beside its page.
func writePortraitDocuments(snap *tiles.Snapshot, zones []tiles.PortraitZone, pages []string, ext string, write func(*tiles.Document, io.Writer) error) error {
	for i, z := range zones {
		d, err := snap.PortraitDocument(z)
		if err != nil {
			return err
		}
		path := strings.TrimSuffix(pages[i], ".html") + ext
		if err := writeFile(path, func(w io.Writer) error { return write(d, w) }); err != nil {
			return err
		}
	}
	return nil
}

// fileName is a code as part of a file's name: what no file system takes becomes "_".
func fileName(code string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, code)
}
