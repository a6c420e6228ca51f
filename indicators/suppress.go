package indicators

import (
	"cmp"
	"math"
	"slices"
)

// A SecrecyRule says which counts are withheld for what they are: those of too few units, and those that too few of the
// contributors make.
type SecrecyRule struct {
	Threshold int     // counts under it but zero are small; 1 or less: none is
	N         int     // dominance (n, k): the N largest contributors together…
	K         float64 // …make more than K per cent of the count
	P         float64 // the second largest contributor would know the largest one's within P per cent
}

// Primary says whether a count is withheld for what it is, and how far it must stay open for whoever knows all that is
// published: down by the first, up by the second. A count under the threshold must be able to be anything from 1 to the
// threshold. One that few contributors make must be able to be as large as the rule would have allowed. contributions
// are what each gave, in any order; nil where that is not known.
func (r SecrecyRule) Primary(v float64, contributions []float64) (down, up float64, primary bool) {
	if v > 0 && v < float64(r.Threshold) {
		down, up, primary = max(0, v-1), float64(r.Threshold)-v, true
	}
	if v <= 0 || len(contributions) == 0 {
		return down, up, primary
	}
	by := slices.Clone(contributions)
	slices.SortFunc(by, func(x, y float64) int { return cmp.Compare(y, x) })
	widen := func(short float64) {
		short = math.Ceil(short - 1e-9)
		down, up, primary = max(down, min(short, v)), max(up, short), true
	}
	if r.N > 0 && r.K > 0 {
		top := 0.0
		for _, x := range by[:min(r.N, len(by))] {
			top += x
		}
		if top > v*r.K/100 {
			widen(max(1, top*100/r.K-v))
		}
	}
	if r.P > 0 {
		rest := v - by[0]
		if len(by) > 1 {
			rest -= by[1]
		}
		if rest < by[0]*r.P/100 {
			widen(max(1, by[0]*r.P/100-rest))
		}
	}
	return down, up, primary
}

// A CellState is what whoever reads the publication has of a count.
type CellState uint8

const (
	Unknown  CellState = iota // nobody gave it: it may be anything
	Sealed                    // withheld by who gave the others: small, and no less than it is
	Open                      // to be published, unless it is withheld
	Fixed                     // published elsewhere: it cannot be withheld
	Implicit                  // never published, such as what lies outside of the quarters; others may give it away
)

// A CountCell is one count of a table. Primary, Down and Up are as [SecrecyRule.Primary] says.
type CountCell struct {
	V        float64
	State    CellState
	Primary  bool
	Down, Up float64
}

// A Term is a position of an axis, with its sign in a relation.
type Term struct {
	At   int
	Sign int // 1 or -1
}

// A CountAxis is one way to part counts, such as zones, sexes or ages. A relation between its positions holds at every
// position of the other axes: the terms with their signs add up to zero. F + H − T is one.
type CountAxis struct {
	Size      int
	Relations [][]Term
}

// A CountTable holds counts parted along axes, and all the sums that whoever reads them knows. Its cells are in order
// of their positions, those of the last axis together.
type CountTable struct {
	Axes  []CountAxis
	Cells []CountCell
}

// Suppress chooses which open counts to withhold: those that are primary, and with them as few and as small ones as it
// finds for each to stay within its protection interval. For each primary count there are then two other tables, of
// whole numbers where the counts are, that agree with everything published and in which the count is at one end of its
// interval and at the other (the lower end being what its parts leave, when none of them may be zero); no count that is withheld and not zero becomes zero in them, and none negative. So no
// subtraction, no bound and no solver can narrow it further. It returns the primary counts for which there is none,
// because what is fixed gives them away.
//
// Each such table is made of moves: what is added to one count is taken from others so that every sum stays. A move is
// the product of one along each axis, as in the hypercube method (Repsilber; GHMITER in τ-ARGUS). At the end every
// count that can be shown again without harm is. The result depends on the table alone.
func Suppress(t *CountTable) (withheld []bool, exposed []int) {
	s := newSuppressor(t)
	var order []int
	for i := range t.Cells {
		if t.Cells[i].Primary && t.Cells[i].State > Sealed {
			order = append(order, i)
			s.out[i] = t.Cells[i].State == Open
		}
	}
	// Those that need most room first: they serve the others.
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Compare(t.Cells[y].Up+t.Cells[y].Down, t.Cells[x].Up+t.Cells[x].Down)
	})
	witness := map[int][]int{} // the cells that the two tables of a primary count move
	users := map[int][]int{}
	for _, p := range order {
		if t.Cells[p].State == Fixed {
			exposed = append(exposed, p)
			continue
		}
		cells, ok := s.cover(p, withholdMore)
		if !ok {
			cells, ok = s.cover(p, withholdZeros)
		}
		if !ok {
			// Its parts may be too many for it to be as low as one: none of them is zero.
			s.down[p] = min(s.down[p], s.reached)
			cells, ok = s.cover(p, withholdZeros)
		}
		if !ok {
			exposed = append(exposed, p)
			continue
		}
		witness[p] = cells
		for _, c := range cells {
			s.out[c] = s.out[c] || t.Cells[c].State == Open
			users[c] = append(users[c], p)
		}
	}
	s.release(witness, users)
	slices.Sort(exposed)
	return s.out, exposed
}

