package event

import (
	"context"
	"time"
)

// stamp is the place that the pump gave to one record of a buffer.
type stamp struct {
	start, end int // the record in its buffer
	partition  int
	seq        int64
}

// lane is the pump's state of one partition in the present boot.
type lane struct {
	next    int64 // seq of the next line
	marked  int64 // next as it was after the last checkpoint
	batch   Batch // lines not yet given to the sinks; Count 0: none
	scratch []byte
}

// pump is the one goroutine that gives out seqs. Nothing in it is shared.
type pump struct {
	p       *Pipeline
	enc     encoder
	lanes   []lane
	feeds   []feed // one for each sink
	summary summary
	dropped []int64 // by partition, taken from the queue
	stamps  []stamp
	record  []byte // of events that the pump makes itself
	view    View
}

func newPump(p *Pipeline) *pump {
	u := &pump{p: p, feeds: make([]feed, len(p.opt.Sinks))}
	for i, s := range p.opt.Sinks {
		u.feeds[i] = feed{sink: s, now: p.now, refused: &p.refused}
	}
	u.begin(p.opt.Boot, p.opt.Partitions)
	return u
}

// begin begins a boot: every partition's seqs start at 1.
func (u *pump) begin(boot int64, partitions int) {
	u.enc.begin(u.p.opt.Proxy, boot)
	u.lanes = make([]lane, partitions)
	for i := range u.lanes {
		u.lanes[i] = lane{next: 1, marked: 1, batch: Batch{Proxy: u.p.opt.Proxy, Boot: boot, Partition: i}}
	}
	u.dropped = make([]int64, partitions)
	u.p.boot.Store(boot)
	u.p.parts.Store(int64(partitions))
}

func (u *pump) run(ctx context.Context) {
	u.awaitPartitions(ctx)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	checkpoint := time.NewTicker(u.p.opt.CheckpointEvery)
	defer checkpoint.Stop()
	for {
		select {
		case <-u.p.queue.ready:
			u.round(false)
		case <-second.C:
			u.flushSummary()
			u.deliver()
		case <-checkpoint.C:
			u.checkpoint()
			u.deliver()
		case <-u.p.repart:
			u.repartition()
		case carried := <-u.p.syncs:
			u.round(false)
			u.flushSummary()
			u.deliver()
			close(carried)
		case <-u.p.collected:
			u.round(true)
			u.end()
			return
		}
	}
}

// awaitPartitions waits, at most PartitionWait in all, for the sinks that know the number of partitions; the last one's counts.
func (u *pump) awaitPartitions(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, u.p.opt.PartitionWait)
	defer cancel()
	for _, s := range u.p.opt.Sinks {
		ps, ok := s.(Partitioned)
		if !ok {
			continue
		}
		if n := ps.Partitions(ctx); n > 0 && n != len(u.lanes) {
			u.p.queue.repartition(n, u.dropped)
			early := int64(0) // no seq was given yet, so which partition a drop counts for is free
			for _, d := range u.dropped {
				early += d
			}
			u.begin(u.p.opt.Boot, n)
			u.dropped[0] = early
		}
	}
}

// round carries everything queued.
func (u *pump) round(last bool) {
	bufs := u.p.queue.take(u.dropped, last)
	for _, b := range bufs {
		u.carry(b.data)
		u.p.queue.release(b)
	}
	if bufs != nil {
		u.p.queue.recycle(bufs)
	}
	u.gaps()
	u.deliver()
}

// carry gives each record of data its place, and hands them to the observer, the hub and the batches.
func (u *pump) carry(data []byte) {
	u.stamps = u.stamps[:0]
	v := &u.view
	for at := 0; at < len(data); {
		end := at + recordSize(data[at:])
		v.decode(data[at:end])
		if u.p.opt.Observe != nil {
			u.p.opt.Observe(v)
		}
		if v.Kind == Hit && v.Result != Stale && u.p.opt.SummarizeHits {
			u.summary.add(v)
		} else {
			partition := int(v.Hash % uint64(len(u.lanes)))
			u.stamps = append(u.stamps, stamp{start: at, end: end, partition: partition, seq: u.place(v, partition, 1)})
		}
		at = end
	}
	u.p.hub.add(u.enc.boot, data, u.stamps)
	if u.summary.full() {
		u.flushSummary()
	}
}

