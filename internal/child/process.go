package child

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// tailBytes is how much of a log is told when its child ends by itself.
const tailBytes = 2000

// Program says what to run.
type Program struct {
	Name string // for errors and logs
	Path string // of the binary
	Args []string
	Env  []string // as exec.Cmd.Env: nil is this process's
	// Log is the path of a file, made anew, that gets both outputs; its end is told when the child ends by itself. Without it they go to Stdout
	// and Stderr.
	Log            string
	Stdout, Stderr io.Writer
	// KillAfter is how long it may take to end after SIGTERM before it is killed. Above zero.
	KillAfter time.Duration
	// Orphaned is what it gets if this process is killed: SIGTERM for one that then ends in order, else 0 for SIGKILL.
	Orphaned syscall.Signal
}

// Process is a running child. Its methods are safe for concurrent use.
type Process struct {
	program Program
	pid     int
	ended   context.Context // done when the process is gone; its cause says how it ended
	stopped chan struct{}   // closed by Stop: the end is no failure any more
	kill    context.CancelFunc
	result  <-chan error
}

// Start starts the program. The caller must Stop it. One goroutine waits for its end.
func Start(p Program) (*Process, error) {
	life, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(life, p.Path, p.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.Env, p.Stdout, p.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = p.KillAfter
	cmd.SysProcAttr = Attributes(cmp.Or(p.Orphaned, syscall.SIGKILL))
	if p.Log != "" {
		out, err := os.Create(p.Log)
		if err != nil {
			kill()
			return nil, fmt.Errorf("make the log of %s: %w", p.Name, err)
		}
		defer out.Close() // the child has its own
		cmd.Stdout, cmd.Stderr = out, out
	}
	ended, end := context.WithCancelCause(context.Background())
	result := make(chan error, 1)
	c := &Process{program: p, ended: ended, stopped: make(chan struct{}), kill: kill, result: result}
	started := make(chan error, 1)
	go func() {
		// The thread stays: the kernel ends the child when the thread that forked it does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		select { // Ended is done when Stop returns
		case <-c.stopped:
			end(nil)
			result <- c.stopError(cmd.ProcessState, err)
		default:
			end(fmt.Errorf("%s ended: %s%s", p.Name, cmd.ProcessState, c.lastWords()))
			result <- nil // told by the cause
		}
	}()
	if err := <-started; err != nil {
		kill()
		end(nil)
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// Pid is its process id.
func (c *Process) Pid() int { return c.pid }

// Ended is done when the process is gone. If that was not by Stop, its cause says how it ended, with the end of its log.
func (c *Process) Ended() context.Context { return c.ended }

// Stop ends the child by SIGTERM, after KillAfter by SIGKILL, and waits for it. It is to be called once. The error says that it did not end in
// order: of a child that had ended before by itself it is nil, as the cause of Ended tells that.
func (c *Process) Stop() error {
	close(c.stopped)
	c.kill()
	return <-c.result
}

// stopError is nil for a child that ended after SIGTERM in time, with status 0 or by that signal.
func (c *Process) stopError(state *os.ProcessState, err error) error {
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case errors.Is(err, exec.ErrWaitDelay) || ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return fmt.Errorf("stop %s: it did not end within %v", c.program.Name, c.program.KillAfter)
	case err == nil || state.Success() || ok && status.Signaled() && status.Signal() == syscall.SIGTERM:
		return nil
	default:
		return fmt.Errorf("stop %s: %s", c.program.Name, state)
	}
}

// lastWords are the end of its log, for an error.
func (c *Process) lastWords() string {
	if c.program.Log == "" {
		return ""
	}
	b, err := os.ReadFile(c.program.Log)
	if err != nil {
		return ""
	}
	return "; its log ends:\n" + strings.TrimSpace(string(b[max(0, len(b)-tailBytes):]))
}
