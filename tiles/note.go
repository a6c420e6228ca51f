package tiles

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"observatoire/indicators"
)

// What a note holds at most of each kind.
const (
	noteFacts = 4  // sentences a quarter
	noteWatch = 25 // lines of the watch list
)

// Note is the synthesis for the steering committee: gaps and how they moved, the balance sheet of the quarters under watch, what to keep
// an eye on, what could not be said and why. date is the day of publication, AAAA-MM-JJ; empty for a draft.
func (s *Snapshot) Note(date string) (*Document, error) {
	return s.report("Note de synthèse", date, false)
}

// AnnualReport is the statistical annex of the yearly report on politique de la ville: the same, with the key figures of each quarter.
func (s *Snapshot) AnnualReport(date string) (*Document, error) {
	return s.report("Annexe statistique du rapport annuel sur la politique de la ville", date, true)
}

func (s *Snapshot) report(title, date string, figures bool) (*Document, error) {
	e := s.edition
	when := "brouillon de l'édition " + e.ID
	if date != "" {
		when = "édition " + e.ID + " du " + dateFR(date)
	}
	d := &Document{Title: title, Subtitle: e.Title + " – " + when}
	add := func(b ...Block) { d.Blocks = append(d.Blocks, b...) }
	zones := s.Portraits()
	var all []*portraitist
	used := map[*indicators.Value]bool{}
	for _, zone := range zones {
		p := s.portraitist(zone)
		p.used = used
		p.choose()
		p.v.Place = s.placeOf(zone)
		p.rows()
		p.sentences()
		p.comment()
		all = append(all, p)
	}
	byLevel := map[string]int{}
	for _, z := range zones {
		byLevel[z.Layer.Level()]++
	}
	var counts []string
	for _, x := range []struct{ level, one, many string }{{"qpv", "quartier prioritaire", "quartiers prioritaires"}, {"veille", "quartier de veille active", "quartiers de veille active"}, {"quartier_vecu", "quartier vécu", "quartiers vécus"}} {
		if n := byLevel[x.level]; n > 0 {
			counts = append(counts, plural(n, x.one, x.many))
		}
	}
	moves, watchList := s.watched()
	add(Block{Level: 1, Heading: "L'essentiel"})
	if len(counts) == 0 {
		add(Block{Text: "L'édition n'a de chiffre d'aucun quartier."})
	} else {
		essential := []string{"L'édition porte sur " + joinFR(counts) + " et " + plural(len(e.Indicators), "indicateur", "indicateurs") + "."}
		good, bad := s.readings()
		if good+bad > 0 {
			essential = append(essential, plural(good+bad, "écart à la commune dépasse", "écarts à la commune dépassent")+" l'incertitude des chiffres pour l'année la plus récente : "+
				plural(bad, "est défavorable", "sont défavorables")+" au quartier, "+plural(good, "lui est favorable", "lui sont favorables")+".")
		}
		if moves > 0 {
			essential = append(essential, plural(moves, "évolution récente est assurée", "évolutions récentes sont assurées")+", dont "+plural(len(watchList), "défavorable", "défavorables")+".")
		}
		add(Block{List: essential})
	}
	if e.Schematic {
		add(Block{Text: schematicWarning})
	}
	section := func(level, heading, none string) {
		add(Block{Level: 1, Heading: heading})
		said := false
		for _, p := range all {
			if p.z.layer.set.Layer.Level() != level {
				continue
			}
			said = true
			list := p.v.Facts[:min(noteFacts, len(p.v.Facts))]
			list = append(slices.Clone(list), p.v.Moves[:min(2, len(p.v.Moves))]...)
			add(Block{Level: 2, Heading: p.v.Name}, Block{List: list})
			if figures {
				add(p.table())
			}
			if len(p.v.Comment) > 0 {
				add(Block{Text: "Commentaire : " + strings.Join(p.v.Comment, " ")})
			}
		}
		if !said {
			add(Block{Text: none})
		}
	}
	if glance := s.glance(all); glance.Rows != nil {
		add(Block{Level: 1, Heading: "Les écarts à la commune en un coup d'œil"}, glance,
			Block{Text: "Entre parenthèses, l'écart à la commune, puis l'année. « – » : pas de chiffre, pas de comparaison possible, ou un chiffre de fiabilité insuffisante ; jamais un zéro."})
	}
	section("qpv", "Les quartiers prioritaires : écarts et évolutions", "L'édition n'a de chiffre d'aucun quartier prioritaire.")
	section("veille", "Bilan de la veille active", "L'édition n'a de chiffre d'aucun quartier de veille active.")
	if rows := s.relative(); len(rows) > 0 {
		add(Block{Text: "Évolution relative à des territoires de comparaison. Elle dit si l'écart se creuse ou se réduit ; elle n'établit pas de cause."},
			Block{Head: []string{"Quartier", "Indicateur", "Comparé à", "Années", "Évolution de l'écart", "Verdict"}, Rows: rows})
	} else if byLevel["veille"] > 0 {
		add(Block{Text: "Aucune évolution relative à un territoire de comparaison ne peut être donnée : il faut deux millésimes comparables du quartier et de son territoire."})
	}
	if byLevel["quartier_vecu"] > 0 {
		section("quartier_vecu", "Les quartiers vécus", "")
	}
	add(Block{Level: 1, Heading: "À surveiller"})
	if len(watchList) == 0 {
		add(Block{Text: "Aucune évolution défavorable n'est assurée au-delà de l'incertitude des chiffres."})
	} else {
		add(Block{Text: "Les dernières évolutions défavorables au quartier, au-delà de l'incertitude des chiffres."},
			Block{Head: []string{"Quartier", "Indicateur", "Années", "De", "À", "Évolution"}, Rows: watchList[:min(noteWatch, len(watchList))], Numbers: 3})
		if n := len(watchList) - noteWatch; n > 0 {
			add(Block{Text: plural(n, "autre ligne est", "autres lignes sont") + " dans la feuille « " + SheetEvolutions + " » du classeur."})
		}
	}
	add(Block{Level: 1, Heading: "Ce qui n'a pas pu être dit, et pourquoi"})
	rows, missing := s.refusals()
	if len(rows) > 0 {
		add(Block{Head: []string{"Motif", "Comparaisons"}, Rows: rows, Numbers: 1})
	} else {
		add(Block{Text: "Aucune comparaison n'a été refusée."})
	}
	if missing > 0 {
		add(Block{Text: plural(missing, "autre écart manque", "autres écarts manquent") + " parce que le chiffre du quartier, ou celui de la référence pour la même année, n'est pas publié ou est secret."})
	}
	add(Block{Level: 1, Heading: "Méthode"}, Block{Text: "Les chiffres publiés par un producteur pour le quartier sont repris tels quels. À défaut, le chiffre est estimé à partir des IRIS que le quartier recoupe, par une méthode nommée dans le classeur, et sa fiabilité est dite. Un chiffre fragile est arrondi et précédé de « environ » ; un chiffre de fiabilité insuffisante n'est pas commenté. Un écart ou une évolution n'est commenté qu'au-delà de l'incertitude. Rien ici n'établit de cause."})
	d.Caption = s.captionOf(used)
	return d, nil
}

