package linear_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/backend/redis/wire"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/invalidation"
	"forebay/internal/metric"
	"forebay/internal/near"
	"forebay/internal/route"
	"forebay/internal/testkit"
	"forebay/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rows is a source of one table, t((part), id). A query takes a moment, before or after it has read.
type rows struct {
	most time.Duration // of a moment; 0 is half a millisecond

	mu   sync.Mutex
	data map[int64]string
}

func newRows() *rows { return &rows{data: map[int64]string{}} }

// set changes the row of the key "t:<id>"; "" removes it.
func (r *rows) set(key, row string) {
	id, err := strconv.ParseInt(key[len("t:"):], 10, 64)
	if err != nil {
		panic(err) // the workload's keys are this package's
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data[id] = row
}

func (r *rows) Table(context.Context, string) (*backend.Table, error) {
	return &backend.Table{
		Keyspace: "k", Name: "t",
		Partition:  []backend.Column{{Name: "part", Type: backend.Int, Native: "bigint"}},
		Clustering: []backend.Column{{Name: "id", Type: backend.Int, Native: "bigint"}},
		Regular:    []backend.Column{{Name: "data", Type: backend.Blob, Native: "blob"}},
	}, nil
}

func (r *rows) Prepare(_ context.Context, q *backend.Select) (cols []backend.Column, err error) {
	for _, name := range q.Columns {
		col, _ := q.Table.Column(name)
		cols = append(cols, col)
	}
	return cols, nil
}

func (r *rows) Load(ctx context.Context, q *backend.Select, _, in []any, each func(int, backend.Row) error) error {
	r.dawdle(ctx)
	var found []string
	r.mu.Lock()
	for _, id := range in {
		found = append(found, r.data[id.(int64)])
	}
	r.mu.Unlock()
	r.dawdle(ctx)
	for i, data := range found {
		if data == "" {
			continue
		}
		if err := each(i, backend.Row{[]byte(data), in[i]}[:len(q.Columns)]); err != nil {
			return err
		}
	}
	return nil
}

// dawdle takes a moment.
func (r *rows) dawdle(ctx context.Context) {
	pause(ctx, rand.N(cmp.Or(r.most, 500*time.Microsecond)))
}

func (r *rows) Ping(context.Context) error { return nil }
func (r *rows) Close()                     {}

// options of a process. What stands in for a part of it breaks a rule on purpose.
type options struct {
	redis    string // host:port
	tracking string // host:port of Redis for the tracking connection; "": redis
	near     bool
	tracker  backend.Tracker                   // instead of Redis's own
	store    func(backend.Store) backend.Store // instead of Redis's own client
	source   *rows
	patience time.Duration // with Redis; 0 is a second
}

// process is one Forebay.
type process struct {
	addr    string
	near    *near.Cache
	store   *redis.Client
	engine  *cache.Engine
	invalid *invalidation.Queue
}

func start(t testing.TB, o options) *process {
	t.Helper()
	if o.patience == 0 {
		o.patience = time.Second
	}
	p := &process{store: redis.Open(redis.Options{Network: "tcp", Addr: o.redis, Timeout: o.patience})}
	routes, err := route.Compile([]route.Spec{{
		Name: "t", Key: "t:{id:int}", Table: "t", Value: "data", TTL: time.Hour, AbsentTTL: time.Minute,
		Where: []route.Bind{{Column: "part", Expr: "{id / 100}"}, {Column: "id", Expr: "{id}"}},
	}})
	must(t, err)
	must(t, routes.Bind(t.Context(), o.source))
	metrics, err := metric.New(metric.Options{Registerer: prometheus.NewRegistry(), Routes: []string{"t"}})
	must(t, err)
	events := event.New(event.Options{Proxy: "p", Observe: metrics.ObserveView})
	events.Start()
	var store backend.Store = p.store
	if o.store != nil {
		store = o.store(store)
	}
	p.engine = cache.New(cache.Options{
		Store: store, Source: o.source, Routes: routes, Record: events.Record,
		Budget: 3 * o.patience, StoreBudget: o.patience, Loads: 64,
		Settle: func(ctx context.Context) error { return p.invalid.Settle(ctx) },
	})
	pool := wire.NewPool(wire.Options{Network: "tcp", Addr: o.redis})
	tracked := p.store
	if o.tracking != "" {
		tracked = redis.Open(redis.Options{Network: "tcp", Addr: o.tracking, Timeout: time.Second})
	}
	if o.near && o.tracker == nil {
		o.tracker = tracked.Tracker([]string{"t:"})
	}
	if o.tracker != nil {
		p.near = near.New(near.Options{MaxBytes: 64 << 20, Tracker: o.tracker, Now: wire.Now})
	}
	p.invalid = invalidation.New(invalidation.Options{Store: p.store, Loads: p.engine, Near: p.near, Routes: routes})
	p.store.OnChange(func(up bool) {
		if up {
			p.invalid.Wake()
		}
	})
	settling, settled := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.invalid.Run(settling) })
	server, err := proxy.New(proxy.Options{
		Pool: pool, Engine: p.engine, Near: p.near, Routes: routes, Store: p.store, Events: events, Commands: metrics.Commands(),
		Limits: proxy.DefaultLimits(), Budget: 3 * o.patience, StoreBudget: o.patience,
		MayRead: func(user, _ string) bool { return user == "" }, Permits: p.store.Permits,
		Invalid: p.invalid, MayRemove: func(string) bool { return true },
	})
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		must(t, <-served)
		settled()
		wg.Wait()
		p.near.Close()
		p.engine.Close()
		pool.Close()
		must(t, events.Close(context.Background()))
		p.store.Close()
		if tracked != p.store {
			tracked.Close()
		}
	})
	eventually(t, "redis is up", p.store.Up)
	if p.near != nil {
		eventually(t, "the near copy follows", func() bool { return p.near.Err() == nil })
	}
	return p
}

