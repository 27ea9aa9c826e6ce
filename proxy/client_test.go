package proxy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sameReplies sends each command, split at spaces ("”" is an empty word), through Forebay and straight to Redis and wants the same bytes.
func sameReplies(t *testing.T, through, direct *client, commands ...string) {
	t.Helper()
	for _, command := range commands {
		words := strings.Fields(command)
		for i, w := range words {
			words[i] = strings.ReplaceAll(w, "''", "")
		}
		through.send(frame(words...))
		direct.send(frame(words...))
		if got, want := through.reply(), direct.reply(); got != want {
			t.Errorf("%s: got %.300q, want %.300q", command, got, want)
		}
	}
}

// aboutClients are all commands that are answered here, or nearly.
var aboutClients = []string{
	"CLIENT ID", "CLIENT LIST", "CLIENT LIST ID 1", "CLIENT LIST TYPE normal", "CLIENT INFO", "CLIENT GETNAME", "CLIENT SETNAME x", "CLIENT SETNAME ''",
	"CLIENT KILL ID 1", "CLIENT KILL 1.2.3.4:5", "CLIENT KILL TYPE pubsub", "CLIENT UNBLOCK 1", "CLIENT UNBLOCK 1099511627790 ERROR", "CLIENT PAUSE 1", "CLIENT UNPAUSE",
	"CLIENT TRACKING ON", "CLIENT CACHING YES", "CLIENT GETREDIR", "CLIENT TRACKINGINFO", "CLIENT NO-EVICT ON", "CLIENT REPLY OFF", "CLIENT REPLY SKIP",
	"CLIENT HELP", "CLIENT SETINFO LIB-NAME x", "CLIENT NOPE", "CLIENT", "SELECT 0", "SELECT 1", "SELECT x", "MONITOR", "WAIT 0 0",
}

// Who has not authenticated, or may not, is told so in Redis's words.
func TestCommandsAboutClientsNeedTheirRights(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		t.Run("not authenticated, "+proto, func(t *testing.T) {
			f := start(t, options{redisArgs: []string{"--requirepass", "secret"}, down: true, mayRead: func(_, _ string) bool { return false }})
			a, b := dial(t, f.addr), dial(t, f.redis.Addr)
			sameReplies(t, a, b, aboutClients...)
			sameReplies(t, a, b, "HELLO", "HELLO "+proto, "HELLO "+proto+" SETNAME me", "RESET", "GET t:1")
			a.send(frames("FOREBAY STATS"))
			a.expect("-NOAUTH Authentication required.\r\n")
			sameReplies(t, a, b, "AUTH secret", "CLIENT GETNAME", "QUIT")
		})
		t.Run("without rights, "+proto, func(t *testing.T) {
			f := start(t, options{mayRead: func(user, _ string) bool { return user == "" }})
			f.redis.Do(t, "ACL", "SETUSER", "some", "on", ">pw", "~*", "&*", "+get", "+client|getname")
			a, b := dial(t, f.addr), dial(t, f.redis.Addr)
			for _, c := range []*client{a, b} {
				c.send(frames("HELLO " + proto + " AUTH some pw"))
				c.reply()
			}
			sameReplies(t, a, b, aboutClients...)
			sameReplies(t, a, b, "CLIENT GETNAME", "GET none", "RESET", "CLIENT GETNAME")
		})
	}
}

