package cassandra_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/backendtest"
	"forebay/backend/cassandra"
	"forebay/internal/testkit"
)

// slack is what a loaded machine may take beyond a deadline.
const slack = 400 * time.Millisecond

// outage is one server and one lazily opened source on it.
type outage struct {
	server *testkit.CassandraServer
	src    *cassandra.Source
	row    *backend.Select
	key    []any
}

// load asks for the row within the time and says how long that took.
func (o *outage) load(t *testing.T, within time.Duration) (rows int, took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	start := time.Now()
	err = o.src.Load(ctx, o.row, o.key, nil, func(int, backend.Row) error {
		rows++
		return nil
	})
	took = time.Since(start)
	if took > within+slack {
		t.Errorf("load within %v took %v (%v)", within, took, err)
	}
	return rows, took, err
}

// recovers asks until the row is there. Nobody helps the source to find its server again.
func (o *outage) recovers(t *testing.T, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		rows, _, err := o.load(t, 500*time.Millisecond)
		if err == nil && rows == 1 {
			return
		}
		if err == nil {
			t.Fatalf("load gives no row and no error")
		}
		if time.Now().After(deadline) {
			t.Fatalf("no row %v after the server came back: %v", within, err)
		}
		select { // a poll of the condition above; an error may come at once
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}

func (o *outage) fails(t *testing.T, times int, within time.Duration, causes ...error) {
	t.Helper()
	for i := range times {
		rows, took, err := o.load(t, within)
		known := false
		for _, cause := range causes {
			known = known || errors.Is(err, cause)
		}
		if rows != 0 || !known {
			t.Errorf("load %d gives %d rows and %v after %v, want one of %v", i, rows, err, took, causes)
		}
	}
}

// One server goes through everything that can happen to it, as starting one takes long. Each phase begins and ends with it serving.
func TestOutages(t *testing.T) {
	begun := testkit.BeginCassandra(t)
	t.Parallel() // so that it starts while other tests run
	server := begun()
	keyspace := testkit.Keyspace(t, server.Addr)
	rows := backendtest.Samples()[:3]
	samples(t, testkit.Session(t, server.Addr, keyspace), rows)
	lazy := func(t *testing.T) *outage {
		t.Helper()
		src, err := cassandra.Open(t.Context(), cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace, Lazy: true})
		if err != nil {
			t.Fatalf("open lazily: %v", err)
		}
		t.Cleanup(src.Close)
		table := &backend.Table{Keyspace: keyspace, Name: "samples"}
		return &outage{
			server: server, src: src, key: []any{"suite", "train", int64(0), rows[1].Idx},
			row: &backend.Select{Table: table, Columns: []string{"data"}, Where: []string{"dataset", "split", "shard", "idx"}, MaxRows: 1},
		}
	}

	t.Run("paused, the load ends by its deadline and goes on after", func(t *testing.T) {
		o := lazy(t)
		o.recovers(t, 0)
		server.Pause()
		defer server.Resume()
		o.fails(t, 1, 300*time.Millisecond, backend.ErrSourceTimeout)
		o.fails(t, 1, 3*time.Second, backend.ErrSourceTimeout) // its own timeout is shorter
		o.fails(t, 4, 200*time.Millisecond, backend.ErrSourceTimeout, backend.ErrSourceDown)
		server.Resume()
		o.recovers(t, 20*time.Second)
	})

	t.Run("paused, a first use ends by its deadline", func(t *testing.T) {
		o := lazy(t)
		server.Pause()
		defer server.Resume()
		o.fails(t, 3, 200*time.Millisecond, backend.ErrSourceTimeout)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := o.src.Ping(ctx); !errors.Is(err, backend.ErrSourceTimeout) {
			t.Errorf("ping gives %v, want ErrSourceTimeout", err)
		}
		if _, err := o.src.Table(ctx, "samples"); !errors.Is(err, backend.ErrSourceTimeout) {
			t.Errorf("describe gives %v, want ErrSourceTimeout", err)
		}
		if took := time.Since(start); took > 200*time.Millisecond+slack {
			t.Errorf("ping and describe within 200 ms took %v", took)
		}
	})

	t.Run("paused, open fails within its time and close is prompt", func(t *testing.T) {
		server.Pause()
		defer server.Resume()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		start := time.Now()
		src, err := cassandra.Open(ctx, cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace})
		if err == nil {
			src.Close()
		}
		if took := time.Since(start); !errors.Is(err, backend.ErrSourceTimeout) || took > time.Second {
			t.Errorf("open within 500 ms gives %v after %v", err, took)
		}
	})

	t.Run("paused while it is loaded, the load completes after", func(t *testing.T) {
		paused := false
		l := openLoader(t, cassandra.LoaderOptions{
			Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace, Timeout: 500 * time.Millisecond},
			Progress: func(p cassandra.Progress) {
				if p.Done == 200 && !paused {
					paused = true
					server.Pause()
					time.AfterFunc(2*time.Second, server.Resume)
				}
			},
		})
		m := made{n: 2000, size: 3000, seed: 9, labelled: true}
		load(t, l, "paused", m)
		holds(t, server.Addr, keyspace, "paused", m)
	})

	t.Run("killed, loads fail at once and recover alone", func(t *testing.T) {
		o := lazy(t)
		o.recovers(t, 0)
		server.Kill()
		o.fails(t, 10, time.Second, backend.ErrSourceDown)
		server.Start()
		o.recovers(t, 20*time.Second)
	})

	t.Run("down at the start, served once it is up", func(t *testing.T) {
		server.Kill()
		o := lazy(t)
		o.fails(t, 5, time.Second, backend.ErrSourceDown)
		if err := o.src.Ping(t.Context()); !errors.Is(err, backend.ErrSourceDown) {
			t.Errorf("ping gives %v, want ErrSourceDown", err)
		}
		server.Start()
		o.recovers(t, 20*time.Second)
	})
}
