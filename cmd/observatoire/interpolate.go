package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/paulmach/orb"
	"github.com/spf13/cobra"

	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// An interpolation is what the command line asks for.
type interpolation struct {
	source, target, weightLayer string
	sourceID, targetID          string
	extensive, intensive        []string
	ratios, medians             []string
	weights                     string
	out                         string
}

func (a *app) interpolateCmd() *cobra.Command {
	var in interpolation
	c := &cobra.Command{
		Use:     "interpolate --source F[:layer] --target F[:layer] --extensive COLUMNS | --intensive COLUMNS | --ratio N/D | --median D1,…,D9:WEIGHT",
		Aliases: []string{"interpoler"},
		Short:   "Carry figures from the zones of a file to those of another, by the area or the weight they have in common",
		Long: `Carry figures from the zones of a file to those of another: GeoJSON, shapefile or GeoPackage, both in the
same projection. The result is a table, one row a target: its identifier, the columns asked for, and couverture,
the share of the target behind them (the smallest of the columns', between 0 and 1). A target that no source with
a figure covers has an empty cell, never a zero.

  --extensive  counts, which are split and added up. --weights sum (default) splits the whole of each source
               between the targets; --weights total leaves behind what lies in no target.
  --intensive  means and densities: their mean over the covered part of the target.
  --ratio      numerator and denominator, both carried as counts, then divided.
  --median     median of the union of the sources, from their nine deciles and the number of persons.

By default figures are taken as spread evenly over their zone. --weight-layer gives where they are: a layer of
squares, buildings or points, and its column of persons or dwellings. A ratio or a median may be given a name:
--ratio taux=chomeurs/actifs.`,
		Example: `  observatoire interpolate --source iris.geojson --target qpv.shp --extensive population --weights total
  observatoire interpolate --source grille.gpkg:carreaux --target grille.gpkg:qpv --extensive ind --ratio part=men_pauv/men -o qpv.csv
  observatoire interpolate --source iris.gpkg --target qpv.gpkg --extensive pop --weights total --weight-layer grille.gpkg:carreaux:ind`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.interpolate(cmd.Context(), &in) },
	}
	f := c.Flags()
	f.StringVar(&in.source, "source", "", "file of the zones that have the figures; file.gpkg:layer where there are several layers")
	f.StringVar(&in.target, "target", "", "file of the zones to carry them to")
	f.StringSliceVar(&in.extensive, "extensive", nil, "columns of counts")
	f.StringSliceVar(&in.intensive, "intensive", nil, "columns of means, densities or shares")
	f.StringArrayVar(&in.ratios, "ratio", nil, "[NAME=]NUMERATOR/DENOMINATOR, two columns of counts")
	f.StringArrayVar(&in.medians, "median", nil, "[NAME=]D1,…,D9:WEIGHT, the columns of the deciles and of the persons")
	f.StringVar(&in.weights, "weights", "sum", "sum or total: what the part of a source in a target is divided by")
	f.StringVar(&in.weightLayer, "weight-layer", "", "F[:layer]:COLUMN, a layer of areas or points and its column of weights")
	f.StringVar(&in.sourceID, "source-id", "", "column of the source's identifiers (default: the first that is like one)")
	f.StringVar(&in.targetID, "target-id", "", "column of the target's identifiers (default: the first that is like one)")
	f.StringVarP(&in.out, "output", "o", "", "file to write, .csv or .geojson (default: CSV to the standard output)")
	return c
}

// A carriedColumn is a column of the result.
type carriedColumn struct {
	name   string
	values []geo.Carried // one a target
}

