package main

import (
	"context"
	"errors"
	"fmt"
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
		if err := printPage(ctx, path, profile, page); err != nil {
			return err
		}
	}
	return nil
}

func printPage(ctx context.Context, browser, profile, page string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	full, err := filepath.Abs(page)
	if err != nil {
		return err
	}
	out := strings.TrimSuffix(full, filepath.Ext(full)) + ".pdf"
	tmp := filepath.Join(profile, "page.pdf")
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(full)}
	if !strings.HasPrefix(address.Path, "/") { // C:/…
		address.Path = "/" + address.Path
	}
	args := []string{"--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-background-networking",
		"--user-data-dir=" + profile, "--no-pdf-header-footer", "--print-to-pdf=" + tmp}
	if os.Geteuid() == 0 { // it refuses its sandbox to root
		args = append(args, "--no-sandbox")
	}
	os.Remove(tmp) //nolint:errcheck // of the page before
	said, err := exec.CommandContext(ctx, browser, append(args, address.String())...).CombinedOutput()
	pdf, readErr := os.ReadFile(tmp)
	if readErr != nil || len(pdf) == 0 {
		return fmt.Errorf("PDF of %s: %s wrote none: %w\n%s", page, browser, errors.Join(err, readErr), strings.TrimSpace(string(said)))
	}
	return os.WriteFile(out, undated(pdf), 0o644)
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
