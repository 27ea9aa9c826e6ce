package redis_test

import (
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/testkit"
)

func TestSlideLooksAndExtendsInOneStep(t *testing.T) {
	server := testkit.Redis(t)
	c := redis.Open(redis.Options{Addr: server.Addr})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	server.Do(t, "SET", "due", "v", "EX", "30")
	server.Do(t, "SET", "early", "v", "EX", "50")
	server.Do(t, "SET", "for ever", "v")
	server.Do(t, "HSET", "hash", "f", "v")
	server.Do(t, "EXPIRE", "hash", "10")
	keys := []string{"due", "early", "for ever", "gone", "hash"}
	want := []time.Duration{time.Minute, 50 * time.Second, -1, -2, time.Minute}
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
