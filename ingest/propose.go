package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// propose writes a card for a table or a layer that none describes, and reads the file with it: what that refuses is
// what any card would. True when something was.
func (in *Inspector) propose(ctx context.Context, out *Part, p *profile, path string) (refused bool) {
	_, _, part := splitPath(path)
	base := strings.TrimSuffix(Name(path), "#"+part)
	d := &draft{out: out, p: p, base: strings.TrimSuffix(base[strings.LastIndexByte(base, '/')+1:], ".gz"), part: part}
	var err error
	switch {
	case out.Rows == 0 || out.Format == "mvt":
		return false
	case out.CRS != "":
		err = d.layer()
	case p.figures() == 0:
		err = d.composition()
	default:
		err = d.table(path)
	}
	if err != nil {
		out.Remarks = append(out.Remarks, "no card is proposed: "+err.Error())
		return false
	}
	card, err := LoadCard("proposed card", d.Bytes())
	if err != nil { // our own fault: the card is not shown
		out.Remarks = append(out.Remarks, "no card is proposed: "+strings.Join(unjoin(err), "; "))
		return false
	}
	before := *out
	_, err = in.read(ctx, out, card, path)
	out.Edition, out.Vintage, out.Level = before.Edition, before.Vintage, before.Level
	if card.Kind == "table" { // what the table remarks is that the card has still to be completed
		out.Remarks = before.Remarks
	}
	if card.Kind == "table" && out.Rows > maxKeys {
		out.Remarks = append(out.Remarks, fmt.Sprintf("only the first %d rows were read with the proposed card", maxKeys))
	}
	if err != nil && card.Kind == "composition" {
		out.Remarks = append(out.Remarks, "no card is proposed: no column says of each commune which zone it is part of")
		return false
	}
	out.ProposedCard = d.String()
	if err != nil {
		out.Problems = append(out.Problems, unjoin(err)...)
	}
	return err != nil
}

// A draft is the text of a proposed card.
type draft struct {
	bytes.Buffer
	out  *Part
	p    *profile
	base string // of the file, less its .gz
	part string // sheet or layer
	code string // column of the codes
}

var (
	errNoKey     = errors.New("no column tells the rows apart by a code: a dictionary, or notes")
	errNoFigures = errors.New("it has neither figures nor codes of zones: a dictionary, or notes")
)

func (d *draft) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// quoted writes a name as YAML reads it back, whatever is in it.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil { // a string always encodes
		return strconv.Quote(s)
	}
	return strings.TrimSpace(b.String())
}

