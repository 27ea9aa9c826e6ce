package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestFiveMistakesAreFiveLines(t *testing.T) {
	const text = `listen:
  adress: "127.0.0.1:6380"
redis:
  address: localhost
  timeout: 1 second
defaults: {ttl: 31d}
routes:
  - name: Digits
    key: "digits:{idx:int}"
    table: samples
    where: {idx: "{idx}"}
    value: data
`
	_, lines := parse(t, text, nil, nil)
	want := []string{
		`forebay.yaml:2: listen.adress: unknown key; did you mean "address"?`,
		`forebay.yaml:4: redis.address: "localhost": want host:port, unix:///path or embedded`,
		`forebay.yaml:5: redis.timeout: "1 second": want a duration such as 250ms, 5s, 1h30m or 7d`,
		`forebay.yaml:6: defaults.ttl: 31d: want 1ms to 30d`,
		`forebay.yaml:8: routes[0].name: "Digits": want 1 to 64 of a-z 0-9 . _ -`,
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// Each text has one mistake, told in one line that ends (or goes on) as given.
func TestFileMistakes(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"no YAML":              {"a: [1\nb: }", "forebay.yaml:2: want YAML: did not find expected ',' or ']'"},
		"a tab":                {"log:\n\tlevel: info", "forebay.yaml:2: want YAML: found character"},
		"not UTF-8":            {"log: {level: \"\xff\"}", "forebay.yaml: want YAML: "},
		"a list":               {"- a", "forebay.yaml:1: a list: want a mapping (key: value)"},
		"two documents":        {"log: {level: info}\n---\nlog: {}", "want one YAML document in the file"},
		"unknown section":      {"log: {level: info}\nrediss: {}", `forebay.yaml:2: rediss: unknown key; did you mean "redis"?`},
		"far from any":         {"shutdown: {zzzzzzzzzzzz: 1}", "forebay.yaml:1: shutdown.zzzzzzzzzzzz: unknown key; want one of grace"},
		"of another section":   {"limits: {clients: 1}", "forebay.yaml:1: limits: unknown key; did you mean listen.limits?"},
		"of a nested section":  {"events: {topic: x}", "did you mean events.kafka.topic?"},
		"an unprintable key":   {"\"a\\nb\": 1", `forebay.yaml:1: "a\nb": unknown key`},
		"a key twice":          {"log: {level: info}\nredis: {}\nlog: {}", "forebay.yaml:3: log: want it once; it is also on line 1"},
		"a list as key":        {"log:\n  [a]: 1", "want a word as a key"},
		"a scalar as section":  {"redis: 127.0.0.1:6379", `forebay.yaml:1: redis: "127.0.0.1:6379": want a mapping`},
		"a section as scalar":  {"budget: {a: 1}", "budget: a mapping: want one value"},
		"a list as scalar":     {"budget: [3s]", "budget: a list: want one value"},
		"no value":             {"redis:\n  address:\n", "forebay.yaml:2: redis.address: want a value; leave the key out"},
		"a mapping in a list":  {"http: {hosts: [a, {b: c}]}", "http.hosts: a mapping: want text in the list"},
		"an alias":             {"redis: &r {timeout: 1s}\n", "redis: want the value itself; anchors"},
		"a merge key":          {"redis: {<<: {timeout: 1s}}", "want the keys themselves"},
		"a tag":                {"budget: !!str 3s", "budget: want the value without a YAML tag"},
		"a bad count":          {"listen: {limits: {clients: many}}", `listen.limits.clients: "many": want a whole number, 1 to 1000000`},
		"a bad size":           {"near: {max_bytes: 1M}", `near.max_bytes: "1M": want a size such as`},
		"a bad part":           {"defaults: {jitter: some}", `defaults.jitter: "some": want a part such as`},
		"a bad choice":         {"http: {auth: basic}", `http.auth: "basic": want one of none, redis`},
		"a bad truth":          {"source: {embedded: yes}", `source.embedded: "yes": want true or false`},
		"a section of nothing": {"near:\nlog: ~\nroutes:\nredis: {timeout: 0}", "redis.timeout: 0s: want 1ms to 5s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, lines := parse(t, tt.text, nil, nil)
			if len(lines) != 1 || !strings.Contains(lines[0], tt.want) {
				t.Errorf("got:\n%s\nwant: %s", strings.Join(lines, "\n"), tt.want)
			}
		})
	}
}

func TestMistakesAreCounted(t *testing.T) {
	var text strings.Builder
	for i := range 250 {
		fmt.Fprintf(&text, "key-%d: 1\n", i)
	}
	_, lines := parse(t, text.String(), nil, nil)
	if len(lines) != 201 || lines[200] != "and 50 more problems" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestMistakesDoNotRepeatSecrets(t *testing.T) {
	for _, text := range []string{
		"redis: {password: [hunter2]}", "redis: {password: {hunter2}}", "redis: {password: {a: hunter2}}",
		"redis: {password: !!str hunter2}", "redis: {password: &a hunter2}",
		"source: {cassandra: {hosts: [\"a:1\"], password: hunter2}}",
	} {
		_, lines := parse(t, text, nil, nil)
		if len(lines) != 1 || strings.Contains(lines[0], "hunter2") {
			t.Errorf("%s: %q", text, lines)
		}
	}
}

func TestPlainTextIsNotTyped(t *testing.T) {
	c := loaded(t, "redis: {username: 0123, password: 1e3, notifications: off}\nlog: {level: WARN}", nil, nil)
	if c.Redis.Username != "0123" || string(c.Redis.Password) != "1e3" || c.Redis.Notifications != "off" || c.Log.Level != "warn" {
		t.Errorf("got %+v %+v", c.Redis, c.Log)
	}
}
