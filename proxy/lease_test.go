package proxy_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"forebay/backend"
)

// calls is how often Redis ran a command since its statistics were reset.
func (f *front) calls(t testing.TB, command string) string {
	t.Helper()
	text, _ := f.redis.Do(t, "INFO", "commandstats").(string)
	m := regexp.MustCompile(`cmdstat_` + command + `:calls=(\d+)`).FindStringSubmatch(text)
	if m == nil {
		return "0"
	}
	return m[1]
}

// leases takes the leases of keys, as another process would.
func (f *front) leases(t testing.TB, keys ...string) (entries []backend.Entry) {
	t.Helper()
	var asks []backend.Ask
	for _, k := range keys {
		asks = append(asks, backend.Ask{Key: []byte(k), As: backend.AsAny})
	}
	grants, err := f.store.Acquire(t.Context(), 0, time.Minute, asks)
	must(t, err)
	for i, g := range grants {
		if g.State != backend.Taken {
			t.Fatalf("%s: state %d", keys[i], g.State)
		}
		entries = append(entries, backend.Entry{Key: asks[i].Key, Lease: g.Lease, Value: []byte("loaded before"), TTL: time.Hour})
	}
	return entries
}

// What another process has loaded before a write is not stored after it, whatever the write.
func TestWritesTakeLeasesAway(t *testing.T) {
	f := start(t, options{})
	for name, send := range map[string][]string{
		"SET":                   {"SET t:1 mine", "DEL t:1"},
		"DEL":                   {"DEL t:1"},
		"UNLINK of two":         {"UNLINK other t:1"},
		"a pipeline":            {"SET other x", "SET other y", "DEL t:1", "DEL other"},
		"MULTI":                 {"MULTI", "SET t:1 mine", "DEL t:1", "EXEC"},
		"MULTI after WATCH":     {"WATCH other", "MULTI", "DEL t:1", "EXEC"},
		"a script without keys": {"EVAL return(redis.call('DEL','t:1')) 0"},
		"FLUSHALL":              {"FLUSHALL"},
		"RENAME onto it":        {"SET other x", "RENAME other t:1", "DEL t:1"},
		"EXPIRE":                {"EXPIRE t:1 100"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			f.redis.Do(t, "FLUSHALL")
			entries := f.leases(t, "t:1")
			c := dial(t, f.addr)
			c.send(frames(send...))
			for range send {
				if got := c.reply(); strings.HasPrefix(got, "-") {
					t.Fatalf("%s", got)
				}
			}
			fits, errs, err := f.store.Settle(context.Background(), 0, entries)
			if err != nil || fits[0] || errs[0] != nil {
				t.Errorf("what was loaded before is stored: %v, %v, %v", fits, errs, err)
			}
			if got := f.redis.Do(t, "GET", "t:1"); got == "loaded before" {
				t.Error("Redis holds it")
			}
		})
	}
}

// A pipeline of writes of routed keys pays one round trip for their leases; keys without a route none.
func TestAPipelineOfWritesDropsItsLeasesOnce(t *testing.T) {
	f := start(t, options{})
	var commands, keys []string
	var want strings.Builder
	for i := range 50 {
		keys = append(keys, fmt.Sprint("t:", i))
		commands = append(commands, fmt.Sprintf("SET t:%d x", i), fmt.Sprintf("SET other:%d x", i))
		want.WriteString("+OK\r\n+OK\r\n")
	}
	entries := f.leases(t, keys...)
	f.redis.Do(t, "CONFIG", "RESETSTAT")
	dial(t, f.addr).do(want.String(), commands...)
	if n := f.calls(t, "del"); n != "1" {
		t.Errorf("%s round trips", n)
	}
	fits, _, err := f.store.Settle(t.Context(), 0, entries)
	if got := fmt.Sprint(fits); err != nil || strings.Contains(got, "true") {
		t.Errorf("settled: %s, %v", got, err)
	}
	f.redis.Do(t, "CONFIG", "RESETSTAT")
	dial(t, f.addr).do("+OK\r\n:1\r\n", "SET other x", "DEL other")
	if n := f.calls(t, "del"); n != "1" { // the client's own
		t.Errorf("%s for keys without a route", n)
	}
	f.redis.Do(t, "CONFIG", "RESETSTAT")
	dial(t, f.addr).do("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n", "MULTI", "SET t:1 x", "SET t:2 x", "EXEC")
	if n := f.calls(t, "del"); n != "1" {
		t.Errorf("%s for a transaction", n)
	}
}

// A cold MGET of one partition is one query and three round trips: MGET, ACQUIRE, FILL.
func TestAColdMGETIsThreeRoundTrips(t *testing.T) {
	f := start(t, options{})
	f.leases(t, "h:1") // Redis knows the scripts
	f.store.Settle(t.Context(), 0, []backend.Entry{{Key: []byte("h:1"), Do: backend.StoreValue, Value: []byte("v"), TTL: time.Hour}})
	words, want := []string{"MGET"}, "*64\r\n"
	for i := range 64 {
		words = append(words, fmt.Sprint("t:", i))
		want += bulk(fmt.Sprint("value-", i))
	}
	f.store.Settle(t.Context(), 0, []backend.Entry{{Key: []byte("h:1"), Do: backend.GiveUp}})
	f.redis.Do(t, "CONFIG", "RESETSTAT")
	c := dial(t, f.addr)
	c.send(frame(words...))
	c.expect(want)
	// Each script asks for all leases by one MGET, the first for all keys by one EXISTS, the second for the index of fills.
	got := strings.Join([]string{f.calls(t, "mget"), f.calls(t, "evalsha"), f.calls(t, "eval"), f.calls(t, "exists"), f.calls(t, "get")}, " ")
	if got != "3 2 0 2 2" { // and for the generation by a GET each
		t.Errorf("MGET, EVALSHA, EVAL, EXISTS, GET: %s", got)
	}
	if n := f.source.queries.Load(); n != 1 {
		t.Errorf("%d queries", n)
	}
	f.source.hold(nil)
	if n := f.redis.Do(t, "EXISTS", "t:0", "t:63"); n != int64(2) {
		t.Errorf("%v are stored", n)
	}
}
