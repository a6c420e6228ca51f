package tiles

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// A Document is a text for the committee: headings, paragraphs, lists and tables, written as HTML or DOCX.
type Document struct {
	Title    string
	Subtitle string
	Caption  string // the sources, at the end
	Blocks   []Block
	Pages    int // it has to hold in; 0: any
}

// A Block is a heading (of level 1 or 2), a paragraph, a list, a table, drawings side by side, or the end of a page: one of them.
type Block struct {
	Break    bool
	drawings []*drawing2D
	printed  bool // goes with drawings, which a text to be edited does without

	Level   int
	Heading string
	Text    string
	List    []string
	Head    []string
	Rows    [][]string
	Numbers int // the columns from this one on are numbers; 0: none
}

var documentTemplate = template.Must(template.New("document").Parse(`<!DOCTYPE html>
<html lang="fr">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title><link rel="icon" href="data:,">
<style>@page{size:A4;margin:16mm 17mm}body{margin:0 auto;max-width:180mm;padding:8mm 4mm;color:#1d2733;font:10.5pt/1.42 "Source Sans 3","Segoe UI",Roboto,"Noto Sans","Liberation Sans","DejaVu Sans",Arial,sans-serif}
@media print{body{padding:0}}h1{font-size:21pt;line-height:1.12;color:#16324f;margin:0}.sous{color:#55606c;margin:1mm 0 5mm;border-bottom:1mm solid #16324f;padding-bottom:3mm}h2{font-size:14pt;color:#16324f;margin:6mm 0 2mm;border-bottom:.25mm solid #d5dae0}h3{font-size:11.5pt;margin:4mm 0 1mm;color:#c2410c}
p{margin:0 0 2mm}ul{margin:0 0 2mm;padding-left:5mm}li{margin:0 0 1mm}table{border-collapse:collapse;width:100%;font-size:9pt;margin:1mm 0 3mm}th,td{text-align:left;padding:.9mm 1.4mm;border-bottom:.2mm solid #d5dae0;vertical-align:top}thead th{border-bottom:.5mm solid #16324f;color:#55606c}thead{display:table-header-group}tbody th{font-weight:600}tr{break-inside:avoid}h2,h3{break-after:avoid}.n{text-align:right;font-variant-numeric:tabular-nums}p{break-inside:avoid}.source{break-before:avoid;font-size:8.4pt;color:#55606c;border-top:.25mm solid #d5dae0;padding-top:2mm;margin-top:6mm}</style></head>
<body><main><h1>{{.Title}}</h1><p class="sous">{{.Subtitle}}</p>
{{range .Blocks}}{{if .Heading}}{{if eq .Level 1}}<h2>{{.Heading}}</h2>{{else}}<h3>{{.Heading}}</h3>{{end}}
{{end}}{{if .Text}}<p>{{.Text}}</p>
{{end}}{{if .List}}<ul>{{range .List}}<li>{{.}}</li>
{{end}}</ul>
{{end}}{{if .Head}}{{$n := .Numbers}}<table><thead><tr>{{range $i, $h := .Head}}<th scope="col"{{if and $n (ge $i $n)}} class="n"{{end}}>{{$h}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}<tr>{{range $i, $c := .}}{{if eq $i 0}}<th scope="row" >{{$c}}</th>{{else}}<td{{if and $n (ge $i $n)}} class="n"{{end}}>{{$c}}</td>{{end}}{{end}}</tr>
{{end}}</tbody></table>
{{end}}{{end}}<p class="source">{{.Caption}}</p></main></body></html>
`))

// WriteHTML writes the document as a page that stands alone.
func (d *Document) WriteHTML(w io.Writer) error { return documentTemplate.Execute(w, d) }

