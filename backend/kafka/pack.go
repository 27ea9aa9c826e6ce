package kafka

import (
	"slices"
	"time"

	"forebay/internal/event"
)

// pack is what becomes one Kafka record. Lines is its own buffer; nil for a gap, whose line is written when it is sent.
type pack struct {
	event.Batch
	order   uint64 // of its first write, over all partitions
	at      time.Time
	sealed  bool // was in a request once, or another follows: never changed again
	retried bool // was in a request that failed
}

func (p *pack) gap() bool { return p.Lines == nil }

// follows tells whether q's seqs come right after p's.
func (p *pack) follows(q *event.Batch) bool {
	return p.Boot == q.Boot && p.First+p.Count == q.First
}

// lane is what waits for one partition of the pipeline: packs in order of seq, those in the present request first.
type lane struct {
	partition int
	packs     []*pack
	flying    int // how many of packs are in the present request
	limit     int // most packs in a request
	wake      chan struct{}
	err       error // of the last request
	failures  int   // requests failed in a row
}

// requestPacks is the most packs in a request: together below the 1 MiB that brokers take by default, even incompressible.
const requestPacks = 12

func newLane(partition int) *lane {
	return &lane{partition: partition, limit: requestPacks, wake: make(chan struct{}, 1)}
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// put appends b to the lane's open pack, or opens one. The lock is held.
func (s *Sink) put(l *lane, b event.Batch) {
	if n := len(l.packs); n > 0 {
		tail := l.packs[n-1]
		if !tail.sealed && !tail.gap() && tail.follows(&b) && len(tail.Lines)+len(b.Lines) <= event.MaxBatch {
			before := cap(tail.Lines)
			tail.Lines = append(tail.Lines, b.Lines...)
			tail.Count += b.Count
			s.used += int64(cap(tail.Lines) - before)
			return
		}
		tail.sealed = true
	}
	s.order++
	p := &pack{Batch: b, order: s.order, at: time.Now()}
	p.Lines = append(s.buffer(), b.Lines...)
	s.used += int64(cap(p.Lines))
	l.packs = append(l.packs, p)
}

// dropOldest makes a gap of the oldest pack that is in no request, and reports whether there was one. The lock is held.
//
// A pack whose request failed is in none until the next attempt, and may be dropped although Kafka took it: then both its lines and the
// gap arrive, and the lines count (see package event).
func (s *Sink) dropOldest() bool {
	var oldest *lane
	at := 0
	for _, l := range s.lanes {
		i := slices.IndexFunc(l.packs[l.flying:], func(p *pack) bool { return !p.gap() })
		if i < 0 {
			continue
		}
		i += l.flying
		if oldest == nil || l.packs[i].order < oldest.packs[at].order {
			oldest, at = l, i
		}
	}
	if oldest == nil {
		return false
	}
	s.drop(oldest, at)
	return true
}

// drop makes a gap of l's pack at i, joined to gaps beside it. The lock is held.
func (s *Sink) drop(l *lane, i int) {
	p := l.packs[i]
	s.used -= int64(cap(p.Lines))
	s.lost += p.Count
	l.packs[i] = &pack{Batch: p.Batch, order: p.order, at: p.at, sealed: true}
	l.packs[i].Lines = nil
	for _, j := range []int{i, i - 1} {
		if j < l.flying || j+1 >= len(l.packs) {
			continue
		}
		a, b := l.packs[j], l.packs[j+1]
		if a.gap() && b.gap() && a.follows(&b.Batch) {
			joined := *a
			joined.Count += b.Count
			l.packs[j] = &joined
			l.packs = slices.Delete(l.packs, j+1, j+2)
		}
	}
}

// spareBuffers is how many buffers of sent packs are kept.
const spareBuffers = 8

// buffer returns an empty buffer, or nil for append to make one. The lock is held.
func (s *Sink) buffer() []byte {
	n := len(s.spare)
	if n == 0 {
		return nil
	}
	b := s.spare[n-1]
	s.spare = s.spare[:n-1]
	return b[:0]
}

// arrived takes the first n packs away: Kafka has them. The lock is held. Only here may a buffer be used again: after a
// failed request the library may be reading it still.
func (s *Sink) arrived(l *lane, n int) {
	for _, p := range l.packs[:n] {
		s.sent += p.Count
		s.used -= int64(cap(p.Lines))
		if len(s.spare) < spareBuffers && cap(p.Lines) >= event.MaxBatch/2 && !p.retried {
			s.spare = append(s.spare, p.Lines)
		}
	}
	l.packs = slices.Delete(l.packs, 0, n)
}
