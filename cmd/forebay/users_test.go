package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// member is a connection that has authenticated.
type member struct {
	nc net.Conn
	br *bufio.Reader
}

func join(t *testing.T, in *instance, user string) *member {
	t.Helper()
	nc, err := net.Dial("tcp", in.resp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	m := &member{nc, bufio.NewReader(nc)}
	if got := m.ask(t, "AUTH "+user+" pw"); got != "+OK" {
		t.Fatalf("AUTH %s: %q", user, got)
	}
	return m
}

// ask sends an inline command and returns its reply: of a bulk its value, else the first line.
func (m *member) ask(t *testing.T, command string) string {
	t.Helper()
	if err := m.nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(m.nc, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	first, err := m.br.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	first = strings.TrimSuffix(first, "\r\n")
	size, err := strconv.Atoi(strings.TrimPrefix(first, "$"))
	if first[0] != '$' || err != nil || size < 0 {
		return first
	}
	value := make([]byte, size+2)
	if _, err := io.ReadFull(m.br, value); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return string(value[:size])
}

// closed waits for the server to close it.
func (m *member) closed(t *testing.T) {
	t.Helper()
	if err := m.nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.br.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("not closed: %v", err)
	}
}

// Clients of a removed user are closed, whoever removed it, and whatever they do.
func TestRemovedUsers(t *testing.T) {
	server := testkit.Redis(t)
	in := serve(t, "--redis.address="+server.Addr)
	for _, user := range []string{"one", "two", "stays"} {
		server.Do(t, "ACL", "SETUSER", user, "on", ">pw", "~*", "+@all")
	}
	one, two, stays := join(t, in, "one"), join(t, in, "two"), join(t, in, "stays")
	server.Do(t, "ACL", "DELUSER", "one")
	one.closed(t)
	if got := stays.ask(t, "ACL DELUSER two"); got != ":1" {
		t.Errorf("DELUSER: %q", got)
	}
	two.closed(t)
	if got := stays.ask(t, "ACL DELUSER stays"); got != ":1" { // it is told, and then closed
		t.Errorf("DELUSER of itself: %q", got)
	}
	stays.closed(t)
}

// While Redis is down, a user reads what it could have read by the same command.
func TestRightsOfAUserWhileRedisIsDown(t *testing.T) {
	server := testkit.Redis(t)
	in := serve(t, "--redis.address="+server.Addr, "--http.auth=redis")
	server.Do(t, "ACL", "SETUSER", "trainer", "on", ">pw", "~digits:train:*", "+get", "+mget", "+acl|whoami")
	m := join(t, in, "trainer")
	if got := m.ask(t, "STRLEN digits:train:1"); !strings.HasPrefix(got, "-NOPERM ") {
		t.Errorf("STRLEN: %q", got)
	}
	// HTTP waits until its rights are known.
	if status, body := in.get(t, value+"digits:train:1", func(r *http.Request) { r.SetBasicAuth("trainer", "pw") }); status != http.StatusOK {
		t.Fatalf("by HTTP: %d: %s", status, body)
	}
	server.Kill()
	eventually(t, "the key of its prefix is read from the source", func() bool {
		return !strings.HasPrefix(m.ask(t, "GET digits:train:2"), "-")
	})
	for _, command := range []string{"STRLEN digits:train:2", "GETDEL digits:train:2", "GET digits:test:2"} {
		if got := m.ask(t, command); !strings.HasPrefix(got, "-REDISDOWN ") {
			t.Errorf("%s: %q", command, got)
		}
	}
}