// head writes what every card has.
func (d *draft) head(kind, level string) {
	title := strings.TrimSuffix(d.base, filepath.Ext(d.base))
	pattern, year := d.base, ""
	id := title
	if y := nameYears(d.base); len(y) == 1 {
		pattern = strings.Replace(d.base, strconv.Itoa(y[0]), "{AAAA}", 1)
		id = strings.Replace(title, strconv.Itoa(y[0]), " ", 1)
		year = " {AAAA}"
	}
	id = slug(id)
	if d.part != "" {
		id += "-" + slug(d.part)
	}
	d.line("# Fiche proposée par `observatoire inspect` : à relire et à compléter avant de s'en servir.")
	d.line("id: %s", cmp.Or(strings.Trim(id, "-"), "fiche"))
	d.line("kind: %s", kind)
	d.line("title: %s", quoted(title+" (à préciser)"))
	d.line("producer: à préciser")
	d.line("licence: à préciser")
	d.line("caption: %s", quoted("Source : à préciser"+year))
	d.line("files: [%s]", quoted(pattern))
	d.line("level: %s", level)
	switch {
	case d.out.Edition != 0 && kind != "table":
		d.line("vintage: %d # année des limites, d'après le nom du fichier", d.out.Edition)
	default:
		d.line("# vintage: 2024 # année des limites auxquelles les codes se rapportent : à préciser")
	}
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

func slug(s string) string {
	return strings.Trim(notSlug.ReplaceAllString(strings.ToLower(Plain(s)), "-"), "-")
}

// usual are the usual names of attributes of zones, in lower case.
var usualNames = map[string][]string{
	"name":    {"nom_iris", "lib_iris", "libiris", "nom_qp", "lib_qp", "libgeo", "libelle", "libepci", "nom_com", "libcom", "nom_m", "nom", "name", "lib"},
	"commune": {"insee_com", "depcom", "com", "codcom", "code_commune", "code_insee", "insee"},
	"type":    {"typ_iris", "type"},
}

// attribute finds an attribute of the zones, which is not their code.
func (d *draft) attribute(what, code string) string {
	for _, name := range usualNames[what] {
		for _, h := range d.p.header {
			if strings.ToLower(h) == name && (h != code || what == "commune") {
				return h
			}
		}
	}
	return ""
}

// key is the column of the codes, with the level it names.
func (d *draft) key() (column, level string, ok bool) {
	if len(d.p.keys) == 0 {
		return "", "", false
	}
	k := d.p.keys[0]
	return d.p.header[k.at], cmp.Or(k.shape.level, "zone"), true
}

func (d *draft) layer() error {
	code, level, ok := d.key()
	if !ok {
		return errNoKey
	}
	d.head("layer", level)
	if d.part != "" {
		d.line("table: {sheet: %s}", quoted(d.part))
	}
	d.width()
	d.line("code: [%s]", quoted(code))
	for _, what := range []string{"name", "commune", "type"} {
		if a := d.attribute(what, code); a != "" {
			d.line("%s: [%s]", what, quoted(a))
		}
	}
	return nil
}

func (d *draft) composition() error {
	if len(d.p.keys) == 0 {
		return errNoKey
	}
	k := d.p.keys[0]
	if k.shape.level != "commune" {
		return d.reference(k)
	}
	for _, level := range []string{"epci", "departement", "region"} {
		for _, c := range d.p.columns {
			if c.Level != level || c.Missing > 0 {
				continue
			}
			d.head("composition", level)
			d.layout()
			d.line("key: [%s]", quoted(c.Name))
			d.width()
			d.line("commune: [%s]", quoted(d.p.header[k.at]))
			for _, n := range []string{"LIB" + c.Name, "LIB_" + c.Name, c.Name + "TXT", "nom_" + c.Name} {
				if d.p.column(n) != nil {
					d.line("name: [%s]", quoted(n))
					break
				}
			}
			return nil
		}
	}
	return d.reference(k)
}

// reference describes a list of zones, from which no figures are read.
func (d *draft) reference(k *keyProfile) error {
	if k.shape.level == "" {
		return errNoFigures
	}
	d.head("reference", k.shape.level)
	if d.part != "" {
		d.line("table: {sheet: %s}", quoted(d.part))
	}
	d.line("key: [%s]", quoted(d.p.header[k.at]))
	var columns []string
	for i, h := range d.p.header {
		if h != "" && i != k.at && len(columns) < 30 {
			columns = append(columns, quoted(h))
		}
	}
	if len(columns) > 0 {
		d.line("columns: [%s]", strings.Join(columns, ", "))
	}
	return nil
}

// width says that leading zeros are put back.
func (d *draft) width() {
	if len(d.p.keys) > 0 && d.p.keys[0].short > 0 {
		d.line("key_width: %d # des zéros de tête sont perdus : ils sont remis", d.p.keys[0].shape.width)
	}
}

// layout writes what the reader is better told.
func (d *draft) layout() {
	var said []string
	if d.part != "" {
		said = append(said, "sheet: "+quoted(d.part))
	}
	if d.out.HeaderRow > 1 {
		said = append(said, fmt.Sprintf("header_row: %d", d.out.HeaderRow))
	}
	if d.out.Encoding == "windows-1252" {
		said = append(said, "encoding: windows-1252")
	}
	mark := ""
	for _, c := range d.p.columns {
		if mark == "" {
			mark = c.Decimal
		}
		if c.Decimal != "" && c.Decimal != mark {
			mark = "mixed"
		}
	}
	if d.out.Format == "csv" && (mark == "," || mark == ".") {
		said = append(said, fmt.Sprintf("decimal: %q", mark))
	}
	if len(said) > 0 {
		d.line("table: {%s}", strings.Join(said, ", "))
	}
}

// rowsOf opens the table again.
func (d *draft) rowsOf(path string) (Rows, error) {
	rows, _, err := OpenRows(path, Layout{})
	return rows, err
}

func (d *draft) table(path string) error {
	code, level, ok := d.key()
	if !ok {
		return errNoKey
	}
	d.code = code
	if at := d.p.keys[0].at; slices.Contains(d.p.header[:at], code) || slices.Contains(d.p.header[at+1:], code) {
		code += fmt.Sprintf("#%d", 1+count(d.p.header[:at], code)) // which of the columns of that name
	}
	key, where := quoted(code), ""
	if len(d.p.keys) > 0 {
		// A few repeated codes are faults, which the reading names; many are a second key.
		if k := d.p.keys[0]; 100*k.twice > d.p.rows {
			var err error
			if key, where, err = d.secondKey(path, k); err != nil {
				return err
			}
		}
	}
	d.head("table", level)
	d.layout()
	d.line("key: [%s]", key)
	d.width()
	if where != "" {
		d.line("where: {%s} # les autres lignes répètent des codes", where)
	}
	const mostDropped = 60
	if len(d.p.keys) > 0 {
		var drop []string
		for _, s := range d.p.keys[0].strange {
			if q := quoted(s.Code); !slices.Contains(drop, q) {
				drop = append(drop, q)
			}
		}
		for _, s := range d.p.footnotes {
			if q := quoted(plainCode(s.Code)); !slices.Contains(drop, q) {
				drop = append(drop, q)
			}
		}
		// Some rows without a code are faults, which the reading names; many are totals.
		if k := d.p.keys[0]; 100*(d.p.rows-k.filled) > d.p.rows && d.p.rows-k.filled > 2 {
			drop = append(drop, `""`)
		}
		if len(drop) > 0 && len(drop) <= mostDropped {
			d.line("drop: [%s] # ce ne sont pas des zones de ce niveau", strings.Join(drop, ", "))
		}
	}
	var marks []string
	var notes []string
	for _, c := range d.p.columns {
		for _, m := range c.Marks {
			if !slices.Contains(marks, m) && !looksNumeric.MatchString(m) { // a figure badly written is no mark
				marks = append(marks, m)
			}
		}
		if c.Kind == "note" {
			notes = append(notes, c.Name)
		}
	}
	if len(marks) > 0 {
		d.line("tokens: # ce que ces marques veulent dire n'est pas dans le fichier : secret, non_significatif, non_disponible ou sans_objet")
		for _, m := range marks {
			d.line("  %s: non_disponible", quoted(m))
		}
	}
	if len(notes) > 0 {
		d.line("# notes: {\"1\": signale, \"2\": non_disponible} # sens des codes de %s : à préciser", strings.Join(notes, ", "))
	}
	d.line("protection: aucune # ou blanchiment, perturbation : à préciser")
	if d.out.Millesime == nil {
		said := "une année, ou edition, l'année du nom du fichier"
		if d.out.Edition != 0 {
			said = fmt.Sprintf("edition si ce sont des chiffres de %d, comme le dit le nom du fichier", d.out.Edition)
		}
		d.line("# L'année des chiffres n'est pas dans le fichier. À préciser sous millesime : %s.", said)
	}
	d.line("variables:")
	d.variables()
	return nil
}

// variables lists the columns of figures: one variable for a column of several years.
func (d *draft) variables() {
	years := d.p.columnYears()
	edition := len(nameYears(d.base)) == 1 && len(years) == 1 && years[0] == d.out.Edition
	ids, patterns, names := map[string]bool{}, map[string]bool{}, map[string]int{}
	for _, h := range d.p.header {
		names[h]++
	}
	for i, c := range d.p.columns {
		if c.Kind != "number" || c.Name == d.code || names[c.Name] > 1 || strings.Contains(c.Name, " + ") || strings.Contains(c.Name, "{") {
			continue
		}
		rule := "inconnu"
		pattern, stem, ok := dated(c.Name, years)
		if ok && edition {
			rule = "edition"
		} else if ok {
			rule = "column"
		}
		if patterns[pattern] {
			continue
		}
		patterns[pattern] = true
		id := strings.ReplaceAll(slug(stem), "-", "_")
		for n := 2; id == "" || ids[id]; n++ {
			id = fmt.Sprintf("%s_%d", cmp.Or(strings.ReplaceAll(slug(stem), "-", "_"), "colonne"), n)
		}
		ids[id] = true
		note := ""
		if n := d.note(i); n != "" && names[n] == 1 {
			n, _, _ = dated(n, years)
			note = fmt.Sprintf(", note: [%s]", quoted(n))
		}
		label := ""
		if c.Label != "" {
			label = " # " + c.Label
		}
		d.line("  - {id: %s, columns: %s, millesime: %s%s}%s", quoted(id), quoted(pattern), rule, note, label)
	}
}

// note is the NOTE column of a column of figures: the next one to its right, else the last to its left.
func (d *draft) note(at int) string {
	left := ""
	for i, c := range d.p.columns {
		if c.Kind == "note" {
			if i > at {
				return c.Name
			}
			left = c.Name
		}
	}
	return left
}

// dated writes the name of a column with {AA} or {AAAA} in the place of its year, if it holds one of those; stem is
// what is left of the name without it.
func dated(name string, years []int) (pattern, stem string, ok bool) {
	y, from, to, ok := yearPlace(name)
	if !ok || !slices.Contains(years, y) {
		return name, name, false
	}
	return name[:from] + "{" + strings.Repeat("A", to-from) + "}" + name[to:],
		strings.TrimRight(name[:from], "_ ") + "_" + strings.TrimLeft(name[to:], "_ "), true
}

// secondKey finds what tells apart the rows that repeat a code: a column of which one value is on most rows, among which
// no code repeats; else one or two more columns of codes.
func (d *draft) secondKey(path string, k *keyProfile) (key, where string, err error) {
	type candidate struct {
		at    int
		count map[string]int
		twice map[string]int
	}
	var words []*candidate
	var codes []int
	for i, c := range d.p.columns {
		switch {
		case i == k.at || c.Name == "" || c.Missing > 0:
		case c.Distinct <= 12 && !c.MoreDistinct && (c.Kind == "code" || c.Kind == "text"):
			words = append(words, &candidate{i, map[string]int{}, map[string]int{}})
			codes = append(codes, i)
		case c.Kind == "code":
			codes = append(codes, i)
		}
	}
	tuples := [][]int{}
	for i, a := range codes {
		tuples = append(tuples, []int{k.at, a})
		for _, b := range codes[i+1:] {
			tuples = append(tuples, []int{k.at, a, b})
		}
	}
	slices.SortStableFunc(tuples, func(a, b []int) int { return len(a) - len(b) })
	const most = 40
	tuples = tuples[:min(len(tuples), most)]
	repeats := make([]bool, len(tuples))
	widths := make([]int, len(d.p.header))
	rows, err := d.rowsOf(path)
	if err != nil {
		return "", "", err
	}
	defer rows.Close()
	seed := maphash.MakeSeed()
	seen := map[uint64]bool{}
	hash := func(parts ...string) uint64 { return maphash.String(seed, strings.Join(parts, "\x00")) }
	for rows.Next() {
		cells := rows.Cells()
		code := plainCode(cell(cells, k.at))
		if rows.Line() <= d.out.HeaderRow || !k.shape.shape.MatchString(code) {
			continue
		}
		if len(seen) > 4*maxKeys {
			return "", "", errors.New("too many rows repeat a code to look for what tells them apart: name it under key or where")
		}
		for _, c := range words {
			v := plainCode(cell(cells, c.at))
			h := hash("w", strconv.Itoa(c.at), code, v)
			c.count[v]++
			if seen[h] {
				c.twice[v]++
			}
			seen[h] = true
		}
		for i, t := range tuples {
			if repeats[i] {
				continue
			}
			parts := []string{strconv.Itoa(i)}
			for _, at := range t {
				v := plainCode(cell(cells, at))
				widths[at] = max(widths[at], len(v))
				parts = append(parts, v)
			}
			h := hash(parts...)
			repeats[i] = seen[h]
			seen[h] = true
		}
	}
	if err := rows.Err(); err != nil {
		return "", "", err
	}
	for _, c := range words {
		most := sortedByCount(c.count)
		if len(most) > 0 && c.twice[most[0]] == 0 && 2*c.count[most[0]] > d.p.rows {
			return quoted(d.p.header[k.at]), fmt.Sprintf("%s: %s", quoted(d.p.header[c.at]), quoted(most[0])), nil
		}
	}
	for i, t := range tuples {
		if repeats[i] {
			continue
		}
		var parts []string
		for _, at := range t {
			parts = append(parts, fmt.Sprintf("%s:%d", d.p.header[at], max(1, widths[at])))
		}
		return quoted(strings.Join(parts, " + ")), "", nil
	}
	return "", "", fmt.Errorf("%d rows repeat a code of %s, and no other column tells them apart: name what does under key or where", k.twice, d.p.header[k.at])
}

func count(list []string, s string) (n int) {
	for _, t := range list {
		if t == s {
			n++
		}
	}
	return n
}

func sortedByCount(seen map[string]int) []string {
	var list []string
	for v := range seen {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(seen[b]-seen[a], strings.Compare(a, b)) })
	return list
}
