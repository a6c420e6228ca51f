package indicators

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"observatoire/geo"
)

// The headers of the machine CSV files: RFC 4180, decimal point, an absent figure is an empty cell.
var (
	SeriesHeader = []string{"indicateur", "couche", "code", "nom", "millesime", "sexe", "valeur", "unite",
		"statut", "nature", "methode", "couverture", "methode_min", "methode_max", "ic95_bas", "ic95_haut",
		"fiabilite", "source"}
	EcartsHeader = []string{"indicateur", "couche", "code", "nom", "millesime", "sexe", "valeur",
		"reference", "code_reference", "nom_reference", "valeur_reference", "ecart", "unite", "rapport",
		"reference_inclut", "statut", "motif", "methode", "fiabilite", "methode_reference", "fiabilite_reference"}
	EvolutionsHeader = []string{"indicateur", "couche", "code", "nom", "sexe", "depuis", "millesime", "reference", "code_reference",
		"nom_reference", "comparaison", "avant", "apres", "evolution", "unite", "seuil", "verdict", "lecture", "statut", "motif", "garde"}
	RangsHeader = []string{"indicateur", "couche", "code", "nom", "millesime", "sexe", "valeur", "rang", "ex_aequo", "sur", "statut",
		"motif", "garde"}
	FemmesHommesHeader = []string{"indicateur", "couche", "code", "nom", "millesime", "femmes", "hommes", "ecart", "unite", "rapport",
		"statut", "motif"}
	ConcentrationHeader = []string{"indicateur", "couche", "millesime", "sexe", "reference", "code_reference", "nom_reference", "quartiers",
		"part_quartiers", "part_population", "millesime_population", "indice", "statut", "motif"}
	OverlapsHeader = []string{"couche_de", "code_de", "nom_de", "couche_vers", "code_vers", "nom_vers",
		"aire_m2", "part_de", "part_vers", "marge_part", "note"}
	CalibrationHeader = []string{"indicateur", "couche", "millesime", "sexe", "methode", "nombre", "unite", "ecart_moyen",
		"ecart_absolu_moyen", "ecart_median", "code_extreme", "nom_extreme", "ecart_extreme", "rang"}
)

// FormatNumber writes v with at most ten significant digits: what the last bits of a sum add beyond
// that says nothing of the figure.
func FormatNumber(v float64) string {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 10, 64), 64)
	if r == 0 {
		return "0" // never "-0"
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}

// FormatMillesime writes a year; one that the producer does not give is empty.
func FormatMillesime(year int) string {
	if year <= 0 {
		return ""
	}
	return strconv.Itoa(year)
}

// LabelMillesime is a year for readers, who are told when the producer does not give it.
func LabelMillesime(year int) string {
	switch {
	case year > 0:
		return strconv.Itoa(year)
	case year < 0:
		return "inconnu (fichier " + strconv.Itoa(-year) + ")"
	}
	return "inconnu"
}

func (o Opt) String() string {
	if !o.OK {
		return ""
	}
	return FormatNumber(o.V)
}

// Valeur is the value's figure, present only when it is available.
func (v Value) Valeur() Opt { return Opt{v.V, v.Statut == Disponible} }

// Names finds the names of zones and the units of indicators of an edition.
type Names struct {
	e     *Edition
	units map[string]string
}

// NewNames prepares the names of an edition.
func NewNames(e *Edition) Names {
	n := Names{e: e, units: map[string]string{}}
	for _, d := range e.Indicators {
		n.units[d.ID] = d.Unit
	}
	return n
}

// Zone is the name of a zone, or its code when it has none.
func (n Names) Zone(l geo.Layer, code string) string {
	if set := n.e.Layer(l); set != nil {
		if i, ok := set.Index(code); ok && set.Zones[i].Name != "" {
			return set.Zones[i].Name
		}
	}
	return code
}

// Unit is the unit of an indicator.
func (n Names) Unit(indicateur string) string { return n.units[indicateur] }

