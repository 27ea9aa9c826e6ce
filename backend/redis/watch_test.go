package redis_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/event"
	"forebay/internal/testkit"
)

func healthy(w *redis.Watcher) func() bool { return func() bool { return w.Healthy() == nil } }

// flags is the server's setting.
func flags(t *testing.T, s *testkit.RedisServer) string {
	t.Helper()
	m, _ := s.Do(t, "config", "get", "notify-keyspace-events").(map[any]any)
	f, _ := m["notify-keyspace-events"].(string)
	return f
}

// overdue makes n keys whose time is over but which Redis has not looked at, so that a test says when they expire.
func overdue(t *testing.T, s *testkit.RedisServer, n int) (keys []any) {
	t.Helper()
	s.Do(t, "debug", "set-active-expire", "0")
	for i := range n {
		keys = append(keys, fmt.Sprintf("overdue:%d", i))
		s.Do(t, "set", keys[i], "v", "px", "1")
	}
	last := time.Now()
	testkit.Soon(t, "the keys' time is over", func() bool { return time.Since(last) > 5*time.Millisecond })
	return keys
}

// atOnce runs commands in one transaction, with nothing between them, and then touches keys.
func atOnce(t *testing.T, s *testkit.RedisServer, cmds ...[]any) {
	t.Helper()
	c := s.Client()
	defer c.Close()
	_, err := c.TxPipelined(t.Context(), func(tx goredis.Pipeliner) error {
		for _, cmd := range cmds {
			tx.Do(t.Context(), cmd...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func touch(keys []any) []any { return append([]any{"exists"}, keys...) }

func TestKeysThatLeaveAreEvents(t *testing.T) {
	s := testkit.Redis(t, "--notify-keyspace-events", "Kls")
	var text buffer
	c := redis.Open(redis.Options{Network: s.Network, Addr: s.Addr, Log: slog.New(slog.NewTextHandler(&text, nil))})
	t.Cleanup(c.Close)
	w, r := watch(t, c, "")
	testkit.Soon(t, "healthy", healthy(w))
	if f := flags(t, s); strings.Trim(f, "KlsExeg") != "" || len(f) != 7 {
		t.Errorf("the flags are %q, want Kls and Exeg", f)
	}
	if l := text.String(); !strings.Contains(l, "before=lsK") || !strings.Contains(l, "after=glsxeKE") {
		t.Errorf("the log does not have the flags before and after: %s", l)
	}

	binary := "d\x00\xff:k"
	atOnce(t, s, []any{"select", 3}, []any{"set", binary, "v"}, []any{"del", binary})
	atOnce(t, s, []any{"select", 2}, []any{"set", "short", "v", "px", "1"})
	testkit.Soon(t, "one deleted and one expired", func() bool {
		return len(r.all(event.Evict, event.Deleted)) == 1 && len(r.all(event.Evict, event.Expired)) == 1
	})
	if e := r.all(event.Evict, event.Deleted)[0]; string(e.Key) != binary || e.DB != 3 {
		t.Errorf("deleted: %q in %d", e.Key, e.DB)
	}
	if e := r.all(event.Evict, event.Expired)[0]; string(e.Key) != "short" || e.DB != 2 {
		t.Errorf("expired: %q in %d", e.Key, e.DB)
	}
	if n := len(r.all(event.Gap, event.NoReason)); n != 0 {
		t.Errorf("%d gaps", n)
	}
}

func TestEvictionsUnderLoadAreAllHeardAndComparedWithoutError(t *testing.T) {
	s := testkit.Redis(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
	c := openUp(t, s)
	r := &recorder{}
	w := c.Watch(t.Context(), redis.WatchOptions{Record: r.record, Every: time.Millisecond})
	t.Cleanup(w.Close)
	testkit.Soon(t, "healthy", healthy(w))
	value := strings.Repeat("v", 4000)
	direct := s.Client()
	defer direct.Close()
	for i := range 100 {
		_, err := direct.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
			for j := range 50 {
				p.Do(t.Context(), "set", fmt.Sprintf("k:%d:%d", i, j), value, "px", 5+j*10)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	testkit.Soon(t, "all are gone", func() bool { return s.Do(t, "dbsize") == int64(0) })
	heard := func() int { return len(r.all(event.Evict, event.Expired)) + len(r.all(event.Evict, event.Evicted)) }
	testkit.Soon(t, "each key is heard of", func() bool { return heard() == 5000 })
	if n := len(r.all(event.Evict, event.Evicted)); n < 1000 {
		t.Errorf("only %d were evicted: the test shows nothing", n)
	}
	if g := r.all(event.Gap, event.NoReason); len(g) != 0 {
		t.Errorf("gaps where nothing was lost: %+v", g)
	}
}

func TestLossesAreCounted(t *testing.T) {
	tests := []struct {
		name  string
		first []any // of the transaction, before the keys expire
		last  []any
		lost  int64
		text  string
	}{
		{"connection killed", []any{"client", "kill", "type", "pubsub"}, nil, 10, "10 expired"},
		{"flags off for a moment", []any{"config", "set", "notify-keyspace-events", ""}, []any{"config", "set", "notify-keyspace-events", "AKE"}, 10, "10 expired"},
		{"flags taken away", []any{"config", "set", "notify-keyspace-events", "Kx"}, nil, 10, "taken away"},
		{"flags off, and then the counters reset", []any{"config", "set", "notify-keyspace-events", ""}, []any{"config", "resetstat"}, 0, "taken away"},
		{"counters reset, then flags off", []any{"config", "resetstat"}, []any{"ping"}, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testkit.Redis(t, "--enable-debug-command", "yes")
			c := openUp(t, s)
			w, r := watch(t, c, redis.Manage)
			testkit.Soon(t, "healthy", healthy(w))
			keys := overdue(t, s, 10)
			cmds := [][]any{tt.first, touch(keys)}
			if tt.last != nil {
				cmds = append(cmds, tt.last)
			}
			atOnce(t, s, cmds...)
			if tt.text != "" {
				testkit.Soon(t, "a gap", func() bool { return len(r.all(event.Gap, event.NoReason)) > 0 })
			}
			testkit.Soon(t, "healthy again", healthy(w))
			// What comes after is heard, and is no gap.
			s.Do(t, "set", "after", "v")
			s.Do(t, "del", "after")
			testkit.Soon(t, "heard again", func() bool { return len(r.all(event.Evict, event.Deleted)) == 1 })
			gaps := r.all(event.Gap, event.NoReason)
			if tt.text == "" && len(gaps) == 0 {
				return
			}
			if len(gaps) != 1 || gaps[0].Count != tt.lost || !strings.Contains(gaps[0].Error, tt.text) {
				t.Errorf("gaps %+v, want one of %d with %q", gaps, tt.lost, tt.text)
			}
		})
	}
}

func TestARestartSetsTheFlagsAgain(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	w, r := watch(t, c, redis.Manage)
	testkit.Soon(t, "healthy", healthy(w))
	for n := 1; n <= 2; n++ {
		s.Kill()
		testkit.Soon(t, "not healthy", func() bool { return w.Healthy() != nil })
		s.Start()
		testkit.Soon(t, "healthy", healthy(w))
		if n := s.Do(t, "pubsub", "numpat"); n != int64(w.Patterns()) || n == int64(0) {
			t.Errorf("%d patterns are told, redis counts %v", w.Patterns(), n)
		}
		if missing := strings.Trim("Exeg", flags(t, s)); missing != "" {
			t.Errorf("flags lack %q", missing)
		}
		s.Do(t, "set", "k", "v", "px", "1")
		testkit.Soon(t, "expired", func() bool { return len(r.all(event.Evict, event.Expired)) == n })
		gaps := r.all(event.Gap, event.NoReason)
		if len(gaps) != n || !strings.Contains(gaps[n-1].Error, "not heard from 2") || !strings.Contains(gaps[n-1].Error, "restarted") {
			t.Errorf("gaps %+v", gaps)
		}
	}
}

func TestAWatcherThatBeginsWithoutRedis(t *testing.T) {
	s := testkit.Redis(t)
	s.Kill()
	c := open(t, s.Network, s.Addr)
	w, r := watch(t, c, redis.Manage)
	if err := w.Healthy(); err == nil {
		t.Error("healthy without a server")
	}
	testkit.Soon(t, "the refusal shows", func() bool { err := w.Healthy(); return err != nil && strings.Contains(err.Error(), "refused") })
	s.Start()
	testkit.Soon(t, "healthy", healthy(w))
	if g := r.all(event.Gap, event.NoReason); len(g) != 1 || g[0].Count != 0 || !strings.Contains(g[0].Error, "unknown") {
		t.Errorf("gaps %+v", g)
	}
	s.Kill()
	testkit.Soon(t, "not healthy", func() bool { return w.Healthy() != nil })
	w.Close()
	if n := w.Patterns(); n != 0 {
		t.Errorf("%d patterns of a watcher that is closed", n)
	}
	if g := r.all(event.Gap, event.NoReason); len(g) != 2 || !strings.Contains(g[1].Error, "ended") {
		t.Errorf("gaps after a close while it could not hear: %+v", g)
	}
}

func TestRequireChangesNothing(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	w, _ := watch(t, c, redis.Require)
	testkit.Soon(t, "the missing flags are named", func() bool {
		err := w.Healthy()
		return err != nil && strings.Contains(err.Error(), `lacks "Exeg"`)
	})
	if f := flags(t, s); f != "" {
		t.Errorf("the flags became %q", f)
	}
	s.Do(t, "config", "set", "notify-keyspace-events", "EA")
	testkit.Soon(t, "healthy once an operator set them", healthy(w))
}

func TestOffDoesNothing(t *testing.T) {
	s := testkit.Redis(t)
	w, _ := watch(t, openUp(t, s), redis.Off)
	if err := w.Healthy(); err != nil {
		t.Error(err)
	}
}

func TestServersThatRefuse(t *testing.T) {
	t.Run("config renamed away, until notifications prove the flags", func(t *testing.T) {
		s := testkit.Redis(t, "--rename-command", "CONFIG", "", "--notify-keyspace-events", "AE")
		w, r := watch(t, openUp(t, s), redis.Manage)
		testkit.Soon(t, "the refusal is named", func() bool {
			return w.Healthy() != nil && strings.Contains(w.Healthy().Error(), "notify-keyspace-events")
		})
		s.Do(t, "set", "k", "v", "px", "1")
		testkit.Soon(t, "healthy", healthy(w))
		if len(r.all(event.Evict, event.Expired)) != 1 {
			t.Error("the key was not heard of")
		}
	})
	t.Run("no right to publish: heard, but not compared", func(t *testing.T) {
		s := testkit.Redis(t)
		s.Do(t, "acl", "setuser", "default", "-publish")
		w, r := watch(t, openUp(t, s), redis.Manage)
		testkit.Soon(t, "healthy", healthy(w))
		s.Do(t, "set", "k", "v", "px", "1")
		testkit.Soon(t, "heard", func() bool { return len(r.all(event.Evict, event.Expired)) == 1 })
		s.Do(t, "client", "kill", "type", "pubsub")
		testkit.Soon(t, "a gap", func() bool { return len(r.all(event.Gap, event.NoReason)) == 1 })
	})
	t.Run("no right to the channels", func(t *testing.T) {
		s := testkit.Redis(t)
		s.Do(t, "acl", "setuser", "default", "resetchannels")
		w, _ := watch(t, openUp(t, s), redis.Manage)
		testkit.Soon(t, "the refusal is named", func() bool { return w.Healthy() != nil && strings.Contains(w.Healthy().Error(), "NOPERM") })
	})
	t.Run("miniredis", func(t *testing.T) {
		c := open(t, "tcp", miniredis.RunT(t).Addr())
		w, _ := watch(t, c, redis.Manage)
		testkit.Soon(t, "the refusal is named", func() bool {
			return w.Healthy() != nil && strings.Contains(strings.ToLower(w.Healthy().Error()), "config")
		})
	})
}

func TestAStoppedRedisIsNoGap(t *testing.T) {
	s := testkit.Redis(t)
	w, r := watch(t, openUp(t, s), redis.Manage)
	testkit.Soon(t, "healthy", healthy(w))
	s.Pause()
	testkit.Soon(t, "not healthy", func() bool { return errors.Is(w.Healthy(), backend.ErrStoreDown) })
	s.Resume()
	testkit.Soon(t, "healthy", healthy(w))
	if g := r.all(event.Gap, event.NoReason); len(g) != 0 {
		t.Errorf("gaps %+v", g)
	}
}
