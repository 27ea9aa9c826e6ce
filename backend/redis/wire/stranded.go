package wire

import (
	"context"
	"time"
)

// A connection may be dead without a word: a firewall, a balancer or a host has forgotten it, and what is sent on it goes nowhere, while new connections reach
// Redis. The prober has made a new one, so Redis is up; the clients of a shared connection would wait for ever. But one on which nothing comes need not be dead:
// CLIENT PAUSE, a long script, DEBUG SLEEP, or a server that is stopped for a moment keep replies for as long as they like, and nobody must lose a write to that.
//
// So time alone closes nothing. A shared connection is dead if Redis has executed something that came later, on another connection ([Options.Executes]):
//
//  1. S has owed a reply, and no byte has come on it, since a tick of the watch: its commands are on their way, or with Redis. Which entry is the oldest and when
//     bytes came last tell that it is the same reply still: bytes are noted before they are given to anybody, and an entry has a place of its own (doubt).
//  2. Stall (1 s) later, at the earliest, X is dialled, and a command that does nothing sent on it.
//  3. Redis executes that. It reads the sockets that have something in turn, and X's was filled a second after S's. So it has read S's command, if that has come.
//  4. What it has read it has executed: commands wait within a connection, but for those that block, which are not on shared connections (proxy's classes), and
//     those that are postponed, which 3 would be, too (below).
//  5. Half of Stall later, and 2.5 s after 1 (GiveUp less that), there is still no byte: what was executed was answered, and no answer has come. S is closed, with
//     all that follows from a connection that breaks.
//
// What holds S up, and when the command of 3 is executed:
//
//   - CLIENT PAUSE ALL, or WRITE: not before the pause ends, since EVAL may write (Redis has no look at what a script does). S was postponed earlier, and is taken
//     up earlier: those who are postponed stand in a queue. The two may be answered in either order, hence 5's half of Stall.
//   - SHUTDOWN that waits for replicas, and FAILOVER: they pause writes.
//   - A pause that begins between 3 and 5: S's command was executed before, by 4.
//   - A pause that ends between 1 and 2, and another that begins: the second postpones 3, too, until S has been answered.
//   - A script, of S or of another, DEBUG SLEEP, KEYS, a fork, a stopped server: Redis does one thing at a time. From busy-reply-threshold (5 s) on it answers -BUSY
//     to others while the script runs, of S perhaps: that is an error, by which nothing is executed, and so proves nothing.
//   - Our own reader that waits for a slow client of a large reply: nothing is read, so nothing comes (Conn.lent). S is in no doubt then.
//   - A reply that comes in pieces: each is a byte that comes.
//   - Packets of S alone that are lost: four times in a row in 2.5 s, as TCP repeats. It is a connection that breaks, then: nothing wrong is answered.
//
// Not covered: a server that holds back replies of writes alone, until they are safe elsewhere, for longer than 2.5 s. Redis does not.
//
// Without the right to EVAL nothing is executed and no connection is dead; then TCP alone ends those that are not acknowledged (unacked). So it does for connections
// of a client's own, on which a reply may wait for ever with reason (BLPOP): those in use are left alone.

// doubt is what the watch has seen of a shared connection that owes a reply. It is that reply still while the same bytes were the last and the same entry is the oldest.
type doubt struct {
	since int64  // by Now: when it was first seen; 0: there is none
	heard int64  // when bytes last came
	head  uint64 // where the oldest entry's commands start, or noEntry: only a large reply is owed
}

const noEntry = ^uint64(0)

// doubted tells since when the same reply is seen to be owed, and nothing comes; 0: there is no doubt.
func (c *Conn) doubted(now int64) int64 {
	d := doubt{since: now, heard: c.heard.Load(), head: noEntry}
	c.mu.Lock()
	owed := c.streams.Load()
	if c.fifo.len() > 0 {
		owed, d.head = true, c.fifo.head().start
	}
	owed = owed && !c.closed
	c.mu.Unlock()
	switch {
	case c.owner != nil || !owed || c.lent.Load():
		c.doubt = doubt{}
	case c.doubt.since == 0 || c.doubt.heard != d.heard || c.doubt.head != d.head:
		c.doubt = d
	}
	return c.doubt.since
}

// trial is one call of Executes.
type trial struct {
	began, ended int64
	ok           bool
}

// inquest finds out which shared connections are dead. But for the call under way it is the watch goroutine's.
type inquest struct {
	p       *Pool
	answers chan trial
	cancel  context.CancelFunc // of the call under way; nil: there is none
	last    trial              // the last that was executed
	next    int64              // not asked again before
	wanted  bool               // by a connection of this tick
}

func newInquest(p *Pool) *inquest { return &inquest{p: p, answers: make(chan trial, 1)} }

// dead tells whether the connection is, and takes note if it must be found out.
func (in *inquest) dead(c *Conn, now int64) bool {
	o := &in.p.opts
	if o.Executes == nil {
		return false
	}
	since := c.doubted(now)
	if since == 0 || now-since <= int64(o.Stall) {
		return false
	}
	if !in.last.ok || in.last.began-since <= int64(o.Stall) {
		in.wanted = true
		return false
	}
	rest := int64(o.Stall / 2)
	return now-in.last.ended > rest && now-since > int64(o.GiveUp)-rest
}

// ask has Redis asked, if that is wanted: once at a time, and at most twice in Stall.
func (in *inquest) ask(now int64) {
	wanted := in.wanted
	in.wanted = false
	if !wanted || in.cancel != nil || now < in.next {
		return
	}
	in.next = now + int64(in.p.opts.Stall/2)
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	in.p.wg.Go(func() {
		ok := in.p.opts.Executes(ctx)
		in.answers <- trial{began: now, ended: Now(), ok: ok}
	})
}

// hear takes the answer.
func (in *inquest) hear(t trial) {
	in.cancel()
	in.cancel = nil
	if t.ok {
		in.last = t
	}
}

// end ends the call under way; the pool waits for it.
func (in *inquest) end() {
	if in.cancel != nil {
		in.cancel()
	}
}

// replace closes a dead connection: who needs one makes another. Those that wait for an owner may have died with it, and cost little.
func (p *Pool) replace(c *Conn, now int64) {
	p.replaced.Add(1)
	if p.opts.Replaced != nil {
		p.opts.Replaced(time.Duration(now - c.doubt.since))
	}
	c.Close()
	p.mu.Lock()
	var idle []*Conn
	for _, list := range p.idle {
		idle = append(idle, list...)
	}
	clear(p.idle)
	p.idleN = 0
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// Replaced is how many shared connections were found dead.
func (p *Pool) Replaced() int64 { return p.replaced.Load() }
