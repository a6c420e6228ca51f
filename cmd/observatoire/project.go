package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"observatoire/data"
	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// A project is what observatoire.yaml says, and the catalogue that goes with it.
type project struct {
	Title       string                  `yaml:"title"`
	Store       string                  `yaml:"store"`
	Scope       scopeConfig             `yaml:"scope"`
	Layers      []layerConfig           `yaml:"layers"`
	Tables      []tableConfig           `yaml:"tables"`
	Perimeters  map[string][]string     `yaml:"perimeters"`
	References  []string                `yaml:"references"`
	GeographyAs map[geo.Layer]geo.Layer `yaml:"geography_as"`
	Passages    []passageConfig         `yaml:"passages"`
	// Comparisons are the comparison territories of quarters: level → zone → zones.
	Comparisons map[string]map[string][]string `yaml:"comparisons"`
	Methods     map[string]string              `yaml:"methods"`
	Vecus       *vecusConfig                   `yaml:"quartiers_vecus"`
	Weights     *weightsConfig                 `yaml:"weights"`
	Facilities  []facilitiesConfig             `yaml:"facilities"`
	Indicators  indicatorChoice                `yaml:"indicators"`
	Deposits    []ingest.Deposit               `yaml:"deposits"`
	Publication publicationConfig              `yaml:"publication"`

	dir         string
	store       store.Store // once open: the layers that are tables are read from it
	text        []byte      // of the project's file, expanded
	unset       error       // variables of the environment that are not set: of consequence when files are read
	catalogue   *ingest.Catalogue
	definitions []indicators.Definition
	conventions []ingest.Convention
	deposits    []*deposit // by convention, card, millésime, then in the order they were handed in
	day         string     // of the run, AAAA-MM-JJ: which conventions and corrections have ended
}

// scopeConfig is the territory studied; without communes, everything that is read.
type scopeConfig struct {
	Communes []string `yaml:"communes"`
}

// A layerConfig is one layer: read from a file as a card says, or dissolved from the communes of a perimeter.
type layerConfig struct {
	Card     string `yaml:"card"`
	Level    string `yaml:"level"`
	Vintage  int    `yaml:"vintage"`
	Since    int    `yaml:"since"` // of a composition: the year from which it is known to hold, before its vintage
	File     string `yaml:"file"`
	Table    string `yaml:"table"` // in place of file: a table of the PostGIS store's database, schema.table, that people edit in QGIS
	Title    string `yaml:"title"`
	Code     string `yaml:"code"`     // of a file without a card: the attribute that holds the codes; of a dissolved layer: its zone's code
	Name     string `yaml:"name"`     // as code
	Dissolve string `yaml:"dissolve"` // the layer of communes to dissolve
	Members  string `yaml:"members"`  // a perimeter, or "all"
	URL      string `yaml:"url"`      // where `fetch` downloads the file, when the catalogue has no address for it
	Licence  string `yaml:"licence"`  // of that file
}

// vecusConfig says where the quartiers vécus come from: perimeters of use, drawn; and buffers, an approximation
// by distance that is named as such.
type vecusConfig struct {
	From    string    `yaml:"from"`     // level or layer of the quarters they surround
	Buffers []float64 `yaml:"buffer_m"` // metres
	Clip    bool      `yaml:"clip"`     // keep each buffer within the communes of its quarter
	Drawn   string    `yaml:"drawn"`    // file of drawn perimeters
	Code    string    `yaml:"code"`     // its attribute of the codes; "code" by default
	Name    string    `yaml:"name"`     // its attribute of the names; "nom" by default
}

// level of the buffers of one radius.
func (v *vecusConfig) level(radius float64) string {
	return levelVecu + "_" + strconv.FormatFloat(radius, 'f', -1, 64) + "m"
}

const levelVecu = "quartier_vecu"

// layer is the name of the layer.
func (l layerConfig) layer() geo.Layer { return geo.Layer(fmt.Sprintf("%s-%d", l.Level, l.Vintage)) }

// weightsConfig is the layer that says where the people are: squares of a grid, or points, with a count.
type weightsConfig struct {
	Layer    geo.Layer `yaml:"layer"`    // under layers; it serves as weights only, never as zones
	Variable string    `yaml:"variable"` // the attribute that holds the count
	Table    string    `yaml:"table"`    // the layer of a GeoPackage that holds several
}

