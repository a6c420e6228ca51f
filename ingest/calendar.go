package ingest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A Release is what the calendar says of one card: which edition_source is at hand, and which one to look for.
type Release struct {
	Card   *Card
	Latest int // latest edition_source at hand, 0 when there is none
	// Next is the edition_source to look for: the latest that is usually published by now, when it is not at hand, else
	// the one after the latest. 0 when the card does not say when its files are published.
	Next     int
	Expected time.Time // first day of the month in which Next is usually published
	Due      bool      // that month has passed
}

// Calendar compares what is at hand, edition_source by id of card, with what the cards say of their usual months of
// release. Only cards that have something at hand, or none at all of their files (an empty list), are in it: ordered by
// the date expected, then those without a date, by id.
func Calendar(cards []*Card, present map[string][]int, today time.Time) []Release {
	var out []Release
	for _, c := range cards {
		years, ok := present[c.ID]
		if !ok {
			continue
		}
		r := Release{Card: c}
		if len(years) > 0 {
			r.Latest = slices.Max(years)
		}
		if c.ReleaseMonth > 0 && c.dated() {
			published := c.lastPublished(today)
			r.Next = published
			if r.Latest >= published {
				r.Next = r.Latest + 1
			}
			r.Expected, r.Due = c.expected(r.Next), r.Latest < published
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y Release) int {
		switch {
		case x.Next == 0 && y.Next != 0:
			return 1
		case y.Next == 0 && x.Next != 0:
			return -1
		}
		return cmp.Or(x.Expected.Compare(y.Expected), cmp.Compare(x.Card.ID, y.Card.ID))
	})
	return out
}

// dated says whether the card's files have a year: a calendar needs one.
func (c *Card) dated() bool {
	return slices.ContainsFunc(c.Files, func(f string) bool { return strings.Contains(f, "{AA") })
}

// expected is the first day of the month in which an edition_source is usually published.
func (c *Card) expected(edition int) time.Time {
	return time.Date(edition+c.ReleaseLag, time.Month(c.ReleaseMonth), 1, 0, 0, 0, 0, time.UTC)
}

// lastPublished is the latest edition_source whose month of release has passed whole.
func (c *Card) lastPublished(today time.Time) int {
	edition := today.Year() - c.ReleaseLag
	if today.Before(c.expected(edition).AddDate(0, 1, 0)) {
		edition--
	}
	return edition
}
