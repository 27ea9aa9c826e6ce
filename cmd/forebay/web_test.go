package main

import (
	"testing"

	"forebay/internal/route"
)

// What /api/v1/routes says of routes of each form.
func TestRoutesInWords(t *testing.T) {
	where := []route.Bind{{Column: "id", Expr: "{id}"}}
	for name, tt := range map[string]struct {
		spec         route.Spec
		query, value string
	}{
		"column": {route.Spec{Table: "t", Where: where, Value: "v"}, "SELECT v FROM t WHERE id = {id}", "column v"},
		"npy": {
			route.Spec{Table: "t", Where: where, Encode: &route.Encode{Format: "npy", Fields: []route.Field{{Column: "v"}}}},
			"SELECT v FROM t WHERE id = {id}", "npy",
		},
		"hash":   {route.Spec{Table: "t", Where: where, Hash: []string{"a", "b"}}, "SELECT a, b FROM t WHERE id = {id}", "hash"},
		"object": {route.Spec{Object: &route.ObjectSpec{Dataset: "d", Name: "{n}"}}, "", "object d/{n}"},
		"cql":    {route.Spec{CQL: "SELECT v\n  FROM t WHERE id = :id"}, "SELECT v FROM t WHERE id = :id", "column"},
	} {
		if q, v := query(&tt.spec), valueText(&tt.spec); q != tt.query || v != tt.value {
			t.Errorf("%s: %q gives %q, want %q and %q", name, q, v, tt.query, tt.value)
		}
	}
}
