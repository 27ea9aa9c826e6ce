package main

import (
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestParse(t *testing.T) {
	t.Setenv("TEST_KAFKA_BROKER", "broker:1")
	tests := []struct {
		name string
		args string
		want string // of the error, "" for none
		ok   func(options) bool
	}{
		{"nothing given", "", "", func(o options) bool {
			return o.rounds == 5 && o.duration == 800*time.Millisecond && len(o.idle) == 3 && o.kafka == "broker:1" && o.out == "bench"
		}},
		{"everything given", "-rounds 2 -for 3s -out y -kafka= -forebay x", "", func(o options) bool {
			return o.rounds == 2 && o.duration == 3*time.Second && o.out == "y" && o.kafka == "" && o.forebay == "x"
		}},
		{"quick", "-quick", "", func(o options) bool { return o.rounds == 1 && o.out == "bin/bench" && len(o.idle) == 2 }},
		{"some rows", "-only ^SET", "", func(o options) bool { return o.out == "bin/bench" && o.only.MatchString("SET of 100 bytes") }},
		{"no rounds", "-rounds 0", "at least 1", nil},
		{"no time", "-for 0s", "above 0", nil},
		{"no expression", "-only [", "read -only", nil},
		{"an argument", "now", `unexpected argument "now"`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := parse(strings.Fields(tt.args), io.Discard)
			if tt.want == "" && (err != nil || !tt.ok(o)) {
				t.Errorf("options %+v, error %v", o, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// Every row that has a goal is measured against both of its targets.
func TestGoalsAreMeasured(t *testing.T) {
	rows := plan()
	for _, g := range goals() {
		if !slices.Contains(rows, g.row) || !slices.Contains(g.targets(), g.of) || !slices.Contains(g.targets(), g.to) {
			t.Errorf("%v: %s to %s is not measured", g.row, g.of, g.to)
		}
	}
	for i, r := range rows {
		if slices.Contains(rows[:i], r) {
			t.Errorf("%v comes twice", r)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := find(filepath.Join(t.TempDir(), "forebay"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"apt-get install redis-server", "apt-get install redis-tools", "make build"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell: %s", err, want)
		}
	}
}

// What answers something else is not the server that was started.
func TestAnswers(t *testing.T) {
	for reply, ok := range map[string]bool{"$-1\r\n": true, "-ERR no\r\n": false, "": false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Read(make([]byte, 100))
			conn.Write([]byte(reply))
		}()
		if err := answers(t.Context(), l.Addr().(*net.TCPAddr).Port); (err == nil) != ok {
			t.Errorf("reply %q: %v", reply, err)
		}
		l.Close()
		<-done
	}
}
