package cache_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
)

// partition stores n rows of partition 1 in the source, "v0" and so on.
func (f *fixture) partition(n int) {
	for i := range n {
		f.source.set(1, i, fmt.Sprint("v", i))
	}
}

// atRow makes a hook that holds a reading before the row with this id.
func atRow(g *gate, id int) func(context.Context, any) error {
	return func(ctx context.Context, row any) error {
		if row != int64(id) {
			return nil
		}
		return stopped(g.pass(ctx))
	}
}

// queries are the queries so far: the number of rows asked for by name, or "all", or "from N".
func (f *fixture) queries() string {
	var list []string
	for _, q := range f.source.asked() {
		switch {
		case q.in != nil:
			list = append(list, fmt.Sprint(len(q.in)))
		case len(q.where) == 2:
			list = append(list, fmt.Sprint("from ", q.where[1]))
		default:
			list = append(list, "all")
		}
	}
	return strings.Join(list, ", ")
}

func wantQueries(t *testing.T, f *fixture, want string) {
	t.Helper()
	if got := f.queries(); got != want {
		t.Errorf("queries: %s; want %s", got, want)
	}
}

// A miss is answered when its row comes; the rows around it are stored, and read from Redis from then on. One query in all.
func TestAMissLoadsItsNeighbours(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.partition(300)
		g := newGate("row 200")
		f.source.row = atRow(g, 200)
		first := f.start("ra:1:7")
		g.held(t, 1)
		wantResults(t, first.wait(), "v7") // not at the end
		held, coming := f.start("ra:1:150"), f.start("ra:1:250", "ra:1:8")
		wantResults(t, held.wait(), "v150") // came, and is not stored yet
		if coming.ended() {
			t.Error("a row is answered that has not come")
		}
		g.release()
		wantResults(t, coming.wait(), "v250", "v8*")
		synctest.Wait()
		for i := range 300 {
			if v, _ := f.store.get(fmt.Sprint("ra:1:", i)); v != fmt.Sprint("v", i) {
				t.Fatalf("row %d is %q in redis", i, v)
			}
		}
		wantQueries(t, f, "all")
		if n := len(f.store.trips("fill")); n > 7 {
			t.Errorf("%d fills of 300 rows: they go in batches", n)
		}
		if l := f.events.of(event.Load); len(l) != 1 || l[0].Rows != 300 || l[0].Route != "ahead" {
			t.Errorf("load events: %+v", l)
		}
		if n := len(f.events.of(event.Fill)); n != 300 {
			t.Errorf("%d fill events, want 300", n)
		}
		f.idle()
	})
}

// Absent rows are known to be when the partition was read to its end; errors are those of whoever waits.
func TestWhatAReadingDoesNotBring(t *testing.T) {
	t.Run("an absent row", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			f.partition(3)
			wantResults(t, f.read("ra:1:2", "ra:1:9"), "v2", "nil")
			wantQueries(t, f, "all")
			f.idle()
		})
	})
	t.Run("an error", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			f.partition(3)
			f.source.row = func(_ context.Context, id any) error {
				if id == int64(2) {
					return fmt.Errorf("read page 2: %w", backend.ErrSourceDown)
				}
				return nil
			}
			wantResults(t, f.read("ra:1:0", "ra:1:2"), "v0", "error: down")
			synctest.Wait()
			if v, _ := f.store.get("ra:1:1"); v != "v1" {
				t.Errorf("what came before the error is %q in redis", v)
			}
			f.idle()
		})
	})
	t.Run("in time", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			f.partition(3)
			f.source.row = atRow(newGate("never opened"), 1)
			begun := time.Now()
			wantResults(t, f.read("ra:1:0", "ra:1:2"), "v0", "v2")
			if d := time.Since(begun); d != 500*time.Millisecond {
				t.Errorf("it took %v", d)
			}
			wantQueries(t, f, "all, 1")
			<-time.After(20 * time.Second)
			f.idle()
		})
	})
}

