package examples_test

import (
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func TestFailuresAreOneLine(t *testing.T) {
	python := testkit.Python(t, "numpy", "redis==8.1.0")
	scripts := []struct {
		name string
		args []string
		lost string // the key that is missing
	}{
		{"train_asyncio.py", nil, "digits:train:700"},
		{"train_loader.py", []string{"--loader", "plain"}, "digits:train:700"},
		{"train_loader.py", []string{"--loader", "plain", "--workers", "0"}, "digits:train:700"},
		{"whole_array.py", nil, "digits:train:images"},
	}
	server := testkit.Redis(t)
	if out, err := run(t, python, "-c", fill, server.URL()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server.Do(t, "DEL", "digits:train:700")
	fails := func(name, want string, args []string) {
		t.Helper()
		out, err := run(t, python, append([]string{name, "--url", server.URL(), "--epochs", "1"}, args...)...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if err == nil || !strings.HasPrefix(lines[len(lines)-1], want) || strings.Contains(out, "Traceback") {
			t.Errorf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	for _, s := range scripts {
		fails(s.name, s.name+": there is no "+s.lost+".", s.args)
	}
	server.Do(t, "SET", "digits:train:images", "not an array")
	fails("whole_array.py", "whole_array.py: the value of digits:train:images (12 bytes) is no NPY file: ", nil)
	server.Do(t, "HSET", "digits:train:images:hash", "f", "v")
	fails("whole_array.py", "whole_array.py: reading from redis://", []string{"--images", "digits:train:images:hash"})
	server.Stop()
	for _, s := range scripts {
		fails(s.name, s.name+": cannot reach redis://", s.args)
	}
}
