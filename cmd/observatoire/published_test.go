package main

import (
	"slices"
	"strings"
	"testing"

	"observatoire/data/store"
	"observatoire/indicators"
)

// TestEveryPublishedFigureSaysWhereItComesFrom walks the published edition of the real project: a figure that is shown names its method,
// its source among the files of the edition, its millésime, its nature and how far it may be relied on, and an absent one says why; a
// gap, an evolution and a gap of women to men rest on such figures; a verdict rests on a threshold.
func TestEveryPublishedFigureSaysWhereItComesFrom(t *testing.T) {
	dir := realRun(t)
	st, err := store.Open(t.Context(), "observatoire.gpkg", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	e, err := st.Edition(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defs := map[string]indicators.Definition{}
	for _, d := range e.Indicators {
		defs[d.ID] = d
	}
	methods := []string{indicators.MethodeProducteur, indicators.MethodeAgregation, indicators.MethodePassage, indicators.MethodePopulation,
		indicators.MethodeCalage, indicators.MethodeSurface, indicators.MethodeConsolides, indicators.MethodeMoyenne, indicators.MethodePrincipal,
		indicators.MethodeDeciles, indicators.MethodeMedPonderee}
	bad := 0
	fail := func(format string, args ...any) {
		t.Helper()
		if bad++; bad <= 20 {
			t.Errorf(format, args...)
		}
	}
	type at struct {
		indicators.Key
		code string
	}
	shown := map[at]*indicators.Value{}
	n, absent := 0, 0
	for i := range e.Values {
		v := &e.Values[i]
		if v.Retenue {
			shown[at{v.Key, v.Code}] = v
		}
		if v.Statut != indicators.Disponible {
			absent++
			if v.V != 0 || v.Fiabilite != indicators.SansFiabilite {
				fail("%v %s: absent (%s), yet %v, %s", v.Key, v.Code, v.Statut, v.V, v.Fiabilite)
			}
			continue
		}
		n++
		named := slices.ContainsFunc(e.Sources, func(s indicators.Source) bool { return strings.Contains(v.Source, s.File) })
		switch {
		case !slices.Contains(methods, v.Methode):
			fail("%v %s: method %q", v.Key, v.Code, v.Methode)
		case (v.Nature == indicators.Producteur) != (v.Methode == indicators.MethodeProducteur || v.Methode == indicators.MethodePassage && v.Nature == indicators.Producteur) &&
			!(v.Nature == indicators.Producteur && v.Methode == indicators.MethodeAgregation):
			fail("%v %s: %s by %q", v.Key, v.Code, v.Nature, v.Methode)
		case !named:
			fail("%v %s: source %q is no file of the edition", v.Key, v.Code, v.Source)
		case v.Fiabilite == indicators.SansFiabilite:
			fail("%v %s: no reliability", v.Key, v.Code)
		case v.Millesime <= 0 && (!strings.Contains(v.Note, "millésime") || v.Fiabilite > indicators.Moyenne):
			fail("%v %s: no millésime, and the note says %q", v.Key, v.Code, v.Note)
		case v.Nature == indicators.Estimation && !v.Couverture.OK:
			fail("%v %s: an estimate without its coverage", v.Key, v.Code)
		case defs[v.Indicateur].Label == "" || defs[v.Indicateur].Unit == "":
			fail("%v %s: an indicator without label or unit", v.Key, v.Code)
		}
	}
	for i := range e.Ecarts {
		x := &e.Ecarts[i]
		ref := at{x.Key, x.ReferenceCode}
		ref.Couche = x.Reference
		own, other := shown[at{x.Key, x.Code}], shown[ref]
		switch {
		case x.Statut != indicators.Disponible && x.Motif == "":
			fail("gap %v %s %s: absent without a reason", x.Key, x.Code, x.ReferenceCode)
		case x.Statut == indicators.Disponible && (own == nil || other == nil || own.Statut != indicators.Disponible || other.Statut != indicators.Disponible || x.Unite == "" || x.Millesime <= 0):
			fail("gap %v %s %s: rests on no figure that is shown", x.Key, x.Code, x.ReferenceCode)
		}
	}
	for i := range e.Evolutions {
		x := &e.Evolutions[i]
		switch {
		case x.Statut != indicators.Disponible && (x.Motif == "" || x.Evolution.OK || x.Verdict != ""):
			fail("evolution %v %s %s: absent: %+v", x.Key, x.Code, x.ReferenceCode, *x)
		case x.Statut == indicators.Disponible && (x.Verdict == "" || x.Motif == "" || !x.Evolution.OK || x.Unite == ""):
			fail("evolution %v %s %s: %+v", x.Key, x.Code, x.ReferenceCode, *x)
		case x.Statut == indicators.Disponible && (x.Verdict == "non qualifiée") == x.Seuil.OK:
			fail("evolution %v %s %s: verdict %q with threshold %v", x.Key, x.Code, x.ReferenceCode, x.Verdict, x.Seuil)
		case x.Lecture != "" && !x.Conclusive():
			fail("evolution %v %s %s: %q read as %s", x.Key, x.Code, x.ReferenceCode, x.Verdict, x.Lecture)
		}
		own := shown[at{x.Key, x.Code}]
		if x.Conclusive() && x.Verdict != "stable" && (own == nil || own.Fiabilite == indicators.Insuffisante) {
			fail("evolution %v %s %s: %q of a figure of insufficient reliability", x.Key, x.Code, x.ReferenceCode, x.Verdict)
		}
	}
	for _, x := range e.EcartsSexe {
		if x.Statut == indicators.Disponible && (x.Unite == "" && x.Ecart.OK || x.Millesime <= 0) || x.Statut != indicators.Disponible && x.Motif == "" {
			fail("women and men %v %s: %+v", x.Key, x.Code, x)
		}
	}
	for _, x := range e.Rangs {
		if (x.Rang == 0) != (x.Statut != indicators.Disponible) || x.Rang == 0 && x.Motif == "" {
			fail("rank %v %s: %+v", x.Key, x.Code, x)
		}
	}
	if n < 100000 || absent == 0 || len(e.Ecarts) < 5000 || len(e.Evolutions) < 500 {
		t.Errorf("only %d figures, %d absent, %d gaps, %d evolutions", n, absent, len(e.Ecarts), len(e.Evolutions))
	}
	if bad > 20 {
		t.Errorf("and %d more", bad-20)
	}
	t.Logf("%d figures, %d absent, %d gaps, %d evolutions", n, absent, len(e.Ecarts), len(e.Evolutions))
}
