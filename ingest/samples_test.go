package ingest

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sampleNames are the files a card may have: its first pattern, with the years and the words of levels it says. What * stands for is left out.
func sampleNames(c *Card, years []int) []string {
	if len(c.Files) == 0 {
		return nil
	}
	words := []string{""}
	pattern := c.Files[0]
	if strings.Contains(pattern, "{NIVEAU}") {
		words = slices.Sorted(maps.Keys(c.Levels))
	}
	if !strings.Contains(pattern, "{AA") {
		years = years[:1]
	}
	var names []string
	for _, year := range years {
		for _, word := range words {
			stem := strings.TrimSuffix(strings.NewReplacer("{NIVEAU}", word, ".*", "", "*", "").Replace(withYear(pattern, year)), ".")
			names = append(names, strings.TrimSuffix(stem, filepath.Ext(stem))+".csv")
		}
	}
	return names
}

// sampleCode is an invented code of a level.
func sampleCode(level string, n int) string {
	switch level {
	case "iris":
		return fmt.Sprintf("13047%04d", 101+n)
	case "commune":
		return fmt.Sprintf("13%03d", 47+n)
	case "epci":
		return fmt.Sprintf("24130017%d", n)
	case "departement":
		return fmt.Sprintf("%02d", 13+n)
	case "qpv":
		return fmt.Sprintf("QP0130%02d", 61+n)
	}
	return fmt.Sprintf("%s%02d", strings.ToUpper(level), n)
}

// A sample is an invented file in the shape a card documents: three rows, each figure 7.
func sample(c *Card, name, key, level string, year int) string {
	var header []string
	value := map[string]string{} // of a column; 7 else
	column := func(h, v string) {
		if h != "" && !slices.Contains(header, h) {
			header = append(header, h)
		}
		if v != "" {
			value[h] = v
		}
	}
	parts, _ := parseKey(key)
	width := 0
	for _, p := range parts {
		column(p.column, "")
		width += p.width
	}
	for h, words := range c.Where {
		column(h, words[0])
	}
	for h, words := range c.At(level).Where {
		column(h, words[0])
	}
	for _, v := range c.Variables {
		at := v.Millesime.Year(year)
		if at == 0 {
			at = year
		}
		for _, sexe := range sexes {
			if names := v.Columns[sexe]; len(names) > 0 {
				for _, h := range strings.Split(withYear(names[0], at), " + ") {
					column(h, "")
				}
			}
		}
		for _, n := range v.Note {
			column(withYear(n, at), "0")
		}
	}
	if l := c.Long; l != nil {
		column(l.Variable, "population")
		column(l.Millesime, fmt.Sprint(year))
		column(l.Value, "")
		column(l.Sexe, "")
		value[l.Sexe] = "T"
		for word, s := range l.Sexes {
			if s == "T" {
				value[l.Sexe] = word
			}
		}
		column(l.Statut, "")
		value[l.Statut] = ""
		for word, s := range l.Statuts {
			if s == "disponible" && (value[l.Statut] == "" || word < value[l.Statut]) {
				value[l.Statut] = word
			}
		}
		for _, id := range slices.Backward(slices.Sorted(maps.Keys(l.Series))) {
			for h, words := range l.Series[id] {
				column(h, words[0])
			}
		}
		if len(l.Series) > 0 { // the other columns as the first series asks
			for h, words := range l.Series[slices.Sorted(maps.Keys(l.Series))[0]] {
				value[h] = words[0]
			}
		}
	}
	if n := c.Count; n != nil {
		for h := range n.columns() {
			column(h, "")
		}
	}
	slices.Sort(header[len(parts):])
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = ';'
	if c.Layout.Separator != "" && c.Layout.Separator != "tab" {
		w.Comma = rune(c.Layout.Separator[0])
	}
	_ = w.Write(header)
	for n := range 3 {
		row := make([]string, len(header))
		code := sampleCode(level, n)
		for i, h := range header {
			if row[i] = "7"; value[h] != "" {
				row[i] = value[h]
			}
			if p := slices.IndexFunc(parts, func(p keyPart) bool { return p.column == h }); p >= 0 {
				row[i] = code
				if len(parts) > 1 {
					at := 0
					for _, before := range parts[:p] {
						at += before.width
					}
					row[i] = code[at:min(len(code), at+parts[p].width)]
				}
			}
		}
		if c.Long != nil && c.Long.Statut != "" {
			row[slices.Index(header, c.Long.Statut)] = value[c.Long.Statut]
		}
		_ = w.Write(row)
	}
	w.Flush()
	return b.String()
}

// Every card of figures is alive: a file in the shape it documents is found to be its own, by its name and its columns, and gives the figures it
// promises, for each level and each era of the card. No published file stands behind these samples: they hold what the card says.
func TestEveryCardReadsItsOwnShape(t *testing.T) {
	cat := bundled(t)
	inspector := &Inspector{Catalogue: cat}
	files := 0
	for _, c := range cat.Cards() {
		if c.Kind != "table" || c.Register != nil {
			continue
		}
		years := append([]int{2006, 2013, 2021}, slices.Collect(maps.Keys(c.Vintage.ByEdition))...)
		for _, v := range c.Variables {
			years = append(years, slices.Collect(maps.Keys(v.Millesime.ByEdition))...)
		}
		slices.Sort(years)
		for _, name := range sampleNames(c, slices.Compact(years)) {
			year, word, ok := c.named(name)
			if !ok {
				t.Errorf("%s: the card does not know the name %s that its pattern makes", c.ID, name)
				continue
			}
			keys := []string{c.Key[0]}
			if c.byKey() {
				keys = c.Key
			}
			for _, key := range keys {
				level := c.Level
				switch {
				case c.byKey():
					level = c.Levels[key].Level
				case c.LevelColumn != "":
					level = c.LevelsOf(name)[0]
				case word != "":
					level = c.Levels[word].Level
				}
				at := c
				if c.LevelColumn != "" {
					at = c.At(level)
				}
				path := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(path, []byte(sample(c, name, key, level, max(year, 2006))), 0o600); err != nil {
					t.Fatal(err)
				}
				files++
				if c.Count != nil {
					list, err := c.Counted(path)
					i := slices.IndexFunc(list, func(at *Card) bool { return at.Key[0] == key })
					if err != nil || i < 0 {
						t.Errorf("%s: %s is not counted by %s: %v", c.ID, name, key, err)
						continue
					}
					at = list[i]
				}
				table, err := Open(context.Background(), path, at, Scope{})
				got, err := figuresOf(t, table, err)
				if err != nil || !strings.Contains(got, sampleCode(level, 2)+" ") {
					t.Errorf("%s: %s by %s: %v\n%.300s", c.ID, name, key, err, got)
					continue
				}
				src, _ := table.Source()
				if src.Rows != 3 || src.Level != level {
					t.Errorf("%s: %s: %d rows of %s, want 3 of %s", c.ID, name, src.Rows, src.Level, level)
				}
				found := inspector.Inspect(context.Background(), path)
				if found.Card != c.ID || found.Refused {
					t.Errorf("%s: %s by %s is not found to be its own: it is %q: %q %q", c.ID, name, key, found.Card, found.Problems, found.Remarks)
				}
			}
		}
	}
	t.Logf("%d files", files)
}
