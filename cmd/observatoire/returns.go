package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/xuri/excelize/v2"

	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

func (a *app) depositsCmd() *cobra.Command {
	var format, day string
	c := &cobra.Command{
		Use:     "deposits",
		Aliases: []string{"depots"},
		Short:   "What each partner owes under its convention: received, missing, replaced, ended",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			p, err := a.projectOn(day)
			if err != nil {
				return err
			}
			return a.writeReturns(p.returns(day), format)
		},
	}
	c.PersistentFlags().StringVar(&day, "date", envOr("OBSERVATOIRE_DATE", time.Now().Format(time.DateOnly)), "day on which it is asked, AAAA-MM-JJ")
	c.Flags().StringVar(&format, "format", "table", "table, csv or json")

	var card, level, out string
	var millesime int
	template := &cobra.Command{
		Use:     "template CONVENTION -o F.xlsx",
		Aliases: []string{"modele"},
		Short:   "A workbook for the partner to fill in: the zones and columns expected, with lists; the card reads it as it is",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("deposits template: name the convention: `observatoire deposits` lists them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.projectOn(day)
			if err != nil {
				return err
			}
			return a.writeTemplate(cmd.Context(), p, args[0], card, level, millesime, out)
		},
	}
	template.Flags().StringVar(&card, "card", "", "card of the dataset (default: the only one)")
	template.Flags().StringVar(&level, "level", "", "where the card is of several levels, a word of its levels, such as QPV (default: that of the convention)")
	template.Flags().IntVar(&millesime, "millesime", 0, "year of the figures (default: the first that is missing)")
	template.Flags().StringVarP(&out, "output", "o", "", "XLSX file to write, or a folder (default: here)")
	c.AddCommand(template)
	return c
}

// projectOn reads the project, as of a day.
func (a *app) projectOn(day string) (*project, error) {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return nil, usage{fmt.Errorf("--date %s: write a day as AAAA-MM-JJ, such as 2026-12-31", day)}
	}
	p, err := loadProject(a.dir)
	if err != nil {
		return nil, err
	}
	p.expire(day)
	return p, nil
}

// A returned is a line of the table of who owes what: a dataset for a year, or a version of it.
type returned struct {
	Convention    string   `json:"convention"`
	Partenaire    string   `json:"partenaire"`
	Fiche         string   `json:"fiche"`
	Niveau        string   `json:"niveau"` // the word in the file's name, where the card is of several levels
	Millesime     int      `json:"millesime"`
	Echeance      string   `json:"echeance"` // AAAA-MM-JJ, empty when the convention sets none
	Etat          string   `json:"etat"`     // attendu, en retard, reçu, remplacé, fichier absent, échu
	Depose        string   `json:"depose"`
	Fichier       string   `json:"fichier"`
	Destinataires []string `json:"destinataires"`
	Fin           string   `json:"fin"`
	Note          string   `json:"note"`
}

