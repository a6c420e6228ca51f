package ingest

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"observatoire/indicators"
)

func realDir(t *testing.T) string {
	dir := os.Getenv("OBSERVATOIRE_REAL")
	if dir == "" {
		t.Skip("OBSERVATOIRE_REAL is not set: the published files are not read")
	}
	return dir
}

func bundled(t *testing.T) *Catalogue {
	t.Helper()
	cat, err := LoadCatalogue(os.DirFS("../data/catalogue"))
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// rawTable reads a gzipped table without anything of the reader under test.
func rawTable(t *testing.T, path string) (header []string, rows map[string][]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	rows = map[string][]string{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		cells := strings.Split(strings.ReplaceAll(strings.TrimRight(strings.TrimPrefix(sc.Text(), "\uFEFF"), "\r"), `"`, ""), ";")
		if header == nil {
			header = cells
			continue
		}
		rows[cells[0]] = cells
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return header, rows
}

// The figures of the three quarters of Istres and Miramas are the ones in the files, whatever the card says.
func TestRealKitsGiveTheirOwnFigures(t *testing.T) {
	dir := realDir(t)
	cat := bundled(t)
	quarters := []string{"QP013061", "QP013062", "QP013063"}
	files, _ := filepath.Glob(filepath.Join(dir, "qpv_kits", "*_20*.csv.gz"))
	if len(files) < 14 {
		t.Fatalf("%d kits in %s, want 14 or more", len(files), dir)
	}
	for _, path := range files {
		base := filepath.Base(path)
		cards := cat.Match(base)
		if len(cards) != 1 {
			t.Errorf("%s: %d cards fit, want 1", base, len(cards))
			continue
		}
		header, rows := rawTable(t, path)
		table, err := Open(context.Background(), path, cards[0], Scope{Keep: func(_, code string) bool { return slices.Contains(quarters, code) }})
		if err != nil {
			t.Error(err)
			continue
		}
		figures := 0
		for table.Next() {
			rec := table.Record()
			codes := rec.Column(0).(*array.String)
			for i, f := range rec.Schema().Fields() {
				name, _ := f.Metadata.GetValue("header")
				if name == "" {
					continue
				}
				values, statuts := rec.Column(i).(*array.Float64), rec.Column(i+1).(*array.Uint8)
				at := slices.IndexFunc(header, func(h string) bool { return strings.TrimSpace(h) == name })
				for r := range int(rec.NumRows()) {
					raw := strings.NewReplacer("\u202F", "", ",", ".").Replace(rows[codes.Value(r)][at])
					want, err := strconv.ParseFloat(raw, 64)
					absent := raw == ""
					if !absent && err != nil {
						t.Fatalf("%s: %s: %q", base, name, raw)
					}
					if absent != values.IsNull(r) || absent != (indicators.Statut(statuts.Value(r)) != indicators.Disponible) {
						t.Errorf("%s: %s: %s: %q read as null=%v, %s", base, codes.Value(r), name, raw, values.IsNull(r), indicators.Statut(statuts.Value(r)))
					}
					if !absent && math.Abs(values.Value(r)-want) > 0 {
						t.Errorf("%s: %s: %s = %v, want %v", base, codes.Value(r), name, values.Value(r), want)
					}
					if !absent {
						figures++
					}
				}
			}
		}
		src, err := table.Source()
		if err != nil {
			t.Error(err)
		}
		delete(rows, "Ensemble")
		if src.Kept != 3 || src.Rows != len(rows) || figures < 3*8 {
			t.Errorf("%s: %d rows, %d kept, %d figures; want %d rows, 3 kept", base, src.Rows, src.Kept, figures, len(rows))
		}
		table.Release()
	}
}

// Every published table that a card describes is read to the end without a bad cell; a card that no file here verifies says so.
func TestRealTablesParse(t *testing.T) {
	dir := realDir(t)
	cat := bundled(t)
	used := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, c := range cat.Match(d.Name()) {
			if c.Kind != "table" || filepath.Ext(path) == ".parquet" { // the same table as the CSV beside it
				continue
			}
			if c.Unverified {
				t.Errorf("%s: there is a file for the card %s: it is verified", d.Name(), c.ID)
			}
			used[c.ID] = true
			for _, level := range c.LevelsOf(d.Name()) {
				if c.LevelColumn != "" {
					c = c.At(level)
				}
				table, err := Open(context.Background(), path, c, Scope{})
				if err != nil {
					t.Error(err)
					break
				}
				var rows int64
				for table.Next() {
					rows += table.Record().NumRows()
				}
				src, err := table.Source()
				if err != nil || rows == 0 || int64(src.Kept) != rows || src.Level == "" || src.Vintage == 0 {
					t.Errorf("%s: %d rows, %+v: %v", d.Name(), rows, src, err)
				}
				for _, remarque := range src.Remarques {
					t.Log(remarque)
				}
				table.Release()
				t.Logf("%-55s %-26s %-11s %d %6d rows, %3d fields", d.Name(), c.ID, src.Level, src.Vintage, rows, len(table.Schema().Fields()))
				if c.LevelColumn == "" {
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cat.Cards() {
		if c.Kind == "table" && !used[c.ID] && !c.Unverified && c.Licence != "Convention avec le bailleur" {
			t.Errorf("no file for the card %s", c.ID)
		}
	}
}

// Every published table is known to a card, by its header alone: a file that lost its name finds its card too.
func TestRealTablesAreRecognised(t *testing.T) {
	dir := realDir(t)
	cat := bundled(t)
	files := []struct {
		pattern, sheet, card, level string
		bare                        bool // known by its header whatever its name
	}{
		{"admin/EPCI_2020.csv.gz", "", "epci-composition", "epci", false},
		{"admin/EPCI_leading_zero_lost.csv.gz", "", "epci-composition", "epci", false},
		{"admin/Intercommunalite_Metropole_au_01-01-2022.xlsx", "Composition_communale", "epci-composition-classeur", "epci", false},
		{"admin/table-appartenance-geo-communes-21.xlsx", "COM", "appartenance-communes", "epci", false},
		{"admin/commune_2021.csv.gz", "", "cog-communes", "", true},
		{"admin/departement2021.csv", "", "cog-departements", "", true},
		{"admin/region2021.csv", "", "cog-regions", "", true},
		{"admin/iris_2021.csv.gz", "", "iris-liste", "", true},
		{"commune_stats/FILO*_DISP_COM.csv.gz", "", "filosofi-territoires", "commune", true},
		{"commune_stats/FILO*_DISP_EPCI.csv.gz", "", "filosofi-territoires", "epci", true},
		{"commune_stats/FILO*_DISP_DEP.csv", "", "filosofi-territoires", "departement", true},
		{"commune_stats/FILO*_DISP_REG.csv", "", "filosofi-territoires", "region", true},
		{"commune_stats/FILO*_DISP_METROPOLE.csv", "", "filosofi-territoires", "metropole", true},
		{"commune_stats/P13_POP_insee.csv.gz", "", "population-commune", "commune", false},
		{"commune_stats/Table_EPCI_SCoT_logement2018_PACA.xls", "", "logement-paca", "commune", false},
		{"commune_stats/Fichier_CEREMA_Art_2009-2020_PACA.xls", "", "cerema-artificialisation", "commune", true},
		{"iris_stats/BASE_TD_FILO_DISP_IRIS_*.csv.gz", "", "filosofi-iris", "iris", true},
		{"iris_stats/revenus-2015_comma_quoted.csv.gz", "", "filosofi-iris", "iris", true},
		{"iris_stats/data_CAF_*_IRIS.csv.gz", "", "caf", "iris", true},
		{"iris_stats/ptod_agg_iris_13_*.csv.gz", "", "recensement-iris", "iris", true},
		{"iris_stats/rfdu_13/RFDU_*_IRIS_13.csv", "", "rfdu-iris", "iris", true},
		{"iris_stats/rp_paris/diplomes-1999.csv.gz", "", "recensement-1999-diplomes", "iris", true},
		{"iris_stats/rp_paris/diplomes-2015.csv.gz", "", "recensement-diplomes", "iris", true},
		{"iris_stats/rp_paris/emploi-2015.csv.gz", "", "recensement-activite", "iris", true},
		{"qpv_kits/DEMO_*.csv.gz", "", "qpv-demographie", "qpv", true},
		{"qpv_kits/data_DEMO_*.csv.gz", "", "qpv-demographie", "qpv", true},
		{"qpv_kits/REVN_*.csv.gz", "", "qpv-revenus", "qpv", true},
		{"qpv_kits/IPRO_*.csv.gz", "", "qpv-insertion", "qpv", true},
		{"qpv_kits/pop_qp_2013.*", "", "qpv-population", "qpv", true},
		{"kits_cget/comepci2018.csv", "", "epci-composition", "epci", true},
		{"kits_cget/datacom.csv.gz", "", "cget-indicateurs", "commune", false},
		{"kits_cget/dataepci.csv", "", "cget-indicateurs", "epci", false},
		{"kits_cget/meta.xlsx", "", "cget-meta", "", true},
		{"kits_cget/tableau portrait 201913.xlsx", "", "cget-portrait-epci", "epci", true},
		{"oracle/qpv_iris_overlap_13.csv", "", "recouvrements", "", true},
	}
	known := map[string]bool{}
	for _, f := range files {
		paths, _ := filepath.Glob(filepath.Join(dir, f.pattern))
		if len(paths) == 0 {
			t.Errorf("no file %s", f.pattern)
		}
		for _, path := range paths {
			known[path] = true
			rows, _, err := OpenRows(path, Layout{Sheet: f.sheet})
			if err != nil {
				t.Error(err)
				continue
			}
			// The header is the one of the first rows that some card knows best.
			best := func(name string) (fit CardFit) {
				for i := 0; i < 12 && rows.Next(); i++ {
					for _, x := range cat.Fit(name, rows.Cells()) {
						if x.Key != "" && (fit.Card == nil || x.Score > fit.Score) {
							fit = x
						}
					}
					if fit.Score > 0.6 {
						break
					}
				}
				rows.Close()
				return fit
			}
			base := filepath.Base(path)
			fit := best(base)
			if fit.Card == nil || fit.Card.ID != f.card || !fit.Name || len(fit.Missing) > 0 || f.level != "" && !slices.Contains(fit.Levels, f.level) {
				t.Errorf("%s: %+v", base, fit)
				continue
			}
			if !f.bare {
				continue
			}
			year := fit.Edition
			if rows, _, err = OpenRows(path, Layout{Sheet: f.sheet}); err != nil {
				t.Fatal(err)
			}
			if fit = best("export.csv"); fit.Card == nil || fit.Card.ID != f.card {
				t.Errorf("%s under another name: %+v", base, fit)
			} else if fit.Edition != 0 && fit.Edition != year && fit.Card.yearNeeded() {
				t.Errorf("%s under another name: dated %d, want %d", base, fit.Edition, year)
			}
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch ext := filepath.Ext(strings.TrimSuffix(path, ".gz")); {
		case known[path] || strings.HasPrefix(d.Name(), "README") || ext == ".pbf" || d.Name() == "metadata.json":
		case ext == ".dbf" || ext == ".shx" || ext == ".prj":
		default: // layers, and files that other readers open: by their name
			if len(cat.Match(d.Name())) == 0 && ext != ".gpkg" {
				t.Errorf("%s: no card knows it", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
