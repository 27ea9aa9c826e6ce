package route_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/route"
)

// where makes binds of column, expression pairs.
func where(pairs ...string) (out []route.Bind) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, route.Bind{Column: pairs[i], Expr: pairs[i+1]})
	}
	return out
}

func samplesSpec() route.Spec {
	s := spec("mnist", "mnist:{split:train|test}:{idx:int}")
	s.Where = where("dataset", "mnist", "split", "{split}", "shard", "{idx / 1024}", "idx", "{idx}")
	return s
}

func TestLookupGathersOverTheLastClusteringColumn(t *testing.T) {
	table := compile(t, samplesSpec())
	src := bound(t, table)
	a, b, c, d := lookup(t, table, "mnist:train:5"), lookup(t, table, "mnist:train:1023"), lookup(t, table, "mnist:train:1024"), lookup(t, table, "mnist:test:5")
	want := &backend.Select{
		Table: src.tables["samples"], Columns: []string{"data"}, Where: []string{"dataset", "split", "shard"}, In: "idx", MaxRows: route.MaxIn,
	}
	if !reflect.DeepEqual(a.Select, want) {
		t.Errorf("select %+v, want %+v", a.Select, want)
	}
	if a.Select != b.Select || a.Select != d.Select || len(src.prepared) != 1 || src.prepared[0] != a.Select {
		t.Error("a route has more than one Select")
	}
	if !reflect.DeepEqual(a.Where, []any{"mnist", "train", int64(0)}) || a.In != int64(5) || a.Absent {
		t.Errorf("lookup %+v", a)
	}
	if a.Group != b.Group || b.In != int64(1023) {
		t.Errorf("two rows of a partition have groups %q and %q", a.Group, b.Group)
	}
	if a.Group == c.Group || a.Group == d.Group || c.Group == d.Group {
		t.Error("rows of different partitions have one group")
	}
	if a.Route != table.Routes()[0] {
		t.Error("the lookup has not its route")
	}
}

func TestLookupSelects(t *testing.T) {
	tests := []struct {
		name, pattern, table, key string
		where                     []route.Bind
		columns                   []string
		in                        string
		values                    []any
		inValue                   any
	}{
		{
			"a table without clustering columns gathers nothing", "img:{id:uuid}", "media.images", "img:01234567-89ab-cdef-0123-456789abcdef",
			where("id", "{id}"),
			[]string{"id"},
			"",
			[]any{"01234567-89ab-cdef-0123-456789abcdef"},
			nil,
		},
		{
			"where in any order is bound in key order", "d:{p:int}:{a}:{b:int}:{c}", "deep", "d:1:x:2:y",
			where("c", "{c}", "b", "{b}", "p", "{p}", "a", "{a}"),
			[]string{"p", "a", "b"},
			"c",
			[]any{int64(1), "x", int64(2)},
			"y",
		},
		{
			"a last clustering column that is a literal gathers nothing", "d:{p:int}:{a}", "deep", "d:1:x",
			where("p", "{p}", "a", "{a}", "b", "2", "c", "main"),
			[]string{"p", "a", "b", "c"},
			"",
			[]any{int64(1), "x", int64(2), "main"},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := spec("r", tt.pattern)
			s.Table, s.Where, s.Value = tt.table, tt.where, map[string]string{"media.images": "jpeg", "deep": "v"}[tt.table]
			table := compile(t, s)
			bound(t, table)
			l := lookup(t, table, tt.key)
			if !reflect.DeepEqual(l.Select.Where, tt.columns) || l.Select.In != tt.in {
				t.Errorf("where %v in %q", l.Select.Where, l.Select.In)
			}
			if !reflect.DeepEqual(l.Where, tt.values) || !reflect.DeepEqual(l.In, tt.inValue) {
				t.Errorf("values %v in %v", l.Where, l.In)
			}
			if wantRows := map[bool]int{true: 1, false: route.MaxIn}[tt.in == ""]; l.Select.MaxRows != wantRows {
				t.Errorf("max rows %d, want %d", l.Select.MaxRows, wantRows)
			}
		})
	}
}

