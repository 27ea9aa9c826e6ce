// Package storetest holds a [backend.Store] to its contract. Every store is run through it: on a real Redis and on
// the embedded one.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// Target is a store and the server behind it, which must be empty.
type Target struct {
	Store backend.Store
	// Network and Addr are where the same server is spoken to directly.
	Network, Addr string
	// Pass lets time pass for a server whose clock stands still; nil where it does not.
	Pass func(time.Duration)
}

// Run runs the suite.
func Run(t *testing.T, target Target) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"get tells absent, present, empty and binary values apart", getValues},
		{"get of another type is an error at its key only", getWrongType},
		{"get of nothing and of one key many times", getShapes},
		{"get keeps the order of ten thousand keys", getMany},
		{"get gives slices to the caller", getOwned},
		{"fill stores what is absent, with its ttl", fillStores},
		{"fill leaves what is there", fillKeeps},
		{"fill refuses an entry without ttl and stores its neighbours", fillWithoutTTL},
		{"fill and get of a large value", fillLarge},
		{"exists tells of keys of any type, in order", exists},
		{"discard removes what was seen", discards},
		{"discard keeps whatever is not what was seen", discardKeeps},
		{"discard by size and beginning", discardByHead},
		{"heads of values", heads},
		{"one caller of many takes a lease", leaseTaken},
		{"acquire tells what is there", leasePresent},
		{"only what fits is stored", leaseFits},
		{"a look takes nothing", leaseLook},
		{"markers of absent rows", leaseMarkers},
		{"checks, failures and leases that are kept", leaseEnds},
		{"values are refreshed if they are what was seen", leaseRefresh},
		{"drops take leases and markers away", leaseDrops},
		{"what was read of an area", leaseAreas},
		{"a refused fill has no mark", leaseMarks},
		{"thousands of leases, and large values, at once", leaseMany},
		{"keys with braces", leaseBraces},
		{"values that are forebay's own", stampOwn},
		{"refreshed ahead, of every kind", stampRefresh},
		{"what happens during a refresh", stampMeanwhile},
		{"rows that are gone when they are refreshed", stampGone},
		{"marks of what is refreshed", stampTracked},
		{"databases are apart", databases},
		{"a cancelled caller is told so", cancelled},
		{"many callers at once", concurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &suite{Target: target, direct: map[int]*goredis.Client{}}
			t.Cleanup(s.close)
			s.do(t, 0, "flushall")
			tt.run(t, s)
		})
	}
}

// suite is one test's view of the target.
type suite struct {
	Target
	direct map[int]*goredis.Client
}

func (s *suite) close() {
	for _, c := range s.direct {
		_ = c.Close()
	}
}

// do runs a command past the store.
func (s *suite) do(t *testing.T, db int, args ...any) any {
	t.Helper()
	if s.direct[db] == nil {
		s.direct[db] = goredis.NewClient(&goredis.Options{
			Network: s.Network, Addr: s.Addr, DB: db, Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		})
	}
	v, err := s.direct[db].Do(t.Context(), args...).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

// get is Get of keys that must all be readable.
func (s *suite) get(t *testing.T, db int, keys ...string) [][]byte {
	t.Helper()
	values, errs, err := s.Store.Get(t.Context(), db, bytesOf(keys))
	if err != nil || errors.Join(errs...) != nil {
		t.Fatalf("get %q: %v, %v", keys, errs, err)
	}
	if len(values) != len(keys) || len(errs) != len(keys) {
		t.Fatalf("get of %d keys gives %d values and %d errors", len(keys), len(values), len(errs))
	}
	return values
}

// fill is Fill of entries that must all be taken or be there.
func (s *suite) fill(t *testing.T, db int, entries ...backend.Entry) []bool {
	t.Helper()
	stored, errs, err := Fill(t.Context(), s.Store, db, entries)
	if err != nil || errors.Join(errs...) != nil {
		t.Fatalf("fill: %v, %v", errs, err)
	}
	if len(stored) != len(entries) || len(errs) != len(entries) {
		t.Fatalf("fill of %d entries gives %d answers and %d errors", len(entries), len(stored), len(errs))
	}
	return stored
}

func entry(key, value string, ttl time.Duration) backend.Entry {
	return backend.Entry{Key: []byte(key), Value: []byte(value), TTL: ttl}
}

func bytesOf(keys []string) [][]byte {
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = []byte(k)
	}
	return out
}