// What is wrong with a command about clients is told in Redis's words, and what is not is answered alike.
func TestCommandsAboutClientsAnswerAlike(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		t.Run(proto, func(t *testing.T) {
			f := start(t, options{})
			a, b := dial(t, f.addr), dial(t, f.redis.Addr)
			for _, c := range []*client{a, b} {
				c.send(frames("HELLO " + proto))
				c.reply()
			}
			sameReplies(
				t, a, b, "CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT SETNAME ''", "CLIENT GETNAME", "CLIENT SETNAME a\nb", "CLIENT SETNAME a\x01",
				"CLIENT ID x", "CLIENT GETNAME x", "CLIENT SETNAME", "CLIENT INFO x", "CLIENT LIST TYPE", "CLIENT LIST TYPE nope", "CLIENT LIST ID", "CLIENT LIST ID x", "CLIENT LIST ID 0",
				"CLIENT LIST NOPE", "CLIENT LIST TYPE replica", "CLIENT LIST TYPE master", "CLIENT LIST TYPE pubsub", "CLIENT LIST ID 1099511699999",
				"CLIENT KILL", "CLIENT KILL nobody", "CLIENT KILL ID 0", "CLIENT KILL ID x", "CLIENT KILL ID 1099511699999", "CLIENT KILL TYPE nope", "CLIENT KILL USER nobody",
				"CLIENT KILL ADDR 1.2.3.4:5", "CLIENT KILL LADDR 1.2.3.4:5", "CLIENT KILL SKIPME maybe", "CLIENT KILL ID 1 TYPE", "CLIENT KILL MAXAGE 1000", "CLIENT KILL NOPE 1", "CLIENT KILL TYPE master",
				"CLIENT UNBLOCK x", "CLIENT UNBLOCK 1099511699999", "CLIENT UNBLOCK 1099511699999 NOPE", "CLIENT UNBLOCK 1099511699999 ERROR", "CLIENT UNBLOCK",
				"CLIENT GETREDIR", "CLIENT TRACKINGINFO", "CLIENT CACHING YES", "CLIENT CACHING", "CLIENT TRACKING", "CLIENT TRACKING MAYBE", "CLIENT TRACKING ON REDIRECT 1099511699999",
				"CLIENT TRACKING ON REDIRECT 77777", "CLIENT TRACKING ON REDIRECT x", "CLIENT TRACKING ON REDIRECT", "CLIENT TRACKING ON PREFIX a",
				"CLIENT TRACKING ON BCAST PREFIX a PREFIX b", "CLIENT TRACKINGINFO", "CLIENT GETREDIR", "CLIENT TRACKING ON BCAST PREFIX ab", "CLIENT TRACKING OFF", "CLIENT TRACKINGINFO", "CLIENT GETREDIR",
				"CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES", "CLIENT TRACKINGINFO", "CLIENT TRACKINGINFO", "CLIENT CACHING NO", "CLIENT TRACKING OFF",
				"CLIENT NO-EVICT ON", "CLIENT NO-EVICT OFF", "CLIENT NO-EVICT", "CLIENT NO-EVICT MAYBE", "CLIENT NO-TOUCH ON", "CLIENT SETINFO LIB-NAME x", "CLIENT SETINFO LIB-NAME", "CLIENT HELP",
				"CLIENT PAUSE x", "CLIENT PAUSE 1 NOPE", "CLIENT PAUSE 1", "CLIENT UNPAUSE", "CLIENT UNPAUSE x", "CLIENT REPLY", "CLIENT REPLY NOPE", "CLIENT REPLY ON", "CLIENT NOPE", "CLIENT nope x",
				"SELECT", "SELECT x", "SELECT -1", "SELECT 99", "SELECT 9999999", "SELECT 99999999999", "SELECT 3", "SELECT 0", "GET none", "RESET", "CLIENT GETNAME", "PING",
			)
		})
	}
}

var fieldsOfClient = regexp.MustCompile(`[a-z-]+=`)

// field returns one of a client's line.
func field(line, name string) string {
	_, rest, _ := strings.Cut(" "+line, " "+name+"=")
	v, _, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(v)
}

// lineOf returns a client's line of CLIENT LIST, as asker sees it.
func lineOf(asker *client, id string) string {
	asker.send(frames("CLIENT LIST ID " + id))
	_, line, _ := strings.Cut(asker.reply(), "\r\n")
	return line
}

func idOf(c *client) string {
	c.send(frames("CLIENT ID"))
	return strings.Trim(c.reply(), ":\r\n")
}

