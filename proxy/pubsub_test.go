package proxy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func message(kind string, words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%d\r\n", kind, len(words))
	for _, w := range words {
		b.WriteString(bulk(w))
	}
	return b.String()
}

func confirmation(kind, what, channel string, n int) string {
	return fmt.Sprintf("%s3\r\n%s%s:%d\r\n", kind, bulk(what), bulk(channel), n)
}

func TestSubscriptions(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		t.Run("resp"+proto, func(t *testing.T) {
			f := start(t, options{})
			kind, none := "*", "$-1\r\n"
			if proto == "3" {
				kind, none = ">", "_\r\n"
			}
			c, pub := dial(t, f.addr), dial(t, f.addr)
			c.send(frames("HELLO " + proto))
			c.reply()
			c.send(frames("SUBSCRIBE a b", "PSUBSCRIBE p*"))
			c.expect(confirmation(kind, "subscribe", "a", 1) + confirmation(kind, "subscribe", "b", 2) + confirmation(kind, "psubscribe", "p*", 3))
			big := strings.Repeat("m", 400_000)
			pub.do(":1\r\n:1\r\n:1\r\n:0\r\n", "PUBLISH a one", "PUBLISH p1 two", "PUBLISH a "+big, "PUBLISH x none")
			c.expect(message(kind, "message", "a", "one") + message(kind, "pmessage", "p*", "p1", "two") + message(kind, "message", "a", big))
			c.send(frames("UNSUBSCRIBE a", "PUNSUBSCRIBE"))
			c.expect(confirmation(kind, "unsubscribe", "a", 2) + confirmation(kind, "punsubscribe", "p*", 1))
			pub.do(":0\r\n:1\r\n", "PUBLISH a no", "PUBLISH b yes")
			c.expect(message(kind, "message", "b", "yes"))
			c.send(frames("UNSUBSCRIBE"))
			c.expect(confirmation(kind, "unsubscribe", "b", 0))
			c.send(frames("UNSUBSCRIBE"))
			c.expect(fmt.Sprintf("%s3\r\n%s%s:0\r\n", kind, bulk("unsubscribe"), none))
			c.do(bulk("value-1")+"+OK\r\n", "GET t:1", "SET x 1")
			if list := fmt.Sprint(f.redis.Do(t, "CLIENT", "LIST")); strings.Contains(list, "sub=1") {
				t.Errorf("still subscribed: %s", list)
			}
		})
	}
}

// Confirmations and messages come in any order; none is taken for another's.
func TestMessagesBetweenConfirmations(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		t.Run("resp"+proto, func(t *testing.T) {
			f := start(t, options{})
			c, pub := dial(t, f.addr), dial(t, f.addr)
			c.send(frames("HELLO " + proto))
			c.reply()
			go func() {
				for range 300 {
					_, _ = pub.nc.Write([]byte(frames("PUBLISH a x", "PUBLISH b y", "PUBLISH c z")))
				}
			}()
			confirmed, messages := 0, 0
			for range 20 {
				c.send(frames("SUBSCRIBE a b c", "PING", "UNSUBSCRIBE c", "UNSUBSCRIBE"))
				for n := 0; n < 7; {
					got := c.reply()
					switch {
					case strings.Contains(got, "subscribe\r\n"):
						n++
						confirmed++
					case strings.Contains(strings.ToLower(got), "pong"):
						n++
					case strings.Contains(got, "message\r\n"):
						messages++
					default:
						t.Fatalf("got %q", got)
					}
				}
				for c.br.Buffered() > 0 {
					c.reply()
				}
				c.do(bulk("e"), "ECHO e")
			}
			for range 900 {
				pub.reply()
			}
			if confirmed != 120 {
				t.Fatalf("%d confirmations", confirmed)
			}
		})
	}
}

func TestMonitor(t *testing.T) {
	f := start(t, options{})
	m, c := dial(t, f.addr), dial(t, f.addr)
	m.send(frames("PING", "MONITOR"))
	m.expect("+PONG\r\n+OK\r\n")
	c.do("+OK\r\n", "SET seen 1")
	for !strings.Contains(m.reply(), `"SET" "seen" "1"`) {
	}
	m.send(frames("QUIT"))
}

