package tiles

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"observatoire/indicators"
)

// A drawing2D is an SVG picture being written, in pixels, y down. Its classes are those of the portraits' style sheet.
type drawing2D struct {
	width, height int
	title         string
	b             strings.Builder
	marks         []mark // the same, for other papers than a page of the web
}

// A mark is a path, a disc where it has a radius, or a text.
type mark struct {
	class, path, text string
	at                orb.Point
	radius            float64
}

func (d *drawing2D) path(class, path string) {
	if path != "" {
		d.marks = append(d.marks, mark{class: class, path: path})
		fmt.Fprintf(&d.b, `<path class="%s" d="%s"/>`, class, path)
	}
}

func (d *drawing2D) dot(class string, at orb.Point, radius float64) {
	d.marks = append(d.marks, mark{class: class, at: at, radius: radius})
	fmt.Fprintf(&d.b, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`, class, px(at[0]), px(at[1]), px(radius))
}

func (d *drawing2D) ring(class string, at orb.Point, radius float64) { d.dot(class, at, radius) }

func (d *drawing2D) text(class string, x, y float64, text string) {
	d.marks = append(d.marks, mark{class: class, text: text, at: orb.Point{x, y}})
	fmt.Fprintf(&d.b, `<text class="%s" x="%s" y="%s">%s</text>`, class, px(x), px(y), html.EscapeString(text))
}

// badge is a number in a disc.
func (d *drawing2D) badge(at orb.Point, text string) {
	d.dot("pastille", at, 9)
	d.text("numero", at[0], at[1]+4, text)
}

// name writes the name of a zone at its middle, where there is room; it keeps clear of a mark.
func (d *drawing2D) name(at orb.Point, text string, strong bool, mark orb.Point, taken *[]orb.Bound) {
	w := 5.4 * float64(len([]rune(text)))
	x := min(max(at[0], w/2+3), float64(d.width)-w/2-3)
	for _, dy := range []float64{3, -12, 18, -24, 30} {
		y := at[1] + dy
		box := orb.Bound{Min: orb.Point{x - w/2, y - 10}, Max: orb.Point{x + w/2, y + 3}}
		markBox := orb.Bound{Min: orb.Point{mark[0] - 10, mark[1] - 10}, Max: orb.Point{mark[0] + 10, mark[1] + 10}}
		if y < 10 || y > float64(d.height)-4 || box.Intersects(markBox) || slices.ContainsFunc(*taken, box.Intersects) {
			continue
		}
		*taken = append(*taken, box)
		class := "nom"
		if strong {
			class = "nom fort"
		}
		d.text(class, x, y, text)
		return
	}
}

// scale draws a scale bar in the lower left corner.
func (d *drawing2D) scale(view orb.Bound) {
	length, label := scaleLength(view)
	w := length / (view.Max[0] - view.Min[0]) * float64(d.width)
	y := float64(d.height) - 8
	d.path("echelle", fmt.Sprintf("M8 %sV%sH%sV%s", px(y-5), px(y), px(8+w), px(y-5)))
	d.text("echelle", 8+w/2, y-4, label)
}

func (d *drawing2D) svg() template.HTML {
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label="%s">%s</svg>`, d.width, d.height, html.EscapeString(d.title), d.b.String()))
}

// px is a coordinate on a grid of a tenth of a pixel.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// A seriesChart is an indicator over the years, with the nearest reference's.
type seriesChart struct {
	def       *indicators.Definition
	points    []seriesPoint
	refs      []refPoint
	reference string // what the reference is, in French; "" for none
	level     string
	links     [][2]int // years the edition compares: points of others are not joined
	breaks    []int
}

type seriesPoint struct {
	year int
	v    *indicators.Value
}

type refPoint struct {
	year int
	v    float64
}

