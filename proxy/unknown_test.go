package proxy_test

import (
	"testing"

	"forebay/proxy"
)

// A command of which the table does not know what it writes is taken for one that may write any key: what is near is given up before it is sent. The
// near copy is told nothing by Redis here.
func TestWritesOfCommandsThatTheTableDoesNotKnow(t *testing.T) {
	renamed := []string{"--rename-command", "GETSET", "MYGETSET"}
	tests := []struct {
		name   string
		args   []string // of redis-server
		learnt []proxy.Command
		direct []any  // sent straight to Redis before
		write  string // what the client sends
		want   string // of GET t:1 then
	}{
		{"unknown", renamed, nil, nil, "MYGETSET t:1 new", bulk("new")},
		{"in capitals and small letters", renamed, nil, nil, "mYgetSet t:1 new", bulk("new")},
		{
			"learnt, with its keys", renamed,
			[]proxy.Command{{Name: "mygetset", Arity: 3, Flags: []string{"write"}, First: 1, Last: 1, Step: 1}},
			nil, "MYGETSET t:1 new", bulk("new"),
		},
		{
			"learnt, with keys somewhere", renamed,
			[]proxy.Command{{Name: "mygetset", Arity: -1, Flags: []string{"write", "movablekeys"}}},
			nil, "MYGETSET t:1 new", bulk("new"),
		},
		{
			"learnt, and keys are not all where it says", renamed,
			[]proxy.Command{{Name: "mygetset", Arity: -1, Flags: []string{"write", "movablekeys"}, First: 2, Last: 2, Step: 1}},
			nil, "MYGETSET t:1 new", bulk("new"),
		},
		{
			"a container's", nil, nil,
			[]any{"DEL", "t:1"},
			"XGROUP CREATE t:1 g $ MKSTREAM",
			"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
		},
		{"a debugger's", []string{"--enable-debug-command", "yes"}, nil, []any{"DEL", "t:1"}, "DEBUG POPULATE 2 t", bulk("value:1")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{tracker: &deafTracker{}, redisArgs: tt.args})
			f.server.Learn(tt.learnt)
			writer, other := dial(t, f.addr), dial(t, f.addr)
			f.warm(t, other, "t:1")
			if tt.direct != nil {
				f.redis.Do(t, tt.direct...)
			}
			writer.send(frames(tt.write))
			if got := writer.reply(); got[0] == '-' {
				t.Fatalf("%s: %q", tt.write, got)
			}
			other.do(tt.want, "GET t:1")
			writer.do(tt.want, "GET t:1")
		})
	}
}
