package indicators

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"observatoire/geo"
)

// minArealCoverage is the share of a quarter that the IRIS must cover for nothing to be said about it.
const minArealCoverage = 0.995

// jump is the change between two consecutive millésimes beyond which a person should look: in points for a
// percentage, relative otherwise.
const (
	jumpPoints   = 10
	jumpRelative = 0.3
)

// review lists what a person should look at before publishing.
func (c *computation) review(r Result) []Alerte {
	out := c.reviewZones()
	out = append(out, c.reviewSources()...)
	compared := NewComparison(c.Sources, c.Definitions, c.Compared)
	compared.Add(c.Columns)
	out = append(out, compared.Alertes()...)
	out = append(out, reviewSeries(r)...)
	out = append(out, reviewBounds(r)...)
	return append(out, c.reviewIdentical(r)...)
}

// reviewZones reports the quarters that the IRIS do not cover whole, and the slivers.
func (c *computation) reviewZones() []Alerte {
	var out []Alerte
	for _, layer := range c.order {
		if !slices.Contains(c.Studied, layer.Level()) {
			continue
		}
		for _, source := range c.order {
			list := c.parts[partsKey{layer, source}]
			for z, parts := range list {
				zone := c.layers[layer].Zones[z]
				if zone.Geom == nil {
					continue
				}
				if cover := total(parts); cover < minArealCoverage {
					out = append(out, Alerte{ID: fmt.Sprintf("couverture:%s:%s:%s", layer, zone.Code, source),
						Kind: "couverture", Gravite: "attention", Objet: zone.Code,
						Message: fmt.Sprintf("%s n'est couvert qu'à %s %% par les contours %s", label(zone.Name, zone.Code),
							FrenchNumber(100*cover, 1), source)})
				}
				for _, p := range parts {
					if p.sliver {
						iris := c.layers[source].Zones[p.zone]
						out = append(out, Alerte{ID: fmt.Sprintf("lisere:%s:%s:%s:%s", layer, zone.Code, source, iris.Code),
							Kind: "lisere", Gravite: "information", Objet: zone.Code,
							Message: fmt.Sprintf("liseré de %s %% de %s dans %s (%s) : compté dans la mesure, pas parmi les IRIS recoupés",
								FrenchNumber(100*p.of, 2), label(zone.Name, zone.Code), label(iris.Name, iris.Code), source)})
					}
				}
			}
		}
	}
	return out
}

// reviewSources reports codes no layer holds, millésimes the producer does not give, and a geography met with
// the contours of another year.
func (c *computation) reviewSources() []Alerte {
	var out []Alerte
	for _, s := range c.Sources {
		told := map[string]int{}
		for _, remarque := range s.Remarques {
			a := Alerte{Kind: "lecture", Gravite: "information", Objet: s.File, Message: remarque}
			if gravite, kind, message, ok := remarked(remarque); ok {
				a.Gravite, a.Kind, a.Message = gravite, kind, message
			}
			told[a.Kind]++ // the id is not of its words, which may be written better
			a.ID = fmt.Sprintf("lecture:%s:%s:%d", s.ID, a.Kind, told[a.Kind])
			out = append(out, a)
		}
		if s.Unverified {
			out = append(out, Alerte{ID: "fiche:" + s.ID, Kind: "fiche", Gravite: "attention", Objet: s.File,
				Message: fmt.Sprintf("la fiche %s a été écrite d'après la seule documentation : comparer quelques chiffres avec le fichier", s.Card)})
		}
		if n := len(s.Unknown); n > 0 {
			out = append(out, Alerte{ID: "code_inconnu:" + s.ID, Kind: "code_inconnu", Gravite: "attention", Objet: s.File,
				Message: fmt.Sprintf("%d code(s) du département absents de la géographie : %s", n, some(s.Unknown, 5))})
		}
	}
	for _, layer := range c.order {
		if c.layers[layer].Drawn() {
			continue
		}
		var drawn []string // contours that could serve, if someone says so
		for _, other := range c.order {
			if other.Level() == layer.Level() && c.layers[other].Drawn() {
				drawn = append(drawn, string(other))
			}
		}
		if len(drawn) > 0 && c.layers[layer].Zones != nil && c.layers[layer].Zones[0].Members == nil {
			out = append(out, Alerte{ID: "contours:" + string(layer), Kind: "contours", Gravite: "attention", Objet: string(layer),
				Message: fmt.Sprintf("le projet n'a pas les contours %s : leurs chiffres ne sont ni portés aux quartiers ni dessinés. "+
					"Si ceux de %s conviennent, l'écrire : geography_as: {%s: %s}", layer, strings.Join(drawn, " ou "), layer, drawn[len(drawn)-1])})
		}
	}
	type met struct{ own, as string }
	seen := map[met][]string{}
	for _, k := range c.keys {
		if f := c.facts[k]; f.As != "" {
			m := met{string(f.As), string(k.Layer)}
			if !slices.Contains(seen[m], k.Variable) {
				seen[m] = append(seen[m], k.Variable)
			}
		}
	}
	for m, vars := range seen {
		out = append(out, Alerte{ID: "geographie:" + m.own + ":" + m.as, Kind: "geographie", Gravite: "attention",
			Objet: m.own, Message: fmt.Sprintf("figures de %s rapprochées des contours %s (%d variables) : même code ne veut pas dire même lieu ; fiabilité au plus moyenne",
				m.own, m.as, len(vars))})
	}
	return out
}

