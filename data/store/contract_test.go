package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

func TestGeoPackageContract(t *testing.T) {
	testContract(t, func(t *testing.T) Store { return open(t, "observatoire.gpkg", t.TempDir()) })
}

func TestPostGISContract(t *testing.T) {
	testContract(t, func(t *testing.T) Store { return open(t, pgAddress(t), "") })
}

func open(t testing.TB, address, dir string) Store {
	t.Helper()
	s, err := Open(context.Background(), address, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// pgAddress is the address of a new schema, dropped at the end of the test.
func pgAddress(t testing.TB) string {
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		t.Skip("no PostGIS to test on: set OBSERVATOIRE_TEST_PG to the address of a database that has the extension")
	}
	schema := fmt.Sprintf("t_%d_%s", os.Getpid(), strings.ToLower(strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())))
	schema = schema[:min(len(schema), 63)]
	t.Cleanup(func() { pgExec(t, dsn, "DROP SCHEMA IF EXISTS "+quote(schema)+" CASCADE") })
	switch {
	case !strings.Contains(dsn, "://"):
		return dsn + " schema=" + schema
	case strings.Contains(dsn, "?"):
		return dsn + "&schema=" + schema
	}
	return dsn + "?schema=" + schema
}

func pgExec(t testing.TB, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

func testContract(t *testing.T, open func(t *testing.T) Store) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, s Store)
	}{
		{"wide source", testWideSource},
		{"long source", testLongSource},
		{"source refused", testSourceRefused},
		{"edition whole", testRoundTrip},
		{"zones of a layer", testZones},
		{"edition refused", testEditionRefused},
		{"publication", testPublication},
		{"replaced draft", testReplacedDraft},
		{"cancelled", testCancelled},
		{"read while publishing", testReadWhilePublishing},
		{"watch", testWatch},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// A cell is what a test table says of a figure.
type cell struct {
	v       float64
	statut  indicators.Statut
	signale bool
}

// wideRecords is a wide table in two records; it ends with fail when that is not nil.
func wideRecords(t testing.TB, codes []string, names []string, cells [][]cell, fail error) array.RecordReader {
	t.Helper()
	fields := []arrow.Field{{Name: "code", Type: arrow.BinaryTypes.String}}
	for _, name := range names {
		parts := strings.Split(name, ".")
		fields = append(fields,
			arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true, Metadata: arrow.MetadataFrom(
				map[string]string{"variable": parts[0], "sexe": parts[1], "millesime": parts[2], "header": "EN_TETE_" + parts[0]})},
			arrow.Field{Name: name + "__statut", Type: arrow.PrimitiveTypes.Uint8},
			arrow.Field{Name: name + "__signale", Type: arrow.FixedWidthTypes.Boolean})
	}
	schema := arrow.NewSchema(fields, nil)
	var recs []arrow.Record
	for _, part := range [][2]int{{0, len(codes) / 2}, {len(codes) / 2, len(codes)}} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := part[0]; i < part[1]; i++ {
			b.Field(0).(*array.StringBuilder).Append(codes[i])
			for j := range names {
				c := cells[i][j]
				if v := b.Field(1 + 3*j).(*array.Float64Builder); c.statut == indicators.Disponible {
					v.Append(c.v)
				} else {
					v.AppendNull()
				}
				b.Field(2 + 3*j).(*array.Uint8Builder).Append(uint8(c.statut))
				b.Field(3 + 3*j).(*array.BooleanBuilder).Append(c.signale)
			}
		}
		recs = append(recs, b.NewRecord())
	}
	r, err := array.NewRecordReader(schema, recs)
	if err != nil {
		t.Fatal(err)
	}
	return failingReader{r, fail}
}

// A failingReader ends as a reader of a broken file does.
type failingReader struct {
	array.RecordReader
	fail error
}

func (r failingReader) Err() error {
	if r.fail != nil {
		return r.fail
	}
	return r.RecordReader.Err()
}

var sampleSource = indicators.Source{ID: "filosofi-iris/BASE_2019.csv.gz", Card: "filosofi-iris", CardHash: "c0ffee",
	Title: "Revenus à l'IRIS", Producer: "Insee", File: "BASE_2019.csv.gz", SHA256: "abc", Bytes: 1 << 40, Edition: 2019,
	Level: "iris", Vintage: 2020}

func finished(src indicators.Source) func() (indicators.Source, error) {
	return func() (indicators.Source, error) {
		src.Rows, src.Kept, src.Unknown = 4, 3, []string{"130470999", `a "b", c`}
		src.Remarques = []string{"NOTE_RP 9 n'est pas expliqué"}
		return src, nil
	}
}

