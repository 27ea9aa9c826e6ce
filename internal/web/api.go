package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"forebay/internal/metric"
)

// stats answers with the counts and rates; ?history=true adds the last minute, second by second.
func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	if s.opt.Stats == nil {
		notFound.write(w)
		return
	}
	body := struct {
		metric.Snapshot
		History []metric.Series `json:"history,omitempty"`
	}{Snapshot: s.opt.Stats()}
	if h := r.URL.Query().Get("history"); h != "" {
		want, err := strconv.ParseBool(h)
		if err != nil {
			badRequest("history is true or false").write(w)
			return
		}
		if want && s.opt.History != nil {
			body.History = s.opt.History()
		}
	}
	s.json(w, body)
}

// routes answers with the configured routes, in the order they are tried.
func (s *Server) routes(w http.ResponseWriter, _ *http.Request) {
	if s.opt.Routes == nil {
		notFound.write(w)
		return
	}
	routes := s.opt.Routes()
	if routes == nil {
		routes = []RouteInfo{}
	}
	s.json(w, struct {
		Routes []RouteInfo `json:"routes"`
	}{routes})
}

func (s *Server) routeNames() (names []string) {
	if s.opt.Routes == nil {
		return nil
	}
	for _, r := range s.opt.Routes() {
		names = append(names, r.Name)
	}
	return names
}

func (s *Server) json(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.log.Error("encode an answer", "error", err)
		problem{http.StatusInternalServerError, "internal", "The answer cannot be written.", "The log says why."}.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The client being gone is the only error there can be.
	_, _ = w.Write(append(body, '\n'))
}
