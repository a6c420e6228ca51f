package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/paulmach/orb"
	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// formats of what is printed.
func checkFormat(format string) error {
	if !slices.Contains([]string{"table", "csv", "json"}, format) {
		return usage{fmt.Errorf("--format %s: one of table, csv, json", format)}
	}
	return nil
}

func (a *app) overlapsCmd() *cobra.Command {
	var from, to, format, id string
	c := &cobra.Command{
		Use:     "overlaps --from LAYER --to LAYER",
		Aliases: []string{"recouvrements"},
		Short:   "How the zones of two layers overlap; a bare level means all its layers",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, _ *project, st store.Store) error {
				e, err := readCrossed(ctx, st, id, from, to)
				if err != nil {
					return err
				}
				sets, err := overlapsOf(ctx, e, from, to)
				if err != nil {
					return err
				}
				switch format {
				case "csv":
					return indicators.WriteOverlapsCSV(a.stdout, e, sets)
				case "json":
					return a.overlapsJSON(e, sets)
				}
				return a.overlapsTable(e, sets)
			})
		},
	}
	c.Flags().StringVar(&from, "from", "qpv", "layer or level of the zones that are shared out")
	c.Flags().StringVar(&to, "to", "iris", "layer or level of the zones they are shared among")
	c.Flags().StringVar(&format, "format", "table", "table, csv or json")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

// readCrossed reads what overlapsOf needs of an edition: when it holds none of the overlaps asked for, no more than the
// zones to measure.
func readCrossed(ctx context.Context, st store.Store, id, from, to string) (*indicators.Edition, error) {
	e, err := st.Outline(ctx, id)
	if err != nil {
		return nil, noEdition(err, id)
	}
	a, err := layersOf(e, from)
	if err != nil {
		return nil, err
	}
	b, err := layersOf(e, to)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(e.Overlaps, func(s indicators.OverlapSet) bool { return slices.Contains(a, s.From) && slices.Contains(b, s.To) }) {
		return readEdition(ctx, st, e.ID)
	}
	near := []orb.Bound{}
	for _, l := range a {
		set, _, err := st.Zones(ctx, e.ID, l, nil)
		if err != nil {
			return nil, err
		}
		for i := range set.Zones {
			if g := set.Zones[i].Geom; g != nil {
				near = append(near, g.Bound())
			}
		}
		*e.Layer(l) = *set
	}
	for _, l := range b {
		if slices.Contains(a, l) {
			continue
		}
		set, _, err := st.Zones(ctx, e.ID, l, near)
		if err != nil {
			return nil, err
		}
		*e.Layer(l) = *set
	}
	return e, nil
}

// overlapsOf finds the overlaps of two layers or levels in an edition; those it does not hold are measured.
func overlapsOf(ctx context.Context, e *indicators.Edition, from, to string) ([]indicators.OverlapSet, error) {
	var out []indicators.OverlapSet
	a, err := layersOf(e, from)
	if err != nil {
		return nil, err
	}
	b, err := layersOf(e, to)
	if err != nil {
		return nil, err
	}
	for _, x := range a {
		for _, y := range b {
			if !e.Layer(x).Drawn() || !e.Layer(y).Drawn() {
				continue
			}
			if i := slices.IndexFunc(e.Overlaps, func(s indicators.OverlapSet) bool { return s.From == x && s.To == y }); i >= 0 {
				out = append(out, e.Overlaps[i])
				continue
			}
			pairs, err := geo.Overlaps(ctx, e.Layer(x), e.Layer(y), geo.WithMargins())
			if err != nil {
				return nil, err
			}
			if x == y {
				pairs = slices.DeleteFunc(pairs, func(o geo.Overlap) bool { return o.From == o.To })
			}
			out = append(out, indicators.OverlapSet{From: x, To: y, Pairs: pairs})
		}
	}
	return out, nil
}

