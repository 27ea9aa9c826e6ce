package config_test

import (
	"strings"
	"testing"
)

func TestReadAhead(t *testing.T) {
	const where = "table: t\nwhere: {a: \"{a}\"}\nvalue: v\n"
	for name, tt := range map[string]struct {
		lines string
		want  int64
		fails string
	}{
		"not said":            {where, 0, ""},
		"off":                 {where + "read_ahead: off", 0, ""},
		"a partition":         {where + "read_ahead: partition", 8 << 20, ""},
		"so many bytes":       {where + "read_ahead: partition\nread_ahead_bytes: 1MiB", 1 << 20, ""},
		"too few bytes":       {where + "read_ahead: partition\nread_ahead_bytes: 1KiB", 0, "routes[0].read_ahead_bytes: 1KiB: want"},
		"bytes for nothing":   {where + "read_ahead_bytes: 1MiB", 0, "want read_ahead: partition beside it"},
		"something else":      {where + "read_ahead: table", 0, `routes[0].read_ahead: "table": want partition or off`},
		"a query of its own":  {"cql: SELECT v FROM t WHERE a = :a\nread_ahead: partition", 0, "want it on routes with table and where only"},
		"an object in chunks": {"object: {dataset: d, name: n}\nread_ahead: partition", 0, "want it on routes with table and where only"},
	} {
		t.Run(name, func(t *testing.T) {
			c, lines := parse(t, oneRoute(tt.lines), nil, nil)
			if tt.fails != "" {
				if len(lines) != 1 || !strings.Contains(lines[0], tt.fails) {
					t.Errorf("got %q, want %q", lines, tt.fails)
				}
				return
			}
			if len(lines) != 0 || c.Specs()[0].ReadAhead != tt.want {
				t.Errorf("%q, %+v; want %d bytes", lines, c.Specs(), tt.want)
			}
		})
	}
}
