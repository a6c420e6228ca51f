package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"

	"github.com/ulikunitz/xz/lzma"
)

// The library makes room for as many members and streams as a 7z header says it has: a few bytes would take all the
// memory. checkSevenZip walks through the header first, and refuses counts that its own size cannot hold.

var (
	errSevenCounts = errors.New("it says it holds more than it can")
	errSevenLocked = errors.New("protected by a password")
	errSevenHeader = errors.New("a list of members in an unusual form")
)

const maxSevenHeader = 64 << 20 // bytes of the list of members, unpacked

// sevenAES is the method that hides what is packed, or the list of it, behind a password.
var sevenAES = []byte{0x06, 0xF1, 0x07, 0x01}

// checkSevenZip checks the list of members, which the archive ends with.
func checkSevenZip(at io.ReaderAt, size int64) error {
	var head [32]byte
	if _, err := at.ReadAt(head[:], 0); err != nil {
		return io.ErrUnexpectedEOF
	}
	offset, length := binary.LittleEndian.Uint64(head[12:]), binary.LittleEndian.Uint64(head[20:])
	if left := uint64(size) - 32; offset > left || length > left-offset {
		return io.ErrUnexpectedEOF
	}
	if length > maxSevenHeader {
		return errSevenCounts
	}
	header := make([]byte, length)
	if _, err := at.ReadAt(header, 32+int64(offset)); err != nil && err != io.EOF {
		return err
	}
	for range 4 { // a list may be packed, and what packs it too
		h := sevenHeader{b: header}
		switch h.byte() {
		case 0x01:
			return h.header()
		case 0x17:
			s, err := h.streams()
			if err != nil {
				return err
			}
			if header, err = s.unpack(at, size); header == nil {
				return err
			}
		default:
			return nil // empty, or an error the library words
		}
	}
	return errSevenHeader
}

// A sevenHeader reads the header from its beginning; bad once it breaks off.
type sevenHeader struct {
	b   []byte
	bad bool
}

// sevenStreams is what is read of a description of streams: where the first one is, and how the first folder is packed.
type sevenStreams struct {
	packPos, packSize, size uint64
	coders                  int
	method, props           []byte
}

func (h *sevenHeader) bytes(n uint64) []byte {
	if n > uint64(len(h.b)) {
		h.b, h.bad = nil, true
		return nil
	}
	p := h.b[:n]
	h.b = h.b[n:]
	return p
}

func (h *sevenHeader) byte() byte {
	if p := h.bytes(1); p != nil {
		return p[0]
	}
	return 0
}

// number reads a number of one to nine bytes: the ones at the head of the first byte count the bytes after it, and its
// other bits are the highest.
func (h *sevenHeader) number() uint64 {
	first := h.byte()
	more := bits.LeadingZeros8(^first)
	var low [8]byte
	copy(low[:], h.bytes(uint64(more)))
	v := binary.LittleEndian.Uint64(low[:])
	if more < 7 {
		v |= uint64(first&(0x7F>>more)) << (8 * more)
	}
	return v
}

// count reads a count of things that take a byte each at least.
func (h *sevenHeader) count() uint64 {
	n := h.number()
	if n > uint64(len(h.b)) {
		h.b, h.bad = nil, true
		return 0
	}
	return n
}

// digests skips the sums of n things, and says which have one.
func (h *sevenHeader) digests(n uint64) []bool {
	has := make([]bool, n)
	defined := uint64(0)
	all := h.byte() != 0
	var vector []byte
	if !all {
		vector = h.bytes((n + 7) / 8)
	}
	for i := range has {
		if has[i] = all || i/8 < len(vector) && vector[i/8]&(0x80>>(i%8)) != 0; has[i] {
			defined++
		}
	}
	h.bytes(4 * defined)
	return has
}

func (h *sevenHeader) header() error {
	id := h.byte()
	if id == 0x02 { // properties of the archive
		for h.byte() != 0 {
			h.bytes(h.number())
		}
		id = h.byte()
	}
	if id == 0x03 {
		return errSevenHeader
	}
	if id == 0x04 {
		if _, err := h.streams(); err != nil {
			return err
		}
		id = h.byte()
	}
	if id == 0x05 {
		h.count() // members
	}
	if h.bad {
		return errSevenCounts
	}
	return nil
}

