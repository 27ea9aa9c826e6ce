package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// patience is how long a test waits for what should be a matter of milliseconds.
const patience = 20 * time.Second

// instance is a forebay that serves in this process.
type instance struct {
	resp, http string // host:port
	banner     string
	stderr     *lockedBuffer
	cancel     context.CancelFunc
	status     chan int
	stopped    bool
}

// lockedBuffer is what a process writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts "forebay serve" on free ports and returns when it says that it is ready. It ends with the test.
func serve(t *testing.T, args ...string) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	in := &instance{stderr: &lockedBuffer{}, cancel: cancel, status: make(chan int, 1)}
	args = append([]string{"serve", "--listen.address=127.0.0.1:0", "--http.address=127.0.0.1:0"}, args...)
	go func() {
		in.status <- run(ctx, args, nil, w, in.stderr)
		w.Close()
	}()
	t.Cleanup(func() {
		if !in.stopped {
			in.stop(t)
		}
	})
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		in.banner += lines.Text() + "\n"
		name, text, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch text = strings.TrimSpace(text); name {
		case "resp":
			in.resp = strings.TrimPrefix(text, "redis://")
		case "http":
			in.http = strings.Trim(strings.TrimPrefix(text, "http://"), "/")
		case "events": // the banner's last line but for limits, written at once with the rest
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return in
		}
	}
	in.stopped = true
	cancel()
	t.Fatalf("forebay serve ended with status %d:\n%s", <-in.status, in.stderr)
	return nil
}

// stop ends it and returns its status.
func (in *instance) stop(t *testing.T) int {
	t.Helper()
	in.cancel()
	return in.wait(t)
}

// terminate sends SIGTERM, as an operator would.
func (in *instance) terminate(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the end and returns the status.
func (in *instance) wait(t *testing.T) int {
	t.Helper()
	select {
	case status := <-in.status:
		in.stopped = true
		in.cancel()
		return status
	case <-time.After(patience):
		in.stopped = true
		t.Fatalf("forebay does not end:\n%s", in.stderr)
		return -1
	}
}

// client is a Redis client of it, which asks nothing twice.
func (in *instance) client(t *testing.T) *goredis.Client {
	c := goredis.NewClient(&goredis.Options{
		Addr: in.resp, Protocol: 3, MaxRetries: -1, PoolSize: 1, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// get asks the HTTP port.
func (in *instance) get(t *testing.T, path string, options ...func(*http.Request)) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+in.http+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		o(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// eventually asks until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not so within %v: %s", patience, what)
		}
	}
}
