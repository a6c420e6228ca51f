package tiles

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"observatoire/geo"
	"observatoire/indicators"
)

// The French sentences of portraits and notes are written from figures by the rules below. A sentence states only what the
// edition says: a gap, an evolution or a rank that a guard refused has no sentence, nor has a figure of insufficient reliability,
// nor a difference that the uncertainty of the figure covers.

// A noun is how the first word of an indicator's label is spoken of.
type noun struct{ feminine, plural bool }

// nouns are the first words of labels. A label that begins with another one is quoted as it is, followed by a colon.
var nouns = map[string]noun{
	"Part": {feminine: true}, "Taux": {}, "Revenu": {}, "Indice": {}, "Rapport": {}, "Niveau": {}, "Évolution": {feminine: true},
	"Population": {feminine: true}, "Accessibilité": {feminine: true}, "Nombre": {}, "Premier": {}, "Deuxième": {}, "Troisième": {}, "Neuvième": {},
	"Densité": {feminine: true}, "Proportion": {feminine: true}, "Montant": {}, "Loyer": {}, "Âge": {}, "Délai": {}, "Prix": {}, "Distance": {feminine: true},
	"Bénéficiaires": {plural: true}, "Demandeurs": {plural: true}, "Logements": {plural: true}, "Ménages": {plural: true}, "Personnes": {feminine: true, plural: true},
	"Enfants": {plural: true}, "Allocataires": {plural: true},
}

// A subject is an indicator as the subject of a sentence: "la part des familles monoparentales parmi les familles".
type subject struct {
	noun
	text string
}

// subjectOf words an indicator's label; ok is false when its first word is not known.
func subjectOf(d *indicators.Definition) (s subject, ok bool) {
	head, _, _ := strings.Cut(d.Label, " ")
	n, ok := nouns[head]
	if !ok {
		return subject{}, false
	}
	text := d.Label
	if base := d.Population(); strings.HasPrefix(base, "parmi ") {
		main, _, _ := strings.Cut(d.Label, " (parmi ")
		base, _, _ = strings.Cut(base, " ;")
		text = main + " " + base
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToLower(first)) + text[size:]
	switch {
	case n.plural:
		text = "les " + text
	case elided(text):
		text = "l'" + text
	case n.feminine:
		text = "la " + text
	default:
		text = "le " + text
	}
	return subject{n, text}, true
}

// elided says whether le, la and de lose their vowel before a word.
func elided(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return strings.ContainsRune("aeiouyâàéèêëîïôûùhœæ", unicode.ToLower(r))
}

// deFR is "de" before the name of a place: d'Istres, de Miramas, du Puy, des Pennes-Mirabeau, de La Ciotat.
func deFR(name string) string {
	switch {
	case strings.HasPrefix(name, "Le "):
		return "du " + name[len("Le "):]
	case strings.HasPrefix(name, "Les "):
		return "des " + name[len("Les "):]
	case elided(name):
		return "d'" + name
	}
	return "de " + name
}

// capital begins a sentence.
func capital(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}

// ordinalFR is a rank: 1er or 1re, 2e.
func ordinalFR(n int, feminine bool) string {
	switch {
	case n == 1 && feminine:
		return "1re"
	case n == 1:
		return "1er"
	}
	return strconv.Itoa(n) + "e"
}

// trimmed is a number without the decimals that say nothing: 6, not 6,0.
func trimmed(v float64, decimals int) string {
	s := indicators.FrenchNumber(v, decimals)
	if strings.ContainsRune(s, ',') {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ",")
	}
	return s
}

// told rounds a figure as far as its reliability allows: fragile ones lose their decimals, and amounts and counts their last digits.
func told(d *indicators.Definition, v float64, fragile bool) (text string) {
	decimals := d.Decimals
	if fragile {
		switch {
		case decimals == 0 && math.Abs(v) >= 1000:
			v = math.Round(v/100) * 100
		case decimals == 0 && math.Abs(v) >= 100:
			v = math.Round(v/10) * 10
		case d.Unit == "%":
			decimals = 0
		}
	}
	return spoken(v, decimals, d.Unit)
}

// spoken is a number with its unit, in words a sentence can hold; what is written decides of the plural, which begins at 2.
func spoken(v float64, decimals int, unit string) string {
	const space = "\u00a0"
	number := trimmed(v, decimals)
	if amount, per, ok := strings.Cut(unit, "/"); ok && isAmount(amount) {
		return number + space + amount + " par " + per
	}
	switch unit {
	case "", "ratio", "indice":
		return number
	case "points", "habitants", "personnes", "ménages", "logements", "enfants", "allocataires":
		if scale := math.Pow10(decimals); math.Round(math.Abs(v)*scale) < 2*scale {
			unit = strings.TrimSuffix(unit, "s")
		}
	}
	return number + space + unit
}

func isAmount(unit string) bool { return unit == "€" || unit == "EUR" }

