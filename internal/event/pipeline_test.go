package event_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/internal/event"
)

func TestEveryEventArrivesOnceAndInItsClientsOrder(t *testing.T) {
	t.Parallel()
	const clients, each = 8, 5000
	sink := &memory{}
	var observed atomic.Int64
	p := event.New(event.Options{
		Proxy: "p1", Partitions: 5, QueueBytes: 1 << 30, FlushEvery: time.Millisecond, Sinks: []event.Sink{sink},
		Observe: func(v *event.View) {
			if v.Kind == event.Hit || v.Kind == event.Load {
				observed.Add(1)
			}
		},
	})
	p.Start()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			var mu sync.Mutex
			r := p.NewRecorder(&mu)
			for i := range each {
				mu.Lock()
				if i == 0 {
					r.SetSession(fmt.Sprint("s", c))
				}
				r.Record(&event.Event{Kind: event.Hit, Key: fmt.Appendf(nil, "k:%d", i%7), Bytes: int64(i)})
				mu.Unlock()
				if i%100 == 0 {
					p.Record(&event.Event{Kind: event.Load, Key: fmt.Appendf(nil, "c%d:%d", c, i), Rows: 1})
				}
			}
			mu.Lock()
			r.Close()
			mu.Unlock()
		})
	}
	wg.Wait()
	closed(t, p)

	if r := sink.verify(t); r.Lost != 0 {
		t.Fatalf("lost %d", r.Lost)
	}
	if want := int64(clients * (each + each/100)); observed.Load() != want {
		t.Errorf("observed %d, want %d", observed.Load(), want)
	}
	hits := 0
	last := map[string]int64{}    // by session and partition: Bytes, which counts up
	partition := map[string]int{} // by key
	for _, w := range sink.events(t) {
		if w.Key != "" {
			if was, ok := partition[w.Key]; ok && was != w.Partition {
				t.Fatalf("key %s in partitions %d and %d", w.Key, was, w.Partition)
			}
			partition[w.Key] = w.Partition
			if want := event.PartitionOf([]byte(w.Key), 5); w.Partition != want {
				t.Fatalf("key %s in partition %d, want %d", w.Key, w.Partition, want)
			}
		}
		if w.Kind != "hit" {
			continue
		}
		hits++
		of := fmt.Sprint(w.Session, "/", w.Partition)
		if before, ok := last[of]; ok && w.Bytes <= before {
			t.Fatalf("session and partition %s: event %d after %d", of, w.Bytes, before)
		}
		last[of] = w.Bytes
	}
	if hits != clients*each {
		t.Errorf("%d hits, want %d", hits, clients*each)
	}
}

// hooked is a lock that calls released, once, right after it is unlocked.
type hooked struct {
	sync.Mutex
	released func()
}

func (h *hooked) Unlock() {
	f := h.released
	h.released = nil
	h.Mutex.Unlock()
	if f != nil {
		f()
	}
}

