package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"forebay/config"
	"forebay/internal/route"
)

func TestSpecsOfTheContractsExample(t *testing.T) {
	c, err := config.Load("testdata/contract.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []route.Spec{
		{
			Name: "mnist", Key: "mnist:{split:train|test}:{idx:int}", Table: "samples", Value: "data",
			Where: []route.Bind{
				{Column: "dataset", Expr: "mnist"},
				{Column: "split", Expr: "{split}"},
				{Column: "shard", Expr: "{idx / 1024}"},
				{Column: "idx", Expr: "{idx}"},
			},
			TTL: time.Hour, Jitter: 0.1, AbsentTTL: 5 * time.Second,
		},
		{
			Name: "mnist-pickled", Key: "mnist:{split:train|test}:{idx:int}:sample", Table: "images",
			Where: []route.Bind{{Column: "split", Expr: "{split}"}, {Column: "id", Expr: "{idx}"}},
			Encode: &route.Encode{Format: "pickle", Fields: []route.Field{
				{Name: "image", Column: "pixels", DType: "uint8", Shape: []int{28, 28}}, {Name: "label", Column: "label"},
			}},
			TTL: time.Hour, Jitter: 0.1, AbsentTTL: 5 * time.Second,
		},
		{
			Name: "mnist-whole", Key: "mnist:{split:train|test}:images", TTL: 6 * time.Hour, Jitter: 0.1, AbsentTTL: 5 * time.Second,
			Object: &route.ObjectSpec{Dataset: "mnist", Name: "{split}-images"},
		},
		{
			Name: "user-features", Key: "user:{id:int}:features", Table: "features.users", TTL: 15 * time.Minute, Jitter: 0.1, AbsentTTL: 5 * time.Second, Sliding: true,
			Where: []route.Bind{{Column: "user_id", Expr: "{id}"}}, Hash: []string{"age", "country", "embedding"},
		},
		{
			Name: "images", Key: "img:{id:uuid}", Table: "media.images", Value: "jpeg",
			Where: []route.Bind{{Column: "id", Expr: "{id}"}}, TTL: time.Hour, Jitter: 0.1, AbsentTTL: 5 * time.Second,
		},
	}
	if got := c.Specs(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	object, hash := c.Routes[2], c.Routes[3]
	if object.Object == nil || *object.Object != (config.Object{Dataset: "mnist", Name: "{split}-images"}) || object.TTL != 6*time.Hour {
		t.Errorf("object route %+v", object)
	}
	if !reflect.DeepEqual(hash.Hash, []string{"age", "country", "embedding"}) || hash.TTL != 15*time.Minute || !hash.Sliding {
		t.Errorf("hash route %+v", hash)
	}
}

// oneRoute is a file whose only route has the lines given beside a name and key.
func oneRoute(lines string) string {
	return "routes:\n  - name: r\n    key: \"k:{a}\"\n    " + strings.ReplaceAll(lines, "\n", "\n    ") + "\n"
}

func TestRouteForms(t *testing.T) {
	const where = "table: t\nwhere: {a: \"{a}\"}\n"
	tests := map[string]struct {
		lines string
		want  route.Spec // Name, Key, Table, Where, TTL and Jitter are filled in where they are zero
	}{
		"raw":       {where + "value: v\nencode: raw\ndb: 3", route.Spec{Value: "v", DB: 3}},
		"npy":       {where + "encode: {npy: {column: c, dtype: <f4, shape: [-1, 2]}}", route.Spec{Encode: &route.Encode{Format: "npy", Fields: []route.Field{{Column: "c", DType: "<f4", Shape: []int{-1, 2}}}}}},
		"one shape": {where + "encode: {npy: {column: c, dtype: bool, shape: 4}}", route.Spec{Encode: &route.Encode{Format: "npy", Fields: []route.Field{{Column: "c", DType: "bool", Shape: []int{4}}}}}},
		"bare":      {where + "encode: {pickle: {column: c}}", route.Spec{Encode: &route.Encode{Format: "pickle", Fields: []route.Field{{Column: "c"}}}}},
		"an entry called column": {where + "encode: {pickle: {column: {column: c}}}", route.Spec{Encode: &route.Encode{
			Format: "pickle", Fields: []route.Field{{Name: "column", Column: "c"}},
		}}},
		"cql": {"cql: \"SELECT v FROM t WHERE a = :a\"", route.Spec{CQL: "SELECT v FROM t WHERE a = :a"}},
		"cql with values": {"cql: |-\n  select v\n  from t where a = :x\nwhere: {x: 5}\nvalue: v", route.Spec{
			CQL: "select v\nfrom t where a = :x", Value: "v", Where: []route.Bind{{Column: "x", Expr: "5"}},
		}},
		"ttl":         {where + "value: v\nttl: 1d12h", route.Spec{Value: "v", TTL: 36 * time.Hour}},
		"ttl after":   {where + "value: v\nttl: {after: 5s}", route.Spec{Value: "v", TTL: 5 * time.Second}},
		"absent_ttl":  {where + "value: v\nabsent_ttl: 2s", route.Spec{Value: "v", AbsentTTL: 2 * time.Second}},
		"no markers":  {where + "value: v\nabsent_ttl: 0", route.Spec{Value: "v"}},
		"ttl sliding": {where + "value: v\nttl: {sliding: true}", route.Spec{Value: "v", Sliding: true}},
		"ttl with ages": {where + "value: v\nttl: {after: 1h, refresh_ahead: 5m, stale_while_revalidate: 1m, stale_if_error: 30m}", route.Spec{
			Value: "v", TTL: time.Hour, RefreshAhead: 5 * time.Minute, StaleWhileRevalidate: time.Minute, StaleIfError: 30 * time.Minute,
		}},
		"ttl of the defaults, with ages": {where + "value: v\nttl: {refresh_ahead: 10%, stale_if_error: 0}", route.Spec{Value: "v", RefreshAhead: 6 * time.Second}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := tt.want
			want.Name, want.Key, want.Jitter = "r", "k:{a}", 0.2
			if want.CQL == "" {
				want.Table, want.Where = "t", []route.Bind{{Column: "a", Expr: "{a}"}}
			}
			if want.TTL == 0 {
				want.TTL = time.Minute
			}
			if !strings.Contains(tt.lines, "absent_ttl") {
				want.AbsentTTL = 5 * time.Second
			}
			c := loaded(t, "defaults: {ttl: 1m, jitter: 20%}\n"+oneRoute(tt.lines), nil, nil)
			if got := c.Specs(); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// Each route has one mistake, told in one line.
func TestRouteMistakes(t *testing.T) {
	const where = "table: t\nwhere: {a: \"{a}\"}\n"
	const encode = where + "encode: "
	tests := map[string]struct{ lines, want string }{
		"unknown key":        {"tabel: t\nwhere: {a: b}\nvalue: v", `forebay.yaml:4: routes[0].tabel: unknown key; did you mean "table"?`},
		"no form":            {"value: v", "routes[0].table: want table and where, or cql, or object"},
		"no where":           {"table: t\nvalue: v", "routes[0].where: want the columns that find the row"},
		"no value":           {where, "routes[0].value: want exactly one of value, encode and hash"},
		"two values":         {encode + "{npy: {column: c, dtype: u1}}\nvalue: v", "routes[0].value: want exactly one of"},
		"unquoted part":      {"table: t\nwhere: {a: {idx}}\nvalue: v", `forebay.yaml:5: routes[0].where.a: a mapping: want one value; quote the braces: "{idx}"`},
		"column twice":       {"table: t\nwhere: {a: b, a: c}\nvalue: v", "routes[0].where.a: want it once"},
		"bad table":          {"table: a.b.c\nwhere: {a: b}\nvalue: v", `forebay.yaml:4: routes[0].table: "a.b.c": want table or keyspace.table`},
		"a write":            {"cql: DELETE FROM t WHERE a = :a", "want one SELECT: Forebay never writes"},
		"cql and table":      {where + "value: v\ncql: SELECT v FROM t", "routes[0].table: want no table beside cql"},
		"cql, two values":    {"cql: SELECT v FROM t\nvalue: v\nencode: {pickle: {column: c}}", "want value or encode, not both"},
		"object and value":   {"object: {dataset: a, name: b}\nvalue: v", "routes[0].value: want no value beside object"},
		"half an object":     {"object: {dataset: a}", `routes[0].object.name: "": want text`},
		"ttl of 0":           {where + "value: v\nttl: 0s", "forebay.yaml:7: routes[0].ttl: 0s: want 1ms to 30d"},
		"ttl after 31 days":  {where + "value: v\nttl:\n  sliding: true\n  after: 31d", "forebay.yaml:9: routes[0].ttl.after: 31d: want 1ms to 30d"},
		"ttl that is empty":  {where + "value: v\nttl: {}", "routes[0].ttl: 0s: want 1ms to 30d"},
		"ttl that is text":   {where + "value: v\nttl: {after: soon}", `routes[0].ttl.after: "soon": want a duration`},
		"sliding with ages":  {where + "value: v\nttl: {sliding: true, stale_if_error: 1m}", "routes[0].ttl.stale_if_error: 1m: want no stale_if_error beside sliding"},
		"ahead of all":       {where + "value: v\nttl: {after: 10s, refresh_ahead: 9s}", "routes[0].ttl.refresh_ahead: 9s: want less than 9s, the shortest TTL that defaults.jitter leaves"},
		"ahead by too much":  {where + "value: v\nttl: {refresh_ahead: 95%}", "routes[0].ttl.refresh_ahead: 95%: want 0 (none), or 1ms to 30d, or up to 90%"},
		"ahead of text":      {where + "value: v\nttl: {refresh_ahead: soon}", `routes[0].ttl.refresh_ahead: "soon": want a duration such as 5m, or a part such as 10%`},
		"stale for ever":     {where + "value: v\nttl: {stale_while_revalidate: 31d}", "routes[0].ttl.stale_while_revalidate: 31d: want 0 (none), or 1ms to 30d"},
		"an object's ages":   {"object: {dataset: a, name: b}\nttl: {stale_while_revalidate: 1m}", "routes[0].ttl.stale_while_revalidate: 1m: want it on routes of rows only"},
		"bad db":             {where + "value: v\ndb: -1", "routes[0].db: -1: want 0 to 16383"},
		"unknown encoding":   {encode + "json", `routes[0].encode: "json": want raw, {npy: {column, dtype, shape}}`},
		"two encodings":      {encode + "{npy: {column: c}, pickle: {column: c}}", "routes[0].encode: a mapping: want raw, {npy"},
		"misspelt encoding":  {encode + "{pikle: {column: c}}", `did you mean "pickle"?`},
		"npy without dtype":  {encode + "{npy: {column: c}}", "routes[0].encode.npy.dtype: want a NumPy type"},
		"npy without column": {encode + "{npy: {dtype: u1}}", `routes[0].encode.npy.column: "": want a column's name`},
		"a bad dtype":        {encode + "{npy: {column: c, dtype: \"u 1\"}}", `routes[0].encode.npy.dtype: "u 1": want a NumPy type`},
		"an empty dict":      {encode + "{pickle: {}}", "routes[0].encode.pickle: want at least one column"},
		"an entry of text":   {encode + "{pickle: {image: pixels}}", `routes[0].encode.pickle.image: "pixels": want a mapping`},
		"an entry of nought": {encode + "{pickle: {image: }}", "routes[0].encode.pickle.image: nothing: want {column"},
		"an unnamed entry":   {encode + "{pickle: {\"\": {column: c}}}", "want a name for each entry"},
		"a shape alone":      {encode + "{pickle: {column: c, shape: [2]}}", "routes[0].encode.pickle.shape: [2]: want dtype beside shape"},
		"two open sides":     {encode + "{npy: {column: c, dtype: u1, shape: [-1, -1]}}", "at most one of them -1"},
		"a side of 0":        {encode + "{npy: {column: c, dtype: u1, shape: [0]}}", "want dimensions of 1 or more"},
		"a side of text":     {encode + "{npy: {column: c, dtype: u1, shape: [a]}}", `shape: "a": want a whole number`},
		"a vast array":       {encode + "{npy: {column: c, dtype: u1, shape: [65536, 65536]}}", "want at most 2147483647 elements"},
		"hash with nothing":  {where + "hash: [a, a]", `routes[0].hash: "a": want each only once`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, lines := parse(t, oneRoute(tt.lines), nil, nil)
			if len(lines) != 1 || !strings.Contains(lines[0], tt.want) {
				t.Errorf("got:\n%s\nwant: %s", strings.Join(lines, "\n"), tt.want)
			}
		})
	}
}

func TestRoutesTogether(t *testing.T) {
	one := func(name, key string) string {
		return "  - {name: \"" + name + "\", key: \"" + key + "\", table: t, where: {a: b}, value: v}\n"
	}
	tests := map[string]struct {
		text string
		want []string // parts of the problems, in order
	}{
		"same name":    {"routes:\n" + one("a", "a:{x}") + one("b", "b:{x}") + one("a", "c:{x}"), []string{`forebay.yaml:4: routes[2].name: "a": want a name of its own; routes[0] has it`}},
		"same key":     {"routes:\n" + one("a", "a:{x}") + one("b", "a:{x}"), []string{`routes[1].key: "a:{x}": want a pattern of its own`}},
		"no names":     {"routes:\n" + one("", "a:{x}") + one("", "b:{x}"), []string{"routes[0].name", "routes[1].name"}},
		"no key":       {"routes:\n" + one("a", ""), []string{"routes[0].key: \"\": want a pattern"}},
		"not a list":   {"routes: {name: a}", []string{"routes: a mapping: want a list of routes"}},
		"a scalar":     {"routes: [a]", []string{`routes[0]: "a": want a mapping`}},
		"nothing":      {"routes:\n  -\n", []string{"routes[0]: nothing: want a route"}},
		"no keyspace":  {"source: {cassandra: {hosts: [\"h:1\"]}}\nroutes:\n" + one("a", "a"), []string{`routes[0].table: "t": want keyspace.table`}},
		"object alike": {"source: {cassandra: {hosts: [\"h:1\"]}}\nroutes:\n  - {name: a, key: a, object: {dataset: d, name: n}}", []string{"routes[0].object: want source.cassandra.keyspace"}},
		"two of a kind in one route": {
			"routes:\n  - {name: A, key: a, table: t, value: v, ttl: 40d}",
			[]string{"routes[0].where", "routes[0].name", "routes[0].ttl"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, lines := parse(t, tt.text, nil, nil)
			if len(lines) != len(tt.want) {
				t.Fatalf("got:\n%s", strings.Join(lines, "\n"))
			}
			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("got %s\nwant %s", lines[i], want)
				}
			}
		})
	}
	loaded(t, "routes:\n"+one("a", "a:{x}")+"  - {name: b, key: \"a:{x}\", db: 1, table: t, where: {a: b}, value: v}\n", nil, nil)
}
