package proxy_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func (f *front) blocked(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " are blocked"), func() bool {
		return strings.Contains(fmt.Sprint(f.redis.Do(t, "INFO", "clients")), fmt.Sprintf("blocked_clients:%d\r\n", n))
	})
}

// However a client leaves, and whatever its goroutine waits for, what it was blocked on ends, and what is pushed is another's.
func TestBlockedClientsThatLeave(t *testing.T) {
	leave := map[string]func(nc *net.TCPConn) error{
		"closed":      (*net.TCPConn).Close,
		"half closed": (*net.TCPConn).CloseWrite,
		"reset": func(nc *net.TCPConn) error {
			if err := nc.SetLinger(0); err != nil {
				return err
			}
			return nc.Close()
		},
	}
	for how, bye := range leave {
		for _, behind := range []string{"", "SUBSCRIBE c", "SELECT 1", "WATCH x", "CLIENT ID", "GET t:1"} {
			t.Run(how+", behind it "+behind, func(t *testing.T) {
				f := start(t, options{})
				a, b := dial(t, f.addr), dial(t, f.addr)
				if behind == "" {
					a.send(frames("BLPOP l 0"))
				} else {
					a.send(frames("BLPOP l 0", behind))
				}
				f.blocked(t, 1)
				must(t, bye(a.nc.(*net.TCPConn)))
				f.blocked(t, 0)
				b.do(":1\r\n*2\r\n"+bulk("l")+bulk("v"), "RPUSH l v", "BLPOP l 0")
			})
		}
	}
}

// WAIT counts the replicas that have the client's own writes, whatever connection they went on.
func TestWaitIsForOwnWrites(t *testing.T) {
	f := start(t, options{})
	host, port, err := net.SplitHostPort(f.redis.Addr)
	must(t, err)
	replica := testkit.Redis(t, "--replicaof", host+" "+port)
	c := dial(t, f.addr)
	eventually(t, "the replica follows", func() bool {
		c.send(frames("SET a 1", "WAIT 1 100"))
		c.reply()
		return c.reply() == ":1\r\n"
	})
	replica.Pause()
	c.do("+OK\r\n:0\r\n", "SET a 2", "WAIT 1 50")
	c.do("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n:0\r\n", "MULTI", "SET a 3", "EXEC", "WAIT 1 50")
	c.do("+OK\r\n:2\r\n:0\r\n", "WATCH a", "APPEND a 4", "WAIT 1 50")
	replica.Resume()
	c.do("+OK\r\n:1\r\n", "SET a 5", "WAIT 1 5000")
}
