package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// rowFaults are those of what Cassandra holds.
func rowFaults() []fault {
	return []fault{
		{"object with a missing chunk", func(t *testing.T, o *outcome) {
			tornObject(t, o, "missing", "DELETE FROM chunks WHERE dataset = 'big' AND name = ? AND version = ? AND chunk = 1")
		}},
		{"object with a chunk that is cut short", func(t *testing.T, o *outcome) {
			tornObject(t, o, "short", "UPDATE chunks SET data = 0x00 WHERE dataset = 'big' AND name = ? AND version = ? AND chunk = 1")
		}},
		{"object with a chunk of another's bytes", tornByBytes},
		{"row larger than its route admits (8 MiB)", rowOversize},
		{"row with a wrong checksum", rowChecksum},
	}
}

// object is one in the shared keyspace, and a fleet that serves it.
type object struct {
	*fleet
	name, version string
	data          []byte
	exec          func(statement string, args ...any) error
}

func newObject(t *testing.T, name string) *object {
	t.Helper()
	addr, keyspace := stored.digits(t)
	x := &object{name: "fault-" + name, data: storeObject(t, addr, keyspace, "fault-"+name, 700_000)}
	db := testkit.Session(t, addr, keyspace)
	must(t, db.Query("SELECT version FROM objects WHERE dataset = 'big' AND name = ?", x.name).Scan(&x.version))
	x.exec = func(statement string, args ...any) error { return db.Query(statement, args...).Exec() }
	x.fleet = newFleet(t, &rows{server: testkit.Cassandra(t), keyspace: keyspace}, 2, func(s *setup) { s.routes = objectRoutes })
	return x
}

// whole asks for it.
func (x *object) whole(command ...any) question {
	return question{append(command[:1:1], append([]any{"whole:" + x.name}, command[1:]...)...), func(reply any) error {
		text, _ := reply.(string)
		want := string(x.data)
		if command[0] == "GETRANGE" {
			want = want[:10]
		}
		if text != want {
			return fmt.Errorf("%d bytes, not those stored", len(text))
		}
		return nil
	}}
}

func tornObject(t *testing.T, o *outcome, name, how string) {
	x := newObject(t, name)
	must(t, x.exec(how, x.name, x.version))
	x.refused(t, o)
}

// The object's header is right, and so is each chunk's length.
func tornByBytes(t *testing.T, o *outcome) {
	x := newObject(t, "bytes")
	other := []byte(strings.Repeat("x", 256<<10))
	must(t, x.exec("UPDATE chunks SET data = ? WHERE dataset = 'big' AND name = ? AND version = ? AND chunk = 1", other, x.name, x.version))
	x.refused(t, o)
}

// refused wants the torn object refused whoever asks and however, and whole again as soon as it is stored anew.
func (x *object) refused(t *testing.T, o *outcome) {
	t.Helper()
	var readers []*readers
	for _, at := range x.all {
		readers = append(readers, at.ask(t, 2, func(reader, _ int) question {
			if reader == 0 {
				return x.whole("GETRANGE", 0, 9)
			}
			return x.whole("GET")
		}))
	}
	for _, r := range readers {
		r.more(t, 10)
	}
	for _, r := range readers {
		o.add(t, "readers", r.stop(), "SOURCEINVALID", "SOURCETIMEOUT")
	}
	if n := x.redis.Do(t, "EXISTS", "whole:"+x.name); n != int64(0) {
		t.Error("it is stored")
	}
	if left := fmt.Sprint(x.redis.Do(t, "KEYS", "*stage*")); left != "[]" {
		t.Errorf("left: %s", left)
	}
	storeObject(t, x.rows.server.Addr, x.rows.keyspace, x.name, len(x.data))
	began, c := time.Now(), x.all[1].client(t)
	o.recovers(t, began, "it is read, once stored anew", func() bool { return x.whole("GET").put(c).word == "value" })
}

// ruled is rows with rules for their values.
func ruled(t *testing.T) *fleet {
	t.Helper()
	r := taggedRows(t, "ASC", perPartition)
	return newFleet(t, r, 2, func(s *setup) { s.routes = r.routes("validate: {max_bytes: 1KiB, checksum: crc32c}") })
}

// wantInvalid wants a row refused, alone and among others, and whole as soon as it is mended.
func (f *fleet) wantInvalid(t *testing.T, o *outcome, row int) {
	t.Helper()
	var readers []*readers
	for _, at := range f.all {
		readers = append(readers, at.ask(t, 3, func(reader, _ int) question {
			return []question{f.rows.get(row), f.rows.get(row+1, row), f.rows.get(row + 2)}[reader]
		}))
	}
	for _, r := range readers {
		r.more(t, 9)
	}
	for _, r := range readers {
		o.add(t, "readers", r.stop(), "SOURCEINVALID", "value", "SOURCETIMEOUT") // of the row, and of its neighbour
	}
	c := f.all[0].client(t)
	o.add(t, "the row", []reading{f.rows.get(row).put(c)}, "SOURCEINVALID")
	if n := f.redis.Do(t, "EXISTS", taggedKey(row)); n != int64(0) {
		t.Error("it is stored")
	}
	must(t, f.rows.put(row, tag(row, 1)))
	began := time.Now()
	o.recovers(t, began, "it is read, once mended", func() bool { return f.rows.get(row).put(c).word == "value" })
	f.rows.wantCacheRight(t, f.redis, perPartition)
}

func rowOversize(t *testing.T, o *outcome) {
	f := ruled(t)
	must(t, f.rows.put(7, strings.Repeat("x", 8<<20)))
	f.wantInvalid(t, o, 7)
}

func rowChecksum(t *testing.T, o *outcome) {
	f := ruled(t)
	must(t, f.rows.putWith(7, tag(7, 1)[:taggedSize-1]+"x", checksum(tag(7, 1))))
	f.wantInvalid(t, o, 7)
}
