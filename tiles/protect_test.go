package tiles

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"observatoire/geo"
	"observatoire/indicators"
)

const (
	tokenA    = "jeton-du-bailleur-3f9c"
	tokenB    = "jeton-du-comite-77ab"
	tokenNone = "jeton-sans-convention"
)

// restricted is the sample with what two partners gave: an indicator, its values, a gap, a source, an alert and a layer
// each. All their words hold "SECRET1" or "SECRET2", and all their figures 4321.
func restricted(n int) *indicators.Edition {
	e := sample(n)
	for k, convention := range []string{"bailleurs", "caf"} {
		word := fmt.Sprintf("SECRET%d", k+1)
		id := strings.ToLower(word) + "_logements"
		e.Indicators = append(e.Indicators, indicators.Definition{ID: id, Label: "Logements " + word, Unit: "logements"})
		e.Layers = append(e.Layers, geo.ZoneSet{Layer: geo.Layer(strings.ToLower(word) + "-2020"), Title: word, EPSG: 2154, Source: indicators.RestrictedLayer(convention),
			Zones: []geo.Zone{{Code: word + "Z", Name: word, Geom: rect(100, 100, 200, 200)}}})
		key := indicators.Key{Indicateur: id, Couche: "qpv-2015", Millesime: 2020, Sexe: "T"}
		e.Values = append(e.Values, indicators.Value{Key: key, Code: "QP013061", V: 4321 + float64(k), Methode: indicators.MethodeProducteur, Retenue: true, Source: word, Convention: convention})
		e.Ecarts = append(e.Ecarts, indicators.Ecart{Key: key, Code: "QP013061", Reference: "commune-2018", ReferenceCode: "13047", Valeur: indicators.Some(4321 + float64(k)), Motif: word, Convention: convention})
		e.Sources = append(e.Sources, indicators.Source{ID: word, Title: word, File: word + ".xlsx", Convention: convention})
		e.Alertes = append(e.Alertes, indicators.Alerte{ID: word, Objet: "QP013061", Message: word, Convention: convention})
	}
	return e
}

func guarded(t *testing.T, o Options) (*Server, *httptest.Server) {
	t.Helper()
	o.Tokens = []Token{{"bailleur", sha256.Sum256([]byte(tokenA)), []string{"bailleurs"}}, {"comité", sha256.Sum256([]byte(tokenB)), []string{"caf", "bailleurs"}},
		{"autre", sha256.Sum256([]byte(tokenNone)), []string{"jamais-signée"}}}
	s := NewServer(o)
	if err := s.Publish(restricted(3), "1"); err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(s.Handler())
	t.Cleanup(ts.Close)
	return s, ts
}

// everything is every address that data may come out of, refusals included.
var everything = []string{
	"/", "/?indicateur=secret1_logements", "/?vue=QP013061", "/calibration", "/collections", "/collections/secret1-2020", "/collections/qpv-2015", "/collections/rien",
	"/collections/secret1-2020/items", "/collections/secret1-2020/items/SECRET1Z", "/collections/qpv-2015/items?indicateurs=secret1_logements", "/collections/qpv-2015/items/QP013061?indicateurs=secret1_logements",
	"/tiles/style.json", "/tiles/secret1-2020.json", "/tiles/rien.json", "/tiles/qpv-2015.json?indicateurs=secret1_logements", "/tiles/secret1-2020/8/131/93.mvt", "/tiles/qpv-2015/8/131/93.mvt?indicateurs=secret1_logements",
	"/api/editions", "/api/indicateurs", "/api/equipements", "/api/series", "/api/series.csv", "/api/series.csv?indicateur=secret1_logements", "/api/series?zone=SECRET1Z", "/api/series?couche=rien", "/api/series.xlsx",
	"/api/ecarts", "/api/ecarts.csv", "/api/ecarts.xlsx", "/api/evolutions", "/api/rangs.csv", "/api/femmes-hommes", "/api/concentration", "/api/recouvrements", "/api/recouvrements?de=rien", "/api/calibration.csv", "/api/series.parquet", "/api/ecarts.parquet", "/api/recouvrements.parquet", "/page", "/api/visionneuse", "/api/carte/secret1-2020?indicateur=part_cmuc", "/api/carte/qpv-2015?indicateur=secret1_logements", "/api/zones/secret1-2020/SECRET1Z", "/api/zones/qpv-2015/QP013061", "/editions/liste", "/api", "/api/portrait/QP013061", "/api/portrait/SECRET1Z",
	"/metrics", "/healthz", "/readyz", "/nulle-part",
}

