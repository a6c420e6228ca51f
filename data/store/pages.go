package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
)

// Contours are read from the pages of an edition's file, whose format SQLite documents (https://www.sqlite.org/fileformat2.html):
// through the driver, which copies each value twice, a layer takes four times as long. Everything else goes through it.

// pages are those of an SQLite file that does not change.
type pages struct {
	file   *os.File
	size   int    // bytes a page
	usable int    // of them
	count  uint32 // pages in the file
}

func openPages(path string) (*pages, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := pagesOf(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func pagesOf(f *os.File) (*pages, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var head [100]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, errCut
	}
	p := &pages{file: f, size: int(binary.BigEndian.Uint16(head[16:]))}
	if p.size == 1 {
		p.size = 1 << 16
	}
	p.usable = p.size - int(head[20])
	const utf8 = 1
	if !bytes.HasPrefix(head[:], []byte("SQLite format 3\x00")) || p.usable < 480 || binary.BigEndian.Uint32(head[56:]) != utf8 {
		return nil, fmt.Errorf("not a GeoPackage as the observatory writes them")
	}
	p.count = uint32(min(info.Size()/int64(p.size), 1<<32-1))
	return p, nil
}

// A window is some pages side by side, read at once: those of a large row follow each other.
type window struct {
	*pages
	first uint32 // number of its first page, counted from 1; 0 for none
	buf   []byte
}

const windowPages = 8

// page is a page of the file, until the next call.
func (w *window) page(n uint32) ([]byte, error) {
	if n < 1 || n > w.count {
		return nil, errCut
	}
	if w.first == 0 || n < w.first || int(n-w.first) >= len(w.buf)/w.size {
		w.first = n
		size := w.size * min(windowPages, int(w.count-n)+1)
		w.buf = slices.Grow(w.buf[:0], size)[:size]
		if _, err := w.file.ReadAt(w.buf, int64(n-1)*int64(w.size)); err != nil {
			w.first = 0
			return nil, err
		}
	}
	at := int(n-w.first) * w.size
	return w.buf[at : at+w.size], nil
}

// A leaf is a page that holds rows, those with a fid above the leaf's before and up to last.
type leaf struct {
	page uint32
	last int64
}

// Kinds of pages of a table.
const (
	interiorPage = 5
	leafPage     = 13
)

// leaves are those of the table with this root, in the order of their rows.
func (p *pages) leaves(root uint32) ([]leaf, error) {
	w := window{pages: p}
	level := []leaf{{root, 1<<63 - 1}}
	for range 20 { // no table is as high
		page, err := w.page(level[0].page)
		if err != nil {
			return nil, err
		}
		if page[0] == leafPage {
			return level, nil
		}
		var below []leaf
		for _, inner := range level {
			if page, err = w.page(inner.page); err != nil {
				return nil, err
			}
			cells := int(binary.BigEndian.Uint16(page[3:]))
			if page[0] != interiorPage || 12+2*cells > len(page) || len(below) > int(p.count) {
				return nil, errCut
			}
			for i := range cells {
				at := int(binary.BigEndian.Uint16(page[12+2*i:]))
				if at+4 > len(page) {
					return nil, errCut
				}
				last, n := varint(page[at+4:])
				if n == 0 {
					return nil, errCut
				}
				below = append(below, leaf{binary.BigEndian.Uint32(page[at:]), int64(last)})
			}
			below = append(below, leaf{binary.BigEndian.Uint32(page[8:]), inner.last})
		}
		level = below
	}
	return nil, errCut
}

// A rowReader reads rows of a table.
type rowReader struct {
	window
	leaf  []byte   // a copy
	row   []byte   // the record
	parts [][]byte // its values
}

// rows calls do with the values of the rows of a leaf whose fid is wanted, in order; a value that is no text and no blob
// is nil, and so is one that the row lacks. They last until do returns.
func (r *rowReader) rows(n uint32, wanted func(fid int64) bool, do func(fid int64, values [][]byte) error) error {
	page, err := r.page(n)
	if err != nil {
		return err
	}
	r.leaf = append(r.leaf[:0], page...)
	page = r.leaf
	cells := int(binary.BigEndian.Uint16(page[3:]))
	if page[0] != leafPage || 8+2*cells > len(page) {
		return errCut
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(page[8+2*i:]))
		if at > r.usable {
			return errCut
		}
		cell := page[at:r.usable]
		length, k := varint(cell)
		fid, l := varint(cell[k:])
		if k == 0 || l == 0 {
			return errCut
		}
		if !wanted(int64(fid)) {
			continue
		}
		if err := r.record(cell[k+l:], length); err != nil {
			return err
		}
		if err := r.split(); err != nil {
			return err
		}
		if err := do(int64(fid), r.parts); err != nil {
			return err
		}
	}
	return nil
}

// record puts together a record that begins in a cell and may go on in other pages.
func (r *rowReader) record(cell []byte, length uint64) error {
	if length > uint64(r.count)*uint64(r.size) {
		return errCut
	}
	total, local := int(length), int(length)
	if total > r.usable-35 {
		least := (r.usable-12)*32/255 - 23
		if local = least + (total-least)%(r.usable-4); local > r.usable-35 {
			local = least
		}
		if len(cell) < local+4 {
			return errCut
		}
	}
	if len(cell) < local {
		return errCut
	}
	if local == total {
		r.row = append(r.row[:0], cell[:local]...)
		return nil
	}
	r.row = append(r.row[:0], cell[:local]...)
	next := binary.BigEndian.Uint32(cell[local:])
	for len(r.row) < total {
		page, err := r.page(next)
		if err != nil {
			return err
		}
		next = binary.BigEndian.Uint32(page)
		r.row = append(r.row, page[4:min(r.usable, 4+total-len(r.row))]...)
	}
	return nil
}

// split finds the values of the record.
func (r *rowReader) split() error {
	r.parts = r.parts[:0]
	size, at := varint(r.row)
	if at == 0 || size < uint64(at) || size > uint64(len(r.row)) {
		return errCut
	}
	head, body := r.row[at:size], r.row[size:]
	for len(head) > 0 {
		kind, n := varint(head)
		if n == 0 {
			return errCut
		}
		head = head[n:]
		length := uint64([...]int{0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0}[min(kind, 11)])
		if kind >= 12 {
			length = (kind - 12) / 2
		}
		if length > uint64(len(body)) {
			return errCut
		}
		var value []byte
		if kind >= 12 {
			value = body[:length:length]
		}
		r.parts, body = append(r.parts, value), body[length:]
	}
	return nil
}

// varint reads a number as SQLite writes them: seven bits a byte, the ninth whole. n is 0 when it is cut short.
func varint(b []byte) (v uint64, n int) {
	for i := range min(9, len(b)) {
		if i == 8 {
			return v<<8 | uint64(b[i]), 9
		}
		if v = v<<7 | uint64(b[i]&0x7f); b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// columnPlaces finds the root page of a table, and the places of some columns in its rows.
func columnPlaces(ctx context.Context, db *sql.DB, table string, names []string) (root uint32, places []int, err error) {
	if err := db.QueryRowContext(ctx, "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?", table).Scan(&root); err != nil {
		return 0, nil, err
	}
	for _, name := range names {
		var place int
		if err := db.QueryRowContext(ctx, "SELECT cid FROM pragma_table_info(?) WHERE name = ?", table, name).Scan(&place); err != nil {
			return 0, nil, fmt.Errorf("its column %s: %w", name, err)
		}
		places = append(places, place)
	}
	return root, places, nil
}
