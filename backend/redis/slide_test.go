package redis_test

import (
	"errors"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/backend/redis/storetest"
	"forebay/internal/testkit"
)

func TestSlideLooksAndExtendsInOneStep(t *testing.T) {
	server := testkit.Redis(t)
	c := redis.Open(redis.Options{Addr: server.Addr})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	field := backend.AppendField(nil, []byte("f"), []byte("v"))
	var entries []backend.Entry
	for k, ttl := range map[string]time.Duration{"due": 30, "early": 50, "hash": 10, "taken over": 20, "changed": 20, "written": 20} {
		e := backend.Entry{Key: []byte(k), Value: []byte("v"), TTL: ttl * time.Second, Stamp: true}
		if k == "hash" {
			e.Hash, e.Value = true, field
		}
		entries = append(entries, e)
	}
	if _, errs, err := storetest.Fill(t.Context(), c, 0, entries); err != nil || errors.Join(errs...) != nil {
		t.Fatal(err, errs)
	}
	server.Do(t, "SET", "taken over", "a client's", "EX", "20")
	server.Do(t, "APPEND", "changed", "x")
	if err := c.Drop(t.Context(), 0, [][]byte{[]byte("written")}, nil); err != nil { // as before any write through Forebay
		t.Fatal(err)
	}
	server.Do(t, "SET", "for ever", "v")
	server.Do(t, "SET", "a client's", "v", "EX", "20")
	keys := []string{"due", "early", "for ever", "gone", "hash", "taken over", "changed", "written", "a client's"}
	want := []time.Duration{time.Minute, 50 * time.Second, -1, -2, time.Minute, 20 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second}
	var list []backend.Slide
	for _, k := range keys {
		list = append(list, backend.Slide{Key: []byte(k), Below: 45 * time.Second, To: time.Minute})
	}
	left, err := c.Slide(t.Context(), 0, list)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		if want[i] < 0 {
			want[i] *= time.Millisecond
		}
		now := time.Duration(server.Do(t, "PTTL", k).(int64)) * time.Millisecond
		for _, got := range []time.Duration{left[i], now} {
			if got > want[i] || got < want[i]-5*time.Second || want[i] < 0 && got != want[i] {
				t.Errorf("%s: told %v, has %v left, want %v", k, left[i], now, want[i])
			}
		}
	}
}
