package indicators

import (
	"strconv"
	"strings"
)

// FrenchNumber writes a figure for readers: decimal comma, thousands apart by a narrow no-break space.
func FrenchNumber(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	sign := ""
	if rest, neg := strings.CutPrefix(s, "-"); neg {
		s, sign = rest, "−"
	}
	whole, frac, _ := strings.Cut(s, ".")
	if strings.Trim(whole+frac, "0") == "" {
		sign = ""
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(r)
	}
	if frac != "" {
		b.WriteString("," + frac)
	}
	return b.String()
}

// FrenchSigned is FrenchNumber with its sign always written.
func FrenchSigned(v float64, decimals int) string {
	s := FrenchNumber(v, decimals)
	if v > 0 && strings.Trim(s, "0,\u202f") != "" {
		return "+" + s
	}
	return s
}