// returns lists what is owed and what was handed in, on a day.
func (p *project) returns(day string) []returned {
	var out []returned
	for i := range p.conventions {
		c := &p.conventions[i]
		type owed struct{ set, year int } // a dataset of the convention, for a year
		received := map[owed]bool{}
		line := func(card, word string, year int, due string) returned {
			r := returned{Convention: c.ID, Partenaire: c.Partner, Fiche: card, Niveau: word, Millesime: year, Destinataires: c.Recipients, Fin: c.End}
			if due != "" {
				r.Echeance = fmt.Sprintf("%04d-%s", year+1, due)
			}
			return r
		}
		var lines []returned
		for _, d := range p.deposits {
			if d.Convention != c.ID {
				continue
			}
			set := slices.IndexFunc(c.Datasets, func(x ingest.Dataset) bool {
				return d.owedBy(&x) && slices.Contains(x.Millesimes, d.Millesime)
			})
			due := ""
			if set >= 0 {
				due = c.Datasets[set].Due
			}
			r := line(d.Card, d.card.Word(), d.Millesime, due)
			r.Depose, r.Fichier, r.Note = d.Date, filepath.Base(d.path), d.Note
			switch {
			case d.expired:
				r.Etat = "échu"
			case !exists(d.path):
				r.Etat = "fichier absent"
			case d.next != nil:
				r.Etat = "remplacé"
			default:
				r.Etat = "reçu"
			}
			if set < 0 {
				r.Note = strings.TrimPrefix(r.Note+" ; non prévu par la convention", " ; ")
			}
			received[owed{set, d.Millesime}] = received[owed{set, d.Millesime}] || r.Etat != "fichier absent"
			lines = append(lines, r)
		}
		for i, d := range c.Datasets {
			for _, year := range d.Millesimes {
				if received[owed{i, year}] {
					continue
				}
				r := line(d.Card, d.Level, year, d.Due)
				switch {
				case c.End < day:
					r.Etat = "échu"
				case r.Echeance != "" && r.Echeance < day:
					r.Etat = "en retard"
				default:
					r.Etat = "attendu"
				}
				lines = append(lines, r)
			}
		}
		slices.SortStableFunc(lines, func(x, y returned) int {
			return cmp.Or(cmp.Compare(x.Fiche, y.Fiche), cmp.Compare(x.Niveau, y.Niveau), cmp.Compare(x.Millesime, y.Millesime), cmp.Compare(x.Depose, y.Depose))
		})
		out = append(out, lines...)
	}
	return out
}

func (a *app) writeReturns(list []returned, format string) error {
	switch format {
	case "json":
		return writeJSON(a.stdout, slices.Concat([]returned{}, list))
	case "csv":
		w := csv.NewWriter(a.stdout)
		w.UseCRLF = true
		w.Write([]string{"convention", "partenaire", "fiche", "niveau", "millesime", "echeance", "etat", "depose", "fichier", "destinataires", "fin", "note"}) //nolint:errcheck // kept for Error
		for _, r := range list {
			w.Write([]string{r.Convention, r.Partenaire, r.Fiche, r.Niveau, strconv.Itoa(r.Millesime), r.Echeance, r.Etat, r.Depose, r.Fichier, strings.Join(r.Destinataires, ", "), r.Fin, r.Note}) //nolint:errcheck // as above
		}
		w.Flush()
		return w.Error()
	}
	if len(list) == 0 {
		fmt.Fprintf(a.stdout, "aucune convention : les écrire dans %s\n", conventionsFile)
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "convention\tpartenaire\tfiche\tmillésime\téchéance\tétat\tdéposé le\tfichier\tfin")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", r.Convention, r.Partenaire, strings.TrimSpace(r.Fiche+" "+r.Niveau), r.Millesime, cmp.Or(r.Echeance, "–"), r.Etat,
			cmp.Or(r.Depose, "–"), cmp.Or(r.Fichier, "–"), r.Fin)
	}
	return w.Flush()
}

