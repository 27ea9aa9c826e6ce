package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"forebay/backend/embedded"
	"forebay/internal/testkit"
)

// limit bounds every wait for something that takes milliseconds.
const limit = 20 * time.Second

// start starts a Redis and returns it with a client of it.
func start(t *testing.T, o embedded.Options) (*embedded.Redis, *redis.Client) {
	t.Helper()
	if !o.InProcess {
		needRedisServer(t)
	}
	r, err := embedded.StartRedis(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	c := redis.NewClient(&redis.Options{Network: r.Network(), Addr: r.Addr(), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, c
}

// needRedisServer skips a test under -short, and without a redis-server fails it with the command that installs one, as testkit
// does for every test that asks it for a server.
func needRedisServer(t *testing.T) {
	t.Helper()
	testkit.RedisUnix(t).Stop()
}

// await returns when ok does, or fails the test.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}

// field returns one line of INFO.
func field(t *testing.T, c *redis.Client, section, name string) string {
	t.Helper()
	info, err := c.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(info, "\r\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return value
		}
	}
	t.Fatalf("INFO %s lacks %s:\n%s", section, name, info)
	return ""
}

// pidOf returns the process that answers.
func pidOf(t *testing.T, c *redis.Client) int {
	t.Helper()
	var pid int
	if _, err := fmt.Sscan(field(t, c, "server", "process_id"), &pid); err != nil || pid <= 1 {
		t.Fatalf("process_id %d: %v", pid, err)
	}
	return pid
}

// alive tells whether a process exists.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// config returns one setting of a Redis.
func config(t *testing.T, c *redis.Client, name string) string {
	t.Helper()
	got, err := c.ConfigGet(t.Context(), name).Result()
	if err != nil {
		t.Fatal(err)
	}
	return got[name]
}

func TestEitherKindServesACache(t *testing.T) {
	for _, inProcess := range []bool{false, true} {
		t.Run(fmt.Sprintf("in process %v", inProcess), func(t *testing.T) {
			r, c := start(t, embedded.Options{InProcess: inProcess, MaxMemory: 8 << 20})
			if r.InProcess() != inProcess {
				t.Fatalf("in process: %v (%s)", r.InProcess(), r.Description())
			}
			if err := c.Set(t.Context(), "k", "v", time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Get(t.Context(), "k").Result(); err != nil || got != "v" {
				t.Errorf("GET is %q, %v", got, err)
			}
			if got := config(t, c, "maxmemory"); got != "8388608" {
				t.Errorf("maxmemory is %s", got)
			}
			if err := c.Do(t.Context(), "SELECT", 16).Err(); err == nil || err.Error() != "ERR DB index is out of range" {
				t.Errorf("SELECT 16: %v", err)
			}
			if len(r.Limits()) == 0 || r.Description() == "" {
				t.Error("nothing for the banner")
			}
			addr := r.Addr()
			r.Close()
			r.Close()
			if r.Addr() != addr {
				t.Errorf("address is %q after close, was %q", r.Addr(), addr)
			}
			if err := c.Ping(t.Context()).Err(); err == nil {
				t.Error("it answers after close")
			}
		})
	}
}

func TestRedisServerIsPrivateAndForACache(t *testing.T) {
	r, c := start(t, embedded.Options{})
	dir := filepath.Dir(r.Addr())
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	for name, want := range map[string]string{
		"port":             "0",
		"save":             "",
		"appendonly":       "no",
		"maxmemory":        "268435456",
		"maxmemory-policy": "allkeys-lru",
	} {
		if got := config(t, c, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, flag := range "Egxe" {
		if got := config(t, c, "notify-keyspace-events"); !strings.ContainsRune(got, flag) {
			t.Errorf("notify-keyspace-events %q lacks %c", got, flag)
		}
	}
	pid := pidOf(t, c)
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("process group is %d, %v; want its own, %d", group, err, pid)
	}
	r.Close()
	if alive(pid) {
		t.Errorf("process %d is alive after close", pid)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder after close: %v", err)
	}
}

func TestRedisServerIsStartedAgainAtItsAddress(t *testing.T) {
	var log syncBuffer
	r, c := start(t, embedded.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	addr := r.Addr()
	for range 2 {
		pid := pidOf(t, c)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "another process at the same address", func() bool {
			return c.Ping(t.Context()).Err() == nil && pidOf(t, c) != pid
		})
	}
	if r.Addr() != addr {
		t.Errorf("address is %q, was %q", r.Addr(), addr)
	}
	if !strings.Contains(log.String(), "signal: killed") {
		t.Errorf("the log does not say why:\n%s", log.String())
	}
}

func TestStartRedisFails(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "redis-server")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no room here\nexit 3\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx  context.Context
		o    embedded.Options
		want []string
	}{
		"too little memory":     {t.Context(), embedded.Options{MaxMemory: 1 << 20}, []string{"max memory 1048576 is below"}},
		"no such binary":        {t.Context(), embedded.Options{Binary: "/nowhere/redis-server"}, []string{"/nowhere/redis-server"}},
		"a binary that ends":    {t.Context(), embedded.Options{Binary: broken}, []string{"exit status 3", "no room here"}},
		"a caller out of time":  {ended, embedded.Options{}, []string{"context canceled"}},
		"a negative max memory": {t.Context(), embedded.Options{MaxMemory: -1}, []string{"is below"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := embedded.StartRedis(tt.ctx, tt.o)
			if err == nil {
				r.Close()
				t.Fatal("started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestStandInReplacesARedisServerThatDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	r, err := embedded.StartRedis(t.Context(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !r.InProcess() || !strings.Contains(r.Description(), "exit status 3") {
		t.Errorf("runs on %s", r.Description())
	}
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
