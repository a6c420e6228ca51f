package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"observatoire/data/store"
)

func (a *app) migrateCmd() *cobra.Command {
	var sql bool
	var from int
	c := &cobra.Command{
		Use:     "migrate [--sql]",
		Aliases: []string{"migrer"},
		Short:   "Bring the PostGIS store up to date, with its roles; --sql prints what a database administrator runs instead",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from != 0 && !sql {
				return usage{fmt.Errorf("--from goes with --sql: without it the program knows what the schema has had")}
			}
			address, dir := a.storeURL, a.dir
			if address == "" {
				p, err := loadProject(a.dir)
				if err != nil {
					return err
				}
				address, dir = p.Store, p.dir
			}
			if sql {
				text, err := store.MigrationSQL(address, from)
				if err != nil {
					return usage{err}
				}
				fmt.Fprint(a.stdout, text)
				return nil
			}
			version, roles, err := store.Migrate(cmd.Context(), address, dir)
			if err != nil {
				return err
			}
			a.say("the schema is at version %d", version)
			if roles != "" {
				a.say("this account may not create roles: what an administrator runs to have them is on standard output")
				fmt.Fprint(a.stdout, roles)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&sql, "sql", false, "print the SQL, and touch no database")
	c.Flags().IntVar(&from, "from", 0, "with --sql: the version the schema is at (SELECT max(version) FROM migration)")
	return c
}
