package ingest

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A CardFit says how well a card describes a file, from its name and its header.
type CardFit struct {
	Card    *Card
	Score   float64  // between 0 and 1: 1 when name, key and every column agree and nothing is left over
	Name    bool     // a pattern of the card fits the file's name
	Edition int      // edition_source: of the name, else as the header's columns say it; 0 when neither does
	Levels  []string // of the file's zones
	Key     string   // what the header has of the card's keys; empty when it has none
	Found   int      // columns the card needs and the header has,
	Wanted  int      // out of these
	Missing []string // the others, under the first of their names
	Extra   []string // columns of the header the card says nothing of
}

// Fit lists the cards that may describe a file, best first: those of which a pattern fits its base name, and those of
// which the header has the key and half of the columns. Without a header, the name alone decides. The attributes of a layer are its header.
func (c *Catalogue) Fit(baseName string, header []string) []CardFit {
	plain := make([]string, 0, len(header))
	held := map[string]bool{}
	for _, h := range header {
		if h = strings.Trim(h, blanks+"\r\n\uFEFF"); h != "" {
			plain, held[h] = append(plain, h), true
		}
	}
	years := yearsIn(plain)
	var fits []CardFit
	for _, card := range c.Cards() {
		fit := card.fit(baseName, plain, held, years)
		alike := fit.Key != "" && fit.Found > 0 && 2*fit.Found >= fit.Wanted
		if card.Kind == "reference" { // a key says little of what no figures are read from
			alike = alike && fit.Found > 2
		}
		if fit.Name || alike {
			fits = append(fits, fit)
		}
	}
	slices.SortStableFunc(fits, func(a, b CardFit) int { return cmp.Compare(b.Score, a.Score) })
	return fits
}

var yearMark = regexp.MustCompile(`(?:19|20)\d\d|^[A-Z](\d\d)_|(\d\d)$`)

// yearsIn are the years that names of columns may hold, the most frequent first: few of them, so that a card is tried with
// each.
func yearsIn(header []string) []int {
	count := map[int]int{}
	for _, h := range header {
		for _, m := range yearMark.FindAllStringSubmatch(h, -1) {
			year, _ := strconv.Atoi(cmp.Or(m[1], m[2], m[0]))
			if year < 100 {
				year += 1900
				if year < 1960 {
					year += 100
				}
			}
			count[year]++
		}
	}
	var years []int
	for y := range count {
		years = append(years, y)
	}
	slices.SortFunc(years, func(a, b int) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(b, a)) })
	return years[:min(4, len(years))]
}

// fit tries a card on a name and a header.
func (c *Card) fit(base string, header []string, held map[string]bool, years []int) CardFit {
	edition, _, named := c.named(base)
	fit := c.fitEdition(header, held, edition)
	if edition == 0 && c.Kind == "table" {
		for _, year := range years {
			if f := c.fitEdition(header, held, year); f.Found > fit.Found {
				fit, fit.Edition = f, year
			}
		}
	} else {
		fit.Edition = edition
	}
	fit.Card, fit.Name = c, named
	switch {
	case c.Count != nil && c.byKey() && fit.Key != "": // each key it has gives its zones
		for _, k := range c.Key {
			parts, _ := parseKey(k)
			if !slices.ContainsFunc(parts, func(p keyPart) bool { return !held[p.column] }) {
				fit.Levels = append(fit.Levels, c.Levels[k].Level)
			}
		}
	case c.byKey() && fit.Key != "":
		fit.Levels = []string{c.Levels[fit.Key].Level}
	case named || len(c.Levels) == 0 && c.Level != "" || c.LevelColumn != "":
		fit.Levels = c.LevelsOf(base)
	}
	switch {
	case len(header) == 0:
		if named {
			fit.Score = 0.5
		}
		return fit
	case fit.Wanted > 0:
		fit.Score = 0.7 * float64(fit.Found) / float64(fit.Wanted)
	}
	fit.Score += 0.1 * float64(len(header)-len(fit.Extra)) / float64(len(header))
	if fit.Key == "" {
		fit.Score *= 0.3
	}
	switch {
	case named && c.exactly(base):
		fit.Score += 0.2
	case named: // the file was saved in another format
		fit.Score += 0.15
	}
	return fit
}

// fitEdition compares a header with what the card asks of a file of that edition_source.
func (c *Card) fitEdition(header []string, held map[string]bool, edition int) CardFit {
	var fit CardFit
	used := map[string]bool{}
	// has looks for the first of several names, or sums of them.
	has := func(names []string, year int, column bool) bool {
		for _, n := range names {
			parts := strings.Split(n, " + ")
			if column {
				found := false
				for _, h := range header { // every year of it
					if _, ok := matchYear(parts[0], h, ""); ok {
						used[h], found = true, true
					}
				}
				if found {
					return true
				}
				continue
			}
			parts = expanded(parts, year)
			if !slices.ContainsFunc(parts, func(p string) bool { return !held[p] }) {
				for _, p := range parts {
					used[p] = true
				}
				return true
			}
		}
		return false
	}
	want := func(names []string, year int, column, optional bool) {
		if len(names) == 0 {
			return
		}
		found := has(names, year, column)
		if found || !optional {
			fit.Wanted++
		}
		if found {
			fit.Found++
		} else if !optional {
			fit.Missing = append(fit.Missing, expanded(names[:1], year)[0])
		}
	}
	one := func(name string) []string {
		if name == "" {
			return nil
		}
		return []string{name}
	}
	keys := c.Key
	if c.Kind != "table" {
		keys = slices.Concat(c.Key, c.Code, expanded(c.Before, edition))
	}
	for _, k := range keys {
		parts, _ := parseKey(k)
		var columns []string
		for _, p := range parts {
			columns = append(columns, p.column)
		}
		if has([]string{strings.Join(columns, " + ")}, 0, false) {
			fit.Key = k
			break
		}
	}
	for _, column := range c.Columns {
		want(one(column), 0, false, false)
	}
	if c.Kind != "table" {
		want(keys, 0, false, false)
		if c.Kind == "composition" {
			want(c.Commune, 0, false, false)
		}
		want(c.After, edition, false, false)
		for _, names := range [][]string{c.Name, c.Commune, c.Type} {
			if c.Kind == "layer" && !(len(names) > 0 && slices.Contains(keys, names[0])) { // the code under another title
				want(names, 0, false, true)
			}
		}
		has(c.Name, 0, false)
	}
	for _, v := range c.Variables {
		year := v.Millesime.Year(edition)
		for _, sexe := range sexes {
			want(v.Columns[sexe], cmp.Or(year, edition), v.Millesime.Column, v.Optional)
		}
		has(v.Note, cmp.Or(year, edition), v.Millesime.Column)
	}
	for column := range c.Where {
		want(one(column), 0, false, false)
	}
	want(one(c.LevelColumn), 0, false, false)
	if l := c.Long; l != nil {
		for _, column := range []string{l.Variable, l.Sexe, l.Millesime, l.Value} {
			want(one(column), 0, false, false)
		}
		for _, column := range []string{l.Statut, l.Reference, l.Note} {
			has(one(column), 0, false)
		}
		asked := map[string]bool{}
		for _, rows := range l.Series {
			for column := range rows {
				asked[column] = true
			}
		}
		for column := range asked {
			want(one(column), 0, false, false)
		}
	}
	if n := c.Count; n != nil {
		for column := range n.columns() {
			want(one(column), 0, false, false)
		}
		has(n.Weight, 0, false)
	}
	slices.Sort(fit.Missing)
	for _, h := range header {
		if !used[h] {
			fit.Extra = append(fit.Extra, h)
		}
	}
	return fit
}
