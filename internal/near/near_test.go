package near_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/backend"
	"forebay/internal/near"
)

func TestNilCache(t *testing.T) {
	var c *near.Cache
	k := []byte("k")
	c.Offer(0, k, k, c.Token(0, k))
	c.Fence(0, k)
	c.Unfence(0, k)
	c.FenceAll()
	c.UnfenceAll()
	c.Drop(0, k)
	c.Close()
	wantMiss(t, c, "k")
	if c.Same(0, k, c.Token(0, k)) || c.Stats() != (near.Stats{}) || c.Health() != "off: the near copy is turned off" {
		t.Error(c.Stats(), c.Health())
	}
}

func TestDatabasesAreToldApartUntilSomethingChanges(t *testing.T) {
	c, f := connected(t)
	k := []byte("k")
	for db := range 4 {
		for range 2 {
			c.Offer(db, k, fmt.Append(nil, "v", db), c.Token(db, k))
		}
	}
	f.answer(backend.NoExpiry)
	for db := range 4 {
		if v, ok := c.Get(db, k); !ok || string(v) != fmt.Sprintf("$2\r\nv%d\r\n", db) {
			t.Errorf("database %d: %q, %v", db, v, ok)
		}
	}
	c.Drop(2, k)
	if _, ok := c.Get(2, k); ok {
		t.Error("database 2 was not dropped")
	}
	wantHit(t, c, "k", "v0")
	f.Changed(k)
	for db := range 4 {
		if _, ok := c.Get(db, k); ok {
			t.Errorf("database %d was not dropped", db)
		}
	}
}

func TestDatabasesAreBounded(t *testing.T) {
	c, f := connected(t)
	f.auto = true
	k := []byte("k")
	for db := range 200 {
		for range 2 {
			c.Offer(db, k, k, c.Token(db, k))
		}
	}
	if s := c.Stats(); s.Entries != 128 || s.Refused.Untracked != 72 {
		t.Errorf("%+v", s)
	}
}

