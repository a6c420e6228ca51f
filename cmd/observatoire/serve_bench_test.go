package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"observatoire/geo"
	"observatoire/tiles"
)

// BenchmarkServe is the server on the 840 IRIS and 65 quarters of the Bouches-du-Rhône, and on sixty copies side by side,
// as large as France: memory by vertex once the edition is read, time from the start to ready, then requests of a map,
// items and tiles that were never asked for mixed with those that were: the most it answers in a second, and the 99th
// centile of the time it takes at 80 % of that. Client and server share the processors.
//
//	go test ./cmd/observatoire -run '^$' -bench Serve -benchtime 1x
func BenchmarkServe(b *testing.B) {
	for _, copies := range []int{1, 60} {
		b.Run(fmt.Sprintf("%dzones", 840*copies), func(b *testing.B) {
			ctx := context.Background()
			zones := stageZones(b, copies)
			vertices, area := 0, geo.Layer("")
			for _, set := range zones.Layers {
				for _, z := range set.Zones {
					for _, poly := range z.Geom {
						for _, ring := range poly {
							vertices += len(ring)
						}
					}
				}
			}
			area = zones.Layers[0].Layer
			id := zones.ID
			st := stageStore(b, filepath.Join(b.TempDir(), "observatoire.gpkg"), zones)
			defer st.Close()
			zones = nil
			for b.Loop() {
				held := heap()
				start := time.Now()
				e, err := st.Edition(ctx, id)
				if err != nil {
					b.Fatal(err)
				}
				srv := tiles.NewServer(tiles.Options{Rate: math.MaxInt32})
				if err := srv.Publish(e, "1"); err != nil {
					b.Fatal(err)
				}
				h := srv.Handler()
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil)); w.Code != 200 {
					b.Fatalf("readyz: %d", w.Code)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s-to-ready")
				e = nil
				b.ReportMetric(float64(heap()-held)/float64(vertices), "B/vertex")

				ts := httptest.NewServer(h)
				targets := requests(b, ts.URL, string(area), copies)
				attack := func(p vegeta.Pacer, workers uint64, d time.Duration) *vegeta.Metrics {
					var m vegeta.Metrics
					a := vegeta.NewAttacker(vegeta.Workers(workers), vegeta.MaxWorkers(workers), vegeta.Timeout(30*time.Second), vegeta.KeepAlive(true))
					for r := range a.Attack(vegeta.NewStaticTargeter(targets...), p, d, "") {
						m.Add(r)
					}
					m.Close()
					if m.Success < 1 {
						b.Errorf("%.2f %% of requests answered: %v", 100*m.Success, m.Errors)
					}
					return &m
				}
				attack(vegeta.Rate{}, 16, 5*time.Second) // the drawings of each zoom are made once
				peak := attack(vegeta.Rate{}, 16, 5*time.Second).Throughput
				calm := attack(vegeta.Rate{Freq: int(0.8 * peak), Per: time.Second}, 256, 10*time.Second)
				b.ReportMetric(peak, "req/s-peak")
				b.ReportMetric(float64(calm.Latencies.P99.Microseconds())/1000, "ms-p99")
				b.ReportMetric(float64(heap()-held)/float64(vertices), "B/vertex-after")
				runtime.KeepAlive(srv)
				ts.Close()
			}
		})
	}
}

// heap is what is held once all that is not has been collected.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// requests are those of people who look at maps here and there: tiles of every zoom around places of the territory, with a
// page of items and a description now and then.
func requests(b *testing.B, url, layer string, copies int) []vegeta.Target {
	crs, err := geo.ByEPSG(2154)
	if err != nil {
		b.Fatal(err)
	}
	side := int(math.Ceil(math.Sqrt(float64(copies))))
	rng := rand.New(rand.NewPCG(1, 2))
	var list []vegeta.Target
	add := func(path string) {
		list = append(list, vegeta.Target{Method: http.MethodGet, URL: url + path, Header: http.Header{"Accept-Encoding": {"gzip"}}})
	}
	for range 400 {
		i := rng.IntN(copies)
		lon, lat := crs.Inverse(860_000+float64(i%side)*200_000+40_000*rng.Float64(), 6_270_000-float64(i/side)*200_000+30_000*rng.Float64())
		z := 8 + rng.IntN(7)
		n := math.Exp2(float64(z))
		sin := math.Sin(lat * math.Pi / 180)
		x, y := int(n*(lon/360+0.5)), int(n*(0.5-math.Log((1+sin)/(1-sin))/(4*math.Pi)))
		for dx := range 3 {
			add(fmt.Sprintf("/tiles/%s/%d/%d/%d.mvt", layer, z, min(x+dx, int(n)-1), y))
		}
	}
	for i := range 20 {
		add(fmt.Sprintf("/collections/%s/items?limit=100&offset=%d", layer, 40*i))
		add(fmt.Sprintf("/tiles/%s.json", layer))
	}
	list = slices.DeleteFunc(list, func(t vegeta.Target) bool {
		resp, err := http.Get(t.URL)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode != http.StatusOK // beyond the territory
	})
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
