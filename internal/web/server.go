package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second // no request has a body worth waiting for
	writeTimeout   = 30 * time.Second // handlers with more to send raise it
	idleTimeout    = 60 * time.Second
	maxHeader      = 16 << 10 // bytes, the request line and so the key included
	maxReads       = 32       // values being read or sent at once, since each is in memory
	maxScrapes     = 4
)

// Server is the HTTP port.
type Server struct {
	opt      Options
	log      *slog.Logger
	http     *http.Server
	login    *login // nil without authentication
	health   *health
	streams  *streams
	reads    chan struct{} // a place for each value being read
	draining atomic.Bool
}

// New makes a server; nothing runs before [Server.Serve].
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Server{
		opt:     o,
		log:     o.Log,
		health:  newHealth(o.Checks),
		streams: newStreams(o.MaxStreams),
		reads:   make(chan struct{}, maxReads),
	}
	if o.Auth == AuthRedis {
		s.login = newLogin(o.Authenticate)
	}
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// Serve answers on l, which it closes, until [Server.Shutdown]; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http: %w", err)
	}
	return nil
}

// Drain makes /readyz say no from now on, so that balancers turn away before the port closes.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown ends the server: streams first, since they would never end by themselves, then it waits for requests until ctx ends and
// closes what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.streams.close()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("end http requests: %w", err), s.http.Close())
	}
	return nil
}

const valuesPath = "/api/v1/values/"

// Handler returns the whole port as a handler.
func (s *Server) Handler() http.Handler {
	open := http.NewServeMux() // health and metrics: for anyone who reaches the port
	open.HandleFunc("/livez", s.livez)
	open.HandleFunc("/readyz", s.readyz)
	open.HandleFunc("/healthz", s.healthz)
	if s.opt.Gatherer != nil {
		open.Handle("/metrics", promhttp.HandlerFor(s.opt.Gatherer, promhttp.HandlerOpts{
			MaxRequestsInFlight: maxScrapes,
			ErrorLog:            slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		}))
	}

	page := http.NewServeMux()
	page.HandleFunc("/{$}", s.dashboard)
	page.HandleFunc("/assets/{name}", s.asset)
	page.HandleFunc("/favicon.ico", s.favicon)
	page.HandleFunc("/api/v1/stats", s.stats)
	page.HandleFunc("/api/v1/routes", s.routes)
	page.Handle("/events", s.data(http.HandlerFunc(s.events)))
	page.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		notFound.write(w)
	})
	values := s.data(http.HandlerFunc(s.value))
	sessions := s.data(http.HandlerFunc(s.sessions))

	guarded := s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not by the mux, which would redirect a key like "a//b" or "a/../b" to another one.
		if strings.HasPrefix(r.URL.EscapedPath(), valuesPath) {
			values.ServeHTTP(w, r)
			return
		}
		if isSession(r.URL) {
			sessions.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if !isSession(r.URL) && !reading(w, r) {
			return
		}
		switch r.URL.Path {
		case "/livez", "/readyz", "/healthz", "/metrics":
			open.ServeHTTP(w, r)
		default:
			guarded.ServeHTTP(w, r)
		}
	})
}

// setHeaders sets what every answer carries. The page's code and style are files of this port, so the policy allows nothing inline.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
