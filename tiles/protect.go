package tiles

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/httprate"
)

// A Token lets its bearer see what partners gave under some conventions. The token itself is not kept: only its digest.
type Token struct {
	Name   string
	SHA256 [sha256.Size]byte
	Sees   []string // ids of conventions
}

// identify finds who asks: nil is anybody. A token that is not one of ours is refused, rather than answered with less
// than its bearer expects. Every token is compared, in a time that does not depend on which one it is.
func (s *Server) identify(r *http.Request) (*Token, error) {
	if len(s.o.Tokens) == 0 {
		return nil, nil
	}
	fields := r.Header["Authorization"]
	if len(fields) == 0 {
		return nil, nil
	}
	scheme, given, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") { // a password asked for by the proxy in front is not for us
		return nil, nil
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(given)))
	found := -1
	for i := range s.o.Tokens {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], s.o.Tokens[i].SHA256[:]), i, found)
	}
	if found < 0 || len(fields) > 1 {
		return nil, &problem{Status: http.StatusUnauthorized, Detail: "Le jeton d'accès n'est pas reconnu. Sans jeton, les données ouvertes restent accessibles ; pour un jeton, s'adresser à l'observatoire."}
	}
	return &s.o.Tokens[found], nil
}

// What a request may be.
const (
	maxURI  = 8 << 10 // bytes of an address
	maxBody = 1 << 20 // bytes sent to us
	maxList = 500     // values in one parameter
)

// Answers made at once, by processor, and how long one more waits for its turn. Those kept ready do not count.
const (
	workPlaces = 4
	workWait   = 10 * time.Second
)

// place waits for a turn to make an answer; done gives it back.
func (s *Server) place(ctx context.Context) (done func(), err error) {
	select {
	case s.work <- struct{}{}:
		return func() { <-s.work }, nil
	default:
	}
	wait := time.NewTimer(workWait)
	defer wait.Stop()
	select {
	case s.work <- struct{}{}:
		return func() { <-s.work }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, &problem{Status: http.StatusServiceUnavailable, Detail: "Le serveur est trop sollicité. Réessayez dans quelques secondes."}
	}
}

// newLimiter keeps each address to a number of requests a minute.
func (s *Server) newLimiter() *httprate.RateLimiter {
	if s.o.Rate <= 0 {
		return nil
	}
	return httprate.NewRateLimiter(s.o.Rate, time.Minute,
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}),
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			if x, ok := w.(*watched); ok && h["X-Request-Id"] == nil { // before the routes
				h["X-Request-Id"] = x.id[:]
				s.share(h, r)
			}
			s.secure(h)
			s.fail(w, r, &problem{Status: http.StatusTooManyRequests, Detail: "Trop de requêtes en une minute depuis cette adresse. Réessayez dans une minute ; pour un usage intensif, télécharger les fichiers complets (/api/series.csv)."})
		}))
}

func (s *Server) limitRate(next http.Handler) http.Handler {
	if s.limiter == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.limiter.RespondOnLimit(w, r, httprate.CanonicalizeIP(s.client(r))) {
			next.ServeHTTP(w, r)
		}
	})
}

// trusted says whether the request came through one of the proxies whose word on the client is taken.
func (s *Server) trusted(host string) bool {
	if len(s.o.Proxies) == 0 {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// client is the address the request came from: the last one that no trusted proxy is at.
func (s *Server) client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if !s.trusted(host) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil {
			break
		}
		if host = hop; !s.trusted(host) {
			break
		}
	}
	return host
}

// share sets what lets the scripts of other sites read an answer, and what every answer has.
func (s *Server) share(h http.Header, r *http.Request) {
	if len(s.o.Origins) == 0 {
		h["Access-Control-Allow-Origin"] = anyOrigin
	} else {
		h["Vary"] = append(h["Vary"], "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(s.o.Origins, origin) {
			h["Access-Control-Allow-Origin"] = []string{origin}
		}
	}
	if r.TLS != nil || strings.HasPrefix(s.o.BaseURL, "https://") {
		h["Strict-Transport-Security"] = strictTransport
	}
}

// secure sets what every answer but a 304 has: a browser has it with what it kept.
func (s *Server) secure(h http.Header) {
	h["Access-Control-Expose-Headers"] = exposed
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = s.closedPolicy
}

// Values of headers, made once.
var (
	anyOrigin       = []string{"*"}
	exposed         = []string{"ETag, Link, Content-Crs, Content-Disposition, Retry-After, X-Request-Id"}
	noSniff         = []string{"nosniff"}
	strictTransport = []string{"max-age=31536000"}
)

// page sets what matters to pages alone.
func (s *Server) page(h http.Header) {
	h.Set("Content-Security-Policy", s.policy(h.Get("Content-Security-Policy")))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

const (
	noFrame = "frame-ancestors 'none'"
	// closedPolicy is that of answers that are no page: a browser that shows one runs and loads nothing.
	closedPolicy = "default-src 'none'; " + noFrame + "; base-uri 'none'"
)

// policy is a content security policy that lets the sites named by the administrator show the page in a frame.
func (s *Server) policy(policy string) string {
	if len(s.o.FrameAncestors) == 0 {
		return policy
	}
	return strings.Replace(policy, noFrame, "frame-ancestors "+strings.Join(s.o.FrameAncestors, " "), 1)
}
