package proxy_test

import (
	"strings"
	"testing"
)

// While Redis is down, a client gets what it could have read by the very command that it sends, and nothing else.
func TestRightsWhileRedisIsDown(t *testing.T) {
	f := start(t, options{
		mayRead: func(_, prefix string) bool { return strings.HasPrefix(prefix, "t:") },
		mayRun: func(_, prefix, command string) bool {
			return strings.HasPrefix(prefix, "t:") && strings.Contains("get mget strlen", command)
		},
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

// Clients of a user that was removed are closed as Redis closes them, though Forebay's connection is not theirs alone; other clients are not, nor those of a
// user who was only turned off or has another password.
func TestClientsOfRemovedUsersAreClosed(t *testing.T) {
	f := start(t, options{})
	for _, user := range []string{"gone", "off", "stays"} {
		f.redis.Do(t, "ACL", "SETUSER", user, "on", ">pw", "~*", "+@all")
	}
	as := func(user string) *client {
		c := dial(t, f.addr)
		c.do("+OK\r\n"+bulk(user), "AUTH "+user+" pw", "ACL WHOAMI")
		return c
	}
	shared, alone, off, stays, nobody := as("gone"), as("gone"), as("off"), as("stays"), dial(t, f.addr)
	alone.do("+OK\r\n", "WATCH k")
	nobody.do("+PONG\r\n", "PING")
	f.redis.Do(t, "ACL", "SETUSER", "off", "off")
	f.redis.Do(t, "ACL", "SETUSER", "stays", "resetpass", ">other")
	f.redis.Do(t, "ACL", "DELUSER", "gone")
	f.server.CloseUsers(func(user string) bool { return user != "gone" })
	shared.closed()
	alone.closed()
	off.do(bulk("off"), "ACL WHOAMI")
	stays.do(bulk("stays"), "ACL WHOAMI")
	nobody.do(bulk("default"), "ACL WHOAMI")
}

// A client that authenticates while Redis is asked for its users is not closed for an answer of before.
func TestUsersMadeMeanwhileAreNotClosed(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "ACL", "SETUSER", "old", "on", "nopass", "~*", "+@all")
	old, young := dial(t, f.addr), dial(t, f.addr)
	old.do("+OK\r\n", "AUTH old x")
	f.server.CloseUsers(func(user string) bool {
		f.redis.Do(t, "ACL", "SETUSER", "young", "on", "nopass", "~*", "+@all")
		young.do("+OK\r\n", "AUTH young x")
		return user == "old"
	})
	old.do(bulk("old"), "ACL WHOAMI")
	young.do(bulk("young"), "ACL WHOAMI")
}
