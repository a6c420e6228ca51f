package data_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"
	"github.com/peterstace/simplefeatures/geom"

	"observatoire/data"
	"observatoire/indicators"
)

// A zone is a feature of the demo's contours, read without the observatory's own reader.
type zone struct {
	code, name, commune, kind string
	polygon                   orb.Polygon
	geom                      geom.Geometry
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := fs.ReadFile(data.Demo(), name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contours reads a file of contours and checks what all of them promise: schematic, Lambert-93, valid.
func contours(t *testing.T, name string) []zone {
	t.Helper()
	b := read(t, "contours/"+name)
	var head struct {
		Schematique bool   `json:"schematique"`
		Note        string `json:"note"`
		CRS         struct {
			Properties struct {
				Name string `json:"name"`
			} `json:"properties"`
		} `json:"crs"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !head.Schematique || !strings.Contains(head.Note, "contours schématiques, dessinés pour la démonstration") {
		t.Errorf("%s does not say that its contours are schematic", name)
	}
	if head.CRS.Properties.Name != "urn:ogc:def:crs:EPSG::2154" {
		t.Errorf("%s: crs %q, want EPSG:2154", name, head.CRS.Properties.Name)
	}
	fc, err := geojson.UnmarshalFeatureCollection(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var zones []zone
	for _, f := range fc.Features {
		z := zone{code: f.Properties.MustString("code"), name: f.Properties.MustString("nom"),
			commune: f.Properties.MustString("commune", ""), kind: f.Properties.MustString("type", "")}
		var ok bool
		if z.polygon, ok = f.Geometry.(orb.Polygon); !ok {
			t.Fatalf("%s: %s is a %s, want a Polygon", name, z.code, f.Geometry.GeoJSONType())
		}
		g, err := json.Marshal(geojson.NewGeometry(z.polygon))
		if err != nil {
			t.Fatal(err)
		}
		if z.geom, err = geom.UnmarshalGeoJSON(g); err != nil { // validates
			t.Errorf("%s: %s: %v", name, z.code, err)
		}
		if z.polygon[0].Orientation() != orb.CCW {
			t.Errorf("%s: %s: its shell turns clockwise", name, z.code)
		}
		zones = append(zones, z)
	}
	if !slices.IsSortedFunc(zones, func(a, b zone) int { return strings.Compare(a.code, b.code) }) {
		t.Errorf("%s: not sorted by code", name)
	}
	return zones
}

func area(z zone) float64 { return planar.Area(z.polygon) }

// common is the area two zones share, in m².
func common(t *testing.T, a, b zone) float64 {
	t.Helper()
	g, err := geom.Intersection(a.geom, b.geom)
	if err != nil {
		t.Fatalf("%s ∩ %s: %v", a.code, b.code, err)
	}
	return g.Area()
}

// TestDemoOverlaps compares the share of each quarter in each IRIS to the contrat's table (l. 667-674) and to
// what its text says of the others.
func TestDemoOverlaps(t *testing.T) {
	iris := contours(t, "iris.geojson")
	quarters := append(contours(t, "qpv.geojson"), contours(t, "veille.geojson")...)
	want := map[string][]string{
		"QP013061":       {"Prépaou 49.2", "Rassuen 50.8"},
		"QP013062":       {"Carraire 78.9", "Mas Neuf-Monteau 21.1"},
		"QP013063":       {"La Rousse 1 11.4", "La Rousse 2 29.7", "La Rousse 3 58.8"},
		"CENTRE-MIRAMAS": {"Centre-ville de Miramas 100.0"},
		"CROIZAT":        {"Port-Saint-Louis – secteur sud 100.0"},
		"VAUBAN":         {"Port-Saint-Louis – secteur sud 100.0"},
		"ECHOPPES":       {"Peyreguet 40.6", "Centre ancien 53.3", "Bardin 6.2"},
		"MOLIERES-1":     {"La Rousse 1 13.6", "La Rousse 2 22.2", "La Rousse 3 64.2"},
	}
	if len(quarters) != len(want) {
		t.Errorf("%d quarters, want %d", len(quarters), len(want))
	}
	for _, q := range quarters {
		var got []string
		sum := 0.0
		for _, i := range iris {
			share := common(t, q, i) / area(q)
			sum += share
			if share > 1e-9 {
				got = append(got, fmt.Sprintf("%s %.1f", i.name, 100*share))
				if share < 0.02 {
					t.Errorf("%s in %s: %.2f %% would be taken for a sliver", q.name, i.name, 100*share)
				}
				if i.commune != q.commune {
					t.Errorf("%s of %s lies in %s of %s", q.name, q.commune, i.name, i.commune)
				}
			}
		}
		if !slices.Equal(got, want[q.code]) {
			t.Errorf("%s: %q, want %q", q.code, got, want[q.code])
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: the IRIS cover %.9f of it", q.code, sum)
		}
		if ha := area(q) / 1e4; ha < 5 || ha > 40 {
			t.Errorf("%s: %.0f ha is no quarter's size", q.code, ha)
		}
		for _, other := range quarters {
			if other.code < q.code && common(t, q, other) > 1e-6 {
				t.Errorf("%s and %s overlap", q.code, other.code)
			}
		}
	}
}

// TestDemoPartition checks that the IRIS of a commune make it up exactly, with the same vertices on both sides
// of every border, and that the département holds the communes.
func TestDemoPartition(t *testing.T) {
	iris, communes := contours(t, "iris.geojson"), contours(t, "communes.geojson")
	departement := contours(t, "departement.geojson")
	if len(communes) != 6 || len(departement) != 1 || len(iris) != 21 {
		t.Fatalf("%d communes, %d départements, %d IRIS: want 6, 1, 21", len(communes), len(departement), len(iris))
	}
	type edge [2]orb.Point
	edges := map[edge]int{}
	for _, i := range iris {
		for k := 1; k < len(i.polygon[0]); k++ {
			edges[edge{i.polygon[0][k-1], i.polygon[0][k]}]++
		}
	}
	for e, n := range edges {
		if n > 1 {
			t.Errorf("edge %v is twice on the same side", e)
		}
	}
	for _, c := range communes {
		sum := 0.0
		for _, i := range iris {
			if i.commune != c.code {
				if a := common(t, i, c); a > 1e-6 {
					t.Errorf("%s overlaps %s by %g m²", i.name, c.name, a)
				}
				continue
			}
			sum += area(i)
			if i.code[:5] != c.code {
				t.Errorf("IRIS %s is not numbered after its commune %s", i.code, c.code)
			}
			if whole := strings.HasSuffix(i.code, "0000"); whole != (i.kind == "Z") || !whole && i.code[5] != 'D' {
				t.Errorf("IRIS %s of type %s: want …0000 and Z, or a number of the demo", i.code, i.kind)
			}
		}
		if math.Abs(sum/area(c)-1) > 1e-6 {
			t.Errorf("%s: its IRIS make %.9f of it", c.name, sum/area(c))
		}
		if a := common(t, c, departement[0]); math.Abs(a/area(c)-1) > 1e-9 {
			t.Errorf("%s: %.9f of it is in the département", c.name, a/area(c))
		}
		for k := 1; k < len(c.polygon[0]); k++ { // what bounds a commune bounds one of its IRIS
			if edges[edge{c.polygon[0][k-1], c.polygon[0][k]}] != 1 {
				t.Errorf("%s: edge %d is not an IRIS' edge", c.name, k)
			}
		}
	}
}

// A figure is one row of the demo's tables.
type figure struct {
	value     float64
	reference string
	note      string
}

type key struct{ code, indicator, sex, year string }

var reference = regexp.MustCompile(`^Contrat de ville 2015-2020, l\. ([0-9]+)( \(valeur d'IRIS reconstituée\))?$`)

// figures reads every table, and checks what each row promises.
func figures(t *testing.T) map[key]figure {
	t.Helper()
	names := map[string]bool{}
	for _, file := range []string{"iris", "qpv", "veille", "communes", "departement"} {
		for _, z := range contours(t, file+".geojson") {
			names[z.code+" "+z.name] = true
		}
	}
	names["SAN-OUEST-PROVENCE SAN Ouest Provence"] = true

	defined := map[string]indicators.Definition{}
	for _, d := range definitions(t) {
		defined[d.ID] = d
	}
	files, err := fs.Glob(data.Demo(), "donnees/*.csv")
	if err != nil || len(files) != 6 {
		t.Fatalf("tables: %v, %v", files, err)
	}
	all := map[key]figure{}
	used := map[string]bool{}
	for _, file := range files {
		r := csv.NewReader(bytes.NewReader(read(t, file)))
		r.Comma = ';'
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if got, want := strings.Join(rows[0], ";"), "code;territoire;indicateur;sexe;millesime;valeur;reference;note"; got != want {
			t.Fatalf("%s: header %q, want %q", file, got, want)
		}
		for n, row := range rows[1:] {
			at := fmt.Sprintf("%s:%d", file, n+2)
			k := key{row[0], row[2], row[3], row[4]}
			if _, twice := all[k]; twice {
				t.Errorf("%s: %v is there twice", at, k)
			}
			if !names[row[0]+" "+row[1]] {
				t.Errorf("%s: no zone %s %s", at, row[0], row[1])
			}
			d, ok := defined[k.indicator]
			if !ok || !slices.Contains(d.Sexes, k.sex) {
				t.Errorf("%s: indicators.yaml has no %s for sex %s", at, k.indicator, k.sex)
			}
			used[k.indicator] = true
			if k.year == "inconnu" {
				if !strings.HasPrefix(row[7], "millésime non imprimé") {
					t.Errorf("%s: an unknown millésime without its note", at)
				}
			} else if y, err := strconv.Atoi(k.year); err != nil || y < 1968 || y > 2015 {
				t.Errorf("%s: millésime %q", at, k.year)
			}
			v, err := strconv.ParseFloat(strings.Replace(row[5], ",", ".", 1), 64)
			if err != nil || strings.Contains(row[5], ".") {
				t.Errorf("%s: %q is not a number with a decimal comma", at, row[5])
			}
			m := reference.FindStringSubmatch(row[6])
			if m == nil {
				t.Errorf("%s: reference %q", at, row[6])
			} else if (m[2] != "") != strings.HasPrefix(row[7], "reconstitué") {
				t.Errorf("%s: reference and note do not agree on whether the figure is reconstructed", at)
			}
			all[k] = figure{v, row[6], row[7]}
		}
	}
	for id := range defined {
		if !used[id] {
			t.Errorf("indicators.yaml: no figure of %s", id)
		}
	}
	return all
}

func definitions(t *testing.T) []indicators.Definition {
	t.Helper()
	var defs []indicators.Definition
	if err := yaml.UnmarshalWithOptions(read(t, "indicators.yaml"), &defs, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	defs = slices.DeleteFunc(defs, func(d indicators.Definition) bool { return strings.HasPrefix(d.ID, "ops_") }) // of a deposit
	for _, d := range defs {
		if d.Value != d.ID || d.Label == "" || d.Theme == "" || d.Unit == "" || len(d.Sexes) == 0 {
			t.Errorf("indicators.yaml: %s: incomplete: %+v", d.ID, d)
		}
		if !slices.Contains([]string{"hausse_favorable", "hausse_defavorable", "neutre"}, d.Direction) {
			t.Errorf("indicators.yaml: %s: direction %q", d.ID, d.Direction)
		}
		if !slices.Contains([]indicators.Rule{indicators.Somme, indicators.Ratio, indicators.Mediane,
			indicators.Quantile, indicators.Aucune}, d.Rule) {
			t.Errorf("indicators.yaml: %s: rule %q", d.ID, d.Rule)
		}
	}
	return defs
}

// TestDemoPrinted makes each printed value of a quarter again by hand, from the quarter's own figure, the mean
// of the IRIS it cuts, or the largest of them.
func TestDemoPrinted(t *testing.T) {
	all := figures(t)
	iris := contours(t, "iris.geojson")
	quarters := map[string]zone{}
	for _, q := range append(contours(t, "qpv.geojson"), contours(t, "veille.geojson")...) {
		quarters[q.code] = q
	}
	rows, err := csv.NewReader(bytes.NewReader(read(t, "attendu.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rows[0], ","), "code,indicateur,sexe,millesime,valeur_imprimee,methode,ligne"; got != want {
		t.Fatalf("attendu.csv: header %q, want %q", got, want)
	}
	seen := map[key]bool{}
	for n, row := range rows[1:] {
		at := fmt.Sprintf("attendu.csv:%d", n+2)
		k, printed, method, line := key{row[0], row[1], row[2], row[3]}, row[4], row[5], row[6]
		if k.year == "0" {
			k.year = "inconnu"
		}
		q, known := quarters[k.code]
		if !known || seen[k] {
			t.Errorf("%s: %v: unknown quarter, or a second time", at, k)
			continue
		}
		seen[k] = true
		own, hasOwn := all[k]
		if hasOwn != (method == "producteur") {
			t.Errorf("%s: %v by %s, yet the quarter's own figure: %v", at, k, method, hasOwn)
		}
		var v, most, sum float64
		var count int
		var refs []string
		if hasOwn {
			v, refs = own.value, []string{own.reference}
		} else {
			for _, i := range iris {
				share := common(t, q, i) / area(q)
				if share < 0.005 {
					continue
				}
				f, ok := all[key{i.code, k.indicator, k.sex, k.year}]
				if !ok && (method == "iris_moyenne" || share > 0.5) {
					t.Errorf("%s: no %s %s of IRIS %s", at, k.indicator, k.sex, i.name)
				}
				if !ok {
					continue
				}
				sum, count, refs = sum+f.value, count+1, append(refs, f.reference)
				if share > most {
					most = share
					v = f.value
				}
			}
			if method == "iris_moyenne" {
				v = sum / float64(count)
			}
		}
		decimals := 0
		if i := strings.IndexByte(printed, '.'); i >= 0 {
			decimals = len(printed) - i - 1
		}
		if got := strconv.FormatFloat(v+1e-9, 'f', decimals, 64); got != printed {
			t.Errorf("%s: %v by %s is %s, want %s", at, k, method, got, printed)
		}
		if k.code == "MOLIERES-1" { // the same IRIS as La Maille, says l. 765
			line = "738"
		}
		for _, ref := range refs {
			if m := reference.FindStringSubmatch(ref); m == nil || m[1] != line {
				t.Errorf("%s: stands at l. %s, its figure at %q", at, line, ref)
			}
		}
	}
	for k := range all { // nothing of a quarter is left unchecked
		if _, ok := quarters[k.code]; ok && !seen[k] {
			t.Errorf("attendu.csv does not have %v", k)
		}
	}
	if len(rows) < 70 {
		t.Errorf("attendu.csv has %d rows", len(rows))
	}
}

// TestDemoProject checks that the project file, the cards and the files speak of one another.
func TestDemoProject(t *testing.T) {
	var p struct {
		Layers, Tables []struct{ Card, Level, File, Dissolve string }
		Perimeters     map[string][]string
		Methods        map[string]string
		Comparisons    map[string]map[string][]string
	}
	if err := yaml.Unmarshal(read(t, "observatoire.yaml"), &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Layers) != 6 || len(p.Tables) != 6 || len(p.Perimeters["perimetre_contrat"]) != 6 {
		t.Errorf("observatoire.yaml: %d layers, %d tables, %d communes: want 6 of each",
			len(p.Layers), len(p.Tables), len(p.Perimeters["perimetre_contrat"]))
	}
	for _, l := range append(p.Layers, p.Tables...) {
		if l.Dissolve != "" {
			continue
		}
		read(t, l.File)
		var card struct {
			ID        string
			Schematic bool
			Kind      string
		}
		if err := yaml.Unmarshal(read(t, "cards/"+l.Card+".yaml"), &card); err != nil {
			t.Fatal(err)
		}
		if card.ID != l.Card || card.Schematic != (card.Kind == "layer") {
			t.Errorf("card %s: %+v", l.Card, card)
		}
	}
	codes := map[string]bool{}
	for _, z := range append(contours(t, "qpv.geojson"), contours(t, "veille.geojson")...) {
		codes[z.code] = true
	}
	for code, others := range p.Comparisons["veille"] {
		for _, c := range append(others, code) {
			if !codes[c] {
				t.Errorf("comparisons: no quarter %s", c)
			}
		}
	}
	if p.Methods["QP013062"] != "iris_principal" || len(p.Methods) != 1 {
		t.Errorf("methods: %v", p.Methods)
	}
	if text := string(read(t, "LISEZMOI.md")); !strings.Contains(text, "dessinés pour la démonstration") {
		t.Error("LISEZMOI.md does not say that the contours are schematic")
	}
}
