package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb/encoding/mvt/vectortile"
	"github.com/xuri/excelize/v2"
)

// summary writes what an inspection found on a line for each part.
func summary(name string, r *Inspection) []string {
	parts := r.Parts
	if len(parts) == 0 {
		parts = []Part{r.Part}
	}
	var list []string
	for _, p := range parts {
		card := "none"
		switch {
		case p.Refused:
			card = "REFUSED"
		case p.Card != "":
			card = p.Card
		case p.ProposedCard != "":
			card = "proposed"
		}
		year := "?"
		if p.Millesime != nil {
			year = fmt.Sprint(*p.Millesime)
		}
		format := p.Format
		if p.Container != "" {
			format += "/" + p.Container
		}
		if p.Name != "" {
			name = name + "#" + p.Name
		}
		list = append(list, fmt.Sprintf("%s | %s | %s | %s | %d | %s | %s", name, format, p.Key, p.Level, p.Rows, year, card))
		name, _, _ = strings.Cut(name, "#")
	}
	return list
}

// Every published file is recognised without a hint: format, key, level, rows, year, and the card that fits.
func TestInspectEveryPublishedFile(t *testing.T) {
	dir := realDir(t)
	t.Parallel()
	in := &Inspector{Catalogue: bundled(t)}
	var got []string
	look := func(path string) {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, summary(filepath.ToSlash(rel), in.Inspect(context.Background(), path))...)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (!d.IsDir() || d.Name() == "mvt_contours_iris_2020") {
			look(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/inspect-real.txt", []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/inspect-real.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
		t.Errorf("testdata/inspect-real.txt (-want +got):\n%s", diff)
	}
}

// A card that is proposed loads, and reads the very file it was made for: every published table and layer without a
// catalogue, but those that have no figures or no codes.
func TestProposedCardsReadTheirFiles(t *testing.T) {
	dir := realDir(t)
	t.Parallel()
	in := &Inspector{}
	none := map[string]string{}
	proposed := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains([]string{".pbf", ".dbf", ".prj", ".shx", ".md"}, filepath.Ext(path)) {
			return err
		}
		r := in.Inspect(context.Background(), path)
		for _, p := range append([]Part{r.Part}, r.Parts...) {
			if p.ProposedCard == "" {
				why := ""
				for _, m := range append(p.Problems, p.Remarks...) {
					if strings.Contains(m, "no card is proposed") || r.Refused {
						why = m
					}
				}
				if p.Rows > 0 && p.Format != "mvt" || r.Refused {
					none[filepath.Base(path)+"#"+p.Name] = why
				}
				continue
			}
			proposed++
			if _, err := LoadCard(path, []byte(p.ProposedCard)); err != nil || p.Refused {
				t.Errorf("%s: %s: %v\n%s\n%s", path, p.Name, err, strings.Join(p.Problems, "\n"), p.ProposedCard)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(none)) {
		t.Logf("%s: %s", name, none[name])
	}
	if proposed < 60 {
		t.Errorf("%d cards proposed", proposed)
	}
}

// inspectText inspects a text of that name, without a catalogue.
func inspectText(t *testing.T, name, text string) *Inspection {
	t.Helper()
	return (&Inspector{}).Inspect(context.Background(), writeFile(t, name, []byte(text)))
}

// rowsText repeats a row with codes that count up.
func rowsText(n int, row func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(row(i) + "\n")
	}
	return b.String()
}

// What is found out about tables nobody described, made up to look like those that are sent.
func TestInspectUnknownTables(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
		remarks          string // one remark or problem holds it
		card             string // the proposed card holds it
	}{
		{"titles_2018.csv", "Population en 2018;;\nSource : un partenaire;;\n;;\nCode de l'IRIS;Nom;Habitants\nCODE;LIB;POP\n;;\n" +
			rowsText(30, func(i int) string { return fmt.Sprintf("13047%04d;Nom %d;%d 250", 101+i, i, i+1) }) + "Source : Insee;;\n",
			"csv | CODE | iris | 30 | ? | proposed", "taken for notes: Source : Insee (line 37)", "header_row: 5"},
		{"zeros.csv", "COM;POP\n" + rowsText(40, func(i int) string { return fmt.Sprintf("%d;%d", 1001+i*300, i) }),
			"csv | COM | commune | 40 | ? | proposed", "have lost their leading zeros", "key_width: 5"},
		{"corse.csv", "code;valeur\n2A004;1,5\n2B033;2,25\n97105;3\n13047;4\n01001;7\n",
			"csv | code | commune | 5 | ? | proposed", "", `decimal: ","`},
		{"secret.csv", "IRIS,DISP_MED17,DISP_TP6017\n" + rowsText(25, func(i int) string {
			return fmt.Sprintf("75101%04d,%d,%s", 101+i, 20000+i, []string{"s", "ns", "12.5"}[i%3])
		}),
			"csv | IRIS | iris | 25 | 2017 | proposed", "", `columns: "DISP_TP60{AA}", millesime: column`},
		{"marks.csv", "IRIS;A\n" + rowsText(25, func(i int) string {
			return fmt.Sprintf("75101%04d;%s", 101+i, []string{"c", "12", "13", "14", "15", "16"}[i%6])
		}),
			"csv | IRIS | iris | 25 | ? | proposed", `A: "c" among the figures`, `"c": non_disponible`},
		{"epci_2021.tsv", "siren_epci\tnom\tnb\n200054807\tMétropole d'Aix-Marseille-Provence\t92\n241300391\tCA\t16\n200035319\tautre\t2\n",
			"csv | siren_epci | epci | 3 | ? | proposed", "the file's name says 2021", "level: epci"},
		{"qn.csv", "code_qp;taux\nQN01301M;12,5\nQN01302N;13\nQN97101I;14,25\n", "csv | code_qp | qpv | 3 | ? | proposed", "", "level: qpv"},
		{"grid.csv", "Idcar_200m,Ind,Men\nCRS3035RES200mN1973200E3962800,12.5,4\nCRS3035RES200mN1973200E3963000,3,1\n",
			"csv | Idcar_200m | carreau200 | 2 | ? | proposed", "", "level: carreau200"},
		{"dep.csv", "DEP;pop\n01;5\n13;6\n2A;7\n974;8\n", "csv | DEP | departement | 4 | ? | proposed", "", ""},
		{"reg.csv", "REG;pop\n11;5\n24;6\n27;7\n93;8\n94;9\n", "csv | REG | region | 5 | ? | proposed", "", ""},
		{"annees.csv", "code;nom;2019;2020;2021\n13047;Istres;1;2;3\n13063;Miramas;4;5;6\n13044;Grans;7;8;9\n",
			"csv | code | commune | 3 | 2021 | proposed", "", "{AAAA}"},
		{"ages.csv", "TYPE;CODGEO;AGE;VAL\n" + rowsText(30, func(i int) string { return fmt.Sprintf("x;13%03d;A%d;%d", 1+i/3, i%3, i) }),
			"csv | CODGEO | commune | 30 | ? | proposed", "20 rows repeat a code", `key: ["CODGEO:5 + AGE:2"]`},
		{"actuelles.csv", "TYPECOM;COM;POP\n" + rowsText(30, func(i int) string { return fmt.Sprintf("COM;13%03d;%d", 1+i, i) }) + "COMD;13001;5\nCOMD;13002;5\n",
			"csv | COM | commune | 32 | ? | proposed", "2 rows repeat a code", `where: {"TYPECOM": "COM"}`},
		{"notes.csv", "CODGEO;NOTE_RP;TX\n" + rowsText(25, func(i int) string { return fmt.Sprintf("QP%06d;%d;%d,5", 13001+i, i%2*6, i) }),
			"csv | CODGEO | qpv | 25 | ? | proposed", "", `note: ["NOTE_RP"]`},
		{"dictionnaire.csv", "variable;libellé\nPOP;Population\nMED;Médiane\nTX;Taux\n", "csv |  |  | 3 | ? | none", "no column tells the rows apart", ""},
		{"latin.csv", "IRIS;LIB\n130470101;Pr\xE9paou\n130470102;Rassuen\n", "csv | IRIS | iris | 2 | ? | proposed", "", "kind: reference"},
		{"seul.csv", "IRIS\n130470101\n130470102\n", "csv | IRIS | iris | 2 | ? | proposed", "", "kind: reference"},
		{"deux.csv", "IRIS;A;A\n130470101;1;2\n130470102;1;3\n", "csv | IRIS | iris | 2 | ? | none", `two columns are named "A" (2 and 3)`, ""},
	} {
		r := inspectText(t, tc.name, tc.text)
		got := strings.Join(summary(tc.name, r), "\n")
		if got != tc.name+" | "+tc.want {
			t.Errorf("%s\nwant %s | %s\n%s", got, tc.name, tc.want, strings.Join(r.Problems, "\n"))
		}
		if said := strings.Join(append(r.Problems, r.Remarks...), "\n"); !strings.Contains(said, tc.remarks) {
			t.Errorf("%s: nothing says %q:\n%s", tc.name, tc.remarks, said)
		}
		if !strings.Contains(r.ProposedCard, tc.card) {
			t.Errorf("%s: the card does not hold %q:\n%s", tc.name, tc.card, r.ProposedCard)
		}
	}
}

