package tiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"
	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

// Options say how a server presents itself.
type Options struct {
	Title      string // of the landing page; the edition's own by default
	BaseURL    string // public address, such as "https://donnees.exemple.fr": from the request by default
	Version    string // of the program: part of what an ETag stands for
	CacheBytes int    // memory for drawn tiles; 64 MiB by default
	Logger     *slog.Logger
}

// A Server answers from the last snapshot it was given.
type Server struct {
	o       Options
	current atomic.Pointer[published]
	desk    chan struct{} // places for those who ask for a workbook, which takes seconds and memory to make
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

// A published snapshot and the tiles drawn from it.
type published struct {
	*Snapshot
	tiles *tileCache
	seed  []byte // what the ETags depend on besides the address
}

// NewServer makes a server that has nothing to show until [Server.Swap].
func NewServer(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	return &Server{o: o, desk: make(chan struct{}, workbookPlaces)}
}

// Swap puts a snapshot in place of the one served, at once for every request to come; nil takes it away.
func (s *Server) Swap(snap *Snapshot) {
	if snap == nil {
		s.current.Store(nil)
		return
	}
	// The page's own text too: a browser that keeps a page and is told it has not changed keeps the style that goes with it.
	sum := sha256.Sum256([]byte(s.o.Version + "\x00" + pageSource + "\x00" + pageCSS + "\x00" + s.o.Title + "\x00" + snap.edition.ID + "\x00" + snap.version))
	s.current.Store(&published{Snapshot: snap, tiles: newTileCache(s.o.CacheBytes), seed: sum[:]})
}

// Handler is the whole service.
func (s *Server) Handler() http.Handler {
	compress, err := gzhttp.NewWrapper(gzhttp.SuffixETag("-gzip"), gzhttp.MinSize(1024))
	if err != nil { // the options are constant: never in practice
		compress = func(h http.Handler) http.HandlerFunc { return h.ServeHTTP }
	}
	r := chi.NewRouter()
	r.Use(s.guard, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &problem{Status: http.StatusNotFound, Detail: "Aucune ressource à cette adresse. Les adresses disponibles sont listées sur la page d'accueil, « / »."})
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		s.fail(w, r, &problem{Status: http.StatusMethodNotAllowed, Detail: "Seules les méthodes GET et HEAD sont admises : le service ne fait que lire."})
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if p := s.current.Load(); p != nil {
			text(w, http.StatusOK, "édition "+p.edition.ID+"\n")
			return
		}
		text(w, http.StatusServiceUnavailable, "aucune édition publiée\n")
	})
	r.Get("/tiles/{layers}/{z}/{x}/{y}.mvt", s.data(s.handleTile)) // compressed once, in the cache
	r.Group(func(r chi.Router) {
		r.Use(func(h http.Handler) http.Handler { return compress(h) })
		r.Get("/", s.data(s.handlePage))
		r.Get("/calibration", s.data(s.handleCalibrationPage))
		r.Get("/tiles/style.json", s.data(s.handleStyle))
		r.Get("/tiles/{layers}.json", s.data(s.handleTileJSON))
		r.Get("/collections", s.data(s.handleCollections))
		r.Get("/collections/{layer}", s.data(s.handleCollection))
		r.Get("/collections/{layer}/items", s.data(s.handleItems))
		r.Get("/collections/{layer}/items/{code}", s.data(s.handleItem))
		r.Get("/api/editions", s.data(s.handleEditions))
		r.Get("/api/indicateurs", s.data(s.handleIndicators))
		r.Get("/api/equipements", s.data(s.handleFacilities))
		for _, f := range []string{"", ".csv", ".xlsx"} {
			r.Get("/api/series"+f, s.data(s.handleSeries(f)))
			r.Get("/api/ecarts"+f, s.data(s.handleEcarts(f)))
			r.Get("/api/calibration"+f, s.data(s.handleCalibration(f)))
			r.Get("/api/evolutions"+f, s.data(handleRows(s, f, "evolutions", SheetEvolutions, indicators.EvolutionsHeader,
				func(e *indicators.Edition) []indicators.Evolution { return e.Evolutions },
				func(x indicators.Evolution) (indicators.Key, string) { return x.Key, x.Code },
				func(o *WorkbookOptions, l []indicators.Evolution) { o.Evolutions = l })))
			r.Get("/api/rangs"+f, s.data(handleRows(s, f, "rangs", SheetRangs, indicators.RangsHeader,
				func(e *indicators.Edition) []indicators.Rang { return e.Rangs },
				func(x indicators.Rang) (indicators.Key, string) { return x.Key, x.Code },
				func(o *WorkbookOptions, l []indicators.Rang) { o.Rangs = l })))
			r.Get("/api/femmes-hommes"+f, s.data(handleRows(s, f, "femmes-hommes", SheetSexes, indicators.FemmesHommesHeader,
				func(e *indicators.Edition) []indicators.EcartSexe { return e.EcartsSexe },
				func(x indicators.EcartSexe) (indicators.Key, string) { return x.Key, x.Code },
				func(o *WorkbookOptions, l []indicators.EcartSexe) { o.EcartsSexe = l })))
			r.Get("/api/concentration"+f, s.data(handleRows(s, f, "concentration", SheetConcentration, indicators.ConcentrationHeader,
				func(e *indicators.Edition) []indicators.Concentration { return e.Concentrations },
				func(x indicators.Concentration) (indicators.Key, string) { return x.Key, x.ReferenceCode },
				func(o *WorkbookOptions, l []indicators.Concentration) { o.Concentrations = l })))
			r.Get("/api/recouvrements"+f, s.data(s.handleOverlaps(f)))
		}
	})
	return r
}

