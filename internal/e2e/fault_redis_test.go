package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/internal/testkit"
)

func redisFaults() []fault {
	return []fault{
		{"Redis killed and started again, empty", redisRestarted},
		{"Redis paused for 3 s", redisPaused},
		{"connection to Redis stranded", redisStranded},
		{"Redis full, without eviction", redisFull},
		{"10,000 keys expire at once", redisExpires},
	}
}

// hits reads a few rows, which are in Redis before long; misses reads others, and stores none.
func (f *fleet) hits(_, i int) question { return f.rows.get(i % 8) }

func (f *fleet) misses(reader, i int) question {
	q := f.rows.get(perPartition*(1+reader%3) + i%perPartition)
	q.args[0] = "GETDEL"
	return q
}

// missed adds what misses saw of a fault of Redis. They are GETDELs, which write: the one of each reader that Redis had been sent has an outcome that nobody
// knows.
func (f *fleet) missed(t testing.TB, o *outcome, list []reading) {
	t.Helper()
	o.served(t, "misses", list, closed()...)
	wantFew(t, list, "EOF", 2)
}

// warm fills what hits reads.
func (f *fleet) warm(t testing.TB) {
	t.Helper()
	c := f.all[0].client(t)
	for i := range 8 {
		eventually(t, "a row is loaded", func() bool { return f.hits(0, i).put(c).word == "value" })
	}
}

// withEvents has a Forebay's events kept in a topic.
func withEvents(t testing.TB) func(*setup) {
	return func(s *setup) { s.broker, s.topic = testkit.Kafka(t).Broker, testkit.Topic(t) }
}

func redisRestarted(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", 4*perPartition), 1, withEvents(t))
	f.warm(t)
	at := f.all[0]
	routed, missing := at.ask(t, 2, f.hits), at.ask(t, 2, f.misses)
	unrouted := at.read(t, 2, func(reader, i int) []any { return [][]any{{"GET", "mine"}, {"SET", "mine", i}}[reader] })
	routed.more(t, 50)
	f.redis.Kill()
	killed := time.Now()
	routed.more(t, 100)
	missing.more(t, 50)
	unrouted.more(t, 50)
	f.wantWithoutRedis(t)
	// A write whose reply is lost has an outcome that nobody knows: its connection is closed.
	before, after := split(unrouted.stop(), killed)
	o.add(t, "unrouted, begun before", before, "value", "nil", "REDISDOWN", "EOF", "read")
	o.add(t, "unrouted, begun after", after, "REDISDOWN", "EOF")
	wantFew(t, after, "EOF", 1)
	began := time.Now()
	f.redis.Start()
	c := at.client(t)
	eventually(t, "writes are taken again", func() bool { return ask(c, "SET", "mine", 1).word == "value" })
	o.recovers(t, began, "values are filled", func() bool {
		return f.hits(0, 0).put(c).word == "value" && f.redis.Do(t, "EXISTS", taggedKey(0)) == int64(1)
	})
	eventually(t, "evictions are heard again", func() bool {
		return strings.Count(at.log(), "redis notification flags added") == 2 && strings.Contains(at.log(), "heard again")
	})
	at.wantLine(t, "redis", "")
	at.awaitMetrics(t, `forebay_backend_up{backend="redis"} 1`)
	o.served(t, "hits", routed.stop())
	f.missed(t, o, missing.stop())
	f.rows.wantCacheRight(t, f.redis, 4*perPartition)
	at.terminate(t)
	events := readTopic(t, f.setup.broker, f.setup.topic, ended(1))
	if r := events.verify(t); !r.Complete() || r.Lost != 0 || r.Open != 0 {
		t.Errorf("the topic is not whole: %+v", r)
	}
	wantCounted(t, events, "gap", 1) // nobody heard what left Redis while it was away
}

// wantWithoutRedis wants what commands and health say while it is down.
func (f *fleet) wantWithoutRedis(t *testing.T) {
	t.Helper()
	at := f.all[0]
	for _, cmd := range []string{"INCR", "HGETALL", "LPOP", "DEL", "KEYS", "TTL", "BLPOP"} {
		args := []any{cmd, "mine"}
		if cmd == "BLPOP" {
			args = append(args, 1)
		}
		if r := ask(at.client(t), args...); r.word != "REDISDOWN" || r.took > inTime {
			t.Errorf("%s answers %s after %v", cmd, r.word, r.took)
		}
	}
	if a := at.get(t, "/readyz"); a.status != 200 {
		t.Errorf("/readyz answers %d though Cassandra answers: %s", a.status, a.body)
	}
	at.wantLine(t, "redis", "redis down: ")
	at.awaitMetrics(t, `forebay_backend_up{backend="redis"} 0`)
}

