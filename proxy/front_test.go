package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// rows is a source with one table, t((part), id): id 0 to 999 have the data "value-<id>". A gate lets a test hold or fail its queries.
type rows struct {
	mu      sync.Mutex
	changed map[int64]string
	gate    func(ids []any) error
	late    bool // the gate holds what was read, not the reading
	queries atomic.Int64
	asked   atomic.Int64
}

func (r *rows) Table(context.Context, string) (*backend.Table, error) {
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

func (r *rows) Prepare(_ context.Context, q *backend.Select) (cols []backend.Column, err error) {
	for _, name := range q.Columns {
		col, _ := q.Table.Column(name)
		cols = append(cols, col)
	}
	return cols, nil
}

func (r *rows) Load(_ context.Context, q *backend.Select, _, in []any, each func(int, backend.Row) error) error {
	r.queries.Add(1)
	r.asked.Add(int64(len(in)))
	r.mu.Lock()
	gate, late := r.gate, r.late
	r.mu.Unlock()
	var found map[int]string
	if late {
		found = r.read(in)
	}
	if gate != nil {
		if err := gate(in); err != nil {
			return err
		}
	}
	if !late {
		found = r.read(in)
	}
	for i, data := range found {
		// Of a hash: the id as a number, and a column that is null.
		row := backend.Row{[]byte(data), in[i], nil}[:len(q.Columns)]
		if err := each(i, row); err != nil {
			return err
		}
	}
	return nil
}

// read returns the rows that are there now, by their place in the list.
func (r *rows) read(in []any) map[int]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[int]string{}
	for i, v := range in {
		id := v.(int64)
		if data, ok := r.changed[id]; ok {
			found[i] = data
		} else if id < 1000 {
			found[i] = fmt.Sprintf("value-%d", id)
		}
	}
	return found
}

func (r *rows) Ping(context.Context) error { return nil }
func (r *rows) Close()                     {}

func (r *rows) hold(gate func(ids []any) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate = gate
}

func (r *rows) set(id int64, data string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = map[int64]string{}
	}
	r.changed[id] = data
}

// remove takes a row away that set has made.
func (r *rows) remove(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.changed, id)
}

// lines is a sink that keeps every event's line.
type lines struct {
	deaf atomic.Bool // keeps nothing
	mu   sync.Mutex
	all  []map[string]any
}

func (l *lines) Name() string { return "test" }

func (l *lines) Write(b event.Batch) bool {
	if l.deaf.Load() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range bytes.Split(bytes.TrimSpace(b.Lines), []byte("\n")) {
		m := map[string]any{}
		if json.Unmarshal(line, &m) == nil {
			l.all = append(l.all, m)
		}
	}
	return true
}

func (l *lines) Healthy() error { return nil }

func (l *lines) Close(context.Context) error { return nil }

// front is a whole proxy over a real Redis.
type front struct {
	addr   string
	redis  *testkit.RedisServer
	store  *redis.Client
	source *rows
	server *proxy.Server
	events *event.Pipeline
	near   *near.Cache
	queue  *invalidation.Queue // nobody runs it: what is kept is settled by who needs it
	lines  *lines
	stop   func(t testing.TB, drain time.Duration)
}

type options struct {
	limits        *proxy.Limits
	redisArgs     []string
	redis         *testkit.RedisServer // instead of one of its own
	upstream      string               // instead of the Redis's own address
	down          bool                 // Redis is not up at first
	stuck         bool                 // the test ends the server itself, by stop
	mayRead       func(user, prefix string) bool
	mayRun        func(user, prefix, command string) bool // nil: as mayRead has it
	rightsChanged func()
	wrap          func(*front) backend.Store // the engine's store, where it is not Redis's own client
	tracker       backend.Tracker            // of a near copy; nil: none
	follow        bool                       // a near copy that follows Redis
	routes        []route.Spec               // beside t and h
	patterns      func() int
}

