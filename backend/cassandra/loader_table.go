package cassandra

import (
	"context"
	"fmt"
	"strings"

	"forebay/backend"
)

// makeTable runs CREATE TABLE, again if it is not answered in time: a node may take longer for it than for an insert, and has made the table by then.
func (l *Loader) makeTable(ctx context.Context, keyspace string, def tableDef) error {
	var columns []string
	for _, c := range def.columns {
		columns = append(columns, quote(c.Name)+" "+c.Native)
	}
	key := []string{"(" + quoted(def.partition) + ")"}
	if len(def.clustering) > 0 {
		key = append(key, quoted(def.clustering))
	}
	return l.insist(ctx, "create table "+keyspace+"."+def.name, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.%s (%s, PRIMARY KEY (%s))`,
		quote(keyspace), quote(def.name), strings.Join(columns, ", "), strings.Join(key, ", ")))
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, quote(name))
	}
	return strings.Join(all, ", ")
}

// RowTable says which table rows are written to.
type RowTable struct {
	// Name is "table" in the loader's keyspace or "keyspace.table", spelled as stored.
	Name string
	// Create makes the table if it is absent, with Columns (those of the rows, in their order) and this primary key.
	Create                bool
	Columns               []backend.Column // Name and Native
	Partition, Clustering []string
}

// target finds the table, or makes it. made tells which.
func (l *Loader) target(ctx context.Context, t RowTable) (table *backend.Table, err error) {
	keyspace, name := l.options.Keyspace, t.Name
	if before, after, ok := strings.Cut(t.Name, "."); ok {
		keyspace, name = before, after
	}
	table, err = describe(ctx, l.session, keyspace, name)
	if err != nil {
		return nil, fail("describe table "+t.Name, err)
	}
	switch {
	case len(table.Partition) > 0:
		return table, nil
	case t.Create:
		def := tableDef{name: name, columns: t.Columns, partition: t.Partition, clustering: t.Clustering}
		if err := l.makeTable(ctx, keyspace, def); err != nil {
			return nil, err
		}
		if table, err = describe(ctx, l.session, keyspace, name); err != nil {
			return nil, fail("describe table "+t.Name, err)
		}
		return table, nil
	}
	others, err := tables(ctx, l.session, keyspace)
	if err != nil {
		return nil, fail("describe table "+t.Name, err)
	}
	has := "the keyspace " + keyspace + " is missing or empty"
	if len(others) > 0 {
		has = "the keyspace " + keyspace + " has " + strings.Join(others, ", ")
	}
	return nil, fmt.Errorf("find table %s: %w: %s", t.Name, backend.ErrNoTable, has)
}

// rowColumns are the table's columns for those of the rows, in their order, and where the key's are.
func rowColumns(table *backend.Table, names []string) (columns []backend.Column, key []int, err error) {
	refuse := func(format string, args ...any) ([]backend.Column, []int, error) {
		return nil, nil, fmt.Errorf("write table %s.%s: %w: %s", table.Keyspace, table.Name, backend.ErrSourceInvalid, fmt.Sprintf(format, args...))
	}
	at := map[string]int{}
	for i, name := range names {
		c, ok := table.Column(name)
		if !ok {
			return refuse("it has no column %q, but %s", name, columnNames(table))
		}
		if !writable(c.Native) {
			return refuse("its column %s is %s, which cannot be written from a file", name, c.Native)
		}
		columns = append(columns, c)
		at[name] = i
	}
	for _, c := range append(table.Partition[:len(table.Partition):len(table.Partition)], table.Clustering...) {
		i, ok := at[c.Name]
		if !ok {
			return refuse("the file has no column %q, which is part of the primary key", c.Name)
		}
		key = append(key, i)
	}
	return columns, key, nil
}

func columnNames(table *backend.Table) string {
	var names []string
	for _, of := range [][]backend.Column{table.Partition, table.Clustering, table.Regular} {
		for _, c := range of {
			names = append(names, c.Name+" "+c.Native)
		}
	}
	return strings.Join(names, ", ")
}
