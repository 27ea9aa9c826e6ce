package cache_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/check"
	"forebay/internal/event"
	"forebay/internal/route"
)

// An object is judged by its size and beginning, in the source as in Redis.
func TestRulesOfObjects(t *testing.T) {
	const npy = "\x93NUMPY\x01\x00\x76\x00"
	whole := func(n int) string { // a NumPy file of n bytes
		head := npy + fmt.Sprintf("%-117s\n", fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }", n-128))
		return head + strings.Repeat("x", n-128)
	}
	const size = 3*chunkSize + 5
	tests := []struct {
		name    string
		rules   route.Validate
		redis   string // what it holds
		source  string // what the object is; "" is none
		second  string // what it is when it is read again
		mode    cache.Mode
		want    string
		found   string
		headers int
	}{
		{"a good one", route.Validate{Format: "npy"}, "", whole(size), "", cache.Mode{}, fmt.Sprint("stored ", size), "", 1},
		{"a good one in redis", route.Validate{Format: "npy"}, whole(size), whole(size), "", cache.Mode{}, "there", "", 0},
		{"a small one", route.Validate{Format: "npy"}, "", whole(200), "", cache.Mode{}, "value of 200", "", 1},
		{"an empty one", route.Validate{MinBytes: 0, Format: "pickle"}, "", "", "", cache.Mode{}, "invalid", "source format", 2},
		{"a bad one in redis", route.Validate{Format: "npy"}, strings.Repeat("x", size), whole(size), "", cache.Mode{}, fmt.Sprint("stored ", size), "redis format", 1},
		{"a truncated one in redis", route.Validate{Format: "npy"}, whole(size)[:size-1], whole(size), "", cache.Mode{}, fmt.Sprint("stored ", size), "redis format", 1},
		{"one in redis that is left", route.Validate{Format: "npy"}, "junk", whole(size), "", cache.Mode{NoFill: true}, fmt.Sprint("value of ", size), "redis format", 1},
		{"a bad one", route.Validate{Format: "npy"}, "", strings.Repeat("x", size), "", cache.Mode{}, "invalid", "source format", 2},
		{"a bad one, better at second sight", route.Validate{Format: "npy"}, "", strings.Repeat("x", size), whole(size), cache.Mode{}, fmt.Sprint("stored ", size), "source format", 2},
		{"too long", route.Validate{MaxBytes: size - 1}, "", whole(size), "", cache.Mode{}, "invalid", "source length", 2},
		{"too short", route.Validate{MinBytes: size + 1}, "", whole(size), "", cache.Mode{}, "invalid", "source length", 2},
		{"logged", route.Validate{Pickle: "log"}, "", whole(size), "", cache.Mode{}, fmt.Sprint("stored ", size), "source pickle", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objectBubble(t, func(t *testing.T, f *objectFixture) {
				f.routes = f.ruled(tt.rules)
				f.engine.Close()
				f.engine = cache.New(cache.Options{
					Store: f.staging, Source: f.objects, Routes: f.routes, Record: f.events.record, Budget: budget, StoreBudget: storeBudget, Loads: 16,
				})
				t.Cleanup(f.engine.Close)
				f.hold("x", "v1", tt.source)
				if tt.redis != "" {
					f.store.set("o:x", tt.redis)
				}
				headers := 0
				f.objects.header = func(context.Context) error {
					if headers++; headers == 2 && tt.second != "" {
						f.hold("x", "v2", tt.second)
					}
					return nil
				}
				r := f.engine.Read(context.Background(), 0, f.wants(0, "o:x"), tt.mode)[0]
				if got := outcome(r); got != tt.want || headers != tt.headers {
					t.Errorf("got %s after %d headers (%v), want %s after %d", got, headers, r.Err, tt.want, tt.headers)
				}
				found := []string{}
				for _, ev := range f.events.of(event.Invalid) {
					found = append(found, fmt.Sprint(ev.Origin, " ", ev.Reason))
				}
				if got := strings.Join(found, "; "); got != tt.found {
					t.Errorf("found %q, want %q", got, tt.found)
				}
				held, _ := f.store.get("o:x")
				switch {
				case tt.want == "invalid" && held != "":
					t.Errorf("redis holds %d bytes", len(held))
				case tt.mode.NoFill && held != tt.redis:
					t.Errorf("redis holds %d bytes, want those that were there", len(held))
				case strings.HasPrefix(tt.want, "stored") && held != tt.source && held != tt.second:
					t.Errorf("redis holds %d bytes, which are not the object", len(held))
				}
			})
		})
	}
}

// ruled is the route of objects with rules.
func (f *objectFixture) ruled(rules route.Validate) *route.Table {
	f.t.Helper()
	table, err := route.Compile([]route.Spec{{
		Name: "o", Key: "o:{name}", Object: &route.ObjectSpec{Dataset: "d", Name: "{name}"}, TTL: ttl, Validate: &rules,
	}})
	if err == nil {
		err = table.Bind(context.Background(), f.objects)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return table
}

// hold makes the object of these bytes.
func (f *objectFixture) hold(name, version, bytes string) {
	f.objects.put(name, version, len(bytes))
	f.objects.change(name, func(o *backend.Object, chunks map[string][]byte) {
		for n := range o.Chunks {
			chunks[chunkKey(name, version, n)] = []byte(bytes[n*chunkSize : min((n+1)*chunkSize, int64(len(bytes)))])
		}
		o.CRC32C = int64(check.CRC32C([]byte(bytes)))
	})
}
