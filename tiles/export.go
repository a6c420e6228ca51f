package tiles

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"observatoire/geo"
	"observatoire/indicators"
)

// The sheets of a workbook, in order. "Lisez-moi" is always the first.
const (
	SheetReadme  = "Lisez-moi"
	SheetTableau = "Tableau de bord"
	SheetSeries  = "Séries"
	SheetEcarts  = "Écarts"

	SheetEvolutions    = "Évolutions"
	SheetRangs         = "Rangs"
	SheetSexes         = "Femmes-hommes"
	SheetConcentration = "Concentration"
	SheetOverlaps      = "Recouvrements"
	SheetCalibration   = "Calibration"
	SheetSources       = "Sources"
	SheetAlertes       = "Alertes"
)

// WorkbookOptions choose what goes in a workbook. The zero value is the whole edition.
type WorkbookOptions struct {
	Sheets []string           // which ones; nil is all
	Values []indicators.Value // nil: the edition's shown values
	Ecarts []indicators.Ecart // nil: the edition's

	Evolutions     []indicators.Evolution // as Ecarts
	Rangs          []indicators.Rang
	EcartsSexe     []indicators.EcartSexe
	Concentrations []indicators.Concentration
	Overlaps       []indicators.OverlapSet // nil: the edition's

	Calibrations []indicators.Calibration
}

// maxSheetRows is what a worksheet holds.
const maxSheetRows = 1048576

// WriteWorkbook writes an edition as an XLSX workbook for readers: French headers, real numbers shown with the
// indicator's decimals, an empty cell with its statut beside it where a figure is withheld.
func WriteWorkbook(w io.Writer, e *indicators.Edition, o WorkbookOptions) error {
	if o.Values == nil {
		o.Values = indicators.Shown(e.Values)
	}
	if o.Evolutions == nil {
		o.Evolutions = e.Evolutions
	}
	if o.Rangs == nil {
		o.Rangs = e.Rangs
	}
	if o.EcartsSexe == nil {
		o.EcartsSexe = e.EcartsSexe
	}
	if o.Concentrations == nil {
		o.Concentrations = e.Concentrations
	}
	if o.Ecarts == nil {
		o.Ecarts = e.Ecarts
	}
	if o.Overlaps == nil {
		o.Overlaps = e.Overlaps
	}
	if o.Calibrations == nil {
		o.Calibrations = e.Calibrations
	}
	f := excelize.NewFile()
	defer f.Close() //nolint:errcheck // only removes temporary files
	b := &book{f: f, e: e, names: indicators.NewNames(e), defs: map[string]*indicators.Definition{}, formats: map[string]int{}}
	for i := range e.Indicators {
		b.defs[e.Indicators[i].ID] = &e.Indicators[i]
	}
	if err := f.SetDocProps(&excelize.DocProperties{Title: e.Title, Language: "fr-FR", Creator: "Observatoire", Identifier: e.ID}); err != nil {
		return err
	}
	sheets := []struct {
		name  string
		write func(*sheet, WorkbookOptions) error
	}{
		{SheetReadme, b.readme}, {SheetTableau, b.tableau}, {SheetSeries, b.series}, {SheetEcarts, b.ecarts},
		{SheetEvolutions, func(s *sheet, o WorkbookOptions) error {
			return rowsSheet(b, s, evolutionHeads, indicators.EvolutionsHeader, o.Evolutions)
		}},
		{SheetRangs, func(s *sheet, o WorkbookOptions) error {
			return rowsSheet(b, s, rangHeads, indicators.RangsHeader, o.Rangs)
		}},
		{SheetSexes, func(s *sheet, o WorkbookOptions) error {
			return rowsSheet(b, s, sexeHeads, indicators.FemmesHommesHeader, o.EcartsSexe)
		}},
		{SheetConcentration, func(s *sheet, o WorkbookOptions) error {
			return rowsSheet(b, s, concentrationHeads, indicators.ConcentrationHeader, o.Concentrations)
		}},
		{SheetOverlaps, b.overlaps}, {SheetCalibration, b.calibration},
		{SheetSources, b.sources}, {SheetAlertes, b.alertes},
	}
	for _, x := range sheets {
		if x.name != SheetReadme && o.Sheets != nil && !slices.Contains(o.Sheets, x.name) {
			continue
		}
		if err := b.sheet(x.name, o, x.write); err != nil {
			return fmt.Errorf("workbook: sheet %s: %w", x.name, err)
		}
	}
	if err := f.DeleteSheet("Sheet1"); err != nil {
		return err
	}
	return writeSorted(w, f)
}

