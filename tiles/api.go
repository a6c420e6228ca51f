package tiles

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"observatoire/geo"
	"observatoire/indicators"
)

const (
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

func (s *Server) handleEditions(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
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

		Decisions    []indicators.Decision    `json:"decisions"`
		Commentaires []indicators.Commentaire `json:"commentaires"`
	}
	return writeJSON(w, typeJSON, map[string]any{"editions": []edition{{e.ID, e.Title, string(indicators.Publiee), e.Schematic, p.version,
		layerNames(e), len(e.Indicators), len(e.Values), len(e.Ecarts), sources, append([]indicators.Decision{}, e.Decisions...), append([]indicators.Commentaire{}, e.Commentaires...)}}})
}

func (s *Server) handleIndicators(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
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
	f.sexe = q.sexe("")
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
func (q query) window(total int) (from, to int) {
	from = min(q.integer(paramOffset), total)
	return from, min(from+q.integer(paramLimit), total)
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

// typeParquet is the media type registered for Apache Parquet.
const typeParquet = "application/vnd.apache.parquet"

const typeCSV = "text/csv; charset=utf-8; header=present"

func (s *Server) handleSeries(format string) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published, q query) error {
		f, err := p.filter(q)
		if err != nil {
			return err
		}
		all := q["methodes"] == "all"
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
		case ".parquet":
			return sendFile(w, "series.parquet", typeParquet, func(b *bytes.Buffer) error {
				return WriteSeriesParquet(b, p.edition, values)
			})
		case ".xlsx":
			return s.sendWorkbook(w, r, "series.xlsx", p.edition, WorkbookOptions{Sheets: []string{SheetSeries, SheetSources}, Values: values})
		}
		from, to := q.window(len(values))
		rows := indicators.SeriesRows(p.edition, values[from:to])
		return s.writeRows(w, r, p, q, "series", rows, from, to, len(values))
	}
}

func (s *Server) handleEcarts(format string) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published, q query) error {
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
		case ".parquet":
			return sendFile(w, "ecarts.parquet", typeParquet, func(b *bytes.Buffer) error {
				return WriteEcartsParquet(b, p.edition, ecarts)
			})
		case ".xlsx":
			return s.sendWorkbook(w, r, "ecarts.xlsx", p.edition, WorkbookOptions{Sheets: []string{SheetEcarts, SheetSources}, Ecarts: ecarts})
		}
		from, to := q.window(len(ecarts))
		rows := p.ecartRows(ecarts[from:to])
		return s.writeRows(w, r, p, q, "ecarts", rows, from, to, len(ecarts))
	}
}

func (s *Server) handleOverlaps(format string) handler {
	return func(w http.ResponseWriter, r *http.Request, p *published, q query) error {
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
		case ".parquet":
			return sendFile(w, "recouvrements.parquet", typeParquet, func(b *bytes.Buffer) error {
				return WriteOverlapsParquet(b, p.edition, sets)
			})
		case ".xlsx":
			return s.sendWorkbook(w, r, "recouvrements.xlsx", p.edition, WorkbookOptions{Sheets: []string{SheetOverlaps, SheetSources}, Overlaps: sets})
		}
		rows := shareRows(p.edition, sets)
		return s.writeRows(w, r, p, q, "recouvrements", rows, 0, len(rows), len(rows))
	}
}

// An ecartRow is one gap in JSON: the columns of the CSV.
type ecartRow struct {
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

func (p *published) ecartRows(ecarts []indicators.Ecart) []ecartRow {
	rows := make([]ecartRow, 0, len(ecarts))
	for _, x := range ecarts {
		own, ref := p.gapValues.Of(x)
		rows = append(rows, ecartRow{x.Indicateur, x.Couche, x.Code, p.names.Zone(x.Couche, x.Code), year(x.Millesime), x.Sexe,
			number(x.Valeur), x.Reference, x.ReferenceCode, p.names.Zone(x.Reference, x.ReferenceCode), number(x.ValeurReference),
			number(x.Ecart), x.Unite, number(x.Rapport), x.ReferenceInclut, x.Statut.String(), x.Motif,
			own.Methode, own.Fiabilite.String(), ref.Methode, ref.Fiabilite.String()})
	}
	return rows
}

// handleZone answers all that the edition says of one zone.
func (s *Server) handleZone(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	l, err := p.layerNamed(param(r, "layer"))
	if err != nil {
		return err
	}
	code := param(r, "code")
	at, ok := l.set.Index(code)
	if !ok {
		return notFound("Zone inconnue : « %s » n'est pas dans la couche %s.", code, l.set.Layer)
	}
	f, err := p.filter(q)
	if err != nil {
		return err
	}
	f.couches, f.zones = []geo.Layer{l.set.Layer}, []string{code}
	var values []indicators.Value
	for _, v := range p.edition.Values {
		if (v.Retenue || q["methodes"] == "all") && f.keep(v.Key, v.Code) {
			values = append(values, v)
		}
	}
	var ecarts []indicators.Ecart
	for _, x := range p.edition.Ecarts {
		if f.keep(x.Key, x.Code) {
			ecarts = append(ecarts, x)
		}
	}
	var sets []indicators.OverlapSet
	for _, set := range p.edition.Overlaps {
		own := set
		own.Pairs = nil
		for _, x := range set.Pairs {
			if set.From == l.set.Layer && x.From == at || set.To == l.set.Layer && x.To == at {
				own.Pairs = append(own.Pairs, x)
			}
		}
		sets = append(sets, own)
	}
	z := &l.set.Zones[at]
	var commentaire *indicators.Commentaire
	if i := slices.IndexFunc(p.edition.Commentaires, func(c indicators.Commentaire) bool { return c.Code == code }); i >= 0 {
		commentaire = &p.edition.Commentaires[i]
	}
	return writeJSON(w, typeJSON, object{"commentaire": commentaire, "edition": p.edition.ID, "couche": l.set.Layer, "code": z.Code, "nom": p.names.Zone(l.set.Layer, z.Code), "communes": z.Commune, "type": z.Type,
		"series": indicators.SeriesRows(p.edition, values), "ecarts": p.ecartRows(ecarts), "recouvrements": shareRows(p.edition, sets)})
}

// A shareRow is one overlap in JSON: the columns of the CSV.
type shareRow struct {
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

func shareRows(e *indicators.Edition, sets []indicators.OverlapSet) []shareRow {
	rows := []shareRow{}
	for _, set := range sets {
		from, to := e.Layer(set.From), e.Layer(set.To)
		for _, x := range set.Pairs {
			a, b := &from.Zones[x.From], &to.Zones[x.To]
			rows = append(rows, shareRow{set.From, a.Code, a.Name, set.To, b.Code, b.Name, number(indicators.Some(x.Area)),
				number(indicators.Some(x.ShareFrom)), number(indicators.Some(x.ShareTo)), number(indicators.Some(x.Margin)), x.Note})
		}
	}
	return rows
}

// handleFacilities lists the facilities that lie in the zones asked for.
func (s *Server) handleFacilities(w http.ResponseWriter, r *http.Request, p *published, q query) error {
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
	from, to := q.window(len(list))
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
