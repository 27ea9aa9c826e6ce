package metric_test

import (
	"strings"
	"testing"

	"forebay/internal/metric"
)

func TestCommandIndex(t *testing.T) {
	named := "get mget getex getdel getrange strlen hget hmget hgetall set mset del exists ttl exec eval ping"
	for name := range strings.FieldsSeq(named) {
		for _, spelling := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			if got := metric.CommandIndex([]byte(spelling)).String(); got != name {
				t.Errorf("CommandIndex(%q) = %s, want %s", spelling, got, name)
			}
		}
	}
	for _, name := range []string{
		"", "g", "ge", "gets", "getrangex", "getrang", "GET\x00", "\x00GET", "g\x05t", "G\x25T", "te\x53", "SUBSCRIBE", "ge\xf4",
		strings.Repeat("get", 1000),
	} {
		if got := metric.CommandIndex([]byte(name)); got != metric.Other {
			t.Errorf("CommandIndex(%.20q) = %s, want other", name, got)
		}
	}
}

func TestCommandIndexDoesNotAllocate(t *testing.T) {
	name := []byte("GETRANGE")
	if n := testing.AllocsPerRun(1000, func() { metric.CommandIndex(name) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCommandIndex(b *testing.B) {
	name := []byte("GETRANGE")
	for b.Loop() {
		metric.CommandIndex(name)
	}
}