// A ShownIndex finds the values that are shown.
type ShownIndex map[shownKey]*Value

type shownKey struct {
	Key
	code string
}

// NewShown indexes the values an edition shows.
func NewShown(e *Edition) ShownIndex {
	s := ShownIndex{}
	for i := range e.Values {
		if v := &e.Values[i]; v.Retenue {
			s[shownKey{v.Key, v.Code}] = v
		}
	}
	return s
}

// Of gives the two values a gap was made of; one that there is not is the zero Value.
func (s ShownIndex) Of(x Ecart) (own, ref Value) {
	if v := s[shownKey{x.Key, x.Code}]; v != nil {
		own = *v
	}
	k := x.Key
	k.Couche = x.Reference
	if v := s[shownKey{k, x.ReferenceCode}]; v != nil {
		ref = *v
	}
	return own, ref
}

// WriteSeriesCSV writes values as the `series` CSV, in the order given.
func WriteSeriesCSV(w io.Writer, e *Edition, values []Value) error {
	names := NewNames(e)
	return writeCSV(w, SeriesHeader, len(values), func(i int) []string {
		v := values[i]
		return []string{v.Indicateur, string(v.Couche), v.Code, names.Zone(v.Couche, v.Code),
			FormatMillesime(v.Millesime), v.Sexe, v.Valeur().String(), names.Unit(v.Indicateur),
			v.Statut.String(), v.Nature.String(), v.Methode, v.Couverture.String(), v.Min.String(), v.Max.String(),
			v.IC95Bas.String(), v.IC95Haut.String(), v.Fiabilite.String(), v.Source}
	})
}

// WriteEcartsCSV writes gaps, in the order given.
func WriteEcartsCSV(w io.Writer, e *Edition, ecarts []Ecart) error {
	names := NewNames(e)
	shown := NewShown(e)
	return writeCSV(w, EcartsHeader, len(ecarts), func(i int) []string {
		x := ecarts[i]
		own, ref := shown.Of(x)
		inclut := "non"
		if x.ReferenceInclut {
			inclut = "oui"
		}
		return []string{x.Indicateur, string(x.Couche), x.Code, names.Zone(x.Couche, x.Code),
			FormatMillesime(x.Millesime), x.Sexe, x.Valeur.String(), string(x.Reference), x.ReferenceCode,
			names.Zone(x.Reference, x.ReferenceCode), x.ValeurReference.String(), x.Ecart.String(), x.Unite,
			x.Rapport.String(), inclut, x.Statut.String(), x.Motif, own.Methode, own.Fiabilite.String(), ref.Methode, ref.Fiabilite.String()}
	})
}

// WriteCalibrationCSV writes how far methods are from the producers, in the order given. Without a millésime, a row is of
// all of them and of both sexes together; without a rang, its method was not ranked by its error.
func WriteCalibrationCSV(w io.Writer, e *Edition, list []Calibration) error {
	names := NewNames(e)
	return writeCSV(w, CalibrationHeader, len(list), func(i int) []string {
		c := list[i]
		return []string{c.Indicateur, string(c.Couche), FormatMillesime(c.Millesime), c.Sexe, c.Methode, strconv.Itoa(c.N), c.Unite,
			FormatNumber(c.Moyenne), FormatNumber(c.Absolue), FormatNumber(c.Mediane), c.Pire, names.Zone(c.Couche, c.Pire),
			FormatNumber(c.PireErreur), FormatMillesime(c.Rang)}
	})
}

// Row is an evolution as the cells of [EvolutionsHeader]; those of figures are [Opt].
func (x Evolution) Row(names Names) []any {
	reference, comparison := "", ""
	if x.Reference != "" {
		reference, comparison = names.Zone(x.Reference, x.ReferenceCode), yesNo(x.Comparaison)
	}
	return []any{x.Indicateur, string(x.Couche), x.Code, names.Zone(x.Couche, x.Code), x.Sexe, x.Depuis, x.Millesime, string(x.Reference),
		x.ReferenceCode, reference, comparison, x.Avant, x.Apres, x.Evolution, x.Unite, x.Seuil, x.Verdict, x.Lecture, x.Statut.String(), x.Motif, x.Garde}
}

