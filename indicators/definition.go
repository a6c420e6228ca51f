package indicators

import (
	"fmt"
	"slices"
	"strings"
)

// A Rule says how figures of an indicator combine over zones.
type Rule string

const (
	Somme    Rule = "somme"    // counts add up, split by weight
	Ratio    Rule = "ratio"    // both terms are summed, then divided
	Mediane  Rule = "mediane"  // never averaged in silence
	Quantile Rule = "quantile" // as a median
	Aucune   Rule = "aucune"   // does not combine
)

// A Definition says what an indicator is: data, read from indicators.yaml.
type Definition struct {
	ID        string   `yaml:"id" json:"id"`
	Label     string   `yaml:"label" json:"label"` // in French, stating its base
	Theme     string   `yaml:"theme" json:"theme"`
	Unit      string   `yaml:"unit" json:"unit"`           // "%", "€/an", "habitants", "ratio", …
	Direction string   `yaml:"direction" json:"direction"` // "hausse_favorable", "hausse_defavorable" or "neutre"
	Rule      Rule     `yaml:"rule" json:"rule"`
	Sexes     []string `yaml:"sexes" json:"sexes"`       // those that may exist, "T" by default
	Decimals  int      `yaml:"decimals" json:"decimals"` // for readers; the series keep full precision

	// Value is the variable that is the indicator itself, as a producer publishes it.
	Value string `yaml:"value,omitempty" json:"value,omitempty"`
	// Numerator over Denominator, times Scale, is a ratio; Numerator alone is a sum. Several variables add up.
	Numerator   []string `yaml:"numerator,omitempty" json:"numerator,omitempty"`
	Denominator []string `yaml:"denominator,omitempty" json:"denominator,omitempty"`
	Scale       float64  `yaml:"scale,omitempty" json:"scale,omitempty"` // 100 for percentages
	// Deciles are the variables D1…D9 of the distribution a median or quantile belongs to, and Weight the
	// variable that weights it (persons).
	Deciles []string `yaml:"deciles,omitempty" json:"deciles,omitempty"`
	Weight  string   `yaml:"weight,omitempty" json:"weight,omitempty"`
	// Base is whom a census percentage is of, where no source gives its two terms: its sampling error depends on it.
	Base *Base `yaml:"base,omitempty" json:"base,omitempty"`

	// Of is the indicator whose distribution this one is read from: its deciles and weight hold here too. Quantile
	// (between 0 and 1) is the point read; divided by the point Over when that is given, for a rapport interdécile.
	Of       string  `yaml:"of,omitempty" json:"of,omitempty"`
	Quantile float64 `yaml:"quantile,omitempty" json:"quantile,omitempty"`
	Over     float64 `yaml:"over,omitempty" json:"over,omitempty"`
	// Under asks instead for the share of persons under Under times the national value of Of in the same year; where no
	// source gives that, under the amount Thresholds gives for the year.
	Under      float64         `yaml:"under,omitempty" json:"under,omitempty"`
	Thresholds map[int]float64 `yaml:"thresholds,omitempty" json:"thresholds,omitempty"`

	Unbounded bool `yaml:"unbounded,omitempty" json:"unbounded,omitempty"` // a percentage that may lie outside 0–100, a count that may be negative
	// Registre says that it is of a register: known of the zones it names only, and compared to nothing.
	Registre bool `yaml:"-" json:"registre,omitempty"`

	// Methodes is the order the methods of the quarters were found to deserve against the producers' values, in an edition
	// where they could be compared; else that of the rule holds.
	Methodes []string `yaml:"-" json:"methodes,omitempty"`

	Note string `yaml:"note,omitempty" json:"note,omitempty"` // limits, breaks: in French
}

// Variables are those whose figures the indicator is made of, or is judged by.
func (d Definition) Variables() []string {
	names := slices.Concat([]string{d.Value, d.Weight}, d.Numerator, d.Denominator, d.Deciles)
	if d.Base != nil {
		names = append(names, d.Base.Own, d.Base.Variable)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// Used are the variables whose figures a computation of some definitions asks for.
func Used(defs []Definition) map[string]bool {
	used := map[string]bool{populationVariable: true}
	for _, d := range defs {
		for _, name := range d.Variables() {
			used[name] = true
		}
	}
	return used
}

// Formula is how the indicator is made, for readers.
func (d Definition) Formula() string {
	var s string
	switch {
	case len(d.Denominator) > 0:
		s = sum(d.Numerator) + " / " + sum(d.Denominator)
		if d.Scale != 0 && d.Scale != 1 {
			s = FormatNumber(d.Scale) + " × " + s
		}
		if d.Value != "" {
			s = d.Value + ", sinon " + s
		}
	case len(d.Numerator) > 0:
		s = strings.Join(d.Numerator, " + ")
		if d.Value != "" {
			s = d.Value + ", sinon " + s
		}
	case d.Under > 0:
		s = fmt.Sprintf("%s, sinon part sous %s × %s national, lue sur les déciles", d.Value, FormatNumber(d.Under), d.Of)
	case d.Over > 0:
		s = fmt.Sprintf("%s, sinon quantile %s / quantile %s, lus sur les déciles", d.Value, FormatNumber(d.Quantile), FormatNumber(d.Over))
	case d.Quantile > 0:
		s = fmt.Sprintf("%s, sinon quantile %s lu sur les déciles", d.Value, FormatNumber(d.Quantile))
	default:
		s = d.Value
	}
	return s
}

// sum writes variables that add up, as a term of a ratio.
func sum(variables []string) string {
	if len(variables) == 1 {
		return variables[0]
	}
	return "(" + strings.Join(variables, " + ") + ")"
}

// Population is whom or what the indicator is of, as its label states it between brackets: "parmi les actifs de 15 à 64 ans".
// It is empty where the label states none.
func (d Definition) Population() string {
	for _, word := range []string{"(parmi ", "(pour 100 ", "(moins de "} {
		if _, rest, ok := strings.Cut(d.Label, word); ok {
			if rest, ok = strings.CutSuffix(rest, ")"); ok {
				return word[1:] + rest
			}
		}
	}
	return ""
}

// MethodsOf are the methods a rule allows, in the order that holds until producers' values have measured them.
func MethodsOf(r Rule) []string { return methodOrder[r] }
