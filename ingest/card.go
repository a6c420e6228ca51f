package ingest

import "observatoire/indicators"

// A Card (fiche) describes a published file or family of files: data, read from YAML. A key the reader does
// not know is an error.
type Card struct {
	ID       string `yaml:"id"`
	Kind     string `yaml:"kind"`  // "table", "layer", "composition" (which communes make up a zone), "passage" (where zones went) or "reference" (known, but no figures are read from it)
	Title    string `yaml:"title"` // in French
	Producer string `yaml:"producer"`
	Licence  string `yaml:"licence"`
	Page     string `yaml:"page"`    // where a person reads about it
	Caption  string `yaml:"caption"` // in French, for readers; {AAAA} is the edition_source
	Release  string `yaml:"release"` // usual month of release, in French
	Note     string `yaml:"note"`    // limits, in French

	// ReleaseMonth and ReleaseLag make the calendar: the month (1 to 12) in which the file of an edition is usually
	// published, and how many years after that edition.
	ReleaseMonth int    `yaml:"release_month"`
	ReleaseLag   int    `yaml:"release_lag"`
	Geography    string `yaml:"geography"`  // which boundaries the codes refer to, in French
	Unverified   bool   `yaml:"unverified"` // written from documentation, no published file at hand

	// Files are patterns of base names; {AAAA} or {AA} in one is the edition_source, the year of the file, and
	// {NIVEAU} a word of levels. A trailing .gz is understood.
	Files []string `yaml:"files"`

	// Downloads are the addresses of the files, by edition_source; "{AAAA}" stands for the years that have none. A word after
	// it tells several files of a year apart ("2021-COM").
	Downloads map[string]Download `yaml:"downloads"`

	Level string `yaml:"level"` // level of the zones
	// Levels is for a family that covers several: what stands at {NIVEAU} in the file's name, or in LevelColumn,
	// says which; without either, the name of the key that the file has. [Card.At] narrows such a card to one of them.
	Levels      map[string]LevelRule `yaml:"levels"`
	LevelColumn string               `yaml:"level_column"`

	Vintage    YearRule          `yaml:"vintage"`    // boundaries the codes refer to: a year, "edition", "edition+1", a map edition → year
	Layout     Layout            `yaml:"table"`      // only what cannot be told from the file
	Key        []string          `yaml:"key"`        // column of the zone code: the first that the file has; "DEP:2 + COM:3" joins columns, each brought to its width; "CODGEO#2" is the second of that name
	Width      int               `yaml:"key_width"`  // lost leading zeros are restored up to this width; 0: codes are left as they are
	KeyPrefix  []string          `yaml:"key_prefix"` // taken off a code that begins with it; {AAAA} is any year
	Where      map[string]Words  `yaml:"where"`      // column → the values of the rows to read; the others are left out
	Drop       []string          `yaml:"drop"`       // keys of aggregate rows, such as "Ensemble"
	Tokens     map[string]string `yaml:"tokens"`     // cell → statut, besides the usual s, ns, nd, so, ///
	Notes      map[string]string `yaml:"notes"`      // code in a NOTE column → statut, or "signale": present but flagged
	Protection Protection        `yaml:"protection"`

	// Precedence orders the files that give the same figure: the higher wins, and a difference is reported; at equal
	// precedence the latest edition.
	Precedence int                `yaml:"precedence"`
	Breaks     []indicators.Break `yaml:"breaks"`

	Variables []Variable `yaml:"variables"`
	Blocks    []Block    `yaml:"blocks"`   // variables that share their year, note, survey…
	Long      *Long      `yaml:"long"`     // the table has one figure a row
	Count     *Count     `yaml:"count"`    // the table has one row a facility, a dwelling…: they are counted
	Register  *Register  `yaml:"register"` // the rows of a long table also say what the indicators are
	// Totals says which variables should add up to another; a file where they do not is reported.
	Totals map[string][]string `yaml:"totals"`

	// Columns are those by which a reference is known, besides its key.
	Columns []string `yaml:"columns"`

	// For a layer: attributes of the zones, each the first the file has. For a composition: the commune
	// and the name of the zone it belongs to.
	Code      []string `yaml:"code"`
	Name      []string `yaml:"name"`
	Commune   []string `yaml:"commune"`
	Type      []string `yaml:"type"`
	CRS       string   `yaml:"crs"`       // only where the file does not say, such as "EPSG:2154"
	Schematic bool     `yaml:"schematic"` // contours drawn for demonstration

	// For a passage: the columns of a zone's code before and after, in whose names {AAAA} is the year of the geography; of the share of
	// the zone that went there, between 0 and 1, where there is one; and of the date or year of the change, where each row is one.
	Before []string `yaml:"before"`
	After  []string `yaml:"after"`
	Share  []string `yaml:"share"`
	Date   []string `yaml:"date"`

	Hash string `yaml:"-"` // sha256 of the card's own text, less its downloads: an address that moves changes no figure

	// Of a register read at one level: the column of levels and the words it may hold.
	levelColumn string
	levelWords  []string

	word string // of a card narrowed to a word of its levels
}

