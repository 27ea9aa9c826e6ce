package e2e_test

import (
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// inTime is the budget of a request, 3 s, and what a busy machine may add.
const inTime = 3500 * time.Millisecond

// Reads that always miss and always hit. GETDEL of an absent key is loaded and not filled.
func missing(reader, i int) []any { return []any{"GETDEL", key("test", 100+reader*100+i%100)} }
func hitting(_, i int) []any      { return []any{"GET", key("test", i%cachedKeys)} }

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

// loads waits until a read that misses is answered by the source again, and says how long that took.
func loads(t testing.TB, f *forebay, what string) {
	t.Helper()
	began, c := time.Now(), f.client(t)
	eventually(t, what, func() bool { return ask(c, missing(0, 0)...).word == "value" })
	t.Logf("%-34s after %s", what, since(began))
}

// One private server goes through all of it, for its start is what takes long.
func TestCassandraFails(t *testing.T) {
	t.Parallel()
	db := testkit.NewCassandra(t)
	load(t, db.Addr, "ml", "digits", "test", "--pickle")
	conf := setup{redis: testkit.Redis(t).Addr, cassandra: db.Addr, keyspace: "ml", routes: digitsRoutes}
	f := serve(t, conf)
	cached(t, f)

	t.Run("killed", func(t *testing.T) {
		hits, misses := f.read(t, 2, hitting), f.read(t, 2, missing)
		misses.more(t, 50)
		db.Kill()
		killed := time.Now()
		misses.more(t, 20)
		hits.more(t, 50)
		wantOutage(t, f, hits, misses, killed)
		if r := ask(f.client(t), "MGET", key("test", 0), key("test", 99)); r.word != "SOURCEDOWN" && r.word != "SOURCETIMEOUT" || r.took > inTime {
			t.Errorf("an MGET of which one key misses answers %s after %v", r.word, r.took)
		}
		if a := f.get(t, "/api/v1/values/"+key("test", 98)); a.status != 503 && a.status != 504 || !strings.Contains(a.body, `"source-down"`) && !strings.Contains(a.body, `"deadline"`) {
			t.Errorf("a value by HTTP: %d %s", a.status, a.body)
		}
		if a := f.get(t, "/readyz"); a.status != 200 {
			t.Errorf("/readyz answers %d though Redis answers: %s", a.status, a.body)
		}
	})

	conf.redis = testkit.Redis(t).Addr
	late := serve(t, conf)
	wantWords(t, "started while it is down: a miss", []reading{ask(late.client(t), missing(0, 0)...)}, inTime, "SOURCEDOWN", "SOURCETIMEOUT")
	wantWords(t, "started while it is down: a write", []reading{ask(late.client(t), "SET", "x", 1)}, inTime, "value")
	began := time.Now()
	db.Start()
	t.Logf("%-34s %s", "Cassandra started again in", since(began))
	loads(t, f, "killed: misses load again")
	loads(t, late, "started while it is down: loads")

	t.Run("paused", func(t *testing.T) {
		hits, misses := f.read(t, 2, hitting), f.read(t, 2, missing)
		misses.more(t, 50)
		db.Pause()
		paused := time.Now()
		misses.more(t, 6)
		hits.more(t, 50)
		wantOutage(t, f, hits, misses, paused)
		db.Resume()
		loads(t, f, "paused: misses load again")
	})
	f.terminate(t)
	late.terminate(t)
}

// wantOutage wants what clients see while the source is away: hits as ever, and errors in time where the source is needed.
func wantOutage(t *testing.T, f *forebay, hits, misses *readers, from time.Time) {
	t.Helper()
	wantWords(t, "hits", hits.stop(), inTime, "value")
	before, after := split(misses.stop(), from)
	// One that was under way when the server went may have been answered or not.
	wantWords(t, "misses begun before", before, inTime, "value", "SOURCEDOWN", "SOURCETIMEOUT")
	wantWords(t, "misses begun after", after, inTime, "SOURCEDOWN", "SOURCETIMEOUT")
}