// same compares values; nil and empty differ.
func same(t *testing.T, got [][]byte, want ...any) {
	t.Helper()
	for i, w := range want {
		if w == nil && got[i] != nil {
			t.Errorf("value %d is %q, want absent", i, got[i])
		}
		if w, ok := w.(string); ok && (got[i] == nil || string(got[i]) != w) {
			t.Errorf("value %d is %.60q (nil: %t), want %.60q", i, got[i], got[i] == nil, w)
		}
	}
}

func getValues(t *testing.T, s *suite) {
	binary := "\x00\r\n$-1\r\n\xff"
	s.do(t, 0, "set", "there", "v")
	s.do(t, 0, "set", "empty", "")
	s.do(t, 0, "set", binary, binary)
	same(t, s.get(t, 0, "absent", "there", "empty", binary, "also absent"), nil, "v", "", binary, nil)
}

func getWrongType(t *testing.T, s *suite) {
	s.do(t, 0, "hset", "hash", "f", "v")
	s.do(t, 0, "set", "there", "v")
	values, errs, err := s.Store.Get(t.Context(), 0, bytesOf([]string{"there", "hash", "absent", "there"}))
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	same(t, values, "v", nil, nil, "v")
	for i, e := range errs {
		if (e != nil) != (i == 1) {
			t.Errorf("error %d is %v", i, e)
		}
	}
	var reply goredis.Error
	if !errors.As(errs[1], &reply) || errors.Is(errs[1], backend.ErrStoreDown) {
		t.Errorf("the hash's error is %v, want Redis's reply", errs[1])
	}
}

func getShapes(t *testing.T, s *suite) {
	s.get(t, 0)
	s.fill(t, 0)
	s.do(t, 0, "set", "k", "v")
	same(t, s.get(t, 0, "k", "k", "k"), "v", "v", "v")
}

func getMany(t *testing.T, s *suite) {
	var keys []string
	var entries []backend.Entry
	for i := range 10_000 {
		k := "k" + strconv.Itoa(i)
		keys = append(keys, k)
		if i%3 > 0 {
			entries = append(entries, entry(k, "v"+strconv.Itoa(i), time.Minute))
		}
	}
	for part := range slices.Chunk(entries, 500) {
		s.fill(t, 0, part...)
	}
	for i, v := range s.get(t, 0, keys...) {
		if i%3 == 0 && v != nil || i%3 > 0 && string(v) != "v"+strconv.Itoa(i) {
			t.Fatalf("value %d is %q", i, v)
		}
	}
}

func getOwned(t *testing.T, s *suite) {
	s.do(t, 0, "set", "a", "one")
	s.do(t, 0, "set", "b", "two")
	first := s.get(t, 0, "a", "b", "a")
	copy(first[0], "XXX")
	same(t, first, "XXX", "two", "one")
	same(t, s.get(t, 0, "a"), "one")
	same(t, first, "XXX", "two", "one")
}

func fillStores(t *testing.T, s *suite) {
	stored := s.fill(t, 0, entry("a", "1", time.Minute), entry("b", "", 1500*time.Millisecond), entry("a", "2", time.Hour))
	if fmt.Sprint(stored) != "[true true false]" {
		t.Errorf("stored %v: want the first of two equal keys only", stored)
	}
	same(t, s.get(t, 0, "a", "b"), "1", "")
	for key, most := range map[string]int64{"a": 60_000, "b": 1_500} {
		if ms, _ := s.do(t, 0, "pttl", key).(int64); ms <= 0 || ms > most {
			t.Errorf("ttl of %s is %d ms, want up to %d", key, ms, most)
		}
	}
}