// writeSorted writes the workbook's parts in the order of their names: excelize leaves that of the streamed
// sheets to chance, and the same edition gives the same bytes.
func writeSorted(w io.Writer, f *excelize.File) error {
	var buf bytes.Buffer
	if err := f.Write(&buf); err != nil {
		return err
	}
	in, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		return err
	}
	slices.SortFunc(in.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	out := zip.NewWriter(w)
	for _, part := range in.File {
		if err := out.Copy(part); err != nil { // as it is, without compressing again
			return err
		}
	}
	return out.Close()
}

// A book is a workbook being written.
type book struct {
	f       *excelize.File
	e       *indicators.Edition
	names   indicators.Names
	defs    map[string]*indicators.Definition
	formats map[string]int // number format → style
}

// A sheet is written row after row.
type sheet struct {
	*book
	sw    *excelize.StreamWriter
	name  string
	rows  int
	width int // columns of the header

	reading int   // the column that says "favorable" or "défavorable"; 0: none
	read    []int // those it reads
}

func (b *book) sheet(name string, o WorkbookOptions, write func(*sheet, WorkbookOptions) error) error {
	if _, err := b.f.NewSheet(name); err != nil {
		return err
	}
	fit := true
	if err := b.f.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil { // before the rows, as the file has it
		return err
	}
	sw, err := b.f.NewStreamWriter(name)
	if err != nil {
		return err
	}
	if err := b.printing(name); err != nil {
		return err
	}
	s := &sheet{book: b, sw: sw, name: name}
	if err := write(s, o); err != nil {
		return err
	}
	if s.width > 0 {
		last, err := excelize.CoordinatesToCellName(s.width, max(s.rows, 2), true)
		if err != nil {
			return err
		}
		if err := b.f.AutoFilter(name, "$A$1:"+last, nil); err != nil {
			return err
		}
		quoted := "'" + name + "'!"
		for _, n := range []excelize.DefinedName{
			{Name: definedName(name), RefersTo: quoted + "$A$1:" + last},
			{Name: "_xlnm.Print_Titles", Scope: name, RefersTo: quoted + "$1:$1"},
		} {
			if err := b.f.SetDefinedName(&n); err != nil {
				return err
			}
		}
		if err := s.colours(); err != nil {
			return err
		}
	}
	return sw.Flush()
}

// printing sets a sheet up for A4: landscape, as wide as the page, its name and page number at the foot.
func (b *book) printing(name string) error {
	orientation, paper, width, height := "landscape", 9, 1, 0
	if name == SheetReadme {
		orientation = "portrait"
	}
	if err := b.f.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &orientation, Size: &paper, FitToWidth: &width, FitToHeight: &height}); err != nil {
		return err
	}
	margin := 0.4 // inches
	if err := b.f.SetPageMargins(name, &excelize.PageLayoutMarginsOptions{Left: &margin, Right: &margin}); err != nil {
		return err
	}
	return b.f.SetHeaderFooter(name, &excelize.HeaderFooterOptions{OddFooter: "&L" + name + " – édition " + b.e.ID + "&R&P / &N"})
}

// definedName is the name of a sheet's table, for formulas of other workbooks: tableau_de_bord, ecarts, femmes_hommes.
func definedName(sheet string) string {
	return strings.NewReplacer(" ", "_", "-", "_", "é", "e", "É", "e").Replace(strings.ToLower(sheet))
}

// colours paints the readings of a table: what is favourable to the quarter, what is not. The words are there too.
func (s *sheet) colours() error {
	if s.reading == 0 || s.rows < 2 {
		return nil
	}
	column, err := excelize.ColumnNumberToName(s.reading)
	if err != nil {
		return err
	}
	var rules []excelize.ConditionalFormatOptions
	for _, x := range []struct{ word, fill, ink string }{{readingGood, "E2F0D9", "375623"}, {readingBad, "FBE5D6", "843C0C"}} {
		style, err := s.f.NewConditionalStyle(&excelize.Style{Font: &excelize.Font{Color: x.ink}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{x.fill}}})
		if err != nil {
			return err
		}
		rules = append(rules, excelize.ConditionalFormatOptions{Type: "formula", Criteria: "$" + column + "2=\"" + x.word + "\"", Format: &style})
	}
	for _, c := range append([]int{s.reading}, s.read...) {
		name, err := excelize.ColumnNumberToName(c)
		if err != nil {
			return err
		}
		if err := s.f.SetConditionalFormat(s.name, fmt.Sprintf("%s2:%s%d", name, name, s.rows), rules); err != nil {
			return err
		}
	}
	return nil
}

