package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/paulmach/orb"
	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// A facilitiesConfig is one or more files of facilities: points of a vector file; or, where x and y name columns,
// rows of a table, such as those of the BPE.
type facilitiesConfig struct {
	File  string `yaml:"file" json:"-"` // the manifest has the files' own names, and what they held
	Layer string `yaml:"layer"`         // the layer of a GeoPackage that holds several
	Code  string `yaml:"code"`          // its column of codes; without it, a facility is known by its file and row
	Name  string `yaml:"name"`          // its column of names; may be left out
	Theme string `yaml:"theme"`         // its column of themes
	X     string `yaml:"x"`             // of a table: its column of eastings, or longitudes
	Y     string `yaml:"y"`
	CRS   string `yaml:"crs"` // of a table, such as EPSG:4326; the project's legal projection by default
	// Themes words the codes of themes: the entry for the longest beginning of a code stands for it.
	Themes map[string]string `yaml:"themes"`
}

// check gives what is wrong with the configuration; where says which one it is.
func (c facilitiesConfig) check(where string) []error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
	}
	if c.File == "" {
		bad("file: missing: the file of the facilities")
	}
	if c.Theme == "" {
		bad("theme: missing: the column that says what each facility is")
	}
	if (c.X == "") != (c.Y == "") {
		bad("x and y go together: the two columns of coordinates of a table")
	}
	if c.X != "" && c.Layer != "" {
		bad("layer names the layer of a GeoPackage, x and y the columns of a table: give one or the other")
	}
	if c.X == "" && c.CRS != "" {
		bad("crs is for a table with x and y: a vector file says its own")
	}
	if c.CRS != "" {
		if _, err := geo.ParseURN(c.CRS); err != nil {
			bad("crs: %w", err)
		}
	}
	return errs
}

// theme words a theme as the configuration asks for.
func (c facilitiesConfig) theme(code string) string {
	for n := len(code); n > 0; n-- {
		if word, ok := c.Themes[code[:n]]; ok {
			return word
		}
	}
	return code
}

// A facilityReader collects the facilities of the project's territory.
type facilityReader struct {
	legal  geo.CRS
	placer *indicators.EquipementPlacer
	kept   []indicators.Equipement
	first  map[string]string // where each code was first
}

// readFacilities reads the facilities inside the project's communes and the quarters, ordered by code. Every bad
// cell of every file is reported before it gives up.
func (a *app) readFacilities(ctx context.Context, p *project, r *reading) ([]indicators.Equipement, error) {
	if len(p.Facilities) == 0 {
		return nil, nil
	}
	epsg := 0
	for _, s := range r.sets {
		epsg = max(epsg, s.EPSG)
	}
	legal, err := geo.ByEPSG(epsg)
	if err != nil {
		return nil, refused{fmt.Errorf("%s: facilities: no layer of the project is drawn: nothing says where they lie", filepath.Join(p.dir, projectFile))}
	}
	f := &facilityReader{legal: legal, placer: indicators.NewEquipementPlacer(r.sets, p.studied(), p.Scope.Communes),
		first: map[string]string{}}
	var errs []error
	for i, c := range p.Facilities {
		files, err := p.files(c.File)
		if err != nil {
			errs = append(errs, fmt.Errorf("facilities[%d]: %w", i, err))
			continue
		}
		for _, path := range files {
			file := &facilityFile{facilityReader: f, cfg: c, path: path, base: ingest.Name(path), code: -1, name: -1, theme: -1}
			if err := file.read(ctx); err != nil {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				errs = append(errs, err)
				continue
			}
			sum, _, err := ingest.Digest(path)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			r.files = append(r.files, fileStamp{Layer: "equipement", File: file.base, SHA256: sum, Zones: file.inside})
			r.findings = append(r.findings, file.findings()...)
			a.say("facilities: %d of the territory, of %d in %s", file.inside, file.rows, file.base)
		}
	}
	if len(errs) > 0 {
		return nil, refused{errors.Join(errs...)}
	}
	slices.SortFunc(f.kept, indicators.CompareEquipements)
	return f.kept, nil
}

// A facilityFile is one file being read.
type facilityFile struct {
	*facilityReader
	cfg               facilitiesConfig
	path, base        string
	names             []string // of the columns
	code, name, theme int      // columns, -1 when the configuration names none

	rows, inside int
	unplaced     lines // rows without coordinates
	bad          []error
	more         int // bad cells beyond those listed
}

// maxBadFacilities is how many bad cells of one file are listed.
const maxBadFacilities = 100

func (f *facilityFile) reject(row, column int, format string, args ...any) {
	name := "géométrie"
	if column >= 0 {
		name = strings.TrimSpace(at(f.names, column))
	}
	f.rejectIn(row, name, format, args...)
}

