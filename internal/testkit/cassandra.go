package testkit

import (
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// CassandraServer is one Cassandra 5.0 node, shared or private. Stop, Start, Kill, Pause and Resume are for private ones and
// fail the test on a shared one.
type CassandraServer struct {
	// Addr is host:port of the CQL protocol.
	Addr string
}

// Cassandra returns the server shared by the run: TEST_CASSANDRA_ADDR, else one started once for this test binary. Use
// [Keyspace] to be alone on it.
func Cassandra(t testing.TB) *CassandraServer { panic("unfinished") }

// NewCassandra starts a private server, which takes about 20 s, and removes it after the test.
func NewCassandra(t testing.TB) *CassandraServer { panic("unfinished") }

// Keyspace makes a keyspace of a fresh name (replication 1) and drops it after the test.
func Keyspace(t testing.TB, addr string) string { panic("unfinished") }

// Session connects to the server at addr with the keyspace ("" for none), consistency ONE, and closes after the test.
func Session(t testing.TB, addr, keyspace string) *gocql.Session { panic("unfinished") }

// ReadCount is how many reads this node has run on the table since it started, as Cassandra itself counts them: one
// for each partition a query reads.
func (s *CassandraServer) ReadCount(t testing.TB, keyspace, table string) int64 { panic("unfinished") }

// Stop ends a private server by SIGTERM and waits for it. Its data stays.
func (s *CassandraServer) Stop() { panic("unfinished") }

// Start starts a stopped or killed server again on the same port with its data and waits until it answers.
func (s *CassandraServer) Start() { panic("unfinished") }

// Kill ends a private server by SIGKILL.
func (s *CassandraServer) Kill() { panic("unfinished") }

// Pause stops a private server by SIGSTOP.
func (s *CassandraServer) Pause() { panic("unfinished") }

// Resume ends a Pause.
func (s *CassandraServer) Resume() { panic("unfinished") }
