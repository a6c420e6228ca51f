package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/ingest"
)

// anomalie stands in the column garde of the rows of decisions.csv that decide on an anomaly; portee is its ID then.
const anomalie = indicators.DecisionAnomalie

// Two columns more tell, of an anomaly, what was decided and on which content.
var (
	anomalyColumns = append(slices.Clone(decisionColumns), "decision", "empreinte")
	verdicts       = []string{"accepte", "corrige", "ecarte"}
)

// A decision is what someone decided on one anomaly.
type decision struct {
	ID, Decision, Auteur, Motif, Date string
	Empreinte                         string // of the content decided on
}

// number names an anomaly on a command line; it changes with the anomaly's ID alone.
func number(x indicators.Alerte) string { return hashOf(x.ID)[:8] }

// contentOf tells whether an anomaly still says what was decided on, whatever its words.
func contentOf(x indicators.Alerte) string { return hashOf(x.Content()...)[:16] }

// decisionRows reads the rows of decisions.csv as they are, the header first, and the line each stands on.
func (p *project) decisionRows() (rows [][]string, lines []int, err error) {
	path := filepath.Join(p.dir, decisionsFile)
	if !exists(path) {
		return nil, nil, nil
	}
	r, _, err := ingest.OpenRows(path, ingest.Layout{})
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	for r.Next() {
		if cells := r.Cells(); slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			rows, lines = append(rows, slices.Clone(cells)), append(lines, r.Line())
		}
	}
	return rows, lines, r.Err()
}

// decisions reads what was decided on anomalies, by ID. Every bad cell is reported.
func (p *project) decisions() (map[string]decision, error) {
	rows, lines, err := p.decisionRows()
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	path := filepath.Join(p.dir, decisionsFile)
	at := map[string]int{}
	for i, h := range rows[0] {
		at[strings.TrimSpace(h)] = i + 1
	}
	out := map[string]decision{}
	var bad []error
	for i, cells := range rows[1:] {
		cell := func(h string) string { return trimmed(cells, at[h]-1) }
		if at["garde"] == 0 || cell("garde") != anomalie {
			continue
		}
		d := decision{cell("portee"), cell("decision"), cell("auteur"), cell("motif"), cell("date"), cell("empreinte")}
		no := func(column, format string, args ...any) {
			bad = append(bad, &ingest.CellError{File: path, Line: lines[i+1], Column: column, Err: fmt.Errorf(format, args...)})
		}
		if d.ID == "" {
			no("portee", "empty: which anomaly? `observatoire review --decide` writes the row")
		}
		if !slices.Contains(verdicts, d.Decision) {
			no("decision", "%q: one of %s", d.Decision, strings.Join(verdicts, ", "))
		}
		for _, h := range []string{"auteur", "motif"} {
			if cell(h) == "" {
				no(h, "empty: a decision says who took it and why")
			}
		}
		if _, err := time.Parse(time.DateOnly, d.Date); err != nil {
			no("date", "%q is not a day: write AAAA-MM-JJ, such as 2026-12-31", d.Date)
		}
		if d.Empreinte == "" {
			no("empreinte", "empty: `observatoire review --decide` writes it, so that the anomaly comes back when its content changes")
		}
		if _, ok := out[d.ID]; ok {
			no("portee", "%s is decided twice: keep one of the two rows", d.ID)
		}
		out[d.ID] = d
	}
	return out, errors.Join(bad...)
}

// decide writes a decision on an anomaly into decisions.csv, in the place of a former one. The other rows stay.
func (p *project) decide(d decision) error {
	if _, err := p.decisions(); err != nil { // nothing is written over what cannot be read
		return err
	}
	rows, _, err := p.decisionRows()
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		rows = [][]string{anomalyColumns}
	}
	at := map[string]int{}
	for i := range rows[0] {
		rows[0][i] = strings.TrimSpace(rows[0][i])
		at[rows[0][i]] = i
	}
	for _, h := range anomalyColumns {
		if _, ok := at[h]; !ok {
			at[h] = len(rows[0])
			rows[0] = append(rows[0], h)
		}
	}
	row := make([]string, len(rows[0]))
	for h, v := range map[string]string{"garde": anomalie, "portee": d.ID, "auteur": d.Auteur, "motif": d.Motif,
		"date": d.Date, "decision": d.Decision, "empreinte": d.Empreinte} {
		row[at[h]] = v
	}
	rows = slices.DeleteFunc(rows, func(cells []string) bool {
		return trimmed(cells, at["garde"]) == anomalie && trimmed(cells, at["portee"]) == d.ID
	})
	rows = append(rows, row)
	return writeFile(filepath.Join(p.dir, decisionsFile), func(w io.Writer) error {
		if _, err := io.WriteString(w, "\ufeff"); err != nil { // for spreadsheets
			return err
		}
		c := csv.NewWriter(w)
		c.Comma, c.UseCRLF = ';', true
		for _, cells := range rows {
			if len(cells) < len(rows[0]) {
				cells = append(slices.Clone(cells), make([]string, len(rows[0])-len(cells))...)
			}
			if err := c.Write(cells); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	})
}

