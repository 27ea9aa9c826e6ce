package redis_test

import (
	"fmt"
	"slices"
	"testing"

	"forebay/backend/redis"
	"forebay/internal/testkit"
)

func TestRemoveAndKeys(t *testing.T) {
	server := testkit.Redis(t)
	c := redis.Open(redis.Options{Addr: server.Addr})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	prefix := `a*?[x]\:`
	var keys [][]byte
	for i := range 6 {
		keys = append(keys, fmt.Appendf(nil, "%s%d", prefix, i))
		server.Do(t, "SET", keys[i], "v")
	}
	server.Do(t, "RPUSH", "axxx:1", "a list")
	found := map[string]bool{}
	for cursor := uint64(0); ; {
		list, next, err := c.Keys(t.Context(), 0, prefix, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			found[string(k)] = true
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	if len(found) != len(keys) || slices.ContainsFunc(keys, func(k []byte) bool { return !found[string(k)] }) {
		t.Errorf("found %v", found)
	}
	for i := range 1200 {
		keys = append(keys, fmt.Appendf(nil, "none %d", i)) // more than one UNLINK
	}
	n, err := c.Remove(t.Context(), 0, append(keys, []byte("axxx:1")))
	if err != nil || n != 7 {
		t.Errorf("removed %d (%v), want 7", n, err)
	}
	if got := server.Do(t, "DBSIZE"); got != int64(0) {
		t.Errorf("%v keys are left", got)
	}
}
