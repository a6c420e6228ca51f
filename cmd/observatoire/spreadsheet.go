package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/xuri/excelize/v2"

	"observatoire/ingest"
)

func (a *app) spreadsheetCmd() *cobra.Command {
	c := &cobra.Command{
		Use:     "spreadsheet",
		Aliases: []string{"classeur"},
		Short:   "The project's indicators, comparisons, corrections and cards as one workbook, edited and read back",
		RunE: func(*cobra.Command, []string) error {
			return usage{errors.New("spreadsheet: export -o F.xlsx, or import F.xlsx")}
		},
	}
	var out string
	export := &cobra.Command{
		Use:     "export -o F.xlsx",
		Aliases: []string{"exporter"},
		Short:   "Write the workbook: a sheet for each kind of setting, with lists",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if !strings.EqualFold(filepath.Ext(out), ".xlsx") {
				return usage{errors.New("-o F.xlsx: say which workbook to write")}
			}
			s, err := a.readSettings()
			if err != nil {
				return err
			}
			if err := writeFile(out, s.write); err != nil {
				return err
			}
			a.say("%s", out)
			return nil
		},
	}
	export.Flags().StringVarP(&out, "output", "o", "", "XLSX file to write")
	var dry bool
	load := &cobra.Command{
		Use:     "import F.xlsx",
		Aliases: []string{"importer"},
		Short:   "Take the workbook's changes into the files of the project: only what changed, comments kept",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage{errors.New("spreadsheet import: name one workbook")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.readSettings()
			if err != nil {
				return err
			}
			if err := s.read(args[0]); err != nil {
				return refused{err}
			}
			changed := 0
			for _, f := range s.files {
				if bytes.Equal(f.was, f.is) {
					continue
				}
				changed++
				if !dry {
					if err := writeFile(f.path, func(w io.Writer) error { _, err := w.Write(f.is); return err }); err != nil {
						return err
					}
				}
				a.say("%s: changed", f.path)
			}
			if changed == 0 {
				a.say("nothing changed")
			}
			return nil
		},
	}
	load.Flags().BoolVar(&dry, "dry-run", false, "say which files would change, and change none")
	c.AddCommand(export, load)
	return c
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage{fmt.Errorf("%s: %q: nothing more is expected", cmd.Name(), args[0])}
	}
	return nil
}

// A settingKind is how a setting is written in a cell.
type settingKind int

const (
	textSetting   settingKind = iota
	listSetting               // values separated by " | "
	numberSetting             // may be empty
	yamlSetting               // a year rule: a year, edition, edition-1, {2019: 2013}…
	columnSetting             // the columns of a variable, for one sex
	flagSetting               // oui or empty
)

// A settingColumn is a column of a sheet: a setting, under its French name.
type settingColumn struct {
	title   string
	key     string
	kind    settingKind
	choices []string
	width   float64
}

const listMark = " | "

var indicatorColumns = []settingColumn{
	{"identifiant", "id", textSetting, nil, 30}, {"libellé", "label", textSetting, nil, 60}, {"thème", "theme", textSetting, nil, 16},
	{"unité", "unit", textSetting, nil, 12}, {"sens", "direction", textSetting, []string{"hausse_favorable", "hausse_defavorable", "neutre"}, 20},
	{"règle", "rule", textSetting, []string{"somme", "ratio", "mediane", "quantile", "aucune"}, 12},
	{"sexes", "sexes", listSetting, nil, 12}, {"décimales", "decimals", numberSetting, nil, 10}, {"variable", "value", textSetting, nil, 30},
	{"numérateur", "numerator", listSetting, nil, 30}, {"dénominateur", "denominator", listSetting, nil, 30}, {"échelle", "scale", numberSetting, nil, 10},
	{"déciles", "deciles", listSetting, nil, 20}, {"pondération", "weight", textSetting, nil, 20},
	{"distribution de", "of", textSetting, nil, 24}, {"quantile", "quantile", numberSetting, nil, 10}, {"divisé par le quantile", "over", numberSetting, nil, 12},
	{"sous cette part de la médiane nationale", "under", numberSetting, nil, 14}, {"seuils par millésime", "thresholds", yamlSetting, nil, 20},
	{"base du sondage", "base", yamlSetting, nil, 24}, {"peut sortir de 0–100", "unbounded", flagSetting, []string{"oui"}, 12}, {"note", "note", textSetting, nil, 60},
}

