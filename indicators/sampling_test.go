package indicators

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"observatoire/geo"
)

// A territory of two IRIS of a large commune and one of a small one; the quarter takes half of the first and the whole second.
func sampled(t *testing.T, columns []Column, def Definition) map[string]Value {
	t.Helper()
	column := func(level, variable string, codes []string, v ...float64) Column {
		return Column{Source: "s", Level: level, Vintage: 2020, Variable: variable, Sexe: "T", Millesime: 2018, Codes: codes, V: v, Statut: make([]Statut, len(v)), Header: level + variable}
	}
	columns = append(columns, column("commune", "population", []string{"13047", "13044"}, 43000, 4000), column("iris", "population", []string{"130470101", "130470102", "130440000"}, 2000, 1000, 4000))
	layers := []geo.ZoneSet{
		{Layer: "commune-2020", Zones: []geo.Zone{{Code: "13044"}, {Code: "13047"}}},
		{Layer: "iris-2020", Zones: []geo.Zone{{Code: "130440000", Type: "Z"}, {Code: "130470101"}, {Code: "130470102"}}},
		{Layer: "qpv-2015", Zones: []geo.Zone{{Code: "QP013061", Commune: "13047"}}}}
	r, err := Compute(Input{Layers: layers, Columns: columns, Sources: []Source{{ID: "s"}}, Definitions: []Definition{def}, Studied: []string{"qpv"},
		References: []string{"commune"}, Overlaps: []OverlapSet{{From: "qpv-2015", To: "iris-2020", Pairs: []geo.Overlap{
			{From: 0, To: 1, ShareFrom: 0.5, ShareTo: 0.5}, {From: 0, To: 2, ShareFrom: 0.5, ShareTo: 1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Value{}
	for _, v := range r.Values {
		out[v.Code+" "+v.Methode] = v
	}
	return out
}

func census2018(variable string, v ...float64) Column {
	return Column{Source: "s", Level: "iris", Vintage: 2020, Variable: variable, Sexe: "T", Millesime: 2018, Census: true, Header: variable,
		Codes: []string{"130440000", "130470101", "130470102"}, V: v, Statut: make([]Statut, len(v))}
}

func TestSampling(t *testing.T) {
	persons := Definition{ID: "n", Unit: "personnes", Rule: Somme, Value: "n"}
	share := Definition{ID: "p", Unit: "%", Rule: Ratio, Numerator: []string{"a"}, Denominator: []string{"n"}, Scale: 100}
	published := Definition{ID: "q", Unit: "%", Rule: Ratio, Value: "q", Base: &Base{Variable: "population", Part: 0.5}}
	counts := sampled(t, []Column{census2018("n", 3000, 1000, 500)}, persons)
	shares := sampled(t, []Column{census2018("n", 3000, 1000, 500), census2018("a", 300, 200, 0)}, share)
	alone := sampled(t, []Column{census2018("q", 20, 20, 100)}, published)
	own := published
	own.Base = &Base{Own: "m", Variable: "population", Part: 0.5}
	counted := sampled(t, []Column{census2018("q", 20, 20, 100), census2018("m", 2000, 250, 100)}, own)
	wholly := sampled(t, []Column{census2018("q", 0, 20, 100)}, published)
	nobody := func(n float64) float64 { q := 2 / (n + 4); return 196 * math.Sqrt(q*(1-q)/n) }
	complementary := census2018("n", 3000, 1000, 500)
	complementary.Exploitation = "complementaire"
	drawn := sampled(t, []Column{complementary}, persons)
	before := census2018("n", 3000, 1000, 500)
	before.Millesime = 1999
	exhaustive := sampled(t, []Column{before}, persons)
	register := census2018("n", 3000, 1000, 500)
	register.Census = false
	households := persons
	households.Unit = "ménages"
	homes := sampled(t, []Column{census2018("n", 3000, 1000, 500)}, households)
	most := func(v Value, half float64) float64 { // a percentage ends at 100
		if v.Indicateur == "n" {
			return v.V + half
		}
		return min(100, v.V+half)
	}
	tests := []struct {
		name string
		v    Value
		half float64 // 0: no interval
		f    Fiabilite
		note string
	}{
		{"a count", counts["130470101 producteur"], 1.96 * math.Sqrt(3.3*1000), Moyenne, ""},
		{"of households", homes["130470101 producteur"], 1.96 * math.Sqrt(1.5*1000), Bonne, ""},
		{"of a small commune", counts["130440000 producteur"], 0, Bonne, exhaustif},
		{"by surface", counts["QP013061 surface"], 1.96 * math.Sqrt(0.25*3300+1650), Insuffisante, "table de travail"},
		{"complementary, small commune", drawn["130440000 producteur"], 1.96 * math.Sqrt(2.2*3*3000), Bonne, ""},
		{"before the rotating census", exhaustive["130470101 producteur"], 0, Bonne, exhaustif},
		{"not of the census", sampled(t, []Column{register}, persons)["130470101 producteur"], 0, Bonne, ""},
		{"a ratio", shares["130470101 producteur"], 1.96 * math.Sqrt(3.3*20*80/1000), Moyenne, ""},
		// nobody of 500, as of n = 500/3.3 drawn: q = 2/(n + 4), e = 100·√(q·(1 − q)/n)
		{"nobody", shares["130470102 producteur"], nobody(500 / 3.3), Fragile, ""},
		// p = 100/1000; Σw²k·num = 0.25·3.3·200, Σw²k·den = 3.3·(250 + 500)
		{"a ratio by surface", shares["QP013061 surface"], 1.96 * 100 / 1000 * math.Sqrt(165*0.8+0.01*2475), Moyenne, ""},
		{"a published share", alone["130470101 producteur"], 1.96 * math.Sqrt(3.3*20*80/1000), Moyenne, ""},
		{"everybody", alone["130470102 producteur"], nobody(500 / 3.3), Bonne, ""},
		// the plain mean of 20 and 100 keeps its interval
		{"a mean with everybody in it", alone["QP013061 iris_moyenne"], math.Sqrt(math.Pow(1.96*math.Sqrt(3.3*20*80/1000), 2)+math.Pow(nobody(500/3.3), 2)) / 2, Moyenne, ""},
		{"of those a source counts", counted["130470101 producteur"], 1.96 * math.Sqrt(3.3*20*80/250), Fragile, ""},
		{"everybody of a small commune", wholly["130440000 producteur"], 0, Bonne, exhaustif},
	}
	for _, tt := range tests {
		if tt.half == 0 {
			if tt.v.IC95Bas.OK || !strings.Contains(tt.v.Note, tt.note) || tt.note == "" && tt.v.Note != "" {
				t.Errorf("%s: [%v, %v], note %q", tt.name, tt.v.IC95Bas, tt.v.IC95Haut, tt.v.Note)
			}
		} else if lo, hi := max(0, tt.v.V-tt.half), most(tt.v, tt.half); math.Abs(tt.v.IC95Bas.V-lo) > 1e-9 || math.Abs(tt.v.IC95Haut.V-hi) > 1e-9 || !strings.Contains(tt.v.Note, tt.note) {
			t.Errorf("%s: %v in [%v, %v], want [%v, %v], note %q", tt.name, tt.v.V, tt.v.IC95Bas, tt.v.IC95Haut, lo, hi, tt.v.Note)
		}
		if tt.v.Fiabilite != tt.f {
			t.Errorf("%s: reliability %v, want %v", tt.name, tt.v.Fiabilite, tt.f)
		}
	}
	if v := counts["13047 agregation"]; math.Abs(v.IC95Haut.V-1500-1.96*math.Sqrt(3.3*1500)) > 1e-9 {
		t.Errorf("a commune from its IRIS: %+v", v)
	}
}

// Bounds stay where the figure can be, and reliability falls with the margin.
func TestSamplingBounds(t *testing.T) {
	tests := []struct {
		unit    string
		v, half float64
		lo, hi  float64
		fiable  Fiabilite
	}{
		{"personnes", 1000, 90, 910, 1090, Bonne},
		{"personnes", 1000, 110, 890, 1110, Moyenne},
		{"personnes", 1000, 260, 740, 1260, Fragile},
		{"personnes", 10, 12, 0, 22, Insuffisante},
		{"%", 98, 4, 94, 100, Bonne},
		{"%", 3, 4, 0, 7, Fragile}, // within five points
		{"%", 10, 6, 4, 16, Insuffisante},
	}
	for _, tt := range tests {
		v := Value{V: tt.v, Fiabilite: Bonne}
		v.interval(&Definition{Unit: tt.unit}, tt.half*tt.half/1.96/1.96, "")
		if math.Abs(v.IC95Bas.V-tt.lo) > 1e-9 || math.Abs(v.IC95Haut.V-tt.hi) > 1e-9 || v.Fiabilite != tt.fiable {
			t.Errorf("%v ± %v %s: %v to %v, %v", tt.v, tt.half, tt.unit, v.IC95Bas, v.IC95Haut, v.Fiabilite)
		}
	}
	own := Value{V: 10, Fiabilite: Bonne, IC95Bas: Some(9), IC95Haut: Some(11)}
	own.interval(&Definition{Unit: "%"}, 100, "")
	if own.IC95Bas.V != 9 || own.Fiabilite != Bonne {
		t.Errorf("a producer's own interval was replaced: %+v", own)
	}
}

// What the catalogue says a base is of the population is what the census says of the département 13.
func TestRealBases(t *testing.T) {
	rows, col := realTable(t, "iris_stats/ptod_agg_iris_13_rp2011_2016_2022.csv.gz", ';')
	var defs []Definition
	text, err := os.ReadFile("../data/catalogue/indicators.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &defs); err != nil {
		t.Fatal(err)
	}
	number := func(row []string, name string) float64 {
		i, ok := col[name]
		if !ok {
			t.Fatalf("no column %s", name)
		}
		v, err := strconv.ParseFloat(strings.Replace(row[i], ",", ".", 1), 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	sums := map[string]float64{}
	people, households := 0.0, 0.0
	for _, row := range rows {
		at := func(name string) float64 { return number(row, name) / 100 }
		p, homes := number(row, "P22_POP"), number(row, "men_tot_stock_22")
		of := map[string]float64{"population_15_64_ans": p * (at("dm_1524_pct_22") + at("dm_2554_pct_22") + at("dm_5564_pct_22"))}
		of["actifs_occupes_15_64_ans"] = of["population_15_64_ans"] * at("eco_txemp_1564_22")
		of["actifs_15_64_ans"] = of["actifs_occupes_15_64_ans"] / (1 - at("soc_txchom_1564_22"))
		of["actifs_15_24_ans"] = p * at("dm_1524_pct_22") * at("eco_txemp_1524_22") / (1 - at("soc_txchom_1524_22"))
		of["familles"] = homes * (at("men_mono_pct_22") + at("men_coupaenf_pct_22") + at("men_coupsenf_pct_22"))
		// Out of school among those of 15 and more, France 2020 (Insee, FOR T1 and T2): 49 245 375 of 55 228 293.
		of["non_scolarises_15_ans_plus"] = p * (1 - at("dm_0014_pct_22")) * 49_245_375 / (2_506_811 + 5_413_738 + 3_824_541 + 43_483_203)
		if math.IsNaN(p) || math.IsNaN(homes) || p == 0 {
			continue
		}
		people, households = people+p, households+homes
		for name, v := range of {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				sums[name] += v
			}
		}
	}
	sums["actifs_occupes_15_ans_plus"] = sums["actifs_occupes_15_64_ans"] // a little less
	n := 0
	for _, d := range defs {
		if d.Base == nil || d.Base.Own == "" {
			continue
		}
		n++
		whole := people
		if d.Base.Variable == "menages" {
			whole = households
		}
		part := sums[d.Base.Own] / whole
		t.Logf("%-30s %-28s %.4f of %s, written %v", d.ID, d.Base.Own, part, d.Base.Variable, d.Base.Part)
		if math.Abs(part-d.Base.Part) > 0.0051 {
			t.Errorf("%s: %s is %.4f of %s, the catalogue says %v", d.ID, d.Base.Own, part, d.Base.Variable, d.Base.Part)
		}
	}
	if n < 9 {
		t.Errorf("%d bases checked", n)
	}
}
