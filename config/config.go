package config

import "time"

// Config is the whole configuration. It is plain data: once loaded nothing here changes it, and it may be read from any
// goroutine. The zero Config is not valid; begin with [Default].
type Config struct {
	Listen     Listen
	HTTP       HTTP
	Redis      Redis
	Source     Source
	Events     Events
	Near       Near
	Admission  Admission
	Loads      Loads
	Defaults   Defaults
	Budget     time.Duration // the most that one request may take, its load included; above zero
	Sessions   Sessions
	Invalidate Invalidate
	Log        Log
	Shutdown   Shutdown
	Routes     []Route // in file order: the first that matches a key serves it

	// Warnings are lines for an operator about what was ignored; they never stop a start.
	Warnings []string

	origins map[string]origin // by field path; absent: the default
}

// Listen is the RESP front.
type Listen struct {
	Address string // host:port; an empty host is every interface, port 0 any free one
	TLS     ServerTLS
	Limits  Limits
}

// Limits bound what clients may use. All are above zero.
type Limits struct {
	Clients      int           // connections at once
	RequestBytes int64         // bytes of one request frame
	Arguments    int           // arguments of one command, its name included
	Pipeline     int           // commands outstanding a client
	ReplyBytes   int64         // unsent bytes of one client's replies before its commands wait
	InputBytes   int64         // bytes of requests held in memory for one client
	WriteTimeout time.Duration // a client that takes nothing for this long is closed
	TotalBytes   int64         // bytes of requests and replies held for all clients together
}

// HTTP is the port of the dashboard, the live stream, values and metrics.
type HTTP struct {
	Address string   // host:port, as Listen.Address
	Auth    string   // AuthNone or AuthRedis
	Hosts   []string // names allowed in Host beside loopback and the listen address; without port
}

// The values of [HTTP].Auth.
const (
	AuthNone  = "none"  // everyone; refused off loopback
	AuthRedis = "redis" // a Redis user and password, by HTTP basic authentication
)

// Redis is the cache.
type Redis struct {
	Address       string // host:port, unix:///path, or Embedded
	Username      string // "" is Redis's default user
	Password      Secret
	PasswordFile  string
	TLS           ClientTLS
	Notifications string        // NotificationsManage, NotificationsRequire or NotificationsOff
	Timeout       time.Duration // of one exchange of Forebay's own with Redis; above zero
}

// Embedded is the [Redis].Address that asks for a private Redis.
const Embedded = "embedded"

// The values of [Redis].Notifications.
const (
	NotificationsManage  = "manage"  // add the flags that are missing
	NotificationsRequire = "require" // refuse to start without them
	NotificationsOff     = "off"     // no eviction events
)

// Source is where missing values come from: Cassandra or the bundled digits, never both.
type Source struct {
	Cassandra Cassandra
	Embedded  bool // the bundled digits; Load sets it when no Cassandra host is given, and clears it when one is
}

// Cassandra is the source of rows. It is used if Hosts is not empty.
type Cassandra struct {
	Hosts        []string // host:port, the first contacts; the rest of the cluster is learnt
	Keyspace     string   // of tables named without one
	Consistency  string   // of every read, in upper case
	LocalDC      string   // "" takes the first contact's
	Username     string
	Password     Secret
	PasswordFile string
	TLS          ClientTLS
	Timeout      time.Duration // of one query; above zero and below 5 s
	// SpeculateAfter is the time after which a query that was not answered is asked of a second replica too; 0: never
	SpeculateAfter time.Duration
}

// Events says where events go.
type Events struct {
	Kafka       Kafka
	Hits        string // HitsAll or HitsSummary
	File        string // path of a file of JSON lines; "" for none
	BufferBytes int64  // events held in memory while Kafka is slow or down
	Recent      int    // events kept so that a live stream can resume; 0 for none
}

// The values of [Events].Hits.
const (
	HitsAll     = "all"     // one event a hit
	HitsSummary = "summary" // one event a second, route and session
)

// Kafka is the topic of events. It is used if Brokers is not empty.
type Kafka struct {
	Brokers      []string // host:port
	Topic        string
	Partitions   int           // of a topic that Forebay creates
	Retention    time.Duration // of a topic that Forebay creates
	Replication  int           // of a topic that Forebay creates
	Username     string
	Password     Secret
	PasswordFile string
	TLS          ClientTLS
}

