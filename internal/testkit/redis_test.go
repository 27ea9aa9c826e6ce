package testkit_test

import (
	"net"
	"os"
	"testing"
	"time"

	"forebay/internal/testkit"
)

func TestRedisIsPrivateAndRestarts(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *testkit.RedisServer{
		"tcp": testkit.Redis, "unix": testkit.RedisUnix,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, "--maxmemory", "10mb"), start(t)
			a.Do(t, "SET", "k", "v")
			if got := a.Do(t, "GET", "k"); got != "v" {
				t.Errorf("GET k = %v", got)
			}
			if got := b.Do(t, "GET", "k"); got != nil {
				t.Errorf("the other server has k = %v", got)
			}
			if got := a.Do(t, "CONFIG", "GET", "maxmemory").(map[any]any)["maxmemory"]; got != "10485760" {
				t.Errorf("maxmemory = %v", got)
			}
			for stop, f := range map[string]func(){"stop": a.Stop, "kill": a.Kill} {
				f()
				if conn, err := net.Dial(a.Network, a.Addr); err == nil {
					conn.Close()
					t.Errorf("after %s it still accepts", stop)
				}
				a.Start()
				if got := a.Do(t, "GET", "k"); got != nil {
					t.Errorf("after %s and start k = %v", stop, got)
				}
			}
		})
	}
}

func TestRedisWithPassword(t *testing.T) {
	r := testkit.Redis(t, "--requirepass", "secret")
	if got := r.Do(t, "PING"); got != "PONG" {
		t.Errorf("PING = %v", got)
	}
}

func TestRedisPausedAnswersNothingUntilResumed(t *testing.T) {
	r := testkit.Redis(t)
	conn, err := net.Dial("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.Pause()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Read(buf); !os.IsTimeout(err) {
		t.Fatalf("paused, it answers %q, %v", buf[:n], err)
	}
	r.Resume()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "+PONG\r\n" {
		t.Fatalf("resumed, it answers %q, %v", buf[:n], err)
	}
}
