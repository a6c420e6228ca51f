package data

import (
	"embed"
	"io/fs"
)

//go:embed all:demo
var demo embed.FS

// Demo is the bundled project: SAN Ouest Provence with schematic contours and the figures of the contrat de
// ville. It is an ordinary project folder, with its observatoire.yaml at the root.
func Demo() fs.FS { return must(fs.Sub(demo, "demo")) }
