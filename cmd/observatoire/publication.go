package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"observatoire/ingest"
	"observatoire/tiles"
)

// A publicationConfig says how the edition is shown on the network, and to whom.
type publicationConfig struct {
	BaseURL        string        `yaml:"base_url"`        // public address, such as https://donnees.exemple.fr
	FrameAncestors []string      `yaml:"frame_ancestors"` // sites that may show the pages in a frame
	Origins        []string      `yaml:"origins"`         // sites whose scripts may read the answers; all by default
	Tokens         []tokenConfig `yaml:"tokens"`
	Background     background    `yaml:"background"` // beneath the interactive map: none by default, and no other host is asked
}

// A background is a map of pictures drawn by others, such as the plan of the IGN.
type background struct {
	Tiles       string `yaml:"tiles"`       // address of a tile, with {z}, {x} and {y}
	Attribution string `yaml:"attribution"` // what its producer asks to be written
}

// tiles is the background as the server takes it; nil when there is none.
func (b background) tiles() *tiles.Background {
	if b.Tiles == "" {
		return nil
	}
	return &tiles.Background{Tiles: b.Tiles, Attribution: b.Attribution}
}

// A tokenConfig lets the bearer of a token see what came under some conventions.
type tokenConfig struct {
	Name   string   `yaml:"name"`
	SHA256 string   `yaml:"sha256"` // of the token, in hexadecimal
	Sees   []string `yaml:"sees"`   // ids of conventions.yaml
}

// webSite is a scheme and a host, with its port and wildcard, as policies and browsers write them.
var webSite = regexp.MustCompile(`^https?://(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?$`)

func checkBaseURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is not an address, such as https://donnees.exemple.fr", s)
	}
	return nil
}

// checkPublication finds what is wrong under publication.
func (p *project) checkPublication(path string) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(path+": publication."+format, args...))
	}
	if u := p.Publication.BaseURL; u != "" {
		if err := checkBaseURL(u); err != nil {
			bad("base_url: %w", err)
		}
	}
	for i, s := range p.Publication.FrameAncestors {
		if s != "'self'" && !webSite.MatchString(s) {
			bad("frame_ancestors[%d]: %q is not a site, such as https://www.ville.exemple.fr, nor 'self'", i, s)
		}
	}
	for i, s := range p.Publication.Origins {
		if !webSite.MatchString(s) || strings.Contains(s, "*") {
			bad("origins[%d]: %q is not a site, such as https://carte.exemple.fr", i, s)
		}
	}
	if b := p.Publication.Background; b != (background{}) {
		if u, err := url.Parse(strings.NewReplacer("{z}", "1", "{x}", "1", "{y}", "1").Replace(b.Tiles)); err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(u.Host, " ;,'") ||
			!strings.Contains(b.Tiles, "{z}") || !strings.Contains(b.Tiles, "{x}") || !strings.Contains(b.Tiles, "{y}") {
			bad("background.tiles: %q is not the address of a tile, such as https://tuiles.exemple.fr/{z}/{x}/{y}.png", b.Tiles)
		}
		if b.Attribution == "" {
			bad("background.attribution: missing: what the producer of the background asks to be written on the map")
		}
	}
	names, sums := map[string]bool{}, map[string]string{}
	for i, t := range p.Publication.Tokens {
		at := fmt.Sprintf("tokens[%d]", i)
		if t.Name == "" {
			bad("%s.name: missing: who the token is given to", at)
		} else {
			at += " (" + t.Name + ")"
		}
		if names[t.Name] && t.Name != "" {
			bad("%s: name: two tokens have it: the log could not tell them apart", at)
		}
		names[t.Name] = true
		sum, err := hex.DecodeString(t.SHA256)
		switch {
		case err != nil || len(sum) != sha256.Size:
			bad("%s: sha256: not the 64 hexadecimal digits of a SHA-256: `observatoire token` makes a token and its digest", at)
		case sums[string(sum)] != "":
			bad("%s: sha256: the same token as %s: give each its own", at, sums[string(sum)])
		default:
			sums[string(sum)] = t.Name
		}
		if len(t.Sees) == 0 {
			bad("%s: sees: missing: the conventions whose figures it shows", at)
		}
		for _, id := range t.Sees {
			if !slices.ContainsFunc(p.conventions, func(c ingest.Convention) bool { return c.ID == id }) {
				bad("%s: sees: no convention %q in %s", at, id, conventionsFile)
			}
		}
	}
	return errors.Join(errs...)
}

// tokens are those the server knows, and when the conventions end.
func (p *project) tokens() (list []tiles.Token, ends map[string]string) {
	for _, t := range p.Publication.Tokens {
		token := tiles.Token{Name: t.Name, Sees: t.Sees}
		_, _ = hex.Decode(token.SHA256[:], []byte(t.SHA256)) // checked when the project was read
		list = append(list, token)
	}
	ends = map[string]string{}
	for _, c := range p.conventions {
		ends[c.ID] = c.End
	}
	return list, ends
}

func (a *app) tokenCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "token NAME",
		Aliases: []string{"jeton"},
		Short:   "Make a token for a partner, and the lines of observatoire.yaml that let it in",
		Long: "Make a token for a partner, and the lines of observatoire.yaml that let it in. The token is on standard output and nowhere else:\n" +
			"hand it to the partner, and keep only its digest.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b := make([]byte, 32)
			if _, err := rand.Read(b); err != nil {
				return err
			}
			token := base64.RawURLEncoding.EncodeToString(b)
			sum := sha256.Sum256([]byte(token))
			fmt.Fprintln(a.stdout, token)
			a.say("publication:\n  tokens:\n    - {name: %q, sha256: %x, sees: [ID of a convention]}", args[0], sum)
			return nil
		},
	}
}
