package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/internal/metric"
)

// What [Values.Read] returns where there is no value, beside the causes that package backend names.
var (
	// ErrAbsent means that the key is routed and its row does not exist.
	ErrAbsent = errors.New("absent")
	// ErrUnrouted means that the key is not in the cache and no route matches it.
	ErrUnrouted = errors.New("unrouted")
	// ErrForbidden means that the user, see [User], may not read the key.
	ErrForbidden = errors.New("forbidden")
	// ErrWrongType means that the key holds another type than is read for it: a string, or the hash of its route.
	ErrWrongType = errors.New("wrong type")
)

// What [Events.Subscribe] returns for what it cannot do.
var (
	// ErrNoFleet means that there is no fleet-wide stream.
	ErrNoFleet = errors.New("no fleet-wide stream")
	// ErrLastID means that lastID is not an ID that this stream could have sent.
	ErrLastID = errors.New("not an event id")
)

// Value is what a key holds.
type Value struct {
	Bytes []byte // of the string, or the fields in the form that [backend.AppendField] makes
	Hash  bool
}

// Values reads a value as a GET would, or an HGETALL where the key's route gives hashes, loading it on a miss. It is called concurrently. Web does not
// change the value and keeps it only until the answer is written. The context carries the deadline and the [User].
type Values interface {
	Read(ctx context.Context, db int, key []byte) (Value, error)
}

// Events opens live streams. It is called concurrently.
type Events interface {
	// Subscribe opens a stream of the events that f lets pass. lastID is the ID of the last item its consumer has, "" for none: the
	// stream begins after it, or with a gap event if that is not possible any more.
	Subscribe(f Filter, lastID string) (Subscription, error)
}

// Subscription is one consumer's stream. Its queue is bounded: what a slow consumer could not take is replaced by a gap event with
// its count. It is used by one goroutine.
type Subscription interface {
	// Next waits for items, which are valid until the next call. When ctx ends first it returns ctx's error and loses nothing. io.EOF
	// means that nothing will follow.
	Next(ctx context.Context) ([]Item, error)
	// Close ends the subscription. It may be called once, after Next returned.
	Close()
}

// Item is one event as it is sent. Line is one line of JSON, with or without its line break.
type Item struct {
	ID   string // opaque, without line breaks: what Last-Event-ID brings back; "" for one to which no stream can return
	Line []byte
}

// Check is one thing that health depends on.
type Check struct {
	Name     string                      // "redis", "cassandra", "kafka"
	Probe    func(context.Context) error // nil: works; obeys its context; the error's text is shown
	Required bool                        // whether Forebay is not ready without it
}

// RouteInfo describes one route to people, in the words of its configuration.
type RouteInfo struct {
	Name  string `json:"name"`
	Key   string `json:"key"` // the pattern
	DB    int    `json:"db"`
	Table string `json:"table,omitempty"`
	Query string `json:"query,omitempty"` // as it is sent to the source; none of objects, which take several
	Value string `json:"value"`           // what a key gives: "column data", "pickle", "npy", "hash", "object mnist/train-images"
	TTL   string `json:"ttl"`
}

// Auth says who may see data, events and statistics.
type Auth string

// The kinds of authentication.
const (
	// AuthNone lets everybody in who comes over loopback. Off loopback data and events are refused.
	AuthNone Auth = "none"
	// AuthRedis asks for the name and password of a Redis user, by HTTP Basic; an empty name is "default".
	AuthRedis Auth = "redis"
)

// Options says what a [Server] serves. A nil part answers 404.
type Options struct {
	Auth         Auth                                               // "" is AuthNone
	Authenticate func(ctx context.Context, user, pass string) error // required for AuthRedis; nil error: let in
	Hosts        []string                                           // further names in Host headers, without ports

	Values   Values
	Events   Events
	Sessions Sessions
	Checks   []Check
	Routes   func() []RouteInfo
	Stats    func() metric.Snapshot
	History  func() []metric.Series
	Gatherer prometheus.Gatherer

	ReadTimeout time.Duration // for one value; 0: 3 s
	Heartbeat   time.Duration // between comments on an idle stream; 0: 15 s
	MaxStreams  int           // open streams; 0: 64
	Log         *slog.Logger  // nil: none
}

// complete fills in what is left zero and says what is wrong.
func (o *Options) complete() error {
	switch o.Auth {
	case "":
		o.Auth = AuthNone
	case AuthNone:
	case AuthRedis:
		if o.Authenticate == nil {
			return errors.New("serve http: auth is redis but nothing can check a password")
		}
	default:
		return fmt.Errorf("serve http: auth is %q, not none or redis", o.Auth)
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = 3 * time.Second
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.MaxStreams <= 0 {
		o.MaxStreams = 64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
