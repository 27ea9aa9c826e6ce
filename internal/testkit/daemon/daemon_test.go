package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/internal/testkit/daemon"
)

// childFolder makes this binary, run again, a program that starts a process with that folder and never ends by itself.
const childFolder = "DAEMON_TEST_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		child(folder)
	}
	goleak.VerifyTestMain(m)
}

func child(folder string) {
	p, err := daemon.StartProcess(exec.Command("sleep", "1000"), folder)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Pid())
	buf := make([]byte, 1)
	if _, err := os.Stdin.Read(buf); err == nil {
		panic("as told")
	}
	select {}
}

// running tells whether a process is there and not a zombie.
func running(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

// eventually waits for a condition, at most for 20 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not so after 20 s: %s", what)
		}
	}
}

func TestProcessDiesWithItsParent(t *testing.T) {
	for name, end := range map[string]func(cmd *exec.Cmd, stdin *os.File){
		"killed":   func(cmd *exec.Cmd, _ *os.File) { _ = cmd.Process.Kill() },
		"panicked": func(_ *exec.Cmd, stdin *os.File) { _, _ = stdin.WriteString("x") },
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "server")
			if err := os.MkdirAll(filepath.Join(folder, "data"), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childFolder+"="+folder)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			cmd.Stdin = r
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			r.Close()
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			if !running(pid) {
				t.Fatal("the process does not run")
			}
			end(cmd, w)
			_ = cmd.Wait() // its status is what it was made to be
			eventually(t, "the process is gone", func() bool { return !running(pid) })
			eventually(t, "its folder is gone", func() bool { _, err := os.Stat(folder); return errors.Is(err, os.ErrNotExist) })
		})
	}
}

func TestProcessOutlivesItsHandle(t *testing.T) {
	pid := func() int {
		p, err := daemon.StartProcess(exec.Command("sleep", "1000"), "")
		if err != nil {
			t.Fatal(err)
		}
		return p.Pid()
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		for range 2 { // the program and the guard
			_, _ = syscall.Wait4(-pid, nil, 0, nil)
		}
	})
	for range 3 {
		runtime.GC() // an os.File that nobody holds would be closed by the second
	}
	guards := func() int {
		out, _ := exec.Command("pgrep", "-g", strconv.Itoa(pid), "sh").Output()
		return len(strings.Fields(string(out)))
	}
	if guards() != 1 || !running(pid) {
		t.Fatal("the process or its guard is gone")
	}
}

func TestProcessWaitAndClose(t *testing.T) {
	p, err := daemon.StartProcess(exec.Command("sh", "-c", "sleep 1000 & exit 3"), "")
	if err != nil {
		t.Fatal(err)
	}
	status, err := p.Wait(20 * time.Second)
	if err != nil || status.ExitStatus() != 3 {
		t.Errorf("Wait = %v, %v", status.ExitStatus(), err)
	}
	left := func() bool { return exec.Command("pgrep", "-g", strconv.Itoa(p.Pid()), "sleep").Run() == nil }
	if !left() {
		t.Error("what the program left behind is gone before Close")
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "what the program left behind is gone", func() bool { return !left() })
}

func TestProcessWaitGivesUp(t *testing.T) {
	p, err := daemon.StartProcess(exec.Command("sleep", "1000"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Wait(time.Millisecond); !errors.Is(err, daemon.ErrTimeout) {
		t.Errorf("Wait: %v", err)
	}
}

func TestServerThatEndsWhileItStartsShowsItsLog(t *testing.T) {
	_, err := daemon.Launch(t.Context(), daemon.Program{
		Name: "broken", Ports: 1, Limit: 20 * time.Second,
		Command: func(*daemon.Server) *exec.Cmd { return exec.Command("sh", "-c", "echo the reason") },
		Ready:   func(context.Context, *daemon.Server) error { return errors.New("no answer") },
	})
	if err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("Launch: %v", err)
	}
}

func TestServerThatNeverAnswersIsKilled(t *testing.T) {
	var server *daemon.Server
	_, err := daemon.Launch(t.Context(), daemon.Program{
		Name: "mute", Limit: 50 * time.Millisecond,
		Command: func(s *daemon.Server) *exec.Cmd { server = s; return exec.Command("sleep", "1000") },
		Ready:   func(context.Context, *daemon.Server) error { return errors.New("no answer") },
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Launch: %v", err)
	}
	if _, err := os.Stat(server.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

func TestReservedPortIsNotGivenTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 50 {
		p, err := daemon.ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Release()
		if seen[p.Number] {
			t.Fatalf("port %d is given twice", p.Number)
		}
		seen[p.Number] = true
	}
}

func TestLockFileExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "lock")
	held, err := daemon.LockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := daemon.TryLockFile(path); l != nil || err != nil {
		t.Errorf("a second lock: %v, %v", l, err)
	}
	held.Unlock()
	l, err := daemon.TryLockFile(path)
	if l == nil || err != nil {
		t.Fatalf("after Unlock: %v, %v", l, err)
	}
	l.Unlock()
}
