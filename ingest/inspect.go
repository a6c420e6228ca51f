package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/paulmach/orb/encoding/mvt/vectortile"

	"observatoire/geo"
	"observatoire/indicators"
)

// An Inspection is what a file turns out to be: the facts of its largest table or layer, and every one of them
// where there are several.
type Inspection struct {
	File string `json:"file"`
	Part
	Parts []Part `json:"parts,omitempty"` // sheets, layers, members, in the order of the file
}

// A Part is a table or a layer: a file, a sheet of a workbook, a layer of a GeoPackage, a member of an archive.
type Part struct {
	Name      string `json:"part,omitempty"`
	Format    string `json:"format"`              // "csv", "xlsx", "xls", "geojson", "shapefile", "geopackage", "mvt"…
	Container string `json:"container,omitempty"` // "gzip", "zip" or "7z"
	Encoding  string `json:"encoding"`            // of a text
	Separator string `json:"separator,omitempty"` // of a text: ";", ",", "tab" or "|"
	BOM       bool   `json:"bom,omitempty"`
	CRS       string `json:"crs"`        // of a layer
	HeaderRow int    `json:"header_row"` // 1 is the first row; 0 when the format names its columns itself
	Rows      int    `json:"rows"`       // of data, totals included
	Key       string `json:"key"`        // column of the zone codes
	Level     string `json:"level"`

	Keys       int            `json:"distinct_keys"`
	MoreKeys   bool           `json:"more_keys,omitempty"` // there are more than that
	Duplicates int            `json:"duplicate_rows"`      // rows whose key was met before
	Statuts    map[string]int `json:"statuts,omitempty"`   // cells that hold a usual mark of absence, by statut
	Unknown    *int           `json:"unknown_keys"`        // keys the project's geography does not hold; null when it has none of that level

	Edition    int   `json:"edition,omitempty"`    // year of the file, from its name
	Vintage    int   `json:"vintage,omitempty"`    // year of the boundaries
	Millesime  *int  `json:"millesime"`            // of the figures, the latest; null when nothing says it
	Millesimes []int `json:"millesimes,omitempty"` // all of them, where there are several

	Card         string   `json:"card,omitempty"` // the one that fits
	Fit          float64  `json:"card_fit,omitempty"`
	Missing      []string `json:"card_missing,omitempty"`  // columns of the card that the table has not
	ProposedCard string   `json:"proposed_card,omitempty"` // in YAML

	Refused  bool            `json:"refused"`           // it cannot be taken as it is: the problems say why
	Problems []string        `json:"problems"`          // what is wrong, and what to do
	Remarks  []string        `json:"remarks,omitempty"` // what is worth knowing
	Columns  []ColumnProfile `json:"columns,omitempty"`
}

// An Inspector tells what files are.
type Inspector struct {
	Catalogue   *Catalogue
	Definitions []indicators.Definition // they say which variables are percentages, counts, euros
	Scope       []string                // the project's départements; empty: any
	// Geography gives, for a level, what says of a code whether a layer of the project has it, and whether it is of
	// the territory that layer covers. It may be nil, or return nil: nothing is known of that level.
	Geography func(level string) func(code string) (known, covered bool)
}

// Inspect goes through a file and says what it is, without a hint. It always answers: a file that cannot be read is
// Refused, and Problems say why and what to do, one line each.
func (in *Inspector) Inspect(ctx context.Context, path string) *Inspection {
	r := &Inspection{File: path}
	parts, err := in.parts(ctx, path)
	if err != nil {
		r.Refused = true
		r.Problems = append(r.Problems, unjoin(err)...)
		r.Format = formatByName(path)
		return r
	}
	main := 0
	for i := range parts {
		if parts[i].Rows > parts[main].Rows {
			main = i
		}
	}
	for i := range parts {
		if parts[i].Problems == nil {
			parts[i].Problems = []string{}
		}
	}
	r.Part = parts[main]
	if len(parts) > 1 {
		r.Parts = parts
	}
	return r
}

// unjoin lists the errors that were joined, one line each.
func unjoin(err error) []string {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var list []string
		for _, e := range many.Unwrap() {
			list = append(list, unjoin(e)...)
		}
		return list
	}
	return strings.Split(strings.TrimSpace(err.Error()), "\n")
}

// formatByName is all that can be said of the format of a file that is refused.
func formatByName(path string) string {
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz"))), ".")
}

