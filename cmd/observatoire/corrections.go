package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"observatoire/indicators"
	"observatoire/ingest"
)

// correctionsFiles are the names corrections go by, in the project's folder: one of them.
var correctionsFiles = []string{"corrections.csv", "corrections.xlsx"}

// correctionColumns are the columns of the file; sexe and fiche may be left out.
var correctionColumns = []string{"fiche", "variable", "code", "millesime", "sexe", "valeur", "motif", "auteur", "jusqu_au"}

// withdrawn in the column valeur takes a figure out: it is not available.
const withdrawn = "retirer"

// A correction replaces the figure of a cell, or takes it out, until a day. What the producer's file says stays in
// the store; the edition says what was corrected, why and by whom.
type correction struct {
	line      int
	fiche     string // id of the card; empty: any
	variable  string
	code      string
	millesime int
	sexe      string
	v         float64
	statut    indicators.Statut
	motif     string
	auteur    string
	until     string // AAAA-MM-JJ, the last day; empty: no end
}

func (c correction) cell() string {
	return fmt.Sprintf("%s, %s, %s, %s", c.code, c.variable, indicators.LabelMillesime(c.millesime), c.sexe)
}

// A correctionList is what a file of corrections says.
type correctionList struct {
	path string
	list []correction
}

// loadCorrections reads the corrections of the project. Every bad cell is reported.
func (p *project) loadCorrections() (correctionList, error) {
	path, none := "", correctionList{}
	for _, name := range correctionsFiles {
		if at := filepath.Join(p.dir, name); exists(at) {
			if path != "" {
				return none, fmt.Errorf("%s and %s: keep one of the two", path, at)
			}
			path = at
		}
	}
	if path == "" {
		return none, nil
	}
	rows, _, err := ingest.OpenRows(path, ingest.Layout{})
	if err != nil {
		return none, err
	}
	var list []correction
	defer rows.Close()
	at := map[string]int{}
	var bad []error
	seen := map[string]int{}
	for rows.Next() {
		cells := rows.Cells()
		if !slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		if len(at) == 0 {
			for i, h := range cells {
				at[strings.TrimSpace(h)] = i + 1
			}
			for _, h := range correctionColumns {
				if at[h] == 0 && h != "sexe" && h != "fiche" && h != "jusqu_au" {
					bad = append(bad, fmt.Errorf("%s:%d: no column %s: the columns are %s", path, rows.Line(), h, strings.Join(correctionColumns, ", ")))
				}
			}
			if bad != nil {
				return none, errors.Join(bad...)
			}
			continue
		}
		c, errs := readCorrection(func(h string) string { return trimmed(cells, at[h]-1) })
		c.line = rows.Line()
		for _, column := range correctionColumns {
			if errs[column] != nil {
				bad = append(bad, &ingest.CellError{File: path, Line: c.line, Column: column, Err: errs[column]})
			}
		}
		key := c.fiche + "\x00" + c.cell()
		if line := seen[key]; line != 0 {
			bad = append(bad, &ingest.CellError{File: path, Line: c.line, Column: "code", Err: fmt.Errorf("this cell is corrected on line %d already: keep one of the two rows", line)})
		}
		seen[key] = c.line
		list = append(list, c)
	}
	return correctionList{path, list}, errors.Join(errors.Join(bad...), rows.Err())
}

