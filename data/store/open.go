package store

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var dsnKeyword = regexp.MustCompile(`(^|\s)(service|host|hostaddr|dbname|user|port|passfile|sslmode)\s*=`)

// Open opens the store that address names: a GeoPackage, "observatoire.gpkg", relative to the folder dir; or
// PostGIS, "postgres://…" or "service=…", whose option schema (default "observatoire") names the schema to use.
func Open(ctx context.Context, address, dir string) (Store, error) {
	switch {
	case strings.HasPrefix(address, "postgres://"), strings.HasPrefix(address, "postgresql://"),
		!strings.HasSuffix(address, ".gpkg") && dsnKeyword.MatchString(address):
		return openPostGIS(ctx, address)
	case strings.EqualFold(filepath.Ext(address), ".gpkg"):
		if !filepath.IsAbs(address) {
			address = filepath.Join(dir, address)
		}
		path, err := filepath.Abs(address)
		if err != nil {
			return nil, fmt.Errorf("store %s: %w", address, err)
		}
		return openGPKG(ctx, path)
	}
	// The address may hold a password: it is not repeated.
	return nil, fmt.Errorf("the store must be a GeoPackage file, such as observatoire.gpkg, or a PostGIS address, " +
		"such as postgres://user@host/database")
}

// checkDay refuses a day that is not written AAAA-MM-JJ.
func checkDay(day string) error {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return fmt.Errorf("day %q: want AAAA-MM-JJ", day)
	}
	return nil
}
