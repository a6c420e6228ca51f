package indicators

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// statementColumns are the columns of a table of printed figures, each with the names it may have.
var statementColumns = []struct {
	name     string
	needed   bool
	synonyms []string
}{
	{"territoire", true, []string{"zone", "territory"}}, {"niveau", false, []string{"level"}}, {"indicateur", true, []string{"indicator"}},
	{"base", false, nil}, {"sexe", false, []string{"sex"}}, {"annee", false, []string{"année", "millesime", "millésime", "year"}},
	{"valeur", true, []string{"value"}}, {"unite", false, []string{"unité", "unit"}}, {"ligne", false, []string{"page", "line", "reference"}},
	{"sens", false, nil}, {"par_rapport_a", false, nil}, {"partie_de", false, nil},
}

// ReadStatements reads a table of the figures a document prints, the header first: territoire, indicateur, valeur, and where they are given
// niveau, base, sexe, annee, unite, ligne, sens (inférieur or supérieur to the zone of par_rapport_a; minimum), and partie_de, the
// "territoire:indicateur" that the figure is a part of. skipped tells, in French, the rows whose value is no number.
func ReadStatements(rows [][]string, lines []int) (list []Statement, sums []Decomposition, skipped []string, err error) {
	if len(rows) == 0 {
		return nil, nil, nil, fmt.Errorf("no row: a header and a row a figure are needed")
	}
	at := map[string]int{}
	for i, h := range rows[0] {
		h = strings.ToLower(strings.TrimSpace(h))
		for _, c := range statementColumns {
			if _, taken := at[c.name]; !taken && (h == c.name || slices.Contains(c.synonyms, h)) {
				at[c.name] = i
			}
		}
	}
	for _, c := range statementColumns {
		if _, ok := at[c.name]; c.needed && !ok {
			return nil, nil, nil, fmt.Errorf("no column %s: the columns are territoire, niveau, indicateur, sexe, annee, valeur, unite, ligne, and base, sens, par_rapport_a, partie_de where they are needed", c.name)
		}
	}
	for i, cells := range rows[1:] {
		cell := func(name string) string {
			if k, ok := at[name]; ok && k < len(cells) {
				return strings.TrimSpace(cells[k])
			}
			return ""
		}
		s := Statement{Zone: cell("territoire"), Niveau: cell("niveau"), Indicateur: cell("indicateur"), Base: cell("base"), Sexe: cell("sexe"), Annee: cell("annee"),
			Unite: cell("unite"), Ligne: cell("ligne"), Sens: cell("sens"), Reference: cell("par_rapport_a")}
		if s.Sexe == "" {
			s.Sexe = "T"
		}
		if s.Ligne == "" {
			s.Ligne = strconv.Itoa(lines[i+1])
		}
		var ok bool
		if s.Valeur, s.Decimales, s.Unite, ok = printedNumber(cell("valeur"), s.Unite); !ok {
			skipped = append(skipped, fmt.Sprintf("ligne %d : valeur « %s » : n'est pas un nombre, laissée de côté", lines[i+1], cell("valeur")))
			continue
		}
		list = append(list, s)
		if whole := cell("partie_de"); whole != "" {
			zone, id, named := strings.Cut(whole, ":")
			if !named {
				id = s.Indicateur
			}
			k := slices.IndexFunc(sums, func(d Decomposition) bool { return d.Zone == zone && d.Indicateur == id })
			if k < 0 {
				k, sums = len(sums), append(sums, Decomposition{Zone: zone, Indicateur: id})
			}
			sums[k].Parts = append(sums[k].Parts, [2]string{s.Zone, s.Indicateur})
		}
	}
	return list, sums, skipped, nil
}

// printedNumber reads a figure as documents print it: spaces between thousands, a decimal comma, a fraction (1/4), which is then in %.
func printedNumber(text, unit string) (v float64, decimals int, _ string, ok bool) {
	text = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", ",", ".", "−", "-", "%", "").Replace(text)
	if a, b, fraction := strings.Cut(text, "/"); fraction {
		x, e1 := strconv.ParseFloat(a, 64)
		y, e2 := strconv.ParseFloat(b, 64)
		return 100 * x / y, 0, "%", e1 == nil && e2 == nil && y != 0
	}
	v, err := strconv.ParseFloat(text, 64)
	if _, d, point := strings.Cut(text, "."); point {
		decimals = len(d)
	}
	return v, decimals, unit, err == nil
}

// plainName is the name of a zone without what its spellings differ by.
func plainName(s string) string {
	return strings.ToLower(strings.NewReplacer("é", "e", "É", "e", "è", "e", "È", "e", "ê", "e", "ô", "o", "Ô", "o", "î", "i", "Î", "i", "â", "a", "ç", "c", "-", " ", "’", "'").Replace(strings.TrimSpace(s)))
}

// KnownZones are the names and codes of the zones of an edition, by level.
func KnownZones(e *Edition) map[string][]string {
	out := map[string][]string{}
	for i := range e.Layers {
		level := e.Layers[i].Layer.Level()
		for _, z := range e.Layers[i].Zones {
			out[level] = append(out[level], z.Code)
			if z.Name != "" {
				out[level] = append(out[level], z.Name)
			}
		}
	}
	return out
}

// AgainstEdition sets the figures a document prints against the producers' that an edition shows for the zones of the same name or code, the
// same year and sex: those that are farther apart than the rounding of either are told.
func AgainstEdition(list []Statement, e *Edition) (out []Contradiction, compared int) {
	type figure struct {
		zone, indicateur, sexe string
		year                   int
	}
	names := NewNames(e)
	decimals := map[string]int{}
	for _, d := range e.Indicators {
		decimals[d.ID] = d.Decimals
	}
	held := map[figure]*Value{}
	for i := range e.Values {
		v := &e.Values[i]
		if !v.Retenue || v.Statut != Disponible || v.Nature != Producteur || v.Millesime <= 0 || v.Convention != "" {
			continue
		}
		for _, zone := range []string{v.Code, names.Zone(v.Couche, v.Code)} {
			held[figure{plainName(zone), v.Indicateur, v.Sexe, v.Millesime}] = v
		}
	}
	for _, s := range list {
		s = s.yearly()
		year, err := strconv.Atoi(s.Annee)
		if err != nil {
			continue
		}
		v := held[figure{plainName(s.Zone), s.Indicateur, s.Sexe, year}]
		if v == nil {
			continue
		}
		compared++
		own := Statement{Valeur: v.V, Decimales: decimals[v.Indicateur]}
		if d := s.Valeur - v.V; d > s.margin()+own.margin() || -d > s.margin()+own.margin() {
			out = append(out, Contradiction{"edition", s.Ligne, s.Zone, s.Indicateur, fmt.Sprintf("%s, %s, %d, %s : imprimé %s, l'édition a %s (%s)",
				s.Zone, s.Indicateur, year, s.Sexe, s.printed(), strings.TrimSpace(FrenchNumber(v.V, decimals[v.Indicateur])+" "+names.Unit(v.Indicateur)), v.Source)})
		}
	}
	return out, compared
}

// WriteContradictionsCSV writes what a document contradicts.
func WriteContradictionsCSV(w io.Writer, list []Contradiction) error {
	return writeCSV(w, []string{"genre", "lignes", "zone", "indicateur", "message"}, len(list), func(i int) []string {
		c := list[i]
		return []string{c.Genre, c.Lignes, c.Zone, c.Indic, c.Message}
	})
}
