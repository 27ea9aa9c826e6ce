package near_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/internal/near"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a tracker whose stream the test makes, and the clock of both.
type fake struct {
	backend.Follower // as given to Track

	clock atomic.Int64
	auto  bool          // questions are answered at once, with left
	left  time.Duration // in answers of auto

	mu     sync.Mutex
	deaf   bool // takes no questions
	asked  []question
	closed bool
}

type question struct {
	db     int
	key    string
	ticket uint64
	at     int64
}

func (f *fake) Track(to backend.Follower) { f.Follower = to }
func (f *fake) now() int64                { return f.clock.Load() }
func (f *fake) pass(d time.Duration)      { f.clock.Add(int64(d)) }

func (f *fake) AskTTL(db int, key []byte, ticket uint64) bool {
	f.mu.Lock()
	deaf := f.deaf || f.closed
	if !deaf && !f.auto {
		f.asked = append(f.asked, question{db, string(key), ticket, f.now()})
	}
	f.mu.Unlock()
	if !deaf && f.auto {
		f.TTL(ticket, f.now(), f.left)
	}
	return !deaf
}

func (f *fake) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// answer answers all questions.
func (f *fake) answer(left time.Duration) (n int) {
	f.mu.Lock()
	asked := f.asked
	f.asked = nil
	f.mu.Unlock()
	for _, q := range asked {
		f.TTL(q.ticket, q.at, left)
	}
	return len(asked)
}

// connected is a cache of 1 MiB whose tracker is connected and alive.
func connected(t testing.TB, change ...func(*near.Options)) (*near.Cache, *fake) {
	t.Helper()
	f := &fake{left: backend.NoExpiry}
	f.clock.Store(int64(time.Hour))
	o := near.Options{MaxBytes: 1 << 20, Tracker: f, Now: f.now}
	for _, ch := range change {
		ch(&o)
	}
	c := near.New(o)
	t.Cleanup(c.Close)
	f.Tracking(f.now())
	return c, f
}

// offer offers a value as an answer to a question asked just now.
func offer(c *near.Cache, key, value string) {
	c.Offer(0, []byte(key), []byte(value), c.Token(0, []byte(key)))
}

// offerTwice offers a key until the doorkeeper lets it in.
func offerTwice(c *near.Cache, key, value string) {
	offer(c, key, value)
	offer(c, key, value)
}

// keep makes c hold the key.
func keep(t testing.TB, c *near.Cache, f *fake, key, value string) {
	t.Helper()
	offerTwice(c, key, value)
	f.answer(backend.NoExpiry)
	wantHit(t, c, key, value)
}

func wantHit(t testing.TB, c *near.Cache, key, value string) {
	t.Helper()
	reply, ok := c.Get(0, []byte(key))
	if want := fmt.Sprintf("$%d\r\n%s\r\n", len(value), value); !ok || string(reply) != want {
		t.Fatalf("get %s: %q, %v; want %q", key, reply, ok, want)
	}
}

func wantMiss(t testing.TB, c *near.Cache, key string) {
	t.Helper()
	if reply, ok := c.Get(0, []byte(key)); ok {
		t.Fatalf("get %s: %q; want a miss", key, reply)
	}
}