// Redis is stopped with its connections open: nothing tells that it does not answer. Reads of rows are answered without it; what needs it waits, and after the
// budget is told, a read by an error and a write by the end. What came later is done, once.
func redisPaused(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", 4*perPartition), 1, nil)
	f.warm(t)
	at := f.all[0]
	counter, hanging := at.client(t), []*goredis.Client{at.client(t), at.client(t)}
	must(t, counter.Set(t.Context(), "n", 0, 0).Err())
	for _, c := range hanging {
		must(t, c.Ping(t.Context()).Err())
	}
	routed, missing := at.ask(t, 2, f.hits), at.ask(t, 2, f.misses)
	routed.more(t, 50)
	f.redis.Pause()
	defer f.redis.Resume()
	paused := time.Now()
	told := make(chan reading, len(hanging))
	for i, args := range [][]any{{"GET", "mine"}, {"SET", "mine", 7}} {
		go func() { told <- ask(hanging[i], args...) }()
	}
	within(t, 2*time.Second, "a second of the pause is over", func() bool { return time.Since(paused) > time.Second })
	at.wantLine(t, "redis", "timeout")
	at.awaitMetrics(t, `forebay_backend_up{backend="redis"} 0`)
	counted := make(chan error, 1)
	go func() {
		p := counter.Pipeline()
		for range 3 {
			p.Incr(context.Background(), "n")
		}
		_, err := p.Exec(context.Background())
		counted <- err
	}()
	o.add(t, "hanging, unrouted", []reading{<-told, <-told}, "REDISDOWN", "EOF")
	within(t, inTime, "3 s of the pause are over", func() bool { return time.Since(paused) > 3*time.Second })
	resumed := time.Now()
	f.redis.Resume()
	if err := <-counted; err != nil {
		t.Errorf("writes sent while Redis was paused: %v", err)
	}
	if n, err := counter.Get(t.Context(), "n").Int(); n != 3 || err != nil {
		t.Errorf("three INCR counted %d, %v", n, err)
	}
	o.recovers(t, resumed, "writes are taken, values filled", func() bool {
		return ask(counter, "DEL", taggedKey(200)).word == "value" && f.rows.get(200).put(counter).word == "value" &&
			f.redis.Do(t, "EXISTS", taggedKey(200)) == int64(1)
	})
	o.served(t, "hits", routed.stop())
	f.missed(t, o, missing.stop())
	f.rows.wantCacheRight(t, f.redis, 4*perPartition)
}

// The connections that are open go dead without a word, as when a firewall has forgotten them; new ones reach Redis. Forebay's shared one is found out, as Redis
// executes on another what was asked later, and closed.
func redisStranded(t *testing.T, o *outcome) {
	var network *testkit.FaultProxy
	f := newFleet(t, taggedRows(t, "ASC", 4*perPartition), 1, func(s *setup) {
		network = testkit.NewFaultProxy(t, "tcp", s.redis)
		s.redis = network.Addr
	})
	f.warm(t)
	at := f.all[0]
	routed, missing := at.ask(t, 2, f.hits), at.ask(t, 2, f.misses)
	unrouted := at.read(t, 2, func(reader, i int) []any { return [][]any{{"GET", "mine"}, {"SET", "mine", i}}[reader] })
	routed.more(t, 50)
	missing.more(t, 20)
	unrouted.more(t, 50)
	network.Strand()
	stranded := time.Now()
	c := at.client(t)
	o.recovers(t, stranded, "the connection is replaced: writes are taken, values filled", func() bool {
		return ask(c, "DEL", taggedKey(200)).word == "value" && f.rows.get(200).put(c).word == "value" &&
			f.redis.Do(t, "EXISTS", taggedKey(200)) == int64(1)
	})
	at.wantMore(t, "forebay_redis_connections_replaced_total", 0)
	routed.more(t, 50)
	missing.more(t, 20)
	unrouted.more(t, 50)
	if log := at.log(); !strings.Contains(log, "connection to redis went dead") {
		t.Errorf("it does not say that its connection was dead:\n%s", log)
	}
	list := unrouted.stop()
	o.add(t, "unrouted", list, "value", "nil", "REDISDOWN", "EOF")
	wantFew(t, list, "REDISDOWN", 2)
	wantFew(t, list, "EOF", 2)
	o.served(t, "hits", routed.stop())
	f.missed(t, o, missing.stop())
	f.rows.wantCacheRight(t, f.redis, 4*perPartition)
}