// layersOf are the layers of an edition a name means: that layer, or all those of that level.
func layersOf(e *indicators.Edition, name string) ([]geo.Layer, error) {
	var out, all []geo.Layer
	for _, s := range e.Layers {
		all = append(all, s.Layer)
		if string(s.Layer) == name || s.Layer.Level() == name {
			out = append(out, s.Layer)
		}
	}
	if len(out) == 0 {
		return nil, usage{fmt.Errorf("no layer or level %q: the edition holds %v", name, all)}
	}
	return out, nil
}

func (a *app) overlapsTable(e *indicators.Edition, sets []indicators.OverlapSet) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, s := range sets {
		from, to := e.Layer(s.From), e.Layer(s.To)
		fmt.Fprintf(w, "%s\t%s\tpart\tmarge\tpart inverse\tm²\tnote\n", strings.ToUpper(string(s.From)), strings.ToUpper(string(s.To)))
		last := -1
		for _, p := range byShare(s.Pairs) {
			name := ""
			if p.From != last {
				name, last = zoneLabel(from.Zones[p.From]), p.From
			}
			fmt.Fprintf(w, "%s\t%s\t%s %%\t± %s\t%s %%\t%s\t%s\n", name, zoneLabel(to.Zones[p.To]),
				indicators.FrenchNumber(100*p.ShareFrom, 1), indicators.FrenchNumber(100*p.Margin, 1),
				indicators.FrenchNumber(100*p.ShareTo, 1), indicators.FrenchNumber(p.Area, 0), p.Note)
		}
		fmt.Fprintln(w, "\t\t\t\t\t\t")
	}
	if e.Schematic {
		fmt.Fprintln(w, "Contours schématiques, dessinés pour la démonstration.")
	}
	return w.Flush()
}

// byShare orders the pairs of each zone by the share they hold of it, the largest first.
func byShare(pairs []geo.Overlap) []geo.Overlap {
	pairs = slices.Clone(pairs)
	slices.SortStableFunc(pairs, func(x, y geo.Overlap) int {
		switch {
		case x.From != y.From:
			return x.From - y.From
		case x.ShareFrom > y.ShareFrom:
			return -1
		case x.ShareFrom < y.ShareFrom:
			return 1
		}
		return 0
	})
	return pairs
}

func zoneLabel(z geo.Zone) string {
	if z.Name == "" || z.Name == z.Code {
		return z.Code
	}
	return z.Name + " (" + z.Code + ")"
}

