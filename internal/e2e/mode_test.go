package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/internal/testkit"
)

// The modes that README's table documents, each against what it says: what clients see, the line of health, the metric. Servers that end and come
// back, and a Redis that is stopped, are rows of TestFaults, and TestKafkaFails.

// modeRoutes: single rows, each a partition of its own, and a partition that is full of deleted cells.
const modeRoutes = `
  - name: rows
    key: "row:{id:int}"
    table: lone
    where: {id: "{id}"}
    value: data
  - name: graves
    key: "grave:{part:int}"
    cql: "SELECT v0 FROM graves WHERE part = :part LIMIT 1"
    value: v0
`

// modeRows is how many rows there are.
const modeRows = 2000

// rows makes and fills the tables of modeRoutes.
func makeModeRows(t testing.TB, s *gocql.Session) {
	t.Helper()
	must(t, s.Query(`CREATE TABLE lone (id int PRIMARY KEY, data blob)`).Exec())
	var columns, nulls strings.Builder
	for i := range graveColumns {
		fmt.Fprintf(&columns, ", v%d text", i)
		if i > 0 {
			nulls.WriteString(", ")
		}
		fmt.Fprintf(&nulls, "v%d = null", i)
	}
	must(t, s.Query(fmt.Sprintf(`CREATE TABLE graves (part int, at int%s, PRIMARY KEY (part, at))`, columns.String())).Exec())
	each(t, modeRows, func(i int) error {
		return s.Query(`INSERT INTO lone (id, data) VALUES (?, ?)`, i, []byte(modeValue(i))).Exec()
	})
	bury := fmt.Sprintf(`UPDATE graves SET %s WHERE part = 1 AND at = ?`, nulls.String())
	each(t, graveRows, func(i int) error { return s.Query(bury, i).Exec() })
}

// A read fails that meets more than 100,000 deleted cells, by Cassandra's own default.
const graveColumns, graveRows = 250, 420

func modeValue(i int) string { return fmt.Sprintf("row %d", i) }

// each runs f for 0 to n-1, some at a time. What fails is tried again: on a busy machine a write may time out.
func each(t testing.TB, n int, f func(int) error) {
	t.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range next {
				err := f(i)
				for tries := 0; err != nil && tries < 5; tries++ {
					err = f(i)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// wantLine waits until the named line of /healthz is well, or says what is wanted.
func (f *forebay) wantLine(t testing.TB, name, want string) {
	t.Helper()
	var body string
	defer func() {
		if t.Failed() {
			t.Logf("/healthz: %s", body)
		}
	}()
	eventually(t, fmt.Sprintf("/healthz says %q of %s", want, name), func() bool {
		body = f.get(t, "/healthz").body
		var health struct {
			Checks []struct {
				Name, Error string
				OK          bool
			}
		}
		must(t, json.Unmarshal([]byte(body), &health))
		for _, c := range health.Checks {
			if c.Name == name {
				if want != "" && strings.Contains(c.Error, want) {
					t.Logf("%-14s %s", name, c.Error)
				}
				return c.OK == (want == "") && strings.Contains(c.Error, want)
			}
		}
		return false
	})
}

// metric is one sample of /metrics, 0 if there is none.
func (f *forebay) metric(t testing.TB, sample string) (n float64) {
	t.Helper()
	_, rest, found := strings.Cut(f.get(t, "/metrics").body, "\n"+sample+" ")
	if !found {
		t.Fatalf("no metric %s", sample)
	}
	_, err := fmt.Sscan(rest, &n)
	must(t, err)
	return n
}

// wantMore waits until a counter has grown beyond what it was.
func (f *forebay) wantMore(t testing.TB, sample string, was float64) {
	t.Helper()
	eventually(t, sample+" grows", func() bool { return f.metric(t, sample) > was })
}

// askAll runs n commands at once, each on a connection of its own.
func (f *forebay) askAll(t testing.TB, n int, args func(i int) []any) []reading {
	t.Helper()
	clients := make([]*goredis.Client, n)
	var wg sync.WaitGroup
	for i := range clients {
		clients[i] = f.client(t)
		wg.Go(func() { ask(clients[i], "PING") }) // a thousand handshakes are not to be timed
	}
	wg.Wait()
	list := make([]reading, n)
	for i, c := range clients {
		wg.Go(func() { list[i] = ask(c, args(i)...) })
	}
	wg.Wait()
	return list
}

func row(i int) []any { return []any{"GET", fmt.Sprintf("row:%d", i)} }

// modeStack is a Forebay between a Redis and a Cassandra, with a network to each that can be broken.
type modeStack struct {
	*forebay
	redis               *testkit.RedisServer
	toRedis, toSource   *testkit.FaultProxy
	keyspace, cassandra string
}

func newModeStack(t testing.TB, more string, redisArgs ...string) *modeStack {
	t.Helper()
	db := testkit.Cassandra(t)
	s := &modeStack{redis: testkit.Redis(t, redisArgs...), keyspace: testkit.Keyspace(t, db.Addr), cassandra: db.Addr}
	makeModeRows(t, testkit.Session(t, db.Addr, s.keyspace))
	s.toRedis, s.toSource = testkit.NewFaultProxy(t, "tcp", s.redis.Addr), testkit.NewFaultProxy(t, "tcp", db.Addr)
	s.forebay = serve(t, setup{redis: s.toRedis.Addr, cassandra: s.toSource.Addr, keyspace: s.keyspace, routes: modeRoutes, more: more})
	return s
}

// wantLoads wants a row that was not asked for to be loaded.
func (s *modeStack) wantLoads(t testing.TB, fresh int) {
	t.Helper()
	began, c := time.Now(), s.client(t)
	eventually(t, "rows are loaded", func() bool { return ask(c, row(fresh)...).word == "value" })
	t.Logf("%-34s after %s", "loads again", since(began))
}

// wantWell wants that, and every line of health to be well, which remember 10 s.
func (s *modeStack) wantWell(t testing.TB, fresh int) {
	t.Helper()
	began := time.Now()
	s.wantLoads(t, fresh)
	eventually(t, "health is whole", func() bool { return strings.Contains(s.get(t, "/healthz").body, `"status": "ok"`) })
	t.Logf("%-34s after %s", "health is whole", since(began))
}