// parts inspects every table and layer of what a path names.
func (in *Inspector) parts(ctx context.Context, path string) ([]Part, error) {
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return in.tileFolder(path)
	case err == nil && !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file but a pipe or a device: save what it gives in a file, and name that", path)
	case strings.HasPrefix(filepath.Base(path), "~$"):
		return nil, fmt.Errorf("%s: the lock that Excel puts beside a workbook while it is open: name the workbook itself, without ~$", path)
	}
	ext := strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz")))
	members, listed := Contents(path)
	if listed == nil && members[0].Kind == "member" {
		return in.members(ctx, path, members)
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := f.head()
	if f.err != nil {
		return nil, f.err
	}
	if shp := mainOfShapefile(path, ext); shp != "" {
		return in.shapefilePart(ctx, path, ext, shp)
	}
	if slices.Contains(sidecars, ext) {
		return nil, fmt.Errorf("%s: a part of a shapefile, of which the .shp is missing: copy it beside this file", path)
	}
	if what := otherFormat(head, ext); what != "" {
		return nil, fmt.Errorf("%s: %s", path, what)
	}
	var list []Part
	kind := sniff(head)
	if len(head) > 0 && head[0] == 0x1A { // the first layer of a vector tile
		kind = "tile"
	}
	switch {
	case kind == "text" && document(path):
		list = []Part{{Format: "text", Encoding: "utf-8", Remarks: []string{"a text to be read by a person: no table in it"}}}
	case kind == "json" && tileMetadata(head):
		list, err = in.metadata(path, f)
	case kind == "tile":
		data, e := io.ReadAll(io.LimitReader(f, maxTile))
		if e != nil {
			return nil, f.readError(e)
		}
		list, err = in.tileParts(path, map[string][]byte{path: data})
	case listed != nil:
		return nil, listed
	default:
		for _, m := range members {
			p, err := in.part(ctx, m, kind, head)
			if len(members) > 1 {
				p.Name = m.Name
			}
			if errors.Is(err, errNoTable) && len(members) > 1 {
				p.Remarks, err = append(p.Remarks, "an empty sheet"), nil
			}
			if err != nil {
				return nil, err
			}
			list = append(list, p)
		}
	}
	if f.packed != "" {
		for i := range list {
			list[i].Container = f.packed
		}
	}
	return list, err
}

const maxTile = 64 << 20 // bytes of a vector tile: they hold half a megabyte

// part inspects a table or a layer.
func (in *Inspector) part(ctx context.Context, m Member, kind string, head []byte) (Part, error) {
	if m.Kind == "layer" || kind == "shp" || kind == "json" && m.Kind != "table" && !jsonArray(head) {
		return in.layerPart(ctx, m.Path)
	}
	if kind == "parquet" {
		if p, err := in.layerPart(ctx, m.Path); err == nil {
			return p, nil
		}
	}
	rows, info, err := OpenRows(m.Path, Layout{})
	if err != nil {
		return Part{}, err
	}
	return in.tablePart(ctx, m.Path, rows, info)
}

