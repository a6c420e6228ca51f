package ingest

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// A Fetcher downloads files: several at once, each resumed where it stopped, checked, and put in place whole. It
// never replaces a file that somebody else put there.
type Fetcher struct {
	Client  *http.Client  // from [NewClient]
	Jobs    int           // downloads at once
	PerHost int           // downloads at once from one server
	Retries int           // attempts in a row that bring nothing before it gives up
	Stall   time.Duration // a server that sends nothing for so long is left, and asked again
	Backoff time.Duration // pause before the second attempt; it doubles
	MaxWait time.Duration // longest pause a server may ask for (Retry-After)
	Agent   string        // User-Agent

	// Progress is told of what happens; it may be nil. It is called from several goroutines.
	Progress func(Progress)
	// Keep is called with a whole and checked file, before it takes its name; it may be nil. An error of it stops
	// that download.
	Keep func(i int, got Fetched) error
}

// An Order is one file to download.
type Order struct {
	URL    string
	Path   string // where the file goes; beside it, while it is not whole, Path.part and Path.part.json
	SHA256 string // expected; "" when nobody said
	Size   int64  // expected bytes; 0 when nobody said
	Says   string // who says so, such as "observatoire.lock"
	Remedy string // what to do when the file is another one
	Page   string // where a person reads about it

	// Replaces is the sha256 of the file at Path that may be replaced. Any other file there is left alone.
	Replaces string
}

// Fetched is what came.
type Fetched struct {
	Final    string // address that answered, after the redirections
	Moved    string // where the address has moved for good; "" when it has not
	ETag     string
	Modified string // Last-Modified, as the server wrote it
	SHA256   string
	Size     int64 // bytes of the file
	Resumed  int64 // of which an earlier attempt had brought these
	Same     bool  // the file at Path was this one already
}

// A Progress tells of one download. Note is a line worth saying; without one, only Done has moved.
type Progress struct {
	Path        string
	Done, Total int64 // bytes; Total is 0 when the server does not say
	Note        string
}

// A ContentError says that what came, or what is there, is not the file that was asked for.
type ContentError struct{ Err error }

func (e *ContentError) Error() string { return e.Err.Error() }
func (e *ContentError) Unwrap() error { return e.Err }

func notTheFile(format string, args ...any) error { return &ContentError{fmt.Errorf(format, args...)} }

// errFull stops every download.
var errFull = errors.New("the disk is full")

// DiskFull says whether a write failed for want of room, or of quota.
func DiskFull(err error) bool {
	var code syscall.Errno
	windows := runtime.GOOS == "windows" && errors.As(err, &code) && (code == 39 || code == 112) // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
	return windows || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// errOther ends the downloads that were under way when the disk was full: one error is enough.
var errOther = errors.New("stopped: another download found the disk full")

// NewClient makes an HTTP client. proxy, when not empty, is used in place of HTTP_PROXY and HTTPS_PROXY; NO_PROXY
// holds in both cases. roots, when not empty, are certificates (PEM) accepted besides the system's.
func NewClient(proxy string, roots []byte) (*http.Client, error) {
	cfg := httpproxy.FromEnvironment()
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
			return nil, fmt.Errorf("proxy: %q is not an address such as http://proxy.mairie.fr:3128", redacted(proxy))
		}
		cfg.HTTPProxy, cfg.HTTPSProxy = proxy, proxy
	}
	choose := cfg.ProxyFunc()
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	t.DisableCompression = true // a file is kept as it is published
	if len(roots) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(roots) {
			return nil, errors.New("no certificate in it: a PEM file is wanted (-----BEGIN CERTIFICATE-----)")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: t, CheckRedirect: follow}, nil
}

// redacted is an address without the password it may hold.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}

// A trail is what the redirections of one request say.
type trail struct {
	temporary bool   // one of them was not for good: what follows it is not the new address
	moved     string // where those before it lead
}

