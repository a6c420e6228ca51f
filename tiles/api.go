package tiles

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

const (
	crs84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"

	defaultItems, maxItems = 100, 10000
	defaultRows, maxRows   = 10000, 100000 // of a JSON answer; CSV and workbooks are whole
)

// A link is a relation to another address, as OGC API Features writes it.
type link struct {
	Href  string `json:"href"`
	Rel   string `json:"rel"`
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"`
}

type collection struct {
	ID          string         `json:"id"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Extent      map[string]any `json:"extent,omitempty"`
	ItemType    string         `json:"itemType"`
	CRS         []string       `json:"crs"`
	Count       int            `json:"nombre"` // zones, drawn or not
	Drawn       int            `json:"nombre_avec_contour"`
	Schematic   bool           `json:"schematique"`
	Links       []link         `json:"links"`
}

func (p *published) collection(l *layer, base string) collection {
	name := string(l.set.Layer)
	c := collection{ID: name, Title: l.title(), Description: p.attribution([]*layer{l}), ItemType: "feature", CRS: []string{crs84},
		Count: len(l.zones), Drawn: l.drawn, Schematic: l.set.Schematic, Links: []link{
			{Href: base + "/collections/" + name, Rel: "self", Type: "application/json"},
			{Href: base + "/collections/" + name + "/items", Rel: "items", Type: "application/geo+json", Title: l.title()},
			{Href: base + "/tiles/" + name + ".json", Rel: "describedby", Type: "application/json", Title: "TileJSON"},
		}}
	if l.drawn > 0 {
		c.Extent = map[string]any{"spatial": map[string]any{"crs": crs84,
			"bbox": [][]float64{{l.bound.Min[0], l.bound.Min[1], l.bound.Max[0], l.bound.Max[1]}}}}
	}
	return c
}

func (s *Server) handleCollections(w http.ResponseWriter, r *http.Request, p *published) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	base := s.base(r)
	list := make([]collection, len(p.layers))
	for i, l := range p.layers {
		list[i] = p.collection(l, base)
	}
	return writeJSON(w, typeJSON, map[string]any{"collections": list,
		"links": []link{{Href: base + "/collections", Rel: "self", Type: "application/json"}}})
}

func (s *Server) handleCollection(w http.ResponseWriter, r *http.Request, p *published) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	return writeJSON(w, typeJSON, p.collection(l, s.base(r)))
}

func (p *published) columns(q query, l *layer) ([]column, error) {
	ids, millesime, sexe, err := p.figures(q)
	if err != nil {
		return nil, err
	}
	cols := make([]column, len(ids))
	for i, id := range ids {
		cols[i] = p.column(seriesID{id, l.set.Layer, sexe}, millesime)
	}
	return cols, nil
}

func (s *Server) handleItems(w http.ResponseWriter, r *http.Request, p *published) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	q, err := readQuery(r, "limit", "offset", "bbox", "code", "indicateurs", "millesime", "sexe")
	if err != nil {
		return err
	}
	limit, err := q.integer("limit", defaultItems, 1, maxItems)
	if err != nil {
		return err
	}
	offset, err := q.integer("offset", 0, 0, 1<<31-1)
	if err != nil {
		return err
	}
	cols, err := p.columns(q, l)
	if err != nil {
		return err
	}
	hits, err := l.selected(q)
	if err != nil {
		return err
	}

	page := hits[min(offset, len(hits)):min(offset+limit, len(hits))]
	b := make([]byte, 0, 1024)
	b = append(b, `{"type":"FeatureCollection","numberMatched":`...)
	b = strconv.AppendInt(b, int64(len(hits)), 10)
	b = append(b, `,"numberReturned":`...)
	b = strconv.AppendInt(b, int64(len(page)), 10)
	b = append(b, `,"links":[{"rel":"self","type":"application/geo+json","href":`...)
	b = appendString(b, s.base(r)+r.URL.RequestURI())
	b = append(b, '}')
	if offset+len(page) < len(hits) && len(page) > 0 {
		b = append(b, `,{"rel":"next","type":"application/geo+json","href":`...)
		b = appendString(b, s.nextPage(r, q, offset+len(page)))
		b = append(b, '}')
	}
	b = append(b, `],"features":[`...)
	const end = "]}\n"
	w.Header().Set("Content-Type", typeGeoJSON)
	if n := len(page); n > 0 && len(cols) == 0 && page[n-1]-page[0] == n-1 { // zones in a row, as they stand
		text := l.text[l.start[page[0]] : l.start[page[n-1]+1]-1]
		w.Header().Set("Content-Length", strconv.Itoa(len(b)+len(text)+len(end)))
		for _, part := range [][]byte{b, text, []byte(end)} {
			if _, err := w.Write(part); err != nil {
				return nil // the client is gone
			}
		}
		return nil
	}
	size := len(b) + len(end)
	for _, i := range page {
		size += len(l.feature(i)) + 3 + 80*len(cols)
	}
	b = slices.Grow(b, size)
	for k, i := range page {
		if k > 0 {
			b = append(b, ',')
		}
		b = append(b, l.feature(i)...)
		b = appendColumns(b, cols, i)
		b = append(b, featureEnd...)
	}
	return send(w, typeGeoJSON, append(b, end...))
}

// nextPage is the address of the request with another offset.
func (s *Server) nextPage(r *http.Request, q query, offset int) string {
	values := url.Values{}
	for name, v := range q {
		values.Set(name, v)
	}
	values.Set("offset", strconv.Itoa(offset))
	return s.base(r) + r.URL.EscapedPath() + "?" + values.Encode()
}

// selected returns the positions of the zones that the bbox and code parameters keep.
func (l *layer) selected(q query) ([]int, error) {
	var hits []int
	if bbox, ok := q["bbox"]; ok {
		b, err := readBox(bbox)
		if err != nil {
			return nil, err
		}
		hits = l.within(b)
	} else {
		hits = make([]int, len(l.zones))
		for i := range hits {
			hits[i] = i
		}
	}
	if codes := q.list("code"); codes != nil {
		hits = slices.DeleteFunc(hits, func(i int) bool { return !slices.Contains(codes, l.set.Zones[i].Code) })
	}
	return hits, nil
}

// readBox reads west,south,east,north in degrees; with heights (six numbers), these are left aside.
func readBox(s string) (orb.Bound, error) {
	parts := strings.Split(s, ",")
	v := make([]float64, len(parts))
	for i, part := range parts {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || f != f || f < -1e9 || f > 1e9 {
			return orb.Bound{}, badRequest("bbox", "« bbox » : « %s » n'est pas un nombre. Quatre nombres sont attendus : ouest,sud,est,nord, en degrés.", part)
		}
		v[i] = f
	}
	switch len(v) {
	case 4:
	case 6:
		v = []float64{v[0], v[1], v[3], v[4]}
	default:
		return orb.Bound{}, badRequest("bbox", "« bbox » a %d nombres. Quatre sont attendus : ouest,sud,est,nord, en degrés.", len(v))
	}
	if v[0] > v[2] || v[1] > v[3] {
		return orb.Bound{}, badRequest("bbox", "« bbox » est à l'envers : l'ordre attendu est ouest,sud,est,nord.")
	}
	if v[0] < -180 || v[2] > 180 || v[1] < -90 || v[3] > 90 {
		return orb.Bound{}, badRequest("bbox", "« bbox » sort du globe : des longitudes et latitudes en degrés sont attendues (et non des mètres).")
	}
	return orb.Bound{Min: orb.Point{v[0], v[1]}, Max: orb.Point{v[2], v[3]}}, nil
}

func (s *Server) handleItem(w http.ResponseWriter, r *http.Request, p *published) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	q, err := readQuery(r, "indicateurs", "millesime", "sexe")
	if err != nil {
		return err
	}
	cols, err := p.columns(q, l)
	if err != nil {
		return err
	}
	code := param(r, "code")
	i, ok := l.set.Index(code)
	if !ok {
		return notFound("Zone inconnue : « %s » n'est pas dans la couche %s.", code, l.set.Layer)
	}
	b := appendColumns(slices.Clone(l.feature(i)), cols, i)
	b = append(b, `},"links":[{"rel":"self","type":"application/geo+json","href":`...)
	b = appendString(b, s.base(r)+r.URL.RequestURI())
	b = append(b, `},{"rel":"collection","type":"application/json","href":`...)
	b = appendString(b, s.base(r)+"/collections/"+string(l.set.Layer))
	return send(w, typeGeoJSON, append(b, "}]}\n"...))
}

// A number is an [indicators.Opt] in JSON: null when absent, the digits of the CSV otherwise.
type number indicators.Opt

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if !n.OK {
		return []byte("null"), nil
	}
	return []byte(indicators.FormatNumber(n.V)), nil
}

// year is a millésime in JSON: null when the producer does not say.
type year int

// MarshalJSON implements json.Marshaler.
func (y year) MarshalJSON() ([]byte, error) {
	if y <= 0 {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(y), 10), nil
}

func (s *Server) handleEditions(w http.ResponseWriter, r *http.Request, p *published) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	e := p.edition
	type source struct {
		ID       string `json:"id"`
		Title    string `json:"titre"`
		Producer string `json:"producteur"`
		Licence  string `json:"licence"`
		Page     string `json:"page,omitempty"`
		File     string `json:"fichier"`
		SHA256   string `json:"sha256"`
		Edition  year   `json:"edition_source"`
		Rows     int    `json:"lignes"`
	}
	sources := make([]source, len(e.Sources))
	for i, x := range e.Sources {
		sources[i] = source{x.ID, x.Title, x.Producer, x.Licence, x.Page, x.File, x.SHA256, year(x.Edition), x.Rows}
	}
	type edition struct {
		ID         string      `json:"id"`
		Title      string      `json:"titre"`
		Etat       string      `json:"etat"`
		Schematic  bool        `json:"schematique"`
		Version    string      `json:"version"`
		Layers     []geo.Layer `json:"couches"`
		Indicators int         `json:"indicateurs"`
		Values     int         `json:"valeurs"`
		Ecarts     int         `json:"ecarts"`
		Sources    []source    `json:"sources"`
	}
	return writeJSON(w, typeJSON, map[string]any{"editions": []edition{{e.ID, e.Title, string(indicators.Publiee), e.Schematic, p.version,
		layerNames(e), len(e.Indicators), len(e.Values), len(e.Ecarts), sources}}})
}

func (s *Server) handleIndicators(w http.ResponseWriter, r *http.Request, p *published) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	type serie struct {
		Couche     geo.Layer `json:"couche"`
		Sexe       string    `json:"sexe"`
		Millesimes []year    `json:"millesimes"`
	}
	type indicateur struct {
		indicators.Definition
		Series []serie `json:"series"`
	}
	list := make([]indicateur, len(p.edition.Indicators))
	for i, d := range p.edition.Indicators {
		list[i] = indicateur{d, []serie{}}
		for _, l := range p.layers {
			for _, sexe := range []string{"T", "F", "H"} {
				years := p.years[seriesID{d.ID, l.set.Layer, sexe}]
				if len(years) == 0 {
					continue
				}
				m := make([]year, len(years))
				for k, y := range years {
					m[k] = year(y)
				}
				list[i].Series = append(list[i].Series, serie{l.set.Layer, sexe, m})
			}
		}
	}
	return writeJSON(w, typeJSON, map[string]any{"edition": p.edition.ID, "indicateurs": list})
}

// A filter keeps the keys that match each list given; a nil list keeps all.
type filter struct {
	indicateurs []string
	couches     []geo.Layer
	zones       []string
	millesime   *int
	sexe        string
}

func (p *published) filter(q query) (f filter, err error) {
	if f.indicateurs, err = q.indicateurs(p, "indicateur"); err != nil {
		return
	}
	if f.couches, err = q.couches(p, "couche"); err != nil {
		return
	}
	if f.millesime, err = q.millesime(); err != nil {
		return
	}
	if f.sexe, err = q.sexe(""); err != nil {
		return
	}
	f.zones = q.list("zone")
	for _, code := range f.zones {
		if !slices.ContainsFunc(p.layers, func(l *layer) bool { _, ok := l.set.Index(code); return ok }) {
			return f, badRequest("zone", "Zone inconnue : « %s » n'est le code d'aucune zone de l'édition.", code)
		}
	}
	return
}

func (f *filter) keep(k indicators.Key, code string) bool {
	return (f.indicateurs == nil || slices.Contains(f.indicateurs, k.Indicateur)) &&
		(f.couches == nil || slices.Contains(f.couches, k.Couche)) &&
		(f.zones == nil || slices.Contains(f.zones, code)) &&
		(f.millesime == nil || *f.millesime == k.Millesime || *f.millesime == 0 && k.Millesime < 0) &&
		(f.sexe == "" || f.sexe == k.Sexe)
}

// window cuts a JSON answer's rows by limit and offset.
func (q query) window(total int) (from, to int, err error) {
	limit, err := q.integer("limit", defaultRows, 1, maxRows)
	if err != nil {
		return 0, 0, err
	}
	offset, err := q.integer("offset", 0, 0, 1<<31-1)
	if err != nil {
		return 0, 0, err
	}
	from = min(offset, total)
	return from, min(from+limit, total), nil
}

// writeRows answers a page of rows, in the manner of items.
func (s *Server) writeRows(w http.ResponseWriter, r *http.Request, p *published, q query, name string, rows any, from, to, total int) error {
	links := []link{{Href: s.base(r) + r.URL.RequestURI(), Rel: "self", Type: "application/json"}}
	if to < total {
		links = append(links, link{Href: s.nextPage(r, q, to), Rel: "next", Type: "application/json"})
	}
	return writeJSON(w, typeJSON, map[string]any{"edition": p.edition.ID, "numberMatched": total, "numberReturned": to - from,
		"links": links, name: rows})
}

// sendFile answers a file to keep, written whole before its first byte is sent.
func sendFile(w http.ResponseWriter, name, contentType string, write func(*bytes.Buffer) error) error {
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return send(w, contentType, buf.Bytes())
}

// sendWorkbook answers a workbook, once there is a place to make it.
func (s *Server) sendWorkbook(w http.ResponseWriter, r *http.Request, name string, e *indicators.Edition, o WorkbookOptions) error {
	done, err := s.turn(r)
	if err != nil {
		return err
	}
	defer done()
	return sendFile(w, name, typeXLSX, func(b *bytes.Buffer) error { return WriteWorkbook(b, e, o) })
}

const typeCSV = "text/csv; charset=utf-8; header=present"

func (s *Server) handleSeries(format string) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published) error {
		allowed := []string{"indicateur", "couche", "zone", "millesime", "sexe", "methodes"}
		if format == "" {
			allowed = append(allowed, "limit", "offset")
		}
		q, err := readQuery(r, allowed...)
		if err != nil {
			return err
		}
		f, err := p.filter(q)
		if err != nil {
			return err
		}
		all := q["methodes"] == "all"
		if m := q["methodes"]; m != "" && !all {
			return badRequest("methodes", "Valeur inconnue de « methodes » : « %s ». Seule « all » est admise : toutes les méthodes, et non la seule retenue.", m)
		}
		values := []indicators.Value{}
		for _, v := range p.edition.Values {
			if (all || v.Retenue) && f.keep(v.Key, v.Code) {
				values = append(values, v)
			}
		}
		switch format {
		case ".csv":
			return sendFile(w, "series.csv", typeCSV, func(b *bytes.Buffer) error {
				return indicators.WriteSeriesCSV(b, p.edition, values)
			})
		case ".xlsx":
			return s.sendWorkbook(w, r, "series.xlsx", p.edition, WorkbookOptions{Sheets: []string{SheetSeries, SheetSources}, Values: values})
		}
		from, to, err := q.window(len(values))
		if err != nil {
			return err
		}
		type row struct {
			Indicateur string    `json:"indicateur"`
			Couche     geo.Layer `json:"couche"`
			Code       string    `json:"code"`
			Nom        string    `json:"nom"`
			Millesime  year      `json:"millesime"`
			Sexe       string    `json:"sexe"`
			Valeur     number    `json:"valeur"`
			Unite      string    `json:"unite"`
			Statut     string    `json:"statut"`
			Nature     string    `json:"nature"`
			Methode    string    `json:"methode"`
			Retenue    bool      `json:"retenue"`
			Couverture number    `json:"couverture"`
			Min        number    `json:"methode_min"`
			Max        number    `json:"methode_max"`
			IC95Bas    number    `json:"ic95_bas"`
			IC95Haut   number    `json:"ic95_haut"`
			Fiabilite  string    `json:"fiabilite"`
			Source     string    `json:"source"`
			Note       string    `json:"note,omitempty"`
		}
		rows := make([]row, 0, to-from)
		for _, v := range values[from:to] {
			rows = append(rows, row{v.Indicateur, v.Couche, v.Code, p.names.Zone(v.Couche, v.Code), year(v.Millesime), v.Sexe,
				number(v.Valeur()), p.names.Unit(v.Indicateur), v.Statut.String(), v.Nature.String(), v.Methode, v.Retenue,
				number(v.Couverture), number(v.Min), number(v.Max), number(v.IC95Bas), number(v.IC95Haut),
				v.Fiabilite.String(), v.Source, v.Note})
		}
		return s.writeRows(w, r, p, q, "series", rows, from, to, len(values))
	}
}

func (s *Server) handleEcarts(format string) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published) error {
		allowed := []string{"indicateur", "couche", "zone", "millesime", "sexe", "reference"}
		if format == "" {
			allowed = append(allowed, "limit", "offset")
		}
		q, err := readQuery(r, allowed...)
		if err != nil {
			return err
		}
		f, err := p.filter(q)
		if err != nil {
			return err
		}
		references, err := q.couches(p, "reference")
		if err != nil {
			return err
		}
		ecarts := []indicators.Ecart{}
		for _, x := range p.edition.Ecarts {
			if f.keep(x.Key, x.Code) && (references == nil || slices.Contains(references, x.Reference)) {
				ecarts = append(ecarts, x)
			}
		}
		switch format {
		case ".csv":
			return sendFile(w, "ecarts.csv", typeCSV, func(b *bytes.Buffer) error {
				return indicators.WriteEcartsCSV(b, p.edition, ecarts)
			})
		case ".xlsx":
			return s.sendWorkbook(w, r, "ecarts.xlsx", p.edition, WorkbookOptions{Sheets: []string{SheetEcarts, SheetSources}, Ecarts: ecarts})
		}
		from, to, err := q.window(len(ecarts))
		if err != nil {
			return err
		}
		type row struct {
			Indicateur      string    `json:"indicateur"`
			Couche          geo.Layer `json:"couche"`
			Code            string    `json:"code"`
			Nom             string    `json:"nom"`
			Millesime       year      `json:"millesime"`
			Sexe            string    `json:"sexe"`
			Valeur          number    `json:"valeur"`
			Reference       geo.Layer `json:"reference"`
			ReferenceCode   string    `json:"code_reference"`
			ReferenceNom    string    `json:"nom_reference"`
			ReferenceValeur number    `json:"valeur_reference"`
			Ecart           number    `json:"ecart"`
			Unite           string    `json:"unite"`
			Rapport         number    `json:"rapport"`
			Inclut          bool      `json:"reference_inclut"`
			Statut          string    `json:"statut"`
			Motif           string    `json:"motif"`
			Methode         string    `json:"methode"`
			Fiabilite       string    `json:"fiabilite"`
			RefMethode      string    `json:"methode_reference"`
			RefFiabilite    string    `json:"fiabilite_reference"`
		}
		rows := make([]row, 0, to-from)
		for _, x := range ecarts[from:to] {
			own, ref := p.gapValues.Of(x)
			rows = append(rows, row{x.Indicateur, x.Couche, x.Code, p.names.Zone(x.Couche, x.Code), year(x.Millesime), x.Sexe,
				number(x.Valeur), x.Reference, x.ReferenceCode, p.names.Zone(x.Reference, x.ReferenceCode), number(x.ValeurReference),
				number(x.Ecart), x.Unite, number(x.Rapport), x.ReferenceInclut, x.Statut.String(), x.Motif,
				own.Methode, own.Fiabilite.String(), ref.Methode, ref.Fiabilite.String()})
		}
		return s.writeRows(w, r, p, q, "ecarts", rows, from, to, len(ecarts))
	}
}

func (s *Server) handleOverlaps(format string) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published) error {
		q, err := readQuery(r, "de", "vers")
		if err != nil {
			return err
		}
		de, err := q.couches(p, "de")
		if err != nil {
			return err
		}
		vers, err := q.couches(p, "vers")
		if err != nil {
			return err
		}
		sets := []indicators.OverlapSet{}
		var known []string
		for _, set := range p.edition.Overlaps {
			known = append(known, string(set.From)+" → "+string(set.To))
			if (de == nil || slices.Contains(de, set.From)) && (vers == nil || slices.Contains(vers, set.To)) {
				sets = append(sets, set)
			}
		}
		if len(sets) == 0 && len(known) > 0 {
			return badRequest("de", "Aucun recouvrement n'est calculé entre ces couches. Couples de l'édition : %s.", strings.Join(known, " ; "))
		}
		switch format {
		case ".csv":
			return sendFile(w, "recouvrements.csv", typeCSV, func(b *bytes.Buffer) error {
				return indicators.WriteOverlapsCSV(b, p.edition, sets)
			})
		case ".xlsx":
			return s.sendWorkbook(w, r, "recouvrements.xlsx", p.edition, WorkbookOptions{Sheets: []string{SheetOverlaps, SheetSources}, Overlaps: sets})
		}
		type row struct {
			De       geo.Layer `json:"couche_de"`
			CodeDe   string    `json:"code_de"`
			NomDe    string    `json:"nom_de"`
			Vers     geo.Layer `json:"couche_vers"`
			CodeVers string    `json:"code_vers"`
			NomVers  string    `json:"nom_vers"`
			Aire     number    `json:"aire_m2"`
			PartDe   number    `json:"part_de"`
			PartVers number    `json:"part_vers"`
			Marge    number    `json:"marge_part"`
			Note     string    `json:"note"`
		}
		rows := []row{}
		for _, set := range sets {
			from, to := p.edition.Layer(set.From), p.edition.Layer(set.To)
			for _, x := range set.Pairs {
				a, b := &from.Zones[x.From], &to.Zones[x.To]
				rows = append(rows, row{set.From, a.Code, a.Name, set.To, b.Code, b.Name, number(indicators.Some(x.Area)),
					number(indicators.Some(x.ShareFrom)), number(indicators.Some(x.ShareTo)), number(indicators.Some(x.Margin)), x.Note})
			}
		}
		return s.writeRows(w, r, p, q, "recouvrements", rows, 0, len(rows), len(rows))
	}
}

// handleFacilities lists the facilities that lie in the zones asked for.
func (s *Server) handleFacilities(w http.ResponseWriter, r *http.Request, p *published) error {
	q, err := readQuery(r, "zone", "couche", "theme", "limit", "offset")
	if err != nil {
		return err
	}
	couches, err := q.couches(p, "couche")
	if err != nil {
		return err
	}
	f := indicators.EquipementFilter{Couches: couches, Codes: q.list("zone")}
	if theme := q["theme"]; theme != "" { // one: a theme may hold a comma
		f.Themes = []string{theme}
	}
	for _, code := range f.Codes {
		if !slices.ContainsFunc(p.layers, func(l *layer) bool { _, ok := l.set.Index(code); return ok }) {
			return badRequest("zone", "Zone inconnue : « %s » n'est le code d'aucune zone de l'édition.", code)
		}
	}
	themes := indicators.EquipementThemes(p.edition)
	for _, theme := range f.Themes {
		if !slices.Contains(themes, theme) {
			return badRequest("theme", "Thème inconnu : « %s ». Thèmes des équipements de l'édition : %s.", theme, strings.Join(themes, " ; "))
		}
	}
	list := indicators.SelectEquipements(p.edition, f)
	from, to, err := q.window(len(list))
	if err != nil {
		return err
	}
	type place struct {
		Couche geo.Layer `json:"couche"`
		Code   string    `json:"code"`
		Nom    string    `json:"nom"`
	}
	type row struct {
		Code   string  `json:"code"`
		Nom    string  `json:"nom"`
		Theme  string  `json:"theme"`
		Lon    float64 `json:"lon"`
		Lat    float64 `json:"lat"`
		Source string  `json:"source"`
		Zones  []place `json:"zones"`
	}
	rows := make([]row, 0, to-from)
	if to > from {
		crs, err := geo.ByEPSG(p.edition.EPSG())
		if err != nil {
			return err
		}
		for _, x := range list[from:to] {
			lon, lat := crs.Inverse(x.X, x.Y)
			zones := make([]place, len(x.Zones))
			for i, z := range x.Zones {
				zones[i] = place{z.Couche, z.Code, p.names.Zone(z.Couche, z.Code)}
			}
			rows = append(rows, row{x.Code, x.Nom, x.Theme, round7(lon), round7(lat), x.Source, zones})
		}
	}
	return s.writeRows(w, r, p, q, "equipements", rows, from, to, len(list))
}
