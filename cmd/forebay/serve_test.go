package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/internal/testkit"
)

// liveEvent is the part of an event's line that these tests look at.
type liveEvent struct {
	Kind, Key, Route, Origin, Result, Reason, By string
}

// follow opens the live stream and returns its events as they come.
func follow(t *testing.T, in *instance, query string) <-chan liveEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+in.http+"/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("/events answers %s", res.Status)
	}
	events, ended := make(chan liveEvent, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			var e liveEvent
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &e) == nil {
				events <- e
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return events
}

// next is the next event.
func next(t *testing.T, events <-chan liveEvent) liveEvent {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
		return liveEvent{}
	}
}

func TestServeReadsThrough(t *testing.T) {
	server := testkit.Redis(t)
	in := serve(t, "--redis.address="+server.Addr)
	events := follow(t, in, "?kind=hit,miss,evict")
	c, ctx := in.client(t), t.Context()

	first, err := c.Get(ctx, "digits:train:7").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(first), "ndarray") {
		t.Fatalf("the value is no pickled sample: %q", first)
	}
	eventually(t, "the value is in Redis", func() bool { return server.Do(t, "EXISTS", "digits:train:7") == int64(1) })
	if again, err := c.Get(ctx, "digits:train:7").Bytes(); err != nil || string(again) != string(first) {
		t.Fatalf("the second GET gives %q, %v", again, err)
	}
	if _, err := c.Get(ctx, "digits:train:1437").Result(); !errors.Is(err, goredis.Nil) {
		t.Fatalf("a row that does not exist gives %v, not nil", err)
	}
	expect := func(want liveEvent) {
		t.Helper()
		if got := next(t, events); got != want {
			t.Errorf("event %+v, want %+v", got, want)
		}
	}
	expect(liveEvent{Kind: "miss", Key: "digits:train:7", Route: "digits", Origin: "source", Result: "loaded"})
	expect(liveEvent{Kind: "hit", Key: "digits:train:7", Route: "digits", Origin: "redis"})
	expect(liveEvent{Kind: "miss", Key: "digits:train:1437", Route: "digits", Result: "absent"})
	server.Do(t, "DEL", "digits:train:7")
	expect(liveEvent{Kind: "evict", Key: "digits:train:7", Route: "digits", Reason: "deleted"})

	_, metrics := in.get(t, "/metrics")
	for _, want := range []string{
		`forebay_reads_total{origin="source",result="loaded",route="digits"} 1`,
		`forebay_reads_total{origin="redis",result="hit",route="digits"} 1`,
		`forebay_fills_total{result="stored",route="digits"} 1`,
		`forebay_evictions_total{reason="deleted"} 1`,
		`forebay_backend_up{backend="redis"} 1`,
		`forebay_backend_up{backend="digits"} 1`,
		`forebay_connected_clients 1`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no metric %s", want)
		}
	}
	info, err := c.Info(ctx, "forebay").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Forebay\r\n", "forebay_version:dev\r\n", "forebay_hits:1\r\n", "forebay_misses:2\r\n",
		"forebay_connected_clients:1\r\n", "forebay_routes:3\r\n", "forebay_source_up:1\r\n", "forebay_kafka_up:0\r\n",
	} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO lacks %q:\n%s", want, info)
		}
	}
}

func TestServeDrainsOnSIGTERM(t *testing.T) {
	server := testkit.Redis(t)
	in := serve(t, "--redis.address="+server.Addr)
	nc, err := net.Dial("tcp", in.resp)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	replies := bufio.NewReader(nc)
	if _, err := io.WriteString(nc, "BLPOP queue 0\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Redis has the command", func() bool {
		return strings.Contains(server.Do(t, "INFO", "clients").(string), "blocked_clients:1")
	})
	in.terminate(t)
	eventually(t, "it says that it shuts down", func() bool { return strings.Contains(in.stderr.String(), "shutting down") })
	eventually(t, "no new client is taken", func() bool {
		other, err := net.Dial("tcp", in.resp)
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	server.Do(t, "RPUSH", "queue", "x")
	for _, want := range []string{"*2\r\n", "$5\r\n", "queue\r\n", "$1\r\n", "x\r\n"} {
		if got, err := replies.ReadString('\n'); err != nil || got != want {
			t.Fatalf("while draining: %q, %v; want %q", got, err, want)
		}
	}
	if _, err := replies.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last reply: %v, want the connection's end", err)
	}
	if status := in.wait(t); status != done {
		t.Errorf("status %d:\n%s", status, in.stderr)
	}
}

func TestServeWhileRedisIsDown(t *testing.T) {
	server := testkit.Redis(t)
	server.Stop()
	in := serve(t, "--redis.address="+server.Addr)
	c, ctx := in.client(t), t.Context()
	if !strings.Contains(in.banner, "does not answer yet") {
		t.Errorf("the banner does not say that Redis is down:\n%s", in.banner)
	}
	if status, body := in.get(t, "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz answers %d %s, though the source answers", status, body)
	}
	// Nobody knows yet whom Redis lets read, so nothing is given away.
	if _, err := c.Get(ctx, "digits:train:7").Result(); err == nil || !strings.HasPrefix(err.Error(), "REDISDOWN") {
		t.Errorf("a read before Redis was ever asked: %v", err)
	}
	if _, body := in.get(t, "/api/v1/values/digits:train:7:npy"); !strings.HasPrefix(body, "\x93NUMPY") {
		t.Errorf("a value by HTTP: %q", body)
	}
	server.Start()
	eventually(t, "Redis is used", func() bool { return c.Set(ctx, "x", 1, 0).Err() == nil })
	if _, err := c.Get(ctx, "digits:train:7").Result(); err != nil {
		t.Error(err)
	}
	// Near hits are for those of whom it is known, as are loads while Redis is down.
	eventually(t, "what the users may read is known", func() bool {
		_, err := c.Get(ctx, "digits:train:7").Result()
		info, infoErr := c.Info(ctx, "forebay").Result()
		return err == nil && infoErr == nil && !strings.Contains(info, "forebay_near_hits:0\r\n")
	})
	server.Stop()
	eventually(t, "routed reads are loaded", func() bool {
		_, err := c.Get(ctx, "digits:train:8").Result()
		return err == nil
	})
	if _, err := c.Get(ctx, "unrouted").Result(); err == nil || !strings.HasPrefix(err.Error(), "REDISDOWN") {
		t.Errorf("an unrouted read without Redis: %v", err)
	}
}

func TestServeRefusesWhatItCannotServe(t *testing.T) {
	cluster := testkit.Redis(t, "--cluster-enabled", "yes", "--cluster-config-file", t.TempDir()+"/nodes.conf")
	plain := testkit.Redis(t)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a cluster": {[]string{"--redis.address=" + cluster.Addr}, "cluster mode"},
		"a server that does not send notifications, where they are required": {
			[]string{"--redis.address=" + plain.Addr, "--redis.notifications=require"}, "redis.notifications is require, but",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr lockedBuffer
			args := append([]string{"serve", "--listen.address=127.0.0.1:0", "--http.address=127.0.0.1:0", "--log.level=error"}, tt.args...)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if status := run(ctx, args, nil, &stdout, &stderr); status != failed {
				t.Errorf("status %d", status)
			}
			if got := stderr.String(); !strings.Contains(got, tt.want) || strings.Count(got, "forebay: ") != 1 {
				t.Errorf("stderr:\n%s", got)
			}
			if stdout.String() != "" {
				t.Errorf("stdout: %s", stdout.String())
			}
		})
	}
}