// Row is a rank as the cells of [RangsHeader].
func (x Rang) Row(names Names) []any {
	place, shared := Opt{}, Opt{}
	if x.Rang > 0 {
		place, shared = Some(float64(x.Rang)), Some(float64(x.ExAequo))
	}
	return []any{x.Indicateur, string(x.Couche), x.Code, names.Zone(x.Couche, x.Code), x.Millesime, x.Sexe, x.Valeur, place, shared, x.Sur,
		x.Statut.String(), x.Motif, x.Garde}
}

// Row is a gap of women to men as the cells of [FemmesHommesHeader].
func (x EcartSexe) Row(names Names) []any {
	return []any{x.Indicateur, string(x.Couche), x.Code, names.Zone(x.Couche, x.Code), x.Millesime, x.Femmes, x.Hommes, x.Ecart, x.Unite,
		x.Rapport, x.Statut.String(), x.Motif}
}

// Row is a concentration as the cells of [ConcentrationHeader].
func (x Concentration) Row(names Names) []any {
	people := Opt{}
	if x.MillesimePopulation > 0 {
		people = Some(float64(x.MillesimePopulation))
	}
	return []any{x.Indicateur, string(x.Couche), x.Millesime, x.Sexe, string(x.Reference), x.ReferenceCode, names.Zone(x.Reference, x.ReferenceCode),
		x.Quartiers, x.PartQuartiers, x.PartPopulation, people, x.Indice, x.Statut.String(), x.Motif}
}

func yesNo(yes bool) string {
	if yes {
		return "oui"
	}
	return "non"
}

// A Rower is a comparison that makes a row of a table.
type Rower interface{ Row(Names) []any }

// WriteRowsCSV writes comparisons of one kind under their header.
func WriteRowsCSV[T Rower](w io.Writer, e *Edition, header []string, list []T) error {
	names := NewNames(e)
	return writeCSV(w, header, len(list), func(i int) []string {
		cells := list[i].Row(names)
		out := make([]string, len(cells))
		for j, c := range cells {
			out[j] = fmt.Sprint(c)
		}
		return out
	})
}