// The client records and hands over at the first moment at which it can after the collector had its lock.
func TestClientDoesNotOvertakeTheCollector(t *testing.T) {
	t.Parallel()
	sink := &memory{}
	p := event.New(event.Options{FlushEvery: time.Hour, Sinks: []event.Sink{sink}})
	p.Start()
	var owner hooked
	r := p.NewRecorder(&owner)
	owner.Lock()
	r.Record(&event.Event{Kind: event.Hit, Key: []byte("k"), Bytes: 1})
	owner.Unlock()
	owner.released = func() {
		owner.Lock()
		r.Record(&event.Event{Kind: event.Hit, Key: []byte("k"), Bytes: 2})
		r.Flush()
		owner.Unlock()
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed(t, p)
	got := sink.events(t, event.End)
	if len(got) != 2 || got[0].Bytes != 1 || got[1].Bytes != 2 {
		t.Errorf("events %+v", got)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	p := event.New(event.Options{QueueBytes: 1 << 30})
	var mu sync.Mutex
	r := p.NewRecorder(&mu)
	ev := event.Event{Kind: event.Hit, Origin: event.FromNear, Key: []byte("mnist:train:41999"), Route: "mnist", Bytes: 3136}
	if n := testing.AllocsPerRun(100, func() { r.Record(&ev) }); n != 0 {
		t.Errorf("Recorder.Record allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.Record(&ev) }); n != 0 {
		t.Errorf("Pipeline.Record allocates %v times", n)
	}
}

func TestEventLeavesItsRecorderOnTheTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{}
		p := event.New(event.Options{Sinks: []event.Sink{sink}})
		p.Start()
		defer closed(t, p)
		var mu sync.Mutex
		r := p.NewRecorder(&mu)
		for round := 1; round <= 3; round++ {
			mu.Lock()
			r.Record(&event.Event{Kind: event.Hit, Key: []byte("k")})
			mu.Unlock()
			time.Sleep(49 * time.Millisecond)
			synctest.Wait()
			if got := len(sink.events(t)); got != round-1 {
				t.Fatalf("%d events before the timer, want %d", got, round-1)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if got := len(sink.events(t)); got != round {
				t.Fatalf("%d events after the timer, want %d", got, round)
			}
		}
	})
}

// A pump that stands still fills the queue. What does not fit uses up its seqs, is told of by a gap in each partition, and is observed.
func TestFullQueueBecomesAGapInEachPartition(t *testing.T) {
	t.Parallel()
	const total = 20000
	sink := &memory{gate: make(chan struct{}), entered: make(chan struct{}, 1)}
	var hits, lost atomic.Int64
	p := event.New(event.Options{
		Partitions: 3, QueueBytes: 256 << 10, Sinks: []event.Sink{sink},
		Observe: func(v *event.View) {
			switch v.Kind {
			case event.Hit:
				hits.Add(1)
			case event.Gap:
				lost.Add(v.Count)
			}
		},
	})
	p.Start()
	record := func(i int) {
		p.Record(&event.Event{Kind: event.Hit, Key: fmt.Appendf(nil, "key:%d", i)})
	}
	record(0)
	<-sink.entered
	for i := 1; i < total; i++ {
		record(i)
	}
	if got := p.Stats().QueueBytes; got > 256<<10 {
		t.Errorf("queue holds %d bytes", got)
	}
	close(sink.gate)
	closed(t, p)

	r := sink.verify(t)
	if r.Lost == 0 || r.Lost != lost.Load() || r.Lost != p.Stats().Dropped {
		t.Errorf("lost %d, observed %d, counted %d", r.Lost, lost.Load(), p.Stats().Dropped)
	}
	if got := r.Lines - 3 + r.Lost; got != total { // 3 ends
		t.Errorf("lines and lost events make %d, want %d", got, total)
	}
	if hits.Load() != total {
		t.Errorf("observed %d hits, want %d", hits.Load(), total)
	}
	for _, s := range r.Streams {
		// A second, if what the recorders still held came before the pump had emptied the queue.
		if n := len(s.Gaps); n != 1 && n != 2 {
			t.Errorf("partition %d has gaps %v, want one or two", s.Partition, s.Gaps)
		}
	}
}

func TestRefusedBatchesBecomeAGapOfThatSinkAlone(t *testing.T) {
	t.Parallel()
	whole, picky := &memory{}, &memory{}
	p := event.New(event.Options{Partitions: 2, Sinks: []event.Sink{whole, picky}})
	p.Start()
	burst := func() {
		for i := range 100 {
			p.Record(&event.Event{Kind: event.Miss, Result: event.Loaded, Key: fmt.Appendf(nil, "key:%d", i)})
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	burst()
	picky.setRefuse(true)
	burst()
	burst()
	picky.setRefuse(false)
	burst()
	closed(t, p)

	if r := whole.verify(t); r.Lost != 0 || r.Lines != 402 {
		t.Errorf("whole sink: %+v", r)
	}
	r := picky.verify(t)
	if r.Lost != 200 || r.Lines != 202 || p.Stats().Refused != 200 {
		t.Errorf("picky sink: %+v, refused %d", r, p.Stats().Refused)
	}
	for _, w := range picky.events(t) {
		if w.Kind == "gap" && (w.Reason != "dropped" || w.By != "memory") {
			t.Errorf("gap %+v", w)
		}
	}
}

func TestCloseWithoutStartAndTwice(t *testing.T) {
	t.Parallel()
	p := event.New(event.Options{})
	closed(t, p)
	p.Start()
	p.Record(&event.Event{Kind: event.Hit})
	closed(t, p)
	closed(t, p)
	p.Record(&event.Event{Kind: event.Hit}) // nobody's, and harmless
	if err := p.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}