// How a gap or an evolution reads for the quarter, by the direction of the indicator.
const (
	readingGood = "favorable"
	readingBad  = "défavorable"
)

// reading is that of a gap; empty when the direction is neutral, or when the uncertainty of the figure covers the gap.
func reading(d *indicators.Definition, x *indicators.Ecart, own, ref *indicators.Value) string {
	if d == nil || x.Statut != indicators.Disponible || !x.Ecart.OK || x.Ecart.V == 0 || own.Fiabilite < indicators.Fragile || ref.Fiabilite < indicators.Fragile || !beyond(own, ref.V) {
		return ""
	}
	switch {
	case d.Direction == "neutre" || d.Direction == "":
		return ""
	case (d.Direction == "hausse_favorable") == (x.Ecart.V > 0):
		return readingGood
	}
	return readingBad
}

// tableau is the dashboard: each quarter's figure of each indicator, beside its references, with its rank and how it moved.
func (b *book) tableau(s *sheet, _ WorkbookOptions) error {
	facts := quarterFacts(b.e)
	var levels []string
	for _, x := range b.e.Ecarts {
		if level := x.Reference.Level(); isQuarter(x.Couche.Level()) && !isQuarter(level) && x.ReferenceInclut && !slices.Contains(levels, level) {
			levels = append(levels, level)
		}
	}
	slices.SortStableFunc(levels, func(a, b string) int {
		return cmp.Or(referenceRank(geo.Layer(a))-referenceRank(geo.Layer(b)), strings.Compare(a, b))
	})
	heads := []head{{"Quartier", 26}, {"Code", 18}, {"Couche", 14}, {"Thème", 20}, {"Indicateur", 78}, {"Sexe", 8}, {"Millésime", 22}, {"Valeur", 12}, {"Unité", 11},
		{"Nature", 11}, {"Fiabilité", 12}}
	for _, level := range levels {
		title := capital(referenceFR(geo.Layer(level+"-0"), nil))
		heads = append(heads, head{title, 13}, head{"Écart : " + strings.ToLower(title), 12})
	}
	first, nearest := len(heads)+1, "Lecture de l'écart"
	if len(levels) > 0 {
		nearest += " : " + referenceFR(geo.Layer(levels[0]+"-0"), nil)
	}
	heads = append(heads, head{nearest, 13}, head{"Rang", 7}, head{"Quartiers classés", 9}, head{"Depuis", 9}, head{"Évolution", 12}, head{"Unité de l'évolution", 11}, head{"Verdict", 14}, head{"Lecture de l'évolution", 13})
	if err := s.header(heads...); err != nil {
		return err
	}
	s.reading = first
	if len(levels) > 0 { // the nearest reference is the one that is read
		s.read = []int{first - 2*len(levels) + 1}
	}
	shown := indicators.NewShown(b.e)
	for _, set := range b.e.Layers {
		if !isQuarter(set.Layer.Level()) {
			continue
		}
		for _, zone := range set.Zones {
			f := facts[quarterID{set.Layer, zone.Code}]
			if f == nil {
				continue
			}
			for i := range b.e.Indicators {
				d := &b.e.Indicators[i]
				for _, sexe := range []string{"T", "F", "H"} {
					v := f.shownYear(d.ID, sexe)
					if v == nil {
						continue
					}
					format := s.decimals(d.ID)
					value, err := s.number(v.Valeur(), format)
					if err != nil {
						return err
					}
					cells := []any{cmp.Or(zone.Name, zone.Code), zone.Code, string(set.Layer), d.Theme, d.Label, sexe, millesime(v.Millesime), value, d.Unit, v.Nature.String(), v.Fiabilite.String()}
					said := ""
					for k, level := range levels {
						var best *indicators.Ecart
						for _, x := range f.ecarts[v.Key] {
							if x.ReferenceInclut && x.Reference.Level() == level && x.ValeurReference.OK && (best == nil || best.Statut != indicators.Disponible && x.Statut == indicators.Disponible) {
								best = x
							}
						}
						if best == nil {
							cells = append(cells, nil, nil)
							continue
						}
						ref, err := s.number(best.ValeurReference, format)
						if err != nil {
							return err
						}
						gap, err := s.number(best.Ecart, signed(format, best.Unite))
						if err != nil {
							return err
						}
						cells = append(cells, ref, gap)
						if k == 0 {
							own, other := shown.Of(*best)
							said = reading(d, best, &own, &other)
						}
					}
					cells = append(cells, said)
					if r := f.rangs[v.Key]; r != nil && r.Statut == indicators.Disponible && r.Rang > 0 {
						cells = append(cells, r.Rang, r.Sur)
					} else {
						cells = append(cells, nil, nil)
					}
					if x := f.move(d.ID, sexe, false); x != nil && x.Millesime == v.Millesime {
						moved, err := s.number(x.Evolution, signed(format, x.Unite))
						if err != nil {
							return err
						}
						cells = append(cells, x.Depuis, moved, x.Unite, x.Verdict, x.Lecture)
					}
					if err := s.row(cells...); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// signed is a number format that writes the sign; a relative gap between two whole numbers is not one itself.
func signed(format, unit string) string {
	if !strings.Contains(format, ".") && unit != "" {
		format = "#,##0.0"
	}
	return "+" + format + ";-" + format + ";0"
}

// A head is a column's French header and its width in characters.
type head struct {
	title string
	width float64
}

// header writes the first row, which stays in view and filters.
func (s *sheet) header(heads ...head) error {
	style, err := s.f.NewStyle(&excelize.Style{
		Font:      &excelize.Font{Bold: true, Color: "FFFFFF"},
		Fill:      excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"16324F"}},
		Alignment: &excelize.Alignment{WrapText: true, Vertical: "center"},
	})
	if err != nil {
		return err
	}
	cells := make([]any, len(heads))
	for i, h := range heads {
		if err := s.sw.SetColWidth(i+1, i+1, h.width); err != nil {
			return err
		}
		cells[i] = excelize.Cell{StyleID: style, Value: h.title}
	}
	if err := s.sw.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	s.width = len(heads)
	if len(heads) > 14 { // A3, to be read once printed
		paper := 8
		if err := s.f.SetPageLayout(s.name, &excelize.PageLayoutOptions{Size: &paper}); err != nil {
			return err
		}
	}
	s.rows++
	return s.sw.SetRow("A1", cells, excelize.RowOpts{Height: 46})
}

// row writes a row: strings are made harmless, an absent number is an empty cell.
func (s *sheet) row(cells ...any) error {
	if s.rows++; s.rows > maxSheetRows {
		return fmt.Errorf("more than %d rows: narrow the selection, or export CSV", maxSheetRows-1)
	}
	for i, c := range cells {
		if t, ok := c.(string); ok && (t == "" || risky(t)) { // others stay as they are boxed
			cells[i] = harmless(t)
		}
	}
	return s.sw.SetRow("A"+strconv.Itoa(s.rows), cells)
}

// risky tells whether a spreadsheet may take a text for a formula.
func risky(t string) bool {
	switch t[0] {
	case '=', '+', '-', '@', '\t', '\r':
		return true
	}
	return false
}

// harmless is a text that no spreadsheet takes for a formula, even once saved as CSV; nothing for none.
func harmless(t string) any {
	if t == "" {
		return nil
	}
	if risky(t) {
		return "'" + t
	}
	return t
}

// number is a cell with v shown under a number format, which each spreadsheet writes in its own language;
// empty when absent.
func (s *sheet) number(v indicators.Opt, format string) (any, error) {
	if !v.OK {
		return nil, nil
	}
	id, ok := s.formats[format]
	if !ok {
		var err error
		if id, err = s.f.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
			return nil, err
		}
		s.formats[format] = id
	}
	return excelize.Cell{StyleID: id, Value: rounded(v.V)}, nil
}

// decimals is the number format of an indicator.
func (s *sheet) decimals(id string) string {
	n := 0
	if d := s.defs[id]; d != nil {
		n = d.Decimals
	}
	if n <= 0 {
		return "#,##0"
	}
	return "#,##0." + strings.Repeat("0", min(n, 10))
}

// numbers makes several cells under one format.
func (s *sheet) numbers(format string, vs ...indicators.Opt) ([]any, error) {
	cells := make([]any, len(vs))
	for i, v := range vs {
		var err error
		if cells[i], err = s.number(v, format); err != nil {
			return nil, err
		}
	}
	return cells, nil
}

func millesime(y int) any {
	if y <= 0 {
		return indicators.LabelMillesime(y)
	}
	return y
}

func (b *book) series(s *sheet, o WorkbookOptions) error {
	if err := s.header(head{"Indicateur", 26}, head{"Libellé", 44}, head{"Couche", 16}, head{"Code", 13}, head{"Nom", 28}, head{"Millésime", 11},
		head{"Sexe", 8}, head{"Valeur", 13}, head{"Unité", 13}, head{"Statut", 18}, head{"Nature", 13}, head{"Méthode", 30},
		head{"Couverture", 12}, head{"Minimum selon les méthodes", 14}, head{"Maximum selon les méthodes", 14},
		head{"IC 95 % bas", 12}, head{"IC 95 % haut", 12}, head{"Fiabilité", 13}, head{"Source", 48}, head{"Note", 48}); err != nil {
		return err
	}
	for _, v := range o.Values {
		label := ""
		if d := b.defs[v.Indicateur]; d != nil {
			label = d.Label
		}
		n, err := s.numbers(s.decimals(v.Indicateur), v.Valeur(), v.Min, v.Max, v.IC95Bas, v.IC95Haut)
		if err != nil {
			return err
		}
		coverage, err := s.number(v.Couverture, "0.0%")
		if err != nil {
			return err
		}
		if err := s.row(v.Indicateur, label, string(v.Couche), v.Code, b.names.Zone(v.Couche, v.Code), millesime(v.Millesime),
			v.Sexe, n[0], b.names.Unit(v.Indicateur), statutFR(v.Statut), v.Nature.String(), methodeFR(v.Methode),
			coverage, n[1], n[2], n[3], n[4], v.Fiabilite.String(), v.Source, v.Note); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) ecarts(s *sheet, o WorkbookOptions) error {
	if err := s.header(head{"Indicateur", 26}, head{"Couche", 16}, head{"Code", 13}, head{"Nom", 28}, head{"Millésime", 11}, head{"Sexe", 8},
		head{"Valeur", 13}, head{"Couche de référence", 22}, head{"Code de référence", 14}, head{"Nom de la référence", 30},
		head{"Valeur de la référence", 13}, head{"Écart", 12}, head{"Unité de l'écart", 12}, head{"Rapport", 10},
		head{"La référence inclut la zone", 14}, head{"Statut", 18}, head{"Motif de l'absence d'écart", 60},
		head{"Méthode", 20}, head{"Fiabilité", 12}, head{"Méthode de la référence", 20}, head{"Fiabilité de la référence", 14}, head{"Lecture", 13}); err != nil {
		return err
	}
	s.reading, s.read = 22, []int{12}
	shown := indicators.NewShown(b.e)
	for _, x := range o.Ecarts {
		own, ref := shown.Of(x)
		format := s.decimals(x.Indicateur)
		n, err := s.numbers(format, x.Valeur, x.ValeurReference)
		if err != nil {
			return err
		}
		if !strings.Contains(format, ".") && x.Unite == "%" {
			format = "#,##0.0" // a relative gap between two whole numbers is not one itself
		}
		gap, err := s.number(x.Ecart, "+"+format+";-"+format+";0")
		if err != nil {
			return err
		}
		ratio, err := s.number(x.Rapport, "0.00")
		if err != nil {
			return err
		}
		includes := "non"
		if x.ReferenceInclut {
			includes = "oui"
		}
		if err := s.row(x.Indicateur, string(x.Couche), x.Code, b.names.Zone(x.Couche, x.Code), millesime(x.Millesime), x.Sexe,
			n[0], string(x.Reference), x.ReferenceCode, b.names.Zone(x.Reference, x.ReferenceCode), n[1], gap, x.Unite, ratio,
			includes, statutFR(x.Statut), x.Motif, methodeFR(own.Methode), own.Fiabilite.String(), methodeFR(ref.Methode),
			ref.Fiabilite.String(), reading(b.defs[x.Indicateur], &x, &own, &ref)); err != nil {
			return err
		}
	}
	return nil
}

// The heads of the comparisons, in the order of their cells.
var (
	evolutionHeads = []head{{"Indicateur", 26}, {"Couche", 16}, {"Code", 13}, {"Nom", 28}, {"Sexe", 8}, {"Depuis", 9}, {"Millésime", 11},
		{"Couche de référence", 22}, {"Code de référence", 14}, {"Nom de la référence", 30}, {"Territoire de comparaison", 14},
		{"Valeur ou écart avant", 13}, {"Valeur ou écart après", 13}, {"Évolution", 12}, {"Unité", 12}, {"Seuil", 10}, {"Verdict", 16},
		{"Lecture", 14}, {"Statut", 18}, {"Motif", 60}, {"Garde", 22}}
	rangHeads = []head{{"Indicateur", 26}, {"Couche", 16}, {"Code", 13}, {"Nom", 28}, {"Millésime", 11}, {"Sexe", 8}, {"Valeur", 13},
		{"Rang", 8}, {"Ex æquo", 8}, {"Quartiers classés", 10}, {"Statut", 18}, {"Motif", 60}, {"Garde", 22}}
	sexeHeads = []head{{"Indicateur", 26}, {"Couche", 16}, {"Code", 13}, {"Nom", 28}, {"Millésime", 11}, {"Femmes", 13}, {"Hommes", 13},
		{"Écart", 12}, {"Unité", 12}, {"Rapport", 10}, {"Statut", 18}, {"Motif", 60}}
	concentrationHeads = []head{{"Indicateur", 26}, {"Couche", 16}, {"Millésime", 11}, {"Sexe", 8}, {"Couche du territoire", 22},
		{"Code du territoire", 14}, {"Nom du territoire", 30}, {"Quartiers", 10}, {"Part de l'effectif", 12}, {"Part de la population", 12},
		{"Millésime de la population", 12}, {"Indice", 10}, {"Statut", 18}, {"Motif", 60}}
)

// rowsSheet writes comparisons of one kind. The names are those of the machine's columns, which say what a cell is.
func rowsSheet[T indicators.Rower](b *book, s *sheet, heads []head, names []string, list []T) error {
	if err := s.header(heads...); err != nil {
		return err
	}
	if k := slices.Index(names, "lecture"); k >= 0 {
		s.reading, s.read = k+1, []int{slices.Index(names, "evolution") + 1}
	}
	for _, x := range list {
		cells := x.Row(b.names)
		format := s.decimals(cells[0].(string))
		for i, c := range cells {
			switch c := c.(type) {
			case indicators.Opt:
				f := format
				switch names[i] {
				case "rapport", "indice":
					f = "0.00"
				case "part_quartiers", "part_population":
					f = "0.0 %"
				case "rang", "ex_aequo", "millesime_population":
					f = "0"
				case "evolution", "ecart", "seuil":
					if !strings.Contains(f, ".") {
						f = "#,##0.0"
					}
				}
				n, err := s.number(c, f)
				if err != nil {
					return err
				}
				cells[i] = n
			case string:
				if names[i] == "statut" {
					st, err := indicators.ParseStatut(c)
					if err != nil {
						return err
					}
					cells[i] = statutFR(st)
				}
			case int:
				if names[i] == "millesime" {
					cells[i] = millesime(c)
				}
			}
		}
		if err := s.row(cells...); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) overlaps(s *sheet, o WorkbookOptions) error {
	if err := s.header(head{"Couche de départ", 16}, head{"Code", 13}, head{"Nom", 28}, head{"Couche d'arrivée", 16}, head{"Code", 13}, head{"Nom", 28},
		head{"Aire commune (m²)", 16}, head{"Part de la zone de départ", 13}, head{"Part de la zone d'arrivée", 13},
		head{"Marge de la part (limites à 10 m)", 14}, head{"Note", 16}); err != nil {
		return err
	}
	for _, set := range o.Overlaps {
		from, to := b.e.Layer(set.From), b.e.Layer(set.To)
		if from == nil || to == nil {
			return fmt.Errorf("overlaps %s to %s: the edition has no such layer", set.From, set.To)
		}
		for _, p := range set.Pairs {
			area, err := s.number(indicators.Some(p.Area), "#,##0")
			if err != nil {
				return err
			}
			shares, err := s.numbers("0.0%", indicators.Some(p.ShareFrom), indicators.Some(p.ShareTo), indicators.Some(p.Margin))
			if err != nil {
				return err
			}
			a, z := &from.Zones[p.From], &to.Zones[p.To]
			if err := s.row(string(set.From), a.Code, a.Name, string(set.To), z.Code, z.Name,
				area, shares[0], shares[1], shares[2], p.Note); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *book) sources(s *sheet, _ WorkbookOptions) error {
	if err := s.header(head{"Source", 40}, head{"Titre", 50}, head{"Producteur", 22}, head{"Licence", 22}, head{"Page", 40}, head{"Fichier", 36},
		head{"Année du fichier", 11}, head{"Niveau", 12}, head{"Géographie", 12}, head{"Lignes lues", 11}, head{"Lignes retenues", 11},
		head{"Mention", 60}, head{"sha256", 66}); err != nil {
		return err
	}
	for _, x := range b.e.Sources {
		if err := s.row(x.ID, x.Title, x.Producer, x.Licence, x.Page, x.File, present(x.Edition), x.Level, present(x.Vintage),
			x.Rows, x.Kept, x.Caption, x.SHA256); err != nil {
			return err
		}
	}
	return nil
}

// present is a year, or an empty cell.
func present(y int) any {
	if y == 0 {
		return nil
	}
	return y
}

func (b *book) alertes(s *sheet, _ WorkbookOptions) error {
	if err := s.header(head{"Identifiant", 34}, head{"Genre", 16}, head{"Gravité", 14}, head{"Objet", 34}, head{"Message", 100}); err != nil {
		return err
	}
	for _, x := range b.e.Alertes {
		if err := s.row(x.ID, x.Kind, x.Gravite, x.Objet, x.Message); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) readme(s *sheet, o WorkbookOptions) error {
	bold, err := s.f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true, Color: "16324F"}, Alignment: &excelize.Alignment{Vertical: "top"}})
	if err != nil {
		return err
	}
	wrap, err := s.f.NewStyle(&excelize.Style{Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	if err != nil {
		return err
	}
	for i, w := range []float64{30, 110} {
		if err := s.sw.SetColWidth(i+1, i+1, w); err != nil {
			return err
		}
	}
	line := func(name, value string) error {
		return s.row(excelize.Cell{StyleID: bold, Value: harmless(name)}, excelize.Cell{StyleID: wrap, Value: harmless(value)})
	}
	lines := [][2]string{
		{b.e.Title, ""},
		{"Édition", b.e.ID},
		{"Contenu", fmt.Sprintf("%d couches, %d indicateurs ; les valeurs affichées sont celles de la méthode retenue, sauf choix contraire.", len(b.e.Layers), len(b.e.Indicators))},
		{"Mention à reproduire", Mention(b.e)},
	}
	if b.e.Schematic {
		lines = append(lines, [2]string{"Avertissement", schematicWarning})
	}
	lines = append(lines, [2]string{}, [2]string{"Feuilles", ""})
	for _, x := range [][2]string{
		{SheetTableau, "chaque quartier et chaque indicateur : le chiffre le plus récent qui se retient, ses références, son rang, sa dernière évolution ; les couleurs suivent le sens de l'indicateur, et ne sont données qu'au-delà de l'incertitude"},
		{SheetSeries, "une ligne par indicateur, zone, millésime et sexe (T : ensemble, F : femmes, H : hommes)"},
		{SheetEcarts, "écart de chaque zone à ses références : en points pour les taux, en % pour les montants ; le rapport est la valeur de la zone divisée par celle de la référence"},
		{SheetEvolutions, "évolution de chaque valeur, et de chaque écart à une référence, entre deux millésimes ; le verdict n'est donné qu'au-delà du seuil, et n'est jamais une cause"},
		{SheetRangs, "rang de chaque quartier parmi ceux de sa couche : 1 est la valeur la plus élevée"},
		{SheetSexes, "femmes moins hommes : en points pour les taux, en % pour les montants ; le rapport est la valeur des femmes divisée par celle des hommes"},
		{SheetConcentration, "part d'un effectif du territoire qui est dans ses quartiers, divisée par la part de ses habitants qui y est : au-dessus de 1, l'effectif s'y concentre"},
		{SheetOverlaps, "part commune à deux zones ; la marge dit de combien la part varie si les limites bougent de 10 m ; « liseré » : recouvrement trop mince pour compter"},
		{SheetCalibration, "écart de chaque méthode d'estimation au producteur, là où les deux donnent une valeur ; sans millésime : tous ensemble"},
		{SheetSources, "les fichiers lus, leur producteur, leur licence et leur empreinte"},
		{SheetAlertes, "ce qu'une personne doit vérifier avant de publier"},
	} {
		if o.Sheets == nil || slices.Contains(o.Sheets, x[0]) {
			lines = append(lines, x)
		}
	}
	lines = append(lines, [2]string{}, [2]string{"Colonnes", ""},
		[2]string{"Millésime", "année des chiffres, et non de leur publication ; « inconnu » quand le producteur ne la donne pas"},
		[2]string{"Couche", "division du territoire et année de ses limites : un même code dans deux millésimes de contours peut désigner deux lieux"},
		[2]string{"Couverture", "part de la zone que les sources décrivent"},
		[2]string{"Minimum et maximum", "valeurs extrêmes selon les méthodes applicables : ce n'est pas un intervalle de confiance"},
		[2]string{"IC 95 %", "intervalle de confiance à 95 %, quand l'erreur de sondage est connue"},
		[2]string{"Fiabilité", "bonne, moyenne, fragile ou insuffisante"},
		[2]string{}, [2]string{"Statuts", "une cellule vide n'est jamais un zéro"})
	for _, st := range []struct {
		indicators.Statut
		text string
	}{
		{indicators.Disponible, "le chiffre est donné"},
		{indicators.Secret, "retenu par le producteur, au titre du secret statistique"},
		{indicators.NonSignificatif, "trop peu de répondants"},
		{indicators.NonDisponible, "aucune source ne couvre la zone"},
		{indicators.SansObjet, "la question ne se pose pas pour cette zone"},
	} {
		lines = append(lines, [2]string{statutFR(st.Statut), st.text})
	}
	lines = append(lines, [2]string{}, [2]string{"Méthodes", ""})
	for _, m := range methodes {
		lines = append(lines, [2]string{m.short, m.long})
	}
	for _, l := range lines {
		if err := line(l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

const schematicWarning = "Contours schématiques : ils sont dessinés pour la démonstration et ne sont pas des périmètres officiels."

// Mention is what whoever takes figures of an edition up has to repeat, in French.
func Mention(e *indicators.Edition) string {
	return "Source : " + strings.Join(captions(e.Sources), " ; ") + " – calculs de l'observatoire, édition " + e.ID + "."
}

// captions are the distinct captions of sources, or their producers where they have none.
func captions(sources []indicators.Source) []string {
	var list []string
	for _, x := range sources {
		c := x.Caption
		if c == "" {
			c = x.Producer
		}
		c = strings.TrimSuffix(strings.TrimPrefix(c, "Source : "), ".")
		if c != "" && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// statutFR is a statut in readers' words.
func statutFR(s indicators.Statut) string {
	switch s {
	case indicators.Disponible:
		return "disponible"
	case indicators.Secret:
		return "secret statistique"
	case indicators.NonSignificatif:
		return "non significatif"
	case indicators.SansObjet:
		return "sans objet"
	default:
		return "non disponible"
	}
}

var methodes = []struct{ id, short, long string }{
	{indicators.MethodeProducteur, "producteur", "valeur publiée par le producteur pour la zone elle-même"},
	{indicators.MethodeAgregation, "agrégation", "somme des zones qui la composent exactement"},
	{indicators.MethodePassage, "passage", "portée d'une autre géographie par une table de passage : somme de zones fusionnées, part d'une zone scindée"},
	{indicators.MethodePopulation, "population", "parts pondérées par la population d'une couche plus fine"},
	{indicators.MethodeCalage, "calage", "parts de surface ramenées à la population connue de la zone"},
	{indicators.MethodeSurface, "surface", "parts de surface"},
	{indicators.MethodeConsolides, "IRIS consolidés", "IRIS coupés pris en entier et mis en commun"},
	{indicators.MethodeMoyenne, "moyenne des IRIS", "moyenne simple des IRIS coupés (usage du contrat de ville)"},
	{indicators.MethodePrincipal, "IRIS principal", "le plus grand des IRIS coupés, seul"},
	{indicators.MethodeDeciles, "médiane par déciles", "quantile d'un mélange des distributions des zones sources"},
	{indicators.MethodeMedPonderee, "médiane pondérée", "moyenne des médianes pondérée par la population, à défaut de mieux"},
}

// methodeFR is a method in readers' words, "" for none.
func methodeFR(id string) string {
	for _, m := range methodes {
		if m.id == id {
			return m.short
		}
	}
	return id
}
