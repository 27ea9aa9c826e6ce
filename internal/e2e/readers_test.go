package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// reading is one read by a reader.
type reading struct {
	began time.Time
	took  time.Duration
	word  string // "value", "nil", or the first word of the error
}

// readers read in the background, each on a connection of its own, as trainers do while something breaks.
type readers struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	done   []reading
}

// pace is the time between two reads of a reader: enough of them to see what happens, few enough for a busy machine.
const pace = 4 * time.Millisecond

// read starts n readers that run a command until stop: args returns that of a reader's i-th.
func (f *forebay) read(t testing.TB, n int, args func(reader, i int) []any) *readers {
	ctx, cancel := context.WithCancel(context.Background())
	r := &readers{cancel: cancel}
	for reader := range n {
		c := f.client(t)
		r.wg.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				one := ask(c, args(reader, i)...)
				r.mu.Lock()
				r.done = append(r.done, one)
				r.mu.Unlock()
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// stop ends the readers after the reply each waits for, and returns what they read.
func (r *readers) stop() []reading {
	r.cancel()
	r.wg.Wait()
	return r.done
}

// total is how many reads have ended so far.
func (r *readers) total() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.done)
}

// more waits until n further reads have ended: that something went on is seen, not slept for.
func (r *readers) more(t testing.TB, n int) {
	t.Helper()
	want := r.total() + n
	eventually(t, "readers go on", func() bool { return r.total() >= want })
}

// ask runs one command. It does not depend on a test's context, so that its reply is always waited for.
func ask(c *goredis.Client, args ...any) reading {
	began := time.Now()
	_, err := c.Do(context.Background(), args...).Result()
	r := reading{began: began, took: time.Since(began), word: "value"}
	switch {
	case errors.Is(err, goredis.Nil):
		r.word = "nil"
	case err != nil:
		r.word, _, _ = strings.Cut(err.Error(), " ")
	}
	return r
}

// words is how often each word came, and the longest time it took, for people.
func words(list []reading) string {
	n, most := map[string]int{}, map[string]time.Duration{}
	for _, r := range list {
		n[r.word]++
		most[r.word] = max(most[r.word], r.took)
	}
	var parts []string
	for _, w := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%s %d (at most %s)", w, n[w], millis(most[w])))
	}
	return strings.Join(parts, ", ")
}

// wantWords wants every read to have ended with one of the words, in time.
func wantWords(t testing.TB, what string, list []reading, limit time.Duration, allowed ...string) {
	t.Helper()
	t.Logf("%-34s %s", what, words(list))
	if len(list) == 0 {
		t.Errorf("%s: nothing was read", what)
	}
	for _, r := range list {
		if !slices.Contains(allowed, r.word) || r.took > limit {
			t.Errorf("%s: a read ended with %s after %v; want %v within %v", what, r.word, r.took, allowed, limit)
			return
		}
	}
}
