// Package figure reduces what was measured in several rounds to what can be compared, and writes it.
//
// A machine's figures change from minute to minute, so only those of one round are set against each other: the
// median is that of the rounds' ratios, not the ratio of the medians.
package figure

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Spread is the middle and the ends of some figures. The zero value is that of none.
type Spread struct{ Median, Least, Most float64 }

// Of returns the spread of figures, which it leaves as they are.
func Of(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return Spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// Ratios are those of figures measured in the same round. Where one of the two has fewer rounds, the others are left out, and those with
// nothing to divide by.
func Ratios(of, to []float64) []float64 {
	var out []float64
	for i := range min(len(of), len(to)) {
		if to[i] != 0 {
			out = append(out, of[i]/to[i])
		}
	}
	return out
}

// Ratio writes a spread of ratios in Markdown, the median in bold; "–" for none.
func (s Spread) Ratio() string {
	if s == (Spread{}) {
		return "–"
	}
	return fmt.Sprintf("**%.2f** (%.2f–%.2f)", s.Median, s.Least, s.Most)
}

// Verdict tells whether what was wanted, at least, is reached. Where it lies between the least and the most, the rounds do not agree.
func (s Spread) Verdict(want float64) string {
	met := "missed"
	if s.Median >= want {
		met = "met"
	}
	if s.Least < want && want <= s.Most {
		met += ", within the spread"
	}
	return met
}

// String writes a spread of amounts; "–" for none.
func (s Spread) String() string {
	if s == (Spread{}) {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", Amount(s.Median), Amount(s.Least), Amount(s.Most))
}

// Amount writes a figure with three digits that count, or all those before the point, with commas between thousands.
func Amount(f float64) string {
	decimals := 0
	if a := math.Abs(f); a > 0 && a < 100 {
		decimals = min(2-int(math.Floor(math.Log10(a))), 4)
	}
	whole, rest := strconv.FormatFloat(f, 'f', decimals, 64), ""
	if decimals > 0 {
		whole, rest = whole[:len(whole)-decimals-1], whole[len(whole)-decimals-1:]
	}
	first := 0
	if whole[0] == '-' {
		first = 1
	}
	for i := len(whole) - 3; i > first; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole + rest
}
