package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"observatoire/indicators"
	"observatoire/ingest"
)

// lockFile records what was downloaded: it is kept with the project.
const lockFile = "observatoire.lock"

// An entry is one `file` of observatoire.yaml, and what it says of where the files come from.
type entry struct {
	where   string // such as "tables[2]"
	file    string // as written: a file or a pattern, or a member of an archive
	layer   bool   // or a table of passage: not a table of figures
	card    string // "" when the file's name says which
	url     string
	licence string
}

func (p *project) entries() []entry {
	var out []entry
	for i, l := range p.Layers {
		if l.File != "" {
			out = append(out, entry{fmt.Sprintf("layers[%d]", i), l.File, true, l.Card, l.URL, l.Licence})
		}
	}
	for i, t := range p.Tables {
		out = append(out, entry{fmt.Sprintf("tables[%d]", i), t.File, false, t.Card, t.URL, t.Licence})
	}
	for i, c := range p.Passages {
		out = append(out, entry{where: fmt.Sprintf("passages[%d]", i), file: c.File, layer: true, card: c.Card})
	}
	for i, x := range p.Passages {
		out = append(out, entry{where: fmt.Sprintf("passages[%d]", i), file: x.File, layer: true, card: x.Card})
	}
	if p.Vecus != nil && p.Vecus.Drawn != "" {
		out = append(out, entry{where: "quartiers_vecus", file: p.Vecus.Drawn, layer: true})
	}
	for i, f := range p.Facilities {
		out = append(out, entry{where: fmt.Sprintf("facilities[%d]", i), file: f.File, layer: true})
	}
	return out
}

func (p *project) checkURLs(path string) []error {
	var errs []error
	for _, e := range p.entries() {
		switch {
		case e.url == "":
		case e.file == "":
			errs = append(errs, fmt.Errorf("%s: %s: url: say with file where the download goes, such as sources/a.csv", path, e.where))
		case hasMeta(e.file):
			errs = append(errs, fmt.Errorf("%s: %s: url: one address gives one file: %s is a pattern", path, e.where, e.file))
		default:
			if err := ingest.CheckURL(e.url); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: url: %w", path, e.where, err))
			}
		}
	}
	return errs
}

func hasMeta(pattern string) bool { return strings.ContainsAny(pattern, "*?[") }

