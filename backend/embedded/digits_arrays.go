package embedded

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"

	"forebay/backend"
)

const (
	objectsTable = "objects"
	chunksTable  = "chunks"
	// arrayVersion is the one version of each array, in one chunk.
	arrayVersion = "1"
)

// arrayTables are the tables of objects, as "forebay load" makes them.
func arrayTables() []*backend.Table {
	text := func(name string) backend.Column {
		return backend.Column{Name: name, Type: backend.Text, Native: "text"}
	}
	number := func(name string) backend.Column {
		return backend.Column{Name: name, Type: backend.Int, Native: "bigint"}
	}
	return []*backend.Table{
		{
			Keyspace: digitsKeyspace, Name: objectsTable,
			Partition: []backend.Column{text("dataset"), text("name")},
			Regular:   []backend.Column{text("version"), number("chunks"), number("bytes"), number("crc32c")},
		},
		{
			Keyspace: digitsKeyspace, Name: chunksTable,
			Partition:  []backend.Column{text("dataset"), text("name"), text("version")},
			Clustering: []backend.Column{number("chunk")},
			Regular:    []backend.Column{{Name: "data", Type: backend.Blob, Native: "blob"}},
		},
	}
}

// loadArray answers for an array's row in objects, or for its one chunk.
func (d *Digits) loadArray(ctx context.Context, q *backend.Select, where, in []any, each func(i int, row backend.Row) error) error {
	if len(where) != len(q.Where) {
		return fmt.Errorf("%w: %d values for %d columns", backend.ErrSourceInvalid, len(where), len(q.Where))
	}
	texts, chunk := map[string]string{"version": arrayVersion}, int64(0)
	for i, column := range q.Where {
		var err error
		if column == "chunk" {
			chunk, err = bind[int64](column, where[i])
		} else {
			texts[column], err = bind[string](column, where[i])
		}
		if err != nil {
			return err
		}
	}
	data, ok := d.arrays[texts["name"]]
	found := ok && texts["dataset"] == digitsDataset && texts["version"] == arrayVersion
	chunks := []any{chunk}
	if q.In != "" {
		chunks = in
	}
	for i, v := range chunks {
		n, err := bind[int64](q.In, v)
		if err != nil {
			return err
		}
		if err := d.usable(ctx); err != nil {
			return err
		}
		if !found || n != 0 {
			continue
		}
		if err := each(i, arrayRow(texts["name"], data, q.Columns)); err != nil {
			return err
		}
	}
	return nil
}

// arrayRow builds a row of either table in the order of columns. Its slices are new.
func arrayRow(name string, data []byte, columns []string) backend.Row {
	row := make(backend.Row, len(columns))
	for i, column := range columns {
		switch column {
		case "dataset":
			row[i] = digitsDataset
		case "name":
			row[i] = name
		case "version":
			row[i] = arrayVersion
		case "chunks":
			row[i] = int64(1)
		case "chunk":
			row[i] = int64(0)
		case "bytes":
			row[i] = int64(len(data))
		case "crc32c":
			row[i] = int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		case "data":
			row[i] = slices.Clone(data)
		}
	}
	return row
}
