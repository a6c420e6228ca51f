package indicators

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Statement is one figure as a document prints it, with what its text says of it.
type Statement struct {
	Zone       string // as the document names it
	Niveau     string // level of the zone
	Indicateur string
	Base       string // what sets it apart from others of the same indicator: a funder, a landlord
	Sexe       string
	Annee      string  // "2010", "2007-2009"; empty: not printed
	Valeur     float64 // fractions in words as percentages
	Decimales  int     // printed
	Unite      string
	Ligne      string // where it stands

	// Sens is how the text places the value: "inférieur" or "supérieur" to that of Reference, or "minimum" among all zones.
	Sens, Reference string

	parMois bool // printed by the month
}

// A Decomposition says which figures add up to another.
type Decomposition struct {
	Zone, Indicateur string
	Parts            [][2]string // zone and indicator of each
}

// A Contradiction is what cannot be true of two or more statements together.
type Contradiction struct {
	Genre   string `json:"genre"`  // "deux_valeurs", "hors_des_sexes", "ordre_des_sexes", "ecart", "somme", "sens", "echelle", "croissance", "zone_inconnue", "edition"
	Lignes  string `json:"lignes"` // of the statements, "709, 738"
	Zone    string `json:"zone"`
	Indic   string `json:"indicateur"`
	Message string `json:"message"` // in French
}

// growthIndicator is a mean yearly growth of the population, in % a year, between the two years it names.
const growthIndicator = "taux_croissance_annuel_moyen"

// gapPrefix begins the indicator of a gap: "ecart_taux_chomage" is that of "taux_chomage".
const gapPrefix = "ecart_"

// monthly are incomes printed a month, and those a year that they are a twelfth of: two portraits of one document may use both.
var monthly = map[string]string{"revenu_median_mensuel": "revenu_median_uc", gapPrefix + "revenu_median_mensuel": gapPrefix + "revenu_median_uc"}

// yearly is a statement by the year.
func (s Statement) yearly() Statement {
	if id, ok := monthly[s.Indicateur]; ok {
		s.Indicateur, s.Valeur, s.parMois = id, 12*s.Valeur, true
		s.Unite = strings.Replace(s.Unite, "/mois", "/an", 1)
	}
	return s
}

// manyZones is how many other zones have to agree before one that does not is said to be alone, and farApart how many times one sex
// has to pass the other in each of them.
const (
	manyZones = 3
	farApart  = 2
)

// soleOrder tells a zone where one sex passes the other, when it is far the other way round everywhere else.
func soleOrder(list []Statement) []Contradiction {
	type pair struct{ f, h Statement }
	pairs := map[string][]pair{} // by indicator
	var ids []string
	for _, f := range list {
		h := find(list, f, "H")
		if f.Sexe != "F" || !isShare(f.Unite) || h == nil || slices.ContainsFunc(pairs[f.Indicateur], func(p pair) bool { return p.f.Zone == f.Zone }) {
			continue
		}
		if len(pairs[f.Indicateur]) == 0 {
			ids = append(ids, f.Indicateur)
		}
		pairs[f.Indicateur] = append(pairs[f.Indicateur], pair{f, *h})
	}
	var out []Contradiction
	for _, id := range ids {
		for i, own := range pairs[id] {
			high, low := own.f, own.h // what is said to be alone
			if own.h.Valeur > own.f.Valeur {
				high, low = own.h, own.f
			}
			others, agree := 0, high.Valeur > low.Valeur
			for k, p := range pairs[id] {
				if k == i {
					continue
				}
				x, y := p.h, p.f
				if high.Sexe == "H" {
					x, y = p.f, p.h
				}
				others++
				agree = agree && x.Valeur >= farApart*y.Valeur
			}
			if agree && others >= manyZones {
				out = append(out, Contradiction{"ordre_des_sexes", joinLines(own.f, own.h), own.f.Zone, id, fmt.Sprintf(
					"%s, %s : %s pour les femmes et %s pour les hommes, alors que dans les %d autres zones imprimées l'ordre est inverse, et du simple au double : les deux chiffres sont-ils échangés, ou l'un est-il d'un autre indicateur ?",
					own.f.Zone, id, own.f.printed(), own.h.printed(), others)})
			}
		}
	}
	return out
}

func joinLines(ss ...Statement) string {
	var lines []string
	for _, s := range ss {
		if !slices.Contains(lines, s.Ligne) {
			lines = append(lines, s.Ligne)
		}
	}
	return strings.Join(lines, ", ")
}

