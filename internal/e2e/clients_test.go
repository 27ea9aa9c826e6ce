package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func TestRedisPyByURLOnly(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	for _, version := range []string{"5.3.1", "7.1.0", "8.1.0"} {
		python := testkit.Python(t, "numpy", "redis=="+version)
		for _, protocol := range []string{"2", "3"} {
			t.Run(version+" RESP"+protocol, func(t *testing.T) {
				out, err := exec.CommandContext(t.Context(), python, "testdata/clients.py", "redis://"+s.resp, protocol).CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				t.Log(strings.TrimSpace(string(out)))
			})
		}
	}
}

func TestNumPyLoadsEveryEncoding(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	c, dir := s.client(t), t.TempDir()
	value := func(name, key string) string {
		t.Helper()
		b, err := c.Get(t.Context(), key).Bytes()
		must(t, err)
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, b, 0o600))
		return path
	}
	var label int
	var pixels []byte
	session := testkit.Session(t, s.setup.cassandra, s.setup.keyspace)
	err := session.Query(`SELECT label, data FROM samples WHERE dataset = 'plain' AND split = 'test' AND shard = 0 AND idx = 42`).
		Scan(&label, &pixels)
	must(t, err)
	raw := filepath.Join(dir, "raw")
	must(t, os.WriteFile(raw, pixels, 0o600))
	args := []string{
		"testdata/values.py", value("pickled", "digits:test:42:sample"), value("stored", "digits:test:42"),
		value("npy", "digits:test:42:npy"), fmt.Sprint(label), raw,
	}
	for _, version := range []string{"1.24.4", "1.26.4", "2.4.6"} {
		out, err := exec.CommandContext(t.Context(), testkit.Python(t, "numpy=="+version), args...).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "numpy "+version {
			t.Errorf("numpy %s: %v\n%s", version, err, out)
		}
	}
}

func TestRedisCLI(t *testing.T) {
	s := newStack(t, nil)
	_, port, _ := strings.Cut(s.resp, ":")
	for _, tt := range []struct {
		name, args, stdin string
		want              string // the whole output, or a part of it after "…"
	}{
		{name: "a command", args: "PING", want: "PONG\n"},
		{name: "a value", args: "SET greeting hello", want: "OK\n"},
		{name: "a value read", args: "GET greeting", want: "hello\n"},
		{name: "a routed value", args: "--raw GETRANGE digits:test:0:npy 1 5", want: "NUMPY\n"},
		{name: "its length", args: "STRLEN digits:test:1:npy", want: "192\n"},
		{name: "an absent row", args: "--no-raw GET digits:test:360", want: "(nil)\n"},
		{name: "a wrong arity", args: "GET", want: "ERR wrong number of arguments for 'get' command\n\n"},
		{name: "an unknown command", args: "NOPE a", want: "ERR unknown command 'NOPE', with args beginning with: 'a' \n\n"},
		{name: "RESP3", args: "-3 --no-raw HGETALL h", stdin: "", want: "(empty hash)\n"},
		{name: "RESP3 map", args: "-3 HELLO", want: "…proto 3\n"},
		{name: "HELLO", args: "HELLO 2", want: "…server\nredis\n"},
		{name: "HELLO of an unknown protocol", args: "HELLO 4", want: "NOPROTO unsupported protocol version\n\n"},
		{name: "INFO", args: "INFO forebay", want: "…# Forebay\r\nforebay_version:dev\r\n"},
		{name: "INFO of Redis", args: "INFO server", want: "…redis_version:7.0.15\r\n"},
		{name: "COMMAND DOCS", args: "COMMAND DOCS GET", want: "…Get the value of a key\n"},
		{name: "COMMAND COUNT", args: "COMMAND COUNT", want: "240\n"},
		{
			name: "a transaction", stdin: "MULTI\nSET t 1\nINCR t\nSTRLEN digits:test:2:npy\nEXEC\n",
			want: "OK\nQUEUED\nQUEUED\nQUEUED\nOK\n2\n192\n",
		},
		{name: "a session", stdin: "SELECT 1\nGET greeting\nSET greeting one\nSELECT 0\nGET greeting\n", want: "OK\n\nOK\nOK\nhello\n"},
		{name: "a pipe", args: "--pipe", stdin: "SET x 1\r\nINCR x\r\nGET digits:test:3:npy\r\n", want: "…errors: 0, replies: 3\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "redis-cli", append([]string{"-p", port}, strings.Fields(tt.args)...)...)
			cmd.Stdin = strings.NewReader(tt.stdin)
			out, err := cmd.CombinedOutput()
			if err != nil && !strings.HasSuffix(tt.want, "\n\n") {
				t.Errorf("redis-cli: %v", err)
			}
			part, some := strings.CutPrefix(tt.want, "…")
			if got := string(out); some && !strings.Contains(got, part) || !some && got != tt.want {
				t.Errorf("redis-cli %s prints\n%q, want\n%q", tt.args, got, tt.want)
			}
		})
	}
}