// place gives v the next n seqs of a partition and appends its line to the partition's batch. It returns the first of the seqs.
func (u *pump) place(v *View, partition int, n int64) int64 {
	l := &u.lanes[partition]
	seq := l.next
	l.next += n
	if len(u.feeds) == 0 {
		return seq
	}
	before := len(l.batch.Lines)
	l.batch.Lines = u.enc.appendLine(l.batch.Lines, v, seq)
	if len(l.batch.Lines) > MaxBatch {
		over := len(l.batch.Lines) - before
		l.scratch = append(l.scratch[:0], l.batch.Lines[before:]...)
		l.batch.Lines = l.batch.Lines[:before]
		u.deliverLane(l)
		l.batch.Lines = append(l.batch.Lines, l.scratch[:over]...)
	}
	if l.batch.Count == 0 {
		l.batch.First = seq
	}
	l.batch.Count += n
	return seq
}

// emit places an event that the pump makes itself. n is how many seqs it stands for.
func (u *pump) emit(ev *Event, session string, hash uint64, partition int, n int64, observe bool) {
	u.record = appendRecord(u.record[:0], ev, session, hash, u.p.now)
	u.view.decode(u.record)
	if observe && u.p.opt.Observe != nil {
		u.p.opt.Observe(&u.view)
	}
	u.stamps = append(u.stamps[:0], stamp{end: len(u.record), partition: partition, seq: u.place(&u.view, partition, n)})
	u.p.hub.add(u.enc.boot, u.record, u.stamps)
}

// gaps writes, for each partition, one gap for what the queue could not take.
func (u *pump) gaps() {
	for partition, n := range u.dropped {
		if n > 0 {
			u.dropped[partition] = 0
			u.emit(&Event{Kind: Gap, Reason: Dropped, Count: n, By: "queue"}, "", 0, partition, n, true)
		}
	}
}

// checkpoint marks the partitions that had traffic since their last mark.
func (u *pump) checkpoint() {
	for i := range u.lanes {
		if u.lanes[i].next != u.lanes[i].marked {
			u.emit(&Event{Kind: Checkpoint}, "", 0, i, 1, true)
			u.lanes[i].marked = u.lanes[i].next
		}
	}
}

// end ends the present boot in every partition.
func (u *pump) end() {
	u.flushSummary()
	for i := range u.lanes {
		u.emit(&Event{Kind: End}, "", 0, i, 1, true)
	}
	u.deliver()
}

func (u *pump) flushSummary() {
	u.summary.flush(func(ev *Event) {
		hash := hashOf(nil, ev.Session)
		u.emit(ev, ev.Session, hash, int(hash%uint64(len(u.lanes))), 1, false)
	})
}

// repartition ends this boot and begins the next with the number of partitions asked for.
func (u *pump) repartition() {
	n := int(u.p.want.Load())
	if n == len(u.lanes) {
		return
	}
	u.round(false)
	u.p.queue.repartition(n, u.dropped)
	u.gaps()
	u.end()
	boot := max(u.enc.boot+1, u.p.now().UnixMilli())
	u.p.opt.Log.Info("event partitions changed, new boot", "from", len(u.lanes), "to", n, "boot", boot)
	u.begin(boot, n)
}

// deliver gives the sinks every line that they do not have yet.
func (u *pump) deliver() {
	for i := range u.lanes {
		u.deliverLane(&u.lanes[i])
	}
}

func (u *pump) deliverLane(l *lane) {
	if l.batch.Count == 0 {
		return
	}
	for i := range u.feeds {
		u.feeds[i].write(l.batch)
	}
	l.batch.Lines = l.batch.Lines[:0]
	l.batch.Count = 0
}