// Figures, absences and ranges are those of the whole table.
func TestInspectProfile(t *testing.T) {
	r := inspectText(t, "t.csv", "IRIS;NOM;A;B;NOTE\n"+rowsText(2000, func(i int) string {
		a := fmt.Sprintf("%d\u202F%03d,5", 1+i/1000, i%1000)
		if i%10 == 0 {
			a = "s"
		}
		b := ""
		if i%4 == 0 {
			b = fmt.Sprint(-i)
		}
		return fmt.Sprintf("13%03d%04d;nom %d;%s;%s;%d", 1+i/100, i%100, i%7, a, b, i%3)
	}))
	if r.Keys != 2000 || r.Duplicates != 0 || r.Statuts["secret"] != 200 || r.Refused {
		t.Errorf("%d keys, %d repeated, %v\n%s", r.Keys, r.Duplicates, r.Statuts, strings.Join(r.Problems, "\n"))
	}
	type brief struct {
		Kind                      string
		Values, Missing, Distinct int
		More                      bool
		Min, Max                  float64
		Decimal, Thousands        string
	}
	var got []brief
	for _, c := range r.Columns {
		b := brief{c.Kind, c.Values, c.Missing, c.Distinct, c.MoreDistinct, 0, 0, c.Decimal, c.Thousands}
		if c.Min != nil {
			b.Min, b.Max = *c.Min, *c.Max
		}
		got = append(got, b)
	}
	want := []brief{{"code", 2000, 0, 1000, true, 0, 0, "", ""}, {"text", 2000, 0, 7, false, 0, 0, "", ""},
		{"number", 2000, 0, 1000, true, 1001.5, 2999.5, ",", "U+202F"}, {"number", 500, 1500, 500, false, -1996, 0, "", ""},
		{"note", 2000, 0, 3, false, 0, 0, "", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A key is known or not to a layer, and only where the layer covers.
func TestInspectGeography(t *testing.T) {
	in := &Inspector{Geography: func(level string) func(string) (bool, bool) {
		if level != "iris" {
			return nil
		}
		return func(code string) (bool, bool) { return code == "130470101", strings.HasPrefix(code, "13") }
	}}
	r := in.Inspect(context.Background(), writeFile(t, "t.csv", []byte("IRIS;A\n130470101;1\n130470199;2\n751010101;3\n")))
	if r.Unknown == nil || *r.Unknown != 1 || !strings.Contains(strings.Join(r.Problems, "\n"), "130470199 (line 3)") {
		t.Errorf("%v\n%s", r.Unknown, strings.Join(r.Problems, "\n"))
	}
	if r = in.Inspect(context.Background(), writeFile(t, "t.csv", []byte("CODGEO;A\n13047;1\n13063;2\n"))); r.Unknown != nil {
		t.Errorf("communes: %d unknown, and there is no such layer", *r.Unknown)
	}
}

// A bad file gets one line, which says what it is and what to do.
func TestInspectRefuses(t *testing.T) {
	book := xlsx(t, "")
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"vide.csv", nil, "the file is empty: download or copy it again"},
		{"blancs.csv", []byte(" \n\n"), "the file is empty"},
		{"page.csv", []byte("<!DOCTYPE html><html><body>connexion</body></html>"), "this is a web page, not a table"},
		{"page.xls", []byte("<html><table><tr><td>1</td></tr></table></html>"), "open it in a spreadsheet and save it as XLSX"},
		{"coupe.xlsx", book[:len(book)/2], "damaged or incomplete"},
		{"protege.xlsx", container("EncryptedPackage", make([]byte, 5000)), "protected by a password: save it without one"},
		{"lettre.doc", container("WordDocument", make([]byte, 5000)), "not a workbook"},
		{"note.pdf", []byte("%PDF-1.7\n..."), "a PDF document"},
		{"a.rar", []byte("Rar!\x1A\x07\x01\x00........"), "a RAR archive: unpack it"},
		{"a.tar", append(bytes.Repeat([]byte("a"), 257), []byte("ustar\x0000..........")...), "a tar archive: unpack it"},
		{"a.png", []byte("\x89PNG\r\n\x1A\n....."), "a picture"},
		{"base.mdb", []byte("\x00\x01\x00\x00Standard Jet DB\x00...."), "an Access database: export the table"},
		{"texte.rtf", []byte(`{\rtf1\ansi bonjour}`), "a text document (RTF)"},
		{"a.kml", []byte(`<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"></kml>`), "export the layer as GeoJSON"},
		{"a.pmtiles", []byte("PMTiles\x03........"), "a PMTiles archive"},
		{"setup.csv", []byte("MZ\x90\x00\x03........"), "a Windows program"},
		{"2003.xls", []byte(`<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>`), "Excel 2003 in XML: open it and save it as XLSX"},
		{"~$base.xlsx", []byte("\x05user"), "name the workbook itself, without ~$"},
		{"coupe.csv.gz", gzipped([]byte(strings.Repeat("IRIS;A\n130470101;1\n", 500)))[:30], "damaged or incomplete gzip"},
		{"seul.dbf", []byte("\x03..............................."), "the .shp is missing"},
		{"tuile.pbf", []byte("\x1A\xFFzzzz"), "nor a vector tile"},
		{"crs.geojson", []byte(`{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"13047"},"geometry":{"type":"Polygon","coordinates":[[[880000,6250000],[880100,6250000],[880100,6250100],[880000,6250000]]]}}]}`), "the file declares CRS84, they look like EPSG:2154"},
		{"cellule_2019.csv", []byte("IRIS;A\n" + rowsText(30, func(i int) string { return fmt.Sprintf("13047%04d;%d", 101+i, i) }) + "130470199;12a\n"), `:32: A: "12a" is not a number`},
		{"double.csv", []byte("IRIS;A\n" + rowsText(300, func(i int) string { return fmt.Sprintf("13047%04d;%d", 101+i, i) }) + "130470101;12\n"), `"130470101" is on line 2 already`},
		{"coupee.csv", []byte("IRIS;A;B\n" + rowsText(30, func(i int) string { return fmt.Sprintf("13047%04d;%d;1", 101+i, i) }) + "130470199;12\n"), "the row was cut, get the file again"},
	} {
		r := (&Inspector{}).Inspect(context.Background(), writeFile(t, tc.name, tc.data))
		said := strings.Join(r.Problems, "\n")
		if !r.Refused || !strings.Contains(said, tc.want) || !strings.Contains(said, tc.name) {
			t.Errorf("%s: refused %v: %s\nwant %q", tc.name, r.Refused, said, tc.want)
		}
		if len(r.Problems) != 1 {
			t.Errorf("%s: %d lines:\n%s", tc.name, len(r.Problems), said)
		}
	}
	dir := t.TempDir()
	if r := (&Inspector{}).Inspect(context.Background(), dir); !r.Refused || !strings.Contains(r.Problems[0], "this is a folder") {
		t.Errorf("a folder: %+v", r.Problems)
	}
	if r := (&Inspector{}).Inspect(context.Background(), filepath.Join(dir, "absent.csv")); !r.Refused || !strings.Contains(r.Problems[0], "no such file") {
		t.Errorf("an absent file: %+v", r.Problems)
	}
}

// The largest sheet stands for the workbook; each is there; an empty one does no harm.
func TestInspectWorkbook(t *testing.T) {
	f := excelize.NewFile()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.SetSheetName("Sheet1", "Lisez-moi"))
	must(f.SetSheetRow("Lisez-moi", "A1", &[]any{"Ce classeur est un exemple"}))
	for _, s := range []string{"COM", "Vide", "IRIS"} {
		_, err := f.NewSheet(s)
		must(err)
	}
	must(f.SetSheetRow("COM", "A1", &[]any{"CODGEO", "P18_POP"}))
	must(f.SetSheetRow("COM", "A2", &[]any{"13047", 43133.5}))
	must(f.SetSheetRow("IRIS", "A1", &[]any{"Code", "Population"}))
	must(f.SetSheetRow("IRIS", "A2", &[]any{"IRIS", "P18_POP"}))
	for i := range 20 {
		must(f.SetSheetRow("IRIS", fmt.Sprintf("A%d", 4+i), &[]any{fmt.Sprintf("13047%04d", 101+i), 1000.25 + float64(i)}))
	}
	path := filepath.Join(t.TempDir(), "base_2018.xlsx")
	must(f.SaveAs(path))
	r := (&Inspector{}).Inspect(context.Background(), path)
	want := []string{
		"base_2018.xlsx#Lisez-moi | xlsx |  |  | 0 | ? | none",
		"base_2018.xlsx#COM | xlsx | CODGEO | commune | 1 | 2018 | proposed",
		"base_2018.xlsx#Vide | xlsx |  |  | 0 | ? | none",
		"base_2018.xlsx#IRIS | xlsx | IRIS | iris | 20 | 2018 | proposed",
	}
	if diff := cmp.Diff(want, summary("base_2018.xlsx", r)); diff != "" {
		t.Error(diff, r.Problems)
	}
	if r.Rows != 20 || r.HeaderRow != 2 || !strings.Contains(r.ProposedCard, `sheet: "IRIS", header_row: 2`) || !strings.Contains(r.ProposedCard, "# Population") {
		t.Errorf("%d rows, header in row %d\n%s", r.Rows, r.HeaderRow, r.ProposedCard)
	}
}

