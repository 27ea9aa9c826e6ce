package config

import (
	"strconv"
	"strings"
)

// nearest returns the candidate that text was most likely meant to be, or "" if none is close: the one with the fewest edits, at
// most a third of the shorter's length and one more.
func nearest(text string, candidates []string) string {
	if len(text) > 128 {
		return ""
	}
	best, fewest := "", 0
	for _, c := range candidates {
		d := edits(strings.ToLower(text), strings.ToLower(c))
		if d <= min(len(text), len(c))/3+1 && (best == "" || d < fewest) {
			best, fewest = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes, with two neighbours exchanged counted as one edit.
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// maxShown bounds what a problem repeats of a value, in bytes.
const maxShown = 80

// clip quotes text for a problem, on one line and cut if long.
func clip(text string) string {
	if len(text) > maxShown {
		return strconv.Quote(text[:maxShown]) + "…"
	}
	return strconv.Quote(text)
}

// keyText is a key of the file as a path shows it: as written if it is plain, else quoted.
func keyText(key string) string {
	if key != "" && len(key) <= maxShown && only(key, "_-") {
		return key
	}
	return clip(key)
}
