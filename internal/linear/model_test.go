package linear_test

import (
	"testing"
	"time"

	"forebay/internal/linear"
)

// op is one operation of a small history.
type op struct {
	steps     []linear.Step
	answers   []linear.Answer // nil: unknown
	call, ret int64
}

func one(kind linear.Kind, arg string, answer linear.Answer, call, ret int64) op {
	return op{[]linear.Step{{Kind: kind, Arg: arg}}, []linear.Answer{answer}, call, ret}
}

func unknown(kind linear.Kind, arg string, call int64) op {
	return op{[]linear.Step{{Kind: kind, Arg: arg}}, nil, call, 0}
}

func TestModel(t *testing.T) {
	const get, set, del, getdel, row, refresh, add, swap, incr = linear.Get, linear.Set, linear.Del, linear.GetDel, linear.Row, linear.Refresh, linear.Append, linear.Swap, linear.Incr
	ok, null, text := linear.Text("OK"), linear.Nil(), linear.Text
	both := []linear.Step{{Kind: get}, {Kind: get, Key: 1}}
	tests := map[string]struct {
		ops  []op
		want bool
	}{
		"a read of the row":                      {[]op{one(get, "", text("1"), 1, 2)}, true},
		"a read of nothing":                      {[]op{one(get, "", null, 1, 2)}, false},
		"a read of what was written":             {[]op{one(set, "2", ok, 1, 2), one(get, "", text("2"), 3, 4)}, true},
		"a read of what was before":              {[]op{one(set, "2", ok, 1, 2), one(get, "", text("1"), 3, 4)}, false},
		"either, while it is written":            {[]op{one(set, "2", ok, 1, 9), one(get, "", text("1"), 2, 3), one(get, "", text("2"), 4, 5)}, true},
		"going back, while it is written":        {[]op{one(set, "2", ok, 1, 9), one(get, "", text("2"), 2, 3), one(get, "", text("1"), 4, 5)}, false},
		"an unknown write, done late":            {[]op{unknown(set, "2", 1), one(get, "", text("1"), 2, 3), one(get, "", text("2"), 4, 5)}, true},
		"an unknown write, never done":           {[]op{unknown(set, "2", 1), one(get, "", text("1"), 2, 3)}, true},
		"an unknown write, done and undone":      {[]op{unknown(set, "2", 1), one(get, "", text("2"), 2, 3), one(get, "", text("1"), 4, 5)}, false},
		"a write that nobody has sent":           {[]op{one(get, "", text("3"), 1, 2)}, false},
		"either row before the delete, back too": {[]op{one(row, "2", ok, 1, 2), one(get, "", text("2"), 3, 4), one(get, "", text("1"), 5, 6)}, true},
		"the old row behind the delete":          {[]op{one(row, "2", ok, 1, 2), one(refresh, "", text("1"), 3, 4), one(get, "", text("1"), 5, 6)}, false},
		"the new row behind the delete":          {[]op{one(row, "2", ok, 1, 2), one(refresh, "", text("0"), 3, 4), one(get, "", text("2"), 5, 6)}, true},
		"no row":                                 {[]op{one(row, "", ok, 1, 2), one(refresh, "", text("0"), 3, 4), one(get, "", null, 5, 6)}, true},
		"a delete of what was written":           {[]op{one(set, "2", ok, 1, 2), one(del, "", text("1"), 3, 4), one(get, "", text("1"), 5, 6)}, true},
		"a delete that counts wrong":             {[]op{one(set, "2", ok, 1, 2), one(del, "", text("0"), 3, 4)}, false},
		"taken once":                             {[]op{one(set, "2", ok, 1, 2), one(getdel, "", text("2"), 3, 4), one(getdel, "", text("1"), 5, 6)}, true},
		"taken twice":                            {[]op{one(set, "2", ok, 1, 2), one(getdel, "", text("2"), 3, 4), one(getdel, "", text("2"), 5, 6)}, false},
		"a part, of the row":                     {[]op{one(add, "7", text("2"), 1, 2), one(get, "", text("17"), 3, 4)}, true},
		"a part, of nothing":                     {[]op{one(add, "7", text("1"), 1, 2)}, false},
		"a part, of nothing, beside a delete":    {[]op{one(add, "7", text("1"), 1, 4), one(del, "", text("1"), 2, 3), one(get, "", text("7"), 5, 6)}, true},
		"a number":                               {[]op{one(incr, "", text("2"), 1, 2), one(swap, "5", text("2"), 3, 4), one(incr, "", text("6"), 5, 6)}, true},
		"two keys at one moment":                 {[]op{{both, []linear.Answer{text("1"), text("1")}, 1, 2}}, true},
		"two keys of different moments": {[]op{
			{[]linear.Step{{Kind: set, Arg: "2"}, {Kind: set, Key: 1, Arg: "2"}}, []linear.Answer{ok, ok}, 1, 9},
			{both, []linear.Answer{text("2"), text("1")}, 2, 3},
		}, false},
		"deleted within a transaction": {[]op{{[]linear.Step{{Kind: del}, {Kind: get}}, []linear.Answer{text("0"), null}, 1, 2}, one(get, "", text("1"), 3, 4)}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := linear.NewHistory([]linear.Group{{Name: "g", Start: []linear.Cell{linear.Routed("1"), linear.Routed("1")}}})
			for i, o := range tt.ops {
				h.Record(i, 0, o.steps, o.answers, o.call, o.ret)
			}
			if got := h.Check(time.Minute); (len(got) == 0) != tt.want {
				t.Errorf("found %v", got)
			}
		})
	}
}

func TestCopies(t *testing.T) {
	tests := map[string]struct {
		see  func(c *linear.Copies)
		want bool
	}{
		"old within the bound":              {func(c *linear.Copies) { c.Wrote(-1, 1, 1, 2); c.Read(0, 0, 10, 11) }, true},
		"old beyond the bound":              {func(c *linear.Copies) { c.Wrote(-1, 1, 1, 2); c.Read(0, 0, 103, 104) }, false},
		"its own process's write":           {func(c *linear.Copies) { c.Wrote(0, 1, 1, 2); c.Read(0, 0, 3, 4) }, false},
		"another process's write":           {func(c *linear.Copies) { c.Wrote(1, 1, 1, 2); c.Read(0, 0, 3, 4) }, true},
		"going back":                        {func(c *linear.Copies) { c.Wrote(1, 1, 1, 2); c.Read(0, 1, 3, 4); c.Read(0, 0, 5, 6) }, false},
		"another process is behind":         {func(c *linear.Copies) { c.Wrote(1, 1, 1, 2); c.Read(1, 1, 3, 4); c.Read(0, 0, 5, 6) }, true},
		"what nobody has written":           {func(c *linear.Copies) { c.Read(0, 1, 3, 4) }, false},
		"what will be written":              {func(c *linear.Copies) { c.Wrote(1, 1, 5, 6); c.Read(0, 1, 3, 4) }, false},
		"either, while it is being written": {func(c *linear.Copies) { c.Wrote(0, 1, 1, 9); c.Read(0, 1, 2, 7); c.Read(0, 0, 3, 5) }, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &linear.Copies{Bound: 100}
			tt.see(c)
			if got := c.Check(); (len(got) == 0) != tt.want {
				t.Errorf("found %v", got)
			}
		})
	}
}
