package near_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend/redis"
	"forebay/backend/redis/wire"
	"forebay/internal/near"
	"forebay/internal/testkit"
)

// real is a cache that follows a real Redis, and what a client asks that one.
type real struct {
	*near.Cache
	server *testkit.RedisServer
	client *goredis.Client
}

func follow(t *testing.T, server *testkit.RedisServer, prefixes ...string) real {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	own := redis.Open(redis.Options{Network: server.Network, Addr: server.Addr, Log: log})
	t.Cleanup(own.Close)
	c := near.New(near.Options{MaxBytes: 1 << 20, Tracker: own.Tracker(prefixes), Now: wire.Now, Log: log})
	t.Cleanup(c.Close)
	client := server.Client()
	t.Cleanup(func() { client.Close() })
	testkit.Soon(t, "tracking", func() bool { return c.Stats().Valid })
	return real{c, server, client}
}

// read is a client's GET in database 0: from the cache, else from Redis, which is offered. It returns "" for none.
func (r real) read(t *testing.T, key string) (value string, hit bool) {
	t.Helper()
	k := []byte(key)
	tok := r.Token(0, k)
	if reply, ok := r.Get(0, k); ok {
		_, v, _ := bytes.Cut(reply, []byte("\r\n"))
		return strings.TrimSuffix(string(v), "\r\n"), true
	}
	v, err := r.client.Get(context.WithoutCancel(t.Context()), key).Bytes()
	if err != nil {
		return "", false // absent, of another type, or Redis is away
	}
	r.Offer(0, k, v, tok)
	return string(v), false
}

// keep reads a key until it is answered from the cache.
func (r real) keep(t *testing.T, key string) {
	t.Helper()
	testkit.Soon(t, key+" is kept", func() bool { _, hit := r.read(t, key); return hit })
}

func (r real) has(key string) bool {
	_, ok := r.Get(0, []byte(key))
	return ok
}

func TestWhateverChangesAKeyDropsIt(t *testing.T) {
	r := follow(t, testkit.Redis(t), "k:")
	for i, command := range []string{
		"SET %s new", "SET %s old", "DEL %s", "UNLINK %s", "GETDEL %s", "APPEND %s x", "SETRANGE %s 0 x", "SETBIT %s 0 1", "GETSET %s new",
		"EXPIRE %s 100", "PEXPIRE %s 100000", "GETEX %s EX 100", "RENAME %s other", "RENAME other2 %s", "COPY other2 %s REPLACE", "MOVE %s 1",
		"MSET other v %s new", "BITOP NOT %s %s", "EVAL redis.call('set',KEYS[1],'new') 1 %s", "EVAL redis.call('set','%s','new') 0",
		"EXPIRE %s -1", "SORT list STORE %s", "FLUSHDB", "FLUSHALL", "FLUSHALL ASYNC",
	} {
		t.Run(strings.ReplaceAll(command, "%s", "KEY"), func(t *testing.T) {
			key := fmt.Sprint("k:", i)
			r.server.Do(t, "SET", key, "old")
			r.server.Do(t, "SET", "other2", "new")
			r.server.Do(t, "DEL", "list")
			r.server.Do(t, "RPUSH", "list", "1")
			r.keep(t, key)
			var args []any
			for word := range strings.FieldsSeq(command) {
				args = append(args, strings.ReplaceAll(word, "%s", key))
			}
			r.server.Do(t, args...)
			testkit.Soon(t, "it is dropped", func() bool { return !r.has(key) })
		})
	}
}

func TestEvictedKeysAreDropped(t *testing.T) {
	r := follow(t, testkit.Redis(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"))
	r.server.Do(t, "SET", "k", "v")
	r.keep(t, "k")
	i := 0
	testkit.Soon(t, "redis evicts it and tells", func() bool {
		i++
		r.server.Do(t, "SET", fmt.Sprint("fill:", i), strings.Repeat("x", 100_000))
		return !r.has("k")
	})
	if r.server.Do(t, "EXISTS", "k") != int64(0) {
		t.Error("it was dropped though redis has it")
	}
}

func TestNoHitAfterTheTTL(t *testing.T) {
	r := follow(t, testkit.Redis(t, "--enable-debug-command", "yes"))
	r.server.Do(t, "DEBUG", "SET-ACTIVE-EXPIRE", "0") // nobody tells
	const ttl = 150 * time.Millisecond
	hits := 0
	testkit.Soon(t, "a key was kept for a while", func() bool {
		r.server.Do(t, "SET", "k", "v", "PX", ttl.Milliseconds())
		over := time.Now().Add(ttl) // Redis counts from before this on
		for {
			began := time.Now()
			v, hit := r.read(t, "k")
			if hit && began.After(over) {
				t.Fatalf("a hit %v after the end", began.Sub(over))
			}
			if hit {
				hits++
			}
			if v == "" {
				return hits > 100
			}
		}
	})
}

func TestLostTracking(t *testing.T) {
	server := testkit.Redis(t)
	r := follow(t, server)
	id := func() (id string) {
		for line := range strings.Lines(server.Do(t, "CLIENT", "LIST").(string)) {
			if strings.Contains(line, "name=forebay:near") {
				id, _, _ = strings.Cut(strings.TrimPrefix(line, "id="), " ")
			}
		}
		return id
	}
	for round := range 5 {
		server.Do(t, "SET", "k", fmt.Sprint("v", round))
		r.keep(t, "k")
		server.Do(t, "CLIENT", "KILL", "ID", id())
		server.Do(t, "SET", "k", fmt.Sprint("w", round)) // nobody tells
		testkit.Soon(t, "tracked anew", func() bool { s := r.Stats(); return s.Lost == uint64(round)+1 && s.Valid })
		if v, hit := r.read(t, "k"); hit || v != fmt.Sprint("w", round) {
			t.Errorf("round %d: %q, hit: %v", round, v, hit)
		}
	}
}

func TestStoppedServerIsNotBelievedForLong(t *testing.T) {
	server := testkit.Redis(t)
	r := follow(t, server)
	server.Do(t, "SET", "k", "v")
	r.keep(t, "k")
	server.Pause()
	paused := time.Now()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for since := time.Duration(0); since < 1300*time.Millisecond; {
		since = time.Since(paused)
		if hit := r.has("k"); hit && since > time.Second {
			t.Fatalf("a hit %v after the server was stopped", since)
		} else if !hit && since < 100*time.Millisecond {
			t.Fatalf("no hit %v after the server was stopped", since)
		}
		<-look.C
	}
	if got := r.Health(); got != "off: redis has not answered for a second" {
		t.Error(got)
	}
	server.Resume()
	testkit.Soon(t, "a hit again", func() bool { return r.has("k") })
	if s := r.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}

	server.Stop()
	testkit.Soon(t, "lost", func() bool { return !r.Stats().Connected })
	if r.has("k") {
		t.Error("a hit after the connection was lost")
	}
	server.Start()
	server.Do(t, "SET", "k", "new")
	r.keep(t, "k")
	if v, _ := r.read(t, "k"); v != "new" {
		t.Errorf("got %q", v)
	}
}