// Each member of an archive that holds data has its answer; a bad one does not hide the others.
func TestInspectArchive(t *testing.T) {
	table := "IRIS;P18_POP\n" + rowsText(30, func(i int) string { return fmt.Sprintf("13047%04d;%d", 101+i, 1000+i) })
	path := writeFile(t, "base-ic_2018_csv.zip", zipped(t, packed{"base-ic.CSV", []byte(table)},
		packed{"page.csv", []byte("<html><body>403</body></html>")}, packed{"meta_base-ic.CSV", []byte("COD_VAR;LIB_VAR\nP18_POP;Population\n")}))
	r := (&Inspector{}).Inspect(context.Background(), path)
	want := []string{"base-ic_2018_csv.zip#base-ic.CSV | csv/zip | IRIS | iris | 30 | 2018 | proposed",
		"base-ic_2018_csv.zip#page.csv | csv/zip |  |  | 0 | ? | REFUSED"}
	if diff := cmp.Diff(want, summary("base-ic_2018_csv.zip", r)); diff != "" || r.Refused {
		t.Errorf("refused %v\n%s", r.Refused, diff)
	}
	if r = (&Inspector{}).Inspect(context.Background(), path+"/base-ic.CSV"); r.Rows != 30 || r.Refused {
		t.Errorf("a member by its path: %d rows, %v", r.Rows, r.Problems)
	}
	only := writeFile(t, "notes.zip", zipped(t, packed{"lisezmoi.txt", []byte("Bonjour")}))
	if r = (&Inspector{}).Inspect(context.Background(), only); !r.Refused || len(r.Problems) != 1 {
		t.Errorf("documentation only: %v", r.Problems)
	}
}

