package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"forebay/internal/child"
)

const (
	// startTimeout is the longest wait for the first PONG. A redis-server without data answers within 50 ms.
	startTimeout = 10 * time.Second
	// killAfter is how long a redis-server may take to end by SIGTERM before it is killed. It has nothing to save.
	killAfter = 3 * time.Second
	// A process that dies is started again after firstDelay, and twice as long after each further death up to lastDelay.
	// One that lived for longLife begins anew.
	firstDelay = 100 * time.Millisecond
	lastDelay  = 5 * time.Second
	longLife   = 30 * time.Second
	// socketPathMax is below the 104 bytes (108 on Linux) that a Unix address may have.
	socketPathMax = 100
)

// process is a redis-server that is kept running on one socket in a folder of its own.
type process struct {
	binary    string
	dir       string // 0700
	maxMemory int64
	log       *slog.Logger
	cancel    context.CancelFunc // ends supervise, and the child with it
	done      chan struct{}      // closed when supervise has returned: no child is left
}

var _ server = (*process)(nil)

// startProcess starts a redis-server and returns when it answers. On an error nothing is left of it.
func startProcess(ctx context.Context, binary string, o Options) (*process, error) {
	dir, err := socketDir()
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.Background())
	p := &process{binary: binary, dir: dir, maxMemory: o.MaxMemory, log: o.Log, cancel: cancel, done: make(chan struct{})}
	died := make(chan error, 1)
	go p.supervise(life, died)
	ctx, stop := context.WithTimeout(ctx, startTimeout)
	defer stop()
	if err := p.awaitPong(ctx, died); err != nil {
		p.close()
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return p, nil
}

// socketDir makes a folder that only this user may enter, with a path short enough for a socket in it.
func socketDir() (string, error) {
	parent := os.TempDir()
	if len(filepath.Join(parent, "forebay-redis-0123456789", "redis.sock")) > socketPathMax {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "forebay-redis-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the socket: %w", err)
	}
	return dir, nil
}

func (p *process) network() string { return "unix" }

func (p *process) addr() string { return filepath.Join(p.dir, "redis.sock") }

func (p *process) description() string {
	return fmt.Sprintf("private redis-server (%s) on a Unix socket, %s", p.binary, megabytes(p.maxMemory))
}

func (p *process) limits() []string {
	return []string{
		"redis: nothing is kept on disk: what is cached is gone when Forebay ends",
		fmt.Sprintf("redis: over %s the least recently used keys are evicted", megabytes(p.maxMemory)),
	}
}

func (p *process) close() {
	p.cancel()
	<-p.done
	if err := os.RemoveAll(p.dir); err != nil {
		p.log.Warn("removing the redis folder", "error", err)
	}
}

// supervise runs the server, again after each death, until ctx ends. The first death is also reported on died.
//
// It keeps its operating system thread: the kernel sends a child its parent-death signal when the thread that forked it
// ends, not the process, and the runtime ends threads as it pleases.
func (p *process) supervise(ctx context.Context, died chan<- error) {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	delay := firstDelay
	for {
		began := time.Now()
		err := p.run(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case died <- err:
		default: // not the first
		}
		if time.Since(began) > longLife {
			delay = firstDelay
		}
		p.log.Error("the embedded redis-server ended and is started again, empty", "error", err, "delay", delay)
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, lastDelay)
	}
}

// run starts the server and returns when it has ended: by itself, or because ctx did. The error is never nil.
func (p *process) run(ctx context.Context) error {
	output := new(tail)
	cmd := exec.CommandContext(ctx, p.binary, p.arguments()...)
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	cmd.SysProcAttr = child.Attributes(syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		return err
	}
	err := cmd.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	if text := output.String(); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// arguments are the server's whole configuration: one socket, no port, no disk, bounded memory.
func (p *process) arguments() []string {
	return []string{
		"--port", "0",
		"--unixsocket", p.addr(),
		"--unixsocketperm", "700",
		"--daemonize", "no",
		"--save", "",
		"--appendonly", "no",
		"--dir", p.dir,
		"--logfile", "",
		"--loglevel", "warning",
		"--maxmemory", strconv.FormatInt(p.maxMemory, 10),
		"--maxmemory-policy", "allkeys-lru",
		"--lazyfree-lazy-eviction", "yes",
		"--lazyfree-lazy-expire", "yes",
		// Key events (E) for expired (x), evicted (e) and generic commands (g), DEL among them.
		"--notify-keyspace-events", "Egxe",
	}
}
