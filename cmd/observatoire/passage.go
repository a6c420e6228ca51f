package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// A passageConfig is a table of passage: figures of one geography are brought to another of the same level.
type passageConfig struct {
	Card  string `yaml:"card" json:"fiche,omitempty"` // the one that fits the file's name when it is not said
	File  string `yaml:"file" json:"fichier"`
	Level string `yaml:"level" json:"niveau"`
	From  int    `yaml:"from" json:"de"` // vintages
	To    int    `yaml:"to" json:"vers"`
}

func (c passageConfig) from() geo.Layer { return geo.Layer(fmt.Sprintf("%s-%d", c.Level, c.From)) }
func (c passageConfig) to() geo.Layer   { return geo.Layer(fmt.Sprintf("%s-%d", c.Level, c.To)) }

// checkPassages finds what the passages of a project lack or contradict.
func (p *project) checkPassages(path string, layers map[geo.Layer]bool) []error {
	var errs []error
	bad := func(i int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: passages[%d]: "+format, append([]any{path, i}, args...)...))
	}
	for i, c := range p.Passages {
		_, as := p.GeographyAs[c.from()]
		_, asTo := p.GeographyAs[c.to()]
		switch {
		case c.File == "":
			bad(i, "file: missing: the table of passage")
		case c.Level == "":
			bad(i, "level: missing: commune, iris…")
		case c.From < 1900 || c.From > 2100 || c.To < 1900 || c.To > 2100:
			bad(i, "from and to are the years of two geographies, such as 2015 and 2018")
		case c.From == c.To:
			bad(i, "from and to are the same geography, %d", c.From)
		case layers[c.from()]:
			bad(i, "the project has the contours %s: take one of the two away", c.from())
		case as:
			bad(i, "geography_as names %s too: take one of the two away", c.from())
		case slices.ContainsFunc(p.Passages[:i], func(o passageConfig) bool { return o.from() == c.from() }):
			bad(i, "%s has a passage already: keep one", c.from())
		case !layers[c.to()] && !asTo && !slices.ContainsFunc(p.Passages[i+1:], func(o passageConfig) bool { return o.from() == c.to() }):
			bad(i, "no layer %q under layers: the figures would have nowhere to go", c.to())
		}
	}
	return errs
}

// readPassages reads the tables of passage of the project. The stamps say which ones.
func (p *project) readPassages() (passages []indicators.Passage, alerts []indicators.Alerte, stamps []fileStamp, err error) {
	var errs []error
	for i, c := range p.Passages {
		passage, findings, stamp, err := p.readPassage(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("passages[%d]: %w", i, err))
			continue
		}
		passages, stamps = append(passages, passage), append(stamps, stamp)
		for _, f := range findings {
			alerts = append(alerts, alerteOf(f))
		}
	}
	if len(errs) > 0 {
		return nil, nil, nil, refused{errors.Join(errs...)}
	}
	return passages, alerts, stamps, nil
}

// strays reports the zones with figures that a table of passage brings to codes the layer it leads to does not have.
func strays(passages []indicators.Passage, columns []indicators.Column, sets []geo.ZoneSet) []indicators.Alerte {
	var alerts []indicators.Alerte
	for _, passage := range passages {
		i := slices.IndexFunc(sets, func(s geo.ZoneSet) bool { return s.Layer == passage.To })
		if i < 0 {
			continue
		}
		lost := map[string][]string{} // code after → codes before
		for _, c := range columns {
			if geo.Layer(fmt.Sprintf("%s-%d", c.Level, c.Vintage)) != passage.From {
				continue
			}
			for _, code := range c.Codes {
				for _, part := range passage.Parts[code] {
					if _, ok := sets[i].Index(part.Code); !ok && !slices.Contains(lost[part.Code], code) {
						lost[part.Code] = append(lost[part.Code], code)
					}
				}
			}
		}
		var words []string
		for _, code := range slices.Sorted(maps.Keys(lost)) {
			slices.Sort(lost[code])
			words = append(words, fmt.Sprintf("%s (de %s)", code, strings.Join(lost[code], ", ")))
		}
		if n := len(words); n > 0 {
			more := ""
			if n > 5 {
				words, more = words[:5], "…"
			}
			alerts = append(alerts, indicators.Alerte{ID: fmt.Sprintf("passage_ailleurs:%s:%s", passage.From, passage.To), Kind: "passage", Gravite: "attention", Objet: passage.File,
				Message: fmt.Sprintf("la table de passage mène à %d code(s) que la couche %s n'a pas : %s%s ; leurs chiffres ne sont sur aucun contour. "+
					"À faire : corriger ces codes dans la table, ou prendre les contours de son année.", n, passage.To, strings.Join(words, ", "), more)})
		}
	}
	return alerts
}

