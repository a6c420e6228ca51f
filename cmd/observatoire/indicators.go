package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/ingest"
)

func (a *app) indicatorsCmd() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:     "indicators [ID]",
		Aliases: []string{"indicateurs"},
		Short:   "The indicators: definition, base, formula, sources by year, breaks, guards, order of the methods",
		Long: `The indicators. With an ID, all about one: whom it is of, its formula, the cards that give its variables and of which
years, the breaks of its series, the comparisons that are refused, and the order of the methods, which is that of the
latest edition where the producer's values could measure them.`,
		Example: "  observatoire indicators\n  observatoire indicators taux_chomage",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			p, err := loadProject(a.dir)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return a.describeIndicator(cmd.Context(), p, args[0], format)
			}
			if format == "json" {
				return writeJSON(a.stdout, p.definitions)
			}
			if format == "csv" {
				return indicators.WriteDefinitionsCSV(a.stdout, p.definitions)
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "id\tthème\tlibellé\tunité\trègle\tsexes\tformule")
			for _, d := range p.definitions {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Theme, d.Label, d.Unit, d.Rule, strings.Join(d.Sexes, " "), d.Formula())
			}
			return w.Flush()
		},
	}
	c.Flags().StringVar(&format, "format", "table", "table, csv or json; an ID: table or json")
	return c
}

// A definitionSource is what one card gives of an indicator.
type definitionSource struct {
	Fiche      string   `json:"fiche"`
	Titre      string   `json:"titre"`
	Producteur string   `json:"producteur"`
	Niveaux    []string `json:"niveaux"`
	Millesimes []string `json:"millesimes"` // in French where they depend on the file
	Variables  []string `json:"variables"`
	Verifiee   bool     `json:"verifiee"` // on a published file

	census, complementary bool
}

// A documentation is all there is to say of an indicator.
type documentation struct {
	indicators.Definition
	Base       string             `json:"parmi,omitempty"` // whom it is of
	Formule    string             `json:"formule"`
	Sources    []definitionSource `json:"sources"`
	Absentes   []string           `json:"variables_sans_fiche,omitempty"`
	Ruptures   []string           `json:"ruptures"` // in French, each with who says so
	Gardes     []string           `json:"gardes"`
	Methodes   []string           `json:"ordre_des_methodes"`
	Etalonnage string             `json:"etalonnage"` // where that order comes from, in French
}

// document gathers what the cards and the guards say of an indicator. The methods are in the order of its rule.
func (p *project) document(d indicators.Definition, guards []indicators.Guard) documentation {
	doc := documentation{Definition: d, Base: d.Population(), Formule: d.Formula(), Sources: []definitionSource{}, Ruptures: []string{}, Gardes: []string{},
		Methodes: indicators.MethodsOf(d.Rule), Etalonnage: "ordre de la règle « " + string(d.Rule) + " »"}
	variables := p.variables(d)
	given, said := map[string]bool{}, map[string][]string{} // said: the cards that tell a break
	for _, card := range p.catalogue.Cards() {
		s, found := sourceOf(card, variables)
		if !found {
			continue
		}
		doc.Sources = append(doc.Sources, s)
		for _, v := range s.Variables {
			given[v] = true
		}
		for _, b := range card.Breaks {
			if len(b.Variables) == 0 || slices.ContainsFunc(b.Variables, func(v string) bool { return slices.Contains(s.Variables, v) }) {
				text := fmt.Sprintf("%d : %s", b.Millesime, strings.TrimSpace(b.Text))
				doc.Ruptures = once(doc.Ruptures, text)
				said[text] = append(said[text], card.ID)
			}
		}
		for _, g := range guards {
			if !slices.ContainsFunc(append(slices.Clone(s.Variables), d.ID), func(v string) bool { return g.Applies(card.ID, v, s.census, s.complementary) }) {
				continue
			}
			text := fmt.Sprintf("%s : %s (%s)", g.ID, g.General(), g.Source)
			if g.Rule == "rupture" || g.Rule == "inexistant" {
				doc.Ruptures = once(doc.Ruptures, text)
			} else {
				doc.Gardes = once(doc.Gardes, text)
			}
		}
	}
	for _, v := range variables {
		if !given[v] {
			doc.Absentes = append(doc.Absentes, v)
		}
	}
	for i, text := range doc.Ruptures {
		if cards := said[text]; len(cards) > 0 {
			doc.Ruptures[i] += " (" + strings.Join(cards, ", ") + ")"
		}
	}
	slices.Sort(doc.Ruptures)
	return doc
}

