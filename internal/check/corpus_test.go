package check_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/check"
	"forebay/internal/testkit"
)

// kept are the versions whose pickles are in testdata. Others write the same but for names of modules.
func kept() []string { return []string{"1.24.4", "2.4.6"} }

type sample struct {
	name, note string // note is the protocol, or the effect
	value      []byte
}

func parseCorpus(t testing.TB, text string) []sample {
	t.Helper()
	var all []sample
	for line := range strings.Lines(text) {
		parts := strings.Fields(line)
		if len(parts) != 3 {
			t.Fatalf("line %q is no sample", line)
		}
		value, err := hex.DecodeString(strings.TrimPrefix(parts[2], "-"))
		if err != nil {
			t.Fatalf("%s: %v", parts[0], err)
		}
		all = append(all, sample{parts[0], parts[1], value})
	}
	if len(all) < 100 {
		t.Fatalf("a corpus of %d samples", len(all))
	}
	return all
}

func corpus(t testing.TB, file string) []sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return parseCorpus(t, string(text))
}

func python(t testing.TB, version string, args ...string) string {
	t.Helper()
	args[0] = filepath.Join("testdata", args[0])
	out, err := exec.CommandContext(t.Context(), testkit.Python(t, "numpy=="+version), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v with NumPy %s: %v\n%s", args, version, err, out)
	}
	return string(out)
}

func TestGoodPicklesAreAdmitted(t *testing.T) {
	for _, version := range kept() {
		admitAll(t, corpus(t, "good-"+version+".txt"))
	}
}

func admitAll(t *testing.T, samples []sample) {
	t.Helper()
	rules := check.Rules{Format: check.Pickle, Pickle: check.Reject}
	form := check.Rules{Format: check.Pickle}
	for _, s := range samples {
		if err := rules.Check(s.value); err != nil {
			t.Errorf("%s in protocol %s: %v", s.name, s.note, err)
		}
		if err := form.Check(s.value); err != nil {
			t.Errorf("%s in protocol %s has no format: %v", s.name, s.note, err)
		}
		for n := range min(len(s.value), 250) {
			if err := form.Header(s.value[:n], int64(len(s.value))); err != nil {
				t.Errorf("first %d bytes of %s in protocol %s: %v", n, s.name, s.note, err)
			}
			if rules.Check(s.value[:n]) == nil || form.Check(s.value[:n]) == nil {
				t.Errorf("%s in protocol %s is admitted when cut to %d bytes", s.name, s.note, n)
			}
		}
		if rules.Check(append(s.value[:len(s.value):len(s.value)], '.')) == nil {
			t.Errorf("%s in protocol %s is admitted with a byte more", s.name, s.note)
		}
	}
}

// Every NumPy writes what is kept, reads it, and what it writes is admitted.
func TestGoodPicklesAreWhatNumPyWrites(t *testing.T) {
	for _, version := range []string{"1.24.4", "1.26.4", "2.0.2", "2.4.6"} {
		t.Run(version, func(t *testing.T) {
			written := python(t, version, "good.py", "write")
			samples := parseCorpus(t, written)
			admitAll(t, samples)
			file := filepath.Join("testdata", "good-"+version+".txt")
			if text, err := os.ReadFile(file); err != nil {
				file = filepath.Join(t.TempDir(), "good.txt")
				if err := os.WriteFile(file, []byte(written), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if string(text) != written {
				t.Errorf("%s is not what NumPy %s writes", file, version)
			}
			if out, want := python(t, version, "good.py", "read", file), fmt.Sprintf("read %d\n", len(samples)); out != want {
				t.Errorf("it says %q, want %q", out, want)
			}
		})
	}
}

func TestHostilePicklesAreRefused(t *testing.T) {
	reject, logged := check.Rules{Pickle: check.Reject}, check.Rules{Pickle: check.Log}
	form := check.Rules{Format: check.Pickle}
	for _, s := range corpus(t, "hostile.txt") {
		err := reject.Check(s.value)
		var e *check.Error
		if !errors.As(err, &e) || !errors.Is(err, backend.ErrSourceInvalid) || !errors.Is(err, check.ErrPolicy) {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if text := err.Error(); strings.ContainsAny(text, "\n\r") || len(text) > 250 || e.At > int64(len(s.value)) {
			t.Errorf("%s: an unclear error: %q", s.name, text)
		}
		if err := logged.Check(s.value); errors.Is(err, backend.ErrSourceInvalid) || !errors.Is(err, check.ErrPolicy) {
			t.Errorf("%s, to be logged: %v", s.name, err)
		}
		// Python's own reader and the format agree on what is broken, and on little else.
		if err := form.Check(s.value); s.note == "marker" && err != nil {
			t.Errorf("%s runs, and yet has no format: %v", s.name, err)
		}
	}
}

// Each hostile pickle does what its name says, on the oldest and the newest NumPy.
func TestHostilePicklesAreHostile(t *testing.T) {
	want := fmt.Sprintf("shown %d\n", len(corpus(t, "hostile.txt")))
	for _, version := range kept() {
		t.Run(version, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "hostile.txt"))
			if err != nil || python(t, version, "hostile.py", "write") != string(text) {
				t.Errorf("hostile.txt is not what its script writes (%v)", err)
			}
			if out := python(t, version, "hostile.py", "prove"); out != want {
				t.Errorf("it says %q, want %q", out, want)
			}
		})
	}
}
