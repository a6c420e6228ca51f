package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"observatoire/indicators"
	"observatoire/ingest"
)

// against checks the figures a document prints: against each other, then against the producers' that an edition shows.
func (a *app) against(e *indicators.Edition, path, format string) error {
	rows, _, err := ingest.OpenRows(path, ingest.Layout{})
	if err != nil {
		return refused{err}
	}
	defer rows.Close()
	var table [][]string
	var lines []int
	for rows.Next() {
		if cells := rows.Cells(); slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			table, lines = append(table, slices.Clone(cells)), append(lines, rows.Line())
		}
	}
	if err := rows.Err(); err != nil {
		return refused{err}
	}
	list, sums, skipped, err := indicators.ReadStatements(table, lines)
	if err != nil {
		return refused{fmt.Errorf("%s:1: %w", path, err)}
	}
	for _, s := range skipped {
		a.say("%s: %s", path, s)
	}
	if len(list) == 0 {
		return refused{errors.New(path + ": no figure that is a number")}
	}
	found := indicators.Contradictions(list, sums, indicators.KnownZones(e))
	apart, compared := indicators.AgainstEdition(list, indicators.Withhold(e))
	found = append(found, apart...)
	switch format {
	case "csv":
		err = indicators.WriteContradictionsCSV(a.stdout, found)
	case "json":
		err = writeJSON(a.stdout, append([]indicators.Contradiction{}, found...))
	default:
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "GENRE\tLIGNES\tCE QUI NE VA PAS")
		for _, c := range found {
			fmt.Fprintf(w, "%s\t%s\t%s\n", strings.ReplaceAll(c.Genre, "_", " "), c.Lignes, c.Message)
		}
		err = w.Flush()
	}
	a.say("%s: %d figures, %d of them of a producer in edition %s; %d contradictions", path, len(list), compared, e.ID, len(found))
	return err
}
