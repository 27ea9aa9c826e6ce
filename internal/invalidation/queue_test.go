package invalidation_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/internal/invalidation"
	"forebay/internal/route"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a fake Redis of one database.
type store struct {
	mu     sync.Mutex
	down   bool
	keys   map[string]bool
	before func(keys []string) // of a Remove, unlocked
}

func (s *store) Remove(_ context.Context, _ int, keys [][]byte) (n int64, err error) {
	var list []string
	for _, k := range keys {
		list = append(list, string(k))
	}
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(list)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return 0, backend.ErrStoreDown
	}
	for _, k := range list {
		if s.keys[k] {
			n++
		}
		delete(s.keys, k)
	}
	return n, nil
}

func (s *store) Keys(context.Context, int, string, uint64) (keys [][]byte, next uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, 0, backend.ErrStoreDown
	}
	for k := range s.keys {
		keys = append(keys, []byte(k))
	}
	return keys, 0, nil
}

func (s *store) is(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *store) set(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		s.keys[k] = true
	}
}

func (s *store) left() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.keys {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// fences notes what was fenced.
type fences struct{}

func (fences) Fence(int, ...[]byte) error { return nil }
func (fences) FenceAll(int) error         { return nil }

func table(t *testing.T) *route.Table {
	t.Helper()
	bind := []route.Bind{{Column: "id", Expr: "{id}"}}
	routes, err := route.Compile([]route.Spec{
		{Name: "t", Key: "t:{id:int}", Table: "t", Value: "data", TTL: time.Hour, Where: bind},
		{Name: "u", Key: "u:{id:int}:x", Table: "t", Value: "data", TTL: time.Hour, Where: bind},
	})
	if err != nil {
		t.Fatal(err)
	}
	return routes
}

func keysOf(list ...string) (keys [][]byte) {
	for _, k := range list {
		keys = append(keys, []byte(k))
	}
	return keys
}

func TestOnlyRoutedKeysAreDropped(t *testing.T) {
	s := &store{keys: map[string]bool{}}
	s.set("t:1", "t:2", "queue")
	q := invalidation.New(invalidation.Options{Store: s, Loads: fences{}, Routes: table(t)})
	got := q.Keys(t.Context(), 0, keysOf("t:1", "t:3", "queue", "t:x"))
	if want := (invalidation.Result{Removed: 1, Unrouted: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := s.left(); !slices.Equal(got, []string{"queue", "t:2"}) {
		t.Errorf("left: %v", got)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	for _, o := range []invalidation.Options{{MaxKeys: 3}, {MaxBytes: 10}} {
		s := &store{keys: map[string]bool{}, down: true}
		s.set("t:1", "t:2", "t:3", "t:4", "t:99", "u:1:x", "u:2:x", "t:other")
		o.Store, o.Loads, o.Routes, o.Log = s, fences{}, table(t), testkit.Log(t)
		q := invalidation.New(o)
		got := q.Keys(t.Context(), 0, keysOf("u:1:x", "t:1", "t:2", "t:3", "t:4"))
		if got.Kept != 5 || !q.Pending() {
			t.Errorf("got %+v", got)
		}
		if q.Settle(t.Context()) == nil {
			t.Error("settled while redis is down")
		}
		s.is(false)
		if err := q.Settle(t.Context()); err != nil || q.Pending() {
			t.Errorf("%v, pending %v", err, q.Pending())
		}
		if got := s.left(); !slices.Equal(got, []string{"t:other", "u:2:x"}) {
			t.Errorf("left: %v", got) // all of t has gone, and of u what was named
		}
	}
}

// The fifth interleaving of the package's comment.
func TestKeptAnewWhileItIsSettled(t *testing.T) {
	s := &store{keys: map[string]bool{}, down: true}
	q := invalidation.New(invalidation.Options{Store: s, Loads: fences{}, Routes: table(t)})
	q.Keys(t.Context(), 0, keysOf("t:1"))
	calls := 0
	s.before = func([]string) {
		if calls++; calls != 1 {
			return
		}
		s.before = nil
		q.Keys(context.Background(), 0, keysOf("t:1")) // fails: redis answers only from now on
		s.is(false)
		s.before = func([]string) { calls++ }
	}
	if err := q.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if calls != 2 {
		t.Errorf("removed %d times, want once for each invalidation", calls)
	}
}

func TestRunSettlesByItself(t *testing.T) {
	s := &store{keys: map[string]bool{}, down: true}
	q := invalidation.New(invalidation.Options{Store: s, Loads: fences{}, Routes: table(t)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		q.Run(ctx)
	}()
	for i := range 10 {
		q.Keys(ctx, 0, keysOf(fmt.Sprint("t:", i)))
	}
	s.is(false)
	q.Wake()
	testkit.Soon(t, "nothing is kept", func() bool { return !q.Pending() })
	cancel()
	<-ended
}

func TestWholeRoute(t *testing.T) {
	s := &store{keys: map[string]bool{}}
	s.set("t:1", "t:2", "t:x", "u:1:x")
	r := table(t)
	q := invalidation.New(invalidation.Options{Store: s, Loads: fences{}, Routes: r})
	q.Route(t.Context(), r.Routes()[0])
	if got := s.left(); !slices.Equal(got, []string{"t:x", "u:1:x"}) {
		t.Errorf("left: %v", got)
	}
}
