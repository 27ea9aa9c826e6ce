package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/internal/testkit"
)

// loading is a keyspace to load into, and a folder with files.
type loading struct {
	t        *testing.T
	addr     string
	keyspace string
	session  *gocql.Session
	dir      string
}

func newLoading(t *testing.T) *loading {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	return &loading{t, server.Addr, keyspace, testkit.Session(t, server.Addr, keyspace), t.TempDir()}
}

// file writes one and returns its path.
func (l *loading) file(name string, data []byte) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

func (l *loading) args(addr string, args []string) []string {
	return append([]string{"load", "--source.cassandra.hosts=" + addr, "--source.cassandra.keyspace=" + l.keyspace}, args...)
}

// load runs forebay load and wants a status and, in what it prints, a text.
func (l *loading) load(want int, says string, args ...string) string {
	l.t.Helper()
	status, out, errs := command(l.t, l.args(l.addr, args)...)
	if status != want || !strings.Contains(out+errs, says) {
		l.t.Errorf("load %s: status %d, want %d and %q:\n%s%s", strings.Join(args, " "), status, want, says, out, errs)
	}
	if status != done && strings.Count(errs, "forebay: ") != 1 {
		l.t.Errorf("load %s: not one line:\n%s", strings.Join(args, " "), errs)
	}
	return out
}

func (l *loading) exec(cql string, args ...any) {
	l.t.Helper()
	if err := l.session.Query(cql, args...).Exec(); err != nil {
		l.t.Fatalf("%s: %v", cql, err)
	}
}

// count is the number of rows, zero while there is no table.
func (l *loading) count(table string) (n int) {
	_ = l.session.Query(`SELECT count(*) FROM ` + table).Scan(&n)
	return n
}

// kill runs forebay load over a slow connection and kills it when the table has so many rows.
func (l *loading) kill(table string, rows int, args ...string) {
	l.t.Helper()
	between := testkit.NewFaultProxy(l.t, "tcp", l.addr)
	between.Delay(100 * time.Millisecond)
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Cmd{Path: self, Args: append([]string{"forebay"}, l.args(between.Addr, args)...)} // see TestMain
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "some rows are written", func() bool { return l.count(table) >= rows })
	if err := cmd.Process.Kill(); err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		l.t.Fatalf("the load ended before it was killed: %v\n%s", err, &stderr)
	}
}

// idxFile is images of 8 by 8.
func idxFile(n int) []byte {
	b := []byte{0, 0, 8, 3}
	for _, d := range []int{n, 8, 8} {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, random(n*64)...)
}

func random(n int) []byte {
	b := make([]byte, n)
	for i, r := 0, rand.NewPCG(1, uint64(n)); i < n; i++ {
		b[i] = byte(r.Uint64())
	}
	return b
}

func TestLoadIsKilledAndResumed(t *testing.T) {
	l := newLoading(t)
	const n = 8000
	file := l.file("images", idxFile(n))
	l.load(done, "1 sample", "--dataset", "d", "--split", "other", l.file("one", idxFile(1))) // makes the tables
	args := []string{"--dataset", "d", "--split", "train", file}
	l.kill("samples", 500, args...)
	l.load(failed, "its last load did not end", "--dataset", "d", "--split", "train", "--verify-only")
	out := l.load(done, fmt.Sprintf("verified, %d samples", n), append(args, "--resume", "--verify")...)
	if !strings.Contains(out, "samples stored already") {
		t.Errorf("no sample was found that was stored already: %s", out)
	}
	l.load(done, fmt.Sprintf("%d samples stored already", n), append(args, "--resume")...)

	object := l.file("object", random(3<<20))
	l.load(done, "1 chunk", "--dataset", "d", "--object", "--name", "o", l.file("small", []byte("small")))
	args = []string{"--dataset", "d", "--object", "--name", "o", "--chunk-bytes", "4KiB", object}
	l.kill("chunks", 100, args...)
	l.load(done, "object of 5 bytes", "--dataset", "d", "--object", "--name", "o", "--verify-only") // readers have the one before
	out = l.load(done, "verified, object of 3145728 bytes in 768 chunks", append(args, "--resume", "--verify")...)
	if !strings.Contains(out, "stored already") {
		t.Errorf("no chunk was found that was stored already: %s", out)
	}
}

