package data

import (
	"embed"
	"io/fs"
)

//go:embed all:template
var template embed.FS

// Template is the project that `observatoire init` starts from.
func Template() fs.FS { return must(fs.Sub(template, "template")) }

func must(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return f
}
