package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"observatoire/data"
	"observatoire/ingest"
)

func (a *app) inspectCmd() *cobra.Command {
	var format string
	var writeCard bool
	c := &cobra.Command{
		Use:     "inspect FILE…",
		Aliases: []string{"inspecter"},
		Short:   "What a file is: format, key, level, year, which card fits, what is wrong",
		Long: `Says what each file is, without a hint: format, encoding, coordinate system, header, key and level of the zones,
millésime, the card that fits or a proposed one, a profile of its columns, and what is wrong with it.

A file may be a table, a layer, a workbook, a GeoPackage, an archive, a vector tile or a folder of tiles; patterns
(*.csv) are expanded. In a project (-C), its cards are known too, and keys are looked up in its layers.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return usage{fmt.Errorf("--format %s: one of table, json", format)}
			}
			return a.inspect(cmd.Context(), args, format, writeCard)
		},
	}
	c.Flags().StringVar(&format, "format", "table", "table or json")
	c.Flags().BoolVar(&writeCard, "write-card", false, "write the proposed cards: into cards/ of the project, else beside each file")
	return c
}

func (a *app) inspect(ctx context.Context, args []string, format string, writeCard bool) error {
	in, p, err := a.inspector(ctx)
	if err != nil {
		return err
	}
	var files []string
	for _, arg := range args {
		found, err := filepath.Glob(arg)
		if _, e := os.Lstat(arg); e == nil || err != nil || len(found) == 0 {
			found = []string{arg}
		}
		files = append(files, found...)
	}
	list := make([]*ingest.Inspection, 0, len(files))
	var refusals, problems []string
	total, what := 0, "files"
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := in.Inspect(ctx, f)
		if total++; len(r.Parts) == 0 && r.Refused {
			refusals, problems = append(refusals, f), append(problems, r.Problems...)
		}
		for k, part := range r.Parts { // of an archive or a workbook
			if what = "tables and layers"; k > 0 {
				total++
			}
			if part.Refused {
				refusals, problems = append(refusals, partName(f, part)), append(problems, part.Problems...)
			}
		}
		list = append(list, r)
		if format == "table" {
			if i > 0 {
				fmt.Fprintln(a.stdout)
			}
			if err := showInspection(a.stdout, r); err != nil {
				return err
			}
		}
	}
	if format == "json" {
		if err := writeJSON(a.stdout, list); err != nil {
			return err
		}
	}
	if writeCard {
		for _, r := range list {
			if err := a.writeCards(p, r); err != nil {
				return err
			}
		}
	}
	if len(refusals) == 0 {
		return nil
	}
	for _, problem := range problems {
		a.say("%s", problem)
	}
	return refused{fmt.Errorf("%d of %d %s refused: %s", len(refusals), total, what, strings.Join(refusals, ", "))}
}

// inspector knows the catalogue and, in a project, its cards and its zones. A folder that is no project has none,
// unless the command line names it.
func (a *app) inspector(ctx context.Context) (*ingest.Inspector, *project, error) {
	p, err := loadProject(a.dir)
	if err != nil {
		_, statErr := os.Stat(filepath.Join(a.dir, projectFile))
		if a.dir != "." || !errors.Is(statErr, fs.ErrNotExist) {
			return nil, nil, err
		}
		catalogue, err := ingest.LoadCatalogue(data.Catalogue())
		return &ingest.Inspector{Catalogue: catalogue}, nil, err
	}
	in := &ingest.Inspector{Catalogue: p.catalogue, Definitions: p.definitions}
	for _, c := range p.Scope.Communes {
		if d := departementOf("commune", c); !slices.Contains(in.Scope, d) {
			in.Scope = append(in.Scope, d)
		}
	}
	known := map[string]func(string) (bool, bool){} // each level is read once
	in.Geography = func(level string) func(string) (bool, bool) {
		f, ok := known[level]
		if !ok {
			f = a.codesOf(ctx, p, level)
			known[level] = f
		}
		return f
	}
	return in, p, nil
}

// codesOf reads the layers of a level that the project has, and says of a code whether one of them holds it, and
// whether it is of a département they cover. It is nil when there is none.
func (a *app) codesOf(ctx context.Context, p *project, level string) func(string) (known, covered bool) {
	codes, territory := map[string]bool{}, map[string]bool{}
	for _, l := range p.Layers {
		if l.Level != level || l.File == "" {
			continue
		}
		read, err := p.readLayer(ctx, l, p.territory())
		if err != nil {
			a.say("warning: the layer %s cannot be read, keys are not looked up in it: %v", l.layer(), err)
			continue
		}
		for _, z := range read.set.Zones {
			codes[z.Code] = true
			territory[departementOf(level, z.Code)] = true
		}
	}
	if len(codes) == 0 {
		return nil
	}
	return func(code string) (bool, bool) {
		return codes[code], territory[departementOf(level, code)] && departementOf(level, code) != ""
	}
}

// departementOf is the département that the code of a zone names; "" when it names none.
func departementOf(level, code string) string {
	switch level {
	case "iris", "commune":
		if strings.HasPrefix(code, "97") || strings.HasPrefix(code, "98") {
			return code[:min(3, len(code))]
		}
		return code[:min(2, len(code))]
	case "qpv":
		return code[min(2, len(code)):min(5, len(code))]
	}
	return ""
}

// writeCards writes the proposed cards of a file: into cards/ of the project, else beside the file. A card that is
// there already is kept.
func (a *app) writeCards(p *project, r *ingest.Inspection) error {
	parts := r.Parts
	if len(parts) == 0 {
		parts = []ingest.Part{r.Part}
	}
	for _, part := range parts {
		if part.ProposedCard == "" {
			if part.Card != "" {
				a.say("%s: the card %s fits, no card is written", partName(r.File, part), part.Card)
			} else {
				a.say("%s: no card to write", partName(r.File, part))
			}
			continue
		}
		card, err := ingest.LoadCard(r.File, []byte(part.ProposedCard))
		if err != nil {
			return err
		}
		path := filepath.Join(filepath.Dir(r.File), card.ID+".yaml")
		if p != nil {
			path = filepath.Join(p.dir, "cards", card.ID+".yaml")
		}
		if exists(path) {
			return refused{fmt.Errorf("%s: there is a card already: rename or remove it, and run again", path)}
		}
		if err := writeFile(path, func(w io.Writer) error { _, err := io.WriteString(w, part.ProposedCard); return err }); err != nil {
			return fmt.Errorf("%s: the card cannot be written (%w): name a project with -C, or take it from --format json", path, err)
		}
		a.say("%s: wrote %s: complete it before the run", partName(r.File, part), path)
	}
	return nil
}

func partName(file string, p ingest.Part) string {
	if p.Name == "" {
		return file
	}
	return file + " (" + p.Name + ")"
}

const shownColumns = 40 // columns of a table written for a person; --format json has them all

// showInspection writes what a file is, for a person, in 100 columns.
func showInspection(w io.Writer, r *ingest.Inspection) error {
	fmt.Fprintln(w, r.File)
	if r.Refused && r.Rows == 0 {
		fmt.Fprintln(w, "  REFUSED")
		for _, p := range r.Problems {
			wrap(w, "    ! ", p)
		}
		return nil
	}
	parts := r.Parts
	if len(parts) == 0 {
		parts = []ingest.Part{r.Part}
	}
	for i, p := range parts {
		if len(parts) > 1 {
			what := "part"
			if p.HeaderRow > 0 {
				what = "sheet"
			} else if p.CRS != "" {
				what = "layer"
			}
			fmt.Fprintf(w, "  %s %d of %d: %s\n", what, i+1, len(parts), p.Name)
		}
		if err := showPart(w, p); err != nil {
			return err
		}
	}
	if r.Refused {
		fmt.Fprintln(w, "  REFUSED: a run would not take it as it is")
	}
	return nil
}

func showPart(w io.Writer, p ingest.Part) error {
	row := func(name, format string, args ...any) {
		wrap(w, fmt.Sprintf("  %-10s ", name), fmt.Sprintf(format, args...))
	}
	list := []string{p.Format}
	if p.Container != "" {
		list = append(list, "in "+p.Container)
	}
	if p.Encoding != "" {
		list = append(list, p.Encoding)
	}
	if p.BOM {
		list = append(list, "byte-order mark")
	}
	if p.Separator != "" {
		list = append(list, fmt.Sprintf("separator %q", p.Separator))
	}
	if p.HeaderRow > 0 {
		list = append(list, fmt.Sprintf("header in row %d", p.HeaderRow))
	}
	row("format", "%s", strings.Join(list, ", "))
	if p.CRS != "" {
		row("system", "%s", p.CRS)
	}
	if p.Rows > 0 {
		row("rows", "%d", p.Rows)
	}
	if p.Key != "" {
		more := ""
		if p.MoreKeys {
			more = "more than "
		}
		row("key", "%q: %s, %s%d different codes, %d rows repeat one", p.Key, cmp.Or(p.Level, "level unknown"), more, p.Keys, p.Duplicates)
		if p.Level == "" {
		} else if p.Unknown == nil {
			row("geography", "no layer of that level to look the keys up in (-C names a project)")
		} else {
			row("geography", "%d keys of the territory are unknown to the project's layers", *p.Unknown)
		}
	}
	if p.Rows > 0 {
		said := "unknown"
		if p.Millesimes != nil {
			said = strings.Trim(fmt.Sprint(p.Millesimes), "[]")
		} else if p.Millesime != nil {
			said = strconv.Itoa(*p.Millesime)
		}
		if p.Edition != 0 {
			said += fmt.Sprintf("; file of %d", p.Edition)
		}
		if p.Vintage != 0 {
			said += fmt.Sprintf("; boundaries of %d", p.Vintage)
		}
		row("millésime", "%s", said)
	}
	switch {
	case p.Card != "":
		row("card", "%s (fits at %.0f %%)", p.Card, 100*p.Fit)
	case p.ProposedCard != "":
		row("card", "none fits; one is proposed: --write-card writes it")
	case p.Rows > 0:
		row("card", "none fits")
	}
	if len(p.Statuts) > 0 {
		var said []string
		for _, s := range slices.Sorted(maps.Keys(p.Statuts)) {
			said = append(said, fmt.Sprintf("%d %s", p.Statuts[s], s))
		}
		row("absences", "%s", strings.Join(said, ", "))
	}
	for _, problem := range p.Problems {
		wrap(w, "  ! ", problem)
	}
	for _, remark := range p.Remarks {
		wrap(w, "  - ", remark)
	}
	if len(p.Columns) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "  column\tkind\tfilled\tmissing\tdifferent\trange, absences")
	for i, c := range p.Columns {
		if i == shownColumns && len(p.Columns) > shownColumns+1 {
			break
		}
		kind := c.Kind
		if c.Level != "" {
			kind += " " + c.Level
		}
		different := strconv.Itoa(c.Distinct)
		if c.MoreDistinct {
			different = "> " + different
		}
		said := ""
		if c.Min != nil {
			said = fmt.Sprintf("%s … %s", plainNumber(*c.Min), plainNumber(*c.Max))
		}
		for _, s := range slices.Sorted(maps.Keys(c.Statuts)) {
			said += fmt.Sprintf(" (%d %s)", c.Statuts[s], s)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%d\t%d\t%s\t%s\n", shorten(c.Name, 32), kind, c.Values, c.Missing, different, strings.TrimSpace(said))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if n := len(p.Columns) - shownColumns; n > 1 {
		fmt.Fprintf(w, "  and %d more columns: --format json lists them\n", n)
	}
	return nil
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// shorten cuts a name to n letters, on one line.
func shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// wrap writes a text after its mark, on lines of 100 columns at most but for a word that is longer.
func wrap(w io.Writer, mark, text string) {
	const width = 100
	indent := strings.Repeat(" ", utf8.RuneCountInString(mark))
	line := mark
	used := len(indent)
	empty := true
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if !empty && used+1+n > width {
			fmt.Fprintln(w, line)
			line, used, empty = indent, len(indent), true
		}
		if !empty {
			line, used = line+" ", used+1
		}
		line, used, empty = line+word, used+n, false
	}
	fmt.Fprintln(w, line)
}
