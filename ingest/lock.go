package ingest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// A Download is where the file of one edition_source is published.
type Download struct {
	URL     string `yaml:"url"`     // {AAAA} and {AA} are the edition_source
	File    string `yaml:"file"`    // name it is kept under; the end of url when empty
	SHA256  string `yaml:"sha256"`  // of the file as it is published
	Size    int64  `yaml:"size"`    // bytes
	Licence string `yaml:"licence"` // the card's when empty
	Page    string `yaml:"page"`    // the card's when empty
}

// downloadKey is the edition_source of a Download, or {AAAA} where one address serves every year that has none of its own;
// a word after it tells several files of a year apart, such as "2021-COM".
var downloadKey = regexp.MustCompile(`^(\d{4}|\{AAAA\})(?:[- ].+)?$`)

// DownloadsOf are where the files of an edition_source are published, in the order of their keys; none when the card does
// not say.
func (c *Card) DownloadsOf(edition int) []Download {
	var own, any []Download
	for _, key := range slices.Sorted(maps.Keys(c.Downloads)) {
		d := c.Downloads[key]
		d.URL, d.File, d.Page = withYear(d.URL, edition), withYear(d.File, edition), withYear(d.Page, edition)
		if d.File == "" {
			d.File = nameIn(d.URL)
		}
		d.Licence, d.Page = cmp.Or(d.Licence, c.Licence), cmp.Or(d.Page, c.Page)
		switch year := downloadKey.FindStringSubmatch(key)[1]; {
		case year == strconv.Itoa(edition):
			own = append(own, d)
		case year == "{AAAA}" && edition != 0:
			any = append(any, d)
		}
	}
	if len(own) > 0 {
		return own
	}
	return any
}

// DownloadEditions are the edition_source that have an address of their own, in order.
func (c *Card) DownloadEditions() []int {
	var years []int
	for key := range c.Downloads {
		if y, err := strconv.Atoi(downloadKey.FindStringSubmatch(key)[1]); err == nil {
			years = append(years, y)
		}
	}
	slices.Sort(years)
	return slices.Compact(years)
}

// withoutDownloads is the text of a card less its downloads: the block under that key.
func withoutDownloads(text []byte) []byte {
	var kept []byte
	inside := false
	for line := range bytes.Lines(text) {
		if c := line[0]; c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '#' && c != '}' {
			inside = bytes.HasPrefix(line, []byte("downloads:"))
		}
		if !inside {
			kept = append(kept, line...)
		}
	}
	return kept
}

// Edition is the edition_source that a base name gives by the card's patterns, 0 when they hold none; ok is false when
// none fits.
func (c *Card) Edition(base string) (year int, ok bool) { return c.edition(base) }

// nameIn is the file name at the end of an address.
func nameIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if name := path.Base(u.Path); name != "." && name != "/" {
		return name
	}
	return ""
}

// checkDownloads finds what the addresses of a card lack or contradict.
func (c *Card) checkDownloads() error {
	var bad []error
	for key, d := range c.Downloads {
		no := func(format string, args ...any) {
			bad = append(bad, fmt.Errorf("downloads: "+key+": "+format, args...))
		}
		m := downloadKey.FindStringSubmatch(key)
		if m == nil {
			no("the year of the file is wanted, or \"{AAAA}\" for an address that is the same for all; with a word after it where a year has several files (2021-COM)")
			continue
		}
		if err := CheckURL(d.URL); err != nil {
			no("url: %w", err)
		}
		if m[1] == "{AAAA}" {
			if !strings.Contains(d.URL, "{AA") {
				no("url: nothing in it changes with the year: write {AAAA} or {AA} where it stands")
			}
			if d.SHA256 != "" || d.Size != 0 {
				no("sha256 and size are those of one file: give them to a year")
			}
		}
		if d.SHA256 != "" && !isSHA256(d.SHA256) {
			no("sha256: %q is not 64 hexadecimal digits in lower case", d.SHA256)
		}
		if d.Size < 0 {
			no("size: %d bytes", d.Size)
		}
		if name := cmp.Or(d.File, nameIn(d.URL)); name == "" || name != path.Base(name) || strings.ContainsAny(name, `\*?[]:`) || strings.HasPrefix(name, ".") {
			no("file: %q: a plain file name is wanted, under which the download is kept", name)
		}
	}
	slices.SortFunc(bad, func(x, y error) int { return cmp.Compare(x.Error(), y.Error()) })
	return errors.Join(bad...)
}

