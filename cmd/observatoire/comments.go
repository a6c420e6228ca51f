package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/ingest"
)

// commentsFolder holds what people wrote of the zones: CODE.md, in Markdown. A run reads it and never writes there.
const commentsFolder = "commentaires"

// A commentHead is what stands above the text of a comment, between two lines of ---: who wrote it, when, and digests of the figures
// of the zone at that time, written by `observatoire review --comment CODE`.
type commentHead struct {
	Auteur      string            `yaml:"auteur"`
	Date        string            `yaml:"date"`
	Edition     string            `yaml:"edition,omitempty"`     // that it was written on
	Indicateurs []string          `yaml:"indicateurs,omitempty"` // those it speaks of; none: all
	Chiffres    map[string]string `yaml:"chiffres,omitempty"`    // indicator → digest
}

// A comment is one file of the folder.
type comment struct {
	code, text string
	head       commentHead
}

func (p *project) commentPath(code string) string {
	return filepath.Join(p.dir, commentsFolder, code+".md")
}

// readComment reads the comment of a zone.
func (p *project) readComment(code string) (comment, error) {
	path := p.commentPath(code)
	b, err := os.ReadFile(path)
	if err != nil {
		return comment{}, err
	}
	c := comment{code: code, text: strings.ReplaceAll(strings.TrimPrefix(string(b), "\ufeff"), "\r\n", "\n")}
	if rest, ok := strings.CutPrefix(c.text, "---\n"); ok {
		head, text, closed := strings.Cut(rest, "\n---\n")
		if !closed {
			return comment{}, fmt.Errorf("%s:1: the head begins with --- and does not end: close it with a line ---", path)
		}
		if err := ingest.UnmarshalStrict(path, []byte("\n"+head), &c.head); err != nil { // as many lines as in the file
			return comment{}, err
		}
		c.text = strings.TrimLeft(text, "\n")
	}
	switch {
	case strings.TrimSpace(c.text) == "":
		return comment{}, fmt.Errorf("%s: no text: write the comment, or take the file away", path)
	case c.head.Date != "":
		if _, err := time.Parse(time.DateOnly, c.head.Date); err != nil {
			return comment{}, fmt.Errorf("%s: date: %q is not a day: write AAAA-MM-JJ, such as 2026-12-31", path, c.head.Date)
		}
	}
	for _, id := range c.head.Indicateurs {
		if !slices.ContainsFunc(p.definitions, func(d indicators.Definition) bool { return d.ID == id }) {
			return comment{}, fmt.Errorf("%s: indicateurs: no indicator %q: `observatoire indicators` lists them", path, id)
		}
	}
	return c, nil
}

// comments reads every comment, by code. What is wrong in any of them is reported.
func (p *project) comments() ([]comment, error) {
	files, err := filepath.Glob(filepath.Join(p.dir, commentsFolder, "*.md"))
	if err != nil {
		return nil, err
	}
	var list []comment
	var bad []error
	for _, path := range files { // sorted
		c, err := p.readComment(strings.TrimSuffix(filepath.Base(path), ".md"))
		if err != nil {
			bad = append(bad, err)
			continue
		}
		list = append(list, c)
	}
	return list, errors.Join(bad...)
}

// strangers are the comments of no zone.
func (p *project) strangers(list []comment, sets []geo.ZoneSet) error {
	var bad []error
	for _, c := range list {
		if !slices.ContainsFunc(sets, func(s geo.ZoneSet) bool { _, ok := s.Index(c.code); return ok }) {
			bad = append(bad, fmt.Errorf("%s: no zone %q in the layers of the project: name the file after the code of one, such as QP013061.md", p.commentPath(c.code), c.code))
		}
	}
	return errors.Join(bad...)
}

// commented puts the comments into an edition, and says which have to be read again.
func commented(e *indicators.Edition, list []comment) {
	for _, c := range list {
		why := "rien ne dit sur quels chiffres il a été écrit : `observatoire review --comment " + c.code + " --by NOM` le note"
		if len(c.head.Chiffres) > 0 {
			if why = indicators.MovedSince(c.head.Chiffres, indicators.Fingerprints(e, c.code), c.head.Indicateurs); why != "" {
				why = "depuis qu'il a été écrit, des chiffres " + why
			}
		}
		e.Commentaires = append(e.Commentaires, indicators.Commentaire{Code: c.code, Texte: c.text, Auteur: c.head.Auteur, Date: c.head.Date, Relire: why})
		if why != "" {
			e.Alertes = append(e.Alertes, indicators.Alerte{ID: "commentaire:" + c.code, Kind: "commentaire", Gravite: "attention", Objet: c.code,
				Message: fmt.Sprintf("le commentaire de %s (%s) est à relire : %s", c.code, cmp.Or(strings.Trim(c.head.Auteur+", "+c.head.Date, ", "), "sans auteur"), why)})
		}
	}
}

// signComment writes above the comment of a zone who vouches for it, when, and on which figures. Its text stays as it is.
func (p *project) signComment(e *indicators.Edition, code, by, day string) error {
	c, err := p.readComment(code)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: no such file: write the comment of %s there first", p.commentPath(code), code)
	}
	if err != nil {
		return err
	}
	if err := p.strangers([]comment{c}, e.Layers); err != nil {
		return err
	}
	figures := indicators.Fingerprints(e, code)
	if len(figures) == 0 {
		return fmt.Errorf("edition %s has no open figure of %s: nothing to note for its comment", e.ID, code)
	}
	c.head = commentHead{Auteur: by, Date: day, Edition: e.ID, Indicateurs: c.head.Indicateurs, Chiffres: figures}
	head, err := yaml.Marshal(c.head)
	if err != nil {
		return err
	}
	return writeFile(p.commentPath(code), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "---\n%s---\n\n%s", head, c.text)
		return err
	})
}
