package tiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"observatoire/geo"
	"observatoire/indicators"
)

// What a drawn perimeter may be.
const (
	maxDrawnVertices = 10_000
	maxDrawnArea     = 20e9 // m²: more than any département
)

// drawnLevel is the level of the one zone of a drawn perimeter.
const drawnLevel = "dessin"

// post wraps a handler that reads what it is sent: nothing of it is kept, nor of what it answers.
func (s *Server) post(op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := func() error {
			sv, _ := s.edition(chi.URLParam(r, "edition"))
			if sv == nil {
				return &problem{Status: http.StatusServiceUnavailable, Detail: "Aucune édition de ce nom n'est servie ici."}
			}
			p, who, err := s.view(sv, r)
			if err != nil {
				return err
			}
			if w, ok := w.(*watched); ok && who != nil {
				w.token = who
			}
			done, err := s.place(r.Context())
			if err != nil {
				return err
			}
			defer done()
			q, err := op.query(r)
			if err != nil {
				return err
			}
			w.Header().Set("Cache-Control", "no-store")
			return op.h(w, r, p, q)
		}()
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// drawn reads a polygon: a geometry, a feature or a collection of one, in longitudes and latitudes, or in the legal
// projection where a "crs" member names it. It comes back valid; the fault says what was repaired.
func drawn(body []byte, legal geo.CRS, epsg int) (orb.MultiPolygon, geo.Fault, error) {
	refuse := func(format string, args ...any) (orb.MultiPolygon, geo.Fault, error) {
		return nil, geo.Fault{}, badRequest("", format, args...)
	}
	type object struct {
		Type     string
		CRS      *struct{ Properties struct{ Name string } }
		Geometry json.RawMessage
		Features []struct{ Geometry json.RawMessage }
	}
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return refuse("Le corps de la requête n'est pas du GeoJSON : %v.", err)
	}
	raw := json.RawMessage(body)
	switch o.Type {
	case "Feature":
		raw = o.Geometry
	case "FeatureCollection":
		if len(o.Features) != 1 {
			return refuse("Un seul périmètre est attendu : la collection en a %d.", len(o.Features))
		}
		raw = o.Features[0].Geometry
	}
	g, err := geojson.UnmarshalGeometry(raw)
	if err != nil {
		return refuse("La géométrie ne peut être lue : un Polygon ou un MultiPolygon GeoJSON est attendu.")
	}
	var mp orb.MultiPolygon
	switch x := g.Geometry().(type) {
	case orb.Polygon:
		mp = orb.MultiPolygon{x}
	case orb.MultiPolygon:
		mp = x
	default:
		return refuse("Un Polygon ou un MultiPolygon est attendu, et non « %s ».", g.Type)
	}
	projected := false
	if o.CRS != nil {
		switch name := o.CRS.Properties.Name; {
		case name == crs84 || name == "urn:ogc:def:crs:OGC:1.3:CRS84" || name == "urn:ogc:def:crs:OGC::CRS84":
		case name == fmt.Sprint(epsgURI, epsg) || name == fmt.Sprint("urn:ogc:def:crs:EPSG::", epsg) || name == fmt.Sprint("EPSG:", epsg):
			projected = true
		default:
			return refuse("Système de coordonnées « %s » : CRS84 ou EPSG:%d est attendu.", name, epsg)
		}
	}
	n := 0
	for _, poly := range mp {
		for _, ring := range poly {
			if n += len(ring); n > maxDrawnVertices {
				return refuse("Le périmètre a plus de %d sommets : le simplifier.", maxDrawnVertices)
			}
			for k, pt := range ring {
				if !projected {
					if math.Abs(pt[0]) > 180 || math.Abs(pt[1]) > 90 {
						return refuse("Le point (%g, %g) sort du globe : des longitudes et latitudes en degrés sont attendues, ou un membre « crs » qui dise EPSG:%d.", pt[0], pt[1], epsg)
					}
					pt[0], pt[1] = legal.Forward(pt[0], pt[1])
				}
				if math.IsNaN(pt[0]) || math.IsNaN(pt[1]) || math.Abs(pt[0]) > 1e8 || math.Abs(pt[1]) > 1e8 {
					return refuse("Un point du périmètre est loin de la projection du territoire.")
				}
				ring[k] = pt
			}
		}
	}
	mp, fault := geo.Repair(mp)
	switch area := geo.Area(mp); {
	case len(mp) == 0 || area <= 0:
		return refuse("Le périmètre n'a pas de surface : trois points au moins sont attendus, qui ne soient pas sur une ligne.")
	case area > maxDrawnArea:
		return refuse("Le périmètre fait %.0f km² : %.0f au plus.", area/1e6, maxDrawnArea/1e6)
	}
	return mp, fault, nil
}

