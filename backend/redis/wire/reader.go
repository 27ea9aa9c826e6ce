package wire

import "time"

// StreamAt is the size from which a reply is streamed in parts, not gathered: 256 KiB.
const StreamAt = 256 << 10

const (
	readShared    = 64 << 10
	readExclusive = 16 << 10
)

var start = time.Now()

// Now is the monotonic time in nanoseconds since the process began.
func Now() int64 { return int64(time.Since(start)) }

// run is a number of consecutive replies of one receiver.
type run struct {
	recv Receiver
	n    int
}

// reader is the state of a connection's reader goroutine.
type reader struct {
	c       *Conn
	sc      Scanner
	buf     []byte
	first   int // start of the reply not yet given
	pos     int // where the scanner stands
	end     int // end of the bytes read
	ends    []int
	runs    []run
	touched []Receiver
	large   Receiver // whose reply is being streamed
}

// read is the reader goroutine. It owns the connection's end.
func (c *Conn) read() {
	size := readShared
	if c.owner != nil {
		size = readExclusive
	}
	r := &reader{c: c, buf: make([]byte, size)}
	defer func() {
		if r.large != nil && c.owner == nil {
			r.large.Broken(1, true) // no longer in the FIFO: it was promised the rest of this reply
			r.large.Flush()
		}
		c.end()
	}()
	for {
		r.makeRoom()
		n, err := c.nc.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			c.heard.Store(Now()) // before anything of it is given: see stranded.go
			ok := r.take()
			r.flush()
			if !ok {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// makeRoom moves what is left to the front of the buffer and lets it grow while a reply is gathered.
// Bound: a reply is gathered up to StreamAt, behind it at most one read's worth.
func (r *reader) makeRoom() {
	if r.first == r.end {
		r.first, r.pos, r.end = 0, 0, 0
	}
	if r.first > 0 && len(r.buf)-r.end < len(r.buf)/2 {
		copy(r.buf, r.buf[r.first:r.end])
		r.pos, r.end = r.pos-r.first, r.end-r.first
		r.first = 0
	}
	if len(r.buf)-r.end < len(r.buf)/4 || (r.large != nil && len(r.buf) < StreamAt) {
		bigger := make([]byte, 2*len(r.buf))
		copy(bigger, r.buf[r.first:r.end])
		r.buf = bigger
		r.pos, r.end = r.pos-r.first, r.end-r.first
		r.first = 0
	}
}

// take gives everything that was read. It returns false when the connection cannot go on.
func (r *reader) take() bool {
	for {
		if r.large != nil {
			more, ok := r.stream()
			if !ok {
				return false
			}
			if !more {
				return true
			}
			continue
		}
		base := r.first
		r.ends = r.ends[:0]
		for r.pos < r.end {
			n, done, err := r.sc.Scan(r.buf[r.pos:r.end])
			r.pos += n
			if err != nil {
				return false
			}
			if !done {
				break
			}
			r.ends = append(r.ends, r.pos-base)
			r.first = r.pos
		}
		if len(r.ends) > 0 && !r.give(r.buf[base:r.first], r.ends) {
			return false
		}
		if int64(r.pos-r.first)+r.sc.Pending() < StreamAt {
			return !r.c.drained()
		}
		if !r.begin() {
			return false
		}
	}
}

// give hands whole replies to whom they belong: runs of one receiver in one call.
func (r *reader) give(b []byte, ends []int) bool {
	c := r.c
	if c.owner != nil {
		owner := *c.owner.Load()
		owner.Replies(b, ends)
		r.touch(owner)
		return true
	}
	r.runs = r.runs[:0]
	c.mu.Lock()
	for want := len(ends); want > 0; {
		if c.fifo.len() == 0 {
			c.mu.Unlock()
			return false // a reply that nobody asked for: the stream cannot be trusted any more
		}
		e := c.fifo.head()
		n := min(e.n, want)
		if last := len(r.runs) - 1; last >= 0 && r.runs[last].recv == e.recv {
			r.runs[last].n += n
		} else {
			r.runs = append(r.runs, run{e.recv, n})
		}
		want -= n
		if e.n -= n; e.n == 0 {
			c.fifo.pop()
		}
	}
	c.mu.Unlock()
	from := 0
	for _, run := range r.runs {
		to := ends[run.n-1]
		if from > 0 {
			for i := range run.n {
				ends[i] -= from
			}
		}
		run.recv.Replies(b[from:to], ends[:run.n])
		r.touch(run.recv)
		from, ends = to, ends[run.n:]
	}
	return true
}

// begin starts to stream the reply at first.
func (r *reader) begin() bool {
	c := r.c
	var recv Receiver
	if c.owner != nil {
		recv = *c.owner.Load()
	} else {
		c.mu.Lock()
		if c.fifo.len() == 0 {
			c.mu.Unlock()
			return false
		}
		e := c.fifo.head()
		recv = e.recv
		if e.n--; e.n == 0 {
			c.fifo.pop()
		}
		c.mu.Unlock()
	}
	r.flush() // what was given before must not wait behind a slow reader
	if recv.Large(r.buf[r.first:r.pos]) && c.owner == nil {
		c.retire()
	}
	r.large = recv
	c.streams.Store(true)
	r.part(false)
	return true
}

// part gives the bytes of a large reply that were scanned.
func (r *reader) part(last bool) {
	r.c.lent.Store(true)
	r.large.Part(r.buf[r.first:r.pos], last)
	r.c.lent.Store(false)
	r.first = r.pos
}

// stream gives the next part of a large reply. more tells that the reply ended and bytes are left.
func (r *reader) stream() (more, ok bool) {
	n, done, err := r.sc.Scan(r.buf[r.pos:r.end])
	if err != nil {
		return false, false
	}
	r.pos += n
	if n > 0 {
		r.part(done)
	}
	if !done {
		return false, true
	}
	r.touch(r.large)
	r.large = nil
	r.c.streams.Store(false)
	return true, true
}

// drained tells that a retired connection has given its last reply.
func (c *Conn) drained() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retired && c.owner == nil && c.fifo.len() == 0
}

func (r *reader) touch(recv Receiver) {
	for i := len(r.touched) - 1; i >= 0 && i >= len(r.touched)-4; i-- {
		if r.touched[i] == recv {
			return
		}
	}
	r.touched = append(r.touched, recv)
}

func (r *reader) flush() {
	for i, recv := range r.touched {
		recv.Flush()
		r.touched[i] = nil
	}
	r.touched = r.touched[:0]
}
