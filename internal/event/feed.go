package event

import (
	"sync/atomic"
	"time"
)

// feed is the pump's side of one sink: it remembers what the sink refused and offers a gap in its place.
type feed struct {
	sink    Sink
	now     func() time.Time
	refused *atomic.Int64
	owed    map[int][]Batch // by partition: refused ranges, oldest first, without lines
	line    []byte
}

// write offers b, after the gaps that are owed for its partition.
func (f *feed) write(b Batch) {
	if f.settle(b.Partition) && f.sink.Write(b) {
		return
	}
	f.refused.Add(b.Count)
	if f.owed == nil {
		f.owed = make(map[int][]Batch)
	}
	b.Lines = nil
	owed := f.owed[b.Partition]
	if n := len(owed); n > 0 && owed[n-1].Boot == b.Boot && owed[n-1].First+owed[n-1].Count == b.First {
		owed[n-1].Count += b.Count
		return
	}
	f.owed[b.Partition] = append(owed, b)
}

// settle offers the gaps owed for a partition, and reports whether none is left.
func (f *feed) settle(partition int) bool {
	owed := f.owed[partition]
	for len(owed) > 0 {
		gap := owed[0]
		f.line = AppendGap(f.line[:0], gap, f.sink.Name(), f.now())
		gap.Lines = f.line
		if !f.sink.Write(gap) {
			f.owed[partition] = owed
			return false
		}
		owed = owed[1:]
	}
	if f.owed != nil {
		delete(f.owed, partition)
	}
	return true
}
