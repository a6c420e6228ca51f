package store

import (
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
	at, err := readZones(ctx, db, set, near)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return set, at, nil
}

// zoneBlock is how many zones one query reads: enough to make little of its cost, few enough to share the work.
const zoneBlock = 256

// readZones reads the zones of a layer, on all processors, each with a connection of its own.
func readZones(ctx context.Context, db *sql.DB, set *geo.ZoneSet, near []orb.Bound) ([]int, error) {
	name := quote(tableName(set.Layer))
	var first, last sql.NullInt64
	// Two queries: the ends of a table are found at once, one at a time.
	if err := db.QueryRowContext(ctx, "SELECT (SELECT min(fid) FROM "+name+"), (SELECT max(fid) FROM "+name+")").Scan(&first, &last); err != nil {
		return nil, fmt.Errorf("%s: %w", set.Layer, err)
	}
	if !last.Valid {
		return nil, nil
	}
	zones := cap(set.Zones)
	// The place of a zone is its fid less 1, as we write them. It is not in a copy that someone has edited.
	ours := first.Int64 == 1 && last.Int64 == int64(zones)
	condition := "fid BETWEEN ? AND ?"
	var blocks [][]any // what the condition is told, a block of zones each
	if near != nil && ours {
		fids, err := fidsNear(ctx, db, tableName(set.Layer), near)
		if err != nil {
			return nil, fmt.Errorf("%s: its R-tree: %w", set.Layer, err)
		}
		zones = len(fids)
		condition = "fid IN (?" + strings.Repeat(", ?", zoneBlock-1) + ")"
		for block := range slices.Chunk(fids, zoneBlock) {
			list := make([]any, zoneBlock)
			for i := range list {
				list[i] = block[min(i, len(block)-1)] // the last one fills a block that is not whole
			}
			blocks = append(blocks, list)
		}
	} else {
		for lo := first.Int64; lo <= last.Int64; lo += zoneBlock {
			blocks = append(blocks, []any{lo, lo + zoneBlock - 1})
		}
	}

	read, fids, errs := make([][]geo.Zone, len(blocks)), make([][]int, len(blocks)), make([]error, len(blocks))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(blocks)) {
		wg.Go(func() {
			var query *sql.Stmt
			conn, err := db.Conn(ctx)
			if err == nil {
				defer conn.Close()
				query, err = conn.PrepareContext(ctx, "SELECT fid, geom, code, nom, communes, membres, type FROM "+name+
					" WHERE "+condition+" ORDER BY fid")
			}
			if err == nil {
				defer query.Close()
			}
			var d decoder
			for i := int(next.Add(1)) - 1; i < len(blocks); i = int(next.Add(1)) - 1 {
				if errs[i] = err; err == nil {
					read[i], fids[i], errs[i] = readBlock(ctx, query, blocks[i], &d)
				}
				if errs[i] != nil {
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
	for i, block := range read {
		set.Zones = append(set.Zones, block...)
		at = append(at, fids[i]...)
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

// readBlock reads some zones, in the order of their fid.
func readBlock(ctx context.Context, query *sql.Stmt, which []any, d *decoder) (zones []geo.Zone, fids []int, err error) {
	rows, err := query.QueryContext(ctx, which...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	zones, fids = make([]geo.Zone, 0, zoneBlock), make([]int, 0, zoneBlock)
	var fid int
	var geom sql.RawBytes
	var texts [5]any // a text that is scanned into an any is not copied
	for rows.Next() {
		if err := rows.Scan(&fid, &geom, &texts[0], &texts[1], &texts[2], &texts[3], &texts[4]); err != nil {
			return nil, nil, err
		}
		z, members := geo.Zone{}, ""
		for i, to := range [...]*string{&z.Code, &z.Name, &z.Commune, &members, &z.Type} {
			switch v := texts[i].(type) {
			case string:
				*to = v
			case nil:
			default:
				*to = fmt.Sprint(v)
			}
		}
		if members != "" {
			z.Members = strings.Split(members, ",")
		}
		if geom != nil {
			if z.Geom, err = d.multiPolygonGPKG(geom); err != nil {
				return nil, nil, fmt.Errorf("zone %s: %w", z.Code, err)
			}
			z.Box = geo.Box(z.Geom)
		}
		zones, fids = append(zones, z), append(fids, fid)
	}
	return zones, fids, rows.Err()
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
