package cache

import (
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// dueTimes remembers when something is to be done for a key again, of 64 Ki places, 512 KiB. Of two keys that share a place the older is forgotten, for which it is
// done once too often. The zero dueTimes is ready, and safe for concurrent use.
type dueTimes struct {
	places [1 << 16]atomic.Int64 // a key's tag in the lower 16 bits, above them the time, in ms since 1970
}

func (d *dueTimes) place(db int, key []byte) (at *atomic.Int64, tag int64) {
	h := xxhash.Sum64(key) ^ uint64(db)*0x9e3779b97f4a7c15
	return &d.places[h%uint64(len(d.places))], int64(h >> 48)
}

// take tells whether it is due, and then makes it due again after every.
func (d *dueTimes) take(db int, key []byte, every time.Duration) bool {
	at, tag := d.place(db, key)
	now := time.Now().UnixMilli()
	was := at.Load()
	if was&0xffff == tag && was>>16 > now {
		return false
	}
	return at.CompareAndSwap(was, (now+every.Milliseconds())<<16|tag)
}

// set makes it due after wait.
func (d *dueTimes) set(db int, key []byte, wait time.Duration) {
	at, tag := d.place(db, key)
	at.Store((time.Now().UnixMilli()+wait.Milliseconds())<<16 | tag)
}
