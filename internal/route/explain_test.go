package route_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"forebay/internal/route"
)

func TestExplainShowsRoutePartsQueryAndTTL(t *testing.T) {
	s := samplesSpec()
	s.Jitter = 0.1
	table := compile(t, s)
	const head = `key    mnist:train:-5
route  mnist: mnist:{split:train|test}:{idx:int} (db 0)
part   split = train (alternatives)
part   idx = -5 (int)
`
	for _, tt := range []struct{ name, want string }{
		{"not bound", head + `query  SELECT data FROM samples WHERE dataset = 'mnist' AND split = 'train' AND shard = -1 AND idx = -5
note   not checked against the source
ttl    1h0m0s, up to 10% shorter
`},
		{"bound", head + `query  SELECT data FROM samples WHERE dataset = 'mnist' AND split = 'train' AND shard = -1 AND idx = -5
note   misses that differ only in idx are loaded together
ttl    1h0m0s, up to 10% shorter
`},
	} {
		if tt.name == "bound" {
			bound(t, table)
		}
		got, err := table.Explain(0, []byte("mnist:train:-5"))
		if err != nil || got != tt.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", tt.name, err, got, tt.want)
		}
	}
}

func TestExplainShowsAges(t *testing.T) {
	s := samplesSpec()
	s.RefreshAhead, s.StaleWhileRevalidate, s.StaleIfError = time.Minute, 30*time.Second, 2*time.Hour
	got, err := compile(t, s).Explain(0, []byte("mnist:train:-5"))
	if want := "ttl    1h0m0s; refreshed 1m0s ahead; stale for 30s while revalidated; stale for 2h0m0s if the source fails\n"; err != nil || !strings.HasSuffix(got, want) {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestExplainShowsWhatElseARouteDoes(t *testing.T) {
	s := samplesSpec()
	s.Sliding, s.AbsentTTL, s.ReadAhead = true, 5*time.Second, 8<<20
	got, err := compile(t, s).Explain(0, []byte("mnist:train:-5"))
	want := "note   a miss loads the rest of its partition too, up to 8388608 bytes\nttl    1h0m0s; extended by reads\nabsent remembered for 5s\n"
	if err != nil || !strings.HasSuffix(got, want) {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestExplainSaysThatNoRowCanHaveTheKey(t *testing.T) {
	table := compile(t, samplesSpec())
	bound(t, table)
	got, err := table.Explain(0, []byte("mnist:train:9223372036854775807"))
	if err != nil || !strings.Contains(got, "note   no row can have this key") {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestExplainShowsCQLAndQuotedText(t *testing.T) {
	s := spec("r", "k:{a}:{b:rest}")
	s.Value, s.Table, s.Where, s.CQL = "", "", nil, "SELECT v FROM t WHERE a = :a AND b = :b"
	table := compile(t, s)
	bound(t, table)
	got, err := table.Explain(0, []byte("k:it's:\x00\n"))
	for _, want := range []string{"query  " + s.CQL + "\n", "bind   :a = 'it''s'\n", `part   b = "\x00\n" (rest)` + "\n"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%v lacks %q:\n%s", err, want, got)
		}
	}
}

func TestExplainTellsWhyNoRouteMatches(t *testing.T) {
	db3 := spec("three", "other:{x}")
	db3.DB = 3
	id := spec("image", "img:{id:uuid}")
	mid := spec("middle", "a:{x:int}:{y:hex}.npy")
	table := compile(t, samplesSpec(), db3, id, spec("plain", "config"), mid)
	tests := []struct{ key, want string }{
		{"mnist:train:007", "mnist (mnist:{split:train|test}:{idx:int}): idx: 007 is not the canonical spelling of an int (7 is)"},
		{"mnist:train:+7", "idx: +7 is not the canonical spelling of an int (7 is)"},
		{"mnist:train:abc", "idx: abc is no int"},
		{"mnist:train:", "idx: is empty"},
		{"mnist:train:99999999999999999999", "idx: 99999999999999999999 does not fit 64 bits"},
		{"mnist:val:7", "split: val is none of train, test"},
		{"mnist:train", `split: no : follows it`},
		{"img:01234567-89AB-cdef-0123-456789abcdef", "is not the canonical spelling of a uuid (lower-case is)"},
		{"img:7", "id: 7 is no uuid"},
		{"a:1:FF.npy", "y: FF is not lower-case hexadecimal digits"},
		{"a:1:ff", "the key does not end in .npy"},
		{"a:01:ff.npy", "x: 01 is not the canonical spelling of an int (1 is)"},
		{"other:x", "three (other:{x}): would match in database 3"},
		{"configs", "the key goes on after config"},
		{"zzz", "no route's literal prefix begins this key"},
		{strings.Repeat("z", 300), "… (300 bytes)"},
	}
	for _, tt := range tests {
		out, err := table.Explain(0, []byte(tt.key))
		if !errors.Is(err, route.ErrUnrouted) || !strings.Contains(err.Error(), tt.want) || out != "" {
			t.Errorf("%q: %q, error %v, want one with %q", tt.key, out, err, tt.want)
		}
	}
}