func start(t testing.TB, o options) *front {
	t.Helper()
	f := &front{redis: o.redis, source: &rows{}, lines: &lines{}}
	if f.redis == nil {
		f.redis = testkit.Redis(t, o.redisArgs...)
	}
	if o.mayRead == nil {
		o.mayRead = func(user, _ string) bool { return user == "" }
	}
	if o.mayRun == nil {
		o.mayRun = func(user, prefix, _ string) bool { return o.mayRead(user, prefix) }
	}
	addr := f.redis.Addr
	if o.upstream != "" {
		addr = o.upstream
	}
	f.store = redis.Open(redis.Options{Network: "tcp", Addr: addr, Timeout: time.Second})
	routes, err := route.Compile(append([]route.Spec{{
		Name: "t", Key: "t:{id:int}", Table: "t", Value: "data", TTL: time.Hour,
		Where: []route.Bind{{Column: "part", Expr: "{id / 100}"}, {Column: "id", Expr: "{id}"}},
	}, {
		Name: "h", Key: "h:{id:int}", Table: "t", Hash: []string{"data", "n", "none"}, TTL: time.Hour,
		Where: []route.Bind{{Column: "part", Expr: "{id / 100}"}, {Column: "id", Expr: "{id}"}},
	}}, o.routes...))
	must(t, err)
	must(t, routes.Bind(t.Context(), f.source))
	metrics, err := metric.New(metric.Options{Registerer: prometheus.NewRegistry(), Routes: []string{"t", "h"}})
	must(t, err)
	f.events = event.New(event.Options{Proxy: "p", Sinks: []event.Sink{f.lines}, Observe: metrics.ObserveView})
	f.events.Start()
	var store backend.Store = f.store
	if o.wrap != nil {
		store = o.wrap(f)
	}
	engine := cache.New(cache.Options{
		Store: store, Source: f.source, Routes: routes, Record: f.events.Record,
		Budget: 3 * time.Second, StoreBudget: time.Second, Loads: 64,
		Settle: func(ctx context.Context) error { return f.queue.Settle(ctx) },
	})
	pool := wire.NewPool(wire.Options{Network: "tcp", Addr: addr, Executes: func(ctx context.Context) bool { return f.store.Executes(ctx) == nil }})
	if o.tracker != nil {
		f.near = near.New(near.Options{MaxBytes: 64 << 20, Tracker: o.tracker, Now: wire.Now})
	}
	if o.follow {
		f.near = near.New(near.Options{
			MaxBytes: 64 << 20, Tracker: f.store.Tracker([]string{"t:", "a:"}), Now: wire.Now,
			Reserve: func(db int, key []byte) time.Duration {
				var m route.Match
				if routes.Match(db, key, &m) {
					return m.Route.Reserve()
				}
				return 0
			},
		})
	}
	f.queue = invalidation.New(invalidation.Options{Store: f.store, Loads: engine, Near: f.near, Routes: routes, MaxKeys: 3})
	limits := proxy.DefaultLimits()
	if o.limits != nil {
		limits = *o.limits
	}
	f.server, err = proxy.New(proxy.Options{
		Pool: pool, Engine: engine, Near: f.near, Routes: routes, Store: f.store, Events: f.events, Commands: metrics.Commands(),
		Limits: limits, Budget: 3 * time.Second, StoreBudget: time.Second,
		MayRead: o.mayRead, MayRun: o.mayRun, RightsChanged: o.rightsChanged, Patterns: o.patterns, Permits: f.store.Permits,
		Invalid: f.queue, MayRemove: func(user string) bool { return user == "" },
		Info: func(b []byte) []byte { return append(b, "forebay_hits:0\r\n"...) },
	})
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	f.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(ln) }()
	f.stop = func(t testing.TB, d time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		if err := f.server.Shutdown(ctx); err != nil && !o.stuck {
			t.Error(err)
		}
		must(t, <-served)
		f.near.Close()
		engine.Close()
		pool.Close()
		must(t, f.events.Close(context.Background()))
		f.store.Close()
	}
	if !o.stuck {
		t.Cleanup(func() { f.stop(t, 5*time.Second) })
	}
	if !o.down {
		eventually(t, "redis is up", f.store.Up)
	}
	return f
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
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		<-tick.C
	}
}

// client is a raw connection.
type client struct {
	t  testing.TB
	nc net.Conn
	br *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	must(t, nc.SetDeadline(time.Now().Add(8*time.Second)))
	return &client{t: t, nc: nc, br: bufio.NewReader(nc)}
}

// frame makes a command of words.
func frame(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

// frames makes a pipeline: one command a line, words split at spaces.
func frames(commands ...string) string {
	var b strings.Builder
	for _, c := range commands {
		b.WriteString(frame(strings.Fields(c)...))
	}
	return b.String()
}

func (c *client) send(raw string) {
	c.t.Helper()
	_, err := io.WriteString(c.nc, raw)
	must(c.t, err)
}

// expect reads exactly want.
func (c *client) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.br, got)
	if err != nil || string(got) != want {
		c.t.Fatalf("got %.400q (%v), want %.400q", got[:n], err, want)
	}
}

// do sends commands and expects their replies, and nothing else.
func (c *client) do(want string, commands ...string) {
	c.t.Helper()
	c.send(frames(commands...))
	c.expect(want)
}

// reply reads one reply, whole, as it came.
func (c *client) reply() string {
	c.t.Helper()
	r := reader{c.br}
	got, err := r.reply()
	must(c.t, err)
	return got
}

// reader reads replies.
type reader struct{ *bufio.Reader }

func newReader(nc net.Conn) *reader { return &reader{bufio.NewReader(nc)} }

func (r *reader) reply() (string, error) {
	var sc wire.Scanner
	var raw []byte
	pos := 0
	for {
		var piece []byte
		var err error
		if want := sc.Pending(); want > 0 {
			piece = make([]byte, want)
			_, err = io.ReadFull(r, piece)
		} else {
			piece, err = r.ReadBytes('\n')
		}
		if err != nil {
			return "", err
		}
		raw = append(raw, piece...)
		n, done, err := sc.Scan(raw[pos:])
		if err != nil {
			return "", err
		}
		pos += n
		if done {
			return string(raw), nil
		}
	}
}

// closed expects the end of the connection.
func (c *client) closed() {
	c.t.Helper()
	if b, err := c.br.ReadByte(); err == nil {
		c.t.Fatalf("got %q, want the end", b)
	}
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// reads waits for all events to be written and returns those of reads, one word each: "hit redis t:1", "miss loaded t:1".
func (f *front) reads(t testing.TB) []string {
	t.Helper()
	must(t, f.events.Flush(t.Context()))
	f.lines.mu.Lock()
	defer f.lines.mu.Unlock()
	var list []string
	for _, m := range f.lines.all {
		switch m["kind"] {
		case "hit":
			list = append(list, fmt.Sprint("hit ", m["origin"], " ", m["key"]))
		case "miss":
			list = append(list, fmt.Sprint("miss ", m["result"], " ", m["key"]))
		}
	}
	return list
}
