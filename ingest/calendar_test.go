package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCalendar(t *testing.T) {
	cards := []*Card{
		{ID: "fevrier", Files: []string{"REV_{AAAA}.csv"}, ReleaseMonth: 2, ReleaseLag: 3},
		{ID: "novembre", Files: []string{"POP_{AA}.csv"}, ReleaseMonth: 11, ReleaseLag: 1},
		{ID: "sans-mois", Files: []string{"CAF_{AAAA}.csv"}},
		{ID: "sans-annee", Files: []string{"zones.csv"}, ReleaseMonth: 3},
		{ID: "inutile", Files: []string{"X_{AAAA}.csv"}, ReleaseMonth: 3},
	}
	for _, tt := range []struct {
		today   string
		present map[string][]int
		want    string
	}{
		{"2026-11-22", map[string][]int{"fevrier": {2019, 2021}, "novembre": {2024}, "sans-mois": {2020}, "sans-annee": {0}},
			"fevrier 2021→2023 2026-02 due; novembre 2024→2025 2026-11; sans-annee 0→0; sans-mois 2020→0"},
		{"2026-12-01", map[string][]int{"novembre": {2024}}, "novembre 2024→2025 2026-11 due"}, // the month has passed whole
		{"2026-12-01", map[string][]int{"novembre": {2025}}, "novembre 2025→2026 2027-11"},
		{"2026-02-28", map[string][]int{"fevrier": {2022}}, "fevrier 2022→2023 2026-02"},
		{"2026-03-01", map[string][]int{"fevrier": {2022}}, "fevrier 2022→2023 2026-02 due"},
		{"2026-03-01", map[string][]int{"fevrier": {2025}}, "fevrier 2025→2026 2029-02"}, // earlier than usual
		{"2026-03-01", map[string][]int{"fevrier": nil}, "fevrier 0→2023 2026-02 due"},
		{"2026-03-01", nil, ""},
	} {
		today, err := time.Parse(time.DateOnly, tt.today)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range Calendar(cards, tt.present, today) {
			s := fmt.Sprintf("%s %d→%d", r.Card.ID, r.Latest, r.Next)
			if r.Next != 0 {
				s += r.Expected.Format(" 2006-01")
			}
			if r.Due {
				s += " due"
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", tt.today, tt.present, diff)
		}
	}
}
