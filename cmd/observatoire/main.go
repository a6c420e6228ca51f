// Command observatoire makes the territorial observatory: it reads the files of a year, carries their figures
// to the quarters, keeps the result as an edition, and serves it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"observatoire/ingest"
)

// version is the program's; with the commit it was built from it is part of every edition's manifest. See [build].
const version = "0.1.0"

// Exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRefused  = 3 // an input was refused: every bad cell is on stderr
	exitWarnings = 4 // done with warnings, under --strict
)

// A refused error is an input that cannot be taken as it is.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// A usage error is a command line that says nothing the program understands.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// errWarnings ends a run that is done, with warnings, under --strict.
var errWarnings = errors.New("done with warnings (--strict)")

func main() {
	if code, ran := runService(); ran { // by Windows
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code. stdout holds only the result.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "error: "+fullDisk(err).Error())
	var r refused
	var u usage
	switch {
	case errors.Is(err, errWarnings):
		return exitWarnings
	case errors.As(err, &r):
		return exitRefused
	case errors.As(err, &u):
		return exitUsage
	}
	return exitFailed
}

// An app is what every command shares.
type app struct {
	dir            string // -C: the project's folder
	storeURL       string // --store: overrides the project's
	stdout, stderr io.Writer
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	a := &app{stdout: stdout, stderr: stderr}
	var format string
	root := &cobra.Command{
		Use:           "observatoire",
		Short:         "A territorial observatory: files of the year in; series, maps and tables out",
		Version:       build(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), format) },
	}
	root.Flags().StringVar(&format, "format", "table", "of where the project stands: table or json")
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if words := c.Flags().Args(); !c.HasParent() && len(words) > 0 { // the flags of a command that is none
			return unknownCommand(c, words[0])
		}
		return usage{err}
	})
	root.PersistentFlags().StringVarP(&a.dir, "dir", "C", envOr("OBSERVATOIRE_DIR", "."), "folder of the project")
	root.PersistentFlags().StringVar(&a.storeURL, "store", os.Getenv("OBSERVATOIRE_STORE"),
		"store to use in place of the project's: a .gpkg file, or postgres://…")
	root.AddCommand(a.demoCmd(), a.initCmd(), a.fetchCmd(), a.runCmd(), a.reviewCmd(), a.publishCmd(), a.withdrawCmd(),
		a.editionsCmd(), a.diffCmd(), a.overlapsCmd(), a.changesCmd(), a.seriesCmd(), a.methodsCmd(), a.calibrationCmd(), a.indicatorsCmd(), a.exportCmd(), a.portraitCmd(), a.carteCmd(), a.interpolateCmd(), a.locateCmd(), a.facilitiesCmd(), a.depositsCmd(), a.spreadsheetCmd(), a.inspectCmd(), a.serveCmd(), a.tokenCmd(), a.migrateCmd())
	for _, c := range root.Commands() {
		if c.Args == nil {
			c.Args = cobra.NoArgs
		}
		args := c.Args
		c.Args = func(cmd *cobra.Command, list []string) error {
			if err := args(cmd, list); err != nil {
				return usage{fmt.Errorf("%s: %w", cmd.Name(), err)}
			}
			return nil
		}
	}
	return root
}

// unknownCommand names the commands that look most like a word.
func unknownCommand(root *cobra.Command, word string) error {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	slices.Sort(names)
	hint := ""
	if near := ingest.Nearest(word, slices.Compact(names), 3); len(near) > 0 {
		hint = " (the nearest: " + strings.Join(near, ", ") + ")"
	}
	return usage{fmt.Errorf("unknown command %q%s: `observatoire --help` lists them", word, hint)}
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// say writes a line of progress: stderr, never stdout.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }
