package indicators

import (
	"strings"
	"testing"

	"observatoire/geo"
)

// carriedInput is a territory of communes whose figures of 2015 are met with the communes of 2018: 13010 took 13011 in, 13020
// gave birth to 13021, 13030 changed its code to 13031, and 13040 stayed.
func carriedInput(p Passage, columns ...Column) Input {
	in := territory()
	in.References = []string{"commune"}
	var zones []geo.Zone
	for _, code := range []string{"13010", "13020", "13021", "13031", "13040"} {
		zones = append(zones, geo.Zone{Code: code, Geom: in.Layers[1].Zones[0].Geom})
	}
	in.Layers = []geo.ZoneSet{{Layer: "commune-2018", EPSG: 2154, Zones: zones}}
	in.Overlaps = nil
	in.Columns, _ = Carry(columns, []Passage{p}, in.Definitions)
	return in
}

var passage1518 = Passage{From: "commune-2015", To: "commune-2018", File: "passage.csv", Parts: map[string][]PassagePart{
	"13010": {{"13010", Some(1)}}, "13011": {{"13010", Some(1)}},
	"13020": {{"13020", Opt{}}, {"13021", Opt{}}},
	"13030": {{"13031", Some(1)}},
}}

func TestPassage(t *testing.T) {
	codes := []string{"13010", "13011", "13020", "13030", "13040"}
	before := func(variable string, v ...float64) Column {
		return column("old.csv", "commune", 2015, variable, "T", 2013, codes, v...)
	}
	people := column("rp.csv", "commune", 2018, "population", "T", 2016, []string{"13010", "13020", "13021", "13031", "13040"}, 1, 900, 300, 1, 1)
	in := carriedInput(passage1518, before("num", 10, 5, 40, 7, 8), before("den", 100, 50, 400, 70, 80), before("d5", 1, 2, 3, 4, 5), people)
	r := compute(t, in)
	tests := []struct {
		indicateur, code string
		want             float64
		statut           Statut
		nature           Nature
		methode          string
		fiabilite        Fiabilite
		note             string
	}{
		{"taux", "13010", 10, Disponible, Estimation, MethodePassage, Bonne, "géographie commune-2015, par passage.csv : 13010 + 13011"},
		{"taux", "13020", 10, Disponible, Estimation, MethodePassage, Moyenne, "75,0 % de 13020 (population des zones d'arrivée)"},
		{"taux", "13031", 10, Disponible, Producteur, MethodeProducteur, Bonne, "géographie commune-2015 : code 13030"},
		{"taux", "13040", 10, Disponible, Producteur, MethodeProducteur, Bonne, ""},
		{"niveau", "13010", 0, NonDisponible, Producteur, MethodeProducteur, SansFiabilite, "fusion de 13010, 13011 ; ce chiffre n'est pas un effectif"},
		{"niveau", "13021", 0, NonDisponible, Producteur, MethodeProducteur, SansFiabilite, "scission de 13020 ; ce chiffre n'est pas un effectif"},
		{"niveau", "13031", 4, Disponible, Producteur, MethodeProducteur, Bonne, "géographie commune-2015 : code 13030"},
		{"niveau", "13040", 5, Disponible, Producteur, MethodeProducteur, Bonne, ""},
	}
	for _, tt := range tests {
		v, _ := shown(r, tt.indicateur, tt.code, 2013, "T")
		if !near4(v.V, tt.want) || v.Statut != tt.statut || v.Nature != tt.nature || v.Methode != tt.methode || v.Fiabilite != tt.fiabilite ||
			!strings.Contains(v.Note, tt.note) || tt.note == "" && v.Note != "" {
			t.Errorf("%s %s = %+v, want %+v", tt.indicateur, tt.code, v, tt)
		}
	}
}

