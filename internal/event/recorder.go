package event

import "sync"

// Recorder takes the events of one client. Each method must be called with the owner's lock held (the one given to NewRecorder), which is what makes
// recording free of locks of its own: the client's goroutine holds it anyway.
//
// A Recorder holds a buffer only while it has events that were not handed over: an idle one costs its struct.
type Recorder struct {
	p       *Pipeline
	owner   sync.Locker
	buf     *buffer // nil: nothing recorded since the last hand-over
	session string
	hash    uint64 // of session
	dirty   bool   // in the pipeline's list of recorders to collect from
}

// NewRecorder returns a recorder for events recorded under owner's lock. The collector takes that lock for the few
// instructions that it needs to take a buffer away: an owner that keeps it for long delays the events of all.
func (p *Pipeline) NewRecorder(owner sync.Locker) *Recorder {
	return &Recorder{p: p, owner: owner, hash: hashOf(nil, "")}
}

// SetSession names the session of the events recorded from now on. The owner's lock must be held.
func (r *Recorder) SetSession(name string) {
	r.session = cut(name, MaxName)
	r.hash = hashOf(nil, r.session)
}

// Record records ev in this recorder's session. The owner's lock must be held. It takes no lock and allocates nothing, but for the first event after
// a hand-over, which takes a buffer from a pool and enters the recorder into the list to collect from.
// (BenchmarkRecord, TestRecordAllocatesNothing.)
func (r *Recorder) Record(ev *Event) {
	hash := r.hash
	if len(ev.Key) > 0 {
		hash = hashOf(ev.Key, "")
	}
	r.record(ev, r.session, hash)
}

func (r *Recorder) record(ev *Event, session string, hash uint64) {
	if r.buf == nil {
		r.buf = r.p.buffers.get()
		if !r.dirty {
			r.dirty = true
			r.p.markDirty(r)
		}
	}
	r.buf.data = appendRecord(r.buf.data, ev, session, hash, r.p.now)
	if len(r.buf.data) >= bufferFull {
		r.Flush()
	}
}

// Flush hands over what was recorded. The owner's lock must be held.
func (r *Recorder) Flush() {
	if r.buf == nil {
		return
	}
	b := r.buf
	r.buf = nil
	r.p.handOver(b)
}

// Close hands over what was recorded; it is for when the client has gone. The owner's lock must be held. The recorder must not be used afterwards.
func (r *Recorder) Close() { r.Flush() }

// collect is Flush for the collector, who has just taken r out of the list.
//
// Why no event is left behind, and none overtakes another of its client:
//
//  1. The collector takes the list with r in it. r.dirty is still set.
//  2. The client records under its lock: r is dirty, so it does not enter the list again.
//  3. The collector gets the owner's lock, clears dirty and hands the buffer over, the record of 2 in it.
//  4. The client records again: dirty is clear, it enters the next list.
//
// The buffer reaches the queue before the lock is released: were it handed over after, then between the two the client could
// fill another and hand it over first.
func (r *Recorder) collect() {
	r.owner.Lock()
	defer r.owner.Unlock()
	r.dirty = false
	r.Flush()
}
