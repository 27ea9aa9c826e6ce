package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

func TestModesOfRedis(t *testing.T) {
	t.Parallel()
	s := newModeStack(t, "near: {max_bytes: 0}\n", "--enable-debug-command", "yes")
	if r := ask(s.client(t), row(0)...); r.word != "value" {
		t.Fatalf("GET answers %s", r.word)
	}
	t.Run("full", s.redisFull)
	t.Run("slow", s.redisSlow)
	t.Run("a replica", s.redisReplica)
	t.Run("a replica that lost its primary", s.redisLostPrimary)
	t.Run("promoted", s.redisPromoted)
	t.Run("loads its data", s.redisLoading)
	t.Run("emptied", s.redisEmptied)
}

// full is the sample that counts what a full Redis refuses; its like for a replica.
const (
	full    = `forebay_store_refusals_total{reason="full"}`
	replica = `forebay_store_refusals_total{reason="replica"}`
)

// redisFull: every miss is loaded once and served, and counted; leases do not stay, nobody asks again and again.
func (s *modeStack) redisFull(t *testing.T) {
	s.redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	s.redis.Do(t, "CONFIG", "SET", "maxmemory", "1")
	defer s.redis.Do(t, "CONFIG", "SET", "maxmemory", "0")
	s.redis.Do(t, "CONFIG", "RESETSTAT")
	const n = 50
	loaded, failed := s.metric(t, `forebay_loads_total{result="loaded",route="rows"}`), s.metric(t, `forebay_fills_total{result="error",route="rows"}`)
	c := s.client(t)
	for i := range n {
		if v, err := c.Get(t.Context(), fmt.Sprint("row:", 100+i)).Result(); v != modeValue(100+i) || err != nil {
			t.Fatalf("row %d is %q, %v", 100+i, v, err)
		}
	}
	wantWords(t, "a hit", []reading{ask(c, row(0)...)}, inTime, "value")
	wantWords(t, "a write of a client", []reading{ask(c, "SET", "mine", 1)}, inTime, "OOM")
	wantWords(t, "a command that needs the value there", []reading{ask(c, "APPEND", "row:99", "x")}, inTime, "OOM")
	s.wantLine(t, "fills", "OOM command not allowed")
	s.awaitMetrics(t, fmt.Sprintf(`forebay_backend_up{backend="redis"} %d`, 1))
	s.wantMore(t, full, n-1)
	s.wantMore(t, `forebay_fills_total{result="error",route="rows"}`, failed+n-1)
	if more := s.metric(t, `forebay_loads_total{result="loaded",route="rows"}`) - loaded; more < n || more > n+4 { // APPEND tries for its value some times
		t.Errorf("%v loads of %d rows", more, n)
	}
	if scripts := s.calls(t, "evalsha"); scripts < 2*n || scripts > 2*n+20 {
		t.Errorf("%d scripts for %d misses, want a lease and a fill each", scripts, n)
	}
	if keys := s.redis.Do(t, "KEYS", "*lease*"); fmt.Sprint(keys) != "[]" {
		t.Errorf("leases are left: %v", keys)
	}
	s.redis.Do(t, "CONFIG", "SET", "maxmemory", "0")
	s.wantFilled(t, 98)
	s.wantLine(t, "fills", "")
}

// calls is how often Redis has run a command.
func (s *modeStack) calls(t testing.TB, command string) (n int) {
	t.Helper()
	text, _ := s.redis.Do(t, "INFO", "commandstats").(string)
	_, rest, found := strings.Cut(text, "cmdstat_"+command+":calls=")
	if _, err := fmt.Sscan(strings.SplitN(rest, ",", 2)[0], &n); !found || err != nil {
		t.Fatalf("INFO has no calls of %s", command)
	}
	return n
}

// wantFilled wants a row that is loaded to be stored.
func (s *modeStack) wantFilled(t testing.TB, fresh int) {
	t.Helper()
	began, c := time.Now(), s.client(t)
	eventually(t, "values are stored", func() bool {
		return ask(c, row(fresh)...).word == "value" && s.redis.Do(t, "EXISTS", fmt.Sprint("row:", fresh)) == int64(1)
	})
	t.Logf("%-34s after %s", "stored again", since(began))
}