// Counts carried come back whole, whatever was split and merged.
func TestPassageKeepsTheTotal(t *testing.T) {
	codes := []string{"13010", "13011", "13020", "13030", "13040"}
	people := column("rp.csv", "commune", 2018, "population", "T", 2016, []string{"13010", "13020", "13021", "13031", "13040"}, 1, 917, 283, 1, 1)
	got, alerts := Carry([]Column{column("old.csv", "commune", 2015, "den", "T", 2013, codes, 103, 57, 411, 73, 89), people},
		[]Passage{passage1518}, territory().Definitions)
	sum := 0.0
	for _, v := range got[0].V {
		sum += v
	}
	if !near4(sum, 103+57+411+73+89) || got[0].Vintage != 2018 || got[1].Vintage != 2018 {
		t.Errorf("sum %v, columns %+v", sum, got)
	}
	if len(alerts) != 1 || alerts[0].Gravite != "attention" || !strings.Contains(alerts[0].Message, "1 zone(s) fusionnées, 1 scindées, 0 à qui") {
		t.Errorf("%+v", alerts)
	}
}

func TestPassageRefuses(t *testing.T) {
	at := func(c Column, code string) (float64, Statut, string) {
		for i := range c.Codes {
			if c.Codes[i] == code {
				return c.V[i], c.Statut[i], c.Carried[i]
			}
		}
		return 0, SansObjet, ""
	}
	all := []string{"13010", "13011", "13020"}
	den := column("old.csv", "commune", 2015, "den", "T", 2013, all, 100, 50, 400)
	secret := column("old.csv", "commune", 2015, "den", "T", 2013, all, 100, 0, 400)
	secret.Statut[1] = Secret
	tests := []struct {
		name   string
		column Column
		code   string
		statut Statut
		note   string
	}{
		{"no share and no population", den, "13021", NonDisponible, "scission de 13020 dont aucune part n'est connue"},
		{"a part missing", column("old.csv", "commune", 2015, "den", "T", 2013, []string{"13010"}, 100), "13010", NonDisponible, "il manque 13011"},
		{"a part withheld", secret, "13010", Secret, "13011 y est couverte par le secret statistique"},
	}
	for _, tt := range tests {
		got, _ := Carry([]Column{tt.column}, []Passage{passage1518}, territory().Definitions)
		v, st, note := at(got[0], tt.code)
		if st != tt.statut || v != 0 || !strings.Contains(note, tt.note) {
			t.Errorf("%s: %v, %v, %q", tt.name, v, st, note)
		}
	}
	// The people of 13021 do not tell the share of 13020 where 13050 gave some ground too.
	both := Passage{From: "commune-2015", To: "commune-2018", File: "p.csv", Parts: map[string][]PassagePart{
		"13020": {{"13020", Opt{}}, {"13021", Opt{}}}, "13050": {{"13021", Some(1)}}}}
	people := column("rp.csv", "commune", 2018, "population", "T", 2016, []string{"13020", "13021"}, 900, 300)
	got, _ := Carry([]Column{column("old.csv", "commune", 2015, "den", "T", 2013, []string{"13020", "13050"}, 1, 2), people}, []Passage{both}, territory().Definitions)
	if _, st, note := at(got[0], "13021"); st != NonDisponible || !strings.Contains(note, "aucune part") {
		t.Errorf("two origins: %v %q", st, note)
	}
}

// Codes exchanged between two editions are followed, and a passage and its inverse bring everything back.
func TestPassageOfExchangedCodes(t *testing.T) {
	p := Passage{From: "iris-2013", To: "iris-2016", File: "p.csv", Parts: map[string][]PassagePart{
		"130690101": {{"130690102", Some(1)}}, "130690102": {{"130690101", Some(1)}}}}
	c := column("a.csv", "iris", 2013, "d5", "T", 2013, []string{"130690101", "130690102", "130690103"}, 1, 2, 3)
	got, _ := Carry([]Column{c}, []Passage{p}, territory().Definitions)
	if got[0].V[0] != 2 || got[0].V[1] != 1 || got[0].V[2] != 3 {
		t.Errorf("%v %v", got[0].Codes, got[0].V)
	}
	back, _ := Carry(got, []Passage{p.Before()}, territory().Definitions)
	if back[0].V[0] != 1 || back[0].V[1] != 2 || back[0].V[2] != 3 || back[0].Vintage != 2013 {
		t.Errorf("%v %v", back[0].Codes, back[0].V)
	}
	// What merged is split on the way back, by the people of 2015.
	inverse := passage1518.Before()
	if inverse.From != "commune-2018" || len(inverse.Parts["13010"]) != 2 || inverse.Parts["13010"][0].Share.OK || inverse.Parts["13021"][0] != (PassagePart{"13020", Some(1)}) {
		t.Errorf("%+v", inverse.Parts)
	}
}