// release shows again, the largest first, each count withheld for others that they turn out not to need.
func (s *suppressor) release(witness, users map[int][]int) {
	var list []int
	for c, out := range s.out {
		if out && !s.t.Cells[c].Primary {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(x, y int) int { return cmp.Compare(s.weight(y), s.weight(x)) })
	limit := s.work + mostRelease
	for _, c := range list {
		s.out[c] = false
		found := map[int][]int{}
		ok := true
		for _, p := range users[c] {
			if !slices.Contains(witness[p], c) {
				continue
			}
			if ok = s.work < limit; !ok {
				break
			}
			if found[p], ok = s.cover(p, withheldOnly); !ok {
				break
			}
		}
		if !ok {
			s.out[c] = true
			continue
		}
		for p, cells := range found {
			witness[p] = cells
			for _, x := range cells {
				if !slices.Contains(users[x], p) {
					users[x] = append(users[x], p)
				}
			}
		}
	}
}

// What a move may use besides the counts already withheld.
type reach uint8

const (
	withheldOnly  reach = iota
	withholdMore        // counts but zeros
	withholdZeros       // all: a zero is often known to be one
)

type suppressor struct {
	t       *CountTable
	strides []int
	at      [][][]Term // axis, position: the relations it is in, as Term{relation, sign}
	out     []bool
	x       []float64 // the other table that is being made
	taken   []bool    // its moves use the cell
	weights []float64
	down    []float64 // how far down each primary count must stay open
	reached float64   // how far down the last one that could not be covered could go
	reach   reach
	seen    [2][]witness // of each cell, the tables made so far in which it is largest, and smallest
	work    int          // what was tried, about in cells
}

// A witness is another table, by the cells that it changes.
type witness struct {
	by    float64 // what it adds to the cell, or takes from it
	cells []int
}

func newSuppressor(t *CountTable) *suppressor {
	s := &suppressor{t: t, strides: make([]int, len(t.Axes)), out: make([]bool, len(t.Cells)), x: make([]float64, len(t.Cells)), taken: make([]bool, len(t.Cells))}
	n := 1
	for a := len(t.Axes) - 1; a >= 0; a-- {
		s.strides[a] = n
		n *= t.Axes[a].Size
	}
	for a := range t.Axes {
		at := make([][]Term, t.Axes[a].Size)
		for r, terms := range t.Axes[a].Relations {
			for _, x := range terms {
				at[x.At] = append(at[x.At], Term{r, x.Sign})
			}
		}
		s.at = append(s.at, at)
	}
	s.seen = [2][]witness{make([]witness, len(t.Cells)), make([]witness, len(t.Cells))}
	for i := range t.Cells {
		s.x[i] = t.Cells[i].V
		s.down = append(s.down, t.Cells[i].Down)
		s.weights = append(s.weights, 1+math.Log2(1+max(0, t.Cells[i].V))/16)
	}
	return s
}

// weight is what withholding a count costs: one, and a little more for a larger one.
func (s *suppressor) weight(c int) float64 { return s.weights[c] }

// cost is what a move pays for using a cell; it may not when that is infinite.
func (s *suppressor) cost(c int) float64 {
	x := &s.t.Cells[c]
	switch {
	case x.State == Unknown, x.State == Sealed:
		return 0
	case x.State == Implicit, s.out[c], s.taken[c]:
		if x.State == Implicit && x.V == 0 {
			return math.Inf(1) // nobody lives outside: that may be known
		}
		return 0
	case x.State != Open, s.reach == withheldOnly, x.V == 0 && s.reach != withholdZeros:
		return math.Inf(1)
	case x.V == 0:
		return 8
	}
	return s.weight(c)
}

// floor is the least that a cell may become.
func (s *suppressor) floor(c int) float64 {
	switch x := &s.t.Cells[c]; {
	case x.State == Unknown:
		return math.Inf(-1)
	case x.State == Sealed:
		return 0
	case x.State == Implicit && !x.Primary:
		return min(0, x.V)
	}
	return min(1, s.t.Cells[c].V)
}

// cover finds the two other tables of a primary count, and the cells they move. One that was made for another count
// will do.
func (s *suppressor) cover(p int, reach reach) ([]int, bool) {
	s.reach = reach
	var used []int
	var made [][]int
	var moved []witness
	ok := true
	for w, way := range []struct{ sign, need float64 }{{1, s.t.Cells[p].Up}, {-1, s.down[p]}} {
		if seen := s.seen[w][p]; reach != withheldOnly && way.need > 1e-9 && seen.by >= way.need-1e-9 {
			used = append(used, seen.cells...)
			continue
		}
		var cells []int
		for round := 0; way.need > 1e-9; round++ {
			list, signs, room := s.move(p, way.sign, way.need)
			if list == nil || round == 24 {
				ok = false
				if s.reached = 0; way.sign < 0 {
					s.reached = s.down[p] - way.need
				}
				break
			}
			step := min(room, way.need)
			way.need -= step
			for i, c := range list {
				s.x[c] += step * way.sign * float64(signs[i])
				s.taken[c] = true
			}
			cells = append(cells, list...)
		}
		slices.Sort(cells)
		cells = slices.Compact(cells)
		for _, c := range cells {
			if ok && reach != withheldOnly {
				moved = append(moved, witness{s.x[c] - s.t.Cells[c].V, []int{c}})
			}
			s.x[c] = s.t.Cells[c].V
		}
		made = append(made, cells)
		used = append(used, cells...)
		if !ok {
			break
		}
	}
	for _, c := range used {
		s.taken[c] = false
	}
	if ok {
		k := 0
		for _, cells := range made {
			for range cells {
				if k == len(moved) {
					break
				}
				m := moved[k]
				k++
				c, w := m.cells[0], 0
				if m.by < 0 {
					w = 1
				}
				if by := math.Abs(m.by); by > s.seen[w][c].by {
					s.seen[w][c] = witness{by, cells}
				}
			}
		}
	}
	slices.Sort(used)
	return slices.Compact(used), ok
}

// A step is what a move costs, and how many times it can be made.
type step struct{ price, room float64 }

// total is what it costs to go as far as needed. Several moves are worse; one that withholds nothing more is better anyway.
func (m step) total(need float64) float64 {
	if m.room >= need {
		return m.price
	}
	return m.price*math.Ceil(need/max(m.room, 1e-9)) + 1e-6*need/m.room
}

// move finds the cheapest move that adds sign to a cell, and how many times it can be made.
func (s *suppressor) move(p int, sign, need float64) (cells, signs []int, room float64) {
	along := make([][][]Term, len(s.t.Axes))
	for a := range s.t.Axes {
		if along[a] = s.along(a, p); len(along[a]) == 0 {
			return nil, nil, 0
		}
	}
	best := math.Inf(1)
	n := 1
	pick := make([]int, len(along))
	at, to := []int{}, []int{}
	// What a move along one axis costs, and how often it can be made, bounds all the products it is in.
	bounds := make([][]step, len(along))
	for a := range along {
		from := p / s.strides[a] % s.t.Axes[a].Size
		for _, d := range along[a] {
			b := step{0, math.Inf(1)}
			for _, x := range d[1:] {
				c := p + (x.At-from)*s.strides[a]
				b.price += s.cost(c)
				if sign*float64(x.Sign) < 0 {
					b.room = min(b.room, (s.x[c]-s.floor(c))/math.Abs(float64(x.Sign)))
				}
			}
			bounds[a] = append(bounds[a], b)
		}
	}
	own := math.Inf(1)
	if sign < 0 {
		own = s.x[p] - (s.t.Cells[p].V - s.down[p])
	}
search:
	for {
		low := step{0, own}
		for a, k := range pick {
			low.price += bounds[a][k].price
			if low.room = min(low.room, bounds[a][k].room); low.room < 1e-9 || low.total(need) >= best {
				// No product with it is better: the next of this axis.
				for clear := a + 1; clear < len(pick); clear++ {
					pick[clear] = 0
				}
				for ; a >= 0; a-- {
					if pick[a]++; pick[a] < len(along[a]) {
						continue search
					}
					pick[a] = 0
				}
				return cells, signs, room
			}
		}
		at, to, n = append(at[:0], p), append(to[:0], 1), 1
		for a, k := range pick {
			from := p / s.strides[a] % s.t.Axes[a].Size
			for _, x := range along[a][k][1:] {
				for i := range n {
					at, to = append(at, at[i]+(x.At-from)*s.strides[a]), append(to, to[i]*x.Sign)
				}
			}
			n = len(at)
		}
		s.work += len(at)
		price, r := 0.0, math.Inf(1)
		for i, c := range at {
			price += s.cost(c)
			if sign*float64(to[i]) < 0 {
				least := s.floor(c)
				if c == p {
					least = s.t.Cells[p].V - s.down[p]
				}
				r = min(r, (s.x[c]-least)/math.Abs(float64(to[i])))
			}
			if price > best || r < 1e-9 {
				price = math.Inf(1)
				break
			}
		}
		if price = (step{price, r}).total(need); price < best {
			best, room = price, r
			cells, signs = slices.Clone(at), slices.Clone(to)
			if best == 0 {
				return cells, signs, room
			}
		}
		a := len(pick) - 1
		for ; a >= 0; a-- {
			if pick[a]++; pick[a] < len(along[a]) {
				break
			}
			pick[a] = 0
		}
		if a < 0 {
			return cells, signs, room
		}
	}
}

// mostRelease is how much is tried to show counts again: about a second.
const mostRelease = 20_000_000

// mostWide is how much is tried, about in cells, before fewer moves are: of a large table a little more is withheld.
const mostWide = 60_000_000

const (
	narrow     = 4  // moves along an axis then
	mostMoves  = 40 // along an axis
	mostAtOnce = 24 // partners tried for the first sum that a move breaks
	mostLater  = 4  // and for each that it breaks then
	longest    = 12 // positions in a move
)

// along lists moves along one axis from a cell: positions and what is added to each, the cell's own first, such that
// every relation of the axis still holds.
func (s *suppressor) along(a, p int) [][]Term {
	from := p / s.strides[a] % s.t.Axes[a].Size
	base := p - from*s.strides[a]
	var out [][]Term
	var extend func(d []Term, most int)
	extend = func(d []Term, most int) {
		s.work += 8 * len(d)
		if len(out) >= most {
			return
		}
		broken, by := -1, 0
		for _, x := range d {
			for _, in := range s.at[a][x.At] {
				if sum := s.residue(a, in.At, d); sum != 0 {
					broken, by = in.At, sum
					break
				}
			}
			if broken >= 0 {
				break
			}
		}
		switch {
		case broken < 0:
			out = append(out, slices.Clone(d))
			return
		case len(d) == longest, by != 1 && by != -1: // moves are by ones: whole numbers stay whole
			return
		}
		tried := mostLater
		if len(d) == 1 {
			tried = mostAtOnce
		}
		if s.work > mostWide {
			tried = min(tried, narrow)
		}
		for _, x := range s.partners(a, broken, base, d, tried) {
			more := most
			if len(d) == 1 {
				more = min(most, len(out)+4)
			}
			extend(append(slices.Clone(d), Term{x.At, -by * x.Sign}), more)
		}
	}
	moves := mostMoves
	if s.work > mostWide {
		moves = narrow
	}
	extend([]Term{{from, 1}}, moves)
	return out
}

// residue is how far some additions take a relation from zero.
func (s *suppressor) residue(a, relation int, d []Term) (sum int) {
	for _, x := range d {
		for _, in := range s.at[a][x.At] {
			if in.At == relation {
				sum += x.Sign * in.Sign
			}
		}
	}
	return sum
}

// partners are the only total of a relation, and the cheapest positions to mend it with.
func (s *suppressor) partners(a, relation, base int, d []Term, most int) []Term {
	type option struct {
		Term
		cost, v float64
	}
	best := make([]option, 0, most+1)
	terms := s.t.Axes[a].Relations[relation]
	s.work += len(terms)
	totals, total := 0, Term{}
	for _, x := range terms {
		if x.Sign < 0 {
			totals, total = totals+1, x
		}
		c := base + x.At*s.strides[a]
		o := option{x, s.cost(c), s.x[c]}
		// Most are dearer than the last that is kept: no more is asked of them.
		if math.IsInf(o.cost, 1) || len(best) == most && (o.cost > best[most-1].cost || o.cost == best[most-1].cost && o.v < best[most-1].v) {
			continue
		}
		if slices.ContainsFunc(d, func(y Term) bool { return y.At == x.At }) {
			continue
		}
		// Among those that cost nothing, the largest have most room.
		less := func(y, z option) int {
			return cmp.Or(cmp.Compare(y.cost, z.cost), cmp.Compare(z.v, y.v), cmp.Compare(y.At, z.At))
		}
		i, _ := slices.BinarySearchFunc(best, o, less)
		if i < most {
			best = slices.Insert(best, i, o)
			best = best[:min(len(best), most)]
		}
	}
	out := make([]Term, 0, len(best)+1)
	// The total first: up to the largest there is always a move, that takes nothing from others.
	if totals == 1 && !slices.ContainsFunc(d, func(y Term) bool { return y.At == total.At }) && !math.IsInf(s.cost(base+total.At*s.strides[a]), 1) {
		out = append(out, total)
	}
	for _, o := range best {
		if !slices.Contains(out, o.Term) {
			out = append(out, o.Term)
		}
	}
	return out
}
