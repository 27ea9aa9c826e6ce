package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/internal/testkit"
	"forebay/proxy"
)

// Many clients write and read values that name their client and key, while clients vanish in the middle of replies, Redis is slow, silent and cut off, and
// loads fail. Whatever a client is told, it is an answer to what it asked at that place: a value of its own key, or of the routed key it asked for, or an
// error that says that there is none.
func TestTaggedValues(t *testing.T) {
	r := testkit.Redis(t)
	net := testkit.NewFaultProxy(t, "tcp", r.Addr)
	limits := proxy.DefaultLimits()
	limits.WriteTimeout = 500 * time.Millisecond
	f := start(t, options{redis: r, upstream: net.Addr, limits: &limits})
	f.lines.deaf.Store(true)
	var loads atomic.Int64
	f.source.hold(func([]any) error {
		if loads.Add(1)%17 == 0 {
			return errors.New("no row can be read now")
		}
		return nil
	})
	seed, until := testkit.Soak()
	if least := time.Now().Add(4 * time.Second); until.Before(least) {
		until = least
	}
	var told tally
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			c := &tagger{id: i, addr: f.addr, rng: rand.New(rand.NewPCG(seed, uint64(i))), told: &told}
			for time.Now().Before(until) && told.wrong.Load() == nil {
				c.life(until)
			}
		})
	}
	weather(net, rand.New(rand.NewPCG(seed, 1000)), until)
	wg.Wait()
	if wrong := told.wrong.Load(); wrong != nil {
		t.Fatalf("seed %d: %s", seed, *wrong)
	}
	t.Logf("%d values of their own, %d nils, %d errors, %d lives", told.values.Load(), told.nils.Load(), told.errors.Load(), told.lives.Load())
	if told.values.Load() < 1000 || told.errors.Load() == 0 {
		t.Error("too little was told for this to show anything")
	}
	eventually(t, "the clients have left", func() bool { return f.server.Clients() == 0 })
	eventually(t, "redis is up", f.store.Up)
	dial(t, f.addr).do("+PONG\r\n", "PING")
}

// weather breaks the network between Forebay and Redis in turns, and ends with it whole.
func weather(p *testkit.FaultProxy, rng *rand.Rand, until time.Time) {
	wait := func(d time.Duration) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		<-timer.C
	}
	for round := 0; time.Now().Before(until); round++ {
		kind := rng.IntN(5)
		if round%8 == 1 {
			kind = 4
		}
		switch kind {
		case 0, 1:
			p.Cut() // a reset
		case 2:
			p.HalfOpen() // a stall
			wait(time.Duration(rng.IntN(300)) * time.Millisecond)
		case 4: // for longer than a routed read waits for Redis: its late reply is nobody's
			p.HalfOpen()
			wait(1400 * time.Millisecond)
		case 3:
			p.Delay(time.Duration(rng.IntN(30)) * time.Millisecond)
			wait(100 * time.Millisecond)
		}
		p.Restore()
		wait(time.Duration(20+rng.IntN(300)) * time.Millisecond)
	}
	p.Restore()
}

// tally is what all clients were told.
type tally struct {
	values, nils, errors, lives atomic.Int64
	wrong                       atomic.Pointer[string]
}

// tagger is a client whose values name it.
type tagger struct {
	id   int
	addr string
	rng  *rand.Rand
	told *tally
	seq  int
}

// asked is one command with what its reply may be.
type asked struct {
	words []string
	fits  func(reply string) bool
}