// members inspects what an archive holds, but for the documentation. A member that is refused does not hide the others.
func (in *Inspector) members(ctx context.Context, path string, members []Member) ([]Part, error) {
	container := "zip"
	if f, err := openDisk(path); err == nil {
		container = sniff(f.peek(512))
		f.Close()
	}
	var list []Part
	for _, m := range members {
		if !m.Data {
			continue
		}
		parts, err := in.parts(ctx, m.Path)
		if err != nil {
			parts = []Part{{Format: formatByName(m.Name), Refused: true, Problems: unjoin(err)}}
		}
		for _, p := range parts {
			p.Container = container
			if p.Name = strings.TrimSuffix(m.Name+"#"+p.Name, "#"); len(members) == 1 {
				p.Name = strings.TrimPrefix(strings.TrimPrefix(p.Name, m.Name), "#")
			}
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no table or layer in the archive: it has documentation only", path)
	}
	return list, nil
}

// sidecars are what goes with a .shp.
var sidecars = []string{".dbf", ".shx", ".prj", ".cpg", ".qpj", ".sbn", ".sbx"}

// mainOfShapefile is the .shp that a file goes with, or "".
func mainOfShapefile(path, ext string) string {
	if !slices.Contains(sidecars, ext) {
		return ""
	}
	return sibling(strings.TrimSuffix(path, filepath.Ext(path))+".shp", ".shp")
}

// shapefilePart answers for a file that goes with a .shp: what the layer is.
func (in *Inspector) shapefilePart(ctx context.Context, path, ext, shp string) ([]Part, error) {
	p, err := in.layerPart(ctx, shp)
	p.Format = strings.TrimPrefix(ext, ".")
	p.Remarks = append([]string{fmt.Sprintf("a part of the shapefile %s, which is what a card reads", filepath.Base(shp))}, p.Remarks...)
	p.ProposedCard = ""
	return []Part{p}, err
}

// document says whether a text is one for people by its name: these come along with files of figures.
func document(path string) bool {
	base := strings.ToLower(filepath.Base(path))
	return strings.HasSuffix(base, ".md") || strings.HasSuffix(base, ".txt") && regexp.MustCompile(`lisez|readme|licen[cs]e|notice`).MatchString(base)
}

// otherFormat names a format that cannot be read, by its first bytes, with what to do.
func otherFormat(head []byte, ext string) string {
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case has("Rar!\x1A\x07"):
		return "this is a RAR archive: unpack it, and name the file inside"
	case has("BZh"), has("\xFD7zXZ\x00"), has("\x28\xB5\x2F\xFD"):
		return "this is compressed by bzip2, xz or zstd: unpack it, or compress it by gzip or zip"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "this is a tar archive: unpack it, and name the file inside"
	case has("\x89PNG"), has("\xFF\xD8\xFF"), has("GIF8"), has("II*\x00"), has("MM\x00*"):
		return "this is a picture, not a table or a layer: ask for the figures or the contours themselves"
	case has("\x00\x01\x00\x00Standard Jet DB"), has("\x00\x01\x00\x00Standard ACE DB"):
		return "this is an Access database: export the table as CSV or XLSX"
	case has("{\\rtf"):
		return "this is a text document (RTF), not a table: ask for the figures as CSV or XLSX"
	case has("PMTiles"):
		return "this is a PMTiles archive, made for showing: ask for the layer itself (GeoPackage, GeoJSON or shapefile)"
	case has("MZ"):
		return "this is a Windows program: do not open it; ask for the figures as CSV or XLSX"
	case bytes.Contains(head[:min(len(head), 2048)], []byte("<kml")):
		return "this is a KML file: export the layer as GeoJSON or GeoPackage"
	case bytes.Contains(head[:min(len(head), 2048)], []byte(`progid="Excel.Sheet"`)):
		return "this is a workbook of Excel 2003 in XML: open it and save it as XLSX"
	case (ext == ".xls" || ext == ".xlsx") && sniff(head) == "html" && bytes.Contains(bytes.ToLower(head), []byte("<table")):
		return "this is a web page named as a workbook: open it in a spreadsheet and save it as XLSX"
	}
	return ""
}

// jsonArray says whether a JSON text is a list.
func jsonArray(head []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n")
	return len(text) > 0 && text[0] == '['
}

// tablePart inspects a table, and closes it.
func (in *Inspector) tablePart(ctx context.Context, path string, rows Rows, info Info) (Part, error) {
	defer rows.Close()
	out := Part{Format: info.Format, Encoding: info.Encoding, Separator: info.Separator, BOM: info.BOM}
	p, err := profileRows(rows, nil, in.Geography)
	if err != nil {
		return out, err
	}
	if p.rows == 0 && len(p.header) == 0 {
		return out, fmt.Errorf("%s: %w", path, errNoTable)
	}
	in.describe(&out, p, path)
	if out.Refused = in.card(ctx, &out, p, path); !out.Refused && out.Rows > 0 {
		err = in.diagnose(ctx, &out, path)
	}
	return out, err
}

// diagnose adds what is likely wrong with a table that can be read.
func (in *Inspector) diagnose(ctx context.Context, out *Part, path string) error {
	x := Examination{Layout: Layout{HeaderRow: out.HeaderRow}, Key: out.Key, Level: out.Level, Scope: in.Scope, Definitions: in.Definitions}
	if in.Catalogue == nil {
	} else if card, ok := in.Catalogue.Card(out.Card); ok && card.Kind == "table" {
		x.Card = card.AtName(Name(path)).At(out.Level)
	}
	alertes, err := Diagnose(ctx, path, x)
	for _, a := range alertes {
		if a.Gravite == "information" {
			out.Remarks = append(out.Remarks, a.Message)
		} else {
			out.Problems = append(out.Problems, a.Message)
		}
	}
	return err
}

// layerPart inspects a layer.
func (in *Inspector) layerPart(ctx context.Context, path string) (Part, error) {
	lf, err := readLayerFile(ctx, path, "", nil)
	if err != nil {
		return Part{}, err
	}
	if err := lf.check(path, nil); err != nil {
		return Part{}, err
	}
	p, err := profileRows(&featureRows{features: lf.features}, slices.Clone(lf.columns), in.Geography)
	if err != nil {
		return Part{}, err
	}
	out := Part{Format: lf.format, CRS: fmt.Sprintf("EPSG:%d", lf.crs.EPSG)}
	in.describe(&out, p, path)
	empty := 0
	for i := range lf.features {
		if f := &lf.features[i]; len(f.geom) == 0 && len(f.points) == 0 {
			empty++
		}
	}
	if empty > 0 {
		out.Remarks = append(out.Remarks, fmt.Sprintf("%d rows have no contour", empty))
	}
	out.Refused = in.card(ctx, &out, p, path)
	return out, nil
}