// onDisk is the file of the disk that a path names, and the name of the member when it goes on inside an archive.
func onDisk(path string) (file, member string) {
	parts := strings.Split(filepath.ToSlash(path), "/")
	for i, part := range parts[:len(parts)-1] {
		if archiveKind(part) == "" {
			continue
		}
		file := filepath.FromSlash(strings.Join(parts[:i+1], "/"))
		if fi, err := os.Stat(file); err == nil && fi.IsDir() {
			continue
		}
		return file, parts[len(parts)-1]
	}
	if exists(path) {
		return path, ""
	}
	if file, _, ok := strings.Cut(path, "#"); ok { // a layer of a GeoPackage
		return file, ""
	}
	if i := strings.LastIndexByte(path, ':'); i > 1 && filepath.Ext(path[:i]) != "" && !strings.ContainsAny(path[i:], `/\`) {
		return path[:i], ""
	}
	return path, ""
}

// archiveKind is the extension of an archive, or "".
func archiveKind(name string) string {
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".zip" || ext == ".7z" {
		return ext
	}
	return ""
}

// A wanted is a file that the project names, whether it is there or not.
type wanted struct {
	path    string // on disk
	name    string // in the lock and for people: from the project's folder, with slashes
	present bool
	card    string // "" when unknown
	edition int    // edition_source, 0 when unknown
	from    string // who gives the address: where to correct it
	hint    string // why there is no address, and what to do
	ingest.Download
}

// wanted lists the files that the project names: those that are there, those the catalogue, an entry or the lock can
// say where to download, and those that nobody knows. Ordered by name.
func (p *project) wanted(lock *ingest.Lock) ([]wanted, error) {
	seen := map[string]int{}
	var out []wanted
	add := func(w wanted) {
		w.name = p.relative(w.path)
		if i, ok := seen[w.name]; ok { // another member of the same archive
			if out[i].URL == "" {
				out[i] = w
			}
			return
		}
		seen[w.name] = len(out)
		out = append(out, w)
	}
	for _, e := range p.entries() {
		if e.file == "" {
			continue
		}
		disk, member := onDisk(p.path(e.file))
		cards, err := p.cardsOf(e, cmp.Or(member, filepath.Base(disk)))
		if err != nil {
			return nil, err
		}
		if !hasMeta(disk) {
			add(p.locate(e, cards, disk, member, lock))
			continue
		}
		found, err := filepath.Glob(disk)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", projectFile, e.file, err)
		}
		for _, c := range cards {
			for _, x := range addresses(c) {
				path := filepath.Join(filepath.Dir(disk), x.File)
				if ok, _ := filepath.Match(filepath.Base(disk), x.File); ok && !hasMeta(filepath.Dir(disk)) && !slices.ContainsFunc(found, sameBut(path)) {
					found = append(found, path)
				}
			}
		}
		for _, f := range lock.Files {
			path := p.path(filepath.FromSlash(f.File))
			if ok, _ := filepath.Match(disk, path); ok && !slices.Contains(found, path) {
				found = append(found, path)
			}
		}
		for _, path := range found {
			add(p.locate(e, cards, path, member, lock))
		}
		if len(found) == 0 {
			add(wanted{path: disk, hint: "nothing there fits this pattern, and the catalogue has no address that does: " + whereToLook(cards)})
		}
	}
	slices.SortFunc(out, func(x, y wanted) int { return cmp.Compare(x.name, y.name) })
	return out, nil
}

// sameBut finds a file under its name, compressed or not.
func sameBut(path string) func(string) bool {
	return func(other string) bool { return strings.TrimSuffix(other, ".gz") == strings.TrimSuffix(path, ".gz") }
}

// relative is a path from the project's folder, with slashes, unless it is elsewhere.
func (p *project) relative(path string) string {
	if rel, err := filepath.Rel(p.dir, path); err == nil && filepath.IsLocal(rel) {
		path = rel
	}
	return filepath.ToSlash(path)
}

// cardsOf are the cards of an entry: the one it names, or those that its name may fit.
func (p *project) cardsOf(e entry, base string) ([]*ingest.Card, error) {
	if e.card != "" {
		c, ok := p.catalogue.Card(e.card)
		if !ok {
			kind := "table"
			if e.layer {
				kind = "layer"
			}
			return nil, fmt.Errorf("%s: %s: %w", projectFile, e.where, p.noCard(e.card, kind))
		}
		return []*ingest.Card{c}, nil
	}
	var cards []*ingest.Card
	for _, c := range p.catalogue.Cards() {
		if (c.Kind == "table") == e.layer {
			continue
		}
		if _, ok := c.Edition(base); ok {
			cards = append(cards, c)
			continue
		}
		if slices.ContainsFunc(addresses(c), func(x address) bool {
			// A pattern that begins with anything names every file: it asks for none.
			ok, _ := filepath.Match(base, x.File)
			return ok && !strings.HasPrefix(base, "*") || strings.EqualFold(x.File, base)
		}) {
			cards = append(cards, c)
		}
	}
	return cards, nil
}

// locate says where a file comes from: the address of its entry, else its card's, else the one it was downloaded from.
func (p *project) locate(e entry, cards []*ingest.Card, path, member string, lock *ingest.Lock) wanted {
	w := wanted{path: path, present: isFile(path)}
	base := filepath.Base(path)
	for _, c := range cards {
		for _, x := range addresses(c) {
			if strings.EqualFold(x.File, base) {
				w.card, w.edition, w.Download, w.from = c.ID, x.edition, x.Download, "the card "+c.ID
			}
		}
		if w.card != "" {
			break
		}
	}
	for _, c := range cards {
		if w.card != "" {
			break
		}
		year, ok := c.Edition(cmp.Or(member, base))
		if year == 0 {
			year, ok = c.Edition(base)
		}
		if !ok && e.card == "" {
			continue
		}
		w.card, w.edition = c.ID, year
		switch list := c.DownloadsOf(year); {
		case len(list) == 1 && keptAs(list[0].File) == keptAs(base):
			w.Download, w.from = list[0], "the card "+c.ID
		case len(list) > 0: // one of several, or an archive for what is in it
			var names []string
			for _, d := range list {
				names = append(names, d.File)
			}
			w.hint = fmt.Sprintf("the published file of %d is %s: write file: %s", year, strings.Join(names, " or "),
				filepath.ToSlash(filepath.Join(filepath.Dir(e.file), names[0])))
		}
	}
	if e.url != "" {
		d := ingest.Download{URL: e.url, File: base, Licence: e.licence, Page: w.Page}
		if year := strconv.Itoa(w.edition); w.edition != 0 {
			d.URL = strings.NewReplacer("{AAAA}", year, "{AA}", year[len(year)-2:]).Replace(d.URL)
		}
		w.Download, w.from, w.hint = d, e.where+" of "+projectFile, ""
		if strings.Contains(d.URL, "{AA") {
			w.URL, w.hint = "", fmt.Sprintf("%s: url: no year in the name %s to put in the address", e.where, base)
		}
	}
	if f, ok := lock.File(p.relative(path)); ok && w.URL == "" && f.URL != "" {
		w.Download, w.from, w.hint = ingest.Download{URL: f.URL, File: base, Licence: f.Licence, Page: f.Page}, lockFile, ""
		w.card, w.edition = cmp.Or(w.card, f.Card), cmp.Or(w.edition, f.Edition)
	}
	if e.licence != "" {
		w.Licence = e.licence
	}
	for _, c := range cards {
		if c.ID == w.card {
			w.Licence, w.Page = cmp.Or(w.Licence, c.Licence), cmp.Or(w.Page, c.Page)
		}
	}
	if w.URL == "" && w.hint == "" {
		w.hint = "no address for it: " + whereToLook(cards)
	}
	return w
}

// An address is a file that a card can say where to download.
type address struct {
	edition int
	ingest.Download
}

func addresses(c *ingest.Card) []address {
	var out []address
	for _, year := range c.DownloadEditions() {
		for _, d := range c.DownloadsOf(year) {
			out = append(out, address{year, d})
		}
	}
	return out
}

// keptAs tells a file that is compressed from one that is not: one does not stand for the other.
func keptAs(name string) string {
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".gz" {
		return ext
	}
	return archiveKind(name)
}

func whereToLook(cards []*ingest.Card) string {
	for _, c := range cards {
		if c.Page != "" {
			return "download it from " + c.Page + " and put it there, or give its url"
		}
	}
	return "put it there, or give its url in " + projectFile
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}

// fetchOptions are the flags of fetch.
type fetchOptions struct {
	all, dryRun, offline, force, updateLock bool
	format, proxy, ca                       string
	jobs, perHost, retries                  int
	stall, backoff, maxWait                 time.Duration
}

func (a *app) fetchCmd() *cobra.Command {
	var o fetchOptions
	c := &cobra.Command{
		Use:     "fetch [CARD | CARD@AAAA | FILE]...",
		Aliases: []string{"telecharger"},
		Short:   "Download the sources that are missing: resume, check, keep licences and addresses in " + lockFile,
		Long: "Downloads the files that observatoire.yaml names and that are not there, from the addresses of the cards (downloads) or of\n" +
			"its own entries (url). What stopped is resumed; what comes is checked against the card, " + lockFile + " and the server.\n" +
			"A file that is there already is never replaced by another one.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.fetch(cmd.Context(), args, o) },
	}
	f := c.Flags()
	f.BoolVar(&o.all, "all", false, "every year that the cards have an address for, not only what the project names")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be downloaded; ask no server")
	f.BoolVar(&o.offline, "offline", false, "ask no server: only check what is there against "+lockFile)
	f.BoolVar(&o.force, "force", false, "download again what is there, to see whether it has changed")
	f.BoolVar(&o.updateLock, "update-lock", false, "accept files that are not those of "+lockFile+", and record those that are not in it")
	f.StringVar(&o.format, "format", "table", "table or json")
	f.StringVar(&o.proxy, "proxy", os.Getenv("OBSERVATOIRE_PROXY"), "HTTP proxy (default: HTTPS_PROXY, HTTP_PROXY; NO_PROXY holds)")
	f.StringVar(&o.ca, "ca", os.Getenv("OBSERVATOIRE_CA"), "PEM file of certificates to trust, where the network inspects TLS")
	f.IntVar(&o.jobs, "jobs", 4, "downloads at once")
	f.IntVar(&o.perHost, "per-host", 2, "downloads at once from one server")
	f.IntVar(&o.retries, "retries", 5, "attempts that bring nothing before giving up")
	f.DurationVar(&o.stall, "stall", 30*time.Second, "leave a server that sends nothing for so long, and ask again")
	f.DurationVar(&o.backoff, "backoff", time.Second, "pause before the second attempt; it doubles")
	f.DurationVar(&o.maxWait, "max-wait", 5*time.Minute, "longest pause a server may ask for")
	return c
}

// A fetchRow is the line of one file in what fetch prints.
type fetchRow struct {
	File    string `json:"file"`
	State   string `json:"state"` // "fetched", "present", "missing", "to fetch", "differs", "failed"
	Card    string `json:"card,omitempty"`
	Edition int    `json:"edition,omitempty"`
	Size    int64  `json:"size,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	URL     string `json:"url,omitempty"`
	Note    string `json:"note,omitempty"`
}

func (a *app) fetch(ctx context.Context, args []string, o fetchOptions) error {
	switch {
	case o.format != "table" && o.format != "json":
		return usage{fmt.Errorf("fetch: --format %s: table or json", o.format)}
	case o.jobs < 1 || o.perHost < 1 || o.retries < 0 || o.stall <= 0 || o.backoff <= 0:
		return usage{errors.New("fetch: --jobs and --per-host are at least 1, --retries is not negative, --stall and --backoff are durations such as 30s")}
	}
	p, err := loadProject(a.dir)
	if err != nil {
		return err
	}
	if p.unset != nil {
		return refused{p.unset}
	}
	if !o.dryRun && (!o.offline || o.updateLock) {
		release, err := lockFolder(p.dir)
		if err != nil {
			return err
		}
		defer release()
	}
	lock, err := ingest.ReadLock(filepath.Join(p.dir, lockFile))
	if err != nil {
		return refused{err}
	}
	list, err := p.wanted(lock)
	if err != nil {
		return refused{err}
	}
	if list, err = p.choose(list, args, o.all); err != nil {
		return err
	}

	rows := make([]fetchRow, len(list))
	var orders []ingest.Order
	var which []int // order → row
	var errs []error
	changed := false
	for i, w := range list {
		row := &rows[i]
		*row = fetchRow{File: w.name, Card: w.card, Edition: w.edition, URL: redactedURL(w.URL)}
		locked, isLocked := lock.File(w.name)
		order := ingest.Order{URL: w.URL, Path: w.path, SHA256: w.SHA256, Size: w.Size, Says: w.from, Page: w.Page,
			Remedy: "the producer has changed the file, or the address: look at it, then correct downloads in " + w.from}
		if isLocked && !o.updateLock {
			order.SHA256, order.Size, order.Says = locked.SHA256, locked.Size, lockFile
			order.Remedy = "the producer has changed the file: the run would not be the same; `observatoire fetch --update-lock` accepts the new one"
		}
		if w.present {
			var sum string
			if sum, row.Size, err = ingest.FileSHA256(w.path); err != nil {
				errs = append(errs, err)
				continue
			}
			row.State, row.SHA256 = "present", sum
			if isLocked && sum == locked.SHA256 {
				order.Replaces = sum
			}
			switch {
			case isLocked && sum != locked.SHA256 && !o.updateLock:
				row.State = "differs"
				errs = append(errs, refused{fmt.Errorf("%s: not the file of %s (sha256 %.12s…, recorded %.12s…): move it away and fetch again, or accept it with --update-lock",
					w.name, lockFile, sum, locked.SHA256)})
				continue
			case w.SHA256 != "" && sum != w.SHA256 && !(isLocked && sum == locked.SHA256):
				row.State = "differs"
				errs = append(errs, refused{fmt.Errorf("%s: not the file that %s describes (sha256 %.12s…, expected %.12s…): move it away and fetch again, or correct the card",
					w.name, w.from, sum, w.SHA256)})
				continue
			case o.force && w.URL != "" && !o.offline:
			default:
				if !isLocked {
					row.Note = "not in " + lockFile
				}
				if o.updateLock && !o.dryRun && sum != locked.SHA256 {
					lock.Put(ingest.Locked{File: w.name, Card: w.card, Edition: w.edition, URL: redactedURL(w.URL), Page: w.Page,
						Licence: w.Licence, Size: row.Size, SHA256: sum})
					row.Note, changed = "recorded", true
				}
				continue
			}
		}
		switch {
		case w.URL == "":
			row.State, row.Note = "missing", w.hint
			errs = append(errs, fmt.Errorf("%s: missing: %s", w.name, w.hint))
		case o.dryRun:
			row.State, row.Size = "to fetch", order.Size
			if n := partSize(w.path); n > 0 {
				row.Note = "goes on from " + ingest.Bytes(n)
			}
		case o.offline:
			row.State = "missing"
			errs = append(errs, fmt.Errorf("%s: missing: `observatoire fetch` without --offline downloads it from %s", w.name, row.URL))
		default:
			orders, which = append(orders, order), append(which, i)
		}
	}
	if changed {
		if err := writeLock(p, lock); err != nil {
			return err
		}
	}
	if len(orders) > 0 {
		errs = append(errs, a.download(ctx, p, lock, list, rows, orders, which, o)...)
	}
	if err := a.fetchTable(rows, o.format); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("interrupted: the next fetch goes on from where this one stopped")
	}
	return errors.Join(errs...)
}

