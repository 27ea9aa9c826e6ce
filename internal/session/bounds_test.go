package session_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"forebay/internal/event"
	"forebay/internal/session"
	"forebay/internal/testkit"
)

func TestClaimsOverTheCapKeep(t *testing.T) {
	for name, cap := range map[string]func(*session.Options){
		"by number": func(o *session.Options) { o.MaxClaims = 10 },
		"by bytes":  func(o *session.Options) { o.MaxBytes = 1200 },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			a, b := f.proxy("a", cap), f.proxy("b")
			a.Open("greedy")
			b.Open("modest")
			for i := range 100 {
				k := fmt.Sprint("k", i)
				a.load("greedy", 0, k, "v")
				b.hit("modest", 0, k)
			}
			testkit.Soon(t, "it is told", func() bool {
				i, err := b.Info(t.Context(), "greedy")
				return err == nil && i.Capped && i.Held > 0 && i.Held <= 20
			})
			// The greedy one may use any key, so nothing goes.
			if r := f.end(b, "modest"); r.Keys != 0 {
				t.Errorf("modest: %+v", r)
			}
			i, err := b.Info(t.Context(), "greedy")
			if err != nil {
				t.Fatal(err)
			}
			if r := f.end(b, "greedy"); r.Keys != i.Held {
				t.Errorf("greedy: %+v, claims %d", r, i.Held)
			}
		})
	}
}

// TestLostClaimsKeep takes away, behind the session's back, what Redis knows of its claims.
func TestLostClaimsKeep(t *testing.T) {
	for name, pattern := range map[string]string{
		"the claims":  "__forebay:session:claims:*",
		"the session": "__forebay:session:of:two",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			a := f.proxy("a")
			b := f.proxy("b", func(o *session.Options) { o.Grace = time.Minute })
			b.Open("two")
			b.hit("two", 0, "shared")
			b.Close("two")
			testkit.Soon(t, "two is told", func() bool {
				i, err := b.Info(t.Context(), "two")
				return err == nil && i.Held == 1 && i.Connections == 0
			})
			keys := f.raw.Keys(t.Context(), pattern).Val()
			if n := f.raw.Del(t.Context(), keys...).Val(); n != 1 {
				t.Fatalf("removed %d of %q", n, keys)
			}
			a.Open("one")
			a.load("one", 0, "shared", "v")
			if r := f.end(a, "one"); r.Keys != 0 {
				t.Errorf("released %+v", r)
			}
			f.there(0, map[string]bool{"shared": true})
		})
	}
}

// TestMemoryOfClaims claims two million keys in sessions that may use 16 MiB.
func TestMemoryOfClaims(t *testing.T) {
	m := session.New(session.Options{MaxBytes: 16 << 20})
	before := heap()
	var key [8]byte
	for s := range 4 {
		name := fmt.Sprint("run-", s)
		m.Open(name)
		v := view(event.Hit, name, 0, "", 1)
		v.KeyLen = 8
		for i := range 500_000 {
			binary.LittleEndian.PutUint64(key[:], uint64(i+s<<32))
			v.Hash = mix(uint64(i + s<<32))
			m.Observe(v)
		}
	}
	used := heap() - before
	t.Logf("2,000,000 keys within a budget of 16 MiB: %.1f MiB", float64(used)/(1<<20))
	if used > 20<<20 {
		t.Errorf("%d bytes are in use", used)
	}
	runtime.KeepAlive(m)
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestObserveAllocatesNothing(t *testing.T) {
	m := session.New(session.Options{AfterUse: []string{"once"}})
	m.Open("run")
	v := view(event.Hit, "run", 0, "k", 1)
	m.Observe(v)
	if n := testing.AllocsPerRun(1000, func() { m.Observe(v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNamesThatAreNoSessions(t *testing.T) {
	f := newFleet(t)
	p := f.proxy("a")
	for name, is := range map[string]bool{
		"run-42": true, "a/b%:~!": true, strings.Repeat("x", 256): true,
		"": false, "a b": false, "a\nb": false, "ä": false, "\x00": false, strings.Repeat("x", 257): false, strings.Repeat("x", 1<<20): false,
	} {
		p.Open(name)
		p.hit(name, 0, "k")
		_, err := p.Info(t.Context(), name)
		if is != (err == nil) {
			t.Errorf("%.20q is a session: %v", name, err)
		}
		if !is {
			_, endErr := p.End(t.Context(), name, "test")
			extendErr := p.Extend(t.Context(), name, time.Minute)
			for _, err := range []error{err, endErr, extendErr} {
				if err == nil || len(err.Error()) > 200 {
					t.Errorf("%.20q: %v", name, err)
				}
			}
		}
		p.Close(name)
		p.Close(name) // one too many
	}
}

func TestManySessions(t *testing.T) {
	m := session.New(session.Options{})
	for i := range 3 * session.MaxSessions {
		m.Open(fmt.Sprint("open-", i)) // those after the first are refused
	}
	before := heap()
	for i := range 100_000 {
		name := fmt.Sprint("passing-", i)
		m.Open(name)
		m.Close(name)
	}
	if used := heap() - before; used > 4<<20 {
		t.Errorf("%d bytes are in use", used)
	}
	runtime.KeepAlive(m)
}
