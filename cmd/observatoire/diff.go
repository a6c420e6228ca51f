package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/tiles"
)

func (a *app) diffCmd() *cobra.Command {
	var format, out string
	var conventions []string
	c := &cobra.Command{
		Use:     "diff [A [B]]",
		Aliases: []string{"differences"},
		Short:   "What moved between two editions, and why",
		Long: `What moved between two editions, and why: every value, gap, evolution and rank that is not the same, with the figure before
and after, and its causes. A and B are editions or the beginning of their names; by default the published edition and
the newest draft.

A cause is an input that changed and that the figure rests on: donnees (a file), perimetre (contours, compositions),
methode (definition, method, parameter), fiche (the card of a file), correction, decision. A figure that several
touch has them all; one that none explains is of the programme.`,
		Example: `  observatoire diff
  observatoire diff 2019-1a2b 2020-3c4d --format html -o comite.html`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"table", "csv", "json", "html"}, format) {
				return usage{fmt.Errorf("--format %s: one of table, csv, json, html", format)}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				from, to, err := twoEditions(ctx, st, args)
				if err != nil {
					return err
				}
				before, err := readEdition(ctx, st, from)
				if err != nil {
					return err
				}
				after, err := readEdition(ctx, st, to)
				if err != nil {
					return err
				}
				if err := a.tellConventions(before, after, conventions); err != nil {
					return err
				}
				d, err := indicators.Diff(before, after, conventions...)
				if err != nil {
					return err
				}
				write := func(w io.Writer) error {
					switch format {
					case "csv":
						return indicators.WriteMouvementsCSV(w, d)
					case "json":
						return diffJSON(w, d)
					case "html":
						return tiles.WriteDiff(w, p.Title, d, slices.Concat(before.Indicators, after.Indicators))
					}
					return diffTable(w, d)
				}
				if out == "" {
					return write(a.stdout)
				}
				return writeFile(out, write)
			})
		},
	}
	c.Flags().StringVar(&format, "format", "table", "table, csv, json, or html: a page for a committee")
	c.Flags().StringVarP(&out, "output", "o", "", "file to write (default: standard output)")
	c.Flags().StringSliceVar(&conventions, "convention", nil, "include what came under this convention: for its recipients only")
	return c
}

// twoEditions are the editions the arguments name: the published one and the newest draft where they do not.
func twoEditions(ctx context.Context, st store.Store, args []string) (from, to string, err error) {
	list, err := st.Editions(ctx)
	if err != nil {
		return "", "", err
	}
	named := func(i int, etat indicators.Etat, none string) (string, error) {
		if i < len(args) {
			e, err := indicators.FindEdition(list, args[i])
			if err != nil {
				err = usage{err}
			}
			return e.ID, err
		}
		if k := slices.IndexFunc(list, func(e indicators.EditionInfo) bool { return e.Etat == etat }); k >= 0 {
			return list[k].ID, nil
		}
		return "", errors.New(none)
	}
	if from, err = named(0, indicators.Publiee, "no edition is published: name the two to compare, as in `observatoire diff A B`"); err != nil {
		return "", "", err
	}
	if to, err = named(1, indicators.Brouillon, "no draft to compare with: `observatoire run` makes one, or name two editions, as in `observatoire diff A B`"); err != nil {
		return "", "", err
	}
	return from, to, nil
}

// tellConventions says which figures of partners are told, and refuses a convention that neither edition holds.
func (a *app) tellConventions(before, after *indicators.Edition, sees []string) error {
	held := slices.Concat(before.Conventions(), after.Conventions())
	slices.Sort(held)
	held = slices.Compact(held)
	for _, id := range sees {
		if !slices.Contains(held, id) {
			return usage{fmt.Errorf("--convention %s: neither edition holds anything under it", id)}
		}
	}
	for _, id := range held {
		if slices.Contains(sees, id) {
			a.say("convention %s: its figures are compared: for its recipients only", id)
		} else {
			a.say("convention %s: its figures are left out (--convention %s includes them)", id, id)
		}
	}
	return nil
}

