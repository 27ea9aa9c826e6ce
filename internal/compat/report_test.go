package compat_test

import (
	"strings"
	"testing"

	"forebay/internal/compat"
)

func TestReportsAreRead(t *testing.T) {
	const whole = `{"id": "a::b[x\n]", "outcome": "passed", "why": ""}
{"id": "a::c", "outcome": "failed", "why": "call: no"}
`
	for name, tt := range map[string]struct {
		text           string
		passed, failed int
	}{
		"nothing":                   {"", 0, 0},
		"whole":                     {whole, 1, 1},
		"cut off in the last line":  {whole[:len(whole)-5], 1, 0},
		"without its last line end": {whole[:len(whole)-1], 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := compat.ReadReport(strings.NewReader(tt.text))
			if err != nil || r.Count(compat.Passed) != tt.passed || r.Count(compat.Failed) != tt.failed {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
	if _, err := compat.ReadReport(strings.NewReader("{\"id\":\"a\"}\nboom\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a line that is no JSON: %v", err)
	}
}
