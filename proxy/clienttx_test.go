package proxy_test

import (
	"fmt"
	"strings"
	"testing"
)

// Inside MULTI, a client is told of itself what it is told outside.
func TestClientsInTransactions(t *testing.T) {
	for _, watch := range []bool{false, true} {
		t.Run(fmt.Sprint("watching ", watch), func(t *testing.T) {
			f := start(t, options{})
			a, b := dial(t, f.addr), dial(t, f.addr)
			id, idb := idOf(a), idOf(b)
			if watch {
				a.do("+OK\r\n", "WATCH w")
			}
			a.do("+OK\r\n"+strings.Repeat("+QUEUED\r\n", 6)+"*6\r\n:"+id+"\r\n$-1\r\n+OK\r\n"+bulk("me")+bulk("value-1")+":-1\r\n",
				"MULTI", "CLIENT ID", "CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT GETNAME", "GET t:1", "CLIENT GETREDIR", "EXEC")
			a.do(bulk("me"), "CLIENT GETNAME")
			a.send(frames("MULTI", "CLIENT LIST ID "+idb, "CLIENT INFO", "HELLO 3", "EXEC"))
			a.expect("+OK\r\n" + strings.Repeat("+QUEUED\r\n", 3))
			got := a.reply()
			if !strings.Contains(got, "id="+idb+" ") || !strings.Contains(got, "id="+id+" ") || !strings.Contains(got, "\r\nid\r\n:"+id+"\r\n") {
				t.Errorf("got %q", got)
			}
			a.do(bulk("me")+"_\r\n", "CLIENT GETNAME", "GET none")
			if got := field(lineOf(b, id), "resp"); got != "3" {
				t.Errorf("resp=%s", got)
			}
		})
	}
}

// Who becomes another user in a transaction has that one's rights from then on.
func TestUserOfATransaction(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "ACL", "SETUSER", "some", "on", ">pw", "~t:1", "+get")
	f.redis.Do(t, "SET", "t:2", "x")
	c := dial(t, f.addr)
	c.do("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", "MULTI", "AUTH some pw", "EXEC")
	c.send(frames("GET t:2", "CLIENT ID", "GET t:1"))
	for _, want := range []string{"-NOPERM", "-NOPERM", "$7\r\nvalue-1"} {
		if got := c.reply(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