type trailKey struct{}

// A badRedirect is a redirection that is not followed: asking again would not help.
type badRedirect struct{ error }

// follow decides of a redirection.
func follow(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return badRedirect{fmt.Errorf("it redirects to %s, which is not on the web", req.URL.Redacted())}
	case last.URL.Scheme == "https" && req.URL.Scheme == "http":
		return badRedirect{fmt.Errorf("it redirects from https to %s, which is not secure: refused", req.URL.Redacted())}
	case slices.ContainsFunc(via, func(r *http.Request) bool { return r.URL.String() == req.URL.String() }):
		return badRedirect{fmt.Errorf("it redirects in a loop, back to %s", req.URL.Redacted())}
	case len(via) >= 10:
		return badRedirect{errors.New("it redirects more than 10 times")}
	}
	if t, ok := req.Context().Value(trailKey{}).(*trail); ok {
		code := req.Response.StatusCode
		t.temporary = t.temporary || code != http.StatusMovedPermanently && code != http.StatusPermanentRedirect
		if !t.temporary {
			t.moved = req.URL.Redacted()
		}
	}
	return nil
}

// Fetch downloads every file, and returns what came and what went wrong, in the order of the orders.
func (f *Fetcher) Fetch(ctx context.Context, orders []Order) ([]Fetched, []error) {
	got, errs := make([]Fetched, len(orders)), make([]error, len(orders))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	all := make(chan struct{}, max(f.Jobs, 1))
	hosts := map[string]chan struct{}{}
	var wg sync.WaitGroup
	for i, o := range orders {
		host := o.URL
		if u, err := url.Parse(o.URL); err == nil {
			host = u.Host
		}
		if hosts[host] == nil {
			hosts[host] = make(chan struct{}, max(f.PerHost, 1))
		}
		turn := hosts[host]
		wg.Go(func() {
			for _, c := range []chan struct{}{turn, all} { // its server first: a slow one must not hold every place
				select {
				case c <- struct{}{}:
					defer func() { <-c }()
				case <-ctx.Done():
					errs[i] = context.Cause(ctx)
					return
				}
			}
			got[i], errs[i] = f.fetch(ctx, i, o)
			if errors.Is(errs[i], errFull) {
				stop(errOther)
			}
		})
	}
	wg.Wait()
	return got, errs
}

// NotTried says whether a download was stopped only because the disk was full for another.
func NotTried(err error) bool { return errors.Is(err, errOther) }

func (f *Fetcher) tell(o Order, done, total int64, format string, args ...any) {
	if f.Progress == nil {
		return
	}
	note := ""
	if format != "" {
		note = fmt.Sprintf(format, args...)
	}
	f.Progress(Progress{Path: o.Path, Done: done, Total: max(total, 0), Note: note})
}

// A passing error may not come back: the file is asked for again.
type passing struct {
	error
	wait time.Duration // what the server asks for
}

func (p passing) Unwrap() error { return p.error }

