package tiles

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"observatoire/indicators"
)

// An operation is an address of the service: the requests it takes are checked by it, and the OpenAPI document is
// written from it.
type operation struct {
	path    string // as chi writes it, and OpenAPI
	id      string
	tag     string
	summary string // in French
	params  []*parameter
	types   []string // media types of what it answers; the first is the ordinary one
	rows    string   // what the rows of its JSON are called; "" when it has none
	row     any      // one of them: a struct, or the header of a CSV
	forms   form     // whether it is a page too
	post    bool     // it reads what it is sent
	hidden  bool     // described elsewhere in the document, or nowhere
	h       handler

	meters [4]atomic.Pointer[meter] // of its answers and its 304s, without and with an edition in the address
}

// A form says in which forms an address answers.
type form uint8

const (
	plain    form = iota // one only
	orPage               // JSON, or a page for who asks for one or prefers it
	pageElse             // a page, or JSON for who asks for it or prefers it
)

// A parameter is one that addresses take after the question mark.
type parameter struct {
	name string
	text string // in French

	integer           bool
	low, high, absent int
	clamp             bool     // more than high is high, not an error
	list              bool     // values separated by commas
	numbers           bool     // that are numbers
	values            []string // all that are admitted; empty: any
	say               string   // how a value that is not is refused
}

// The parameters, each described once.
var (
	paramF = &parameter{name: "f", text: "Forme de la réponse : json ou html. À défaut, selon l'en-tête Accept.", values: []string{"json", "html"},
		say: "Forme inconnue : « %s ». Valeurs admises : json, html."}
	paramLimitItems = &parameter{name: "limit", text: "Nombre de zones par réponse, au plus.", integer: true, low: 1, high: maxItems, absent: defaultItems, clamp: true}
	paramLimit      = &parameter{name: "limit", text: "Nombre de lignes par réponse, au plus.", integer: true, low: 1, high: maxRows, absent: defaultRows}
	paramOffset     = &parameter{name: "offset", text: "Nombre de lignes à passer : donné par les liens « next » et « prev ».", integer: true, high: 1<<31 - 1}
	paramBbox       = &parameter{name: "bbox", text: "Emprise : ouest,sud,est,nord, en degrés (ou dans le système de bbox-crs) ; six nombres avec des hauteurs, laissées de côté. Ouest plus grand qu'est : l'emprise passe l'antiméridien.", list: true, numbers: true}
	paramBboxCRS    = &parameter{name: "bbox-crs", text: "Système de coordonnées de bbox : CRS84 (par défaut) ou la projection légale, par son URI."}
	paramCRS        = &parameter{name: "crs", text: "Système de coordonnées des géométries : CRS84 (par défaut) ou la projection légale, par son URI."}
	paramDatetime   = &parameter{name: "datetime", text: "Instant ou intervalle (RFC 3339). Les zones n'ont pas de date propre : toutes y répondent."}
	paramCodes      = &parameter{name: "code", text: "Codes des zones, séparés par des virgules.", list: true}
	paramNom        = &parameter{name: "nom", text: "Nom exact de la zone."}
	paramCommune    = &parameter{name: "commune", text: "Code de commune : les zones qui s'y trouvent, même en partie."}
	paramType       = &parameter{name: "type", text: "Type de zone, tel que le producteur l'écrit (par exemple H, A, D ou Z pour un IRIS)."}
	paramFigures    = &parameter{name: "indicateurs", text: "Indicateurs à joindre aux zones, par leur identifiant, séparés par des virgules.", list: true}
	paramIndicateur = &parameter{name: "indicateur", text: "Indicateurs, par leur identifiant, séparés par des virgules ; tous à défaut.", list: true}
	paramCouche     = &parameter{name: "couche", text: "Couches (qpv-2015) ou niveaux (qpv), séparés par des virgules ; toutes à défaut.", list: true}
	paramReference  = &parameter{name: "reference", text: "Couches ou niveaux de comparaison, séparés par des virgules ; tous à défaut.", list: true}
	paramZone       = &parameter{name: "zone", text: "Codes de zones, séparés par des virgules ; toutes à défaut.", list: true}
	paramMillesime  = &parameter{name: "millesime", text: "Année des chiffres, ou « inconnu ». À défaut : la dernière pour une carte, toutes pour une table."}
	paramSexe       = &parameter{name: "sexe", text: "F (femmes), H (hommes) ou T (ensemble).", values: []string{"F", "H", "T"},
		say: "Sexe invalide : « %s ». Valeurs admises : F (femmes), H (hommes), T (ensemble)."}
	paramMethodes = &parameter{name: "methodes", text: "all : toutes les méthodes, et non la seule retenue.", values: []string{"all"},
		say: "Valeur inconnue de « methodes » : « %s ». Seule « all » est admise : toutes les méthodes, et non la seule retenue."}
	paramDe     = &parameter{name: "de", text: "Couches ou niveaux de départ.", list: true}
	paramVers   = &parameter{name: "vers", text: "Couches ou niveaux d'arrivée.", list: true}
	paramTheme  = &parameter{name: "theme", text: "Thème des équipements."}
	paramTampon = &parameter{name: "tampon", text: "Distance, en mètres : le périmètre est ce qui en est à cette distance au plus.", integer: true, high: 5000}
	paramVue    = &parameter{name: "vue", text: "Quartier montré."}
)

