package cache_test

import (
	"context"
	"errors"
	"hash/crc32"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend/cassandra"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/route"
	"forebay/internal/testkit"
)

// whole is an object for the loader, made as it is read: nobody holds all of it.
type whole int

func (w whole) Bytes() int64 { return int64(w) }

func (w whole) Each(ctx context.Context, size int, yield func(int64, []byte) error) error {
	buf := make([]byte, size)
	for n, left := int64(0), int(w); left > 0; n++ {
		piece := buf[:min(size, left)]
		for i := range piece {
			piece[i] = byte(i>>8) ^ byte(i)*3 ^ byte(n)
		}
		if err := yield(n, piece); err != nil {
			return err
		}
		left -= len(piece)
	}
	return ctx.Err()
}

// loadWhole stores an object in a keyspace of its own and returns a source of it.
func loadWhole(t *testing.T, w whole) (*cassandra.Source, cassandra.Object) {
	t.Helper()
	server := testkit.Cassandra(t)
	options := cassandra.Options{Hosts: []string{server.Addr}, Keyspace: testkit.Keyspace(t, server.Addr)}
	loader, err := cassandra.OpenLoader(t.Context(), cassandra.LoaderOptions{Options: options})
	if err != nil {
		t.Fatal(err)
	}
	defer loader.Close()
	object, err := loader.LoadObject(t.Context(), "d", "x", w, cassandra.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	source, err := cassandra.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source, object
}

// watchHeap notes the largest heap until stop.
func watchHeap(stop <-chan struct{}) (most uint64) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
		select {
		case <-stop:
			return most
		case <-tick.C:
		}
	}
}

// pings asks Redis every millisecond until stop and returns the times that the answers took, in order of length.
func pings(t *testing.T, server *testkit.RedisServer, stop <-chan struct{}) (took []time.Duration) {
	t.Helper()
	conn, err := net.Dial(server.Network, server.Addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer func() { _ = conn.Close() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	answer := make([]byte, 64)
	for {
		select {
		case <-stop:
			slices.Sort(took)
			return took
		case <-tick.C:
		}
		begun := time.Now()
		_, err := conn.Write([]byte("PING\r\n"))
		if err == nil {
			_, err = conn.Read(answer)
		}
		if err != nil {
			t.Error(err)
			return took
		}
		took = append(took, time.Since(begun))
	}
}

// MNIST as one value: ten readers are one load, of which the process holds a few chunks and Redis's other clients notice nothing.
func TestRedisTakesALargeObjectFromCassandra(t *testing.T) {
	const size = whole(47_040_016)
	source, object := loadWhole(t, size)
	server := testkit.Redis(t)
	client := openStore(t, server)
	routes := objectRoutes(t, source)
	f := newFixture(t, func(o *cache.Options) {
		o.Store, o.Source, o.Routes, o.Budget = client, source, routes, time.Minute
	})
	f.routes = routes

	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := make(chan struct{})
	var most uint64
	var took []time.Duration
	var watch sync.WaitGroup
	watch.Go(func() { most = watchHeap(stop) })
	watch.Go(func() { took = pings(t, server, stop) })
	begun := time.Now()
	var readers sync.WaitGroup
	var fresh atomic.Int64
	for range 10 {
		readers.Go(func() {
			r := f.read("o:x")[0]
			if r.Err != nil || !r.Stored || r.Value != nil {
				t.Errorf("got %s (%v)", outcome(r), r.Err)
			}
			if !r.Cached {
				fresh.Add(1)
			}
		})
	}
	readers.Wait()
	elapsed := time.Since(begun)
	close(stop)
	watch.Wait()

	grown := int64(most) - int64(before.HeapAlloc)
	t.Logf("%d bytes in %v; heap grew by at most %d KiB; %d pings, median %v, p99 %v, max %v", size, elapsed.Round(time.Millisecond), grown>>10,
		len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	if grown > 40<<20 {
		t.Errorf("the heap grew by %d bytes for %d", grown, size)
	}
	loads := f.events.of(event.Load)
	if len(loads) != 1 || loads[0].Rows != int(object.Chunks) || loads[0].Bytes != int64(size) || len(f.events.of(event.Fill)) != 1 || fresh.Load() == 0 {
		t.Errorf("loads %+v, fills %+v, %d fresh", loads, f.events.of(event.Fill), fresh.Load())
	}
	values, _, err := client.Get(t.Context(), 0, [][]byte{[]byte("o:x")})
	if err != nil || int64(len(values[0])) != object.Bytes ||
		int64(crc32.Checksum(values[0], crc32.MakeTable(crc32.Castagnoli))) != object.CRC32C {
		t.Errorf("redis holds %d bytes, %v", len(values[0]), errors.Join(err, errors.New("or others")))
	}
	if keys, _ := server.Do(t, "keys", "__forebay:stage:*").([]any); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
}

// Redis dies while the object is staged: the readers get it from memory, all the same slice.
func TestRedisDiesWhileALargeObjectIsStaged(t *testing.T) {
	const size = whole(8 << 20)
	source, object := loadWhole(t, size)
	server := testkit.Redis(t)
	client := openStore(t, server)
	routes := objectRoutes(t, source)
	store := &dyingStore{Client: client, at: 4 << 20, die: server.Kill}
	f := newFixture(t, func(o *cache.Options) {
		o.Store, o.Source, o.Routes, o.Budget = store, source, routes, time.Minute
	})
	f.routes = routes
	var values [4][]byte
	var readers sync.WaitGroup
	for i := range values {
		readers.Go(func() {
			r := f.read("o:x")[0]
			if r.Err != nil {
				t.Errorf("read: %v", r.Err)
			}
			values[i] = r.Value
		})
	}
	readers.Wait()
	for _, v := range values {
		if int64(len(v)) != object.Bytes || int64(crc32.Checksum(v, crc32.MakeTable(crc32.Castagnoli))) != object.CRC32C {
			t.Errorf("a reader got %d bytes", len(v))
		}
	}
}

// A table that is not as a loader makes it is refused at the start.
func TestObjectRoutesAreBoundToTheLoadersTables(t *testing.T) {
	source, _ := loadWhole(t, 1000)
	if r := objectRoutes(t, source).Routes()[0]; !r.Bound() || !r.IsObject() {
		t.Error("the route is not bound")
	}
	_, err := route.Compile([]route.Spec{{Name: "o", Key: "o:{name}", TTL: ttl, Table: "t", Object: &route.ObjectSpec{Dataset: "d", Name: "{none}"}}})
	if err == nil {
		t.Error("a route with table and object, and with a part that is none, was compiled")
	}
}