func diffJSON(w io.Writer, d *indicators.Differences) error {
	counts := map[string]map[indicators.Cause]int{}
	for _, o := range indicators.Objets {
		counts[o.ID] = d.Counts(o.ID)
	}
	moved := d.Mouvements
	if moved == nil {
		moved = []indicators.Mouvement{}
	}
	return writeJSON(w, struct {
		De         string                              `json:"de"`
		A          string                              `json:"a"`
		Comparees  int                                 `json:"valeurs_comparees"`
		Causes     map[string]map[indicators.Cause]int `json:"causes"`
		Notes      []string                            `json:"notes,omitempty"`
		Mouvements []indicators.Mouvement              `json:"mouvements"`
	}{d.De, d.A, d.Comparees, counts, d.Notes, moved})
}

// diffTable writes how much moved by cause, the largest movements, then each.
func diffTable(out io.Writer, d *indicators.Differences) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, n := range d.Notes {
		fmt.Fprintln(w, n)
	}
	if len(d.Mouvements) == 0 {
		fmt.Fprintf(w, "Aucune différence entre %s et %s : %d valeurs comparées.\n", d.De, d.A, d.Comparees)
		return w.Flush()
	}
	fmt.Fprintf(w, "De %s à %s : %d valeurs comparées.\n\nCAUSE", d.De, d.A, d.Comparees)
	for _, o := range indicators.Objets {
		fmt.Fprintf(w, "\t%s", strings.ToUpper(o.Titre))
	}
	fmt.Fprintln(w)
	for _, c := range indicators.Causes {
		line, n := c.Label(), 0
		for _, o := range indicators.Objets {
			line += fmt.Sprintf("\t%d", d.Counts(o.ID)[c])
			n += d.Counts(o.ID)[c]
		}
		if n > 0 {
			fmt.Fprintln(w, line)
		}
	}
	fmt.Fprint(w, "chiffres changés")
	for _, o := range indicators.Objets {
		fmt.Fprintf(w, "\t%d", len(d.Of(o.ID)))
	}
	fmt.Fprintln(w)
	header := "INDICATEUR\tZONE\tANNÉE\tSEXE\tRÉFÉRENCE\tAVANT\tAPRÈS\tDIFFÉRENCE\tCAUSE\tDÉTAIL"
	fmt.Fprintf(w, "\nLes valeurs qui ont le plus changé, en proportion :\n%s\n", header)
	for _, m := range indicators.Largest(d.Of(indicators.ObjetValeur), 10) {
		diffLine(w, m)
	}
	for _, o := range indicators.Objets {
		if list := d.Of(o.ID); len(list) > 0 {
			fmt.Fprintf(w, "\n%s :\n%s\n", o.Titre, header)
			for _, m := range list {
				diffLine(w, m)
			}
		}
	}
	return w.Flush()
}

func diffLine(w io.Writer, m indicators.Mouvement) {
	figure := func(o indicators.Opt, statut string) string {
		if o.OK {
			return indicators.FormatNumber(o.V)
		}
		return cmp.Or(statut, "–")
	}
	year := indicators.LabelMillesime(m.Millesime)
	if m.Depuis > 0 {
		year = fmt.Sprintf("%d–%s", m.Depuis, year)
	}
	difference := "–"
	if x := m.Difference(); x.OK {
		difference = x.String()
	}
	zone := m.Nom
	if zone != m.Code {
		zone += " (" + m.Code + ")"
	}
	fmt.Fprintf(w, "%s\t%s, %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Indicateur, zone, m.Couche, year, m.Sexe,
		cmp.Or(m.ReferenceCode, "–"), figure(m.Avant, m.StatutAvant), figure(m.Apres, m.StatutApres), difference, m.CausesText(), m.Detail)
}
