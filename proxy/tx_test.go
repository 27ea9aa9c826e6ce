package proxy_test

import (
	"errors"
	"strings"
	"testing"
)

// Who may begin a transaction and not end it leaves no connection in it that others use: not the shared one, and not the one of its own.
func TestTransactionsThatCannotBeEnded(t *testing.T) {
	tests := []struct {
		name, rules string
		pieces      []string
	}{
		{"at once", "-exec", []string{frames("MULTI", "SET a 1", "EXEC")}},
		{"one by one", "-exec", []string{frames("MULTI"), frames("SET a 1"), frames("EXEC")}},
		{"what it reads cannot be loaded", "-discard", []string{frames("MULTI"), frames("APPEND t:1 x"), frames("EXEC")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{})
			f.source.hold(func([]any) error { return errors.New("odd") })
			f.redis.Do(t, "ACL", "SETUSER", "u", "on", ">pw", "~*", "+@all", tt.rules)
			a, b := dial(t, f.addr), dial(t, f.addr)
			a.do("+OK\r\n", "AUTH u pw")
			b.do("+OK\r\n", "AUTH u pw")
			for i, raw := range tt.pieces {
				a.send(raw)
				if i < len(tt.pieces)-1 {
					a.reply()
				}
			}
			for {
				got := a.reply()
				if strings.HasPrefix(got, "-NOPERM") || strings.HasPrefix(got, "-EXECABORT") {
					break
				}
			}
			eventually(t, "others are in no transaction", func() bool {
				b.send(frames("ECHO x"))
				got := b.reply()
				return got == bulk("x")
			})
			for range 3 {
				a.do(bulk("y"), "ECHO y")
				a.send(frames("BLPOP none 0.01"))
				if got := a.reply(); got != "*-1\r\n" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
}

// MULTI and EXEC with words that they do not take are refused, and change nothing.
func TestMultiAndExecWithWrongWords(t *testing.T) {
	f := start(t, options{})
	w := newTwin(t, 1)
	for _, list := range [][]string{
		{"MULTI x", "SET a 1", "GET a", "EXEC"},
		{"MULTI", "SET a 2", "EXEC x", "GET a", "EXEC", "GET a"},
		{"MULTI", "SET a 3", "EXEC x", "DISCARD", "GET a"},
		{"MULTI", "GET t:0", "EXEC x", "GET t:0", "STRLEN t:0", "EXEC"},
		{"WATCH a", "MULTI", "EXEC x", "SET a 1", "MULTI", "SET a 2", "EXEC", "GET t:0"},
		{"MULTI", "MULTI", "SET a 4", "EXEC", "GET a"},
		{"MULTI", "WATCH a", "SET a 5", "EXEC", "GET a"},
		{"MULTI", "SET a 6", "DISCARD x", "EXEC", "GET a"},
	} {
		t.Run(strings.Join(list, ", "), func(t *testing.T) {
			for _, one := range []bool{false, true} {
				w.forget(t, f)
				w.compare(t, f, list, one)
				other := dial(t, f.addr)
				other.do("+PONG\r\n", "PING")
			}
		})
	}
}
