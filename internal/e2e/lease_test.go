package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A thousand clients of three processes that ask for one cold key at the same moment are one read of Cassandra, by its own counter.
func TestAThousandClientsAreOneRead(t *testing.T) {
	t.Parallel()
	r := taggedRows(t, "ASC", 4*perPartition)
	f := newFleet(t, r, 3, nil)
	before := r.reads(t)
	must(t, r.exec("SELECT data FROM "+r.table+" WHERE part = 0 AND idx = 1"))
	if n := r.reads(t) - before; n != 1 {
		t.Fatalf("Cassandra counts %d for one read of a row: the counter is no measure", n)
	}
	for round, row := range []int{7, perPartition + 7, 2*perPartition + 7} {
		before = r.reads(t)
		list := herd(t, f.all, 1000, func(int) string { return "GET " + taggedKey(row) })
		wantWords(t, fmt.Sprintf("round %d", round), readings(list), inTime, "value")
		for _, h := range list {
			if err := r.right(row, 1, h.reply); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.reads(t) - before; n != 1 {
			t.Errorf("Cassandra counts %d reads", n)
		}
	}
}

// A cold MGET of 64 keys of one partition is one query, and three round trips with Redis at most: the MGET itself, the leases, the fills.
func TestAColdMGETIsOneQuery(t *testing.T) {
	t.Parallel()
	r := taggedRows(t, "ASC", 2*perPartition)
	f := newFleet(t, r, 1, nil)
	c := f.all[0].client(t)
	eventually(t, "Redis knows the scripts, and this user", func() bool {
		return r.get(0).put(c).word == "value" && f.redis.Do(t, "EXISTS", taggedKey(0)) == int64(1)
	})
	var idx []int
	for i := range perPartition {
		idx = append(idx, perPartition+i)
	}
	before, m := r.reads(t), newMonitor(t, f.redis)
	q := r.get(idx...)
	reply, err := c.Do(t.Context(), q.args...).Result()
	must(t, err)
	must(t, q.judge(reply))
	var names []string
	list := m.commands(t)
	for _, command := range list {
		name, _, _ := strings.Cut(command, " ")
		names = append(names, strings.ToUpper(strings.Trim(name, `"`)))
	}
	// Each is sent when the one before it is answered.
	if !slices.Equal(names, []string{"MGET", "EVALSHA", "EVALSHA"}) {
		t.Errorf("Redis was sent %v:\n%s", names, strings.Join(list, "\n"))
	}
	if n := r.reads(t) - before; n != 1 {
		t.Errorf("Cassandra counts %d reads", n)
	}
	if held := r.wantCacheRight(t, f.redis, 2*perPartition); held != 1+perPartition {
		t.Errorf("%d values are stored", held)
	}
	t.Logf("MGET of %d keys: %s, 1 query", len(idx), strings.Join(names, ", "))
}

// With read_ahead one miss is one query of its partition, in whatever order that is stored, and its neighbours are hits.
func TestReadAheadIsOneQuery(t *testing.T) {
	for _, order := range []string{"ASC", "DESC"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			r := taggedRows(t, order, 3*perPartition)
			f := newFleet(t, r, 1, func(s *setup) { s.routes = r.routes("read_ahead: partition") })
			c, before := f.all[0].client(t), r.reads(t)
			for part := range 3 {
				q := r.get(part*perPartition + 20*part) // the first of one, the middle of others
				reply, err := c.Do(t.Context(), q.args...).Result()
				must(t, err)
				must(t, q.judge(reply))
				eventually(t, "the partition is stored", func() bool {
					return r.wantCacheRight(t, f.redis, 3*perPartition) == (part+1)*perPartition
				})
			}
			if n := r.reads(t) - before; n != 3 {
				t.Errorf("Cassandra counts %d reads of 3 partitions", n)
			}
			hits := f.all[0].info(t, "hits")
			for i := range 3 * perPartition {
				q := r.get(i)
				reply, err := c.Do(t.Context(), q.args...).Result()
				must(t, err)
				must(t, q.judge(reply))
			}
			if n := f.all[0].info(t, "hits") - hits; n != 3*perPartition {
				t.Errorf("%d of %d reads of the neighbours are hits", n, 3*perPartition)
			}
			if n := r.reads(t) - before; n != 3 {
				t.Errorf("Cassandra counts %d reads, neighbours included", n)
			}
		})
	}
}