func sampleWide(t testing.TB, fail error) array.RecordReader {
	return wideRecords(t, []string{"130470101", "01004", "2A004", ""}, []string{"med.T.2019", "med.F.0", "q1.T.2019"},
		[][]cell{
			{{v: 0.30000000000000004}, {v: 0}, {statut: indicators.Secret}},
			{{statut: indicators.NonSignificatif}, {v: -math.MaxFloat64, signale: true}, {statut: indicators.NonDisponible}},
			{{v: math.SmallestNonzeroFloat64}, {statut: indicators.SansObjet}, {v: 3}},
			{{v: 9007199254740993}, {v: 1e21}, {v: 2}},
		}, fail)
}

func testWideSource(t *testing.T, s Store) {
	ctx := context.Background()
	if err := s.PutSource(ctx, sampleSource, sampleWide(t, nil), finished(sampleSource)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id, sha, card string
		want          bool
	}{
		{sampleSource.ID, "abc", "c0ffee", true},
		{sampleSource.ID, "abd", "c0ffee", false},
		{sampleSource.ID, "abc", "tea", false},
		{"other", "abc", "c0ffee", false},
	} {
		if got, err := s.HasSource(ctx, tt.id, tt.sha, tt.card); err != nil || got != tt.want {
			t.Errorf("HasSource(%s, %s, %s) = %v, %v", tt.id, tt.sha, tt.card, got, err)
		}
	}
	want, _ := finished(sampleSource)()
	if got, err := s.Sources(ctx); err != nil || cmp.Diff([]indicators.Source{want}, got) != "" {
		t.Errorf("Sources: %v\n%s", err, cmp.Diff([]indicators.Source{want}, got))
	}
	const d, s1, ns, nd, so = indicators.Disponible, indicators.Secret, indicators.NonSignificatif, indicators.NonDisponible, indicators.SansObjet
	codes := []string{"130470101", "01004", "2A004", ""}
	column := func(variable, sexe string, millesime int, v []float64, st []indicators.Statut, flags []bool) indicators.Column {
		return indicators.Column{Source: sampleSource.ID, Level: "iris", Vintage: 2020, Variable: variable, Sexe: sexe,
			Millesime: millesime, Header: "EN_TETE_" + variable, Codes: codes, V: v, Statut: st, Signale: flags}
	}
	wantColumns := []indicators.Column{
		column("med", "T", 2019, []float64{0.30000000000000004, 0, math.SmallestNonzeroFloat64, 9007199254740993},
			[]indicators.Statut{d, ns, d, d}, nil),
		column("med", "F", 0, []float64{0, -math.MaxFloat64, 0, 1e21}, []indicators.Statut{d, d, so, d}, []bool{false, true, false, false}),
		column("q1", "T", 2019, []float64{0, 0, 3, 2}, []indicators.Statut{s1, nd, d, d}, nil),
	}
	got, err := s.Columns(ctx, sampleSource.ID, nil)
	if diff := cmp.Diff(wantColumns, got); err != nil || diff != "" {
		t.Errorf("Columns: %v (-want +got)\n%s", err, diff)
	}
	onlyOf(t, s, wantColumns, "q1")
	onlyOf(t, s, wantColumns, "none")

	t.Run("a reading that fails changes nothing", func(t *testing.T) {
		broken := errors.New("line 12: not a number")
		if err := s.PutSource(ctx, sampleSource, sampleWide(t, broken), finished(sampleSource)); !errors.Is(err, broken) {
			t.Errorf("PutSource = %v, want %v", err, broken)
		}
		late := func() (indicators.Source, error) { return indicators.Source{}, broken }
		if err := s.PutSource(ctx, sampleSource, sampleWide(t, nil), late); !errors.Is(err, broken) {
			t.Errorf("PutSource = %v, want %v", err, broken)
		}
		if got, err := s.Columns(ctx, sampleSource.ID, nil); err != nil || cmp.Diff(wantColumns, got) != "" {
			t.Errorf("Columns: %v\n%s", err, cmp.Diff(wantColumns, got))
		}
	})
	t.Run("replaced, then dropped", func(t *testing.T) {
		src := sampleSource
		src.SHA256 = "def"
		r := wideRecords(t, []string{"130470101"}, []string{"med.T.2020"}, [][]cell{{{v: 1}}}, nil)
		if err := s.PutSource(ctx, src, r, finished(src)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Columns(ctx, src.ID, nil); err != nil || len(got) != 1 || got[0].Millesime != 2020 {
			t.Errorf("Columns = %v, %v", got, err)
		}
		for range 2 {
			if err := s.DropSource(ctx, src.ID); err != nil {
				t.Error(err)
			}
		}
		if _, err := s.Columns(ctx, src.ID, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("Columns of a dropped source: %v", err)
		}
		if got, err := s.Sources(ctx); err != nil || len(got) > 0 {
			t.Errorf("Sources = %v, %v", got, err)
		}
	})
}

func testLongSource(t *testing.T, s Store) {
	ctx := context.Background()
	text := func(name string) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	kind := arrow.MetadataFrom(map[string]string{"kind": "long"})
	schema := arrow.NewSchema([]arrow.Field{text("code"), text("variable"), text("sexe"),
		{Name: "millesime", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
		{Name: "value", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "value__statut", Type: arrow.PrimitiveTypes.Uint8}, text("reference"), text("note")}, &kind)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, r := range []struct {
		code, variable, sexe string
		millesime            int16
		v                    float64
		statut               uint8
		reference            string
		note                 any
	}{
		{"VAUBAN", "part_cmuc", "T", 2009, 18.45, 0, "p. 12", nil},
		{"VAUBAN", "defm", "F", 0, 0, 1, "", ""},
		{"LA MAILLE", "part_cmuc", "T", 2009, 14, 0, "", "reconstitué"},
	} {
		b.Field(0).(*array.StringBuilder).Append(r.code)
		b.Field(1).(*array.StringBuilder).Append(r.variable)
		b.Field(2).(*array.StringBuilder).Append(r.sexe)
		b.Field(3).(*array.Int16Builder).Append(r.millesime)
		b.Field(4).(*array.Float64Builder).AppendValues([]float64{r.v}, []bool{r.statut == 0})
		b.Field(5).(*array.Uint8Builder).Append(r.statut)
		b.Field(6).(*array.StringBuilder).Append(r.reference)
		if note, ok := r.note.(string); ok {
			b.Field(7).(*array.StringBuilder).Append(note)
		} else {
			b.Field(7).AppendNull()
		}
	}
	rec := b.NewRecord()
	r, err := array.NewRecordReader(schema, []arrow.Record{rec})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutSource(ctx, sampleSource, r, nil); err != nil {
		t.Fatal(err)
	}
	want := []indicators.Column{
		{Source: sampleSource.ID, Level: "iris", Vintage: 2020, Variable: "part_cmuc", Sexe: "T", Millesime: 2009, Header: "part_cmuc",
			Codes: []string{"VAUBAN", "LA MAILLE"}, V: []float64{18.45, 14}, Statut: []indicators.Statut{0, 0},
			Signale: []bool{false, true}, Ref: []string{"p. 12", ""}},
		{Source: sampleSource.ID, Level: "iris", Vintage: 2020, Variable: "defm", Sexe: "F", Header: "defm",
			Codes: []string{"VAUBAN"}, V: []float64{0}, Statut: []indicators.Statut{indicators.Secret}},
	}
	got, err := s.Columns(ctx, sampleSource.ID, nil)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Columns: %v (-want +got)\n%s", err, diff)
	}
	onlyOf(t, s, want, "defm")
}

// onlyOf asks for the columns of one variable: the others have no figures.
func onlyOf(t *testing.T, s Store, all []indicators.Column, variable string) {
	t.Helper()
	want := slices.Clone(all)
	for i := range want {
		if c := &want[i]; c.Variable != variable {
			c.Codes, c.V, c.Statut, c.Signale, c.Ref = nil, nil, nil, nil, nil
		}
	}
	got, err := s.Columns(t.Context(), sampleSource.ID, func(v string) bool { return v == variable })
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Columns of %s: %v (-want +got)\n%s", variable, err, diff)
	}
}

