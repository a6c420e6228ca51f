package tiles

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestCache(t *testing.T) {
	c := newCache(4000)
	key := func(i int) cacheKey { return cacheKey{byte(i)} }
	for i := range 20 {
		c.put(key(i), &answer{raw: make([]byte, 700)})
	}
	if c.size > 4000 || len(c.byKey) != 3 || c.order.Len() != 3 {
		t.Errorf("cache of 4000 bytes: %d bytes, %d answers", c.size, len(c.byKey))
	}
	c.get(key(17))
	c.put(key(20), &answer{raw: make([]byte, 700)})
	if c.get(key(17)) == nil || c.get(key(18)) != nil {
		t.Error("the answer used last left before another")
	}
	c.put(key(21), &answer{raw: make([]byte, 5000)})
	if c.get(key(21)) != nil || c.get(key(17)) == nil {
		t.Error("an answer larger than the cache was kept")
	}
}

// What an answer is sent in counts as well, and is made once.
func TestCacheCodings(t *testing.T) {
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = byte(rand.N(256))
	}
	c := newCache(100_000)
	for i, raw := range [][]byte{bytes.Repeat([]byte("Istres, Miramas. "), 200), noise, []byte("court")} {
		a := &answer{header: http.Header{"Content-Type": {typeCSV}}, raw: raw}
		c.put(cacheKey{byte(i)}, a)
		before := c.size
		for _, want := range []coding{gzipped, zstandard} {
			body, used, made := a.in(want)
			if made {
				c.put(cacheKey{byte(i)}, a)
			}
			_, _, again := a.in(want)
			if again || made != (i < 2) || (used == want) != (i == 0) {
				t.Errorf("answer %d in %v: used %v, made %v, and again %v", i, want, used, made, again)
			}
			var r io.Reader = bytes.NewReader(body)
			switch used {
			case gzipped:
				g, err := gzip.NewReader(r)
				if err != nil {
					t.Fatal(err)
				}
				r = g
			case zstandard:
				z, err := zstd.NewReader(r)
				if err != nil {
					t.Fatal(err)
				}
				defer z.Close()
				r = z
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("answer %d in %v: %v, %d bytes of %d", i, want, err, len(got), len(raw))
			}
		}
		if grown := c.size > before; grown != (i == 0) {
			t.Errorf("answer %d: the cache has %d bytes, %d before it was compressed", i, c.size, before)
		}
	}
}

