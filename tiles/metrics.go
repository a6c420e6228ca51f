package tiles

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
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

	op      *operation // what answered, where [Server.quick] did
	named   bool       // under an edition's own address
	pattern string     // of the route that answered, elsewhere

	id  [1]string // of the request
	tag tag       // of what [Server.quick] answers: with the rest, one allocation
}

// A meter is where the requests for one route that end in one status are counted.
type meter struct {
	took prometheus.Observer
	sent prometheus.Counter
}

func (m *metrics) meter(route string, status int) *meter {
	return &meter{m.requests.WithLabelValues(route, strconv.Itoa(status)), m.bytes.WithLabelValues(route)}
}

// quickMeter is the meter of an operation that [Server.quick] answered for, found once.
func (m *metrics) quickMeter(w *watched) *meter {
	k := 0
	if w.named {
		k = 2
	}
	switch w.status {
	case http.StatusOK:
	case http.StatusNotModified:
		k++
	default:
		return m.meter(w.route(), w.status)
	}
	found := w.op.meters[k].Load()
	if found == nil {
		found = m.meter(w.route(), w.status)
		w.op.meters[k].Store(found)
	}
	return found
}

// route is the operation's address, as chi calls it.
func (w *watched) route() string {
	if w.named {
		return "/editions/{edition}" + w.op.path
	}
	return w.op.path
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
		w := &watched{ResponseWriter: rw}
		w.id[0] = requestID(r)
		s.metrics.flying.Inc()
		defer s.observed(w, r, start) // also of an answer cut short
		if !s.quick(w, r) {
			w.Header()["X-Request-Id"] = w.id[:]
			next.ServeHTTP(w, r)
		}
	})
}

// routed keeps the route by which a request was answered: chi takes its own note of it back.
func (s *Server) routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w, ok := rw.(*watched); ok {
			defer func() { w.pattern = chi.RouteContext(r.Context()).RoutePattern() }()
		}
		next.ServeHTTP(rw, r)
	})
}

// observed measures and logs a request once it is answered.
func (s *Server) observed(w *watched, r *http.Request, start time.Time) {
	s.metrics.flying.Dec()
	if w.status == 0 {
		w.status = 499 // the client left
	}
	var m *meter
	if w.op != nil {
		m = s.metrics.quickMeter(w)
	} else {
		route := w.pattern
		if route == "" || route == "/*" || w.status == http.StatusMethodNotAllowed {
			route = "autre" // addresses that nobody serves must not each be a series
		}
		m = s.metrics.meter(route, w.status)
	}
	took := time.Since(start)
	m.took.Observe(took.Seconds())
	m.sent.Add(float64(w.bytes))
	if s.o.Access == nil {
		return
	}
	log := s.o.Access.Handler()
	if !log.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	var room [8]slog.Attr // AddAttrs copies them: it stays on the stack
	attrs := append(room[:0], slog.String("id", w.id[0]), slog.String("client", s.client(r)), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", took))
	if w.token != nil {
		attrs = append(attrs, slog.String("token_name", w.token.Name))
	}
	line := slog.NewRecord(start.Add(took), slog.LevelInfo, "request", 0) // where it is logged is not worth finding out
	line.AddAttrs(attrs...)
	_ = log.Handle(r.Context(), line) // a full disk must not stop the service
}

// A LogBuffer gathers the lines of the access log and writes them together, at most [logDelay] later: a write for each
// would cost a quarter of what an answer that is ready does.
type LogBuffer struct {
	mu     sync.Mutex
	w      io.Writer
	lines  []byte
	timer  *time.Timer
	closed bool
}

const (
	logDelay = 100 * time.Millisecond
	logBytes = 32 << 10
)

// NewLogBuffer writes to w.
func NewLogBuffer(w io.Writer) *LogBuffer { return &LogBuffer{w: w} }

// Text is a handler that writes to b what [slog.TextHandler] would. Lines of plain words and numbers, as those of requests
// are, cost it a third: they are a good part of the time of an answer that is ready.
func (b *LogBuffer) Text() slog.Handler { return textLines{slog.NewTextHandler(b, nil), b} }

type textLines struct {
	slog.Handler
	b *LogBuffer
}

func (h textLines) Handle(ctx context.Context, r slog.Record) error {
	if !bareText(r.Message) || r.PC != 0 {
		return h.Handler.Handle(ctx, r)
	}
	var room [512]byte
	line := append(room[:0], "time="...)
	n := len(line) + len("2006-01-02T15:04:05.000")
	line = r.Time.Truncate(time.Millisecond).Add(time.Millisecond/10).AppendFormat(line, time.RFC3339Nano) // a digit more than wanted, then out
	line = append(line[:n], line[n+1:]...)
	line = append(append(append(line, " level="...), r.Level.String()...), " msg="...)
	line = append(line, r.Message...)
	ordinary := true
	r.Attrs(func(a slog.Attr) bool {
		line = append(append(append(line, ' '), a.Key...), '=')
		switch a.Value.Kind() {
		case slog.KindString:
			v := a.Value.String()
			ordinary = bareText(v)
			line = append(line, v...)
		case slog.KindInt64:
			line = strconv.AppendInt(line, a.Value.Int64(), 10)
		case slog.KindDuration:
			line = append(line, a.Value.Duration().String()...)
		default:
			ordinary = false
		}
		return ordinary
	})
	if !ordinary {
		return h.Handler.Handle(ctx, r)
	}
	_, err := h.b.Write(append(line, '\n'))
	return err
}

// bareText says whether a text is written without quotes.
func bareText(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\' {
			return false
		}
	}
	return text != ""
}

// Write implements io.Writer.
func (b *LogBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return b.w.Write(line)
	}
	if len(b.lines) == 0 {
		if b.timer == nil {
			b.timer = time.AfterFunc(logDelay, b.Flush)
		} else {
			b.timer.Reset(logDelay)
		}
	}
	if b.lines = append(b.lines, line...); len(b.lines) >= logBytes {
		b.flush()
	}
	return len(line), nil
}

// AtOnce writes to the same place what cannot wait, after what is gathered.
func (b *LogBuffer) AtOnce() io.Writer { return atOnce{b} }

type atOnce struct{ *LogBuffer }

func (b atOnce) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
	return b.w.Write(line)
}

// Flush writes what is gathered.
func (b *LogBuffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
}

func (b *LogBuffer) flush() {
	if len(b.lines) > 0 {
		_, _ = b.w.Write(b.lines) // a full disk must not stop the service
		b.lines = b.lines[:0]
	}
}

// Close writes what is gathered; what comes after is written at once.
func (b *LogBuffer) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
	b.closed = true
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
	sound := len(id) > 0 && len(id) <= 64
	for i := 0; sound && i < len(id); i++ {
		c := id[i]
		sound = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.'
	}
	if sound {
		return id
	}
	var room [40]byte
	return string(strconv.AppendUint(append(append(room[:0], idStart...), '-'), idCount.Add(1), 10))
}
