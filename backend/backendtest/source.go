package backendtest

import (
	"errors"
	"testing"

	"forebay/backend"
)

// Source runs the suite. open is called once a test.
func Source(t *testing.T, open func(t *testing.T) Fixture) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"a table is described", describes},
		{"a qualified name is the same table", qualified},
		{"an unknown table is ErrNoTable", unknownTable},
		{"prepare gives the result columns", prepares},
		{"prepare refuses what is not there", refuses},
		{"a row is loaded with its values", loadsOne},
		{"an absent row is not reported", absentOne},
		{"rows of a partition are loaded by index", loadsMany},
		{"absent rows among many are not reported", absentAmongMany},
		{"a row asked for twice is reported twice", duplicates},
		{"no rows asked for are no rows", none},
		{"a partition is loaded whole", partition},
		{"a partition is loaded from a row on", partitionFrom},
		{"values no row can have are absent", impossible},
		{"rows are owned by who receives them", owned},
		{"columns come in the order asked for", ordered},
		{"an error of the receiver ends the load", stops},
		{"a context that is over is ErrSourceTimeout", cancelled},
		{"concurrent loads do not mix", concurrent},
		{"cql is run or refused", cql},
		{"ping answers, and after close does not", pings},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t)
			t.Cleanup(f.Source.Close)
			f.check(t)
			test.run(t, f)
		})
	}
}

func (f Fixture) table(t *testing.T) *backend.Table {
	t.Helper()
	table, err := f.Source.Table(f.context(t), f.Table)
	if err != nil {
		t.Fatalf("describe %s: %v", f.Table, err)
	}
	return table
}

// one selects a single row, many rows of one partition by idx.
func (f Fixture) one(t *testing.T) *backend.Select {
	t.Helper()
	return &backend.Select{
		Table: f.table(t), Columns: []string{"data", "label", "crc32c"}, Where: append(partitionKey(), "idx"), MaxRows: 1,
	}
}

func (f Fixture) many(t *testing.T) *backend.Select {
	t.Helper()
	return &backend.Select{
		Table: f.table(t), Columns: []string{"data", "label", "crc32c"}, Where: partitionKey(), In: "idx", MaxRows: 1024,
	}
}

func describes(t *testing.T, f Fixture) {
	table := f.table(t)
	for _, part := range []struct {
		name string
		got  []backend.Column
		want []string
	}{{"partition", table.Partition, partitionKey()}, {"clustering", table.Clustering, []string{"idx"}}} {
		var got []string
		for _, c := range part.got {
			got = append(got, c.Name)
		}
		equal(t, part.name+" key", got, part.want)
	}
	for name, want := range map[string]backend.Type{
		"dataset": backend.Text, "split": backend.Text, "shard": backend.Int, "idx": backend.Int,
		"data": backend.Blob, "label": backend.Int, "crc32c": backend.Int,
	} {
		c, ok := table.Column(name)
		if !ok || c.Type != want || c.Native == "" {
			t.Errorf("column %s is %+v (found %v), want type %v and a native name", name, c, ok, want)
		}
	}
}

func qualified(t *testing.T, f Fixture) {
	table := f.table(t)
	again, err := f.Source.Table(f.context(t), table.Keyspace+"."+table.Name)
	if err != nil {
		t.Fatalf("describe by qualified name: %v", err)
	}
	equal(t, "table", again, table)
}

func unknownTable(t *testing.T, f Fixture) {
	for _, name := range []string{"no_such_table", "no_such_keyspace.samples"} {
		if _, err := f.Source.Table(f.context(t), name); !errors.Is(err, backend.ErrNoTable) {
			t.Errorf("Table(%q) gives %v, want ErrNoTable", name, err)
		}
	}
}

func prepares(t *testing.T, f Fixture) {
	for name, q := range map[string]*backend.Select{"one": f.one(t), "many": f.many(t)} {
		cols, err := f.Source.Prepare(f.context(t), q)
		if err != nil {
			t.Fatalf("prepare %s: %v", name, err)
		}
		var names []string
		var types []backend.Type
		for _, c := range cols {
			names, types = append(names, c.Name), append(types, c.Type)
		}
		equal(t, name+" names", names, q.Columns)
		equal(t, name+" types", types, []backend.Type{backend.Blob, backend.Int, backend.Int})
	}
}

func refuses(t *testing.T, f Fixture) {
	for name, change := range map[string]func(*backend.Select){
		"column": func(q *backend.Select) { q.Columns = []string{"no_such_column"} },
		"where":  func(q *backend.Select) { q.Where = append(partitionKey(), "no_such_column") },
		"in":     func(q *backend.Select) { q.In, q.Where = "no_such_column", partitionKey() },
		"scan":   func(q *backend.Select) { q.Where = []string{"dataset", "idx"} },
	} {
		q := f.one(t)
		change(q)
		if _, err := f.Source.Prepare(f.context(t), q); !errors.Is(err, backend.ErrSourceInvalid) {
			t.Errorf("prepare with a wrong %s gives %v, want ErrSourceInvalid", name, err)
		}
	}
}

func pings(t *testing.T, f Fixture) {
	if err := f.Source.Ping(f.context(t)); err != nil {
		t.Fatalf("ping: %v", err)
	}
	f.Source.Close()
	if err := f.Source.Ping(f.context(t)); !errors.Is(err, backend.ErrSourceDown) {
		t.Errorf("ping after close gives %v, want ErrSourceDown", err)
	}
}
