package backend

import "context"

// Discarder removes values that were found to be wrong, and shows the beginnings of those that are too large to be fetched for a look.
type Discarder interface {
	// Discard removes each key of database db that still holds the string that was seen, in one round trip, and tells which it removed.
	// Whatever has taken its place meanwhile stays. errs holds each key's own error, or nil; err wraps ErrStoreDown if Redis could not be
	// asked, or not be heard: then nothing is known of any.
	Discard(ctx context.Context, db int, seen []Seen) (removed []bool, errs []error, err error)
	// Head returns the first most bytes of a key's string and the size of all of it, as they are at one moment. head is nil if the key is absent, and
	// empty if its value is. It is the caller's. A key of another type is an error that does not wrap ErrStoreDown.
	Head(ctx context.Context, db int, key []byte, most int) (head []byte, size int64, err error)
}

// Seen is what a reader saw of a string, borrowed until Discard returns. With Head the whole value, only that very value is removed; a larger one is
// told by its size and its beginning. Of Head a store may compare the first MiB only.
type Seen struct {
	Key  []byte
	Head []byte // the value's beginning
	Size int64  // of the whole value, in bytes
}
