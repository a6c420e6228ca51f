package tiles

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/paulmach/orb"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// An ink is how a class of the portraits' drawings is drawn on paper: the style sheet's colours, widths in pixels of the drawing.
type ink struct {
	fill, stroke string // RRGGBB; empty: none
	width        float64
	dash         []float64
	size         float64 // of a text
	bold         bool
	align        float64 // of a text: 0 begins, 0.5 is at the middle, 1 ends at its point
}

var inks = map[string]ink{
	"iris": {fill: "fafbfc", stroke: "97a1ac", width: .8}, "iris coupe": {fill: "dce8f2", stroke: "97a1ac", width: .8},
	"vecu": {stroke: "4a1d6b", width: 1.1, dash: []float64{4, 2.5}}, "halo": {stroke: "ffffff", width: 5},
	"quartier": {fill: "d9c6c1", stroke: "c2410c", width: 2.4}, "quartier plein": {fill: "c2410c", stroke: "c2410c", width: 1},
	"equipement": {fill: "14202c", stroke: "ffffff", width: .7}, "pastille": {fill: "ffffff", stroke: "16324f", width: 1.2},
	"numero": {fill: "16324f", size: 11, bold: true, align: .5}, "echelle": {fill: "14202c", stroke: "14202c", width: 1.4, size: 10, align: .5},
	"ailleurs": {fill: "f4f5f6", stroke: "ccd2d8", width: .6}, "autre": {fill: "ffffff", stroke: "8c96a1", width: .8},
	"sienne": {fill: "dce8f2", stroke: "4c5966", width: 1.1}, "repere": {stroke: "c2410c", width: 1.6},
	"nom": {fill: "3a4550", size: 9.5, align: .5}, "nom fort": {fill: "14202c", size: 9.5, bold: true, align: .5},
	"titre": {fill: "1d2733", size: 9.4, bold: true}, "axe": {fill: "55606c", size: 8.8, align: .5}, "axe v": {fill: "55606c", size: 8.8, align: 1},
	"dernier": {fill: "c2410c", size: 10, bold: true, align: 1}, "grille": {stroke: "dfe4e9", width: .8},
	"serie": {stroke: "c2410c", width: 1.8}, "reference": {fill: "7f8b97", stroke: "7f8b97", width: 1.1}, "marge": {stroke: "dd9c80", width: 2.2},
	"point": {fill: "c2410c", stroke: "c2410c", width: 1.2}, "point estime": {fill: "ffffff", stroke: "c2410c", width: 1.2},
	"point faible": {fill: "ffffff", stroke: "c9a79a", width: 1.2}, "rupture": {stroke: "14202c", width: .9, dash: []float64{2.5, 2}},
}

// lines are the points of a path, ring after ring; closed when it fills.
func (m mark) lines() (rings [][]orb.Point, closed bool) {
	var at orb.Point
	rest := m.path
	number := func() float64 {
		rest = strings.TrimLeft(rest, " ")
		n := strings.IndexAny(rest, " MLHVZ")
		if n < 0 {
			n = len(rest)
		}
		v, _ := strconv.ParseFloat(rest[:n], 64) // drawings write their own numbers
		rest = rest[n:]
		return v
	}
	for rest != "" {
		verb := rest[0]
		rest = rest[1:]
		switch verb {
		case 'M', 'L':
			at = orb.Point{number(), number()}
		case 'H':
			at[0] = number()
		case 'V':
			at[1] = number()
		case 'Z':
			closed = true
			continue
		}
		if verb == 'M' {
			rings = append(rings, nil)
		}
		rings[len(rings)-1] = append(rings[len(rings)-1], at)
	}
	return rings, closed
}

// A printer writes a document as PDF pages of A4, without a browser. Lengths are in millimetres.
type printer struct {
	*fpdf.Fpdf
	scale float64 // of texts and spaces: below 1 to hold in the pages asked for
	foot  string
}

const (
	paperWidth, paperHeight = 210.0, 297.0
	paperMargin             = 13.0
	paperRoom               = paperWidth - 2*paperMargin
)

// WritePDF writes the document as a PDF in the Go fonts, without tags for screen readers: a browser's PDF has them. A document that has to
// hold in some pages is written smaller until it does.
func (d *Document) WritePDF(w io.Writer) error {
	var p *printer
	for scale := 1.0; ; scale -= 0.04 {
		p = d.print(scale)
		if err := p.Error(); err != nil {
			return fmt.Errorf("PDF of %s: %w", d.Title, err)
		}
		if d.Pages == 0 || p.PageCount() <= d.Pages || scale < 0.5 {
			break
		}
	}
	return p.Output(w)
}

