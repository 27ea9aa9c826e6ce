package redis_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/backend/redis"
	"forebay/internal/event"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// open opens a client on a server and closes it with the test.
func open(t *testing.T, network, addr string) *redis.Client {
	t.Helper()
	c := redis.Open(redis.Options{Network: network, Addr: addr, Log: testkit.Log(t)})
	t.Cleanup(c.Close)
	return c
}

func openUp(t *testing.T, s *testkit.RedisServer) *redis.Client {
	t.Helper()
	c := open(t, s.Network, s.Addr)
	testkit.Soon(t, "redis is up", c.Up)
	return c
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// recorder keeps the events of a watcher.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
}

func (r *recorder) record(ev *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := *ev
	e.Key = bytes.Clone(ev.Key)
	r.events = append(r.events, e)
}

// all returns the events of a kind, of one reason or of any (NoReason).
func (r *recorder) all(kind event.Kind, reason event.Reason) []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []event.Event
	for _, e := range r.events {
		if e.Kind == kind && (reason == event.NoReason || e.Reason == reason) {
			out = append(out, e)
		}
	}
	return out
}

// watch starts a watcher that compares every 50 ms and closes it with the test.
func watch(t *testing.T, c *redis.Client, mode redis.Mode) (*redis.Watcher, *recorder) {
	t.Helper()
	r := &recorder{}
	w := c.Watch(context.WithoutCancel(t.Context()), redis.WatchOptions{Mode: mode, Record: r.record, Every: 50 * time.Millisecond})
	t.Cleanup(w.Close)
	return w, r
}