// featureRows are the attributes of a layer as rows.
type featureRows struct {
	features []feature
	at       int
}

func (r *featureRows) Next() bool      { r.at++; return r.at <= len(r.features) }
func (r *featureRows) Cells() []string { return r.features[r.at-1].cells }
func (r *featureRows) Line() int       { return r.features[r.at-1].row }
func (r *featureRows) Err() error      { return nil }
func (r *featureRows) Close() error    { return nil }

// describe writes down what the profile of a table shows.
func (in *Inspector) describe(out *Part, p *profile, path string) {
	base := Name(path)
	out.HeaderRow, out.Rows = p.headerRow, p.rows
	out.Statuts = p.statuts()
	if len(out.Statuts) == 0 {
		out.Statuts = nil
	}
	for i := range p.columns {
		if p.columns[i].Name != "" {
			out.Columns = append(out.Columns, p.columns[i])
		}
	}
	problem := func(format string, args ...any) { out.Problems = append(out.Problems, fmt.Sprintf(format, args...)) }
	remark := func(format string, args ...any) { out.Remarks = append(out.Remarks, fmt.Sprintf(format, args...)) }

	if len(p.keys) > 0 {
		k := p.keys[0]
		out.Key, out.Level, out.Keys, out.MoreKeys, out.Duplicates = p.header[k.at], k.shape.level, len(k.seen), k.more, k.twice
		if k.short > 0 {
			remark("%s: %d of %d codes have lost their leading zeros: key_width: %d in the card puts them back", out.Key, k.short, k.fit, k.shape.width)
		}
		if k.more {
			remark("%s: repeated codes were looked for among the first %d different ones", out.Key, maxKeys)
		}
		if k.twice > 0 {
			remark("%s: %d rows repeat a code: %s", out.Key, k.twice, shown(k.repeat, k.twice))
		}
		if k.others > 0 {
			remark("%s: %d rows are not of a zone of that level: %s", out.Key, k.others, shown(k.strange, k.others))
		}
		if k.geography != nil {
			n := k.nUnknown
			if out.Unknown = &n; n > 0 {
				problem("%s: %d codes of the territory are in no layer %s of the project: %s: check the year of the boundaries", out.Key, n, out.Level, shown(k.unknown, n))
			}
			remark("%s: %d codes are in the project's %s layers", out.Key, k.nCovered, out.Level)
		}
	}
	if out.Level == "" && p.rows > 0 {
		remark("no column of zone codes was recognised: IRIS, quarters, communes, EPCI, départements, regions, squares of the grid")
	}
	named := map[string]int{}
	for i, h := range p.header {
		if first, twice := named[h]; h != "" && twice {
			problem("two columns are named %q (%d and %d): rename one", h, first+1, i+1)
		} else if h != "" {
			named[h] = i
		}
	}
	for _, i := range slices.Sorted(maps.Keys(p.unnamed)) {
		problem("column %d has %d cells and no name: name it in row %d, or empty it", i+1, p.unnamed[i], p.headerRow)
	}
	if p.ragged > 0 && out.Format == "csv" {
		problem("%d rows have more cells than the header: quote the cells that hold the separator", p.ragged)
	} else if p.ragged > 0 {
		remark("%d rows have more cells than the header names", p.ragged)
	}
	if len(p.footnotes) > 0 {
		remark("%d rows hold one cell only, and are taken for notes: %s", len(p.footnotes), shown(p.footnotes, len(p.footnotes)))
	}
	thousands := map[string]int{}
	marks := map[string]int{}
	for _, c := range p.columns {
		if c.signs > 0 {
			remark("%s: letters were lost before the file was published (U+FFFD, %d cells, first on line %d): join on codes only", c.Name, c.signs, c.firstSign)
		}
		if c.Thousands != "" {
			thousands[c.Thousands]++
		}
		if c.Decimal != "" {
			marks[c.Decimal]++
		}
		if len(c.Marks) > 0 && !slices.ContainsFunc(c.Marks, looksNumeric.MatchString) {
			remark("%s: %s among the figures: say what it means under tokens in the card", c.Name, quoteList(c.Marks))
		}
	}
	for _, m := range slices.Sorted(maps.Keys(thousands)) {
		remark("thousands are parted by %s in %d columns", m, thousands[m])
	}
	if marks["mixed"] > 0 || marks[","] > 0 && marks["."] > 0 {
		problem("decimals by comma and by point in the same table: write them all with the same mark")
	}

	if y := nameYears(base); len(y) == 1 {
		out.Edition = y[0]
	}
	years := p.columnYears()
	if out.CRS != "" && out.Edition != 0 {
		years = []int{out.Edition}
		remark("the year of the boundaries is the one in the file's name")
	}
	out.setYears(years)
	for _, t := range p.above {
		if regexp.MustCompile(`(?i)g[ée]ographie au|contours au|millésime|\b(19|20)\d\d\b`).MatchString(t) {
			remark("above the header: %s", t)
		}
	}
}