// CheckURL says why an address is not one that a file can be downloaded from.
func CheckURL(address string) error {
	u, err := url.Parse(strings.NewReplacer("{AAAA}", "2000", "{AA}", "00").Replace(address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not an address that begins with https:// or http://", address)
	}
	return nil
}

func isSHA256(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// A Lock records what was downloaded, so that a run can be repeated years later on the same bytes.
type Lock struct {
	Files []Locked `yaml:"files"` // ordered by File
}

// Locked is one file of a Lock.
type Locked struct {
	File      string `yaml:"file"` // from the project's folder, with slashes
	Card      string `yaml:"card,omitempty"`
	Edition   int    `yaml:"edition,omitempty"` // edition_source
	URL       string `yaml:"url,omitempty"`
	Final     string `yaml:"final_url,omitempty"` // the address that answered, when it is another
	Page      string `yaml:"page,omitempty"`
	Licence   string `yaml:"licence,omitempty"`
	Retrieved string `yaml:"retrieved,omitempty"` // AAAA-MM-JJ; "" when the file was put there by hand
	ETag      string `yaml:"etag,omitempty"`
	Modified  string `yaml:"last_modified,omitempty"` // as the server wrote it
	Size      int64  `yaml:"size"`
	SHA256    string `yaml:"sha256"`
}

// ReadLock reads a lock file; one that is not there is an empty Lock.
func ReadLock(name string) (*Lock, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &Lock{}, nil
	}
	if err != nil {
		return nil, err
	}
	l := &Lock{}
	if err := UnmarshalStrict(name, b, l); err != nil {
		return nil, err
	}
	var bad []error
	seen := map[string]bool{}
	for _, f := range l.Files {
		switch {
		case f.File == "":
			bad = append(bad, fmt.Errorf("%s: an entry without file: take it out", name))
		case seen[f.File]:
			bad = append(bad, fmt.Errorf("%s: %s is there twice, as after a merge: keep one of the two entries", name, f.File))
		case !isSHA256(f.SHA256):
			bad = append(bad, fmt.Errorf("%s: %s: sha256: %q is not 64 hexadecimal digits in lower case", name, f.File, f.SHA256))
		case f.URL != "" && CheckURL(f.URL) != nil:
			bad = append(bad, fmt.Errorf("%s: %s: url: %w", name, f.File, CheckURL(f.URL)))
		case f.Retrieved != "" && !isDate(f.Retrieved):
			bad = append(bad, fmt.Errorf("%s: %s: retrieved: %q is not a day such as 2026-01-15", name, f.File, f.Retrieved))
		}
		seen[f.File] = true
	}
	return l, errors.Join(bad...)
}

func isDate(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }

// File is the entry of a file.
func (l *Lock) File(name string) (Locked, bool) {
	for _, f := range l.Files {
		if f.File == name {
			return f, true
		}
	}
	return Locked{}, false
}

// Put adds an entry, or replaces the one of the same file.
func (l *Lock) Put(f Locked) {
	if i := slices.IndexFunc(l.Files, func(x Locked) bool { return x.File == f.File }); i >= 0 {
		l.Files[i] = f
		return
	}
	l.Files = append(l.Files, f)
}

// Marshal writes the lock: the same entries, the same bytes.
func (l *Lock) Marshal() ([]byte, error) {
	slices.SortFunc(l.Files, func(x, y Locked) int { return cmp.Compare(x.File, y.File) })
	var b bytes.Buffer
	b.WriteString("# Written by `observatoire fetch`: which bytes the sources are, and where they came from. Keep it with the project.\n")
	if err := yaml.NewEncoder(&b, yaml.IndentSequence(false)).Encode(l); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
