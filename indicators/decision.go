package indicators

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Decision is what someone decided on an edition, as the project wrote it: a guard that does not hold, or what becomes of an anomaly.
type Decision struct {
	Garde     string `json:"garde"`           // the guard, or [DecisionAnomalie]
	Portee    string `json:"portee"`          // what the guard does not hold for, as in [Derogation]; or the id of the anomaly
	Objet     string `json:"objet,omitempty"` // of the anomaly
	Decision  string `json:"decision"`        // [DecisionLeve] of a guard; "accepte", "corrige" or "ecarte" of an anomaly
	Auteur    string `json:"auteur"`
	Motif     string `json:"motif"`
	Date      string `json:"date"`                // AAAA-MM-JJ, as written
	Empreinte string `json:"empreinte,omitempty"` // of the content of the anomaly decided on

	Convention string `json:"convention,omitempty"` // as that of the anomaly
}

const (
	DecisionAnomalie = "anomalie"
	DecisionLeve     = "leve"
)

// Waiver is the decision by which a guard does not hold.
func (d Derogation) Waiver() Decision {
	return Decision{Garde: d.Garde, Portee: d.Portee, Decision: DecisionLeve, Auteur: d.Auteur, Motif: d.Motif, Date: d.Date}
}

// A Commentaire is what someone wrote of a zone, and whether its figures are still those it was written on.
type Commentaire struct {
	Code   string `json:"code"`
	Texte  string `json:"texte"` // Markdown, in French
	Auteur string `json:"auteur,omitempty"`
	Date   string `json:"date,omitempty"`     // AAAA-MM-JJ, as written
	Relire string `json:"a_relire,omitempty"` // in French: why it has to be read again; empty while its figures stand
}

// Content is what an anomaly says, whatever its words: its figures, codes, names of columns and quotations, in their order. A decision
// on it holds as long as they stand.
func (a Alerte) Content() []string {
	out := []string{a.Kind, a.Gravite, a.Objet}
	quoted := false
	for i, part := range strings.FieldsFunc(a.Message, func(r rune) bool { return strings.ContainsRune("«»\"“”", r) }) {
		if quoted = i%2 == 1; quoted {
			out = append(out, strings.TrimSpace(part))
			continue
		}
		for word := range strings.FieldsSeq(part) {
			word = strings.Trim(word, ".,;:()[]{}…'’")
			if telling(word) {
				out = append(out, word)
			}
		}
	}
	return out
}

// telling says whether a word is a figure, a code or the name of a column: one that holds a digit or _, or capitals alone.
func telling(word string) bool {
	letters := 0
	for _, r := range word {
		switch {
		case unicode.IsDigit(r) || r == '_':
			return true
		case unicode.IsUpper(r):
			letters++
		default:
			return false
		}
	}
	return letters > 1
}

// Fingerprints digest the open figures of a zone that an edition shows, by indicator, as they are read: a change beyond the decimals
// of the indicator is none.
func Fingerprints(e *Edition, code string) map[string]string {
	decimals := map[string]int{}
	for _, d := range e.Indicators {
		decimals[d.ID] = d.Decimals
	}
	lines := map[string][]string{}
	for i := range e.Values { // in order
		v := &e.Values[i]
		if v.Code != code || !v.Retenue || v.Convention != "" {
			continue
		}
		shown := ""
		if v.Statut == Disponible {
			shown = FrenchNumber(v.V, decimals[v.Indicateur])
		}
		lines[v.Indicateur] = append(lines[v.Indicateur], fmt.Sprintf("%s %d %s %s %s", v.Couche, v.Millesime, v.Sexe, v.Statut, shown))
	}
	out := map[string]string{}
	for id, list := range lines {
		out[id] = digestOf(list)[:8]
	}
	return out
}

// MovedSince says in French which figures of a zone are not those a comment was written on; only of some indicators where it names
// them. It is empty when none moved.
func MovedSince(before, now map[string]string, only []string) string {
	var moved, added, gone []string
	for id, x := range now {
		if len(only) > 0 && !slices.Contains(only, id) {
			continue
		}
		switch y, ok := before[id]; {
		case !ok:
			added = append(added, id)
		case x != y:
			moved = append(moved, id)
		}
	}
	for id := range before {
		if _, ok := now[id]; !ok && (len(only) == 0 || slices.Contains(only, id)) {
			gone = append(gone, id)
		}
	}
	var parts []string
	for _, p := range []struct {
		title string
		list  []string
	}{{"ont changé ou ont un millésime de plus", moved}, {"sont nouveaux", added}, {"n'y sont plus", gone}} {
		if len(p.list) > 0 {
			parts = append(parts, p.title+" : "+some(p.list, 8))
		}
	}
	return strings.Join(parts, " ; ")
}
