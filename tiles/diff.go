package tiles

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"

	"observatoire/indicators"
)

// Editions is where the page of differences reads the editions it compares, besides the one served.
type Editions interface {
	Editions(ctx context.Context) ([]indicators.EditionInfo, error)
	Edition(ctx context.Context, id string) (*indicators.Edition, error)
}

var (
	//go:embed diff.html.tmpl
	diffSource   string
	diffTemplate = template.Must(template.Must(template.New("diff").Parse(pageSource)).Parse(diffSource))
)

// diffRows is how many movements of a kind the page lists: those that moved most. The CSV has them all.
const diffRows = 1000

// A diffView is the page of differences.
type diffView struct {
	CSS     template.CSS
	Title   string
	De, A   string
	Notes   []string
	Compare int
	Kinds   []diffKind
	Causes  []diffCause
	Largest []diffRow
}

// A diffKind is the movements of values, gaps, evolutions or ranks.
type diffKind struct {
	Title string
	Name  string // within a sentence
	N     int
	Rows  []diffRow
	Left  int
}

type diffCause struct {
	Label, Meaning string
	Counts         []int // by kind
}

type diffRow struct {
	Indicateur, Zone, Couche, Annee, Sexe    string
	Reference, Avant, Apres, Difference, Why string
	Detail                                   string
}

var causeMeanings = map[indicators.Cause]string{
	indicators.CauseDonnees:    "un fichier sur lequel le chiffre repose a été ajouté, retiré, ou son contenu a changé",
	indicators.CausePerimetre:  "le contour de la zone, sa composition, ou les parts des zones qu'elle recoupe ont changé",
	indicators.CauseMethode:    "la définition de l'indicateur, la méthode ou un paramètre du projet a changé",
	indicators.CauseFiche:      "le même fichier est lu autrement",
	indicators.CauseCorrection: "une correction du projet a été ajoutée, modifiée ou levée",
	indicators.CauseDecision:   "une décision nommée lève une garde, ou ne la lève plus",
	indicators.CauseProgramme:  "aucune entrée connue n'explique le changement : le programme de calcul",
}

// WriteDiff writes what moved between two editions as a page that stands alone: no other file, no other host.
func WriteDiff(w io.Writer, title string, d *indicators.Differences, defs []indicators.Definition) error {
	return diffTemplate.ExecuteTemplate(w, "diff", newDiffView(title, d, defs))
}

// newDiffView words the differences.
func newDiffView(title string, d *indicators.Differences, defs []indicators.Definition) *diffView {
	v := &diffView{CSS: template.CSS(pageCSS), Title: title, De: d.De, A: d.A, Notes: d.Notes, Compare: d.Comparees}
	labels := map[string]indicators.Definition{}
	for _, x := range defs {
		labels[x.ID] = x
	}
	row := func(m indicators.Mouvement) diffRow {
		def := labels[m.Indicateur]
		decimals := 1
		if def.ID != "" {
			decimals = def.Decimals
		}
		if m.Objet != indicators.ObjetValeur {
			decimals = max(1, decimals)
		}
		// Enough decimals for a movement to be seen.
		if x := m.Difference(); x.OK {
			for decimals < 6 && x.V != 0 && indicators.FrenchNumber(m.Avant.V, decimals) == indicators.FrenchNumber(m.Apres.V, decimals) {
				decimals++
			}
		}
		figure := func(o indicators.Opt, statut string) string {
			switch {
			case statut == "":
				return "absent de l'édition"
			case !o.OK:
				return strings.ReplaceAll(statut, "_", " ")
			}
			text := strings.TrimSpace(indicators.FrenchNumber(o.V, decimals) + " " + m.Unite)
			if m.Objet == indicators.ObjetEvolution && statut != "disponible" {
				text += " (" + statut + ")"
			}
			return text
		}
		out := diffRow{Indicateur: cmp.Or(def.Label, m.Indicateur), Zone: m.Nom, Couche: string(m.Couche), Annee: indicators.LabelMillesime(m.Millesime),
			Sexe: sexeFR(m.Sexe), Avant: figure(m.Avant, m.StatutAvant), Apres: figure(m.Apres, m.StatutApres), Why: m.CausesText(), Detail: m.Detail}
		if m.Nom != m.Code {
			out.Zone += " (" + m.Code + ")"
		}
		if m.Depuis > 0 {
			out.Annee = fmt.Sprintf("%d–%s", m.Depuis, out.Annee)
		}
		if m.Reference != "" {
			out.Reference = fmt.Sprintf("%s (%s)", m.ReferenceCode, m.Reference)
		}
		if x := m.Difference(); x.OK {
			out.Difference = indicators.FrenchSigned(x.V, decimals)
		}
		return out
	}
	counts := make([]map[indicators.Cause]int, len(indicators.Objets))
	for i, o := range indicators.Objets {
		counts[i] = d.Counts(o.ID)
		list := d.Of(o.ID)
		kind := diffKind{Title: o.Titre, Name: strings.ToLower(o.Titre), N: len(list)}
		if len(list) > diffRows {
			kind.Left = len(list) - diffRows
			list = indicators.Largest(list, diffRows)
		}
		for _, m := range list {
			kind.Rows = append(kind.Rows, row(m))
		}
		v.Kinds = append(v.Kinds, kind)
	}
	for _, c := range indicators.Causes {
		x, n := diffCause{Label: c.Label(), Meaning: causeMeanings[c]}, 0
		for i := range counts {
			x.Counts = append(x.Counts, counts[i][c])
			n += counts[i][c]
		}
		if n > 0 {
			v.Causes = append(v.Causes, x)
		}
	}
	for _, m := range indicators.Largest(d.Of(indicators.ObjetValeur), 10) {
		if m.Difference().OK {
			v.Largest = append(v.Largest, row(m))
		}
	}
	return v
}

