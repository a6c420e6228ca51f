// Package indicators turns parsed figures and overlap weights into comparable series: one value for an
// indicator, a zone, a millésime and a sex, with how it came about.
//
// Percentages are between 0 and 100, shares and coverages between 0 and 1, euros per year.
// Absence is a [Statut], never 0 and never NaN. The formulae, each with a tested example, are in METHOD.md.
package indicators
