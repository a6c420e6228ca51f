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
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb/encoding/wkb"
)

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
	lines := NewLogBuffer(null)
	b.Cleanup(func() { lines.Close(); _ = null.Close() })
	s := NewServer(Options{BaseURL: "http://essai", Rate: math.MaxInt32, Access: slog.New(lines.Text()), Tokens: []Token{{Name: "essai", Sees: []string{"essai"}}}})
	s.Swap(snapshot(b, sample(40)))
	return s.Handler(), "/tiles/iris-2016/9/263/186.mvt?indicateurs=part_cmuc", "/collections/iris-2016/items?limit=1000"
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

// BenchmarkAgainstBare is what is ready against a bare handler that sends the same bytes, over real connections, one and the
// other by turns: what slows the machine down for a moment slows both. wrk asks where it is installed, and Go's own client
// elsewhere. The ratio is the median of the turns.
func BenchmarkAgainstBare(b *testing.B) {
	h, tile, items := benchServer(b)
	first := httptest.NewRecorder()
	h.ServeHTTP(first, httptest.NewRequest("GET", tile, nil)) // the tag depends on the address alone
	tag := first.Header().Get("ETag")
	for _, c := range []struct {
		name, path, tag string
		bare            http.Handler
	}{
		{"tile", tile, "", bare(b, h, tile)},
		{"304", tile, tag, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			if r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
			}
		})},
		{"items", items, "", bare(b, h, items)},
	} {
		b.Run(c.name, func(b *testing.B) {
			ours, reference := httptest.NewServer(h), httptest.NewServer(c.bare)
			defer ours.Close()
			defer reference.Close()
			var ratios, rates []float64
			for b.Loop() {
				a, z := hammer(b, ours.URL+c.path, c.tag), hammer(b, reference.URL+c.path, c.tag)
				ratios, rates = append(ratios, a/z), append(rates, a)
			}
			slices.Sort(ratios)
			slices.Sort(rates)
			b.ReportMetric(ratios[len(ratios)/2], "of-bare")
			b.ReportMetric(rates[len(rates)/2], "req/s")
		})
	}
}

// hammer is how many requests a second an address answers, over half a second and eight connections.
func hammer(b *testing.B, url, tag string) float64 {
	b.Helper()
	const turn, connections = 500 * time.Millisecond, 8
	if wrk, err := exec.LookPath("wrk"); err == nil {
		out, err := exec.Command(wrk, "-t1", fmt.Sprintf("-c%d", connections), "-d1s", "-H", "If-None-Match: "+tag, url).CombinedOutput()
		_, text, _ := strings.Cut(string(out), "Requests/sec:")
		rate, e := strconv.ParseFloat(strings.TrimSpace(strings.SplitN(text, "\n", 2)[0]), 64)
		if err != nil || e != nil || strings.Contains(string(out), "Non-2xx or 3xx") {
			b.Fatalf("wrk: %v: %s", err, out)
		}
		return rate
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var count atomic.Int64
	end := time.Now().Add(turn)
	var wait sync.WaitGroup
	for range connections {
		wait.Go(func() {
			for time.Now().Before(end) {
				req, err := http.NewRequest("GET", url, nil)
				if err != nil {
					b.Error(err)
					return
				}
				if tag != "" {
					req.Header.Set("If-None-Match", tag)
				}
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if err != nil || (resp.StatusCode == 304) != (tag != "") {
					b.Errorf("%s: %d, %v", url, resp.StatusCode, err)
					return
				}
				count.Add(1)
			}
		})
	}
	wait.Wait()
	return float64(count.Load()) / turn.Seconds()
}
