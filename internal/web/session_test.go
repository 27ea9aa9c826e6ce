package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/session"
	"forebay/internal/web"
)

// sessions is a Sessions that has "run" and "a/b", and keeps what it is asked to do.
type sessions struct {
	err, canEnd, endErr error
	did                 *[]string
}

func (s sessions) List(context.Context) ([]session.Info, error) {
	return []session.Info{{Name: "run", Counts: session.Counts{Hits: 3}}}, s.err
}

func (s sessions) Info(_ context.Context, name string) (session.Info, error) {
	switch {
	case s.err != nil:
		return session.Info{}, s.err
	case !session.ValidName(name):
		return session.Info{}, session.ErrName
	case name != "run" && name != "a/b":
		return session.Info{}, fmt.Errorf("session %s: %w", name, session.ErrNoSession)
	}
	return session.Info{Name: name}, nil
}

func (s sessions) End(ctx context.Context, name, by string) (session.Released, error) {
	if _, err := s.Info(ctx, name); err != nil {
		return session.Released{}, err
	}
	*s.did = append(*s.did, "end "+name+" by "+by)
	return session.Released{Keys: 2, Bytes: 10}, s.endErr
}

func (s sessions) Extend(_ context.Context, name string, d time.Duration) error {
	if d < time.Second {
		return session.ErrTime
	}
	*s.did = append(*s.did, fmt.Sprintf("extend %s %v", name, d))
	return nil
}

func (s sessions) CanEnd(_ context.Context, user string) error {
	if user == "reader" {
		return session.ErrForbidden
	}
	return s.canEnd
}

func TestSessions(t *testing.T) {
	down := fmt.Errorf("ask: %w", backend.ErrStoreDown)
	asJSON, asForm := "application/json; charset=utf-8", "application/x-www-form-urlencoded"
	for name, tt := range map[string]struct {
		s                  sessions
		method, path, kind string
		body               string
		status             int
		want, did          string // part of the body; what was done
	}{
		"list":                   {sessions{}, "GET", "", "", "", 200, `"hits":3`, ""},
		"list, redis down":       {sessions{err: down}, "GET", "", "", "", 503, "redis-down", ""},
		"list by POST":           {sessions{}, "POST", "", asJSON, "{}", 405, "method", ""},
		"info":                   {sessions{}, "GET", "/run", "", "", 200, `"name":"run"`, ""},
		"info, escaped":          {sessions{}, "GET", "/a%2Fb", "", "", 200, `"name":"a/b"`, ""},
		"info, unknown":          {sessions{}, "GET", "/nope", "", "", 404, "no-session", ""},
		"info, no name":          {sessions{}, "GET", "/a%20b", "", "", 400, "bad-request", ""},
		"info, a huge name":      {sessions{}, "GET", "/" + strings.Repeat("x", 10000), "", "", 400, "bad-request", ""},
		"unknown action":         {sessions{}, "POST", "/run/stop", asJSON, "{}", 404, "not-found", ""},
		"end":                    {sessions{}, "POST", "/run/end", asJSON, "{}", 200, `{"keys":2,"bytes":10,"finished":true}`, "end run by http"},
		"end, nothing said":      {sessions{}, "POST", "/run/end", asJSON, "", 200, `"keys":2`, "end run by http"},
		"end, goes on":           {sessions{endErr: session.ErrUnfinished}, "POST", "/run/end", asJSON, "", 200, `"finished":false`, "end run by http"},
		"end, unknown":           {sessions{}, "POST", "/nope/end", asJSON, "{}", 404, "no-session", ""},
		"end by GET":             {sessions{}, "GET", "/run/end", "", "", 405, "method", ""},
		"end by a form":          {sessions{}, "POST", "/run/end", asForm, "", 415, "content-type", ""},
		"end without a type":     {sessions{}, "POST", "/run/end", "", "{}", 415, "content-type", ""},
		"end without the right":  {sessions{canEnd: session.ErrForbidden}, "POST", "/run/end", asJSON, "{}", 403, "forbidden", ""},
		"end by DELETE":          {sessions{}, "DELETE", "/run", "", "", 405, "method", ""},
		"extend":                 {sessions{}, "POST", "/run/extend", asJSON, `{"seconds": 90}`, 200, `"name":"run"`, "extend run 1m30s"},
		"extend by nothing":      {sessions{}, "POST", "/run/extend", asJSON, `{}`, 400, "bad-request", ""},
		"extend for ever":        {sessions{}, "POST", "/run/extend", asJSON, `{"seconds": 1e300}`, 400, "bad-request", ""},
		"extend by text":         {sessions{}, "POST", "/run/extend", asJSON, `{"seconds": "x"}`, 400, "bad-request", ""},
		"extend, more than that": {sessions{}, "POST", "/run/extend", asJSON, `{"secs": 1}`, 400, "bad-request", ""},
		"unforeseen":             {sessions{err: errors.New("secret")}, "GET", "/run", "", "", 500, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var did []string
			tt.s.did = &did
			w := recorded(t, web.Options{Sessions: tt.s}, loopback, tt.method, "/api/v1/sessions"+tt.path, func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(tt.body))
				if tt.kind != "" {
					r.Header.Set("Content-Type", tt.kind)
				}
			})
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("status %d, body %s, want %d with %q", w.Code, w.Body, tt.status, tt.want)
			}
			if got := strings.Join(did, ", "); got != tt.did {
				t.Errorf("did %q, want %q", got, tt.did)
			}
			if tt.status == 200 && !json.Valid(w.Body.Bytes()) {
				t.Errorf("not JSON: %s", w.Body)
			}
		})
	}
}

func TestSessionsAreForThoseWhoMay(t *testing.T) {
	var did []string
	post := func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }
	open := web.Options{Sessions: sessions{did: &did}}
	if w := recorded(t, open, "192.0.2.1", "POST", "/api/v1/sessions/run/end", post, func(r *http.Request) { r.Host = "192.0.2.1" }); w.Code != 403 {
		t.Errorf("off loopback: %d %s", w.Code, w.Body)
	}
	if w := recorded(t, open, loopback, "POST", "/api/v1/sessions/run/end", post, func(r *http.Request) { r.Host = "evil.example" }); w.Code != 421 {
		t.Errorf("another host: %d %s", w.Code, w.Body)
	}
	locked := web.Options{Sessions: sessions{did: &did}, Auth: web.AuthRedis, Authenticate: func(context.Context, string, string) error { return nil }}
	if w := recorded(t, locked, loopback, "POST", "/api/v1/sessions/run/end", post); w.Code != 401 {
		t.Errorf("without a password: %d %s", w.Code, w.Body)
	}
	for user, want := range map[string]int{"reader": 403, "owner": 200} {
		w := recorded(t, locked, loopback, "POST", "/api/v1/sessions/run/end", post, func(r *http.Request) { r.SetBasicAuth(user, "x") })
		if w.Code != want {
			t.Errorf("%s: %d %s", user, w.Code, w.Body)
		}
	}
	if got := strings.Join(did, ", "); got != "end run by http:owner" {
		t.Errorf("did %q", got)
	}
	if w := recorded(t, web.Options{}, loopback, "GET", "/api/v1/sessions"); w.Code != 404 {
		t.Errorf("without sessions: %d", w.Code)
	}
}
