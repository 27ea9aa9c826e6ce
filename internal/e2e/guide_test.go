package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// guide is the text of the guide from cache-aside code to Forebay.
func guide(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../examples/GUIDE.md")
	must(t, err)
	return string(b)
}

func TestGuideShowsTheCodeThatIsTested(t *testing.T) {
	for _, name := range []string{"before", "after"} {
		b, err := os.ReadFile("../../examples/guide/" + name + ".py")
		must(t, err)
		_, code, _ := strings.Cut(string(b), "\"\"\"\n\n")
		if code == "" || !strings.Contains(guide(t), "```python\n"+code+"```\n") {
			t.Errorf("GUIDE.md does not show guide/%s.py", name)
		}
	}
}

// migration reads every test sample in the ways of the guide: before, after, before's code on Forebay's URL, and before again.
const migration = `
import sys
sys.path.insert(0, "../../examples/guide")
import after, before
redis_url, forebay_url, host, port, keyspace = sys.argv[1:]
every = list(range(360)) + [360]  # the last does not exist
old = before.Samples(redis_url, [host], int(port), keyspace)
new = after.Samples(forebay_url)
mixed = before.Samples(forebay_url, [host], int(port), keyspace)

def same(a, b):
    assert len(a) == len(b) == len(every) and a[-1] is None and None not in a[:-1] and a == b

values = old.get("test", every)
assert old.cache.dbsize() == 360 and 0 < old.cache.ttl("digits:test:7") <= 3600
same(new.get("test", every), values)       # what is cached already is hit
old.cache.flushall()
same(new.get("test", every), values)       # and loaded where it is not
same(old.get("test", every), values)       # back: the same bytes
old.cache.flushall()
mixed.session = None                       # its own path to Cassandra is never taken
assert mixed.get("test", every[:-1]) == values[:-1]
for samples in (old, new, mixed):
    samples.close()
print("the same")
`

func TestGuideFromCacheAsideAndBack(t *testing.T) {
	t.Parallel()
	routes := regexp.MustCompile("(?s)```yaml\nroutes:(.*?)```").FindStringSubmatch(guide(t))
	if routes == nil {
		t.Fatal("GUIDE.md has no routes")
	}
	python := testkit.Python(t, "cassandra-driver==3.30.1", "numpy", "redis==8.1.0")
	s := newStack(t, func(c *setup) { c.routes = routes[1] })
	host, port, err := net.SplitHostPort(s.setup.cassandra)
	must(t, err)
	out, err := exec.CommandContext(t.Context(), python, "-c", migration,
		s.redis.URL(), s.url()+"?client_name=run-42", host, port, s.setup.keyspace).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "the same\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	events := s.end(t)
	events.wantWhole(t)
	hits, loaded := 0, 0
	for _, e := range events.of("hit", "miss") {
		switch {
		case e.Kind == "hit":
			hits++
		case e.Result == "loaded":
			loaded++
		}
	}
	if hits != testSize || loaded != 2*testSize {
		t.Errorf("%d hits and %d loaded, want %d and %d: %s", hits, loaded, testSize, 2*testSize, events.kinds())
	}
	wantSession(t, events, "run-42")
}
