package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// Prepare lets Cassandra check the query, and refuses one with columns that cannot be read. Beside the causes of Load, the
// error wraps backend.ErrNoTable if the table does not exist.
func (s *Source) Prepare(ctx context.Context, q *backend.Select) ([]backend.Column, error) {
	sess, err := s.live()
	if err != nil {
		return nil, fmt.Errorf("prepare query: %w", err)
	}
	st, err := s.statement(ctx, sess, q)
	if err != nil {
		return nil, err
	}
	return slices.Clone(st.columns), nil
}

// Load runs the query. It returns within ctx's deadline, and each page is bounded by Options.Timeout too. A value that
// no row can have (see fit) is an absent row and not an error. A value given twice in in gets its row twice.
func (s *Source) Load(ctx context.Context, q *backend.Select, where, in []any, each func(i int, row backend.Row) error) error {
	sess, err := s.live()
	if err != nil {
		return err
	}
	reported := false
	once := func(i int, row backend.Row) error {
		reported = true
		return each(i, row)
	}
	err = s.load(ctx, sess, q, where, in, once)
	// The watchdog may have closed this session just after we took it: ask the one in its place, if nothing was handed out.
	if err != nil && !reported && errors.Is(err, backend.ErrSourceDown) && ctx.Err() == nil {
		if present := s.session.Load(); present != sess {
			err = s.load(ctx, present, q, where, in, once)
		}
	}
	if errors.Is(err, backend.ErrSourceDown) || errors.Is(err, backend.ErrSourceTimeout) {
		s.failed()
	}
	return err
}

func (s *Source) load(ctx context.Context, sess *session, q *backend.Select, where, in []any,
	each func(int, backend.Row) error,
) error {
	st, err := s.statement(ctx, sess, q)
	if err != nil {
		return err
	}
	args, wanted, found, err := st.arguments(where, in)
	if err != nil {
		return fail(st.doing, err)
	}
	if !found {
		return nil
	}
	expect := q.MaxRows
	if st.inAt >= 0 {
		expect = len(wanted)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the next page's query, if each fails
	r := reader{statement: st, wanted: wanted, each: each}
	fetch := func(state []byte) func() (*gocql.Iter, error) {
		return s.page(ctx, sess, st, args, st.pageSize(q, expect), state)
	}
	for wait := fetch(nil); wait != nil; {
		iter, err := wait()
		if err != nil {
			return fail(st.doing, err)
		}
		s.answered.Store(time.Now().UnixNano())
		wait = nil
		if state := iter.PageState(); len(state) > 0 {
			wait = fetch(state)
		}
		if err := r.page(iter); err != nil {
			return err
		}
	}
	return nil
}

// page starts the query of one page and returns how to wait for it.
func (s *Source) page(ctx context.Context, sess *session, st *statement, args []any, size int,
	state []byte,
) func() (*gocql.Iter, error) {
	done := make(chan fetched, 1)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return func() (*gocql.Iter, error) { return nil, fmt.Errorf("%w: %w", backend.ErrSourceDown, errClosed) }
	}
	s.calls.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.calls.Done()
		done <- s.fetch(ctx, sess, func() *gocql.Query {
			query := s.options.bounded(sess.Query(st.text, args...).PageSize(size).PageState(state))
			if st.cql { // "SELECT *" means other columns after the table was altered
				query.NoSkipMetadata()
			}
			return query
		})
	}()
	return func() (*gocql.Iter, error) {
		select {
		case o := <-done:
			return o.iter, o.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// arguments gives the values for the markers, and for each value of in where in the caller's list it stands. found is
// false if no row can match.
func (s *statement) arguments(where, in []any) (args []any, wanted map[any][]int, found bool, err error) {
	args = make([]any, 0, len(s.binds))
	for i, at := range s.order {
		if at >= len(where) {
			return nil, nil, false, fmt.Errorf("%w: %d values for %d markers", backend.ErrSourceInvalid, len(where), len(s.order))
		}
		b, ok, err := fit(s.binds[i], where[at])
		if err != nil || !ok {
			return nil, nil, false, err
		}
		args = append(args, b.value)
	}
	if s.inAt < 0 {
		return args, nil, true, nil
	}
	list, ok := s.binds[len(s.binds)-1].(gocql.CollectionType)
	if !ok {
		return nil, nil, false, fmt.Errorf("%w: IN takes a %s", backend.ErrSourceInvalid, nativeName(s.binds[len(s.binds)-1]))
	}
	values := make([]any, 0, len(in))
	wanted = make(map[any][]int, len(in))
	for i, v := range in {
		b, ok, err := fit(list.Elem, v)
		if err != nil {
			return nil, nil, false, err
		}
		if !ok {
			continue
		}
		if len(wanted[b.key]) == 0 {
			values = append(values, b.value)
		}
		wanted[b.key] = append(wanted[b.key], i)
	}
	return append(args, values), wanted, len(values) > 0, nil
}

// reader hands out the rows of pages.
type reader struct {
	*statement
	wanted map[any][]int
	each   func(int, backend.Row) error
}

func (r *reader) page(iter *gocql.Iter) error {
	rows, size := iter.NumRows(), 0
	cells := make([]cell, len(r.pick))
	dest := make([]any, len(r.pick))
	for i := range cells {
		cells[i].alias = rows == 1
		if r.pick[i] >= 0 || i == r.inAt {
			dest[i] = &cells[i]
		}
	}
	for iter.Scan(dest...) {
		row := make(backend.Row, len(r.columns))
		for i, at := range r.pick {
			size += cells[i].size
			if at >= 0 {
				row[at] = cells[i].value
			}
		}
		if err := r.report(cells, row); err != nil {
			return err
		}
	}
	r.learn(rows, size)
	if err := iter.Close(); err != nil {
		return fail(r.doing, err)
	}
	return nil
}

func (r *reader) report(cells []cell, row backend.Row) error {
	if r.inAt < 0 {
		return r.each(0, row)
	}
	for n, i := range r.wanted[rowKey(cells[r.inAt].value)] {
		if n > 0 { // each owner gets slices of its own
			row = clone(row)
		}
		if err := r.each(i, row); err != nil {
			return err
		}
	}
	return nil
}

func clone(row backend.Row) backend.Row {
	row = slices.Clone(row)
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			row[i] = slices.Clone(v)
		case []any:
			row[i] = []any(clone(v))
		}
	}
	return row
}
