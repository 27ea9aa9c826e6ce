package cache

import (
	"context"
	"fmt"
	"sync"

	"forebay/backend"
)

// maxGathered is the most bytes of objects that are gathered in memory at once, and so of one of them. It bounds the flights; a value also
// stays as long as a reader is being answered with it.
const maxGathered = 256 << 20

// reserve takes room for the object in memory.
func (f *objectFlight) reserve(ctx context.Context) error {
	room := f.engine.objects.room
	room.give(f.held) // of the version that was read before
	f.held = 0
	if f.object.Bytes > room.most {
		return f.tooLarge(room.most)
	}
	if err := room.take(ctx, f.object.Bytes); err != nil {
		return err
	}
	f.held = f.object.Bytes
	return nil
}

// tooLarge says why an object is not served that would be if Redis took it.
func (f *objectFlight) tooLarge(most int64) error {
	cause, why := backend.ErrSourceInvalid, f.why
	if !f.up {
		cause = backend.ErrStoreDown
	}
	err := fmt.Errorf("%w: the object has %d bytes, and without a place in redis at most %d are served", cause, f.object.Bytes, most)
	if why != nil {
		err = fmt.Errorf("%w: %w", err, why)
	}
	return err
}

// room is an amount of memory that flights share.
type room struct {
	most int64

	mu    sync.Mutex
	left  int64
	freed chan struct{} // closed and replaced when some is given back
}

func newRoom(most int64) *room { return &room{most: most, left: most, freed: make(chan struct{})} }

// take waits until n bytes are free, of at most most. A flight holds none while it waits, so none waits for itself.
func (r *room) take(ctx context.Context, n int64) error {
	for {
		r.mu.Lock()
		freed := r.freed
		if r.left >= n {
			r.left -= n
			r.mu.Unlock()
			return nil
		}
		r.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return fmt.Errorf("%w: other objects fill the %d bytes that objects may have in memory", backend.ErrSourceTimeout, r.most)
		}
	}
}

// give returns n bytes.
func (r *room) give(n int64) {
	if n == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
	close(r.freed)
	r.freed = make(chan struct{})
}
