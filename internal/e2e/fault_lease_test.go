package e2e_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"forebay/internal/testkit"
)

func leaseFaults() []fault {
	return []fault{
		{"lease holder killed (SIGKILL) while it loads, 100 clients waiting", holderKilled},
		{"lease holder stopped (SIGSTOP) past its lease, then goes on", holderStopped},
		{"announcement of a load lost: there are none, all wait by polling", holderSlow},
		{"negative marker of a row that is there", markerPoisoned},
		{"broken leases: unknown generation, another type, no time to live", leaseBroken},
	}
}

// background is one question that is being asked.
func background(t testing.TB, f *forebay, q question) chan reading {
	c, done := f.client(t), make(chan reading, 1)
	go func() { done <- q.put(c) }()
	return done
}

// waiting has 100 clients ask two Forebays for a row; the answers come by the channel.
func (f *fleet) waiting(t testing.TB, row int) chan []heard {
	t.Helper()
	done := make(chan []heard, 1)
	go func() {
		done <- herd(t, f.all, 100, func(int) string { return "GET " + taggedKey(row) })
	}()
	return done
}

// awaitWaiters waits until the lease has been asked for again and again.
func (f *fleet) awaitWaiters(t testing.TB, row int) {
	t.Helper()
	m, asked := newMonitor(t, f.redis), 0
	eventually(t, "they wait", func() bool {
		for _, command := range m.commands(t) {
			if strings.Contains(command, leaseOf(row)) {
				asked++
			}
		}
		return asked >= 10
	})
}

// heard adds what a herd got of a row.
func (f *fleet) heard(t testing.TB, o *outcome, what string, row, version int, list []heard) {
	t.Helper()
	o.served(t, what, readings(list))
	for _, h := range list {
		if h.word != "value" {
			continue
		}
		if err := f.rows.right(row, version, h.reply); err != nil {
			t.Fatal(err)
		}
	}
}

// The one that loads dies; its lease ends by itself, and one of those who wait takes it.
func holderKilled(t *testing.T, o *outcome) {
	const row = 7
	f := newFleet(t, taggedRows(t, "ASC", perPartition), 2, nil)
	holder, network := f.behind(t)
	network.HalfOpen()
	reads := f.rows.reads(t)
	lost := background(t, holder, f.rows.get(row))
	f.awaitLease(t, row)
	waiting := f.waiting(t, row)
	f.awaitWaiters(t, row)
	holder.process.Signal(syscall.SIGKILL)
	killed := time.Now()
	list := <-waiting
	f.heard(t, o, "those who waited", row, 1, list)
	o.whole, o.note = time.Since(killed), "the last of those who waited has its value"
	o.add(t, "the killed one's own", []reading{<-lost}, closed()...)
	if n := f.rows.reads(t) - reads; n != 1 {
		t.Errorf("Cassandra counts %d reads", n)
	}
	f.rows.wantCacheRight(t, f.redis, perPartition)
}

// The one that loads is stopped, its lease ends, another loads, and the row changes. Then it goes on, with the old row in hand, and what it stores is refused.
func holderStopped(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", perPartition), 2, nil)
	holder, network := f.behind(t, "--budget=20s", "--source.cassandra.timeout=4900ms")
	for row := range 3 { // on a busy machine the driver may have given the query up when it goes on
		if f.stop(t, o, holder, network, row) {
			f.rows.wantCacheRight(t, f.redis, perPartition)
			return
		}
	}
	t.Error("the old row was never to be stored: the test shows nothing")
}

// stop stops the holder of a row's lease and lets it go on. It tells whether that has tried to store the old row.
func (f *fleet) stop(t *testing.T, o *outcome, holder *forebay, network *testkit.FaultProxy, row int) (tried bool) {
	t.Helper()
	reads := f.rows.reads(t)
	network.Delay(time.Second)
	stopped := background(t, holder, f.rows.get(row))
	eventually(t, "Cassandra has read the row", func() bool { return f.rows.reads(t) > reads })
	must(t, holder.process.Suspend()) // the row is on its way
	network.Restore()
	f.heard(t, o, "those who wait", row, 1, <-f.waiting(t, row))
	c := f.all[0].client(t)
	version, err := f.rows.write(row)
	must(t, err)
	must(t, c.Del(t.Context(), taggedKey(row)).Err())
	f.rows.told(row, version)
	m := newMonitor(t, f.redis)
	holder.process.Signal(syscall.SIGCONT)
	goesOn := time.Now()
	if r := <-stopped; r.word != "value" {
		t.Errorf("the stopped one's own client got %s (%v)", r.word, r.wrong)
	}
	o.whole, o.note = time.Since(goesOn), "the stopped one's own client has the new value"
	for _, command := range m.commands(t) {
		tried = tried || strings.HasPrefix(strings.ToUpper(command), `"EVALSHA"`) && strings.Contains(command, tag(row, 1)[:12])
	}
	o.add(t, "the row after", []reading{f.rows.get(row).put(c), f.rows.get(row).put(holder.client(t))}, "value")
	return tried
}

