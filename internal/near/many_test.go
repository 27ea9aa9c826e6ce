package near_test

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/internal/near"
)

func TestGetMany(t *testing.T) {
	c, f := connected(t)
	f.auto = true
	defer c.Close()
	var keys [][]byte
	want := ""
	for i := range 10 {
		key := []byte(fmt.Sprint("k", i))
		keys = append(keys, key)
		for range 2 {
			c.Offer(0, key, key, c.Token(0, key))
		}
		want += fmt.Sprintf("$2\r\nk%d\r\n", i)
	}
	var m near.Many
	get := func() (all string, ok bool) {
		ok = c.GetMany(0, keys, 1000, &m)
		for _, r := range m.Replies {
			all += string(r)
		}
		return all, ok
	}
	if all, ok := get(); !ok || all != want {
		t.Errorf("%q, %t", all, ok)
	}
	if n := testing.AllocsPerRun(100, func() { c.GetMany(0, keys, 1000, &m) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if c.GetMany(0, keys, 79, &m) || !c.GetMany(0, keys, 80, &m) {
		t.Error("the most bytes are not held")
	}
	if c.GetMany(1, keys, 1000, &m) {
		t.Error("hits of another database")
	}
	c.Fence(0, keys[3])
	if _, ok := get(); ok {
		t.Error("one key is fenced")
	}
	c.Unfence(0, keys[3])
	if _, ok := get(); ok {
		t.Error("one key is absent")
	}
	c.FenceAll()
	c.UnfenceAll()
	if _, ok := get(); ok {
		t.Error("all were dropped")
	}
}

// Two keys that are always written together are never read apart.
func TestGetManyIsOfOneMoment(t *testing.T) {
	c, f := connected(t)
	f.auto = true
	defer c.Close()
	a, b := []byte("a"), []byte("b")
	keys := [][]byte{a} // with many between the two, to take time
	for i := range 2000 {
		key := []byte(fmt.Sprint("between", i))
		keys = append(keys, key)
		for range 2 {
			c.Offer(0, key, key, c.Token(0, key))
		}
	}
	keys = append(keys, b)
	var version atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(step func()) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					step()
				}
			}
		})
	}
	for _, key := range [][]byte{a, b} {
		loop(func() { // a client's GET
			token := c.Token(0, key)
			c.Offer(0, key, strconv.AppendInt(nil, version.Load(), 10), token)
		})
	}
	loop(func() { // a client's MSET
		c.Fence(0, a)
		c.Fence(0, b)
		version.Add(1)
		c.Unfence(0, a)
		c.Unfence(0, b)
		for range 5 {
			runtime.Gosched()
		}
	})
	var m near.Many
	for hits := 0; hits < 100 && !t.Failed(); {
		if !c.GetMany(0, keys, 1<<20, &m) {
			runtime.Gosched()
			continue
		}
		if hits++; string(m.Replies[0]) != string(m.Replies[len(keys)-1]) {
			t.Errorf("%q and %q", m.Replies[0], m.Replies[len(keys)-1])
		}
	}
	close(stop)
	wg.Wait()
}
