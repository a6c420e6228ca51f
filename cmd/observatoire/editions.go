package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/indicators"
)

func (a *app) listEditions(list []indicators.EditionInfo) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EDITION\tSTATE\tBY\tON")
	for _, e := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.ID, e.Etat, cmp.Or(e.PublieePar, "–"), cmp.Or(e.PublieeLe, "–"))
	}
	return w.Flush()
}

func (a *app) editionsCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "editions [ID]",
		Short: "List the editions: drafts, the published one, the former ones; with an ID, what one holds and who decided what on it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, _ *project, st store.Store) error {
				if len(args) == 1 {
					return a.showEdition(ctx, st, args[0])
				}
				list, err := st.Editions(ctx)
				if err != nil {
					return err
				}
				return a.listEditions(list)
			})
		},
	}
}

// showEdition says what an edition holds, was made from, and was decided on it. What came under a convention is counted, not told.
func (a *app) showEdition(ctx context.Context, st store.Store, name string) error {
	list, err := st.Editions(ctx)
	if err != nil {
		return err
	}
	info, err := indicators.FindEdition(list, name)
	if err != nil {
		return usage{err}
	}
	whole, err := readEdition(ctx, st, info.ID)
	if err != nil {
		return err
	}
	e := indicators.Withhold(whole)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %s", info.ID, info.Etat)
	if info.PublieePar != "" {
		fmt.Fprintf(w, " par %s le %s", info.PublieePar, info.PublieeLe)
	}
	fmt.Fprintf(w, " : %d indicateurs, %d valeurs, %d écarts, %d couches\n\nSOURCE\tSHA256\tFICHE\tLIGNES\tRETENUES\n", len(e.Indicators), len(e.Values), len(e.Ecarts), len(e.Layers))
	for _, s := range e.Sources {
		fmt.Fprintf(w, "%s\t%.12s\t%s\t%d\t%d\n", s.ID, s.SHA256, s.Card, s.Rows, s.Kept)
	}
	if n := len(whole.Sources) - len(e.Sources); n > 0 {
		fmt.Fprintf(w, "et %d sous convention\n", n)
	}
	w.Flush() // columns are as wide as a block needs
	fmt.Fprintln(w, "\nDÉCISION\tSUR\tPOUR\tPAR\tLE\tMOTIF")
	for _, d := range e.Decisions {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Decision, d.Garde, d.Portee, d.Auteur, d.Date, d.Motif)
	}
	if len(e.Decisions) == 0 {
		fmt.Fprintln(w, "aucune")
	}
	if n := len(whole.Decisions) - len(e.Decisions); n > 0 {
		fmt.Fprintf(w, "et %d sous convention\n", n)
	}
	w.Flush()
	fmt.Fprintln(w, "\nCOMMENTAIRE\tPAR\tLE\tÀ RELIRE")
	for _, c := range e.Commentaires {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Code, cmp.Or(c.Auteur, "–"), cmp.Or(c.Date, "–"), cmp.Or(c.Relire, "non"))
	}
	if len(e.Commentaires) == 0 {
		fmt.Fprintln(w, "aucun")
	}
	return w.Flush()
}

// draftOrPublished reads the named edition; without a name the latest draft, else the published one.
func draftOrPublished(ctx context.Context, st store.Store, id string) (*indicators.Edition, error) {
	if id == "" {
		list, err := st.Editions(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.Etat == indicators.Brouillon {
				id = e.ID
				break
			}
		}
	}
	return readEdition(ctx, st, id)
}

// readEdition reads an edition, the published one by default, and says what to do when there is none.
func readEdition(ctx context.Context, st store.Store, id string) (*indicators.Edition, error) {
	e, err := st.Edition(ctx, id)
	return e, noEdition(err, id)
}

// noEdition says what to do when the store does not have the edition asked for.
func noEdition(err error, id string) error {
	switch {
	case errors.Is(err, store.ErrNotFound) && id == "":
		return errors.New("no edition is published: run `observatoire run`, then `observatoire publish --by YOUR-NAME`")
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("no edition %q: `observatoire editions` lists them", id)
	}
	return err
}

func (a *app) publishCmd() *cobra.Command {
	var by, id string
	c := &cobra.Command{
		Use:     "publish",
		Aliases: []string{"publier"},
		Short:   "Publish the latest draft, in one switch",
		Long: `Publish the latest draft, in one switch. What review holds for blocking stops it until someone decides:
observatoire review --decide NUMBER --as accepte --by NAME --why REASON.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				if id == "" {
					list, err := st.Editions(ctx)
					if err != nil {
						return err
					}
					drafts := slices.DeleteFunc(list, func(e indicators.EditionInfo) bool { return e.Etat != indicators.Brouillon })
					switch len(drafts) {
					case 0:
						return errors.New("no draft to publish: `observatoire run` makes one")
					case 1:
						id = drafts[0].ID
					default: // one of them may be older than what is published
						return fmt.Errorf("%d drafts: say which with --edition; `observatoire editions` lists them, the latest first", len(drafts))
					}
				}
				e, err := st.Edition(ctx, id) // whole: an outline does not hold its alerts
				if err != nil {
					return noEdition(err, id)
				}
				return a.publish(ctx, p, st, e, by)
			})
		},
	}
	c.Flags().StringVar(&by, "by", envOr("USER", ""), "who publishes")
	c.Flags().StringVar(&id, "edition", "", "edition to publish (default: the latest draft)")
	return c
}

// publish publishes an edition where nothing that blocks is left undecided.
func (a *app) publish(ctx context.Context, p *project, st store.Store, e *indicators.Edition, by string) error {
	if by == "" {
		return usage{errors.New("publish: say who publishes with --by NAME")}
	}
	if err := p.undecided(e); err != nil {
		return err
	}
	if err := p.recordDecisions(ctx, st, e); err != nil {
		return err
	}
	id := e.ID
	err := st.Publish(ctx, id, by, today())
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no edition %q: `observatoire editions` lists them", id)
	}
	if err == nil {
		a.say("edition %s: published by %s", id, by)
	}
	return err
}

// today is the day something is published: the only date the program takes from the clock. SOURCE_DATE_EPOCH
// is not consulted: the day is in the journal, never in an edition.
func today() string { return time.Now().Format(time.DateOnly) }

func (a *app) withdrawCmd() *cobra.Command {
	var by string
	c := &cobra.Command{
		Use:     "withdraw",
		Aliases: []string{"retirer"},
		Short:   "Take the published edition back; the one before it is published again",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, _ *project, st store.Store) error {
				if by == "" {
					return usage{errors.New("withdraw: say who withdraws with --by NAME")}
				}
				id, err := st.Withdraw(ctx, by, today())
				if errors.Is(err, store.ErrNotFound) {
					return errors.New("no edition is published")
				}
				if err != nil {
					return err
				}
				if id == "" {
					a.say("withdrawn: nothing is published any more")
				} else {
					a.say("withdrawn: edition %s is published again", id)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&by, "by", os.Getenv("USER"), "who withdraws")
	return c
}