// guard sets what every answer has, answers OPTIONS, and turns a panic into a 500.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "ETag, Link, Content-Disposition")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { // the server's own way to cut an answer short
				panic(v)
			}
			s.o.Logger.Error("panic", "url", r.URL.Path, "cause", fmt.Sprint(v), "stack", string(debug.Stack()))
			s.fail(w, r, &problem{Status: http.StatusInternalServerError, Detail: "Erreur interne. Elle est consignée dans le journal du serveur."})
		}()
		if r.Method == http.MethodOptions {
			h.Set("Allow", "GET, HEAD, OPTIONS")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Accept, If-None-Match")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A handler answers from the snapshot in place when the request came, or returns an error to show.
type handler func(w http.ResponseWriter, r *http.Request, p *published) error

// data wraps a handler: 503 while nothing is published, 304 when the client already has the answer.
func (s *Server) data(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := s.current.Load()
		if p == nil {
			w.Header().Set("Retry-After", "60")
			s.fail(w, r, &problem{Status: http.StatusServiceUnavailable, Detail: "Aucune édition n'est encore publiée. Une fois la chaîne exécutée et l'édition publiée, cette adresse répondra."})
			return
		}
		sum := sha256.Sum256([]byte(string(p.seed) + s.base(r) + r.URL.RequestURI()))
		tag := hex.EncodeToString(sum[:16])
		w.Header().Set("ETag", `"`+tag+`"`)
		w.Header().Set("Cache-Control", "public, max-age=60, must-revalidate")
		if match := r.Header.Get("If-None-Match"); match != "" {
			if held, ok := heldTag(match, tag); ok {
				w.Header().Set("ETag", held)
				w.Header().Set("Vary", "Accept-Encoding")
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		if err := h(w, r, p); err != nil {
			s.fail(w, r, err)
		}
	}
}

// heldTag finds tag, in any of the encodings it is served in, among those of an If-None-Match header.
func heldTag(header, tag string) (string, bool) {
	for _, t := range strings.Split(header, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		for _, suffix := range []string{"", "-gzip", "-zstd"} {
			if t == `"`+tag+suffix+`"` {
				return t, true
			}
		}
	}
	return "", false
}

// base is the public address of the service, without a final slash.
func (s *Server) base(r *http.Request) string {
	if s.o.BaseURL != "" {
		return s.o.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
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
	http.StatusBadRequest:          "Requête invalide",
	http.StatusNotFound:            "Introuvable",
	http.StatusMethodNotAllowed:    "Méthode non admise",
	http.StatusInternalServerError: "Erreur interne",
	http.StatusServiceUnavailable:  "Service indisponible",
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
		s.o.Logger.Error("request failed", "url", r.URL.Path, "err", err)
		p = &problem{Status: http.StatusInternalServerError, Detail: "Erreur interne. Elle est consignée dans le journal du serveur."}
	}
	answer := *p
	answer.Type, answer.Title, answer.Instance = "about:blank", problemTitles[p.Status], r.URL.Path
	h := w.Header()
	for _, name := range []string{"ETag", "Content-Disposition", "Content-Encoding", "Content-Length"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	if r.URL.Path == "/" {
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

// A query is the parameters of a request, each given once and known to the handler.
type query map[string]string

func readQuery(r *http.Request, allowed ...string) (query, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("", "Les paramètres de l'adresse sont mal formés : vérifier les caractères « %% », « & » et « ; ».")
	}
	q := query{}
	for _, name := range sortedKeys(values) {
		switch {
		case !slices.Contains(allowed, name):
			if len(allowed) == 0 {
				return nil, badRequest(name, "Paramètre inconnu : « %s ». Cette adresse n'en prend aucun.", name)
			}
			return nil, badRequest(name, "Paramètre inconnu : « %s ». Paramètres admis : %s.", name, strings.Join(allowed, ", "))
		case len(values[name]) > 1:
			return nil, badRequest(name, "Le paramètre « %s » est donné %d fois : une seule est attendue (les valeurs multiples se séparent par des virgules).", name, len(values[name]))
		}
		q[name] = values[name][0]
	}
	return q, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// list is a parameter's values, comma separated; nil when it is absent or empty.
func (q query) list(name string) []string {
	if q[name] == "" {
		return nil
	}
	return strings.Split(q[name], ",")
}

// integer reads a whole number between low and high.
func (q query) integer(name string, absent, low, high int) (int, error) {
	s, ok := q[name]
	if !ok {
		return absent, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, badRequest(name, "« %s » vaut « %s » : un nombre entier de %d à %d est attendu.", name, s, low, high)
	}
	return n, nil
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

// sexe reads F, H or T.
func (q query) sexe(absent string) (string, error) {
	switch s := q["sexe"]; s {
	case "":
		return absent, nil
	case "F", "H", "T":
		return s, nil
	default:
		return "", badRequest("sexe", "Sexe invalide : « %s ». Valeurs admises : F (femmes), H (hommes), T (ensemble).", s)
	}
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
	names := strings.Split(param(r, "layers"), ",")
	layers := make([]*layer, 0, len(names))
	for _, name := range names {
		l, err := p.layerNamed(name)
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
	sexe, err = q.sexe("T")
	return
}

func (s *Server) handleTile(w http.ResponseWriter, r *http.Request, p *published) error {
	key := r.URL.RequestURI()
	t := p.tiles.get(key)
	if t == nil {
		q, err := p.tileRequest(r)
		if err != nil {
			return err
		}
		raw, err := p.tile(q)
		if err != nil {
			return fmt.Errorf("tile %s: %w", r.URL.Path, err)
		}
		t = newCachedTile(raw)
		p.tiles.put(key, t)
	}
	h := w.Header()
	h.Set("Vary", "Accept-Encoding")
	if len(t.raw) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	body := t.raw
	if t.gzip != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body = t.gzip
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", strings.TrimSuffix(h.Get("ETag"), `"`)+`-gzip"`)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return send(w, typeTile, body)
}

// acceptsGzip reads an Accept-Encoding header: a coding with a weight of 0 is refused.
func acceptsGzip(header string) bool {
	for _, part := range strings.Split(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if c := strings.TrimSpace(coding); c == "gzip" || c == "*" {
			weight = strings.ReplaceAll(weight, " ", "")
			v, err := strconv.ParseFloat(strings.TrimPrefix(weight, "q="), 64)
			return err != nil || v > 0
		}
	}
	return false
}

func (p *published) tileRequest(r *http.Request) (q tileRequest, err error) {
	params, err := readQuery(r, "indicateurs", "millesime", "sexe")
	if err != nil {
		return q, err
	}
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

func (s *Server) handleTileJSON(w http.ResponseWriter, r *http.Request, p *published) error {
	params, err := readQuery(r, "indicateurs", "millesime", "sexe")
	if err != nil {
		return err
	}
	layers, err := p.tileLayers(r)
	if err != nil {
		return err
	}
	ids, _, _, err := p.figures(params)
	if err != nil {
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
		for _, id := range ids {
			fields[id] = p.defs[id].Label + " (" + p.defs[id].Unit + ")"
			fields[id+"_statut"] = "Statut : " + strings.Join(statutWords(), ", ")
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
	address := s.base(r) + "/tiles/" + strings.Join(names, ",") + "/{z}/{x}/{y}.mvt"
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
func (p *published) attribution(layers []*layer) string {
	var parts []string
	add := func(s string) {
		if s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	for _, l := range layers {
		for _, src := range p.edition.Sources {
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
func (s *Server) handleStyle(w http.ResponseWriter, r *http.Request, p *published) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
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
