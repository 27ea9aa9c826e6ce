package redis_test

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

	"github.com/alicebob/miniredis/v2"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/backend/redis/storetest"
	"forebay/internal/testkit"
)

func TestStoreOnRedis(t *testing.T) {
	s := testkit.Redis(t)
	storetest.Run(t, storetest.Target{Store: openUp(t, s), Network: s.Network, Addr: s.Addr})
}

func TestStoreOnRedisBySocket(t *testing.T) {
	s := testkit.RedisUnix(t)
	storetest.Run(t, storetest.Target{Store: openUp(t, s), Network: s.Network, Addr: s.Addr})
}

func TestStoreOnMiniredis(t *testing.T) {
	m := miniredis.RunT(t)
	// Its scripts are slow, and slower still under the race detector.
	c := redis.Open(redis.Options{Network: "tcp", Addr: m.Addr(), Timeout: 20 * time.Second, Log: testkit.Log(t)})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	storetest.Run(t, storetest.Target{Store: c, Network: "tcp", Addr: m.Addr(), Pass: m.FastForward})
}

// get asks for one key.
func get(ctx context.Context, c *redis.Client) error {
	_, errs, err := c.Get(ctx, 0, [][]byte{[]byte("k")})
	return errors.Join(append(errs, err)...)
}

func fill(c *redis.Client) error {
	_, errs, err := storetest.Fill(context.Background(), c, 0, []backend.Entry{{Key: []byte("k"), Value: []byte("v"), TTL: time.Minute}})
	return errors.Join(append(errs, err)...)
}

func TestARedisThatIsDownIsAnOrdinaryState(t *testing.T) {
	s := testkit.Redis(t)
	s.Stop()
	c := open(t, s.Network, s.Addr)
	if err := get(t.Context(), c); !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("get before any probe: %v", err)
	}
	testkit.Soon(t, "the client knows that redis is down", func() bool { return c.Err() != nil && strings.Contains(c.Err().Error(), "refused") })
	if err := fill(c); !errors.Is(err, backend.ErrStoreDown) || c.Up() {
		t.Errorf("fill while down: %v, up %t", err, c.Up())
	}
	s.Start()
	testkit.Soon(t, "redis is up", c.Up)
	if err := errors.Join(fill(c), get(t.Context(), c), c.Err()); err != nil {
		t.Errorf("after it came: %v", err)
	}
	for range 3 {
		s.Kill()
		if err := get(t.Context(), c); !errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("get after a kill: %v", err)
		}
		testkit.Soon(t, "redis is down", func() bool { return !c.Up() })
		s.Start()
		testkit.Soon(t, "redis is up again", c.Up)
		if err := errors.Join(fill(c), get(t.Context(), c)); err != nil {
			t.Errorf("after a restart: %v", err)
		}
	}
}

func TestAStoppedRedisIsDownAndCallsEndInTime(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	if err := fill(c); err != nil {
		t.Fatal(err)
	}
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := get(ctx, c); !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("get: %v", err)
	}
	if took := time.Since(began); took > 600*time.Millisecond {
		t.Errorf("a get with a deadline of 100 ms took %v", took)
	}
	testkit.Soon(t, "redis is down", func() bool { return !c.Up() })
	began = time.Now()
	for range 100 {
		if err := get(t.Context(), c); !errors.Is(err, backend.ErrStoreDown) {
			t.Fatalf("get while down: %v", err)
		}
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("100 gets while down took %v", took)
	}
	s.Resume()
	testkit.Soon(t, "redis is up", c.Up)
	if err := get(t.Context(), c); err != nil {
		t.Errorf("after it went on: %v", err)
	}
}

func TestChangesAreToldInOrder(t *testing.T) {
	s := testkit.Redis(t)
	c := open(t, s.Network, s.Addr)
	var mu sync.Mutex
	var told []bool
	c.OnChange(func(up bool) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, up)
	})
	heard := func(want ...bool) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(told) == fmt.Sprint(want)
		}
	}
	testkit.Soon(t, "told of up", heard(true))
	s.Kill()
	testkit.Soon(t, "told of down", heard(true, false))
	s.Start()
	testkit.Soon(t, "told of up again", heard(true, false, true))
	late := make(chan bool, 8)
	c.OnChange(func(up bool) { late <- up })
	if up := <-late; !up {
		t.Error("a late hook was told that redis is down")
	}
}

func TestRefusalsOfTheServer(t *testing.T) {
	tests := []struct {
		name, reply string
		up, down    bool // Up, and whether a get's error wraps ErrStoreDown
	}{
		{"loading is down: nothing can be asked until it ends", "-LOADING Redis is loading the dataset in memory\r\n", false, true},
		{"a replica without its primary is down", "-MASTERDOWN Link with MASTER is down\r\n", false, true},
		{"no right to anything is down", "-NOAUTH Authentication required.\r\n", false, true},
		{"too many clients is down", "-ERR max number of clients reached\r\n", false, true},
		{"busy is up: a client may end the script", "-BUSY Redis is busy running a script\r\n", true, false},
		{"no right to PING is up", "-NOPERM this user has no permissions to run the 'ping' command\r\n", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, "tcp", replyWith(t, tt.reply))
			known := make(chan bool, 1)
			c.OnChange(func(up bool) { known <- up })
			if up := <-known; up != tt.up {
				t.Errorf("up %t", up)
			}
			err := get(t.Context(), c)
			if err == nil || errors.Is(err, backend.ErrStoreDown) != tt.down {
				t.Errorf("get: %v", err)
			}
		})
	}
}

// replyWith is a server that answers every command with one reply.
func replyWith(t *testing.T, reply string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					if strings.HasPrefix(lines.Text(), "*") {
						_, _ = conn.Write([]byte(reply))
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestAFullRedisRefusesEachEntryByItself(t *testing.T) {
	s := testkit.Redis(t, "--maxmemory", "1kb", "--maxmemory-policy", "noeviction")
	c := openUp(t, s)
	_, errs, err := storetest.Fill(t.Context(), c, 0, []backend.Entry{
		{Key: []byte("a"), Value: []byte("v"), TTL: time.Minute},
		{Key: []byte("b"), Value: []byte("v"), TTL: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range errs {
		if e == nil || !strings.Contains(e.Error(), "OOM") || errors.Is(e, backend.ErrStoreDown) {
			t.Errorf("entry %d: %v", i, e)
		}
	}
	if !c.Up() {
		t.Error("a full redis is held to be down")
	}
}

func TestADatabaseThatIsNotThere(t *testing.T) {
	s := testkit.Redis(t, "--databases", "2")
	c := openUp(t, s)
	for _, db := range []int{-1, 2} {
		_, errs, err := c.Get(t.Context(), db, [][]byte{[]byte("k")})
		if err = errors.Join(append(errs, err)...); err == nil || errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("database %d: %v", db, err)
		}
	}
}

func TestAClosedClient(t *testing.T) {
	c := open(t, "tcp", testkit.Redis(t).Addr)
	c.Close()
	c.Close()
	if err := errors.Join(get(t.Context(), c)); !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("get: %v", err)
	}
	if w := c.Watch(t.Context(), redis.WatchOptions{}); w.Healthy() == nil {
		t.Error("a watcher of a closed client is healthy")
	}
}
