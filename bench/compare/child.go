package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// killAfter is how long a server may take to end after SIGTERM.
const killAfter = 12 * time.Second

// child is a running server, whose output goes to a file.
type child struct {
	name    string
	log     string          // the file's path
	ended   context.Context // done when the process is gone; its cause says how it ended
	stopped chan struct{}   // closed by stop: the end is no failure any more
	kill    context.CancelFunc
	result  <-chan error
}

// startChild starts a program. It ends by stop, or with this process, however that ends.
func startChild(dir, name, path string, args ...string) (*child, error) {
	c := &child{name: name, log: filepath.Join(dir, name+".log"), stopped: make(chan struct{})}
	out, err := os.Create(c.log)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", name, err)
	}
	defer out.Close() // the child has its own
	life, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(life, path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	cmd.SysProcAttr = childAttributes()

	ended, end := context.WithCancelCause(context.Background())
	started, result := make(chan error, 1), make(chan error, 1)
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
		select {
		case <-c.stopped:
			result <- clean(cmd, err)
		default:
			result <- nil // told by the cause
			end(fmt.Errorf("%s ended by itself (%s); its log ends:\n%s", name, cmd.ProcessState, c.tail()))
		}
		end(nil)
	}()
	if err := <-started; err != nil {
		kill()
		end(nil)
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.ended, c.kill, c.result = ended, kill, result
	return c, nil
}

// clean returns nil for a server that ended after SIGTERM in time, by itself or by that signal.
func clean(cmd *exec.Cmd, err error) error {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if err == nil || cmd.ProcessState.Success() || ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
		return nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("stop %s: it did not end within %v", filepath.Base(cmd.Path), killAfter)
	}
	return fmt.Errorf("stop %s: %s", filepath.Base(cmd.Path), cmd.ProcessState)
}

// stop ends the child by SIGTERM, after killAfter by SIGKILL, and waits for it. It is to be called once.
func (c *child) stop() error {
	close(c.stopped)
	c.kill()
	return <-c.result
}

// tail is the end of the child's log.
func (c *child) tail() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-2000):]))
}