func TestGroupsOfDifferentRoutesAndValuesDiffer(t *testing.T) {
	deep := func(name, key string) route.Spec {
		s := spec(name, key)
		s.Table, s.Value, s.Where = "deep", "v", where("p", "1", "a", "{a}", "b", "0", "c", "{c}")
		return s
	}
	table := compile(t, deep("one", "1:{a}:{c}"), deep("two", "2:{a}:{c}"))
	bound(t, table)
	seen := map[string]string{}
	for _, key := range []string{"1:a:c", "2:a:c", "1:ab:c", "1:b:c"} {
		g := lookup(t, table, key).Group
		if other, taken := seen[g]; taken || g == "" {
			t.Errorf("%s and %s have the group %q", key, other, g)
		}
		seen[g] = key
	}
	if lookup(t, table, "1:a:c").Group != lookup(t, table, "1:a:d").Group {
		t.Error("rows that differ only in the last clustering column have different groups")
	}
}

func TestGroupsKeepTheBordersBetweenTheirValues(t *testing.T) {
	s := samplesSpec()
	s.Key, s.Where[0].Expr = "{set}:{split}:{idx:int}", "{set}"
	table := compile(t, s)
	bound(t, table)
	if lookup(t, table, "x:yz:1").Group == lookup(t, table, "xy:z:1").Group {
		t.Error("two partitions have one group")
	}
}

func TestBindRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*route.Spec)
		want   []string
	}{
		{"an unknown table", func(s *route.Spec) { s.Table = "sampels" }, []string{"table sampels: describe sampels: no such table"}},
		{
			"part of the partition key", func(s *route.Spec) { s.Where = where("dataset", "m", "idx", "{idx}") },
			[]string{"where: lacks split, shard of the partition key of samples; without the whole of it the query would be a scan"},
		},
		{
			"a column that is not of the key", func(s *route.Spec) { s.Where = append(s.Where, route.Bind{Column: "label", Expr: "1"}) },
			[]string{"where label: is neither a partition nor a clustering column of samples; only the primary key ((dataset, split, shard), idx) names a row"},
		},
		{
			"an unknown column", func(s *route.Spec) { s.Where[3].Column = "idy" },
			[]string{"where idy: samples has no such column; did you mean idx?", "lacks the clustering column idx"},
		},
		{
			"an unknown column, nothing near", func(s *route.Spec) { s.Where[3].Column = "position" },
			[]string{"where position: samples has no such column; it has dataset, split, shard, idx, data, label"},
		},
		{
			"no clustering column", func(s *route.Spec) { s.Where = s.Where[:3] },
			[]string{"where: lacks the clustering column idx of samples, so many rows would answer and a value is one row; bind the whole primary key"},
		},
		{
			"a gap in the clustering columns",
			func(s *route.Spec) { s.Table, s.Value, s.Where = "deep", "v", where("p", "{idx}", "a", "x", "c", "y") },
			[]string{"where c: is a clustering column that comes after b, which is not bound; bind b too", "lacks the clustering column b"},
		},
		{"no value column", func(s *route.Spec) { s.Value = "date" }, []string{"value: samples has no column date; did you mean data?"}},
		{
			"a value without a form", func(s *route.Spec) {
				s.Table, s.Value, s.Where, s.Key = "media.images", "tags", where("id", "{id}"), "k:{id:uuid}"
			},
			[]string{"value tags: is map<text, int>, which has no form as bytes"},
		},
		{"no encode column", encode("npy", route.Field{Column: "date", DType: "u1"}), []string{"encode npy: samples has no column date; did you mean data?"}},
		{"an array of a scalar", encode("npy", route.Field{Column: "label", DType: "u1"}), []string{"encode npy: column label is bigint and no array; leave out its dtype"}},
		{
			"no hash column", func(s *route.Spec) { s.Value, s.Hash = "", []string{"label", "date", "nothing"} },
			[]string{"hash: samples has no column date; did you mean data?", "hash: samples has no column nothing"},
		},
		{
			"a hash column without a form", func(s *route.Spec) {
				s.Table, s.Value, s.Hash, s.Where, s.Key = "media.images", "", []string{"tags"}, where("id", "{id}"), "k:{id:uuid}"
			},
			[]string{"hash tags: is map<text, int>, which has no form as bytes; leave it out"},
		},
		{
			"everything at once", func(s *route.Spec) {
				s.Value, s.Where = "date", where("dataset", "m", "split", "{split}", "shrad", "{idx}")
			},
			[]string{"did you mean shard?", "lacks shard", "lacks the clustering column idx", "did you mean data?"},
		},
		{
			"two mistaken types at once", func(s *route.Spec) {
				s.Where = where("dataset", "{idx}", "split", "{split}", "shard", "{split}", "idx", "{idx}")
			},
			[]string{"where dataset", "where shard"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := samplesSpec()
			tt.change(&s)
			table := compile(t, s)
			err := table.Bind(context.Background(), testSchema())
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("lacks %q:\n%v", want, err)
				}
			}
			if table.Routes()[0].Bound() {
				t.Error("the route is bound all the same")
			}
		})
	}
}

