package indicators

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"observatoire/geo"
)

// Statut tells a true zero from an absence.
type Statut uint8

const (
	Disponible      Statut = iota
	Secret                 // withheld by the producer (secret statistique)
	NonSignificatif        // too few respondents
	NonDisponible          // no source covers the zone
	SansObjet              // the question does not arise there
)

var statuts = [...]string{"disponible", "secret", "non_significatif", "non_disponible", "sans_objet"}

func (s Statut) String() string { return statuts[min(int(s), len(statuts)-1)] }

// ParseStatut reads the word a Statut is written with.
func ParseStatut(s string) (Statut, error) {
	if i := slices.Index(statuts[:], s); i >= 0 {
		return Statut(i), nil
	}
	return 0, fmt.Errorf("unknown statut %q: one of %s", s, strings.Join(statuts[:], ", "))
}

// Nature says whether a figure is its producer's own or an estimate of ours.
type Nature uint8

const (
	Producteur Nature = iota
	Estimation
)

func (n Nature) String() string {
	if n == Producteur {
		return "producteur"
	}
	return "estimation"
}

// Fiabilite is how far a figure may be relied on. The zero value is for figures that are absent.
type Fiabilite uint8

const (
	SansFiabilite Fiabilite = iota
	Insuffisante
	Fragile
	Moyenne
	Bonne
)

var fiabilites = [...]string{"", "insuffisante", "fragile", "moyenne", "bonne"}

func (f Fiabilite) String() string { return fiabilites[min(int(f), len(fiabilites)-1)] }

// The methods a value may name.
const (
	MethodeProducteur  = "producteur"          // the producer's own value for the zone
	MethodeAgregation  = "agregation"          // sum over the zones that make it up exactly
	MethodePassage     = "passage"             // carried from another geography by a table of passage
	MethodePopulation  = "population"          // weights of a population layer
	MethodeCalage      = "calage"              // surface shares scaled to the zone's known population
	MethodeSurface     = "surface"             // surface shares
	MethodeConsolides  = "iris_consolides"     // whole cut IRIS, pooled
	MethodeMoyenne     = "iris_moyenne"        // plain mean of the cut IRIS (the contrat's practice)
	MethodePrincipal   = "iris_principal"      // the largest cut IRIS alone
	MethodeDeciles     = "mediane_par_deciles" // quantile of a mixture of piecewise-linear distributions
	MethodeMedPonderee = "mediane_ponderee"    // mean of medians weighted by population: a last resort
)

// Opt is a number that may be absent.
type Opt struct {
	V  float64
	OK bool
}

// Some is the number v, present.
func Some(v float64) Opt { return Opt{v, true} }

// A Key names one series: an indicator, on one layer, for one millésime and one sex.
type Key struct {
	Indicateur string
	Couche     geo.Layer
	// Millesime is the year of the figures. Where the producer does not say it is not positive: less the
	// edition_source of the file, so that the figures of two files stay apart. No gap, no rank then.
	Millesime int
	Sexe      string // "F", "H" or "T"
}

// A Value is one figure for one zone by one method. V has a meaning only when Statut is Disponible.
type Value struct {
	Key
	Code       string
	V          float64
	Statut     Statut
	Nature     Nature
	Fiabilite  Fiabilite
	Retenue    bool // the value shown; the others of the same key and zone are alternatives
	Methode    string
	Couverture Opt     // share of the zone behind V, between 0 and 1
	Sources    int     // number of source zones behind V
	PartMax    float64 // largest share of V's weight coming from one source zone
	Min, Max   Opt     // range over the applicable methods: not a confidence interval
	IC95Bas    Opt
	IC95Haut   Opt
	Source     string // files and columns, or lines of a document, behind V
	Note       string // in French, for readers
	Convention string // the convention V may be shown under; empty: to everybody
}

// CompareValues orders values by indicator, layer, code, millésime, sex, the shown one first, then method.
func CompareValues(a, b Value) int {
	retenue := 0
	if a.Retenue != b.Retenue {
		retenue = 1
		if a.Retenue {
			retenue = -1
		}
	}
	return cmp.Or(cmp.Compare(a.Indicateur, b.Indicateur), cmp.Compare(a.Couche, b.Couche),
		cmp.Compare(a.Code, b.Code), cmp.Compare(a.Millesime, b.Millesime), cmp.Compare(a.Sexe, b.Sexe),
		retenue, cmp.Compare(a.Methode, b.Methode))
}

// An Ecart is the gap between a zone's value and its reference's, for one key.
type Ecart struct {
	Key
	Code            string
	Reference       geo.Layer // layer of the reference zone, such as "commune-2018"
	ReferenceCode   string
	Valeur          Opt
	ValeurReference Opt
	Ecart           Opt    // in Unite
	Unite           string // "points", "%" or the indicator's own unit
	Rapport         Opt    // value over reference
	ReferenceInclut bool   // the reference includes the zone
	Statut          Statut // Disponible when Ecart is present
	Motif           string // in French: why there is no gap
	Convention      string // as that of the two values
}

