package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"observatoire/data/store"
	"observatoire/indicators"
	"observatoire/ingest"
)

// A standing says where the project stands: its sources, what the calendar expects, its editions, what to do next.
type standing struct {
	Project  string           `json:"project"` // its folder
	Title    string           `json:"title"`
	Sources  []sourceState    `json:"sources"`
	Calendar []expectedSource `json:"calendar"`
	Read     int              `json:"tables_in_store"`
	Editions []editionState   `json:"editions"`
	Next     string           `json:"next"`
}

// A sourceState is one file: "present"; "missing", named and not there; "new", there and named by no entry.
type sourceState struct {
	File      string `json:"file"`
	State     string `json:"state"`
	Card      string `json:"card,omitempty"`
	Edition   int    `json:"edition,omitempty"` // edition_source
	Retrieved string `json:"retrieved,omitempty"`
	URL       string `json:"url,omitempty"`
	Note      string `json:"note,omitempty"`
}

// An expectedSource is what the calendar says of a card: "due" when the usual month of Next has passed, "present" when it has not,
// "unknown" when the card has no month.
type expectedSource struct {
	Card     string `json:"card"`
	Title    string `json:"title"`
	State    string `json:"state"`
	Latest   int    `json:"latest,omitempty"`
	Next     int    `json:"next,omitempty"`
	Expected string `json:"expected,omitempty"` // AAAA-MM
	Usual    string `json:"usual,omitempty"`    // in French, as the card words it
	Page     string `json:"page,omitempty"`
	URL      string `json:"url,omitempty"` // of Next, where the catalogue has it
}

type editionState struct {
	ID    string `json:"id"`
	State string `json:"state"`
	By    string `json:"by,omitempty"`
	On    string `json:"on,omitempty"`
}

// status says where the project stands and what to do next.
func (a *app) status(ctx context.Context, format string) error {
	if format != "table" && format != "json" {
		return usage{fmt.Errorf("--format %s: table or json", format)}
	}
	p, err := loadProject(a.dir)
	if err != nil {
		return err
	}
	lock, err := ingest.ReadLock(filepath.Join(p.dir, lockFile))
	if err != nil {
		return refused{err}
	}
	named, err := p.wanted(lock)
	if err != nil {
		return refused{err}
	}
	fresh, err := p.unnamed(named)
	if err != nil {
		return err
	}
	s := standing{Project: p.dir, Title: p.Title, Sources: []sourceState{}, Editions: []editionState{}}
	for _, w := range named {
		x := sourceState{File: w.name, State: "present", Card: w.card, Edition: w.edition}
		if f, ok := lock.File(w.name); ok {
			x.Retrieved = f.Retrieved
		}
		if !w.present {
			x.State, x.URL, x.Note = "missing", redactedURL(w.URL), w.hint
			if n := partSize(w.path); n > 0 {
				x.Note = ingest.Bytes(n) + " of it are there"
			}
		}
		s.Sources = append(s.Sources, x)
	}
	s.Sources = append(s.Sources, fresh...)
	s.Calendar = p.calendar(named, time.Now())

	list, storeErr := a.editionList(ctx, p, &s)
	for _, e := range list {
		s.Editions = append(s.Editions, editionState{e.ID, string(e.Etat), e.PublieePar, e.PublieeLe})
	}
	s.Next = p.nextStep(&s, list)
	if storeErr != nil {
		s.Next = "mend the store: " + storeErr.Error()
	}
	if format == "json" {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(s)
	} else {
		err = a.showStanding(&s, list)
	}
	return errors.Join(err, storeErr)
}

func (a *app) editionList(ctx context.Context, p *project, s *standing) (list []indicators.EditionInfo, err error) {
	err = a.openStore(ctx, p, func(ctx context.Context, p *project, st store.Store) error {
		sources, err := st.Sources(ctx)
		if err != nil {
			return err
		}
		s.Read = len(sources)
		list, err = st.Editions(ctx)
		return err
	})
	return list, err
}

// unnamed are the data files in sources/ that no entry of the project names.
func (p *project) unnamed(named []wanted) ([]sourceState, error) {
	known := map[string]bool{}
	for _, w := range named {
		known[w.name] = true
		if ext := filepath.Ext(w.name); strings.EqualFold(ext, ".shp") { // the files that go with it
			known[strings.TrimSuffix(w.name, ext)] = true
		}
	}
	var out []sourceState
	err := filepath.WalkDir(filepath.Join(p.dir, "sources"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		name := p.relative(path)
		hidden := strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "~$")
		if err != nil || d.IsDir() || hidden || known[name] {
			return err
		}
		switch ext := strings.ToLower(filepath.Ext(name)); ext {
		case ".part", ".json":
			if strings.Contains(d.Name(), ".part") {
				return nil // a download that goes on
			}
		case ".pdf", ".txt", ".md", ".html", ".htm", ".doc", ".docx", ".odt":
			return nil // what came with the data
		case ".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qmd", ".qpj":
			if known[strings.TrimSuffix(name, filepath.Ext(name))] || ext != ".dbf" {
				return nil
			}
		}
		x := sourceState{File: name, State: "new", Note: "no card fits its name: `observatoire inspect` looks into it"}
		if cards := p.catalogue.Match(d.Name()); len(cards) > 0 {
			x.Card = cards[0].ID
			x.Edition, _ = cards[0].Edition(d.Name())
			switch cards[0].Kind {
			case "table":
				x.Note = fmt.Sprintf("to read it, add to tables: {card: %s, file: %s}", x.Card, name)
			case "layer", "composition":
				x.Note = fmt.Sprintf("to read it, add to layers: {card: %s, level: …, vintage: …, file: %s}", x.Card, name)
			default:
				x.Note = "a " + cards[0].Kind + ": the run does not read it as such"
			}
		}
		out = append(out, x)
		return nil
	})
	return out, err
}

