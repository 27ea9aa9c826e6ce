package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"forebay/internal/route"
)

// Route is one route as the file gives it. It has one of four forms: Table and Where with Value, Encode or Hash; CQL; or
// Object.
type Route struct {
	Name   string        // unique; it labels metrics and events
	Key    string        // the pattern
	DB     int           // the Redis database whose keys it serves
	Table  string        // "table" or "keyspace.table"
	Where  []route.Bind  // in file order
	CQL    string        // a whole SELECT
	Value  string        // the column that is the value
	Encode *route.Encode // nil: the column's bytes as stored
	Object *Object       // nil: none
	Hash   []string      // columns that are the fields of a hash
	// Validate is what its values must be; nil: anything.
	Validate *Validate
	TTL      time.Duration // 0 takes Defaults.TTL
	// AbsentTTL is how long an absent row is remembered; where it is not given, Defaults.AbsentTTL.
	AbsentTTL time.Duration
	// Sliding makes each read extend the TTL.
	Sliding bool
	// RefreshAhead is how long before its TTL is over a value that is read is loaded anew, or RefreshAheadPart which part of the TTL that is; at most one of them is
	// above 0.
	RefreshAhead     time.Duration
	RefreshAheadPart float64
	// StaleWhileRevalidate and StaleIfError are for how long after its TTL a value is still served while it is loaded anew, and if it cannot be; 0: not.
	StaleWhileRevalidate, StaleIfError time.Duration
	// AfterUse is AfterUseKeep, "" for the same, or AfterUseExpire: a value is given back to Redis soon after a hit.
	AfterUse string
	// ReadAhead is ReadAheadOff, "" for the same, or ReadAheadPartition: a miss loads the rest of its partition too.
	ReadAhead string
	// ReadAheadBytes is the most bytes of a partition that are read ahead; 0 takes DefaultReadAhead.
	ReadAheadBytes int64
}

// The values of [Route].ReadAhead.
const (
	ReadAheadOff       = "off"
	ReadAheadPartition = "partition"
)

// DefaultReadAhead is the most bytes of a partition that are read ahead, where a route does not say.
const DefaultReadAhead = 8 << 20

// Validate is what a route demands of its values. The zero Validate demands nothing.
type Validate struct {
	MinBytes, MaxBytes int64  // of a value; MaxBytes 0 is no bound
	Format             string // FormatAny, "" for the same, FormatPickle or FormatNPY
	Pickle             string // PickleOff, "" for the same, PickleLog or PickleReject
	Checksum           string // the column with the CRC32C of the value's bytes; "" for none
}

// The values of [Validate].Format and [Validate].Pickle.
const (
	FormatAny    = "any"
	FormatPickle = "pickle"
	FormatNPY    = "npy"
	PickleOff    = "off"
	PickleLog    = "log"
	PickleReject = "reject"
)

// fields is the table of what a route demands, bound to v. Its path is that of validate.
func (v *Validate) fields(path string) []field {
	return []field{
		{path + ".min_bytes", "", size{&v.MinBytes, 0, maxValue, false}},
		{path + ".max_bytes", "", size{&v.MaxBytes, 1, maxValue, true}},
		{path + ".format", "", choice{&v.Format, []string{FormatAny, FormatPickle, FormatNPY}}},
		{path + ".pickle", "", choice{&v.Pickle, []string{PickleOff, PickleLog, PickleReject}}},
		{path + ".checksum", "", text{&v.Checksum, wantColumn, printable}},
	}
}

// maxValue is the most bytes of a value in Redis.
const maxValue = 512 << 20

// The values of [Route].AfterUse.
const (
	AfterUseKeep   = "keep"
	AfterUseExpire = "expire"
)

// AfterUse names the routes whose values are given back after a hit.
func (c *Config) AfterUse() (names []string) {
	for i := range c.Routes {
		if c.Routes[i].AfterUse == AfterUseExpire {
			names = append(names, c.Routes[i].Name)
		}
	}
	return names
}

// Object is one large value in chunk rows. Both are templates over the key's parts.
type Object struct {
	Dataset string
	Name    string
}

const (
	wantName   = "1 to 64 of a-z 0-9 . _ -"
	wantTable  = "table or keyspace.table"
	wantColumn = "a column's name"
	wantKey    = "a pattern, at most 1024 bytes"
	wantCQL    = "one SELECT"

	wantAfterUse  = AfterUseKeep + " or " + AfterUseExpire
	wantReadAhead = ReadAheadPartition + " or " + ReadAheadOff
)

