package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"forebay/backend"
	"forebay/internal/cache"
)

// cell names a row of the fake source.
type cell struct{ part, id any }

// asked is one query that the source was asked.
type asked struct {
	table string
	where []any
	in    []any
}

// source is a fake one with the tables t((part), id), one((id)) and named((part), name). A row whose data is nil has null in it.
type source struct {
	// before is called when a query comes, after when its rows were reported; they may block and fail it. They are set before
	// the reads that they are meant for begin.
	before, after func(ctx context.Context, q asked) error

	mu      sync.Mutex
	rows    map[cell][]byte
	queries []asked
}

func newSource() *source { return &source{rows: map[cell][]byte{}} }

// set stores a row of t and so makes the value of the key "t:part:id".
func (s *source) set(part, id int, data string) { s.put(cell{int64(part), int64(id)}, []byte(data)) }

func (s *source) put(c cell, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[c] = data
}

func (s *source) remove(part, id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, cell{int64(part), int64(id)})
}

// asked returns the queries so far.
func (s *source) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.queries...)
}

func (s *source) Table(_ context.Context, name string) (*backend.Table, error) {
	data := []backend.Column{{Name: "data", Type: backend.Blob, Native: "blob"}}
	part := []backend.Column{{Name: "part", Type: backend.Int, Native: "bigint"}}
	id := []backend.Column{{Name: "id", Type: backend.Int, Native: "bigint"}}
	switch name {
	case "t":
		return &backend.Table{Keyspace: "k", Name: name, Partition: part, Clustering: id, Regular: data}, nil
	case "one":
		return &backend.Table{Keyspace: "k", Name: name, Partition: id, Regular: data}, nil
	case "named":
		key := []backend.Column{{Name: "name", Type: backend.Blob, Native: "blob"}}
		return &backend.Table{Keyspace: "k", Name: name, Partition: part, Clustering: key, Regular: data}, nil
	}
	return nil, fmt.Errorf("describe %s: %w", name, backend.ErrNoTable)
}

func (s *source) Prepare(context.Context, *backend.Select) ([]backend.Column, error) {
	return []backend.Column{{Name: "data", Type: backend.Blob, Native: "blob"}}, nil
}

func (s *source) Load(ctx context.Context, q *backend.Select, where, in []any, each func(int, backend.Row) error) error {
	a := asked{q.Table.Name, where, in}
	s.mu.Lock()
	s.queries = append(s.queries, a)
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(ctx, a); err != nil {
			return err
		}
	}
	if err := stopped(ctx.Err()); err != nil {
		return err
	}
	cells := []cell{{nil, where[0]}}
	if q.In != "" {
		cells = cells[:0]
		for _, v := range in {
			if raw, ok := v.([]byte); ok {
				v = string(raw)
			}
			cells = append(cells, cell{where[0], v})
		}
	}
	for i, c := range cells {
		s.mu.Lock()
		data, ok := s.rows[c]
		s.mu.Unlock()
		if !ok {
			continue
		}
		row := backend.Row{nil}
		if data != nil {
			row[0] = append([]byte{}, data...)
		}
		if err := each(i, row); err != nil {
			return err
		}
	}
	if s.after != nil {
		return s.after(ctx, a)
	}
	return nil
}

func (s *source) Ping(context.Context) error { return nil }
func (s *source) Close()                     {}

// op is one round trip to the fake store.
type op struct {
	name string // "get" or "fill"
	db   int
	keys []string
}

// store is a fake Redis.
type store struct {
	// before is called when a round trip begins, after when it is done but not yet answered; they may block, and fail it as a whole.
	before, after func(ctx context.Context, o op) error
	// refuse gives an entry or a key an error of its own.
	refuse func(o op, key string) error
	// overwrite breaks the contract of Fill: it stores what is present already.
	overwrite bool

	mu     sync.Mutex
	down   bool
	values map[string]string // by "db/key"
	ops    []op
	filled []backend.Entry // stored ones
}

