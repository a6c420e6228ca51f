package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

// A table is one logical table of the schema, the same in a GeoPackage and in PostGIS. Its fields point to one
// row held in memory: next loads the next row there, to be written; add takes the row that was read there.
type table struct {
	name, title string // title is for readers, in French
	geometry    string // type of its geometries in a GeoPackage
	fields      []field
	next        func() (bool, error)
	add         func() error
}

// A field binds a column to a place in a Go value, for writing and for reading alike. What it points to says
// how it is kept; see [kindOf].
type field struct {
	name string
	ptr  any
}

type (
	year  int      // 0 is kept as NULL
	codes []string // kept as text, separated by commas; nil as NULL
	words []string // kept as a JSON array; nil as NULL
	blob  []byte   // a geometry, in the encoding of the store; nil as NULL
)

// A kind is how a column is kept.
type kind uint8

const (
	kText kind = iota
	kInt
	kReal
	kBool
	kGeom
)

func kindOf(ptr any) kind {
	switch ptr.(type) {
	case *int, *int64, *year:
		return kInt
	case *float64, *indicators.Opt:
		return kReal
	case *bool:
		return kBool
	case *blob:
		return kGeom
	default:
		return kText
	}
}

// encode gives what a field points to as nil, string, int64, float64, bool or []byte. Texts that one of the
// stores would refuse, and numbers that are none, are errors: what is kept is the same in both.
func encode(ptr any) (any, error) {
	switch p := ptr.(type) {
	case *string:
		return encodeText(*p)
	case *[]byte:
		return encodeText(string(*p))
	case *int:
		return int64(*p), nil
	case *int64:
		return *p, nil
	case *year:
		if *p == 0 {
			return nil, nil
		}
		return int64(*p), nil
	case *float64:
		return encodeNumber(*p)
	case *indicators.Opt:
		if !p.OK {
			return nil, nil
		}
		return encodeNumber(p.V)
	case *bool:
		return *p, nil
	case *indicators.Statut:
		if *p > indicators.SansObjet {
			return nil, fmt.Errorf("statut %d has no meaning", *p)
		}
		return p.String(), nil
	case *indicators.Nature:
		return p.String(), nil
	case *indicators.Fiabilite:
		return encodeText(p.String())
	case *codes:
		for _, c := range *p {
			if strings.Contains(c, ",") {
				return nil, fmt.Errorf("code %q holds a comma", c)
			}
		}
		return encodeText(strings.Join(*p, ","))
	case *words:
		if *p == nil {
			return nil, nil
		}
		b, err := json.Marshal([]string(*p))
		if err != nil {
			return nil, err
		}
		return string(b), nil
	case *blob:
		if *p == nil {
			return nil, nil
		}
		return []byte(*p), nil
	}
	return nil, fmt.Errorf("no way to keep a %T", ptr)
}

func encodeText(s string) (any, error) {
	if s == "" {
		return nil, nil
	}
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, fmt.Errorf("text %.40q is not valid UTF-8", s)
	}
	return s, nil
}

func encodeNumber(v float64) (any, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, fmt.Errorf("%v is not a number to keep: an absent figure has a statut", v)
	}
	if v == 0 {
		return 0.0, nil // SQLite does not keep the sign of zero
	}
	return v, nil
}

// scratch gives the destinations a row is scanned into, by either driver, before decode puts it in place.
func scratch(fields []field) []any {
	dest := make([]any, len(fields))
	for i, f := range fields {
		switch kindOf(f.ptr) {
		case kInt:
			dest[i] = new(pgtype.Int8)
		case kReal:
			dest[i] = new(pgtype.Float8)
		case kBool:
			dest[i] = new(bool)
		case kGeom:
			dest[i] = new([]byte)
		default:
			dest[i] = new(pgtype.Text)
		}
	}
	return dest
}

