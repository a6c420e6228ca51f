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
)

// changesHeader is the header of the CSV. conserve is what two zones have in common; sorti, what of the first zone is
// in no zone of the layer after; entre, what of the second is in no zone of the layer before.
var changesHeader = []string{"couche_de", "code_de", "nom_de", "couche_vers", "code_vers", "nom_vers",
	"conserve_m2", "sorti_m2", "entre_m2", "jaccard", "conserve_pop", "sorti_pop", "entre_pop", "note"}

// noteWhole marks the row about two layers as a whole.
const noteWhole = "ensemble"

func (a *app) changesCmd() *cobra.Command {
	var from, to, format, out, id string
	c := &cobra.Command{
		Use:     "changes --from LAYER --to LAYER",
		Aliases: []string{"evolutions"},
		Short:   "What became of the perimeters of a layer in another: kept, left, added",
		Long: `What became of the perimeters of a layer in another, as of the quarters of 2015 in those of 2024: each pair of zones
with ground in common, the zones that went out or came in altogether, then the two layers as a whole, where ground
covered by several zones counts once. A bare level means all its layers: --from qpv --to qpv compares each vintage
with those after it.

"sorti" is what of a zone is in no zone of the layer after, "entré" what of a zone is in none of the layer before:
both belong to the zone, so that in CSV and JSON they are repeated with each of its pairs. Only "conservé" adds up.
The Jaccard index is the ground in common over the ground of both: 1 for the same perimeter, 0 for nothing in common.

Where the project has weights, the same is counted by population. An empty cell says that it is not known: the
weight layer counts no one in the zone.`,
		Example: `  observatoire changes --from qpv-2015 --to qpv-2024
  observatoire changes --from zus-1996 --to qpv-2015 --format csv -o pieces.geojson`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if from == "" || to == "" {
				return usage{errors.New("--from and --to: name the layer before and the layer after")}
			}
			if ext := strings.ToLower(filepath.Ext(out)); out != "" && ext != ".geojson" && ext != ".json" {
				return usage{fmt.Errorf("-o %s: a .geojson file", out)}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				e, err := readEdition(ctx, st, id)
				if err != nil {
					return err
				}
				sets, err := a.changesOf(ctx, p, e, from, to)
				if err != nil {
					return err
				}
				if out != "" {
					if err := writeFile(out, func(w io.Writer) error { return writePieces(ctx, w, sets) }); err != nil {
						return err
					}
					a.say("%s", out)
				}
				switch format {
				case "csv":
					return writeChangesCSV(a.stdout, sets)
				case "json":
					rows := []changeRow{}
					for i := range sets {
						rows = append(rows, sets[i].rows...)
					}
					return writeJSON(a.stdout, rows)
				}
				return a.changesTable(e, sets)
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "layer or level before")
	c.Flags().StringVar(&to, "to", "", "layer or level after")
	c.Flags().StringVar(&format, "format", "table", "table, csv or json")
	c.Flags().StringVarP(&out, "output", "o", "", "GeoJSON file to write what was kept, left and added to, as areas")
	c.Flags().StringVar(&id, "edition", "", "edition to read (default: the published one)")
	return c
}

// A changeSet is what became of one layer in another. The last row is about the whole.
type changeSet struct {
	before, after *geo.ZoneSet
	rows          []changeRow
	people        bool // counted by population too
}

// A changeRow is a [geo.Change] as it is written: m², persons, and nil for what does not apply or is not known.
type changeRow struct {
	CoucheDe   geo.Layer `json:"couche_de"`
	CodeDe     string    `json:"code_de"`
	NomDe      string    `json:"nom_de"`
	CoucheVers geo.Layer `json:"couche_vers"`
	CodeVers   string    `json:"code_vers"`
	NomVers    string    `json:"nom_vers"`

	Conserve float64  `json:"conserve_m2"`
	Sorti    *float64 `json:"sorti_m2"`
	Entre    *float64 `json:"entre_m2"`
	Jaccard  float64  `json:"jaccard"`

	ConservePop *float64 `json:"conserve_pop"`
	SortiPop    *float64 `json:"sorti_pop"`
	EntrePop    *float64 `json:"entre_pop"`

	Note string `json:"note,omitempty"`

	areaDe, areaVers float64 // m², of the zones or of the layers
}

// changesOf compares the layers that two names mean.
func (a *app) changesOf(ctx context.Context, p *project, e *indicators.Edition, from, to string) ([]changeSet, error) {
	var pairs [][2]*geo.ZoneSet
	before, err := layersOf(e, from)
	if err != nil {
		return nil, err
	}
	after, err := layersOf(e, to)
	if err != nil {
		return nil, err
	}
	for _, x := range before {
		for _, y := range after {
			backwards := from == to && x.Vintage() >= y.Vintage()
			if x != y && !backwards && e.Layer(x).Drawn() && e.Layer(y).Drawn() {
				pairs = append(pairs, [2]*geo.ZoneSet{e.Layer(x), e.Layer(y)})
			}
		}
	}
	if len(pairs) == 0 {
		return nil, usage{fmt.Errorf("--from %s --to %s: no two layers to compare among %v and %v: it takes two different layers, both with contours", from, to, before, after)}
	}
	var masses []geo.Mass
	if p.Weights != nil {
		if masses, _, err = a.masses(ctx, p, pairs[0][0].EPSG); err != nil {
			return nil, err
		}
	}
	said := map[geo.Layer]bool{}
	var out []changeSet
	for _, pair := range pairs {
		for _, set := range pair {
			var none []string
			for _, z := range set.Zones {
				if len(z.Geom) == 0 {
					none = append(none, z.Code)
				}
			}
			if len(none) > 0 && !said[set.Layer] {
				a.say("warning: %s: zones without contour, left out: %s", set.Layer, strings.Join(none, ", "))
			}
			said[set.Layer] = true
		}
		s, err := newChangeSet(ctx, pair[0], pair[1], masses)
		if err != nil {
			return nil, err
		}
		out = append(out, *s)
	}
	return out, nil
}

func newChangeSet(ctx context.Context, before, after *geo.ZoneSet, masses []geo.Mass) (*changeSet, error) {
	s := &changeSet{before: before, after: after, people: len(masses) > 0}
	changes, total, err := geo.Changes(ctx, before, after, masses...)
	if err != nil {
		return nil, err
	}
	// Where the weight layer counts no one in a zone, it may as well not reach there: no figure, rather than a zero.
	counted := [2][]float64{make([]float64, len(before.Zones)), make([]float64, len(after.Zones))}
	whole := [2]bool{s.people, s.people} // someone is counted in the layer
	partly := false
	if s.people {
		for k, set := range []*geo.ZoneSet{before, after} {
			if counted[k], err = geo.MassIn(ctx, set, masses); err != nil {
				return nil, fmt.Errorf("%s: %w", set.Layer, err)
			}
			whole[k] = slices.Max(append(counted[k], 0)) > 0
			for i, z := range set.Zones {
				partly = partly || len(z.Geom) > 0 && counted[k][i] == 0
			}
		}
	}
	known := func(yes bool, v float64) *float64 {
		if !yes {
			return nil
		}
		return &v
	}
	for _, c := range changes {
		r := changeRow{CoucheDe: before.Layer, CoucheVers: after.Layer, Conserve: c.Kept, Jaccard: c.Jaccard, Note: c.Note}
		var was, is bool // the people of the zone are counted
		if c.From >= 0 {
			z := before.Zones[c.From]
			was = counted[0][c.From] > 0
			r.CodeDe, r.NomDe, r.areaDe = z.Code, z.Name, geo.Area(z.Geom)
			r.Sorti, r.SortiPop = known(true, c.Left), known(was, c.LeftMass)
		}
		if c.To >= 0 {
			z := after.Zones[c.To]
			is = counted[1][c.To] > 0
			r.CodeVers, r.NomVers, r.areaVers = z.Code, z.Name, geo.Area(z.Geom)
			r.Entre, r.EntrePop = known(true, c.Added), known(is, c.AddedMass)
		}
		r.ConservePop = known(was && is || c.From < 0 && is || c.To < 0 && was, c.KeptMass)
		s.rows = append(s.rows, r)
	}
	r := changeRow{CoucheDe: before.Layer, CoucheVers: after.Layer, Note: noteWhole, Jaccard: total.Jaccard,
		Conserve: total.Kept, Sorti: known(true, total.Left), Entre: known(true, total.Added),
		ConservePop: known(whole[0] && whole[1], total.KeptMass), SortiPop: known(whole[0], total.LeftMass), EntrePop: known(whole[1], total.AddedMass),
		areaDe: total.Kept + total.Left, areaVers: total.Kept + total.Added}
	if partly && (whole[0] || whole[1]) {
		r.Note += ", population partielle"
	}
	s.rows = append(s.rows, r)
	return s, nil
}

func writeChangesCSV(w io.Writer, sets []changeSet) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(changesHeader); err != nil {
		return err
	}
	cell := func(v *float64) string {
		if v == nil {
			return ""
		}
		return strconv.FormatFloat(*v, 'f', 2, 64)
	}
	for i := range sets {
		for _, r := range sets[i].rows {
			if err := c.Write([]string{string(r.CoucheDe), r.CodeDe, r.NomDe, string(r.CoucheVers), r.CodeVers, r.NomVers,
				cell(&r.Conserve), cell(r.Sorti), cell(r.Entre), strconv.FormatFloat(r.Jaccard, 'f', 6, 64),
				cell(r.ConservePop), cell(r.SortiPop), cell(r.EntrePop), r.Note}); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

// changesTable prints for each zone before what became of it, then the zones that came in. What left and what came in
// are said once a zone, so that every column adds up.
func (a *app) changesTable(e *indicators.Edition, sets []changeSet) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	schematic := false
	for i := range sets {
		s := &sets[i]
		schematic = schematic || s.before.Schematic || s.after.Schematic
		area := func(v *float64, of float64) string { // of: the area it is a share of
			if v == nil {
				return "\t"
			}
			text := indicators.FrenchNumber(*v/1e4, 2) + " ha\t"
			if of > 0 {
				text += indicators.FrenchNumber(100**v/of, 1) + " %"
			}
			return text
		}
		people := func(values ...*float64) string {
			if !s.people {
				return ""
			}
			text := ""
			for _, v := range values {
				text += "\t"
				if v != nil {
					text += indicators.FrenchNumber(*v, 0)
				}
			}
			return text
		}
		heads := ""
		if s.people {
			heads = "\thab. conservés\tsortis\tentrés"
		}
		fmt.Fprintf(w, "%s\t%s\tconservé\t\tsorti\t\tentré\t\tJaccard%s\tnote\n",
			strings.ToUpper(string(s.before.Layer)), strings.ToUpper(string(s.after.Layer)), heads)
		last, seen := "", map[string]bool{}
		for _, r := range s.rows {
			de := zoneLabel(geo.Zone{Code: r.CodeDe, Name: r.NomDe})
			vers := zoneLabel(geo.Zone{Code: r.CodeVers, Name: r.NomVers})
			switch {
			case r.CodeDe == "" && r.CodeVers == "":
				de = "Ensemble"
			case r.CodeDe == "":
				de = "–"
			case r.CodeVers == "":
				vers = "–"
			}
			if r.CodeDe != "" && r.CodeDe == last {
				de, r.Sorti, r.SortiPop = "", nil, nil
			}
			if r.CodeVers != "" && seen[r.CodeVers] {
				r.Entre, r.EntrePop = nil, nil
			}
			last, seen[r.CodeVers] = r.CodeDe, true
			note := r.Note
			if rest, ok := strings.CutPrefix(note, noteWhole); ok {
				note = strings.TrimPrefix(rest, ", ")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s%s\t%s\n", de, vers, area(&r.Conserve, r.areaDe), area(r.Sorti, r.areaDe),
				area(r.Entre, r.areaVers), indicators.FrenchNumber(r.Jaccard, 3), people(r.ConservePop, r.SortiPop, r.EntrePop), note)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "Conservé et sorti : en % du périmètre d'avant ; entré : en % du périmètre d'après.")
	if schematic {
		fmt.Fprintln(w, "Contours schématiques, dessinés pour la démonstration.")
	}
	return w.Flush()
}

// writePieces writes what was kept, left and added as GeoJSON areas: longitude and latitude (CRS84).
func writePieces(ctx context.Context, w io.Writer, sets []changeSet) error {
	degrees, err := geo.ByEPSG(4326)
	if err != nil {
		return err
	}
	type properties struct {
		Evolution  string    `json:"evolution"` // conservé, sorti or entré
		CoucheDe   geo.Layer `json:"couche_de"`
		CodeDe     string    `json:"code_de"`
		NomDe      string    `json:"nom_de"`
		CoucheVers geo.Layer `json:"couche_vers"`
		CodeVers   string    `json:"code_vers"`
		NomVers    string    `json:"nom_vers"`
		Aire       float64   `json:"aire_m2"`
		Schema     bool      `json:"schematique"`
	}
	type geometry struct {
		Type        string           `json:"type"`
		Coordinates orb.MultiPolygon `json:"coordinates"`
	}
	type feature struct {
		Type       string     `json:"type"`
		Properties properties `json:"properties"`
		Geometry   geometry   `json:"geometry"`
	}
	name := func(set *geo.ZoneSet, code string) string {
		if i, ok := set.Index(code); ok {
			return set.Zones[i].Name
		}
		return ""
	}
	buf := bufio.NewWriter(w)
	buf.WriteString(`{"type":"FeatureCollection","features":[`)
	between := "\n"
	for i := range sets {
		s := &sets[i]
		legal, err := geo.ByEPSG(cmp.Or(s.before.EPSG, s.after.EPSG))
		if err != nil {
			return err
		}
		pieces, err := geo.ChangePieces(ctx, s.before, s.after)
		if err != nil {
			return fmt.Errorf("%s to %s: %w", s.before.Layer, s.after.Layer, err)
		}
		for _, p := range pieces {
			b, err := json.Marshal(feature{"Feature", properties{p.Kind, s.before.Layer, p.From, name(s.before, p.From),
				s.after.Layer, p.To, name(s.after, p.To), geo.Area(p.Geom), s.before.Schematic || s.after.Schematic},
				geometry{"MultiPolygon", rounded(geo.Transform(p.Geom, legal, degrees))}})
			if err != nil {
				return err
			}
			buf.WriteString(between)
			buf.Write(b)
			between = ",\n"
		}
	}
	buf.WriteString("\n]}\n")
	return buf.Flush()
}
