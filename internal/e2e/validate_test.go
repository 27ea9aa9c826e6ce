package e2e_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

const ruledRoutes = `
  - name: checked
    key: "checked:{dataset}:{idx:int}"
    table: samples
    where: {dataset: "{dataset}", split: test, shard: "{idx / 1024}", idx: "{idx}"}
    value: data
    validate: {min_bytes: 2, max_bytes: 4KiB, checksum: crc32c}
  - name: pickled
    key: "pickled:{idx:int}"
    table: samples
    where: {dataset: digits, split: test, shard: "{idx / 1024}", idx: "{idx}"}
    value: data
    validate: {format: pickle, pickle: reject, checksum: crc32c}
  - name: whole
    key: "whole:{name}"
    object: {dataset: big, name: "{name}"}
    validate: {format: npy}
`

// Values of a real Cassandra: what forebay load stored is admitted, a wrong checksum is asked for twice and then an error, and what was mended is served.
func TestRulesForValues(t *testing.T) {
	t.Parallel()
	var object []byte
	s := newStack(t, func(s *setup) {
		s.routes = ruledRoutes
		s.more = "near: {max_bytes: 0}\n"
		object = storeArray(t, s.cassandra, s.keyspace, "ruled", 1<<20)
	})
	db := testkit.Session(t, s.setup.cassandra, s.setup.keyspace)
	const insert = "INSERT INTO samples (dataset, split, shard, idx, data, crc32c) VALUES ('ruled', 'test', 0, ?, ?, ?)"
	good := []byte("a good value")
	sum := int64(crc32.Checksum(good, crc32.MakeTable(crc32.Castagnoli)))
	for idx, crc := range map[int64]any{1: sum, 2: sum + 1, 3: nil, 4: int64(int32(uint32(sum)))} {
		must(t, db.Query(insert, idx, good, crc).Exec())
	}
	must(t, db.Query(insert, int64(5), []byte("x"), int64(crc32.Checksum([]byte("x"), crc32.MakeTable(crc32.Castagnoli)))).Exec())

	c := s.client(t)
	get := func(key string) string {
		t.Helper()
		v, err := c.Get(t.Context(), key).Result()
		if err != nil {
			return err.Error()
		}
		return v
	}
	want := func(key, want string) {
		t.Helper()
		if got := get(key); got != want {
			t.Errorf("%s: %.300q, want %.300q", key, got, want)
		}
	}
	invalid := func(what string) string {
		return "SOURCEINVALID check value of route \"checked\": value of " + what + "; ask the owner of the dataset"
	}
	wrong := invalid(fmt.Sprintf("12 bytes: it has crc32c %08x, its row's column crc32c says %08x", sum, sum+1))
	want("checked:ruled:1", string(good))
	want("checked:ruled:2", wrong)
	want("checked:ruled:3", invalid("12 bytes: its row has no checksum in column crc32c"))
	want("checked:ruled:4", string(good))
	want("checked:ruled:5", invalid("1 bytes: shorter than the 2 bytes its route demands"))
	if n := c.Exists(t.Context(), "checked:ruled:2", "checked:ruled:3", "checked:ruled:5").Val(); n != 0 {
		t.Errorf("redis holds %d values that break the rules", n)
	}
	if a := s.get(t, "/api/v1/values/checked:ruled:2"); a.status != 502 || !strings.Contains(a.body, "source-invalid") {
		t.Errorf("by http: %d %s", a.status, a.body)
	}
	must(t, db.Query(insert, int64(2), good, sum).Exec())
	want("checked:ruled:2", string(good))

	// What forebay load stored: arrays, and pickles under the policy.
	for i := range 200 {
		if got := get(fmt.Sprint("checked:plain:", i)); len(got) != 64 {
			t.Fatalf("plain %d: %.200q", i, got)
		}
		if got := get(fmt.Sprint("pickled:", i)); !strings.HasPrefix(got, "\x80") {
			t.Fatalf("pickled %d: %.200q", i, got)
		}
	}

	// What a client past Forebay has put into Redis.
	fine := get("pickled:7")
	s.redis.Do(t, "SET", "pickled:7", "cos\nsystem\n(S'true'\ntR.")
	want("pickled:7", fine)
	s.redis.Do(t, "SET", "pickled:7", fine[:len(fine)-1])
	if a := s.get(t, "/api/v1/values/pickled:7"); a.status != 200 || a.body != fine {
		t.Errorf("by http: %d %.100q", a.status, a.body)
	}
	want("whole:ruled", string(object))
	s.redis.Do(t, "SET", "whole:ruled", strings.Repeat("x", len(object)))
	want("whole:ruled", string(object))

	events := s.end(t)
	events.wantWhole(t)
	found := map[string]int{}
	for _, e := range events.of("invalid") {
		found[fmt.Sprint(e.Route, " ", e.Origin, " ", e.Reason)]++
	}
	if got := fmt.Sprint(found); got != "map[checked source checksum:3 checked source length:1 pickled redis format:1 pickled redis pickle:1 whole redis format:1]" {
		t.Errorf("found %s", got)
	}
	retried := 0
	for _, e := range events.of("load") {
		if e.Route == "checked" && strings.Contains(e.Error, "1 of 1 values break the rules") {
			retried++
		}
	}
	if retried != 8 { // two queries for each of four reads
		t.Errorf("%d queries gave bad values, want 8", retried)
	}
}

// storeArray has forebay load store a NumPy file of bytes as an object and returns its bytes.
func storeArray(t *testing.T, addr, keyspace, name string, size int) []byte {
	t.Helper()
	header := fmt.Sprintf("%-117s\n", fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }", size))
	b := append([]byte("\x93NUMPY\x01\x00\x76\x00"+header), bytes.Repeat([]byte("0123456789abcdef"), size/16)...)
	path := filepath.Join(t.TempDir(), name+".npy")
	must(t, os.WriteFile(path, b, 0o600))
	status, _, stderr := run(t, "load", "--source.cassandra.hosts="+addr, "--source.cassandra.keyspace="+keyspace, "--dataset=big", "--object", "--name="+name, path)
	if status != 0 {
		t.Fatalf("forebay load ended with status %d:\n%s", status, stderr)
	}
	return b
}
