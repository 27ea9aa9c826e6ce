package compat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"forebay/internal/testkit/daemon"
	"forebay/internal/testkit/server"
)

// redisArgs are what redis-py's suite wants of a server, and the notifications that Forebay would turn on: both sides begin alike.
func redisArgs() []string {
	return []string{"--enable-debug-command", "yes", "--enable-module-command", "yes", "--notify-keyspace-events", "Egxe"}
}

// The names of the sides.
const (
	straightName = "straight"
	throughName  = "through"
)

// side is what a program connects to: a Redis of its own, and for the way through a Forebay in front of it.
type side struct {
	name    string // straight or through
	redis   *server.Redis
	forebay *daemon.Server // nil: straight
	addr    string         // host:port for clients
}

// unmatched is a route that no test's key has, so that every key is tried against one.
const unmatched = `  - {name: none, key: "forebay-compat:{idx:int}", table: samples, where: {dataset: digits, split: test, shard: "{idx / 1024}", idx: "{idx}"}, value: data}
`

// openStraight starts a Redis.
func openStraight(ctx context.Context) (*side, error) {
	redis, err := server.StartRedis(ctx, "tcp", redisArgs()...)
	if err != nil {
		return nil, err
	}
	return &side{name: straightName, redis: redis, addr: redis.Addr}, nil
}

// openThrough starts a Redis and the program forebay in front of it, with routes over the bundled digits as YAML list items.
func openThrough(ctx context.Context, forebay, routes string) (*side, error) {
	s, err := openStraight(ctx)
	if err != nil {
		return nil, err
	}
	s.name = throughName
	s.forebay, err = daemon.Launch(ctx, daemon.Program{
		Name:  "forebay",
		Ports: 2,
		Limit: 30 * time.Second,
		Prepare: func(_ context.Context, d *daemon.Server) error {
			return os.WriteFile(filepath.Join(d.Dir, "forebay.yaml"), []byte(configuration(d, s.redis.Addr, routes)), 0o600)
		},
		Command: func(d *daemon.Server) *exec.Cmd {
			cmd := exec.Command(forebay, "serve", "--config", filepath.Join(d.Dir, "forebay.yaml"))
			cmd.Env = environment("XDG_STATE_HOME=" + d.Dir)
			return cmd
		},
		Ready: func(ctx context.Context, d *daemon.Server) error { return ping(ctx, d.Ports[0].Addr()) },
	})
	if err != nil {
		return nil, errors.Join(err, s.redis.Remove())
	}
	s.addr = s.forebay.Ports[0].Addr()
	return s, nil
}

func configuration(d *daemon.Server, redis, routes string) string {
	return fmt.Sprintf("listen: {address: %q}\nhttp: {address: %q}\nredis: {address: %q}\nroutes:\n%s",
		d.Ports[0].Addr(), d.Ports[1].Addr(), redis, routes)
}

// environment is this process's, without what would configure Forebay or pytest, and more.
func environment(more ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FOREBAY_") && !strings.HasPrefix(v, "XDG_STATE_HOME=") && !strings.HasPrefix(v, "PYTEST_") {
			env = append(env, v)
		}
	}
	return append(env, more...)
}

// ping asks once, for at most a second.
func ping(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if reply != "+PONG\r\n" {
		return fmt.Errorf("ping: %q", reply)
	}
	return nil
}

// log is the end of what Forebay logged; empty for a straight side.
func (s *side) log() string {
	if s.forebay == nil {
		return ""
	}
	b, err := os.ReadFile(s.forebay.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4096):])
}

// close kills the side's servers and removes their folders.
func (s *side) close() error {
	var err error
	if s.forebay != nil {
		err = s.forebay.Remove()
	}
	return errors.Join(err, s.redis.Remove())
}
