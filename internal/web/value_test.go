package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/web"
)

// echo answers with what was asked for.
type echo struct{}

func (echo) Read(_ context.Context, db int, key []byte) (web.Value, error) {
	return web.Value{Bytes: fmt.Appendf(nil, "%d %q", db, key)}, nil
}

func TestKeyInPath(t *testing.T) {
	tests := map[string]struct {
		target string
		want   string // "" for a bad request
	}{
		"plain":                      {"digits:train:0", `0 "digits:train:0"`},
		"encoded colon":              {"digits%3Atrain%3a0", `0 "digits:train:0"`},
		"encoded slash":              {"a%2Fb", `0 "a/b"`},
		"bare slash":                 {"a/b/", `0 "a/b/"`},
		"double slash":               {"a//b", `0 "a//b"`},
		"only a slash":               {"/", `0 "/"`},
		"dots":                       {"a/../../b/.", `0 "a/../../b/."`},
		"encoded dots":               {"%2e%2E%2F..", `0 "../.."`},
		"percent":                    {"100%25", `0 "100%"`},
		"encoded once only":          {"a%252Fb", `0 "a%2Fb"`},
		"plus stays":                 {"a+b", `0 "a+b"`},
		"space":                      {"a%20b", `0 "a b"`},
		"question mark":              {"a%3Fdb=7", `0 "a?db=7"`},
		"hash":                       {"a%23b", `0 "a#b"`},
		"zero byte":                  {"a%00", `0 "a\x00"`},
		"not text":                   {"%ff%FE", `0 "\xff\xfe"`},
		"text":                       {"schlüssel", `0 "schlüssel"`},
		"database":                   {"k?db=7", `7 "k"`},
		"no database":                {"k?", `0 "k"`},
		"no key":                     {"", ""},
		"negative database":          {"k?db=-1", ""},
		"database that is no number": {"k?db=x", ""},
		"database twice":             {"k?db=1&db=2", ""},
		"enormous database":          {"k?db=99999999999999999999", ""},
		"a bare question mark":       {"what?is=this", ""},
		"badly encoded query":        {"k?db=%zz", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := recorded(t, web.Options{Values: echo{}}, loopback, http.MethodGet, "/api/v1/values/"+test.target)
			if test.want == "" {
				if _, detail := problemOf(t, w); w.Code != 400 || detail == "" || strings.Contains(detail, "\n") {
					t.Errorf("status %d, detail %q", w.Code, detail)
				}
				return
			}
			if w.Code != 200 || w.Body.String() != test.want {
				t.Errorf("status %d, %s; want %s", w.Code, w.Body, test.want)
			}
		})
	}
}

func FuzzKeyInPath(f *testing.F) {
	for _, key := range []string{"a", "a/b", "..", "%2F", "\x00\xff", "a?b#c", "//"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" {
			return
		}
		w := recorded(t, web.Options{Values: echo{}}, loopback, http.MethodGet, "/api/v1/values/"+url.PathEscape(key))
		if want := fmt.Sprintf("0 %q", key); w.Body.String() != want {
			t.Errorf("got %s, want %s", w.Body, want)
		}
	})
}

func TestValueProblems(t *testing.T) {
	tests := map[string]struct {
		err    error
		status int
		code   string
	}{
		"absent":           {web.ErrAbsent, 404, "absent"},
		"unrouted":         {web.ErrUnrouted, 404, "unrouted"},
		"forbidden":        {web.ErrForbidden, 403, "forbidden"},
		"another type":     {web.ErrWrongType, 409, "wrong-type"},
		"source down":      {backend.ErrSourceDown, 503, "source-down"},
		"source too slow":  {backend.ErrSourceTimeout, 504, "deadline"},
		"out of time":      {context.DeadlineExceeded, 504, "deadline"},
		"redis down":       {backend.ErrStoreDown, 503, "redis-down"},
		"row unusable":     {backend.ErrSourceInvalid, 502, "source-invalid"},
		"anything else":    {errors.New("secret in an error"), 500, "internal"},
		"client went away": {context.Canceled, 503, "canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := web.Options{Values: values{"k": fmt.Errorf("read: %w", test.err)}}
			w := recorded(t, o, loopback, http.MethodGet, "/api/v1/values/k")
			if code, _ := problemOf(t, w); w.Code != test.status || code != test.code {
				t.Errorf("status %d, code %q; want %d, %q", w.Code, code, test.status, test.code)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the error's text is shown: %s", w.Body)
			}
			head := recorded(t, o, loopback, http.MethodHead, "/api/v1/values/k")
			if head.Code != test.status || head.Header().Get("Forebay-Problem") != test.code {
				t.Errorf("HEAD: status %d, %q", head.Code, head.Header().Get("Forebay-Problem"))
			}
		})
	}
}

func TestValueIsServedWhole(t *testing.T) {
	large := []byte(strings.Repeat("\x00\xff<script>", 1<<16))
	_, client := serve(t, web.Options{Values: values{"k": large, "empty": []byte{}}})
	r := get(t, client, "/api/v1/values/k")
	if got := body(t, r); got != string(large) || r.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d bytes of %q", len(got), r.Header.Get("Content-Type"))
	}
	tag := r.Header.Get("ETag")
	if r := get(t, client, "/api/v1/values/k", func(r *http.Request) { r.Header.Set("If-None-Match", tag) }); r.StatusCode != 304 {
		t.Errorf("with its own ETag %s: status %d", tag, r.StatusCode)
	}
	if r := get(t, client, "/api/v1/values/k", func(r *http.Request) { r.Method = http.MethodHead }); r.ContentLength != int64(len(large)) || body(t, r) != "" {
		t.Errorf("HEAD: length %d", r.ContentLength)
	}
	if r := get(t, client, "/api/v1/values/k", func(r *http.Request) { r.Header.Set("Range", "bytes=1-3") }); body(t, r) != "\xff<s" {
		t.Errorf("a range: status %d", r.StatusCode)
	}
	if r := get(t, client, "/api/v1/values/empty"); r.StatusCode != 200 || body(t, r) != "" {
		t.Errorf("empty value: status %d", r.StatusCode)
	}
}

// stuck waits for the end of its context.
type stuck struct{}

func (stuck) Read(ctx context.Context, _ int, _ []byte) (web.Value, error) {
	<-ctx.Done()
	return web.Value{}, fmt.Errorf("read: %w", ctx.Err())
}

func TestValueDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := recorded(t, web.Options{Values: stuck{}}, loopback, http.MethodGet, "/api/v1/values/k")
		if w.Code != 504 || time.Since(start) != 3*time.Second {
			t.Errorf("status %d after %v", w.Code, time.Since(start))
		}
	})
}

// crowd waits like stuck and remembers how many waited at once.
type crowd struct{ now, most atomic.Int64 }

func (c *crowd) Read(ctx context.Context, db int, key []byte) (web.Value, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); {
		most = c.most.Load()
	}
	return stuck{}.Read(ctx, db, key)
}

func TestValuesReadAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readers := &crowd{}
		s, err := web.New(web.Options{Values: readers})
		if err != nil {
			t.Fatal(err)
		}
		codes := make(chan int, 100)
		for range 100 {
			go func() { codes <- ask(t, s.Handler(), loopback, http.MethodGet, "/api/v1/values/k").Code }()
		}
		for range 100 {
			if code := <-codes; code != 503 && code != 504 {
				t.Errorf("status %d", code)
			}
		}
		if most := readers.most.Load(); most != 32 {
			t.Errorf("%d reads at once, want 32", most)
		}
	})
}
