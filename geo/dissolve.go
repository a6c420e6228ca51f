package geo

import "github.com/paulmach/orb"

// Dissolve returns the union of zones of one coverage: valid geometries, side by side.
//
// Where two zones share a border its edges run both ways and cancel; the others are traced into rings. No
// coordinate is computed, so the area is the sum of the areas. Where borders do not match, what is covered twice
// counts once, and the gaps are holes, or belong to the outside when they open on it.
//
// The result depends on the area covered, not on the order of the parts, except where borders come within a
// micrometre without being the same. A part with coordinates that are not finite numbers is left out.
func Dissolve(parts []orb.MultiPolygon) orb.MultiPolygon {
	var rings []orb.Ring
	for _, part := range parts {
		if numeric(part) != "" {
			continue
		}
		for _, poly := range Orient(part) {
			rings = append(rings, poly...)
		}
	}
	// All under one number: a face is covered by as many parts as the borders wind around it.
	m := arrange(rings, func(int) int32 { return 0 })
	return m.outline(func(face []turns) bool { return len(face) > 0 && face[0].n > 0 })
}
