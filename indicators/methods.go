package indicators

import (
	"cmp"
	"io"
	"slices"
	"strconv"

	"observatoire/geo"
)

// MethodsHeader is the header of the methods side by side: see [MethodRow].
var MethodsHeader = []string{"indicateur", "couche", "code", "nom", "millesime", "sexe", "methode", "retenue", "nature", "valeur", "unite",
	"statut", "fiabilite", "erreur", "calage_moyen", "calage_absolu", "calage_nombre", "unite_erreur", "rang", "reference", "code_reference",
	"nom_reference", "valeur_reference", "ecart", "depuis", "evolution", "unite_ecart", "verdict", "lecture", "motif", "source"}

// A MethodRow is what one method says of a zone for one key or, where it names a reference, the gap of the value that is shown to it.
// Errors are estimate less producer: points for percentages, per cent of the producer's value otherwise.
type MethodRow struct {
	Indicateur string    `json:"indicateur"`
	Couche     geo.Layer `json:"couche"`
	Code       string    `json:"code"`
	Nom        string    `json:"nom"`
	Millesime  *int      `json:"millesime"`
	Sexe       string    `json:"sexe"`
	Methode    string    `json:"methode"`
	Retenue    bool      `json:"retenue"`
	Nature     string    `json:"nature"`
	Valeur     *float64  `json:"valeur"`
	Unite      string    `json:"unite"`
	Statut     string    `json:"statut"`
	Fiabilite  string    `json:"fiabilite"`

	Erreur       *float64 `json:"erreur"`        // here, where the producer gives the same figure
	CalageMoyen  *float64 `json:"calage_moyen"`  // of the method, over every zone of the layer and every year where both are given
	CalageAbsolu *float64 `json:"calage_absolu"` // the same, of absolute values
	CalageN      int      `json:"calage_nombre"`
	UniteErreur  string   `json:"unite_erreur"`
	Rang         int      `json:"rang"` // of the method by that error; 0 when it was not ranked

	Reference       geo.Layer `json:"reference"`
	CodeReference   string    `json:"code_reference"`
	NomReference    string    `json:"nom_reference"`
	ValeurReference *float64  `json:"valeur_reference"`
	Ecart           *float64  `json:"ecart"`

	Depuis     int      `json:"depuis"`    // the year the value, or the gap, is compared to; 0: none
	Evolution  *float64 `json:"evolution"` // of the value that is shown, or of the gap
	UniteEcart string   `json:"unite_ecart"`
	Verdict    string   `json:"verdict"`
	Lecture    string   `json:"lecture"`
	Motif      string   `json:"motif"` // in French: why there is no gap, no evolution or no conclusion
	Source     string   `json:"source"`
}

