package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

func (a *app) runCmd() *cobra.Command {
	var publish, strict bool
	var by, day string
	c := &cobra.Command{
		Use:     "run",
		Aliases: []string{"executer"},
		Short:   "Read the sources, measure the overlaps, make the indicators: a draft edition",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				if _, err := time.Parse(time.DateOnly, day); err != nil {
					return usage{fmt.Errorf("--date %s: write a day as AAAA-MM-JJ, such as 2026-12-31", day)}
				}
				p.day = day
				e, err := a.run(ctx, p, st)
				if err != nil {
					return err
				}
				if publish {
					if err := a.publish(ctx, p, st, e, by); err != nil {
						return err
					}
				}
				fmt.Fprintln(a.stdout, e.ID)
				if strict && slices.ContainsFunc(e.Alertes, func(x indicators.Alerte) bool { return x.Gravite != "information" }) {
					return errWarnings
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&publish, "publish", false, "publish the edition at once")
	c.Flags().StringVar(&by, "by", envOr("USER", ""), "who publishes")
	c.Flags().StringVar(&day, "date", envOr("OBSERVATOIRE_DATE", time.Now().Format(time.DateOnly)),
		"day of the run, AAAA-MM-JJ: conventions and corrections that ended before it do not count")
	c.Flags().BoolVar(&strict, "strict", false, "exit with code 4 when something deserves a look")
	return c
}

// withStore opens the project and its store for the time of f.
func (a *app) withStore(ctx context.Context, f func(context.Context, *project, store.Store) error) (err error) {
	p, err := loadProject(a.dir)
	if err != nil {
		return err
	}
	return a.openStore(ctx, p, f)
}

func (a *app) openStore(ctx context.Context, p *project, f func(context.Context, *project, store.Store) error) (err error) {
	url := p.Store
	if a.storeURL != "" {
		url = a.storeURL
	}
	st, err := store.Open(ctx, url, p.dir)
	if err != nil {
		return fullStore(err, url, p.dir)
	}
	defer func() { err = fullStore(errors.Join(err, st.Close()), url, p.dir) }()
	p.store = st
	return f(ctx, p, st)
}

// run walks the whole path once: layers, overlaps, tables, indicators, and the edition they make. Whatever
// fails, nothing that is published moves, and the store holds what it held.
func (a *app) run(ctx context.Context, p *project, st store.Store) (_ *indicators.Edition, err error) {
	start := time.Now()
	var taken intake
	defer func() {
		if err != nil { // a refusal at any step: what the run added goes
			err = errors.Join(p.place(err), drop(context.WithoutCancel(ctx), st, taken.added))
		}
	}()
	if err := p.ready(); err != nil {
		return nil, refused{err}
	}
	a.say("%s", p.Title)
	p.day = cmp.Or(p.day, time.Now().Format(time.DateOnly))
	guards, ownGuards, err := p.guards()
	if err != nil {
		return nil, refused{err}
	}
	comments, err := p.written(guards) // before anything is read
	if err != nil {
		return nil, refused{err}
	}
	ended := p.expire(p.day)
	layers, err := a.readLayers(ctx, p)
	if err != nil {
		return nil, err
	}
	alerts, err := a.compareVintages(ctx, layers.sets)
	if err != nil {
		return nil, err
	}
	if err := p.keepStudied(ctx, layers); err != nil {
		return nil, err
	}
	if err := p.bufferQuarters(layers); err != nil {
		return nil, err
	}
	facilities, err := a.readFacilities(ctx, p, layers)
	if err != nil {
		return nil, err
	}
	own, err := a.readOwnZones(ctx, p, layers)
	if err != nil {
		return nil, err
	}
	overlaps, err := measureOverlaps(ctx, p, layers.sets, own)
	if err != nil {
		return nil, err
	}
	a.say("overlaps: %d pairs between %d layers (%s)", countPairs(overlaps), len(layers.sets), since(start))

	people, err := a.weighPeople(ctx, p, layers, overlaps)
	if err != nil {
		return nil, err
	}
	registers, err := p.readRegisters(ctx) // before the store takes anything
	if err != nil {
		return nil, err
	}
	passages, found, passed, err := p.readPassages()
	if err != nil {
		return nil, err
	}
	alerts = append(alerts, found...)
	corrected, err := p.loadCorrections()
	if err != nil {
		return nil, refused{err}
	}
	ids, err := a.readTables(ctx, p, st, layers.sets, passages, &taken)
	if err != nil {
		return nil, err
	}
	p.definitions = slices.Concat(p.definitions, registers)
	tables, err := p.loadTables(ctx, st, ids, corrected, &taken)
	if err != nil {
		return nil, err
	}
	sources, columns, read := tables.sources, tables.columns, columnDigests(tables.columns)
	uncorrected, corrections, err := p.correct(corrected, sources, columns)
	if err != nil {
		return nil, err
	}
	sources, columns, err = p.settleDeposits(sources, columns, layers.sets, overlaps)
	if err != nil {
		return nil, err
	}
	a.say("tables: %d files, %d measured columns, %d of them in use (%s)", len(sources), len(columns)+tables.idle, len(columns), since(start))
	alerts = append(alerts, strays(passages, columns, layers.sets)...)
	columns, found = indicators.Carry(columns, passages, p.definitions)
	alerts = append(alerts, found...)

	sets := indicators.CompleteLayers(layers.sets, columns, p.GeographyAs)
	derogations, err := p.derogations(guards, sets)
	if err != nil {
		return nil, refused{err}
	}
	if err := p.strangers(comments, sets); err != nil {
		return nil, refused{err}
	}
	result, err := indicators.Compute(indicators.Input{
		Layers: sets, Overlaps: overlaps, People: people, Columns: columns, Sources: sources, Definitions: p.definitions, Compared: tables.compared,
		Studied: p.studied(), References: p.References, Communes: p.Scope.Communes, Methods: p.Methods,
		Comparisons: p.comparisons(), GeographyAs: p.GeographyAs, Own: own, Detail: p.details(),
		Since: p.since(), Guards: guards, Derogations: derogations,
	})
	if err != nil {
		file := filepath.Join(p.dir, projectFile) + ": "
		return nil, refused{errors.New(file + strings.ReplaceAll(err.Error(), "\n", "\n"+file))}
	}
	e := &indicators.Edition{Title: p.Title, Layers: sets, Overlaps: overlaps, Indicators: result.Indicators,
		Values: result.Values, Ecarts: result.Ecarts, Sources: sources, Alertes: result.Alertes, Equipements: facilities,
		Evolutions: result.Evolutions, Rangs: result.Rangs, EcartsSexe: result.EcartsSexe, Concentrations: result.Concentrations, Calibrations: result.Calibrations}
	for _, s := range sets {
		e.Schematic = e.Schematic || s.Schematic
	}
	for _, x := range e.Alertes {
		if x.Kind == "copie" {
			a.say("warning: %s: the same figures under two years; see `observatoire review`", x.Objet)
		}
	}
	e.Alertes = append(e.Alertes, alerts...)
	cards := map[string]string{}
	for _, s := range sources {
		cards[s.ID] = s.Card
	}
	for _, g := range guards {
		if slices.Contains(ownGuards, g.ID) {
			x := indicators.Alerte{ID: "garde:" + g.ID, Kind: "garde", Gravite: "information", Objet: g.ID,
				Message: fmt.Sprintf("garde du projet : %s (%s)", g.Sentence, g.Source)}
			if !slices.ContainsFunc(columns, func(c indicators.Column) bool {
				complementary := c.Exploitation == "complementaire"
				return g.Applies(cards[c.Source], c.Variable, c.Census, complementary) || slices.ContainsFunc(p.definitions, func(d indicators.Definition) bool {
					return slices.Contains(d.Variables(), c.Variable) && g.Applies(cards[c.Source], d.ID, c.Census, complementary)
				})
			}) {
				x.Gravite = "attention"
				x.Message += fmt.Sprintf(" ; elle ne concerne aucun chiffre du projet : voir ses variables (%s) et ses fiches (%s) dans %s",
					cmp.Or(strings.Join(g.Variables, ", "), "toutes"), cmp.Or(strings.Join(g.Cards, ", "), "toutes"), guardsFile)
			}
			e.Alertes = append(e.Alertes, x)
		}
	}
	for _, d := range derogations {
		e.Alertes = append(e.Alertes, indicators.Alerte{ID: "derogation:" + d.Garde + ":" + d.Portee, Kind: "derogation", Gravite: "information", Objet: d.Portee,
			Message: fmt.Sprintf("garde %s levée pour %s par %s le %s : %s", d.Garde, d.Portee, d.Auteur, d.Date, d.Motif)})
	}
	for _, f := range layers.findings {
		e.Alertes = append(e.Alertes, alerteOf(f))
	}
	locked, err := p.checkLock()
	if err != nil {
		return nil, refused{err}
	}
	e.Alertes = slices.Concat(e.Alertes, locked, ended, uncorrected)
	commented(e, comments)
	slices.SortFunc(e.Alertes, func(x, y indicators.Alerte) int { return cmp.Compare(x.ID, y.ID) })
	e.Alertes = slices.CompactFunc(e.Alertes, func(x, y indicators.Alerte) bool { return x.ID == y.ID })
	var waived []indicators.Decision
	for _, d := range derogations {
		waived = append(waived, d.Waiver())
	}
	if e.Decisions, err = p.decided(e, waived); err != nil {
		return nil, err
	}
	available, open := 0, 0
	for _, v := range e.Values {
		if v.Retenue && v.Statut == indicators.Disponible {
			available++
			if v.Convention == "" {
				open++
			}
		}
	}
	if open == 0 {
		return nil, refused{p.noFigure(tables.open)}
	}
	if err := p.manifest(e, makings{layers.files, passed, read, guards, derogations, corrections}); err != nil {
		return nil, err
	}
	if err := st.PutEdition(ctx, e); err != nil {
		return nil, err
	}
	taken.added = nil
	if err := drop(ctx, st, taken.unused); err != nil {
		return nil, err
	}
	a.say("indicators: %d, with %d figures shown and %d gaps (%s)", len(e.Indicators), available, countGaps(e), since(start))
	list, err := st.Editions(ctx)
	if err != nil {
		return nil, err
	}
	for _, known := range list {
		switch {
		case known.ID == e.ID && known.Etat != indicators.Brouillon:
			a.say("edition %s: unchanged, %s on %s", e.ID, stateEnglish(known.Etat), known.PublieeLe)
			return e, nil
		case known.ID != e.ID && known.Etat == indicators.Brouillon:
			a.say("edition %s: an older draft, left as it is", known.ID)
		}
	}
	a.say("edition %s: draft; `observatoire review` lists %d things to look at", e.ID, len(e.Alertes))
	return e, nil
}

func stateEnglish(s indicators.Etat) string {
	if s == indicators.Publiee {
		return "published"
	}
	return "published before,"
}

func since(t time.Time) string { return time.Since(t).Round(10 * time.Millisecond).String() }

func countPairs(sets []indicators.OverlapSet) int {
	n := 0
	for _, s := range sets {
		n += len(s.Pairs)
	}
	return n
}

func countGaps(e *indicators.Edition) int {
	n := 0
	for _, x := range e.Ecarts {
		if x.Statut == indicators.Disponible {
			n++
		}
	}
	return n
}

// A reading is the layers of a run, the files they came from, and what the readers mended or noticed.
type reading struct {
	sets     []geo.ZoneSet // ordered by layer
	files    []fileStamp
	findings []ingest.Finding
}

// A fileStamp says which bytes a layer was read from.
type fileStamp = indicators.FileStamp

func (r *reading) layer(l geo.Layer) *geo.ZoneSet {
	for i := range r.sets {
		if r.sets[i].Layer == l {
			return &r.sets[i]
		}
	}
	return nil
}

// communes is the latest layer of communes that has contours, or nil.
func (r *reading) communes() *geo.ZoneSet {
	for i := range slices.Backward(r.sets) {
		if r.sets[i].Layer.Level() == "commune" && r.sets[i].Drawn() {
			return &r.sets[i]
		}
	}
	return nil
}

// readLayers reads every layer of the project, then dissolves those that are made of communes. Every bad
// layer is reported before it gives up.
func (a *app) readLayers(ctx context.Context, p *project) (*reading, error) {
	r := &reading{}
	var errs []error
	var read []layerRead
	territory := p.territory()
	for _, l := range p.withDrawn() {
		if l.File == "" && l.Table == "" || p.Weights != nil && l.layer() == p.Weights.Layer {
			continue
		}
		one, err := p.readLayer(ctx, l, territory)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		read = append(read, one)
	}
	if territory == 0 && len(errs) == 0 {
		errs = append(errs, p.settle(ctx, read)...)
	}
	for _, one := range read {
		a.say("layer %s: %d zones from %s", one.set.Layer, len(one.set.Zones), one.stamp.File)
		for _, f := range one.findings {
			if f.Kind == "projection" {
				a.say("layer %s: %s", one.set.Layer, f.Message)
			}
		}
		r.sets = append(r.sets, *one.set)
		r.files = append(r.files, one.stamp)
		r.findings = append(r.findings, one.findings...)
	}
	if len(errs) == 0 {
		for _, l := range p.Layers {
			if l.Dissolve == "" {
				continue
			}
			set, err := p.dissolve(r, l)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			r.sets = append(r.sets, *set)
		}
	}
	if len(errs) > 0 {
		return nil, refused{errors.Join(errs...)}
	}
	slices.SortFunc(r.sets, func(x, y geo.ZoneSet) int { return cmp.Compare(x.Layer, y.Layer) })
	for i := 1; i < len(r.sets); i++ {
		if r.sets[i].Layer == r.sets[i-1].Layer {
			return nil, refused{fmt.Errorf("%s: layers: %s is given twice", filepath.Join(p.dir, projectFile), r.sets[i].Layer)}
		}
	}
	epsg := 0
	for _, s := range r.sets {
		if s.EPSG != 0 && epsg != 0 && s.EPSG != epsg {
			return nil, refused{fmt.Errorf("layer %s is in EPSG:%d, others in EPSG:%d: a project holds one territory", s.Layer, s.EPSG, epsg)}
		}
		epsg = max(epsg, s.EPSG)
	}
	for i := range r.sets { // a layer of codes alone is of the same territory
		r.sets[i].EPSG = epsg
	}
	return r, nil
}

// A layerRead is a layer as its file gave it.
type layerRead struct {
	config   layerConfig
	set      *geo.ZoneSet
	findings []ingest.Finding
	stamp    fileStamp
}

// spread says whether zones of other territories were left out of the layer.
func (r *layerRead) spread() bool {
	return slices.ContainsFunc(r.findings, func(f ingest.Finding) bool { return f.Kind == "projection" })
}

// territory is the legal projection of the communes studied, 0 when the project names none or they are of several.
func (p *project) territory() int {
	epsg := 0
	for i, code := range p.Scope.Communes {
		of := 2154
		switch {
		case strings.HasPrefix(code, "973"):
			of = 2972
		case strings.HasPrefix(code, "974"):
			of = 2975
		case strings.HasPrefix(code, "976"):
			of = 4471
		case strings.HasPrefix(code, "987"):
			of = 3297
		case strings.HasPrefix(code, "97"): // Guadeloupe, Martinique, Saint-Barthélemy, Saint-Martin
			of = 5490
		}
		if i > 0 && of != epsg {
			return 0
		}
		epsg = of
	}
	return epsg
}

// settle reads again the layers whose file spans several territories, such as the national file of the quarters, when
// the others are all of one: that is the project's.
func (p *project) settle(ctx context.Context, read []layerRead) (errs []error) {
	epsg := 0
	for i := range read {
		if s := read[i].set; s.EPSG != 0 && !read[i].spread() {
			if epsg != 0 && s.EPSG != epsg {
				return nil // told with the two layers that differ
			}
			epsg = s.EPSG
		}
	}
	for i := range read {
		if epsg == 0 || read[i].set.EPSG == epsg || !read[i].spread() {
			continue
		}
		var err error
		if read[i], err = p.readLayer(ctx, read[i].config, epsg); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// readLayer reads a layer; of a file that spans several territories, that of the projection.
func (p *project) readLayer(ctx context.Context, l layerConfig, epsg int) (layerRead, error) {
	read := layerRead{config: l}
	name := l.layer()
	if l.Table != "" {
		folder, err := os.MkdirTemp("", "observatoire-*")
		if err != nil {
			return read, err
		}
		defer os.RemoveAll(folder)
		if l.File, err = p.writeTable(ctx, l.Table, folder); err != nil {
			return read, fmt.Errorf("layer %s: %w", name, err)
		}
		l.Table = ""
		table := read.config
		read, err := p.readLayer(ctx, l, epsg)
		if err != nil { // the copy is gone when someone looks for it
			err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), folder+string(filepath.Separator), ""))
		}
		read.config = table
		return read, err
	}
	files, err := p.files(l.File)
	if err != nil {
		return read, fmt.Errorf("layer %s: %w", name, err)
	}
	if len(files) > 1 {
		return read, fmt.Errorf("layer %s: %s matches %d files: name one", name, l.File, len(files))
	}
	path := files[0]
	card, err := p.layerCard(l, path)
	if err != nil {
		return read, fmt.Errorf("layer %s: %w", name, err)
	}
	var set *geo.ZoneSet
	var findings []ingest.Finding
	if card.Kind == "composition" {
		set, err = composition(path, card, name)
	} else {
		set, findings, err = ingest.ReadLayerIn(ctx, path, card, name, epsg)
	}
	if err != nil {
		return read, err
	}
	if card.Kind == "layer" && !set.Drawn() {
		return read, fmt.Errorf("%s: none of its outlines encloses an area: export the layer again", path)
	}
	set.Layer, set.Schematic, set.Source = name, card.Schematic, card.ID
	set.Title = l.Title
	if set.Title == "" {
		set.Title = fmt.Sprintf("%s, géographie au 01/01/%d", levelTitle(l.Level), l.Vintage)
	}
	sum, _, err := ingest.Digest(path)
	read.set, read.findings = set, findings
	read.stamp = fileStamp{Layer: name, File: ingest.Name(path), SHA256: sum, Zones: len(set.Zones)}
	return read, err
}

