package main

import (
	"flag"
	"fmt"
	"os"
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
	b.WriteString("| card | what it describes | level | producer | licence |\n|---|---|---|---|---|\n")
	for _, card := range c.Cards() {
		level := card.Level
		if level == "" {
			level = "any"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", card.ID, card.Title, level, card.Producer, card.Licence)
	}
	const path, begin, end = "../../README.md", "<!-- cards -->\n", "<!-- end of cards -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	list, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md has lost its list of cards, between %q and %q", begin, end)
	}
	if list == b.String() {
		return
	}
	if !*update {
		t.Errorf("README.md does not list the catalogue: go test ./cmd/observatoire -run Readme -update\n%s", b.String())
		return
	}
	if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
