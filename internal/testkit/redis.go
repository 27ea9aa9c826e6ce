package testkit

import "testing"

// RedisServer is a private redis-server process. Its methods fail the test that started it.
type RedisServer struct {
	// Addr is host:port, or the socket's path for [RedisUnix].
	Addr string
	// Network is "tcp" or "unix".
	Network string
}

// Redis starts a private redis-server on a free port, empty and without persistence, with further arguments as on its
// command line ("--maxmemory", "1mb"). It answers when Redis returns and is gone after the test.
func Redis(t testing.TB, args ...string) *RedisServer { panic("unfinished") }

// RedisUnix is [Redis] on a Unix socket only.
func RedisUnix(t testing.TB, args ...string) *RedisServer { panic("unfinished") }

// Stop ends the server by SIGTERM and waits for it. A stopped server stays stopped.
func (s *RedisServer) Stop() { panic("unfinished") }

// Start starts a stopped or killed server again, empty, on the same port, and waits until it answers.
func (s *RedisServer) Start() { panic("unfinished") }

// Kill ends the server by SIGKILL.
func (s *RedisServer) Kill() { panic("unfinished") }

// Pause stops the server by SIGSTOP: its connections stay open and the kernel accepts new ones, but nothing is answered.
func (s *RedisServer) Pause() { panic("unfinished") }

// Resume ends a Pause.
func (s *RedisServer) Resume() { panic("unfinished") }

// Do runs one command on a connection of its own and returns go-redis's reply: nil for absent, else string, int64,
// []any, map[any]any and so on. An error reply fails t.
func (s *RedisServer) Do(t testing.TB, args ...any) any { panic("unfinished") }

// URL is the server as clients spell it: redis://host:port/0 or unix://path?db=0.
func (s *RedisServer) URL() string { panic("unfinished") }