// query reads the parameters of a request: each given once, known to the operation, and what it should be.
func (op *operation) query(r *http.Request) (query, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("", "Les paramètres de l'adresse sont mal formés : vérifier les caractères « %% », « & » et « ; ».")
	}
	q := query{}
	for _, name := range sortedKeys(values) {
		i := slices.IndexFunc(op.params, func(x *parameter) bool { return x.name == name })
		switch {
		case i < 0 && len(op.params) == 0:
			return nil, badRequest(name, "Paramètre inconnu : « %s ». Cette adresse n'en prend aucun.", name)
		case i < 0:
			known := make([]string, len(op.params))
			for k, x := range op.params {
				known[k] = x.name
			}
			return nil, badRequest(name, "Paramètre inconnu : « %s ». Paramètres admis : %s.", name, strings.Join(known, ", "))
		case len(values[name]) > 1:
			return nil, badRequest(name, "Le paramètre « %s » est donné %d fois : une seule est attendue (les valeurs multiples se séparent par des virgules).", name, len(values[name]))
		}
		v := values[name][0]
		if strings.Count(v, ",") >= maxList {
			return nil, badRequest(name, "Le paramètre « %s » a plus de %d valeurs : demander en plusieurs fois, ou télécharger le fichier entier.", name, maxList)
		}
		if q[name], err = op.params[i].check(v); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (x *parameter) check(v string) (string, error) {
	switch {
	case x.integer:
		n, err := strconv.Atoi(v)
		if x.clamp && (err == nil && n > x.high || err != nil && v != "" && strings.Trim(v, "0123456789") == "") {
			return strconv.Itoa(x.high), nil
		}
		if err != nil || n < x.low || n > x.high {
			return "", badRequest(x.name, "« %s » vaut « %s » : un nombre entier de %d à %d est attendu.", x.name, v, x.low, x.high)
		}
	case len(x.values) > 0 && v != "" && !slices.Contains(x.values, v):
		return "", badRequest(x.name, x.say, v)
	}
	return v, nil
}

// integer is a parameter that [operation.query] has checked.
func (q query) integer(x *parameter) int {
	if n, err := strconv.Atoi(q[x.name]); err == nil {
		return n
	}
	return x.absent
}

// negotiate chooses between JSON and a page by what a request says that it takes; "" is the ordinary form.
func (f form) negotiate(accept string) string {
	var page, data, any float64
	for part := range strings.SplitSeq(accept, ",") {
		kind, rest, _ := strings.Cut(part, ";")
		weight := 1.0
		for p := range strings.SplitSeq(rest, ";") {
			if w, ok := strings.CutPrefix(strings.ReplaceAll(p, " ", ""), "q="); ok {
				if v, err := strconv.ParseFloat(w, 64); err == nil {
					weight = v
				}
			}
		}
		switch kind = strings.ToLower(strings.TrimSpace(kind)); {
		case kind == "text/html" || kind == "application/xhtml+xml":
			page = max(page, weight)
		case strings.HasSuffix(kind, "json"):
			data = max(data, weight)
		case kind == "*/*":
			any = weight
		}
	}
	switch {
	case f == pageElse && data > 0 && data >= page:
		return "json"
	case f == orPage && page > 0 && page > data && page >= any:
		return "html"
	}
	return ""
}

// An object is one of JSON.
type object = map[string]any

// schema describes the parameter's values.
func (x *parameter) schema() object {
	switch {
	case x.integer:
		s := object{"type": "integer", "minimum": x.low, "maximum": x.high, "default": x.absent}
		return s
	case x.numbers:
		return object{"type": "array", "minItems": 4, "maxItems": 6, "items": object{"type": "number"}}
	case x.list:
		return object{"type": "array", "items": object{"type": "string"}, "maxItems": maxList}
	case len(x.values) > 0:
		return object{"type": "string", "enum": x.values}
	}
	return object{"type": "string"}
}

func (x *parameter) describe() object {
	d := object{"name": x.name, "in": "query", "required": false, "description": x.text, "schema": x.schema()}
	if x.list {
		d["style"], d["explode"] = "form", false
	}
	return d
}

// pathParameters describes what stands between braces in an address.
func (p *published) pathParameters(path string) []object {
	var list []object
	for rest := path; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return list
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		schema, text := object{"type": "string"}, ""
		switch name {
		case "layer":
			text = "Couche de l'édition."
			schema["enum"] = strings.Split(p.layerList(), ", ")
		case "layers":
			text = "Couches de l'édition, séparées par des virgules."
		case "code":
			text = "Code de la zone."
		case "z", "x", "y":
			text = map[string]string{"z": "Niveau de zoom.", "x": "Colonne de la tuile.", "y": "Ligne de la tuile, depuis le nord."}[name]
			schema = object{"type": "integer", "minimum": 0}
			if name == "z" {
				schema["maximum"] = maxZoom
			}
		}
		list = append(list, object{"name": name, "in": "path", "required": true, "description": text, "schema": schema})
	}
}