// Of a partition over the bound of its route, what is asked for is loaded all the same, and the next reading begins there.
func TestALargePartitionIsReadInPart(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.source.set(1, i, strings.Repeat("x", mostAhead/10))
		}
		miss := func(id int) { f.store.del(fmt.Sprint("ra:1:", id)); f.read(fmt.Sprint("ra:1:", id)); synctest.Wait() }
		miss(50)
		wantQueries(t, f, "all, 1")
		if n := len(f.store.entries()); n != 11 {
			t.Errorf("%d rows were stored, want 10 and the one asked for", n)
		}
		<-time.After(2 * time.Minute)
		miss(60)
		wantQueries(t, f, "all, 1, from 60")
		if _, ok := f.store.get("ra:1:69"); !ok {
			t.Error("the rows after the one asked for were not read")
		}
		f.idle()
	})
}

// What was just read is not read again, unless much of it is missing.
func TestAPartitionIsNotReadAgainSoon(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.partition(200)
		f.read("ra:1:0")
		synctest.Wait()
		for i := range 24 { // an eighth, and the last reads ahead
			f.store.del(fmt.Sprint("ra:1:", i))
		}
		f.store.del("ra:1:100")
		for i := range 25 {
			f.read(fmt.Sprint("ra:1:", i))
		}
		synctest.Wait()
		wantQueries(t, f, "all"+strings.Repeat(", 1", 24))
		f.read("ra:1:100")
		synctest.Wait()
		wantQueries(t, f, "all"+strings.Repeat(", 1", 24)+", all")
		f.idle()
	})
}

func TestWhenNothingIsReadAhead(t *testing.T) {
	for name, test := range map[string]struct {
		mode   cache.Mode
		change func(*fixture)
		closed bool
	}{
		"the read must not store":  {mode: cache.Mode{NoFill: true}},
		"redis is down":            {change: func(f *fixture) { f.store.setDown(true) }},
		"admission stores nothing": {closed: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.partition(10)
				if test.change != nil {
					test.change(f)
				}
				wantResults(t, f.startIn(t.Context(), 0, test.mode, "ra:1:3").wait(), "v3")
				wantQueries(t, f, "1")
				if n := len(f.store.entries()); n != 0 {
					t.Errorf("%d values were stored", n)
				}
				f.idle()
			}, func(o *cache.Options) {
				if test.closed {
					o.Admit = func(int) bool { return false }
				}
			})
		})
	}
}

// The interleavings of ahead.go, by the step at which the client writes.
func TestWritesWhileAPartitionIsRead(t *testing.T) {
	fences := map[string]func(*cache.Engine){
		"one key":  func(e *cache.Engine) { e.Fence(0, []byte("ra:1:1")) },
		"all keys": func(e *cache.Engine) { e.FenceAll(-1) },
	}
	for name, fence := range fences {
		t.Run("before the row is stored, "+name, func(t *testing.T) { // 1 to 3
			bubble(t, func(t *testing.T, f *fixture) {
				f.partition(4)
				g := newGate("row 3")
				f.source.row = atRow(g, 3)
				f.start("ra:1:0")
				g.held(t, 1) // row 1 is held
				f.source.set(1, 1, "new")
				fence(f.engine)
				wantResults(t, f.start("ra:1:1").wait(), "new")
				f.store.del("ra:1:1")
				g.release()
				if v, ok := f.store.get("ra:1:1"); ok {
					t.Errorf("%q was stored after the write", v)
				}
				f.idle()
			})
		})
		t.Run("while the row is stored, "+name, func(t *testing.T) { // 4
			bubble(t, func(t *testing.T, f *fixture) {
				f.partition(4)
				g := newGate("fill")
				f.store.before = on(g, "fill", "ra:1:1")
				f.start("ra:1:0")
				g.held(t, 1)
				f.source.set(1, 1, "new")
				wrote := background(func() { fence(f.engine); f.store.del("ra:1:1") })
				if closed(wrote) {
					t.Error("the write did not wait for the fill that is on its way")
				}
				late := f.start("ra:1:1")
				g.release()
				<-wrote
				f.store.del("ra:1:1")
				late.wait()
				wantResults(t, f.read("ra:1:1"), "new")
				f.idle()
			})
		})
	}
	t.Run("after a reader has joined", func(t *testing.T) { // 5
		bubble(t, func(t *testing.T, f *fixture) {
			f.partition(4)
			g := newGate("row 2")
			f.source.row = atRow(g, 2)
			f.start("ra:1:0")
			r := f.start("ra:1:3")
			f.engine.Fence(0, []byte("ra:1:3"))
			f.source.set(1, 3, "new")
			g.release()
			wantResults(t, r.wait(), "new")
			f.idle()
		})
	})
}

