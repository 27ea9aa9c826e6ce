package cassandra

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// Rows is what LoadRows writes. Each may be called more than once and calls yield for every row, with a value for each of Columns: nil for
// null, [Unset], bool, json.Number, string, []any or map[string]any. An error of yield is to be returned with the place in the file before
// it. values are borrowed until yield returns.
type Rows interface {
	Len() int
	Columns() []string
	Each(ctx context.Context, yield func(values []any) error) error
}

// Unset is the value of a column that a row says nothing about: what is stored of it stays.
type Unset struct{}

// rememberedKeys bounds the keys that are compared to find two rows with the same: 64 MiB of them. What is beyond is not compared.
const rememberedKeys = 4 << 20

// rowWriter writes rows to one table, or compares them with it.
type rowWriter struct {
	loader  *Loader
	table   *backend.Table
	columns []backend.Column
	key     []int // of columns
	done    tally
	insert  string
	read    string
	first   atomic.Pointer[string] // what differs, of a verification
	differ  atomic.Int64
}

// LoadRows writes rows to a table, all of which are checked first: that their columns are there, that each value fits its column, and that
// no two have the same primary key. Nothing is written, nor a table made, if one does not. With Resume, each row is read first and left alone if
// it is equal. A table has no mark of being whole: after an interruption it has some of the rows.
func (l *Loader) LoadRows(ctx context.Context, t RowTable, rows Rows) error {
	w, err := l.rowWriter(ctx, t, rows)
	if err != nil {
		return err
	}
	return w.run(ctx, rows, func(ctx context.Context, r boundRow) error {
		if l.options.Resume {
			if differs, err := w.compare(ctx, r); err != nil || differs == "" {
				w.count(err, r, true)
				return err
			}
		}
		err := l.insist(ctx, fmt.Sprintf("insert row %d", r.index), w.insert, r.values...)
		w.count(err, r, false)
		return err
	})
}

// VerifyRows reads each of the rows by its key and compares it. What differs wraps ErrDamaged, with the first row and how many there are.
func (l *Loader) VerifyRows(ctx context.Context, t RowTable, rows Rows) error {
	t.Create = false
	w, err := l.rowWriter(ctx, t, rows)
	if err != nil {
		return err
	}
	err = w.run(ctx, rows, func(ctx context.Context, r boundRow) error {
		differs, err := w.compare(ctx, r)
		if differs != "" {
			w.differ.Add(1)
			differs = fmt.Sprintf("row %d %s", r.index, differs)
			w.first.CompareAndSwap(nil, &differs)
		}
		w.count(err, r, false)
		return err
	})
	if first := w.first.Load(); err == nil && first != nil {
		err = fmt.Errorf("verify table %s: %w: %s; %d of %d rows differ", t.Name, ErrDamaged, *first, w.differ.Load(), rows.Len())
	}
	return err
}

func (l *Loader) rowWriter(ctx context.Context, t RowTable, rows Rows) (*rowWriter, error) {
	planned := t
	planned.Create = false
	table, err := l.target(ctx, planned)
	if errors.Is(err, backend.ErrNoTable) && t.Create { // is made when the rows are known to fit
		table, err = t.planned()
	}
	if err != nil {
		return nil, err
	}
	w := &rowWriter{loader: l, table: table}
	w.done.tell, w.done.progress.Total = l.options.Progress, rows.Len()
	if w.columns, w.key, err = rowColumns(table, rows.Columns()); err != nil {
		return nil, err
	}
	if err := w.check(ctx, rows); err != nil {
		return nil, err
	}
	if t.Create {
		if w.table, err = l.target(ctx, t); err != nil {
			return nil, err
		}
	}
	w.statements()
	return w, nil
}

