package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	probeTimeout = 2 * time.Second
	probeFor     = time.Second // how long an answer serves: anyone may ask, and asking costs the backends something
	maxCause     = 200         // bytes of a cause shown
)

// health asks the checks, at most once a second.
type health struct {
	checks []Check

	turn    chan struct{} // holds one element while someone asks; what is below is theirs
	asked   time.Time
	reports []report
}

// report is what one check said.
type report struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	Millis   int64  `json:"duration_ms"`
	Error    string `json:"error,omitempty"`
}

func newHealth(checks []Check) *health {
	return &health{checks: checks, turn: make(chan struct{}, 1)}
}

// ask returns what every check says, in their order. The slice is not to be changed. Who asks meanwhile waits for the same answer.
func (h *health) ask(ctx context.Context) []report {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	if h.reports != nil && time.Since(h.asked) < probeFor {
		return h.reports
	}
	// One who stops asking must not make the others hear that a backend is down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	reports := make([]report, len(h.checks))
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() { reports[i] = c.report(ctx) })
	}
	wg.Wait()
	h.asked, h.reports = time.Now(), reports
	return reports
}

func (c *Check) report(ctx context.Context) report {
	start := time.Now()
	err := c.Probe(ctx)
	r := report{Name: c.Name, OK: err == nil, Required: c.Required, Millis: time.Since(start).Milliseconds()}
	if err != nil {
		r.Error = oneLine(err.Error())
	}
	return r
}

// line is the report as JSON. Nothing is escaped for HTML, which it is not: errors of connections have arrows.
func (r report) line() string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(r) // strings, booleans and a number always encode
	return strings.TrimSuffix(b.String(), "\n")
}

// oneLine makes an error's text fit for a line of a report.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxCause {
		s = strings.ToValidUTF8(s[:maxCause], "") + "…"
	}
	return s
}

// livez says that the process answers.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusOK, "ok\n")
}

// readyz says whether to send clients here: everything required answers and nobody asked to drain.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "draining\n")
		return
	}
	var missing strings.Builder
	for _, rep := range s.health.ask(r.Context()) {
		if rep.Required && !rep.OK {
			fmt.Fprintf(&missing, "%s: %s\n", rep.Name, rep.Error)
		}
	}
	if missing.Len() > 0 {
		plain(w, http.StatusServiceUnavailable, missing.String())
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

// healthz answers with JSON, one line per check, so that it reads as well in a terminal as by a program. Its
// status: ok; degraded, where something that is not required is missing; down; draining.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	status, code := "ok", http.StatusOK
	var lines []string
	for _, rep := range s.health.ask(r.Context()) {
		switch {
		case rep.OK:
		case rep.Required:
			status, code = "down", http.StatusServiceUnavailable
		case status == "ok":
			status = "degraded"
		}
		lines = append(lines, "  "+rep.line())
	}
	if s.draining.Load() {
		status, code = "draining", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// The client being gone is the only error there can be.
	_, _ = fmt.Fprintf(w, "{\"status\": %q, \"checks\": [\n%s\n]}\n", status, strings.Join(lines, ",\n"))
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	// The client being gone is the only error there can be.
	_, _ = w.Write([]byte(text))
}
