package tiles

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"observatoire/indicators"
)

// noted is a territory where a rate of a quarter rose for certain, another moved without conclusion, and a quarter under watch is followed beside another.
func noted() *indicators.Edition {
	e := sample(4)
	e.Indicators[1].Direction = "hausse_defavorable"
	for i := range e.Values {
		if v := &e.Values[i]; v.Code == "VEILLE1" {
			v.Statut, v.V = indicators.Disponible, 20
		}
	}
	key := indicators.Key{Indicateur: "part_cmuc", Couche: "qpv-2015", Millesime: 2014, Sexe: "T"}
	watch := key
	watch.Couche = "veille-2015"
	e.Evolutions = []indicators.Evolution{
		{Key: key, Code: "QP013061", Depuis: 2011, Avant: indicators.Some(17.5), Apres: indicators.Some(18.46), Evolution: indicators.Some(0.96), Unite: "points", Verdict: "hausse", Lecture: "défavorable"},
		{Key: key, Code: "QP013062", Depuis: 2011, Statut: indicators.SansObjet, Garde: "methodes_differentes", Motif: "Ces valeurs ne sont pas de même méthode."},
		{Key: watch, Code: "VEILLE1", Depuis: 2011, Reference: "qpv-2015", ReferenceCode: "QP013061", Comparaison: true, Evolution: indicators.Some(-2), Unite: "points", Verdict: "se réduit"},
	}
	e.Commentaires = []indicators.Commentaire{{Code: "QP013061", Texte: "# Vu\n\nDes **travaux** ont commencé.", Auteur: "M. B.", Date: "2026-03-01"}}
	return e
}

func TestNote(t *testing.T) {
	d, err := snapshot(t, noted()).Note("2026-11-03")
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := d.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(page.String(), "\u00a0", " ")
	for _, want := range []string{
		"<h1>Note de synthèse</h1>", "édition ed-test du 3 novembre 2026", "2 quartiers prioritaires et 1 quartier de veille active", "1 évolution récente est assurée, dont 1 défavorable",
		"soit 6 points de plus que dans la commune (12,45 %)", "Des travaux ont commencé.", "2011–2014", "&#43;1,0 pt", "se réduit", "Ces valeurs ne sont pas de même méthode.", "Contours schématiques",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if draft, err := snapshot(t, noted()).Note(""); err != nil || !strings.Contains(draft.Subtitle, "brouillon") {
		t.Errorf("a draft: %q %v", draft.Subtitle, err)
	}
	if empty, err := snapshot(t, &indicators.Edition{ID: "vide"}).AnnualReport(""); err != nil || len(empty.Blocks) == 0 {
		t.Errorf("an empty edition: %v", err)
	}
}

// The DOCX is well-formed, and its words are those of the page.
func TestDOCX(t *testing.T) {
	d, err := snapshot(t, noted()).AnnualReport("2026-11-03")
	if err != nil {
		t.Fatal(err)
	}
	d.Blocks = append(d.Blocks, Block{Text: `<w:p> & "guillemets"`})
	var b, again bytes.Buffer
	if err := errors.Join(d.WriteDOCX(&b), d.WriteDOCX(&again)); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Fatalf("not the same bytes twice (%v)", err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var words, styles []string
	known := map[string]bool{}
	for _, part := range z.File {
		f, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		in := ""
		for dec := xml.NewDecoder(f); ; {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", part.Name, err)
			}
			switch x := tok.(type) {
			case xml.StartElement:
				in = x.Name.Local
				for _, a := range x.Attr {
					switch {
					case x.Name.Local == "style" && a.Name.Local == "styleId":
						known[a.Value] = true
					case (x.Name.Local == "pStyle" || x.Name.Local == "tblStyle") && a.Name.Local == "val":
						styles = append(styles, a.Value)
					}
				}
			case xml.CharData:
				if part.Name == "word/document.xml" && in == "t" {
					words = append(words, string(x))
				}
			case xml.EndElement:
				in = ""
			}
		}
		f.Close()
	}
	for _, s := range styles {
		if !known[s] {
			t.Errorf("style %s is not defined", s)
		}
	}
	want := []string{d.Title, d.Subtitle}
	for _, x := range d.Blocks {
		for _, text := range append([]string{x.Heading, x.Text}, x.List...) {
			if text != "" {
				want = append(want, text)
			}
		}
		for _, row := range append([][]string{x.Head}, x.Rows...) {
			for _, c := range row {
				if c != "" {
					want = append(want, c)
				}
			}
		}
	}
	if diff := cmp.Diff(append(want, d.Caption), words); diff != "" {
		t.Errorf("the words of the DOCX (-want +got):\n%s", diff)
	}
}
