package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync/atomic"

	"forebay/backend"
	"forebay/examples/digits"
)

const (
	digitsKeyspace = "digits"
	digitsTable    = "samples"
	digitsDataset  = "digits"
	imageBytes     = 8 * 8
	// shardRows is the number of consecutive samples in one partition, as "forebay load" writes them.
	shardRows = 1024
)

// Digits is a [backend.Source] over the bundled digits: a table samples((dataset, split, shard), idx, data, label, crc32c),
// with dataset "digits", the splits "train" (1,437 rows) and "test" (360), and 64 pixels of 0 to 16 in data; and the same as whole arrays in
// the tables objects and chunks (see [backend.Object]): the NPY files "train-images", "train-labels", "test-images" and "test-labels".
// Every row is in memory, so it starts no goroutine and a query takes microseconds.
type Digits struct {
	tables []*backend.Table // samples, objects, chunks
	splits map[string]split
	arrays map[string][]byte
	closed atomic.Bool
}

// split holds the samples of one split: sample i has images[i*imageBytes:][:imageBytes] and labels[i].
type split struct {
	images []byte
	labels []int64
}

var _ backend.Source = (*Digits)(nil)

// NewDigits unpacks the bundled data (about 120 KB). An error means that the binary was built from a damaged tree.
func NewDigits() (*Digits, error) {
	d := &Digits{
		tables: append([]*backend.Table{{
			Keyspace: digitsKeyspace,
			Name:     digitsTable,
			Partition: []backend.Column{
				{Name: "dataset", Type: backend.Text, Native: "text"},
				{Name: "split", Type: backend.Text, Native: "text"},
				{Name: "shard", Type: backend.Int, Native: "int"},
			},
			Clustering: []backend.Column{{Name: "idx", Type: backend.Int, Native: "int"}},
			Regular: []backend.Column{
				{Name: "data", Type: backend.Blob, Native: "blob"},
				{Name: "label", Type: backend.Int, Native: "int"},
				{Name: "crc32c", Type: backend.Int, Native: "bigint"},
			},
		}}, arrayTables()...),
		splits: make(map[string]split, 2),
		arrays: make(map[string][]byte, 4),
	}
	for _, name := range []string{"train", "test"} {
		npz, err := digits.NPZ(name)
		if err != nil {
			return nil, err
		}
		images, labels, err := readSplit(npz, imageBytes)
		if err != nil {
			return nil, fmt.Errorf("unpack split %q of the digits: %w", name, err)
		}
		d.splits[name] = split{images: images, labels: labels}
		for _, array := range []string{"images", "labels"} {
			if d.arrays[name+"-"+array], err = readMember(npz, array+".npy"); err != nil {
				return nil, fmt.Errorf("unpack split %q of the digits: %w", name, err)
			}
		}
	}
	return d, nil
}

// Table describes a table, under its name or "digits.NAME". The result is shared: do not change it.
func (d *Digits) Table(ctx context.Context, name string) (*backend.Table, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	if t := d.table(strings.TrimPrefix(name, digitsKeyspace+".")); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: %q; %s", backend.ErrNoTable, name, whatThereIs)
}

// whatThereIs is for errors.
const whatThereIs = "the bundled digits have the tables " + digitsTable + ", " + objectsTable + " and " + chunksTable

// table returns the table of that name, nil if there is none.
func (d *Digits) table(name string) *backend.Table {
	for _, t := range d.tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Prepare checks that the select names columns of the table and gives its whole partition key. Its errors wrap ErrSourceInvalid,
// and ErrNoTable for another table.
func (d *Digits) Prepare(ctx context.Context, q *backend.Select) ([]backend.Column, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	cols, err := d.check(q)
	if err != nil {
		return nil, fmt.Errorf("check query: %w: %w", backend.ErrSourceInvalid, err)
	}
	return cols, nil
}

// Ping succeeds until Close.
func (d *Digits) Ping(ctx context.Context) error { return d.usable(ctx) }

// Close makes every later call fail with ErrSourceDown. It may be called more than once.
func (d *Digits) Close() { d.closed.Store(true) }

// usable tells why a call cannot be answered: the caller's time is over, or the source is closed.
func (d *Digits) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask the bundled digits: %w: %w", backend.ErrSourceTimeout, err)
	}
	if d.closed.Load() {
		return fmt.Errorf("ask the bundled digits: %w: closed", backend.ErrSourceDown)
	}
	return nil
}

// check reports the result columns of a select, or everything that is wrong with it.
func (d *Digits) check(q *backend.Select) ([]backend.Column, error) {
	if q.CQL != "" {
		return nil, errors.New("the bundled digits cannot run cql: use table, where and value, or configure source.cassandra")
	}
	if q.Table == nil || d.table(q.Table.Name) == nil || (q.Table.Keyspace != "" && q.Table.Keyspace != digitsKeyspace) {
		return nil, fmt.Errorf("%w: %s", backend.ErrNoTable, whatThereIs)
	}
	t := d.table(q.Table.Name)
	var problems []error
	cols := make([]backend.Column, 0, len(q.Columns))
	for _, name := range q.Columns {
		col, ok := t.Column(name)
		if !ok {
			problems = append(problems, fmt.Errorf("no column %q in table %q (it has %s)", name, t.Name, columnNames(t)))
			continue
		}
		cols = append(cols, col)
	}
	if len(q.Columns) == 0 {
		problems = append(problems, errors.New("no column is asked for"))
	}
	problems = append(problems, checkKey(t, q)...)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return cols, nil
}

// checkKey holds Where and In against the primary key: the partition key whole, the clustering column at most once.
func checkKey(t *backend.Table, q *backend.Select) []error {
	var problems []error
	bound := q.Where
	if q.In != "" {
		bound = append(slices.Clone(q.Where), q.In)
	}
	key := append(slices.Clone(t.Partition), t.Clustering...)
	for i, name := range bound {
		if !slices.ContainsFunc(key, func(c backend.Column) bool { return c.Name == name }) {
			problems = append(problems, fmt.Errorf("column %q is not part of the primary key of table %q", name, t.Name))
		}
		if slices.Contains(bound[:i], name) {
			problems = append(problems, fmt.Errorf("column %q is given twice", name))
		}
	}
	for _, c := range t.Partition {
		if !slices.Contains(q.Where, c.Name) {
			problems = append(problems, fmt.Errorf("where lacks %q: the whole partition key is needed", c.Name))
		}
	}
	return problems
}

// columnNames lists the table's columns for an error message.
func columnNames(t *backend.Table) string {
	var names []string
	for _, cols := range [][]backend.Column{t.Partition, t.Clustering, t.Regular} {
		for _, c := range cols {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// row builds one row of a split in the order of columns. Its slices are new.
func (s split) row(name string, idx int, columns []string) backend.Row {
	image := s.images[idx*imageBytes:][:imageBytes]
	row := make(backend.Row, len(columns))
	for i, column := range columns {
		switch column {
		case "dataset":
			row[i] = digitsDataset
		case "split":
			row[i] = name
		case "shard":
			row[i] = int64(idx / shardRows)
		case "idx":
			row[i] = int64(idx)
		case "data":
			row[i] = slices.Clone(image)
		case "label":
			row[i] = s.labels[idx]
		case "crc32c":
			row[i] = int64(crc32.Checksum(image, crc32.MakeTable(crc32.Castagnoli)))
		}
	}
	return row
}
