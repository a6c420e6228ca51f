package tiles

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

// Options say how a server presents itself, and what it allows.
type Options struct {
	Title      string // of the landing page; the edition's own by default
	BaseURL    string // public address, such as "https://donnees.exemple.fr": from the request by default
	Version    string // of the program: part of what an ETag stands for
	CacheBytes int    // memory for the answers kept ready; 64 MiB by default
	Logger     *slog.Logger
	Access     *slog.Logger // where requests are logged; nil: nowhere

	Tokens         []Token
	Ends           map[string]string // conventions → the last day, AAAA-MM-JJ, that tokens show what came under them
	FrameAncestors []string          // sites that may show the pages in a frame, as a content security policy writes them
	Origins        []string          // sites whose scripts may read the answers; all by default
	Proxies        []netip.Prefix    // whose word on the client's address and scheme is taken
	Rate           int               // requests a minute from one address; 0: as many as they like
	LostAfter      time.Duration     // not ready once the store has been lost for so long; 0: ready as long as there is an edition
	Editions       Editions          // where /editions/diff reads the editions it compares; nil: it compares none
	OwnMetrics     bool              // /metrics is served elsewhere, by [Server.Metrics]
	Viewer         fs.FS             // the interactive map, at "/"; nil: the page drawn by the server is there too
	Background     *Background       // beneath the interactive map; nil: nothing
}

// A Server answers from the last snapshot it was given.
type Server struct {
	o            Options
	current      atomic.Pointer[served]
	previous     atomic.Pointer[served] // for [linger] after a swap
	desk         chan struct{}          // places for those who ask for a workbook, which takes seconds and memory to make
	work         chan struct{}          // places for those who ask for what is not ready
	metrics      *metrics
	limiter      *httprate.RateLimiter // nil: none
	closedPolicy []string
	vary         []string

	operations []*operation
	viewer     *viewer

	lostAt   atomic.Int64 // Unix nanoseconds of when the store stopped answering; 0 while it answers
	draining atomic.Bool
}

// Workbooks made at once, and how long one more waits for its turn.
const (
	workbookPlaces = 2
	workbookWait   = 20 * time.Second
)

// turn waits for a place to make a workbook; done gives it back.
func (s *Server) turn(r *http.Request) (done func(), err error) {
	wait, cancel := context.WithTimeout(r.Context(), workbookWait)
	defer cancel()
	select {
	case s.desk <- struct{}{}:
		return func() { <-s.desk }, nil
	case <-wait.Done():
		return nil, &problem{Status: http.StatusServiceUnavailable, Detail: "Trop de classeurs sont demandés à la fois. Réessayez dans une minute, ou demandez le CSV."}
	}
}

// A published snapshot and the answers made from it.
type published struct {
	*Snapshot
	answers *cache
	seed    []byte // what the ETags depend on besides the address
}

// served is an edition as everybody sees it, and as the bearers of tokens do.
type served struct {
	open *published
	mark string // of what is drawn from it, in the addresses that never change: its id, and a digest of the program

	conventions []string            // that it holds and some token shows
	whole       *indicators.Edition // with what they brought; nil when there are none
	mu          sync.Mutex
	views       map[string]*view // by the conventions seen, once asked for
}

// A view is an edition with what partners gave under some conventions.
type view struct {
	once sync.Once
	p    atomic.Pointer[published]
	err  error
}

// seen names a list of conventions, whatever their order.
func seen(conventions []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(conventions))), "\x00")
}

// linger is how long the addresses of an edition still answer once another has taken its place: a map opened a moment
// before goes on drawing.
const linger = 2 * time.Minute

// NewServer makes a server that has nothing to show until [Server.Publish].
func NewServer(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	s := &Server{o: o, desk: make(chan struct{}, workbookPlaces), work: make(chan struct{}, workPlaces*runtime.GOMAXPROCS(0)), vary: []string{"Accept-Encoding"}}
	if len(o.Tokens) > 0 {
		s.vary[0] += ", Authorization"
	}
	s.closedPolicy = []string{s.policy(closedPolicy)}
	s.viewer = newViewer(o.Viewer, o.Background)
	s.limiter = s.newLimiter()
	s.operations = s.list()
	s.metrics = newMetrics(s)
	return s
}

// Publish serves an edition in place of the one served, at once for every request to come. version is the store's. What
// partners gave is kept only as far as some token shows it.
func (s *Server) Publish(e *indicators.Edition, version string) error {
	open, err := NewSnapshot(e, version)
	if err != nil {
		return err
	}
	next := s.newServed(open)
	conventions := e.Conventions()
	for _, t := range s.o.Tokens {
		for _, id := range t.Sees {
			if slices.Contains(conventions, id) && !slices.Contains(next.conventions, id) {
				next.conventions, next.whole = append(next.conventions, id), e
			}
		}
	}
	if next.whole != nil { // a quarter of the memory is for the views
		next.open.answers = newCache(s.o.CacheBytes - s.o.CacheBytes/4)
	}
	s.swap(next)
	return nil
}

// Swap puts a snapshot in place of the one served; nil takes it away, and whatever was served before it.
func (s *Server) Swap(snap *Snapshot) {
	if snap == nil {
		s.metrics.edition.Reset()
		s.current.Store(nil)
		s.previous.Store(nil)
		return
	}
	s.swap(s.newServed(snap))
}

func (s *Server) newServed(snap *Snapshot) *served {
	program := sha256.Sum256([]byte(s.o.Version))
	return &served{open: &published{snap, newCache(s.o.CacheBytes), s.seed(snap, "")}, mark: snap.edition.ID + "." + hex.EncodeToString(program[:4]), views: map[string]*view{}}
}

// seed digests all that an answer depends on besides its address: the edition, what is seen of it, the program, and
// the page's own text, since a browser that keeps a page and is told it has not changed keeps the style that goes with it.
func (s *Server) seed(snap *Snapshot, sees string) []byte {
	sum := sha256.Sum256([]byte(strings.Join([]string{s.o.Version, pageSource, documentSource, pageCSS, portraitSource, portraitCSS, s.viewer.digest, s.o.Title, snap.edition.ID, snap.version, sees}, "\x00")))
	return sum[:]
}