// fields is the table of a route's scalar and list fields, bound to r.
func (r *Route) fields(path string) []field {
	return []field{
		{path + ".name", "Name of the route in metrics and events; unique.", text{&r.Name, wantName, routeName}},
		{path + ".key", "Pattern of the keys it serves. {part} is text up to the next literal, {part:int}, {part:uuid}, {part:hex}, {part:rest} and {part:a|b} are typed; {{x}} is a literal hash tag. The first route in the file that matches wins.", text{&r.Key, wantKey, keyPattern}},
		{path + ".db", "Redis database whose keys it serves. Default 0.", whole{&r.DB, 0, 16383}},
		{path + ".table", "Table that is read, with where.", text{&r.Table, wantTable, tableName}},
		{path + ".cql", "Instead of table: a whole SELECT with :name markers, each bound to the part of that name or to where's.", text{&r.CQL, wantCQL, selectOnly}},
		{path + ".value", "Column that is the value, its bytes as stored.", text{&r.Value, wantColumn, printable}},
		{path + ".hash", "Instead of value: columns that are the fields of a hash.", list{&r.Hash, wantColumn, column}},
		{path + ".ttl", "How long a filled value lives in Redis. Default defaults.ttl. {after: 15m, sliding: true} extends it at each read; " + agesDoc, span{&r.TTL, time.Millisecond, MaxTTL, false}},
		{path + ".absent_ttl", "How long a row that does not exist is remembered. Default defaults.absent_ttl.", span{&r.AbsentTTL, time.Millisecond, time.Hour, true}},
		{path + ".after_use", "What becomes of a value after a hit: keep, the default, or expire, which removes it soon, unless a client has written it. For data that is read once.", text{&r.AfterUse, wantAfterUse, afterUse}},
		{path + ".read_ahead", "What a miss loads beside its row: nothing (off, the default), or the rest of its partition (partition), in one query, for data that is read as a whole. Each part of the key must stand alone in where, so that rows tell their keys.", text{&r.ReadAhead, wantReadAhead, readAhead}},
		{path + ".read_ahead_bytes", "The most bytes of one partition that are read ahead, at most 16,384 rows. Default 8MiB.", size{&r.ReadAheadBytes, 64 << 10, 256 << 20, true}},
	}
}

// Specs returns the routes in file order with the defaults applied.
func (c *Config) Specs() []route.Spec {
	specs := make([]route.Spec, 0, len(c.Routes))
	for i := range c.Routes {
		r := &c.Routes[i]
		s := route.Spec{
			Name: r.Name, Key: r.Key, DB: r.DB,
			Table: r.Table, Where: r.Where, CQL: r.CQL, Value: r.Value, Encode: r.Encode, Hash: r.Hash,
			TTL: c.ttl(r), Jitter: c.Defaults.Jitter, Sliding: r.Sliding, AbsentTTL: c.absentTTL(i),
			RefreshAhead: c.refreshAhead(r), StaleWhileRevalidate: r.StaleWhileRevalidate, StaleIfError: r.StaleIfError,
		}
		if r.Object != nil {
			s.Object = &route.ObjectSpec{Dataset: r.Object.Dataset, Name: r.Object.Name}
		}
		if r.ReadAhead == ReadAheadPartition {
			s.ReadAhead = cmp.Or(r.ReadAheadBytes, DefaultReadAhead)
		}
		if r.Validate != nil {
			v := route.Validate(*r.Validate)
			s.Validate = &v
		}
		specs = append(specs, s)
	}
	return specs
}

// absentTTL is the route's own or the default.
func (c *Config) absentTTL(i int) time.Duration {
	if c.Given(fmt.Sprintf("routes[%d].absent_ttl", i)) {
		return c.Routes[i].AbsentTTL
	}
	return c.Defaults.AbsentTTL
}

// ttl is the route's own TTL or the default.
func (c *Config) ttl(r *Route) time.Duration {
	if r.TTL == 0 {
		return c.Defaults.TTL
	}
	return r.TTL
}

func routeName(s string) error {
	if s == "" || len(s) > 64 || !only(s, "._-") || strings.ToLower(s) != s {
		return errors.New("want " + wantName)
	}
	return nil
}

func afterUse(s string) error {
	if s != "" && s != AfterUseKeep && s != AfterUseExpire {
		return errors.New("want " + wantAfterUse)
	}
	return nil
}

func readAhead(s string) error {
	if s != "" && s != ReadAheadOff && s != ReadAheadPartition {
		return errors.New("want " + wantReadAhead)
	}
	return nil
}

// keyPattern bounds the pattern; its grammar is checked by whoever compiles it.
func keyPattern(s string) error {
	if s == "" || len(s) > 1024 || printable(s) != nil {
		return errors.New("want " + wantKey)
	}
	return nil
}

func tableName(s string) error {
	if s == "" {
		return nil
	}
	keyspace, table, qualified := strings.Cut(s, ".")
	if !qualified {
		keyspace, table = "", s
	}
	if table == "" || (qualified && keyspace == "") || identifier(keyspace) != nil || identifier(table) != nil {
		return errors.New("want " + wantTable)
	}
	return nil
}

func column(s string) error {
	if s == "" || printable(s) != nil {
		return errors.New("want " + wantColumn)
	}
	return nil
}

// selectOnly refuses anything that could write: Forebay never does.
func selectOnly(s string) error {
	if s == "" {
		return nil
	}
	verb := strings.Fields(s + " ")
	if len(verb) < 2 || !strings.EqualFold(verb[0], "select") {
		return errors.New("want " + wantCQL + ": Forebay never writes to the source")
	}
	return nil
}
