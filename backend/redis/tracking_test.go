package redis_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/backend/redis/storetest"
	"forebay/internal/testkit"
)

// stream is a follower that keeps what it is told.
type stream struct {
	mu    sync.Mutex
	told  []string
	times map[uint64]time.Duration
}

func (s *stream) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf(format, args...))
}

func (s *stream) Tracking(int64)     { s.tell("tracking") }
func (s *stream) Alive(int64)        { s.tell("alive") }
func (s *stream) Changed(key []byte) { s.tell("changed %s", key) }
func (s *stream) Flushed()           { s.tell("flushed") }
func (s *stream) Lost(cause error, refused bool) {
	s.tell("lost (refused %v): %v", refused, cause)
}

func (s *stream) TTL(ticket uint64, _ int64, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[ticket] = left
}

// count is how many lines begin with the text.
func (s *stream) count(begin string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.told {
		if strings.HasPrefix(line, begin) {
			n++
		}
	}
	return n
}

func (s *stream) ttl(ticket uint64) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.times[ticket]
	return d, ok
}

func track(t *testing.T, c *redis.Client, prefixes ...string) (*redis.Tracker, *stream) {
	t.Helper()
	s := &stream{times: map[uint64]time.Duration{}}
	tr := c.Tracker(prefixes)
	tr.Track(s)
	t.Cleanup(tr.Close)
	return tr, s
}

func TestTrackerTellsOfItsPrefixesOnly(t *testing.T) {
	server := testkit.Redis(t)
	for _, tt := range []struct {
		name     string
		prefixes []string
		want     []string // of a:1, a:b:1, b1, c1
	}{
		{"overlapping", []string{"a:b", "a:", "b", "a:"}, []string{"a:1", "a:b:1", "b1"}},
		{"one", []string{"b"}, []string{"b1"}},
		{"an empty one", []string{"b", ""}, []string{"a:1", "a:b:1", "b1", "c1"}},
		{"none", nil, []string{"a:1", "a:b:1", "b1", "c1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, s := track(t, openUp(t, server), tt.prefixes...)
			testkit.Soon(t, "tracking", func() bool { return s.count("tracking") == 1 })
			for _, k := range []string{"a:1", "a:b:1", "b1", "c1", "b-last"} {
				server.Do(t, "SET", k, "v")
			}
			testkit.Soon(t, "the last change is told", func() bool { return s.count("changed b-last") == 1 })
			total := 1
			for _, k := range tt.want {
				if s.count("changed "+k) != 1 {
					t.Errorf("%s was not told", k)
				}
				total++
			}
			if n := s.count("changed"); n != total {
				t.Errorf("%d changes told, want %d", n, total)
			}
			testkit.Soon(t, "a PING is answered", func() bool { return s.count("alive") > 0 })
		})
	}
}

func TestTrackerAsksInEachDatabase(t *testing.T) {
	server := testkit.Redis(t)
	c := openUp(t, server)
	for db, ttl := range map[int]time.Duration{0: time.Hour, 3: 2 * time.Hour} {
		if _, _, err := storetest.Fill(t.Context(), c, db, []backend.Entry{{Key: []byte("k"), Value: []byte("v"), TTL: ttl}}); err != nil {
			t.Fatal(err)
		}
	}
	server.Do(t, "SET", "forever", "v")
	tr, s := track(t, c)
	testkit.Soon(t, "tracking", func() bool { return tr.AskTTL(0, []byte("none"), 1) })
	for ticket, q := range []struct {
		db  int
		key string
	}{{0, "k"}, {3, "k"}, {0, "forever"}, {99, "k"}, {0, "k"}, {5, "k"}} {
		if !tr.AskTTL(q.db, []byte(q.key), uint64(ticket+2)) {
			t.Fatal("not asked")
		}
	}
	testkit.Soon(t, "the last answer", func() bool { _, ok := s.ttl(7); return ok })
	for ticket, want := range []time.Duration{
		1: backend.NoKey, 2: time.Hour, 3: 2 * time.Hour, 4: backend.NoExpiry, 5: backend.NotTold, 6: time.Hour, 7: backend.NoKey,
	} {
		if got, _ := s.ttl(uint64(ticket)); ticket > 0 && (got > want || want > 0 && got < want-time.Minute || want < 0 && got != want) {
			t.Errorf("answer %d is %v, want about %v", ticket, got, want)
		}
	}
}

