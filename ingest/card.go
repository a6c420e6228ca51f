package ingest

// A Card (fiche) describes a published file or family of files: data, read from YAML. A key the reader does
// not know is an error.
type Card struct {
	ID       string `yaml:"id"`
	Kind     string `yaml:"kind"`  // "table", "layer" or "composition" (which communes make up a zone)
	Title    string `yaml:"title"` // in French
	Producer string `yaml:"producer"`
	Licence  string `yaml:"licence"`
	Page     string `yaml:"page"`    // where a person reads about it
	Caption  string `yaml:"caption"` // in French, for readers; {AAAA} is the edition_source
	Release  string `yaml:"release"` // usual month of release, in French
	Note     string `yaml:"note"`    // limits and breaks, in French

	// Files are patterns of base names; {AAAA} or {AA} in one is the edition_source, the year of the file.
	// A trailing .gz is understood.
	Files []string `yaml:"files"`

	// Downloads are the addresses of the files, by edition_source; "{AAAA}" stands for the years that have none.
	Downloads map[string]Download `yaml:"downloads"`

	Level      string            `yaml:"level"`      // level of the zones
	Vintage    YearRule          `yaml:"vintage"`    // boundaries the codes refer to: a year, "edition", "edition+1", a map edition → year
	Layout     Layout            `yaml:"table"`      // only what cannot be told from the file
	Key        []string          `yaml:"key"`        // column of the zone code: the first that the file has
	Width      int               `yaml:"key_width"`  // lost leading zeros are restored up to this width; 0: codes are left as they are
	Drop       []string          `yaml:"drop"`       // keys of aggregate rows, such as "Ensemble"
	Tokens     map[string]string `yaml:"tokens"`     // cell → statut, besides the usual s, ns, nd, so, ///
	Notes      map[string]string `yaml:"notes"`      // code in a NOTE column → statut, or "signale": present but flagged
	Protection string            `yaml:"protection"` // "aucune", "blanchiment" or "perturbation"

	Variables []Variable `yaml:"variables"`
	Long      *Long      `yaml:"long"` // the table has one figure a row

	// For a layer: attributes of the zones, each the first the file has. For a composition: the commune
	// and the name of the zone it belongs to.
	Code      []string `yaml:"code"`
	Name      []string `yaml:"name"`
	Commune   []string `yaml:"commune"`
	Type      []string `yaml:"type"`
	CRS       string   `yaml:"crs"`       // only where the file does not say, such as "EPSG:2154"
	Schematic bool     `yaml:"schematic"` // contours drawn for demonstration

	Hash string `yaml:"-"` // sha256 of the card's own text
}

// A Layout tells what a reader cannot find out by itself.
type Layout struct {
	Separator string `yaml:"separator"`
	Encoding  string `yaml:"encoding"` // "utf-8" or "windows-1252"
	Decimal   string `yaml:"decimal"`  // "," or "."
	Sheet     string `yaml:"sheet"`
	HeaderRow int    `yaml:"header_row"` // 1 is the first row; the row of the codes where there are two
}

// A Variable says which columns hold one of the producer's variables.
type Variable struct {
	ID      string     `yaml:"id"`      // stable across the years, such as "disp_q2"
	Columns SexColumns `yaml:"columns"` // by sex; {AA} and {AAAA} in a name are the millésime
	// Millesime is the year of the figures: a year, "edition", "edition-1", a map edition_source → year,
	// "column" (taken from {AA} in the column's name, all that match), or "inconnu".
	Millesime YearRule `yaml:"millesime"`
	Note      []string `yaml:"note"`     // names of its NOTE column: the first the file has
	Optional  bool     `yaml:"optional"` // some years do not have it
	Census    bool     `yaml:"census"`   // a count of the census survey: fragile under 200
}

// Long names the columns of a table with one figure a row.
type Long struct {
	Variable  string `yaml:"variable"`
	Sexe      string `yaml:"sexe"`
	Millesime string `yaml:"millesime"`
	Value     string `yaml:"value"`
	Statut    string `yaml:"statut"`    // optional
	Reference string `yaml:"reference"` // optional: where in the document the figure stands
	Note      string `yaml:"note"`      // optional: a flag such as "reconstitué"
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