// Nobody is told that a load has ended: whoever waits asks again, at most every 75 ms.
func holderSlow(t *testing.T, o *outcome) {
	const row = 7
	f := newFleet(t, taggedRows(t, "ASC", perPartition), 2, nil)
	holder, network := f.behind(t)
	network.HalfOpen()
	loading := background(t, holder, f.rows.get(row))
	f.awaitLease(t, row)
	waiting := f.waiting(t, row)
	f.awaitWaiters(t, row)
	network.Restore()
	o.add(t, "the one who loads", []reading{<-loading}, "value")
	loaded := time.Now()
	list := <-waiting
	f.heard(t, o, "those who waited", row, 1, list)
	o.whole, o.note = max(0, time.Since(loaded)), "the last of those who waited has its value, after the one who loaded it"
	if o.whole > time.Second {
		t.Errorf("those who waited were told %v after the one who loaded", o.whole)
	}
	for _, at := range f.all {
		eventually(t, "what waited for another process is counted", func() bool {
			return !strings.Contains(at.get(t, "/metrics").body, `forebay_coalesced_total{scope="fleet"} 0`+"\n")
		})
	}
}

// A marker says that there is no such row, though there is: it was added just after it was asked for. It ends by itself, and with any write of the key.
func markerPoisoned(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", perPartition), 2, func(s *setup) { s.more = "defaults: {absent_ttl: 1s}\n" })
	f.warm(t)
	c := f.all[1].client(t)
	gen, _ := f.redis.Do(t, "GET", "__forebay:generation").(string)
	for i := range 20 {
		f.redis.Do(t, "SET", leaseOf(i), "N"+gen, "PX", 1000)
	}
	began := time.Now()
	o.add(t, "values that are there", []reading{f.hits(0, 0).put(c), f.hits(0, 7).put(c)}, "value")
	ignorant := func(i int) question { return question{args: []any{"GET", taggedKey(i)}} }
	o.add(t, "rows with a marker", []reading{ignorant(10).put(c), ignorant(11).put(c)}, "nil")
	if r := ask(c, "DEL", taggedKey(10)); r.word != "value" {
		t.Errorf("DEL answers %s", r.word)
	}
	o.add(t, "one that was deleted", []reading{f.rows.get(10).put(c)}, "value")
	o.recovers(t, began, "the marker has ended", func() bool { return ignorant(11).put(c).word == "value" })
	if o.whole > 2*time.Second {
		t.Errorf("a marker of 1 s is believed for %v", o.whole)
	}
	f.rows.wantCacheRight(t, f.redis, perPartition)
}

// What is no lease of this generation counts for nothing.
func leaseBroken(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", perPartition), 2, nil)
	f.warm(t)
	gen, _ := f.redis.Do(t, "GET", "__forebay:generation").(string)
	for i, text := range []string{"Nelsewhere", "Lelsewhere token", "garbage", "", "N", "L" + gen} {
		f.redis.Do(t, "SET", leaseOf(20+i), text)
	}
	f.redis.Do(t, "RPUSH", leaseOf(26), "a list")
	f.redis.Do(t, "SET", leaseOf(27), "L"+gen+" nobody") // a lease that nobody keeps, and that never ends
	var wg sync.WaitGroup
	list := make([]reading, 8)
	for i := range list {
		c := f.all[i%2].client(t)
		wg.Go(func() { list[i] = f.rows.get(20 + i).put(c) })
	}
	wg.Wait()
	o.add(t, "rows with no lease", list[:7], "value")
	o.add(t, "a row with a lease without end", list[7:], "value", "SOURCETIMEOUT")
	mended := time.Now()
	c := f.all[0].client(t)
	for i := range list {
		must(t, c.Del(context.Background(), taggedKey(20+i)).Err())
	}
	o.recovers(t, mended, "a DEL of each key", func() bool {
		for i := range list {
			if f.rows.get(20+i).put(c).word != "value" || f.redis.Do(t, "EXISTS", taggedKey(20+i)) != int64(1) {
				return false
			}
		}
		return true
	})
	f.rows.wantCacheRight(t, f.redis, perPartition)
}
