package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"observatoire/tiles"
)

// unpacked is every member of a bundle.
func unpacked(t *testing.T, path string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(strings.TrimSuffix(path, ".pack") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var places map[string][2]int
	if err := json.Unmarshal(index, &places); err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	total := 0
	for key, p := range places {
		z, err := gzip.NewReader(bytes.NewReader(data[p[0] : p[0]+p[1]]))
		if err != nil {
			t.Fatal(err)
		}
		if all[key], err = io.ReadAll(z); err != nil {
			t.Fatalf("%s of %s: %v", key, path, err)
		}
		total += p[1]
	}
	if total != len(data) {
		t.Errorf("%s: the index names %d bytes of %d", path, total, len(data))
	}
	return all
}

// A site is what the service answers, to the byte, and nothing that partners gave.
func TestSite(t *testing.T) {
	if _, err := fs.Stat(tiles.Viewer(), "index.html"); err != nil {
		t.Skip("the viewer is not built: make viewer")
	}
	dir := laterProject(t)
	out, again := filepath.Join(t.TempDir(), "site"), filepath.Join(t.TempDir(), "encore")
	must(t, "-C", dir, "export", "--what", "site", "-o", out)
	must(t, "-C", dir, "export", "--what", "site", "-o", again)
	if code, _, stderr := cli(t, "-C", dir, "export", "--what", "site", "-o", out); code != 3 || !strings.Contains(stderr, "holds something already") {
		t.Errorf("a folder that is not empty: exit %d, %s", code, stderr)
	}
	if code, _, stderr := cli(t, "-C", dir, "export", "--what", "site", "--convention", "ops-exemple", "-o", out+"2"); code != 2 {
		t.Errorf("under a convention: exit %d, %s", code, stderr)
	}
	url, _, _ := started(t, "-C", dir, "--access-log=false", "--rate", "0")
	answered := func(path string) (v any) {
		t.Helper()
		_, body := get(t, http.DefaultClient, url+path)
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	files := 0
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		name, _ := filepath.Rel(out, path)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		other, err := os.ReadFile(filepath.Join(again, name))
		if err != nil || !bytes.Equal(b, other) {
			t.Errorf("%s is not the same twice: %v", name, err)
		}
		texts := map[string][]byte{name: b}
		if filepath.Ext(path) == ".pack" {
			texts = unpacked(t, path)
		}
		for key, text := range texts {
			for _, secret := range []string{"ops-exemple", "http://site", dir} {
				if bytes.Contains(text, []byte(secret)) {
					t.Errorf("%s (%s) holds %q", name, key, secret)
				}
			}
		}
		parts := strings.Split(filepath.ToSlash(strings.TrimSuffix(name, ".pack")), "/")
		if filepath.Ext(path) != ".pack" {
			return nil
		}
		for key, text := range texts {
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				return err
			}
			want := ""
			switch parts[1] {
			case "carte":
				id, sexe, _ := strings.Cut(key, "/")
				want = "/api/carte/" + parts[2] + "?indicateur=" + id + "&sexe=" + sexe
			case "fiches":
				card := v.(map[string]any)
				for _, table := range []string{"evolutions", "rangs", "femmes-hommes", "equipements"} {
					if rows := answered("/api/" + table + "?couche=" + parts[2] + "&zone=" + key).(map[string]any)[table]; !reflect.DeepEqual(rows, card[table]) {
						t.Errorf("%s of %s: %v, the service says %v", table, key, card[table], rows)
					}
				}
				want, v = "/api/zones/"+parts[2]+"/"+key, card["zone"]
			}
			if answer := answered(want); !reflect.DeepEqual(v, answer) {
				t.Errorf("%s: %v, the service says %v", want, v, answer)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 40 {
		t.Errorf("%d files", files)
	}
}
