package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"forebay/backend"
)

// Pool makes and keeps connections: one shared connection a target, and exclusive ones for what cannot be shared.
// Safe for concurrent use.
type Pool struct {
	opts Options
	wg   sync.WaitGroup
	stop chan struct{}

	mu     sync.Mutex
	shared map[Target]*place
	idle   map[Target][]*Conn // exclusive connections without an owner's command in flight
	idleN  int
	all    map[*Conn]struct{}
	closed bool

	replaced atomic.Int64 // shared connections that were found dead
}

// place is where the one shared connection of a target stands, or is being made.
type place struct {
	mu      sync.Mutex // held while dialing: those who come meanwhile wait for one dial
	conn    *Conn
	err     error
	retryAt int64         // by Now: until then err stands
	backoff time.Duration // doubles from 50 ms to 1 s
}

// NewPool returns a pool. It dials nothing yet. Its watch goroutine runs until Close.
func NewPool(o Options) *Pool {
	o.defaults()
	p := &Pool{
		opts: o, stop: make(chan struct{}),
		shared: map[Target]*place{}, idle: map[Target][]*Conn{}, all: map[*Conn]struct{}{},
	}
	p.wg.Add(1)
	go p.watch()
	return p
}

// Shared returns the target's shared connection, made if there is none. Errors: a *ReplyError is Redis's refusal;
// everything else wraps backend.ErrStoreDown, and stands for a short time so that a Redis that is down is not
// dialed by every command.
func (p *Pool) Shared(ctx context.Context, t Target) (*Conn, error) {
	p.mu.Lock()
	pl := p.shared[t]
	if pl == nil {
		if len(p.shared) >= p.opts.MaxShared {
			p.prune()
		}
		if p.closed || len(p.shared) >= p.opts.MaxShared {
			closed := p.closed
			p.mu.Unlock()
			if closed {
				return nil, fmt.Errorf("%w: shutting down", backend.ErrStoreDown)
			}
			return nil, fmt.Errorf("%w: too many combinations of user, database and protocol", backend.ErrStoreDown)
		}
		pl = &place{}
		p.shared[t] = pl
	}
	p.mu.Unlock()

	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.conn != nil && !pl.conn.Closed() {
		return pl.conn, nil
	}
	pl.conn = nil
	if pl.err != nil && Now() < pl.retryAt {
		return nil, pl.err
	}
	nc, err := p.opts.dial(ctx, t)
	if err != nil {
		var refused *ReplyError
		if errors.As(err, &refused) {
			p.mu.Lock()
			delete(p.shared, t) // "SELECT 99" must not leave a place behind
			p.mu.Unlock()
		} else {
			pl.backoff = min(max(2*pl.backoff, 50*time.Millisecond), time.Second)
			pl.err, pl.retryAt = err, Now()+int64(pl.backoff)
		}
		return nil, err
	}
	pl.err, pl.backoff = nil, 0
	c := newConn(nc, t, nil, &p.opts)
	if !p.adopt(c) {
		return nil, fmt.Errorf("%w: shutting down", backend.ErrStoreDown)
	}
	pl.conn = c
	return c, nil
}

// prune forgets targets that have no connection: they were asked for while Redis was down, or it was closed. The lock is held.
func (p *Pool) prune() {
	for t, pl := range p.shared {
		if !pl.mu.TryLock() {
			continue // being dialed
		}
		if pl.conn == nil || pl.conn.Closed() {
			delete(p.shared, t)
		}
		pl.mu.Unlock()
	}
}

// Verify makes a fresh connection for t to learn whether Redis lets it in now, and closes it.
func (p *Pool) Verify(ctx context.Context, t Target) error {
	nc, err := p.opts.dial(ctx, t)
	if err != nil {
		return err
	}
	nc.Close()
	return nil
}

// Exclusive returns a connection of which owner gets every reply, unsolicited ones too.
func (p *Pool) Exclusive(ctx context.Context, t Target, owner Receiver) (*Conn, error) {
	for {
		p.mu.Lock()
		list := p.idle[t]
		if len(list) == 0 {
			p.mu.Unlock()
			break
		}
		c := list[len(list)-1]
		p.idle[t] = list[:len(list)-1]
		p.idleN--
		p.mu.Unlock()
		if c.own(owner) {
			return c, nil
		}
	}
	nc, id, err := p.opts.dialID(ctx, t, true)
	if err != nil {
		return nil, err
	}
	c := newConn(nc, t, owner, &p.opts)
	c.id = id
	if !p.adopt(c) {
		return nil, fmt.Errorf("%w: shutting down", backend.ErrStoreDown)
	}
	return c, nil
}

// Release gives back an exclusive connection that awaits no reply and whose state is its target's still.
func (p *Pool) Release(c *Conn) {
	p.mu.Lock()
	keep := c.own(nobody{}) && !p.closed && p.idleN < p.opts.MaxIdle // its end is nobody's news either
	if keep {
		p.idle[c.target] = append(p.idle[c.target], c)
		p.idleN++
	}
	p.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// adopt registers the connection and starts its reader; false when the pool is closed.
func (p *Pool) adopt(c *Conn) bool {
	c.pool = p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.nc.Close()
		return false
	}
	p.all[c] = struct{}{}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		c.read()
		p.mu.Lock()
		delete(p.all, c)
		p.mu.Unlock()
	}()
	return true
}

// forget takes the connection out of what can be handed out and tells whether it was there.
func (p *Pool) forget(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[c.target]
	for i, other := range list {
		if other == c {
			p.idle[c.target] = append(list[:i:i], list[i+1:]...)
			p.idleN--
			return true
		}
	}
	return false
}

// watch closes what is idle, what Redis does not answer and what is dead, and tells the receivers of overdue replies.
func (p *Pool) watch() {
	defer p.wg.Done()
	tick := time.NewTicker(p.opts.Stall / 10)
	defer tick.Stop()
	in := newInquest(p)
	defer in.end()
	for {
		select {
		case <-p.stop:
			return
		case t := <-in.answers:
			in.hear(t)
			continue
		case <-tick.C:
		}
		now := Now()
		for _, c := range p.conns() {
			switch waiting := c.waiting(now); {
			case (waiting > p.opts.GiveUp || c.stuck(now) > p.opts.GiveUp) && p.opts.Down():
				c.Close() // its receivers are told: an error for a read, the end for a write, as nobody knows whether it was done
			case in.dead(c, now):
				p.replace(c, now)
			case waiting > p.opts.Stall:
				c.stalled()
			}
			if c.unused(now) > p.opts.Idle {
				p.closeIdle(c)
			}
		}
		in.ask(now)
	}
}

// closeIdle ends a connection without use: shared ones with nothing awaited (but the default target's), and exclusive ones in the pool.
// A submitter that still holds it gets ErrClosed and takes another.
func (p *Pool) closeIdle(c *Conn) {
	if c.owner == nil {
		if c.target.Identity == (Identity{}) && c.target.DB == 0 {
			return
		}
		c.mu.Lock()
		idle := c.fifo.len() == 0 && !c.writing
		if idle {
			c.closed = true
		}
		c.mu.Unlock()
		if idle {
			c.nc.Close()
			p.mu.Lock()
			delete(p.shared, c.target)
			p.mu.Unlock()
		}
		return
	}
	if p.forget(c) {
		c.Close()
	}
}

func (p *Pool) conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*Conn, 0, len(p.all))
	for c := range p.all {
		list = append(list, c)
	}
	return list
}

// Close ends every connection and waits for their goroutines.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	close(p.stop)
	for _, c := range p.conns() {
		c.Close()
	}
	p.wg.Wait()
}
