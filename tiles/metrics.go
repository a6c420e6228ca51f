package tiles

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what a server tells Prometheus. Their labels are routes, statuses and the edition's id: no address, no
// token, nothing of what partners gave.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec // seconds, by route and status
	bytes    *prometheus.CounterVec   // sent, by route
	flying   prometheus.Gauge
	edition  *prometheus.GaugeVec
	swaps    prometheus.Counter
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "observatoire_http_request_duration_seconds",
			Help: "Time to answer, by route and status.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"route", "status"}),
		bytes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "observatoire_http_response_bytes_total", Help: "Bytes sent, by route."}, []string{"route"}),
		flying:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "observatoire_http_requests_in_flight", Help: "Requests being answered."}),
		edition: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "observatoire_edition_info", Help: "The edition served."}, []string{"edition", "program"}),
		swaps:   prometheus.NewCounter(prometheus.CounterOpts{Name: "observatoire_edition_swaps_total", Help: "Editions put in service since the start."}),
	}
	sum := func(name, help string, counter bool, of func(*cache) float64) prometheus.Collector {
		total := func() float64 {
			n := 0.0
			if sv := s.current.Load(); sv != nil {
				for _, c := range sv.caches() {
					c.mu.Lock()
					n += of(c)
					c.mu.Unlock()
				}
			}
			return n
		}
		if counter {
			return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, total)
		}
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, total)
	}
	m.registry.MustRegister(m.requests, m.bytes, m.flying, m.edition, m.swaps,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		sum("observatoire_cache_bytes", "Memory of the answers kept ready.", false, func(c *cache) float64 { return float64(c.size) }),
		sum("observatoire_cache_answers", "Answers kept ready.", false, func(c *cache) float64 { return float64(len(c.byKey)) }),
		sum("observatoire_cache_hits_total", "Answers that were ready, since the edition is served.", true, func(c *cache) float64 { return float64(c.hits) }),
		sum("observatoire_cache_misses_total", "Answers that had to be made, since the edition is served.", true, func(c *cache) float64 { return float64(c.misses) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "observatoire_store_lost_seconds", Help: "Time since the store last answered, once it is lost; 0 while it answers."},
			func() float64 { return s.lost().Seconds() }))
	return m
}

// Metrics answers Prometheus.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
}

// A watched answer knows what was sent, and to whom it may show more.
type watched struct {
	http.ResponseWriter
	status int
	bytes  int64
	token  *Token
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// observe gives each request an id, measures it and logs it. What the address asks after the question mark is not
// logged, where someone may have put a token by mistake.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := requestID(r)
		w := &watched{ResponseWriter: rw}
		w.Header()["X-Request-Id"] = []string{id}
		s.metrics.flying.Inc()
		defer func() { // also of an answer cut short
			s.metrics.flying.Dec()
			route := ""
			if c := chi.RouteContext(r.Context()); c != nil {
				route = c.RoutePattern()
			}
			if route == "" || route == "/*" || w.status == http.StatusMethodNotAllowed {
				route = "autre" // addresses that nobody serves must not each be a series
			}
			if w.status == 0 {
				w.status = 499 // the client left
			}
			took := time.Since(start)
			s.metrics.requests.WithLabelValues(route, strconv.Itoa(w.status)).Observe(took.Seconds())
			s.metrics.bytes.WithLabelValues(route).Add(float64(w.bytes))
			if s.o.Access == nil {
				return
			}
			attrs := make([]slog.Attr, 0, 8)
			attrs = append(attrs, slog.String("id", id), slog.String("client", s.client(r)), slog.String("method", r.Method), slog.String("path", r.URL.Path),
				slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", took))
			if w.token != nil {
				attrs = append(attrs, slog.String("token_name", w.token.Name))
			}
			s.o.Access.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
		}()
		next.ServeHTTP(w, r)
	})
}

var (
	idStart = func() string {
		b := make([]byte, 6)
		_, _ = rand.Read(b) // never fails
		return hex.EncodeToString(b)
	}()
	idCount atomic.Uint64
)

// requestID is the one that a proxy gave, when it can be written in a log as it is; or one of ours, that no other
// request to this process or to another has.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) == 0 || len(id) > 64 {
		return idStart + "-" + strconv.FormatUint(idCount.Add(1), 10)
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return idStart + "-" + strconv.FormatUint(idCount.Add(1), 10)
		}
	}
	return id
}
