package near

import (
	"bytes"
	"math"
	"strconv"
	"sync/atomic"
	"unsafe"

	"github.com/maypok86/otter/v2"
)

// entryBytes is about what an entry costs besides its key and value: its own struct, otter's node, and its share of the table.
const entryBytes = 192

// entry is one value. It is never changed.
type entry struct {
	key     string
	reply   []byte // the value as a RESP bulk
	value   []byte // in reply
	db      int
	epoch   uint64 // of its token
	expires int64  // by Options.Now
}

func (e *entry) is(db int, key []byte) bool { return e.db == db && e.key == string(key) }

func (e *entry) bytes() int64 { return int64(len(e.key)+len(e.reply)) + entryBytes }

// newEntry copies key and value, into one piece of memory: to compare the key is to fetch the beginning of the reply.
func newEntry(db int, key, value []byte, epoch uint64) *entry {
	piece := make([]byte, 0, len(key)+len("$\r\n\r\n")+20+len(value))
	piece = append(append(piece, key...), '$')
	piece = append(strconv.AppendInt(piece, int64(len(value)), 10), "\r\n"...)
	at := len(piece)
	piece = append(append(piece, value...), "\r\n"...)
	return &entry{
		key: unsafe.String(unsafe.SliceData(piece), len(key)), reply: piece[len(key):], value: piece[at : at+len(value)],
		db: db, epoch: epoch,
	}
}

// entryOf is newEntry of a whole RESP bulk, which it takes; nil if it is none.
func entryOf(db int, key, reply []byte, epoch uint64) *entry {
	head := bytes.IndexByte(reply, '\n') + 1
	if head == 0 || reply[0] != '$' || len(reply) < head+2 {
		return nil
	}
	return &entry{key: string(key), reply: reply, value: reply[head : len(reply)-2], db: db, epoch: epoch}
}

// shelf is the store of one time between two flushes.
type shelf struct {
	*otter.Cache[uint64, *entry]
	bytes, entries, weight atomic.Int64
	inserting              atomic.Int64 // inserts under way: see Cache.remove
}

// newShelf makes an empty store.
//
// An entry weighs its bytes, but at least the share of the budget that MaxEntries gives it: so the one bound that otter holds is both.
// Otter's upkeep runs on whose call it is due (a pass is short), so that it has no goroutine of its own. Expiry is Get's: Redis tells of
// most expired keys anyway, and the policy finds the others cold.
func newShelf(c *Cache) *shelf {
	s := &shelf{}
	s.Cache = otter.Must(&otter.Options[uint64, *entry]{
		MaximumWeight: uint64(c.opt.MaxBytes),
		Weigher:       func(_ uint64, e *entry) uint32 { return uint32(c.weight(e)) },
		Executor:      func(f func()) { f() },
		Logger:        &otter.NoopLogger{},
		OnAtomicDeletion: func(d otter.DeletionEvent[uint64, *entry]) {
			s.count(c, d.Value, -1)
			if d.Cause == otter.CauseOverflow {
				c.counts.evicted.Add(1)
			}
		},
	})
	return s
}

func (s *shelf) count(c *Cache, e *entry, n int64) {
	s.bytes.Add(n * e.bytes())
	s.entries.Add(n)
	s.weight.Add(n * c.weight(e))
}

// weight is what an entry takes of MaxBytes.
func (c *Cache) weight(e *entry) int64 {
	w := e.bytes()
	if c.opt.MaxEntries > 0 {
		w = max(w, (c.opt.MaxBytes+int64(c.opt.MaxEntries)-1)/int64(c.opt.MaxEntries))
	}
	return min(w, math.MaxUint32)
}