// setYears says of which years the figures are.
func (p *Part) setYears(years []int) {
	p.Millesime, p.Millesimes = nil, nil
	if len(years) > 0 {
		latest := slices.Max(years)
		p.Millesime = &latest
	}
	if len(years) > 1 {
		p.Millesimes = slices.Sorted(slices.Values(years))
	}
}

var yearInName = regexp.MustCompile(`(?:^|\D)((?:19[5-9]|20[0-4])\d)(?:\D|$)`)

// nameYears are the years that stand in a name.
func nameYears(base string) []int {
	var years []int
	for at := 0; ; {
		m := yearInName.FindStringSubmatchIndex(base[at:])
		if m == nil {
			return years
		}
		y, _ := strconv.Atoi(base[at+m[2] : at+m[3]])
		if !slices.Contains(years, y) {
			years = append(years, y)
		}
		at += m[3] // the character after it may be the one before the next
	}
}

// yearMarks are the places of a year in the names of columns.
var yearMarks = []*regexp.Regexp{
	regexp.MustCompile(`^[A-Za-z]{1,4}(\d\d)_?[A-Z_]`),               // P22_POP, AF99TJ
	regexp.MustCompile(`^(?:.*[A-Za-z_0-9 (])??((?:19|20)\d\d)\)?$`), // pop_2017, "Jeunes suivis 2023", "Ménages (2019)"
	regexp.MustCompile(`[A-Za-z_0-9](\d\d)$`),                        // DISP_MED14, RFUCQ201
}

// yearPlace finds the year in the name of a column: there is none where two places hold different ones ("NAF09ART10"),
// or where two run on ("evol_1622", from 2016 to 2022).
func yearPlace(name string) (year, from, to int, ok bool) {
	marks := yearMarks
	if censusYear.MatchString(name) { // what follows is an age, or a year of building: P18_RP_ACH05
		marks = marks[:1]
	}
	for _, mark := range marks {
		m := mark.FindStringSubmatchIndex(name)
		if m == nil {
			continue
		}
		y, _ := strconv.Atoi(name[m[2]:m[3]])
		if m[3]-m[2] == 2 {
			if wordYear.MatchString(name[max(0, m[2]-2):m[3]]) && !ok { // the end of a year too old to be one: "Ménages en 1905"
				continue
			}
			if y += 2000; y > 2049 {
				y -= 100
			}
		}
		if y < 1968 || y > 2040 || m[2] == from && to != 0 {
			continue
		}
		if ok && to != m[3] {
			return 0, 0, 0, false
		}
		if ok { // the four digits of it were found already
			continue
		}
		year, from, to, ok = y, m[2], m[3], true
	}
	if len(wordYear.FindAllString(name, 2)) > 1 { // "Évolution 2013 2018"
		return 0, 0, 0, false
	}
	if m := twoYears.FindStringSubmatch(name); ok && to-from == 2 && m != nil && m[1] < m[2] {
		return 0, 0, 0, false
	}
	return year, from, to, ok
}

var censusYear = regexp.MustCompile(`^[PC]\d\d_`)

var wordYear = regexp.MustCompile(`\b(?:19|20)\d\d\b`)

var twoYears = regexp.MustCompile(`(?:^|\D)([012]\d)([012]\d)$`)

// columnYears are the years that the columns of figures carry in their names, when most of them do.
func (p *profile) columnYears() []int {
	count := map[int]int{}
	figures, with := 0, 0
	for _, c := range p.columns {
		if c.Kind != "number" {
			continue
		}
		figures++
		if y, _, _, ok := yearPlace(c.Name); ok {
			count[y]++
			with++
		}
	}
	if 2*with < figures || with == 0 {
		return nil
	}
	var years []int
	for _, y := range slices.Sorted(maps.Keys(count)) {
		if 33*count[y] >= figures {
			years = append(years, y)
		}
	}
	return years
}

