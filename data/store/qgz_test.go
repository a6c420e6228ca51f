package store

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// qgisReads opens a project, counts the zones of each layer, and opens each style that the store keeps for it.
const qgisReads = `
import sys
from qgis.core import QgsApplication, QgsProject, QgsRuleBasedRenderer, QgsFeatureRequest

app = QgsApplication([], False)
app.initQgis()
project = QgsProject.instance()
assert project.read(sys.argv[1]), project.error()
print("project", project.title(), project.crs().authid())
for node in project.layerTreeRoot().findLayers():
    layer = node.layer()
    assert layer.isValid(), (layer.name(), layer.error().summary())
    with_contour = sum(1 for f in layer.getFeatures() if not f.geometry().isNull())
    rules = layer.renderer().rootRule().children()
    drawn = 0
    for rule in rules:
        assert not rule.filter() or not rule.filter().hasParserError(), rule.filterExpression()
        request = QgsFeatureRequest().setFilterExpression(rule.filterExpression()) if rule.filterExpression() else QgsFeatureRequest()
        drawn += sum(1 for _ in layer.getFeatures(request))
    print(layer.id(), layer.name(), layer.crs().authid(), layer.geometryType(), with_contour, drawn, node.isVisible())
    n, ids, names, descriptions, error = layer.listStylesInDatabase()
    for i, name in zip(ids[:n], names[:n]):
        qml, error = layer.getStyleFromDatabase(i)
        from qgis.PyQt.QtXml import QDomDocument
        doc = QDomDocument()
        assert doc.setContent(qml)[0]
        ok, error = layer.importNamedStyle(doc)
        assert ok, error
        assert isinstance(layer.renderer(), QgsRuleBasedRenderer), name
        print("style", layer.id(), name, len(layer.renderer().rootRule().children()))
del node, layer, rules, rule
project.clear()
app.exitQgis()
`

// What the project holds, whichever the store: the quarters above, the default style of each layer.
const qgisWants = `project Édition Zoé & <fils> EPSG:2975
vue_qpv_2015 qpv-2015 EPSG:2975 2 1 1 True
style vue_qpv_2015 Contours 1
vue_iris_2016 IRIS, géographie au 01/01/2016 EPSG:2154 2 2 3 True
style vue_iris_2016 Part des "bénéficiaires" <d'1 an 3
`

func TestQGIS(t *testing.T) {
	ctx := context.Background()
	e := mapEdition("e")
	e.Title = "Édition Zoé & <fils>"
	tried := func(t *testing.T, s Store, address, folder, service, want string, env ...string) {
		t.Helper()
		if err := errors.Join(s.PutEdition(ctx, e), s.Publish(ctx, "e", "Zoé", "2026-11-01")); err != nil {
			t.Fatal(err)
		}
		var first, again bytes.Buffer
		if err := errors.Join(WriteQGIS(ctx, &first, s, address, folder, service), WriteQGIS(ctx, &again, s, address, folder, service)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), again.Bytes()) {
			t.Error("twice the same, not the same bytes")
		}
		text := qgsOf(t, first.Bytes())
		if !strings.Contains(text, want) || strings.Contains(text, "password") || strings.Contains(text, "user=") {
			t.Errorf("no %s, or an account:\n%.3000s", want, text)
		}
		if os.Getenv("OBSERVATOIRE_CLIENTS") == "" {
			t.Skip("QGIS itself: OBSERVATOIRE_CLIENTS is not set: make clients")
		}
		path := filepath.Join(folder, "projet.qgz")
		if err := os.WriteFile(path, first.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("/usr/bin/python3", "-c", qgisReads, path)
		home := t.TempDir()
		c.Env = append(append(os.Environ(), "QT_QPA_PLATFORM=offscreen", "HOME="+home, "XDG_RUNTIME_DIR="+home), env...)
		var warnings bytes.Buffer
		c.Stderr = &warnings
		out, err := c.Output()
		if got := string(out); err != nil || !strings.HasPrefix(got, qgisWants) {
			t.Errorf("%v: QGIS reads\n%s\nwant\n%s\n%s", err, got, qgisWants, &warnings)
		}
	}
	t.Run("GeoPackage", func(t *testing.T) {
		folder := t.TempDir()
		tried(t, open(t, "v.gpkg", folder), "v.gpkg", folder, "", "<datasource>./v.gpkg|layername=vue_iris_2016</datasource>")
	})
	t.Run("PostGIS", func(t *testing.T) {
		address := pgAddress(t)
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		_, schema, err := cutSchema(address)
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		services := filepath.Join(folder, "pg_service.conf")
		if err := os.WriteFile(services, fmt.Appendf(nil, "[observatoire]\nhost=%s\nport=%s\ndbname=%s\nuser=%s\nsslmode=disable\noptions=-csearch_path=%s,public\n", u.Hostname(), u.Port(), strings.TrimPrefix(u.Path, "/"), u.User.Username(), schema), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, address, "")
		t.Run("server", func(t *testing.T) {
			tried(t, s, address, folder, "", "dbname=&#39;"+strings.TrimPrefix(u.Path, "/")+"&#39; host=&#39;"+u.Hostname(), "PGUSER="+u.User.Username(), "PGOPTIONS=-csearch_path="+schema+",public")
		})
		t.Run("service", func(t *testing.T) {
			tried(t, s, address, folder, "observatoire", "<datasource>service=&#39;observatoire&#39; key=", "PGSERVICEFILE="+services)
		})
	})
	if got := serviceOf("service=obs schema=x") + serviceOf("postgres:///base?service=b&schema=x") + serviceOf("postgres://u@h/base"); got != "obsb" {
		t.Errorf("services %q", got)
	}
	if l := viewLayer("vue_poche_pauvrete_2024"); l != "poche_pauvrete-2024" {
		t.Errorf("layer %s", l)
	}
	empty := open(t, "vide.gpkg", t.TempDir())
	if err := WriteQGIS(ctx, io.Discard, empty, "vide.gpkg", t.TempDir(), ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing published: %v", err)
	}
}

// qgsOf is the document of a project, well formed.
func qgsOf(t *testing.T, qgz []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(qgz), int64(len(qgz)))
	if err != nil || len(z.File) != 1 || z.File[0].Name != "observatoire.qgs" {
		t.Fatalf("%v: %d files", err, len(z.File))
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(b, new(struct{})); err != nil {
		t.Fatalf("not XML: %v", err)
	}
	return string(b)
}
