package tiles

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"math"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/paulmach/orb/planar"

	"observatoire/geo"
	"observatoire/indicators"
)

// What `make build` built of the viewer; the sentence that stands for it is all there is otherwise.
//
//go:embed web/dist
var builtViewer embed.FS

// Viewer is the interactive map, as [Options] takes it: its files, or where it was not built the sentence that says so.
func Viewer() fs.FS {
	for _, dir := range []string{"web/dist/viewer", "web/dist"} {
		if sub, err := fs.Sub(builtViewer, dir); err == nil {
			if _, err := fs.Stat(sub, "."); err == nil {
				return sub
			}
		}
	}
	return nil
}

// A Background is a map drawn by others, beneath ours: tiles of pictures, asked by browsers from its own host.
type Background struct {
	Tiles       string // address of a tile, with {z}, {x} and {y}
	Attribution string // what its producer asks to be written on the map
}

// origin is the site of a background, as a content security policy writes it.
func (b *Background) origin() string {
	if u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(b.Tiles)); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return ""
}

// A viewer is the files of the interactive map, ready to be sent.
type viewer struct {
	index  []byte
	digest string // of the index, which names all the others by their own digests
	policy string
	files  map[string]*answer
	absent string // in place of all that: what the page without script says
}

// newViewer reads the files of the viewer; nil is none.
func newViewer(files fs.FS, background *Background) *viewer {
	v := &viewer{files: map[string]*answer{}}
	if files == nil {
		return v
	}
	if text, err := fs.ReadFile(files, "absent.txt"); err == nil {
		v.absent = strings.TrimSpace(string(text))
		return v
	}
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error { // files in memory, or none
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if name == "index.html" {
			sum := sha256.Sum256(b)
			v.index, v.digest = b, hex.EncodeToString(sum[:8])
			return nil
		}
		kind := cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream")
		if ext := path.Ext(name); ext == ".js" || ext == ".mjs" {
			kind = "text/javascript; charset=utf-8" // whatever the machine's own list says
		}
		v.files[name] = &answer{status: http.StatusOK, header: http.Header{"Content-Type": {kind}}, raw: b}
		return nil
	})
	outside := ""
	if background != nil {
		outside = " " + background.origin()
	}
	v.policy = "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'" + outside + "; img-src 'self' data: blob:" + outside +
		"; form-action 'self'; " + noFrame + "; base-uri 'none'"
	return v
}

func (v *viewer) there() bool { return v.index != nil }