func (a *app) overlapsJSON(e *indicators.Edition, sets []indicators.OverlapSet) error {
	type row struct {
		CoucheDe   geo.Layer `json:"couche_de"`
		CodeDe     string    `json:"code_de"`
		NomDe      string    `json:"nom_de"`
		CoucheVers geo.Layer `json:"couche_vers"`
		CodeVers   string    `json:"code_vers"`
		NomVers    string    `json:"nom_vers"`
		Aire       float64   `json:"aire_m2"`
		PartDe     float64   `json:"part_de"`
		PartVers   float64   `json:"part_vers"`
		Marge      float64   `json:"marge_part"`
		Note       string    `json:"note,omitempty"`
	}
	rows := []row{}
	for _, s := range sets {
		from, to := e.Layer(s.From), e.Layer(s.To)
		for _, p := range s.Pairs {
			rows = append(rows, row{s.From, from.Zones[p.From].Code, from.Zones[p.From].Name, s.To, to.Zones[p.To].Code,
				to.Zones[p.To].Name, p.Area, p.ShareFrom, p.ShareTo, p.Margin, p.Note})
		}
	}
	return writeJSON(a.stdout, rows)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (a *app) seriesCmd() *cobra.Command {
	var zones []string
	var indicateur, sexe, methods, format, id string
	c := &cobra.Command{
		Use:   "series --indicator ID",
		Short: "The series of an indicator: every zone, millésime and sex, with how each value came about",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if err := checkSex(sexe); err != nil {
				return err
			}
			if methods != "" && methods != "all" {
				return usage{fmt.Errorf("--methods %s: only all", methods)}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				e, err := readEdition(ctx, st, id)
				if err != nil {
					return err
				}
				if err := checkIndicator(p, e, indicateur); err != nil {
					return err
				}
				if err := checkZones(e, zones); err != nil {
					return err
				}
				var values []indicators.Value
				for _, v := range e.Values {
					if (indicateur == "" || v.Indicateur == indicateur) && (len(zones) == 0 || slices.Contains(zones, v.Code)) &&
						(sexe == "" || v.Sexe == sexe) && (v.Retenue || methods == "all") {
						values = append(values, v)
					}
				}
				switch format {
				case "csv":
					return indicators.WriteSeriesCSV(a.stdout, e, values)
				case "json":
					return writeJSON(a.stdout, indicators.SeriesRows(e, values))
				}
				return a.seriesTable(e, values)
			})
		},
	}
	c.Flags().StringVar(&indicateur, "indicator", "", "id of the indicator (default: all)")
	c.Flags().StringSliceVar(&zones, "zone", nil, "codes of the zones (default: all)")
	c.Flags().StringVar(&sexe, "sex", "", "F, H or T (default: all)")
	c.Flags().StringVar(&methods, "methods", "", "all: the values of every method, not only the one shown; `observatoire methods` adds their errors, gaps and verdicts")
	c.Flags().StringVar(&format, "format", "table", "table, csv or json")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

// emptyIndicator says which variables an indicator that has no figure is made of, and which cards read them.
func emptyIndicator(p *project, d *indicators.Definition, edition string) error {
	variables := slices.Concat([]string{d.Value}, d.Numerator, d.Denominator, d.Deciles)
	variables = slices.DeleteFunc(variables, func(v string) bool { return v == "" })
	var cards []string
	for _, card := range p.catalogue.Cards() {
		reads := slices.ContainsFunc(card.Variables, func(v ingest.Variable) bool { return slices.Contains(variables, v.ID) })
		if card.Long != nil {
			reads = reads || slices.ContainsFunc(variables, func(v string) bool { return card.Long.Series[v] != nil })
		}
		if reads && !slices.Contains(cards, card.ID) {
			cards = append(cards, card.ID)
		}
	}
	slices.Sort(cards)
	remedy := "no card of the catalogue reads that; write one (docs/cards.md)"
	if len(cards) > 0 {
		remedy = "to have it, add a file of one of these cards to tables: and run: " + strings.Join(cards, ", ")
	}
	return fmt.Errorf("indicator %q (%s) is defined, but edition %s has no figure of it. It is made of %s: %s",
		d.ID, d.Label, edition, strings.Join(variables, ", "), remedy)
}

func (a *app) seriesTable(e *indicators.Edition, values []indicators.Value) error {
	names := indicators.NewNames(e)
	decimals := map[string]int{}
	for _, d := range e.Indicators {
		decimals[d.ID] = d.Decimals
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "indicateur\tcouche\tzone\tannée\tsexe\tvaleur\tselon les méthodes\tméthode\tfiabilité\tsource")
	for _, v := range values {
		shown := v.Statut.String()
		if v.Statut == indicators.Disponible {
			shown = indicators.FrenchNumber(v.V, decimals[v.Indicateur]) + " " + names.Unit(v.Indicateur)
		}
		between := ""
		if v.Min.OK && v.Max.OK {
			between = indicators.FrenchNumber(v.Min.V, decimals[v.Indicateur]) + " à " + indicators.FrenchNumber(v.Max.V, decimals[v.Indicateur])
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Indicateur, v.Couche, names.Zone(v.Couche, v.Code),
			indicators.LabelMillesime(v.Millesime), v.Sexe, shown, between, v.Methode, v.Fiabilite, v.Source)
	}
	return w.Flush()
}
