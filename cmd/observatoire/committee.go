package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/tiles"
)

// committeeMaps is how many indicators are mapped in the folder of the committee: those of the most gaps, a theme each.
const committeeMaps = 6

// publicationDay is the day an edition was published, AAAA-MM-JJ; empty for a draft.
func publicationDay(ctx context.Context, st store.Store, id string) (string, error) {
	day, _, err := publication(ctx, st, id)
	return day, err
}

// publication is the day an edition was published and by whom; empty for a draft.
func publication(ctx context.Context, st store.Store, id string) (day, by string, err error) {
	list, err := st.Editions(ctx)
	if err != nil {
		return "", "", err
	}
	for _, x := range list {
		if x.ID == id && x.Etat != indicators.Brouillon {
			return x.PublieeLe, x.PublieePar, nil
		}
	}
	return "", "", nil
}

// writeCommittee writes what the committee receives, and returns what it wrote.
func (a *app) writeCommittee(ctx context.Context, e *indicators.Edition, what, format, day, out string, pdf bool) (written []string, err error) {
	snap, err := tiles.NewSnapshot(e, "")
	if err != nil {
		return nil, err
	}
	put := func(path string, f func(io.Writer) error) error {
		if err := writeFile(path, f); err != nil {
			return err
		}
		written = append(written, path)
		return nil
	}
	if what == "rapport-annuel" {
		d, err := snap.AnnualReport(day)
		if err != nil {
			return nil, err
		}
		write := d.WriteDOCX
		if format == "html" {
			write = d.WriteHTML
		}
		err = put(out, write)
		return written, err
	}
	name := day
	if name == "" {
		name = "brouillon"
	}
	dir := filepath.Join(out, fileName("comite-"+name))
	note, err := snap.Note(day)
	if err != nil {
		return nil, err
	}
	noteHTML := filepath.Join(dir, "note-de-synthese.html")
	if err := put(filepath.Join(dir, "observatoire.xlsx"), func(w io.Writer) error { return tiles.WriteWorkbook(w, e, tiles.WorkbookOptions{}) }); err != nil {
		return written, err
	}
	if err := put(noteHTML, note.WriteHTML); err != nil {
		return written, err
	}
	if err := put(filepath.Join(dir, "note-de-synthese.docx"), note.WriteDOCX); err != nil {
		return written, err
	}
	pages, err := writePortraits(snap, snap.Portraits(), filepath.Join(dir, "portraits"))
	written = append(written, pages...)
	if err != nil {
		return written, err
	}
	kinds := []string{".svg"}
	if pdf {
		kinds = append(kinds, ".pdf")
	}
	for _, name := range drawable(e) {
		for _, kind := range kinds {
			path := filepath.Join(dir, "cartes", fileName(name)+kind)
			if err := a.writeMap(ctx, snap, name, tiles.SheetOptions{}, path); err != nil {
				return written, fmt.Errorf("map %s: %w", name, err)
			}
			written = append(written, path)
		}
	}
	if pdf {
		printed := append(slices.Clone(pages), noteHTML)
		if err := a.printPages(ctx, printed); err != nil {
			return written, err
		}
		for _, page := range printed {
			written = append(written, strings.TrimSuffix(page, ".html")+".pdf")
		}
	}
	return written, nil
}

// drawable are the maps of an edition: the three of the contrat that it can draw, then the indicators with most gaps, one a theme.
func drawable(e *indicators.Edition) []string {
	var names []string
	level := map[string]bool{}
	for i := range e.Layers {
		if e.Layers[i].Drawn() {
			level[e.Layers[i].Layer.Level()] = true
		}
	}
	if level["qpv"] || level["veille"] {
		names = append(names, tiles.MapGeography)
	}
	if level["veille"] {
		names = append(names, tiles.MapWatch)
	}
	if len(e.Equipements) > 0 {
		names = append(names, tiles.MapFacilities)
	}
	gaps, mapped := map[string]int{}, map[string]bool{}
	for i := range e.Ecarts {
		if x := &e.Ecarts[i]; x.Statut == indicators.Disponible {
			gaps[x.Indicateur]++
		}
	}
	for i := range e.Values { // a layer of IRIS that has it, women and men together, of a known year
		if v := &e.Values[i]; v.Retenue && v.Statut == indicators.Disponible && v.Sexe == "T" && v.Millesime > 0 && v.Couche.Level() == "iris" {
			if set := e.Layer(v.Couche); set != nil && set.Drawn() {
				mapped[v.Indicateur] = true
			}
		}
	}
	defs := slices.Clone(e.Indicators)
	slices.SortStableFunc(defs, func(a, b indicators.Definition) int { return gaps[b.ID] - gaps[a.ID] })
	var themes []string
	for _, d := range defs {
		if d.Rule != indicators.Somme && d.Direction != "neutre" && gaps[d.ID] > 0 && mapped[d.ID] && !slices.Contains(themes, d.Theme) && len(themes) < committeeMaps {
			themes, names = append(themes, d.Theme), append(names, d.ID)
		}
	}
	return names
}
