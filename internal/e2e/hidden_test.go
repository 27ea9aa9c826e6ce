package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestOwnKeysDoNotShow has Forebay make keys of its own of most kinds: clients that list keys see theirs, and no event names another.
func TestOwnKeysDoNotShow(t *testing.T) {
	s := newStack(t, func(s *setup) { s.more = "defaults: {absent_ttl: 1h}\n" })
	c := named(t, s.forebay, "run-hidden")
	var want []string
	for i := range 5 {
		must(t, c.Get(t.Context(), key("test", i)).Err())
		want = append(want, key("test", i))
		if err := c.Get(t.Context(), key("test", 100_000+i)).Err(); err == nil {
			t.Fatal("a row that does not exist was read")
		}
	}
	straight := s.redis.Do(t, "KEYS", "__forebay:*")
	for _, kind := range []string{"lease:", "generation", "session:"} {
		if !strings.Contains(fmt.Sprint(straight), "__forebay:"+kind) {
			t.Errorf("Forebay keeps no %s: %v", kind, straight)
		}
	}
	keys, err := c.Keys(t.Context(), "*").Result()
	must(t, err)
	slices.Sort(keys)
	var scanned []string
	for scan := c.Scan(t.Context(), 0, "", 3).Iterator(); scan.Next(t.Context()); {
		scanned = append(scanned, scan.Val())
	}
	slices.Sort(scanned)
	for how, got := range map[string][]string{"KEYS": keys, "SCAN": slices.Compact(scanned)} {
		if !slices.Equal(got, want) {
			t.Errorf("%s shows %v, want %v", how, got, want)
		}
	}
	for range 50 {
		if k, err := c.RandomKey(t.Context()).Result(); err != nil || !slices.Contains(want, k) {
			t.Errorf("RANDOMKEY names %q, %v", k, err)
		}
	}
	if n := c.DBSize(t.Context()).Val(); n <= int64(len(want)) {
		t.Errorf("DBSIZE is %d: README says that it counts Forebay's own", n)
	}
	// What goes by itself or is removed is told of, but for what is Forebay's own.
	s.redis.Do(t, "EVAL", "for _, k in ipairs(redis.call('KEYS', '__forebay:lease:*')) do redis.call('DEL', k) end", "0")
	must(t, c.Del(t.Context(), want[0]).Err())
	s.awaitMetrics(t, `forebay_evictions_total{reason="deleted"} 1`)
	all := s.end(t)
	all.wantWhole(t)
	for _, e := range all.of("evict") {
		if strings.HasPrefix(e.Key, "__forebay:") {
			t.Errorf("an event tells of %+v", e)
		}
	}
}
