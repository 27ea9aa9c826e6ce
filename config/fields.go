package config

import (
	"strings"
	"time"
)

// field is one row of the table of fields.
type field struct {
	path string // "redis.address"
	doc  string // what it does and in which unit; the bound and the default are added from val
	val  value
}

// env is the name of the field's environment variable.
func (f field) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.path, ".", "_"))
}

// section describes a group of fields.
type section struct{ path, doc string }

// sections lists every section, outer before inner.
func sections() []section {
	tls := " Off unless enabled."
	return []section{
		{"listen", "The RESP front: what trainers connect to."},
		{"listen.tls", "TLS for clients. On when both files are given."},
		{"listen.limits", "Bounds on what clients may use."},
		{"http", "The dashboard, the live stream (SSE), values by HTTP, metrics and health."},
		{"redis", "The cache."},
		{"redis.tls", "TLS towards Redis." + tls},
		{"source", "Where missing values come from: Cassandra, or the bundled digits."},
		{"source.cassandra", "Cassandra is read, never written. It is the source once hosts are given."},
		{"source.cassandra.tls", "TLS towards Cassandra." + tls},
		{"events", "Hits, misses, loads, fills and evictions."},
		{"events.kafka", "The topic of events. Off without brokers."},
		{"events.kafka.tls", "TLS towards Kafka." + tls},
		{"near", "A copy of routed values in Forebay's own memory, kept right by Redis's client tracking."},
		{"admission", "Which loaded values are stored in Redis. Objects, and what a script or a transaction needs there, always are."},
		{"loads", "What may be asked of the source."},
		{"defaults", "What a route does not say itself."},
		{"sessions", "Training runs whose keys are counted together."},
		{"invalidate", "Where changes of the source are told, so that cached values of it are dropped."},
		{"invalidate.kafka", "The topic of changed keys. Every Forebay reads all of it. Off without brokers."},
		{"invalidate.kafka.tls", "TLS towards Kafka." + tls},
		{"log", "Forebay's own log, on standard error."},
		{"shutdown", "The way down, after SIGTERM or SIGINT."},
	}
}

// fields is the table: every field but the routes, bound to c, in the order in which they are shown.
func (c *Config) fields() []field {
	var all []field
	for _, part := range [][]field{
		c.listenFields(), c.httpFields(), c.redisFields(), c.sourceFields(), c.eventFields(), c.invalidateFields(), c.otherFields(),
	} {
		all = append(all, part...)
	}
	return all
}

func (c *Config) listenFields() []field {
	l, m := &c.Listen, &c.Listen.Limits
	return []field{
		{"listen.address", "Address of the RESP port.", text{&l.Address, wantListen, listenAddress}},
		{"listen.tls.cert_file", "Certificate chain, PEM.", text{&l.TLS.CertFile, "", printable}},
		{"listen.tls.key_file", "Private key, PEM.", text{&l.TLS.KeyFile, "", printable}},
		{"listen.limits.clients", "Connections at once; one more is refused.", whole{&m.Clients, 1, 1_000_000}},
		{"listen.limits.request_bytes", "Bytes of one argument of a command; a larger one is a protocol error.", size{&m.RequestBytes, 1 << 10, 4 << 30, false}},
		{"listen.limits.arguments", "Arguments of one command, its name included.", whole{&m.Arguments, 16, 16 << 20}},
		{"listen.limits.pipeline", "Commands of one client that may be outstanding; further ones wait unread.", whole{&m.Pipeline, 1, 1_000_000}},
		{"listen.limits.reply_bytes", "Bytes of one client's unsent replies before its commands wait.", size{&m.ReplyBytes, 1 << 10, 1 << 30, false}},
		{"listen.limits.input_bytes", "Bytes of one client's requests held in memory before it is read no further.", size{&m.InputBytes, 1 << 10, 4 << 30, false}},
		{"listen.limits.total_bytes", "Bytes of all clients' requests and replies held in memory; above it the client that holds the most is closed.", size{&m.TotalBytes, 1 << 20, 1 << 40, false}},
		{"listen.limits.write_timeout", "A client that takes no byte of a waiting reply for this long is closed.", span{&m.WriteTimeout, 10 * time.Millisecond, time.Hour, false}},
	}
}

func (c *Config) httpFields() []field {
	h := &c.HTTP
	return []field{
		{"http.address", "Address of the HTTP port.", text{&h.Address, wantListen, listenAddress}},
		{"http.auth", "Who may read data and events and write: everyone (none; refused unless the address is loopback), or Redis users by basic authentication (redis).", choice{&h.Auth, []string{AuthNone, AuthRedis}}},
		{"http.hosts", "Names allowed in the Host header beside loopback and the address itself, as [forebay.example.com].", list{&h.Hosts, wantHost, hostName}},
	}
}

