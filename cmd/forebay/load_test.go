package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// digits is the training split as "forebay load" takes it.
const digits = "../../examples/digits/digits-train.npz"

// command runs one to its end.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var out, errs lockedBuffer
	status = run(ctx, args, nil, &out, &errs)
	return status, out.String(), errs.String()
}

// writeConfig writes a configuration of routes over a keyspace.
func writeConfig(t *testing.T, cassandra, keyspace string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forebay.yaml")
	text := fmt.Sprintf(`
source:
  cassandra: {hosts: [%q], keyspace: %s}
routes:
  - name: stored
    key: "stored:{split}:{idx:int}"
    table: samples
    where: {dataset: digits, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    value: data
  - name: encoded
    key: "encoded:{split}:{idx:int}"
    table: samples
    where: {dataset: raw, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    encode: {pickle: {image: {column: data, dtype: uint8, shape: [8, 8]}, label: {column: label}}}
`, cassandra, keyspace)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLoadThenServe goes the whole way: a file into Cassandra, from there through Forebay to a client, and its events into Kafka.
func TestLoadThenServe(t *testing.T) {
	cassandra, kafka, server := testkit.Cassandra(t), testkit.Kafka(t), testkit.Redis(t)
	file := writeConfig(t, cassandra.Addr, testkit.Keyspace(t, cassandra.Addr))
	topic := testkit.Topic(t)

	for name, args := range map[string][]string{
		"digits/train: 1437 samples, 178": {"load", "--config", file, "--dataset", "digits", "--split", "train", "--pickle", digits},
		"raw/train: 1437 samples, 91968":  {"load", "--config", file, "--dataset", "raw", "--split", "train", digits},
	} {
		if status, out, errs := command(t, args...); status != done || !strings.Contains(out, name) {
			t.Fatalf("load: status %d: %s%s", status, out, errs)
		}
	}
	status, out, errs := command(t, "config", "check", "--connect", "--config", file, "--redis.address="+server.Addr)
	if status != done || !strings.Contains(out, "2 routes checked") {
		t.Errorf("config check: status %d: %s%s", status, out, errs)
	}
	if _, out, _ := command(t, "route", "--config", file, "encoded:train:1025"); !strings.Contains(out, "shard = 1 AND idx = 1025") ||
		strings.Contains(out, "not checked") {
		t.Errorf("route: %s", out)
	}

	in := serve(t, "--config", file, "--redis.address="+server.Addr,
		"--events.kafka.brokers="+kafka.Broker, "--events.kafka.topic="+topic)
	c, ctx := in.client(t), t.Context()
	var keys []string
	for _, i := range []int{0, 1, 1023, 1024, 1436} {
		keys = append(keys, fmt.Sprintf("stored:train:%d", i), fmt.Sprintf("encoded:train:%d", i))
	}
	for epoch := range 2 {
		values, err := c.MGet(ctx, keys...).Result()
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(values); i += 2 {
			// What load pickles is what a route pickles.
			if values[i] == nil || values[i] != values[i+1] {
				t.Errorf("epoch %d: %s is %q, %s is %q", epoch, keys[i], values[i], keys[i+1], values[i+1])
			}
		}
	}
	// Warmed, all that there is is in Redis; ten were read before.
	status, out, errs = command(t, "warm", "--addr", in.resp, "--pattern", "stored:train:{0..1439}", "--pattern", "encoded:train:{0..1436}")
	if status != done || !strings.Contains(out, "2877 keys: 2864 loaded, 10 present already, 3 absent in the source, 0 without a route, 0 failed") ||
		!strings.Contains(out, "Redis holds 2874 of them") {
		t.Errorf("warm: status %d: %s%s", status, out, errs)
	}
	if status := in.stop(t); status != done {
		t.Errorf("status %d:\n%s", status, in.stderr)
	}
	inTopic := []string{"--config", file, "--events.kafka.brokers=" + kafka.Broker, "--events.kafka.topic=" + topic}
	status, out, errs = command(t, append([]string{"events", "verify", "--ended"}, inTopic...)...)
	if status != done || strings.Contains(out, "note:") || !strings.Contains(out, " of 8 streams, each accounted for") {
		t.Errorf("events verify: status %d: %s%s", status, out, errs)
	}
	if status, out, _ = command(t, append([]string{"events", "tail", "--kind", "hit", "--prefix", "stored:"}, inTopic...)...); status != done ||
		strings.Count(out, "\n") != 5 || strings.Count(out, `"partition":`) != 5 {
		t.Errorf("events tail: status %d: %s", status, out)
	}
	lines := testkit.ReadTopic(t, kafka.Broker, topic, func(lines [][]byte) bool {
		return bytes.Count(bytes.Join(lines, nil), []byte(`"kind":"end"`)) >= 8
	})
	all := string(bytes.Join(lines, []byte("\n")))
	if hits, misses := strings.Count(all, `"kind":"hit"`), strings.Count(all, `"kind":"miss"`); hits != 10 || misses != 10 {
		t.Errorf("%d hits and %d misses in Kafka, want 10 of each:\n%s", hits, misses, all)
	}
}

// TestServeWhileTheSourceIsDown starts without Cassandra, and checks the routes when it comes.
func TestServeWhileTheSourceIsDown(t *testing.T) {
	cassandra, server := testkit.Cassandra(t), testkit.Redis(t)
	keyspace := testkit.Keyspace(t, cassandra.Addr)
	if status, _, errs := command(t, "load", "--config", writeConfig(t, cassandra.Addr, keyspace),
		"--dataset", "digits", "--split", "train", "--pickle", digits); status != done {
		t.Fatal(errs)
	}
	between := testkit.NewFaultProxy(t, "tcp", cassandra.Addr)
	between.Cut()
	in := serve(t, "--config", writeConfig(t, between.Addr, keyspace), "--redis.address="+server.Addr)
	c, ctx := in.client(t), t.Context()
	if _, err := c.Get(ctx, "stored:train:0").Result(); err == nil || !strings.HasPrefix(err.Error(), "SOURCEDOWN") {
		t.Errorf("a miss while the source is down: %v", err)
	}
	if err := c.Set(ctx, "a", "b", 0).Err(); err != nil {
		t.Error(err)
	}
	if status, body := in.get(t, "/readyz"); status != 200 {
		t.Errorf("not ready, though Redis answers: %s", body)
	}
	if _, body := in.get(t, "/healthz"); !strings.Contains(body, `"name":"cassandra","ok":false`) ||
		!strings.Contains(body, "stored, encoded") {
		t.Errorf("health does not say what is wrong: %s", body)
	}
	between.Restore()
	eventually(t, "misses are loaded", func() bool {
		_, err := c.Get(ctx, "stored:train:0").Result()
		return err == nil
	})
	eventually(t, "health says so", func() bool {
		_, body := in.get(t, "/healthz")
		return strings.Contains(body, `"status": "ok"`)
	})
}

// TestServeRefusesRoutesTheSourceRefuses names each before anything is served.
func TestServeRefusesRoutesTheSourceRefuses(t *testing.T) {
	cassandra := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, cassandra.Addr) // has no tables
	file := writeConfig(t, cassandra.Addr, keyspace)
	status, out, errs := command(t, "serve", "--config", file, "--log.level=error",
		"--listen.address=127.0.0.1:0", "--http.address=127.0.0.1:0", "--redis.address=127.0.0.1:1")
	if status != misuse || out != "" || strings.Count(errs, "forebay: ") != 2 ||
		!strings.Contains(errs, `"stored"`) || !strings.Contains(errs, `"encoded"`) {
		t.Errorf("status %d:\n%s%s", status, out, errs)
	}
}