// readCorrection reads one row; what is wrong is by column.
func readCorrection(cell func(string) string) (correction, map[string]error) {
	bad := map[string]error{}
	c := correction{fiche: cell("fiche"), variable: cell("variable"), code: cell("code"), sexe: cmp.Or(strings.ToUpper(cell("sexe")), "T"),
		motif: cell("motif"), auteur: cell("auteur"), until: cell("jusqu_au")}
	for _, h := range []string{"variable", "code", "motif", "auteur"} {
		if cell(h) == "" {
			bad[h] = fmt.Errorf("empty: a correction says the variable, the code of the zone, why (motif) and by whom (auteur)")
		}
	}
	if s := cell("millesime"); s != "inconnu" && s != "" {
		var err error
		if c.millesime, err = strconv.Atoi(s); err != nil || c.millesime < 1900 || c.millesime > 2100 {
			bad["millesime"] = fmt.Errorf("%q is not a year: a year such as 2019, or inconnu", s)
		}
	}
	if !slices.Contains([]string{"T", "F", "H"}, c.sexe) {
		bad["sexe"] = fmt.Errorf("%q is not a sex: T, F or H", c.sexe)
	}
	switch s := cell("valeur"); s {
	case "":
		bad["valeur"] = fmt.Errorf("empty: the right figure; or %s, secret, non_significatif, non_disponible, sans_objet to take it out", withdrawn)
	case withdrawn:
		c.statut = indicators.NonDisponible
	default:
		statut, err := indicators.ParseStatut(s)
		if err == nil && statut != indicators.Disponible {
			c.statut = statut
			break
		}
		if c.v, err = ingest.ParseNumber(s); err != nil {
			bad["valeur"] = fmt.Errorf("%q: a figure; or %s, secret, non_significatif, non_disponible, sans_objet to take it out", s, withdrawn)
		}
	}
	if c.until != "" {
		if n, err := strconv.Atoi(c.until); err == nil && n > 20000 { // the day number of a workbook
			c.until = time.Date(1899, 12, 30+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		}
		if _, err := time.Parse(time.DateOnly, c.until); err != nil {
			bad["jusqu_au"] = fmt.Errorf("%q is not a day: AAAA-MM-JJ, or nothing where it has no end", c.until)
		}
	}
	return c, bad
}

// correct applies the corrections that have not ended to the figures that were read. The sources say what was corrected;
// the ones that have ended are reported; the others are returned too, for the manifest.
func (p *project) correct(corrected correctionList, sources []indicators.Source, columns []indicators.Column) ([]indicators.Alerte, []indicators.CorrectionStamp, error) {
	var applied []indicators.CorrectionStamp
	at := map[string]*indicators.Source{}
	for i := range sources {
		at[sources[i].ID] = &sources[i]
	}
	var alertes []indicators.Alerte
	var errs []error
	own := map[int]bool{} // columns whose figures are ours to change
	for _, c := range corrected.list {
		if c.until != "" && c.until < p.day {
			convention := ""
			for i := range columns {
				if src := at[columns[i].Source]; columns[i].Variable == c.variable && (c.fiche == "" || src.Card == c.fiche) {
					convention = cmp.Or(convention, src.Convention)
				}
			}
			alertes = append(alertes, indicators.Alerte{ID: "correction:" + c.fiche + ":" + c.cell(), Kind: "correction", Gravite: "attention", Objet: c.code, Convention: convention,
				Message: fmt.Sprintf("la correction de %s (%s) a pris fin le %s et n'est plus appliquée : la prolonger, ou la retirer de %s",
					c.cell(), c.auteur, c.until, filepath.Base(corrected.path))})
			continue
		}
		found := false
		stamp := indicators.CorrectionStamp{Fiche: c.fiche, Variable: c.variable, Code: c.code, Millesime: c.millesime, Sexe: c.sexe,
			Valeur: figure(c.v, c.statut), Motif: c.motif, Auteur: c.auteur, JusquAu: c.until}
		var near []string
		for i := range columns {
			col := &columns[i]
			src := at[col.Source]
			if col.Variable != c.variable || c.fiche != "" && src.Card != c.fiche {
				continue
			}
			k := slices.Index(col.Codes, c.code)
			if col.Sexe != c.sexe || col.Millesime != c.millesime || k < 0 {
				near = append(near, fmt.Sprintf("%s %s %s", src.Card, col.Sexe, indicators.LabelMillesime(col.Millesime)))
				continue
			}
			found = true
			if src.Convention != "" {
				stamp.Convention, stamp.Valeur = src.Convention, ""
			}
			if !own[i] {
				own[i] = true
				col.V, col.Statut, col.Corrections = slices.Clone(col.V), slices.Clone(col.Statut), make([]string, len(col.Codes))
			}
			was, is := figure(col.V[k], col.Statut[k]), figure(c.v, c.statut)
			col.V[k], col.Statut[k] = c.v, c.statut
			col.Corrections[k] = fmt.Sprintf("corrigé : %s (%s)", c.motif, c.auteur)
			src.Remarques = append(slices.Clone(src.Remarques), fmt.Sprintf("corrigé : %s : %s au lieu de %s (%s ; %s%s)", c.cell(), is, was, c.motif, c.auteur, untilText(c.until)))
		}
		applied = append(applied, stamp)
		if !found {
			slices.Sort(near)
			near = slices.Compact(near)
			hint := "no table of the project has this variable: its name is that of the card"
			if c.fiche != "" && !slices.ContainsFunc(sources, func(s indicators.Source) bool { return s.Card == c.fiche }) {
				hint = fmt.Sprintf("no table of the project is read by a card %q: correct fiche, or empty it", c.fiche)
			}
			if len(near) > 0 {
				hint = "the variable is there for " + strings.Join(near[:min(len(near), 5)], ", ")
			}
			errs = append(errs, fmt.Errorf("%s:%d: no such cell: %s: %s", corrected.path, c.line, c.cell(), hint))
		}
	}
	if len(errs) > 0 {
		return nil, nil, refused{errors.Join(errs...)}
	}
	return alertes, applied, nil
}

func untilText(day string) string {
	if day == "" {
		return ""
	}
	return ", jusqu'au " + day
}

// figure writes a figure, or why there is none, for readers.
func figure(v float64, s indicators.Statut) string {
	if s != indicators.Disponible {
		return s.String()
	}
	return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), ".", ",", 1)
}