func TestBounds(t *testing.T) {
	t.Run("bytes", func(t *testing.T) {
		c, f := connected(t)
		f.auto = true
		for i := range 10_000 {
			offerTwice(c, fmt.Sprint("key:", i), strings.Repeat("v", i%3000))
			if s := c.Stats(); s.Bytes > s.MaxBytes {
				t.Fatalf("%+v", s)
			}
		}
		if s := c.Stats(); s.Bytes < s.MaxBytes/2 || s.Evicted == 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("entries", func(t *testing.T) {
		c, f := connected(t, func(o *near.Options) { o.MaxEntries = 100 })
		f.auto = true
		for i := range 5000 {
			offerTwice(c, fmt.Sprint("key:", i), "v")
			if s := c.Stats(); s.Entries > 100 {
				t.Fatalf("%+v", s)
			}
		}
		if s := c.Stats(); s.Entries < 90 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("what waits", func(t *testing.T) {
		c, f := connected(t, func(o *near.Options) { o.MaxBytes = 1 << 30 })
		value := strings.Repeat("v", 1<<20)
		for i := range 20 {
			offerTwice(c, fmt.Sprint("key:", i), value)
		}
		if n := f.answer(backend.NoExpiry); n != 7 {
			t.Errorf("%d values of 1 MiB waited", n)
		}
		if s := c.Stats(); s.Entries != 7 || s.Refused.Busy != 13 {
			t.Errorf("%+v", s)
		}
		offerTwice(c, "key:19", value)
		if n := f.answer(backend.NoExpiry); n != 1 {
			t.Error("the room was not given back")
		}
	})
	t.Run("a value larger than what may wait waits alone", func(t *testing.T) {
		c, f := connected(t, func(o *near.Options) { o.MaxBytes = 1 << 30 })
		value := strings.Repeat("v", 47<<20)
		offerTwice(c, "a", value)
		offerTwice(c, "b", "small")
		f.answer(backend.NoExpiry)
		wantHit(t, c, "a", value)
		wantMiss(t, c, "b")
	})
	t.Run("a value", func(t *testing.T) {
		c, f := connected(t, func(o *near.Options) { o.MaxValue = 10 })
		f.auto = true
		offerTwice(c, "a", "0123456789")
		offerTwice(c, "b", "0123456789x")
		wantHit(t, c, "a", "0123456789")
		wantMiss(t, c, "b")
	})
}

func TestNothingIsAskedWhileTheTrackerIsDeaf(t *testing.T) {
	c, f := connected(t)
	f.deaf = true
	offerTwice(c, "k", "v")
	offer(c, "k", "v")
	if s := c.Stats(); s.Refused.Busy != 2 {
		t.Errorf("%+v", s)
	}
	f.deaf = false
	offer(c, "k", "v")
	f.answer(backend.NoExpiry)
	wantHit(t, c, "k", "v")
}

func TestAnswersNobodyWaitsForAreIgnored(t *testing.T) {
	c, f := connected(t)
	offerTwice(c, "k", "v")
	f.TTL(999, f.now(), backend.NoExpiry)
	wantMiss(t, c, "k")
	f.answer(backend.NoExpiry)
	wantHit(t, c, "k", "v")
}

func TestHealth(t *testing.T) {
	var log bytes.Buffer
	c, f := connected(t, func(o *near.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	keep(t, c, f, "k", "v")
	if got := c.Health(); got != "1 values in 0.0 of 1.0 MiB" || c.Err() != nil {
		t.Error(got)
	}
	refusal := errors.New("track keys: unknown command")
	for range 3 {
		f.Lost(refusal, true)
	}
	if got := c.Health(); got != "off: track keys: unknown command" {
		t.Error(got)
	}
	if n := strings.Count(log.String(), "does not let the near copy follow"); n != 1 {
		t.Errorf("%d lines:\n%s", n, &log)
	}
	if s := c.Stats(); s.Lost != 1 || s.Connected || s.Valid || s.Entries != 0 {
		t.Errorf("%+v", s)
	}
	f.Tracking(f.now())
	f.pass(5e9)
	if got := c.Health(); got != "off: redis has not answered for a second" || !c.Stats().Connected {
		t.Error(got)
	}
	c.Close()
	if got := c.Health(); got != "off: closed" || !f.closed {
		t.Error(got)
	}
}

// Writers, readers and the stream all at once: with the race detector, and against the one rule that can be checked from outside. Each key has a version
// that only grows; a reader's Get may not give an older one than was acknowledged before it began.
func TestWritersSeeTheirWrites(t *testing.T) {
	const keys, rounds = 8, 4000
	c, f := connected(t)
	f.auto = true
	var redis [keys]struct {
		sync.Mutex
		version int64 // what "Redis" holds
		acked   atomic.Int64
	}
	var wg sync.WaitGroup
	for g := range 4 {
		r := rand.New(rand.NewPCG(uint64(g), 7))
		wg.Go(func() {
			for range rounds {
				i := r.IntN(keys)
				k, row := []byte{'k', byte('0' + i)}, &redis[i]
				switch r.IntN(10) {
				case 0: // a client's write
					all := r.IntN(8) == 0
					if all {
						c.FenceAll()
					} else {
						c.Fence(0, k)
					}
					row.Lock()
					row.version++
					row.acked.Store(row.version)
					row.Unlock()
					if all {
						c.UnfenceAll()
					} else {
						c.Unfence(0, k)
					}
				default: // a client's read
					least := row.acked.Load()
					tok := c.Token(0, k)
					reply, ok := c.Get(0, k)
					if !ok {
						row.Lock()
						v := row.version
						row.Unlock()
						c.Offer(0, k, fmt.Append(nil, v), tok)
						continue
					}
					var n int
					var v int64
					if _, err := fmt.Sscanf(string(reply), "$%d\r\n%d", &n, &v); err != nil || v < least {
						t.Errorf("key %d: got version %d, %v; %d was acknowledged before", i, v, err, least)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Hits < rounds/4 || s.Inserts == 0 {
		t.Errorf("little was tried: %+v", s)
	}
}