// writeTable copies a table of the store's database to a file, which is then read as any other.
func (p *project) writeTable(ctx context.Context, table, folder string) (path string, err error) {
	db, ok := p.store.(interface {
		WriteTable(ctx context.Context, table string, w io.Writer) error
	})
	if !ok {
		return "", fmt.Errorf("table %s: only a PostGIS store has tables: for a layer of a GeoPackage give file: NAME.gpkg#LAYER", table)
	}
	path = filepath.Join(folder, strings.NewReplacer("/", "_", `\`, "_", "#", "_", ":", "_").Replace(table)+".geojson")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	err = db.WriteTable(ctx, table, f)
	return path, errors.Join(err, f.Close())
}

// layerCard is the card of a layer: the one it names, the attributes it names, or the one that fits its file.
func (p *project) layerCard(l layerConfig, path string) (*ingest.Card, error) {
	if l.Card != "" {
		c, ok := p.catalogue.Card(l.Card)
		if !ok {
			return nil, p.noCard(l.Card, "layer")
		}
		if c.Kind == "table" || c.Kind == "passage" {
			return nil, fmt.Errorf("%s: the card %s describes a %s, not a layer", path, c.ID, c.Kind)
		}
		return c, nil
	}
	if l.Code != "" {
		c := &ingest.Card{ID: "zones", Kind: "layer", Level: l.Level, Code: []string{l.Code}}
		if l.Name != "" {
			c.Name = []string{l.Name}
		}
		return c, nil
	}
	for _, c := range p.catalogue.Match(ingest.Name(path)) {
		if c.Kind == "layer" && c.Level == l.Level {
			return c, nil
		}
	}
	if c, ok := p.catalogue.Card("zones"); ok {
		return c, nil
	}
	return nil, fmt.Errorf("%s: no card fits: name one, or the attribute of the codes (code: …)", ingest.Name(path))
}

// composition reads the communes that make up each zone. Such a layer has no geometry: parts of an EPCI may lie
// outside the contours the project holds.
func composition(path string, card *ingest.Card, layer geo.Layer) (*geo.ZoneSet, error) {
	members, names, err := ingest.ReadComposition(path, card)
	if err != nil {
		return nil, err
	}
	set := &geo.ZoneSet{Layer: layer}
	for code, communes := range members {
		set.Zones = append(set.Zones, geo.Zone{Code: code, Name: names[code], Members: communes})
	}
	slices.SortFunc(set.Zones, func(a, b geo.Zone) int { return cmp.Compare(a.Code, b.Code) })
	return set, nil
}

// dissolve makes a layer of one zone out of the communes of a perimeter.
func (p *project) dissolve(r *reading, l layerConfig) (*geo.ZoneSet, error) {
	name := l.layer()
	from := r.layer(geo.Layer(l.Dissolve))
	if from == nil {
		return nil, fmt.Errorf("layer %s: dissolve: the project has no layer %q", name, l.Dissolve)
	}
	zone := geo.Zone{Code: l.Code, Name: l.Name}
	var parts []orb.MultiPolygon
	if l.Members == "all" {
		for _, z := range from.Zones {
			zone.Members = append(zone.Members, z.Code)
			parts = append(parts, z.Geom)
		}
	} else {
		zone.Members = slices.Clone(p.Perimeters[l.Members])
		slices.Sort(zone.Members)
		for _, code := range zone.Members {
			i, ok := from.Index(code)
			if !ok {
				return nil, fmt.Errorf("layer %s: members: %s has no commune %s", name, l.Dissolve, code)
			}
			parts = append(parts, from.Zones[i].Geom)
		}
	}
	zone.Geom = geo.Dissolve(parts)
	zone.Box = geo.Box(zone.Geom)
	title := l.Title
	if title == "" {
		title = fmt.Sprintf("%s, composition %d", levelTitle(l.Level), l.Vintage)
	}
	return &geo.ZoneSet{Layer: name, Title: title, EPSG: from.EPSG, Schematic: from.Schematic,
		Source: from.Source, Zones: []geo.Zone{zone}}, nil
}

// levelTitle is what readers call a level.
func levelTitle(level string) string {
	switch level {
	case "iris":
		return "IRIS"
	case "qpv":
		return "Quartiers prioritaires (QPV)"
	case "veille":
		return "Quartiers de veille active"
	case levelVecu:
		return "Quartiers vécus"
	case "commune":
		return "Communes"
	case "epci":
		return "EPCI"
	case "departement":
		return "Département"
	case "perimetre_contrat":
		return "Périmètre du contrat"
	}
	return level
}

// keepStudied drops the quarters outside the project's communes, and the compositions that hold none of its
// territory. It tells each quarter the communes it lies in: those that hold at least 2 % of it.
func (p *project) keepStudied(ctx context.Context, r *reading) error {
	communes := r.communes()
	for _, code := range p.Scope.Communes {
		if communes == nil {
			break
		}
		if _, ok := communes.Index(code); !ok {
			return refused{fmt.Errorf("%s: scope.communes: %s has no commune %s", filepath.Join(p.dir, projectFile), communes.Layer, code)}
		}
	}
	for i := range r.sets {
		set := &r.sets[i]
		if communes != nil && set.Zones != nil && !set.Drawn() { // compositions: those that concern the territory
			set.Zones = slices.DeleteFunc(set.Zones, func(z geo.Zone) bool {
				return !slices.ContainsFunc(z.Members, func(code string) bool { _, ok := communes.Index(code); return ok })
			})
		}
		if communes == nil || !slices.Contains(p.studied(), set.Layer.Level()) {
			continue
		}
		pairs, err := geo.Overlaps(ctx, set, communes)
		if err != nil {
			return err
		}
		shares := make([][]geo.Overlap, len(set.Zones))
		for _, o := range pairs {
			if o.ShareFrom >= 0.02 {
				shares[o.From] = append(shares[o.From], o)
			}
		}
		had := len(set.Zones)
		kept := set.Zones[:0]
		for z, zone := range set.Zones {
			slices.SortFunc(shares[z], func(a, b geo.Overlap) int { return cmp.Compare(b.Area, a.Area) })
			var codes []string
			for _, o := range shares[z] {
				codes = append(codes, communes.Zones[o.To].Code)
			}
			if len(codes) > 0 {
				zone.Commune = strings.Join(codes, ",")
			}
			if len(p.Scope.Communes) == 0 || len(codes) > 0 && slices.Contains(p.Scope.Communes, codes[0]) {
				kept = append(kept, zone)
			}
		}
		set.Zones = kept
		if len(kept) == 0 {
			return refused{fmt.Errorf("layer %s: none of its %d zones lies in the communes of scope: check both", set.Layer, had)}
		}
	}
	r.findings = slices.DeleteFunc(r.findings, func(f ingest.Finding) bool { // of quarters studied elsewhere
		return f.Code != "" && !slices.ContainsFunc(r.sets, func(s geo.ZoneSet) bool { _, ok := s.Index(f.Code); return ok })
	})
	for i := range r.files {
		if set := r.layer(r.files[i].Layer); set != nil {
			r.files[i].Zones = len(set.Zones)
		}
	}
	return nil
}

// withDrawn are the layers of the project, the drawn quartiers vécus among them, of the vintage of their quarters.
func (p *project) withDrawn() []layerConfig {
	if p.Vecus == nil || p.Vecus.Drawn == "" {
		return p.Layers
	}
	drawn := layerConfig{Level: levelVecu, File: p.Vecus.Drawn, Title: "Quartiers vécus (périmètres d'usage dessinés)",
		Code: cmp.Or(p.Vecus.Code, "code"), Name: cmp.Or(p.Vecus.Name, "nom")}
	for _, l := range p.Layers {
		if l.Level == p.Vecus.From || string(l.layer()) == p.Vecus.From {
			drawn.Vintage = max(drawn.Vintage, l.Vintage)
		}
	}
	return append(slices.Clone(p.Layers), drawn)
}

// bufferQuarters adds a layer of buffers for each radius: each quarter's surroundings by distance, an approximation of
// its quartier vécu, within its communes where the project asks for it.
func (p *project) bufferQuarters(r *reading) error {
	if p.Vecus == nil {
		return nil
	}
	communes := r.communes()
	var added []geo.ZoneSet
	for _, set := range r.sets {
		if set.Layer.Level() != p.Vecus.From && string(set.Layer) != p.Vecus.From {
			continue
		}
		for _, radius := range p.Vecus.Buffers {
			out := geo.ZoneSet{Layer: geo.Layer(fmt.Sprintf("%s-%d", p.Vecus.level(radius), set.Layer.Vintage())), EPSG: set.EPSG,
				Title:     fmt.Sprintf("Quartiers vécus, approximation à %v m", radius),
				Schematic: set.Schematic, Source: set.Source}
			for _, z := range set.Zones {
				geom, err := geo.Buffer(z.Geom, radius)
				if err == nil && p.Vecus.Clip && communes != nil {
					var within []orb.MultiPolygon
					for code := range strings.SplitSeq(z.Commune, ",") {
						if i, ok := communes.Index(code); ok {
							within = append(within, communes.Zones[i].Geom)
						}
					}
					geom, err = geo.Clip(geom, geo.Dissolve(within))
				}
				if err != nil {
					return fmt.Errorf("quartiers_vecus: %s at %v m: %w", z.Code, radius, err)
				}
				z.Geom, z.Box, z.Name = geom, geo.Box(geom), fmt.Sprintf("%s – à %v m", cmp.Or(z.Name, z.Code), radius)
				out.Zones = append(out.Zones, z)
			}
			added = append(added, out)
		}
	}
	r.sets = append(r.sets, added...)
	slices.SortFunc(r.sets, func(x, y geo.ZoneSet) int { return cmp.Compare(x.Layer, y.Layer) })
	return nil
}

// measureOverlaps measures the quarters against the IRIS, the communes, the partners' own zones and each other; quartiers vécus against their
// neighbours of the same layer too, since they may share some ground.
func measureOverlaps(ctx context.Context, p *project, sets []geo.ZoneSet, own []string) ([]indicators.OverlapSet, error) {
	studied := p.studied()
	var out []indicators.OverlapSet
	for i := range sets {
		for j := range sets {
			from, to := &sets[i], &sets[j]
			vecu := strings.HasPrefix(string(from.Layer), levelVecu)
			if i == j && !vecu || !from.Drawn() || !to.Drawn() || !slices.Contains(studied, from.Layer.Level()) {
				continue
			}
			if l := to.Layer.Level(); l != "iris" && l != "commune" && !slices.Contains(studied, l) && !slices.Contains(own, l) {
				continue
			}
			pairs, err := geo.Overlaps(ctx, from, to, geo.WithMargins())
			if err != nil {
				return nil, err
			}
			if i == j {
				pairs = slices.DeleteFunc(pairs, func(o geo.Overlap) bool { return o.From == o.To })
			}
			out = append(out, indicators.OverlapSet{From: from.Layer, To: to.Layer, Pairs: pairs})
		}
	}
	return out, nil
}

// masses reads the weight layer: where the people are, in the projection of the layers. Of a file that spans several
// territories, it keeps that of the layers. The stamp says which file.
func (a *app) masses(ctx context.Context, p *project, epsg int) ([]geo.Mass, fileStamp, error) {
	i := slices.IndexFunc(p.Layers, func(l layerConfig) bool { return l.layer() == p.Weights.Layer })
	files, err := p.files(p.Layers[i].File)
	if err != nil {
		return nil, fileStamp{}, refused{err}
	}
	fs, err := ingest.ReadFeatures(ctx, files[0], p.Weights.Table)
	if err != nil {
		return nil, fileStamp{}, refused{err}
	}
	counts, err := fs.Numbers(p.Weights.Variable)
	if err != nil {
		return nil, fileStamp{}, refused{err}
	}
	legal, err := geo.ByEPSG(epsg)
	if err != nil {
		return nil, fileStamp{}, err
	}
	elsewhere, err := fs.Project(ctx, legal)
	if err != nil {
		return nil, fileStamp{}, refused{err}
	}
	var masses []geo.Mass
	for k, n := range counts {
		row := &fs.Rows[k]
		switch {
		case !n.OK:
		case n.V < 0:
			return nil, fileStamp{}, refused{fmt.Errorf("%s: row %d: %s is negative", files[0], row.Row, p.Weights.Variable)}
		case row.Geom != nil:
			masses = append(masses, geo.Mass{W: n.V, Cell: row.Geom})
		default:
			for _, x := range row.Points {
				masses = append(masses, geo.Mass{X: x[0], Y: x[1], W: n.V / float64(len(row.Points))})
			}
		}
	}
	sum, _, err := ingest.Digest(files[0])
	if err != nil {
		return nil, fileStamp{}, refused{err}
	}
	stamp := fileStamp{Layer: p.Weights.Layer, File: ingest.Name(files[0]), SHA256: sum, Zones: len(masses)}
	said := fmt.Sprintf("weights %s: %d places with people from %s", p.Weights.Layer, len(masses), stamp.File)
	if elsewhere > 0 {
		said += fmt.Sprintf("; %d rows outside the territory of %v were left out", elsewhere, legal)
	}
	a.say("%s", said)
	return masses, stamp, nil
}

// weighPeople measures, for each quarter and each IRIS it cuts, the share of the IRIS' people that the weight layer
// puts in the quarter.
func (a *app) weighPeople(ctx context.Context, p *project, r *reading, overlaps []indicators.OverlapSet) (map[[2]geo.Layer][]indicators.Opt, error) {
	if p.Weights == nil {
		return nil, nil
	}
	masses, stamp, err := a.masses(ctx, p, r.sets[0].EPSG)
	if err != nil {
		return nil, err
	}
	r.files = append(r.files, stamp)
	out := map[[2]geo.Layer][]indicators.Opt{}
	for _, set := range overlaps {
		if set.To.Level() != "iris" {
			continue
		}
		reversed := make([]geo.Overlap, len(set.Pairs))
		for k, o := range set.Pairs {
			reversed[k] = geo.Overlap{From: o.To, To: o.From, Area: o.Area, ShareFrom: o.ShareTo, ShareTo: o.ShareFrom}
		}
		weights, err := geo.MassWeights(ctx, r.layer(set.To), r.layer(set.From), reversed, masses)
		if err != nil {
			return nil, refused{fmt.Errorf("%s: %w", stamp.File, err)}
		}
		shares := make([]indicators.Opt, len(weights))
		for k, w := range weights {
			if !w.BySurface {
				shares[k] = indicators.Some(w.Share)
			}
		}
		out[[2]geo.Layer{set.From, set.To}] = shares
	}
	return out, nil
}

// memoryToRead is how much the program lets itself take while tables are read before it tidies up more often: the place of the keys
// of a table grows with it, and waste would with that.
const memoryToRead = 176 << 20

// readTables brings every table of the project into the store and gives their ids there, or reports every bad cell of every
// file and leaves the store as it was.
func (a *app) readTables(ctx context.Context, p *project, st store.Store, sets []geo.ZoneSet, passages []indicators.Passage, taken *intake) ([]string, error) {
	if held := debug.SetMemoryLimit(-1); held == math.MaxInt64 { // not said by whoever runs it
		debug.SetMemoryLimit(memoryToRead)
		defer debug.SetMemoryLimit(held)
	}
	scope := p.scope(sets, passages)
	held, err := st.Sources(ctx)
	if err != nil {
		return nil, err
	}
	had := map[string]bool{}
	for _, s := range held {
		had[s.ID] = true
	}
	var errs []error
	var ids []string
	units := fmt.Sprint(indicators.VariableUnits(p.definitions))
	take := func(t input) {
		var err error
		if t.sum, t.size, err = ingest.Digest(t.path); err != nil {
			errs = append(errs, refused{err})
			return
		}
		// The same bytes under the same card and the same scope are the same table: nothing to do. The units of the variables
		// tell what is wrong with it, which is kept with it.
		id := t.id + "@" + hashOf(t.sum, hashOf(t.card.Hash, t.scope.digest, units))[:12]
		if slices.Contains(ids, id) {
			return
		}
		ids = append(ids, id)
		if had[id] {
			return
		}
		t.id = id
		if err := ingestTable(ctx, p, st, t); err != nil {
			errs = append(errs, err)
			return
		}
		taken.added = append(taken.added, id)
	}
	for _, t := range p.Tables {
		files, err := p.files(t.File)
		if err != nil {
			errs = append(errs, refused{err})
			continue
		}
		for _, path := range files {
			card, err := p.tableCard(t, path)
			if err != nil {
				errs = append(errs, refused{err})
				continue
			}
			readings, err := p.readings(card, path)
			if err != nil {
				errs = append(errs, refused{err})
				continue
			}
			for _, reading := range readings {
				take(input{path: path, card: reading.card, scope: scope, id: reading.id})
			}
			if ctx.Err() != nil {
				break
			}
		}
	}
	levels := map[string]bool{}
	for _, s := range sets {
		levels[s.Layer.Level()] = true
	}
	for _, d := range p.deposits { // those another supersedes too: nothing handed in is lost
		if !d.expired && ctx.Err() == nil {
			base := ingest.Name(d.path)
			for _, level := range d.card.LevelsOf(base) {
				at := input{path: d.path, card: d.card.At(level), id: d.logical(), convention: d.Convention, day: d.Date}
				if at.scope = d.scope(scope, levels[level]); d.card.LevelColumn != "" {
					at.id += "#" + level
				}
				take(at)
			}
		}
	}
	return ids, errors.Join(errs...)
}

// The tables of a run: of those columns that something asks for the figures, of the others what tells a year from another.
type tables struct {
	sources  []indicators.Source
	columns  []indicators.Column // in use
	idle     int                 // columns that are not
	open     []string            // variables of open data, sorted
	compared *indicators.Comparison
}

// figuresAtOnce is how many figures that nothing uses are in memory at a time, some 40 bytes each at the most.
const figuresAtOnce = 2_000_000

// loadTables reads from the store the figures that the definitions, the deposits and the corrections ask for. The memory it takes
// follows them, not the size of the files: the other columns are compared a few at a time.
func (p *project) loadTables(ctx context.Context, st store.Store, ids []string, corrected correctionList, taken *intake) (tables, error) {
	var t tables
	held, err := st.Sources(ctx)
	if err != nil {
		return t, err
	}
	used := indicators.Used(p.definitions)
	for _, c := range corrected.list {
		used[c.variable] = true
	}
	load := func(src *indicators.Source, want func(string) bool) ([]indicators.Column, error) {
		cols, err := st.Columns(ctx, src.ID, want)
		if err != nil {
			return nil, err
		}
		for j := range cols {
			cols[j].Source = logicalID(src.ID)
		}
		if card, ok := p.catalogue.Card(src.Card); ok {
			card.Describe(src, cols)
		}
		return cols, nil
	}
	idle := make([]map[string]int, len(held)) // columns nothing asks for, by variable
	var headers []indicators.Column
	for _, deposited := range []bool{true, false} { // all that partners give is looked at, beside the open figures of the same variables
		for i := range held {
			src := &held[i]
			if (src.Convention != "") != deposited || !slices.Contains(ids, src.ID) {
				continue
			}
			cols, err := load(src, func(variable string) bool { return deposited || used[variable] })
			if err != nil {
				return t, err
			}
			idle[i] = map[string]int{}
			for _, c := range cols {
				if deposited {
					used[c.Variable] = true
				} else {
					t.open = append(t.open, c.Variable)
				}
				if used[c.Variable] {
					t.columns = append(t.columns, c)
					continue
				}
				t.idle++
				idle[i][c.Variable]++
				headers = append(headers, c)
			}
		}
	}
	slices.SortStableFunc(t.columns, func(x, y indicators.Column) int { return cmp.Compare(x.Source, y.Source) })
	slices.Sort(t.open)
	t.open = slices.Compact(t.open)
	for _, src := range held {
		if slices.Contains(ids, src.ID) {
			src.ID = logicalID(src.ID)
			t.sources = append(t.sources, src)
		} else {
			taken.unused = append(taken.unused, src.ID)
		}
	}
	slices.SortFunc(t.sources, func(x, y indicators.Source) int { return cmp.Compare(x.ID, y.ID) })

	t.compared = indicators.NewComparison(t.sources, p.definitions, nil)
	figures := 0
	batch := map[string]bool{}
	compare := func() error {
		var cols []indicators.Column
		for i := range held {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(idle[i])), func(v string) bool { return batch[v] }) {
				continue
			}
			all, err := load(&held[i], func(variable string) bool { return batch[variable] })
			if err != nil {
				return err
			}
			for _, c := range all {
				if batch[c.Variable] {
					cols = append(cols, c)
				}
			}
		}
		t.compared.Add(cols)
		clear(batch)
		figures = 0
		return nil
	}
	for _, variable := range slices.Sorted(maps.Keys(indicators.Comparable(headers))) {
		n := 0
		for i := range held {
			n += idle[i][variable] * held[i].Kept
		}
		if figures > 0 && figures+n > figuresAtOnce {
			if err := compare(); err != nil {
				return t, err
			}
		}
		batch[variable] = true
		figures += n
	}
	if figures > 0 {
		if err := compare(); err != nil {
			return t, err
		}
	}
	return t, nil
}

// logicalID is a source's id without the digest that tells its readings apart.
func logicalID(id string) string {
	id, _, _ = strings.Cut(id, "@")
	return id
}

// noFigure says why an edition would be empty, and what to write where no indicator uses the columns that were read.
func (p *project) noFigure(variables []string) error {
	used := map[string]bool{}
	for _, d := range p.definitions {
		for _, v := range d.Variables() {
			used[v] = true
		}
	}
	idle := slices.DeleteFunc(slices.Clone(variables), func(v string) bool { return used[v] })
	const message = "no indicator has a figure that all may see: nothing to publish; "
	if len(idle) == 0 {
		return errors.New(message + "check tables and indicators in " + projectFile)
	}
	list := strings.Join(idle[:min(8, len(idle))], ", ")
	if more := len(idle) - 8; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	where := "write one on them in " + filepath.Join(p.dir, indicatorsFile)
	if p.Indicators != nil {
		where += ", and list it under indicators in " + projectFile
	}
	return fmt.Errorf(`%sno indicator uses these columns of the tables: %s: %s, such as
- id: %s
  label: "%[4]s"      # in French, saying what it is a share of
  theme: Divers
  unit: "%%"          # or habitants, €/an…
  direction: neutre  # or hausse_favorable, hausse_defavorable
  rule: aucune       # somme, ratio, mediane…: how figures of several zones combine
  value: %[4]s`, message, list, where, idle[0])
}

// An intake is how a run changes the sources of the store: those it added, which go if it is refused, and those no longer
// in use, which go once its edition is kept.
type intake struct{ added, unused []string }

func drop(ctx context.Context, st store.Store, ids []string) error {
	var errs []error
	for _, id := range ids {
		errs = append(errs, st.DropSource(ctx, id))
	}
	return errors.Join(errs...)
}

// A tableReading is one pass over a file: the whole of it, or the rows of one level.
type tableReading struct {
	id   string
	card *ingest.Card
}

// readings are the passes over a file: one, or one for each level of the project where the rows are of several, or are counted in
// the zones of several.
func (p *project) readings(card *ingest.Card, path string) ([]tableReading, error) {
	base := ingest.Name(path)
	var list []tableReading
	if card.Count != nil && len(card.Levels) > 0 {
		counted, err := card.Counted(path)
		for _, at := range counted {
			id := card.ID + "/" + base
			if at != card && len(list) > 0 {
				id += "#" + at.Key[0]
			}
			if at == card || slices.ContainsFunc(p.Layers, func(l layerConfig) bool { return l.Level == at.Level }) {
				list = append(list, tableReading{id, at})
			}
		}
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("%s: its rows are counted by %s, levels that the project does not have: add a layer of one, or take the file out of tables",
				path, strings.Join(card.LevelsOf(base), ", "))
		}
		return list, err
	}
	if card.LevelColumn == "" {
		return []tableReading{{card.ID + "/" + base, card}}, nil
	}
	for _, level := range card.LevelsOf(base) {
		if slices.ContainsFunc(p.Layers, func(l layerConfig) bool { return l.Level == level }) {
			list = append(list, tableReading{card.ID + "/" + base + "#" + level, card.At(level)})
		}
	}
	return list, nil
}

// An input is a table to bring into the store.
type input struct {
	path            string
	sum             string // sha256 of the file
	size            int64
	card            *ingest.Card
	scope           tableScope
	id              string
	convention, day string // of a deposit
}

// ingestTable reads one file into the store, in one transaction.
func ingestTable(ctx context.Context, p *project, st store.Store, in input) error {
	t, err := ingest.OpenDigested(ctx, in.path, in.sum, in.size, in.card, in.scope.Scope)
	if err != nil {
		return refused{err}
	}
	defer t.Release()
	examined, stop := t.Examine(ctx, ingest.Examination{Card: in.card, Scope: in.scope.departements, Definitions: p.definitions})
	defer stop()
	source := func() (indicators.Source, error) {
		src, err := t.Source()
		src.ID, src.Convention, src.Depose = in.id, in.convention, in.day
		return src, err
	}
	src, _ := source()
	var outside error
	err = st.PutSource(ctx, src, t, func() (indicators.Source, error) {
		src, err := source()
		if err == nil {
			// A deposit need not have rows of every level, nor the quarters a facility each.
			if !strings.Contains(in.id, "#") || src.Rows > 0 && in.card.Count == nil {
				outside = concerns(ctx, in, src)
			}
			err = outside
		}
		if err == nil {
			var found []indicators.Alerte
			found, err = examined()
			for _, x := range found {
				src.Remarques = append(src.Remarques, x.Remarque())
			}
		}
		return src, err
	})
	if _, bad := t.Source(); bad != nil || outside != nil {
		err = refused{errors.Join(bad, outside)}
	}
	return err
}

// codeShape is that of the codes whose beginning is a département: quarters, IRIS, communes, départements. One that lost its
// zero is not of it.
var codeShape = regexp.MustCompile(`^(Q[NP][0-9AB]{3}[0-9A-Z]{3}|[0-9][0-9AB]([0-9]|[0-9]{3}|[0-9]{7})?)$`)

// concerns refuses a table none of whose rows is of the project's territory: another département's file, damaged codes.
func concerns(ctx context.Context, in input, s indicators.Source) error {
	if s.Kept > 0 {
		return nil
	}
	if s.Rows == 0 {
		return fmt.Errorf("%s: no row under its header: download or copy it again", in.path)
	}
	column, codes, err := ingest.FirstCodes(ctx, in.path, in.card)
	if err != nil {
		return err
	}
	var of []string // départements of the first codes
	whole := s.Level != "epci" && s.Level != "region" && len(codes) > 0
	for _, code := range codes {
		whole = whole && codeShape.MatchString(code)
		if d := indicators.Departement(code); !slices.Contains(of, d) {
			of = append(of, d)
		}
	}
	where := ""
	if whole {
		slices.Sort(of)
		where = fmt.Sprintf(" (département %s%s)", strings.Join(of[:min(3, len(of))], ", "), map[bool]string{true: "…"}[len(of) > 3])
	}
	territory := ""
	if len(in.scope.departements) > 0 {
		territory = fmt.Sprintf(" (%s)", strings.Join(in.scope.departements, ", "))
	}
	return fmt.Errorf("%s: none of its %d rows is of the project's territory%s: as codes of level %s the column %q holds %s%s: a file of other places, codes that lost "+
		"their zeros (key_width), another level or geography than the card %s says (level, vintage), or another column (key)?",
		in.path, s.Rows, territory, s.Level, column, strings.Join(codes[:min(3, len(codes))], ", "), where, s.Card)
}

// noCard says that there is no such card, and which there are.
func (p *project) noCard(id, kind string) error {
	var ids []string
	for _, c := range p.catalogue.Cards() {
		if c.Kind == kind {
			ids = append(ids, c.ID)
		}
	}
	return fmt.Errorf("no card %q in the catalogue or in cards/: the cards of kind %s are %s", id, kind, strings.Join(ids, ", "))
}

func (p *project) tableCard(t tableConfig, path string) (*ingest.Card, error) {
	if t.Card != "" {
		c, ok := p.catalogue.Card(t.Card)
		if !ok {
			return nil, fmt.Errorf("%s: %w", path, p.noCard(t.Card, "table"))
		}
		return c, nil
	}
	var fit []*ingest.Card
	for _, c := range p.catalogue.Match(ingest.Name(path)) {
		if c.Kind == "table" {
			fit = append(fit, c)
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return nil, fmt.Errorf("%s: no card fits this file: write one in cards/, or name one (card: …)", path)
	}
	var names []string
	for _, c := range fit {
		names = append(names, c.ID)
	}
	return nil, fmt.Errorf("%s: several cards fit: %s: name one (card: …)", path, strings.Join(names, ", "))
}

// A tableScope is the rows of the project's territory, and a digest of what decides that.
type tableScope struct {
	ingest.Scope
	departements []string // sorted
	digest       string
}

// scope keeps the rows of the départements the layers lie in, the zones the layers hold, and those that became one of them by a table of
// passage.
func (p *project) scope(sets []geo.ZoneSet, passages []indicators.Passage) tableScope {
	held := map[string]map[string]bool{} // level → codes
	departements := map[string]bool{}
	byLayer := map[geo.Layer]*geo.ZoneSet{}
	h := sha256.New()
	for i := range sets {
		set := &sets[i]
		byLayer[set.Layer] = set
		level := set.Layer.Level()
		if held[level] == nil {
			held[level] = map[string]bool{}
		}
		fmt.Fprintf(h, "%s\n", set.Layer)
		for _, z := range set.Zones {
			held[level][z.Code] = true
			fmt.Fprintf(h, "%s\n", z.Code)
		}
	}
	former := map[string]map[string]bool{}
	for _, passage := range slices.Backward(passages) { // one may continue another
		level := passage.From.Level()
		if former[level] == nil {
			former[level] = map[string]bool{}
		}
		for _, code := range slices.Sorted(maps.Keys(passage.Parts)) {
			if slices.ContainsFunc(passage.Parts[code], func(x indicators.PassagePart) bool { return held[level][x.Code] || former[level][x.Code] }) {
				former[level][code] = true
				fmt.Fprintf(h, "%s %s\n", passage.From, code)
			}
		}
	}
	for _, c := range p.Scope.Communes {
		departements[indicators.Departement(c)] = true
	}
	if len(p.Scope.Communes) == 0 {
		for code := range held["commune"] {
			departements[indicators.Departement(code)] = true
		}
	}
	studied := p.studied()
	return tableScope{
		departements: slices.Sorted(maps.Keys(departements)),
		Scope: ingest.Scope{
			Keep: func(level, code string) bool {
				if held[level][code] || former[level][code] || level == "metropole" { // national values: thresholds rest on them
					return true
				}
				// The quarters of other communes are not studied; the mesh of the département is kept whole.
				return !slices.Contains(studied, level) && (level == "iris" || level == "commune") &&
					departements[indicators.Departement(code)]
			},
			Known: func(level string, vintage int, code string) bool {
				if len(held[level]) == 0 {
					return true
				}
				if set := byLayer[geo.Layer(fmt.Sprintf("%s-%d", level, vintage))]; set != nil {
					_, ok := set.Index(code)
					return ok
				}
				if as, said := p.GeographyAs[geo.Layer(fmt.Sprintf("%s-%d", level, vintage))]; said && byLayer[as] != nil {
					_, ok := byLayer[as].Index(code)
					return ok
				}
				return vintage != 0 || held[level][code] // a vintage the project has no contours for: its codes are its own
			},
			Strict: func(level string, vintage int) bool {
				return byLayer[geo.Layer(fmt.Sprintf("%s-%d", level, vintage))] != nil
			},
		},
		digest: hex.EncodeToString(h.Sum(nil)),
	}
}

func alerteOf(f ingest.Finding) indicators.Alerte {
	id := strings.Join([]string{f.Kind, f.File, f.Code, strconv.Itoa(f.Row)}, ":")
	return indicators.Alerte{ID: id, Kind: f.Kind, Gravite: "information", Objet: cmp.Or(f.Code, f.File), Message: f.Message}
}

// makings are what a run was made with besides its settings.
type makings struct {
	files, passages []fileStamp
	read            map[string]map[string]string // digests of the figures of a source, by column
	guards          []indicators.Guard
	derogations     []indicators.Derogation
	corrections     []indicators.CorrectionStamp
}

// A manifest is what an edition was made from, and what was decided on it.
type manifest struct {
	Program     string                         `json:"programme"`
	Title       string                         `json:"titre"`
	Communes    []string                       `json:"communes"`
	References  []string                       `json:"references"`
	GeographyAs map[geo.Layer]geo.Layer        `json:"geographie_rapprochee"`
	Passages    []fileStamp                    `json:"passages,omitempty"`
	Methods     map[string]string              `json:"methodes"`
	Comparisons map[string]map[string][]string `json:"comparaisons"`
	Vecus       *vecusConfig                   `json:"quartiers_vecus,omitempty"`
	Weights     *weightsConfig                 `json:"poids,omitempty"`
	Facilities  []facilitiesConfig             `json:"equipements,omitempty"`
	Indicators  string                         `json:"indicateurs_sha256"`
	Definitions map[string]string              `json:"definitions_sha256"`
	Guards      string                         `json:"gardes_sha256"`
	Corrections []indicators.CorrectionStamp   `json:"corrections,omitempty"`
	Decisions   []indicators.Derogation        `json:"decisions,omitempty"`
	Anomalies   []indicators.Decision          `json:"anomalies_decidees,omitempty"` // added when the edition has its id
	Conventions []conventionStamp              `json:"conventions,omitempty"`
	Files       []fileStamp                    `json:"fichiers_de_contours"`
	Layers      []indicators.LayerStamp        `json:"couches"`
	Sources     []indicators.SourceStamp       `json:"sources"`
	Since       map[geo.Layer]int              `json:"compositions_depuis,omitempty"`
	Values      int                            `json:"valeurs"`
}

// written reads what people wrote beside the settings, the decisions and the comments: all that is wrong with them is told at once.
func (p *project) written(guards []indicators.Guard) ([]comment, error) {
	_, waived := p.derogations(guards, nil)
	_, decided := p.decisions()
	if waived != nil && decided != nil && waived.Error() == decided.Error() {
		decided = nil // the file itself cannot be read
	}
	comments, err := p.comments()
	return comments, errors.Join(waived, decided, err)
}

// stampDecisions writes into the manifest of an edition what was decided on its anomalies. It changes nothing else of it.
func stampDecisions(e *indicators.Edition) error {
	var m manifest
	if err := json.Unmarshal(e.Manifest, &m); err != nil {
		return fmt.Errorf("edition %s: its manifest cannot be read: %w", e.ID, err)
	}
	m.Anomalies = nil
	for _, d := range e.Decisions {
		if d.Garde == indicators.DecisionAnomalie {
			m.Anomalies = append(m.Anomalies, d)
		}
	}
	var err error
	e.Manifest, err = json.MarshalIndent(m, "", "  ")
	return err
}

// manifest writes what the edition was made from, and names the edition after its content: the same inputs make the
// same edition, and another content is another edition.
func (p *project) manifest(e *indicators.Edition, made makings) error {
	m := manifest{Program: build(), Title: e.Title, Communes: p.Scope.Communes, References: p.References,
		GeographyAs: p.GeographyAs, Passages: made.passages, Methods: p.Methods, Comparisons: p.Comparisons, Vecus: p.Vecus, Weights: p.Weights, Facilities: p.Facilities, Files: made.files,
		Conventions: p.conventionStamps(), Since: p.since(), Values: len(e.Values)}
	defs, err := json.Marshal(p.definitions)
	if err != nil {
		return err
	}
	m.Indicators = hashOf(string(defs))
	m.Definitions = map[string]string{}
	for _, d := range p.definitions {
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		m.Definitions[d.ID] = hashOf(string(text))[:16]
	}
	text, err := json.Marshal(made.guards)
	if err != nil {
		return err
	}
	m.Guards = hashOf(string(text))
	m.Corrections, m.Decisions = made.corrections, made.derogations
	year := 0
	for _, v := range e.Values {
		if v.Statut == indicators.Disponible && v.Convention == "" {
			year = max(year, v.Millesime)
		}
	}
	for i := range e.Layers {
		m.Layers = append(m.Layers, indicators.LayerStamp{Layer: e.Layers[i].Layer, Zones: len(e.Layers[i].Zones), Hash: zonesHash(&e.Layers[i]), Contours: contoursHash(&e.Layers[i])})
	}
	for _, s := range e.Sources {
		m.Sources = append(m.Sources, indicators.SourceStamp{ID: s.ID, Card: s.CardHash, SHA256: s.SHA256, Rows: s.Rows, Kept: s.Kept, Columns: made.read[s.ID]})
	}
	if e.Manifest, err = json.MarshalIndent(m, "", "  "); err != nil {
		return err
	}
	digest, err := indicators.Digest(e)
	if err != nil {
		return err
	}
	e.ID = fmt.Sprintf("%04d-%s", year, digest[:8])
	return stampDecisions(e)
}

// zonesHash covers the codes, names and compositions of a layer's zones.
func zonesHash(s *geo.ZoneSet) string {
	h := sha256.New()
	for _, z := range s.Zones {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s\x00", z.Code, z.Name, z.Commune, strings.Join(z.Members, ","))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// contoursHash covers the geometries of a layer's zones; it is empty where they have none.
func contoursHash(s *geo.ZoneSet) string {
	if !s.Drawn() {
		return ""
	}
	h := sha256.New()
	w := bufio.NewWriter(h)
	var b [8]byte
	number := func(v uint64) {
		binary.LittleEndian.PutUint64(b[:], v)
		w.Write(b[:]) //nolint:errcheck // a hash takes all it is given
	}
	for _, z := range s.Zones {
		w.WriteString(z.Code) //nolint:errcheck // as above
		number(uint64(len(z.Geom)))
		for _, polygon := range z.Geom {
			number(uint64(len(polygon)))
			for _, ring := range polygon {
				number(uint64(len(ring)))
				for _, p := range ring {
					number(math.Float64bits(p[0]))
					number(math.Float64bits(p[1]))
				}
			}
		}
	}
	w.Flush() //nolint:errcheck // as above
	return hex.EncodeToString(h.Sum(nil))
}

// columnDigests digests the figures of open data as they were read, by source and column ([indicators.ColumnKey]): of two files that differ, what
// tells which figures do. Those of a convention are left out: so few figures could be found from a digest.
func columnDigests(columns []indicators.Column) map[string]map[string]string {
	sums := map[[2]string]hash.Hash{}
	for i := range columns {
		c := &columns[i]
		if c.Convention != "" {
			continue
		}
		k := [2]string{c.Source, indicators.ColumnKey(c.Variable, c.Sexe, c.Millesime)}
		if sums[k] == nil {
			sums[k] = sha256.New()
		}
		w := bufio.NewWriter(sums[k])
		fmt.Fprintf(w, "%d\x00%d\n", c.Vintage, len(c.Codes))
		var b [9]byte
		for j, code := range c.Codes {
			w.WriteString(code) //nolint:errcheck // a hash takes all it is given
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(c.V[j]))
			if b[8] = byte(c.Statut[j]) << 1; c.Statut[j] != indicators.Disponible {
				clear(b[:8])
			}
			if c.Signale != nil && c.Signale[j] {
				b[8]++
			}
			w.Write(b[:]) //nolint:errcheck // as above
		}
		w.Flush() //nolint:errcheck // as above
	}
	out := map[string]map[string]string{}
	for k, h := range sums {
		if out[k[0]] == nil {
			out[k[0]] = map[string]string{}
		}
		out[k[0]][k[1]] = hex.EncodeToString(h.Sum(nil))[:16]
	}
	return out
}

func hashOf(parts ...string) string {
	h := sha256.New()
	for _, s := range parts {
		io.WriteString(h, s)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
