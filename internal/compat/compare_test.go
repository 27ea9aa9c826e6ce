package compat_test

import (
	"slices"
	"testing"

	"forebay/internal/compat"
)

const test = "tests/test_x.py::TestX::test_y"

// report is of one test; "" is none.
func report(o compat.Outcome) compat.Report {
	if o == "" {
		return compat.Report{}
	}
	return compat.Report{test: {Outcome: o, Why: "because"}}
}

func pair(straight, through compat.Outcome) compat.Pair {
	return compat.Pair{Straight: report(straight).Of(test), Through: report(through).Of(test)}
}

func TestJudgement(t *testing.T) {
	const nothing, difference, flaky = "nothing", "difference", "flaky"
	for name, tt := range map[string]struct {
		straight, through           compat.Outcome // of the first run
		againStraight, againThrough compat.Outcome // of the second; both empty: there is none
		want                        string
	}{
		"passes on both":                             {"passed", "passed", "", "", nothing},
		"is skipped on both":                         {"skipped", "skipped", "", "", nothing},
		"is expected to fail on both":                {"xfailed", "xfailed", "", "", nothing},
		"fails on both":                              {"failed", "failed", "failed", "failed", nothing},
		"fails through":                              {"passed", "failed", "passed", "failed", difference},
		"does not end through":                       {"passed", "", "passed", "", difference},
		"ends nowhere when alone, nor through":       {"passed", "", "", "", difference},
		"fails straight":                             {"failed", "passed", "failed", "passed", nothing},
		"is skipped through":                         {"passed", "skipped", "passed", "skipped", difference},
		"is skipped through instead of failing":      {"failed", "skipped", "failed", "skipped", difference},
		"is skipped straight, passes through":        {"skipped", "passed", "skipped", "passed", difference},
		"is skipped straight, fails through":         {"skipped", "failed", "skipped", "failed", difference},
		"is skipped straight, not found through":     {"skipped", "", "skipped", "", difference},
		"is found through only":                      {"", "passed", "", "passed", nothing},
		"is found through only, and skipped":         {"", "skipped", "", "skipped", difference},
		"passes unexpectedly through":                {"xfailed", "xpassed", "xfailed", "xpassed", difference},
		"failed through once":                        {"passed", "failed", "passed", "passed", flaky},
		"failed straight once":                       {"failed", "passed", "passed", "passed", flaky},
		"failed on both once":                        {"failed", "failed", "passed", "passed", flaky},
		"failed on both, and through again":          {"failed", "failed", "passed", "failed", difference},
		"failed through, then straight":              {"passed", "failed", "failed", "passed", flaky},
		"failed through, then on both":               {"passed", "failed", "failed", "failed", flaky},
		"was skipped through once":                   {"passed", "skipped", "passed", "passed", flaky},
		"failed on both, and cannot be run alone":    {"failed", "failed", "", "", nothing},
		"failed through, and alone it only does so ": {"passed", "failed", "", "failed", flaky},
	} {
		t.Run(name, func(t *testing.T) {
			again := map[string]compat.Pair{}
			if tt.againStraight != "" || tt.againThrough != "" {
				again[test] = pair(tt.againStraight, tt.againThrough)
			}
			c := compat.Compare(report(tt.straight), report(tt.through), again)
			got := nothing
			switch {
			case len(c.Differences) == 1 && len(c.Flaky) == 0 && c.Differences[0].Test == test:
				got = difference
			case len(c.Differences) == 0 && len(c.Flaky) == 1 && c.Flaky[0].Test == test:
				got = flaky
			}
			if got != tt.want {
				t.Errorf("it is judged as %s, want %s: %+v", got, tt.want, c)
			}
		})
	}
}

func TestDoubtful(t *testing.T) {
	straight := compat.Report{
		"passes": {Outcome: "passed"}, "is skipped": {Outcome: "skipped"}, "fails": {Outcome: "failed"},
		"b": {Outcome: "passed"}, "only straight": {Outcome: "skipped"}, "differs": {Outcome: "skipped"},
	}
	through := compat.Report{
		"passes": {Outcome: "passed"}, "is skipped": {Outcome: "skipped"}, "fails": {Outcome: "failed"},
		"b": {Outcome: "failed"}, "only through": {Outcome: "passed"}, "differs": {Outcome: "xfailed"},
	}
	want := []string{"b", "differs", "fails", "only straight", "only through"}
	if got := compat.Doubtful(straight, through); !slices.Equal(got, want) {
		t.Errorf("%q are run again, want %q", got, want)
	}
}
