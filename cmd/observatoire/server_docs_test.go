package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// What the notes of operation say is so: each flag of serve is there with its default, each command line is understood.
func TestServerNotes(t *testing.T) {
	b, err := os.ReadFile("../../docs/serveur.md")
	if err != nil {
		t.Fatal(err)
	}
	notes := string(b)
	var o serveOptions
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	o.flags(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		row := regexp.MustCompile("(?m)^\\|[^|]*`--" + f.Name + "`[^|]*\\|([^|]*)\\|").FindStringSubmatch(notes)
		def := strings.TrimSuffix(f.DefValue, "0s")
		if f.DefValue == "0s" || def == "" || def == "[]" {
			def = map[bool]string{true: "0s", false: ""}[f.DefValue == "0s"]
		}
		if row == nil || !strings.Contains(row[1], def) {
			t.Errorf("docs/serveur.md does not give --%s, %q by default: %v", f.Name, f.DefValue, row)
		}
	})
	for _, name := range regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(notes, -1) {
		if flags.Lookup(name[1][2:]) == nil {
			t.Errorf("docs/serveur.md: serve has no %s", name[1])
		}
	}

	files, err := filepath.Glob("../../docs/recettes/*")
	if err != nil || len(files) < 5 {
		t.Fatalf("recipes: %v, %v", files, err)
	}
	lines := map[string][]string{}
	for _, path := range append(files, "../../docs/serveur.md") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?:^|\n|ExecStart=|# +|binPath= ")[^\n"]*observatoire(?:\.exe)? (-C \S+ serve[^"\n]*|token \S+)`).FindAllStringSubmatch(string(b), -1) {
			lines[filepath.Base(path)] = append(lines[filepath.Base(path)], line[1])
		}
		for _, m := range regexp.MustCompile(`ENTRYPOINT (\[.*\])`).FindAllStringSubmatch(string(b), -1) {
			var args []string
			if err := json.Unmarshal([]byte(m[1]), &args); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			lines[filepath.Base(path)] = append(lines[filepath.Base(path)], strings.Join(args[1:], " "))
		}
	}
	for _, name := range []string{"serveur.md", "observatoire.service", "Dockerfile", "nginx.conf", "Caddyfile", "apache.conf"} {
		if len(lines[name]) == 0 {
			t.Errorf("%s: no command line found", name)
		}
		for _, line := range lines[name] {
			root := newRoot(io.Discard, io.Discard)
			c, rest, err := root.Find(strings.Fields(line))
			if err == nil {
				err = c.ParseFlags(rest)
			}
			if err != nil || c == root {
				t.Errorf("%s: observatoire %s: %v", name, line, err)
			}
		}
	}
	if len(lines["serveur.md"]) < 3 {
		t.Errorf("command lines of the notes: %q", lines["serveur.md"])
	}
}

func TestSystemdUnit(t *testing.T) {
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	b, err := os.ReadFile("../../docs/recettes/observatoire.service")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "observatoire.service")
	text := strings.Replace(string(b), "/usr/local/bin/observatoire", self, 1)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "verify", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "observatoire.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestNginxRecipe(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	b, err := os.ReadFile("../../docs/recettes/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := regexp.MustCompile(`(?m)^ *(listen|http2|ssl_certificate\S*) .*\n`).ReplaceAllString(string(b), "") // no certificate here
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte("pid "+dir+"/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+text+"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-t", "-c", conf, "-p", dir).CombinedOutput(); err != nil {
		t.Errorf("nginx -t: %v\n%s", err, out)
	}
}
