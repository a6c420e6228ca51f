package ingest

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// blanks are the characters producers pad cells with and part thousands by: space, tab, no-break space, thin
// space, narrow no-break space.
const blanks = " \t\u00A0\u2009\u202F"

var (
	errNotNumber = errors.New("is not a number")
	errExponent  = errors.New("is written with an exponent")
	errNotFinite = errors.New("is not a finite number")
)

// parseNumber reads a figure as French producers write them: "1 234,5", "1234.5", "-8,4", "3048.0". The decimal
// mark is a comma or a point; only the one named by decimal when it is not empty. Thousands may be parted by
// any of blanks, in groups of three. An exponent ("1e5"), infinity and NaN are refused: in these files they are
// the marks of a conversion that went wrong.
func parseNumber(s, decimal string) (float64, error) {
	s = strings.Trim(s, blanks)
	low := strings.ToLower(strings.TrimLeft(s, "+-"))
	if low == "nan" || low == "inf" || low == "infinity" {
		return 0, errNotFinite
	}
	digits := make([]byte, 0, len(s)+1)
	group := -1 // digits since the last thousands mark, -1 before any
	whole, point := 0, false
	fraction := 0
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
			if point {
				fraction++
				continue
			}
			whole++
			if group >= 0 {
				group++
			}
		case i == 0 && (r == '-' || r == '+' || r == '\u2212'):
			if r != '+' {
				digits = append(digits, '-')
			}
		case (r == ',' || r == '.') && !point && (decimal == "" || string(r) == decimal):
			if group >= 0 && group != 3 {
				return 0, errNotNumber
			}
			point, group = true, -1
			digits = append(digits, '.')
		case strings.ContainsRune(blanks, r) && !point && whole > 0:
			if group < 0 && whole > 3 || group >= 0 && group != 3 {
				return 0, errNotNumber
			}
			group = 0
		case (r == 'e' || r == 'E') && whole+fraction > 0 && exponent(s[i+1:]):
			return 0, errExponent
		default:
			return 0, errNotNumber
		}
	}
	if whole+fraction == 0 || point && fraction == 0 || group >= 0 && group != 3 {
		return 0, errNotNumber
	}
	v, err := strconv.ParseFloat(string(digits), 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, errNotFinite
	}
	return v + 0, nil // no negative zero
}

func exponent(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// powersOfTen are those a float64 holds exactly.
var powersOfTen = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// plainNumber reads a cell of at most 15 digits, a mark among them and a sign before them, and says how many follow the
// mark. Most cells are such, and their digits and the power of ten are exact, so their quotient is what strconv gives, to the
// bit. false: the cell is something else.
func plainNumber(s []byte) (v float64, fraction int, mark byte, ok bool) {
	negative := false
	if len(s) > 0 && s[0] == '-' {
		negative, s = true, s[1:]
	}
	if len(s) == 0 || len(s) > 16 {
		return 0, 0, 0, false
	}
	var n uint64
	digits := 0
	for i, c := range s {
		switch {
		case c-'0' <= 9:
			n = 10*n + uint64(c-'0')
			digits++
		case (c == ',' || c == '.') && mark == 0 && i+1 < len(s):
			mark, fraction = c, len(s)-i-1
		default:
			return 0, 0, 0, false
		}
	}
	if digits > 15 || digits == 0 || digits == fraction {
		return 0, 0, 0, false
	}
	if v = float64(n); fraction > 0 {
		v /= powersOfTen[fraction]
	}
	if negative && n != 0 {
		v = -v
	}
	return v, fraction, mark, true
}

// shortNumber is plainNumber for the first n bytes, 1 to 8, of a word read from the text, the first byte being the lowest: all
// its digits at once. It takes no sign.
func shortNumber(word uint64, n int) (v float64, fraction int, mark byte, ok bool) {
	const ones, tops, zeros = 0x0101010101010101, 0x8080808080808080, 0x3030303030303030
	// The cell goes to the end of the word, after as many "0" as it takes.
	word = word<<(64-8*n) | zeros>>(8*n)
	// A comma and a point differ by one bit. The lowest byte found is one of them, whatever is found above it.
	same := (word | 0x02*ones) ^ '.'*ones
	if found := (same - ones) &^ same & tops; found != 0 {
		at := bits.TrailingZeros64(found) &^ 7
		mark, fraction = byte(word>>at), 7-at/8
		if fraction == 0 || fraction+1 == n {
			return 0, 0, 0, false
		}
		before := word & (1<<at - 1)
		word = word&^(1<<(at+8)-1) | before<<8 | '0'
	}
	if (word+0x46*ones|(word-zeros))&tops != 0 { // something else than digits
		return 0, 0, 0, false
	}
	word -= zeros
	word = word*10 + word>>8 // pairs of digits, one byte in two
	word = (word&0x000000FF000000FF*(100+1_000_000<<32) + word>>16&0x000000FF000000FF*(1+10_000<<32)) >> 32
	if v = float64(int64(word)); fraction > 0 {
		v /= powersOfTen[fraction]
	}
	return v, fraction, mark, true
}
