package backend

import (
	"context"
	"time"
)

// Leaser lets one process of many load a key, and stores what it has loaded only if nothing has happened to the key since.
//
// What a store holds of a key k of a database, beside its value V(k):
//
//	S(k)  nothing, or a stamp: the digest of the value that a fill with Entry.Stamp stored last, and when that ends
//	L(k)  nothing, a lease (generation, token) with a time to live, or a marker (generation) that the source has no such row
//	G     the database's generation: an unique name, or nothing
//	A(n)  the area n of the database, some of its keys: (generation, token), or nothing
//
// Each operation is one atomic step for each key. A lease or marker counts only while its generation is G.
//
//	Acquire  G = nothing → a new name. Then, for each key: V present → Present; L a marker → Absent; L a lease of another's → Busy; else
//	         L := (G, token) for life → Taken.
//	Settle   fits := L = (generation, token) of the entry ∧ G = generation ∧ V = nothing. What is not said is unchanged.
//	         Store  fits → V := value for TTL; L := nothing.    Absent  fits → L := marker of G for TTL, or nothing if that is 0.
//	         Check  fits → L := nothing.                        In these three, if it does not fit: L := nothing if it is the entry's.
//	         Fail   L := nothing if it is the entry's.          Keep    L and G are the entry's → L lives for TTL from now.
//	         Refresh: as Store, where V is what was seen (Entry.Seen) instead of nothing. Absent and Check of an entry with Stamp and Seen fit where V is
//	         that instead; Absent removes V then.
//	         Where a value is stored with Stamp, S := its stamp.
//	Enter    G as in Acquire; A(n) := (G, token) if it is not of G → A(n). Many may hold the same.
//	Settle, of an entry with an Area: fits needs A(n) = its Since too; if it has no Lease, whatever L is does not matter, and is unchanged.
//	Drop     L := nothing, whatever it is; S := nothing; A(n) := nothing, of the areas that the keys are in.
//	DropAll  G := nothing.
//
// A value is Forebay's own while S(k) holds its digest, and both end at the same moment: what a client has written through any Forebay has lost its
// stamp (Drop), and what one has written straight to the store has other bytes or another end.
//
// A store may lose L, S or G at any time: what is being loaded is refused then. Names and tokens are never used twice, so nothing that was lost
// fits again.
type Leaser interface {
	// Acquire asks for keys of database db, in one round trip, and returns a Grant for each, in their order. A life of 0 only looks: nothing is taken. The
	// error wraps ErrStoreDown if the store could not be asked, or not be heard: then leases may have been taken that nobody holds; they end by themselves.
	Acquire(ctx context.Context, db int, life time.Duration, asks []Ask) ([]Grant, error)
	// Settle ends, or keeps, what Acquire has granted, in one round trip. fits tells for each entry whether it did: if not, what was loaded is nobody's. errs holds
	// why the store did not take a value (OOM, say): with fits true it may be handed out all the same. After an error that wraps ErrStoreDown nothing is
	// known of any. The entries' slices are borrowed until it returns.
	Settle(ctx context.Context, db int, entries []Entry) (fits []bool, errs []error, err error)
	// Enter returns what an Area is Since now, for keys that are not known before they are loaded: whoever stores them says with Area that none of their area has
	// been dropped since.
	Enter(ctx context.Context, db int, area string) (Lease, error)
	// Drop takes the leases and markers of keys away, and the areas that they are in, before a client's write of them is forwarded. Without an error it is done.
	// An error that wraps a [RefusedError] says that it is not, and may be possible any moment, as the write itself.
	Drop(ctx context.Context, db int, keys [][]byte, areas []string) error
	// DropAll does that for every key of some databases, in one step each.
	DropAll(ctx context.Context, dbs []int) error
}

// RefusedError is what a store answers to every write for a time: it is a replica, say, or a script of somebody's runs too long.
type RefusedError struct{ Reply string } // in the store's own words

func (e *RefusedError) Error() string { return e.Reply }

// Shape says what an Ask takes for the value.
type Shape uint8

// The shapes.
const (
	AsString Shape = iota // a string
	AsHash                // a hash, as AppendField makes it
	AsAny                 // whether there is anything; no value is wanted
)

// Ask is one key that is asked for.
type Ask struct {
	Key []byte
	As  Shape
	// Refresh takes the lease though the value is there: to load it ahead of its end.
	Refresh bool
	// Age asks for Grant.Own and Grant.TTL of a value that is there. Refresh then concerns only a value that is Forebay's own and has at most Due
	// left; of any other the grant is Present. Milliseconds.
	Age bool
	Due time.Duration
}

// GrantState is what Acquire says of a key.
type GrantState uint8

// The states.
const (
	Free    GrantState = iota // nobody loads it; only if nothing was to be taken
	Present                   // the value is there
	Absent                    // it was found lately that the source has no such row
	Taken                     // the caller loads it: Grant.Lease
	Busy                      // another does: Grant.Left
)

// Grant is the answer to an Ask.
type Grant struct {
	State GrantState
	// Value is Present's (or Taken's, with Ask.Refresh), and the caller's. It is nil where the value is large (a string over MaxInline, or a hash of over 512
	// fields): ask Get or GetHashes for it.
	Value []byte
	Lease Lease
	Left  time.Duration // until the other's lease ends, if it is not kept
	// Of an Ask with Age: whether there is a value, and Forebay has stored it and nobody has written it since; and how long it has left, whoever's it
	// is: negative where it does not end, or there is none.
	Own bool
	TTL time.Duration
	Err error // what the store says of this key: it is of another type
}

// MaxInline is the most bytes of a string that comes with a Grant, and that goes to Redis by way of a script. Larger ones are stored beside, and renamed.
const MaxInline = 256 << 10

// Lease is the right to load a key. The zero Lease is none.
type Lease struct{ Generation, Token string }

// Held tells a lease from none.
func (l Lease) Held() bool { return l.Token != "" }

// Area is some keys of a database, which are told by a name, as long as no client has written any of them. The zero Area is none.
type Area struct {
	Name  string
	Since Lease // as Enter gave it
}

// Ending is what Settle does with a lease.
type Ending uint8

// The endings: see [Leaser].
const (
	StoreValue Ending = iota
	MarkAbsent
	CheckOnly
	GiveUp
	KeepOn
	RefreshValue
)

// Entry is the end of one load.
type Entry struct {
	Key   []byte
	Lease Lease // may be none if there is an Area and a value is to be stored
	Area  Area
	Do    Ending

	Value []byte        // to be stored
	Hash  bool          // Value is a hash, as AppendField makes it
	TTL   time.Duration // above zero where a value is stored; else see [Leaser]; millisecond precision
	// Seen is, for RefreshValue, what is to be replaced, a hash if Hash is set; nil for nothing. It is compared by its SHA-1: a string over MaxInline by its size
	// and beginning, a hash of over 512 fields by their number. With Stamp, MarkAbsent and CheckOnly may have it too.
	Seen []byte
	// Stamp stamps the value that is stored, so that it is known as Forebay's own (Grant.Own, Slider). All entries of a key whose values are stamped have it.
	Stamp bool
	// Track remembers that Forebay filled the key with this value, so that it can be given back later (see [Sessions]);
	// without it, that the key is nobody's to give back, but what is refreshed stays what it was.
	Track bool
}