// decode puts a scanned row where the fields point.
func decode(fields []field, dest []any) error {
	for i, f := range fields {
		if err := decodeField(f.ptr, dest[i]); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func decodeField(ptr, from any) error {
	switch d := from.(type) {
	case *pgtype.Int8:
		switch p := ptr.(type) {
		case *int:
			*p = int(d.Int64)
		case *int64:
			*p = d.Int64
		case *year:
			*p = year(d.Int64)
		}
	case *pgtype.Float8:
		switch p := ptr.(type) {
		case *float64:
			*p = d.Float64
		case *indicators.Opt:
			*p = indicators.Opt{V: d.Float64, OK: d.Valid}
		}
	case *bool:
		*ptr.(*bool) = *d
	case *[]byte:
		*ptr.(*blob) = *d
	case *pgtype.Text:
		return decodeText(ptr, d.String)
	}
	return nil
}

func decodeText(ptr any, s string) (err error) {
	switch p := ptr.(type) {
	case *string:
		*p = s
	case *[]byte:
		*p = nil
		if s != "" {
			*p = []byte(s)
		}
	case *indicators.Statut:
		*p, err = indicators.ParseStatut(s)
	case *indicators.Nature:
		*p = indicators.Producteur
		if s != p.String() {
			*p = indicators.Estimation
		}
		if s != p.String() {
			err = fmt.Errorf("unknown nature %q", s)
		}
	case *indicators.Fiabilite:
		for *p = indicators.Bonne; *p > 0 && p.String() != s; *p-- {
		}
		if p.String() != s {
			err = fmt.Errorf("unknown fiabilité %q", s)
		}
	case *codes:
		*p = nil
		if s != "" {
			*p = strings.Split(s, ",")
		}
	case *words:
		*p = nil
		if s != "" {
			err = json.Unmarshal([]byte(s), (*[]string)(p))
		}
	}
	return err
}

// encodeRow appends the values of the row the fields hold.
func encodeRow(args []any, t *table) ([]any, error) {
	for _, f := range t.fields {
		v, err := encode(f.ptr)
		if err != nil {
			return nil, fmt.Errorf("%s: %s%s: %w", t.name, rowName(t.fields), f.name, err)
		}
		args = append(args, v)
	}
	return args, nil
}

// rowName tells which row an error is about, by what identifies it.
func rowName(fields []field) string {
	var b strings.Builder
	for _, f := range fields {
		switch f.name {
		case "id", "indicateur", "couche", "code", "couche_de", "couche_vers", "millesime", "sexe":
			if v, err := encode(f.ptr); err == nil && v != nil {
				fmt.Fprintf(&b, "%v ", v)
			}
		}
	}
	return b.String()
}

// over loads the elements of s one after the other in the row that the table's fields point to.
func over[T any](s []T, row *T) func() (bool, error) {
	i := 0
	return func() (bool, error) {
		if i == len(s) {
			return false, nil
		}
		*row = s[i]
		i++
		return true, nil
	}
}

// into appends the row to s.
func into[T any](s *[]T, row *T) func() error {
	return func() error { *s = append(*s, *row); return nil }
}

// columnList is the names of the columns, quoted, separated by commas.
func columnList(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = quote(f.name)
	}
	return strings.Join(names, ", ")
}

// quote makes an SQL identifier of a name.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// A layerRow is what the table couche says of a layer.
type layerRow struct {
	set   geo.ZoneSet
	table string // of its zones in a GeoPackage
	zones int
}

// outlineTables are the first of editionTables: what the edition and its layers are.
const outlineTables = 2

// editionTables gives the tables of an edition but its zones: those that write e, or that fill it when it is
// empty. They are read in their order.
func editionTables(e *indicators.Edition) []table {
	var crossed words // overlap sets as "from>to": some hold no pair
	for _, o := range e.Overlaps {
		crossed = append(crossed, string(o.From)+">"+string(o.To))
	}
	once := false

	var layer layerRow
	layers := make([]layerRow, len(e.Layers))
	for i, s := range e.Layers {
		layers[i] = layerRow{s, tableName(s.Layer), len(s.Zones)}
	}

	var def indicators.Definition
	var defJSON []byte
	loadDef := over(e.Indicators, &def)

	var v indicators.Value
	var valeur indicators.Opt
	loadValue := over(e.Values, &v)

	var gap indicators.Ecart
	var evol indicators.Evolution
	var rank indicators.Rang
	var sexe indicators.EcartSexe
	var conc indicators.Concentration
	var src indicators.Source
	var al indicators.Alerte
	var cal indicators.Calibration
	var dec indicators.Decision
	var com indicators.Commentaire

	return []table{
		{
			name: "edition", title: "Édition",
			fields: []field{{"id", &e.ID}, {"titre", &e.Title}, {"schematique", &e.Schematic},
				{"manifeste", &e.Manifest}, {"croisements", &crossed}},
			next: func() (bool, error) { once = !once; return once, nil },
			add: func() error {
				for _, c := range crossed {
					from, to, _ := strings.Cut(c, ">")
					e.Overlaps = append(e.Overlaps, indicators.OverlapSet{From: geo.Layer(from), To: geo.Layer(to)})
				}
				return nil
			},
		}, {
			name: "couche", title: "Couches de zones",
			fields: []field{{"couche", (*string)(&layer.set.Layer)}, {"titre", &layer.set.Title},
				{"epsg", &layer.set.EPSG}, {"schematique", &layer.set.Schematic}, {"source", &layer.set.Source},
				{"table_zones", &layer.table}, {"nombre_zones", &layer.zones}},
			next: over(layers, &layer),
			add: func() error {
				s := layer.set
				if layer.zones > 0 {
					s.Zones = make([]geo.Zone, 0, layer.zones)
				}
				e.Layers = append(e.Layers, s)
				return nil
			},
		},
		overlapTable(e),
		{
			name: "indicateur", title: "Indicateurs",
			fields: []field{{"id", &def.ID}, {"libelle", &def.Label}, {"theme", &def.Theme}, {"unite", &def.Unit},
				{"sens", &def.Direction}, {"regle", (*string)(&def.Rule)}, {"definition", &defJSON}},
			next: func() (ok bool, err error) {
				if ok, _ = loadDef(); ok {
					defJSON, err = json.Marshal(def)
				}
				return ok, err
			},
			add: func() error {
				var d indicators.Definition
				err := json.Unmarshal(defJSON, &d)
				e.Indicators = append(e.Indicators, d)
				return err
			},
		}, {
			name: "serie", title: "Séries : une valeur par indicateur, zone, millésime, sexe et méthode",
			fields: []field{{"indicateur", &v.Indicateur}, {"couche", (*string)(&v.Couche)}, {"code", &v.Code},
				{"millesime", (*year)(&v.Millesime)}, {"sexe", &v.Sexe}, {"valeur", &valeur}, {"statut", &v.Statut},
				{"nature", &v.Nature}, {"methode", &v.Methode}, {"retenue", &v.Retenue},
				{"couverture", &v.Couverture}, {"nombre_sources", &v.Sources}, {"part_max", &v.PartMax},
				{"methode_min", &v.Min}, {"methode_max", &v.Max}, {"ic95_bas", &v.IC95Bas}, {"ic95_haut", &v.IC95Haut},
				{"fiabilite", &v.Fiabilite}, {"source", &v.Source}, {"note", &v.Note},
				{"convention", &v.Convention}},
			next: func() (bool, error) {
				ok, err := loadValue()
				valeur = indicators.Opt{V: v.V, OK: v.Statut == indicators.Disponible}
				return ok, err
			},
			add: func() error {
				v.V = valeur.V
				if valeur.OK != (v.Statut == indicators.Disponible) {
					return fmt.Errorf("serie: %s %s %s: a figure is there only when its statut is disponible",
						v.Indicateur, v.Couche, v.Code)
				}
				e.Values = append(e.Values, v)
				return nil
			},
		}, {
			name: "ecart", title: "Écarts aux territoires de référence",
			fields: []field{{"indicateur", &gap.Indicateur}, {"couche", (*string)(&gap.Couche)}, {"code", &gap.Code},
				{"millesime", (*year)(&gap.Millesime)}, {"sexe", &gap.Sexe},
				{"couche_reference", (*string)(&gap.Reference)}, {"code_reference", &gap.ReferenceCode},
				{"valeur", &gap.Valeur}, {"valeur_reference", &gap.ValeurReference}, {"ecart", &gap.Ecart},
				{"unite", &gap.Unite}, {"rapport", &gap.Rapport}, {"reference_inclut", &gap.ReferenceInclut},
				{"statut", &gap.Statut}, {"motif", &gap.Motif},
				{"convention", &gap.Convention}},
			next: over(e.Ecarts, &gap), add: into(&e.Ecarts, &gap),
		}, {
			name: "evolution", title: "Évolutions des valeurs et des écarts entre deux millésimes",
			fields: []field{{"indicateur", &evol.Indicateur}, {"couche", (*string)(&evol.Couche)}, {"code", &evol.Code},
				{"depuis", &evol.Depuis}, {"millesime", (*year)(&evol.Millesime)}, {"sexe", &evol.Sexe},
				{"couche_reference", (*string)(&evol.Reference)}, {"code_reference", &evol.ReferenceCode},
				{"comparaison", &evol.Comparaison}, {"avant", &evol.Avant}, {"apres", &evol.Apres},
				{"evolution", &evol.Evolution}, {"unite", &evol.Unite}, {"seuil", &evol.Seuil}, {"verdict", &evol.Verdict},
				{"lecture", &evol.Lecture}, {"statut", &evol.Statut}, {"motif", &evol.Motif}, {"garde", &evol.Garde},
				{"convention", &evol.Convention}},
			next: over(e.Evolutions, &evol), add: into(&e.Evolutions, &evol),
		}, {
			name: "rang", title: "Rangs des quartiers, du plus élevé au plus bas",
			fields: []field{{"indicateur", &rank.Indicateur}, {"couche", (*string)(&rank.Couche)}, {"code", &rank.Code},
				{"millesime", (*year)(&rank.Millesime)}, {"sexe", &rank.Sexe}, {"valeur", &rank.Valeur}, {"place", &rank.Rang},
				{"ex_aequo", &rank.ExAequo}, {"sur", &rank.Sur}, {"statut", &rank.Statut}, {"motif", &rank.Motif},
				{"garde", &rank.Garde}, {"convention", &rank.Convention}},
			next: over(e.Rangs, &rank), add: into(&e.Rangs, &rank),
		}, {
			name: "ecart_sexe", title: "Écarts des femmes aux hommes",
			fields: []field{{"indicateur", &sexe.Indicateur}, {"couche", (*string)(&sexe.Couche)}, {"code", &sexe.Code},
				{"millesime", (*year)(&sexe.Millesime)}, {"sexe", &sexe.Sexe}, {"femmes", &sexe.Femmes}, {"hommes", &sexe.Hommes},
				{"ecart", &sexe.Ecart}, {"unite", &sexe.Unite}, {"rapport", &sexe.Rapport}, {"statut", &sexe.Statut},
				{"motif", &sexe.Motif}, {"convention", &sexe.Convention}},
			next: over(e.EcartsSexe, &sexe), add: into(&e.EcartsSexe, &sexe),
		}, {
			name: "concentration", title: "Concentration dans les quartiers d'un territoire",
			fields: []field{{"indicateur", &conc.Indicateur}, {"couche", (*string)(&conc.Couche)}, {"millesime", (*year)(&conc.Millesime)},
				{"sexe", &conc.Sexe}, {"couche_reference", (*string)(&conc.Reference)}, {"code_reference", &conc.ReferenceCode},
				{"quartiers", &conc.Quartiers}, {"part_quartiers", &conc.PartQuartiers}, {"part_population", &conc.PartPopulation},
				{"millesime_population", (*year)(&conc.MillesimePopulation)}, {"indice", &conc.Indice}, {"statut", &conc.Statut},
				{"motif", &conc.Motif}, {"convention", &conc.Convention}},
			next: over(e.Concentrations, &conc), add: into(&e.Concentrations, &conc),
		}, {
			name: "source", title: "Sources",
			fields: sourceFields(&src), next: over(e.Sources, &src), add: into(&e.Sources, &src),
		}, {
			name: "alerte", title: "Alertes à examiner avant publication",
			fields: []field{{"id", &al.ID}, {"genre", &al.Kind}, {"gravite", &al.Gravite}, {"objet", &al.Objet},
				{"message", &al.Message}, {"convention", &al.Convention}},
			next: over(e.Alertes, &al), add: into(&e.Alertes, &al),
		}, {
			name: "calibration", title: "Écart de chaque méthode au producteur, par indicateur et couche",
			fields: []field{{"indicateur", &cal.Indicateur}, {"couche", (*string)(&cal.Couche)}, {"millesime", (*year)(&cal.Millesime)},
				{"sexe", &cal.Sexe}, {"methode", &cal.Methode}, {"nombre", &cal.N}, {"unite", &cal.Unite}, {"ecart_moyen", &cal.Moyenne},
				{"ecart_absolu_moyen", &cal.Absolue}, {"ecart_median", &cal.Mediane}, {"zone_extreme", &cal.Pire},
				{"ecart_extreme", &cal.PireErreur}, {"rang_methode", &cal.Rang}},
			next: over(e.Calibrations, &cal), add: into(&e.Calibrations, &cal),
		}, {
			name: "decision", title: "Décisions : gardes levées, anomalies examinées",
			fields: []field{{"garde", &dec.Garde}, {"portee", &dec.Portee}, {"objet", &dec.Objet}, {"decision", &dec.Decision}, {"auteur", &dec.Auteur},
				{"motif", &dec.Motif}, {"date", &dec.Date}, {"empreinte", &dec.Empreinte}, {"convention", &dec.Convention}},
			next: over(e.Decisions, &dec), add: into(&e.Decisions, &dec),
		}, {
			name: "commentaire", title: "Commentaires des zones",
			fields: []field{{"code", &com.Code}, {"texte", &com.Texte}, {"auteur", &com.Auteur}, {"date", &com.Date}, {"a_relire", &com.Relire}},
			next:   over(e.Commentaires, &com), add: into(&e.Commentaires, &com),
		},
	}
}

// overlapTable is the pairs of every overlap set, with the codes and names of their zones for readers.
func overlapTable(e *indicators.Edition) table {
	var from, to geo.Layer
	var o geo.Overlap
	var codeFrom, nameFrom, codeTo, nameTo string
	set, pair := 0, 0
	return table{
		name: "recouvrement", title: "Recouvrements entre couches",
		fields: []field{{"couche_de", (*string)(&from)}, {"code_de", &codeFrom}, {"nom_de", &nameFrom},
			{"couche_vers", (*string)(&to)}, {"code_vers", &codeTo}, {"nom_vers", &nameTo},
			{"position_de", &o.From}, {"position_vers", &o.To}, {"aire_m2", &o.Area}, {"part_de", &o.ShareFrom},
			{"part_vers", &o.ShareTo}, {"marge_part", &o.Margin}, {"note", &o.Note}},
		next: func() (bool, error) {
			for set < len(e.Overlaps) && pair == len(e.Overlaps[set].Pairs) {
				set, pair = set+1, 0
			}
			if set == len(e.Overlaps) {
				return false, nil
			}
			from, to, o = e.Overlaps[set].From, e.Overlaps[set].To, e.Overlaps[set].Pairs[pair]
			a, b := e.Layer(from), e.Layer(to)
			if a == nil || b == nil || o.From < 0 || o.From >= len(a.Zones) || o.To < 0 || o.To >= len(b.Zones) {
				return false, fmt.Errorf("recouvrement: %s, %s: pair %d names a zone the edition does not hold", from, to, pair)
			}
			codeFrom, nameFrom = a.Zones[o.From].Code, a.Zones[o.From].Name
			codeTo, nameTo = b.Zones[o.To].Code, b.Zones[o.To].Name
			pair++
			return true, nil
		},
		add: func() error {
			for set < len(e.Overlaps) && (e.Overlaps[set].From != from || e.Overlaps[set].To != to) {
				set++
			}
			if set == len(e.Overlaps) {
				return fmt.Errorf("recouvrement: %s, %s: not among the edition's croisements, or out of order", from, to)
			}
			e.Overlaps[set].Pairs = append(e.Overlaps[set].Pairs, o)
			return nil
		},
	}
}

func sourceFields(s *indicators.Source) []field {
	return []field{{"id", &s.ID}, {"fiche", &s.Card}, {"fiche_sha256", &s.CardHash}, {"titre", &s.Title},
		{"producteur", &s.Producer}, {"licence", &s.Licence}, {"page", &s.Page}, {"fichier", &s.File},
		{"sha256", &s.SHA256}, {"octets", &s.Bytes}, {"edition_source", (*year)(&s.Edition)}, {"niveau", &s.Level},
		{"geographie", (*year)(&s.Vintage)}, {"lignes", &s.Rows}, {"lignes_retenues", &s.Kept},
		{"legende", &s.Caption}, {"codes_inconnus", (*words)(&s.Unknown)},
		{"remarques", (*words)(&s.Remarques)}, {"convention", &s.Convention}, {"depose", &s.Depose}}
}

// zoneTable writes the zones of one layer. Geometries go through the encoding of the store.
func zoneTable(s *geo.ZoneSet, name string, marshal func(orb.MultiPolygon, int) ([]byte, error)) table {
	var z geo.Zone
	var geom blob
	var area indicators.Opt
	load := over(s.Zones, &z)
	return table{
		name: name, title: cmp.Or(s.Title, string(s.Layer)), geometry: "MULTIPOLYGON",
		fields: []field{{"geom", &geom}, {"code", &z.Code}, {"nom", &z.Name}, {"communes", &z.Commune},
			{"membres", (*codes)(&z.Members)}, {"type", &z.Type}, {"aire_m2", &area}},
		next: func() (bool, error) {
			ok, err := load()
			geom, area = nil, indicators.Opt{}
			if !ok || len(z.Geom) == 0 {
				return ok, err
			}
			area = indicators.Some(geo.Area(z.Geom))
			if geom, err = marshal(z.Geom, s.EPSG); err != nil {
				err = fmt.Errorf("%s: zone %s: %w", s.Layer, z.Code, err)
			}
			return true, err
		},
	}
}

// The tables of facilities.
const (
	facilityName     = "equipement"
	facilityZoneName = "equipement_zone"
)

// facilityTable is the facilities of an edition. Points go through the encoding of the store.
func facilityTable(e *indicators.Edition, marshal func(orb.Point, int) ([]byte, error), unmarshal func([]byte) (orb.Point, error)) table {
	var q indicators.Equipement
	var geom blob
	epsg := e.EPSG()
	load := over(e.Equipements, &q)
	return table{
		name: facilityName, title: "Équipements", geometry: "POINT",
		fields: []field{{"geom", &geom}, {"code", &q.Code}, {"nom", &q.Nom}, {"theme", &q.Theme}, {"source", &q.Source}},
		next: func() (bool, error) {
			ok, err := load()
			if !ok || err != nil {
				return ok, err
			}
			if s := q.X + q.Y; math.IsNaN(s) || math.IsInf(s, 0) {
				return false, fmt.Errorf("equipement: %s: a coordinate is not a number: %v, %v", q.Code, q.X, q.Y)
			}
			geom, err = marshal(orb.Point{q.X, q.Y}, epsg)
			return true, err
		},
		add: func() error {
			p, err := unmarshal(geom)
			if err != nil {
				return fmt.Errorf("equipement: %s: %w", q.Code, err)
			}
			q.X, q.Y, q.Zones = p[0], p[1], nil
			e.Equipements = append(e.Equipements, q)
			return nil
		},
	}
}

// facilityZoneTable is the zones in which the facilities of an edition lie, which are read before it, with the
// names for readers.
func facilityZoneTable(e *indicators.Edition) table {
	var q indicators.Equipement
	var z indicators.EquipementZone
	var position int
	var name string
	names := indicators.NewNames(e)
	facility, zone := 0, 0
	return table{
		name: facilityZoneName, title: "Zones dans lesquelles se trouvent les équipements",
		fields: []field{{"position_equipement", &position}, {"code_equipement", &q.Code}, {"nom_equipement", &q.Nom},
			{"theme", &q.Theme}, {"couche", (*string)(&z.Couche)}, {"code", &z.Code}, {"nom", &name}},
		next: func() (bool, error) {
			for facility < len(e.Equipements) && zone == len(e.Equipements[facility].Zones) {
				facility, zone = facility+1, 0
			}
			if facility == len(e.Equipements) {
				return false, nil
			}
			q = e.Equipements[facility]
			z, position = q.Zones[zone], facility
			set := e.Layer(z.Couche)
			held := set != nil
			if held {
				_, held = set.Index(z.Code)
			}
			if !held {
				return false, fmt.Errorf("equipement_zone: %s: it lies in %s %s, a zone the edition does not hold", q.Code, z.Couche, z.Code)
			}
			name = names.Zone(z.Couche, z.Code)
			zone++
			return true, nil
		},
		add: func() error {
			if position < 0 || position >= len(e.Equipements) {
				return fmt.Errorf("equipement_zone: position %d: the edition holds %d facilities", position, len(e.Equipements))
			}
			q := &e.Equipements[position]
			q.Zones = append(q.Zones, z)
			return nil
		},
	}
}

// checkGeometry refuses coordinates that are no numbers, polygons without a shell and rings left open.
func checkGeometry(mp orb.MultiPolygon) error {
	for _, p := range mp {
		if len(p) == 0 {
			return fmt.Errorf("a polygon has no shell")
		}
		for _, r := range p {
			if len(r) < 4 || r[0] != r[len(r)-1] {
				return fmt.Errorf("a ring of %d points is not closed", len(r))
			}
			for _, pt := range r {
				if s := pt[0] + pt[1]; math.IsNaN(s) || math.IsInf(s, 0) {
					return fmt.Errorf("a coordinate is not a number: %v", pt)
				}
			}
		}
	}
	return nil
}

// tableName is the name of a layer's table in a GeoPackage: "iris_2016" for "iris-2016".
func tableName(l geo.Layer) string {
	b := []byte(strings.ToLower(string(l)))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b)
}

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// checkEdition refuses what no store could keep or tell apart.
func checkEdition(e *indicators.Edition) error {
	if !validID.MatchString(e.ID) {
		return fmt.Errorf("edition %q: its id may hold letters, digits, - and _ only", e.ID)
	}
	taken := map[string]geo.Layer{facilityName: facilityName, facilityZoneName: facilityZoneName}
	for _, t := range editionTables(&indicators.Edition{}) {
		taken[t.name] = geo.Layer(t.name)
	}
	for _, s := range e.Layers {
		name := tableName(s.Layer)
		if other, ok := taken[name]; ok || name == "" || strings.HasPrefix(name, "gpkg_") ||
			strings.HasPrefix(name, "rtree_") || strings.HasPrefix(name, "sqlite_") {
			return fmt.Errorf("edition %s: layer %q would be kept in a table %q, already that of %q: give it another level",
				e.ID, s.Layer, name, other)
		}
		taken[name] = s.Layer
	}
	if len(e.Equipements) > 0 && e.EPSG() == 0 {
		return fmt.Errorf("edition %s: facilities without a layer: no projection says where they are", e.ID)
	}
	for i := 1; i < len(e.Equipements); i++ {
		if indicators.CompareEquipements(e.Equipements[i-1], e.Equipements[i]) >= 0 {
			return fmt.Errorf("edition %s: facility %q is out of order, or there twice", e.ID, e.Equipements[i].Code)
		}
	}
	seen := map[[2]geo.Layer]bool{}
	for _, o := range e.Overlaps {
		if seen[[2]geo.Layer{o.From, o.To}] || strings.Contains(string(o.From), ">") {
			return fmt.Errorf("edition %s: the overlaps of %s and %s are there twice", e.ID, o.From, o.To)
		}
		seen[[2]geo.Layer{o.From, o.To}] = true
	}
	return nil
}

// An act is one line of the journal.
type act struct {
	action  string // "publier" or "retirer"
	edition string
	day, by string
}

// before is the edition that was published before this one, from the journal's publications and withdrawals;
// "" when there was none. A published edition that the journal does not know was put there by hand.
func before(journal []act, published string) string {
	var stack []string
	for _, a := range journal {
		switch top := len(stack) - 1; {
		case a.action == "publier" && (top < 0 || stack[top] != a.edition):
			stack = append(stack, a.edition)
		case a.action == "retirer" && top >= 0 && stack[top] == a.edition:
			stack = stack[:top]
		}
	}
	if i := slices.Index(stack, published); i >= 0 {
		for len(stack) > 0 && stack[len(stack)-1] != published {
			stack = stack[:len(stack)-1]
		}
		stack = stack[:len(stack)-1]
	}
	if len(stack) == 0 {
		return ""
	}
	return stack[len(stack)-1]
}