// redisSlow: all goes its way, slowly.
func (s *modeStack) redisSlow(t *testing.T) {
	s.toRedis.Delay(150 * time.Millisecond)
	list := s.askAll(t, 20, func(i int) []any { return row(200 + i) })
	wantWords(t, "misses", list, inTime, "value")
	wantWords(t, "hits", s.askAll(t, 5, func(int) []any { return row(0) }), inTime, "value")
	s.wantLine(t, "redis", "slow: redis answers a PING in ")
	s.toRedis.Restore()
	s.wantLine(t, "redis", "")
	s.wantFilled(t, 97)
}

// redisReplica: after a failover the address may be that of a replica for a while. Hits go on, misses are served and not stored.
func (s *modeStack) redisReplica(t *testing.T) {
	primary := testkit.Redis(t)
	primary.Do(t, "SET", "of", "the primary")
	host, port, _ := strings.Cut(primary.Addr, ":")
	s.redis.Do(t, "REPLICAOF", host, port)
	eventually(t, "it follows its primary", func() bool {
		text, _ := s.redis.Do(t, "INFO", "replication").(string)
		return strings.Contains(text, "master_link_status:up")
	})
	c := s.client(t)
	eventually(t, "reads of it are answered", func() bool { return ask(c, "GET", "of").word == "value" })
	was := s.metric(t, replica)
	for i := range 5 {
		if v, err := c.Get(t.Context(), fmt.Sprint("row:", 300+i)).Result(); v != modeValue(300+i) || err != nil {
			t.Fatalf("row %d is %q, %v", 300+i, v, err)
		}
	}
	wantWords(t, "a write", []reading{ask(c, "SET", "mine", 1)}, inTime, "READONLY")
	s.wantLine(t, "fills", "READONLY")
	s.wantMore(t, replica, was+4)
	primary.Kill()
}

// redisLostPrimary: it answers nothing but errors. That is as good as down.
func (s *modeStack) redisLostPrimary(t *testing.T) {
	s.redis.Do(t, "CONFIG", "SET", "replica-serve-stale-data", "no")
	s.wantLine(t, "redis", "MASTERDOWN")
	c := s.client(t)
	wantWords(t, "a routed read", []reading{ask(c, row(400)...)}, inTime, "value")
	wantWords(t, "another read", []reading{ask(c, "GET", "of")}, inTime, "REDISDOWN", "MASTERDOWN")
	s.awaitMetrics(t, `forebay_backend_up{backend="redis"} 0`)
}

// redisPromoted: it takes writes again.
func (s *modeStack) redisPromoted(t *testing.T) {
	s.redis.Do(t, "REPLICAOF", "NO", "ONE")
	s.wantLine(t, "redis", "")
	s.wantFilled(t, 96)
	s.wantLine(t, "fills", "")
	s.awaitMetrics(t, `forebay_backend_up{backend="redis"} 1`)
}

// redisLoading: so is one that has begun again and reads its data from disk.
func (s *modeStack) redisLoading(t *testing.T) {
	for i := range 100 {
		s.redis.Do(t, "SET", fmt.Sprint("ballast:", i), strings.Repeat("x", 2000))
	}
	s.redis.Do(t, "CONFIG", "SET", "loading-process-events-interval-bytes", 1024, "key-load-delay", 30_000)
	loading := s.redis.Client()
	defer loading.Close()
	done := make(chan error, 1)
	go func() { done <- loading.Do(t.Context(), "DEBUG", "RELOAD").Err() }()
	s.wantLine(t, "redis", "LOADING")
	c := s.client(t)
	wantWords(t, "a routed read", []reading{ask(c, row(500)...)}, inTime, "value")
	wantWords(t, "another read", []reading{ask(c, "GET", "of")}, inTime, "REDISDOWN", "LOADING")
	must(t, <-done)
	s.wantLine(t, "redis", "")
	s.wantFilled(t, 95)
}

// redisEmptied: values are loaded and stored anew.
func (s *modeStack) redisEmptied(t *testing.T) {
	s.redis.Do(t, "FLUSHALL")
	s.wantFilled(t, 0)
	s.wantWell(t, 94)
}
