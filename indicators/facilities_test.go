package indicators

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"observatoire/geo"
)

func square(x, y, side float64) orb.MultiPolygon {
	return orb.MultiPolygon{{{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}}}}
}

func facilitySets() []geo.ZoneSet {
	return []geo.ZoneSet{
		{Layer: "commune-2015", EPSG: 2154, Zones: []geo.Zone{{Code: "A", Geom: square(0, 0, 100)}, {Code: "B", Geom: square(100, 0, 100)}}},
		{Layer: "departement-2015", EPSG: 2154, Zones: []geo.Zone{{Code: "13", Geom: square(-1000, -1000, 3000)}}},
		{Layer: "iris-2016", EPSG: 2154, Zones: []geo.Zone{{Code: "A1", Geom: square(0, 0, 50)}, {Code: "B1", Geom: square(100, 0, 100)}}},
		{Layer: "qpv-2015", EPSG: 2154, Zones: []geo.Zone{{Code: "Q", Name: "Le Q", Geom: square(40, 40, 20)}, {Code: "R"}}},
		{Layer: "quartier_vecu_100m-2015", EPSG: 2154, Zones: []geo.Zone{{Code: "Q", Geom: square(40, 40, 120)}, {Code: "R", Geom: square(90, 90, 200)}}},
	}
}

func TestEquipementPlacer(t *testing.T) {
	p := NewEquipementPlacer(facilitySets(), []string{"qpv", "quartier_vecu_100m"}, []string{"A"})
	all := NewEquipementPlacer(facilitySets(), []string{"qpv"}, nil)
	for _, tt := range []struct {
		name      string
		x, y      float64
		want      []EquipementZone
		in, inAll bool
	}{
		{"in the quarter, its IRIS and its surroundings", 45, 45, []EquipementZone{{"commune-2015", "A"}, {"iris-2016", "A1"},
			{"qpv-2015", "Q"}, {"quartier_vecu_100m-2015", "Q"}}, true, true},
		{"commune alone", 10, 90, []EquipementZone{{"commune-2015", "A"}}, true, true},
		{"another commune, out of scope", 150, 10, []EquipementZone{{"commune-2015", "B"}, {"iris-2016", "B1"}}, false, true},
		{"another commune, in the surroundings of the quarter", 150, 50, []EquipementZone{{"commune-2015", "B"}, {"iris-2016", "B1"},
			{"quartier_vecu_100m-2015", "Q"}}, true, true},
		{"two surroundings, no commune", 120, 120, []EquipementZone{{"quartier_vecu_100m-2015", "Q"}, {"quartier_vecu_100m-2015", "R"}}, true, false},
		{"between two communes, in one only", 100, 20, []EquipementZone{{"commune-2015", "B"}, {"iris-2016", "B1"}}, false, true},
		{"département alone", -500, -500, nil, false, false},
	} {
		zones, in := p.Zones(tt.x, tt.y)
		if diff := cmp.Diff(tt.want, zones); diff != "" || in != tt.in {
			t.Errorf("%s: inside %v, want %v (-want +got)\n%s", tt.name, in, tt.in, diff)
		}
		if _, in := all.Zones(tt.x, tt.y); in != tt.inAll {
			t.Errorf("%s: inside %v of all the communes, want %v", tt.name, in, tt.inAll)
		}
	}
}

func TestCountEquipements(t *testing.T) {
	e := &Edition{Layers: facilitySets(), Equipements: []Equipement{
		{Code: "1", Nom: "École, « A »", Theme: "école", X: 45, Y: 45.5, Source: "e.csv",
			Zones: []EquipementZone{{"commune-2015", "A"}, {"qpv-2015", "Q"}}},
		{Code: "2", Theme: "gymnase", X: 45, Y: 46, Source: "e.csv", Zones: []EquipementZone{{"commune-2015", "A"}, {"qpv-2015", "Q"}}},
		{Code: "3", Theme: "école", X: 5, Y: 6, Source: "e.csv", Zones: []EquipementZone{{"commune-2015", "A"}}},
	}}
	for _, tt := range []struct {
		name          string
		filter        EquipementFilter
		counts, found string
	}{
		{"all", EquipementFilter{}, "commune-2015,A,A,gymnase,1\r\ncommune-2015,A,A,école,2\r\nqpv-2015,Q,Le Q,gymnase,1\r\nqpv-2015,Q,Le Q,école,1\r\n", "123"},
		{"zone", EquipementFilter{Codes: []string{"Q"}}, "qpv-2015,Q,Le Q,gymnase,1\r\nqpv-2015,Q,Le Q,école,1\r\n", "12"},
		{"layer and theme", EquipementFilter{Couches: []geo.Layer{"commune-2015"}, Themes: []string{"école"}}, "commune-2015,A,A,école,2\r\n", "13"},
		{"a layer and the zone of another", EquipementFilter{Couches: []geo.Layer{"commune-2015"}, Codes: []string{"Q"}}, "", ""},
	} {
		var b bytes.Buffer
		if err := WriteEquipementCountsCSV(&b, CountEquipements(e, tt.filter)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("couche,code,nom,theme,equipements\r\n"+tt.counts, b.String()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
		found := ""
		for _, q := range SelectEquipements(e, tt.filter) {
			found += q.Code
		}
		if found != tt.found {
			t.Errorf("%s: facilities %q, want %q", tt.name, found, tt.found)
		}
	}
	var b bytes.Buffer
	if err := WriteEquipementsCSV(&b, e, e.Equipements[:1]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("code,nom,theme,x,y,epsg,zones,source\r\n1,\"École, « A »\",école,45,45.5,2154,commune-2015:A qpv-2015:Q,e.csv\r\n", b.String()); diff != "" {
		t.Errorf("list (-want +got)\n%s", diff)
	}
}