// A quarter is compared to the composition in force: never to one that came later, or that is no more, without saying so.
func TestCompositionInForce(t *testing.T) {
	kit := func(mil int) Column {
		return column("kit.csv", "qpv", 2015, "taux", "T", mil, []string{"QP013061"}, 30)
	}
	epci := func(code string, vintage, mil int) Column {
		return column("old.csv", "epci", vintage, "taux", "T", mil, []string{code}, 20)
	}
	san := geo.ZoneSet{Layer: "epci-2015", Zones: []geo.Zone{{Code: "241300177", Name: "SAN Ouest Provence", Members: []string{"13047"}}}}
	towns := func(mil int) Column {
		return column("old.csv", "commune", 2018, "taux", "T", mil, []string{"13047"}, 25)
	}
	in := territory(kit(2014), kit(2015), kit(2017), kit(2018), kit(2020),
		epci("241300177", 2015, 2014), epci("200054807", 2020, 2014), epci("241300177", 2015, 2015), epci("200054807", 2020, 2018),
		epci("200054807", 2020, 2020), towns(2017))
	in.Layers = append(in.Layers, san)
	// Counts by commune make a value for the SAN, of one commune, whatever the year.
	for _, mil := range []int{2017, 2018, 2020} {
		in.Columns = append(in.Columns, column("old.csv", "commune", 2018, "num", "T", mil, []string{"13047"}, 10),
			column("old.csv", "commune", 2018, "den", "T", mil, []string{"13047"}, 100))
	}
	r := compute(t, in)
	tests := []struct {
		year   int
		ref    geo.Layer
		statut Statut
		motif  string
	}{
		{2014, "epci-2015", Disponible, ""},
		{2014, "epci-2020", Disponible, ""}, // its producer gives it for 2014, and says so
		{2015, "epci-2015", Disponible, ""},
		{2015, "epci-2020", NonDisponible, "valeur de la référence"},
		{2017, "epci-2015", NonDisponible, "la composition en vigueur en 2017 n'est pas au projet : celles de 2015 (241300177) et de 2020 (200054807) diffèrent"},
		{2018, "epci-2015", NonDisponible, "la composition en vigueur en 2018 n'est pas au projet"},
		{2018, "epci-2020", Disponible, ""},
		{2020, "epci-2015", SansObjet, "composition de 2015 : en 2020, c'est celle de 2020 (200054807) qui est prise"},
		{2020, "epci-2020", Disponible, ""},
	}
	for _, tt := range tests {
		found := false
		for _, e := range r.Ecarts {
			if e.Code == "QP013061" && e.Indicateur == "taux" && e.Millesime == tt.year && e.Reference == tt.ref {
				found = true
				if e.Statut != tt.statut || !strings.HasPrefix(e.Motif, tt.motif) || e.Ecart.OK != (tt.statut == Disponible) {
					t.Errorf("%d, %s: %+v", tt.year, tt.ref, e)
				}
			}
		}
		if !found {
			t.Errorf("%d, %s: no gap", tt.year, tt.ref)
		}
	}
	said := false
	for _, a := range r.Alertes {
		said = said || a.Kind == "composition" && strings.Contains(a.Message, "la composition en vigueur en 2017 et 2018 n'est pas au projet")
	}
	if !said {
		t.Error("no alert on the composition of 2017")
	}
	// Known to hold since 2016, the composition of 2020 is that of 2017 too.
	in.Since = map[geo.Layer]int{"epci-2020": 2016}
	for _, e := range compute(t, in).Ecarts {
		switch {
		case e.Code != "QP013061" || e.Indicateur != "taux" || e.Millesime != 2017:
		case e.Reference == "epci-2015" && (e.Statut != SansObjet || !strings.HasPrefix(e.Motif, "composition de 2015 : en 2017, c'est celle de 2020")),
			e.Reference == "epci-2020" && strings.Contains(e.Motif, "composition"):
			t.Errorf("since 2016: %+v", e)
		}
	}
}
