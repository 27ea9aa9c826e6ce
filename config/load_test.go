package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"forebay/config"
)

// parse loads YAML text named forebay.yaml.
func parse(t *testing.T, text string, environ []string, flags map[string]string) (*config.Config, []string) {
	t.Helper()
	c, err := config.Parse("forebay.yaml", []byte(text), environ, flags)
	if err == nil {
		return c, nil
	}
	var list *config.Error
	if !errors.As(err, &list) || len(list.Problems) == 0 || c != nil {
		t.Fatalf("want a *config.Error with problems and no Config, got %v, %T %v", c, err, err)
	}
	return nil, strings.Split(err.Error(), "\n")
}

// loaded is parse of text that has no mistake.
func loaded(t *testing.T, text string, environ []string, flags map[string]string) *config.Config {
	t.Helper()
	c, lines := parse(t, text, environ, flags)
	if lines != nil {
		t.Fatalf("problems:\n%s", strings.Join(lines, "\n"))
	}
	return c
}

func TestContractsExampleLoads(t *testing.T) {
	c, err := config.Load("testdata/contract.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Routes) != 5 || c.Source.Embedded || c.Near.MaxBytes != 256<<20 || c.Defaults.Jitter != 0.1 ||
		c.Events.Kafka.Topic != "forebay.events" || c.Source.Cassandra.Keyspace != "ml" {
		t.Errorf("loaded %+v", c)
	}
}

func TestLaterPlacesWin(t *testing.T) {
	const file = "redis: {address: \"file:1\", timeout: 10ms}\nlog: {level: warn}\n"
	environ := []string{"FOREBAY_REDIS_ADDRESS=env:2", "FOREBAY_LOG_LEVEL=error", "HOME=/", "FOREBAY_LOG_FORMAT="}
	c := loaded(t, file, environ, map[string]string{"redis.address": "flag:3"})
	if c.Redis.Address != "flag:3" || c.Log.Level != "error" || c.Redis.Timeout != 10*time.Millisecond || c.Log.Format != "text" {
		t.Errorf("got %+v %+v", c.Redis, c.Log)
	}
	for path, want := range map[string]bool{"redis.address": true, "redis.timeout": true, "redis.username": false, "log.format": false} {
		if c.Given(path) != want {
			t.Errorf("Given(%s) is %t", path, !want)
		}
	}
	if !strings.Contains(string(c.Show()), `address: "flag:3"  # --redis.address`) {
		t.Errorf("show:\n%s", c.Show())
	}
}

func TestEnvironmentSetsNestedListsAndSecrets(t *testing.T) {
	c := loaded(t, "", []string{
		"FOREBAY_SOURCE_CASSANDRA_HOSTS=a:9042, b:9042", "FOREBAY_SOURCE_CASSANDRA_KEYSPACE=ml",
		"FOREBAY_SOURCE_CASSANDRA_TIMEOUT=1s", "FOREBAY_NEAR_MAX_BYTES=1GB", "FOREBAY_DEFAULTS_JITTER=0.25",
		"FOREBAY_REDIS_PASSWORD=a=b", "FOREBAY_BUDGET=2s", "FOREBAY_LISTEN_LIMITS_CLIENTS=7",
	}, nil)
	if got := c.Source.Cassandra.Hosts; !reflect.DeepEqual(got, []string{"a:9042", "b:9042"}) {
		t.Errorf("hosts %q", got)
	}
	if c.Source.Embedded || c.Near.MaxBytes != 1e9 || c.Defaults.Jitter != 0.25 || string(c.Redis.Password) != "a=b" ||
		c.Budget != 2*time.Second || c.Listen.Limits.Clients != 7 {
		t.Errorf("got %+v", c)
	}
}

func TestUnknownVariablesWarnAndKubernetesIsIgnored(t *testing.T) {
	c := loaded(t, "", []string{
		"FOREBAY_PORT=tcp://10.0.0.1:6380", "FOREBAY_PORT_6380_TCP_ADDR=10.0.0.1", "FOREBAY_SERVICE_HOST=10.0.0.1",
		"FOREBAY_REDIS_ADRESS=hunter2", "FOREBAY_ROUTES=x", "FOREBAY_SOMETHING_ELSE_ENTIRELY=1", "FOREBAYX=1",
	}, nil)
	want := []string{
		"FOREBAY_REDIS_ADRESS is ignored: no such setting; did you mean FOREBAY_REDIS_ADDRESS?",
		"FOREBAY_ROUTES is ignored: routes are set in the file only",
		"FOREBAY_SOMETHING_ELSE_ENTIRELY is ignored: no such setting",
	}
	if !reflect.DeepEqual(c.Warnings, want) {
		t.Errorf("warnings %q", c.Warnings)
	}
}

func TestNoSourceMeansTheBundledDigits(t *testing.T) {
	tests := map[string]struct {
		text     string
		embedded bool
		problem  string
	}{
		"nothing given":       {"", true, ""},
		"hosts":               {`source: {cassandra: {hosts: ["a:1"]}}`, false, ""},
		"said":                {"source: {embedded: true}", true, ""},
		"both":                {`source: {embedded: true, cassandra: {hosts: ["a:1"]}}`, false, "there is one source"},
		"neither":             {"source: {embedded: false}", false, "want source.cassandra.hosts, or true"},
		"hosts commented out": {"source:\n  cassandra:\n    # hosts: [a]\n", true, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, lines := parse(t, tt.text, nil, nil)
			if tt.problem != "" {
				if len(lines) != 1 || !strings.Contains(lines[0], tt.problem) {
					t.Errorf("problems %q", lines)
				}
				return
			}
			if lines != nil || c.Source.Embedded != tt.embedded {
				t.Errorf("problems %q, config %+v", lines, c)
			}
		})
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, empty := write("good", "pass word \r\n"), write("empty", "\n")
	large := write("large", strings.Repeat("x", 64<<10+1))
	c := loaded(t, "", []string{
		"FOREBAY_REDIS_PASSWORD_FILE=" + good,
		"FOREBAY_EVENTS_KAFKA_USERNAME=u", "FOREBAY_EVENTS_KAFKA_PASSWORD_FILE=" + good,
		"FOREBAY_SOURCE_CASSANDRA_USERNAME=u", "FOREBAY_SOURCE_CASSANDRA_PASSWORD_FILE=" + good,
	}, nil)
	for _, got := range []config.Secret{c.Redis.Password, c.Source.Cassandra.Password, c.Events.Kafka.Password} {
		if string(got) != "pass word " {
			t.Errorf("password %q", string(got))
		}
	}
	if shown := string(c.Show()); strings.Contains(shown, "pass word") || !strings.Contains(shown, good) {
		t.Errorf("show:\n%s", shown)
	}
	if again := loaded(t, bare(c), nil, nil); string(again.Redis.Password) != "pass word " {
		t.Error("what is shown does not read the file again")
	}
	for name, tt := range map[string]struct{ text, want string }{
		"both":    {"redis:\n  password: hunter2\n  password_file: " + good, "forebay.yaml:3: redis.password_file: "},
		"empty":   {"redis: {password_file: " + empty + "}", "it is empty"},
		"missing": {"redis: {password_file: /nonexistent/file}", "no such file"},
		"large":   {"redis: {password_file: " + large + "}", "want at most 64KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, lines := parse(t, tt.text, nil, nil)
			if len(lines) != 1 || !strings.Contains(lines[0], tt.want) || strings.Contains(lines[0], "hunter2") {
				t.Errorf("problems %q", lines)
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"missing": filepath.Join(dir, "none.yaml"), "a directory": dir} {
		var list *config.Error
		if _, err := config.Load(path, nil, nil); !errors.As(err, &list) || !strings.HasPrefix(err.Error(), path+": read file: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, 4<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(large, nil, nil); err == nil || !strings.Contains(err.Error(), "want at most 4MiB") {
		t.Errorf("large: %v", err)
	}
}

func TestFlagsAreReportedByName(t *testing.T) {
	_, lines := parse(t, "", nil, map[string]string{"redis.adress": "a:1", "redis.timeout": "soon", "nothing.like.it": ""})
	want := []string{
		"--nothing.like.it: no such setting",
		"--redis.adress: no such setting; did you mean --redis.address?",
		`--redis.timeout: redis.timeout: "soon": want a duration such as 250ms, 5s, 1h30m or 7d`,
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got:\n%s", strings.Join(lines, "\n"))
	}
}
