package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/backend"
	"forebay/internal/metric"
	"forebay/internal/web"
)

func whole() web.Options {
	return web.Options{
		Values:   values{"k": []byte("v")},
		Events:   noEvents{},
		Stats:    func() metric.Snapshot { return metric.Snapshot{} },
		Routes:   func() []web.RouteInfo { return []web.RouteInfo{{Name: "mnist", Key: "mnist:{idx:int}"}} },
		Gatherer: prometheus.NewRegistry(),
	}
}

// noEvents has streams that never have anything.
type noEvents struct{}

func (noEvents) Subscribe(web.Filter, string) (web.Subscription, error) { return noEvents{}, nil }

func (noEvents) Next(ctx context.Context) ([]web.Item, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (noEvents) Close() {}

var (
	openPaths    = []string{"/livez", "/readyz", "/healthz", "/metrics"}
	guardedPaths = []string{"/", "/api/v1/stats", "/api/v1/routes", "/api/v1/values/k", "/events", "/assets/app.js"}
	dataPaths    = []string{"/api/v1/values/k", "/events"}
)

func TestHost(t *testing.T) {
	tests := map[string]struct {
		local string
		want  int
	}{
		"127.0.0.1:8380":         {loopback, 200},
		"127.0.0.1":              {loopback, 200},
		"127.8.9.1:1":            {loopback, 200},
		"localhost:8380":         {loopback, 200},
		"LOCALHOST.":             {loopback, 200},
		"forebay.localhost":      {loopback, 200},
		"[::1]:8380":             {loopback, 200},
		"[::1]":                  {loopback, 200},
		"forebay.example:9":      {loopback, 200},
		"Forebay.Example.":       {loopback, 200},
		"10.0.0.5:8380":          {"10.0.0.5", 200},
		"[fd00::5]:8380":         {"fd00::5", 200},
		"10.0.0.6:8380":          {"10.0.0.5", 421},
		"evil.example":           {loopback, 421},
		"localhost.evil.example": {loopback, 421},
		"127.0.0.1.evil.example": {loopback, 421},
		"notlocalhost":           {loopback, 421},
		"a.forebay.example":      {loopback, 421},
		"":                       {loopback, 421},
		":8380":                  {loopback, 421},
		"[":                      {loopback, 421},
		"2130706433":             {loopback, 421},
	}
	o := whole()
	o.Hosts = []string{"forebay.example"}
	for host, test := range tests {
		t.Run(host, func(t *testing.T) {
			setHost := func(r *http.Request) { r.Host = host }
			w := recorded(t, o, test.local, http.MethodGet, "/api/v1/stats", setHost)
			if w.Code != test.want {
				t.Errorf("status %d, want %d", w.Code, test.want)
			}
			if test.want == 421 {
				if code, _ := problemOf(t, w); code != "host" {
					t.Errorf("code %q", code)
				}
			}
		})
	}
	for _, path := range guardedPaths {
		if w := recorded(t, o, loopback, http.MethodHead, path, func(r *http.Request) { r.Host = "evil.example" }); w.Code != 421 {
			t.Errorf("%s for another host: status %d", path, w.Code)
		}
	}
	for _, path := range openPaths {
		if w := recorded(t, o, loopback, http.MethodGet, path, func(r *http.Request) { r.Host = "evil.example" }); w.Code != 200 {
			t.Errorf("%s for another host: status %d", path, w.Code)
		}
	}
}

func TestNoDataOffLoopbackWithoutPassword(t *testing.T) {
	onAddress := func(r *http.Request) { r.Host = "10.0.0.5" }
	for _, path := range dataPaths {
		w := recorded(t, whole(), "10.0.0.5", http.MethodGet, path, onAddress)
		if code, _ := problemOf(t, w); w.Code != 403 || code != "no-auth" {
			t.Errorf("%s: status %d, code %q", path, w.Code, code)
		}
	}
	for _, path := range append([]string{"/", "/api/v1/stats"}, openPaths...) {
		if w := recorded(t, whole(), "10.0.0.5", http.MethodGet, path, onAddress); w.Code != 200 {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	o := whole()
	o.Auth, o.Authenticate = web.AuthRedis, func(context.Context, string, string) error { return nil }
	w := recorded(t, o, "10.0.0.5", http.MethodGet, "/api/v1/values/k", onAddress, basic("u", "p"))
	if w.Code != 200 {
		t.Errorf("with a password: status %d", w.Code)
	}
}

func basic(user, pass string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, pass) }
}

func TestAuth(t *testing.T) {
	o := whole()
	o.Auth = web.AuthRedis
	o.Authenticate = func(_ context.Context, user, pass string) error {
		switch {
		case user == "default" && pass == "secret", user == "ann" && pass == "a:b":
			return nil
		case user == "down":
			return fmt.Errorf("authenticate: %w", backend.ErrStoreDown)
		default:
			return errors.New("WRONGPASS")
		}
	}
	tests := map[string]struct {
		set  []func(*http.Request)
		want int
		code string
	}{
		"no credentials":        {nil, 401, "unauthorized"},
		"another scheme":        {[]func(*http.Request){func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }}, 401, "unauthorized"},
		"wrong password":        {[]func(*http.Request){basic("default", "guess")}, 401, "unauthorized"},
		"right":                 {[]func(*http.Request){basic("default", "secret")}, 200, ""},
		"no name is default":    {[]func(*http.Request){basic("", "secret")}, 200, ""},
		"colon in the password": {[]func(*http.Request){basic("ann", "a:b")}, 200, ""},
		"another's password":    {[]func(*http.Request){basic("ann", "secret")}, 401, "unauthorized"},
		"redis cannot be asked": {[]func(*http.Request){basic("down", "x")}, 503, "redis-down"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, path := range guardedPaths {
				w := recorded(t, o, loopback, http.MethodHead, path, test.set...)
				if w.Code != test.want || w.Header().Get("Forebay-Problem") != test.code {
					t.Errorf("%s: status %d, code %q", path, w.Code, w.Header().Get("Forebay-Problem"))
				}
				if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
					t.Errorf("%s: WWW-Authenticate %q", path, w.Header().Get("WWW-Authenticate"))
				}
			}
			for _, path := range openPaths {
				if w := recorded(t, o, loopback, http.MethodGet, path, test.set...); w.Code != 200 {
					t.Errorf("%s: status %d", path, w.Code)
				}
			}
		})
	}
}

func TestPasswordsAreRememberedForSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		o := whole()
		o.Auth, o.Authenticate = web.AuthRedis, func(_ context.Context, _, pass string) error {
			asked.Add(1)
			if strings.HasPrefix(pass, "right") {
				return nil
			}
			return errors.New("WRONGPASS")
		}
		s, err := web.New(o)
		if err != nil {
			t.Fatal(err)
		}
		h := s.Handler()
		login := func(pass string, want int, wantAsked int64) {
			t.Helper()
			before := asked.Load()
			w := ask(t, h, loopback, http.MethodGet, "/api/v1/stats", basic("u", pass))
			if w.Code != want || asked.Load()-before != wantAsked {
				t.Errorf("%s: status %d, asked %d times; want %d, %d", pass, w.Code, asked.Load()-before, want, wantAsked)
			}
		}
		login("right", 200, 1)
		login("right", 200, 0)
		login("wrong", 401, 1)
		login("wrong", 401, 1) // what is wrong is not remembered
		time.Sleep(5 * time.Second)
		login("right", 200, 1)
		for i := range 1000 { // far more than are kept
			login(fmt.Sprint("right", i), 200, 1)
		}
		login("right999", 200, 0)
		login("right0", 200, 1) // forgotten to make room
	})
}

func TestSlowAuthenticationIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := whole()
		o.Auth, o.Authenticate = web.AuthRedis, func(ctx context.Context, _, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		w := recorded(t, o, loopback, http.MethodGet, "/api/v1/stats", basic("u", "p"))
		if w.Code != 503 || time.Since(start) > 2*time.Second {
			t.Errorf("status %d after %v", w.Code, time.Since(start))
		}
	})
}

// seeUser reads the user that a request came as.
type seeUser struct{ user string }

func (s *seeUser) Read(ctx context.Context, _ int, _ []byte) (web.Value, error) {
	s.user, _ = web.User(ctx)
	return web.Value{}, nil
}

func TestReadsKnowTheirUser(t *testing.T) {
	o := whole()
	seen := &seeUser{}
	o.Values = seen
	o.Auth, o.Authenticate = web.AuthRedis, func(context.Context, string, string) error { return nil }
	recorded(t, o, loopback, http.MethodGet, "/api/v1/values/k", basic("", "p"))
	if seen.user != "default" {
		t.Errorf("user %q, want default", seen.user)
	}
}

func TestOnlyReads(t *testing.T) {
	for _, path := range append(append([]string{"/nothing"}, openPaths...), guardedPaths...) {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"} {
			w := recorded(t, whole(), loopback, method, path)
			if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: status %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
}

func TestEveryAnswerIsGuardedInTheBrowser(t *testing.T) {
	paths := append(append([]string{"/nothing", "/api/v1/values/none", "/events?kind=x"}, openPaths...), guardedPaths...)
	for _, path := range paths {
		w := recorded(t, whole(), loopback, http.MethodHead, path)
		h := w.Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") ||
			strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]web.Options{
		"redis without a checker": {Auth: web.AuthRedis},
		"an unknown auth":         {Auth: "basic"},
	} {
		if _, err := web.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