// calendar says what to look for among the families of files that the project uses.
func (p *project) calendar(named []wanted, now time.Time) []expectedSource {
	present := map[string][]int{}
	for _, w := range named {
		if w.card == "" {
			continue
		}
		if _, ok := present[w.card]; !ok {
			present[w.card] = nil
		}
		if w.present {
			present[w.card] = append(present[w.card], w.edition)
		}
	}
	out := []expectedSource{}
	for _, r := range ingest.Calendar(p.catalogue.Cards(), present, now) {
		x := expectedSource{Card: r.Card.ID, Title: r.Card.Title, State: "unknown", Latest: r.Latest, Next: r.Next, Usual: r.Card.Release, Page: r.Card.Page}
		if r.Next != 0 {
			x.State, x.Expected = "present", r.Expected.Format("2006-01")
			if r.Due {
				x.State = "due"
			}
			if list := r.Card.DownloadsOf(r.Next); len(list) > 0 {
				x.URL = redactedURL(list[0].URL)
			}
		}
		if x.State != "unknown" || x.Usual != "" {
			out = append(out, x)
		}
	}
	return out
}

// nextStep is the one thing to do now.
func (p *project) nextStep(s *standing, list []indicators.EditionInfo) string {
	if err := p.ready(); err != nil {
		return err.Error()
	}
	missing, fetchable, fresh := 0, 0, 0
	for _, x := range s.Sources {
		switch {
		case x.State == "missing" && x.URL != "":
			fetchable++
		case x.State == "missing":
			missing++
		case x.State == "new":
			fresh++
		}
	}
	draft := slices.ContainsFunc(list, func(e indicators.EditionInfo) bool { return e.Etat == indicators.Brouillon })
	switch {
	case fetchable > 0:
		return fmt.Sprintf("observatoire fetch (%d to download)", fetchable)
	case missing > 0:
		return fmt.Sprintf("put the %d missing files in place, then: observatoire run", missing)
	case draft:
		return "observatoire review, then: observatoire publish --by YOUR-NAME"
	case fresh > 0:
		return fmt.Sprintf("name the %d new files in %s, then: observatoire run", fresh, projectFile)
	case len(list) > 0 && list[0].Etat == indicators.Publiee:
		return "observatoire serve"
	}
	return "observatoire run"
}

func (a *app) showStanding(s *standing, list []indicators.EditionInfo) error {
	fmt.Fprintf(a.stdout, "%s\n\n", s.Title)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SOURCE\tSTATE\tFILES\tYEARS\tNOTE")
	held := map[string][]sourceState{} // the files that are there, by card
	for _, x := range s.Sources {
		if x.State == "present" {
			held[x.Card] = append(held[x.Card], x)
		}
	}
	total := 0
	for _, card := range slices.Sorted(maps.Keys(held)) {
		var years []string
		for _, x := range held[card] {
			if y := fmt.Sprint(x.Edition); x.Edition != 0 && !slices.Contains(years, y) {
				years = append(years, y)
			}
		}
		slices.Sort(years)
		total += len(held[card])
		fmt.Fprintf(w, "%s\tpresent\t%d\t%s\t\n", cmp.Or(card, "(no card)"), len(held[card]), cmp.Or(strings.Join(years, " "), "–"))
	}
	states := map[string]int{}
	for _, x := range s.Sources {
		if x.State == "present" {
			continue
		}
		states[x.State]++
		year := "–"
		if x.Edition != 0 {
			year = fmt.Sprint(x.Edition)
		}
		fmt.Fprintf(w, "%s\t%s\t1\t%s\t%s\n", x.File, x.State, year, cmp.Or(x.Note, x.URL))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(s.Calendar) > 0 {
		fmt.Fprintln(a.stdout)
		w = tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CALENDAR\tLATEST\tNEXT\tUSUALLY OUT\tSTATE\tWHERE")
		for _, x := range s.Calendar {
			latest, next := "–", "–"
			if x.Latest != 0 {
				latest = fmt.Sprint(x.Latest)
			}
			if x.Next != 0 {
				next = fmt.Sprint(x.Next)
			}
			if x.State == "due" {
				states["due"]++
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Card, latest, next, cmp.Or(x.Expected, x.Usual), x.State, cmp.Or(x.URL, x.Page))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stdout, "\n%d present, %d missing, %d new, %d due; %d tables in the store\n", total, states["missing"], states["new"], states["due"], s.Read)
	if len(list) > 0 {
		if err := a.listEditions(list); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(a.stdout, "no edition yet")
	}
	fmt.Fprintf(a.stdout, "next: %s\n", s.Next)
	return nil
}
