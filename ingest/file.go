package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// A file is an input: a file on disk or a member of an archive, out of its gzip if it has one. It is read from its
// beginning as it comes; a format that needs random access asks for it, which puts what is packed in a temporary
// file, removed when the input is closed.
type file struct {
	*bufio.Reader
	path   string // as messages name it; of a member, its archive's path and its own name
	part   string // what follows # in the path: a sheet, layer or table
	size   int64  // bytes of what is read, -1 when not known before its end
	at     io.ReaderAt
	disk   string // path of a file on disk with these very bytes; empty when they are packed
	packed string // what it was taken out of last, "gzip" or "archive"; empty for a file as it stands on disk
	// beside opens the file with the same name and another extension, whatever its case: nil when there is none.
	beside func(ext string) (*file, error)
	closes []func() error
	err    error // what is wrong with the gzip or the archive, once met
}

// sniffSize is how much of a file is looked at to tell its encoding and separator, in bytes.
const sniffSize = 1 << 20

// Limits of what is packed. Tables and contours shrink 5 to 50 times; what shrinks more was made to fill a disk.
const (
	maxUnpacked = 16 << 30
	maxRatio    = 300
	freeBytes   = 64 << 20 // unpacked without looking at the ratio
	maxNested   = 2        // archives and gzips one within the other
)

// openFile opens what a path names, out of archives and gzip, told by their content. Errors name the file.
func openFile(path string) (*file, error) { return openInput(path, false) }