func TestTracking(t *testing.T) {
	f := start(t, options{})
	c, w := dial(t, f.addr), dial(t, f.addr)
	c.send(frames("HELLO 3"))
	c.reply()
	w.do(bulk("value-1"), "GET t:1")
	c.do("+OK\r\n"+bulk("value-1")+bulk("value-1"), "CLIENT TRACKING ON", "GET t:1", "GET t:1")
	w.do("+OK\r\n", "SET t:1 x")
	for {
		got := c.reply()
		if got == ">2\r\n"+bulk("invalidate")+"*1\r\n"+bulk("t:1") {
			break
		}
		if !strings.HasPrefix(got, ">2\r\n") {
			t.Fatalf("got %q", got)
		}
	}
	c.do("+OK\r\n", "CLIENT TRACKING OFF")
}

func TestBlockedClients(t *testing.T) {
	f := start(t, options{})
	a, b, c := dial(t, f.addr), dial(t, f.addr), dial(t, f.addr)
	blocked := func(n int) func() bool {
		return func() bool {
			return strings.Contains(fmt.Sprint(f.redis.Do(t, "INFO", "clients")), fmt.Sprintf("blocked_clients:%d\r\n", n))
		}
	}
	a.send(frames("BLPOP l 0"))
	eventually(t, "blocked", blocked(1))
	a.nc.Close()
	eventually(t, "no longer blocked", blocked(0))
	b.send(frames("BLPOP l 0", "PING", "GET t:1"))
	eventually(t, "blocked", blocked(1))
	c.do(":1\r\n", "RPUSH l v") // it is b's, not a's
	b.expect("*2\r\n" + bulk("l") + bulk("v") + "+PONG\r\n" + bulk("value-1"))
	b.send(frames("XREAD BLOCK 0 STREAMS s $"))
	eventually(t, "blocked", blocked(1))
	c.send(frames("XADD s 1-1 a b"))
	c.expect(bulk("1-1"))
	if got := b.reply(); !strings.Contains(got, "1-1") {
		t.Fatalf("got %q", got)
	}
	b.do(":0\r\n", "WAIT 0 10")
}

func TestScriptKillPassesABusyScript(t *testing.T) {
	f := start(t, options{redisArgs: []string{"--busy-reply-threshold", "50"}})
	a, b := dial(t, f.addr), dial(t, f.addr)
	b.do("*-1\r\n", "BLPOP none 0.01") // it has a connection of its own
	a.send(frame("EVAL", "while true do end", "0"))
	eventually(t, "killed", func() bool {
		b.send(frames("SCRIPT KILL"))
		return b.reply() == "+OK\r\n"
	})
	if got := a.reply(); !strings.HasPrefix(got, "-") {
		t.Fatalf("got %q", got)
	}
	a.do("+PONG\r\n", "PING")
}

func TestClientCommands(t *testing.T) {
	f := start(t, options{})
	a, b := dial(t, f.addr), dial(t, f.addr)
	id := func(c *client) string {
		c.send(frames("CLIENT ID"))
		return strings.Trim(c.reply(), ":\r\n")
	}
	ida, idb := id(a), id(b)
	if ida == idb {
		t.Fatalf("both are %s", ida)
	}
	a.do("+OK\r\n"+bulk("me"), "CLIENT SETNAME me", "CLIENT GETNAME")
	ids := func(words ...string) string {
		a.send(frames(words...))
		return strings.Join(regexp.MustCompile(`(?m)^(\$\d+\r\n)?id=\d+`).FindAllString(strings.ReplaceAll(a.reply(), "\r\n", "\n"), -1), " ")
	}
	tests := []struct {
		command string
		want    []string
	}{
		{"CLIENT LIST", []string{ida, idb}},
		{"CLIENT LIST ID " + idb, []string{idb}},
		{"CLIENT LIST ID " + ida + " " + idb + " 99999", []string{ida, idb}},
		{"CLIENT LIST ID 99999", nil},
		{"CLIENT LIST TYPE normal", []string{ida, idb}},
		{"client list type NORMAL", []string{ida, idb}},
		{"CLIENT LIST TYPE pubsub", nil},
		{"CLIENT LIST TYPE replica", nil},
		{"CLIENT INFO", []string{ida}},
	}
	for _, tt := range tests {
		got := ids(tt.command)
		if n := len(strings.Fields(got)); n != len(tt.want) {
			t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
		}
		for _, want := range tt.want {
			if !strings.Contains(got+" ", "id="+want+" ") {
				t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
			}
		}
	}
	b.send(frames("SUBSCRIBE c"))
	b.reply()
	if got := ids("CLIENT LIST TYPE pubsub"); !strings.HasSuffix(got, "id="+idb) {
		t.Errorf("pubsub: %q", got)
	}
	a.do(":0\r\n:1\r\n", "CLIENT KILL TYPE master", "CLIENT KILL TYPE pubsub")
	b.closed()
	a.do("+PONG\r\n", "PING")
	a.do(":1\r\n", "CLIENT KILL ID "+ida+" SKIPME no")
	a.closed()
}

