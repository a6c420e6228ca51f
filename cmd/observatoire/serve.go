package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/net/netutil"

	"observatoire/data/store"
	"observatoire/tiles"
)

// serveOptions are the flags of serve; each may come from the environment, as OBSERVATOIRE_ and its name.
type serveOptions struct {
	addr, edition   string
	baseURL         string
	metricsAddr     string
	tlsCert, tlsKey string
	proxies         []string
	cacheMB         int
	rate            int
	connections     int
	access          bool
	logFormat       string
	logFile         string
	drain           time.Duration
	lostAfter       time.Duration
}

func (a *app) serveCmd() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:     "serve",
		Aliases: []string{"servir"},
		Short:   "Serve the published edition: map, tiles, GeoJSON, API",
		Long: "Serve the published edition: map, tiles, GeoJSON, API. A new edition is served as soon as it is published.\n" +
			"Each flag may be set in the environment: --metrics-addr is OBSERVATOIRE_METRICS_ADDR.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				return a.serve(ctx, p, st, o)
			})
		},
	}
	o.flags(c.Flags())
	return c
}

func (o *serveOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.addr, "addr", ":8080", "address to listen on")
	f.StringVar(&o.edition, "edition", "", "serve this edition, published or not, and no other")
	f.StringVar(&o.baseURL, "base-url", "", "public address, such as https://donnees.exemple.fr; the project's publication.base_url by default, else that of each request")
	f.StringVar(&o.metricsAddr, "metrics-addr", "", "address to serve /metrics on, such as 127.0.0.1:9090, in place of the public one")
	f.StringVar(&o.tlsCert, "tls-cert", "", "certificate chain, PEM: serve HTTPS; read again when the file changes")
	f.StringVar(&o.tlsKey, "tls-key", "", "its private key, PEM")
	f.StringSliceVar(&o.proxies, "trusted-proxies", nil, "addresses of the proxies in front, such as 127.0.0.1,10.0.0.0/8: their X-Forwarded-For and X-Forwarded-Proto are taken")
	f.IntVar(&o.cacheMB, "cache-mb", 64, "memory, in megabytes, for the answers kept ready")
	f.IntVar(&o.rate, "rate", 3000, "requests a minute from one address; 0: no limit")
	f.IntVar(&o.connections, "connections", 1024, "connections at once; those beyond wait")
	f.BoolVar(&o.access, "access-log", true, "log every request, without what its address asks")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.StringVar(&o.logFile, "log-file", "", "file to add the log to, in place of standard error")
	f.DurationVar(&o.drain, "drain", 0, "how long /readyz says that the server is leaving before it closes, such as 10s: for whoever shares the requests out")
	f.DurationVar(&o.lostAfter, "lost-after", 10*time.Minute, "not ready any more once the store has not answered for so long; 0: ready as long as there is an edition")
}

// fromEnvironment sets the flags that the command line does not.
func fromEnvironment(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "OBSERVATOIRE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v := os.Getenv(name); v != "" && !f.Changed && f.Name != "dir" && f.Name != "store" && f.Name != "help" {
			if e := f.Value.Set(v); e != nil && err == nil {
				err = usage{fmt.Errorf("%s: %w", name, e)}
			}
		}
	})
	return err
}

func (o *serveOptions) check() (proxies []netip.Prefix, err error) {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return nil, usage{errors.New("--tls-cert and --tls-key go together")}
	}
	if o.logFormat != "text" && o.logFormat != "json" {
		return nil, usage{fmt.Errorf("--log-format: %q is neither text nor json", o.logFormat)}
	}
	if o.cacheMB < 1 || o.rate < 0 || o.connections < 1 || o.drain < 0 || o.lostAfter < 0 {
		return nil, usage{errors.New("--cache-mb and --connections are at least 1; --rate, --drain and --lost-after are not negative")}
	}
	if u := o.baseURL; u != "" {
		if err := checkBaseURL(u); err != nil {
			return nil, usage{fmt.Errorf("--base-url: %w", err)}
		}
	}
	for _, s := range o.proxies {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			ip, e := netip.ParseAddr(s)
			if e != nil {
				return nil, usage{fmt.Errorf("--trusted-proxies: %q is neither an address nor a range, such as 127.0.0.1 or 10.0.0.0/8", s)}
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		proxies = append(proxies, prefix.Masked())
	}
	return proxies, nil
}

