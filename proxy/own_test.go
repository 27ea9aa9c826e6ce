package proxy_test

import (
	"fmt"
	"strings"
	"testing"
)

// A transaction on a connection of its own must leave the client in the database that it was in.
func TestPinnedTransactionKeepsTheDatabase(t *testing.T) {
	f := start(t, options{})
	c := dial(t, f.addr)
	c.do("+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", "SELECT 3", "WATCH a", "MULTI", "SET x 1", "EXEC")
	c.do(bulk("1"), "GET x")
	if n := f.redis.Do(t, "DBSIZE"); n != int64(0) {
		t.Fatalf("database 0 has %v keys", n)
	}
	c.do("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n", "MULTI", "SELECT 5", "SET y 2", "EXEC")
	c.do(bulk("2"), "GET y")
}

// What a client did to a connection of its own must not meet the next client of that connection.
func TestChangedConnectionIsNotReused(t *testing.T) {
	tests := []struct {
		name, reply string
		change      []string
	}{
		{"database", "+OK\r\n+OK\r\n+OK\r\n", []string{"WATCH k", "SELECT 3", "UNWATCH"}},
		{"user", "+OK\r\n+OK\r\n+OK\r\n", []string{"WATCH k", "AUTH alice secret", "UNWATCH"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{})
			f.redis.Do(t, "ACL", "SETUSER", "alice", "on", ">secret", "~*", "&*", "+@all")
			a, b := dial(t, f.addr), dial(t, f.addr)
			a.do(tt.reply, tt.change...)
			a.do("$-1\r\n", "GET nothing")
			f.redis.Do(t, "LPUSH", "l", "one")
			b.do("*2\r\n"+bulk("l")+bulk("one"), "BLPOP l 1")
			b.do("+OK\r\n"+bulk("default"), "WATCH k", "ACL WHOAMI")
		})
	}
	t.Run("protocol", func(t *testing.T) {
		f := start(t, options{})
		a, b := dial(t, f.addr), dial(t, f.addr)
		a.do("+OK\r\n", "WATCH k")
		a.send(frames("HELLO 3"))
		if got := a.reply(); got[0] != '%' {
			t.Fatalf("HELLO 3: %q", got)
		}
		a.do("+OK\r\n_\r\n", "UNWATCH", "GET nothing")
		b.do("+OK\r\n*0\r\n", "WATCH k", "HGETALL nothing")
	})
}

// A client that keeps its own connection from an earlier BLPOP must get another one when Redis was started again, and not send
// the next BLPOP on the connection that all others share.
func TestBlockingCommandAfterRestartStaysOffTheSharedConnection(t *testing.T) {
	f := start(t, options{})
	a, b := dial(t, f.addr), dial(t, f.addr)
	a.do("*-1\r\n", "BLPOP l 0.01")
	f.redis.Kill()
	f.redis.Start()
	eventually(t, "redis is up", f.store.Up)
	a.send(frames("BLPOP l 0"))
	eventually(t, "the client is blocked", func() bool {
		return strings.Contains(fmt.Sprint(f.redis.Do(t, "INFO", "clients")), "blocked_clients:1\r\n")
	})
	b.do("+PONG\r\n:1\r\n", "PING", "LPUSH l x")
	a.expect("*2\r\n" + bulk("l") + bulk("x"))
}

// Commands that give no reply, that block in a spelling of their own, or that change what their connection is, must not reach the shared one.
func TestPoisonousCommandsStayOffTheSharedConnection(t *testing.T) {
	tests := []struct {
		name  string
		setup []string
		send  string
	}{
		{"no reply", nil, frames("REPLCONF ACK 0")},
		{"no reply, unknown to the table", nil, frames("REPLCONF GETACK *")},
		{"the group is called streams", []string{"XGROUP CREATE s streams $ MKSTREAM"}, frames("XREADGROUP GROUP streams c BLOCK 0 STREAMS s >")},
		{"blocks in capitals", nil, frames("XREAD COUNT 1 BLOCK 0 STREAMS s $")},
		{"debugger", nil, frames("SCRIPT DEBUG YES")},
		{"debugger in a transaction", nil, frames("MULTI", "SCRIPT DEBUG SYNC", "EXEC")},
		{"database in a transaction", nil, frames("MULTI", "SELECT 9", "SET z 1", "EXEC")},
		{"subscription in a transaction", nil, frames("MULTI", "SUBSCRIBE c", "EXEC")},
		{"protocol in a transaction", nil, frames("MULTI", "HELLO 3", "EXEC")},
		{"replies off", nil, frames("CLIENT REPLY OFF")},
		{"replies off in a transaction", nil, frames("MULTI", "CLIENT REPLY OFF", "EXEC")},
		{"sync", nil, frames("SYNC")},
		{"monitor in a transaction", nil, frames("MULTI", "MONITOR", "EXEC")},
		{"wait", nil, frames("WAIT 1 0")},
		{"unknown command", nil, frames("NOSUCHCOMMAND")},
		{"empty command", nil, "*1\r\n$0\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{})
			a, b := dial(t, f.addr), dial(t, f.addr)
			for _, s := range tt.setup {
				b.send(frames(s))
				b.reply()
			}
			b.do("+PONG\r\n", "PING")
			a.send(tt.send)
			// The bytes of a have been dispatched when its second command shows in Redis, or when others are served after them.
			for i := range 50 {
				b.do(bulk(fmt.Sprint("b", i)), fmt.Sprint("ECHO b", i))
			}
			b.do("*0\r\n"+bulk("1")+":0\r\n", "HGETALL nothing", "EVAL return'1' 0", "EXISTS z")
			a.nc.Close()
			for i := range 20 {
				b.do(bulk(fmt.Sprint("c", i)), fmt.Sprint("ECHO c", i))
			}
		})
	}
}
