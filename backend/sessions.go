package backend

import (
	"context"
	"time"
)

// Sessions is where Forebays that share one Redis keep what they know of client sessions together. All times are by the server's clock.
// It is safe for concurrent use. Every error wraps ErrStoreDown if the server could not be asked.
//
// A session has an ID for as long as it lives: the same name opened again after its end has another.
type Sessions interface {
	// Beat tells, in one round trip, what a proxy knows anew of some sessions, and returns a reply to each, in their order.
	// A beat is applied as a whole or not at all. The slices are borrowed until it returns.
	Beat(ctx context.Context, beats []SessionBeat) ([]SessionPulse, error)
	// Live returns every session that has not ended, by name.
	Live(ctx context.Context) ([]SessionRecord, error)
	// Extend makes the session end no sooner than d from now. False: there is none of that name.
	Extend(ctx context.Context, name string, d time.Duration) (bool, error)

	// Due returns the names of live sessions whose time is over, and the IDs of ended ones that nobody is releasing; at most limit of each.
	Due(ctx context.Context, limit int) (names, ids []string, err error)
	// CloseSession ends the session and gives its release to the holder of token for lease. With ifDue only if its time is over.
	// Nil: there is none, or it is not due, or nothing is known of it that could be released.
	CloseSession(ctx context.Context, name string, c SessionClose) (*SessionRecord, error)
	// Take is CloseSession for a session that ended and whose releaser's lease is over. Nil: somebody else has it.
	Take(ctx context.Context, id, token string, lease time.Duration) (*SessionRecord, error)
	// Renew extends the lease and adds to what was released. False: the lease is another's by now.
	Renew(ctx context.Context, id, token string, lease time.Duration, keys, bytes int64) (bool, error)
	// Finish forgets the ended session and returns what was released of it in all. False: the lease is another's, or it is forgotten already.
	Finish(ctx context.Context, id, token string) (keys, bytes int64, ok bool, err error)

	// Claims calls each with the hashes of one SessionClaims, 8 bytes each, little-endian, some at a time, and tells whether all of
	// them were there. Hashes may repeat. The slice is each's only until it returns.
	Claims(ctx context.Context, id string, c SessionClaims, each func(hashes []byte)) (whole bool, err error)
	// Filled lists, some at a time, the keys of db that were filled with Entry.Track and not released. Begin with cursor 0; next is 0
	// at the end. Keys may repeat; one that is filled meanwhile may be missing. Of keys that are gone the fill is forgotten.
	Filled(ctx context.Context, db int, cursor uint64) (keys []string, next uint64, err error)
	// Release removes those of keys that hold exactly what the last fill with Entry.Track stored, and forgets the fills
	// of those that hold anything else or nothing. A key that is written meanwhile stays. bytes is the values' size.
	Release(ctx context.Context, db int, keys []string) (removed, bytes int64, err error)
	// MayRelease tells whether the user ("" is the default one) may remove keys.
	MayRelease(ctx context.Context, user string) (bool, error)
}

// SessionBeat is what one proxy tells of one session.
type SessionBeat struct {
	Name        string
	ID          string        // as the proxy knows it; "" if it does not
	NewID       string        // to be its ID if there is no session of that name and Create is set
	Create      bool          // begin a session if there is none
	Limit       int           // of live sessions, over which none is begun
	Row         string        // names this teller; without ':'
	Connections int           // of clients, here
	Data        []byte        // the row's statistics; only kept
	Stay        time.Duration // the session ends no sooner than this from now
	Claims      []SessionNews // dropped if ID is given and not the session's own any more
}

// SessionNews is what one row claims in one database since its last beat.
type SessionNews struct {
	DB     int
	Hashes []byte // xxhash64 of each key, 8 bytes little-endian
	Total  int64  // bytes of all hashes told so far, these included
	Over   bool   // there are claims that are not told, since there are too many
}

// SessionPulse answers a beat.
type SessionPulse struct {
	ID    string // "" if there is no such session (Create was not set, or there are too many)
	Begun bool   // by this beat
}

// SessionRecord is all that is kept of one session.
type SessionRecord struct {
	Name, ID string
	First    time.Time // when it was first seen
	Now      time.Time // when this was read
	Ends     time.Time // if nothing more is heard of it; of an ended one: when it ended
	Reason   string    // ended: as given to CloseSession
	By       string    // ended: as given to CloseSession
	Rows     []SessionRow
	Claims   []SessionClaims
}

// SessionRow is what one row last told.
type SessionRow struct {
	Row         string
	Connections int
	Data        []byte
	Told        time.Time
}

// SessionClaims names the claims of one row in one database.
type SessionClaims struct {
	Row   string
	DB    int
	Total int64 // bytes
	Over  bool
}

// SessionClose says who ends a session and why.
type SessionClose struct {
	IfDue      bool
	Token      string // unique to this releaser
	Lease      time.Duration
	Reason, By string
}