func (c *Config) redisFields() []field {
	r := &c.Redis
	all := []field{
		{"redis.address", "Address of Redis. embedded runs a private redis-server from PATH on a Unix socket, or a built-in stand-in where there is none.", text{&r.Address, wantRedis, redisAddress}},
		{"redis.username", "Forebay's own user; empty is the default user. Clients' commands run as the clients' users.", text{&r.Username, "", printable}},
		{"redis.password", "Its password.", secret{&r.Password}},
		{"redis.password_file", "File that holds the password; instead of password.", text{&r.PasswordFile, "", printable}},
	}
	all = append(all, r.TLS.fields("redis.tls")...)
	return append(all,
		field{"redis.notifications", "Keyspace notifications, from which evictions are learnt: add the missing flags (manage), refuse to start without them (require), or do without eviction events (off).", choice{&r.Notifications, []string{NotificationsManage, NotificationsRequire, NotificationsOff}}},
		field{"redis.timeout", "Time of one exchange of Forebay's own with Redis.", span{&r.Timeout, time.Millisecond, 5 * time.Second, false}},
	)
}

func (c *Config) sourceFields() []field {
	s := &c.Source.Cassandra
	all := []field{
		{"source.cassandra.hosts", "First contacts, as [\"cassandra-1:9042\", \"cassandra-2:9042\"]; the others are learnt.", list{&s.Hosts, wantDial, dialAddress}},
		{"source.cassandra.keyspace", "Keyspace of tables that are named without one.", text{&s.Keyspace, wantIdent, identifier}},
		{"source.cassandra.consistency", "Consistency of reads. LOCAL_ONE is for data that does not change; with updates use LOCAL_QUORUM on both sides.", choice{&s.Consistency, []string{"LOCAL_ONE", "ONE", "TWO", "THREE", "LOCAL_QUORUM", "QUORUM", "ALL"}}},
		{"source.cassandra.local_dc", "Data centre whose hosts are asked; empty is the first contact's.", text{&s.LocalDC, "", printable}},
		{"source.cassandra.username", "User, with password.", text{&s.Username, "", printable}},
		{"source.cassandra.password", "Its password.", secret{&s.Password}},
		{"source.cassandra.password_file", "File that holds the password; instead of password.", text{&s.PasswordFile, "", printable}},
	}
	all = append(all, s.TLS.fields("source.cassandra.tls")...)
	return append(all,
		field{"source.cassandra.timeout", "Time of one query. Clients give up at 5 s, and a load that outlives them is repeated by each retry.", span{&s.Timeout, time.Millisecond, 4999 * time.Millisecond, false}},
		field{"source.cassandra.speculate_after", "After this time without an answer a query is asked of a second replica too, which costs reads. 0 never does.", span{&s.SpeculateAfter, time.Millisecond, 4999 * time.Millisecond, true}},
		field{"source.embedded", "Serve the bundled handwritten digits. True unless Cassandra hosts are given.", truth{&c.Source.Embedded}},
	)
}

func (c *Config) eventFields() []field {
	e, k := &c.Events, &c.Events.Kafka
	all := []field{
		{"events.kafka.brokers", "First contacts, as [\"kafka-1:9092\"].", list{&k.Brokers, wantDial, dialAddress}},
		{"events.kafka.topic", "Topic. It is created if absent.", text{&k.Topic, wantTopic, topicName}},
		{"events.kafka.partitions", "Partitions of the topic when it is created.", whole{&k.Partitions, 1, 10_000}},
		{"events.kafka.retention", "How long the topic keeps events, when it is created.", span{&k.Retention, time.Minute, 3650 * day, false}},
		{"events.kafka.replication", "Copies of each partition when the topic is created.", whole{&k.Replication, 1, 16}},
		{"events.kafka.username", "User, with password.", text{&k.Username, "", printable}},
		{"events.kafka.password", "Its password.", secret{&k.Password}},
		{"events.kafka.password_file", "File that holds the password; instead of password.", text{&k.PasswordFile, "", printable}},
	}
	all = append(all, k.TLS.fields("events.kafka.tls")...)
	return append(all,
		field{"events.hits", "One event a hit (all), or one a second, route and session with the count (summary).", choice{&e.Hits, []string{HitsAll, HitsSummary}}},
		field{"events.file", "Path of a file that events are appended to, one JSON object a line; empty for none.", text{&e.File, "", printable}},
		field{"events.buffer_bytes", "Bytes of events held in memory while Kafka is slow or down; what does not fit is counted in a gap event.", size{&e.BufferBytes, 1 << 20, 64 << 30, false}},
		field{"events.recent", "Events kept so that a live stream that reconnects can resume.", whole{&e.Recent, 0, 1_000_000}},
	)
}

