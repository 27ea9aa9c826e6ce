package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"forebay/backend"
	"forebay/internal/session"
)

// Sessions lists and ends training sessions. It is called concurrently. *session.Manager is one.
type Sessions interface {
	List(ctx context.Context) ([]session.Info, error)
	Info(ctx context.Context, name string) (session.Info, error)
	End(ctx context.Context, name, by string) (session.Released, error)
	Extend(ctx context.Context, name string, d time.Duration) error
	// CanEnd tells whether the user, "" for none, may end and extend sessions.
	CanEnd(ctx context.Context, user string) error
}

const (
	sessionsPath = "/api/v1/sessions"
	maxBody      = 4 << 10
	// endWithin is what an end may take before it is answered; below writeTimeout.
	endWithin = 20 * time.Second
)

// sessions answers GET /api/v1/sessions, GET /api/v1/sessions/{name} and POST /api/v1/sessions/{name}/end|extend. Names are percent-encoded.
func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	if s.opt.Sessions == nil {
		notFound.write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), endWithin)
	defer cancel()
	rest := strings.TrimPrefix(r.URL.EscapedPath(), sessionsPath)
	if rest == "" || rest == "/" {
		s.sessionList(ctx, w, r)
		return
	}
	escaped, action, _ := strings.Cut(rest[1:], "/")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		badRequest("the name is not percent-encoded").write(w)
		return
	}
	switch action {
	case "":
		s.sessionInfo(ctx, w, r, name)
	case "end", "extend":
		s.sessionWrite(ctx, w, r, name, action)
	default:
		notFound.write(w)
	}
}

func (s *Server) sessionList(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if !reading(w, r) {
		return
	}
	list, err := s.opt.Sessions.List(ctx)
	if err != nil {
		s.sessionProblem(err).write(w)
		return
	}
	if list == nil {
		list = []session.Info{}
	}
	s.json(w, struct {
		Sessions []session.Info `json:"sessions"`
	}{list})
}

func (s *Server) sessionInfo(ctx context.Context, w http.ResponseWriter, r *http.Request, name string) {
	if !reading(w, r) {
		return
	}
	info, err := s.opt.Sessions.Info(ctx, name)
	if err != nil {
		s.sessionProblem(err).write(w)
		return
	}
	s.json(w, info)
}

// sessionWrite ends or extends. A page of another site cannot send JSON here without asking first, and is not answered.
func (s *Server) sessionWrite(ctx context.Context, w http.ResponseWriter, r *http.Request, name, action string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		problem{http.StatusMethodNotAllowed, "method", "This is done by POST.", "Send application/json, {} if there is nothing to say."}.write(w)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		problem{http.StatusUnsupportedMediaType, "content-type", "Only JSON is taken.", "Send Content-Type: application/json."}.write(w)
		return
	}
	var body struct {
		Seconds float64 `json:"seconds"`
	}
	in := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		badRequest(`the body is {}, or {"seconds": 3600} to extend`).write(w)
		return
	}
	user, _ := User(ctx)
	if err := s.opt.Sessions.CanEnd(ctx, user); err != nil {
		s.sessionProblem(err).write(w)
		return
	}
	if action == "extend" {
		s.sessionExtend(ctx, w, name, body.Seconds)
		return
	}
	by := "http"
	if user != "" {
		by += ":" + user
	}
	released, err := s.opt.Sessions.End(ctx, name, by)
	if err != nil && !errors.Is(err, session.ErrUnfinished) {
		s.sessionProblem(err).write(w)
		return
	}
	s.json(w, struct {
		session.Released
		Finished bool `json:"finished"` // else the rest is given back in the background
	}{released, err == nil})
}

func (s *Server) sessionExtend(ctx context.Context, w http.ResponseWriter, name string, seconds float64) {
	if !(seconds >= 0 && seconds <= session.MaxExtend.Seconds()) { // NaN is neither
		s.sessionProblem(session.ErrTime).write(w)
		return
	}
	if err := s.opt.Sessions.Extend(ctx, name, time.Duration(seconds*float64(time.Second))); err != nil {
		s.sessionProblem(err).write(w)
		return
	}
	info, err := s.opt.Sessions.Info(ctx, name)
	if err != nil {
		s.sessionProblem(err).write(w)
		return
	}
	s.json(w, info)
}

// reading refuses what is not GET or HEAD.
func reading(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	methodNotAllowed.write(w)
	return false
}

// isSession tells whether the path is of sessions. It is not left to a mux, which would redirect a name like "a//b".
func isSession(u *url.URL) bool {
	path := u.EscapedPath()
	return path == sessionsPath || strings.HasPrefix(path, sessionsPath+"/")
}

// sessionProblem turns an error of Sessions into the answer.
func (s *Server) sessionProblem(err error) problem {
	switch {
	case errors.Is(err, session.ErrNoSession):
		return problem{http.StatusNotFound, "no-session", "No live session has that name.", ""}
	case errors.Is(err, session.ErrName):
		return badRequest(session.ErrName.Error())
	case errors.Is(err, session.ErrTime):
		return badRequest(session.ErrTime.Error())
	case errors.Is(err, session.ErrForbidden):
		return problem{http.StatusForbidden, "forbidden", "This user may not end or extend sessions.", "It needs the right to UNLINK."}
	case errors.Is(err, backend.ErrStoreDown):
		return problem{http.StatusServiceUnavailable, "redis-down", "Redis cannot be asked.", "Retry when it is back."}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem{http.StatusGatewayTimeout, "deadline", "The answer was not there in time.", "Retry."}
	default:
		s.log.Error("answer for sessions", "error", err)
		return problem{http.StatusInternalServerError, "internal", "The sessions cannot be told.", "The log says why."}
	}
}