// A tableConfig is one or more files and the card that describes them; without a card, the one that fits.
type tableConfig struct {
	Card    string `yaml:"card"`
	File    string `yaml:"file"`
	URL     string `yaml:"url"`     // as for a layer; {AAAA} and {AA} are the year in the file's name
	Licence string `yaml:"licence"` // of that file
}

// An indicatorChoice is "default", every definition, or a list of ids.
type indicatorChoice []string

func (c *indicatorChoice) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		if word != "default" && word != "" {
			return fmt.Errorf("indicators: %q is neither \"default\" nor a list of ids", word)
		}
		return nil
	}
	var ids []string
	if err := unmarshal(&ids); err != nil {
		return err
	}
	*c = ids
	return nil
}

const (
	projectFile    = "observatoire.yaml"
	indicatorsFile = "indicators.yaml"
)

// loadProject reads the project in a folder. Variables of the environment written ${NAME} are expanded.
func loadProject(dir string) (*project, error) {
	path := filepath.Join(dir, projectFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refused{fmt.Errorf("%s: no project here: run `observatoire init DIR`, or name its folder with -C", path)}
	}
	if err != nil {
		return nil, refused{err}
	}
	expanded, unset := expand(path, string(text))
	p := &project{Store: "observatoire.gpkg", dir: dir, unset: unset, text: []byte(expanded)}
	if err := ingest.UnmarshalStrict(path, p.text, p); err != nil {
		return nil, refused{err}
	}
	if err := p.check(path); err != nil {
		return nil, refused{p.place(err)}
	}

	folders := []fs.FS{data.Catalogue()}
	if _, err := os.Stat(filepath.Join(dir, "cards")); err == nil {
		folders = append(folders, os.DirFS(filepath.Join(dir, "cards")))
	}
	if p.catalogue, err = ingest.LoadCatalogue(folders...); err != nil {
		return nil, refused{fmt.Errorf("cards/%s", strings.ReplaceAll(err.Error(), "\n", "\ncards/"))} // the catalogue's own are sound
	}
	if err := p.loadDefinitions(path); err != nil {
		return nil, refused{p.place(err)}
	}
	if err := p.loadDeposits(path); err != nil {
		return nil, refused{p.place(err)}
	}
	if err := p.checkPublication(path); err != nil {
		return nil, refused{p.place(err)}
	}
	return p, nil
}

// A placed error names lines too.
type placed struct {
	error
	text string
}

func (e placed) Error() string { return e.text }
func (e placed) Unwrap() error { return e.error }

var keyNamed = regexp.MustCompile(`^[\w.\[\]]+`)

// place adds the line of the key to what is said of the project's file.
func (p *project) place(err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if rest, ok := strings.CutPrefix(line, filepath.Join(p.dir, projectFile)+": "); ok {
			if n := ingest.LineOf(p.text, keyNamed.FindString(rest)); n > 0 {
				lines[i] = fmt.Sprintf("%s:%d: %s", filepath.Join(p.dir, projectFile), n, rest)
			}
		}
	}
	return placed{err, strings.Join(lines, "\n")}
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces ${NAME}. A comment may name a variable that is not set.
func expand(path, text string) (string, error) {
	var errs []error
	said := map[string]bool{}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		lines[i] = variable.ReplaceAllStringFunc(line, func(m string) string {
			v, ok := os.LookupEnv(m[2 : len(m)-1])
			if !ok && !said[m] {
				said[m] = true
				errs = append(errs, fmt.Errorf("%s:%d: %s is not set in the environment: export it before the run", path, i+1, m))
			}
			return v
		})
	}
	return strings.Join(lines, "\n"), errors.Join(errs...)
}