func once(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// variables are those an indicator is made of, without what weights it.
func (p *project) variables(d indicators.Definition) []string {
	list := slices.Concat([]string{d.Value}, d.Numerator, d.Denominator, d.Deciles)
	if of := slices.IndexFunc(p.definitions, func(x indicators.Definition) bool { return x.ID == d.Of }); d.Of != "" && of >= 0 {
		list = append(list, p.definitions[of].Deciles...)
	}
	var out []string
	for _, v := range list {
		if v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// sourceOf is what a card gives of some variables.
func sourceOf(c *ingest.Card, variables []string) (s definitionSource, found bool) {
	s = definitionSource{Fiche: c.ID, Titre: c.Title, Producteur: c.Producer, Verifiee: !c.Unverified}
	add := func(variable, year string, census, complementary bool) {
		s.Variables, s.Millesimes = once(s.Variables, variable), once(s.Millesimes, year)
		s.census, s.complementary = s.census || census, s.complementary || complementary
	}
	for _, v := range c.Variables {
		if slices.Contains(variables, v.ID) {
			add(v.ID, yearsText(v.Millesime), v.Census || v.Enquetes.Cycle || len(v.Enquetes.ByMillesime) > 0 || v.Exploitation != "", v.Exploitation == "complementaire")
		}
	}
	if l := c.Long; l != nil {
		year := "ceux du fichier"
		if l.Millesime == "" && l.Year != nil {
			year = yearsText(*l.Year)
		}
		for _, v := range variables {
			if l.Series[v] != nil {
				add(v, year, l.Census || l.Exploitation != "", l.Exploitation == "complementaire")
			}
		}
	}
	if n := c.Count; n != nil {
		for _, v := range variables {
			_, counted := n.Series[v]
			if _, summed := n.Sums[v]; counted || summed {
				add(v, yearsText(n.Year), false, false)
			}
		}
	}
	if c.Level != "" {
		s.Niveaux = append(s.Niveaux, c.Level)
	}
	for _, rule := range c.Levels {
		s.Niveaux = once(s.Niveaux, rule.Level)
	}
	slices.Sort(s.Niveaux)
	slices.Sort(s.Millesimes)
	return s, len(s.Variables) > 0
}

// yearsText says in French which years a rule gives.
func yearsText(r ingest.YearRule) string {
	switch {
	case r.Fixed != 0:
		return fmt.Sprint(r.Fixed)
	case r.Column:
		return "ceux que nomment les colonnes"
	case r.Offset != nil && *r.Offset == 0:
		return "celui du fichier"
	case r.Offset != nil && *r.Offset < 0:
		return fmt.Sprintf("%d an(s) avant celui du fichier", -*r.Offset)
	case r.Offset != nil:
		return fmt.Sprintf("%d an(s) après celui du fichier", *r.Offset)
	case len(r.ByEdition) > 0:
		var years []string
		for _, y := range r.ByEdition {
			years = once(years, fmt.Sprint(y))
		}
		slices.Sort(years)
		return strings.Join(years, ", ")
	}
	return "inconnu"
}

// describeIndicator writes the documentation of one indicator.
func (a *app) describeIndicator(ctx context.Context, p *project, id, format string) error {
	if format == "csv" {
		return usage{errors.New("--format csv is for the list: for one indicator, table or json")}
	}
	at := slices.IndexFunc(p.definitions, func(x indicators.Definition) bool { return x.ID == id })
	if at < 0 {
		var ids []string
		for _, d := range p.definitions {
			ids = append(ids, d.ID)
		}
		return usage{fmt.Errorf("no indicator %q: nearest are %s; `observatoire indicators` lists them", id, strings.Join(ingest.Nearest(id, ids, 3), ", "))}
	}
	guards, _, err := p.guards()
	if err != nil {
		return refused{err}
	}
	doc := p.document(p.definitions[at], guards)
	a.calibrated(ctx, p, &doc)
	if format == "json" {
		return writeJSON(a.stdout, doc)
	}
	w := a.stdout
	fmt.Fprintf(w, "%s : %s\n\n", doc.ID, doc.Label)
	line := func(title, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-12s %s\n", title, text)
		}
	}
	line("thème", doc.Theme)
	line("base", doc.Base)
	line("unité", doc.Unit)
	line("sens", map[string]string{"hausse_favorable": "une hausse est favorable", "hausse_defavorable": "une hausse est défavorable", "neutre": "neutre"}[doc.Direction])
	line("sexes", strings.Join(doc.Sexes, ", "))
	line("règle", string(doc.Rule))
	line("formule", doc.Formule)
	line("méthodes", strings.Join(doc.Methodes, ", ")+" ("+doc.Etalonnage+")")
	line("à savoir", doc.Note)
	fmt.Fprintln(w, "\nSources, par millésime :")
	for _, s := range doc.Sources {
		unverified := ""
		if !s.Verifiee {
			unverified = " ; fiche écrite d'après la documentation"
		}
		fmt.Fprintf(w, "  %s — %s (%s) : %s ; millésimes : %s ; %s%s\n", s.Fiche, s.Titre, s.Producteur, strings.Join(s.Niveaux, ", "),
			strings.Join(s.Millesimes, " ; "), strings.Join(s.Variables, ", "), unverified)
	}
	if len(doc.Sources) == 0 {
		fmt.Fprintf(w, "  Aucune fiche du catalogue ne donne %s : une fiche du projet peut le faire (docs/cards.md).\n", strings.Join(doc.Absentes, ", "))
	} else if len(doc.Absentes) > 0 {
		fmt.Fprintf(w, "  Sans fiche du catalogue : %s\n", strings.Join(doc.Absentes, ", "))
	}
	for _, part := range []struct {
		title string
		list  []string
	}{{"Ruptures de la série", doc.Ruptures}, {"Comparaisons refusées (gardes)", doc.Gardes}} {
		fmt.Fprintf(w, "\n%s :\n", part.title)
		for _, text := range part.list {
			fmt.Fprintf(w, "  %s\n", text)
		}
		if len(part.list) == 0 {
			fmt.Fprintln(w, "  aucune connue")
		}
	}
	return nil
}

// calibrated takes the order of the methods from the latest edition, where there is one that could measure them.
func (a *app) calibrated(ctx context.Context, p *project, doc *documentation) {
	if a.storeURL == "" && !strings.Contains(p.Store, "://") && !exists(p.path(p.Store)) {
		return // no store yet: opening one would make it
	}
	err := a.openStore(ctx, p, func(ctx context.Context, p *project, st store.Store) error {
		e, err := draftOrPublished(ctx, st, "")
		if err != nil {
			return err
		}
		for _, d := range e.Indicators {
			if d.ID == doc.ID && len(d.Methodes) > 0 {
				doc.Methodes, doc.Etalonnage = d.Methodes, "ordre tiré de l'étalonnage de l'édition "+e.ID
			}
		}
		return nil
	})
	if err != nil { // the definition is worth reading without it
		a.say("the order of the methods is that of the rule: %v", err)
	}
}
