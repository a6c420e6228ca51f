package ingest

import (
	"fmt"
	"slices"
	"strings"
)

// A TemplateColumn is a column of figures for a partner to fill in.
type TemplateColumn struct {
	Header   string // as the card knows it
	Label    string // in French
	Optional bool
}

// Template says how a workbook that the card reads without change is named, and what its columns of figures are, for
// the figures of one millésime. A long table has none: its rows say what they hold. Where the file's name or its key says the level, the
// card is first narrowed by [Card.AtWord].
func (c *Card) Template(millesime int) (name string, columns []TemplateColumn, err error) {
	if len(c.Levels) > 0 && c.LevelColumn == "" {
		return "", nil, fmt.Errorf("card %s: it is of several levels: say which", c.ID)
	}
	if c.Count != nil {
		return "", nil, fmt.Errorf("card %s: its rows are counted, they hold no figures: no template", c.ID)
	}
	for _, k := range c.Key {
		if strings.Contains(k, " + ") {
			return "", nil, fmt.Errorf("card %s: its key joins columns (%s): no template; name one column under key", c.ID, k)
		}
	}
	edition, found := c.editionOf(millesime)
	if !found {
		return "", nil, fmt.Errorf("card %s: no file of it has figures of %d: correct the rule for the year", c.ID, millesime)
	}
	name = fmt.Sprintf("%s-%d.xlsx", c.ID, millesime)
	if c.yearNeeded() || c.Long == nil && len(c.Files) > 0 {
		if name = c.workbookName(edition); name == "" {
			return "", nil, fmt.Errorf("card %s: none of its file names ends in .xlsx: add one under files, such as %s-{AAAA}.xlsx", c.ID, c.ID)
		}
	}
	if c.Long != nil {
		if c.Long.Series != nil {
			return "", nil, fmt.Errorf("card %s: several columns tell its variables: no template", c.ID)
		}
		return name, nil, nil
	}
	for _, v := range c.Variables {
		for _, sexe := range sexes {
			names := v.Columns[sexe]
			if len(names) == 0 {
				continue
			}
			year := v.Millesime.Year(edition)
			if v.Millesime.Column {
				year = millesime
			} else if year != millesime {
				continue
			}
			chosen := expanded(names, year)
			i := max(0, slices.IndexFunc(chosen, func(n string) bool { return !strings.Contains(n, " + ") }))
			label := v.Label
			if label == "" {
				label = v.ID
			}
			label += map[string]string{"T": "", "F": " (femmes)", "H": " (hommes)"}[sexe]
			for _, header := range strings.Split(chosen[i], " + ") {
				columns = append(columns, TemplateColumn{header, label, v.Optional})
			}
		}
	}
	return name, columns, nil
}

// editionOf is the edition_source whose files hold figures of a millésime; 0, which is found, where the card does not
// need one.
func (c *Card) editionOf(millesime int) (edition int, found bool) {
	if !c.yearNeeded() {
		return millesime, true
	}
	for _, edition := range []int{millesime, millesime + 1, millesime + 2, millesime + 3, millesime + 4, millesime + 5, millesime - 1} {
		for _, v := range c.Variables {
			if v.Millesime.Column || v.Millesime.Year(edition) == millesime {
				return edition, true
			}
		}
		if c.Long != nil {
			return edition, true
		}
	}
	return 0, false
}

// workbookName is a name of a workbook of that edition_source by the card's patterns; empty when there is none.
func (c *Card) workbookName(edition int) string {
	for _, p := range c.Files {
		if stem, any := strings.CutSuffix(p, ".*"); any {
			p = stem + ".xlsx"
		}
		if strings.HasSuffix(strings.ToLower(p), ".xlsx") {
			p = strings.ReplaceAll(p, "{NIVEAU}", c.word)
			return withYear(strings.ReplaceAll(p, "*", fmt.Sprint(edition)), edition)
		}
	}
	return ""
}