// deaf is a tracker that says that Redis tells every change, and tells none.
type deaf struct{ f backend.Follower }

func (d *deaf) Track(f backend.Follower) {
	d.f = f
	f.Tracking(wire.Now())
	f.Alive(wire.Now() + int64(time.Hour))
}

func (d *deaf) AskTTL(_ int, _ []byte, ticket uint64) bool {
	d.f.TTL(ticket, wire.Now(), backend.NoExpiry)
	return true
}

func (d *deaf) Close() {}

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

// pause lets time pass, or ctx end.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// weather breaks the network before Redis at random until ctx is done, and leaves it whole.
func weather(ctx context.Context, seed uint64, p *testkit.FaultProxy, faults ...func(*testkit.FaultProxy, *rand.Rand) time.Duration) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	for ctx.Err() == nil {
		pause(ctx, time.Duration(5+rnd.IntN(80))*time.Millisecond)
		d := faults[rnd.IntN(len(faults))](p, rnd)
		pause(ctx, d)
		p.Restore()
	}
}

func ms(rnd *rand.Rand, from, to int) time.Duration {
	return time.Duration(from+rnd.IntN(to-from)) * time.Millisecond
}

// The faults. Each says how long it lasts.
func delays(p *testkit.FaultProxy, rnd *rand.Rand) time.Duration {
	p.Delay(ms(rnd, 1, 15))
	return ms(rnd, 20, 200)
}

func cuts(p *testkit.FaultProxy, rnd *rand.Rand) time.Duration {
	p.Cut()
	return ms(rnd, 1, 60)
}

func hangs(p *testkit.FaultProxy, rnd *rand.Rand) time.Duration {
	p.HalfOpen()
	if rnd.IntN(4) == 0 { // longer than anybody waits for Redis
		return ms(rnd, 1000, 1600)
	}
	return ms(rnd, 10, 300)
}

// hangsAndCuts is a hang that ends in a cut: what was held is lost.
func hangsAndCuts(p *testkit.FaultProxy, rnd *rand.Rand) time.Duration {
	d := hangs(p, rnd)
	pause(context.Background(), d)
	p.Cut()
	return ms(rnd, 1, 20)
}

func dribbles(p *testkit.FaultProxy, rnd *rand.Rand) time.Duration {
	p.Dribble(1 + rnd.IntN(20))
	return ms(rnd, 20, 200)
}
