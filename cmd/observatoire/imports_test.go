package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Imports point one way: geo imports none of ours; indicators imports geo; ingest, tiles and data/store import
// indicators and geo; cmd imports all. Arrow stays behind ingest, data/store and the exporters.
func TestImportDirection(t *testing.T) {
	allowed := map[string][]string{
		"observatoire/geo":              {},
		"observatoire/indicators":       {"observatoire/geo"},
		"observatoire/ingest":           {"observatoire/geo", "observatoire/indicators"},
		"observatoire/tiles":            {"observatoire/geo", "observatoire/indicators"},
		"observatoire/data":             {},
		"observatoire/data/store":       {"observatoire/geo", "observatoire/indicators"},
		"observatoire/cmd/observatoire": nil, // anything
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "observatoire/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg, imports := fields[0], fields[1:]
		want, known := allowed[pkg]
		if !known {
			t.Errorf("package %s has no place in the tree: give it one here", pkg)
			continue
		}
		seen++
		for _, imp := range imports {
			if want != nil && strings.HasPrefix(imp, "observatoire/") && !slices.Contains(want, imp) {
				t.Errorf("%s imports %s", pkg, imp)
			}
			arrow := pkg == "observatoire/ingest" || pkg == "observatoire/data/store" || pkg == "observatoire/tiles" // which exports Parquet
			if strings.HasPrefix(imp, "github.com/apache/arrow") && !arrow {
				t.Errorf("%s imports %s: tables stay behind ingest, data/store and the exporters", pkg, imp)
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d packages listed, want %d", seen, len(allowed))
	}
}
