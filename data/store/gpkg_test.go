package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"observatoire/indicators"
)

func TestEditionFileIsTheSameBytes(t *testing.T) {
	var files [][]byte
	for range 2 {
		dir := t.TempDir()
		s := open(t, "observatoire.gpkg", dir)
		if err := s.PutEdition(context.Background(), sampleEdition("e")); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "observatoire.editions", "e.gpkg"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same edition gives two different files")
	}
}

// publishSample publishes the sample edition in a folder whose name is awkward, and gives the published file.
func publishSample(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "Données d'été 100 % [a] #1?")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := open(t, "observatoire.gpkg", dir)
	if err := errors.Join(s.PutEdition(ctx, sampleEdition("e")), s.Publish(ctx, "e", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "observatoire.gpkg")
}

func TestPublishedFileStandsAlone(t *testing.T) {
	path := publishSample(t)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range entries {
		names = append(names, d.Name())
	}
	if diff := cmp.Diff([]string{"observatoire.editions", "observatoire.gpkg", "observatoire.sources.gpkg"}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	// Copied without the rest, it is a store.
	dir := t.TempDir()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "autre.gpkg"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, "autre.gpkg", dir)
	e, err := s.Edition(context.Background(), "")
	if diff := cmp.Diff(sampleEdition("e"), e); err != nil || diff != "" {
		t.Errorf("edition: %v (-want +got)\n%s", err, diff)
	}
	if got, want := states(t, s), "e:publiée::"; got != want {
		t.Errorf("editions %s, want %s", got, want)
	}
}

