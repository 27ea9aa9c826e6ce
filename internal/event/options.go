package event

import (
	"log/slog"
	"time"
)

// Options say how a Pipeline works. Zero fields take the values named.
type Options struct {
	// Proxy is this process's name in its events. It must differ between processes that write to one topic.
	Proxy string
	// Boot numbers this run of the process. 0: Unix milliseconds at New. It must grow from run to run.
	Boot int64
	// Partitions is the number of partitions while no sink knows better. 0: 1.
	Partitions int
	// PartitionWait is how long the first seq waits for a Partitioned sink to learn its number of partitions; events queue
	// meanwhile. After it, what the sink expects is used until it knows, or Partitions. 0: 2 s. Below 0: no wait.
	PartitionWait time.Duration
	// QueueBytes bounds the buffers between the recorders and the pump. 0: 16 MiB. What a busy recorder has not handed over comes on top: at most 16 KiB each.
	QueueBytes int64
	// HubEvents and HubBytes bound the ring of recent events. 0: 16,384 and 4 MiB.
	HubEvents, HubBytes int
	// FlushEvery is how long an event stays with its recorder at most. 0: 50 ms.
	FlushEvery time.Duration
	// CheckpointEvery is the time between checkpoints of a partition with traffic. 0: 10 s.
	CheckpointEvery time.Duration
	// SummarizeHits writes one hit a second, route and session, with count and the sum of bytes, in place of each. The observer still sees each.
	SummarizeHits bool
	// Observe is called once for each recorded event, in the pump or, if it is dropped, in the goroutine that hands it over; and once for
	// each gap, checkpoint and end that the pipeline writes itself (a "dropped" gap's Count is what was lost). So it must be safe for concurrent use, and quick. Nil: nobody.
	Observe func(v *View)
	// Sinks belong to the pipeline from Start on.
	Sinks []Sink
	// Now is the clock of events' times. Nil: time.Now.
	Now func() time.Time
	// Log takes what an operator should know. Nil: nothing is logged.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Boot == 0 {
		o.Boot = o.Now().UnixMilli()
	}
	if o.Partitions <= 0 {
		o.Partitions = 1
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 16 << 20
	}
	if o.HubEvents == 0 {
		o.HubEvents = 16384
	}
	if o.HubBytes == 0 {
		o.HubBytes = 4 << 20
	}
	set(&o.PartitionWait, 2*time.Second)
	set(&o.FlushEvery, 50*time.Millisecond)
	set(&o.CheckpointEvery, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