// fetch downloads one file, with as many attempts as bring something.
func (f *Fetcher) fetch(ctx context.Context, i int, o Order) (Fetched, error) {
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o755); err != nil {
		return Fetched{}, err
	}
	part := o.Path + ".part"
	best, failures, again := partSize(part), 0, false
	for {
		got, err := f.attempt(ctx, o, part)
		if err == nil {
			err = f.check(o, part, &got)
			var other *ContentError
			if errors.As(err, &other) && got.Resumed > 0 && !again {
				// The file may have changed between two attempts without the server saying so.
				again = true
				f.tell(o, 0, 0, "what was resumed does not fit: starting again")
				drop(part)
				continue
			}
			if err != nil {
				if errors.As(err, &other) {
					drop(part)
				}
				return Fetched{}, err
			}
			return got, f.install(i, o, part, &got)
		}
		if ctx.Err() != nil {
			return Fetched{}, context.Cause(ctx)
		}
		var p passing
		if !errors.As(err, &p) {
			if DiskFull(err) {
				err = fmt.Errorf("%s: %w: make room, then fetch again; the %s already there are kept", part, errFull, Bytes(partSize(part)))
			}
			return Fetched{}, err
		}
		if now := partSize(part); now > best {
			best, failures = now, 0
		}
		failures++
		if failures > f.Retries {
			err := fmt.Errorf("%s: given up after %d attempts: %w", redacted(o.URL), failures, p.error)
			if n := partSize(part); n > 0 {
				err = fmt.Errorf("%w; the next fetch goes on from %s", err, Bytes(n))
			}
			return Fetched{}, err
		}
		wait := f.Backoff << (failures - 1)
		wait += time.Duration(rand.Int64N(int64(wait)/4 + 1)) // not all at the same instant
		if p.wait > f.MaxWait {
			return Fetched{}, fmt.Errorf("%s: %w; the server asks to wait %s: fetch again later", redacted(o.URL), p.error, p.wait.Round(time.Second))
		}
		wait = max(wait, p.wait)
		f.tell(o, partSize(part), 0, "%v: again in %s", p.error, wait.Round(10*time.Millisecond))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Fetched{}, context.Cause(ctx)
		}
	}
}

