package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/backend/redis/wire"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver keeps what it is given.
type receiver struct {
	mu     sync.Mutex
	got    strings.Builder
	n      int // replies
	broken int
	large  int
}

func (r *receiver) Replies(b []byte, ends []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got.Write(b)
	r.n += len(ends)
}

func (r *receiver) Large([]byte) bool { return true }

func (r *receiver) Part(b []byte, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.large += len(b)
	if last {
		r.n++
	}
}

func (r *receiver) Flush()   {}
func (r *receiver) Stalled() {}

func (r *receiver) Broken(n int, _ bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken += n
}

func (r *receiver) state() (got string, n, broken, large int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String(), r.n, r.broken, r.large
}

func command(words ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		<-tick.C
	}
}

func pool(t testing.TB, o wire.Options) *wire.Pool {
	t.Helper()
	o.Network = "tcp"
	p := wire.NewPool(o)
	t.Cleanup(p.Close)
	return p
}

func TestEveryReceiverGetsItsOwnReplies(t *testing.T) {
	r := testkit.Redis(t)
	p := pool(t, wire.Options{Addr: r.Addr})
	var wg sync.WaitGroup
	for id := range 20 {
		wg.Go(func() {
			c, err := p.Shared(t.Context(), wire.Target{Proto: 2})
			if err != nil {
				t.Error(err)
				return
			}
			recv, want := &receiver{}, ""
			for i := range 200 {
				tag := fmt.Sprintf("c%d-%d", id, i)
				if err := c.Submit(recv, command("ECHO", tag), 1, wire.Now()); err != nil {
					t.Error(err)
					return
				}
				want += fmt.Sprintf("$%d\r\n%s\r\n", len(tag), tag)
			}
			eventually(t, "all replies", func() bool { _, n, _, _ := recv.state(); return n == 200 })
			if got, _, _, _ := recv.state(); got != want {
				t.Errorf("client %d got another's replies", id)
			}
		})
	}
	wg.Wait()
}

// A large reply retires its connection: it takes nothing more, gives what it owes, and ends.
func TestLargeReplyRetiresTheConnection(t *testing.T) {
	r := testkit.Redis(t)
	r.Do(t, "SET", "big", strings.Repeat("x", 1<<20))
	p := pool(t, wire.Options{Addr: r.Addr})
	target := wire.Target{Proto: 2}
	c, err := p.Shared(t.Context(), target)
	must(t, err)
	a, b := &receiver{}, &receiver{}
	r.Pause() // or the reply's beginning might retire it before the second is submitted
	must(t, c.Submit(a, command("GET", "big"), 1, wire.Now()))
	must(t, c.Submit(b, command("PING"), 1, wire.Now()))
	r.Resume()
	c.Wait()
	if _, n, broken, large := a.state(); n != 1 || broken != 0 || large != 1<<20+len("$1048576\r\n\r\n") {
		t.Errorf("large: %d replies, %d broken, %d bytes", n, broken, large)
	}
	if got, _, broken, _ := b.state(); got != "+PONG\r\n" || broken != 0 {
		t.Errorf("behind it: %q, %d broken", got, broken)
	}
	if err := c.Submit(b, command("PING"), 1, wire.Now()); !errors.Is(err, wire.ErrRetired) && !errors.Is(err, wire.ErrClosed) {
		t.Errorf("a retired connection took a command: %v", err)
	}
	other, err := p.Shared(t.Context(), target)
	must(t, err)
	if other == c {
		t.Error("the retired connection was handed out")
	}
}

// A Redis that has clients enough is as good as down for who needs a connection: nobody's command is answered by that.
func TestNoMoreConnections(t *testing.T) {
	r := testkit.Redis(t, "--maxclients", "8")
	for {
		nc, err := net.Dial("tcp", r.Addr)
		must(t, err)
		t.Cleanup(func() { nc.Close() })
		must(t, nc.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = nc.Write(command("PING"))
		must(t, err)
		line, err := bufio.NewReader(nc).ReadString('\n')
		must(t, err)
		if strings.HasPrefix(line, "-ERR max number of clients") {
			break
		}
	}
	p := pool(t, wire.Options{Addr: r.Addr})
	for _, target := range []wire.Target{{Proto: 2}, {Proto: 3}, {Proto: 2, DB: 1}} {
		if _, err := p.Shared(t.Context(), target); !errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("shared, %+v: %v", target, err)
		}
		if _, err := p.Exclusive(t.Context(), target, &receiver{}); !errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("exclusive, %+v: %v", target, err)
		}
	}
}

