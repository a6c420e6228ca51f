package tiles

import (
	"container/list"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A coding is how the bytes of an answer are sent.
type coding uint8

const (
	identity coding = iota
	gzipped
	zstandard
	codings
)

var encodingNames = []string{"identity", "gzip", "zstd"}

func (c coding) String() string { return encodingNames[c] }

// tagSuffix tells the tags of the codings apart: a strong tag names bytes.
func (c coding) tagSuffix() string { return [...]string{"", "-gzip", "-zstd"}[c] }

// accepted is the best coding that an Accept-Encoding header takes: one with a weight of 0 is refused.
func accepted(header string) coding {
	best := identity
	for header != "" {
		var part string
		part, header, _ = strings.Cut(header, ",")
		name, weight, _ := strings.Cut(part, ";")
		var c coding
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "zstd":
			c = zstandard
		case "gzip", "x-gzip", "*":
			c = gzipped
		default:
			continue
		}
		if w, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q="); ok {
			if v, err := strconv.ParseFloat(w, 64); err != nil || v <= 0 {
				continue
			}
		}
		best = max(best, c)
	}
	return best
}

// minCompressed is the size under which compressing does not pay.
const minCompressed = 1024

// compressible says whether bytes of a type get smaller: workbooks and Parquet are compressed already.
func compressible(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "json") || strings.HasSuffix(kind, "javascript") ||
		strings.HasSuffix(kind, "xml") || strings.HasSuffix(kind, "yaml") || kind == typeTile
}

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil { // the options are constant: never in practice
		panic(err)
	}
	return e
})

// An answer is what a handler said, as it is sent again and again.
type answer struct {
	op     *operation
	status int
	header http.Header
	raw    []byte

	mu     sync.Mutex
	packed [codings][]byte // by coding, once asked for; empty and not nil when it does not pay
}

// in gives the bytes in the coding, or as they are when compressing does not pay. made says that they are new.
func (a *answer) in(c coding) (body []byte, used coding, made bool) {
	if c == identity || len(a.raw) < minCompressed || !compressible(a.header.Get("Content-Type")) {
		return a.raw, identity, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.packed[c] == nil {
		a.packed[c], made = pack(a.raw, c), true
	}
	if len(a.packed[c]) == 0 {
		return a.raw, identity, made
	}
	return a.packed[c], c, made
}

func pack(raw []byte, c coding) []byte {
	out := []byte{}
	if c == zstandard {
		out = zstdEncoder().EncodeAll(raw, out)
	} else {
		var buf strings.Builder
		w := gzip.NewWriter(&buf)
		_, _ = w.Write(raw) // a strings.Builder takes everything
		_ = w.Close()
		out = []byte(buf.String())
	}
	if len(out) >= len(raw) {
		return []byte{}
	}
	return out
}

// cost counts the answer's bytes, and roughly what keeping it takes.
func (a *answer) cost() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.raw) + 600
	for _, b := range a.packed {
		n += len(b)
	}
	return n
}

// A cacheKey stands for an address, what its reader may see, and the edition. It is the ETag's own digest.
type cacheKey [16]byte

// A cache keeps the answers last asked for, up to a number of bytes, whatever they are sent in.
type cache struct {
	limit atomic.Int64

	mu           sync.Mutex
	size         int
	order        *list.List // of *cacheEntry, the last used first
	byKey        map[cacheKey]*list.Element
	hits, misses uint64
}

type cacheEntry struct {
	key    cacheKey
	answer *answer
	cost   int
}

func newCache(limit int) *cache {
	c := &cache{order: list.New(), byKey: map[cacheKey]*list.Element{}}
	c.limit.Store(int64(limit))
	return c
}

// largest is the size of the largest answer worth keeping: a few downloads must not drive out every tile.
func (c *cache) largest() int { return int(c.limit.Load() / 8) }

func (c *cache) get(key cacheKey) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byKey[key]
	if el == nil {
		c.misses++
		return nil
	}
	c.hits++
	c.order.MoveToFront(el)
	return el.Value.(*cacheEntry).answer
}

// ready is get, for who will ask again when there is none: it counts no miss.
func (c *cache) ready(key cacheKey) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byKey[key]
	if el == nil {
		return nil
	}
	c.hits++
	c.order.MoveToFront(el)
	return el.Value.(*cacheEntry).answer
}

// put keeps an answer, or counts anew one that has grown by a coding.
func (c *cache) put(key cacheKey, a *answer) {
	cost := a.cost()
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := int(c.limit.Load())
	el := c.byKey[key]
	switch {
	case el != nil && el.Value.(*cacheEntry).answer == a:
		e := el.Value.(*cacheEntry)
		c.size += cost - e.cost
		e.cost = cost
	case el != nil || cost > limit:
		return
	default:
		c.byKey[key] = c.order.PushFront(&cacheEntry{key, a, cost})
		c.size += cost
	}
	for c.size > limit {
		last := c.order.Back()
		old := last.Value.(*cacheEntry)
		c.order.Remove(last)
		delete(c.byKey, old.key)
		c.size -= old.cost
	}
}

// empty forgets everything, and keeps nothing from then on.
func (c *cache) empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit.Store(0)
	c.size = 0
	c.order.Init()
	clear(c.byKey)
}

// A recorder is where a handler writes. What it says is kept, up to limit; a longer answer goes on its way as it
// comes, compressed on the fly.
type recorder struct {
	header http.Header
	status int
	body   []byte
	limit  int

	start func(status int, header http.Header, c coding) // sends the headers of an answer too long to keep
	w     io.Writer                                      // the client
	take  coding                                         // the best one the client takes
	out   io.Writer                                      // w, or what compresses for it; nil until the answer proves too long
	close func() error
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.out != nil {
		return r.out.Write(b)
	}
	if len(r.body)+len(b) <= r.limit {
		r.body = append(r.body, b...)
		return len(b), nil
	}
	c := r.take
	if !compressible(r.header.Get("Content-Type")) {
		c = identity
	}
	r.close = func() error { return nil }
	switch c {
	case zstandard:
		e, err := zstd.NewWriter(r.w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return 0, err
		}
		r.out, r.close = e, e.Close
	case gzipped:
		g, err := gzip.NewWriterLevel(r.w, gzip.BestSpeed)
		if err != nil {
			return 0, err
		}
		r.out, r.close = g, g.Close
	default:
		r.out = r.w
	}
	r.start(r.status, r.header, c)
	if len(r.body) > 0 {
		if _, err := r.out.Write(r.body); err != nil {
			return 0, err
		}
		r.body = nil
	}
	return r.out.Write(b)
}
