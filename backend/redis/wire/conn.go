package wire

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Causes of a refused [Conn.Submit]. Nothing was sent then: the command may go to another connection.
var (
	ErrClosed  = errors.New("connection closed")
	ErrRetired = errors.New("connection retired")
)

// Receiver gets the replies of commands submitted for it, in their order, from the connection's reader goroutine.
// Byte slices are borrowed until the method returns.
type Receiver interface {
	// Replies gives whole replies: ends holds, for each, the offset in b at which it ends.
	Replies(b []byte, ends []int)
	// Large announces a reply of at least [StreamAt] bytes, which Part calls will follow. head is its first bytes.
	// blocks tells that Part may block: a shared connection is retired first.
	Large(head []byte) (blocks bool)
	// Part gives the next bytes of a large reply.
	Part(b []byte, last bool)
	// Flush ends a batch: what was given should now be on its way.
	Flush()
	// Broken ends an entry: its n last replies will not come. sent tells whether a byte of the entry's commands
	// may have reached Redis.
	Broken(n int, sent bool)
	// Stalled tells that the oldest reply of the connection is overdue. Called from the pool's watch goroutine.
	Stalled()
}

// entry is one Submit: n replies awaited by recv.
type entry struct {
	recv  Receiver
	n     int
	start uint64 // offset of its first byte in all that was ever submitted
	at    int64  // when it was submitted, by [Now]
}

// Conn is one connection to Redis. Safe for concurrent use.
type Conn struct {
	nc     net.Conn
	target Target
	id     int64 // Redis's; 0: not asked for, or not told
	opts   *Options
	// owner of an exclusive connection gets every reply, unsolicited ones too; there is no FIFO then. nil: shared.
	owner *atomic.Pointer[Receiver]
	pool  *Pool
	done  chan struct{} // closed when the reader has ended and every receiver has been told

	mu      sync.Mutex
	room    sync.Cond // wbuf shrank, or the connection ended
	wbuf    []byte    // submitted, not yet taken by the writer
	spare   []byte
	writing bool
	queued  uint64 // bytes ever appended to wbuf
	taken   uint64 // bytes ever handed to the socket
	fifo    entries
	retired bool
	closed  bool

	heard   atomic.Int64 // by Now: when bytes last came
	wrote   atomic.Int64 // by Now: when bytes were last taken
	pushing atomic.Int64 // by Now: since when the socket has not taken what is being written; 0: nothing is

	streams atomic.Bool // a large reply has begun and not ended
	lent    atomic.Bool // a receiver has a part of it: nothing is read meanwhile, and that is not Redis's doing
	doubt   doubt       // of the pool's watch goroutine alone
}

func newConn(nc net.Conn, t Target, owner Receiver, o *Options) *Conn {
	c := &Conn{nc: nc, target: t, opts: o, done: make(chan struct{})}
	c.room.L = &c.mu
	if owner != nil {
		c.owner = new(atomic.Pointer[Receiver])
		c.owner.Store(&owner)
	}
	c.heard.Store(Now())
	return c
}

// Target returns whose connection it is.
func (c *Conn) Target() Target { return c.target }

// ID is the id that Redis gives an exclusive connection; 0 if it has not told.
func (c *Conn) ID() int64 { return c.id }

// Hand gives an exclusive connection that awaits no reply to another receiver. false: it has ended.
func (c *Conn) Hand(r Receiver) bool { return c.own(r) }

// Submit sends whole commands whose n replies r will get. b is copied. It may block while the connection's
// buffer is full. at is the commands' arrival, by [Now].
//
// Errors are ErrClosed and ErrRetired: then nothing was sent and r hears nothing. After nil, r gets n replies or
// Broken.
func (c *Conn) Submit(r Receiver, b []byte, n int, at int64) error {
	c.mu.Lock()
	for len(c.wbuf) >= c.opts.WriteBuffer && !c.closed && !c.retired {
		c.room.Wait()
	}
	if c.closed || c.retired {
		err := ErrClosed
		if !c.closed {
			err = ErrRetired
		}
		c.mu.Unlock()
		return err
	}
	if c.owner == nil && n > 0 {
		c.fifo.push(entry{recv: r, n: n, start: c.queued, at: at})
	}
	c.wbuf = append(c.wbuf, b...)
	c.queued += uint64(len(b))
	if c.writing {
		c.mu.Unlock()
		return nil
	}
	c.writing = true
	c.mu.Unlock()
	runtime.Gosched() // let others append: one system call for many clients
	c.write()
	return nil
}

