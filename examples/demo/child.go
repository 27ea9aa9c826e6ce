package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// killAfter is how long Forebay may take to drain its clients after SIGTERM; its own default grace is 10 s.
const killAfter = 15 * time.Second

// child is a running forebay.
type child struct {
	ended   context.Context // done when the process is gone; its cause says how it ended
	banner  <-chan struct{} // closed when it has first written to its standard output
	stopped chan<- struct{} // closed by stop: the end is no failure any more
	kill    context.CancelFunc
	result  <-chan error
}

// startChild starts forebay with its output passed through.
func startChild(o options, stdout, stderr io.Writer) (*child, error) {
	life, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(life, o.forebay, o.arguments...)
	banner := make(chan struct{})
	cmd.Stdout, cmd.Stderr = &noticed{w: stdout, first: banner}, stderr
	cmd.Env = append(os.Environ(), "FOREBAY_LISTEN_ADDRESS="+o.resp, "FOREBAY_HTTP_ADDRESS="+o.http)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	cmd.SysProcAttr = childAttributes()

	ended, end := context.WithCancelCause(context.Background())
	stopped := make(chan struct{})
	started, result := make(chan error, 1), make(chan error, 1)
	go func() {
		// The thread stays: the kernel ends the child when the thread that forked it does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start forebay: %w", err)
			return
		}
		started <- nil
		err := cmd.Wait()
		select {
		case <-stopped:
			result <- drained(cmd, err)
		default:
			result <- nil // told by the cause
			end(fmt.Errorf("forebay ended: %s", cmd.ProcessState))
		}
		end(nil)
	}()
	if err := <-started; err != nil {
		kill()
		end(nil)
		return nil, err
	}
	return &child{ended: ended, banner: banner, stopped: stopped, kill: kill, result: result}, nil
}

// drained returns nil for a child that ended by itself after SIGTERM, in time and with status 0.
func drained(cmd *exec.Cmd, err error) error {
	if err == nil || cmd.ProcessState.Success() && errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("stop forebay: %w", err)
}

// stop ends the child by SIGTERM, after killAfter by SIGKILL, and waits for it.
func (c *child) stop() error {
	close(c.stopped)
	c.kill()
	return <-c.result
}

// noticed passes on what is written and closes first after the first write. It is for one goroutine.
type noticed struct {
	w     io.Writer
	first chan<- struct{} // nil once closed
}

// Write passes p on.
func (n *noticed) Write(p []byte) (int, error) {
	written, err := n.w.Write(p)
	if n.first != nil {
		close(n.first)
		n.first = nil
	}
	return written, err
}
