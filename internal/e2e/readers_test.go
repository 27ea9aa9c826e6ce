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

// reading is one command by a reader.
type reading struct {
	began time.Time
	took  time.Duration
	word  string // "value", "nil", the first word of the error, or "WRONG"
	wrong error  // what is wrong with the reply
}

// readers read in the background, each on a connection of its own, as trainers do while something breaks.
type readers struct {
	ctx    context.Context //nolint:containedctx // their life
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	done   []reading
}

// pace is the time between two reads of a reader: enough of them to see what happens, few enough for a busy machine.
const pace = 4 * time.Millisecond

// read starts n readers that run a command until stop: args returns that of a reader's i-th.
func (f *forebay) read(t testing.TB, n int, args func(reader, i int) []any) *readers {
	return f.ask(t, n, func(reader, i int) question { return question{args: args(reader, i)} })
}

// ask is read with judges of the replies.
func (f *forebay) ask(t testing.TB, n int, next func(reader, i int) question) *readers {
	r := begin(t)
	for reader := range n {
		r.act(f.client(t), func(i int, put func(question) reading) reading { return put(next(reader, i)) })
	}
	return r
}

// begin makes readers of which none reads yet.
func begin(t testing.TB) *readers {
	r := &readers{}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() { r.stop() })
	return r
}

// act starts one that does step after step; put asks a question on its connection.
func (r *readers) act(c *goredis.Client, step func(i int, put func(question) reading) reading) {
	r.wg.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for i := 0; r.ctx.Err() == nil; i++ {
			one := step(i, func(q question) reading { return q.put(c) })
			r.mu.Lock()
			r.done = append(r.done, one)
			r.mu.Unlock()
			select {
			case <-tick.C:
			case <-r.ctx.Done():
			}
		}
	})
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
func ask(c *goredis.Client, args ...any) reading { return question{args: args}.put(c) }

// put asks the question.
func (q question) put(c *goredis.Client) reading {
	began := time.Now()
	reply, err := c.Do(context.Background(), q.args...).Result()
	r := reading{began: began, took: time.Since(began), word: "value"}
	switch {
	case errors.Is(err, goredis.Nil):
		r.word, err = "nil", nil
	case err != nil:
		word, _, _ := strings.Cut(err.Error(), " ")
		r.word = strings.TrimSuffix(word, ":")
	}
	if err == nil && q.judge != nil {
		r.wrong = q.judge(reply)
	}
	if r.wrong != nil {
		r.word = "WRONG"
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
			t.Errorf("%s: a read ended with %s after %v; want %v within %v (%v)", what, r.word, r.took, allowed, limit, r.wrong)
			return
		}
	}
}

// split parts reads by when they began.
func split(list []reading, at time.Time) (before, after []reading) {
	for _, r := range list {
		if r.began.Before(at) {
			before = append(before, r)
		} else {
			after = append(after, r)
		}
	}
	return before, after
}

// wantFew wants at most n reads that ended with the word.
func wantFew(t testing.TB, list []reading, word string, n int) {
	t.Helper()
	for _, r := range list {
		if r.word == word {
			n--
		}
	}
	if n < 0 {
		t.Errorf("%d reads too many ended with %s", -n, word)
	}
}

// wantCounted wants at least n events of a kind.
func wantCounted(t testing.TB, s *stream, kind string, n int) {
	t.Helper()
	if got := len(s.of(kind)); got < n {
		t.Errorf("%d events %s, want at least %d: %s", got, kind, n, s.kinds())
	}
}

// wantOnly wants every read to have ended with one of the words, if there were any.
func wantOnly(t testing.TB, what string, list []reading, allowed ...string) {
	t.Helper()
	if len(list) > 0 {
		wantWords(t, what, list, inTime, allowed...)
	}
}