// life is one connection: some pipelines, and an end that is polite or not.
func (c *tagger) life(until time.Time) {
	c.told.lives.Add(1)
	nc, err := net.Dial("tcp", c.addr)
	if err != nil {
		return
	}
	defer nc.Close()
	r := &reader{bufio.NewReader(nc)}
	for range 1 + c.rng.IntN(12) {
		if !time.Now().Before(until) {
			return
		}
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		list := make([]asked, 1+c.rng.IntN(40))
		var out strings.Builder
		for i := range list {
			list[i] = c.ask()
			out.WriteString(frame(list[i].words...))
		}
		text, take := out.String(), len(list)
		vanish := c.rng.IntN(12) == 0
		switch {
		case vanish && c.rng.IntN(2) == 0:
			text, take = text[:c.rng.IntN(len(text))], 0 // in the middle of a command
		case vanish:
			take = c.rng.IntN(len(list)) // in the middle of the replies
		}
		if _, err := io.WriteString(nc, text); err != nil {
			return
		}
		for i := range take {
			_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second)) // of each: some wait for others, and each may wait for its budget
			got, err := r.reply()
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					c.report(fmt.Sprintf("no reply to %.100q in 10 s", list[i].words))
				}
				return // cut off: it may not know what became of what it wrote
			}
			c.judge(list[i], got)
		}
		if vanish {
			return
		}
	}
}

func (c *tagger) report(wrong string) { c.told.wrong.CompareAndSwap(nil, &wrong) }

// judge holds a reply against its command.
func (c *tagger) judge(a asked, got string) {
	switch {
	case got[0] == '-':
		word, _, _ := strings.Cut(got[1:], " ")
		switch word {
		case "REDISDOWN", "SOURCEDOWN", "SOURCETIMEOUT", "EXECABORT":
			c.told.errors.Add(1)
			return
		}
	case a.fits(got):
		if strings.Contains(got, "$-1") {
			c.told.nils.Add(1)
		} else {
			c.told.values.Add(1)
		}
		return
	}
	c.report(fmt.Sprintf("client %d asked %.200q and was told %.300q", c.id, a.words, got))
}

// ask makes a command. The client's own keys hold "client/key/seq", padded; those with a route are read only, and hold "value-<id>".
// Every other client reads routed keys, mostly: what Redis does not answer then is loaded, and its late reply is for nobody.
func (c *tagger) ask() asked {
	key := fmt.Sprintf("own:%d:%d", c.id, c.rng.IntN(5))
	id := c.rng.IntN(1000)
	routed, hashed := fmt.Sprint("t:", id), fmt.Sprint("h:", id)
	c.seq++
	own := func(got string) bool { return got == "$-1\r\n" || tagged(got, key) }
	is := func(want string) func(string) bool { return func(got string) bool { return got == want } }
	loaded := bulk(fmt.Sprint("value-", id))
	kind := c.rng.IntN(12)
	if c.id%2 == 1 && c.rng.IntN(20) > 0 {
		kind = 6 + c.rng.IntN(7)
		if kind == 9 {
			kind = 4
		}
	}
	switch kind {
	case 0, 1:
		size := c.rng.IntN(200)
		if c.rng.IntN(40) == 0 {
			size = 300_000 // is streamed
		}
		return asked{[]string{"SET", key, fmt.Sprintf("<%s/%d>%s", key, c.seq, strings.Repeat("x", size))}, is("+OK\r\n")}
	case 2, 3:
		return asked{[]string{"GET", key}, own}
	case 4:
		tag := fmt.Sprintf("%d-%d", c.id, c.seq)
		return asked{[]string{"ECHO", tag}, is(bulk(tag))}
	case 5:
		tag := fmt.Sprintf("%d=%d", c.id, c.seq)
		return asked{[]string{"EVAL", "return ARGV[1]", "0", tag}, is(bulk(tag))}
	case 6:
		return asked{[]string{"MGET", routed, "none", routed}, is("*3\r\n" + loaded + "$-1\r\n" + loaded)}
	case 7:
		return asked{[]string{"HGET", hashed, "data"}, is(loaded)}
	case 8:
		return asked{[]string{"STRLEN", routed}, is(fmt.Sprintf(":%d\r\n", len(routed)+4))}
	case 9:
		return asked{[]string{"BLPOP", "none" + key, "0.01"}, is("*-1\r\n")}
	default:
		return asked{[]string{"GET", routed}, is(loaded)}
	}
}

// tagged tells whether a bulk reply is a value of the key, whole.
func tagged(got, key string) bool {
	head, value, ok := strings.Cut(got, "\r\n")
	return ok && head == fmt.Sprint("$", len(value)-2) && strings.HasPrefix(value, "<"+key+"/") && strings.HasSuffix(value, "\r\n")
}
