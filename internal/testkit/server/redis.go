package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"forebay/internal/testkit/daemon"
)

// Redis is a redis-server on a port, or on a Unix socket only.
type Redis struct {
	*daemon.Server
	Network, Addr string
}

// StartRedis starts a redis-server without persistence and with further arguments; network is "tcp" or "unix".
func StartRedis(ctx context.Context, network string, args ...string) (*Redis, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server %w", ErrMissing)
	}
	ports := 1
	switch {
	case network == "unix":
		ports = 0
	case slices.Contains(args, "--cluster-enabled"):
		ports = 2 // its own choice for the bus, 10,000 above its port, may be taken
	}
	s, err := daemon.Launch(ctx, daemon.Program{
		Name:  "redis",
		Ports: ports,
		Limit: 20 * time.Second,
		Command: func(s *daemon.Server) *exec.Cmd {
			return exec.Command(path, append(redisArgs(s), args...)...)
		},
		Ready: func(ctx context.Context, s *daemon.Server) error { return redisReady(ctx, network, redisAddr(s)) },
	})
	if err != nil {
		return nil, err
	}
	return &Redis{Server: s, Network: network, Addr: redisAddr(s)}, nil
}

func redisAddr(s *daemon.Server) string {
	if len(s.Ports) == 0 {
		return filepath.Join(s.Dir, "redis.sock")
	}
	return s.Ports[0].Addr()
}

func redisArgs(s *daemon.Server) []string {
	args := []string{"--save", "", "--appendonly", "no", "--dir", s.Dir, "--daemonize", "no"}
	if len(s.Ports) == 0 {
		return append(args, "--port", "0", "--unixsocket", redisAddr(s))
	}
	args = append(args, "--port", strconv.Itoa(s.Ports[0].Number), "--bind", "127.0.0.1")
	if len(s.Ports) > 1 {
		args = append(args, "--cluster-port", strconv.Itoa(s.Ports[1].Number))
	}
	return args
}

// redisReady pings the server by hand: a client library would have opinions about passwords and protocols.
func redisReady(ctx context.Context, network, addr string) error {
	reply, err := ask(ctx, network, addr, []byte("PING\r\n"), func(r *bufio.Reader) (string, error) {
		return r.ReadString('\n')
	})
	if err != nil {
		return err
	}
	if !strings.HasPrefix(reply, "+PONG") && !strings.HasPrefix(reply, "-NOAUTH") {
		return fmt.Errorf("ping redis: %s", strings.TrimSpace(reply))
	}
	return nil
}

// ask writes a request on a new connection and reads the answer, for at most a second.
func ask[T any](ctx context.Context, network, addr string, request []byte, read func(*bufio.Reader) (T, error)) (T, error) {
	var zero T
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return zero, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return zero, err
	}
	if _, err := conn.Write(request); err != nil {
		return zero, err
	}
	return read(bufio.NewReader(conn))
}