// Contradictions looks for what statements of a document cannot say together: two values of one figure, a total outside
// what women and men have, a printed gap or sum that is not that of its terms, "lower" said of what is higher, a value ten
// times another zone's, a growth that is no compound rate, women and men the other way round in one zone alone, a zone nobody knows. zones are the names known by level; a level that is not there is not checked.
func Contradictions(list []Statement, sums []Decomposition, zones map[string][]string) []Contradiction {
	var out []Contradiction
	say := func(genre, message string, ss ...Statement) {
		out = append(out, Contradiction{genre, joinLines(ss...), ss[0].Zone, ss[0].Indicateur, message})
	}
	list = slices.Clone(list)
	for i := range list {
		list[i] = list[i].yearly()
	}
	known, told := map[string]map[string]bool{}, map[[2]string]bool{}
	for level, names := range zones {
		known[level] = map[string]bool{}
		for _, name := range names {
			known[level][plainName(name)] = true
		}
	}
	for i, a := range list {
		if names, ok := known[a.Niveau]; ok && !names[plainName(a.Zone)] && !told[[2]string{a.Niveau, a.Zone}] {
			told[[2]string{a.Niveau, a.Zone}] = true
			say("zone_inconnue", fmt.Sprintf("« %s » n'est pas une zone connue de niveau %s", a.Zone, a.Niveau), a)
		}
		for _, b := range list[i+1:] {
			if b.of(a) && a.Sexe == b.Sexe && sameYear(a.Annee, b.Annee) && differ(a, b) {
				say("deux_valeurs", fmt.Sprintf("%s, %s : %s et %s pour la même chose", a.Zone, a.Indicateur, a.printed(), b.printed()), a, b)
			}
		}
		if a.Sexe == "T" && isShare(a.Unite) {
			f, h := find(list, a, "F"), find(list, a, "H")
			if f != nil && h != nil {
				margin := a.margin() + max(f.margin(), h.margin())
				if a.Valeur < min(f.Valeur, h.Valeur)-margin || a.Valeur > max(f.Valeur, h.Valeur)+margin {
					say("hors_des_sexes", fmt.Sprintf("%s, %s : %s en tout, hors de %s pour les femmes et %s pour les hommes",
						a.Zone, a.Indicateur, a.printed(), f.printed(), h.printed()), a, *f, *h)
				}
			}
		}
		if of, ok := strings.CutPrefix(a.Indicateur, gapPrefix); ok {
			out = append(out, gapContradiction(list, a, of)...)
		}
		if a.Indicateur == growthIndicator {
			from, to, _ := strings.Cut(a.Annee, "-")
			y0, e0 := strconv.Atoi(from)
			y1, e1 := strconv.Atoi(to)
			n := float64(y1 - y0)
			p0, p1 := population(list, a.Zone, from), population(list, a.Zone, to)
			if e0 == nil && e1 == nil && n > 0 && p0 != nil && p1 != nil && p0.Valeur > 0 {
				if rate := 100 * (math.Pow(p1.Valeur/p0.Valeur, 1/n) - 1); math.Abs(rate-a.Valeur) > a.margin() {
					say("croissance", fmt.Sprintf("%s : %s imprimé, de %s à %s en %d ans font %s %% par an", a.Zone, a.printed(),
						FrenchNumber(p0.Valeur, 0), FrenchNumber(p1.Valeur, 0), y1-y0, FrenchNumber(rate, 1)), a, *p0, *p1)
				}
			}
		}
		for _, b := range list {
			if b.Indicateur != a.Indicateur || b.Zone == a.Zone || b.Sexe != a.Sexe || b.Base != a.Base || !sameYear(a.Annee, b.Annee) || !sameUnit(a.Unite, b.Unite) {
				continue
			}
			switch {
			case a.Sens == "minimum" && b.Valeur < a.Valeur && b.Unite == a.Unite,
				a.Sens == "inférieur" && b.Zone == a.Reference && a.Valeur >= b.Valeur,
				a.Sens == "supérieur" && b.Zone == a.Reference && a.Valeur <= b.Valeur:
				say("sens", fmt.Sprintf("%s, %s : dit %s, mais %s contre %s (%s)", a.Zone, a.Indicateur, a.Sens, a.printed(), b.printed(), b.Zone), a, b)
			}
			if isShare(a.Unite) && a.Unite == b.Unite && b.Valeur >= 1 && a.Valeur >= 10*b.Valeur {
				say("echelle", fmt.Sprintf("%s, %s : %s, plus de dix fois %s (%s) : une virgule perdue ?", a.Zone, a.Indicateur, a.printed(), b.printed(), b.Zone), a, b)
			}
		}
	}
	for _, d := range sums {
		out = append(out, sumContradiction(list, d)...)
	}
	return append(out, soleOrder(list)...)
}