// openAPI describes the whole service, as those who may see p see it.
func (s *Server) openAPI(p *published, base string) object {
	paths := object{}
	add := func(path, method, id string, op *operation, params []object) {
		for _, x := range op.params {
			params = append(params, x.describe())
		}
		described := object{"operationId": id, "tags": []string{op.tag}, "summary": op.summary, "responses": op.responses(method)}
		if len(params) > 0 {
			described["parameters"] = params
		}
		if method == "post" {
			described["requestBody"] = object{"required": true, "description": "Un polygone GeoJSON (Polygon, MultiPolygon ou Feature), en CRS84 ou, avec un membre « crs », dans la projection légale.",
				"content": object{"application/geo+json": object{"schema": object{"type": "object", "required": []string{"type"}, "properties": object{"type": object{"type": "string"}}}}}}
		}
		item, _ := paths[path].(object)
		if item == nil {
			item = object{}
			paths[path] = item
		}
		item[method] = described
	}
	for _, op := range s.operations {
		switch {
		case op.hidden:
		case strings.HasPrefix(op.path, "/collections/{layer}/items"): // one for each collection: clients look them up by name
			for _, l := range p.layers {
				name := string(l.set.Layer)
				path := strings.Replace(op.path, "{layer}", name, 1)
				add(path, "get", op.id+"."+name, op, p.pathParameters(path))
			}
		default:
			method := "get"
			if op.post {
				method = "post"
			}
			add(op.path, method, op.id, op, p.pathParameters(op.path))
		}
	}
	return object{
		"openapi": "3.0.3",
		"info": object{"title": p.title(s), "version": p.edition.ID,
			"description": "Lecture des zones, des tuiles et des chiffres de l'édition publiée. Les erreurs suivent la RFC 9457.",
			"license":     object{"name": "Licence Ouverte 2.0", "url": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"}},
		"servers":  []object{{"url": base}},
		"tags":     []object{{"name": "Service", "description": "Ce que le service est."}, {"name": "Zones", "description": "OGC API – Features."}, {"name": "Tuiles", "description": "Tuiles vectorielles et OGC API – Tiles."}, {"name": "Chiffres", "description": "Séries, écarts, comparaisons, recouvrements."}},
		"security": []object{{}, {"jeton": []string{}}},
		"paths":    paths,
		"components": object{
			"securitySchemes": object{"jeton": object{"type": "http", "scheme": "bearer", "description": "Pour les données des partenaires ; les autres sont ouvertes."}},
			"schemas": object{
				"probleme": object{"type": "object", "description": "RFC 9457", "required": []string{"type", "title", "status", "detail"}, "properties": object{
					"type": object{"type": "string"}, "title": object{"type": "string"}, "status": object{"type": "integer"}, "detail": object{"type": "string"},
					"instance": object{"type": "string"}, "parametre": object{"type": "string", "description": "Le paramètre en cause."}}},
				"lien": object{"type": "object", "required": []string{"href", "rel"}, "properties": object{
					"href": object{"type": "string"}, "rel": object{"type": "string"}, "type": object{"type": "string"}, "title": object{"type": "string"}}},
				"zone": object{"type": "object", "required": []string{"type", "id", "geometry", "properties"}, "properties": object{
					"type": object{"type": "string", "enum": []string{"Feature"}}, "id": object{"type": "string"},
					"geometry":   object{"type": "object", "nullable": true, "description": "MultiPolygon ; null pour une zone sans contour"},
					"properties": object{"type": "object"}}},
				"zones": object{"type": "object", "required": []string{"type", "features"}, "properties": object{
					"type": object{"type": "string", "enum": []string{"FeatureCollection"}}, "features": object{"type": "array", "items": object{"$ref": "#/components/schemas/zone"}},
					"links": object{"type": "array", "items": object{"$ref": "#/components/schemas/lien"}}, "timeStamp": object{"type": "string", "format": "date-time"},
					"numberMatched": object{"type": "integer"}, "numberReturned": object{"type": "integer"}}},
			},
		},
	}
}

// responses describes what an operation answers.
func (op *operation) responses(method string) object {
	schema := object{"type": "object"}
	switch {
	case op.rows != "":
		schema = object{"type": "object", "required": []string{"edition", "numberMatched", "numberReturned", "links", op.rows}, "properties": object{
			"edition": object{"type": "string"}, "numberMatched": object{"type": "integer"}, "numberReturned": object{"type": "integer"},
			"links": object{"type": "array", "items": object{"$ref": "#/components/schemas/lien"}},
			op.rows: object{"type": "array", "items": rowSchema(op.row)}}}
	case op.id == "getFeatures":
		schema = object{"$ref": "#/components/schemas/zones"}
	case op.id == "getFeature":
		schema = object{"$ref": "#/components/schemas/zone"}
	}
	types := op.types
	if op.forms != plain {
		types = append(slices.Clone(types), "text/html")
	}
	content := object{}
	for _, t := range types {
		if strings.HasSuffix(t, "json") {
			content[t] = object{"schema": schema}
		} else if strings.HasPrefix(t, "text/") {
			content[t] = object{"schema": object{"type": "string"}}
		} else {
			content[t] = object{"schema": object{"type": "string", "format": "binary"}}
		}
	}
	problem := func(text string) object {
		return object{"description": text, "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/probleme"}}}}
	}
	ok := object{"description": op.summary, "content": content}
	if strings.Contains(op.path, "/items") {
		ok["headers"] = object{"Content-Crs": object{"description": "Système de coordonnées de la réponse.", "schema": object{"type": "string"}}}
	}
	r := object{"200": ok, "400": problem("Paramètre inconnu ou invalide : la réponse le nomme."), "503": problem("Aucune édition publiée, ou serveur trop sollicité.")}
	if method == "get" {
		r["304"] = object{"description": "La réponse que le client a déjà."}
	}
	if op.post {
		r["413"] = problem("Envoi trop long.")
	}
	if slices.Contains(op.types, typeTile) {
		r["204"] = object{"description": "Rien dans la tuile."}
	}
	if strings.Contains(op.path, "{") {
		r["404"] = problem("Aucune ressource de ce nom.")
	}
	return r
}