// A folder of tiles, a tile alone, and their metadata.
func TestInspectTiles(t *testing.T) {
	text := func(s string) *vectortile.Tile_Value { return &vectortile.Tile_Value{StringValue: &s} }
	name, version := "iris_2020", uint32(2)
	tile := &vectortile.Tile{Layers: []*vectortile.Tile_Layer{{Name: &name, Version: &version, Keys: []string{"CODE_IRIS", "NOM_IRIS"},
		Values:   []*vectortile.Tile_Value{text("130470101"), text("Prépaou"), text("130470102")},
		Features: []*vectortile.Tile_Feature{{Tags: []uint32{0, 0, 1, 1}}, {Tags: []uint32{0, 2}}}}}}
	data, err := tile.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("8/131/93.pbf", data)
	alone := write("9/262/187.pbf", gzipped(data))
	write("9/262/186.pbf", data)
	meta := write("metadata.json", []byte(`{"minzoom":"0","maxzoom":"9","json":"{\"vector_layers\":[{\"id\":\"iris_2020\"}]}"}`))
	in := &Inspector{}
	for path, want := range map[string]string{
		dir:   "x#iris_2020 | mvt | CODE_IRIS | iris | 4 | 2020 | none",
		alone: "x#iris_2020 | mvt/gzip | CODE_IRIS | iris | 2 | 2020 | none",
		meta:  "x#iris_2020 | tilejson |  |  | 0 | 2020 | none",
	} {
		if got := strings.Join(summary("x", in.Inspect(context.Background(), path)), "\n"); got != want {
			t.Errorf("%s: %s\nwant %s", path, got, want)
		}
	}
	// A feature that names what is not there.
	tile.Layers[0].Features[0].Tags = []uint32{7, 0}
	if data, err = tile.Marshal(); err != nil {
		t.Fatal(err)
	}
	if r := in.Inspect(context.Background(), write("z.pbf", data)); !r.Refused || !strings.Contains(r.Problems[0], "damaged tile") {
		t.Errorf("%v", r.Problems)
	}
}

