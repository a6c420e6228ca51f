package tiles

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"observatoire/geo"
	"observatoire/indicators"
)

// templatePrefix begins the names of a template's cells that the observatory fills.
const templatePrefix = "obs."

// A templateCell is a named cell, and what was written there.
type templateCell struct {
	name, sheet, at string
	label, zone     string
	value           *indicators.Value // nil where the name asks for no figure
	text            string            // written instead of a number
	about           string            // which trait, or which gap, of the figure
}

// FillTemplate writes the workbook read from in with its named cells filled from the edition, whatever else it holds left as it is, behind a sheet Lisez-moi that
// says of each what it is. A name is obs., an indicator, a zone, then in any order and each optional: a year, a sex (T, F, H), and either the level of a
// reference (ecart_commune: the gap to it) or one trait of the figure (annee, statut, source, methode, fiabilite, unite, note); obs.nom and a zone is its
// name; obs.edition, obs.titre and obs.date are the edition's. Case does not count, and _ stands for what a name may not hold. Without a year the latest is
// taken. Where there is no figure the cell says why. The error lists every name that means nothing; nothing is written then. missing are the cells without a figure.
func FillTemplate(w io.Writer, in io.Reader, path string, e *indicators.Edition, day string) (missing []string, err error) {
	f, err := excelize.OpenReader(in)
	if err != nil {
		return nil, fmt.Errorf("%s: it cannot be read as a workbook (%w): save it again as .xlsx", path, err)
	}
	defer f.Close() //nolint:errcheck // only removes temporary files
	t := newFiller(e, day)
	var cells []*templateCell
	var bad []error
	for _, n := range f.GetDefinedName() {
		if !strings.HasPrefix(strings.ToLower(n.Name), templatePrefix) {
			continue
		}
		sheet, at, ok := singleCell(n.RefersTo)
		if i, err := f.GetSheetIndex(sheet); !ok || err != nil || i < 0 {
			bad = append(bad, fmt.Errorf("%s: the name %s stands for %s: name one cell of one sheet", path, n.Name, n.RefersTo))
			continue
		}
		c := &templateCell{name: n.Name, sheet: sheet, at: at}
		v, err := t.resolve(c)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: sheet %s, cell %s: the name %s: %w", path, sheet, at, n.Name, err))
			continue
		}
		if err := t.put(f, c, v); err != nil {
			return nil, fmt.Errorf("%s: sheet %s, cell %s: %w", path, sheet, at, err)
		}
		if v.missing {
			missing = append(missing, fmt.Sprintf("%s!%s (%s): %s", sheet, at, n.Name, c.text))
		}
		cells = append(cells, c)
	}
	if len(bad) == 0 && len(cells) == 0 {
		bad = append(bad, fmt.Errorf("%s: no cell is named %s…: name the cells to fill, such as obs.taux_chomage.%s", path, templatePrefix, t.anyZone()))
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	slices.SortFunc(cells, func(a, b *templateCell) int { return strings.Compare(a.name, b.name) })
	if err := t.readme(f, cells); err != nil {
		return nil, err
	}
	yes := true
	if err := f.SetCalcProps(&excelize.CalcPropsOptions{FullCalcOnLoad: &yes}); err != nil { // its formulas are of the figures before
		return nil, err
	}
	return missing, writeSorted(w, f)
}

// singleCell reads "'Ma feuille'!$B$3".
func singleCell(ref string) (sheet, at string, ok bool) {
	i := strings.LastIndexByte(ref, '!')
	if i < 0 {
		return "", "", false
	}
	sheet = strings.TrimPrefix(ref[:i], "=")
	if n := len(sheet); n >= 2 && sheet[0] == '\'' && sheet[n-1] == '\'' {
		sheet = strings.ReplaceAll(sheet[1:n-1], "''", "'")
	}
	at = strings.ReplaceAll(ref[i+1:], "$", "")
	if from, to, pair := strings.Cut(at, ":"); pair && from == to {
		at = from
	}
	_, _, err := excelize.CellNameToCoordinates(at)
	return sheet, at, err == nil
}

// A filler is what the names of a workbook are looked up in.
type filler struct {
	e       *indicators.Edition
	day     string
	names   indicators.Names
	defs    map[string]*indicators.Definition // by name as a cell's name holds it
	zones   map[string][]geo.Layer            // layers that have the zone, the latest first
	codes   map[string]string                 // code as written in the edition
	formats map[string]int
}

// nameable is how an identifier stands in a cell's name.
func nameable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '.' {
			return '_'
		}
		return r
	}, strings.ToLower(s))
}

