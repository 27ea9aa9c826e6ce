package cassandra_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"forebay/backend/cassandra"
	"forebay/internal/testkit"
)

// An interrupted load is gone on with: what is stored and equal is not written again, whatever differs is.
func TestLoaderResumes(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	var last cassandra.Progress
	stop := 0
	ctx, cancel := context.WithCancel(t.Context())
	l := openLoader(t, cassandra.LoaderOptions{
		Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace},
		Resume:  true,
		Progress: func(p cassandra.Progress) {
			if last = p; p.Done == stop {
				cancel()
			}
		},
	})
	m := made{n: 2500, size: 60, seed: 7, labelled: true}
	stop = 1500
	if _, err := l.Load(ctx, "d", "s", m); !errors.Is(err, context.Canceled) {
		t.Fatalf("a load that is interrupted gives %v", err)
	}
	if _, err := l.Verify(t.Context(), "d", "s"); !errors.Is(err, cassandra.ErrDamaged) || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("an interrupted load is verified: %v", err)
	}
	stop = 0
	load(t, l, "s", m)
	holds(t, server.Addr, keyspace, "s", m)
	if last.Done != 2500 || last.Skipped < 1500 || last.Skipped > 1500+cassandra.DefaultInFlight {
		t.Errorf("progress of the second load: %+v, want some 1500 skipped", last)
	}
	if v, err := l.Verify(t.Context(), "d", "s"); err != nil || v.Samples != 2500 || v.Bytes != 150000 {
		t.Errorf("verify: %+v and %v", v, err)
	}

	exec(t, session, `UPDATE samples SET label = 99 WHERE dataset='d' AND split='s' AND shard=0 AND idx=5`)
	exec(t, session, `UPDATE samples SET crc32c = 1 WHERE dataset='d' AND split='s' AND shard=1 AND idx=1030`)
	exec(t, session, `DELETE FROM samples WHERE dataset='d' AND split='s' AND shard=2 AND idx=2499`)
	exec(t, session, `INSERT INTO samples (dataset, split, shard, idx) VALUES ('d', 's', 2, 2498)`)
	exec(t, session, `UPDATE samples SET crc32c = null WHERE dataset='d' AND split='s' AND shard=2 AND idx=2498`)
	load(t, l, "s", m)
	holds(t, server.Addr, keyspace, "s", m)
	if last.Done-last.Skipped != 4 {
		t.Errorf("%d rows were written again, want the 4 that differ", last.Done-last.Skipped)
	}
	// Longer, shorter, and without labels: the rest is as after a load from nothing.
	for _, m := range []made{{n: 3000, size: 60, seed: 7, labelled: true}, {n: 1024, size: 60, seed: 7}} {
		load(t, l, "s", m)
		holds(t, server.Addr, keyspace, "s", m)
	}
}

func TestVerifyFindsWhatIsDamaged(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	l := openLoader(t, cassandra.LoaderOptions{Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace}})
	m := made{n: 2048, size: 9, seed: 1, labelled: true}
	load(t, l, "s", m)
	where := ` WHERE dataset='d' AND split='s' AND shard=1 AND idx=1500`
	flipped := m.data(1500)
	flipped[3] ^= 1
	for _, test := range []struct {
		name, cql string
		args      []any
		says      string
	}{
		{"one bit", `UPDATE samples SET data = ?` + where, []any{flipped}, "sample 1500 has crc32c"},
		{"a checksum", `UPDATE samples SET crc32c = 5` + where, nil, "its row says 00000005"},
		{"no checksum", `UPDATE samples SET crc32c = null` + where, nil, "sample 1500 has no checksum"},
		{"no row", `DELETE FROM samples` + where, nil, "sample 1500 is missing"},
		{"the last row", `DELETE FROM samples WHERE dataset='d' AND split='s' AND shard=1 AND idx=2047`, nil, "2047 samples, not 2048"},
		{"a row too many", `INSERT INTO samples (dataset, split, shard, idx, data, crc32c) VALUES ('d', 's', 2, 2048, 0x, 0)`, nil, "one too many"},
		{"a whole shard", `DELETE FROM samples WHERE dataset='d' AND split='s' AND shard=0`, nil, "sample 0 is missing"},
		{"the split's checksum", `UPDATE datasets SET crc32c = 1 WHERE dataset='d' AND split='s'`, nil, "all samples together"},
	} {
		exec(t, session, test.cql, test.args...)
		if _, err := l.Verify(t.Context(), "d", "s"); !errors.Is(err, cassandra.ErrDamaged) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: verify gives %v, want %q", test.name, err, test.says)
		}
		load(t, l, "s", m)
		exec(t, session, `DELETE FROM samples WHERE dataset='d' AND split='s' AND shard=2`)
		if _, err := l.Verify(t.Context(), "d", "s"); err != nil {
			t.Fatalf("%s: loaded again, verify gives %v", test.name, err)
		}
	}
	if _, err := l.Verify(t.Context(), "d", "none"); !errors.Is(err, cassandra.ErrDamaged) {
		t.Errorf("a split that is not there: %v", err)
	}
}

func TestLabelNames(t *testing.T) {
	server := testkit.Cassandra(t)
	l := openLoader(t, cassandra.LoaderOptions{Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: testkit.Keyspace(t, server.Addr)}})
	for _, test := range []struct {
		split string
		names []string
		says  string
	}{
		{"train", []string{"bird", "cat", "dog"}, ""},
		{"test", []string{"cat", "dog"}, `in d/train "bird" is 0, "bird" has no label here`},
		{"test", []string{"bird", "dog", "cat"}, `"cat" is 1, "cat" is 2 here`},
		{"test", []string{"bird", "cat", "dog", "eel"}, ""},
		{"train", []string{"bird", "cat"}, `"dog" has no label here`},
		{"test", []string{"bird", "cat", "dog"}, ""},
		{"train", []string{"bird", "cat", "dog"}, ""},
	} {
		err := l.StoreLabels(t.Context(), "d", test.split, test.names)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %v: %v, want %q", test.split, test.names, err, test.says)
		}
	}
}
