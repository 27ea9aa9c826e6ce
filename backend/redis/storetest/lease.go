package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/backend"
)

// life is that of leases in this suite: none ends while a test runs that does not want it to.
const life = time.Minute

// Fill takes the leases of the entries' keys and stores what can be: a value under a lease that was given. It is what a load does, without the loading.
func Fill(ctx context.Context, store backend.Leaser, db int, entries []backend.Entry) (stored []bool, errs []error, err error) {
	asks := make([]backend.Ask, len(entries))
	for i, e := range entries {
		asks[i] = backend.Ask{Key: e.Key, As: backend.AsAny}
	}
	grants, err := store.Acquire(ctx, db, life, asks)
	if err != nil {
		return nil, nil, err
	}
	leased := append([]backend.Entry(nil), entries...)
	for i := range grants {
		leased[i].Lease = grants[i].Lease
	}
	fits, errs, err := store.Settle(ctx, db, leased)
	if err != nil {
		return nil, nil, err
	}
	for i := range fits {
		fits[i] = fits[i] && errs[i] == nil
	}
	return fits, errs, nil
}

// acquire is Acquire for strings; show writes its grants.
func (s *suite) acquire(t *testing.T, db int, keys ...string) []backend.Grant {
	t.Helper()
	var asks []backend.Ask
	for _, k := range keys {
		asks = append(asks, backend.Ask{Key: []byte(k)})
	}
	return s.ask(t, db, life, asks...)
}

func (s *suite) ask(t *testing.T, db int, life time.Duration, asks ...backend.Ask) []backend.Grant {
	t.Helper()
	grants, err := s.Store.Acquire(t.Context(), db, life, asks)
	if err != nil || len(grants) != len(asks) {
		t.Fatalf("acquire: %d grants for %d, %v", len(grants), len(asks), err)
	}
	return grants
}

