package tiles

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"observatoire/indicators"
)

// A printed map is one well-formed drawing with all that a map has to say of itself, whatever its names hold.
func TestWriteMap(t *testing.T) {
	e := sample(4)
	e.Indicators[1].Label = "Part <des> bénéficiaires & ayants droit (parmi les assurés)"
	e.Equipements = []indicators.Equipement{{Code: "1", Nom: "École <A>", Theme: "école", X: 861900, Y: 6272350, Source: "eq.geojson"}, {Code: "2", Theme: "crèche", X: 862100, Y: 6272400, Source: "eq.geojson"}}
	s := snapshot(t, e)
	for name, want := range map[string][]string{
		"part_cmuc":   {"Part &lt;des&gt; bénéficiaires &amp; ayants droit", "IRIS, géographie au 01/01/2016 ; millésime 2014 ; ensemble", "secret statistique", "Le Prépaou", "Cnam", ">N<", " m<", "Contours schématiques"},
		MapGeography:  {"Évolution de la géographie prioritaire", "un millésime de la géographie", "Les Échoppes", "IGN"},
		MapWatch:      {"Quartiers de veille active, par commune", ">Istres<", ">Les Échoppes<", `class="numero"`},
		MapFacilities: {"École &lt;A&gt; (école)", "École : 1", "Crèche : 1", "eq.geojson", "2 équipements"},
	} {
		var b, again, large strings.Builder
		if err := s.WriteMap(&b, name, SheetOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, text := range append(want, "ed-test") {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s: no %q", name, text)
			}
		}
		if err := s.WriteMap(&again, name, SheetOptions{}); err != nil || again.String() != b.String() {
			t.Errorf("%s: not the same drawing twice (%v)", name, err)
		}
		if err := s.WriteMap(&large, name, SheetOptions{A3: true}); err != nil || !strings.Contains(large.String(), `width="420mm" height="297mm"`) {
			t.Errorf("%s: A3: %v", name, err)
		}
	}
	// Each zone in view has the colour of its class: those of the legend, and no other.
	var b strings.Builder
	if err := s.WriteMap(&b, "part_cmuc", SheetOptions{Quarter: "QP013061"}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), `class="zone `); n < 6 || n > 24 {
		t.Errorf("%d zones and classes around one quarter", n)
	}
	for name, o := range map[string]SheetOptions{"part_cmuc": {Millesime: "1999"}, "population": {Sexe: "F"}} {
		if err := s.WriteMap(io.Discard, name, o); err == nil || !strings.Contains(err.Error(), "no figure") {
			t.Errorf("%s %+v: %v", name, o, err)
		}
	}
	e.Equipements = nil
	if err := snapshot(t, e).WriteMap(io.Discard, MapFacilities, SheetOptions{}); err == nil {
		t.Error("a map of no facility")
	}
}
