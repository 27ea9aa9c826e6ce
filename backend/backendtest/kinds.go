package backendtest

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"forebay/backend"
)

// Kind is one column of a table that has every type, and a value of it.
type Kind struct {
	Column string
	Native string // Cassandra's type
	Type   backend.Type
	CQL    string // the value as a CQL literal
	Value  any    // the value as a Row has it
	Bind   bool   // the value can also be bound
}

// AllKinds lists a column for each type that can be read, and edge values of some.
func AllKinds() []Kind {
	return []Kind{
		{"c_ascii", "ascii", backend.Text, `'plain'`, "plain", true},
		{"c_text", "text", backend.Text, `'zwölf ''Boxkämpfer'''`, "zwölf 'Boxkämpfer'", true},
		{"c_text_empty", "text", backend.Text, `''`, "", false},
		{"c_tinyint", "tinyint", backend.Int, `-128`, int64(-128), true},
		{"c_smallint", "smallint", backend.Int, `-32768`, int64(-32768), true},
		{"c_int", "int", backend.Int, `-2147483648`, int64(-2147483648), true},
		{"c_bigint", "bigint", backend.Int, `-9223372036854775808`, int64(-9223372036854775808), true},
		{"c_varint", "varint", backend.Int, `-129`, int64(-129), true},
		{"c_varint_big", "varint", backend.Int, `9223372036854775807`, int64(9223372036854775807), true},
		{"c_float", "float", backend.Float, `1.5`, float64(1.5), true},
		{"c_double", "double", backend.Float, `-0.1`, float64(-0.1), true},
		{"c_boolean", "boolean", backend.Bool, `true`, true, true},
		{"c_blob", "blob", backend.Blob, `0x00ff10`, []byte{0, 255, 16}, true},
		{"c_blob_empty", "blob", backend.Blob, `0x`, []byte{}, false},
		{"c_uuid", "uuid", backend.UUID, `5b6962dd-3f90-4c93-8f61-eabfa4a803e2`, "5b6962dd-3f90-4c93-8f61-eabfa4a803e2", true},
		{"c_timeuuid", "timeuuid", backend.UUID, `50554d6e-29bb-11e5-b345-feff819cdc9f`, "50554d6e-29bb-11e5-b345-feff819cdc9f", true},
		{
			"c_timestamp", "timestamp", backend.Timestamp, `'2026-02-03T04:05:06.789Z'`,
			time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC), true,
		},
		{"c_list", "list<int>", backend.List, `[3, -1, 2]`, []any{int64(3), int64(-1), int64(2)}, false},
		{"c_set", "set<text>", backend.List, `{'a', 'b'}`, []any{"a", "b"}, false},
		{"c_frozen", "frozen<list<double>>", backend.List, `[0.5]`, []any{0.5}, false},
		{"c_vector", "vector<float, 3>", backend.List, `[1, 0.5, -2]`, []any{float64(1), 0.5, float64(-2)}, false},
		{"c_vector_text", "vector<text, 2>", backend.List, `['x', 'yz']`, []any{"x", "yz"}, false},
		{"c_vector_small", "vector<smallint, 2>", backend.List, `[7, -7]`, []any{int64(7), int64(-7)}, false},
	}
}

// KindsDDL and KindsRows make and fill the table: row "full" has every value, row "null" none, and for each kind that can be
// bound the table "kinds_<column>" has that column as its primary key.
func KindsDDL() []string {
	kinds := AllKinds()
	var cols, names, literals []string
	var ddl []string
	for _, k := range kinds {
		cols, names, literals = append(cols, k.Column+" "+k.Native), append(names, k.Column), append(literals, k.CQL)
		if k.Bind {
			ddl = append(ddl,
				"CREATE TABLE kinds_"+k.Column+" (p text, k "+k.Native+", v text, PRIMARY KEY (p, k))",
				"INSERT INTO kinds_"+k.Column+" (p, k, v) VALUES ('p', "+k.CQL+", 'found')")
		}
	}
	return append(ddl,
		"CREATE TABLE kinds (id text PRIMARY KEY, c_null int, c_decimal decimal, "+strings.Join(cols, ", ")+")",
		"INSERT INTO kinds (id, "+strings.Join(names, ", ")+") VALUES ('full', "+strings.Join(literals, ", ")+")",
		"INSERT INTO kinds (id) VALUES ('null')")
}