func show(grants []backend.Grant) string {
	var words []string
	for _, g := range grants {
		w := [...]string{"free", "present", "absent", "taken", "busy"}[g.State]
		if g.Value != nil {
			w += "=" + string(g.Value)
		}
		if g.Err != nil {
			w = "error"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func (s *suite) settle(t *testing.T, db int, entries ...backend.Entry) string {
	t.Helper()
	fits, errs, err := s.Store.Settle(t.Context(), db, entries)
	if err != nil || errors.Join(errs...) != nil || len(fits) != len(entries) {
		t.Fatalf("settle: %v, %v, %v", fits, errs, err)
	}
	return fmt.Sprint(fits)
}

// end is an entry that ends the lease of a grant.
func end(key string, g backend.Grant, do backend.Ending) backend.Entry {
	return backend.Entry{Key: []byte(key), Lease: g.Lease, Do: do, Value: []byte("loaded"), TTL: time.Minute}
}

func leaseTaken(t *testing.T, s *suite) {
	const callers = 16
	var wg sync.WaitGroup
	got := make([]string, callers)
	for i := range got {
		wg.Go(func() {
			g, err := s.Store.Acquire(t.Context(), 0, life, []backend.Ask{{Key: []byte("k")}})
			if err != nil {
				t.Error(err)
				return
			}
			if got[i] = show(g); g[0].State == backend.Busy && (g[0].Left <= 0 || g[0].Left > life) {
				t.Errorf("the other's lease has %v left", g[0].Left)
			}
		})
	}
	wg.Wait()
	if all := strings.Join(got, " "); strings.Count(all, "taken") != 1 || strings.Count(all, "busy") != callers-1 {
		t.Errorf("got %s", all)
	}
	if got := show(s.acquire(t, 3, "k")); got != "taken" {
		t.Errorf("in another database: %s", got)
	}
	short := s.ask(t, 0, 20*time.Millisecond, backend.Ask{Key: []byte("short")})
	s.until(t, "a lease does not end", func() bool { return show(s.acquire(t, 0, "short")) == "taken" })
	if got := s.settle(t, 0, end("short", short[0], backend.StoreValue)); got != "[false]" {
		t.Errorf("who stopped past the end of the lease, which another has: %s", got)
	}
}

// until lets time pass until it is as it should be.
func (s *suite) until(t *testing.T, problem string, good func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !good(); {
		if time.Now().After(deadline) {
			t.Fatal(problem)
		}
		if s.Pass != nil {
			s.Pass(10 * time.Millisecond)
		}
	}
}

func leasePresent(t *testing.T, s *suite) {
	large := strings.Repeat("x", backend.MaxInline)
	binary := "\x00\r\n$-1\r\n\xff"
	for k, v := range map[string]string{"v": "1", "empty": "", "binary": binary, "most": large, "large": large + "x"} {
		s.do(t, 0, "set", k, v)
	}
	s.do(t, 0, "hset", "hash", "f", "v")
	s.do(t, 0, "rpush", "list", "a")
	g := s.acquire(t, 0, "v", "empty", "binary", "most", "large", "hash", "list", "none")
	if got, want := show(g), "present=1 present= present="+binary+" present="+large+" present error error taken"; got != want {
		t.Errorf("got %.200s", got)
	}
	if g[6].Err == nil || !strings.Contains(g[6].Err.Error(), "WRONGTYPE") || errors.Is(g[6].Err, backend.ErrStoreDown) {
		t.Errorf("of a list: %v", g[6].Err)
	}
	for i := range 600 {
		s.do(t, 0, "hset", "many", fmt.Sprint(i), "v")
	}
	h := s.ask(t, 0, life, backend.Ask{Key: []byte("hash"), As: backend.AsHash}, backend.Ask{Key: []byte("many"), As: backend.AsHash},
		backend.Ask{Key: []byte("v"), As: backend.AsHash}, backend.Ask{Key: []byte("no hash"), As: backend.AsHash},
		backend.Ask{Key: []byte("list"), As: backend.AsAny}, backend.Ask{Key: []byte("nothing"), As: backend.AsAny})
	if got, want := show(h), "present=$1\r\nf\r\n$1\r\nv\r\n present error taken present taken"; got != want {
		t.Errorf("got %q", got)
	}
	if got := s.ask(t, 0, life); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// leaseFits: whatever happens to the key between Acquire and Settle, what was loaded is refused, and the lease is not left behind.
func leaseFits(t *testing.T, s *suite) {
	for name, meanwhile := range map[string]func(k string){
		"the key was set":            func(k string) { s.do(t, 0, "set", k, "theirs") },
		"the key is of another type": func(k string) { s.do(t, 0, "rpush", k, "theirs") },
		"a writer dropped the lease": func(k string) { s.drop(t, 0, k) },
		"a writer dropped all":       func(string) { s.dropAll(t, 0) },
		"dropped, and taken by another": func(k string) {
			s.drop(t, 0, k)
			s.acquire(t, 0, k)
		},
		"dropped all, and taken by another": func(k string) {
			s.dropAll(t, 0)
			s.acquire(t, 0, k)
		},
		"everything is lost": func(string) { s.do(t, 0, "flushall") },
		"everything is lost, and taken by another": func(k string) {
			s.do(t, 0, "flushall")
			s.acquire(t, 0, k)
		},
	} {
		for _, do := range []backend.Ending{backend.StoreValue, backend.CheckOnly, backend.MarkAbsent} {
			k := fmt.Sprint(name, do)
			g := s.acquire(t, 0, k)
			meanwhile(k)
			before := s.do(t, 0, "type", k)
			if got := s.settle(t, 0, end(k, g[0], do)); got != "[false]" {
				t.Errorf("%s: ending %d fits", name, do)
			}
			if after := s.do(t, 0, "type", k); after != before {
				t.Errorf("%s: ending %d has made %v of %v", name, do, after, before)
			}
		}
	}
	g := s.acquire(t, 0, "a", "b")
	if got := s.settle(t, 0, end("a", g[0], backend.StoreValue), end("b", backend.Grant{}, backend.StoreValue)); got != "[true false]" {
		t.Errorf("with a lease and without: %s", got)
	}
	if got := s.settle(t, 0, end("a", g[0], backend.StoreValue)); got != "[false]" {
		t.Errorf("a lease that was used: %s", got)
	}
	if got := show(s.acquire(t, 0, "a", "b")); got != "present=loaded busy" {
		t.Errorf("afterwards: %s", got)
	}
}

func (s *suite) drop(t *testing.T, db int, keys ...string) {
	t.Helper()
	if err := s.Store.Drop(t.Context(), db, bytesOf(keys), nil); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) dropAll(t *testing.T, dbs ...int) {
	t.Helper()
	if err := s.Store.DropAll(t.Context(), dbs); err != nil {
		t.Fatal(err)
	}
}

func leaseLook(t *testing.T, s *suite) {
	s.do(t, 0, "set", "there", "v")
	ask := func(k string) backend.Ask { return backend.Ask{Key: []byte(k)} }
	if got := show(s.ask(t, 0, 0, ask("there"), ask("none"))); got != "present=v free" {
		t.Errorf("got %s", got)
	}
	g := s.acquire(t, 0, "none", "marked")
	s.settle(t, 0, end("marked", g[1], backend.MarkAbsent))
	if got := show(s.ask(t, 0, 0, ask("there"), ask("none"), ask("marked"), ask("free"))); got != "present=v busy absent free" {
		t.Errorf("got %s", got)
	}
	if got := show(s.acquire(t, 0, "free")); got != "taken" {
		t.Errorf("a look took it: %s", got)
	}
}

func leaseMarkers(t *testing.T, s *suite) {
	g := s.acquire(t, 0, "a", "b", "c", "d")
	short, none := end("b", g[1], backend.MarkAbsent), end("c", g[2], backend.MarkAbsent)
	short.TTL, none.TTL = 20*time.Millisecond, 0
	if got := s.settle(t, 0, end("a", g[0], backend.MarkAbsent), short, none, end("d", g[3], backend.MarkAbsent)); got != "[true true true true]" {
		t.Errorf("settled: %s", got)
	}
	if got := show(s.acquire(t, 0, "a", "c")); got != "absent taken" {
		t.Errorf("got %s", got)
	}
	s.until(t, "a marker does not end", func() bool { return show(s.acquire(t, 0, "b")) == "taken" })
	s.do(t, 0, "set", "a", "v") // past Forebay: the value counts before the marker
	if got := show(s.acquire(t, 0, "a")); got != "present=v" {
		t.Errorf("with a value: %s", got)
	}
	s.do(t, 0, "del", "a")
	s.drop(t, 0, "a")
	if got := show(s.acquire(t, 0, "a", "d")); got != "taken absent" {
		t.Errorf("after a drop: %s", got)
	}
	s.dropAll(t, 0)
	if got := show(s.acquire(t, 0, "d")); got != "taken" {
		t.Errorf("a marker of an older generation: %s", got)
	}
}

func leaseEnds(t *testing.T, s *suite) {
	g := s.acquire(t, 0, "a", "b", "c")
	if got := s.settle(t, 0, end("a", g[0], backend.CheckOnly), end("b", g[1], backend.GiveUp), end("c", g[2], backend.KeepOn)); got != "[true true true]" {
		t.Errorf("settled: %s", got)
	}
	if n := s.do(t, 0, "exists", "a", "b", "c"); n != int64(0) {
		t.Errorf("%v values were stored", n)
	}
	if got := show(s.acquire(t, 0, "a", "b", "c")); got != "taken taken busy" {
		t.Errorf("afterwards: %s", got)
	}
	if got := s.settle(t, 0, end("a", g[0], backend.GiveUp), end("b", g[1], backend.KeepOn)); got != "[false false]" {
		t.Errorf("leases that others have: %s", got)
	}
	if got := show(s.acquire(t, 0, "a", "b")); got != "busy busy" {
		t.Errorf("the others' leases: %s", got)
	}
	kept := s.ask(t, 0, 300*time.Millisecond, backend.Ask{Key: []byte("kept")})
	s.settle(t, 0, end("kept", kept[0], backend.KeepOn))
	if g := s.acquire(t, 0, "kept"); g[0].State != backend.Busy || g[0].Left < 30*time.Second {
		t.Errorf("a lease that was kept has %v left", g[0].Left)
	}
	s.dropAll(t, 0)
	if got := s.settle(t, 0, end("kept", kept[0], backend.KeepOn)); got != "[false]" {
		t.Errorf("kept beyond its generation: %s", got)
	}
}

func leaseRefresh(t *testing.T, s *suite) {
	s.do(t, 0, "set", "k", "old", "px", 60_000)
	ask := backend.Ask{Key: []byte("k"), Refresh: true}
	g := s.ask(t, 0, life, ask)
	if got := show(append(g, s.ask(t, 0, life, ask)...)); got != "taken=old busy" {
		t.Errorf("got %s", got)
	}
	if got := show(s.acquire(t, 0, "k")); got != "present=old" {
		t.Errorf("meanwhile: %s", got)
	}
	refresh := func(g backend.Grant) string {
		e := end("k", g, backend.RefreshValue)
		e.Seen, e.Value = g.Value, []byte("new")
		return s.settle(t, 0, e)
	}
	if got := refresh(g[0]); got != "[true]" {
		t.Errorf("refresh: %s", got)
	}
	same(t, s.get(t, 0, "k"), "new")
	for name, meanwhile := range map[string]func(){
		"set":     func() { s.do(t, 0, "set", "k", "theirs") },
		"removed": func() { s.do(t, 0, "del", "k") },
		"dropped": func() { s.drop(t, 0, "k") },
		"raised":  func() { s.dropAll(t, 0) },
		"a list":  func() { s.do(t, 0, "del", "k"); s.do(t, 0, "rpush", "k", "a") },
	} {
		s.do(t, 0, "del", "k")
		s.do(t, 0, "set", "k", "old")
		g := s.ask(t, 0, life, ask)
		meanwhile()
		if got := refresh(g[0]); got != "[false]" {
			t.Errorf("%s: refreshed", name)
		}
	}
}

func leaseDrops(t *testing.T, s *suite) {
	g := s.acquire(t, 0, "a", "b", "c")
	s.acquire(t, 2, "a")
	s.settle(t, 0, end("b", g[1], backend.MarkAbsent))
	s.drop(t, 0, "a", "b", "none")
	s.drop(t, 0)
	if got := show(s.acquire(t, 0, "a", "b", "c")); got != "taken taken busy" {
		t.Errorf("after a drop: %s", got)
	}
	s.dropAll(t, 0)
	if got := show(append(s.acquire(t, 0, "c"), s.acquire(t, 2, "a")...)); got != "taken busy" {
		t.Errorf("after a drop of all: %s", got)
	}
	s.dropAll(t, 0, 2)
	if got := show(append(s.acquire(t, 0, "c"), s.acquire(t, 2, "a")...)); got != "taken taken" {
		t.Errorf("after a drop of all, everywhere: %s", got)
	}
}

// leaseMarks: the index of fills knows what was stored with Track, and nothing of what was refused.
func leaseMarks(t *testing.T, s *suite) {
	const filled = "__forebay:session:filled"
	g := s.acquire(t, 0, "a", "b", "c")
	s.do(t, 0, "set", "b", "theirs")
	entries := []backend.Entry{end("a", g[0], backend.StoreValue), end("b", g[1], backend.StoreValue), end("c", g[2], backend.StoreValue)}
	entries[0].Track, entries[1].Track = true, true
	if got := s.settle(t, 0, entries...); got != "[true false true]" {
		t.Errorf("settled: %s", got)
	}
	if got := fmt.Sprint(s.do(t, 0, "hkeys", filled)); got != "[a]" {
		t.Errorf("marks: %s", got)
	}
	s.do(t, 0, "del", "a")
	if got := s.settle(t, 0, end("a", s.acquire(t, 0, "a")[0], backend.StoreValue)); got != "[true]" {
		t.Errorf("settled: %s", got)
	}
	if n := s.do(t, 0, "hlen", filled); n != int64(0) {
		t.Errorf("%v marks are left of a value that is nobody's to give back", n)
	}
}

func leaseMany(t *testing.T, s *suite) {
	const n = 3000
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprint("k", i))
	}
	grants := s.acquire(t, 0, keys...)
	var entries []backend.Entry
	for i, g := range grants {
		e := end(keys[i], g, backend.StoreValue)
		switch {
		case i%1000 == 7: // stored beside, and renamed
			e.Value = bytes.Repeat([]byte{byte(i)}, backend.MaxInline+i)
		case i%100 == 8:
			e.Value = bytes.Repeat([]byte{byte(i)}, backend.MaxInline)
		case i%3 == 0:
			e.Do = backend.MarkAbsent
		case i%3 == 1:
			e.Value, e.Hash = backend.AppendField(nil, []byte("f"), []byte(keys[i])), true
		}
		entries = append(entries, e)
	}
	if got := s.settle(t, 0, entries...); strings.Contains(got, "false") {
		t.Errorf("settled: %s", got)
	}
	for i, g := range s.acquire(t, 0, keys...) {
		e := &entries[i]
		switch {
		case e.Do == backend.MarkAbsent && g.State != backend.Absent,
			e.Do != backend.MarkAbsent && (g.State != backend.Present || e.Hash != (g.Err != nil)),
			e.Do != backend.MarkAbsent && !e.Hash && len(e.Value) <= backend.MaxInline && !bytes.Equal(g.Value, e.Value):
			t.Fatalf("key %d: %+.200v", i, g)
		}
	}
	same(t, s.get(t, 0, "k1007"), string(entries[1007].Value))
	if keys, _ := s.do(t, 0, "keys", "__forebay:stage:*").([]any); len(keys) != 0 {
		t.Errorf("stages are left: %v", keys)
	}
}

// leaseBraces: no two keys share a lease, whatever braces are in them.
func leaseBraces(t *testing.T, s *suite) {
	keys := []string{"", "a", "{a}", "x{a}", "{a}x", "}", "{", "{}", "a}b", "a}c", "{}a", "a{b", "{{a}}", "0", "{0}", "1}", "k\r\n", "\x00}"}
	g := s.acquire(t, 0, keys...)
	var entries []backend.Entry
	for i, k := range keys {
		if g[i].State != backend.Taken {
			t.Errorf("%q: %s", k, show(g[i:i+1]))
		}
		e := end(k, g[i], backend.StoreValue)
		e.Value = []byte(k)
		entries = append(entries, e)
		s.do(t, 0, "ping")
	}
	if got := s.settle(t, 0, entries...); strings.Contains(got, "false") {
		t.Errorf("settled: %s", got)
	}
	for i, v := range s.get(t, 0, keys...) {
		if string(v) != keys[i] {
			t.Errorf("%q holds %q", keys[i], v)
		}
	}
	if n := s.do(t, 0, "exists", "__forebay:lease:{a}"); n != int64(0) {
		t.Error("a lease is left")
	}
}

// leaseAreas: what was read of an area is stored if none of its keys was dropped since, with or without leases of their own.
func leaseAreas(t *testing.T, s *suite) {
	enter := func() backend.Area {
		since, err := s.Store.Enter(t.Context(), 0, "r")
		if err != nil {
			t.Fatal(err)
		}
		return backend.Area{Name: "r", Since: since}
	}
	if a, b := enter(), enter(); a != b || !a.Since.Held() {
		t.Errorf("%v and %v", a, b)
	}
	for name, tt := range map[string]struct {
		meanwhile func()
		want      string
	}{
		"nothing":            {func() {}, "[true true]"},
		"another's lease":    {func() { s.acquire(t, 0, "free") }, "[true true]"},
		"a drop elsewhere":   {func() { must(t, s.Store.Drop(t.Context(), 0, bytesOf([]string{"other"}), []string{"q"})) }, "[true true]"},
		"a drop":             {func() { must(t, s.Store.Drop(t.Context(), 0, bytesOf([]string{"other"}), []string{"r"})) }, "[false false]"},
		"dropped, and anew":  {func() { must(t, s.Store.Drop(t.Context(), 0, nil, []string{"r"})); enter() }, "[false false]"},
		"raised":             {func() { s.dropAll(t, 0) }, "[false false]"},
		"raised, and anew":   {func() { s.dropAll(t, 0); enter() }, "[false false]"},
		"flushed, and anew":  {func() { s.do(t, 0, "flushall"); enter() }, "[false false]"},
		"a value":            {func() { s.do(t, 0, "set", "free", "theirs") }, "[true false]"},
		"a drop of one only": {func() { s.drop(t, 0, "leased") }, "[false true]"},
	} {
		s.do(t, 0, "flushall")
		area := enter()
		g := s.acquire(t, 0, "leased")
		tt.meanwhile()
		leased, free := end("leased", g[0], backend.StoreValue), end("free", backend.Grant{}, backend.StoreValue)
		leased.Area, free.Area = area, area
		if got := s.settle(t, 0, leased, free); got != tt.want {
			t.Errorf("%s: settled %s, want %s", name, got, tt.want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
