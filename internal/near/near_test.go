package near_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

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
	if c.Stats() != (near.Stats{}) || c.Health() != "off: the near copy is turned off" {
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

func TestReservedTimeIsNotGivenOut(t *testing.T) {
	c, f := connected(t, func(o *near.Options) {
		o.Reserve = func(_ int, key []byte) time.Duration {
			if string(key) == "slides" {
				return 600 * time.Millisecond
			}
			return 0
		}
	})
	for _, key := range []string{"slides", "fixed"} {
		offerTwice(c, key, "v")
	}
	f.answer(900 * time.Millisecond)
	f.pass(200 * time.Millisecond)
	wantHit(t, c, "slides", "v")
	f.pass(200 * time.Millisecond) // half a second is left of it in Redis
	wantMiss(t, c, "slides")
	wantHit(t, c, "fixed", "v")
	offerTwice(c, "slides", "v")
	f.answer(500 * time.Millisecond)
	wantMiss(t, c, "slides")
}
