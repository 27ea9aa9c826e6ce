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
