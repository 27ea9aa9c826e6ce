package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tagged is a client whose every reply can be told from every other: it sends batches of commands without waiting for more than a few of
// them, and checks each reply.
type tagged struct {
	name     string
	nc       net.Conn
	replies  *bufio.Reader
	inFlight chan time.Time // when each batch was sent
	ended    chan struct{}  // closed when no more replies will come

	sent   int // batches, under terminator.mu
	before int // of them before SIGTERM
	got    int // commands answered as they should be
	done   []reading
	err    error
}

// batchCommands is how many commands a batch has.
const batchCommands = 5

func (c *tagged) batch(i int) string {
	tag := c.tag(i)
	return fmt.Sprintf("ECHO %s\r\nGET %s\r\nSET last:%s %s\r\nGET last:%s\r\nINCR count:%s\r\n",
		tag, key("test", i%testSize), c.name, tag, c.name, c.name)
}

func (c *tagged) tag(i int) string { return c.name + "." + strconv.Itoa(i) }

// right tells whether the nth reply is what the nth command gets.
func (c *tagged) right(n int, reply string) bool {
	i := n / batchCommands
	switch n % batchCommands {
	case 0, 3:
		return reply == c.tag(i)
	case 1:
		return strings.HasPrefix(reply, "\x80\x05")
	case 2:
		return reply == "+OK"
	default:
		return reply == ":"+strconv.Itoa(i+1)
	}
}

// receive checks replies until the connection ends.
func (c *tagged) receive() {
	defer close(c.ended)
	for {
		reply, err := readReply(c.replies)
		if err != nil {
			c.err = err
			return
		}
		if !c.right(c.got, reply) {
			c.err = fmt.Errorf("reply %d is %q", c.got, reply)
			c.nc.Close()
			return
		}
		if c.got++; c.got%batchCommands == 0 {
			sent := <-c.inFlight
			c.done = append(c.done, reading{began: sent, took: time.Since(sent), word: "value"})
		}
	}
}

// readReply returns a bulk string's bytes, or the line of another reply.
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line[0] != '$' {
		return line, nil
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n < 0 {
		return line, err
	}
	b := make([]byte, n+2)
	_, err = io.ReadFull(r, b)
	return string(b[:n]), err
}

// terminator lets SIGTERM fall between two writes of every client, so that it is known what was sent before.
type terminator struct {
	mu   sync.RWMutex
	over bool // SIGTERM was sent
}

// send sends batches until the connection ends, or until SIGTERM unless it is to go on.
func (c *tagged) send(term *terminator, goOn bool) {
	for i := 0; ; i++ {
		select {
		case c.inFlight <- time.Now():
		case <-c.ended:
			return
		}
		term.mu.RLock()
		if term.over && !goOn {
			term.mu.RUnlock()
			return
		}
		_, err := io.WriteString(c.nc, c.batch(i))
		if err == nil {
			c.sent++
		}
		term.mu.RUnlock()
		if err != nil {
			return
		}
	}
}

// terminated sends SIGTERM to a Forebay whose clients send without a pause. What they sent before is answered, all of it.
func terminated(t *testing.T, o *outcome, goOn bool) {
	s := newStack(t, nil)
	clients, term := make([]*tagged, 8), &terminator{}
	var work sync.WaitGroup
	for i := range clients {
		nc, err := net.Dial("tcp", s.resp)
		must(t, err)
		defer nc.Close()
		c := &tagged{
			name: strconv.Itoa(i), nc: nc, replies: bufio.NewReader(nc),
			inFlight: make(chan time.Time, 8), ended: make(chan struct{}),
		}
		clients[i] = c
		work.Go(c.receive)
		work.Go(func() { c.send(term, goOn) })
	}
	eventually(t, "clients are at work", func() bool { return s.redis.Do(t, "EXISTS", key("test", 100)) == int64(1) })
	term.mu.Lock()
	s.process.Signal(syscall.SIGTERM)
	term.over = true
	for _, c := range clients {
		c.before = c.sent * batchCommands
	}
	term.mu.Unlock()
	began := time.Now()
	s.wantStatus(t, 0)
	o.whole, o.note = time.Since(began), "all is answered and it has ended"
	work.Wait()
	got := s.wantAnswered(t, o, clients, goOn)
	all := readTopic(t, s.setup.broker, s.setup.topic, ended(s.setup.partitions))
	all.wantWhole(t)
	// Two reads a batch.
	if n := len(all.of("hit", "miss")); n < got/batchCommands*2 || !goOn && n != got/batchCommands*2 {
		t.Errorf("%d reads in events, %d were answered", n, got/batchCommands*2)
	}
	t.Logf("ended after %s · %s", millis(o.whole), all.kinds())
}

// wantAnswered wants every reply to what was sent before SIGTERM, and returns how many commands were answered in all.
func (s *stack) wantAnswered(t *testing.T, o *outcome, clients []*tagged, goOn bool) (got int) {
	t.Helper()
	before := 0
	for _, c := range clients {
		before, got = before+c.before, got+c.got
		if c.got < c.before {
			t.Errorf("client %s: %d commands answered of %d sent before SIGTERM; then: %v", c.name, c.got, c.before, c.err)
		}
		if !goOn && (c.got != c.before || !errors.Is(c.err, io.EOF)) {
			t.Errorf("client %s: %d commands answered of %d; then: %v", c.name, c.got, c.before, c.err)
		}
		if n, _ := strconv.Atoi(fmt.Sprint(s.redis.Do(t, "GET", "count:"+c.name))); n < c.got/batchCommands {
			t.Errorf("client %s: Redis counted to %d, the client to %d", c.name, n, c.got/batchCommands)
		}
		o.add(t, "batches of client "+c.name, c.done, "value")
	}
	t.Logf("%d commands sent before SIGTERM, %d answered", before, got)
	return got
}

func TestSecondSIGTERMEndsAtOnce(t *testing.T) {
	s := newStack(t, nil)
	c := s.client(t)
	pending := make(chan reading, 1)
	// What a client waits for is what the way down waits for.
	go func() { pending <- ask(c, "BLPOP", "never", 0) }()
	eventually(t, "the client is blocked", func() bool {
		text, _ := s.redis.Do(t, "INFO", "clients").(string)
		return strings.Contains(text, "blocked_clients:1")
	})
	s.process.Signal(syscall.SIGTERM)
	eventually(t, "it drains", func() bool { return strings.Contains(s.log(), "shutting down") })
	if s.process.Ended() {
		t.Error("it does not wait for its client")
	}
	// The log's line comes a moment before the default is restored: a signal within it is the first one's.
	within(t, time.Second, "a further SIGTERM ends it", func() bool {
		s.process.Signal(syscall.SIGTERM)
		return s.process.Ended()
	})
	status, err := s.process.Wait(patience)
	must(t, err)
	if !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with status %d", status.ExitStatus())
	}
	if r := <-pending; r.word == "value" {
		t.Errorf("BLPOP of an empty list answers")
	}
}
