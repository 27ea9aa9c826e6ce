package e2e_test

import (
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func TestForebayStartsWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	server.Stop()
	addr, keyspace := stored.digits(t)
	f := serve(t, setup{redis: server.Addr, cassandra: addr, keyspace: keyspace, routes: digitsRoutes})
	if !strings.Contains(f.banner, "does not answer yet") {
		t.Errorf("the banner does not say that Redis is down:\n%s", f.banner)
	}
	c := f.client(t)
	if r := ask(c, "SET", "mine", 1); r.word != "REDISDOWN" || r.took > inTime {
		t.Errorf("a write answers %s after %v", r.word, r.took)
	}
	// Nobody has said yet whom Redis lets read.
	if r := ask(c, hitting(0, 0)...); r.word != "REDISDOWN" || r.took > inTime {
		t.Errorf("a routed read answers %s after %v", r.word, r.took)
	}
	server.Start()
	eventually(t, "reads are answered and filled", func() bool {
		return ask(c, hitting(0, 0)...).word == "value" && server.Do(t, "EXISTS", key("test", 0)) == int64(1)
	})
	eventually(t, "evictions are watched", func() bool {
		flags, _ := server.Do(t, "CONFIG", "GET", "notify-keyspace-events").(map[any]any)
		return flags["notify-keyspace-events"] != ""
	})
	f.terminate(t)
}