// gapContradiction checks a printed gap against every zone the text may compare to: none of them gives it.
func gapContradiction(list []Statement, gap Statement, of string) []Contradiction {
	own := slices.IndexFunc(list, func(s Statement) bool {
		return s.Zone == gap.Zone && s.Indicateur == of && s.Sexe == gap.Sexe && sameYear(s.Annee, gap.Annee)
	})
	if own < 0 {
		return nil
	}
	nearest, best := Statement{}, math.Inf(1)
	for _, s := range list {
		if s.Zone == gap.Zone || s.Niveau == gap.Niveau || s.Indicateur != of || s.Sexe != gap.Sexe || !sameYear(s.Annee, gap.Annee) {
			continue
		}
		if d := math.Abs(math.Abs(list[own].Valeur-s.Valeur) - math.Abs(gap.Valeur)); d < best {
			nearest, best = s, d
		}
	}
	if math.IsInf(best, 1) || best <= gap.margin()+list[own].margin()+nearest.margin() {
		return nil
	}
	d := math.Abs(list[own].Valeur - nearest.Valeur)
	return []Contradiction{{"ecart", gap.Ligne + ", " + nearest.Ligne, gap.Zone, of, fmt.Sprintf("%s, %s : écart imprimé %s, mais %s contre %s (%s) font %s",
		gap.Zone, of, gap.printed(), list[own].printed(), nearest.printed(), nearest.Zone, FrenchNumber(d, 1))}}
}

// sumContradiction checks a total against its parts: those that are not printed count for nothing.
func sumContradiction(list []Statement, d Decomposition) []Contradiction {
	i := slices.IndexFunc(list, func(s Statement) bool { return s.Zone == d.Zone && s.Indicateur == d.Indicateur })
	if i < 0 {
		return nil
	}
	sum, lines, n := 0.0, list[i].Ligne, 0
	for _, p := range d.Parts {
		if k := slices.IndexFunc(list, func(s Statement) bool { return s.Zone == p[0] && s.Indicateur == p[1] }); k >= 0 {
			sum += list[k].Valeur
			n++
			if !strings.Contains(lines, list[k].Ligne) {
				lines += ", " + list[k].Ligne
			}
		}
	}
	margin := 1e-9 // counts add up to the unit
	if isShare(list[i].Unite) || list[i].Decimales > 0 {
		margin = float64(n+1) * list[i].margin()
	}
	if n == 0 || math.Abs(sum-list[i].Valeur) <= margin {
		return nil
	}
	return []Contradiction{{"somme", lines, d.Zone, d.Indicateur, fmt.Sprintf("%s, %s : %s, mais les %d parties imprimées font %s",
		d.Zone, d.Indicateur, list[i].printed(), n, FrenchNumber(sum, list[i].Decimales))}}
}

// of says whether two statements are of one figure of one zone.
func (s Statement) of(a Statement) bool {
	return s.Zone == a.Zone && s.Niveau == a.Niveau && s.Indicateur == a.Indicateur && s.Base == a.Base && sameUnit(s.Unite, a.Unite)
}

// margin is half of the last digit printed.
func (s Statement) margin() float64 {
	margin := 0.5 * math.Pow(10, -float64(s.Decimales))
	if s.parMois {
		margin *= 12
	}
	return margin + 1e-9
}

func (s Statement) printed() string {
	return strings.TrimSpace(FrenchNumber(s.Valeur, s.Decimales) + " " + s.Unite)
}

// differ says whether two values are more than their rounding apart: a printed 11 agrees with 11,1.
func differ(a, b Statement) bool {
	x, y := a.Valeur, b.Valeur
	margin := max(a.margin(), b.margin())
	if a.Unite == "ratio" && b.Unite == "%" {
		x, margin = 100*x, max(100*a.margin(), b.margin())
	}
	if b.Unite == "ratio" && a.Unite == "%" {
		y, margin = 100*y, max(a.margin(), 100*b.margin())
	}
	return math.Abs(x-y) > margin
}

// sameYear says whether two years may be one: an unprinted one may be any.
func sameYear(a, b string) bool { return a == b || a == "" || b == "" }

func sameUnit(a, b string) bool { return a == b || isShare(a) && isShare(b) }

func isShare(unit string) bool { return unit == "%" || unit == "ratio" }

// find is the statement of the same figure for another sex.
func find(list []Statement, a Statement, sexe string) *Statement {
	i := slices.IndexFunc(list, func(s Statement) bool { return s.of(a) && s.Sexe == sexe && sameYear(s.Annee, a.Annee) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// population is the printed population of a zone in a year.
func population(list []Statement, zone, year string) *Statement {
	i := slices.IndexFunc(list, func(s Statement) bool {
		return s.Zone == zone && s.Indicateur == populationVariable && s.Annee == year && cmp.Or(s.Sexe, "T") == "T"
	})
	if i < 0 {
		return nil
	}
	return &list[i]
}