// card finds the card that fits, or proposes one, and reads the table with it. True when what was read is refused.
func (in *Inspector) card(ctx context.Context, out *Part, p *profile, path string) (refused bool) {
	for _, fit := range in.fits(out, p, path) {
		card := fit.Card
		before := *out
		years, err := in.read(ctx, out, card, path)
		if err != nil && !fit.Name { // it looks like that family, and is not of it
			*out = before
			out.Remarks = append(out.Remarks, fmt.Sprintf("its columns are those of the card %s, but: %s", card.ID, unjoin(err)[0]))
			continue
		}
		out.Card, out.Fit = card.ID, fit.Score
		if err != nil {
			out.Problems = append(out.Problems, unjoin(err)...)
			return true
		}
		if out.setYears(years); len(years) == 0 {
			out.Remarks = append(out.Remarks, "millésime unknown: neither the card nor the file's name says the year")
		}
		return false
	}
	if out.Millesime == nil && out.Rows > 0 {
		said := "nor does the file's name hold one"
		if out.Edition != 0 {
			said = fmt.Sprintf("the file's name says %d, which may be that of its publication", out.Edition)
		}
		out.Remarks = append(out.Remarks, "millésime unknown: the names of the columns hold no year; "+said)
	}
	return in.propose(ctx, out, p, path)
}

// fits lists the cards that describe a table or layer, the best first. Those of which the name alone fits are said.
func (in *Inspector) fits(out *Part, p *profile, path string) []CardFit {
	if in.Catalogue == nil {
		return nil
	}
	var list []CardFit
	for _, f := range in.Catalogue.Fit(Name(path), p.header) {
		layer := f.Card.Kind == "layer"
		_, _, part := splitPath(path)
		switch {
		case layer != (out.CRS != "") && f.Card.Kind != "reference":
			continue
		case part != "" && f.Card.Layout.Sheet != "" && part != f.Card.Layout.Sheet:
			continue
		case f.Key == "" || len(f.Missing) > 0:
			if f.Name {
				lacks := f.Missing
				if f.Key == "" {
					lacks = slices.Concat(f.Card.Key, f.Card.Code)
				}
				out.Remarks = append(out.Remarks, fmt.Sprintf("its name is one of the card %s, which needs %s: not there", f.Card.ID, quoteList(lacks)))
			}
			continue
		case !f.Name && (f.Score < 0.6 || len(f.Card.Files) == 0 && f.Card.Kind != "reference" || f.Card.Kind == "composition" && p.figures() > 0):
			continue
		case f.Card.Kind == "reference":
			if !f.Name && (len(f.Card.Files) > 0 || f.Card.Layout.Sheet == "") { // the name alone tells one list from another
				continue
			}
		case layer && !f.Name && out.Level == "":
			continue
		case f.Name && out.Level == "iris" && slices.Equal(f.Levels, []string{"epci"}): // nine digits both: the name tells
		case out.Level != "" && f.Card.Kind != "composition" && len(f.Levels) > 0 && !slices.Contains(f.Levels, out.Level):
			continue
		}
		list = append(list, f)
	}
	return list
}

// read goes through the whole file as a card says, and returns the years of its figures.
func (in *Inspector) read(ctx context.Context, out *Part, c *Card, path string) ([]int, error) {
	edition, _ := c.edition(Name(path))
	if edition != 0 {
		out.Edition = edition
	}
	levels := c.LevelsOf(Name(path))
	if c.Kind != "composition" && len(levels) == 1 && levels[0] != "" { // its rows are communes, whatever it makes of them
		out.Level = levels[0]
	}
	if v := c.Vintage.Year(edition); v != 0 {
		out.Vintage = v
	}
	switch c.Kind {
	case "layer":
		set, findings, err := ReadLayer(ctx, path, c, geo.Layer(cmp.Or(c.Level, "zone")))
		if err != nil {
			return nil, err
		}
		kinds := map[string]int{}
		for _, f := range findings {
			kinds[f.Kind]++
		}
		for _, k := range slices.Sorted(maps.Keys(kinds)) {
			first := findings[slices.IndexFunc(findings, func(f Finding) bool { return f.Kind == k })]
			out.Remarks = append(out.Remarks, fmt.Sprintf("%d × %s, such as %s: %s", kinds[k], k, cmp.Or(first.Code, out.Name, "the file"), first.Message))
		}
		if n := out.Keys - len(set.Zones); n > 0 {
			out.Remarks = append(out.Remarks, fmt.Sprintf("%d zones are of another legal projection, and left out: a layer has one", n))
		}
		if v := cmp.Or(out.Vintage, out.Edition); v != 0 {
			out.Vintage = v
			return []int{v}, nil
		}
		return nil, nil
	case "composition":
		_, _, err := ReadComposition(path, c)
		if v := cmp.Or(out.Vintage, out.Edition); v != 0 && err == nil {
			return []int{v}, nil
		}
		return nil, err
	case "table":
	default: // no figures are read from a reference
		if v := cmp.Or(out.Vintage, out.Edition); v != 0 {
			return []int{v}, nil
		}
		return nil, nil
	}
	years := map[int]bool{}
	if c.Count != nil {
		counted, err := c.Counted(path)
		var levels []string
		for _, at := range counted {
			levels = append(levels, at.Level)
			if err == nil {
				err = in.readTable(ctx, out, at, path, years)
			}
		}
		out.Duplicates = 0 // which are what is counted
		out.Remarks = slices.DeleteFunc(out.Remarks, func(r string) bool { return strings.Contains(r, " rows repeat a code: ") })
		out.Remarks = append(out.Remarks, "its rows are counted, zone by zone: "+strings.Join(slices.Compact(slices.Sorted(slices.Values(levels))), ", "))
		return slices.Sorted(maps.Keys(years)), err
	}
	if c.LevelColumn == "" { // the file's name, or its key, says the level
		err := in.readTable(ctx, out, c, path, years)
		return slices.Sorted(maps.Keys(years)), err
	}
	for _, level := range levels {
		if err := in.readTable(ctx, out, c.At(level), path, years); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(years)), nil
}