// comparable are the editions of the store that may be shown: drafts are nobody's to see, but the one that is served.
func (s *Server) comparable(ctx context.Context, p *published) ([]indicators.EditionInfo, error) {
	if s.o.Editions == nil {
		return nil, notFound("Ce service n'a pas accès aux autres éditions.")
	}
	list, err := s.o.Editions.Editions(ctx)
	return slices.DeleteFunc(list, func(e indicators.EditionInfo) bool {
		return e.Etat == indicators.Brouillon && e.ID != p.edition.ID
	}), err
}

// handleComparable lists them.
func (s *Server) handleComparable(w http.ResponseWriter, r *http.Request, p *published, _ query) error {
	list, err := s.comparable(r.Context(), p)
	if err != nil {
		return err
	}
	type edition struct {
		ID    string `json:"id"`
		Title string `json:"titre"`
		Etat  string `json:"etat"`
		Le    string `json:"publiee_le,omitempty"`
	}
	rows := make([]edition, len(list))
	for i, e := range list {
		rows[i] = edition{e.ID, e.Title, string(e.Etat), e.PublieeLe}
	}
	return writeJSON(w, typeJSON, object{"editions": rows})
}

// diffShown is how many movements of a kind are given to the viewer: those that moved most.
const diffShown = 60

// writeDiffJSON answers the differences as the viewer takes them, worded as the page words them.
func writeDiffJSON(w http.ResponseWriter, v *diffView, d *indicators.Differences, defs []indicators.Definition) error {
	type kind struct {
		Title string `json:"titre"`
		N     int    `json:"nombre"`
	}
	type cause struct {
		Label   string `json:"cause"`
		Meaning string `json:"sens"`
		Counts  []int  `json:"nombres"` // by kind
	}
	type move struct {
		Kind       string `json:"genre"`
		Indicateur string `json:"indicateur"`
		Zone       string `json:"zone"`
		Couche     string `json:"couche"`
		Annee      string `json:"annee"`
		Sexe       string `json:"sexe"`
		Reference  string `json:"reference"`
		Avant      string `json:"avant"`
		Apres      string `json:"apres"`
		Difference string `json:"difference"`
		Causes     string `json:"causes"`
	}
	kinds, causes, moves := []kind{}, []cause{}, []move{}
	for _, k := range v.Kinds {
		kinds = append(kinds, kind{k.Title, k.N})
	}
	for _, c := range v.Causes {
		causes = append(causes, cause(c))
	}
	few := *d
	few.Mouvements = nil
	for _, o := range indicators.Objets {
		few.Mouvements = append(few.Mouvements, indicators.Largest(d.Of(o.ID), diffShown)...)
	}
	for _, k := range newDiffView("", &few, defs).Kinds {
		for _, x := range k.Rows {
			moves = append(moves, move{k.Title, x.Indicateur, x.Zone, x.Couche, x.Annee, x.Sexe, x.Reference, x.Avant, x.Apres, x.Difference, x.Why})
		}
	}
	return writeJSON(w, typeJSON, object{"de": v.De, "a": v.A, "notes": append([]string{}, v.Notes...), "comparees": v.Compare, "genres": kinds, "causes": causes, "mouvements": moves})
}

// handleDiff compares two editions of the store. What partners gave is in neither.
func (s *Server) handleDiff(w http.ResponseWriter, r *http.Request, p *published, q query) error {
	list, err := s.comparable(r.Context(), p)
	if err != nil {
		return err
	}
	var ids []string
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	var found [2]string
	for i, name := range []string{"de", "a"} {
		if q[name] == "" {
			return badRequest(name, "Le paramètre « %s » manque : écrire /editions/diff?de=…&a=…, avec deux éditions parmi %s.", name, strings.Join(ids, ", "))
		}
		e, err := indicators.FindEdition(list, q[name])
		if err != nil {
			return badRequest(name, "L'édition « %s » n'est pas publiée ici, ou plusieurs commencent ainsi. Éditions : %s.", q[name], strings.Join(ids, ", "))
		}
		found[i] = e.ID
	}
	done, err := s.turn(r) // two whole editions in memory
	if err != nil {
		return err
	}
	defer done()
	var two [2]*indicators.Edition
	for i, id := range found {
		if two[i], err = s.o.Editions.Edition(r.Context(), id); err != nil {
			return errors.Join(fmt.Errorf("edition %s", id), err)
		}
	}
	d, err := indicators.Diff(two[0], two[1])
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	defs := slices.Concat(two[0].Indicators, two[1].Indicators)
	if q["f"] == "json" {
		return writeDiffJSON(w, newDiffView("", d, defs), d, defs)
	}
	if err := WriteDiff(&buf, cmp.Or(s.o.Title, p.edition.Title), d, defs); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	return send(w, "text/html; charset=utf-8", buf.Bytes())
}
