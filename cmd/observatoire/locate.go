package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/paulmach/orb"
	"github.com/spf13/cobra"
	"github.com/xuri/excelize/v2"

	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// locateOptions is a command line of `locate`.
type locateOptions struct {
	file, register, out, format, edition string
	rows                                 bool
	layers                               []string
	x, y, crs                            string
	address, ban                         []string
	minScore                             float64
	sex, age, birth, on                  string
	threshold                            int
	convention                           string

	rule      indicators.SecrecyRule // of --threshold, and of the convention
	system    geo.CRS                // of --crs; zero: found out
	reference time.Time
}

func (a *app) locateCmd() *cobra.Command {
	var o locateOptions
	c := &cobra.Command{
		Use:     "locate FILE",
		Aliases: []string{"localiser"},
		Short:   "Points or addresses → quarters, IRIS: counts by quarter, sex and age, or rows on request",
		Long: `Counts the people of a file (CSV, XLSX or XLS; one row each) by quarter, sex and age band.

Places are a longitude and a latitude, or Lambert-93 coordinates, found by the names of their columns (lon, lat,
longitude, latitude, x, y) or named with --x and --y; or addresses, matched with a file of the Base Adresse
Nationale (adresses-NN.csv.gz, from adresse.data.gouv.fr): nothing is sent anywhere.

Counts under the threshold are withheld ("secret"), with as few others as it takes for none to be found again or
bounded, by sums and differences within a layer or between layers. The fewer layers, the fewer are withheld. Without --layers, the
quarters are counted; --rows gives the IRIS and the commune as well.

The file is read and forgotten: no row of it is kept, unless --rows asks for them.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.file = args[0]
			}
			if err := o.check(); err != nil {
				return usage{fmt.Errorf("locate: %w", err)}
			}
			if o.file == "" {
				p, err := loadProject(a.dir)
				if err != nil {
					return err
				}
				if err := o.secrecy(p); err != nil {
					return err
				}
				return a.writeRegister(p, o)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				if err := o.secrecy(p); err != nil {
					return err
				}
				e, err := readEdition(ctx, st, o.edition)
				if err != nil {
					return err
				}
				if err := a.locate(ctx, p, e, o); err != nil || o.register == "" {
					return err
				}
				return a.writeRegister(p, o)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&o.x, "x", "", "column of the longitude, or of the easting in metres")
	f.StringVar(&o.y, "y", "", "column of the latitude, or of the northing in metres")
	f.StringVar(&o.crs, "crs", "", "system of the coordinates, such as EPSG:4326 or EPSG:2154 (default: told by their size)")
	f.StringSliceVar(&o.address, "address", nil, "columns that make up the address, comma separated; needs --ban")
	f.StringArrayVar(&o.ban, "ban", nil, "file of the Base Adresse Nationale; may be given several times")
	f.Float64Var(&o.minScore, "min-score", 0.6, "addresses matched with a lower score, from 0 to 1, are not located")
	f.StringVar(&o.sex, "sex", "", "column of the sex")
	f.StringVar(&o.age, "age", "", "column of the age in years")
	f.StringVar(&o.birth, "birth", "", "column of the date of birth; needs --on")
	f.StringVar(&o.on, "on", "", "day on which ages are reckoned, AAAA-MM-JJ")
	f.IntVar(&o.threshold, "threshold", 5, "counts under it are withheld (fiscal data: 11)")
	f.StringVar(&o.convention, "convention", "", "convention whose threshold and rules of dominance hold too, as conventions.yaml names it")
	f.StringSliceVar(&o.layers, "layers", nil, "layers or levels, such as qpv,veille,iris (default: the quarters)")
	f.StringVar(&o.format, "format", "table", "of the counts: table, csv or json")
	f.BoolVar(&o.rows, "rows", false, "write one line a row as well: personal data; needs -o")
	f.StringVarP(&o.out, "output", "o", "", "CSV file of the rows")
	f.StringVar(&o.register, "register", "", "XLSX file to write: the treatment's sheet for the register (RGPD, art. 30)")
	f.StringVar(&o.edition, "edition", "", "edition to read (default: the published one)")
	return c
}

// check finds what is wrong with a command line, whatever the file.
func (o *locateOptions) check() error {
	if err := checkFormat(o.format); err != nil {
		return err
	}
	switch {
	case o.file == "" && o.register == "":
		return errors.New("name the file to locate, or --register FILE.xlsx alone")
	case (o.x == "") != (o.y == ""):
		return errors.New("--x and --y go together")
	case (o.address == nil) != (o.ban == nil):
		return errors.New("--address and --ban go together: addresses are matched with a file of the Base Adresse Nationale")
	case o.address != nil && (o.x != "" || o.crs != ""):
		return errors.New("--address or --x, --y, --crs: rows are located by one of the two")
	case o.age != "" && o.birth != "":
		return errors.New("--age or --birth, not both")
	case (o.birth != "") != (o.on != ""):
		return errors.New("--birth and --on go together: ages are reckoned on a given day")
	case o.threshold < 1:
		return fmt.Errorf("--threshold %d: 1 at least", o.threshold)
	case o.minScore < 0 || o.minScore > 1 || math.IsNaN(o.minScore):
		return fmt.Errorf("--min-score %g: between 0 and 1", o.minScore)
	case o.rows != (o.out != ""):
		return errors.New("--rows and -o FILE go together: rows are personal data and go to a file of their own; counts go to the standard output")
	case o.register != "" && !strings.EqualFold(filepath.Ext(o.register), ".xlsx"):
		return fmt.Errorf("--register %s: name a file that ends in .xlsx", o.register)
	}
	if o.on != "" {
		day, err := time.Parse(time.DateOnly, o.on)
		if err != nil {
			return fmt.Errorf("--on %s: write a day as AAAA-MM-JJ, such as 2024-12-31", o.on)
		}
		o.reference = day
	}
	if o.crs != "" {
		system, err := geo.ParseURN(o.crs)
		if err != nil {
			return fmt.Errorf("--crs: %w", err)
		}
		o.system = system
	}
	return nil
}

// secrecy is what is withheld: under the threshold, and as the convention asks where one is named.
func (o *locateOptions) secrecy(p *project) error {
	o.rule = indicators.SecrecyRule{Threshold: o.threshold}
	if o.convention == "" {
		return nil
	}
	var known []string
	for i := range p.conventions {
		c := &p.conventions[i]
		if known = append(known, c.ID); c.ID == o.convention {
			o.rule = c.Rule()
			o.threshold = max(o.threshold, o.rule.Threshold)
			o.rule.Threshold = o.threshold
			return nil
		}
	}
	if known == nil {
		return usage{fmt.Errorf("locate: --convention %s: the project has no %s", o.convention, conventionsFile)}
	}
	return usage{fmt.Errorf("locate: --convention %s: %s has %s", o.convention, conventionsFile, strings.Join(known, ", "))}
}

// A locatedLayer is a layer in which rows are looked for.
type locatedLayer struct {
	set     *geo.ZoneSet
	system  geo.CRS
	locator *geo.Locator
	quarter bool
	counted bool
	first   int32 // region of its first zone; the region after its last one is what lies outside of it
}

// locateLayers chooses the layers: those named, else the quarters, and for rows the IRIS and communes too.
func locateLayers(p *project, e *indicators.Edition, o locateOptions) ([]*locatedLayer, error) {
	quarters := p.studied()
	wanted := map[geo.Layer]bool{}
	for _, name := range o.layers {
		found, err := layersOf(e, name)
		if err != nil {
			return nil, err
		}
		drawn := false
		for _, l := range found {
			wanted[l] = e.Layer(l).Drawn()
			drawn = drawn || wanted[l]
		}
		if !drawn {
			return nil, usage{fmt.Errorf("--layers %s: known by its codes alone, without contours: nothing can be located in it", name)}
		}
	}
	var out []*locatedLayer
	next := int32(1) // region 0 is every row
	for i := range e.Layers {
		set := &e.Layers[i]
		level := set.Layer.Level()
		quarter := slices.Contains(quarters, level) && !strings.HasPrefix(level, "carreau")
		keep := wanted[set.Layer]
		if o.layers == nil {
			keep = set.Drawn() && (quarter || o.rows && (level == "iris" || level == "commune"))
		}
		if !keep {
			continue
		}
		system, err := geo.ByEPSG(set.EPSG)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", set.Layer, err)
		}
		l := &locatedLayer{set: set, system: system, locator: geo.NewLocator(set), quarter: quarter, counted: quarter || o.layers != nil}
		if l.counted {
			l.first = next
			next += int32(len(set.Zones)) + 1
		}
		out = append(out, l)
	}
	if !slices.ContainsFunc(out, func(l *locatedLayer) bool { return l.counted }) {
		return nil, usage{fmt.Errorf("edition %s holds no quarter with its contours: name the layers with --layers, such as iris", e.ID)}
	}
	return out, nil
}

// locate reads the file once, row after row: it keeps counts, never a row.
func (a *app) locate(ctx context.Context, p *project, e *indicators.Edition, o locateOptions) error {
	layers, err := locateLayers(p, e, o)
	if err != nil {
		return err
	}
	var book *ingest.AddressBook
	if o.ban != nil {
		if book, err = ingest.ReadAddressBook(o.ban...); err != nil {
			return refused{err}
		}
		a.say("addresses: %d read, %d without coordinates left out", book.Rows, book.Skipped)
	}
	f, err := openPeople(a, o, book, layers[0].system)
	if err != nil {
		return refused{err}
	}
	defer f.rows.Close()

	c := newCounts(layers, o)
	if !o.rows {
		err = f.each(ctx, layers, c, nil)
	} else {
		a.say("--rows: %s holds personal data (one line a person): restrict who reads it, delete it once used; the register must say so", o.out)
		err = writeFileMode(o.out, 0o600, func(w io.Writer) error { return f.each(ctx, layers, c, w) })
	}
	if err != nil {
		return err
	}
	f.balance(c)
	if e.Schematic {
		a.say("contours schématiques, dessinés pour la démonstration : les comptages n'ont pas de valeur")
	}
	cells := c.cells()
	switch o.format {
	case "csv":
		return writeCountsCSV(a.stdout, cells)
	case "json":
		return writeJSON(a.stdout, struct {
			Edition      string      `json:"edition"`
			Seuil        int         `json:"seuil"`
			NonLocalises int         `json:"non_localises"`
			Effectifs    []countCell `json:"effectifs"`
		}{e.ID, o.threshold, f.lost, cells})
	}
	return c.writeTable(a.stdout, cells, f.lost)
}

// A people is a file of persons, one a row.
type people struct {
	a        *app
	o        locateOptions
	path     string
	rows     ingest.Rows
	workbook bool
	names    []string // the header
	x, y     int
	parts    []addressPart
	sex, age int // -1: not asked for; age is the date of birth where that is
	system   geo.CRS
	legal    geo.CRS // of the layers
	book     *ingest.AddressBook

	ended           bool // there is no row left
	read, bad, lost int
	why             map[string]*lines // rows that are not located, by reason
	how             map[string]int    // addresses by kind of match
}

// An addressPart is a column of the address and what it holds.
type addressPart struct {
	column int
	into   func(*ingest.Address) *string
}

// Names of columns, plain, in the order they are looked for.
var (
	pointColumns = [][2][]string{
		{{"lon", "longitude", "long", "lng"}, {"lat", "latitude"}},
		{{"x", "coord x", "x l93", "x lambert93", "x lambert 93", "x l 93"}, {"y", "coord y", "y l93", "y lambert93", "y lambert 93", "y l 93"}},
	}
	partColumns = []struct {
		names []string
		into  func(*ingest.Address) *string
	}{
		{[]string{"code postal", "codepostal", "cp", "postcode"}, func(a *ingest.Address) *string { return &a.Postcode }},
		{[]string{"commune", "ville", "nom commune", "localite"}, func(a *ingest.Address) *string { return &a.Town }},
		{[]string{"code insee", "insee", "codeinsee", "code commune", "codecommune", "depcom", "codgeo"}, func(a *ingest.Address) *string { return &a.Insee }},
		{[]string{"numero", "num", "n", "no", "n voie", "num voie", "numero voie"}, func(a *ingest.Address) *string { return &a.Number }},
	}
)

// headerRows is how far down the header may be.
const headerRows = 30

// openPeople opens a file and finds its columns.
func openPeople(a *app, o locateOptions, book *ingest.AddressBook, legal geo.CRS) (*people, error) {
	rows, info, err := ingest.OpenRows(o.file, ingest.Layout{})
	if err != nil {
		return nil, err
	}
	f := &people{a: a, o: o, path: o.file, rows: rows, workbook: info.Format != "csv", x: -1, y: -1, sex: -1, age: -1,
		system: o.system, legal: legal, book: book, why: map[string]*lines{}, how: map[string]int{}}
	var first error
	for range headerRows {
		if !rows.Next() {
			break
		}
		if !slices.ContainsFunc(rows.Cells(), func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		err := f.columns(rows.Cells())
		if err == nil {
			f.names = slices.Clone(rows.Cells())
			return f, nil
		}
		if first == nil {
			first = err
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return nil, cmp.Or(first, fmt.Errorf("%s: no row: the file is empty", o.file))
}

// columns finds the columns in a row that may be the header.
func (f *people) columns(header []string) error {
	plain := make([]string, len(header))
	for i, h := range header {
		plain[i] = ingest.Plain(h)
	}
	var errs []error
	named := func(flag, name string) int {
		if name == "" {
			return -1
		}
		at := -1
		for i := range header {
			if strings.TrimSpace(header[i]) == strings.TrimSpace(name) || plain[i] != "" && plain[i] == ingest.Plain(name) {
				if at >= 0 {
					errs = append(errs, fmt.Errorf("%s:%d: %s: two columns have this name: rename one", f.path, f.rows.Line(), name))
					break
				}
				at = i
			}
		}
		if at < 0 {
			errs = append(errs, fmt.Errorf("%s:%d: no column %q (--%s): the file has %s", f.path, f.rows.Line(), name, flag, columnList(header)))
		}
		return at
	}
	f.sex = named("sex", f.o.sex)
	f.age = max(named("age", f.o.age), named("birth", f.o.birth))
	switch {
	case f.book != nil:
		f.parts = nil
		for _, name := range f.o.address {
			part := addressPart{named("address", name), func(a *ingest.Address) *string { return &a.Text }}
			for _, k := range partColumns {
				if len(f.o.address) > 1 && slices.Contains(k.names, ingest.Plain(name)) {
					part.into = k.into
				}
			}
			f.parts = append(f.parts, part)
		}
	case f.o.x != "":
		f.x, f.y = named("x", f.o.x), named("y", f.o.y)
	default:
		find := func(names []string) int {
			return slices.IndexFunc(plain, func(s string) bool { return slices.Contains(names, s) })
		}
		for _, pair := range pointColumns {
			if f.x, f.y = find(pair[0]), find(pair[1]); f.x >= 0 && f.y >= 0 {
				break
			}
		}
		if f.x < 0 || f.y < 0 {
			errs = append(errs, fmt.Errorf("%s:%d: no columns of coordinates (lon, lat; longitude, latitude; x, y): name them with --x and --y, or give --address and --ban; the file has %s",
				f.path, f.rows.Line(), columnList(header)))
		}
	}
	return errors.Join(errs...)
}

// columnList names the columns for a message. A row with figures in it is somebody's, not a header.
func columnList(header []string) string {
	if slices.ContainsFunc(header, func(s string) bool { _, err := ingest.ParseNumber(s); return err == nil }) {
		return "a first row with figures in it: give the columns a header"
	}
	var b strings.Builder
	for i, h := range header {
		if i == 30 {
			fmt.Fprintf(&b, " and %d more", len(header)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", h)
	}
	return b.String()
}

// A found row is where a person was located.
type foundRow struct {
	x, y  float64 // in system
	match ingest.Match
	ok    bool
	why   string // in French, when it is not located
}

// A locateBlock is some rows on their way: read one after the other, located by any processor, taken in the order of the file.
type locateBlock struct {
	rows    []peopleRow
	system  geo.CRS
	regions []int32 // of the located rows, one row after the other
	lines   []byte  // of the rows, as they are written
	err     error
	done    chan struct{}
}

// A peopleRow is one person.
type peopleRow struct {
	foundRow
	line, sex, age int
	regions        int // how many of the block's are its own
	address        ingest.Address
}

// blockRows is how many rows are located at once.
const blockRows = 2048

// each locates every row, adds it to the counts, and writes it to w when there is one. Every bad cell is named on
// stderr, without what it holds: that is somebody's.
func (f *people) each(ctx context.Context, layers []*locatedLayer, c *counts, w io.Writer) error {
	var out *bufio.Writer
	if w != nil {
		out = bufio.NewWriterSize(w, 1<<16)
		if err := writeRowHeader(out, layers); err != nil {
			return err
		}
	}
	var all sync.WaitGroup
	defer all.Wait()
	running, stop := context.WithCancel(ctx)
	defer stop()
	workers := runtime.GOMAXPROCS(0)
	inOrder, toLocate := make(chan *locateBlock, 2*workers), make(chan *locateBlock)
	all.Go(func() {
		defer close(inOrder)
		defer close(toLocate)
		for b := f.readBlock(); b != nil; b = f.readBlock() {
			select {
			case inOrder <- b:
			case <-running.Done():
				return
			}
			select {
			case toLocate <- b:
			case <-running.Done():
				return
			}
		}
	})
	for range workers {
		all.Go(func() {
			for b := range toLocate {
				f.locateBlock(b, layers, out != nil)
				close(b.done)
			}
		})
	}
	for b := range inOrder {
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if b.err != nil {
			return b.err
		}
		regions := b.regions
		for i := range b.rows {
			r := &b.rows[i]
			if r.ok {
				c.add(regions[:r.regions], r.sex, r.age)
				regions = regions[r.regions:]
				if f.book != nil {
					f.how[r.match.Kind]++
				}
				continue
			}
			f.lost++
			if f.why[r.why] == nil {
				f.why[r.why] = &lines{}
			}
			f.why[r.why].add(r.line)
		}
		if out != nil {
			if _, err := out.Write(b.lines); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.rows.Err(); err != nil {
		return refused{err}
	}
	if f.bad > 0 {
		return refused{fmt.Errorf("%s: %d bad cells, named above: correct them, or leave empty what is not known", f.path, f.bad)}
	}
	if out != nil {
		return out.Flush()
	}
	return nil
}

// readBlock reads the next rows; nil after the last. Once a cell is bad the file is refused in the end: it is only read to name
// the other bad cells.
func (f *people) readBlock() *locateBlock {
	if f.ended {
		return nil
	}
	b := &locateBlock{rows: make([]peopleRow, 0, blockRows), done: make(chan struct{})}
	for n := 0; n < blockRows; n++ {
		if !f.rows.Next() {
			f.ended = true
			break
		}
		cells := f.rows.Cells()
		if !slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		f.read++
		r := peopleRow{line: f.rows.Line()}
		r.sex, r.age = f.person(cells)
		if f.book != nil {
			r.address = f.address(cells)
		} else {
			r.foundRow = f.find(cells)
		}
		if f.bad == 0 {
			b.rows = append(b.rows, r)
		}
	}
	if f.book != nil && f.system == (geo.CRS{}) {
		f.system, _ = geo.ByEPSG(4326)
	}
	b.system = f.system
	return b
}

// locateBlock locates rows that were read; it changes nothing but the block.
func (f *people) locateBlock(b *locateBlock, layers []*locatedLayer, write bool) {
	var out *rowWriter
	var text bytes.Buffer
	if write {
		out = newRowWriter(&text, layers)
	}
	var hits []int
	for i := range b.rows {
		r := &b.rows[i]
		if f.book != nil {
			r.foundRow = f.match(r.address)
		}
		if r.ok {
			before := len(b.regions)
			b.regions = append(b.regions, 0)
			lon, lat := b.system.Inverse(r.x, r.y)
			for _, l := range layers {
				x, y := r.x, r.y
				if l.system.EPSG != b.system.EPSG {
					x, y = l.system.Forward(lon, lat)
				}
				hits = l.locator.All(hits[:0], x, y)
				if l.counted {
					for _, z := range hits {
						b.regions = append(b.regions, l.first+int32(z))
					}
					if len(hits) == 0 {
						b.regions = append(b.regions, l.first+int32(len(l.set.Zones)))
					}
				}
				if out != nil {
					out.hits(l, hits, x, y)
				}
			}
			r.regions = len(b.regions) - before
		}
		if out != nil {
			out.write(r.line, r.foundRow, f.book != nil)
		}
	}
	if out != nil {
		out.csv.Flush()
		b.lines, b.err = text.Bytes(), out.csv.Error()
	}
}

// reject names a bad cell.
func (f *people) reject(column int, format string, args ...any) {
	f.bad++
	f.a.say("%s", (&ingest.CellError{File: f.path, Line: f.rows.Line(), Column: strings.TrimSpace(at(f.names, column)), Err: fmt.Errorf(format, args...)}).Error())
}

func at(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}

func trimmed(cells []string, i int) string { return strings.Trim(at(cells, i), " \t\u00a0\u202f") }

// find says where the coordinates of a row are.
func (f *people) find(cells []string) foundRow {
	sx, sy := trimmed(cells, f.x), trimmed(cells, f.y)
	if sx == "" && sy == "" {
		return foundRow{why: "sans coordonnées"}
	}
	before := f.bad
	number := func(s string, column int) float64 {
		if s == "" {
			f.reject(column, "empty although the other coordinate is there: give both, or neither")
			return 0
		}
		v, err := ingest.ParseNumber(s)
		if err != nil {
			f.reject(column, "%v: a coordinate is expected, such as 5.0012 or 861728.7", err)
		}
		return v
	}
	x, y := number(sx, f.x), number(sy, f.y)
	if f.bad > before {
		return foundRow{}
	}
	if x == 0 && y == 0 {
		f.reject(f.x, "coordinates 0, 0 stand for a place that is not known: leave both cells empty")
		return foundRow{}
	}
	if f.system == (geo.CRS{}) {
		f.system, _ = geo.ByEPSG(4326)
		if math.Abs(x) > 180 || math.Abs(y) > 180 {
			f.system = f.legal
		}
		f.a.say("%s: coordinates read as %v: --crs says otherwise", f.path, f.system)
	}
	degrees := math.Abs(x) <= 180 && math.Abs(y) <= 180
	fits := func(x, y float64) bool {
		if f.system.Geographic() {
			_, err := geo.Legal(x, y)
			return err == nil
		}
		return f.system.Check(orb.Point{x, y}.Bound()) == nil
	}
	switch {
	case fits(x, y):
	case f.system.Geographic() && !degrees:
		f.reject(f.x, "not degrees, whereas the coordinates are read as %v: one system in a file, or say which with --crs", f.system)
	case !f.system.Geographic() && degrees:
		f.reject(f.x, "degrees, whereas the coordinates are read as %v: one system in a file, or say which with --crs", f.system)
	case fits(y, x) && f.system.Geographic():
		f.reject(f.x, "latitude and longitude are swapped: the column %q holds latitudes: exchange --x and --y", trimmed(f.names, f.x))
	case fits(y, x):
		f.reject(f.x, "easting and northing are swapped: the column %q holds northings: exchange --x and --y", trimmed(f.names, f.x))
	case f.system.Geographic() && math.Abs(y) > 90:
		f.reject(f.y, "a latitude lies between -90 and 90")
	case !f.system.Geographic():
		f.reject(f.x, "outside the area of %v: correct the coordinates, or say their system with --crs", f.system)
	} // degrees elsewhere in the world are a place: outside all zones
	return foundRow{x: x, y: y, ok: true}
}

// address is that of a row.
func (f *people) address(cells []string) (a ingest.Address) {
	for _, part := range f.parts {
		s := trimmed(cells, part.column)
		if s == "" {
			continue
		}
		into := part.into(&a)
		if *into != "" {
			*into += ", "
		}
		*into += s
	}
	return a
}

// match says where an address is.
func (f *people) match(a ingest.Address) foundRow {
	if a.Text == "" {
		return foundRow{why: "adresse vide", match: ingest.Match{Kind: ingest.MatchNone}}
	}
	m := f.book.Match(a)
	switch {
	case m.Kind == ingest.MatchNone:
		return foundRow{match: m, why: m.Reason}
	case m.Score < f.o.minScore:
		m.Kind = ingest.MatchNone
		return foundRow{match: m, why: "rapprochement trop incertain (score sous " + indicators.FormatNumber(f.o.minScore) + ")"}
	}
	return foundRow{x: m.Lon, y: m.Lat, match: m, ok: true}
}

// Sexes and age bands of the counts; the last of each is what is not known.
var (
	sexNames = [...]string{"F", "H", "inconnu"}
	ageNames = [...]string{"0-17", "18-24", "25-59", "60+", "inconnu"}
	// sexWords are the ways a sex is written; 1 and 2 are Insee's.
	sexWords = map[string]int{"f": 0, "femme": 0, "femmes": 0, "feminin": 0, "mme": 0, "madame": 0, "mlle": 0, "fille": 0, "2": 0, "w": 0,
		"h": 1, "homme": 1, "hommes": 1, "masculin": 1, "m": 1, "mr": 1, "monsieur": 1, "garcon": 1, "1": 1,
		"": 2, "inconnu": 2, "inconnue": 2, "nc": 2, "nr": 2, "nsp": 2, "nd": 2, "x": 2, "autre": 2, "non renseigne": 2, "non precise": 2, "non binaire": 2}
)

// person reads the sex and the age band of a row.
func (f *people) person(cells []string) (sex, age int) {
	sex, age = len(sexNames)-1, len(ageNames)-1
	if f.sex >= 0 {
		var ok bool
		if sex, ok = sexWords[ingest.Plain(at(cells, f.sex))]; !ok {
			f.reject(f.sex, "not a sex: write F or H, or leave empty what is not known")
		}
	}
	s := trimmed(cells, f.age)
	if f.age < 0 || s == "" {
		return sex, age
	}
	years, err := f.years(s)
	if err != nil {
		f.reject(f.age, "%v", err)
		return sex, age
	}
	switch {
	case years < 18:
		age = 0
	case years < 25:
		age = 1
	case years < 60:
		age = 2
	default:
		age = 3
	}
	return sex, age
}

const oldest = 120 // years

// years reads an age, or reckons it from a date of birth.
func (f *people) years(s string) (int, error) {
	if f.o.birth == "" {
		for _, unit := range []string{"ans", "an"} {
			s = strings.TrimSpace(strings.TrimSuffix(s, unit))
		}
		v, err := ingest.ParseNumber(s)
		if err != nil {
			return 0, fmt.Errorf("%v: an age in years is expected, or nothing", err)
		}
		if v < 0 || v > oldest {
			return 0, fmt.Errorf("not an age: between 0 and %d years, or nothing", oldest)
		}
		return int(v), nil
	}
	day, err := f.day(s)
	if err != nil {
		return 0, err
	}
	on := f.o.reference
	years := on.Year() - day.Year()
	if on.Month() < day.Month() || on.Month() == day.Month() && on.Day() < day.Day() {
		years--
	}
	switch {
	case day.After(on):
		return 0, fmt.Errorf("born after %s (--on)", f.o.on)
	case years > oldest:
		return 0, fmt.Errorf("more than %d years old on %s (--on)", oldest, f.o.on)
	}
	return years, nil
}

// day reads a date of birth: JJ/MM/AAAA, AAAA-MM-JJ, or the number of a day in a workbook.
func (f *people) day(s string) (time.Time, error) {
	if i := strings.IndexAny(s, "T "); i > 0 {
		s = s[:i] // the time of day
	}
	for _, layout := range []string{"2006-01-02", "02/01/2006", "2/1/2006", "02-01-2006", "02.01.2006"} {
		if day, err := time.Parse(layout, s); err == nil {
			return day, nil
		}
	}
	if n, err := ingest.ParseNumber(s); err == nil {
		switch {
		case n >= 1880 && n <= 2100:
			return time.Time{}, errors.New("a year alone does not give an age: give the whole date, or ages with --age")
		case f.workbook && n >= 1 && n < 80000:
			return time.Date(1899, 12, 30+int(n), 0, 0, 0, 0, time.UTC), nil
		}
	}
	return time.Time{}, errors.New("not a date: write JJ/MM/AAAA or AAAA-MM-JJ, or nothing")
}

// balance says on stderr what became of the rows, those that are not located by their numbers.
func (f *people) balance(c *counts) {
	f.a.say("%s: %d rows, %d located, %d not", f.path, f.read, f.read-f.lost, f.lost)
	for _, k := range []string{ingest.MatchNumber, ingest.MatchSuffix, ingest.MatchNearest, ingest.MatchStreet} {
		if n := f.how[k]; n > 0 {
			f.a.say("  %s : %d", k, n)
		}
	}
	reasons := make([]string, 0, len(f.why))
	for r := range f.why {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	for _, r := range reasons {
		f.a.say("  %s : %d, lignes %s", r, f.why[r].n, f.why[r])
	}
	if c.o.threshold < 5 {
		f.a.say("--threshold %d: counts under 5 may point at a person", c.o.threshold)
	}
}

// lines are numbers of rows, ascending, kept as ranges.
type lines struct {
	n      int
	ranges [][2]int
}

func (l *lines) add(line int) {
	l.n++
	if k := len(l.ranges); k > 0 && l.ranges[k-1][1] == line-1 {
		l.ranges[k-1][1] = line
		return
	}
	l.ranges = append(l.ranges, [2]int{line, line})
}

func (l *lines) String() string {
	var b strings.Builder
	for i, r := range l.ranges {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(r[0]))
		if r[1] > r[0] {
			b.WriteString("-" + strconv.Itoa(r[1]))
		}
	}
	return b.String()
}

// A rowWriter writes one line a row: codes by layer, the nearest quarter, the match of the address. What the file
// says of the person is not copied: the line number tells which one it is.
type rowWriter struct {
	csv      *csv.Writer
	layers   []*locatedLayer
	codes    []string
	near     string // code and layer of the nearest quarter
	nearIn   geo.Layer
	distance float64 // m
	record   []string
}

// farthest is how far the nearest quarter is looked for, in metres.
const farthest = 50_000

func newRowWriter(w io.Writer, layers []*locatedLayer) *rowWriter {
	r := &rowWriter{csv: csv.NewWriter(w), layers: layers, distance: math.Inf(1)}
	r.csv.UseCRLF = true
	return r
}

func writeRowHeader(w io.Writer, layers []*locatedLayer) error {
	r := newRowWriter(w, layers)
	header := []string{"ligne", "statut"}
	for _, l := range layers {
		header = append(header, string(l.set.Layer))
	}
	header = append(header, "quartier_proche", "couche_proche", "distance_m", "rapprochement", "score", "adresse_trouvee", "motif")
	r.csv.Write(header) //nolint:errcheck // kept for Error
	r.csv.Flush()
	return r.csv.Error()
}

// hits notes the zones of a layer a row lies in, and the nearest quarter.
func (r *rowWriter) hits(l *locatedLayer, hits []int, x, y float64) {
	code := ""
	for i, z := range hits {
		if i > 0 {
			code += " " // zones that overlap
		}
		code += l.set.Zones[z].Code
	}
	r.codes = append(r.codes, code)
	if !l.quarter || r.distance == 0 || strings.HasPrefix(string(l.set.Layer), levelVecu+"_") {
		return // the buffer of a quarter is no quarter: what counts is the distance to the quarter itself
	}
	if z, d, ok := l.locator.Nearest(x, y, min(farthest, r.distance)); ok && d < r.distance {
		r.near, r.nearIn, r.distance = l.set.Zones[z].Code, l.set.Layer, d
	}
}

func (r *rowWriter) write(line int, row foundRow, address bool) {
	rec := append(r.record[:0], strconv.Itoa(line))
	if row.ok {
		rec = append(append(rec, "localise"), r.codes...)
	} else {
		rec = append(rec, "non_localise")
		for range r.layers {
			rec = append(rec, "")
		}
	}
	if math.IsInf(r.distance, 1) {
		rec = append(rec, "", "", "")
	} else {
		rec = append(rec, r.near, string(r.nearIn), strconv.FormatFloat(r.distance, 'f', 0, 64))
	}
	if address {
		rec = append(rec, row.match.Kind, strconv.FormatFloat(row.match.Score, 'f', 2, 64), row.match.Label)
	} else {
		rec = append(rec, "", "", "")
	}
	r.record = append(rec, row.why)
	r.codes, r.near, r.nearIn, r.distance = r.codes[:0], "", "", math.Inf(1)
	r.csv.Write(r.record) //nolint:errcheck // kept for Error
}

// A tally counts people by sex and age band.
type tally [len(sexNames)][len(ageNames)]int

func (t *tally) plus(u *tally) {
	for i := range t {
		for j := range t[i] {
			t[i][j] += u[i][j]
		}
	}
}

func (t *tally) total() (n int) {
	for i := range t {
		for _, v := range t[i] {
			n += v
		}
	}
	return n
}

// A breakdown is how far the people of a region are told apart.
type breakdown int

const (
	asTotal breakdown = iota
	bySex
	byAge
	bySexAndAge
	breakdowns
)

// of are the cells of a tally under a breakdown: its total, or by sex, by age, by sex then age.
func (b breakdown) of(t *tally) []int {
	var out []int
	switch b {
	case asTotal:
		return []int{t.total()}
	case bySex:
		for i := range t {
			n := 0
			for _, v := range t[i] {
				n += v
			}
			out = append(out, n)
		}
	case byAge:
		out = make([]int, len(ageNames))
		for i := range t {
			for j, v := range t[i] {
				out[j] += v
			}
		}
	default:
		for i := range t {
			out = append(out, t[i][:]...)
		}
	}
	return out
}

// counts are the people by atom, the set of regions they lie in. A region is a zone of a layer, what lies outside
// of a layer, or, as region 0, every row that is located.
type counts struct {
	o      locateOptions
	layers []*locatedLayer
	inUse  [breakdowns]bool
	size   int // regions
	atoms  []atom
	find   map[string]int
	key    []byte
}

type atom struct {
	regions []int32
	tally   tally
}

func newCounts(layers []*locatedLayer, o locateOptions) *counts {
	c := &counts{o: o, find: map[string]int{}, size: 1}
	for _, l := range layers {
		if l.counted {
			c.layers = append(c.layers, l)
			c.size = int(l.first) + len(l.set.Zones) + 1
		}
	}
	age := o.age != "" || o.birth != ""
	c.inUse = [breakdowns]bool{true, o.sex != "", age, o.sex != "" && age}
	return c
}

func (c *counts) add(regions []int32, sex, age int) { c.at(regions)[sex][age]++ }

// at is the tally of those who lie in these regions and in no other.
func (c *counts) at(regions []int32) *tally {
	c.key = c.key[:0]
	for _, r := range regions {
		c.key = binary.LittleEndian.AppendUint32(c.key, uint32(r))
	}
	i, ok := c.find[string(c.key)]
	if !ok {
		i = len(c.atoms)
		c.find[string(c.key)] = i
		c.atoms = append(c.atoms, atom{regions: slices.Clone(regions)})
	}
	return &c.atoms[i].tally
}

// primary says whether a count is withheld for what it is: under the threshold, or as the convention's rules of
// dominance say, each person contributing one.
func (o *locateOptions) primary(n int) (down, up float64, primary bool) {
	ones := slices.Repeat([]float64{1}, min(max(n, 0), max(2, o.rule.N)))
	return o.rule.Primary(float64(n), ones)
}

// secrets are the counts of all regions as one table, for [indicators.Suppress]: its axes are regions, sexes and ages, all
// of them last. The parts that regions of several layers have in common are never published; a small one is protected
// as much as a count is, so that no sum or difference of regions gives it away. place is the position of a region on
// the first axis, -1 where nobody is: that is shown as it is.
//
// It holds against whoever knows which zones hold people and which lie in which. It does not hold against somebody
// who knows the persons, nor between two files or two runs: those are the convention's business.
func (c *counts) secrets() (t *indicators.CountTable, place []int) {
	slices.SortFunc(c.atoms, func(a, b atom) int { return slices.Compare(a.regions, b.regions) })
	within := make([][]int, c.size)
	for i := range c.atoms {
		for _, r := range c.atoms[i].regions {
			within[r] = append(within[r], i)
		}
	}
	// A region of one part is that part.
	parts := slices.Repeat([]int{-1}, len(c.atoms))
	place = slices.Repeat([]int{-1}, c.size)
	var tallies []tally
	published := 0
	for r, list := range within {
		if len(list) == 0 {
			continue
		}
		if len(list) == 1 && parts[list[0]] < 0 {
			parts[list[0]] = len(tallies)
		}
		place[r] = len(tallies)
		tallies = append(tallies, tally{})
		for _, i := range list {
			tallies[place[r]].plus(&c.atoms[i].tally)
		}
	}
	published = len(tallies)
	for i := range parts {
		if parts[i] < 0 {
			parts[i] = len(tallies)
			tallies = append(tallies, c.atoms[i].tally)
		}
	}
	regions := indicators.CountAxis{Size: len(tallies)}
	for r, list := range within {
		if len(list) == 0 || len(list) == 1 && parts[list[0]] == place[r] {
			continue
		}
		terms := []indicators.Term{{At: place[r], Sign: -1}}
		for _, i := range list {
			terms = append(terms, indicators.Term{At: parts[i], Sign: 1})
		}
		regions.Relations = append(regions.Relations, terms)
	}
	whole := func(used bool, n int) indicators.CountAxis {
		if !used {
			return indicators.CountAxis{Size: 1}
		}
		terms := []indicators.Term{{At: n, Sign: -1}}
		for i := range n {
			terms = append(terms, indicators.Term{At: i, Sign: 1})
		}
		return indicators.CountAxis{Size: n + 1, Relations: [][]indicators.Term{terms}}
	}
	t = &indicators.CountTable{Axes: []indicators.CountAxis{regions, whole(c.inUse[bySex], len(sexNames)), whole(c.inUse[byAge], len(ageNames))}}
	t.Cells = make([]indicators.CountCell, len(tallies)*t.Axes[1].Size*t.Axes[2].Size)
	for p := range tallies {
		for b := range breakdowns {
			if !c.inUse[b] {
				continue
			}
			for k, n := range b.of(&tallies[p]) {
				x := &t.Cells[secretCell(t, p, b, k)]
				x.V, x.State = float64(n), indicators.Open
				if p >= published {
					x.State = indicators.Implicit
				}
				x.Down, x.Up, x.Primary = c.o.primary(n)
			}
		}
	}
	return t, place
}

// secretCell is where a count of a breakdown stands in the table.
func secretCell(t *indicators.CountTable, p int, b breakdown, k int) int {
	sex, age := t.Axes[1].Size-1, t.Axes[2].Size-1
	switch b {
	case bySex:
		sex = k
	case byAge:
		age = k
	case bySexAndAge:
		sex, age = k/len(ageNames), k%len(ageNames)
	}
	return (p*t.Axes[1].Size+sex)*t.Axes[2].Size + age
}

// shown says which counts are shown.
func (c *counts) shown() func(region int, b breakdown, k int) bool {
	t, place := c.secrets()
	withheld, _ := indicators.Suppress(t) // nothing is published elsewhere: none is exposed
	return func(region int, b breakdown, k int) bool {
		return place[region] < 0 || !withheld[secretCell(t, place[region], b, k)]
	}
}

// A countCell is one count. Sexe and Age are "T" for all.
type countCell struct {
	Couche   string `json:"couche"`
	Code     string `json:"code"`
	Nom      string `json:"nom"`
	Sexe     string `json:"sexe"`
	Age      string `json:"age"`
	Effectif *int   `json:"effectif"` // null when it is withheld
	Statut   string `json:"statut"`
}

// countsHeader is that of the CSV file.
var countsHeader = []string{"couche", "code", "nom", "sexe", "age", "effectif", "statut"}

const outside = "hors"

// cells lists the counts: all rows, then layer by layer every quarter, the other zones where somebody is, and what
// lies outside.
func (c *counts) cells() []countCell {
	shown := c.shown()
	tallies := make([]tally, c.size)
	for i := range c.atoms {
		for _, r := range c.atoms[i].regions {
			tallies[r].plus(&c.atoms[i].tally)
		}
	}
	var out []countCell
	region := func(r int, layer, code, name string, drawn bool) {
		for b := range breakdowns {
			if !c.inUse[b] {
				continue
			}
			for k, n := range b.of(&tallies[r]) {
				cell := countCell{layer, code, name, "T", "T", nil, indicators.Secret.String()}
				switch b {
				case bySex:
					cell.Sexe = sexNames[k]
				case byAge:
					cell.Age = ageNames[k]
				case bySexAndAge:
					cell.Sexe, cell.Age = sexNames[k/len(ageNames)], ageNames[k%len(ageNames)]
				}
				switch {
				case !drawn:
					cell.Statut = indicators.NonDisponible.String()
				case shown(r, b, k):
					cell.Effectif, cell.Statut = &n, indicators.Disponible.String()
				}
				out = append(out, cell)
			}
		}
	}
	region(0, "", "ensemble", "Ensemble des lignes localisées", true)
	for _, l := range c.layers {
		for z, zone := range l.set.Zones {
			r := int(l.first) + z
			if l.quarter || tallies[r].total() > 0 {
				region(r, string(l.set.Layer), zone.Code, cmp.Or(zone.Name, zone.Code), zone.Geom != nil)
			}
		}
		region(int(l.first)+len(l.set.Zones), string(l.set.Layer), outside, "Hors des zones de cette couche", true)
	}
	return out
}

func writeCountsCSV(w io.Writer, cells []countCell) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(countsHeader); err != nil {
		return err
	}
	for _, c := range cells {
		n := ""
		if c.Effectif != nil {
			n = strconv.Itoa(*c.Effectif)
		}
		if err := out.Write([]string{c.Couche, c.Code, c.Nom, c.Sexe, c.Age, n, c.Statut}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeTable writes totals, sexes and ages for readers; sex by age is in the CSV and the JSON.
func (c *counts) writeTable(w io.Writer, cells []countCell, lost int) error {
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	header := "\teffectif"
	if c.inUse[bySex] {
		header += "\tfemmes\thommes\tsexe inconnu"
	}
	if c.inUse[byAge] {
		header += "\t0-17 ans\t18-24 ans\t25-59 ans\t60 ans et +\tâge inconnu"
	}
	layer, withheld, here := "", false, ""
	title := "TOUTES COUCHES"
	fmt.Fprint(t, title+header)
	for _, x := range cells {
		if x.Sexe != "T" && x.Age != "T" {
			withheld = withheld || x.Statut == indicators.Secret.String()
			continue
		}
		if x.Couche != layer {
			layer = x.Couche
			fmt.Fprint(t, "\n"+strings.Repeat("\t", strings.Count(header, "\t"))+"\n"+strings.ToUpper(layer)+header)
		}
		if key := x.Couche + "|" + x.Code; key != here {
			here = key
			name := x.Nom
			if x.Code != outside && x.Code != "ensemble" && x.Nom != x.Code {
				name += " (" + x.Code + ")"
			}
			fmt.Fprint(t, "\n"+name)
		}
		shown := x.Statut
		if x.Effectif != nil {
			shown = indicators.FrenchNumber(float64(*x.Effectif), 0)
		} else if x.Statut == indicators.Secret.String() {
			withheld = true
		}
		fmt.Fprint(t, "\t"+shown)
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(w, "\nLignes non localisées, hors de ces comptages : %s\n", indicators.FrenchNumber(float64(lost), 0)); err != nil {
		return err
	}
	if withheld {
		_, err := fmt.Fprintf(w, "secret : effectif inférieur à %d, ou qui permettrait d'en retrouver ou d'en encadrer un\n", c.o.threshold)
		return err
	}
	return nil
}

// writeRegister writes the treatment's sheet for the register (RGPD, art. 30), to be completed. One that is there
// already is left alone: somebody may have filled it in.
func (a *app) writeRegister(p *project, o locateOptions) error {
	if exists(o.register) {
		return fmt.Errorf("%s: there already: move it, or name another file", o.register)
	}
	f := excelize.NewFile()
	defer f.Close() //nolint:errcheck // only removes temporary files
	const sheet = "Registre des traitements"
	err := f.SetSheetName("Sheet1", sheet)
	style := func(s *excelize.Style) int {
		id, e := f.NewStyle(s)
		err = errors.Join(err, e)
		return id
	}
	top := &excelize.Alignment{Vertical: "top", WrapText: true}
	title := style(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}})
	head := style(&excelize.Style{Font: &excelize.Font{Bold: true}, Alignment: top, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"D9E2F3"}}})
	text := style(&excelize.Style{Alignment: top})
	blank := style(&excelize.Style{Alignment: top, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"FFF8DC"}}})
	put := func(row int, style int, values ...string) {
		for i, v := range values {
			name, e := excelize.CoordinatesToCellName(i+1, row)
			err = errors.Join(err, e, f.SetCellStr(sheet, name, v), f.SetCellStyle(sheet, name, name, style))
		}
	}
	put(1, title, "Registre des activités de traitement (RGPD, article 30)")
	put(2, text, p.Title+" – fiche proposée, à compléter et à faire valider par le délégué à la protection des données")
	put(4, head, "Rubrique", "Proposition", "À compléter")
	for i, line := range registerLines(p, o) {
		put(5+i, text, line[0], line[1])
		name, _ := excelize.CoordinatesToCellName(3, 5+i)
		err = errors.Join(err, f.SetCellStr(sheet, name, line[2]), f.SetCellStyle(sheet, name, name, blank))
	}
	err = errors.Join(err, f.SetColWidth(sheet, "A", "A", 32), f.SetColWidth(sheet, "B", "B", 80), f.SetColWidth(sheet, "C", "C", 50),
		f.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 4, TopLeftCell: "A5", ActivePane: "bottomLeft"}),
		f.SetDocProps(&excelize.DocProperties{Title: "Registre des traitements – " + p.Title, Language: "fr-FR", Creator: "Observatoire"}))
	if err != nil {
		return err
	}
	if err := writeFile(o.register, func(w io.Writer) error { return f.Write(w) }); err != nil {
		return err
	}
	a.say("%s: the register's sheet, to be completed", o.register)
	return nil
}

// registerLines are the headings, what is proposed, and what remains to be said.
func registerLines(p *project, o locateOptions) [][3]string {
	conservation := "Fichier d'entrée : lu en place, jamais copié par l'observatoire. Aucune ligne individuelle n'est conservée : ni base, ni journal, ni fichier temporaire. Seuls les comptages restent."
	if o.rows {
		conservation = "Un fichier d'une ligne par personne (numéro de ligne, codes des zones, distance, adresse rapprochée) a été demandé : il contient des données personnelles et doit être supprimé dès que son usage est terminé."
	}
	return [][3]string{
		{"Nom du traitement", "Localisation des publics accueillis dans les quartiers étudiés (" + p.Title + ")", ""},
		{"Date de création et de mise à jour", "", "Date de la fiche :"},
		{"Responsable du traitement", "", "Organisme, adresse, représentant légal :"},
		{"Responsables conjoints", "", "Partenaires qui fixent ensemble finalités et moyens (art. 26), ou « aucun » :"},
		{"Délégué à la protection des données", "", "Nom, courriel, téléphone :"},
		{"Finalité", "Compter par quartier, sexe et tranche d'âge les personnes accueillies par un service ou bénéficiaires d'une action, pour suivre et évaluer le contrat de ville. Aucune décision individuelle, aucun profilage, aucun enrichissement du fichier d'origine.", "Service ou action concernés :"},
		{"Base légale", "Exécution d'une mission d'intérêt public (RGPD, art. 6.1.e) : politique de la ville, loi n° 2014-173 du 21 février 2014. À confirmer selon l'organisme qui détient le fichier.", "Base retenue et texte :"},
		{"Données sensibles (art. 9)", "Aucune n'est demandée. Attention : figurer dans le fichier d'un service de santé, d'addictologie ou d'aide sociale peut à lui seul révéler une donnée sensible ; il faut alors une exception de l'article 9.2.", "Exception de l'article 9.2, le cas échéant :"},
		{"Catégories de personnes", "Usagers, bénéficiaires ou participants du service ou de l'action ; mineurs compris s'il y a lieu.", "Préciser :"},
		{"Catégories de données", "Adresse ou coordonnées du domicile ; sexe ; âge ou date de naissance. Ni nom, ni prénom, ni numéro d'identification ne sont nécessaires : les retirer du fichier avant de l'utiliser.", "Colonnes du fichier :"},
		{"Origine des données", "Fichier de gestion du service qui accueille les personnes.", "Service et logiciel :"},
		{"Destinataires", "Les comptages seuls, au-dessus du seuil de diffusion : pilotage du contrat de ville et partenaires signataires. Le fichier individuel ne quitte pas le service qui le détient.", "Destinataires et convention :"},
		{"Sous-traitants", "Aucun : le calcul se fait sur le poste, sans service en ligne. Les adresses sont rapprochées d'un fichier de la Base Adresse Nationale téléchargé au préalable ; aucune adresse n'est transmise.", "Hébergeur ou prestataire, le cas échéant :"},
		{"Transferts hors de l'Union européenne", "Aucun.", ""},
		{"Durée de conservation", conservation, "Durée de conservation du fichier d'origine et des lignes :"},
		{"Mesures de sécurité", fmt.Sprintf("Seuil de diffusion : %d personnes ; au-dessous l'effectif est remplacé par « secret », ainsi que ceux qui permettraient de le retrouver par soustraction. Poste à accès restreint, disque chiffré, échanges chiffrés, fichier supprimé après usage.", o.threshold), "Mesures propres à l'organisme :"},
		{"Information des personnes", "Mention dans le formulaire d'accueil : usage statistique de l'adresse, base légale, droits.", "Support et date :"},
		{"Droits des personnes", "Accès, rectification, opposition, limitation, effacement : à exercer auprès du service qui détient le fichier.", "Contact :"},
		{"Analyse d'impact (art. 35)", "À envisager si le fichier est d'un service de santé ou social, ou concerne des personnes vulnérables.", "Nécessaire ? Date :"},
	}
}
