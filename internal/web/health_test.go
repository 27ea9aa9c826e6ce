package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/internal/web"
)

func check(name string, required bool, err error) web.Check {
	return web.Check{Name: name, Required: required, Probe: func(context.Context) error { return err }}
}

func TestHealthIsReadable(t *testing.T) {
	o := web.Options{Checks: []web.Check{check("redis", false, errors.New("read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout"))}}
	if w := recorded(t, o, loopback, http.MethodGet, "/healthz"); !strings.Contains(w.Body.String(), `"read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout"`) {
		t.Errorf("%s", w.Body)
	}
}

func TestHealth(t *testing.T) {
	down := errors.New("dial tcp:\nconnection refused")
	tests := map[string]struct {
		checks []web.Check
		ready  int
		status string
	}{
		"nothing to check":  {nil, 200, "ok"},
		"all well":          {[]web.Check{check("redis", true, nil), check("kafka", false, nil)}, 200, "ok"},
		"kafka down":        {[]web.Check{check("redis", true, nil), check("kafka", false, down)}, 200, "degraded"},
		"redis down":        {[]web.Check{check("redis", true, down), check("kafka", false, nil)}, 503, "down"},
		"everything down":   {[]web.Check{check("kafka", false, down), check("redis", true, down)}, 503, "down"},
		"required then not": {[]web.Check{check("redis", true, down), check("kafka", false, down)}, 503, "down"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := web.Options{Checks: test.checks}
			if w := recorded(t, o, loopback, http.MethodGet, "/livez"); w.Code != 200 {
				t.Errorf("livez: status %d", w.Code)
			}
			ready := recorded(t, o, loopback, http.MethodGet, "/readyz")
			if ready.Code != test.ready {
				t.Errorf("readyz: status %d, want %d", ready.Code, test.ready)
			}
			if test.ready == 503 && ready.Body.String() != "redis: dial tcp: connection refused\n" {
				t.Errorf("readyz: %q", ready.Body)
			}
			w := recorded(t, o, loopback, http.MethodGet, "/healthz")
			var got struct {
				Status string
				Checks []struct {
					Name, Error  string
					OK, Required bool
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", w.Body, err)
			}
			if w.Code != test.ready || got.Status != test.status || len(got.Checks) != len(test.checks) {
				t.Errorf("healthz: status %d, %s", w.Code, w.Body)
			}
			for i, c := range got.Checks {
				want := test.checks[i]
				if c.Name != want.Name || c.OK != (want.Probe(t.Context()) == nil) || c.OK != (c.Error == "") {
					t.Errorf("check %+v", c)
				}
				if !strings.Contains(w.Body.String(), "\n  {\"name\":\""+want.Name+"\"") {
					t.Errorf("%s has no line of its own in %s", want.Name, w.Body)
				}
			}
		})
	}
}

func TestDrainingIsNotReady(t *testing.T) {
	s, err := web.New(web.Options{Checks: []web.Check{check("redis", true, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/readyz": 200, "/healthz": 200, "/livez": 200} {
		if w := ask(t, s.Handler(), loopback, http.MethodGet, path); w.Code != want {
			t.Errorf("%s before: status %d", path, w.Code)
		}
	}
	s.Drain()
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 503, "/livez": 200} {
		if w := ask(t, s.Handler(), loopback, http.MethodGet, path); w.Code != want {
			t.Errorf("%s draining: status %d", path, w.Code)
		}
	}
}

func TestProbesAreSparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var probes atomic.Int64
		s, err := web.New(web.Options{Checks: []web.Check{{
			Name: "cassandra", Required: true,
			Probe: func(ctx context.Context) error { // answers only when it is given up
				probes.Add(1)
				<-ctx.Done()
				return ctx.Err()
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		codes := make(chan int, 10)
		for i := range 10 {
			go func() {
				codes <- ask(t, s.Handler(), loopback, http.MethodGet, "/readyz", func(r *http.Request) {
					if i == 0 { // the first, who asks for all, is the one who is gone
						*r = *r.WithContext(gone)
					}
				}).Code
			}()
			synctest.Wait()
		}
		for range 10 {
			if code := <-codes; code != 503 {
				t.Errorf("status %d", code)
			}
		}
		if d := time.Since(start); d != 2*time.Second || probes.Load() != 1 {
			t.Errorf("%d probes in %v, want 1 in 2 s", probes.Load(), d)
		}
		time.Sleep(time.Second)
		ask(t, s.Handler(), loopback, http.MethodGet, "/healthz")
		if probes.Load() != 2 {
			t.Errorf("%d probes, want a second one when the first is old", probes.Load())
		}
	})
}
