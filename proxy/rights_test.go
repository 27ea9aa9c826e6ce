package proxy_test

import (
	"strings"
	"testing"
)

// While Redis is down, a client gets what it could have read by the very command that it sends, and nothing else.
func TestRightsWhileRedisIsDown(t *testing.T) {
	f := start(t, options{
		mayRead: func(_, prefix string) bool { return strings.HasPrefix(prefix, "t:") },
		mayRun:  func(_, prefix, command string) bool { return strings.HasPrefix(prefix, "t:") && command == "strlen" },
	})
	c := dial(t, f.addr)
	c.do("+PONG\r\n", "PING")
	f.redis.Kill()
	eventually(t, "redis is down", func() bool { return !f.store.Up() })
	const down = "-REDISDOWN redis does not answer; routed keys are still read from the source, everything else: try again\r\n"
	for command, want := range map[string]string{
		"GET t:1":          bulk("value-1"),
		"MGET t:1 t:2":     "*2\r\n" + bulk("value-1") + bulk("value-2"),
		"MGET t:1 other":   down,
		"STRLEN t:1":       ":7\r\n",
		"GETDEL t:1":       down,
		"GETEX t:1":        down,
		"GETRANGE t:1 0 1": down,
		"HGETALL h:1":      down,
		"HGET h:1 data":    down,
	} {
		c.send(frames(command))
		if got := c.reply(); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
}
