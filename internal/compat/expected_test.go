package compat_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"forebay/internal/compat"
)

func TestExpectedDifferencesAreRead(t *testing.T) {
	got, err := compat.ParseExpected("# a comment\n\n 2,3 | tests/a.py::test_x | never\n3 | tests/a.py::test_y | it | is so \n")
	want := "[{[2 3] tests/a.py::test_x never} {[3] tests/a.py::test_y it | is so}]"
	if err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
}

func TestExpectedDifferencesAreRefused(t *testing.T) {
	eleven := ""
	for i := range 11 {
		eleven += fmt.Sprintf("2 | tests/a.py::test_%d | reason\n", i)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"more than ten":       {eleven, "11 of them, at most 10 are allowed"},
		"no reason":           {"2 | tests/a.py::test_x | ", "line 1: want protocols | test | reason"},
		"no protocol":         {"tests/a.py::test_x | reason", "line 1: want protocols | test | reason"},
		"an unknown protocol": {"2,4 | tests/a.py::test_x | reason", `line 1: protocol "4": want 2 or 3`},
		"twice the same":      {"2 | tests/a.py::x | reason\n\n3 | tests/a.py::x | reason", "line 3: tests/a.py::x is there twice"},
		"all at once":         {"x\n2 | t | \n", "line 2: want"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := compat.ParseExpected(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want the error %q", got, err, tt.want)
			}
		})
	}
}

// TestTheFileOfExpectedDifferences holds the real file to its rules, and to the list of files that are run.
func TestTheFileOfExpectedDifferences(t *testing.T) {
	text, err := os.ReadFile("pytest/expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := compat.ParseExpected(string(text))
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadFile("pytest/files.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if file, _, _ := strings.Cut(e.Test, "::"); !strings.Contains(string(files), "\n"+file) {
			t.Errorf("%s is in no file that is run", e.Test)
		}
	}
}
