package tiles

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
)

// A portrait without a browser is two pages of the same bytes, and its document says what the page says.
func TestPortraitDocument(t *testing.T) {
	e := noted()
	long := "Un quartier dont le nom est fort long, « L'Îlot-des-Cigognes-et-des-Marais-Réunis »"
	for i := range e.Layers {
		for k := range e.Layers[i].Zones {
			if z := &e.Layers[i].Zones[k]; z.Code == "QP013062" {
				z.Name = strings.Repeat(long+" ", 4)
			}
		}
	}
	s := snapshot(t, e)
	for _, zone := range s.Portraits() {
		d, err := s.PortraitDocument(zone)
		if err != nil {
			t.Fatal(err)
		}
		var b, again, page bytes.Buffer
		if err := errors.Join(d.WritePDF(&b), d.WritePDF(&again), s.WritePortrait(&page, zone)); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Fatalf("%s: not the same bytes twice (%v)", zone.Code, err)
		}
		if n := len(regexp.MustCompile(`/Type /Page\b`).FindAll(b.Bytes(), -1)); n != 2 {
			t.Errorf("%s: %d pages, want 2", zone.Code, n)
		}
		var words strings.Builder
		for _, x := range d.Blocks {
			words.WriteString(strings.Join(x.List, " "))
			for _, row := range x.Rows {
				words.WriteString(" " + strings.Join(row, " "))
			}
		}
		figures := regexp.MustCompile(`<span data-i=[^>]*>([^<]*)</span>`).FindAllStringSubmatch(page.String(), -1)
		if len(figures) == 0 {
			t.Errorf("%s: no figure on the page", zone.Code)
		}
		for _, m := range figures {
			if !strings.Contains(words.String(), m[1]) {
				t.Errorf("%s: %s is on the page, not in the document", zone.Code, m[1])
			}
		}
		for _, x := range d.Blocks { // every class of a drawing has its ink
			for _, pic := range x.drawings {
				for _, m := range pic.marks {
					if _, ok := inks[m.class]; !ok {
						t.Errorf("%s: no ink for %q", zone.Code, m.class)
					}
				}
			}
		}
	}
}
