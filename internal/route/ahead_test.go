package route_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/route"
)

// aheadSchema has a table p((a, shard), id) with an id of each type in a table of its own.
func aheadSchema() *schema {
	tables := map[string]*backend.Table{}
	for native, typ := range map[string]backend.Type{
		"bigint": backend.Int, "text": backend.Text, "uuid": backend.UUID, "blob": backend.Blob, "timestamp": backend.Timestamp,
	} {
		tables["by_"+native] = &backend.Table{
			Keyspace: "k", Name: "by_" + native,
			Partition:  []backend.Column{col("a", backend.Text, "text"), col("shard", backend.Int, "bigint")},
			Clustering: []backend.Column{col("id", typ, native)},
			Regular:    []backend.Column{col("data", backend.Blob, "blob")},
		}
	}
	return &schema{tables: tables}
}

func aheadSpec(table, key, shard, id string) route.Spec {
	return route.Spec{
		Name: "r", Key: key, Table: table, Value: "data", TTL: 1e9, ReadAhead: 1 << 20,
		Where: []route.Bind{{Column: "a", Expr: "{a}"}, {Column: "shard", Expr: shard}, {Column: "id", Expr: id}},
	}
}

func TestKeysOfRows(t *testing.T) {
	const uuid = "01234567-89ab-1def-8123-456789abcdef"
	for name, tt := range map[string]struct {
		spec  route.Spec
		asked string
		rows  map[any]string // the value of id, and the key; "" for none. Blobs are given as blob("…")
	}{
		"numbers": {aheadSpec("by_bigint", "k:{a}:{id:int}:x", "{id / 10}", "{id}"), "k:b:15:x", map[any]string{
			int64(10): "k:b:10:x", int64(19): "k:b:19:x", int64(20): "", int64(-1): "", nil: "", "12": "",
		}},
		"below zero":  {aheadSpec("by_bigint", "k:{a}:{id:int}", "{id / 10}", "{id}"), "k:b:-5", map[any]string{int64(-10): "k:b:-10", int64(0): ""}},
		"texts":       {aheadSpec("by_text", "k:{a}:{id}", "1", "{id}"), "k:b:x", map[any]string{"y": "k:b:y", "with:colon": "", "": ""}},
		"choices":     {aheadSpec("by_text", "k:{a}:{id:x|y}", "1", "{id}"), "k:b:x", map[any]string{"y": "k:b:y", "z": ""}},
		"rests":       {aheadSpec("by_text", "k:{a}:{id:rest}", "1", "{id}"), "k:b:x", map[any]string{"with:colon": "k:b:with:colon"}},
		"uuids":       {aheadSpec("by_uuid", "k:{id:uuid}:{a}", "1", "{id}"), "k:" + uuid + ":b", map[any]string{strings.Replace(uuid, "0", "f", 1): "k:f1234567-89ab-1def-8123-456789abcdef:b"}},
		"bytes":       {aheadSpec("by_blob", "k:{a}:{id:hex}", "1", "{id}"), "k:b:00", map[any]string{blob("\xff\x00"): "k:b:ff00", blob(""): ""}},
		"bytes, text": {aheadSpec("by_text", "k:{a}:{id:hex}", "1", "{id}"), "k:b:00", map[any]string{"ff0": "k:b:ff0", "FF": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			table := compile(t, tt.spec)
			if err := table.Bind(context.Background(), aheadSchema()); err != nil {
				t.Fatal(err)
			}
			var m route.Match
			if !table.Match(0, []byte(tt.asked), &m) {
				t.Fatal("the key has no route")
			}
			l := m.Route.Lookup(&m, []byte(tt.asked))
			n := table.Neighbours(&l, []byte(tt.asked))
			for in, want := range tt.rows {
				if b, ok := in.(blob); ok {
					in = []byte(b)
				}
				values, got := n.Row(backend.Row{[]byte("data"), in})
				if len(values) != 1 || fmt.Sprint(got) != fmt.Sprint(in) {
					t.Errorf("a row is split into %v and %v", values, got)
				}
				key, ok := n.Key(in)
				if ok != (want != "") || ok && string(key) != want {
					t.Errorf("%v: key %q, %t; want %q", in, key, ok, want)
				}
			}
		})
	}
}

type blob string

// A row's key belongs to the first route that matches it; if that is another, this route has no value for it.
func TestKeysOfAnEarlierRouteAreNotReadAhead(t *testing.T) {
	first := aheadSpec("by_bigint", "k:{a}:7", "1", "7")
	first.Name, first.ReadAhead = "seven", 0
	table := compile(t, first, aheadSpec("by_bigint", "k:{a}:{id:int}", "{id / 10}", "{id}"))
	if err := table.Bind(context.Background(), aheadSchema()); err != nil {
		t.Fatal(err)
	}
	var m route.Match
	table.Match(0, []byte("k:b:6"), &m)
	l := m.Route.Lookup(&m, []byte("k:b:6"))
	n := table.Neighbours(&l, []byte("k:b:6"))
	if key, ok := n.Key(int64(7)); ok {
		t.Errorf("row 7 has the key %q, which another route answers", key)
	}
	if _, ok := n.Key(int64(8)); !ok {
		t.Error("row 8 has no key")
	}
}

func TestRoutesThatCannotReadAhead(t *testing.T) {
	single := route.Spec{
		Name: "r", Key: "k:{a}", Table: "one", Value: "data", TTL: 1e9, ReadAhead: 1,
		Where: []route.Bind{{Column: "a", Expr: "{a}"}},
	}
	for name, tt := range map[string]struct {
		spec route.Spec
		want string
	}{
		"a calculation":         {aheadSpec("by_bigint", "k:{a}:{id:int}", "1", "{id % 10}"), `id is bound by "{id % 10}", from which no key can be made back`},
		"a constant":            {aheadSpec("by_bigint", "k:{a}", "1", "1"), "are not told apart by the key"},
		"no clustering column":  {single, "are not told apart by the key"},
		"a part that is mixed":  {aheadSpec("by_bigint", "k:{a}:{s:int}:{id:int}", "{s / 2}", "{id}"), "part s of the key is bound to no column alone"},
		"text around the part":  {aheadSpec("by_text", "k:{a}:{id}", "1", "x-{id}"), "from which no key can be made back"},
		"a type without a form": {aheadSpec("by_timestamp", "k:{a}:{id:int}", "1", "{id}"), "id is timestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			src := aheadSchema()
			src.tables["one"] = &backend.Table{Keyspace: "k", Name: "one", Partition: []backend.Column{col("a", backend.Text, "text")}, Regular: []backend.Column{col("data", backend.Blob, "blob")}}
			err := compile(t, tt.spec).Bind(context.Background(), src)
			if err == nil || !strings.Contains(err.Error(), "read_ahead: ") || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want one line with %q", err, tt.want)
			}
		})
	}
}
