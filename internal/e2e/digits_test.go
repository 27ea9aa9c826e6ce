package e2e_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// The size of the digits.
const (
	trainSize = 1437
	testSize  = 360
)

// digitsRoutes serve what loadDigits stores: the pickled samples as they are stored, and the others encoded by Forebay.
const digitsRoutes = `
  - name: digits
    key: "digits:{split:train|test}:{idx:int}"
    table: samples
    where: {dataset: digits, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    value: data
  - name: digits-npy
    key: "digits:{split:train|test}:{idx:int}:npy"
    table: samples
    where: {dataset: plain, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    encode: {npy: {column: data, dtype: uint8, shape: [8, 8]}}
  - name: digits-sample
    key: "digits:{split:train|test}:{idx:int}:sample"
    table: samples
    where: {dataset: plain, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    encode: {pickle: {image: {column: data, dtype: uint8, shape: [8, 8]}, label: {column: label}}}
`

// load stores one split of the digits by "forebay load".
func load(t testing.TB, addr, keyspace, dataset, split string, flags ...string) {
	t.Helper()
	args := append([]string{
		"load", "--source.cassandra.hosts=" + addr, "--source.cassandra.keyspace=" + keyspace,
		"--dataset=" + dataset, "--split=" + split, "../../examples/digits/digits-" + split + ".npz",
	}, flags...)
	status, stdout, stderr := run(t, args...)
	if status != 0 {
		t.Fatalf("forebay load ended with status %d:\n%s", status, stderr)
	}
	want := fmt.Sprintf("%s/%s: %d samples, ", dataset, split, map[string]int{"train": trainSize, "test": testSize}[split])
	if !strings.HasPrefix(stdout, want) {
		t.Errorf("forebay load prints %q, want %q", stdout, want)
	}
	t.Log(strings.TrimSpace(stdout))
}

// freshKeyspace is a keyspace's name not used before, to be made by "forebay load"; it is dropped after the test unless the server is
// down by then.
func freshKeyspace(t testing.TB, addr string) string {
	name := "e2e_" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() {
		if err := drop(addr, name); err != nil {
			t.Logf("keyspace %s is left: %v", name, err)
		}
	})
	return name
}

// drop removes a keyspace, if it is there.
func drop(addr, keyspace string) error {
	host, port, _ := net.SplitHostPort(addr)
	c := gocql.NewCluster(host)
	c.Port, _ = strconv.Atoi(port)
	c.ProtoVersion, c.Timeout, c.ConnectTimeout = 4, patience, patience
	c.DisableInitialHostLookup, c.Logger = true, nil
	session, err := c.CreateSession()
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Query("DROP KEYSPACE IF EXISTS " + keyspace).Exec()
}
