package config

import (
	"net"
	"strconv"
)

// Validate reports everything that is wrong with c as one [*Error], or nil. [Load] has called it already; a Config made in
// code from [Default] sets Source.Embedded to false where it gives Cassandra hosts.
func (c *Config) Validate() error {
	var ps problems
	c.validate(&ps)
	return ps.err()
}

// validate adds what is wrong to ps, but for what is already known to be.
func (c *Config) validate(ps *problems) {
	v := validator{c: c, problems: ps}
	for _, f := range c.fields() {
		v.bounds(f)
	}
	v.listeners()
	v.clientTLS()
	v.users()
	v.source()
	v.loads()
	v.routes()
}

// validator judges one Config.
type validator struct {
	c *Config
	*problems
}

// fail reports the value at path, unless it is already reported.
func (v *validator) fail(path, value, reason string) {
	if !v.covers(path) {
		v.add(v.c.at(path), path, value, reason)
	}
}

// bounds judges one field of a table.
func (v *validator) bounds(f field) {
	err := f.val.check()
	if err == nil {
		return
	}
	value := f.val.show()
	switch f.val.(type) {
	case list: // its error names the element
		value = ""
	case text:
		value = clip(*f.val.(text).p)
	}
	v.fail(f.path, value, err.Error())
}

// listeners judges the two ports.
func (v *validator) listeners() {
	c := v.c
	if (c.Listen.TLS.CertFile == "") != (c.Listen.TLS.KeyFile == "") {
		v.fail("listen.tls", "", "want cert_file and key_file, or neither")
	}
	if c.HTTP.Auth == AuthNone && !loopback(c.HTTP.Address) && !v.covers("http.address") && !v.covers("http.auth") {
		path := "http.address"
		if v.c.Given("http.auth") && !v.c.Given(path) {
			path = "http.auth"
		}
		v.fail(path, clip(c.HTTP.Address),
			"want http.auth: redis for an address that is not loopback; without it anyone who reaches the port reads every value")
	}
	_, port, err := net.SplitHostPort(c.HTTP.Address)
	if err == nil && port != "0" && c.HTTP.Address == c.Listen.Address {
		v.fail("http.address", clip(c.HTTP.Address), "want another address than listen.address")
	}
}

// clientTLS judges TLS towards each server.
func (v *validator) clientTLS() {
	c := v.c
	for _, s := range []struct {
		path string
		tls  ClientTLS
	}{
		{"redis.tls", c.Redis.TLS},
		{"source.cassandra.tls", c.Source.Cassandra.TLS},
		{"events.kafka.tls", c.Events.Kafka.TLS},
		{"invalidate.kafka.tls", c.Invalidate.Kafka.TLS},
	} {
		t := s.tls
		if (t.CertFile == "") != (t.KeyFile == "") {
			v.fail(s.path, "", "want cert_file and key_file, or neither")
		}
		off := t
		off.Enabled = false
		if !t.Enabled && off != (ClientTLS{}) {
			v.fail(s.path+".enabled", "false", "want true where the section sets anything else: the connection would be in clear text")
		}
	}
	if c.Redis.TLS.Enabled && dialAddress(c.Redis.Address) != nil && !v.covers("redis.address") {
		v.fail("redis.tls.enabled", "true", "want false for a Redis that is not at host:port")
	}
}

// users judges users and passwords that only work together. Redis's default user has a password only.
func (v *validator) users() {
	c := v.c
	for _, s := range []struct {
		path, user string
		password   Secret
	}{
		{"source.cassandra", c.Source.Cassandra.Username, c.Source.Cassandra.Password},
		{"events.kafka", c.Events.Kafka.Username, c.Events.Kafka.Password},
		{"invalidate.kafka", c.Invalidate.Kafka.Username, c.Invalidate.Kafka.Password},
	} {
		path := s.path + ".username"
		if (s.user == "") != (s.password == "") && !v.covers(s.path+".password") && !v.covers(s.path+".password_file") {
			v.fail(path, clip(s.user), "want username and password (or password_file), or neither")
		}
	}
}

// loads judges the two bounds of queries.
func (v *validator) loads() {
	l := v.c.Loads
	if l.Least > l.Limit && v.c.Given("loads.least") && !v.covers("loads.limit") {
		v.fail("loads.least", strconv.Itoa(l.Least), "want at most loads.limit, "+strconv.Itoa(l.Limit))
	}
}

// source judges that there is exactly one.
func (v *validator) source() {
	s := v.c.Source
	switch hosts := len(s.Cassandra.Hosts) > 0; {
	case hosts && s.Embedded:
		v.fail("source.embedded", "true", "want false, or no source.cassandra.hosts: there is one source")
	case !hosts && !s.Embedded && !v.covers("source.cassandra.hosts"):
		v.fail("source.embedded", "false", "want source.cassandra.hosts, or true")
	}
	if c := s.Cassandra; c.SpeculateAfter >= c.Timeout && c.SpeculateAfter > 0 && !v.covers("source.cassandra.speculate_after") && !v.covers("source.cassandra.timeout") {
		v.fail("source.cassandra.speculate_after", formatDuration(c.SpeculateAfter), "want less than source.cassandra.timeout, "+formatDuration(c.Timeout)+": the query has ended by then")
	}
}
