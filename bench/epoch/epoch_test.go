package main

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func TestParse(t *testing.T) {
	t.Setenv("TEST_CASSANDRA_ADDR", "")
	for args, want := range map[string]string{
		"-cassandra h:1": "", "-cassandra h:1 -rounds 2 -samples 2000 -bytes 1 -aside 1 -singles 1": "",
		"": "-cassandra is needed", "-cassandra h:1 -samples 5": "at least 1024", "-cassandra h:1 -rounds 0": "above 0", "now": `unexpected argument "now"`,
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

func TestReplies(t *testing.T) {
	for text, want := range map[string]string{
		"+OK\r\n": "", ":1\r\n": "", "$2\r\nab\r\n": "", "*2\r\n$1\r\na\r\n$0\r\n\r\n": "",
		"$-1\r\n": "absent", "*2\r\n$1\r\na\r\n$-1\r\n": "absent", "-ERR no\r\n": "ERR no", "\r\n": "empty", "$5\r\nab": "EOF",
	} {
		err := reply(bufio.NewReader(strings.NewReader(text)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestAsk(t *testing.T) {
	server := testkit.Redis(t)
	_, port, _ := net.SplitHostPort(server.Addr)
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t.Context(), n, "MSET", "a", "1", "b", "2"); err != nil {
		t.Error(err)
	}
	if err := ask(t.Context(), n, "MGET", "a", "b"); err != nil {
		t.Error(err)
	}
	if err := ask(t.Context(), n, "MGET", "a", "c"); err == nil {
		t.Error("an absent key is no error")
	}
}

func TestReport(t *testing.T) {
	s := &stack{options: options{rounds: 2, samples: 60_000, bytes: 3136}, figures: map[string][]float64{
		forebayEpoch: {40_000, 60_000}, bestEpoch: {10_000, 10_000}, asideEpoch: {1000, 4000},
		forebayPartition: {30_000, 20_000}, driverPartition: {50_000, 50_000},
		"get p50": {600, 900}, "select p50": {400, 450},
	}}
	report := s.report("the machine")
	for _, want := range []string{
		"the machine Rounds: 2.\n",
		"| " + forebayEpoch + " | " + asideEpoch + " | **27.50** (15.00–40.00) | ≥ 20.00 | met, within the spread |\n",
		"| " + forebayEpoch + " | " + bestEpoch + " | **5.00** (4.00–6.00) | ≥ 3.00 | met |\n",
		"| " + forebayPartition + " | " + driverPartition + " | **0.50** (0.40–0.60) | ≥ 0.80 | missed |\n",
		"60,000 samples of 3,136 bytes",
		"| ratio | **1.75** (1.50–2.00) | – |\n",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	}
}
