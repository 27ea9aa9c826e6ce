package embedded

import (
	"context"
	"fmt"

	"forebay/backend"
)

// Load answers from memory. A select that Prepare refuses, values of the wrong type, and fewer values than the select names are
// errors that wrap ErrSourceInvalid.
func (d *Digits) Load(ctx context.Context, q *backend.Select, where, in []any, each func(i int, row backend.Row) error) error {
	if _, err := d.Prepare(ctx, q); err != nil {
		return err
	}
	if q.Table.Name != digitsTable {
		return d.loadArray(ctx, q, where, in, each)
	}
	p, err := bindPartition(q, where)
	if err != nil {
		return err
	}
	samples, ok := d.splits[p.split]
	if !ok || p.dataset != digitsDataset || p.shard < 0 || p.shard > int64(len(samples.labels)/shardRows) {
		return nil // no such partition, and nothing below can overflow
	}
	first := p.shard * shardRows
	end := min(first+shardRows, int64(len(samples.labels)))
	give := func(i int, idx int64) error {
		if err := d.usable(ctx); err != nil {
			return err
		}
		if idx < first || idx >= end {
			return nil // the row is not in this partition
		}
		return each(i, samples.row(p.split, int(idx), q.Columns))
	}
	switch {
	case q.In != "":
		for i, v := range in {
			idx, err := bind[int64](q.In, v)
			if err != nil {
				return err
			}
			if err := give(i, idx); err != nil {
				return err
			}
		}
	case p.hasIdx:
		return give(0, p.idx)
	default:
		for idx := max(first, p.from); idx < end; idx++ {
			if err := give(0, idx); err != nil {
				return err
			}
		}
	}
	return nil
}

// partition is what a query's equality columns ask for.
type partition struct {
	dataset, split string
	shard, idx     int64
	hasIdx         bool  // idx is bound by equality
	from           int64 // the least idx
}

// bindPartition reads the values of the query's equality columns.
func bindPartition(q *backend.Select, where []any) (p partition, err error) {
	columns := len(q.Where)
	if q.From != "" {
		columns++
	}
	if len(where) != columns {
		return p, fmt.Errorf("%w: %d values for %d columns", backend.ErrSourceInvalid, len(where), columns)
	}
	if q.From != "" {
		if p.from, err = bind[int64](q.From, where[columns-1]); err != nil {
			return p, err
		}
	}
	for i, column := range q.Where {
		switch column {
		case "dataset":
			p.dataset, err = bind[string](column, where[i])
		case "split":
			p.split, err = bind[string](column, where[i])
		case "shard":
			p.shard, err = bind[int64](column, where[i])
		case "idx":
			p.idx, err = bind[int64](column, where[i])
			p.hasIdx = true
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// bind turns a bound value into the Go type that the column's [backend.Type] names.
func bind[T string | int64](column string, v any) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, fmt.Errorf("%w: column %q takes %T, not %T", backend.ErrSourceInvalid, column, t, v)
	}
	return t, nil
}