// download carries the orders out, each recorded in the lock before its file takes its name.
func (a *app) download(ctx context.Context, p *project, lock *ingest.Lock, list []wanted, rows []fetchRow, orders []ingest.Order, which []int,
	o fetchOptions) []error {

	var roots []byte
	if o.ca != "" {
		var err error
		if roots, err = os.ReadFile(o.ca); err != nil {
			return []error{usage{fmt.Errorf("fetch: --ca: %w", err)}}
		}
	}
	client, err := ingest.NewClient(o.proxy, roots)
	if err != nil {
		return []error{usage{fmt.Errorf("fetch: %w", err)}}
	}
	show := newProgress(a.stderr, p)
	var mu sync.Mutex // of the lock file
	f := &ingest.Fetcher{Client: client, Jobs: o.jobs, PerHost: o.perHost, Retries: o.retries, Stall: o.stall, Backoff: o.backoff,
		MaxWait: o.maxWait, Agent: "observatoire/" + version, Progress: show.tell,
		Keep: func(i int, got ingest.Fetched) error {
			mu.Lock()
			defer mu.Unlock()
			w := list[which[i]]
			before, had := lock.File(w.name)
			if got.Same && had && before.SHA256 == got.SHA256 {
				return nil // its date of retrieval stays
			}
			entry := ingest.Locked{File: w.name, Card: w.card, Edition: w.edition, URL: redactedURL(w.URL), Page: w.Page, Licence: w.Licence,
				Retrieved: today(), ETag: got.ETag, Modified: got.Modified, Size: got.Size, SHA256: got.SHA256}
			if final := withoutSecrets(got.Final); final != entry.URL {
				entry.Final = final
			}
			lock.Put(entry)
			show.tell(ingest.Progress{Path: w.path, Done: got.Size, Total: got.Size, Note: ingest.Bytes(got.Size) + " came, checked"})
			return writeLock(p, lock)
		}}
	got, failed := f.Fetch(ctx, orders)
	show.end()
	var errs []error
	notTried := 0
	for i, g := range got {
		w, row := list[which[i]], &rows[which[i]]
		var content *ingest.ContentError
		switch err := failed[i]; {
		case err == nil:
			row.State, row.Size, row.SHA256 = "fetched", g.Size, g.SHA256
			if g.Same {
				row.State, row.Note = "present", "unchanged at its address"
			}
			if g.Moved != "" {
				row.Note = "moved to " + g.Moved
				a.say("%s: its address has moved to %s: update %s", w.name, g.Moved, w.from)
			}
			continue
		case ingest.NotTried(err), ctx.Err() != nil:
			notTried++
		case errors.As(err, &content):
			errs = append(errs, refused{fmt.Errorf("%s: %w", w.name, err)})
		default:
			errs = append(errs, fmt.Errorf("%s: %w", w.name, err))
		}
		if !w.present {
			row.State = "failed"
		}
	}
	if notTried > 0 && ctx.Err() == nil {
		a.say("%d other downloads were stopped: fetch again once there is room", notTried)
	}
	return errs
}

