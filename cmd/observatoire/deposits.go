package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

const (
	conventionsFile = "conventions.yaml"
	depositsFolder  = "depots"
	depositFile     = "depot.yaml"
)

// A deposit is a file that a partner handed in under a convention.
type deposit struct {
	ingest.Deposit
	convention *ingest.Convention
	card       *ingest.Card
	path       string           // of the file
	base       string           // folder that the file and the zones are relative to
	zones      *ingest.OwnZones // nil: its zones are the project's
	expired    bool             // its convention ended before the day of the run
	next       *deposit         // the one that supersedes it, or nil
	own        *ownZones        // once read
}

// logical names the deposit in an edition: two versions of a file have the same name.
func (d *deposit) logical() string {
	return strings.Join([]string{d.card.ID, d.Convention, d.Date, filepath.Base(d.path)}, "/")
}

// loadDeposits reads the conventions, and the deposits: those of the project's file, and one for each depot.yaml.
func (p *project) loadDeposits(path string) error {
	name := filepath.Join(p.dir, conventionsFile)
	text, err := os.ReadFile(name)
	switch {
	case err == nil:
		if p.conventions, err = ingest.LoadConventions(name, text); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	var errs []error
	for _, c := range p.conventions {
		for _, d := range c.Datasets {
			card, ok := p.catalogue.Card(d.Card)
			if !ok || !isTable(card) {
				errs = append(errs, fmt.Errorf("%s:%d: datasets: %w", name, c.Line, p.noCard(d.Card, "table")))
				continue
			}
			if _, err := atWord(card, d.Level); err != nil && d.Level != "" {
				errs = append(errs, fmt.Errorf("%s:%d: datasets: %s: level: %w", name, c.Line, d.Card, err))
			}
		}
	}
	levels := map[string]bool{levelVecu: true}
	for _, l := range p.Layers {
		levels[l.Level] = true
	}
	for _, card := range p.catalogue.Cards() {
		levels[card.Level] = true
		for _, r := range card.Levels {
			levels[r.Level] = true
		}
	}
	for _, c := range p.conventions {
		for _, level := range c.Detail {
			if !levels[level] {
				errs = append(errs, fmt.Errorf("%s:%d: detail: no layer and no card has the level %q: none of its figures would be shown: correct it, such as qpv",
					name, c.Line, level))
			}
		}
	}
	for i, d := range p.Deposits {
		if err := d.Check(fmt.Sprintf("%s: deposits[%d]", path, i)); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, p.addDeposit(d, p.dir))
	}
	folder := filepath.Join(p.dir, depositsFolder)
	if exists(folder) {
		errs = append(errs, filepath.WalkDir(folder, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || e.Name() != depositFile {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			d, err := ingest.LoadDeposit(name, text)
			if err == nil {
				err = p.addDeposit(*d, filepath.Dir(name))
			}
			errs = append(errs, err)
			return nil
		}))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return p.orderDeposits()
}

// atWord is the card narrowed to a word of its levels; the card as it is where it is of one level, or its rows say theirs.
func atWord(card *ingest.Card, word string) (*ingest.Card, error) {
	words := strings.Join(slices.Sorted(maps.Keys(card.Levels)), ", ")
	switch {
	case word == "" && (len(card.Levels) == 0 || card.LevelColumn != ""):
		return card, nil
	case word == "":
		return nil, fmt.Errorf("the card %s is of several levels: say which: %s", card.ID, words)
	case len(card.Levels) == 0:
		return nil, fmt.Errorf("%q: the card %s is of one level, %s: take it away", word, card.ID, card.Level)
	case card.LevelColumn != "":
		return nil, fmt.Errorf("%q: the rows of the card %s say their level, in the column %s: take it away", word, card.ID, card.LevelColumn)
	}
	at, ok := card.AtWord(word)
	if !ok {
		return nil, fmt.Errorf("%q: the card %s has %s: choose one", word, card.ID, words)
	}
	return at, nil
}

func isTable(c *ingest.Card) bool { return c.Kind == "table" }

func (p *project) convention(id string) *ingest.Convention {
	if i := slices.IndexFunc(p.conventions, func(c ingest.Convention) bool { return c.ID == id }); i >= 0 {
		return &p.conventions[i]
	}
	return nil
}

func (p *project) addDeposit(d ingest.Deposit, base string) error {
	c := p.convention(d.Convention)
	if c == nil {
		var ids []string
		for _, c := range p.conventions {
			ids = append(ids, c.ID)
		}
		return fmt.Errorf("%s: convention: no %q in %s (it has: %s): a deposit is read under a convention only; write it there: "+
			"id, partner, purpose, recipients, threshold, end", d.Where, d.Convention, conventionsFile, cmp.Or(strings.Join(ids, ", "), "none"))
	}
	card, ok := p.catalogue.Card(d.Card)
	if !ok || !isTable(card) {
		return fmt.Errorf("%s: card: %w", d.Where, p.noCard(d.Card, "table"))
	}
	out := &deposit{Deposit: d, convention: c, card: card.AtName(ingest.Name(d.File)), base: base, path: d.File, zones: d.Zones}
	if !filepath.IsAbs(d.File) {
		out.path = filepath.Join(base, d.File)
	}
	if out.card.InName() { // the name does not say the level: the convention may
		var levels []string
		for _, set := range c.Datasets {
			if set.Card == d.Card && set.Level != "" {
				levels = append(levels, set.Level)
			}
		}
		if len(levels) != 1 {
			return fmt.Errorf("%s: file: %s does not hold the level that the card %s needs: name it as %s, with {NIVEAU} one of %s, or write level: under the dataset in %s",
				d.Where, filepath.Base(d.File), card.ID, strings.Join(card.Files, ", "), strings.Join(slices.Sorted(maps.Keys(card.Levels)), ", "), conventionsFile)
		}
		out.card, _ = card.AtWord(levels[0]) // checked with the conventions
	}
	if out.zones == nil {
		for _, set := range c.Datasets {
			if out.owedBy(&set) {
				out.zones = set.Zones
			}
		}
		if out.zones != nil {
			out.base = p.dir
		}
	}
	if out.zones != nil && card.LevelColumn != "" {
		return fmt.Errorf("%s: zones: the rows of %s are of several levels: zones of the partner's own are of one", d.Where, card.ID)
	}
	if level := out.card.Level; out.zones != nil && slices.ContainsFunc(p.Layers, func(l layerConfig) bool { return l.Level == level }) {
		return fmt.Errorf("%s: zones: the project has a layer of level %s already, that of the card %s: take zones away", d.Where, level, card.ID)
	}
	if c.Start != "" && d.Date < c.Start {
		return fmt.Errorf("%s: date: %s comes before the convention %s, which starts on %s", d.Where, d.Date, c.ID, c.Start)
	}
	p.deposits = append(p.deposits, out)
	return nil
}

// owedBy says whether the deposit is of a dataset: of its card, and of its level where it names one.
func (d *deposit) owedBy(set *ingest.Dataset) bool {
	return d.Card == set.Card && (set.Level == "" || strings.EqualFold(set.Level, d.card.Word()))
}

// orderDeposits finds which deposit supersedes which: the later of two for the same card, level, convention and millésime.
func (p *project) orderDeposits() error {
	slices.SortStableFunc(p.deposits, func(a, b *deposit) int {
		return cmp.Or(cmp.Compare(a.Convention, b.Convention), cmp.Compare(a.Card, b.Card), cmp.Compare(a.card.Word(), b.card.Word()), cmp.Compare(a.Millesime, b.Millesime),
			cmp.Compare(a.Date, b.Date), cmp.Compare(a.logical(), b.logical()))
	})
	same := func(a, b *deposit) bool {
		return a.Convention == b.Convention && a.Card == b.Card && a.card.Word() == b.card.Word() && a.Millesime == b.Millesime
	}
	var errs []error
	for i, d := range p.deposits {
		if d.Supersedes == "" {
			continue
		}
		path := d.Supersedes
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(d.path), path)
		}
		k := slices.IndexFunc(p.deposits, func(o *deposit) bool {
			return o != d && same(o, d) && (o.path == path || filepath.Base(o.path) == d.Supersedes)
		})
		switch {
		case k < 0:
			errs = append(errs, fmt.Errorf("%s: supersedes: no other deposit of %s for %d under %s has the file %s", d.Where, d.Card, d.Millesime, d.Convention, d.Supersedes))
		case p.deposits[k].Date > d.Date:
			errs = append(errs, fmt.Errorf("%s: supersedes: %s was handed in on %s, after this one (%s)", d.Where, d.Supersedes, p.deposits[k].Date, d.Date))
		case k > i: // of the same day
			p.deposits[i], p.deposits[k] = p.deposits[k], p.deposits[i]
		}
	}
	for i := 1; i < len(p.deposits); i++ {
		a, b := p.deposits[i-1], p.deposits[i]
		if !same(a, b) {
			continue
		}
		if a.Date == b.Date && b.Supersedes == "" {
			errs = append(errs, fmt.Errorf("%s: the same card, convention, millésime and day as %s: say which one replaces the other (supersedes: FILE)", b.Where, a.Where))
		}
		a.next = b
	}
	return errors.Join(errs...)
}

