package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"forebay/backend"
)

// tableDef is one of the tables that a Loader fills. The types are its own choice; a table that is there may have narrower integers.
type tableDef struct {
	name       string
	columns    []backend.Column
	partition  []string
	clustering []string
}

// loaderTables are the tables of a keyspace that Forebay loads.
//
//	samples((dataset, split, shard), idx, data, label, crc32c)
//
// holds the samples: shard is idx / ShardSamples, data the bytes as encoded, label null for a set without labels, crc32c the Castagnoli
// checksum of data as an unsigned number.
//
//	datasets((dataset), split, complete, samples, bytes, crc32c, loaded_at, extent)
//
// tells which splits are there whole (see Loader.Load).
func loaderTables() []tableDef {
	text, bigint := backend.Column{Type: backend.Text, Native: "text"}, backend.Column{Type: backend.Int, Native: "bigint"}
	column := func(name string, c backend.Column) backend.Column {
		c.Name = name
		return c
	}
	return []tableDef{
		{
			name: "samples",
			columns: []backend.Column{
				column("dataset", text), column("split", text), column("shard", bigint), column("idx", bigint),
				{Name: "data", Type: backend.Blob, Native: "blob"},
				column("label", bigint), column("crc32c", bigint),
			},
			partition: []string{"dataset", "split", "shard"}, clustering: []string{"idx"},
		},
		{
			name: "datasets",
			columns: []backend.Column{
				column("dataset", text), column("split", text),
				{Name: "complete", Type: backend.Bool, Native: "boolean"},
				column("samples", bigint), column("bytes", bigint), column("crc32c", bigint),
				{Name: "loaded_at", Type: backend.Timestamp, Native: "timestamp"},
				column("extent", bigint),
			},
			partition: []string{"dataset"}, clustering: []string{"split"},
		},
	}
}

// createTables makes what is absent and checks what is there.
func (l *Loader) createTables(ctx context.Context) error {
	keyspace := l.options.Keyspace
	var there string
	err := l.session.Query(`SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?`, keyspace).ScanContext(ctx, &there)
	if err != nil { // not found, or asked of a node that cannot tell: the statement below knows
		err = l.insist(ctx, "create keyspace "+keyspace, `CREATE KEYSPACE IF NOT EXISTS `+quote(keyspace)+` WITH replication = `+l.replication())
		if err != nil {
			return err
		}
	}
	for _, def := range loaderTables() {
		if err := l.createTable(ctx, def); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loader) createTable(ctx context.Context, def tableDef) error {
	name := l.options.Keyspace + "." + def.name
	table, err := describe(ctx, l.session, l.options.Keyspace, def.name)
	if err != nil {
		return fail("describe table "+name, err)
	}
	if len(table.Partition) > 0 {
		return def.check(table)
	}
	return l.makeTable(ctx, l.options.Keyspace, def)
}

// check compares a table that is there with what is going to be written to it.
func (d tableDef) check(table *backend.Table) error {
	names := func(columns []backend.Column) (names []string) {
		for _, c := range columns {
			names = append(names, c.Name)
		}
		return names
	}
	doing := fmt.Sprintf("use table %s.%s", table.Keyspace, table.Name)
	if !slices.Equal(names(table.Partition), d.partition) || !slices.Equal(names(table.Clustering), d.clustering) {
		return fmt.Errorf("%s: %w: its primary key is ((%s), %s), not ((%s), %s)", doing, backend.ErrSourceInvalid,
			strings.Join(names(table.Partition), ", "), strings.Join(names(table.Clustering), ", "),
			strings.Join(d.partition, ", "), strings.Join(d.clustering, ", "))
	}
	for _, want := range d.columns {
		have, ok := table.Column(want.Name)
		switch {
		case !ok:
			return fmt.Errorf("%s: %w: it has no column %s %s", doing, backend.ErrSourceInvalid, want.Name, want.Native)
		case have.Type != want.Type:
			return fmt.Errorf("%s: %w: its column %s is %s, not %s", doing, backend.ErrSourceInvalid, want.Name, have.Native, want.Native)
		}
	}
	return nil
}

func (l *Loader) replication() string {
	if len(l.options.Replication) == 0 {
		return `{'class': 'SimpleStrategy', 'replication_factor': 1}`
	}
	var b strings.Builder
	b.WriteString(`{'class': 'NetworkTopologyStrategy'`)
	for dc, copies := range l.options.Replication {
		fmt.Fprintf(&b, `, '%s': %d`, strings.ReplaceAll(dc, "'", "''"), copies)
	}
	b.WriteString("}")
	return b.String()
}
