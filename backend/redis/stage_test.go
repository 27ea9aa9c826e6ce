package redis_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/testkit"
)

// stages begins a value in pieces on a real Redis.
func stages(t *testing.T, key string, pieces ...[]byte) (*testkit.RedisServer, backend.Stage) {
	t.Helper()
	server := testkit.Redis(t)
	client := openUp(t, server)
	s, err := client.Stage(t.Context(), 0, []byte(key), int64(len(bytes.Join(pieces, nil))))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if err := s.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return server, s
}

// taken is the lease of a key.
func taken(t *testing.T, store backend.Leaser, db int, key string) backend.Lease {
	t.Helper()
	grants, err := store.Acquire(t.Context(), db, time.Minute, []backend.Ask{{Key: []byte(key), As: backend.AsAny}})
	if err != nil {
		t.Fatal(err)
	}
	return grants[0].Lease
}

// hidden lists the keys of stages.
func hidden(t *testing.T, server *testkit.RedisServer) []any {
	t.Helper()
	keys, _ := server.Do(t, "keys", "__forebay:stage:*").([]any)
	return keys
}

func pieces(n, size int) (list [][]byte, whole []byte) {
	for i := range n {
		list = append(list, bytes.Repeat([]byte{byte(i + 1)}, size))
	}
	return list, bytes.Join(list, nil)
}

func TestStagedValueAppearsWholeOrNotAtAll(t *testing.T) {
	list, whole := pieces(5, 100<<10)
	server, s := stages(t, "k", list...)
	if n := server.Do(t, "exists", "k"); n != int64(0) {
		t.Error("the key is there before the commit")
	}
	keys := hidden(t, server)
	if len(keys) != 1 {
		t.Fatalf("stages: %v", keys)
	}
	if ms := server.Do(t, "pttl", keys[0]).(int64); ms <= 0 || ms > 60_000 {
		t.Errorf("the stage lives %d ms: a crash would leave it", ms)
	}
	stored, err := s.Commit(t.Context(), taken(t, openUp(t, server), 0, "k"), time.Hour, false)
	if err != nil || !stored {
		t.Fatalf("commit: %t, %v", stored, err)
	}
	if got := server.Do(t, "get", "k"); got != string(whole) {
		t.Error("redis holds something else")
	}
	if ms := server.Do(t, "pttl", "k").(int64); ms < 3_500_000 || ms > 3_600_000 {
		t.Errorf("the value lives %d ms, want an hour", ms)
	}
	s.Abort(t.Context())
	if server.Do(t, "exists", "k") != int64(1) || len(hidden(t, server)) != 0 {
		t.Error("an abort after the commit did something, or a stage is left")
	}
}

