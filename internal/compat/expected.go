package compat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxExpected is how many differences may be expected.
const maxExpected = 10

// Expected is a difference that is known and stays.
type Expected struct {
	Protocols []int
	Test      string
	Reason    string
}

// ParseExpected reads lines of "protocols | test | reason"; empty ones and those that begin with # are left out. All that is wrong is
// reported at once.
func ParseExpected(text string) ([]Expected, error) {
	var list []Expected
	var bad []error
	for n, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		e, err := parseExpected(line)
		if err != nil {
			bad = append(bad, fmt.Errorf("expected differences, line %d: %w", n+1, err))
			continue
		}
		if slices.ContainsFunc(list, func(o Expected) bool { return o.Test == e.Test }) {
			bad = append(bad, fmt.Errorf("expected differences, line %d: %s is there twice", n+1, e.Test))
		}
		list = append(list, e)
	}
	if len(list) > maxExpected {
		bad = append(bad, fmt.Errorf("expected differences: %d of them, at most %d are allowed", len(list), maxExpected))
	}
	return list, errors.Join(bad...)
}

func parseExpected(line string) (Expected, error) {
	fields := strings.SplitN(line, " | ", 3)
	if len(fields) != 3 || strings.TrimSpace(fields[2]) == "" {
		return Expected{}, errors.New("want protocols | test | reason")
	}
	e := Expected{Test: strings.TrimSpace(fields[1]), Reason: strings.TrimSpace(fields[2])}
	for p := range strings.SplitSeq(fields[0], ",") {
		protocol, err := strconv.Atoi(strings.TrimSpace(p))
		if err != nil || protocol != 2 && protocol != 3 {
			return Expected{}, fmt.Errorf("protocol %q: want 2 or 3", p)
		}
		e.Protocols = append(e.Protocols, protocol)
	}
	return e, nil
}

// expects tells whether the test may differ in the protocol.
func expects(list []Expected, test string, protocol int) bool {
	return slices.ContainsFunc(list, func(e Expected) bool {
		return e.Test == test && slices.Contains(e.Protocols, protocol)
	})
}

// stale are the expected ones of a file that did not differ in the protocol.
func stale(list []Expected, file string, protocol int, found []Judged) []string {
	var tests []string
	for _, e := range list {
		of, _, _ := strings.Cut(e.Test, "::")
		differs := slices.ContainsFunc(found, func(j Judged) bool { return j.Test == e.Test })
		if of == file && slices.Contains(e.Protocols, protocol) && !differs {
			tests = append(tests, e.Test)
		}
	}
	return tests
}