// rowSchema describes a row of JSON, from the struct that it is or from the header of the CSV it has the names of.
func rowSchema(row any) object {
	properties := object{}
	if header, ok := row.([]string); ok {
		for _, name := range header {
			properties[name] = object{}
		}
		return object{"type": "object", "required": header, "properties": properties}
	}
	if row == nil {
		return object{"type": "object"}
	}
	return typeSchema(reflect.TypeOf(row))
}

// typeSchema describes what a type is in JSON.
func typeSchema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[number]() || t == reflect.TypeFor[indicators.Opt]():
		return object{"type": "number", "nullable": true}
	case t == reflect.TypeFor[year]():
		return object{"type": "integer", "nullable": true}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := typeSchema(t.Elem())
		s["nullable"] = true
		return s
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": typeSchema(t.Elem())}
	case reflect.Struct:
		properties, required := object{}, []string{}
		for f := range t.Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			properties[name] = typeSchema(f.Type)
			if options != "omitempty" {
				required = append(required, name)
			}
		}
		s := object{"type": "object", "properties": properties}
		if len(required) > 0 {
			s["required"] = required
		}
		return s
	}
	return object{"type": "string"}
}

const typeOpenAPI = "application/vnd.oai.openapi+json;version=3.0"

// handleAPI describes the service: OpenAPI, or the same as a page.
func (s *Server) handleAPI(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	base := s.base(r)
	doc := s.openAPI(p, base)
	if q["f"] != "html" {
		return writeJSON(w, typeOpenAPI, doc)
	}
	d := document{Title: "Interface de programmation", Lead: "Adresses du service et paramètres qu'elles prennent. Le même document pour les programmes : OpenAPI 3.0, sous « json »."}
	paths := doc["paths"].(object)
	byTag := map[string]*docTable{}
	var order []string
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range slices.Sorted(maps.Keys(paths[path].(object))) {
			op := paths[path].(object)[method].(object)
			tag := op["tags"].([]string)[0]
			if byTag[tag] == nil {
				byTag[tag] = &docTable{Caption: tag, Head: []string{"Adresse", "Ce qu'elle donne", "Paramètres"}}
				order = append(order, tag)
			}
			var names []string
			list, _ := op["parameters"].([]object)
			for _, x := range list {
				if x["in"] == "query" {
					names = append(names, fmt.Sprint(x["name"]))
				}
			}
			c := docCell{Text: strings.ToUpper(method) + " " + path}
			if method == "get" && !strings.Contains(path, "{") {
				c.Href = base + path
			}
			byTag[tag].Rows = append(byTag[tag].Rows, []docCell{c, {Text: fmt.Sprint(op["summary"])}, {Text: strings.Join(names, ", ")}})
		}
	}
	for _, tag := range order {
		d.Tables = append(d.Tables, *byTag[tag])
	}
	return s.writeDocument(w, r, p, &d, typeOpenAPI)
}