// Invalidate says where changes of the source are told.
type Invalidate struct {
	Kafka Changes
}

// Changes is the topic of changed keys. It is read if Brokers is not empty.
type Changes struct {
	Brokers      []string // host:port
	Topic        string
	Username     string
	Password     Secret
	PasswordFile string
	TLS          ClientTLS
}

// Near is the copy of routed values in Forebay's own memory.
type Near struct {
	MaxBytes int64 // 0 turns it off
}

// Admission says which loaded values Redis is given.
type Admission struct {
	Policy   string  // AdmitAll or AdmitStable
	High     float64 // AdmitStable: the share of Redis's memory at which it is given no more
	MaxBytes int64   // of Redis's memory, instead of its maxmemory if that is more or not set; 0: none
}

// The values of [Admission].Policy.
const (
	AdmitAll    = "all"    // all; Redis evicts for them
	AdmitStable = "stable" // those that fit, so that what is there stays
)

// Loads bounds what is asked of the source.
type Loads struct {
	Limit   int           // queries under way at once, the most
	Least   int           // the least to which that goes down while queries take longer and longer
	Retries float64       // the share of queries that may be asked once more
	Breaker float64       // the share of failed queries at which the source is asked no more; 0: none
	Pause   time.Duration // from then until a query tries it again
}

// Defaults are what a route does not say itself.
type Defaults struct {
	TTL       time.Duration // above zero, at most MaxTTL
	Jitter    float64       // 0 to 0.5: the part of a TTL by which it is shortened at random
	AbsentTTL time.Duration // how long an absent row is remembered; 0 does not remember it
}

// MaxTTL is the longest TTL that a value may be given.
const MaxTTL = 30 * 24 * time.Hour

// Sessions are the training runs whose keys are counted together.
type Sessions struct {
	Grace time.Duration // from a session's last connection closed to its end
}

// Log is Forebay's own log.
type Log struct {
	Level  string // "debug", "info", "warn" or "error"
	Format string // LogText or LogJSON
}

// The values of [Log].Format.
const (
	LogText = "text"
	LogJSON = "json"
)

// Shutdown is the way down.
type Shutdown struct {
	Grace time.Duration // for clients and events to finish
}

// Default returns the configuration of a Forebay that was told nothing: the embedded Redis, the bundled digits, both
// ports on loopback.
func Default() *Config {
	return &Config{
		Listen: Listen{
			Address: "127.0.0.1:6380",
			Limits: Limits{
				Clients:      10_000,
				RequestBytes: 512 << 20,
				Arguments:    1 << 20,
				Pipeline:     1024,
				ReplyBytes:   1 << 20,
				InputBytes:   64 << 20,
				WriteTimeout: time.Minute,
				TotalBytes:   1 << 30,
			},
		},
		HTTP:  HTTP{Address: "127.0.0.1:8380", Auth: AuthNone},
		Redis: Redis{Address: Embedded, Notifications: NotificationsManage, Timeout: time.Second},
		Source: Source{
			Cassandra: Cassandra{Consistency: "LOCAL_ONE", Timeout: 2 * time.Second},
			Embedded:  true,
		},
		Events: Events{
			Kafka: Kafka{
				Topic: "forebay.events", Partitions: 8, Retention: 168 * time.Hour, Replication: 1,
			},
			Hits:        HitsAll,
			BufferBytes: 64 << 20,
			Recent:      10_000,
		},
		Admission:  Admission{Policy: AdmitAll, High: 0.9},
		Loads:      Loads{Limit: 64, Least: 8, Retries: 0.1, Breaker: 0.5, Pause: time.Second},
		Near:       Near{MaxBytes: 256 << 20},
		Defaults:   Defaults{TTL: time.Hour, Jitter: 0.1, AbsentTTL: 5 * time.Second},
		Budget:     3 * time.Second,
		Sessions:   Sessions{Grace: 10 * time.Minute},
		Invalidate: Invalidate{Kafka: Changes{Topic: "forebay.invalidate"}},
		Log:        Log{Level: "info", Format: LogText},
		Shutdown:   Shutdown{Grace: 10 * time.Second},
	}
}
