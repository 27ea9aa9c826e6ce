package proxy

import (
	"forebay/internal/metric"
	"forebay/internal/near"
	"forebay/internal/route"
)

// kind says what is done with the replies that a slot awaits.
type kind uint8

const (
	plain        kind = iota // passed on as they are
	readOne                  // a read of one key
	readMany                 // MGET
	execReply                // EXEC: absent reads are patched
	infoReply                // INFO: a section is added
	helloReply               // HELLO: the client's own id is put in
	logReply                 // PUBLISH of a training message: put on the stream
	subReply                 // confirmations of (un)subscriptions
	alteredReply             // what more.alter makes of it
	keysReply                // KEYS: Forebay's own are left out
	scanReply                // SCAN: the same
	randomReply              // RANDOMKEY: another is found for one of Forebay's own
)

// state of a slot.
type state uint8

const (
	waiting   state = iota // for Redis
	loading                // for the engine, or for a command sent once more
	streaming              // for the rest of a large reply, of which the client has a part
	gathering              // for the rest of a large reply, of which the slot has a part
	ready                  // nothing more will be added
)

// slot is one place in a client's FIFO of replies: of one command, or of several alike that are only passed on.
// Slots are reused with their buffers.
type slot struct {
	kind   kind
	state  state
	op     readOp
	writes bool // the outcome matters if the connection breaks
	blocks bool // it may wait in Redis for others
	muted  bool // the client is not to have it: CLIENT REPLY
	id     metric.CommandID
	age    route.Age    // of a readOne's value, once its PTTL is answered
	n      int          // replies of Redis still to come
	looks  int          // of these, answers to PTTLs, which come first
	at     int64        // arrival of the command, by wire.Now
	route  *route.Route // of a readOne; nil: unrouted
	key    []byte       // of a readOne
	token  near.Token   // of a readOne with a route: the near copy's, as it was asked for
	fences *fences      // of a write: what is kept out of the near copy until it is answered
	more   *detail      // nil where the fields above say all
	buf    []byte       // reply bytes, while a slot before this one is not ready
}

// detail is what only some slots need.
type detail struct {
	keys       [][]byte // readMany: its keys
	routes     []*route.Route
	tokens     []near.Token // of keys
	ages       []route.Age  // of keys; nil: none is asked for
	aged       int          // of them answered, or passed by
	start, end int64        // GETRANGE
	frame      []byte       // GETEX: the command, to be sent once more
	tx         *transaction // execReply
	reply      []byte       // a large reply, or one to be patched, while it is gathered
	bad        []int        // readMany: which of its values in reply break their routes' rules
	all        bool         // subReply: UNSUBSCRIBE without arguments
	log        *message     // logReply
	then       func()       // helloReply: what to do once it was no error
	alter      editor       // alteredReply
}

// keepBuffer is the most that a slot keeps of a buffer for its next use.
const keepBuffer = 4 << 10

// fifo is a client's ring of slots: head is the next to be written, cursor the first that awaits replies, tail one past the last.
// They only ever grow; the slot of seq is at(seq). Guarded by the session's lock.
type fifo struct {
	ring               []slot
	head, cursor, tail uint64
	// orphans are replies still to come of reads that were answered without them: all are before the cursor's.
	orphans int
}

func (q *fifo) at(seq uint64) *slot { return &q.ring[seq&uint64(len(q.ring)-1)] }

func (q *fifo) empty() bool { return q.head == q.tail }

// push adds a slot. The pointer is good until the next push.
func (q *fifo) push() *slot {
	if q.tail-q.head == uint64(len(q.ring)) {
		bigger := make([]slot, max(4, 2*len(q.ring)))
		for seq := q.head; seq < q.tail; seq++ {
			bigger[seq&uint64(len(bigger)-1)] = *q.at(seq)
		}
		q.ring = bigger
	}
	q.tail++
	return q.at(q.tail - 1)
}

// next returns the first slot that awaits a reply; nil if none does.
func (q *fifo) next() (uint64, *slot) {
	for q.cursor = max(q.cursor, q.head); q.cursor < q.tail; q.cursor++ {
		if sl := q.at(q.cursor); sl.n > 0 {
			return q.cursor, sl
		}
	}
	return 0, nil
}

// pop takes the head away.
func (q *fifo) pop() {
	sl := q.at(q.head)
	q.orphans += sl.n
	key, buf := sl.key[:0], sl.buf[:0]
	if cap(key) > keepBuffer {
		key = nil
	}
	if cap(buf) > keepBuffer {
		buf = nil
	}
	*sl = slot{key: key, buf: buf}
	q.head++
}
