package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"observatoire/geo"
	"observatoire/indicators"
)

// ReadPassage reads where the zones of one geography went in another, from a table of passage (a row a zone and what it became)
// or a list of changes (a row a change, dated). The two are layers of the card's level; the passage may go back in time. A change
// belongs to the first geography, on 1 January, that follows it. A row that lacks a code is passed over and reported.
func ReadPassage(path string, c *Card, from, to geo.Layer) (indicators.Passage, []Finding, error) {
	none := indicators.Passage{}
	if c.Kind != "passage" {
		return none, nil, fmt.Errorf("%s: the card %s describes a %s, not a passage", path, c.ID, c.Kind)
	}
	early, late := from, to
	if to.Vintage() < from.Vintage() {
		early, late = to, from
	}
	rows, info, err := OpenRows(path, c.Layout)
	if err != nil {
		return none, nil, err
	}
	defer rows.Close()
	r := &passageReader{Table: Table{path: path, card: c, rows: rows, info: info}, early: early.Vintage(), late: late.Vintage(),
		changes: map[int]map[string][]indicators.PassagePart{}, first: map[string]int{}}
	if err := r.header(); err != nil {
		return none, nil, err
	}
	n := 0
	for rows.Next() {
		if !blank(rows.Cells()) {
			r.row(rows.Cells())
			n++
		}
	}
	if err := rows.Err(); err != nil {
		return none, nil, err
	}
	if n == 0 {
		r.Table.bad = append(r.Table.bad, fmt.Errorf("%s: no row after the header: download or copy the file again", path))
	}
	p := indicators.Passage{From: early, To: late, File: filepath.Base(path), Parts: r.compose()}
	if err := errors.Join(r.Table.bad...); err != nil {
		return none, nil, err
	}
	if from != early {
		p = p.Before()
	}
	var findings []Finding
	if r.empty.n > 0 {
		findings = append(findings, Finding{Kind: "passage", File: p.File, Message: fmt.Sprintf(
			"%d ligne(s) de la table de passage n'ont pas de code de départ ou d'arrivée, et sont laissées de côté (%s)", r.empty.n, r.empty)})
	}
	return p, findings, nil
}

// A passageReader gathers the changes of a file, by the vintage they first belong to.
type passageReader struct {
	Table
	early, late                int // vintages
	before, after, share, date int // positions; -1 when there is no such column
	changes                    map[int]map[string][]indicators.PassagePart
	empty                      lines
	first                      map[string]int // line on which a zone before is met first
}

// header goes to the first row that names both codes.
func (r *passageReader) header() error {
	c := r.card
	before, after := expanded(c.Before, r.early), expanded(c.After, r.late)
	var seen []string
	for n := 0; n < 200 && r.rows.Next(); n++ {
		r.Table.header = slices.Clone(r.rows.Cells())
		for i := range r.Table.header {
			r.Table.header[i] = strings.Trim(r.Table.header[i], blanks+"\r\n\uFEFF")
		}
		if row := c.Layout.HeaderRow; row > 0 && r.rows.Line() < row {
			continue
		}
		r.before, r.after = pickColumn(r.Table.header, before), pickColumn(r.Table.header, after)
		r.share, r.date = pickColumn(r.Table.header, c.Share), pickColumn(r.Table.header, c.Date)
		if r.before < 0 || r.after < 0 {
			seen = append(seen, r.Table.header...)
			continue
		}
		if len(c.Date) > 0 && r.date < 0 {
			return fmt.Errorf("%s:%d: no column %s: correct date in the card %s", r.path, r.rows.Line(), quoteList(c.Date), c.ID)
		}
		var bad []error
		for _, at := range []int{r.before, r.after} {
			bad = append(bad, r.single(r.Table.header[at]))
		}
		var err error
		r.where, err = r.conditions(c.Where)
		return errors.Join(append(bad, err)...)
	}
	if err := r.rows.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%s: no header with the codes before (%s) and after (%s)%s: does this table cover %d to %d? Else correct before and after in the card %s",
		r.path, strings.Join(before, ", "), strings.Join(after, ", "), near(after, seen), r.early, r.late, c.ID)
}

