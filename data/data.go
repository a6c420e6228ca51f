// Package data holds what the program carries with it: the catalogue of the sources and of the indicators, the
// bundled demonstration, the project to start from.
package data

import (
	"embed"
	"io/fs"
)

//go:embed catalogue
var catalogue embed.FS

// Catalogue is the cards of the published files, in folders, indicators.yaml and guards.yaml at the root.
func Catalogue() fs.FS { return must(fs.Sub(catalogue, "catalogue")) }
