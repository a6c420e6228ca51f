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
	"observatoire/geo"
	"observatoire/indicators"
)

func (a *app) methodsCmd() *cobra.Command {
	var zones []string
	var indicateur, sexe, format, id string
	var all bool
	c := &cobra.Command{
		Use:     "methods --zone CODE",
		Aliases: []string{"methodes"},
		Short:   "The methods side by side: the producer's value, each estimate, how far off it is, the gaps, the verdicts",
		Long: `The methods side by side, for the zones named: the producer's value, each estimate with its distance to it and
the error its method makes wherever both are known (calibration), then the gaps of the value that is shown and how
they moved. The latest year that has a figure, and the latest where the producer and a method can be compared.`,
		Example: "  observatoire methods --zone QP013061,QP013062 --indicator niveau_de_vie_median",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if err := checkSex(sexe); err != nil {
				return err
			}
			if len(zones) == 0 {
				return usage{errors.New("--zone: missing: the codes of one or more zones, such as --zone QP013061,QP013062")}
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
				rows := indicators.MethodRows(e, func(k indicators.Key, code string) bool {
					return slices.Contains(zones, code) && (indicateur == "" || k.Indicateur == indicateur) && (sexe == "" || k.Sexe == sexe)
				}, all)
				switch format {
				case "csv":
					return indicators.WriteMethodsCSV(a.stdout, rows)
				case "json":
					return writeJSON(a.stdout, rows)
				}
				return a.methodsTable(e, rows)
			})
		},
	}
	c.Flags().StringSliceVar(&zones, "zone", nil, "codes of the zones")
	c.Flags().StringVar(&indicateur, "indicator", "", "id of the indicator (default: all)")
	c.Flags().StringVar(&sexe, "sex", "", "F, H or T (default: all)")
	c.Flags().BoolVar(&all, "all-years", false, "every year, not only the latest ones")
	c.Flags().StringVar(&format, "format", "table", "table, csv or json")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

func checkSex(sexe string) error {
	if sexe != "" && !slices.Contains([]string{"F", "H", "T"}, sexe) {
		return usage{fmt.Errorf("--sex %s: F, H or T", sexe)}
	}
	return nil
}

// checkIndicator says what is wrong with an indicator that an edition has no figure of.
func checkIndicator(p *project, e *indicators.Edition, id string) error {
	is := func(d indicators.Definition) bool { return d.ID == id }
	if id == "" || slices.ContainsFunc(e.Indicators, is) {
		return nil
	}
	if d := slices.IndexFunc(p.definitions, is); d >= 0 {
		return usage{emptyIndicator(p, &p.definitions[d], e.ID)}
	}
	return usage{fmt.Errorf("no indicator %q in edition %s: `observatoire indicators` lists them", id, e.ID)}
}

// checkZones names the codes that are of no zone of an edition.
func checkZones(e *indicators.Edition, codes []string) error {
	var unknown []string
	for _, code := range codes {
		if !slices.ContainsFunc(e.Layers, func(s geo.ZoneSet) bool { _, ok := s.Index(code); return ok }) {
			unknown = append(unknown, fmt.Sprintf("%q", code))
		}
	}
	if len(unknown) > 0 {
		return usage{fmt.Errorf("no zone %s in edition %s", strings.Join(unknown, ", "), e.ID)}
	}
	return nil
}

func (a *app) methodsTable(e *indicators.Edition, rows []indicators.MethodRow) error {
	defs := map[string]indicators.Definition{}
	for _, d := range e.Indicators {
		defs[d.ID] = d
	}
	number := func(v *float64, decimals int) string {
		if v == nil {
			return ""
		}
		return indicators.FrenchNumber(*v, decimals)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	last := ""
	var none, below []string
	end := func() {
		w.Flush() // columns are as wide as a block needs
		for _, line := range below {
			fmt.Fprintln(w, line)
		}
		below = nil
	}
	for i, r := range rows {
		year := "année inconnue"
		if r.Millesime != nil {
			year = fmt.Sprint(*r.Millesime)
		}
		d := defs[r.Indicateur]
		if title := fmt.Sprintf("%s, %s (%s), %s, %s : %s", r.Indicateur, r.Nom, r.Code, year, r.Sexe, d.Label); title != last {
			if end(); last != "" {
				fmt.Fprintln(w)
			}
			last = title
			fmt.Fprintln(w, title)
			fmt.Fprintln(w, "\tméthode\tvaleur\tfiabilité\técart au producteur\terreur moyenne de la méthode\tévolution\tverdict")
		}
		if r.Reference != "" && r.Ecart == nil { // those that have none for the same reason, on one line below the others
			none = append(none, r.NomReference)
			if i+1 == len(rows) || rows[i+1].Reference == "" || rows[i+1].Ecart != nil || rows[i+1].Motif != r.Motif {
				below = append(below, fmt.Sprintf("   pas d'écart à %s : %s", strings.Join(none, ", "), r.Motif))
				none = nil
			}
			continue
		}
		if r.Reference != "" {
			fmt.Fprintf(w, "\técart à %s\t%s\t(%s %s)\t\t\t%s\t%s\n", r.NomReference, difference(r.Ecart, r.UniteEcart, d),
				number(r.ValeurReference, d.Decimals), r.Unite, moved(r, d), verdict(r))
			continue
		}
		mark := " "
		if r.Retenue {
			mark = "→"
		}
		value := r.Statut
		if r.Valeur != nil {
			value = number(r.Valeur, d.Decimals) + " " + r.Unite
		}
		measured := ""
		if r.CalageN > 0 {
			several := "s"
			if r.CalageN == 1 {
				several = ""
			}
			measured = fmt.Sprintf("%s (%s en absolu, %d comparaison%s)", difference(r.CalageMoyen, r.UniteErreur, d), number(r.CalageAbsolu, 1), r.CalageN, several)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", mark, r.Methode, value, r.Fiabilite, difference(r.Erreur, r.UniteErreur, d), measured, moved(r, d), verdict(r))
	}
	end()
	if len(rows) == 0 {
		fmt.Fprintln(w, "Aucun chiffre.")
	}
	return w.Flush()
}

// difference is one, to a tenth, or as precise as the indicator where it is in its own unit.
func difference(v *float64, unit string, d indicators.Definition) string {
	if v == nil {
		return ""
	}
	decimals := 1
	if unit == d.Unit && unit != "%" {
		decimals = max(1, d.Decimals)
	}
	return indicators.FrenchSigned(*v, decimals) + " " + unit
}

func moved(r indicators.MethodRow, d indicators.Definition) string {
	if r.Evolution == nil {
		return ""
	}
	unit := r.UniteEcart
	if r.Reference != "" && unit == "%" { // of a gap in %
		unit = "points"
	}
	return fmt.Sprintf("%s depuis %d", difference(r.Evolution, unit, d), r.Depuis)
}

// verdict is that of the evolution, or what keeps it from being read.
func verdict(r indicators.MethodRow) string {
	if r.Verdict == "" || r.Lecture == "" {
		return r.Verdict
	}
	return r.Verdict + ", " + r.Lecture
}
