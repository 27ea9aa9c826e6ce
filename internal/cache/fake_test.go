package cache_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	row           func(ctx context.Context, id any) error // before each row of a partition

	mu      sync.Mutex
	rows    map[cell][]byte
	queries []asked
}

var _ backend.Source = (*source)(nil)

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
	whole := q.Table.Name == "t" && q.In == ""
	if whole {
		cells = s.partition(where[0].(int64), where[1:])
	}
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
		if whole {
			row, i = append(row, c.id), 0
			if s.row != nil {
				if err := s.row(ctx, c.id); err != nil {
					return err
				}
			}
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

// partition lists the rows of one, from an id on if there is one.
func (s *source) partition(part int64, from []any) (cells []cell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.rows {
		if c.part == part && (len(from) == 0 || c.id.(int64) >= from[0].(int64)) {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.id.(int64), b.id.(int64)) })
	return cells
}

func (s *source) Ping(context.Context) error { return nil }
func (s *source) Close()                     {}

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