// reviewSeries reports jumps between consecutive millésimes of a shown series by one method, series whose method
// changes on the way, and series without millésime.
func reviewSeries(r Result) []Alerte {
	var out []Alerte
	const maxCodesSaid = 6
	defs := map[string]*Definition{}
	for i := range r.Indicators {
		defs[r.Indicators[i].ID] = &r.Indicators[i]
	}
	unknown := map[string]int{}
	type line struct{ indicateur, couche, code, sexe string }
	last := map[string]*Value{} // by sex, of the zone at hand: values are in order
	var at line
	// A series of one zone passes once from a method to another; the zones that pass alike are told together.
	type turn struct {
		indicateur, couche, avant, apres string
		de, a                            int
	}
	turned := map[line]bool{}
	turns := map[turn][]string{} // → codes, in order
	for i := range r.Values {
		v := &r.Values[i]
		if !v.Retenue || v.Statut != Disponible || v.Couche.Level() == "iris" {
			continue
		}
		if v.Millesime <= 0 {
			unknown[v.Indicateur]++
			continue
		}
		l := line{v.Indicateur, string(v.Couche), v.Code, v.Sexe}
		if l.code != at.code || l.couche != at.couche || l.indicateur != at.indicateur {
			at = l
			clear(last)
		}
		before, ok := last[v.Sexe]
		last[v.Sexe] = v
		if !ok {
			continue
		}
		if before.Methode != v.Methode { // not a move of the quarter: one alert says so for the whole series
			if !turned[l] {
				turned[l] = true
				t := turn{v.Indicateur, string(v.Couche), before.Methode, v.Methode, before.Millesime, v.Millesime}
				if !slices.Contains(turns[t], v.Code) { // already there for another sex
					turns[t] = append(turns[t], v.Code)
				}
			}
			continue
		}
		d := defs[v.Indicateur]
		change, unit := v.V-before.V, "points"
		big := change > jumpPoints || change < -jumpPoints
		if d.Unit != "%" {
			if before.V == 0 {
				continue
			}
			change, unit = 100*(v.V-before.V)/before.V, "%"
			big = change > 100*jumpRelative || change < -100*jumpRelative
		}
		if big {
			out = append(out, Alerte{ID: fmt.Sprintf("saut:%s:%s:%s:%s:%d", v.Indicateur, v.Couche, v.Code, v.Sexe, v.Millesime),
				Kind: "saut", Gravite: "attention", Objet: v.Code, Message: fmt.Sprintf("%s (%s) passe de %s à %s entre %d et %d : %s %s",
					d.Label, v.Code, FrenchNumber(before.V, d.Decimals), FrenchNumber(v.V, d.Decimals), before.Millesime, v.Millesime,
					FrenchSigned(change, 1), unit)})
		}
	}
	for t, codes := range turns {
		slices.Sort(codes)
		zones := strings.Join(codes[:min(len(codes), maxCodesSaid)], ", ")
		if more := len(codes) - maxCodesSaid; more > 0 {
			zones += fmt.Sprintf(" et %d de plus", more)
		}
		out = append(out, Alerte{ID: fmt.Sprintf("methode:%s:%s:%s:%s:%d:%d", t.indicateur, t.couche, t.avant, t.apres, t.de, t.a),
			Kind: "methode", Gravite: "information", Objet: t.indicateur,
			Message: fmt.Sprintf("%s : la méthode passe de « %s » à « %s » entre %d et %d ; ces années ne se comparent pas (%s : %s)",
				defs[t.indicateur].Label, t.avant, t.apres, t.de, t.a, t.couche, zones)})
	}
	for id, n := range unknown {
		out = append(out, Alerte{ID: "millesime:" + id, Kind: "millesime", Gravite: "attention", Objet: id,
			Message: fmt.Sprintf("%s : %d valeur(s) dont le producteur ne donne pas le millésime ; ni écart, ni rang", defs[id].Label, n)})
	}
	return out
}

// roundingOver is how far over 100 a percentage may be whose two terms are each an estimate of the census.
const roundingOver = 5