// WriteDOCX writes the document for those who edit it: real headings, lists and tables, in the styles of the word processor.
func (d *Document) WriteDOCX(w io.Writer) error {
	var b strings.Builder
	b.WriteString(xml.Header + `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`)
	para := func(style, text string) {
		fmt.Fprintf(&b, `<w:p><w:pPr><w:pStyle w:val="%s"/></w:pPr><w:r><w:t xml:space="preserve">%s</w:t></w:r></w:p>`, style, escaped(text))
	}
	para("Title", d.Title)
	para("Subtitle", d.Subtitle)
	for _, x := range d.Blocks {
		if x.printed {
			continue
		}
		if x.Heading != "" {
			para(fmt.Sprintf("Heading%d", x.Level), x.Heading)
		}
		if x.Text != "" {
			para("Normal", x.Text)
		}
		for _, item := range x.List {
			fmt.Fprintf(&b, `<w:p><w:pPr><w:pStyle w:val="ListBullet"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t xml:space="preserve">%s</w:t></w:r></w:p>`, escaped(item))
		}
		if x.Head == nil {
			continue
		}
		const wide = 9600                  // of the page, in twentieths of a point
		widths := make([]int, len(x.Head)) // the first columns, of words, take what numbers leave
		numbers := 0
		if x.Numbers > 0 {
			numbers = len(x.Head) - x.Numbers
		}
		each := min(1500, wide/(len(x.Head)+1))
		for i := range widths {
			widths[i] = each
			if words := len(x.Head) - numbers; i < words {
				widths[i] = (wide - numbers*each) / words
			}
		}
		b.WriteString(`<w:tbl><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="5000" w:type="pct"/><w:tblLayout w:type="fixed"/><w:tblLook w:firstRow="1"/></w:tblPr><w:tblGrid>`)
		for _, width := range widths {
			fmt.Fprintf(&b, `<w:gridCol w:w="%d"/>`, width)
		}
		b.WriteString(`</w:tblGrid>`)
		row := func(cells []string, head bool) {
			b.WriteString(`<w:tr><w:trPr><w:cantSplit/>`)
			if head {
				b.WriteString(`<w:tblHeader/>`)
			}
			b.WriteString(`</w:trPr>`)
			for i, c := range cells {
				fmt.Fprintf(&b, `<w:tc><w:tcPr><w:tcW w:w="%d" w:type="dxa"/>`, widths[i])
				if head {
					b.WriteString(`<w:shd w:val="clear" w:color="auto" w:fill="DCE8F2"/>`)
				}
				b.WriteString(`</w:tcPr><w:p><w:pPr><w:pStyle w:val="TableText"/>`)
				if x.Numbers > 0 && i >= x.Numbers {
					b.WriteString(`<w:jc w:val="right"/>`)
				}
				b.WriteString(`</w:pPr><w:r>`)
				if head || i == 0 {
					b.WriteString(`<w:rPr><w:b/></w:rPr>`)
				}
				b.WriteString(`<w:t xml:space="preserve">` + escaped(c) + `</w:t></w:r></w:p></w:tc>`)
			}
			b.WriteString(`</w:tr>`)
		}
		row(x.Head, true)
		for _, cells := range x.Rows {
			row(cells, false)
		}
		b.WriteString(`</w:tbl>`)
		para("Normal", "")
	}
	para("Caption", d.Caption)
	b.WriteString(`<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1000" w:right="1100" w:bottom="1000" w:left="1100" w:header="600" w:footer="600" w:gutter="0"/></w:sectPr></w:body></w:document>`)
	out := zip.NewWriter(w)
	for _, part := range [][2]string{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/><Override PartName="/word/numbering.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.numbering+xml"/><Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>`},
		{"docProps/core.xml", `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>` + escaped(d.Title) + `</dc:title><dc:language>fr-FR</dc:language></cp:coreProperties>`},
		{"word/_rels/document.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/numbering" Target="numbering.xml"/></Relationships>`},
		{"word/numbering.xml", `<w:numbering xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/><w:pPr><w:ind w:left="360" w:hanging="240"/></w:pPr></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>`},
		{"word/styles.xml", wordStyles},
		{"word/document.xml", b.String()},
	} {
		f, err := out.Create(part[0])
		if err != nil {
			return err
		}
		text := part[1]
		if !strings.HasPrefix(text, "<?xml") {
			text = xml.Header + text
		}
		if _, err := io.WriteString(f, text); err != nil {
			return err
		}
	}
	return out.Close()
}

// escaped is a text in XML.
func escaped(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) //nolint:errcheck // a strings.Builder takes all
	return b.String()
}

var wordStyles = func() string {
	var b strings.Builder
	b.WriteString(`<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:cs="Calibri"/><w:sz w:val="21"/><w:lang w:val="fr-FR"/></w:rPr></w:rPrDefault></w:docDefaults>`)
	for _, s := range []struct {
		id, name, para, run string
	}{
		{"Normal", "Normal", `<w:spacing w:after="100"/>`, ""},
		{"Title", "Title", `<w:spacing w:after="60"/>`, `<w:b/><w:color w:val="16324F"/><w:sz w:val="42"/>`},
		{"Subtitle", "Subtitle", `<w:spacing w:after="240"/>`, `<w:color w:val="55606C"/><w:sz w:val="22"/>`},
		{"Heading1", "heading 1", `<w:keepNext/><w:spacing w:before="300" w:after="100"/><w:outlineLvl w:val="0"/>`, `<w:b/><w:color w:val="16324F"/><w:sz w:val="28"/>`},
		{"Heading2", "heading 2", `<w:keepNext/><w:spacing w:before="180" w:after="60"/><w:outlineLvl w:val="1"/>`, `<w:b/><w:color w:val="C2410C"/><w:sz w:val="23"/>`},
		{"ListBullet", "List Bullet", `<w:spacing w:after="60"/>`, ""},
		{"TableText", "Table Text", `<w:spacing w:before="20" w:after="20"/>`, `<w:sz w:val="16"/>`},
		{"Caption", "caption", `<w:spacing w:before="300"/>`, `<w:color w:val="55606C"/><w:sz w:val="17"/>`},
	} {
		fmt.Fprintf(&b, `<w:style w:type="paragraph"%s w:styleId="%s"><w:name w:val="%s"/><w:pPr>%s</w:pPr><w:rPr>%s</w:rPr></w:style>`,
			map[bool]string{true: ` w:default="1"`}[s.id == "Normal"], s.id, s.name, s.para, s.run)
	}
	b.WriteString(`<w:style w:type="table" w:styleId="TableGrid"><w:name w:val="Table Grid"/><w:tblPr><w:tblBorders><w:top w:val="single" w:sz="6" w:color="16324F"/><w:bottom w:val="single" w:sz="6" w:color="16324F"/><w:insideH w:val="single" w:sz="4" w:color="D5DAE0"/></w:tblBorders><w:tblCellMar><w:left w:w="50" w:type="dxa"/><w:right w:w="50" w:type="dxa"/></w:tblCellMar></w:tblPr></w:style></w:styles>`)
	return b.String()
}()