// about is "de" or "d'environ" before a figure.
func about(fragile bool) string {
	if fragile {
		return "d'environ "
	}
	return "de "
}

// reliable says whether a sentence may rest on a figure.
func reliable(v *indicators.Value) bool {
	return v != nil && v.Statut == indicators.Disponible && v.Millesime > 0 && v.Fiabilite >= indicators.Fragile
}

// beyond says whether a value lies apart from another, its own uncertainty taken in: the confidence interval where it is known, and of
// an estimate the range of the methods.
func beyond(v *indicators.Value, other float64) bool {
	if v.IC95Bas.OK && v.IC95Haut.OK && other >= v.IC95Bas.V && other <= v.IC95Haut.V {
		return false
	}
	return v.Nature != indicators.Estimation || !v.Min.OK || !v.Max.OK || other < v.Min.V || other > v.Max.V
}

// inFR is "in" a reference territory.
func inFR(l geo.Layer, set *layer) string {
	switch l.Level() {
	case "commune", "region":
		return "dans la " + referenceFR(l, set)
	case "perimetre_contrat", "departement":
		return "dans le " + referenceFR(l, set)
	case "epci":
		return "dans l'" + referenceFR(l, set)
	case "france":
		return "en France"
	case "metropole":
		return "en France métropolitaine"
	}
	return "dans le territoire « " + referenceFR(l, set) + " »"
}

// difference words a gap: "6 points de plus", "12,3 % de moins"; "" when rounding leaves none.
func difference(d *indicators.Definition, gap float64, unit string, fragile bool) string {
	decimals := 1
	if unit != "points" && unit != "%" {
		decimals = d.Decimals
	}
	if fragile && (unit == "points" || unit == "%") {
		decimals = 0
	}
	if trimmed(math.Abs(gap), decimals) == "0" {
		return ""
	}
	way := " de plus"
	if gap < 0 {
		way = " de moins"
	}
	return spoken(math.Abs(gap), decimals, unit) + way
}

// gapSentence says how a quarter stands to one or two of its references: "En 2018, la part de … est de 18,5 %, soit 6 points de plus que
// dans la commune (12,5 %)." It is empty when nothing can be said.
func (s *Snapshot) gapSentence(d *indicators.Definition, v *indicators.Value, ecarts []*indicators.Ecart) string {
	sub, ok := subjectOf(d)
	if !ok || !reliable(v) {
		return ""
	}
	fragile := v.Fiabilite == indicators.Fragile
	verb := " est "
	if sub.plural {
		verb = " sont "
	}
	text := "En " + strconv.Itoa(v.Millesime) + ", " + sub.text + verb + about(fragile) + told(d, v.V, fragile) + sexeOf(v.Sexe)
	var gaps []string
	for _, x := range nearAndFar(ecarts) {
		_, ref := s.gapValues.Of(*x)
		if ref.Fiabilite < indicators.Fragile {
			continue
		}
		approx := fragile || ref.Fiabilite == indicators.Fragile
		where := inFR(x.Reference, s.byName[x.Reference]) + " (" + told(d, ref.V, ref.Fiabilite == indicators.Fragile) + ")"
		gap := difference(d, x.Ecart.V, x.Unite, approx)
		switch {
		case !beyond(v, ref.V):
			gaps = append(gaps, "sans écart assuré avec la valeur relevée "+where)
		case gap == "":
			gaps = append(gaps, "comme "+where)
		case approx:
			gaps = append(gaps, "environ "+gap+" que "+where)
		default:
			gaps = append(gaps, gap+" que "+where)
		}
	}
	switch {
	case len(gaps) == 0:
	case strings.HasPrefix(gaps[0], "sans ") || strings.HasPrefix(gaps[0], "comme "):
		text += ", " + strings.Join(gaps, ", ")
	default:
		text += ", soit " + strings.Join(gaps, " et ")
	}
	return text + "."
}

// sexeOf is whom a figure is of, after it.
func sexeOf(sexe string) string {
	switch sexe {
	case "F":
		return " pour les femmes"
	case "H":
		return " pour les hommes"
	}
	return ""
}