func (s *Server) swap(next *served) {
	s.metrics.edition.Reset()
	s.metrics.edition.WithLabelValues(next.open.edition.ID, s.o.Version).Set(1)
	s.metrics.swaps.Inc()
	old := s.current.Swap(next)
	if old == nil {
		return
	}
	for _, c := range old.caches() { // the memory is for the new one
		c.empty()
	}
	s.previous.Store(old)
	time.AfterFunc(linger, func() { s.previous.CompareAndSwap(old, nil) })
}

// caches are those of the edition and of its views.
func (sv *served) caches() []*cache {
	list := []*cache{sv.open.answers}
	sv.mu.Lock()
	defer sv.mu.Unlock()
	for _, v := range sv.views {
		if p := v.p.Load(); p != nil {
			list = append(list, p.answers)
		}
	}
	return list
}

// Stored tells the server whether the store answered: nil says that it did.
func (s *Server) Stored(err error) {
	if err == nil {
		s.lostAt.Store(0)
	} else {
		s.lostAt.CompareAndSwap(0, time.Now().UnixNano())
	}
}

// lost is for how long the store has not answered.
func (s *Server) lost() time.Duration {
	if at := s.lostAt.Load(); at != 0 {
		return time.Since(time.Unix(0, at))
	}
	return 0
}

// Drain makes /readyz answer that the server is leaving, while it goes on answering everything else.
func (s *Server) Drain() { s.draining.Store(true) }

// Handler is the whole service.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(s.routed, s.guard, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &problem{Status: http.StatusNotFound, Detail: "Aucune ressource à cette adresse. Les adresses disponibles sont listées sur la page d'accueil, « / »."})
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/api/estimation") {
			w.Header().Set("Allow", "POST, OPTIONS")
			s.fail(w, r, &problem{Status: http.StatusMethodNotAllowed, Detail: "Cette adresse attend un périmètre dessiné, en GeoJSON, par la méthode POST."})
			return
		}
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		s.fail(w, r, &problem{Status: http.StatusMethodNotAllowed, Detail: "Seules les méthodes GET et HEAD sont admises : le service ne fait que lire."})
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	r.Get("/readyz", s.handleReady)
	if !s.o.OwnMetrics {
		r.Method("GET", "/metrics", s.Metrics())
	}
	r.Group(func(r chi.Router) {
		r.Use(s.limitRate)
		r.Get("/editions/diff", s.data(&operation{path: "/editions/diff", hidden: true, h: s.handleDiff,
			params: []*parameter{{name: "de", text: "Édition de départ."}, {name: "a", text: "Édition d'arrivée."}, paramF}}))
		r.Get("/editions/liste", s.data(&operation{path: "/editions/liste", hidden: true, h: s.handleComparable}))
		r.Get("/assets/*", s.handleViewerFile)
		s.dataRoutes(r)
		r.Route("/editions/{edition}", s.dataRoutes) // addresses whose answers never change
	})
	return s.observe(r)
}

