package proxy

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/backend/redis/wire"
	"forebay/internal/event"
	"forebay/internal/metric"
	"forebay/internal/testkit"
)

// gate holds back the news that a connection has ended.
type gate struct {
	*session
	open chan struct{}
}

func (g *gate) Broken(n int, sent bool) {
	<-g.open
	g.session.Broken(n, sent)
}

// A client's own connection refuses a batch because it has ended, and tells only afterwards that what it owed will not come (session.submit has the
// interleaving): what was refused is done on another connection.
func TestOwnConnectionThatTellsItsEndLate(t *testing.T) {
	redis := testkit.Redis(t)
	metrics, err := metric.New(metric.Options{Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	pool := wire.NewPool(wire.Options{Network: "tcp", Addr: redis.Addr})
	defer pool.Close()
	srv, err := New(Options{
		Pool: pool, Events: event.New(event.Options{Proxy: "p"}), Commands: metrics.Commands(), Limits: DefaultLimits(),
		Budget: 3 * time.Second, StoreBudget: time.Second, MayRead: func(string, string) bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	s := newSession(srv, 1, far)
	g := &gate{s, make(chan struct{})}
	up, err := pool.Exclusive(t.Context(), s.target, g)
	if err != nil {
		t.Fatal(err)
	}
	ping := (*srv.table.Load())["ping"]
	ask := func(frame string) {
		s.append([]byte(frame), s.push(plain, ping, 1))
		s.submit()
	}
	s.mu.Lock()
	s.up, s.own = up, true
	ask("*3\r\n$5\r\nBLPOP\r\n$4\r\nnone\r\n$1\r\n0\r\n")
	up.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		ask("*1\r\n$4\r\nPING\r\n")
		s.mu.Unlock()
	}()
	for refused := false; !refused; {
		s.mu.Lock()
		refused = s.waiters > 0
		s.mu.Unlock()
	}
	close(g.open)
	want := redisLost + "+PONG\r\n"
	got := make([]byte, len(want))
	_ = near.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := io.ReadFull(near, got)
	if err != nil || string(got) != want {
		t.Errorf("got %q (%v), want %q", got[:n], err, want)
	}
	s.mu.Lock()
	s.drop(nil)
	s.mu.Unlock()
	<-done
}