func (d *Document) print(scale float64) *printer {
	p := &printer{fpdf.New("P", "mm", "A4", ""), scale, d.Title}
	p.SetCatalogSort(true)
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // the same document is the same file
	p.SetCreationDate(epoch)
	p.SetModificationDate(epoch)
	p.SetTitle(d.Title, true)
	p.SetLang("fr-FR")
	p.AddUTF8FontFromBytes("Go", "", goregular.TTF)
	p.AddUTF8FontFromBytes("Go", "B", gobold.TTF)
	p.SetMargins(paperMargin, paperMargin, paperMargin)
	p.SetAutoPageBreak(true, paperMargin)
	p.SetCellMargin(0)
	p.SetFooterFunc(func() {
		p.SetY(-9)
		p.font(7.5, false, "55606c")
		p.CellFormat(paperRoom, 4, latin(p.foot)+" – "+strconv.Itoa(p.PageNo()), "", 0, "R", false, 0, "")
	})
	p.AddPage()
	p.font(20, true, "16324f")
	p.MultiCell(paperRoom, 8.5*scale, latin(d.Title), "", "L", false)
	p.font(9.5, false, "55606c")
	p.MultiCell(paperRoom, 4.4*scale, latin(d.Subtitle), "", "L", false)
	p.rule("16324f", .9)
	for _, x := range d.Blocks {
		switch {
		case x.Break:
			p.AddPage()
		case x.Heading != "":
			p.room(18)
			p.Ln(2 * scale)
			if x.Level == 1 {
				p.font(11.5, true, "16324f")
			} else {
				p.font(10, true, "c2410c")
			}
			p.MultiCell(paperRoom, 5.4*scale, latin(x.Heading), "", "L", false)
			if x.Level == 1 {
				p.rule("d5dae0", .25)
			}
		case x.Text != "":
			p.font(8.6, false, "1d2733")
			p.MultiCell(paperRoom, 4*scale, latin(x.Text), "", "L", false)
			p.Ln(.8 * scale)
		case x.List != nil:
			p.list(x.List)
		case x.drawings != nil:
			p.drawings(x.drawings)
		case x.Head != nil:
			p.table(x)
		}
	}
	p.Ln(1.5 * scale)
	p.font(7.4, false, "55606c")
	p.MultiCell(paperRoom, 3.4*scale, latin(d.Caption), "", "L", false)
	return p
}

// latin is a text in the letters that the fonts have.
func latin(s string) string { return strings.ReplaceAll(s, "\u202f", "\u00a0") }

func (p *printer) font(points float64, bold bool, colour string) {
	style := ""
	if bold {
		style = "B"
	}
	p.SetFont("Go", style, points*p.scale)
	p.SetTextColor(rgb(colour))
}

func rgb(colour string) (r, g, b int) {
	v, _ := strconv.ParseUint(colour, 16, 32) // of the table above
	return int(v >> 16), int(v >> 8 & 255), int(v & 255)
}

// rule draws a line across the page.
func (p *printer) rule(colour string, width float64) {
	p.SetDrawColor(rgb(colour))
	p.SetLineWidth(width)
	p.Line(paperMargin, p.GetY()+.5, paperWidth-paperMargin, p.GetY()+.5)
	p.Ln(1.8 * p.scale)
}

// room begins a page where less than a height is left.
func (p *printer) room(height float64) {
	if p.GetY()+height*p.scale > paperHeight-paperMargin {
		p.AddPage()
	}
}

func (p *printer) list(items []string) {
	for _, item := range items {
		p.room(8)
		p.font(8.6, false, "1d2733")
		p.SetX(paperMargin)
		p.CellFormat(3.5, 4*p.scale, "•", "", 0, "L", false, 0, "")
		p.MultiCell(paperRoom-3.5, 4*p.scale, latin(item), "", "L", false)
		p.Ln(.5 * p.scale)
	}
}

// lines cuts a text at its plain spaces: a figure stays with its unit.
func (p *printer) lines(t string, width float64) (lines []string) {
	line := ""
	for _, word := range strings.Split(t, " ") {
		longer := strings.TrimPrefix(line+" "+word, " ")
		if line != "" && p.GetStringWidth(longer) > width {
			lines, longer = append(lines, line), word
		}
		line = longer
	}
	return append(lines, line)
}

