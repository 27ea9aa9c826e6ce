package event

import "sync"

const (
	bufferSize = 16 << 10 // capacity of a recorder's buffer
	bufferFull = 14 << 10 // handed over from here on: most records fit what is left
)

// buffer is a run of whole records.
type buffer struct{ data []byte }

// bufferPool keeps buffers of bufferSize; those that a long key made grow are left to the collector of garbage.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	return &buffer{data: make([]byte, 0, bufferSize)}
}

func (p *bufferPool) put(b *buffer) {
	if cap(b.data) == bufferSize {
		b.data = b.data[:0]
		p.pool.Put(b)
	}
}

// queue holds the buffers between their recorders and the pump, bounded by the bytes of their capacity, those in the pump's hands included.
type queue struct {
	pool  *bufferPool
	ready chan struct{} // one token: there is something to take
	max   int64

	mu      sync.Mutex
	bufs    []*buffer
	spare   []*buffer // the slice that the pump gave back
	bytes   int64
	dropped []int64 // by partition: events that did not fit, since the last take
	closed  bool
}

func newQueue(pool *bufferPool, max int64, partitions int) *queue {
	return &queue{pool: pool, ready: make(chan struct{}, 1), max: max, dropped: make([]int64, partitions)}
}

// push takes ownership of b. A small buffer joins the one before it, so that a thousand clients with three events each do not hold a thousand
// buffers. If b does not fit its events are counted as dropped, drop is called with its records before the buffer is reused,
// and push reports how many they were.
func (q *queue) push(b *buffer, drop func(data []byte)) (dropped int64) {
	q.mu.Lock()
	if n := len(q.bufs); n > 0 && !q.closed {
		if tail := q.bufs[n-1]; cap(tail.data)-len(tail.data) >= len(b.data) {
			tail.data = append(tail.data, b.data...)
			q.mu.Unlock()
			q.pool.put(b)
			return 0
		}
	}
	if size := int64(cap(b.data)); !q.closed && q.bytes+size <= q.max {
		q.bytes += size
		q.bufs = append(q.bufs, b)
		q.mu.Unlock()
		q.signal()
		return 0
	}
	for data := b.data; len(data) > 0; data = data[recordSize(data):] {
		dropped++
		if !q.closed {
			q.dropped[recordHash(data)%uint64(len(q.dropped))]++
		}
	}
	q.mu.Unlock()
	q.signal()
	drop(b.data)
	q.pool.put(b)
	return dropped
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns everything queued, in order, and adds to dropped what was dropped since; the drops come after the buffers. The
// buffers still count until they are released. After the last take every push is a drop that no gap tells of.
func (q *queue) take(dropped []int64, last bool) []*buffer {
	q.mu.Lock()
	defer q.mu.Unlock()
	bufs := q.bufs
	q.bufs, q.spare = q.spare, nil
	for i, n := range q.dropped {
		dropped[i] += n
		q.dropped[i] = 0
	}
	q.closed = last
	return bufs
}

// release gives back one buffer that the pump has done with.
func (q *queue) release(b *buffer) {
	q.mu.Lock()
	q.bytes -= int64(cap(b.data))
	q.mu.Unlock()
	q.pool.put(b)
}

// recycle gives back the slice that take returned.
func (q *queue) recycle(bufs []*buffer) {
	clear(bufs)
	q.mu.Lock()
	if q.spare == nil {
		q.spare = bufs[:0]
	}
	q.mu.Unlock()
}

// repartition counts drops for n partitions from now on. What was dropped since the last take is added to dropped.
func (q *queue) repartition(n int, dropped []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, d := range q.dropped {
		dropped[i] += d
	}
	q.dropped = make([]int64, n)
}

// size is the bytes held now.
func (q *queue) size() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}