var _ backend.Store = (*store)(nil)

func newStore() *store { return &store{values: map[string]string{}} }

func at(db int, key string) string { return fmt.Sprintf("%d/%s", db, key) }

// set and del are a client's SET and DEL, get its GET, in database 0.
func (s *store) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[at(0, key)] = value
}

func (s *store) del(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, at(0, key))
}

func (s *store) get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[at(0, key)]
	return v, ok
}

func (s *store) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// trips returns the round trips of one kind so far.
func (s *store) trips(name string) (list []op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.ops {
		if o.name == name {
			list = append(list, o)
		}
	}
	return list
}

// entries returns what fills have stored so far.
func (s *store) entries() []backend.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]backend.Entry(nil), s.filled...)
}

func (s *store) Up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.down
}

func (s *store) Get(ctx context.Context, db int, keys [][]byte) (values [][]byte, errs []error, err error) {
	o := op{"get", db, nil}
	for _, k := range keys {
		o.keys = append(o.keys, string(k))
	}
	err = s.trip(ctx, o, func() {
		values, errs = make([][]byte, len(keys)), make([]error, len(keys))
		for i, k := range o.keys {
			if s.refuse != nil {
				errs[i] = s.refuse(o, k)
			}
			if v, ok := s.values[at(db, k)]; ok && errs[i] == nil {
				values[i] = append([]byte{}, v...)
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return values, errs, nil
}

func (s *store) Fill(ctx context.Context, db int, entries []backend.Entry) (stored []bool, errs []error, err error) {
	o := op{"fill", db, nil}
	for _, e := range entries {
		o.keys = append(o.keys, string(e.Key))
	}
	err = s.trip(ctx, o, func() {
		stored, errs = make([]bool, len(entries)), make([]error, len(entries))
		for i, e := range entries {
			if s.refuse != nil {
				errs[i] = s.refuse(o, o.keys[i])
			}
			if _, present := s.values[at(db, o.keys[i])]; errs[i] != nil || present && !s.overwrite {
				continue
			}
			s.values[at(db, o.keys[i])] = string(e.Value)
			s.filled = append(s.filled, e)
			stored[i] = true
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return stored, errs, nil
}

// trip does what a round trip does, under the lock, between the two hooks.
func (s *store) trip(ctx context.Context, o op, do func()) error {
	s.mu.Lock()
	s.ops = append(s.ops, o)
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(ctx, o); err != nil {
			return fmt.Errorf("%s: %w: %w", o.name, backend.ErrStoreDown, err)
		}
	}
	s.mu.Lock()
	do()
	s.mu.Unlock()
	if s.after != nil {
		if err := s.after(ctx, o); err != nil {
			return fmt.Errorf("%s: %w: %w", o.name, backend.ErrStoreDown, err)
		}
	}
	return nil
}

// on makes a hook of a gate that holds one kind of round trip, and of those only the ones that have a key that begins with prefix.
func on(g *gate, name, prefix string) func(context.Context, op) error {
	return func(ctx context.Context, o op) error {
		for _, k := range o.keys {
			if o.name == name && strings.HasPrefix(k, prefix) {
				return g.pass(ctx)
			}
		}
		return nil
	}
}

// every makes a hook of a gate that holds every query.
func every(g *gate) func(context.Context, asked) error {
	return func(ctx context.Context, _ asked) error { return stopped(g.pass(ctx)) }
}

// stopped makes a driver's error of a query that its context ended.
func stopped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", backend.ErrSourceTimeout, err)
}

// cause names the sentinel that an error wraps.
func cause(err error) string {
	for name, sentinel := range map[string]error{
		"down": backend.ErrSourceDown, "timeout": backend.ErrSourceTimeout, "invalid": backend.ErrSourceInvalid,
		"store down": backend.ErrStoreDown, "contended": cache.ErrContended, "closed": cache.ErrClosed,
	} {
		if errors.Is(err, sentinel) {
			return name
		}
	}
	return err.Error()
}
