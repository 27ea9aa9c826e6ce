package backend

import (
	"context"
	"time"
)

// Stager is a [Store] that takes a large value piece by piece.
type Stager interface {
	// Stage begins a value of size bytes, above zero, of the key in database db, of which no client sees anything until Commit. Whoever
	// asked must call Commit or Abort.
	Stage(ctx context.Context, db int, key []byte, size int64) (Stage, error)
}

// Stage is one value on its way. It is for one goroutine. After an error of Append, only Abort may follow.
type Stage interface {
	// Append adds to the value's end and returns when it is handed to the connection, which holds up whoever is faster than the store. The
	// slice is borrowed until then. With the last byte, the store has said that it has it all. The error wraps ErrStoreDown, or is the
	// store's own (OOM, say, which may show only then).
	Append(ctx context.Context, chunk []byte) error
	// Commit makes what was appended, which is all of it, the key's value, if the lease of the key and the rest fit as they do for StoreValue (see
	// [Leaser]), and ends the stage. ttl is above zero, in milliseconds; track is as in [Entry]. Not stored without an error: it did not fit. After
	// an error that wraps ErrStoreDown nothing is known; after another, the lease is given up.
	Commit(ctx context.Context, lease Lease, ttl time.Duration, track bool) (stored bool, err error)
	// Abort ends the stage without a value. It does nothing after Commit. Should it not get through, the store forgets the stage by itself.
	Abort(ctx context.Context)
}
