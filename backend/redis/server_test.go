package redis_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// server is a private redis-server.
type server struct {
	Network, Addr string
	t             testing.TB
	args          []string
	cmd           *exec.Cmd
}

func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	s := &server{
		Network: "tcp", Addr: addr.String(), t: t,
		args: append([]string{"--port", strconv.Itoa(addr.Port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, args...),
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

func startRedisUnix(t testing.TB) *server {
	dir, err := os.MkdirTemp("", "fb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sock := filepath.Join(dir, "s")
	s := &server{Network: "unix", Addr: sock, t: t, args: []string{"--port", "0", "--unixsocket", sock, "--save", "", "--dir", dir}}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

func (s *server) Start() {
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := goredis.NewClient(&goredis.Options{Network: s.Network, Addr: s.Addr, MaxRetries: 50})
	defer c.Close()
	for {
		err := c.Ping(context.Background()).Err()
		var reply goredis.Error
		if err == nil || errors.As(err, &reply) {
			return
		}
	}
}

func (s *server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	s.cmd = nil
}
func (s *server) Pause()  { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

func (s *server) Do(t testing.TB, args ...any) any {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Network: s.Network, Addr: s.Addr})
	defer c.Close()
	v, err := c.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}
