package ingest

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bodgit/sevenzip"
	"github.com/stangelandcl/ppmd"
	"github.com/ulikunitz/xz/lzma"
)

// An archive is the files a zip or 7z file holds.
type archive struct {
	path    string
	members []member // in the order of the archive, which is that of a solid one's stream
	size    int64    // bytes of the archive
}

// A member is a file in an archive.
type member struct {
	name   string
	size   int64 // unpacked, as the archive says
	packed int64 // bytes in the archive; of a solid one, all of it
	locked bool  // by a password
	open   func() (io.ReadCloser, error)
}

// maxMembers bounds the members of an archive that is looked at.
const maxMembers = 100_000

// archive lists the members of a file that is a zip or a 7z; nil when the zip is a workbook. The file stays at its
// beginning.
func (f *file) archive(kind string) (*archive, error) {
	at, size, err := f.random()
	if err != nil {
		return nil, err
	}
	a := &archive{path: f.path, size: size}
	if kind == "7z" {
		err = a.sevenZip(at, size)
	} else {
		var z *zip.Reader
		if z, err = zip.NewReader(at, size); err != nil {
			return nil, fmt.Errorf("%s: damaged or incomplete workbook or archive: download or copy it again", f.path)
		}
		if zipKind(z) != "archive" {
			return nil, nil
		}
		err = a.zip(z)
	}
	if err != nil {
		return nil, err
	}
	for _, m := range a.members {
		if strings.HasPrefix(m.name, "/") || slices.Contains(strings.Split(m.name, "/"), "..") || len(m.name) > 1 && m.name[1] == ':' {
			return nil, fmt.Errorf("%s: its member %q points out of the archive: it was made to do harm; ask for the file again", f.path, m.name)
		}
	}
	return a, nil
}

// zipKind tells a workbook from an archive by its parts: "office", "opendocument" or "archive".
func zipKind(z *zip.Reader) string {
	has := map[string]bool{}
	for _, p := range z.File {
		has[p.Name] = true
	}
	switch {
	case has["[Content_Types].xml"]:
		return "office"
	case has["mimetype"] && (has["content.xml"] || has["META-INF/manifest.xml"]): // whole or damaged
		return "opendocument"
	}
	return "archive"
}

