package backend

import "context"

// Positions keeps how far a topic was applied to what a store holds. It lives in the store, so that it is lost, and restored from a
// snapshot, together with the values. Errors wrap ErrStoreDown if Redis could not be asked.
type Positions interface {
	// Position is the offset to go on from. known false: none is kept.
	Position(ctx context.Context, topic string, partition int) (offset int64, known bool, err error)
	// Advance raises the kept position to offset, and returns the one that is kept then. Where less than was is kept, the store has gone back
	// in time: it stays as it is, and is returned.
	Advance(ctx context.Context, topic string, partition int, was, offset int64) (kept int64, err error)
}