// A Redis that refuses all that enlarges it: values are served, and not stored.
func redisFull(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", 8*perPartition), 1, nil, "--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
	f.warm(t)
	at := f.all[0]
	for i := range 300 {
		f.redis.Do(t, "SET", fmt.Sprint("filler:", i), strings.Repeat("x", 10<<10))
	}
	f.redis.Do(t, "CONFIG", "SET", "maxmemory", "3mb") // less than that, so that no buffer that is given back makes room
	routed := at.ask(t, 2, f.hits)
	missing := at.ask(t, 2, func(reader, i int) question { return f.rows.get(perPartition*(2+reader) + i%perPartition) })
	missing.more(t, 200)
	o.served(t, "hits", routed.stop())
	o.served(t, "misses", missing.stop())
	o.add(t, "writes", []reading{ask(at.client(t), "SET", "mine", strings.Repeat("x", 10<<10))}, "OOM")
	eventually(t, "refused fills are counted", func() bool {
		return !strings.Contains(at.get(t, "/metrics").body, `forebay_fills_total{result="error",route="tagged"} 0`+"\n")
	})
	emptied := time.Now()
	f.redis.Do(t, "CONFIG", "SET", "maxmemory", "64mb")
	c := at.client(t)
	o.recovers(t, emptied, "values are filled", func() bool {
		return f.rows.get(500).put(c).word == "value" && f.redis.Do(t, "EXISTS", taggedKey(500)) == int64(1)
	})
	f.rows.wantCacheRight(t, f.redis, 8*perPartition)
}

// Ten thousand values end at the same moment, under readers: each is loaded once, by queries of whole partitions' rows.
func redisExpires(t *testing.T, o *outcome) {
	const n, readers = 10_000, 8
	const parts = (n + perPartition - 1) / perPartition // the last is not full
	f := newFleet(t, taggedRows(t, "ASC", n), 2, nil)
	whole := func(part int) question {
		var idx []int
		for i := part * perPartition; i < min(n, (part+1)*perPartition); i++ {
			idx = append(idx, i)
		}
		return f.rows.get(idx...)
	}
	c := f.all[0].client(t)
	for part := range parts {
		eventually(t, "a partition is loaded", func() bool { return whole(part).put(c).word == "value" })
	}
	reads, direct := f.rows.reads(t), f.redis.Client()
	defer direct.Close()
	at := time.Now().Add(300 * time.Millisecond)
	pipe := direct.Pipeline()
	var keys []any
	for i := range n {
		keys = append(keys, taggedKey(i))
		pipe.PExpireAt(t.Context(), taggedKey(i), at)
	}
	_, err := pipe.Exec(t.Context())
	must(t, err)
	var next atomic.Int64
	ask := func(_, _ int) question { return whole(int(next.Add(1)) % parts) }
	a, b := f.all[0].ask(t, readers/2, ask), f.all[1].ask(t, readers/2, ask)
	within(t, inTime, "they have expired", func() bool { return time.Now().After(at) })
	o.recovers(t, at, "all are loaded again", func() bool {
		return f.redis.Do(t, append([]any{"EXISTS"}, keys...)...) == int64(n)
	})
	o.served(t, "readers of one", a.stop())
	o.served(t, "readers of another", b.stop())
	if held := f.rows.wantCacheRight(t, f.redis, n); held != n {
		t.Errorf("%d values are held", held)
	}
	queries := f.rows.reads(t) - reads
	if queries > 2*parts {
		t.Errorf("%d queries for %d rows of %d partitions", queries, n, parts)
	}
	t.Logf("%d rows came by %d queries", n, queries)
}
