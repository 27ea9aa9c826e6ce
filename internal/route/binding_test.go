package route_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestExpressions(t *testing.T) {
	tests := []struct {
		expr, key string
		want      any
		absent    bool
	}{
		{"{idx / 1024}", "k:0:x", int64(0), false},
		{"{idx / 1024}", "k:1023:x", int64(0), false},
		{"{idx / 1024}", "k:1024:x", int64(1), false},
		{"{idx / 1024}", "k:-1:x", int64(-1), false},
		{"{idx / 1024}", "k:-1024:x", int64(-1), false},
		{"{idx / 1024}", "k:-1025:x", int64(-2), false},
		{"{idx/1}", "k:-9223372036854775808:x", int64(-9223372036854775808), false},
		{"{ idx % 10 }", "k:17:x", int64(7), false},
		{"{idx % 10}", "k:-1:x", int64(9), false},
		{"{idx % 10}", "k:-10:x", int64(0), false},
		{"{idx + 5}", "k:-7:x", int64(-2), false},
		{"{idx - 5}", "k:3:x", int64(-2), false},
		{"{idx * 3}", "k:-3:x", int64(-9), false},
		{"{idx * 0}", "k:-3:x", int64(0), false},
		{"{idx + 1}", "k:9223372036854775806:x", int64(9223372036854775807), false},
		{"{idx + 1}", "k:9223372036854775807:x", nil, true},
		{"{idx - 1}", "k:-9223372036854775808:x", nil, true},
		{"{idx * 2}", "k:-4611686018427387904:x", int64(-9223372036854775808), false},
		{"{idx * 2}", "k:4611686018427387904:x", nil, true},
		{"{idx * 4}", "k:9223372036854775807:x", nil, true},
		{"shard-{idx / 1024}", "k:-5:x", "shard--1", false},
		{"{name}/{idx}", "k:7:n", "n/7", false},
		{"{{{name}}}", "k:7:n", "{n}", false},
		{"s{idx * 4}", "k:9223372036854775807:x", nil, true},
		{"{name}", "k:7:\xff", nil, true},
	}
	for _, tt := range tests {
		s := spec("r", "k:{idx:int}:{name}")
		s.Value, s.Table, s.CQL, s.Where = "", "", "SELECT v FROM t WHERE a = :a", where("a", tt.expr)
		table := compile(t, s)
		bound(t, table)
		l := lookup(t, table, tt.key)
		if l.Absent != tt.absent || !tt.absent && l.Where[0] != tt.want {
			t.Errorf("%s of %q is %v (absent %v), want %v (%v)", tt.expr, tt.key, l.Where[0], l.Absent, tt.want, tt.absent)
		}
	}
}