func TestBindReportsEveryRouteAndBindsTheOthers(t *testing.T) {
	bad1, bad2, good := samplesSpec(), samplesSpec(), samplesSpec()
	bad1.Name, bad1.Key, bad1.Table = "bad1", "1:{split}:{idx:int}", "nowhere"
	bad2.Name, bad2.Key, bad2.Value = "bad2", "2:{split}:{idx:int}", "nothing"
	table := compile(t, bad1, good, bad2)
	err := table.Bind(context.Background(), testSchema())
	if !errors.Is(err, backend.ErrNoTable) || !strings.Contains(err.Error(), `route "bad1"`) || !strings.Contains(err.Error(), `route "bad2"`) {
		t.Errorf("error %v", err)
	}
	if r := table.Routes(); r[0].Bound() || !r[1].Bound() || r[2].Bound() {
		t.Error("not just the good route is bound")
	}
}

func TestBindCanBeCalledAgainWhenTheSourceWasDown(t *testing.T) {
	table := compile(t, samplesSpec())
	src := testSchema()
	src.err = fmt.Errorf("ask: %w", backend.ErrSourceDown)
	if err := table.Bind(context.Background(), src); !errors.Is(err, backend.ErrSourceDown) {
		t.Fatalf("error %v", err)
	}
	if l := lookup(t, table, "mnist:train:1"); l.Select != nil || l.Route == nil {
		t.Errorf("lookup of an unbound route: %+v", l)
	}
	if _, err := table.Routes()[0].Value(nil); !errors.Is(err, backend.ErrSourceDown) {
		t.Errorf("value of an unbound route: %v", err)
	}
	src.err = nil
	for range 2 {
		if err := table.Bind(context.Background(), src); err != nil {
			t.Fatal(err)
		}
	}
	if len(src.prepared) != 1 {
		t.Errorf("prepared %d times", len(src.prepared))
	}
}

func TestCQLRoutes(t *testing.T) {
	s := spec("r", "k:{idx:int}:{name}:{u:uuid}")
	s.Table, s.Value = "", ""
	s.CQL = "SELECT v FROM t WHERE a = :idx AND b = ':no' AND c = :name AND d = :half AND e > :idx /* :neither */ AND u = :u -- :nor"
	s.Where = where("half", "{idx / 2}")
	table := compile(t, s)
	src := bound(t, table)
	l := lookup(t, table, "k:-3:x:01234567-89ab-cdef-0123-456789abcdef")
	if want := (&backend.Select{CQL: s.CQL, Where: []string{"idx", "name", "half", "u"}, MaxRows: 1}); !reflect.DeepEqual(l.Select, want) {
		t.Errorf("select %+v, want %+v", l.Select, want)
	}
	if want := []any{int64(-3), "x", int64(-2), "01234567-89ab-cdef-0123-456789abcdef"}; !reflect.DeepEqual(l.Where, want) || l.In != nil {
		t.Errorf("values %v in %v", l.Where, l.In)
	}
	if other := lookup(t, table, "k:-4:x:01234567-89ab-cdef-0123-456789abcdef"); other.Group == l.Group {
		t.Error("two keys of a cql route are gathered")
	}
	if v, err := table.Routes()[0].Value(backend.Row{[]byte("x")}); err != nil || string(v) != "x" {
		t.Errorf("value %q, %v", v, err)
	}
	if len(src.prepared) != 1 {
		t.Errorf("prepared %d times", len(src.prepared))
	}
}

func TestCQLRoutesNeedToKnowTheirValue(t *testing.T) {
	s := spec("r", "k:{idx:int}")
	s.Table, s.Where, s.CQL = "", nil, "SELECT a, b FROM t WHERE i = :idx"
	for value, want := range map[string]string{"": `the query gives the columns ["data" "label"], so name the one`, "lable": "did you mean label?", "label": ""} {
		s.Value = value
		src := testSchema()
		src.results = []backend.Column{col("data", backend.Blob, "blob"), col("label", backend.Int, "int")}
		table := compile(t, s)
		err := table.Bind(context.Background(), src)
		if want == "" {
			v, verr := table.Routes()[0].Value(backend.Row{[]byte("x"), int64(7)})
			if err != nil || verr != nil || string(v) != "7" {
				t.Errorf("value %q, %v, %v", v, err, verr)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("value %q: error %v, want one with %q", value, err, want)
		}
	}
}
