package linear

import (
	"strings"
	"sync/atomic"
	"time"
)

// patience is how long a client waits for its replies.
const patience = 8 * time.Second

// Recorder is a client whose operations go into a history. It connects as often as it must, and is for one goroutine.
type Recorder struct {
	h      *History
	addr   string
	conn   *Conn
	client int // of the connection
	// Errors are the error replies so far, and Lost the connections that ended with replies owed.
	Errors []string
	Lost   int
}

// clients numbers connections: one that ended may have an operation without an end, and no other under its number.
type clients struct{ last atomic.Int64 }

// NewRecorder makes a client of the server at addr. The caller closes it.
func NewRecorder(h *History, addr string) *Recorder { return &Recorder{h: h, addr: addr} }

// Close ends its connection.
func (r *Recorder) Close() {
	if r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
}

// Do sends commands in one piece, reads their replies and records what they say. It tells whether the last was answered without an error.
func (r *Recorder) Do(commands ...Command) bool {
	if r.conn == nil {
		conn, err := Dial(r.addr)
		if err != nil {
			return false
		}
		r.conn, r.client = conn, r.h.newClient()
	}
	var frames [][]string
	for i := range commands {
		frames = append(frames, commands[i].Frames...)
	}
	call := r.h.Now()
	err := r.conn.Send(time.Now().Add(patience), frames...)
	good := false
	for i := range commands {
		var last *Reply
		for range commands[i].Frames {
			if err == nil {
				last, err = r.conn.Reply()
			}
		}
		if err != nil {
			r.h.record(r.client, &commands[i], nil, call, 0)
			continue
		}
		if strings.HasPrefix(last.Err, "EXECABORT Transaction was done") || commands[i].kept(last) {
			good = false // as it says: only the answers, or the time when it is done, are not known
			r.h.record(r.client, &commands[i], nil, call, 0)
			continue
		}
		var answers []*Answer
		if answers, good = commands[i].answers(last); good {
			r.h.record(r.client, &commands[i], answers, call, r.h.Now())
		} else {
			r.Errors = append(r.Errors, last.Err)
			r.h.refuse(r.client, &commands[i], last.Err, call, r.h.Now())
		}
	}
	if err != nil {
		r.Lost++
		r.Close()
		return false
	}
	return good
}

// newClient returns a number for a connection.
func (h *History) newClient() int { return int(h.clients.last.Add(1)) }

// record records a command for each of its groups.
func (h *History) record(client int, c *Command, answers []*Answer, call, ret int64) {
	done := map[int]bool{}
	for _, first := range c.Parts {
		if done[first.Group] {
			continue
		}
		done[first.Group] = true
		var steps []Step
		var got []Answer
		for i, p := range c.Parts {
			switch {
			case p.Group != first.Group, answers != nil && answers[i] == nil:
				continue
			case answers == nil && (p.Kind == Refresh || p.Kind == Invalidate):
				p.Kind = Del // nobody knows that it is done: the old row is not wrong yet
			case answers != nil:
				got = append(got, *answers[i])
			}
			steps = append(steps, p.Step)
		}
		if len(steps) > 0 {
			h.add(client, first.Group, operation{steps: steps, asks: c.asks()}, got, call, ret)
		}
	}
}
