package e2e_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func TestRefusals(t *testing.T) {
	addr, keyspace := stored.digits(t)
	plain := testkit.Redis(t)
	cluster := testkit.Redis(t, "--cluster-enabled", "yes", "--cluster-config-file", filepath.Join(t.TempDir(), "nodes.conf"))
	for _, tt := range []struct {
		name   string
		setup  setup
		status int
		want   []string // of each line of standard error
	}{
		{
			"a Redis in cluster mode",
			setup{redis: cluster.Addr, cassandra: addr, keyspace: keyspace, routes: digitsRoutes},
			1,
			[]string{"cluster mode"},
		},
		{
			"a query that scans",
			setup{redis: plain.Addr, cassandra: addr, keyspace: keyspace, routes: `
  - name: scan
    key: "scan:{split}:{idx:int}"
    table: samples
    where: {dataset: digits, split: "{split}"}
    value: data
`},
			2,
			[]string{`route "scan": where: lacks shard of the partition key of samples`, `route "scan": where: lacks the clustering column idx`},
		},
		{
			"a hash of columns that are not there",
			setup{redis: plain.Addr, cassandra: addr, keyspace: keyspace, routes: `
  - name: rows
    key: "row:{split}:{idx:int}"
    table: samples
    where: {dataset: digits, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    hash: [lable, data]
`},
			2,
			[]string{`route "rows": hash: samples has no column lable; did you mean label\?`},
		},
		{
			"five mistakes",
			setup{redis: "nowhere", broker: "kafka", topic: "a topic", routes: `
  - name: a
    key: "a:{x}"
    table: t
    where: {x: "{x}"}
    value: v
  - name: a
    key: "b:{x}"
    table: t
    where: {x: "{x}"}
    value: v
`, more: "budget: 10m\n"},
			2,
			[]string{
				`:3: redis\.address: "nowhere": want `, `:4: events\.kafka\.brokers.*"kafka": want `, `:4: events\.kafka\.topic: "a topic": want `,
				`:12: routes\[1\]\.name: "a": want `, `:17: budget: 10m: want 10ms to 1m`,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.setup, tt.status, tt.want) })
	}
}

// refused wants "forebay serve" to end at once, with the status and the lines on standard error.
func refused(t *testing.T, s setup, want int, messages []string) {
	t.Helper()
	status, stdout, stderr := run(t, "serve", "--log.level=error", "--config="+s.write(t))
	t.Logf("status %d\n%s", status, stderr)
	if status != want || stdout != "" {
		t.Errorf("status %d, want %d; stdout %q", status, want, stdout)
	}
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if len(lines) != len(messages) {
		t.Fatalf("%d lines, want %d", len(lines), len(messages))
	}
	for i, want := range messages {
		if !strings.HasPrefix(lines[i], "forebay: ") || !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d is %q, want %s", i+1, lines[i], want)
		}
	}
}

func TestWarningsAboutRedis(t *testing.T) {
	risky := testkit.Redis(t, "--save", "3600 1", "--appendonly", "yes")
	f := serve(t, setup{redis: risky.Addr})
	log := f.log()
	for _, want := range []string{"no maxmemory", "noeviction", "appendonly", "save"} {
		if !strings.Contains(log, want) {
			t.Errorf("no warning about %s:\n%s", want, log)
		}
	}
	f.terminate(t)
}
