package proxy_test

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"forebay/internal/testkit"
	"forebay/proxy"
)

// An idle connection, which has asked before, costs at most 6 KB: its goroutine's stack, its session, and what the runtime holds of its socket.
func TestIdleConnections(t *testing.T) {
	count := 1000
	if _, until := testkit.Soak(); time.Now().Before(until) {
		count = 9500 // both ends are this process's
	}
	limits := proxy.DefaultLimits()
	f := start(t, options{limits: &limits})
	f.lines.deaf.Store(true) // what the test keeps of events is not the proxy's
	f.redis.Do(t, "SET", "t:1", "value")
	warm := dial(t, f.addr)
	warm.do("+OK\r\n"+bulk("value"), "SET k v", "GET t:1")
	before := held()
	fds := make([]int, 0, count)
	defer func() {
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}()
	for range count {
		fds = append(fds, connect(t, f.addr))
	}
	// Asked one after the other, as clients are that come over hours.
	for _, fd := range fds {
		ask(t, fd, frames("SET k v", "GET t:1", "MGET t:1 t:1"), len("+OK\r\n*2\r\n")+3*len(bulk("value")))
	}
	must(t, f.events.Flush(t.Context()))
	f.server.Rest()
	after := held()
	for range 20 { // until each has given its place to a new goroutine
		if after.heap+after.stack-before.heap-before.stack < uint64(count)*5<<10 {
			break
		}
		after = held()
	}
	each := func(a, b uint64) float64 { return (float64(b) - float64(a)) / float64(count) }
	t.Logf("%d connections, bytes of each: heap %.0f, stack %.0f, in all %.0f; resident memory grew by %.0f",
		count, each(before.heap, after.heap), each(before.stack, after.stack), each(before.heap+before.stack, after.heap+after.stack),
		each(before.resident, after.resident))
	if n := each(before.heap+before.stack, after.heap+after.stack); n > 6<<10+raceBytes {
		t.Errorf("%.0f bytes a connection, want 6,144 at most", n)
	}
	// They are as good as before, and rest again.
	for _, fd := range fds[:100] {
		ask(t, fd, frames("PING", "GET t:1"), len("+PONG\r\n"+bulk("value")))
	}
	f.server.Rest()
	for _, fd := range fds[:100] {
		ask(t, fd, frames("PING"), len("+PONG\r\n"))
	}
	warm.do("+PONG\r\n", "PING")
}

// memory is in bytes. What is resident is the most that the process has needed until now, more or less: it is told, not judged.
type memory struct{ heap, stack, resident uint64 }

// held is what the process holds once it is quiet.
func held() memory {
	for range 3 { // pools give back what they keep in two rounds
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.FreeOSMemory()
	var pages, resident uint64
	if stat, err := os.ReadFile("/proc/self/statm"); err == nil {
		_, _ = fmt.Sscan(string(stat), &pages, &resident)
	}
	return memory{m.HeapAlloc, m.StackInuse, resident * uint64(os.Getpagesize())}
}

// connect returns a connected socket that the runtime knows nothing of.
func connect(t *testing.T, addr string) int {
	t.Helper()
	to, err := netip.ParseAddrPort(addr)
	must(t, err)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(t, err)
	must(t, syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	return fd
}

// ask sends commands and reads until n bytes at least have come.
func ask(t *testing.T, fd int, commands string, n int) {
	t.Helper()
	_, err := syscall.Write(fd, []byte(commands))
	must(t, err)
	var b [4096]byte
	for got := 0; got < n; {
		k, err := syscall.Read(fd, b[:])
		must(t, err)
		if k == 0 {
			t.Fatal("closed")
		}
		got += k
	}
}

// Clients are made to rest again and again while they work: small commands, large ones that are streamed, loads, halves of frames. Nothing of that is hit
// by the deadline that wakes them, and the server ends in time although all of them rest.
func TestRestHitsNobodyAtWork(t *testing.T) {
	f := start(t, options{})
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				f.server.Rest()
				runtime.Gosched()
			}
		}
	})
	big := strings.Repeat("b", 600_000)
	var clients sync.WaitGroup
	for i := range 4 {
		c := dial(t, f.addr)
		clients.Go(func() {
			for n := range 60 {
				key := fmt.Sprint("k", i)
				c.do("+OK\r\n"+bulk(fmt.Sprint(n)), fmt.Sprint("SET ", key, " ", n), "GET "+key)
				id := i*100 + n
				c.do(bulk(fmt.Sprint("value-", id)), fmt.Sprint("GET t:", id))
				half := frame("SET", key, "halved")
				c.send(half[:10+n%10])
				c.send(half[10+n%10:])
				c.expect("+OK\r\n")
				if n%10 == 0 {
					c.send(frame("SET", key, big))
					c.expect("+OK\r\n")
					c.do(":600000\r\n", "STRLEN "+key)
				}
			}
		})
	}
	clients.Wait()
	close(done)
	wg.Wait()
}

// What a client has sent is not kept once it is silent, nor what was noted of it: the keys whose leases went with the first of many writes.
func TestSilentClientsKeepNothingOfTheirPipelines(t *testing.T) {
	const count, writes = 20, 2000
	f := start(t, options{})
	f.lines.deaf.Store(true)
	var pipeline strings.Builder
	for i := range writes {
		pipeline.WriteString(frames(fmt.Sprint("DEL t:", 100_000+i)))
	}
	dial(t, f.addr).do("+PONG\r\n", "PING")
	before := held()
	for range count {
		fd := connect(t, f.addr)
		defer syscall.Close(fd)
		ask(t, fd, pipeline.String(), writes*len(":0\r\n"))
	}
	must(t, f.events.Flush(t.Context()))
	f.server.Rest()
	least := uint64(math.MaxUint64)
	for range 20 {
		now := held()
		least = min(least, max(now.heap, before.heap)-before.heap)
	}
	if n := least / count; n > 16<<10+raceBytes {
		t.Errorf("%d bytes of the heap a connection, want 16,384 at most", n)
	}
}
