package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/array"

	"observatoire/indicators"
)

// A Register makes of a long table a register of indicators: each row also says what its indicator is, and the target
// it is followed against. Its members name columns; all but Label may be left out.
type Register struct {
	Label      string `yaml:"label"`
	Theme      string `yaml:"theme"`       // the volet
	Objective  string `yaml:"objective"`   // what the indicator tells the progress of
	Unit       string `yaml:"unit"`        // "nombre" where the cell is empty
	Partner    string `yaml:"partner"`     // who follows it, or gives the figures
	Target     string `yaml:"target"`      // the figure to reach
	TargetYear string `yaml:"target_year"` // the year of the target; else that of the row
}

// TargetSuffix ends the name of the series that holds the targets of an indicator.
const TargetSuffix = "_cible"

// néant is what a register says of an indicator that nobody can inform.
const none = "néant"

// A registerRow is what the rows of one indicator say of it.
type registerRow struct {
	line                                    int
	label, theme, objective, unit, partners string
	sexes                                   []string
	decimals                                int
}

// registerColumns are positions in the row, -1 when there is no such column.
type registerColumns struct{ label, theme, objective, unit, partner, target, targetYear int }

var registerKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// readRegister reads what a row says of its indicator, and adds a row for its target. A target is the same on each row
// of the indicator, the zone and the year.
func (t *Table) readRegister(cells []string, code, variable, sexe string, millesime int) bool {
	at := t.register
	ok := true
	no := func(column int, err error) {
		t.wrong(t.header[column], err)
		ok = false
	}
	if !registerKey.MatchString(variable) || strings.HasSuffix(variable, TargetSuffix) {
		no(t.long.variable, fmt.Errorf("%q: a key of letters, digits, dots and dashes, such as RE-1.1.1-a, that does not end in %s", variable, TargetSuffix))
		return false
	}
	row := &registerRow{line: t.rows.Line(), label: t.text(cells, at.label), theme: t.text(cells, at.theme),
		objective: t.text(cells, at.objective), unit: cmp.Or(t.text(cells, at.unit), "nombre"), partners: t.text(cells, at.partner)}
	if row.label == "" {
		no(at.label, errors.New("empty: say what the indicator is"))
	}
	if first := t.entries[variable]; first == nil {
		t.entries[variable] = row
	} else {
		for _, c := range []struct {
			column  int
			was, is string
		}{{at.label, first.label, row.label}, {at.theme, first.theme, row.theme}, {at.objective, first.objective, row.objective}, {at.unit, first.unit, row.unit}} {
			if c.was != c.is && c.column >= 0 {
				no(c.column, fmt.Errorf("%q, while line %d says %q of %s: one key is one indicator: give the second a key of its own, or correct the cell",
					c.is, first.line, c.was, variable))
			}
		}
		row = first
	}
	if !slices.Contains(row.sexes, sexe) {
		row.sexes = append(row.sexes, sexe)
	}
	for _, column := range []int{t.long.value, at.target} {
		if s := t.text(cells, column); strings.ContainsAny(s, ",.") {
			row.decimals = min(2, max(row.decimals, len(s)-1-strings.LastIndexAny(s, ",.")))
		}
	}
	text := t.text(cells, at.target)
	if text == "" || !ok {
		return ok
	}
	v, statut, err := t.figure(text)
	if err != nil {
		no(at.target, err)
		return false
	}
	if s := plainCode(cell(cells, at.targetYear)); s != "" {
		if millesime, err = year(s); err != nil {
			no(at.targetYear, err)
			return false
		}
	}
	key := fmt.Sprintf("%s %s%s %s %d", code, variable, TargetSuffix, sexe, millesime)
	if was, said := t.targets[key]; said {
		if was != text {
			no(at.target, fmt.Errorf("%q, while another row says %q of the same indicator, zone and year: correct one", text, was))
		}
		return ok
	}
	t.targets[key] = text
	for i, s := range [...]string{code, variable + TargetSuffix, sexe, t.text(cells, t.long.reference), ""} {
		t.builder.Field([...]int{0, 1, 2, 6, 7}[i]).(*array.StringBuilder).Append(s)
	}
	t.builder.Field(3).(*array.Int16Builder).Append(int16(millesime))
	t.put(4, v, statut)
	return true
}

// ReadRegister reads the indicators that a register defines: each with its label and unit, and the series of its
// targets where it has any. They do not combine: a figure is of the zone its row names, and of no other.
func ReadRegister(ctx context.Context, path string, c *Card) ([]indicators.Definition, error) {
	if c.Register == nil {
		return nil, fmt.Errorf("%s: the card %s describes no register: say which columns tell the indicators (register)", path, c.ID)
	}
	t, err := Open(ctx, path, c, Scope{})
	if err != nil {
		return nil, err
	}
	defer t.Release()
	var order []string
	for t.Next() {
		variables := t.Record().Column(1).(*array.String)
		for i := range variables.Len() {
			if v := strings.Clone(variables.Value(i)); !slices.Contains(order, v) {
				order = append(order, v)
			}
		}
	}
	if err := t.Err(); err != nil {
		return nil, err
	}
	var defs []indicators.Definition
	for _, key := range order {
		row := t.entries[strings.TrimSuffix(key, TargetSuffix)]
		def := indicators.Definition{ID: key, Label: row.label, Theme: cmp.Or(row.theme, "Registre"), Unit: row.unit, Direction: "neutre",
			Rule: indicators.Aucune, Sexes: row.sexes, Decimals: row.decimals, Value: key, Registre: true}
		if strings.HasSuffix(key, TargetSuffix) {
			def.Label += " : cible"
		}
		for _, s := range []struct{ what, is string }{{"objectif", row.objective}, {"suivi par", row.partners}} {
			if s.is != "" {
				def.Note = strings.TrimPrefix(def.Note+" ; "+s.what+" : "+s.is, " ; ")
			}
		}
		defs = append(defs, def)
	}
	return defs, nil
}