func TestGDALReadsThePublishedFile(t *testing.T) {
	ogrinfo, err := exec.LookPath("ogrinfo")
	if err != nil {
		t.Skip("ogrinfo is not installed")
	}
	path := publishSample(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(ogrinfo, args...).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("Warning")) || bytes.Contains(out, []byte("ERROR")) {
			t.Fatalf("ogrinfo %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	var got strings.Builder
	for line := range strings.Lines(run("-ro", "-al", "-so", path)) {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{"Layer name", "Geometry:", "Feature Count", "Extent", "PROJCRS", "ID[\"EPSG\",2154", "ID[\"EPSG\",2975", "FID Column", "Geometry Column"} {
			if strings.HasPrefix(line, prefix) {
				fmt.Fprintln(&got, line)
			}
		}
	}
	const want = `Layer name: epci_2015
Geometry: Multi Polygon
Feature Count: 1
PROJCRS["RGF93 v1 / Lambert-93",
ID["EPSG",2154]]
FID Column = fid
Geometry Column = geom
Layer name: iris_2016
Geometry: Multi Polygon
Feature Count: 3
Extent: (870000.000000, 6270000.000000) - (871000.456790, 6270100.000000)
PROJCRS["RGF93 v1 / Lambert-93",
ID["EPSG",2154]]
FID Column = fid
Geometry Column = geom
Layer name: qpv_2015
Geometry: Multi Polygon
Feature Count: 1
Extent: (340000.000000, 7680000.000000) - (340010.000000, 7680010.000000)
PROJCRS["RGR92 / UTM zone 40S",
ID["EPSG",2975]]
FID Column = fid
Geometry Column = geom
Layer name: vide_2015
Geometry: Multi Polygon
Feature Count: 0
PROJCRS["RGF93 v1 / Lambert-93",
ID["EPSG",2154]]
FID Column = fid
Geometry Column = geom
Layer name: equipement
Geometry: Point
Feature Count: 3
Extent: (0.000000, -6270050.000000) - (870100.000000, 6270100.000000)
PROJCRS["RGF93 v1 / Lambert-93",
ID["EPSG",2154]]
FID Column = fid
Geometry Column = geom
Layer name: vue_epci_2015
Geometry: Multi Polygon
Feature Count: 1
PROJCRS["RGF93 v1 / Lambert-93",
ID["EPSG",2154]]
FID Column = OGC_FID
Geometry Column = geom
Layer name: vue_iris_2016
Geometry: Multi Polygon
Feature Count: 3
Extent: (870000.000000, 6270000.000000) - (871000.456790, 6270100.000000)
PROJCRS["RGF93 v1 / Lambert-93",
ID["EPSG",2154]]
FID Column = OGC_FID
Geometry Column = geom
Layer name: vue_qpv_2015
Geometry: Multi Polygon
Feature Count: 1
Extent: (340000.000000, 7680000.000000) - (340010.000000, 7680010.000000)
PROJCRS["RGR92 / UTM zone 40S",
ID["EPSG",2975]]
FID Column = OGC_FID
Geometry Column = geom
Layer name: edition
Geometry: None
Feature Count: 1
FID Column = rang
Layer name: couche
Geometry: None
Feature Count: 4
FID Column = rang
Layer name: recouvrement
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: indicateur
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: serie
Geometry: None
Feature Count: 5
FID Column = rang
Layer name: ecart
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: evolution
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: rang
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: ecart_sexe
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: concentration
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: source
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: alerte
Geometry: None
Feature Count: 1
FID Column = rang
Layer name: calibration
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: decision
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: commentaire
Geometry: None
Feature Count: 2
FID Column = rang
Layer name: equipement_zone
Geometry: None
Feature Count: 3
FID Column = rang
Layer name: layer_styles
Geometry: None
Feature Count: 3
FID Column = id
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if out := run("-ro", "-spat", "870150", "6270050", "870151", "6270051", path, "iris_2016"); strings.Count(out, "OGRFeature") != 1 {
		t.Errorf("a box in one zone: %s", out)
	}
	if out := run("-ro", path, "iris_2016", "-where", "code = '130470103'"); !strings.Contains(out, "aire_m2 (Real) = 10000") {
		t.Errorf("area of a zone: %s", out)
	}
	if out := run("-ro", "-spat", "870099", "6270099", "870101", "6270101", path, "equipement"); strings.Count(out, "OGRFeature") != 1 || !strings.Contains(out, "POINT (870100 6270100)") {
		t.Errorf("a box around one facility: %s", out)
	}
	// Edited as QGIS does, the R-tree follows; the edition itself does not change.
	run("-sql", "DELETE FROM iris_2016 WHERE code = '130470103'", path)
	run("-sql", "UPDATE iris_2016 SET geom = (SELECT geom FROM qpv_2015) WHERE code = '130470102'", path)
	db, err := sql.Open("sqlite", sqliteURI(path, "mode=ro"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT id, round(minx) FROM rtree_iris_2016_geom ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	var tree []string
	for rows.Next() {
		var id, minx float64
		if err := rows.Scan(&id, &minx); err != nil {
			t.Fatal(err)
		}
		tree = append(tree, fmt.Sprintf("%.0f:%.0f", id, minx))
	}
	if diff := cmp.Diff([]string{"1:870000", "2:340000"}, tree); diff != "" {
		t.Errorf("R-tree after edits (-want +got):\n%s", diff)
	}
	s := open(t, path, "")
	e, err := s.Edition(context.Background(), "")
	if diff := cmp.Diff(sampleEdition("e"), e); err != nil || diff != "" {
		t.Errorf("the published edition after its copy was edited: %v\n%s", err, diff)
	}
}

// A run may be killed at any moment: what it leaves is put right when the store is opened.
func TestKilledRun(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "observatoire.gpkg")
	s, err := Open(ctx, path, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c"} {
		if err := s.PutEdition(ctx, sampleEdition(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Publish(ctx, "a", "Zoé", "2026-11-01"); err != nil {
		t.Fatal(err)
	}
	g := s.(*gpkg)
	intend := func(action, edition, left string) {
		if _, err := g.db.Exec("INSERT INTO journal (jour, par, action, edition, reste, fait) VALUES ('2026-11-02', 'Ali', ?, ?, ?, 0)",
			action, edition, left); err != nil {
			t.Fatal(err)
		}
	}
	// Killed while writing an edition, and while copying one to be published.
	for _, name := range []string{".observatoire.gpkg.123.tmp", "observatoire.editions/.d.gpkg.456.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Killed before the switch to c, after the switch to b, and once d was written but not listed.
	intend("publier", "c", "c")
	intend("publier", "b", "b")
	if err := g.copyTo(g.file("b"), path); err != nil {
		t.Fatal(err)
	}
	if err := writeEditionFile(ctx, g.file("d"), sampleEdition("d")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, path, "")
	if got, want := states(t, s), "b:publiée:Ali:2026-11-02 d:brouillon:: c:brouillon:: a:ancienne:Zoé:2026-11-01"; got != want {
		t.Errorf("editions\n got %s\nwant %s", got, want)
	}
	for _, pattern := range []string{".*.tmp", "observatoire.editions/.*.tmp"} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	}
	if id, err := s.Withdraw(ctx, "Ali", "2026-11-03"); err != nil || id != "a" {
		t.Errorf("Withdraw = %q, %v", id, err)
	}
}

// A second process opens the store while the first one writes: it waits for nothing and clears nothing.
func TestOpenWhileWriting(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, "observatoire.gpkg", dir)
	temp := filepath.Join(dir, ".observatoire.gpkg.1.tmp")
	done := func() (indicators.Source, error) {
		if err := os.WriteFile(temp, nil, 0o644); err != nil {
			return sampleSource, err
		}
		open(t, "observatoire.gpkg", dir)
		_, err := os.Stat(temp)
		return sampleSource, err
	}
	if err := s.PutSource(ctx, sampleSource, sampleWide(t, nil), done); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "texte.gpkg"), []byte(strings.Repeat("not a database\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "parcelles.gpkg"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE parcelle (id)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ address, want string }{
		{"texte.gpkg", "give the store another name"},
		{"parcelles.gpkg", "give the store another name"},
		{"nulle/part.gpkg", "create it, or correct the store's path"},
		{"observatoire.db", "the store must be a GeoPackage file"},
		{"mysql://user:secret@host/db", "the store must be a GeoPackage file"},
	} {
		_, err := Open(context.Background(), tt.address, dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", tt.address, err, tt.want)
		}
	}
}

func TestPublishRefusesAnEditedFile(t *testing.T) {
	path := publishSample(t)
	ctx := context.Background()
	s := open(t, path, "")
	if err := errors.Join(s.PutEdition(ctx, sampleEdition("f")), os.WriteFile(path+"-wal", []byte("changes"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(ctx, "f", "Zoé", "2026-11-02"); err == nil || !strings.Contains(err.Error(), "close QGIS") {
		t.Errorf("Publish = %v", err)
	}
	if got, want := states(t, s), "e:publiée:Zoé:2026-11-01 f:brouillon::"; got != want {
		t.Errorf("editions %s, want %s", got, want)
	}
}

func TestBefore(t *testing.T) {
	for _, tt := range []struct{ journal, published, want string }{
		{"", "", ""},
		{"", "a", ""}, // put there by hand
		{"+a", "a", ""},
		{"+a +b", "b", "a"},
		{"+a +b -b", "a", ""},
		{"+a +b -b +c", "c", "a"},
		{"+a +b +a", "a", "b"},
		{"+a +b", "z", "b"},
		{"+a +b +c", "b", "a"}, // the switch to c was undone by hand
		{"+a +a", "a", ""},
	} {
		var journal []act
		for f := range strings.FieldsSeq(tt.journal) {
			journal = append(journal, act{action: map[byte]string{'+': "publier", '-': "retirer"}[f[0]], edition: f[1:]})
		}
		if got := before(journal, tt.published); got != tt.want {
			t.Errorf("before(%q, %q) = %q, want %q", tt.journal, tt.published, got, tt.want)
		}
	}
}

func FuzzUnmarshalGPKG(f *testing.F) {
	for _, z := range sampleEdition("e").Layers[1].Zones {
		if z.Geom != nil {
			b, err := marshalGPKG(z.Geom, 2154)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add([]byte("GP\x00\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		mp, err := new(decoder).multiPolygonGPKG(b)
		if err != nil || checkGeometry(mp) != nil || mp == nil {
			return
		}
		again, err := marshalGPKG(mp, 2154)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := new(decoder).multiPolygonGPKG(again); err != nil || !orb.Equal(mp, back) {
			t.Errorf("%v comes back as %v, %v", mp, back, err)
		}
	})
}

// A kept edition whose file was damaged is written again by the same run.
func TestDamagedEditionIsWrittenAgain(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, "observatoire.gpkg", dir)
	e := sampleEdition("2019-aaaa")
	if err := s.PutEdition(ctx, e); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(ctx, e.ID, "Camille", "2026-01-15"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "observatoire.editions", e.ID+".gpkg")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:5000], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.PutEdition(ctx, e); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, whole) {
		t.Errorf("the damaged file was left as it was (%v)", err)
	}
}

// A folder that cannot be written in can be served from; writing says why it cannot.
func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("rights do not bind the superuser")
	}
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, "observatoire.gpkg", dir)
	e := sampleEdition("2019-aaaa")
	if err := s.PutEdition(ctx, e); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(ctx, e.ID, "Camille", "2026-01-15"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755) //nolint:errcheck // so that the folder can be removed
	s = open(t, "observatoire.gpkg", dir)
	if got, err := s.Edition(ctx, ""); err != nil || got.ID != e.ID {
		t.Errorf("reading: %v", err)
	}
	if list, err := s.Editions(ctx); err != nil || len(list) != 1 || list[0].PublieePar != "Camille" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := s.PutEdition(ctx, sampleEdition("2019-bbbb")); err == nil || !strings.Contains(err.Error(), "cannot be written in") {
		t.Errorf("writing: %v", err)
	}
}

// A file of an earlier version lacks columns: they read as empty, and a run adds them to the working file.
func TestOlderFilesLackColumns(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "o.gpkg")
	s := open(t, path, dir)
	if err := errors.Join(s.PutSource(ctx, sampleSource, sampleWide(t, nil), nil), s.PutEdition(ctx, sampleEdition("e")), s.Close()); err != nil {
		t.Fatal(err)
	}
	for file, tables := range map[string][]string{
		filepath.Join(dir, "o.sources.gpkg"):       {"lecture"},
		filepath.Join(dir, "o.editions", "e.gpkg"): {"serie", "ecart", "evolution", "rang", "ecart_sexe", "concentration", "alerte", "source"},
	} {
		db, err := sql.Open("sqlite", sqliteURI(file, ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tables {
			if _, err := db.ExecContext(ctx, "ALTER TABLE "+name+" DROP COLUMN convention"); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, path, dir)
	e, err := s.Edition(ctx, "e")
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Conventions()) != 0 || len(e.Values) == 0 {
		t.Errorf("conventions %q of %d values: a missing column is empty", e.Conventions(), len(e.Values))
	}
	src := sampleSource
	src.ID, src.Convention = "autre", "ops"
	if err := s.PutSource(ctx, src, sampleWide(t, nil), nil); err != nil {
		t.Fatal(err)
	}
	list, err := s.Sources(ctx)
	if err != nil || len(list) != 2 || list[0].Convention != "ops" || list[1].Convention != "" {
		t.Errorf("sources %+v, %v", list, err)
	}
}
