package tiles

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"slices"

	"observatoire/geo"
	"observatoire/indicators"
)

// handleCalibration lists how far each method is from the producers.
func (s *Server) handleCalibration(format string) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published, q query) error {
		f, err := p.filter(q)
		if err != nil {
			return err
		}
		list := []indicators.Calibration{}
		for _, c := range p.edition.Calibrations {
			if f.keep(indicators.Key{Indicateur: c.Indicateur, Couche: c.Couche, Millesime: c.Millesime, Sexe: c.Sexe}, "") {
				list = append(list, c)
			}
		}
		switch format {
		case ".csv":
			return sendFile(w, "calibration.csv", typeCSV, func(b *bytes.Buffer) error {
				return indicators.WriteCalibrationCSV(b, p.edition, list)
			})
		case ".parquet":
			return sendFile(w, "calibration.parquet", typeParquet, func(b *bytes.Buffer) error {
				return WriteCalibrationParquet(b, p.edition, list)
			})
		case ".xlsx":
			return s.sendWorkbook(w, r, "calibration.xlsx", p.edition, WorkbookOptions{Sheets: []string{SheetCalibration, SheetSources}, Calibrations: list})
		}
		from, to := q.window(len(list))
		return s.writeRows(w, r, p, q, "calibration", indicators.CalibrationRows(p.edition, list[from:to]), from, to, len(list))
	}
}

func (b *book) calibration(s *sheet, o WorkbookOptions) error {
	if err := s.header(head{"Indicateur", 26}, head{"Couche", 16}, head{"Millésime", 11}, head{"Sexe", 8}, head{"Méthode", 22},
		head{"Comparaisons", 13}, head{"Unité de l'écart", 12}, head{"Écart moyen", 12}, head{"Écart absolu moyen", 12}, head{"Écart médian", 12},
		head{"Zone la plus éloignée", 14}, head{"Nom", 28}, head{"Son écart", 12}, head{"Rang de la méthode", 11}); err != nil {
		return err
	}
	for _, c := range o.Calibrations {
		var cells [4]any
		for i, v := range []float64{c.Moyenne, c.Absolue, c.Mediane, c.PireErreur} {
			cell, err := s.number(indicators.Some(v), "0.0")
			if err != nil {
				return err
			}
			cells[i] = cell
		}
		var year, rank any
		if c.Millesime > 0 {
			year = c.Millesime
		}
		if c.Rang > 0 {
			rank = c.Rang
		}
		if err := s.row(c.Indicateur, string(c.Couche), year, c.Sexe, methodeFR(c.Methode), c.N, c.Unite, cells[0], cells[1], cells[2],
			c.Pire, b.names.Zone(c.Couche, c.Pire), cells[3], rank); err != nil {
			return err
		}
	}
	return nil
}

// A calibrationView is the page that shows how far methods are from the producers.
type calibrationView struct {
	CSS         template.CSS
	Title       string
	Edition     string
	Indicateurs []option
	Label       string
	Unit        string // of the errors
	Groups      []calibrationGroup
	Id          string
}

// A calibrationGroup is one layer's part of the page.
type calibrationGroup struct {
	Layer  string
	Title  string
	Height float64
	Zero   float64 // abscissa of no error
	Bars   []calibrationBar
}

// A calibrationBar is a method: its mean signed error, drawn from zero, and its row in the table.
type calibrationBar struct {
	Y, X, W, Text                          float64
	Anchor                                 string
	Methode, N, Moyenne, Absolue, Mediane  string
	Pire, PireNom, PireErreur, Rang, Class string
}

const (
	barsWidth = 400.0 // pixels between the largest errors drawn
	barsLeft  = 275.0
)

func (s *Server) handleCalibrationPage(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	ids, err := q.indicateurs(p, "indicateur")
	if err != nil {
		return err
	}
	if len(ids) > 1 {
		return badRequest("indicateur", "La page montre un indicateur à la fois.")
	}
	id := ""
	if len(ids) == 1 {
		id = ids[0]
	}
	view := p.calibration(id)
	view.Title = cmp.Or(s.o.Title, view.Title)
	var buf bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&buf, "calibration", view); err != nil {
		return fmt.Errorf("page of the calibration: %w", err)
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	return send(w, "text/html; charset=utf-8", buf.Bytes())
}

// calibration is the page for one indicator; the first that was compared when none is asked for.
func (p *published) calibration(id string) *calibrationView {
	e := p.edition
	v := &calibrationView{CSS: template.CSS(pageCSS), Title: e.Title, Edition: e.ID}
	compared := map[string]bool{}
	for _, c := range e.Calibrations {
		compared[c.Indicateur] = true
	}
	for _, d := range e.Indicators {
		if compared[d.ID] || d.ID == id {
			id = cmp.Or(id, d.ID)
			v.Indicateurs = append(v.Indicateurs, option{d.ID, d.Label, d.ID == id})
			if d.ID == id {
				v.Id, v.Label = d.ID, d.Label
			}
		}
	}
	byLayer := map[geo.Layer][]indicators.Calibration{}
	var layers []geo.Layer
	most := 0.0
	for _, c := range e.Calibrations {
		if c.Indicateur != id || c.Millesime != 0 {
			continue
		}
		if byLayer[c.Couche] == nil {
			layers = append(layers, c.Couche)
		}
		byLayer[c.Couche] = append(byLayer[c.Couche], c)
		most = max(most, math.Abs(c.Moyenne), c.Absolue)
		v.Unit = c.Unite
	}
	slices.SortStableFunc(layers, func(a, b geo.Layer) int { // the quarters first: it is for them that a method is chosen
		rank := func(l geo.Layer) int {
			if isQuarter(l.Level()) {
				return 0
			}
			return 1
		}
		return cmp.Compare(rank(a), rank(b))
	})
	if most == 0 {
		most = 1
	}
	for _, l := range layers {
		list := byLayer[l]
		slices.SortStableFunc(list, func(a, b indicators.Calibration) int { return cmp.Compare(a.Absolue, b.Absolue) })
		g := calibrationGroup{Layer: string(l), Title: string(l), Height: float64(len(list))*30 + 10, Zero: barsLeft + barsWidth/2}
		if x := p.byName[l]; x != nil {
			g.Title = x.title()
		}
		for i, c := range list {
			end := g.Zero + c.Moyenne/most*barsWidth/2
			bar := calibrationBar{Y: float64(i)*30 + 8, X: round2(min(g.Zero, end)), W: round2(math.Abs(end - g.Zero)), Text: round2(end + 6), Anchor: "start",
				Methode: methodeFR(c.Methode), N: fmt.Sprint(c.N), Moyenne: indicators.FrenchSigned(c.Moyenne, 1), Absolue: indicators.FrenchNumber(c.Absolue, 1),
				Mediane: indicators.FrenchSigned(c.Mediane, 1), Pire: c.Pire, PireNom: p.names.Zone(l, c.Pire), PireErreur: indicators.FrenchSigned(c.PireErreur, 1)}
			if c.Moyenne < 0 {
				bar.Text, bar.Anchor = round2(end-6), "end"
			}
			if c.Rang > 0 {
				bar.Rang = fmt.Sprint(c.Rang)
			}
			g.Bars = append(g.Bars, bar)
		}
		v.Groups = append(v.Groups, g)
	}
	return v
}

func round2(v float64) float64 { return math.Round(100*v) / 100 }
