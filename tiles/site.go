package tiles

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"observatoire/indicators"
)

// ErrNoViewer says that the program was built without its interactive map.
var ErrNoViewer = errors.New("this program was built without its interactive map: build it by `make build` where npm is installed")

// SiteOptions say what a site of files is made with besides its edition.
type SiteOptions struct {
	Title      string      // the edition's own by default
	Editions   Editions    // those that the page of what moved compares with; nil: none
	Background *Background // beneath the map; nil: nothing
}

// siteFolder is where a site keeps what its pages read.
const siteFolder = "donnees/"

// WriteSite gives put every file of a site that shows an edition without any service: the interactive map, and what it
// would ask of a server, answered beforehand. Answers that a page needs one at a time stand in packs: gzip members one
// after the other (x.pack), and where each is (x.json: key → [first byte, bytes]); a page reads the bytes it needs by a
// range request. Nothing of what partners gave is in it.
func WriteSite(ctx context.Context, e *indicators.Edition, o SiteOptions, put func(name string, write func(io.Writer) error) error) error {
	s := NewServer(Options{Title: o.Title, Viewer: Viewer(), Background: o.Background, Editions: o.Editions})
	if !s.viewer.there() {
		return ErrNoViewer
	}
	if err := s.Publish(e, "site"); err != nil {
		return err
	}
	site := &site{ctx: ctx, server: s, handler: s.Handler(), open: s.current.Load().open, put: put}
	for _, write := range []func() error{site.pages, site.answers, site.maps, site.cards, site.tiles, site.portraits, site.moves} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

type site struct {
	ctx     context.Context
	server  *Server
	handler http.Handler
	open    *published
	put     func(name string, write func(io.Writer) error) error
}

// ask is what the service answers to a reader without a token.
func (x *site) ask(path string, q url.Values) ([]byte, error) {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(x.ctx, http.MethodGet, "http://site"+path, nil)
	if err != nil {
		return nil, err
	}
	r.RequestURI = r.URL.RequestURI() // as a server has it
	w := &recorder{header: http.Header{}, limit: math.MaxInt}
	x.handler.ServeHTTP(w, r)
	if err := x.ctx.Err(); err != nil {
		return nil, err
	}
	if w.status != http.StatusOK {
		return nil, fmt.Errorf("%s: answered %d: %s", path, w.status, bytes.TrimSpace(w.body))
	}
	return w.body, nil
}

// rows are all the rows of a table of the service.
func (x *site) rows(name string, q url.Values) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	for {
		page := url.Values{"limit": {strconv.Itoa(maxRows)}, "offset": {strconv.Itoa(len(all))}}
		for k, v := range q {
			page[k] = v
		}
		b, err := x.ask("/api/"+name, page)
		if err != nil {
			return nil, err
		}
		var head struct{ NumberMatched, NumberReturned int }
		var table map[string]json.RawMessage
		err = errors.Join(json.Unmarshal(b, &head), json.Unmarshal(b, &table))
		var some []json.RawMessage
		if err == nil {
			err = json.Unmarshal(table[name], &some)
		}
		if err != nil {
			return nil, fmt.Errorf("/api/%s: %w", name, err)
		}
		all = append(all, some...)
		if head.NumberReturned == 0 || len(all) >= head.NumberMatched {
			return all, nil
		}
	}
}

func (x *site) file(name string, b []byte) error {
	return x.put(name, func(w io.Writer) error { _, err := w.Write(b); return err })
}

func (x *site) json(name string, v any) error {
	return x.put(siteFolder+name+".json", func(w io.Writer) error { return encode(w, v) })
}

// pages are the files of the map, told that what they would ask for is beside them.
func (x *site) pages() error {
	const page = `<html lang="fr"`
	policy := `<meta http-equiv="Content-Security-Policy" content="` + strings.ReplaceAll(x.server.viewer.policy, noFrame+"; ", "") + `">` // frames are for headers to refuse
	index := string(x.server.viewer.index)
	for _, change := range [][2]string{
		{page, page + ` data-statique`},
		{`<meta charset="utf-8">`, `<meta charset="utf-8">` + policy},
		{` <a href="page">La version simple</a> montre les mêmes chiffres sans lui.`, ` <a href="portraits/">Les portraits des quartiers</a> et <a href="tables/observatoire.xlsx">le classeur</a> montrent les mêmes chiffres sans lui.`},
		{`<a href="page">Version simple, sans JavaScript</a> · <a href="api?f=html">Interface pour les programmes</a>`, `<a href="portraits/">Portraits des quartiers</a> · <a href="tables/observatoire.xlsx">Tous les chiffres (classeur)</a> · <a href="tables/series.csv">CSV</a>`},
	} {
		if strings.Count(index, change[0]) != 1 {
			return fmt.Errorf("the page of the map does not hold %q once", change[0])
		}
		index = strings.Replace(index, change[0], change[1], 1)
	}
	if err := x.file("index.html", []byte(index)); err != nil {
		return err
	}
	for _, name := range sortedKeys(x.server.viewer.files) {
		if err := x.file(name, x.server.viewer.files[name].raw); err != nil {
			return err
		}
	}
	return nil
}

