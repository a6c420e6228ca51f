package tiles

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"observatoire/indicators"
)

// readParquet gives a file back: one record, and what its schema says.
func readParquet(t *testing.T, b []byte) (arrow.Record, map[string]string) {
	t.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	meta := f.MetaData().KeyValueMetadata()
	for i, k := range meta.Keys() {
		said[k] = meta.Values()[i]
	}
	rows := array.NewTableReader(table, max(table.NumRows(), 1))
	if !rows.Next() {
		t.Fatal("no row")
	}
	return rows.Record(), said
}

func TestSeriesParquet(t *testing.T) {
	e := sample(3)
	var b, again bytes.Buffer
	values := indicators.Shown(e.Values)
	if err := WriteSeriesParquet(&b, e, values); err != nil {
		t.Fatal(err)
	}
	if err := WriteSeriesParquet(&again, e, values); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("not the same bytes twice (%v)", err)
	}
	rec, said := readParquet(t, b.Bytes())
	if int(rec.NumRows()) != len(values) {
		t.Fatalf("%d rows for %d values", rec.NumRows(), len(values))
	}
	code, year, value, statut := rec.Column(2).(*array.String), rec.Column(4).(*array.Int32), rec.Column(6).(*array.Float64), rec.Column(8).(*array.String)
	for i, v := range values {
		if code.Value(i) != v.Code || int(year.Value(i)) != v.Millesime || statut.Value(i) != v.Statut.String() {
			t.Errorf("row %d: %s %d %s, want %v", i, code.Value(i), year.Value(i), statut.Value(i), v)
		}
		if withheld := v.Statut != indicators.Disponible; withheld != value.IsNull(i) || !withheld && value.Value(i) != v.V {
			t.Errorf("row %d: %v, want %v", i, value.ValueStr(i), v.Valeur())
		}
	}
	var defs []map[string]string
	if err := json.Unmarshal([]byte(said["indicateurs"]), &defs); err != nil || len(defs) != 2 || defs[1]["unite"] != "%" || said["edition"] != "ed-test" || said["methodes"] == "" {
		t.Errorf("what the schema says: %v %v", said, err)
	}
}

func TestZonesParquet(t *testing.T) {
	e := sample(3)
	var b bytes.Buffer
	if err := WriteZonesParquet(&b, e, "iris-2016"); err != nil {
		t.Fatal(err)
	}
	rec, said := readParquet(t, b.Bytes())
	var description struct {
		Version string
		Columns map[string]struct {
			Encoding string
			CRS      struct {
				ID struct{ Authority, Code string }
			}
		}
	}
	if err := json.Unmarshal([]byte(said["geo"]), &description); err != nil || description.Version != "1.1.0" || description.Columns["geometry"].CRS.ID.Code != "CRS84" {
		t.Errorf("geo: %s %v", said["geo"], err)
	}
	set := e.Layer("iris-2016")
	area, shapes := rec.Column(4).(*array.Float64), rec.Column(5).(*array.Binary)
	for i := range set.Zones {
		if set.Zones[i].Geom == nil {
			if !shapes.IsNull(i) {
				t.Errorf("%s has no contour, and has one here", set.Zones[i].Code)
			}
			continue
		}
		g, err := wkb.Unmarshal(shapes.Value(i))
		if err != nil {
			t.Fatal(err)
		}
		mp := g.(orb.MultiPolygon)
		if c := mp.Bound().Center(); len(mp[0]) != len(set.Zones[i].Geom[0]) || math.Abs(c[0]-5) > 0.2 || math.Abs(c[1]-43.5) > 0.2 || area.Value(i) < 9e5 {
			t.Errorf("%s: %v, %g m²", set.Zones[i].Code, c, area.Value(i))
		}
	}
}

func TestRowsParquet(t *testing.T) {
	e := noted()
	var b bytes.Buffer
	if err := WriteRowsParquet(&b, e, "evolutions", indicators.EvolutionsHeader, e.Evolutions); err != nil {
		t.Fatal(err)
	}
	rec, _ := readParquet(t, b.Bytes())
	if rec.NumRows() != 3 || rec.Column(13).(*array.Float64).Value(0) != 0.96 || !rec.Column(13).(*array.Float64).IsNull(1) {
		t.Errorf("%v", rec)
	}
}

