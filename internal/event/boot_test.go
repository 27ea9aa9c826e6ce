package event_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/internal/event"
)

func TestSummariesCountHitsASecondByRouteAndSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{}
		var observed atomic.Int64
		p := event.New(event.Options{
			SummarizeHits: true, Sinks: []event.Sink{sink},
			Observe: func(*event.View) { observed.Add(1) },
		})
		p.Start()
		for i := range 30 {
			p.Record(&event.Event{Kind: event.Hit, Route: "mnist", Session: fmt.Sprint("s", i%2), Key: []byte{'k', byte(i)}, Bytes: 10})
		}
		p.Record(&event.Event{Kind: event.Miss, Route: "mnist", Session: "s0", Key: []byte("k")})
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		got := sink.events(t)
		if len(got) != 3 || observed.Load() != 31 {
			t.Fatalf("%d lines, %d observed: %+v", len(got), observed.Load(), got)
		}
		for _, w := range got {
			if w.Kind == "hit" && (w.Count != 15 || w.Bytes != 150 || w.Route != "mnist" || !strings.HasPrefix(w.Session, "s")) {
				t.Errorf("summary %+v", w)
			}
		}
		closed(t, p)
		sink.verify(t)
	})
}

func TestCheckpointsAndEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{}
		p := event.New(event.Options{Partitions: 2, Sinks: []event.Sink{sink}})
		p.Start()
		p.Record(&event.Event{Kind: event.Hit, Key: []byte("k")})
		at := event.PartitionOf([]byte("k"), 2)
		time.Sleep(35 * time.Second) // one checkpoint: nothing came after it
		closed(t, p)
		sink.verify(t)
		want := map[int]string{at: "hit 1, checkpoint 2, end 3", 1 - at: "end 1"}
		got := map[int][]string{}
		for _, w := range sink.events(t) {
			got[w.Partition] = append(got[w.Partition], fmt.Sprint(w.Kind, " ", w.Seq))
		}
		for partition, list := range want {
			if s := strings.Join(got[partition], ", "); s != list {
				t.Errorf("partition %d: %s, want %s", partition, s, list)
			}
		}
	})
}

// topic is a sink that knows its number of partitions, from the time that known is closed.
type topic struct {
	memory
	known  chan struct{}
	n      int
	notify func(int)
}

func (s *topic) OnPartitions(f func(int)) { s.notify = f }

func (s *topic) Partitions(ctx context.Context) int {
	select {
	case <-s.known:
		return s.n
	case <-ctx.Done():
		return 0
	}
}

func TestPartitionsOfTheSinkComeBeforeTheFirstSeq(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &topic{known: make(chan struct{}), n: 4}
		p := event.New(event.Options{Boot: 7, Partitions: 2, Sinks: []event.Sink{sink}})
		p.Start()
		p.Record(&event.Event{Kind: event.Hit, Key: []byte("k")})
		time.Sleep(time.Second)
		close(sink.known)
		closed(t, p)
		if r := sink.verify(t); len(r.Streams) != 4 || r.Streams[0].Boot != 7 {
			t.Errorf("streams %+v, want 4 of boot 7", r.Streams)
		}
	})
}

func TestChangeOfPartitionsEndsTheBootAndBeginsTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &topic{known: make(chan struct{}), n: 4}
		p := event.New(event.Options{Boot: 7, Partitions: 2, Sinks: []event.Sink{sink}})
		p.Start()
		p.Record(&event.Event{Kind: event.Hit, Key: []byte("k")})
		time.Sleep(3 * time.Second) // longer than PartitionWait
		synctest.Wait()
		sink.notify(4)
		synctest.Wait()
		p.Record(&event.Event{Kind: event.Hit, Key: []byte("k")})
		closed(t, p)
		r := sink.verify(t)
		if len(r.Streams) != 6 || r.Streams[1].Boot != 7 || r.Streams[2].Boot <= 7 {
			t.Errorf("streams %+v, want 2 of boot 7 and 4 of a later one", r.Streams)
		}
	})
}