func testSourceRefused(t *testing.T, s Store) {
	ctx := context.Background()
	many := make([]string, 0, 300)
	row := make([]cell, 300)
	for i := range row {
		many = append(many, "v"+strconv.Itoa(i)+".T.2019")
	}
	if err := s.PutSource(ctx, sampleSource, wideRecords(t, []string{"1", "2"}, many, [][]cell{row, row}, nil), nil); err != nil {
		t.Errorf("300 columns: %v", err)
	}
	for _, tt := range []struct {
		name string
		cell cell
		want string
	}{
		{"not a number", cell{v: math.NaN()}, "NaN"},
		{"unknown statut", cell{statut: 9}, "row 1 of the table, zone 13047: column med.T.2019: statut 9"},
	} {
		src := sampleSource
		src.ID = "bad"
		err := s.PutSource(ctx, src, wideRecords(t, []string{"13047"}, []string{"med.T.2019"}, [][]cell{{tt.cell}}, nil), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if got, err := s.Sources(ctx); err != nil || len(got) != 1 {
		t.Errorf("Sources = %v, %v", got, err)
	}
}

// sampleEdition has every kind of thing an edition may hold.
func sampleEdition(id string) *indicators.Edition {
	ring := func(x, y, w float64) orb.Ring {
		return orb.Ring{{x, y}, {x + w, y}, {x + w, y + w}, {x, y + w}, {x, y}}
	}
	hole := orb.Ring{{870010.1, 6270010}, {870010.1, 6270020}, {870020, 6270020}, {870020, 6270010}, {870010.1, 6270010}}
	some := indicators.Some
	key := func(ind string, l geo.Layer, m int, sexe string) indicators.Key {
		return indicators.Key{Indicateur: ind, Couche: l, Millesime: m, Sexe: sexe}
	}
	e := &indicators.Edition{
		ID: id, Title: "Observatoire d'essai", Schematic: true, Manifest: []byte(`{ "b": 1,  "a": "é" }`),
		Layers: []geo.ZoneSet{
			{Layer: "epci-2015", Title: "EPCI", EPSG: 2154, Zones: []geo.Zone{
				{Code: "241300417", Name: "San Ouest Provence", Members: []string{"13039", "13047"}}}},
			{Layer: "iris-2016", Title: "IRIS, géographie au 01/01/2016", EPSG: 2154, Schematic: true, Source: "contours/iris.geojson",
				Zones: []geo.Zone{
					{Code: "130470101", Name: "Le Prépaou", Commune: "13047", Type: "H",
						Geom: orb.MultiPolygon{{ring(870000, 6270000, 100), hole}, {ring(871000.123456789, 6270000, 1.0/3)}}},
					{Code: "130470102", Commune: "13047,13039"},
					{Code: "130470103", Name: "L'\"île\"", Geom: orb.MultiPolygon{{ring(870100, 6270000, 100)}}}}},
			{Layer: "qpv-2015", EPSG: 2975, Zones: []geo.Zone{{Code: "QP974001", Geom: orb.MultiPolygon{{ring(340000, 7680000, 10)}}}}},
			{Layer: "vide-2015", EPSG: 2154},
		},
		Overlaps: []indicators.OverlapSet{
			{From: "iris-2016", To: "qpv-2015"},
			{From: "qpv-2015", To: "iris-2016", Pairs: []geo.Overlap{
				{From: 0, To: 0, Area: 1234.5, ShareFrom: 0.508, ShareTo: 1.0 / 3, Margin: 0.01},
				{From: 0, To: 2, Area: 1e-7, ShareFrom: 0.001, ShareTo: 0, Note: "liseré"}}},
		},
		Indicators: []indicators.Definition{
			{ID: "taux_chomage", Label: "Taux de chômage (parmi les 15–64 ans) <RP>", Theme: "emploi", Unit: "%", Direction: "hausse_defavorable",
				Rule: indicators.Ratio, Sexes: []string{"T", "F"}, Decimals: 1, Numerator: []string{"chom"}, Denominator: []string{"act", "b"}, Scale: 100},
			{ID: "niveau_de_vie_median", Rule: indicators.Mediane, Value: "med", Deciles: []string{"d1"}, Weight: "pop", Note: "note"},
		},
		Values: []indicators.Value{
			{Key: key("niveau_de_vie_median", "iris-2016", 2019, "T"), Code: "130470101", V: 0.30000000000000004, Methode: "producteur", Retenue: true,
				Couverture: some(1), Sources: 1, PartMax: 1, Fiabilite: indicators.Bonne, Source: "a.csv: DISP_MED19", Convention: "ops"},
			{Key: key("niveau_de_vie_median", "iris-2016", 2019, "T"), Code: "130470102", Statut: indicators.Secret, Methode: "producteur", Retenue: true},
			{Key: key("taux_chomage", "qpv-2015", 0, "F"), Code: "QP974001", V: 0, Nature: indicators.Estimation, Methode: "surface",
				Couverture: some(0.5), PartMax: 1.0 / 3, Min: some(0), Max: some(17.25), IC95Bas: some(-1.5), IC95Haut: some(math.MaxFloat64),
				Fiabilite: indicators.Insuffisante, Note: "Estimation fragile."},
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Code: "QP974001", Statut: indicators.NonDisponible, Nature: indicators.Estimation},
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Code: "QP974001", Statut: indicators.SansObjet, Fiabilite: indicators.Moyenne},
		},
		Ecarts: []indicators.Ecart{
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Code: "QP974001", Reference: "commune-2018", ReferenceCode: "97411",
				Valeur: some(17), ValeurReference: some(12), Ecart: some(5), Unite: "points", Rapport: some(17.0 / 12), ReferenceInclut: true},
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Code: "QP974001", Reference: "epci-2015", ReferenceCode: "241300417",
				Statut: indicators.NonDisponible, Motif: "La référence n'a pas de valeur.", Convention: "ops"},
		},
		Evolutions: []indicators.Evolution{
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Depuis: 2011, Code: "QP974001", Avant: some(15), Apres: some(17), Evolution: some(2),
				Unite: "points", Seuil: some(1), Verdict: "hausse", Lecture: "défavorable", Motif: "seuil : plus petite évolution qui se commente"},
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Depuis: 2015, Code: "QP974001", Reference: "commune-2018", ReferenceCode: "97411",
				Comparaison: true, Statut: indicators.SansObjet, Motif: "Enquêtes communes.", Garde: "enquetes_communes", Convention: "ops"},
		},
		Rangs: []indicators.Rang{
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Code: "QP974001", Valeur: some(17), Rang: 1, ExAequo: 2, Sur: 3},
			{Key: key("taux_chomage", "qpv-2015", 2016, "T"), Code: "QP974002", Statut: indicators.NonSignificatif, Motif: "fiabilité", Garde: "g", Convention: "ops"},
		},
		EcartsSexe: []indicators.EcartSexe{
			{Key: key("taux_chomage", "qpv-2015", 2016, "F"), Code: "QP974001", Femmes: some(18), Hommes: some(16), Ecart: some(2), Unite: "points", Rapport: some(1.125)},
			{Key: key("taux_chomage", "qpv-2015", 2016, "F"), Code: "QP974002", Femmes: some(18), Statut: indicators.NonDisponible, Motif: "hommes", Convention: "ops"},
		},
		Concentrations: []indicators.Concentration{
			{Key: key("nb", "qpv-2015", 2016, "T"), Reference: "commune-2018", ReferenceCode: "97411", Quartiers: 2, PartQuartiers: some(0.4),
				PartPopulation: some(0.2), MillesimePopulation: 2013, Indice: some(2)},
			{Key: key("nb", "qpv-2015", 2017, "T"), Reference: "commune-2018", ReferenceCode: "97411", Quartiers: 2, Statut: indicators.NonDisponible,
				Motif: "sans population", Convention: "ops"},
		},
		Equipements: []indicators.Equipement{
			{Code: "0001", Nom: "École de l'\"Île\"", Theme: "école", X: 870050.30000000000004, Y: 6270050 + 1.0/3, Source: "équipements.geojson",
				Zones: []indicators.EquipementZone{{Couche: "iris-2016", Code: "130470101"}, {Couche: "qpv-2015", Code: "QP974001"}}},
			{Code: "2A", X: 1e-300, Y: -6270050}, // nameless, in no zone, far away
			{Code: "A1", Theme: "gymnase", X: 870100, Y: 6270100, Zones: []indicators.EquipementZone{{Couche: "iris-2016", Code: "130470103"}}},
		},
		Sources: []indicators.Source{sampleSource, {ID: "z", Unknown: []string{}, Rows: 3, Convention: "ops", Depose: "2016-03-14"}},
		Alertes: []indicators.Alerte{{ID: "couverture/QP974001", Kind: "couverture", Gravite: "attention", Objet: "QP974001", Message: "Couverture de 50 %.", Convention: "ops"}},
		Decisions: []indicators.Decision{
			{Garde: "anomalie", Portee: "couverture/QP974001", Objet: "QP974001", Decision: "accepte", Auteur: "L. Martin", Motif: "vu ; « oui »", Date: "2016-03-15", Empreinte: "0a1b", Convention: "ops"},
			{Garde: "enquetes_communes", Portee: "*", Decision: "leve", Auteur: "comité", Motif: "prudence", Date: "2016-03-16"}},
		Commentaires: []indicators.Commentaire{{Code: "QP974001", Texte: "Une *ligne*.\n\nUne autre.\n", Auteur: "A", Date: "2016-03-15", Relire: "ont changé : nb"}, {Code: "QP974002", Texte: "t"}},
		Calibrations: []indicators.Calibration{
			{Indicateur: "niveau_de_vie_median", Couche: "qpv-2015", Methode: "surface", N: 65, Unite: "%", Moyenne: -52.1, Absolue: 52.1, Mediane: -50, Pire: "QP974001", PireErreur: -99, Rang: 2},
			{Indicateur: "niveau_de_vie_median", Couche: "qpv-2015", Millesime: 2019, Sexe: "F", Methode: "surface", N: 1, Unite: "points", Mediane: 1e-300, PireErreur: -0.5}},
	}
	for i := range e.Layers {
		for j := range e.Layers[i].Zones {
			if z := &e.Layers[i].Zones[j]; z.Geom != nil {
				z.Box = geo.Box(z.Geom)
			}
		}
	}
	return e
}

