package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// fakeEnv makes this test binary a stand-in for forebay; its value says how it behaves.
const fakeEnv = "FOREBAY_TEST_FAKE"

func TestMain(m *testing.M) {
	if how := os.Getenv(fakeEnv); how != "" {
		fake(how)
		return
	}
	goleak.VerifyTestMain(m)
}

// fake answers what the demo asks: it is ready at once, knows every key, and counts a key's first read as a miss.
// "absent" knows no key, "ends" ends after the first MGET, "stubborn" fails when it is told to stop.
func fake(how string) {
	fmt.Println("banner of the child", os.Getpid())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		for _, kind := range []string{"session", "miss", "miss", "load", "hit"} {
			fmt.Fprintf(w, ": comment\nid: 1\ndata: {\"kind\":%q,\"key\":\"digits:train:0\"}\n\n", kind)
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	go func() { _ = http.ListenAndServe(os.Getenv("FOREBAY_HTTP_ADDRESS"), mux) }() //nolint:gosec // a fake
	l, err := net.Listen("tcp", os.Getenv("FOREBAY_LISTEN_ADDRESS"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		conn, err := l.Accept()
		if err == nil {
			fakeClient(conn, how)
		}
	}()
	<-stop
	if how == "stubborn" {
		os.Exit(7)
	}
	fmt.Println("drained")
}

// fakeClient answers MGET and INFO.
func fakeClient(conn net.Conn, how string) {
	r := bufio.NewReader(conn)
	seen := map[string]bool{}
	hits, misses := 0, 0
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		switch args[0] {
		case "INFO":
			info := fmt.Sprintf("# Server\r\nredis_version:7.0.15\r\n# Forebay\r\nforebay_hits:%d\r\nforebay_misses:%d\r\n", hits, misses)
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(info), info)
		case "MGET":
			if how == "ends" {
				os.Exit(4)
			}
			fmt.Fprintf(conn, "*%d\r\n", len(args)-1)
			for _, key := range args[1:] {
				if seen[key] {
					hits++
				} else {
					misses++
				}
				seen[key] = true
				value := "$3\r\nabc\r\n"
				if how == "absent" {
					value = "$-1\r\n"
				}
				_, _ = io.WriteString(conn, value)
			}
		}
	}
}

func readCommand(r *bufio.Reader) ([]string, error) {
	line := func() (int, error) {
		s, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(s[1:]))
	}
	n, err := line()
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := line()
		if err != nil {
			return nil, err
		}
		arg := make([]byte, size+2)
		if _, err := io.ReadFull(r, arg); err != nil {
			return nil, err
		}
		args[i] = string(arg[:size])
	}
	return args, nil
}

// demo returns options that run the fake on free ports.
func demo(t *testing.T, how string, once bool) options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeEnv, how)
	return options{forebay: self, resp: freePort(t), http: freePort(t), once: once}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// pidIn returns the child's process id, from its banner.
func pidIn(t *testing.T, out string) int {
	t.Helper()
	_, rest, _ := strings.Cut(out, "banner of the child ")
	var pid int
	if _, err := fmt.Sscan(rest, &pid); err != nil {
		t.Fatalf("no banner in:\n%s", out)
	}
	return pid
}

func TestOncePrintsTwoEpochsAndEvents(t *testing.T) {
	var out buffer
	o := demo(t, "well", true)
	if err := run(t.Context(), o, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"epoch 1: ", "hit ratio   0.0 % (0 hits, 1437 misses)", "epoch 2: ", "hit ratio 100.0 % (1437 hits, 0 misses)",
		`  {"kind":"miss","key":"digits:train:0"}` + "\n" + `  {"kind":"load","key":"digits:train:0"}` + "\n" + `  {"kind":"hit"`,
		"GET digits:train:0", "curl -N http://" + o.http + "/events", "http://" + o.http + "/ ", "drained",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if syscall.Kill(pidIn(t, out.String()), 0) == nil {
		t.Error("the child is left behind")
	}
}

func TestItServesUntilItIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var out buffer
	o := demo(t, "well", false)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o, &out, &out) }()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(out.String(), "keeps serving") {
		select {
		case err := <-ended:
			t.Fatalf("ended: %v\n%s", err, out.String())
		case <-deadline:
			t.Fatalf("waiting for the end of:\n%s", out.String())
		case <-tick.C:
		}
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if syscall.Kill(pidIn(t, out.String()), 0) == nil || !strings.Contains(out.String(), "drained") {
		t.Errorf("the child was not stopped in order:\n%s", out.String())
	}
}

func TestFailures(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	tests := map[string]struct {
		how    string
		once   bool
		change func(*options)
		want   string
	}{
		"a taken port":             {"well", true, func(o *options) { o.http = taken.Addr().String() }, taken.Addr().String() + " is taken: stop what listens there"},
		"no binary":                {"well", true, func(o *options) { o.forebay = "/nowhere/forebay" }, "start forebay: "},
		"a key that is absent":     {"absent", true, nil, "there is no digits:train:"},
		"a child that ends":        {"ends", false, nil, "read epoch 1"},
		"a child that cannot stop": {"stubborn", true, nil, "stop forebay: exit status 7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out buffer
			o := demo(t, tt.how, tt.once)
			if tt.change != nil {
				tt.change(&o)
			}
			err := run(t.Context(), o, &out, &out)
			if err == nil || !strings.Contains(err.Error(), tt.want) && !strings.Contains(err.Error(), "forebay ended: exit status 4") {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			if _, found, ok := strings.Cut(out.String(), "banner of the child "); ok {
				if syscall.Kill(pidIn(t, "banner of the child "+found), 0) == nil {
					t.Error("the child is left behind")
				}
			}
		})
	}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
