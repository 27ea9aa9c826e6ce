package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"forebay/bench/page"
	"forebay/internal/testkit"
)

// build builds the forebay binary.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forebay")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "forebay/cmd/forebay").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestRun measures two rows on real servers, shortly, and reads what is published.
func TestRun(t *testing.T) {
	testkit.Redis(t) // says what to install
	o := options{
		forebay: build(t), out: t.TempDir(), rounds: 2, duration: 20 * time.Millisecond, idle: []int{20},
		only: regexp.MustCompile("^(SET|GET) of 100 bytes, P=1$"),
	}
	if err := os.WriteFile(filepath.Join(o.out, "README.md"), []byte("# Kept\n"+page.Begin(reportName, reportBy)+page.End(reportName)), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if err := run(t.Context(), o, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	text, err := os.ReadFile(filepath.Join(o.out, "README.md"))
	if err != nil || !strings.HasPrefix(string(text), "# Kept\n") {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, title := range []string{"Against the targets", "Commands a second", "How long a command takes", "CPU and memory", "redis-benchmark"} {
		_, section, _ := strings.Cut(string(text), "### "+title+"\n")
		section, _, _ = strings.Cut(section, "###")
		for _, command := range []string{"| SET | 100 | 1 |", "| GET | 100 | 1 |"} {
			if l := lineWith(t, section, command); strings.Count(l, "–") > 20 {
				t.Errorf("%s: %s", title, l)
			}
		}
	}
	lineWith(t, string(text), "Not measured: no Kafka was given")
	if !strings.Contains(progress.String(), "round 2 of 2, row 2 of 2: GET of 100 bytes, P=1") {
		t.Errorf("progress:\n%s", &progress)
	}
}

func TestAnInterruptIsTold(t *testing.T) {
	testkit.Redis(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// No server is started, so it does not matter which.
	o := options{forebay: "redis-server", out: t.TempDir(), rounds: 1, duration: time.Hour, only: regexp.MustCompile("")}
	if err := run(ctx, o, &bytes.Buffer{}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("error %v", err)
	}
}
