package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	streamRetry  = 2 * time.Second  // after which a browser comes back
	streamStuck  = 10 * time.Second // without taking anything, after which a consumer is given up
	streamEnd    = time.Second      // for the last bytes of a stream that the server ends
	maxLastEvent = 256              // bytes of a Last-Event-ID
)

// streams are the open streams; closing cancels them all.
type streams struct {
	max int

	mu     sync.Mutex
	closed bool
	next   int
	cancel map[int]context.CancelFunc
}

func newStreams(limit int) *streams {
	return &streams{max: limit, cancel: make(map[int]context.CancelFunc)}
}

// open takes a place and returns a context that ends when the streams are closed, and the function that gives the
// place back; false where there is none.
func (s *streams) open(ctx context.Context) (context.Context, func(), bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.cancel) >= s.max {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	id := s.next
	s.next++
	s.cancel[id] = cancel
	return ctx, func() {
		s.mu.Lock()
		delete(s.cancel, id)
		s.mu.Unlock()
		cancel()
	}, true
}

// close ends every stream and lets no further one open.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, cancel := range s.cancel {
		cancel()
	}
}

// events sends a stream of server-sent events until its consumer or the server goes.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if s.opt.Events == nil {
		notFound.write(w)
		return
	}
	filter, err := parseFilter(r.URL.RawQuery, s.routeNames())
	if err != nil {
		badRequest(err.Error()).write(w)
		return
	}
	lastID := r.Header.Get("Last-Event-ID")
	if len(lastID) > maxLastEvent {
		badRequest("Last-Event-ID is none that this stream sent").write(w)
		return
	}
	h := w.Header()
	if r.Method == http.MethodHead {
		h.Set("Content-Type", "text/event-stream")
		return
	}
	ctx, leave, ok := s.streams.open(r.Context())
	if !ok {
		problem{
			http.StatusServiceUnavailable, "busy", "Too many streams are open.",
			"Close one, or read the Kafka topic.",
		}.write(w)
		return
	}
	defer leave()
	sub, err := s.opt.Events.Subscribe(filter, lastID)
	if err != nil {
		s.streamProblem(err).write(w)
		return
	}
	defer sub.Close()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	s.send(ctx, w, sub)
}

func (s *Server) streamProblem(err error) problem {
	if errors.Is(err, ErrNoFleet) {
		return problem{http.StatusNotImplemented, "no-fleet", "There is no fleet-wide stream here.", "Leave scope out."}
	}
	if errors.Is(err, ErrLastID) {
		return badRequest("Last-Event-ID is none that this stream sent")
	}
	s.log.Error("open an event stream", "error", err)
	return problem{http.StatusInternalServerError, "internal", "The stream cannot be opened.", "The log says why."}
}

// send writes items as they come. It asks for the next only when the last were taken by the socket, so a slow consumer
// fills the subscription's queue and nothing here.
func (s *Server) send(ctx context.Context, w http.ResponseWriter, sub Subscription) {
	rc := http.NewResponseController(w)
	var buf bytes.Buffer
	buf.WriteString("retry: " + strconv.FormatInt(streamRetry.Milliseconds(), 10) + "\n\n")
	for {
		_ = rc.SetWriteDeadline(time.Now().Add(streamStuck))
		if _, err := buf.WriteTo(w); err != nil {
			return // the consumer is gone
		}
		if err := rc.Flush(); err != nil {
			return
		}
		wait, cancel := context.WithTimeout(ctx, s.opt.Heartbeat)
		items, err := sub.Next(wait)
		cancel()
		buf.Reset()
		for _, it := range items {
			appendItem(&buf, it)
		}
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			_ = rc.SetWriteDeadline(time.Now().Add(streamEnd))
			return
		case errors.Is(err, context.DeadlineExceeded):
			if len(items) == 0 {
				buf.WriteString(":\n\n")
			}
		case err != nil:
			s.log.Error("read an event stream", "error", err)
			return
		}
	}
}

// appendItem writes one event. A line break inside, which JSON has none of, must not end it early.
func appendItem(buf *bytes.Buffer, it Item) {
	if it.ID != "" {
		buf.WriteString("id: ")
		buf.WriteString(it.ID)
		buf.WriteByte('\n')
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(it.Line, []byte("\n")), []byte("\n")) {
		buf.WriteString("data: ")
		buf.Write(line)
		buf.WriteByte('\n')
	}
	buf.WriteByte('\n')
}