// readTable reads a table to its end, and notes the years of its figures.
func (in *Inspector) readTable(ctx context.Context, out *Part, c *Card, path string, years map[int]bool) error {
	t, err := Open(ctx, path, c, Scope{})
	if err != nil {
		return err
	}
	defer t.Release()
	for _, f := range t.Schema().Fields() {
		if text, ok := f.Metadata.GetValue("millesime"); ok {
			if y, err := strconv.Atoi(text); err == nil && y != 0 {
				years[y] = true
			}
		}
	}
	for rows := 0; t.Next(); {
		if rows += int(t.Record().NumRows()); rows > maxKeys { // a table remembers its keys
			out.Remarks = append(out.Remarks, fmt.Sprintf("only the first %d rows were read with the card %s", maxKeys, c.ID))
			return nil
		}
		if at := t.Schema().FieldIndices("millesime"); len(at) == 1 {
			column := t.Record().Column(at[0]).(*array.Int16)
			for i := range column.Len() {
				if y := int(column.Value(i)); y != 0 {
					years[y] = true
				}
			}
		}
	}
	src, err := t.Source()
	if err == nil && src.Vintage != 0 {
		out.Vintage = src.Vintage
	}
	out.Remarks = append(out.Remarks, src.Remarques...)
	return err
}

// tileMetadata says whether a JSON text describes a set of vector tiles.
func tileMetadata(head []byte) bool {
	return bytes.Contains(head, []byte(`"minzoom"`)) && (bytes.Contains(head, []byte(`"vector_layers"`)) || bytes.Contains(head, []byte(`\"vector_layers\"`)))
}

// A tileset is the metadata of a set of vector tiles, as tippecanoe or a TileJSON writes it.
type tileset struct {
	MinZoom json.RawMessage `json:"minzoom"`
	MaxZoom json.RawMessage `json:"maxzoom"`
	JSON    string          `json:"json"` // a JSON text inside the JSON, in MBTiles' manner
	Layers  []struct {
		ID string `json:"id"`
	} `json:"vector_layers"`
}

// metadata inspects the metadata.json of a set of tiles.
func (in *Inspector) metadata(path string, f io.Reader) ([]Part, error) {
	var m tileset
	if err := json.NewDecoder(f).Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: damaged or incomplete JSON (%w): copy it again", path, err)
	}
	if m.JSON != "" {
		if err := json.Unmarshal([]byte(m.JSON), &m); err != nil {
			return nil, fmt.Errorf("%s: json: %w: copy it again", path, err)
		}
	}
	out := Part{Format: "tilejson", Encoding: "utf-8", CRS: "EPSG:3857"}
	var names []string
	for _, l := range m.Layers {
		names = append(names, l.ID)
		if y := nameYears(l.ID); len(y) == 1 {
			out.Edition, out.Vintage = y[0], y[0]
			out.setYears(y)
		}
	}
	out.Name = strings.Join(names, ", ")
	trim := func(r json.RawMessage) string { return strings.Trim(string(r), `" `) }
	out.Remarks = []string{fmt.Sprintf("it describes a folder of vector tiles, zoom %s to %s, layers %s: inspect the folder", trim(m.MinZoom), trim(m.MaxZoom), quoteList(names))}
	return []Part{out}, nil
}