// What a partner gave is nowhere without a token, and with one, only what its conventions let see. The answers of one
// reader are never another's, whatever the order they come in.
func TestTokens(t *testing.T) {
	var log bytes.Buffer
	_, ts := guarded(t, Options{Access: slog.New(slog.NewTextHandler(&log, nil)), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	readers := []struct {
		token string
		sees  [2]bool
	}{{"", [2]bool{}}, {tokenA, [2]bool{true, false}}, {tokenNone, [2]bool{}}, {tokenB, [2]bool{true, true}}}
	shown := map[string]bool{}
	for _, prefix := range []string{"", "/editions/ed-test"} {
		for _, i := range []int{0, 1, 2, 3, 2, 0} {
			reader := readers[i]
			for _, path := range everything {
				for _, encoding := range []string{"gzip", "identity"} {
					headers := []string{"Accept-Encoding", encoding}
					if reader.token != "" {
						headers = append(headers, "Authorization", "Bearer "+reader.token)
					}
					resp, body := fetch(t, ts, "GET", prefix+path, headers...)
					if encoding != "identity" {
						continue // it must not be what the next one gets
					}
					text := string(body)
					if strings.Contains(path, "xlsx") {
						text = unzipped(t, body)
					}
					if strings.HasSuffix(path, ".parquet") && resp.StatusCode == http.StatusOK {
						rec, said := readParquet(t, body)
						text = fmt.Sprint(rec, said)
					}
					for k, word := range []string{"SECRET1", "SECRET2"} {
						// A refusal repeats what was asked for: only that may be there.
						said := strings.ReplaceAll(text, "« secret1_logements »", "")
						said = strings.ReplaceAll(strings.ReplaceAll(said, "« secret1-2020 »", ""), "« SECRET1Z »", "")
						said = strings.ReplaceAll(said, prefix+strings.Split(path, "?")[0], "")
						// Sizes and durations of /metrics may hold any digits: a figure could only be told there by a label.
						found := strings.Contains(strings.ToUpper(said), word) || path != "/metrics" && strings.Contains(said, fmt.Sprint(4321+k))
						if found && !reader.sees[k] {
							t.Errorf("%s%s says %s to %q: %.800s", prefix, path, word, reader.token, text)
						}
						if found {
							shown[path+reader.token+word] = true
						}
					}
					if reader.token != "" && resp.StatusCode < 300 && resp.Header.Get("ETag") != "" && resp.Header.Get("Cache-Control") != "private, no-cache" {
						t.Errorf("%s%s with a token: Cache-Control %q", prefix, path, resp.Header.Get("Cache-Control"))
					}
					if resp.Header.Get("ETag") != "" && !strings.Contains(resp.Header.Get("Vary"), "Authorization") {
						t.Errorf("%s%s: Vary %q", prefix, path, resp.Header.Get("Vary"))
					}
				}
			}
		}
	}
	for _, want := range []string{"/api/series.csv" + tokenA + "SECRET1", "/api/series.csv" + tokenB + "SECRET2", "/api/editions" + tokenB + "SECRET1", "/collections" + tokenA + "SECRET1",
		"/api/ecarts.csv" + tokenB + "SECRET1", "/tiles/secret1-2020/8/131/93.mvt" + tokenA + "SECRET1", "/tiles/qpv-2015/8/131/93.mvt?indicateurs=secret1_logements" + tokenA + "SECRET1",
		"/api/series.xlsx" + tokenB + "SECRET2", "/api/series.parquet" + tokenB + "SECRET2", "/api/zones/qpv-2015/QP013061" + tokenA + "SECRET1", "/collections/qpv-2015/items?indicateurs=secret1_logements" + tokenA + "SECRET1"} {
		if !shown[want] {
			t.Errorf("not shown to whom may see it: %s", want)
		}
	}
	for _, token := range []string{tokenA, tokenB, tokenNone} {
		if strings.Contains(log.String(), token) {
			t.Errorf("the log holds the token %s", token)
		}
	}
	if !strings.Contains(log.String(), "token_name=bailleur") {
		t.Error("the log does not say which token was used")
	}
}

// A tag held from one reader's answer says nothing to another.
func TestTagsByReader(t *testing.T) {
	_, ts := guarded(t, Options{})
	resp, _ := fetch(t, ts, "GET", "/api/series.csv", "Authorization", "Bearer "+tokenA)
	tag := resp.Header.Get("ETag")
	for token, want := range map[string]int{tokenA: 304, tokenB: 200, tokenNone: 200, "": 200} {
		headers := []string{"If-None-Match", tag}
		if token != "" {
			headers = append(headers, "Authorization", "Bearer "+token)
		}
		if resp, _ := fetch(t, ts, "GET", "/api/series.csv", headers...); resp.StatusCode != want {
			t.Errorf("token %q: %d, want %d", token, resp.StatusCode, want)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	var log bytes.Buffer
	_, ts := guarded(t, Options{Access: slog.New(slog.NewTextHandler(&log, nil)), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for header, want := range map[string]int{
		"Bearer faux": 401, "Bearer ": 401, "Bearer": 401, "bearer " + tokenA: 200, "Bearer " + tokenA + "x": 401, "Bearer " + tokenA[1:]: 401, "Basic dTpw": 200, "": 200,
	} {
		resp, body := fetch(t, ts, "GET", "/api/series", "Authorization", header)
		if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", header, resp.StatusCode, want)
		}
		if want == 401 && (!strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer ") || !strings.Contains(string(body), "Jeton refusé") || strings.Contains(string(body), "faux")) {
			t.Errorf("%q: %v %s", header, resp.Header, body)
		}
	}
	// In the address, where proxies log it, a token is a parameter that nobody knows.
	resp, body := fetch(t, ts, "GET", "/api/series?access_token="+tokenA)
	if resp.StatusCode != 400 || !strings.Contains(string(body), "access_token") || strings.Contains(string(body), tokenA) {
		t.Errorf("token in the address: %d %s", resp.StatusCode, body)
	}
	if strings.Contains(log.String(), tokenA) || strings.Contains(log.String(), "faux") {
		t.Errorf("the log holds a token: %s", log.String())
	}
}

// A convention shows nothing once it has ended, though the edition and the token remain.
func TestConventionEnded(t *testing.T) {
	day := func(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }
	_, ts := guarded(t, Options{Ends: map[string]string{"bailleurs": day(-2), "caf": day(2)}})
	for token, want := range map[string][2]bool{tokenA: {}, tokenB: {false, true}} {
		_, body := fetch(t, ts, "GET", "/api/series.csv", "Authorization", "Bearer "+token)
		if got := [2]bool{strings.Contains(string(body), "SECRET1"), strings.Contains(string(body), "SECRET2")}; got != want {
			t.Errorf("%s sees %v, want %v", token, got, want)
		}
	}
}

// Without a token that sees them, partners' figures are not even in memory.
func TestNotKept(t *testing.T) {
	s := NewServer(Options{Tokens: []Token{{"autre", sha256.Sum256([]byte(tokenNone)), []string{"jamais-signée"}}}})
	if err := s.Publish(restricted(3), "1"); err != nil {
		t.Fatal(err)
	}
	if s.current.Load().whole != nil {
		t.Error("what no token shows is kept")
	}
}

func TestRate(t *testing.T) {
	s := NewServer(Options{Rate: 5, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	s.Swap(snapshot(t, sample(2)))
	h := s.Handler()
	ask := func(remote, forwarded, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = remote
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for i := range 8 {
		w := ask("192.0.2.7:999", "", "/collections")
		if want := map[bool]int{true: 200, false: 429}[i < 5]; w.Code != want {
			t.Fatalf("request %d: %d, want %d", i+1, w.Code, want)
		}
		if w.Code == 429 && (w.Header().Get("Retry-After") == "" || !json.Valid(w.Body.Bytes()) || !strings.Contains(w.Body.String(), "Trop de requêtes") || w.Header().Get("ETag") != "") {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
	tests := []struct {
		name, remote, forwarded, path string
		want                          int
	}{
		{"another address", "192.0.2.8:1", "", "/collections", 200},
		{"the word of a stranger", "192.0.2.7:1", "198.51.100.1", "/collections", 429},
		{"behind a proxy", "10.1.2.3:1", "198.51.100.2", "/collections", 200},
		{"the same behind a proxy", "10.1.2.3:1", "192.0.2.7", "/collections", 429},
		{"a client who forges the first hops", "10.1.2.3:1", "198.51.100.3, 192.0.2.7, 10.9.9.9", "/collections", 429},
		{"a proxy that says nonsense", "10.1.2.3:1", "<script>", "/collections", 200},
		{"whoever watches", "192.0.2.7:1", "", "/readyz", 200},
	}
	for _, tt := range tests {
		if w := ask(tt.remote, tt.forwarded, tt.path); w.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.want)
		}
	}
}

// Paths, queries and headers made to get out of the service: each is refused or answered as any other, in JSON, and
// nothing of them becomes a header.
func TestInjection(t *testing.T) {
	_, ts := guarded(t, Options{})
	get := func(request string) (*http.Response, string) {
		conn, err := net.Dial("tcp", ts.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // read whole
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(conn)
		if err != nil && len(b) == 0 {
			t.Fatalf("%q: %v", request, err)
		}
		head, body, _ := strings.Cut(string(b), "\r\n\r\n")
		resp := &http.Response{Header: http.Header{}}
		lines := strings.Split(head, "\r\n")
		if _, err := fmt.Sscanf(lines[0], "HTTP/1.1 %d", &resp.StatusCode); err != nil {
			t.Fatalf("%q: %q", request, lines[0])
		}
		for _, l := range lines[1:] {
			k, v, _ := strings.Cut(l, ": ")
			resp.Header.Add(k, v)
		}
		return resp, body
	}
	tests := []struct {
		target string
		want   []int
	}{
		{"/../../../../etc/passwd", []int{400, 404}},
		{"/%2e%2e/%2e%2e/etc/passwd", []int{400, 404}},
		{"/collections/..%2f..%2fetc%2fpasswd/items", []int{404}},
		{"/collections/..%5c..%5cwindows/items", []int{404}},
		{"/collections/iris-2016/items/%00", []int{404}},
		{"/editions/..%2f..%2fetc/collections", []int{404}},
		{"/editions/ed-test/../../healthz", []int{404}},
		{"/tiles/iris-2016/8/131/93.mvt%0d%0aX-Injected:%20oui", []int{400, 404}},
		{"/collections/iris-2016/items?code=1'%20OR%20'1'='1", []int{200}}, // no such code
		{"/collections/iris-2016/items?code=1;DROP%20TABLE%20edition", []int{200, 400}},
		{"/collections/iris-2016/items?bbox=1,2,3,4);SELECT%20pg_sleep(9)", []int{400}},
		{"/api/series?indicateur=x'%20UNION%20SELECT%201--", []int{400}},
		{"/api/series?zone=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", []int{400}},
		{"/?indicateur=%3Cscript%3Ealert(1)%3C/script%3E", []int{400}},
		{"/api/series?zone=a%0d%0aSet-Cookie:%20x=1", []int{400}},
		{"/api/series?zone=" + strings.Repeat("1,", 600), []int{400}},
		{"/api/series?zone=" + strings.Repeat("1", 9000), []int{414}},
		{"http://ailleurs.exemple/collections", []int{200}}, // absolute form: the address of a proxy
	}
	for _, tt := range tests {
		resp, body := get("GET " + tt.target + " HTTP/1.1\r\nHost: essai\r\nConnection: close\r\n\r\n")
		ok := false
		for _, w := range tt.want {
			ok = ok || resp.StatusCode == w
		}
		if !ok || strings.Contains(body, "root:") || resp.Header.Get("X-Injected") != "" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%.60s: %d, want %v: %.300s", tt.target, resp.StatusCode, tt.want, body)
		}
		if strings.Contains(body, "<script>alert") && strings.Contains(resp.Header.Get("Content-Type"), "html") {
			t.Errorf("%.60s: the page holds the script", tt.target)
		}
		if resp.StatusCode != 400 || body != "400 Bad Request" { // what net/http itself refuses has none
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") || resp.Header.Get("X-Request-Id") == "" {
				t.Errorf("%.60s: headers %v", tt.target, resp.Header)
			}
		}
	}
	// A request id is repeated, and logged: only one that is one.
	for id, kept := range map[string]bool{"abc-123_X.9": true, "a b": false, "x=1 level=ERROR": false, strings.Repeat("a", 65): false, "é": false, "<script>": false} {
		resp, _ := get("GET /healthz HTTP/1.1\r\nHost: essai\r\nConnection: close\r\nX-Request-Id: " + id + "\r\n\r\n")
		if got := resp.Header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("X-Request-Id %q: %q", id, got)
		}
	}
	for _, host := range []string{`a"b`, "a<b>", "evil.exemple"} {
		resp, body := get("GET /collections HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		if resp.StatusCode == 200 && !json.Valid([]byte(body)) {
			t.Errorf("Host %q: %s", host, body)
		}
	}
}

func TestHeaders(t *testing.T) {
	s, ts := guarded(t, Options{BaseURL: "https://donnees.exemple.fr/", FrameAncestors: []string{"'self'", "https://www.ville.exemple.fr"}, Origins: []string{"https://carte.exemple.fr"}})
	for path, policy := range map[string]string{"/": "frame-ancestors 'self' https://www.ville.exemple.fr", "/?sexe=X": "frame-ancestors 'self' https://www.ville.exemple.fr", "/api/series": "frame-ancestors 'self' https://www.ville.exemple.fr"} {
		resp, body := fetch(t, ts, "GET", path, "Origin", "https://carte.exemple.fr")
		h := resp.Header
		if !strings.Contains(h.Get("Content-Security-Policy"), policy) || strings.Contains(h.Get("Content-Security-Policy"), "'none'; frame-ancestors 'none'") || h.Get("Strict-Transport-Security") == "" ||
			h.Get("Access-Control-Allow-Origin") != "https://carte.exemple.fr" || !strings.Contains(h.Get("Vary"), "Origin") || (h.Get("Referrer-Policy") == "no-referrer") == strings.HasPrefix(path, "/api") {
			t.Errorf("%s: %v", path, h)
		}
		if strings.HasPrefix(path, "/api") && !strings.Contains(string(body), "https://donnees.exemple.fr/api") {
			t.Errorf("%s: links are not at the public address: %.300s", path, body)
		}
	}
	if resp, _ := fetch(t, ts, "GET", "/api/series", "Origin", "https://ailleurs.exemple"); resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("any site may read the answers")
	}
	if resp, _ := fetch(t, ts, "OPTIONS", "/api/series", "Origin", "https://carte.exemple.fr", "Access-Control-Request-Headers", "authorization"); !strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("OPTIONS: %v", resp.Header)
	}
	s.Stored(io.ErrUnexpectedEOF)
	if resp, _ := fetch(t, ts, "GET", "/readyz"); resp.StatusCode != 200 {
		t.Error("not ready, though nothing says after how long the store is missed")
	}
}

func TestReady(t *testing.T) {
	s := NewServer(Options{LostAfter: 30 * time.Millisecond})
	ts := httptest.NewServer(s.Handler())
	defer ts.Close()
	want := func(code int, says string) {
		t.Helper()
		if resp, body := fetch(t, ts, "GET", "/readyz"); resp.StatusCode != code || !strings.Contains(string(body), says) {
			t.Errorf("%d %s, want %d %s", resp.StatusCode, body, code, says)
		}
	}
	want(503, "aucune édition")
	s.Swap(snapshot(t, sample(2)))
	want(200, "ed-test")
	s.Stored(io.ErrUnexpectedEOF)
	want(200, "ed-test")
	time.Sleep(40 * time.Millisecond)
	s.Stored(io.ErrUnexpectedEOF)
	want(503, "injoignable")
	if resp, _ := fetch(t, ts, "GET", "/collections"); resp.StatusCode != 200 {
		t.Errorf("what is in memory is not served any more: %d", resp.StatusCode)
	}
	s.Stored(nil)
	want(200, "ed-test")
	s.Drain()
	want(503, "arrêt")
}

func TestMetrics(t *testing.T) {
	_, ts := guarded(t, Options{Version: "essai"})
	for range 3 {
		fetch(t, ts, "GET", "/tiles/iris-2016/8/131/93.mvt")
	}
	fetch(t, ts, "GET", "/api/series", "Authorization", "Bearer "+tokenA)
	fetch(t, ts, "GET", "/nulle-part/"+tokenA)
	fetch(t, ts, "DELETE", "/api/series")
	resp, body := fetch(t, ts, "GET", "/metrics")
	text := string(body)
	for _, want := range []string{
		`observatoire_http_request_duration_seconds_count{route="/tiles/{layers}/{z}/{x}/{y}.mvt",status="200"} 3`,
		`observatoire_http_request_duration_seconds_count{route="autre",status="404"} 1`, `observatoire_http_request_duration_seconds_count{route="autre",status="405"} 1`,
		`observatoire_edition_info{edition="ed-test",program="essai"} 1`, "observatoire_cache_hits_total 2", "observatoire_cache_misses_total 2", "observatoire_http_requests_in_flight 1",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if resp.StatusCode != 200 || strings.Contains(text, tokenA) || strings.Contains(text, "bailleur") || strings.Contains(text, "nulle-part") {
		t.Errorf("%d: the measures tell too much", resp.StatusCode)
	}
	s := NewServer(Options{OwnMetrics: true})
	if problems, err := testutil.GatherAndLint(s.metrics.registry); err != nil || len(problems) > 0 {
		t.Errorf("measures badly named: %v %v", problems, err)
	}
	own := httptest.NewServer(s.Handler())
	defer own.Close()
	if resp, _ := fetch(t, own, "GET", "/metrics"); resp.StatusCode != 404 {
		t.Errorf("measures served twice: %d", resp.StatusCode)
	}
}

// Readers see one edition or the other, never a mixture, an error or a delay, while editions follow one another.
func TestSwapUnderLoad(t *testing.T) {
	s, ts := guarded(t, Options{CacheBytes: 200_000})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	editions := map[string]int{}
	for g := range 6 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				path := []string{"/api/editions", "/collections/iris-2016/items", "/tiles/iris-2016/8/131/93.mvt", "/"}[(i+g)%4]
				headers := []string{}
				if g == 0 {
					headers = []string{"Authorization", "Bearer " + tokenB}
				}
				resp, body := fetch(t, ts, "GET", path, headers...)
				if resp.StatusCode != 200 || len(body) == 0 {
					t.Errorf("%s: %d, %d bytes", path, resp.StatusCode, len(body))
					return
				}
				if path == "/api/editions" {
					var doc struct {
						Editions []struct{ ID, Version string }
					}
					if err := json.Unmarshal(body, &doc); err != nil || doc.Editions[0].ID != "ed-"+doc.Editions[0].Version && doc.Editions[0].ID != "ed-test" {
						t.Errorf("a mixture of editions: %s", body)
					}
					mu.Lock()
					editions[doc.Editions[0].ID]++
					mu.Unlock()
				}
			}
		})
	}
	for i := range 12 {
		e := restricted(3)
		e.ID = fmt.Sprintf("ed-%d", i)
		if i == 0 {
			e.ID = "ed-1"
		}
		if err := s.Publish(e, strings.TrimPrefix(e.ID, "ed-")); err != nil {
			t.Error(err)
		}
		time.Sleep(25 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	if len(editions) < 5 {
		t.Errorf("readers saw %v", editions)
	}
}

func TestTooBusy(t *testing.T) {
	s := NewServer(Options{})
	for range cap(s.work) {
		s.work <- struct{}{}
	}
	s.Swap(snapshot(t, sample(2)))
	r := httptest.NewRequest("GET", "/collections", nil)
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { s.Handler().ServeHTTP(w, r); close(done) }()
	select {
	case <-done:
		t.Fatalf("answered though every place is taken: %d", w.Code)
	case <-time.After(50 * time.Millisecond):
	}
	<-s.work // a place
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting though there is a place")
	}
	if w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

// unzipped is all the text of a workbook.
func unzipped(t *testing.T, body []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return string(body) // a refusal
	}
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, r); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// The lines of requests are those of slog's own handler, whatever a client writes.
func TestLogLines(t *testing.T) {
	var ours, slogs bytes.Buffer
	b := NewLogBuffer(&ours)
	mine, reference := b.Text(), slog.NewTextHandler(&slogs, nil)
	start := time.Date(2026, 3, 29, 1, 59, 59, 999_600_000, time.FixedZone("", 3600))
	for i, path := range []string{"/tiles/iris-2016/9/263/186.mvt", "", "/a b", "/a=b", `/a"b`, `/a\b`, "/é", "/\x00\n", "/\u2028", "/\xff", "level=ERROR\nmsg=x", "~!", "/\x7f"} {
		r := slog.NewRecord(start.Add(time.Duration(i)*1234567*time.Nanosecond).In([]*time.Location{time.UTC, start.Location()}[i%2]), slog.LevelInfo, "request", 0)
		r.AddAttrs(slog.String("id", "419-1"), slog.String("path", path), slog.Int("status", 200), slog.Int64("bytes", -1), slog.Duration("took", time.Duration(i)*1501*time.Nanosecond))
		if err := errors.Join(mine.Handle(t.Context(), r), reference.Handle(t.Context(), r)); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	if ours.String() != slogs.String() || slogs.Len() == 0 {
		t.Errorf("ours:\n%s\nslog's:\n%s", ours.String(), slogs.String())
	}
}

// A line of the access log is written soon, whole and once, in the order of what happened.
func TestLogBuffer(t *testing.T) {
	var mu sync.Mutex
	var got bytes.Buffer
	b := NewLogBuffer(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return got.Write(p)
	}))
	read := func() string {
		mu.Lock()
		defer mu.Unlock()
		return got.String()
	}
	fmt.Fprintln(b, "one")
	if read() != "" {
		t.Error("a line is written by itself")
	}
	for end := time.Now().Add(5 * time.Second); read() == "" && time.Now().Before(end); {
		time.Sleep(logDelay / 4)
	}
	fmt.Fprintln(b, "two")
	fmt.Fprintln(b.AtOnce(), "error")
	if read() != "one\ntwo\nerror\n" {
		t.Errorf("%q", read())
	}
	long := strings.Repeat("x", logBytes)
	fmt.Fprintln(b, long)
	if !strings.HasSuffix(read(), long+"\n") {
		t.Error("a full buffer waits")
	}
	fmt.Fprintln(b, "last")
	b.Close()
	fmt.Fprintln(b, "late")
	if !strings.HasSuffix(read(), "last\nlate\n") {
		t.Errorf("%.30q", read()[len(read())-30:])
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// What is ready is answered before the routes: under the same headers, limits and measures as what is not.
func TestQuick(t *testing.T) {
	var log bytes.Buffer
	s, ts := guarded(t, Options{Rate: 60, Origins: []string{"https://carte.exemple.fr"}, Access: slog.New(slog.NewTextHandler(&log, nil))})
	own := "/editions/" + s.current.Load().mark
	for _, path := range []string{"/tiles/qpv-2015/8/131/93.mvt", own + "/tiles/qpv-2015/8/131/93.mvt", "/api/series?zone=QP013061", "/editions/ed-test/api/series.csv"} {
		first, want := fetch(t, ts, "GET", path, "Origin", "https://carte.exemple.fr")
		second, got := fetch(t, ts, "GET", path, "Origin", "https://carte.exemple.fr")
		if first.StatusCode != 200 || !bytes.Equal(got, want) || len(got) == 0 {
			t.Fatalf("%s: %d, then %d bytes, %d at first", path, first.StatusCode, len(got), len(want))
		}
		for _, h := range []http.Header{first.Header, second.Header} {
			h.Del("X-Request-Id")
			h.Del("Date")
		}
		if fmt.Sprint(first.Header) != fmt.Sprint(second.Header) {
			t.Errorf("%s: headers\n%v\nthen\n%v", path, first.Header, second.Header)
		}
		if same, body := fetch(t, ts, "GET", path, "If-None-Match", first.Header.Get("ETag")); same.StatusCode != 304 || len(body) > 0 || same.Header.Get("ETag") != first.Header.Get("ETag") ||
			same.Header.Get("Vary") != first.Header.Get("Vary") || same.Header.Get("Cache-Control") != first.Header.Get("Cache-Control") || same.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: 304: %d %v", path, same.StatusCode, same.Header)
		}
		if same, _ := fetch(t, ts, "GET", path, "If-None-Match", first.Header.Get("ETag"), "Origin", "https://carte.exemple.fr"); same.StatusCode != 304 || same.Header.Get("Access-Control-Allow-Origin") != "https://carte.exemple.fr" {
			t.Errorf("%s: 304 to a script of another site: %d %v", path, same.StatusCode, same.Header)
		}
		if head, body := fetch(t, ts, "HEAD", path); head.StatusCode != 200 || len(body) > 0 {
			t.Errorf("HEAD %s: %d", path, head.StatusCode)
		}
	}
	if _, body := fetch(t, ts, "GET", "/metrics"); !strings.Contains(string(body), `duration_seconds_count{route="/editions/{edition}/tiles/{layers}/{z}/{x}/{y}.mvt",status="304"} 2`) ||
		!strings.Contains(string(body), `duration_seconds_count{route="/tiles/{layers}/{z}/{x}/{y}.mvt",status="200"} 3`) {
		t.Error("what is ready is not measured under its route")
	}
	if n := strings.Count(log.String(), "status=304"); n != 8 || !strings.Contains(log.String(), "path="+own) {
		t.Errorf("%d of 8 lines of 304", n)
	}
	for range 60 {
		fetch(t, ts, "GET", "/api/series?zone=QP013061")
	}
	if resp, body := fetch(t, ts, "GET", "/api/series?zone=QP013061"); resp.StatusCode != 429 || resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Retry-After") == "" || resp.Header.Get("X-Request-Id") == "" || !json.Valid(body) {
		t.Errorf("too many: %d %v", resp.StatusCode, resp.Header)
	}
}