// table writes a table: columns of numbers are as wide as what they hold, or as an even share at most.
func (p *printer) table(x Block) {
	const size, gap = 7.8, 1.6
	line := 3.5 * p.scale
	widths := make([]float64, len(x.Head))
	free, first := paperRoom, 0
	even := max(paperRoom/float64(len(x.Head)+1), 25)
	for i := range x.Head {
		if x.Numbers == 0 || i < x.Numbers {
			first++
			continue
		}
		p.font(size, true, "55606c")
		for _, word := range strings.Fields(x.Head[i]) {
			widths[i] = max(widths[i], p.GetStringWidth(latin(word)))
		}
		p.font(size, false, "1d2733")
		for _, row := range x.Rows {
			for _, word := range strings.Fields(strings.NewReplacer("\u00a0", "_", "\u202f", "_").Replace(row[i])) {
				widths[i] = max(widths[i], p.GetStringWidth(word))
			}
		}
		widths[i] = min(widths[i]+2*gap, even)
		free -= widths[i]
	}
	for i := range widths {
		if widths[i] == 0 {
			widths[i] = free / float64(max(1, first))
		}
	}
	write := func(cells []string, head bool) {
		lines, tallest := make([][]string, len(cells)), 1
		for i, c := range cells {
			p.font(size, head, "1d2733")
			lines[i] = p.lines(latin(c), widths[i]-2*gap+.1)
			tallest = max(tallest, len(lines[i]))
		}
		height := float64(tallest)*line + .9*p.scale
		if p.GetY()+height > paperHeight-paperMargin {
			p.AddPage()
		}
		at := p.GetY()
		left := paperMargin
		for i := range cells {
			align := "L"
			if x.Numbers > 0 && i >= x.Numbers {
				align = "R"
			}
			p.font(size, head || i == 0 && first == 1 && x.Numbers == 0, map[bool]string{true: "55606c", false: "1d2733"}[head])
			for k, l := range lines[i] {
				p.SetXY(left+gap, at+.45*p.scale+float64(k)*line)
				p.CellFormat(widths[i]-2*gap, line, l, "", 0, align, false, 0, "")
			}
			left += widths[i]
		}
		p.SetDrawColor(rgb(map[bool]string{true: "16324f", false: "d5dae0"}[head]))
		p.SetLineWidth(map[bool]float64{true: .4, false: .15}[head])
		p.Line(paperMargin, at+height, paperWidth-paperMargin, at+height)
		p.SetXY(paperMargin, at+height)
	}
	p.room(14)
	write(x.Head, true)
	for _, row := range x.Rows {
		write(row, false)
	}
	p.Ln(1.4 * p.scale)
}

// drawings are set side by side, as high as the page's width or 62 mm allow.
func (p *printer) drawings(list []*drawing2D) {
	const gap = 4.0
	wide := 0.0
	for _, d := range list {
		wide += float64(d.width) / float64(d.height)
	}
	height := min((paperRoom-gap*float64(len(list)-1))/wide, 62*p.scale)
	if list[0].width < 300 { // charts: three a row, whatever their number
		height = min((paperRoom-2*gap)/3*float64(list[0].height)/float64(list[0].width), height)
	}
	p.room(height/p.scale + 2)
	top, left := p.GetY(), paperMargin
	for _, d := range list {
		k := height / float64(d.height)
		width := k * float64(d.width)
		p.ClipRect(left, top, width, height, false)
		for _, m := range d.marks {
			p.mark(m, left, top, k)
		}
		p.ClipEnd()
		if _, framed := inks[d.marks[0].class]; framed && strings.HasPrefix(d.marks[len(d.marks)-1].class, "echelle") {
			p.SetDrawColor(rgb("d5dae0"))
			p.SetLineWidth(.2)
			p.Rect(left, top, width, height, "D")
		}
		left += width + gap
	}
	p.SetXY(paperMargin, top+height+1.5*p.scale)
}

// mark draws one mark of a drawing whose corner is at a point of the page, k millimetres a pixel.
func (p *printer) mark(m mark, left, top, k float64) {
	style := inks[m.class]
	if m.text != "" {
		p.SetFont("Go", map[bool]string{true: "B"}[style.bold], cmp.Or(style.size, 9)*k/25.4*72)
		p.SetTextColor(rgb(cmp.Or(style.fill, "14202c")))
		t := latin(m.text)
		p.Text(left+m.at[0]*k-style.align*p.GetStringWidth(t), top+m.at[1]*k, t)
		return
	}
	paint := ""
	if style.fill != "" {
		p.SetFillColor(rgb(style.fill))
		paint = "F"
	}
	if style.stroke != "" {
		p.SetDrawColor(rgb(style.stroke))
		p.SetLineWidth(style.width * k)
		paint += "D"
	}
	if m.radius > 0 {
		p.Circle(left+m.at[0]*k, top+m.at[1]*k, m.radius*k, paint)
		return
	}
	rings, closed := m.lines()
	if !closed {
		paint = "D"
	}
	if style.dash != nil {
		p.SetDashPattern([]float64{style.dash[0] * k, style.dash[1] * k}, 0)
		defer p.SetDashPattern(nil, 0)
	}
	for _, ring := range rings {
		for i, at := range ring {
			if i == 0 {
				p.MoveTo(left+at[0]*k, top+at[1]*k)
			} else {
				p.LineTo(left+at[0]*k, top+at[1]*k)
			}
		}
		if closed {
			p.ClosePath()
		}
	}
	p.DrawPath(strings.Replace(paint, "FD", "B*", 1)) // even-odd: a hole stays one
}