func newFiller(e *indicators.Edition, day string) *filler {
	t := &filler{e: e, day: day, names: indicators.NewNames(e), defs: map[string]*indicators.Definition{}, zones: map[string][]geo.Layer{}, codes: map[string]string{}, formats: map[string]int{}}
	for i := range e.Indicators {
		t.defs[nameable(e.Indicators[i].ID)] = &e.Indicators[i]
	}
	for _, set := range e.Layers {
		for i := range set.Zones {
			key := nameable(set.Zones[i].Code)
			t.zones[key], t.codes[key] = append(t.zones[key], set.Layer), set.Zones[i].Code
		}
	}
	for _, list := range t.zones {
		slices.SortStableFunc(list, func(a, b geo.Layer) int { return b.Vintage() - a.Vintage() })
	}
	return t
}

func (t *filler) anyZone() string {
	for _, set := range t.e.Layers {
		if len(set.Zones) > 0 && set.Layer.Level() == "qpv" {
			return nameable(set.Zones[0].Code)
		}
	}
	return "code"
}

// A templateValue is what a cell receives.
type templateValue struct {
	number  indicators.Opt
	text    string // where there is no number
	format  string
	missing bool // no figure: text says why
}

// traits are what a name may ask of a figure instead of its value.
var traits = []string{"annee", "statut", "source", "methode", "fiabilite", "unite", "note"}

func (t *filler) resolve(c *templateCell) (templateValue, error) {
	parts := strings.Split(strings.ToLower(c.name[len(templatePrefix):]), ".")
	plain := func(s string) (templateValue, error) { c.text = s; return templateValue{text: s}, nil }
	switch {
	case len(parts) == 1 && parts[0] == "edition":
		return plain(t.e.ID)
	case len(parts) == 1 && parts[0] == "titre":
		return plain(t.e.Title)
	case len(parts) == 1 && parts[0] == "date":
		if t.day == "" {
			return plain("brouillon, non publié")
		}
		return plain(t.day)
	case len(parts) < 2:
		return templateValue{}, fmt.Errorf("an indicator and a zone are expected, such as obs.taux_chomage.%s", t.anyZone())
	}
	layers := t.zones[parts[1]]
	if layers == nil {
		return templateValue{}, fmt.Errorf("no zone %s in edition %s: write the code of a zone, with _ for -", parts[1], t.e.ID)
	}
	code := t.codes[parts[1]]
	c.zone = t.names.Zone(layers[0], code)
	if parts[0] == "nom" && len(parts) == 2 {
		return plain(c.zone)
	}
	d := t.defs[parts[0]]
	if d == nil {
		return templateValue{}, fmt.Errorf("no indicator %s in edition %s: `observatoire indicators` lists them", parts[0], t.e.ID)
	}
	c.label = d.Label
	year, sexe, reference := 0, "T", ""
	for _, p := range parts[2:] {
		n, err := strconv.Atoi(p)
		switch {
		case err == nil && len(p) == 4:
			year = n
		case slices.Contains([]string{"t", "f", "h"}, p):
			sexe = strings.ToUpper(p)
		case c.about == "" && slices.Contains(traits, p):
			c.about = p
		case c.about == "" && strings.HasPrefix(p, "ecart_"):
			c.about, reference = p, strings.TrimPrefix(p, "ecart_")
		default:
			return templateValue{}, fmt.Errorf("%q is neither a year, a sex (T, F, H), a gap (ecart_commune…) nor one of %s", p, strings.Join(traits, ", "))
		}
	}
	c.value = t.figure(d.ID, layers, code, sexe, year)
	if c.value == nil {
		c.text = "pas de chiffre"
		return templateValue{text: c.text, missing: true}, nil
	}
	v := c.value
	format := "#,##0"
	if d.Decimals > 0 {
		format += "." + strings.Repeat("0", min(d.Decimals, 10))
	}
	switch {
	case reference != "":
		return t.gap(c, reference, format)
	case c.about == "annee":
		return plain(indicators.LabelMillesime(v.Millesime))
	case c.about == "statut":
		return plain(statutFR(v.Statut))
	case c.about == "source":
		return plain(v.Source)
	case c.about == "methode":
		return plain(methodeFR(v.Methode))
	case c.about == "fiabilite":
		return plain(v.Fiabilite.String())
	case c.about == "unite":
		return plain(d.Unit)
	case c.about == "note":
		return plain(v.Note)
	case v.Statut != indicators.Disponible:
		c.text = statutFR(v.Statut)
		return templateValue{text: c.text, missing: true}, nil
	}
	return templateValue{number: v.Valeur(), format: format}, nil
}

// figure is the figure shown of a zone in a year, or in the latest that has one when year is 0: a figure that is there comes before one that is withheld.
func (t *filler) figure(id string, layers []geo.Layer, code, sexe string, year int) *indicators.Value {
	var found *indicators.Value
	better := func(v *indicators.Value) bool {
		if found == nil {
			return true
		}
		if a, b := v.Statut == indicators.Disponible, found.Statut == indicators.Disponible; a != b {
			return a
		}
		if v.Millesime != found.Millesime {
			return v.Millesime > found.Millesime
		}
		return slices.Index(layers, v.Couche) < slices.Index(layers, found.Couche)
	}
	for i := range t.e.Values {
		v := &t.e.Values[i]
		if v.Retenue && v.Indicateur == id && v.Code == code && v.Sexe == sexe && (year == 0 || v.Millesime == year) && slices.Contains(layers, v.Couche) && better(v) {
			found = v
		}
	}
	return found
}

