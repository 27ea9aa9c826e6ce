package testkit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/internal/testkit/server"
)

// CassandraEnv names the environment variable that gives a running Cassandra, as host:port.
const CassandraEnv = "TEST_CASSANDRA_ADDR"

// CassandraServer is one Cassandra 5.0 node, shared or private. Stop, Start, Kill, Pause and Resume are for private ones and
// fail the test on a shared one.
type CassandraServer struct {
	control
	// Addr is host:port of the CQL protocol.
	Addr string
}

// sharedCassandra is this binary's, if none was given.
var sharedCassandra once[*server.Cassandra]

// Cassandra returns the server shared by the run: TEST_CASSANDRA_ADDR, else one started once for this test binary. Use
// [Keyspace] to be alone on it.
func Cassandra(t testing.TB) *CassandraServer {
	t.Helper()
	need(t, "Cassandra")
	s, err := sharedCassandra.get(func() (*server.Cassandra, error) {
		ctx := startContext(t)
		if addr := os.Getenv(CassandraEnv); addr != "" {
			return &server.Cassandra{Addr: addr}, wrap(CassandraEnv, server.CassandraReady(ctx, addr))
		}
		return server.StartCassandra(ctx)
	})
	must(t, err)
	return &CassandraServer{control: control{t: t}, Addr: s.Addr}
}

// wrap says which variable named a server that does not answer.
func wrap(variable string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reach the server that %s names: %w", variable, err)
}

// NewCassandra starts a private server, which takes 5 to 20 s, and removes it after the test.
func NewCassandra(t testing.TB) *CassandraServer {
	t.Helper()
	return BeginCassandra(t)()
}

// BeginCassandra is [NewCassandra] in the background, for a test that has other things to do, or to wait for: what it returns waits until the server answers.
// It is to be called from t's goroutine or that of a subtest.
func BeginCassandra(t testing.TB) (ready func() *CassandraServer) {
	t.Helper()
	need(t, "Cassandra")
	started := inBackground(t, server.StartCassandra, (*server.Cassandra).Remove)
	return func() *CassandraServer {
		t.Helper()
		s, err := started()
		must(t, err)
		return &CassandraServer{control: control{t, s}, Addr: s.Addr}
	}
}

// Keyspace makes a keyspace of a fresh name (replication 1) and drops it after the test, unless the server is down by then.
func Keyspace(t testing.TB, addr string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:16])
	s, err := connect(addr, "")
	must(t, err)
	defer s.Close()
	must(t, s.Query("CREATE KEYSPACE "+name+
		" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}").Exec())
	t.Cleanup(func() {
		s, err := connect(addr, "")
		if err != nil {
			t.Logf("keyspace %s is left: %v", name, err)
			return
		}
		defer s.Close()
		if err := s.Query("DROP KEYSPACE IF EXISTS " + name).Exec(); err != nil {
			t.Logf("keyspace %s is left: %v", name, err)
		}
	})
	return name
}

// Session connects to the server at addr with the keyspace ("" for none), consistency ONE, and closes after the test.
func Session(t testing.TB, addr, keyspace string) *gocql.Session {
	t.Helper()
	s, err := connect(addr, keyspace)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func connect(addr, keyspace string) (*gocql.Session, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("split address: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("parse port: %w", err)
	}
	c := gocql.NewCluster(host)
	c.Port, c.Keyspace = n, keyspace
	c.ProtoVersion = 4
	c.Consistency = gocql.One
	c.Timeout, c.ConnectTimeout = 20*time.Second, 10*time.Second // schema changes on a busy machine
	c.DisableInitialHostLookup = true
	c.Logger = nil
	s, err := c.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("connect to cassandra at %s: %w", addr, err)
	}
	return s, nil
}

// ReadCount is how many single-partition reads this node has run on the table since it started, as Cassandra itself
// counts them, exactly: one for each partition of a query and for each page after its first, whether rows are found or
// not. Full scans are not counted.
func (s *CassandraServer) ReadCount(t testing.TB, keyspace, table string) int64 {
	t.Helper()
	session, err := connect(s.Addr, "")
	must(t, err)
	defer session.Close()
	var n int64
	err = session.Query("SELECT count FROM system_views.local_read_latency WHERE keyspace_name = ? AND table_name = ?",
		keyspace, table).Scan(&n)
	if errors.Is(err, gocql.ErrNotFound) {
		t.Fatalf("read counter of %s.%s: no such table", keyspace, table)
	}
	must(t, err)
	return n
}
