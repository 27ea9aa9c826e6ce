package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"forebay/internal/testkit/daemon"
)

// forebay is a running "forebay serve".
type forebay struct {
	resp, http string // host:port
	banner     string
	config     string // path of its configuration
	process    *daemon.Process
	stderr     string // path
}

// setup is what a test says of a configuration; what is empty is left out.
type setup struct {
	redis               string // host:port
	cassandra, keyspace string
	broker, topic       string
	partitions          int
	routes              string // YAML list items
	more                string // further top-level YAML
}

// yaml is the configuration file.
func (s setup) yaml() string {
	var b strings.Builder
	b.WriteString("listen: {address: \"127.0.0.1:0\"}\nhttp: {address: \"127.0.0.1:0\"}\n")
	if s.redis != "" {
		fmt.Fprintf(&b, "redis: {address: %q}\n", s.redis)
	}
	if s.cassandra != "" {
		fmt.Fprintf(&b, "source: {cassandra: {hosts: [%q], keyspace: %q}}\n", s.cassandra, s.keyspace)
	}
	if s.broker != "" {
		fmt.Fprintf(&b, "events: {kafka: {brokers: [%q], topic: %q, partitions: %d}}\n", s.broker, s.topic, max(1, s.partitions))
	}
	if s.routes != "" {
		b.WriteString("routes:\n" + s.routes)
	}
	return b.String() + s.more
}

// write puts the configuration into a file of the test's own and returns its path.
func (s setup) write(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forebay.yaml")
	if err := os.WriteFile(path, []byte(s.yaml()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// environment is this process's without what would configure forebay, and with a home of the test's own.
func environment(t testing.TB) []string {
	env := []string{"XDG_STATE_HOME=" + t.TempDir()}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FOREBAY_") && !strings.HasPrefix(v, "XDG_STATE_HOME=") {
			env = append(env, v)
		}
	}
	return env
}

// run runs forebay to its end and returns its status and what it printed.
func run(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.CommandContext(t.Context(), built.path(t), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(t), &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatalf("run forebay %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// serve starts "forebay serve" with the configuration, or without one for the zero setup's defaults, and returns when it says that it is ready. It is killed
// after the test unless it ended before.
func serve(t testing.TB, s setup) *forebay {
	t.Helper()
	return serveFile(t, s.write(t))
}

func serveFile(t testing.TB, config string, args ...string) *forebay {
	t.Helper()
	dir := t.TempDir()
	f := &forebay{config: config, stderr: filepath.Join(dir, "stderr")}
	stdout, err := os.Create(filepath.Join(dir, "stdout"))
	must(t, err)
	defer stdout.Close()
	stderr, err := os.Create(f.stderr)
	must(t, err)
	defer stderr.Close()
	args = append([]string{"serve"}, args...)
	if config != "" {
		args = append(args, "--config="+config)
	}
	cmd := exec.Command(built.path(t), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(t), stdout, stderr
	f.process, err = daemon.StartProcess(cmd, "")
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("forebay's log:\n%s", f.tail())
		}
		must(t, f.process.Close())
	})
	f.await(t, stdout.Name())
	return f
}

// await reads the banner, which is written at once when everything is up.
func (f *forebay) await(t testing.TB, stdout string) {
	t.Helper()
	eventually(t, "forebay is ready", func() bool {
		text, err := os.ReadFile(stdout)
		must(t, err)
		f.banner = string(text)
		if f.process.Ended() && f.banner == "" {
			t.Fatalf("forebay ended:\n%s", f.log())
		}
		return strings.Contains(f.banner, "\n  events ")
	})
	for line := range strings.Lines(f.banner) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch text = strings.TrimSpace(text); name {
		case "resp":
			f.resp = strings.TrimPrefix(text, "redis://")
		case "http":
			f.http = strings.Trim(strings.TrimPrefix(text, "http://"), "/")
		}
	}
}

// log is what it has logged so far.
func (f *forebay) log() string {
	text, err := os.ReadFile(f.stderr)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// tail is the log's last part.
func (f *forebay) tail() string {
	log := f.log()
	return log[max(0, len(log)-8<<10):]
}

// terminate asks it to end and wants it to end well.
func (f *forebay) terminate(t testing.TB) {
	t.Helper()
	f.process.Signal(syscall.SIGTERM)
	f.wantStatus(t, 0)
}

// wantStatus waits for its end.
func (f *forebay) wantStatus(t testing.TB, want int) {
	t.Helper()
	status, err := f.process.Wait(patience)
	must(t, err)
	if !status.Exited() || status.ExitStatus() != want {
		t.Errorf("forebay ended with %v (status %d), want status %d", status, status.ExitStatus(), want)
	}
}

// url is what a trainer is given.
func (f *forebay) url() string { return "redis://" + f.resp + "/0" }

// client is a Redis client with one connection that asks nothing twice.
func (f *forebay) client(t testing.TB) *goredis.Client {
	c := goredis.NewClient(&goredis.Options{
		Addr: f.resp, Protocol: 3, MaxRetries: -1, PoolSize: 1, ContextTimeoutEnabled: true, ReadTimeout: patience,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// answer is one answer of the HTTP port.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks the HTTP port on a connection of its own.
func (f *forebay) get(t testing.TB, path string) answer {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Get("http://" + f.http + path)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return answer{res.StatusCode, res.Header, string(b)}
}

// info is one figure of INFO forebay.
func (f *forebay) info(t testing.TB, name string) int64 {
	t.Helper()
	text, err := f.client(t).Info(t.Context(), "forebay").Result()
	must(t, err)
	_, rest, found := strings.Cut(text, "forebay_"+name+":")
	var n int64
	if _, err := fmt.Sscan(rest, &n); !found || err != nil {
		t.Fatalf("INFO has no forebay_%s:\n%s", name, text)
	}
	return n
}

// must ends t if err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// since is the time passed, rounded as tables show it.
func since(began time.Time) string { return millis(time.Since(began)) }
