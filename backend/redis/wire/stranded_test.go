package wire_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend/redis"
	"forebay/backend/redis/wire"
	"forebay/internal/testkit"
)

// watched is a pool that finds out quickly, behind a network that can be broken. asked counts how often Redis was asked.
type watched struct {
	*wire.Pool
	server  *testkit.RedisServer
	network *testkit.FaultProxy
	asked   atomic.Int64
}

func watch(t *testing.T, args ...string) *watched {
	w := &watched{server: testkit.Redis(t, args...)}
	w.network = testkit.NewFaultProxy(t, "tcp", w.server.Addr)
	store := redis.Open(redis.Options{Addr: w.network.Addr, Timeout: 100 * time.Millisecond})
	t.Cleanup(store.Close)
	w.Pool = pool(t, wire.Options{
		Addr: w.network.Addr, Stall: 50 * time.Millisecond, GiveUp: 150 * time.Millisecond,
		Executes: func(ctx context.Context) bool {
			defer w.asked.Add(1)
			return store.Executes(ctx) == nil
		},
	})
	return w
}

func (w *watched) shared(t *testing.T, db int) *wire.Conn {
	t.Helper()
	c, err := w.Shared(t.Context(), wire.Target{Proto: 2, DB: db})
	must(t, err)
	return c
}

// awaitAsked waits until Redis has been asked again and again, which takes several times as long as a dead connection is given.
func (w *watched) awaitAsked(t *testing.T) {
	t.Helper()
	n := w.asked.Load() + 6
	eventually(t, "redis is asked again and again", func() bool { return w.asked.Load() >= n })
}

func TestDeadConnectionIsReplaced(t *testing.T) {
	w := watch(t)
	c, a := w.shared(t, 0), &receiver{}
	must(t, c.Submit(a, command("PING"), 1, wire.Now()))
	eventually(t, "the reply", func() bool { _, n, _, _ := a.state(); return n == 1 })
	blocked, idle := &receiver{}, &receiver{}
	pinned, err := w.Exclusive(t.Context(), wire.Target{Proto: 2}, blocked)
	must(t, err)
	must(t, pinned.Submit(blocked, command("BLPOP", "none", "0"), 1, wire.Now()))
	given, err := w.Exclusive(t.Context(), wire.Target{Proto: 2}, idle)
	must(t, err)
	w.Release(given)

	w.network.Strand()
	must(t, c.Submit(a, append(command("PING"), command("SET", "k", "v")...), 2, wire.Now()))
	c.Wait()
	if _, n, broken, _ := a.state(); n != 1 || broken != 2 {
		t.Errorf("%d replies, %d broken", n, broken)
	}
	if w.Replaced() != 1 {
		t.Errorf("%d replaced", w.Replaced())
	}
	given.Wait() // it may be dead, too
	if pinned.Closed() {
		t.Error("a connection of a client's own was closed, on which a reply may be long in coming")
	}
	other := w.shared(t, 0)
	must(t, other.Submit(a, command("PING"), 1, wire.Now()))
	eventually(t, "the reply on a new one", func() bool { _, n, _, _ := a.state(); return n == 2 })
}