// draw draws it: full dots for producers' figures, hollow ones for estimates, a bar for the uncertainty, a line between two years the edition
// compares, a vertical dashed line for a break.
func (c seriesChart) draw() *drawing2D {
	const width, height, left, right, top, bottom = 236, 140, 40, 12, 40, 20
	first, last := c.points[0].year, c.points[len(c.points)-1].year
	lo, hi := math.Inf(1), math.Inf(-1)
	take := func(v float64) { lo, hi = min(lo, v), max(hi, v) }
	for _, p := range c.points {
		take(p.v.V)
		if a, b, ok := p.span(); ok {
			take(a)
			take(b)
		}
	}
	for _, p := range c.refs {
		take(p.v)
	}
	if c.def.Unit == "%" && lo < 0.5*hi {
		lo = 0
	}
	ticks := niceTicks(lo, hi)
	lo, hi = min(lo, ticks[0]), max(hi, ticks[len(ticks)-1])
	x := func(year int) float64 {
		if last == first {
			return left + (width-left-right)/2
		}
		return left + float64(year-first)/float64(last-first)*(width-left-right)
	}
	y := func(v float64) float64 { return top + (hi-v)/(hi-lo)*(height-top-bottom) }
	d := &drawing2D{width: width, height: height}
	title, _, _ := strings.Cut(c.def.Label, " (")
	d.title = title + ", de " + strconv.Itoa(first) + " à " + strconv.Itoa(last)
	for i, line := range wrap(c.def.Label+unitSuffix(c.def.Unit), 46) {
		if i < 3 {
			d.text("titre", 2, 9+10.5*float64(i), line)
		}
	}
	places := 0
	if len(ticks) > 1 && ticks[1]-ticks[0] < 1 {
		places = 1
		if ticks[1]-ticks[0] < 0.1 {
			places = 2
		}
	}
	for _, t := range ticks {
		d.path("grille", fmt.Sprintf("M%d %sH%d", left, px(y(t)), width-right))
		d.text("axe v", left-4, y(t)+3, indicators.FrenchNumber(t, places))
	}
	for _, b := range c.breaks {
		if b > first && b <= last {
			at := x(b) - (x(last)-x(first))/float64(max(1, last-first))/2
			d.path("rupture", fmt.Sprintf("M%s %dV%d", px(at), top-4, height-bottom))
		}
	}
	for i, p := range c.refs {
		if i > 0 {
			d.path("reference", fmt.Sprintf("M%s %sL%s %s", px(x(c.refs[i-1].year)), px(y(c.refs[i-1].v)), px(x(p.year)), px(y(p.v))))
		}
		d.dot("reference", orb.Point{x(p.year), y(p.v)}, 1.8)
	}
	for _, l := range c.links {
		var ends []seriesPoint
		for _, p := range c.points {
			if p.year == l[0] || p.year == l[1] {
				ends = append(ends, p)
			}
		}
		if len(ends) == 2 {
			d.path("serie", fmt.Sprintf("M%s %sL%s %s", px(x(ends[0].year)), px(y(ends[0].v.V)), px(x(ends[1].year)), px(y(ends[1].v.V))))
		}
	}
	labelledPoint := len(c.points) - 1 // the last that may be relied on
	for labelledPoint > 0 && c.points[labelledPoint].v.Fiabilite < indicators.Fragile {
		labelledPoint--
	}
	labelled := -100.0
	for i, p := range c.points {
		if a, b, ok := p.span(); ok {
			d.path("marge", fmt.Sprintf("M%s %sV%s", px(x(p.year)), px(y(a)), px(y(b))))
		}
		class := "point"
		switch {
		case p.v.Fiabilite == indicators.Insuffisante:
			class = "point faible"
		case p.v.Nature == indicators.Estimation:
			class = "point estime"
		}
		d.dot(class, orb.Point{x(p.year), y(p.v.V)}, 3)
		if at := x(p.year); i == 0 || i == len(c.points)-1 || at-labelled > 24 && x(last)-at > 24 {
			d.text("axe", min(max(at, left-2), width-right), height-6, strconv.Itoa(p.year))
			labelled = at
		}
		if i == labelledPoint {
			d.text("dernier", min(x(p.year), width-right)-1, y(p.v.V)-6, indicators.FrenchNumber(p.v.V, c.def.Decimals))
		}
	}
	return d
}

// span is the uncertainty of a point: its confidence interval, else the range of the methods of an estimate.
func (p seriesPoint) span() (lo, hi float64, ok bool) {
	switch v := p.v; {
	case v.IC95Bas.OK && v.IC95Haut.OK:
		return v.IC95Bas.V, v.IC95Haut.V, true
	case v.Nature == indicators.Estimation && v.Min.OK && v.Max.OK && v.Min.V < v.Max.V:
		return v.Min.V, v.Max.V, true
	}
	return 0, 0, false
}

func unitSuffix(unit string) string {
	if unit == "" || unit == "ratio" || unit == "indice" {
		return ""
	}
	return ", en\u00a0" + unit
}

// niceTicks are three or four round values around a range.
func niceTicks(lo, hi float64) []float64 {
	if hi <= lo {
		hi = lo + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/2)))
	for _, k := range []float64{5, 2} {
		if step*k <= (hi-lo)/2 {
			step *= k
			break
		}
	}
	var ticks []float64
	for t := math.Floor(lo/step) * step; ; t += step {
		ticks = append(ticks, math.Round(t/step)*step)
		if t >= hi-step*1e-9 {
			return ticks
		}
	}
}

// wrap cuts a text in lines of about n letters.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(strings.ReplaceAll(text, "\u00a0", "\x01")) {
		word = strings.ReplaceAll(word, "\x01", "\u00a0")
		if line != "" && len([]rune(line))+1+len([]rune(word)) > n {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// dumbbell places the figures of women and men on one line: of 0 to 100 for a percentage, else from 0 to the larger.
func dumbbell(def *indicators.Definition, women, men float64) template.HTML {
	top := max(women, men) * 1.05
	if def.Unit == "%" {
		top = 100
		if max(women, men) <= 50 {
			top = 50
		}
	}
	d := drawing2D{width: 120, height: 14, title: "femmes et hommes"}
	x := func(v float64) float64 { return 6 + v/max(top, 1e-9)*108 }
	d.path("grille", "M6 7H114")
	d.path("lien", fmt.Sprintf("M%s 7H%s", px(x(women)), px(x(men))))
	d.dot("femmes", orb.Point{x(women), 7}, 4)
	d.dot("hommes", orb.Point{x(men), 7}, 4)
	return d.svg()
}

// bars are a share of the quarter above that of a reference.
func bars(own float64, other indicators.Opt) template.HTML {
	d := drawing2D{width: 150, height: 18, title: "quartier et référence"}
	d.path("barre", fmt.Sprintf("M0 1H%sV9H0Z", px(own*1.5)))
	if other.OK {
		d.path("barre ref", fmt.Sprintf("M0 10H%sV16H0Z", px(other.V*1.5)))
	}
	return d.svg()
}