// reviewBounds holds back the figures to be shown that cannot be: a percentage under 0 or well over 100, a count under 0.
func reviewBounds(r Result) []Alerte {
	const said = 6
	type column struct {
		indicateur, kind string
		millesime        int
	}
	defs := map[string]*Definition{}
	for i := range r.Indicators {
		defs[r.Indicators[i].ID] = &r.Indicators[i]
	}
	found := map[column][]string{}
	for i := range r.Values {
		v := &r.Values[i]
		d := defs[v.Indicateur]
		if !v.Retenue || v.Statut != Disponible || d.Unbounded {
			continue
		}
		at := column{v.Indicateur, "", v.Millesime}
		switch {
		case d.Unit == "%" && (v.V < 0 || v.V > 100+roundingOver):
			at.kind = "bornes"
		case d.Rule == Somme && v.V < 0:
			at.kind = "negatif"
		default:
			continue
		}
		figure := fmt.Sprintf("%s : %s", v.Code, FrenchNumber(v.V, d.Decimals))
		if v.Sexe != "T" {
			figure = fmt.Sprintf("%s (%s) : %s", v.Code, v.Sexe, FrenchNumber(v.V, d.Decimals))
		}
		found[at] = append(found[at], figure+" ("+v.Source+")")
	}
	var out []Alerte
	for at, figures := range found {
		what, cause := "hors de 0 à 100 %", "un effectif pris pour une part, une virgule décimale perdue, ou un dénominateur d'une autre année"
		if at.kind == "negatif" {
			what, cause = "négatives, alors que ce sont des effectifs", "un code d'absence (-1, -999), ou une différence mise à la place du chiffre"
		}
		list := strings.Join(figures[:min(said, len(figures))], " ; ")
		if more := len(figures) - said; more > 0 {
			list += fmt.Sprintf(" et %d de plus", more)
		}
		d := defs[at.indicateur]
		out = append(out, Alerte{ID: fmt.Sprintf("%s:%s:%d", at.kind, at.indicateur, at.millesime), Kind: at.kind, Gravite: "bloquante", Objet: at.indicateur,
			Message: fmt.Sprintf("%s, %s : %d valeur(s) à publier sont %s : %s. Cause probable : %s. À faire : corriger le fichier, ou la cellule dans corrections.csv (retirer) ; "+
				"si l'indicateur peut prendre ces valeurs, unbounded: true dans sa définition.", d.Label, LabelMillesime(at.millesime), len(figures), what, list, cause)})
	}
	return out
}

// reviewIdentical reports quarters whose estimates are equal because they rest on the same source zones: the
// figures do not tell them apart. Their reliability says so too.
func (c *computation) reviewIdentical(r Result) []Alerte {
	type group struct {
		key     Key
		methode string
		iris    string // the source zones
		v       float64
	}
	groups := map[group][]int{}
	cuts := map[zoneKey]string{}
	for i := range r.Values {
		v := &r.Values[i]
		if v.Nature == Estimation && v.Statut == Disponible && v.Retenue && slices.Contains(c.Studied, v.Couche.Level()) &&
			!strings.HasPrefix(string(v.Couche), "quartier_vecu") { // which is meant to hold its quarter
			k := v.Key
			k.Couche = "" // a QPV and a quartier de veille may share their IRIS
			at := zoneKey{v.Couche, v.Code}
			if _, made := cuts[at]; !made {
				z, _ := c.layers[v.Couche].Index(v.Code)
				cuts[at] = c.cut(v.Couche, z)
			}
			g := group{k, v.Methode, cuts[at], v.V}
			groups[g] = append(groups[g], i)
		}
	}
	pairs := map[string]int{}
	for _, members := range groups {
		if len(members) < 2 {
			continue
		}
		var codes []string
		for _, i := range members {
			v := &r.Values[i]
			v.Fiabilite = Insuffisante
			v.Note = joinNotes(v.Note, "mêmes IRIS qu'un autre quartier : ne les distingue pas")
			codes = append(codes, v.Code)
		}
		slices.Sort(codes)
		pairs[strings.Join(codes, ", ")]++
	}
	var out []Alerte
	for codes, n := range pairs {
		out = append(out, Alerte{ID: "identique:" + codes, Kind: "identique", Gravite: "attention", Objet: codes,
			Message: fmt.Sprintf("%s : %d valeur(s) identiques, tirées des mêmes IRIS ; elles ne distinguent pas ces quartiers", codes, n)})
	}
	return out
}

// cut lists the IRIS a quarter cuts, on every vintage of contours.
func (c *computation) cut(layer geo.Layer, z int) string {
	var b strings.Builder
	for _, source := range c.order {
		list := c.parts[partsKey{layer, source}]
		if list == nil {
			continue
		}
		zones := []int{}
		for _, p := range list[z] {
			if !p.sliver {
				zones = append(zones, p.zone)
			}
		}
		slices.Sort(zones)
		fmt.Fprintf(&b, "%s%v", source, zones)
	}
	return b.String()
}

func label(name, code string) string {
	if name == "" {
		return code
	}
	return name
}

// some shows the first n of a list.
func some(list []string, n int) string {
	list = slices.Clone(list)
	slices.SortFunc(list, cmp.Compare[string])
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + fmt.Sprintf("… et %d autres", len(list)-n)
}
