package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// inTime is the budget of a request, 3 s, and what a busy machine may add.
const inTime = 3500 * time.Millisecond

// inTimeOfMany is for a thousand clients in this process: the last of them waits for its turn here, too.
const inTimeOfMany = 5 * time.Second

// Reads of the digits that always hit.
func hitting(_, i int) []any { return []any{"GET", key("test", i%cachedKeys)} }

// cachedKeys is how many keys cached fills.
const cachedKeys = 8

// cached fills what hitting reads.
func cached(t testing.TB, f *forebay) {
	t.Helper()
	c := f.client(t)
	for i := range cachedKeys {
		if r := ask(c, "GET", key("test", i)); r.word != "value" {
			t.Fatalf("GET answers %s", r.word)
		}
	}
}

// outage is a Cassandra of its own, which goes through all that needs one, as its start is what takes long.
type outage struct {
	server func() *testkit.CassandraServer // waits for its start
	fleet  *fleet
}

func (o *outage) faults() []fault {
	return []fault{
		{"Cassandra killed and started again", o.killed},
		{"Cassandra paused", o.paused},
	}
}

func (o *outage) start(t *testing.T) {
	server := o.server()
	o.fleet = newFleet(t, newRows(t, server, testkit.Keyspace(t, server.Addr), "ASC", 4*perPartition), 1, nil)
	o.fleet.warm(t)
}

// down is the words of a miss without the source.
func down() []string { return []string{"SOURCEDOWN", "SOURCETIMEOUT"} }

// loads waits until what misses is loaded again.
func (o *outage) loads(t *testing.T, out *outcome, f *forebay, from time.Time) {
	t.Helper()
	c := f.client(t)
	out.recovers(t, from, "misses are loaded", func() bool { return o.fleet.misses(0, 0).put(c).word == "value" })
}

// want wants what clients see while the source is away: hits as ever, and errors in time where the source is needed.
func (o *outage) want(t *testing.T, out *outcome, hits, misses *readers, from time.Time) {
	t.Helper()
	out.add(t, "hits", hits.stop(), "value")
	before, after := split(misses.stop(), from)
	// One that was under way when the server went may have been answered or not.
	out.add(t, "misses begun before", before, append(down(), "value")...)
	out.add(t, "misses begun after", after, down()...)
}

func (o *outage) killed(t *testing.T, out *outcome) {
	f := o.fleet.all[0]
	hits, misses := f.ask(t, 2, o.fleet.hits), f.ask(t, 2, o.fleet.misses)
	misses.more(t, 50)
	o.server().Kill()
	killed := time.Now()
	misses.more(t, 20)
	hits.more(t, 50)
	f.wantLine(t, "cassandra", "source down")
	f.wantLine(t, "loads", "breaker open")
	f.awaitMetrics(t, "forebay_breaker_open 1", `forebay_backend_up{backend="cassandra"} 0`)
	o.want(t, out, hits, misses, killed)
	q := o.fleet.rows.get(0, 99)
	out.add(t, "an MGET of which one key misses", []reading{q.put(f.client(t))}, down()...)
	if a := f.get(t, "/api/v1/values/"+taggedKey(98)); a.status != 503 && a.status != 504 || !strings.Contains(a.body, `"source-down"`) && !strings.Contains(a.body, `"deadline"`) {
		t.Errorf("a value by HTTP: %d %s", a.status, a.body)
	}
	if a := f.get(t, "/readyz"); a.status != 200 {
		t.Errorf("/readyz answers %d though Redis answers: %s", a.status, a.body)
	}
	conf := o.fleet.setup
	conf.redis = testkit.Redis(t).Addr
	late := serve(t, conf)
	out.add(t, "started while it is down: a miss", []reading{o.fleet.misses(0, 0).put(late.client(t))}, down()...)
	out.add(t, "started while it is down: a write", []reading{ask(late.client(t), "SET", "x", 1)}, "value")
	began := time.Now()
	o.server().Start()
	t.Logf("%-34s %s", "Cassandra started again in", since(began))
	back := time.Now()
	o.loads(t, out, late, back)
	o.loads(t, out, f, back)
	f.wantLine(t, "cassandra", "")
	f.awaitMetrics(t, "forebay_breaker_open 0", `forebay_backend_up{backend="cassandra"} 1`)
	late.terminate(t)
}

func (o *outage) paused(t *testing.T, out *outcome) {
	f := o.fleet.all[0]
	hits, misses := f.ask(t, 2, o.fleet.hits), f.ask(t, 6, o.fleet.misses)
	misses.more(t, 50)
	o.server().Pause()
	defer o.server().Resume()
	paused := time.Now()
	misses.more(t, 9) // all that were under way, and some that were begun after
	hits.more(t, 50)
	o.want(t, out, hits, misses, paused)
	resumed := time.Now()
	o.server().Resume()
	o.loads(t, out, f, resumed)
}

// sourceFaults are those of a Cassandra that answers late.
func sourceFaults() []fault {
	return []fault{{"Cassandra slow (1.4 s, then 8 s a query), 1,000 clients waiting", sourceSlow}}
}

func sourceSlow(t *testing.T, o *outcome) {
	const clients = 1000
	f := newFleet(t, taggedRows(t, "ASC", 3*clients), 0, nil)
	at, network := f.behind(t)
	f.all = append(f.all, at)
	f.warm(t)
	c := at.client(t)
	for n, delay := range []time.Duration{700 * time.Millisecond, 4 * time.Second} { // in each direction
		network.Delay(delay)
		hits := at.ask(t, 2, f.hits)
		row := func(i int) int { return clients*(n+1) - clients/2 + i }
		list := herd(t, f.all, clients, func(i int) string { return "GET " + taggedKey(row(i)) })
		allowed := append(down(), "value")
		if n == 1 {
			allowed = down()
		}
		what := fmt.Sprintf("1,000 misses, %v late", 2*delay)
		wantWords(t, what, readings(list), inTimeOfMany, allowed...)
		o.count(readings(list))
		for i, h := range list {
			if h.word == "value" {
				must(t, f.rows.right(row(i), 1, h.reply))
			}
		}
		o.add(t, "hits", hits.stop(), "value")
		network.Restore()
		began := time.Now()
		o.recovers(t, began, "misses are loaded", func() bool { return f.misses(0, n).put(c).word == "value" })
	}
	f.rows.wantCacheRight(t, f.redis, 3*clients)
}
