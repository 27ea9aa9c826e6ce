package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// spread is the middle and the ends of some figures.
type spread struct{ median, least, most float64 }

// spreadOf returns the spread of at least one figure.
func spreadOf(figures []float64) spread {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// ratios are those of the figures that were measured in the same round.
func ratios(of, to []float64) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i] / to[i]
	}
	return out
}

// writeTable prints the one table, in Markdown: a line a setting.
func writeTable(w io.Writer, o options, all rates) error {
	var b strings.Builder
	fmt.Fprintf(&b, "redis-benchmark, %d clients, %s of %d requests (times P) a command: median (least–most) requests/s; "+
		"ratios within a round.\n\n", o.clients, plural(o.rounds, "round"), o.requests)
	b.WriteString("| | bytes | P | direct | twemproxy | forebay | forebay / direct | forebay / twemproxy |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, depth := range o.depths {
		for _, size := range o.sizes {
			for _, command := range commands() {
				r := all[setting{command, size, depth}]
				fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s | %s |\n", command, thousands(float64(size)), depth,
					rate(r["direct"]), rate(r["twemproxy"]), rate(r["forebay"]),
					ratio(r["forebay"], r["direct"]), ratio(r["forebay"], r["twemproxy"]))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func rate(figures []float64) string {
	s := spreadOf(figures)
	return fmt.Sprintf("%s (%s–%s)", thousands(s.median), thousands(s.least), thousands(s.most))
}

func ratio(of, to []float64) string {
	s := spreadOf(ratios(of, to))
	return fmt.Sprintf("**%.2f** (%.2f–%.2f)", s.median, s.least, s.most)
}

// thousands writes a whole number with commas.
func thousands(f float64) string {
	digits := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
