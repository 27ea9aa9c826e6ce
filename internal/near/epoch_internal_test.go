package near

import (
	"testing"

	"forebay/backend"
)

// nobody tracks nothing.
type nobody struct{}

func (nobody) Track(backend.Follower)              {}
func (nobody) AskTTL(int, []byte, uint64) bool     { return false }
func (nobody) Close()                              {}
func (nobody) now() int64                          { return 1 }
func (nobody) keep(c *Cache, e *entry, key []byte) { c.shelf.Load().Set(c.place(0, key).id, e) }

// 11: an insert that found its token good is overtaken by a flush, which found nothing to remove. From outside this is a matter of nanoseconds.
func TestEntriesOfAnotherEpochAreWorthNothing(t *testing.T) {
	var n nobody
	c := New(Options{MaxBytes: 1 << 20, Tracker: n, Now: n.now})
	defer c.Close()
	follower{c}.Tracking(1)
	key := []byte("k")
	e := newEntry(0, key, []byte("v"), c.Token(0, key).epoch)
	e.expires = 1 << 40
	n.keep(c, e, key)
	if _, ok := c.Get(0, key); !ok {
		t.Fatal("the entry is not found at all")
	}
	c.epoch.Add(generation)
	if _, ok := c.Get(0, key); ok {
		t.Error("an entry of an older epoch is given out")
	}
}