func TestPassword(t *testing.T) {
	f := start(t, options{redisArgs: []string{"--requirepass", "secret"}, down: true, mayRead: func(string, string) bool { return false }})
	c := dial(t, f.addr)
	const noauth = "-NOAUTH Authentication required.\r\n"
	c.do(noauth+noauth+noauth, "GET a", "GET t:1", "SELECT 2")
	c.do("-WRONGPASS invalid username-password pair or user is disabled.\r\n", "AUTH wrong")
	c.do("+OK\r\n+OK\r\n$-1\r\n", "AUTH secret", "SELECT 2", "GET a")
	c.do("+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"+bulk("default"), "WATCH w", "MULTI", "SET a 1", "EXEC", "ACL WHOAMI")
	c.do("+RESET\r\n"+noauth, "RESET", "GET a")
	h := dial(t, f.addr)
	h.send(frames("HELLO 3"))
	if got := h.reply(); !strings.HasPrefix(got, "-NOAUTH HELLO must be called") {
		t.Fatalf("got %q", got)
	}
	h.do("-WRONGPASS invalid username-password pair or user is disabled.\r\n", "HELLO 3 AUTH default wrong")
	h.send(frames("HELLO 3 AUTH default secret SETNAME me"))
	if got := h.reply(); got[0] != '%' {
		t.Fatalf("got %q", got)
	}
	h.do(bulk("me")+"_\r\n", "CLIENT GETNAME", "GET a")
	other := dial(t, f.addr)
	other.do(noauth, "GET a") // the other's password is not its
}

func TestUsers(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "ACL", "SETUSER", "some", "on", ">pw", "~t:1*", "+get", "+mget", "+select")
	c := dial(t, f.addr)
	c.do("+OK\r\n"+bulk("value-1")+bulk("value-11"), "AUTH some pw", "GET t:1", "GET t:11")
	for _, command := range []string{"GET t:2", "MGET t:1 t:2", "SET t:1 x", "BLPOP t:1 0", "SUBSCRIBE c"} {
		c.send(frames(command))
		if got := c.reply(); !strings.HasPrefix(got, "-NOPERM ") {
			t.Errorf("%s: %q", command, got)
		}
	}
	f.redis.Do(t, "ACL", "DELUSER", "some")
	d := dial(t, f.addr)
	d.do("-WRONGPASS invalid username-password pair or user is disabled.\r\n", "AUTH some pw")
}

func TestTrainingMessages(t *testing.T) {
	f := start(t, options{})
	sub, c := dial(t, f.addr), dial(t, f.addr)
	sub.do("*3\r\n"+bulk("subscribe")+bulk("forebay:log:run-1")+":1\r\n", "SUBSCRIBE forebay:log:run-1")
	c.do("+OK\r\n", "CLIENT SETNAME run-1")
	c.send(frame("PUBLISH", "forebay:log:run-1", "loss 0.1"))
	c.expect(":1\r\n")
	sub.expect("*3\r\n" + bulk("message") + bulk("forebay:log:run-1") + bulk("loss 0.1"))
	c.do("+OK\r\n+QUEUED\r\n*1\r\n:0\r\n", "MULTI", "PUBLISH forebay:log:run-2 two", "EXEC")
	c.do(":0\r\n", "PUBLISH other text")
	must(t, f.events.Flush(t.Context()))
	f.lines.mu.Lock()
	defer f.lines.mu.Unlock()
	var got []string
	for _, m := range f.lines.all {
		if m["kind"] == "log" {
			got = append(got, fmt.Sprint(m["session"], " ", m["text"], " by ", m["by"]))
		}
	}
	if want := []string{"run-1 loss 0.1 by run-1", "run-2 two by run-1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
