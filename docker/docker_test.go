// Package docker_test holds the files of this folder against each other, against Forebay's configuration and, where that is a
// program on this machine, against the server that reads them.
package docker_test

import (
	"bufio"
	"bytes"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"forebay/config"
	"forebay/internal/testkit"
)

// portOf returns the port of host:port.
func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// redisConf returns the directives of redis.conf.
func redisConf(t *testing.T) map[string]string {
	t.Helper()
	conf := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(read(t, "redis.conf")))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		if _, twice := conf[name]; twice {
			t.Errorf("redis.conf says %s twice", name)
		}
		conf[name] = strings.Trim(value, `"`)
	}
	return conf
}

func TestForebayIsConfiguredForTheServersThere(t *testing.T) {
	c := readCompose(t)
	conf := configuration(t, c)
	if want := "redis:" + redisConf(t)["port"]; conf.Redis.Address != want {
		t.Errorf("redis.address is %q, want %q", conf.Redis.Address, want)
	}
	if conf.Redis.Notifications != config.NotificationsRequire {
		t.Errorf("redis.notifications is %q", conf.Redis.Notifications)
	}
	if want := []string{"cassandra:9042"}; !slices.Equal(conf.Source.Cassandra.Hosts, want) || conf.Source.Embedded {
		t.Errorf("source.cassandra.hosts are %q, want %q", conf.Source.Cassandra.Hosts, want)
	}
	if cql := strings.Join(c.Services["keyspace"].Command, " "); !strings.Contains(cql, "CREATE KEYSPACE IF NOT EXISTS "+conf.Source.Cassandra.Keyspace+" WITH") {
		t.Errorf("keyspace %q is not the one made by %q", conf.Source.Cassandra.Keyspace, cql)
	}
	if cmd := c.Services["keyspace"].Command; len(cmd) < 3 || cmd[1]+":"+cmd[2] != conf.Source.Cassandra.Hosts[0] {
		t.Errorf("the keyspace is made by %q, not on %s", cmd, conf.Source.Cassandra.Hosts[0])
	}
	kafka := c.Services["kafka"].Environment
	if got := "PLAINTEXT://" + strings.Join(conf.Events.Kafka.Brokers, ","); got != kafka["KAFKA_ADVERTISED_LISTENERS"] {
		t.Errorf("events.kafka.brokers are %s, Kafka advertises %s", got, kafka["KAFKA_ADVERTISED_LISTENERS"])
	}
	for _, addr := range []string{conf.Redis.Address, conf.Source.Cassandra.Hosts[0], conf.Events.Kafka.Brokers[0]} {
		host, _, _ := net.SplitHostPort(addr)
		if _, ok := c.Services[host]; !ok {
			t.Errorf("%s is no service", addr)
		}
		if _, ok := c.Services["forebay"].DependsOn[host]; !ok {
			t.Errorf("forebay does not wait for %s", host)
		}
	}
	for _, addr := range []string{conf.Listen.Address, conf.HTTP.Address} {
		if host, _, _ := net.SplitHostPort(addr); host != "0.0.0.0" {
			t.Errorf("%s cannot be reached from outside the container", addr)
		}
	}
}

func TestKafkaIsOneNodeThatFindsItself(t *testing.T) {
	env := readCompose(t).Services["kafka"].Environment
	if want := env["KAFKA_NODE_ID"] + "@kafka:9093"; env["KAFKA_CONTROLLER_QUORUM_VOTERS"] != want {
		t.Errorf("voters are %q, want %q", env["KAFKA_CONTROLLER_QUORUM_VOTERS"], want)
	}
	for listener := range strings.SplitSeq(env["KAFKA_LISTENERS"], ",") {
		name, _, _ := strings.Cut(listener, ":")
		if !strings.Contains(env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"], name+":") {
			t.Errorf("listener %s has no protocol", name)
		}
	}
	if got := readCompose(t).Services["kafka"].mount(env["KAFKA_LOG_DIRS"]); got != "kafka-data" {
		t.Errorf("logs are in %q, which is no volume", env["KAFKA_LOG_DIRS"])
	}
	if len(env["CLUSTER_ID"]) != 22 {
		t.Errorf("CLUSTER_ID %q is not 16 bytes in base64", env["CLUSTER_ID"])
	}
}

func TestTheDigitsAreLoadedForTheirRoute(t *testing.T) {
	c := readCompose(t)
	conf := configuration(t, c)
	if len(conf.Routes) != 1 || conf.Routes[0].Key != "digits:{split:train|test}:{idx:int}" || conf.Routes[0].Table != "samples" {
		t.Fatalf("routes are %+v", conf.Routes)
	}
	for _, split := range []string{"train", "test"} {
		s := c.Services["load-"+split]
		file := "/data/digits-" + split + ".npz"
		want := []string{"load", "--config", configPath(t), "--dataset", "digits", "--split", split, "--pickle", file}
		if !slices.Equal(s.Command, want) {
			t.Errorf("%s is loaded by %q, want %q", split, s.Command, want)
		}
		read(t, s.mount(file))
		if got := s.mount(configPath(t)); got != "./forebay.yaml" {
			t.Errorf("the loader of %s reads %q", split, got)
		}
		if !s.runsOnce() || s.Healthcheck == nil || !s.Healthcheck.Disable {
			t.Errorf("the loader of %s is no service that runs once without a health check", split)
		}
	}
}

