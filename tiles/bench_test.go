package tiles

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb/encoding/wkb"
)

// benchGet times requests for one address over real connections, several at once.
func benchGet(b *testing.B, h http.Handler, path string, want int, headers ...string) {
	ts := httptest.NewServer(h)
	defer ts.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest("GET", ts.URL+path, nil)
			if err != nil {
				b.Error(err)
				return
			}
			for i := 0; i+1 < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != want || (n == 0) != (want == 304) {
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

// benchServer serves 1 600 IRIS as the command does, its log, its limits and its measures included: a tile, and a
// thousand items.
func benchServer(b *testing.B) (h http.Handler, tile, items string) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = null.Close() })
	s := NewServer(Options{BaseURL: "http://essai", Rate: math.MaxInt32, Access: slog.New(slog.NewTextHandler(null, nil)), Tokens: []Token{{Name: "essai", Sees: []string{"essai"}}}})
	s.Swap(snapshot(b, sample(40)))
	return s.Handler(), "/tiles/iris-2016/9/263/186.mvt?indicateurs=part_cmuc", "/collections/iris-2016/items?limit=1000"
}

func BenchmarkTileCached(b *testing.B) {
	h, path, _ := benchServer(b)
	b.Run("ours", func(b *testing.B) { benchGet(b, h, path, 200) })
	b.Run("bare", func(b *testing.B) { benchGet(b, bare(b, h, path), path, 200) })
}

// A tile that the client has already, against a handler that knows nothing else than to say so.
func BenchmarkNotModified(b *testing.B) {
	h, path, _ := benchServer(b)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil)) // the tag depends on the address alone
	tag := w.Header().Get("ETag")
	b.Run("ours", func(b *testing.B) { benchGet(b, h, path, 304, "If-None-Match", tag) })
	b.Run("bare", func(b *testing.B) {
		benchGet(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			if r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
			}
		}), path, 304, "If-None-Match", tag)
	})
	b.Run("whole", func(b *testing.B) { benchGet(b, bare(b, h, path), path, 200) }) // the same tile, sent again
}

func BenchmarkItems(b *testing.B) {
	h, _, path := benchServer(b)
	b.Run("ours", func(b *testing.B) { benchGet(b, h, path, 200) })
	b.Run("bare", func(b *testing.B) { benchGet(b, bare(b, h, path), path, 200) })
}

// BenchmarkRendered13 draws the tiles of the 840 real IRIS of the Bouches-du-Rhône that have some, one after the other,
// up to sixty of a zoom, none of them kept. PostGIS draws the same with ST_AsMVT, from contours in the legal projection as our
// store keeps them, indexed; and, to see what that costs it, from contours already in the tiles' projection.
func BenchmarkRendered13(b *testing.B) {
	s := snapshot(b, realIRIS(b))
	l := s.layers[0]
	for _, z := range []uint32{8, 10, 12, 14} {
		var at []tileRequest
		n := math.Exp2(float64(z))
		west, south := mercator(l.bound.Min[0], l.bound.Min[1])[0], mercator(l.bound.Min[0], l.bound.Min[1])[1]
		east, north := mercator(l.bound.Max[0], l.bound.Max[1])[0], mercator(l.bound.Max[0], l.bound.Max[1])[1]
		for x := uint32(west * n); x <= uint32(east*n); x++ {
			for y := uint32(north * n); y <= uint32(south*n); y++ {
				q := tileRequest{layers: []*layer{l}, z: z, x: x, y: y, sexe: "T"}
				if data, err := s.tile(q); err != nil {
					b.Fatal(err)
				} else if len(data) > 0 {
					at = append(at, q)
				}
			}
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(at), func(i, j int) { at[i], at[j] = at[j], at[i] })
		at = at[:min(len(at), 60)]
		b.Run(fmt.Sprintf("z%d/ours", z), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if data, err := s.tile(at[i%len(at)]); err != nil || len(data) == 0 {
					b.Fatal(err)
				}
			}
		})
		for _, epsg := range []int{2154, 3857} {
			name := map[int]string{2154: "PostGIS", 3857: "PostGIS3857"}[epsg]
			b.Run(fmt.Sprintf("z%d/%s", z, name), func(b *testing.B) {
				draw := drawPostGIS(b, l, epsg)
				for _, q := range at { // warm
					draw(q)
				}
				for i := 0; b.Loop(); i++ {
					if data := draw(at[i%len(at)]); len(data) == 0 {
						b.Fatalf("PostGIS draws nothing at %d/%d/%d", at[i%len(at)].z, at[i%len(at)].x, at[i%len(at)].y)
					}
				}
			})
		}
	}
}

// drawPostGIS loads a layer in a projection, and draws its tiles there.
func drawPostGIS(b *testing.B, l *layer, epsg int) func(tileRequest) []byte {
	dsn := os.Getenv("OBSERVATOIRE_TEST_PG")
	if dsn == "" {
		b.Skip("OBSERVATOIRE_TEST_PG, a PostGIS database to compare with, is not set")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(ctx) })
	exec := func(sql string) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.Fatalf("%s: %v", sql, err)
		}
	}
	exec("CREATE TEMP TABLE zone (code text, nom text, raw bytea)")
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"zone"}, []string{"code", "nom", "raw"}, pgx.CopyFromSlice(len(l.zones), func(i int) ([]any, error) {
		raw, err := wkb.Marshal(l.set.Zones[i].Geom)
		return []any{l.set.Zones[i].Code, l.set.Zones[i].Name, raw}, err
	})); err != nil {
		b.Fatal(err)
	}
	exec(fmt.Sprintf("CREATE TEMP TABLE iris AS SELECT code, nom, ST_Transform(ST_GeomFromWKB(raw, 2154), %d) AS geom FROM zone", epsg))
	exec("CREATE INDEX ON iris USING gist (geom)")
	exec("ANALYZE iris")
	contour, box := "geom", "ST_TileEnvelope($1, $2, $3, margin => 64.0/4096)"
	if epsg != 3857 {
		contour, box = "ST_Transform(geom, 3857)", fmt.Sprintf("ST_Transform(%s, %d)", box, epsg)
	}
	query := "SELECT ST_AsMVT(f, 'iris', 4096, 'geom') FROM (SELECT code, nom, ST_AsMVTGeom(" + contour + ", ST_TileEnvelope($1, $2, $3), 4096, 64) AS geom FROM iris WHERE geom && " +
		box + ") f WHERE geom IS NOT NULL"
	return func(q tileRequest) (data []byte) {
		if err := conn.QueryRow(ctx, query, q.z, q.x, q.y).Scan(&data); err != nil {
			b.Fatal(err)
		}
		return data
	}
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