// handleEstimation answers what a drawn perimeter shares with the zones of every layer, and what the figures shown of
// its IRIS say of it, by every method that they allow. Where only rates are published of an IRIS, and not their two
// terms, the methods that need these are not answered.
func (s *Server) handleEstimation(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if big := new(http.MaxBytesError); errors.As(err, &big) {
			return &problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("Le périmètre dépasse %d octets : le simplifier.", big.Limit)}
		}
		return badRequest("", "Le corps de la requête n'est pas arrivé entier.")
	}
	ids, err := q.indicateurs(p, "indicateur")
	if err != nil {
		return err
	}
	year, err := q.millesime()
	if err != nil {
		return err
	}
	epsg := p.edition.EPSG()
	crs, err := geo.ByEPSG(epsg)
	if err != nil {
		return err
	}
	mp, fault, err := drawn(body, crs, epsg)
	if err != nil {
		return err
	}
	if d := q.integer(paramTampon); d > 0 {
		if mp, err = geo.Buffer(mp, float64(d)); err != nil {
			return badRequest("tampon", "Le tampon de %d m ne peut être tracé autour de ce périmètre.", d)
		}
	}
	shape := geo.ZoneSet{Layer: drawnLevel + "-0", EPSG: epsg, Zones: []geo.Zone{{Code: drawnLevel, Name: "Périmètre dessiné", Geom: mp}}}
	if err := r.Context().Err(); err != nil {
		return err
	}
	sets, in, err := p.beneath(r.Context(), &shape)
	if err != nil {
		return err
	}
	for _, d := range p.edition.Indicators {
		if ids == nil || slices.Contains(ids, d.ID) {
			in.Definitions = append(in.Definitions, indicators.Definition{ID: d.ID, Label: d.Label, Unit: d.Unit, Direction: d.Direction, Rule: d.Rule, Sexes: d.Sexes,
				Decimals: d.Decimals, Value: d.ID, Unbounded: d.Unbounded})
		}
	}
	result, err := indicators.Compute(in)
	if err != nil {
		return fmt.Errorf("estimation: %w", err)
	}
	sexe := q.sexe("")
	values := slices.DeleteFunc(result.Values, func(v indicators.Value) bool {
		return v.Code != drawnLevel || year != nil && v.Millesime != *year || sexe != "" && v.Sexe != sexe
	})
	whole := *p.edition
	whole.Layers = append(slices.Clip(whole.Layers), shape)
	answer := object{"edition": p.edition.ID, "aire_m2": number(indicators.Some(geo.Area(mp))), "repare": nil, "perimetre": lonLat(mp, crs),
		"recouvrements": shareRows(&whole, sets), "estimations": indicators.SeriesRows(&whole, values)}
	if fault.Kind != "" {
		answer["repare"] = fault.Kind
	}
	return writeJSON(w, typeJSON, answer)
}

// beneath measures what a perimeter shares with the zones of the edition, and gathers the figures shown of the IRIS that
// it meets.
func (p *published) beneath(ctx context.Context, shape *geo.ZoneSet) ([]indicators.OverlapSet, indicators.Input, error) {
	in := indicators.Input{Studied: []string{drawnLevel}, Sources: []indicators.Source{{ID: p.edition.ID, Title: p.edition.Title}}}
	in.Layers = append(in.Layers, *shape)
	var sets []indicators.OverlapSet
	box := shape.Zones[0].Geom.Bound()
	for _, l := range p.layers {
		hits := l.meeting(box, true)
		if len(hits) == 0 {
			continue
		}
		slices.Sort(hits)
		near := *l.set
		near.Zones = make([]geo.Zone, len(hits))
		for k, i := range hits {
			near.Zones[k] = l.set.Zones[i]
		}
		pairs, err := geo.Overlaps(ctx, shape, &near)
		if err != nil {
			return nil, in, err
		}
		if len(pairs) == 0 {
			continue
		}
		set := indicators.OverlapSet{From: shape.Layer, To: l.set.Layer, Pairs: slices.Clone(pairs)}
		for k := range set.Pairs {
			set.Pairs[k].To = hits[set.Pairs[k].To]
		}
		sets = append(sets, set)
		if l.set.Layer.Level() != "iris" {
			continue
		}
		in.Layers = append(in.Layers, near)
		in.Overlaps = append(in.Overlaps, indicators.OverlapSet{From: shape.Layer, To: l.set.Layer, Pairs: pairs})
		for key, rows := range p.shown {
			if key.Couche != l.set.Layer || key.Millesime <= 0 {
				continue
			}
			c := indicators.Column{Source: p.edition.ID, Level: l.set.Layer.Level(), Vintage: l.set.Layer.Vintage(), Variable: key.Indicateur, Sexe: key.Sexe, Millesime: key.Millesime}
			for k, i := range hits {
				if rows[i] < 0 {
					continue
				}
				v := &p.edition.Values[rows[i]]
				c.Codes, c.V, c.Statut, c.Ref = append(c.Codes, near.Zones[k].Code), append(c.V, v.V), append(c.Statut, v.Statut), append(c.Ref, v.Source)
				c.Signale = append(c.Signale, v.Fiabilite >= indicators.Fragile)
			}
			if len(c.Codes) > 0 {
				in.Columns = append(in.Columns, c)
			}
		}
	}
	slices.SortFunc(in.Columns, func(a, b indicators.Column) int {
		if n := strings.Compare(a.Variable+"\x00"+a.Sexe, b.Variable+"\x00"+b.Sexe); n != 0 {
			return n
		}
		return (a.Millesime-b.Millesime)*10000 + a.Vintage - b.Vintage
	})
	return sets, in, nil
}

// lonLat is a geometry of the legal projection as GeoJSON takes it.
func lonLat(mp orb.MultiPolygon, crs geo.CRS) *geojson.Geometry {
	out := mp.Clone()
	for _, poly := range out {
		for _, ring := range poly {
			for i, pt := range ring {
				lon, lat := crs.Inverse(pt[0], pt[1])
				ring[i] = orb.Point{round7(lon), round7(lat)}
			}
		}
	}
	return geojson.NewGeometry(out)
}
