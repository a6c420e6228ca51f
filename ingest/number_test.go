package ingest

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestParseNumber(t *testing.T) {
	tests := []struct {
		in, decimal string
		want        float64
		err         error
	}{
		{"42", "", 42, nil},
		{"22,6", "", 22.6, nil},
		{"22.6", "", 22.6, nil},
		{"-8,4", "", -8.4, nil},
		{"\u22128,4", "", -8.4, nil},
		{"+3", "", 3, nil},
		{"3048.0", "", 3048, nil},
		{"-0", "", 0, nil},
		{",5", "", 0.5, nil},
		{"0,208  ", "", 0.208, nil},
		{"5\u202F019\u202F573", "", 5019573, nil},
		{"1 234,5", "", 1234.5, nil},
		{"12\u00A0930", "", 12930, nil},
		{"007", "", 7, nil},
		{"1,5", ",", 1.5, nil},

		{"", "", 0, errNotNumber},
		{"-", "", 0, errNotNumber},
		{".", "", 0, errNotNumber},
		{"5,", "", 0, errNotNumber},
		{"12,5,6", "", 0, errNotNumber},
		{"1.234,5", "", 0, errNotNumber},
		{"12 34", "", 0, errNotNumber},
		{"1234 567", "", 0, errNotNumber},
		{"1 234 5", "", 0, errNotNumber},
		{"1 23,4", "", 0, errNotNumber},
		{"1 234,567 8", "", 0, errNotNumber},
		{"1.5", ",", 0, errNotNumber},
		{"12 %", "", 0, errNotNumber},
		{"O", "", 0, errNotNumber},
		{"5e", "", 0, errNotNumber},
		{"1e5", "", 0, errExponent},
		{"1,5E-3", "", 0, errExponent},
		{"NaN", "", 0, errNotFinite},
		{"-Inf", "", 0, errNotFinite},
		{"infinity", "", 0, errNotFinite},
		{strings.Repeat("9", 400), "", 0, errNotFinite},
		{"0x10", "", 0, errNotNumber},
		{"1_000", "", 0, errNotNumber},
	}
	for _, tt := range tests {
		got, err := parseNumber(tt.in, tt.decimal)
		if got != tt.want || !errors.Is(err, tt.err) || math.Signbit(got) && got == 0 {
			t.Errorf("parseNumber(%q, %q) = %v, %v, want %v, %v", tt.in, tt.decimal, got, err, tt.want, tt.err)
		}
	}
}

// Whatever is read is finite, and written as the plain digits of the text.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"1 234,5", "-8.4", "1e5", "12,5,6", "\u202F1", "\u22123"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parseNumber(s, "")
		if err != nil {
			if v != 0 {
				t.Errorf("%q: %v with %v", s, v, err)
			}
			return
		}
		plain := strings.NewReplacer(",", ".", "\u2212", "-", " ", "", "\t", "", "\u00A0", "", "\u2009", "", "\u202F", "").Replace(s)
		want, err := strconv.ParseFloat(plain, 64)
		if err != nil || want != v || math.IsInf(v, 0) || math.IsNaN(v) {
			t.Errorf("%q = %v, want %v, %v", s, v, want, err)
		}
	})
}