// A Layout tells what a reader cannot find out by itself.
type Layout struct {
	Separator string `yaml:"separator"`
	Encoding  string `yaml:"encoding"` // "utf-8" or "windows-1252"
	Decimal   string `yaml:"decimal"`  // "," or "."
	Sheet     string `yaml:"sheet"`
	HeaderRow int    `yaml:"header_row"` // 1 is the first row; the row of the codes where there are two
}

// A LevelRule is the level of some files or rows of a family, and the vintage of its boundaries where it is not the card's.
// In YAML a word is a level alone.
type LevelRule struct {
	Level   string    `yaml:"level"`
	Vintage *YearRule `yaml:"vintage"`
}

// A Variable says which columns hold one of the producer's variables.
type Variable struct {
	ID string `yaml:"id"` // stable across the years, such as "disp_q2"
	// Columns by sex: {AA} and {AAAA} in a name are the millésime; {S} the letter of the sex, none for all; "A + B" is
	// the sum of two columns.
	Columns SexColumns `yaml:"columns"`
	Label   string     `yaml:"label"` // in French, for the templates that partners fill in
	Traits  `yaml:",inline"`
}

// Traits are what variables of a table share.
type Traits struct {
	// Millesime is the year of the figures: a year, "edition", "edition-1", a map edition_source → year,
	// "column" (taken from {AA} in the column's name, all that match), or "inconnu".
	Millesime YearRule `yaml:"millesime"`
	Note      []string `yaml:"note"`     // names of the NOTE column: the first the file has
	Optional  bool     `yaml:"optional"` // some years do not have it
	Census    bool     `yaml:"census"`   // a count of the census survey: fragile under 200
	// Exploitation of the census: "principale", or "complementaire" (a sample in large communes).
	Exploitation string  `yaml:"exploitation"`
	Enquetes     Surveys `yaml:"enquetes"` // annual census surveys behind a millésime
}

// A Block gives the same traits to several variables, by id.
type Block struct {
	Traits    `yaml:",inline"`
	Variables map[string]SexColumns `yaml:"variables"`
}

// Protection is how the producer protects people in the figures: "aucune", "blanchiment" (small figures are left out) or "perturbation"
// (figures are moved: F + H ≠ T is then normal). In YAML a word, or a map: from this edition_source on.
type Protection map[int]string

// Surveys are the annual census surveys behind a millésime. In YAML "cycle", or a map millésime → years.
type Surveys struct {
	Cycle       bool
	ByMillesime map[int][]int
}

// Long names the columns of a table with one figure a row.
type Long struct {
	Variable string `yaml:"variable"` // the column that names the variable, unless Series does
	// Series are the variables, each with the values that its rows have in other columns; rows of none are left out.
	Series    map[string]map[string]Words `yaml:"series"`
	Sexe      string                      `yaml:"sexe"`
	Sexes     map[string]string           `yaml:"sexes"`     // the producer's codes, where they are not T, F, H
	Millesime string                      `yaml:"millesime"` // its column; without one the card's year says it
	Year      *YearRule                   `yaml:"year"`      // where there is no such column
	Value     string                      `yaml:"value"`
	Statut    string                      `yaml:"statut"`    // optional
	Statuts   map[string]string           `yaml:"statuts"`   // the producer's codes → statut, or "signale"; an empty one says nothing
	Reference string                      `yaml:"reference"` // optional: where in the document the figure stands
	Note      string                      `yaml:"note"`      // optional: a flag such as "reconstitué"

	Census       bool    `yaml:"census"` // as of a variable
	Exploitation string  `yaml:"exploitation"`
	Enquetes     Surveys `yaml:"enquetes"`
}

// A Count makes figures of a table that has one row a facility or a dwelling: how many there are in each zone, and in each
// category. Where levels are told by key, each key the file has gives its own zones (see [Card.Counted]).
type Count struct {
	Year YearRule `yaml:"year"` // the millésime
	// Series are the variables, each with the values that the rows it counts have in other columns; none: all the rows.
	Series map[string]map[string]Words `yaml:"series"`
	Weight []string                    `yaml:"weight"` // the column that says how many each row stands for: the first the file has; without one, a row is one
	Sums   map[string]string           `yaml:"sums"`   // variable → the column added over all the rows of the zone
	// Empty are the columns in which an empty cell is a category like another. Elsewhere the row may be of any, and the counts
	// that ask for the column are unknown in its zone.
	Empty    []string `yaml:"empty"`
	Unplaced []string `yaml:"unplaced"` // codes of rows known to be in no one zone, * being anything: counted in none, and reported
}

// A YearRule gives a year from the edition_source of a file. The zero rule gives none.
type YearRule struct {
	Fixed     int         // a year of its own
	Offset    *int        // the edition_source plus this: "edition", "edition+1"
	ByEdition map[int]int // edition_source → year; one that is not in it is unknown
	Column    bool        // read from the name of the column
}

// SexColumns are the candidate column names of a variable, by sex ("T", "F", "H"). In YAML a string or a list
// stands for sex T.
type SexColumns map[string][]string

// Words are values of a column; in YAML one may stand alone.
type Words []string
