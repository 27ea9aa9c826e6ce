package e2e_test

import (
	"syscall"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// processFaults are those of Forebay itself.
func processFaults() []fault {
	return []fault{
		{"SIGTERM under load, clients stop sending", func(t *testing.T, o *outcome) { terminated(t, o, false) }},
		{"SIGTERM under load, clients go on sending", func(t *testing.T, o *outcome) { terminated(t, o, true) }},
		{"SIGKILL of one of two Forebays under load, with writers at both", killed},
	}
}

// What a killed process had under way is lost; nothing of it is wrong, neither in Redis nor at the other Forebay.
func killed(t *testing.T, o *outcome) {
	f := newFleet(t, taggedRows(t, "ASC", 2*perPartition), 2, contest)
	survivors, reader := f.contestants(t, f.all[0], 0)
	_, until := testkit.Soak()
	for more := true; more; more = time.Now().Before(until) {
		victims, other := f.contestants(t, f.all[1], 1)
		other.more(t, 100)
		victims[0].more(t, 50)
		f.all[1].process.Signal(syscall.SIGKILL)
		dead := time.Now()
		reader.more(t, 50)
		for _, r := range append(victims, other) {
			before, after := split(r.stop(), dead)
			o.add(t, "at the killed one, before", before, append(closed(), "value", "SOURCETIMEOUT")...)
			o.count(after)
			wantOnly(t, "at the killed one, after", after, closed()...)
		}
		f.all[1] = serve(t, f.setup)
		c := f.all[1].client(t)
		o.recovers(t, dead, "another is started and loads", func() bool {
			return f.rows.get(perPartition+60).put(c).word == "value" && ask(c, "DEL", taggedKey(perPartition+60)).word == "value"
		})
	}
	for _, w := range survivors {
		o.add(t, "writers at the other", w.stop(), "value")
	}
	o.add(t, "readers at the other", reader.stop(), "value", "SOURCETIMEOUT")
	f.rows.wantCacheRight(t, f.redis, 2*perPartition)
}