// A partState says what the .part beside it is the beginning of.
type partState struct {
	URL      string `json:"url"`
	Final    string `json:"final"`
	Moved    string `json:"moved,omitempty"`
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"last_modified,omitempty"`
	Total    int64  `json:"total"` // -1 when the server does not say
	Encoded  bool   `json:"encoded,omitempty"`
}

// validator is what the server can compare to say that the file is still the same: a strong ETag, or the date.
func (s partState) validator() string {
	if s.ETag != "" && !strings.HasPrefix(s.ETag, "W/") {
		return s.ETag
	}
	return s.Modified
}

func readState(part string) partState {
	var s partState
	b, err := os.ReadFile(part + ".json")
	if err != nil || json.Unmarshal(b, &s) != nil {
		return partState{} // without it the beginning is of an unknown file
	}
	return s
}

func writeState(part string, s partState) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(part+".json.new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(part+".json.new", part+".json")
}

func partSize(part string) int64 {
	fi, err := os.Stat(part)
	if err != nil {
		return 0
	}
	return fi.Size()
}

func drop(part string) {
	os.Remove(part)
	os.Remove(part + ".json")
	os.Remove(part + ".json.new")
}

// attempt asks for the file, or for what is missing of it, and writes what comes after what is there.
func (f *Fetcher) attempt(ctx context.Context, o Order, part string) (Fetched, error) {
	state, have := readState(part), partSize(part)
	if state.URL != o.URL || state.Encoded || state.validator() == "" && o.SHA256 == "" || state.Total >= 0 && have > state.Total {
		have = 0 // nothing says that it is the beginning of this file
	}
	if have > 0 && have == state.Total { // whole, but killed before it took its name
		return Fetched{Final: state.Final, Moved: state.Moved, ETag: state.ETag, Modified: state.Modified, Resumed: have}, nil
	}

	stalled := fmt.Errorf("nothing came for %s", f.Stall)
	tr := &trail{}
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, trailKey{}, tr))
	defer cancel(nil)
	watch := time.AfterFunc(f.Stall, func() { cancel(stalled) })
	defer watch.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.URL, nil)
	if err != nil {
		return Fetched{}, err
	}
	req.Header.Set("User-Agent", f.Agent)
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if v := state.validator(); v != "" {
			req.Header.Set("If-Range", v)
		}
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		if errors.Is(context.Cause(ctx), stalled) {
			return Fetched{}, passing{error: stalled}
		}
		return Fetched{}, f.refusal(o, err)
	}
	defer resp.Body.Close()
	watch.Reset(f.Stall)

	next := partState{URL: o.URL, Final: resp.Request.URL.Redacted(), Moved: tr.moved,
		ETag: resp.Header.Get("ETag"), Modified: resp.Header.Get("Last-Modified"), Total: resp.ContentLength}
	switch resp.StatusCode {
	case http.StatusOK: // the whole of it: the server has no ranges, or the file has changed
		if have > 0 {
			f.tell(o, 0, 0, "the server does not go on from %s: starting again", Bytes(have))
			have = 0
		}
	case http.StatusPartialContent:
		from, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || from != have || state.ETag != "" && next.ETag != "" && state.ETag != next.ETag ||
			state.Modified != "" && next.Modified != "" && state.Modified != next.Modified ||
			state.Total >= 0 && total >= 0 && total != state.Total {
			drop(part)
			return Fetched{}, passing{error: errors.New("the file has changed on the server since the download began: starting again")}
		}
		next.Total = total
		next.ETag, next.Modified = cmp.Or(next.ETag, state.ETag), cmp.Or(next.Modified, state.Modified)
		f.tell(o, have, total, "going on from %s", Bytes(have))
	case http.StatusRequestedRangeNotSatisfiable:
		drop(part)
		return Fetched{}, passing{error: errors.New("the server has less than an earlier attempt brought: starting again")}
	default:
		return Fetched{}, answered(o, resp)
	}

	body, raw, err := f.decoded(o, resp, &next)
	if err != nil {
		return Fetched{}, err
	}
	if o.Size > 0 && next.Total >= 0 && next.Total != o.Size {
		return Fetched{}, notTheFile("%s: the server announces %d bytes, %s says %d: %s", redacted(o.URL), next.Total, o.Says, o.Size, o.Remedy)
	}
	in := bufio.NewReaderSize(body, 256<<10)
	if have == 0 {
		head, err := in.Peek(1024)
		watch.Reset(f.Stall)
		if err != nil && !errors.Is(err, io.EOF) {
			return Fetched{}, f.broken(ctx, stalled, err)
		}
		if len(head) == 0 {
			return Fetched{}, notTheFile("%s: the answer is empty: %s", redacted(o.URL), lookAt(o))
		}
		if err := notData(o, head); err != nil {
			return Fetched{}, err
		}
	}
	if err := writeState(part, next); err != nil {
		return Fetched{}, err
	}
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return Fetched{}, err
	}
	defer out.Close()
	if fi, err := out.Stat(); err != nil {
		return Fetched{}, err
	} else if fi.Size() > have {
		if err := out.Truncate(have); err != nil {
			return Fetched{}, err
		}
	}
	if _, err := out.Seek(have, io.SeekStart); err != nil {
		return Fetched{}, err
	}

	done, buf := have, make([]byte, 256<<10)
	for {
		n, err := in.Read(buf)
		watch.Reset(f.Stall)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return Fetched{}, err
			}
			done += int64(n)
			f.tell(o, done, next.Total, "")
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return Fetched{}, f.broken(ctx, stalled, err)
		}
	}
	if next.Total >= 0 && done != next.Total || raw != nil && resp.ContentLength >= 0 && raw.n != resp.ContentLength {
		return Fetched{}, passing{error: fmt.Errorf("the answer ends at %d bytes of %d", done, next.Total)}
	}
	if next.Total < 0 && resp.ContentLength < 0 && !slices.Contains(resp.TransferEncoding, "chunked") && resp.ProtoMajor < 2 {
		f.tell(o, done, done, "the server does not say how long the file is, and a cut would not show: see that its end is there")
	}
	if err := out.Sync(); err != nil {
		return Fetched{}, err
	}
	return Fetched{Final: next.Final, Moved: next.Moved, ETag: next.ETag, Modified: next.Modified, Resumed: have}, out.Close()
}

// broken words an answer that stopped in the middle.
func (f *Fetcher) broken(ctx context.Context, stalled, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, stalled):
		err = stalled
	case cause != nil:
		return cause
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the connection was cut")
	case errors.Is(err, syscall.ECONNRESET):
		err = errors.New("the connection was reset")
	}
	return passing{error: err}
}

type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// decoded undoes the Content-Encoding of a server that compresses whatever it is asked; such an answer cannot be
// resumed. A .gz that is published as such is often labelled so by mistake, and is left as it is.
func (f *Fetcher) decoded(o Order, resp *http.Response, state *partState) (io.Reader, *counted, error) {
	switch encoding := strings.ToLower(resp.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return resp.Body, nil, nil
	case "gzip", "x-gzip":
		if ext := strings.ToLower(filepath.Ext(o.Path)); ext == ".gz" || ext == ".tgz" {
			return resp.Body, nil, nil
		}
		if resp.StatusCode == http.StatusPartialContent {
			drop(o.Path + ".part")
			return nil, nil, passing{error: errors.New("the server compresses what it resumes: starting again")}
		}
		raw := &counted{r: resp.Body}
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, nil, passing{error: fmt.Errorf("the answer is said to be gzip and is not: %w", err)}
		}
		state.Total, state.Encoded = -1, true
		return z, raw, nil
	default:
		return nil, nil, notTheFile("%s: the answer is encoded as %q, which was not asked for: download it with a browser", redacted(o.URL), encoding)
	}
}

// contentRange reads "bytes 10-99/100"; the total is -1 where it is "*".
func contentRange(s string) (from, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, size, ok2 := strings.Cut(s, "/")
	first, _, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if size == "*" {
		return from, -1, true
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return from, total, err == nil
}

// refusal words a request that got no answer, and says whether to ask again.
func (f *Fetcher) refusal(o Order, err error) error {
	var redirect badRedirect
	var cert *tls.CertificateVerificationError
	var dns *net.DNSError
	var ue *url.Error
	inner := err
	if errors.As(err, &ue) { // it repeats the address
		inner = ue.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &redirect):
		return fmt.Errorf("%s: %w; %s", redacted(o.URL), redirect.error, lookAt(o))
	case errors.As(err, &cert):
		return fmt.Errorf("%s: its certificate cannot be trusted (%w): if your network inspects TLS, give its certificate with --ca FILE.pem",
			redacted(o.URL), cert.Err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("%s: no such server: %q: check the address, or whether a proxy is needed (--proxy)", redacted(o.URL), dns.Name)
	case strings.Contains(err.Error(), "Proxy Authentication Required"):
		return fmt.Errorf("%s: the proxy wants a name and a password: --proxy http://NAME:PASSWORD@HOST:PORT, or HTTPS_PROXY", redacted(o.URL))
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return passing{error: errors.New("the connection was reset")}
	}
	return passing{error: inner}
}

// answered words a status that is not the file, and says whether to ask again.
func answered(o Order, resp *http.Response) error {
	status := fmt.Errorf("the server answers %s", strings.TrimSpace(resp.Status))
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return passing{status, retryAfter(resp.Header.Get("Retry-After"))}
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%s: %w: the file is no longer there: %s", redacted(o.URL), status, lookAt(o))
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("%s: %w: the proxy wants a name and a password: --proxy http://NAME:PASSWORD@HOST:PORT", redacted(o.URL), status)
	}
	return fmt.Errorf("%s: %w: %s", redacted(o.URL), status, lookAt(o))
}

func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

// lookAt is the remedy when an address does not give the file.
func lookAt(o Order) string {
	where := "the producer's site"
	if o.Page != "" {
		where = o.Page
	}
	return fmt.Sprintf("look for it at %s and put it in place as %s", where, o.Path)
}

// notData refuses what is plainly not a data file: a page in its place, an archive that is none.
func notData(o Order, head []byte) error {
	ext := strings.ToLower(filepath.Ext(o.Path))
	if ext != ".html" && ext != ".htm" && isHTML(head) {
		return notTheFile("%s: the answer is a web page, not the file: %s", redacted(o.URL), lookAt(o))
	}
	if begin := string(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")); (ext == ".csv" || ext == ".tsv" || ext == ".txt") &&
		(strings.HasPrefix(begin, "{") || strings.HasPrefix(begin, "<?xml")) {
		return notTheFile("%s: the answer is a message, not a table: it begins with %q: %s", redacted(o.URL), begin[:min(len(begin), 40)], lookAt(o))
	}
	magic := map[string]string{".zip": "PK", ".xlsx": "PK", ".ods": "PK", ".7z": "7z\xbc\xaf\x27\x1c", ".gz": "\x1f\x8b",
		".gpkg": "SQLite format 3", ".parquet": "PAR1"}[ext]
	if magic != "" && !bytes.HasPrefix(head, []byte(magic)) {
		return notTheFile("%s: the answer is not a %s file: it begins with %q: %s", redacted(o.URL), ext, string(head[:min(len(head), 40)]), lookAt(o))
	}
	return nil
}

func isHTML(head []byte) bool {
	text := strings.ToLower(string(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")))
	for _, begin := range []string{"<!doctype html", "<html", "<head", "<body"} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return (strings.HasPrefix(text, "<?xml") || strings.HasPrefix(text, "<!--")) && strings.Contains(text, "<html")
}

// check compares a whole download with what is known of the file.
func (f *Fetcher) check(o Order, part string, got *Fetched) error {
	var err error
	if got.SHA256, got.Size, err = FileSHA256(part); err != nil {
		return err
	}
	switch {
	case o.Size > 0 && got.Size != o.Size:
		return notTheFile("%s: %d bytes came, %s says %d: %s", redacted(o.URL), got.Size, o.Says, o.Size, o.Remedy)
	case o.SHA256 != "" && got.SHA256 != o.SHA256:
		return notTheFile("%s: the sha256 of what came is %s, %s says %s: %s", redacted(o.URL), got.SHA256, o.Says, o.SHA256, o.Remedy)
	case o.SHA256 == "" && slices.Contains([]string{".zip", ".xlsx", ".ods"}, strings.ToLower(filepath.Ext(o.Path))):
		z, err := zip.OpenReader(part)
		if err != nil { // its table of contents is at the end
			return notTheFile("%s: the archive is cut short or damaged (%w): fetch again, or %s", redacted(o.URL), err, lookAt(o))
		}
		return z.Close()
	}
	return nil
}

// install gives a whole file its name, unless somebody else's file has it.
func (f *Fetcher) install(i int, o Order, part string, got *Fetched) error {
	there, _, err := FileSHA256(o.Path)
	absent := errors.Is(err, fs.ErrNotExist)
	switch {
	case absent:
	case err != nil:
		return err
	case there != got.SHA256 && there != o.Replaces:
		drop(part)
		return notTheFile("%s: the file there is not the one at %s and is left as it is: move it away, then fetch again", o.Path, redacted(o.URL))
	}
	got.Same = there == got.SHA256
	if f.Keep != nil {
		if err := f.Keep(i, *got); err != nil {
			return err
		}
	}
	if got.Same {
		drop(part)
		return nil
	}
	// A link does not replace a file that appears in between; some shares have none.
	if !absent || os.Link(part, o.Path) != nil {
		if absent {
			if _, err := os.Lstat(o.Path); err == nil {
				return notTheFile("%s: another program has just put a file there: fetch again", o.Path)
			}
		}
		if err := os.Rename(part, o.Path); err != nil {
			return fmt.Errorf("%s cannot be replaced: close it where it is open, such as in Excel: %w", o.Path, err)
		}
	}
	drop(part)
	return nil
}

// FileSHA256 is the digest of a file, and its size in bytes.
func FileSHA256(path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// Bytes words a size for a person: 512 B, 12.3 MB.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
