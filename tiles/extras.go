package tiles

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"observatoire/geo"
	"observatoire/indicators"
)

// Besides its layers of zones an edition has tiles of the pieces into which other layers cut its quarters, one layer a
// pair of layers, and of its facilities. They are made when they are first asked for.
const (
	piecesPrefix  = "recouvrement_" // then the two layers: recouvrement_qpv-2015_iris-2016
	facilityLayer = "equipements"
	maxPieces     = 50_000 // of one layer: each takes about a millisecond to cut
)

type extras struct {
	mu     sync.Mutex
	byName map[string]*extraLayer
}

type extraLayer struct {
	once  sync.Once
	layer *layer
	err   error
}

// extraNames are the layers of tiles that are not of zones, those with something to draw.
func (s *Snapshot) extraNames() []string {
	var names []string
	for i := range s.edition.Overlaps {
		if o := &s.edition.Overlaps[i]; s.cuttable(o) {
			names = append(names, piecesName(o))
		}
	}
	if len(s.edition.Equipements) > 0 && s.edition.EPSG() != 0 {
		names = append(names, facilityLayer)
	}
	return names
}

// cuttable says whether the pieces of a set of overlaps are drawn: those of quarters, both layers having contours.
func (s *Snapshot) cuttable(o *indicators.OverlapSet) bool {
	from, to := s.byName[o.From], s.byName[o.To]
	return isQuarter(o.From.Level()) && len(o.Pairs) > 0 && len(o.Pairs) <= maxPieces && from != nil && to != nil && from.drawn > 0 && to.drawn > 0
}

func piecesName(o *indicators.OverlapSet) string {
	return piecesPrefix + string(o.From) + "_" + string(o.To)
}

// extra finds a layer of tiles that is not of zones; nil when there is none of that name.
func (s *Snapshot) extra(name string) (*layer, error) {
	if !slices.Contains(s.extraNames(), name) {
		return nil, nil
	}
	s.extras.mu.Lock()
	if s.extras.byName == nil {
		s.extras.byName = map[string]*extraLayer{}
	}
	x := s.extras.byName[name]
	if x == nil {
		x = &extraLayer{}
		s.extras.byName[name] = x
	}
	s.extras.mu.Unlock()
	x.once.Do(func() {
		if name == facilityLayer {
			x.layer, x.err = s.facilities()
			return
		}
		for i := range s.edition.Overlaps {
			if o := &s.edition.Overlaps[i]; piecesName(o) == name {
				x.layer, x.err = s.pieces(o)
			}
		}
	})
	return x.layer, x.err
}

// pieces cuts the quarters by the zones of another layer. A piece is what a pair has in common, with its shares; one too
// small for the precision of coordinates has its row in the table of overlaps, and nothing to draw.
func (s *Snapshot) pieces(o *indicators.OverlapSet) (*layer, error) {
	from, to := s.byName[o.From].set, s.byName[o.To].set
	set := &geo.ZoneSet{Layer: geo.Layer(piecesName(o)), EPSG: from.EPSG, Schematic: from.Schematic || to.Schematic, Source: to.Source,
		Title: fmt.Sprintf("Recouvrements : %s × %s", s.byName[o.From].title(), s.byName[o.To].title()), Zones: make([]geo.Zone, len(o.Pairs))}
	errs := make([]error, len(o.Pairs))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(o.Pairs)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(o.Pairs); i = int(next.Add(1)) - 1 {
				a, b := &from.Zones[o.Pairs[i].From], &to.Zones[o.Pairs[i].To]
				z := &set.Zones[i]
				z.Code, z.Name = a.Code+"/"+b.Code, strings.Trim(a.Name+" / "+b.Name, " /")
				z.Geom, errs[i] = geo.Clip(a.Geom, b.Geom)
			}
		})
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("the piece %s: %w", set.Zones[i].Code, err)
		}
	}
	l, err := newLayer(set)
	if err != nil {
		return nil, err
	}
	l.describe = func(i int, props geojson.Properties) {
		p := &o.Pairs[i]
		a, b := &from.Zones[p.From], &to.Zones[p.To]
		props["code_de"], props["nom_de"], props["code_vers"], props["nom_vers"] = a.Code, a.Name, b.Code, b.Name
		props["aire_m2"], props["part_de"], props["part_vers"], props["marge_part"] = rounded(p.Area), rounded(p.ShareFrom), rounded(p.ShareTo), rounded(p.Margin)
		if p.Note != "" {
			props["note"] = p.Note
		}
	}
	l.fields = map[string]string{"code_de": "Code du quartier", "nom_de": "Nom du quartier", "code_vers": "Code de la zone", "nom_vers": "Nom de la zone",
		"aire_m2": "Surface commune (m²)", "part_de": "Part de la surface du quartier", "part_vers": "Part de la surface de la zone",
		"marge_part": "Variation de la part si les limites bougent de 10 m", "note": "« liseré » : recouvrement trop mince pour compter"}
	return l, nil
}

// facilities are the points of the edition.
func (s *Snapshot) facilities() (*layer, error) {
	crs, err := geo.ByEPSG(s.edition.EPSG())
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", facilityLayer, err)
	}
	list := s.edition.Equipements
	set := &geo.ZoneSet{Layer: facilityLayer, Title: "Équipements", EPSG: s.edition.EPSG(), Zones: make([]geo.Zone, len(list))}
	l := &layer{set: set, crs: crs, points: make([]orb.Point, len(list)), drawn: len(list)}
	for i := range list {
		q := &list[i]
		set.Zones[i] = geo.Zone{Code: q.Code, Name: q.Nom}
		lon, lat := crs.Inverse(q.X, q.Y)
		p := mercator(lon, lat)
		l.points[i] = p
		l.index.Insert(p, p, i)
		if at := (orb.Point{round7(lon), round7(lat)}).Bound(); i == 0 {
			l.bound = at
		} else {
			l.bound = l.bound.Union(at)
		}
	}
	l.describe = func(i int, props geojson.Properties) {
		props["theme"], props["source"] = list[i].Theme, list[i].Source
	}
	l.fields = map[string]string{"code": "Code de l'équipement", "nom": "Nom de l'équipement", "theme": "Thème", "source": "Fichier"}
	return l, nil
}

// tileLayer finds a layer of tiles: of zones, or one of the others.
func (p *published) tileLayer(name string) (*layer, error) {
	if l := p.byName[geo.Layer(name)]; l != nil {
		return l, nil
	}
	if l, err := p.extra(name); l != nil || err != nil {
		return l, err
	}
	return nil, notFound("Couche inconnue : « %s ». Couches de l'édition : %s.", name, strings.Join(append([]string{p.layerList()}, p.extraNames()...), ", "))
}
