package backend

import (
	"context"
	"time"
)

// Slide is a key whose TTL is to be To again, once Below or less is left of it. Both are above zero, in milliseconds.
type Slide struct {
	Key       []byte
	Below, To time.Duration
}

// Slider extends TTLs. It is safe for concurrent use.
type Slider interface {
	// Slide looks at each key's TTL and extends it where that is due, each in one step. Only a value that a fill has stamped (Entry.Stamp), and that nobody has
	// written since, is extended: a key that is gone, or that a client has written, stays as it is. left is what each has then; negative: it has no TTL, or is gone. The error wraps ErrStoreDown if Redis could not
	// be asked.
	Slide(ctx context.Context, db int, slides []Slide) (left []time.Duration, err error)
}