// The keys of the answer are those that programs rely on, and the same file gives the same bytes.
func TestInspectionJSON(t *testing.T) {
	path := writeFile(t, "base_2018.csv", []byte("IRIS;P18_POP\n130470101;1\n130470102;2\n"))
	var all [2][]byte
	for i := range all {
		var err error
		if all[i], err = json.Marshal((&Inspector{}).Inspect(context.Background(), path)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(all[0], all[1]) {
		t.Errorf("%s\n%s", all[0], all[1])
	}
	var m map[string]any
	if err := json.Unmarshal(all[0], &m); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"file", "format", "encoding", "crs", "header_row", "rows", "key", "level", "millesime", "proposed_card", "problems"} {
		if _, ok := m[key]; !ok {
			t.Errorf("no %q in %s", key, all[0])
		}
	}
	if m["rows"] != 2.0 || m["millesime"] != 2018.0 || m["level"] != "iris" || m["header_row"] != 1.0 {
		t.Errorf("%s", all[0])
	}
}

// Whatever the bytes, there is an answer: an inspection that refuses says why.
func FuzzInspect(f *testing.F) {
	for _, s := range []string{"IRIS;P18_POP\n130470101;1\n130470102;s\n", "CODGEO,A\n1001,2\n2A004,\"1,5\"\n", `[{"code":"13047","v":1}]`,
		"titre\n\ncode\t2019\t2020\n13047\t1\t2\n", `{"minzoom":1,"vector_layers":[{"id":"a"}]}`, "\x1A\x10\x0A\x04iris\x12\x04\x12\x02\x00\x00\x78\x02", "A;A;;B\n;;;\n1;2;3;4\n"} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		path := filepath.Join(dir, "donnees_2019.csv")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		r := (&Inspector{}).Inspect(context.Background(), path)
		if r.Refused && len(r.Problems) == 0 {
			t.Errorf("refused, and nothing says why: %+v", r)
		}
		if r.ProposedCard != "" {
			if _, err := LoadCard(path, []byte(r.ProposedCard)); err != nil {
				t.Errorf("%v\n%s", err, r.ProposedCard)
			}
		}
	})
}

func TestYearPlace(t *testing.T) {
	for name, want := range map[string]string{
		"P22_POP": "P{AA}_POP", "DISP_MED14": "DISP_MED{AA}", "pop_2017": "pop_{AAAA}", "Jeunes suivis 2023": "Jeunes suivis {AAAA}",
		"Ménages (2019)": "Ménages ({AAAA})", "2019": "{AAAA}",
		"Ménages en 1905": "", "Ménages en 1975": "Ménages en {AAAA}", "RFUCQ201": "RFUCQ2{AA}",
		"Évolution 2013 2018": "", "Évolution 2013-2018": "", "evol_1622": "", "P18_RP_ACH05": "P{AA}_RP_ACH05", "Taux (%)": "",
	} {
		got := ""
		if y, _, _, ok := yearPlace(name); ok {
			got, _, _ = dated(name, []int{y})
		}
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