// handleViewerFile sends a file that the viewer's page names by its digest: it never changes.
func (s *Server) handleViewerFile(w http.ResponseWriter, r *http.Request) {
	a := s.viewer.files["assets/"+chi.URLParam(r, "*")]
	if a == nil {
		s.fail(w, r, notFound("Ce fichier n'est pas de cette version de la carte : recharger la page."))
		return
	}
	h := w.Header()
	body, c, _ := a.in(accepted(r.Header.Get("Accept-Encoding")))
	h["Cache-Control"] = forever
	h["Content-Type"] = a.header["Content-Type"]
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Security-Policy", s.policy(s.viewer.policy)) // the map's worker asks for tiles under its own script's policy
	if c != identity {
		h.Set("Content-Encoding", c.String())
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the client is gone when this fails
}

// handleFirstPage answers the viewer where it was built, else the page drawn here.
func (s *Server) handleFirstPage(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	if !s.viewer.there() {
		return s.handlePage(w, r, p, q)
	}
	w.Header().Set("Content-Security-Policy", s.viewer.policy)
	return send(w, typeHTML, s.viewer.index)
}

// handleOverview answers what the viewer has to know before it draws anything.
func (s *Server) handleOverview(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
	e := p.edition
	type couche struct {
		ID          geo.Layer `json:"id"`
		Niveau      string    `json:"niveau"`
		Annee       int       `json:"annee"`
		Titre       string    `json:"titre"`
		Zones       int       `json:"zones"`
		Dessinees   int       `json:"dessinees"`
		Schematique bool      `json:"schematique"`
		Derniere    bool      `json:"derniere"` // the last vintage drawn of its level
		Quartier    bool      `json:"quartier"`
		Bornes      []float64 `json:"bornes"` // west, south, east, north
		Mention     string    `json:"mention"`
	}
	type quartier struct {
		Couche geo.Layer `json:"couche"`
		Code   string    `json:"code"`
		Nom    string    `json:"nom"`
		Lon    float64   `json:"lon"`
		Lat    float64   `json:"lat"`
		Bornes []float64 `json:"bornes"`
	}
	couches, quartiers := []couche{}, []quartier{}
	for _, l := range p.layers {
		x := couche{l.set.Layer, l.set.Layer.Level(), l.set.Layer.Vintage(), l.title(), len(l.zones), l.drawn, l.set.Schematic, p.newest(l), quarterLevel(l.set.Layer.Level()), nil, p.attribution([]*layer{l})}
		if l.drawn > 0 {
			x.Bornes = []float64{l.bound.Min[0], l.bound.Min[1], l.bound.Max[0], l.bound.Max[1]}
		}
		couches = append(couches, x)
	}
	for _, z := range p.quarters() {
		q := quartier{Couche: z.layer.set.Layer, Code: z.code(), Nom: z.layer.name(z.i)}
		if g := z.layer.set.Zones[z.i].Geom; len(g) > 0 {
			c, _ := planar.CentroidArea(g)
			lon, lat := z.layer.crs.Inverse(c[0], c[1])
			b := g.Bound()
			west, south := z.layer.crs.Inverse(b.Min[0], b.Min[1])
			east, north := z.layer.crs.Inverse(b.Max[0], b.Max[1])
			q.Lon, q.Lat, q.Bornes = round7(lon), round7(lat), []float64{round7(west), round7(south), round7(east), round7(north)}
		}
		quartiers = append(quartiers, q)
	}
	answer := object{"edition": e.ID, "titre": p.title(s), "schematique": e.Schematic, "couches": couches, "quartiers": quartiers, "recouvrements": []string{}, "themes": []string{},
		"fond": nil, "jetons": len(s.o.Tokens) > 0, "editions": s.o.Editions != nil}
	pieces := []string{}
	for _, name := range p.extraNames() {
		if name != facilityLayer {
			pieces = append(pieces, name)
		}
	}
	answer["recouvrements"] = pieces
	if themes := indicators.EquipementThemes(e); len(themes) > 0 {
		answer["themes"] = themes
	}
	if b := s.o.Background; b != nil {
		answer["fond"] = object{"tuiles": b.Tiles, "mention": b.Attribution}
	}
	c, err := p.choose(nil)
	if err != nil {
		return err
	}
	first := object{"indicateur": "", "couche": "", "sexe": c.sexe, "millesime": ""}
	if c.def != nil && c.layer != nil {
		first["indicateur"], first["couche"] = c.def.ID, c.layer.set.Layer
		if c.millesime != 0 {
			first["millesime"] = yearParam(c.millesime)
		}
	}
	answer["choix"] = first
	return writeJSON(w, typeJSON, answer)
}

// quarterLevel says whether zones of a level are drawn over the others: those of [isQuarter], and the perimeters of use
// made from a distance.
func quarterLevel(level string) bool {
	return isQuarter(level) || strings.HasPrefix(level, "quartier_vecu")
}

// A columnYear is what the viewer colours for one millésime: the figures shown of every zone of a layer, in the order of
// its tiles' ids, with why there is none.
type columnYear struct {
	Millesime  string                 `json:"millesime"`
	Libelle    string                 `json:"libelle"`
	Valeurs    []number               `json:"valeurs"`
	Statuts    []int                  `json:"statuts"` // bytes would be written in base64
	Fiabilites []int                  `json:"fiabilites"`
	Estimees   []int                  `json:"estimees"` // 1: an estimate
	Ecarts     map[geo.Layer][]number `json:"ecarts"`
}

// handleColumns answers one indicator over a whole layer, all years together: classes are shared between years.
func (s *Server) handleColumns(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	ids, err := q.indicateurs(p, "indicateur")
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return badRequest("indicateur", "Un indicateur est attendu, et un seul.")
	}
	id := seriesID{ids[0], l.set.Layer, q.sexe("T")}
	codes, names, communes := make([]string, len(l.zones)), make([]string, len(l.zones)), make([]string, len(l.zones))
	known := map[string]string{} // names of the communes met
	for i := range l.zones {
		z := &l.set.Zones[i]
		codes[i], names[i] = z.Code, p.names.Zone(l.set.Layer, z.Code)
		if z.Commune != "" {
			if _, ok := known[z.Commune]; !ok {
				known[z.Commune] = p.communes(z.Commune)
			}
			communes[i] = known[z.Commune]
		}
	}
	years := []columnYear{}
	references := map[geo.Layer]bool{}
	for _, y := range p.years[id] {
		col := p.column(id, &y)
		out := columnYear{Millesime: yearParam(y), Libelle: indicators.LabelMillesime(y), Valeurs: make([]number, len(l.zones)), Statuts: make([]int, len(l.zones)),
			Fiabilites: make([]int, len(l.zones)), Estimees: make([]int, len(l.zones)), Ecarts: map[geo.Layer][]number{}}
		for i := range l.zones {
			out.Statuts[i] = int(col.statut(i))
			v := col.value(i)
			if v == nil {
				continue
			}
			out.Valeurs[i], out.Fiabilites[i] = number(v.Valeur()), int(v.Fiabilite)
			if v.Nature == indicators.Estimation {
				out.Estimees[i] = 1
			}
		}
		gaps := p.gapsOf(l, col.Key)
		for k, ref := range gaps.references {
			references[ref] = true
			list := make([]number, len(l.zones))
			for i, row := range gaps.gaps {
				if !math.IsNaN(row[k]) {
					list[i] = number(indicators.Some(row[k]))
				}
			}
			out.Ecarts[ref] = list
		}
		years = append(years, out)
	}
	type reference struct {
		Couche geo.Layer `json:"couche"`
		Nom    string    `json:"nom"`
	}
	refs := []reference{}
	for _, ref := range slices.SortedFunc(func(yield func(geo.Layer) bool) {
		for k := range references {
			if !yield(k) {
				return
			}
		}
	}, func(a, b geo.Layer) int {
		return cmp.Or(cmp.Compare(referenceRank(a), referenceRank(b)), cmp.Compare(a, b))
	}) {
		refs = append(refs, reference{ref, referenceFR(ref, p.byName[ref])})
	}
	first := ""
	if y, ok := p.latest(id); ok {
		first = yearParam(y)
	}
	return writeJSON(w, typeJSON, object{"edition": p.edition.ID, "couche": l.set.Layer, "indicateur": ids[0], "sexe": id.sexe, "codes": codes, "noms": names, "communes": communes,
		"statuts": statutWords(), "fiabilites": fiabiliteWords(), "references": refs, "millesime": first, "annees": years})
}

func fiabiliteWords() []string {
	var words []string
	for f := indicators.SansFiabilite; f <= indicators.Bonne; f++ {
		words = append(words, f.String())
	}
	return words
}
