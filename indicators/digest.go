package indicators

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
)

// Digest is the sha256 of all that an edition holds, but its own id and what was decided on it: two editions with the same digest say the same.
func Digest(e *Edition) (string, error) {
	h := sha256.New()
	w := digester{bufio.NewWriterSize(h, 1<<16)}
	w.text(e.Title)
	w.text(string(e.Manifest))
	for i := range e.Layers {
		s := &e.Layers[i]
		w.text(string(s.Layer), s.Title, s.Source)
		w.number(float64(s.EPSG))
		for _, z := range s.Zones {
			w.text(z.Code, z.Name, z.Commune, z.Type)
			w.text(z.Members...)
			for _, polygon := range z.Geom {
				for _, ring := range polygon {
					w.number(float64(len(ring)))
					for _, p := range ring {
						w.number(p[0], p[1])
					}
				}
			}
		}
	}
	for _, s := range e.Overlaps {
		w.text(string(s.From), string(s.To))
		for _, o := range s.Pairs {
			w.number(float64(o.From), float64(o.To), o.Area, o.ShareFrom, o.ShareTo, o.Margin)
			w.text(o.Note)
		}
	}
	for i := range e.Values {
		v := &e.Values[i]
		w.key(v.Key)
		w.text(v.Code, v.Methode, v.Source, v.Note, v.Convention)
		w.number(v.V, float64(v.Statut), float64(v.Nature), float64(v.Sources), v.PartMax, float64(v.Fiabilite))
		w.opt(v.Couverture, v.Min, v.Max, v.IC95Bas, v.IC95Haut)
		w.flag(v.Retenue)
	}
	for i := range e.Ecarts {
		x := &e.Ecarts[i]
		w.key(x.Key)
		w.text(x.Code, string(x.Reference), x.ReferenceCode, x.Unite, x.Motif, x.Convention)
		w.opt(x.Valeur, x.ValeurReference, x.Ecart, x.Rapport)
		w.number(float64(x.Statut))
		w.flag(x.ReferenceInclut)
	}
	for i := range e.Evolutions {
		x := &e.Evolutions[i]
		w.key(x.Key)
		w.text(x.Code, string(x.Reference), x.ReferenceCode, x.Unite, x.Verdict, x.Lecture, x.Motif, x.Garde, x.Convention)
		w.opt(x.Avant, x.Apres, x.Evolution, x.Seuil)
		w.number(float64(x.Depuis), float64(x.Statut))
		w.flag(x.Comparaison)
	}
	for i := range e.Rangs {
		x := &e.Rangs[i]
		w.key(x.Key)
		w.text(x.Code, x.Motif, x.Garde, x.Convention)
		w.opt(x.Valeur)
		w.number(float64(x.Rang), float64(x.ExAequo), float64(x.Sur), float64(x.Statut))
	}
	for i := range e.EcartsSexe {
		x := &e.EcartsSexe[i]
		w.key(x.Key)
		w.text(x.Code, x.Unite, x.Motif, x.Convention)
		w.opt(x.Femmes, x.Hommes, x.Ecart, x.Rapport)
		w.number(float64(x.Statut))
	}
	for i := range e.Concentrations {
		x := &e.Concentrations[i]
		w.key(x.Key)
		w.text(string(x.Reference), x.ReferenceCode, x.Motif, x.Convention)
		w.opt(x.PartQuartiers, x.PartPopulation, x.Indice)
		w.number(float64(x.Quartiers), float64(x.MillesimePopulation), float64(x.Statut))
	}
	// The rest is short: its JSON will do.
	rest, err := json.Marshal([]any{e.Schematic, e.Indicators, e.Sources, e.Alertes, e.Equipements, e.Calibrations, e.Commentaires})
	if err != nil {
		return "", err
	}
	w.text(string(rest))
	if err := w.Flush(); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// A digester writes values so that no two lists of them read alike.
type digester struct{ *bufio.Writer }

func (d digester) text(list ...string) {
	d.number(float64(len(list)))
	for _, s := range list {
		d.number(float64(len(s)))
		d.WriteString(s) //nolint:errcheck // the writer keeps its first error for Flush
	}
}

func (d digester) number(list ...float64) {
	var b [8]byte
	for _, v := range list {
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
		d.Write(b[:]) //nolint:errcheck // as above
	}
}

func (d digester) opt(list ...Opt) {
	for _, o := range list {
		d.flag(o.OK)
		if o.OK {
			d.number(o.V)
		}
	}
}

func (d digester) flag(b bool) {
	if b {
		d.number(1)
	} else {
		d.number(0)
	}
}

func (d digester) key(k Key) {
	d.text(k.Indicateur, string(k.Couche), k.Sexe)
	d.number(float64(k.Millesime))
}

// digestOf is the sha256 of some lines.
func digestOf(lines []string) string {
	h := sha256.New()
	w := digester{bufio.NewWriter(h)}
	w.text(lines...)
	w.Flush() //nolint:errcheck // a hash takes all it is given
	return hex.EncodeToString(h.Sum(nil))
}
