package ingest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const cardWithDownloads = `id: revenus
kind: table
level: iris
key: [IRIS]
licence: Licence Ouverte 2.0
page: https://producteur.example/revenus
files: ["REV_{AAAA}.csv"]
variables: [{id: a, columns: A, millesime: edition}]
downloads:
`

func TestCardDownload(t *testing.T) {
	c, err := LoadCard("revenus.yaml", []byte(cardWithDownloads+`
  2019: {url: "https://producteur.example/f/{AAAA}/REV_{AAAA}_csv.zip", size: 12, licence: Autre}
  2021: {url: "https://producteur.example/get?id=7", file: "rev{AA}.zip"}
  2021-COM: {url: "https://producteur.example/get?id=8", file: "rev{AA}_com.zip"}
  "{AAAA}": {url: "https://producteur.example/tous/REV_{AA}.zip", page: "https://producteur.example/{AAAA}"}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2019, 2021}, c.DownloadEditions()); diff != "" {
		t.Errorf("DownloadEditions (-want +got):\n%s", diff)
	}
	const licence, page = "Licence Ouverte 2.0", "https://producteur.example/revenus"
	for year, want := range map[int][]Download{
		0:    nil, // a file without a year has no address that needs one
		2019: {{URL: "https://producteur.example/f/2019/REV_2019_csv.zip", File: "REV_2019_csv.zip", Size: 12, Licence: "Autre", Page: page}},
		2021: {{URL: "https://producteur.example/get?id=7", File: "rev21.zip", Licence: licence, Page: page},
			{URL: "https://producteur.example/get?id=8", File: "rev21_com.zip", Licence: licence, Page: page}},
		2022: {{URL: "https://producteur.example/tous/REV_22.zip", File: "REV_22.zip", Licence: licence, Page: "https://producteur.example/2022"}},
	} {
		if diff := cmp.Diff(want, c.DownloadsOf(year)); diff != "" {
			t.Errorf("DownloadsOf(%d) (-want +got):\n%s", year, diff)
		}
	}
}

// An address that moves changes no figure: it is not part of what a card's digest covers.
func TestCardHashLeavesDownloads(t *testing.T) {
	hash := func(text string) string {
		t.Helper()
		c, err := LoadCard("revenus.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash
	}
	plain := strings.TrimSuffix(cardWithDownloads, "downloads:\n")
	want := hash(plain)
	for _, same := range []string{
		cardWithDownloads + "  2019: {url: \"https://a.example/a.zip\"}\n\n  # moved\n  2020: {url: \"https://a.example/b.zip\"}\n",
		"downloads:\n  2019: {url: \"https://a.example/a.zip\"}\n" + plain,
		plain + "downloads: {2019: {url: \"https://a.example/a.zip\"},\n  2020: {url: \"https://a.example/b.zip\"}\n}\n",
	} {
		if hash(same) != want {
			t.Errorf("another digest:\n%s", same)
		}
	}
	if other := hash(strings.Replace(plain, "columns: A", "columns: B", 1)); other == want {
		t.Error("another column, the same digest")
	}
}

func TestCardDownloadsRefused(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`  2019: {url: "ftp://producteur.example/a.zip"}`, "begins with https:// or http://"},
		{`  2019: {url: "producteur.example/a.zip"}`, "begins with https:// or http://"},
		{`  dixneuf: {url: "https://producteur.example/a.zip"}`, "downloads: dixneuf: the year of the file is wanted"},
		{`  "{AAAA}": {url: "https://producteur.example/a.zip"}`, "nothing in it changes with the year"},
		{`  "{AAAA}": {url: "https://producteur.example/{AAAA}.zip", size: 3}`, "are those of one file"},
		{`  2019: {url: "https://producteur.example/a.zip", sha256: ABC}`, "is not 64 hexadecimal digits"},
		{`  2019: {url: "https://producteur.example/a.zip", file: "../a.zip"}`, "a plain file name is wanted"},
		{`  2019: {url: "https://producteur.example/"}`, "a plain file name is wanted"},
		{`  2019: {url: "https://producteur.example/a.zip", siz: 3}`, `revenus.yaml:10: unknown key "siz"`},
	} {
		_, err := LoadCard("revenus.yaml", []byte(cardWithDownloads+tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestLock(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	l := &Lock{}
	l.Put(Locked{File: "sources/b.csv", Size: 3, SHA256: sum})
	l.Put(Locked{File: "sources/a.zip", Card: "revenus", Edition: 2019, URL: "https://x.example/a.zip", ETag: `"1: #x"`,
		Retrieved: "2026-11-22", Licence: "Licence Ouverte 2.0", Size: 4, SHA256: sum})
	l.Put(Locked{File: "sources/b.csv", Size: 5, SHA256: sum})
	text, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := `# Written by ` + "`observatoire fetch`" + `: which bytes the sources are, and where they came from. Keep it with the project.
files:
- file: sources/a.zip
  card: revenus
  edition: 2019
  url: https://x.example/a.zip
  licence: Licence Ouverte 2.0
  retrieved: "2026-11-22"
  etag: "\"1: #x\""
  size: 4
  sha256: ` + sum + `
- file: sources/b.csv
  size: 5
  sha256: ` + sum + "\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("Marshal (-want +got):\n%s", diff)
	}
	path := filepath.Join(t.TempDir(), "observatoire.lock")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	back, err := ReadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, back); diff != "" {
		t.Errorf("ReadLock (-want +got):\n%s", diff)
	}
	for bad, want := range map[string]string{
		"files:\n- {file: a, sha256: 12, size: 1}\n":                                                     "64 hexadecimal",
		"files:\n- {file: a, sha256: " + sum + ", size: 1}\n- {file: a, sha256: " + sum + ", size: 1}\n": "twice, as after a merge",
		"files:\n- {file: a, sha: 1}\n":                                                                  ":2: unknown key \"sha\"",
		"files:\n- {file: a, sha256: " + sum + ", size: 1, retrieved: hier}\n":                           "is not a day",
		"<<<<<<< HEAD\nfiles: []\n":                                                                      "observatoire.lock",
		"files:\n- {file: a, sha256: " + sum + ", size: 1, url: \"file:///etc/passwd\"}":                 "begins with https:// or http://",
	} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadLock(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", bad, err, want)
		}
	}
}