// planned is the table that Create is going to make.
func (t RowTable) planned() (*backend.Table, error) {
	table := &backend.Table{Name: t.Name}
	for _, name := range append(t.Partition[:len(t.Partition):len(t.Partition)], t.Clustering...) {
		if !slices.ContainsFunc(t.Columns, func(c backend.Column) bool { return c.Name == name }) {
			return nil, fmt.Errorf("create table %s: the file has no column %q for the key", t.Name, name)
		}
	}
	for _, c := range t.Columns {
		switch {
		case slices.Contains(t.Partition, c.Name):
		case slices.Contains(t.Clustering, c.Name):
		default:
			table.Regular = append(table.Regular, c)
			continue
		}
		if strings.HasPrefix(c.Native, "list<") {
			return nil, fmt.Errorf("create table %s: the column %q is a %s, which cannot be part of a key", t.Name, c.Name, c.Native)
		}
	}
	for _, part := range []struct {
		names []string
		to    *[]backend.Column
	}{{t.Partition, &table.Partition}, {t.Clustering, &table.Clustering}} {
		for _, name := range part.names {
			i := slices.IndexFunc(t.Columns, func(c backend.Column) bool { return c.Name == name })
			*part.to = append(*part.to, t.Columns[i])
		}
	}
	return table, nil
}

// check converts every row, without writing any.
func (w *rowWriter) check(ctx context.Context, rows Rows) error {
	seed, seen := maphash.MakeSeed(), map[uint64]struct{}{}
	return rows.Each(ctx, func(values []any) error {
		r, err := w.bind(0, values)
		if err != nil {
			return err
		}
		if len(seen) == rememberedKeys {
			return nil
		}
		var h maphash.Hash
		h.SetSeed(seed)
		for _, i := range w.key {
			fmt.Fprintf(&h, "%T %v\x00", r.values[i], r.values[i])
		}
		sum := h.Sum64()
		if _, twice := seen[sum]; twice {
			return errors.New("its primary key is that of a row before it")
		}
		seen[sum] = struct{}{}
		return nil
	})
}

// boundRow is a row with values as the driver takes them.
type boundRow struct {
	index  int
	values []any
	bytes  int
}

func (w *rowWriter) bind(index int, values []any) (boundRow, error) {
	r := boundRow{index: index, values: make([]any, len(values))}
	for i, v := range values {
		c := w.columns[i]
		bound, size, err := cellValue(c.Native, v)
		if err != nil {
			return r, fmt.Errorf("column %s: %w", c.Name, err)
		}
		if slices.Contains(w.key, i) && (bound == nil || bound == gocql.UnsetValue || size == 0 || size > maxKeyBytes) {
			return r, fmt.Errorf("column %s is part of the primary key: it must have a value, of at most %d bytes", c.Name, maxKeyBytes)
		}
		r.values[i] = bound
		r.bytes += size
	}
	if r.bytes > MaxSampleBytes {
		return r, fmt.Errorf("the row has %d bytes, Cassandra takes at most %d", r.bytes, MaxSampleBytes)
	}
	return r, nil
}

func (w *rowWriter) statements() {
	var names, marks, where []string
	for _, c := range w.columns {
		names, marks = append(names, quote(c.Name)), append(marks, "?")
	}
	for _, i := range w.key {
		where = append(where, names[i]+" = ?")
	}
	table := quote(w.table.Keyspace) + "." + quote(w.table.Name)
	w.insert = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "), strings.Join(marks, ", "))
	w.read = fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(names, ", "), table, strings.Join(where, " AND "))
}

// run converts the rows again and hands them to workers. Large rows are few at a time.
func (w *rowWriter) run(ctx context.Context, rows Rows, work func(ctx context.Context, r boundRow) error) error {
	budget := newBudget(inFlightBytes)
	index := 0
	feed := func(ctx context.Context, send func(boundRow) error) error {
		return rows.Each(ctx, func(values []any) error {
			r, err := w.bind(index, values)
			if err != nil {
				return err
			}
			index++
			if err := budget.take(ctx, r.bytes); err != nil {
				return err
			}
			return send(r)
		})
	}
	return pipe(ctx, w.loader.options.InFlight, feed, func(ctx context.Context, r boundRow) error {
		defer budget.give(r.bytes)
		return work(ctx, r)
	})
}

func (w *rowWriter) count(err error, r boundRow, skipped bool) {
	if err == nil {
		w.done.add(r.bytes, skipped)
	}
}