// MethodRows puts side by side what the methods say of the zones and the keys that keep accepts: the producer first, then the estimates,
// then the gaps of the value that is shown. Of each indicator, zone and sex there is the latest year that has a figure and the
// latest where the producer and a method can be compared, or every year when all is true.
func MethodRows(e *Edition, keep func(Key, string) bool, all bool) []MethodRow {
	type spot struct {
		indicateur string
		couche     geo.Layer
		code, sexe string
	}
	last, compared := map[spot]int{}, map[spot]int{}
	at := map[shownKey][]Value{}
	var keys []shownKey
	for _, v := range e.Values {
		if !keep(v.Key, v.Code) {
			continue
		}
		k := shownKey{v.Key, v.Code}
		if at[k] == nil {
			keys = append(keys, k)
		}
		at[k] = append(at[k], v)
	}
	producer := func(list []Value) Opt {
		if i := slices.IndexFunc(list, func(v Value) bool { return v.Methode == MethodeProducteur }); i >= 0 {
			return list[i].Valeur()
		}
		return Opt{}
	}
	later := func(m map[spot]int, s spot, year int) {
		// A year nobody says is less the year of its file: the later file, and any year that is said, come after it.
		if had, ok := m[s]; !ok || year > had && year > 0 || year < had && had < 0 {
			m[s] = year
		}
	}
	of := func(k shownKey) spot { return spot{k.Indicateur, k.Couche, k.code, k.Sexe} }
	for _, k := range keys {
		if !hasAvailable(at[k]) {
			continue
		}
		later(last, of(k), k.Millesime)
		if producer(at[k]).OK && slices.ContainsFunc(at[k], func(v Value) bool { return v.Nature == Estimation && v.Statut == Disponible }) {
			later(compared, of(k), k.Millesime)
		}
	}
	calage := map[string]Calibration{}
	for _, c := range e.Calibrations {
		if c.Millesime == 0 {
			calage[c.Indicateur+" "+string(c.Couche)+" "+c.Methode] = c
		}
	}
	ecarts := map[shownKey][]Ecart{}
	for _, x := range e.Ecarts {
		k := shownKey{x.Key, x.Code}
		if at[k] != nil {
			ecarts[k] = append(ecarts[k], x)
		}
	}
	moves := map[shownKey][]Evolution{}
	for _, x := range e.Evolutions {
		k := shownKey{x.Key, x.Code}
		if at[k] != nil {
			moves[k] = append(moves[k], x)
		}
	}
	units := map[string]*Definition{}
	for i := range e.Indicators {
		units[e.Indicators[i].ID] = &e.Indicators[i]
	}
	names := NewNames(e)
	rows := []MethodRow{}
	for _, k := range keys {
		year, held := last[of(k)]
		both, beside := compared[of(k)]
		if !all && (!held || k.Millesime != year && (!beside || k.Millesime != both)) {
			continue
		}
		list := slices.Clone(at[k])
		slices.SortStableFunc(list, func(a, b Value) int { return cmp.Compare(a.Nature, b.Nature) })
		truth := producer(list)
		var shown *MethodRow
		for _, v := range list {
			def := units[v.Indicateur]
			r := MethodRow{Indicateur: v.Indicateur, Couche: v.Couche, Code: v.Code, Nom: names.Zone(v.Couche, v.Code), Sexe: v.Sexe, Methode: v.Methode,
				Retenue: v.Retenue, Nature: v.Nature.String(), Valeur: v.Valeur().pointer(), Unite: def.Unit, Statut: v.Statut.String(),
				Fiabilite: v.Fiabilite.String(), Source: v.Source, Motif: v.Note}
			if v.Millesime > 0 {
				r.Millesime = &v.Millesime
			}
			if v.Nature == Estimation && v.Statut == Disponible {
				r.UniteErreur = errorUnit(def)
				if truth.OK {
					r.Erreur = errorOf(def, v.V, truth.V).pointer()
				}
				if c, ok := calage[v.Indicateur+" "+string(v.Couche)+" "+v.Methode]; ok {
					r.CalageMoyen, r.CalageAbsolu, r.CalageN, r.Rang = Some(c.Moyenne).pointer(), Some(c.Absolue).pointer(), c.N, c.Rang
				}
			}
			if v.Retenue {
				r.evolve(moves[k], "", "")
			}
			rows = append(rows, r)
			if v.Retenue {
				shown = &rows[len(rows)-1]
			}
		}
		if shown == nil {
			continue
		}
		own := *shown
		for _, x := range ecarts[k] {
			r := own
			r.Depuis, r.Evolution, r.Verdict, r.Lecture = 0, nil, "", ""
			r.Erreur, r.CalageMoyen, r.CalageAbsolu, r.CalageN, r.UniteErreur, r.Rang = nil, nil, nil, 0, "", 0
			r.Reference, r.CodeReference, r.NomReference = x.Reference, x.ReferenceCode, names.Zone(x.Reference, x.ReferenceCode)
			r.ValeurReference, r.Ecart, r.UniteEcart, r.Motif = x.ValeurReference.pointer(), x.Ecart.pointer(), x.Unite, x.Motif
			r.evolve(moves[k], x.Reference, x.ReferenceCode)
			rows = append(rows, r)
		}
	}
	return rows
}

// evolve says how the value, or the gap to a reference, moved: since the latest year no guard refuses, else why not.
func (r *MethodRow) evolve(list []Evolution, reference geo.Layer, code string) {
	var best *Evolution
	for i := range list {
		x := &list[i]
		if x.Reference != reference || x.ReferenceCode != code {
			continue
		}
		if best == nil || x.Statut == Disponible && best.Statut != Disponible || (x.Statut == Disponible) == (best.Statut == Disponible) && x.Depuis > best.Depuis {
			best = x
		}
	}
	if best == nil {
		return
	}
	r.Depuis, r.Evolution, r.Verdict, r.Lecture = best.Depuis, best.Evolution.pointer(), best.Verdict, best.Lecture
	r.UniteEcart, r.Motif = cmp.Or(r.UniteEcart, best.Unite), joinOnce(r.Motif, best.Motif)
}

// WriteMethodsCSV writes the methods side by side, in the order given.
func WriteMethodsCSV(w io.Writer, rows []MethodRow) error {
	number := func(p *float64) string {
		if p == nil {
			return ""
		}
		return FormatNumber(*p)
	}
	return writeCSV(w, MethodsHeader, len(rows), func(i int) []string {
		r := rows[i]
		year, n := "", ""
		if r.Millesime != nil {
			year = strconv.Itoa(*r.Millesime)
		}
		if r.CalageN > 0 {
			n = strconv.Itoa(r.CalageN)
		}
		return []string{r.Indicateur, string(r.Couche), r.Code, r.Nom, year, r.Sexe, r.Methode, yesNo(r.Retenue), r.Nature, number(r.Valeur), r.Unite,
			r.Statut, r.Fiabilite, number(r.Erreur), number(r.CalageMoyen), number(r.CalageAbsolu), n, r.UniteErreur, FormatMillesime(r.Rang),
			string(r.Reference), r.CodeReference, r.NomReference, number(r.ValeurReference), number(r.Ecart), FormatMillesime(r.Depuis),
			number(r.Evolution), r.UniteEcart, r.Verdict, r.Lecture, r.Motif, r.Source}
	})
}
