package cassandra

import (
	"context"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
	"forebay/internal/testkit"
)

// twice is a policy for which each host is two replicas.
type twice struct{ gocql.HostSelectionPolicy }

func (p twice) Pick(q gocql.ExecutableStatement) gocql.NextHost {
	next := p.HostSelectionPolicy.Pick(q)
	var last gocql.SelectedHost
	return func() gocql.SelectedHost {
		if host := last; host != nil {
			last = nil
			return host
		}
		last = next()
		return last
	}
}

// A query that is not answered in time is asked of a second replica, and one that is is not; without SpeculateAfter none is.
func TestSpeculationWithTwoReplicas(t *testing.T) {
	t.Parallel()
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	own := testkit.Session(t, server.Addr, keyspace)
	for _, text := range []string{"CREATE TABLE lone (id int PRIMARY KEY, data text)", "INSERT INTO lone (id, data) VALUES (1, 'x')"} {
		if err := own.Query(text).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	network := testkit.NewFaultProxy(t, "tcp", server.Addr)
	row := &backend.Select{Table: &backend.Table{Keyspace: keyspace, Name: "lone"}, Columns: []string{"data"}, Where: []string{"id"}, MaxRows: 1}
	const loads = 10
	for _, test := range []struct {
		name  string
		after time.Duration
		late  time.Duration
		reads int64
	}{
		{"late", 5 * time.Millisecond, 100 * time.Millisecond, 2 * loads},
		{"in time", 10 * time.Second, 0, loads},
		{"not configured", 0, 100 * time.Millisecond, loads},
	} {
		o := Options{Hosts: []string{network.Addr}, Keyspace: keyspace, SpeculateAfter: test.after}
		src, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		dials := &dialer{open: map[*trackedConn]struct{}{}}
		cluster := o.cluster(gocql.LocalOne, keyspace, dials, &dataCentres{})
		second, _ := cluster.PoolConfig.HostSelectionPolicy.(*secondChoice)
		if second != nil {
			second.HostSelectionPolicy = twice{second.HostSelectionPolicy}
		}
		driver, err := cluster.CreateSession()
		if err != nil {
			t.Fatal(err)
		}
		src.replace(&session{Session: driver, dials: dials, second: second})
		load := func() {
			rows := 0
			err := src.Load(context.Background(), row, []any{int64(1)}, nil, func(int, backend.Row) error {
				rows++
				return nil
			})
			if err != nil || rows != 1 {
				t.Errorf("%s: %d rows, %v", test.name, rows, err)
			}
		}
		load() // is prepared
		before := server.ReadCount(t, keyspace, "lone")
		network.Delay(test.late)
		for range loads {
			load()
		}
		network.Restore()
		testkit.Soon(t, "all are read", func() bool { return server.ReadCount(t, keyspace, "lone")-before >= test.reads })
		if n := server.ReadCount(t, keyspace, "lone") - before; n != test.reads {
			t.Errorf("%s: %d reads for %d loads", test.name, n, loads)
		}
		src.Close()
	}
}
