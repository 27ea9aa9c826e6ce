package e2e_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const hashRoutes = `
  - name: rows
    key: "row:{split:train|test}:{idx:int}"
    table: samples
    where: {dataset: plain, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    hash: [label, data]
`

// TestHashesByHTTP reads rows as JSON, loaded and cached, and what is no hash.
func TestHashesByHTTP(t *testing.T) {
	t.Parallel()
	s := newStack(t, func(s *setup) { s.routes = hashRoutes })
	c := s.client(t)
	ask := func(what, want string) {
		t.Helper()
		a := s.get(t, "/api/v1/values/row:test:1")
		if a.status != 200 || a.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s %s", what, a.status, a.header.Get("Content-Type"), a.body)
		}
		if a.body != want && want != "" {
			t.Errorf("%s: %s, want %s", what, a.body, want)
		}
	}
	ask("loaded", "")
	fields, err := c.HGetAll(t.Context(), "row:test:1").Result()
	must(t, err)
	var text map[string]any
	must(t, json.Unmarshal([]byte(s.get(t, "/api/v1/values/row:test:1").body), &text))
	if len(fields) != 2 || len(text) != 2 || text["label"] != fields["label"] || fields["label"] == "" || text["data"] == "" {
		t.Errorf("HTTP gives %v, HGETALL %q", text, fields)
	}
	must(t, c.HSet(t.Context(), "row:test:1", "data", "\xff\x00").Err())
	ask("what a client wrote", `{"data":{"base64":"/wA="},"label":"`+fields["label"]+"\"}\n")
	if a := s.get(t, "/api/v1/values/row:test:999999"); a.status != 404 || !strings.Contains(a.body, `"absent"`) {
		t.Errorf("an absent row: %d %s", a.status, a.body)
	}
	must(t, c.Set(t.Context(), "row:test:2", "a string", 0).Err())
	if a := s.get(t, "/api/v1/values/row:test:2"); a.status != 409 || !strings.Contains(a.body, `"wrong-type"`) {
		t.Errorf("a string where the route gives hashes: %d %s", a.status, a.body)
	}
	var kinds []string
	for _, e := range s.end(t).of("hit", "miss") {
		if e.By == "http" {
			kinds = append(kinds, e.Kind+" "+e.Result)
		}
	}
	slices.Sort(kinds) // those of different keys may lie in different partitions
	if got, want := strings.Join(kinds, ", "), "hit , hit , miss absent, miss error, miss loaded"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}
}