func (p *project) check(path string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(path+": "+format, args...)) }
	if p.Title == "" {
		bad("title: missing: name the observatory")
	}
	for i, l := range p.Layers {
		switch {
		case l.Level == "":
			bad("layers[%d]: level: missing, such as iris, qpv, commune", i)
		case ingest.CheckLevel(l.Level) != nil:
			bad("layers[%d]: level: %w", i, ingest.CheckLevel(l.Level))
		case l.Vintage < 1900 || l.Vintage > 2100:
			bad("layers[%d] (%s): vintage: %d is not a year: the year of the boundaries, such as 2016", i, l.Level, l.Vintage)
		case l.Since != 0 && (l.Since < 1900 || l.Since > l.Vintage):
			bad("layers[%d] (%s): since: %d: a year from which the composition holds, not after its vintage %d", i, l.Level, l.Since, l.Vintage)
		case l.Table != "" && (l.File != "" || l.Dissolve != ""):
			bad("layers[%d] (%s): give one of file, table and dissolve", i, l.Level)
		case l.Table != "" && l.Code == "" && l.Card == "":
			bad("layers[%d] (%s): code: missing: the column of %s that holds the codes", i, l.Level, l.Table)
		case l.Table != "" && p.Weights != nil && l.layer() == p.Weights.Layer:
			bad("layers[%d] (%s): table: weights are read from a file", i, l.Level)
		case l.Table == "" && (l.File == "") == (l.Dissolve == ""):
			bad("layers[%d] (%s): give either file or dissolve", i, l.Level)
		case l.Dissolve != "" && l.Code == "":
			bad("layers[%d] (%s): code: missing: the code of the dissolved zone", i, l.Level)
		case l.Dissolve != "" && l.Members != "all" && p.Perimeters[l.Members] == nil:
			bad("layers[%d] (%s): members: no perimeter named %q under perimeters", i, l.Level, l.Members)
		}
	}
	for i, t := range p.Tables {
		if strings.TrimSpace(t.File) == "" {
			bad("tables[%d]: file: missing: the file the card describes, such as sources/DEMO_2022.csv", i)
		}
	}
	errs = append(errs, p.checkURLs(path)...)
	if w := p.Weights; w != nil {
		if !slices.ContainsFunc(p.Layers, func(l layerConfig) bool { return l.layer() == w.Layer && l.File != "" }) {
			bad("weights.layer: no layer %q read from a file under layers", w.Layer)
		}
		if w.Variable == "" {
			bad("weights.variable: missing: the attribute of the layer that holds the people")
		}
	}
	if v := p.Vecus; v != nil {
		if !slices.ContainsFunc(p.Layers, func(l layerConfig) bool { return l.Level == v.From || string(l.layer()) == v.From }) {
			bad("quartiers_vecus.from: no layer or level %q under layers", v.From)
		}
		for _, r := range v.Buffers {
			if !(r > 0 && r <= 10_000) {
				bad("quartiers_vecus.buffer_m: %v is not a radius in metres, between 0 and 10 000", r)
			}
		}
	}
	for i, f := range p.Facilities {
		errs = append(errs, f.check(fmt.Sprintf("%s: facilities[%d]", path, i))...)
	}
	levels := map[string]bool{}
	layers := map[geo.Layer]bool{}
	for _, l := range p.Layers {
		levels[l.Level], layers[l.layer()] = true, true
	}
	for _, ref := range p.References {
		if len(p.Layers) > 0 && !levels[ref] {
			bad("references: no layer of level %q under layers", ref)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(p.GeographyAs)) {
		to := p.GeographyAs[from]
		switch {
		case !layers[to]:
			bad("geography_as: %s: no layer %q under layers", from, to)
		case from.Vintage() == 0 || from.Level() != to.Level():
			bad("geography_as: %s: %s is not a vintage of the same level, such as %s-2019", to, from, to.Level())
		case layers[from]:
			bad("geography_as: %s: the project has these contours: take one of the two away", from)
		}
	}
	errs = append(errs, p.checkPassages(path, layers)...)
	for _, level := range slices.Sorted(maps.Keys(p.Comparisons)) {
		if !levels[level] {
			bad("comparisons: no layer of level %q under layers", level)
		}
	}
	for _, code := range p.Scope.Communes {
		if len(code) != 5 {
			bad("scope.communes: %q is not a commune code of five characters: quote it, so that a leading zero is kept", code)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Perimeters)) {
		codes := p.Perimeters[name]
		if len(codes) == 0 {
			bad("perimeters.%s: no commune", name)
		}
		for i, code := range codes {
			if slices.Contains(codes[:i], code) {
				bad("perimeters.%s: %s is there twice", name, code)
			}
			if len(code) != 5 {
				bad("perimeters.%s: %q is not a commune code of five characters", name, code)
			}
		}
	}
	return errors.Join(errs...)
}

