package cassandra

import (
	"context"
	"errors"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/testkit"
)

// A session that has no connections and makes none any more, as the driver's may be for good once every host was down, is replaced. (One that is cut off from
// its hosts may heal by itself: TestAStuckSessionIsReplaced does not tell who did it.)
func TestASessionThatNeverHealsIsReplaced(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	if err := testkit.Session(t, server.Addr, keyspace).Query("CREATE TABLE lone (id int PRIMARY KEY, data text)").Exec(); err != nil {
		t.Fatal(err)
	}
	src, err := Open(t.Context(), Options{Hosts: []string{server.Addr}, Keyspace: keyspace, Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	row := &backend.Select{Table: &backend.Table{Keyspace: keyspace, Name: "lone"}, Columns: []string{"data"}, Where: []string{"id"}, MaxRows: 1}
	load := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return src.Load(ctx, row, []any{int64(1)}, nil, func(int, backend.Row) error { return nil })
	}
	if err := load(); err != nil {
		t.Fatal(err)
	}
	stuck := src.session.Load()
	stuck.Session.Close()
	if err := load(); !errors.Is(err, backend.ErrSourceDown) {
		t.Errorf("a load of a session without connections ends with %v", err)
	}
	testkit.Soon(t, "another session loads", func() bool { return load() == nil })
	if src.session.Load() == stuck {
		t.Error("it is the same session")
	}
}