func (r *passageReader) row(cells []string) {
	if !r.meets(cells, r.where) {
		return
	}
	code := func(at int) string { return restoreZeros(plainCode(cell(cells, at)), r.card.Width) }
	before, after := code(r.before), code(r.after)
	if before == "" || after == "" {
		r.empty.add(r.rows.Line())
		return
	}
	vintage := r.late
	if r.date >= 0 {
		var err error
		if vintage, err = changeVintage(r.text(cells, r.date)); err != nil {
			r.wrong(r.Table.header[r.date], err)
			return
		}
		if vintage <= r.early || vintage > r.late {
			return
		}
	}
	if r.first[before] == 0 {
		r.first[before] = r.rows.Line()
	}
	part := indicators.PassagePart{Code: after}
	if s := r.text(cells, r.share); r.share >= 0 && s != "" {
		v, err := parseNumber(s, r.card.Layout.Decimal)
		if err == nil && (v < 0 || v > 1) {
			err = errors.New("is not a share between 0 and 1")
		}
		if err != nil {
			r.wrong(r.Table.header[r.share], fmt.Errorf("%q %w: correct the cell, or empty it", s, err))
			return
		}
		part.Share = indicators.Some(v)
	}
	of := r.changes[vintage]
	if of == nil {
		of = map[string][]indicators.PassagePart{}
		r.changes[vintage] = of
	}
	if i := slices.IndexFunc(of[before], func(x indicators.PassagePart) bool { return x.Code == after }); i >= 0 {
		if of[before][i].Share != part.Share {
			r.wrong(r.Table.header[r.after], fmt.Errorf("%s goes to %s on another row, with another share: keep one", before, after))
		}
		return // a table with more years or levels than ours says it several times
	}
	of[before] = append(of[before], part)
}

var dateForms = []*regexp.Regexp{
	regexp.MustCompile(`^(?P<y>\d{4})(?:-(?P<m>\d{2})-(?P<d>\d{2})(?:[T ].*)?)?$`), regexp.MustCompile(`^(?P<d>\d{2})/(?P<m>\d{2})/(?P<y>\d{4})$`)}

// changeVintage is the first geography that a change belongs to: that of its day if it is a 1 January, else of the next year. A
// year alone is that of the geography.
func changeVintage(s string) (int, error) {
	for _, re := range dateForms {
		m := re.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		get := func(name string) string { return m[re.SubexpIndex(name)] }
		year, _ := strconv.Atoi(get("y"))
		if err := checkYear(year); err != nil {
			return 0, fmt.Errorf("%w: correct the date", err)
		}
		if get("m") != "" && (get("m") != "01" || get("d") != "01") {
			year++
		}
		return year, nil
	}
	return 0, fmt.Errorf("%q is no date: a year, AAAA-MM-JJ or JJ/MM/AAAA", s)
}

// compose follows every zone through the changes, one geography after another, and checks that shares add up to 1.
func (r *passageReader) compose() map[string][]indicators.PassagePart {
	parts := map[string][]indicators.PassagePart{} // of the zones of the first geography
	born := map[string]bool{}                      // zones that appeared later
	for _, vintage := range slices.Sorted(maps.Keys(r.changes)) {
		step := r.changes[vintage]
		for _, before := range slices.Sorted(maps.Keys(step)) {
			list := step[before]
			r.checkShares(before, list)
			if len(list) == 1 {
				list[0].Share = indicators.Some(1)
			}
			if parts[before] == nil && !born[before] {
				parts[before] = []indicators.PassagePart{{Code: before, Share: indicators.Some(1)}}
			}
		}
		for before, list := range parts {
			parts[before] = onward(list, step)
		}
		for _, list := range step {
			for _, p := range list {
				if parts[p.Code] == nil {
					born[p.Code] = true
				}
			}
		}
	}
	origins := map[string]int{}
	for _, list := range parts {
		for _, p := range list {
			origins[p.Code]++
		}
	}
	for before, list := range parts {
		if len(list) == 1 {
			list[0].Share = indicators.Some(1)
			if list[0].Code == before && origins[before] == 1 {
				delete(parts, before)
				continue
			}
		}
		slices.SortFunc(list, func(a, b indicators.PassagePart) int { return cmp.Compare(a.Code, b.Code) })
	}
	return parts
}

// onward takes the parts of a zone through one step.
func onward(list []indicators.PassagePart, step map[string][]indicators.PassagePart) []indicators.PassagePart {
	var out []indicators.PassagePart
	add := func(code string, share indicators.Opt) {
		if i := slices.IndexFunc(out, func(p indicators.PassagePart) bool { return p.Code == code }); i >= 0 {
			if out[i].Share.OK = out[i].Share.OK && share.OK; out[i].Share.OK {
				out[i].Share.V += share.V
			} else {
				out[i].Share = indicators.Opt{}
			}
			return
		}
		out = append(out, indicators.PassagePart{Code: code, Share: share})
	}
	for _, p := range list {
		next, moved := step[p.Code]
		if !moved {
			add(p.Code, p.Share)
		}
		for _, n := range next {
			share := indicators.Opt{}
			if p.Share.OK && n.Share.OK {
				share = indicators.Some(p.Share.V * n.Share.V)
			}
			add(n.Code, share)
		}
	}
	return out
}

// checkShares makes sure that the shares of a zone, where all are given, are the whole of it.
func (r *passageReader) checkShares(before string, list []indicators.PassagePart) {
	sum := 0.0
	for _, p := range list {
		if !p.Share.OK {
			return
		}
		sum += p.Share.V
	}
	if math.Abs(sum-1) > 0.01 {
		r.Table.bad = append(r.Table.bad, &CellError{File: r.path, Line: r.first[before], Column: r.Table.header[r.share],
			Err: fmt.Errorf("the shares of %s add up to %s, not 1: correct them", before, indicators.FormatNumber(sum))})
	}
}