// A client's line has Redis's fields in Redis's order, and says of a client in any state what Redis says of one.
func TestClientList(t *testing.T) {
	states := []struct {
		name  string
		send  []string
		extra int // replies but one a command; −1: the last has none yet
	}{
		{"idle", nil, 0},
		{"in another database", []string{"SELECT 3"}, 0},
		{"named", []string{"CLIENT SETNAME me"}, 0},
		{"of RESP3", []string{"HELLO 3"}, 0},
		{"subscribed", []string{"SUBSCRIBE a b", "PSUBSCRIBE p"}, 1},
		{"subscribed to shards", []string{"SSUBSCRIBE a"}, 0},
		{"no longer subscribed", []string{"SUBSCRIBE a", "UNSUBSCRIBE a"}, 0},
		{"in a transaction", []string{"MULTI", "PING", "PING"}, 0},
		{"blocked", []string{"BLPOP none 0"}, -1},
		{"tracking", []string{"CLIENT TRACKING ON BCAST"}, 0},
		{"not tracking any more", []string{"CLIENT TRACKING ON", "CLIENT TRACKING OFF"}, 0},
		{"not evicted", []string{"CLIENT NO-EVICT ON"}, 0},
		{"a monitor", []string{"MONITOR"}, 0},
		{"asking a container", []string{"CONFIG GET save"}, 0},
		{"asking the same in capitals", []string{"OBJECT HELP"}, 0},
	}
	for _, tt := range states {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{})
			a, b := dial(t, f.addr), dial(t, f.redis.Addr)
			ida, idb := idOf(a), idOf(b)
			for _, c := range []*client{a, b} {
				c.send(frames(tt.send...))
				for range len(tt.send) + tt.extra {
					c.reply()
				}
			}
			askA, askB := dial(t, f.addr), dial(t, f.redis.Addr)
			var got, want string
			same := func() bool {
				got, want = lineOf(askA, ida), lineOf(askB, idb)
				for _, name := range []string{"name", "flags", "db", "sub", "psub", "ssub", "multi", "cmd", "user", "redir", "resp"} {
					if field(got, name) != field(want, name) {
						return false
					}
				}
				return true
			}
			defer func() {
				if t.Failed() {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			}()
			eventually(t, "the lines are alike", same)
			fields := fieldsOfClient.FindAllString(got, -1)
			if wanted := fieldsOfClient.FindAllString(want, -1); !slices.Equal(fields[:len(wanted)], wanted) {
				t.Errorf("fields %v, want %v", fields, wanted)
			}
			if field(got, "addr") != a.nc.LocalAddr().String() || field(got, "laddr") != f.addr || field(got, "fd") == "-1" {
				t.Errorf("it is not the client: %s", got)
			}
		})
	}
}

// Ids are of Forebay's clients or, below 2^40, of Redis's.
func TestClientsOfRedisItselfAreReachable(t *testing.T) {
	f := start(t, options{})
	a, b, direct := dial(t, f.addr), dial(t, f.addr), dial(t, f.redis.Addr)
	ida, idb, idd := idOf(a), idOf(b), idOf(direct)
	a.send(frames(fmt.Sprintf("CLIENT LIST ID %s 99999 %s %s", idb, idd, ida)))
	list := a.reply()
	var ids []string
	for _, m := range regexp.MustCompile(`(?m)^id=(\d+)`).FindAllStringSubmatch(list, -1) {
		ids = append(ids, m[1])
	}
	if want := []string{idb, ida, idd}; !slices.Equal(ids, want) {
		t.Fatalf("got %v, want %v", ids, want)
	}
	direct.send(frames("BLPOP none 0"))
	eventually(t, "unblocked", func() bool {
		a.send(frames("CLIENT UNBLOCK " + idd))
		return a.reply() == ":1\r\n"
	})
	direct.expect("*-1\r\n")
	a.do(":1\r\n", "CLIENT KILL ID "+idd)
	direct.closed()
	other := dial(t, f.redis.Addr)
	other.do("+PONG\r\n", "PING")
	a.do(":1\r\n", "CLIENT KILL ADDR "+other.nc.LocalAddr().String())
	other.closed()
	old := dial(t, f.redis.Addr)
	old.do("+PONG\r\n", "PING")
	a.do("+OK\r\n+OK\r\n", "CLIENT KILL "+old.nc.LocalAddr().String(), "CLIENT KILL "+b.nc.LocalAddr().String())
	old.closed()
	b.closed()
	a.do("+PONG\r\n", "PING")
}

