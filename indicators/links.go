package indicators

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"observatoire/geo"
)

// links say which zones of a layer a zone belongs to, and which make it up.
type links struct {
	b        *book
	overlaps map[partsKey][][]part          // largest first
	communes map[geo.Layer][]string         // of each zone
	lying    map[geo.Layer]map[string][]int // the zones of each commune, in order
	refs     map[geo.Layer]map[int]bool
	made     map[componentsKey][]part
	making   *sync.Mutex // held to look into made
}

// arrondissement marks the code of a municipal arrondissement among those of communes: it is made of the IRIS of its code.
const arrondissement = "arrondissement "

type componentsKey struct {
	layer  geo.Layer
	zone   int
	source geo.Layer
}

// arrondissements gives the commune of a municipal arrondissement of Paris, Lyon or Marseille, whose codes
// statistics by IRIS use in place of the commune's.
func arrondissements(commune string) string {
	switch {
	case strings.HasPrefix(commune, "132") && len(commune) == 5:
		return "13055"
	case strings.HasPrefix(commune, "751") && len(commune) == 5:
		return "75056"
	case strings.HasPrefix(commune, "6938") && len(commune) == 5:
		return "69123"
	}
	return commune
}

func newLinks(b *book, overlaps []OverlapSet) links {
	l := links{b: b, overlaps: map[partsKey][][]part{},
		communes: map[geo.Layer][]string{}, lying: map[geo.Layer]map[string][]int{}, refs: map[geo.Layer]map[int]bool{}, made: map[componentsKey][]part{}, making: &sync.Mutex{}}
	for _, set := range overlaps {
		from := b.layers[set.From]
		if from == nil || b.layers[set.To] == nil {
			continue
		}
		list := make([][]part, len(from.Zones))
		for _, p := range set.Pairs {
			list[p.From] = append(list[p.From], part{zone: p.To, of: p.ShareFrom, inside: p.ShareTo})
		}
		l.overlaps[partsKey{set.From, set.To}] = list
	}
	for _, layer := range b.order {
		l.communes[layer] = make([]string, len(b.layers[layer].Zones))
		l.lying[layer] = map[string][]int{}
		for z := range l.communes[layer] {
			commune := l.findCommune(layer, z)
			l.communes[layer][z] = commune
			l.lying[layer][commune] = append(l.lying[layer][commune], z)
			if code := b.layers[layer].Zones[z].Code; layer.Level() == "iris" && len(code) > 5 && code[:5] != commune && arrondissements(code[:5]) == commune {
				own := arrondissement + code[:5]
				l.lying[layer][own] = append(l.lying[layer][own], z)
			}
		}
	}
	return l
}

// commune is the commune a zone lies in, or mostly lies in; empty when it is not known.
func (l links) commune(layer geo.Layer, z int) string { return l.communes[layer][z] }

func (l links) findCommune(layer geo.Layer, z int) string {
	zone := l.b.layers[layer].Zones[z]
	switch {
	case layer.Level() == "commune":
		return zone.Code
	case zone.Commune != "" && !strings.Contains(zone.Commune, ","):
		return arrondissements(zone.Commune)
	case layer.Level() == "iris" && len(zone.Code) == 9:
		return arrondissements(zone.Code[:5])
	}
	for _, other := range l.b.order {
		if other.Level() != "commune" {
			continue
		}
		list := l.overlaps[partsKey{layer, other}]
		if list == nil || len(list[z]) == 0 {
			continue
		}
		most := slices.MaxFunc(list[z], func(a, b part) int {
			if a.of < b.of {
				return -1
			}
			return 1
		})
		return l.b.layers[other].Zones[most.zone].Code
	}
	return ""
}

// reference is the zone of another layer that a zone is compared to; ok is false when there is none.
func (l links) reference(layer geo.Layer, z int, ref geo.Layer) (int, bool) {
	commune := l.commune(layer, z)
	if commune == "" {
		return 0, false
	}
	set := l.b.layers[ref]
	if ref.Level() == "commune" {
		return set.Index(commune)
	}
	for i, r := range set.Zones {
		if _, in := slices.BinarySearch(r.Members, commune); in {
			return i, true
		}
	}
	if ref.Level() == "departement" {
		return set.Index(Departement(commune))
	}
	return 0, false
}

// Departement is the département of a commune, IRIS or quarter code: "13" for 13047 and for QP013061.
func Departement(code string) string {
	for _, prefix := range []string{"QP", "QN"} {
		if rest, ok := strings.CutPrefix(code, prefix); ok && len(rest) >= 3 {
			if strings.HasPrefix(rest, "97") {
				return rest[:3]
			}
			return strings.TrimPrefix(rest[:3], "0")
		}
	}
	switch {
	case len(code) >= 3 && (strings.HasPrefix(code, "97") || strings.HasPrefix(code, "98")):
		return code[:3]
	case len(code) >= 2:
		return code[:2]
	}
	return code
}

// components are the zones of a layer that make up a zone exactly: those whose commune is one of its
// members, or is the zone itself. The list is the caller's to change.
func (l links) components(layer geo.Layer, z int, source geo.Layer) []part {
	key := componentsKey{layer, z, source}
	l.making.Lock()
	defer l.making.Unlock()
	parts, ok := l.made[key]
	if !ok {
		parts = l.findComponents(layer, z, source)
		l.made[key] = parts
	}
	return slices.Clone(parts)
}

func (l links) findComponents(layer geo.Layer, z int, source geo.Layer) []part {
	zone := l.b.layers[layer].Zones[z]
	members := zone.Members
	switch {
	case layer.Level() == "commune":
		members = []string{zone.Code}
	case members == nil:
		return nil
	}
	var parts []part
	for _, commune := range members {
		lying := l.lying[source][commune]
		if len(lying) == 0 && layer.Level() == "commune" {
			lying = l.lying[source][arrondissement+commune]
		}
		if len(lying) == 0 {
			return nil // some of it lies outside what the project holds
		}
		for _, i := range lying {
			parts = append(parts, part{zone: i})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.zone, b.zone) })
	return parts
}

// note remembers that a zone serves as a reference.
func (l links) note(ref geo.Layer, z int) {
	if l.refs[ref] == nil {
		l.refs[ref] = map[int]bool{}
	}
	l.refs[ref][z] = true
}

// referenced says whether a zone is the reference of a quarter.
func (l links) referenced(layer geo.Layer, z int) bool { return l.refs[layer][z] }
