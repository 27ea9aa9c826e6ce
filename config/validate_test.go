package config_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"forebay/config"
)

func TestDefaultIsValid(t *testing.T) {
	if err := config.Default().Validate(); err != nil {
		t.Error(err)
	}
	c := loaded(t, "", nil, nil)
	if c.Warnings != nil {
		t.Errorf("warnings %q", c.Warnings)
	}
}

// Each text is one setting; want is part of its only problem, or "" for none.
func TestBounds(t *testing.T) {
	tests := []struct{ path, value, want string }{
		{"listen.address", ":6380", ""},
		{"listen.address", "[::1]:0", ""},
		{"listen.address", "6380", "want host:port"},
		{"listen.address", "a:65536", "want host:port"},
		{"listen.address", "a b:1", "want host:port"},
		{"listen.address", "a:+1", "want host:port"},
		{"listen.limits.clients", "0", "want 1 to 1000000"},
		{"listen.limits.request_bytes", "5GiB", "want 1KiB to 4GiB"},
		{"listen.limits.write_timeout", "-1s", "-1s: want 10ms to 1h"},
		{"http.address", "localhost:8380", ""},
		{"http.address", "127.9.9.9:8380", ""},
		{"http.address", "0.0.0.0:8380", "want http.auth: redis"},
		{"http.address", ":8380", "want http.auth: redis"},
		{"http.address", "node7:8380", "want http.auth: redis"},
		{"http.address", "127.0.0.1:6380", "want another address than listen.address"},
		{"http.hosts", "forebay.example.com,10.0.0.1", ""},
		{"http.hosts", "a.example:80", `"a.example:80": want a host name`},
		{"http.hosts", "a,a", `"a": want each only once`},
		{"redis.address", "unix:///run/redis.sock", ""},
		{"redis.address", "embedded", ""},
		{"redis.address", "unix://redis.sock", "want unix:// and an absolute path"},
		{"redis.address", "redis://a:1", "have fields of their own"},
		{"redis.address", "a:0", "want host:port"},
		{"redis.address", ":6379", "want host:port"},
		{"redis.timeout", "6s", "want 1ms to 5s"},
		{"redis.username", "a\nb", "want no control characters"},
		{"source.cassandra.hosts", "a:9042,b", `"b": want host:port`},
		{"source.cassandra.timeout", "5s", "want 1ms to 4.999s"},
		{"source.cassandra.keyspace", "a-b", "want letters, digits and _"},
		{"source.cassandra.consistency", "local_quorum", ""},
		{"source.cassandra.consistency", "ANY", "want one of LOCAL_ONE"},
		{"source.cassandra.username", "u", "want username and password"},
		{"source.cassandra.tls.ca_file", "ca.pem", "source.cassandra.tls.enabled: false: want true"},
		{"events.kafka.tls.cert_file", "c.pem", "events.kafka.tls: want cert_file and key_file"},
		{"events.kafka.topic", "..", "want 1 to 249"},
		{"events.kafka.topic", "a b", "want 1 to 249"},
		{"events.kafka.partitions", "0", "want 1 to 10000"},
		{"events.kafka.retention", "0", "want 1m to 3650d"},
		{"events.buffer_bytes", "1", "1B: want 1MiB to 64GiB"},
		{"events.recent", "-1", "want 0 to 1000000"},
		{"near.max_bytes", "0", ""},
		{"near.max_bytes", "1", "want 0 (none), or 1MiB to 1TiB"},
		{"defaults.ttl", "30d", ""},
		{"defaults.ttl", "0", "want 1ms to 30d"},
		{"defaults.ttl", "720h1ms", "want 1ms to 30d"},
		{"defaults.jitter", "50%", ""},
		{"defaults.jitter", "51%", "51%: want 0% to 50%"},
		{"defaults.jitter", "10", "1000%: want 0% to 50%"},
		{"defaults.absent_ttl", "0", ""},
		{"budget", "0s", "want 10ms to 1m"},
		{"redis.tls.enabled", "true", "redis.tls.enabled: true: want false for a Redis that is not at host:port"},
		{"listen.tls.cert_file", "c.pem", "listen.tls: want cert_file and key_file"},
	}
	for _, tt := range tests {
		t.Run(tt.path+" "+tt.value, func(t *testing.T) {
			_, lines := parse(t, "", nil, map[string]string{tt.path: tt.value})
			if tt.want == "" && lines != nil {
				t.Errorf("problems %q", lines)
			}
			if tt.want != "" && (len(lines) == 0 || !strings.Contains(strings.Join(lines, "\n"), tt.want)) {
				t.Errorf("problems %q, want %s", lines, tt.want)
			}
		})
	}
}

func TestHTTPAuthOffLoopback(t *testing.T) {
	loaded(t, "http: {address: \"0.0.0.0:8380\", auth: redis}", nil, nil)
	_, lines := parse(t, "listen: {address: \":6380\"}\nhttp:\n  auth: none\n  address: \":8380\"\n", nil, nil)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], `forebay.yaml:4: http.address: ":8380": want http.auth: redis`) {
		t.Errorf("problems %q", lines)
	}
}

func TestValidateWithoutAFile(t *testing.T) {
	c := config.Default()
	c.Source.Cassandra.Hosts = []string{"a:9042"}
	c.Defaults.Jitter = math.NaN()
	c.HTTP.Auth = "x"
	c.Routes = []config.Route{{Name: "r", Key: "k", Table: "t", Value: "v", TTL: -1}}
	err := c.Validate()
	var list *config.Error
	if !errors.As(err, &list) {
		t.Fatalf("got %v", err)
	}
	for _, path := range []string{
		"http.auth", "defaults.jitter", "source.embedded", "routes[0].table", "routes[0].where", "routes[0].ttl",
	} {
		found := false
		for _, p := range list.Problems {
			found = found || p.Path == path && p.Line == 0 && p.Origin == ""
		}
		if !found {
			t.Errorf("no problem at %s in:\n%v", path, err)
		}
	}
	if len(list.Problems) != 6 {
		t.Errorf("want 6 problems:\n%v", err)
	}
}

// Bounds that depend on another field.
func TestFieldsThatDoNotFitTogether(t *testing.T) {
	for text, want := range map[string]string{
		"loads: {limit: 4, least: 8}":                                                "loads.least: 8: want at most loads.limit, 4",
		`source: {cassandra: {hosts: ["a:1"], speculate_after: 2s}}`:                 "source.cassandra.speculate_after: 2s: want less than source.cassandra.timeout, 2s",
		`source: {cassandra: {hosts: ["a:1"], timeout: 1s, speculate_after: 999ms}}`: "",
	} {
		_, err := config.Parse("f.yaml", []byte(text), nil, nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := config.Default()
	c.Redis.Password = "hunter2"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{c, c.Redis, c.Redis.Password} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "hunter2") || strings.Contains(out, "68756e74657232") {
				t.Errorf("%s prints the secret: %s", verb, out)
			}
		}
	}
}