// writeTemplate writes the workbook that a partner fills in for one dataset and one year.
func (a *app) writeTemplate(ctx context.Context, p *project, id, cardID, level string, millesime int, out string) error {
	c := p.convention(id)
	if c == nil {
		var ids []string
		for _, c := range p.conventions {
			ids = append(ids, c.ID)
		}
		return usage{fmt.Errorf("no convention %q in %s: it has %s", id, conventionsFile, cmp.Or(strings.Join(ids, ", "), "none"))}
	}
	var set *ingest.Dataset
	var ids []string
	several := false
	for i := range c.Datasets {
		d := &c.Datasets[i]
		ids = append(ids, strings.TrimSpace(d.Card+" "+d.Level))
		if (d.Card == cardID || cardID == "") && (level == "" || d.Level == "" || strings.EqualFold(level, d.Level)) {
			several = set != nil
			set = d
		}
	}
	if set == nil || several {
		return usage{fmt.Errorf("convention %s: name the dataset with --card, and --level where its card is of several levels: %s", id,
			cmp.Or(strings.Join(ids, ", "), "it has none: list them under datasets in "+conventionsFile))}
	}
	card, _ := p.catalogue.Card(set.Card) // checked with the conventions
	card, err := atWord(card, cmp.Or(level, set.Level))
	if err != nil {
		return usage{fmt.Errorf("--level: %w", err)}
	}
	if millesime == 0 {
		for _, year := range set.Millesimes {
			if !slices.ContainsFunc(p.deposits, func(d *deposit) bool {
				return d.Convention == id && d.Card == card.ID && d.card.Word() == card.Word() && d.Millesime == year && exists(d.path)
			}) {
				millesime = year
				break
			}
		}
		if millesime == 0 {
			return usage{fmt.Errorf("convention %s: nothing is missing of %s: name a year with --millesime", id, card.ID)}
		}
	}
	name, columns, err := card.Template(millesime)
	if err != nil {
		return refused{err}
	}
	switch {
	case out == "":
		out = name
	case !strings.EqualFold(filepath.Ext(out), ".xlsx"):
		out = filepath.Join(out, name)
	}
	t := &returnTemplate{f: excelize.NewFile(), c: c, card: card, millesime: millesime, name: name, sheet: cmp.Or(card.Layout.Sheet, "Données")}
	defer t.f.Close() //nolint:errcheck // only removes temporary files
	if card.Long != nil {
		err = t.long(p)
	} else {
		var zones []geo.Zone
		if zones, err = a.expectedZones(ctx, p, c, set, card, millesime); err == nil {
			err = t.wide(zones, columns)
		}
	}
	if err == nil {
		err = t.finish()
	}
	if err != nil {
		return err
	}
	if err := writeFile(out, func(w io.Writer) error { return t.f.Write(w) }); err != nil {
		return err
	}
	a.say("%s: for %s to fill in; then put it in %s with a %s (card: %s, convention: %s, millesime: %d, file, date)", out, c.Partner,
		filepath.Join(depositsFolder, "PARTNER"), depositFile, card.ID, c.ID, millesime)
	if filepath.Base(out) != name {
		a.say("its name is to end as %s where the card reads the year in it", name)
	}
	return nil
}

