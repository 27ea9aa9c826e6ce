package difftest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"forebay/backend/redis/wire"
)

// Wait is how long a reply may take. Whoever exceeds it has lost one.
const Wait = 10 * time.Second

// Reply is what one step was answered.
type Reply struct {
	Step *Step
	Raw  string // of a subscription: all its confirmations
	tx   []*Step
}

// Transcript is all that one client was told.
type Transcript struct {
	Replies  []Reply
	Messages []string // of channels: what answers no command, in the order that it came in
	End      string   // why nothing more came: "" while the connection was good
	at       *Step    // what was awaited then
}

// Run plays the stream to the server at addr, with connections of its own, and returns what each client was told. The error is that of connecting.
func Run(addr string, s *Stream) ([]Transcript, error) {
	players := make([]*player, s.Clients())
	for i := range players {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("dial server: %w", err)
		}
		defer nc.Close()
		players[i] = &player{nc: nc, rng: rand.New(rand.NewPCG(s.Seed, uint64(i))), topics: map[string]map[string]bool{}}
	}
	batch := make([][]*Step, len(players))
	flush := func() {
		var wg sync.WaitGroup
		for i, p := range players {
			if steps := batch[i]; len(steps) > 0 {
				wg.Go(func() { p.play(steps) })
			}
			batch[i] = nil
		}
		wg.Wait()
	}
	for i := range s.Steps {
		if st := &s.Steps[i]; !st.Sync {
			batch[st.Client] = append(batch[st.Client], st)
			continue
		}
		flush()
	}
	flush()
	// What was published reaches a subscriber before the reply to what it sends afterwards.
	last := Step{Words: []string{"PING"}, Hidden: true}
	for i := range players {
		batch[i] = []*Step{&last}
	}
	flush()
	told := make([]Transcript, len(players))
	for i, p := range players {
		told[i] = p.told
	}
	return told, nil
}

// player is one client of a running stream.
type player struct {
	nc   net.Conn
	rng  *rand.Rand
	told Transcript

	raw        []byte // read, from the reply at hand on
	silent     bool   // CLIENT REPLY OFF
	skip       bool   // CLIENT REPLY SKIP: of the next command
	tx         []*Step
	inTx       bool
	topics     map[string]map[string]bool // kind (subscribe, psubscribe, ssubscribe) → what is subscribed
	subscribed bool
	proto3     bool
}

// play sends the steps as one pipeline and reads their replies meanwhile.
func (p *player) play(steps []*Step) {
	if p.told.End != "" {
		return
	}
	var out []byte
	for _, st := range steps {
		out = st.bytes(out)
	}
	_ = p.nc.SetDeadline(time.Now().Add(Wait))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		p.send(out)
	}()
	for _, st := range steps {
		if !p.read(st) {
			p.nc.Close()
			break
		}
	}
	<-sent
}

// send writes the bytes in pieces: mostly a few large ones, now and then many small ones.
func (p *player) send(b []byte) {
	most := len(b)
	switch p.rng.IntN(8) {
	case 0:
		most = 3
	case 1, 2:
		most = 40
	case 3, 4:
		most = 1000
	}
	if len(b) > 100*most {
		most = len(b) / 100
	}
	for len(b) > 0 {
		n := min(len(b), 1+p.rng.IntN(max(1, most)))
		if _, err := p.nc.Write(b[:n]); err != nil {
			return // the reader will see it
		}
		b = b[n:]
	}
}

// read reads what the step is answered. It returns false at the end of the connection.
func (p *player) read(st *Step) bool {
	n := p.expected(st)
	if n == 0 && isSubscription(st) {
		p.unheard(st)
	}
	var all []byte
	for i := 0; i < n; {
		one, err := p.next()
		if err != nil {
			p.told.End, p.told.at = ending(err), st
			if len(all) > 0 {
				p.told.Replies = append(p.told.Replies, Reply{Step: st, Raw: string(all)})
			}
			return false
		}
		if p.message(one, isSubscription(st)) {
			p.told.Messages = append(p.told.Messages, string(one))
			continue
		}
		all = append(all, one...)
		if i++; isSubscription(st) {
			n = p.confirmed(st, one, n)
		}
	}
	if n > 0 {
		p.told.Replies = append(p.told.Replies, Reply{Step: st, Raw: string(all), tx: p.follow(st, all)})
	}
	return true
}

// late is the end of a connection that owes a reply.
const late = "no reply in time"

// Late returns the step of which the reply did not come in time, nil if there is none.
func Late(told []Transcript) *Step {
	for i := range told {
		if told[i].End == late {
			return told[i].at
		}
	}
	return nil
}

// ending tells how a connection ended; resets and closes are alike.
func ending(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return late
	}
	return "closed"
}

// next reads one whole reply, or message.
func (p *player) next() ([]byte, error) {
	var sc wire.Scanner
	pos := 0
	for {
		n, done, err := sc.Scan(p.raw[pos:])
		if err != nil {
			return nil, fmt.Errorf("read reply %.100q: %w", p.raw, err)
		}
		if pos += n; done {
			one := bytes.Clone(p.raw[:pos])
			p.raw = p.raw[pos:]
			return one, nil
		}
		chunk := make([]byte, 16<<10)
		k, err := p.nc.Read(chunk)
		p.raw = append(p.raw, chunk[:k]...)
		if err != nil && k == 0 {
			if len(p.raw) > 0 && errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("%w after %.100q", err, p.raw)
			}
			return nil, err
		}
	}
}