func TestLoadVerifies(t *testing.T) {
	l := newLoading(t)
	images := l.file("images", idxFile(1100))
	labels := l.file("labels", append([]byte{0, 0, 8, 1, 0, 0, 4, 76}, random(1100)...))
	both := []string{"--dataset", "d", "--split", "train", "--object", "--name", "all", "--raw", "--verify", images, labels}
	out := l.load(done, "d/train: verified, 1100 samples, 70400 bytes", both...)
	if !strings.Contains(out, "d/all: verified, object of 70400 bytes in 1 chunk") {
		t.Errorf("the object is not verified: %s", out)
	}
	// The object raw is what the samples are, one after the other.
	if sums := strings.Count(out, out[strings.Index(out, "crc32c "):][:15]); sums != 4 {
		t.Errorf("samples and object have other checksums: %s", out)
	}
	samples := []string{"--dataset", "d", "--split", "train", "--verify-only"}
	l.load(done, "as in what was noted", samples...)
	l.load(done, "as in the files", append(samples, images, labels)...)
	others := idxFile(1100)
	others[20] ^= 1
	l.load(failed, "the files have 1100 samples, 70400 bytes", append(samples, l.file("others", others), labels)...)
	turned := l.file("turned", append([]byte{0, 0, 8, 1, 0, 0, 4, 76}, bytes.Repeat([]byte{1}, 1100)...))
	l.load(failed, "the labels are not those of the files", append(samples, images, turned)...)

	flipped := idxFile(1100)[16+64*1030:][:64]
	flipped[7] ^= 4
	l.exec(`UPDATE samples SET data = ? WHERE dataset='d' AND split='train' AND shard=1 AND idx=1030`, flipped)
	l.load(failed, "sample 1030 has crc32c", samples...)
	whole := []string{"--dataset", "d", "--object", "--name", "all", "--verify-only"}
	l.load(done, "as in what was noted", whole...)
	l.load(done, "as in the file,", append(whole, "--raw", images)...)
	l.load(failed, "the file has 70416 bytes", append(whole, images)...)
	var version string
	var chunk []byte
	if err := l.session.Query(`SELECT version, data FROM chunks`).Scan(&version, &chunk); err != nil {
		t.Fatal(err)
	}
	chunk[500] ^= 1
	l.exec(`UPDATE chunks SET data = ? WHERE dataset='d' AND name='all' AND version=? AND chunk=0`, chunk, version)
	l.load(failed, "the chunks have crc32c", whole...)
}

func TestLoadFolder(t *testing.T) {
	l := newLoading(t)
	l.file("pets/dog/1.txt", []byte("woof"))
	l.file("pets/cat/1.txt", []byte("meow"))
	l.file("pets/cat/2.txt", []byte("purr"))
	pets := filepath.Join(l.dir, "pets")
	l.load(done, "labels are 0 cat, 1 dog", "--dataset", "pets", "--split", "train", "--verify", pets)
	l.file("test/dog/1.txt", []byte("wuff"))
	test := filepath.Join(l.dir, "test")
	l.load(failed, `"cat" is 0, "cat" has no label here`, "--dataset", "pets", "--split", "test", test)
	l.load(done, "labels are 0 cat, 1 dog", "--dataset", "pets", "--split", "test", "--label-names", "cat,dog", "--pickle", test)
	var data []byte
	var label int
	if err := l.session.Query(`SELECT data, label FROM samples WHERE dataset='pets' AND split='train' AND shard=0 AND idx=2`).Scan(&data, &label); err != nil || string(data) != "woof" || label != 1 {
		t.Errorf("stored is %q %d (%v)", data, label, err)
	}
	if err := l.session.Query(`SELECT data, label FROM samples WHERE dataset='pets' AND split='test' AND shard=0 AND idx=0`).Scan(&data, &label); err != nil || !bytes.Contains(data, []byte("wuff")) || label != 1 {
		t.Errorf("stored is %q %d (%v)", data, label, err)
	}
	var name string
	if err := l.session.Query(`SELECT name FROM labels WHERE dataset='pets' AND split='train' AND label=1`).Scan(&name); err != nil || name != "dog" {
		t.Errorf("label 1 is %q (%v)", name, err)
	}
}

func TestLoadTable(t *testing.T) {
	l := newLoading(t)
	users := l.file("users.csv", []byte("id,age,embedding\n1,30,\"[0.5, 1]\"\n2,,\n"))
	table := l.keyspace + ".users"
	l.load(failed, "no such table", "--table", table, users)
	l.load(failed, `no column "nope"`, "--table", table, "--create", "--key", "nope", users)
	l.load(done, "users: verified, 2 rows", "--table", table, "--create", "--key", "id", "--verify", users)
	l.load(done, "2 rows stored already", "--table", table, "--resume", users)
	more := l.file("more", []byte(`{"id": 3, "age": 40, "embedding": [2, 3]}`+"\n"+`{"id": 4, "age": "x"}`+"\n"))
	l.load(failed, `line 2, at byte 42: column age: "x" is no bigint`, "--table", table, more)
	if n := l.count("users"); n != 2 {
		t.Errorf("%d rows, want the 2 before the file that is broken", n)
	}
	l.exec(`UPDATE users SET age = 31 WHERE id = 1`)
	l.load(failed, "row 0 differs in age; 1 of 2 rows differ", "--table", table, "--verify-only", users)
	l.load(done, "1 row stored already", "--table", table, "--resume", users)
	l.load(done, "verified, 2 rows", "--table", table, "--verify-only", users)
}

func TestLoadSweeps(t *testing.T) {
	l := newLoading(t)
	for i := range 3 {
		l.load(done, "1 chunk", "--dataset", "d", "--object", "--name", "o", l.file("x", random(i+1)))
	}
	l.load(done, "swept 1 object: 0 versions removed (0 bytes), 2 in their grace", "--sweep", "--dataset", "d")
	l.load(done, "swept 0 objects", "--sweep", "--dataset", "other", "--grace", "1ns")
	l.load(done, "swept 1 object: 2 versions removed (3 bytes), 0 in their grace", "--sweep", "--grace", "1ns")
	if n := l.count("chunks"); n != 1 {
		t.Errorf("%d chunks are left, want 1", n)
	}
	l.load(done, "object of 3 bytes", "--dataset", "d", "--object", "--name", "o", "--verify-only")
}
