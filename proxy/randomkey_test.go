package proxy_test

import (
	"fmt"
	"strings"
	"testing"
)

// many own keys, so that Redis hardly ever names another.
func manyOwn(t testing.TB, f *front) {
	t.Helper()
	f.redis.Do(t, "EVAL", "for i = 1, 3000 do redis.call('SET', '__forebay:lease:{'..i..'}', 'x') end", "0")
}

// RANDOMKEY names clients' keys, and none only where there are none, alone and in a transaction; what follows it in a pipeline is done after it.
func TestRandomKey(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		null := map[string]string{"2": "$-1\r\n", "3": "_\r\n"}[proto]
		t.Run("resp"+proto, func(t *testing.T) {
			f := start(t, options{})
			c := dial(t, f.addr)
			c.send(frames("HELLO " + proto))
			c.reply()
			c.do(null, "RANDOMKEY")
			manyOwn(t, f)
			c.do(null+null+"+OK\r\n+QUEUED\r\n*1\r\n"+null, "RANDOMKEY", "RANDOMKEY", "MULTI", "RANDOMKEY", "EXEC")
			for range 5 {
				c.do("+OK\r\n"+bulk("a")+":1\r\n"+null, "SET a 1", "RANDOMKEY", "DEL a", "RANDOMKEY")
				c.do("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n"+bulk("a")+bulk("value-5")+"*1\r\n"+bulk("a")+":1\r\n",
					"SET a 1", "MULTI", "RANDOMKEY", "GET t:5", "KEYS a", "EXEC", "DEL a")
				f.redis.Do(t, "DEL", "t:5", "__forebay:generation")
			}
			// In pieces, on a connection of its own, in another database.
			c.do("+OK\r\n+OK\r\n+OK\r\n", "SET a 1", "WATCH w", "MULTI")
			c.do("+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n", "RANDOMKEY", "SELECT 3", "RANDOMKEY")
			c.do("*3\r\n"+bulk("a")+"+OK\r\n"+null, "EXEC")
			c.do(null+"+OK\r\n"+bulk("a")+"+PONG\r\n", "RANDOMKEY", "SELECT 0", "RANDOMKEY", "PING")
			c.send("RANDOMKEY\r\n")
			c.expect(bulk("a"))
		})
	}
}

// Among several keys, each is named now and then.
func TestRandomKeyNamesAll(t *testing.T) {
	for _, crowd := range []int{3, 3000} {
		t.Run(fmt.Sprint(crowd), func(t *testing.T) {
			f := start(t, options{})
			f.redis.Do(t, "EVAL", "for i = 1, ARGV[1] do redis.call('SET', '__forebay:x'..i, 'x') end", "0", crowd)
			f.redis.Do(t, "MSET", "a", "1", "b", "2", "c", "3")
			c := dial(t, f.addr)
			named := map[string]int{}
			for range 4000 {
				c.send(frames("RANDOMKEY"))
				key := c.reply()
				if strings.Contains(key, "__forebay") || key[0] != '$' {
					t.Fatalf("named %q", key)
				}
				if named[key]++; len(named) == 3 {
					return
				}
			}
			t.Errorf("of three keys: %v", named)
		})
	}
}

// A user who may not SCAN is answered too; one who may not RANDOMKEY is told so by Redis.
func TestRandomKeyOfUsers(t *testing.T) {
	f := start(t, options{})
	// Few enough that a thousand tries meet the other one, however Redis's table has them; enough that sixteen often do not.
	f.redis.Do(t, "EVAL", "for i = 1, 10 do redis.call('SET', '__forebay:x'..i, 'x') end", "0")
	f.redis.Do(t, "SET", "a", "1")
	f.redis.Do(t, "ACL", "SETUSER", "some", "on", ">p", "~*", "+randomkey", "+multi", "+exec")
	f.redis.Do(t, "ACL", "SETUSER", "none", "on", ">p", "~*", "+ping")
	c := dial(t, f.addr)
	c.do("+OK\r\n", "AUTH some p")
	for range 50 {
		c.do(bulk("a")+"+OK\r\n+QUEUED\r\n*1\r\n"+bulk("a"), "RANDOMKEY", "MULTI", "RANDOMKEY", "EXEC")
	}
	c = dial(t, f.addr)
	c.do("+OK\r\n", "AUTH none p")
	c.send(frames("RANDOMKEY", "KEYS *", "SCAN 0", "PING"))
	for range 3 {
		if got := c.reply(); !strings.HasPrefix(got, "-NOPERM") {
			t.Errorf("told %q", got)
		}
	}
	c.expect("+PONG\r\n")
}