// What Redis holds already stays, and is not sent again and again.
func TestWhatIsThereIsNotReadOver(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.partition(600)
		for i := 1; i < 600; i++ {
			f.store.set(fmt.Sprint("ra:1:", i), "theirs")
		}
		wantResults(t, f.read("ra:1:0"), "v0")
		synctest.Wait()
		sent := 0
		for _, o := range f.store.trips("fill") {
			sent += len(o.keys)
		}
		if v, _ := f.store.get("ra:1:300"); v != "theirs" || sent > 1+128 {
			t.Errorf("redis has %q; %d values were sent, want one batch at most", v, sent)
		}
		f.idle()
	})
}

// Readings at once are bounded: those that wait for their turn are no reason for a reader to wait long.
func TestReadingsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		var keys []string
		var want []string
		for part := range 12 {
			f.source.set(part, 1, fmt.Sprint("v", part))
			keys, want = append(keys, fmt.Sprintf("ra:%d:1", part)), append(want, fmt.Sprint("v", part))
		}
		g := newGate("readings")
		f.source.before = func(ctx context.Context, q asked) error {
			if q.in != nil {
				return nil
			}
			return stopped(g.pass(ctx))
		}
		r := f.start(keys...)
		g.held(t, 4)
		wantResults(t, r.wait(), want...) // after aheadFor, by queries of their own
		g.release()
		f.idle()
	})
}

func TestCloseEndsReadings(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.partition(3)
		f.source.row = atRow(newGate("never opened"), 1)
		r := f.start("ra:1:2")
		f.engine.Close()
		if got := cause(r.wait()[0].Err); !slices.Contains([]string{"closed", "timeout"}, got) {
			t.Errorf("the reader got %s", got)
		}
		f.idle()
	})
}

// Two processes miss rows of one partition: one of them reads it, the other what its own readers ask for.
func TestOneProcessReadsAPartition(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		other := newFixture(t, func(o *cache.Options) { o.Store, o.Source = f.store, f.source })
		f.partition(300)
		g := newGate("row 200")
		f.source.row = atRow(g, 200)
		first := f.start("ra:1:7")
		g.held(t, 1)
		wantResults(t, first.wait(), "v7")
		wantResults(t, other.read("ra:1:250", "ra:1:251"), "v250", "v251")
		wantQueries(t, f, "all, 2")
		time.Sleep(3 * time.Second) // the lease is kept for as long as the reading takes
		wantResults(t, other.read("ra:1:252"), "v252")
		wantQueries(t, f, "all, 2, 1")
		g.release()
		synctest.Wait()
		for i := range 300 {
			if v, _ := f.store.get(fmt.Sprint("ra:1:", i)); v != fmt.Sprint("v", i) {
				t.Fatalf("row %d is %q in redis", i, v)
			}
		}
		// It is given up: once enough is missed again, the other reads the partition.
		for i := range 40 {
			f.store.del(fmt.Sprint("ra:1:", i))
		}
		for i := range 17 {
			other.read(fmt.Sprint("ra:1:", i))
		}
		if got := f.queries(); strings.Count(got, "all") != 2 {
			t.Errorf("queries: %s", got)
		}
	})
}
