package backend

import "context"

// Remover removes values because somebody has said that they are wrong, whoever wrote them. It is safe for concurrent use.
// Errors wrap ErrStoreDown if Redis could not be asked, or not be heard: then nothing is known of what was removed.
type Remover interface {
	// Remove removes the keys of database db, whatever they hold, and tells how many there were. The keys are borrowed until it returns.
	Remove(ctx context.Context, db int, keys [][]byte) (removed int64, err error)
	// Keys lists, some at a time, the keys of db that begin with prefix. Begin with cursor 0; next is 0 at the end. Keys may repeat; one
	// that was there all the while is not missing.
	Keys(ctx context.Context, db int, prefix string, cursor uint64) (keys [][]byte, next uint64, err error)
}
