package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/indicators"
)

func (a *app) calibrationCmd() *cobra.Command {
	var indicateur, layer, format, id string
	var details bool
	c := &cobra.Command{
		Use:     "calibration",
		Aliases: []string{"etalonnage"},
		Short:   "How far each method is from the producers, wherever both give a figure",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, _ *project, st store.Store) error {
				e, err := readEdition(ctx, st, id)
				if err != nil {
					return err
				}
				if indicateur != "" && !slices.ContainsFunc(e.Indicators, func(d indicators.Definition) bool { return d.ID == indicateur }) {
					return usage{fmt.Errorf("no indicator %q in edition %s: `observatoire indicators` lists them", indicateur, e.ID)}
				}
				if layer != "" {
					if _, err := layersOf(e, layer); err != nil {
						return err
					}
				}
				rows := []indicators.Calibration{}
				for _, x := range e.Calibrations {
					if (indicateur == "" || x.Indicateur == indicateur) && (layer == "" || string(x.Couche) == layer || x.Couche.Level() == layer) &&
						(details || format != "table" || x.Millesime == 0) {
						rows = append(rows, x)
					}
				}
				switch format {
				case "csv":
					return indicators.WriteCalibrationCSV(a.stdout, e, rows)
				case "json":
					return writeJSON(a.stdout, indicators.CalibrationRows(e, rows))
				}
				return a.calibrationTable(e, rows)
			})
		},
	}
	c.Flags().StringVar(&indicateur, "indicator", "", "id of the indicator (default: all)")
	c.Flags().StringVar(&layer, "layer", "", "layer or level (default: all)")
	c.Flags().BoolVar(&details, "details", false, "in the table, each millésime and sex too")
	c.Flags().StringVar(&format, "format", "table", "table, csv or json")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

func (a *app) calibrationTable(e *indicators.Edition, rows []indicators.Calibration) error {
	names := indicators.NewNames(e)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "indicateur\tcouche\tannée\tsexe\tméthode\tnombre\técart moyen\técart absolu moyen\tmédian\textrême\trang")
	for _, x := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s %s\t%s\t%s\t%s (%s)\t%s\n", x.Indicateur, x.Couche, cmp.Or(indicators.FormatMillesime(x.Millesime), "toutes"),
			cmp.Or(x.Sexe, "tous"), x.Methode, x.N, indicators.FrenchSigned(x.Moyenne, 1), x.Unite, indicators.FrenchNumber(x.Absolue, 1),
			indicators.FrenchSigned(x.Mediane, 1), indicators.FrenchSigned(x.PireErreur, 1), names.Zone(x.Couche, x.Pire), indicators.FormatMillesime(x.Rang))
	}
	if len(rows) == 0 {
		fmt.Fprintln(w, "Aucune comparaison : nulle part un producteur et une méthode ne donnent la même valeur.")
	}
	return w.Flush()
}
