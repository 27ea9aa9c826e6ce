package e2e_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// fleet is several Forebays on one Redis, and tagged rows.
type fleet struct {
	rows  *rows
	redis *testkit.RedisServer
	all   []*forebay
	setup setup
}

// taggedRows is a table of its own in the shared keyspace of tests that only add tables.
func taggedRows(t testing.TB, order string, n int) *rows {
	t.Helper()
	_, keyspace := stored.digits(t)
	return newRows(t, testkit.Cassandra(t), keyspace, order, n)
}

// newFleet starts n Forebays on the rows and a Redis of their own.
func newFleet(t testing.TB, r *rows, n int, change func(*setup), redisArgs ...string) *fleet {
	t.Helper()
	f := &fleet{rows: r, redis: testkit.Redis(t, redisArgs...)}
	f.setup = setup{redis: f.redis.Addr, cassandra: r.server.Addr, keyspace: r.keyspace, routes: r.routes()}
	if change != nil {
		change(&f.setup)
	}
	for range n {
		f.all = append(f.all, serve(t, f.setup))
	}
	return f
}

// behind starts one more, of which the way to Cassandra can be broken.
func (f *fleet) behind(t testing.TB, args ...string) (*forebay, *testkit.FaultProxy) {
	t.Helper()
	network := testkit.NewFaultProxy(t, "tcp", f.rows.server.Addr)
	s := f.setup
	s.cassandra = network.Addr
	return serveFile(t, s.write(t), args...), network
}

// leaseOf is the hidden key that says who loads a row.
func leaseOf(i int) string { return "__forebay:lease:{" + taggedKey(i) + "}" }

// awaitLease waits until somebody loads the row.
func (f *fleet) awaitLease(t testing.TB, i int) {
	t.Helper()
	eventually(t, "somebody loads the row", func() bool { return f.redis.Do(t, "EXISTS", leaseOf(i)) == int64(1) })
}

// heard is what one of a herd got.
type heard struct {
	reading
	reply any // string, or nil
}

// herd has n clients, in turn at each of the Forebays and each on a connection of its own, send a command at the same moment, and waits for all replies.
func herd(t testing.TB, at []*forebay, n int, command func(client int) string) []heard {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		nc, err := net.Dial("tcp", at[i%len(at)].resp)
		must(t, err)
		defer nc.Close()
		must(t, nc.SetDeadline(time.Now().Add(patience)))
		conns[i] = nc
	}
	list := make([]heard, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	start := make(chan struct{})
	for i, nc := range conns {
		done.Go(func() {
			replies := bufio.NewReader(nc)
			_, err := io.WriteString(nc, "PING\r\n")
			if err == nil {
				_, err = readReply(replies)
			}
			ready.Done()
			<-start
			h := heard{reading: reading{began: time.Now(), word: "value"}}
			var reply string
			if err == nil {
				_, err = io.WriteString(nc, command(i)+"\r\n")
			}
			if err == nil {
				reply, err = readReply(replies)
			}
			h.took = time.Since(h.began)
			switch {
			case err != nil:
				h.word = err.Error()
			case strings.HasPrefix(reply, "-"):
				h.word, _, _ = strings.Cut(reply[1:], " ")
			case reply == "$-1":
				h.word = "nil"
			default:
				h.reply = reply
			}
			list[i] = h
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return list
}

// readings is the replies without their bytes.
func readings(list []heard) []reading {
	out := make([]reading, len(list))
	for i, h := range list {
		out[i] = h.reading
	}
	return out
}

// monitor is what Redis does, as MONITOR tells it.
type monitor struct {
	redis   *testkit.RedisServer
	nc      net.Conn
	replies *bufio.Reader
}

func newMonitor(t testing.TB, redis *testkit.RedisServer) *monitor {
	t.Helper()
	nc, err := net.Dial("tcp", redis.Addr)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	must(t, nc.SetDeadline(time.Now().Add(2*patience)))
	m := &monitor{redis, nc, bufio.NewReader(nc)}
	_, err = io.WriteString(nc, "MONITOR\r\n")
	must(t, err)
	if reply, err := readReply(m.replies); err != nil || reply != "+OK" {
		t.Fatalf("MONITOR: %q, %v", reply, err)
	}
	return m
}

// commands is what clients have sent until now, since the last call, but for what Forebay asks by the clock, and what scripts do.
func (m *monitor) commands(t testing.TB) (list []string) {
	t.Helper()
	m.redis.Do(t, "ECHO", "until here")
	for {
		line, err := readReply(m.replies)
		must(t, err)
		_, command, _ := strings.Cut(line, "] ")
		name, _, _ := strings.Cut(command, " ")
		switch strings.ToUpper(strings.Trim(name, `"`)) {
		case "ECHO":
			return list
		case "PING", "INFO", "ACL", "CLIENT", "CONFIG", "HELLO", "SELECT", "COMMAND":
			continue
		}
		if !strings.Contains(line, " lua] ") {
			list = append(list, command)
		}
	}
}