// expire marks the deposits whose convention ended before the day of the run, and says so.
func (p *project) expire(day string) []indicators.Alerte {
	out := map[string][]string{}
	for _, d := range p.deposits {
		if d.expired = d.convention.End < day; d.expired {
			out[d.Convention] = append(out[d.Convention], filepath.Base(d.path))
		}
	}
	var alertes []indicators.Alerte
	for _, c := range p.conventions {
		if files := out[c.ID]; files != nil {
			alertes = append(alertes, indicators.Alerte{ID: "convention:" + c.ID, Kind: "convention", Gravite: "attention", Objet: c.Partner,
				Convention: c.ID, Message: fmt.Sprintf("la convention %s a pris fin le %s : %d dépôt(s) exclus (%s) ; la renouveler, ou retirer les dépôts",
					c.ID, c.End, len(files), strings.Join(files, ", "))})
		}
	}
	return alertes
}

// ownZones are the zones of a deposit.
type ownZones struct {
	codes  map[string]bool
	names  map[string]string    // where the zones say them
	points map[string]orb.Point // in the legal projection; nil where the zones are areas
	layer  geo.Layer            // of areas
}

// readOwnZones reads the zones of the partners' own: areas become layers, points are kept to be counted.
func (a *app) readOwnZones(ctx context.Context, p *project, r *reading) ([]string, error) {
	epsg := 0
	for _, s := range r.sets {
		epsg = max(epsg, s.EPSG)
	}
	var errs []error
	var levels []string
	type areas struct {
		set         *geo.ZoneSet
		conventions []string
	}
	layers := map[geo.Layer]*areas{}
	stamped := map[string]bool{}
	for _, d := range p.deposits {
		if d.zones == nil || d.expired {
			continue
		}
		path := d.zones.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(d.base, path)
		}
		legal, err := geo.ByEPSG(epsg)
		if err != nil {
			return nil, refused{fmt.Errorf("%s: zones: no layer of the project is drawn: nothing says in which quarters they lie", d.Where)}
		}
		own, set, findings, err := d.readZones(ctx, path, legal)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: zones: %w", d.Where, err))
			continue
		}
		d.own = own
		r.findings = append(r.findings, findings...)
		if set != nil {
			l := layers[set.Layer]
			switch {
			case l == nil:
				layers[set.Layer] = &areas{set, []string{d.Convention}}
			case !stamped[path+string(set.Layer)]:
				l.set.Zones = append(l.set.Zones, set.Zones...)
				l.conventions = append(l.conventions, d.Convention)
			}
			if !slices.Contains(levels, set.Layer.Level()) {
				levels = append(levels, set.Layer.Level())
			}
		}
		if key := path + string(own.layer); !stamped[key] {
			stamped[key] = true
			sum, _, err := ingest.Digest(path)
			if err != nil {
				return nil, refused{err}
			}
			r.files = append(r.files, fileStamp{Layer: cmp.Or(own.layer, geo.Layer(d.card.Level)), File: filepath.Base(path), SHA256: sum, Zones: len(own.codes)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(layers)) {
		l := layers[name]
		slices.SortFunc(l.set.Zones, func(x, y geo.Zone) int { return cmp.Compare(x.Code, y.Code) })
		for i := 1; i < len(l.set.Zones); i++ {
			if l.set.Zones[i].Code == l.set.Zones[i-1].Code {
				errs = append(errs, fmt.Errorf("layer %s: two partners give a zone %s: begin their codes with the partner's name", name, l.set.Zones[i].Code))
			}
		}
		l.set.Source = indicators.RestrictedLayer(slices.Compact(slices.Sorted(slices.Values(l.conventions)))...)
		r.sets = append(r.sets, *l.set)
	}
	if len(errs) > 0 {
		return nil, refused{errors.Join(errs...)}
	}
	slices.SortFunc(r.sets, func(x, y geo.ZoneSet) int { return cmp.Compare(x.Layer, y.Layer) })
	slices.Sort(levels)
	return levels, nil
}

// readZones reads the zones of a deposit: a layer of areas, or points.
func (d *deposit) readZones(ctx context.Context, path string, legal geo.CRS) (*ownZones, *geo.ZoneSet, []ingest.Finding, error) {
	if d.zones.X != "" {
		own, err := d.readPlaces(ctx, path, legal)
		return own, nil, nil, err
	}
	fs, err := ingest.ReadFeatures(ctx, path, d.zones.Layer)
	if err != nil {
		return nil, nil, nil, err
	}
	ids, column, err := fs.IDs(d.zones.Code)
	if err != nil {
		return nil, nil, nil, err
	}
	own := &ownZones{codes: map[string]bool{}, names: map[string]string{}}
	name := -1
	if d.zones.Name != "" {
		if name, err = fs.Column(d.zones.Name); err != nil {
			return nil, nil, nil, err
		}
	}
	areas, places := 0, 0
	var bad []error
	for i, id := range ids {
		own.codes[id] = true
		row := &fs.Rows[i]
		if name >= 0 {
			own.names[id] = strings.TrimSpace(row.Cell(name))
		}
		switch {
		case row.Geom != nil:
			areas++
		case len(row.Points) == 1:
			places++
			if own.points == nil {
				own.points = map[string]orb.Point{}
			}
			pt := row.Points[0]
			if fs.CRS.EPSG != legal.EPSG {
				pt[0], pt[1] = legal.Forward(fs.CRS.Inverse(pt[0], pt[1]))
			}
			own.points[id] = pt
		default:
			bad = append(bad, fmt.Errorf("%s: row %d: %s has %d points: give it one", path, row.Row, id, len(row.Points)))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, nil, nil, err
	}
	switch {
	case areas > 0 && places > 0:
		return nil, nil, nil, fmt.Errorf("%s: %d areas and %d points: give one kind only", path, areas, places)
	case places > 0:
		return own, nil, nil, nil
	}
	own.layer = geo.Layer(fmt.Sprintf("%s-%d", d.card.Level, d.vintage()))
	card := &ingest.Card{ID: "zones", Kind: "layer", Level: d.card.Level, Code: []string{column}, Title: d.card.Level}
	if d.zones.Name != "" {
		card.Name = []string{d.zones.Name}
	}
	card.Layout.Sheet = d.zones.Layer
	set, findings, err := ingest.ReadLayerIn(ctx, path, card, own.layer, legal.EPSG)
	return own, set, findings, err
}

// vintage is that of the card, or the year the deposit answers for.
func (d *deposit) vintage() int { return cmp.Or(d.card.Vintage.Fixed, d.Millesime) }

// readPlaces reads points from two columns of a table.
func (d *deposit) readPlaces(ctx context.Context, path string, legal geo.CRS) (*ownZones, error) {
	f := &facilityFile{facilityReader: &facilityReader{legal: legal}, path: path, base: filepath.Base(path), code: -1, name: -1, theme: -1,
		cfg: facilitiesConfig{File: path, Code: d.zones.Code, Name: d.zones.Name, X: d.zones.X, Y: d.zones.Y, CRS: d.zones.CRS}}
	own := &ownZones{codes: map[string]bool{}, names: map[string]string{}, points: map[string]orb.Point{}}
	err := f.readRows(ctx, func(line int, cell func(int) string, system geo.CRS, pt orb.Point) {
		code := strings.Trim(cell(f.code), " \t\u00a0\u202f")
		switch {
		case code == "":
			f.reject(line, f.code, "empty: give the place the code that the deposit names it by")
			return
		case own.codes[code]:
			f.reject(line, f.code, "%q is there already: keep one of the two rows", code)
			return
		}
		if system.EPSG != legal.EPSG {
			pt[0], pt[1] = legal.Forward(system.Inverse(pt[0], pt[1]))
		}
		own.codes[code], own.points[code] = true, pt
		if f.name >= 0 {
			own.names[code] = strings.TrimSpace(cell(f.name))
		}
	})
	if f.unplaced.n > 0 {
		err = errors.Join(err, fmt.Errorf("%s: rows %s have no coordinates: nothing says in which quarters they lie", path, &f.unplaced))
	}
	return own, errors.Join(err, errors.Join(f.bad...))
}

// scope keeps the zones of the deposit, where they are its own; those of the project else, when it holds their level.
func (d *deposit) scope(project tableScope, held bool) tableScope {
	switch {
	case d.own != nil:
		var codes []string
		for code := range d.own.codes {
			codes = append(codes, code)
		}
		slices.Sort(codes)
		return tableScope{Scope: ingest.Scope{
			Known:  func(_ string, _ int, code string) bool { return d.own.codes[code] },
			Strict: func(string, int) bool { return true },
		}, digest: hashOf(codes...)}
	case !held: // zones known by their codes alone
		return tableScope{digest: "all"}
	}
	return project
}

// settleDeposits gives the columns of the deposits their convention, counts points into the zones they lie in, withholds
// small counts, and sets aside the deposits that another supersedes. The sources say what became of each.
func (p *project) settleDeposits(sources []indicators.Source, columns []indicators.Column, sets []geo.ZoneSet, overlaps []indicators.OverlapSet) (
	[]indicators.Source, []indicators.Column, error) {

	counts := countedVariables(p.definitions)
	given := map[string][]indicators.Column{}
	whole := func(id string) string { // of a reading of one level
		id, _, _ = strings.Cut(id, "#")
		return id
	}
	var out []indicators.Column
	byID := map[string]*deposit{}
	for _, d := range p.deposits {
		byID[d.logical()] = d
	}
	for _, c := range columns {
		if byID[whole(c.Source)] == nil {
			out = append(out, c)
			continue
		}
		given[whole(c.Source)] = append(given[whole(c.Source)], c)
	}
	remark := func(id, format string, args ...any) {
		if i := slices.IndexFunc(sources, func(s indicators.Source) bool { return whole(s.ID) == id }); i >= 0 {
			sources[i].Remarques = append(slices.Clone(sources[i].Remarques), fmt.Sprintf(format, args...))
		}
	}
	var errs []error
	// The figures of a convention are protected together; those counted from points, of which each is known, by themselves.
	disclosures := map[string]*indicators.Disclosure{}
	for _, d := range p.deposits {
		id := d.logical()
		if d.expired {
			src := indicators.Source{ID: id, Card: d.card.ID, CardHash: d.card.Hash, Title: d.card.Title, Producer: d.card.Producer,
				Licence: d.card.Licence, File: filepath.Base(d.path), Level: d.card.Level, Convention: d.Convention, Depose: d.Date,
				Remarques: []string{fmt.Sprintf("exclu : la convention %s a pris fin le %s", d.Convention, d.convention.End)}}
			sources = append(sources, src)
			continue
		}
		cols := given[id]
		if !slices.ContainsFunc(cols, func(c indicators.Column) bool { return c.Millesime == d.Millesime }) {
			errs = append(errs, fmt.Errorf("%s: millesime: %d, while the figures of %s are of %s: correct it, or the rule for the year in the card %s",
				d.Where, d.Millesime, d.path, yearsOf(cols), d.card.ID))
			continue
		}
		if d.next != nil {
			changed, added, gone := differences(cols, given[d.next.logical()])
			what := fmt.Sprintf("%d chiffre(s) diffèrent, %d ajouté(s), %d retiré(s)", changed, added, gone)
			remark(id, "remplacé par le dépôt du %s : %s", d.next.Date, what)
			remark(d.next.logical(), "remplace le dépôt du %s : %s", d.Date, what)
			continue
		}
		for i := range cols {
			cols[i].Convention = d.Convention
			if d.own != nil {
				cols[i].Vintage = d.vintage()
			}
		}
		told := disclosures[d.Convention]
		if told == nil {
			told = &indicators.Disclosure{Totals: map[string][]string{}}
		}
		if d.own != nil && d.own.points != nil {
			sums, parts, nestings, left, err := d.sumPoints(cols, counts, sets, p.studied(), p.References)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			if len(left) > 0 {
				remark(id, "non portés aux quartiers, faute d'être des effectifs qui s'additionnent : %s", strings.Join(left, ", "))
			}
			told = &indicators.Disclosure{Columns: sums, Nestings: nestings, Totals: map[string][]string{}}
			if slices.Contains(d.convention.Detail, d.card.Level) { // shown place by place only where the convention says so
				told.Columns = append(told.Columns, cols...)
			} else {
				told.Parts = parts
			}
			disclosures[id] = told
		} else {
			if d.convention.Dominance != nil || d.convention.P > 0 {
				remark(id, "règle de dominance non vérifiable : le dépôt ne dit pas qui contribue à chaque effectif")
			}
			told.Columns = append(told.Columns, cols...)
			disclosures[d.Convention] = told
		}
		told.Rule = d.convention.Rule()
		maps.Copy(told.Totals, d.card.Totals)
	}
	open := out
	for _, name := range slices.Sorted(maps.Keys(disclosures)) {
		told := disclosures[name]
		told.Open, told.Counted, told.Definitions = open, counts, p.definitions
		if told.Nestings == nil {
			told.Nestings = nestings(sets, overlaps, told.Columns)
		}
		withheld, exposed := told.Withhold()
		for _, source := range slices.Sorted(maps.Keys(withheld)) {
			remark(whole(source), "%d chiffre(s) masqué(s), sous le seuil de %d de la convention ou pour ne pas les laisser retrouver", withheld[source], told.Rule.Threshold)
		}
		if exposed > 0 {
			for _, source := range slices.Sorted(maps.Keys(withheld)) {
				remark(whole(source), "des données ouvertes laissent approcher %d petit(s) effectif(s), bien que tout ce qui peut l'être soit masqué", exposed)
			}
		}
		out = append(out, told.Columns...)
	}
	slices.SortFunc(sources, func(x, y indicators.Source) int { return cmp.Compare(x.ID, y.ID) })
	if len(errs) > 0 {
		return nil, nil, refused{errors.Join(errs...)}
	}
	return sources, out, nil
}

func yearsOf(cols []indicators.Column) string {
	var years []string
	for _, c := range cols {
		if y := indicators.LabelMillesime(c.Millesime); !slices.Contains(years, y) {
			years = append(years, y)
		}
	}
	return cmp.Or(strings.Join(years, ", "), "no year: it holds none")
}

// differences counts the figures that changed between two versions of a deposit, were added, or are gone.
func differences(old, new []indicators.Column) (changed, added, gone int) {
	type cell struct {
		variable, sexe, code string
		millesime            int
	}
	type figure struct {
		v float64
		s indicators.Statut
	}
	read := func(cols []indicators.Column) map[cell]figure {
		out := map[cell]figure{}
		for _, c := range cols {
			for i, code := range c.Codes {
				out[cell{c.Variable, c.Sexe, code, c.Millesime}] = figure{c.V[i], c.Statut[i]}
			}
		}
		return out
	}
	was, is := read(old), read(new)
	for at, f := range is {
		before, held := was[at]
		switch {
		case !held:
			added++
		case before != f:
			changed++
		}
	}
	for at := range was {
		if _, held := is[at]; !held {
			gone++
		}
	}
	return changed, added, gone
}

// readRegisters reads the indicators that the registers handed in define.
func (p *project) readRegisters(ctx context.Context) ([]indicators.Definition, error) {
	var defs []indicators.Definition
	var errs []error
	from := map[string]string{} // the years and levels of a card are one register
	for _, d := range p.definitions {
		from[d.ID] = indicatorsFile
	}
	for _, d := range p.deposits {
		if d.card.Register == nil || d.expired || d.next != nil {
			continue
		}
		for _, level := range d.card.LevelsOf(filepath.Base(d.path)) {
			list, err := ingest.ReadRegister(ctx, d.path, d.card.At(level))
			if err != nil {
				errs = append(errs, err)
				break
			}
			for _, def := range list {
				switch other := from[def.ID]; {
				case other == "":
					from[def.ID] = d.card.ID
					defs = append(defs, def)
				case other != d.card.ID:
					errs = append(errs, fmt.Errorf("%s: %s is an indicator of %s already: give it a key of its own", d.path, def.ID, other))
				default: // of another year or level: the same label and unit, or it is another indicator
					i := slices.IndexFunc(defs, func(x indicators.Definition) bool { return x.ID == def.ID })
					if defs[i].Label != def.Label || defs[i].Unit != def.Unit {
						errs = append(errs, fmt.Errorf("%s: %s is %q (%s) here, %q (%s) in another year or at another level: one key is one indicator: give one of the two a key of its own",
							d.path, def.ID, def.Label, def.Unit, defs[i].Label, defs[i].Unit))
						continue
					}
					for _, s := range def.Sexes {
						if !slices.Contains(defs[i].Sexes, s) {
							defs[i].Sexes = append(defs[i].Sexes, s)
						}
					}
					defs[i].Decimals = max(defs[i].Decimals, def.Decimals)
				}
			}
		}
	}
	if len(errs) > 0 {
		return nil, refused{errors.Join(errs...)}
	}
	return defs, nil
}

// countedVariables are the variables that count units: a term of a ratio, what adds up, and what a register counts.
func countedVariables(defs []indicators.Definition) map[string]bool {
	out := map[string]bool{}
	for _, d := range defs {
		for _, list := range [][]string{d.Numerator, d.Denominator} {
			for _, v := range list {
				out[v] = true
			}
		}
		register := d.Registre && d.Unit == "nombre" && !strings.HasSuffix(d.ID, ingest.TargetSuffix)
		if d.Value != "" && (d.Rule == indicators.Somme || register) {
			out[d.Value] = true
		}
	}
	return out
}

// nestings says which zones that figures are given for lie in which: as their contours say, else their codes.
func nestings(sets []geo.ZoneSet, overlaps []indicators.OverlapSet, columns []indicators.Column) []indicators.Nesting {
	const inside = 0.98 // contours of two layers never match exactly
	type division struct {
		level   string
		vintage int
	}
	codes := map[division]map[string]bool{}
	for _, c := range columns {
		at := division{c.Level, c.Vintage}
		if codes[at] == nil {
			codes[at] = map[string]bool{}
		}
		for _, code := range c.Codes {
			codes[at][code] = true
		}
	}
	setOf := func(d division) *geo.ZoneSet {
		var found *geo.ZoneSet
		for i := range sets {
			if s := &sets[i]; s.Layer.Level() == d.level && (s.Layer.Vintage() == d.vintage || found == nil) {
				found = s
			}
		}
		return found
	}
	divisions := slices.SortedFunc(maps.Keys(codes), func(x, y division) int {
		return cmp.Or(cmp.Compare(x.level, y.level), cmp.Compare(x.vintage, y.vintage))
	})
	var out []indicators.Nesting
	for _, outer := range divisions {
		for _, inner := range divisions {
			if outer == inner {
				continue
			}
			to, from := setOf(outer), setOf(inner)
			in := map[string][]string{} // outer → inner
			for i := range overlaps {
				o := &overlaps[i]
				if to == nil || from == nil || o.From == o.To {
					continue
				}
				for _, pair := range o.Pairs {
					switch {
					case o.From == from.Layer && o.To == to.Layer && pair.ShareFrom >= inside:
						in[to.Zones[pair.To].Code] = append(in[to.Zones[pair.To].Code], from.Zones[pair.From].Code)
					case o.To == from.Layer && o.From == to.Layer && pair.ShareTo >= inside:
						in[to.Zones[pair.From].Code] = append(in[to.Zones[pair.From].Code], from.Zones[pair.To].Code)
					}
				}
			}
			for code := range codes[outer] {
				var members []string
				commune := func(z string) string {
					switch {
					case inner.level == "commune":
						return z
					case inner.level == "iris" && len(z) == 9:
						return z[:5]
					case from != nil:
						if i, ok := from.Index(z); ok {
							return from.Zones[i].Commune
						}
					}
					return ""
				}
				if to != nil {
					if i, ok := to.Index(code); ok {
						members = to.Zones[i].Members
					}
				}
				for z := range codes[inner] {
					c := commune(z)
					if c != "" && (outer.level == "commune" && inner.level != "commune" && c == code || slices.Contains(members, c) ||
						outer.level == "departement" && strings.HasPrefix(c, code)) {
						in[code] = append(in[code], z)
					}
				}
			}
			for _, code := range slices.Sorted(maps.Keys(in)) {
				if !codes[outer][code] {
					continue
				}
				n := indicators.Nesting{Outer: indicators.Place{Level: outer.level, Vintage: outer.vintage, Code: code}}
				list := slices.Compact(slices.Sorted(slices.Values(in[code])))
				for _, z := range list {
					if !codes[inner][z] {
						continue
					}
					place := indicators.Place{Level: inner.level, Vintage: inner.vintage, Code: z}
					if strings.HasPrefix(inner.level, levelVecu) { // these may lie across each other
						out = append(out, indicators.Nesting{Outer: n.Outer, Inner: []indicators.Place{place}})
						continue
					}
					n.Inner = append(n.Inner, place)
				}
				if n.Inner != nil {
					out = append(out, n)
				}
			}
		}
	}
	return out
}

// sumPoints counts the figures of points into the zones they lie in: quarters, communes, the perimeter. It returns the sums,
// all of them, with the counts they are made of and which lie in which zone; and the variables that do not add up.
func (d *deposit) sumPoints(cols []indicators.Column, counted map[string]bool, sets []geo.ZoneSet, studied, references []string) (
	made, parts []indicators.Column, nestings []indicators.Nesting, left []string, err error) {

	var layers []*geo.ZoneSet
	for i := range sets {
		set := &sets[i]
		level := set.Layer.Level()
		buffer := strings.HasPrefix(level, levelVecu+"_") // nested by construction: they would give quarters away
		if !set.Drawn() || buffer || !slices.Contains(studied, level) && !slices.Contains(references, level) ||
			d.convention.Detail != nil && !slices.Contains(d.convention.Detail, level) {
			continue
		}
		layers = append(layers, set)
	}
	for i := range cols {
		if c := &cols[i]; counted[c.Variable] {
			parts = append(parts, *c)
		} else if !slices.Contains(left, c.Variable) {
			left = append(left, c.Variable)
		}
	}
	var bad []error
	type cell struct {
		variable, code string
		millesime      int
	}
	sexes := map[cell]map[string]float64{}
	given := map[string]bool{}
	for _, c := range parts {
		for i, code := range c.Codes {
			given[code] = true
			if c.Statut[i] != indicators.Disponible {
				continue
			}
			v := c.V[i]
			if v != math.Trunc(v) || v < 0 || v > math.MaxInt32 {
				bad = append(bad, fmt.Errorf("%s: %s, %s: %s is not a count: a whole number, or take it out of the indicators that add up", d.path, code, c.Header,
					strconv.FormatFloat(v, 'f', -1, 64)))
				continue
			}
			at := cell{c.Variable, code, c.Millesime}
			if sexes[at] == nil {
				sexes[at] = map[string]float64{}
			}
			if sexes[at][c.Sexe] = v; len(sexes[at]) > 1 {
				if total, ok := sexes[at]["T"]; ok && sexes[at]["F"]+sexes[at]["H"] > total {
					bad = append(bad, fmt.Errorf("%s: %s, %s: the women and the men are more than all: correct one of the three", d.path, code, c.Header))
				}
			}
		}
	}
	inside := map[geo.Layer]map[string][]int{} // points → positions of the zones they lie in
	for _, set := range layers {
		in := map[string][]int{}
		inside[set.Layer] = in
		locator := geo.NewLocator(set)
		held := make([][]indicators.Place, len(set.Zones))
		for _, code := range slices.Sorted(maps.Keys(d.own.points)) {
			if !given[code] {
				continue
			}
			pt := d.own.points[code]
			in[code] = locator.All(nil, pt[0], pt[1])
			for _, z := range in[code] {
				held[z] = append(held[z], indicators.Place{Level: d.card.Level, Vintage: d.vintage(), Code: code})
			}
		}
		for z, zone := range set.Zones {
			if held[z] != nil {
				nestings = append(nestings, indicators.Nesting{Outer: indicators.Place{Level: set.Layer.Level(), Vintage: set.Layer.Vintage(), Code: zone.Code}, Inner: held[z], Whole: true})
			}
		}
	}
	for _, c := range parts {
		for _, set := range layers {
			col := c
			col.Level, col.Vintage, col.Somme, col.Codes, col.V, col.Statut, col.Ref, col.Signale, col.Corrections = set.Layer.Level(), set.Layer.Vintage(), true, nil, nil, nil, nil, nil, nil
			col.V, col.Statut = make([]float64, len(set.Zones)), make([]indicators.Statut, len(set.Zones))
			for _, zone := range set.Zones {
				col.Codes = append(col.Codes, zone.Code)
			}
			for i, code := range c.Codes {
				for _, z := range inside[set.Layer][code] {
					switch st := c.Statut[i]; {
					case st == indicators.Disponible:
						col.V[z] += c.V[i]
					case st == indicators.Secret || col.Statut[z] == indicators.Secret:
						col.Statut[z] = indicators.Secret
					default:
						col.Statut[z] = indicators.NonDisponible
					}
				}
			}
			for z, st := range col.Statut {
				if st != indicators.Disponible {
					col.V[z] = 0
				}
			}
			made = append(made, col)
		}
	}
	return made, parts, nestings, left, errors.Join(bad...)
}

// details are the levels at which the figures of each convention may be shown.
func (p *project) details() map[string][]string {
	out := map[string][]string{}
	for _, c := range p.conventions {
		if c.Detail != nil {
			out[c.ID] = c.Detail
		}
	}
	return out
}

// A conventionStamp is what an edition keeps of a convention. The day of the run is not in it: only whether the
// convention had ended.
type conventionStamp struct {
	ID         string   `json:"id"`
	Partner    string   `json:"partenaire"`
	Purpose    string   `json:"finalite"`
	Recipients []string `json:"destinataires"`
	Threshold  int      `json:"seuil"`
	Detail     []string `json:"niveaux,omitempty"`
	End        string   `json:"fin"`
	Ended      bool     `json:"echue,omitempty"`
	Deposits   int      `json:"depots"`
}

// conventionStamps are those of the conventions under which something was handed in.
func (p *project) conventionStamps() []conventionStamp {
	var out []conventionStamp
	for _, c := range p.conventions {
		n, ended := 0, false
		for _, d := range p.deposits {
			if d.Convention == c.ID {
				n, ended = n+1, d.expired
			}
		}
		if n > 0 {
			out = append(out, conventionStamp{c.ID, c.Partner, c.Purpose, c.Recipients, c.Threshold, c.Detail, c.End, ended, n})
		}
	}
	return out
}