func (a *archive) zip(z *zip.Reader) error {
	if len(z.File) > maxMembers {
		return fmt.Errorf("%s: an archive of more than %d files: unpack it and name the file inside", a.path, maxMembers)
	}
	for _, p := range z.File {
		if p.FileInfo().IsDir() {
			continue
		}
		a.members = append(a.members, member{name: strings.ReplaceAll(p.Name, `\`, "/"), size: int64(min(p.UncompressedSize64, 1<<62)),
			packed: int64(min(p.CompressedSize64, 1<<62)), locked: p.Flags&1 != 0, open: p.Open})
	}
	return nil
}

func (a *archive) sevenZip(at io.ReaderAt, size int64) (err error) {
	damaged := func(err error) error {
		var re *sevenzip.ReadError
		if errors.Is(err, errSevenLocked) || errors.As(err, &re) && re.Encrypted {
			return fmt.Errorf("%s: the archive is protected by a password: pack it without one", a.path)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = errors.New("it breaks off")
		}
		return fmt.Errorf("%s: damaged or incomplete 7z archive (%w): download or copy it again", a.path, err)
	}
	defer func() { // on a damaged archive the reader may index out of range
		if p := recover(); p != nil {
			err = damaged(fmt.Errorf("%v", p))
		}
	}()
	if err := checkSevenZip(at, size); err != nil {
		return damaged(err)
	}
	z, err := sevenzip.NewReader(at, size)
	if err != nil {
		return damaged(err)
	}
	if len(z.File) > maxMembers {
		return fmt.Errorf("%s: an archive of more than %d files: unpack it and name the file inside", a.path, maxMembers)
	}
	for _, p := range z.File {
		if p.FileInfo().IsDir() {
			continue
		}
		a.members = append(a.members, member{name: strings.ReplaceAll(p.Name, `\`, "/"), size: int64(min(p.UncompressedSize, 1<<62)),
			packed: size, open: func() (rc io.ReadCloser, err error) {
				defer func() {
					if p := recover(); p != nil {
						err = fmt.Errorf("%v", p)
					}
				}()
				return p.Open()
			}})
	}
	return nil
}

// maxDictionary bounds the memory that unpacking a 7z takes, in bytes: its usual dictionaries are of 16 to 64 MiB.
const maxDictionary = 256 << 20

var errDictionary = fmt.Errorf("packed with a dictionary of more than %d MiB: pack it again with a smaller one", maxDictionary>>20)

// The library gives an archive all the memory it asks for; these give it no more than maxDictionary.
func init() {
	one := func(rs []io.ReadCloser) (io.ReadCloser, error) {
		if len(rs) != 1 {
			return nil, errors.New("a coder with several streams")
		}
		return rs[0], nil
	}
	sevenzip.RegisterDecompressor([]byte{0x03, 0x01, 0x01}, func(p []byte, size uint64, rs []io.ReadCloser) (io.ReadCloser, error) {
		rc, err := one(rs)
		if err != nil || len(p) != 5 {
			return nil, cmp.Or(err, errors.New("properties of LZMA"))
		}
		if binary.LittleEndian.Uint32(p[1:]) > maxDictionary {
			return nil, errDictionary
		}
		r, err := lzma.NewReader(io.MultiReader(bytes.NewReader(binary.LittleEndian.AppendUint64(slices.Clone(p), size)), rc))
		return readCloser{r, rc}, err
	})
	sevenzip.RegisterDecompressor([]byte{0x21}, func(p []byte, _ uint64, rs []io.ReadCloser) (io.ReadCloser, error) {
		rc, err := one(rs)
		if err != nil || len(p) != 1 {
			return nil, cmp.Or(err, errors.New("properties of LZMA2"))
		}
		dictionary := (2 | int64(p[0]&1)) << (min(p[0], 40)/2 + 11)
		if dictionary > maxDictionary {
			return nil, errDictionary
		}
		r, err := lzma.Reader2Config{DictCap: int(max(dictionary, lzma.MinDictCap))}.NewReader2(rc)
		return readCloser{r, rc}, err
	})
	sevenzip.RegisterDecompressor([]byte{0x03, 0x04, 0x01}, func(p []byte, size uint64, rs []io.ReadCloser) (io.ReadCloser, error) {
		rc, err := one(rs)
		if err != nil || len(p) != 5 || size > maxUnpacked {
			return nil, cmp.Or(err, errors.New("properties of PPMd"))
		}
		memory := binary.LittleEndian.Uint32(p[1:])
		if memory > maxDictionary {
			return nil, errDictionary
		}
		r, err := ppmd.NewH7zReader(rc, int(p[0]), int(memory), int(size))
		return readCloser{&r, rc}, err
	})
}

type readCloser struct {
	io.Reader
	io.Closer
}

// enter goes on with a member of the archive that the file is.
func (f *file) enter(a *archive, m *member) error {
	name := a.path + "/" + m.name
	if m.locked {
		return fmt.Errorf("%s: protected by a password: pack it without one", name)
	}
	f.path = name
	rc, err := m.open()
	if err != nil {
		var re *sevenzip.ReadError
		if errors.As(err, &re) && re.Encrypted {
			return fmt.Errorf("%s: protected by a password: pack it without one", name)
		}
		if errors.Is(err, zip.ErrAlgorithm) {
			return fmt.Errorf("%s: packed by a method that is not read (%w): pack it again as an ordinary zip", name, err)
		}
		return f.damaged("archive", err)
	}
	f.closes = append(f.closes, rc.Close)
	f.unpack(rc, "archive", m.packed)
	f.size = m.size
	f.beside = func(ext string) (*file, error) {
		for _, want := range siblings(m.name, ext) {
			for i := range a.members {
				if o := &a.members[i]; strings.EqualFold(o.name, want) {
					g := &file{}
					if err := g.enter(a, o); err != nil {
						g.Close()
						return nil, err
					}
					if sniff(g.peek(512)) == "gzip" {
						if err := g.gunzip(); err != nil {
							g.Close()
							return nil, err
						}
					}
					return g, nil
				}
			}
		}
		return nil, nil
	}
	return nil
}

// pick finds the member that what follows the archive's path names, and what is left of it for an archive within:
// nothing at all names the only member of data. A part may follow #.
func (a *archive) pick(rest string) (m *member, left, part string, err error) {
	if rest == "" {
		data := a.data()
		switch len(data) {
		case 1:
			return data[0], "", "", nil
		case 0:
			return nil, "", "", fmt.Errorf("%s: an archive without a table or a layer: it has %s", a.path, quoteList(a.names()))
		}
		return nil, "", "", a.several(data)
	}
	for _, p := range []string{"", "#"} {
		name, after := rest, ""
		if p != "" {
			i := strings.LastIndex(rest, p)
			if i <= 0 {
				continue
			}
			name, after = rest[:i], rest[i+1:]
		}
		for i := range a.members {
			if m := &a.members[i]; m.name == name {
				return m, "", after, nil
			}
		}
		for i := range a.members { // an archive in the archive
			if m := &a.members[i]; strings.HasPrefix(name, m.name+"/") {
				return m, rest[len(m.name)+1:], "", nil
			}
		}
		found, err := a.match(name)
		if err != nil {
			return nil, "", "", err
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], "", after, nil
		default:
			return nil, "", "", fmt.Errorf("%s: %q is several of its members, %s: name one", a.path, name, quoteList(namesOf(found)))
		}
	}
	return nil, "", "", fmt.Errorf("%s: no %q in the archive: it has %s", a.path, rest, quoteList(a.names()))
}

func (a *archive) several(data []*member) error {
	return fmt.Errorf("%s: an archive with %d tables or layers, %s: name one by going on past the archive, such as %s/%s",
		a.path, len(data), quoteList(namesOf(data)), filepath.Base(a.path), data[0].name)
}

// match finds the members of data that a pattern fits, whatever its case; one without a folder is also looked for in
// every folder.
func (a *archive) match(pattern string) ([]*member, error) {
	low := strings.ToLower(pattern)
	pick := func(name func(string) string, all bool) (found []*member, err error) {
		for i := range a.members {
			m := &a.members[i]
			ok, err := path.Match(low, strings.ToLower(name(m.name)))
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %w: correct the pattern", a.path, pattern, err)
			}
			if ok && (all || dataRank(m.name) == isData) {
				found = append(found, m)
			}
		}
		return found, nil
	}
	whole := func(s string) string { return s }
	for _, try := range []struct {
		name func(string) string
		all  bool
	}{{whole, !hasMeta(pattern)}, {path.Base, !hasMeta(pattern)}, {whole, true}, {path.Base, true}} {
		found, err := pick(try.name, try.all)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

func hasMeta(pattern string) bool { return strings.ContainsAny(pattern, `*?[`) }

func (a *archive) names() []string {
	var names []string
	for _, m := range a.members {
		names = append(names, m.name)
	}
	return names
}

func namesOf(members []*member) []string {
	var names []string
	for _, m := range members {
		names = append(names, m.name)
	}
	return names
}

// data are the members that hold figures or contours; failing these, its texts.
func (a *archive) data() []*member {
	for _, rank := range []int{isData, isText} {
		var found []*member
		for i := range a.members {
			if dataRank(a.members[i].name) == rank {
				found = append(found, &a.members[i])
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

const (
	isOther = iota // documentation, styles, parts of a shapefile
	isText         // a text file: data where there is nothing else
	isData
)

var documentation = regexp.MustCompile(`(?i)^(?:meta_|metadonnees|varmod|lisez|lisezmoi|readme|a_lire|licen[cs]e|dictionnaire|documentation|__macosx|\.|~\$|thumbs\.db|desktop\.ini)`)

// dataRank tells data from what goes with them, by the name of a member: INSEE's archives hold a table and the
// dictionary of its columns.
func dataRank(name string) int {
	base := path.Base(name)
	if documentation.MatchString(base) || strings.HasPrefix(name, "__MACOSX/") {
		return isOther
	}
	ext := strings.ToLower(path.Ext(strings.TrimSuffix(strings.ToLower(base), ".gz")))
	switch ext {
	case ".csv", ".tsv", ".tab", ".xls", ".xlsx", ".xlsm", ".ods", ".parquet", ".geoparquet", ".json", ".ndjson", ".jsonl", ".geojson", ".geojsonl",
		".topojson", ".shp", ".gpkg", ".sqlite", ".db", ".zip", ".7z", ".gz":
		return isData
	case ".txt", ".asc", ".dat", "":
		return isText
	}
	return isOther
}

// siblings are the names that the file beside another, with another extension, may have.
func siblings(name, ext string) []string {
	if n := len(name) - len(".gz"); n > 0 && strings.EqualFold(name[n:], ".gz") {
		name = name[:n]
	}
	name = strings.TrimSuffix(name, path.Ext(name)) + ext
	return []string{name, name + ".gz"}
}

// Files lists what a pattern names: files, and members of archives where it goes on past one, such as
// "sources/base-ic-*.zip/*.CSV". A name for all of an archive is its only member of data. Names come sorted.
func Files(pattern string) ([]string, error) {
	if st, err := os.Stat(pattern); err == nil {
		if !st.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: not a file: name the file itself", pattern)
		}
		return membersOf(pattern, "")
	}
	if disk, rest, part := splitPath(pattern); rest != "" || part != "" {
		found, err := membersOf(disk, rest)
		if part != "" {
			for i := range found {
				found[i] += "#" + part
			}
		}
		return found, err
	}
	for at := len(pattern); at > 0; {
		disk, err := filepath.Glob(pattern[:at])
		if err != nil {
			return nil, fmt.Errorf("%s: %w: correct the pattern", pattern, err)
		}
		slices.Sort(disk)
		var found []string
		var errs []error
		rest := strings.Trim(filepath.ToSlash(pattern[at:]), "/")
		for _, d := range disk {
			if st, err := os.Stat(d); err != nil || !st.Mode().IsRegular() {
				continue
			}
			in, err := membersOf(d, rest)
			found, errs = append(found, in...), append(errs, err)
		}
		if err := errors.Join(errs...); err != nil || len(found) > 0 {
			return found, err
		}
		for at--; at > 0 && !os.IsPathSeparator(pattern[at]); at-- {
		}
	}
	return nil, fmt.Errorf("%s: no such file: %w", pattern, fs.ErrNotExist)
}

// membersOf lists the members of an archive on disk that a pattern fits, as paths that go on past the archive; the file
// itself when it is none.
func membersOf(disk, pattern string) ([]string, error) {
	f, a, err := openArchive(disk)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if a == nil {
		if pattern != "" {
			return nil, fmt.Errorf("%s: not an archive, so there is no %q in it: check the path", disk, pattern)
		}
		return []string{disk}, nil
	}
	var found []*member
	if pattern != "" && hasMeta(pattern) {
		if found, err = a.match(pattern); err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no %q in the archive: it has %s", a.path, pattern, quoteList(a.names()))
		}
	} else {
		m, left, part, err := a.pick(pattern)
		if err != nil {
			return nil, err
		}
		if left != "" || part != "" {
			return []string{disk + "/" + pattern}, nil
		}
		found = []*member{m}
	}
	names := namesOf(found)
	slices.Sort(names)
	for i := range names {
		names[i] = disk + "/" + names[i]
	}
	return names, nil
}

// openArchive opens a file on disk, and lists its members if it is an archive, in gzip or not.
func openArchive(disk string) (*file, *archive, error) {
	f, err := openDisk(disk)
	if err != nil {
		return nil, nil, err
	}
	kind := sniff(f.peek(512))
	if kind == "zip" || kind == "7z" {
		a, err := f.archive(kind)
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		return f, a, nil
	}
	return f, nil, nil
}

var hasYear = regexp.MustCompile(`(?:^|\D)(?:19|20)\d\d(?:\D|$)`)

// Name is what a source is called after its path: the base name of a file, or of a member of an archive. A member
// without a year in its name, of an archive with one, has the archive's before its own: "RP_2020.zip/data.csv".
func Name(path string) string {
	disk, rest, part := splitPath(path)
	name := filepath.Base(disk)
	if rest != "" {
		inner := rest[strings.LastIndexByte(rest, '/')+1:]
		if hasYear.MatchString(name) && !hasYear.MatchString(inner) {
			name += "/" + inner
		} else {
			name = inner
		}
	}
	if part != "" {
		name += "#" + part
	}
	return name
}

var endsInExt = regexp.MustCompile(`\.[\pL\d]+$`)

// namesToMatch are the base names that the patterns of a card may fit, for a source of that name: its own, less a
// part after #, then its archive's with the member's extension, then its archive's.
func namesToMatch(name string) []string {
	if i := strings.LastIndexByte(name, '#'); i > 0 && endsInExt.MatchString(name[:i]) { // "bilan #2.csv" has no part
		name = name[:i]
	}
	archive, inner, ok := strings.Cut(name, "/")
	if !ok {
		return []string{name}
	}
	stem := strings.TrimSuffix(archive, path.Ext(archive))
	return []string{inner, stem + path.Ext(strings.TrimSuffix(strings.ToLower(inner), ".gz")), archive}
}

// A Member is something in a file that can be read by itself.
type Member struct {
	Kind string // "file", "member" of an archive, "sheet" of a workbook, "layer" or "table" of a database or a topology
	Name string
	Path string // how to name it to the readers
	Size int64  // bytes, where it is known
	Data bool   // false for the documentation and the sidecars of an archive
}

// Contents lists what can be read by itself in a file: the members of an archive, the sheets of a workbook, the layers
// and tables of a GeoPackage, the objects of a TopoJSON. Any other file is its own only member.
func Contents(path string) ([]Member, error) {
	if disk, rest, part := splitPath(path); rest == "" && part == "" {
		f, a, err := openArchive(disk)
		if err != nil {
			return nil, err
		}
		f.Close()
		if a != nil {
			var list []Member
			data := a.data()
			for i := range a.members {
				m := &a.members[i]
				list = append(list, Member{"member", m.name, disk + "/" + m.name, m.size, slices.Contains(data, m)})
			}
			return list, nil
		}
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	whole := []Member{{"file", Name(path), path, max(f.size, 0), true}}
	if f.part != "" {
		return whole, nil
	}
	var list []Member
	add := func(kind string, names []string) {
		for _, n := range names {
			list = append(list, Member{kind, n, path + "#" + n, 0, true})
		}
	}
	switch kind := sniff(f.head()); kind {
	case "zip", "ole":
		names, err := f.sheetNames(kind)
		if err != nil {
			return nil, err
		}
		add("sheet", names)
	case "sqlite":
		layers, tables, err := f.databaseNames()
		if err != nil {
			return nil, err
		}
		add("layer", layers)
		add("table", tables)
	case "json":
		names, err := f.topologyNames()
		if err != nil {
			return nil, err
		}
		add("layer", names)
	}
	if f.err != nil {
		return nil, f.err
	}
	if len(list) == 0 {
		return whole, nil
	}
	return list, nil
}
