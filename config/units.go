package config

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// sizeUnits are tried in order: the longer suffixes first, B last.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

var (
	errSize     = errors.New("want a size such as 64KiB, 256MiB, 1GB, or plain bytes")
	errDuration = errors.New("want a duration such as 250ms, 5s, 1h30m or 7d")
	errPercent  = errors.New("want a part such as 10% or 0.1")
)

// parseSize reads a size in bytes: digits, at most one point, and a unit in any case. A part of a byte is refused.
func parseSize(s string) (int64, error) {
	number, unit := s, int64(1)
	for _, u := range sizeUnits {
		if n := len(s) - len(u.suffix); n > 0 && strings.EqualFold(s[n:], u.suffix) {
			number, unit = strings.TrimRight(s[:n], " "), u.bytes
			break
		}
	}
	if !decimal(number) {
		return 0, errSize
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, errSize
	}
	r.Mul(r, new(big.Rat).SetInt64(unit))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, errSize
	}
	return r.Num().Int64(), nil
}

// decimal reports whether s is digits with at most one point between them, short enough to be a number that someone meant.
func decimal(s string) bool {
	whole, part, point := strings.Cut(s, ".")
	return len(s) <= 32 && digits(whole) && (!point || digits(part))
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// formatSize writes bytes in the unit that makes the shortest text, exactly; binary units before decimal ones.
func formatSize(n int64) string {
	best := strconv.FormatInt(n, 10)
	if n == 0 {
		return best
	}
	best += "B"
	for _, u := range sizeUnits {
		if n%u.bytes != 0 {
			continue
		}
		if s := strconv.FormatInt(n/u.bytes, 10) + u.suffix; len(s) < len(best) {
			best = s
		}
	}
	return best
}

const day = 24 * time.Hour

// parseDuration reads a duration as Go writes them, with days in front if wanted ("7d", "1d12h"). A bare number but 0 is refused.
func parseDuration(s string) (time.Duration, error) {
	var days time.Duration
	rest := s
	if head, tail, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, errDuration
		}
		days, rest = time.Duration(n)*day, tail
		if rest == "" {
			return days, nil
		}
		if strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
			return 0, errDuration
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d > math.MaxInt64-days {
		return 0, errDuration
	}
	return days + d, nil
}

// formatDuration writes a duration without empty parts: "1h", not "1h0m0s"; whole days as "7d".
func formatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// parsePercent reads a part of one: "10%" or "0.1".
func parsePercent(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	number = strings.TrimRight(number, " ")
	if !decimal(number) {
		return 0, errPercent
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, errPercent
	}
	if percent {
		f /= 100
	}
	return f, nil
}

// formatPercent writes a part of one as a percentage, with the twelve digits that hide binary rounding.
func formatPercent(f float64) string {
	s := strconv.FormatFloat(f*100, 'f', 10, 64)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".") + "%"
}