func TestAccepted(t *testing.T) {
	for header, want := range map[string]coding{
		"": identity, "gzip": gzipped, "gzip, deflate, br, zstd": zstandard, "zstd;q=0, gzip": gzipped, "gzip; q=0": identity, "gzip;q=0.000": identity,
		"*": gzipped, "br": identity, "identity": identity, "GZIP;q=0.5": gzipped, "gzip;q=nonsense": identity, ",,": identity,
	} {
		if got := accepted(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// An answer longer than what is kept is the same one, in every coding.
func TestLongAnswer(t *testing.T) {
	s := NewServer(Options{CacheBytes: 100_000}) // 12 500 bytes an answer
	s.Swap(snapshot(t, sample(20)))
	ts := httptest.NewServer(s.Handler())
	defer ts.Close()
	for _, path := range []string{"/collections/iris-2016/items?limit=1000", "/collections/iris-2016/items?limit=1000&indicateurs=part_cmuc", "/api/series.csv", "/api/series.xlsx"} {
		_, plain := fetch(t, ts, "GET", path)
		if len(plain) < 13_000 && !strings.HasSuffix(path, "xlsx") {
			t.Fatalf("%s: %d bytes: not long enough for the test", path, len(plain))
		}
		for _, c := range []coding{gzipped, zstandard} {
			resp, body := fetch(t, ts, "GET", path, "Accept-Encoding", c.String())
			tag := resp.Header.Get("ETag")
			var r io.Reader = bytes.NewReader(body)
			switch resp.Header.Get("Content-Encoding") {
			case "gzip":
				g, err := gzip.NewReader(r)
				if err != nil {
					t.Fatal(err)
				}
				r = g
			case "zstd":
				z, err := zstd.NewReader(r)
				if err != nil {
					t.Fatal(err)
				}
				defer z.Close()
				r = z
			default:
				if !strings.HasSuffix(path, "xlsx") {
					t.Errorf("%s: not in %v", path, c)
				}
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s in %v: %d bytes, want %d (%v)", path, c, len(got), len(plain), err)
			}
			if resp, _ := fetch(t, ts, "GET", path, "If-None-Match", tag, "Accept-Encoding", c.String()); resp.StatusCode != 304 {
				t.Errorf("%s in %v: %d, tag %s", path, c, resp.StatusCode, tag)
			}
		}
		if resp, body := fetch(t, ts, "GET", path, "If-None-Match", "*"); resp.StatusCode != 304 || len(body) != 0 {
			t.Errorf("%s, If-None-Match *: %d, %d bytes", path, resp.StatusCode, len(body))
		}
	}
	if size := s.current.Load().open.answers.size; size > 100_000 {
		t.Errorf("%d bytes kept", size)
	}
}

func TestIfNoneMatchAny(t *testing.T) {
	ts := server(t, sample(3))
	for path, want := range map[string]int{
		"/collections": 304, "/tiles/iris-2016/8/131/93.mvt": 304, "/api/series.csv": 304,
		"/collections/rien": 404, "/nulle-part": 404, "/tiles/iris-2016/2/9/9.mvt": 400, "/api/series?millesime=x": 400,
	} {
		for range 2 { // made, then kept
			if resp, body := fetch(t, ts, "GET", path, "If-None-Match", "*"); resp.StatusCode != want || want == 304 && (len(body) != 0 || resp.Header.Get("ETag") == "") {
				t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
			}
		}
	}
}

// The addresses under an edition answer the same bytes for ever; the others are asked for again.
func TestEditionAddresses(t *testing.T) {
	e := sample(3)
	s := NewServer(Options{Version: "1"})
	s.Swap(snapshot(t, e))
	ts := httptest.NewServer(s.Handler())
	defer ts.Close()
	_, doc := fetch(t, ts, "GET", "/tiles/iris-2016.json")
	if want := `"` + ts.URL + `/editions/` + s.current.Load().mark + `/tiles/iris-2016/{z}/{x}/{y}.mvt"`; !strings.Contains(string(doc), want) {
		t.Errorf("the TileJSON has no %s: %s", want, doc)
	}
	_, plain := fetch(t, ts, "GET", "/tiles/iris-2016/8/131/93.mvt")
	for prefix, want := range map[string]string{
		"/editions/ed-test": "public, max-age=31536000, immutable", "/editions/" + s.current.Load().mark: "public, max-age=31536000, immutable",
		"/editions/ed-test.ffffffff": "public, max-age=60, must-revalidate", "": "public, max-age=60, must-revalidate",
	} {
		resp, body := fetch(t, ts, "GET", prefix+"/tiles/iris-2016/8/131/93.mvt")
		if resp.StatusCode != 200 || !bytes.Equal(body, plain) || resp.Header.Get("Cache-Control") != want {
			t.Errorf("%s: %d, %d bytes, %s", prefix, resp.StatusCode, len(body), resp.Header.Get("Cache-Control"))
		}
	}
	_, items := fetch(t, ts, "GET", "/editions/ed-test/collections/iris-2016/items?limit=4")
	for _, want := range []string{ts.URL + "/editions/ed-test/collections/iris-2016/items?limit=4\"", ts.URL + "/editions/ed-test/collections/iris-2016/items?limit=4&offset=4\""} {
		if !strings.Contains(string(items), want) {
			t.Errorf("the page has no link %s: %.400s", want, items)
		}
	}
	if resp, body := fetch(t, ts, "GET", "/editions/ed-autre/tiles/iris-2016/8/131/93.mvt"); resp.StatusCode != 404 || !strings.Contains(string(body), "ed-test") {
		t.Errorf("another edition: %d %s", resp.StatusCode, body)
	}

	// A map opened just before goes on drawing what it showed.
	next := sample(3)
	next.ID = "ed-suivante"
	next.Layer("iris-2016").Zones[4].Name = "Renommé"
	s.Swap(snapshot(t, next))
	if resp, body := fetch(t, ts, "GET", "/editions/ed-test/tiles/iris-2016/8/131/93.mvt"); resp.StatusCode != 200 || !bytes.Equal(body, plain) {
		t.Errorf("the edition before: %d, %d bytes", resp.StatusCode, len(body))
	}
	if _, body := fetch(t, ts, "GET", "/tiles/iris-2016/8/131/93.mvt"); bytes.Equal(body, plain) {
		t.Error("the tile is still that of the edition before")
	}
	s.Swap(nil)
	if resp, _ := fetch(t, ts, "GET", "/editions/ed-test/tiles/iris-2016/8/131/93.mvt"); resp.StatusCode != 503 {
		t.Errorf("nothing is published: %d", resp.StatusCode)
	}
}
