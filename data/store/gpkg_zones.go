package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/paulmach/orb"
	"github.com/tidwall/rtree"

	"observatoire/geo"
	"observatoire/indicators"
)

// readOutline reads what an edition's file is about.
func readOutline(ctx context.Context, path string) (*indicators.Edition, error) {
	db, err := openEditionFile(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	e := &indicators.Edition{}
	tables := editionTables(e)
	for i := range tables[:outlineTables] {
		if err := readRows(ctx, db, &tables[i], "ORDER BY rang"); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return e, nil
}

// readLayer reads a layer of an edition's file.
func readLayer(ctx context.Context, path string, layer geo.Layer, near []orb.Bound) (*geo.ZoneSet, []int, error) {
	e, err := readOutline(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	set := e.Layer(layer)
	if set == nil {
		return nil, nil, fmt.Errorf("edition %s has no layer %s: %w", e.ID, layer, ErrNotFound)
	}
	db, err := openEditionFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	at, err := readZones(ctx, db, path, set, near)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return set, at, nil
}

// leafBlock is how many pages of rows one worker reads at a time, in their order.
const leafBlock = 64

// readZones reads the zones of a layer of a file, on all processors.
func readZones(ctx context.Context, db *sql.DB, path string, set *geo.ZoneSet, near []orb.Bound) ([]int, error) {
	name := tableName(set.Layer)
	var first, last sql.NullInt64
	// Two queries: the ends of a table are found at once, one at a time.
	if err := db.QueryRowContext(ctx, "SELECT (SELECT min(fid) FROM "+quote(name)+"), (SELECT max(fid) FROM "+quote(name)+")").Scan(&first, &last); err != nil {
		return nil, fmt.Errorf("%s: %w", set.Layer, err)
	}
	if !last.Valid {
		return nil, nil
	}
	zones := cap(set.Zones)
	// The place of a zone is its fid less 1, as we write them. It is not in a copy that someone has edited.
	ours := first.Int64 == 1 && last.Int64 == int64(zones)
	var wanted []int64 // nil for all
	if near != nil && ours {
		var err error
		if wanted, err = fidsNear(ctx, db, name, near); err != nil {
			return nil, fmt.Errorf("%s: its R-tree: %w", set.Layer, err)
		}
		if zones = len(wanted); zones == 0 {
			set.Zones = set.Zones[:0]
			return nil, nil
		}
	}
	root, places, err := columnPlaces(ctx, db, name, []string{"geom", "code", "nom", "communes", "membres", "type"})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.Layer, err)
	}
	file, err := openPages(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.Layer, err)
	}
	defer file.file.Close()
	leaves, err := file.leaves(root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set.Layer, err)
	}

	blocks := make([]zoneBlock, (len(leaves)+leafBlock-1)/leafBlock)
	errs := make([]error, len(blocks))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(blocks)) {
		wg.Go(func() {
			r := &rowReader{window: window{pages: file}}
			var d decoder
			for i := int(next.Add(1)) - 1; i < len(blocks); i = int(next.Add(1)) - 1 {
				lo, hi := i*leafBlock, min((i+1)*leafBlock, len(leaves))
				from := int64(math.MinInt64)
				if lo > 0 {
					from = leaves[lo-1].last
				}
				if errs[i] = cmp.Or(ctx.Err(), blocks[i].read(r, &d, leaves[lo:hi], from, wanted, places)); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", set.Layer, err)
	}
	set.Zones = slices.Grow(set.Zones[:0], zones)
	at := make([]int, 0, zones)
	for _, b := range blocks {
		set.Zones = append(set.Zones, b.zones...)
		at = append(at, b.fids...)
	}
	for i := range at {
		at[i]--
		if !ours {
			at[i] = i
		}
	}
	if near != nil && !ours {
		keepNear(set, &at, near)
	}
	return at, nil
}

// A zoneBlock is some zones of a layer, in the order of their fid.
type zoneBlock struct {
	zones []geo.Zone
	fids  []int
}

// read reads the zones of some leaves, whose fids are above from, and of these the wanted ones unless that is nil. The
// values of a zone are at these places of its row: its contour, code, name, communes, members and type.
func (b *zoneBlock) read(r *rowReader, d *decoder, leaves []leaf, from int64, wanted []int64, places []int) error {
	all := wanted == nil
	if !all {
		i, _ := slices.BinarySearch(wanted, from)
		for i < len(wanted) && wanted[i] <= from {
			i++
		}
		wanted = wanted[i:]
	}
	isWanted := func(fid int64) bool {
		for len(wanted) > 0 && wanted[0] < fid {
			wanted = wanted[1:]
		}
		return all || len(wanted) > 0 && wanted[0] == fid
	}
	keep := func(fid int64, values [][]byte) (err error) {
		value := func(i int) []byte { // a column added since is not in the rows that were there before
			if places[i] < len(values) {
				return values[places[i]]
			}
			return nil
		}
		z := geo.Zone{Code: string(value(1)), Name: string(value(2)), Commune: string(value(3)), Type: string(value(5))}
		if members := string(value(4)); members != "" {
			z.Members = strings.Split(members, ",")
		}
		if geom := value(0); geom != nil {
			if z.Geom, err = d.multiPolygonGPKG(geom); err != nil {
				return fmt.Errorf("zone %s: %w", z.Code, err)
			}
			z.Box = geo.Box(z.Geom)
		}
		b.zones, b.fids = append(b.zones, z), append(b.fids, int(fid))
		return nil
	}
	for _, l := range leaves {
		if !all && (len(wanted) == 0 || wanted[0] > l.last) {
			continue
		}
		if err := r.rows(l.page, isWanted, keep); err != nil {
			return err
		}
	}
	return nil
}

// fidsNear are the zones whose box meets one of near, in order. They are found in the pages of the layer's R-tree, whose
// format SQLite documents, because thousands of queries of it take longer than reading all the zones.
func fidsNear(ctx context.Context, db *sql.DB, table string, near []orb.Bound) ([]int64, error) {
	var tree rtree.RTreeG[struct{}]
	for _, b := range near {
		tree.Insert(b.Min, b.Max, struct{}{})
	}
	nodes := map[int64][]byte{}
	rows, err := db.QueryContext(ctx, "SELECT nodeno, data FROM "+quote("rtree_"+table+"_geom_node"))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var data []byte
		if err := rows.Scan(&n, &data); err != nil {
			return nil, err
		}
		nodes[n] = data
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	const root = 1
	if len(nodes[root]) < 4 {
		return nil, errCut
	}
	var fids []int64
	var visit func(n int64, height int) error
	visit = func(n int64, height int) error {
		// A node is the height of the tree (in the root), how many cells it has, and the cells: an id, that of a node or at
		// the foot of the tree of a zone, and its box rounded outwards. All is big-endian.
		const cell = 8 + 4*4
		data := nodes[n]
		if len(data) < 4 || len(data) < 4+cell*int(binary.BigEndian.Uint16(data[2:])) || height < 0 {
			return errCut
		}
		for i := range int(binary.BigEndian.Uint16(data[2:])) {
			c := data[4+cell*i:]
			side := func(k int) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(c[8+4*k:]))) }
			meets := false
			tree.Search([2]float64{side(0), side(2)}, [2]float64{side(1), side(3)}, func(_, _ [2]float64, _ struct{}) bool {
				meets = true
				return false
			})
			if !meets {
				continue
			}
			id := int64(binary.BigEndian.Uint64(c))
			if height == 0 {
				fids = append(fids, id)
			} else if err := visit(id, height-1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(root, int(binary.BigEndian.Uint16(nodes[root]))); err != nil {
		return nil, err
	}
	slices.Sort(fids)
	return fids, nil
}

// keepNear drops the zones whose box meets none of near.
func keepNear(set *geo.ZoneSet, at *[]int, near []orb.Bound) {
	n := 0
	for i, z := range set.Zones {
		if z.Geom == nil {
			continue
		}
		b := z.Geom.Bound()
		if slices.ContainsFunc(near, b.Intersects) {
			set.Zones[n], (*at)[n] = z, (*at)[i]
			n++
		}
	}
	set.Zones, *at = set.Zones[:n], (*at)[:n]
}
