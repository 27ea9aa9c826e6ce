package event_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"forebay/internal/event"
)

func BenchmarkRecord(b *testing.B) {
	now := time.Now()
	for _, mode := range []string{"given time", "own time", "pipeline"} {
		b.Run(mode, func(b *testing.B) {
			p := event.New(event.Options{QueueBytes: 64 << 10})
			var mu sync.Mutex
			r := p.NewRecorder(&mu)
			ev := event.Event{Kind: event.Hit, Origin: event.FromNear, Key: []byte("mnist:train:41999"), Route: "mnist", Bytes: 3136}
			if mode == "given time" {
				ev.Time = now
			}
			b.ReportAllocs()
			for b.Loop() {
				if mode == "pipeline" {
					p.Record(&ev)
				} else {
					r.Record(&ev)
				}
			}
		})
	}
}

// discard is a sink that takes everything and keeps nothing.
type discard struct{ memory }

func (*discard) Write(event.Batch) bool { return true }

func BenchmarkCarry(b *testing.B) {
	p := event.New(event.Options{Partitions: 6, QueueBytes: 1 << 30, Sinks: []event.Sink{&discard{}}})
	p.Start()
	var mu sync.Mutex
	r := p.NewRecorder(&mu)
	ev := event.Event{
		Kind: event.Hit, Origin: event.FromNear, Key: []byte("mnist:train:41999"), Route: "mnist",
		Bytes: 3136, Duration: 5 * time.Microsecond, Time: time.Now(),
	}
	b.ReportAllocs()
	for b.Loop() {
		mu.Lock()
		r.Record(&ev)
		mu.Unlock()
	}
	if err := p.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := p.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