func TestPrometheusReadsForebay(t *testing.T) {
	c := readCompose(t)
	if got := c.Services["prometheus"].mount("/etc/prometheus/prometheus.yml"); got != "./prometheus.yml" {
		t.Errorf("prometheus reads %q", got)
	}
	var prometheus struct {
		Scrape []struct {
			Job    string `yaml:"job_name"`
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, "prometheus.yml"), &prometheus); err != nil {
		t.Fatal(err)
	}
	want := "forebay:" + portOf(t, configuration(t, c).HTTP.Address)
	if len(prometheus.Scrape) != 1 || !slices.Equal(prometheus.Scrape[0].Static[0].Targets, []string{want}) {
		t.Errorf("prometheus scrapes %+v, want %s", prometheus.Scrape, want)
	}
}

// configPath is where the image looks for its configuration, by its CMD.
func configPath(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^CMD \["serve", "--config", "([^"]+)"\]$`).FindSubmatch(read(t, "Dockerfile"))
	if found == nil {
		t.Fatal("the Dockerfile has no CMD that serves")
	}
	return string(found[1])
}

func TestTheImageServesItsConfiguration(t *testing.T) {
	c := readCompose(t)
	conf := configuration(t, c)
	dockerfile := string(read(t, "Dockerfile"))
	for _, want := range []string{
		"CGO_ENABLED=0 ", "./cmd/forebay", "USER 65532:65532",
		"EXPOSE " + portOf(t, conf.Listen.Address) + " " + portOf(t, conf.HTTP.Address) + "\n",
		`CMD ["/usr/local/bin/forebay", "health", "--config", "` + configPath(t) + `"]`,
		`ENTRYPOINT ["/usr/local/bin/forebay"]`,
	} {
		if !strings.Contains(dockerfile, want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	image := regexp.MustCompile(`(?m)^FROM golang:(\S+)-`).FindStringSubmatch(dockerfile)
	module := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(read(t, "../go.mod"))
	if image == nil || module == nil || image[1] != string(module[1]) {
		t.Errorf("the image builds with Go %q, go.mod says %q", image, module)
	}
	for name, s := range c.Services {
		if s.Image != "forebay:local" {
			continue
		}
		if s.Build == nil || filepath.Join(s.Build.Context, s.Build.Dockerfile) != filepath.FromSlash("../docker/Dockerfile") {
			t.Errorf("%s is built from %+v", name, s.Build)
		}
		if got := s.mount(configPath(t)); got != "./forebay.yaml" {
			t.Errorf("%s reads %q", name, got)
		}
	}
}

func TestRedisAcceptsItsConfiguration(t *testing.T) {
	c := readCompose(t)
	if got := c.Services["redis"].mount(c.Services["redis"].Command[1]); got != "./redis.conf" {
		t.Errorf("redis reads %q", got)
	}
	path, err := filepath.Abs("redis.conf")
	if err != nil {
		t.Fatal(err)
	}
	// The file is read where it is named, so that what follows wins: the test is not to open a port.
	server := testkit.RedisUnix(t, "--include", path, "--port", "0", "--bind", "127.0.0.1")
	conf := redisConf(t)
	for name, want := range map[string]string{
		"maxmemory":                "268435456",
		"maxmemory-policy":         "allkeys-lfu",
		"lfu-decay-time":           conf["lfu-decay-time"],
		"maxmemory-samples":        conf["maxmemory-samples"],
		"save":                     "",
		"appendonly":               "no",
		"io-threads":               conf["io-threads"],
		"lazyfree-lazy-user-del":   "yes",
		"lazyfree-lazy-server-del": "yes",
	} {
		if got := setting(t, server, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if conf["maxmemory"] != "256mb" || conf["port"] != "6379" {
		t.Errorf("redis.conf says maxmemory %q, port %q", conf["maxmemory"], conf["port"])
	}
	if save, ok := conf["save"]; !ok || save != "" || conf["appendonly"] != "no" {
		t.Errorf("redis.conf says save %q, appendonly %q", save, conf["appendonly"])
	}
	flags := setting(t, server, "notify-keyspace-events")
	for _, flag := range "Exeg" {
		if !strings.ContainsRune(flags, flag) {
			t.Errorf("notify-keyspace-events %q lacks %c", flags, flag)
		}
	}
}

// setting returns one setting of a running Redis.
func setting(t *testing.T, server *testkit.RedisServer, name string) string {
	t.Helper()
	switch reply := server.Do(t, "CONFIG", "GET", name).(type) {
	case []any:
		if len(reply) == 2 {
			return reply[1].(string)
		}
	case map[any]any:
		if value, ok := reply[name].(string); ok {
			return value
		}
	}
	t.Fatalf("redis has no setting %s", name)
	return ""
}