// WriteOverlapsCSV writes every pair of the sets, which are those of the edition or a selection of them.
func WriteOverlapsCSV(w io.Writer, e *Edition, sets []OverlapSet) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(OverlapsHeader); err != nil {
		return err
	}
	for _, s := range sets {
		from, to := e.Layer(s.From), e.Layer(s.To)
		for _, p := range s.Pairs {
			a, b := from.Zones[p.From], to.Zones[p.To]
			if err := c.Write([]string{string(s.From), a.Code, a.Name, string(s.To), b.Code, b.Name,
				strconv.FormatFloat(p.Area, 'f', 2, 64), strconv.FormatFloat(p.ShareFrom, 'f', 6, 64),
				strconv.FormatFloat(p.ShareTo, 'f', 6, 64), strconv.FormatFloat(p.Margin, 'f', 6, 64), p.Note}); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

func writeCSV(w io.Writer, header []string, n int, row func(i int) []string) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(header); err != nil {
		return err
	}
	for i := range n {
		if err := c.Write(row(i)); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// WriteDefinitionsCSV writes what the indicators are.
func WriteDefinitionsCSV(w io.Writer, defs []Definition) error {
	header := []string{"id", "libelle", "theme", "unite", "sens", "regle", "sexes", "formule", "note"}
	return writeCSV(w, header, len(defs), func(i int) []string {
		d := defs[i]
		return []string{d.ID, d.Label, d.Theme, d.Unit, d.Direction, string(d.Rule), strings.Join(d.Sexes, " "), d.Formula(), d.Note}
	})
}

// A SeriesRow is one line of the series, as JSON: the columns of [SeriesHeader].
type SeriesRow struct {
	Indicateur string    `json:"indicateur"`
	Couche     geo.Layer `json:"couche"`
	Code       string    `json:"code"`
	Nom        string    `json:"nom"`
	Millesime  *int      `json:"millesime"`
	Sexe       string    `json:"sexe"`
	Valeur     *float64  `json:"valeur"`
	Unite      string    `json:"unite"`
	Statut     string    `json:"statut"`
	Nature     string    `json:"nature"`
	Methode    string    `json:"methode"`
	Retenue    bool      `json:"retenue"`
	Couverture *float64  `json:"couverture"`
	MethodeMin *float64  `json:"methode_min"`
	MethodeMax *float64  `json:"methode_max"`
	IC95Bas    *float64  `json:"ic95_bas"`
	IC95Haut   *float64  `json:"ic95_haut"`
	Fiabilite  string    `json:"fiabilite"`
	Source     string    `json:"source"`
	Note       string    `json:"note"`
}

// SeriesRows turns values into rows for JSON: an absent number is null.
func SeriesRows(e *Edition, values []Value) []SeriesRow {
	names := NewNames(e)
	rows := make([]SeriesRow, 0, len(values))
	for _, v := range values {
		r := SeriesRow{v.Indicateur, v.Couche, v.Code, names.Zone(v.Couche, v.Code), nil, v.Sexe, v.Valeur().pointer(),
			names.Unit(v.Indicateur), v.Statut.String(), v.Nature.String(), v.Methode, v.Retenue, v.Couverture.pointer(),
			v.Min.pointer(), v.Max.pointer(), v.IC95Bas.pointer(), v.IC95Haut.pointer(), v.Fiabilite.String(), v.Source, v.Note}
		if v.Millesime > 0 {
			r.Millesime = &v.Millesime
		}
		rows = append(rows, r)
	}
	return rows
}

// A CalibrationRow is one line of the calibration, as JSON: the columns of [CalibrationHeader].
type CalibrationRow struct {
	Indicateur string    `json:"indicateur"`
	Couche     geo.Layer `json:"couche"`
	Millesime  *int      `json:"millesime"`
	Sexe       string    `json:"sexe"`
	Methode    string    `json:"methode"`
	N          int       `json:"nombre"`
	Unite      string    `json:"unite"`
	Moyenne    *float64  `json:"ecart_moyen"`
	Absolue    *float64  `json:"ecart_absolu_moyen"`
	Mediane    *float64  `json:"ecart_median"`
	Pire       string    `json:"code_extreme"`
	PireNom    string    `json:"nom_extreme"`
	PireErreur *float64  `json:"ecart_extreme"`
	Rang       *int      `json:"rang"`
}

// CalibrationRows turns calibrations into rows for JSON.
func CalibrationRows(e *Edition, list []Calibration) []CalibrationRow {
	names := NewNames(e)
	rows := make([]CalibrationRow, 0, len(list))
	for _, c := range list {
		r := CalibrationRow{c.Indicateur, c.Couche, nil, c.Sexe, c.Methode, c.N, c.Unite, Some(c.Moyenne).pointer(), Some(c.Absolue).pointer(),
			Some(c.Mediane).pointer(), c.Pire, names.Zone(c.Couche, c.Pire), Some(c.PireErreur).pointer(), nil}
		if c.Millesime > 0 {
			r.Millesime = &c.Millesime
		}
		if c.Rang > 0 {
			r.Rang = &c.Rang
		}
		rows = append(rows, r)
	}
	return rows
}

// pointer is nil for an absent number; what it points to is rounded as in the CSV.
func (o Opt) pointer() *float64 {
	if !o.OK {
		return nil
	}
	v, _ := strconv.ParseFloat(FormatNumber(o.V), 64)
	return &v
}