func TestStageEndsWithoutATrace(t *testing.T) {
	list, _ := pieces(3, 1000)
	for name, end := range map[string]func(*testkit.RedisServer, backend.Stage){
		"aborted": func(_ *testkit.RedisServer, s backend.Stage) { s.Abort(t.Context()) },
		"refused, as the key is there": func(server *testkit.RedisServer, s backend.Stage) {
			server.Do(t, "set", "k", "client's")
			if stored, err := s.Commit(t.Context(), taken(t, openUp(t, server), 0, "k"), time.Hour, true); stored || err != nil {
				t.Errorf("commit: %t, %v", stored, err)
			}
			if got := server.Do(t, "get", "k"); got != "client's" {
				t.Errorf("the client's value is %v", got)
			}
		},
		"evicted before the commit": func(server *testkit.RedisServer, s backend.Stage) {
			server.Do(t, "del", hidden(t, server)[0])
			if stored, err := s.Commit(t.Context(), taken(t, openUp(t, server), 0, "k"), time.Hour, false); stored || err == nil {
				t.Errorf("commit: %t, %v", stored, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, s := stages(t, "k", list...)
			end(server, s)
			if keys := hidden(t, server); len(keys) != 0 {
				t.Errorf("left: %v", keys)
			}
			if name != "refused, as the key is there" && server.Do(t, "exists", "k") != int64(0) {
				t.Error("the key is there")
			}
		})
	}
}

// unfinished begins a value of which the last byte is missing.
func unfinished(t *testing.T, size int) (*testkit.RedisServer, backend.Stage) {
	t.Helper()
	server := testkit.Redis(t)
	s, err := openUp(t, server).Stage(t.Context(), 0, []byte("k"), int64(size))
	if err == nil {
		err = s.Append(t.Context(), make([]byte, size-1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return server, s
}

func TestUnfinishedStages(t *testing.T) {
	t.Run("aborted", func(t *testing.T) {
		server, s := unfinished(t, 1<<20)
		s.Abort(t.Context())
		if n := server.Do(t, "dbsize"); n != int64(0) {
			t.Errorf("%v keys are left", n)
		}
	})
	t.Run("without memory", func(t *testing.T) {
		server, s := unfinished(t, 1<<20)
		server.Do(t, "config", "set", "maxmemory", "1")
		if err := s.Append(t.Context(), []byte{1}); err == nil || !strings.Contains(err.Error(), "OOM") || errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("append: %v", err)
		}
		s.Abort(t.Context())
		if n := server.Do(t, "dbsize"); n != int64(0) {
			t.Errorf("%v keys are left", n)
		}
	})
	t.Run("a byte too many", func(t *testing.T) {
		_, s := unfinished(t, 1000)
		if err := s.Append(t.Context(), []byte{1, 2}); err == nil {
			t.Error("it was taken")
		}
		s.Abort(t.Context())
	})
	t.Run("redis dies", func(t *testing.T) {
		server, s := unfinished(t, 1000)
		server.Kill()
		if err := s.Append(t.Context(), []byte{1}); !errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("append: %v", err)
		}
		if _, err := s.Commit(t.Context(), backend.Lease{}, time.Hour, false); !errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("commit: %v", err)
		}
		s.Abort(t.Context())
	})
}

// A stage lies in the slot of its key, so that both can be renamed in a cluster: Redis says so itself.
func TestStageIsInTheSlotOfItsKey(t *testing.T) {
	server := testkit.Redis(t, "--cluster-enabled", "yes")
	plain := testkit.Redis(t)
	client := openUp(t, plain)
	for _, key := range []string{"k", "mnist:train:images", "a{tag}b", "{}x", "a}b", "{a{b}c}", "{open", "é}\x00{"} {
		s, err := client.Stage(t.Context(), 0, []byte(key), 1)
		if err == nil {
			err = s.Append(t.Context(), []byte("x"))
		}
		if err != nil {
			t.Fatal(err)
		}
		stage := hidden(t, plain)[0]
		if a, b := server.Do(t, "cluster", "keyslot", key), server.Do(t, "cluster", "keyslot", stage); a != b {
			t.Errorf("%q is in slot %v, its stage %q in %v", key, a, stage, b)
		}
		s.Abort(t.Context())
	}
}

// What was staged for a session can be given back like any other fill.
func TestStagedValuesAreReleased(t *testing.T) {
	for name, n := range map[string]int{"small": 3, "large": 12} {
		t.Run(name, func(t *testing.T) {
			list, _ := pieces(n, 100<<10+7)
			server := testkit.Redis(t)
			client := openUp(t, server)
			for _, key := range []string{"kept", "written", "untracked"} {
				s, err := client.Stage(t.Context(), 0, []byte(key), int64(n*(100<<10+7)))
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range list {
					if err := s.Append(t.Context(), p); err != nil {
						t.Fatal(err)
					}
				}
				if stored, err := s.Commit(context.Background(), taken(t, client, 0, key), time.Hour, key != "untracked"); !stored || err != nil {
					t.Fatalf("commit %s: %t, %v", key, stored, err)
				}
			}
			server.Do(t, "setrange", "written", 0, "x")
			released, _, err := client.Release(t.Context(), 0, []string{"kept", "written", "untracked"})
			if err != nil || released != 1 || server.Do(t, "exists", "kept") != int64(0) {
				t.Errorf("%d were released, %v; want kept alone", released, err)
			}
		})
	}
}

// The connection of a stage is the configured user's, in the key's database.
func TestStageOfAUserInADatabase(t *testing.T) {
	for name, o := range map[string]redis.Options{
		"a user":               {Username: "cache", Password: "a b\r\n"},
		"the default user":     {Password: "secret"},
		"a password of no one": {Password: "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			server := testkit.Redis(t)
			client := redis.Open(redis.Options{Network: server.Network, Addr: server.Addr, Timeout: time.Second})
			t.Cleanup(client.Close)
			admin := server.Client()
			defer func() { _ = admin.Close() }()
			admin.Do(t.Context(), "acl", "setuser", "cache", "on", ">a b\r\n", "~*", "+@all")
			admin.Do(t.Context(), "config", "set", "requirepass", "secret")
			o.Network, o.Addr = server.Network, server.Addr
			own := redis.Open(o)
			t.Cleanup(own.Close)
			s, err := own.Stage(t.Context(), 3, []byte("k"), 1)
			if err == nil {
				err = s.Append(t.Context(), []byte("x"))
			}
			if o.Password == "wrong" {
				if !errors.Is(err, backend.ErrStoreDown) {
					t.Errorf("append: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := s.Commit(t.Context(), taken(t, own, 3, "k"), time.Hour, false); !stored || err != nil {
				t.Errorf("commit: %t, %v", stored, err)
			}
			values, _, err := own.Get(t.Context(), 3, [][]byte{[]byte("k")})
			if err != nil || string(values[0]) != "x" {
				t.Errorf("database 3 holds %q, %v", values, err)
			}
		})
	}
}