// list is every address that answers from the edition.
func (s *Server) list() []*operation {
	const json = "application/json"
	drawn := []*parameter{paramFigures, paramMillesime, paramSexe}
	keys := []*parameter{paramIndicateur, paramCouche, paramZone, paramMillesime, paramSexe}
	shown := []*parameter{{name: "indicateur", text: "Indicateur montré."}, paramMillesime, paramSexe, {name: "couche", text: "Couche colorée."}, paramVue}
	items := append([]*parameter{paramBbox, paramBboxCRS, paramCRS, paramDatetime, paramLimitItems, paramOffset, paramCodes, paramNom, paramCommune, paramType}, drawn...)
	list := []*operation{
		{path: "/", id: "getLandingPage", tag: "Service", summary: "Page d'accueil.", types: []string{json}, forms: pageElse, h: s.handleLanding,
			params: shown},
		{path: "/page", hidden: true, params: shown, h: s.handlePage}, // the same without script
		{path: "/conformance", id: "getConformance", tag: "Service", summary: "Classes de conformité aux standards de l'OGC.", types: []string{json}, forms: orPage, h: s.handleConformance},
		{path: "/api", id: "getAPI", tag: "Service", summary: "Ce document.", types: []string{typeOpenAPI}, forms: orPage, h: s.handleAPI},
		{path: "/calibration", hidden: true, params: []*parameter{{name: "indicateur", text: "Indicateur montré."}}, h: s.handleCalibrationPage},
		{path: "/api/editions", id: "getEditions", tag: "Service", summary: "L'édition servie et ses sources.", types: []string{json}, h: s.handleEditions},

		{path: "/collections", id: "getCollections", tag: "Zones", summary: "Couches de zones.", types: []string{json}, forms: orPage, h: s.handleCollections},
		{path: "/collections/{layer}", id: "getCollection", tag: "Zones", summary: "Une couche de zones.", types: []string{json}, forms: orPage, h: s.handleCollection},
		{path: "/collections/{layer}/items", id: "getFeatures", tag: "Zones", summary: "Les zones d'une couche.", types: []string{"application/geo+json"}, forms: orPage, params: items, h: s.handleItems},
		{path: "/collections/{layer}/items/{code}", id: "getFeature", tag: "Zones", summary: "Une zone.", types: []string{"application/geo+json"}, forms: orPage,
			params: append([]*parameter{paramCRS}, drawn...), h: s.handleItem},

		{path: "/tiles/{layers}/{z}/{x}/{y}.mvt", id: "getTile", tag: "Tuiles", summary: "Une tuile d'une ou plusieurs couches.", types: []string{typeTile}, params: drawn, h: s.handleTile},
		{path: "/tiles/style.json", id: "getStyle", tag: "Tuiles", summary: "Un style MapLibre.", types: []string{json}, h: s.handleStyle},
		{path: "/tiles/{layers}.json", id: "getTileJSON", tag: "Tuiles", summary: "TileJSON 3 d'une ou plusieurs couches.", types: []string{json}, params: drawn, h: s.handleTileJSON},
		{path: "/collections/{layer}/tiles", id: "getTileSetsList", tag: "Tuiles", summary: "Jeux de tuiles d'une couche.", types: []string{json}, h: s.handleTilesets},
		{path: "/collections/{layer}/tiles/" + matrixSet, id: "getTileSet", tag: "Tuiles", summary: "Description des tuiles d'une couche.", types: []string{json}, h: s.handleTileset},
		{path: "/collections/{layer}/tiles/" + matrixSet + "/{z}/{y}/{x}", id: "getMatrixTile", tag: "Tuiles", summary: "Une tuile d'une couche.", types: []string{typeTile}, params: drawn, h: s.handleMatrixTile},
		{path: "/tileMatrixSets", id: "getTileMatrixSetsList", tag: "Tuiles", summary: "Grilles de tuiles.", types: []string{json}, h: s.handleMatrixSets},
		{path: "/tileMatrixSets/" + matrixSet, id: "getTileMatrixSet", tag: "Tuiles", summary: "La grille WebMercatorQuad.", types: []string{json}, h: s.handleMatrixSet},

		{path: "/api/estimation", id: "postEstimation", tag: "Chiffres", summary: "Recouvrements et estimations d'un périmètre dessiné.", types: []string{json}, post: true,
			params: []*parameter{paramIndicateur, paramMillesime, paramSexe, paramTampon}, h: s.handleEstimation},
		{path: "/api/zones/{layer}/{code}", id: "getZone", tag: "Chiffres", summary: "Tout d'une zone : ses séries, ses écarts et ses recouvrements.", types: []string{json},
			params: []*parameter{paramIndicateur, paramMillesime, paramSexe, paramMethodes}, h: s.handleZone},
		{path: "/api/portrait/{code}", id: "getPortrait", tag: "Chiffres", summary: "Le portrait d'un quartier : deux pages à imprimer.", types: []string{"text/html"}, h: s.handlePortrait},
		{path: "/api/indicateurs", id: "getIndicateurs", tag: "Chiffres", summary: "Définitions des indicateurs et séries de l'édition.", types: []string{json}, h: s.handleIndicators},
		{path: "/api/visionneuse", id: "getVisionneuse", tag: "Service", summary: "Ce que la carte interactive montre d'abord : couches, quartiers, choix de départ.", types: []string{json}, h: s.handleOverview},
		{path: "/api/carte/{layer}", id: "getCarte", tag: "Chiffres", summary: "Un indicateur sur toute une couche, en colonnes : une par millésime, dans l'ordre des identifiants des tuiles.", types: []string{json},
			params: []*parameter{paramIndicateur, paramSexe}, h: s.handleColumns},
		{path: "/api/equipements", id: "getEquipements", tag: "Chiffres", summary: "Équipements des zones.", types: []string{json}, rows: "equipements",
			params: []*parameter{paramZone, paramCouche, paramTheme, paramLimit, paramOffset}, h: s.handleFacilities},
	}
	// The tables, in each of their formats: JSON alone comes in pages.
	for _, format := range []string{"", ".csv", ".xlsx", ".parquet"} {
		kind, suffix, window := json, "", []*parameter{paramLimit, paramOffset}
		if format != "" {
			kind, suffix, window = map[string]string{".csv": "text/csv", ".xlsx": typeXLSX, ".parquet": typeParquet}[format], strings.ToUpper(format[1:]), nil
		}
		table := func(name, id, summary string, row any, h handler, params ...*parameter) {
			op := &operation{path: "/api/" + name + format, id: id + suffix, tag: "Chiffres", summary: summary, types: []string{kind}, params: slices.Concat(params, window), h: h}
			if format == "" {
				op.rows, op.row = name, row
			}
			list = append(list, op)
		}
		table("series", "getSeries", "Séries : chaque chiffre, son statut, sa méthode et sa fiabilité.", indicators.SeriesRow{}, s.handleSeries(format), append(slices.Clip(keys), paramMethodes)...)
		table("ecarts", "getEcarts", "Écarts aux territoires de référence.", ecartRow{}, s.handleEcarts(format), append(slices.Clip(keys), paramReference)...)
		table("calibration", "getCalibration", "Écarts des méthodes aux valeurs des producteurs.", indicators.CalibrationRow{}, s.handleCalibration(format), paramIndicateur, paramCouche, paramMillesime, paramSexe)
		table("evolutions", "getEvolutions", "Évolutions d'un millésime à l'autre.", indicators.EvolutionsHeader, handleRows(s, format, "evolutions", SheetEvolutions, indicators.EvolutionsHeader,
			func(e *indicators.Edition) []indicators.Evolution { return e.Evolutions },
			func(x indicators.Evolution) (indicators.Key, string) { return x.Key, x.Code },
			func(o *WorkbookOptions, l []indicators.Evolution) { o.Evolutions = l }), keys...)
		table("rangs", "getRangs", "Rangs des quartiers.", indicators.RangsHeader, handleRows(s, format, "rangs", SheetRangs, indicators.RangsHeader,
			func(e *indicators.Edition) []indicators.Rang { return e.Rangs },
			func(x indicators.Rang) (indicators.Key, string) { return x.Key, x.Code },
			func(o *WorkbookOptions, l []indicators.Rang) { o.Rangs = l }), keys...)
		table("femmes-hommes", "getFemmesHommes", "Écarts entre femmes et hommes.", indicators.FemmesHommesHeader, handleRows(s, format, "femmes-hommes", SheetSexes, indicators.FemmesHommesHeader,
			func(e *indicators.Edition) []indicators.EcartSexe { return e.EcartsSexe },
			func(x indicators.EcartSexe) (indicators.Key, string) { return x.Key, x.Code },
			func(o *WorkbookOptions, l []indicators.EcartSexe) { o.EcartsSexe = l }), keys...)
		table("concentration", "getConcentration", "Concentration dans les quartiers.", indicators.ConcentrationHeader, handleRows(s, format, "concentration", SheetConcentration, indicators.ConcentrationHeader,
			func(e *indicators.Edition) []indicators.Concentration { return e.Concentrations },
			func(x indicators.Concentration) (indicators.Key, string) { return x.Key, x.ReferenceCode },
			func(o *WorkbookOptions, l []indicators.Concentration) { o.Concentrations = l }), keys...)
		table("recouvrements", "getRecouvrements", "Recouvrements entre couches, avec les parts dans les deux sens.", shareRow{}, s.handleOverlaps(format), paramDe, paramVers)
	}
	for _, op := range list {
		if op.forms != plain {
			op.params = append(slices.Clip(op.params), paramF)
		}
	}
	return list
}