// nearAndFar are the available gaps to the nearest reference that includes the quarter and to the widest one.
func nearAndFar(ecarts []*indicators.Ecart) []*indicators.Ecart {
	var list []*indicators.Ecart
	for _, x := range ecarts {
		if x.Statut == indicators.Disponible && x.Ecart.OK && x.ReferenceInclut {
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, func(a, b *indicators.Ecart) int { return referenceRank(a.Reference) - referenceRank(b.Reference) })
	if len(list) > 2 {
		list = []*indicators.Ecart{list[0], list[len(list)-1]}
	}
	return list
}

// rankSentence places a quarter among the others; empty where there is no rank, or too few to rank.
func rankSentence(d *indicators.Definition, r *indicators.Rang, level string) string {
	sub, ok := subjectOf(d)
	if !ok || r.Statut != indicators.Disponible || r.Rang == 0 || r.Sur < 3 {
		return ""
	}
	among := "des " + strconv.Itoa(r.Sur) + " " + quartersFR(level)
	place := "au " + ordinalFR(r.Rang, false) + " rang " + among
	if r.Rang == 1 {
		place = "au premier rang " + among
	}
	if r.ExAequo > 1 {
		place += ", ex æquo"
	}
	return "Pour " + sub.text + ", le quartier est " + place + " classés, du plus élevé au moins élevé (" + strconv.Itoa(r.Millesime) + ")."
}

// sexSentence compares women and men; empty when the two cannot be told apart.
func sexSentence(d *indicators.Definition, x *indicators.EcartSexe, women, men *indicators.Value) string {
	sub, ok := subjectOf(d)
	if !ok || x.Statut != indicators.Disponible || !x.Ecart.OK || !reliable(women) || !reliable(men) || !apart(women, men) {
		return ""
	}
	fragile := women.Fiabilite == indicators.Fragile || men.Fiabilite == indicators.Fragile
	gap := difference(d, x.Ecart.V, x.Unite, fragile)
	if gap == "" {
		return ""
	}
	if fragile {
		gap = "environ " + gap
	}
	verb := " est "
	if sub.plural {
		verb = " sont "
	}
	return "En " + strconv.Itoa(x.Millesime) + ", " + sub.text + verb + about(women.Fiabilite == indicators.Fragile) + told(d, women.V, women.Fiabilite == indicators.Fragile) +
		" pour les femmes et " + about(men.Fiabilite == indicators.Fragile) + told(d, men.V, men.Fiabilite == indicators.Fragile) + " pour les hommes, soit " + gap + " pour les femmes."
}

// apart says whether neither figure lies within the uncertainty of the other, nor the two uncertainties meet.
func apart(a, b *indicators.Value) bool {
	span := func(v *indicators.Value) (lo, hi float64) {
		lo, hi = v.V, v.V
		if v.IC95Bas.OK && v.IC95Haut.OK {
			lo, hi = v.IC95Bas.V, v.IC95Haut.V
		}
		if v.Nature == indicators.Estimation && v.Min.OK && v.Max.OK {
			lo, hi = min(lo, v.Min.V), max(hi, v.Max.V)
		}
		return lo, hi
	}
	alo, ahi := span(a)
	blo, bhi := span(b)
	return ahi < blo || bhi < alo
}

// moveSentence says how a value moved, when the edition concludes that it did; gap is the evolution of its gap to the nearest reference
// over the same years, or nil.
func (s *Snapshot) moveSentence(d *indicators.Definition, x *indicators.Evolution, before, after *indicators.Value, gap *indicators.Evolution) string {
	sub, ok := subjectOf(d)
	if !ok || x.Statut != indicators.Disponible || x.Verdict != "hausse" && x.Verdict != "baisse" || !reliable(before) || !reliable(after) {
		return ""
	}
	fragile := before.Fiabilite == indicators.Fragile || after.Fiabilite == indicators.Fragile
	verb, way := " a ", "augmenté "
	if sub.plural {
		verb = " ont "
	}
	if x.Verdict == "baisse" {
		way = "baissé "
	}
	moved := strings.TrimSuffix(strings.TrimSuffix(difference(d, x.Evolution.V, x.Unite, fragile), " de plus"), " de moins")
	if moved == "" {
		return ""
	}
	text := "Entre " + strconv.Itoa(x.Depuis) + " et " + strconv.Itoa(x.Millesime) + ", " + sub.text + verb + way + about(fragile) + moved + sexeOf(x.Sexe) +
		" (" + told(d, before.V, before.Fiabilite == indicators.Fragile) + ", puis " + told(d, after.V, after.Fiabilite == indicators.Fragile) + ")"
	if gap != nil && gap.Statut == indicators.Disponible {
		to := strings.TrimPrefix(strings.TrimPrefix(inFR(gap.Reference, s.byName[gap.Reference]), "dans "), "en ")
		if rest, ok := strings.CutPrefix(to, "le "); ok {
			to = "au " + rest
		} else {
			to = "à " + to
		}
		switch gap.Verdict {
		case "se creuse":
			text += " ; l'écart " + to + " s'est creusé"
		case "se réduit":
			text += " ; l'écart " + to + " s'est réduit"
		case "stable":
			text += " ; l'écart " + to + " est resté stable"
		}
	}
	return text + "."
}

// quartersFR names the quarters of a level, in the plural.
func quartersFR(level string) string {
	switch level {
	case "qpv":
		return "quartiers prioritaires"
	case "veille":
		return "quartiers de veille active"
	}
	return "quartiers"
}

// kindFR says what a quarter is.
func kindFR(level string) string {
	switch level {
	case "qpv":
		return "quartier prioritaire de la politique de la ville"
	case "veille":
		return "quartier de veille active"
	case "quartier_vecu":
		return "quartier vécu"
	}
	return level
}
