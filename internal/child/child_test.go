package child_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/internal/child"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// sh is a shell that writes "ready" to its log and goes on with the script.
func sh(t *testing.T, script string) child.Program {
	t.Helper()
	return child.Program{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", script},
		Log: filepath.Join(t.TempDir(), "log"), KillAfter: 10 * time.Second,
	}
}

func start(t *testing.T, p child.Program) *child.Process {
	t.Helper()
	c, err := child.Start(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// await waits until the file holds a line.
func await(t *testing.T, path string) string {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		b, _ := os.ReadFile(path)
		if line, _, whole := strings.Cut(string(b), "\n"); whole {
			return line
		}
		select {
		case <-deadline.C:
			t.Fatalf("nothing is written to %s", path)
		case <-look.C:
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestStop(t *testing.T) {
	for name, tt := range map[string]struct{ script, want string }{
		"ends by the signal":    {"echo ready; exec sleep 1000", ""},
		"ends in order":         {"trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", ""},
		"ends badly":            {"trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", "stop shell: exit status 7"},
		"does not hear SIGTERM": {"trap '' TERM; echo ready; while :; do sleep 0.01; done", "stop shell: it did not end within 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sh(t, tt.script)
			if strings.Contains(tt.want, "50ms") {
				p.KillAfter = 50 * time.Millisecond
			}
			c := start(t, p)
			await(t, p.Log)
			if !alive(c.Pid()) {
				t.Fatal("the child is not there")
			}
			err := c.Stop()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("stop: %v, want %q", err, tt.want)
			}
			if alive(c.Pid()) {
				t.Error("the child is still there")
			}
			if cause := context.Cause(c.Ended()); !errors.Is(cause, context.Canceled) {
				t.Errorf("its end has the cause %v", cause)
			}
		})
	}
}

func TestAnEndByItselfIsTold(t *testing.T) {
	c := start(t, sh(t, "echo cannot bind; exit 3"))
	<-c.Ended().Done()
	if got := context.Cause(c.Ended()).Error(); got != "shell ended: exit status 3; its log ends:\ncannot bind" {
		t.Errorf("cause: %s", got)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestWhatCannotBeStarted(t *testing.T) {
	p := sh(t, "")
	p.Path = "/nowhere/sh"
	if _, err := child.Start(p); err == nil || !strings.HasPrefix(err.Error(), "start shell: ") {
		t.Errorf("no binary: %v", err)
	}
	p = sh(t, "")
	p.Log = "/nowhere/log"
	if _, err := child.Start(p); err == nil || !strings.HasPrefix(err.Error(), "make the log of shell: ") {
		t.Errorf("no log: %v", err)
	}
}

func TestOutputsArePassedOn(t *testing.T) {
	var out, errs strings.Builder
	c := start(t, child.Program{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", "echo out $X; echo err >&2"}, Env: []string{"X=set"},
		Stdout: &out, Stderr: &errs, KillAfter: time.Second,
	})
	<-c.Ended().Done()
	if out.String() != "out set\n" || errs.String() != "err\n" {
		t.Errorf("out %q, err %q", out.String(), errs.String())
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestGroup(t *testing.T) {
	g, err := child.NewGroup("forebay-child-test-")
	if err != nil {
		t.Fatal(err)
	}
	script, err := g.Write("script", []byte("echo $$; exec sleep 1000\n"))
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(g.Dir(), "first.log")
	ready := func(context.Context) error {
		if b, _ := os.ReadFile(log); len(b) == 0 {
			return errors.New("not yet")
		}
		return nil
	}
	first, err := g.Start(t.Context(), "first", ready, "/bin/sh", script)
	if err != nil {
		t.Fatal(err)
	}
	if pid := await(t, log); pid != strconv.Itoa(first.Pid()) {
		t.Errorf("pid %s, want %d", pid, first.Pid())
	}
	never := func(context.Context) error { return errors.New("not yet") }
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := g.Start(short, "second", never, "/bin/sh", script); err == nil || !strings.Contains(err.Error(), "start second: it does not answer") {
		t.Errorf("one that never answers: %v", err)
	}
	if _, err := g.Start(t.Context(), "third", never, "/bin/sh", "-c", "echo cannot bind; exit 3"); err == nil || !strings.Contains(err.Error(), "cannot bind") {
		t.Errorf("one that ends: %v", err)
	}
	ctx, cancel := g.WhileAlive(t.Context())
	defer cancel()
	<-ctx.Done() // the third has ended
	if cause := context.Cause(ctx); !strings.Contains(cause.Error(), "third ended: exit status 3") {
		t.Errorf("cause: %v", cause)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
	if alive(first.Pid()) {
		t.Error("the first is still there")
	}
	if _, err := os.Stat(g.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestFreePorts(t *testing.T) {
	p, err := child.FreePorts("a", "b", "c")
	if err != nil || p["a"] == p["b"] || p["b"] == p["c"] || p["a"] == p["c"] {
		t.Errorf("ports %v, %v", p, err)
	}
}

func TestTheParentIsThere(t *testing.T) {
	ctx, cancel := child.WithParent(t.Context())
	if ctx.Err() != nil {
		t.Error("it has ended though the parent is there")
	}
	cancel()
	<-ctx.Done()
}
