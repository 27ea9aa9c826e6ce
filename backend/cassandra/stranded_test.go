package cassandra_test

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/backendtest"
	"forebay/backend/cassandra"
	"forebay/internal/testkit"
)

// throughNetwork is a source on the shared server, behind a network that can be broken.
func throughNetwork(t *testing.T, change func(*cassandra.Options)) (*outage, *testkit.FaultProxy) {
	t.Helper()
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	rows := backendtest.Samples()[:1]
	samples(t, testkit.Session(t, server.Addr, keyspace), rows)
	network := testkit.NewFaultProxy(t, "tcp", server.Addr)
	options := cassandra.Options{Hosts: []string{network.Addr}, Keyspace: keyspace, Timeout: 500 * time.Millisecond, Logger: testkit.Log(t)}
	if change != nil {
		change(&options)
	}
	src, err := cassandra.Open(t.Context(), options)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(src.Close)
	r := rows[0]
	return &outage{
		server: server, src: src, key: []any{r.Dataset, r.Split, r.Shard, r.Idx},
		row: &backend.Select{
			Table: &backend.Table{Keyspace: keyspace, Name: "samples"}, Columns: []string{"data"},
			Where: []string{"dataset", "split", "shard", "idx"}, MaxRows: 1,
		},
	}, network
}

// drivers is how many goroutines are in the driver, or were started by it.
func drivers() int {
	buf := make([]byte, 4<<20)
	n := 0
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "cassandra-gocql-driver") {
			n++
		}
	}
	return n
}

// few is how many goroutines more a session may have that has made its connections anew; one that is left over has thirteen.
const few = 3

// The session's connections stay open and nothing comes on them any more: the driver does not give them up for minutes. The watchdog makes another session,
// and nothing is left of the old one.
func TestAStuckSessionIsReplaced(t *testing.T) {
	o, network := throughNetwork(t, nil)
	o.recovers(t, 0)
	connections, goroutines := network.Open(), drivers()
	if connections == 0 || goroutines == 0 {
		t.Fatalf("%d connections and %d goroutines at first", connections, goroutines)
	}
	network.Strand()
	began := time.Now()
	o.fails(t, 1, 2*time.Second, backend.ErrSourceTimeout)
	o.recovers(t, 10*time.Second)
	t.Logf("a stuck session was replaced after %v", time.Since(began).Round(time.Millisecond))
	testkit.Soon(t, "the old connections are closed", func() bool { return network.Open() <= connections })
	testkit.Soon(t, "the old session's goroutines have ended", func() bool { return drivers() <= goroutines+few })
}

// The host hangs, and goes on: the session heals or is replaced, whichever comes first.
func TestANetworkThatHangs(t *testing.T) {
	o, network := throughNetwork(t, nil)
	o.recovers(t, 0)
	connections, goroutines := network.Open(), drivers()
	network.HalfOpen()
	began := time.Now()
	for time.Since(began) < 4*time.Second { // long enough for the watchdog to try for another session
		o.fails(t, 1, 300*time.Millisecond, backend.ErrSourceTimeout, backend.ErrSourceDown)
	}
	network.Restore()
	o.recovers(t, 10*time.Second)
	testkit.Soon(t, "no connections are left over", func() bool { return network.Open() <= connections })
	testkit.Soon(t, "no goroutines are left over", func() bool { return drivers() <= goroutines+few })
}

// A query that fails on one node is asked once more only if the budget allows it, and is asked for that only then.
func TestRetriesAreAskedFor(t *testing.T) {
	t.Parallel()
	for _, may := range []bool{false, true} {
		var asked atomic.Int64
		o, network := throughNetwork(t, func(o *cassandra.Options) {
			o.Retry = func() bool {
				asked.Add(1)
				return may
			}
		})
		o.recovers(t, 0)
		if n := asked.Load(); n != 0 {
			t.Errorf("a query that is answered asks for %d retries", n)
		}
		network.Delay(200 * time.Millisecond)
		cut := time.AfterFunc(100*time.Millisecond, network.Cut)
		_, _, err := o.load(t, 2*time.Second)
		cut.Stop()
		if !errors.Is(err, backend.ErrSourceDown) {
			t.Errorf("a query whose connection breaks gives %v", err)
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("it asks for %d retries, want 1", n)
		}
		network.Restore()
		o.recovers(t, 10*time.Second)
	}
}

// With one replica there is no second one to ask: nothing changes, and no read is doubled.
func TestSpeculationWithOneReplica(t *testing.T) {
	t.Parallel()
	o, network := throughNetwork(t, func(o *cassandra.Options) { o.SpeculateAfter = time.Millisecond })
	o.recovers(t, 0)
	network.Delay(20 * time.Millisecond)
	before := o.server.ReadCount(t, o.row.Table.Keyspace, "samples")
	for range 20 {
		o.recovers(t, 0)
	}
	if n := o.server.ReadCount(t, o.row.Table.Keyspace, "samples") - before; n != 20 {
		t.Errorf("%d reads for 20 loads", n)
	}
}
