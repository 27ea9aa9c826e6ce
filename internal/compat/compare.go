package compat

import (
	"maps"
	"slices"
)

// Pair is one test on both sides.
type Pair struct{ Straight, Through Result }

// differs tells whether the pair is one that a compatible proxy could not have: a test that only Redis passes, or that is skipped
// on one side only. One that fails straight and passes through is the suite's own affair.
func (p Pair) differs() bool {
	a, b := p.Straight.Outcome, p.Through.Outcome
	if a == b || a == Failed && b == Passed {
		return false
	}
	return a == Passed || skipped(a) || skipped(b) || b == Missing
}

func skipped(o Outcome) bool { return o == Skipped || o == "xfailed" || o == "xpassed" }

// clean tells whether there is nothing to look at again.
func (p Pair) clean() bool {
	return p.Straight.Outcome == p.Through.Outcome && p.Straight.Outcome != Failed
}

// Doubtful are the tests that are to be run again alone before they are judged, sorted: those that failed on either side, and
// those whose ends differ in whatever way.
func Doubtful(straight, through Report) []string {
	all := maps.Clone(straight)
	maps.Copy(all, through)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(test string) bool {
		return Pair{straight.Of(test), through.Of(test)}.clean()
	})
}

// Judged is a test that was run again, with both of its runs.
type Judged struct {
	Test         string
	First, Again Pair
}

// Comparison is what came of one file and protocol.
type Comparison struct {
	Differences []Judged // in name order: they differ in the second run
	Flaky       []Judged // one side ended otherwise when the test was run alone, and no difference remains
}

// Compare judges two reports by what the doubtful tests did when run again. One that neither side could run again is judged by
// its first run.
func Compare(straight, through Report, again map[string]Pair) Comparison {
	var c Comparison
	for _, test := range Doubtful(straight, through) {
		first := Pair{straight.Of(test), through.Of(test)}
		second, ok := again[test]
		if !ok || second.Straight.Outcome == Missing && second.Through.Outcome == Missing {
			second = first // it cannot be run alone
		}
		j := Judged{test, first, second}
		switch {
		case second.differs():
			c.Differences = append(c.Differences, j)
		case first.Straight.Outcome != second.Straight.Outcome, first.Through.Outcome != second.Through.Outcome:
			c.Flaky = append(c.Flaky, j)
		}
	}
	return c
}
