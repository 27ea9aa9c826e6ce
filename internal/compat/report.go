package compat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Outcome is how a test ended: passed, failed, skipped, xfailed, xpassed, or missing.
type Outcome string

// The outcomes that are treated apart. Whatever else pytest says is compared as it is.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"  // also one whose setup or teardown failed
	Skipped Outcome = "skipped" // by a mark, or by itself
	Missing Outcome = "missing" // on this side it did not end, or was not found
)

// Result is one test's end.
type Result struct {
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why"` // empty for one that passed
}

// Report is what one run of pytest said, by the tests' ids.
type Report map[string]Result

// Of is the test's result; Missing if the report has none.
func (r Report) Of(test string) Result {
	if result, ok := r[test]; ok {
		return result
	}
	return Result{Outcome: Missing, Why: "it was not reported"}
}

// Count is how many tests ended so.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, result := range r {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// ReadReport reads lines as the plugin writes them. A last line that was cut off is left out: its test counts as missing.
func ReadReport(from io.Reader) (Report, error) {
	report := Report{}
	lines := bufio.NewReader(from)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return report, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read report: %w", err)
		}
		var test struct {
			ID string `json:"id"`
			Result
		}
		if err := json.Unmarshal(line, &test); err != nil {
			return nil, fmt.Errorf("read report, line %d: %w", n, err)
		}
		report[test.ID] = test.Result
	}
}
