package ingest

// keyLines remembers the line of each key of a table, by the key's hash: the keys themselves would be most of the memory a
// long table takes. Among ten million keys, two have the same hash in one file out of 370 000. It takes some 20 bytes a key,
// and grows by parts so that it is never there twice.
type keyLines [256]linePart

// A linePart is an open table of the hashes that begin with one byte; a line 0 is a free place.
type linePart struct {
	hashes []uint64
	lines  []uint32
	n      int
}

// meet remembers the line of a key, counted from 1, and gives the one it is on already, or 0.
func (k *keyLines) meet(key string, line int) int {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	h = (h ^ h>>32) * 0x9e3779b97f4a7c15 // its low bits, which differ, into the high ones
	p := &k[h>>56]
	if 4*p.n >= 3*len(p.hashes) {
		old := *p
		size := max(16, 2*len(old.hashes))
		p.hashes, p.lines = make([]uint64, size), make([]uint32, size)
		for i, l := range old.lines {
			if l != 0 {
				at := p.place(old.hashes[i])
				p.hashes[at], p.lines[at] = old.hashes[i], l
			}
		}
	}
	at := p.place(h)
	if p.lines[at] == 0 {
		p.hashes[at], p.lines[at] = h, uint32(line)
		p.n++
		return 0
	}
	return int(p.lines[at])
}

// place is where a hash is, or would be.
func (p *linePart) place(h uint64) int {
	mask := uint64(len(p.hashes) - 1)
	at := h & mask
	for p.lines[at] != 0 && p.hashes[at] != h {
		at = (at + 1) & mask
	}
	return int(at)
}
