package event

import (
	"context"
	"fmt"
	"io"
)

const (
	scanLimit  = 256      // records looked at under the hub's lock
	batchBytes = 64 << 10 // of records in one answer of Next
)

// Item is one event of the live stream.
type Item struct {
	ID   ID // zero for the gap that tells of missed events: it is no event of the stream
	Kind Kind
	Line []byte // as in the contract, '\n' included
}

// Subscription follows the hub from its own position. It belongs to one goroutine. It holds nothing of the hub: one that is
// no longer read needs no closing.
type Subscription struct {
	hub    *Hub
	filter Filter
	pos    uint64
	missed int64
	gap    bool // the place to resume from is gone: say so, even if the count is not known
	enc    encoder
	raw    []byte // records copied out of the ring
	found  []entry
	lines  []byte
	items  []Item
}

// Subscribe returns the events that filter takes and that come after the one named: after the newest for the zero ID, after none for Oldest.
// When the event named is not held any more, the first item is a gap whose count is how many of its own partition are missed; those of others
// are not known. An ID of another boot is one that is not held.
func (h *Hub) Subscribe(filter Filter, after ID) *Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &Subscription{hub: h, filter: filter}
	s.pos, s.missed = h.locate(after)
	s.gap = after != ID{} && after != Oldest() && !h.holds(s.pos, after)
	return s
}

// holds tells whether the event before pos, or an earlier one of the ring, is id's.
func (h *Hub) holds(pos uint64, id ID) bool {
	if pos <= h.oldest {
		return false
	}
	e := h.entries[(pos-1)%uint64(len(h.entries))]
	return e.boot == id.Boot && e.partition == id.Partition
}

// Next waits for events and returns at most a few hundred, in the order in which they were carried. Items are valid until the
// next call. A subscriber slower than the events is told so by an item that is a gap without ID or seq: its count is how many
// events passed unseen, whether or not the filter would have taken them. It never slows anyone.
//
// The error is ctx's, or io.EOF after the last event of a closed pipeline.
func (s *Subscription) Next(ctx context.Context) ([]Item, error) {
	for {
		wake, closed := s.scan()
		if len(s.found) > 0 || s.missed > 0 || s.gap {
			return s.render(), nil
		}
		if wake == nil { // there is more to look at
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("follow events: %w", err)
			}
			continue
		}
		if closed {
			return nil, io.EOF
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, fmt.Errorf("follow events: %w", ctx.Err())
		}
	}
}

// scan copies the next records that match. With nothing left to look at it returns the channel to wait on.
func (s *Subscription) scan() (wake chan struct{}, closed bool) {
	h := s.hub
	s.raw, s.found = s.raw[:0], s.found[:0]
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.pos < h.oldest {
		s.missed += int64(h.oldest - s.pos)
		s.pos = h.oldest
	}
	var v View
	for looked := 0; s.pos < h.next && looked < scanLimit && len(s.raw) < batchBytes; looked++ {
		e := h.entries[s.pos%uint64(len(h.entries))]
		s.pos++
		rec := h.data[e.at : e.at+e.size]
		v.decode(rec)
		if s.filter.match(&v) {
			s.found = append(s.found, e)
			s.raw = append(s.raw, rec...)
		}
	}
	if s.pos < h.next {
		return nil, false
	}
	h.waiting = true
	return h.wake, h.closed
}

// render encodes what scan found.
func (s *Subscription) render() []Item {
	s.lines, s.items = s.lines[:0], s.items[:0]
	type span struct{ start, end int }
	spans := make([]span, 0, len(s.found)+1)
	if s.missed > 0 || s.gap {
		s.setBoot(s.bootNow())
		v := View{Kind: Gap, Count: s.missed, By: []byte("stream"), Time: s.hub.now().UnixMicro()}
		s.lines = s.enc.appendLine(s.lines, &v, 0)
		s.items = append(s.items, Item{Kind: Gap})
		spans = append(spans, span{0, len(s.lines)})
		s.missed, s.gap = 0, false
	}
	raw := s.raw
	for _, e := range s.found {
		var v View
		v.decode(raw[:e.size])
		raw = raw[e.size:]
		s.setBoot(e.boot)
		start := len(s.lines)
		s.lines = s.enc.appendLine(s.lines, &v, e.seq)
		s.items = append(s.items, Item{ID: ID{e.boot, e.partition, e.seq}, Kind: v.Kind})
		spans = append(spans, span{start, len(s.lines)})
	}
	for i, sp := range spans { // lines may have moved while it grew: the slices are made last
		s.items[i].Line = s.lines[sp.start:sp.end:sp.end]
	}
	return s.items
}

// bootNow is the boot that a gap is said to be of: that of the first event found.
func (s *Subscription) bootNow() int64 {
	if len(s.found) > 0 {
		return s.found[0].boot
	}
	return s.enc.boot
}

func (s *Subscription) setBoot(boot int64) {
	if s.enc.prefix == nil || s.enc.boot != boot {
		s.enc.begin(s.hub.proxy, boot)
	}
}