func (c *Config) invalidateFields() []field {
	k := &c.Invalidate.Kafka
	return append([]field{
		{"invalidate.kafka.brokers", "First contacts, as [\"kafka-1:9092\"].", list{&k.Brokers, wantDial, dialAddress}},
		{"invalidate.kafka.topic", "Topic. Each line of a record is a key, or {\"key\": …, \"db\": …}, or {\"route\": …, \"values\": {…}}. It is not created.", text{&k.Topic, wantTopic, topicName}},
		{"invalidate.kafka.username", "User, with password.", text{&k.Username, "", printable}},
		{"invalidate.kafka.password", "Its password.", secret{&k.Password}},
		{"invalidate.kafka.password_file", "File that holds the password; instead of password.", text{&k.PasswordFile, "", printable}},
	}, k.TLS.fields("invalidate.kafka.tls")...)
}

func (c *Config) otherFields() []field {
	d, l := &c.Defaults, &c.Loads
	return []field{
		{"near.max_bytes", "Bytes held, keys and upkeep included. 0 turns it off.", size{&c.Near.MaxBytes, 1 << 20, 1 << 40, true}},
		{"admission.policy", "All that is loaded, for which Redis evicts other keys (all), or while there is room (stable): data that is read over and over and does not fit hits as much as fits, and not next to nothing.", choice{&c.Admission.Policy, []string{AdmitAll, AdmitStable}}},
		{"admission.high", "With stable: the share of Redis's memory in use at which nothing more is stored, until a hundredth is free again.", share{&c.Admission.High, 0.1, 1}},
		{"admission.max_bytes", "With stable: Redis's memory, where it has no maxmemory or a higher one. 0 is maxmemory.", size{&c.Admission.MaxBytes, 1 << 20, 1 << 46, true}},
		{"loads.limit", "Queries under way at once, the most; further ones wait, within their requests' budgets, and one that would wait for longer is refused.", whole{&l.Limit, 1, 1024}},
		{"loads.least", "The least to which that number goes down by itself while queries take longer and longer. As much as limit: it does not change.", whole{&l.Least, 1, 1024}},
		{"loads.breaker", "The share of failed queries, of at least 20 in 10s, at which the source is asked no more for a pause; 20 failures in a row are enough, too. 0% is none.", share{&l.Breaker, 0, 1}},
		{"loads.pause", "How long that is, more or less a fifth; then one query tries whether the source answers.", span{&l.Pause, 10 * time.Millisecond, time.Minute, false}},
		{"loads.retries", "The share of queries that may be asked once more, on another node, after an error of one.", share{&l.Retries, 0, 1}},
		{"defaults.ttl", "How long a filled value lives in Redis.", span{&d.TTL, time.Millisecond, MaxTTL, false}},
		{"defaults.jitter", "Part of the TTL by which each value's is shortened at random, so that values filled together do not expire together.", share{&d.Jitter, 0, 0.5}},
		{"defaults.absent_ttl", "How long a row that does not exist is remembered, so that it is not asked for again. A client's write of the key ends that.", span{&d.AbsentTTL, time.Millisecond, time.Hour, true}},
		{"budget", "The most that one request may take, its load included. Keep it below your clients' socket timeout (redis-py 8: 5 s).", span{&c.Budget, 10 * time.Millisecond, time.Minute, false}},
		{"sessions.grace", "From a session's last connection closed to its end, at least 3s; data loaders reconnect between epochs. Then what was filled for it, and no other session uses, is removed.", span{&c.Sessions.Grace, time.Second, day, true}},
		{"log.level", "The least severe level that is written.", choice{&c.Log.Level, []string{"debug", "info", "warn", "error"}}},
		{"log.format", "Lines for people (text) or for machines (json).", choice{&c.Log.Format, []string{LogText, LogJSON}}},
		{"shutdown.grace", "Time for clients to finish and events to be delivered.", span{&c.Shutdown.Grace, 10 * time.Millisecond, 10 * time.Minute, true}},
	}
}

// fields lists a client's TLS fields below path.
func (t *ClientTLS) fields(path string) []field {
	return []field{
		{path + ".enabled", "Use TLS.", truth{&t.Enabled}},
		{path + ".ca_file", "Certificates trusted to sign the server's, PEM; empty is the system's.", text{&t.CAFile, "", printable}},
		{path + ".cert_file", "Forebay's own certificate, PEM; with key_file.", text{&t.CertFile, "", printable}},
		{path + ".key_file", "Its private key, PEM.", text{&t.KeyFile, "", printable}},
		{path + ".server_name", "Name expected in the server's certificate; empty is the address's host.", text{&t.ServerName, "", printable}},
		{path + ".insecure_skip_verify", "Accept any certificate. For tests only.", truth{&t.InsecureSkipVerify}},
	}
}