func TestPartsBindColumns(t *testing.T) {
	const id, id1 = "01234567-89ab-4def-8123-456789abcdef", "01234567-89ab-1def-8123-456789abcdef"
	long := strings.Repeat("x", 1<<16)
	type keys map[string]any // the part's text and what it binds; nil: absent
	tests := []struct {
		column, part, expr string
		keys               keys
		err                string
	}{
		{"c_text", "{x}", "", keys{"a": "a", "é": "é", "\xff": nil, long: nil}, ""},
		{"c_text", "{x:rest}", "", keys{"a:b": "a:b"}, ""},
		{"c_text", "{x:hex}", "", keys{"abc": "abc"}, ""},
		{"c_text", "{x:uuid}", "", keys{id: id}, ""},
		{"c_text", "{x:a|b}", "", keys{"a": "a", "b": "b"}, ""},
		{"c_text", "{x:int}", "", nil, "part x is int, but the column is text; write {x} in the key"},
		{"c_text", "{x:int}", "n{x}", keys{"7": "n7"}, ""},
		{"c_text", "{x:int}", "7", keys{"1": "7"}, ""},
		{"c_ascii", "{x}", "", keys{"a": "a", "é": nil}, ""},
		{"c_ascii", "{x}", "é", nil, `"é" is no ascii`},
		{"c_tiny", "{x:int}", "", keys{"127": int64(127), "128": nil, "-128": int64(-128), "-129": nil}, ""},
		{"c_int", "{x:int}", "", keys{"2147483647": int64(2147483647), "2147483648": nil}, ""},
		{"c_int", "{x:int}", "{x * 2}", keys{"1073741824": nil}, ""},
		{"c_big", "{x:int}", "", keys{"9223372036854775807": int64(9223372036854775807)}, ""},
		{"c_big", "{x:1|2}", "", keys{"1": int64(1), "2": int64(2)}, ""},
		{"c_big", "{x:1|two}", "", nil, `alternative of part x: "two" is no bigint; write a whole number`},
		{"c_big", "{x}", "", nil, "part x is text, but the column is bigint; write {x:int} in the key"},
		{"c_big", "{x:int}", "{x}0", nil, "text around a part makes text, but the column is bigint; write a part alone"},
		{"c_tiny", "{x}", "300", nil, `"300" is no tinyint; write a whole number from -128 to 127`},
		{"c_float", "{x:int}", "", nil, "the column is float, which no part of a key can bind"},
		{"c_double", "{x}", "1.5", keys{"a": 1.5}, ""},
		{"c_double", "{x}", "one", nil, `"one" is no double`},
		{"c_bool", "{x:true|false}", "", keys{"true": true, "false": false}, ""},
		{"c_bool", "{x}", "", nil, "write {x:true|false} in the key"},
		{"c_blob", "{x:hex}", "", keys{"00ff": []byte{0, 255}, "00f": nil}, ""},
		{"c_blob", "{x}", "", nil, "part x is text, but the column is blob; write {x:hex} in the key"},
		{"c_blob", "{x}", "0x00ff", keys{"a": []byte{0, 255}}, ""},
		{"c_blob", "{x}", "00ff", nil, "write 0x and pairs"},
		{"c_uuid", "{x:uuid}", "", keys{id: id}, ""},
		{"c_uuid", "{x}", "", nil, "part x is text, but the column is uuid; write {x:uuid} in the key"},
		{"c_uuid", "{x}", strings.ToUpper(id), keys{"a": id}, ""},
		{"c_uuid", "{x}", "abc", nil, `"abc" is no uuid`},
		{"c_timeuuid", "{x:uuid}", "", keys{id1: id1, id: nil}, ""},
		{"c_timeuuid", "{x}", id, nil, "is no timeuuid"},
		{"c_time", "{x:int}", "", keys{"1500": time.UnixMilli(1500).UTC()}, ""},
		{"c_time", "{x}", "", nil, "part x is text, but the column is timestamp; write {x:int} in the key"},
		{"c_time", "{x}", "2026-01-02T03:04:05Z", keys{"a": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, ""},
		{"c_time", "{x}", "today", nil, `"today" is no timestamp`},
		{"c_list", "{x}", "", nil, "the column is list<float>, which no part of a key can bind"},
		{"c_map", "{x}", "a", nil, "the column is map<text, int>, which no route can bind"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %.20s", tt.column, tt.part, tt.expr), func(t *testing.T) {
			s := spec("r", "k:"+tt.part)
			s.Table, s.Value = "by_"+tt.column, "v"
			s.Where = where(tt.column, tt.expr)
			if tt.expr == "" {
				s.Where = where(tt.column, "{x}")
			}
			table := compile(t, s)
			err := table.Bind(context.Background(), testSchema())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.HasPrefix(err.Error(), `route "r": where `+tt.column) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range tt.keys {
				l := lookup(t, table, "k:"+k)
				if l.Absent != (want == nil) || want != nil && !reflect.DeepEqual(l.Where, []any{want}) {
					t.Errorf("%.40q binds %v (absent %v), want %v", k, l.Where, l.Absent, want)
				}
			}
		})
	}
}