// interpolate runs the command.
func (a *app) interpolate(ctx context.Context, in *interpolation) error {
	if in.source == "" || in.target == "" {
		return usage{errors.New("--source and --target: name the two files")}
	}
	if len(in.extensive)+len(in.intensive)+len(in.ratios)+len(in.medians) == 0 {
		return usage{errors.New("nothing to carry: name columns with --extensive, --intensive, --ratio or --median")}
	}
	by, ok := map[string]geo.Divisor{"sum": geo.BySum, "total": geo.ByTotal}[in.weights]
	if !ok {
		return usage{fmt.Errorf("--weights %s: sum or total", in.weights)}
	}
	ext := strings.ToLower(filepath.Ext(in.out))
	if in.out != "" && ext != ".csv" && ext != ".geojson" {
		return usage{fmt.Errorf("-o %s: a .csv or .geojson file", in.out)}
	}
	source, err := a.readZones(ctx, in.source)
	if err != nil {
		return err
	}
	target, err := a.readZones(ctx, in.target)
	if err != nil {
		return err
	}
	if source.CRS.EPSG != target.CRS.EPSG {
		return refused{fmt.Errorf("%s is in %v, %s in %v: export one of them again in the system of the other", source.Path, source.CRS, target.Path, target.CRS)}
	}
	sourceIDs, _, err1 := source.IDs(in.sourceID)
	targetIDs, idColumn, err2 := target.IDs(in.targetID)
	if err := errors.Join(hint(err1, "--source-id"), hint(err2, "--target-id")); err != nil {
		return refused{err}
	}

	plan, err := in.plan(source, sourceIDs)
	if err != nil {
		return err
	}
	for _, p := range plan {
		if len(source.Rows) > 0 && !p.hasAny(len(source.Rows)) {
			a.say("warning: %s: %s: no figure in any of its %d rows: the result has none either; name another column, or fill it in", source.Path, p.name, len(source.Rows))
		}
	}
	seen := []string{idColumn, "couverture"}
	for _, p := range plan {
		if slices.Contains(seen, p.name) {
			return usage{fmt.Errorf("two columns of the result are named %q: give one another name, where it is a ratio or a median, or ask for it apart", p.name)}
		}
		seen = append(seen, p.name)
	}

	from, to := zonesOf(source, sourceIDs), zonesOf(target, targetIDs)
	var t *geo.Transfer
	if in.weightLayer == "" {
		t, err = geo.AreaTransfer(ctx, from, to)
	} else {
		t, err = a.weightTransfer(ctx, in.weightLayer, source, from, to)
	}
	if err != nil {
		return err
	}
	a.say("%s: %d zones; %s: %d zones; %d pairs in common, by %s", source.Path, len(from.Zones), target.Path, len(to.Zones),
		len(t.Parts), cmp.Or(in.weightLayer, "area"))
	a.warnTransfer(t, source.Path, target.Path)
	var columns []carriedColumn
	for _, p := range plan {
		columns = append(columns, carriedColumn{p.name, p.carry(t, by)})
		a.sayBalance(t, &p, by, columns[len(columns)-1].values)
	}

	write := func(w io.Writer) error { return writeCarriedCSV(w, idColumn, targetIDs, columns) }
	if ext == ".geojson" {
		write = func(w io.Writer) error { return writeCarriedGeoJSON(w, target, idColumn, targetIDs, columns) }
	}
	if in.out == "" {
		return write(a.stdout)
	}
	return writeFile(in.out, write)
}

// hint adds to an error about identifiers the flag that names their column.
func hint(err error, flag string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (%s names the column)", err, flag)
}