func TestTrackerTakesManyKeysAtOnce(t *testing.T) {
	server := testkit.Redis(t)
	_, s := track(t, openUp(t, server), "key:")
	testkit.Soon(t, "tracking", func() bool { return s.count("tracking") == 1 })
	server.Do(t, "EVAL", "for i=1,5000 do redis.call('SET','key:'..i,'v') end", 0)
	testkit.Soon(t, "all are told", func() bool { return s.count("changed key:") == 5000 })
	server.Do(t, "FLUSHALL")
	testkit.Soon(t, "a flush is told", func() bool { return s.count("flushed") == 1 })

	// More than is taken at once is as a connection lost: nothing is believed any more.
	server.Do(t, "EVAL", "for i=1,200 do redis.call('SET','key:'..string.rep('x',100000)..i,'v') end", 0)
	testkit.Soon(t, "tracked anew", func() bool { return s.count("tracking") == 2 })
	if n := s.count("lost (refused false): follow changes in redis: more than 16 MiB"); n != 1 {
		t.Errorf("lost %d times", n)
	}
}

func TestTrackerComesBack(t *testing.T) {
	server := testkit.Redis(t)
	tr, s := track(t, openUp(t, server))
	testkit.Soon(t, "tracking", func() bool { return s.count("tracking") == 1 })
	server.Stop()
	testkit.Soon(t, "lost", func() bool { return s.count("lost") > 0 })
	if tr.AskTTL(0, []byte("k"), 1) {
		t.Error("asked though nothing is tracked")
	}
	server.Start()
	testkit.Soon(t, "tracking", func() bool { return s.count("tracking") == 2 })
	server.Do(t, "SET", "k", "v")
	testkit.Soon(t, "told", func() bool { return s.count("changed k") == 1 })
}

func TestTrackerIsAnOrdinaryUser(t *testing.T) {
	server := testkit.Redis(t)
	server.Do(t, "ACL", "SETUSER", "may", "on", ">p", "~*", "+@all")
	server.Do(t, "ACL", "SETUSER", "maynot", "on", ">p", "~*", "+@all", "-client")
	server.Do(t, "ACL", "SETUSER", "nottl", "on", ">p", "~*", "+@all", "-pttl")
	as := func(user, pass string) (*redis.Tracker, *stream) {
		c := redis.Open(redis.Options{Network: server.Network, Addr: server.Addr, Username: user, Password: pass, Log: testkit.Log(t)})
		t.Cleanup(c.Close)
		return track(t, c)
	}
	_, s := as("may", "p")
	testkit.Soon(t, "tracking", func() bool { return s.count("tracking") == 1 })
	_, s = as("maynot", "p")
	testkit.Soon(t, "refused", func() bool { return s.count("lost (refused true): follow changes in redis: NOPERM") == 1 })
	_, s = as("may", "wrong")
	testkit.Soon(t, "not let in", func() bool { return s.count("lost (refused false): follow changes in redis: WRONGPASS") > 0 })
	tr, s := as("nottl", "p")
	testkit.Soon(t, "asked", func() bool { return tr.AskTTL(0, []byte("k"), 1) })
	testkit.Soon(t, "answered", func() bool { d, ok := s.ttl(1); return ok && d == backend.NotTold })
}

// Servers that cannot, or that are none.
func TestTrackerOfOtherServers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string // to the handshake, after which the connection closes
		want   string
	}{
		{"no HELLO", "-ERR unknown command 'HELLO'\r\n", "lost (refused true): follow changes in redis: ERR unknown command"},
		{"no TRACKING", "%1\r\n+proto\r\n:3\r\n-ERR unknown subcommand\r\n", "lost (refused true): follow changes in redis: ERR unknown sub"},
		{"loading", "-LOADING Redis is loading the dataset in memory\r\n", "lost (refused false): follow changes in redis: LOADING"},
		{"not asked for", "%0\r\n+OK\r\n+PONG\r\n+OK\r\n+OK\r\n+OK\r\n", "lost (refused false): follow changes in redis: redis answers what"},
		{"not Redis", "HTTP/1.1 400 Bad Request\r\n\r\n", "lost (refused false): follow changes in redis: malformed"},
		{"nothing", "", "lost (refused false): follow changes in redis: EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					nc, err := l.Accept()
					if err != nil {
						return
					}
					br := bufio.NewReader(nc)
					for line := ""; err == nil && !strings.Contains(line, "BCAST") && !strings.Contains(strings.ToLower(line), "ping"); {
						line, err = br.ReadString('\n')
					}
					_, _ = br.ReadString('\n')
					_, _ = nc.Write([]byte(tt.answer))
					_ = nc.(*net.TCPConn).CloseWrite()
					_, _ = br.WriteTo(discard{})
					nc.Close()
				}
			})
			t.Cleanup(wg.Wait)
			t.Cleanup(func() { l.Close() })
			_, s := track(t, open(t, "tcp", l.Addr().String()))
			testkit.Soon(t, tt.want, func() bool { return s.count(tt.want) > 0 })
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
