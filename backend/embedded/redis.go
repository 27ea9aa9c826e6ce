package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
)

// DefaultMaxMemory is the memory a Redis may use for data when Options does not say: 256 MiB.
const DefaultMaxMemory = 256 << 20

// minMaxMemory is the least MaxMemory that makes sense: an empty redis-server uses about 1 MiB itself.
const minMaxMemory = 4 << 20

// Options of [StartRedis]. The zero value is the embedded default.
type Options struct {
	// Binary is the redis-server to run. Empty: the one on PATH or in the usual folders, and without one, or if it does not
	// start, the in-process stand-in. Named: an error if it does not start.
	Binary string
	// InProcess uses the stand-in whatever is installed.
	InProcess bool
	// MaxMemory bounds the data, in bytes; at least 4 MiB. 0: DefaultMaxMemory.
	MaxMemory int64
	// OnEvict is told of each key that the in-process stand-in removed: its time was over (expired) or memory was short. The calls
	// come from one goroutine, one at a time, which Close waits for; key is the callee's own. A redis-server does not call it: it publishes keyspace
	// notifications. nil: nobody is told.
	OnEvict func(db int, key []byte, expired bool)
	// Log hears of the process being started again, and why. nil: nothing is logged.
	Log *slog.Logger
}

// Redis is a running private Redis. Its methods are safe for concurrent use.
type Redis struct {
	server    server
	closeOnce sync.Once
}

// server is one of the two ways to have a Redis.
type server interface {
	network() string
	addr() string
	description() string
	limits() []string
	close()
}

// StartRedis starts a Redis that answers when it returns. ctx bounds the start only; whoever started it ends it by Close.
func StartRedis(ctx context.Context, o Options) (*Redis, error) {
	if o.MaxMemory == 0 {
		o.MaxMemory = DefaultMaxMemory
	}
	if o.MaxMemory < minMaxMemory {
		return nil, fmt.Errorf("start the embedded redis: max memory %d is below %d bytes", o.MaxMemory, minMaxMemory)
	}
	if o.OnEvict == nil {
		o.OnEvict = func(int, []byte, bool) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	why := "asked for"
	if !o.InProcess {
		binary, err := findRedisServer(o.Binary)
		if err == nil {
			var p *process
			if p, err = startProcess(ctx, binary, o); err == nil {
				return &Redis{server: p}, nil
			}
		}
		// A named binary is a wish, and a caller whose time is over wants nothing more.
		if gone := ctx.Err(); o.Binary != "" || gone != nil {
			return nil, fmt.Errorf("start the embedded redis: %w", errors.Join(err, gone))
		}
		why = err.Error()
		o.Log.Warn("using the in-process redis", "reason", why)
	}
	m, err := startMemory(o, why)
	if err != nil {
		return nil, fmt.Errorf("start the embedded redis: %w", err)
	}
	return &Redis{server: m}, nil
}

// Network is "unix" for a redis-server and "tcp" for the in-process stand-in.
func (r *Redis) Network() string { return r.server.network() }

// Addr is the socket's path, or host:port on 127.0.0.1. It never changes.
func (r *Redis) Addr() string { return r.server.addr() }

// InProcess tells whether this is the stand-in, which has no notifications, tracking or ACL.
func (r *Redis) InProcess() bool {
	_, ok := r.server.(*memory)
	return ok
}

// Description is one line for a banner: what it runs on and with how much memory.
func (r *Redis) Description() string { return r.server.description() }

// Limits are lines for a banner: what someone used to a Redis of their own should not expect. The slice is the caller's.
func (r *Redis) Limits() []string { return r.server.limits() }

// Close ends the Redis and waits until its process (or goroutines) and files are gone. It may be called more than once.
func (r *Redis) Close() { r.closeOnce.Do(r.server.close) }

// findRedisServer returns the path of a redis-server: the named one, the one on PATH, or one in a folder that PATH often lacks.
func findRedisServer(named string) (string, error) {
	if named != "" {
		return exec.LookPath(named)
	}
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path, nil
	}
	for _, path := range []string{"/usr/bin/redis-server", "/usr/local/bin/redis-server", "/opt/homebrew/bin/redis-server"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", errors.New("no redis-server on PATH")
}

// megabytes writes a size for a person.
func megabytes(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
