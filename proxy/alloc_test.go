package proxy_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// commandsPerRun is how many commands are sent and answered in one measured run: a run's few allocations of the test's own are
// spread over them.
const commandsPerRun = 512

// A forwarded SET and a hit GET cost no allocation in steady state, through the whole of a session and a connection to Redis. Everything that the process
// allocates meanwhile is counted.
func TestNoAllocationPerCommand(t *testing.T) {
	far, near := start(t, options{routes: append(ruled(), aged()...)}), start(t, options{tracker: &deafTracker{}})
	for _, f := range []*front{far, near} {
		f.lines.deaf.Store(true)
		f.redis.Do(t, "SET", "t:1", "value")
		f.redis.Do(t, "SET", "reject:1", goodPickle)
		f.redis.Do(t, "SET", "a:1", "value")
	}
	near.warm(t, dial(t, near.addr), "t:1")
	tests := []struct {
		name, send, reply string
		depth             int
		f                 *front
	}{
		{"a forwarded SET at a time", frame("SET", "k", "v"), "+OK\r\n", 1, far},
		{"a hit GET at a time", frame("GET", "t:1"), bulk("value"), 1, far},
		{"a hit GET that is checked", frame("GET", "reject:1"), bulk(goodPickle), 1, far},
		{"a hit GET behind the question for its age", frame("GET", "a:1"), bulk("value"), 1, far},
		{"a pipeline of such", frame("GET", "a:1"), bulk("value"), 16, far},
		{"a pipeline of SETs", frame("SET", "k", "v"), "+OK\r\n", 16, far},
		{"a pipeline of hit GETs", frame("GET", "t:1"), bulk("value"), 16, far},
		{"a near GET at a time", frame("GET", "t:1"), bulk("value"), 1, near},
		{"a pipeline of near GETs", frame("GET", "t:1"), bulk("value"), 16, near},
		{"a near MGET at a time", frame("MGET", "t:1", "t:1"), "*2\r\n" + bulk("value") + bulk("value"), 1, near},
		{"a KEYS at a time", frame("KEYS", "k"), "*1\r\n" + bulk("k"), 1, far},
		{"a pipeline of SCANs", frame("SCAN", "0", "MATCH", "k", "COUNT", "100"), "*2\r\n" + bulk("0") + "*1\r\n" + bulk("k"), 16, far},
		{"an MGET at a time", frame("MGET", "t:1", "t:1", "none"), "*3\r\n" + bulk("value") + bulk("value") + "$-1\r\n", 1, far},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nc, err := net.Dial("tcp", tt.f.addr)
			must(t, err)
			defer nc.Close()
			br := bufio.NewReaderSize(nc, 64<<10)
			send := []byte(strings.Repeat(tt.send, tt.depth))
			got := make([]byte, len(tt.reply)*tt.depth)
			run := func() {
				for range commandsPerRun / tt.depth {
					if _, err := nc.Write(send); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(br, got); err != nil {
						t.Fatal(err)
					}
				}
			}
			run() // buffers grow to their size
			if string(got) != strings.Repeat(tt.reply, tt.depth) {
				t.Fatalf("got %q", got)
			}
			n := testing.AllocsPerRun(5, run) / commandsPerRun
			t.Logf("%.4f allocations a command", n)
			if n > 0.05+raceAllocs {
				t.Errorf("%.3f allocations a command", n)
			}
		})
	}
}
