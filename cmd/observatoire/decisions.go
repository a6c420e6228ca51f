package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"observatoire/data"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

const decisionsFile = "decisions.csv"

// decisionColumns are the columns of the file: which guard does not hold, for what, by whose decision, why and when.
var decisionColumns = []string{"garde", "portee", "auteur", "motif", "date"}

// guardsFile holds the guards of a project, beside those of the catalogue.
const guardsFile = "guards.yaml"

// guards are the comparisons that the sources do not allow: those of the catalogue, and the project's own, which take the place of one
// of the same id. own are the ids of these.
func (p *project) guards() (list []indicators.Guard, own []string, err error) {
	text, err := fs.ReadFile(data.Catalogue(), guardsFile)
	if err != nil {
		return nil, nil, err
	}
	if list, err = ingest.LoadGuards(guardsFile, text); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(p.dir, guardsFile)
	text, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	more, err := ingest.LoadGuards(path, text)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range more {
		own = append(own, g.ID)
		if i := slices.IndexFunc(list, func(x indicators.Guard) bool { return x.ID == g.ID }); i >= 0 {
			list[i] = g
			continue
		}
		list = append(list, g)
	}
	return list, own, nil
}

// derogations reads the decisions of the project by which a guard does not hold. Every bad cell is reported; what a decision is about
// is looked for among the zones of sets, and not before they are known.
func (p *project) derogations(guards []indicators.Guard, sets []geo.ZoneSet) ([]indicators.Derogation, error) {
	path := filepath.Join(p.dir, decisionsFile)
	if !exists(path) {
		return nil, nil
	}
	rows, _, err := ingest.OpenRows(path, ingest.Layout{})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := []string{"rupture_de_serie"} // what the cards say of their own series
	for _, g := range guards {
		ids = append(ids, g.ID)
	}
	at := map[string]int{}
	seen := map[string]int{}
	var list []indicators.Derogation
	var bad []error
	for rows.Next() {
		cells := rows.Cells()
		if !slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		if len(at) == 0 {
			for i, h := range cells {
				at[strings.TrimSpace(h)] = i + 1
			}
			for _, h := range decisionColumns {
				if at[h] == 0 {
					bad = append(bad, fmt.Errorf("%s:%d: no column %s: the columns are %s", path, rows.Line(), h, strings.Join(decisionColumns, ", ")))
				}
			}
			if bad != nil {
				return nil, errors.Join(bad...)
			}
			continue
		}
		no := func(column, format string, args ...any) {
			bad = append(bad, &ingest.CellError{File: path, Line: rows.Line(), Column: column, Err: fmt.Errorf(format, args...)})
		}
		cell := func(h string) string { return trimmed(cells, at[h]-1) }
		if cell("garde") == anomalie { // of `observatoire review`
			continue
		}
		d := indicators.Derogation{Garde: cell("garde"), Portee: cell("portee"), Auteur: cell("auteur"), Motif: cell("motif"), Date: cell("date")}
		if !slices.Contains(ids, d.Garde) {
			no("garde", "no guard %q: one of %s", d.Garde, strings.Join(ids, ", "))
		}
		id, code, both := strings.Cut(d.Portee, ":")
		indicator := slices.ContainsFunc(p.definitions, func(x indicators.Definition) bool { return x.ID == id })
		zone := func(code string) bool {
			return slices.ContainsFunc(sets, func(s geo.ZoneSet) bool { _, ok := s.Index(code); return ok })
		}
		switch {
		case d.Portee == "":
			no("portee", "empty: write an indicator, the code of a zone, both as indicateur:code, or *")
		case sets == nil:
		case both && !indicator:
			no("portee", "no indicator %q: `observatoire indicators` lists them", id)
		case both && !zone(code):
			no("portee", "no zone %q in the layers of the project: correct its code", code)
		case !both && d.Portee != "*" && !indicator && !zone(d.Portee):
			no("portee", "%q is neither an indicator (`observatoire indicators` lists them) nor a zone of the project: correct it, or write *", d.Portee)
		}
		for _, h := range []string{"auteur", "motif"} {
			if cell(h) == "" {
				no(h, "empty: a decision says who took it and why")
			}
		}
		if _, err := time.Parse(time.DateOnly, d.Date); err != nil {
			no("date", "%q is not a day: write AAAA-MM-JJ, such as 2026-12-31", d.Date)
		}
		if line := seen[d.Garde+" "+d.Portee]; line != 0 {
			no("portee", "this guard is waived for it on line %d already: keep one of the two rows", line)
		}
		seen[d.Garde+" "+d.Portee] = rows.Line()
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b indicators.Derogation) int {
		return cmp.Or(cmp.Compare(a.Garde, b.Garde), cmp.Compare(a.Portee, b.Portee))
	})
	return list, errors.Join(errors.Join(bad...), rows.Err())
}
