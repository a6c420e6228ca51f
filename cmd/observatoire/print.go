package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// browsers are those that print a page as a tagged PDF, by the names and the places they have on Linux, Windows and macOS.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge",
	`C:\Program Files\Google\Chrome\Application\chrome.exe`, `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`,
	`C:\Program Files\Microsoft\Edge\Application\msedge.exe`, "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"}

// errNoBrowser says what to do without one.
var errNoBrowser = errors.New("PDF: no Chromium, Chrome or Edge on this machine: install one (apt install chromium), name it in OBSERVATOIRE_CHROMIUM, or print the HTML pages from any browser")

// browser finds the browser that prints.
func browser() (string, error) {
	if own := os.Getenv("OBSERVATOIRE_CHROMIUM"); own != "" {
		path, err := exec.LookPath(own)
		if err != nil {
			return "", fmt.Errorf("OBSERVATOIRE_CHROMIUM: %w", err)
		}
		return path, nil
	}
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoBrowser
}

// printPages writes each HTML page as a PDF beside it. The pages hold all they show: the browser is given no network.
func (a *app) printPages(ctx context.Context, pages []string) error {
	path, err := browser()
	if err != nil {
		return err
	}
	profile, err := os.MkdirTemp("", "observatoire-pdf-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	for _, page := range pages {
		pdf, err := printPage(ctx, path, profile, page)
		if err != nil {
			return err
		}
		if err := writeFile(strings.TrimSuffix(page, filepath.Ext(page))+".pdf", func(w io.Writer) error {
			_, err := w.Write(pdf)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// printPage is a page as a PDF, tagged.
func printPage(ctx context.Context, browser, profile, page string) ([]byte, error) {
	out := filepath.Join(profile, "page.pdf")
	pdf, err := render(ctx, browser, profile, page, out, "--no-pdf-header-footer", "--print-to-pdf="+out)
	return undated(pdf), err
}

// picture is a page as a PNG, three points for one of the screen: 288 an inch.
func picture(ctx context.Context, browser, profile, page string, width, height int) ([]byte, error) {
	out := filepath.Join(profile, "page.png")
	return render(ctx, browser, profile, page, out, "--hide-scrollbars", "--force-device-scale-factor=3", fmt.Sprintf("--window-size=%d,%d", width, height), "--screenshot="+out)
}

// render has the browser make one file of a page.
func render(ctx context.Context, browser, profile, page, out string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	full, err := filepath.Abs(page)
	if err != nil {
		return nil, err
	}
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(full)}
	if !strings.HasPrefix(address.Path, "/") { // C:/…
		address.Path = "/" + address.Path
	}
	args = append([]string{"--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-background-networking",
		"--user-data-dir=" + profile}, args...)
	if os.Geteuid() == 0 { // it refuses its sandbox to root
		args = append(args, "--no-sandbox")
	}
	os.Remove(out) //nolint:errcheck // of the page before
	said, err := exec.CommandContext(ctx, browser, append(args, address.String())...).CombinedOutput()
	b, readErr := os.ReadFile(out)
	if readErr != nil || len(b) == 0 {
		return nil, fmt.Errorf("%s: %s drew nothing: %w\n%s", page, browser, errors.Join(err, readErr), strings.TrimSpace(string(said)))
	}
	return b, nil
}

var pdfDate = regexp.MustCompile(`/(CreationDate|ModDate) \(D:[^)]*\)`)

// undated takes the hour of printing out of a PDF, its bytes staying where they were: the same page gives the same file.
func undated(pdf []byte) []byte {
	return pdfDate.ReplaceAllFunc(pdf, func(b []byte) []byte {
		for i := range b {
			if b[i] >= '0' && b[i] <= '9' {
				b[i] = '0'
			}
		}
		return []byte(strings.ReplaceAll(string(b), "D:00000000", "D:20000101"))
	})
}
