package embedded_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"forebay/backend/embedded"
)

// eviction is one call of OnEvict.
type eviction struct {
	db      int
	key     string
	expired bool
}

// startStandIn starts the in-process Redis with a list of what it drops.
func startStandIn(t *testing.T, maxMemory int64) (*redis.Client, <-chan eviction) {
	t.Helper()
	dropped := make(chan eviction, 10_000)
	_, c := start(t, embedded.Options{InProcess: true, MaxMemory: maxMemory, OnEvict: func(db int, key []byte, expired bool) {
		dropped <- eviction{db, string(key), expired}
	}})
	return c, dropped
}

// next returns the next eviction.
func next(t *testing.T, dropped <-chan eviction) eviction {
	t.Helper()
	select {
	case e := <-dropped:
		return e
	case <-time.After(limit):
		t.Fatalf("nothing was reported within %v", limit)
		return eviction{}
	}
}

func TestStandInReportsWhatExpires(t *testing.T) {
	c, dropped := startStandIn(t, 0)
	ctx := t.Context()
	atOnce := c.TxPipeline()
	for _, do := range [][]any{
		{"SET", "stays", "v"},
		{"SET", "later", "v", "PX", 3_600_000},
		{"SET", "deleted", "v", "PX", 200},
		{"DEL", "deleted"},
		{"SET", "extended", "v", "PX", 200},
		{"PEXPIRE", "extended", 3_600_000},
		{"SET", "gone", "v", "PX", 200},
	} {
		atOnce.Do(ctx, do...)
	}
	if _, err := atOnce.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := next(t, dropped), (eviction{0, "gone", true}); got != want {
		t.Errorf("reported %v, want %v", got, want)
	}
	if n, err := c.Exists(ctx, "stays", "later", "extended").Result(); n != 3 || err != nil {
		t.Errorf("%d keys are left, %v; want 3", n, err)
	}
	if n, err := c.Exists(ctx, "gone").Result(); n != 0 || err != nil {
		t.Errorf("gone exists: %d, %v", n, err)
	}
	other := redis.NewClient(&redis.Options{Addr: c.Options().Addr, DB: 3})
	defer func() { _ = other.Close() }()
	if err := other.HSet(ctx, "h", "f", "v").Err(); err != nil {
		t.Fatal(err)
	}
	if err := other.PExpire(ctx, "h", 100*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := next(t, dropped), (eviction{3, "h", true}); got != want {
		t.Errorf("reported %v, want %v", got, want)
	}
	if len(dropped) > 0 {
		t.Errorf("reported too: %v", <-dropped)
	}
}

func TestStandInKeepsTime(t *testing.T) {
	c, _ := startStandIn(t, 0)
	if err := c.Set(t.Context(), "k", "v", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "a TTL that goes down", func() bool {
		ttl, err := c.PTTL(t.Context(), "k").Result()
		return err == nil && ttl > 0 && ttl < time.Minute-100*time.Millisecond
	})
}

func TestStandInStaysWithinItsBudget(t *testing.T) {
	const budget = 4 << 20
	c, dropped := startStandIn(t, budget)
	ctx := t.Context()
	value := strings.Repeat("x", 64<<10)
	const keys = 96 // 6 MiB
	for i := range keys {
		if err := c.Set(ctx, fmt.Sprint("k", i), value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"hash", "list"} {
		cmd := map[string][]any{"hash": {"HSET", key, "f", value}, "list": {"RPUSH", key, value, value}}[key]
		if err := c.Do(ctx, cmd...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "use within the budget", func() bool {
		left, err := c.DBSize(ctx).Result()
		if err != nil {
			t.Fatal(err)
		}
		used, err := strconv.Atoi(field(t, c, "memory", "used_memory"))
		return err == nil && left < keys && used > 0 && used <= budget && left*(64<<10) <= budget
	})
	left, err := c.DBSize(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	if left*(64<<10) < budget*8/10 {
		t.Errorf("%d keys are left of a budget of %d", left, budget>>16)
	}
	for range keys + 2 - left {
		if e := next(t, dropped); e.expired || e.db != 0 {
			t.Errorf("reported %v, want an eviction of database 0", e)
		} else if n, err := c.Exists(ctx, e.key).Result(); n != 0 || err != nil {
			t.Errorf("%s was reported and exists: %d, %v", e.key, n, err)
		}
	}
}

func TestStandInAnswersWhatClientsAskFirst(t *testing.T) {
	c, _ := startStandIn(t, 8<<20)
	for name, want := range map[string]string{
		"redis_mode": "standalone", "cluster_enabled": "0", "role": "master",
		"maxmemory": "8388608", "maxmemory_policy": "allkeys-random", "aof_enabled": "0",
	} {
		if got := field(t, c, "everything", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if info, err := c.Info(t.Context(), "Cluster").Result(); err != nil || info != "# Cluster\r\ncluster_enabled:0\r\n" {
		t.Errorf("INFO Cluster is %q, %v", info, err)
	}
	got, err := c.ConfigGet(t.Context(), "maxmemory*").Result()
	if err != nil || len(got) != 2 || got["maxmemory"] != "8388608" || got["maxmemory-policy"] != "allkeys-random" {
		t.Errorf("CONFIG GET is %v, %v", got, err)
	}
	if err := c.ConfigSet(t.Context(), "maxmemory", "1").Err(); err == nil {
		t.Error("CONFIG SET was accepted")
	}
}
