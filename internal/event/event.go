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

// Result says how a miss ended.
type Result uint8

// The results, as they are written in the "result" field. None is absent.
const (
	NoResult Result = iota
	Loaded
	Absent
	Failed // written "error"
	Unrouted
)

// Reason says why a key left the cache.
type Reason uint8

// The reasons, as they are written in the "reason" field.
const (
	NoReason Reason = iota
	Expired
	Evicted
	Deleted
)

// Event is one thing that happened to one key (or to none). Fields that mean nothing for the kind are zero and are not written.
type Event struct {
	Kind     Kind
	Origin   Origin
	Result   Result
	Reason   Reason
	DB       int
	Key      []byte        // borrowed: copied by Record before it returns
	Route    string        // the route's name, "" if unrouted
	Session  string        // set by a Recorder to its own session's; set by hand for events recorded on the Pipeline
	Bytes    int64         // size of the value (hit, miss loaded, fill, load: all its rows)
	Duration time.Duration // from the command's arrival to its reply, or of the query
	Rows     int           // load
	Count    int64         // gap: how many events; summary: how many reads
	Error    string        // miss error, error: one line
	By       string        // who caused it, where that is known
	Time     time.Time     // zero: when it is recorded
}