// choose keeps what the arguments name: cards, years of cards, files. all adds every year that the cards know.
func (p *project) choose(list []wanted, args []string, all bool) ([]wanted, error) {
	named := map[string]bool{} // the cards to take every year of
	if all && len(args) == 0 {
		for _, w := range list {
			named[w.card] = true
		}
	}
	var kept []wanted
	add := func(w wanted) {
		if !slices.ContainsFunc(kept, func(x wanted) bool { return x.path == w.path }) {
			kept = append(kept, w)
		}
	}
	if len(args) == 0 {
		kept = list
	}
	for _, arg := range args {
		id, year, dated := strings.Cut(arg, "@")
		card, isCard := p.catalogue.Card(id)
		edition, err := strconv.Atoi(year)
		if isCard && dated && err != nil {
			return nil, usage{fmt.Errorf("fetch: %q: a card and a year are wanted, such as %s@2021", arg, id)}
		}
		before := len(kept)
		for _, w := range list {
			if isCard && w.card == id && (!dated || w.edition == edition) ||
				!isCard && (arg == w.name || arg == filepath.Base(w.path) || filepath.Clean(arg) == w.path || sameFile(arg, w.path)) {
				add(w)
			}
		}
		switch {
		case isCard && dated && len(kept) == before:
			files := card.DownloadsOf(edition)
			if len(files) == 0 {
				return nil, usage{fmt.Errorf("fetch: %s: the card has no address for %d; it has %s", arg, edition, years(card.DownloadEditions()))}
			}
			for _, d := range files {
				add(p.ofCard(card, edition, d, "sources"))
			}
		case isCard && all && !dated:
			named[id] = true
		case isCard && len(kept) == before:
			return nil, usage{fmt.Errorf("fetch: the project names no file of the card %s: say a year (%s@AAAA: %s), or --all", id, id, years(card.DownloadEditions()))}
		case !isCard && len(kept) == before:
			return nil, usage{fmt.Errorf("fetch: %q is neither a card nor a file that %s names: `observatoire` lists them", arg, projectFile)}
		}
	}
	for _, card := range p.catalogue.Cards() {
		if !named[card.ID] {
			continue
		}
		folder := "sources"
		if i := slices.IndexFunc(list, func(w wanted) bool { return w.card == card.ID }); i >= 0 {
			folder = filepath.Dir(list[i].path)
		}
		for _, x := range addresses(card) {
			if i := slices.IndexFunc(list, func(w wanted) bool { return w.card == card.ID && w.URL == x.URL }); i >= 0 {
				add(list[i])
			} else {
				add(p.ofCard(card, x.edition, x.Download, folder))
			}
		}
	}
	return kept, nil
}