// serve answers from memory; a new edition is read aside and swapped in without a dropped request. It returns
// when ctx ends, once the requests under way are answered.
func (a *app) serve(ctx context.Context, p *project, st store.Store, o serveOptions) error {
	proxies, err := o.check()
	if err != nil {
		return err
	}
	log, access, closeLog, err := o.logger(a.stderr)
	if err != nil {
		return err
	}
	defer closeLog()
	to := tiles.Options{Title: p.Title, Version: build(), Logger: log, BaseURL: cmp.Or(o.baseURL, p.Publication.BaseURL), CacheBytes: o.cacheMB << 20,
		FrameAncestors: p.Publication.FrameAncestors, Origins: p.Publication.Origins, Proxies: proxies, Rate: o.rate, LostAfter: o.lostAfter, Editions: st, OwnMetrics: o.metricsAddr != "", Viewer: tiles.Viewer(), Background: p.Publication.Background.tiles()}
	if o.access {
		to.Access = access
	}
	to.Tokens, to.Ends = p.tokens()
	srv := tiles.NewServer(to)

	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w: choose another address with --addr", o.addr, err)
	}
	server := newHTTPServer(srv.Handler(), log)
	scheme := "http"
	if o.tlsCert != "" {
		pair := &keyPair{cert: o.tlsCert, key: o.tlsKey, log: log}
		if _, err := pair.get(nil); err != nil {
			return errors.Join(err, listener.Close())
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
		scheme = "https"
	}
	done := make(chan error, 2)
	if o.metricsAddr != "" {
		own, err := net.Listen("tcp", o.metricsAddr)
		if err != nil {
			return errors.Join(fmt.Errorf("cannot listen on %s: %w: choose another address with --metrics-addr", o.metricsAddr, err), listener.Close())
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", srv.Metrics())
		metrics := newHTTPServer(mux, log)
		defer metrics.Close() //nolint:errcheck // it has nothing under way that matters
		go func() { done <- metrics.Serve(own) }()
	}
	go func() {
		limited := netutil.LimitListener(listener, o.connections)
		if server.TLSConfig != nil {
			done <- server.ServeTLS(limited, "", "")
		} else {
			done <- server.Serve(limited)
		}
	}()

	// It answers already, that it has nothing to show yet: whoever waits for /readyz knows that it is there.
	l := &loader{srv: srv, st: st, id: o.edition, log: log}
	if err := l.load(ctx); err != nil {
		if ctx.Err() != nil { // stopped meanwhile
			err = nil
		}
		return errors.Join(err, server.Close())
	}
	a.say("serving on %s", reachable(scheme, listener.Addr()))
	wake := make(chan struct{}, 1)
	watching, stopWatching := context.WithCancel(ctx)
	var watch sync.WaitGroup
	if o.edition == "" {
		watch.Go(func() {
			st.Watch(watching, func() {
				select {
				case wake <- struct{}{}:
				default: // it will look anyway
				}
			})
		})
	}
	defer watch.Wait()
	defer stopWatching()
	for {
		select {
		case err := <-done:
			return err
		case <-wake:
			l.try(ctx)
		case <-ctx.Done():
			srv.Drain()
			time.Sleep(o.drain)
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			if err := server.Shutdown(stop); err != nil { // someone still reads
				return server.Close()
			}
			return nil
		}
	}
}

// newHTTPServer bounds the time and the memory that a connection may take.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
}