func testRoundTrip(t *testing.T, s Store) {
	ctx := context.Background()
	for _, e := range []*indicators.Edition{sampleEdition("e1"), {ID: "vide"}} {
		if err := s.PutEdition(ctx, e); err != nil {
			t.Fatal(err)
		}
		got, err := s.Edition(ctx, e.ID)
		if diff := cmp.Diff(e, got); err != nil || diff != "" {
			t.Errorf("edition %s: %v (-want +got)\n%s", e.ID, err, diff)
		}
	}
}

// A layer comes back alone, whole or around some boxes, with the places of its zones.
func testZones(t *testing.T, s Store) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(1, 2))
	layer := geo.ZoneSet{Layer: "carreau200-2017", Title: "Carreaux", EPSG: 2154, Source: "grille"}
	for i := range 4000 { // an R-tree of several levels
		x, y, w := 870_000+r.Float64()*1e5, 6_270_000+r.Float64()*1e5, 1+r.Float64()*2000
		z := geo.Zone{Code: fmt.Sprintf("%05d", i), Name: "carré", Members: []string{"13047", "13063"}}
		if i%100 != 7 {
			z.Geom = orb.MultiPolygon{{{{x, y}, {x + w, y}, {x + w, y + w}, {x, y + w}, {x, y}}}}
			z.Box = geo.Box(z.Geom)
		}
		layer.Zones = append(layer.Zones, z)
	}
	e := sampleEdition("e1")
	e.Layers = append([]geo.ZoneSet{layer}, e.Layers...)
	if err := s.PutEdition(ctx, e); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(ctx, "e1", "Zoé", "2026-11-01"); err != nil {
		t.Fatal(err)
	}
	outline, err := s.Outline(ctx, "")
	if err != nil || outline.ID != "e1" || outline.Title != e.Title || len(outline.Layers) != len(e.Layers) ||
		outline.Layers[0].Title != "Carreaux" || len(outline.Layers[0].Zones) > 0 || len(outline.Overlaps) != 2 || outline.Overlaps[1].From != "qpv-2015" {
		t.Errorf("outline: %+v, %v", outline, err)
	}
	for _, want := range e.Layers {
		got, at, err := s.Zones(ctx, "", want.Layer, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", want.Layer, diff)
		}
		if len(at) != len(want.Zones) || len(at) > 0 && at[len(at)-1] != len(at)-1 {
			t.Errorf("%s: places %v", want.Layer, at)
		}
	}
	for _, n := range []int{0, 1, 40} {
		near := []orb.Bound{}
		for range n {
			p := orb.Point{870_000 + r.Float64()*1e5, 6_270_000 + r.Float64()*1e5}
			near = append(near, p.Bound().Pad(r.Float64()*3000))
		}
		got, at, err := s.Zones(ctx, "e1", layer.Layer, near)
		if err != nil || len(at) != len(got.Zones) || !slices.IsSorted(at) {
			t.Fatalf("%d boxes: %d zones, places %v, %v", n, len(got.Zones), at, err)
		}
		read := map[int]bool{}
		for i, z := range got.Zones {
			read[at[i]] = true
			if diff := cmp.Diff(layer.Zones[at[i]], z); diff != "" {
				t.Errorf("%d boxes: place %d (-want +got)\n%s", n, at[i], diff)
			}
			if b := z.Geom.Bound().Pad(1); !slices.ContainsFunc(near, b.Intersects) {
				t.Errorf("%d boxes: zone %s is far from them", n, z.Code)
			}
		}
		for i, z := range layer.Zones {
			if z.Geom != nil && slices.ContainsFunc(near, z.Geom.Bound().Intersects) && !read[i] {
				t.Errorf("%d boxes: zone %s is not read", n, z.Code)
			}
		}
	}
	for _, tt := range []struct {
		id    string
		layer geo.Layer
	}{{"e1", "iris-1999"}, {"e2", "iris-2016"}} {
		if _, _, err := s.Zones(ctx, tt.id, tt.layer, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s, %s: %v, want ErrNotFound", tt.id, tt.layer, err)
		}
	}
}

