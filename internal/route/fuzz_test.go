package route_test

import (
	"bytes"
	"testing"
	"time"

	"forebay/internal/route"
)

// FuzzPattern compiles any pattern and matches any key: neither may panic, and a match must be one reading of the key, also when
// the key's memory is cut off or followed by other bytes.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{
		{"mnist:{split:train|test}:{idx:int}", "mnist:train:5"},
		{"{{x}}:{a}-{b:hex}.npy", "{x}:a-ff.npy"},
		{"u:{id:uuid}:{r:rest}", "u:01234567-89ab-cdef-0123-456789abcdef:a:b"},
		{"{a}--{b}", "---"},
		{"{x}:{y}::", "xxx::"},
		{"{a:int}-{b:int}", "-5--3"},
		{"{x:a|ab|}b{y}", "ab"},
		{"a:{x", "a:"},
		{"}}{{", "}{"},
		{"{a:int}", "9223372036854775808"},
		{"é{a}\xff{b}", "é1\xff2"},
	} {
		f.Add(s[0], []byte(s[1]))
	}
	f.Fuzz(func(t *testing.T, pattern string, key []byte) {
		table, err := route.Compile([]route.Spec{spec("r", pattern)})
		if err != nil {
			return
		}
		var m route.Match
		ok := table.Match(0, key, &m)
		if ok != table.Match(0, append(bytes.Clone(key), "0123:ab"...)[:len(key)], &m) {
			t.Fatalf("%q looks beyond the key %q", pattern, key)
		}
		if ok && !bytes.HasPrefix(key, []byte(m.Route.Prefix())) {
			t.Fatalf("%q matches %q without its prefix", pattern, key)
		}
		if _, err := table.Explain(0, key); (err == nil) != ok {
			t.Fatalf("%q, %q: matched %v but Explain says %v", pattern, key, ok, err)
		}
	})
}

// FuzzExpr compiles any expression and evaluates it for two keys of different length.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{
		"{idx}", "{idx / 1024}", "{ idx%7 }", "shard-{idx / 1024}-{name}", "{{{idx + 1}}}", "{idx * 9223372036854775807}",
		"{idx - 9223372036854775807}", "{idx / 00}", "{idx / 2 / 3}", "{", "}}", "literal", "",
	} {
		f.Add(s, int64(-1))
	}
	f.Fuzz(func(t *testing.T, expr string, n int64) {
		s := spec("r", "k:{idx:int}:{name}")
		s.Value, s.Table, s.CQL, s.Where = "", "", "SELECT v FROM t WHERE a = :a", []route.Bind{{Column: "a", Expr: expr}}
		s.TTL = time.Second
		table, err := route.Compile([]route.Spec{s})
		if err != nil {
			return
		}
		bound(t, table)
		l := lookup(t, table, "k:"+itoa(n)+":x")
		if len(l.Where) != 1 || l.Where[0] == nil {
			t.Fatalf("%q of %d gives %v", expr, n, l.Where)
		}
	})
}

// FuzzCQL reads any text for its markers.
func FuzzCQL(f *testing.F) {
	for _, s := range []string{
		"SELECT v FROM t WHERE a = :idx", "select ':x' -- :y\n from t where a=:idx and b=:idx", "SELECT $$:x$$ /* :y */ FROM \"t:z\"",
		"SELECT v FROM t;", "SELECT '", "SELECT 'it''s' FROM t WHERE a = :", "SELECT a[:idx] FROM t", "/", "--", "$$",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cql string) {
		s := spec("r", "k:{idx:int}")
		s.Value, s.Table, s.CQL, s.Where = "", "", cql, nil
		if table, err := route.Compile([]route.Spec{s}); err == nil {
			bound(t, table)
			lookup(t, table, "k:1")
		}
	})
}
