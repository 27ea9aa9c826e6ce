package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// guardScript waits for its standard input to end, which is when the parent is gone, and cleans up: $1 is the program's pid,
// $2 a folder to remove or "".
//
// The pid cannot have been given to another process by then: it is also the id of the group that the guard is a member of, and
// the kernel does not reuse such a number.
const guardScript = `trap '' INT TERM HUP QUIT
read _
kill -KILL "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ $n -lt 30 ]; do n=$((n+1)); sleep 0.1; done
[ -z "$2" ] || rm -rf "$2"
kill -KILL 0`

// pollEvery is how often a process is asked whether it has ended.
const pollEvery = 2 * time.Millisecond

// ErrTimeout means the process did not end within the time given.
var ErrTimeout = errors.New("process still running")

// Process is a running program and its guard. Its methods are safe for concurrent use.
type Process struct {
	pid   int
	guard int // the guard's pid
	leash int // the writing end of the guard's pipe

	mu     sync.Mutex
	status *syscall.WaitStatus // set once the program has ended and was reaped
	closed bool                // the guard is gone too
}

// StartProcess starts cmd, whose SysProcAttr is overwritten and whose standard streams must be files or nil, so that no
// goroutine copies. The folder, if not "", is removed should this process die; otherwise it is the caller's.
// The caller must Close the Process.
func StartProcess(cmd *exec.Cmd, folder string) (*Process, error) {
	cmd.SysProcAttr = groupAttr(0)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &Process{pid: cmd.Process.Pid}
	_ = cmd.Process.Release() // waiting is done by poll
	if err := p.startGuard(folder); err != nil {
		p.Signal(syscall.SIGKILL)
		_, _ = p.Wait(time.Minute)
		return nil, err
	}
	return p, nil
}

func (p *Process) startGuard(folder string) error {
	r, w, err := pipe()
	if err != nil {
		return fmt.Errorf("make a pipe for the guard: %w", err)
	}
	defer r.Close() // the guard has its own
	guard := exec.Command("/bin/sh", "-c", guardScript, "guard", strconv.Itoa(p.pid), folder)
	guard.Stdin = r
	guard.Dir = "/"
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: p.pid}
	if err := guard.Start(); err != nil {
		_ = syscall.Close(w)
		return fmt.Errorf("start guard: %w", err)
	}
	p.guard, p.leash = guard.Process.Pid, w
	_ = guard.Process.Release()
	return nil
}

// pipe returns the writing end as a bare descriptor. An os.File would be closed by the garbage collector once nobody
// holds the Process any more, and the guard would take that for this process's death:
//
//  1. A test binary starts a server for all its tests and keeps only its address.
//  2. The collector finds the Process and its os.File unreachable and closes the file.
//  3. The guard kills the server in the middle of a test.
func pipe() (r *os.File, w int, err error) {
	var ends [2]int
	// As os.Pipe does where there is no pipe2: no fork between making the ends and marking them close-on-exec.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(ends[:]); err != nil {
		return nil, 0, err
	}
	syscall.CloseOnExec(ends[0])
	syscall.CloseOnExec(ends[1])
	return os.NewFile(uintptr(ends[0]), "guard"), ends[1], nil
}

// Pid is the program's process id, which is also its group's.
func (p *Process) Pid() int { return p.pid }

// Signal sends sig to the program alone; after its end it does nothing.
func (p *Process) Signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.poll() == nil {
		_ = syscall.Kill(p.pid, sig)
	}
}

// Suspend stops the program by SIGSTOP and returns once the kernel has stopped it. A program that has ended stays ended.
func (p *Process) Suspend() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.poll() != nil {
		return nil
	}
	if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("suspend process %d: %w", p.pid, err)
	}
	status, err := wait4(p.pid, syscall.WUNTRACED)
	if err != nil {
		return fmt.Errorf("suspend process %d: %w", p.pid, err)
	}
	if !status.Stopped() {
		p.status = status
	}
	return nil
}

// SignalGroup sends sig to the program and to all that it started and left in its group. The guard ignores INT, TERM, HUP and
// QUIT.
func (p *Process) SignalGroup(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_ = syscall.Kill(-p.pid, sig)
	}
}

// Ended tells whether the program has ended.
func (p *Process) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.poll() != nil
}

// Wait waits for the program's end, at most for the time given: then the error is ErrTimeout.
func (p *Process) Wait(limit time.Duration) (syscall.WaitStatus, error) {
	deadline := time.Now().Add(limit)
	for {
		p.mu.Lock()
		status := p.poll()
		p.mu.Unlock()
		if status != nil {
			return *status, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("wait for process %d: %w", p.pid, ErrTimeout)
		}
		time.Sleep(pollEvery)
	}
}

// Close kills the whole group, guard included, and waits for both. The folder stays. Close may be called again.
func (p *Process) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	// The program is reaped at the latest below, the guard at the end, so the group's number is still ours here.
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	p.closed = true
	p.mu.Unlock()

	_, err := p.Wait(time.Minute)
	if p.guard != 0 {
		if _, werr := wait4(p.guard, 0); werr != nil && err == nil {
			err = fmt.Errorf("reap guard: %w", werr)
		}
		_ = syscall.Close(p.leash)
	}
	return err
}

// poll reaps the program if it has ended and returns its status, else nil. p.mu is held. The process is not
// waited for by os/exec, whose Wait cannot be asked without blocking.
func (p *Process) poll() *syscall.WaitStatus {
	if p.status != nil {
		return p.status
	}
	status, err := wait4(p.pid, syscall.WNOHANG)
	if err != nil { // not our child any more: nothing is left to wait for
		status = new(syscall.WaitStatus)
	}
	p.status = status
	return p.status
}

// wait4 returns nil without an error if the process has not ended (WNOHANG only).
func wait4(pid, options int) (*syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	for {
		got, err := syscall.Wait4(pid, &status, options, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return nil, err
		case got == 0:
			return nil, nil
		default:
			return &status, nil
		}
	}
}
