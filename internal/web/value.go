package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"forebay/backend"
)

// maxDB is far above any server's number of databases; which exist is for Redis to say.
const maxDB = 1 << 16

// slowest is the rate in bytes per second under which a client that takes a large value is given up.
const slowest = 1 << 20

// value answers with the bytes of one key, as a GET would read them, or with a hash as JSON.
func (s *Server) value(w http.ResponseWriter, r *http.Request) {
	if s.opt.Values == nil {
		notFound.write(w)
		return
	}
	db, key, err := target(r.URL)
	if err != nil {
		badRequest(err.Error()).write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.ReadTimeout)
	defer cancel()
	select {
	case s.reads <- struct{}{}:
		defer func() { <-s.reads }()
	case <-ctx.Done():
		problem{
			http.StatusServiceUnavailable, "busy", "Too many values are being read by HTTP.",
			"Retry, or read by the Redis port.",
		}.write(w)
		return
	}
	kind := "application/octet-stream"
	v, err := s.opt.Values.Read(ctx, db, key)
	value := v.Bytes
	if err == nil && v.Hash {
		kind = "application/json"
		value, err = hashJSON(v.Bytes)
	}
	if err != nil {
		s.valueProblem(err).write(w)
		return
	}
	// Unsupported by test recorders only, where no deadline is needed.
	_ = http.NewResponseController(w).SetWriteDeadline(
		time.Now().Add(writeTimeout + time.Duration(len(value)/slowest)*time.Second))
	sum := sha256.Sum256(value)
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(value))
}

// target returns the database and key of a request. The key is the rest of the path, decoded once and otherwise as it stands: slashes
// may be encoded or not.
func target(u *url.URL) (db int, key []byte, err error) {
	decoded, err := url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), valuesPath))
	if err != nil {
		return 0, nil, errors.New("the key is not percent-encoded")
	}
	if decoded == "" {
		return 0, nil, errors.New("the path ends without a key")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return 0, nil, errors.New("the query is not percent-encoded")
	}
	for name, values := range query {
		// An unknown parameter may well be the rest of a key with a bare question mark.
		if name != "db" {
			return 0, nil, errors.New("the only parameter is db; a question mark in a key is %3F")
		}
		db, err = strconv.Atoi(values[0])
		if err != nil || len(values) > 1 || db < 0 || db > maxDB {
			return 0, nil, errors.New("db is not the number of a database")
		}
	}
	return db, []byte(decoded), nil
}

// valueProblem turns a read's error into the answer. Only an unforeseen one is logged, and none of its text is sent.
func (s *Server) valueProblem(err error) problem {
	switch {
	case errors.Is(err, ErrAbsent):
		return problem{http.StatusNotFound, "absent", "The source has no row for this key.", ""}
	case errors.Is(err, ErrUnrouted):
		return problem{http.StatusNotFound, "unrouted", "The key is not in the cache and no route matches it.", ""}
	case errors.Is(err, ErrForbidden):
		return problem{http.StatusForbidden, "forbidden", "This user may not read the key.", ""}
	case errors.Is(err, ErrWrongType):
		return problem{
			http.StatusConflict, "wrong-type", "The key holds neither a string nor the hash that its route gives.",
			"Read it by the Redis port, with the commands of its type.",
		}
	case errors.Is(err, errNoJSON):
		return problem{
			http.StatusNotAcceptable, "no-json", "A field of the hash has a name that is not UTF-8.",
			"Read it by the Redis port, with HGETALL.",
		}
	case errors.Is(err, backend.ErrSourceTimeout), errors.Is(err, context.DeadlineExceeded):
		return problem{http.StatusGatewayTimeout, "deadline", "The value was not there in time.", "Retry."}
	case errors.Is(err, backend.ErrSourceDown):
		return problem{http.StatusServiceUnavailable, "source-down", "The source cannot be asked.", "Retry when it is back."}
	case errors.Is(err, backend.ErrStoreDown):
		return problem{http.StatusServiceUnavailable, "redis-down", "Redis cannot be asked.", "Retry when it is back."}
	case errors.Is(err, backend.ErrSourceInvalid):
		return problem{
			http.StatusBadGateway, "source-invalid", "The source's row makes no value, or one that breaks its route's rules.",
			"Check the row, and what the route asks of it.",
		}
	case errors.Is(err, context.Canceled): // nobody is there to read it
		return problem{http.StatusServiceUnavailable, "canceled", "The request was given up.", ""}
	default:
		s.log.Error("read a value by http", "error", err)
		return problem{http.StatusInternalServerError, "internal", "The value cannot be read.", "The log says why."}
	}
}
