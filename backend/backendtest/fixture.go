package backendtest

import (
	"context"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"forebay/backend"
)

// Sample is one row of the samples table as the test knows it.
type Sample struct {
	Dataset, Split string
	Shard, Idx     int64
	Data           []byte
	Label          any // int64, or nil for null
	CRC32C         int64
}

// Fixture is an open source and what is in it.
type Fixture struct {
	// Source is closed by the suite.
	Source backend.Source
	// Table is the samples table's name as Source.Table takes it.
	Table string
	// Rows are some or all rows of the table: at least two partitions, and at least three rows in the first one's.
	// No row may have an idx of AbsentIdx or more in the partitions of Rows.
	Rows []Sample
	// CQL tells that the source runs cql selects. One that does not has to refuse them.
	CQL bool
}

// AbsentIdx is above every idx of a fixture.
const AbsentIdx = 1 << 20

// Samples makes rows for a table that holds nothing else: two splits of dataset "suite", one of them in two shards, 8×8 pixels
// each, a null label and an empty blob among them.
func Samples() []Sample {
	var rows []Sample
	for _, part := range []struct {
		split string
		from  int64
		to    int64
	}{{"train", 0, 40}, {"train", 1024, 1030}, {"test", 0, 5}} {
		for idx := part.from; idx < part.to; idx++ {
			data := make([]byte, 64)
			for i := range data {
				data[i] = byte(int(idx)*7 + i*3 + len(part.split))
			}
			row := Sample{Dataset: "suite", Split: part.split, Shard: idx / 1024, Idx: idx, Data: data, Label: idx % 10}
			if idx == 3 {
				row.Label = nil
			}
			if idx == 4 {
				row.Data = []byte{}
			}
			row.CRC32C = int64(crc32.Checksum(row.Data, crc32.MakeTable(crc32.Castagnoli)))
			rows = append(rows, row)
		}
	}
	return rows
}

func (f Fixture) context(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// partition returns the rows that share the first row's partition.
func (f Fixture) partition() []Sample {
	var rows []Sample
	for _, r := range f.Rows {
		if r.Dataset == f.Rows[0].Dataset && r.Split == f.Rows[0].Split && r.Shard == f.Rows[0].Shard {
			rows = append(rows, r)
		}
	}
	return rows
}

func (f Fixture) check(t *testing.T) {
	t.Helper()
	if n := len(f.partition()); n < 3 || n == len(f.Rows) {
		t.Fatalf("fixture has %d of %d rows in its first partition, want three or more, and rows in another", n, len(f.Rows))
	}
}

func (s Sample) key() []any { return []any{s.Dataset, s.Split, s.Shard} }

func (s Sample) String() string {
	return fmt.Sprintf("%s/%s/%d/%d", s.Dataset, s.Split, s.Shard, s.Idx)
}

// row is what a select of data, label and crc32c gives.
func (s Sample) row() backend.Row { return backend.Row{s.Data, s.Label, s.CRC32C} }

// partitionKey are the columns whose values key gives.
func partitionKey() []string { return []string{"dataset", "split", "shard"} }

// result is one row as Load reported it.
type result struct {
	I   int
	Row backend.Row
}

// load collects what Load reports.
func load(ctx context.Context, src backend.Source, q *backend.Select, where, in []any) ([]result, error) {
	var got []result
	err := src.Load(ctx, q, where, in, func(i int, row backend.Row) error {
		got = append(got, result{i, row})
		return nil
	})
	return got, err
}
