package indicators

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"observatoire/geo"
)

// An Equipement is a facility: a point with a theme, and the zones it lies in.
type Equipement struct {
	Code   string // unique in an edition
	Nom    string
	Theme  string  // as its file says it: "école", "centre social"…
	X, Y   float64 // metres, in the legal projection of the edition
	Source string  // base name of its file
	Zones  []EquipementZone
}

// An EquipementZone is a zone a facility lies in. Those of one facility are ordered by layer, then code.
type EquipementZone struct {
	Couche geo.Layer
	Code   string
}

// In says whether the facility lies in a zone of one of these layers that has one of these codes; a nil list
// stands for all.
func (q *Equipement) In(couches []geo.Layer, codes []string) bool {
	return couches == nil && codes == nil || slices.ContainsFunc(q.Zones, func(z EquipementZone) bool {
		return (couches == nil || slices.Contains(couches, z.Couche)) && (codes == nil || slices.Contains(codes, z.Code))
	})
}

// CompareEquipements orders facilities by code.
func CompareEquipements(a, b Equipement) int { return cmp.Compare(a.Code, b.Code) }

// EPSG is the legal projection of the edition's geometries, 0 when it has none.
func (e *Edition) EPSG() int {
	for i := range e.Layers {
		if e.Layers[i].EPSG != 0 {
			return e.Layers[i].EPSG
		}
	}
	return 0
}

// An EquipementPlacer finds the zones in which facilities lie.
type EquipementPlacer struct {
	sets     []*geo.ZoneSet
	locators []*geo.Locator
	studied  []bool
	communes []string
	hits     []int
}

// NewEquipementPlacer prepares the drawn layers of the levels studied, of IRIS and of communes. communes are
// those of the project; nil stands for all that are drawn.
func NewEquipementPlacer(layers []geo.ZoneSet, studied, communes []string) *EquipementPlacer {
	p := &EquipementPlacer{communes: communes}
	for i := range layers {
		set := &layers[i]
		level := set.Layer.Level()
		quarter := slices.Contains(studied, level)
		if !set.Drawn() || !quarter && level != "iris" && level != "commune" {
			continue
		}
		p.sets = append(p.sets, set)
		p.locators = append(p.locators, geo.NewLocator(set))
		p.studied = append(p.studied, quarter)
	}
	return p
}

// Zones are the zones at a point of the legal projection, ordered when the layers are. inside says whether the
// point is of the project: in one of its communes, or in a zone studied. Overlapping zones of one layer are all
// there; of zones side by side, a point on their border is in just one.
func (p *EquipementPlacer) Zones(x, y float64) (zones []EquipementZone, inside bool) {
	for i, set := range p.sets {
		p.hits = p.locators[i].All(p.hits[:0], x, y)
		for _, h := range p.hits {
			code := set.Zones[h].Code
			zones = append(zones, EquipementZone{set.Layer, code})
			inside = inside || p.studied[i] ||
				set.Layer.Level() == "commune" && (len(p.communes) == 0 || slices.Contains(p.communes, code))
		}
	}
	return zones, inside
}

// An EquipementFilter keeps the facilities of some zones and themes; a nil list stands for all.
type EquipementFilter struct {
	Couches []geo.Layer
	Codes   []string // of zones
	Themes  []string
}

func (f EquipementFilter) theme(q *Equipement) bool {
	return f.Themes == nil || slices.Contains(f.Themes, q.Theme)
}

// SelectEquipements are the facilities of an edition that a filter keeps, in the order of the edition.
func SelectEquipements(e *Edition, f EquipementFilter) []Equipement {
	out := []Equipement{}
	for i := range e.Equipements {
		if q := &e.Equipements[i]; f.theme(q) && q.In(f.Couches, f.Codes) {
			out = append(out, *q)
		}
	}
	return out
}

// EquipementThemes are the themes of an edition's facilities, sorted.
func EquipementThemes(e *Edition) []string {
	var out []string
	for i := range e.Equipements {
		out = append(out, e.Equipements[i].Theme)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// An EquipementCount is the number of facilities of one theme in one zone.
type EquipementCount struct {
	Couche      geo.Layer `json:"couche"`
	Code        string    `json:"code"`
	Nom         string    `json:"nom"`
	Theme       string    `json:"theme"`
	Equipements int       `json:"equipements"`
}

// CountEquipements counts facilities by zone and theme, ordered by layer, code and theme. A zone and a theme
// that are not there together have none in the files of the edition, which does not say that there are none on
// the ground.
func CountEquipements(e *Edition, f EquipementFilter) []EquipementCount {
	names := NewNames(e)
	counts := map[EquipementCount]int{}
	for i := range e.Equipements {
		q := &e.Equipements[i]
		if !f.theme(q) {
			continue
		}
		for _, z := range q.Zones {
			if (f.Couches == nil || slices.Contains(f.Couches, z.Couche)) && (f.Codes == nil || slices.Contains(f.Codes, z.Code)) {
				counts[EquipementCount{Couche: z.Couche, Code: z.Code, Theme: q.Theme}]++
			}
		}
	}
	out := make([]EquipementCount, 0, len(counts))
	for c, n := range counts {
		c.Nom, c.Equipements = names.Zone(c.Couche, c.Code), n
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b EquipementCount) int {
		return cmp.Or(cmp.Compare(a.Couche, b.Couche), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Theme, b.Theme))
	})
	return out
}

// The headers of the machine CSV files of facilities.
var (
	EquipementCountsHeader = []string{"couche", "code", "nom", "theme", "equipements"}
	EquipementsHeader      = []string{"code", "nom", "theme", "x", "y", "epsg", "zones", "source"}
)

// WriteEquipementCountsCSV writes counts by zone and theme, in the order given.
func WriteEquipementCountsCSV(w io.Writer, counts []EquipementCount) error {
	return writeCSV(w, EquipementCountsHeader, len(counts), func(i int) []string {
		c := counts[i]
		return []string{string(c.Couche), c.Code, c.Nom, c.Theme, strconv.Itoa(c.Equipements)}
	})
}

// WriteEquipementsCSV writes facilities, in the order given: x and y in metres, zones as "couche:code" parted by
// spaces.
func WriteEquipementsCSV(w io.Writer, e *Edition, list []Equipement) error {
	epsg := strconv.Itoa(e.EPSG())
	return writeCSV(w, EquipementsHeader, len(list), func(i int) []string {
		q := &list[i]
		zones := make([]string, len(q.Zones))
		for k, z := range q.Zones {
			zones[k] = string(z.Couche) + ":" + z.Code
		}
		return []string{q.Code, q.Nom, q.Theme, FormatNumber(q.X), FormatNumber(q.Y), epsg, strings.Join(zones, " "), q.Source}
	})
}
