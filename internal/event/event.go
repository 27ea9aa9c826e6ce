package event

import "time"

// Kind says what happened. The zero Kind is not an event.
type Kind uint8

// The kinds of events, as they are written in the "kind" field.
const (
	Hit Kind = iota + 1
	Miss
	Load
	Fill
	Evict
	Invalid
	Error
	Gap
	Session
	Log
	Checkpoint
	End
	kinds // one past the last
)

// Origin says where a value came from.
type Origin uint8

// The origins, as they are written in the "origin" field. None is absent.
const (
	NoOrigin Origin = iota
	FromNear
	FromRedis
	FromSource
)

// Result says how a miss ended, or what is particular about a hit.
type Result uint8

// The results, as they are written in the "result" field. None is absent.
const (
	NoResult Result = iota
	Loaded
	Absent
	Failed // written "error"
	Unrouted
	Stale // of a hit: its value is too old, and was served for the time being; Event.Error says why, if it could not be loaded anew
)

// Reason says why a key left the cache, what a gap concerns, or what is wrong with a value.
type Reason uint8

// The reasons, as they are written in the "reason" field.
const (
	NoReason Reason = iota
	Expired
	Evicted
	Deleted
	Dropped // of a gap: the seqs it stands for (see the package comment); never recorded from outside
	Opened  // of a session: its first connection
	Idle    // of a session: it ended since nobody was connected for the grace
	Ended   // of a session: it ended by command
	// Of a value that breaks its route's rules, which one: its length, its format, the checksum of its row, the pickle policy.
	BadLength
	BadFormat
	BadChecksum
	BadPickle
)

// Event is one thing that happened to one key (or to none). Fields that mean nothing for the kind are zero and are not written.
type Event struct {
	Kind     Kind
	Origin   Origin
	Result   Result
	Reason   Reason
	DB       int
	Key      []byte        // borrowed: copied by Record before it returns; over MaxKey its tail is cut
	Route    string        // the route's name, "" if unrouted
	Session  string        // set by a Recorder to its own session's; set by hand for events recorded on the Pipeline
	Bytes    int64         // size of the value (hit, miss loaded, fill, invalid, load: all its rows)
	Duration time.Duration // from the command's arrival to its reply, or of the query
	Rows     int           // load
	Count    int64         // gap: how many events; summary: how many reads
	Error    string        // miss error, error, invalid, hit stale: one line; over MaxError its tail is cut
	By       string        // who caused it, where that is known
	Text     string        // log: the message; over MaxText its tail is cut
	Time     time.Time     // zero: when it is recorded
}

// What a record holds of the fields that a client chooses, in bytes.
const (
	MaxKey   = 4096
	MaxText  = 4096
	MaxError = 512
	MaxName  = 256 // route, session, by
)

// String returns the kind as it is written, "" for what is none.
func (k Kind) String() string {
	switch k {
	case Hit:
		return "hit"
	case Miss:
		return "miss"
	case Load:
		return "load"
	case Fill:
		return "fill"
	case Evict:
		return "evict"
	case Invalid:
		return "invalid"
	case Error:
		return "error"
	case Gap:
		return "gap"
	case Session:
		return "session"
	case Log:
		return "log"
	case Checkpoint:
		return "checkpoint"
	case End:
		return "end"
	default:
		return ""
	}
}

// Kinds returns every kind, in the order of their constants.
func Kinds() []Kind {
	all := make([]Kind, 0, kinds-1)
	for k := Hit; k < kinds; k++ {
		all = append(all, k)
	}
	return all
}

// ParseKind returns the kind written s, or false.
func ParseKind(s string) (Kind, bool) {
	for k := Hit; k < kinds; k++ {
		if k.String() == s {
			return k, true
		}
	}
	return 0, false
}

// String returns the origin as it is written, "" for none.
func (o Origin) String() string {
	switch o {
	case FromNear:
		return "near"
	case FromRedis:
		return "redis"
	case FromSource:
		return "source"
	default:
		return ""
	}
}

// String returns the result as it is written, "" for none.
func (r Result) String() string {
	switch r {
	case Loaded:
		return "loaded"
	case Absent:
		return "absent"
	case Failed:
		return "error"
	case Unrouted:
		return "unrouted"
	case Stale:
		return "stale"
	default:
		return ""
	}
}

// String returns the reason as it is written, "" for none.
func (r Reason) String() string {
	switch r {
	case Expired:
		return "expired"
	case Evicted:
		return "evicted"
	case Deleted:
		return "deleted"
	case Dropped:
		return "dropped"
	case Opened:
		return "opened"
	case Idle:
		return "idle"
	case Ended:
		return "ended"
	case BadLength:
		return "length"
	case BadFormat:
		return "format"
	case BadChecksum:
		return "checksum"
	case BadPickle:
		return "pickle"
	default:
		return ""
	}
}