// write sends the buffer until it is empty. The caller has set writing.
func (c *Conn) write() {
	c.mu.Lock()
	for len(c.wbuf) > 0 && !c.closed {
		b := c.wbuf
		c.wbuf, c.spare = c.spare[:0], nil
		c.taken += uint64(len(b))
		c.mu.Unlock()
		c.pushing.Store(max(1, Now()))
		_, err := c.nc.Write(b)
		c.pushing.Store(0)
		c.mu.Lock()
		if cap(b) <= 2*c.opts.WriteBuffer {
			c.spare = b[:0]
		}
		c.room.Broadcast()
		if err != nil {
			c.closed = true
			c.nc.Close() // the reader wakes and tells the receivers
			break
		}
	}
	c.writing = false
	c.mu.Unlock()
	c.wrote.Store(Now())
}

// retire lets the connection take no new command. The reader, who calls it, ends it when the last reply has come.
func (c *Conn) retire() {
	c.mu.Lock()
	c.retired = true
	c.room.Broadcast()
	c.mu.Unlock()
	if c.pool != nil {
		c.pool.forget(c)
	}
}

// Close ends the connection; receivers are told by the reader goroutine. It does not wait: see Wait.
func (c *Conn) Close() {
	c.mu.Lock()
	c.closed = true
	c.room.Broadcast()
	c.mu.Unlock()
	c.nc.Close()
}

// Wait returns when the connection's reader has ended.
func (c *Conn) Wait() { <-c.done }

// Closed tells whether the connection takes no more commands.
func (c *Conn) Closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || c.retired
}

// end tells every receiver what will not come. Called once, by the reader, on its way out.
func (c *Conn) end() {
	c.nc.Close()
	c.mu.Lock()
	c.closed = true
	c.room.Broadcast()
	fifo, taken := c.fifo, c.taken
	c.fifo = entries{}
	c.mu.Unlock()
	if c.pool != nil {
		c.pool.forget(c)
	}
	if c.owner != nil {
		owner := *c.owner.Load()
		owner.Broken(0, true)
		owner.Flush()
	}
	for fifo.len() > 0 {
		e := fifo.head()
		e.recv.Broken(e.n, e.start < taken)
		e.recv.Flush()
		fifo.pop()
	}
	close(c.done)
}

// own gives an exclusive connection to another owner, between commands. false: it has ended.
func (c *Conn) own(r Receiver) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.retired {
		return false
	}
	c.owner.Store(&r)
	return true
}

// nobody owns the exclusive connections that wait in the pool.
type nobody struct{}

func (nobody) Replies([]byte, []int) {}
func (nobody) Large([]byte) bool     { return false }
func (nobody) Part([]byte, bool)     {}
func (nobody) Flush()                {}
func (nobody) Broken(int, bool)      {}
func (nobody) Stalled()              {}

// waiting is for how long the oldest reply of a shared connection has been awaited by now, 0 if none is.
func (c *Conn) waiting(now int64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner != nil || c.fifo.len() == 0 {
		return 0
	}
	return time.Duration(now - c.fifo.head().at)
}

// unused is for how long nothing has come or gone.
func (c *Conn) unused(now int64) time.Duration {
	return time.Duration(now - max(c.heard.Load(), c.wrote.Load()))
}

// stuck is for how long the socket has not taken what is being written. Whoever submits more than the buffer holds waits for it.
func (c *Conn) stuck(now int64) time.Duration {
	if since := c.pushing.Load(); since != 0 {
		return time.Duration(now - since)
	}
	return 0
}

// stalled calls Stalled of every receiver that waits.
func (c *Conn) stalled() {
	c.mu.Lock()
	seen := make(map[Receiver]bool, 8)
	c.fifo.each(func(e *entry) { seen[e.recv] = true })
	c.mu.Unlock()
	for r := range seen {
		r.Stalled()
	}
}

// entries is a FIFO ring that grows by doubling.
type entries struct {
	ring    []entry
	at, cnt int
}

func (q *entries) len() int { return q.cnt }

func (q *entries) head() *entry { return &q.ring[q.at] }

func (q *entries) push(e entry) {
	if q.cnt == len(q.ring) {
		ring := make([]entry, max(16, 2*len(q.ring)))
		for i := range q.cnt {
			ring[i] = q.ring[(q.at+i)&(len(q.ring)-1)]
		}
		q.ring, q.at = ring, 0
	}
	q.ring[(q.at+q.cnt)&(len(q.ring)-1)] = e
	q.cnt++
}

func (q *entries) pop() {
	q.ring[q.at].recv = nil
	q.at = (q.at + 1) & (len(q.ring) - 1)
	q.cnt--
}

func (q *entries) each(f func(*entry)) {
	for i := range q.cnt {
		f(&q.ring[(q.at+i)&(len(q.ring)-1)])
	}
}