// streams reads a description of streams, up to its end.
func (h *sevenHeader) streams() (s sevenStreams, err error) {
	id := h.byte()
	if id == 0x06 {
		s.packPos = h.number()
		n := h.count()
		for id = h.byte(); id != 0 && !h.bad; id = h.byte() {
			switch id {
			case 0x09:
				for i := range n {
					if v := h.number(); i == 0 {
						s.packSize = v
					}
				}
			case 0x0A:
				h.digests(n)
			default:
				return s, errSevenHeader
			}
		}
		id = h.byte()
	}
	var outs []uint64 // streams that come out of each folder
	var summed []bool
	if id == 0x07 {
		if h.byte() != 0x0B {
			return s, errSevenHeader
		}
		folders := h.count()
		if h.byte() != 0 {
			return s, errSevenHeader
		}
		summed = make([]bool, folders)
		for i := range folders {
			out, err := h.folder(&s, i == 0)
			if err != nil || h.bad {
				return s, errors.Join(err, errSevenCounts)
			}
			outs = append(outs, out)
		}
		for id = h.byte(); id != 0 && !h.bad; id = h.byte() {
			switch id {
			case 0x0C:
				for i, n := range outs {
					for range n {
						if v := h.number(); i == 0 {
							s.size = v // of a single coder
						}
					}
				}
			case 0x0A:
				summed = h.digests(folders)
			default:
				return s, errSevenHeader
			}
		}
		id = h.byte()
	}
	if id == 0x08 {
		in := make([]uint64, len(outs))
		for i := range in {
			in[i] = 1
		}
		for id = h.byte(); id != 0 && !h.bad; id = h.byte() {
			sums := uint64(0)
			switch id {
			case 0x0D:
				total := uint64(0)
				for i := range in {
					if in[i] = h.count(); h.bad {
						break
					}
					if total += in[i]; total > uint64(len(h.b)) {
						return s, errSevenCounts
					}
				}
			case 0x09:
				for _, n := range in {
					for k := uint64(1); k < n; k++ {
						h.number()
					}
				}
			case 0x0A:
				for i, n := range in {
					if n != 1 || !summed[i] {
						sums += n
					}
				}
				h.digests(sums)
			default:
				return s, errSevenHeader
			}
		}
		id = h.byte()
	}
	switch {
	case h.bad:
		return s, errSevenCounts
	case id != 0:
		return s, errSevenHeader
	}
	return s, nil
}

// folder reads how a folder is packed, and gives the streams that come out of its coders.
func (h *sevenHeader) folder(s *sevenStreams, first bool) (outs uint64, err error) {
	coders := h.number()
	if coders > 32 {
		return 0, errSevenCounts
	}
	ins := uint64(0)
	for range coders {
		flags := h.byte()
		method := h.bytes(uint64(flags & 0x0F))
		in, out := uint64(1), uint64(1)
		if flags&0x10 != 0 {
			in, out = h.number(), h.number()
		}
		if in > 32 || out > 32 {
			return 0, errSevenCounts
		}
		ins, outs = ins+in, outs+out
		var props []byte
		if flags&0x20 != 0 {
			props = h.bytes(h.number())
		}
		if bytes.Equal(method, sevenAES) {
			return 0, errSevenLocked
		}
		if first {
			s.coders, s.method, s.props = int(coders), method, props
		}
	}
	if outs == 0 || ins+1 < outs {
		return 0, errSevenHeader
	}
	pairs := outs - 1
	for range 2 * pairs {
		h.number()
	}
	if packed := ins - pairs; packed > 1 {
		for range packed {
			h.number()
		}
	}
	return outs, nil
}

// unpack gives the header that a stream holds; none when the library is to word why it cannot.
func (s *sevenStreams) unpack(at io.ReaderAt, size int64) ([]byte, error) {
	switch left := uint64(size) - 32; {
	case s.coders > 1:
		return nil, nil
	case s.packPos > left || s.packSize > left-s.packPos:
		return nil, io.ErrUnexpectedEOF
	case s.size > maxSevenHeader:
		return nil, errSevenCounts
	}
	var r io.Reader = io.NewSectionReader(at, 32+int64(s.packPos), int64(s.packSize))
	switch {
	case bytes.Equal(s.method, []byte{0x00}):
	case bytes.Equal(s.method, []byte{0x03, 0x01, 0x01}) && len(s.props) == 5:
		if binary.LittleEndian.Uint32(s.props[1:]) > maxDictionary {
			return nil, errDictionary
		}
		var err error
		if r, err = lzma.NewReader(io.MultiReader(bytes.NewReader(binary.LittleEndian.AppendUint64(bytes.Clone(s.props), s.size)), r)); err != nil {
			return nil, err
		}
	default:
		return nil, errSevenHeader
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(r, int64(s.size))); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
