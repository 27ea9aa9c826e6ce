package testkit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"forebay/internal/testkit/server"
)

// RedisServer is a private redis-server process.
type RedisServer struct {
	control
	// Addr is host:port, or the socket's path for [RedisUnix].
	Addr string
	// Network is "tcp" or "unix".
	Network string
	// Pid is the process that the first start made.
	Pid      int
	password string
}

// Redis starts a private redis-server on a free port, empty and without persistence, with further arguments as on its
// command line ("--maxmemory", "1mb"). It answers when Redis returns and is gone after the test.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return startRedis(t, "tcp", args)
}

// RedisUnix is [Redis] on a Unix socket only.
func RedisUnix(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return startRedis(t, "unix", args)
}

func startRedis(t testing.TB, network string, args []string) *RedisServer {
	t.Helper()
	need(t, "redis-server")
	s, err := server.StartRedis(startContext(t), network, args...)
	must(t, err)
	t.Cleanup(func() { must(t, s.Remove()) })
	r := &RedisServer{control: control{t, s}, Addr: s.Addr, Network: network, Pid: s.Pid()}
	if i := slices.Index(args, "--requirepass"); i >= 0 && i+1 < len(args) {
		r.password = args[i+1]
	}
	return r
}

// Do runs one command in database 0, as the default user, on a RESP3 connection of its own and returns go-redis's reply: nil for absent, else string,
// int64, []any, map[any]any and so on. An error reply fails t.
func (s *RedisServer) Do(t testing.TB, args ...any) any {
	t.Helper()
	client := s.Client()
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	reply, err := client.Do(ctx, args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatalf("redis %v: %v", args, err)
	}
	return reply
}

// Client is a new go-redis client with a pool of its own, no retries, and deadlines that contexts set. The caller closes it.
func (s *RedisServer) Client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Network: s.Network, Addr: s.Addr, Password: s.password,
		MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// URL is the server as clients spell it: redis://host:port/0, or unix://path?db=0.
func (s *RedisServer) URL() string {
	auth := ""
	if s.password != "" {
		auth = ":" + s.password + "@"
	}
	if s.Network == "unix" {
		return "unix://" + auth + s.Addr + "?db=0"
	}
	return "redis://" + auth + s.Addr + "/0"
}
