package load_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/bench/load"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func dial(t *testing.T, addr string, o load.Options) *load.Client {
	t.Helper()
	c, err := load.Dial(t.Context(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestRedisAnswersWhatIsCounted holds the client's count to the server's, in every form of load.
func TestRedisAnswersWhatIsCounted(t *testing.T) {
	redis := testkit.Redis(t)
	keys := load.Keys{Prefix: "k:", First: 1000, Count: 300}
	for _, size := range []int{0, 100, 300 << 10} {
		keys.Prefix = fmt.Sprintf("k%d:", size)
		if size > 100 {
			keys.Count = 3
		}
		if err := load.Fill(t.Context(), redis.Addr, keys, size); err != nil {
			t.Fatal(err)
		}
		if n := redis.Do(t, "STRLEN", fmt.Sprintf("k%d:%d", size, 1000+keys.Count-1)); n != int64(size) {
			t.Errorf("the last key has %v bytes, want %d", n, size)
		}
		for _, o := range []load.Options{
			{Conns: 1},
			{Conns: 7, Threads: 3, Depth: 5, Sets: 0.5},
			{Conns: 4, Depth: 2, Width: 9},
			{Conns: 3, Depth: 16, Sets: 1},
			{Conns: 2, Rate: 2000},
		} {
			o.Bytes, o.Keys, o.Seed = size, keys, 3
			before := processed(t, redis)
			c := dial(t, redis.Addr, o)
			r, err := c.Run(t.Context(), 30*time.Millisecond)
			if err != nil {
				t.Fatalf("%d bytes, %+v: %v", size, o, err)
			}
			if r.Commands == 0 || r.Commands != r.Latency.Count() || r.PerSecond() <= 0 || r.Latency.Quantile(1) > r.Elapsed {
				t.Errorf("%d bytes, %+v: %d commands, %d latencies up to %v in %v", size, o, r.Commands, r.Latency.Count(), r.Latency.Quantile(1), r.Elapsed)
			}
			if got := processed(t, redis) - before; got != int(r.Commands) {
				t.Errorf("%d bytes, %+v: %d commands counted, redis says %d", size, o, r.Commands, got)
			}
		}
	}
}

// processed is how many reads and writes the server has executed.
func processed(t *testing.T, redis *testkit.RedisServer) (n int) {
	t.Helper()
	for l := range strings.Lines(redis.Do(t, "INFO", "commandstats").(string)) {
		var calls int
		name, rest, _ := strings.Cut(l, ":")
		if _, err := fmt.Sscanf(rest, "calls=%d", &calls); err == nil && (name == "cmdstat_get" || name == "cmdstat_mget" || name == "cmdstat_set") {
			n += calls
		}
	}
	return n
}

// TestAStoppedServerIsChargedForAllThatWasDue: at 1,000 a second, 200 commands are due while nothing is answered; a client that waits for
// each reply would have sent two.
func TestAStoppedServerIsChargedForAllThatWasDue(t *testing.T) {
	redis := testkit.Redis(t)
	keys := load.Keys{Prefix: "k:", Count: 1}
	if err := load.Fill(t.Context(), redis.Addr, keys, 10); err != nil {
		t.Fatal(err)
	}
	c := dial(t, redis.Addr, load.Options{Conns: 2, Bytes: 10, Keys: keys, Rate: 1000})
	redis.Do(t, "CLIENT", "PAUSE", "200", "ALL")
	r, err := c.Run(t.Context(), 400*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Commands < 390 || r.Commands > 410 {
		t.Errorf("%d commands in 400 ms at 1,000 a second", r.Commands)
	}
	if got := r.Latency.Quantile(0.75); got < 50*time.Millisecond {
		t.Errorf("a quarter of the commands waited for 100 ms and more, but p75 is %v", got)
	}
}

// answering is a server that sends the same to every client, once it has asked.
func answering(t *testing.T, reply string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1000))
			conn.Write([]byte(reply))
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestWrongRepliesEndTheRun(t *testing.T) {
	for name, tt := range map[string]struct{ reply, want string }{
		"an error":           {"-NOAUTH Authentication required.\r\n", "NOAUTH Authentication required."},
		"an absent key":      {"$-1\r\n", "are all keys there?"},
		"a shorter value":    {"$3\r\nabc\r\n", "9 bytes where 10 were due"},
		"a longer value":     {"$5\r\nabcde\r\n", "11 bytes where 10 were due"},
		"another type":       {"+abcdefg\r\n", `"+abcdefg" where '$' was due`},
		"one too many":       {"$4\r\nabcd\r\n$4\r\nabcd\r\n$4\r\nabcd\r\n", "was not asked for"},
		"no RESP":            {"$what\r\n", "malformed reply"},
		"part of it":         {"$4\r\nab", "closed the connection"},
		"nothing but an end": {"", "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, answering(t, tt.reply), load.Options{Conns: 1, Depth: 2, Bytes: 4, Keys: load.Keys{Count: 1}})
			if _, err := c.Run(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAnInterruptEndsTheRun(t *testing.T) {
	redis := testkit.Redis(t)
	keys := load.Keys{Prefix: "k:", Count: 1}
	if err := load.Fill(t.Context(), redis.Addr, keys, 1); err != nil {
		t.Fatal(err)
	}
	c := dial(t, redis.Addr, load.Options{Conns: 3, Threads: 2, Bytes: 1, Keys: keys})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Run(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	one := load.Keys{Count: 1}
	for name, o := range map[string]load.Options{
		"no connections":        {Keys: one},
		"a thread with nothing": {Conns: 1, Threads: 2, Keys: one},
		"no keys":               {Conns: 1},
		"more than all SETs":    {Conns: 1, Sets: 1.5, Keys: one},
		"a rate below zero":     {Conns: 1, Rate: -1, Keys: one},
		"an unknown order":      {Conns: 1, Keys: load.Keys{Count: 1, Order: "best"}},
		"nobody there":          {Conns: 1, Keys: one},
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := load.Dial(t.Context(), "127.0.0.1:1", o); err == nil {
				c.Close()
				t.Error("no error")
			}
		})
	}
}
