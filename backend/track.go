package backend

import "time"

// Tracker tells a [Follower] which keys change in Redis, whoever changes them, and how long keys have left to live, in one order.
type Tracker interface {
	// Track begins to follow, and returns at once. It is called once. A server that is down or refuses is told by Follower.Lost and tried again.
	Track(f Follower)
	// AskTTL asks how long a key has left. The answer comes as Follower.TTL with the ticket; it is missing if the connection is lost, which
	// Follower.Lost tells, and none comes after that. False: it was not asked, since nothing is tracked now or too much is asked already. It never
	// blocks for the server, and borrows key.
	AskTTL(db int, key []byte, ticket uint64) bool
	// Close ends tracking and waits: the Follower is not called any more.
	Close()
}

// What [Follower.TTL] is told instead of a time.
const (
	NoExpiry time.Duration = -1 - iota // the key does not expire
	NoKey                              // there is no such key
	NotTold                            // the server refused to tell
)

// Follower is what a [Tracker] calls, from one goroutine at a time and in the order in which the server did things: what follows Changed
// was done by the server after the change. Slices are borrowed. It must not block.
//
// Times named asked are monotonic nanoseconds of one clock, the Tracker's and the Follower's (wire.Now in the program), taken before the question was sent.
type Follower interface {
	// Tracking means that every change from now on will be told: the server said so to a question of this time.
	Tracking(asked int64)
	// Alive means that the server answered a PING, and that all changes it had made known before were told.
	Alive(asked int64)
	// Changed means that a key, of whatever database, was changed, removed or expired.
	Changed(key []byte)
	// Flushed means that any keys may have been removed.
	Flushed()
	// TTL answers AskTTL: milliseconds, above zero or zero, or one of NoExpiry, NoKey and NotTold.
	TTL(ticket uint64, asked int64, left time.Duration)
	// Lost means that changes are not told from some earlier moment on until the next Tracking; refused, that the server itself does not want to.
	// It may be called again with another cause.
	Lost(cause error, refused bool)
}
