package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/internal/testkit"
)

func TestRedisFails(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	cached(t, s.forebay)

	t.Run("killed", s.redisKilled)
	t.Run("back", s.redisBack)
	t.Run("paused", s.redisPaused)
	events := s.end(t)
	if r := events.verify(t); !r.Complete() || r.Lost != 0 || r.Open != 0 {
		t.Errorf("the topic is not whole: %+v", r)
	}
	wantCounted(t, events, "gap", 1) // nobody heard what left Redis while it was away
	t.Logf("events: %s", events.kinds())
}

// redisKilled ends Redis while clients read and write.
func (s *stack) redisKilled(t *testing.T) {
	routed, unrouted := s.read(t, 2, hitting), s.read(t, 2, func(reader, i int) []any {
		return [][]any{{"GET", "mine"}, {"SET", "mine", i}}[reader]
	})
	routed.more(t, 50)
	s.redis.Kill()
	killed := time.Now()
	routed.more(t, 100)
	unrouted.more(t, 50)
	before, after := split(routed.stop(), killed)
	wantWords(t, "routed, begun before", before, inTime, "value")
	wantWords(t, "routed, begun after", after, inTime, "value")
	before, after = split(unrouted.stop(), killed)
	// A write whose reply is lost has an outcome that nobody knows: its connection is closed.
	wantWords(t, "unrouted, begun before", before, inTime, "value", "nil", "REDISDOWN", "EOF", "read")
	wantWords(t, "unrouted, begun after", after, inTime, "REDISDOWN", "EOF")
	wantFew(t, after, "EOF", 1)
	s.wantWithoutRedis(t)
}

// wantWithoutRedis wants what commands and health say while it is down.
func (s *stack) wantWithoutRedis(t *testing.T) {
	t.Helper()
	for _, cmd := range []string{"INCR", "HGETALL", "LPOP", "DEL", "KEYS", "TTL", "BLPOP"} {
		args := []any{cmd, "mine"}
		if cmd == "BLPOP" {
			args = append(args, 1)
		}
		if r := ask(s.client(t), args...); r.word != "REDISDOWN" || r.took > inTime {
			t.Errorf("%s answers %s after %v", cmd, r.word, r.took)
		}
	}
	if a := s.get(t, "/readyz"); a.status != 200 {
		t.Errorf("/readyz answers %d though Cassandra answers: %s", a.status, a.body)
	}
	eventually(t, "health names Redis", func() bool {
		a := s.get(t, "/healthz")
		return strings.Contains(a.body, `"degraded"`) && strings.Contains(a.body, `{"name":"redis","ok":false`)
	})
}

// redisBack starts it again, empty.
func (s *stack) redisBack(t *testing.T) {
	began := time.Now()
	s.redis.Start()
	c := s.client(t)
	eventually(t, "writes are taken again", func() bool { return ask(c, "SET", "mine", 1).word == "value" })
	t.Logf("%-34s after %s", "Redis back: writes are taken", since(began))
	eventually(t, "values are filled again", func() bool {
		return ask(c, "GET", key("test", 0)).word == "value" && s.redis.Do(t, "EXISTS", key("test", 0)) == int64(1)
	})
	t.Logf("%-34s after %s", "Redis back: values are filled", since(began))
	eventually(t, "evictions are heard again", func() bool {
		return strings.Count(s.log(), "redis notification flags added") == 2 && strings.Contains(s.log(), "heard again")
	})
}

// redisPaused stops it with its connections open: nothing tells that it does not answer.
func (s *stack) redisPaused(t *testing.T) {
	c := s.client(t)
	routed := s.read(t, 2, hitting)
	routed.more(t, 50)
	// What is not routed waits for Redis, as it would without Forebay, and is answered when it goes on.
	must(t, c.Set(t.Context(), "n", 0, 0).Err())
	s.redis.Pause()
	paused := time.Now()
	counted := make(chan error, 1)
	go func() {
		p := s.client(t).Pipeline()
		for range 3 {
			p.Incr(context.Background(), "n")
		}
		_, err := p.Exec(context.Background())
		counted <- err
	}()
	routed.more(t, 100)
	before, after := split(routed.stop(), paused)
	wantWords(t, "paused: routed, begun before", before, inTime, "value")
	wantWords(t, "paused: routed, begun after", after, inTime, "value")
	began := time.Now()
	s.redis.Resume()
	if err := <-counted; err != nil {
		t.Errorf("writes sent while Redis was paused: %v", err)
	}
	if n, err := c.Get(t.Context(), "n").Int(); n != 3 || err != nil {
		t.Errorf("three INCR counted %d, %v", n, err)
	}
	t.Logf("%-34s after %s", "Redis resumed: writes", since(began))
	s.redisHangs(t)
}

// redisHangs stops it for longer than the budget: what waits for it is told, a read by an error and a write by the end.
func (s *stack) redisHangs(t *testing.T) {
	t.Helper()
	clients := []*goredis.Client{s.client(t), s.client(t)}
	for _, c := range clients {
		must(t, c.Ping(t.Context()).Err())
	}
	s.redis.Pause()
	defer s.redis.Resume()
	words := make(chan reading, 2)
	for i, args := range [][]any{{"GET", "mine"}, {"SET", "mine", 7}} {
		go func() { words <- ask(clients[i], args...) }()
	}
	for range 2 {
		if r := <-words; r.took > inTime+500*time.Millisecond || (r.word != "REDISDOWN" && r.word != "EOF") {
			t.Errorf("hanging Redis: %s after %v", r.word, r.took)
		}
	}
}

// split parts reads by when they began.
func split(list []reading, at time.Time) (before, after []reading) {
	for _, r := range list {
		if r.began.Before(at) {
			before = append(before, r)
		} else {
			after = append(after, r)
		}
	}
	return before, after
}

// wantFew wants at most n reads that ended with the word.
func wantFew(t testing.TB, list []reading, word string, n int) {
	t.Helper()
	for _, r := range list {
		if r.word == word {
			n--
		}
	}
	if n < 0 {
		t.Errorf("%d reads too many ended with %s", -n, word)
	}
}

// wantCounted wants at least n events of a kind.
func wantCounted(t testing.TB, s *stream, kind string, n int) {
	t.Helper()
	if got := len(s.of(kind)); got < n {
		t.Errorf("%d events %s, want at least %d: %s", got, kind, n, s.kinds())
	}
}

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