// ofCard is a file of a card that the project does not name yet.
func (p *project) ofCard(c *ingest.Card, year int, d ingest.Download, folder string) wanted {
	path := p.path(filepath.Join(folder, d.File))
	return wanted{path: path, name: p.relative(path), present: isFile(path), card: c.ID, edition: year, from: "the card " + c.ID, Download: d}
}

func years(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

func partSize(path string) int64 {
	fi, err := os.Stat(path + ".part")
	if err != nil {
		return 0
	}
	return fi.Size()
}

// redactedURL is an address without the password it may hold.
func redactedURL(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return address
}

var signed = regexp.MustCompile(`(?i)signature|token|sig=|expires|credential`)

// withoutSecrets is the address that answered, less a query that opens the file to its bearer for a while.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil || !signed.MatchString(u.RawQuery) {
		return address
	}
	u.RawQuery = ""
	return u.String()
}

func writeLock(p *project, lock *ingest.Lock) error {
	text, err := lock.Marshal()
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(p.dir, lockFile), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// lockFolder keeps two fetches of one project apart. The file it locks goes with the lock.
func lockFolder(dir string) (release func(), err error) {
	path := filepath.Join(dir, ".observatoire.fetch")
	for {
		l := flock.New(path)
		ok, err := l.TryLock()
		if err != nil {
			return nil, fmt.Errorf("%s: the folder cannot be written in: %w", dir, err)
		}
		if !ok {
			return nil, fmt.Errorf("%s: another fetch is at work in this project: let it end, then fetch again", dir)
		}
		held, err := l.Stat()
		if there, err2 := os.Stat(path); err == nil && err2 == nil && os.SameFile(held, there) {
			return func() { os.Remove(path); l.Unlock() }, nil
		}
		l.Unlock() // the one before took the file away in between
	}
}

func (a *app) fetchTable(rows []fetchRow, format string) error {
	if format == "json" {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if rows == nil {
			rows = []fetchRow{}
		}
		return enc.Encode(rows)
	}
	if len(rows) == 0 {
		a.say("the project names no file: nothing to fetch")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tSTATE\tSIZE\tSHA256\tFROM\tNOTE")
	for _, r := range rows {
		size := "–"
		if r.Size > 0 {
			size = ingest.Bytes(r.Size)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.File, r.State, size, cmp.Or(r.SHA256[:min(12, len(r.SHA256))], "–"), cmp.Or(r.URL, "–"), r.Note)
	}
	return w.Flush()
}

// A progress shows downloads on stderr: one line repainted on a terminal, a line for each event elsewhere.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	p        *project
	terminal bool
	painted  time.Time
	at       map[string]ingest.Progress
}

func newProgress(w io.Writer, p *project) *progress {
	s := &progress{w: w, p: p, at: map[string]ingest.Progress{}}
	if f, ok := w.(*os.File); ok {
		fi, err := f.Stat()
		s.terminal = err == nil && fi.Mode()&fs.ModeCharDevice != 0
	}
	return s
}

func (s *progress) tell(x ingest.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Note != "" {
		s.clear()
		fmt.Fprintf(s.w, "%s: %s\n", s.p.relative(x.Path), x.Note)
	}
	s.at[x.Path] = x
	if !s.terminal || time.Since(s.painted) < 200*time.Millisecond {
		return
	}
	s.painted = time.Now()
	var done, total int64
	under := 0
	for _, x := range s.at {
		done, total = done+x.Done, total+max(x.Total, x.Done)
		if x.Done < x.Total || x.Total == 0 {
			under++
		}
	}
	fmt.Fprintf(s.w, "\r\x1b[K%s of %s, %d under way", ingest.Bytes(done), ingest.Bytes(total), under)
}

func (s *progress) clear() {
	if s.terminal {
		fmt.Fprint(s.w, "\r\x1b[K")
	}
}

func (s *progress) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

// checkLock compares the files that are there with what the lock records: one alerte for each that is another file. No
// date of the lock enters the edition.
func (p *project) checkLock() ([]indicators.Alerte, error) {
	lock, err := ingest.ReadLock(filepath.Join(p.dir, lockFile))
	if err != nil || len(lock.Files) == 0 {
		return nil, err
	}
	list, err := p.wanted(lock)
	if err != nil {
		return nil, err
	}
	var out []indicators.Alerte
	for _, w := range list {
		locked, ok := lock.File(w.name)
		if !ok || !w.present {
			continue
		}
		sum, _, err := ingest.FileSHA256(w.path)
		if err != nil {
			return nil, err
		}
		if sum != locked.SHA256 {
			out = append(out, indicators.Alerte{ID: "verrou:" + w.name, Kind: "verrou", Gravite: "attention", Objet: w.name,
				Message: fmt.Sprintf("ce fichier n'est pas celui que consigne %s (sha256 %.12s… au lieu de %.12s…) : le remettre (`observatoire fetch`, une fois celui-ci déplacé) "+
					"ou l'accepter (`observatoire fetch --update-lock`)", lockFile, sum, locked.SHA256)})
		}
	}
	return out, nil
}
