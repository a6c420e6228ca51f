package ingest

import (
	"fmt"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

const sampleYAML = `# En tête.
- id: population   # la clé
  label: "Population municipale"  # libellé
  note: >-
    Sur plusieurs
    lignes.
  sexes: [T]

# Ce commentaire parle du suivant.
- {id: taux, label: "Taux : a, b", sexes: [T, F]}

- id: revenu
  deciles:
  - d1
  - d2
  decimals: 1
`

func TestYAMLSet(t *testing.T) {
	const other = "title: X\n# Les comparaisons.\ncomparisons:\n  veille:\n    VAUBAN: [CROIZAT]   # un exemple\n    CROIZAT: [VAUBAN]\n\nindicators: default\n"
	for _, tt := range []struct {
		name, text string
		value      any
		path       []any
		old, new   string // what changes in the text
	}{
		{"a text with a comment", sampleYAML, "Habitants", []any{0, "label"}, `label: "Population municipale"  # libellé`, `label: Habitants  # libellé`},
		{"a text of several lines", sampleYAML, "Une : ligne", []any{0, "note"}, "note: >-\n    Sur plusieurs\n    lignes.", `note: "Une : ligne"`},
		{"a list", sampleYAML, []string{"T", "F"}, []any{0, "sexes"}, "[T]\n\n#", "[T, F]\n\n#"},
		{"a new key", sampleYAML, 2, []any{0, "decimals"}, "  sexes: [T]\n\n# Ce", "  sexes: [T]\n  decimals: 2\n\n# Ce"},
		{"inside braces", sampleYAML, "Taux d'emploi", []any{1, "label"}, `- {id: taux, label: "Taux : a, b", sexes: [T, F]}`, "- id: taux\n  label: Taux d'emploi\n  sexes: [T, F]"},
		{"a list in block style", sampleYAML, []string{"d1"}, []any{2, "deciles"}, "deciles:\n  - d1\n  - d2\n", "deciles: [d1]\n"},
		{"a key taken away", sampleYAML, nil, []any{2, "deciles"}, "  deciles:\n  - d1\n  - d2\n", ""},
		{"an item taken away", sampleYAML, nil, []any{1}, "- {id: taux, label: \"Taux : a, b\", sexes: [T, F]}\n", ""},
		{"a new item", sampleYAML, yaml.MapSlice{{Key: "id", Value: "x"}, {Key: "scale", Value: 100.0}}, []any{3}, "  decimals: 1\n", "  decimals: 1\n\n- id: x\n  scale: 100\n"},
		{"an entry of a mapping", other, []string{"CROIZAT", "QP013063"}, []any{"comparisons", "veille", "VAUBAN"}, "VAUBAN: [CROIZAT]   #", "VAUBAN: [CROIZAT, QP013063]   #"},
		{"a new entry", other, []string{"VAUBAN"}, []any{"comparisons", "veille", "X 1"}, "CROIZAT: [VAUBAN]\n", "CROIZAT: [VAUBAN]\n    X 1: [VAUBAN]\n"},
		{"a new level", other, []string{"A"}, []any{"comparisons", "qpv", "QP1"}, "CROIZAT: [VAUBAN]\n", "CROIZAT: [VAUBAN]\n  qpv: {QP1: [A]}\n"},
		{"a new key at the top", other, []string{"A"}, []any{"references"}, "indicators: default\n", "indicators: default\nreferences: [A]\n"},
		{"in braces at the top", "comparisons: {veille: {A: [B]}}  # dit\n", []string{"C"}, []any{"comparisons", "veille", "A"}, "{A: [B]}", "{A: [C]}"},
		{"in place of nothing", "comparisons:\nindicators: default\n", []string{"C"}, []any{"comparisons", "veille", "A"}, "comparisons:\n", "comparisons: {veille: {A: [C]}}\n"},
		{"an empty list", "# rien\n", yaml.MapSlice{{Key: "id", Value: "x"}}, []any{0}, "# rien\n", "# rien\n- id: x\n"},
		{"no newline at the end", "a: 1", "2", []any{"b"}, "a: 1", "a: 1\nb: \"2\"\n"},
	} {
		f, err := ParseYAML("f.yaml", []byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint(replaceOnce(t, tt.text, tt.old, tt.new))
		if err := f.Set(tt.value, tt.path...); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(want, string(f.Bytes())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if _, err := f.Value(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func replaceOnce(t *testing.T, s, old, new string) string {
	t.Helper()
	for i := 0; i+len(old) <= len(s); i++ {
		if s[i:i+len(old)] == old {
			return s[:i] + new + s[i+len(old):]
		}
	}
	t.Fatalf("%q is not there", old)
	return ""
}

// What is written reads back as it was meant.
func TestFlowReadsBack(t *testing.T) {
	for _, v := range []any{"oui", "yes", "13047", "0012", "a: b", "a #b", "- a", "", "é 'x' \"y\"", "3,5", "true", "{AA}", "{S}POP", "x, y", "[a", "*", "&a", "!x", "l’été (2)", "edition-1", "1e3", "~"} {
		var got any
		if err := yaml.Unmarshal([]byte(fmt.Sprintf("k: {v: %s, l: [%s]}", Flow(v), Flow(v))), &got); err != nil {
			t.Errorf("%q: %v", v, err)
			continue
		}
		want := map[string]any{"k": map[string]any{"v": v, "l": []any{v}}}
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("%s:\n%s", Flow(v), diff)
		}
	}
}
