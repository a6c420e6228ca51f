package tiles

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The commands of docs/clients.md, as they are written there, read every zone. Those in Python need OWSLib and QGIS:
// make clients.
func TestClients(t *testing.T) {
	guide, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(sh|python)\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d commands in the guide", len(blocks))
	}
	e := sample(20) // 400 IRIS, and one without contours in another commune: several pages
	ts := server(t, e)
	for _, b := range blocks {
		name := strings.Fields(strings.TrimPrefix(b[2], "from "))[0]
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(b[2], "http://localhost:8080", ts.URL)
			c := exec.Command("sh", "-ec", text)
			if b[1] == "python" {
				if os.Getenv("OBSERVATOIRE_CLIENTS") == "" {
					t.Skip("OBSERVATOIRE_CLIENTS is not set: make clients")
				}
				c = exec.Command("/usr/bin/python3", "-c", text)
			} else if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed: make deps", name)
			}
			c.Dir = t.TempDir()
			c.Env = append(os.Environ(), "QT_QPA_PLATFORM=offscreen", "HOME="+c.Dir, "XDG_RUNTIME_DIR="+c.Dir)
			want := "Feature Count: 401"
			if name == "curl" { // of one commune
				want = "Feature Count: 400"
			}
			out, err := c.CombinedOutput()
			if err != nil || !strings.Contains(string(out), want+"\n") {
				t.Errorf("no %q: %v\n%s\n%.1500s", want, err, text, out)
			}
		})
	}
}