// A Column is one measured column of a parsed table: one variable, one sex, one millésime.
type Column struct {
	Source    string // id of the source
	Level     string // level of its zones
	Vintage   int    // vintage of the zones' boundaries, 0 when the source does not say
	Variable  string
	Sexe      string
	Millesime int    // 0: unknown
	Header    string // the producer's own name of the column
	Codes     []string
	V         []float64
	Statut    []Statut
	Signale   []bool   // flagged by the producer although present; nil when none is
	Ref       []string // where each figure stands, when the source says it cell by cell; else nil

	Convention string // the convention its figures came under; empty: open data
	Somme      bool   // the figures are sums, made of points that lie in each zone
	// Corrections says, in French, why and by whom a figure was corrected; nil when none was.
	Corrections []string
	// Passed is what a table of passage did to each figure, and Carried says it in French; nil when none did.
	Passed  []Passed
	Carried []string

	// What the card of the source says of the variable.
	Exploitation string // of the census: "principale", "complementaire", or empty
	Census       bool   // a figure of the census survey
	Enquetes     []int  // the annual census surveys behind the millésime, in order; nil when it is no census figure
}

// A Break is a break in a series: from this millésime on the variables, or every one of the source when none is named,
// do not compare with what they were.
type Break struct {
	Variables []string `yaml:"variables"`
	Millesime int      `yaml:"millesime"`
	Text      string   `yaml:"text"` // in French
}

// A Source is one file that was read, and how.
type Source struct {
	ID        string // card and file name, such as "filosofi-iris/BASE_TD_FILO_DISP_IRIS_2019.csv.gz"
	Card      string // id of the card
	CardHash  string // sha256 of the card as read: the same file under another card is another reading
	Title     string // in French
	Producer  string
	Licence   string
	Page      string
	File      string // base name
	SHA256    string
	Bytes     int64
	Edition   int      // edition_source: the year of the file
	Level     string   // "iris", "qpv", …
	Vintage   int      // boundaries the codes refer to, 0 when not said
	Rows      int      // data rows read
	Kept      int      // rows of the project's territory
	Caption   string   // French caption for readers
	Unknown   []string // codes of the project's départements that no layer holds, each with its row
	Remarques []string // in French: what the reader noticed that a person should know

	Convention string // of a deposit: the convention it came under, and the day it was handed in, AAAA-MM-JJ
	Depose     string

	// What its card says of the source.
	Protection string  // "aucune", "blanchiment", "perturbation", or empty when not known
	Precedence int     // of two sources that give the same figure the higher wins
	Breaks     []Break // in its series
	Unverified bool    // its card was written from documentation alone
}

// An Alerte is something a person should look at before publishing.
type Alerte struct {
	ID      string // stable: kind, key and zone
	Kind    string // "couverture", "saut", "doublon", "geometrie", "code_inconnu", "identique", "millesime"
	Gravite string // "information", "attention", "bloquante"
	Objet   string // what it is about: a zone, a file, an indicator
	Message string // in French

	Convention string // the convention the figures it quotes came under
}

// An OverlapSet is every pair of positive area between two layers.
type OverlapSet struct {
	From, To geo.Layer
	Pairs    []geo.Overlap // ordered by From, To: positions in the edition's layers
}

// An Edition is the complete, immutable result of a run.
type Edition struct {
	ID          string        // derived from the inputs: the same inputs give the same edition
	Title       string        // of the project
	Schematic   bool          // some contours are drawn for demonstration
	Manifest    []byte        // JSON: inputs with sha256, card and rows; parameters; program version
	Layers      []geo.ZoneSet // ordered by layer
	Overlaps    []OverlapSet  // ordered by From, To
	Indicators  []Definition  // those that have a value, in catalogue order
	Values      []Value       // ordered by CompareValues
	Ecarts      []Ecart       // ordered by key, code, reference
	Sources     []Source      // ordered by ID
	Alertes     []Alerte      // ordered by ID
	Equipements []Equipement  // ordered by code

	Calibrations   []Calibration   // in catalogue order, then by layer, method, millésime and sex
	Evolutions     []Evolution     // ordered by key less the millésime, code, reference, then millésimes
	Rangs          []Rang          // ordered by key and code
	EcartsSexe     []EcartSexe     // ordered by key and code
	Concentrations []Concentration // ordered by key, then territory

	// Decisions are those the edition was published under, or that stood when it was made: they do not make another edition of it.
	Decisions    []Decision    // ordered by guard, then what it is about
	Commentaires []Commentaire // ordered by code
}

// Layer returns the edition's layer of that name, or nil.
func (e *Edition) Layer(l geo.Layer) *geo.ZoneSet {
	for i := range e.Layers {
		if e.Layers[i].Layer == l {
			return &e.Layers[i]
		}
	}
	return nil
}

// Etat is where an edition stands.
type Etat string

const (
	Brouillon Etat = "brouillon"
	Publiee   Etat = "publiée"
	Ancienne  Etat = "ancienne" // was published once
)

// EditionInfo is what the list of editions shows.
type EditionInfo struct {
	ID         string
	Title      string
	Etat       Etat
	PublieePar string // who published it
	PublieeLe  string // date, AAAA-MM-JJ
}

// Shown are the values that are shown: one for each key and zone.
func Shown(values []Value) []Value {
	out := make([]Value, 0, len(values))
	for _, v := range values {
		if v.Retenue {
			out = append(out, v)
		}
	}
	return out
}