func TestUnblock(t *testing.T) {
	f := start(t, options{})
	a, b := dial(t, f.addr), dial(t, f.addr)
	id := idOf(a)
	b.do(":0\r\n", "CLIENT UNBLOCK "+id)
	tests := []struct{ blocked, how, want string }{
		{"BLPOP none 0", "", "*-1\r\n"},
		{"BLPOP none 0", " TIMEOUT", "*-1\r\n"},
		{"BLPOP none 0", " error", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
		{"XREAD BLOCK 0 STREAMS none $", "", "*-1\r\n"},
		{"WAIT 1 0", "", ":0\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.blocked+tt.how, func(t *testing.T) {
			a.send(frames(tt.blocked))
			eventually(t, "it is unblocked", func() bool {
				b.send(frames("CLIENT UNBLOCK " + id + tt.how))
				return b.reply() == ":1\r\n"
			})
			a.expect(tt.want)
			b.do(":0\r\n", "CLIENT UNBLOCK "+id)
			a.do("+PONG\r\n", "PING")
		})
	}
}

// The connection on which a client was blocked may be another's by the time Redis hears of it: that one is not unblocked.
func TestUnblockMeetsNobodyElse(t *testing.T) {
	f := start(t, options{})
	a, b, c := dial(t, f.addr), dial(t, f.addr), dial(t, f.addr)
	id := idOf(a)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			c.send(frames("CLIENT UNBLOCK " + id + " ERROR"))
			if c.reply() == "" {
				return
			}
		}
	}()
	ended := false
	for n := 0; !ended; n++ {
		select {
		case <-done:
			ended = true
		default:
		}
		a.send(frames("BLPOP none 0.001", "PING"))
		a.reply()
		a.reply()
		b.do("*-1\r\n+PONG\r\n", "BLPOP none 0.001", "PING")
	}
}

func TestTrackingIsRedirected(t *testing.T) {
	for _, tt := range []struct {
		name       string
		proto      string
		subscribes string // "before" or "after" the redirection; "": needs not
		other      string // before that
	}{
		{"to one of RESP3 that shares its connection", "3", "", "PING"},
		{"to one of RESP3 with its own", "3", "", "WATCH x"},
		{"to a subscriber", "2", "before", "PING"},
		{"to one that subscribes later", "2", "after", "PING"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{})
			a, b, w := dial(t, f.addr), dial(t, f.addr), dial(t, f.addr)
			b.send(frames("HELLO "+tt.proto, tt.other))
			b.reply()
			b.reply()
			id := idOf(b)
			const channel = "__redis__:invalidate"
			if tt.subscribes == "before" {
				b.do(confirmation("*", "subscribe", channel, 1), "SUBSCRIBE "+channel)
			}
			a.do("+OK\r\n", "CLIENT TRACKING ON REDIRECT "+id)
			if tt.subscribes == "after" {
				b.do(confirmation("*", "subscribe", channel, 1), "SUBSCRIBE "+channel)
			}
			a.do(":"+id+"\r\n", "CLIENT GETREDIR")
			a.send(frames("CLIENT TRACKINGINFO"))
			if got := a.reply(); !strings.Contains(got, "redirect\r\n:"+id+"\r\n") {
				t.Errorf("got %q", got)
			}
			if got := field(lineOf(w, idOf(a)), "redir"); got != id {
				t.Errorf("redir=%s, want %s", got, id)
			}
			for i := range 3 {
				key := fmt.Sprint("k", i)
				a.send(frames("GET " + key))
				a.reply()
				w.do("+OK\r\n", "SET "+key+" x")
				if tt.proto == "3" {
					b.expect(">2\r\n" + bulk("invalidate") + "*1\r\n" + bulk(key))
				} else {
					b.expect("*3\r\n" + bulk("message") + bulk(channel) + "*1\r\n" + bulk(key))
				}
			}
			if tt.proto == "3" {
				b.do(bulk("e")+bulk("value-1"), "ECHO e", "GET t:1")
			}
		})
	}
}
