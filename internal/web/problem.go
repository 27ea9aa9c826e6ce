package web

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// problem is an answer that is not what was asked for (RFC 9457). Code is the word to dispatch on; it is in the header
// Forebay-Problem too, for HEAD.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"` // one line: what to do
}

// The problems without a detail of their own case.
var (
	notFound         = problem{http.StatusNotFound, "not-found", "Nothing is at this path.", ""}
	methodNotAllowed = problem{http.StatusMethodNotAllowed, "method", "This port only reads.", "Use GET or HEAD."}
)

func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Forebay-Problem", p.Code)
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	body, err := json.Marshal(struct {
		Type string `json:"type"`
		problem
	}{"urn:forebay:problem:" + p.Code, p})
	if err != nil { // strings and a number always encode
		http.Error(w, p.Title, p.Status)
		return
	}
	body = append(body, '\n')
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	// The client being gone is the only error there can be.
	_, _ = w.Write(body)
}

// badRequest is the problem of a request that cannot be understood; detail says which part and what it may be.
func badRequest(detail string) problem {
	return problem{http.StatusBadRequest, "bad-request", "The request cannot be understood.", detail}
}