// gap is that of the figure to its reference of a level.
func (t *filler) gap(c *templateCell, level, format string) (templateValue, error) {
	known := map[string]bool{}
	for i := range t.e.Ecarts {
		g := &t.e.Ecarts[i]
		at := nameable(g.Reference.Level())
		known[at] = true
		if g.Key != c.value.Key || g.Code != c.value.Code || at != level {
			continue
		}
		if g.Ecart.OK {
			return templateValue{number: g.Ecart, format: format}, nil
		}
		c.text = "écart refusé : " + g.Motif
		if g.Motif == "" {
			c.text = statutFR(g.Statut)
		}
		return templateValue{text: c.text, missing: true}, nil
	}
	if !known[level] {
		var names []string
		for name := range known {
			names = append(names, "ecart_"+name)
		}
		slices.Sort(names)
		return templateValue{}, fmt.Errorf("the edition has no gap to a reference of level %s: one of %s", level, strings.Join(names, ", "))
	}
	c.text = "pas de chiffre"
	return templateValue{text: c.text, missing: true}, nil
}

// put writes a cell; one without a style takes the indicator's number format.
func (t *filler) put(f *excelize.File, c *templateCell, v templateValue) error {
	if !v.number.OK {
		return f.SetCellValue(c.sheet, c.at, harmless(v.text))
	}
	style, err := f.GetCellStyle(c.sheet, c.at)
	if err != nil {
		return err
	}
	if style == 0 {
		id, ok := t.formats[v.format]
		if !ok {
			if id, err = f.NewStyle(&excelize.Style{CustomNumFmt: &v.format}); err != nil {
				return err
			}
			t.formats[v.format] = id
		}
		if err := f.SetCellStyle(c.sheet, c.at, c.at, id); err != nil {
			return err
		}
	}
	return f.SetCellValue(c.sheet, c.at, rounded(v.number.V))
}

// readme puts first a sheet that says of each cell what was written there and where it comes from. A template's own Lisez-moi stays behind it.
func (t *filler) readme(f *excelize.File, cells []*templateCell) error {
	name := SheetReadme
	for n := 2; ; n++ {
		if i, err := f.GetSheetIndex(name); err == nil && i < 0 {
			break
		}
		name = fmt.Sprintf("%s (%d)", SheetReadme, n)
	}
	first := f.GetSheetList()[0]
	if _, err := f.NewSheet(name); err != nil {
		return err
	}
	if err := f.MoveSheet(name, first); err != nil {
		return err
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true, Color: "16324F"}})
	if err != nil {
		return err
	}
	rows := [][]any{
		{t.e.Title},
		{"Édition", t.e.ID},
		{"Mention à reproduire", Mention(t.e)},
	}
	if t.e.Schematic {
		rows = append(rows, []any{"Avertissement", schematicWarning})
	}
	rows = append(rows, nil, []any{"Nom", "Feuille", "Cellule", "Libellé", "Territoire", "Couche", "Millésime", "Sexe", "Demande", "Écrit à la place d'un chiffre", "Statut", "Nature", "Méthode", "Couverture", "Fiabilité", "Source", "Note"})
	head := len(rows)
	for _, c := range cells {
		row := []any{c.name, c.sheet, c.at, c.label, c.zone}
		if v := c.value; v != nil {
			coverage := any(nil)
			if v.Couverture.OK {
				coverage = rounded(v.Couverture.V)
			}
			row = append(row, string(v.Couche), millesime(v.Millesime), v.Sexe, c.about, c.text, statutFR(v.Statut), v.Nature.String(), methodeFR(v.Methode), coverage, v.Fiabilite.String(), v.Source, v.Note)
		} else {
			row = append(row, nil, nil, nil, c.about, c.text)
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		for k, cell := range row {
			if s, ok := cell.(string); ok {
				row[k] = harmless(s)
			}
		}
		if err := f.SetSheetRow(name, "A"+strconv.Itoa(i+1), &row); err != nil {
			return err
		}
	}
	for _, at := range [][2]string{{"A1", "A3"}, {"A" + strconv.Itoa(head), "Q" + strconv.Itoa(head)}} {
		if err := f.SetCellStyle(name, at[0], at[1], bold); err != nil {
			return err
		}
	}
	for i, width := range []float64{42, 20, 9, 44, 28, 16, 11, 7, 16, 30, 18, 13, 30, 12, 13, 48, 48} {
		column, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := f.SetColWidth(name, column, column, width); err != nil {
			return err
		}
	}
	return nil
}
