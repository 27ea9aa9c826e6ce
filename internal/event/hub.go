package event

import (
	"sync"
	"time"
)

// Hub keeps the most recent events and gives them to subscribers. It is safe for concurrent use.
//
// The ring holds records, not lines: while nobody subscribes an event costs one copy of about 110 bytes, and subscribers encode what their filters let
// through in their own goroutines. The pump takes the hub's lock once for each buffer of records; a subscriber holds it for at most scanLimit records.
type Hub struct {
	proxy string
	now   func() time.Time

	mu      sync.Mutex
	entries []entry // ring: the entry at position n is entries[n%len]
	oldest  uint64  // position of the oldest entry held
	next    uint64  // position of the next entry
	data    []byte  // ring of records; none wraps
	head    int     // where the next record goes
	used    int     // bytes of data held, wasted ends included
	wake    chan struct{}
	waiting bool // someone waits on wake
	closed  bool
}

// entry is one event in the ring.
type entry struct {
	boot      int64
	seq       int64
	partition int
	at, size  int // the record in data
	waste     int // bytes left unused before it, at the end of data
}

func newHub(proxy string, events, size int, now func() time.Time) *Hub {
	return &Hub{proxy: proxy, now: now, entries: make([]entry, events), data: make([]byte, size), wake: make(chan struct{})}
}

// add keeps the records of data that were given a place.
func (h *Hub) add(boot int64, data []byte, stamps []stamp) {
	if len(stamps) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range stamps {
		h.put(entry{boot: boot, seq: s.seq, partition: s.partition, size: s.end - s.start}, data[s.start:s.end])
	}
	if h.waiting {
		h.waiting = false
		close(h.wake)
		h.wake = make(chan struct{})
	}
}

// put makes room for one record and keeps it. A record larger than the ring is passed over: its position is skipped, as if it had been overwritten.
func (h *Hub) put(e entry, rec []byte) {
	if e.size > len(h.data) {
		h.next++
		h.oldest, h.used, h.head = h.next, 0, 0
		return
	}
	if h.head+e.size > len(h.data) {
		e.waste = len(h.data) - h.head
		h.head = 0
	}
	for h.used+e.waste+e.size > len(h.data) || h.next-h.oldest == uint64(len(h.entries)) {
		if h.oldest == h.next { // nothing is held: the wasted end is free too
			h.used, h.head, e.waste = 0, 0, 0
			break
		}
		old := h.entries[h.oldest%uint64(len(h.entries))]
		h.used -= old.size + old.waste
		h.oldest++
	}
	e.at = h.head
	copy(h.data[e.at:], rec)
	h.head += e.size
	h.used += e.size + e.waste
	h.entries[h.next%uint64(len(h.entries))] = e
	h.next++
}

// close lets subscribers read what is left, then io.EOF.
func (h *Hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.wake)
	}
}

// locate returns the position after id, and how many events between it and that position are known to be gone.
func (h *Hub) locate(id ID) (pos uint64, gone int64) {
	switch {
	case id == ID{}:
		return h.next, 0
	case id == Oldest():
		return h.oldest, 0
	}
	var first entry // the oldest of id's boot and partition that is held
	for pos = h.next; pos > h.oldest; pos-- {
		e := h.entries[(pos-1)%uint64(len(h.entries))]
		if e.boot != id.Boot || e.partition != id.Partition {
			continue
		}
		if e.seq <= id.Seq {
			return pos, 0
		}
		first = e
	}
	if first.seq > 0 {
		return h.oldest, first.seq - id.Seq - 1
	}
	return h.oldest, 0
}