// placeOf names the communes of a quarter.
func (s *Snapshot) placeOf(zone PortraitZone) string {
	z := &zone.z.layer.set.Zones[zone.z.i]
	return cmp.Or(s.communes(z.Commune), s.communeAt(z))
}

// table is the key figures of a quarter.
func (p *portraitist) table() Block {
	b := Block{Head: []string{"Indicateur", "Année", "Quartier"}, Numbers: 1}
	for _, r := range p.v.Refs {
		b.Head = append(b.Head, strings.TrimSpace(r.Title))
	}
	for _, r := range p.v.Rows {
		label := r.Label
		if r.Mark != "" {
			label += " – " + r.Mark
		}
		row := []string{label, r.Year, r.Value.Text}
		for _, c := range r.Refs {
			text := c.Text
			if c.Gap != "" {
				text += " (" + c.Gap + ")"
			}
			row = append(row, text)
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

// readings counts the gaps of the quarters' latest figures to their commune that uncertainty does not cover.
func (s *Snapshot) readings() (good, bad int) {
	for _, zone := range s.Portraits() {
		f := s.facts()[quarterID{zone.Layer, zone.Code}]
		for id, d := range s.defs {
			v := f.shownYear(id, "T")
			if v == nil {
				continue
			}
			for _, x := range f.ecarts[v.Key] {
				if x.Reference.Level() != "commune" || !x.ReferenceInclut {
					continue
				}
				own, ref := s.gapValues.Of(*x)
				switch reading(d, x, &own, &ref) {
				case readingGood:
					good++
				case readingBad:
					bad++
				}
				break
			}
		}
	}
	return good, bad
}

// watched counts the latest evolutions that are conclusive, and lists those unfavourable to a quarter.
func (s *Snapshot) watched() (moves int, rows [][]string) {
	for _, zone := range s.Portraits() {
		f := s.facts()[quarterID{zone.Layer, zone.Code}]
		for i := range s.edition.Indicators {
			d := &s.edition.Indicators[i]
			x := f.move(d.ID, "T", false)
			if x == nil || x.Verdict != "hausse" && x.Verdict != "baisse" {
				continue
			}
			before, after := f.at(d.ID, "T", x.Depuis), f.at(d.ID, "T", x.Millesime)
			if !reliable(before) || !reliable(after) {
				continue
			}
			moves++
			if x.Lecture == "défavorable" {
				unit := x.Unite
				if unit == "points" {
					unit = "pt"
				}
				rows = append(rows, []string{zone.Name, d.Label, strconv.Itoa(x.Depuis) + "–" + strconv.Itoa(x.Millesime),
					withUnit(before.V, d.Decimals, d.Unit), withUnit(after.V, d.Decimals, d.Unit), indicators.FrenchSigned(x.Evolution.V, 1) + "\u00a0" + unit})
			}
		}
	}
	return moves, rows
}

// relative lists how quarters under watch moved beside their comparison territories.
func (s *Snapshot) relative() (rows [][]string) {
	for _, x := range s.edition.Evolutions {
		if !x.Comparaison || x.Couche.Level() != "veille" || x.Sexe != "T" || !x.Conclusive() {
			continue
		}
		d := s.defs[x.Indicateur]
		if d == nil {
			continue
		}
		rows = append(rows, []string{s.names.Zone(x.Couche, x.Code), d.Label, s.names.Zone(x.Reference, x.ReferenceCode), strconv.Itoa(x.Depuis) + "–" + strconv.Itoa(x.Millesime),
			indicators.FrenchSigned(x.Evolution.V, 1) + "\u00a0" + shortUnit(x.Unite), x.Verdict})
	}
	return rows
}

// glanceColumns is how many indicators a page of portrait holds beside each other.
const glanceColumns = 4

// glance sets the quarters beside each other: the indicators that most of them compare to their commune, one a theme.
func (s *Snapshot) glance(all []*portraitist) Block {
	// gap is a figure that may be told, with its gap to the commune.
	gap := func(p *portraitist, id string) (*indicators.Value, *indicators.Ecart) {
		v := p.f.shownYear(id, "T")
		if !reliable(v) {
			return nil, nil
		}
		for _, x := range p.f.ecarts[v.Key] {
			if x.Reference.Level() == "commune" && x.ReferenceInclut && x.Statut == indicators.Disponible && x.Ecart.OK {
				if _, ref := s.gapValues.Of(*x); ref.Fiabilite >= indicators.Fragile {
					return v, x
				}
			}
		}
		return nil, nil
	}
	count := map[string]int{}
	var defs []*indicators.Definition
	for i := range s.edition.Indicators {
		d := &s.edition.Indicators[i]
		if d.Rule == indicators.Somme || d.Direction == "neutre" || d.Registre {
			continue
		}
		for _, p := range all {
			if v, _ := gap(p, d.ID); v != nil {
				count[d.ID]++
			}
		}
		if count[d.ID] > 0 {
			defs = append(defs, d)
		}
	}
	slices.SortStableFunc(defs, func(a, b *indicators.Definition) int { return count[b.ID] - count[a.ID] })
	var kept []*indicators.Definition
	for _, d := range defs {
		if len(kept) < glanceColumns && !slices.ContainsFunc(kept, func(k *indicators.Definition) bool { return k.Theme == d.Theme }) {
			kept = append(kept, d)
		}
	}
	b := Block{Head: []string{"Quartier"}, Numbers: 1}
	for _, d := range kept {
		b.Head = append(b.Head, d.Label)
	}
	for _, p := range all {
		row, said := []string{p.v.Name}, false
		for _, d := range kept {
			v, x := gap(p, d.ID)
			if v == nil {
				row = append(row, "–")
				continue
			}
			p.used[v], said = true, true
			places := 1
			if x.Unite != "points" && x.Unite != "%" {
				places = d.Decimals
			}
			row = append(row, withUnit(v.V, d.Decimals, d.Unit)+" ("+strings.TrimRight(indicators.FrenchSigned(x.Ecart.V, places)+"\u00a0"+shortUnit(x.Unite), "\u00a0")+"), "+strconv.Itoa(v.Millesime))
		}
		if said {
			b.Rows = append(b.Rows, row)
		}
	}
	return b
}

// refusals counts, by reason, the comparisons of the quarters that could not be made, and those that are missing for want of a figure.
func (s *Snapshot) refusals() (rows [][]string, missing int) {
	type reason struct {
		text string
		n    int
	}
	var list []reason
	take := func(text string) {
		k := slices.IndexFunc(list, func(r reason) bool { return r.text == text })
		if k < 0 {
			k, list = len(list), append(list, reason{text, 0})
		}
		list[k].n++
	}
	examples := map[string]string{} // of a guard: its first sentence stands for all
	for i := range s.edition.Evolutions {
		x := &s.edition.Evolutions[i]
		if x.Garde == "" || x.Statut == indicators.Disponible || !isQuarter(x.Couche.Level()) {
			continue
		}
		if examples[x.Garde] == "" {
			examples[x.Garde] = "Évolutions. Par exemple : " + x.Motif
		}
		take(examples[x.Garde])
	}
	for i := range s.edition.Ecarts {
		x := &s.edition.Ecarts[i]
		if x.Statut == indicators.Disponible || x.Motif == "" || !isQuarter(x.Couche.Level()) || isQuarter(x.Reference.Level()) {
			continue
		}
		if d := s.defs[x.Indicateur]; d == nil || d.Rule == indicators.Somme {
			continue
		}
		motif, _, _ := strings.Cut(x.Motif, " : ") // its kind: the figures of each follow
		switch {
		case motif == "valeur de la zone" || motif == "valeur de la référence" || motif == "aucune valeur de la référence pour ce millésime":
			missing++
			continue
		case strings.HasPrefix(motif, "composition de "):
			motif = "l'intercommunalité n'avait pas cette composition cette année-là"
		}
		take("Écarts : " + motif)
	}
	slices.SortStableFunc(list, func(a, b reason) int { return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.text, b.text)) })
	for _, r := range list {
		rows = append(rows, []string{r.text, indicators.FrenchNumber(float64(r.n), 0)})
	}
	return rows, missing
}

// captionOf names the sources of some figures.
func (s *Snapshot) captionOf(used map[*indicators.Value]bool) string {
	p := &portraitist{s: s, v: &portraitView{}, used: used}
	for _, l := range s.layers {
		if isQuarter(l.set.Layer.Level()) {
			p.z = quarter{l, 0}
			p.sources()
			return p.v.Caption
		}
	}
	return "Calculs de l'observatoire, édition " + s.edition.ID + "."
}

// joinFR lists words: "a, b et c".
func joinFR(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " et " + words[n-1]
	}
	return strings.Join(words, "")
}
