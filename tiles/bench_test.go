package tiles

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// benchGet times requests for one address over a real connection, several at once.
func benchGet(b *testing.B, h http.Handler, path string) {
	ts := httptest.NewServer(h)
	defer ts.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Get(ts.URL + path)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil || n == 0 || resp.StatusCode != 200 {
				b.Errorf("%s: %d, %d bytes, %v", path, resp.StatusCode, n, err)
				return
			}
		}
	})
}

// bare serves the same bytes with nothing but net/http: the reference.
func bare(b *testing.B, h http.Handler, path string) http.Handler {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if w.Code != 200 {
		b.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	body, kind := w.Body.Bytes(), w.Header().Get("Content-Type")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	})
}

// benchServer serves 1 600 IRIS: a tile, and a thousand items.
func benchServer(b *testing.B) (h http.Handler, tile, items string) {
	s := NewServer(Options{})
	s.Swap(snapshot(b, sample(40)))
	return s.Handler(), "/tiles/iris-2016/9/263/186.mvt?indicateurs=part_cmuc", "/collections/iris-2016/items?limit=1000"
}

func BenchmarkTileCached(b *testing.B) {
	h, path, _ := benchServer(b)
	b.Run("ours", func(b *testing.B) { benchGet(b, h, path) })
	b.Run("bare", func(b *testing.B) { benchGet(b, bare(b, h, path), path) })
}

func BenchmarkItems(b *testing.B) {
	h, _, path := benchServer(b)
	b.Run("ours", func(b *testing.B) { benchGet(b, h, path) })
	b.Run("bare", func(b *testing.B) { benchGet(b, bare(b, h, path), path) })
}

func BenchmarkTileRendered(b *testing.B) {
	s := snapshot(b, sample(40))
	l := s.byName["iris-2016"]
	c := l.bound.Center()
	b.ReportAllocs()
	for b.Loop() {
		for z := uint32(8); z <= 13; z++ {
			x, y := tileAt(z, c[0], c[1])
			if data, err := s.tile(tileRequest{layers: []*layer{l}, z: z, x: x, y: y, indicators: []string{"part_cmuc"}, sexe: "T"}); err != nil || len(data) == 0 {
				b.Fatal(err)
			}
		}
	}
}