// decided are the decisions that hold for an edition: the guards that were waived when it was made, and what the project says of its
// anomalies, as long as their content stands.
func (p *project) decided(e *indicators.Edition, waived []indicators.Decision) ([]indicators.Decision, error) {
	list := slices.Clone(waived)
	decided, err := p.decisions()
	if err != nil {
		return nil, refused{err}
	}
	for _, x := range e.Alertes {
		if d, ok := decided[x.ID]; ok && d.Empreinte == contentOf(x) {
			list = append(list, indicators.Decision{Garde: indicators.DecisionAnomalie, Portee: x.ID, Objet: x.Objet, Decision: d.Decision, Auteur: d.Auteur, Motif: d.Motif,
				Date: d.Date, Empreinte: d.Empreinte, Convention: x.Convention})
		}
	}
	slices.SortFunc(list, func(a, b indicators.Decision) int {
		return cmp.Or(cmp.Compare(a.Garde, b.Garde), cmp.Compare(a.Portee, b.Portee))
	})
	return list, nil
}

// recordDecisions keeps with a draft what was decided since it was made: the edition published holds its decisions, and its id is the
// same.
func (p *project) recordDecisions(ctx context.Context, st store.Store, e *indicators.Edition) error {
	waived := slices.DeleteFunc(slices.Clone(e.Decisions), func(d indicators.Decision) bool { return d.Garde == indicators.DecisionAnomalie })
	list, err := p.decided(e, waived)
	if err != nil || slices.Equal(list, e.Decisions) {
		return err
	}
	e.Decisions = list
	if err := stampDecisions(e); err != nil {
		return err
	}
	return st.PutEdition(ctx, e)
}

// undecided refuses an edition where something that blocks was not decided.
func (p *project) undecided(e *indicators.Edition) error {
	decided, err := p.decisions()
	if err != nil {
		return refused{err}
	}
	var open []string
	for _, x := range e.Alertes {
		if x.Gravite == "bloquante" && decided[x.ID].Empreinte != contentOf(x) {
			open = append(open, fmt.Sprintf("%s: %s: %s", number(x), x.Objet, x.Message))
		}
	}
	if len(open) == 0 {
		return nil
	}
	return fmt.Errorf("edition %s is not published: mend what blocks and run again, or decide on it with `observatoire review --decide NUMBER --as accepte --by NAME --why REASON`:\n%s",
		e.ID, strings.Join(open, "\n"))
}

// A reviewRow is an anomaly as `review --format json` writes it.
type reviewRow struct {
	Numero   string `json:"numero"`
	ID       string `json:"id"`
	Gravite  string `json:"gravite"`
	Nature   string `json:"nature"`
	Objet    string `json:"objet"`
	Message  string `json:"message"`
	Decision string `json:"decision,omitempty"` // in French; empty when there is none
}