var cardColumns = []settingColumn{
	{"fiche", "id", textSetting, nil, 24}, {"titre", "title", textSetting, nil, 50}, {"producteur", "producer", textSetting, nil, 30},
	{"licence", "licence", textSetting, nil, 24}, {"page", "page", textSetting, nil, 40}, {"légende", "caption", textSetting, nil, 50},
	{"niveau", "level", textSetting, nil, 16}, {"fichiers", "files", listSetting, nil, 40}, {"clé", "key", listSetting, nil, 16},
	{"protection", "protection", yamlSetting, nil, 14}, {"publication", "release", textSetting, nil, 16}, {"note", "note", textSetting, nil, 60},
}

var variableColumns = []settingColumn{
	{"fiche", "", textSetting, nil, 24}, {"identifiant", "id", textSetting, nil, 30}, {"libellé", "label", textSetting, nil, 40},
	{"colonnes (ensemble)", "T", columnSetting, nil, 30}, {"colonnes (femmes)", "F", columnSetting, nil, 30}, {"colonnes (hommes)", "H", columnSetting, nil, 30},
	{"millésime", "millesime", yamlSetting, nil, 20}, {"facultatif", "optional", flagSetting, []string{"oui"}, 12},
}

var comparisonColumns = []settingColumn{
	{"niveau", "", textSetting, nil, 20}, {"quartier", "", textSetting, nil, 24}, {"comparé à", "", textSetting, nil, 24},
}

func correctionSettings() []settingColumn {
	var out []settingColumn
	for _, name := range correctionColumns {
		out = append(out, settingColumn{title: name, width: 20})
	}
	return out
}

// Sheets of the workbook.
const (
	sheetIndicateurs  = "Indicateurs"
	sheetComparaisons = "Comparaisons"
	sheetCorrections  = "Corrections"
	sheetFiches       = "Fiches"
	sheetVariables    = "Variables"
)

// A settingFile is a file of the project, as it was and as the workbook changes it.
type settingFile struct {
	path    string
	was, is []byte
}

// A settings is what the workbook shows of a project.
type settings struct {
	p     *project
	files []*settingFile

	indicators, project, corrections *settingFile
	cards                            []*settingFile // that hold a card of a table, by path

	sheets map[string][][]string // rows without their header
	ids    map[string][]settingColumn
}

var settingSheets = []string{sheetIndicateurs, sheetComparaisons, sheetCorrections, sheetFiches, sheetVariables}