// answers are what the map reads whole.
func (x *site) answers() error {
	for _, name := range []string{"visionneuse", "indicateurs", "editions"} {
		b, err := x.ask("/api/"+name, nil)
		if err != nil {
			return err
		}
		if err := x.file(siteFolder+name+".json", b); err != nil {
			return err
		}
	}
	rows, err := x.rows("calibration", nil)
	if err != nil {
		return err
	}
	return x.json("calibration", rows)
}

// maps are the figures of each layer as the map takes them, one member an indicator and sex.
func (x *site) maps() error {
	for _, l := range x.open.layers {
		p := newBundle()
		for _, d := range x.open.edition.Indicators {
			for _, sexe := range d.Sexes {
				b, err := x.ask("/api/carte/"+url.PathEscape(string(l.set.Layer)), url.Values{"indicateur": {d.ID}, "sexe": {sexe}})
				if err != nil {
					return err
				}
				if err := p.add(d.ID+"/"+sexe, b); err != nil {
					return err
				}
			}
		}
		if err := x.pack("carte/"+string(l.set.Layer), p); err != nil {
			return err
		}
	}
	return nil
}

// A siteCard is all that the service says of a zone.
type siteCard struct {
	Zone         json.RawMessage   `json:"zone"`
	Geometrie    json.RawMessage   `json:"geometrie"`
	Evolutions   []json.RawMessage `json:"evolutions"`
	Rangs        []json.RawMessage `json:"rangs"`
	FemmesHommes []json.RawMessage `json:"femmes-hommes"`
	Equipements  []json.RawMessage `json:"equipements"`
}

// cards are the zones of each layer, one member a zone; what the map draws as pictures of lines; and the series as CSV.
func (x *site) cards() error {
	for _, l := range x.open.layers {
		name := string(l.set.Layer)
		tables := map[string]map[string][]json.RawMessage{}
		for _, table := range []string{"evolutions", "rangs", "femmes-hommes", "equipements"} {
			rows, err := x.rows(table, url.Values{"couche": {name}})
			if err != nil {
				return err
			}
			byZone := map[string][]json.RawMessage{}
			for _, row := range rows {
				var of struct {
					Code  string `json:"code"`
					Zones []struct {
						Couche string `json:"couche"`
						Code   string `json:"code"`
					} `json:"zones"` // of a facility
				}
				if err := json.Unmarshal(row, &of); err != nil {
					return err
				}
				if table != "equipements" {
					byZone[of.Code] = append(byZone[of.Code], row)
				}
				for _, z := range of.Zones {
					if z.Couche == name {
						byZone[z.Code] = append(byZone[z.Code], row)
					}
				}
			}
			tables[table] = byZone
		}
		geometries := map[string]json.RawMessage{}
		if l.drawn > 0 {
			var b bytes.Buffer
			if err := WriteGeoJSON(&b, x.open.edition, l.set.Layer); err != nil {
				return err
			}
			if err := x.file(siteFolder+"couches/"+name+".geojson", b.Bytes()); err != nil {
				return err
			}
			var c struct {
				Features []struct {
					ID       string          `json:"id"`
					Geometry json.RawMessage `json:"geometry"`
				} `json:"features"`
			}
			if err := json.Unmarshal(b.Bytes(), &c); err != nil {
				return err
			}
			for _, f := range c.Features {
				geometries[f.ID] = f.Geometry
			}
		}
		p := newBundle()
		for _, z := range l.set.Zones {
			b, err := x.ask("/api/zones/"+url.PathEscape(name)+"/"+url.PathEscape(z.Code), nil)
			if err != nil {
				return err
			}
			some := func(table string) []json.RawMessage { return append([]json.RawMessage{}, tables[table][z.Code]...) }
			card, err := json.Marshal(siteCard{b, geometries[z.Code], some("evolutions"), some("rangs"), some("femmes-hommes"), some("equipements")})
			if err != nil {
				return err
			}
			if err := p.add(z.Code, card); err != nil {
				return err
			}
		}
		if err := x.pack("fiches/"+name, p); err != nil {
			return err
		}
		csv, err := x.ask("/api/series.csv", url.Values{"couche": {name}})
		if err != nil {
			return err
		}
		if err := x.file("tables/series-"+name+".csv", csv); err != nil {
			return err
		}
	}
	return nil
}

