package main

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// asCommand makes this binary, run again, the command itself.
const asCommand = "WITHSERVERS_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// given runs the command with servers that the environment names, so that none are started.
func given(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"--"}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1",
		testkit.CassandraEnv+"=given:1", testkit.KafkaEnv+"=given:2")
	return cmd
}

// start starts cmd and returns a reader of its output.
func startCommand(t *testing.T, cmd *exec.Cmd) *bufio.Reader {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // if it still runs
	return bufio.NewReader(out)
}

func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read output: %v", err)
	}
	return strings.TrimSpace(line)
}

func readPid(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	pid, err := strconv.Atoi(readLine(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

func running(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

func TestStatusAndOutputAreTheCommands(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want int
		out  string
	}{
		"success":           {[]string{"sh", "-c", "echo $TEST_CASSANDRA_ADDR $TEST_KAFKA_BROKER"}, 0, "given:1 given:2\n"},
		"failure":           {[]string{"sh", "-c", "echo last; exit 7"}, 7, "last\n"},
		"killed by itself":  {[]string{"sh", "-c", "kill -SEGV $$"}, 128 + int(syscall.SIGSEGV), ""},
		"no command":        {nil, 2, "usage: withservers -- command [argument...]\n"},
		"no such a command": {[]string{"/no/such/command"}, 1, "withservers: find command: exec: \"/no/such/command\": stat /no/such/command: no such file or directory\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := given(tt.args...).CombinedOutput()
			if status(err) != tt.want || string(out) != tt.out {
				t.Errorf("status %d, output %q", status(err), out)
			}
		})
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := given("sh", "-c", `trap 'echo got it; exit 9' INT TERM; echo ready; while :; do sleep 0.05; done`)
			out := startCommand(t, cmd)
			readLine(t, out)
			_ = cmd.Process.Signal(sig)
			if line := readLine(t, out); line != "got it" {
				t.Errorf("it says %q", line)
			}
			if got := status(cmd.Wait()); got != 9 {
				t.Errorf("status %d", got)
			}
		})
	}
}

func TestASecondSignalKills(t *testing.T) {
	cmd := given("sh", "-c", `trap 'echo not yet' TERM; echo ready; while :; do sleep 0.05; done`)
	out := startCommand(t, cmd)
	readLine(t, out)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	readLine(t, out)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if got := status(cmd.Wait()); got != 128+int(syscall.SIGKILL) {
		t.Errorf("status %d", got)
	}
}

func TestTheCommandDiesWithUs(t *testing.T) {
	cmd := given("sh", "-c", "sleep 1000 & echo $!; wait")
	pid := readPid(t, startCommand(t, cmd))
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
	eventually(t, "the command's own child is gone", func() bool { return !running(pid) })
}

func TestWeDieWithOurParent(t *testing.T) {
	inner := given("sh", "-c", "echo $$; exec sleep 1000")
	// The parent is a shell that ends at the end of its input, and does not wait.
	cmd := exec.Command("sh", append([]string{"-c", `"$@" & echo $!; read _; exit 0`, "sh"}, inner.Args...)...)
	cmd.Env = inner.Env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := startCommand(t, cmd)
	a, b := readPid(t, out), readPid(t, out)
	if !running(a) || !running(b) {
		t.Fatal("they do not run")
	}
	in.Close()
	eventually(t, "both are gone", func() bool { return !running(a) && !running(b) })
	_ = cmd.Wait() // its output is closed by now
}

func TestRealServersAreStartedAndStopped(t *testing.T) {
	testkit.Redis(t) // asks for real servers: not under -short
	cmd := exec.Command(os.Args[0], "--", "sh", "-c", "echo $TEST_CASSANDRA_ADDR; echo $TEST_KAFKA_BROKER; exec sleep 1000")
	cmd.Env = append(os.Environ(), asCommand+"=1", testkit.CassandraEnv+"=", testkit.KafkaEnv+"=")
	out := startCommand(t, cmd)
	addrs := []string{readLine(t, out), readLine(t, out)}
	for _, addr := range addrs {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("%q does not answer: %v", addr, err)
		}
		conn.Close()
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	if got := status(cmd.Wait()); got != 128+int(syscall.SIGINT) {
		t.Errorf("status %d", got)
	}
	for _, addr := range addrs {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			t.Errorf("%s still answers", addr)
		}
	}
}
