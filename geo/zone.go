package geo

import (
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

// A Layer names a level and the vintage of its boundaries, such as "iris-2016" or "qpv-2015".
// The same code in two layers of one level may be two different places.
type Layer string

// Level is the part of the layer's name before its vintage: "iris" for "iris-2016".
func (l Layer) Level() string {
	if i := strings.LastIndexByte(string(l), '-'); i >= 0 {
		return string(l[:i])
	}
	return string(l)
}

// Vintage is the year of the layer's boundaries, or 0 when its name holds none.
func (l Layer) Vintage() int {
	if i := strings.LastIndexByte(string(l), '-'); i >= 0 {
		if n, err := strconv.Atoi(string(l[i+1:])); err == nil {
			return n
		}
	}
	return 0
}

// A Zone is an area with a code, on one layer.
type Zone struct {
	Code    string
	Name    string
	Commune string   // codes of the communes it lies in, comma separated; empty when not known
	Members []string // codes of the communes that make it up, sorted, when the zone is a composition
	Type    string   // for an IRIS: H (habitat), A (activité), D (divers) or Z (commune not divided)

	// Geom is in the legal projection, valid: shells counter-clockwise, holes clockwise, no ring crossing
	// another. It is nil where the zone is known by its code alone.
	Geom orb.MultiPolygon

	// Box is [Box] of Geom, taken by who reads the contours of a layer while they are at hand. The zero value means
	// that it has not been taken.
	Box orb.Bound
}

// A ZoneSet is the zones of one layer, ordered by code, without repeats.
type ZoneSet struct {
	Layer     Layer
	Title     string // in French, for readers: "IRIS, géographie au 01/01/2016"
	EPSG      int    // legal projection of the geometries
	Schematic bool   // the contours are drawn for demonstration: no surveyed perimeter
	Source    string // id of the source the contours come from
	Zones     []Zone
}

// Drawn says whether any zone has a geometry.
func (s *ZoneSet) Drawn() bool {
	for i := range s.Zones {
		if s.Zones[i].Geom != nil {
			return true
		}
	}
	return false
}

// Index returns the position of the zone with this code, and whether there is one.
func (s *ZoneSet) Index(code string) (int, bool) {
	lo, hi := 0, len(s.Zones)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if s.Zones[m].Code < code {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo, lo < len(s.Zones) && s.Zones[lo].Code == code
}

// An Overlap is the part two zones have in common, with what it is of each.
type Overlap struct {
	From, To  int     // positions in the two sets
	Area      float64 // m²
	ShareFrom float64 // Area over the area of the first zone, between 0 and 1
	ShareTo   float64 // Area over the area of the second zone
	Margin    float64 // how far ShareFrom moves when the borders shift by 10 m
	Note      string  // "liseré" for a sliver, else empty
}