// Whatever keeps Redis from a reply keeps it from executing what it is asked meanwhile: nothing is closed, for as long as that takes.
func TestWhatIsHeldUpIsNotDead(t *testing.T) {
	loop := command("EVAL", "while true do end", "0")
	tests := map[string]struct {
		args      []string
		before    func(*testing.T, *testkit.RedisServer)
		send      []byte
		end       func(*testing.T, *testkit.RedisServer)
		beginning string // of the reply
	}{
		"writes are paused": {
			before:    func(t *testing.T, r *testkit.RedisServer) { r.Do(t, "CLIENT", "PAUSE", "60000", "WRITE") },
			send:      append(command("SET", "k", "v"), command("GET", "k")...),
			end:       func(t *testing.T, r *testkit.RedisServer) { r.Do(t, "CLIENT", "UNPAUSE") },
			beginning: "+OK\r\n$1\r\nv\r\n",
		},
		"everything is paused": {
			before:    func(t *testing.T, r *testkit.RedisServer) { r.Do(t, "CLIENT", "PAUSE", "1500", "ALL") },
			send:      command("GET", "k"),
			beginning: "$-1\r\n",
		},
		"a script runs, and redis answers nobody": {
			send:      command("EVAL", "local t = redis.call('TIME')[1] + 2; while redis.call('TIME')[1] - t < 0 do end; return 'done'", "0"),
			beginning: "$4\r\ndone\r\n",
		},
		"a script runs, and redis tells all others that it is busy": {
			args: []string{"--lua-time-limit", "1"}, send: loop,
			end:       func(t *testing.T, r *testkit.RedisServer) { r.Do(t, "SCRIPT", "KILL") },
			beginning: "-ERR ",
		},
		"redis sleeps": {
			args: []string{"--enable-debug-command", "yes"}, send: command("DEBUG", "SLEEP", "1.5"),
			beginning: "+OK\r\n",
		},
		"redis is stopped": {
			before:    func(_ *testing.T, r *testkit.RedisServer) { r.Pause() },
			send:      command("SET", "k", "v"),
			end:       func(_ *testing.T, r *testkit.RedisServer) { r.Resume() },
			beginning: "+OK\r\n",
		},
		"nobody may run scripts": {
			before: func(t *testing.T, r *testkit.RedisServer) {
				r.Do(t, "ACL", "SETUSER", "default", "-eval")
				r.Do(t, "CLIENT", "PAUSE", "60000", "WRITE")
			},
			send:      command("SET", "k", "v"),
			end:       func(t *testing.T, r *testkit.RedisServer) { r.Do(t, "CLIENT", "UNPAUSE") },
			beginning: "+OK\r\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := watch(t, test.args...)
			c, a := w.shared(t, 0), &receiver{}
			if test.before != nil {
				test.before(t, w.server)
			}
			must(t, c.Submit(a, test.send, strings.Count(string(test.send), "*"), wire.Now()))
			w.awaitAsked(t)
			if test.end != nil {
				test.end(t, w.server)
			}
			eventually(t, "the replies", func() bool {
				got, _, broken, _ := a.state()
				return strings.HasPrefix(got, test.beginning) || broken > 0
			})
			if got, _, broken, _ := a.state(); broken > 0 || w.Replaced() != 0 {
				t.Errorf("got %q, %d broken, %d replaced", got, broken, w.Replaced())
			}
		})
	}
}

// slow takes a large reply part by part, each when it is let.
type slow struct {
	receiver
	let chan struct{}
}

func (s *slow) Part(b []byte, last bool) {
	<-s.let
	s.receiver.Part(b, last)
}

// A client that takes a large reply slowly keeps its connection waiting, dead or not; once it has taken what has come, the connection is found out.
func TestALargeReplyIsNotTakenForSilence(t *testing.T) {
	w := watch(t)
	w.server.Do(t, "SET", "big", strings.Repeat("x", 16<<20))
	s := &slow{let: make(chan struct{})}
	c := w.shared(t, 0)
	must(t, c.Submit(s, command("GET", "big"), 1, wire.Now()))
	s.let <- struct{}{} // it has begun
	for range 2 {       // each of these is given as long as a dead connection is
		other, a := w.shared(t, 1), &receiver{}
		w.network.Strand()
		must(t, other.Submit(a, command("PING"), 1, wire.Now()))
		other.Wait()
	}
	if n := w.Replaced(); n != 2 {
		t.Errorf("%d replaced: it was closed while its reader waited for its client", n)
	}
	close(s.let)
	c.Wait()
	if _, n, broken, _ := s.state(); n != 0 || broken != 1 {
		t.Errorf("%d replies, %d broken", n, broken)
	}
}

func TestTheEndOfThePoolEndsTheQuestion(t *testing.T) {
	server := testkit.Redis(t)
	asked := make(chan struct{})
	p := wire.NewPool(wire.Options{
		Addr: server.Addr, Stall: 10 * time.Millisecond, GiveUp: 30 * time.Millisecond,
		Executes: func(ctx context.Context) bool {
			close(asked)
			<-ctx.Done()
			return false
		},
	})
	c, err := p.Shared(t.Context(), wire.Target{Proto: 2})
	must(t, err)
	server.Pause()
	defer server.Resume()
	must(t, c.Submit(&receiver{}, command("PING"), 1, wire.Now()))
	<-asked
	p.Close()
}
