package proxy

import (
	"bytes"

	"github.com/tidwall/redcon"

	"forebay/backend/redis/wire"
	"forebay/internal/event"
	"forebay/internal/near"
	"forebay/internal/route"
)

// A near hit is answered from memory, without Redis. Who may have one:
//
//   - a client on the shared connection: one with a connection of its own may be tracking keys, watching them or in a transaction, and
//     then Redis must see each of its reads;
//   - whose user ACL lets read all keys that begin as the route's do, since Redis is not asked;
//   - a whole-value read of a routed key: GET, and MGET if every one of its keys is near.
//
// What it sees: the value that Redis held at some moment since the read arrived, or up to the time that Redis's invalidation of it takes to
// arrive. Writes through this process are seen at once (see fenceNear); so a client sees its own.

// nearOne answers a GET from the near copy, if it can.
func (s *session) nearOne(cmd *command, r *route.Route, key []byte) bool {
	if s.own || s.srv.opts.Near == nil || !s.mayRead(r) {
		return false
	}
	reply, ok := s.srv.opts.Near.Get(s.target.DB, key)
	if !ok {
		return false
	}
	s.clock = wire.Now()
	sl := s.push(plain, cmd, 0)
	seq := s.fifo.tail - 1
	s.count(sl, 1)
	s.recordKey(sl, key, r, nearHit(reply))
	if len(reply) > streamAt {
		sl.state = streaming
		s.srv.wg.Add(1) // the session is counted, so this is not zero
		go func() {
			defer s.srv.wg.Done()
			s.pieces(seq, reply, true)
		}()
		return true
	}
	s.emit(seq, sl, reply)
	sl.state = ready
	s.advance()
	return true
}

// nearMany answers an MGET from the near copy, if it holds every key: the values are of one moment, as Redis's are.
func (s *session) nearMany(cmd *command, args [][]byte) bool {
	if s.own || s.srv.opts.Near == nil {
		return false
	}
	keys := args[1:]
	if !s.srv.opts.Near.GetMany(s.target.DB, keys, nearReply, &s.nears) {
		return false
	}
	s.nearRoutes = s.nearRoutes[:0]
	for i, k := range keys {
		r := s.srv.route(s.target.DB, k)
		if (i == 0 || r != s.nearRoutes[i-1]) && !s.mayRead(r) {
			return false
		}
		s.nearRoutes = append(s.nearRoutes, r)
	}
	s.clock = wire.Now()
	sl := s.push(plain, cmd, 0)
	seq := s.fifo.tail - 1
	s.count(sl, 1)
	var head [24]byte
	s.emit(seq, sl, redcon.AppendArray(head[:0], len(keys)))
	for i, k := range keys {
		s.emit(seq, sl, s.nears.Replies[i])
		s.recordKey(sl, k, s.nearRoutes[i], nearHit(s.nears.Replies[i]))
	}
	s.nears.Forget()
	sl.state = ready
	s.advance()
	return true
}

// nearReply is the most bytes that an MGET is answered with from the near copy: they go to the client's output in one piece.
const nearReply = 1 << 20

func nearHit(reply []byte) event.Event {
	return event.Event{Kind: event.Hit, Origin: event.FromNear, Bytes: valueSize(len(reply))}
}

// valueSize is the number of bytes of a value whose RESP bulk has n: looking for it in the bulk would be a cache miss.
func valueSize(n int) int64 {
	for digits, most := 1, 9; ; digits, most = digits+1, most*10+9 {
		if v := n - len("$\r\n\r\n") - digits; v <= most {
			return int64(v)
		}
	}
}

// offer shows the near copy a value that Redis holds, as the reply of a read of its key that was asked for at t.
func (s *session) offer(key, reply []byte, t near.Token) {
	if c := s.srv.opts.Near; c != nil && len(reply) > 0 && reply[0] == '$' {
		if i := bytes.IndexByte(reply, '\n'); len(reply) >= i+3 {
			c.Offer(s.target.DB, key, reply[i+1:len(reply)-2], t)
		}
	}
}

// fences are the keys that a client's write keeps out of the near copy until it is answered.
type fences struct {
	keys [][]byte
	all  int // commands of which the keys are not known
}

// fenceNear keeps what a command may write out of the near copy, from before it is forwarded until its reply:
//
//  1. SET k v2 is forwarded and done. Its client has the reply, and tells another of it.
//  2. The other reads k, before Redis's invalidation has arrived: v1, from the near copy.
//
// and, for the value of a read that was asked before the write and answered after it:
//
//  1. R asks for k. Redis answers v1; the reply is on its way.
//  2. SET k v2 is forwarded, done and answered; the fence ends.
//  3. R's reply arrives and is offered: v1. Its token is older than the fence, and it is refused.
//
// The fences gather in s.fencing, and go to the slot of the write (for a transaction, EXEC's) by holdFences.
func (s *session) fenceNear(cmd *command, args [][]byte) {
	c := s.srv.opts.Near
	if c == nil {
		return
	}
	if cmd.keys(args, s.fenceKey) {
		return
	}
	if cmd.needs.of == ofAnyScript {
		if declared, _ := scriptKeys(args); len(declared) > 0 {
			for _, key := range declared {
				s.fenceKey(key)
			}
			return // what a script writes and does not declare, Redis's invalidation tells
		}
	}
	c.FenceAll()
	s.fencing.all++
}

// fenceNearTx is fenceNear for what was queued on a connection of the client's own: what is queued is not done before EXEC.
func (s *session) fenceNearTx(tx *transaction) {
	if s.srv.opts.Near == nil {
		return
	}
	if tx.unsure || tx.db >= 0 {
		s.srv.opts.Near.FenceAll()
		s.fencing.all++
	}
	for key := range tx.wrote {
		s.fenceKey([]byte(key))
	}
}

// fenceKey keeps one key out of the near copy, which holds none that has no route.
func (s *session) fenceKey(key []byte) {
	if s.srv.route(s.target.DB, key) == nil {
		return
	}
	s.srv.opts.Near.Fence(s.target.DB, key)
	s.fencing.keys = append(s.fencing.keys, append([]byte(nil), key...))
}

// holdFences gives the fences that have gathered to the newest slot, whose reply ends them. If that has been answered already, without Redis, they
// end now.
func (s *session) holdFences() {
	if s.fencing.none() {
		return
	}
	f := s.fencing
	s.fencing = fences{}
	if sl := s.slotIfAny(); sl != nil && sl.state != ready {
		sl.fences = &f
		return
	}
	s.unfence(&f)
}

func (f *fences) none() bool { return f.all == 0 && len(f.keys) == 0 }

// unfence ends fences.
func (s *session) unfence(f *fences) {
	c := s.srv.opts.Near
	for _, k := range f.keys {
		c.Unfence(s.target.DB, k)
	}
	for range f.all {
		c.UnfenceAll()
	}
}

// unfenceLeft ends the fences of a client that has gone, once Redis has answered, or will never answer, all that it had sent: until then its
// writes may still be done.
func (s *session) unfenceLeft() {
	if !s.gone || s.srv.opts.Near == nil || s.owed-s.batchN-s.sending > 0 {
		return
	}
	for seq := s.fifo.head; seq < s.fifo.tail; seq++ {
		if sl := s.fifo.at(seq); sl.fences != nil {
			s.unfence(sl.fences)
			sl.fences = nil
		}
	}
	s.unfence(&s.fencing)
	s.fencing = fences{}
}