// expectedZones are the zones of a dataset: the partner's own, or those of the project's layer.
func (a *app) expectedZones(ctx context.Context, p *project, c *ingest.Convention, set *ingest.Dataset, card *ingest.Card, millesime int) ([]geo.Zone, error) {
	layers, err := a.readLayers(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := p.keepStudied(ctx, layers); err != nil {
		return nil, err
	}
	if set.Zones == nil {
		var found []*geo.ZoneSet
		for i := range layers.sets {
			if s := &layers.sets[i]; s.Layer.Level() == card.Level && (card.Vintage.Fixed == 0 || s.Layer.Vintage() == card.Vintage.Fixed) {
				found = append(found, s)
			}
		}
		switch len(found) {
		case 1:
			return found[0].Zones, nil
		case 0:
			return nil, refused{fmt.Errorf("%s:%d: datasets: %s: the project has no layer of level %s: say where its zones are (zones: {file, code, name})",
				filepath.Join(p.dir, conventionsFile), c.Line, card.ID, card.Level)}
		}
		return nil, refused{fmt.Errorf("card %s: vintage: the project has %d layers of level %s: say which year", card.ID, len(found), card.Level)}
	}
	epsg := 0
	for _, s := range layers.sets {
		epsg = max(epsg, s.EPSG)
	}
	legal, err := geo.ByEPSG(epsg)
	if err != nil {
		return nil, refused{errors.New("no layer of the project is drawn")}
	}
	d := &deposit{Deposit: ingest.Deposit{Millesime: millesime}, card: card, zones: set.Zones}
	own, _, _, err := d.readZones(ctx, p.path(set.Zones.File), legal)
	if err != nil {
		return nil, refused{err}
	}
	var zones []geo.Zone
	for code := range own.codes {
		zones = append(zones, geo.Zone{Code: code, Name: own.names[code]})
	}
	slices.SortFunc(zones, func(x, y geo.Zone) int { return cmp.Compare(x.Code, y.Code) })
	return zones, nil
}

// A returnTemplate is a workbook for a partner: the sheet to fill in comes first, which is the one the card reads.
type returnTemplate struct {
	f               *excelize.File
	c               *ingest.Convention
	card            *ingest.Card
	millesime       int
	name, sheet     string
	fillable, fixed int // styles
	head, label     int
	lists           int // columns of the hidden sheet in use
}

const listsSheet = "Listes"

func (t *returnTemplate) start() error {
	if err := t.f.SetSheetName("Sheet1", t.sheet); err != nil {
		return err
	}
	if _, err := t.f.NewSheet(listsSheet); err != nil {
		return err
	}
	var err error
	style := func(s *excelize.Style) (id int) {
		if err == nil {
			id, err = t.f.NewStyle(s)
		}
		return id
	}
	grey := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E6E6E6"}}
	t.fillable = style(&excelize.Style{Protection: &excelize.Protection{Locked: false}})
	t.fixed = style(&excelize.Style{Fill: grey, NumFmt: 49})
	t.head = style(&excelize.Style{Fill: grey, Font: &excelize.Font{Bold: true}})
	t.label = style(&excelize.Style{Fill: grey, Font: &excelize.Font{Bold: true}, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	return err
}

// list puts values in the hidden sheet and gives the reference to them.
func (t *returnTemplate) list(values []string) (string, error) {
	t.lists++
	column, err := excelize.ColumnNumberToName(t.lists)
	if err != nil {
		return "", err
	}
	if err := t.f.SetSheetCol(listsSheet, column+"1", &values); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s!$%s$1:$%s$%d", listsSheet, column, column, max(1, len(values))), nil
}

// choose lets cells hold values of a list only.
func (t *returnTemplate) choose(cells, list, what string) error {
	v := excelize.NewDataValidation(true)
	v.SetSqref(cells)
	v.SetSqrefDropList(list)
	v.SetError(excelize.DataValidationErrorStyleStop, "Valeur inattendue", "Choisir "+what+" dans la liste.")
	return t.f.AddDataValidation(t.sheet, v)
}

// withheld are the words a partner writes in place of a figure.
var withheld = []string{"s", "ns", "nd", "so"}

// wide writes one row for each zone and one column for each figure, under its label and its code.
func (t *returnTemplate) wide(zones []geo.Zone, columns []ingest.TemplateColumn) error {
	if err := t.start(); err != nil {
		return err
	}
	header := max(4, t.card.Layout.HeaderRow)
	if t.card.Layout.HeaderRow > 0 {
		header = t.card.Layout.HeaderRow
	}
	name := "Nom"
	for slices.ContainsFunc(columns, func(c ingest.TemplateColumn) bool { return c.Header == name }) || slices.Contains(t.card.Key, name) {
		name += " de la zone"
	}
	set := func(column, row int, v any, style int) error {
		cell, err := excelize.CoordinatesToCellName(column, row)
		if err != nil {
			return err
		}
		return errors.Join(t.f.SetCellValue(t.sheet, cell, v), t.f.SetCellStyle(t.sheet, cell, cell, style))
	}
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	if header > 3 {
		do(set(1, 1, fmt.Sprintf("%s – %d", cmp.Or(t.card.Title, t.card.ID), t.millesime), t.head))
	}
	do(set(1, header, t.card.Key[0], t.head))
	do(set(2, header, name, t.head))
	for k, c := range columns {
		if header > 1 {
			label := c.Label
			if c.Optional {
				label += " (facultatif)"
			}
			do(set(3+k, header-1, label, t.label))
		}
		do(set(3+k, header, c.Header, t.head))
	}
	for i, z := range zones {
		do(set(1, header+1+i, z.Code, t.fixed))
		do(set(2, header+1+i, z.Name, t.fixed))
	}
	if len(columns) > 0 && len(zones) > 0 {
		from, err := excelize.CoordinatesToCellName(3, header+1)
		do(err)
		to, err := excelize.CoordinatesToCellName(2+len(columns), header+len(zones))
		do(err)
		do(t.f.SetCellStyle(t.sheet, from, to, t.fillable))
		words, err := t.list(withheld)
		do(err)
		v := excelize.NewDataValidation(true)
		v.SetSqref(from + ":" + to)
		v.Type, v.Formula1 = "custom", fmt.Sprintf("OR(ISNUMBER(%s),COUNTIF(%s,%s)>0)", from, words, from)
		v.SetError(excelize.DataValidationErrorStyleStop, "Valeur inattendue",
			"Écrire un nombre ; ou s (secret), ns (non significatif), nd (non disponible), so (sans objet). Un zéro est un vrai zéro.")
		do(t.f.AddDataValidation(t.sheet, v))
	}
	do(t.f.SetColWidth(t.sheet, "A", "A", 16))
	do(t.f.SetColWidth(t.sheet, "B", "B", 40))
	if last, err := excelize.ColumnNumberToName(2 + max(1, len(columns))); err == nil {
		do(t.f.SetColWidth(t.sheet, "C", last, 18))
	}
	do(t.f.SetPanes(t.sheet, &excelize.Panes{Freeze: true, XSplit: 2, YSplit: header, TopLeftCell: fmt.Sprintf("C%d", header+1), ActivePane: "bottomRight"}))
	do(t.f.ProtectSheet(t.sheet, &excelize.SheetProtectionOptions{SelectLockedCells: true, SelectUnlockedCells: true, FormatColumns: true, FormatRows: true}))
	return errors.Join(errs...)
}

// long writes the rows of the last deposit again, for another year and without its figures: a register keeps its
// indicators from year to year. Rows may be added.
func (t *returnTemplate) long(p *project) error {
	var last *deposit
	for _, d := range p.deposits {
		if d.Convention == t.c.ID && d.Card == t.card.ID && d.next == nil && exists(d.path) && (last == nil || d.Millesime > last.Millesime) {
			last = d
		}
	}
	l, r := t.card.Long, cmp.Or(t.card.Register, &ingest.Register{})
	level := t.card.LevelColumn
	header := []string{l.Variable, r.Theme, r.Objective, r.Label, r.Partner, r.Unit, level, t.card.Key[0], l.Sexe, l.Millesime, r.Target, r.TargetYear, l.Value, l.Statut, l.Reference, l.Note}
	header = slices.DeleteFunc(header, func(s string) bool { return s == "" })
	var rows [][]string
	if last != nil {
		in, _, err := ingest.OpenRows(last.path, t.card.Layout)
		if err != nil {
			return refused{err}
		}
		defer in.Close()
		at := map[string]int{}
		seen := map[string]bool{}
		for in.Next() {
			cells := in.Cells()
			if len(at) == 0 {
				if slices.Contains(cells, t.card.Key[0]) && slices.Contains(cells, l.Variable) {
					for i, h := range cells {
						at[strings.TrimSpace(h)] = i
					}
				}
				continue
			}
			row := make([]string, len(header))
			for k, h := range header {
				i, ok := at[h]
				switch h {
				case l.Millesime:
					row[k] = strconv.Itoa(t.millesime)
				case l.Value, l.Statut, l.Reference, l.Note: // of the other year
				default:
					if ok && i < len(cells) {
						row[k] = strings.TrimSpace(cells[i])
					}
				}
			}
			if id := strings.Join(row, "\x00"); !seen[id] && row[0] != "" {
				seen[id] = true
				rows = append(rows, row)
			}
		}
		if err := in.Err(); err != nil {
			return refused{err}
		}
	}
	if err := t.start(); err != nil {
		return err
	}
	const spare = 100 // empty rows for what is new
	top := max(1, t.card.Layout.HeaderRow)
	end := top + len(rows) + spare
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	for k, h := range header {
		cell, err := excelize.CoordinatesToCellName(k+1, top)
		do(err)
		do(t.f.SetCellValue(t.sheet, cell, h))
		do(t.f.SetCellStyle(t.sheet, cell, cell, t.head))
		first, err := excelize.CoordinatesToCellName(k+1, top+1)
		do(err)
		to, err := excelize.CoordinatesToCellName(k+1, end)
		do(err)
		do(t.f.SetCellStyle(t.sheet, first, to, t.fillable))
		var choices []string
		what := ""
		switch h {
		case l.Statut:
			what = "un statut"
			for _, s := range []indicators.Statut{indicators.Disponible, indicators.Secret, indicators.NonSignificatif, indicators.NonDisponible, indicators.SansObjet} {
				choices = append(choices, s.String())
			}
			if t.card.Register != nil {
				choices = append(choices, "néant")
			}
			for code := range l.Statuts {
				choices = append(choices, code)
			}
			slices.Sort(choices[5:])
		case l.Sexe:
			choices, what = []string{"T", "F", "H"}, "T (ensemble), F (femmes) ou H (hommes)"
		case l.Millesime:
			choices, what = []string{strconv.Itoa(t.millesime)}, "l'année"
		case level:
			what = "un niveau"
			for word := range t.card.Levels {
				choices = append(choices, word)
			}
			slices.Sort(choices)
		}
		if len(choices) > 0 && h != "" {
			list, err := t.list(choices)
			do(err)
			do(t.choose(first+":"+to, list, what))
		}
		for i, row := range rows {
			cell, err := excelize.CoordinatesToCellName(k+1, top+1+i)
			do(err)
			var v any = row[k]
			if n, err := strconv.Atoi(row[k]); err == nil && (h == l.Millesime || h == r.TargetYear) {
				v = n
			}
			if row[k] != "" {
				do(t.f.SetCellValue(t.sheet, cell, v))
			}
		}
	}
	if last, err := excelize.ColumnNumberToName(len(header)); err == nil {
		do(t.f.SetColWidth(t.sheet, "A", last, 18))
	}
	return errors.Join(errs...)
}

// finish writes the sheet that says what to do, and shows it first.
func (t *returnTemplate) finish() error {
	const readme = "Lisez-moi"
	i, err := t.f.NewSheet(readme)
	if err != nil {
		return err
	}
	lines := []string{
		cmp.Or(t.card.Title, t.card.ID) + fmt.Sprintf(" – %d", t.millesime),
		"",
		"Partenaire : " + t.c.Partner,
		"Finalité : " + t.c.Purpose,
		"Destinataires : " + strings.Join(t.c.Recipients, ", "),
		fmt.Sprintf("Convention : %s, jusqu'au %s ; effectifs masqués au-dessous de %d", t.c.ID, t.c.End, t.c.Threshold),
		"",
		fmt.Sprintf("Remplir la feuille « %s » : les cases blanches seulement. Ne pas changer les en-têtes, ni l'ordre des feuilles.", t.sheet),
		"Un zéro est un vrai zéro. Un chiffre absent ne se laisse pas à zéro : case vide ou nd (non disponible), s (secret), ns (non significatif), so (sans objet).",
		"Pas de donnée nominative : ni nom, ni adresse, ni numéro de personne ou de logement.",
		"Rendre le fichier sous ce nom : " + t.name,
	}
	if t.card.Note != "" {
		lines = append(lines, "", t.card.Note)
	}
	for k, line := range lines {
		if err := t.f.SetCellValue(readme, fmt.Sprintf("A%d", k+1), line); err != nil {
			return err
		}
	}
	wrap, err := t.f.NewStyle(&excelize.Style{Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	if err != nil {
		return err
	}
	t.f.SetActiveSheet(i)
	return errors.Join(t.f.SetCellStyle(readme, "A1", fmt.Sprintf("A%d", len(lines)), wrap), t.f.SetCellStyle(readme, "A1", "A1", t.head),
		t.f.SetColWidth(readme, "A", "A", 100), t.f.SetSheetVisible(listsSheet, false),
		t.f.SetDocProps(&excelize.DocProperties{Title: lines[0], Creator: "Observatoire", Language: "fr-FR"}))
}