func (a *app) reviewCmd() *cobra.Command {
	var id, which, as, by, why, format, comment, document string
	c := &cobra.Command{
		Use:     "review",
		Aliases: []string{"relire"},
		Short:   "List what deserves a look before publishing, and decide on it",
		Long: `List what deserves a look before publishing: what blocks first. --decide takes the number of a line (or its id) and
writes the decision into decisions.csv, with who took it, why and when. What is decided is shown so, until the content
of the anomaly changes, its figures and not its words: then it has to be decided again. What was decided goes with the edition when
it is published.

--comment takes the code of a zone and notes, above the text of commentaires/CODE.md, who vouches for it, when, and the figures it was
written on: the review of a later edition says which of them moved.

--against takes a table of the figures that a document prints (territoire, indicateur, valeur; niveau, base, sexe, annee, unite, ligne where
they are known; sens and par_rapport_a for what its text says of one; partie_de, territoire:indicateur, for the parts of a total) and
tells those that cannot be true together, and those that are not the producer's in the edition.`,
		Example: `  observatoire review
  observatoire review --decide 1f0c22ab --as accepte --by "L. Martin" --why "vérifié auprès du producteur"
  observatoire review --comment QP013061 --by "L. Martin"
  observatoire review --against portrait-2015.csv --format csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" && (format != "csv" || document == "") {
				return usage{fmt.Errorf("--format %s: table or json; csv with --against", format)}
			}
			if document != "" && (which != "" || comment != "") {
				return usage{errors.New("--against FILE: on its own")}
			}
			if which == "" && (as != "" || why != "") {
				return usage{errors.New("--as and --why go with --decide NUMBER")}
			}
			if comment != "" && (which != "" || strings.TrimSpace(by) == "") {
				return usage{errors.New("--comment CODE: on its own, with --by NAME: who vouches for it")}
			}
			if which != "" {
				if !slices.Contains(verdicts, as) {
					return usage{fmt.Errorf("--as %q: one of %s", as, strings.Join(verdicts, ", "))}
				}
				if strings.TrimSpace(by) == "" || strings.TrimSpace(why) == "" {
					return usage{errors.New("--decide: say who decides with --by NAME and why with --why REASON")}
				}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				e, err := draftOrPublished(ctx, st, id)
				if err != nil {
					return err
				}
				if document != "" {
					return a.against(e, document, format)
				}
				list, err := st.Editions(ctx)
				if err != nil {
					return err
				}
				draft := slices.ContainsFunc(list, func(x indicators.EditionInfo) bool { return x.ID == e.ID && x.Etat == indicators.Brouillon })
				if comment != "" {
					if err := p.signComment(e, comment, strings.TrimSpace(by), today()); err != nil {
						return refused{err}
					}
					a.say("%s: on the figures of edition %s", filepath.Join(commentsFolder, comment+".md"), e.ID)
					return nil
				}
				if which != "" {
					i := slices.IndexFunc(e.Alertes, func(x indicators.Alerte) bool { return x.ID == which || number(x) == which })
					if i < 0 {
						return usage{fmt.Errorf("--decide %s: nothing of that number in edition %s: `observatoire review` lists them", which, e.ID)}
					}
					x := e.Alertes[i]
					if err := p.decide(decision{x.ID, as, strings.TrimSpace(by), strings.TrimSpace(why), today(), contentOf(x)}); err != nil {
						return refused{err}
					}
					a.say("%s: %s: written into %s", number(x), as, decisionsFile)
					if !draft {
						a.say("edition %s is published with what was decided by then, and is not changed: this holds for the next edition", e.ID)
					}
					return nil
				}
				return a.review(p, e, draft, format)
			})
		},
	}
	c.Flags().StringVar(&id, "edition", "", "edition to review (default: the latest draft, else the published one)")
	c.Flags().StringVar(&which, "decide", "", "number or id of the anomaly to decide on")
	c.Flags().StringVar(&as, "as", "", "the decision: accepte, corrige or ecarte")
	c.Flags().StringVar(&by, "by", envOr("USER", ""), "who decides")
	c.Flags().StringVar(&why, "why", "", "why")
	c.Flags().StringVar(&comment, "comment", "", "code of a zone whose comment is written on the figures of the edition")
	c.Flags().StringVar(&document, "against", "", "table of the figures that a document prints: what they contradict")
	c.Flags().StringVar(&format, "format", "table", "table or json; with --against, csv too")
	return c
}

// review shows the anomalies of an edition, what blocks first, with what was decided on each: by the project on a draft, by those who
// published it on another.
func (a *app) review(p *project, e *indicators.Edition, draft bool, format string) error {
	decided := map[string]decision{}
	if draft {
		var err error
		if decided, err = p.decisions(); err != nil {
			return refused{err}
		}
	}
	for _, d := range e.Decisions {
		if !draft && d.Garde == anomalie {
			decided[d.Portee] = decision{d.Portee, d.Decision, d.Auteur, d.Motif, d.Date, d.Empreinte}
		}
	}
	alertes := slices.Clone(e.Alertes)
	order := []string{"bloquante", "attention", "information"}
	slices.SortStableFunc(alertes, func(x, y indicators.Alerte) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.Gravite), slices.Index(order, y.Gravite)), cmp.Compare(x.Kind, y.Kind))
	})
	rows, done, back := []reviewRow{}, 0, 0
	for _, x := range alertes {
		r := reviewRow{number(x), x.ID, x.Gravite, x.Kind, x.Objet, x.Message, ""}
		switch d, ok := decided[x.ID]; {
		case ok && d.Empreinte == contentOf(x):
			done++
			r.Decision = fmt.Sprintf("%s par %s le %s : %s", d.Decision, d.Auteur, d.Date, d.Motif)
		case ok:
			back++
			r.Decision = fmt.Sprintf("à revoir : le contenu a changé depuis la décision de %s (%s)", d.Auteur, d.Date)
		}
		rows = append(rows, r)
	}
	if format == "json" {
		return writeJSON(a.stdout, rows)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMÉRO\tDÉCISION\tGRAVITÉ\tNATURE\tOBJET\tMESSAGE")
	for _, r := range rows {
		short, why, _ := strings.Cut(r.Decision, " : ") // the reason goes to the end of the line
		if why != "" {
			why = " — " + why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s%s\n", r.Numero, short, r.Gravite, r.Nature, r.Objet, r.Message, why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	a.say("edition %s: %d things to look at, %d decided, %d to decide again", e.ID, len(rows), done, back)
	return nil
}