// logger writes where the flags say: what happens at once, the requests together.
func (o *serveOptions) logger(stderr io.Writer) (log, access *slog.Logger, closed func(), err error) {
	w, closeFile := stderr, func() {}
	if o.logFile != "" {
		f, err := os.OpenFile(o.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("--log-file: %w", err)
		}
		w, closeFile = f, func() { _ = f.Close() }
	}
	requests := tiles.NewLogBuffer(w)
	to := func(w io.Writer) *slog.Logger {
		if o.logFormat == "json" {
			return slog.New(slog.NewJSONHandler(w, nil))
		}
		return slog.New(slog.NewTextHandler(w, nil))
	}
	access = to(requests)
	if o.logFormat == "text" {
		access = slog.New(requests.Text())
	}
	return to(requests.AtOnce()), access, func() { requests.Close(); closeFile() }, nil
}

// retryEdition is how long an edition that could not be prepared is left alone.
const retryEdition = time.Minute

// A loader keeps a server at the edition published in a store.
type loader struct {
	srv *tiles.Server
	st  store.Store
	id  string // the edition to serve; "" is the published one
	log *slog.Logger

	seen     string // version served
	lost     bool
	failed   string // version that could not be served
	failedAt time.Time
}

// load reads and serves the edition to serve, when it is not the one served.
func (l *loader) load(ctx context.Context) error {
	version, err := l.st.Version(ctx)
	l.srv.Stored(err)
	if err != nil || l.seen != "" && version == l.seen {
		return err
	}
	if version == l.failed && time.Since(l.failedAt) < retryEdition {
		return nil
	}
	start := time.Now()
	e, err := l.st.Edition(ctx, l.id)
	if errors.Is(err, store.ErrNotFound) && l.id == "" {
		if l.seen != none {
			l.srv.Swap(nil)
			l.seen = none
			l.log.Warn("no edition is published: waiting for one")
		}
		return nil
	}
	if err == nil {
		err = l.srv.Publish(e, version)
	}
	if err != nil {
		l.failed, l.failedAt = version, time.Now()
		return err
	}
	l.seen, l.failed = version, ""
	l.log.Info("edition served", "edition", e.ID, "took", time.Since(start))
	return nil
}

// none is the version of a store where nothing is published.
const none = "none"

// try loads, and logs what fails, once.
func (l *loader) try(ctx context.Context) {
	err := l.load(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil && !l.lost:
		l.log.Error("the edition served is kept: the store could not be read", "error", err)
	case err == nil && l.lost:
		l.log.Info("the store answers again")
	}
	l.lost = err != nil
}

// A keyPair is the certificate in two files, read again once they change: renewing it takes no restart.
type keyPair struct {
	cert, key string
	log       *slog.Logger

	mu   sync.Mutex
	at   time.Time // of the certificate's file
	look time.Time // next look at the files
	pair *tls.Certificate
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pair != nil && time.Now().Before(k.look) {
		return k.pair, nil
	}
	k.look = time.Now().Add(10 * time.Second)
	fi, err := os.Stat(k.cert)
	if err == nil && k.pair != nil && fi.ModTime().Equal(k.at) {
		return k.pair, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(k.cert, k.key)
	}
	switch {
	case err == nil:
		k.pair, k.at = &pair, fi.ModTime()
	case k.pair == nil:
		return nil, fmt.Errorf("the certificate cannot be read: %w: check --tls-cert and --tls-key", err)
	default: // being renewed
		k.log.Warn("the former certificate is kept: the new one cannot be read", "error", err)
	}
	return k.pair, nil
}

// reachable is the address a person types in a browser.
func reachable(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// build names the program: its version, and the commit it was built from where the builder said so. It goes into the manifest
// of an edition: one program and the same inputs give the same bytes, another program may give others and says so.
func build() string {
	name := version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			name += "+" + s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		name += ".modified"
	}
	return name
}