// Every table of the API is the same as Parquet and as CSV, cell by cell, its numbers to the digits the CSV has.
func TestParquetOfTheAPI(t *testing.T) {
	e := noted()
	e.Calibrations = []indicators.Calibration{
		{Indicateur: "part_cmuc", Couche: "qpv-2015", Methode: indicators.MethodeMoyenne, N: 12, Unite: "points", Moyenne: -1.25, Absolue: 2, Mediane: -1, Pire: "QP013061", PireErreur: -7.5, Rang: 1},
		{Indicateur: "part_cmuc", Couche: "qpv-2015", Millesime: 2014, Sexe: "T", Methode: indicators.MethodeMoyenne, N: 12, Unite: "points", Moyenne: -1.25, Absolue: 2, Mediane: -1, Pire: "QP013061", PireErreur: -7.5}}
	ts := server(t, e)
	for _, name := range []string{"series", "ecarts", "recouvrements", "calibration", "evolutions"} {
		_, text := fetch(t, ts, "GET", "/api/"+name+".csv")
		lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		resp, b := fetch(t, ts, "GET", "/api/"+name+".parquet")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != typeParquet {
			t.Fatalf("%s.parquet: %d %s", name, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		rec, said := readParquet(t, b)
		if said["edition"] != e.ID || said["table"] != name || int(rec.NumRows()) != len(lines)-1 || len(lines) < 2 {
			t.Fatalf("%s: %d rows, %d in CSV; edition %s, table %s", name, rec.NumRows(), len(lines)-1, said["edition"], said["table"])
		}
		for k, header := range lines[0] {
			if rec.ColumnName(k) != header {
				t.Errorf("%s: column %d is %s, %s in CSV", name, k, rec.ColumnName(k), header)
			}
			for i, line := range lines[1:] {
				cell := line[k]
				switch column := rec.Column(k).(type) {
				case *array.String:
					if got := column.Value(i); got != cell {
						t.Errorf("%s %s, row %d: %q, %q in CSV", name, header, i, got, cell)
					}
				case *array.Int32:
					if n, err := strconv.Atoi(cell); column.IsNull(i) != (err != nil || n <= 0) || !column.IsNull(i) && int(column.Value(i)) != n {
						t.Errorf("%s %s, row %d: %s, %q in CSV", name, header, i, column.ValueStr(i), cell)
					}
				case *array.Float64:
					v, err := strconv.ParseFloat(cell, 64)
					if column.IsNull(i) != (cell == "") || !column.IsNull(i) && (err != nil || math.Abs(column.Value(i)-v) > 1e-9*math.Abs(v)+5e-3) {
						t.Errorf("%s %s, row %d: %s, %q in CSV", name, header, i, column.ValueStr(i), cell)
					}
				default:
					t.Errorf("%s %s: a column of %T", name, header, column)
				}
			}
		}
	}
}

// DuckDB, as npm installs it, reads every table and layer, and finds the figures of the CSV and of the edition.
func TestParquetDuckDB(t *testing.T) {
	folder := npmFolder(t)
	e := noted()
	e.Calibrations = []indicators.Calibration{{Indicateur: "part_cmuc", Couche: "qpv-2015", Methode: indicators.MethodeMoyenne, N: 12, Unite: "points", Moyenne: -1.25, Absolue: 2, Mediane: -1, Pire: "QP013061", PireErreur: -7.5, Rang: 1}}
	ts := server(t, e)
	dir := t.TempDir()
	tables := []string{"series", "ecarts", "recouvrements", "calibration", "evolutions"}
	for _, name := range tables {
		_, b := fetch(t, ts, "GET", "/api/"+name+".parquet")
		if err := os.WriteFile(filepath.Join(dir, name+".parquet"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var zones bytes.Buffer
	if err := WriteZonesParquet(&zones, e, "iris-2016"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "zones.parquet"), zones.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`import { createRequire } from "node:module";
const { DuckDBInstance } = createRequire(%q)("@duckdb/node-api");
const db = await (await DuckDBInstance.create(":memory:", { autoinstall_known_extensions: "false", autoload_known_extensions: "false" })).connect();
const out = {};
for (const name of [...%s, "zones"]) {
  const r = await db.runAndReadAll("SELECT * " + (name === "zones" ? "REPLACE (geometry::VARCHAR AS geometry)" : "") + " FROM read_parquet('%s/" + name + ".parquet')");
  out[name] = { columns: r.columnNames(), rows: r.getRowsJson() };
  const kv = await db.runAndReadAll("SELECT decode(key), decode(value) FROM parquet_kv_metadata('%s/" + name + ".parquet')");
  out[name].said = Object.fromEntries(kv.getRowsJson());
}
console.log(JSON.stringify(out));`, filepath.Join(folder, "x"), mustText(t, tables), dir, dir)
	out, err := exec.Command("node", "--input-type=module", "-e", script).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("node: %s", exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	var read map[string]struct {
		Columns []string
		Rows    [][]any
		Said    map[string]string
	}
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		_, text := fetch(t, ts, "GET", "/api/"+name+".csv")
		lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		got := read[name]
		if len(got.Columns) < len(lines[0]) || !slices.Equal(got.Columns[:len(lines[0])], lines[0]) || len(got.Rows) != len(lines)-1 || got.Said["edition"] != e.ID {
			t.Fatalf("%s: columns %v, %d rows, edition %s; the CSV has %v, %d", name, got.Columns, len(got.Rows), got.Said["edition"], lines[0], len(lines)-1)
		}
		for i, row := range got.Rows {
			for k, v := range row[:len(lines[0])] { // Parquet has a note besides
				cell := lines[i+1][k]
				var same bool
				switch v := v.(type) {
				case nil:
					same = cell == "" || cell == "inconnu"
				case string:
					same = v == cell
				case float64:
					n, err := strconv.ParseFloat(cell, 64)
					same = err == nil && math.Abs(n-v) <= 1e-9*math.Abs(n)+5e-3
				}
				if !same {
					t.Errorf("%s row %d, %s: %v, %q in CSV", name, i, got.Columns[k], v, cell)
				}
			}
		}
	}
	set := e.Layer("iris-2016")
	if got := read["zones"]; len(got.Rows) != len(set.Zones) {
		t.Errorf("%d zones of %d", len(got.Rows), len(set.Zones))
	} else {
		for i, row := range got.Rows {
			shape, _ := row[5].(string)
			if row[1] != set.Zones[i].Code || (strings.HasPrefix(shape, "MULTIPOLYGON (((4.9") || strings.HasPrefix(shape, "MULTIPOLYGON (((5.0")) != (set.Zones[i].Geom != nil) {
				t.Errorf("zone %d: %v", i, row)
			}
		}
	}
}

func mustText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
