package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"observatoire/data"
	"observatoire/ingest"
)

var update = flag.Bool("update", false, "rewrite the lists of the README")

// The README lists the cards of the catalogue, no more and no less.
func TestReadmeListsTheCatalogue(t *testing.T) {
	c, err := ingest.LoadCatalogue(data.Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("Licence Ouverte 2.0 unless said; *unverified*: written from documentation, no published file was at hand.\n")
	for _, kind := range []struct{ title, names string }{
		{"Tables of figures", "table"}, {"Contours, compositions, tables of passage", "layer composition passage"}, {"References, known but not read for figures", "reference"},
	} {
		fmt.Fprintf(&b, "\n**%s**\n\n| card | what it describes | levels | producer |\n|---|---|---|---|\n", kind.title)
		for _, card := range c.Cards() {
			if !slices.Contains(strings.Fields(kind.names), card.Kind) {
				continue
			}
			levels := []string{card.Level}
			for _, r := range card.Levels {
				levels = append(levels, r.Level)
			}
			slices.Sort(levels)
			levels = slices.DeleteFunc(slices.Compact(levels), func(l string) bool { return l == "" })
			title := card.Title
			if card.Licence != "Licence Ouverte 2.0" {
				title += " – " + card.Licence
			}
			if card.Unverified {
				title += " – *unverified*"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", card.ID, title, strings.Join(levels, ", "), card.Producer)
		}
	}
	const path, begin, end = "../../docs/sources.md", "<!-- cards -->\n", "<!-- end of cards -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	list, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/sources.md has lost its list of cards, between %q and %q", begin, end)
	}
	if list == b.String() {
		return
	}
	if !*update {
		t.Errorf("docs/sources.md does not list the catalogue: go test ./cmd/observatoire -run Readme -update\n%s", b.String())
		return
	}
	if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
