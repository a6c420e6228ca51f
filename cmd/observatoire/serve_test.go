package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A lockedLog is where a server that runs in the test's process writes.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var servingOn = regexp.MustCompile(`serving on (https?://\S+)/`)

// started runs `serve` and waits until it does; stop ends it as Ctrl-C does, and gives its exit code.
func started(t *testing.T, args ...string) (url string, log *lockedLog, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log = &lockedLog{}
	code := make(chan int, 1)
	go func() { code <- execute(ctx, append(args, "serve", "--addr", "127.0.0.1:0"), io.Discard, log) }()
	stop = sync.OnceValue(func() int {
		cancel()
		select {
		case c := <-code:
			return c
		case <-time.After(30 * time.Second):
			t.Error("the server does not stop")
			return -1
		}
	})
	t.Cleanup(func() { stop() })
	for range 600 {
		if m := servingOn.FindStringSubmatch(log.String()); m != nil {
			return m[1], log, stop
		}
		select {
		case c := <-code:
			code <- c
			t.Fatalf("serve: exit %d\n%s", c, log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("not serving: %s", log)
	return
}

func get(t *testing.T, client *http.Client, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return &http.Response{}, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp, string(b)
}

// Readers ask without a pause while editions are published: none is refused, and each publication is seen soon.
func TestServeWhilePublishing(t *testing.T) {
	for name, address := range stores(t) {
		t.Run(name, func(t *testing.T) {
			dir := demoProject(t)
			args := []string{"-C", dir}
			if address != nil {
				args = append(args, "--store", address(t))
			}
			first := strings.TrimSpace(must(t, append(args, "run", "--publish", "--by", "test")...))
			edit(t, filepath.Join(dir, "observatoire.yaml"), "title: ", "title: Autre ")
			second := strings.TrimSpace(must(t, append(args, "run")...))
			if first == second {
				t.Fatal("the two editions are the same")
			}
			url, log, stop := started(t, append(args, "--rate", "0")...)
			finished := make(chan struct{})
			var readers sync.WaitGroup
			client := &http.Client{Timeout: 20 * time.Second}
			for g := range 4 {
				readers.Go(func() {
					paths := []string{"/", "/tiles/iris-2010/10/526/373.mvt", "/collections/qpv-2015/items", "/api/series.csv", "/readyz"}
					for i := g; ; i++ {
						select {
						case <-finished:
							return
						default:
						}
						if resp, body := get(t, client, url+paths[i%len(paths)]); resp.StatusCode >= 300 || resp.StatusCode == 0 {
							t.Errorf("%s: %d %.300s", paths[i%len(paths)], resp.StatusCode, body)
							return
						}
					}
				})
			}
			serves := func(id string) bool {
				for range 100 { // 10 s
					_, body := get(t, client, url+"/api/editions")
					var doc struct{ Editions []struct{ ID string } }
					if json.Unmarshal([]byte(body), &doc) == nil && len(doc.Editions) == 1 && doc.Editions[0].ID == id {
						return true
					}
					time.Sleep(100 * time.Millisecond)
				}
				return false
			}
			for i, id := range []string{second, first, second, first} {
				must(t, append(args, "publish", "--edition", id, "--by", "test")...)
				if !serves(id) {
					t.Errorf("publication %d: edition %s is not served", i+1, id)
				}
			}
			must(t, append(args, "withdraw", "--by", "test")...)
			if !serves(second) {
				t.Error("the edition withdrawn is still served")
			}
			close(finished)
			readers.Wait()
			if code := stop(); code != exitDone {
				t.Errorf("stopped: exit %d\n%s", code, log)
			}
			if strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}

// A server waits for its first edition, and goes on with what it has when the store goes away.
func TestServeReady(t *testing.T) {
	dir := demoProject(t)
	url, log, _ := started(t, "-C", dir)
	if resp, _ := get(t, http.DefaultClient, url+"/readyz"); resp.StatusCode != 503 {
		t.Errorf("nothing is published: %d", resp.StatusCode)
	}
	if resp, _ := get(t, http.DefaultClient, url+"/healthz"); resp.StatusCode != 200 {
		t.Errorf("alive: %d", resp.StatusCode)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	for i := 0; ; i++ {
		if resp, _ := get(t, http.DefaultClient, url+"/readyz"); resp.StatusCode == 200 {
			break
		}
		if i > 100 {
			t.Fatalf("still not ready\n%s", log)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestServeDrains(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	t.Setenv("OBSERVATOIRE_DRAIN", "1500ms")
	url, _, stop := started(t, "-C", dir)
	stopped := make(chan int, 1)
	go func() { stopped <- stop() }()
	leaving := false
	for range 20 {
		resp, _ := get(t, http.DefaultClient, url+"/readyz")
		if leaving = resp.StatusCode == 503; leaving {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if resp, _ := get(t, http.DefaultClient, url+"/collections"); !leaving || resp.StatusCode != 200 {
		t.Errorf("leaving: said %v, and the data: %d", leaving, resp.StatusCode)
	}
	if code := <-stopped; code != exitDone {
		t.Errorf("exit %d", code)
	}
}

// A partner's token shows what the convention lets it see, and nobody else sees it; the measures may be elsewhere.
func TestServeToken(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	code, out, errs := cli(t, "token", "Bailleur d'exemple")
	token := strings.TrimSpace(out)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(token)))
	if code != exitDone || len(token) < 40 || !strings.Contains(errs, sum) || strings.Contains(errs, token) {
		t.Fatalf("token: %d %q %q", code, out, errs)
	}
	config := "\npublication:\n  tokens:\n    - {name: bailleur, sha256: " + sum + ", sees: [ops-exemple]}\n"
	appendTo(t, filepath.Join(dir, "observatoire.yaml"), config)
	metrics := freeAddress(t)
	url, log, _ := started(t, "-C", dir, "--metrics-addr", metrics, "--log-format", "json")
	for _, path := range []string{"/api/series.csv", "/api/indicateurs", "/api/editions"} {
		for bearer, want := range map[string]bool{"": false, token: true} {
			headers := []string{}
			if bearer != "" {
				headers = []string{"Authorization", "Bearer " + bearer}
			}
			resp, body := get(t, http.DefaultClient, url+path, headers...)
			if got := strings.Contains(body, "ops_") || strings.Contains(body, "ops-"); resp.StatusCode != 200 || got != want || strings.Contains(body, "EM-1.1.2") {
				t.Errorf("%s with token %q: %d, shows the partner's figures: %v", path, bearer, resp.StatusCode, got)
			}
		}
	}
	if resp, _ := get(t, http.DefaultClient, url+"/api/series.csv", "Authorization", "Bearer faux"); resp.StatusCode != 401 {
		t.Errorf("another token: %d", resp.StatusCode)
	}
	if resp, _ := get(t, http.DefaultClient, url+"/metrics"); resp.StatusCode != 404 {
		t.Errorf("measures on the public address: %d", resp.StatusCode)
	}
	if resp, body := get(t, http.DefaultClient, "http://"+metrics+"/metrics"); resp.StatusCode != 200 || !strings.Contains(body, "observatoire_edition_info{") {
		t.Errorf("measures: %d", resp.StatusCode)
	}
	for i := 0; i < 50 && !strings.Contains(log.String(), "token_name"); i++ { // requests are logged together, a moment later
		time.Sleep(100 * time.Millisecond)
	}
	if strings.Contains(log.String(), token) || !strings.Contains(log.String(), `"token_name":"bailleur"`) {
		t.Errorf("the log:\n%.2000s", log)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, text...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestPublicationRefused(t *testing.T) {
	good := strings.Repeat("ab", 32)
	tests := []struct{ yaml, says string }{
		{"publication: {tokens: [{name: a, sha256: zz, sees: [ops-exemple]}]}", "tokens[0] (a): sha256: not the 64 hexadecimal digits"},
		{"publication: {tokens: [{name: a, sha256: " + good + "}]}", "sees: missing"},
		{"publication: {tokens: [{name: a, sha256: " + good + ", sees: [autre]}]}", `no convention "autre" in conventions.yaml`},
		{"publication: {tokens: [{sha256: " + good + ", sees: [ops-exemple]}]}", "name: missing"},
		{"publication: {tokens: [{name: a, sha256: " + good + ", sees: [ops-exemple]}, {name: b, sha256: " + good + ", sees: [ops-exemple]}]}", "the same token as a"},
		{"publication: {token: []}", "token"},
		{"publication: {base_url: donnees.exemple.fr}", "is not an address"},
		{"publication: {frame_ancestors: [\"https://a.fr; script-src *\"]}", "is not a site"},
		{"publication: {origins: [\"*\"]}", "is not a site"},
	}
	for _, tt := range tests {
		dir := demoProject(t)
		appendTo(t, filepath.Join(dir, "observatoire.yaml"), "\n"+tt.yaml+"\n")
		code, _, errs := cli(t, "-C", dir, "serve", "--addr", "127.0.0.1:0")
		if code != exitRefused || !strings.Contains(errs, tt.says) || !regexp.MustCompile(`observatoire\.yaml:\d+`).MatchString(errs) {
			t.Errorf("%s: exit %d, %s", tt.yaml, code, errs)
		}
	}
	for _, args := range [][]string{{"--tls-cert", "x"}, {"--log-format", "xml"}, {"--cache-mb", "0"}, {"--trusted-proxies", "proxy"}, {"--base-url", "ftp://x"}, {"--rate", "-1"}} {
		if code, _, errs := cli(t, append([]string{"-C", demoProject(t), "serve", "--addr", "127.0.0.1:0"}, args...)...); code != exitUsage || !strings.Contains(errs, args[0]) {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
	t.Setenv("OBSERVATOIRE_CACHE_MB", "beaucoup")
	if code, _, errs := cli(t, "-C", demoProject(t), "serve"); code != exitUsage || !strings.Contains(errs, "OBSERVATOIRE_CACHE_MB") {
		t.Errorf("environment: exit %d, %s", code, errs)
	}
}

// HTTPS with a certificate of one's own, which is renewed without a restart.
func TestServeTLS(t *testing.T) {
	dir := demoProject(t)
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := x509.NewCertPool()
	issue := func(name string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		pool.AppendCertsFromPEM(block)
		for path, b := range map[string][]byte{cert: block, key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})} {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	issue("premier")
	url, _, _ := started(t, "-C", dir, "--tls-cert", cert, "--tls-key", key)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	resp, body := get(t, client, url+"/collections")
	if !strings.HasPrefix(url, "https://") || resp.StatusCode != 200 || resp.Proto != "HTTP/2.0" || resp.Header.Get("Strict-Transport-Security") == "" || !strings.Contains(body, url+"/collections/") {
		t.Fatalf("%s: %d %s %v %.200s", url, resp.StatusCode, resp.Proto, resp.Header, body)
	}
	pair := &keyPair{cert: cert, key: key}
	before, err := pair.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	issue("second")
	if err := os.Chtimes(cert, time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	pair.look = time.Time{} // its time has come
	after, err := pair.get(nil)
	if err != nil || string(after.Certificate[0]) == string(before.Certificate[0]) {
		t.Errorf("the certificate was not read again: %v", err)
	}
}