func testEditionRefused(t *testing.T, s Store) {
	ctx := context.Background()
	for _, tt := range []struct {
		name, want string
		change     func(e *indicators.Edition)
	}{
		{"id", "its id may hold", func(e *indicators.Edition) { e.ID = "../x" }},
		{"not a number", "NaN", func(e *indicators.Edition) { e.Values[0].V = math.NaN() }},
		{"infinite", "niveau_de_vie_median iris-2016 130470101 2019 T couverture: +Inf", func(e *indicators.Edition) {
			e.Values[0].Couverture = indicators.Some(math.Inf(1))
		}},
		{"text", "UTF-8", func(e *indicators.Edition) { e.Values[0].Note = "caf\xe9" }},
		{"projection", "EPSG:3857", func(e *indicators.Edition) { e.Layers[1].EPSG = 3857 }},
		{"twin layers", "iris_2016", func(e *indicators.Edition) { e.Layers[0].Layer = "iris_2016" }},
		{"reserved layer", `"serie"`, func(e *indicators.Edition) { e.Layers[0].Layer = "serie" }},
		{"overlap", "a zone the edition does not hold", func(e *indicators.Edition) { e.Overlaps[1].Pairs[1].To = 3 }},
		{"open ring", "not closed", func(e *indicators.Edition) { e.Layers[1].Zones[2].Geom[0][0] = orb.Ring{{1, 1}, {2, 2}, {3, 1}} }},
		{"coordinate", "not a number", func(e *indicators.Edition) { e.Layers[1].Zones[2].Geom[0][0][1][0] = math.NaN() }},
		{"facility place", "a coordinate is not a number", func(e *indicators.Edition) { e.Equipements[0].X = math.Inf(1) }},
		{"facility twice", `facility "2A" is out of order, or there twice`, func(e *indicators.Edition) { e.Equipements[0].Code = "2A" }},
		{"facility zone", "a zone the edition does not hold", func(e *indicators.Edition) { e.Equipements[2].Zones[0].Code = "x" }},
		{"facility nowhere", "no projection", func(e *indicators.Edition) { e.Layers = nil }},
		{"facility layer", `"equipement"`, func(e *indicators.Edition) { e.Layers[0].Layer = "equipement" }},
		{"member", "comma", func(e *indicators.Edition) { e.Layers[0].Zones[0].Members = []string{"1,2"} }},
	} {
		e := sampleEdition("refused")
		tt.change(e)
		if err := s.PutEdition(ctx, e); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if got, err := s.Editions(ctx); err != nil || len(got) != 0 {
		t.Errorf("Editions = %v, %v", got, err)
	}
}

// states words the list of editions.
func states(t *testing.T, s Store) string {
	t.Helper()
	infos, err := s.Editions(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, i := range infos {
		fmt.Fprintf(&b, "%s:%s:%s:%s ", i.ID, i.Etat, i.PublieePar, i.PublieeLe)
	}
	return strings.TrimSpace(b.String())
}

func testPublication(t *testing.T, s Store) {
	ctx := context.Background()
	for _, id := range []string{"a", "b", "c"} {
		if err := s.PutEdition(ctx, sampleEdition(id)); err != nil {
			t.Fatal(err)
		}
	}
	version := "none yet"
	publish := func(id string) func() error {
		return func() error { return s.Publish(ctx, id, "Zoé", "2026-11-0"+string('1'+id[0]-'a')) }
	}
	withdraw := func(want string) func() error {
		return func() error {
			got, err := s.Withdraw(ctx, "Ali", "2026-12-01")
			if got != want {
				t.Errorf("Withdraw = %q, want %q", got, want)
			}
			return err
		}
	}
	if err := s.Publish(ctx, "d", "Zoé", "2026-11-01"); !errors.Is(err, ErrNotFound) {
		t.Errorf("publish an unknown edition: %v", err)
	}
	if err := s.Publish(ctx, "a", "Zoé", "1/11/2026"); err == nil {
		t.Error("a day in another form is taken")
	}
	if _, err := s.Edition(ctx, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("Edition before any publication: %v", err)
	}
	if _, err := s.Edition(ctx, "d"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Edition unknown: %v", err)
	}
	for _, step := range []struct {
		name, want, published string
		do                    func() error
	}{
		{"drafts", "c:brouillon:: b:brouillon:: a:brouillon::", "", func() error { return nil }},
		{"publish a", "a:publiée:Zoé:2026-11-01 c:brouillon:: b:brouillon::", "a", publish("a")},
		{"publish b", "b:publiée:Zoé:2026-11-02 c:brouillon:: a:ancienne:Zoé:2026-11-01", "b", publish("b")},
		{"withdraw b", "a:publiée:Zoé:2026-11-01 c:brouillon:: b:ancienne:Zoé:2026-11-02", "a", withdraw("a")},
		{"publish c", "c:publiée:Zoé:2026-11-03 b:ancienne:Zoé:2026-11-02 a:ancienne:Zoé:2026-11-01", "c", publish("c")},
		{"withdraw c", "a:publiée:Zoé:2026-11-01 c:ancienne:Zoé:2026-11-03 b:ancienne:Zoé:2026-11-02", "a", withdraw("a")},
		{"withdraw a", "c:ancienne:Zoé:2026-11-03 b:ancienne:Zoé:2026-11-02 a:ancienne:Zoé:2026-11-01", "", withdraw("")},
		{"publish b again", "b:publiée:Zoé:2026-11-02 c:ancienne:Zoé:2026-11-03 a:ancienne:Zoé:2026-11-01", "b", publish("b")},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := states(t, s); got != step.want {
			t.Errorf("%s:\n got %s\nwant %s", step.name, got, step.want)
		}
		v, err := s.Version(ctx)
		if err != nil || v == version {
			t.Errorf("%s: version %q stays, %v", step.name, v, err)
		}
		version = v
		e, err := s.Edition(ctx, "")
		if step.published == "" {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: an edition is still published: %v", step.name, err)
			}
		} else if err != nil || e.ID != step.published {
			t.Errorf("%s: published %v, %v", step.name, e, err)
		}
	}
	changed := sampleEdition("b")
	changed.Title = "Autre"
	if err := s.PutEdition(ctx, changed); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Edition(ctx, "b"); err != nil || e.Title == "Autre" {
		t.Errorf("a published edition has changed: %v", err)
	}
	if err := s.Publish(ctx, "b", "Ali", "2026-12-31"); err != nil || !strings.Contains(states(t, s), "b:publiée:Zoé:2026-11-02") {
		t.Errorf("publish what is published: %v, %s", err, states(t, s))
	}
	if _, err := s.Withdraw(ctx, "Ali", "2026-12-01"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Withdraw(ctx, "Ali", "2026-12-01"); !errors.Is(err, ErrNotFound) {
		t.Errorf("withdraw nothing: %v", err)
	}
}

func testReplacedDraft(t *testing.T, s Store) {
	ctx := context.Background()
	for _, title := range []string{"premier", "second"} {
		e := sampleEdition("a")
		e.Title = title
		if err := errors.Join(s.PutEdition(ctx, e), s.PutEdition(ctx, sampleEdition("b"))); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := s.Edition(ctx, "a"); err != nil || e.Title != "second" || len(e.Values) != 5 {
		t.Errorf("draft not replaced: %v", err)
	}
	if got, want := states(t, s), "b:brouillon:: a:brouillon::"; got != want {
		t.Errorf("editions %s, want %s", got, want)
	}
}

func testCancelled(t *testing.T, s Store) {
	ctx := context.Background()
	if err := errors.Join(s.PutEdition(ctx, sampleEdition("a")), s.Publish(ctx, "a", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithCancel(ctx)
	// The run is stopped while the source is being read.
	err := s.PutSource(stopped, sampleSource, sampleWide(t, nil), func() (indicators.Source, error) { cancel(); return sampleSource, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("PutSource of a stopped run: %v", err)
	}
	if err := s.PutEdition(stopped, sampleEdition("b")); err == nil {
		t.Error("a stopped run keeps its edition")
	}
	if err := s.Publish(stopped, "b", "Zoé", "2026-11-01"); err == nil {
		t.Error("a stopped run publishes")
	}
	if got, err := s.Sources(ctx); err != nil || len(got) > 0 {
		t.Errorf("Sources = %v, %v", got, err)
	}
	if got, want := states(t, s), "a:publiée:Zoé:2026-11-01"; got != want {
		t.Errorf("editions %s, want %s", got, want)
	}
}

func testReadWhilePublishing(t *testing.T, s Store) {
	ctx := context.Background()
	for _, id := range []string{"a", "b"} {
		if err := s.PutEdition(ctx, sampleEdition(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Publish(ctx, "a", "Zoé", "2026-11-01"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		for i := range 20 {
			if err := s.Publish(ctx, string("ab"[(i+1)%2]), "Zoé", "2026-11-01"); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := 0; ; n++ {
		select {
		case err := <-done:
			if err != nil || n == 0 {
				t.Errorf("%d reads, %v", n, err)
			}
			return
		default:
		}
		e, err := s.Edition(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sampleEdition(e.ID), e); diff != "" {
			t.Fatalf("an edition read while another was published: %s", diff)
		}
		if _, err := s.Version(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