// tileFolder inspects a folder of vector tiles: z/x/y.pbf or .mvt. Another folder is refused.
func (in *Inspector) tileFolder(path string) ([]Part, error) {
	const most, mostBytes = 5000, 256 << 20
	tiles := map[string][]byte{}
	deepest, size, left := 0, 0, 0
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		rel, _ := filepath.Rel(path, name)
		steps := strings.Split(filepath.ToSlash(rel), "/")
		z, err := strconv.Atoi(steps[0])
		if ext := strings.ToLower(filepath.Ext(name)); len(steps) != 3 || err != nil || ext != ".pbf" && ext != ".mvt" {
			return nil
		}
		if z > deepest {
			deepest, size, left = z, 0, 0
			clear(tiles)
		}
		if z < deepest {
			return nil
		}
		if len(tiles) == most || size > mostBytes {
			left++
			return nil
		}
		f, err := openFile(name)
		if err != nil {
			return err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxTile))
		tiles[name] = data
		size += len(data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(tiles) == 0 {
		return nil, fmt.Errorf("%s: this is a folder: name the files in it, such as %s", path, filepath.Join(path, "*"))
	}
	list, err := in.tileParts(path, tiles)
	for i := range list {
		p := &list[i]
		p.Remarks = append(p.Remarks, fmt.Sprintf("%d tiles of zoom %d, the deepest", len(tiles), deepest))
		if left > 0 {
			p.Remarks = append(p.Remarks, fmt.Sprintf("%d more tiles of that zoom were not looked at", left))
		}
	}
	return list, err
}

// tileParts inspects the layers of vector tiles (MVT): their attributes. A feature that several tiles share counts
// in each.
func (in *Inspector) tileParts(path string, tiles map[string][]byte) ([]Part, error) {
	type layer struct {
		columns  []string
		features []feature
	}
	layers := map[string]*layer{}
	for _, name := range slices.Sorted(maps.Keys(tiles)) {
		var tile vectortile.Tile
		if err := tile.Unmarshal(tiles[name]); err != nil || len(tile.Layers) == 0 {
			return nil, fmt.Errorf("%s: this is neither text nor a workbook, nor a vector tile: save it as CSV or XLSX", name)
		}
		for _, tl := range tile.Layers {
			l := layers[tl.GetName()]
			if l == nil {
				l = &layer{}
				layers[tl.GetName()] = l
			}
			at := make([]int, len(tl.Keys))
			for i, k := range tl.Keys {
				if at[i] = slices.Index(l.columns, k); at[i] < 0 {
					at[i] = len(l.columns)
					l.columns = append(l.columns, k)
				}
			}
			for _, tf := range tl.Features {
				f := feature{row: len(l.features) + 1, cells: make([]string, len(l.columns))}
				for i := 0; i+1 < len(tf.Tags); i += 2 {
					k, v := int(tf.Tags[i]), int(tf.Tags[i+1])
					if k >= len(at) || v >= len(tl.Values) {
						return nil, fmt.Errorf("%s: layer %s: a feature names an attribute that is not there: damaged tile, make it again", name, tl.GetName())
					}
					f.cells[at[k]] = tileText(tl.Values[v])
				}
				l.features = append(l.features, f)
			}
		}
	}
	var list []Part
	for _, name := range slices.Sorted(maps.Keys(layers)) {
		l := layers[name]
		p, err := profileRows(&featureRows{features: l.features}, l.columns, in.Geography)
		if err != nil {
			return nil, err
		}
		out := Part{Name: name, Format: "mvt", CRS: "EPSG:3857"}
		in.describe(&out, p, name)
		if len(nameYears(name)) == 0 {
			in.describeYear(&out, path)
		}
		out.Vintage = out.Edition
		out.Remarks = append(out.Remarks, "vector tiles are made for showing, cut and simplified: ask for the layer itself to measure on it")
		list = append(list, out)
	}
	return list, nil
}

func (in *Inspector) describeYear(out *Part, path string) {
	if y := nameYears(filepath.Base(path)); len(y) == 1 {
		out.Edition = y[0]
		out.setYears(y)
	}
}

func tileText(v *vectortile.Tile_Value) string {
	switch {
	case v == nil:
		return ""
	case v.StringValue != nil:
		return v.GetStringValue()
	case v.DoubleValue != nil:
		return numberText(v.GetDoubleValue())
	case v.FloatValue != nil:
		return numberText(float64(v.GetFloatValue()))
	case v.IntValue != nil:
		return strconv.FormatInt(v.GetIntValue(), 10)
	case v.UintValue != nil:
		return strconv.FormatUint(v.GetUintValue(), 10)
	case v.SintValue != nil:
		return strconv.FormatInt(v.GetSintValue(), 10)
	case v.BoolValue != nil:
		return strconv.FormatBool(v.GetBoolValue())
	}
	return ""
}