// openInput opens what a path names; asStored leaves the gzip of a file or member as it is.
func openInput(path string, asStored bool) (*file, error) {
	disk, rest, part := splitPath(path)
	f, err := openDisk(disk)
	if err != nil {
		return nil, err
	}
	f.part = part
	if err := f.resolve(rest, asStored); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// resolve goes on into archives and gzip, to what rest names in them.
func (f *file) resolve(rest string, asStored bool) error {
	for depth := 0; ; depth++ {
		kind := sniff(f.peek(512))
		switch {
		case f.err != nil:
			return f.err
		case kind == "gzip" && asStored && rest == "":
			return nil
		case kind != "gzip" && kind != "7z" && kind != "zip":
			if rest != "" {
				return fmt.Errorf("%s: not an archive, so there is no %q in it: check the path", f.path, rest)
			}
			return nil
		case depth > maxNested:
			return fmt.Errorf("%s: archives within archives: unpack it and name the file inside", f.path)
		}
		if kind == "gzip" {
			if err := f.gunzip(); err != nil {
				return err
			}
			continue
		}
		a, err := f.archive(kind)
		switch {
		case err != nil:
			return err
		case a == nil && rest != "":
			return fmt.Errorf("%s: a workbook, not an archive: name a sheet after #, such as %s#%s", f.path, filepath.Base(f.path), rest)
		case a == nil:
			return nil
		}
		m, left, part, err := a.pick(rest)
		if err != nil {
			return err
		}
		if rest = left; part != "" {
			f.part = part
		}
		if err := f.enter(a, m); err != nil {
			return err
		}
	}
}

// splitPath parts a path into the file on disk, what it goes on with past it, which is in an archive, and the part of
// the file named after # or a colon, as GDAL writes it. A path of which nothing is on disk is left whole.
func splitPath(path string) (disk, rest, part string) {
	try := func(p string) (string, string, bool) {
		for at := len(p); at > 0; {
			if st, err := os.Stat(p[:at]); err == nil {
				inside := strings.Trim(filepath.ToSlash(p[at:]), "/")
				return p[:at], inside, inside == "" || st.Mode().IsRegular()
			}
			for at--; at > 0 && !os.IsPathSeparator(p[at]); at-- {
			}
		}
		return "", "", false
	}
	if disk, rest, ok := try(path); ok {
		if i := strings.LastIndexByte(rest, ':'); i > 0 && endsInExt.MatchString(rest[:i]) {
			rest = rest[:i] + "#" + rest[i+1:]
		}
		return disk, rest, ""
	}
	for _, mark := range []byte("#:") {
		i := strings.LastIndexByte(path, mark)
		if i < 2 && mark == ':' || i < 1 || mark == ':' && strings.ContainsAny(path[i:], `/\`) { // C:\…
			continue
		}
		if disk, rest, ok := try(path[:i]); ok {
			return disk, rest, path[i+1:]
		}
	}
	return path, "", ""
}

// openDisk opens a file on disk as it is.
func openDisk(path string) (*file, error) {
	// Opening a pipe would wait for somebody to write in it.
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return nil, fmt.Errorf("%s: this is a folder: name a file in it", path)
	case err == nil && !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file: name the file itself", path)
	}
	raw, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file: check the path in the project file, or fetch it", path)
	case err != nil:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("%s: cannot be opened (%w): check its permissions, and that no other program holds it", path, err)
	}
	f := &file{path: path, disk: path, size: st.Size(), at: raw, closes: []func() error{raw.Close}}
	f.Reader = bufio.NewReaderSize(raw, sniffSize)
	f.beside = func(ext string) (*file, error) {
		if name := sibling(path, ext); name != "" {
			return openFile(name)
		}
		return nil, nil
	}
	return f, nil
}

// Close closes the file and all it was taken out of, and removes what was put aside.
func (f *file) Close() error {
	var errs []error
	for i := len(f.closes) - 1; i >= 0; i-- {
		errs = append(errs, f.closes[i]())
	}
	f.closes = nil
	return errors.Join(errs...)
}

// head is the beginning of the file, as much as the buffer holds.
func (f *file) head() []byte { return f.peek(sniffSize) }

func (f *file) peek(n int) []byte {
	head, _ := f.Peek(n)
	return head
}

// gunzip goes on with what the gzip holds.
func (f *file) gunzip() error {
	zr, err := gzip.NewReader(f.Reader)
	if err != nil {
		return f.damaged("gzip", err)
	}
	f.unpack(zr, "gzip", f.size)
	f.size = -1
	return nil
}

// unpack goes on with the bytes of a stream that is packed in so many, -1 when that is not known.
func (f *file) unpack(r io.Reader, what string, packed int64) {
	f.at, f.disk, f.packed = nil, "", what
	f.Reader = bufio.NewReaderSize(&unpacker{bounded{r: r, f: f, packed: packed}, what}, sniffSize)
}

func (f *file) damaged(what string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errors.New("it breaks off")
	}
	f.err = fmt.Errorf("%s: damaged or incomplete %s (%w): download or copy it again", f.path, what, err)
	return f.err
}

// readError names the file in an error met while reading it.
func (f *file) readError(err error) error {
	if f.err != nil {
		return f.err
	}
	return fmt.Errorf("%s: cannot be read (%w): copy it again", f.path, err)
}

// An unpacker turns the errors of a packed stream into one that names its file.
type unpacker struct {
	bounded
	what string
}

func (u *unpacker) Read(p []byte) (n int, err error) {
	defer func() { // the reader of 7z may index out of range on a damaged one
		if e := recover(); e != nil {
			n, err = 0, u.f.damaged(u.what, fmt.Errorf("%v", e))
		}
	}()
	n, err = u.bounded.Read(p)
	if err != nil && err != io.EOF && u.f.err == nil {
		err = u.f.damaged(u.what, err)
	}
	return n, err
}

// A bounded stream stops when what it unpacks swells beyond what figures or contours do.
type bounded struct {
	r      io.Reader
	f      *file
	packed int64 // bytes it comes from, -1 when that is not known
	n      int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.f.err != nil {
		return 0, b.f.err
	}
	n, err := b.r.Read(p)
	if b.n += int64(n); b.n > maxUnpacked || b.packed >= 0 && b.n > freeBytes && b.n/maxRatio > b.packed {
		b.f.err = fmt.Errorf("%s: it unpacks to more than %d MiB, %d times its size: this is no table; ask for the file again",
			b.f.path, b.n>>20, b.n/max(b.packed, 1))
		return 0, b.f.err
	}
	return n, err
}

// random gives random access to the file. What is packed is unpacked to a temporary file first, and read from there.
func (f *file) random() (io.ReaderAt, int64, error) {
	if f.at == nil {
		if _, err := f.onDisk(); err != nil {
			return nil, 0, err
		}
	}
	return f.at, f.size, nil
}

// onDisk gives the path of a file with these bytes: its own, or that of a temporary one. It comes before any reading.
func (f *file) onDisk() (string, error) {
	if f.disk != "" {
		return f.disk, nil
	}
	tmp, err := os.CreateTemp("", "observatoire-*")
	if err != nil {
		return "", fmt.Errorf("%s: no room to unpack it (%w): free some, or say with TMPDIR where there is", f.path, err)
	}
	f.closes = append(f.closes, func() error { return errors.Join(tmp.Close(), os.Remove(tmp.Name())) })
	size, err := io.Copy(tmp, f.Reader)
	if f.err != nil {
		return "", f.err
	}
	if err != nil {
		return "", fmt.Errorf("%s: it cannot be unpacked (%w): free some room, or say with TMPDIR where there is", f.path, err)
	}
	f.at, f.disk, f.size = tmp, tmp.Name(), size
	f.Reader = bufio.NewReaderSize(io.NewSectionReader(tmp, 0, size), sniffSize)
	return f.disk, nil
}

// again gives the file once more from its beginning, whatever was read of it; it must have random access.
func (f *file) again() *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(f.at, 0, f.size), 64<<10)
}

// Digest is the sha256 and the size of a file as it is stored: the bytes on disk, or those of the member a path names
// in an archive. That of a shapefile covers its attributes and its system.
func Digest(path string) (sum string, size int64, err error) {
	f, err := openInput(path, true)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, f.readError(err)
	}
	if strings.EqualFold(filepath.Ext(f.path), ".shp") {
		for _, ext := range []string{".dbf", ".prj"} {
			other, err := f.beside(ext)
			if err != nil {
				return "", 0, err
			}
			if other == nil {
				continue
			}
			n, err := io.Copy(h, other)
			if other.Close(); err != nil {
				return "", 0, other.readError(err)
			}
			size += n
		}
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// unmarkedUTF16 says whether a file is text in UTF-16 without the mark that says so, and in which order: every other byte is
// zero but for the few letters beyond Latin-1, and no other byte is.
func unmarkedUTF16(head []byte) (order unicode.Endianness, ok bool) {
	head = head[:min(len(head), 1024)&^1]
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch most := len(head) * 3 / 8; {
	case len(head) < 8 || bytes.HasPrefix(head, []byte("\xFF\xFE")) || bytes.HasPrefix(head, []byte("\xFE\xFF")):
	case zeros[0] == 0 && zeros[1] >= most:
		return unicode.LittleEndian, true
	case zeros[1] == 0 && zeros[0] >= most:
		return unicode.BigEndian, true
	}
	return unicode.LittleEndian, false
}

// sniff tells a file's kind by its first bytes.
func sniff(head []byte) string {
	for _, m := range [...]struct{ magic, kind string }{
		{"PK\x03\x04", "zip"}, {"PK\x05\x06", "zip"}, {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "ole"}, {"%PDF-", "pdf"},
		{"PAR1", "parquet"}, {"SQLite format 3\x00", "sqlite"}, {"7z\xBC\xAF\x27\x1C", "7z"}, {"\x1F\x8B", "gzip"},
		{"Rar!\x1A\x07", "rar"}, {"\xFF\xFE", "utf-16"}, {"\xFE\xFF", "utf-16"}, {"\x00\x00\x27\x0A", "shp"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind
		}
	}
	if _, ok := unmarkedUTF16(head); ok {
		return "utf-16"
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n")
	low := bytes.ToLower(text[:min(len(text), 512)])
	switch {
	case len(text) == 0:
		return "empty"
	case bytes.HasPrefix(low, []byte("<!doctype html")), bytes.HasPrefix(low, []byte("<html")),
		low[0] == '<' && bytes.Contains(low, []byte("<html")):
		return "html"
	case bytes.HasPrefix(low, []byte("<?xml")):
		return "xml"
	case text[0] == '{' || text[0] == '[':
		return "json"
	case bytes.IndexByte(head, 0) >= 0:
		return "binary"
	}
	return "text"
}

const bom = "\xEF\xBB\xBF"
