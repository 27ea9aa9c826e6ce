package compat

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const rowFormat = "%-52s %4v  %6v %6v %7v  %6v %6v %7v  %6v %5v  %6v\n"

// table prints rows as they come, and what is to be told of them at the end.
type table struct {
	out  io.Writer
	rows []row
}

func newTable(out io.Writer) *table {
	fmt.Fprintf(out, "%-52s %4s  %-21s  %-21s\n", "", "", "straight", "through")
	fmt.Fprintf(out, rowFormat, "file", "RESP", "passed", "failed", "skipped", "passed", "failed", "skipped", "differ", "flaky", "time")
	return &table{out: out}
}

func (t *table) add(w row) {
	t.rows = append(t.rows, w)
	t.print(w, fmt.Sprint(w.protocol))
}

func (t *table) print(w row, protocol string) {
	fmt.Fprintf(t.out, rowFormat, w.file, protocol,
		w.straight.Count(Passed), w.straight.Count(Failed), w.straight.Count(Skipped),
		w.through.Count(Passed), w.through.Count(Failed), w.through.Count(Skipped),
		len(w.Differences)+len(w.expected), len(w.Flaky), w.took.Round(100*time.Millisecond))
}

// end prints the sums and the names, and returns ErrDiffers if there is cause.
func (t *table) end() error {
	sum := row{file: "all", straight: Report{}, through: Report{}}
	bad := 0
	for i, w := range t.rows {
		for id, result := range w.straight {
			sum.straight[fmt.Sprint(i, id)] = result
		}
		for id, result := range w.through {
			sum.through[fmt.Sprint(i, id)] = result
		}
		sum.Differences = append(sum.Differences, w.Differences...)
		sum.expected = append(sum.expected, w.expected...)
		sum.Flaky = append(sum.Flaky, w.Flaky...)
		sum.took += w.took
		bad += len(w.Differences) + len(w.stale)
	}
	t.print(sum, "")
	for _, w := range t.rows {
		t.tell(w, "DIFFERS", w.Differences)
		t.tell(w, "differs, as expected", w.expected)
		t.tell(w, "flaky", w.Flaky)
		for _, test := range w.stale {
			fmt.Fprintf(t.out, "\nEXPECTED TO DIFFER AND DOES NOT (RESP%d): %s\n", w.protocol, test)
		}
	}
	if bad > 0 {
		fmt.Fprintf(t.out, "\n%d of redis-py's tests tell forebay from redis\n", bad)
		return ErrDiffers
	}
	return nil
}

func (t *table) tell(w row, what string, list []Judged) {
	for _, j := range list {
		fmt.Fprintf(t.out, "\n%s (RESP%d): %s\n", what, w.protocol, j.Test)
		for _, side := range []struct {
			name         string
			first, again Result
		}{{straightName, j.First.Straight, j.Again.Straight}, {throughName, j.First.Through, j.Again.Through}} {
			fmt.Fprintf(t.out, "  %-8s  %s, alone %s%s\n", side.name, side.first.Outcome, side.again.Outcome, why(side.first, side.again))
		}
	}
}

// why is the first lines of what a test says of its end, from the run that tells more.
func why(first, again Result) string {
	text := again.Why
	if text == "" {
		text = first.Why
	}
	if text == "" {
		return ""
	}
	lines := strings.SplitN(strings.TrimSpace(text), "\n", 4)
	return ": " + strings.Join(lines[:min(3, len(lines))], "\n            ")
}