// dataRoutes are the addresses of the edition served, or of the one named before them.
func (s *Server) dataRoutes(r chi.Router) {
	for _, op := range s.operations {
		if op.post {
			r.Post(op.path, s.post(op))
		} else {
			r.Get(op.path, s.data(op))
		}
	}
}

// handleReady answers whoever shares the requests out between servers.
func (s *Server) handleReady(w http.ResponseWriter, _ *http.Request) {
	sv := s.current.Load()
	switch lost := s.lost(); {
	case s.draining.Load():
		text(w, http.StatusServiceUnavailable, "arrêt en cours\n")
	case sv == nil:
		text(w, http.StatusServiceUnavailable, "aucune édition publiée\n")
	case s.o.LostAfter > 0 && lost > s.o.LostAfter:
		text(w, http.StatusServiceUnavailable, fmt.Sprintf("base de données injoignable depuis %s : l'édition %s est peut-être dépassée\n", lost.Round(time.Second), sv.open.edition.ID))
	default:
		text(w, http.StatusOK, "édition "+sv.open.edition.ID+"\n")
	}
}

// guard sets what every answer has, answers OPTIONS, refuses what is too large, and turns a panic into a 500.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		s.share(h, r)
		s.secure(h)
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { // the server's own way to cut an answer short
				panic(v)
			}
			s.o.Logger.Error("panic", "id", h.Get("X-Request-Id"), "path", r.URL.Path, "cause", fmt.Sprint(v), "stack", string(debug.Stack()))
			s.fail(w, r, &problem{Status: http.StatusInternalServerError, Detail: "Erreur interne. Elle est consignée dans le journal du serveur."})
		}()
		if len(r.RequestURI) > maxURI {
			s.fail(w, r, &problem{Status: http.StatusRequestURITooLong, Detail: fmt.Sprintf("L'adresse dépasse %d octets : demander moins de valeurs à la fois.", maxURI)})
			return
		}
		if r.Method == http.MethodOptions {
			h.Set("Allow", "GET, HEAD, POST, OPTIONS")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, If-None-Match, X-Request-Id")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if r.ContentLength != 0 {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		next.ServeHTTP(w, r)
	})
}

// A handler answers from the snapshot in place when the request came, or returns an error to show. Its query holds the
// parameters of its [operation], checked. What it answers depends on the address, the form asked for ("f", for those
// that have several) and the snapshot: it is kept for whoever asks the same.
type handler func(w http.ResponseWriter, r *http.Request, p *published, q query) error

// edition finds the edition that an address names, the one served when it names none. fixed says that what the address
// answers will never change: it names the edition, and no other program than this one.
func (s *Server) edition(name string) (sv *served, fixed bool) {
	sv = s.current.Load()
	if name == "" || sv == nil {
		return sv, false
	}
	for _, sv := range []*served{sv, s.previous.Load()} {
		if sv != nil && (name == sv.mark || name == sv.open.edition.ID) {
			return sv, true
		}
		if id, _, ok := strings.Cut(name, "."); ok && sv != nil && id == sv.open.edition.ID {
			return sv, false
		}
	}
	return nil, false
}

