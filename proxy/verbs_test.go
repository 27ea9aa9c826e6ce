package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/testkit"
)

// counts is the reply of a verb that counts: names and numbers in turn.
func counts(pairs ...any) string {
	b := fmt.Sprintf("*%d\r\n", len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		b += bulk(pairs[i].(string)) + fmt.Sprintf(":%d\r\n", pairs[i+1])
	}
	return b
}

func dropped(removed, kept, unrouted int) string {
	return counts("removed", removed, "kept", kept, "unrouted", unrouted)
}

func fetched(cached, loaded, absent, unrouted int) string {
	return counts("cached", cached, "loaded", loaded, "absent", absent, "unrouted", unrouted)
}

func TestInvalidateDropsTheValueEverywhere(t *testing.T) {
	f := start(t, options{follow: true})
	c := dial(t, f.addr)
	f.warm(t, c, "t:1") // in Redis and near
	c.do("+OK\r\n", "SET plain x")
	f.source.set(1, "new")
	c.do(bulk("value-1"), "GET t:1")
	c.do(dropped(1, 0, 1)+bulk("new")+bulk("x"), "FOREBAY INVALIDATE t:1 t:2 plain", "GET t:1", "GET plain")
	c.do(dropped(1, 0, 0), "FOREBAY invalidate t:1")
	if got := f.redis.Do(t, "EXISTS", "t:1"); got != int64(0) {
		t.Errorf("redis holds it still: %v", got)
	}
}

// A load that is under way is older than the invalidation: nobody who asks afterwards gets its value, and it is not stored.
func TestInvalidateDropsALoadUnderWay(t *testing.T) {
	f := start(t, options{})
	reached, release := make(chan struct{}), make(chan struct{})
	first := true
	f.source.mu.Lock()
	f.source.late = true
	f.source.gate = func([]any) error {
		if first {
			first = false
			close(reached)
			<-release
		}
		return nil
	}
	f.source.mu.Unlock()
	a, b := dial(t, f.addr), dial(t, f.addr)
	a.send(frames("GET t:1"))
	<-reached // it has read value-1
	f.source.set(1, "new")
	b.do(dropped(0, 0, 0), "FOREBAY INVALIDATE t:1")
	b.do(bulk("new"), "GET t:1")
	close(release)
	a.expect(bulk("new"))
	b.do(bulk("new"), "GET t:1")
}

// What is invalidated while Redis does not answer is not read from it again once it does: not by a GET, nor by anything else.
func TestInvalidateSurvivesRedisBeingDown(t *testing.T) {
	redis := testkit.Redis(t)
	relay := testkit.NewFaultProxy(t, "tcp", redis.Addr)
	for _, tt := range []struct {
		name string
		ask  []string
		old  string
	}{
		{"GET", []string{"GET", "t:1"}, bulk("value-1")},
		{"MGET", []string{"MGET", "t:1"}, "*1\r\n" + bulk("value-1")},
		{"STRLEN", []string{"STRLEN", "t:1"}, ":7\r\n"},
		{"a script", []string{"EVAL", "return redis.call('GET',KEYS[1])", "1", "t:1"}, bulk("value-1")},
		{"a look", []string{"EXISTS", "t:1"}, ":1\r\n"},
		{"a key among too many to keep", []string{"GET", "t:1"}, bulk("value-1")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{redis: redis, upstream: relay.Addr})
			redis.Do(t, "SET", "t:1", "value-1")
			redis.Do(t, "SET", "other", "x")
			f.source.set(1, "a new one")
			relay.Cut()
			c := dial(t, f.addr)
			many := 1
			if strings.HasPrefix(tt.name, "a key among") {
				many = 6 // three are kept at most
			}
			keys := ""
			for i := range many {
				keys += fmt.Sprint(" t:", 1+i)
			}
			c.do(dropped(0, many, 0), "FOREBAY INVALIDATE"+keys)
			relay.Restore()
			for answered := false; !answered; {
				up := f.store.Up() // else it may be answered without redis
				c.send(frame(tt.ask...))
				switch got := c.reply(); {
				case got == tt.old:
					t.Fatalf("got the old value: %q", got)
				case !strings.HasPrefix(got, "-REDISDOWN"):
					answered = up
				}
			}
			if f.queue.Pending() {
				t.Error("something is kept still")
			}
			if got := redis.Do(t, "EXISTS", "other"); got != int64(1) {
				t.Error("a key without a route has gone")
			}
		})
	}
}

func TestPrefetch(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "SET", "t:1", "here")
	c := dial(t, f.addr)
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprint("t:", i))
	}
	c.do(fetched(1, 99, 1, 1), "FOREBAY PREFETCH plain t:5000 "+strings.Join(keys, " "))
	c.do(fetched(2, 1, 0, 0), "FOREBAY PREFETCH t:1 t:2 h:3")
	c.do(bulk("here")+bulk("value-99"), "GET t:1", "GET t:99")
	f.source.hold(func([]any) error { return backend.ErrSourceDown })
	c.send(frames("FOREBAY PREFETCH t:500"))
	if got := c.reply(); !strings.HasPrefix(got, "-SOURCEDOWN ") {
		t.Errorf("got %q", got)
	}
}

func TestVerbsAskForTheRightsOfRedisCommands(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "ACL", "SETUSER", "reader", "on", ">p", "~t:1*", "+get")
	f.redis.Do(t, "ACL", "SETUSER", "remover", "on", ">p", "~t:1*", "+unlink")
	const no = "-NOPERM this user has no permissions to run the '%s' command, or to access one of these keys\r\n"
	get, unlink := fmt.Sprintf(no, "get"), fmt.Sprintf(no, "unlink")
	c := dial(t, f.addr)
	c.do("+OK\r\n"+fetched(0, 1, 0, 0)+get+unlink, "AUTH reader p",
		"FOREBAY PREFETCH t:1", "FOREBAY PREFETCH t:1 t:2", "FOREBAY INVALIDATE t:1")
	c.do("+OK\r\n"+get+unlink+dropped(1, 0, 0), "AUTH remover p",
		"FOREBAY PREFETCH t:1", "FOREBAY INVALIDATE t:1 t:2", "FOREBAY INVALIDATE t:1")
}

func TestForebayHelpNamesEveryVerb(t *testing.T) {
	f := start(t, options{})
	c := dial(t, f.addr)
	c.send(frames("FOREBAY", "FOREBAY nonsense", "FOREBAY INVALIDATE", "FOREBAY STATS"))
	help := c.reply()
	for _, verb := range []string{"HELP", "INVALIDATE <key>", "PREFETCH <key>", "SESSION LIST", "SESSION END <name>", "STATS"} {
		if !strings.Contains(help, verb) {
			t.Errorf("help does not tell of %s: %q", verb, help)
		}
	}
	for range 2 {
		if got := c.reply(); !strings.HasPrefix(got, "-ERR unknown subcommand or wrong number of arguments") {
			t.Errorf("got %q", got)
		}
	}
	if got := c.reply(); !strings.Contains(got, "forebay_hits:") {
		t.Errorf("got %q", got)
	}
}
