package main

import (
	"bytes"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		args string
		want string // of the error, "" for none
		ok   func(options) bool
	}{
		{"nothing given", "", "", func(o options) bool {
			return o.rounds == 5 && o.clients == 50 && slices.Equal(o.sizes, []int{100, 3136}) && slices.Equal(o.depths, []int{1, 16})
		}},
		{"everything given", "-rounds 2 -requests 3 -clients 4 -sizes 5,6 -depth 7 -forebay x", "", func(o options) bool {
			return o.rounds == 2 && o.requests == 3 && o.clients == 4 && slices.Equal(o.sizes, []int{5, 6}) &&
				slices.Equal(o.depths, []int{7}) && o.forebay == "x"
		}},
		{"no rounds", "-rounds 0", "at least 1", nil},
		{"a size of nothing", "-sizes 100,0", `"0" is no number above zero`, nil},
		{"a word for a depth", "-depth deep", `"deep" is no number above zero`, nil},
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

func TestParseCSV(t *testing.T) {
	const header = `"test","rps","avg_latency_ms","min_latency_ms"` + "\n"
	tests := []struct {
		name, out string
		want      map[string]float64
		err       string
	}{
		{
			"both commands", header + `"SET","42553.19","0.9","0.1"` + "\n" + `"GET","45454.55","0.8","0.1"` + "\n",
			map[string]float64{"SET": 42553.19, "GET": 45454.55},
			"",
		},
		{
			"a warning before it", "WARNING: Could not fetch server CONFIG\n" + header + `"SET","1","2","3"` + "\n" + `"GET","4","5","6"` + "\n",
			map[string]float64{"SET": 1, "GET": 4},
			"",
		},
		{"one command missing", header + `"SET","1","2","3"` + "\n", nil, "no line for GET"},
		{"no rate", header + `"SET","0.00","2","3"` + "\n", nil, `SET has "0.00"`},
		{"another table", `"test","median"` + "\n", nil, "no column rps"},
		{"an error", "Could not connect to Redis", nil, "no table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCSV(tt.out)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// The ratios are those of the rounds, not of the medians: here the machine was twice as fast in the second round.
func TestTable(t *testing.T) {
	all := rates{
		{"SET", 3136, 16}: {"direct": {1000, 2000}, "twemproxy": {500, 1000}, "forebay": {750, 1500}},
		{"GET", 3136, 16}: {"direct": {1_234_567, 1_234_567}, "twemproxy": {1000, 4000}, "forebay": {2000, 2000}},
	}
	var out bytes.Buffer
	o := options{rounds: 2, requests: 10, clients: 3, sizes: []int{3136}, depths: []int{16}}
	if err := writeTable(&out, o, all); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"redis-benchmark, 3 clients, 2 rounds of 10 requests (times P) a command: median (least–most) requests/s; ratios within a round.",
		"",
		"| | bytes | P | direct | twemproxy | forebay | forebay / direct | forebay / twemproxy |",
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
		"| SET | 3,136 | 16 | 1,500 (1,000–2,000) | 750 (500–1,000) | 1,125 (750–1,500) | **0.75** (0.75–0.75) | **1.50** (1.50–1.50) |",
		"| GET | 3,136 | 16 | 1,234,567 (1,234,567–1,234,567) | 2,500 (1,000–4,000) | 2,000 (2,000–2,000) | " +
			"**0.00** (0.00–0.00) | **1.25** (0.50–2.00) |",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := startStack(t.Context(), filepath.Join(t.TempDir(), "forebay"))
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
