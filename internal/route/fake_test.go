package route_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"forebay/backend"
	"forebay/internal/route"
)

// schema is a source that knows tables and has no rows.
type schema struct {
	tables   map[string]*backend.Table
	results  []backend.Column // of a cql query
	err      error            // of every call, if not nil
	prepared []*backend.Select
}

var _ backend.Source = (*schema)(nil)

func (s *schema) Table(_ context.Context, name string) (*backend.Table, error) {
	if s.err != nil {
		return nil, s.err
	}
	if t := s.tables[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("describe %s: %w", name, backend.ErrNoTable)
}

func (s *schema) Prepare(_ context.Context, q *backend.Select) ([]backend.Column, error) {
	if s.err != nil {
		return nil, s.err
	}
	s.prepared = append(s.prepared, q)
	if q.CQL != "" {
		return s.results, nil
	}
	var cols []backend.Column
	for _, name := range q.Columns {
		c, ok := q.Table.Column(name)
		if !ok {
			return nil, fmt.Errorf("no column %s", name)
		}
		cols = append(cols, c)
	}
	return cols, nil
}

func (s *schema) Load(context.Context, *backend.Select, []any, []any, func(int, backend.Row) error) error {
	return s.err
}

func (s *schema) Ping(context.Context) error { return s.err }

func (s *schema) Close() {}

func col(name string, typ backend.Type, native string) backend.Column {
	return backend.Column{Name: name, Type: typ, Native: native}
}

func testSchema() *schema {
	every := []backend.Column{
		col("c_text", backend.Text, "text"), col("c_ascii", backend.Text, "ascii"), col("c_tiny", backend.Int, "tinyint"),
		col("c_int", backend.Int, "int"), col("c_big", backend.Int, "bigint"), col("c_float", backend.Float, "float"),
		col("c_double", backend.Float, "double"), col("c_bool", backend.Bool, "boolean"), col("c_blob", backend.Blob, "blob"),
		col("c_uuid", backend.UUID, "uuid"), col("c_timeuuid", backend.UUID, "timeuuid"), col("c_time", backend.Timestamp, "timestamp"),
		col("c_list", backend.List, "list<float>"), col("c_map", backend.Other, "map<text, int>"),
	}
	s := &schema{
		tables: map[string]*backend.Table{
			"samples": {
				Keyspace: "ml", Name: "samples",
				Partition: []backend.Column{
					col("dataset", backend.Text, "text"), col("split", backend.Text, "text"), col("shard", backend.Int, "int"),
				},
				Clustering: []backend.Column{col("idx", backend.Int, "bigint")},
				Regular:    []backend.Column{col("data", backend.Blob, "blob"), col("label", backend.Int, "bigint")},
			},
			"media.images": {
				Keyspace: "media", Name: "images",
				Partition: []backend.Column{col("id", backend.UUID, "uuid")},
				Regular:   []backend.Column{col("jpeg", backend.Blob, "blob"), col("tags", backend.Other, "map<text, int>")},
			},
			"deep": {
				Keyspace: "ml", Name: "deep",
				Partition:  []backend.Column{col("p", backend.Int, "int")},
				Clustering: []backend.Column{col("a", backend.Text, "text"), col("b", backend.Int, "int"), col("c", backend.Text, "text")},
				Regular:    []backend.Column{col("v", backend.Blob, "blob")},
			},
			// values has a column of every type; by_TYPE has it as its partition key.
			"values": {
				Keyspace: "ml", Name: "values",
				Partition: []backend.Column{col("id", backend.Int, "bigint")}, Regular: every,
			},
		},
		results: []backend.Column{col("v", backend.Blob, "blob")},
	}
	for _, c := range every {
		s.tables["by_"+c.Name] = &backend.Table{
			Keyspace: "ml", Name: "by_" + c.Name,
			Partition: []backend.Column{c}, Regular: []backend.Column{col("v", backend.Blob, "blob")},
		}
	}
	return s
}

// bound binds the table to the test schema.
func bound(t testing.TB, table *route.Table) *schema {
	t.Helper()
	s := testSchema()
	if err := table.Bind(context.Background(), s); err != nil {
		t.Fatalf("Bind: %v", err)
	}
	return s
}

// lookup matches a key and looks it up.
func lookup(t testing.TB, table *route.Table, key string) route.Lookup {
	t.Helper()
	k := []byte(key)
	var m route.Match
	if !table.Match(0, k, &m) {
		t.Fatalf("no route for %q", key)
	}
	l := m.Route.Lookup(&m, k)
	clear(k) // whatever still holds on to the key would show it
	return l
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
