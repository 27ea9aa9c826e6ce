package difftest_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/backend/redis/wire"
	"forebay/internal/cache"
	"forebay/internal/difftest"
	"forebay/internal/event"
	"forebay/internal/metric"
	"forebay/internal/near"
	"forebay/internal/route"
	"forebay/internal/testkit"
	"forebay/proxy"
)

// rows is a source of one table, t((part), id), with rows 0 to 99: data is a number for every third, "value-<id>" for the rest.
type rows struct{}

func (rows) Table(context.Context, string) (*backend.Table, error) {
	return &backend.Table{
		Keyspace: "k", Name: "t",
		Partition:  []backend.Column{{Name: "part", Type: backend.Int, Native: "bigint"}},
		Clustering: []backend.Column{{Name: "id", Type: backend.Int, Native: "bigint"}},
		Regular: []backend.Column{
			{Name: "data", Type: backend.Blob, Native: "blob"},
			{Name: "n", Type: backend.Int, Native: "int"},
			{Name: "none", Type: backend.Text, Native: "text"},
		},
	}, nil
}

func (rows) Prepare(_ context.Context, q *backend.Select) (cols []backend.Column, err error) {
	for _, name := range q.Columns {
		col, _ := q.Table.Column(name)
		cols = append(cols, col)
	}
	return cols, nil
}

func (rows) Load(_ context.Context, q *backend.Select, _, in []any, each func(int, backend.Row) error) error {
	for i, id := range in {
		row := backend.Row{[]byte(data(id.(int64))), id, nil}[:len(q.Columns)]
		if err := each(i, row); err != nil {
			return err
		}
	}
	return nil
}

func (rows) Ping(context.Context) error { return nil }
func (rows) Close()                     {}

func data(id int64) string {
	if id%3 == 0 {
		return strconv.FormatInt(id, 10)
	}
	return fmt.Sprint("value-", id)
}

// restore returns the script that puts a routed key's row back where Redis has lost it.
func restore(key string) [][]string {
	kind, number, ok := strings.Cut(key, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return nil
	}
	const unless = "if redis.call('EXISTS',KEYS[1])==0 then "
	switch kind {
	case "t":
		return [][]string{{"EVAL", unless + "redis.call('SET',KEYS[1],ARGV[1]) end", "1", key, data(id)}}
	case "h":
		return [][]string{{"EVAL", unless + "redis.call('HSET',KEYS[1],'data',ARGV[1],'n',ARGV[2]) end", "1", key, data(id), number}}
	}
	return nil
}

// front is Forebay over a Redis of its own, beside a Redis that clients reach directly.
type front struct {
	addr          string
	behind, plain *testkit.RedisServer
	server        *proxy.Server
	near          *near.Cache // nil: none
}

func start(t testing.TB, withNear bool) *front {
	t.Helper()
	f := &front{behind: testkit.Redis(t), plain: testkit.Redis(t)}
	store := redis.Open(redis.Options{Network: "tcp", Addr: f.behind.Addr, Timeout: 5 * time.Second}) // many may share few cores
	bind := []route.Bind{{Column: "part", Expr: "{id / 100}"}, {Column: "id", Expr: "{id}"}}
	routes, err := route.Compile([]route.Spec{
		{Name: "t", Key: "t:{id:int}", Table: "t", Value: "data", TTL: time.Hour, Where: bind},
		{Name: "h", Key: "h:{id:int}", Table: "t", Hash: []string{"data", "n", "none"}, TTL: time.Hour, Where: bind},
	})
	must(t, err)
	must(t, routes.Bind(t.Context(), rows{}))
	metrics, err := metric.New(metric.Options{Registerer: prometheus.NewRegistry(), Routes: []string{"t", "h"}})
	must(t, err)
	events := event.New(event.Options{Proxy: "p", Observe: metrics.ObserveView})
	events.Start()
	engine := cache.New(cache.Options{
		Store: store, Source: rows{}, Routes: routes, Record: events.Record,
		Budget: 10 * time.Second, StoreBudget: 5 * time.Second, Loads: 64,
	})
	if withNear {
		f.near = near.New(near.Options{MaxBytes: 64 << 20, Tracker: store.Tracker([]string{"t:"}), Now: wire.Now})
	}
	pool := wire.NewPool(wire.Options{Network: "tcp", Addr: f.behind.Addr, DialTimeout: 5 * time.Second})
	f.server, err = proxy.New(proxy.Options{
		Pool: pool, Engine: engine, Near: f.near, Routes: routes, Store: store, Events: events, Commands: metrics.Commands(),
		Limits: proxy.DefaultLimits(), Budget: 3 * time.Second, StoreBudget: 5 * time.Second,
		MayRead: func(user, _ string) bool { return user == "" },
	})
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	f.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		must(t, <-served)
		if f.near != nil {
			f.near.Close()
		}
		engine.Close()
		pool.Close()
		must(t, events.Close(context.Background()))
		store.Close()
	})
	eventually(t, "redis is up", store.Up)
	return f
}

// own is how many keys of its own Forebay's Redis holds when a stream begins.
const own = 5

// play plays a stream to both and returns the first difference.
func (f *front) play(t testing.TB, s *difftest.Stream) *difftest.Difference {
	t.Helper()
	for _, r := range []*testkit.RedisServer{f.behind, f.plain} {
		r.Do(t, "FLUSHALL")
		r.Do(t, "SCRIPT", "FLUSH")
		r.Do(t, "FUNCTION", "FLUSH")
	}
	// Such as Forebay keeps for itself.
	for i := range own {
		f.behind.Do(t, "SET", fmt.Sprint("__forebay:lease:{", i, "}"), "x")
	}
	if f.near != nil { // Redis tells of the flush in its own time
		eventually(t, "nothing is near", func() bool { return f.near.Stats().Entries == 0 })
	}
	straight := s
	if s.Rows != difftest.NoRows {
		f.fill(t, f.plain, s.Clients())
	}
	if s.Rows == difftest.RowsPresent {
		f.fill(t, f.behind, s.Clients())
	}
	if s.Rows == difftest.RowsAbsent {
		straight = difftest.Refilled(s, restore)
	}
	got, err := difftest.Run(f.addr, s)
	must(t, err)
	want, err := difftest.Run(f.plain.Addr, straight)
	must(t, err)
	if st := difftest.Late(want); st != nil {
		t.Fatalf("seed %d, rows %q: Redis itself does not answer %.300s", s.Seed, s.Rows, st)
	}
	eventually(t, fmt.Sprintf("the clients of seed %d, rows %q have left", s.Seed, s.Rows), func() bool { return f.server.Clients() == 0 })
	return difftest.Compare(got, want, difftest.Rules{Removed: s.Rows == difftest.RowsAbsent, Own: own})
}

// fill puts every client's rows into a Redis.
func (f *front) fill(t testing.TB, r *testkit.RedisServer, clients int) {
	for id := range clients * difftest.RowsPerClient {
		for _, kind := range []string{"t", "h"} {
			for _, words := range restore(fmt.Sprint(kind, ":", id)) {
				args := make([]any, len(words))
				for i, w := range words {
					args[i] = w
				}
				r.Do(t, args...)
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		<-tick.C
	}
}