func TestBrokenTellsWhatWillNotCome(t *testing.T) {
	r := testkit.Redis(t)
	p := pool(t, wire.Options{Addr: r.Addr})
	c, err := p.Shared(t.Context(), wire.Target{Proto: 2})
	must(t, err)
	a, b := &receiver{}, &receiver{}
	must(t, c.Submit(a, append(command("PING"), command("BLPOP", "none", "0")...), 2, wire.Now()))
	must(t, c.Submit(b, command("PING"), 1, wire.Now()))
	eventually(t, "the first reply", func() bool { _, n, _, _ := a.state(); return n == 1 })
	r.Kill()
	c.Wait()
	if _, _, broken, _ := a.state(); broken != 1 {
		t.Errorf("%d broken, want 1", broken)
	}
	if _, _, broken, _ := b.state(); broken != 1 {
		t.Errorf("%d broken, want 1", broken)
	}
	if _, err := p.Shared(t.Context(), wire.Target{Proto: 2}); !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("got %v", err)
	}
}

// The end of a connection that was given back, to a pool with room or without, is no news to its former owner.
func TestReleasedConnectionsHaveNoOwner(t *testing.T) {
	r := testkit.Redis(t)
	p := pool(t, wire.Options{Addr: r.Addr, MaxIdle: 1})
	a, b := &receiver{}, &receiver{}
	first, err := p.Exclusive(t.Context(), wire.Target{Proto: 2}, a)
	must(t, err)
	second, err := p.Exclusive(t.Context(), wire.Target{Proto: 2}, b)
	must(t, err)
	p.Release(first)
	p.Release(second)
	second.Wait()
	again, err := p.Exclusive(t.Context(), wire.Target{Proto: 2}, b)
	must(t, err)
	if again != first {
		t.Error("the connection was not reused")
	}
	must(t, again.Submit(b, command("PING"), 1, wire.Now()))
	eventually(t, "the reply", func() bool { got, _, _, _ := b.state(); return got == "+PONG\r\n" })
	if got, n, _, _ := a.state(); n != 0 {
		t.Errorf("the former owner got %q", got)
	}
}

// Targets that were asked for while Redis was down do not keep others out.
func TestPlacesOfDeadTargetsAreGivenBack(t *testing.T) {
	r := testkit.Redis(t)
	p := pool(t, wire.Options{Addr: r.Addr, MaxShared: 4})
	r.Kill()
	for db := range 20 {
		if _, err := p.Shared(t.Context(), wire.Target{Proto: 2, DB: db}); !errors.Is(err, backend.ErrStoreDown) {
			t.Fatalf("got %v", err)
		}
	}
	r.Start()
	for db := range 4 {
		eventually(t, "a connection", func() bool {
			_, err := p.Shared(t.Context(), wire.Target{Proto: 2, DB: db})
			return err == nil
		})
	}
	if _, err := p.Shared(t.Context(), wire.Target{Proto: 2, DB: 9}); err == nil {
		t.Error("more connections than allowed")
	}
}

func TestRefusedTargets(t *testing.T) {
	r := testkit.Redis(t)
	p := pool(t, wire.Options{Addr: r.Addr, MaxShared: 2})
	for range 10 {
		var refused *wire.ReplyError
		_, err := p.Shared(t.Context(), wire.Target{Proto: 2, DB: 99})
		if !errors.As(err, &refused) || string(refused.Raw) != "-ERR DB index is out of range\r\n" {
			t.Fatalf("got %v", err)
		}
	}
	bad := wire.Target{Proto: 3, Identity: wire.Identity{User: "nobody", Pass: "x", Auth: true}}
	var refused *wire.ReplyError
	if err := p.Verify(t.Context(), bad); !errors.As(err, &refused) || !strings.HasPrefix(string(refused.Raw), "-WRONGPASS ") {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Shared(ctx, wire.Target{Proto: 2}); !errors.Is(err, backend.ErrStoreDown) {
		t.Fatalf("got %v", err)
	}
}