// tiles are the contours, one archive a layer: of zones, of pieces of quarters, of facilities.
func (x *site) tiles() error {
	var names []string
	for _, l := range x.open.layers {
		if l.drawn > 0 {
			names = append(names, string(l.set.Layer))
		}
	}
	for _, name := range append(names, x.open.extraNames()...) {
		l, err := x.open.tileLayer(name)
		if err != nil {
			return err
		}
		if err := x.put("tuiles/"+name+".pmtiles", func(w io.Writer) error {
			return x.open.writePMTiles(x.ctx, w, tileRequest{layers: []*layer{l}, sexe: "T"})
		}); err != nil {
			return err
		}
	}
	return nil
}

// portraits are the pages of the quarters, and the list of them.
func (x *site) portraits() error {
	var list strings.Builder
	for _, z := range x.open.Portraits() {
		name := z.Code + ".html"
		if err := x.put("portraits/"+name, func(w io.Writer) error { return x.open.WritePortrait(w, z) }); err != nil {
			return err
		}
		fmt.Fprintf(&list, "<li><a href=\"%s\">%s</a> <small>%s</small></li>\n", html.EscapeString(url.PathEscape(name)), html.EscapeString(cmp.Or(z.Name, z.Code)), html.EscapeString(z.Code))
	}
	title := html.EscapeString(x.open.title(x.server))
	return x.file("portraits/index.html", []byte("<!doctype html>\n<html lang=\"fr\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Portraits des quartiers – "+title+
		"</title>\n<h1>Portraits des quartiers</h1>\n<p>"+title+", édition "+html.EscapeString(x.open.edition.ID)+". <a href=\"../\">La carte</a></p>\n<ul>\n"+list.String()+"</ul>\n</html>\n"))
}

// moves are what the page of what moved shows, against every other edition published.
func (x *site) moves() error {
	if x.server.o.Editions == nil {
		return nil
	}
	b, err := x.ask("/editions/liste", nil)
	if err != nil {
		return err
	}
	if err := x.file(siteFolder+"liste.json", b); err != nil {
		return err
	}
	var list struct {
		Editions []struct {
			ID string `json:"id"`
		} `json:"editions"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	for _, other := range list.Editions {
		if other.ID == x.open.edition.ID {
			continue
		}
		for _, f := range [][2]string{{"json", siteFolder + "bouge/" + other.ID + ".json"}, {"html", "bouge/" + other.ID + ".html"}} {
			b, err := x.ask("/editions/diff", url.Values{"de": {other.ID}, "a": {x.open.edition.ID}, "f": {f[0]}})
			if err != nil {
				return err
			}
			if err := x.file(f[1], b); err != nil {
				return err
			}
		}
	}
	return nil
}

// A bundle is answers one after the other, each compressed on its own.
type bundle struct {
	data  bytes.Buffer
	index map[string][2]int
}

func newBundle() *bundle { return &bundle{index: map[string][2]int{}} }

func (p *bundle) add(key string, b []byte) error {
	member, err := pmPacked(b)
	if err != nil {
		return err
	}
	p.index[key] = [2]int{p.data.Len(), len(member)}
	p.data.Write(member)
	return nil
}

func (x *site) pack(name string, p *bundle) error {
	if err := x.json(name, p.index); err != nil {
		return err
	}
	return x.file(siteFolder+name+".pack", p.data.Bytes())
}

// SiteReadme is the word that goes with a site, for whoever puts it on a server.
func SiteReadme(e *indicators.Edition, day string) string {
	return fmt.Sprintf(`%s
Édition %s%s

Ce dossier est l'observatoire entier, en fichiers : la carte (index.html), les portraits, les tables.
Il se dépose tel quel sur un serveur web, à la racine d'un site ou dans un sous-dossier. Rien d'autre n'est à installer,
et aucune page ne demande quoi que ce soit à un autre site.

Le serveur doit :
  - servir les fichiers tels qu'ils sont, sans compresser ceux qui finissent par .pack ou .pmtiles ;
  - accepter les requêtes d'intervalle (Range), comme le font Apache, nginx, lighttpd, les stockages S3 ;
  - donner le type text/javascript aux fichiers .js et .mjs.
Sans requêtes d'intervalle, la carte n'a pas de contours. Ouvert d'un double clic, sans serveur, un navigateur refuse de le lire.

Les données des partenaires n'y sont pas. Un périmètre dessiné peut s'enregistrer, mais pas s'estimer : cela demande le service.

%s
`, e.Title, e.ID, map[bool]string{true: "", false: ", publiée le " + day}[day == ""], Mention(e))
}