func (f *facilityFile) rejectIn(row int, column, format string, args ...any) {
	if len(f.bad) == maxBadFacilities {
		f.more++
		return
	}
	f.bad = append(f.bad, &ingest.CellError{File: f.path, Line: row, Column: column, Err: fmt.Errorf(format, args...)})
}

// read reads the whole file, and joins its bad cells.
func (f *facilityFile) read(ctx context.Context) error {
	var err error
	if f.cfg.X != "" {
		err = f.readTable(ctx)
	} else {
		err = f.readFeatures(ctx)
	}
	if err != nil {
		return err
	}
	if f.more > 0 {
		f.bad = append(f.bad, fmt.Errorf("%s: %d more bad cells", f.path, f.more))
	}
	return errors.Join(f.bad...)
}

// readFeatures reads the points of a vector file.
func (f *facilityFile) readFeatures(ctx context.Context) error {
	fs, err := ingest.ReadFeatures(ctx, f.path, f.cfg.Layer)
	if err != nil {
		return err
	}
	f.names = fs.Columns
	var errs []error
	for _, c := range f.columns() {
		if c.name != "" {
			var err error
			if *c.at, err = fs.Column(c.name); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for i := range fs.Rows {
		row := &fs.Rows[i]
		f.rows++
		switch {
		case row.Geom != nil:
			f.reject(row.Row, -1, "an area: a facility is a point: give its entrance or its centre")
		case len(row.Points) > 1:
			f.reject(row.Row, -1, "%d points: a facility is at one place: give one row to each", len(row.Points))
		case len(row.Points) == 0:
			f.unplaced.add(row.Row)
		default:
			f.add(row.Row, row.Cell, fs.CRS, row.Points[0])
		}
	}
	return nil
}

type facilityColumn struct {
	key, name string
	at        *int
}

// columns are those the configuration may name, and where to note their place.
func (f *facilityFile) columns() []facilityColumn {
	return []facilityColumn{{"code", f.cfg.Code, &f.code}, {"name", f.cfg.Name, &f.name}, {"theme", f.cfg.Theme, &f.theme}}
}

// readTable reads the facilities of a table that has coordinates in two of its columns.
func (f *facilityFile) readTable(ctx context.Context) error { return f.readRows(ctx, f.add) }

// readRows gives each row of a table with its place.
func (f *facilityFile) readRows(ctx context.Context, add func(line int, cell func(int) string, system geo.CRS, pt orb.Point)) error {
	system := f.legal
	if f.cfg.CRS != "" {
		system, _ = geo.ParseURN(f.cfg.CRS) // checked with the project
	}
	rows, _, err := ingest.OpenRows(f.path, ingest.Layout{})
	if err != nil {
		return err
	}
	defer rows.Close()
	x, y := -1, -1
	columns := append(f.columns(), facilityColumn{"x", f.cfg.X, &x}, facilityColumn{"y", f.cfg.Y, &y})
	var first error
	found := false
	for range headerRows { // titles may stand above the header
		if !rows.Next() {
			break
		}
		if !slices.ContainsFunc(rows.Cells(), func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		var errs []error
		for _, c := range columns {
			if c.name == "" {
				continue
			}
			if *c.at = columnNamed(rows.Cells(), c.name); *c.at < 0 {
				errs = append(errs, fmt.Errorf("%s:%d: no column %q (%s): the file has %s", f.path, rows.Line(), c.name, c.key, columnList(rows.Cells())))
			}
		}
		if found = errs == nil; found {
			f.names = slices.Clone(rows.Cells())
			break
		}
		if first == nil {
			first = errors.Join(errs...)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if !found && first == nil {
		return fmt.Errorf("%s: no row: the file is empty", f.path)
	}
	if !found {
		return first
	}
	for rows.Next() {
		cells := rows.Cells()
		if !slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		if f.rows++; f.rows%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if pt, ok := f.point(rows.Line(), cells, x, y, system); ok {
			add(rows.Line(), func(i int) string { return at(cells, i) }, system, pt)
		}
	}
	return rows.Err()
}

// columnNamed is the position of the only column with this name, exactly or but for case and accents; else -1.
func columnNamed(header []string, name string) int {
	for _, same := range []func(string) bool{
		func(s string) bool { return strings.TrimSpace(s) == strings.TrimSpace(name) },
		func(s string) bool { return ingest.Plain(s) != "" && ingest.Plain(s) == ingest.Plain(name) },
	} {
		if i := slices.IndexFunc(header, same); i >= 0 && !slices.ContainsFunc(header[i+1:], same) {
			return i
		}
	}
	return -1
}

// point reads the coordinates of a row. A row without any is no error: it is counted.
func (f *facilityFile) point(line int, cells []string, x, y int, system geo.CRS) (orb.Point, bool) {
	sx, sy := trimmed(cells, x), trimmed(cells, y)
	if sx == "" && sy == "" {
		f.unplaced.add(line)
		return orb.Point{}, false
	}
	good := true
	number := func(s string, column int) float64 {
		v, err := ingest.ParseNumber(s)
		switch {
		case s == "":
			f.reject(line, column, "empty although the other coordinate is there: give both, or neither")
		case err != nil:
			f.reject(line, column, "%q %w: give a coordinate, such as 5.0012 or 861728.7", s, err)
		}
		good = good && s != "" && err == nil
		return v
	}
	pt := orb.Point{number(sx, x), number(sy, y)}
	if !good {
		return pt, false
	}
	degrees := math.Abs(pt[0]) <= 180 && math.Abs(pt[1]) <= 90
	fits := func(p orb.Point) bool {
		if !system.Geographic() {
			return system.Check(p.Bound()) == nil
		}
		_, err := geo.Legal(p[0], p[1])
		return err == nil
	}
	switch {
	case pt == orb.Point{}:
		f.reject(line, x, "coordinates 0, 0 stand for a place that is not known: leave both cells empty")
	case system.Geographic() && !degrees:
		f.reject(line, x, "%s, %s are not degrees, whereas the coordinates are read as %v: say their system under crs, such as EPSG:2154", sx, sy, system)
	case !system.Geographic() && degrees:
		f.reject(line, x, "%s, %s are degrees, whereas the coordinates are read as %v: say their system under crs, such as EPSG:4326", sx, sy, system)
	case !fits(pt) && fits(orb.Point{pt[1], pt[0]}):
		f.reject(line, x, "the two coordinates are swapped: exchange x and y")
	default: // elsewhere in the world is a place too: outside the territory
		return pt, true
	}
	return pt, false
}

// add keeps a facility that lies in the territory.
func (f *facilityFile) add(row int, cell func(int) string, system geo.CRS, pt orb.Point) {
	if system.EPSG != f.legal.EPSG {
		x, y := f.legal.Forward(system.Inverse(pt[0], pt[1]))
		pt = orb.Point{math.Round(x*1000) / 1000, math.Round(y*1000) / 1000} // to the millimetre: the rest is rounding
	}
	zones, inside := f.placer.Zones(pt[0], pt[1])
	if !inside {
		return
	}
	read := func(column int) string {
		if column < 0 {
			return ""
		}
		return strings.Trim(cell(column), " \t\u00a0\u202f")
	}
	q := indicators.Equipement{Code: read(f.code), Nom: read(f.name), Theme: read(f.theme), X: pt[0], Y: pt[1], Source: f.base, Zones: zones}
	if q.Theme == "" {
		f.reject(row, f.theme, "empty: say what this facility is")
		return
	}
	q.Theme = f.cfg.theme(q.Theme)
	column := "code"
	switch {
	case f.code < 0:
		q.Code = strings.TrimSuffix(f.base, filepath.Ext(f.base)) + "-" + strconv.Itoa(row)
	case q.Code == "":
		f.reject(row, f.code, "empty: give the facility a code")
		return
	default:
		column = at(f.names, f.code)
	}
	if first, seen := f.first[q.Code]; seen {
		f.rejectIn(row, column, "%q is the code of %s already: give each facility its own", q.Code, first)
		return
	}
	f.first[q.Code] = fmt.Sprintf("%s:%d", f.base, row)
	f.inside++
	f.kept = append(f.kept, q)
}

// findings are what a person should know of the file.
func (f *facilityFile) findings() []ingest.Finding {
	var out []ingest.Finding
	if f.unplaced.n > 0 {
		shown, rest := f.unplaced, ""
		if len(shown.ranges) > 20 {
			shown.ranges, rest = shown.ranges[:20], "…"
		}
		out = append(out, ingest.Finding{Kind: "equipement_sans_lieu", File: f.base, Message: fmt.Sprintf(
			"%s : équipements sans coordonnées : %s sur %s (lignes %s%s). Ils ne sont comptés nulle part.",
			f.base, indicators.FrenchNumber(float64(f.unplaced.n), 0), indicators.FrenchNumber(float64(f.rows), 0), &shown, rest)})
	}
	if f.inside == 0 {
		out = append(out, ingest.Finding{Kind: "equipement_hors_territoire", File: f.base, Message: fmt.Sprintf(
			"%s : aucun de ses %s équipements n'est dans le territoire. Vérifier le fichier et le système de ses coordonnées.",
			f.base, indicators.FrenchNumber(float64(f.rows), 0))})
	}
	return out
}

func (a *app) facilitiesCmd() *cobra.Command {
	var zone, layer, theme, format, id string
	var list bool
	c := &cobra.Command{
		Use:     "facilities",
		Aliases: []string{"equipements"},
		Short:   "The facilities inside the zones: how many by theme, or which ones",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, _ *project, st store.Store) error {
				e, err := readEdition(ctx, st, id)
				if err != nil {
					return err
				}
				filter, err := facilityFilter(e, zone, layer, theme)
				if err != nil {
					return err
				}
				if len(e.Equipements) == 0 {
					a.say("edition %s holds no facility: name their files under facilities in %s, then run", e.ID, projectFile)
				}
				if list {
					return a.writeFacilities(e, indicators.SelectEquipements(e, filter), format)
				}
				return a.writeFacilityCounts(e, indicators.CountEquipements(e, filter), format)
			})
		},
	}
	c.Flags().StringVar(&zone, "zone", "", "code of the zone (default: all)")
	c.Flags().StringVar(&layer, "layer", "", "layer or level of the zones (default: all)")
	c.Flags().StringVar(&theme, "theme", "", "theme of the facilities (default: all)")
	c.Flags().BoolVar(&list, "list", false, "the facilities themselves, with the zones they lie in")
	c.Flags().StringVar(&format, "format", "table", "table, csv or json")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

// facilityFilter reads the zone, layer and theme asked for; what the edition does not hold is an error.
func facilityFilter(e *indicators.Edition, zone, layer, theme string) (f indicators.EquipementFilter, err error) {
	if layer != "" {
		if f.Couches, err = layersOf(e, layer); err != nil {
			return f, err
		}
	}
	if zone != "" {
		f.Codes = []string{zone}
		if !slices.ContainsFunc(e.Layers, func(s geo.ZoneSet) bool {
			_, ok := s.Index(zone)
			return ok && (f.Couches == nil || slices.Contains(f.Couches, s.Layer))
		}) {
			return f, usage{fmt.Errorf("no zone %q in the layers of edition %s asked for", zone, e.ID)}
		}
	}
	if theme != "" {
		f.Themes = []string{theme}
		if themes := indicators.EquipementThemes(e); !slices.Contains(themes, theme) {
			return f, usage{fmt.Errorf("no facility of theme %q in edition %s: its themes are %s", theme, e.ID, strings.Join(themes, ", "))}
		}
	}
	return f, nil
}

func (a *app) writeFacilityCounts(e *indicators.Edition, counts []indicators.EquipementCount, format string) error {
	switch format {
	case "csv":
		return indicators.WriteEquipementCountsCSV(a.stdout, counts)
	case "json":
		return writeJSON(a.stdout, counts)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "couche\tzone\tthème\téquipements")
	for i, c := range counts {
		couche, zone := string(c.Couche), zoneLabel(geo.Zone{Code: c.Code, Name: c.Nom})
		if i > 0 && counts[i-1].Couche == c.Couche {
			couche = ""
			if counts[i-1].Code == c.Code {
				zone = ""
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", couche, zone, c.Theme, indicators.FrenchNumber(float64(c.Equipements), 0))
	}
	if e.Schematic {
		fmt.Fprintln(w, "Contours schématiques, dessinés pour la démonstration.")
	}
	return w.Flush()
}

func (a *app) writeFacilities(e *indicators.Edition, list []indicators.Equipement, format string) error {
	switch format {
	case "csv":
		return indicators.WriteEquipementsCSV(a.stdout, e, list)
	case "json":
		type zone struct {
			Couche geo.Layer `json:"couche"`
			Code   string    `json:"code"`
			Nom    string    `json:"nom"`
		}
		type row struct {
			Code   string  `json:"code"`
			Nom    string  `json:"nom"`
			Theme  string  `json:"theme"`
			X      float64 `json:"x"`
			Y      float64 `json:"y"`
			EPSG   int     `json:"epsg"`
			Source string  `json:"source"`
			Zones  []zone  `json:"zones"`
		}
		names := indicators.NewNames(e)
		rows := make([]row, len(list))
		for i, q := range list {
			rows[i] = row{q.Code, q.Nom, q.Theme, q.X, q.Y, e.EPSG(), q.Source, []zone{}}
			for _, z := range q.Zones {
				rows[i].Zones = append(rows[i].Zones, zone{z.Couche, z.Code, names.Zone(z.Couche, z.Code)})
			}
		}
		return writeJSON(a.stdout, rows)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "code\tnom\tthème\tzones")
	for _, q := range list {
		zones := make([]string, len(q.Zones))
		for i, z := range q.Zones {
			zones[i] = string(z.Couche) + " " + z.Code
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", q.Code, q.Nom, q.Theme, strings.Join(zones, ", "))
	}
	if e.Schematic {
		fmt.Fprintln(w, "Contours schématiques, dessinés pour la démonstration.")
	}
	return w.Flush()
}