// loadDefinitions reads the built-in indicators and the project's own, which replace those of the same id.
func (p *project) loadDefinitions(path string) error {
	text, err := fs.ReadFile(data.Catalogue(), indicatorsFile)
	if err != nil {
		return err
	}
	if p.definitions, err = ingest.LoadDefinitions(indicatorsFile, text); err != nil {
		return err
	}
	own := filepath.Join(p.dir, indicatorsFile)
	if text, err := os.ReadFile(own); err == nil {
		defs, err := ingest.LoadDefinitions(own, text)
		if err != nil {
			return err
		}
		for _, d := range defs {
			if i := slices.IndexFunc(p.definitions, func(x indicators.Definition) bool { return x.ID == d.ID }); i >= 0 {
				p.definitions[i] = d
			} else {
				p.definitions = append(p.definitions, d)
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if p.Indicators == nil {
		return nil
	}
	if len(p.Indicators) == 0 {
		return fmt.Errorf("%s: indicators: none: write default, or list some", path)
	}
	var chosen []indicators.Definition
	var errs []error
	for k, id := range p.Indicators {
		if slices.Contains(p.Indicators[:k], id) {
			errs = append(errs, fmt.Errorf("%s: indicators: %s is there twice", path, id))
			continue
		}
		i := slices.IndexFunc(p.definitions, func(x indicators.Definition) bool { return x.ID == id })
		if i < 0 {
			errs = append(errs, fmt.Errorf("%s: indicators: no indicator %q: `observatoire indicators` lists them", path, id))
			continue
		}
		chosen = append(chosen, p.definitions[i])
	}
	p.definitions = chosen
	return errors.Join(errs...)
}

// ready says whether the project can be run: commands that only read editions do not ask.
func (p *project) ready() error {
	if p.unset != nil {
		return p.unset
	}
	path := filepath.Join(p.dir, projectFile)
	switch {
	case len(p.Layers) == 0:
		return fmt.Errorf("%s: layers: none: an observatory needs the contours of its zones", path)
	case len(p.Tables) == 0:
		return fmt.Errorf("%s: tables: none: an observatory needs figures", path)
	}
	return nil
}

// path is a file of the project: relative to its folder unless absolute.
func (p *project) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.dir, name)
}

// files expands the pattern of a table, which may go on past an archive; one that matches nothing is an error.
func (p *project) files(pattern string) ([]string, error) {
	path := p.path(pattern)
	found, err := ingest.Files(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file: `observatoire fetch` downloads what has an address; else put it there, or take it out of %s", path, projectFile)
	}
	return found, err
}

// studied are the levels of the quarters: those that are neither a reference nor a statistical mesh.
func (p *project) studied() []string {
	var levels []string
	for _, l := range p.Layers {
		if p.Weights != nil && l.layer() == p.Weights.Layer {
			continue
		}
		if l.Level != "iris" && !slices.Contains(referenceLevels, l.Level) && !slices.Contains(p.References, l.Level) &&
			!slices.Contains(levels, l.Level) {
			levels = append(levels, l.Level)
		}
	}
	if p.Vecus != nil {
		if p.Vecus.Drawn != "" && !slices.Contains(levels, levelVecu) {
			levels = append(levels, levelVecu)
		}
		for _, r := range p.Vecus.Buffers {
			levels = append(levels, p.Vecus.level(r))
		}
	}
	slices.Sort(levels)
	return levels
}

// comparisons are the comparison territories by zone.
func (p *project) comparisons() map[string][]string {
	out := map[string][]string{}
	for _, zones := range p.Comparisons {
		maps.Copy(out, zones)
	}
	return out
}

// since are the years from which compositions are known to hold.
func (p *project) since() map[geo.Layer]int {
	out := map[geo.Layer]int{}
	for _, l := range p.Layers {
		if l.Since != 0 {
			out[l.layer()] = l.Since
		}
	}
	return out
}

// referenceLevels are administrative: never studied, even where they are no reference.
var referenceLevels = []string{"commune", "epci", "departement", "region", "perimetre_contrat"}
