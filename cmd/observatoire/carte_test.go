package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCarte(t *testing.T) {
	dir, out := publishedDemo(t), t.TempDir()
	for _, name := range []string{"geographie", "veille", "equipements", "part_familles_monoparentales"} {
		path := filepath.Join(out, name+".svg")
		must(t, "-C", dir, "carte", name, "-o", path)
		if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(b, []byte("<svg ")) || !strings.Contains(string(b), "Contours schématiques") {
			t.Errorf("%s: %v %.200s", name, err, b)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"vielle -o x.svg", "veille"}, {"veille", "-o FILE"}, {"veille -o x.gif", ".png"}, {"veille -o x.svg --size A5", "A4 or A3"},
		{"part_cmuc -o x.svg --layer iris-2099", "iris-2010"}, {"part_cmuc -o x.svg --zone QP99", "no quarter"}, {"part_cmuc -o x.svg --sex X", "F, H, T"},
	} {
		code, _, errs := cli(t, append([]string{"-C", dir, "carte"}, strings.Fields(c.args)...)...)
		if code != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("carte %s: exit %d: %s", c.args, code, errs)
		}
	}
	if _, err := browser(); err != nil {
		t.Skip("no Chromium here: no PNG, no PDF")
	}
	path := filepath.Join(out, "veille.png")
	must(t, "-C", dir, "carte", "veille", "-o", path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if size, err := png.DecodeConfig(f); err != nil || size.Width != 3*1123 || size.Height != 3*794 {
		t.Errorf("the picture: %v, %v", size, err)
	}
	path = filepath.Join(out, "veille.pdf")
	must(t, "-C", dir, "carte", "veille", "--size", "A3", "-o", path)
	if b, err := os.ReadFile(path); err != nil || bytes.Count(b, []byte("/Type /Page\n")) != 1 {
		t.Errorf("the PDF has %d pages (%v)", bytes.Count(b, []byte("/Type /Page\n")), err)
	}
}
