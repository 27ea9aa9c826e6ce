package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"forebay/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// values is a Values from a map; a nil slice stands for an absent row, an error for itself.
type values map[string]any

func (v values) Read(_ context.Context, db int, key []byte) (web.Value, error) {
	switch found := v[string(key)].(type) {
	case []byte:
		return web.Value{Bytes: found}, nil
	case web.Value:
		return found, nil
	case error:
		return web.Value{}, found
	default:
		return web.Value{}, web.ErrAbsent
	}
}

// recorded sends one request to the handler of o as if it had come in on local.
func recorded(t testing.TB, o web.Options, local, method, target string, set ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	s, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, s.Handler(), local, method, target, set...)
}

func ask(t testing.TB, h http.Handler, local, method, target string, set ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: method, URL: u, Host: "localhost:8380", Header: http.Header{}, Body: http.NoBody}
	r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.ParseIP(local), Port: 8380})))
	for _, f := range set {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const loopback = "127.0.0.1"

// problemOf returns the code and detail of a problem, and checks that it is one.
func problemOf(t testing.TB, w *httptest.ResponseRecorder) (code, detail string) {
	t.Helper()
	var p struct {
		Type, Code, Title, Detail string
		Status                    int
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("status %d, content type %q, body %.200q: not a problem", w.Code, ct, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != w.Code || p.Code != w.Header().Get("Forebay-Problem") || p.Title == "" || p.Type == "" {
		t.Errorf("problem %s with status %d, header %q", w.Body, w.Code, w.Header().Get("Forebay-Problem"))
	}
	return p.Code, p.Detail
}

// listener hands out in-memory connections, so that a server runs on a test's own clock and a write blocks until it
// is read.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(loopback), Port: 8380} }

func (l *listener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- local{server, l.Addr()}:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// local is a connection that seems to have come in on addr.
type local struct {
	net.Conn
	addr net.Addr
}

func (c local) LocalAddr() net.Addr { return c.addr }

// serve runs a server of o until the end of the test and returns a client of it.
func serve(t *testing.T, o web.Options) (*web.Server, *http.Client) {
	t.Helper()
	s, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{conns: make(chan net.Conn), done: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	transport := &http.Transport{DialContext: l.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, &http.Client{Transport: transport}
}

func get(t testing.TB, c *http.Client, path string, set ...func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8380"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set {
		f(r)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