func fillKeeps(t *testing.T, s *suite) {
	s.do(t, 0, "set", "string", "theirs")
	s.do(t, 0, "hset", "hash", "f", "theirs")
	stored := s.fill(t, 0, entry("string", "ours", time.Minute), entry("hash", "ours", time.Minute), entry("new", "ours", time.Minute))
	if fmt.Sprint(stored) != "[false false true]" {
		t.Errorf("stored %v", stored)
	}
	same(t, s.get(t, 0, "string", "new"), "theirs", "ours")
	if ms := s.do(t, 0, "pttl", "string"); ms != int64(-1) {
		t.Errorf("ttl of a value of others became %v ms", ms)
	}
}

func fillWithoutTTL(t *testing.T, s *suite) {
	stored, errs, err := Fill(t.Context(), s.Store, 0, []backend.Entry{
		entry("a", "1", time.Minute), entry("b", "2", 0), entry("c", "3", -time.Second), entry("d", "4", time.Nanosecond),
	})
	if err != nil {
		t.Fatalf("fill: %v", err)
	}
	if fmt.Sprint(stored) != "[true false false true]" || errs[0] != nil || errs[1] == nil || errs[2] == nil || errs[3] != nil {
		t.Errorf("stored %v, errors %v", stored, errs)
	}
	same(t, s.get(t, 0, "a", "b", "c"), "1", nil, nil)
}

func fillLarge(t *testing.T, s *suite) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
	s.fill(t, 0, backend.Entry{Key: []byte("large"), Value: large, TTL: time.Minute}, entry("small", "v", time.Minute))
	got := s.get(t, 0, "small", "large", "small")
	if !bytes.Equal(got[1], large) {
		t.Errorf("the large value has %d bytes and differs", len(got[1]))
	}
	same(t, got[2:], "v")
}

func databases(t *testing.T, s *suite) {
	s.fill(t, 0, entry("k", "zero", time.Minute))
	s.fill(t, 3, entry("k", "three", time.Minute))
	same(t, s.get(t, 0, "k"), "zero")
	same(t, s.get(t, 3, "k"), "three")
	same(t, s.get(t, 5, "k"), nil)
	if v := s.do(t, 3, "get", "k"); v != "three" {
		t.Errorf("database 3 has %v", v)
	}
}

func cancelled(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Store.Get(ctx, 0, bytesOf([]string{"k"})); !errors.Is(err, context.Canceled) || errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("get: %v, want the cancellation and no word of Redis being down", err)
	}
	if _, _, err := Fill(ctx, s.Store, 0, []backend.Entry{entry("k", "v", time.Minute)}); !errors.Is(err, context.Canceled) {
		t.Errorf("fill: %v", err)
	}
}

func concurrent(t *testing.T, s *suite) {
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 20 {
				k := fmt.Sprintf("k:%d:%d", g, i)
				db := g % 3
				if _, _, err := Fill(t.Context(), s.Store, db, []backend.Entry{entry(k, k, time.Minute)}); err != nil {
					t.Errorf("fill: %v", err)
					return
				}
				v, _, err := s.Store.Get(t.Context(), db, bytesOf([]string{k, "absent", k}))
				if err != nil || string(v[0]) != k || v[1] != nil || string(v[2]) != k {
					t.Errorf("get %s: %q, %v", k, v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func exists(t *testing.T, s *suite) {
	s.do(t, 0, "set", "string", "")
	s.do(t, 0, "rpush", "list", "a")
	s.do(t, 2, "set", "elsewhere", "x")
	keys := [][]byte{[]byte("none"), []byte("string"), []byte("list"), []byte("string"), []byte("elsewhere")}
	for range 5000 { // more than go out at once
		keys = append(keys, []byte("none"))
	}
	there, err := s.Store.Exists(t.Context(), 0, append(keys, []byte("list")))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range there {
		if want := i >= 1 && i <= 3 || i == len(there)-1; got != want {
			t.Errorf("key %d: %t, want %t", i, got, want)
		}
	}
	if there, err := s.Store.Exists(t.Context(), 0, nil); err != nil || len(there) != 0 {
		t.Errorf("of nothing: %v, %v", there, err)
	}
}
