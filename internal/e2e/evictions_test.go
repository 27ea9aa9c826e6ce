package e2e_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// evicted is the keys that left, by reason.
func (s *stream) evicted() map[string]map[string]int {
	by := map[string]map[string]int{}
	for _, e := range s.of("evict") {
		if by[e.Reason] == nil {
			by[e.Reason] = map[string]int{}
		}
		by[e.Reason][e.Key]++
	}
	return by
}

func TestExpiredAndDeletedKeysAreEvents(t *testing.T) {
	s := newStack(t, func(s *setup) { s.more = "defaults: {ttl: 200ms, jitter: 0%}\n" },
		"--notify-keyspace-events", "Kl")
	flags, _ := s.redis.Do(t, "CONFIG", "GET", "notify-keyspace-events").(map[any]any)
	have, _ := flags["notify-keyspace-events"].(string)
	for _, f := range "KlExeg" {
		if !strings.ContainsRune(have, f) {
			t.Errorf("notify-keyspace-events is %q and lacks %c: what was there must stay, what is needed be added", have, f)
		}
	}
	// Redis tells the same letters in an order of its own.
	if log := s.log(); !strings.Contains(log, `msg="redis notification flags added" setting=notify-keyspace-events before=lK after=`+have) {
		t.Errorf("the log does not tell the flags before and after:\n%s", log)
	}

	c, want := s.client(t), map[string]int{}
	for i := range 20 {
		must(t, c.Get(t.Context(), key("test", i)).Err())
		want[key("test", i)] = 1
	}
	must(t, c.Set(t.Context(), "mine", 1, 0).Err())
	must(t, c.Del(t.Context(), "mine").Err())
	eventually(t, "all have expired but the generation of leases", func() bool { return s.redis.Do(t, "DBSIZE") == int64(1) })
	if left := c.Keys(t.Context(), "*").Val(); len(left) != 0 {
		t.Errorf("clients see %v", left)
	}
	s.awaitMetrics(t, `forebay_evictions_total{reason="expired"} 20`, `forebay_evictions_total{reason="deleted"} 1`)
	all := s.end(t)
	all.wantWhole(t)
	for _, e := range all.of("evict") {
		if e.Reason == "expired" && e.Route != "digits" || e.Reason == "deleted" && e.Route != "" {
			t.Errorf("an eviction with a wrong route: %+v", e)
		}
	}
	by := all.evicted()
	if !maps.Equal(by["expired"], want) || !maps.Equal(by["deleted"], map[string]int{"mine": 1}) || len(by) != 2 {
		t.Errorf("evictions: %v, want 20 expired and 1 deleted", by)
	}
	t.Logf("notify-keyspace-events lK → %s · %s", have, all.kinds())
}

func TestKeysOfAFullRedisAreEvents(t *testing.T) {
	s := newStack(t, nil, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
	if log := s.log(); strings.Contains(log, "no maxmemory") || strings.Contains(log, "noeviction") {
		t.Errorf("a Redis with maxmemory and a policy is warned of:\n%s", log)
	}
	c, filler := s.client(t), strings.Repeat("x", 10<<10)
	for i := range 100 {
		must(t, c.Get(t.Context(), key("test", i)).Err())
	}
	written := 100
	for i := 0; infoOf(t, s.redis, "evicted_keys") < 200; i++ {
		must(t, c.Set(t.Context(), fmt.Sprintf("filler:%d", i), filler, 0).Err())
		written++
		if i == 10_000 {
			t.Fatal("Redis evicts nothing")
		}
	}
	s.redis.Do(t, "CONFIG", "SET", "maxmemory", "0") // or it would evict one more when a client's buffer grows, behind the count
	counted := infoOf(t, s.redis, "evicted_keys")
	if s.redis.Do(t, "EXISTS", "__forebay:generation") == int64(0) {
		counted-- // the one key of Forebay's own is in Redis's arithmetic, and not in the stream
	}
	s.awaitMetrics(t, fmt.Sprintf(`forebay_evictions_total{reason="evicted"} %d`, counted))
	all := s.end(t)
	all.wantWhole(t)
	by := all.evicted()
	if n := len(by["evicted"]); n != int(counted) || len(by) != 1 {
		t.Errorf("events tell of %d keys evicted, Redis of %d: %v", n, counted, by)
	}
	for k, n := range by["evicted"] {
		if n != 1 || !strings.HasPrefix(k, "filler:") && !strings.HasPrefix(k, "digits:test:") {
			t.Errorf("%s was evicted %d times", k, n)
		}
		if s.redis.Do(t, "EXISTS", k) != int64(0) {
			t.Errorf("%s is there, but an event says that it was evicted", k)
		}
	}
	t.Logf("%d keys written, %d evicted by Redis's own counter, %d events", written, counted, len(by["evicted"]))
}

// infoOf is a number of Redis's own INFO.
func infoOf(t testing.TB, r *testkit.RedisServer, field string) int64 {
	t.Helper()
	text, _ := r.Do(t, "INFO", "stats").(string)
	_, rest, _ := strings.Cut(text, "\r\n"+field+":")
	var n int64
	_, err := fmt.Sscan(rest, &n)
	must(t, err)
	return n
}
