package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// value is the path of a key's value.
const value = "/api/v1/values/"

func TestValuesByHTTP(t *testing.T) {
	server := testkit.RedisUnix(t)
	in := serve(t, "--redis.address=unix://"+server.Addr)
	events := follow(t, in, "?kind=hit,miss")
	server.Do(t, "SET", "plain", "text")
	server.Do(t, "RPUSH", "list", "x")
	for _, tt := range []struct {
		key    string
		status int
		body   string // part of it
		want   liveEvent
	}{
		{"digits:test:0:npy", http.StatusOK, "NUMPY", liveEvent{Kind: "miss", Route: "digits-npy", Origin: "source", Result: "loaded"}},
		{"digits:test:0:npy", http.StatusOK, "NUMPY", liveEvent{Kind: "hit", Route: "digits-npy", Origin: "redis"}},
		{"plain", http.StatusOK, "text", liveEvent{Kind: "hit", Origin: "redis"}},
		{"digits:test:360", http.StatusNotFound, `"absent"`, liveEvent{Kind: "miss", Route: "digits", Result: "absent"}},
		{"nothing", http.StatusNotFound, `"unrouted"`, liveEvent{Kind: "miss", Result: "unrouted"}},
		{"list", http.StatusConflict, `"wrong-type"`, liveEvent{Kind: "miss", Result: "error"}},
	} {
		status, body := in.get(t, value+tt.key)
		if status != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%s answers %d %q", tt.key, status, body)
		}
		tt.want.Key, tt.want.By = tt.key, "http"
		if got := next(t, events); got != tt.want {
			t.Errorf("%s gives the event %+v, want %+v", tt.key, got, tt.want)
		}
	}
	if got := server.Do(t, "EXISTS", "digits:test:0:npy"); got != int64(1) {
		t.Error("the loaded value is not in Redis")
	}
	info, err := in.client(t).Info(t.Context(), "forebay").Result()
	if err != nil || !strings.Contains(info, "forebay_hits:2\r\nforebay_misses:4\r\n") {
		t.Errorf("INFO does not count reads by HTTP: %v\n%s", err, info)
	}
}

func TestValuesByHTTPAreForWhoMayRead(t *testing.T) {
	server := testkit.Redis(t)
	server.Do(t, "ACL", "SETUSER", "reader", "on", ">secret", "~*", "+get")
	server.Do(t, "ACL", "SETUSER", "other", "on", ">secret", "~other:*", "+get")
	in := serve(t, "--redis.address="+server.Addr, "--http.auth=redis")
	as := func(user, pass string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, pass) }
	}
	for name, tt := range map[string]struct {
		login  func(*http.Request)
		status int
	}{
		"one who may read":      {as("reader", "secret"), http.StatusOK},
		"one of some keys":      {as("other", "secret"), http.StatusForbidden},
		"one with a wrong word": {as("reader", "guess"), http.StatusUnauthorized},
		"one who says no name":  {func(*http.Request) {}, http.StatusUnauthorized},
		"one whom nobody knows": {as("nobody", "secret"), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := in.get(t, value+"digits:test:0", tt.login); status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	server := testkit.Redis(t)
	in := serve(t, "--redis.address="+server.Addr)
	health := func() (status int, stdout string) {
		var out, errs bytes.Buffer
		status = run(t.Context(), []string{"health", "--url=http://" + in.http}, nil, &out, &errs)
		return status, out.String()
	}
	status, text := health()
	if status != done || !strings.Contains(text, `"status": "ok"`) {
		t.Errorf("status %d: %s", status, text)
	}
	for _, check := range []string{"reads", "redis", "digits", "routes", "notifications"} {
		if !strings.Contains(text, `"name":"`+check+`","ok":true`) {
			t.Errorf("check %s is not fine: %s", check, text)
		}
	}
	server.Kill()
	eventually(t, "health names Redis", func() bool {
		status, text = health()
		return strings.Contains(text, `"name":"redis","ok":false`)
	})
	if status != done || !strings.Contains(text, `"status": "degraded"`) {
		t.Errorf("without Redis, but with its source: status %d: %s", status, text)
	}
	// The routes are known to people as they are configured.
	if _, body := in.get(t, "/api/v1/routes"); !strings.Contains(body, "digits:{split:train|test}:{idx:int}") ||
		!strings.Contains(body, "shard = {idx / 1024}") {
		t.Errorf("routes: %s", body)
	}
}