// Kinds checks that every type is described, read and bound as backend.Type says. The source's own keyspace holds what
// KindsDDL makes.
func Kinds(t *testing.T, src backend.Source) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	table, err := src.Table(ctx, "kinds")
	if err != nil {
		t.Fatalf("describe kinds: %v", err)
	}
	kinds := AllKinds()
	q := &backend.Select{Table: table, Columns: []string{"c_null"}, Where: []string{"id"}, MaxRows: 1}
	for _, k := range kinds {
		q.Columns = append(q.Columns, k.Column)
	}
	full, err := load(ctx, src, q, []any{"full"}, nil)
	if err != nil || len(full) != 1 {
		t.Fatalf("load full row: %d rows and %v", len(full), err)
	}
	empty, err := load(ctx, src, q, []any{"null"}, nil)
	if err != nil || len(empty) != 1 {
		t.Fatalf("load null row: %d rows and %v", len(empty), err)
	}
	equal(t, "null", full[0].Row[0], nil)
	for i, k := range kinds {
		t.Run(k.Column, func(t *testing.T) {
			c, _ := table.Column(k.Column)
			equal(t, "column", c, backend.Column{Name: k.Column, Type: k.Type, Native: k.Native})
			equal(t, "value", full[0].Row[i+1], k.Value)
			equal(t, "null", empty[0].Row[i+1], nil)
			if k.Bind {
				binds(t, ctx, src, k)
			}
		})
	}
	c, _ := table.Column("c_decimal")
	equal(t, "a type that cannot be read", c.Type, backend.Other)
	unreadable := &backend.Select{Table: table, Columns: []string{"c_decimal"}, Where: []string{"id"}, MaxRows: 1}
	if _, err := src.Prepare(ctx, unreadable); err == nil || !strings.Contains(err.Error(), "c_decimal") {
		t.Errorf("prepare of a decimal column gives %v, want an error that names it", err)
	}
}

func binds(t *testing.T, ctx context.Context, src backend.Source, k Kind) {
	t.Helper()
	table, err := src.Table(ctx, "kinds_"+k.Column)
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	one := &backend.Select{Table: table, Columns: []string{"v"}, Where: []string{"p", "k"}, MaxRows: 1}
	many := &backend.Select{Table: table, Columns: []string{"v"}, Where: []string{"p"}, In: "k", MaxRows: 8}
	want := []result{{0, backend.Row{"found"}}}
	got, err := load(ctx, src, one, []any{"p", k.Value}, nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("load by value: %v and %v", got, err)
	}
	got, err = load(ctx, src, many, []any{"p"}, []any{k.Value})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("load by list: %v and %v", got, err)
	}
	// A value that is not stored, and one that the type cannot have, are absent.
	for _, v := range []any{other(k.Value), extreme(k)} {
		got, err = load(ctx, src, one, []any{"p", v}, nil)
		if err != nil || len(got) != 0 {
			t.Errorf("load by %v: %v and %v, want nothing", v, got, err)
		}
	}
}

// other is a value of the same type that is not stored.
func other(v any) any {
	switch v := v.(type) {
	case string:
		if len(v) == 36 {
			return "b0b0b0b0-29bb-11e5-b345-feff819cdc9f"
		}
		return "another"
	case int64:
		return int64(17)
	case float64:
		return 0.25
	case bool:
		return !v
	case []byte:
		return bytes.Repeat([]byte{1}, 4)
	case time.Time:
		return v.Add(time.Millisecond)
	default:
		return nil
	}
}

// extreme is a value of the backend type that Cassandra's type cannot have, where there is one.
func extreme(k Kind) any {
	switch k.Native {
	case "ascii":
		return "zwölf"
	case "text":
		return "\xff"
	case "tinyint", "smallint", "int":
		return int64(1) << 40
	case "float":
		return 0.1
	case "timeuuid":
		return "5b6962dd-3f90-4c93-8f61-eabfa4a803e2"
	case "blob":
		return make([]byte, 1<<17)
	default:
		return other(k.Value)
	}
}
