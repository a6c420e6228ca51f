package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"observatoire/data"
	"observatoire/data/store"
)

func (a *app) demoCmd() *cobra.Command {
	var dir string
	var noServe bool
	var o serveOptions
	c := &cobra.Command{
		Use:     "demo",
		Aliases: []string{"demonstration"},
		Short:   "The bundled project: write it, run it, publish it, serve it; no database, no download",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := writeTree(data.Demo(), dir); err != nil {
				return err
			}
			a.dir = dir
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				e, err := a.run(ctx, p, st)
				if err != nil {
					return err
				}
				if err := a.publish(ctx, p, st, e, "démonstration"); err != nil {
					return err
				}
				sets, err := overlapsOf(ctx, e, "qpv", "iris")
				if err != nil {
					return err
				}
				if err := a.overlapsTable(e, sets); err != nil {
					return err
				}
				if noServe {
					a.say("the project is in %s: `observatoire -C %s serve` shows it", dir, quoted(dir))
					return nil
				}
				return a.serve(ctx, p, st, o)
			})
		},
	}
	c.Flags().StringVar(&dir, "dir", "observatoire-demo", "folder to write the project in")
	o.flags(pflag.NewFlagSet("", pflag.ContinueOnError)) // as serve does, without its flags
	o.access = false
	c.Flags().StringVar(&o.addr, "addr", envOr("OBSERVATOIRE_ADDR", ":8080"), "address to listen on")
	c.Flags().BoolVar(&noServe, "no-serve", false, "stop once the edition is published")
	return c
}

// writeTree writes the files of a tree into a folder. Files already there are written again; others are left
// alone: a demo directory is an ordinary project.
func writeTree(tree fs.FS, dir string) error {
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(path, 0o755)
		}
		b, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o644)
	})
}

// quoted is a path as it is typed in a command, in quotes where it holds a space or a sign that a shell takes for its own.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t'&();<>|*?$`!#") {
		return `"` + path + `"`
	}
	return path
}

func (a *app) initCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "init DIR",
		Aliases: []string{"initialiser"},
		Short:   "Start a project: a commented observatoire.yaml, its folders, an example card",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := args[0]
			if path := filepath.Join(dir, projectFile); exists(path) {
				return fmt.Errorf("%s: there is a project here already", path)
			}
			if err := writeTree(data.Template(), dir); err != nil {
				return err
			}
			for _, name := range []string{"sources", "contours", "cards"} {
				if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
					return err
				}
			}
			a.say("project started in %s: edit %s, then `observatoire -C %s run`", dir, filepath.Join(dir, projectFile), quoted(dir))
			return nil
		},
	}
}
