package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Without a command the program says what is there, missing, new and due, and what to do next.
func TestStatusSources(t *testing.T) {
	dir := demoProject(t)
	text, err := os.ReadFile(filepath.Join(dir, projectFile))
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(dir, projectFile), strings.Replace(string(text), "\ntables:\n", `
tables:
  - {file: sources/REV_2019.csv}
  - {file: sources/REV_2020.csv}
  - {file: sources/REV_2018.csv, url: "https://producteur.example/REV_2018.csv"}
`, 1))
	putFile(t, filepath.Join(dir, "cards", "revenus.yaml"), "id: revenus\nkind: table\ntitle: Revenus\nlevel: iris\nkey: [IRIS]\npage: https://producteur.example/revenus\n"+
		"release: janvier\nrelease_month: 1\nrelease_lag: 1\nfiles: [\"REV_{AAAA}.csv\"]\nvariables: [{id: a, columns: POP, millesime: edition}]\n")
	for _, name := range []string{"REV_2019.csv", "REV_2021.csv", "autre.csv", "LISEZMOI.txt", "REV_2018.csv.part", ".caché.csv"} {
		putFile(t, filepath.Join(dir, "sources", name), "IRIS;POP\n")
	}
	var got standing
	read := func() {
		t.Helper()
		got = standing{}
		if err := json.Unmarshal([]byte(must(t, "-C", dir, "--format", "json")), &got); err != nil {
			t.Fatal(err)
		}
	}
	read()
	var sources []string
	for _, x := range got.Sources {
		if strings.HasPrefix(x.File, "sources/") {
			sources = append(sources, fmt.Sprintf("%s %s %s %d: %s%s", x.File, x.State, x.Card, x.Edition, x.URL, x.Note))
		}
	}
	if diff := cmp.Diff([]string{
		"sources/REV_2018.csv missing revenus 2018: https://producteur.example/REV_2018.csv9 B of it are there",
		"sources/REV_2019.csv present revenus 2019: ",
		"sources/REV_2020.csv missing revenus 2020: no address for it: download it from https://producteur.example/revenus and put it there, or give its url",
		"sources/REV_2021.csv new revenus 2021: to read it, add to tables: {card: revenus, file: sources/REV_2021.csv}",
		"sources/autre.csv new  0: no card fits its name: `observatoire inspect` looks into it",
	}, sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	now := time.Now()
	out := now.Year() - 1 // the latest edition whose month, January of the year after it, has passed
	if now.Month() == time.January {
		out--
	}
	if diff := cmp.Diff([]expectedSource{{Card: "revenus", Title: "Revenus", State: "due", Latest: 2019, Next: out,
		Expected: fmt.Sprintf("%d-01", out+1), Usual: "janvier", Page: "https://producteur.example/revenus"}}, got.Calendar); diff != "" {
		t.Errorf("calendar (-want +got):\n%s", diff)
	}
	if want := "observatoire fetch (1 to download)"; got.Next != want {
		t.Errorf("next: %q, want %q", got.Next, want)
	}
	text2 := must(t, "-C", dir)
	for _, want := range []string{"1 due", "2 missing, 2 new", "no edition yet", "next: observatoire fetch"} {
		if !strings.Contains(text2, want) {
			t.Errorf("no %q in\n%s", want, text2)
		}
	}

	putFile(t, filepath.Join(dir, "sources", "REV_2018.csv"), "IRIS;POP\n")
	if read(); got.Next != "put the 1 missing files in place, then: observatoire run" {
		t.Errorf("next: %q", got.Next)
	}
	putFile(t, filepath.Join(dir, projectFile), string(text))
	if read(); !strings.HasPrefix(got.Next, "name the 4 new files in observatoire.yaml") {
		t.Errorf("next: %q", got.Next)
	}
	must(t, "-C", dir, "run")
	if read(); got.Next != "observatoire review, then: observatoire publish --by YOUR-NAME" || len(got.Editions) != 1 || got.Editions[0].State != "brouillon" {
		t.Errorf("next: %q, editions: %+v", got.Next, got.Editions)
	}
	if code, _, _ := cli(t, "-C", dir, "--format", "xml"); code != exitUsage {
		t.Errorf("--format xml: exit %d", code)
	}
	// Where the store cannot be reached the sources are shown all the same.
	code, stdout, errs := cli(t, "-C", dir, "--store", "postgres://127.0.0.1:1/rien?connect_timeout=1")
	if code != exitFailed || !strings.Contains(stdout, "sources/REV_2021.csv") || !strings.Contains(stdout, "next: mend the store") {
		t.Errorf("exit %d: %s%s", code, stdout, errs)
	}
}