// data wraps a handler: 503 while nothing is published, 304 when the client already has the answer, and the answer
// that is ready when there is one.
func (s *Server) data(op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		if v := header["Vary"]; v == nil {
			header["Vary"] = s.vary
		} else { // Origin, where scripts of some sites only may read
			header["Vary"] = []string{v[0] + ", " + s.vary[0]}
		}
		name := chi.URLParam(r, "edition")
		sv, fixed := s.edition(name)
		if sv == nil {
			if now := s.current.Load(); now != nil {
				s.fail(w, r, notFound("L'édition « %s » n'est pas servie ici. L'édition en cours est « %s » : ses adresses sont les mêmes, sans « /editions/… ».", name, now.open.edition.ID))
				return
			}
			header.Set("Retry-After", "60")
			s.fail(w, r, &problem{Status: http.StatusServiceUnavailable, Detail: "Aucune édition n'est encore publiée. Une fois la chaîne exécutée et l'édition publiée, cette adresse répondra."})
			return
		}
		p, who, err := s.view(sv, r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if who != nil {
			if w, ok := w.(*watched); ok {
				w.token = who
			}
		}
		choice := "" // of the form, where it is the header's
		if op.forms != plain {
			header["Vary"] = []string{header["Vary"][0] + ", Accept"}
			if !strings.Contains(r.URL.RawQuery, "f=") || !r.URL.Query().Has("f") {
				choice = op.forms.negotiate(r.Header.Get("Accept"))
			}
		}
		key := p.key(s.base(r), op.forms, choice, r.RequestURI)
		t := new(tag)
		t.set(header, key)
		switch {
		case who != nil:
			header["Cache-Control"] = privately
		case fixed:
			header["Cache-Control"] = forever
		default:
			header["Cache-Control"] = revalidated
		}
		if held, ok := t.heldBy(r); ok {
			header["Etag"] = []string{held}
			for _, name := range pageless { // the browser has them with what it kept
				delete(header, name)
			}
			w.WriteHeader(http.StatusNotModified)
			return
		}
		star := strings.TrimSpace(r.Header.Get("If-None-Match")) == "*" // not modified if there is anything at this address: to be seen
		a := p.answers.get(key)
		if a == nil {
			if a, err = s.answer(w, r, op, choice, p, key, star, name); err != nil {
				s.fail(w, r, err)
				return
			}
			if a == nil { // on its way already
				return
			}
		}
		if star {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		p.deliver(w, r, a, key, t)
	}
}

// key digests all that an answer depends on: the edition and what is seen of it, the public address, the form chosen for
// those that have several, and the address asked for.
func (p *published) key(base string, forms form, choice, uri string) cacheKey {
	var room [256]byte
	b := append(append(append(room[:0], p.seed...), base...), 0)
	if forms != plain {
		b = append(append(b, 'f'), choice...)
	}
	sum := sha256.Sum256(append(append(b, 0), uri...))
	return cacheKey(sum[:16])
}

// A tag is the ETag of an answer, and its place among the headers.
type tag struct {
	digits [34]byte  // between quotes
	values [2]string // of ETag and Content-Length: one allocation for both
}

// set writes the ETag of a key.
func (t *tag) set(header http.Header, key cacheKey) {
	t.write(key)
	header["Etag"] = t.values[0:1:1]
}

func (t *tag) write(key cacheKey) {
	t.digits[0], t.digits[33] = '"', '"'
	hex.Encode(t.digits[1:33], key[:])
	t.values[0] = string(t.digits[:])
}

// heldBy says whether the client has the answer already, and under which tag.
func (t *tag) heldBy(r *http.Request) (string, bool) {
	v := r.Header["If-None-Match"]
	if len(v) == 0 || v[0] == "" {
		return "", false
	}
	if v[0] == t.values[0] { // the ordinary case
		return v[0], true
	}
	return heldTag(v[0], t.values[0][1:33])
}

// deliver sends an answer that is ready.
func (p *published) deliver(w http.ResponseWriter, r *http.Request, a *answer, key cacheKey, t *tag) {
	header := w.Header()
	body, c, made := a.in(accepted(r.Header.Get("Accept-Encoding")))
	if made {
		p.answers.put(key, a)
	}
	for name, v := range a.header {
		header[name] = v
	}
	if c != identity {
		header["Content-Encoding"] = encodingNames[c : c+1 : c+1]
		t.values[0] = string(t.digits[:33]) + c.tagSuffix() + `"`
	}
	if a.status != http.StatusNoContent {
		t.values[1] = strconv.Itoa(len(body))
		header["Content-Length"] = t.values[1:2:2]
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client is gone when this fails
}

// quick answers what is ready for anybody, before the address is even looked up among the routes: most of what a map asks
// for. False: it is for the routes to answer.
func (s *Server) quick(w *watched, r *http.Request) bool {
	if r.Method != http.MethodGet || r.ContentLength != 0 || len(r.RequestURI) > maxURI || r.URL.RawPath != "" || len(s.o.Tokens) > 0 && r.Header["Authorization"] != nil {
		return false
	}
	name, root := "", s.root(r)
	if rest, ok := strings.CutPrefix(r.URL.Path, "/editions/"); ok {
		if name, _, ok = strings.Cut(rest, "/"); !ok || name == "" {
			return false
		}
		root += "/editions/" + url.PathEscape(name)
	}
	sv, fixed := s.edition(name)
	if sv == nil {
		return false
	}
	p := sv.open
	key := p.key(root, plain, "", r.RequestURI)
	a := p.answers.ready(key)
	if a == nil {
		return false
	}
	w.op, w.named = a.op, name != ""
	header := w.Header()
	t := &w.tag
	t.write(key)
	held, has := t.heldBy(r)
	if !has && r.Header["If-None-Match"] != nil && strings.TrimSpace(r.Header.Get("If-None-Match")) == "*" {
		held, has = t.values[0], true
	}
	if s.limiter != nil && s.limiter.RespondOnLimit(w, r, httprate.CanonicalizeIP(s.client(r))) {
		return true
	}
	if !has || len(s.o.Origins) > 0 || r.Header["Origin"] != nil {
		s.share(header, r)
	}
	if v := header["Vary"]; v == nil {
		header["Vary"] = s.vary
	} else {
		header["Vary"] = []string{v[0] + ", " + s.vary[0]}
	}
	header["Cache-Control"] = revalidated
	if fixed {
		header["Cache-Control"] = forever
	}
	header["Etag"] = t.values[0:1:1]
	if has { // with what the browser keeps are the headers that do not change
		t.values[0] = held
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	header["X-Request-Id"] = w.id[:]
	s.secure(header)
	p.deliver(w, r, a, key, t)
	return true
}

// pageless are the headers that a 304 leaves as the browser has them.
var pageless = []string{"Content-Security-Policy", "X-Content-Type-Options", "Access-Control-Expose-Headers"}

// Values of Cache-Control. What a token shows is never in a cache that others share, and is asked for again each time.
var (
	revalidated = []string{"public, max-age=60, must-revalidate"}
	forever     = []string{"public, max-age=31536000, immutable"}
	privately   = []string{"private, no-cache"}
)

// view is the edition as the one who asks may see it, and who that is.
func (s *Server) view(sv *served, r *http.Request) (*published, *Token, error) {
	who, err := s.identify(r)
	if err != nil || who == nil {
		return sv.open, nil, err
	}
	today := time.Now().Format(time.DateOnly)
	var sees []string
	for _, id := range who.Sees {
		if end := s.o.Ends[id]; slices.Contains(sv.conventions, id) && (end == "" || today <= end) {
			sees = append(sees, id)
		}
	}
	if len(sees) == 0 {
		return sv.open, who, nil
	}
	name := seen(sees)
	sv.mu.Lock()
	v := sv.views[name]
	if v == nil {
		v = &view{}
		sv.views[name] = v
	}
	sv.mu.Unlock()
	v.once.Do(func() {
		var snap *Snapshot
		if snap, v.err = sv.open.with(sv.whole, sees); v.err == nil {
			v.p.Store(&published{snap, newCache(s.o.CacheBytes / 4 / len(s.o.Tokens)), s.seed(snap, name)})
		}
	})
	return v.p.Load(), who, v.err
}

// answer makes an answer and keeps it; nil when it was too long to be kept, and is sent.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, op *operation, choice string, p *published, key cacheKey, star bool, edition string) (*answer, error) {
	done, err := s.place(r.Context())
	if err != nil {
		return nil, err
	}
	defer done()
	rec := &recorder{header: http.Header{}, limit: p.answers.largest(), w: w, take: accepted(r.Header.Get("Accept-Encoding"))}
	rec.start = func(status int, header http.Header, c coding) {
		own := w.Header()
		for name, v := range s.public(header) {
			own[name] = v
		}
		if c != identity {
			own.Del("Content-Length")
			own.Set("Content-Encoding", c.String())
			own.Set("ETag", strings.TrimSuffix(own.Get("ETag"), `"`)+c.tagSuffix()+`"`)
		}
		if star {
			own.Del("Content-Length")
			own.Del("Content-Encoding")
			status, rec.out = http.StatusNotModified, io.Discard
		}
		w.WriteHeader(status)
	}
	if edition != "" { // handlers see the address without the edition; their links have it back from [Server.base]
		u := *r.URL
		u.Path = strings.TrimPrefix(u.Path, "/editions/"+edition)
		if u.RawPath != "" {
			_, rest, _ := strings.Cut(strings.TrimPrefix(u.RawPath, "/editions/"), "/")
			u.RawPath = "/" + rest
		}
		r2 := *r
		r2.URL = &u
		r = &r2
	}
	q, err := op.query(r)
	if err != nil {
		return nil, err
	}
	if choice != "" {
		q = q.in(choice)
	}
	if err := op.h(rec, r, p, q); err != nil {
		if rec.out != nil { // too late to say anything else
			s.o.Logger.Error("answer cut short", "path", r.URL.Path, "err", err)
			panic(http.ErrAbortHandler)
		}
		return nil, err
	}
	if rec.out != nil {
		_ = rec.close() // the client is gone when this fails
		return nil, nil
	}
	a := &answer{op: op, status: rec.status, header: s.public(rec.header), raw: slices.Clip(rec.body)}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	p.answers.put(key, a)
	return a, nil
}

// public are a handler's headers as they are sent.
func (s *Server) public(h http.Header) http.Header {
	h.Del("Content-Length") // it depends on the coding
	if h.Get("Content-Security-Policy") != "" {
		s.page(h)
	}
	return h
}

// heldTag finds tag, in any of the encodings it is served in, among those of an If-None-Match header.
func heldTag(header, tag string) (string, bool) {
	for header != "" {
		var t string
		t, header, _ = strings.Cut(header, ",")
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if len(t) < len(tag)+2 || t[0] != '"' || t[1:1+len(tag)] != tag {
			continue
		}
		for c := range codings {
			if t[1+len(tag):len(t)-1] == c.tagSuffix() && t[len(t)-1] == '"' {
				return t, true
			}
		}
	}
	return "", false
}

// root is the public address of the service, without a final slash.
func (s *Server) root(r *http.Request) string {
	if s.o.BaseURL != "" {
		return s.o.BaseURL
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	} else if r.Header.Get("X-Forwarded-Proto") == "https" {
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && s.trusted(host) {
			scheme = "https://"
		}
	}
	return scheme + r.Host
}

// base is the root, or under it the edition where the request is.
func (s *Server) base(r *http.Request) string {
	base := s.root(r)
	if name := chi.URLParam(r, "edition"); name != "" {
		base += "/editions/" + url.PathEscape(name)
	}
	return base
}

// A problem is an error as the client reads it (RFC 9457). Detail is in French.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	Parametre string `json:"parametre,omitempty"` // the parameter at fault
}

func (p *problem) Error() string { return p.Detail }

var problemTitles = map[int]string{
	http.StatusBadRequest:            "Requête invalide",
	http.StatusUnauthorized:          "Jeton refusé",
	http.StatusNotFound:              "Introuvable",
	http.StatusRequestURITooLong:     "Adresse trop longue",
	http.StatusTooManyRequests:       "Trop de requêtes",
	http.StatusRequestEntityTooLarge: "Envoi trop long",
	http.StatusMethodNotAllowed:      "Méthode non admise",
	http.StatusInternalServerError:   "Erreur interne",
	http.StatusServiceUnavailable:    "Service indisponible",
}

func badRequest(parametre, format string, args ...any) error {
	return &problem{Status: http.StatusBadRequest, Parametre: parametre, Detail: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &problem{Status: http.StatusNotFound, Detail: fmt.Sprintf(format, args...)}
}

// fail writes an error: a page where a person looks at one, problem+json elsewhere. The cause of a 500 goes
// to the log alone.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := new(problem)
	if !errors.As(err, &p) {
		s.o.Logger.Error("request failed", "id", w.Header().Get("X-Request-Id"), "path", r.URL.Path, "err", err)
		p = &problem{Status: http.StatusInternalServerError, Detail: "Erreur interne. Elle est consignée dans le journal du serveur."}
	}
	answer := *p
	answer.Type, answer.Title, answer.Instance = "about:blank", problemTitles[p.Status], r.URL.Path
	h := w.Header()
	for _, name := range []string{"ETag", "Content-Disposition", "Content-Encoding", "Content-Length"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="observatoire", error="invalid_token"`)
	case http.StatusServiceUnavailable:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", "5")
		}
	}
	if r.URL.Path == "/" && r.URL.RawQuery != "f=json" && pageElse.negotiate(r.Header.Get("Accept")) == "" {
		h.Set("Content-Security-Policy", pagePolicy)
		s.page(h)
		writeErrorPage(w, s.o.Title, &answer)
		return
	}
	h.Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(p.Status)
	_ = encode(w, answer) // the client is gone when this fails
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(s))
}

func encode(w interface{ Write([]byte) (int, error) }, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeJSON encodes v whole before it sends the first byte.
func writeJSON(w http.ResponseWriter, contentType string, v any) error {
	var buf bytes.Buffer
	if err := encode(&buf, v); err != nil {
		return err
	}
	return send(w, contentType, buf.Bytes())
}

func send(w http.ResponseWriter, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) // the client is gone when this fails
	return nil
}

const (
	typeJSON    = "application/json; charset=utf-8"
	typeGeoJSON = "application/geo+json; charset=utf-8"
	typeTile    = "application/vnd.mapbox-vector-tile"
	typeXLSX    = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// A query is the parameters of a request, as [operation.query] has checked them.
type query map[string]string

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// in is the query for a form that the address does not name.
func (q query) in(f string) query {
	q2 := query{"f": f}
	maps.Copy(q2, q)
	return q2
}

// list is a parameter's values, comma separated; nil when it is absent or empty.
func (q query) list(name string) []string {
	if q[name] == "" {
		return nil
	}
	return strings.Split(q[name], ",")
}

// unknownYear is the word for a year the producer does not say; "inconnu-2019" is that of the file of 2019.
const unknownYear = "inconnu"

// yearParam writes a year as millesime reads it.
func yearParam(y int) string {
	switch {
	case y > 0:
		return strconv.Itoa(y)
	case y < 0:
		return unknownYear + strconv.Itoa(y)
	}
	return unknownYear
}

// millesime reads a year; nil when it is not given, 0 for any that the producer does not say.
func (q query) millesime() (*int, error) {
	s := q["millesime"]
	switch s {
	case "":
		return nil, nil
	case unknownYear:
		return new(int), nil
	}
	edition, unknown := strings.CutPrefix(s, unknownYear+"-")
	y, err := strconv.Atoi(edition)
	if err == nil && unknown && y >= 1900 && y <= 2100 {
		y = -y
		return &y, nil
	}
	if err != nil || y < 1900 || y > 2100 {
		return nil, badRequest("millesime", "Millésime invalide : « %s ». Une année est attendue, par exemple 2019, ou « inconnu ».", s)
	}
	return &y, nil
}

// sexe is F, H or T.
func (q query) sexe(absent string) string {
	return cmp.Or(q["sexe"], absent)
}

// indicateurs reads a list of ids, all of them known.
func (q query) indicateurs(p *published, name string) ([]string, error) {
	ids := q.list(name)
	for i, id := range ids {
		if p.defs[id] == nil {
			return nil, badRequest(name, "Indicateur inconnu : « %s ». La liste est à l'adresse /api/indicateurs.", id)
		}
		if slices.Contains(ids[:i], id) {
			return nil, badRequest(name, "L'indicateur « %s » est demandé deux fois.", id)
		}
	}
	return ids, nil
}

// couches reads a list of layers, or of levels that stand for all their layers.
func (q query) couches(p *published, name string) ([]geo.Layer, error) {
	var found []geo.Layer
	for _, want := range q.list(name) {
		n := len(found)
		for _, l := range p.layers {
			if string(l.set.Layer) == want || l.set.Layer.Level() == want {
				found = append(found, l.set.Layer)
			}
		}
		if len(found) == n {
			return nil, badRequest(name, "Couche inconnue : « %s ». Couches de l'édition : %s.", want, p.layerList())
		}
	}
	return found, nil
}

func (p *published) layerList() string {
	names := make([]string, len(p.layers))
	for i, l := range p.layers {
		names[i] = string(l.set.Layer)
	}
	return strings.Join(names, ", ")
}

// layerNamed finds a layer named in the path.
func (p *published) layerNamed(name string) (*layer, error) {
	if l := p.byName[geo.Layer(name)]; l != nil {
		return l, nil
	}
	return nil, notFound("Couche inconnue : « %s ». Couches de l'édition : %s.", name, p.layerList())
}

// param is a part of the path, unescaped.
func param(r *http.Request, name string) string {
	s := chi.URLParam(r, name)
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// tileLayers reads the layers of a tile's address, comma separated.
func (p *published) tileLayers(r *http.Request) ([]*layer, error) {
	names := strings.Split(cmp.Or(param(r, "layers"), param(r, "layer")), ",") // OGC API – Tiles asks for one
	layers := make([]*layer, 0, len(names))
	for _, name := range names {
		l, err := p.tileLayer(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(layers, l) {
			return nil, badRequest("", "La couche « %s » est demandée deux fois.", name)
		}
		layers = append(layers, l)
	}
	return layers, nil
}

// figures reads what features carry besides their names.
func (p *published) figures(q query) (ids []string, millesime *int, sexe string, err error) {
	if ids, err = q.indicateurs(p, "indicateurs"); err != nil {
		return
	}
	if millesime, err = q.millesime(); err != nil {
		return
	}
	return ids, millesime, q.sexe("T"), nil
}

func (s *Server) handleTile(w http.ResponseWriter, r *http.Request, p *published, params query) error {
	q, err := p.tileRequest(r, params)
	if err != nil {
		return err
	}
	raw, err := p.tile(q)
	if err != nil {
		return fmt.Errorf("tile %s: %w", r.URL.Path, err)
	}
	if len(raw) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return send(w, typeTile, raw)
}

func (p *published) tileRequest(r *http.Request, params query) (q tileRequest, err error) {
	if q.layers, err = p.tileLayers(r); err != nil {
		return q, err
	}
	if q.indicators, q.millesime, q.sexe, err = p.figures(params); err != nil {
		return q, err
	}
	z, err := strconv.ParseUint(chi.URLParam(r, "z"), 10, 8)
	if err != nil || z > maxZoom {
		return q, badRequest("z", "Niveau de zoom invalide : « %s ». Un nombre entier de 0 à %d est attendu.", chi.URLParam(r, "z"), maxZoom)
	}
	last := uint64(1)<<z - 1
	xy := [2]uint64{}
	for i, name := range []string{"x", "y"} {
		if xy[i], err = strconv.ParseUint(chi.URLParam(r, name), 10, 32); err != nil || xy[i] > last {
			return q, badRequest(name, "Tuile hors de la grille : « %s » vaut « %s » ; au zoom %d, un nombre entier de 0 à %d est attendu.", name, chi.URLParam(r, name), z, last)
		}
	}
	q.z, q.x, q.y = uint32(z), uint32(xy[0]), uint32(xy[1])
	return q, nil
}

// A vectorLayer describes one layer of a tile in TileJSON.
type vectorLayer struct {
	ID          string            `json:"id"`
	Description string            `json:"description"`
	MinZoom     int               `json:"minzoom"`
	MaxZoom     int               `json:"maxzoom"`
	Fields      map[string]string `json:"fields"`
}

func (s *Server) handleTileJSON(w http.ResponseWriter, r *http.Request, p *published, params query) error {
	layers, err := p.tileLayers(r)
	if err != nil {
		return err
	}
	q := tileRequest{layers: layers}
	if q.indicators, q.millesime, q.sexe, err = p.figures(params); err != nil {
		return err
	}
	var (
		names, titles []string
		described     = []vectorLayer{}
		bound         orb.Bound
		drawn         int
	)
	for _, l := range layers {
		names, titles = append(names, string(l.set.Layer)), append(titles, l.title())
		fields := map[string]string{"code": "Code de la zone", "nom": "Nom de la zone"}
		maps.Copy(fields, l.fields)
		for _, c := range p.tileColumns(l, q) {
			id := c.Indicateur
			fields[id] = p.defs[id].Label + " (" + p.defs[id].Unit + ")"
			fields[id+"_statut"] = "Statut : " + strings.Join(statutWords(), ", ")
			fields[id+"_fiabilite"] = "Fiabilité : bonne, moyenne, fragile, insuffisante"
			for _, ref := range c.references {
				fields[gapName(id, ref)] = "Écart : " + p.byName[ref].title()
			}
		}
		described = append(described, vectorLayer{string(l.set.Layer), l.title(), 0, maxZoom, fields})
		if l.drawn > 0 {
			if drawn == 0 {
				bound = l.bound
			} else {
				bound = bound.Union(l.bound)
			}
			drawn += l.drawn
		}
	}
	// Under the edition's own address, whose tiles never change: a browser that has one does not ask again.
	base := s.base(r)
	if sv := s.current.Load(); chi.URLParam(r, "edition") == "" && sv != nil && sv.open.edition.ID == p.edition.ID {
		base += "/editions/" + sv.mark
	}
	address := base + "/tiles/" + strings.Join(names, ",") + "/{z}/{x}/{y}.mvt"
	if r.URL.RawQuery != "" {
		address += "?" + r.URL.RawQuery
	}
	doc := map[string]any{
		"tilejson": "3.0.0", "name": strings.Join(titles, " ; "), "description": p.edition.Title,
		"scheme": "xyz", "tiles": []string{address}, "minzoom": 0, "maxzoom": maxZoom,
		"vector_layers": described, "attribution": p.attribution(layers),
	}
	if drawn > 0 {
		c := bound.Center()
		doc["bounds"] = []float64{bound.Min[0], bound.Min[1], bound.Max[0], bound.Max[1]}
		doc["center"] = []float64{round7(c[0]), round7(c[1]), 11}
	}
	return writeJSON(w, typeJSON, doc)
}

func statutWords() []string {
	var words []string
	for st := indicators.Disponible; st <= indicators.SansObjet; st++ {
		words = append(words, st.String())
	}
	return words
}

// title is the layer's French title, or its name.
func (l *layer) title() string {
	if l.set.Title != "" {
		return l.set.Title
	}
	return string(l.set.Layer)
}

// attribution names the producers of contours, and says when they are schematic.
func (s *Snapshot) attribution(layers []*layer) string {
	var parts []string
	add := func(name string) {
		if name != "" && !slices.Contains(parts, name) {
			parts = append(parts, name)
		}
	}
	for _, l := range layers {
		for _, src := range s.edition.Sources {
			if src.ID == l.set.Source {
				if src.Caption != "" {
					add(src.Caption)
				} else {
					add(src.Producer)
				}
			}
		}
	}
	for _, l := range layers {
		if l.set.Schematic {
			add("contours schématiques")
		}
	}
	return strings.Join(parts, " – ")
}

// handleStyle gives a sober MapLibre style: reference zones in grey, quarters outlined.
func (s *Server) handleStyle(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
	type object = map[string]any
	sources := object{}
	drawn := []object{{"id": "fond", "type": "background", "paint": object{"background-color": "#f7f7f5"}}}
	var outlines []object
	for _, l := range p.layers {
		if l.drawn == 0 {
			continue
		}
		name := string(l.set.Layer)
		sources[name] = object{"type": "vector", "url": s.base(r) + "/tiles/" + name + ".json"}
		line := object{"line-color": "#8a94a0", "line-width": 0.6}
		visible := "none" // one vintage of each division is enough at a time
		if p.newest(l) {
			visible = "visible"
		}
		switch level := l.set.Layer.Level(); {
		case isQuarter(level):
			line = object{"line-color": quarterColor(level), "line-width": 2}
			if level != "qpv" {
				line["line-dasharray"] = []float64{2, 1}
			}
		case level == "iris":
			drawn = append(drawn, object{"id": name + "-aplat", "type": "fill", "source": name, "source-layer": name,
				"layout": object{"visibility": visible}, "paint": object{"fill-color": "#dfe7ee", "fill-opacity": 0.6}})
		case level != "commune":
			visible = "none"
		}
		outlines = append(outlines, object{"id": name + "-contour", "type": "line", "source": name, "source-layer": name,
			"layout": object{"visibility": visible}, "paint": line})
	}
	slices.SortStableFunc(outlines, func(a, b object) int { // quarters above the rest
		return quarterRank(a["source"].(string)) - quarterRank(b["source"].(string))
	})
	return writeJSON(w, typeJSON, object{"version": 8, "name": p.edition.Title, "sources": sources, "layers": append(drawn, outlines...)})
}

func quarterRank(name string) int {
	if isQuarter(geo.Layer(name).Level()) {
		return 1
	}
	return 0
}

// newest says whether the layer is the last vintage drawn of its level.
func (s *Snapshot) newest(l *layer) bool {
	for _, o := range s.layers {
		if o.drawn > 0 && o.set.Layer.Level() == l.set.Layer.Level() && o.set.Layer.Vintage() > l.set.Layer.Vintage() {
			return false
		}
	}
	return l.drawn > 0
}

// isQuarter says whether zones of this level are quarters: outlined over the others, rows of the tables.
func isQuarter(level string) bool {
	return level == "qpv" || level == "veille" || level == "quartier_vecu"
}

func quarterColor(level string) string {
	if level == "qpv" {
		return "#c2410c"
	}
	return "#4a1d6b"
}