// splitLayer parts "file:layer". A colon may also be in the path, as on Windows.
func splitLayer(arg string) (path, layer string) {
	if _, err := os.Stat(arg); err == nil {
		return arg, ""
	}
	i := strings.LastIndexByte(arg, ':')
	if i <= 1 || strings.ContainsAny(arg[i:], `/\`) {
		return arg, ""
	}
	return arg[:i], arg[i+1:]
}

// readFile reads a vector file in a projection.
func (a *app) readFile(ctx context.Context, arg string) (*ingest.Features, error) {
	path, layer := splitLayer(arg)
	fs, err := ingest.ReadFeatures(ctx, path, layer)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, refused{err}
	}
	if fs.CRS.Geographic() {
		return nil, refused{fmt.Errorf("%s: coordinates in degrees (%v), of which areas cannot be made: export it in a projection, EPSG:2154 in metropolitan France", fs.Path, fs.CRS)}
	}
	if n := len(fs.Findings); n > 0 {
		f := fs.Findings[0]
		a.say("%s: %d geometries were mended, the first at row %d: %s", fs.Path, n, f.Row, f.Message)
	}
	return fs, nil
}

// readZones reads a file of areas.
func (a *app) readZones(ctx context.Context, arg string) (*ingest.Features, error) {
	fs, err := a.readFile(ctx, arg)
	if err != nil {
		return nil, err
	}
	none := 0
	for _, f := range fs.Rows {
		if len(f.Points) > 0 {
			return nil, refused{fmt.Errorf("%s: row %d: points, not an area: a zone needs a polygon; points may be given as --weight-layer", fs.Path, f.Row)}
		}
		if f.Geom == nil {
			none++
		}
	}
	if none == len(fs.Rows) {
		return nil, refused{fmt.Errorf("%s: no zone has a contour: export the layer with its geometry", fs.Path)}
	}
	if none > 0 {
		a.say("%s: %d zones have no contour: nothing is carried from or to them", fs.Path, none)
	}
	return fs, nil
}

// zonesOf makes zones of a file's rows, in their order.
func zonesOf(fs *ingest.Features, ids []string) *geo.ZoneSet {
	set := &geo.ZoneSet{Layer: geo.Layer(fs.Path), EPSG: fs.CRS.EPSG, Zones: make([]geo.Zone, len(ids))}
	for i, id := range ids {
		set.Zones[i] = geo.Zone{Code: id, Geom: fs.Rows[i].Geom}
	}
	return set
}

// A plannedColumn is a column to carry and how. counts are what its balance is made of; nil when it has none.
type plannedColumn struct {
	name   string
	counts []geo.Figure
	has    func(source int) bool // the source has all the figures it takes
	carry  func(t *geo.Transfer, by geo.Divisor) []geo.Carried
}

// hasAny says whether one of so many sources at least has the figures.
func (p *plannedColumn) hasAny(sources int) bool {
	for i := range sources {
		if p.has(i) {
			return true
		}
	}
	return false
}

// plan reads the columns that are asked for. Every bad cell is in the error.
func (in *interpolation) plan(source *ingest.Features, ids []string) ([]plannedColumn, error) {
	var plan []plannedColumn
	var bad []error
	read := map[string][]geo.Figure{} // a column may serve twice, and its bad cells are said once
	numbers := func(name string) []geo.Figure {
		if v, ok := read[name]; ok {
			return v
		}
		v, err := source.Numbers(name)
		if err != nil {
			bad = append(bad, err)
		}
		if v == nil {
			v = make([]geo.Figure, len(source.Rows))
		}
		read[name] = v
		return v
	}
	title := func(name string) string { // as the file writes it
		if k, err := source.Column(name); err == nil {
			return source.Columns[k]
		}
		return name
	}
	for _, name := range in.extensive {
		v := numbers(name)
		plan = append(plan, plannedColumn{title(name), v, func(i int) bool { return v[i].OK },
			func(t *geo.Transfer, by geo.Divisor) []geo.Carried { return t.Extensive(v, by) }})
	}
	for _, name := range in.intensive {
		v := numbers(name)
		plan = append(plan, plannedColumn{title(name), nil, func(i int) bool { return v[i].OK },
			func(t *geo.Transfer, _ geo.Divisor) []geo.Carried { return t.Intensive(v) }})
	}
	for _, spec := range in.ratios {
		name, terms := named(spec, spec)
		above, below, ok := strings.Cut(terms, "/")
		if !ok || above == "" || below == "" {
			return nil, usage{fmt.Errorf("--ratio %s: two columns as NUMERATOR/DENOMINATOR", spec)}
		}
		n, d := numbers(above), numbers(below)
		plan = append(plan, plannedColumn{name, nil, func(i int) bool { return n[i].OK && d[i].OK },
			func(t *geo.Transfer, by geo.Divisor) []geo.Carried { return t.Ratio(n, d, by) }})
	}
	for _, spec := range in.medians {
		name, terms := named(spec, "mediane")
		list, weight, ok := strings.Cut(terms, ":")
		deciles := strings.Split(list, ",")
		if !ok || weight == "" || len(deciles) != 9 {
			return nil, usage{fmt.Errorf("--median %s: nine columns and that of the persons, as D1,…,D9:WEIGHT", spec)}
		}
		m := medians{weights: numbers(weight)}
		for k, d := range deciles {
			m.deciles[k] = numbers(d)
		}
		bad = append(bad, m.check(source, ids, deciles, weight)...)
		plan = append(plan, plannedColumn{name, nil, m.has, m.carry})
	}
	if err := errors.Join(bad...); err != nil {
		return nil, refused{err}
	}
	return plan, nil
}

// named parts "NAME=rest"; the name is the fallback where there is none.
func named(spec, fallback string) (name, rest string) {
	if name, rest, ok := strings.Cut(spec, "="); ok && name != "" {
		return name, rest
	}
	return fallback, spec
}

// medians makes the median of a target from the deciles and the persons of the sources.
type medians struct {
	deciles [9][]geo.Figure
	weights []geo.Figure
}

// has says whether a source has its nine deciles and its persons.
func (m *medians) has(source int) bool {
	for _, d := range m.deciles {
		if !d[source].OK {
			return false
		}
	}
	return m.weights[source].OK
}

// check refuses deciles that decrease and persons under zero.
func (m *medians) check(source *ingest.Features, ids, deciles []string, weight string) []error {
	var bad []error
	for i := range ids {
		if !m.has(i) {
			continue
		}
		for k := 1; k < 9; k++ {
			if m.deciles[k][i].V < m.deciles[k-1][i].V {
				bad = append(bad, fmt.Errorf("%s: row %d (%s): %s is below %s: give the nine deciles in order, or empty the row",
					source.Path, source.Rows[i].Row, ids[i], deciles[k], deciles[k-1]))
				break
			}
		}
		if m.weights[i].V < 0 {
			bad = append(bad, fmt.Errorf("%s: row %d (%s): %s is negative: correct the cell, or empty it", source.Path, source.Rows[i].Row, ids[i], weight))
		}
	}
	return bad
}

func (m *medians) carry(t *geo.Transfer, by geo.Divisor) []geo.Carried {
	mixed := make([][]indicators.Distribution, len(t.Targets))
	for _, p := range t.Parts {
		if !m.has(p.From) {
			continue
		}
		d := indicators.Distribution{Weight: m.weights[p.From].V * t.Share(p, by)}
		for k := range d.Deciles {
			d.Deciles[k] = m.deciles[k][p.From].V
		}
		mixed[p.To] = append(mixed[p.To], d)
	}
	out := make([]geo.Carried, len(t.Targets))
	for i, c := range t.Coverage(m.has) {
		out[i].Coverage = c
		if v, ok := indicators.MixtureQuantile(mixed[i], 0.5); ok && c > 0 {
			out[i].Figure = geo.Figure{V: v, OK: true}
		}
	}
	return out
}

// warnTransfer says what in the layers themselves makes the result doubtful.
func (a *app) warnTransfer(t *geo.Transfer, source, target string) {
	const noise = 1e-6 // share of a zone: borders drawn twice
	if len(t.Parts) == 0 {
		a.say("warning: no zone of %s meets one of %s: are they the same territory?", source, target)
	}
	over := func(masses []float64, position func(geo.Part) int) int {
		covered := make([]float64, len(masses))
		for _, p := range t.Parts {
			covered[position(p)] += p.Mass
		}
		n := 0
		for i, m := range masses {
			if covered[i] > m*(1+noise) {
				n++
			}
		}
		return n
	}
	if n := over(t.Targets, func(p geo.Part) int { return p.To }); n > 0 {
		a.say("warning: in %d targets, zones of %s lie over one another: means count some places twice, coverage is at least what is said", n, source)
	}
	if n := over(t.Sources, func(p geo.Part) int { return p.From }); n > 0 {
		a.say("warning: in %d sources, zones of %s lie over one another: with --weights total their counts do not add up", n, target)
	}
}

// sayBalance says where the figures of a column went.
func (a *app) sayBalance(t *geo.Transfer, p *plannedColumn, by geo.Divisor, carried []geo.Carried) {
	empty := 0
	for _, c := range carried {
		if !c.OK {
			empty++
		}
	}
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if p.counts != nil {
		b := t.Balance(p.counts, by)
		add("%s in the sources, %s carried, %s in no target", indicators.FormatNumber(b.Total), indicators.FormatNumber(b.Carried), indicators.FormatNumber(b.Outside))
		if b.Repeated != 0 {
			add("%s carried more than once", indicators.FormatNumber(b.Repeated))
		}
		if b.Partial > 0 && by == geo.BySum {
			add("%d sources that the targets cover in part were carried whole (--weights total carries the part)", b.Partial)
		}
	}
	missing := 0
	for i := range t.Sources {
		if !p.has(i) {
			missing++
		}
	}
	add("%d of %d sources without a figure", missing, len(t.Sources))
	add("%d of %d targets empty", empty, len(t.Targets))
	a.say("%s: %s", p.name, strings.Join(parts, "; "))
}

// carriedRow gives the cells of a target: its figures, then the smallest of their coverages.
func carriedRow(columns []carriedColumn, i int) ([]indicators.Opt, float64) {
	cells := make([]indicators.Opt, len(columns))
	least := math.Inf(1)
	for k, c := range columns {
		cells[k] = indicators.Opt(c.values[i].Figure)
		least = min(least, c.values[i].Coverage)
	}
	return cells, least
}

// writeCarriedCSV writes the result as machine CSV, in the order of the targets' file.
func writeCarriedCSV(w io.Writer, idColumn string, ids []string, columns []carriedColumn) error {
	out := csv.NewWriter(w)
	record := []string{idColumn}
	for _, c := range columns {
		record = append(record, c.name)
	}
	if err := out.Write(append(record, "couverture")); err != nil {
		return err
	}
	for i, id := range ids {
		record = append(record[:0], id)
		cells, coverage := carriedRow(columns, i)
		for _, c := range cells {
			record = append(record, c.String())
		}
		if err := out.Write(append(record, indicators.FormatNumber(coverage))); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeCarriedGeoJSON writes the targets with the result, in longitude and latitude as the standard has it.
func writeCarriedGeoJSON(w io.Writer, target *ingest.Features, idColumn string, ids []string, columns []carriedColumn) error {
	degrees, err := geo.ByEPSG(4326)
	if err != nil {
		return err
	}
	text := func(v any) []byte {
		b, e := json.Marshal(v)
		err = errors.Join(err, e)
		return b
	}
	out := bufio.NewWriter(w)
	out.WriteString(`{"type":"FeatureCollection","features":[`)
	for i, id := range ids {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(out, "\n{\"type\":\"Feature\",\"properties\":{%s:%s", text(idColumn), text(id))
		cells, coverage := carriedRow(columns, i)
		for k, c := range cells {
			fmt.Fprintf(out, ",%s:%s", text(columns[k].name), cmp.Or(c.String(), "null"))
		}
		fmt.Fprintf(out, `,"couverture":%s},"geometry":`, indicators.FormatNumber(coverage))
		if mp := target.Rows[i].Geom; mp == nil {
			out.WriteString("null}")
		} else {
			fmt.Fprintf(out, `{"type":"MultiPolygon","coordinates":%s}}`, text(rounded(geo.Transform(mp, target.CRS, degrees))))
		}
	}
	out.WriteString("\n]}\n")
	return errors.Join(err, out.Flush())
}

// rounded keeps nine decimals of degrees, a tenth of a millimetre.
func rounded(mp orb.MultiPolygon) orb.MultiPolygon {
	for _, poly := range mp {
		for _, ring := range poly {
			for i, p := range ring {
				ring[i] = orb.Point{math.Round(p[0]*1e9) / 1e9, math.Round(p[1]*1e9) / 1e9}
			}
		}
	}
	return mp
}

// weightTransfer is the transfer by the weights of a layer, such as the persons of a grid.
func (a *app) weightTransfer(ctx context.Context, arg string, source *ingest.Features, from, to *geo.ZoneSet) (*geo.Transfer, error) {
	i := strings.LastIndexByte(arg, ':')
	if i <= 1 || strings.ContainsAny(arg[i:], `/\`) {
		return nil, usage{fmt.Errorf("--weight-layer %s: say which column holds the weights, as FILE:COLUMN", arg)}
	}
	fs, err := a.readFile(ctx, arg[:i])
	if err != nil {
		return nil, err
	}
	if fs.CRS.EPSG != source.CRS.EPSG {
		return nil, refused{fmt.Errorf("%s is in %v, %s in %v: export one of them again in the system of the other", fs.Path, fs.CRS, source.Path, source.CRS)}
	}
	weights, err := fs.Numbers(arg[i+1:])
	if err != nil {
		return nil, refused{err}
	}
	var masses []geo.Mass
	missing, total := 0, 0.0
	var bad []error
	for k, w := range weights {
		row := &fs.Rows[k]
		switch {
		case !w.OK || row.Geom == nil && len(row.Points) == 0:
			missing++
			continue
		case w.V < 0:
			bad = append(bad, fmt.Errorf("%s: row %d: %s: %s is negative: correct the cell, or empty it", fs.Path, row.Row, arg[i+1:], indicators.FormatNumber(w.V)))
			continue
		case row.Geom != nil:
			masses = append(masses, geo.Mass{W: w.V, Cell: row.Geom})
		}
		for _, p := range row.Points { // one weight for the points of a row together
			masses = append(masses, geo.Mass{X: p[0], Y: p[1], W: w.V / float64(len(row.Points))})
		}
		total += w.V
	}
	if err := errors.Join(bad...); err != nil {
		return nil, refused{err}
	}
	t, err := geo.MassTransfer(ctx, from, to, masses)
	if err != nil {
		return nil, err
	}
	bare := 0
	for _, m := range t.Sources {
		if m == 0 {
			bare++
		}
	}
	a.say("%s: %s of weight in %d rows, %d rows without any; %d of %d sources hold no weight and carry nothing", fs.Path,
		indicators.FormatNumber(total), len(weights), missing, bare, len(t.Sources))
	return t, nil
}
