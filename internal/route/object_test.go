package route_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/route"
)

func objectSchema() *schema {
	text := func(n string) backend.Column { return col(n, backend.Text, "text") }
	number := func(n string) backend.Column { return col(n, backend.Int, "bigint") }
	return &schema{tables: map[string]*backend.Table{
		"objects": {
			Keyspace: "ml", Name: "objects", Partition: []backend.Column{text("dataset"), text("name")},
			Regular: []backend.Column{text("version"), number("chunks"), number("bytes"), number("crc32c")},
		},
		"chunks": {
			Keyspace: "ml", Name: "chunks", Partition: []backend.Column{text("dataset"), text("name"), text("version")},
			Clustering: []backend.Column{number("chunk")}, Regular: []backend.Column{col("data", backend.Blob, "blob")},
		},
	}}
}

func objectSpec() route.Spec {
	return route.Spec{
		Name: "whole", Key: "m:{split:train|test}:images", TTL: time.Hour,
		Object: &route.ObjectSpec{Dataset: "m", Name: "{split}-images"},
	}
}

func TestObjectLookup(t *testing.T) {
	table, err := route.Compile([]route.Spec{objectSpec()})
	if err == nil {
		err = table.Bind(t.Context(), objectSchema())
	}
	if err != nil {
		t.Fatal(err)
	}
	var m route.Match
	key := []byte("m:train:images")
	if !table.Match(0, key, &m) || !m.Route.IsObject() {
		t.Fatal("no object route")
	}
	l := m.Route.Lookup(&m, key)
	if len(l.Where) != 2 || l.Where[0] != "m" || l.Where[1] != "train-images" || l.Select.In != "" {
		t.Errorf("lookup %+v", l)
	}
	sel, where := l.ChunkQuery("v1")
	again, _ := l.ChunkQuery("v2")
	if sel != again || sel.In != "chunk" || len(where) != 3 || where[2] != "v1" {
		t.Errorf("chunks: %+v of %v", sel, where)
	}
	text, err := table.Explain(0, key)
	if err != nil || !strings.Contains(text, "SELECT version, chunks, bytes, crc32c FROM objects WHERE dataset = 'm' AND name = 'train-images'") ||
		!strings.Contains(text, "FROM chunks") {
		t.Errorf("explained as\n%s%v", text, err)
	}
}

func TestObjectRow(t *testing.T) {
	table, err := route.Compile([]route.Spec{objectSpec()})
	if err != nil {
		t.Fatal(err)
	}
	r := table.Routes()[0]
	for name, tt := range map[string]struct {
		row            backend.Row
		found, invalid bool
	}{
		"whole":             {backend.Row{"v", int64(2), int64(9), int64(1)}, true, false},
		"never whole":       {backend.Row{nil, nil, nil, nil}, false, false},
		"null":              {backend.Row{"v", int64(2), nil, int64(1)}, false, true},
		"negative":          {backend.Row{"v", int64(-2), int64(9), int64(1)}, false, true},
		"chunks of nothing": {backend.Row{"v", int64(10), int64(9), int64(1)}, false, true},
		"too few columns":   {backend.Row{"v"}, false, true},
	} {
		o, found, err := r.Object(tt.row)
		if found != tt.found || errors.Is(err, backend.ErrSourceInvalid) != tt.invalid {
			t.Errorf("%s: %+v, %t, %v", name, o, found, err)
		}
	}
}

func TestObjectProblems(t *testing.T) {
	for want, change := range map[string]func(*route.Spec, *schema){
		"stands in for table":     func(s *route.Spec, _ *schema) { s.Table = "t" },
		`object name "{nothing}"`: func(s *route.Spec, _ *schema) { s.Object.Name = "{nothing}" },
		"no such table":           func(_ *route.Spec, s *schema) { delete(s.tables, "objects") },
		"table chunks: ":          func(_ *route.Spec, s *schema) { delete(s.tables, "chunks") },
		"column bytes of objects is text": func(_ *route.Spec, s *schema) {
			s.tables["objects"].Regular[2] = col("bytes", backend.Text, "text")
		},
		"has no column crc32c": func(_ *route.Spec, s *schema) { s.tables["objects"].Regular = s.tables["objects"].Regular[:3] },
		"column data of chunks is text": func(_ *route.Spec, s *schema) {
			s.tables["chunks"].Regular[0] = col("data", backend.Text, "text")
		},
		"the primary key of chunks is": func(_ *route.Spec, s *schema) {
			s.tables["chunks"].Partition = s.tables["chunks"].Partition[:2]
		},
	} {
		spec, s := objectSpec(), objectSchema()
		change(&spec, s)
		table, err := route.Compile([]route.Spec{spec})
		if err == nil {
			err = table.Bind(t.Context(), s)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
