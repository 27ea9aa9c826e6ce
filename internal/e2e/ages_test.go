package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// agedRoute is what the rows' route says of ages, and agesLeft what a value has left at each, in ms.
const agedRoute = "ttl: {after: 1h, refresh_ahead: 10m, stale_while_revalidate: 20m, stale_if_error: 40m}"

const (
	leftAging   = 45 * time.Minute
	leftStale   = 30 * time.Minute
	leftOverdue = 10 * time.Minute
)

// grow makes the value of a row as old as if time had passed: its end, and that of its stamp, come nearer.
func grow(t testing.TB, redis *testkit.RedisServer, i int, left time.Duration) {
	t.Helper()
	const both = "for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end return redis.call('EXISTS', KEYS[1], KEYS[2])"
	k := taggedKey(i)
	if n := redis.Do(t, "EVAL", both, 2, k, "__forebay:stamp:{"+k+"}", left.Milliseconds()); n != int64(2) {
		t.Fatalf("of %s and its stamp %v are there", k, n)
	}
}

// stales is how many reads were answered with a stale value.
func (f *forebay) stales(t testing.TB) (n int) {
	t.Helper()
	for line := range strings.Lines(f.get(t, "/metrics").body) {
		if strings.HasPrefix(line, "forebay_reads_total{") && strings.Contains(line, `result="stale"`) {
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &n)
		}
	}
	return n
}

// A value is refreshed ahead by one of two Forebays, served stale while it is loaded anew, and served stale while it cannot be.
func TestAgesOnCassandra(t *testing.T) {
	t.Parallel()
	r := taggedRows(t, "ASC", 4)
	f := newFleet(t, r, 1, func(s *setup) { s.routes = r.routes(agedRoute) })
	behind, network := f.behind(t)
	both := []*forebay{f.all[0], behind}
	c, cut := f.all[0].client(t), behind.client(t)
	holds := func(i, version int) func() bool {
		return func() bool { return f.redis.Do(t, "GET", taggedKey(i)) == tag(i, version) }
	}
	read := func(i int, want string) {
		t.Helper()
		if got, err := c.Get(t.Context(), taggedKey(i)).Result(); err != nil || got != want {
			t.Fatalf("row %d: %.40q, %v; want %.40q", i, got, err, want)
		}
	}
	next := func(i int) int {
		t.Helper()
		version, err := r.write(i)
		must(t, err)
		return version
	}
	for i := range 3 {
		read(i, tag(i, 1))
	}

	version := next(0)
	grow(t, f.redis, 0, leftAging)
	before := r.reads(t)
	list := herd(t, both, 40, func(int) string { return "GET " + taggedKey(0) })
	wantWords(t, "of an aging value", readings(list), inTime, "value")
	eventually(t, "an aging value is refreshed", holds(0, version))
	if n := r.reads(t) - before; n != 1 {
		t.Errorf("Cassandra counts %d reads of it", n)
	}
	if n := both[0].stales(t) + both[1].stales(t); n != 0 {
		t.Errorf("%d reads of it count as stale", n)
	}

	version = next(1)
	grow(t, f.redis, 1, leftStale)
	read(1, tag(1, 1))
	eventually(t, "a stale value is refreshed", holds(1, version))
	read(1, tag(1, version))
	eventually(t, "one read counts as stale", func() bool { return both[0].stales(t) == 1 })

	version = next(2)
	grow(t, f.redis, 2, leftOverdue)
	network.Cut()
	for range 3 {
		one := ask(cut, "GET", taggedKey(2))
		wantWords(t, "of an overdue value, without Cassandra", []reading{one}, inTime, "value")
	}
	if a := behind.get(t, "/api/v1/values/"+taggedKey(2)); a.status != 200 || a.body != tag(2, 1) {
		t.Errorf("by HTTP: %d %.60q", a.status, a.body)
	}
	wantWords(t, "of what is not there, without Cassandra", []reading{ask(cut, "GET", taggedKey(3))}, inTime, "SOURCEDOWN", "SOURCETIMEOUT")
	eventually(t, "four reads count as stale", func() bool { return behind.stales(t) == 4 })
	network.Restore()
	eventually(t, "it is loaded first", func() bool {
		return cut.Get(t.Context(), taggedKey(2)).Val() == tag(2, version)
	})

	must(t, c.Set(t.Context(), taggedKey(3), "theirs", leftOverdue).Err())
	before = r.reads(t)
	read(3, "theirs")
	read(3, "theirs")
	if n := r.reads(t) - before; n != 0 {
		t.Errorf("Cassandra counts %d reads of what a client has set", n)
	}
}