func (p *project) readPassage(c passageConfig) (indicators.Passage, []ingest.Finding, fileStamp, error) {
	none := indicators.Passage{}
	files, err := p.files(c.File)
	if err != nil {
		return none, nil, fileStamp{}, err
	}
	if len(files) > 1 {
		return none, nil, fileStamp{}, fmt.Errorf("%s matches %d files: name one", c.File, len(files))
	}
	base := filepath.Base(files[0])
	var card *ingest.Card
	if c.Card != "" {
		var ok bool
		if card, ok = p.catalogue.Card(c.Card); !ok {
			return none, nil, fileStamp{}, p.noCard(c.Card, "passage")
		}
	}
	for _, fit := range p.catalogue.Match(base) {
		if card == nil && fit.Kind == "passage" {
			card = fit
		}
	}
	if card == nil {
		card, _ = p.catalogue.Card("passage")
	}
	if card.Level != "any" && card.Level != c.Level {
		return none, nil, fileStamp{}, fmt.Errorf("%s: the card %s is of level %s, not %s: name another card", base, card.ID, card.Level, c.Level)
	}
	passage, findings, err := ingest.ReadPassage(files[0], card, c.from(), c.to())
	if err != nil {
		return none, nil, fileStamp{}, err
	}
	sum, _, err := ingest.Digest(files[0])
	return passage, findings, fileStamp{Layer: c.to(), File: base, SHA256: sum, Zones: len(passage.Parts)}, err
}

// sameCode is the share of their common ground under which one code is two places.
const sameCode = 0.5

// compareVintages reports the contours of a year that are another year's, and the codes of IRIS that do not designate the same
// place in two vintages.
func (a *app) compareVintages(ctx context.Context, sets []geo.ZoneSet) ([]indicators.Alerte, error) {
	var out []indicators.Alerte
	for i := range sets {
		for j := i + 1; j < len(sets); j++ {
			x, y := &sets[i], &sets[j]
			if x.Layer.Level() != y.Layer.Level() || !x.Drawn() || !y.Drawn() || len(x.Zones) < 2 {
				continue
			}
			if sameGround(x, y) {
				out = append(out, indicators.Alerte{ID: fmt.Sprintf("copie:%s:%s", x.Layer, y.Layer), Kind: "copie", Gravite: "attention", Objet: string(y.Layer),
					Message: fmt.Sprintf("les contours %s et %s sont les mêmes, au point près. Cause probable : le fichier d'une année donné sous deux. "+
						"À faire : reprendre celui de l'autre année, ou n'en garder qu'un et dire geography_as.", x.Layer, y.Layer)})
				a.say("warning: layers %s and %s have the same contours: one of the two files is not of its year", x.Layer, y.Layer)
				continue
			}
			if x.Layer.Level() != "iris" {
				continue
			}
			moved, err := movedCodes(ctx, x, y)
			if err != nil {
				return nil, err
			}
			if len(moved) > 0 {
				shown := moved
				if len(shown) > 5 {
					shown = shown[:5]
				}
				out = append(out, indicators.Alerte{ID: fmt.Sprintf("deplaces:%s:%s", x.Layer, y.Layer), Kind: "geographie", Gravite: "information", Objet: string(y.Layer),
					Message: fmt.Sprintf("%d codes communs à %s et %s n'y désignent pas le même lieu (moins de la moitié de leur surface réunie en commun), dont %s : "+
						"joindre par le code sans l'année fausserait leurs chiffres", len(moved), x.Layer, y.Layer, strings.Join(shown, ", "))})
			}
		}
	}
	return out, nil
}

// movedCodes are the codes of two vintages whose grounds share less than half of their union.
func movedCodes(ctx context.Context, x, y *geo.ZoneSet) ([]string, error) {
	pairs, err := geo.Overlaps(ctx, x, y)
	if err != nil {
		return nil, err
	}
	common := make([]float64, len(x.Zones)) // intersection over union
	for _, o := range pairs {
		if x.Zones[o.From].Code == y.Zones[o.To].Code && o.ShareFrom > 0 && o.ShareTo > 0 {
			common[o.From] = o.Area / (o.Area/o.ShareFrom + o.Area/o.ShareTo - o.Area)
		}
	}
	var codes []string
	for i, z := range x.Zones {
		if _, both := y.Index(z.Code); both && common[i] < sameCode {
			codes = append(codes, z.Code)
		}
	}
	return codes, nil
}

// sameGround says whether two layers have the very same polygons, whatever their codes.
func sameGround(x, y *geo.ZoneSet) bool {
	if len(x.Zones) != len(y.Zones) {
		return false
	}
	prints := func(s *geo.ZoneSet) [][sha256.Size]byte {
		out := make([][sha256.Size]byte, len(s.Zones))
		for i, z := range s.Zones {
			h := sha256.New()
			var b [16]byte
			for _, polygon := range z.Geom {
				for _, ring := range polygon {
					for _, p := range ring {
						binary.LittleEndian.PutUint64(b[:8], math.Float64bits(p[0]))
						binary.LittleEndian.PutUint64(b[8:], math.Float64bits(p[1]))
						h.Write(b[:])
					}
				}
			}
			h.Sum(out[i][:0])
		}
		slices.SortFunc(out, func(a, b [sha256.Size]byte) int { return cmp.Compare(string(a[:]), string(b[:])) })
		return out
	}
	return slices.Equal(prints(x), prints(y))
}
