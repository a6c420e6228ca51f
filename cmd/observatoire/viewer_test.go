package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/tiles"
)

const viewerFolder = "../../tiles/web"

// TestViewer tries the interactive map in a real browser: tiles/web/test. Four editions are served: the demonstration, as it
// is; the same with later years, a comment, a deposit and an edition before it; a grid of 50 400 zones; and where the real
// files are at hand, the real project.
func TestViewer(t *testing.T) {
	if testing.Short() {
		t.Skip("the browser takes a minute")
	}
	if _, err := fs.Stat(tiles.Viewer(), "index.html"); err != nil {
		t.Skip("the viewer is not built: make viewer")
	}
	if _, err := os.Stat(filepath.Join(viewerFolder, "node_modules/playwright-core")); err != nil {
		t.Skip("tiles/web/node_modules is not there: make viewer")
	}
	for _, name := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: make deps", name)
		}
	}
	env := os.Environ()
	serve := func(name, dir string) {
		url, _, _ := started(t, "-C", dir, "--access-log=false", "--rate", "0")
		env = append(env, "OBSERVATOIRE_URL_"+name+"="+url)
	}
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	serve("DEMO", dir)
	dir = laterProject(t)
	token := "jeton-d-essai-de-la-carte-0123456789abcdef"
	appendTo(t, filepath.Join(dir, "observatoire.yaml"), fmt.Sprintf("\npublication:\n  tokens:\n    - {name: bailleur, sha256: %x, sees: [ops-exemple]}\n", sha256.Sum256([]byte(token))))
	serve("ESSAI", dir)
	site := filepath.Join(t.TempDir(), "site")
	must(t, "-C", dir, "export", "--what", "site", "-o", site)
	env = append(env, "OBSERVATOIRE_SITE="+site)
	big := tiles.NewServer(tiles.Options{Viewer: tiles.Viewer()})
	if err := big.Publish(manyZones(224, 225), "1"); err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(big.Handler())
	t.Cleanup(ts.Close)
	env = append(env, "OBSERVATOIRE_URL_GRAND="+ts.URL, "OBSERVATOIRE_JETON="+token)
	if os.Getenv("OBSERVATOIRE_REAL") != "" {
		real := realProject(t)
		must(t, "-C", real, "run", "--publish", "--by", "test")
		serve("REEL", real)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	args := []string{"--import", "tsx", "test/all.ts"}
	if only := os.Getenv("OBSERVATOIRE_JOURNEY"); only != "" { // a part of the name of some of them
		args = append([]string{"--test-name-pattern=" + only}, args...)
	}
	c := exec.CommandContext(ctx, "node", args...)
	c.Dir, c.Env = viewerFolder, env
	out, err := c.CombinedOutput()
	if err != nil || testing.Verbose() {
		t.Logf("%s", out)
	}
	if err != nil || !strings.Contains(string(out), "# fail 0") {
		t.Errorf("the browser's tests: %v", err)
	}
}

// laterProject is the demonstration with invented figures of 2016, published twice.
func laterProject(t *testing.T) string {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	appendTo(t, filepath.Join(dir, "donnees/contrat-qpv-2015.csv"), `QP013061;Le Prépaou;taux_chomage;F;2010;18,5;invention;
QP013062;La Carraire;taux_chomage;F;2010;27,5;invention;
QP013063;La Maille;taux_chomage;F;2010;29,5;invention;
QP013061;Le Prépaou;taux_chomage;F;2016;19,1;invention;
QP013062;La Carraire;taux_chomage;F;2016;33,4;invention;
QP013063;La Maille;taux_chomage;F;2016;22,1;invention;
`)
	appendTo(t, filepath.Join(dir, "donnees/contrat-commune-2015.csv"), "13063;Miramas;taux_chomage;F;2016;18;invention;\n13047;Istres;taux_chomage;F;2016;15;invention;\n")
	rewrite(t, filepath.Join(dir, "donnees/contrat-qpv-2015.csv"), `;3100;`, ";3200;")
	comments := filepath.Join(dir, commentsFolder)
	if err := os.MkdirAll(comments, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(comments, "QP013063.md"), []byte("---\nauteur: Comité technique\ndate: 2016-06-01\n---\nLe chantier d'insertion a ouvert en 2014.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	return dir
}

// manyZones is a grid of squares of 500 m, two years of a rate, a secret in a hundred and three, a quarter in the middle.
func manyZones(columns, rows int) *indicators.Edition {
	const ox, oy, side = 800_000, 6_200_000, 500
	square := func(x, y, side float64) orb.MultiPolygon {
		return orb.MultiPolygon{{{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}}}}
	}
	iris := geo.ZoneSet{Layer: "iris-2016", Title: "Grille d'essai", EPSG: 2154}
	e := &indicators.Edition{ID: "grille", Title: "Grille d'essai", Indicators: []indicators.Definition{
		{ID: "part_essai", Label: "Part d'essai (parmi les essais)", Theme: "Essai", Unit: "%", Direction: "hausse_defavorable", Rule: indicators.Ratio, Sexes: []string{"T"}, Decimals: 1}}}
	for i := range columns * rows {
		code := fmt.Sprintf("%09d", i+1)
		iris.Zones = append(iris.Zones, geo.Zone{Code: code, Name: fmt.Sprintf("Carré %d", i+1), Geom: square(ox+float64(i%columns)*side, oy+float64(i/columns)*side, side)})
		for _, year := range []int{2011, 2016} {
			v := indicators.Value{Key: indicators.Key{Indicateur: "part_essai", Couche: "iris-2016", Millesime: year, Sexe: "T"}, Code: code, V: float64((i*7919+year)%1000) / 10,
				Retenue: true, Methode: indicators.MethodeProducteur, Fiabilite: indicators.Bonne, Couverture: indicators.Some(1), Source: "essai"}
			if i%103 == 0 {
				v.V, v.Statut, v.Fiabilite = 0, indicators.Secret, indicators.SansFiabilite
			}
			e.Values = append(e.Values, v)
		}
	}
	x, y := ox+float64(columns/2)*side, oy+float64(rows/2)*side
	qpv := geo.ZoneSet{Layer: "qpv-2015", Title: "Quartier d'essai", EPSG: 2154, Zones: []geo.Zone{{Code: "QP999001", Name: "Le Milieu", Geom: square(x+100, y+100, 700)}}}
	e.Layers = []geo.ZoneSet{iris, qpv}
	return e
}
