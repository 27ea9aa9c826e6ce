package proxy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// Random pipelines through the proxy, over a Redis that holds nothing at first, get the replies that they get from a Redis that holds every row from the
// beginning. (Removals are left out: they uncover the row. So is what looks at the cache as it is.)
func TestRandomPipelinesAgainstAFilledRedis(t *testing.T) {
	f := start(t, options{})
	model := testkit.Redis(t)
	for round := range 30 {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		f.redis.Do(t, "FLUSHALL")
		model.Do(t, "FLUSHALL")
		for i := range 12 {
			model.Do(t, "SET", fmt.Sprint("t:", i), fmt.Sprint("value-", i))
		}
		p := &pipeline{rng: rng}
		var log []string
		a, b := dial(t, f.addr), dial(t, model.Addr)
		for range 6 {
			commands := p.commands(1 + rng.IntN(40))
			log = append(log, commands...)
			raw := frames(commands...)
			b.send(raw)
			for len(raw) > 0 { // in pieces
				n := 1 + rng.IntN(len(raw))
				a.send(raw[:n])
				raw = raw[n:]
			}
			for i := range commands {
				got, want := a.reply(), b.reply()
				if got != want {
					t.Fatalf("round %d: %d of the last batch, %q: got %.200q, want %.200q\n%s", round, i, commands[i], got, want, strings.Join(log, "\n"))
				}
			}
		}
		a.nc.Close()
		b.nc.Close()
	}
}

// pipeline makes random commands that do not depend on what is held at the time.
type pipeline struct {
	rng   *rand.Rand
	multi bool
}

func (p *pipeline) key() string { return fmt.Sprint("t:", p.rng.IntN(12)) }

func (p *pipeline) commands(n int) (list []string) {
	for range n {
		list = append(list, p.command())
	}
	return list
}

func (p *pipeline) command() string {
	switch p.rng.IntN(22) {
	case 0, 1, 2, 3:
		return "GET " + p.key()
	case 4, 5:
		return "MGET " + p.key() + " none " + p.key() + " " + p.key()
	case 6:
		return fmt.Sprintf("GETRANGE %s %d %d", p.key(), p.rng.IntN(10)-5, p.rng.IntN(10)-5)
	case 7:
		return "STRLEN " + p.key()
	case 8:
		return fmt.Sprintf("SET %s mine-%d", p.key(), p.rng.IntN(100))
	case 9:
		return "INCR n"
	case 10:
		return fmt.Sprint("ECHO e", p.rng.IntN(1000))
	case 11:
		return fmt.Sprintf("MSET %s a %s b x c", p.key(), p.key())
	case 12:
		return "GETEX " + p.key() + " EX 1000"
	case 13:
		return "GET"
	case 14:
		return "RPUSH l " + p.key()
	case 15:
		return "BLPOP l 0.01"
	case 16, 17:
		return p.transaction()
	case 18:
		if p.multi {
			return "DISCARD"
		}
		return "UNWATCH"
	case 19:
		if p.multi {
			return "PING"
		}
		return "WATCH none" + p.key()
	case 20:
		return fmt.Sprintf("EVAL return'%d' 0", p.rng.IntN(100))
	default:
		return "SELECT 0"
	}
}

func (p *pipeline) transaction() string {
	p.multi = !p.multi
	if p.multi {
		return "MULTI"
	}
	return "EXEC"
}