// readSettings reads the files of the project that the workbook shows.
func (a *app) readSettings() (*settings, error) {
	p, err := loadProject(a.dir)
	if err != nil {
		return nil, err
	}
	s := &settings{p: p, sheets: map[string][][]string{}}
	s.ids = map[string][]settingColumn{sheetIndicateurs: indicatorColumns, sheetComparaisons: comparisonColumns, sheetCorrections: correctionSettings(),
		sheetFiches: cardColumns, sheetVariables: variableColumns}
	open := func(path string) (*settingFile, error) {
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		f := &settingFile{path, b, b}
		s.files = append(s.files, f)
		return f, nil
	}
	if s.indicators, err = open(filepath.Join(p.dir, indicatorsFile)); err != nil {
		return nil, err
	}
	if s.project, err = open(filepath.Join(p.dir, projectFile)); err != nil {
		return nil, err
	}
	if exists(filepath.Join(p.dir, "corrections.xlsx")) {
		a.say("corrections.xlsx is a workbook already: it is not in this one")
	} else if s.corrections, err = open(filepath.Join(p.dir, "corrections.csv")); err != nil {
		return nil, err
	}
	var paths []string
	err = filepath.WalkDir(filepath.Join(p.dir, "cards"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".yaml" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, path := range paths {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		s.cards = append(s.cards, f)
	}
	return s, s.show()
}

// show fills the sheets from the files as they are changed so far.
func (s *settings) show() error {
	entries, err := yamlList(s.indicators)
	if err != nil {
		return err
	}
	s.sheets = map[string][][]string{}
	for _, e := range entries {
		s.sheets[sheetIndicateurs] = append(s.sheets[sheetIndicateurs], cellsOf(e, indicatorColumns))
	}
	root, err := yamlValue(s.project)
	if err != nil {
		return err
	}
	levels, _ := lookup(root, "comparisons").(yaml.MapSlice)
	for _, level := range levels {
		zones, _ := level.Value.(yaml.MapSlice)
		for _, zone := range zones {
			for _, code := range texts(zone.Value) {
				s.sheets[sheetComparaisons] = append(s.sheets[sheetComparaisons], []string{fmt.Sprint(level.Key), fmt.Sprint(zone.Key), code})
			}
		}
	}
	if s.corrections != nil && s.corrections.is != nil {
		rows, err := correctionRows(s.corrections.path)
		if err != nil {
			return err
		}
		s.sheets[sheetCorrections] = rows
	}
	for _, f := range s.cards {
		card, err := yamlValue(f)
		if err != nil {
			return err
		}
		m, _ := card.(yaml.MapSlice)
		cells := cellsOf(m, cardColumns)
		s.sheets[sheetFiches] = append(s.sheets[sheetFiches], cells)
		list, _ := lookup(m, "variables").([]any)
		for _, v := range list {
			v, _ := v.(yaml.MapSlice)
			row := cellsOf(v, variableColumns)
			row[0] = cells[0]
			s.sheets[sheetVariables] = append(s.sheets[sheetVariables], row)
		}
	}
	return nil
}

// correctionRows are the cells of the corrections, in the order of their columns.
func correctionRows(path string) ([][]string, error) {
	if !exists(path) {
		return nil, nil
	}
	in, _, err := ingest.OpenRows(path, ingest.Layout{})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var out [][]string
	var at []int
	for in.Next() {
		cells := in.Cells()
		if at == nil {
			for _, name := range correctionColumns {
				at = append(at, slices.IndexFunc(cells, func(s string) bool { return strings.TrimSpace(s) == name }))
			}
			continue
		}
		row := make([]string, len(at))
		for k, i := range at {
			row[k] = trimmed(cells, i)
		}
		if strings.Join(row, "") != "" {
			out = append(out, row)
		}
	}
	return out, in.Err()
}

func yamlValue(f *settingFile) (any, error) {
	y, err := ingest.ParseYAML(f.path, f.is)
	if err != nil {
		return nil, err
	}
	return y.Value()
}

func yamlList(f *settingFile) ([]yaml.MapSlice, error) {
	v, err := yamlValue(f)
	if err != nil {
		return nil, err
	}
	list, _ := v.([]any)
	var out []yaml.MapSlice
	for _, x := range list {
		m, _ := x.(yaml.MapSlice)
		out = append(out, m)
	}
	return out, nil
}

func lookup(in any, key string) any {
	m, _ := in.(yaml.MapSlice)
	for _, kv := range m {
		if fmt.Sprint(kv.Key) == key {
			return kv.Value
		}
	}
	return nil
}

// texts are the texts of a list, or a text alone.
func texts(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	return []string{fmt.Sprint(v)}
}

// cellsOf writes the settings of an entry in cells.
func cellsOf(m yaml.MapSlice, columns []settingColumn) []string {
	out := make([]string, len(columns))
	for k, c := range columns {
		v := lookup(m, c.key)
		switch c.kind {
		case columnSetting:
			by, sexed := lookup(m, "columns").(yaml.MapSlice)
			if sexed {
				v = lookup(by, c.key)
			} else if v = nil; c.key == "T" {
				v = lookup(m, "columns")
			}
			out[k] = strings.Join(texts(v), listMark)
		case listSetting:
			out[k] = strings.Join(texts(v), listMark)
		case flagSetting:
			if v == true {
				out[k] = "oui"
			}
		case yamlSetting:
			out[k] = ingest.Flow(v)
		case numberSetting:
			if v != nil {
				out[k] = fmt.Sprint(v)
			}
		default:
			if v != nil {
				out[k] = strings.TrimRight(fmt.Sprint(v), "\n")
			}
		}
	}
	return out
}

// write writes the workbook.
func (s *settings) write(w io.Writer) error {
	f := excelize.NewFile()
	defer f.Close() //nolint:errcheck // only removes temporary files
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E6E6E6"}}})
	if err != nil {
		return err
	}
	text, err := f.NewStyle(&excelize.Style{NumFmt: 49, Alignment: &excelize.Alignment{Vertical: "top"}}) // text: 013 stays 013
	if err != nil {
		return err
	}
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	readme := [][]string{{"Réglages de l'observatoire : " + s.p.Title}, {""},
		{"Modifier, ajouter ou retirer des lignes, enregistrer, puis : observatoire spreadsheet import FICHIER.xlsx"},
		{"Seul ce qui change est écrit dans les fichiers du projet ; les commentaires y restent."},
		{"Plusieurs valeurs dans une case se séparent par une barre : A" + listMark + "B"},
		{"Indicateurs : ceux du projet (indicators.yaml) ; ils remplacent ceux du catalogue de même identifiant."},
		{"Comparaisons : une ligne par territoire de comparaison d'un quartier."},
		{"Corrections : la case à corriger, la bonne valeur (ou retirer), le motif, l'auteur, le dernier jour."},
		{"Fiches, Variables : les fiches du dossier cards. Une fiche nouvelle s'écrit dans ce dossier."}}
	do(f.SetSheetName("Sheet1", "Lisez-moi"))
	for i, row := range readme {
		do(f.SetSheetRow("Lisez-moi", fmt.Sprintf("A%d", i+1), &row))
	}
	do(f.SetColWidth("Lisez-moi", "A", "A", 110))
	for _, name := range settingSheets {
		if name == sheetCorrections && s.corrections == nil {
			continue
		}
		_, err := f.NewSheet(name)
		do(err)
		columns, rows := s.ids[name], s.sheets[name]
		last := max(200, len(rows)+100)
		for k, c := range columns {
			letter, err := excelize.ColumnNumberToName(k + 1)
			do(err)
			do(f.SetColStyle(name, letter, text))
			do(f.SetColWidth(name, letter, letter, c.width))
			do(f.SetCellValue(name, letter+"1", c.title))
			do(f.SetCellStyle(name, letter+"1", letter+"1", bold))
			if c.choices != nil {
				v := excelize.NewDataValidation(true)
				v.SetSqref(fmt.Sprintf("%s2:%s%d", letter, letter, last))
				do(v.SetDropList(c.choices))
				v.SetError(excelize.DataValidationErrorStyleStop, "Valeur inattendue", "Choisir dans la liste : "+strings.Join(c.choices, ", "))
				do(f.AddDataValidation(name, v))
			}
			for i, row := range rows {
				if row[k] != "" {
					do(f.SetCellStr(name, fmt.Sprintf("%s%d", letter, i+2), row[k]))
				}
			}
		}
		do(f.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	}
	do(f.SetDocProps(&excelize.DocProperties{Title: s.p.Title, Creator: "Observatoire", Language: "fr-FR"}))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return f.Write(w)
}

// A settingRow is a row of the workbook, its cells in the order of the sheet's columns.
type settingRow struct {
	sheet string
	at    []string // the cells' names, such as D7
	cells []string
}

func (r settingRow) wrong(column int, format string, args ...any) error {
	return fmt.Errorf("%s!%s: %w", r.sheet, r.at[column], fmt.Errorf(format, args...))
}

// read takes the changes of a workbook; whatever is wrong, every file stays as it is. Every bad cell is reported.
func (s *settings) read(path string) error {
	f, err := excelize.OpenFile(path, excelize.Options{RawCellValue: true})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file: name the workbook that `observatoire spreadsheet export` wrote", path)
	}
	if err != nil {
		return fmt.Errorf("%s: not a workbook that can be read: save it as XLSX, without a password", path)
	}
	defer f.Close() //nolint:errcheck // only removes temporary files
	var bad []error
	rows := map[string][]settingRow{}
	for _, name := range settingSheets {
		if name == sheetCorrections && s.corrections == nil {
			continue
		}
		list, errs := readSheet(f, name, s.ids[name])
		if bad = append(bad, errs...); errs == nil {
			rows[name] = list
		}
	}
	if err := errors.Join(bad...); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	bad = append(bad, s.takeIndicators(rows[sheetIndicateurs]), s.takeComparisons(rows[sheetComparaisons]), s.takeCards(rows[sheetFiches], rows[sheetVariables]))
	if s.corrections != nil {
		bad = append(bad, s.takeCorrections(rows[sheetCorrections]))
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	return s.verify(rows)
}

// verify makes sure that the files say what the workbook says, whatever the layout they had.
func (s *settings) verify(rows map[string][]settingRow) error {
	if err := s.show(); err != nil {
		return err
	}
	same := strings.NewReplacer(" ", "", "\n", "", "\t", "", ",", ".", "\u00a0", "")
	var bad []error
	for _, name := range []string{sheetIndicateurs, sheetComparaisons, sheetFiches, sheetVariables} {
		held := map[string]int{}
		for _, cells := range s.sheets[name] {
			held[same.Replace(strings.Join(cells, "\x00"))]++
		}
		for _, r := range rows[name] {
			key := same.Replace(strings.Join(r.cells, "\x00"))
			if held[key]--; held[key] < 0 {
				bad = append(bad, fmt.Errorf("%s!%s: this row cannot be written into the project's file as it is laid out: change the file itself", r.sheet, r.at[0]))
			}
		}
	}
	return errors.Join(bad...)
}

// readSheet reads the rows of a sheet by the names of its columns.
func readSheet(f *excelize.File, name string, columns []settingColumn) (out []settingRow, bad []error) {
	raw, err := f.GetRows(name)
	if err != nil {
		return nil, []error{fmt.Errorf("no sheet %s: export the workbook again", name)}
	}
	at := make([]int, len(columns))
	for k, c := range columns {
		at[k] = -1
		if len(raw) > 0 {
			at[k] = slices.IndexFunc(raw[0], func(s string) bool { return strings.TrimSpace(s) == c.title })
		}
		if at[k] < 0 {
			bad = append(bad, fmt.Errorf("%s!1: no column %q: put its name back, or export the workbook again", name, c.title))
		}
	}
	if bad != nil {
		return nil, bad
	}
	for i, cells := range raw[1:] {
		r := settingRow{sheet: name}
		for k := range columns {
			cell, err := excelize.CoordinatesToCellName(at[k]+1, i+2)
			if err != nil {
				return nil, []error{err}
			}
			text := ""
			if at[k] < len(cells) {
				text = strings.TrimSpace(strings.ReplaceAll(cells[at[k]], "\r\n", "\n"))
			}
			r.at, r.cells = append(r.at, cell), append(r.cells, text)
		}
		if strings.Join(r.cells, "") != "" {
			out = append(out, r)
		}
	}
	return out, nil
}

// parse reads a cell as its column asks.
func (r settingRow) parse(k int, c settingColumn) (any, error) {
	s := r.cells[k]
	if s == "" {
		return nil, nil
	}
	if c.choices != nil && !slices.Contains(c.choices, s) {
		return nil, r.wrong(k, "%s: %q: one of %s", c.title, s, strings.Join(c.choices, ", "))
	}
	switch c.kind {
	case listSetting, columnSetting:
		var list []string
		for part := range strings.SplitSeq(s, "|") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, nil
	case numberSetting:
		v, err := ingest.ParseNumber(s)
		if err != nil {
			return nil, r.wrong(k, "%s: %q is not a number", c.title, s)
		}
		return v, nil
	case flagSetting:
		return true, nil
	case yamlSetting:
		var v any
		if err := yaml.UnmarshalWithOptions([]byte(s), &v, yaml.UseOrderedMap()); err != nil {
			return nil, r.wrong(k, "%s: %q cannot be understood: write it as in a card, such as 2019, edition-1, or {2021: 2018}", c.title, s)
		}
		if c.key == "millesime" {
			var rule ingest.YearRule
			if err := yaml.Unmarshal([]byte(s), &rule); err != nil {
				return nil, r.wrong(k, "%s: %q is no rule for a year: a year, edition, edition-1, column, inconnu, or {edition: year}", c.title, s)
			}
		}
		return v, nil
	}
	return s, nil
}

// edit sets, in a file, the settings of an entry that changed. The columns of a variable make one setting.
func (r settingRow) edit(y *ingest.YAMLFile, was []string, columns []settingColumn, path ...any) error {
	var bad []error
	columnsChanged := false
	for k, c := range columns {
		if c.key == "" || r.cells[k] == was[k] {
			continue
		}
		if c.kind == columnSetting {
			columnsChanged = true
			continue
		}
		v, err := r.parse(k, c)
		if err == nil && c.kind == textSetting && v != nil && strings.Contains(r.cells[k], "\n") {
			v = strings.Join(strings.Fields(r.cells[k]), " ") // on one line
		}
		if err == nil {
			err = y.Set(v, append(slices.Clone(path), c.key)...)
		}
		bad = append(bad, err)
	}
	if columnsChanged {
		bad = append(bad, y.Set(r.columnValue(columns), append(slices.Clone(path), "columns")...))
	}
	return errors.Join(bad...)
}

// columnValue is what a card says of a variable's columns: a name, a list, or one of these by sex.
func (r settingRow) columnValue(columns []settingColumn) any {
	one := func(v any) any {
		if list := v.([]string); len(list) == 1 {
			return list[0]
		}
		return v
	}
	var by yaml.MapSlice
	for k, c := range columns {
		if v, _ := r.parse(k, c); c.kind == columnSetting && v != nil {
			by = append(by, yaml.MapItem{Key: c.key, Value: one(v)})
		}
	}
	if len(by) == 1 && by[0].Key == "T" {
		return by[0].Value
	}
	return by
}

// entry is a new entry, with the settings that the row gives.
func (r settingRow) entry(columns []settingColumn) (yaml.MapSlice, error) {
	var m yaml.MapSlice
	var bad []error
	done := false
	for k, c := range columns {
		v, err := r.parse(k, c)
		bad = append(bad, err)
		switch {
		case c.key == "" || v == nil || err != nil:
		case c.kind == columnSetting:
			if !done {
				m, done = append(m, yaml.MapItem{Key: "columns", Value: r.columnValue(columns)}), true
			}
		default:
			m = append(m, yaml.MapItem{Key: c.key, Value: v})
		}
	}
	return m, errors.Join(bad...)
}

// byID finds rows by the cell that identifies them, which is there once.
func byID(rows []settingRow, column int, what string) (map[string]settingRow, error) {
	out := map[string]settingRow{}
	var bad []error
	for _, r := range rows {
		id := r.cells[column]
		if other, twice := out[id]; id == "" {
			bad = append(bad, r.wrong(column, "empty: %s", what))
		} else if twice {
			bad = append(bad, r.wrong(column, "%s is in %s already: keep one of the two rows", id, other.at[column]))
		}
		out[id] = r
	}
	return out, errors.Join(bad...)
}

// takeIndicators takes the changes of the indicators.
func (s *settings) takeIndicators(rows []settingRow) error {
	ids, err := byID(rows, 0, "name the indicator")
	if err != nil {
		return err
	}
	y, err := ingest.ParseYAML(s.indicators.path, s.indicators.is)
	if err != nil {
		return err
	}
	was := s.sheets[sheetIndicateurs]
	held := map[string]bool{}
	var bad []error
	for i, cells := range slices.Backward(was) {
		held[cells[0]] = true
		if r, kept := ids[cells[0]]; kept {
			bad = append(bad, r.edit(y, cells, indicatorColumns, i))
		} else {
			bad = append(bad, y.Set(nil, i))
		}
	}
	n := 0
	for _, cells := range was {
		if _, kept := ids[cells[0]]; kept {
			n++
		}
	}
	for _, r := range rows {
		if held[r.cells[0]] {
			continue
		}
		m, err := r.entry(indicatorColumns)
		if err == nil {
			err = y.Set(m, n)
		}
		bad = append(bad, err)
		n++
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	if bytes.Equal(y.Bytes(), s.indicators.was) {
		return nil
	}
	if _, err := ingest.LoadDefinitions(sheetIndicateurs, y.Bytes()); err != nil {
		return cellErrors(err, sheetIndicateurs+": ", rows, 0)
	}
	s.indicators.is = y.Bytes()
	return nil
}

// cellErrors puts before each error that speaks of an entry the cell that names it.
func cellErrors(err error, lead string, rows []settingRow, column int) error {
	var out []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		rest := strings.TrimPrefix(line, lead)
		for _, r := range rows {
			if strings.HasPrefix(rest, r.cells[column]+":") {
				rest = r.sheet + "!" + r.at[column] + ": " + rest
				break
			}
		}
		out = append(out, errors.New(rest))
	}
	return errors.Join(out...)
}

// takeComparisons takes the changes of the comparison territories.
func (s *settings) takeComparisons(rows []settingRow) error {
	y, err := ingest.ParseYAML(s.project.path, s.project.is)
	if err != nil {
		return err
	}
	type quarter struct{ level, zone string }
	group := func(cells [][]string) (order []quarter, of map[quarter][]string) {
		of = map[quarter][]string{}
		for _, c := range cells {
			q := quarter{c[0], c[1]}
			if of[q] == nil {
				order = append(order, q)
			}
			of[q] = append(of[q], c[2])
		}
		return order, of
	}
	levels := map[string]bool{}
	for _, l := range s.p.Layers {
		levels[l.Level] = true
	}
	var bad []error
	var cells [][]string
	seen := map[string]string{}
	for _, r := range rows {
		key := strings.Join(r.cells, "\x00")
		for k, c := range comparisonColumns {
			if r.cells[k] == "" {
				bad = append(bad, r.wrong(k, "%s: empty: fill it in, or remove the row", c.title))
			}
		}
		if !levels[r.cells[0]] && r.cells[0] != "" {
			bad = append(bad, r.wrong(0, "niveau: no layer of level %q in %s", r.cells[0], projectFile))
		}
		if r.cells[1] == r.cells[2] && r.cells[1] != "" {
			bad = append(bad, r.wrong(2, "comparé à: %s is the quarter itself", r.cells[2]))
		}
		if other := seen[key]; other != "" {
			bad = append(bad, r.wrong(2, "comparé à: the same comparison is in %s already", other))
		}
		seen[key] = r.at[2]
		cells = append(cells, r.cells)
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	before, was := group(s.sheets[sheetComparaisons])
	after, is := group(cells)
	left := map[string]int{}
	for _, q := range after {
		left[q.level]++
	}
	for _, q := range before {
		switch {
		case is[q] == nil && len(after) == 0:
			bad = append(bad, y.Set(nil, "comparisons"))
		case is[q] == nil && left[q.level] == 0:
			bad = append(bad, y.Set(nil, "comparisons", q.level))
		case is[q] == nil && was[q] != nil:
			continue // below, once what replaces it is there
		}
	}
	for _, q := range after {
		if !slices.Equal(was[q], is[q]) {
			bad = append(bad, y.Set(is[q], "comparisons", q.level, q.zone))
		}
	}
	for _, q := range before {
		if is[q] == nil && left[q.level] > 0 {
			bad = append(bad, y.Set(nil, "comparisons", q.level, q.zone))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	s.project.is = y.Bytes()
	return nil
}

// takeCards takes the changes of the cards in the folder cards, and of their variables.
func (s *settings) takeCards(cards, variables []settingRow) error {
	ids, err := byID(cards, 0, "name the card")
	if err != nil {
		return err
	}
	files := map[string]*settingFile{}
	for i, cells := range s.sheets[sheetFiches] {
		files[cells[0]] = s.cards[i]
	}
	var bad []error
	for _, r := range cards {
		if files[r.cells[0]] == nil {
			bad = append(bad, r.wrong(0, "no card %q in the folder cards: write it there first (inspect --write-card)", r.cells[0]))
		}
	}
	rowsOf := map[string][]settingRow{}
	for _, r := range variables {
		if files[r.cells[0]] == nil {
			bad = append(bad, r.wrong(0, "no card %q in the folder cards", r.cells[0]))
		}
		rowsOf[r.cells[0]] = append(rowsOf[r.cells[0]], r)
	}
	wasOf := map[string][][]string{}
	for _, cells := range s.sheets[sheetVariables] {
		wasOf[cells[0]] = append(wasOf[cells[0]], cells)
	}
	for i, cells := range s.sheets[sheetFiches] {
		id, f := cells[0], s.cards[i]
		r, kept := ids[id]
		if !kept {
			bad = append(bad, fmt.Errorf("%s: the card %s is not there any more: put its row back, or delete %s", sheetFiches, id, f.path))
			continue
		}
		y, err := ingest.ParseYAML(f.path, f.is)
		if err != nil {
			return err
		}
		bad = append(bad, r.edit(y, cells, cardColumns))
		// A variable given twice is two years of it: rows are matched by their number among those of the id.
		type nth struct {
			id string
			n  int
		}
		count := map[string]int{}
		found := map[nth]settingRow{}
		var order []nth
		for _, v := range rowsOf[id] {
			if v.cells[1] == "" {
				bad = append(bad, v.wrong(1, "empty: name the variable"))
			}
			at := nth{v.cells[1], count[v.cells[1]]}
			count[v.cells[1]]++
			found[at] = v
			order = append(order, at)
		}
		was := map[nth]bool{}
		var keys []nth
		clear(count)
		for _, c := range wasOf[id] {
			at := nth{c[1], count[c[1]]}
			count[c[1]]++
			keys = append(keys, at)
			was[at] = true
		}
		n := len(keys)
		for k, at := range slices.Backward(keys) {
			if v, kept := found[at]; kept {
				bad = append(bad, v.edit(y, wasOf[id][k], variableColumns, "variables", k))
			} else {
				bad = append(bad, y.Set(nil, "variables", k))
				n--
			}
		}
		for _, at := range order {
			if was[at] {
				continue
			}
			m, err := found[at].entry(variableColumns)
			if err == nil {
				err = y.Set(m, "variables", n)
			}
			bad = append(bad, err)
			n++
		}
		if errors.Join(bad...) == nil && !bytes.Equal(y.Bytes(), f.was) {
			if _, err := ingest.LoadCard(sheetFiches+"!"+r.at[0], y.Bytes()); err != nil {
				bad = append(bad, err)
			}
		}
		f.is = y.Bytes()
	}
	return errors.Join(bad...)
}

// takeCorrections takes the changes of the corrections: the file is written anew where they changed.
func (s *settings) takeCorrections(rows []settingRow) error {
	var bad []error
	var cells [][]string
	for _, r := range rows {
		_, errs := readCorrection(func(h string) string { return r.cells[slices.Index(correctionColumns, h)] })
		for k, name := range correctionColumns {
			if errs[name] != nil {
				bad = append(bad, r.wrong(k, "%s: %w", name, errs[name]))
			}
		}
		cells = append(cells, r.cells)
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	if slices.EqualFunc(cells, s.sheets[sheetCorrections], slices.Equal[[]string]) {
		return nil
	}
	var buf bytes.Buffer
	buf.WriteString("\uFEFF")
	w := csv.NewWriter(&buf)
	w.Comma, w.UseCRLF = ';', true
	w.Write(correctionColumns) //nolint:errcheck // kept for Error
	for _, row := range cells {
		if i := slices.Index(correctionColumns, "jusqu_au"); row[i] != "" {
			if _, err := strconv.Atoi(row[i]); err == nil { // the day number of a workbook
				c, _ := readCorrection(func(h string) string { return row[slices.Index(correctionColumns, h)] })
				row[i] = c.until
			}
		}
		w.Write(row) //nolint:errcheck // as above
	}
	w.Flush()
	s.corrections.is = buf.Bytes()
	return w.Error()
}
