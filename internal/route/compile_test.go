package route_test

import (
	"math"
	"strings"
	"testing"

	"forebay/internal/route"
)

func TestCompileRefusesSpecs(t *testing.T) {
	array := func(dtype string, shape ...int) route.Field {
		return route.Field{Column: "data", DType: dtype, Shape: shape}
	}
	tests := []struct {
		name   string
		change func(s *route.Spec)
		want   string
	}{
		{"no name", func(s *route.Spec) { s.Name = "" }, "route 1 (no name): name: missing"},
		{"negative db", func(s *route.Spec) { s.DB = -1 }, "db: -1 is below 0"},
		{"no ttl", func(s *route.Spec) { s.TTL = 0 }, "ttl: 0s is not above 0"},
		{"jitter", func(s *route.Spec) { s.Jitter = 0.6 }, "jitter: 0.6 is not between 0 and 50%"},
		{"jitter is no number", func(s *route.Spec) { s.Jitter = math.NaN() }, "jitter: NaN"},
		{"neither table nor cql", func(s *route.Spec) { s.Table = "" }, "table: missing"},
		{"table and cql", func(s *route.Spec) { s.CQL = "SELECT a FROM b" }, "cql: stands in for table and where"},
		{"no where", func(s *route.Spec) { s.Where = nil }, "where: missing"},
		{"column twice", func(s *route.Spec) { s.Where = append(s.Where, s.Where[0]) }, "where: column id stands twice"},
		{"no value", func(s *route.Spec) { s.Value = "" }, "value: missing"},
		{"value and encode", func(s *route.Spec) { s.Encode = &route.Encode{Format: "npy", Fields: []route.Field{array("u1")}} }, "encode: stands in for value"},
		{"format", encode("arrow", array("u1")), `unknown format "arrow"; allowed are raw, npy, pickle`},
		{"npy of two columns", encode("npy", array("u1"), array("u1")), "encode npy: takes exactly one column"},
		{"npy without a dtype", encode("npy", array("")), "encode npy: dtype: missing"},
		{"pickle of nothing", encode("pickle"), "encode pickle: has no fields"},
		{"dict entry without a name", encode("pickle", array("u1"), route.Field{Name: "b", Column: "b"}), "a field has no name"},
		{"dict entry twice", encode("pickle", route.Field{Name: "b", Column: "b"}, route.Field{Name: "b", Column: "c"}), `field "b" stands twice`},
		{"field without a column", encode("pickle", route.Field{Name: "b"}), "encode pickle b: column: missing"},
		{"dtype", encode("npy", array("uint7")), `dtype: unknown type "uint7"; allowed are bool, int8`},
		{"shape without a dtype", encode("pickle", array("", 3)), "shape: needs a dtype"},
		{"two open dimensions", encode("npy", array("u1", -1, -1)), "more than one -1"},
		{"a dimension of zero", encode("npy", array("u1", 0)), "0 is not above 0"},
		{"a shape too large", encode("npy", array("u1", 1<<16, 1<<16)), "is over 2 GiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := spec("r", "k:{x:int}")
			tt.change(&s)
			_, err := route.Compile([]route.Spec{s})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func encode(format string, fields ...route.Field) func(*route.Spec) {
	return func(s *route.Spec) { s.Value, s.Encode = "", &route.Encode{Format: format, Fields: fields} }
}

func TestCompileRefusesExpressions(t *testing.T) {
	for expr, want := range map[string]string{
		"":                 "the expression is empty",
		"{idy}":            `the key has no part "idy"; did you mean {idx}?`,
		"{other}":          `the key has no part "other"; its parts are idx, name`,
		"{}":               "{} does not begin with the name of a part",
		"{idx / 0}":        "divides by zero",
		"{idx % 0}":        "divides by zero",
		"{idx ^ 2}":        "{idx ^ 2} is not understood",
		"{idx / 2 / 3}":    `"2 / 3" after / is no whole number`,
		"{idx / }":         `"" after / is no whole number`,
		"{idx / -2}":       `"-2" after / is no whole number`,
		"{idx / 1.5}":      `"1.5" after / is no whole number`,
		"{name / 2}":       "part name is text and only an int can be calculated with; write {name:int} in the key",
		"{idx":             `column 1: "{" is not closed`,
		"shard-{idx / 2}}": `column 16: "}" without`,
		"idx}":             `column 4: "}" without`,
	} {
		s := spec("r", "k:{idx:int}:{name}")
		s.Where = []route.Bind{{Column: "id", Expr: expr}}
		_, err := route.Compile([]route.Spec{s})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `route "r": where id`) {
			t.Errorf("%q: error %v, want one with %q", expr, err, want)
		}
	}
}

func TestCompileRefusesCQL(t *testing.T) {
	for cql, want := range map[string]string{
		"DELETE FROM a WHERE id = :idx":                "is not a SELECT",
		"-- SELECT\nTRUNCATE a":                        "is not a SELECT",
		"":                                             "table: missing",
		"SELECT a FROM b WHERE id = ?":                 `has a "?"`,
		"SELECT a FROM b; DROP TABLE b":                "more than one statement",
		"SELECT a FROM b WHERE id = 'x":                "a string that is not closed",
		"SELECT a FROM b /* x":                         "a comment that is not closed",
		`SELECT "a FROM b`:                             "a quoted name that is not closed",
		"SELECT a FROM b WHERE id = :idy":              "marker :idy has no value; add it to where, or name a part so (did you mean {idx}?)",
		"SELECT a FROM b WHERE id = ':x' AND s = :idx": "where x: the cql has no marker :x",
		"SELECT a FROM b WHERE id = :x AND s = :lit":   `where lit "5": is the same for every key`,
	} {
		s := spec("r", "k:{idx:int}")
		s.Table, s.CQL, s.Where = "", cql, nil
		if strings.Contains(cql, ":x") {
			s.Where = append(s.Where, route.Bind{Column: "x", Expr: "{idx}"})
		}
		if strings.Contains(cql, ":lit") {
			s.Where = append(s.Where, route.Bind{Column: "lit", Expr: "5"})
		}
		_, err := route.Compile([]route.Spec{s})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", cql, err, want)
		}
	}
}

func TestCompileReportsEveryProblemAtOnce(t *testing.T) {
	a, b := spec("a", "k:{x:itn}"), spec("b", "k:{x:int}")
	a.TTL = 0
	b.Where[0].Expr = "{y}"
	b.Value = ""
	same, first := spec("same", "q:{y:int}"), spec("first", "q:{x:int}")
	_, err := route.Compile([]route.Spec{a, b, first, same, spec("first", "z:{x}")})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`route "a": ttl`, `route "a": key "k:{x:itn}": column 6`, `route "b": where id "{y}"`, `route "b": value: missing`,
		`route "same": key: matches the same keys as route "first"`, `route "first": a route before it has the same name`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
}
