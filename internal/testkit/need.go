package testkit

import (
	"context"
	"sync"
	"testing"
	"time"
)

// need skips t under -short: the one place where a test may be skipped.
func need(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("needs %s; run without -short", what)
	}
}

// must ends t if err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startContext bounds the start of a server, first fetch of its jars included.
func startContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// process is what the private servers' methods come down to.
type process interface {
	Start(ctx context.Context) error
	Stop() error
	Kill() error
	Pause() error
	Resume() error
}

// control gives a server type its Stop, Start, Kill, Pause and Resume. They fail the test that asked for the server, and are
// to be called from its goroutine.
type control struct {
	t       testing.TB
	process process // nil for a shared server
}

func (c control) private() process {
	c.t.Helper()
	if c.process == nil {
		c.t.Fatal("a server shared by tests is not stopped or started; ask for a private one")
	}
	return c.process
}

// Stop ends the server by SIGTERM and waits for its end. It stays stopped until Start.
func (c control) Stop() {
	c.t.Helper()
	must(c.t, c.private().Stop())
}

// Start starts a stopped or killed server again, at the same address, and waits until it answers. Cassandra and Kafka
// keep their data, Redis begins empty.
func (c control) Start() {
	c.t.Helper()
	must(c.t, c.private().Start(startContext(c.t)))
}

// Kill ends the server by SIGKILL.
func (c control) Kill() {
	c.t.Helper()
	must(c.t, c.private().Kill())
}

// Pause stops the server by SIGSTOP: its connections stay open and the kernel accepts new ones, but nothing is answered. It is
// in force when Pause returns.
func (c control) Pause() {
	c.t.Helper()
	must(c.t, c.private().Pause())
}

// Resume ends a Pause.
func (c control) Resume() {
	c.t.Helper()
	must(c.t, c.private().Resume())
}

// once starts a thing for the first test of the binary that needs it, which cannot be done by a value that one test
// owns. What it starts ends with the process.
type once[T any] struct {
	mu    sync.Mutex
	begun bool
	value T
	err   error
}

func (o *once[T]) get(start func() (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.begun {
		o.begun = true
		o.value, o.err = start()
	}
	return o.value, o.err
}

// inBackground starts a server in a goroutine that t's cleanup waits for, and removes it after the test. What it returns waits for the start.
func inBackground[S any](t testing.TB, start func(context.Context) (S, error), remove func(S) error) (started func() (S, error)) {
	type result struct {
		server S
		err    error
	}
	ctx, done := startContext(t), make(chan result, 1)
	go func() {
		s, err := start(ctx)
		done <- result{s, err}
	}()
	started = sync.OnceValues(func() (S, error) {
		r := <-done
		return r.server, r.err
	})
	t.Cleanup(func() {
		if s, err := started(); err == nil {
			must(t, remove(s))
		}
	})
	return started
}
