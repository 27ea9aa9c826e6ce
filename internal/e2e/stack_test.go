package e2e_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"forebay/internal/testkit"
)

// shelf is the digits in the shared Cassandra, for tests that only read them; keyspaces made by it are dropped by TestMain.
type shelf struct {
	once     sync.Once
	keyspace string
	addr     string
}

// stored is what every test that only reads uses.
var stored shelf

// digits returns a keyspace that holds both splits as "digits" (pickled) and the test split as "plain" (arrays and labels).
func (s *shelf) digits(t testing.TB) (addr, keyspace string) {
	t.Helper()
	db := testkit.Cassandra(t)
	s.once.Do(func() {
		name := "e2e_" + strings.ToLower(rand.Text()[:12])
		s.addr = db.Addr
		load(t, db.Addr, name, "digits", "train", "--pickle")
		load(t, db.Addr, name, "digits", "test", "--pickle")
		load(t, db.Addr, name, "plain", "test")
		storeObject(t, db.Addr, name, "first", 1000) // so that there are the tables
		s.keyspace = name
	})
	if s.keyspace == "" {
		t.Fatal("the digits could not be stored")
	}
	return s.addr, s.keyspace
}

// drop removes what was made.
func (s *shelf) drop() error {
	if s.keyspace == "" {
		return nil
	}
	return drop(s.addr, s.keyspace)
}

// stack is a Forebay on the shared Cassandra with the digits, a Redis and a topic of its own.
type stack struct {
	*forebay
	redis *testkit.RedisServer
	setup setup
}

// newStack starts one; change may alter the configuration first.
func newStack(t testing.TB, change func(*setup), redisArgs ...string) *stack {
	t.Helper()
	addr, keyspace := stored.digits(t)
	s := &stack{redis: testkit.Redis(t, redisArgs...)}
	s.setup = setup{
		redis: s.redis.Addr, cassandra: addr, keyspace: keyspace,
		broker: testkit.Kafka(t).Broker, topic: testkit.Topic(t), partitions: 2, routes: digitsRoutes,
	}
	if change != nil {
		change(&s.setup)
	}
	s.forebay = serve(t, s.setup)
	return s
}

// end terminates Forebay and returns all its events.
func (s *stack) end(t testing.TB) *stream {
	t.Helper()
	s.terminate(t)
	return readTopic(t, s.setup.broker, s.setup.topic, ended(s.setup.partitions))
}

func key(split string, i int) string { return fmt.Sprintf("digits:%s:%d", split, i) }
