// Package e2e_test runs the forebay binary as a process, with a configuration file, against real Redis, Cassandra and Kafka, and uses it
// as trainers, operators and scripts do. It holds tests only.
//
// Cassandra and Kafka are shared by all tests but those that break them; each Redis belongs to one test. What an operator would want
// to see of a run is printed with -v.
package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what should be a matter of milliseconds, on a busy machine.
const patience = 30 * time.Second

// binary is forebay, built at its first use. It is removed when the test binary ends.
type binary struct {
	once sync.Once
	dir  string
	err  error
}

// built is the one thing that all tests share beside servers.
var built binary

func (b *binary) path(t testing.TB) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "forebay-e2e-"); b.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", b.file(), "forebay/cmd/forebay").CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("build forebay: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.file()
}

func (b *binary) file() string { return filepath.Join(b.dir, "forebay") }

// sideBySide is how many tests run at once. They wait for servers more than they work, so there may be more of them than cores.
const sideBySide = "5"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", sideBySide); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	status := m.Run()
	if err := stored.drop(); err != nil {
		fmt.Fprintln(os.Stderr, "keyspace", stored.keyspace, "is left:", err)
	}
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// eventually asks until it is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	within(t, patience, what, so)
}

// within asks until it is so, at most for the time given.
func within(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not so within %v: %s", limit, what)
		}
	}
}

// millis is a time as the printed tables have it.
func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
